/* SPDX-License-Identifier: Apache-2.0 */
/* The histogram against exact quantiles of the sorted values. */
#include "metrics/histogram.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>

enum { N = 20000 };

static int histogram_cmp(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void test_quantiles(void)
{
    static const double qs[] = {0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
    static int64_t v[N];
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int scale = 3; scale < 38; scale += 7) {
        r1_histogram a = {0}, b = {0};
        for (int i = 0; i < N; i++) {
            v[i] = (int64_t)r1_rng_exponential(&rng, exp2(scale));
            r1_histogram_add(i % 3 ? &a : &b, v[i]);
        }
        r1_histogram_merge(&a, &b);
        qsort(v, N, sizeof *v, histogram_cmp);
        CU_ASSERT_EQUAL(a.n, N);
        CU_ASSERT_EQUAL(a.min, v[0]);
        CU_ASSERT_EQUAL(a.max, v[N - 1]);
        for (size_t k = 0; k < R1_COUNT(qs); k++) {
            size_t rank = (size_t)ceil(qs[k] * N);
            int64_t exact = v[rank ? rank - 1 : 0], got = r1_histogram_quantile(&a, qs[k]);
            if (got < exact || (double)(got - exact) > (double)exact / 64 + 1) {
                fprintf(stderr, "scale %d q %g: exact %lld got %lld\n", scale, qs[k],
                        (long long)exact, (long long)got);
                CU_FAIL("quantile");
            }
        }
    }
    r1_histogram empty = {0};
    CU_ASSERT_EQUAL(r1_histogram_up_to(&empty, 1000), 0);
    CU_ASSERT_EQUAL(r1_histogram_quantile(&empty, 0.5), 0);
}

/* Against a count of the values themselves: never more, and less by what lies within 1/64 below. */
static void test_up_to(void)
{
    static int64_t v[N];
    static r1_histogram h;
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int i = 0; i < N; i++)
        r1_histogram_add(&h, v[i] = (int64_t)r1_rng_exponential(&rng, 20000));
    for (int64_t us = 1; us < 400000; us = us * 3 / 2 + 1) {
        uint64_t at_most = 0, at_least = 0;
        for (int i = 0; i < N; i++) {
            at_most += v[i] <= us;
            at_least += v[i] <= us - us / 64 - 1;
        }
        uint64_t got = r1_histogram_up_to(&h, us);
        CU_ASSERT_TRUE(got <= at_most && got >= at_least);
    }
    CU_ASSERT_EQUAL(r1_histogram_up_to(&h, INT64_MAX), N);
}

static void break_count(void *ctx)
{
    r1_histogram *h = ctx;
    r1_histogram_add(h, 5);
    h->n = 2; /* a value that is in no bucket */
    r1_histogram_quantile(h, 1);
}

static void test_broken(void)
{
    r1_histogram h = {0};
    CU_ASSERT_TRUE(r1_test_breaks(break_count, &h, "1 values in the buckets, 2 counted"));
}

R1_TEST_MAIN("histogram", {"quantiles", test_quantiles}, {"up to", test_up_to},
             {"broken invariant", test_broken})
