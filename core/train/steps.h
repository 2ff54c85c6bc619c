/* SPDX-License-Identifier: Apache-2.0 */
/* steps.h - where learned steps of rounding begin: the one of a few widths that rounds what is seen with the least squared error.
 *
 * A step of largest magnitude / limit clips nothing and is coarse where a few values are far out; narrower ones clip those. */
#ifndef R1_STEPS_H
#define R1_STEPS_H

#include "infer/exec.h"

/* The best step for values of x (a sample of them where there are many); 0 where all are 0 or x has no rows. Pure. */
float r1_step_fit(const r1_view *x, int32_t limit);
/* Sets every step of m, which e runs: those of weights from the weights, those of activations from what the last forward run left in e (made
 * with e->rounds off). Activations of a kind that the run did not have keep their step. */
void r1_steps_fit(r1_model *m, const r1_exec *e);

#endif
