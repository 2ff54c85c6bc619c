/* SPDX-License-Identifier: Apache-2.0 */
/* policy_judge.c - a trained policy on shards that it never saw. */
#include "r1_reinforce.h"
#include "train/rollout.h"

enum { CASES_RUN = 256 };

typedef struct {
    r1_evidence_rules rules;
    r1_data data;
    r1_actor actor;
    r1_data_rows cases;
    r1_rollout rollout;
} bench;

static r1_status policy_judge_run(bench *b, const r1_model *m, const r1_policy_judge_opts *o,
                                  r1_policy_eval *out, r1_err *err)
{
    r1_evidence_spec spec = {o->truth, o->cost, o->door, o->given, o->n_ask_max};
    R1_TRY(r1_evidence_make(&b->rules, &spec, &b->data, err));
    R1_TRY(r1_evidence_check(&b->rules, m, "judge: the model", err));
    R1_TRY(r1_evidence_labelled(&b->rules, &b->data, o->data[0], err));
    uint32_t n_action = b->rules.n_item + b->rules.n_verdict;
    R1_TRY(r1_actor_new(&b->actor, m, o->policy ? o->policy : "act", n_action, CASES_RUN, NULL, 1,
                        err));
    R1_TRY(r1_data_rows_new(&b->cases, m->desc, CASES_RUN, err));
    R1_TRY(r1_rollout_new(&b->rollout, &b->rules, CASES_RUN, err));
    return r1_rollout_judge(&b->rollout, &b->rules, &b->actor, &b->data, &b->cases, o->each, o->ctx,
                            out, err);
}

r1_status r1_policy_judge(const r1_model *m, const r1_policy_judge_opts *opts, r1_policy_eval *out,
                          r1_err *err)
{
    bench b = {0};
    R1_TRY(r1_data_open(&b.data, opts->data, opts->n_data, err));
    r1_status st = policy_judge_run(&b, m, opts, out, err);
    r1_rollout_free(&b.rollout);
    r1_data_rows_free(&b.cases);
    r1_actor_free(&b.actor);
    r1_data_close(&b.data);
    return st;
}
