/* SPDX-License-Identifier: Apache-2.0 */
/* histogram.c - bucket arithmetic: values below 64 are exact, each further power of two has 64
 * equal steps. */
#include "metrics/histogram.h"
#include "r1_assert.h"

#include <math.h>

static size_t histogram_bucket_of(int64_t us)
{
    uint64_t v = us < 0 ? 0 : (uint64_t)us;
    if (v < R1_HISTOGRAM_SUB) return (size_t)v;
    int top = 63 - __builtin_clzll(v), shift = top - 6; /* v >> shift lies in 64..127 */
    size_t b = (size_t)(shift + 1) * R1_HISTOGRAM_SUB + (size_t)((v >> shift) - R1_HISTOGRAM_SUB);
    return b < R1_HISTOGRAM_BUCKETS ? b : R1_HISTOGRAM_BUCKETS - 1;
}

/* Largest value that falls into bucket b. */
static int64_t upper_edge(size_t b)
{
    if (b < R1_HISTOGRAM_SUB) return (int64_t)b;
    size_t shift = b / R1_HISTOGRAM_SUB - 1;
    return (int64_t)(((b % R1_HISTOGRAM_SUB + R1_HISTOGRAM_SUB + 1) << shift) - 1);
}

void r1_histogram_add(r1_histogram *h, int64_t us)
{
    if (us < 0) us = 0;
    h->count[histogram_bucket_of(us)]++;
    if (!h->n || us < h->min) h->min = us;
    if (!h->n || us > h->max) h->max = us;
    h->n++;
    h->sum += (double)us;
}

void r1_histogram_merge(r1_histogram *into, const r1_histogram *from)
{
    if (!from->n) return;
    if (!into->n || from->min < into->min) into->min = from->min;
    if (!into->n || from->max > into->max) into->max = from->max;
    for (size_t i = 0; i < R1_HISTOGRAM_BUCKETS; i++) into->count[i] += from->count[i];
    into->n += from->n;
    into->sum += from->sum;
}

int64_t r1_histogram_quantile(const r1_histogram *h, double q)
{
    if (!h->n) return 0;
    uint64_t want = (uint64_t)ceil(q * (double)h->n), seen = 0;
    if (want < 1) want = 1;
    for (size_t i = 0; i < R1_HISTOGRAM_BUCKETS; i++) {
        seen += h->count[i];
        if (seen >= want) return upper_edge(i) < h->max ? upper_edge(i) : h->max;
    }
    R1_ASSERT(seen == h->n, "%llu values in the buckets, %llu counted", (unsigned long long)seen,
              (unsigned long long)h->n);
    return h->max;
}

uint64_t r1_histogram_up_to(const r1_histogram *h, int64_t us)
{
    uint64_t n = 0;
    if (h->n && us >= h->max) return h->n;
    for (size_t i = 0; i < R1_HISTOGRAM_BUCKETS - 1 && upper_edge(i) <= us; i++) n += h->count[i];
    return n;
}

double r1_histogram_mean(const r1_histogram *h) { return h->n ? h->sum / (double)h->n : 0; }
