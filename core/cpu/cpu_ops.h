/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_ops.h - what the files of this room share: the ops that have a loop of their own, and elementary functions in f32.
 *
 * fast_exp: range reduction by ln 2 and a polynomial of degree 6 (Cephes, S. Moshier); relative error below 3e-7. It has no
 * branch and no table, so loops over it become vector code. */
#ifndef R1_CPU_OPS_H
#define R1_CPU_OPS_H

#include "tensor/r1_op.h"

#include <string.h>

/* Loops that matter are compiled twice; the resolver picks the better at load. Both give the same bits: contraction is off. */
#if defined __x86_64__ && !defined __SANITIZE_THREAD__ && !defined __SANITIZE_ADDRESS__
#define R1_CLONES __attribute__((target_clones("avx2", "default"), optimize("O3")))
#else
#define R1_CLONES
#endif

static inline float fast_exp(float x)
{
    x = x > 88.0f ? 88.0f : x < -87.0f ? -87.0f : x;
    float n = x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: the sum's low bits are the rounded integer */
    int32_t bits;
    memcpy(&bits, &n, sizeof bits);
    n -= 12582912.0f;
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t scale = (int32_t)((uint32_t)(bits + 127) << 23); /* the constant's own bits fall out of the shift */
    float s;
    memcpy(&s, &scale, sizeof s);
    return p * s;
}

static inline float fast_tanh(float x) { return 1.0f - 2.0f / (fast_exp(2.0f * x) + 1.0f); }

r1_status r1_cpu_linear_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_linear_backward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_add_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_act_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_act_backward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_rmsnorm_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_rmsnorm_backward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_attend_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_attend_backward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_edge_message_forward(r1_stream *s, const r1_op_args *a, r1_err *err);
r1_status r1_cpu_edge_message_backward(r1_stream *s, const r1_op_args *a, r1_err *err);

#endif
