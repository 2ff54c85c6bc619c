/* SPDX-License-Identifier: Apache-2.0 */
/* r1_session.h - scoring: a batch of samples in; calibrated logits, probabilities and the
 * evidence trace out.
 *
 * Owns:    activations, staging and the cache of encoded texts. It borrows the model, which must
 *          outlive it.
 * Threads: one thread at a time; make one session per worker. It starts no threads.
 * Memory:  r1_session_new reserves everything; r1_session_run allocates nothing while batches
 *          are no larger than before.
 * Errors:  R1_E_INVAL for a sample that does not fit the model, with its number and item.
 *
 * Same input, same answer: a sample's logits have the same bits on one machine, whatever else is
 * in the batch, wherever it stands there, however many sessions there are, after a restart. */
#ifndef R1_SESSION_H
#define R1_SESSION_H

#include "r1_memory.h"
#include "r1_model.h"

typedef struct r1_session r1_session;

/* Ablation and study switches. */
enum {
    R1_RUN_NO_LENGTH = 1u << 0,  /* CAWA's length factor off */
    R1_RUN_NO_CONTEXT = 1u << 1, /* CAWA's context factor off, that of each key too */
};

typedef struct {
    uint32_t n_sample_max; /* samples encoded together; larger batches run in pieces. 0 = 64 */
    uint32_t n_text_cache; /* texts remembered by hash; 0 = 4096; rounded up to a power of two */
    /* As r1_backend_find takes it, registered names too; NULL: $R1_BACKEND if set, else cpu. */
    const char *backend;
    /* Keep every item's row in the common space (r1_session_aligned). Without it the first
     * products are folded through that space where this is less work; then logits differ in
     * their last bits. */
    bool aligned;
    /* INT8: weights of all but the smallest linear layers are quantised at creation, activations
     * as they come, by learned quantiser scales where the model was trained for it. Logits are
     * close to those of f32 (docs/evaluation.md), and the same bits in any batch. The CPU's and
     * CUDA's backends have it. */
    r1_precision precision;
} r1_session_opts;

R1_API r1_status r1_session_new(r1_session **out, const r1_model *m, const r1_session_opts *opts,
                                r1_err *err);
R1_API void r1_session_free(r1_session *s); /* NULL is fine */
R1_API r1_precision
r1_session_precision(const r1_session *s); /* F32 or INT8, what AUTO has become */

typedef struct {
    const r1_sample *sample;
    size_t n_sample;
    /* Where memory references point: exactly one of pool or event, or neither when no sample has
     * references. */
    /* Refs are handles; the run makes and stores the entries of sample[i].event_handle. */
    r1_memory *pool;
    uint64_t ticket;       /* from r1_memory_begin */
    const r1_event *event; /* refs are indices into event[0..n_event) */
    size_t n_event;
    /* Evidence steps: > 0: stop after so many items (later ones are neither encoded nor read). */
    uint32_t n_step;
    uint32_t items_off; /* bit i set: item i is treated as absent in every sample */
    uint32_t flags;     /* R1_RUN_* */
} r1_batch;

/* Arrays belong to the session and hold until its next run. n_output as r1_model_n_output.
 * The verdict's logit equals the sum of its trace exactly: trace[0] is the prior, trace[1 + i]
 * what item i changed. */
typedef struct {
    size_t n_sample, n_output, n_step;
    const float *logit; /* f32[n_sample][n_output], calibrated */
    /* f32[n_sample][n_output]: sigmoid (binary); softmax over the group within this batch (rank);
     * softmax over classes (class) */
    const float *prob;
    const double *trace; /* f64[n_sample][n_step + 1][n_output], in calibrated logits */
} r1_result;

/* n_sample at most 65,536. On error the result is empty; a pool's ticket is ended all the same,
 * and its entries that were not stored read as zeros. */
R1_API r1_status r1_session_run(r1_session *s, const r1_batch *batch, r1_result *result,
                                r1_err *err);

/* Makes the entries of events alone and stores them under handles that were appended with the
 * batch's ticket, which stays open: for events that no sample of the batch brings, and for a
 * memory that is rebuilt from a log. n: any number. */
R1_API r1_status r1_session_store(r1_session *s, r1_memory *pool, uint64_t ticket,
                                  const r1_event *event, const uint64_t *handle, size_t n,
                                  r1_err *err);

/* The common space, in sessions with `aligned`: row of item `item` (f32[d_align], after its
 * encoder) of sample i of the last run; NULL if absent. */
R1_API const float *r1_session_aligned(const r1_session *s, size_t sample, size_t item);

#endif
