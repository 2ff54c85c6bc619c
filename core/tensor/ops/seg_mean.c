/* SPDX-License-Identifier: Apache-2.0 */
/* seg_mean.c - mean of listed rows per segment: pooling of tokens, summary of working memory. */
#include "tensor/r1_op.h"

static r1_status seg_mean_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_SEG_MEAN_X], *y = &a->v[R1_SEG_MEAN_Y];
    const int32_t *index = a->v[R1_SEG_MEAN_INDEX].p, *off = r1_ints(&a->v[R1_SEG_MEAN_OFF]);
    for (int64_t b = 0; b < y->rows; b++)
        for (int32_t c = 0; c < y->cols; c++) {
            double sum = 0;
            for (int32_t j = off[b]; j < off[b + 1]; j++) sum += r1_row(x, index ? index[j] : j)[c];
            r1_row(y, b)[c] = off[b + 1] > off[b] ? (float)(sum / (off[b + 1] - off[b])) : 0;
        }
    return R1_OK;
}

static r1_status seg_mean_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *gx = &a->g[R1_SEG_MEAN_X], *gy = &a->g[R1_SEG_MEAN_Y];
    const int32_t *index = a->v[R1_SEG_MEAN_INDEX].p, *off = r1_ints(&a->v[R1_SEG_MEAN_OFF]);
    for (int64_t b = 0; b < gy->rows; b++) {
        float share = 1.0f / (float)(off[b + 1] - off[b]);
        for (int32_t j = off[b]; j < off[b + 1]; j++)
            for (int32_t c = 0; c < gy->cols; c++)
                r1_row(gx, index ? index[j] : j)[c] += r1_row(gy, b)[c] * share;
    }
    return R1_OK;
}

static uint64_t seg_mean_flop(const r1_op_args *a)
{
    uint64_t n = a->v[R1_SEG_MEAN_INDEX].cols ? (uint64_t)a->v[R1_SEG_MEAN_INDEX].cols
                                              : (uint64_t)a->v[R1_SEG_MEAN_X].rows;
    return n * (uint64_t)a->v[R1_SEG_MEAN_X].cols;
}

static bool seg_mean_fits(const r1_op_args *a)
{
    const r1_view *y = &a->v[R1_SEG_MEAN_Y];
    return a->v[R1_SEG_MEAN_X].cols == y->cols && a->v[R1_SEG_MEAN_OFF].cols == y->rows + 1;
}

const r1_op_def r1_op_seg_mean = {
    .name = "seg_mean",
    .outputs = R1_SLOT(R1_SEG_MEAN_Y),
    .grads = R1_SLOT(R1_SEG_MEAN_X),
    .fits = seg_mean_fits,
    .forward = seg_mean_forward,
    .backward = seg_mean_backward,
    .flop = seg_mean_flop,
};
