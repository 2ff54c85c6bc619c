/* SPDX-License-Identifier: Apache-2.0 */
/* act.c - GELU in its tanh form (Hendrycks and Gimpel 2016), ReLU. */
#include "tensor/r1_op.h"

#include <math.h>

#define GELU_A 0.7978845608028654 /* sqrt(2 / pi) */
#define GELU_B 0.044715

static double act_gelu(double x) { return 0.5 * x * (1 + tanh(GELU_A * (x + GELU_B * x * x * x))); }

static double gelu_slope(double x)
{
    double t = tanh(GELU_A * (x + GELU_B * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * GELU_A * (1 + 3 * GELU_B * x * x);
}

static r1_status act_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_ACT_X], *y = &a->v[R1_ACT_Y];
    bool gelu = a->i[R1_ACT_KIND] == R1_ACT_GELU;
    for (int64_t r = 0; r < x->rows; r++)
        for (int32_t c = 0; c < x->cols; c++) {
            double v = r1_row(x, r)[c];
            r1_row(y, r)[c] = (float)(gelu ? act_gelu(v) : v > 0 ? v : 0);
        }
    return R1_OK;
}

static r1_status act_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_ACT_X], *gx = &a->g[R1_ACT_X], *gy = &a->g[R1_ACT_Y];
    bool gelu = a->i[R1_ACT_KIND] == R1_ACT_GELU;
    for (int64_t r = 0; r < x->rows; r++)
        for (int32_t c = 0; c < x->cols; c++) {
            double v = r1_row(x, r)[c], slope = gelu ? gelu_slope(v) : v > 0 ? 1 : 0;
            r1_row(gx, r)[c] += (float)(slope * r1_row(gy, r)[c]);
        }
    return R1_OK;
}

static uint64_t act_flop(const r1_op_args *a)
{
    return 10u * (uint64_t)a->v[R1_ACT_X].rows * (uint64_t)a->v[R1_ACT_X].cols;
}

static bool act_fits(const r1_op_args *a)
{
    int32_t kind = a->i[R1_ACT_KIND];
    return r1_same_shape(&a->v[R1_ACT_X], &a->v[R1_ACT_Y]) &&
           (kind == R1_ACT_GELU || kind == R1_ACT_RELU);
}

const r1_op_def r1_op_act = {
    .name = "act",
    .outputs = R1_SLOT(R1_ACT_Y),
    .grads = R1_SLOT(R1_ACT_X),
    .fits = act_fits,
    .forward = act_forward,
    .backward = act_backward,
    .flop = act_flop,
};
