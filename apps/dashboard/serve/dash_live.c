/* SPDX-License-Identifier: Apache-2.0 */
/* dash_live.c - see dash_live.h. */
#include "serve/dash_live.h"
#include "text/quote.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EVENT_BYTES = 96, TURN_MS = 250, AGAIN_MS = 1000 };

typedef struct {
    const char *type; /* "case", "database" */
    char text[EVENT_BYTES];
} live_event;

struct dash_live {
    const char *conninfo;
    long long epoch; /* of this process, so that its numbers are no other one's */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t news;
    bool stopping;
    uint64_t n; /* events so far; the newest are kept */
    live_event event[DASH_LIVE_KEPT];
};

static void live_add(dash_live *l, const char *type, const char *text)
{
    pthread_mutex_lock(&l->lock);
    live_event *e = &l->event[l->n++ % DASH_LIVE_KEPT];
    e->type = type;
    snprintf(e->text, sizeof e->text, "%s", text);
    pthread_cond_broadcast(&l->news);
    pthread_mutex_unlock(&l->lock);
}

static bool live_stopping(dash_live *l)
{
    pthread_mutex_lock(&l->lock);
    bool stopping = l->stopping;
    pthread_mutex_unlock(&l->lock);
    return stopping;
}

/* Sleeps, unless it is to end. */
static void live_rest(dash_live *l)
{
    for (int i = 0; i < AGAIN_MS / 50 && !live_stopping(l); i++)
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
}

static r1_status live_open(const dash_live *l, r1_store **s, r1_err *err)
{
    if (!*s) R1_TRY(r1_store_open(s, l->conninfo, "r1-dashboard news", err));
    if (!r1_store_alive(*s)) R1_TRY(r1_store_reopen(*s, err));
    return r1_store_listen(*s, "r1_case", err);
}

static void *live_main(void *arg)
{
    dash_live *l = arg;
    r1_store *s = NULL;
    char text[EVENT_BYTES];
    bool lost = false;
    while (!live_stopping(l)) {
        r1_err err = {0};
        if (live_open(l, &s, &err) != R1_OK) {
            if (!lost) live_add(l, "database", "lost");
            lost = true;
            live_rest(l);
            continue;
        }
        if (lost) live_add(l, "database", "back");
        lost = false;
        r1_status st = R1_OK;
        while ((st == R1_OK || st == R1_E_TIMEOUT) && !live_stopping(l)) {
            st = r1_store_heard(s, TURN_MS, text, sizeof text, &err);
            if (st == R1_OK) live_add(l, "case", text);
        }
        if (!live_stopping(l))
            r1_log(R1_LOG_WARN, "news_lost", "error=\"%s\"", r1_log_quote(err.msg).text);
    }
    r1_store_close(s);
    return NULL;
}

r1_status dash_live_start(dash_live **out, const char *conninfo, r1_err *err)
{
    dash_live *l = calloc(1, sizeof *l);
    if (!l) R1_FAIL(err, R1_E_NOMEM, "no memory for news");
    l->conninfo = conninfo;
    l->epoch = (long long)r1_time_us();
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->news, NULL);
    if (pthread_create(&l->thread, NULL, live_main, l)) {
        free(l);
        R1_FAIL(err, R1_E_NOMEM, "no thread for news");
    }
    *out = l;
    return R1_OK;
}

/* Under the lock. */
static void live_write(const dash_live *l, uint64_t from, FILE *f)
{
    for (uint64_t i = from; i < l->n; i++) {
        const live_event *e = &l->event[i % DASH_LIVE_KEPT];
        fprintf(f, "id: %lld-%llu\nevent: %s\ndata: %s\n\n", l->epoch, (unsigned long long)i + 1,
                e->type, e->text);
    }
}

char *dash_live_wait(dash_live *l, const char *last)
{
    struct timespec until;
    unsigned long long seen = 0;
    long long epoch = 0;
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    if (!f) return NULL;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DASH_LIVE_WAIT_MS / 1000;
    bool told = last && sscanf(last, "%lld-%llu", &epoch, &seen) == 2;
    pthread_mutex_lock(&l->lock);
    fprintf(f, "retry: 300\n");
    if (!told || epoch != l->epoch || seen > l->n || l->n - seen > DASH_LIVE_KEPT) {
        fprintf(f, "id: %lld-%llu\nevent: %s\ndata: all\n\n", l->epoch, (unsigned long long)l->n,
                told ? "again" : "begin");
    } else {
        while (l->n == seen && !l->stopping &&
               pthread_cond_timedwait(&l->news, &l->lock, &until) != ETIMEDOUT) {
        }
        if (l->n == seen) fprintf(f, ": nothing new\n\n");
        live_write(l, seen, f);
    }
    pthread_mutex_unlock(&l->lock);
    if (fclose(f)) {
        free(text);
        return NULL;
    }
    return text;
}

void dash_live_wake(dash_live *l)
{
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->news);
    pthread_mutex_unlock(&l->lock);
}

void dash_live_stop(dash_live *l)
{
    if (!l) return;
    dash_live_wake(l);
    pthread_join(l->thread, NULL);
    pthread_cond_destroy(&l->news);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
