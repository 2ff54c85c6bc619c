/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_product.h - y = x w' + b in f32, for inference: weights packed once into panels, any
 * number of rows without padding, and a row's bits independent of the rows beside it.
 *
 * Why not oneDNN: its kernels change their order of summation with the number of rows (with 2.6
 * on AVX2, 8, 20 or 32 rows give a row other bits than 16), which breaks "same input, same
 * answer", and each call packs the weight anew. It remains the library of the gradients
 * (cpu_linear.c) and the peer of `r1-bench gemm`.
 *
 * Threads: a packed weight is constant and may be shared. Instruction set: the best that the
 * processor has, or the one that R1_ISA names ("avx512bf16", "avx512", "avx2", "portable");
 * chosen at the first call. Results differ between instruction sets in the last bits (with or
 * without fused multiply-add), never between numbers of rows. In f32 avx512bf16 is avx512: it
 * adds the tile of pairs, which attention over bf16 takes (cpu_attend.c). */
#ifndef R1_CPU_PRODUCT_H
#define R1_CPU_PRODUCT_H

#include "r1_backend.h"

/* Name of the instruction set in use. */
const char *r1_cpu_isa(void);

/* One tile of a product: rows of x times a panel, whose k rows have the kernel's number of
 * columns each. */
typedef struct {
    int64_t k;
    const float *x;
    int64_t x_ld;
    const float *panel;
    /* what each row's sums begin with, a whole tile wide; NULL: with what y holds */
    const float *start;
    float *y;
    int64_t y_ld;
    int32_t cols; /* of y, at most the tile's */
} r1_tile;

enum { R1_TILE_ROWS_MAX = 12, R1_TILE_COLS_MAX = 32 };

/* The tiles of the instruction set in use: 1..rows rows; a row's bits do not depend on their
 * number. */
typedef struct {
    const char *name;
    int rows, cols;
    void (*tile)(int rows, const r1_tile *t);
    /* The same over bf16, k and then k + 1 in the lower and upper half of what is a float above:
     * t->k counts pairs. Sums are f32, a pair's upper product is added before its lower one,
     * subnormal numbers count as zero. NULL: not here. */
    void (*pairs)(int rows, const r1_tile *t);
} r1_kernel;
const r1_kernel *r1_cpu_kernel(void);

typedef struct r1_packed r1_packed;
/* w[N, K]; R1_E_NOMEM. Release with free(). */
r1_status r1_cpu_pack(r1_packed **out, const r1_view *w, r1_err *err);
/* x[M, K], y[M, N]; bias f32[N] or NULL. packed may be NULL: then w is packed on the way, a
 * panel's block at a time, with the same bits. */
void r1_cpu_product(const r1_view *x, const r1_view *w, const r1_packed *packed, const float *bias,
                    const r1_view *y);

#endif
