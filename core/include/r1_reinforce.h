/* SPDX-License-Identifier: Apache-2.0 */
/* r1_reinforce.h - reinforcement: learning which evidence to ask for, and when to stop. It is a
 * stage of training.
 *
 * The shards hold the items of all providers. A trace starts with the items `given`. At each
 * decision the policy sees the items held so far. It asks for one more, at its cost, or says a
 * verdict, which ends the trace. The reward is 1 for the right verdict, which the shards' label
 * tells, less the costs.
 *
 * The policy is a class head of an ordinary model, with one output for each item and then one for
 * each verdict. Its softmax is over what is permitted. It is trained by GRPO or its unbiased
 * variant on groups of traces of the same case; core/train/policy_loss.h says which and whose.
 *
 * Threads and resumption: r1_run.h. Runs of nodes are cut into slices, as batches are. */
#ifndef R1_REINFORCE_H
#define R1_REINFORCE_H

#include "r1_run.h"

typedef enum { R1_POLICY_GRPO = 0, R1_POLICY_DR_GRPO } r1_policy_variant;

typedef struct {
    /* description: with the policy's head. train: samples without groups. The best by the
     * validation's reward is kept. */
    r1_run_opts run;
    const char *init; /* GGUF to start from, under the heads of `description`; NULL: new weights */
    /* the shards' head, binary or class, whose label is the right verdict; NULL: the first */
    const char *truth;
    const char *policy; /* the class head with items + verdicts; R1_DEFAULT_POLICY_HEAD */
    const double *cost; /* [n_item] of asking for it; NULL: 0 */
    /* [n_item] bits of items of which one must be held before; 0: none; NULL: none */
    const uint32_t *door;
    uint32_t given;     /* bits of the items that every trace starts with */
    uint32_t n_ask_max; /* hard limit of a trace; 0: the number of items */
    uint32_t n_step;    /* R1_DEFAULT_STEPS */
    uint32_t n_case;    /* cases a step; R1_DEFAULT_CASES */
    uint32_t n_group;   /* traces a case, at least 2; R1_DEFAULT_TRACES */
    uint32_t n_pass;    /* updates from the traces of a step; R1_DEFAULT_PASSES */
    double warmup;      /* share of all steps; R1_DEFAULT_WARMUP_REINFORCE */
    /* "MEASURE:PACING:START:FULL", core/train/curriculum.h; NULL: all cases from the start */
    const char *curriculum;
    double beta; /* CAWA's, as in r1_train_opts */
    r1_policy_variant variant;
    const char *reward_model; /* GGUF of r1_reward_train; NULL: the label alone judges */
    /* w of the reward (1 - w) right + w worth - cost; R1_DEFAULT_REWARD_SHARE */
    double reward_share;
    double ratio_clip; /* R1_DEFAULT_RATIO_CLIP */
    double kl;         /* weight of the divergence from the policy at the start; 0: none */
    /* weight of the policy's entropy, gone after 4/5 of the steps; R1_DEFAULT_ENTROPY; below 0:
     * none */
    double entropy;
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

/* The reward model tells from a trace, the items held and the verdict said, the chance that the
 * verdict is right. It is trained by contrasting traces of the same case with right and with
 * wrong verdicts. The loss is pairwise ranking (Bradley and Terry 1952; Christiano et al. 2017)
 * and a contrastive term (InfoNCE, van den Oord et al. 2018: each right trace against all wrong
 * ones of its case). Then it is calibrated on the validation's traces. Its head is a class head
 * with one output for each verdict. Mixed into the reward it keeps the mean that the label has,
 * and takes away the noise of lucky and unlucky verdicts. */
typedef struct {
    /* valid is needed: the first half of its cases stops and calibrates, the other half judges.
     * description: with the head. */
    r1_run_opts run;
    const char *truth;    /* as above */
    const char *head;     /* R1_DEFAULT_REWARD_HEAD */
    const uint32_t *door; /* as above */
    uint32_t given, n_ask_max;
    uint32_t n_step;    /* R1_DEFAULT_STEPS */
    uint32_t n_case;    /* cases a step; R1_DEFAULT_CASES */
    uint32_t n_group;   /* traces a case, at least 2; R1_DEFAULT_TRACES */
    double beta;        /* CAWA's, as in r1_train_opts */
    double contrast;    /* weight of the contrastive term; R1_DEFAULT_CONTRAST; below 0: none */
    double temperature; /* of that term; R1_DEFAULT_TEMPERATURE */
    /* traces ask at random and speak e^-reserve times as readily; R1_DEFAULT_RESERVE */
    double reserve;
    /* each trace of the cases that agreement is judged on, those of a case in a row; NULL */
    void (*each)(void *ctx, uint64_t id, uint32_t held, uint32_t verdict, bool right, double worth);
    void *ctx;
} r1_reward_opts;

typedef struct {
    /* of pairs of a right and a wrong trace of one unseen case: share ordered rightly, ties half */
    double agreement;
    double auc, ece; /* of "right" over all those traces; ece calibrated */
    uint64_t n_pair, n_trace, n_step;
    double seconds;
} r1_reward_report;

R1_API r1_status r1_reward_train(const r1_reward_opts *opts, r1_reward_report *report, r1_err *err);

#endif
