/* SPDX-License-Identifier: Apache-2.0 */
/* test_attend.c - attention where its blocks, chunks and tiles meet: long and ragged segments,
 * causal and not, with and without lists, biases and weights, keys and values in f32 and bf16,
 * against the scalar reference; and a segment's bits whatever lies around it and whichever
 * thread runs it.
 *
 * Tolerances: forward abs 5e-5 + rel 5e-5 (scores reach 50 in size, where f32 has steps of 4e-6,
 * and stand in an exponent); gradients abs 3e-4 + rel 3e-4. Products of bf16 in pairs
 * (R1_ISA=avx512bf16, widebf16) round queries, which the reference then gets rounded too, and
 * weights: see spread(). */
#include "cpu/cpu_product.h"
#include "support/r1_test.h"
#include "tensor/r1_op.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static r1_rng rng;

typedef struct {
    r1_op_args a;
    int32_t q_off[16], k_off[16];
    int32_t n_seg;
    bool scaled; /* scores are of size 1, else of the root of the head's width */
} attention;

static void *attend_halves(const float *from, size_t n)
{
    uint16_t *to = malloc(n * sizeof *to);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, from + i, sizeof bits);
        to[i] = (uint16_t)(bits >> 16);
    }
    return to;
}

static r1_view attend_normals(int64_t rows, int32_t cols, double by, bool bf16)
{
    int64_t ld = cols + 3, n = rows * ld + 1;
    float *p = malloc(sizeof *p * (size_t)n);
    for (int64_t i = 0; i < n; i++) p[i] = i % ld < cols ? (float)(r1_rng_normal(&rng) * by) : NAN;
    r1_view v = {p, rows, cols, R1_F32, ld};
    if (bf16) {
        v.p = attend_halves(p, (size_t)n);
        v.dtype = R1_BF16;
        free(p);
    }
    return v;
}

static r1_view attend_numbers(int32_t n, int32_t below)
{
    int32_t *p = malloc(sizeof *p * ((size_t)n + 1));
    for (int32_t i = 0; i < n; i++) p[i] = (int32_t)r1_rng_below(&rng, (uint64_t)below);
    return (r1_view){p, 1, n, R1_I32, n};
}

static void attend_make(attention *t, bool causal, bool bf16, bool lists)
{
    static const int32_t lengths[] = {0, 1, 7, 8, 9, 13, 64, 127, 128, 129, 300, 504, 505, 1025};
    static const int32_t widths[] = {1, 5, 8, 16, 24, 32, 33, 64, 128, 136};
    int32_t heads = 1 + (int32_t)r1_rng_below(&rng, 3),
            d = heads * widths[r1_rng_below(&rng, R1_COUNT(widths))];
    memset(t, 0, sizeof *t);
    if (bf16 && d / heads > 128) d = heads * 32;
    t->n_seg = 1 + (int32_t)r1_rng_below(&rng, 3);
    for (int32_t s = 0; s < t->n_seg; s++) {
        int32_t n = lengths[r1_rng_below(&rng, R1_COUNT(lengths))];
        t->q_off[s + 1] = t->q_off[s] + n;
        if (!causal && r1_rng_below(&rng, 2)) n = lengths[r1_rng_below(&rng, R1_COUNT(lengths))];
        t->k_off[s + 1] = t->k_off[s] + n;
    }
    int32_t rows = t->q_off[t->n_seg], keys = t->k_off[t->n_seg];
    if ((int64_t)rows * keys * d > 20000000) d = heads * 5; /* the reference takes its time */
    int32_t listed = lists ? 40 : keys;
    r1_op_args *a = &t->a;
    t->scaled = r1_rng_below(&rng, 3);
    double sharp = t->scaled ? 1 / sqrt((double)d / heads) : 1;
    a->v[R1_ATTEND_Q] = attend_normals(rows, d, sharp, false);
    a->v[R1_ATTEND_K] = attend_normals(listed, d, 1, bf16);
    a->v[R1_ATTEND_V] = attend_normals(listed, d, 1, bf16);
    a->v[R1_ATTEND_Q_OFF] = (r1_view){t->q_off, 1, t->n_seg + 1, R1_I32, t->n_seg + 1};
    a->v[R1_ATTEND_K_OFF] = (r1_view){t->k_off, 1, t->n_seg + 1, R1_I32, t->n_seg + 1};
    if (lists) {
        a->v[R1_ATTEND_INDEX] = attend_numbers(keys, listed);
        a->v[R1_ATTEND_BUCKET] = attend_numbers(keys, 4);
        a->v[R1_ATTEND_BIAS] = attend_normals(heads, 4, 1, false);
        a->v[R1_ATTEND_LOG_WEIGHT] = attend_normals(1, keys, 1, false);
    }
    a->v[R1_ATTEND_Y] = attend_normals(rows, d, 1, false);
    a->i[R1_ATTEND_HEADS] = heads;
    a->i[R1_ATTEND_CAUSAL] = causal;
    if (r1_rng_below(&rng, 2)) return;
    int32_t rank = 1 + (int32_t)r1_rng_below(&rng, R1_ATTEND_RANK_MAX);
    a->v[R1_ATTEND_FACTOR_Q] = attend_normals(rows, heads * rank, 1 / sqrt((double)rank), false);
    a->v[R1_ATTEND_FACTOR_K] = attend_normals(listed, heads * rank, 1, false);
    a->f[R1_ATTEND_BETA] = 0.6f;
}

static void attend_drop(attention *t)
{
    for (int k = 0; k < R1_OP_VIEWS; k++) {
        if (k != R1_ATTEND_Q_OFF && k != R1_ATTEND_K_OFF) free(t->a.v[k].p);
        free(t->a.g[k].p);
    }
}

/* more: what is tolerated beside, for each; NULL: nothing. */
static bool attend_near(const char *what, const r1_view *expected, const r1_view *got,
                        double tolerance, const r1_view *more)
{
    for (int64_t r = 0; r < expected->rows; r++)
        for (int32_t c = 0; c < expected->cols; c++) {
            double x = r1_row(expected, r)[c], y = r1_row(got, r)[c];
            if (fabs(x - y) <= tolerance + tolerance * fabs(x) + (more ? r1_row(more, r)[c] : 0))
                continue;
            fprintf(stderr, "%s row %lld column %d: expected %.9g, found %.9g\n", what,
                    (long long)r, c, x, y);
            return false;
        }
    return true;
}

static r1_view same_shape(const r1_view *v, float with)
{
    r1_view z = {malloc(sizeof(float) * (size_t)(v->rows * v->ld + 1)), v->rows, v->cols, R1_F32,
                 v->ld};
    for (int64_t i = 0; i < v->rows * v->ld; i++) ((float *)z.p)[i] = with;
    return z;
}

/* ---- bf16 in pairs ---- */

static const double unit =
    1.0 / 256; /* what rounding to bf16, of 8 significant bits, changes at most, relative */

/* Queries are rounded where they go by tiles: in segments of eight and more. */
static r1_view rounded_queries(const attention *t)
{
    r1_view q = same_shape(&t->a.v[R1_ATTEND_Q], 0);
    int e;
    for (int32_t s = 0; s < t->n_seg; s++)
        for (int32_t r = t->q_off[s]; r < t->q_off[s + 1]; r++)
            for (int32_t c = 0; c < q.cols; c++) {
                float x = r1_row(&t->a.v[R1_ATTEND_Q], r)[c];
                double part = frexp(x, &e);
                if (t->q_off[s + 1] - t->q_off[s] >= 8)
                    x = (float)ldexp(rint(ldexp(part, 8)), e - 8);
                r1_row(&q, r)[c] = x;
            }
    return q;
}

static r1_view attend_squares(const r1_view *half)
{
    r1_view v = same_shape(half, 0);
    for (int64_t i = 0; i < v.rows * v.ld; i++) {
        uint32_t bits = (uint32_t)((const uint16_t *)half->p)[i] << 16;
        float x;
        memcpy(&x, &bits, sizeof x);
        ((float *)v.p)[i] = x * x;
    }
    return v;
}

static r1_view by_reference(r1_op_args a)
{
    r1_err err = {0};
    a.v[R1_ATTEND_Y] = same_shape(&a.v[R1_ATTEND_Y], NAN);
    R1_ASSERT_OK(r1_backend_reference()->forward[R1_OP_ATTEND](NULL, &a, &err), &err);
    return a.v[R1_ATTEND_Y];
}

/* How far y = sum p v may move where each weight p changes by up to `unit` and their sum is one
 * again: a weight then changes by up to 2 unit / (1 - unit), and as the changes cancel, y by
 * that times sum p |v - y|, which the values' standard deviation bounds. */
static r1_view attend_spread(r1_op_args a, const r1_view *y)
{
    r1_view v = attend_squares(&a.v[R1_ATTEND_V]);
    a.v[R1_ATTEND_V] = v;
    r1_view more = by_reference(a);
    for (int64_t r = 0; r < more.rows; r++)
        for (int32_t c = 0; c < more.cols; c++) {
            float *m = r1_row(&more, r) + c, mean = r1_row(y, r)[c];
            *m = (float)(2 * unit / (1 - unit) * sqrt(fmax((double)*m - (double)mean * mean, 0)));
        }
    free(v.p);
    return more;
}

typedef struct {
    double furthest, square, n;
} deviation;

static void attend_deviate(deviation *d, const r1_view *expected, const r1_view *got)
{
    for (int64_t r = 0; r < got->rows; r++)
        for (int32_t c = 0; c < got->cols; c++, d->n++) {
            double by = fabs((double)r1_row(expected, r)[c] - (double)r1_row(got, r)[c]);
            d->furthest = fmax(d->furthest, by);
            d->square += by * by;
        }
}

static void print_deviation(const char *of, const deviation *d)
{
    if (d->n > 0)
        printf("\n    bf16 in pairs, scores of size %s, values of size 1: furthest from f32 %.4f, "
               "on average (rms) %.5f ",
               of, d->furthest, sqrt(d->square / d->n));
}

static void test_attend_forward(void)
{
    r1_err err = {0};
    deviation from_f32[2] = {0};
    r1_rng_seed(&rng, r1_test_seed());
    for (int round = 0; round < 24; round++) {
        attention t;
        attend_make(&t, round & 1, round & 2, round & 4);
        bool pairs = round & 2 && r1_cpu_kernel()->pairs;
        if (pairs && round & 8) /* a mean of equal values is that value, whatever the weights */
            for (int64_t i = 0; i < t.a.v[R1_ATTEND_V].rows * t.a.v[R1_ATTEND_V].ld; i++)
                ((uint16_t *)t.a.v[R1_ATTEND_V].p)[i] = 0x3fc0;
        CU_ASSERT_TRUE(r1_backend_cpu()->supports(R1_OP_ATTEND, &t.a));
        R1_ASSERT_OK(r1_backend_cpu()->forward[R1_OP_ATTEND](NULL, &t.a, &err), &err);
        r1_view expected = by_reference(t.a), more = {0};
        if (pairs) {
            r1_op_args a = t.a;
            if (!(round & 8)) attend_deviate(&from_f32[t.scaled], &expected, &t.a.v[R1_ATTEND_Y]);
            free(expected.p);
            a.v[R1_ATTEND_Q] = rounded_queries(&t);
            expected = by_reference(a);
            more = attend_spread(a, &expected);
            free(a.v[R1_ATTEND_Q].p);
        }
        CU_ASSERT_TRUE(
            attend_near("attend", &expected, &t.a.v[R1_ATTEND_Y], 5e-5, pairs ? &more : NULL));
        free(expected.p);
        free(more.p);
        attend_drop(&t);
    }
    print_deviation("1", &from_f32[1]);
    print_deviation("of the root of the head's width", &from_f32[0]);
}

static float attend_flushed(float x) { return fpclassify(x) == FP_SUBNORMAL ? copysignf(0, x) : x; }

static float attend_half_of(float pair, bool upper)
{
    uint32_t bits;
    memcpy(&bits, &pair, sizeof bits);
    bits = upper ? bits & 0xffff0000 : bits << 16;
    memcpy(&pair, &bits, sizeof bits);
    return attend_flushed(pair);
}

/* Pairs of normals of very different size, and of subnormal numbers. */
static float *some_pairs(size_t n)
{
    float *to = malloc(sizeof *to * (n + 1));
    for (size_t i = 0; i < n; i++) {
        uint32_t pair = 0;
        for (int half = 0; half < 2; half++) {
            float x = (float)ldexp(r1_rng_normal(&rng),
                                   r1_rng_below(&rng, 8) ? (int)r1_rng_below(&rng, 40) - 20 : -130);
            uint32_t bits;
            memcpy(&bits, &x, sizeof bits);
            pair = pair << 16 | bits >> 16;
        }
        memcpy(to + i, &pair, sizeof pair);
    }
    return to;
}

/* A tile of pairs to the bit: fused multiply-adds one by one, the upper half first, subnormal
 * numbers as zero. */
static void test_pairs(void)
{
    static const int32_t lengths[] = {0, 1, 2, 7, 64};
    const r1_kernel *kn = r1_cpu_kernel();
    r1_rng_seed(&rng, r1_test_seed() + 5);
    for (int rows = 1; kn->pairs && rows <= kn->rows; rows++)
        for (size_t l = 0; l < R1_COUNT(lengths); l++) {
            int32_t k = lengths[l], cols = 1 + (int32_t)r1_rng_below(&rng, (uint64_t)kn->cols),
                    x_ld = k + 3;
            float *x = some_pairs((size_t)(rows * x_ld)),
                  *panel = some_pairs((size_t)(k * kn->cols));
            r1_view y = attend_normals(rows, cols, r1_rng_below(&rng, 4) ? 1 : 1e-39, false),
                    expected = same_shape(&y, 0);
            for (int32_t i = 0; i < rows * cols; i++) {
                float sum = r1_row(&y, i / cols)[i % cols];
                for (int32_t j = 0; j < 2 * k; j++) {
                    float a = x[i / cols * x_ld + j / 2], b = panel[j / 2 * kn->cols + i % cols];
                    sum = attend_flushed(fmaf(attend_half_of(a, j % 2 == 0),
                                              attend_half_of(b, j % 2 == 0), attend_flushed(sum)));
                }
                r1_row(&expected, i / cols)[i % cols] = sum;
            }
            kn->pairs(rows, &(r1_tile){k, x, x_ld, panel, NULL, y.p, y.ld, cols});
            for (int32_t r = 0; r < rows; r++)
                CU_ASSERT_EQUAL(
                    memcmp(r1_row(&y, r), r1_row(&expected, r), sizeof(float) * (size_t)cols), 0);
            free(x);
            free(panel);
            free(y.p);
            free(expected.p);
        }
}

static const int gradient[] = {R1_ATTEND_Q,    R1_ATTEND_K,        R1_ATTEND_V,
                               R1_ATTEND_BIAS, R1_ATTEND_FACTOR_Q, R1_ATTEND_FACTOR_K};

static void test_attend_backward(void)
{
    r1_err err = {0};
    r1_rng_seed(&rng, r1_test_seed() + 1);
    for (int round = 0; round < 12; round++) {
        attention t;
        r1_view expected[R1_OP_VIEWS] = {0};
        attend_make(&t, round & 1, round & 2, round & 4);
        R1_ASSERT_OK(r1_backend_reference()->forward[R1_OP_ATTEND](NULL, &t.a, &err), &err);
        t.a.g[R1_ATTEND_Y] =
            attend_normals(t.a.v[R1_ATTEND_Y].rows, t.a.v[R1_ATTEND_Y].cols, 1, false);
        for (int64_t r = 0; round % 3 && r < t.a.g[R1_ATTEND_Y].rows;
             r += round % 3) /* rows that nobody read */
            memset(r1_row(&t.a.g[R1_ATTEND_Y], r), 0,
                   sizeof(float) * (size_t)t.a.g[R1_ATTEND_Y].cols);
        for (int half = 0; half < 2; half++) {
            for (size_t i = 0; i < R1_COUNT(gradient); i++)
                if (t.a.v[gradient[i]].p) t.a.g[gradient[i]] = same_shape(&t.a.v[gradient[i]], 0);
            const r1_backend *b = half ? r1_backend_cpu() : r1_backend_reference();
            R1_ASSERT_OK(b->backward[R1_OP_ATTEND](NULL, &t.a, &err), &err);
            for (size_t i = 0; i < R1_COUNT(gradient) && !half; i++)
                expected[gradient[i]] = t.a.g[gradient[i]];
        }
        for (size_t i = 0; i < R1_COUNT(gradient); i++) {
            int k = gradient[i];
            if (t.a.v[k].p)
                CU_ASSERT_TRUE(attend_near("gradient", &expected[k], &t.a.g[k], 3e-4, NULL));
            free(expected[k].p);
        }
        attend_drop(&t);
    }
}

/* Each segment alone gives the bits that it has in the batch. */
static void test_same_bits(void)
{
    r1_err err = {0};
    r1_rng_seed(&rng, r1_test_seed() + 2);
    for (int round = 0; round < 16; round++) {
        attention t;
        attend_make(&t, round & 1, round & 2, round & 4);
        R1_ASSERT_OK(r1_backend_cpu()->forward[R1_OP_ATTEND](NULL, &t.a, &err), &err);
        for (int32_t s = 0; s < t.n_seg; s++) {
            r1_op_args one = t.a;
            int32_t q_off[2] = {0, t.q_off[s + 1] - t.q_off[s]},
                    k_off[2] = {t.k_off[s], t.k_off[s + 1]};
            one.v[R1_ATTEND_Q].p = r1_row(&t.a.v[R1_ATTEND_Q], t.q_off[s]);
            if (one.v[R1_ATTEND_FACTOR_Q].p)
                one.v[R1_ATTEND_FACTOR_Q].p = r1_row(&t.a.v[R1_ATTEND_FACTOR_Q], t.q_off[s]);
            one.v[R1_ATTEND_Y] = attend_normals(q_off[1], t.a.v[R1_ATTEND_Y].cols, 1, false);
            one.v[R1_ATTEND_Q_OFF] = (r1_view){q_off, 1, 2, R1_I32, 2};
            one.v[R1_ATTEND_K_OFF] = (r1_view){k_off, 1, 2, R1_I32, 2};
            R1_ASSERT_OK(r1_backend_cpu()->forward[R1_OP_ATTEND](NULL, &one, &err), &err);
            for (int32_t r = 0; r < q_off[1]; r++)
                CU_ASSERT_EQUAL(memcmp(r1_row(&one.v[R1_ATTEND_Y], r),
                                       r1_row(&t.a.v[R1_ATTEND_Y], t.q_off[s] + r),
                                       sizeof(float) * (size_t)t.a.v[R1_ATTEND_Y].cols),
                                0);
            free(one.v[R1_ATTEND_Y].p);
        }
        attend_drop(&t);
    }
}

static void *attend_run(void *ctx)
{
    r1_err err;
    return r1_backend_cpu()->forward[R1_OP_ATTEND](NULL, ctx, &err) == R1_OK ? NULL : ctx;
}

static void test_attend_threads(void)
{
    attention t;
    r1_op_args each[4];
    pthread_t thread[4];
    void *failed;
    r1_rng_seed(&rng, r1_test_seed() + 3);
    attend_make(&t, true, false, false);
    while (t.q_off[t.n_seg] < 100) {
        attend_drop(&t);
        attend_make(&t, true, false, false);
    }
    for (int i = 0; i < 4; i++) {
        each[i] = t.a;
        each[i].v[R1_ATTEND_Y] = same_shape(&t.a.v[R1_ATTEND_Y], 0);
        pthread_create(&thread[i], NULL, attend_run, &each[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], &failed);
        CU_ASSERT_PTR_NULL(failed);
        CU_ASSERT_EQUAL(
            memcmp(each[i].v[R1_ATTEND_Y].p, each[0].v[R1_ATTEND_Y].p,
                   sizeof(float) * (size_t)(t.a.v[R1_ATTEND_Y].rows * t.a.v[R1_ATTEND_Y].ld)),
            0);
    }
    for (int i = 0; i < 4; i++) free(each[i].v[R1_ATTEND_Y].p);
    attend_drop(&t);
}

/* What is not a number in a key shows in every query that sees it, and in no other segment. */
static void test_not_a_number(void)
{
    r1_err err = {0};
    for (int round = 0; round < 4; round++) {
        int32_t n = round & 1 ? 40 : 4, off[3] = {0, n, 2 * n}; /* by tiles, by queries */
        r1_rng_seed(&rng, r1_test_seed() + 4);
        r1_view q = attend_normals(2 * n, 16, 1, false), y = attend_normals(2 * n, 16, 1, false);
        r1_view k = attend_normals(2 * n, 16, 1, round & 2),
                v = attend_normals(2 * n, 16, 1, round & 2);
        r1_view o = {off, 1, 3, R1_I32, 3};
        r1_op_args a = {.v = {[R1_ATTEND_Q] = q,
                              [R1_ATTEND_K] = k,
                              [R1_ATTEND_V] = v,
                              [R1_ATTEND_Q_OFF] = o,
                              [R1_ATTEND_K_OFF] = o,
                              [R1_ATTEND_Y] = y},
                        .i = {[R1_ATTEND_HEADS] = 1}};
        if (round & 2)
            ((uint16_t *)k.p)[n / 2 * k.ld + 3] = 0x7fff;
        else
            r1_row(&k, n / 2)[3] = NAN;
        R1_ASSERT_OK(r1_backend_cpu()->forward[R1_OP_ATTEND](NULL, &a, &err), &err);
        for (int32_t r = 0; r < 2 * n; r++) CU_ASSERT_EQUAL(isnan(r1_row(&y, r)[5]) != 0, r < n);
        free(q.p);
        free(k.p);
        free(v.p);
        free(y.p);
    }
}

/* Heads wider than the room for bf16 are refused with the numbers. */
static void test_attend_refused(void)
{
    r1_err err = {0};
    r1_view q = attend_normals(2, 160, 1, false), k = attend_normals(2, 160, 1, true),
            y = attend_normals(2, 160, 1, false);
    int32_t off[2] = {0, 2};
    r1_view o = {off, 1, 2, R1_I32, 2};
    r1_op_args a = {.v = {[R1_ATTEND_Q] = q,
                          [R1_ATTEND_K] = k,
                          [R1_ATTEND_V] = k,
                          [R1_ATTEND_Q_OFF] = o,
                          [R1_ATTEND_K_OFF] = o,
                          [R1_ATTEND_Y] = y},
                    .i = {[R1_ATTEND_HEADS] = 1}};
    CU_ASSERT_EQUAL(r1_backend_cpu()->forward[R1_OP_ATTEND](NULL, &a, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "160"));
    free(q.p);
    free(k.p);
    free(y.p);
}

R1_TEST_MAIN("attend", {"forward against the reference", test_attend_forward},
             {"backward against the reference", test_attend_backward},
             {"a segment's bits", test_same_bits}, {"a tile of pairs, to the bit", test_pairs},
             {"threads", test_attend_threads}, {"not a number", test_not_a_number},
             {"refused", test_attend_refused})
