/* SPDX-License-Identifier: Apache-2.0 */
/* infonce.c - contrast of two views. No cosine is above 1, so exponentials of scale * (cosine - 1) neither overflow nor, at a scale of at most 100,
 * vanish in double: one exponential serves its row and its column. */
#include "train/infonce.h"

#include <math.h>
#include <string.h>

typedef struct {
    const uint64_t *a, *b;
} objects;

static bool same(const objects *o, size_t i, size_t k) { return o->a[i] == o->a[k] || o->b[i] == o->b[k]; }

static void exponentials(const float *cosine, size_t n, const objects *o, double scale, double *e)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            e[i * n + k] = i != k && same(o, i, k) ? 0 : exp(scale * ((double)cosine[i * n + k] - 1));
}

/* Cross-entropy of a line of exponentials, `step` apart, whose own is at place i; its slopes are added to grad. */
static double line(const double *e, size_t n, size_t step, size_t i, double slope, float *grad)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++) sum += e[k * step];
    for (size_t k = 0; grad && k < n; k++) grad[k * step] += (float)(slope * (e[k * step] / sum - (k == i)));
    return log(sum);
}

double r1_infonce(const float *cosine, size_t n, const uint64_t *a, const uint64_t *b, double scale, bool both_ways,
                  double weight, float *grad, double *grad_log_scale, double *room)
{
    double loss = 0, share = 1 / (double)n / (both_ways ? 2 : 1), slope = weight * share * scale;
    exponentials(cosine, n, &(objects){a, b}, scale, room);
    if (grad) memset(grad, 0, n * n * sizeof *grad);
    for (size_t i = 0; i < n; i++) {
        double own = scale * ((double)cosine[i * n + i] - 1);
        loss += share * (line(room + i * n, n, 1, i, slope, grad ? grad + i * n : NULL) - own);
        if (both_ways) loss += share * (line(room + i, n, n, i, slope, grad ? grad + i : NULL) - own);
    }
    for (size_t k = 0; grad && k < n * n; k++) *grad_log_scale += (double)grad[k] * (double)cosine[k];
    return loss;
}

/* Line i, whose elements lie `step` apart. */
static void search_line(const float *x, size_t n, size_t step, size_t i, const objects *o, r1_searches *s)
{
    float other = -INFINITY;
    size_t candidates = 1;
    for (size_t k = 0; k < n; k++) {
        if (k == i || same(o, i, k)) continue;
        other = fmaxf(other, x[k * step]);
        candidates++;
    }
    s->n++;
    s->found += x[i * step] > other;
    s->chance += 1 / (double)candidates;
}

void r1_search(const float *cosine, size_t n, const uint64_t *a, const uint64_t *b, r1_searches *s)
{
    objects o = {a, b};
    for (size_t i = 0; i < n; i++) {
        search_line(cosine + i * n, n, 1, i, &o, s);
        search_line(cosine + i, n, n, i, &o, s);
    }
}
