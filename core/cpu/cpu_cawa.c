/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_cawa.c - CAWA_SCALE in f32: the context factors of a few rows at once, as one array, then
 * the query's columns; and CAUSAL_MEAN, which makes their argument. */
#include "cpu/cpu_ops.h"

#include <math.h>
#include <pthread.h>

enum { COUNTS = 4096, FACTORS = 512 };

static float logs[COUNTS]; /* of max(n, 2) */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill_logs(void)
{
    for (int32_t n = 0; n < COUNTS; n++) logs[n] = logf(n > 2 ? (float)n : 2);
}

R1_INLINE float cawa_log_count(const r1_op_args *a, int64_t r)
{
    int32_t n = r1_ints(&a->v[3])[r];
    return n < 0 ? logs[0] : n < COUNTS ? logs[n] : logf((float)n);
}

/* tanh m of rows r0..r0 + n, [row][head]. */
R1_INLINE void context_of(const r1_op_args *a, int64_t r0, int32_t n, float *t)
{
    int32_t heads = a->i[0];
    v8 v;
    for (int32_t r = 0, k = 0; r < n; r++)
        for (int32_t h = 0; h < heads; h++) t[k++] = r1_row(&a->v[1], r0 + r)[h];
    for (int32_t k = n * heads; k % 8; k++) t[k] = 0;
    for (int32_t k = 0; k < n * heads; k += 8) {
        v8_load(&v, t + k);
        v8_tanh(&v);
        v8_store(t + k, &v);
    }
}

R1_INLINE void cawa_times(float *y, const float *x, float by, int32_t n)
{
    v8 v;
    int32_t c = 0;
    for (; c + 8 <= n; c += 8) {
        v8_load(&v, x + c);
        v *= by;
        v8_store(y + c, &v);
    }
    for (; c < n; c++) y[c] = x[c] * by;
}

R1_CLONES static void forward_rows(const r1_op_args *a, int64_t r0, int32_t n)
{
    float t[FACTORS];
    int32_t heads = a->i[0], dh = a->v[0].cols / heads;
    if (a->v[1].p) context_of(a, r0, n, t);
    for (int32_t r = 0; r < n; r++) {
        float *y = r1_row(&a->v[4], r0 + r),
              length = a->v[2].p ? a->f[1] * cawa_log_count(a, r0 + r) : a->f[1];
        const float *q = r1_row(&a->v[0], r0 + r), *by_head = a->v[2].p;
        for (int32_t h = 0; h < heads; h++) {
            float by = a->v[2].p ? length * by_head[h] : length;
            if (a->v[1].p) by *= 1 + a->f[0] * t[r * heads + h];
            cawa_times(y + h * dh, q + h * dh, by, dh);
        }
    }
}

R1_CLONES static void backward_rows(const r1_op_args *a, int64_t r0, int32_t n)
{
    float t[FACTORS];
    int32_t heads = a->i[0], dh = a->v[0].cols / heads;
    if (a->v[1].p) context_of(a, r0, n, t);
    for (int32_t r = 0; r < n; r++)
        for (int32_t h = 0; h < heads; h++) {
            const float *gy = r1_row(&a->g[4], r0 + r) + h * dh,
                        *q = r1_row(&a->v[0], r0 + r) + h * dh;
            float now = a->v[1].p ? t[r * heads + h] : 0, context = 1 + a->f[0] * now;
            float log_n = a->v[2].p ? cawa_log_count(a, r0 + r) : 1,
                  length = a->v[2].p ? r1_row(&a->v[2], 0)[h] * log_n : 1;
            float dot =
                v8_dot(gy, q, dh) * a->f[1]; /* the gradient of the product of the two factors */
            if (a->g[0].p)
                v8_add_scaled(r1_row(&a->g[0], r0 + r) + h * dh, gy, a->f[1] * length * context,
                              dh);
            if (a->v[2].p && a->g[2].p) r1_row(&a->g[2], 0)[h] += dot * context * log_n;
            if (a->v[1].p && a->g[1].p)
                r1_row(&a->g[1], r0 + r)[h] += dot * length * a->f[0] * (1 - now * now);
        }
}

static r1_status by_rows(const r1_op_args *a, void (*fn)(const r1_op_args *, int64_t, int32_t),
                         r1_err *err)
{
    int32_t step = FACTORS / a->i[0];
    pthread_once(&once, fill_logs);
    if (step < 1)
        R1_FAIL(err, R1_E_INVAL, "cawa_scale: expected at most %d heads, found %d", FACTORS,
                a->i[0]);
    for (int64_t r = 0; r < a->v[0].rows; r += step)
        fn(a, r, a->v[0].rows - r < step ? (int32_t)(a->v[0].rows - r) : step);
    return R1_OK;
}

r1_status r1_cpu_cawa_scale_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s;
    return by_rows(a, forward_rows, err);
}

r1_status r1_cpu_cawa_scale_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s;
    return by_rows(a, backward_rows, err);
}

/* ---- causal mean ---- */

enum { COLUMNS = 256 }; /* at a time: their sums stay in the first-level cache */

R1_CLONES static void mean_segment(const r1_view *x, const r1_view *y, int32_t from, int32_t to,
                                   int32_t c0, int32_t n)
{
    float sum[COLUMNS] = {0};
    for (int32_t r = from; r < to; r++) {
        v8_add_scaled(sum, r1_row(x, r) + c0, 1, n);
        cawa_times(r1_row(y, r) + c0, sum, 1 / (float)(r - from + 1), n);
    }
}

/* From the last row back: each row's gradient, over its count, reaches itself and all before it. */
R1_CLONES static void mean_segment_back(const r1_view *gx, const r1_view *gy, int32_t from,
                                        int32_t to, int32_t c0, int32_t n)
{
    float sum[COLUMNS] = {0};
    for (int32_t r = to; r-- > from;) {
        v8_add_scaled(sum, r1_row(gy, r) + c0, 1 / (float)(r - from + 1), n);
        v8_add_scaled(r1_row(gx, r) + c0, sum, 1, n);
    }
}

static void by_segment(const r1_op_args *a, const r1_view *x, const r1_view *y,
                       void (*fn)(const r1_view *, const r1_view *, int32_t, int32_t, int32_t,
                                  int32_t))
{
    const int32_t *off = r1_ints(&a->v[1]);
    for (int32_t s = 0; s + 1 < a->v[1].cols; s++)
        for (int32_t c = 0; c < x->cols; c += COLUMNS)
            fn(x, y, off[s], off[s + 1], c, x->cols - c < COLUMNS ? x->cols - c : COLUMNS);
}

r1_status r1_cpu_causal_mean_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    by_segment(a, &a->v[0], &a->v[2], mean_segment);
    return R1_OK;
}

r1_status r1_cpu_causal_mean_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    if (a->g[0].p) by_segment(a, &a->g[0], &a->g[2], mean_segment_back);
    return R1_OK;
}
