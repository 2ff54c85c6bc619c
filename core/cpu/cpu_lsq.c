/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_lsq.c - rounding to learned steps as it trains, eight values at once;
 * core/tensor/ops/lsq.c says what it computes. */
#include "cpu/cpu_ops.h"

#include <math.h>

#define V8(f) ((v8){f, f, f, f, f, f, f, f})

/* *v is x / step. *whole: it, rounded and brought within the limit; *inside: where it was within.
 * The sum with 1.5 * 2^23 is a whole number. */
R1_INLINE void lsq_round8(v8 *whole, v8 *v, v8i *inside, float limit)
{
    const v8 high = V8(limit), low = -high;
    v8i over = *v >= high, under = *v <= low;
    *inside = (*v < high) & (*v > low);
    *whole = (*v + 12582912.0f) - 12582912.0f;
    v8_select(whole, &over, &high, whole);
    v8_select(whole, &under, &low, whole);
}

R1_INLINE void load_some(v8 *v, const float *p, int32_t n)
{
    if (n >= 8)
        v8_load(v, p);
    else
        v8_load_part(v, p, n, 0);
}

R1_CLONES static void round_row(float *restrict y, const float *restrict x, float step, float limit,
                                int32_t n)
{
    v8 v, whole;
    v8i inside;
    float inverse = 1 / step;
    for (int32_t c = 0; c < n; c += 8) {
        load_some(&v, x + c, n - c);
        v *= inverse;
        lsq_round8(&whole, &v, &inside, limit);
        whole *= step;
        memcpy(y + c, &whole, n - c < 8 ? sizeof(float) * (size_t)(n - c) : sizeof whole);
    }
}

/* gx (NULL: not wanted) gets gy where x was within the limit; the sum of gy times the step's
 * slope. */
R1_CLONES static float back_row(float *restrict gx, const float *restrict x,
                                const float *restrict gy, float step, float limit, int32_t n)
{
    v8 v, whole, g, old, sum = V8(0);
    v8i inside;
    float inverse = 1 / step;
    for (int32_t c = 0; c < n; c += 8) {
        load_some(&v, x + c, n - c);
        load_some(&g, gy + c, n - c);
        v *= inverse;
        lsq_round8(&whole, &v, &inside, limit);
        sum += g * (whole - (v8)((v8i)v & inside));
        if (!gx) continue;
        load_some(&old, gx + c, n - c);
        old += (v8)((v8i)g & inside);
        memcpy(gx + c, &old, n - c < 8 ? sizeof(float) * (size_t)(n - c) : sizeof old);
    }
    return v8_sum(&sum);
}

r1_status r1_cpu_lsq_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_LSQ_X], *step = &a->v[R1_LSQ_STEP];
    for (int64_t r = 0; r < x->rows; r++)
        round_row(r1_row(&a->v[R1_LSQ_Y], r), r1_row(x, r), r1_row(step, r % step->rows)[0],
                  (float)a->i[R1_LSQ_LIMIT], x->cols);
    return R1_OK;
}

r1_status r1_cpu_lsq_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_LSQ_X], *step = &a->v[R1_LSQ_STEP], *gx = &a->g[R1_LSQ_X],
                  *gs = &a->g[R1_LSQ_STEP];
    float limit = (float)a->i[R1_LSQ_LIMIT], scale = 1 / sqrtf((float)x->cols * limit);
    for (int64_t r = 0; r < x->rows; r++) {
        float slope =
            back_row(gx->p ? r1_row(gx, r) : NULL, r1_row(x, r), r1_row(&a->g[R1_LSQ_Y], r),
                     r1_row(step, r % step->rows)[0], limit, x->cols);
        if (gs->p) r1_row(gs, r % step->rows)[0] += scale * slope;
    }
    return R1_OK;
}
