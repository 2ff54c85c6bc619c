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
    for (int64_t r = 0; r < a->v[0].rows; r++)
        for (int32_t c = 0; c < a->v[0].cols; c++) {
            double x = r1_row(&a->v[0], r)[c];
            r1_row(&a->v[1], r)[c] = (float)(a->i[0] == 0 ? act_gelu(x) : x > 0 ? x : 0);
        }
    return R1_OK;
}

static r1_status act_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    for (int64_t r = 0; r < a->v[0].rows; r++)
        for (int32_t c = 0; c < a->v[0].cols; c++) {
            double x = r1_row(&a->v[0], r)[c];
            double slope = a->i[0] == 0 ? gelu_slope(x) : x > 0 ? 1 : 0;
            r1_row(&a->g[0], r)[c] += (float)(slope * r1_row(&a->g[1], r)[c]);
        }
    return R1_OK;
}

static uint64_t act_flop(const r1_op_args *a)
{
    return 10u * (uint64_t)a->v[0].rows * (uint64_t)a->v[0].cols;
}

const r1_op_def r1_op_act = {"act", 1u << 1, 1u, act_forward, act_backward, act_flop};
