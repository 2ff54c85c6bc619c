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
    CU_ASSERT_EQUAL(r1_histogram_quantile(&empty, 0.5), 0);
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

R1_TEST_MAIN("histogram", {"quantiles", test_quantiles}, {"broken invariant", test_broken})
