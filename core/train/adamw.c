/* SPDX-License-Identifier: Apache-2.0 */
/* adamw.c - the update, tensor by tensor: frozen weights are left alone, only matrices decay. */
#include "train/adamw.h"

#include "cpu/cpu_ops.h"

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

static bool trained(const r1_tensor *t) { return t->space == R1_SPACE_WEIGHT && !t->frozen; }

static double norm(const r1_model *m, const float *grad)
{
    double sum = 0;
    for (uint32_t i = 0; i < m->net.plan.n_tensor; i++) {
        const r1_tensor *t = &m->net.plan.tensor[i];
        if (!trained(t)) continue;
        const float *g = grad + t->offset / sizeof(float);
        for (size_t k = 0; k < (size_t)t->mul * t->cols; k++) sum += (double)g[k] * g[k];
    }
    return sqrt(sum);
}

typedef struct {
    float scale, lr, shrink, c1, c2;
} coefficients;

R1_CLONES static void update(float *w, float *g, float *m, float *v, size_t n, coefficients c)
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

/* Steps of rounding move in proportion to themselves, as if their logarithms were trained: they stay positive, and lr means the same for all. */
static void update_steps(float *w, float *g, float *m, float *v, size_t n, coefficients c)
{
    for (size_t k = 0; k < n; k++) {
        float log_step = 0;
        update(&log_step, &g[k], &m[k], &v[k], 1, c);
        w[k] *= expf(log_step);
    }
}

double r1_adamw_rate(double lr, double warmup, double done)
{
    if (done < warmup) return lr * (0.02 + 0.98 * done / warmup);
    return lr * (0.02 + 0.98 * 0.5 * (1 + cos(3.14159265358979 * fmin(1, (done - warmup) / (1 - warmup)))));
}

double r1_adamw_step(r1_adamw *a, r1_model *m, float *grad, double lr, double decay, double clip)
{
    double size = norm(m, grad), t = (double)++a->step;
    coefficients c = {.scale = (float)(size > clip ? clip / size : 1),
                      .lr = (float)lr,
                      .c1 = (float)(1 / (1 - pow(beta1, t))),
                      .c2 = (float)(1 / (1 - pow(beta2, t)))};
    for (uint32_t i = 0; i < m->net.plan.n_tensor; i++) {
        const r1_tensor *x = &m->net.plan.tensor[i];
        size_t at = x->offset / sizeof(float);
        if (!trained(x)) continue;
        c.shrink = (float)(x->decay ? 1 - lr * decay : 1);
        (x->step ? update_steps : update)(m->weights + at, grad + at, a->m + at, a->v + at, (size_t)x->mul * x->cols,
                                          c);
    }
    return size;
}

/* Only what is trained moves: frozen rows may hold bits that are no numbers. */
void r1_adamw_mean(const r1_model *m, float *mean, double keep)
{
    float a = (float)keep, b = 1 - a;
    for (uint32_t i = 0; i < m->net.plan.n_tensor; i++) {
        const r1_tensor *t = &m->net.plan.tensor[i];
        if (!trained(t)) continue;
        const float *w = m->weights + t->offset / sizeof(float);
        float *to = mean + t->offset / sizeof(float);
        for (size_t k = 0; k < (size_t)t->mul * t->cols; k++) to[k] = a * to[k] + b * w[k];
    }
}
