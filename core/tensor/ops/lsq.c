/* SPDX-License-Identifier: Apache-2.0 */
/* lsq.c - rounding to a learned step, as it trains (LSQ: Esser et al. 2020). With v = x / s and
 * L = limit:
 *
 *   y = s round(v) where |v| < L, else s L sign(v)
 *   dy/dx = 1, or 0 beyond the limit          dy/ds = round(v) - v, or L sign(v) beyond it
 *
 * Rounding itself counts as the identity, which leaves the rounding error as the step's slope: a
 * step that is too wide errs much, one too narrow clips. A step's gradient is a sum over all it
 * rounds; 1 / sqrt(C L) brings it to the size of a weight's. NaN counts as beyond. */
#include "tensor/r1_op.h"

#include <math.h>

static r1_status lsq_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_LSQ_X], *step = &a->v[R1_LSQ_STEP], *y = &a->v[R1_LSQ_Y];
    double limit = a->i[R1_LSQ_LIMIT];
    for (int64_t r = 0; r < x->rows; r++)
        for (int32_t c = 0; c < x->cols; c++) {
            double size = r1_row(step, r % step->rows)[0], v = r1_row(x, r)[c] / size;
            if (!isnan(v)) v = fabs(v) < limit ? nearbyint(v) : copysign(limit, v);
            r1_row(y, r)[c] = (float)(v * size);
        }
    return R1_OK;
}

static r1_status lsq_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_LSQ_X], *step = &a->v[R1_LSQ_STEP], *gx = &a->g[R1_LSQ_X],
                  *gs = &a->g[R1_LSQ_STEP], *gy = &a->g[R1_LSQ_Y];
    double limit = a->i[R1_LSQ_LIMIT], scale = 1 / sqrt(x->cols * limit);
    for (int64_t r = 0; r < x->rows; r++) {
        double sum = 0;
        for (int32_t c = 0; c < x->cols; c++) {
            double v = r1_row(x, r)[c] / (double)r1_row(step, r % step->rows)[0],
                   g = r1_row(gy, r)[c];
            bool inside = fabs(v) < limit;
            sum += g * (inside ? nearbyint(v) - v : copysign(limit, v));
            if (gx->p && inside) r1_row(gx, r)[c] += (float)g;
        }
        if (gs->p) r1_row(gs, r % step->rows)[0] += (float)(scale * sum);
    }
    return R1_OK;
}

/* Not counted: where a model serves, rounding is part of the product that follows (int8) or does
 * not happen (f32). */
static uint64_t lsq_flop(const r1_op_args *a)
{
    (void)a;
    return 0;
}

static bool lsq_fits(const r1_op_args *a)
{
    const r1_view *x = &a->v[R1_LSQ_X], *step = &a->v[R1_LSQ_STEP];
    return r1_same_shape(x, &a->v[R1_LSQ_Y]) && step->cols == 1 && step->rows > 0 &&
           a->i[R1_LSQ_LIMIT] > 0;
}

const r1_op_def r1_op_lsq = {
    .name = "lsq",
    .outputs = R1_SLOT(R1_LSQ_Y),
    .grads = R1_SLOT(R1_LSQ_X) | R1_SLOT(R1_LSQ_STEP),
    .fits = lsq_fits,
    .forward = lsq_forward,
    .backward = lsq_backward,
    .flop = lsq_flop,
};
