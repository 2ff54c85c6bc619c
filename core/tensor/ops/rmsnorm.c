/* SPDX-License-Identifier: Apache-2.0 */
/* rmsnorm.c - root mean square normalisation (Zhang and Sennrich 2019). */
#include "tensor/r1_op.h"

#include <math.h>

static double rmsnorm_inverse_rms(const float *x, int32_t n, double eps)
{
    double sum = 0;
    for (int32_t c = 0; c < n; c++) sum += (double)x[c] * x[c];
    return 1 / sqrt(sum / n + eps);
}

static r1_status rmsnorm_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_RMSNORM_X];
    const float *gain = a->v[R1_RMSNORM_GAIN].p;
    for (int64_t r = 0; r < x->rows; r++) {
        double inv = rmsnorm_inverse_rms(r1_row(x, r), x->cols, a->f[R1_RMSNORM_EPS]);
        for (int32_t c = 0; c < x->cols; c++)
            r1_row(&a->v[R1_RMSNORM_Y], r)[c] = (float)(r1_row(x, r)[c] * inv * gain[c]);
    }
    return R1_OK;
}

/* y_c = x_c s g_c with s = (mean x^2 + eps)^-1/2, so dx_c = s g_c dy_c - x_c s^3 / n * sum_j
 * dy_j g_j x_j. */
static r1_status rmsnorm_backward(r1_stream *st, const r1_op_args *a, r1_err *err)
{
    (void)st, (void)err;
    const r1_view *xv = &a->v[R1_RMSNORM_X];
    const float *gain = a->v[R1_RMSNORM_GAIN].p;
    float *ggain = a->g[R1_RMSNORM_GAIN].p;
    for (int64_t r = 0; r < xv->rows; r++) {
        const float *x = r1_row(xv, r), *gy = r1_row(&a->g[R1_RMSNORM_Y], r);
        double s = rmsnorm_inverse_rms(x, xv->cols, a->f[R1_RMSNORM_EPS]), dot = 0;
        for (int32_t c = 0; c < xv->cols; c++) dot += (double)gy[c] * gain[c] * x[c];
        for (int32_t c = 0; c < xv->cols; c++) {
            if (a->g[R1_RMSNORM_X].p)
                r1_row(&a->g[R1_RMSNORM_X], r)[c] +=
                    (float)(s * gain[c] * gy[c] - x[c] * s * s * s / xv->cols * dot);
            if (ggain) ggain[c] += (float)(gy[c] * x[c] * s);
        }
    }
    return R1_OK;
}

static uint64_t rmsnorm_flop(const r1_op_args *a)
{
    return 4u * (uint64_t)a->v[R1_RMSNORM_X].rows * (uint64_t)a->v[R1_RMSNORM_X].cols;
}

static bool rmsnorm_fits(const r1_op_args *a)
{
    const r1_view *x = &a->v[R1_RMSNORM_X];
    return r1_same_shape(x, &a->v[R1_RMSNORM_Y]) && a->v[R1_RMSNORM_GAIN].cols == x->cols;
}

const r1_op_def r1_op_rmsnorm = {
    .name = "rmsnorm",
    .outputs = R1_SLOT(R1_RMSNORM_Y),
    .grads = R1_SLOT(R1_RMSNORM_X) | R1_SLOT(R1_RMSNORM_GAIN),
    .fits = rmsnorm_fits,
    .forward = rmsnorm_forward,
    .backward = rmsnorm_backward,
    .flop = rmsnorm_flop,
};
