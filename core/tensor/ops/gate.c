/* SPDX-License-Identifier: Apache-2.0 */
/* gate.c - y = x * sigmoid(g): what an attention's result is worth, by column (the output gate
 * of Qiu et al. 2025, a control of CAWA). */
#include "tensor/r1_op.h"

#include <math.h>

static double gate_sigmoid(double g) { return 1 / (1 + exp(-g)); }

static r1_status gate_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    for (int64_t r = 0; r < a->v[0].rows; r++)
        for (int32_t c = 0; c < a->v[0].cols; c++)
            r1_row(&a->v[2], r)[c] =
                (float)(r1_row(&a->v[0], r)[c] * gate_sigmoid(r1_row(&a->v[1], r)[c]));
    return R1_OK;
}

static r1_status gate_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    for (int64_t r = 0; r < a->v[0].rows; r++)
        for (int32_t c = 0; c < a->v[0].cols; c++) {
            double open = gate_sigmoid(r1_row(&a->v[1], r)[c]), gy = r1_row(&a->g[2], r)[c];
            if (a->g[0].p) r1_row(&a->g[0], r)[c] += (float)(gy * open);
            if (a->g[1].p)
                r1_row(&a->g[1], r)[c] += (float)(gy * r1_row(&a->v[0], r)[c] * open * (1 - open));
        }
    return R1_OK;
}

static uint64_t gate_flop(const r1_op_args *a)
{
    return 5u * (uint64_t)a->v[0].rows * (uint64_t)a->v[0].cols;
}

const r1_op_def r1_op_gate = {"gate", 1u << 2, 3u, gate_forward, gate_backward, gate_flop};
