/* SPDX-License-Identifier: Apache-2.0 */
/* causal_mean.c - mean of a segment's rows from its start to each row: the context that CAWA
 * reads beside the query. */
#include "tensor/r1_op.h"

static r1_status causal_mean_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[0], *off = &a->v[1], *y = &a->v[2];
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
    const r1_view *gx = &a->g[0], *off = &a->v[1], *gy = &a->g[2];
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
    return 2u * (uint64_t)a->v[0].rows * (uint64_t)a->v[0].cols;
}

const r1_op_def r1_op_causal_mean = {"causal_mean",        1u << 2,         1u, causal_mean_forward,
                                     causal_mean_backward, causal_mean_flop};
