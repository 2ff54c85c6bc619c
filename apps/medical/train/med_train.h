/* SPDX-License-Identifier: Apache-2.0 */
/* med_train.h - fits R1 as a re-ranker on published cases. The cases are cut into MED_FOLDS
 * parts by disease; for each part one model is fitted on the other parts, so that every case can
 * be judged by a model that never saw its disease, and one model on all of them is what ships.
 * The calibration of all of them is fitted on the out-of-fold logits.
 *
 * A case's own publication is left out of its features, always. Owns: the shards, which it
 * removes. Only the fits have threads. */
#ifndef MED_TRAIN_H
#define MED_TRAIN_H

#include "eval/med_cases.h"
#include "rank/med_rerank.h"

/* The learning rate where none is named. */
#define MED_DEFAULT_LR 0.001

typedef struct {
    const char *cases, *out;  /* out: model file */
    const char *folds;        /* folder for fold-0.gguf .. */
    const char *work;         /* folder for shards */
    uint32_t max_per_disease; /* 0: all */
    uint32_t n_copy; /* copies of each case with some of its findings taken away at random */
    uint32_t
        /* lists of simulated patients for each knowledge base, of diseases that no case has: a
         * shard of lists, and one of pairs for the evidence policy */
        n_simulated;
    const char *init,
        /* model and folder of fold models to start from; without folder: all from init; NULL:
         * random weights */
        *init_folds;
    bool int8;         /* quantisation-aware: r1_train_opts.int8 */
    double mean_decay; /* of the running mean of the weights; 0: none */
    uint32_t n_epoch, n_batch;
    uint32_t n_slice, n_thread; /* as in r1_run_opts */
    double lr, weight_decay;
    uint64_t seed;
    uint32_t features_off; /* bit i: feature i (MED_F_*) is hidden (NaN); for studies */
    bool calibrate_only;   /* the models are there: fit their calibration anew */
    bool shards_only;      /* write the shards, which stay, and fit nothing */
    bool progress;
} med_train_opts;

typedef struct {
    uint32_t n_group, n_sample;
    double loss; /* of none-or-disease on the out-of-fold lists, calibrated */
    r1_calibration calibration;
} med_train_report;

r1_status med_train(const med_train_opts *o, const med_kb *const *kb, size_t n_kb,
                    med_train_report *report, r1_err *err);
/* "DIR/fold-K.gguf"; of shards "DIR/fold-K.r1s", "DIR/simulated.r1s" and
 * "DIR/simulated-pairs.r1s" */
void med_fold_path(const char *dir, int fold, char *path, size_t cap);

#endif
