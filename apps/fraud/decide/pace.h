/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pace.h - what deciding remembers from payment to payment: how the scores of the last days are
 * distributed, so that a budget of alerts a day has its threshold; how often each rule has matched;
 * and how often in this hour, where it has a cap.
 *
 * (1) It changes by fraud_pace_note and fraud_pace_match alone, in the order in which payments are
 *     applied. Time is event time, counts are whole numbers: the same payments in the same order
 *     give the same thresholds, however they were split into batches, and after a restart.
 * (2) All of it is one block of plain data (fraud_pace_block), for snapshots.
 * (3) It outlives a policy: rules keep their counts by name when another policy comes.
 *
 * The threshold is the lowest logit above which the last FRAUD_PACE_DAYS days
 * had at most alerts_per_day payments a day. A span shorter than a day counts as a day, so a new
 * stream is not extrapolated from its first minutes.
 *
 * Owns:    one block.
 * Threads: one that decides; fraud_pace_rule may be called by others.
 * Errors:  R1_E_NOMEM; R1_E_FORMAT for a block of another version. */
#ifndef FRAUD_PACE_H
#define FRAUD_PACE_H

#include "r1_base.h"

enum {
    FRAUD_PACE_DAYS = 7,
    FRAUD_PACE_BINS = 512,      /* of logits from -16 to 16, 16 a unit */
    FRAUD_PACE_RECOMPUTE = 256, /* scores from one threshold to the next */
    FRAUD_PACE_RULES_MAX = 256,
    FRAUD_RULE_NAME_BYTES = 32
};

typedef struct fraud_pace fraud_pace;
r1_status fraud_pace_new(fraud_pace **out, r1_err *err);
void fraud_pace_free(fraud_pace *p); /* NULL is fine */

void fraud_pace_clear(fraud_pace *p); /* as new */

/* The bin of a logit. PostgreSQL computes the same one: floor((logit + 16) * 16), 0 to 511. */
unsigned fraud_pace_bin(float logit);
/* A payment with this score was decided. */
void fraud_pace_note(fraud_pace *p, int64_t ts_ms, float logit);
/* The same n times, between two moments of one day, when a state is built from stored decisions. */
void fraud_pace_add(fraud_pace *p, int64_t first_ms, int64_t last_ms, unsigned bin, uint32_t n);
/* The logit from which a payment is an alert at this budget; minus infinity: every one. Another
 * budget than before is computed at once. */
double fraud_pace_border(fraud_pace *p, double alerts_per_day);

/* This process decides `share` of all payments, 0 to 1, so its budgets and caps are as much of
 * those that are set. 1 at first. */
void fraud_pace_share(fraud_pace *p, double share);

/* ---- rules ---- */

/* The names of the policy in force: rules of the same name keep their counts. */
void fraud_pace_rules(fraud_pace *p, char (*name)[FRAUD_RULE_NAME_BYTES], size_t n);
/* Rule i of them has matched; shadow: it does not decide. False where it decides and its cap (0:
 * none) is used up in this hour of event time. */
bool fraud_pace_match(fraud_pace *p, size_t rule, int64_t ts_ms, uint32_t cap, bool shadow);

typedef struct {
    char name[FRAUD_RULE_NAME_BYTES];
    uint64_t hits, shadow, capped; /* it decided; it would have; its cap held it back */
} fraud_pace_count;
/* The rule of this name, where the policy has one, did so much, as stored decisions tell.
 * Hits fall into the latest hour of event time that any of them has, since 1970, and n_in_hour of
 * them came when it had begun. */
void fraud_pace_rule_add(fraud_pace *p, const fraud_pace_count *more, int64_t hour,
                         uint32_t n_in_hour);
/* The counts of rule i; false behind the last one. From any thread. */
bool fraud_pace_rule(fraud_pace *p, size_t i, fraud_pace_count *out);

/* ---- snapshots ---- */

void *fraud_pace_block(fraud_pace *p, size_t *bytes);
/* Whether the block, which was read over the one above, is whole and of this version. */
r1_status fraud_pace_check(fraud_pace *p, r1_err *err);

#endif
