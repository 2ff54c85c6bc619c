/* SPDX-License-Identifier: Apache-2.0 */
/* adamw.c - an optimiser step, part by part of the weights and tensor by tensor.
 *
 * Frozen weights are left alone, and only matrices decay. */
#include "train/adamw.h"

#include "cpu/cpu_ops.h"
#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>

static const double beta1 = 0.9, beta2 = 0.99, epsilon = 1e-8;

r1_status r1_adamw_new(r1_adamw *a, const r1_model *m, r1_err *err)
{
    size_t bytes = m->net.plan.weight_bytes + 64;
    *a = (r1_adamw){.m = r1_calloc_aligned(bytes, 1), .v = r1_calloc_aligned(bytes, 1)};
    if (a->m && a->v) return R1_OK;
    r1_adamw_free(a);
    R1_FAIL(err, R1_E_NOMEM, "training: no memory for the moments of %zu bytes of weights", bytes);
}

void r1_adamw_free(r1_adamw *a)
{
    free(a->m);
    free(a->v);
    *a = (r1_adamw){0};
}

static bool adamw_trained(const r1_tensor *t) { return t->space == R1_SPACE_WEIGHT && !t->frozen; }

/* ---- parts ----------------------------------------------------------------------------------- */

/* What is trained of one part of the weights: floats at..at + n of a tensor. */
typedef struct {
    const r1_plan *plan;
    size_t from, to; /* the part, in floats */
    uint32_t next;
    const r1_tensor *tensor;
    size_t at, n;
} walk;

static walk adamw_part_of(const r1_model *m, uint32_t k, uint32_t n)
{
    size_t lines = m->net.plan.weight_bytes / 64, line = 64 / sizeof(float);
    R1_ASSERT(k < n, "part %u of %u of the weights", k, n);
    return (walk){
        .plan = &m->net.plan, .from = lines * k / n * line, .to = lines * (k + 1) / n * line};
}

static bool adamw_advance(walk *w)
{
    while (w->next < w->plan->n_tensor) {
        const r1_tensor *t = w->tensor = &w->plan->tensor[w->next++];
        if (!adamw_trained(t)) continue;
        size_t from = t->offset / sizeof(float), to = from + (size_t)t->mul * t->cols;
        R1_ASSERT(to * sizeof(float) <= w->plan->weight_bytes,
                  "%s: floats %zu to %zu of %zu bytes of weights", t->name, from, to,
                  w->plan->weight_bytes);
        if (from < w->from) from = w->from;
        if (to > w->to) to = w->to;
        if (from >= to) continue;
        w->at = from;
        w->n = to - from;
        return true;
    }
    return false;
}

/* ---- the gradient ---------------------------------------------------------------------------- */

typedef struct {
    r1_adamw *a;
    r1_model *m;
    r1_data_parallel *dp;
    double lr, decay, scale;
    double square[R1_SLICES_MAX]; /* of each part's gradient */
} optimiser_step;

R1_CLONES static void adamw_gather(float *restrict to, float *restrict from, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        to[k] += from[k];
        from[k] = 0;
    }
}

/* The slices' gradients into the first one's, and its square. */
static r1_status sum_part(void *ctx, uint32_t k, r1_err *err)
{
    optimiser_step *s = ctx;
    double sum = 0;
    (void)err;
    for (walk w = adamw_part_of(s->m, k, s->dp->n_slice); adamw_advance(&w);) {
        float *g = s->dp->grad[0] + w.at;
        for (uint32_t i = 1; i < s->dp->n_slice; i++) adamw_gather(g, s->dp->grad[i] + w.at, w.n);
        for (size_t j = 0; j < w.n; j++) sum += (double)g[j] * g[j];
    }
    s->square[k] = sum;
    return R1_OK;
}

/* ---- the update ------------------------------------------------------------------------------ */

typedef struct {
    float scale, lr, shrink, c1, c2;
} coefficients;

R1_CLONES static void adamw_update(float *w, float *g, float *m, float *v, size_t n, coefficients c)
{
    const float b1 = (float)beta1, b2 = (float)beta2, eps = (float)epsilon;
    for (size_t k = 0; k < n; k++) {
        float x = g[k] * c.scale;
        m[k] = b1 * m[k] + (1 - b1) * x;
        v[k] = b2 * v[k] + (1 - b2) * x * x;
        w[k] = w[k] * c.shrink - c.lr * (m[k] * c.c1) / (sqrtf(v[k] * c.c2) + eps);
        g[k] = 0;
    }
}

/* Quantiser scales move in proportion to themselves, as if their logarithms were trained. So they
 * stay positive, and lr means the same for all. */
static void update_scales(float *w, float *g, float *m, float *v, size_t n, coefficients c)
{
    for (size_t k = 0; k < n; k++) {
        float log_scale = 0;
        adamw_update(&log_scale, &g[k], &m[k], &v[k], 1, c);
        w[k] *= expf(log_scale);
    }
}

static r1_status update_part(void *ctx, uint32_t k, r1_err *err)
{
    optimiser_step *s = ctx;
    double t = (double)s->a->n_step;
    coefficients c = {.scale = (float)s->scale,
                      .lr = (float)s->lr,
                      .c1 = (float)(1 / (1 - pow(beta1, t))),
                      .c2 = (float)(1 / (1 - pow(beta2, t)))};
    (void)err;
    for (walk w = adamw_part_of(s->m, k, s->dp->n_slice); adamw_advance(&w);) {
        c.shrink = (float)(w.tensor->decay ? 1 - s->lr * s->decay : 1);
        (w.tensor->step ? update_scales : adamw_update)(s->m->weights + w.at, s->dp->grad[0] + w.at,
                                                        s->a->m + w.at, s->a->v + w.at, w.n, c);
    }
    return R1_OK;
}

double r1_adamw_rate(double lr, double warmup, double done)
{
    if (done < warmup) return lr * (0.02 + 0.98 * done / warmup);
    return lr * (0.02 + 0.98 * 0.5 *
                            (1 + cos(3.14159265358979 * fmin(1, (done - warmup) / (1 - warmup)))));
}

static bool adamw_laid_out(const r1_model *m, const r1_data_parallel *dp)
{
    for (uint32_t k = 0; k < dp->n_slice; k++)
        if (!dp->grad[k] || dp->grad[k] == m->weights) return false;
    return dp->n_slice >= 1 && dp->n_slice <= R1_SLICES_MAX;
}

double r1_adamw_step(r1_adamw *a, r1_model *m, r1_data_parallel *dp, double lr, double decay,
                     double clip)
{
    optimiser_step s = {.a = a, .m = m, .dp = dp, .lr = lr, .decay = decay};
    double square = 0;
    R1_ASSERT(adamw_laid_out(m, dp), "AdamW: %u slices, each with gradients of its own",
              dp->n_slice);
    R1_ASSERT(a->n_step < UINT64_MAX, "AdamW: optimiser step %llu is followed by none",
              (unsigned long long)a->n_step);
    r1_data_parallel_each(dp, sum_part, &s, NULL); /* neither part of it can fail */
    for (uint32_t k = 0; k < dp->n_slice; k++) square += s.square[k];
    double size = sqrt(square);
    s.scale = size > clip ? clip / size : 1;
    a->n_step++;
    r1_data_parallel_each(dp, update_part, &s, NULL);
    return size;
}

/* Only what is trained moves: frozen rows may hold bits that are no numbers. */
void r1_adamw_mean(const r1_model *m, float *mean, double keep)
{
    float a = (float)keep, b = 1 - a;
    for (walk w = adamw_part_of(m, 0, 1); adamw_advance(&w);)
        for (size_t k = w.at; k < w.at + w.n; k++) mean[k] = a * mean[k] + b * m->weights[k];
}
