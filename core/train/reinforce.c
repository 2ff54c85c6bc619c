/* SPDX-License-Identifier: Apache-2.0 */
/* reinforce.c - the loop of the reinforce stage.
 *
 * A step draws cases, lets the policy run a group of traces on each, turns rewards into
 * advantages within the groups and makes n_pass updates from those traces. Nothing random is
 * carried along: what a step draws comes from (seed, step). So a checkpoint is the weights,
 * their moments, the best weights, the reference and a few counters. */
#include "r1_reinforce.h"

#include "train/adamw.h"
#include "train/checkpoint.h"
#include "train/curriculum.h"
#include "train/loop.h"
#include "train/rollout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NODES_RUN = 256, CASES_MAX = 4096, GROUP_MAX = 1024 };

struct r1_reinforcer {
    r1_reinforce_opts o;
    r1_evidence_rules rules;
    r1_data train, valid;
    bool has_valid;
    r1_model *m;
    r1_thread_pool *threads;
    r1_actor actor;
    r1_model *judge_model; /* NULL: the label alone */
    r1_actor judge;
    double *
        worth; /* [node][n_verdict] where a trace spoke: the judge's probability that it is right */
    bool *spoken; /* [node] */
    r1_curriculum curriculum;
    r1_rows cases;
    r1_rollout rollout;
    r1_adamw adam;
    float *best, *reference; /* weights; reference: those at the start */
    double *reward, *advantage;
    /* what a checkpoint carries */
    uint64_t step, bad, n_valid, best_bits; /* best_bits: of the validation's reward, a double */
    /* this process only */
    int64_t start_us;
    r1_policy_stats stats;
    r1_progress line;
};

static void reinforce_defaults(r1_reinforce_opts *o)
{
    if (o->lr == 0) o->lr = 1e-3;
    if (o->weight_decay == 0) o->weight_decay = 0.01;
    if (o->clip == 0) o->clip = 1;
    if (o->ratio_clip == 0) o->ratio_clip = 0.2;
    if (o->entropy == 0) o->entropy = 0.05;
    if (o->entropy < 0) o->entropy = 0;
    if (o->warmup == 0) o->warmup = 0.02;
    if (o->reward_share == 0) o->reward_share = 0.5;
    if (!o->policy) o->policy = "act";
    if (!o->n_step) o->n_step = 300;
    if (!o->n_case) o->n_case = 32;
    if (!o->n_group) o->n_group = 16;
    if (!o->n_pass) o->n_pass = 2;
    if (!o->n_slice) o->n_slice = 1;
    if (!o->checkpoint_every) o->checkpoint_every = 50;
    if (!o->valid_every) o->valid_every = 25;
}

static double best_value(const r1_reinforcer *t)
{
    double v;
    memcpy(&v, &t->best_bits, sizeof v);
    return v;
}

/* ---- what is set up -------------------------------------------------------------------------- */

static r1_status reinforce_open_data(r1_reinforcer *t, r1_err *err)
{
    R1_TRY(r1_data_open(&t->train, t->o.train, t->o.n_train, err));
    if (!t->o.n_valid) return R1_OK;
    R1_TRY(r1_data_open(&t->valid, t->o.valid, t->o.n_valid, err));
    t->has_valid = true;
    if (r1_shard_schema_hash(t->valid.shard[0]) == r1_shard_schema_hash(t->train.shard[0]))
        return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "reinforce: shard %s has another feature schema than %s",
            t->o.valid[0], t->o.train[0]);
}

static r1_status reinforce_make_model(r1_reinforcer *t, r1_err *err)
{
    const char *text =
        t->o.description ? t->o.description : r1_shard_description(t->train.shard[0]);
    if (!t->o.init)
        R1_TRY(r1_model_new(&t->m, text, t->o.seed, err));
    else if (!t->o.description)
        R1_TRY(r1_model_open(&t->m, t->o.init, err));
    else
        R1_TRY(r1_model_open_as(&t->m, t->o.init, text, t->o.seed, err));
    R1_TRY(r1_model_choose_beta(t->m, t->o.beta, err));
    R1_TRY(r1_evidence_check(&t->rules, t->m, "reinforce: the model", err));
    return t->o.init ? R1_OK : r1_fit(t->m, &t->train, err);
}

/* The reward model's head is named "worth". */
static r1_status make_judge(r1_reinforcer *t, r1_err *err)
{
    if (!t->o.reward_model) return R1_OK;
    R1_TRY(r1_model_open(&t->judge_model, t->o.reward_model, err));
    R1_TRY(r1_evidence_check(&t->rules, t->judge_model, t->o.reward_model, err));
    R1_TRY(r1_actor_new(&t->judge, t->judge_model, "worth", t->rules.n_verdict, NODES_RUN,
                        t->threads, t->o.n_slice, err));
    t->worth = calloc(t->rollout.cap * t->rules.n_verdict, sizeof *t->worth);
    t->spoken = calloc(t->rollout.cap, sizeof *t->spoken);
    if (t->worth && t->spoken) return R1_OK;
    R1_FAIL(err, R1_E_NOMEM, "reinforce: out of memory");
}

static r1_status reinforce_reserve(r1_reinforcer *t, r1_err *err)
{
    size_t n = (size_t)t->o.n_case * t->o.n_group, bytes = t->m->net.plan.weight_bytes;
    R1_TRY(r1_thread_pool_new(&t->threads, t->o.n_thread, t->o.n_slice, err));
    R1_TRY(r1_actor_new(&t->actor, t->m, t->o.policy, t->rules.n_item + t->rules.n_verdict,
                        NODES_RUN, t->threads, t->o.n_slice, err));
    R1_TRY(r1_curriculum_new(&t->curriculum, t->o.curriculum, false, t->m->desc, &t->train, err));
    R1_TRY(r1_rows_new(&t->cases, t->m->desc, t->o.n_case, err));
    R1_TRY(r1_rollout_new(&t->rollout, &t->rules, n, err));
    R1_TRY(r1_adamw_new(&t->adam, t->m, err));
    R1_TRY(make_judge(t, err));
    t->best = r1_calloc_aligned(bytes + 64, 1);
    t->reference = r1_calloc_aligned(bytes + 64, 1);
    t->reward = calloc(n, sizeof *t->reward);
    t->advantage = calloc(n, sizeof *t->advantage);
    if (!t->best || !t->reference || !t->reward || !t->advantage)
        R1_FAIL(err, R1_E_NOMEM, "reinforce: out of memory");
    memcpy(t->best, t->m->weights, bytes);
    memcpy(t->reference, t->m->weights, bytes);
    return R1_OK;
}

/* ---- checkpoint ------------------------------------------------------------------------------ */

/* Hash of what makes the numbers: a run goes on with the very same settings alone. */
static uint64_t reinforce_run_hash(const r1_reinforcer *t)
{
    const r1_reinforce_opts *o = &t->o;
    const double real[] = {o->lr, o->weight_decay, o->clip,   o->ratio_clip,
                           o->kl, o->entropy,      o->warmup, (double)t->m->beta};
    const uint64_t whole[] = {o->seed,        o->n_step, o->n_case,
                              o->n_group,     o->n_pass, (uint64_t)o->variant,
                              t->train.n_unit};
    uint64_t h = r1_hash64(real, sizeof real, 1);
    h = r1_hash64(whole, sizeof whole, h);
    h = r1_hash64(&t->rules, sizeof t->rules, h);
    if (o->n_slice > 1) h = r1_hash64(&o->n_slice, sizeof o->n_slice, h);
    if (t->judge_model) {
        h = r1_hash64(&o->reward_share, sizeof o->reward_share, h);
        h = r1_hash64(t->judge_model->weights, t->judge_model->net.plan.weight_bytes, h);
    }
    return o->curriculum ? r1_hash64(o->curriculum, strlen(o->curriculum), h) : h;
}

static r1_checkpoint reinforce_state_of(r1_reinforcer *t)
{
    return (r1_checkpoint){.stage = "reinforce",
                           .description = t->m->desc->text,
                           .must = {{"run", reinforce_run_hash(t)}},
                           .counter = {{"step", &t->step},
                                       {"update", &t->adam.n_step},
                                       {"bad", &t->bad},
                                       {"n_valid", &t->n_valid},
                                       {"best_bits", &t->best_bits}},
                           .block = {{"weights", t->m->weights},
                                     {"moment1", t->adam.m},
                                     {"moment2", t->adam.v},
                                     {"best", t->best},
                                     {"reference", t->reference}},
                           .block_bytes = t->m->net.plan.weight_bytes};
}

r1_status r1_reinforcer_checkpoint(r1_reinforcer *t, const char *path, r1_err *err)
{
    r1_checkpoint c = reinforce_state_of(t);
    return r1_checkpoint_save(&c, path, err);
}

static r1_status reinforce_resume(r1_reinforcer *t, r1_err *err)
{
    r1_checkpoint c = reinforce_state_of(t);
    r1_status st = r1_checkpoint_load(&c, t->o.checkpoint, err);
    r1_net_derive(&t->m->net, t->m->desc, t->m->weights);
    return st;
}

/* ---- life ------------------------------------------------------------------------------------ */

static r1_status reinforce_check(const r1_reinforce_opts *o, r1_err *err)
{
    if (o->n_group < 2 || o->n_group > GROUP_MAX || o->n_case > CASES_MAX)
        R1_FAIL(err, R1_E_INVAL,
                "reinforce: %u traces of %u cases a step; expected 2 to %d of at most %d",
                o->n_group, o->n_case, GROUP_MAX, CASES_MAX);
    return R1_OK;
}

static r1_status reinforce_set_up(r1_reinforcer *t, r1_err *err)
{
    R1_TRY(reinforce_check(&t->o, err));
    R1_TRY(reinforce_open_data(t, err));
    r1_evidence_spec spec = {t->o.truth, t->o.cost, t->o.door, t->o.given, t->o.n_ask_max};
    R1_TRY(r1_evidence_make(&t->rules, &spec, &t->train, err));
    R1_TRY(r1_evidence_labelled(&t->rules, &t->train, t->o.train[0], err));
    if (t->has_valid) R1_TRY(r1_evidence_labelled(&t->rules, &t->valid, t->o.valid[0], err));
    R1_TRY(reinforce_make_model(t, err));
    R1_TRY(reinforce_reserve(t, err));
    return t->o.checkpoint && access(t->o.checkpoint, F_OK) == 0 ? reinforce_resume(t, err) : R1_OK;
}

r1_status r1_reinforcer_new(r1_reinforcer **out, const r1_reinforce_opts *opts, r1_err *err)
{
    const double none = -INFINITY;
    r1_reinforcer *t = calloc(1, sizeof *t);
    if (!t) R1_FAIL(err, R1_E_NOMEM, "reinforce: out of memory");
    t->o = *opts;
    reinforce_defaults(&t->o);
    memcpy(&t->best_bits, &none, sizeof none);
    r1_status st = reinforce_set_up(t, err);
    if (st != R1_OK) {
        r1_reinforcer_free(t);
        return st;
    }
    t->start_us = r1_mono_us();
    *out = t;
    return R1_OK;
}

void r1_reinforcer_free(r1_reinforcer *t)
{
    if (!t) return;
    r1_actor_free(&t->actor);
    r1_actor_free(&t->judge);
    r1_thread_pool_free(t->threads);
    r1_model_free(t->judge_model);
    free(t->worth);
    free(t->spoken);
    r1_curriculum_free(&t->curriculum);
    r1_rows_free(&t->cases);
    r1_rollout_free(&t->rollout);
    r1_adamw_free(&t->adam);
    r1_data_close(&t->train);
    if (t->has_valid) r1_data_close(&t->valid);
    r1_model_free(t->m);
    free(t->best);
    free(t->reference);
    free(t->reward);
    free(t->advantage);
    free(t);
}

const r1_model *r1_reinforcer_model(const r1_reinforcer *t) { return t->m; }
uint64_t r1_reinforcer_n_step(const r1_reinforcer *t) { return t->step; }

/* ---- traces ---------------------------------------------------------------------------------- */

static double reinforce_progress_of(const r1_reinforcer *t)
{
    return (double)t->step / (double)t->o.n_step;
}

static r1_status draw_cases(r1_reinforcer *t, r1_rng *rng, r1_err *err)
{
    size_t pool = r1_curriculum_pool(&t->curriculum, reinforce_progress_of(t));
    r1_rows_clear(&t->cases);
    for (uint32_t i = 0; i < t->o.n_case; i++) {
        uint32_t u = t->curriculum.order[r1_rng_below(rng, pool)];
        R1_TRY(r1_rows_add(&t->cases, &t->train, &t->train.unit[u], err));
    }
    return R1_OK;
}

/* What the reward model says of each verdict at some nodes. */
static r1_status ask_judge(r1_reinforcer *t, const r1_node *node, const size_t *place, size_t n,
                           r1_err *err)
{
    r1_calibration c = {1, 0};
    const r1_desc *d = t->judge_model->desc;
    for (uint32_t h = 0; h < d->n_headc; h++)
        if (d->head[h].output == t->judge.output) c = t->judge_model->calibration[h];
    R1_TRY(r1_actor_run(&t->judge, &t->train, &t->cases, node, n, err));
    for (size_t i = 0; i < n; i++)
        for (uint32_t v = 0; v < t->rules.n_verdict; v++) {
            double x = (double)r1_actor_logits(&t->judge)[i * r1_actor_stride(&t->judge) + v];
            t->worth[place[i] * t->rules.n_verdict + v] =
                1 / (1 + exp(-((double)c.scale * x + (double)c.bias)));
        }
    return R1_OK;
}

/* The label says whether this verdict was right this once; the reward model how often such a
 * trace is. The mixture keeps the mean. */
static r1_status reinforce_reward(r1_reinforcer *t, r1_err *err)
{
    r1_rollout *r = &t->rollout;
    for (size_t i = 0; i < r->n_trace; i++) t->reward[i] = r->trace[i].reward;
    if (!t->judge_model) return R1_OK;
    memset(t->spoken, 0, r->n_node * sizeof *t->spoken);
    for (size_t i = 0; i < r->n_trace; i++) t->spoken[r->trace[i].node] = true;
    for (size_t at = 0; at < r->n_node;) {
        r1_node node[NODES_RUN];
        size_t place[NODES_RUN], n = 0;
        for (; at < r->n_node && n < NODES_RUN; at++)
            if (t->spoken[at]) place[n] = at, node[n++] = r->node[at];
        if (n > 0) R1_TRY(ask_judge(t, node, place, n, err));
    }
    for (size_t i = 0; i < r->n_trace; i++) {
        const r1_trace *x = &r->trace[i];
        double worth = t->worth[x->node * t->rules.n_verdict + x->verdict];
        t->reward[i] += t->o.reward_share * (worth - (x->right ? 1 : 0));
    }
    return R1_OK;
}

static void reinforce_weigh(r1_reinforcer *t)
{
    r1_rollout *r = &t->rollout;
    r1_advantages(t->o.variant, t->reward, t->cases.n, t->o.n_group, t->advantage);
    for (size_t i = 0; i < r->n_decision; i++) {
        r1_decision *d = &r->decision[i];
        d->advantage = t->advantage[d->trace];
        d->weight = r1_decision_weight(t->o.variant, r->n_trace, r->trace[d->trace].n_decision,
                                       t->rules.n_ask_max + 1);
    }
}

/* ---- updates --------------------------------------------------------------------------------- */

/* Calls fn on runs of nodes that have been scored, with the decisions made there. */
typedef r1_status (*chunk_fn)(r1_reinforcer *t, r1_decision *d, size_t n, r1_err *err);

static r1_status over_nodes(r1_reinforcer *t, chunk_fn fn, r1_err *err)
{
    r1_rollout *r = &t->rollout;
    size_t from = 0;
    for (size_t at = 0; at < r->n_node; at += t->actor.cap) {
        size_t n = r->n_node - at < t->actor.cap ? r->n_node - at : t->actor.cap, to = from;
        R1_TRY(r1_actor_run(&t->actor, &t->train, &t->cases, r->node + at, n, err));
        while (to < r->n_decision && r->decision[to].row < at + n) r->decision[to++].row -= at;
        r1_status st = fn(t, r->decision + from, to - from, err);
        for (; from < to; from++) r->decision[from].row += at;
        R1_TRY(st);
    }
    return R1_OK;
}

static r1_status reinforce_refer(r1_reinforcer *t, r1_decision *d, size_t n, r1_err *err)
{
    double log_prob[R1_ACTIONS_MAX];
    (void)err;
    for (size_t i = 0; i < n; i++) {
        r1_policy_log(r1_actor_logits(&t->actor) + d[i].row * r1_actor_stride(&t->actor),
                      t->rollout.n_action, d[i].permitted, log_prob);
        d[i].ref_log = log_prob[d[i].action];
    }
    return R1_OK;
}

static r1_status reinforce_gradient(r1_reinforcer *t, r1_decision *d, size_t n, r1_err *err)
{
    /* what keeps the policy trying fades: over the last fifth of the steps reward alone counts */
    r1_policy_terms terms = {t->o.ratio_clip, t->o.kl,
                             t->o.entropy * fmax(0, 1 - reinforce_progress_of(t) / 0.8)};
    double loss =
        r1_policy_loss(&terms, d, n, r1_actor_logits(&t->actor), r1_actor_stride(&t->actor),
                       t->rollout.n_action, r1_actor_grad(&t->actor), &t->stats);
    if (!isfinite(loss))
        R1_FAIL(err, R1_E_INVAL,
                "reinforce: the loss is not finite at step %llu: lower the learning rate (%g)",
                (unsigned long long)t->step, t->o.lr);
    return r1_actor_backward(&t->actor, err);
}

static r1_status refer_all(r1_reinforcer *t, r1_err *err)
{
    float *now = t->m->weights;
    t->m->weights = t->reference;
    r1_status st = over_nodes(t, reinforce_refer, err);
    t->m->weights = now;
    return st;
}

static double reinforce_rate(const r1_reinforcer *t)
{
    return r1_adamw_rate(t->o.lr, t->o.warmup, reinforce_progress_of(t));
}

static r1_status reinforce_update(r1_reinforcer *t, r1_err *err)
{
    if (t->o.kl > 0) R1_TRY(refer_all(t, err));
    for (uint32_t pass = 0; pass < t->o.n_pass; pass++) {
        t->stats = (r1_policy_stats){0};
        R1_TRY(over_nodes(t, reinforce_gradient, err));
        r1_adamw_step(&t->adam, t->m, &t->actor.parallel, reinforce_rate(t), t->o.weight_decay,
                      t->o.clip);
    }
    return R1_OK;
}

/* ---- validation ------------------------------------------------------------------------------ */

static r1_status reinforce_judge(r1_reinforcer *t, r1_policy_eval *e, r1_err *err)
{
    return r1_rollout_judge(&t->rollout, &t->rules, &t->actor, &t->valid, &t->cases, NULL, NULL, e,
                            err);
}

static void reinforce_write_metrics(const r1_reinforcer *t, const char *event,
                                    const r1_policy_eval *e)
{
    FILE *f = t->o.metrics ? fopen(t->o.metrics, "ae") : NULL;
    double n = t->rollout.n_decision ? (double)t->rollout.n_decision : 1;
    if (!f) return;
    fprintf(f,
            "{\"stage\":\"reinforce\",\"event\":\"%s\",\"step\":%llu,\"seconds\":%.3f,\"reward\":%."
            "6g,\"right\":%.6g,"
            "\"cost\":%.6g,\"asks\":%.6g",
            event, (unsigned long long)t->step, (double)(r1_mono_us() - t->start_us) * 1e-6,
            e->reward, e->right, e->cost, e->n_ask);
    if (strcmp(event, "train") == 0)
        fprintf(f, ",\"lr\":%.6g,\"entropy\":%.6g,\"kl\":%.6g,\"clipped\":%.6g", reinforce_rate(t),
                t->stats.entropy / n, t->stats.kl / n, t->stats.clipped / n);
    fprintf(f, "}\n");
    fclose(f);
}

static r1_status reinforce_validate(r1_reinforcer *t, r1_err *err)
{
    r1_policy_eval e;
    size_t bytes = t->m->net.plan.weight_bytes;
    if (!t->has_valid) {
        memcpy(t->best, t->m->weights, bytes);
        return R1_OK;
    }
    R1_TRY(reinforce_judge(t, &e, err));
    t->n_valid++;
    t->bad++;
    if (e.reward > best_value(t)) {
        memcpy(&t->best_bits, &e.reward, sizeof e.reward);
        memcpy(t->best, t->m->weights, bytes);
        t->bad = 0;
    }
    reinforce_write_metrics(t, "valid", &e);
    return R1_OK;
}

/* ---- a step ---------------------------------------------------------------------------------- */

static void reinforce_note(r1_reinforcer *t, const r1_policy_eval *e)
{
    char text[96];
    if (!t->o.progress) return;
    if (!t->line.what) r1_progress_begin(&t->line, "reinforce", t->o.n_step);
    snprintf(text, sizeof text, "reward %.4f right %.3f asks %.2f", e->reward, e->right, e->n_ask);
    r1_progress_update(&t->line, t->step, text);
}

static bool reinforce_finished(const r1_reinforcer *t)
{
    return t->step >= t->o.n_step || (t->o.patience && t->bad >= t->o.patience);
}

r1_status r1_reinforcer_step(r1_reinforcer *t, r1_policy_eval *mean, bool *done, r1_err *err)
{
    r1_policy_eval e = {0};
    r1_rng rng;
    *done = reinforce_finished(t);
    if (mean) *mean = e;
    if (*done) return R1_OK;
    r1_rng_seed(&rng, t->o.seed ^ (t->step + 1) * 0x9e3779b97f4a7c15u);
    R1_TRY(draw_cases(t, &rng, err));
    R1_TRY(r1_rollout_run(&t->rollout, &t->rules, &t->actor, &t->train, &t->cases, t->o.n_group,
                          false, &rng, err));
    R1_TRY(reinforce_reward(t, err));
    reinforce_weigh(t);
    R1_TRY(reinforce_update(t, err));
    r1_rollout_add(&e, &t->rollout);
    r1_rollout_means(&e);
    t->step++;
    reinforce_note(t, &e);
    if (t->step % 10 == 0) reinforce_write_metrics(t, "train", &e);
    if (t->step % t->o.valid_every == 0 || t->step == t->o.n_step)
        R1_TRY(reinforce_validate(t, err));
    if (t->o.checkpoint && t->step % t->o.checkpoint_every == 0)
        R1_TRY(r1_reinforcer_checkpoint(t, t->o.checkpoint, err));
    *done = reinforce_finished(t) || (t->o.n_step_max && t->step >= t->o.n_step_max);
    if (mean) *mean = e;
    return R1_OK;
}

r1_status r1_reinforcer_finish(r1_reinforcer *t, r1_reinforce_report *report, r1_err *err)
{
    r1_reinforce_report r = {.n_step = t->step, .n_trace = t->step * t->o.n_case * t->o.n_group};
    if (t->has_valid) {
        if (t->n_valid == 0) R1_TRY(reinforce_validate(t, err));
        memcpy(t->m->weights, t->best, t->m->net.plan.weight_bytes);
        R1_TRY(reinforce_judge(t, &r.valid, err));
    }
    t->m->trained_samples += r.n_trace;
    r.seconds = (double)(r1_mono_us() - t->start_us) * 1e-6;
    if (t->line.what) r1_progress_end(&t->line, t->step, "");
    reinforce_write_metrics(t, "end", &r.valid);
    if (report) *report = r;
    return t->o.out ? r1_model_save(t->m, t->o.out, err) : R1_OK;
}

static r1_status reinforce_advance(void *stage, bool *done, r1_err *err)
{
    return r1_reinforcer_step(stage, NULL, done, err);
}

static r1_status reinforce_save(void *stage, const char *path, r1_err *err)
{
    return r1_reinforcer_checkpoint(stage, path, err);
}

r1_status r1_reinforce(const r1_reinforce_opts *opts, r1_reinforce_report *report, r1_err *err)
{
    r1_reinforcer *t;
    R1_TRY(r1_reinforcer_new(&t, opts, err));
    r1_loop loop = {"reinforce", t->o.checkpoint,   t->o.stopped,
                    &t->step,    reinforce_advance, reinforce_save};
    r1_status st = r1_loop_run(&loop, t, err);
    if (st == R1_OK) st = r1_reinforcer_finish(t, report, err);
    r1_reinforcer_free(t);
    return st;
}
