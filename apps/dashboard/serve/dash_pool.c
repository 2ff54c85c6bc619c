/* SPDX-License-Identifier: Apache-2.0 */
/* dash_pool.c - see dash_pool.h. */
#include "serve/dash_pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct dash_pool {
    const char *conninfo;
    size_t n;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t given;
    r1_store *store[DASH_POOL_MAX]; /* NULL: not opened yet */
    bool busy[DASH_POOL_MAX];
};

r1_status dash_pool_new(dash_pool **out, const char *conninfo, size_t n, r1_err *err)
{
    dash_pool *p = calloc(1, sizeof *p);
    if (!p) R1_FAIL(err, R1_E_NOMEM, "no memory for connections");
    p->conninfo = conninfo;
    p->n = n < DASH_POOL_MAX ? n : DASH_POOL_MAX;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->given, NULL);
    *out = p;
    return R1_OK;
}

void dash_pool_free(dash_pool *p)
{
    if (!p) return;
    for (size_t i = 0; i < p->n; i++) r1_store_close(p->store[i]);
    pthread_cond_destroy(&p->given);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* Under the lock; n: none is free. An open one first. */
static size_t pool_free_place(const dash_pool *p)
{
    size_t found = p->n;
    for (size_t i = 0; i < p->n; i++)
        if (!p->busy[i] && (found == p->n || (p->store[i] && !p->store[found]))) found = i;
    return found;
}

static size_t pool_wait(dash_pool *p)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DASH_POOL_WAIT_MS / 1000;
    pthread_mutex_lock(&p->lock);
    size_t i;
    while ((i = pool_free_place(p)) == p->n &&
           pthread_cond_timedwait(&p->given, &p->lock, &until) != ETIMEDOUT) {
    }
    if (i < p->n) p->busy[i] = true;
    pthread_mutex_unlock(&p->lock);
    return i;
}

static void pool_put_back(dash_pool *p, size_t i)
{
    pthread_mutex_lock(&p->lock);
    p->busy[i] = false;
    pthread_cond_signal(&p->given);
    pthread_mutex_unlock(&p->lock);
}

r1_status dash_pool_take(dash_pool *p, r1_store **out, r1_err *err)
{
    static const r1_store_opts opts = {.application = "r1-dashboard",
                                       .statement_s = DASH_STATEMENT_S,
                                       .answer_ms = (DASH_STATEMENT_S + 5) * 1000};
    size_t i = pool_wait(p);
    if (i == p->n)
        R1_FAIL(err, R1_E_TIMEOUT, "all %zu connections to PostgreSQL are at work", p->n);
    r1_status st = R1_OK;
    if (!p->store[i])
        st = r1_store_open_with(&p->store[i], p->conninfo, &opts, err);
    else if (!r1_store_alive(p->store[i]))
        st = r1_store_reopen(p->store[i], err);
    if (st == R1_OK)
        *out = p->store[i];
    else
        pool_put_back(p, i);
    return st;
}

void dash_pool_give(dash_pool *p, r1_store *s)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->store[i] == s) pool_put_back(p, i);
}

size_t dash_pool_busy(dash_pool *p)
{
    size_t n = 0;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->n; i++) n += p->busy[i];
    pthread_mutex_unlock(&p->lock);
    return n;
}
