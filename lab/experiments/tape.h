/* SPDX-License-Identifier: Apache-2.0 */
/* tape.h - a small model written down as it runs: each call is an op of the backend's table,
 * kept with its operands, so that the calls read backwards give the gradients. For experiments
 * on models that a description (r1_sample.h) cannot express.
 *
 * Owns:   parameters with their moments, one block of activations and gradients that every pass
 * uses again.
 * Errors: a failed op or a full block ends the program with its message: an experiment has
 * nobody to report to. Threads: one. */
#ifndef R1_EXPERIMENT_TAPE_H
#define R1_EXPERIMENT_TAPE_H

#include "r1_backend.h"

/* An op that an experiment brings itself. Its functions are called as those of a backend's table
 * are, and they name their operand slots themselves. */
typedef struct {
    const char *name;
    r1_op_fn forward, backward;
} tape_op;

enum { TAPE_CALLS_MAX = 512, TAPE_PARAMETERS_MAX = 128 };

/* A matrix and its gradient (p NULL: none). */
typedef struct {
    r1_view v, g;
} tape_tensor;

typedef struct {
    const r1_backend *be;
    r1_op_args call[TAPE_CALLS_MAX];
    tape_op op[TAPE_CALLS_MAX];
    size_t n_call;
    tape_tensor parameter[TAPE_PARAMETERS_MAX];
    float *moment[TAPE_PARAMETERS_MAX]; /* first, then second */
    bool decay[TAPE_PARAMETERS_MAX];
    size_t n_parameter;
    float *block;
    size_t used, capacity; /* floats */
    bool train;            /* gradients are wanted */
    uint64_t step;
} tape;

void tape_open(tape *t, size_t floats);
void tape_close(tape *t);

/* Weights from the normal distribution (by > 0), else all `start`. Decay applies where rows > 1. */
tape_tensor tape_parameter(tape *t, r1_rng *rng, int64_t rows, int32_t cols, double by,
                           float start);
size_t tape_scalars(const tape *t); /* of all parameters */

/* A new pass: what the last one made is gone. */
void tape_begin(tape *t, bool train);
tape_tensor tape_matrix(tape *t, int64_t rows, int32_t cols);
tape_tensor tape_columns(tape_tensor x, int32_t at, int32_t cols);
/* Runs an op over the operands (absent: {0}) and keeps it. i, f: the op's first two parameters of
 * each kind, or NULL. */
void tape_run(tape *t, r1_op op, const tape_tensor *operand, size_t n, const int32_t *i,
              const float *f);
void tape_run_own(tape *t, tape_op op, const tape_tensor *operand, size_t n, const int32_t *i,
                  const float *f);
tape_tensor tape_linear(tape *t, tape_tensor x, tape_tensor w, tape_tensor b);
tape_tensor tape_gelu(tape *t, tape_tensor x);
void tape_norm(tape *t, tape_tensor x, tape_tensor gain, tape_tensor y);
tape_tensor tape_add(tape *t, tape_tensor x, tape_tensor z);
tape_tensor tape_ints(const int32_t *p, int64_t rows, int32_t cols);

/* Of the softmax of each row of y: - log of the share of column answer[row], mean over the rows;
 * its gradient where y has one. */
double tape_cross_entropy(const tape_tensor *y, const int32_t *answer);
/* Column of the largest value of a row. */
int32_t tape_largest(const tape_tensor *y, int64_t row);

/* From the gradients set in the last results to those of all parameters. */
void tape_backward(tape *t);
/* AdamW (betas .9 and .98) with the gradient's norm held to 1; gradients are zeros after. */
void tape_adamw(tape *t, double lr, double decay);

#endif
