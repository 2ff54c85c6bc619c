/* SPDX-License-Identifier: Apache-2.0 */
/* med_kb_build.c - see med_kb_build.h. Importers only append to flat arrays here; all thinking
 * happens once, in med_builder_finish: terms, closure, merging, profiles, information content,
 * then one block of bytes. */
#include "ontology/med_kb_build.h"

#include "ontology/med_kb_layout.h"
#include "ontology/med_map.h"
#include "r1_assert.h"
#include "text/r1_utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_MAX 4000000u

/* Where a term or a disease is defined: the number of the input, 0 for none, and its line. */
typedef struct {
    uint32_t input, line;
} raw_place;

typedef struct {
    uint32_t id, name, definition;
    bool obsolete, seen;
    raw_place defined;
    uint32_t final; /* number in the knowledge base */
} raw_term;

typedef struct {
    uint32_t id, name, mondo, onset, inheritance;
    float prevalence;
    bool annotated, absorbed, inherited;
    uint32_t first_row, last_row; /* chain through raw_row.next */
    raw_place defined;
    uint32_t final;
} raw_disease;

typedef struct {
    uint32_t term, next; /* term: string offset of the id */
    med_row row;
} raw_row;

typedef struct {
    uint32_t a, b, kind;
} raw_link;

typedef struct {
    raw_link *v;
    uint32_t n, cap;
} links;

struct med_builder {
    bool finished; /* its links were renumbered: it makes no second knowledge base */
    med_map *text, *terms, *diseases; /* terms, diseases: id -> index */
    raw_term *term;
    raw_disease *disease;
    raw_row *row;
    uint32_t *pmid;
    uint32_t n_term, cap_term, n_disease, cap_disease, n_row, cap_row, n_pmid, cap_pmid;
    links synonym, parent, alias, consider, gene, subclass;
    med_source source[16];
    uint32_t n_source;
    uint32_t root;
    const char *what; /* the input in hand */
    raw_place at;
    med_told repeated, cut;
};

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
    med_builder_input(b, "the input");
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
    free(b);
}

/* ---- gathering ------------------------------------------------------------------------------- */

void med_builder_input(med_builder *b, const char *what)
{
    b->what = what;
    b->at = (raw_place){b->at.input + 1, 0};
}

void med_builder_line(med_builder *b, int64_t line)
{
    b->at.line = line > 0 && line < UINT32_MAX ? (uint32_t)line : 0;
}

/* The room for one more line of text, which may be none; counts it. */
static char *told_next(med_told *t) { return t->n++ < MED_TOLD_MAX ? t->line[t->n - 1] : NULL; }

/* Without a character of which only the first bytes are there. */
static size_t whole_characters(const char *s, size_t n)
{
    size_t start = n;
    while (start > 0 && n - start < 4 && ((uint8_t)s[--start] & 0xc0) == 0x80) continue;
    return start < n && r1_utf8_char(s + start, n - start) != n - start ? start : n;
}

/* The end of the input's name: a line of text has room for the rest behind it. */
static const char *told_what(const med_builder *b)
{
    enum { WHAT_MAX = 160 };
    size_t n = strlen(b->what);
    return n > WHAT_MAX ? b->what + n - WHAT_MAX : b->what;
}

size_t med_builder_cut(med_builder *b, const char *field, const char *s, size_t n)
{
    size_t keep = whole_characters(s, n);
    char *line = told_next(&b->cut);
    if (line)
        snprintf(line, MED_TOLD_BYTES, "%s:%u: the %s is cut after %zu bytes: %.*s...",
                 told_what(b), b->at.line, field, keep,
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
                b->what, b->at.line, id.len, MED_ID_MAX, (int)whole_characters(id.s, 40), id.s);
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
static void kb_build_define(med_builder *b, const char *kind, med_text id, raw_place *first)
{
    char *line = first->input == b->at.input ? told_next(&b->repeated) : NULL;
    if (line)
        snprintf(line, MED_TOLD_BYTES, "%s:%u: the %s %.*s is defined again, first on line %u",
                 told_what(b), b->at.line, kind, (int)id.len, id.s, first->line);
    if (first->input != b->at.input) *first = b->at;
}

static bool kb_build_grow(void *array, uint32_t n, uint32_t *cap, size_t size)
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

static r1_status kb_build_full(r1_err *err)
{
    R1_FAIL(err, R1_E_NOMEM, "the sources hold more than a knowledge base may");
}

static uint32_t kb_build_keep(med_builder *b, med_text t)
{
    return med_map_intern(b->text, t.s, t.len);
}

static r1_status link_add(links *l, uint32_t a, uint32_t b, uint32_t kind, r1_err *err)
{
    if (a == MED_NONE || b == MED_NONE || !kb_build_grow(&l->v, l->n, &l->cap, sizeof *l->v))
        return kb_build_full(err);
    l->v[l->n++] = (raw_link){a, b, kind};
    return R1_OK;
}

r1_status med_builder_source(med_builder *b, const char *name, const char *version,
                             const char *licence, const char *url, uint16_t *index, r1_err *err)
{
    if (b->n_source == R1_COUNT(b->source))
        R1_FAIL(err, R1_E_NOMEM, "more than %zu sources", R1_COUNT(b->source));
    b->source[b->n_source] =
        (med_source){kb_build_keep(b, MED_TEXT(name)), kb_build_keep(b, MED_TEXT(version)),
                     kb_build_keep(b, MED_TEXT(licence)), kb_build_keep(b, MED_TEXT(url))};
    *index = (uint16_t)b->n_source++;
    return R1_OK;
}

/* The raw term of an id, made where it is new; NULL when full. */
static raw_term *term_of(med_builder *b, med_text id)
{
    uint32_t off = med_map_intern(b->terms, id.s, id.len);
    if (off == MED_NONE) return NULL;
    uint32_t i = med_map_get(b->terms, off);
    if (i == MED_NONE) {
        if (!kb_build_grow(&b->term, b->n_term, &b->cap_term, sizeof *b->term)) return NULL;
        i = b->n_term++;
        b->term[i] = (raw_term){.id = kb_build_keep(b, id), .final = MED_NONE};
        med_map_set(b->terms, off, i);
    }
    return &b->term[i];
}

r1_status med_builder_term(med_builder *b, med_text id, med_text name, med_text definition,
                           bool obsolete, r1_err *err)
{
    if (id.len == 0) R1_FAIL(err, R1_E_FORMAT, "%s:%u: a term without an id", b->what, b->at.line);
    R1_TRY(id_fits(b, id, err));
    raw_term *t = term_of(b, id);
    if (!t) return kb_build_full(err);
    kb_build_define(b, "finding", id, &t->defined);
    t->name = kb_build_keep(b, name);
    t->definition = kb_build_keep(b, definition);
    t->obsolete = obsolete;
    t->seen = true;
    return t->name == MED_NONE || t->definition == MED_NONE ? kb_build_full(err) : R1_OK;
}

static r1_status term_link(med_builder *b, links *l, med_text term, med_text other, uint32_t kind,
                           bool text, r1_err *err)
{
    if (term.len == 0 || other.len == 0) return R1_OK;
    R1_TRY(id_fits(b, term, err));
    if (l != &b->synonym) R1_TRY(id_fits(b, other, err));
    raw_term *t = term_of(b, term);
    if (!t) return kb_build_full(err);
    uint32_t a = (uint32_t)(t - b->term);
    if (text) return link_add(l, a, kb_build_keep(b, other), kind, err);
    raw_term *o = term_of(b, other);
    return o ? link_add(l, a, (uint32_t)(o - b->term), kind, err) : kb_build_full(err);
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
    if (id.len == 0)
        R1_FAIL(err, R1_E_FORMAT, "%s:%u: a disease without an id", b->what, b->at.line);
    R1_TRY(id_fits(b, id, err));
    uint32_t off = med_map_intern(b->diseases, id.s, id.len);
    if (off == MED_NONE) return kb_build_full(err);
    uint32_t i = med_map_get(b->diseases, off);
    if (i == MED_NONE) {
        if (!kb_build_grow(&b->disease, b->n_disease, &b->cap_disease, sizeof *b->disease))
            return kb_build_full(err);
        i = b->n_disease++;
        b->disease[i] = (raw_disease){.id = kb_build_keep(b, id),
                                      .mondo = MED_NONE,
                                      .first_row = MED_NONE,
                                      .last_row = MED_NONE,
                                      .final = MED_NONE};
        med_map_set(b->diseases, off, i);
    }
    if (b->disease[i].name == 0 && name.len) b->disease[i].name = kb_build_keep(b, name);
    if (b->disease[i].name == MED_NONE) return kb_build_full(err);
    *index = i;
    return R1_OK;
}

r1_status med_builder_define_disease(med_builder *b, med_text id, med_text name, uint32_t *index,
                                     r1_err *err)
{
    R1_TRY(med_builder_disease(b, id, name, index, err));
    kb_build_define(b, "disease", id, &b->disease[*index].defined);
    return R1_OK;
}

r1_status med_builder_annotate(med_builder *b, uint32_t disease, const med_annotation *a,
                               r1_err *err)
{
    R1_TRY(id_fits(b, a->term, err));
    if (!kb_build_grow(&b->row, b->n_row, &b->cap_row, sizeof *b->row)) return kb_build_full(err);
    raw_disease *d = &b->disease[disease];
    uint32_t at = b->n_row++;
    uint32_t n = a->n, m = a->m;
    while (m > UINT16_MAX) n /= 2, m /= 2;
    b->row[at] =
        (raw_row){kb_build_keep(b, a->term),
                  MED_NONE,
                  {MED_NONE, a->freq, b->n_pmid, (uint16_t)(n > m ? m : n), (uint16_t)m,
                   a->negated ? MED_ROW_NEGATED : 0, (uint8_t)a->n_pmid, (uint8_t)a->source}};
    for (uint32_t i = 0; i < a->n_pmid; i++) {
        if (!kb_build_grow(&b->pmid, b->n_pmid, &b->cap_pmid, sizeof *b->pmid))
            return kb_build_full(err);
        b->pmid[b->n_pmid++] = a->pmid[i];
    }
    if (b->row[at].term == MED_NONE) return kb_build_full(err);
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
    return symbol.len ? link_add(&b->gene, disease, kb_build_keep(b, symbol), 0, err) : R1_OK;
}

void med_builder_course(med_builder *b, uint32_t disease, uint32_t onset, uint32_t inheritance,
                        float prevalence)
{
    raw_disease *d = &b->disease[disease];
    d->onset |= onset;
    d->inheritance |= inheritance;
    if (prevalence > d->prevalence) d->prevalence = prevalence;
}

r1_status med_builder_same(med_builder *b, med_text id, med_text label, med_text mondo, r1_err *err)
{
    uint32_t i;
    if (label.len >= 9 && memcmp(label.s, "obsolete ", 9) == 0) return R1_OK;
    R1_TRY(id_fits(b, mondo, err));
    R1_TRY(med_builder_disease(b, id, label, &i, err));
    if (b->disease[i].mondo == MED_NONE) b->disease[i].mondo = kb_build_keep(b, mondo);
    return R1_OK;
}

r1_status med_builder_subclass(med_builder *b, med_text child, med_text parent, r1_err *err)
{
    R1_TRY(id_fits(b, child, err));
    R1_TRY(id_fits(b, parent, err));
    return link_add(&b->subclass, kb_build_keep(b, child), kb_build_keep(b, parent), 0, err);
}

/* ---- words ----------------------------------------------------------------------------------- */

static bool word_in(const char *s, size_t len, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= len; i++) {
        size_t j = 0;
        while (j < n && (s[i + j] | 32) == (word[j] | 32)) j++;
        if (j == n) return true;
    }
    return false;
}

typedef struct {
    const char *word;
    uint32_t mask;
} mask_word;

static uint32_t mask_of(const mask_word *w, size_t n, const char *s, size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (word_in(s, len, w[i].word)) return w[i].mask;
    return 0;
}

uint32_t med_onset_mask(const char *s, size_t len)
{
    static const mask_word w[] = {{"HP:0030674", MED_ONSET_ANTENATAL},
                                  {"HP:0011460", MED_ONSET_ANTENATAL},
                                  {"HP:0011461", MED_ONSET_ANTENATAL},
                                  {"HP:0034197", MED_ONSET_ANTENATAL},
                                  {"HP:0034198", MED_ONSET_ANTENATAL},
                                  {"HP:0034199", MED_ONSET_ANTENATAL},
                                  {"HP:0003577", MED_ONSET_NEONATAL},
                                  {"HP:0003623", MED_ONSET_NEONATAL},
                                  {"HP:0003593", MED_ONSET_INFANCY},
                                  {"HP:0011463", MED_ONSET_CHILD},
                                  {"HP:0003621", MED_ONSET_TEEN},
                                  {"HP:0003581", MED_ONSET_ADULT},
                                  {"HP:0011462", MED_ONSET_ADULT},
                                  {"HP:0003596", MED_ONSET_ADULT},
                                  {"HP:00257", MED_ONSET_ADULT},
                                  {"HP:0003584", MED_ONSET_LATE},
                                  {"antenatal", MED_ONSET_ANTENATAL},
                                  {"neonat", MED_ONSET_NEONATAL},
                                  {"congenital", MED_ONSET_NEONATAL},
                                  {"infan", MED_ONSET_INFANCY},
                                  {"child", MED_ONSET_CHILD},
                                  {"adolescent", MED_ONSET_TEEN},
                                  {"juvenile", MED_ONSET_TEEN},
                                  {"elderly", MED_ONSET_LATE},
                                  {"late", MED_ONSET_LATE},
                                  {"adult", MED_ONSET_ADULT},
                                  {"all ages", 127}};
    return mask_of(w, R1_COUNT(w), s, len);
}

uint32_t med_inheritance_mask(const char *s, size_t len)
{
    static const mask_word w[] = {{"HP:0000006", MED_INHERIT_AD},
                                  {"HP:0000007", MED_INHERIT_AR},
                                  {"HP:0001423", MED_INHERIT_XLD},
                                  {"HP:0001419", MED_INHERIT_XLR},
                                  {"HP:0001417", MED_INHERIT_XLD | MED_INHERIT_XLR},
                                  {"HP:0001427", MED_INHERIT_MT},
                                  {"HP:0001450", MED_INHERIT_Y},
                                  {"HP:0003745", MED_INHERIT_SPORADIC},
                                  {"HP:0001426", MED_INHERIT_MULTI},
                                  {"HP:0010982", MED_INHERIT_MULTI},
                                  {"autosomal dominant", MED_INHERIT_AD},
                                  {"autosomal recessive", MED_INHERIT_AR},
                                  {"x-linked dominant", MED_INHERIT_XLD},
                                  {"x-linked recessive", MED_INHERIT_XLR},
                                  {"x-linked", MED_INHERIT_XLD | MED_INHERIT_XLR},
                                  {"mitochondrial", MED_INHERIT_MT},
                                  {"y-linked", MED_INHERIT_Y},
                                  {"multigenic", MED_INHERIT_MULTI},
                                  {"multifactorial", MED_INHERIT_MULTI},
                                  {"sporadic", MED_INHERIT_SPORADIC}};
    return mask_of(w, R1_COUNT(w), s, len);
}

/* ---- finishing: terms ------------------------------------------------------------------------ */

/* Work space of med_builder_finish; everything is freed by final_free. */
typedef struct {
    med_builder *b;
    uint32_t *order; /* final term -> raw term */
    uint32_t n_term;
    med_term *term;
    uint32_t *parent, *ancestor, n_parent, n_ancestor, cap_ancestor;
    med_synonym *synonym;
    uint32_t n_synonym;
    med_id *term_id, *disease_id;
    uint32_t n_term_id, n_disease_id, cap_term_id, cap_disease_id;
    uint32_t *group; /* final disease -> raw disease */
    uint32_t n_disease;
    med_disease *disease;
    uint32_t *list, n_list, cap_list;
    med_obsolete *obsolete;
    uint32_t n_obsolete;
    med_row *row;
    uint32_t n_row, cap_row;
    med_profile *profile;
    uint32_t n_profile, cap_profile;
    uint32_t root, n_profiled;
    med_build_stats stats;
} final;

static void final_free(final *f)
{
    void *all[] = {f->order,   f->term,       f->parent,  f->ancestor, f->synonym,
                   f->term_id, f->disease_id, f->group,   f->disease,  f->list,
                   f->row,     f->profile,    f->obsolete};
    for (size_t i = 0; i < R1_COUNT(all); i++) free(all[i]);
}

/* qsort has no context argument in C17: the texts to compare by. @locality one build at a time
 * per thread */
static _Thread_local const char *sort_text;
static _Thread_local const raw_term *sort_term;
static _Thread_local const raw_disease *sort_disease;

static int by_term_id(const void *a, const void *b)
{
    return strcmp(sort_text + sort_term[*(const uint32_t *)a].id,
                  sort_text + sort_term[*(const uint32_t *)b].id);
}

static int by_disease_id(const void *a, const void *b)
{
    return strcmp(sort_text + sort_disease[*(const uint32_t *)a].id,
                  sort_text + sort_disease[*(const uint32_t *)b].id);
}

static int by_id_text(const void *a, const void *b)
{
    const med_id *x = a, *y = b;
    int c = strcmp(sort_text + x->text, sort_text + y->text);
    return c ? c : (x->index > y->index) - (x->index < y->index);
}

static int by_link(const void *a, const void *b)
{
    const raw_link *x = a, *y = b;
    if (x->a != y->a) return x->a < y->a ? -1 : 1;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    return (x->b > y->b) - (x->b < y->b);
}

static r1_status order_terms(final *f, r1_err *err)
{
    med_builder *b = f->b;
    f->order = calloc(b->n_term + 1u, sizeof *f->order);
    f->term = calloc(b->n_term + 1u, sizeof *f->term);
    if (!f->order || !f->term) return kb_build_full(err);
    for (uint32_t i = 0; i < b->n_term; i++) {
        if (b->term[i].obsolete) f->stats.n_obsolete++;
        if (b->term[i].seen && !b->term[i].obsolete) f->order[f->n_term++] = i;
    }
    size_t bytes;
    sort_text = med_map_blob(b->text, &bytes);
    sort_term = b->term;
    if (f->n_term) qsort(f->order, f->n_term, sizeof *f->order, by_term_id);
    for (uint32_t i = 0; i < f->n_term; i++) {
        raw_term *t = &b->term[f->order[i]];
        t->final = i;
        f->term[i] = (med_term){.id = t->id, .name = t->name, .definition = t->definition};
    }
    if (f->n_term == 0)
        R1_FAIL(err, R1_E_FORMAT,
                "the sources hold no terms: an ontology (hp.obo, hp.owl or XML) is missing");
    f->stats.n_term = f->n_term;
    return R1_OK;
}

static r1_status place_parents(final *f, r1_err *err)
{
    links *l = &f->b->parent;
    f->parent = calloc(l->n + 1u, sizeof *f->parent);
    if (!f->parent) return kb_build_full(err);
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        uint32_t c = f->b->term[l->v[i].a].final, p = f->b->term[l->v[i].b].final;
        if (c == MED_NONE || p == MED_NONE || c == p) {
            f->stats.n_orphan += c != MED_NONE;
            continue;
        }
        l->v[n++] = (raw_link){c, p, 0};
    }
    l->n = n;
    if (n) qsort(l->v, n, sizeof *l->v, by_link);
    for (uint32_t i = 0; i < n; i++) {
        if (i && l->v[i].a == l->v[i - 1].a && l->v[i].b == l->v[i - 1].b) continue;
        med_term *t = &f->term[l->v[i].a];
        if (t->n_parent == 0) t->parent_at = f->n_parent;
        t->n_parent++;
        f->parent[f->n_parent++] = l->v[i].b;
    }
    R1_ASSERT(f->n_parent <= n, "%u parents of %u links", f->n_parent, n);
    return R1_OK;
}

static int by_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* state: 0 untouched, 1 on the way up, 2 done. Recursion is as deep as the ontology: bounded by
 * depth. */
static r1_status close_term(final *f, uint32_t i, uint8_t *state, uint32_t depth, r1_err *err)
{
    med_term *t = &f->term[i];
    if (state[i] == 2) return R1_OK;
    if (state[i] == 1 || depth > 200)
        R1_FAIL(err, R1_E_FORMAT, "%s is its own ancestor, or lies more than 200 levels deep",
                med_map_text(f->b->text, t->id));
    state[i] = 1;
    uint32_t need = 1;
    for (uint32_t p = 0; p < t->n_parent; p++) {
        R1_TRY(close_term(f, f->parent[t->parent_at + p], state, depth + 1, err));
        need += f->term[f->parent[t->parent_at + p]].n_ancestor;
    }
    while (f->n_ancestor + need > f->cap_ancestor) {
        uint32_t cap = f->cap_ancestor ? f->cap_ancestor * 2 : 1u << 16;
        uint32_t *v = cap > 64u << 20 ? NULL : r1_realloc_array(f->ancestor, cap, sizeof *v);
        if (!v) return kb_build_full(err);
        f->ancestor = v;
        f->cap_ancestor = cap;
    }
    uint32_t *out = f->ancestor + f->n_ancestor, n = 0;
    out[n++] = i;
    for (uint32_t p = 0; p < t->n_parent; p++) {
        const med_term *q = &f->term[f->parent[t->parent_at + p]];
        memcpy(out + n, f->ancestor + q->ancestor_at, q->n_ancestor * sizeof *out);
        n += q->n_ancestor;
    }
    R1_ASSERT(n == need, "term %u: %u ancestors gathered, counted %u", i, n, need);
    if (n) qsort(out, n, sizeof *out, by_u32);
    uint32_t m = 0;
    for (uint32_t k = 0; k < n; k++)
        if (k == 0 || out[k] != out[k - 1]) out[m++] = out[k];
    t->ancestor_at = f->n_ancestor;
    t->n_ancestor = m;
    f->n_ancestor += m;
    state[i] = 2;
    return R1_OK;
}

static r1_status close_terms(final *f, r1_err *err)
{
    uint8_t *state = calloc(f->n_term, 1);
    if (!state) return kb_build_full(err);
    r1_status st = R1_OK;
    for (uint32_t i = 0; i < f->n_term && st == R1_OK; i++) st = close_term(f, i, state, 0, err);
    free(state);
    R1_TRY(st);
    uint32_t at = med_map_get(f->b->terms, f->b->root);
    f->root = at == MED_NONE ? MED_NONE : f->b->term[at].final;
    for (uint32_t i = 0; i < f->n_term; i++) {
        med_term *t = &f->term[i];
        bool under = f->root == MED_NONE;
        for (uint32_t a = 0; a < t->n_ancestor && !under; a++)
            under = f->ancestor[t->ancestor_at + a] == f->root;
        if (under) t->flags |= MED_TERM_PHENOTYPE;
    }
    return R1_OK;
}

static r1_status id_add(med_id **v, uint32_t *n, uint32_t *cap, uint32_t text, uint32_t index,
                        r1_err *err)
{
    if (!kb_build_grow(v, *n, cap, sizeof **v)) return kb_build_full(err);
    (*v)[(*n)++] = (med_id){text, index};
    return R1_OK;
}

static void id_sort(final *f, med_id *v, uint32_t *n)
{
    size_t bytes;
    sort_text = med_map_blob(f->b->text, &bytes);
    if (*n) qsort(v, *n, sizeof *v, by_id_text);
    uint32_t m = 0;
    for (uint32_t i = 0; i < *n; i++)
        if (m == 0 || strcmp(sort_text + v[i].text, sort_text + v[m - 1].text) != 0) v[m++] = v[i];
    *n = m;
}

static r1_status place_names(final *f, r1_err *err)
{
    links *l = &f->b->synonym;
    for (uint32_t i = 0; i < f->n_term; i++) {
        R1_TRY(link_add(l, f->order[i], f->term[i].name, MED_SYN_LABEL, err));
        R1_TRY(id_add(&f->term_id, &f->n_term_id, &f->cap_term_id, f->term[i].id, i, err));
    }
    for (uint32_t i = 0; i < f->b->alias.n; i++) {
        raw_link *a = &f->b->alias.v[i];
        uint32_t to = f->b->term[a->a].final;
        if (to != MED_NONE)
            R1_TRY(id_add(&f->term_id, &f->n_term_id, &f->cap_term_id, a->b, to, err));
    }
    id_sort(f, f->term_id, &f->n_term_id);
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        uint32_t t = f->b->term[l->v[i].a].final;
        if (t != MED_NONE && l->v[i].b != 0) l->v[n++] = (raw_link){t, l->v[i].b, l->v[i].kind};
    }
    l->n = n;
    if (n) qsort(l->v, n, sizeof *l->v, by_link);
    f->synonym = calloc(n + 1u, sizeof *f->synonym);
    if (!f->synonym) return kb_build_full(err);
    for (uint32_t i = 0; i < n; i++) {
        med_term *t = &f->term[l->v[i].a];
        if (t->n_synonym == 0) t->synonym_at = i;
        t->n_synonym++;
        f->synonym[i] = (med_synonym){l->v[i].b, l->v[i].a, l->v[i].kind};
    }
    f->n_synonym = n;
    return R1_OK;
}

/* ---- finishing: diseases --------------------------------------------------------------------- */

static uint32_t kb_build_resolve(const final *f, uint32_t text)
{
    const char *s = med_map_text(f->b->text, text);
    uint32_t off = med_map_find(f->b->terms, s, strlen(s));
    uint32_t raw = off == MED_NONE ? MED_NONE : med_map_get(f->b->terms, off);
    if (raw != MED_NONE && f->b->term[raw].final != MED_NONE) return f->b->term[raw].final;
    uint32_t lo = 0, hi = f->n_term_id;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = strcmp(med_map_text(f->b->text, f->term_id[mid].text), s);
        if (c == 0) return f->term_id[mid].index;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return MED_NONE;
}

static bool is_orpha(const med_builder *b, const raw_disease *d)
{
    return strncmp(med_map_text(b->text, d->id), "ORPHA:", 6) == 0;
}

static r1_status take_rows(final *f, const raw_disease *from, r1_err *err)
{
    for (uint32_t r = from->first_row; r != MED_NONE; r = f->b->row[r].next) {
        uint32_t t = kb_build_resolve(f, f->b->row[r].term);
        if (t == MED_NONE) {
            f->stats.n_row_unknown_term++;
            continue;
        }
        if (!kb_build_grow(&f->row, f->n_row, &f->cap_row, sizeof *f->row))
            return kb_build_full(err);
        f->row[f->n_row] = f->b->row[r].row;
        f->row[f->n_row++].term = t;
    }
    return R1_OK;
}

static int by_row(const void *a, const void *b)
{
    const med_row *x = a, *y = b;
    if (x->term != y->term) return x->term < y->term ? -1 : 1;
    if (x->source != y->source) return x->source < y->source ? -1 : 1;
    if (x->pmid_at != y->pmid_at) return x->pmid_at < y->pmid_at ? -1 : 1;
    if (x->m != y->m) return x->m < y->m ? -1 : 1;
    if (x->n != y->n) return x->n < y->n ? -1 : 1;
    return (x->freq > y->freq) - (x->freq < y->freq);
}

/* Every Mondo class knows its diseases: raw indices chained by `next`, heads by the class's
 * string. */
typedef struct {
    med_map *class_of; /* Mondo id -> first raw disease */
    uint32_t *next;
    med_map *up; /* Mondo id -> first subclass link */
    uint32_t *up_next;
} mondo;

static void mondo_free(mondo *m)
{
    med_map_free(m->class_of);
    med_map_free(m->up);
    free(m->next);
    free(m->up_next);
}

static bool kb_build_chain(med_map *map, const char *key, uint32_t item, uint32_t *next)
{
    uint32_t off = med_map_intern(map, key, strlen(key));
    if (off == MED_NONE) return false;
    next[item] = med_map_get(map, off);
    med_map_set(map, off, item);
    return true;
}

static r1_status mondo_make(final *f, mondo *m, r1_err *err)
{
    med_builder *b = f->b;
    R1_TRY(med_map_new(&m->class_of, (size_t)64 << 20, err));
    R1_TRY(med_map_new(&m->up, (size_t)64 << 20, err));
    m->next = malloc((b->n_disease + 1u) * sizeof *m->next);
    m->up_next = malloc((b->subclass.n + 1u) * sizeof *m->up_next);
    if (!m->next || !m->up_next) return kb_build_full(err);
    for (uint32_t i = b->n_disease; i-- > 0;) {
        m->next[i] = MED_NONE;
        if (b->disease[i].mondo != MED_NONE &&
            !kb_build_chain(m->class_of, med_map_text(b->text, b->disease[i].mondo), i, m->next))
            return kb_build_full(err);
    }
    for (uint32_t i = b->subclass.n; i-- > 0;)
        if (!kb_build_chain(m->up, med_map_text(b->text, b->subclass.v[i].a), i, m->up_next))
            return kb_build_full(err);
    return R1_OK;
}

static uint32_t mondo_first(const med_map *map, const char *key)
{
    uint32_t off = med_map_find(map, key, strlen(key));
    return off == MED_NONE ? MED_NONE : med_map_get(map, off);
}

/* The annotated Orphanet disease of a Mondo class, or MED_NONE. */
static uint32_t class_orpha(const final *f, const mondo *m, const char *cls)
{
    for (uint32_t i = mondo_first(m->class_of, cls); i != MED_NONE; i = m->next[i])
        if (f->b->disease[i].annotated && is_orpha(f->b, &f->b->disease[i])) return i;
    return MED_NONE;
}

/* Where an unprofiled disease may borrow from: the nearest direct Mondo parent with an annotated
 * Orphanet disease. */
static uint32_t kb_build_lender(const final *f, const mondo *m, uint32_t raw)
{
    const char *cls = med_map_text(f->b->text, f->b->disease[raw].mondo);
    for (uint32_t l = mondo_first(m->up, cls); l != MED_NONE; l = m->up_next[l]) {
        uint32_t o = class_orpha(f, m, med_map_text(f->b->text, f->b->subclass.v[l].b));
        if (o != MED_NONE) return o;
    }
    return MED_NONE;
}

static r1_status list_add(final *f, uint32_t value, r1_err *err)
{
    if (!kb_build_grow(&f->list, f->n_list, &f->cap_list, sizeof *f->list))
        return kb_build_full(err);
    f->list[f->n_list++] = value;
    return R1_OK;
}

static r1_status disease_ids(final *f, med_disease *d, uint32_t final_index, uint32_t raw,
                             uint32_t orpha, r1_err *err)
{
    d->alias_at = f->n_list;
    R1_TRY(list_add(f, f->b->disease[raw].id, err));
    R1_TRY(id_add(&f->disease_id, &f->n_disease_id, &f->cap_disease_id, f->b->disease[raw].id,
                  final_index, err));
    if (orpha != MED_NONE) {
        R1_TRY(list_add(f, f->b->disease[orpha].id, err));
        R1_TRY(id_add(&f->disease_id, &f->n_disease_id, &f->cap_disease_id, f->b->disease[orpha].id,
                      final_index, err));
    }
    if (f->b->disease[raw].mondo != MED_NONE) R1_TRY(list_add(f, f->b->disease[raw].mondo, err));
    d->n_alias = f->n_list - d->alias_at;
    return R1_OK;
}

/* Its own rows, those of the equal Orphanet disease, or those of an Orphanet parent. */
static r1_status place_disease(final *f, const mondo *m, uint32_t raw, r1_err *err)
{
    med_builder *b = f->b;
    raw_disease *r = &b->disease[raw];
    uint32_t orpha = MED_NONE, lent = MED_NONE;
    if (r->mondo != MED_NONE && !is_orpha(b, r)) {
        orpha = class_orpha(f, m, med_map_text(b->text, r->mondo));
        if (orpha == MED_NONE && !r->annotated) lent = kb_build_lender(f, m, raw);
    }
    if (!r->annotated && orpha == MED_NONE && lent == MED_NONE) return R1_OK;
    uint32_t at = f->n_disease++;
    med_disease *d = &f->disease[at];
    *d = (med_disease){.id = r->id,
                       .name = r->name,
                       .row_at = f->n_row,
                       .onset = r->onset,
                       .inheritance = r->inheritance,
                       .prevalence = r->prevalence};
    f->group[at] = raw;
    r->final = at;
    R1_TRY(take_rows(f, r, err));
    uint32_t other = orpha != MED_NONE ? orpha : lent;
    if (other != MED_NONE) {
        raw_disease *o = &b->disease[other];
        R1_TRY(take_rows(f, o, err));
        d->onset |= o->onset;
        d->inheritance |= d->inheritance ? 0 : o->inheritance;
        if (d->prevalence == 0) d->prevalence = o->prevalence;
        if (orpha != MED_NONE) o->absorbed = true;
        if (orpha != MED_NONE) o->final = at;
        if (d->name == 0) d->name = o->name;
    }
    if (lent != MED_NONE) d->flags |= MED_DISEASE_INHERITED_PROFILE;
    f->stats.n_merged += orpha != MED_NONE;
    f->stats.n_inherited += lent != MED_NONE;
    d->n_row = f->n_row - d->row_at;
    if (d->n_row) qsort(f->row + d->row_at, d->n_row, sizeof *f->row, by_row);
    return disease_ids(f, d, at, raw, orpha, err);
}

static r1_status place_genes(final *f, r1_err *err)
{
    links *l = &f->b->gene;
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        uint32_t d = f->b->disease[l->v[i].a].final;
        if (d != MED_NONE) l->v[n++] = (raw_link){d, l->v[i].b, 0};
    }
    l->n = n;
    if (n) qsort(l->v, n, sizeof *l->v, by_link);
    for (uint32_t i = 0; i < n; i++) {
        if (i && l->v[i].a == l->v[i - 1].a && l->v[i].b == l->v[i - 1].b) continue;
        med_disease *d = &f->disease[l->v[i].a];
        if (d->n_gene == 0) d->gene_at = f->n_list;
        R1_TRY(list_add(f, l->v[i].b, err));
        d->n_gene++;
    }
    return R1_OK;
}

static r1_status place_diseases(final *f, r1_err *err)
{
    med_builder *b = f->b;
    uint32_t *order = malloc((b->n_disease + 1u) * sizeof *order);
    f->group = calloc(b->n_disease + 1u, sizeof *f->group);
    f->disease = calloc(b->n_disease + 1u, sizeof *f->disease);
    mondo m = {0};
    r1_status st = order && f->group && f->disease ? mondo_make(f, &m, err) : kb_build_full(err);
    if (st == R1_OK) {
        for (uint32_t i = 0; i < b->n_disease; i++) order[i] = i;
        size_t bytes;
        sort_text = med_map_blob(b->text, &bytes);
        sort_disease = b->disease;
        if (b->n_disease) qsort(order, b->n_disease, sizeof *order, by_disease_id);
    }
    /* Orphanet last: by then those that were merged into an OMIM disease are known. */
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < b->n_disease && st == R1_OK; i++) {
            raw_disease *r = &b->disease[order[i]];
            if (is_orpha(b, r) == (pass == 1) && !r->absorbed)
                st = place_disease(f, &m, order[i], err);
        }
    mondo_free(&m);
    free(order);
    R1_TRY(st);
    id_sort(f, f->disease_id, &f->n_disease_id);
    R1_TRY(place_genes(f, err));
    f->stats.n_disease = f->n_disease;
    f->stats.n_row = f->n_row;
    return R1_OK;
}

static int by_obsolete_id(const void *a, const void *b)
{
    const med_obsolete *x = a, *y = b;
    return strcmp(sort_text + x->id, sort_text + y->id);
}

/* The obsolete terms with what they name in their place. */
static r1_status place_obsolete(final *f, r1_err *err)
{
    med_builder *b = f->b;
    links *l = &b->consider;
    size_t bytes;
    f->obsolete = calloc(f->stats.n_obsolete + 1u, sizeof *f->obsolete);
    if (!f->obsolete) return kb_build_full(err);
    if (l->n) qsort(l->v, l->n, sizeof *l->v, by_link);
    for (uint32_t i = 0, at = 0; i < b->n_term; i++) {
        if (!b->term[i].obsolete) continue;
        med_obsolete *o = &f->obsolete[f->n_obsolete++];
        *o = (med_obsolete){b->term[i].id, b->term[i].name, f->n_list, 0};
        while (at < l->n && l->v[at].a < i) at++;
        for (; at < l->n && l->v[at].a == i; at++) {
            R1_TRY(list_add(f, l->v[at].b, err));
            o->n_consider++;
        }
    }
    sort_text = med_map_blob(b->text, &bytes);
    if (f->n_obsolete) qsort(f->obsolete, f->n_obsolete, sizeof *f->obsolete, by_obsolete_id);
    return R1_OK;
}

/* ---- finishing: profiles and the block ------------------------------------------------------- */

/* A profile names each term once, in rising order. */
static bool profile_is_sorted(const med_profile *p, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (MED_PROFILE_TERM(p[i - 1]) >= MED_PROFILE_TERM(p[i])) return false;
    return true;
}

static r1_status make_profiles(final *f, r1_err *err)
{
    med_kb view = {.term = f->term, .ancestor = f->ancestor, .n_term = f->n_term};
    float *work = calloc(f->n_term, sizeof *work);
    med_profile *one = calloc(f->n_term, sizeof *one);
    r1_status st = work && one ? R1_OK : kb_build_full(err);
    for (uint32_t i = 0; i < f->n_disease && st == R1_OK; i++) {
        med_disease *d = &f->disease[i];
        uint32_t n = med_profile_make(&view, f->row + d->row_at, d->n_row, (med_leave_out){0}, work,
                                      one, f->n_term);
        while (f->n_profile + n > f->cap_profile && st == R1_OK) {
            uint32_t cap = f->cap_profile ? f->cap_profile * 2 : 1u << 16;
            med_profile *p = cap > 64u << 20 ? NULL : r1_realloc_array(f->profile, cap, sizeof *p);
            if (!p) st = kb_build_full(err);
            if (p) f->profile = p, f->cap_profile = cap;
        }
        if (st != R1_OK) break;
        d->profile_at = f->n_profile;
        d->n_profile = n;
        if (n) memcpy(f->profile + f->n_profile, one, n * sizeof *one);
        f->n_profile += n;
        R1_ASSERT(f->n_profile <= f->cap_profile, "disease %u: %u entries in room for %u", i,
                  f->n_profile, f->cap_profile);
        R1_DEEP_ASSERT(profile_is_sorted(one, n), "disease %u: a profile of %u entries", i, n);
        f->n_profiled += n > 0;
        for (uint32_t k = 0; k < n; k++) f->term[MED_PROFILE_TERM(one[k])].n_disease++;
    }
    free(work);
    free(one);
    R1_TRY(st);
    double total = f->n_profiled ? f->n_profiled : 1;
    for (uint32_t i = 0; i < f->n_term; i++)
        f->term[i].ic =
            (float)-log((f->term[i].n_disease ? f->term[i].n_disease : 0.7) / (total + 1));
    for (uint32_t i = 0; i < f->n_disease; i++) {
        med_disease *d = &f->disease[i];
        for (uint32_t k = 0; k < d->n_profile; k++)
            d->profile_ic += f->term[MED_PROFILE_TERM(f->profile[d->profile_at + k])].ic;
    }
    f->stats.n_profiled = f->n_profiled;
    return R1_OK;
}

static r1_status kb_build_emit(final *f, const char *what, med_kb **out, r1_err *err)
{
    size_t n_text;
    const char *text = med_map_blob(f->b->text, &n_text);
    struct {
        const void *data;
        size_t count, size;
    } part[SEC_COUNT] = {
        [SEC_STRINGS] = {text, n_text, 1},
        [SEC_TERM] = {f->term, f->n_term, sizeof *f->term},
        [SEC_PARENT] = {f->parent, f->n_parent, 4},
        [SEC_ANCESTOR] = {f->ancestor, f->n_ancestor, 4},
        [SEC_SYNONYM] = {f->synonym, f->n_synonym, sizeof *f->synonym},
        [SEC_TERM_ID] = {f->term_id, f->n_term_id, sizeof *f->term_id},
        [SEC_DISEASE] = {f->disease, f->n_disease, sizeof *f->disease},
        [SEC_LIST] = {f->list, f->n_list, 4},
        [SEC_ROW] = {f->row, f->n_row, sizeof *f->row},
        [SEC_PROFILE] = {f->profile, f->n_profile, sizeof *f->profile},
        [SEC_DISEASE_ID] = {f->disease_id, f->n_disease_id, sizeof *f->disease_id},
        [SEC_SOURCE] = {f->b->source, f->b->n_source, sizeof *f->b->source},
        [SEC_PMID] = {f->b->pmid, f->b->n_pmid, 4},
        [SEC_OBSOLETE] = {f->obsolete, f->n_obsolete, sizeof *f->obsolete},
    };
    uint32_t n_part = f->n_obsolete ? SEC_COUNT : SEC_OBSOLETE;
    size_t at = sizeof(med_kb_header) + n_part * sizeof(med_kb_section);
    med_kb_section table[SEC_COUNT] = {0};
    for (uint32_t i = 0; i < n_part; i++) {
        at = (at + 63) & ~(size_t)63;
        table[i] = (med_kb_section){i, (uint32_t)part[i].size, at, part[i].count, 0};
        at += part[i].count * part[i].size;
    }
    char *block = r1_calloc_aligned(at, 1);
    if (!block) return kb_build_full(err);
    for (uint32_t i = 0; i < n_part; i++)
        if (part[i].count) {
            size_t bytes = part[i].count * part[i].size;
            R1_ASSERT(table[i].offset + bytes <= (i + 1 < n_part ? table[i + 1].offset : at),
                      "section %u: %zu bytes at %llu", i, bytes,
                      (unsigned long long)table[i].offset);
            memcpy(block + table[i].offset, part[i].data, bytes);
        }
    memcpy(block + sizeof(med_kb_header), table, n_part * sizeof *table);
    med_kb_header h = {.magic = MED_KB_MAGIC,
                       .version = MED_KB_VERSION,
                       .n_section = n_part,
                       .bytes = at,
                       .n_profiled = f->n_profiled,
                       .root = f->root};
    h.checksum = r1_hash64(block + sizeof h, at - sizeof h, MED_KB_VERSION);
    memcpy(block, &h, sizeof h);
    r1_status st = med_kb_from_block(out, block, at, what, err);
    if (st != R1_OK) free(block);
    return st;
}

r1_status med_builder_finish(med_builder *b, const char *what, med_kb **out, med_build_stats *stats,
                             r1_err *err)
{
    R1_ASSERT(!b->finished, "%s: a builder makes one knowledge base", what);
    b->finished = true;
    final f = {.b = b, .root = MED_NONE};
    r1_status st = order_terms(&f, err);
    if (st == R1_OK) st = place_parents(&f, err);
    if (st == R1_OK) st = close_terms(&f, err);
    if (st == R1_OK) st = place_names(&f, err);
    if (st == R1_OK) st = place_diseases(&f, err);
    if (st == R1_OK) st = place_obsolete(&f, err);
    if (st == R1_OK) st = make_profiles(&f, err);
    if (st == R1_OK) st = kb_build_emit(&f, what, out, err);
    f.stats.repeated = b->repeated;
    f.stats.cut = b->cut;
    if (stats) *stats = f.stats;
    final_free(&f);
    return st;
}
