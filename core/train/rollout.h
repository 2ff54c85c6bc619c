/* SPDX-License-Identifier: Apache-2.0 */
/* rollout.h - traces of evidence under a policy, many at once: what each one held, asked, said
 * and earned.
 *
 *     starts with `given` --asks--> holds one item more --asks--> ... --says a verdict--> done
 *
 * A trace's state is its case and the set of items that it holds. Traces of one case that hold
 * the same set share a node, which is run once. Random numbers are drawn trace by trace in a
 * fixed order, so the same generator gives the same traces.
 *
 * Invariants, which are asserted: a trace asks at most n_ask_max times, takes only what is
 * permitted, and decides at a node that is there. */
#ifndef R1_ROLLOUT_H
#define R1_ROLLOUT_H

#include "r1_reinforce.h"
#include "train/data_parallel.h"
#include "train/evidence.h"
#include "train/policy_loss.h"

typedef struct {
    uint32_t row;  /* of the cases in hand */
    uint32_t held; /* bits of items */
} r1_node;

/* A model with one of its class heads, run on nodes. */
typedef struct {
    void *block;       /* owned: what the buffers below lie in */
    const r1_model *m; /* borrowed */
    r1_data_parallel parallel;
    uint32_t cap, output, n_output; /* nodes a run; the head's first output and width */
    r1_sample *sample;
    uint32_t *drop;
    r1_pack_source src;
    float *logits; /* [cap][stride]: of all slices */
    float *slope;  /* the same: what is to go backward, 0 between */
} r1_actor;
/* threads (borrowed, NULL: the caller alone) and n_slice as in data_parallel.h. */
r1_status r1_actor_new(r1_actor *a, const r1_model *m, const char *head, uint32_t n_output,
                       uint32_t cap, r1_thread_pool *threads, uint32_t n_slice, r1_err *err);
void r1_actor_free(r1_actor *a);
/* At most cap nodes. Logits of node i are then at r1_actor_logits(a) + i * r1_actor_stride(a). */
r1_status r1_actor_run(r1_actor *a, const r1_data *d, const r1_data_rows *cases,
                       const r1_node *node, size_t n, r1_err *err);
const float *r1_actor_logits(const r1_actor *a);
float *r1_actor_grad(const r1_actor *a);
/* After a run, and after its gradient has been added to r1_actor_grad: adds to the slices'
 * gradients of the weights; r1_actor_grad is 0 again. */
r1_status r1_actor_backward(r1_actor *a, r1_err *err);
static inline size_t r1_actor_stride(const r1_actor *a)
{
    return (size_t)a->m->net.n_position * a->m->desc->n_output;
}

typedef struct {
    uint32_t row, held, n_decision;
    uint32_t node; /* where it stands, or stood when it spoke */
    uint32_t verdict;
    bool done, right;
    double cost, reward; /* reward: right less cost */
} r1_trace;

typedef struct {
    void *block; /* owned: what the buffers below lie in */
    r1_node *node;
    float *logits;         /* [n_node][n_action] */
    r1_decision *decision; /* in the order of their nodes; row = node */
    r1_trace *trace;       /* those of a case side by side */
    size_t n_node, n_decision, n_trace, cap;
    uint32_t n_action, n_item;
    /* Of traces without an actor: it keeps them from speaking at once. 0: every action is as
     * likely. */
    float reserve;
} r1_rollout;

r1_status r1_rollout_new(r1_rollout *r, const r1_evidence_rules *rules, size_t n_trace,
                         r1_err *err);
void r1_rollout_free(r1_rollout *r);
/* n_group traces of each case. actor NULL: every permitted item is as likely, and a verdict less
 * so by the factor e^-reserve. greedy: the most probable action, the first of equals. */
r1_status r1_rollout_run(r1_rollout *r, const r1_evidence_rules *rules, r1_actor *actor,
                         const r1_data *d, const r1_data_rows *cases, uint32_t n_group, bool greedy,
                         r1_rng *rng, r1_err *err);
/* Adds what the traces earned to sums; divides them by their number. */
void r1_rollout_add(r1_policy_eval *sum, const r1_rollout *r);
void r1_rollout_means(r1_policy_eval *sum);
/* Every case of d, one trace each, most probable actions; each as in r1_policy_judge_opts. cases
 * and r: working space. */
r1_status r1_rollout_judge(r1_rollout *r, const r1_evidence_rules *rules, r1_actor *actor,
                           const r1_data *d, r1_data_rows *cases,
                           void (*each)(void *ctx, uint64_t id, uint32_t held, uint32_t verdict,
                                        bool right),
                           void *ctx, r1_policy_eval *out, r1_err *err);

#endif
