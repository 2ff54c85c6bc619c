/* SPDX-License-Identifier: Apache-2.0 */
/* trainer.c - the training loop: a thread pool works off the slices of each batch.
 *
 * Nothing random is carried along: the order of an epoch comes from (seed, epoch) and what is
 * hidden in a step from (seed, step). So a checkpoint is the weights, their moments, the best
 * weights and a few counters, and a resumed run gives the bytes of an uninterrupted one. */
#include "r1_train.h"

#include "infer/pack.h"
#include "r1_session.h"
#include "train/adamw.h"
#include "train/checkpoint.h"
#include "train/curriculum.h"
#include "train/data_parallel.h"
#include "train/evaluate.h"
#include "train/loop.h"
#include "train/loss.h"
#include "train/quantiser.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct r1_trainer {
    r1_train_opts o;
    r1_data train, valid;
    bool has_valid;
    r1_model *m;
    r1_thread_pool *threads;
    r1_data_parallel parallel;
    r1_rows rows;
    r1_pack_source src; /* the batch in hand */
    r1_loss_total total;
    double loss[R1_SLICES_MAX]; /* each slice's part of the batch's */
    r1_adamw adam;
    float *best; /* the weights that validated best */
    float *mean; /* the running mean of the weights; NULL: none is kept */
    r1_curriculum curriculum;
    uint32_t *order; /* of the units in this epoch */
    uint32_t *drop;  /* per sample of the batch: items hidden */
    bool fit_steps;  /* the first batch says where the steps of rounding begin */
    /* what a checkpoint carries */
    uint64_t epoch, unit, seen, bad, n_valid,
        best_bits;     /* best_bits: best_value's, at the checkpoint */
    double best_value; /* higher is better; -inf before the first validation */
    uint64_t trained_before;
    r1_pace pace;
};

static void trainer_defaults(r1_train_opts *o)
{
    if (o->lr == 0) o->lr = 2e-3;
    if (o->weight_decay == 0) o->weight_decay = 0.01;
    if (o->clip == 0) o->clip = 1;
    if (o->warmup == 0) o->warmup = 0.05;
    if (o->item_drop == 0) o->item_drop = 0.05;
    if (!o->n_epoch) o->n_epoch = 4;
    if (!o->n_batch) o->n_batch = 256;
    if (!o->n_slice) o->n_slice = 1;
    if (!o->checkpoint_every) o->checkpoint_every = 500;
    if (!o->patience) o->patience = 3;
}

/* ---- order ----------------------------------------------------------------------------------- */

static void trainer_shuffle(r1_trainer *t)
{
    double progress = (double)t->epoch / t->o.n_epoch;
    r1_curriculum_epoch(&t->curriculum, progress, t->o.seed, t->epoch, t->order);
}

static uint32_t trainer_batch_cap(const r1_trainer *t)
{
    return t->o.n_batch > t->train.unit_max ? t->o.n_batch : t->train.unit_max;
}

/* Items hidden at random, so that verdicts on partial evidence are learned. */
static void hide_items(r1_trainer *t)
{
    r1_rng rng;
    r1_rng_seed(&rng, t->o.seed ^ 0xd1b54a32d192ed03u * (t->adam.n_step + 1));
    for (size_t i = 0; i < t->rows.n; i++) {
        t->drop[i] = 0;
        for (uint32_t k = 0; k < t->m->desc->n_item; k++)
            if (r1_rng_unit(&rng) < t->o.item_drop) t->drop[i] |= 1u << k;
    }
}

/* ---- checkpoint ------------------------------------------------------------------------------ */

static r1_checkpoint trainer_state_of(r1_trainer *t)
{
    uint32_t beta;
    memcpy(&beta, &t->m->beta, sizeof beta);
    return (r1_checkpoint){.description = t->m->desc->text,
                           .must = {{"seed", t->o.seed},
                                    {"n_sample", t->train.n_sample},
                                    {"beta_bits", beta},
                                    {.name = "slices", .value = t->o.n_slice, .unsaid = 1}},
                           .counter = {{"step", &t->adam.n_step},
                                       {"epoch", &t->epoch},
                                       {"unit", &t->unit},
                                       {"seen", &t->seen},
                                       {"bad", &t->bad},
                                       {"n_valid", &t->n_valid},
                                       {"best_bits", &t->best_bits}},
                           .block = {{"weights", t->m->weights},
                                     {"moment1", t->adam.m},
                                     {"moment2", t->adam.v},
                                     {"best", t->best},
                                     {t->mean ? "mean" : NULL, t->mean}},
                           .block_bytes = t->m->net.plan.weight_bytes};
}

r1_status r1_trainer_checkpoint(r1_trainer *t, const char *path, r1_err *err)
{
    r1_checkpoint c = trainer_state_of(t);
    memcpy(&t->best_bits, &t->best_value, sizeof t->best_bits);
    return r1_checkpoint_save(&c, path, err);
}

static r1_status trainer_resume(r1_trainer *t, r1_err *err)
{
    r1_checkpoint c = trainer_state_of(t);
    r1_status st = r1_checkpoint_load(&c, t->o.checkpoint, err);
    memcpy(&t->best_value, &t->best_bits, sizeof t->best_value);
    r1_net_derive(&t->m->net, t->m->desc, t->m->weights);
    if (st == R1_OK && t->unit > t->train.n_unit)
        R1_FAIL(err, R1_E_FORMAT, "checkpoint %s: unit %llu of %zu", t->o.checkpoint,
                (unsigned long long)t->unit, t->train.n_unit);
    return st;
}

/* ---- life ------------------------------------------------------------------------------------ */

static r1_status trainer_make_model(r1_trainer *t, r1_err *err)
{
    const char *text =
        t->o.description ? t->o.description : r1_shard_description(t->train.shard[0]);
    R1_TRY(t->o.init ? r1_model_open_as(&t->m, t->o.init, text, t->o.seed, err)
                     : r1_model_new(&t->m, text, t->o.seed, err));
    if (t->m->desc->schema_hash != r1_shard_schema_hash(t->train.shard[0]))
        R1_FAIL(err, R1_E_INVAL,
                "training: the shards' feature schema %016llx is not the model's %016llx",
                (unsigned long long)r1_shard_schema_hash(t->train.shard[0]),
                (unsigned long long)t->m->desc->schema_hash);
    R1_TRY(r1_model_choose_beta(t->m, t->o.beta, err));
    t->trained_before = t->m->trained_samples;
    r1_model_uncalibrate(t->m);
    if (!t->o.init) R1_TRY(r1_fit(t->m, &t->train, err));
    t->fit_steps = t->o.int8 && !t->m->steps;
    t->o.int8 |= t->m->steps;
    return t->fit_steps ? r1_model_add_steps(t->m, err) : R1_OK;
}

static r1_status trainer_make_executor(r1_trainer *t, r1_err *err)
{
    uint32_t n = trainer_batch_cap(t);
    R1_TRY(r1_thread_pool_new(&t->threads, t->o.n_thread, t->o.n_slice, err));
    R1_TRY(r1_data_parallel_new(&t->parallel, t->m, t->threads, t->o.n_slice, n, t->train.unit_max,
                                err));
    for (uint32_t k = 0; k < t->parallel.n_slice; k++)
        t->parallel.slice[k].e->flags = t->o.run_flags;
    R1_TRY(r1_rows_new(&t->rows, t->m->desc, n, err));
    R1_TRY(r1_adamw_new(&t->adam, t->m, err));
    R1_TRY(r1_curriculum_new(&t->curriculum, t->o.curriculum, false, t->m->desc, &t->train, err));
    t->order = calloc(t->train.n_unit, sizeof *t->order);
    t->drop = calloc(n, sizeof *t->drop);
    size_t bytes = t->m->net.plan.weight_bytes;
    t->best = r1_calloc_aligned(bytes + 64, 1);
    if (t->o.mean_decay > 0) t->mean = r1_calloc_aligned(bytes + 64, 1);
    if (!t->order || !t->drop || !t->best || (t->o.mean_decay > 0 && !t->mean))
        R1_FAIL(err, R1_E_NOMEM, "training: out of memory");
    memcpy(t->best, t->m->weights, bytes);
    if (t->mean) memcpy(t->mean, t->m->weights, bytes);
    return R1_OK;
}

r1_status r1_trainer_new(r1_trainer **out, const r1_train_opts *opts, r1_err *err)
{
    r1_trainer *t = calloc(1, sizeof *t);
    if (!t) R1_FAIL(err, R1_E_NOMEM, "training: out of memory");
    t->o = *opts;
    trainer_defaults(&t->o);
    t->best_value = -INFINITY;
    r1_status st = r1_data_open(&t->train, t->o.train, t->o.n_train, err);
    if (st == R1_OK && t->o.n_valid) {
        st = r1_data_open(&t->valid, t->o.valid, t->o.n_valid, err);
        t->has_valid = st == R1_OK;
    }
    if (st == R1_OK) st = trainer_make_model(t, err);
    if (st == R1_OK && t->has_valid &&
        r1_shard_schema_hash(t->valid.shard[0]) != t->m->desc->schema_hash)
        st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                        "training: shard %s has another feature schema", t->o.valid[0]);
    if (st == R1_OK) st = trainer_make_executor(t, err);
    if (st == R1_OK && t->o.checkpoint && access(t->o.checkpoint, F_OK) == 0) {
        t->fit_steps = false;
        st = trainer_resume(t, err);
    }
    if (st != R1_OK) {
        r1_trainer_free(t);
        return st;
    }
    trainer_shuffle(t);
    t->pace = (r1_pace){.what = "training", .start_us = r1_mono_us()};
    *out = t;
    return R1_OK;
}

void r1_trainer_free(r1_trainer *t)
{
    if (!t) return;
    r1_data_parallel_free(&t->parallel);
    r1_thread_pool_free(t->threads);
    r1_rows_free(&t->rows);
    r1_adamw_free(&t->adam);
    r1_curriculum_free(&t->curriculum);
    r1_data_close(&t->train);
    if (t->has_valid) r1_data_close(&t->valid);
    r1_model_free(t->m);
    free(t->order);
    free(t->drop);
    free(t->best);
    free(t->mean);
    free(t);
}

const r1_model *r1_trainer_model(const r1_trainer *t) { return t->m; }

/* ---- a step ---------------------------------------------------------------------------------- */

static double trainer_rate(const r1_trainer *t)
{
    double all = (double)t->train.n_sample * t->o.n_epoch;
    return r1_adamw_rate(t->o.lr, t->o.warmup, (double)t->seen / all);
}

static void cut_batch(r1_trainer *t)
{
    t->src = (r1_pack_source){.sample = t->rows.sample,
                              .n_sample = t->rows.n,
                              .event = r1_data_event,
                              .event_ctx = &t->train,
                              .n_event = t->train.n_event,
                              .items_off = t->o.items_off,
                              .drop = t->drop};
    hide_items(t);
    r1_data_parallel_cut(&t->parallel, &t->src);
}

static r1_status trainer_forward_slice(void *ctx, uint32_t k, r1_err *err)
{
    r1_trainer *t = ctx;
    R1_TRY(r1_data_parallel_fill(&t->parallel, k, err));
    return r1_data_parallel_forward(&t->parallel, k, err);
}

/* One job from inputs to gradients: what the forward pass wrote is still near when the backward
 * pass reads it. */
static r1_status learn_slice(void *ctx, uint32_t k, r1_err *err)
{
    r1_trainer *t = ctx;
    const r1_slice *s = &t->parallel.slice[k];
    int16_t out = t->m->net.logits;
    t->loss[k] = 0;
    if (s->n == 0) return R1_OK;
    R1_TRY(trainer_forward_slice(t, k, err));
    r1_exec_zero_grad(s->e);
    t->loss[k] = r1_loss(t->m->desc, t->m->net.n_position, t->src.sample + s->first, s->n,
                         &t->total, r1_exec_ptr(s->e, out), r1_exec_grad(s->e, out));
    return r1_exec_backward(s->e, err);
}

static r1_status trainer_gradient(r1_trainer *t, double *loss, r1_err *err)
{
    cut_batch(t);
    t->total = r1_loss_weigh(t->m->desc, t->src.sample, t->src.n_sample);
    R1_TRY(r1_data_parallel_each(&t->parallel, learn_slice, t, err));
    for (uint32_t k = 0; k < t->parallel.n_slice; k++) *loss += t->loss[k];
    t->pace.flop +=
        3 * r1_data_parallel_flop(
                &t->parallel); /* a backward pass is two forward ones, as is usual to count */
    return R1_OK;
}

static void set_rounding(r1_trainer *t, bool on)
{
    for (uint32_t k = 0; k < t->parallel.n_slice; k++) t->parallel.slice[k].e->rounds = on;
}

/* Steps begin where they round this batch, as it is without rounding, with the least error. */
static r1_status begin_steps(r1_trainer *t, r1_err *err)
{
    const r1_exec *e[R1_SLICES_MAX];
    uint32_t n = 0;
    t->fit_steps = false;
    cut_batch(t);
    set_rounding(t, false);
    r1_status st = r1_data_parallel_each(&t->parallel, trainer_forward_slice, t, err);
    set_rounding(t, true);
    R1_TRY(st);
    for (uint32_t k = 0; k < t->parallel.n_slice; k++)
        if (t->parallel.slice[k].n) e[n++] = t->parallel.slice[k].e;
    r1_quantiser_fit(t->m, e, n);
    memcpy(t->best, t->m->weights, t->m->net.plan.weight_bytes);
    if (t->mean) memcpy(t->mean, t->m->weights, t->m->net.plan.weight_bytes);
    return R1_OK;
}

static void trainer_write_metrics(const r1_trainer *t, const char *event, double loss,
                                  const r1_eval *v)
{
    FILE *f = t->o.metrics ? fopen(t->o.metrics, "ae") : NULL;
    if (!f) return;
    fprintf(f,
            "{\"event\":\"%s\",\"step\":%llu,\"epoch\":%llu,\"samples\":%llu,\"lr\":%.6g,"
            "\"seconds\":%.3f",
            event, (unsigned long long)t->adam.n_step, (unsigned long long)t->epoch,
            (unsigned long long)t->seen, trainer_rate(t), r1_pace_seconds(&t->pace));
    const char *const names[] = {"loss", "auc", "ap", "top1", "mrr", "ece"};
    double values[] = {loss, NAN, NAN, NAN, NAN, NAN};
    if (v) {
        const double figures[] = {v->loss, v->auc, v->ap, v->top1, v->mrr, v->ece};
        memcpy(values, figures, sizeof values);
    }
    for (size_t i = 0; i < R1_COUNT(names); i++)
        if (isfinite(values[i])) fprintf(f, ",\"%s\":%.6g", names[i], values[i]);
    fprintf(f, "}\n");
    fclose(f);
}

static r1_status score_valid(r1_trainer *t, r1_scores *s, r1_eval *v, r1_err *err)
{
    r1_eval_opts o = {.head = t->o.head,
                      .run_flags = t->o.run_flags,
                      .items_off = t->o.items_off,
                      .int8 = t->o.int8};
    R1_TRY(r1_scores_new(s, t->m, (size_t)t->valid.n_sample, err));
    r1_status st = r1_score_data(t->m, &t->valid, &o, t->threads, s, err);
    return st == R1_OK ? r1_figures_of(t->m, s, t->o.head, v, err) : st;
}

/* The running mean follows slowly only once there is something to follow: its decay rises to
 * mean_decay with the steps. */
static void trainer_follow(r1_trainer *t)
{
    double n = (double)t->adam.n_step, decay = (1 + n) / (10 + n);
    r1_adamw_mean(t->m, t->mean, decay < t->o.mean_decay ? decay : t->o.mean_decay);
}

/* The model works with its running mean from here to the next call. */
static void swap_mean(r1_trainer *t)
{
    size_t count = t->m->net.plan.weight_bytes / sizeof(float);
    for (size_t i = 0; t->mean && i < count; i++) {
        float x = t->mean[i];
        t->mean[i] = t->m->weights[i];
        t->m->weights[i] = x;
    }
}

static r1_status validate_now(r1_trainer *t, r1_err *err)
{
    r1_scores s = {0};
    r1_eval v;
    if (!t->has_valid) {
        memcpy(t->best, t->m->weights, t->m->net.plan.weight_bytes);
        return R1_OK;
    }
    r1_status st = score_valid(t, &s, &v, err);
    r1_scores_free(&s);
    if (st != R1_OK) return st;
    double value = t->o.metric == R1_STOP_AP     ? v.ap
                   : t->o.metric == R1_STOP_TOP1 ? v.top1
                                                 : -v.loss;
    t->n_valid++;
    if (value > t->best_value) {
        t->best_value = value;
        t->bad = 0;
        memcpy(t->best, t->m->weights, t->m->net.plan.weight_bytes);
    } else {
        t->bad++;
    }
    trainer_write_metrics(t, "valid", v.loss, &v);
    return R1_OK;
}

static r1_status trainer_validate(r1_trainer *t, r1_err *err)
{
    swap_mean(t);
    r1_status st = validate_now(t, err);
    swap_mean(t);
    return st;
}

static bool trainer_finished(const r1_trainer *t)
{
    return t->epoch >= t->o.n_epoch || t->bad >= t->o.patience;
}

static r1_status trainer_end_of_epoch(r1_trainer *t, r1_err *err)
{
    t->epoch++;
    t->unit = 0;
    trainer_shuffle(t);
    return t->o.valid_every && t->has_valid ? R1_OK : trainer_validate(t, err);
}

r1_status r1_trainer_step(r1_trainer *t, double *loss, bool *done, r1_err *err)
{
    *loss = 0;
    *done = trainer_finished(t);
    if (*done) return R1_OK;
    R1_TRY(r1_rows_take(&t->rows, &t->train, t->order, &t->unit, t->o.n_batch, err));
    if (t->fit_steps) R1_TRY(begin_steps(t, err));
    R1_TRY(trainer_gradient(t, loss, err));
    if (!isfinite(*loss))
        R1_FAIL(err, R1_E_INVAL,
                "training: the loss is not finite at step %llu: lower the learning rate (%g)",
                (unsigned long long)t->adam.n_step, t->o.lr);
    r1_adamw_step(&t->adam, t->m, &t->parallel, trainer_rate(t), t->o.weight_decay, t->o.clip);
    if (t->mean) trainer_follow(t);
    t->seen += t->rows.n;
    t->pace.seen += t->rows.n;
    r1_pace_note(&t->pace, t->o.progress, t->epoch, *loss, t->seen,
                 t->train.n_sample * t->o.n_epoch);
    if (t->adam.n_step % 50 == 0) trainer_write_metrics(t, "train", t->pace.loss, NULL);
    if (t->unit == t->train.n_unit) R1_TRY(trainer_end_of_epoch(t, err));
    if (t->o.valid_every && t->adam.n_step % t->o.valid_every == 0)
        R1_TRY(trainer_validate(t, err));
    if (t->o.checkpoint && t->adam.n_step % t->o.checkpoint_every == 0)
        R1_TRY(r1_trainer_checkpoint(t, t->o.checkpoint, err));
    *done = trainer_finished(t) || (t->o.n_step_max && t->adam.n_step >= t->o.n_step_max);
    return R1_OK;
}

static r1_status trainer_keep_best(r1_trainer *t, r1_train_report *report, r1_err *err)
{
    if (!t->has_valid) {
        if (t->mean) memcpy(t->m->weights, t->mean, t->m->net.plan.weight_bytes);
        return R1_OK;
    }
    if (t->n_valid == 0) R1_TRY(trainer_validate(t, err));
    memcpy(t->m->weights, t->best, t->m->net.plan.weight_bytes);
    r1_scores s = {0};
    r1_status st = score_valid(t, &s, &report->valid, err);
    report->raw = report->valid;
    if (st == R1_OK && t->m->desc->head[t->o.head].kind == R1_HEAD_BINARY)
        st = r1_crossed_ece(t->m, &s, t->o.head, t->o.isotonic, &report->ece_crossed, err);
    if (st == R1_OK) st = r1_calibrate(t->m, &s, t->o.isotonic, err);
    r1_scores_free(&s);
    if (st == R1_OK) st = score_valid(t, &s, &report->valid, err); /* as calibrated */
    r1_scores_free(&s);
    return st;
}

r1_status r1_trainer_finish(r1_trainer *t, r1_train_report *report, r1_err *err)
{
    r1_train_report r = {
        .valid = {.loss = NAN, .auc = NAN, .ap = NAN, .top1 = NAN, .mrr = NAN, .ece = NAN}};
    r.raw = r.valid;
    r.ece_crossed = NAN;
    R1_TRY(trainer_keep_best(t, &r, err));
    t->m->trained_samples = t->trained_before + t->seen;
    r.n_step = t->adam.n_step;
    r.n_sample = t->seen;
    r.seconds = r1_pace_seconds(&t->pace);
    r.samples_s = r.seconds > 0 ? (double)t->pace.seen / r.seconds : 0;
    r1_pace_end(&t->pace, t->seen);
    trainer_write_metrics(t, "end", r.valid.loss, &r.valid);
    if (report) *report = r;
    return t->o.out ? r1_model_save(t->m, t->o.out, err) : R1_OK;
}

static r1_status trainer_advance(void *stage, bool *done, r1_err *err)
{
    double loss;
    return r1_trainer_step(stage, &loss, done, err);
}

static r1_status trainer_save(void *stage, const char *path, r1_err *err)
{
    return r1_trainer_checkpoint(stage, path, err);
}

r1_status r1_train(const r1_train_opts *opts, r1_train_report *report, r1_err *err)
{
    r1_trainer *t;
    R1_TRY(r1_trainer_new(&t, opts, err));
    r1_loop loop = {"training",      t->o.checkpoint, t->o.stopped,
                    &t->adam.n_step, trainer_advance, trainer_save};
    r1_status st = r1_loop_run(&loop, t, err);
    if (st == R1_OK) st = r1_trainer_finish(t, report, err);
    r1_trainer_free(t);
    return st;
}
