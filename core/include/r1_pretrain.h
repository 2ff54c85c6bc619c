/* SPDX-License-Identifier: Apache-2.0 */
/* r1_pretrain.h - learning from shards whose labels nobody reads: the first stage of training.
 *
 * Four parts, of which those are asked that the model's items allow: masked tokens of texts,
 * masked columns of tables, the next item's row in the common space out of the items before it,
 * and the alignment of each pair of items in that space (symmetric InfoNCE with a learned
 * temperature for each pair; core/train/pretext.h says what exactly and after whom). What is
 * absent, empty, missing or the same everywhere is not asked. The file written is an ordinary
 * model, for r1_train_opts.init or any session; pretraining's own heads are left out of it. The
 * best by the validation's loss is kept. A run that is cut and resumed from its checkpoint gives
 * the same bytes as one that was not. Threads: as in r1_train.h; the contrast runs over the
 * whole batch, whatever its slices. */
#ifndef R1_PRETRAIN_H
#define R1_PRETRAIN_H

#include "r1_model.h"
#include "r1_shard.h"

enum { R1_PRETRAIN_PARTS = 4, R1_PRETRAIN_PAIRS_MAX = R1_ITEMS_MAX * (R1_ITEMS_MAX - 1) / 2 };

typedef struct {
    const char *const *train; /* shard paths, all of one feature schema */
    size_t n_train;
    const char *const *valid; /* NULL: no early stopping, no retrieval */
    size_t n_valid;
    const char *
        /* JSON; NULL: the shards' own, or the init model's. Same items; heads of its own */
        description;
    const char *init; /* GGUF to start from; keeps its bins and tokenizer; NULL */
    const char *out;  /* GGUF to write; NULL: nothing is written */
    const char *
        /* written every checkpoint_every steps and resumed from when it exists; NULL: none */
        checkpoint;
    const char *metrics; /* JSON lines, appended; NULL: none */
    const char *
        /* "MEASURE:PACING:START:FULL", core/train/curriculum.h, mask among the measures; NULL:
         * none */
        curriculum;
    double
        weight[R1_PRETRAIN_PARTS]; /* of tokens, columns, next, align; 0 = 1; below 0 = left out */
    double mask;                   /* share of tokens and columns hidden; 0 = 0.2; at most 0.9 */
    double lr;                     /* 0 = 2e-3 */
    double weight_decay;           /* 0 = 0.01 */
    double clip;                   /* of the gradient's global norm; 0 = 1 */
    double warmup;                 /* share of all steps; 0 = 0.05 */
    uint32_t n_epoch;              /* 0 = 4 */
    uint32_t n_batch; /* samples a step (whole groups), the contrast's size; 0 = 256, 2 to 4096 */
    uint32_t n_slice, n_thread; /* as in r1_train_opts; a text in two slices is masked in each */
    uint32_t checkpoint_every;  /* steps; 0 = 500 */
    uint32_t valid_every;       /* steps; 0 = once an epoch */
    uint32_t patience;          /* validations without gain before the stop; 0 = 3 */
    uint32_t items_off;         /* items never shown */
    uint64_t seed;
    uint64_t n_step_max; /* 0 = no limit; stops early without changing the schedule */
    bool progress;       /* a line on standard error */
    bool (*stopped)(
        void); /* polled each step: the run ends with a checkpoint and R1_E_CANCELLED; NULL */
} r1_pretrain_opts;

/* Searches among pools of 256 held-out samples in the shards' order, nothing masked: item a's
 * row for b's and b's for a's, by cosine. What is equal to one's own is no candidate; a tie is a
 * miss. */
typedef struct {
    uint32_t a, b; /* items, a < b */
    double before,
        /* share of searches whose own partner is above all others; NaN: no sample has both */
        after;
    double chance; /* what guessing finds */
    uint64_t n;    /* searches */
} r1_retrieval;

typedef struct {
    uint64_t n_step, n_sample;
    double seconds, samples_s;
    double loss,
        /* of the validation, by the model that was kept; NaN: none, or not asked */
        part[R1_PRETRAIN_PARTS];
    r1_retrieval pair[R1_PRETRAIN_PAIRS_MAX];
    size_t n_pair;
} r1_pretrain_report;

/* All in one: new or resume, train, write. report may be NULL. */
R1_API r1_status r1_pretrain(const r1_pretrain_opts *opts, r1_pretrain_report *report, r1_err *err);
R1_API const char *r1_pretrain_part_name(size_t part); /* "tokens", "columns", "next", "align" */

/* The searches of a model as it is: `before` of each pair, `after` NaN. pair: room for
 * R1_PRETRAIN_PAIRS_MAX. */
R1_API r1_status r1_retrieve(const r1_model *m, const char *const *shards, size_t n_shard,
                             r1_retrieval *pair, size_t *n_pair, r1_err *err);

/* The same by steps, for tests and tools. */
typedef struct r1_pretrainer r1_pretrainer;
R1_API r1_status r1_pretrainer_new(r1_pretrainer **out, const r1_pretrain_opts *opts, r1_err *err);
R1_API r1_status r1_pretrainer_step(r1_pretrainer *t, double *loss, bool *done, r1_err *err);
R1_API r1_status r1_pretrainer_checkpoint(r1_pretrainer *t, const char *path, r1_err *err);
/* Restores the best weights, searches, writes opts->out. */
R1_API r1_status r1_pretrainer_finish(r1_pretrainer *t, r1_pretrain_report *report, r1_err *err);
R1_API void r1_pretrainer_free(r1_pretrainer *t); /* NULL is fine */

#endif
