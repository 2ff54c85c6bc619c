/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_ops.h - what the files of this room share: the ops that have a loop of their own, and
 * elementary functions in f32.
 *
 * v8_exp: range reduction by ln 2 and a polynomial of degree 6 (Cephes, S. Moshier); relative
 * error below 3e-7. */
#ifndef R1_CPU_OPS_H
#define R1_CPU_OPS_H

#include "tensor/r1_op.h"

#include <string.h>

/* Loops that matter are compiled twice; the resolver picks the better at load. Both give the
 * same bits: contraction is off. */
#if defined __x86_64__ && !defined __SANITIZE_THREAD__ && !defined __SANITIZE_ADDRESS__
#define R1_CLONES __attribute__((target_clones("avx2", "default"), optimize("O3")))
#else
#define R1_CLONES
#endif

/* Eight floats as one value: GCC's vector types, so that nothing depends on what the compiler
 * can prove about a loop; they become SSE2 code where AVX2 is absent. Helpers take pointers:
 * values of this type may not cross a call boundary. */
typedef float v8 __attribute__((vector_size(32)));
typedef int32_t v8i __attribute__((vector_size(32)));
#define R1_INLINE static inline __attribute__((always_inline))

R1_INLINE void v8_load(v8 *v, const float *p) { memcpy(v, p, sizeof *v); }
R1_INLINE void v8_store(float *p, const v8 *v) { memcpy(p, v, sizeof *v); }
/* The first n < 8 floats; the rest become fill. */
R1_INLINE void v8_load_part(v8 *v, const float *p, int32_t n, float fill)
{
    float part[8] = {fill, fill, fill, fill, fill, fill, fill, fill};
    memcpy(part, p, sizeof(float) * (size_t)n);
    memcpy(v, part, sizeof *v);
}
/* mask ? a : b, where mask is what a comparison gave. */
R1_INLINE void v8_select(v8 *out, const v8i *mask, const v8 *a, const v8 *b)
{
    *out = (v8)((*mask & (v8i)*a) | (~*mask & (v8i)*b));
}
R1_INLINE float v8_sum(const v8 *s)
{
    const v8 x = *s;
    return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}

R1_INLINE void v8_exp(v8 *v)
{
    const v8 high = {88, 88, 88, 88, 88, 88, 88, 88}, low = -high + 1;
    v8i over = *v > high, under = *v < low;
    v8_select(v, &over, &high, v);
    v8_select(v, &under, &low, v);
    v8 n =
        *v * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: the sum's low bits are the rounded integer */
    v8i bits = (v8i)n;
    n -= 12582912.0f;
    v8 r = *v - n * 0.693359375f + n * 2.12194440e-4f;
    v8 p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    *v = p * (v8)((bits + 127) << 23); /* the constant's own bits fall out of the shift */
}

R1_INLINE void v8_tanh(v8 *v)
{
    v8 e = *v * 2.0f;
    v8_exp(&e);
    *v = 1.0f - 2.0f / (e + 1.0f);
}

/* Eight running sums in a fixed order. */
R1_INLINE float v8_dot(const float *a, const float *b, int32_t n)
{
    v8 s = {0}, x, y;
    int32_t c = 0;
    for (; c + 8 <= n; c += 8) {
        v8_load(&x, a + c);
        v8_load(&y, b + c);
        s += x * y;
    }
    if (c < n) {
        v8_load_part(&x, a + c, n - c, 0);
        v8_load_part(&y, b + c, n - c, 0);
        s += x * y;
    }
    return v8_sum(&s);
}

/* y += w x */
R1_INLINE void v8_add_scaled(float *y, const float *x, float w, int32_t n)
{
    v8 a, b;
    int32_t c = 0;
    for (; c + 8 <= n; c += 8) {
        v8_load(&a, y + c);
        v8_load(&b, x + c);
        a += b * w;
        v8_store(y + c, &a);
    }
    for (; c < n; c++) y[c] += w * x[c];
}

/* s[0..n) becomes its softmax; room behind it for R1_LANES_MAX more, which are overwritten. */
enum { R1_LANES_MAX = 16 };
void r1_cpu_softmax(float *s, int32_t n);

r1_status r1_cpu_linear_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_linear_backward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_add_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_add_backward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_act_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_act_backward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_rmsnorm_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_rmsnorm_backward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_tail_norm_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_causal_mean_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_causal_mean_backward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_cawa_scale_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_cawa_scale_backward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_attend_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_attend_backward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_lsq_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_lsq_backward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_seg_mean_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_mark_pool_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_ple_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_edge_message_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_edge_message_backward(r1_stream *s, const r1_op_args *a, r1_err *err);

#endif
