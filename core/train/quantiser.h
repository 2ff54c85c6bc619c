/* SPDX-License-Identifier: Apache-2.0 */
/* quantiser.h - where learned quantiser scales begin: the scale, out of a few, that rounds the
 * values seen with the least squared error.
 *
 * A scale of largest magnitude / limit clips nothing, and is coarse where a few values are far
 * out. Narrower scales clip those values. The model's file and its plan call a scale a step. */
#ifndef R1_QUANTISER_H
#define R1_QUANTISER_H

#include "train/data_parallel.h"

enum { R1_QUANTISER_VIEWS_MAX = R1_SLICES_MAX };

/* The best scale for the values of n views, at most R1_QUANTISER_VIEWS_MAX; a sample of the
 * values where there are many. 0 where all are 0 or there are no rows. Pure. */
float r1_quantiser_scale(const r1_view *x, uint32_t n, int32_t limit);
/* Sets every scale of m, which n_e execs ran, each on its part of a batch. Scales of weights come
 * from the weights. Those of activations come from what the last forward runs left, made with
 * `rounds` off. Activations of a kind that the run did not have keep their scale. */
void r1_quantiser_fit(r1_model *m, const r1_exec *const *e, uint32_t n_e);

#endif
