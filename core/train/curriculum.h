/* SPDX-License-Identifier: Apache-2.0 */
/* curriculum.h - from simple to complex: an order of the samples by a declared difficulty, and
 * how much of it is in play when (Bengio et al. 2009; the pacing by root: Platanios et al. 2019).
 *
 *     MEASURE:PACING:START:FULL       for instance  entrance.level:linear:0.25:0.5
 *
 * MEASURE  items | refs | bytes: how many of them (bytes of text) a sample brings. ITEM.COLUMN: the
 *          value of a table's column; where it is missing the sample is the easiest. A leading -
 *          turns the order round. Pretraining also knows mask, which orders nothing: the share
 *          that is masked grows from START of what was asked for to all of it.
 * PACING   linear: the share in play grows from START to 1. root: its square does. step: it is
 *          START until FULL.
 * FULL     the share of all training steps after which every sample is in play
 *
 * Invariants: the share in play is above 0 and at most 1; at least one unit is in play. */
#ifndef R1_CURRICULUM_H
#define R1_CURRICULUM_H

#include "train/data.h"

typedef enum { R1_PACE_LINEAR = 0, R1_PACE_ROOT, R1_PACE_STEP } r1_pacing;

typedef struct {
    uint32_t *order; /* units, the easiest first; owned; equal ones in their own order */
    size_t n;
    r1_pacing pacing;
    double start, full;
    /* The measure is `mask`: all units are in play, and r1_curriculum_share is for masking. */
    bool by_mask;
} r1_curriculum;

/* text NULL: all units in their own order, in play from the start. masks: this stage knows the
 * measure `mask`. */
r1_status r1_curriculum_new(r1_curriculum *c, const char *text, bool masks, const r1_desc *d,
                            const r1_data *data, r1_err *err);
void r1_curriculum_free(r1_curriculum *c);
/* How many of the first units are in play; progress 0..1. */
size_t r1_curriculum_pool(const r1_curriculum *c, double progress);
/* The share that START, PACING and FULL give at this progress: of the units or, by `mask`, of
 * the masking. */
double r1_curriculum_share(const r1_curriculum *c, double progress);
/* The order of an epoch, order[n]: as long as the data whatever is in play; what is, comes
 * around again, each time in another order. From (seed, epoch) alone. */
void r1_curriculum_epoch(const r1_curriculum *c, double progress, uint64_t seed, uint64_t epoch,
                         uint32_t *order);

#endif
