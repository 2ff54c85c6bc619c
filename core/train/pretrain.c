/* SPDX-License-Identifier: Apache-2.0 */
/* pretrain.c - the loop of the pretrain stage.
 *
 * As in the other stages nothing random is carried along: the order of an epoch comes from
 * (seed, epoch), what a step hides from (seed, step), what a validation hides from its batch's
 * number. The model runs the plan with pretraining's heads, whose weights follow after its own:
 * writing an ordinary model is leaving them out. */
#include "r1_pretrain.h"

#include "train/adamw.h"
#include "train/checkpoint.h"
#include "train/curriculum.h"
#include "train/data_parallel.h"
#include "train/loop.h"
#include "train/pretext.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POOL = 256, BATCH_MAX = 4096 };

struct r1_pretrainer {
    r1_pretrain_opts o;
    r1_data train, valid;
    bool has_valid;
    r1_model *m;
    r1_thread_pool *threads;
    r1_data_parallel parallel;
    r1_pretext pretext;
    r1_rows rows;
    r1_adamw adam;
    r1_curriculum curriculum;
    float *best;     /* the weights that validated best */
    uint32_t *order; /* of the units in this epoch */
    /* what a checkpoint carries */
    uint64_t epoch, unit, seen, bad, n_valid,
        best_bits;  /* best_bits: of the least validation loss, a double */
    uint64_t asked; /* steps that had something to ask */
    uint64_t trained_before;
    r1_pace pace;
    r1_pretext_loss last;
    r1_searches *searches; /* [2][n_item * n_item]: before, after */
};

const char *r1_pretrain_part_name(size_t part)
{
    return part < R1_PRETEXT_PARTS ? r1_pretext_part[part] : NULL;
}

static void pretrain_defaults(r1_pretrain_opts *o)
{
    for (int k = 0; k < R1_PRETRAIN_PARTS; k++)
        o->weight[k] = o->weight[k] == 0 ? 1 : fmax(o->weight[k], 0);
    if (o->mask == 0) o->mask = 0.2;
    if (o->lr == 0) o->lr = 2e-3;
    if (o->weight_decay == 0) o->weight_decay = 0.01;
    if (o->clip == 0) o->clip = 1;
    if (o->warmup == 0) o->warmup = 0.05;
    if (!o->n_epoch) o->n_epoch = 4;
    if (!o->n_batch) o->n_batch = 256;
    if (!o->n_slice) o->n_slice = 1;
    if (!o->checkpoint_every) o->checkpoint_every = 500;
    if (!o->patience) o->patience = 3;
}

static r1_status pretrain_check(const r1_pretrain_opts *o, r1_err *err)
{
    if (!(o->mask > 0 && o->mask <= 0.9) || o->n_batch < 2 || o->n_batch > BATCH_MAX)
        R1_FAIL(err, R1_E_INVAL,
                "pretraining: a share of %g masked and batches of %u; expected above 0 to 0.9 and "
                "2 to %d",
                o->mask, o->n_batch, BATCH_MAX);
    return R1_OK;
}

/* ---- what is set up -------------------------------------------------------------------------- */

static r1_status pretrain_open_data(r1_pretrainer *t, r1_err *err)
{
    R1_TRY(r1_data_open(&t->train, t->o.train, t->o.n_train, err));
    if (!t->o.n_valid) return R1_OK;
    R1_TRY(r1_data_open(&t->valid, t->o.valid, t->o.n_valid, err));
    t->has_valid = true;
    if (r1_shard_schema_hash(t->valid.shard[0]) == r1_shard_schema_hash(t->train.shard[0]))
        return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "pretraining: shard %s has another feature schema than %s",
            t->o.valid[0], t->o.train[0]);
}

/* Parts that this description cannot be asked are left out; none left is an error. */
static r1_status choose_parts(r1_pretrainer *t, r1_err *err)
{
    const r1_desc *d = t->m->desc;
    bool has[R1_PRETRAIN_PARTS] = {false, false, d->n_item > 1, false};
    double sum = 0;
    for (uint32_t i = 0; i < d->n_item; i++) {
        has[0] |= d->item[i].kind == R1_ITEM_TEXT;
        has[1] |= t->m->net.item[i].columns >= 0;
        for (uint32_t j = 0; j < i; j++) has[3] |= r1_pretext_pair(d, j, i);
    }
    for (int k = 0; k < R1_PRETRAIN_PARTS; k++) sum += t->o.weight[k] = has[k] ? t->o.weight[k] : 0;
    if (sum > 0) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "pretraining: of the parts asked for none fits the items of \"%s\"",
            d->name);
}

/* The plan with the heads over the same weights, and new ones behind them. */
static r1_status add_heads(r1_model *m, uint64_t seed, r1_err *err)
{
    r1_net wide;
    R1_TRY(r1_net_build(&wide, m->desc, R1_NET_PRETRAIN, err));
    float *w = r1_calloc_aligned(wide.plan.weight_bytes + 64, 1);
    if (!w) {
        r1_net_free(&wide);
        R1_FAIL(err, R1_E_NOMEM, "pretraining: no memory for %zu bytes of weights",
                wide.plan.weight_bytes);
    }
    r1_net_init(&wide, m->desc, w, seed);
    memcpy(w, m->weights, m->net.plan.weight_bytes);
    r1_net_free(&m->net);
    free(m->weights);
    m->net = wide;
    m->weights = w;
    return R1_OK;
}

static r1_status pretrain_make_model(r1_pretrainer *t, r1_err *err)
{
    const char *own = r1_shard_description(t->train.shard[0]),
               *text = t->o.description ? t->o.description : own;
    R1_TRY(t->o.init ? r1_model_open(&t->m, t->o.init, err)
                     : r1_model_new(&t->m, text, t->o.seed, err));
    R1_TRY(r1_data_check_items(&t->train, t->m->desc, "pretraining", err));
    if (t->m->steps)
        R1_FAIL(err, R1_E_INVAL,
                "pretraining: %s has learned steps of rounding (int8): quantisation-aware training "
                "comes last",
                t->o.init);
    t->trained_before = t->m->trained_samples;
    r1_model_uncalibrate(t->m); /* what it was for is learned away */
    if (!t->o.init) R1_TRY(r1_fit(t->m, &t->train, err));
    R1_TRY(add_heads(t->m, t->o.seed, err));
    return choose_parts(t, err);
}

static uint32_t unit_max(const r1_pretrainer *t)
{
    return t->has_valid && t->valid.unit_max > t->train.unit_max ? t->valid.unit_max
                                                                 : t->train.unit_max;
}

static uint32_t pretrain_batch_cap(const r1_pretrainer *t)
{
    uint32_t n = t->o.n_batch > POOL ? t->o.n_batch : POOL;
    return unit_max(t) > n ? unit_max(t) : n;
}

static r1_status pretrain_make_executor(r1_pretrainer *t, r1_err *err)
{
    uint32_t n = pretrain_batch_cap(t);
    R1_TRY(r1_thread_pool_new(&t->threads, t->o.n_thread, t->o.n_slice, err));
    R1_TRY(r1_data_parallel_new(&t->parallel, t->m, t->threads, t->o.n_slice, n, unit_max(t), err));
    R1_TRY(r1_pretext_new(&t->pretext, &t->parallel, n, err));
    R1_TRY(r1_rows_new(&t->rows, t->m->desc, n, err));
    R1_TRY(r1_adamw_new(&t->adam, t->m, err));
    R1_TRY(r1_curriculum_new(&t->curriculum, t->o.curriculum, true, t->m->desc, &t->train, err));
    size_t bytes = t->m->net.plan.weight_bytes,
           pairs = (size_t)t->m->desc->n_item * t->m->desc->n_item;
    t->order = calloc(t->train.n_unit, sizeof *t->order);
    t->best = r1_calloc_aligned(bytes + 64, 1);
    t->searches = calloc(2 * pairs, sizeof *t->searches);
    if (!t->order || !t->best || !t->searches)
        R1_FAIL(err, R1_E_NOMEM, "pretraining: out of memory");
    memcpy(t->best, t->m->weights, bytes);
    return R1_OK;
}

/* ---- checkpoint ------------------------------------------------------------------------------ */

/* Hash of what makes the numbers: a run goes on with the very same settings alone. */
static uint64_t pretrain_run_hash(const r1_pretrainer *t)
{
    const r1_pretrain_opts *o = &t->o;
    const double real[] = {o->lr, o->weight_decay, o->clip, o->warmup, o->mask};
    const uint64_t whole[] = {o->seed,     o->n_epoch,   o->n_batch,       o->valid_every,
                              o->patience, o->items_off, t->train.n_sample};
    uint64_t h = r1_hash64(real, sizeof real, 3);
    h = r1_hash64(o->weight, sizeof o->weight, h);
    h = r1_hash64(whole, sizeof whole, h);
    if (o->n_slice > 1) h = r1_hash64(&o->n_slice, sizeof o->n_slice, h);
    return o->curriculum ? r1_hash64(o->curriculum, strlen(o->curriculum), h) : h;
}

static r1_checkpoint pretrain_state_of(r1_pretrainer *t)
{
    return (r1_checkpoint){.stage = "pretrain",
                           .description = t->m->desc->text,
                           .must = {{"run", pretrain_run_hash(t)}},
                           .counter = {{"step", &t->adam.n_step},
                                       {"epoch", &t->epoch},
                                       {"unit", &t->unit},
                                       {"seen", &t->seen},
                                       {"bad", &t->bad},
                                       {"n_valid", &t->n_valid},
                                       {"best_bits", &t->best_bits},
                                       {"asked", &t->asked}},
                           .block = {{"weights", t->m->weights},
                                     {"moment1", t->adam.m},
                                     {"moment2", t->adam.v},
                                     {"best", t->best}},
                           .block_bytes = t->m->net.plan.weight_bytes};
}

r1_status r1_pretrainer_checkpoint(r1_pretrainer *t, const char *path, r1_err *err)
{
    r1_checkpoint c = pretrain_state_of(t);
    return r1_checkpoint_save(&c, path, err);
}

static r1_status pretrain_resume(r1_pretrainer *t, r1_err *err)
{
    r1_checkpoint c = pretrain_state_of(t);
    R1_TRY(r1_checkpoint_load(&c, t->o.checkpoint, err));
    r1_net_derive(&t->m->net, t->m->desc, t->m->weights);
    if (t->unit > t->train.n_unit)
        R1_FAIL(err, R1_E_FORMAT, "checkpoint %s: unit %llu of %zu", t->o.checkpoint,
                (unsigned long long)t->unit, t->train.n_unit);
    return R1_OK;
}

/* ---- a pass ---------------------------------------------------------------------------------- */

static r1_status fill_slice(void *ctx, uint32_t k, r1_err *err)
{
    return r1_data_parallel_fill(ctx, k, err);
}
static r1_status pretrain_forward_slice(void *ctx, uint32_t k, r1_err *err)
{
    return r1_data_parallel_forward(ctx, k, err);
}

static r1_status begin_slice(void *ctx, uint32_t k, r1_err *err)
{
    r1_exec_zero_grad(((r1_data_parallel *)ctx)->slice[k].e);
    return r1_data_parallel_forward(ctx, k, err);
}

static r1_status pretrain_backward_slice(void *ctx, uint32_t k, r1_err *err)
{
    const r1_slice *s = &((r1_data_parallel *)ctx)->slice[k];
    return s->n ? r1_exec_backward(s->e, err) : R1_OK;
}

/* pass: forward_slice, or where a backward pass follows begin_slice. */
static r1_status pretrain_forward(r1_pretrainer *t, r1_data *d, double share, uint64_t seed,
                                  r1_thread_pool_job pass, r1_err *err)
{
    r1_pack_source src = {.sample = t->rows.sample,
                          .n_sample = t->rows.n,
                          .event = r1_data_event,
                          .event_ctx = d,
                          .n_event = d->n_event,
                          .items_off = t->o.items_off};
    r1_data_parallel_cut(&t->parallel, &src);
    R1_TRY(r1_data_parallel_each(&t->parallel, fill_slice, &t->parallel, err));
    r1_pretext_hide(&t->pretext, t->rows.sample, t->rows.n, share, seed);
    return r1_data_parallel_each(&t->parallel, pass, &t->parallel, err);
}

/* The weighted sum; false: nothing was asked. */
static bool total_of(const r1_pretrainer *t, const r1_pretext_loss *l, double *sum)
{
    bool any = false;
    *sum = 0;
    for (int k = 0; k < R1_PRETRAIN_PARTS; k++) {
        if (isnan(l->part[k])) continue;
        *sum += t->o.weight[k] * l->part[k];
        any = true;
    }
    return any;
}

static double pretrain_progress_of(const r1_pretrainer *t)
{
    return (double)t->seen / ((double)t->train.n_sample * t->o.n_epoch);
}

static double pretrain_rate(const r1_pretrainer *t)
{
    return r1_adamw_rate(t->o.lr, t->o.warmup, pretrain_progress_of(t));
}

static double mask_now(const r1_pretrainer *t)
{
    return t->curriculum.by_mask
               ? t->o.mask * r1_curriculum_share(&t->curriculum, pretrain_progress_of(t))
               : t->o.mask;
}

static r1_status pretrain_gradient(r1_pretrainer *t, double *loss, r1_err *err)
{
    uint64_t seed = t->o.seed ^ 0xd1b54a32d192ed03u * (t->adam.n_step + 1);
    R1_TRY(pretrain_forward(t, &t->train, mask_now(t), seed, begin_slice, err));
    t->pace.flop +=
        3 * r1_data_parallel_flop(
                &t->parallel); /* a backward pass is two forward ones, as is usual to count */
    R1_TRY(r1_pretext_judge(&t->pretext, t->rows.n, t->o.weight, true, &t->last, err));
    t->asked += total_of(t, &t->last, loss);
    return r1_data_parallel_each(&t->parallel, pretrain_backward_slice, &t->parallel, err);
}

/* ---- validation ------------------------------------------------------------------------------ */

/* Means over the validation's batches, weighed by their samples. */
static r1_status judge_valid(r1_pretrainer *t, r1_pretext_loss *mean, r1_err *err)
{
    double n[R1_PRETRAIN_PARTS] = {0}, sum[R1_PRETRAIN_PARTS] = {0};
    for (uint64_t at = 0, batch = 0; at < t->valid.n_unit; batch++) {
        r1_pretext_loss l;
        R1_TRY(r1_rows_take(&t->rows, &t->valid, NULL, &at, POOL, err));
        R1_TRY(pretrain_forward(t, &t->valid, t->o.mask, batch, pretrain_forward_slice, err));
        R1_TRY(r1_pretext_judge(&t->pretext, t->rows.n, t->o.weight, false, &l, err));
        for (int k = 0; k < R1_PRETRAIN_PARTS; k++) {
            if (isnan(l.part[k])) continue;
            n[k] += (double)t->rows.n;
            sum[k] += (double)t->rows.n * l.part[k];
        }
    }
    for (int k = 0; k < R1_PRETRAIN_PARTS; k++) mean->part[k] = n[k] > 0 ? sum[k] / n[k] : NAN;
    return R1_OK;
}

static r1_status pretrain_retrieve(r1_pretrainer *t, bool after, r1_err *err)
{
    size_t pairs = (size_t)t->m->desc->n_item * t->m->desc->n_item, first = after ? pairs : 0;
    for (uint64_t at = 0; t->has_valid && at < t->valid.n_unit;) {
        R1_TRY(r1_rows_take(&t->rows, &t->valid, NULL, &at, POOL, err));
        R1_TRY(pretrain_forward(t, &t->valid, 0, 0, pretrain_forward_slice, err));
        R1_TRY(r1_pretext_retrieve(&t->pretext, t->rows.n, t->searches + first, err));
    }
    return R1_OK;
}

static void pretrain_write_metrics(const r1_pretrainer *t, const char *event, double loss,
                                   const r1_pretext_loss *l)
{
    FILE *f = t->o.metrics ? fopen(t->o.metrics, "ae") : NULL;
    if (!f) return;
    fprintf(f,
            "{\"stage\":\"pretrain\",\"event\":\"%s\",\"step\":%llu,\"epoch\":%llu,\"samples\":%"
            "llu,\"lr\":%.6g,"
            "\"mask\":%.4g,\"seconds\":%.3f",
            event, (unsigned long long)t->adam.n_step, (unsigned long long)t->epoch,
            (unsigned long long)t->seen, pretrain_rate(t), mask_now(t), r1_pace_seconds(&t->pace));
    if (isfinite(loss)) fprintf(f, ",\"loss\":%.6g", loss);
    for (int k = 0; k < R1_PRETRAIN_PARTS; k++)
        if (isfinite(l->part[k])) fprintf(f, ",\"%s\":%.6g", r1_pretext_part[k], l->part[k]);
    fprintf(f, "}\n");
    fclose(f);
}

static r1_status pretrain_validate(r1_pretrainer *t, r1_err *err)
{
    r1_pretext_loss l;
    double loss, best;
    if (!t->has_valid) {
        memcpy(t->best, t->m->weights, t->m->net.plan.weight_bytes);
        return R1_OK;
    }
    R1_TRY(judge_valid(t, &l, err));
    if (!total_of(t, &l, &loss)) loss = INFINITY;
    memcpy(&best, &t->best_bits, sizeof best);
    t->n_valid++;
    t->bad++;
    if (loss < best) {
        memcpy(&t->best_bits, &loss, sizeof loss);
        memcpy(t->best, t->m->weights, t->m->net.plan.weight_bytes);
        t->bad = 0;
    }
    pretrain_write_metrics(t, "valid", loss, &l);
    return R1_OK;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void pretrain_shuffle(r1_pretrainer *t)
{
    r1_curriculum_epoch(&t->curriculum, (double)t->epoch / t->o.n_epoch, t->o.seed, t->epoch,
                        t->order);
}

static r1_status pretrain_set_up(r1_pretrainer *t, r1_err *err)
{
    R1_TRY(pretrain_check(&t->o, err));
    R1_TRY(pretrain_open_data(t, err));
    R1_TRY(pretrain_make_model(t, err));
    R1_TRY(pretrain_make_executor(t, err));
    R1_TRY(pretrain_retrieve(t, false, err)); /* before a checkpoint brings other weights */
    if (t->o.checkpoint && access(t->o.checkpoint, F_OK) == 0) R1_TRY(pretrain_resume(t, err));
    pretrain_shuffle(t);
    return R1_OK;
}

r1_status r1_pretrainer_new(r1_pretrainer **out, const r1_pretrain_opts *opts, r1_err *err)
{
    const double none = INFINITY;
    r1_pretrainer *t = calloc(1, sizeof *t);
    if (!t) R1_FAIL(err, R1_E_NOMEM, "pretraining: out of memory");
    t->o = *opts;
    pretrain_defaults(&t->o);
    memcpy(&t->best_bits, &none, sizeof none);
    r1_status st = pretrain_set_up(t, err);
    if (st != R1_OK) {
        r1_pretrainer_free(t);
        return st;
    }
    t->pace = (r1_pace){.what = "pretraining", .start_us = r1_mono_us()};
    *out = t;
    return R1_OK;
}

void r1_pretrainer_free(r1_pretrainer *t)
{
    if (!t) return;
    r1_pretext_free(&t->pretext);
    r1_data_parallel_free(&t->parallel);
    r1_thread_pool_free(t->threads);
    r1_rows_free(&t->rows);
    r1_adamw_free(&t->adam);
    r1_curriculum_free(&t->curriculum);
    r1_data_close(&t->train);
    if (t->has_valid) r1_data_close(&t->valid);
    r1_model_free(t->m);
    free(t->order);
    free(t->best);
    free(t->searches);
    free(t);
}

/* ---- a step ---------------------------------------------------------------------------------- */

static bool pretrain_finished(const r1_pretrainer *t)
{
    return t->epoch >= t->o.n_epoch || t->bad >= t->o.patience;
}

static r1_status pretrain_end_of_epoch(r1_pretrainer *t, r1_err *err)
{
    if (!t->asked)
        R1_FAIL(err, R1_E_INVAL,
                "pretraining: an epoch of shard %s and others had nothing to ask: no text of two "
                "tokens, no column "
                "of two values, no two items in a sample",
                t->o.train[0]);
    t->epoch++;
    t->unit = 0;
    pretrain_shuffle(t);
    return t->o.valid_every && t->has_valid ? R1_OK : pretrain_validate(t, err);
}

r1_status r1_pretrainer_step(r1_pretrainer *t, double *loss, bool *done, r1_err *err)
{
    *loss = 0;
    *done = pretrain_finished(t);
    if (*done) return R1_OK;
    R1_TRY(r1_rows_take(&t->rows, &t->train, t->order, &t->unit, t->o.n_batch, err));
    R1_TRY(pretrain_gradient(t, loss, err));
    if (!isfinite(*loss))
        R1_FAIL(err, R1_E_INVAL,
                "pretraining: the loss is not finite at step %llu: lower the learning rate (%g)",
                (unsigned long long)t->adam.n_step, t->o.lr);
    r1_adamw_step(&t->adam, t->m, &t->parallel, pretrain_rate(t), t->o.weight_decay, t->o.clip);
    t->seen += t->rows.n;
    t->pace.seen += t->rows.n;
    r1_pace_note(&t->pace, t->o.progress, t->epoch, *loss, t->seen,
                 t->train.n_sample * t->o.n_epoch);
    if (t->adam.n_step % 50 == 0) pretrain_write_metrics(t, "train", t->pace.loss, &t->last);
    if (t->unit == t->train.n_unit) R1_TRY(pretrain_end_of_epoch(t, err));
    if (t->o.valid_every && t->adam.n_step % t->o.valid_every == 0)
        R1_TRY(pretrain_validate(t, err));
    if (t->o.checkpoint && t->adam.n_step % t->o.checkpoint_every == 0)
        R1_TRY(r1_pretrainer_checkpoint(t, t->o.checkpoint, err));
    *done = pretrain_finished(t) || (t->o.n_step_max && t->adam.n_step >= t->o.n_step_max);
    return R1_OK;
}

/* ---- the end --------------------------------------------------------------------------------- */

static r1_status pretrain_keep_best(r1_pretrainer *t, r1_pretrain_report *r, r1_err *err)
{
    r1_pretext_loss l;
    if (!t->has_valid) return R1_OK;
    if (t->n_valid == 0) R1_TRY(pretrain_validate(t, err));
    memcpy(t->m->weights, t->best, t->m->net.plan.weight_bytes);
    R1_TRY(judge_valid(t, &l, err));
    memcpy(r->part, l.part, sizeof r->part);
    if (!total_of(t, &l, &r->loss)) r->loss = NAN;
    R1_TRY(pretrain_retrieve(t, true, err));
    size_t n = t->m->desc->n_item;
    r->n_pair = r1_pretext_pairs(t->m->desc, t->searches, t->searches + n * n, r->pair);
    return R1_OK;
}

/* The heads lie behind the model's own weights: the plain plan reads the same arena. */
static r1_status save_plain(const r1_pretrainer *t, r1_err *err)
{
    r1_model plain = *t->m;
    R1_TRY(r1_net_build(&plain.net, t->m->desc, 0, err));
    r1_status st = r1_model_save(&plain, t->o.out, err);
    r1_net_free(&plain.net);
    return st;
}

r1_status r1_pretrainer_finish(r1_pretrainer *t, r1_pretrain_report *report, r1_err *err)
{
    r1_pretrain_report r = {.loss = NAN, .part = {NAN, NAN, NAN, NAN}};
    R1_TRY(pretrain_keep_best(t, &r, err));
    t->m->trained_samples = t->trained_before + t->seen;
    r.n_step = t->adam.n_step;
    r.n_sample = t->seen;
    r.seconds = r1_pace_seconds(&t->pace);
    r.samples_s = r.seconds > 0 ? (double)t->pace.seen / r.seconds : 0;
    r1_pace_end(&t->pace, t->seen);
    memcpy(t->last.part, r.part, sizeof r.part);
    pretrain_write_metrics(t, "end", r.loss, &t->last);
    if (report) *report = r;
    return t->o.out ? save_plain(t, err) : R1_OK;
}

static r1_status pretrain_advance(void *stage, bool *done, r1_err *err)
{
    double loss;
    return r1_pretrainer_step(stage, &loss, done, err);
}

static r1_status pretrain_save(void *stage, const char *path, r1_err *err)
{
    return r1_pretrainer_checkpoint(stage, path, err);
}

r1_status r1_pretrain(const r1_pretrain_opts *opts, r1_pretrain_report *report, r1_err *err)
{
    r1_pretrainer *t;
    R1_TRY(r1_pretrainer_new(&t, opts, err));
    r1_loop loop = {"pretraining",   t->o.checkpoint,  t->o.stopped,
                    &t->adam.n_step, pretrain_advance, pretrain_save};
    r1_status st = r1_loop_run(&loop, t, err);
    if (st == R1_OK) st = r1_pretrainer_finish(t, report, err);
    r1_pretrainer_free(t);
    return st;
}
