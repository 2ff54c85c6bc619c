/* SPDX-License-Identifier: GPL-3.0-or-later */
/* model_fit.h - from recorded payments to a trained model file: shards by the walk, training by
 * libr1.
 *
 * Shards lie in a folder of their own, and fraud_fit_free removes them. A good payment is kept by
 * chance: opts.inner_share between two accounts, opts.outer_share elsewhere. It then weighs one
 * over that share, so that the probabilities stay true.
 * Owns:    the shards. Threads: one at a time. Errors: the trainer's, R1_E_INVAL, R1_E_NOMEM. */
#ifndef FRAUD_MODEL_FIT_H
#define FRAUD_MODEL_FIT_H

#include "r1_train.h"
#include "walk/walk.h"

typedef struct {
    const char *folder; /* for shards; made when absent */
    fraud_description_opts description;
    /* model file to start from, which keeps its columns' bins; NULL: from random weights */
    const char *init;
    double inner_share, outer_share;                /* 0 = 1 */
    double lr, weight_decay, item_drop, mean_decay; /* 0 = the trainer's */
    uint32_t n_epoch, n_batch, patience;
    uint32_t n_slice, n_thread; /* as in r1_run_opts */
    bool int8;                  /* quantisation-aware: r1_train_opts.int8 */
    unsigned off;               /* FRAUD_CAPTURE_* and FRAUD_SAMPLE_TEXT bits that are left out */
    uint64_t seed;              /* of the choice of good payments */
    bool progress;
    bool keep; /* the shards stay when the fit is freed */
} fraud_fit_opts;

typedef struct fraud_fit fraud_fit;
r1_status fraud_fit_new(fraud_fit **out, const fraud_fit_opts *opts, r1_err *err);
void fraud_fit_free(fraud_fit *f); /* NULL is fine */
/* Adds one recording as one pair of shards; use: FRAUD_USE_TRAIN and FRAUD_USE_VALID are taken. */
r1_status fraud_fit_add(fraud_fit *f, const fraud_source *s, const uint8_t *use, r1_err *err);
/* May be called again with another seed; report: of the model that was kept. */
r1_status fraud_fit_run(fraud_fit *f, uint64_t seed, const char *out, r1_train_report *report,
                        r1_err *err);
/* The lowest probability whose alerts on the validation payments are right as often as
 * `precision` says (good payments that were left out are counted by their weight); prob is above
 * 1 where no alert is. */
typedef struct {
    double prob, precision, recall, rate; /* rate: alerts over all payments */
} fraud_fit_threshold;
r1_status fraud_fit_threshold_at(const fraud_fit *f, const char *model, double precision,
                                 fraud_fit_threshold *out, r1_err *err);
/* Share of fraud in what was added, among inner transfers or all payments. */
double fraud_fit_prevalence(const fraud_fit *f, bool inner);

#endif
