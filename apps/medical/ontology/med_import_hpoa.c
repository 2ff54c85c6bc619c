/* SPDX-License-Identifier: Apache-2.0 */
/* med_import_hpoa.c - phenotype.hpoa: tab-separated columns by their names, comments before. Rows
 * of aspect P become annotations with the PMID they cite, I inheritance, C onset; M and H say
 * nothing of a finding. A row that cannot be read is refused by itself. */
#include "ontology/med_disease_id.h"
#include "ontology/med_frequency.h"
#include "ontology/med_import.h"
#include "ontology/med_slurp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
/* The names of the columns, those of before 2023 second. */
static const char *const hpoa_column[COL_COUNT][2] = {{"database_id", "DatabaseID"},
                                                      {"disease_name", "DiseaseName"},
                                                      {"qualifier", "Qualifier"},
                                                      {"hpo_id", "HPO_ID"},
                                                      {"reference", "Reference"},
                                                      {"evidence", "Evidence"},
                                                      {"onset", "Onset"},
                                                      {"frequency", "Frequency"},
                                                      {"sex", "Sex"},
                                                      {"modifier", "Modifier"},
                                                      {"aspect", "Aspect"},
                                                      {"biocuration", "Biocuration"}};
enum { HPOA_COLUMNS_MAX = 32 };

typedef struct {
    med_builder *b;
    size_t place[COL_COUNT], n_column; /* place: n_column where the column is missing */
    uint16_t source;
    size_t n_row;
} hpoa;

static med_text hpoa_value(const hpoa *h, const med_field *f, int column)
{
    if (h->place[column] >= h->n_column) return (med_text){"", 0};
    med_field x = f[h->place[column]];
    while (x.len && *x.s == ' ') x.s++, x.len--;
    while (x.len && x.s[x.len - 1] == ' ') x.len--;
    return (med_text){x.s, x.len};
}

static bool hpoa_is(med_text t, const char *word)
{
    return t.len == strlen(word) && strncasecmp(t.s, word, t.len) == 0;
}

/* Refuses the row because of one of its values. */
static bool hpoa_refuse(const hpoa *h, int column, med_text value, const char *expected)
{
    med_builder_refuse(h->b, hpoa_column[column][0], value, expected);
    return false;
}

static uint32_t hpoa_number(const char *s, size_t len, size_t *used)
{
    uint64_t v = 0;
    size_t i = 0;
    while (i < len && s[i] >= '0' && s[i] <= '9' && i < 10) v = v * 10 + (uint64_t)(s[i++] - '0');
    *used = i;
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

/* "PMID:1;PMID:2" */
static void pmids_of(med_text f, med_annotation *a)
{
    for (size_t i = 0; i + 5 < f.len && a->n_pmid < R1_COUNT(a->pmid); i++)
        if (memcmp(f.s + i, "PMID:", 5) == 0) {
            size_t used;
            uint32_t v = hpoa_number(f.s + i + 5, f.len - i - 5, &used);
            if (used) a->pmid[a->n_pmid++] = v;
        }
}

/* "SOURCE:147920": letters, a colon and something behind it. */
static bool hpoa_is_id(med_text t)
{
    size_t n = 0;
    while (n < t.len && ((t.s[n] | 32) >= 'a' && (t.s[n] | 32) <= 'z')) n++;
    if (n == 0 || n + 1 >= t.len || t.s[n] != ':' || t.len > MED_ID_MAX) return false;
    for (size_t i = n + 1; i < t.len; i++)
        if ((uint8_t)t.s[i] <= ' ') return false;
    return true;
}

static bool hpoa_sex(const hpoa *h, med_text t, uint16_t *sex)
{
    *sex = 0;
    if (hpoa_is(t, "male") || hpoa_is(t, "m")) *sex = MED_ROW_MALE;
    if (hpoa_is(t, "female") || hpoa_is(t, "f")) *sex = MED_ROW_FEMALE;
    return *sex || t.len == 0 || hpoa_refuse(h, COL_SEX, t, "MALE, FEMALE or nothing");
}

/* An unknown class of onset costs the row nothing else. */
static uint16_t hpoa_onset(const hpoa *h, med_text t)
{
    uint32_t mask = t.len ? med_onset_mask(t.s, t.len) : 0;
    if (t.len && !mask)
        med_builder_ignore(h->b, hpoa_column[COL_ONSET][0], t, "an HPO id of onset");
    return (uint16_t)mask;
}

/* False: the row is refused. */
static bool hpoa_annotation(const hpoa *h, const med_field *f, med_annotation *a)
{
    med_text id = hpoa_value(h, f, COL_HPO), not = hpoa_value(h, f, COL_QUALIFIER),
             freq = hpoa_value(h, f, COL_FREQ);
    med_frequency said;
    const char *expected = med_frequency_read(freq.s, freq.len, &said);
    *a = (med_annotation){.term = id, .source = h->source};
    if (!hpoa_is_id(id)) return hpoa_refuse(h, COL_HPO, id, "an id such as HP:0001250");
    if (not .len && !hpoa_is(not, "NOT"))
        return hpoa_refuse(h, COL_QUALIFIER, not, "NOT or nothing");
    if (expected) return hpoa_refuse(h, COL_FREQ, freq, expected);
    if (!hpoa_sex(h, hpoa_value(h, f, COL_SEX), &a->sex)) return false;
    a->onset = hpoa_onset(h, hpoa_value(h, f, COL_ONSET));
    a->freq = said.freq;
    a->n = said.n;
    a->m = said.m;
    a->negated = not .len || said.freq == 0;
    pmids_of(hpoa_value(h, f, COL_REFERENCE), a);
    return true;
}

/* Of a row of aspect I or C: what it says of the disease. */
static r1_status hpoa_course(const hpoa *h, char aspect, uint32_t disease, med_text id, r1_err *err)
{
    uint32_t onset = aspect == 'C' ? med_onset_mask(id.s, id.len) : 0;
    uint32_t inheritance = aspect == 'I' ? med_inheritance_mask(id.s, id.len) : 0;
    return med_builder_course(h->b, disease, onset, inheritance, h->source, err);
}

static r1_status hpoa_row(hpoa *h, const med_field *f, r1_err *err)
{
    med_text id = hpoa_value(h, f, COL_DISEASE), aspect = hpoa_value(h, f, COL_ASPECT);
    med_annotation a;
    uint32_t d;
    char kind = aspect.len == 1 ? (char)(*aspect.s & ~32) : 0;
    if (!hpoa_is_id(id)) {
        hpoa_refuse(h, COL_DISEASE, id, "an id such as OMIM:147920 or ORPHA:2322");
        return R1_OK;
    }
    if (!kind || !strchr("PICMH", kind)) {
        hpoa_refuse(h, COL_ASPECT, aspect, "P, I, C, M or H");
        return R1_OK;
    }
    if (kind == 'P' && !hpoa_annotation(h, f, &a)) return R1_OK;
    R1_TRY(med_builder_disease(h->b, id, hpoa_value(h, f, COL_NAME), &d, err));
    h->n_row++;
    if (kind != 'P') return hpoa_course(h, kind, d, hpoa_value(h, f, COL_HPO), err);
    return med_builder_annotate(h->b, d, &a, err);
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

/* The columns by name, where the line is their head. */
static bool hpoa_head(hpoa *h, const char *line, size_t n)
{
    med_field f[HPOA_COLUMNS_MAX];
    if (n && *line == '#') line++, n--;
    size_t got = med_split(line, n, '\t', f, R1_COUNT(f)), known = 0, place[COL_COUNT];
    if (got > R1_COUNT(f)) return false;
    for (int c = 0; c < COL_COUNT; c++) {
        place[c] = got;
        for (size_t i = 0; i < got; i++)
            for (size_t k = 0; k < 2; k++)
                if (hpoa_is((med_text){f[i].s, f[i].len}, hpoa_column[c][k])) place[c] = i;
        known += place[c] < got;
    }
    if (known < 3 || place[COL_DISEASE] == got || place[COL_HPO] == got) return false;
    memcpy(h->place, place, sizeof place);
    h->n_column = got;
    return true;
}

static r1_status hpoa_line(hpoa *h, const char *line, size_t n, r1_err *err)
{
    med_field f[HPOA_COLUMNS_MAX];
    char expected[48], found[32];
    size_t got = med_split(line, n, '\t', f, R1_COUNT(f));
    if (got == h->n_column) return hpoa_row(h, f, err);
    snprintf(expected, sizeof expected, "%zu columns, as its head has", h->n_column);
    snprintf(found, sizeof found, "%zu", got);
    med_builder_refuse(h->b, "columns", MED_TEXT(found), expected);
    return R1_OK;
}

r1_status med_import_hpoa(med_builder *b, const char *what, const char *data, size_t len,
                          r1_err *err)
{
    med_lines l = {data, data + len, 0};
    const char *line;
    size_t n;
    char version[MED_SOURCE_MAX + 1] = MED_VERSION_NONE;
    hpoa h = {.b = b, .n_column = COL_COUNT};
    for (size_t c = 0; c < COL_COUNT; c++) h.place[c] = c;
    R1_TRY(med_builder_input(b, what, err));
    while (l.at < l.end && *l.at == '#' && med_lines_next(&l, &line, &n)) {
        med_builder_line(b, l.number);
        version_of(b, line, n, version, sizeof version);
        hpoa_head(&h, line, n);
    }
    R1_TRY(med_builder_source(
        b, "HPO annotations (phenotype.hpoa)", version,
        "HPO licence: free use with citation and version (https://hpo.jax.org/app/license)",
        "https://hpo.jax.org", &h.source, err));
    while (med_lines_next(&l, &line, &n)) {
        med_builder_line(b, l.number);
        if (n == 0 || line[0] == '#' || hpoa_head(&h, line, n)) continue;
        R1_TRY(hpoa_line(&h, line, n, err));
    }
    if (h.n_row == 0)
        R1_FAIL(err, R1_E_FORMAT, "%s: not one row of annotations that can be read", what);
    return R1_OK;
}
