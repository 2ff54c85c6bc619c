/* SPDX-License-Identifier: Apache-2.0 */
/* loss.h - losses over logits at every position, and their gradients. */
#ifndef R1_LOSS_H
#define R1_LOSS_H

#include "model/desc.h"

/* What each head is averaged over: the weights of the samples (groups) that have a label for it. */
typedef struct {
    double head[R1_HEADS_MAX];
} r1_loss_total;
r1_loss_total r1_loss_weigh(const r1_desc *d, const r1_sample *sample, size_t n);

/* logits, grad: f32[n][n_position][n_output]; grad is written whole. Loss = final position +
 * step_loss times the mean over the earlier ones; each head's sum is divided by its total, which
 * is of the whole batch where these samples are a slice of one. Returns the final position's
 * part, summed over heads. grad NULL: loss alone. */
double r1_loss(const r1_desc *d, uint32_t n_position, const r1_sample *sample, size_t n,
               const r1_loss_total *total, const float *logits, float *grad);

#endif
