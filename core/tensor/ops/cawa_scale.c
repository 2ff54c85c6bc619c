/* SPDX-License-Identifier: Apache-2.0 */
/* cawa_scale.c - context-aware weight adaptation, folded into the query. The length factor and the
 * context factor belong to a query and a head, so the attention's inner loop never sees them:
 *
 *     q' = q / sqrt(dh) * a_h log(max(n, 2)) * (1 + beta tanh m_ih)
 *
 * a_h is LENGTH, n is COUNT, m_ih is CONTEXT. */
#include "tensor/r1_op.h"

#include <math.h>

typedef struct {
    double length, context; /* the two factors; 1 where switched off */
} factors;

static double cawa_scale_log_count(const r1_op_args *a, int64_t r)
{
    int32_t n = r1_ints(&a->v[R1_CAWA_SCALE_COUNT])[r];
    return log(n > 2 ? n : 2);
}

static factors cawa_scale_at(const r1_op_args *a, int64_t r, int32_t h)
{
    const r1_view *context = &a->v[R1_CAWA_SCALE_CONTEXT], *length = &a->v[R1_CAWA_SCALE_LENGTH];
    factors f = {1, 1};
    if (length->p) f.length = r1_row(length, 0)[h] * cawa_scale_log_count(a, r);
    if (context->p) f.context = 1 + (double)a->f[R1_CAWA_SCALE_BETA] * tanh(r1_row(context, r)[h]);
    return f;
}

static r1_status cawa_scale_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *q = &a->v[R1_CAWA_SCALE_Q], *y = &a->v[R1_CAWA_SCALE_Y];
    int32_t heads = a->i[R1_CAWA_SCALE_HEADS], dh = q->cols / heads;
    float scale = a->f[R1_CAWA_SCALE_SCALE];
    for (int64_t r = 0; r < q->rows; r++)
        for (int32_t h = 0; h < heads; h++) {
            factors f = cawa_scale_at(a, r, h);
            for (int32_t c = h * dh; c < (h + 1) * dh; c++)
                r1_row(y, r)[c] = (float)(r1_row(q, r)[c] * scale * f.length * f.context);
        }
    return R1_OK;
}

static void cawa_scale_backward_head(const r1_op_args *a, int64_t r, int32_t h)
{
    const r1_view *context = &a->v[R1_CAWA_SCALE_CONTEXT], *gq = &a->g[R1_CAWA_SCALE_Q],
                  *gcontext = &a->g[R1_CAWA_SCALE_CONTEXT], *glength = &a->g[R1_CAWA_SCALE_LENGTH];
    int32_t dh = a->v[R1_CAWA_SCALE_Q].cols / a->i[R1_CAWA_SCALE_HEADS];
    const float *q = r1_row(&a->v[R1_CAWA_SCALE_Q], r), *gy = r1_row(&a->g[R1_CAWA_SCALE_Y], r);
    float scale = a->f[R1_CAWA_SCALE_SCALE];
    factors f = cawa_scale_at(a, r, h);
    double dot = 0; /* sum of gy q / sqrt(dh): the gradient of the product of the two factors */
    for (int32_t c = h * dh; c < (h + 1) * dh; c++) {
        dot += (double)gy[c] * q[c] * scale;
        if (gq->p) r1_row(gq, r)[c] += (float)(gy[c] * scale * f.length * f.context);
    }
    if (a->v[R1_CAWA_SCALE_LENGTH].p && glength->p)
        r1_row(glength, 0)[h] += (float)(dot * f.context * cawa_scale_log_count(a, r));
    if (context->p && gcontext->p) {
        double t = tanh(r1_row(context, r)[h]);
        r1_row(gcontext, r)[h] += (float)(dot * f.length * a->f[R1_CAWA_SCALE_BETA] * (1 - t * t));
    }
}

static r1_status cawa_scale_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    for (int64_t r = 0; r < a->v[R1_CAWA_SCALE_Q].rows; r++)
        for (int32_t h = 0; h < a->i[R1_CAWA_SCALE_HEADS]; h++) cawa_scale_backward_head(a, r, h);
    return R1_OK;
}

static uint64_t cawa_scale_flop(const r1_op_args *a)
{
    return (uint64_t)a->v[R1_CAWA_SCALE_Q].rows *
           ((uint64_t)a->v[R1_CAWA_SCALE_Q].cols + 8u * (uint64_t)a->i[R1_CAWA_SCALE_HEADS]);
}

static bool cawa_scale_fits(const r1_op_args *a)
{
    const r1_view *q = &a->v[R1_CAWA_SCALE_Q], *context = &a->v[R1_CAWA_SCALE_CONTEXT],
                  *length = &a->v[R1_CAWA_SCALE_LENGTH];
    int32_t heads = a->i[R1_CAWA_SCALE_HEADS];
    return heads > 0 && q->cols % heads == 0 && r1_same_shape(q, &a->v[R1_CAWA_SCALE_Y]) &&
           (!context->p || (context->rows == q->rows && context->cols == heads)) &&
           (!length->p || (length->cols == heads && a->v[R1_CAWA_SCALE_COUNT].cols == q->rows));
}

const r1_op_def r1_op_cawa_scale = {
    .name = "cawa_scale",
    .outputs = R1_SLOT(R1_CAWA_SCALE_Y),
    .grads =
        R1_SLOT(R1_CAWA_SCALE_Q) | R1_SLOT(R1_CAWA_SCALE_CONTEXT) | R1_SLOT(R1_CAWA_SCALE_LENGTH),
    .fits = cawa_scale_fits,
    .forward = cawa_scale_forward,
    .backward = cawa_scale_backward,
    .flop = cawa_scale_flop,
};
