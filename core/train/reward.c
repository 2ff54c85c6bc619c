/* SPDX-License-Identifier: Apache-2.0 */
/* reward.c - the reasoning reward model: traces at random, contrasted case by case; agreement on
 * cases it never saw, calibration on others.
 *
 * Resumed like the other stages: what a step draws comes from (seed, step). */
#include "r1_reinforce.h"
#include "r1_train.h"
#include "train/adamw.h"
#include "train/checkpoint.h"
#include "train/contrast.h"
#include "train/evaluate.h"
#include "train/rollout.h"
#include "train/score_metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NODES_RUN = 256, CASES_MAX = 4096, GROUP_MAX = 1024, WATCHED = 256 };

typedef struct {
    r1_reward_opts o;
    r1_evidence_rules rules;
    r1_data train, valid;
    r1_model *m;
    r1_thread_pool *threads;
    r1_actor actor;
    r1_rows cases;
    r1_rollout rollout;
    r1_adamw adam;
    r1_node *end; /* [n_trace] where each trace spoke */
    double *score, *grad;
    bool *right;
    float *best; /* the weights of the least loss on the cases that are watched */
    /* what a checkpoint carries, beside the weights and their moments */
    uint64_t step, bad, n_valid, best_bits; /* best_bits: of that loss, a double */
    /* this process only */
    int64_t start_us;
    double loss_mean;
    r1_progress line;
} rewarder;

static void reward_defaults(r1_reward_opts *o)
{
    if (o->lr == 0) o->lr = 2e-3;
    if (o->weight_decay == 0) o->weight_decay = 0.01;
    if (o->clip == 0) o->clip = 1;
    if (o->contrast == 0) o->contrast = 0.5;
    if (o->temperature == 0) o->temperature = 0.5;
    if (o->reserve == 0) o->reserve = 1.5;
    if (!o->head) o->head = "worth";
    if (!o->n_step) o->n_step = 300;
    if (!o->n_case) o->n_case = 32;
    if (!o->n_group) o->n_group = 16;
    if (!o->n_slice) o->n_slice = 1;
    if (!o->checkpoint_every) o->checkpoint_every = 50;
    if (!o->valid_every) o->valid_every = 25;
}

/* ---- life ------------------------------------------------------------------------------------ */

static r1_checkpoint reward_state_of(rewarder *t)
{
    const r1_reward_opts *o = &t->o;
    const double real[] = {o->lr,          o->weight_decay, o->clip,           o->contrast,
                           o->temperature, o->reserve,      (double)t->m->beta};
    const uint64_t whole[] = {o->seed,        o->n_step,   o->n_case,      o->n_group,
                              o->valid_every, o->patience, t->train.n_unit};
    uint64_t h = r1_hash64(&t->rules, sizeof t->rules,
                           r1_hash64(whole, sizeof whole, r1_hash64(real, sizeof real, 2)));
    if (o->n_slice > 1) h = r1_hash64(&o->n_slice, sizeof o->n_slice, h);
    return (r1_checkpoint){.stage = "reward",
                           .description = t->m->desc->text,
                           .must = {{"run", h}},
                           .counter = {{"step", &t->step},
                                       {"update", &t->adam.n_step},
                                       {"bad", &t->bad},
                                       {"n_valid", &t->n_valid},
                                       {"best_bits", &t->best_bits}},
                           .block = {{"weights", t->m->weights},
                                     {"moment1", t->adam.m},
                                     {"moment2", t->adam.v},
                                     {"best", t->best}},
                           .block_bytes = t->m->net.plan.weight_bytes};
}

static r1_status reward_make_model(rewarder *t, r1_err *err)
{
    const char *text =
        t->o.description ? t->o.description : r1_shard_description(t->train.shard[0]);
    R1_TRY(r1_model_new(&t->m, text, t->o.seed, err));
    R1_TRY(r1_model_choose_beta(t->m, t->o.beta, err));
    R1_TRY(r1_evidence_check(&t->rules, t->m, "reward: the description", err));
    return r1_fit(t->m, &t->train, err);
}

static r1_status reward_reserve(rewarder *t, r1_err *err)
{
    size_t n = (size_t)t->o.n_case * t->o.n_group;
    R1_TRY(r1_thread_pool_new(&t->threads, t->o.n_thread, t->o.n_slice, err));
    R1_TRY(r1_actor_new(&t->actor, t->m, t->o.head, t->rules.n_verdict, NODES_RUN, t->threads,
                        t->o.n_slice, err));
    R1_TRY(r1_rows_new(&t->cases, t->m->desc, t->o.n_case, err));
    R1_TRY(r1_rollout_new(&t->rollout, &t->rules, n, err));
    R1_TRY(r1_adamw_new(&t->adam, t->m, err));
    t->rollout.reserve = (float)t->o.reserve;
    t->end = calloc(n, sizeof *t->end);
    t->score = calloc(n, sizeof *t->score);
    t->grad = calloc(n, sizeof *t->grad);
    t->right = calloc(n, sizeof *t->right);
    t->best = r1_calloc_aligned(t->m->net.plan.weight_bytes + 64, 1);
    if (!t->end || !t->score || !t->grad || !t->right || !t->best)
        R1_FAIL(err, R1_E_NOMEM, "reward: out of memory");
    memcpy(t->best, t->m->weights, t->m->net.plan.weight_bytes);
    return R1_OK;
}

static r1_status reward_set_up(rewarder *t, r1_err *err)
{
    if (t->o.n_group < 2 || t->o.n_group > GROUP_MAX || t->o.n_case > CASES_MAX || !t->o.n_valid)
        R1_FAIL(err, R1_E_INVAL,
                "reward: %u traces of %u cases a step and %zu validation shards; expected 2 to %d "
                "of at most "
                "%d, and one shard or more",
                t->o.n_group, t->o.n_case, t->o.n_valid, GROUP_MAX, CASES_MAX);
    r1_evidence_spec spec = {t->o.truth, NULL, t->o.door, t->o.given, t->o.n_ask_max};
    R1_TRY(r1_data_open(&t->train, t->o.train, t->o.n_train, err));
    R1_TRY(r1_data_open(&t->valid, t->o.valid, t->o.n_valid, err));
    R1_TRY(r1_evidence_make(&t->rules, &spec, &t->train, err));
    if (r1_shard_schema_hash(t->valid.shard[0]) != r1_shard_schema_hash(t->train.shard[0]))
        R1_FAIL(err, R1_E_INVAL, "reward: shard %s has another feature schema than %s",
                t->o.valid[0], t->o.train[0]);
    R1_TRY(r1_evidence_labelled(&t->rules, &t->train, t->o.train[0], err));
    R1_TRY(r1_evidence_labelled(&t->rules, &t->valid, t->o.valid[0], err));
    R1_TRY(reward_make_model(t, err));
    R1_TRY(reward_reserve(t, err));
    if (!t->o.checkpoint || access(t->o.checkpoint, F_OK) != 0) return R1_OK;
    r1_checkpoint c = reward_state_of(t);
    r1_status st = r1_checkpoint_load(&c, t->o.checkpoint, err);
    r1_net_derive(&t->m->net, t->m->desc, t->m->weights);
    return st;
}

static void tear_down(rewarder *t)
{
    r1_actor_free(&t->actor);
    r1_thread_pool_free(t->threads);
    r1_rows_free(&t->cases);
    r1_rollout_free(&t->rollout);
    r1_adamw_free(&t->adam);
    if (t->train.shard) r1_data_close(&t->train);
    if (t->valid.shard) r1_data_close(&t->valid);
    r1_model_free(t->m);
    free(t->end);
    free(t->score);
    free(t->grad);
    free(t->right);
    free(t->best);
}

/* ---- a step ---------------------------------------------------------------------------------- */

static void reward_ends(rewarder *t)
{
    for (size_t i = 0; i < t->rollout.n_trace; i++) {
        const r1_trace *x = &t->rollout.trace[i];
        t->end[i] = (r1_node){x->row, x->held};
        t->right[i] = x->right;
    }
}

static float *output_of(float *rows, const rewarder *t, size_t i, size_t at)
{
    return rows + (i - at) * r1_actor_stride(&t->actor) + t->rollout.trace[i].verdict;
}

/* Scores of the traces at..at+n-1, which the actor then holds. */
static r1_status score_some(rewarder *t, const r1_data *d, size_t at, size_t n, r1_err *err)
{
    R1_TRY(r1_actor_run(&t->actor, d, &t->cases, t->end + at, n, err));
    for (size_t i = at; i < at + n; i++)
        t->score[i] = (double)r1_actor_logits(
            &t->actor)[(i - at) * r1_actor_stride(&t->actor) + t->rollout.trace[i].verdict];
    return R1_OK;
}

static size_t reward_piece(const rewarder *t, size_t at)
{
    size_t left = t->rollout.n_trace - at;
    return left < t->actor.cap ? left : t->actor.cap;
}

static r1_status reward_score_all(rewarder *t, const r1_data *d, r1_err *err)
{
    for (size_t at = 0; at < t->rollout.n_trace; at += t->actor.cap)
        R1_TRY(score_some(t, d, at, reward_piece(t, at), err));
    return R1_OK;
}

/* Mean loss of the cases whose traces are scored; their slopes to grad, or NULL. */
static double reward_contrast(const rewarder *t, double *grad)
{
    size_t g = t->o.n_group;
    double loss = 0, share = 1 / (double)t->cases.n;
    for (size_t c = 0; c < t->cases.n; c++)
        loss += share * r1_contrast_loss(t->score + c * g, t->right + c * g, g, t->o.contrast,
                                         t->o.temperature, share, grad ? grad + c * g : NULL);
    return loss;
}

static r1_status reward_descend(rewarder *t, double *loss, r1_err *err)
{
    R1_TRY(reward_score_all(t, &t->train, err));
    memset(t->grad, 0, t->rollout.n_trace * sizeof *t->grad);
    *loss = reward_contrast(t, t->grad);
    if (!isfinite(*loss))
        R1_FAIL(err, R1_E_INVAL,
                "reward: the loss is not finite at step %llu: lower the learning rate (%g)",
                (unsigned long long)t->step, t->o.lr);
    for (size_t at = 0; at < t->rollout.n_trace; at += t->actor.cap) {
        size_t n = reward_piece(t, at);
        R1_TRY(r1_actor_run(&t->actor, &t->train, &t->cases, t->end + at, n, err));
        for (size_t i = at; i < at + n; i++)
            *output_of(r1_actor_grad(&t->actor), t, i, at) = (float)t->grad[i];
        R1_TRY(r1_actor_backward(&t->actor, err));
    }
    return R1_OK;
}

/* The next cases of the validation from *at on, and their traces, scored. */
static r1_status next_valid(rewarder *t, size_t *at, size_t to, r1_rng *rng, r1_err *err)
{
    r1_rows_clear(&t->cases);
    for (; *at < to && t->cases.n < t->o.n_case; ++*at)
        R1_TRY(r1_rows_add(&t->cases, &t->valid, &t->valid.unit[*at], err));
    R1_TRY(r1_rollout_run(&t->rollout, &t->rules, NULL, &t->valid, &t->cases, t->o.n_group, false,
                          rng, err));
    reward_ends(t);
    return reward_score_all(t, &t->valid, err);
}

/* What stops the training are traces of the half that calibrates, the same ones each time: the
 * other half only judges. */
static r1_status reward_watch(rewarder *t, r1_err *err)
{
    size_t to = t->valid.n_unit / 2 < WATCHED ? t->valid.n_unit / 2 : WATCHED;
    double sum = 0, best;
    r1_rng rng;
    r1_rng_seed(&rng, t->o.seed ^ 0x9e3779b97f4a7c15u);
    for (size_t at = 0; at < to;) {
        R1_TRY(next_valid(t, &at, to, &rng, err));
        sum += reward_contrast(t, NULL) * (double)t->cases.n / (double)to;
    }
    memcpy(&best, &t->best_bits, sizeof best);
    t->n_valid++;
    t->bad++;
    if (to == 0 || sum < best) {
        memcpy(&t->best_bits, &sum, sizeof sum);
        memcpy(t->best, t->m->weights, t->m->net.plan.weight_bytes);
        t->bad = 0;
    }
    FILE *f = t->o.metrics ? fopen(t->o.metrics, "ae") : NULL;
    if (!f) return R1_OK;
    fprintf(
        f,
        "{\"stage\":\"reward\",\"event\":\"valid\",\"step\":%llu,\"seconds\":%.3f,\"loss\":%.6g}\n",
        (unsigned long long)t->step, (double)(r1_mono_us() - t->start_us) * 1e-6, sum);
    fclose(f);
    return R1_OK;
}

static r1_status reward_step(rewarder *t, r1_err *err)
{
    double loss;
    char text[48];
    r1_rng rng;
    r1_rng_seed(&rng, t->o.seed ^ (t->step + 1) * 0xd1b54a32d192ed03u);
    r1_rows_clear(&t->cases);
    for (uint32_t i = 0; i < t->o.n_case; i++)
        R1_TRY(r1_rows_add(&t->cases, &t->train,
                           &t->train.unit[r1_rng_below(&rng, t->train.n_unit)], err));
    R1_TRY(r1_rollout_run(&t->rollout, &t->rules, NULL, &t->train, &t->cases, t->o.n_group, false,
                          &rng, err));
    reward_ends(t);
    R1_TRY(reward_descend(t, &loss, err));
    double rate = r1_adamw_rate(t->o.lr, 0, (double)t->step / t->o.n_step);
    r1_adamw_step(&t->adam, t->m, &t->actor.parallel, rate, t->o.weight_decay, t->o.clip);
    t->step++;
    t->loss_mean = t->loss_mean == 0 ? loss : 0.95 * t->loss_mean + 0.05 * loss;
    if (t->o.progress) {
        if (!t->line.what) r1_progress_begin(&t->line, "reward model", t->o.n_step);
        snprintf(text, sizeof text, "loss %.4f", t->loss_mean);
        r1_progress_update(&t->line, t->step, text);
    }
    if (t->step % t->o.valid_every == 0 || t->step == t->o.n_step) R1_TRY(reward_watch(t, err));
    if (!t->o.checkpoint || t->step % t->o.checkpoint_every) return R1_OK;
    r1_checkpoint c = reward_state_of(t);
    return r1_checkpoint_save(&c, t->o.checkpoint, err);
}

/* ---- unseen cases ---------------------------------------------------------------------------- */

/* Traces of the units from..to-1, as r1_scores: logit = score, label = right, group = case. */
static r1_status sample_traces(rewarder *t, size_t from, size_t to, r1_scores *s, uint32_t *held,
                               uint32_t *verdict, r1_err *err)
{
    r1_rng rng;
    r1_rng_seed(&rng, t->o.seed ^ 0x2545f4914f6cdd1du);
    for (size_t u = from; u < to;) {
        R1_TRY(next_valid(t, &u, to, &rng, err));
        for (size_t i = 0; i < t->rollout.n_trace; i++, s->n++) {
            const r1_trace *x = &t->rollout.trace[i];
            s->logit[s->n] = (float)t->score[i];
            s->label[s->n] = x->right;
            s->weight[s->n] = 1;
            s->id[s->n] = t->cases.sample[x->row].id;
            held[s->n] = x->held;
            verdict[s->n] = x->verdict;
        }
    }
    return R1_OK;
}

static void count_pairs(const rewarder *t, const r1_scores *s, r1_reward_report *r)
{
    size_t g = t->o.n_group;
    double ordered = 0;
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = i / g * g; s->label[i] > 0.5f && j < i / g * g + g; j++) {
            if (s->label[j] > 0.5f) continue;
            ordered += s->logit[i] > s->logit[j] ? 1 : s->logit[i] == s->logit[j] ? 0.5 : 0;
            r->n_pair++;
        }
    r->agreement = r->n_pair ? ordered / (double)r->n_pair : NAN;
}

static r1_status reward_judge(rewarder *t, r1_reward_report *r, r1_err *err)
{
    r1_desc one = *t->m->desc; /* room for one number a trace */
    r1_model shape = {.desc = &one};
    one.n_headc = one.n_output = 1;
    size_t half = t->valid.n_unit / 2, n = (t->valid.n_unit - half) * t->o.n_group;
    uint32_t *held = calloc(n + 1, sizeof *held), *verdict = calloc(n + 1, sizeof *verdict);
    r1_scores fit = {0}, s = {0};
    r1_status st = held && verdict
                       ? R1_OK
                       : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "reward: out of memory");
    if (st == R1_OK) st = r1_scores_new(&fit, &shape, half * t->o.n_group, err);
    if (st == R1_OK) st = r1_scores_new(&s, &shape, n, err);
    if (st == R1_OK) st = sample_traces(t, 0, half, &fit, held, verdict, err);
    if (st == R1_OK) st = sample_traces(t, half, t->valid.n_unit, &s, held, verdict, err);
    if (st == R1_OK) {
        r1_calibration c = r1_calibration_fit(&fit, 0, 0);
        int head = 0;
        while (strcmp(t->m->desc->head[head].name, t->o.head) != 0) head++;
        t->m->calibration[head] = c;
        for (size_t i = 0; i < s.n; i++) s.logit[i] = s.logit[i] * c.scale + c.bias;
        count_pairs(t, &s, r);
        r->auc = r1_metric_auc(s.logit, s.label, s.n);
        r->ece = r1_metric_ece(s.logit, s.label, NULL, s.n);
        r->n_trace = s.n;
        for (size_t i = 0; t->o.each && i < s.n; i++)
            t->o.each(t->o.ctx, s.id[i], held[i], verdict[i], s.label[i] > 0.5f,
                      1 / (1 + exp(-(double)s.logit[i])));
    }
    r1_scores_free(&fit);
    r1_scores_free(&s);
    free(held);
    free(verdict);
    return st;
}

static void reward_write_metrics(const rewarder *t, const r1_reward_report *r)
{
    FILE *f = t->o.metrics ? fopen(t->o.metrics, "ae") : NULL;
    if (!f) return;
    fprintf(f,
            "{\"stage\":\"reward\",\"event\":\"end\",\"step\":%llu,\"seconds\":%.3f,\"loss\":%.6g,"
            "\"agreement\":%.6g,"
            "\"auc\":%.6g,\"ece\":%.6g,\"pairs\":%llu}\n",
            (unsigned long long)t->step, r->seconds, t->loss_mean, r->agreement, r->auc, r->ece,
            (unsigned long long)r->n_pair);
    fclose(f);
}

static bool reward_finished(const rewarder *t)
{
    return t->step >= t->o.n_step || (t->o.patience && t->bad >= t->o.patience);
}

static r1_status reward_run(rewarder *t, r1_reward_report *r, r1_err *err)
{
    while (!reward_finished(t)) {
        R1_TRY(reward_step(t, err));
        bool stop = t->o.stopped && t->o.stopped(),
             limit = t->o.n_step_max && t->step >= t->o.n_step_max;
        if (!stop && !limit) continue;
        r1_checkpoint c = reward_state_of(t);
        if (t->o.checkpoint) R1_TRY(r1_checkpoint_save(&c, t->o.checkpoint, err));
        if (limit) break;
        R1_FAIL(err, R1_E_CANCELLED, "reward: stopped at step %llu", (unsigned long long)t->step);
    }
    if (t->n_valid) memcpy(t->m->weights, t->best, t->m->net.plan.weight_bytes);
    R1_TRY(reward_judge(t, r, err));
    r->n_step = t->step;
    r->seconds = (double)(r1_mono_us() - t->start_us) * 1e-6;
    t->m->trained_samples = t->step * t->o.n_case * t->o.n_group;
    if (t->line.what) r1_progress_end(&t->line, t->step, "");
    reward_write_metrics(t, r);
    return t->o.out ? r1_model_save(t->m, t->o.out, err) : R1_OK;
}

r1_status r1_reward_train(const r1_reward_opts *opts, r1_reward_report *report, r1_err *err)
{
    const double none = INFINITY;
    r1_reward_report r = {0};
    rewarder *t = calloc(1, sizeof *t);
    if (!t) R1_FAIL(err, R1_E_NOMEM, "reward: out of memory");
    t->o = *opts;
    reward_defaults(&t->o);
    t->start_us = r1_mono_us();
    memcpy(&t->best_bits, &none, sizeof none);
    r1_status st = reward_set_up(t, err);
    if (st == R1_OK) st = reward_run(t, &r, err);
    tear_down(t);
    free(t);
    if (st == R1_OK && report) *report = r;
    return st;
}
