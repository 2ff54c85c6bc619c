/* SPDX-License-Identifier: Apache-2.0 */
/* batch_live.h - r1-bench batch by the real clock: a text model, a thread that sends requests at
 * their times, a worker that runs them; behind the batcher, or by fixed batches with a timeout. */
#ifndef BATCH_LIVE_H
#define BATCH_LIVE_H

#include "r1_batcher.h"

enum { LIVE_LENGTH_MAX = 256 };

/* Requests in order of arrival. */
typedef struct {
    size_t n;
    double *at_us; /* from the start */
    uint32_t *length;
} batch_trace;

/* How requests become batches. size 0: by the batcher. */
typedef struct {
    uint32_t size;
    int64_t timeout_us;
    bool padded; /* each row costs as much as the longest of its batch */
} batch_rule;

typedef struct {
    double p99_us, utilisation; /* useful over executed units */
    double late;                /* share that missed the budget */
    double rate;                /* answered a second */
} batch_outcome;

typedef struct batch_live batch_live;
r1_status batch_live_new(batch_live **out, r1_err *err);
void batch_live_free(batch_live *l);
/* What a batch, a request and a token take here, in us, from batches of many sizes; *error: mean
 * relative error of that. */
r1_status batch_live_costs(batch_live *l, double seconds, double cost_us[3], double *error,
                           r1_err *err);
r1_status batch_live_run(batch_live *l, const batch_trace *t, const batch_rule *rule,
                         int64_t budget_us, batch_outcome *out, r1_err *err);
/* The quantile of n values, which are sorted on the way. */
double batch_quantile(double *x, size_t n, double q);

#endif
