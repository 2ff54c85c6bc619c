/* SPDX-License-Identifier: Apache-2.0 */
/* rollout.c - traces advance side by side, one decision at a time, so that the model sees large
 * batches. */
#include "train/rollout.h"

#include "r1_assert.h"
#include "train/carve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- a model on nodes ------------------------------------------------------------------------ */

static const r1_head_desc *find_head(const r1_desc *d, const char *name)
{
    for (uint32_t h = 0; h < d->n_headc; h++)
        if (strcmp(d->head[h].name, name) == 0) return &d->head[h];
    return NULL;
}

static void carve_actor(void *actor, r1_carver *c)
{
    r1_actor *a = actor;
    size_t floats = a->cap * r1_actor_stride(a);
    a->sample = r1_carve(c, a->cap, sizeof *a->sample);
    a->drop = r1_carve(c, a->cap, sizeof *a->drop);
    a->logits = r1_carve(c, floats, sizeof *a->logits);
    a->slope = r1_carve(c, floats, sizeof *a->slope);
}

r1_status r1_actor_new(r1_actor *a, const r1_model *m, const char *head, uint32_t n_output,
                       uint32_t cap, r1_thread_pool *threads, uint32_t n_slice, r1_err *err)
{
    const r1_head_desc *h = find_head(m->desc, head);
    if (!h || h->kind != R1_HEAD_CLASS || h->n != n_output)
        R1_FAIL(err, R1_E_INVAL,
                "head \"%s\": expected a class head with %u outputs, found %s with %u", head,
                n_output,
                !h                         ? "none"
                : h->kind == R1_HEAD_CLASS ? "one"
                                           : "another kind",
                h ? h->n : 0);
    *a = (r1_actor){.m = m, .cap = cap, .output = h->output, .n_output = n_output};
    a->block = r1_carve_block(carve_actor, a);
    if (!a->block) R1_FAIL(err, R1_E_NOMEM, "policy: out of memory");
    r1_status st = r1_data_parallel_new(&a->parallel, m, threads, n_slice, cap, 1, err);
    if (st != R1_OK) r1_actor_free(a);
    return st;
}

void r1_actor_free(r1_actor *a)
{
    r1_data_parallel_free(&a->parallel);
    free(a->block);
    *a = (r1_actor){0};
}

static size_t slice_floats(const r1_actor *a, const r1_slice *s)
{
    return s->n * r1_actor_stride(a);
}

static r1_status run_slice(void *ctx, uint32_t k, r1_err *err)
{
    r1_actor *a = ctx;
    const r1_slice *s = &a->parallel.slice[k];
    if (s->n == 0) return R1_OK;
    R1_TRY(r1_data_parallel_fill(&a->parallel, k, err));
    R1_TRY(r1_data_parallel_forward(&a->parallel, k, err));
    memcpy(a->logits + s->first * r1_actor_stride(a), r1_exec_ptr(s->e, a->m->net.logits),
           slice_floats(a, s) * sizeof *a->logits);
    return R1_OK;
}

static r1_status rollout_backward_slice(void *ctx, uint32_t k, r1_err *err)
{
    r1_actor *a = ctx;
    const r1_slice *s = &a->parallel.slice[k];
    float *slope = a->slope + s->first * r1_actor_stride(a);
    if (s->n == 0) return R1_OK;
    r1_exec_zero_grad(s->e);
    memcpy(r1_exec_grad(s->e, a->m->net.logits), slope, slice_floats(a, s) * sizeof *slope);
    memset(slope, 0, slice_floats(a, s) * sizeof *slope);
    return r1_exec_backward(s->e, err);
}

r1_status r1_actor_run(r1_actor *a, const r1_data *d, const r1_data_rows *cases,
                       const r1_node *node, size_t n, r1_err *err)
{
    R1_ASSERT(n <= a->cap, "policy: %zu nodes, room for %u", n, a->cap);
    for (size_t i = 0; i < n; i++) {
        R1_ASSERT(node[i].row < cases->n, "policy: node %zu of case %u, %zu cases", i, node[i].row,
                  cases->n);
        a->sample[i] = cases->sample[node[i].row];
        a->drop[i] = ~node[i].held;
    }
    r1_data *events = (r1_data *)(uintptr_t)d; /* the callback reads alone */
    a->src = (r1_pack_source){.sample = a->sample,
                              .n_sample = n,
                              .event = r1_data_event,
                              .event_ctx = events,
                              .n_event = d->n_event,
                              .drop = a->drop};
    r1_data_parallel_cut(&a->parallel, &a->src);
    return r1_data_parallel_each(&a->parallel, run_slice, a, err);
}

r1_status r1_actor_backward(r1_actor *a, r1_err *err)
{
    return r1_data_parallel_each(&a->parallel, rollout_backward_slice, a, err);
}

/* The final position, where all items held have been read. */
static size_t first_output(const r1_actor *a)
{
    return (size_t)(a->m->net.n_position - 1) * a->m->desc->n_output + a->output;
}

const float *r1_actor_logits(const r1_actor *a) { return a->logits + first_output(a); }

float *r1_actor_grad(const r1_actor *a) { return a->slope + first_output(a); }

/* ---- traces ---------------------------------------------------------------------------------- */

static void carve_rollout(void *rollout, r1_carver *c)
{
    r1_rollout *r = rollout;
    r->node = r1_carve(c, r->cap, sizeof *r->node);
    r->logits = r1_carve(c, r->cap * r->n_action, sizeof *r->logits);
    r->decision = r1_carve(c, r->cap, sizeof *r->decision);
    r->trace = r1_carve(c, r->n_trace, sizeof *r->trace);
}

r1_status r1_rollout_new(r1_rollout *r, const r1_evidence_rules *rules, size_t n_trace, r1_err *err)
{
    *r = (r1_rollout){.cap = n_trace * (rules->n_ask_max + 1),
                      .n_trace = n_trace,
                      .n_action = rules->n_item + rules->n_verdict,
                      .n_item = rules->n_item};
    r->block = r1_carve_block(carve_rollout, r);
    r->n_trace = 0; /* none has been run */
    if (r->block) return R1_OK;
    R1_FAIL(err, R1_E_NOMEM, "policy: no memory for %zu traces", n_trace);
}

void r1_rollout_free(r1_rollout *r)
{
    free(r->block);
    *r = (r1_rollout){0};
}

/* The nodes of this step, from `first` on: traces that stand alike meet. Returns how many traces
 * go on. */
static size_t rollout_gather(r1_rollout *r, size_t first)
{
    size_t going = 0;
    for (size_t i = 0; i < r->n_trace; i++) {
        r1_trace *t = &r->trace[i];
        if (t->done) continue;
        size_t k = r->n_node;
        while (k > first && r->node[k - 1].row == t->row && r->node[k - 1].held != t->held) k--;
        bool met = k > first && r->node[k - 1].row == t->row;
        R1_ASSERT(met || r->n_node < r->cap, "rollout: %zu nodes, room for %zu", r->n_node, r->cap);
        if (!met) r->node[r->n_node++] = (r1_node){t->row, t->held};
        t->node = (uint32_t)(met ? k - 1 : r->n_node - 1);
        going++;
    }
    return going;
}

static r1_status score_nodes(r1_rollout *r, r1_actor *a, const r1_data *d,
                             const r1_data_rows *cases, size_t first, r1_err *err)
{
    size_t row = r->n_action * sizeof *r->logits;
    for (size_t i = first * r->n_action; !a && i < r->n_node * r->n_action; i++)
        r->logits[i] = i % r->n_action < r->n_item ? 0 : -r->reserve;
    for (size_t at = first; a && at < r->n_node; at += a->cap) {
        size_t n = r->n_node - at < a->cap ? r->n_node - at : a->cap;
        R1_TRY(r1_actor_run(a, d, cases, r->node + at, n, err));
        for (size_t i = 0; i < n; i++)
            memcpy(r->logits + (at + i) * r->n_action, r1_actor_logits(a) + i * r1_actor_stride(a),
                   row);
    }
    return R1_OK;
}

static uint32_t rollout_draw(const double *log_prob, uint32_t n, bool greedy, r1_rng *rng)
{
    uint32_t best = 0, last = 0;
    for (uint32_t a = 1; a < n; a++)
        if (log_prob[a] > log_prob[best]) best = a;
    if (greedy) return best;
    double left = r1_rng_unit(rng);
    for (uint32_t a = 0; a < n; a++) {
        if (log_prob[a] == -INFINITY) continue;
        last = a;
        if ((left -= exp(log_prob[a])) < 0) break;
    }
    return last; /* of rounding: the last that is permitted */
}

static void rollout_speak(const r1_evidence_rules *rules, const r1_data_rows *cases, r1_trace *t,
                          uint32_t verdict)
{
    t->done = true;
    t->verdict = verdict;
    t->right = verdict == r1_evidence_truth(rules, &cases->sample[t->row]);
    t->reward = (t->right ? 1 : 0) - t->cost;
}

static void rollout_decide(r1_rollout *r, const r1_evidence_rules *rules, const r1_data_rows *cases,
                           size_t i, bool greedy, r1_rng *rng)
{
    double log_prob[R1_ACTIONS_MAX];
    r1_trace *t = &r->trace[i];
    R1_ASSERT(!t->done && t->node < r->n_node && r->n_decision < r->cap,
              "rollout: trace %zu at node %u of %zu, %zu decisions, room for %zu", i, t->node,
              r->n_node, r->n_decision, r->cap);
    uint64_t permitted = r1_evidence_permitted(rules, t->held);
    r1_policy_log(r->logits + (size_t)t->node * r->n_action, r->n_action, permitted, log_prob);
    uint32_t a = rollout_draw(log_prob, r->n_action, greedy, rng);
    R1_ASSERT(permitted >> a & 1, "rollout: trace %zu took action %u of %llx", i, a,
              (unsigned long long)permitted);
    r->decision[r->n_decision++] = (r1_decision){.row = t->node,
                                                 .permitted = permitted,
                                                 .action = a,
                                                 .trace = (uint32_t)i,
                                                 .old_log = log_prob[a],
                                                 .ref_log = log_prob[a]};
    t->n_decision++;
    if (a >= rules->n_item) {
        rollout_speak(rules, cases, t, a - rules->n_item);
        return;
    }
    t->held |= 1u << a;
    t->cost += rules->cost[a];
    R1_ASSERT(t->n_decision <= rules->n_ask_max, "rollout: trace %zu asked %u times of %u", i,
              t->n_decision, rules->n_ask_max);
}

/* Decisions lie in the order of traces; those of nodes that met are brought together. */
static int by_node(const void *a, const void *b)
{
    const r1_decision *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return x->trace < y->trace ? -1 : 1;
}

/* A trace that has ended spoke once and holds what was given. */
static bool rollout_ended(const r1_rollout *r, const r1_evidence_rules *rules)
{
    size_t decisions = 0;
    for (size_t i = 0; i < r->n_trace; i++) {
        const r1_trace *t = &r->trace[i];
        decisions += t->n_decision;
        if (!t->done || t->n_decision == 0 || t->verdict >= rules->n_verdict) return false;
        if ((t->held & rules->given) != rules->given) return false;
    }
    return decisions == r->n_decision;
}

r1_status r1_rollout_run(r1_rollout *r, const r1_evidence_rules *rules, r1_actor *actor,
                         const r1_data *d, const r1_data_rows *cases, uint32_t n_group, bool greedy,
                         r1_rng *rng, r1_err *err)
{
    r->n_node = r->n_decision = 0;
    r->n_trace = cases->n * n_group;
    R1_ASSERT(r->n_trace * (rules->n_ask_max + 1) <= r->cap,
              "rollout: %zu traces that ask %u times, room for %zu decisions", r->n_trace,
              rules->n_ask_max, r->cap);
    for (size_t i = 0; i < r->n_trace; i++)
        r->trace[i] = (r1_trace){.row = (uint32_t)(i / n_group), .held = rules->given};
    for (size_t first = 0; rollout_gather(r, first) > 0; first = r->n_node) {
        R1_TRY(score_nodes(r, actor, d, cases, first, err));
        for (size_t i = 0; i < r->n_trace; i++)
            if (!r->trace[i].done) rollout_decide(r, rules, cases, i, greedy, rng);
    }
    R1_DEEP_ASSERT(rollout_ended(r, rules), "rollout: %zu traces, %zu decisions", r->n_trace,
                   r->n_decision);
    qsort(r->decision, r->n_decision, sizeof *r->decision, by_node);
    return R1_OK;
}

/* ---- what they earned ------------------------------------------------------------------------ */

void r1_rollout_add(r1_policy_eval *sum, const r1_rollout *r)
{
    for (size_t i = 0; i < r->n_trace; i++) {
        sum->reward += r->trace[i].reward;
        sum->right += r->trace[i].right;
        sum->cost += r->trace[i].cost;
        sum->n_ask += r->trace[i].n_decision - 1;
    }
    sum->n += r->n_trace;
}

void r1_rollout_means(r1_policy_eval *sum)
{
    double n = sum->n ? (double)sum->n : 1;
    sum->reward /= n, sum->right /= n, sum->cost /= n, sum->n_ask /= n;
}

r1_status r1_rollout_judge(r1_rollout *r, const r1_evidence_rules *rules, r1_actor *actor,
                           const r1_data *d, r1_data_rows *cases,
                           void (*each)(void *ctx, uint64_t id, uint32_t held, uint32_t verdict,
                                        bool right),
                           void *ctx, r1_policy_eval *out, r1_err *err)
{
    *out = (r1_policy_eval){0};
    for (size_t u = 0; u < d->n_unit;) {
        r1_data_rows_clear(cases);
        for (; u < d->n_unit && cases->n < cases->cap; u++)
            R1_TRY(r1_data_rows_add(cases, d, &d->unit[u], err));
        R1_TRY(r1_rollout_run(r, rules, actor, d, cases, 1, true, NULL, err));
        r1_rollout_add(out, r);
        for (size_t i = 0; each && i < r->n_trace; i++)
            each(ctx, cases->sample[i].id, r->trace[i].held, r->trace[i].verdict,
                 r->trace[i].right);
    }
    r1_rollout_means(out);
    return R1_OK;
}
