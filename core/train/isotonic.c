/* SPDX-License-Identifier: Apache-2.0 */
/* isotonic.c - a stack of blocks: each score comes as a block of its own and swallows those
 * before it that are not below it. */
#include "train/isotonic.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    float score, label, weight;
} point;

static int isotonic_by_score(const void *a, const void *b)
{
    float x = ((const point *)a)->score, y = ((const point *)b)->score;
    return (x > y) - (x < y);
}

static r1_block isotonic_joined(const r1_block *a, const r1_block *b)
{
    double w = a->weight + b->weight;
    return (r1_block){.low = a->low,
                      .high = b->high,
                      .place = (a->place * a->weight + b->place * b->weight) / w,
                      .value = (a->value * a->weight + b->value * b->weight) / w,
                      .weight = w};
}

r1_status r1_isotonic_blocks(const float *score, const float *label, const float *weight, size_t n,
                             r1_block *block, size_t *n_block, r1_err *err)
{
    point *p = r1_realloc_array(NULL, n + 1, sizeof *p);
    size_t top = 0;
    if (!p) R1_FAIL(err, R1_E_NOMEM, "isotonic regression: no memory for %zu scores", n);
    for (size_t i = 0; i < n; i++) p[i] = (point){score[i], label[i], weight[i]};
    qsort(p, n, sizeof *p, isotonic_by_score);
    for (size_t i = 0; i < n; i++) {
        double at = (double)p[i].score;
        block[top++] = (r1_block){at, at, at, (double)p[i].label, (double)p[i].weight};
        while (top > 1 && block[top - 2].high == block[top - 1].low) { /* equal scores first */
            block[top - 2] = isotonic_joined(&block[top - 2], &block[top - 1]);
            top--;
        }
        if (i + 1 < n && p[i + 1].score == p[i].score) continue;
        while (top > 1 && block[top - 2].value >= block[top - 1].value) {
            block[top - 2] = isotonic_joined(&block[top - 2], &block[top - 1]);
            top--;
        }
    }
    free(p);
    *n_block = top;
    return R1_OK;
}

/* A probability inside (0, 1) for block i. */
static double isotonic_doubtful(const r1_block *b, size_t i, size_t n)
{
    double doubt = 0.5 / (b[i].weight + 1), p = b[i].value;
    if (p <= 0) return i + 1 < n ? fmin(doubt, b[i + 1].value / 2) : doubt;
    if (p >= 1) return 1 - (i > 0 ? fmin(doubt, (1 - b[i - 1].value) / 2) : doubt);
    return p;
}

size_t r1_isotonic_knots(r1_block *block, size_t n, float *x, float *y)
{
    size_t knots = 0;
    for (; n > R1_ISOTONIC_MAX; n = (n + 1) / 2)
        for (size_t i = 0; i < n; i += 2)
            block[i / 2] = i + 1 < n ? isotonic_joined(&block[i], &block[i + 1]) : block[i];
    for (size_t i = 0; i < n; i++) {
        double p = isotonic_doubtful(block, i, n);
        x[knots] = (float)block[i].place;
        y[knots] = (float)log(p / (1 - p));
        if (knots == 0 || (x[knots] > x[knots - 1] && y[knots] > y[knots - 1])) knots++;
    }
    return knots;
}
