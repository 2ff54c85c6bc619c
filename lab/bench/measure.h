/* SPDX-License-Identifier: Apache-2.0 */
/* measure.h - measurements of what libr1 does not export: single ops, the peer's bare products,
 * models of random weights.
 *
 * Each runs for about `seconds` on the calling thread and returns the best of several
 * repetitions, in G operations/s (a multiplication and an addition are two) where no other unit
 * is named. */
#ifndef MEASURE_H
#define MEASURE_H

#include "r1_model.h"

/* y[m,n] = x[m,k] w[n,k]' + b through the backend's linear op (tiles, bias and all). */
r1_status measure_linear(int64_t m, int64_t n, int64_t k, double seconds, double *gops,
                         r1_err *err);
/* The same product, without bias, by one call of oneDNN. */
r1_status measure_product(int64_t m, int64_t n, int64_t k, double seconds, double *gops,
                          r1_err *err);
/* The linear op with 8-bit weights: rows quantised, product, scales and bias. learned: with a
 * learned step, as a model trained for int8 has. */
r1_status measure_linear_int8(int64_t m, int64_t n, int64_t k, bool learned, double seconds,
                              double *gops, r1_err *err);
/* oneDNN's u8 x s8 product into int32, nothing else; the faster of its two layouts of the
 * weight. */
r1_status measure_product_int8(int64_t m, int64_t n, int64_t k, double seconds, double *gops,
                               r1_err *err);

/* n_seq sequences of `length` tokens that attend within themselves, n_head heads of `width`
 * columns. */
typedef struct {
    int64_t n_seq, length;
    int32_t n_head, width;
    bool causal, bf16; /* bf16: keys and values */
} attend_shape;
/* Microseconds of one call: the attention op; the scaling of queries before it, plain and with
 * CAWA's two factors; what makes the context factor's argument; the attention op with a factor
 * per key of rank 8; the same attention by oneDNN's two products and a softmax between them, all
 * scores at once (0 for bf16). */
typedef struct {
    double attend_us, plain_scale_us, cawa_scale_us, context_us, low_rank_us, separate_us;
} attend_times;
r1_status measure_attend(const attend_shape *shape, double seconds, attend_times *out, r1_err *err);
/* A model of random weights. learned: with steps of rounding, as training for int8 leaves them,
 * fitted to random samples. */
r1_status measure_model(r1_model **out, const char *description, bool learned, r1_err *err);
/* Whole samples a second through sessions on the CPU, in f32 and in int8, by turns for `seconds`
 * each: random samples, every item at its largest, n_batch a run, every text encoded. */
r1_status measure_score(const r1_model *m, uint32_t n_batch, double seconds, double samples_s[2],
                        r1_err *err);

#endif
