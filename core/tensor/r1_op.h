/* SPDX-License-Identifier: Apache-2.0 */
/* r1_op.h - the registry of ops: name, scalar reference forward and backward, work count.
 *
 * Each op lives in one file of core/tensor/ops/. The reference accumulates in double and is the
 * oracle for every other backend; it is never chosen for speed. Operand slots:
 * core/include/r1_backend.h. */
#ifndef R1_OP_H
#define R1_OP_H

#include "r1_backend.h"

/* A set of slots is a sum of these. */
#define R1_SLOT(k) (1u << (k))

typedef struct {
    const char *name;
    uint32_t outputs;                  /* R1_SLOT(k): slot k is written */
    uint32_t grads;                    /* R1_SLOT(k): slot k is an input that has a gradient */
    bool (*fits)(const r1_op_args *a); /* whether shapes and parameters agree, by r1_backend.h */
    r1_op_fn forward;
    r1_op_fn backward;                     /* NULL: no input has a gradient */
    uint64_t (*flop)(const r1_op_args *a); /* multiply and add count as two; from shapes alone */
} r1_op_def;

extern const r1_op_def r1_op_linear, r1_op_add, r1_op_act, r1_op_rmsnorm, r1_op_ple, r1_op_embed,
    r1_op_standard, r1_op_edge_message, r1_op_mark_pool, r1_op_place, r1_op_seg_mean,
    r1_op_causal_mean, r1_op_cawa_scale, r1_op_attend, r1_op_tail_norm, r1_op_lsq;

const r1_op_def *r1_op_get(r1_op op);

/* Asserts that the op's operands fit each other; the message holds their shapes. */
void r1_op_check(r1_op op, const r1_op_args *a);

static inline bool r1_same_shape(const r1_view *a, const r1_view *b)
{
    return a->rows == b->rows && a->cols == b->cols;
}

/* Row r of a view; NULL view operands must be tested by the caller. */
static inline float *r1_row(const r1_view *v, int64_t r) { return (float *)v->p + r * v->ld; }
static inline const int32_t *r1_ints(const r1_view *v) { return (const int32_t *)v->p; }

#endif
