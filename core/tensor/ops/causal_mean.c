/* SPDX-License-Identifier: Apache-2.0 */
/* causal_mean.c - mean of a segment's rows from its start to each row: the context that CAWA
 * reads beside the query. */
#include "tensor/r1_op.h"

static r1_status causal_mean_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_CAUSAL_MEAN_X], *off = &a->v[R1_CAUSAL_MEAN_OFF],
                  *y = &a->v[R1_CAUSAL_MEAN_Y];
    for (int32_t g = 0; g + 1 < off->cols; g++)
        for (int32_t c = 0; c < x->cols; c++) {
            double sum = 0;
            for (int32_t from = r1_ints(off)[g], r = from; r < r1_ints(off)[g + 1]; r++) {
                sum += r1_row(x, r)[c];
                r1_row(y, r)[c] = (float)(sum / (r - from + 1));
            }
        }
    return R1_OK;
}

static r1_status causal_mean_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *gx = &a->g[R1_CAUSAL_MEAN_X], *off = &a->v[R1_CAUSAL_MEAN_OFF],
                  *gy = &a->g[R1_CAUSAL_MEAN_Y];
    for (int32_t g = 0; g + 1 < off->cols; g++)
        for (int32_t c = 0; c < gx->cols; c++) {
            double sum = 0;
            int32_t from = r1_ints(off)[g];
            for (int32_t r = r1_ints(off)[g + 1] - 1; r >= from; r--) {
                sum += r1_row(gy, r)[c] / (double)(r - from + 1);
                r1_row(gx, r)[c] += (float)sum;
            }
        }
    return R1_OK;
}

static uint64_t causal_mean_flop(const r1_op_args *a)
{
    return 2u * (uint64_t)a->v[R1_CAUSAL_MEAN_X].rows * (uint64_t)a->v[R1_CAUSAL_MEAN_X].cols;
}

static bool causal_mean_fits(const r1_op_args *a)
{
    return r1_same_shape(&a->v[R1_CAUSAL_MEAN_X], &a->v[R1_CAUSAL_MEAN_Y]) &&
           a->v[R1_CAUSAL_MEAN_OFF].cols >= 1;
}

const r1_op_def r1_op_causal_mean = {
    .name = "causal_mean",
    .outputs = R1_SLOT(R1_CAUSAL_MEAN_Y),
    .grads = R1_SLOT(R1_CAUSAL_MEAN_X),
    .fits = causal_mean_fits,
    .forward = causal_mean_forward,
    .backward = causal_mean_backward,
    .flop = causal_mean_flop,
};
