/* SPDX-License-Identifier: Apache-2.0 */
/* infonce.h - the contrastive loss between two views of the same samples (InfoNCE, van den Oord
 * et al. 2018; both ways: Radford et al. 2021).
 *
 * Threads: pure functions. */
#ifndef R1_INFONCE_H
#define R1_INFONCE_H

#include "r1_base.h"

/* The mean over rows of the cross-entropy of softmax(scale * cosine), scale at most 100. both_ways:
 * half of that, and half of the same over columns.
 *
 * cosine: f32[n][n] between row i of the first view and row j of the second, n > 0. j = i is right.
 * Equal objects are no contrast: where a[i] == a[j] or b[i] == b[j] (hashes of what the views
 * show), the pair is left out. grad (f32[n][n], written whole; NULL: none) and *grad_log_scale
 * (added to) get `weight` times the derivatives. room: [n + 2][n]. */
double r1_infonce(const float *cosine, size_t n, const uint64_t *a, const uint64_t *b, double scale,
                  bool both_ways, double weight, float *grad, double *grad_log_scale, double *room);

typedef struct {
    uint64_t n, found;
    double chance; /* sum over the searches of 1 / candidates: what guessing finds */
} r1_searches;

/* Adds 2 n searches to *s: each row among the columns, and each column among the rows. A search
 * has found where one's own is above all others. A tie is a miss. Equal objects are no
 * candidates. */
void r1_search(const float *cosine, size_t n, const uint64_t *a, const uint64_t *b, r1_searches *s);

#endif
