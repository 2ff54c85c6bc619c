/* SPDX-License-Identifier: Apache-2.0 */
/* epochs.h - what the stages share that go over the data in epochs: finetuning and pretraining.
 *
 * An epoch is an order of the data's units, out of (seed, epoch) and the curriculum. A step takes
 * the next batch of whole units. Progress is counted in samples.
 *
 * Invariant: unit <= the number of units in the data. */
#ifndef R1_EPOCHS_H
#define R1_EPOCHS_H

#include "train/curriculum.h"
#include "train/loop.h"

typedef struct {
    uint32_t n_epoch, n_batch;
    double warmup; /* share of all samples */
    r1_curriculum curriculum;
    uint32_t *order;   /* [train.n_unit] of this epoch; in the run's arena */
    r1_data_rows rows; /* the batch in hand */
    /* what a checkpoint carries; step, bad and the like are the run's */
    uint64_t epoch, unit, seen; /* unit: place in the order; seen: samples, of all epochs */
} r1_epochs;

/* Takes the defaults of n_epoch, n_batch and warmup. Of the stage's own options. */
void r1_epochs_fill(uint32_t *n_epoch, uint32_t *n_batch, double *warmup);
/* After the run's model is made. The options are set by the stage. cap: samples that the rows
 * have room for. masks: the stage knows the curriculum's measure `mask`. */
r1_status r1_epochs_new(r1_epochs *e, r1_run *r, const char *curriculum, bool masks, size_t cap,
                        r1_err *err);
void r1_epochs_free(r1_epochs *e);
/* The first order; after a resume, that of the epoch in hand. */
r1_status r1_epochs_start(r1_epochs *e, r1_run *r, bool resumed, r1_err *err);
r1_status r1_epochs_take(r1_epochs *e, r1_run *r, r1_err *err);
/* The batch in hand has been learned. */
void r1_epochs_count(r1_epochs *e, r1_run *r);
bool r1_epochs_ended(const r1_epochs *e, const r1_run *r); /* this epoch's units are used up */
/* Where the epoch has ended: the next one. *due: validate, unless that goes by steps. */
void r1_epochs_turn(r1_epochs *e, r1_run *r, bool *due);
bool r1_epochs_over(const r1_epochs *e);
double r1_epochs_progress(const r1_epochs *e, const r1_run *r); /* of all epochs: 0 to 1 */
double r1_epochs_rate(const r1_epochs *e, const r1_run *r);     /* the learning rate now */
void r1_epochs_note(r1_epochs *e, r1_run *r, double loss);
void r1_epochs_figures(const r1_epochs *e, const r1_run *r, FILE *f);
void r1_epochs_state(r1_epochs *e, r1_checkpoint *c);

#endif
