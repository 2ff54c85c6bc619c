/* SPDX-License-Identifier: Apache-2.0 */
/* pretrain.c - the pretrain stage: a batch of an epoch, hidden in part, and what is asked of it.
 *
 * What a step hides comes from (seed, step), what a validation hides from its batch's number. The
 * model runs the plan with pretraining's heads, whose weights follow after its own. Writing an
 * ordinary model is leaving them out. */
#include "r1_pretrain.h"

#include "r1_assert.h"
#include "train/epochs.h"
#include "train/pretext.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POOL = 256, BATCH_MAX = 4096 };

struct r1_pretrainer {
    r1_run run; /* first: what the loop is given */
    r1_pretrain_opts o;
    r1_epochs epochs;
    r1_data_parallel parallel;
    r1_pretext pretext;
    uint64_t asked;         /* steps that had something to ask; a checkpoint carries it */
    r1_pretext_loss last;   /* of the last step */
    r1_pretext_loss judged; /* of the last validation, or at the end */
    double figure;          /* its weighted sum */
    r1_searches *searches;  /* [2][n_item * n_item]: before, after */
    r1_pretrain_report report;
};

static r1_pretrainer *pretrainer_of(r1_run *r) { return (r1_pretrainer *)r; }
static const r1_pretrainer *pretrainer_seen(const r1_run *r) { return (const r1_pretrainer *)r; }

const char *r1_pretrain_part_name(size_t part)
{
    return part < R1_PRETEXT_PARTS ? r1_pretext_part[part] : NULL;
}

static void pretrain_fill(r1_pretrain_opts *o)
{
    for (int k = 0; k < R1_PRETRAIN_PARTS; k++)
        o->weight[k] = o->weight[k] == 0 ? 1 : fmax(o->weight[k], 0);
    r1_epochs_fill(&o->n_epoch, &o->n_batch, &o->warmup);
    R1_OR_DEFAULT(o->mask, R1_DEFAULT_MASK);
}

static r1_status pretrain_check(const r1_run *r, r1_err *err)
{
    const r1_pretrain_opts *o = &pretrainer_seen(r)->o;
    if (!(o->mask > 0 && o->mask <= 0.9) || o->n_batch < 2 || o->n_batch > BATCH_MAX)
        R1_FAIL(err, R1_E_INVAL,
                "pretraining: a share of %g masked and batches of %u; expected above 0 to 0.9 and "
                "2 to %d",
                o->mask, o->n_batch, BATCH_MAX);
    return R1_OK;
}

/* ---- what is set up -------------------------------------------------------------------------- */

/* Parts that this description cannot be asked are left out; none left is an error. */
static r1_status choose_parts(r1_pretrainer *t, r1_err *err)
{
    const r1_desc *d = t->run.m->desc;
    bool has[R1_PRETRAIN_PARTS] = {false, false, d->n_item > 1, false};
    double sum = 0;
    for (uint32_t i = 0; i < d->n_item; i++) {
        has[0] |= d->item[i].kind == R1_ITEM_TEXT;
        has[1] |= t->run.m->net.item[i].columns >= 0;
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
    r1_run *r = &t->run;
    R1_TRY(r1_run_open_model(r, t->o.init, NULL, err));
    R1_TRY(r1_data_check_items(&r->train, r->m->desc, "pretraining", err));
    if (r->m->steps)
        R1_FAIL(err, R1_E_INVAL,
                "pretraining: %s has learned steps of rounding (int8): quantisation-aware training "
                "comes last",
                t->o.init);
    r1_model_uncalibrate(r->m); /* what it was for is learned away */
    if (!t->o.init) R1_TRY(r1_fit(r->m, &r->train, err));
    R1_TRY(add_heads(r->m, r->o->seed, err));
    return choose_parts(t, err);
}

static uint32_t unit_max(const r1_pretrainer *t)
{
    return t->run.has_valid && t->run.valid.unit_max > t->run.train.unit_max
               ? t->run.valid.unit_max
               : t->run.train.unit_max;
}

static uint32_t pretrain_batch_cap(const r1_pretrainer *t)
{
    uint32_t n = t->o.n_batch > POOL ? t->o.n_batch : POOL;
    return unit_max(t) > n ? unit_max(t) : n;
}

/* Hash of what makes the numbers: a run goes on with the very same settings alone. */
static uint64_t pretrain_run_hash(const r1_pretrainer *t)
{
    const r1_pretrain_opts *o = &t->o;
    const r1_run_opts *run = &o->run;
    const double real[] = {run->lr, run->weight_decay, run->clip, o->warmup, o->mask};
    const uint64_t whole[] = {run->seed,     o->n_epoch,   o->n_batch,           run->valid_every,
                              run->patience, o->items_off, t->run.train.n_sample};
    uint64_t h = r1_hash64(real, sizeof real, 3);
    h = r1_hash64(o->weight, sizeof o->weight, h);
    h = r1_hash64(whole, sizeof whole, h);
    if (run->n_slice > 1) h = r1_hash64(&run->n_slice, sizeof run->n_slice, h);
    return o->curriculum ? r1_hash64(o->curriculum, strlen(o->curriculum), h) : h;
}

static void pretrain_state(r1_run *r, r1_checkpoint *c)
{
    r1_pretrainer *t = pretrainer_of(r);
    r1_checkpoint_must(c, "run", pretrain_run_hash(t), 0);
    r1_epochs_state(&t->epochs, c);
    r1_run_counts(r, c);
    r1_checkpoint_counter(c, "asked", &t->asked);
}

static void pretrain_release(r1_run *r)
{
    r1_pretrainer *t = pretrainer_of(r);
    r1_pretext_free(&t->pretext);
    r1_data_parallel_free(&t->parallel);
    r1_epochs_free(&t->epochs);
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
    r1_pack_source src = {.sample = t->epochs.rows.sample,
                          .n_sample = t->epochs.rows.n,
                          .event = r1_data_event,
                          .event_ctx = d,
                          .n_event = d->n_event,
                          .items_off = t->o.items_off};
    r1_data_parallel_cut(&t->parallel, &src);
    R1_TRY(r1_data_parallel_each(&t->parallel, fill_slice, &t->parallel, err));
    r1_pretext_hide(&t->pretext, t->epochs.rows.sample, t->epochs.rows.n, share, seed);
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

static double mask_now(const r1_pretrainer *t)
{
    const r1_curriculum *c = &t->epochs.curriculum;
    double progress = r1_epochs_progress(&t->epochs, &t->run);
    return c->by_mask ? t->o.mask * r1_curriculum_share(c, progress) : t->o.mask;
}

static r1_status pretrain_gradient(r1_pretrainer *t, double *loss, r1_err *err)
{
    r1_run *r = &t->run;
    uint64_t seed = r->o->seed ^ 0xd1b54a32d192ed03u * (r->step + 1);
    R1_TRY(pretrain_forward(t, &r->train, mask_now(t), seed, begin_slice, err));
    /* a backward pass is two forward ones, as is usual to count */
    r->pace.flop += 3 * r1_data_parallel_flop(&t->parallel);
    R1_TRY(r1_pretext_judge(&t->pretext, t->epochs.rows.n, t->o.weight, true, &t->last, err));
    t->asked += total_of(t, &t->last, loss);
    return r1_data_parallel_each(&t->parallel, pretrain_backward_slice, &t->parallel, err);
}

static r1_status pretrain_learn(r1_run *r, double *loss, r1_err *err)
{
    r1_pretrainer *t = pretrainer_of(r);
    R1_ASSERT(r->adam.n_step == r->step && t->asked <= r->step,
              "pretraining: optimiser step %llu of step %llu, %llu of them asked",
              (unsigned long long)r->adam.n_step, (unsigned long long)r->step,
              (unsigned long long)t->asked);
    R1_TRY(r1_epochs_take(&t->epochs, r, err));
    R1_TRY(pretrain_gradient(t, loss, err));
    R1_TRY(r1_run_check_loss(r, *loss, err));
    r1_run_descend(r, &t->parallel, r1_epochs_rate(&t->epochs, r));
    r1_epochs_count(&t->epochs, r);
    return R1_OK;
}

static void pretrain_note(r1_run *r, double loss)
{
    r1_epochs_note(&pretrainer_of(r)->epochs, r, loss);
}

static r1_status pretrain_turn(r1_run *r, bool *due, r1_err *err)
{
    r1_pretrainer *t = pretrainer_of(r);
    if (r1_epochs_ended(&t->epochs, r) && !t->asked)
        R1_FAIL(err, R1_E_INVAL,
                "pretraining: an epoch of shard %s and others had nothing to ask: no text of two "
                "tokens, no column "
                "of two values, no two items in a sample",
                r->o->train[0]);
    r1_epochs_turn(&t->epochs, r, due);
    return R1_OK;
}

static bool pretrain_over(const r1_run *r) { return r1_epochs_over(&pretrainer_seen(r)->epochs); }

/* ---- validation and the end ------------------------------------------------------------------ */

/* Means over the validation's batches, weighed by their samples. */
static r1_status judge_valid(r1_pretrainer *t, r1_pretext_loss *mean, r1_err *err)
{
    double n[R1_PRETRAIN_PARTS] = {0}, sum[R1_PRETRAIN_PARTS] = {0};
    for (uint64_t at = 0, batch = 0; at < t->run.valid.n_unit; batch++) {
        r1_pretext_loss l;
        R1_TRY(r1_data_rows_take(&t->epochs.rows, &t->run.valid, NULL, &at, POOL, err));
        R1_TRY(pretrain_forward(t, &t->run.valid, t->o.mask, batch, pretrain_forward_slice, err));
        R1_TRY(r1_pretext_judge(&t->pretext, t->epochs.rows.n, t->o.weight, false, &l, err));
        for (int k = 0; k < R1_PRETRAIN_PARTS; k++) {
            if (isnan(l.part[k])) continue;
            n[k] += (double)t->epochs.rows.n;
            sum[k] += (double)t->epochs.rows.n * l.part[k];
        }
    }
    for (int k = 0; k < R1_PRETRAIN_PARTS; k++) mean->part[k] = n[k] > 0 ? sum[k] / n[k] : NAN;
    return R1_OK;
}

static r1_status pretrain_retrieve(r1_pretrainer *t, bool after, r1_err *err)
{
    size_t pairs = (size_t)t->run.m->desc->n_item * t->run.m->desc->n_item,
           first = after ? pairs : 0;
    for (uint64_t at = 0; t->run.has_valid && at < t->run.valid.n_unit;) {
        R1_TRY(r1_data_rows_take(&t->epochs.rows, &t->run.valid, NULL, &at, POOL, err));
        R1_TRY(pretrain_forward(t, &t->run.valid, 0, 0, pretrain_forward_slice, err));
        R1_TRY(r1_pretext_retrieve(&t->pretext, t->epochs.rows.n, t->searches + first, err));
    }
    return R1_OK;
}

static r1_status pretrain_prepare(r1_run *r, r1_err *err)
{
    r1_pretrainer *t = pretrainer_of(r);
    const r1_run_opts *o = r->o;
    uint32_t n = pretrain_batch_cap(t);
    R1_TRY(pretrain_make_model(t, err));
    R1_TRY(r1_thread_pool_new(&r->threads, o->n_thread, o->n_slice, err));
    R1_TRY(r1_data_parallel_new(&t->parallel, r->m, r->threads, o->n_slice, n, unit_max(t), err));
    R1_TRY(r1_pretext_new(&t->pretext, &t->parallel, n, err));
    R1_TRY(r1_epochs_new(&t->epochs, r, t->o.curriculum, true, n, err));
    size_t pairs = (size_t)r->m->desc->n_item * r->m->desc->n_item;
    t->searches = r1_run_room(r, 2 * pairs, sizeof *t->searches);
    if (!t->searches) R1_FAIL(err, R1_E_NOMEM, "pretraining: out of memory");
    return pretrain_retrieve(t, false, err); /* before a checkpoint brings other weights */
}

static r1_status pretrain_start(r1_run *r, bool resumed, r1_err *err)
{
    r1_pretrainer *t = pretrainer_of(r);
    if (t->asked > r->step)
        R1_FAIL(err, R1_E_FORMAT, "checkpoint %s: %llu of %llu steps asked something",
                r->o->checkpoint, (unsigned long long)t->asked, (unsigned long long)r->step);
    return r1_epochs_start(&t->epochs, r, resumed, err);
}

static r1_status pretrain_validate(r1_run *r, double *value, r1_err *err)
{
    r1_pretrainer *t = pretrainer_of(r);
    r1_pretext_loss now;
    R1_TRY(judge_valid(t, &now, err));
    if (!total_of(t, &now, value)) *value = INFINITY;
    t->judged = now;
    t->figure = *value;
    return R1_OK;
}

static r1_status pretrain_judge(r1_pretrainer *t, r1_err *err)
{
    r1_run *r = &t->run;
    r1_pretrain_report *report = &t->report;
    R1_TRY(r1_run_keep_best(r, err));
    R1_TRY(judge_valid(t, &t->judged, err));
    memcpy(report->part, t->judged.part, sizeof report->part);
    if (!total_of(t, &t->judged, &report->loss)) report->loss = NAN;
    R1_TRY(pretrain_retrieve(t, true, err));
    size_t n = r->m->desc->n_item;
    report->n_pair = r1_pretext_pairs(r->m->desc, t->searches, t->searches + n * n, report->pair);
    return R1_OK;
}

static r1_status pretrain_end(r1_run *r, r1_err *err)
{
    r1_pretrainer *t = pretrainer_of(r);
    r1_pretrain_report *report = &t->report;
    *report = (r1_pretrain_report){.loss = NAN, .part = {NAN, NAN, NAN, NAN}};
    if (r->has_valid) R1_TRY(pretrain_judge(t, err));
    r->m->trained_samples = r->trained_before + t->epochs.seen;
    report->n_step = r->step;
    report->n_sample = t->epochs.seen;
    report->seconds = r1_pace_seconds(&r->pace);
    report->samples_s = report->seconds > 0 ? (double)r->pace.seen / report->seconds : 0;
    memcpy(t->judged.part, report->part, sizeof report->part);
    t->figure = report->loss;
    return R1_OK;
}

static void pretrain_figures(const r1_run *r, r1_event_kind event, FILE *f)
{
    const r1_pretrainer *t = pretrainer_seen(r);
    const r1_pretext_loss *l = event == R1_EVENT_TRAIN ? &t->last : &t->judged;
    r1_epochs_figures(&t->epochs, r, f);
    fprintf(f, ",\"mask\":%.4g", mask_now(t));
    r1_metric_seconds(f, r);
    r1_metric(f, "loss", event == R1_EVENT_TRAIN ? r->pace.loss : t->figure);
    for (int k = 0; k < R1_PRETRAIN_PARTS; k++) r1_metric(f, r1_pretext_part[k], l->part[k]);
}

/* The heads lie behind the model's own weights: the plain plan reads the same arena. */
static r1_status save_plain(const r1_run *r, r1_err *err)
{
    r1_model plain = *r->m;
    R1_TRY(r1_net_build(&plain.net, r->m->desc, 0, err));
    r1_status st = r1_model_save(&plain, r->o->out, err);
    r1_net_free(&plain.net);
    return st;
}

/* ---- the stage ------------------------------------------------------------------------------- */

static const r1_stage pretrain = {
    .name = "pretrain",
    .what = "pretraining",
    .lr = R1_DEFAULT_LR,
    .checkpoint_every = R1_DEFAULT_CHECKPOINT_EVERY,
    .patience = R1_DEFAULT_PATIENCE,
    .note_every = 50,
    .lower = true,
    .keeps_end = true,
    .check = pretrain_check,
    .prepare = pretrain_prepare,
    .start = pretrain_start,
    .step = pretrain_learn,
    .note = pretrain_note,
    .turn = pretrain_turn,
    .over = pretrain_over,
    .validate = pretrain_validate,
    .finish = pretrain_end,
    .save = save_plain,
    .figures = pretrain_figures,
    .state = pretrain_state,
    .free = pretrain_release,
};

r1_status r1_pretrainer_new(r1_pretrainer **out, const r1_pretrain_opts *opts, r1_err *err)
{
    r1_pretrainer *t = calloc(1, sizeof *t);
    if (!t) R1_FAIL(err, R1_E_NOMEM, "pretraining: out of memory");
    t->o = *opts;
    pretrain_fill(&t->o);
    t->epochs.n_epoch = t->o.n_epoch;
    t->epochs.n_batch = t->o.n_batch;
    t->epochs.warmup = t->o.warmup;
    R1_TRY(r1_run_begin(&t->run, &pretrain, &t->o.run, err));
    *out = t;
    return R1_OK;
}

r1_status r1_pretrainer_step(r1_pretrainer *t, double *loss, bool *done, r1_err *err)
{
    return r1_run_step(&t->run, loss, done, err);
}

r1_status r1_pretrainer_checkpoint(r1_pretrainer *t, const char *path, r1_err *err)
{
    return r1_run_checkpoint(&t->run, path, err);
}

r1_status r1_pretrainer_finish(r1_pretrainer *t, r1_pretrain_report *report, r1_err *err)
{
    R1_TRY(r1_run_finish(&t->run, err));
    if (report) *report = t->report;
    return R1_OK;
}

void r1_pretrainer_free(r1_pretrainer *t)
{
    if (t) r1_run_free(&t->run);
}

r1_status r1_pretrain(const r1_pretrain_opts *opts, r1_pretrain_report *report, r1_err *err)
{
    r1_pretrainer *t;
    R1_TRY(r1_pretrainer_new(&t, opts, err));
    r1_status st = r1_run_all(&t->run, err);
    if (st == R1_OK) st = r1_pretrainer_finish(t, report, err);
    r1_pretrainer_free(t);
    return st;
}
