/* SPDX-License-Identifier: Apache-2.0 */
/* med_import_mondo.c - what Mondo says about sameness: SSSOM tables of exact matches and KGX
 * edges of its classes. Only OMIM and Orphanet are of use here; other rows are skipped. */
#include "ontology/med_import.h"
#include "ontology/med_slurp.h"

#include <string.h>

static bool import_mondo_starts(med_field f, const char *s)
{
    size_t n = strlen(s);
    return f.len >= n && memcmp(f.s, s, n) == 0;
}

static bool import_mondo_equals(med_field f, const char *s)
{
    return f.len == strlen(s) && memcmp(f.s, s, f.len) == 0;
}

/* "OMIM:1" stays, "Orphanet:1" becomes "ORPHA:1"; *len 0 for all else. */
static r1_status disease_id(const med_builder *b, med_field f, char out[MED_ID_MAX + 1],
                            size_t *len, r1_err *err)
{
    bool orpha = import_mondo_starts(f, "Orphanet:");
    *len = 0;
    if (!orpha && !import_mondo_starts(f, "OMIM:")) return R1_OK;
    R1_TRY(med_builder_id(b, (med_text){f.s, f.len}, out, err));
    *len = f.len;
    if (orpha) {
        memcpy(out, "ORPHA:", 6);
        memmove(out + 6, out + 9, f.len - 9);
        *len = f.len - 3;
    }
    return R1_OK;
}

static size_t import_mondo_column(const med_field *f, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (import_mondo_equals(f[i], name)) return i;
    return n;
}

r1_status med_import_sssom(med_builder *b, const char *what, const char *data, size_t len,
                           r1_err *err)
{
    med_lines l = {data, data + len, 0};
    const char *line;
    size_t n, head = 0, sub = 0, label = 0, pred = 0, obj = 0;
    char version[MED_SOURCE_MAX + 1] = "not stated";
    med_builder_input(b, what);
    while (med_lines_next(&l, &line, &n)) {
        med_field f[32];
        static const char key[] = "# mapping_set_version: ";
        med_builder_line(b, l.number);
        if (n > sizeof key && memcmp(line, key, sizeof key - 1) == 0)
            med_builder_copy(b, "version", (med_text){line + sizeof key - 1, n - sizeof key + 1},
                             version, sizeof version);
        if (n == 0 || line[0] == '#') continue;
        size_t got = med_split(line, n, '\t', f, R1_COUNT(f));
        if (got > R1_COUNT(f)) got = R1_COUNT(f);
        if (!head) {
            head = got;
            sub = import_mondo_column(f, got, "subject_id");
            label = import_mondo_column(f, got, "subject_label");
            pred = import_mondo_column(f, got, "predicate_id");
            obj = import_mondo_column(f, got, "object_id");
            if (sub == got || pred == got || obj == got || label == got)
                R1_FAIL(err, R1_E_FORMAT,
                        "%s:%lld: not SSSOM: subject_id, subject_label, predicate_id or object_id "
                        "is missing",
                        what, (long long)l.number);
            continue;
        }
        if (got != head)
            R1_FAIL(err, R1_E_FORMAT, "%s:%lld: %zu columns, expected %zu", what,
                    (long long)l.number, got, head);
        char id[MED_ID_MAX + 1];
        size_t k;
        R1_TRY(disease_id(b, f[obj], id, &k, err));
        if (k && import_mondo_equals(f[pred], "skos:exactMatch"))
            R1_TRY(med_builder_same(b, (med_text){id, k}, (med_text){f[label].s, f[label].len},
                                    (med_text){f[sub].s, f[sub].len}, err));
    }
    if (!head) R1_FAIL(err, R1_E_FORMAT, "%s: an empty mapping", what);
    uint16_t src;
    return med_builder_source(b, "Mondo Disease Ontology (mappings)", version,
                              "CC BY 4.0 / CC0 (mappings)", "https://mondo.monarchinitiative.org",
                              &src, err);
}

r1_status med_import_edges(med_builder *b, const char *what, const char *data, size_t len,
                           r1_err *err)
{
    med_lines l = {data, data + len, 0};
    const char *line;
    size_t n, head = 0, sub = 0, pred = 0, obj = 0;
    med_builder_input(b, what);
    while (med_lines_next(&l, &line, &n)) {
        med_field f[16];
        med_builder_line(b, l.number);
        if (n == 0 || line[0] == '#') continue;
        size_t got = med_split(line, n, '\t', f, R1_COUNT(f));
        if (got > R1_COUNT(f)) got = R1_COUNT(f);
        if (!head) {
            head = got;
            sub = import_mondo_column(f, got, "subject");
            pred = import_mondo_column(f, got, "predicate");
            obj = import_mondo_column(f, got, "object");
            if (sub == got || pred == got || obj == got)
                R1_FAIL(err, R1_E_FORMAT,
                        "%s:%lld: not KGX edges: subject, predicate or object is missing", what,
                        (long long)l.number);
            continue;
        }
        if (got != head)
            R1_FAIL(err, R1_E_FORMAT, "%s:%lld: %zu columns, expected %zu", what,
                    (long long)l.number, got, head);
        if (import_mondo_equals(f[pred], "biolink:subclass_of") &&
            import_mondo_starts(f[sub], "MONDO:") && import_mondo_starts(f[obj], "MONDO:"))
            R1_TRY(med_builder_subclass(b, (med_text){f[sub].s, f[sub].len},
                                        (med_text){f[obj].s, f[obj].len}, err));
    }
    if (!head) R1_FAIL(err, R1_E_FORMAT, "%s: no edges", what);
    return R1_OK;
}
