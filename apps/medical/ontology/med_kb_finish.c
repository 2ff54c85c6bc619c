/* SPDX-License-Identifier: Apache-2.0 */
/* med_kb_finish.c - a knowledge base of what a builder gathered: its findings, its diseases, their
 * profiles with the information of each finding, then one block of bytes. */
#include "ontology/med_kb_gather.h"
#include "ontology/med_kb_layout.h"
#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void kb_final_free(med_kb_final *f)
{
    void *all[] = {f->order,   f->term,       f->parent,   f->ancestor, f->synonym,
                   f->term_id, f->disease_id, f->group,    f->disease,  f->list,
                   f->row,     f->profile,    f->obsolete, f->family};
    for (size_t i = 0; i < R1_COUNT(all); i++) free(all[i]);
}

/* A profile names each term once, in rising order. */
static bool profile_is_sorted(const med_profile *p, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (MED_PROFILE_TERM(p[i - 1]) >= MED_PROFILE_TERM(p[i])) return false;
    return true;
}

static r1_status make_profiles(med_kb_final *f, r1_err *err)
{
    med_kb view = {.term = f->term, .ancestor = f->ancestor, .n_term = f->n_term};
    float *work = calloc(f->n_term, sizeof *work);
    med_profile *one = calloc(f->n_term, sizeof *one);
    r1_status st = work && one ? R1_OK : med_kb_full(err);
    for (uint32_t i = 0; i < f->n_disease && st == R1_OK; i++) {
        med_disease *d = &f->disease[i];
        uint32_t n = med_profile_make(&view, f->row + d->row_at, d->n_row, (med_leave_out){0}, work,
                                      one, f->n_term);
        while (f->n_profile + n > f->cap_profile && st == R1_OK) {
            uint32_t cap = f->cap_profile ? f->cap_profile * 2 : 1u << 16;
            med_profile *p = cap > 64u << 20 ? NULL : r1_realloc_array(f->profile, cap, sizeof *p);
            if (!p) st = med_kb_full(err);
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

static r1_status kb_finish_emit(med_kb_final *f, const char *what, med_kb **out, r1_err *err)
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
        [SEC_LOSS] = {f->b->loss, f->b->n_source, sizeof *f->b->loss},
        [SEC_FACT] = {f->b->fact, f->b->n_fact, sizeof *f->b->fact},
        [SEC_FAMILY] = {f->family, f->n_family, sizeof *f->family},
    };
    const uint32_t n_part = SEC_COUNT;
    size_t at = sizeof(med_kb_header) + n_part * sizeof(med_kb_section);
    med_kb_section table[SEC_COUNT] = {0};
    for (uint32_t i = 0; i < n_part; i++) {
        at = (at + 63) & ~(size_t)63;
        table[i] = (med_kb_section){i, (uint32_t)part[i].size, at, part[i].count, 0};
        at += part[i].count * part[i].size;
    }
    char *block = r1_calloc_aligned(at, 1);
    if (!block) return med_kb_full(err);
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
    med_kb_final f = {.b = b, .root = MED_NONE};
    r1_status st = med_kb_terms(&f, err);
    if (st == R1_OK) st = med_kb_diseases(&f, err);
    if (st == R1_OK) st = med_kb_families(&f, err);
    if (st == R1_OK) st = med_kb_obsolete_terms(&f, err);
    if (st == R1_OK) st = make_profiles(&f, err);
    if (st == R1_OK) st = kb_finish_emit(&f, what, out, err);
    f.stats.repeated = b->repeated;
    f.stats.cut = b->cut;
    f.stats.refused = b->refused;
    f.stats.ignored = b->ignored;
    f.stats.unknown = b->unknown;
    f.stats.moved = b->moved;
    if (stats) *stats = f.stats;
    kb_final_free(&f);
    return st;
}
