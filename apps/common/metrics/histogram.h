/* SPDX-License-Identifier: Apache-2.0 */
/* histogram.h - latencies in microseconds with a relative error of at most 1/64 from 1 us to
 * 2^40 us, in constant memory and time: log-linear buckets as in HdrHistogram (G. Tene).
 *
 * Threads: one writer at a time; merge per-thread histograms to join them. No allocation. */
#ifndef R1_HISTOGRAM_H
#define R1_HISTOGRAM_H

#include "r1_base.h"

enum { R1_HISTOGRAM_SUB = 64, R1_HISTOGRAM_BUCKETS = 36 * R1_HISTOGRAM_SUB };

typedef struct {
    uint64_t count[R1_HISTOGRAM_BUCKETS];
    uint64_t n;
    int64_t min, max; /* exact; valid when n > 0 */
    double sum;
} r1_histogram;

void r1_histogram_add(r1_histogram *h, int64_t us); /* negative values count as 0 */
void r1_histogram_merge(r1_histogram *into, const r1_histogram *from);
/* Smallest recorded value (to the bucket's upper edge) below which a share q of the values lies;
 * 0 when empty. */
int64_t r1_histogram_quantile(const r1_histogram *h, double q);
/* How many values lie at or below us, to the bucket: what shares a bucket with us and may be above
 * it is left out. Never falls as us rises. */
uint64_t r1_histogram_up_to(const r1_histogram *h, int64_t us);
double r1_histogram_mean(const r1_histogram *h);

#endif
