/* SPDX-License-Identifier: Apache-2.0 */
/* trunk.h - the trunk of core/model/build.c on a tape: causal blocks with what adapts their
 * scores as an arm of an experiment.
 *
 * All arms have equal parameters: what an arm lacks of the largest addition, its feed-forward
 * part has in columns. */
#ifndef R1_EXPERIMENT_TRUNK_H
#define R1_EXPERIMENT_TRUNK_H

#include "experiments/tape.h"

enum { TRUNK_LAYERS = 2, TRUNK_HEADS = 4, TRUNK_CONTEXT = 16, TRUNK_RANK = 8 };

typedef struct {
    const char *name;
    bool length, context, low_rank, gate;
} trunk_arm;

typedef struct {
    tape_tensor w, b;
} tape_layer;
tape_layer tape_layer_open(tape *t, r1_rng *rng, int32_t in, int32_t out, double gain);
tape_tensor tape_apply(tape *t, const tape_layer *l, tape_tensor x);

typedef struct {
    tape_tensor norm, norm_ff, a;
    tape_layer qkv, context1, context2, u, w, gate, out, ff1, ff2;
} trunk_block;

typedef struct {
    const trunk_arm *arm;
    tape *t; /* borrowed */
    int32_t d;
    float beta, scale; /* scale: of the queries, 1 in training */
    trunk_block block[TRUNK_LAYERS];
} trunk;

/* tokens: the usual length in training, where the length factor starts at 1. */
void trunk_open(trunk *k, tape *t, r1_rng *rng, const trunk_arm *arm, int32_t d, float beta,
                float tokens);
/* h[rows, d] of the sequences off[n_seq + 1]; count[rows]: keys that each row sees. */
tape_tensor trunk_run(trunk *k, tape_tensor h, const int32_t *off, int32_t n_seq,
                      const int32_t *count);
/* Of a run: a linear rise over the first twentieth of the steps, then half a cosine to a
 * fiftieth. */
double trunk_rate(double lr, int step, int n_step);

#endif
