/* SPDX-License-Identifier: Apache-2.0 */
/* add.c - residual sums, and position rows that repeat (b has S rows, row r takes r mod S). */
#include "tensor/r1_op.h"

static r1_status add_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_ADD_A], *b = &a->v[R1_ADD_B], *y = &a->v[R1_ADD_Y];
    for (int64_t r = 0; r < x->rows; r++) {
        const float *xr = r1_row(x, r), *br = r1_row(b, r % b->rows);
        float *yr = r1_row(y, r);
        for (int32_t c = 0; c < x->cols; c++) yr[c] = xr[c] + br[c];
    }
    return R1_OK;
}

static r1_status add_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *gx = &a->g[R1_ADD_A], *gb = &a->g[R1_ADD_B], *gy = &a->g[R1_ADD_Y];
    for (int64_t r = 0; r < gy->rows; r++)
        for (int32_t c = 0; c < gy->cols; c++) {
            if (gx->p) r1_row(gx, r)[c] += r1_row(gy, r)[c];
            if (gb->p) r1_row(gb, r % gb->rows)[c] += r1_row(gy, r)[c];
        }
    return R1_OK;
}

static uint64_t add_op_flop(const r1_op_args *a)
{
    return (uint64_t)a->v[R1_ADD_A].rows * (uint64_t)a->v[R1_ADD_A].cols;
}

static bool add_fits(const r1_op_args *a)
{
    const r1_view *x = &a->v[R1_ADD_A], *b = &a->v[R1_ADD_B], *y = &a->v[R1_ADD_Y];
    return r1_same_shape(x, y) && b->cols == x->cols && (b->rows > 0 || x->rows == 0);
}

const r1_op_def r1_op_add = {
    .name = "add",
    .outputs = R1_SLOT(R1_ADD_Y),
    .grads = R1_SLOT(R1_ADD_A) | R1_SLOT(R1_ADD_B),
    .fits = add_fits,
    .forward = add_forward,
    .backward = add_backward,
    .flop = add_op_flop,
};
