/* SPDX-License-Identifier: Apache-2.0 */
/* evidence.h - the rules of asking: what each item costs, what must be held before, and what the
 * right verdict is.
 *
 * Threads: pure functions. */
#ifndef R1_EVIDENCE_H
#define R1_EVIDENCE_H

#include "train/data.h"

enum { R1_ACTIONS_MAX = 64 };

typedef struct {
    const char *truth;    /* head of the shards; NULL: the first */
    const double *cost;   /* [n_item]; NULL: 0 */
    const uint32_t *door; /* [n_item]; NULL: none */
    uint32_t given, n_ask_max;
} r1_evidence_spec;

typedef struct {
    uint32_t n_item, n_verdict;
    double cost[R1_ITEMS_MAX];
    uint32_t door[R1_ITEMS_MAX];
    uint32_t given, n_ask_max;
    uint32_t truth;     /* index of the shards' label */
    uint64_t item_hash; /* what a model must read: the shards' items, whatever its heads */
} r1_evidence_rules;

r1_status r1_evidence_make(r1_evidence_rules *r, const r1_evidence_spec *spec, const r1_data *d,
                           r1_err *err);
r1_status r1_evidence_check(const r1_evidence_rules *r, const r1_model *m, const char *what,
                            r1_err *err);
/* Leaves out what has no label: it could not be judged. R1_E_INVAL where nothing is left, or
 * where samples come in groups. */
r1_status r1_evidence_labelled(const r1_evidence_rules *r, r1_data *d, const char *path,
                               r1_err *err);
/* Bits of the actions: items not held whose door is open, while there is budget; every verdict. */
uint64_t r1_evidence_permitted(const r1_evidence_rules *r, uint32_t held);
uint32_t r1_evidence_truth(const r1_evidence_rules *r, const r1_sample *s);

#endif
