/* SPDX-License-Identifier: Apache-2.0 */
/* steps.h - where learned steps of rounding begin: the one of a few widths that rounds what is
 * seen with the least squared error.
 *
 * A step of largest magnitude / limit clips nothing and is coarse where a few values are far
 * out; narrower ones clip those. */
#ifndef R1_STEPS_H
#define R1_STEPS_H

#include "train/machine.h"

enum { R1_STEP_VIEWS_MAX = R1_SLICES_MAX };

/* The best step for the values of n views (a sample of them where there are many), at most
 * R1_STEP_VIEWS_MAX; 0 where all are 0 or there are no rows. Pure. */
float r1_step_fit(const r1_view *x, uint32_t n, int32_t limit);
/* Sets every step of m, which n_e execs run, each on its part of a batch: those of weights from
 * the weights, those of activations from what the last forward runs left (made with `rounds`
 * off). Activations of a kind that the run did not have keep their step. */
void r1_steps_fit(r1_model *m, const r1_exec *const *e, uint32_t n_e);

#endif
