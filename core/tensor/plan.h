/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - a model as a flat list of op calls over tensors whose row counts are symbols.
 *
 * A tensor lives in one of three spaces: weights (offsets fixed by the plan), inputs (filled by
 * core/infer/pack.c) and activations (offsets fixed when capacities are known, exec.c). An
 * operand is a rectangle of a tensor: a column range, and rows row0, row0 + step, ... The
 * forward list reversed is the backward list. Immutable once built. */
#ifndef R1_PLAN_H
#define R1_PLAN_H

#include "r1_backend.h"

enum { R1_TENSORS_MAX = 4096, R1_CALLS_MAX = 4096, R1_SYMBOLS_MAX = 64 };
typedef enum { R1_SPACE_WEIGHT = 0, R1_SPACE_INPUT, R1_SPACE_ACT } r1_space;
typedef enum {
    R1_INIT_ZERO = 0,
    R1_INIT_NORMAL,
    R1_INIT_CONST,
    R1_INIT_RAMP,
    R1_INIT_DERIVED
} r1_init;

/* A run goes through the phases in this order. */
typedef enum {
    R1_PHASE_EVENTS = 0, /* new working-memory entries, out of their events */
    R1_PHASE_TEXTS,      /* what encodes texts: its rows may go to a cache, or come from it */
    R1_PHASE_SAMPLES,    /* the rest */
    R1_PHASES
} r1_phase;

/* Fixed symbols; each item adds its own. */
enum { R1_SYM_ONE = 0, R1_SYM_SEQ, R1_SYM_EVENT, R1_SYM_ENTRY, R1_SYM_ITEMS };

typedef struct {
    char name[120];
    uint8_t space, dtype, init;
    bool array;  /* [1, rows]: offsets, indices; rows become columns of the view */
    bool frozen; /* a weight that training leaves alone (bins, means) */
    bool decay;  /* weight decay applies */
    bool step;   /* learned steps of rounding: positive, trained in proportion to themselves */
    uint16_t sym;
    uint32_t mul, plus; /* rows = value(sym) * mul + plus */
    uint32_t cols;
    float init_value; /* standard deviation, or the constant */
    size_t offset;    /* weights: bytes from the start of the weight arena */
} r1_tensor;

typedef struct {
    int16_t t; /* -1: absent */
    uint16_t step;
    uint32_t row0, col, cols;
} r1_operand;

typedef struct {
    r1_op op;
    uint8_t phase; /* r1_phase */
    /* CAWA_SCALE of a block or of memory, ATTEND of a block: beta and run flags apply. */
    uint8_t cawa;
    const char *part; /* for tables of work */
    r1_operand v[R1_OP_VIEWS];
    int32_t i[8];
    float f[4];
} r1_call;

typedef struct {
    r1_tensor *tensor;
    r1_call *call;
    uint32_t n_tensor, n_call, n_sym;
    size_t weight_bytes;
} r1_plan;

int16_t r1_plan_tensor(r1_plan *p, const r1_tensor *t); /* -1 when full */
r1_call *r1_plan_call(r1_plan *p, r1_op op, r1_phase phase, const char *part);
/* Rows of a tensor for given symbol values. */
static inline int64_t r1_tensor_rows(const r1_tensor *t, const uint32_t *sym)
{
    return (int64_t)sym[t->sym] * t->mul + t->plus;
}
size_t r1_dtype_bytes(r1_dtype dtype);
/* View of an operand; base is the start of the tensor or NULL (shapes alone). */
r1_view r1_operand_view(const r1_plan *p, const r1_operand *o, const uint32_t *sym, char *base);
/* Asserts what holds of a finished plan: weights lie behind each other and end with the arena;
 * each operand is a rectangle of its tensor; each call writes an activation. */
void r1_plan_check(const r1_plan *p);
uint64_t r1_plan_flop(const r1_plan *p, const r1_call *c, const uint32_t *sym);

#endif
