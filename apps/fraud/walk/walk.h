/* SPDX-License-Identifier: GPL-3.0-or-later */
/* walk.h - walks a recorded stream of labelled payments in order; labels arrive when they became
 * known.
 *
 * Training, evaluation and the file of columns all walk this way, through the very state that
 * serves.
 * Owns:    a source borrows its data set or payments; a queue owns its order.
 * Threads: one at a time. Errors: those of the engine and of `visit`; R1_E_NOMEM. */
#ifndef FRAUD_WALK_H
#define FRAUD_WALK_H

#include "dataset/cases.h"
#include "generate/generate.h"
#include "score/engine.h"
#include "score/sample.h"

/* A borrowed view of a data set or of generated payments. */
typedef struct {
    const fraud_dataset *dataset;
    const fraud_generated *generated;
    size_t n;
} fraud_source;
fraud_source fraud_source_dataset(const fraud_dataset *d);
fraud_source fraud_source_generated(const fraud_generated *g, size_t n);
void fraud_source_payment(const fraud_source *s, size_t i, fraud_payment *p);
uint8_t fraud_source_label(const fraud_source *s, size_t i); /* FRAUD_LABEL_* */

/* Labels that are fraudulent and may be used, in the order in which they became known. */
typedef struct {
    uint32_t *order;
    size_t n, next;
} fraud_label_queue;
r1_status fraud_label_queue_new(fraud_label_queue *q, const fraud_source *s, r1_err *err);
void fraud_label_queue_free(fraud_label_queue *q);
/* The next payment whose label is known at `now`; false: none is due. */
bool fraud_label_queue_due(fraud_label_queue *q, const fraud_source *s, int64_t now, size_t *i,
                           int64_t *ts);

typedef struct {
    uint32_t edges_max, entities_max, pairs_max; /* 0 = as the engine's */
    unsigned flags;                              /* FRAUD_CAPTURE_* */
    const uint8_t *want; /* u8[n]: 0 = state only; anything else: captured and visited */
    bool progress;
} fraud_walk_opts;
/* visit sees the state before the payment is inserted. */
typedef r1_status (*fraud_visit)(void *ctx, size_t i, const fraud_payment *p,
                                 const fraud_features *f, const fraud_state *s, r1_err *err);
r1_status fraud_walk(const fraud_source *s, const fraud_walk_opts *opts, fraud_visit visit,
                     void *ctx, r1_err *err);

/* Scores the wanted payments with an engine, in batches of FRAUD_SCORE_MAX. Score and probability
 * go to score[i] and prob[i], f64[n]; others are NaN. */
r1_status fraud_walk_score(const fraud_source *s, fraud_engine *e, const uint8_t *want,
                           bool progress, double *score, double *prob, r1_err *err);

#endif
