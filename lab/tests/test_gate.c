/* SPDX-License-Identifier: Apache-2.0 */
/* test_gate.c - the laboratory's output gate against its formula in double: values, and gradients
 * against the derivative.
 *
 * Tolerance: abs 2e-5 + rel 2e-5 (a polynomial exp in f32, values of size 1). Rows end at every
 * place of a vector. */
#include "experiments/gate.h"
#include "support/r1_test.h"

#include <math.h>

enum { ROWS = 5, COLS_MAX = 33 };

typedef struct {
    float v[GATE_VIEWS][ROWS * COLS_MAX], g[GATE_VIEWS][ROWS * COLS_MAX];
} numbers;

static r1_op_args gate_args(numbers *n, int32_t cols, r1_rng *rng)
{
    r1_op_args a = {0};
    for (int k = 0; k < GATE_VIEWS; k++) {
        a.v[k] = (r1_view){n->v[k], ROWS, cols, R1_F32, cols};
        a.g[k] = (r1_view){n->g[k], ROWS, cols, R1_F32, cols};
        for (int i = 0; i < ROWS * cols; i++) {
            n->v[k][i] = (float)(2 * r1_rng_normal(rng));
            n->g[k][i] = k == GATE_Y ? (float)r1_rng_normal(rng) : 0;
        }
    }
    return a;
}

static bool gate_near(double expected, float got)
{
    return fabs(expected - (double)got) <= 2e-5 + 2e-5 * fabs(expected);
}

static void test_gate(void)
{
    static numbers n;
    r1_err err = {0};
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int32_t cols = 1; cols <= COLS_MAX; cols++) {
        r1_op_args a = gate_args(&n, cols, &rng);
        R1_ASSERT_OK(gate_op.forward(NULL, &a, &err), &err);
        R1_ASSERT_OK(gate_op.backward(NULL, &a, &err), &err);
        for (int i = 0; i < ROWS * cols; i++) {
            double x = n.v[GATE_X][i], open = 1 / (1 + exp(-(double)n.v[GATE_G][i])),
                   gy = n.g[GATE_Y][i];
            CU_ASSERT_TRUE(gate_near(x * open, n.v[GATE_Y][i]));
            CU_ASSERT_TRUE(gate_near(gy * open, n.g[GATE_X][i]));
            CU_ASSERT_TRUE(gate_near(gy * x * open * (1 - open), n.g[GATE_G][i]));
        }
    }
}

R1_TEST_MAIN("gate", {"values and gradients", test_gate})
