/* SPDX-License-Identifier: Apache-2.0 */
/* r1_reinforce.h - learning which evidence to ask for, and when to stop: the second stage of
 * training.
 *
 * The shards hold the items of all providers. A trace starts with the items `given`; at each
 * decision the policy sees the items held so far and asks for one more, at its cost, or says a
 * verdict, which ends the trace. Reward: 1 for the right verdict, which the shards' label tells,
 * less the costs. The policy is a class head of an ordinary model with one output for each item
 * and then one for each verdict; its softmax is over what is permitted. It is trained by GRPO or
 * its unbiased variant (core/train/policy_loss.h says which and whose) on groups of traces of
 * the same case. A run that is cut and resumed from its checkpoint gives the same bytes as one
 * that was not. Threads: runs of nodes are cut into slices, as r1_train.h says of batches. */
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
    const char *
        /* JSON; NULL: the shards' own, or the init model's. It has the policy's head */
        description;
    const char *init; /* GGUF to start from, under the heads of `description`; NULL */
    const char
        *out; /* GGUF to write (the best by the validation's reward); NULL: nothing is written */
    const char *
        /* written every checkpoint_every steps and resumed from when it exists; NULL: none */
        checkpoint;
    const char *metrics; /* JSON lines, appended; NULL: none */
    const char *
        /* the shards' head, binary or class, whose label is the right verdict; NULL: the first */
        truth;
    const char *policy; /* the model's class head with n = items + verdicts; NULL: "act" */
    const double *cost; /* [n_item] of asking for it; NULL: 0 */
    const uint32_t
        *door; /* [n_item] bits of items of which one must be held before; 0: none; NULL: none */
    uint32_t given;     /* bits of the items that every trace starts with */
    uint32_t n_ask_max; /* hard limit of a trace; 0 = the number of items */
    r1_policy_variant variant;
    const char *reward_model; /* GGUF of r1_reward_train; NULL: the label alone judges */
    double reward_share;      /* w of the reward (1 - w) right + w worth - cost; 0 = 0.5 */
    const char *
        /* "MEASURE:PACING:START:FULL", core/train/curriculum.h; NULL: all cases from the start */
        curriculum;
    double lr;           /* 0 = 1e-3 */
    double weight_decay; /* 0 = 0.01 */
    double clip;         /* of the gradient's global norm; 0 = 1 */
    double ratio_clip;   /* 0 = 0.2 */
    double beta;         /* CAWA's, as in r1_train_opts */
    double kl;           /* weight of the divergence from the policy at the start; 0 = none */
    double
        /* weight of the policy's entropy, gone after 4/5 of the steps; 0 = 0.05; below 0 = none */
        entropy;
    double warmup;              /* share of all steps; 0 = 0.02 */
    uint32_t n_step;            /* 0 = 300 */
    uint32_t n_case;            /* cases a step; 0 = 32 */
    uint32_t n_group;           /* traces a case; 0 = 16; at least 2 */
    uint32_t n_pass;            /* updates from the traces of a step; 0 = 2 */
    uint32_t n_slice, n_thread; /* as in r1_train_opts */
    uint32_t checkpoint_every;  /* steps; 0 = 50 */
    uint32_t valid_every;       /* steps; 0 = 25 */
    uint32_t patience;          /* validations without gain before the stop; 0 = never */
    uint64_t seed;
    uint64_t n_step_max; /* 0 = no limit; stops early without changing the schedule */
    bool progress;       /* a line on standard error */
    bool (*stopped)(
        void); /* polled each step: the run ends with a checkpoint and R1_E_CANCELLED; NULL */
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

R1_API r1_status r1_reinforce(const r1_reinforce_opts *opts, r1_reinforce_report *report,
                              r1_err *err);

/* The same by steps, for tests and tools. */
typedef struct r1_reinforcer r1_reinforcer;
R1_API r1_status r1_reinforcer_new(r1_reinforcer **out, const r1_reinforce_opts *opts, r1_err *err);
/* mean: of the step's sampled traces; NULL is fine. */
R1_API r1_status r1_reinforcer_step(r1_reinforcer *t, r1_policy_eval *mean, bool *done,
                                    r1_err *err);
R1_API r1_status r1_reinforcer_checkpoint(r1_reinforcer *t, const char *path, r1_err *err);
R1_API r1_status r1_reinforcer_finish(r1_reinforcer *t, r1_reinforce_report *report, r1_err *err);
R1_API const r1_model *r1_reinforcer_model(const r1_reinforcer *t);
R1_API uint64_t
r1_reinforcer_n_step(const r1_reinforcer *t);     /* steps done, earlier processes included */
R1_API void r1_reinforcer_free(r1_reinforcer *t); /* NULL is fine */

/* A policy as it serves: its most probable actions on every labelled sample of some shards. */
typedef struct {
    const char *const *data; /* shard paths */
    size_t n_data;
    const char *policy, *truth; /* heads, as above */
    const double *cost;         /* as above */
    const uint32_t *door;       /* as above */
    uint32_t given, n_ask_max;
    /* each sample: the items held at its end and the verdict; NULL */
    void (*each)(void *ctx, uint64_t id, uint32_t held, uint32_t verdict, bool right);
    void *ctx;
} r1_policy_judge_opts;

R1_API r1_status r1_policy_judge(const r1_model *m, const r1_policy_judge_opts *opts,
                                 r1_policy_eval *out, r1_err *err);

/* ---- the reasoning reward model -------------------------------------------------------------- */

/* A model that tells from a trace, the items held and the verdict said, what its reasoning is
 * worth: the chance that it is right. It is trained by contrasting traces of the same case with
 * right and with wrong verdicts: pairwise ranking (Bradley and Terry 1952; Christiano et al.
 * 2017) and a contrastive term (InfoNCE, van den Oord et al. 2018: each right trace against all
 * wrong ones of its case), then calibrated on the validation's traces. Its head is a class head
 * with one output for each verdict. Mixed into the reward it keeps the mean that the label has
 * and takes away the noise of lucky and unlucky verdicts. */
typedef struct {
    const char *const *train; /* as above */
    size_t n_train;
    const char *const *
        valid; /* the first half of its cases stops and calibrates, the other half judges; needed */
    size_t n_valid;
    const char *description; /* JSON with the head; NULL: the shards' own */
    const char *out;         /* GGUF; NULL */
    const char *checkpoint;  /* as above */
    const char *metrics;     /* JSON lines, appended; NULL */
    const char *truth;       /* as above */
    const char *head;        /* NULL: "worth" */
    const uint32_t *door;    /* as above */
    uint32_t given, n_ask_max;
    double beta;         /* CAWA's, as in r1_train_opts */
    double lr;           /* 0 = 2e-3 */
    double weight_decay; /* 0 = 0.01 */
    double clip;         /* 0 = 1 */
    double contrast;     /* weight of the contrastive term; 0 = 0.5; below 0 = none */
    double temperature;  /* of that term; 0 = 0.5 */
    double reserve;      /* traces ask at random and speak e^-reserve times as readily; 0 = 1.5 */
    uint32_t n_step;     /* 0 = 300 */
    uint32_t n_case;     /* cases a step; 0 = 32 */
    uint32_t n_group;    /* traces a case; 0 = 16 */
    uint32_t n_slice, n_thread; /* as in r1_train_opts */
    uint32_t checkpoint_every;  /* 0 = 50 */
    uint32_t valid_every;       /* steps; 0 = 25 */
    uint32_t
        /* validations without gain before the stop; 0 = never. The best is kept either way */
        patience;
    uint64_t seed;
    uint64_t n_step_max;   /* as above */
    bool progress;         /* a line on standard error */
    bool (*stopped)(void); /* as above */
    /* each trace of the cases that agreement is judged on, those of a case in a row; NULL */
    void (*each)(void *ctx, uint64_t id, uint32_t held, uint32_t verdict, bool right, double worth);
    void *ctx;
} r1_reward_opts;

typedef struct {
    double
        /* of pairs of a right and a wrong trace of one unseen case: share ordered rightly, ties
         * half */
        agreement;
    double auc, ece; /* of "right" over all those traces; ece calibrated */
    uint64_t n_pair, n_trace, n_step;
    double seconds;
} r1_reward_report;

R1_API r1_status r1_reward_train(const r1_reward_opts *opts, r1_reward_report *report, r1_err *err);

#endif
