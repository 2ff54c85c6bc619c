/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_cawa.c - CAWA_SCALE in f32, and CAUSAL_MEAN, which makes the argument of its context factor.
 * The context factors of a few rows are made at once, as one array; then the queries' columns are
 * multiplied. */
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
    int32_t n = r1_ints(&a->v[R1_CAWA_SCALE_COUNT])[r];
    return n < 0 ? logs[0] : n < COUNTS ? logs[n] : logf((float)n);
}

/* tanh m of rows r0..r0 + n, [row][head]. */
R1_INLINE void context_of(const r1_op_args *a, int64_t r0, int32_t n, float *t)
{
    int32_t heads = a->i[R1_CAWA_SCALE_HEADS];
    v8 v;
    for (int32_t r = 0, k = 0; r < n; r++)
        for (int32_t h = 0; h < heads; h++)
            t[k++] = r1_row(&a->v[R1_CAWA_SCALE_CONTEXT], r0 + r)[h];
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
    float t[FACTORS], beta = a->f[R1_CAWA_SCALE_BETA], scale = a->f[R1_CAWA_SCALE_SCALE];
    const r1_view *q = &a->v[R1_CAWA_SCALE_Q], *y = &a->v[R1_CAWA_SCALE_Y];
    const float *by_head = a->v[R1_CAWA_SCALE_LENGTH].p;
    int32_t heads = a->i[R1_CAWA_SCALE_HEADS], dh = q->cols / heads;
    bool context = a->v[R1_CAWA_SCALE_CONTEXT].p;
    if (context) context_of(a, r0, n, t);
    for (int32_t r = 0; r < n; r++) {
        float length = by_head ? scale * cawa_log_count(a, r0 + r) : scale;
        for (int32_t h = 0; h < heads; h++) {
            float by = by_head ? length * by_head[h] : length;
            if (context) by *= 1 + beta * t[r * heads + h];
            cawa_times(r1_row(y, r0 + r) + h * dh, r1_row(q, r0 + r) + h * dh, by, dh);
        }
    }
}

/* Of one row and head. now: tanh of its context; log_n: of its count. */
R1_INLINE void backward_head(const r1_op_args *a, int64_t r, int32_t h, float now, float log_n)
{
    const r1_view *context = &a->v[R1_CAWA_SCALE_CONTEXT], *length = &a->v[R1_CAWA_SCALE_LENGTH],
                  *gq = &a->g[R1_CAWA_SCALE_Q], *gcontext = &a->g[R1_CAWA_SCALE_CONTEXT],
                  *glength = &a->g[R1_CAWA_SCALE_LENGTH];
    float beta = a->f[R1_CAWA_SCALE_BETA], scale = a->f[R1_CAWA_SCALE_SCALE];
    int32_t dh = a->v[R1_CAWA_SCALE_Q].cols / a->i[R1_CAWA_SCALE_HEADS];
    const float *gy = r1_row(&a->g[R1_CAWA_SCALE_Y], r) + h * dh,
                *q = r1_row(&a->v[R1_CAWA_SCALE_Q], r) + h * dh;
    float by_context = 1 + beta * now, by_length = length->p ? r1_row(length, 0)[h] * log_n : 1;
    /* The gradient of the product of the two factors. */
    float dot = v8_dot(gy, q, dh) * scale;
    if (gq->p) v8_add_scaled(r1_row(gq, r) + h * dh, gy, scale * by_length * by_context, dh);
    if (length->p && glength->p) r1_row(glength, 0)[h] += dot * by_context * log_n;
    if (context->p && gcontext->p)
        r1_row(gcontext, r)[h] += dot * by_length * beta * (1 - now * now);
}

R1_CLONES static void backward_rows(const r1_op_args *a, int64_t r0, int32_t n)
{
    float t[FACTORS];
    int32_t heads = a->i[R1_CAWA_SCALE_HEADS];
    bool context = a->v[R1_CAWA_SCALE_CONTEXT].p, length = a->v[R1_CAWA_SCALE_LENGTH].p;
    if (context) context_of(a, r0, n, t);
    for (int32_t r = 0; r < n; r++)
        for (int32_t h = 0; h < heads; h++)
            backward_head(a, r0 + r, h, context ? t[r * heads + h] : 0,
                          length ? cawa_log_count(a, r0 + r) : 1);
}

static r1_status by_rows(const r1_op_args *a, void (*fn)(const r1_op_args *, int64_t, int32_t),
                         r1_err *err)
{
    int32_t step = FACTORS / a->i[R1_CAWA_SCALE_HEADS];
    int64_t rows = a->v[R1_CAWA_SCALE_Q].rows;
    pthread_once(&once, fill_logs);
    if (step < 1)
        R1_FAIL(err, R1_E_INVAL, "cawa_scale: expected at most %d heads, found %d", FACTORS,
                a->i[R1_CAWA_SCALE_HEADS]);
    for (int64_t r = 0; r < rows; r += step) fn(a, r, rows - r < step ? (int32_t)(rows - r) : step);
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
    const int32_t *off = r1_ints(&a->v[R1_CAUSAL_MEAN_OFF]);
    for (int32_t s = 0; s + 1 < a->v[R1_CAUSAL_MEAN_OFF].cols; s++)
        for (int32_t c = 0; c < x->cols; c += COLUMNS)
            fn(x, y, off[s], off[s + 1], c, x->cols - c < COLUMNS ? x->cols - c : COLUMNS);
}

r1_status r1_cpu_causal_mean_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    by_segment(a, &a->v[R1_CAUSAL_MEAN_X], &a->v[R1_CAUSAL_MEAN_Y], mean_segment);
    return R1_OK;
}

r1_status r1_cpu_causal_mean_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    if (a->g[R1_CAUSAL_MEAN_X].p)
        by_segment(a, &a->g[R1_CAUSAL_MEAN_X], &a->g[R1_CAUSAL_MEAN_Y], mean_segment_back);
    return R1_OK;
}
