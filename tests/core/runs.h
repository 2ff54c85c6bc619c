/* SPDX-License-Identifier: Apache-2.0 */
/* runs.h - what tests of the training stages share: a stage run to a step and kept as a
 * checkpoint, and what a checkpoint holds. */
#ifndef R1_TEST_RUNS_H
#define R1_TEST_RUNS_H

#include "r1_pretrain.h"
#include "r1_reinforce.h"
#include "r1_train.h"

/* The stage until step n, from the checkpoint `resume` on (NULL: from the start), written to
 * `checkpoint` and nowhere else. */
void run_train(r1_train_opts o, uint64_t n, const char *checkpoint, const char *resume);
void run_pretrain(r1_pretrain_opts o, uint64_t n, const char *checkpoint, const char *resume);
void run_reinforce(r1_reinforce_opts o, uint64_t n, const char *checkpoint, const char *resume);
/* A tensor of a checkpoint; malloc'ed. */
float *run_tensor(const char *checkpoint, const char *name, size_t *n);

#endif
