/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scorer.h - fraud-s at work: an opened model with a session, its working memory and the buffers
 * of one batch.
 *
 * A score depends on the captured columns and on the entries that they refer to. Each entry is
 * made from its own payment alone. So a rebuilt state, another batch or another process gives the
 * same bits.
 * Owns:    model, session, memory, buffers; nothing allocates in fraud_scorer_run.
 * Threads: one at a time scores; the owner of the memory may be another.
 * Errors:  R1_E_FORMAT for a file of other columns, and the session's. */
#ifndef FRAUD_SCORER_H
#define FRAUD_SCORER_H

#include "score/moved.h"
#include "score/recall.h"
#include "score/result.h"
#include "score/sample.h"

enum { FRAUD_COLUMN_NAME_BYTES = 64 };

typedef struct fraud_scorer fraud_scorer;

/* off: FRAUD_CAPTURE_* and FRAUD_SAMPLE_TEXT bits that are left out. A file of another feature
 * schema is refused. */
r1_status fraud_scorer_new(fraud_scorer **out, const char *path, unsigned off,
                           r1_precision precision, uint32_t rings_max, r1_err *err);
void fraud_scorer_free(fraud_scorer *s); /* NULL is fine */
const char *fraud_scorer_name(const fraud_scorer *s);
uint64_t fraud_scorer_hash(const fraud_scorer *s); /* of the file's bytes */
uint64_t fraud_scorer_schema(const fraud_scorer *s);

typedef struct {
    const fraud_features *features;
    const fraud_payment *payment;
    double logit, prob, prior;  /* calibrated */
    double delta[FRAUD_N_ITEM]; /* prior + the sum in order = logit */
    uint8_t n_outside;          /* as in fraud_result, from here on */
    char outside[FRAUD_COLUMN_NAME_BYTES];
    double amount_max; /* of the currency's unit, where the amount lies far above; else 0 */
} fraud_scoring;
/* Column i, from 0, that was ever far outside of what training saw, as "receiver.in_n_1h", and of
 * how many payments. false behind the last one. */
bool fraud_scorer_outside(const fraud_scorer *s, size_t i, char name[FRAUD_COLUMN_NAME_BYTES],
                          uint64_t *n);
/* How far the scored payments have moved from training. */
const fraud_moved *fraud_scorer_moved(const fraud_scorer *s);
/* Payments whose score is unsure for it (fraud_result.n_outside). */
uint64_t fraud_scorer_unsure(const fraud_scorer *s);
/* The accounts' working memory; NULL where it is off. */
fraud_recall *fraud_scorer_recall(const fraud_scorer *s);
/* x: n <= FRAUD_SCORE_MAX payments of the batch b of fraud_scorer_recall, NULL without it. Those
 * that are left out may only be released. */
r1_status fraud_scorer_run(fraud_scorer *s, fraud_recall_batch *b, fraud_scoring *x, size_t n,
                           r1_err *err);
/* The same for payments captured at any time, whose features hold the columns of the events that
 * they refer to: entries are made anew from these, in a memory of their own. */
r1_status fraud_scorer_run_kept(fraud_scorer *s, fraud_scoring *x, size_t n, r1_err *err);

#endif
