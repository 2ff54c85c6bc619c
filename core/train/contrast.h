/* SPDX-License-Identifier: Apache-2.0 */
/* contrast.h - losses over scores that set right against wrong within a group.
 *
 * Threads: pure functions. */
#ifndef R1_CONTRAST_H
#define R1_CONTRAST_H

#include "r1_base.h"

/* The loss of the traces of one case; score, right: [n]. It has two terms. The first is the mean
 * over pairs of softplus(wrong - right). The second is `contrast` times the mean over right ones of
 *
 *     -log e^(right / T) / (e^(right / T) + sum over wrong of e^(wrong / T))
 *
 * The gradient, times scale, is added to grad (NULL: the loss alone). 0 where all are right or
 * none is. */
double r1_contrast_loss(const double *score, const bool *right, size_t n, double contrast,
                        double temperature, double scale, double *grad);

#endif
