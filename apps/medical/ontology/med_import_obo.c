/* SPDX-License-Identifier: Apache-2.0 */
/* med_import_obo.c - OBO 1.4 stanzas [Term]: id, name, def, synonym, is_a, alt_id, is_obsolete,
 * replaced_by, consider. Other tags and stanzas are skipped. Of Mondo's classes the parents and the
 * cross references that are marked as equal are taken. Owns the unescaping of quoted strings. */
#include "ontology/med_import.h"
#include "ontology/med_slurp.h"

#include <string.h>

#define LINE_MAX_OBO 65536u

typedef struct {
    char id[MED_ID_MAX + 1], name[MED_NAME_MAX + 1], def[MED_DEFINITION_MAX + 1],
        replaced[MED_ID_MAX + 1];
    int64_t line; /* of its head */
    size_t id_len, name_len, def_len, replaced_len;
    bool obsolete, open, of_mondo; /* of_mondo: this stanza or one before */
} stanza;

static bool import_obo_tag(const char *line, size_t len, const char *name, med_text *value)
{
    size_t n = strlen(name);
    if (len < n + 2 || memcmp(line, name, n) != 0 || line[n] != ':') return false;
    const char *p = line + n + 1, *end = line + len;
    while (p < end && *p == ' ') p++;
    *value = (med_text){p, (size_t)(end - p)};
    return true;
}

/* Up to the first blank or '!': an id. */
static med_text first_word(med_text v)
{
    size_t n = 0;
    while (n < v.len && v.s[n] != ' ' && v.s[n] != '\t') n++;
    return (med_text){v.s, n};
}

/* "quoted \"text\"" -> out; *rest is what follows the closing quote. */
static size_t import_obo_unquote(med_builder *b, const char *field, med_text v, char *out,
                                 size_t cap, med_text *rest)
{
    size_t n = 0, i = 1;
    bool fits = true;
    if (v.len == 0 || v.s[0] != '"') return 0;
    for (; i < v.len && v.s[i] != '"'; i++) {
        char c = v.s[i];
        if (c == '\\' && i + 1 < v.len) c = v.s[++i] == 'n' ? ' ' : v.s[i];
        fits = n + 1 < cap;
        if (fits) out[n++] = c;
    }
    if (rest) *rest = i < v.len ? (med_text){v.s + i + 1, v.len - i - 1} : (med_text){"", 0};
    return fits ? n : med_builder_cut(b, field, out, n);
}

static r1_status import_obo_id(const med_builder *b, med_text v, char *to, size_t *len, r1_err *err)
{
    med_text id = first_word(v);
    *len = id.len;
    return med_builder_id(b, id, to, err);
}

static bool obo_is_mondo(const stanza *s) { return strncmp(s->id, "MONDO:", 6) == 0; }

/* A line of a class of Mondo: "is_a: MONDO:1", "xref: OMIM:147920 {source=\"MONDO:equivalentTo\"}",
 * "property_value: skos:exactMatch Orphanet:2322". */
static r1_status obo_mondo(med_builder *b, const stanza *s, const char *line, size_t len,
                           r1_err *err)
{
    med_text v, id = {s->id, s->id_len}, name = {s->name, s->name_len};
    static const char *const exact[] = {"skos:exactMatch ", "exactMatch "};
    if (import_obo_tag(line, len, "is_a", &v))
        return med_builder_subclass(b, id, first_word(v), err);
    if (import_obo_tag(line, len, "xref", &v) && memmem(v.s, v.len, "MONDO:equivalentTo", 18))
        return med_import_match(b, first_word(v), name, id, err);
    if (!import_obo_tag(line, len, "property_value", &v)) return R1_OK;
    for (size_t i = 0; i < R1_COUNT(exact); i++) {
        size_t n = strlen(exact[i]);
        if (v.len > n && memcmp(v.s, exact[i], n) == 0)
            return med_import_match(b, first_word((med_text){v.s + n, v.len - n}), name, id, err);
    }
    return R1_OK;
}

static r1_status import_obo_finish(med_builder *b, stanza *s, r1_err *err)
{
    bool use = s->open && s->id_len && !obo_is_mondo(s);
    s->open = false;
    if (!use) return R1_OK;
    med_text id = {s->id, s->id_len};
    med_builder_line(b, s->line);
    R1_TRY(med_builder_term(b, id, (med_text){s->name, s->name_len}, (med_text){s->def, s->def_len},
                            s->obsolete, err));
    if (s->obsolete && s->replaced_len)
        return med_builder_alias(b, (med_text){s->replaced, s->replaced_len}, id, err);
    return R1_OK;
}

static r1_status import_obo_synonym(med_builder *b, const stanza *s, med_text v, r1_err *err)
{
    char text[MED_SYNONYM_MAX + 1];
    med_text rest = {"", 0};
    size_t n = import_obo_unquote(b, "synonym", v, text, sizeof text, &rest);
    uint32_t kind = MED_SYN_RELATED;
    if (memmem(rest.s, rest.len, "EXACT", 5)) kind = MED_SYN_EXACT;
    if (memmem(rest.s, rest.len, "NARROW", 6)) kind = MED_SYN_NARROW;
    if (memmem(rest.s, rest.len, "BROAD", 5)) kind = MED_SYN_BROAD;
    if (memmem(rest.s, rest.len, "obsolete_synonym", 16)) return R1_OK;
    return med_builder_synonym(b, (med_text){s->id, s->id_len}, (med_text){text, n}, kind, err);
}

static r1_status in_stanza(med_builder *b, stanza *s, const char *line, size_t len, r1_err *err)
{
    med_text v, id = {s->id, s->id_len};
    if (import_obo_tag(line, len, "id", &v))
        return import_obo_id(b, v, s->id, &s->id_len, err);
    else if (import_obo_tag(line, len, "name", &v))
        s->name_len = med_builder_copy(b, "name", v, s->name, sizeof s->name);
    else if (obo_is_mondo(s))
        return obo_mondo(b, s, line, len, err);
    else if (import_obo_tag(line, len, "def", &v))
        s->def_len = import_obo_unquote(b, "definition", v, s->def, sizeof s->def, NULL);
    else if (import_obo_tag(line, len, "is_obsolete", &v))
        s->obsolete = v.len >= 4 && memcmp(v.s, "true", 4) == 0;
    else if (import_obo_tag(line, len, "replaced_by", &v))
        return import_obo_id(b, v, s->replaced, &s->replaced_len, err);
    else if (import_obo_tag(line, len, "consider", &v))
        return med_builder_consider(b, id, first_word(v), err);
    else if (import_obo_tag(line, len, "is_a", &v))
        return med_builder_parent(b, id, first_word(v), err);
    else if (import_obo_tag(line, len, "alt_id", &v))
        return med_builder_alias(b, id, first_word(v), err);
    else if (import_obo_tag(line, len, "synonym", &v))
        return import_obo_synonym(b, s, v, err);
    return R1_OK;
}

r1_status med_import_obo(med_builder *b, const char *what, const char *data, size_t len,
                         r1_err *err)
{
    med_lines l = {data, data + len, 0};
    const char *line;
    size_t n;
    static const char licence[] =
        "HPO licence: free use with citation and version (https://hpo.jax.org/app/license)";
    char version[MED_SOURCE_MAX + 1] = MED_VERSION_NONE;
    bool head = true, known = false;
    stanza s = {.open = false};
    uint16_t src;
    R1_TRY(med_builder_input(b, what, err));
    while (med_lines_next(&l, &line, &n)) {
        if (n > LINE_MAX_OBO)
            R1_FAIL(err, R1_E_FORMAT, "%s:%lld: a line of %zu bytes", what, (long long)l.number, n);
        med_text v;
        med_builder_line(b, l.number);
        if (head && import_obo_tag(line, n, "format-version", &v)) known = true;
        if (head && import_obo_tag(line, n, "data-version", &v))
            med_builder_copy(b, "version", v, version, sizeof version);
        if (n && line[0] == '[') {
            head = false;
            R1_TRY(import_obo_finish(b, &s, err));
            s = (stanza){.open = n == 6 && memcmp(line, "[Term]", 6) == 0,
                         .of_mondo = s.of_mondo || obo_is_mondo(&s),
                         .line = l.number};
        } else if (s.open) {
            R1_TRY(in_stanza(b, &s, line, n, err));
        }
    }
    R1_TRY(import_obo_finish(b, &s, err));
    if (!known)
        R1_FAIL(err, R1_E_FORMAT, "%s: not OBO: no line `format-version:` before the first stanza",
                what);
    if (s.of_mondo || obo_is_mondo(&s))
        return med_builder_source(b, "Mondo Disease Ontology", version, "CC BY 4.0",
                                  "https://mondo.monarchinitiative.org", &src, err);
    return med_builder_source(b, "Human Phenotype Ontology (OBO)", version, licence,
                              "https://hpo.jax.org", &src, err);
}
