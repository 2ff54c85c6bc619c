/* SPDX-License-Identifier: Apache-2.0 */
/* loss.h - losses over logits at every position, and their gradients. */
#ifndef R1_LOSS_H
#define R1_LOSS_H

#include "model/desc.h"

/* logits, grad: f32[n][n_position][n_output]; grad is written whole. Loss = final position + step_loss times the mean
 * over the earlier ones; each head is averaged by weight over the samples (groups) that have a label for it. Returns the
 * final position's part, summed over heads. grad NULL: loss alone. */
double r1_loss(const r1_desc *d, uint32_t n_position, const r1_sample *sample, size_t n, const float *logits,
               float *grad);

#endif
