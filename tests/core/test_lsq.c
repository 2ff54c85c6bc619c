/* SPDX-License-Identifier: Apache-2.0 */
/* test_lsq.c - the slopes of rounding to a learned step, which no finite difference of the
 * rounding itself shows: it is flat, then jumps.
 *
 * Two properties tie them to what they stand for. The op with its rounding error held fixed (the
 * straight-through estimate) is smooth: its finite differences are the slopes. And the mean
 * squared error over a smooth distribution is smooth in the step: its finite difference is what
 * the step's slope gives, from steps that clip most to steps too wide. */
#include "support/op_cases.h"
#include "support/r1_test.h"
#include "train/steps.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static r1_op_args lsq_new(int64_t rows, int32_t cols, int64_t steps, int32_t limit)
{
    r1_op_args a = {.v = {[R1_LSQ_X] = op_case_floats(rows, cols),
                          [R1_LSQ_STEP] = op_case_floats(steps, 1),
                          [R1_LSQ_Y] = op_case_floats(rows, cols)},
                    .g = {[R1_LSQ_X] = op_case_floats(rows, cols),
                          [R1_LSQ_STEP] = op_case_floats(steps, 1),
                          [R1_LSQ_Y] = op_case_floats(rows, cols)}};
    a.i[R1_LSQ_LIMIT] = limit;
    for (int64_t r = 0; r < rows; r++)
        memset(r1_row(&a.g[R1_LSQ_X], r), 0, sizeof(float) * (size_t)cols);
    for (int64_t r = 0; r < steps; r++) r1_row(&a.g[R1_LSQ_STEP], r)[0] = 0;
    return a;
}

static double lsq_limited(double v, double limit)
{
    return v > limit ? limit : v < -limit ? -limit : v;
}

/* sum of gy * y where the rounding error is that of x0 and step0. */
static double smooth_loss(const r1_op_args *a, int64_t r, double x_shift, int32_t at, double step)
{
    const float *x = r1_row(&a->v[R1_LSQ_X], r), *gy = r1_row(&a->g[R1_LSQ_Y], r);
    double step0 = r1_row(&a->v[R1_LSQ_STEP], r % a->v[R1_LSQ_STEP].rows)[0],
           limit = a->i[R1_LSQ_LIMIT], sum = 0;
    for (int32_t c = 0; c < a->v[R1_LSQ_X].cols; c++) {
        double v0 = lsq_limited(x[c] / step0, limit), moved = x[c] + (c == at ? x_shift : 0);
        sum += gy[c] * step * (lsq_limited(moved / step, limit) + (nearbyint(v0) - v0));
    }
    return sum;
}

static void test_straight_through(void)
{
    r1_err err = {0};
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    op_case_seed(r1_test_seed());
    for (int round = 0; round < 40; round++) {
        r1_op_args a;
        op_case_make(R1_OP_LSQ, &a);
        r1_op_args g = lsq_new(a.v[R1_LSQ_X].rows, a.v[R1_LSQ_X].cols, a.v[R1_LSQ_STEP].rows,
                               a.i[R1_LSQ_LIMIT]);
        memcpy(a.g, g.g, sizeof a.g);
        for (int k = 0; k < 3; k++) free(g.v[k].p);
        R1_ASSERT_OK(r1_backend_reference()->backward[R1_OP_LSQ](NULL, &a, &err), &err);
        double scale = 1 / sqrt(a.v[R1_LSQ_X].cols * (double)a.i[R1_LSQ_LIMIT]);
        for (int64_t s = 0; s < a.v[R1_LSQ_STEP].rows; s++) {
            double step = r1_row(&a.v[R1_LSQ_STEP], s)[0], h = 1e-5 * step, slope = 0,
                   got = r1_row(&a.g[R1_LSQ_STEP], s)[0];
            for (int64_t r = s; r < a.v[R1_LSQ_X].rows; r += a.v[R1_LSQ_STEP].rows)
                slope +=
                    (smooth_loss(&a, r, 0, -1, step + h) - smooth_loss(&a, r, 0, -1, step - h)) /
                    (2 * h);
            if (fabs(got - scale * slope) > 1e-4 + 1e-4 * fabs(got))
                printf("step %g: finite difference %g, gradient %g\n", step, scale * slope, got);
            CU_ASSERT(fabs(got - scale * slope) <= 1e-4 + 1e-4 * fabs(got));
        }
        for (int i = 0; i < 5; i++) {
            int64_t r = (int64_t)r1_rng_below(&rng, (uint64_t)a.v[R1_LSQ_X].rows);
            int32_t c = (int32_t)r1_rng_below(&rng, (uint64_t)a.v[R1_LSQ_X].cols);
            double step = r1_row(&a.v[R1_LSQ_STEP], r % a.v[R1_LSQ_STEP].rows)[0], h = 1e-4 * step;
            double slope =
                (smooth_loss(&a, r, h, c, step) - smooth_loss(&a, r, -h, c, step)) / (2 * h);
            CU_ASSERT_DOUBLE_EQUAL(r1_row(&a.g[R1_LSQ_X], r)[c], slope, 1e-5 + 1e-5 * fabs(slope));
        }
        op_case_free(&a);
    }
}

enum { MANY = 40000 };

/* Values whose distribution is the normal one, without chance: the same share of it between each
 * two. */
static void normal_row(r1_view *x)
{
    for (int32_t c = 0; c < x->cols; c++) {
        double want = (c + 0.5) / x->cols, low = -8, high = 8;
        for (int i = 0; i < 60; i++) {
            double middle = (low + high) / 2;
            *(0.5 * erfc(-middle / sqrt(2)) < want ? &low : &high) = middle;
        }
        r1_row(x, 0)[c] = (float)low;
    }
}

/* The mean squared error of x at this step; its slope by the step, by the op, in *slope. */
static double error_at(r1_op_args *a, double step, double *slope)
{
    r1_err err = {0};
    double sum = 0;
    r1_row(&a->v[R1_LSQ_STEP], 0)[0] = (float)step;
    r1_row(&a->g[R1_LSQ_STEP], 0)[0] = 0;
    R1_ASSERT_OK(r1_backend_reference()->forward[R1_OP_LSQ](NULL, a, &err), &err);
    for (int32_t c = 0; c < MANY; c++) {
        double e = r1_row(&a->v[R1_LSQ_Y], 0)[c] - r1_row(&a->v[R1_LSQ_X], 0)[c];
        sum += e * e / 2;
        r1_row(&a->g[R1_LSQ_Y], 0)[c] = (float)e;
    }
    R1_ASSERT_OK(r1_backend_reference()->backward[R1_OP_LSQ](NULL, a, &err), &err);
    *slope = r1_row(&a->g[R1_LSQ_STEP], 0)[0] * sqrt((double)MANY * a->i[R1_LSQ_LIMIT]) / MANY;
    return sum / MANY;
}

static void test_error_of_a_distribution(void)
{
    static const double steps[] = {0.004, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.4};
    op_case_seed(r1_test_seed());
    for (int limit = 7; limit <= R1_INT8_LIMIT; limit += R1_INT8_LIMIT - 7) {
        r1_op_args a = lsq_new(1, MANY, 1, limit);
        normal_row(&a.v[R1_LSQ_X]);
        for (size_t i = 0; i < R1_COUNT(steps); i++) {
            double h = 0.02 * steps[i], up, down, got;
            up = error_at(&a, steps[i] + h, &got);
            down = error_at(&a, steps[i] - h, &got);
            error_at(&a, steps[i], &got);
            double slope = (up - down) / (2 * h);
            if (fabs(got - slope) > 2e-4 + 0.05 * fabs(slope))
                printf("limit %d step %g: finite difference %g, gradient %g\n", limit, steps[i],
                       slope, got);
            CU_ASSERT(fabs(got - slope) <= 2e-4 + 0.05 * fabs(slope));
        }
        op_case_free(&a);
    }
}

/* The first step errs no more than any of a fine grid does by a tenth; nothing to fit gives
 * none. */
static void test_first_step(void)
{
    op_case_seed(r1_test_seed());
    r1_op_args a = lsq_new(1, MANY, 1, R1_INT8_LIMIT);
    double slope, least = INFINITY;
    for (int far = 0; far < 2; far++) {
        normal_row(&a.v[R1_LSQ_X]);
        if (far) r1_row(&a.v[R1_LSQ_X], 0)[7] = 12; /* one value far out should be clipped */
        float step = r1_step_fit(&a.v[R1_LSQ_X], 1, R1_INT8_LIMIT);
        for (double s = 0.005; s < 0.3; s *= 1.01) least = fmin(least, error_at(&a, s, &slope));
        CU_ASSERT(error_at(&a, step, &slope) <= 1.1 * least);
        CU_ASSERT(!far || step < 0.95f * 12 / R1_INT8_LIMIT);
        least = INFINITY;
    }
    r1_view none = a.v[R1_LSQ_X];
    none.rows = 0;
    CU_ASSERT_EQUAL(r1_step_fit(&none, 1, R1_INT8_LIMIT), 0);
    for (int32_t c = 0; c < MANY; c++) r1_row(&a.v[R1_LSQ_X], 0)[c] = 0;
    CU_ASSERT_EQUAL(r1_step_fit(&a.v[R1_LSQ_X], 1, R1_INT8_LIMIT), 0);
    op_case_free(&a);
}

/* What training computed with rounded values in f32 is what the 8-bit product computes from the
 * same steps. */
static void test_same_as_int8(void)
{
    r1_err err = {0};
    const r1_backend *cpu = r1_backend_cpu();
    op_case_seed(r1_test_seed());
    for (int32_t k = 1; k < 400; k = 2 * k + 5) {
        enum { M = 9, N = 21 };
        r1_op_args x = lsq_new(M, k, 1, R1_INT8_LEARNED), w = lsq_new(N, k, N, R1_INT8_LEARNED);
        r1_view bias = op_case_floats(1, N), y = op_case_floats(M, N), y8 = op_case_floats(M, N);
        float step[N];
        for (int64_t n = 0; n < N; n++)
            step[n] = r1_row(&w.v[R1_LSQ_STEP], n)[0] = 0.01f + 0.002f * (float)n;
        r1_row(&x.v[R1_LSQ_STEP], 0)[0] = 0.017f;
        R1_ASSERT_OK(cpu->forward[R1_OP_LSQ](NULL, &x, &err), &err);
        R1_ASSERT_OK(cpu->forward[R1_OP_LSQ](NULL, &w, &err), &err);
        r1_op_args f32 = {.v = {[R1_LINEAR_X] = x.v[R1_LSQ_Y],
                                [R1_LINEAR_W] = w.v[R1_LSQ_Y],
                                [R1_LINEAR_B] = bias,
                                [R1_LINEAR_Y] = y}},
                   int8 = {.v = {[R1_LINEAR_X] = x.v[R1_LSQ_X],
                                 [R1_LINEAR_W] = w.v[R1_LSQ_X],
                                 [R1_LINEAR_B] = bias,
                                 [R1_LINEAR_Y] = y8}};
        void *packed = NULL;
        R1_ASSERT_OK(cpu->pack_int8(&packed, &w.v[R1_LSQ_X], step, 0.017f, M, &err), &err);
        int8.packed = packed, int8.packed_as = R1_I8;
        R1_ASSERT_OK(r1_backend_reference()->forward[R1_OP_LINEAR](NULL, &f32, &err), &err);
        R1_ASSERT_OK(cpu->forward[R1_OP_LINEAR](NULL, &int8, &err), &err);
        CU_ASSERT_TRUE(op_case_equal("int8", &y, &y8, 1e-5, 1e-5));
        cpu->packed_free(packed);
        free(bias.p), free(y.p), free(y8.p);
        op_case_free(&x), op_case_free(&w);
    }
}

R1_TEST_MAIN("lsq", {"slopes of the straight-through estimate", test_straight_through},
             {"slope of a distribution's error", test_error_of_a_distribution},
             {"where steps begin", test_first_step}, {"the 8-bit product", test_same_as_int8})
