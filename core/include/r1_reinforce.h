/* SPDX-License-Identifier: Apache-2.0 */
/* r1_reinforce.h - learning which evidence to ask for, and when to stop: the second stage of training.
 *
 * The shards hold the items of all providers. A trace starts with the items `given`; at each decision the policy sees the items held so
 * far and asks for one more, at its cost, or says a verdict, which ends the trace. Reward: 1 for the right verdict, which the shards'
 * label tells, less the costs. The policy is a class head of an ordinary model with one output for each item and then one for each
 * verdict; its softmax is over what is permitted. It is trained by GRPO or its unbiased variant (core/train/policy_loss.h says which and
 * whose) on groups of traces of the same case. A run that is cut and resumed from its checkpoint gives the same bytes as one that was not.
 * One thread. */
#ifndef R1_REINFORCE_H
#define R1_REINFORCE_H

#include "r1_model.h"
#include "r1_shard.h"

typedef enum { R1_POLICY_GRPO = 0, R1_POLICY_DR_GRPO } r1_policy_variant;

typedef struct {
    const char *const *train; /* shard paths, all of one feature schema; samples without groups */
    size_t n_train;
    const char *const *valid; /* NULL: no early stopping */
    size_t n_valid;
    const char *description; /* JSON; NULL: the shards' own, or the init model's. It has the policy's head */
    const char *init;        /* GGUF to start from; NULL */
    const char *out;         /* GGUF to write (the best by the validation's reward); NULL: nothing is written */
    const char *checkpoint;  /* written every checkpoint_every steps and resumed from when it exists; NULL: none */
    const char *metrics;     /* JSON lines, appended; NULL: none */
    const char *truth;       /* the shards' head, binary or class, whose label is the right verdict; NULL: the first */
    const char *policy;      /* the model's class head with n = items + verdicts; NULL: "act" */
    const double *cost;      /* [n_item] of asking for it; NULL: 0 */
    const uint32_t *door;    /* [n_item] bits of items of which one must be held before; 0: none; NULL: none */
    uint32_t given;          /* bits of the items that every trace starts with */
    uint32_t n_ask_max;      /* hard limit of a trace; 0 = the number of items */
    r1_policy_variant variant;
    const char
        *curriculum;     /* "MEASURE:PACING:START:FULL", core/train/curriculum.h; NULL: all cases from the first step */
    double lr;           /* 0 = 1e-3 */
    double weight_decay; /* 0 = 0.01 */
    double clip;         /* of the gradient's global norm; 0 = 1 */
    double ratio_clip;   /* 0 = 0.2 */
    double kl;           /* weight of the divergence from the policy at the start; 0 = none */
    double entropy;      /* weight of the policy's entropy, gone after 4/5 of the steps; 0 = 0.05; below 0 = none */
    double warmup;       /* share of all steps; 0 = 0.02 */
    uint32_t n_step;     /* 0 = 300 */
    uint32_t n_case;     /* cases a step; 0 = 32 */
    uint32_t n_group;    /* traces a case; 0 = 16; at least 2 */
    uint32_t n_pass;     /* updates from the traces of a step; 0 = 2 */
    uint32_t checkpoint_every; /* steps; 0 = 50 */
    uint32_t valid_every;      /* steps; 0 = 25 */
    uint32_t patience;         /* validations without gain before the stop; 0 = never */
    uint64_t seed;
    uint64_t n_step_max;   /* 0 = no limit; stops early without changing the schedule */
    bool progress;         /* a line on standard error */
    bool (*stopped)(void); /* polled each step: the run ends with a checkpoint and R1_E_CANCELLED; NULL */
} r1_reinforce_opts;

/* Means over traces. */
typedef struct {
    double reward, right, cost, n_ask;
    uint64_t n;
} r1_policy_eval;

typedef struct {
    uint64_t n_step, n_trace;
    double seconds;
    r1_policy_eval valid; /* most probable actions, of the model that was kept */
} r1_reinforce_report;

R1_API r1_status r1_reinforce(const r1_reinforce_opts *opts, r1_reinforce_report *report, r1_err *err);

/* The same by steps, for tests and tools. */
typedef struct r1_reinforcer r1_reinforcer;
R1_API r1_status r1_reinforcer_new(r1_reinforcer **out, const r1_reinforce_opts *opts, r1_err *err);
/* mean: of the step's sampled traces; NULL is fine. */
R1_API r1_status r1_reinforcer_step(r1_reinforcer *t, r1_policy_eval *mean, bool *done, r1_err *err);
R1_API r1_status r1_reinforcer_checkpoint(r1_reinforcer *t, const char *path, r1_err *err);
R1_API r1_status r1_reinforcer_finish(r1_reinforcer *t, r1_reinforce_report *report, r1_err *err);
R1_API const r1_model *r1_reinforcer_model(const r1_reinforcer *t);
R1_API uint64_t r1_reinforcer_n_step(const r1_reinforcer *t); /* steps done, earlier processes included */
R1_API void r1_reinforcer_free(r1_reinforcer *t);             /* NULL is fine */

#endif
