/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - one thread that asks the broker and leaves what is new under a lock. */
#include "stream/watch.h"
#include "r1_assert.h"
#include "stream/witness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ASK_MS = 2000,   /* for one answer */
    RANGES_MAX = 32, /* partitions whose offsets are looked at in one turn */
    ABSENT_MAX = 3   /* times that a topic must be absent: metadata travels for a while */
};

struct r1_watch {
    r1_consumer *c;
    int n_topic, interval_ms;
    int32_t n_read[R1_TOPICS_MAX];     /* partitions that the reader was told of */
    int32_t next_range[R1_TOPICS_MAX]; /* the thread's */
    int32_t turn[R1_TOPICS_MAX];       /* the thread's */
    int n_absent[R1_TOPICS_MAX];       /* the thread's */
    r1_witness *witness;               /* the thread's, once it runs */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows, and n_read */
    pthread_cond_t ends;
    int32_t n_found[R1_TOPICS_MAX];
    r1_err failure;
    atomic_bool ending;
    atomic_bool news;
};

/* ---- the thread ---- */

static void watch_fail(r1_watch *w, const r1_err *why)
{
    pthread_mutex_lock(&w->lock);
    if (w->failure.code == R1_OK) w->failure = *why;
    pthread_mutex_unlock(&w->lock);
    atomic_store(&w->news, true);
}

static int32_t watch_read(r1_watch *w, int topic)
{
    pthread_mutex_lock(&w->lock);
    int32_t n = w->n_read[topic];
    pthread_mutex_unlock(&w->lock);
    return n;
}

/* How many partitions there are; false: no answer, or none that counts. */
static bool watch_count(r1_watch *w, int topic, int32_t *n)
{
    r1_err why = {0};
    r1_status st = r1_consumer_partitions(w->c, topic, n, ASK_MS, &why);
    w->n_absent[topic] = st == R1_E_NOT_FOUND ? w->n_absent[topic] + 1 : 0;
    if (w->n_absent[topic] >= ABSENT_MAX) {
        why.code = R1_E_STREAM;
        watch_fail(w, &why);
    }
    return st == R1_OK;
}

static void watch_shrunk(r1_watch *w, int topic, int32_t found, int32_t read)
{
    r1_err why = {0};
    r1_err_set(&why, R1_E_STREAM, __FILE__, __LINE__,
               "topic %s: expected %d partitions, as are read, found %d: the topic was made anew",
               r1_consumer_topic(w->c, topic), read, found);
    watch_fail(w, &why);
}

/* The position is asked for first: a topic that only grows is never behind it. */
static void watch_range(r1_watch *w, int topic, int32_t partition)
{
    r1_err why = {0};
    int64_t low, high, at = r1_consumer_position(w->c, topic, partition);
    if (r1_consumer_range(w->c, topic, partition, &low, &high, ASK_MS, &why) != R1_OK) return;
    if (high >= at) return;
    r1_err_set(&why, R1_E_STREAM, __FILE__, __LINE__,
               "partition %d of %s: expected offset %lld at the broker, found "
               "that its next one is %lld: the topic was made anew, or lost messages",
               partition, r1_consumer_topic(w->c, topic), (long long)at, (long long)high);
    watch_fail(w, &why);
}

/* One partition a turn: a topic is made anew as a whole. */
static void watch_witness(r1_watch *w, int topic, int32_t partition)
{
    r1_err why = {0};
    int64_t at = r1_consumer_position(w->c, topic, partition);
    if (r1_witness_look(w->witness, topic, partition, at, ASK_MS, &why) == R1_E_STREAM)
        watch_fail(w, &why);
}

static void watch_topic(r1_watch *w, int topic)
{
    int32_t found, read = watch_read(w, topic);
    if (!watch_count(w, topic, &found)) return;
    if (found < read) {
        watch_shrunk(w, topic, found, read);
        return;
    }
    if (found > read) {
        pthread_mutex_lock(&w->lock);
        w->n_found[topic] = found;
        pthread_mutex_unlock(&w->lock);
        atomic_store(&w->news, true);
    }
    for (int32_t i = 0; i < read && i < RANGES_MAX && !w->ending; i++) {
        watch_range(w, topic, w->next_range[topic] % read);
        w->next_range[topic] = (w->next_range[topic] + 1) % read;
    }
    if (w->ending) return;
    w->turn[topic] = (w->turn[topic] + 1) % read;
    watch_witness(w, topic, w->turn[topic]);
}

static bool watch_sleep(r1_watch *w)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += w->interval_ms / 1000;
    until.tv_nsec += (long)(w->interval_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_mutex_lock(&w->lock);
    if (!w->ending) pthread_cond_timedwait(&w->ends, &w->lock, &until);
    bool on = !w->ending;
    pthread_mutex_unlock(&w->lock);
    return on;
}

static void *watch_main(void *arg)
{
    r1_watch *w = arg;
    while (watch_sleep(w))
        for (int t = 0; t < w->n_topic && !w->ending; t++) watch_topic(w, t);
    return NULL;
}

/* ---- the caller's ---- */

static r1_status watch_begin(r1_watch *w, const r1_stream_opts *opts, r1_err *err)
{
    const char *topic[R1_TOPICS_MAX];
    for (int t = 0; t < w->n_topic; t++) topic[t] = r1_consumer_topic(w->c, t);
    R1_TRY(r1_witness_new(&w->witness, opts, topic, w->n_topic, err));
    if (pthread_create(&w->thread, NULL, watch_main, w) == 0) return R1_OK;
    r1_witness_free(w->witness);
    R1_FAIL(err, R1_E_NOMEM, "no thread to watch the topics");
}

r1_status r1_watch_start(r1_watch **out, r1_consumer *c, const r1_stream_opts *opts, int n_topic,
                         const int32_t *n_partition, int interval_ms, r1_err *err)
{
    R1_ASSERT(n_topic >= 1 && n_topic <= R1_TOPICS_MAX, "%d topics", n_topic);
    *out = NULL;
    r1_watch *w = calloc(1, sizeof *w);
    if (!w) R1_FAIL(err, R1_E_NOMEM, "no memory to watch the topics");
    w->c = c;
    w->n_topic = n_topic;
    w->interval_ms = interval_ms;
    memcpy(w->n_read, n_partition, (size_t)n_topic * sizeof *n_partition);
    memcpy(w->n_found, n_partition, (size_t)n_topic * sizeof *n_partition);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->ends, NULL);
    r1_status st = watch_begin(w, opts, err);
    if (st == R1_OK)
        *out = w;
    else
        free(w);
    return st;
}

r1_status r1_watch_news(r1_watch *w, bool *grown, int32_t *n_partition, r1_err *err)
{
    *grown = false;
    if (!atomic_load(&w->news)) return R1_OK;
    pthread_mutex_lock(&w->lock);
    atomic_store(&w->news, false);
    r1_status st = w->failure.code;
    if (st != R1_OK && err) *err = w->failure;
    for (int t = 0; t < w->n_topic; t++) {
        *grown |= w->n_found[t] > w->n_read[t];
        n_partition[t] = w->n_found[t];
    }
    pthread_mutex_unlock(&w->lock);
    return st;
}

void r1_watch_reads(r1_watch *w, const int32_t *n_partition)
{
    pthread_mutex_lock(&w->lock);
    memcpy(w->n_read, n_partition, (size_t)w->n_topic * sizeof *n_partition);
    pthread_mutex_unlock(&w->lock);
}

void r1_watch_stop(r1_watch *w)
{
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_signal(&w->ends);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    r1_witness_free(w->witness);
    pthread_cond_destroy(&w->ends);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
