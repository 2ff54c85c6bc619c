/* SPDX-License-Identifier: Apache-2.0 */
/* r1_run.h - what every stage of training takes, and the default of every option of training.
 *
 * Each stage's options begin with an r1_run_opts named `run`:
 *
 *     (r1_train_opts){.run = {.train = &path, .n_train = 1, .out = "m.gguf"}, .n_epoch = 8}
 *
 * A field that is 0 or NULL means its default, which is one of the constants below or said at the
 * field. The command line prints the same constants.
 *
 * A run that is cut and goes on from its checkpoint gives the same bytes as one that was not.
 *
 * Ownership: strings and arrays are borrowed until the run has ended.
 * Threads: a batch is cut into n_slice slices, which n_thread threads work off. The number of
 * slices decides in which order gradients are added, so it belongs to a run like its seed. The
 * number of threads changes no bit, and may change between a run and its resumption. */
#ifndef R1_RUN_H
#define R1_RUN_H

#include "r1_model.h"
#include "r1_shard.h"

/* Of all stages. */
#define R1_DEFAULT_WEIGHT_DECAY 0.01
#define R1_DEFAULT_CLIP         1
#define R1_DEFAULT_SLICES       1
/* The highest learning rate: of reinforcement, of all other stages. */
#define R1_DEFAULT_LR_REINFORCE 0.001
#define R1_DEFAULT_LR           0.002
/* Of stages that go over the data in epochs: pretraining and finetuning. They validate once an
 * epoch unless they are told otherwise. */
#define R1_DEFAULT_EPOCHS           4
#define R1_DEFAULT_BATCH            256
#define R1_DEFAULT_WARMUP           0.05
#define R1_DEFAULT_PATIENCE         3
#define R1_DEFAULT_CHECKPOINT_EVERY 500
/* Of stages that draw cases and run traces on them: reinforcement and the reward model. They do
 * not stop early unless they are told so. */
#define R1_DEFAULT_STEPS                  300
#define R1_DEFAULT_CASES                  32
#define R1_DEFAULT_TRACES                 16
#define R1_DEFAULT_CASES_CHECKPOINT_EVERY 50
#define R1_DEFAULT_CASES_VALID_EVERY      25
/* Of finetuning. */
#define R1_DEFAULT_ITEM_DROP 0.05
/* Of pretraining. */
#define R1_DEFAULT_MASK 0.2
/* Of reinforcement. */
#define R1_DEFAULT_WARMUP_REINFORCE 0.02
#define R1_DEFAULT_RATIO_CLIP       0.2
#define R1_DEFAULT_ENTROPY          0.05
#define R1_DEFAULT_REWARD_SHARE     0.5
#define R1_DEFAULT_PASSES           2
#define R1_DEFAULT_POLICY_HEAD      "act"
/* Of the reward model. */
#define R1_DEFAULT_CONTRAST    0.5
#define R1_DEFAULT_TEMPERATURE 0.5
#define R1_DEFAULT_RESERVE     1.5
#define R1_DEFAULT_REWARD_HEAD "worth"

typedef struct {
    const char *const *train; /* [n_train] shard paths, all of one feature schema */
    size_t n_train;
    const char *const *valid; /* [n_valid]; NULL: no early stopping and nothing judged */
    size_t n_valid;
    /* JSON; NULL: the shards' own, or that of the model that the run starts from */
    const char *description;
    /* GGUF to write, the best by the validation; NULL: nothing is written */
    const char *out;
    /* Written every checkpoint_every steps, and resumed from when it exists; NULL: none. */
    const char *checkpoint;
    const char *metrics;       /* JSON lines, appended; NULL: none */
    double lr;                 /* the highest learning rate */
    double weight_decay;       /* of matrices; R1_DEFAULT_WEIGHT_DECAY */
    double clip;               /* largest global norm of a gradient; R1_DEFAULT_CLIP */
    uint32_t n_slice;          /* of a batch, 1 to 64; R1_DEFAULT_SLICES */
    uint32_t n_thread;         /* 0: one for each processor; at most n_slice work */
    uint32_t checkpoint_every; /* steps */
    uint32_t valid_every;      /* steps; 0: R1_DEFAULT_CASES_VALID_EVERY, or once an epoch */
    uint32_t patience;         /* validations without gain before the stop; 0: as said above */
    uint64_t seed;
    uint64_t n_step_max; /* stops early without changing the schedule; 0: no limit */
    bool progress;       /* prints a line on standard error */
    /* Polled after each step. True ends the run with a checkpoint and R1_E_CANCELLED; NULL. */
    bool (*stopped)(void);
} r1_run_opts;

#endif
