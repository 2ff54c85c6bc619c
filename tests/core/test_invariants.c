/* SPDX-License-Identifier: Apache-2.0 */
/* test_invariants.c - a planted fault of each family that the engine asserts: a plan's operands
 * and offsets, shapes at dispatch, symbols beyond the arena, weights, packed sizes; in sanitizer
 * builds also attention's lists. */
#include "cpu/cpu_int8.h"
#include "cpu/cpu_ops.h"
#include "cpu/cpu_product.h"
#include "infer/exec.h"
#include "r1_assert.h"
#include "support/op_cases.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

static const char description[] =
    "{\"name\":\"s\",\"d_align\":16,\"d_model\":8,\"n_layer\":1,\"n_head\":2,\"n_head_cross\":2,"
    "\"items\":[{\"name\":\"x\",\"kind\":\"table\",\"num\":[\"a\",\"b\"],\"n_bin\":3,"
    "\"hidden\":5}],\"heads\":[{\"name\":\"h\",\"kind\":\"binary\"}]}";

enum { SAMPLES = 4 };

/* A model and its executor, made for SAMPLES samples. */
typedef struct {
    r1_model *m;
    r1_exec *e;
} running;

static running running_new(void)
{
    r1_err err = {0};
    running r;
    uint32_t cap[R1_SYMBOLS_MAX];
    R1_ASSERT_OK(r1_model_new(&r.m, description, 1, &err), &err);
    r1_net_symbols(&r.m->net, r.m->desc, SAMPLES, 0, cap);
    R1_ASSERT_OK(r1_exec_new(&r.e, r.m, r1_backend_cpu(), cap, false, &err), &err);
    memcpy(r.e->sym, cap, sizeof cap);
    return r;
}

static void running_free(running *r)
{
    r1_exec_free(r->e);
    r1_model_free(r->m);
}

static r1_call *first_call(running *r, r1_op op)
{
    r1_plan *p = &r->m->net.plan;
    for (uint32_t i = 0; i < p->n_call; i++)
        if (p->call[i].op == op) return &p->call[i];
    CU_FAIL_FATAL("no such call");
    return NULL;
}

static void check_plan(void *plan) { r1_plan_check(plan); }

/* Each fault is planted, caught by the check of a finished plan, and taken back. */
static void test_plan(void)
{
    running r = running_new();
    r1_plan *p = &r.m->net.plan;
    r1_call *linear = first_call(&r, R1_OP_LINEAR);
    r1_operand *x = &linear->v[R1_LINEAR_X], *y = &linear->v[R1_LINEAR_Y];
    r1_plan_check(p);
    x->col++;
    CU_ASSERT_TRUE(r1_test_breaks(check_plan, p, "columns"));
    x->col--;
    x->row0 = x->step;
    CU_ASSERT_TRUE(r1_test_breaks(check_plan, p, "step"));
    x->row0 = 0;
    int16_t t = y->t;
    y->t = linear->v[R1_LINEAR_W].t;
    CU_ASSERT_TRUE(r1_test_breaks(check_plan, p, "no activation to write"));
    y->t = t;
    p->tensor[linear->v[R1_LINEAR_W].t].offset += 64;
    CU_ASSERT_TRUE(r1_test_breaks(check_plan, p, "the one before ends at"));
    p->tensor[linear->v[R1_LINEAR_W].t].offset -= 64;
    p->weight_bytes += 64;
    CU_ASSERT_TRUE(r1_test_breaks(check_plan, p, "bytes of"));
    p->weight_bytes -= 64;
    linear->phase = R1_PHASES;
    CU_ASSERT_TRUE(r1_test_breaks(check_plan, p, "phase"));
    linear->phase = R1_PHASE_SAMPLES;
    r1_plan_check(p);
    running_free(&r);
}

static void run_all(void *e)
{
    r1_err err;
    r1_exec_forward_all(e, &err);
}

static void test_dispatch(void)
{
    running r = running_new();
    r1_err err = {0};
    r1_call *linear = first_call(&r, R1_OP_LINEAR), *attend = first_call(&r, R1_OP_ATTEND);
    R1_ASSERT_OK(r1_exec_forward_all(r.e, &err), &err);
    linear->v[R1_LINEAR_W].cols--;
    CU_ASSERT_TRUE(r1_test_breaks(run_all, r.e, "linear: operands do not fit"));
    linear->v[R1_LINEAR_W].cols++;
    attend->i[R1_ATTEND_HEADS] = 3;
    CU_ASSERT_TRUE(r1_test_breaks(run_all, r.e, "attend: operands do not fit"));
    attend->i[R1_ATTEND_HEADS] = 2;
    r.e->sym[R1_SYM_SEQ] = SAMPLES + 1;
    CU_ASSERT_TRUE(r1_test_breaks(run_all, r.e, "room for"));
    r.e->sym[R1_SYM_SEQ] = SAMPLES;
    R1_ASSERT_OK(r1_exec_forward_all(r.e, &err), &err);
    running_free(&r);
}

/* What every case of every op has, and loses with one column. */
static void check_op(void *ctx)
{
    const r1_op_args *a = ctx;
    r1_op_check((r1_op)a->packed_as, a);
}

static void test_every_op(void)
{
    op_case_seed(r1_test_seed());
    for (int op = 0; op < R1_OP_COUNT; op++) {
        r1_op_args a;
        op_case_make((r1_op)op, &a);
        r1_op_check((r1_op)op, &a);
        a.v[op_case_output((r1_op)op)].cols++;
        a.packed_as = op; /* where check_op looks for it */
        CU_ASSERT_TRUE(r1_test_breaks(check_op, &a, "operands do not fit"));
        op_case_free(&a);
    }
}

static void take_weight(void *model)
{
    const r1_model *m = model;
    r1_model_weight(m, m->net.logits);
}

static void test_weights(void)
{
    running r = running_new();
    CU_ASSERT_TRUE(r1_test_breaks(take_weight, r.m, "is no weight"));
    running_free(&r);
}

typedef struct {
    r1_view x, w, y;
    r1_packed *packed;
    r1_packed_int8 *int8;
} product;

static void run_product(void *ctx)
{
    product *p = ctx;
    r1_cpu_product(&p->x, &p->w, p->packed, NULL, &p->y);
}

static void run_int8(void *ctx)
{
    product *p = ctx;
    r1_cpu_int8_product(&p->x, p->int8, NULL, &p->y);
}

static void test_packed(void)
{
    enum { M = 3, N = 18, K = 20 };
    r1_err err = {0};
    product p = {op_case_floats(M, K), op_case_floats(N, K), op_case_floats(M, N), NULL, NULL};
    R1_ASSERT_OK(r1_cpu_pack(&p.packed, &p.w, &err), &err);
    R1_ASSERT_OK(r1_cpu_int8_pack(&p.int8, &p.w, NULL, 0, &err), &err);
    run_product(&p);
    run_int8(&p);
    p.x.cols--;
    CU_ASSERT_TRUE(r1_test_breaks(run_product, &p, "product: "));
    CU_ASSERT_TRUE(r1_test_breaks(run_int8, &p, "int8: "));
    p.x.cols++;
    p.y.rows--;
    CU_ASSERT_TRUE(r1_test_breaks(run_product, &p, "product: "));
    CU_ASSERT_TRUE(r1_test_breaks(run_int8, &p, "int8: "));
    free(p.packed), free(p.int8), free(p.x.p), free(p.w.p), free(p.y.p);
}

static void run_attend(void *ctx)
{
    r1_err err;
    r1_cpu_attend_forward(NULL, ctx, &err);
}

/* Dear checks: sanitizer builds make them. */
static void test_deep(void)
{
    if (!R1_DEEP_CHECKS) return;
    r1_op_args a;
    do {
        op_case_make(R1_OP_ATTEND, &a);
    } while (a.v[R1_ATTEND_INDEX].cols < 1);
    run_attend(&a);
    ((int32_t *)a.v[R1_ATTEND_INDEX].p)[0] = (int32_t)a.v[R1_ATTEND_K].rows;
    CU_ASSERT_TRUE(r1_test_breaks(run_attend, &a, "attend: offsets"));
    op_case_free(&a);
}

R1_TEST_MAIN("invariants", {"a finished plan", test_plan}, {"dispatch", test_dispatch},
             {"every op's shapes", test_every_op}, {"weights", test_weights},
             {"packed sizes", test_packed}, {"dear checks", test_deep})
