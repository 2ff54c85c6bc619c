/* SPDX-License-Identifier: Apache-2.0 */
/* tail_norm.c - columns divided by the root mean square that other columns of the row carry. It is
 * RMSNorm of a vector of d numbers (WIDTH) of which only a linear image and a factor of its length
 * are at hand (core/model/fold.c). It serves inference alone. */
#include "tensor/r1_op.h"

#include <math.h>

static r1_status tail_norm_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_TAIL_NORM_X], *tail = &a->v[R1_TAIL_NORM_TAIL];
    const float *bias = a->v[R1_TAIL_NORM_B].p;
    for (int64_t r = 0; r < x->rows; r++) {
        double sum = 0;
        for (int32_t c = 0; c < tail->cols; c++)
            sum += (double)r1_row(tail, r)[c] * r1_row(tail, r)[c];
        double inv = 1 / sqrt(sum / a->f[R1_TAIL_NORM_WIDTH] + a->f[R1_TAIL_NORM_EPS]);
        for (int32_t c = 0; c < x->cols; c++)
            r1_row(&a->v[R1_TAIL_NORM_Y], r)[c] = (float)(r1_row(x, r)[c] * inv + bias[c]);
    }
    return R1_OK;
}

static uint64_t tail_norm_flop(const r1_op_args *a)
{
    return 2u * (uint64_t)a->v[R1_TAIL_NORM_X].rows *
           (uint64_t)(a->v[R1_TAIL_NORM_X].cols + a->v[R1_TAIL_NORM_TAIL].cols);
}

static bool tail_norm_fits(const r1_op_args *a)
{
    const r1_view *x = &a->v[R1_TAIL_NORM_X];
    return r1_same_shape(x, &a->v[R1_TAIL_NORM_Y]) && a->v[R1_TAIL_NORM_TAIL].rows == x->rows &&
           a->v[R1_TAIL_NORM_B].cols == x->cols;
}

const r1_op_def r1_op_tail_norm = {
    .name = "tail_norm",
    .outputs = R1_SLOT(R1_TAIL_NORM_Y),
    .fits = tail_norm_fits,
    .forward = tail_norm_forward,
    .flop = tail_norm_flop,
};
