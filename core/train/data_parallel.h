/* SPDX-License-Identifier: Apache-2.0 */
/* data_parallel.h - the data-parallel executor: it cuts a batch into slices, which a thread pool
 * works off.
 *
 * Each slice has inputs, activations and gradients of its own over the same weights.
 *
 * Invariants:
 * (1) What a slice computes depends on its samples alone. What slices have in common is added in
 *     their order. So the bits depend on the number of slices, never on that of threads.
 * (2) The slices cover the batch exactly, in order. A group of samples is never cut.
 * (3) A batch with fewer than R1_SLICE_LEAST samples a slice makes fewer slices, because each
 *     packs the weights anew. The other slices are empty and are skipped.
 * (4) Nothing is allocated once the executor is made. */
#ifndef R1_DATA_PARALLEL_H
#define R1_DATA_PARALLEL_H

#include "base/thread_pool.h"
#include "infer/pack.h"

enum { R1_SLICES_MAX = 64, R1_SLICE_LEAST = 16 };

typedef struct {
    r1_exec *e;
    r1_pack *pack;
    size_t first, n; /* its samples of the batch in hand */
} r1_slice;

typedef struct {
    r1_thread_pool *threads; /* borrowed; NULL: the caller alone */
    uint32_t n_slice, cap;   /* cap: samples that a slice has room for */
    r1_slice slice[R1_SLICES_MAX];
    float *grad[R1_SLICES_MAX]; /* each slice's gradients, laid out as the weights */
    const r1_pack_source *src;  /* of the batch in hand */
} r1_data_parallel;

/* Makes room for batches of n samples whose groups hold at most `group`. It takes the first
 * backend that has gradients and works in host memory. n_slice 0: one. On error the caller frees
 * what was made. */
r1_status r1_data_parallel_new(r1_data_parallel *dp, const r1_model *m, r1_thread_pool *threads,
                               uint32_t n_slice, uint32_t n, uint32_t group, r1_err *err);
void r1_data_parallel_free(r1_data_parallel *dp);
/* Cuts a batch. src must live until the slices have been filled. */
void r1_data_parallel_cut(r1_data_parallel *dp, const r1_pack_source *src);
/* Calls job(ctx, k, ..) for each slice, empty ones too. */
static inline r1_status r1_data_parallel_each(r1_data_parallel *dp, r1_thread_pool_job job,
                                              void *ctx, r1_err *err)
{
    return r1_thread_pool_run(dp->threads, job, ctx, dp->n_slice, err);
}
/* Within a job, of slice k: packs its inputs; runs all phases over them. Both do nothing where
 * the slice is empty. */
r1_status r1_data_parallel_fill(r1_data_parallel *dp, uint32_t k, r1_err *err);
r1_status r1_data_parallel_forward(r1_data_parallel *dp, uint32_t k, r1_err *err);
/* Operations of a forward pass over the batch in hand. */
double r1_data_parallel_flop(const r1_data_parallel *dp);

#endif
