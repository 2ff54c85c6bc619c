/* SPDX-License-Identifier: Apache-2.0 */
/* thread_pool.c - one lock guards everything; the queue of jobs is a counter.
 *
 * Jobs are few and long, so a thread that wants the next one may as well take the lock. */
#include "base/thread_pool.h"

#include "r1_assert.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct r1_thread_pool {
    pthread_mutex_t lock;
    pthread_cond_t work, ended;
    pthread_t *thread;
    uint32_t n_thread;  /* beside the caller */
    bool stop, working; /* working: a call is in hand */
    /* the call in hand */
    r1_thread_pool_job job;
    void *ctx;
    uint32_t n, next, busy; /* jobs; the next one to take; threads that run one */
    uint32_t failed;        /* the lowest job that failed */
    r1_status st;
    r1_err err; /* its own */
};

/* Takes jobs until none is left; the lock is held at both ends. */
static void work_off(r1_thread_pool *p)
{
    R1_ASSERT(p->working || p->next == p->n, "thread pool: job %u of %u outside of a call", p->next,
              p->n);
    while (p->next < p->n) {
        uint32_t k = p->next++;
        r1_err err = {0};
        p->busy++;
        pthread_mutex_unlock(&p->lock);
        r1_status st = p->job(p->ctx, k, &err);
        pthread_mutex_lock(&p->lock);
        R1_ASSERT(p->busy > 0 && k < p->n, "thread pool: job %u of %u ended, %u threads busy", k,
                  p->n, p->busy);
        p->busy--;
        if (st == R1_OK || (p->st != R1_OK && p->failed < k)) continue;
        p->st = st;
        p->failed = k;
        p->err = err;
    }
    if (p->busy == 0) pthread_cond_signal(&p->ended);
}

static void *thread_pool_live(void *arg)
{
    r1_thread_pool *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        if (p->next < p->n) work_off(p);
        if (!p->stop) pthread_cond_wait(&p->work, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static uint32_t thread_pool_processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > R1_THREAD_POOL_MAX ? R1_THREAD_POOL_MAX : (uint32_t)n;
}

r1_status r1_thread_pool_new(r1_thread_pool **out, uint32_t n, uint32_t most, r1_err *err)
{
    if (n == 0) n = thread_pool_processors();
    if (n > most) n = most;
    *out = NULL;
    if (n > R1_THREAD_POOL_MAX)
        R1_FAIL(err, R1_E_INVAL, "%u threads, at most %d", n, R1_THREAD_POOL_MAX);
    if (n < 2) return R1_OK;
    r1_thread_pool *p = calloc(1, sizeof *p);
    if (!p || !(p->thread = calloc(n - 1, sizeof *p->thread))) {
        free(p);
        R1_FAIL(err, R1_E_NOMEM, "no memory for %u threads", n);
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->ended, NULL);
    for (; p->n_thread < n - 1; p->n_thread++)
        if (pthread_create(&p->thread[p->n_thread], NULL, thread_pool_live, p) != 0) {
            r1_thread_pool_free(p);
            R1_FAIL(err, R1_E_NOMEM, "the system gives %u threads of %u", p->n_thread + 1, n);
        }
    *out = p;
    return R1_OK;
}

void r1_thread_pool_free(r1_thread_pool *p)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    R1_ASSERT(!p->working && p->busy == 0, "thread pool: freed while %u threads are busy", p->busy);
    p->stop = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (uint32_t i = 0; i < p->n_thread; i++) pthread_join(p->thread[i], NULL);
    pthread_cond_destroy(&p->ended);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p->thread);
    free(p);
}

uint32_t r1_thread_pool_threads(const r1_thread_pool *p) { return p ? p->n_thread + 1 : 1; }

static r1_status run_alone(r1_thread_pool_job job, void *ctx, uint32_t n, r1_err *err)
{
    r1_status first = R1_OK;
    for (uint32_t k = 0; k < n; k++) {
        r1_status st = job(ctx, k, first == R1_OK ? err : NULL);
        if (first == R1_OK) first = st;
    }
    return first;
}

r1_status r1_thread_pool_run(r1_thread_pool *p, r1_thread_pool_job job, void *ctx, uint32_t n,
                             r1_err *err)
{
    if (!p) return run_alone(job, ctx, n, err);
    pthread_mutex_lock(&p->lock);
    R1_ASSERT(!p->working && p->busy == 0, "thread pool: called while %u threads are busy",
              p->busy);
    p->working = true;
    p->job = job;
    p->ctx = ctx;
    p->n = n;
    p->next = 0;
    p->st = R1_OK;
    pthread_cond_broadcast(&p->work);
    work_off(p);
    while (p->busy > 0) pthread_cond_wait(&p->ended, &p->lock);
    R1_ASSERT(p->next == p->n, "thread pool: %u of %u jobs were taken", p->next, p->n);
    p->working = false;
    r1_status st = p->st;
    if (st != R1_OK && err) *err = p->err;
    pthread_mutex_unlock(&p->lock);
    return st;
}
