/* SPDX-License-Identifier: Apache-2.0 */
/* med_kb_terms.c - findings of a knowledge base: obsolete ones apart, by id, with all ancestors (a
 * cycle is an error), names and other ids. */
#include "ontology/med_kb_gather.h"
#include "r1_assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* qsort has no context argument in C17: the texts to compare by. @locality one build at a time
 * per thread */
static _Thread_local const char *sort_text;
static _Thread_local const med_raw_term *sort_term;

static int by_term_id(const void *a, const void *b)
{
    return strcmp(sort_text + sort_term[*(const uint32_t *)a].id,
                  sort_text + sort_term[*(const uint32_t *)b].id);
}

static int by_id_text(const void *a, const void *b)
{
    const med_id *x = a, *y = b;
    int c = strcmp(sort_text + x->text, sort_text + y->text);
    return c ? c : (x->index > y->index) - (x->index < y->index);
}

int med_kb_by_link(const void *a, const void *b)
{
    const med_raw_link *x = a, *y = b;
    if (x->a != y->a) return x->a < y->a ? -1 : 1;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    return (x->b > y->b) - (x->b < y->b);
}

static r1_status order_terms(med_kb_final *f, r1_err *err)
{
    med_builder *b = f->b;
    f->order = calloc(b->n_term + 1u, sizeof *f->order);
    f->term = calloc(b->n_term + 1u, sizeof *f->term);
    if (!f->order || !f->term) return med_kb_full(err);
    for (uint32_t i = 0; i < b->n_term; i++) {
        if (b->term[i].obsolete) f->stats.n_obsolete++;
        if (b->term[i].seen && !b->term[i].obsolete) f->order[f->n_term++] = i;
    }
    size_t bytes;
    sort_text = med_map_blob(b->text, &bytes);
    sort_term = b->term;
    if (f->n_term) qsort(f->order, f->n_term, sizeof *f->order, by_term_id);
    for (uint32_t i = 0; i < f->n_term; i++) {
        med_raw_term *t = &b->term[f->order[i]];
        t->final = i;
        f->term[i] = (med_term){.id = t->id, .name = t->name, .definition = t->definition};
    }
    if (f->n_term == 0)
        R1_FAIL(err, R1_E_FORMAT,
                "the sources hold no terms: an ontology (hp.obo, hp.owl or XML) is missing");
    f->stats.n_term = f->n_term;
    return R1_OK;
}

static void tell_orphan(med_kb_final *f, const med_raw_link *link)
{
    const med_raw_term *child = &f->b->term[link->a], *parent = &f->b->term[link->b];
    char *line = med_told_next(&f->stats.orphan);
    f->stats.n_orphan++;
    if (line)
        snprintf(line, MED_TOLD_BYTES, "%.100s is-a %.100s, which is %s",
                 med_map_text(f->b->text, child->id), med_map_text(f->b->text, parent->id),
                 child == parent    ? "itself"
                 : parent->obsolete ? "obsolete"
                                    : "not defined");
}

static r1_status place_parents(med_kb_final *f, r1_err *err)
{
    med_raw_links *l = &f->b->parent;
    f->parent = calloc(l->n + 1u, sizeof *f->parent);
    if (!f->parent) return med_kb_full(err);
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        uint32_t c = f->b->term[l->v[i].a].final, p = f->b->term[l->v[i].b].final;
        if (c == MED_NONE || p == MED_NONE || c == p) {
            if (c != MED_NONE) tell_orphan(f, &l->v[i]);
            continue;
        }
        l->v[n++] = (med_raw_link){c, p, 0};
    }
    l->n = n;
    if (n) qsort(l->v, n, sizeof *l->v, med_kb_by_link);
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
static r1_status close_term(med_kb_final *f, uint32_t i, uint8_t *state, uint32_t depth,
                            r1_err *err)
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
        if (!v) return med_kb_full(err);
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

static r1_status close_terms(med_kb_final *f, r1_err *err)
{
    uint8_t *state = calloc(f->n_term, 1);
    if (!state) return med_kb_full(err);
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

r1_status med_kb_id_add(med_id **v, uint32_t *n, uint32_t *cap, uint32_t text, uint32_t index,
                        r1_err *err)
{
    if (!med_kb_grow(v, *n, cap, sizeof **v)) return med_kb_full(err);
    (*v)[(*n)++] = (med_id){text, index};
    return R1_OK;
}

void med_kb_id_sort(med_kb_final *f, med_id *v, uint32_t *n)
{
    size_t bytes;
    sort_text = med_map_blob(f->b->text, &bytes);
    if (*n) qsort(v, *n, sizeof *v, by_id_text);
    uint32_t m = 0;
    for (uint32_t i = 0; i < *n; i++)
        if (m == 0 || strcmp(sort_text + v[i].text, sort_text + v[m - 1].text) != 0) v[m++] = v[i];
    *n = m;
}

static r1_status place_names(med_kb_final *f, r1_err *err)
{
    med_raw_links *l = &f->b->synonym;
    for (uint32_t i = 0; i < f->n_term; i++) {
        R1_TRY(med_kb_link(l, f->order[i], f->term[i].name, MED_SYN_LABEL, err));
        R1_TRY(med_kb_id_add(&f->term_id, &f->n_term_id, &f->cap_term_id, f->term[i].id, i, err));
    }
    for (uint32_t i = 0; i < f->b->alias.n; i++) {
        med_raw_link *a = &f->b->alias.v[i];
        uint32_t to = f->b->term[a->a].final;
        if (to != MED_NONE)
            R1_TRY(med_kb_id_add(&f->term_id, &f->n_term_id, &f->cap_term_id, a->b, to, err));
    }
    med_kb_id_sort(f, f->term_id, &f->n_term_id);
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        uint32_t t = f->b->term[l->v[i].a].final;
        if (t != MED_NONE && l->v[i].b != 0) l->v[n++] = (med_raw_link){t, l->v[i].b, l->v[i].kind};
    }
    l->n = n;
    if (n) qsort(l->v, n, sizeof *l->v, med_kb_by_link);
    f->synonym = calloc(n + 1u, sizeof *f->synonym);
    if (!f->synonym) return med_kb_full(err);
    for (uint32_t i = 0; i < n; i++) {
        if (i && memcmp(&l->v[i], &l->v[i - 1], sizeof *l->v) == 0) continue; /* of two inputs */
        med_term *t = &f->term[l->v[i].a];
        if (t->n_synonym == 0) t->synonym_at = f->n_synonym;
        t->n_synonym++;
        f->synonym[f->n_synonym++] = (med_synonym){l->v[i].b, l->v[i].a, l->v[i].kind};
    }
    return R1_OK;
}

static int by_obsolete_id(const void *a, const void *b)
{
    const med_obsolete *x = a, *y = b;
    return strcmp(sort_text + x->id, sort_text + y->id);
}

/* The obsolete terms with what they name in their place. */
r1_status med_kb_obsolete_terms(med_kb_final *f, r1_err *err)
{
    med_builder *b = f->b;
    med_raw_links *l = &b->consider;
    size_t bytes;
    f->obsolete = calloc(f->stats.n_obsolete + 1u, sizeof *f->obsolete);
    if (!f->obsolete) return med_kb_full(err);
    if (l->n) qsort(l->v, l->n, sizeof *l->v, med_kb_by_link);
    for (uint32_t i = 0, at = 0; i < b->n_term; i++) {
        if (!b->term[i].obsolete) continue;
        med_obsolete *o = &f->obsolete[f->n_obsolete++];
        *o = (med_obsolete){b->term[i].id, b->term[i].name, f->n_list, 0};
        while (at < l->n && l->v[at].a < i) at++;
        for (; at < l->n && l->v[at].a == i; at++) {
            if (o->n_consider && l->v[at].b == l->v[at - 1].b) continue; /* of two inputs */
            R1_TRY(med_kb_list_add(f, l->v[at].b, err));
            o->n_consider++;
        }
    }
    sort_text = med_map_blob(b->text, &bytes);
    if (f->n_obsolete) qsort(f->obsolete, f->n_obsolete, sizeof *f->obsolete, by_obsolete_id);
    return R1_OK;
}

r1_status med_kb_terms(med_kb_final *f, r1_err *err)
{
    R1_TRY(order_terms(f, err));
    R1_TRY(place_parents(f, err));
    R1_TRY(close_terms(f, err));
    return place_names(f, err);
}
