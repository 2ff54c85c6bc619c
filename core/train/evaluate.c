/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate.c - shards through a session: the figures of r1_eval, and logits for the calibration. */
#include "train/evaluate.h"

#include "r1_assert.h"
#include "r1_session.h"
#include "train/carve.h"
#include "train/isotonic.h"
#include "train/loss.h"
#include "train/score_metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void carve_scores(void *scores, r1_carver *c)
{
    r1_scores *s = scores;
    s->logit = r1_carve(c, s->cap * s->n_output + 1, sizeof *s->logit);
    s->label = r1_carve(c, s->cap * s->n_head + 1, sizeof *s->label);
    s->weight = r1_carve(c, s->cap + 1, sizeof *s->weight);
    s->group = r1_carve(c, s->cap + 1, sizeof *s->group);
    s->id = r1_carve(c, s->cap + 1, sizeof *s->id);
}

r1_status r1_scores_new(r1_scores *s, const r1_model *m, size_t n, r1_err *err)
{
    *s = (r1_scores){.cap = n, .n_head = m->desc->n_headc, .n_output = m->desc->n_output};
    s->block = r1_carve_block(carve_scores, s);
    if (s->block) return R1_OK;
    R1_FAIL(err, R1_E_NOMEM, "evaluation: no memory for %zu samples", n);
}

void r1_scores_free(r1_scores *s)
{
    free(s->block);
    *s = (r1_scores){0};
}

static void evaluate_keep(r1_scores *s, const r1_data_rows *rows, const r1_result *res)
{
    R1_ASSERT(s->n + rows->n <= s->cap, "evaluation: %zu scores and %zu more, room for %zu", s->n,
              rows->n, s->cap);
    for (size_t i = 0; i < rows->n; i++, s->n++) {
        const r1_sample *x = &rows->sample[i];
        memcpy(s->logit + s->n * s->n_output, res->logit + i * s->n_output,
               s->n_output * sizeof *s->logit);
        memcpy(s->label + s->n * s->n_head, x->label, s->n_head * sizeof *s->label);
        s->weight[s->n] = x->weight > 0 ? x->weight : 1;
        s->group[s->n] = x->group;
        s->id[s->n] = x->id;
    }
}

static r1_status score_rows(r1_session *session, const r1_data *d, r1_data_rows *rows,
                            const r1_eval_opts *o, const r1_event *events, r1_scores *s,
                            r1_err *err)
{
    r1_batch batch = {.sample = rows->sample,
                      .n_sample = rows->n,
                      .event = events,
                      .n_event = events ? (size_t)d->n_event : 0,
                      .n_step = o->n_step,
                      .items_off = o->items_off,
                      .flags = o->run_flags};
    r1_result res;
    R1_TRY(r1_session_run(session, &batch, &res, err));
    evaluate_keep(s, rows, &res);
    r1_data_rows_clear(rows);
    return R1_OK;
}

/* A table of all events, so that references are plain indices. */
static r1_status event_table(const r1_data *d, r1_event **out, r1_err *err)
{
    *out = NULL;
    if (!d->n_event) return R1_OK;
    *out = calloc((size_t)d->n_event, sizeof **out);
    if (!*out)
        R1_FAIL(err, R1_E_NOMEM, "evaluation: no memory for %llu events",
                (unsigned long long)d->n_event);
    for (size_t k = 0, i = 0; k < d->n_shard; k++)
        for (size_t j = 0; j < r1_shard_n_event(d->shard[k]); j++)
            (*out)[i++] = r1_shard_event(d->shard[k], j);
    return R1_OK;
}

/* The units of a data set in as many runs as threads, each with a session of its own: a sample's
 * score does not depend on its company. */
typedef struct {
    const r1_model *m;
    const r1_data *d;
    const r1_eval_opts *o;
    const r1_event *events;
    const r1_scores *to;
    uint32_t n_part, n_batch; /* n_batch: of a session */
} scoring;

static r1_status score_units(const scoring *c, r1_session *session, r1_data_rows *rows, size_t from,
                             size_t to, r1_err *err)
{
    r1_scores own = *c->to; /* its place among all */
    for (size_t u = 0; u < from; u++) own.n += c->d->unit[u].count;
    for (size_t u = from; u < to; u++) {
        if (rows->n && rows->n + c->d->unit[u].count > c->n_batch)
            R1_TRY(score_rows(session, c->d, rows, c->o, c->events, &own, err));
        R1_TRY(r1_data_rows_add(rows, c->d, &c->d->unit[u], err));
    }
    return rows->n ? score_rows(session, c->d, rows, c->o, c->events, &own, err) : R1_OK;
}

static r1_status score_part(void *ctx, uint32_t k, r1_err *err)
{
    const scoring *c = ctx;
    size_t n = c->d->n_unit, from = n * k / c->n_part, to = n * (k + 1) / c->n_part;
    uint32_t cap = c->n_batch > c->d->unit_max ? c->n_batch : c->d->unit_max;
    r1_session_opts so = {.n_sample_max = c->n_batch > 1024 ? 1024 : c->n_batch,
                          .backend = c->o->backend,
                          .precision = c->o->int8 ? R1_PRECISION_INT8 : R1_PRECISION_F32};
    r1_session *session = NULL;
    r1_data_rows rows;
    R1_TRY(r1_data_rows_new(&rows, c->m->desc, cap, err));
    r1_status st = r1_session_new(&session, c->m, &so, err);
    if (st == R1_OK) st = score_units(c, session, &rows, from, to, err);
    r1_session_free(session);
    r1_data_rows_free(&rows);
    return st;
}

r1_status r1_score_data(const r1_model *m, const r1_data *d, const r1_eval_opts *o,
                        r1_thread_pool *threads, r1_scores *s, r1_err *err)
{
    uint32_t n_part = r1_thread_pool_threads(threads),
             n_batch = (o->n_batch ? o->n_batch : 256) / n_part;
    r1_event *events = NULL;
    R1_TRY(event_table(d, &events, err));
    scoring c = {m, d, o, events, s, n_part, n_batch ? n_batch : 1};
    r1_status st = r1_thread_pool_run(threads, score_part, &c, n_part, err);
    for (size_t u = 0; st == R1_OK && u < d->n_unit; u++) s->n += d->unit[u].count;
    free(events);
    return st;
}

/* ---- figures --------------------------------------------------------------------------------- */

/* The loss of r1_loss on the final, calibrated logits alone. */
static double final_loss(const r1_model *m, const r1_scores *s)
{
    r1_sample *x = calloc(s->n + 1, sizeof *x);
    if (!x) return NAN;
    for (size_t i = 0; i < s->n; i++)
        x[i] = (r1_sample){
            .label = s->label + i * s->n_head, .weight = s->weight[i], .group = s->group[i]};
    r1_loss_total total = r1_loss_weigh(m->desc, x, s->n);
    double loss = r1_loss(m->desc, 1, x, s->n, &total, s->logit, NULL);
    free(x);
    return loss;
}

r1_status r1_figures_of(const r1_model *m, const r1_scores *s, uint32_t head, r1_eval *r,
                        r1_err *err)
{
    *r = (r1_eval){.auc = NAN, .ap = NAN, .top1 = NAN, .mrr = NAN, .ece = NAN, .n = s->n};
    if (head >= m->desc->n_headc)
        R1_FAIL(err, R1_E_INVAL, "head %u, the model has %u", head, m->desc->n_headc);
    float *logit = calloc(s->n + 1, sizeof *logit), *label = calloc(s->n + 1, sizeof *label);
    float *weight = calloc(s->n + 1, sizeof *weight);
    uint64_t *group = calloc(s->n + 1, sizeof *group);
    size_t n = 0;
    for (size_t i = 0; logit && label && weight && group && i < s->n; i++) {
        if (isnan(s->label[i * s->n_head + head])) continue;
        logit[n] = s->logit[i * s->n_output + m->desc->head[head].output];
        label[n] = s->label[i * s->n_head + head];
        weight[n] = s->weight[i];
        group[n] = s->group[i];
        r->n_positive += label[n++] > 0.5f;
    }
    r->loss = final_loss(m, s);
    if (m->desc->head[head].kind == R1_HEAD_BINARY) {
        r->auc = r1_metric_auc(logit, label, n);
        r->ap = r1_metric_ap(logit, label, n);
        r->ece = r1_metric_ece(logit, label, weight, n);
    }
    if (m->desc->head[head].kind == R1_HEAD_RANK)
        r1_metric_rank(logit, label, group, n, &r->top1, &r->mrr);
    free(logit);
    free(label);
    free(weight);
    free(group);
    return R1_OK;
}

r1_status r1_evaluate(const r1_model *m, const char *const *shards, size_t n_shard,
                      const r1_eval_opts *opts, r1_eval *result, r1_err *err)
{
    r1_eval_opts o = opts ? *opts : (r1_eval_opts){0};
    r1_data d;
    r1_scores s = {0};
    R1_TRY(r1_data_open(&d, shards, n_shard, err));
    r1_status st = R1_OK;
    if (r1_shard_schema_hash(d.shard[0]) != m->desc->schema_hash)
        st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                        "shard %s has schema %016llx, the model %016llx", shards[0],
                        (unsigned long long)r1_shard_schema_hash(d.shard[0]),
                        (unsigned long long)m->desc->schema_hash);
    if (st == R1_OK) st = r1_scores_new(&s, m, (size_t)d.n_sample, err);
    if (st == R1_OK) st = r1_score_data(m, &d, &o, NULL, &s, err);
    if (st == R1_OK) st = r1_figures_of(m, &s, o.head, result, err);
    for (size_t i = 0; st == R1_OK && o.each && i < s.n; i++)
        o.each(o.ctx, s.id[i], s.group[i], s.label[i * s.n_head + o.head],
               s.logit[i * s.n_output + m->desc->head[o.head].output]);
    r1_scores_free(&s);
    r1_data_close(&d);
    return st;
}

/* ---- calibration ----------------------------------------------------------------------------- */

/* Logistic regression of the label on the logit by Newton's method, with a weak pull towards
 * scale 1, bias 0. */
r1_calibration r1_calibration_fit(const r1_scores *s, uint32_t head, uint32_t output)
{
    double a = 1, b = 0;
    for (int round = 0; round < 50; round++) {
        double ga = 1e-3 * (a - 1), gb = 1e-3 * b, haa = 1e-3, hab = 0, hbb = 1e-3;
        for (size_t i = 0; i < s->n; i++) {
            double x = s->logit[i * s->n_output + output], y = s->label[i * s->n_head + head],
                   w = s->weight[i];
            if (isnan(y)) continue;
            double p = 1 / (1 + exp(-(a * x + b))), r = w * (p - (y > 0.5)), v = w * p * (1 - p);
            ga += r * x;
            gb += r;
            haa += v * x * x;
            hab += v * x;
            hbb += v;
        }
        double det = haa * hbb - hab * hab, da = (hbb * ga - hab * gb) / det,
               db = (haa * gb - hab * ga) / det;
        double step = fmax(fabs(da), fabs(db));
        if (!(det > 0) || !isfinite(step)) break;
        a -= da / fmax(1, step);
        b -= db / fmax(1, step);
        if (step < 1e-7) break;
    }
    return a > 0.05 && a < 20 && fabs(b) < 50 ? (r1_calibration){(float)a, (float)b}
                                              : (r1_calibration){1, 0};
}

/* Temperature of a softmax by golden section over its logarithm. */
static double loss_at(const r1_model *m, const r1_scores *s, uint32_t head, double log_scale,
                      r1_sample *x, float *scaled)
{
    r1_desc one = *m->desc;
    one.n_headc = 1;
    one.head[0] = m->desc->head[head];
    one.head[0].output = 0;
    one.n_output = one.head[0].n;
    for (size_t i = 0; i < s->n; i++) {
        x[i] = (r1_sample){
            .label = s->label + i * s->n_head + head, .weight = s->weight[i], .group = s->group[i]};
        for (uint32_t k = 0; k < one.n_output; k++)
            scaled[i * one.n_output + k] =
                (float)(exp(log_scale) *
                        s->logit[i * s->n_output + m->desc->head[head].output + k]);
    }
    r1_loss_total total = r1_loss_weigh(&one, x, s->n);
    return r1_loss(&one, 1, x, s->n, &total, scaled, NULL);
}

static r1_calibration fit_temperature(const r1_model *m, const r1_scores *s, uint32_t head)
{
    const double golden = 0.6180339887498949;
    r1_sample *x = calloc(s->n + 1, sizeof *x);
    float *scaled = calloc(s->n * m->desc->head[head].n + 1, sizeof *scaled);
    double lo = -3, hi = 3;
    for (int round = 0; x && scaled && round < 40; round++) {
        double left = hi - golden * (hi - lo), right = lo + golden * (hi - lo);
        if (loss_at(m, s, head, left, x, scaled) < loss_at(m, s, head, right, x, scaled))
            hi = right;
        else
            lo = left;
    }
    r1_calibration c = {x && scaled ? (float)exp((lo + hi) / 2) : 1, 0};
    free(x);
    free(scaled);
    return c;
}

static r1_status fit_isotonic(r1_model *m, const r1_scores *s, uint32_t head, r1_err *err)
{
    size_t n = 0, n_block = 0;
    float *at = calloc(3 * s->n + 3, sizeof *at), *label = at + s->n + 1,
          *weight = label + s->n + 1;
    r1_block *block = calloc(s->n + 1, sizeof *block);
    float x[R1_ISOTONIC_MAX], y[R1_ISOTONIC_MAX];
    r1_status st =
        at && block ? R1_OK
                    : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "calibration: out of memory");
    for (size_t i = 0; st == R1_OK && i < s->n; i++) {
        float truth = s->label[i * s->n_head + head];
        if (isnan(truth)) continue;
        at[n] =
            r1_model_calibrated(m, head, s->logit[i * s->n_output + m->desc->head[head].output]);
        label[n] = truth > 0.5f;
        weight[n++] = s->weight[i];
    }
    if (st == R1_OK) st = r1_isotonic_blocks(at, label, weight, n, block, &n_block, err);
    if (st == R1_OK && n_block > 0) {
        uint32_t knots = (uint32_t)r1_isotonic_knots(block, n_block, x, y);
        st = r1_model_set_isotonic(m, head, (r1_isotonic){knots, x, y}, err);
    }
    free(at);
    free(block);
    return st;
}

r1_status r1_calibrate(r1_model *m, const r1_scores *s, bool isotonic, r1_err *err)
{
    r1_model_uncalibrate(m);
    for (uint32_t h = 0; h < m->desc->n_headc; h++) {
        bool binary = m->desc->head[h].kind == R1_HEAD_BINARY;
        r1_calibration c =
            binary ? r1_calibration_fit(s, h, m->desc->head[h].output) : fit_temperature(m, s, h);
        R1_TRY(r1_model_set_calibration(m, h, c, err));
        if (binary && isotonic) R1_TRY(fit_isotonic(m, s, h, err));
    }
    return R1_OK;
}

/* Every second sample, from `first` on. */
static void evaluate_half_of(const r1_scores *s, size_t first, r1_scores *half)
{
    for (size_t i = first; i < s->n; i += 2, half->n++) {
        memcpy(half->logit + half->n * s->n_output, s->logit + i * s->n_output,
               s->n_output * sizeof *s->logit);
        memcpy(half->label + half->n * s->n_head, s->label + i * s->n_head,
               s->n_head * sizeof *s->label);
        half->weight[half->n] = s->weight[i];
        half->group[half->n] = s->group[i];
    }
}

r1_status r1_crossed_ece(r1_model *m, const r1_scores *s, uint32_t head, bool isotonic, double *ece,
                         r1_err *err)
{
    r1_scores half = {0};
    size_t n = 0, output = m->desc->head[head].output;
    float *logit = calloc(2 * s->n + 2, sizeof *logit), *label = logit + s->n + 1;
    float *weight = calloc(s->n + 1, sizeof *weight);
    *ece = NAN;
    r1_status st = logit && weight ? R1_OK
                                   : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__,
                                                "calibration: out of memory");
    for (size_t k = 0; st == R1_OK && k < 2; k++) {
        st = r1_scores_new(&half, m, s->n / 2 + 1, err);
        if (st != R1_OK) break;
        evaluate_half_of(s, 1 - k, &half);
        st = r1_calibrate(m, &half, isotonic, err);
        for (size_t i = k; st == R1_OK && i < s->n; i += 2) {
            if (isnan(s->label[i * s->n_head + head])) continue;
            logit[n] = r1_model_calibrated(m, head, s->logit[i * s->n_output + output]);
            label[n] = s->label[i * s->n_head + head];
            weight[n++] = s->weight[i];
        }
        r1_scores_free(&half);
    }
    if (st == R1_OK) *ece = r1_metric_ece(logit, label, weight, n);
    r1_model_uncalibrate(m);
    free(logit);
    free(weight);
    return st;
}
