/* SPDX-License-Identifier: Apache-2.0 */
/* test_compare.c - two scorings beside each other: metrics against r1_metric_*, divergence
 * against its definition, the bootstrap's interval against what theory says of a mean, whole
 * clusters against single samples. */
#include "r1_train.h"
#include "support/r1_test.h"
#include "train/score_metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 3000, SIZE = 5 };

static float first[N], second[N], label[N];
static uint64_t group[N];

/* Noisy scores with ties; labels in one of eight; groups of SIZE with one label each. */
static void compare_make(bool ranked, double noise)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (size_t i = 0; i < N; i++) {
        size_t right = r1_rng_below(&rng, SIZE);
        if (i % SIZE == 0)
            for (size_t k = i; k < i + SIZE; k++) label[k] = ranked && k == i + right;
        if (!ranked) label[i] = r1_rng_below(&rng, 8) == 0;
        group[i] = ranked ? 1 + i / SIZE : 0;
        first[i] = (float)(nearbyint(8 * (r1_rng_normal(&rng) + (double)label[i])) / 8);
        second[i] = first[i] + (float)(noise * r1_rng_normal(&rng));
    }
}

static r1_comparison compare_compare(bool ranked)
{
    r1_err err;
    r1_comparison c;
    r1_compare_opts o = {.first = first,
                         .second = second,
                         .label = label,
                         .group = group,
                         .n = N,
                         .rank = ranked,
                         .seed = r1_test_seed()};
    R1_ASSERT_OK(r1_compare(&o, &c, &err), &err);
    return c;
}

static void test_binary(void)
{
    compare_make(false, 0.3);
    r1_comparison c = compare_compare(false), again = compare_compare(false);
    CU_ASSERT_DOUBLE_EQUAL(c.first, r1_metric_ap(first, label, N), 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(c.second, r1_metric_ap(second, label, N), 1e-12);
    CU_ASSERT_EQUAL(memcmp(&c, &again, sizeof c), 0);
    CU_ASSERT(c.low < c.second - c.first && c.second - c.first < c.high);
    double kl = 0, same = 0;
    for (size_t i = 0; i < N; i++) {
        double p = 1 / (1 + exp(-(double)first[i])), q = 1 / (1 + exp(-(double)second[i]));
        kl += p * (log(p) - log(q)) + (1 - p) * (log1p(-p) - log1p(-q));
        same += (p > 0.5) == (q > 0.5);
    }
    CU_ASSERT_DOUBLE_EQUAL(c.kl, kl / N, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(c.agree, same / N, 1e-12);
    memcpy(second, first, sizeof second);
    c = compare_compare(false);
    CU_ASSERT(c.first == c.second && c.low == 0 && c.high == 0 && c.kl == 0 && c.agree == 1);
}

/* The difference of two shares is a mean over groups: its interval is 1.96 standard errors to
 * either side. */
static void test_rank(void)
{
    double top1, mrr, mean = 0, square = 0;
    compare_make(true, 0.5);
    r1_comparison c = compare_compare(true);
    r1_metric_rank(first, label, group, N, &top1, &mrr);
    CU_ASSERT_DOUBLE_EQUAL(c.first, top1, 1e-12);
    r1_metric_rank(second, label, group, N, &top1, &mrr);
    CU_ASSERT_DOUBLE_EQUAL(c.second, top1, 1e-12);
    double n = (double)N / SIZE;
    for (size_t i = 0; i < N; i += SIZE) {
        double hit[2];
        r1_metric_rank(first + i, label + i, group + i, SIZE, &hit[0], &mrr);
        r1_metric_rank(second + i, label + i, group + i, SIZE, &hit[1], &mrr);
        mean += (hit[1] - hit[0]) / n;
        square += (hit[1] - hit[0]) * (hit[1] - hit[0]) / n;
    }
    double half = 1.96 * sqrt((square - mean * mean) / n);
    CU_ASSERT_DOUBLE_EQUAL(c.high, mean + half, 0.2 * half);
    CU_ASSERT_DOUBLE_EQUAL(c.low, mean - half, 0.2 * half);
    CU_ASSERT(c.agree > 0.3 && c.agree < 1 && c.kl > 0);
}

/* Twenty copies of each sample say no more than one: drawn as clusters they give the interval of
 * the samples without copies. */
static void test_clusters(void)
{
    compare_make(false, 0.3);
    for (size_t i = 0; i < N; i++) group[i] = 1 + i / 20;
    for (size_t i = 0; i < N; i++) {
        size_t of = i / 20;
        first[i] = first[of * 20], second[i] = second[of * 20], label[i] = label[of * 20];
    }
    r1_comparison whole = compare_compare(false);
    for (size_t i = 0; i < N; i++) group[i] = 0;
    r1_comparison split = compare_compare(false);
    CU_ASSERT(whole.high - whole.low > 2.5 * (split.high - split.low));
    CU_ASSERT_EQUAL(whole.second, split.second);
}

static void test_compare_bad(void)
{
    r1_err err;
    r1_comparison c;
    compare_make(false, 0.3);
    r1_compare_opts o = {.first = first, .second = second, .label = label};
    CU_ASSERT_EQUAL(r1_compare(&o, &c, &err), R1_E_INVAL);
    second[5] = NAN;
    o.n = N;
    CU_ASSERT_EQUAL(r1_compare(&o, &c, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "sample 5"));
}

R1_TEST_MAIN("compare", {"average precision", test_binary}, {"places", test_rank},
             {"clusters", test_clusters}, {"bad input", test_compare_bad})
