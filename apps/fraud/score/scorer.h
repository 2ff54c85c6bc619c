/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scorer.h - fraud-s at work: an opened model with a session and the buffers of one batch.
 *
 * A score depends on the captured columns alone: working-memory entries are encoded from the events that the slot holds, so that a
 * rebuilt state, another batch or another process gives the same bits.
 * Owns: model, session, buffers; nothing allocates in fraud_scorer_run. Threads: one at a time. */
#ifndef FRAUD_SCORER_H
#define FRAUD_SCORER_H

#include "sample.h"

typedef struct fraud_scorer fraud_scorer;

enum { FRAUD_SCORER_BATCH = 64 };

/* off: FRAUD_CAPTURE_* and FRAUD_SAMPLE_TEXT bits that are left out. A file of another feature schema is refused. */
r1_status fraud_scorer_new(fraud_scorer **out, const char *path, unsigned off, r1_err *err);
void fraud_scorer_free(fraud_scorer *s); /* NULL is fine */
const char *fraud_scorer_name(const fraud_scorer *s);
uint64_t fraud_scorer_hash(const fraud_scorer *s); /* of the file's bytes */
uint64_t fraud_scorer_schema(const fraud_scorer *s);

typedef struct {
    const fraud_features *features;
    const fraud_payment *payment;
    double logit, prob, prior;  /* calibrated */
    double delta[FRAUD_N_ITEM]; /* prior + the sum in order = logit */
} fraud_scoring;
/* n at most FRAUD_SCORER_BATCH. */
r1_status fraud_scorer_run(fraud_scorer *s, fraud_scoring *x, size_t n, r1_err *err);

#endif
