/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c - lists of tensors and calls, and the views that an op gets. */
#include "tensor/plan.h"

#include "r1_assert.h"
#include "tensor/r1_op.h"

#include <string.h>

size_t r1_dtype_bytes(r1_dtype dtype)
{
    switch (dtype) {
    case R1_F32:
    case R1_I32: return 4;
    case R1_F16:
    case R1_BF16: return 2;
    case R1_I8: return 1;
    }
    return 0;
}

/* Bytes that a weight takes of the arena. */
static size_t plan_weight_bytes(const r1_tensor *t)
{
    uint32_t one[R1_SYMBOLS_MAX] = {1};
    size_t bytes = (size_t)r1_tensor_rows(t, one) * t->cols * r1_dtype_bytes(t->dtype);
    return (bytes + 63) / 64 * 64;
}

int16_t r1_plan_tensor(r1_plan *p, const r1_tensor *t)
{
    if (p->n_tensor == R1_TENSORS_MAX) return -1;
    r1_tensor *to = &p->tensor[p->n_tensor];
    *to = *t;
    if (t->space == R1_SPACE_WEIGHT) {
        to->offset = p->weight_bytes;
        p->weight_bytes += plan_weight_bytes(t);
    }
    return (int16_t)p->n_tensor++;
}

r1_call *r1_plan_call(r1_plan *p, r1_op op, r1_phase phase, const char *part)
{
    if (p->n_call == R1_CALLS_MAX) return NULL;
    r1_call *c = &p->call[p->n_call++];
    memset(c, 0, sizeof *c);
    c->op = op;
    c->phase = (uint8_t)phase;
    c->part = part;
    for (int k = 0; k < R1_OP_VIEWS; k++) c->v[k].t = -1;
    return c;
}

r1_view r1_operand_view(const r1_plan *p, const r1_operand *o, const uint32_t *sym, char *base)
{
    r1_view v = {0};
    if (o->t < 0) return v;
    const r1_tensor *t = &p->tensor[o->t];
    int64_t rows = r1_tensor_rows(t, sym);
    size_t size = r1_dtype_bytes(t->dtype);
    v.dtype = t->dtype;
    if (t->array) {
        v.rows = 1;
        v.cols = (int32_t)rows;
        v.ld = rows;
        v.p = base;
        return v;
    }
    v.rows = o->step > 1 ? rows / o->step : rows;
    v.cols = (int32_t)o->cols;
    v.ld = (int64_t)t->cols * o->step;
    if (base) v.p = base + ((size_t)o->row0 * t->cols + o->col) * size;
    return v;
}

static void plan_check_operand(const r1_plan *p, const r1_call *c, int slot)
{
    const r1_operand *o = &c->v[slot];
    const char *op = r1_op_name(c->op);
    R1_ASSERT(o->t < (int32_t)p->n_tensor, "%s, slot %d: tensor %d of %u", op, slot, o->t,
              p->n_tensor);
    const r1_tensor *t = &p->tensor[o->t];
    R1_ASSERT(o->step >= 1 && o->row0 < o->step, "%s, slot %d: row %u, step %u", op, slot, o->row0,
              o->step);
    R1_ASSERT(o->col + o->cols <= t->cols, "%s, slot %d: columns %u to %u of %u", op, slot, o->col,
              o->col + o->cols, t->cols);
}

void r1_plan_check(const r1_plan *p)
{
    size_t end = 0;
    for (uint32_t i = 0; i < p->n_tensor; i++) {
        const r1_tensor *t = &p->tensor[i];
        R1_ASSERT(t->sym < p->n_sym, "tensor %u: symbol %u of %u", i, t->sym, p->n_sym);
        if (t->space != R1_SPACE_WEIGHT) continue;
        R1_ASSERT(t->offset == end, "weight \"%s\": at %zu, the one before ends at %zu", t->name,
                  t->offset, end);
        end += plan_weight_bytes(t);
    }
    R1_ASSERT(end == p->weight_bytes, "weights: %zu bytes of %zu", end, p->weight_bytes);
    for (uint32_t i = 0; i < p->n_call; i++) {
        const r1_call *c = &p->call[i];
        R1_ASSERT(c->phase < R1_PHASES, "call %u: phase %u of %d", i, c->phase, R1_PHASES);
        for (int k = 0; k < R1_OP_VIEWS; k++) {
            bool output = r1_op_get(c->op)->outputs & R1_SLOT(k);
            if (c->v[k].t >= 0) plan_check_operand(p, c, k);
            R1_ASSERT(!output || (c->v[k].t >= 0 && p->tensor[c->v[k].t].space == R1_SPACE_ACT),
                      "%s: tensor %d is no activation to write", r1_op_name(c->op), c->v[k].t);
        }
    }
}

uint64_t r1_plan_flop(const r1_plan *p, const r1_call *c, const uint32_t *sym)
{
    r1_op_args a = {0};
    for (int k = 0; k < R1_OP_VIEWS; k++) a.v[k] = r1_operand_view(p, &c->v[k], sym, NULL);
    memcpy(a.i, c->i, sizeof a.i);
    return r1_op_get(c->op)->flop(&a);
}
