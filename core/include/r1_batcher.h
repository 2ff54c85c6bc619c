/* SPDX-License-Identifier: Apache-2.0 */
/* r1_batcher.h - from requests that come one by one to batches, by deadline and class.
 *
 * An idle worker never waits: it takes what is there. Batches grow while workers are busy, so
 * their size follows the load. batch_target is never a gate: a batch is filled up to it before
 * work is split among idle workers. A batch is closed before it would make one of its requests
 * miss a deadline that the request alone would still meet.
 *
 * Two kinds of requests go first: those that would miss their deadline when the next batch ends,
 * and those that would have waited wait_us_max by then. The rest goes by weighted deficit round
 * robin of the classes. Requests of one class leave in the order in which they came (padded:
 * within their length bucket).
 *
 * The promise: a request of the shortest budget that finds nobody waiting is answered in time,
 * whatever comes after it and whatever batch is running. It holds where costs are as predicted,
 * batches are not padded, wait_us_max is 0, no deadline is shorter than the shortest budget, and
 * every request alone takes at most half of that budget. In every case nothing is lost and
 * nothing is answered twice.
 *
 * Owns:    queues and counters, reserved at creation: no allocation afterwards. A request belongs
 *          to the caller and must live until it is answered.
 * Threads: it starts none. Any thread submits; each thread that calls r1_batcher_work is a
 *          worker.
 * Errors:  R1_E_AGAIN for a full queue, R1_E_CANCELLED after r1_batcher_stop, R1_E_INVAL for a
 *          field out of bounds. */
#ifndef R1_BATCHER_H
#define R1_BATCHER_H

#include "r1_base.h"

enum { R1_BATCH_CLASSES_MAX = 16, R1_BATCH_SIZE_MAX = 4096, R1_BATCH_QUEUE_MAX = 1 << 20 };

typedef struct r1_request r1_request;
struct r1_request {
    uint32_t class_id;   /* below n_class */
    uint32_t length;     /* what it costs: tokens, rows, edges; 1..2^24 */
    int64_t deadline_us; /* by r1_mono_us; 0: its class's budget from now on */
    void *user;          /* the caller's own */
    /* Called by the worker that answered, under no lock; it may free r. NULL: r1_batcher_wait. */
    void (*done)(r1_request *r);
    r1_err *err;      /* filled where status is not R1_OK; NULL: not wanted */
    r1_status status; /* the answer; what `run` gave, R1_E_TIMEOUT (drop_late), R1_E_CANCELLED */
    int64_t arrived_us, ended_us; /* by r1_mono_us */
    struct {
        r1_request *next, *tighter, *laxer;
        uint8_t state; /* infer/batch_policy.h */
    } own;             /* the batcher's */
};

typedef struct {
    uint32_t weight;   /* share of the units under load: 1..1000; 0 is read as 1 */
    int64_t budget_us; /* from arrival to answer; 0: none */
} r1_batch_class;

typedef struct {
    uint32_t n_class; /* 0: one class of weight 1 without budget */
    r1_batch_class classes[R1_BATCH_CLASSES_MAX];
    uint32_t batch_target; /* 0 = 32 */
    uint32_t batch_max;    /* 0 = 256 */
    uint32_t queue_max;    /* waiting requests of one class, then R1_E_AGAIN; 0 = 4096 */
    int64_t wait_us_max;   /* a request that has waited so long goes first; 0: no such rule */
    /* Predicted time of a batch of more than one, at most; 0: half of the shortest budget. */
    int64_t batch_us_max;
    /* `run` pays for the longest of a batch in every row: lengths are grouped by powers of two,
     * and a longer or shorter request joins only where that costs no more than a batch of its
     * own. A session pays for no padding. */
    bool padded;
    /* What could not meet its deadline even alone is answered with R1_E_TIMEOUT, not run. */
    bool drop_late;
    double cost_us[3]; /* of a batch, of a request, of a unit: before the first is measured */
    bool cost_fixed;   /* keep cost_us: for simulation */
} r1_batcher_opts;

typedef struct {
    uint64_t submitted, refused; /* taken in; turned away by a full queue */
    uint64_t answered;           /* all of these are among them: */
    uint64_t failed, dropped, cancelled;
    uint64_t late;                         /* run, but ended after the deadline */
    uint64_t batches, useful, executed;    /* units; useful / executed is the utilisation */
    uint64_t wait_us_sum, wait_us_longest; /* from arrival to the start of the run */
    uint32_t queued;
} r1_batch_stats;

typedef struct r1_batcher r1_batcher;
R1_API r1_status r1_batcher_new(r1_batcher **out, const r1_batcher_opts *opts, r1_err *err);
/* Answers what still waits with R1_E_CANCELLED. No worker may be inside. NULL is fine. */
R1_API void r1_batcher_free(r1_batcher *b);
/* R1_E_AGAIN: the class's queue is full; R1_E_CANCELLED: stopped; R1_E_INVAL: a field is out of
 * bounds. Then r is the caller's again and nothing will answer it. */
R1_API r1_status r1_batcher_submit(r1_batcher *b, r1_request *r, r1_err *err);
/* Blocks until r is answered and returns its status; for requests without `done`, one thread
 * each. */
R1_API r1_status r1_batcher_wait(r1_batcher *b, r1_request *r);

/* Runs n requests, usually by one r1_session_run. *executed: units that were computed, padding
 * included; it comes in as what a session computes: the sum of the lengths (padded: n times the
 * longest). On R1_E_INVAL and R1_E_FORMAT a batch is run again one by one, so that a bad request
 * fails alone. */
typedef r1_status (*r1_batch_run_fn)(void *ctx, r1_request *const *request, size_t n,
                                     uint64_t *executed, r1_err *err);
/* Serves until r1_batcher_stop has been called and the queue is empty; then R1_OK. A failed
 * batch fails its requests, not the worker. */
R1_API r1_status r1_batcher_work(r1_batcher *b, r1_batch_run_fn run, void *ctx, r1_err *err);
/* No request is taken in from now on; workers answer what waits and return. */
R1_API void r1_batcher_stop(r1_batcher *b);
R1_API void r1_batcher_stats(r1_batcher *b, r1_batch_stats *stats);

/* ---- the decisions alone --------------------------------------------------------------------- */

/* For programs with a loop of their own, for simulation and tests: no threads, no clock. Times
 * are the caller's, in us, never going back. One thread at a time. */
typedef struct r1_batch_policy r1_batch_policy;
R1_API r1_status r1_batch_policy_new(r1_batch_policy **out, const r1_batcher_opts *opts,
                                     r1_err *err);
R1_API void r1_batch_policy_free(r1_batch_policy *p);
/* Sets arrived_us, and deadline_us where it is 0. */
R1_API r1_status r1_batch_policy_add(r1_batch_policy *p, r1_request *r, int64_t now_us,
                                     r1_err *err);
/* The batch for a worker that is free now; idle: free workers, it included. Returns its size n:
 * out[0..n) is the batch. Behind it lie *n_late requests that are to be answered with
 * R1_E_TIMEOUT. out has room for 2 * batch_max. Both numbers are 0 only where nothing waits. */
R1_API size_t r1_batch_policy_next(r1_batch_policy *p, int64_t now_us, uint32_t idle,
                                   r1_request **out, size_t *n_late);
R1_API void r1_batch_policy_learn(r1_batch_policy *p, size_t n, uint64_t executed, int64_t took_us);
/* Predicted time of a batch, in us. */
R1_API double r1_batch_policy_cost(const r1_batch_policy *p, size_t n, uint64_t executed);
R1_API size_t r1_batch_policy_queued(const r1_batch_policy *p);
/* As they hold, defaults filled in. */
R1_API const r1_batcher_opts *r1_batch_policy_opts(const r1_batch_policy *p);

#endif
