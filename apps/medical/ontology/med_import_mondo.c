/* SPDX-License-Identifier: Apache-2.0 */
/* med_import_mondo.c - what Mondo says about sameness: SSSOM tables of exact matches and KGX
 * edges of its classes, both by the names of their columns. Only Mondo, OMIM and Orphanet are of
 * use here; other rows are skipped. A row that cannot be read is refused by itself. */
#include "ontology/med_disease_id.h"
#include "ontology/med_import.h"
#include "ontology/med_slurp.h"

#include <stdio.h>
#include <string.h>

enum { TABLE_COLUMNS_MAX = 64, TABLE_NAMED_MAX = 4 };

/* A table of tab-separated columns, of which some are asked for by name. */
typedef struct {
    med_builder *b;
    const char *what;
    const char *const *name; /* [n_name]; the first n_needed must be there */
    size_t n_name, n_needed, place[TABLE_NAMED_MAX], n_column;
} table;

static bool mondo_is(med_field f, const char *s)
{
    return f.len == strlen(s) && memcmp(f.s, s, f.len) == 0;
}

static r1_status mondo_table_head(table *t, const med_field *f, size_t got, int64_t line,
                                  r1_err *err)
{
    for (size_t k = 0; k < t->n_name; k++) {
        t->place[k] = TABLE_COLUMNS_MAX;
        for (size_t i = 0; i < got && i < TABLE_COLUMNS_MAX; i++)
            if (mondo_is(f[i], t->name[k])) t->place[k] = i;
        if (k < t->n_needed && t->place[k] == TABLE_COLUMNS_MAX)
            R1_FAIL(err, R1_E_FORMAT, "%s:%lld: the column %s is missing", t->what, (long long)line,
                    t->name[k]);
    }
    t->n_column = got;
    return R1_OK;
}

/* The named values of the next row; false where the line is none. */
static bool mondo_table_row(table *t, const char *line, size_t n, med_field *value)
{
    med_field f[TABLE_COLUMNS_MAX];
    char found[32], expected[48];
    size_t got = med_split(line, n, '\t', f, TABLE_COLUMNS_MAX);
    if (got != t->n_column) {
        snprintf(found, sizeof found, "%zu", got);
        snprintf(expected, sizeof expected, "%zu columns, as its head has", t->n_column);
        med_builder_refuse(t->b, "columns", MED_TEXT(found), expected);
        return false;
    }
    for (size_t k = 0; k < t->n_name; k++)
        value[k] = t->place[k] < TABLE_COLUMNS_MAX ? f[t->place[k]] : (med_field){"", 0};
    return true;
}

/* Reads the lines of a table; `row` sees the named values of each. comment: sees each line that
 * begins with #, or NULL. */
static r1_status
mondo_table_read(table *t, const char *data, size_t len,
                 void (*comment)(med_builder *b, const char *line, size_t n, void *ctx),
                 r1_status (*row)(table *t, const med_field *v, void *ctx, r1_err *err), void *ctx,
                 r1_err *err)
{
    med_lines l = {data, data + len, 0};
    const char *line;
    size_t n;
    while (med_lines_next(&l, &line, &n)) {
        med_field f[TABLE_COLUMNS_MAX], value[TABLE_NAMED_MAX];
        med_builder_line(t->b, l.number);
        if (n && *line == '#' && comment) comment(t->b, line, n, ctx);
        if (n == 0 || *line == '#') continue;
        if (!t->n_column) {
            size_t got = med_split(line, n, '\t', f, R1_COUNT(f));
            R1_TRY(mondo_table_head(t, f, got, l.number, err));
        } else if (mondo_table_row(t, line, n, value)) {
            R1_TRY(row(t, value, ctx, err));
        }
    }
    if (!t->n_column) R1_FAIL(err, R1_E_FORMAT, "%s: an empty table", t->what);
    return R1_OK;
}

r1_status med_import_match(med_builder *b, med_text other, med_text label, med_text mondo,
                           r1_err *err)
{
    char id[MED_DISEASE_ID_BYTES];
    size_t n = med_disease_id(other.s, other.len, id, sizeof id);
    if (!n || (strncmp(id, "OMIM:", 5) != 0 && strncmp(id, "ORPHA:", 6) != 0)) return R1_OK;
    return med_builder_same(b, (med_text){id, n}, label, mondo, err);
}

/* ---- SSSOM ----------------------------------------------------------------------------------- */

enum { SSSOM_SUBJECT, SSSOM_PREDICATE, SSSOM_OBJECT, SSSOM_LABEL };
static const char *const sssom_columns[] = {"subject_id", "predicate_id", "object_id",
                                            "subject_label"};

static void sssom_version(med_builder *b, const char *line, size_t n, void *ctx)
{
    static const char key[] = "mapping_set_version: ";
    const char *at = memmem(line, n, key, sizeof key - 1);
    if (!at || at > line + 2) return;
    at += sizeof key - 1;
    med_builder_copy(b, "version", (med_text){at, n - (size_t)(at - line)}, ctx,
                     MED_SOURCE_MAX + 1);
}

static bool sssom_starts(const char *id, const char *prefix)
{
    return strncmp(id, prefix, strlen(prefix)) == 0;
}

static bool sssom_is_exact(med_field f)
{
    static const char *const same[] = {"skos:exactMatch", "owl:equivalentClass",
                                       "http://www.w3.org/2004/02/skos/core#exactMatch",
                                       "http://www.w3.org/2002/07/owl#equivalentClass"};
    for (size_t i = 0; i < R1_COUNT(same); i++)
        if (mondo_is(f, same[i])) return true;
    return false;
}

/* An exact match holds both ways, so either side may be Mondo's. */
static r1_status sssom_row(table *t, const med_field *v, void *ctx, r1_err *err)
{
    char side[2][MED_DISEASE_ID_BYTES];
    (void)ctx;
    for (int k = 0; k < 2; k++) {
        med_field f = v[k ? SSSOM_OBJECT : SSSOM_SUBJECT];
        if (med_disease_id(f.s, f.len, side[k], sizeof side[k])) continue;
        med_builder_refuse(t->b, k ? "object_id" : "subject_id", (med_text){f.s, f.len},
                           "an id of at most 127 bytes");
        return R1_OK;
    }
    int mondo = sssom_starts(side[1], "MONDO:");
    if (!sssom_starts(side[mondo], "MONDO:") || !sssom_is_exact(v[SSSOM_PREDICATE])) return R1_OK;
    return med_import_match(t->b, MED_TEXT(side[!mondo]),
                            (med_text){v[SSSOM_LABEL].s, v[SSSOM_LABEL].len}, MED_TEXT(side[mondo]),
                            err);
}

r1_status med_import_sssom(med_builder *b, const char *what, const char *data, size_t len,
                           r1_err *err)
{
    char version[MED_SOURCE_MAX + 1] = MED_VERSION_NONE;
    uint16_t src;
    table t = {.b = b, .what = what, .name = sssom_columns, .n_name = 4, .n_needed = 3};
    R1_TRY(med_builder_input(b, what, err));
    R1_TRY(mondo_table_read(&t, data, len, sssom_version, sssom_row, version, err));
    return med_builder_source(b, "Mondo Disease Ontology (mappings)", version,
                              "CC BY 4.0 / CC0 (mappings)", "https://mondo.monarchinitiative.org",
                              &src, err);
}

/* ---- edges ----------------------------------------------------------------------------------- */

static const char *const edge_columns[] = {"subject", "predicate", "object"};

static r1_status edge_row(table *t, const med_field *v, void *ctx, r1_err *err)
{
    (void)ctx;
    if (!mondo_is(v[1], "biolink:subclass_of")) return R1_OK;
    for (size_t k = 0; k < 3; k += 2) {
        if (v[k].len > MED_ID_MAX)
            med_builder_refuse(t->b, edge_columns[k], (med_text){v[k].s, v[k].len},
                               "an id of at most 127 bytes");
        if (v[k].len > MED_ID_MAX || v[k].len < 6 || memcmp(v[k].s, "MONDO:", 6) != 0) return R1_OK;
    }
    return med_builder_subclass(t->b, (med_text){v[0].s, v[0].len}, (med_text){v[2].s, v[2].len},
                                err);
}

r1_status med_import_edges(med_builder *b, const char *what, const char *data, size_t len,
                           r1_err *err)
{
    table t = {.b = b, .what = what, .name = edge_columns, .n_name = 3, .n_needed = 3};
    R1_TRY(med_builder_input(b, what, err));
    return mondo_table_read(&t, data, len, NULL, edge_row, NULL, err);
}
