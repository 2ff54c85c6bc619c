/* SPDX-License-Identifier: Apache-2.0 */
/* ple.c - piecewise-linear encoding of numeric columns (Gorishniy, Rubachev, Babenko 2022), with
 * a slot for "missing". Bins come from quantiles of the training data and are not trained. */
#include "tensor/r1_op.h"

#include <math.h>

static void ple_encode(float x, const float *edge, int32_t n_bin, float *y)
{
    bool missing = isnan(x);
    for (int32_t t = 0; t < n_bin; t++) {
        float v = 0;
        if (!missing && x >= edge[t + 1])
            v = 1;
        else if (!missing && x >= edge[t])
            v = (x - edge[t]) / (edge[t + 1] - edge[t]);
        y[t] = v;
    }
    y[n_bin] = missing ? 1.0f : 0.0f;
}

static r1_status ple_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_PLE_X], *edge = &a->v[R1_PLE_EDGE], *y = &a->v[R1_PLE_Y];
    int32_t n_bin = edge->cols - 1;
    for (int64_t r = 0; r < x->rows; r++)
        for (int32_t c = 0; c < x->cols; c++)
            ple_encode(r1_row(x, r)[c], r1_row(edge, c), n_bin,
                       r1_row(y, r) + (int64_t)c * (n_bin + 1));
    return R1_OK;
}

static uint64_t ple_flop(const r1_op_args *a)
{
    return 2u * (uint64_t)a->v[R1_PLE_Y].rows * (uint64_t)a->v[R1_PLE_Y].cols;
}

static bool ple_fits(const r1_op_args *a)
{
    const r1_view *x = &a->v[R1_PLE_X], *edge = &a->v[R1_PLE_EDGE], *y = &a->v[R1_PLE_Y];
    return edge->rows == x->cols && edge->cols > 1 && y->rows == x->rows &&
           y->cols == x->cols * edge->cols;
}

const r1_op_def r1_op_ple = {
    .name = "ple",
    .outputs = R1_SLOT(R1_PLE_Y),
    .fits = ple_fits,
    .forward = ple_forward,
    .flop = ple_flop,
};
