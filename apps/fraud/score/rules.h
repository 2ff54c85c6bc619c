/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rules.h - velocity rules: facts about both ends and the pair. Each has a fixed weight in logits,
 * so that the trace adds up.
 *
 * They score where no model does, and every result of theirs says `degraded`. Where a model
 * scores, the same facts are the words of its reasons.
 * Owns: nothing. Threads: any, all functions are pure. Errors: none. */
#ifndef FRAUD_RULES_H
#define FRAUD_RULES_H

#include "graph/state.h"
#include "score/result.h"

/* What scoring needs, captured before the payment itself counts. */
typedef struct fraud_facts {
    fraud_window from[FRAUD_N_WINDOW][2], to[FRAUD_N_WINDOW][2];
    fraud_known from_known, to_known;
    uint32_t pair_28d;
    int64_t since_in_ms; /* since money last came to the sender; -1: never */
    double amount;       /* main units */
    int32_t ln;
    bool new_from, new_to;
    /* For rules of the user. Ages are since the end or the pair was first seen; 0: now. */
    uint32_t pair[FRAUD_N_WINDOW]; /* payments of this pair */
    int64_t age_from_ms, age_to_ms, age_pair_ms;
    bool new_device; /* another than the sender's last one */
} fraud_facts;

/* Fills result from what was captured. finding: what the new edge closes. */
void fraud_rules_score(const fraud_facts *f, const fraud_finding *finding, size_t n_finding,
                       fraud_result *r);

/* Sorts reasons by |contribution|, then by code. */
void fraud_reasons_sort(fraud_reason *x, size_t n);

#endif
