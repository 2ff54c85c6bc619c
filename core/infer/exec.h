/* SPDX-License-Identifier: Apache-2.0 */
/* exec.h - runs a plan: capacities become offsets, symbols become views, calls go to the
 * backend.
 *
 * Owns: one block for inputs and activations (host, and a mirror on the device where memory is
 * separate), the same for gradients in training. Borrows the model. Reserves everything at
 * creation. One thread at a time. */
#ifndef R1_EXEC_H
#define R1_EXEC_H

#include "model/model.h"

typedef struct {
    const r1_model *m;
    const r1_backend *be;
    r1_stream *stream;
    uint32_t cap[R1_SYMBOLS_MAX]; /* largest values of the symbols */
    uint32_t sym[R1_SYMBOLS_MAX]; /* present values: set by pack.c */
    uint32_t flags;               /* R1_RUN_* */
    r1_arena *arena;              /* holds the tables per tensor and per call */
    size_t *offset;               /* per tensor: into the block; inputs, then activations */
    size_t bytes, input_bytes;    /* of the block; of its inputs */
    /* Inputs lie on the device as densely as the present symbols allow, so that one copy takes them
     * there: per tensor, into the device's block; and what is copied. */
    size_t *device_offset;
    char *staged;
    char *block, *grad;
    float *wgrad;     /* laid out as the weights */
    bool *needs_grad; /* per tensor */
    int16_t *rounder; /* per tensor: the LSQ call that makes it; -1: none does */
    /* Those calls run; else who reads a rounded tensor gets what it was rounded from. */
    bool rounds;
    char *device, *device_weights;    /* NULL where memory is the host's */
    char *device_grad, *device_wgrad; /* likewise, in training */
    bool said_cpu;                    /* that an op runs on the CPU in the device's place */
    void **packed;                    /* per call */
    bool *int8;                       /* per call: packed as 8-bit integers */
} r1_exec;

/* cap: r1_net_symbols' values for the largest run. In training, what the plan rounds is rounded
 * (`rounds` may be changed between runs). */
r1_status r1_exec_new(r1_exec **out, const r1_model *m, const r1_backend *be, const uint32_t *cap,
                      bool train, r1_err *err);
/* For scoring with 8-bit linear layers; R1_E_INVAL where the backend has none. */
r1_status r1_exec_new_int8(r1_exec **out, const r1_model *m, const r1_backend *be,
                           const uint32_t *cap, r1_err *err);
void r1_exec_free(r1_exec *e);
/* Host memory of a tensor (inputs, activations). */
static inline void *r1_exec_ptr(const r1_exec *e, int16_t t) { return e->block + e->offset[t]; }
static inline float *r1_exec_grad(const r1_exec *e, int16_t t)
{
    return (float *)(void *)(e->grad + e->offset[t]);
}
/* All inputs, by one copy. */
r1_status r1_exec_upload_inputs(r1_exec *e, r1_err *err);
/* Rows of an activation. The host's rows are valid after r1_exec_sync, and may change only then. */
r1_status r1_exec_upload_rows(r1_exec *e, int16_t t, uint32_t row0, uint32_t n, r1_err *err);
r1_status r1_exec_download_rows(r1_exec *e, int16_t t, uint32_t row0, uint32_t n, r1_err *err);
r1_status r1_exec_sync(r1_exec *e, r1_err *err);
/* One phase, over the present symbols. */
r1_status r1_exec_forward(r1_exec *e, r1_phase phase, r1_err *err);
/* All phases in their order, for training: where memory is the device's, the model's weights go
 * there first, and all activations come back. */
r1_status r1_exec_forward_all(r1_exec *e, r1_err *err);
/* Operations of a forward pass at the present symbols. */
double r1_exec_flop(const r1_exec *e);
/* Zeroes all gradients of activations; the caller then writes those of the logits and calls
 * backward. */
void r1_exec_zero_grad(r1_exec *e);
/* Adds to wgrad, which is the host's on any backend. */
r1_status r1_exec_backward(r1_exec *e, r1_err *err);

#endif
