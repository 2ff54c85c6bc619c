/* SPDX-License-Identifier: Apache-2.0 */
/* r1_train.h - finetuning and evaluation over shards: heads that learn from labels.
 *
 * AdamW (Loshchilov and Hutter 2019) with linear warm-up and cosine decay, and gradients clipped
 * by their global norm. Where one is asked for, a running mean of the weights (Polyak and
 * Juditsky 1992) is validated and kept. The validation shards stop the training early, and a
 * temperature and a bias are fitted there (Platt 1999; Guo et al. 2017).
 *
 * Threads and resumption: r1_run.h. */
#ifndef R1_TRAIN_H
#define R1_TRAIN_H

#include "r1_run.h"

/* What early stopping watches. TOP1: the share of rank groups with the best on top. */
typedef enum { R1_STOP_LOSS = 0, R1_STOP_AP, R1_STOP_TOP1 } r1_stop_metric;

typedef struct {
    r1_run_opts run;
    /* GGUF to start from, of the same items; NULL: new weights. Its bins and tokenizer stay. Its
     * heads stay where they are the description's; else it gets new ones, as after the reinforce
     * stage. */
    const char *init;
    uint32_t n_epoch; /* R1_DEFAULT_EPOCHS */
    uint32_t n_batch; /* samples a step (whole groups); R1_DEFAULT_BATCH */
    double warmup;    /* share of all steps; R1_DEFAULT_WARMUP */
    /* "MEASURE:PACING:START:FULL", core/train/curriculum.h; NULL: all samples from the start */
    const char *curriculum;
    uint32_t items_off; /* bits of items never shown */
    /* Decay of the running mean of the weights, which is what is validated and kept, below 1;
     * 0: none. */
    double mean_decay;
    double beta; /* CAWA's, up to 0.9; 0: the init model's or the description's; -1: beta 0 */
    /* chance that an item is hidden from a sample; R1_DEFAULT_ITEM_DROP; -1: none */
    double item_drop;
    /* Quantisation-aware: linear layers round by learned scales (core/tensor/ops/lsq.c). The
     * scales begin where they fit the first batch, are validated in an int8 session and stored
     * with the model. On where `init` has scales. */
    bool int8;
    bool isotonic; /* binary heads: a monotone map after scale and bias */
    r1_stop_metric metric;
    uint32_t head;      /* of AP and TOP1 */
    uint32_t run_flags; /* R1_RUN_* of r1_session.h: factors off in training too */
} r1_train_opts;

typedef struct {
    double loss;      /* weighted mean at the final position */
    double auc, ap;   /* of a binary head; NaN when a class is missing */
    double top1, mrr; /* of a rank head */
    double ece;       /* 15 equal-mass bins, binary head */
    uint64_t n, n_positive;
} r1_eval;

typedef struct {
    uint64_t n_step, n_sample;
    double seconds;
    double samples_s;
    r1_eval valid; /* of the model that was kept, calibrated */
    r1_eval raw;   /* the same before its calibration */
    /* Binary head: each half of the validation calibrated by the other. valid.ece is on what it
     * was fitted to. */
    double ece_crossed;
} r1_train_report;

/* All in one: new or resume, train, calibrate, write. report may be NULL. */
R1_API r1_status r1_train(const r1_train_opts *opts, r1_train_report *report, r1_err *err);

/* The same by steps, for tests and tools. */
typedef struct r1_trainer r1_trainer;
R1_API r1_status r1_trainer_new(r1_trainer **out, const r1_train_opts *opts,
                                r1_err *err); /* resumes when checkpoint exists */
R1_API r1_status r1_trainer_step(r1_trainer *t, double *loss, bool *done, r1_err *err);
R1_API r1_status r1_trainer_checkpoint(r1_trainer *t, const char *path, r1_err *err);
/* Restores the best weights, fits the calibration, writes opts->out. */
R1_API r1_status r1_trainer_finish(r1_trainer *t, r1_train_report *report, r1_err *err);
R1_API const r1_model *r1_trainer_model(const r1_trainer *t);
R1_API void r1_trainer_free(r1_trainer *t);

typedef struct {
    uint32_t head, run_flags, items_off, n_step; /* as in r1_batch */
    uint32_t n_batch;                            /* 0 = 256 */
    const char *backend;                         /* as in r1_session_opts */
    bool int8;                                   /* score with R1_PRECISION_INT8 */
    /* called per sample with the calibrated logit of `head`; NULL */
    void (*each)(void *ctx, uint64_t id, uint64_t group, float label, float logit);
    void *ctx;
} r1_eval_opts;
R1_API r1_status r1_evaluate(const r1_model *m, const char *const *shards, size_t n_shard,
                             const r1_eval_opts *opts, r1_eval *result, r1_err *err);

/* Figures over arrays, for anyone: scores with 0/1 labels. NaN when one class is missing. Ties
 * are handled exactly. */
R1_API double r1_metric_auc(const float *score, const float *label, size_t n);
R1_API double r1_metric_ap(const float *score, const float *label, size_t n);

/* Two scorings of the same samples beside each other, for instance f32 and int8. */
typedef struct {
    const float *first, *second; /* [n]: logits */
    const float *label;          /* [n]: 0 or 1 */
    /* [n] or NULL. Binary: samples that hang together (a ring) are drawn as one, 0: alone. Rank:
     * runs of equal numbers are one choice. */
    const uint64_t *group;
    size_t n;
    bool rank;
    uint32_t n_draw; /* of the bootstrap; 0 = 1000 */
    uint64_t seed;
} r1_compare_opts;

typedef struct {
    double first, second; /* average precision; rank: share of groups with the label on top */
    double low, high;     /* of second - first: 95 %, by a paired bootstrap */
    double kl;            /* mean divergence of the second's probabilities from the first's */
    double agree; /* share of the same verdict: side of probability 1/2; first of the group */
} r1_comparison;

R1_API r1_status r1_compare(const r1_compare_opts *opts, r1_comparison *out, r1_err *err);

/* Rows of the common space, f32[d_align] as the encoder gives them, of one item of every sample
 * that has it, in the shards' order: what pretraining aligns (r1_pretrain.h), for retrieval
 * across modalities and for long-term memory. id: the sample's. */
R1_API r1_status r1_embed(const r1_model *m, const char *const *data, size_t n_data, uint32_t item,
                          void (*each)(void *ctx, uint64_t id, const float *row), void *ctx,
                          r1_err *err);

#endif
