/* SPDX-License-Identifier: Apache-2.0 */
/* registry.c - the table of all ops, the reference backend made of it, and ordinary host memory
 * as a device. */
#include "tensor/r1_op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
