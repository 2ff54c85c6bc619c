/* SPDX-License-Identifier: Apache-2.0 */
/* batch_cost.h - what a batch of n requests and some units takes: a constant, a share per
 * request, a share per unit, learned from measured batches by least squares that forget. */
#ifndef R1_BATCH_COST_H
#define R1_BATCH_COST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { R1_COST_TERMS = 3 };

typedef struct {
    double us[R1_COST_TERMS]; /* never negative */
    double margin; /* predictions are raised by this share: twice the mean relative error */
    double moment[R1_COST_TERMS][R1_COST_TERMS], answer[R1_COST_TERMS];
} r1_batch_cost;

void r1_batch_cost_init(r1_batch_cost *c, const double us[R1_COST_TERMS]);
double r1_batch_cost_at(const r1_batch_cost *c, double n, double units);
void r1_batch_cost_learn(r1_batch_cost *c, double n, double units, double took_us);

#endif
