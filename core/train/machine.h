/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h - the plan that training runs: a batch is cut into slices, each with inputs,
 * activations and gradients of its own over the same weights, and a crew works the slices off.
 *
 * Invariants:
 * (1) What a slice computes depends on its samples alone, and what slices have in common is
 * added in their order: the bits depend on the
 *     number of slices, never on that of threads.
 * (2) A group of samples is never cut. A batch of fewer than R1_SLICE_LEAST samples a slice
 * makes fewer slices (each packs the weights anew); the others
 *     are empty, and are skipped.
 * (3) Nothing is allocated once it is made. */
#ifndef R1_MACHINE_H
#define R1_MACHINE_H

#include "base/crew.h"
#include "infer/pack.h"

enum { R1_SLICES_MAX = 64, R1_SLICE_LEAST = 16 };

typedef struct {
    r1_exec *e;
    r1_pack *pack;
    size_t first, n; /* its samples of the batch in hand */
} r1_slice;

typedef struct {
    r1_crew *crew;         /* borrowed */
    uint32_t n_slice, cap; /* cap: samples that a slice has room for */
    r1_slice slice[R1_SLICES_MAX];
    float *grad[R1_SLICES_MAX]; /* each slice's, laid out as the weights */
    const r1_pack_source *src;  /* of the batch in hand */
} r1_machine;

/* Room for batches of n samples whose groups hold at most `group`, on the first backend that has
 * gradients and works in host memory. n_slice 0: one. On error what was made is the caller's to
 * free, as it stands. */
r1_status r1_machine_new(r1_machine *w, const r1_model *m, r1_crew *crew, uint32_t n_slice,
                         uint32_t n, uint32_t group, r1_err *err);
void r1_machine_free(r1_machine *w);
/* Cuts a batch; src must live until the slices have been filled. */
void r1_machine_cut(r1_machine *w, const r1_pack_source *src);
/* job(ctx, k, ..) for the slices, empty ones too. */
static inline r1_status r1_machine_each(r1_machine *w, r1_crew_job job, void *ctx, r1_err *err)
{
    return r1_crew_run(w->crew, job, ctx, w->n_slice, err);
}
/* Of one slice, within a job; nothing where it is empty: its inputs; all phases over them. */
r1_status r1_machine_fill(r1_machine *w, uint32_t k, r1_err *err);
r1_status r1_machine_forward(r1_machine *w, uint32_t k, r1_err *err);
/* Operations of a forward pass over the batch in hand. */
double r1_machine_flop(const r1_machine *w);

#endif
