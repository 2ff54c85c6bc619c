/* SPDX-License-Identifier: Apache-2.0 */
/* standard.c - features of nodes and edges brought to mean 0 and spread 1 of the training data,
 * clipped; NaN gives 0. */
#include "tensor/r1_op.h"

#include <math.h>

static r1_status standard_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_STANDARD_X], *y = &a->v[R1_STANDARD_Y];
    const float *mean = a->v[R1_STANDARD_MEAN].p, *rstd = a->v[R1_STANDARD_RSTD].p,
                clip = a->f[R1_STANDARD_CLIP];
    for (int64_t r = 0; r < x->rows; r++)
        for (int32_t c = 0; c < x->cols; c++) {
            float z = (r1_row(x, r)[c] - mean[c]) * rstd[c];
            if (isnan(z)) z = 0;
            r1_row(y, r)[c] = z > clip ? clip : z < -clip ? -clip : z;
        }
    return R1_OK;
}

static uint64_t standard_flop(const r1_op_args *a)
{
    return 2u * (uint64_t)a->v[R1_STANDARD_X].rows * (uint64_t)a->v[R1_STANDARD_X].cols;
}

static bool standard_fits(const r1_op_args *a)
{
    const r1_view *x = &a->v[R1_STANDARD_X];
    return r1_same_shape(x, &a->v[R1_STANDARD_Y]) && a->v[R1_STANDARD_MEAN].cols == x->cols &&
           a->v[R1_STANDARD_RSTD].cols == x->cols;
}

const r1_op_def r1_op_standard = {
    .name = "standard",
    .outputs = R1_SLOT(R1_STANDARD_Y),
    .fits = standard_fits,
    .forward = standard_forward,
    .flop = standard_flop,
};
