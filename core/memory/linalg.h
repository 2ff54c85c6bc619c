/* SPDX-License-Identifier: Apache-2.0 */
/* linalg.h - the linear algebra that codes are learned with. Products go through the linear layer
 * of the CPU backend, eigenvectors come from LAPACK, k-means is our own. Nothing here runs while
 * a query is answered. */
#ifndef MEMORY_LINALG_H
#define MEMORY_LINALG_H

#include "r1_base.h"

/* y[m,n] = x[m,k] w[n,k]' */
r1_status linalg_product(const float *x, size_t m, const float *w, size_t n, size_t k, float *y,
                         r1_err *err);

/* eigen.c: eigenvalues of the symmetric, non-negative a[n,n] in falling order, and its
 * eigenvectors as rows of v[n,n]. Vectors of values that are zero within rounding become zero.
 * R1_E_NOT_FOUND: this machine has no LAPACK. The same a gives the same bits on one machine. */
r1_status linalg_eigen(const double *a, size_t n, double *value, double *v, r1_err *err);

/* Means (n[i] rows each) of the nearest of k centres, in `rounds` rounds from rows of x; centres
 * without rows start again from a random row. near: scratch and result, the centre of each row. */
r1_status linalg_kmeans(const float *x, size_t n, size_t d, size_t k, int rounds, uint64_t seed,
                        float *centre, uint32_t *near, r1_err *err);
/* The centre of least distance for each row; equal distances go to the smaller number. */
r1_status linalg_nearest(const float *x, size_t n, size_t d, const float *centre, size_t k,
                         uint32_t *near, r1_err *err);

#endif
