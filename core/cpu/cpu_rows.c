/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_rows.c - ops that work row by row: sums, activations, normalisation, messages along edges. */
#include "cpu/cpu_ops.h"

#include <math.h>

static const float gelu_a = 0.7978845608f,
                   gelu_b = 0.044715f; /* sqrt(2 / pi); Hendrycks and Gimpel 2016 */

/* ---- add ---- */

R1_CLONES static void rows_add_row(float *restrict y, const float *x, const float *b, int32_t n)
{
    for (int32_t c = 0; c < n; c++) y[c] = x[c] + b[c];
}

r1_status r1_cpu_add_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    for (int64_t r = 0; r < a->v[R1_ADD_A].rows; r++)
        rows_add_row(r1_row(&a->v[R1_ADD_Y], r), r1_row(&a->v[R1_ADD_A], r),
                     r1_row(&a->v[R1_ADD_B], r % a->v[R1_ADD_B].rows), a->v[R1_ADD_A].cols);
    return R1_OK;
}

R1_CLONES static void accumulate_row(float *restrict y, const float *restrict x, int32_t n)
{
    for (int32_t c = 0; c < n; c++) y[c] += x[c];
}

r1_status r1_cpu_add_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *gx = &a->g[R1_ADD_A], *gb = &a->g[R1_ADD_B], *gy = &a->g[R1_ADD_Y];
    for (int64_t r = 0; r < gy->rows; r++) {
        if (gx->p) accumulate_row(r1_row(gx, r), r1_row(gy, r), gy->cols);
        if (gb->p) accumulate_row(r1_row(gb, r % gb->rows), r1_row(gy, r), gy->cols);
    }
    return R1_OK;
}

/* ---- act ---- */

R1_INLINE void rows_gelu8(v8 *x)
{
    v8 t = gelu_a * (*x + gelu_b * *x * *x * *x);
    v8_tanh(&t);
    *x = 0.5f * *x * (1.0f + t);
}

R1_INLINE void gelu_slope8(v8 *x)
{
    v8 t = gelu_a * (*x + gelu_b * *x * *x * *x);
    v8_tanh(&t);
    *x = 0.5f * (1.0f + t) + 0.5f * *x * (1.0f - t * t) * gelu_a * (1.0f + 3.0f * gelu_b * *x * *x);
}

R1_CLONES static void gelu_row(float *restrict y, const float *restrict x, int32_t n)
{
    v8 v;
    int32_t c = 0;
    for (; c + 8 <= n; c += 8) {
        v8_load(&v, x + c);
        rows_gelu8(&v);
        v8_store(y + c, &v);
    }
    if (c == n) return;
    v8_load_part(&v, x + c, n - c, 0);
    rows_gelu8(&v);
    memcpy(y + c, &v, sizeof(float) * (size_t)(n - c));
}

R1_CLONES static void gelu_back_row(float *restrict gx, const float *restrict x,
                                    const float *restrict gy, int32_t n)
{
    v8 v, g, old;
    int32_t c = 0;
    for (; c + 8 <= n; c += 8) {
        v8_load(&v, x + c);
        v8_load(&g, gy + c);
        v8_load(&old, gx + c);
        gelu_slope8(&v);
        old += v * g;
        v8_store(gx + c, &old);
    }
    if (c == n) return;
    v8_load_part(&v, x + c, n - c, 0);
    gelu_slope8(&v);
    for (int32_t k = c; k < n; k++) gx[k] += v[k - c] * gy[k];
}

R1_CLONES static void relu_row(float *restrict y, const float *restrict x, int32_t n)
{
    for (int32_t c = 0; c < n; c++) y[c] = x[c] > 0.0f ? x[c] : 0.0f;
}

R1_CLONES static void relu_back_row(float *restrict gx, const float *restrict x,
                                    const float *restrict gy, int32_t n)
{
    for (int32_t c = 0; c < n; c++) gx[c] += x[c] > 0.0f ? gy[c] : 0.0f;
}

r1_status r1_cpu_act_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_ACT_X], *y = &a->v[R1_ACT_Y];
    bool gelu = a->i[R1_ACT_KIND] == R1_ACT_GELU;
    for (int64_t r = 0; r < x->rows; r++)
        (gelu ? gelu_row : relu_row)(r1_row(y, r), r1_row(x, r), x->cols);
    return R1_OK;
}

r1_status r1_cpu_act_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_ACT_X], *gx = &a->g[R1_ACT_X], *gy = &a->g[R1_ACT_Y];
    bool gelu = a->i[R1_ACT_KIND] == R1_ACT_GELU;
    for (int64_t r = 0; gx->p && r < x->rows; r++)
        (gelu ? gelu_back_row : relu_back_row)(r1_row(gx, r), r1_row(x, r), r1_row(gy, r), x->cols);
    return R1_OK;
}

/* ---- rmsnorm ---- */

R1_CLONES static float sum_of_squares(const float *x, int32_t n) { return v8_dot(x, x, n); }

static float rows_inverse_rms(const float *x, int32_t n, float eps)
{
    return 1.0f / sqrtf(sum_of_squares(x, n) / (float)n + eps);
}

R1_CLONES static void scale_row(float *restrict y, const float *restrict x,
                                const float *restrict gain, float inv, int32_t n)
{
    for (int32_t c = 0; c < n; c++) y[c] = x[c] * inv * gain[c];
}

r1_status r1_cpu_rmsnorm_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *xv = &a->v[R1_RMSNORM_X];
    for (int64_t r = 0; r < xv->rows; r++) {
        const float *x = r1_row(xv, r);
        scale_row(r1_row(&a->v[R1_RMSNORM_Y], r), x, a->v[R1_RMSNORM_GAIN].p,
                  rows_inverse_rms(x, xv->cols, a->f[R1_RMSNORM_EPS]), xv->cols);
    }
    return R1_OK;
}

R1_CLONES static void scale_add_row(float *restrict y, const float *restrict x,
                                    const float *restrict bias, float inv, int32_t n)
{
    for (int32_t c = 0; c < n; c++) y[c] = x[c] * inv + bias[c];
}

r1_status r1_cpu_tail_norm_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    const r1_view *x = &a->v[R1_TAIL_NORM_X], *tail = &a->v[R1_TAIL_NORM_TAIL];
    for (int64_t r = 0; r < x->rows; r++) {
        float sum = sum_of_squares(r1_row(tail, r), tail->cols);
        scale_add_row(r1_row(&a->v[R1_TAIL_NORM_Y], r), r1_row(x, r), a->v[R1_TAIL_NORM_B].p,
                      1.0f / sqrtf(sum / a->f[R1_TAIL_NORM_WIDTH] + a->f[R1_TAIL_NORM_EPS]),
                      x->cols);
    }
    return R1_OK;
}

/* dx_c = s g_c dy_c - x_c s^3 / n * sum_j dy_j g_j x_j (core/tensor/ops/rmsnorm.c derives it) */
R1_CLONES static void rmsnorm_back_row(float *restrict gx, float *restrict ggain,
                                       const float *restrict x, const float *restrict gain,
                                       const float *restrict gy, float s, int32_t n)
{
    v8 dot = {0}, u, v, w;
    int32_t c = 0;
    float all = 0;
    for (; c + 8 <= n; c += 8) {
        v8_load(&u, gy + c);
        v8_load(&v, gain + c);
        v8_load(&w, x + c);
        dot += u * v * w;
    }
    for (; c < n; c++) all += gy[c] * gain[c] * x[c];
    float k = s * s * s / (float)n * (v8_sum(&dot) + all);
    if (gx)
        for (c = 0; c < n; c++) gx[c] += s * gain[c] * gy[c] - x[c] * k;
    if (ggain)
        for (c = 0; c < n; c++) ggain[c] += gy[c] * x[c] * s;
}

r1_status r1_cpu_rmsnorm_backward(r1_stream *st, const r1_op_args *a, r1_err *err)
{
    (void)st, (void)err;
    const r1_view *xv = &a->v[R1_RMSNORM_X], *gx = &a->g[R1_RMSNORM_X];
    for (int64_t r = 0; r < xv->rows; r++) {
        const float *x = r1_row(xv, r);
        rmsnorm_back_row(gx->p ? r1_row(gx, r) : NULL, a->g[R1_RMSNORM_GAIN].p, x,
                         a->v[R1_RMSNORM_GAIN].p, r1_row(&a->g[R1_RMSNORM_Y], r),
                         rows_inverse_rms(x, xv->cols, a->f[R1_RMSNORM_EPS]), xv->cols);
    }
    return R1_OK;
}

/* ---- edge_message ---- */

R1_INLINE void rows_message(float *y, const float *h, const float *e, float scale, int32_t n)
{
    const v8 zero = {0};
    v8 a, b, old;
    int32_t c = 0;
    for (; c + 8 <= n; c += 8) {
        v8_load(&a, h + c);
        v8_load(&b, e + c);
        v8_load(&old, y + c);
        a += b;
        v8i positive = a > zero;
        v8_select(&a, &positive, &a, &zero);
        old += a * scale;
        v8_store(y + c, &old);
    }
    for (; c < n; c++) y[c] += h[c] + e[c] > 0.0f ? (h[c] + e[c]) * scale : 0.0f;
}

R1_INLINE void message_back(float *gh, float *ge, const float *h, const float *e, const float *gy,
                            float scale, int32_t n)
{
    const v8 zero = {0};
    v8 a, b, g, old;
    int32_t c = 0;
    for (; c + 8 <= n; c += 8) {
        v8_load(&a, h + c);
        v8_load(&b, e + c);
        v8_load(&g, gy + c);
        v8i positive = a + b > zero;
        g *= scale;
        v8_select(&g, &positive, &g, &zero);
        v8_load(&old, gh + c);
        old += g;
        v8_store(gh + c, &old);
        v8_load(&old, ge + c);
        old += g;
        v8_store(ge + c, &old);
    }
    for (; c < n; c++) {
        float x = h[c] + e[c] > 0.0f ? gy[c] * scale : 0.0f;
        gh[c] += x;
        ge[c] += x;
    }
}

R1_CLONES static void rows_messages(const r1_op_args *a)
{
    const r1_view *h = &a->v[R1_EDGE_MESSAGE_H], *e = &a->v[R1_EDGE_MESSAGE_E],
                  *scale = &a->v[R1_EDGE_MESSAGE_SCALE], *y = &a->v[R1_EDGE_MESSAGE_Y];
    const int32_t *src = r1_ints(&a->v[R1_EDGE_MESSAGE_SRC]),
                  *dst = r1_ints(&a->v[R1_EDGE_MESSAGE_DST]);
    int32_t d = h->cols / 2;
    for (int64_t n = 0; n < y->rows; n++) memset(r1_row(y, n), 0, sizeof(float) * (size_t)(2 * d));
    for (int64_t j = 0; j < e->rows; j++) {
        rows_message(r1_row(y, dst[j]), r1_row(h, src[j]), r1_row(e, j), r1_row(scale, dst[j])[0],
                     d);
        rows_message(r1_row(y, src[j]) + d, r1_row(h, dst[j]) + d, r1_row(e, j) + d,
                     r1_row(scale, src[j])[1], d);
    }
}

R1_CLONES static void messages_back(const r1_op_args *a)
{
    const r1_view *h = &a->v[R1_EDGE_MESSAGE_H], *e = &a->v[R1_EDGE_MESSAGE_E],
                  *scale = &a->v[R1_EDGE_MESSAGE_SCALE], *gh = &a->g[R1_EDGE_MESSAGE_H],
                  *ge = &a->g[R1_EDGE_MESSAGE_E], *gy = &a->g[R1_EDGE_MESSAGE_Y];
    const int32_t *src = r1_ints(&a->v[R1_EDGE_MESSAGE_SRC]),
                  *dst = r1_ints(&a->v[R1_EDGE_MESSAGE_DST]);
    int32_t d = h->cols / 2;
    for (int64_t j = 0; j < e->rows; j++) {
        message_back(r1_row(gh, src[j]), r1_row(ge, j), r1_row(h, src[j]), r1_row(e, j),
                     r1_row(gy, dst[j]), r1_row(scale, dst[j])[0], d);
        message_back(r1_row(gh, dst[j]) + d, r1_row(ge, j) + d, r1_row(h, dst[j]) + d,
                     r1_row(e, j) + d, r1_row(gy, src[j]) + d, r1_row(scale, src[j])[1], d);
    }
}

r1_status r1_cpu_edge_message_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    rows_messages(a);
    return R1_OK;
}

r1_status r1_cpu_edge_message_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    if (!a->g[R1_EDGE_MESSAGE_H].p || !a->g[R1_EDGE_MESSAGE_E].p)
        return r1_op_edge_message.backward(s, a, err);
    messages_back(a);
    return R1_OK;
}
