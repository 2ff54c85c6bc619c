/* SPDX-License-Identifier: Apache-2.0 */
/* cawa_scale.c - context-aware weight adaptation folded into the query: both factors are per
 * query and head, so the attention's inner loop never sees them. q' = q / sqrt(dh) * a_h
 * log(max(n, 2)) * (1 + beta tanh m_ih). */
#include "tensor/r1_op.h"

#include <math.h>

typedef struct {
    double length, context; /* the two factors; 1 where switched off */
} factors;

static double cawa_scale_log_count(const r1_op_args *a, int64_t r)
{
    int32_t n = r1_ints(&a->v[3])[r];
    return log(n > 2 ? n : 2);
}

static factors cawa_scale_at(const r1_op_args *a, int64_t r, int32_t h)
{
    factors f = {1, 1};
    if (a->v[2].p) f.length = r1_row(&a->v[2], 0)[h] * cawa_scale_log_count(a, r);
    if (a->v[1].p) f.context = 1 + (double)a->f[0] * tanh(r1_row(&a->v[1], r)[h]);
    return f;
}

static r1_status cawa_scale_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    int32_t dh = a->v[0].cols / a->i[0];
    for (int64_t r = 0; r < a->v[0].rows; r++)
        for (int32_t h = 0; h < a->i[0]; h++) {
            factors f = cawa_scale_at(a, r, h);
            for (int32_t c = h * dh; c < (h + 1) * dh; c++)
                r1_row(&a->v[4], r)[c] =
                    (float)(r1_row(&a->v[0], r)[c] * a->f[1] * f.length * f.context);
        }
    return R1_OK;
}

static void cawa_scale_backward_head(const r1_op_args *a, int64_t r, int32_t h)
{
    int32_t dh = a->v[0].cols / a->i[0];
    const float *q = r1_row(&a->v[0], r), *gy = r1_row(&a->g[4], r);
    factors f = cawa_scale_at(a, r, h);
    double dot = 0; /* sum of gy q / sqrt(dh): the gradient of the product of the two factors */
    for (int32_t c = h * dh; c < (h + 1) * dh; c++) {
        dot += (double)gy[c] * q[c] * a->f[1];
        if (a->g[0].p) r1_row(&a->g[0], r)[c] += (float)(gy[c] * a->f[1] * f.length * f.context);
    }
    if (a->v[2].p && a->g[2].p)
        r1_row(&a->g[2], 0)[h] += (float)(dot * f.context * cawa_scale_log_count(a, r));
    if (a->v[1].p && a->g[1].p) {
        double t = tanh(r1_row(&a->v[1], r)[h]);
        r1_row(&a->g[1], r)[h] += (float)(dot * f.length * a->f[0] * (1 - t * t));
    }
}

static r1_status cawa_scale_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    for (int64_t r = 0; r < a->v[0].rows; r++)
        for (int32_t h = 0; h < a->i[0]; h++) cawa_scale_backward_head(a, r, h);
    return R1_OK;
}

static uint64_t cawa_scale_flop(const r1_op_args *a)
{
    return (uint64_t)a->v[0].rows * ((uint64_t)a->v[0].cols + 8u * (uint64_t)a->i[0]);
}

const r1_op_def r1_op_cawa_scale = {"cawa_scale",        1u << 4,        7u, cawa_scale_forward,
                                    cawa_scale_backward, cawa_scale_flop};
