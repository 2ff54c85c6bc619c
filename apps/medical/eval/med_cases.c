/* SPDX-License-Identifier: Apache-2.0 */
/* med_cases.c - see med_cases.h. */
#include "eval/med_cases.h"

#include "ontology/med_map.h"
#include "ontology/med_slurp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 7 };

int med_fold_of(const char *gold_id)
{
    return (int)(r1_hash64(gold_id, strlen(gold_id), 2026) % MED_FOLDS);
}

float med_age_years(const char *s, size_t len)
{
    if (len < 2 || s[0] != 'P') return NAN;
    float years = 0, number = 0;
    bool any = false;
    for (size_t i = 1; i < len; i++) {
        if (s[i] >= '0' && s[i] <= '9') {
            number = number * 10 + (float)(s[i] - '0');
            continue;
        }
        float unit = s[i] == 'Y'   ? 1.0f
                     : s[i] == 'M' ? 1 / 12.0f
                     : s[i] == 'W' ? 7 / 365.25f
                     : s[i] == 'D' ? 1 / 365.25f
                                   : 0;
        if (s[i] == 'T') break;
        if (unit == 0) return NAN;
        years += number * unit;
        number = 0;
        any = true;
    }
    return any && years < 150 ? years : NAN;
}

/* PMID_24573067_CASE_REPORT -> 24573067 */
static uint32_t pmid_of(med_field id)
{
    uint64_t v = 0;
    if (id.len < 6 || memcmp(id.s, "PMID", 4) != 0) return 0;
    for (size_t i = 5; i < id.len && id.s[i] >= '0' && id.s[i] <= '9' && v < UINT32_MAX / 10; i++)
        v = v * 10 + (uint64_t)(id.s[i] - '0');
    return (uint32_t)v;
}

static r1_status add_terms(med_cases *c, const med_kb *kb, med_field list, uint32_t *at,
                           uint32_t *n, r1_err *err)
{
    med_field id[512];
    size_t got = list.len ? med_split(list.s, list.len, ';', id, R1_COUNT(id)) : 0;
    if (got > R1_COUNT(id)) got = R1_COUNT(id);
    *at = c->n_term;
    *n = 0;
    if (c->n_term + got > c->cap_term) {
        uint32_t cap = (c->cap_term + (uint32_t)got) * 2 + 1024;
        uint32_t *v = cap > 50000000u ? NULL : r1_realloc_array(c->term, cap, sizeof *v);
        if (!v) R1_FAIL(err, R1_E_NOMEM, "more findings than cases may have");
        c->term = v;
        c->cap_term = cap;
    }
    for (size_t i = 0; i < got; i++) {
        uint32_t t = med_kb_term(kb, id[i].s, id[i].len);
        if (t == MED_NONE)
            c->n_unknown_term++;
        else
            c->term[c->n_term++] = t, ++*n;
    }
    return R1_OK;
}

static r1_status cases_add_row(med_cases *c, const med_kb *kb, const med_field *f, r1_err *err)
{
    if (c->n == c->cap) {
        uint32_t cap = c->cap ? c->cap * 2 : 1024;
        med_case_row *v = cap > 4000000u ? NULL : r1_realloc_array(c->row, cap, sizeof *v);
        if (!v) R1_FAIL(err, R1_E_NOMEM, "too many cases");
        c->row = v;
        c->cap = cap;
    }
    med_case_row *r = &c->row[c->n];
    memset(r, 0, sizeof *r);
    snprintf(r->id, sizeof r->id, "%.*s", (int)f[0].len, f[0].s);
    snprintf(r->gold, sizeof r->gold, "%.*s", (int)f[1].len, f[1].s);
    r->gold_disease = med_kb_disease(kb, f[1].s, f[1].len);
    r->pmid = pmid_of(f[0]);
    r->sex = f[3].len && (f[3].s[0] | 32) == 'm'   ? MED_SEX_MALE
             : f[3].len && (f[3].s[0] | 32) == 'f' ? MED_SEX_FEMALE
                                                   : MED_SEX_UNKNOWN;
    r->age_years = med_age_years(f[4].s, f[4].len);
    r->fold = med_fold_of(r->gold);
    R1_TRY(add_terms(c, kb, f[5], &r->observed_at, &r->n_observed, err));
    R1_TRY(add_terms(c, kb, f[6], &r->excluded_at, &r->n_excluded, err));
    c->n++;
    return R1_OK;
}

/* The first max rows of each gold disease, in the order of the file. */
static bool cases_within(med_map *seen, med_field gold, uint32_t max)
{
    uint32_t off = med_map_intern(seen, gold.s, gold.len);
    uint32_t n = off == UINT32_MAX ? 0 : med_map_get(seen, off);
    if (n == UINT32_MAX) n = 0;
    if (off != UINT32_MAX) med_map_set(seen, off, n + 1);
    return !max || n < max;
}

static r1_status cases_read_rows(med_cases *c, const char *path, const med_kb *kb, const char *data,
                                 size_t len, uint32_t max, med_map *seen, r1_err *err)
{
    med_lines l = {data, data + len, 0};
    const char *line;
    size_t n;
    while (med_lines_next(&l, &line, &n)) {
        med_field f[COLUMNS + 1];
        if (n == 0 || (l.number == 1 && n > 7 && memcmp(line, "case_id", 7) == 0)) continue;
        size_t got = med_split(line, n, '\t', f, R1_COUNT(f));
        if (got != COLUMNS)
            R1_FAIL(
                err, R1_E_FORMAT,
                "%s:%lld: %zu columns, expected %d (id, gold, label, sex, age, observed, excluded)",
                path, (long long)l.number, got, COLUMNS);
        if (cases_within(seen, f[1], max)) R1_TRY(cases_add_row(c, kb, f, err));
    }
    if (c->n == 0) R1_FAIL(err, R1_E_FORMAT, "%s: no cases", path);
    return R1_OK;
}

r1_status med_cases_load(med_cases *out, const char *path, const med_kb *kb,
                         uint32_t max_per_disease, r1_err *err)
{
    char *data = NULL;
    size_t len = 0;
    med_map *seen = NULL;
    memset(out, 0, sizeof *out);
    R1_TRY(med_slurp(path, MED_INPUT_BYTES_MAX, &data, &len, err));
    r1_status st = med_map_new(&seen, (size_t)16 << 20, err);
    if (st == R1_OK) st = cases_read_rows(out, path, kb, data, len, max_per_disease, seen, err);
    med_map_free(seen);
    free(data);
    if (st != R1_OK) med_cases_free(out);
    return st;
}

void med_cases_free(med_cases *c)
{
    free(c->row);
    free(c->term);
    memset(c, 0, sizeof *c);
}

med_case med_cases_query(const med_cases *c, const med_case_row *row, bool leave_publication_out)
{
    return (med_case){.observed = c->term + row->observed_at,
                      .n_observed = row->n_observed,
                      .excluded = c->term + row->excluded_at,
                      .n_excluded = row->n_excluded,
                      .sex = row->sex,
                      .age_years = row->age_years,
                      .skip = {.pmid = leave_publication_out ? row->pmid : 0}};
}
