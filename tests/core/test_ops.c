/* SPDX-License-Identifier: Apache-2.0 */
/* Every op of the CPU backend against the scalar reference, forward and backward; the
 * reference's gradients against finite differences; and the promise that a row's result does not
 * depend on the rows beside it, bit for bit.
 *
 * Tolerances: forward abs 2e-5 + rel 2e-5 (f32 sums of at most 300 terms of size 1, polynomial
 * exp), none where the CPU keeps the reference's order of sums (core/cpu/cpu_pool.c); backward
 * abs 2e-4 + rel 2e-4 (sums over rows as well). */
#include "support/op_cases.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 12 };

static r1_view zeros_like(const r1_view *v)
{
    r1_view z = op_case_floats(v->rows, v->cols);
    for (int64_t r = 0; r < z.rows; r++) memset(r1_row(&z, r), 0, sizeof(float) * (size_t)z.cols);
    return z;
}

static bool same_sums(r1_op op)
{
    return op == R1_OP_SEG_MEAN || op == R1_OP_MARK_POOL || op == R1_OP_PLE;
}

static void test_ops_forward(void)
{
    r1_err err = {0};
    op_case_seed(r1_test_seed());
    for (int op = 0; op < R1_OP_COUNT; op++)
        for (int round = 0; round < ROUNDS; round++) {
            r1_op_args a;
            op_case_make((r1_op)op, &a);
            int out = op_case_output((r1_op)op);
            r1_view got = op_case_floats(a.v[out].rows, a.v[out].cols), expected;
            R1_ASSERT_OK(r1_backend_reference()->forward[op](NULL, &a, &err), &err);
            expected = a.v[out];
            a.v[out] = got;
            R1_ASSERT_OK(r1_backend_cpu()->forward[op](NULL, &a, &err), &err);
            double tolerance = same_sums((r1_op)op) ? 0 : 2e-5;
            CU_ASSERT_TRUE(
                op_case_equal(r1_op_name((r1_op)op), &expected, &got, tolerance, tolerance));
            free(expected.p);
            op_case_free(&a);
        }
}

/* Gradients of every input that has one, zero at first; random gradient of the output. */
static void make_gradients(r1_op op, r1_op_args *a)
{
    int out = op_case_output(op);
    a->g[out] = op_case_floats(a->v[out].rows, a->v[out].cols);
    for (int k = 0; k < R1_OP_VIEWS; k++)
        if (r1_op_get(op)->grads >> k & 1 && a->v[k].p) a->g[k] = zeros_like(&a->v[k]);
}

static void test_ops_backward(void)
{
    r1_err err = {0};
    op_case_seed(r1_test_seed() + 1);
    for (int op = 0; op < R1_OP_COUNT; op++)
        for (int round = 0; round < ROUNDS && r1_op_get((r1_op)op)->backward; round++) {
            r1_op_args a;
            op_case_make((r1_op)op, &a);
            R1_ASSERT_OK(r1_backend_reference()->forward[op](NULL, &a, &err), &err);
            make_gradients((r1_op)op, &a);
            R1_ASSERT_OK(r1_backend_reference()->backward[op](NULL, &a, &err), &err);
            r1_op_args b = a;
            for (int k = 0; k < R1_OP_VIEWS; k++)
                if (r1_op_get((r1_op)op)->grads >> k & 1 && a.v[k].p) b.g[k] = zeros_like(&a.v[k]);
            R1_ASSERT_OK(r1_backend_cpu()->backward[op](NULL, &b, &err), &err);
            for (int k = 0; k < R1_OP_VIEWS; k++) {
                if (!(r1_op_get((r1_op)op)->grads >> k & 1) || !a.v[k].p) continue;
                CU_ASSERT_TRUE(op_case_equal(r1_op_name((r1_op)op), &a.g[k], &b.g[k], 2e-4, 2e-4));
                free(b.g[k].p);
            }
            op_case_free(&a);
        }
}

/* sum of gradient times output */
static double ops_loss(r1_op op, r1_op_args *a)
{
    r1_err err = {0};
    int out = op_case_output(op);
    double sum = 0;
    R1_ASSERT_OK(r1_backend_reference()->forward[op](NULL, a, &err), &err);
    for (int64_t r = 0; r < a->v[out].rows; r++)
        for (int32_t c = 0; c < a->v[out].cols; c++)
            sum += (double)r1_row(&a->g[out], r)[c] * r1_row(&a->v[out], r)[c];
    return sum;
}

/* The central difference of the loss at one element, and by how much its two halves differ. */
static double slope_at(r1_op op, r1_op_args *a, float *x, double h, double *bend)
{
    float old = *x;
    double middle = ops_loss(op, a);
    *x = old + (float)h;
    double up = (ops_loss(op, a) - middle) / h;
    *x = old - (float)h;
    double down = (middle - ops_loss(op, a)) / h;
    *x = old;
    *bend = fabs(up - down);
    return (up + down) / 2;
}

/* One element of one input. Where a kink (relu) lies within the step, the gradient is one of the
 * two one-sided slopes or lies between them: half of their difference is allowed for. Where the
 * step is coarse for the curve (a norm of a row that is nearly zero), half the step gives
 * another slope: the step is halved until two agree, and what they still differ by is allowed
 * for. */
static bool check_slope(r1_op op, r1_op_args *a, int k, int64_t r, int32_t c)
{
    float *x = &r1_row(&a->v[k], r)[c];
    double got = r1_row(&a->g[k], r)[c], bend, h = 1.0 / 128, tolerance, last;
    double slope = slope_at(op, a, x, h, &bend);
    do {
        last = slope, h /= 2;
        slope = slope_at(op, a, x, h, &bend);
        tolerance = 0.01 + 0.02 * fabs(slope);
    } while (fabs(slope - last) > tolerance && h > 1.0 / 4096);
    if (fabs(slope - got) <= tolerance + fabs(slope - last) + 0.5 * bend) return true;
    fprintf(stderr,
            "%s input %d [%lld, %d]: finite difference %g (%g at twice the step), gradient %g\n",
            r1_op_name(op), k, (long long)r, c, slope, last, got);
    return false;
}

static void test_finite_differences(void)
{
    r1_err err = {0};
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed() + 2);
    op_case_seed(r1_test_seed() + 2);
    for (int op = 0; op < R1_OP_COUNT; op++)
        for (int round = 0; round < ROUNDS && r1_op_get((r1_op)op)->backward; round++) {
            r1_op_args a;
            if (op == R1_OP_LSQ) break; /* its slopes are not those of its steps: test_lsq.c */
            op_case_make((r1_op)op, &a);
            make_gradients((r1_op)op, &a);
            R1_ASSERT_OK(r1_backend_reference()->forward[op](NULL, &a, &err), &err);
            R1_ASSERT_OK(r1_backend_reference()->backward[op](NULL, &a, &err), &err);
            for (int k = 0; k < R1_OP_VIEWS; k++)
                for (int i = 0;
                     i < 3 && r1_op_get((r1_op)op)->grads >> k & 1 && a.v[k].p && a.v[k].rows; i++)
                    CU_ASSERT_TRUE(check_slope((r1_op)op, &a, k,
                                               (int64_t)r1_rng_below(&rng, (uint64_t)a.v[k].rows),
                                               (int32_t)r1_rng_below(&rng, (uint64_t)a.v[k].cols)));
            op_case_free(&a);
        }
}

/* Rows of a product alone, in other places and among other rows give the same bits; so does a
 * weight packed ahead. */
static void test_ops_same_row_same_bits(void)
{
    static const int32_t widths[] = {1, 7, 8, 16, 33, 64, 96, 128, 192, 300, 512};
    r1_err err = {0};
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed() + 3);
    op_case_seed(r1_test_seed() + 3);
    for (int round = 0; round < 60; round++) {
        int32_t k = widths[r1_rng_below(&rng, R1_COUNT(widths))],
                n = widths[r1_rng_below(&rng, R1_COUNT(widths))];
        int64_t rows = 1 + (int64_t)r1_rng_below(&rng, 700);
        r1_view x = op_case_floats(rows, k), w = op_case_floats(n, k), y = op_case_floats(rows, n),
                b = op_case_floats(1, n);
        r1_op_args a = {
            .v = {[R1_LINEAR_X] = x, [R1_LINEAR_W] = w, [R1_LINEAR_B] = b, [R1_LINEAR_Y] = y}};
        R1_ASSERT_OK(r1_backend_cpu()->forward[R1_OP_LINEAR](NULL, &a, &err), &err);
        for (int i = 0; i < 4; i++) {
            int64_t from = (int64_t)r1_rng_below(&rng, (uint64_t)rows),
                    some = 1 + (int64_t)r1_rng_below(&rng, (uint64_t)(rows - from));
            r1_view part = op_case_floats(some, k), out = op_case_floats(some, n);
            for (int64_t r = 0; r < some; r++)
                memcpy(r1_row(&part, r), r1_row(&x, from + r), sizeof(float) * (size_t)k);
            r1_op_args p = {.v = {[R1_LINEAR_X] = part,
                                  [R1_LINEAR_W] = w,
                                  [R1_LINEAR_B] = b,
                                  [R1_LINEAR_Y] = out}};
            void *packed = NULL;
            if (i % 2) R1_ASSERT_OK(r1_backend_cpu()->pack(&packed, &w, some, &err), &err);
            p.packed = packed;
            R1_ASSERT_OK(r1_backend_cpu()->forward[R1_OP_LINEAR](NULL, &p, &err), &err);
            bool same = true;
            for (int64_t r = 0; r < some; r++)
                same = same &&
                       !memcmp(r1_row(&out, r), r1_row(&y, from + r), sizeof(float) * (size_t)n);
            if (!same)
                fprintf(stderr, "K %d N %d: %lld rows from %lld of %lld differ\n", k, n,
                        (long long)some, (long long)from, (long long)rows);
            CU_ASSERT_TRUE(same);
            if (packed) r1_backend_cpu()->packed_free(packed);
            free(part.p);
            free(out.p);
        }
        op_case_free(&a);
    }
}

R1_TEST_MAIN("ops", {"forward against the reference", test_ops_forward},
             {"backward against the reference", test_ops_backward},
             {"gradients against finite differences", test_finite_differences},
             {"same row, same bits", test_ops_same_row_same_bits})
