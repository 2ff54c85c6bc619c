/* SPDX-License-Identifier: Apache-2.0 */
/* adamw.h - AdamW over the weights of a plan (Loshchilov and Hutter 2019), with clipping by the
 * gradient's global norm.
 *
 * The weights are cut into as many parts as the batch has slices, and the thread pool works on
 * the parts. Sums go over the slices' gradients and over the parts in their order, so the bits do
 * not depend on the number of threads. */
#ifndef R1_ADAMW_H
#define R1_ADAMW_H

#include "model/model.h"
#include "train/data_parallel.h"

typedef struct {
    float *m, *v;    /* moments, laid out as the weights */
    uint64_t n_step; /* optimiser steps done */
} r1_adamw;

r1_status r1_adamw_new(r1_adamw *a, const r1_model *m, r1_err *err);
void r1_adamw_free(r1_adamw *a);
/* One optimiser step of m, which dp runs, by the sum of the slices' gradients. The gradients are
 * zeroed after. Returns the gradient's norm before clipping. */
double r1_adamw_step(r1_adamw *a, r1_model *m, r1_data_parallel *dp, double lr, double decay,
                     double clip);
/* The learning rate when `done` (0 to 1, more counts as 1) of a run is over: a linear rise from
 * .02 lr over the share `warmup`, then half a cosine down to .02 lr. */
double r1_adamw_rate(double lr, double warmup, double done);
/* mean = keep * mean + (1 - keep) * weights, for what is trained. mean is laid out as the
 * weights. */
void r1_adamw_mean(const r1_model *m, float *mean, double keep);

#endif
