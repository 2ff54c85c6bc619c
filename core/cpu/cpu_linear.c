/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_linear.c - the linear op: forward by our own products (cpu_product.h says why;
 * cpu_int8.h), gradients by oneDNN. Sums of a gradient run over all rows of a batch, so nothing
 * is promised about single rows there. */
#include "cpu/cpu_int8.h"
#include "cpu/cpu_ops.h"
#include "cpu/cpu_product.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>

static r1_status linear_check(dnnl_status_t st, const char *what, r1_err *err)
{
    if (st == dnnl_success) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "oneDNN refuses the %s of a linear op (status %d)", what, (int)st);
}

r1_status r1_cpu_linear_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    if (a->packed && a->packed_as == R1_I8)
        r1_cpu_int8_product(&a->v[R1_LINEAR_X], a->packed, a->v[R1_LINEAR_B].p, &a->v[R1_LINEAR_Y]);
    else
        r1_cpu_product(&a->v[R1_LINEAR_X], &a->v[R1_LINEAR_W], a->packed, a->v[R1_LINEAR_B].p,
                       &a->v[R1_LINEAR_Y]);
    return R1_OK;
}

/* to += the sum of the rows, row after row. */
R1_CLONES static void sum_rows(float *restrict to, const r1_view *from)
{
    for (int64_t m = 0; m < from->rows; m++) {
        const float *row = r1_row(from, m);
        for (int32_t n = 0; n < from->cols; n++) to[n] += row[n];
    }
}

r1_status r1_cpu_linear_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s;
    const r1_view *x = &a->v[R1_LINEAR_X], *w = &a->v[R1_LINEAR_W], *gx = &a->g[R1_LINEAR_X],
                  *gw = &a->g[R1_LINEAR_W], *gb = &a->g[R1_LINEAR_B], *gy = &a->g[R1_LINEAR_Y];
    if (gy->rows <= 0) return R1_OK;
    omp_set_num_threads(1); /* of this thread: slices and sessions are the units of parallelism */
    if (gx->p)
        R1_TRY(linear_check(dnnl_sgemm('N', 'N', gy->rows, gx->cols, gy->cols, 1.0f, gy->p, gy->ld,
                                       w->p, w->ld, 1.0f, gx->p, gx->ld),
                            "gradient of the input", err));
    if (gw->p)
        R1_TRY(linear_check(dnnl_sgemm('T', 'N', gw->rows, gw->cols, gy->rows, 1.0f, gy->p, gy->ld,
                                       x->p, x->ld, 1.0f, gw->p, gw->ld),
                            "gradient of the weight", err));
    if (gb->p) sum_rows(gb->p, gy);
    return R1_OK;
}
