/* SPDX-License-Identifier: Apache-2.0 */
/* rivals.h - what long-term memory is measured against: flat search by a BLAS, and codes of the
 * same size.
 *
 * The BLAS is opened at run time (libopenblas.so.0), so that nothing that is shipped links it. */
#ifndef RIVALS_H
#define RIVALS_H

#include "r1_base.h"

typedef struct {
    char name[256];
    /* y[m] = a[m,n] x[n]; c[m,n] = a[m,k] b[n,k]' */
    void (*gemv)(const float *a, size_t m, size_t n, const float *x, float *y);
    void (*gemm_nt)(const float *a, const float *b, size_t m, size_t n, size_t k, float *c);
} rival_blas;

/* One thread. Without the library: plain loops, and the name says so. */
const rival_blas *rival_blas_open(void);

typedef enum { RIVAL_PQ, RIVAL_OPQ, RIVAL_PCA8, RIVAL_PCA4, RIVAL_COUNT } rival_kind;
const char *rival_name(rival_kind kind);

/* out[n,d]: x after encoding to at most `bytes` per row and decoding. Inner products with it are
 * what a table-driven scan of the codes computes. *used: bytes per row. */
r1_status rival_code(rival_kind kind, const float *x, size_t n, uint32_t d, size_t bytes,
                     uint64_t seed, float *out, size_t *used, r1_err *err);

#endif
