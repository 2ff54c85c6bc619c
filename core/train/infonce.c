/* SPDX-License-Identifier: Apache-2.0 */
/* infonce.c - contrast of two views.
 *
 * No cosine is above 1 and no scale above 100. So exponentials of scale * (cosine - 1) neither
 * overflow nor vanish in double, and one exponential serves its row and its column. */
#include "train/infonce.h"

#include "cpu/cpu_ops.h"

#include <math.h>
#include <string.h>

typedef struct {
    const uint64_t *a, *b;
} objects;

static bool infonce_same(const objects *o, size_t i, size_t k)
{
    return o->a[i] == o->a[k] || o->b[i] == o->b[k];
}

/* e[i][k], sums over rows and over columns, each in the order of its own terms. */
static void infonce_exponentials(const float *cosine, size_t n, const objects *o, double scale,
                                 double *e, double *row, double *column)
{
    memset(column, 0, n * sizeof *column);
    for (size_t i = 0; i < n; i++) {
        row[i] = 0;
        for (size_t k = 0; k < n; k++) {
            double x =
                i != k && infonce_same(o, i, k) ? 0 : exp(scale * ((double)cosine[i * n + k] - 1));
            e[i * n + k] = x;
            row[i] += x;
            column[k] += x;
        }
    }
}

/* Row i of the slopes: of its own line, and of the columns' lines where there are any; its own
 * place apart. */
R1_CLONES static void slopes_of_row(const double *e, size_t n, double row, const double *column,
                                    double slope, float *restrict grad)
{
    if (!column)
        for (size_t k = 0; k < n; k++) grad[k] = (float)(slope * (e[k] / row));
    else
        for (size_t k = 0; k < n; k++)
            grad[k] = (float)(slope * (e[k] / row)) + (float)(slope * (e[k] / column[k]));
}

double r1_infonce(const float *cosine, size_t n, const uint64_t *a, const uint64_t *b, double scale,
                  bool both_ways, double weight, float *grad, double *grad_log_scale, double *room)
{
    double loss = 0, share = 1 / (double)n / (both_ways ? 2 : 1), slope = weight * share * scale;
    double *e = room, *row = room + n * n, *column = row + n;
    infonce_exponentials(cosine, n, &(objects){a, b}, scale, e, row, column);
    for (size_t i = 0; i < n; i++) {
        double own = scale * ((double)cosine[i * n + i] - 1);
        loss += share * (log(row[i]) - own);
        if (both_ways) loss += share * (log(column[i]) - own);
    }
    for (size_t i = 0; grad && i < n; i++) {
        float *g = grad + i * n;
        double x = e[i * n + i];
        slopes_of_row(e + i * n, n, row[i], both_ways ? column : NULL, slope, g);
        g[i] = (float)(slope * (x / row[i] - 1)) +
               (both_ways ? (float)(slope * (x / column[i] - 1)) : 0);
    }
    for (size_t k = 0; grad && k < n * n; k++)
        *grad_log_scale += (double)grad[k] * (double)cosine[k];
    return loss;
}

/* Line i, whose elements lie `step` apart. */
static void search_line(const float *x, size_t n, size_t step, size_t i, const objects *o,
                        r1_searches *s)
{
    float other = -INFINITY;
    size_t candidates = 1;
    for (size_t k = 0; k < n; k++) {
        if (k == i || infonce_same(o, i, k)) continue;
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
