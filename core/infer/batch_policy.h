/* SPDX-License-Identifier: Apache-2.0 */
/* batch_policy.h - the inside of the batcher's decisions: queues, counts and deficits.
 *
 * A request goes through three states, and each step is asserted:
 *
 *   REQUEST_WAITING   from r1_batch_policy_add, in the queue of its class and length bucket
 *   REQUEST_DRAWN     from r1_batch_policy_next: a worker has it, to run or to refuse
 *   REQUEST_ANSWERED  by r1_batcher: the caller has it again
 *
 * Threads: one at a time. */
#ifndef INFER_BATCH_POLICY_H
#define INFER_BATCH_POLICY_H

#include "infer/batch_cost.h"
#include "r1_batcher.h"

enum { BATCH_BUCKETS = 25 };
enum { REQUEST_WAITING = 1, REQUEST_DRAWN, REQUEST_ANSWERED };

/* The tight list holds, from the head on, each request that has an earlier deadline than all
 * behind it. Its first is the tightest of the queue. */
typedef struct {
    r1_request *head, *tail, *tightest, *laxest;
} batch_queue;

struct r1_batch_policy {
    r1_batcher_opts o;
    uint32_t n_bucket;
    batch_queue q[R1_BATCH_CLASSES_MAX][BATCH_BUCKETS];
    uint32_t n_of[R1_BATCH_CLASSES_MAX];  /* requests that wait, per class */
    double deficit[R1_BATCH_CLASSES_MAX]; /* units a class may still take; 0 where none waits */
    uint32_t turn;                        /* the class that was served last */
    size_t queued;                        /* the sum of n_of */
    uint64_t units;                       /* of all that wait */
    size_t n_unchecked;                   /* calls since the last check, in sanitizer builds */
    r1_batch_cost cost;
};

/* Walks all queues and aborts at the first broken invariant: counts and units are what waits,
 * queues and tight lists are linked, a class without requests has no deficit. */
void batch_policy_verify(const r1_batch_policy *p);

#endif
