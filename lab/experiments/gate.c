/* SPDX-License-Identifier: Apache-2.0 */
/* gate.c - see gate.h. It is built with the row helpers of core/cpu, so that the arm costs what
 * an op of the engine would. */
#include "experiments/gate.h"

#include "cpu/cpu_ops.h"

R1_INLINE void gate_sigmoid8(v8 *x)
{
    v8 e = -*x;
    v8_exp(&e);
    *x = 1.0f / (1.0f + e);
}

/* Of n columns at x, g; a row's end goes through a vector of its own. */
R1_CLONES static void gate_row(float *restrict y, const float *restrict x, const float *restrict g,
                               int32_t n)
{
    v8 v, open;
    for (int32_t c = 0; c < n; c += 8) {
        int32_t here = n - c < 8 ? n - c : 8;
        v8_load_part(&v, x + c, here, 0);
        v8_load_part(&open, g + c, here, 0);
        gate_sigmoid8(&open);
        v *= open;
        memcpy(y + c, &v, sizeof(float) * (size_t)here);
    }
}

R1_CLONES static void gate_back_row(const r1_op_args *a, int64_t r)
{
    const float *x = r1_row(&a->v[GATE_X], r), *g = r1_row(&a->v[GATE_G], r),
                *gy = r1_row(&a->g[GATE_Y], r);
    v8 v, open, to;
    for (int32_t c = 0, n = a->v[GATE_X].cols; c < n; c += 8) {
        int32_t here = n - c < 8 ? n - c : 8;
        v8_load_part(&v, gy + c, here, 0);
        v8_load_part(&open, g + c, here, 0);
        gate_sigmoid8(&open);
        v *= open;
        for (int32_t i = 0; a->g[GATE_X].p && i < here; i++)
            r1_row(&a->g[GATE_X], r)[c + i] += v[i];
        v8_load_part(&to, x + c, here, 0);
        v *= to * (1.0f - open);
        for (int32_t i = 0; a->g[GATE_G].p && i < here; i++)
            r1_row(&a->g[GATE_G], r)[c + i] += v[i];
    }
}

static r1_status gate_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    for (int64_t r = 0; r < a->v[GATE_X].rows; r++)
        gate_row(r1_row(&a->v[GATE_Y], r), r1_row(&a->v[GATE_X], r), r1_row(&a->v[GATE_G], r),
                 a->v[GATE_X].cols);
    return R1_OK;
}

static r1_status gate_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    for (int64_t r = 0; r < a->v[GATE_X].rows; r++) gate_back_row(a, r);
    return R1_OK;
}

const tape_op gate_op = {"gate", gate_forward, gate_backward};
