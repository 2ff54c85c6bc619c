/* SPDX-License-Identifier: Apache-2.0 */
/* mark_pool.c - a graph becomes one row: the means over its first egos, its second egos and all
 * its nodes. */
#include "tensor/r1_op.h"

static bool mark_pool_belongs(int32_t mark, int group) { return group == 2 || mark == group + 1; }

static int32_t mark_pool_members(const int32_t *mark, int32_t from, int32_t to, int group)
{
    int32_t n = 0;
    for (int32_t i = from; i < to; i++) n += mark_pool_belongs(mark[i], group);
    return n;
}

static r1_status mark_pool_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *h = &a->v[R1_MARK_POOL_H], *y = &a->v[R1_MARK_POOL_Y];
    const int32_t *mark = r1_ints(&a->v[R1_MARK_POOL_MARK]),
                  *off = r1_ints(&a->v[R1_MARK_POOL_OFF]);
    for (int64_t b = 0; b < y->rows; b++)
        for (int group = 0; group < 3; group++) {
            int32_t n = mark_pool_members(mark, off[b], off[b + 1], group);
            for (int32_t c = 0; c < h->cols; c++) {
                double sum = 0;
                for (int32_t i = off[b]; i < off[b + 1]; i++)
                    if (mark_pool_belongs(mark[i], group)) sum += r1_row(h, i)[c];
                r1_row(y, b)[group * h->cols + c] = n ? (float)(sum / n) : 0;
            }
        }
    return R1_OK;
}

static r1_status mark_pool_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *gh = &a->g[R1_MARK_POOL_H], *gy = &a->g[R1_MARK_POOL_Y];
    const int32_t *mark = r1_ints(&a->v[R1_MARK_POOL_MARK]),
                  *off = r1_ints(&a->v[R1_MARK_POOL_OFF]);
    for (int64_t b = 0; b < gy->rows; b++)
        for (int group = 0; group < 3; group++) {
            int32_t n = mark_pool_members(mark, off[b], off[b + 1], group);
            for (int32_t i = off[b]; i < off[b + 1]; i++)
                if (mark_pool_belongs(mark[i], group))
                    for (int32_t c = 0; c < gh->cols; c++)
                        r1_row(gh, i)[c] += r1_row(gy, b)[group * gh->cols + c] / (float)n;
        }
    return R1_OK;
}

static uint64_t mark_pool_flop(const r1_op_args *a)
{
    return 3u * (uint64_t)a->v[R1_MARK_POOL_H].rows * (uint64_t)a->v[R1_MARK_POOL_H].cols;
}

static bool mark_pool_fits(const r1_op_args *a)
{
    const r1_view *h = &a->v[R1_MARK_POOL_H], *y = &a->v[R1_MARK_POOL_Y];
    return a->v[R1_MARK_POOL_MARK].cols == h->rows && y->cols == 3 * h->cols &&
           a->v[R1_MARK_POOL_OFF].cols == y->rows + 1;
}

const r1_op_def r1_op_mark_pool = {
    .name = "mark_pool",
    .outputs = R1_SLOT(R1_MARK_POOL_Y),
    .grads = R1_SLOT(R1_MARK_POOL_H),
    .fits = mark_pool_fits,
    .forward = mark_pool_forward,
    .backward = mark_pool_backward,
    .flop = mark_pool_flop,
};
