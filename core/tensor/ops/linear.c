/* SPDX-License-Identifier: Apache-2.0 */
/* linear.c - y = x w' + b: every matrix product of the model. */
#include "tensor/r1_op.h"

static r1_status linear_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_LINEAR_X], *w = &a->v[R1_LINEAR_W], *b = &a->v[R1_LINEAR_B],
                  *y = &a->v[R1_LINEAR_Y];
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
    const r1_view *w = &a->v[R1_LINEAR_W], *gx = &a->g[R1_LINEAR_X], *gy = &a->g[R1_LINEAR_Y];
    for (int64_t m = 0; m < gx->rows; m++)
        for (int32_t k = 0; k < gx->cols; k++) {
            double sum = 0;
            for (int64_t n = 0; n < w->rows; n++) sum += (double)r1_row(gy, m)[n] * r1_row(w, n)[k];
            r1_row(gx, m)[k] += (float)sum;
        }
}

static void backward_weight(const r1_op_args *a)
{
    const r1_view *x = &a->v[R1_LINEAR_X], *gw = &a->g[R1_LINEAR_W], *gy = &a->g[R1_LINEAR_Y];
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
    const r1_view *gb = &a->g[R1_LINEAR_B], *gy = &a->g[R1_LINEAR_Y];
    if (a->g[R1_LINEAR_X].p) backward_input(a);
    if (a->g[R1_LINEAR_W].p) backward_weight(a);
    for (int32_t n = 0; gb->p && n < gb->cols; n++) {
        double sum = 0;
        for (int64_t m = 0; m < a->v[R1_LINEAR_X].rows; m++) sum += r1_row(gy, m)[n];
        r1_row(gb, 0)[n] += (float)sum;
    }
    return R1_OK;
}

static uint64_t linear_flop(const r1_op_args *a)
{
    return 2u * (uint64_t)a->v[R1_LINEAR_X].rows * (uint64_t)a->v[R1_LINEAR_X].cols *
           (uint64_t)a->v[R1_LINEAR_W].rows;
}

/* Rows of the weight are columns of the result. */
static bool linear_fits(const r1_op_args *a)
{
    const r1_view *x = &a->v[R1_LINEAR_X], *w = &a->v[R1_LINEAR_W], *b = &a->v[R1_LINEAR_B],
                  *y = &a->v[R1_LINEAR_Y];
    return x->cols == w->cols && y->rows == x->rows && y->cols == w->rows &&
           (!b->p || b->cols == w->rows);
}

const r1_op_def r1_op_linear = {
    .name = "linear",
    .outputs = R1_SLOT(R1_LINEAR_Y),
    .grads = R1_SLOT(R1_LINEAR_X) | R1_SLOT(R1_LINEAR_W) | R1_SLOT(R1_LINEAR_B),
    .fits = linear_fits,
    .forward = linear_forward,
    .backward = linear_backward,
    .flop = linear_flop,
};
