/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_pool.c - means over rows, and the piecewise-linear code of numeric columns: the
 * reference's sums in the reference's order, several columns at a time, so the bits are the
 * reference's. */
#include "cpu/cpu_ops.h"

enum { BLOCK = 64 }; /* columns whose sums are held at once */

R1_INLINE void sum_add(double *restrict sum, const float *restrict x, int32_t n)
{
    for (int32_t c = 0; c < n; c++) sum[c] += (double)x[c];
}

R1_INLINE void mean_store(float *restrict y, const double *restrict sum, int32_t rows, int32_t n)
{
    double d = rows ? rows : 1; /* no rows: the sum is zero */
    for (int32_t c = 0; c < n; c++) y[c] = (float)(sum[c] / d);
}

/* fn for each row b of the result and each block of the columns that are pooled. */
static void each_block(const r1_op_args *a, const r1_view *y, int32_t cols,
                       void (*fn)(const r1_op_args *a, int64_t b, int32_t from, int32_t n))
{
    for (int64_t b = 0; b < y->rows; b++)
        for (int32_t c = 0; c < cols; c += BLOCK) fn(a, b, c, cols - c < BLOCK ? cols - c : BLOCK);
}

/* ---- seg_mean ---- */

R1_CLONES static void seg_mean(const r1_op_args *a, int64_t b, int32_t from, int32_t n)
{
    const int32_t *index = a->v[R1_SEG_MEAN_INDEX].p, *off = r1_ints(&a->v[R1_SEG_MEAN_OFF]);
    double sum[BLOCK] = {0};
    for (int32_t j = off[b]; j < off[b + 1]; j++)
        sum_add(sum, r1_row(&a->v[R1_SEG_MEAN_X], index ? index[j] : j) + from, n);
    mean_store(r1_row(&a->v[R1_SEG_MEAN_Y], b) + from, sum, off[b + 1] - off[b], n);
}

r1_status r1_cpu_seg_mean_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    each_block(a, &a->v[R1_SEG_MEAN_Y], a->v[R1_SEG_MEAN_Y].cols, seg_mean);
    return R1_OK;
}

/* ---- mark_pool ---- */

/* One pass over a graph's nodes: all of them, and those marked 1 or 2. */
R1_CLONES static void mark_pool(const r1_op_args *a, int64_t b, int32_t from, int32_t n)
{
    const r1_view *h = &a->v[R1_MARK_POOL_H];
    const int32_t *mark = r1_ints(&a->v[R1_MARK_POOL_MARK]),
                  *off = r1_ints(&a->v[R1_MARK_POOL_OFF]);
    double sum[3][BLOCK] = {0};
    int32_t count[3] = {0, 0, off[b + 1] - off[b]};
    for (int32_t i = off[b]; i < off[b + 1]; i++) {
        const float *row = r1_row(h, i) + from;
        sum_add(sum[2], row, n);
        if (mark[i] != 1 && mark[i] != 2) continue;
        sum_add(sum[mark[i] - 1], row, n);
        count[mark[i] - 1]++;
    }
    for (int g = 0; g < 3; g++)
        mean_store(r1_row(&a->v[R1_MARK_POOL_Y], b) + g * h->cols + from, sum[g], count[g], n);
}

r1_status r1_cpu_mark_pool_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    each_block(a, &a->v[R1_MARK_POOL_Y], a->v[R1_MARK_POOL_H].cols, mark_pool);
    return R1_OK;
}

/* ---- ple ---- */

/* Every bin's quotient is made and then chosen or not: no branch, and NaN (missing) fails both
 * comparisons. */
R1_INLINE void ple_code(float x, const float *restrict edge, int32_t n_bin, float *restrict y)
{
    for (int32_t t = 0; t < n_bin; t++) {
        float low = edge[t], high = edge[t + 1], share = (x - low) / (high - low),
              inside = x >= low ? share : 0.0f;
        y[t] = x >= high ? 1.0f : inside;
    }
    y[n_bin] = x != x ? 1.0f : 0.0f;
}

R1_CLONES static void ple_row(float *restrict y, const float *restrict x, const r1_view *edge)
{
    int32_t n_bin = edge->cols - 1;
    for (int64_t c = 0; c < edge->rows; c++)
        ple_code(x[c], r1_row(edge, c), n_bin, y + c * (n_bin + 1));
}

r1_status r1_cpu_ple_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    for (int64_t r = 0; r < a->v[R1_PLE_X].rows; r++)
        ple_row(r1_row(&a->v[R1_PLE_Y], r), r1_row(&a->v[R1_PLE_X], r), &a->v[R1_PLE_EDGE]);
    return R1_OK;
}
