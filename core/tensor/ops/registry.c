/* SPDX-License-Identifier: Apache-2.0 */
/* registry.c - the table of all ops, and the check that an op's operands fit each other. */
#include "r1_assert.h"
#include "tensor/r1_op.h"

#include <stdio.h>

static const r1_op_def *const ops[R1_OP_COUNT] = {
    [R1_OP_LINEAR] = &r1_op_linear,
    [R1_OP_ADD] = &r1_op_add,
    [R1_OP_ACT] = &r1_op_act,
    [R1_OP_RMSNORM] = &r1_op_rmsnorm,
    [R1_OP_PLE] = &r1_op_ple,
    [R1_OP_EMBED] = &r1_op_embed,
    [R1_OP_STANDARD] = &r1_op_standard,
    [R1_OP_EDGE_MESSAGE] = &r1_op_edge_message,
    [R1_OP_MARK_POOL] = &r1_op_mark_pool,
    [R1_OP_PLACE] = &r1_op_place,
    [R1_OP_SEG_MEAN] = &r1_op_seg_mean,
    [R1_OP_CAUSAL_MEAN] = &r1_op_causal_mean,
    [R1_OP_CAWA_SCALE] = &r1_op_cawa_scale,
    [R1_OP_ATTEND] = &r1_op_attend,
    [R1_OP_TAIL_NORM] = &r1_op_tail_norm,
    [R1_OP_LSQ] = &r1_op_lsq,
};

const r1_op_def *r1_op_get(r1_op op) { return (unsigned)op < R1_OP_COUNT ? ops[op] : NULL; }

const char *r1_op_name(r1_op op) { return (unsigned)op < R1_OP_COUNT ? ops[op]->name : "?"; }

/* Slot, rows and columns of each operand that is there. */
static const char *op_shapes(const r1_op_args *a, char *text, size_t cap)
{
    size_t at = 0;
    text[0] = 0;
    for (int k = 0; k < R1_OP_VIEWS && at < cap; k++)
        if (a->v[k].p || a->v[k].cols)
            at += (size_t)snprintf(text + at, cap - at, " %d [%lld, %d]", k,
                                   (long long)a->v[k].rows, a->v[k].cols);
    return text;
}

void r1_op_check(r1_op op, const r1_op_args *a)
{
    char text[512];
    R1_ASSERT((unsigned)op < R1_OP_COUNT, "op %d of %d", (int)op, R1_OP_COUNT);
    R1_ASSERT(ops[op]->fits(a), "%s: operands do not fit:%s; i %d %d", ops[op]->name,
              op_shapes(a, text, sizeof text), a->i[0], a->i[1]);
}
