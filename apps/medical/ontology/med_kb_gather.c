/* SPDX-License-Identifier: Apache-2.0 */
/* med_kb_gather.c - see med_kb_build.h. Importers only append to flat arrays here; all thinking
 * happens once, in med_builder_finish (med_kb_finish.c). */
#include "ontology/med_kb_gather.h"
#include "ontology/med_disease_id.h"
#include "text/r1_utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_MAX 4000000u

r1_status med_builder_new(med_builder **out, r1_err *err)
{
    med_builder *b = calloc(1, sizeof *b);
    if (!b) R1_FAIL(err, R1_E_NOMEM, "no memory for a knowledge base");
    r1_status st = med_map_new(&b->text, (size_t)256 << 20, err);
    if (st == R1_OK) st = med_map_new(&b->terms, (size_t)64 << 20, err);
    if (st == R1_OK) st = med_map_new(&b->diseases, (size_t)64 << 20, err);
    if (st != R1_OK) {
        med_builder_free(b);
        return st;
    }
    b->root = med_map_intern(b->terms, "HP:0000118", 10);
    st = med_builder_input(b, "the input", err);
    if (st != R1_OK) {
        med_builder_free(b);
        return st;
    }
    *out = b;
    return R1_OK;
}

void med_builder_free(med_builder *b)
{
    if (!b) return;
    med_map_free(b->text);
    med_map_free(b->terms);
    med_map_free(b->diseases);
    free(b->term);
    free(b->disease);
    free(b->row);
    free(b->pmid);
    free(b->synonym.v);
    free(b->parent.v);
    free(b->alias.v);
    free(b->consider.v);
    free(b->gene.v);
    free(b->subclass.v);
    free(b->fact);
    for (uint32_t i = 0; i < b->n_input; i++) free(b->input[i]);
    free(b->input);
    free(b);
}

/* ---- gathering ------------------------------------------------------------------------------- */

r1_status med_builder_input(med_builder *b, const char *what, r1_err *err)
{
    if (!med_kb_grow(&b->input, b->n_input, &b->cap_input, sizeof *b->input))
        return med_kb_full(err);
    if (!(b->input[b->n_input] = strdup(what))) return med_kb_full(err);
    b->at = (med_raw_place){++b->n_input, 0};
    b->refused_here = 0;
    b->source_here = MED_NONE;
    return R1_OK;
}

void med_builder_line(med_builder *b, int64_t line)
{
    b->at.line = line > 0 && line < UINT32_MAX ? (uint32_t)line : 0;
}

char *med_told_next(med_told *t) { return t->n++ < MED_TOLD_MAX ? t->line[t->n - 1] : NULL; }

/* Without a character of which only the first bytes are there. */
static size_t whole_characters(const char *s, size_t n)
{
    size_t start = n;
    while (start > 0 && n - start < 4 && ((uint8_t)s[--start] & 0xc0) == 0x80) continue;
    return start < n && r1_utf8_char(s + start, n - start) != n - start ? start : n;
}

const char *med_told_what(const med_builder *b, uint32_t input)
{
    enum { WHAT_MAX = 160 };
    const char *what = b->input[input - 1];
    size_t n = strlen(what);
    return n > WHAT_MAX ? what + n - WHAT_MAX : what;
}

static const char *told_here(const med_builder *b) { return med_told_what(b, b->at.input); }

static void told_value(const med_builder *b, med_told *t, const char *field, med_text value,
                       const char *expected)
{
    char *line = med_told_next(t);
    if (line)
        snprintf(line, MED_TOLD_BYTES, "%s:%u: %s \"%.*s\", expected %s", told_here(b), b->at.line,
                 field, (int)whole_characters(value.s, value.len < 60 ? value.len : 60), value.s,
                 expected);
}

void med_builder_refuse(med_builder *b, const char *field, med_text value, const char *expected)
{
    told_value(b, &b->refused, field, value, expected);
    if (b->source_here != MED_NONE)
        b->loss[b->source_here].n_refused++;
    else
        b->refused_here++;
}

void med_builder_ignore(med_builder *b, const char *field, med_text value, const char *expected)
{
    told_value(b, &b->ignored, field, value, expected);
}

size_t med_builder_cut(med_builder *b, const char *field, const char *s, size_t n)
{
    size_t keep = whole_characters(s, n);
    char *line = med_told_next(&b->cut);
    if (line)
        snprintf(line, MED_TOLD_BYTES, "%s:%u: the %s is cut after %zu bytes: %.*s...",
                 told_here(b), b->at.line, field, keep,
                 (int)whole_characters(s, keep < 40 ? keep : 40), s);
    return keep;
}

size_t med_builder_copy(med_builder *b, const char *field, med_text text, char *to, size_t cap)
{
    size_t n = text.len < cap ? text.len : med_builder_cut(b, field, text.s, cap - 1);
    if (n) memcpy(to, text.s, n);
    to[n] = '\0';
    return n;
}

static r1_status id_fits(const med_builder *b, med_text id, r1_err *err)
{
    if (id.len > MED_ID_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s:%u: an id of %zu bytes, expected at most %d: %.*s...",
                told_here(b), b->at.line, id.len, MED_ID_MAX, (int)whole_characters(id.s, 40),
                id.s);
    return R1_OK;
}

r1_status med_builder_id(const med_builder *b, med_text id, char *to, r1_err *err)
{
    R1_TRY(id_fits(b, id, err));
    if (id.len) memcpy(to, id.s, id.len);
    to[id.len] = '\0';
    return R1_OK;
}

/* Tells a second definition by the same input; `first` is where the thing was defined before. */
static void kb_gather_define(med_builder *b, const char *kind, med_text id, med_raw_place *first)
{
    char *line = first->input == b->at.input ? med_told_next(&b->repeated) : NULL;
    if (line)
        snprintf(line, MED_TOLD_BYTES, "%s:%u: the %s %.*s is defined again, first on line %u",
                 told_here(b), b->at.line, kind, (int)id.len, id.s, first->line);
    if (first->input != b->at.input) *first = b->at;
}

bool med_kb_grow(void *array, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap) return true;
    if (n >= N_MAX) return false;
    uint32_t c = *cap ? *cap * 2 : 1024;
    void **p = array;
    void *q = r1_realloc_array(*p, c, size);
    if (!q) return false;
    *p = q;
    *cap = c;
    return true;
}

r1_status med_kb_full(r1_err *err)
{
    R1_FAIL(err, R1_E_NOMEM, "the sources hold more than a knowledge base may");
}

static uint32_t kb_gather_keep(med_builder *b, med_text t)
{
    return med_map_intern(b->text, t.s, t.len);
}

r1_status med_kb_link(med_raw_links *l, uint32_t a, uint32_t b, uint32_t kind, r1_err *err)
{
    if (a == MED_NONE || b == MED_NONE || !med_kb_grow(&l->v, l->n, &l->cap, sizeof *l->v))
        return med_kb_full(err);
    l->v[l->n++] = (med_raw_link){a, b, kind};
    return R1_OK;
}

r1_status med_builder_source(med_builder *b, const char *name, const char *version,
                             const char *licence, const char *url, uint16_t *index, r1_err *err)
{
    const med_source x = {kb_gather_keep(b, MED_TEXT(name)), kb_gather_keep(b, MED_TEXT(version)),
                          kb_gather_keep(b, MED_TEXT(licence)), kb_gather_keep(b, MED_TEXT(url))};
    uint32_t i = 0;
    while (i < b->n_source && memcmp(&b->source[i], &x, sizeof x) != 0) i++;
    if (i == R1_COUNT(b->source))
        R1_FAIL(err, R1_E_NOMEM, "more than %zu sources", R1_COUNT(b->source));
    b->n_source += i == b->n_source;
    b->source[i] = x;
    b->source_here = i;
    b->loss[i].n_refused += b->refused_here;
    b->refused_here = 0;
    *index = (uint16_t)i;
    return R1_OK;
}

r1_status med_builder_dated(med_builder *b, const char *version, r1_err *err)
{
    if (b->source_here == MED_NONE) return R1_OK;
    med_source *x = &b->source[b->source_here];
    if (strcmp(med_map_text(b->text, x->version), MED_VERSION_NONE) != 0) return R1_OK;
    x->version = kb_gather_keep(b, MED_TEXT(version));
    return x->version == MED_NONE ? med_kb_full(err) : R1_OK;
}

/* The raw term of an id, made where it is new; NULL when full. */
static med_raw_term *term_of(med_builder *b, med_text id)
{
    uint32_t off = med_map_intern(b->terms, id.s, id.len);
    if (off == MED_NONE) return NULL;
    uint32_t i = med_map_get(b->terms, off);
    if (i == MED_NONE) {
        if (!med_kb_grow(&b->term, b->n_term, &b->cap_term, sizeof *b->term)) return NULL;
        i = b->n_term++;
        b->term[i] = (med_raw_term){.id = kb_gather_keep(b, id), .final = MED_NONE};
        med_map_set(b->terms, off, i);
    }
    return &b->term[i];
}

/* What is empty leaves what was said before. */
static r1_status term_set(med_builder *b, med_raw_term *t, med_text name, med_text definition,
                          bool obsolete, r1_err *err)
{
    if (name.len || !t->name) t->name = kb_gather_keep(b, name);
    if (definition.len || !t->definition) t->definition = kb_gather_keep(b, definition);
    t->obsolete = obsolete;
    return t->name == MED_NONE || t->definition == MED_NONE ? med_kb_full(err) : R1_OK;
}

r1_status med_builder_term(med_builder *b, med_text id, med_text name, med_text definition,
                           bool obsolete, r1_err *err)
{
    if (id.len == 0)
        R1_FAIL(err, R1_E_FORMAT, "%s:%u: a term without an id", told_here(b), b->at.line);
    R1_TRY(id_fits(b, id, err));
    med_raw_term *t = term_of(b, id);
    if (!t) return med_kb_full(err);
    kb_gather_define(b, "finding", id, &t->defined);
    bool amended = t->obsolete && !t->seen;
    t->seen = true;
    return term_set(b, t, name, definition, obsolete || amended, err);
}

r1_status med_builder_amend(med_builder *b, med_text id, med_text name, med_text definition,
                            bool obsolete, r1_err *err)
{
    R1_TRY(id_fits(b, id, err));
    med_raw_term *t = term_of(b, id);
    if (!t) return med_kb_full(err);
    return term_set(b, t, name, definition, obsolete || t->obsolete, err);
}

static r1_status term_link(med_builder *b, med_raw_links *l, med_text term, med_text other,
                           uint32_t kind, bool text, r1_err *err)
{
    if (term.len == 0 || other.len == 0) return R1_OK;
    R1_TRY(id_fits(b, term, err));
    if (l != &b->synonym) R1_TRY(id_fits(b, other, err));
    med_raw_term *t = term_of(b, term);
    if (!t) return med_kb_full(err);
    uint32_t a = (uint32_t)(t - b->term);
    if (text) return med_kb_link(l, a, kb_gather_keep(b, other), kind, err);
    med_raw_term *o = term_of(b, other);
    return o ? med_kb_link(l, a, (uint32_t)(o - b->term), kind, err) : med_kb_full(err);
}

r1_status med_builder_synonym(med_builder *b, med_text term, med_text text, uint32_t kind,
                              r1_err *err)
{
    return term_link(b, &b->synonym, term, text, kind, true, err);
}

r1_status med_builder_parent(med_builder *b, med_text term, med_text parent, r1_err *err)
{
    return term_link(b, &b->parent, term, parent, 0, false, err);
}

r1_status med_builder_alias(med_builder *b, med_text term, med_text alias, r1_err *err)
{
    return term_link(b, &b->alias, term, alias, 0, true, err);
}

r1_status med_builder_consider(med_builder *b, med_text term, med_text other, r1_err *err)
{
    return term_link(b, &b->consider, term, other, 0, true, err);
}

void med_builder_root(med_builder *b, med_text term)
{
    b->root = med_map_intern(b->terms, term.s, term.len);
}

r1_status med_builder_disease(med_builder *b, med_text id, med_text name, uint32_t *index,
                              r1_err *err)
{
    char text[MED_ID_MAX + 1];
    R1_TRY(id_fits(b, id, err));
    id = (med_text){text, med_disease_id(id.s, id.len, text, sizeof text)};
    if (id.len == 0)
        R1_FAIL(err, R1_E_FORMAT, "%s:%u: a disease without an id", told_here(b), b->at.line);
    uint32_t off = med_map_intern(b->diseases, id.s, id.len);
    if (off == MED_NONE) return med_kb_full(err);
    uint32_t i = med_map_get(b->diseases, off);
    if (i == MED_NONE) {
        if (!med_kb_grow(&b->disease, b->n_disease, &b->cap_disease, sizeof *b->disease))
            return med_kb_full(err);
        i = b->n_disease++;
        b->disease[i] = (med_raw_disease){.id = kb_gather_keep(b, id),
                                          .mondo = MED_NONE,
                                          .first_row = MED_NONE,
                                          .last_row = MED_NONE,
                                          .final = MED_NONE};
        med_map_set(b->diseases, off, i);
    }
    if (b->disease[i].name == 0 && name.len) b->disease[i].name = kb_gather_keep(b, name);
    if (b->disease[i].name == MED_NONE) return med_kb_full(err);
    *index = i;
    return R1_OK;
}

r1_status med_builder_define_disease(med_builder *b, med_text id, med_text name, uint32_t *index,
                                     r1_err *err)
{
    R1_TRY(med_builder_disease(b, id, name, index, err));
    kb_gather_define(b, "disease", id, &b->disease[*index].defined);
    return R1_OK;
}

static r1_status fact_add(med_builder *b, uint32_t disease, uint16_t kind, uint16_t source,
                          r1_err *err)
{
    if (!med_kb_grow(&b->fact, b->n_fact, &b->cap_fact, sizeof *b->fact)) return med_kb_full(err);
    b->fact[b->n_fact++] = (med_fact){disease, kind, source};
    return R1_OK;
}

r1_status med_builder_annotate(med_builder *b, uint32_t disease, const med_annotation *a,
                               r1_err *err)
{
    R1_TRY(id_fits(b, a->term, err));
    if (!med_kb_grow(&b->row, b->n_row, &b->cap_row, sizeof *b->row)) return med_kb_full(err);
    med_raw_disease *d = &b->disease[disease];
    uint32_t at = b->n_row++;
    uint32_t n = a->n, m = a->m;
    while (m > UINT16_MAX) n /= 2, m /= 2;
    uint32_t flags =
        (a->negated ? MED_ROW_NEGATED : 0u) | a->sex | (uint32_t)a->onset << MED_ROW_ONSET_SHIFT;
    b->row[at] = (med_raw_row){.term = kb_gather_keep(b, a->term), .next = MED_NONE, .at = b->at};
    b->row[at].row = (med_row){.term = MED_NONE,
                               .freq = a->freq,
                               .pmid_at = b->n_pmid,
                               .n = (uint16_t)(n > m ? m : n),
                               .m = (uint16_t)m,
                               .flags = (uint16_t)flags,
                               .n_pmid = (uint8_t)a->n_pmid,
                               .source = (uint8_t)a->source};
    if (a->onset && !a->negated) {
        d->row_onset |= a->onset;
        R1_TRY(fact_add(b, disease, MED_FACT_ONSET, a->source, err));
    }
    for (uint32_t i = 0; i < a->n_pmid; i++) {
        if (!med_kb_grow(&b->pmid, b->n_pmid, &b->cap_pmid, sizeof *b->pmid))
            return med_kb_full(err);
        b->pmid[b->n_pmid++] = a->pmid[i];
    }
    if (b->row[at].term == MED_NONE) return med_kb_full(err);
    if (d->last_row == MED_NONE)
        d->first_row = at;
    else
        b->row[d->last_row].next = at;
    d->last_row = at;
    d->annotated = true;
    return R1_OK;
}

r1_status med_builder_gene(med_builder *b, uint32_t disease, med_text symbol, r1_err *err)
{
    return symbol.len ? med_kb_link(&b->gene, disease, kb_gather_keep(b, symbol), 0, err) : R1_OK;
}

r1_status med_builder_course(med_builder *b, uint32_t disease, uint32_t onset, uint32_t inheritance,
                             uint16_t source, r1_err *err)
{
    med_raw_disease *d = &b->disease[disease];
    d->onset |= onset;
    d->inheritance |= inheritance;
    if (onset) R1_TRY(fact_add(b, disease, MED_FACT_ONSET, source, err));
    return inheritance ? fact_add(b, disease, MED_FACT_INHERITANCE, source, err) : R1_OK;
}

r1_status med_builder_prevalence(med_builder *b, uint32_t disease, float prevalence, uint32_t rank,
                                 uint16_t source, r1_err *err)
{
    med_raw_disease *d = &b->disease[disease];
    if (!(prevalence > 0)) return R1_OK;
    bool better = d->prevalence == 0 || rank > d->prevalence_rank ||
                  (rank == d->prevalence_rank && prevalence > d->prevalence);
    if (better) d->prevalence = prevalence, d->prevalence_rank = rank;
    return fact_add(b, disease, MED_FACT_PREVALENCE, source, err);
}

r1_status med_builder_same(med_builder *b, med_text id, med_text label, med_text mondo, r1_err *err)
{
    uint32_t i;
    if (label.len >= 9 && memcmp(label.s, "obsolete ", 9) == 0) return R1_OK;
    R1_TRY(id_fits(b, mondo, err));
    R1_TRY(med_builder_disease(b, id, label, &i, err));
    if (b->disease[i].mondo == MED_NONE) b->disease[i].mondo = kb_gather_keep(b, mondo);
    return R1_OK;
}

r1_status med_builder_subclass(med_builder *b, med_text child, med_text parent, r1_err *err)
{
    R1_TRY(id_fits(b, child, err));
    R1_TRY(id_fits(b, parent, err));
    return med_kb_link(&b->subclass, kb_gather_keep(b, child), kb_gather_keep(b, parent), 0, err);
}
