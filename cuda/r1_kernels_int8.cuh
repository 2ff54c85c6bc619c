/* SPDX-License-Identifier: Apache-2.0 */
/* r1_kernels_int8.cuh - LINEAR with 8-bit integers, with the bits of the CPU's product
 * (core/cpu/cpu_int8.h has the mathematics): integer sums are exact, and each step in f32 rounds
 * as the CPU's does. So no operation here may be fused with the next.
 *
 *   pack      one warp per output channel: its step, and its integers
 *   rows      one warp per row of x: the same, into the stream's workspace
 *   product   one warp per tile of y: R1_INT8_ROWS rows, R1_INT8_COLS columns, by tensor cores
 *
 * Integers lie in rows of k_pad = K up to whole R1_INT8_K, the rest 0. There are whole tiles of
 * rows; rows beyond the last one are 0. */
#pragma once
#include "r1_kernels.cuh"

enum { R1_INT8_K = 32, R1_INT8_ROWS = 16, R1_INT8_TILE = 8, R1_INT8_TILES = 4 };
enum { R1_INT8_COLS = R1_INT8_TILE * R1_INT8_TILES, R1_INT8_K_MAX = 16384 };
enum { R1_INT8_MAGNITUDE = 0x7fffffff, R1_INT8_INFINITE = 0x7f800000 };
/* Adding 1.5 * 2^23 rounds a small number to an integer, ties to even, and leaves it in the low
 * bits. */
#define R1_INT8_ROUNDER 12582912.0f
enum { R1_INT8_ROUNDER_BITS = 0x4b400000 };

/* A weight [n, k]: integers, and the step of each row. x_step: of activations; 0: each row has its
 * own. */
typedef struct {
    signed char *q;
    float *scale;
    int n, k, k_pad;
    float x_step;
} r1_int8_weight;

/* Rows of x from `first` on, as integers, and their steps. */
typedef struct {
    signed char *q;
    float *scale;
    long first, n;
} r1_int8_rows;

#ifndef R1_EMU
/* c[16, 8] += a[16, 32] b[32, 8] in 8-bit integers, summed in 32 bits. Lane l holds, of a, rows
 * l / 4 and l / 4 + 8 and four columns from l % 4 * 4 and as many from 16 on; of b, column l / 4
 * and the same of its rows; of c, rows l / 4 and l / 4 + 8, columns l % 4 * 2 and the next. */
__device__ static inline void r1_mma_s8(int *c, const unsigned *a, const unsigned *b)
{
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
                 "{%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

__device__ static inline int r1_warp_max(int x)
{
    for (int d = R1_WARP / 2; d > 0; d /= 2) x = max(x, __shfl_xor_sync(R1_ALL_LANES, x, d));
    return x;
}

/* The step of a row whose largest magnitude has the bits `top`; inverse 0: all its integers are
 * zero. */
__device__ static inline float r1_int8_own_step(int top, int limit, float *inverse)
{
    float most = __int_as_float(top);
    *inverse = 0.0f;
    if (top >= R1_INT8_INFINITE) return NAN;
    if (most < 1e-30f) return 0.0f;
    *inverse = __fdiv_rn(static_cast<float>(limit), most);
    return __fdiv_rn(most, static_cast<float>(limit));
}

__device__ static inline float r1_int8_cut(float v, int limit)
{
    float most = static_cast<float>(limit);
    return v > most ? most : v < -most ? -most : v;
}

__device__ static inline signed char r1_int8_round(float v)
{
    return static_cast<signed char>(__float_as_int(__fadd_rn(v, R1_INT8_ROUNDER)) -
                                    R1_INT8_ROUNDER_BITS);
}

/* The largest magnitude of a row, as bits: NaN and infinity are the largest of all. */
__device__ static inline int r1_int8_top(const float *x, int k, int lane)
{
    int top = 0;
    for (int c = lane; c < k; c += R1_WARP)
        top = max(top, __float_as_int(x[c]) & R1_INT8_MAGNITUDE);
    return r1_warp_max(top);
}

/* w.scale[n] is the learned step of row n, or 0 where it takes its own. */
__global__ void r1_k_int8_pack(r1_view from, r1_int8_weight w)
{
    long n = r1_thread() / R1_WARP;
    int lane = static_cast<int>(r1_thread() % R1_WARP);
    if (n >= w.n) return; /* the whole warp leaves */
    const float *row = r1_at(from, n);
    int limit = w.x_step != 0.0f ? R1_INT8_LEARNED : R1_INT8_LIMIT,
        top = r1_int8_top(row, w.k, lane);
    float learned = w.scale[n], inverse, step = r1_int8_own_step(top, limit, &inverse);
    if (learned != 0.0f && !isnan(step)) inverse = __fdiv_rn(1.0f, step = learned);
    for (int c = lane; c < w.k; c += R1_WARP)
        w.q[n * w.k_pad + c] = inverse > 0.0f
                                   ? r1_int8_round(r1_int8_cut(__fmul_rn(row[c], inverse), limit))
                                   : static_cast<signed char>(0);
    __syncwarp(); /* every lane has read the step */
    if (lane == 0) w.scale[n] = step;
}

__global__ void r1_k_int8_rows(r1_view x, r1_int8_weight w, r1_int8_rows to, long whole)
{
    long r = r1_thread() / R1_WARP;
    int lane = static_cast<int>(r1_thread() % R1_WARP);
    if (r >= whole) return; /* the whole warp leaves */
    bool there = r<to.n, learned = w.x_step> 0.0f;
    const float *row = there ? r1_at(x, to.first + r) : nullptr;
    int top = r1_int8_top(row, there ? w.k : 0, lane);
    float inverse, step = r1_int8_own_step(top, R1_INT8_LIMIT, &inverse);
    if (learned && !isnan(step)) inverse = __fdiv_rn(1.0f, step = w.x_step);
    for (int c = lane; c < w.k_pad; c += R1_WARP) {
        signed char q = 0;
        if (there && c < w.k && inverse > 0.0f) {
            float v = __fmul_rn(row[c], inverse);
            q = r1_int8_round(learned ? r1_int8_cut(v, R1_INT8_LEARNED) : v);
        }
        to.q[r * w.k_pad + c] = q;
    }
    if (lane == 0) to.scale[r] = step;
}

__device__ static inline unsigned r1_int8_four(const signed char *q)
{
    return *reinterpret_cast<const unsigned *>(q);
}

__global__ void r1_k_int8_product(r1_op_args a, r1_int8_weight w, r1_int8_rows x)
{
    long task = r1_thread() / R1_WARP, across = (w.n + R1_INT8_COLS - 1) / R1_INT8_COLS,
         row0 = task / across * R1_INT8_ROWS, col0 = task % across * R1_INT8_COLS;
    int lane = static_cast<int>(r1_thread() % R1_WARP), side = lane / 4, part = lane % 4;
    if (row0 >= x.n) return; /* the whole warp leaves */
    int sum[R1_INT8_TILES][4] = {};
    const signed char *x0 = x.q + (row0 + side) * w.k_pad + part * 4, *x8 = x0 + 8L * w.k_pad,
                      *wq = w.q + (col0 + side) * w.k_pad + part * 4;
    for (int k = 0; k < w.k_pad; k += R1_INT8_K) {
        unsigned left[4] = {r1_int8_four(x0 + k), r1_int8_four(x8 + k), r1_int8_four(x0 + k + 16),
                            r1_int8_four(x8 + k + 16)};
#pragma unroll
        for (int j = 0; j < R1_INT8_TILES; j++) {
            if (col0 + j * R1_INT8_TILE >= w.n) continue; /* the whole warp agrees */
            const signed char *q = wq + static_cast<long>(j) * R1_INT8_TILE * w.k_pad + k;
            unsigned right[2] = {r1_int8_four(q), r1_int8_four(q + 16)};
            r1_mma_s8(sum[j], left, right);
        }
    }
#pragma unroll
    for (int j = 0; j < R1_INT8_TILES; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            long r = row0 + side + e / 2 * 8, n = col0 + j * R1_INT8_TILE + part * 2 + e % 2;
            if (r >= x.n || n >= w.n) continue;
            float bias = a.v[R1_LINEAR_B].p ? r1_at(a.v[R1_LINEAR_B], 0)[n] : 0.0f,
                  step = __fmul_rn(w.scale[n], x.scale[r]);
            r1_at(a.v[R1_LINEAR_Y], x.first + r)[n] =
                __fadd_rn(__fmul_rn(__int2float_rn(sum[j][e]), step), bias);
        }
}
