/* SPDX-License-Identifier: Apache-2.0 */
/* trainer.c - the finetune stage: heads that learn from labels.
 *
 * A step is a batch of an epoch (epochs.h). Its slices are learned one by one, each from inputs to
 * gradients in one job, and one optimiser step follows. What is hidden in a step comes from
 * (seed, step). */
#include "r1_train.h"

#include "r1_assert.h"
#include "r1_session.h"
#include "train/epochs.h"
#include "train/evaluate.h"
#include "train/loss.h"
#include "train/quantiser.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct r1_trainer {
    r1_run run; /* first: what the loop is given */
    r1_train_opts o;
    r1_epochs epochs;
    r1_data_parallel parallel;
    r1_pack_source src; /* the batch in hand */
    r1_loss_total total;
    double loss[R1_SLICES_MAX]; /* each slice's part of the batch's */
    float *mean;                /* the running mean of the weights; NULL: none is kept */
    uint32_t *drop;             /* [batch] items hidden of each sample */
    bool fit_scales;            /* the first batch says where the quantiser scales begin */
    r1_eval figures;            /* of the last validation */
    r1_train_report report;
};

static r1_trainer *trainer_of(r1_run *r) { return (r1_trainer *)r; }
static const r1_trainer *trainer_seen(const r1_run *r) { return (const r1_trainer *)r; }

static const r1_eval no_figures = {
    .loss = NAN, .auc = NAN, .ap = NAN, .top1 = NAN, .mrr = NAN, .ece = NAN};

/* ---- what is set up -------------------------------------------------------------------------- */

static r1_status trainer_make_model(r1_trainer *t, r1_err *err)
{
    r1_run *r = &t->run;
    uint64_t shards = r1_shard_schema_hash(r->train.shard[0]);
    R1_TRY(r1_run_open_model(r, t->o.init, r1_run_description(r), err));
    if (r->m->desc->schema_hash != shards)
        R1_FAIL(err, R1_E_INVAL,
                "training: the shards' feature schema %016llx is not the model's %016llx",
                (unsigned long long)shards, (unsigned long long)r->m->desc->schema_hash);
    R1_TRY(r1_model_choose_beta(r->m, t->o.beta, err));
    r1_model_uncalibrate(r->m);
    if (!t->o.init) R1_TRY(r1_fit(r->m, &r->train, err));
    t->fit_scales = t->o.int8 && !r->m->steps;
    t->o.int8 |= r->m->steps;
    return t->fit_scales ? r1_model_add_steps(r->m, err) : R1_OK;
}

static r1_status trainer_reserve(r1_trainer *t, uint32_t n, r1_err *err)
{
    r1_run *r = &t->run;
    size_t bytes = r->m->net.plan.weight_bytes;
    t->drop = r1_run_room(r, n, sizeof *t->drop);
    if (t->o.mean_decay > 0) t->mean = r1_run_room(r, bytes + 64, 1);
    if (!t->drop || (t->o.mean_decay > 0 && !t->mean))
        R1_FAIL(err, R1_E_NOMEM, "training: out of memory");
    if (t->mean) memcpy(t->mean, r->m->weights, bytes);
    return R1_OK;
}

static r1_status trainer_prepare(r1_run *r, r1_err *err)
{
    r1_trainer *t = trainer_of(r);
    const r1_run_opts *o = r->o;
    uint32_t n = t->o.n_batch > r->train.unit_max ? t->o.n_batch : r->train.unit_max;
    R1_TRY(trainer_make_model(t, err));
    R1_TRY(r1_thread_pool_new(&r->threads, o->n_thread, o->n_slice, err));
    R1_TRY(r1_data_parallel_new(&t->parallel, r->m, r->threads, o->n_slice, n, r->train.unit_max,
                                err));
    for (uint32_t k = 0; k < t->parallel.n_slice; k++)
        t->parallel.slice[k].e->flags = t->o.run_flags;
    R1_TRY(r1_epochs_new(&t->epochs, r, t->o.curriculum, false, n, err));
    return trainer_reserve(t, n, err);
}

static r1_status trainer_start(r1_run *r, bool resumed, r1_err *err)
{
    r1_trainer *t = trainer_of(r);
    if (resumed) t->fit_scales = false;
    return r1_epochs_start(&t->epochs, r, resumed, err);
}

static void trainer_state(r1_run *r, r1_checkpoint *c)
{
    r1_trainer *t = trainer_of(r);
    uint32_t beta;
    memcpy(&beta, &r->m->beta, sizeof beta);
    r1_checkpoint_must(c, "seed", r->o->seed, 0);
    r1_checkpoint_must(c, "n_sample", r->train.n_sample, 0);
    r1_checkpoint_must(c, "beta_bits", beta, 0);
    r1_checkpoint_must(c, "slices", r->o->n_slice, 1);
    r1_epochs_state(&t->epochs, c);
    r1_run_counts(r, c);
    if (t->mean) r1_checkpoint_block(c, "mean", t->mean);
}

static void trainer_release(r1_run *r)
{
    r1_data_parallel_free(&trainer_of(r)->parallel);
    r1_epochs_free(&trainer_of(r)->epochs);
}

/* ---- a step ---------------------------------------------------------------------------------- */

/* Items hidden at random, so that verdicts on partial evidence are learned. */
static void hide_items(r1_trainer *t)
{
    r1_rng rng;
    r1_rng_seed(&rng, t->run.o->seed ^ 0xd1b54a32d192ed03u * (t->run.step + 1));
    for (size_t i = 0; i < t->epochs.rows.n; i++) {
        t->drop[i] = 0;
        for (uint32_t k = 0; k < t->run.m->desc->n_item; k++)
            if (r1_rng_unit(&rng) < t->o.item_drop) t->drop[i] |= 1u << k;
    }
}

static void cut_batch(r1_trainer *t)
{
    t->src = (r1_pack_source){.sample = t->epochs.rows.sample,
                              .n_sample = t->epochs.rows.n,
                              .event = r1_data_event,
                              .event_ctx = &t->run.train,
                              .n_event = t->run.train.n_event,
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
    int16_t out = t->run.m->net.logits;
    t->loss[k] = 0;
    if (s->n == 0) return R1_OK;
    R1_TRY(trainer_forward_slice(t, k, err));
    r1_exec_zero_grad(s->e);
    t->loss[k] = r1_loss(t->run.m->desc, t->run.m->net.n_position, t->src.sample + s->first, s->n,
                         &t->total, r1_exec_ptr(s->e, out), r1_exec_grad(s->e, out));
    return r1_exec_backward(s->e, err);
}

static r1_status trainer_gradient(r1_trainer *t, double *loss, r1_err *err)
{
    cut_batch(t);
    t->total = r1_loss_weigh(t->run.m->desc, t->src.sample, t->src.n_sample);
    R1_TRY(r1_data_parallel_each(&t->parallel, learn_slice, t, err));
    for (uint32_t k = 0; k < t->parallel.n_slice; k++) *loss += t->loss[k];
    /* a backward pass is two forward ones, as is usual to count */
    t->run.pace.flop += 3 * r1_data_parallel_flop(&t->parallel);
    return R1_OK;
}

static void set_rounding(r1_trainer *t, bool on)
{
    for (uint32_t k = 0; k < t->parallel.n_slice; k++) t->parallel.slice[k].e->rounds = on;
}

/* Quantiser scales begin where they round this batch, as it is without rounding, with the least
 * error. */
static r1_status begin_scales(r1_trainer *t, r1_err *err)
{
    r1_run *r = &t->run;
    const r1_exec *e[R1_SLICES_MAX];
    uint32_t n = 0;
    t->fit_scales = false;
    cut_batch(t);
    set_rounding(t, false);
    r1_status st = r1_data_parallel_each(&t->parallel, trainer_forward_slice, t, err);
    set_rounding(t, true);
    R1_TRY(st);
    for (uint32_t k = 0; k < t->parallel.n_slice; k++)
        if (t->parallel.slice[k].n) e[n++] = t->parallel.slice[k].e;
    r1_quantiser_fit(r->m, e, n);
    memcpy(r->best, r->m->weights, r->m->net.plan.weight_bytes);
    if (t->mean) memcpy(t->mean, r->m->weights, r->m->net.plan.weight_bytes);
    return R1_OK;
}

/* The running mean follows slowly only once there is something to follow: its decay rises to
 * mean_decay with the steps. */
static void trainer_follow(r1_trainer *t)
{
    double n = (double)t->run.adam.n_step, decay = (1 + n) / (10 + n);
    r1_adamw_mean(t->run.m, t->mean, decay < t->o.mean_decay ? decay : t->o.mean_decay);
}

static r1_status trainer_learn(r1_run *r, double *loss, r1_err *err)
{
    r1_trainer *t = trainer_of(r);
    R1_ASSERT(r->adam.n_step == r->step, "training: optimiser step %llu of step %llu",
              (unsigned long long)r->adam.n_step, (unsigned long long)r->step);
    R1_TRY(r1_epochs_take(&t->epochs, r, err));
    if (t->fit_scales) R1_TRY(begin_scales(t, err));
    R1_TRY(trainer_gradient(t, loss, err));
    R1_TRY(r1_run_check_loss(r, *loss, err));
    r1_run_descend(r, &t->parallel, r1_epochs_rate(&t->epochs, r));
    if (t->mean) trainer_follow(t);
    r1_epochs_count(&t->epochs, r);
    return R1_OK;
}

static void trainer_note(r1_run *r, double loss)
{
    r1_epochs_note(&trainer_of(r)->epochs, r, loss);
}

static r1_status trainer_turn(r1_run *r, bool *due, r1_err *err)
{
    (void)err;
    r1_epochs_turn(&trainer_of(r)->epochs, r, due);
    return R1_OK;
}

static bool trainer_over(const r1_run *r) { return r1_epochs_over(&trainer_seen(r)->epochs); }

/* ---- validation and the end ------------------------------------------------------------------ */

static r1_status score_valid(const r1_trainer *t, r1_scores *s, r1_eval *v, r1_err *err)
{
    const r1_run *r = &t->run;
    r1_eval_opts o = {.head = t->o.head,
                      .run_flags = t->o.run_flags,
                      .items_off = t->o.items_off,
                      .int8 = t->o.int8};
    R1_TRY(r1_scores_new(s, r->m, (size_t)r->valid.n_sample, err));
    R1_TRY(r1_score_data(r->m, &r->valid, &o, r->threads, s, err));
    return r1_figures_of(r->m, s, t->o.head, v, err);
}

/* The model works with its running mean from here to the next call. */
static void trainer_swap(r1_run *r)
{
    r1_trainer *t = trainer_of(r);
    size_t count = r->m->net.plan.weight_bytes / sizeof(float);
    for (size_t i = 0; t->mean && i < count; i++) {
        float x = t->mean[i];
        t->mean[i] = r->m->weights[i];
        r->m->weights[i] = x;
    }
}

static r1_status trainer_validate(r1_run *r, double *value, r1_err *err)
{
    r1_trainer *t = trainer_of(r);
    r1_scores s = {0};
    r1_status st = score_valid(t, &s, &t->figures, err);
    r1_scores_free(&s);
    *value = t->o.metric == R1_STOP_AP     ? t->figures.ap
             : t->o.metric == R1_STOP_TOP1 ? t->figures.top1
                                           : -t->figures.loss;
    return st;
}

/* Scores of the weights that are kept, without their calibration; then the calibration. */
static r1_status trainer_calibrate(r1_trainer *t, r1_scores *s, r1_err *err)
{
    r1_model *m = t->run.m;
    r1_train_report *report = &t->report;
    R1_TRY(score_valid(t, s, &report->valid, err));
    report->raw = report->valid;
    if (m->desc->head[t->o.head].kind == R1_HEAD_BINARY)
        R1_TRY(r1_crossed_ece(m, s, t->o.head, t->o.isotonic, &report->ece_crossed, err));
    return r1_calibrate(m, s, t->o.isotonic, err);
}

static r1_status trainer_judge(r1_trainer *t, r1_err *err)
{
    r1_scores s = {0};
    R1_TRY(r1_run_keep_best(&t->run, err));
    r1_status st = trainer_calibrate(t, &s, err);
    r1_scores_free(&s);
    R1_TRY(st);
    st = score_valid(t, &s, &t->report.valid, err); /* as calibrated */
    r1_scores_free(&s);
    return st;
}

static r1_status trainer_end(r1_run *r, r1_err *err)
{
    r1_trainer *t = trainer_of(r);
    t->report = (r1_train_report){.valid = no_figures, .raw = no_figures, .ece_crossed = NAN};
    if (r->has_valid) R1_TRY(trainer_judge(t, err));
    if (!r->has_valid && t->mean) memcpy(r->m->weights, t->mean, r->m->net.plan.weight_bytes);
    r->m->trained_samples = r->trained_before + t->epochs.seen;
    t->report.n_step = r->step;
    t->report.n_sample = t->epochs.seen;
    t->report.seconds = r1_pace_seconds(&r->pace);
    t->report.samples_s = t->report.seconds > 0 ? (double)r->pace.seen / t->report.seconds : 0;
    t->figures = t->report.valid;
    return R1_OK;
}

static void trainer_figures(const r1_run *r, r1_event_kind event, FILE *f)
{
    const r1_trainer *t = trainer_seen(r);
    const r1_eval *v = event == R1_EVENT_TRAIN ? &no_figures : &t->figures;
    r1_epochs_figures(&t->epochs, r, f);
    r1_metric_seconds(f, r);
    r1_metric(f, "loss", event == R1_EVENT_TRAIN ? r->pace.loss : v->loss);
    r1_metric(f, "auc", v->auc);
    r1_metric(f, "ap", v->ap);
    r1_metric(f, "top1", v->top1);
    r1_metric(f, "mrr", v->mrr);
    r1_metric(f, "ece", v->ece);
}

/* ---- the stage ------------------------------------------------------------------------------- */

static const r1_stage finetune = {
    .what = "training",
    .lr = R1_DEFAULT_LR,
    .checkpoint_every = R1_DEFAULT_CHECKPOINT_EVERY,
    .patience = R1_DEFAULT_PATIENCE,
    .note_every = 50,
    .keeps_end = true,
    .prepare = trainer_prepare,
    .start = trainer_start,
    .step = trainer_learn,
    .note = trainer_note,
    .turn = trainer_turn,
    .over = trainer_over,
    .validate = trainer_validate,
    .swap = trainer_swap,
    .finish = trainer_end,
    .figures = trainer_figures,
    .state = trainer_state,
    .free = trainer_release,
};

r1_status r1_trainer_new(r1_trainer **out, const r1_train_opts *opts, r1_err *err)
{
    r1_trainer *t = calloc(1, sizeof *t);
    if (!t) R1_FAIL(err, R1_E_NOMEM, "training: out of memory");
    t->o = *opts;
    r1_epochs_fill(&t->o.n_epoch, &t->o.n_batch, &t->o.warmup);
    R1_OR_DEFAULT(t->o.item_drop, R1_DEFAULT_ITEM_DROP);
    t->epochs.n_epoch = t->o.n_epoch;
    t->epochs.n_batch = t->o.n_batch;
    t->epochs.warmup = t->o.warmup;
    R1_TRY(r1_run_begin(&t->run, &finetune, &t->o.run, err));
    *out = t;
    return R1_OK;
}

r1_status r1_trainer_step(r1_trainer *t, double *loss, bool *done, r1_err *err)
{
    return r1_run_step(&t->run, loss, done, err);
}

r1_status r1_trainer_checkpoint(r1_trainer *t, const char *path, r1_err *err)
{
    return r1_run_checkpoint(&t->run, path, err);
}

r1_status r1_trainer_finish(r1_trainer *t, r1_train_report *report, r1_err *err)
{
    R1_TRY(r1_run_finish(&t->run, err));
    if (report) *report = t->report;
    return R1_OK;
}

const r1_model *r1_trainer_model(const r1_trainer *t) { return t->run.m; }

void r1_trainer_free(r1_trainer *t)
{
    if (t) r1_run_free(&t->run);
}

r1_status r1_train(const r1_train_opts *opts, r1_train_report *report, r1_err *err)
{
    r1_trainer *t;
    R1_TRY(r1_trainer_new(&t, opts, err));
    r1_status st = r1_run_all(&t->run, err);
    if (st == R1_OK) st = r1_trainer_finish(t, report, err);
    r1_trainer_free(t);
    return st;
}
