/* SPDX-License-Identifier: Apache-2.0 */
/* linear.c - y = x w' + b: every matrix product of the model. */
#include "tensor/r1_op.h"

static r1_status linear_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[0], *w = &a->v[1], *b = &a->v[2], *y = &a->v[3];
    for (int64_t m = 0; m < x->rows; m++)
        for (int64_t n = 0; n < w->rows; n++) {
            double sum = b->p ? r1_row(b, 0)[n] : 0.0;
            for (int32_t k = 0; k < x->cols; k++) sum += (double)r1_row(x, m)[k] * r1_row(w, n)[k];
            r1_row(y, m)[n] = (float)sum;
        }
    return R1_OK;
}

static void backward_input(const r1_op_args *a)
{
    const r1_view *w = &a->v[1], *gx = &a->g[0], *gy = &a->g[3];
    for (int64_t m = 0; m < gx->rows; m++)
        for (int32_t k = 0; k < gx->cols; k++) {
            double sum = 0;
            for (int64_t n = 0; n < w->rows; n++) sum += (double)r1_row(gy, m)[n] * r1_row(w, n)[k];
            r1_row(gx, m)[k] += (float)sum;
        }
}

static void backward_weight(const r1_op_args *a)
{
    const r1_view *x = &a->v[0], *gw = &a->g[1], *gy = &a->g[3];
    for (int64_t n = 0; n < gw->rows; n++)
        for (int32_t k = 0; k < gw->cols; k++) {
            double sum = 0;
            for (int64_t m = 0; m < x->rows; m++) sum += (double)r1_row(gy, m)[n] * r1_row(x, m)[k];
            r1_row(gw, n)[k] += (float)sum;
        }
}

static r1_status linear_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *gb = &a->g[2], *gy = &a->g[3];
    if (a->g[0].p) backward_input(a);
    if (a->g[1].p) backward_weight(a);
    for (int32_t n = 0; gb->p && n < gb->cols; n++) {
        double sum = 0;
        for (int64_t m = 0; m < a->v[0].rows; m++) sum += r1_row(gy, m)[n];
        r1_row(gb, 0)[n] += (float)sum;
    }
    return R1_OK;
}

static uint64_t linear_flop(const r1_op_args *a)
{
    return 2u * (uint64_t)a->v[0].rows * (uint64_t)a->v[0].cols * (uint64_t)a->v[1].rows;
}

const r1_op_def r1_op_linear = {"linear",       1u << 3,         7u,
                                linear_forward, linear_backward, linear_flop};
