/* SPDX-License-Identifier: Apache-2.0 */
/* batcher.c - the threads around batch_policy.c: one lock over policy and counters; batches run
 * outside of it. */
#include "infer/batch_policy.h"
#include "r1_assert.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct r1_batcher {
    pthread_mutex_t lock;
    pthread_cond_t work, answer;
    r1_batch_policy *policy;
    r1_batch_stats stats;
    uint32_t idle; /* workers that wait for work */
    bool stopped;
};

r1_status r1_batcher_new(r1_batcher **out, const r1_batcher_opts *opts, r1_err *err)
{
    r1_batcher *b = calloc(1, sizeof *b);
    if (!b) R1_FAIL(err, R1_E_NOMEM, "batcher: out of memory");
    r1_status st = r1_batch_policy_new(&b->policy, opts, err);
    if (st != R1_OK) {
        free(b);
        return st;
    }
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->work, NULL);
    pthread_cond_init(&b->answer, NULL);
    *out = b;
    return R1_OK;
}

/* ---- answers --------------------------------------------------------------------------------- */

/* After `done`, or once the lock is free, the request may be gone. */
static void batcher_answer(r1_batcher *b, r1_request *const *request, size_t n)
{
    int64_t now = r1_mono_us();
    bool waited_for = false;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < n; i++) {
        r1_request *r = request[i];
        R1_ASSERT(r->own.state == REQUEST_DRAWN, "batcher: a request in state %d is answered",
                  r->own.state);
        r->own.state = REQUEST_ANSWERED;
        waited_for |= !r->done;
        r->ended_us = now;
        b->stats.answered++;
        b->stats.dropped += r->status == R1_E_TIMEOUT;
        b->stats.cancelled += r->status == R1_E_CANCELLED;
        b->stats.failed +=
            r->status != R1_OK && r->status != R1_E_TIMEOUT && r->status != R1_E_CANCELLED;
        b->stats.late += r->status == R1_OK && now > r->deadline_us;
    }
    R1_ASSERT(b->stats.answered <= b->stats.submitted, "batcher: %llu answers to %llu requests",
              (unsigned long long)b->stats.answered, (unsigned long long)b->stats.submitted);
    if (waited_for) pthread_cond_broadcast(&b->answer);
    pthread_mutex_unlock(&b->lock);
}

static void answer_all(r1_batcher *b, r1_request **request, size_t n)
{
    size_t n_call =
        0; /* requests with a callback, to the front; the others may be gone once answered */
    for (size_t i = 0; i < n; i++)
        if (request[i]->done) {
            r1_request *r = request[i];
            request[i] = request[n_call];
            request[n_call++] = r;
        }
    batcher_answer(b, request, n);
    for (size_t i = 0; i < n_call; i++) request[i]->done(request[i]);
}

static void batcher_refuse(r1_request *r, r1_status status, const char *why)
{
    r->status = status;
    if (r->err) r1_err_set(r->err, status, __FILE__, __LINE__, "request: %s", why);
}

/* ---- callers --------------------------------------------------------------------------------- */

r1_status r1_batcher_submit(r1_batcher *b, r1_request *r, r1_err *err)
{
    r->status = R1_OK;
    pthread_mutex_lock(&b->lock);
    r1_status st = b->stopped ? r1_err_set(err, R1_E_CANCELLED, __FILE__, __LINE__,
                                           "request: the batcher is stopped")
                              : r1_batch_policy_add(b->policy, r, r1_mono_us(), err);
    b->stats.submitted += st == R1_OK;
    b->stats.refused += st == R1_E_AGAIN;
    if (st == R1_OK && b->idle) pthread_cond_signal(&b->work);
    pthread_mutex_unlock(&b->lock);
    return st;
}

r1_status r1_batcher_wait(r1_batcher *b, r1_request *r)
{
    pthread_mutex_lock(&b->lock);
    while (r->own.state != REQUEST_ANSWERED) pthread_cond_wait(&b->answer, &b->lock);
    pthread_mutex_unlock(&b->lock);
    return r->status;
}

void r1_batcher_stop(r1_batcher *b)
{
    pthread_mutex_lock(&b->lock);
    b->stopped = true;
    pthread_cond_broadcast(&b->work);
    pthread_mutex_unlock(&b->lock);
}

void r1_batcher_stats(r1_batcher *b, r1_batch_stats *stats)
{
    pthread_mutex_lock(&b->lock);
    *stats = b->stats;
    stats->queued = (uint32_t)r1_batch_policy_queued(b->policy);
    pthread_mutex_unlock(&b->lock);
}

/* ---- workers --------------------------------------------------------------------------------- */

/* False: stopped, and nothing waits. */
static bool batcher_next(r1_batcher *b, r1_request **out, size_t *n, size_t *n_late,
                         int64_t *began_us)
{
    pthread_mutex_lock(&b->lock);
    b->idle++;
    while (!r1_batch_policy_queued(b->policy) && !b->stopped) pthread_cond_wait(&b->work, &b->lock);
    *began_us = r1_mono_us();
    *n = r1_batch_policy_next(b->policy, *began_us, b->idle, out, n_late);
    R1_ASSERT(b->idle > 0, "batcher: %u idle workers, one of them leaves", b->idle);
    b->idle--;
    for (size_t i = 0; i < *n; i++) {
        uint64_t waited = (uint64_t)(*began_us - out[i]->arrived_us);
        b->stats.wait_us_sum += waited;
        if (waited > b->stats.wait_us_longest) b->stats.wait_us_longest = waited;
    }
    bool more = r1_batch_policy_queued(b->policy) > 0;
    if (more && b->idle) pthread_cond_signal(&b->work);
    pthread_mutex_unlock(&b->lock);
    return *n || *n_late;
}

typedef struct {
    uint64_t units;
    uint32_t longest;
} sizes;

static sizes sizes_of(r1_request *const *request, size_t n)
{
    sizes s = {0};
    for (size_t i = 0; i < n; i++) {
        s.units += request[i]->length;
        if (request[i]->length > s.longest) s.longest = request[i]->length;
    }
    return s;
}

/* One call of run: what it measured is learned where it went well. */
static r1_status run_once(r1_batcher *b, r1_batch_run_fn run, void *ctx, r1_request *const *request,
                          size_t n, int64_t began_us, r1_err *err)
{
    sizes s = sizes_of(request, n);
    uint64_t executed = r1_batch_policy_opts(b->policy)->padded ? (uint64_t)n * s.longest : s.units;
    r1_status st = run(ctx, request, n, &executed, err);
    int64_t took = r1_mono_us() - began_us;
    pthread_mutex_lock(&b->lock);
    b->stats.batches++;
    b->stats.executed += executed;
    if (st == R1_OK) {
        b->stats.useful += s.units;
        r1_batch_policy_learn(b->policy, n, executed, took);
    }
    pthread_mutex_unlock(&b->lock);
    return st;
}

static void batcher_give(r1_request *const *request, size_t n, r1_status st, const r1_err *err)
{
    for (size_t i = 0; i < n; i++) {
        request[i]->status = st;
        if (st != R1_OK && request[i]->err) *request[i]->err = *err;
    }
}

static void run_batch(r1_batcher *b, r1_batch_run_fn run, void *ctx, r1_request *const *request,
                      size_t n, int64_t began_us)
{
    r1_err err = {0};
    r1_status st = run_once(b, run, ctx, request, n, began_us, &err);
    batcher_give(request, n, st, &err);
    if (n == 1 || (st != R1_E_INVAL && st != R1_E_FORMAT)) return;
    for (size_t i = 0; i < n; i++) {
        st = run_once(b, run, ctx, request + i, 1, r1_mono_us(), &err);
        batcher_give(request + i, 1, st, &err);
    }
}

r1_status r1_batcher_work(r1_batcher *b, r1_batch_run_fn run, void *ctx, r1_err *err)
{
    r1_request **batch =
        calloc(2 * (size_t)r1_batch_policy_opts(b->policy)->batch_max, sizeof(r1_request *));
    size_t n, n_late;
    int64_t began_us;
    if (!batch) R1_FAIL(err, R1_E_NOMEM, "batcher: out of memory");
    while (batcher_next(b, batch, &n, &n_late, &began_us)) {
        for (size_t i = 0; i < n_late; i++)
            batcher_refuse(batch[n + i], R1_E_TIMEOUT, "its deadline cannot be met any more");
        if (n_late) answer_all(b, batch + n, n_late);
        if (n) {
            run_batch(b, run, ctx, batch, n, began_us);
            answer_all(b, batch, n);
        }
    }
    free(batch);
    return R1_OK;
}

static void cancel_rest(r1_batcher *b)
{
    r1_request *out[2 * R1_BATCH_SIZE_MAX];
    size_t n, n_late;
    do {
        n = r1_batch_policy_next(b->policy, r1_mono_us(), 1, out, &n_late);
        for (size_t i = 0; i < n + n_late; i++)
            batcher_refuse(out[i], R1_E_CANCELLED, "the batcher ended before its turn came");
        answer_all(b, out, n + n_late);
    } while (n + n_late);
}

void r1_batcher_free(r1_batcher *b)
{
    if (!b) return;
    cancel_rest(b);
    r1_batch_policy_free(b->policy);
    pthread_cond_destroy(&b->answer);
    pthread_cond_destroy(&b->work);
    pthread_mutex_destroy(&b->lock);
    free(b);
}
