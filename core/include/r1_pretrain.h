/* SPDX-License-Identifier: Apache-2.0 */
/* r1_pretrain.h - pretraining: learning from shards whose labels nobody reads. It is the first
 * stage of training.
 *
 * There are four parts: masked tokens of texts, masked columns of tables, the next item's row in
 * the common space out of the items before it, and the alignment of each pair of items in that
 * space. The alignment is symmetric InfoNCE with a learned temperature for each pair;
 * core/train/pretext.h says what exactly and after whom. A part is asked where the model's items
 * allow it. What is absent, empty, missing or the same everywhere is not asked.
 *
 * The file written is an ordinary model, for r1_train_opts.init or any session. Pretraining's own
 * heads are left out of it. The best by the validation's loss is kept.
 *
 * Threads and resumption: r1_run.h. The contrast runs over the whole batch, whatever its slices;
 * a text that lies in two slices is masked in each. */
#ifndef R1_PRETRAIN_H
#define R1_PRETRAIN_H

#include "r1_run.h"

enum { R1_PRETRAIN_PARTS = 4, R1_PRETRAIN_PAIRS_MAX = R1_ITEMS_MAX * (R1_ITEMS_MAX - 1) / 2 };

typedef struct {
    r1_run_opts run;  /* description: of the same items, with heads of its own */
    const char *init; /* GGUF to start from; its bins and tokenizer stay; NULL: new weights */
    uint32_t n_epoch; /* R1_DEFAULT_EPOCHS */
    /* samples a step (whole groups), the contrast's size, 2 to 4096; R1_DEFAULT_BATCH */
    uint32_t n_batch;
    double warmup; /* share of all steps; R1_DEFAULT_WARMUP */
    /* "MEASURE:PACING:START:FULL", core/train/curriculum.h, `mask` among the measures; NULL: all
     * samples from the start */
    const char *curriculum;
    uint32_t items_off; /* bits of items never shown */
    /* of tokens, columns, next, align; 0: 1; below 0: the part is left out */
    double weight[R1_PRETRAIN_PARTS];
    double mask; /* share of tokens and columns hidden, at most 0.9; R1_DEFAULT_MASK */
} r1_pretrain_opts;

/* Searches among pools of 256 held-out samples in the shards' order, with nothing masked. Item
 * a's row searches for b's and b's for a's, by cosine. What is equal to one's own is no
 * candidate. A tie is a miss. */
typedef struct {
    uint32_t a, b; /* items, a < b */
    /* share of searches whose own partner is above all others; NaN: no sample has both */
    double before, after;
    double chance; /* what guessing finds */
    uint64_t n;    /* searches */
} r1_retrieval;

typedef struct {
    uint64_t n_step, n_sample;
    double seconds, samples_s;
    /* of the validation, by the model that was kept; NaN: none, or not asked */
    double loss, part[R1_PRETRAIN_PARTS];
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
