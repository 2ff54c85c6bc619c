/* SPDX-License-Identifier: Apache-2.0 */
/* evidence.c - rules from a specification and the shards' own description. */
#include "train/evidence.h"

#include <math.h>
#include <string.h>

static r1_status find_truth(r1_evidence_rules *r, const char *name, const r1_desc *shard,
                            r1_err *err)
{
    for (r->truth = 0; name && r->truth < shard->n_headc; r->truth++)
        if (strcmp(shard->head[r->truth].name, name) == 0) break;
    if (r->truth == shard->n_headc || shard->head[r->truth].kind == R1_HEAD_RANK)
        R1_FAIL(err, R1_E_INVAL,
                "evidence: the shards have no binary or class head \"%s\" to tell right from wrong",
                name ? name : shard->head[0].name);
    r->n_verdict = shard->head[r->truth].kind == R1_HEAD_BINARY ? 2 : shard->head[r->truth].n;
    if (r->n_item + r->n_verdict <= R1_ACTIONS_MAX) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "evidence: %u items and %u verdicts, at most %d actions", r->n_item,
            r->n_verdict, R1_ACTIONS_MAX);
}

r1_status r1_evidence_make(r1_evidence_rules *r, const r1_evidence_spec *spec, const r1_data *d,
                           r1_err *err)
{
    const char *text = r1_shard_description(d->shard[0]);
    r1_desc *shard;
    R1_TRY(r1_desc_parse(&shard, text, strlen(text), err));
    memset(r, 0, sizeof *r); /* padding too: a checkpoint hashes it */
    r->n_item = shard->n_item;
    r->item_hash = shard->item_hash;
    r->given = spec->given & ((1u << r->n_item) - 1);
    r->n_ask_max = spec->n_ask_max && spec->n_ask_max < r->n_item ? spec->n_ask_max : r->n_item;
    r1_status st = find_truth(r, spec->truth, shard, err);
    r1_desc_free(shard);
    for (uint32_t i = 0; st == R1_OK && i < r->n_item; i++) {
        r->cost[i] = spec->cost ? spec->cost[i] : 0;
        r->door[i] = spec->door ? spec->door[i] : 0;
        if (!(r->cost[i] >= 0) || !isfinite(r->cost[i]))
            st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                            "evidence: item %u costs %g, expected 0 or more", i, r->cost[i]);
    }
    return st;
}

r1_status r1_evidence_check(const r1_evidence_rules *r, const r1_model *m, const char *what,
                            r1_err *err)
{
    if (m->desc->item_hash == r->item_hash) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "%s reads other items (hash %016llx) than the shards hold (%016llx)",
            what, (unsigned long long)m->desc->item_hash, (unsigned long long)r->item_hash);
}

r1_status r1_evidence_labelled(const r1_evidence_rules *r, r1_data *d, const char *path,
                               r1_err *err)
{
    size_t n = 0;
    if (d->unit_max > 1)
        R1_FAIL(err, R1_E_INVAL, "evidence: shard %s holds groups, expected single samples", path);
    for (size_t u = 0; u < d->n_unit; u++) {
        r1_item item[R1_ITEMS_MAX];
        r1_sample s;
        R1_TRY(r1_shard_get(d->shard[d->unit[u].shard], d->unit[u].first, item, &s, err));
        if (!isnan(s.label[r->truth])) d->unit[n++] = d->unit[u];
    }
    d->n_unit = n;
    if (n == 0) R1_FAIL(err, R1_E_INVAL, "evidence: shard %s has no labelled sample", path);
    return R1_OK;
}

uint64_t r1_evidence_permitted(const r1_evidence_rules *r, uint32_t held)
{
    uint64_t bits = 0;
    uint32_t asked = (uint32_t)__builtin_popcount(held & ~r->given);
    for (uint32_t i = 0; i < r->n_item && asked < r->n_ask_max; i++)
        if (!(held >> i & 1) && (!r->door[i] || (r->door[i] & held))) bits |= (uint64_t)1 << i;
    for (uint32_t v = 0; v < r->n_verdict; v++) bits |= (uint64_t)1 << (r->n_item + v);
    return bits;
}

uint32_t r1_evidence_truth(const r1_evidence_rules *r, const r1_sample *s)
{
    float label = s->label[r->truth];
    if (r->n_verdict == 2) return label > 0.5f;
    uint32_t k = label > 0 ? (uint32_t)label : 0;
    return k < r->n_verdict ? k : r->n_verdict - 1;
}
