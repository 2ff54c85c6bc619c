/* SPDX-License-Identifier: Apache-2.0 */
/* crew.c - one lock, one queue that is a counter: jobs are few and long, so who takes the next
 * one may as well ask for the lock. */
#include "base/crew.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct r1_crew {
    pthread_mutex_t lock;
    pthread_cond_t work, ended;
    pthread_t *thread;
    uint32_t n_thread; /* beside the caller */
    bool stop;
    /* the call in hand */
    r1_crew_job job;
    void *ctx;
    uint32_t n, next, busy; /* jobs; the next one to take; threads that run one */
    uint32_t failed;        /* the lowest job that failed */
    r1_status st;
    r1_err err; /* its own */
};

/* Takes jobs until none is left; the lock is held at both ends. */
static void work_off(r1_crew *c)
{
    while (c->next < c->n) {
        uint32_t k = c->next++;
        r1_err err = {0};
        c->busy++;
        pthread_mutex_unlock(&c->lock);
        r1_status st = c->job(c->ctx, k, &err);
        pthread_mutex_lock(&c->lock);
        c->busy--;
        if (st == R1_OK || (c->st != R1_OK && c->failed < k)) continue;
        c->st = st;
        c->failed = k;
        c->err = err;
    }
    if (c->busy == 0) pthread_cond_signal(&c->ended);
}

static void *crew_live(void *arg)
{
    r1_crew *c = arg;
    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        if (c->next < c->n) work_off(c);
        if (!c->stop) pthread_cond_wait(&c->work, &c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static uint32_t crew_processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > R1_CREW_THREADS_MAX ? R1_CREW_THREADS_MAX : (uint32_t)n;
}

r1_status r1_crew_new(r1_crew **out, uint32_t n, uint32_t most, r1_err *err)
{
    if (n == 0) n = crew_processors();
    if (n > most) n = most;
    *out = NULL;
    if (n > R1_CREW_THREADS_MAX)
        R1_FAIL(err, R1_E_INVAL, "%u threads, at most %d", n, R1_CREW_THREADS_MAX);
    if (n < 2) return R1_OK;
    r1_crew *c = calloc(1, sizeof *c);
    if (!c || !(c->thread = calloc(n - 1, sizeof *c->thread))) {
        free(c);
        R1_FAIL(err, R1_E_NOMEM, "no memory for %u threads", n);
    }
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->work, NULL);
    pthread_cond_init(&c->ended, NULL);
    for (; c->n_thread < n - 1; c->n_thread++)
        if (pthread_create(&c->thread[c->n_thread], NULL, crew_live, c) != 0) {
            r1_crew_free(c);
            R1_FAIL(err, R1_E_NOMEM, "the system gives %u threads of %u", c->n_thread + 1, n);
        }
    *out = c;
    return R1_OK;
}

void r1_crew_free(r1_crew *c)
{
    if (!c) return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
    for (uint32_t i = 0; i < c->n_thread; i++) pthread_join(c->thread[i], NULL);
    pthread_cond_destroy(&c->ended);
    pthread_cond_destroy(&c->work);
    pthread_mutex_destroy(&c->lock);
    free(c->thread);
    free(c);
}

uint32_t r1_crew_threads(const r1_crew *c) { return c ? c->n_thread + 1 : 1; }

static r1_status run_alone(r1_crew_job job, void *ctx, uint32_t n, r1_err *err)
{
    r1_status first = R1_OK;
    for (uint32_t k = 0; k < n; k++) {
        r1_status st = job(ctx, k, first == R1_OK ? err : NULL);
        if (first == R1_OK) first = st;
    }
    return first;
}

r1_status r1_crew_run(r1_crew *c, r1_crew_job job, void *ctx, uint32_t n, r1_err *err)
{
    if (!c) return run_alone(job, ctx, n, err);
    pthread_mutex_lock(&c->lock);
    c->job = job;
    c->ctx = ctx;
    c->n = n;
    c->next = 0;
    c->st = R1_OK;
    pthread_cond_broadcast(&c->work);
    work_off(c);
    while (c->busy > 0) pthread_cond_wait(&c->ended, &c->lock);
    r1_status st = c->st;
    if (st != R1_OK && err) *err = c->err;
    pthread_mutex_unlock(&c->lock);
    return st;
}
