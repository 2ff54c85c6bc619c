/* SPDX-License-Identifier: Apache-2.0 */
/* med_kb_diseases.c - diseases of a knowledge base: those that Mondo calls equal are merged, and
 * each gets its rows, genes and facts. */
#include "ontology/med_kb_gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* See med_kb_terms.c. @locality one build at a time per thread */
static _Thread_local const char *sort_text;
static _Thread_local const med_raw_disease *sort_disease;

static int by_disease_id(const void *a, const void *b)
{
    return strcmp(sort_text + sort_disease[*(const uint32_t *)a].id,
                  sort_text + sort_disease[*(const uint32_t *)b].id);
}

static uint32_t kb_disease_resolve(const med_kb_final *f, uint32_t text)
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

static bool is_orpha(const med_builder *b, const med_raw_disease *d)
{
    return strncmp(med_map_text(b->text, d->id), "ORPHA:", 6) == 0;
}

/* "file:7: hpo_id "HP:9", expected ..." of a row whose finding is none. */
static void tell_unknown(med_kb_final *f, const med_raw_row *r)
{
    med_builder *b = f->b;
    const char *id = med_map_text(b->text, r->term);
    char *line = med_told_next(&b->unknown);
    if (!line) return;
    uint32_t off = med_map_find(b->terms, id, strlen(id));
    uint32_t raw = off == MED_NONE ? MED_NONE : med_map_get(b->terms, off);
    bool obsolete = raw != MED_NONE && b->term[raw].obsolete;
    size_t n = (size_t)snprintf(
        line, MED_TOLD_BYTES, "%s:%u: hpo_id \"%.40s\", expected a finding of the ontology%s",
        med_told_what(b, r->at.input), r->at.line, id, obsolete ? "; it is obsolete" : "");
    for (uint32_t i = 0, k = 0; obsolete && i < b->consider.n && n < MED_TOLD_BYTES; i++)
        if (b->consider.v[i].a == raw)
            n += (size_t)snprintf(line + n, MED_TOLD_BYTES - n, "%s%.40s",
                                  k++ ? ", " : ", consider ",
                                  med_map_text(b->text, b->consider.v[i].b));
}

/* Each row's finding. What names none is told; so is one by an id that another has taken over. */
static void resolve_rows(med_kb_final *f)
{
    med_builder *b = f->b;
    for (uint32_t i = 0; i < b->n_row; i++) {
        med_raw_row *r = &b->row[i];
        r->row.term = kb_disease_resolve(f, r->term);
        if (r->row.term == MED_NONE) {
            f->stats.n_row_unknown_term++;
            b->loss[r->row.source].n_unknown++;
            tell_unknown(f, r);
            continue;
        }
        const char *was = med_map_text(b->text, r->term),
                   *is = med_map_text(b->text, f->term[r->row.term].id);
        char *line = strcmp(was, is) == 0 ? NULL : med_told_next(&b->moved);
        if (line)
            snprintf(line, MED_TOLD_BYTES, "%s:%u: hpo_id \"%.40s\" is %.40s now",
                     med_told_what(b, r->at.input), r->at.line, was, is);
    }
}

static r1_status take_rows(med_kb_final *f, const med_raw_disease *from, r1_err *err)
{
    for (uint32_t r = from->first_row; r != MED_NONE; r = f->b->row[r].next) {
        if (f->b->row[r].row.term == MED_NONE) continue;
        if (!med_kb_grow(&f->row, f->n_row, &f->cap_row, sizeof *f->row)) return med_kb_full(err);
        f->row[f->n_row++] = f->b->row[r].row;
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
    if (x->freq != y->freq) return x->freq < y->freq ? -1 : 1;
    return (x->flags > y->flags) - (x->flags < y->flags);
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

static bool kb_disease_chain(med_map *map, const char *key, uint32_t item, uint32_t *next)
{
    uint32_t off = med_map_intern(map, key, strlen(key));
    if (off == MED_NONE) return false;
    next[item] = med_map_get(map, off);
    med_map_set(map, off, item);
    return true;
}

static r1_status mondo_make(med_kb_final *f, mondo *m, r1_err *err)
{
    med_builder *b = f->b;
    R1_TRY(med_map_new(&m->class_of, (size_t)64 << 20, err));
    R1_TRY(med_map_new(&m->up, (size_t)64 << 20, err));
    m->next = malloc((b->n_disease + 1u) * sizeof *m->next);
    m->up_next = malloc((b->subclass.n + 1u) * sizeof *m->up_next);
    if (!m->next || !m->up_next) return med_kb_full(err);
    for (uint32_t i = b->n_disease; i-- > 0;) {
        m->next[i] = MED_NONE;
        if (b->disease[i].mondo != MED_NONE &&
            !kb_disease_chain(m->class_of, med_map_text(b->text, b->disease[i].mondo), i, m->next))
            return med_kb_full(err);
    }
    for (uint32_t i = b->subclass.n; i-- > 0;)
        if (!kb_disease_chain(m->up, med_map_text(b->text, b->subclass.v[i].a), i, m->up_next))
            return med_kb_full(err);
    return R1_OK;
}

static uint32_t mondo_first(const med_map *map, const char *key)
{
    uint32_t off = med_map_find(map, key, strlen(key));
    return off == MED_NONE ? MED_NONE : med_map_get(map, off);
}

/* The annotated Orphanet disease of a Mondo class, or MED_NONE. */
static uint32_t class_orpha(const med_kb_final *f, const mondo *m, const char *cls)
{
    for (uint32_t i = mondo_first(m->class_of, cls); i != MED_NONE; i = m->next[i])
        if (f->b->disease[i].annotated && is_orpha(f->b, &f->b->disease[i])) return i;
    return MED_NONE;
}

/* Where an unprofiled disease may borrow from: the nearest direct Mondo parent with an annotated
 * Orphanet disease. */
static uint32_t kb_disease_lender(const med_kb_final *f, const mondo *m, uint32_t raw)
{
    const char *cls = med_map_text(f->b->text, f->b->disease[raw].mondo);
    for (uint32_t l = mondo_first(m->up, cls); l != MED_NONE; l = m->up_next[l]) {
        uint32_t o = class_orpha(f, m, med_map_text(f->b->text, f->b->subclass.v[l].b));
        if (o != MED_NONE) return o;
    }
    return MED_NONE;
}

r1_status med_kb_list_add(med_kb_final *f, uint32_t value, r1_err *err)
{
    if (!med_kb_grow(&f->list, f->n_list, &f->cap_list, sizeof *f->list)) return med_kb_full(err);
    f->list[f->n_list++] = value;
    return R1_OK;
}

static r1_status disease_ids(med_kb_final *f, med_disease *d, uint32_t final_index, uint32_t raw,
                             uint32_t orpha, r1_err *err)
{
    d->alias_at = f->n_list;
    R1_TRY(med_kb_list_add(f, f->b->disease[raw].id, err));
    R1_TRY(med_kb_id_add(&f->disease_id, &f->n_disease_id, &f->cap_disease_id,
                         f->b->disease[raw].id, final_index, err));
    if (orpha != MED_NONE) {
        R1_TRY(med_kb_list_add(f, f->b->disease[orpha].id, err));
        R1_TRY(med_kb_id_add(&f->disease_id, &f->n_disease_id, &f->cap_disease_id,
                             f->b->disease[orpha].id, final_index, err));
    }
    if (f->b->disease[raw].mondo != MED_NONE)
        R1_TRY(med_kb_list_add(f, f->b->disease[raw].mondo, err));
    d->n_alias = f->n_list - d->alias_at;
    return R1_OK;
}

/* Its own rows, those of the equal Orphanet disease, or those of an Orphanet parent. */
static r1_status place_disease(med_kb_final *f, const mondo *m, uint32_t raw, r1_err *err)
{
    med_builder *b = f->b;
    med_raw_disease *r = &b->disease[raw];
    uint32_t orpha = MED_NONE, lent = MED_NONE;
    if (r->mondo != MED_NONE && !is_orpha(b, r)) {
        orpha = class_orpha(f, m, med_map_text(b->text, r->mondo));
        if (orpha == MED_NONE && !r->annotated) lent = kb_disease_lender(f, m, raw);
    }
    if (!r->annotated && orpha == MED_NONE && lent == MED_NONE) return R1_OK;
    uint32_t at = f->n_disease++;
    med_disease *d = &f->disease[at];
    *d = (med_disease){.id = r->id,
                       .name = r->name,
                       .row_at = f->n_row,
                       .onset = r->onset ? r->onset : r->row_onset,
                       .inheritance = r->inheritance,
                       .prevalence = r->prevalence};
    f->group[at] = raw;
    r->final = at;
    R1_TRY(take_rows(f, r, err));
    uint32_t other = orpha != MED_NONE ? orpha : lent;
    if (other != MED_NONE) {
        med_raw_disease *o = &b->disease[other];
        R1_TRY(take_rows(f, o, err));
        d->onset |= o->onset ? o->onset : d->onset ? 0 : o->row_onset;
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

static r1_status place_genes(med_kb_final *f, r1_err *err)
{
    med_raw_links *l = &f->b->gene;
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        uint32_t d = f->b->disease[l->v[i].a].final;
        if (d != MED_NONE) l->v[n++] = (med_raw_link){d, l->v[i].b, 0};
    }
    l->n = n;
    if (n) qsort(l->v, n, sizeof *l->v, med_kb_by_link);
    for (uint32_t i = 0; i < n; i++) {
        if (i && l->v[i].a == l->v[i - 1].a && l->v[i].b == l->v[i - 1].b) continue;
        med_disease *d = &f->disease[l->v[i].a];
        if (d->n_gene == 0) d->gene_at = f->n_list;
        R1_TRY(med_kb_list_add(f, l->v[i].b, err));
        d->n_gene++;
    }
    return R1_OK;
}

static int by_fact(const void *a, const void *b)
{
    const med_fact *x = a, *y = b;
    if (x->disease != y->disease) return x->disease < y->disease ? -1 : 1;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    return (x->source > y->source) - (x->source < y->source);
}

/* Which source states what of a disease, each once. What a parent lends keeps its source. */
static void place_facts(med_kb_final *f)
{
    med_builder *b = f->b;
    uint32_t n = 0, m = 0;
    for (uint32_t i = 0; i < b->n_fact; i++) {
        uint32_t d = b->disease[b->fact[i].disease].final;
        if (d != MED_NONE) b->fact[n++] = (med_fact){d, b->fact[i].kind, b->fact[i].source};
    }
    if (n) qsort(b->fact, n, sizeof *b->fact, by_fact);
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || by_fact(&b->fact[i], &b->fact[m - 1]) != 0) b->fact[m++] = b->fact[i];
    b->n_fact = m;
}

/* The Orphanet entry of a raw disease's parent class that has a profile of its own, by the first of
 * their ids; MED_NONE. */
static uint32_t family_head(const med_kb_final *f, const mondo *m, uint32_t raw)
{
    const med_builder *b = f->b;
    uint32_t best = MED_NONE;
    const char *cls = med_map_text(b->text, b->disease[raw].mondo);
    for (uint32_t l = mondo_first(m->up, cls); l != MED_NONE; l = m->up_next[l]) {
        uint32_t o = class_orpha(f, m, med_map_text(b->text, b->subclass.v[l].b));
        if (o == MED_NONE || b->disease[o].absorbed) continue;
        if (best == MED_NONE || strcmp(med_map_text(b->text, b->disease[o].id),
                                       med_map_text(b->text, b->disease[best].id)) < 0)
            best = o;
    }
    return best;
}

/* Orphanet has one entry for what OMIM numbers by gene. An OMIM disease that has no entry of its
 * own there is of the family of the entry right above it. */
static void place_families(med_kb_final *f, const mondo *m)
{
    med_builder *b = f->b;
    for (uint32_t i = 0; i < b->n_disease; i++) {
        const med_raw_disease *r = &b->disease[i];
        if (r->final == MED_NONE || r->mondo == MED_NONE || is_orpha(b, r)) continue;
        if (class_orpha(f, m, med_map_text(b->text, r->mondo)) != MED_NONE) continue;
        uint32_t head = family_head(f, m, i);
        if (head == MED_NONE || b->disease[head].final == MED_NONE) continue;
        f->family[r->final] = f->family[b->disease[head].final] = b->disease[head].final;
    }
    f->n_family = f->n_disease;
}

r1_status med_kb_diseases(med_kb_final *f, r1_err *err)
{
    med_builder *b = f->b;
    uint32_t *order = malloc((b->n_disease + 1u) * sizeof *order);
    f->group = calloc(b->n_disease + 1u, sizeof *f->group);
    f->disease = calloc(b->n_disease + 1u, sizeof *f->disease);
    f->family = malloc((b->n_disease + 1u) * sizeof *f->family);
    if (f->family) memset(f->family, 0xff, (b->n_disease + 1u) * sizeof *f->family);
    mondo m = {0};
    r1_status st =
        order && f->group && f->disease && f->family ? mondo_make(f, &m, err) : med_kb_full(err);
    if (st == R1_OK) {
        for (uint32_t i = 0; i < b->n_disease; i++) order[i] = i;
        size_t bytes;
        sort_text = med_map_blob(b->text, &bytes);
        sort_disease = b->disease;
        if (b->n_disease) qsort(order, b->n_disease, sizeof *order, by_disease_id);
    }
    /* Orphanet last: by then those that were merged into an OMIM disease are known. */
    if (st == R1_OK) resolve_rows(f);
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < b->n_disease && st == R1_OK; i++) {
            med_raw_disease *r = &b->disease[order[i]];
            if (is_orpha(b, r) == (pass == 1) && !r->absorbed)
                st = place_disease(f, &m, order[i], err);
        }
    if (st == R1_OK) place_families(f, &m);
    mondo_free(&m);
    free(order);
    R1_TRY(st);
    med_kb_id_sort(f, f->disease_id, &f->n_disease_id);
    R1_TRY(place_genes(f, err));
    place_facts(f);
    f->stats.n_disease = f->n_disease;
    f->stats.n_row = f->n_row;
    return R1_OK;
}
