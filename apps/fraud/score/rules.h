/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rules.h - velocity rules: facts about both ends and the pair. Each has a fixed weight in logits,
 * so that the trace adds up.
 *
 * What they say of a window is as true as the state knows it. A figure that rests on aged
 * aggregates (graph/aged.h) has "about" before it. Where the row of an account or a pair may have
 * been evicted within the window, the text says from when on it is known, and a new pair counts
 * for the known share of the window alone.
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
    double pair_28d;    /* payments of the pair within 28 days */
    bool pair_aged;     /* a part of them rests on aged aggregates */
    int64_t pair_since; /* from when a pair that has not paid is known; FRAUD_NEVER: always */
    int64_t from_since, to_since; /* from when all payments of an end are known */
    int64_t now;                  /* ms */
    int64_t local_ms;             /* the clock of the customers beside UTC */
    bool local;                   /* it is theirs; else UTC is read */
    char currency[4];             /* of amount */
    int64_t since_in_ms;          /* since money last came to the sender; -1: never */
    double amount;                /* main units */
    int32_t ln;
    bool new_from, new_to;
    /* For rules of the user. Ages are since the end or the pair was first seen; 0: now. */
    uint32_t pair[FRAUD_N_WINDOW]; /* payments of this pair */
    int64_t age_from_ms, age_to_ms, age_pair_ms;
    bool new_device; /* another than the sender's last one */
} fraud_facts;

/* Fills result from what was captured, reasons left out. finding: what the new edge closes. */
void fraud_rules_score(const fraud_facts *f, const fraud_finding *finding, size_t n_finding,
                       fraud_result *r);
/* The same facts as reasons, sorted. Returns how many. */
size_t fraud_rules_reasons(const fraud_facts *f, const fraud_finding *finding, size_t n_finding,
                           fraud_reason out[FRAUD_REASONS_MAX]);

/* "2026-11-30 14:02 UTC" */
void fraud_rules_time(int64_t ts, char out[24]);

/* Sorts reasons by |contribution|, then by code. */
void fraud_reasons_sort(fraud_reason *x, size_t n);

#endif
