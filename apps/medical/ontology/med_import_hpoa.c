/* SPDX-License-Identifier: Apache-2.0 */
/* med_import_hpoa.c - phenotype.hpoa: twelve tab-separated columns, comments before. Rows of
 * aspect P become annotations with the PMID they cite, I inheritance, C onset. A malformed row
 * is an error that names its line. */
#include "ontology/med_import.h"
#include "ontology/med_slurp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COL_DISEASE,
    COL_NAME,
    COL_QUALIFIER,
    COL_HPO,
    COL_REFERENCE,
    COL_EVIDENCE,
    COL_ONSET,
    COL_FREQ,
    COL_SEX,
    COL_MODIFIER,
    COL_ASPECT,
    COL_CURATION,
    COL_COUNT
};

static med_text import_hpoa_text_of(med_field f) { return (med_text){f.s, f.len}; }

static uint32_t import_hpoa_number(const char *s, size_t len, size_t *used)
{
    uint64_t v = 0;
    size_t i = 0;
    while (i < len && s[i] >= '0' && s[i] <= '9' && i < 10) v = v * 10 + (uint64_t)(s[i++] - '0');
    *used = i;
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

/* "PMID:1;PMID:2" */
static void pmids_of(med_field f, med_annotation *a)
{
    for (size_t i = 0; i + 5 < f.len && a->n_pmid < R1_COUNT(a->pmid); i++)
        if (memcmp(f.s + i, "PMID:", 5) == 0) {
            size_t used;
            uint32_t v = import_hpoa_number(f.s + i + 5, f.len - i - 5, &used);
            if (used) a->pmid[a->n_pmid++] = v;
        }
}

/* "3/7", "45%", "45.5%", "HP:0040281" or nothing. */
static bool import_hpoa_frequency(med_field f, med_annotation *a)
{
    size_t used, used2;
    a->freq = -1;
    if (f.len == 0) return true;
    if (f.len > 3 && memcmp(f.s, "HP:", 3) == 0) {
        a->freq = med_frequency(f.s, f.len);
        a->negated |= a->freq == 0;
        return true;
    }
    uint32_t n = import_hpoa_number(f.s, f.len, &used);
    if (used == 0) return false;
    if (used < f.len && f.s[used] == '/') {
        uint32_t m = import_hpoa_number(f.s + used + 1, f.len - used - 1, &used2);
        if (used2 == 0) return false;
        if (m == 0) return true; /* nobody was looked at: says nothing */
        a->n = n > m ? m : n;
        a->m = m;
        a->negated |= a->n == 0;
        a->freq = (float)a->n / (float)m;
        return true;
    }
    double percent = n;
    if (used < f.len && f.s[used] == '.') {
        uint32_t d = import_hpoa_number(f.s + used + 1, f.len - used - 1, &used2);
        double scale = 1;
        for (size_t i = 0; i < used2; i++) scale *= 10;
        percent += d / scale;
        used += used2 + 1;
    }
    if (used >= f.len || f.s[used] != '%' || percent > 100) return false;
    a->freq = (float)(percent / 100);
    a->negated |= percent == 0;
    return true;
}

static r1_status import_hpoa_row(med_builder *b, const char *what, int64_t line, const med_field *f,
                                 uint16_t source, r1_err *err)
{
    uint32_t d;
    R1_TRY(med_builder_disease(b, import_hpoa_text_of(f[COL_DISEASE]),
                               import_hpoa_text_of(f[COL_NAME]), &d, err));
    char aspect = f[COL_ASPECT].len == 1 ? f[COL_ASPECT].s[0] : '?';
    if (aspect == 'I')
        med_builder_course(b, d, 0, med_inheritance_mask(f[COL_HPO].s, f[COL_HPO].len), 0);
    if (aspect == 'C') med_builder_course(b, d, med_onset_mask(f[COL_HPO].s, f[COL_HPO].len), 0, 0);
    if (aspect != 'P') return R1_OK;
    if (f[COL_ONSET].len)
        med_builder_course(b, d, med_onset_mask(f[COL_ONSET].s, f[COL_ONSET].len), 0, 0);
    med_annotation a = {.term = import_hpoa_text_of(f[COL_HPO]),
                        .source = source,
                        .negated =
                            f[COL_QUALIFIER].len == 3 && memcmp(f[COL_QUALIFIER].s, "NOT", 3) == 0};
    pmids_of(f[COL_REFERENCE], &a);
    if (!import_hpoa_frequency(f[COL_FREQ], &a))
        R1_FAIL(err, R1_E_FORMAT,
                "%s:%lld: frequency \"%.*s\", expected n/m, a percentage or an HP term", what,
                (long long)line, (int)(f[COL_FREQ].len < 40 ? f[COL_FREQ].len : 40), f[COL_FREQ].s);
    return med_builder_annotate(b, d, &a, err);
}

static void version_of(med_builder *b, const char *line, size_t n, char *to, size_t cap)
{
    static const char *key[] = {"#date: ", "#version: "};
    for (size_t i = 0; i < R1_COUNT(key); i++) {
        size_t k = strlen(key[i]);
        if (n > k && memcmp(line, key[i], k) == 0)
            med_builder_copy(b, "version", (med_text){line + k, n - k}, to, cap);
    }
}

r1_status med_import_hpoa(med_builder *b, const char *what, const char *data, size_t len,
                          r1_err *err)
{
    med_lines l = {data, data + len, 0};
    const char *line;
    size_t n, n_row = 0;
    char version[MED_SOURCE_MAX + 1] = "not stated";
    med_builder_input(b, what);
    while (l.at < l.end && *l.at == '#' && med_lines_next(&l, &line, &n)) {
        med_builder_line(b, l.number);
        version_of(b, line, n, version, sizeof version);
    }
    uint16_t source;
    R1_TRY(med_builder_source(
        b, "HPO annotations (phenotype.hpoa)", version,
        "HPO licence: free use with citation and version (https://hpo.jax.org/app/license)",
        "https://hpo.jax.org", &source, err));
    while (med_lines_next(&l, &line, &n)) {
        med_field f[COL_COUNT + 1];
        med_builder_line(b, l.number);
        if (n == 0 || line[0] == '#' || (n > 11 && memcmp(line, "database_id", 11) == 0)) continue;
        size_t got = med_split(line, n, '\t', f, R1_COUNT(f));
        if (got != COL_COUNT)
            R1_FAIL(err, R1_E_FORMAT, "%s:%lld: %zu columns, expected %d", what,
                    (long long)l.number, got, COL_COUNT);
        R1_TRY(import_hpoa_row(b, what, l.number, f, source, err));
        n_row++;
    }
    if (n_row == 0) R1_FAIL(err, R1_E_FORMAT, "%s: no annotation rows", what);
    return R1_OK;
}
