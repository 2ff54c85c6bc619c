/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_int8.h - y = x w' + b with 8-bit integers: weights quantised once per output channel,
 * activations as they come, each row by its own largest magnitude or all by one learned step.
 *
 *   w[n][k] ~ sw[n] qw,   x[m][k] ~ sx[m] qx
 *   y[m][n] = (sum over k of qx qw) (sx[m] sw[n]) + b[n]
 *
 *   steps       q            sx                        sw
 *   own         -127..127    largest magnitude / 127   largest magnitude / 127
 *   learned     -63..63      learned, one for all      learned, or largest magnitude / 63
 *
 * core/tensor/ops/lsq.c is how steps are learned.
 *
 * The sum is exact in 32 bits and everything else is done element by element in f32, rounded the
 * same way everywhere: a row's bits depend neither on the rows beside it nor on the instruction
 * set. A row with a NaN or an infinity gives NaN; a row (or channel) below 1e-30 throughout
 * counts as zero, where its step is not learned.
 *
 * Threads: a packed weight is constant and may be shared. Instruction set: the best that the
 * processor has ("avx512" with VNNI, "avxvnni", "avx2", "portable"), or the one that R1_ISA
 * names; chosen at the first call. */
#ifndef R1_CPU_INT8_H
#define R1_CPU_INT8_H

#include "r1_backend.h"

enum { R1_INT8_K_MAX = 16384 };

/* Name of the instruction set in use. */
const char *r1_cpu_int8_isa(void);

typedef struct r1_packed_int8 r1_packed_int8;
/* w[N, K], K at most R1_INT8_K_MAX; w_step, x_step: as pack_int8 of r1_backend.h takes them.
 * R1_E_NOMEM, R1_E_INVAL (a step that is not positive). Release with free(). */
r1_status r1_cpu_int8_pack(r1_packed_int8 **out, const r1_view *w, const float *w_step,
                           float x_step, r1_err *err);
/* x[M, K], y[M, N]; bias f32[N] or NULL. Allocates nothing. */
void r1_cpu_int8_product(const r1_view *x, const r1_packed_int8 *w, const float *bias,
                         const r1_view *y);

#endif
