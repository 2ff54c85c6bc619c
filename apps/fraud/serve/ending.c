/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ending.c - see ending.h. */
#include "serve/ending.h"
#include "cli/r1_cli.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 50 };

/* Limits in ms, from the beginning of the end or of the step, whichever is later. cut_ms 0: there
 * is no first limit. The sum of WRITES and LEAVES stays under 20 s. */
static const struct {
    const char *doing;
    int64_t cut_ms, end_ms;
} steps[FRAUD_N_END] = {
    [FRAUD_END_STARTS] = {"starting", 1000, 8000},
    [FRAUD_END_WRITES] = {"writing what was read", 8000, 11000},
    [FRAUD_END_SAVES] = {"writing the last snapshot", 0, 600000},
    [FRAUD_END_LEAVES] = {"letting go of what it used", 0, 8000},
};

struct fraud_ending {
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows, up to waits */
    pthread_cond_t wake;
    fraud_end_step step;
    int64_t asked_us, step_us; /* monotonic; asked 0: the end has not begun */
    int code;
    r1_err why; /* it ends with this error; an empty message: with none */
    bool done;
    const char *waits; /* for what; NULL: for nothing outside */
    atomic_bool cut;
};

/* ---- the thread, under the lock ---- */

static void ending_cut(fraud_ending *e)
{
    r1_log(R1_LOG_WARN, "end_waits",
           "doing=\"%s\" for=\"%s\" now=\"connections to PostgreSQL are ended, to end in time\"",
           steps[e->step].doing, e->waits ? e->waits : "nothing outside");
    atomic_store(&e->cut, true);
    r1_store_end_all();
}

static void ending_exit(const fraud_ending *e)
{
    bool written = e->step > FRAUD_END_WRITES;
    const char *left =
        written ? "What was decided is written" : "The next start reads on where the log ends";
    fprintf(stderr, "r1-fraud serve: ended while %s: %lld s were not enough%s%s. %s\n",
            steps[e->step].doing, (long long)steps[e->step].end_ms / 1000, e->waits ? " for " : "",
            e->waits ? e->waits : "", e->why.msg[0] ? e->why.msg : left);
    _exit(written ? e->code : R1_EXIT_FAILED);
}

static void ending_look(fraud_ending *e)
{
    int64_t now = r1_mono_us();
    if (!e->asked_us && r1_cli_stopped()) e->asked_us = now;
    if (!e->asked_us) return;
    int64_t since = e->asked_us > e->step_us ? e->asked_us : e->step_us;
    int64_t ms = (now - since) / 1000, cut_ms = steps[e->step].cut_ms;
    if (cut_ms && ms >= cut_ms && !atomic_load(&e->cut)) ending_cut(e);
    if (ms >= steps[e->step].end_ms) ending_exit(e);
}

static void *ending_main(void *arg)
{
    fraud_ending *e = arg;
    pthread_mutex_lock(&e->lock);
    while (!e->done) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += (long)LOOK_MS * 1000000;
        if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
        ending_look(e);
        pthread_cond_timedwait(&e->wake, &e->lock, &until);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

/* ---- the caller's ---- */

r1_status fraud_ending_new(fraud_ending **out, r1_err *err)
{
    fraud_ending *e = calloc(1, sizeof *e);
    if (!e) R1_FAIL(err, R1_E_NOMEM, "no memory for the end of the service");
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->wake, NULL);
    if (pthread_create(&e->thread, NULL, ending_main, e)) {
        free(e);
        R1_FAIL(err, R1_E_NOMEM, "no thread for the end of the service");
    }
    *out = e;
    return R1_OK;
}

void fraud_ending_step(fraud_ending *e, fraud_end_step step)
{
    if (!e) return;
    pthread_mutex_lock(&e->lock);
    e->step = step;
    e->step_us = r1_mono_us();
    pthread_mutex_unlock(&e->lock);
    if (step == FRAUD_END_LEAVES) r1_store_end_all();
}

void fraud_ending_waits(fraud_ending *e, const char *what)
{
    if (!e) return;
    pthread_mutex_lock(&e->lock);
    e->waits = what;
    pthread_mutex_unlock(&e->lock);
}

void fraud_ending_begin(fraud_ending *e, int code, const r1_err *why)
{
    if (!e) return;
    pthread_mutex_lock(&e->lock);
    e->code = code;
    if (code) e->why = *why;
    if (!e->asked_us) e->asked_us = r1_mono_us();
    pthread_mutex_unlock(&e->lock);
}

bool fraud_ending_cut(const fraud_ending *e) { return e && atomic_load(&e->cut); }

void fraud_ending_free(fraud_ending *e)
{
    if (!e) return;
    pthread_mutex_lock(&e->lock);
    e->done = true;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
    pthread_cond_destroy(&e->wake);
    pthread_mutex_destroy(&e->lock);
    free(e);
}
