/* SPDX-License-Identifier: Apache-2.0 */
/* isotonic.h - the monotone function nearest to labels (isotonic regression by pooling adjacent
 * violators: Ayer et al. 1955; as calibration: Zadrozny and Elkan 2002).
 *
 * Threads: pure functions. */
#ifndef R1_ISOTONIC_H
#define R1_ISOTONIC_H

#include "r1_model.h"

/* A run of scores that get one value. */
typedef struct {
    double low, high; /* least and greatest score */
    double place;     /* mean score, by weight */
    double value;     /* mean label, by weight: rises from block to block */
    double weight;
} r1_block;

/* Blocks in the order of score, block: room for n. Of all functions that never fall with the
 * score theirs has the least weighted squared error. Equal scores share a block; weights above
 * 0. Returns how many. R1_E_NOMEM alone. */
r1_status r1_isotonic_blocks(const float *score, const float *label, const float *weight, size_t n,
                             r1_block *block, size_t *n_block, r1_err *err);
/* The map from logits to logits whose knots are the blocks' places; a first block of zeros and a
 * last of ones keep a little doubt, less than their neighbours'. Strictly rising, so that no two
 * scores change places. x, y: room for R1_ISOTONIC_MAX, where more blocks are pooled by twos. */
size_t r1_isotonic_knots(r1_block *block, size_t n, float *x, float *y);

#endif
