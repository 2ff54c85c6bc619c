/* SPDX-License-Identifier: Apache-2.0 */
/* test_int8.c - the 8-bit product against a scalar twin, bit for bit: sums are exact, the
 * epilogue is rounded the same way everywhere, a row does not see its neighbours. Run once per
 * instruction set: R1_ISA names it. */
#include "cpu/cpu_int8.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* false, after a line: this processor (or R1_ISA) runs another instruction set than the one that
 * was asked for. */
static bool wanted_isa(void)
{
    const char *wanted = getenv("R1_ISA");
    if (!wanted || !strcmp(wanted, r1_cpu_int8_isa())) return true;
    printf("skipped: R1_ISA=%s, this processor runs %s\n", wanted, r1_cpu_int8_isa());
    return false;
}

typedef struct {
    int32_t m, n, k, x_ld, y_ld;
    float *x, *w, *b, *y;
    const float *w_step; /* learned steps; NULL and 0: none */
    float x_step;
    r1_packed_int8 *packed;
} product;

static product int8_make(int32_t m, int32_t n, int32_t k)
{
    product p = {.m = m, .n = n, .k = k, .x_ld = k + 3, .y_ld = n + 5};
    p.x = calloc((size_t)(m * p.x_ld) + 1, sizeof(float));
    p.w = calloc((size_t)(n * k) + 1, sizeof(float));
    p.b = calloc((size_t)n + 1, sizeof(float));
    p.y = calloc((size_t)(m * p.y_ld) + 1, sizeof(float));
    CU_ASSERT_TRUE_FATAL(p.x && p.w && p.b && p.y);
    for (int32_t i = 0; i < m * p.y_ld; i++) p.y[i] = 7;
    return p;
}

static void int8_drop(product *p)
{
    free(p->x);
    free(p->w);
    free(p->b);
    free(p->y);
    free(p->packed);
}

static void int8_multiply(product *p, const float *bias)
{
    r1_err err;
    r1_view w = {p->w, p->n, p->k, R1_F32, p->k}, x = {p->x, p->m, p->k, R1_F32, p->x_ld},
            y = {p->y, p->m, p->n, R1_F32, p->y_ld};
    if (!p->packed)
        R1_ASSERT_OK(r1_cpu_int8_pack(&p->packed, &w, p->w_step, p->x_step, &err), &err);
    r1_cpu_int8_product(&x, p->packed, bias, &y);
}

/* ---- the twin: plain C over one result ---- */

static float twin_scale(const float *v, int32_t k)
{
    float most = 0;
    for (int32_t i = 0; i < k; i++) most = fabsf(v[i]) > most ? fabsf(v[i]) : most;
    return most < 1e-30f ? 0 : most;
}

/* What a number is multiplied by before it is rounded: by a learned step, or so that the largest
 * of v becomes the limit. */
static float twin_inverse(const float *v, int32_t k, float step, float limit)
{
    float most = step > 0 ? 1 : twin_scale(v, k);
    return step > 0 ? 1 / step : most == 0 ? 0 : limit / most;
}

static int64_t twin_round(float v, float limit)
{
    return (int64_t)nearbyintf(fmaxf(fminf(v, limit), -limit));
}

static float int8_twin(const product *p, int32_t m, int32_t n, const float *bias)
{
    const float *x = p->x + (int64_t)m * p->x_ld, *w = p->w + (int64_t)n * p->k;
    float step = p->w_step ? p->w_step[n] : 0, most = p->x_step > 0 ? 63 : 127;
    float ix = twin_inverse(x, p->k, p->x_step, most), iw = twin_inverse(w, p->k, step, most);
    float sx = p->x_step > 0 ? p->x_step : twin_scale(x, p->k) / 127;
    float sw = step > 0 ? step : twin_scale(w, p->k) / most;
    int64_t sum = 0;
    for (int32_t i = 0; i < p->k; i++)
        sum += twin_round(x[i] * ix, most) * twin_round(w[i] * iw, most);
    return (float)sum * (sw * sx) + (bias ? bias[n] : 0);
}

static void int8_check(const product *p, const float *bias, const char *what)
{
    int wrong = 0;
    for (int32_t m = 0; m < p->m; m++) {
        for (int32_t n = 0; n < p->n; n++) {
            float expected = int8_twin(p, m, n, bias), got = p->y[(int64_t)m * p->y_ld + n];
            if (memcmp(&expected, &got, sizeof got) && !(expected == 0 && got == 0) && !wrong++)
                printf("%s %d x %d x %d: y[%d][%d] expected %.9g, got %.9g\n", what, p->m, p->n,
                       p->k, m, n, (double)expected, (double)got);
        }
        for (int32_t n = p->n; n < p->y_ld; n++) wrong += p->y[(int64_t)m * p->y_ld + n] != 7;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static const struct {
    int32_t m, n, k;
} shapes[] = {{1, 1, 1},     {1, 16, 4},   {2, 17, 5},    {3, 31, 7},     {5, 32, 8},
              {7, 33, 15},   {11, 8, 16},  {13, 48, 17},  {64, 128, 128}, {97, 65, 131},
              {400, 20, 33}, {5, 3, 2048}, {30, 64, 513}, {3, 18, 16384}};

static float int8_whole(r1_rng *rng, int most)
{
    return (float)((int)r1_rng_below(rng, 2 * (uint64_t)most + 1) - most);
}

/* Integers with scale 1 (a 127 in each row, or learned steps of 1): what comes out is the sum
 * itself. */
static void exact_sums(int most, float x_step)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    float big = (float)most;
    for (size_t s = 0; s < R1_COUNT(shapes); s++)
        for (int extreme = 0; extreme < 2; extreme++) {
            product p = int8_make(shapes[s].m, shapes[s].n, shapes[s].k);
            p.x_step = x_step;
            for (int32_t i = 0; i < p.m * p.x_ld; i++)
                p.x[i] = extreme ? (r1_rng_below(&rng, 8) ? big : -big) : int8_whole(&rng, most);
            for (int32_t i = 0; i < p.n * p.k; i++)
                p.w[i] = extreme ? (i / p.k % 2 ? -big : big) : int8_whole(&rng, most);
            for (int32_t m = 0; m < p.m; m++)
                p.x[(int64_t)m * p.x_ld + m % p.k] = m % 2 ? -big : big;
            for (int32_t n = 0; n < p.n; n++) p.w[(int64_t)n * p.k + n % p.k] = big;
            int8_multiply(&p, NULL);
            int8_check(&p, NULL, extreme ? "extreme" : "integers");
            int wrong = 0;
            for (int32_t m = 0; m < p.m; m++)
                for (int32_t n = 0; n < p.n; n++) {
                    int64_t sum = 0;
                    for (int32_t k = 0; k < p.k; k++)
                        sum += (int64_t)p.x[(int64_t)m * p.x_ld + k] *
                               (int64_t)p.w[(int64_t)n * p.k + k];
                    wrong += p.y[(int64_t)m * p.y_ld + n] != (float)sum;
                }
            CU_ASSERT_EQUAL(wrong, 0);
            int8_drop(&p);
        }
}

static void test_exact_sums(void)
{
    if (!wanted_isa()) return;
    exact_sums(127, 0);
    exact_sums(63, 1);
}

static void int8_fill(product *p, r1_rng *rng)
{
    for (int32_t i = 0; i < p->m * p->x_ld; i++)
        p->x[i] = (float)(r1_rng_normal(rng) * (i % 7 ? 1 : 5));
    for (int32_t i = 0; i < p->n * p->k; i++) p->w[i] = (float)r1_rng_normal(rng) * 0.1f;
    for (int32_t i = 0; i < p->n; i++) p->b[i] = (float)r1_rng_normal(rng);
}

/* The whole layer equals the twin, and lies within half a step of each factor of the product in
 * double. */
static void test_whole_layer(void)
{
    if (!wanted_isa()) return;
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed() + 1);
    for (size_t s = 0; s < R1_COUNT(shapes); s++) {
        product p = int8_make(shapes[s].m, shapes[s].n, shapes[s].k);
        int8_fill(&p, &rng);
        int8_multiply(&p, p.b);
        int8_check(&p, p.b, "normal");
        int outside = 0;
        for (int32_t m = 0; m < p.m; m++)
            for (int32_t n = 0; n < p.n; n++) {
                const float *x = p.x + (int64_t)m * p.x_ld, *w = p.w + (int64_t)n * p.k;
                double sum = p.b[n], hx = twin_scale(x, p.k) / 254, hw = twin_scale(w, p.k) / 254,
                       bound = 1e-5;
                for (int32_t k = 0; k < p.k; k++) {
                    sum += (double)x[k] * w[k];
                    bound += 1.0001 * (hx * fabs((double)w[k]) + hw * fabs((double)x[k]) + hx * hw);
                }
                outside += fabs(sum - p.y[(int64_t)m * p.y_ld + n]) > bound;
            }
        CU_ASSERT_EQUAL(outside, 0);
        int8_drop(&p);
    }
}

/* Learned steps, from so narrow that most is cut off to so wide that little is left. */
static void test_learned_steps(void)
{
    if (!wanted_isa()) return;
    static const float widths[] = {1e-4f, 0.01f, 0.04f, 1.0f};
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed() + 4);
    for (size_t s = 0; s < R1_COUNT(shapes); s++)
        for (size_t i = 0; i < R1_COUNT(widths); i++) {
            product p = int8_make(shapes[s].m, shapes[s].n, shapes[s].k);
            float *step = calloc((size_t)p.n, sizeof *step);
            int8_fill(&p, &rng);
            for (int32_t n = 0; n < p.n; n++)
                step[n] = widths[i] * (0.5f + (float)r1_rng_unit(&rng));
            p.x_step = 10 * widths[i];
            p.w_step = s % 3 ? step : NULL; /* both, or those of activations alone */
            int8_multiply(&p, p.b);
            int8_check(&p, p.b, "learned");
            int8_drop(&p);
            free(step);
        }
}

/* With learned steps too a value beyond f32's range over its step is cut, and a channel that holds
 * what is no number gives NaN alone. */
static void test_learned_odd(void)
{
    if (!wanted_isa()) return;
    enum { M = 5, N = 19, K = 70 };
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed() + 5);
    product p = int8_make(M, N, K);
    int8_fill(&p, &rng);
    float step[N];
    for (int n = 0; n < N; n++) step[n] = 0.01f;
    p.w_step = step;
    p.x_step = 0.02f;
    p.x[p.x_ld + 3] = -3e38f;
    p.x[2 * p.x_ld + K - 1] = 3e38f;
    p.w[4 * K + 7] = NAN;
    p.w[9 * K + K - 1] = INFINITY;
    int8_multiply(&p, p.b);
    for (int m = 0; m < M; m++)
        for (int n = 0; n < N; n++) {
            float y = p.y[(int64_t)m * p.y_ld + n];
            CU_ASSERT_EQUAL((bool)isnan(y), n == 4 || n == 9);
            if (n != 4 && n != 9) CU_ASSERT_EQUAL(y, int8_twin(&p, m, n, p.b));
        }
    int8_drop(&p);
}

/* Rows alone, and all but the first, give the bits that they have together. */
static void test_int8_same_row_same_bits(void)
{
    if (!wanted_isa()) return;
    enum { M = 410, N = 37, K = 67 };
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed() + 2);
    product p = int8_make(M, N, K);
    int8_fill(&p, &rng);
    int8_multiply(&p, p.b);
    for (int32_t first = 0; first < M; first++) {
        float y[M * N];
        int64_t rows = first == 1 ? M - 1 : 1;
        r1_view x = {p.x + (int64_t)first * p.x_ld, rows, K, R1_F32, p.x_ld},
                to = {y, rows, N, R1_F32, N};
        r1_cpu_int8_product(&x, p.packed, p.b, &to);
        for (int64_t r = 0; r < rows; r++)
            CU_ASSERT_EQUAL(memcmp(y + r * N, p.y + (first + r) * p.y_ld, N * sizeof(float)), 0);
    }
    int8_drop(&p);
}

/* NaN and infinity give NaN in their own row alone; nothing gives the bias. */
static void odd_rows(float x_step)
{
    enum { M = 6, N = 19, K = 21 };
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed() + 3);
    product p = int8_make(M, N, K);
    p.x_step = x_step;
    int8_fill(&p, &rng);
    float *row[M];
    for (int m = 0; m < M; m++) row[m] = p.x + (int64_t)m * p.x_ld;
    row[0][K - 1] = NAN;
    row[2][3] = -INFINITY;
    for (int k = 0; k < K; k++) row[3][k] = 0, row[4][k] = 1e-38f;
    int8_multiply(&p, p.b);
    for (int m = 0; m < M; m++)
        for (int n = 0; n < N; n++) {
            float y = p.y[(int64_t)m * p.y_ld + n];
            CU_ASSERT_EQUAL((bool)isnan(y), m == 0 || m == 2);
            if (m == 3 || m == 4) CU_ASSERT_EQUAL(y, p.b[n]);
            if (m == 1 || m == 5) CU_ASSERT_EQUAL(y, int8_twin(&p, m, n, p.b));
        }
    int8_drop(&p);
}

/* A weight too wide is refused, and so is a step that is none. */
static void test_odd_rows(void)
{
    if (!wanted_isa()) return;
    static const float bad[] = {-1, NAN, INFINITY, 1e-38f};
    odd_rows(0);
    odd_rows(0.02f);
    r1_err err;
    float one = 1;
    r1_packed_int8 *packed = NULL;
    r1_view small = {&one, 1, 1, R1_F32, 1};
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        CU_ASSERT_EQUAL(r1_cpu_int8_pack(&packed, &small, &bad[i], 1, &err), R1_E_INVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "step 0 of the weight"));
        CU_ASSERT_EQUAL(r1_cpu_int8_pack(&packed, &small, &one, bad[i], &err), R1_E_INVAL);
    }
    CU_ASSERT_EQUAL(r1_cpu_int8_pack(&packed, &small, &one, 0, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "one of the activations"));
    r1_view wide = {&one, 1, R1_INT8_K_MAX + 1, R1_F32, 0};
    CU_ASSERT_EQUAL(r1_cpu_int8_pack(&packed, &wide, NULL, 0, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "at most 16384"));
}

R1_TEST_MAIN("int8", {"exact sums", test_exact_sums}, {"whole layer", test_whole_layer},
             {"learned steps", test_learned_steps}, {"learned steps, odd values", test_learned_odd},
             {"same row, same bits", test_int8_same_row_same_bits}, {"odd rows", test_odd_rows})
