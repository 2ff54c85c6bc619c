/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fleet.c - see fleet.h for the threads. */
#include "fleet/fleet.h"

#include "r1_assert.h"
#include "stream/watch.h"
#include "text/quote.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ANSWER_MS = 5000,
    TURN_MS = 250,          /* of the lease's thread */
    GROUP_MS = 50,          /* of the group's thread */
    SESSION_DEFAULT = 6000, /* what a broker takes unless it is told otherwise */
    READ_AHEAD_KIB = 16384,
    QUERY_S = 2,
    BEAT_US = 1000000, /* from one sign of life to the next */
    FOREIGN_MAX = 1000 /* messages of others that may stand before the first event */
};

struct fraud_fleet {
    fraud_fleet_opts o;
    int n_topic;
    fraud_lease_opts lease;
    r1_consumer *reader;
    r1_watch *watch; /* of the topic of events; NULL before fraud_fleet_join */
    fraud_fleet_place place;
    fraud_event first;  /* the genesis */
    int64_t first_next; /* offset behind it */
    int64_t target;     /* of fraud_fleet_begin */
    uint64_t bad;
    fraud_sequencer_stats work;
    atomic_int_fast64_t mine, lease_until_us, seen; /* epochs: held, and newest in the topic */
    atomic_int_fast64_t number, whole;
    atomic_bool mark_wanted; /* the lease's thread asks the reader for a mark */
    _Atomic uint64_t voids;
    atomic_int session_ms;
    atomic_bool joined, ending;
    pthread_t thread[4];
    int n_thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    fraud_fleet_place marker; /* the reader's place at the marker of marker_epoch */
    int64_t marker_epoch;
    int64_t committed[FRAUD_EVENT_TOPICS][FRAUD_EVENT_PARTITIONS];
    bool committed_news;
    /* The reader's place at some event: once all that lies below is committed, so is the log. */
    int64_t mark_number, mark[FRAUD_EVENT_TOPICS][FRAUD_EVENT_PARTITIONS];
    r1_group *group; /* NULL: not a member */
    r1_group_event *change;
    int64_t running; /* the sequencer's epoch; its thread's alone */
    bool change_waits, released;
    char holder[96];
    fraud_member member; /* this process; owner "": it has not entered */
    fraud_members others;
    int64_t beat_us; /* monotonic; the lease's thread alone */
    r1_err failure;
};

static void fleet_fail(fraud_fleet *f, r1_status st, const r1_err *why)
{
    pthread_mutex_lock(&f->lock);
    if (f->failure.code == R1_OK) {
        f->failure = *why;
        f->failure.code = st;
    }
    pthread_cond_broadcast(&f->wake);
    pthread_mutex_unlock(&f->lock);
}

/* A topic of events that is gone, made anew or has a second partition has no order any more. */
static r1_status fleet_same_topic(fraud_fleet *f, r1_err *err)
{
    bool grown = false;
    int32_t n[R1_TOPICS_MAX] = {1};
    r1_err why = {0};
    if (!f->watch) return R1_OK;
    r1_status st = r1_watch_news(f->watch, &grown, n, &why);
    if (st == R1_OK && !grown) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "events-topic %s: expected the topic that was read so far, with one partition, found "
            "%s (%d partitions); to begin again: " FRAUD_SHARED_REMEDY,
            f->o.events, grown ? "that it has grown" : why.msg, n[0]);
}

r1_status fraud_fleet_status(fraud_fleet *f, r1_err *err)
{
    pthread_mutex_lock(&f->lock);
    r1_status st = f->failure.code;
    if (st != R1_OK && err) *err = f->failure;
    pthread_mutex_unlock(&f->lock);
    return st == R1_OK ? fleet_same_topic(f, err) : st;
}

/* Until something wakes, or ms have passed. Under the lock. */
static void fleet_wait(fraud_fleet *f, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_cond_timedwait(&f->wake, &f->lock, &until);
}

static void fleet_sleep(fraud_fleet *f, int ms)
{
    pthread_mutex_lock(&f->lock);
    if (!atomic_load(&f->ending)) fleet_wait(f, ms);
    pthread_mutex_unlock(&f->lock);
}

/* ---- the lease's thread ---- */

static bool fleet_leads(void *ctx)
{
    fraud_fleet *f = ctx;
    int64_t mine = atomic_load(&f->mine);
    return mine && !atomic_load(&f->ending) && r1_mono_us() < atomic_load(&f->lease_until_us) &&
           atomic_load(&f->seen) <= mine;
}

static void lease_took(fraud_fleet *f, int64_t asked_us, const fraud_lease *got)
{
    atomic_store(&f->lease_until_us, asked_us + (int64_t)f->o.lease_ms * 1000);
    atomic_store(&f->mine, got->epoch);
    pthread_mutex_lock(&f->lock);
    snprintf(f->holder, sizeof f->holder, "%s", got->epoch ? f->o.owner : got->owner);
    pthread_cond_broadcast(&f->wake);
    pthread_mutex_unlock(&f->lock);
}

/* Under the lock, after the offsets were asked for. */
static void lease_whole(fraud_fleet *f)
{
    if (atomic_load(&f->mark_wanted)) return;
    for (int t = 0; t < FRAUD_EVENT_TOPICS; t++)
        for (int p = 0; p < FRAUD_EVENT_PARTITIONS; p++)
            if (f->mark[t][p] > f->committed[t][p]) return;
    atomic_store(&f->whole, f->mark_number);
    atomic_store(&f->mark_wanted, true);
}

/* The reader's. */
static void fleet_mark(fraud_fleet *f)
{
    if (!atomic_load(&f->mark_wanted)) return;
    pthread_mutex_lock(&f->lock);
    f->mark_number = f->place.fold.number;
    memcpy(f->mark, f->place.next, sizeof f->mark);
    pthread_mutex_unlock(&f->lock);
    atomic_store(&f->mark_wanted, false);
}

static r1_status lease_committed(fraud_fleet *f, r1_store *s, r1_err *err)
{
    int64_t(*next)[FRAUD_EVENT_PARTITIONS] = calloc(FRAUD_EVENT_TOPICS, sizeof *next);
    if (!next) R1_FAIL(err, R1_E_NOMEM, "no memory for offsets");
    r1_status st = fraud_committed_ask(s, f->o.cluster, f->o.topic, next, err);
    pthread_mutex_lock(&f->lock);
    if (st == R1_OK) memcpy(f->committed, next, sizeof f->committed);
    f->committed_news |= st == R1_OK;
    if (st == R1_OK) lease_whole(f);
    pthread_mutex_unlock(&f->lock);
    free(next);
    return st;
}

/* What differs is said when it changes. */
static void members_say(const fraud_members *before, const fraud_members *now)
{
    if (!strcmp(before->text, now->text)) return;
    if (now->differ)
        r1_log(R1_LOG_WARN, "settings_differ",
               "settings=%zu found=\"%s\" expected=\"the same rules, lists and thresholds in each "
               "process\"",
               now->differ, now->text);
    else
        r1_log(R1_LOG_INFO, "settings_agree", "processes=%d", now->n + 1);
}

static void members_take(fraud_fleet *f, const fraud_members *now)
{
    pthread_mutex_lock(&f->lock);
    fraud_members before = f->others;
    f->others = *now;
    pthread_mutex_unlock(&f->lock);
    members_say(&before, now);
}

static r1_status lease_beat(fraud_fleet *f, r1_store *s, r1_err *err)
{
    fraud_members now;
    int64_t at = r1_mono_us();
    if (at - f->beat_us < BEAT_US) return R1_OK;
    pthread_mutex_lock(&f->lock);
    fraud_member m = f->member;
    pthread_mutex_unlock(&f->lock);
    R1_TRY(fraud_member_beat(&m, s, &now, err));
    f->beat_us = at;
    members_take(f, &now);
    return R1_OK;
}

static r1_status lease_turn(fraud_fleet *f, r1_store **s, r1_err *err)
{
    const r1_store_opts opts = {.application = "r1-fraud lease", .statement_s = QUERY_S};
    fraud_lease got = {0};
    if (!*s) R1_TRY(r1_store_open_with(s, f->o.conninfo, &opts, err));
    if (!r1_store_alive(*s)) R1_TRY(r1_store_reopen(*s, err));
    int64_t asked = r1_mono_us(), mine = atomic_load(&f->mine), seen = atomic_load(&f->seen);
    if (mine && mine < seen) mine = 0; /* another sequencer has opened an epoch */
    if (atomic_load(&f->joined)) {
        R1_TRY(fraud_lease_ask(&f->lease, *s, mine, seen, &got, err));
        lease_took(f, asked, &got);
    }
    R1_TRY(lease_beat(f, *s, err));
    return lease_committed(f, *s, err);
}

static void *lease_main(void *arg)
{
    fraud_fleet *f = arg;
    r1_store *s = NULL;
    r1_err err = {0};
    bool said = false;
    while (!atomic_load(&f->ending)) {
        r1_err_clear(&err);
        r1_status st = lease_turn(f, &s, &err);
        if (st != R1_OK && !err.retriable) {
            fleet_fail(f, st, &err);
            break;
        }
        if (st != R1_OK && !said)
            r1_log(R1_LOG_WARN, "lease_waits", "error=\"%s\"", r1_log_quote(err.msg).text);
        said = st != R1_OK;
        fleet_sleep(f, TURN_MS);
    }
    int64_t mine = atomic_exchange(&f->mine, 0);
    if (s && r1_store_alive(s) && mine) fraud_lease_release(&f->lease, s, mine, &err);
    if (s && r1_store_alive(s)) fraud_member_leave(&f->member, s, &err);
    r1_store_close(s);
    return NULL;
}

/* ---- the sequencer's thread ---- */

static bool epoch_goes_on(void *ctx)
{
    fraud_fleet *f = ctx;
    return fleet_leads(f) && atomic_load(&f->mine) == f->running;
}

static bool fleet_at_marker(void *ctx, fraud_fleet_place *out)
{
    fraud_fleet *f = ctx;
    bool met = false;
    pthread_mutex_lock(&f->lock);
    while (!(met = f->marker_epoch == f->running) && epoch_goes_on(f)) fleet_wait(f, 20);
    if (met) *out = f->marker;
    pthread_mutex_unlock(&f->lock);
    return met && epoch_goes_on(f);
}

static r1_status sequence_once(fraud_fleet *f, int64_t epoch, r1_err *err)
{
    f->running = epoch;
    const fraud_sequencer_opts o = {.stream = f->o.stream,
                                    .topic = f->o.topic,
                                    .n_topic = f->n_topic,
                                    .events = f->o.events,
                                    .refresh_ms = f->o.refresh_ms,
                                    .epoch = epoch,
                                    .log = f->first.log,
                                    .ctx = f,
                                    .leads = epoch_goes_on,
                                    .at_marker = fleet_at_marker,
                                    .stats = &f->work};
    return fraud_sequencer_run(&o, err);
}

/* An epoch that ended while the lease is held: another one begins, with a higher number. */
static void sequence_again(fraud_fleet *f)
{
    int64_t mine = atomic_load(&f->mine), seen = atomic_load(&f->seen);
    while (mine && seen < mine + 1 && !atomic_compare_exchange_weak(&f->seen, &seen, mine + 1)) {
    }
}

static void *sequencer_main(void *arg)
{
    fraud_fleet *f = arg;
    int64_t ran = 0; /* an epoch has one marker, so it runs once: a lease may pause and go on */
    while (!atomic_load(&f->ending)) {
        r1_err err = {0};
        if (fleet_leads(f) && atomic_load(&f->mine) == ran) sequence_again(f);
        if (!fleet_leads(f)) {
            fleet_sleep(f, 50);
            continue;
        }
        ran = atomic_load(&f->mine);
        r1_status st = sequence_once(f, ran, &err);
        if (st == R1_OK || err.retriable || st == R1_E_TIMEOUT || st == R1_E_NOT_FOUND) {
            if (st != R1_OK)
                r1_log(R1_LOG_WARN, "sequencer_ended", "error=\"%s\"", r1_log_quote(err.msg).text);
            continue;
        }
        r1_err_prefix(&err, "sequencer: ");
        fleet_fail(f, st, &err);
        return NULL;
    }
    return NULL;
}

/* ---- the group's thread ---- */

static r1_status group_open(fraud_fleet *f, r1_err *err)
{
    r1_group *g = NULL;
    r1_status st =
        r1_group_new(&g, &f->o.stream, f->o.topic, f->n_topic, 1, atomic_load(&f->session_ms), err);
    pthread_mutex_lock(&f->lock);
    f->group = g;
    pthread_mutex_unlock(&f->lock);
    return st;
}

static void group_close(fraud_fleet *f)
{
    pthread_mutex_lock(&f->lock);
    r1_group *g = f->group;
    f->group = NULL;
    pthread_mutex_unlock(&f->lock);
    r1_group_free(g);
}

/* Hands the change to the reader, and waits until it has taken the one before. */
static void group_give(fraud_fleet *f, const r1_group_event *e)
{
    pthread_mutex_lock(&f->lock);
    while (f->change_waits && !atomic_load(&f->ending)) fleet_wait(f, GROUP_MS);
    *f->change = *e;
    f->change_waits = true;
    pthread_mutex_unlock(&f->lock);
}

static bool group_may_release(fraud_fleet *f)
{
    pthread_mutex_lock(&f->lock);
    bool may = f->released;
    f->released = false;
    pthread_mutex_unlock(&f->lock);
    return may;
}

/* A broker that refuses the session's time gets the one that it takes by default. */
static r1_status group_error(fraud_fleet *f, r1_status st, r1_err *err)
{
    if (st == R1_E_INVAL && atomic_load(&f->session_ms) < SESSION_DEFAULT) {
        r1_log(R1_LOG_WARN, "group_session",
               "asked=%d used=%d error=\"%s\" so others take over later",
               atomic_load(&f->session_ms), SESSION_DEFAULT, r1_log_quote(err->msg).text);
        atomic_store(&f->session_ms, SESSION_DEFAULT);
        group_close(f);
        return group_open(f, err);
    }
    if (st == R1_E_STREAM) {
        r1_log(R1_LOG_WARN, "group", "error=\"%s\"", r1_log_quote(err->msg).text);
        return R1_OK;
    }
    return st;
}

/* A member whose partitions were lost joins again by itself. One that is given nothing for some
 * sessions is stuck: it leaves, and joins as another one. *lost_us: monotonic; 0: none is lost. */
static r1_status group_stuck(fraud_fleet *f, r1_group_kind kind, int64_t *lost_us, r1_err *err)
{
    enum { SESSIONS = 3 };
    int64_t now = r1_mono_us();
    if (kind == R1_GROUP_GIVEN) *lost_us = 0;
    if (kind == R1_GROUP_LOST) *lost_us = now;
    if (!*lost_us || now - *lost_us < (int64_t)SESSIONS * 1000 * atomic_load(&f->session_ms))
        return R1_OK;
    *lost_us = now;
    r1_log(R1_LOG_WARN, "group_joins_anew", "sessions=%d", SESSIONS);
    group_close(f);
    return group_open(f, err);
}

static void *group_main(void *arg)
{
    fraud_fleet *f = arg;
    r1_err err = {0};
    int64_t lost_us = 0;
    r1_group_event *e = calloc(1, sizeof *e);
    r1_status st = e ? group_open(f, &err) : R1_E_NOMEM;
    while (st == R1_OK && !atomic_load(&f->ending)) {
        r1_err_clear(&err);
        st = r1_group_poll(f->group, GROUP_MS, e, &err);
        if (e->kind != R1_GROUP_NOTHING) group_give(f, e);
        if (group_may_release(f)) r1_group_release(f->group);
        if (st != R1_OK) st = group_error(f, st, &err);
        if (st == R1_OK) st = group_stuck(f, e->kind, &lost_us, &err);
    }
    if (st != R1_OK) fleet_fail(f, st, &err);
    group_close(f);
    free(e);
    return NULL;
}

/* ---- the pulse's thread ---- */

/* A process that was stopped for so long that the brokers may have given its partitions to others.
 * Whether they did, nobody here can know in time, so it always ends. This thread does nothing but
 * sleep: where it slept for too long, all threads stood still. */
static void *pulse_main(void *arg)
{
    fraud_fleet *f = arg;
    while (!atomic_load(&f->ending)) {
        int64_t since = r1_mono_us();
        fleet_sleep(f, TURN_MS);
        int64_t away_ms = (r1_mono_us() - since) / 1000 - TURN_MS,
                limit_ms = (int64_t)atomic_load(&f->session_ms) * 2 / 3;
        if (away_ms <= limit_ms) continue;
        r1_err err = {0};
        r1_err_set(&err, R1_E_AGAIN, __FILE__, __LINE__,
                   "this process stood still for %.1f s, longer than the %.1f s that group-session "
                   "allows: others may have its partitions; start it again",
                   (double)away_ms / 1e3, (double)limit_ms / 1e3);
        fleet_fail(f, R1_E_AGAIN, &err);
        break;
    }
    return NULL;
}

int64_t fraud_fleet_whole(const fraud_fleet *f) { return atomic_load(&f->whole); }
bool fraud_fleet_sequences(fraud_fleet *f) { return fleet_leads(f); }

bool fraud_fleet_change(fraud_fleet *f, r1_group_event *out)
{
    fleet_mark(f);
    pthread_mutex_lock(&f->lock);
    bool waits = f->change_waits;
    if (waits) *out = *f->change;
    f->change_waits = false;
    if (waits) pthread_cond_broadcast(&f->wake);
    pthread_mutex_unlock(&f->lock);
    return waits;
}

void fraud_fleet_released(fraud_fleet *f)
{
    pthread_mutex_lock(&f->lock);
    f->released = true;
    pthread_mutex_unlock(&f->lock);
}

void fraud_fleet_hint(fraud_fleet *f, int topic, const int64_t *next, int32_t n)
{
    pthread_mutex_lock(&f->lock);
    if (f->group) r1_group_hint_all(f->group, topic, next, n);
    pthread_mutex_unlock(&f->lock);
}

bool fraud_fleet_committed(fraud_fleet *f, int64_t next[FRAUD_EVENT_TOPICS][FRAUD_EVENT_PARTITIONS])
{
    pthread_mutex_lock(&f->lock);
    bool news = f->committed_news;
    if (news) memcpy(next, f->committed, sizeof f->committed);
    f->committed_news = false;
    pthread_mutex_unlock(&f->lock);
    return news;
}

/* ---- life ---- */

/* The topic has one partition: one order. */
static r1_status fleet_topic(fraud_fleet *f, r1_err *err)
{
    int32_t n = 0;
    r1_status st = r1_consumer_partitions(f->reader, 0, &n, ANSWER_MS, err);
    if (st == R1_E_NOT_FOUND) {
        r1_err_clear(err);
        R1_TRY(r1_topic_create(&f->o.stream, f->o.events, 1, ANSWER_MS, err));
        r1_log(R1_LOG_WARN, "events_topic_made",
               "topic=%s partitions=1 expected=\"retention longer than the oldest snapshot\"",
               f->o.events);
        st = r1_consumer_partitions(f->reader, 0, &n, ANSWER_MS, err);
        if (st != R1_OK && err) err->retriable = true;
    }
    R1_TRY(st);
    if (n == 1) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "events-topic %s: expected a topic of one partition, which has one order, found %d "
            "(the embedded broker makes it so by r1-broker serve --topics ...,NAME:1 alone)",
            f->o.events, n);
}

r1_status fraud_fleet_new(fraud_fleet **out, const fraud_fleet_opts *opts, r1_err *err)
{
    *out = NULL;
    fraud_fleet *f = calloc(1, sizeof *f);
    if (f) f->change = calloc(1, sizeof *f->change);
    if (!f || !f->change) {
        free(f);
        R1_FAIL(err, R1_E_NOMEM, "no memory for a shared stream");
    }
    f->o = *opts;
    f->n_topic = opts->topic[1] ? 2 : 1;
    f->lease = (fraud_lease_opts){opts->cluster, opts->events, opts->owner, opts->lease_ms};
    atomic_init(&f->session_ms, opts->session_ms);
    atomic_init(&f->work.body_max, FRAUD_EVENT_BODY_MAX);
    pthread_mutex_init(&f->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&f->wake, &attr);
    pthread_condattr_destroy(&attr);
    r1_stream_opts stream = opts->stream;
    stream.placer = (r1_placer){0};
    stream.merge_hold_ms = 0;
    stream.queue_kib = READ_AHEAD_KIB;
    r1_status st = r1_consumer_new(&f->reader, &stream, &f->o.events, 1, err);
    if (st == R1_OK) st = fleet_topic(f, err);
    if (st == R1_OK)
        *out = f;
    else
        fraud_fleet_free(f);
    return st;
}

void fraud_fleet_leave(fraud_fleet *f)
{
    atomic_store(&f->ending, true);
    pthread_mutex_lock(&f->lock);
    pthread_cond_broadcast(&f->wake);
    pthread_mutex_unlock(&f->lock);
    for (int i = 0; i < f->n_thread; i++) pthread_join(f->thread[i], NULL);
    f->n_thread = 0;
}

void fraud_fleet_free(fraud_fleet *f)
{
    if (!f) return;
    fraud_fleet_leave(f);
    r1_watch_stop(f->watch);
    r1_consumer_free(f->reader);
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->lock);
    free(f->change);
    free(f);
}

static r1_status fleet_thread(fraud_fleet *f, void *(*run)(void *), r1_err *err)
{
    if (pthread_create(&f->thread[f->n_thread], NULL, run, f))
        R1_FAIL(err, R1_E_NOMEM, "no thread for a shared stream");
    f->n_thread++;
    return R1_OK;
}

r1_status fraud_fleet_join(fraud_fleet *f, r1_err *err)
{
    const int32_t one = 1;
    R1_TRY(r1_watch_start(&f->watch, f->reader, &f->o.stream, 1, &one, f->o.refresh_ms, err));
    atomic_store(&f->joined, true);
    R1_TRY(fleet_thread(f, pulse_main, err));
    R1_TRY(fleet_thread(f, sequencer_main, err));
    return fleet_thread(f, group_main, err);
}

/* ---- the beginning ---- */

static r1_status genesis_append(fraud_fleet *f, int64_t epoch, const fraud_genesis *g, r1_err *err)
{
    r1_producer *p;
    r1_rng rng;
    r1_stream_opts stream = f->o.stream;
    char *text = fraud_genesis_write(g);
    if (!text) R1_FAIL(err, R1_E_NOMEM, "no memory for the first event");
    r1_rng_seed(&rng, (uint64_t)r1_time_us() ^ r1_hash64(f->o.owner, strlen(f->o.owner), 0));
    const fraud_event e = {.kind = FRAUD_EVENT_GENESIS,
                           .epoch = epoch,
                           .number = g->last_seq,
                           .log = r1_rng_u64(&rng),
                           .machine_ms = r1_time_us() / 1000};
    r1_status st = r1_producer_new(&p, &stream, err);
    if (st == R1_OK) {
        st = fraud_event_append(p, f->o.events, &e, text, ANSWER_MS, err);
        r1_producer_free(p);
    }
    free(text);
    return st;
}

/* An empty topic: this process opens it, or another one does. */
static r1_status genesis_try(fraud_fleet *f, r1_store *s, fraud_genesis_make *make, void *ctx,
                             r1_err *err)
{
    fraud_lease got;
    int64_t low, high;
    R1_TRY(fraud_lease_ask(&f->lease, s, 0, 0, &got, err));
    if (got.has_log)
        R1_FAIL(err, R1_E_INVAL,
                "events-topic %s: expected the events of this log, found none: the topic was made "
                "anew; to begin again: " FRAUD_SHARED_REMEDY,
                f->o.events);
    if (!got.epoch) return R1_OK;
    R1_TRY(r1_consumer_range(f->reader, 0, 0, &low, &high, ANSWER_MS, err));
    r1_status st = R1_OK;
    fraud_genesis *g = high ? NULL : calloc(1, sizeof *g);
    if (g) st = make(ctx, g, err);
    if (g && st == R1_OK) st = genesis_append(f, got.epoch, g, err);
    free(g);
    r1_err late = {0};
    fraud_lease_release(&f->lease, s, got.epoch, &late);
    return st;
}

/* Messages of others may stand before the first event, where somebody was quicker. A topic that has
 * them alone is somebody else's, or was named by mistake. */
static r1_status genesis_foreign(const fraud_fleet *f, int64_t read, int64_t high, r1_err *err)
{
    if (read < high && read < FOREIGN_MAX) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "events-topic %s: expected an empty topic, or one that begins with the event of a log, "
            "found %lld messages without the header " FRAUD_EVENT_HEADER " at its beginning: is it "
            "another program's? Name another topic, or delete this one and make it anew",
            f->o.events, (long long)read);
}

/* The first event, where it is still there. */
static r1_status genesis_first(fraud_fleet *f, int64_t high, fraud_genesis *out, r1_err *err)
{
    const r1_start start = {.next_offset = 0, .end_offset = 1, .witness_offset = -1};
    r1_message m;
    r1_header h;
    R1_TRY(r1_consumer_add(f->reader, 0, &start, 1, err));
    for (;;) {
        r1_status st = r1_consumer_poll(f->reader, ANSWER_MS, &m, err);
        if (st == R1_E_TIMEOUT)
            R1_FAIL(err, R1_E_STREAM, "events-topic %s: expected its first event, found none",
                    f->o.events);
        R1_TRY(st);
        bool ours = r1_message_header(&m, 0, &h) && !strcmp(h.name, FRAUD_EVENT_HEADER) &&
                    fraud_event_read(&f->first, h.value, h.len, err) == R1_OK &&
                    f->first.kind == FRAUD_EVENT_GENESIS;
        if (ours) st = fraud_genesis_read(out, m.payload, m.payload_len, err);
        f->first_next = m.offset + 1;
        r1_message_free(&m);
        if (ours) return st;
        r1_log(R1_LOG_ERROR, "event_refused", "topic=%s offset=%lld expected=\"a genesis\"",
               f->o.events, (long long)(f->first_next - 1));
        R1_TRY(genesis_foreign(f, f->first_next, high, err));
    }
}

static r1_status genesis_same(const fraud_fleet *f, const fraud_genesis *g, r1_err *err)
{
    const char *labels = f->o.topic[1] ? f->o.topic[1] : "";
    if (strcmp(g->made, f->o.made) != 0)
        R1_FAIL(err, R1_E_INVAL,
                "events-topic %s: expected events of the log made at %s, found those of the log "
                "made at %s: give each database a topic of its own",
                f->o.events, f->o.made, g->made);
    if (!strcmp(g->cluster, f->o.cluster) && !strcmp(g->payments, f->o.topic[0]) &&
        !strcmp(g->labels, labels))
        return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "events-topic %s: expected events of %.60s and \"%.60s\" in cluster %.40s, found those "
            "of %.60s and \"%.60s\" in %.40s",
            f->o.events, f->o.topic[0], labels, f->o.cluster, g->payments, g->labels, g->cluster);
}

/* The topic's log is that of this database. */
static r1_status genesis_log(fraud_fleet *f, r1_store *s, bool whole, r1_err *err)
{
    fraud_lease got;
    fraud_lease_opts ask = f->lease;
    ask.lease_ms = 0;
    R1_TRY(fraud_lease_ask(&ask, s, 0, 0, &got, err));
    uint64_t log = whole ? f->first.log : got.log;
    if (!got.shared)
        R1_FAIL(
            err, R1_E_INVAL,
            "events-topic %s: expected an empty topic, as this log is not shared, found events: "
            "they are of another log, or it went back to one process since; begin with another "
            "topic",
            f->o.events);
    if (whole) R1_TRY(fraud_lease_open(s, &log, err));
    if (!whole && !got.has_log)
        R1_FAIL(err, R1_E_INVAL,
                "events-topic %s: expected its first event, found that it was deleted, and this "
                "database does not know the topic: is it that of another log?",
                f->o.events);
    if (whole && log != f->first.log)
        R1_FAIL(err, R1_E_INVAL,
                "events-topic %s: expected the events of log %016llx, found those of %016llx: it "
                "belongs to another log, or was made anew; to begin again: " FRAUD_SHARED_REMEDY,
                f->o.events, (unsigned long long)log, (unsigned long long)f->first.log);
    f->first.log = log;
    return R1_OK;
}

r1_status fraud_fleet_genesis(fraud_fleet *f, r1_store *s, fraud_genesis_make *make, void *ctx,
                              fraud_genesis *out, bool *whole, r1_err *err)
{
    int64_t low, high;
    R1_TRY(r1_consumer_range(f->reader, 0, 0, &low, &high, ANSWER_MS, err));
    if (!high) {
        R1_TRY(genesis_try(f, s, make, ctx, err));
        R1_TRY(r1_consumer_range(f->reader, 0, 0, &low, &high, ANSWER_MS, err));
        if (!high) {
            r1_err_set(err, R1_E_AGAIN, __FILE__, __LINE__,
                       "events-topic %s: expected its first event, found none yet", f->o.events);
            err->retriable = true;
            return R1_E_AGAIN;
        }
    }
    *whole = low == 0;
    if (*whole) {
        R1_TRY(genesis_first(f, high, out, err));
        R1_TRY(genesis_same(f, out, err));
    }
    R1_TRY(genesis_log(f, s, *whole, err));
    if (!*whole) return R1_OK;
    fraud_fleet_place *p = &f->place;
    fraud_fold_take(&p->fold, &f->first);
    p->events_next = f->first_next;
    p->merged_ms = R1_MERGE_NO_TIME;
    memcpy(p->next, out->next, sizeof p->next);
    memset(p->last_offset, 0xff, sizeof p->last_offset);
    return R1_OK;
}

/* The thread of the lease begins here, so that the process counts as live while it restores. */
r1_status fraud_fleet_enter(fraud_fleet *f, r1_store *s, const fraud_member *m, r1_err *err)
{
    fraud_members others;
    R1_TRY(fraud_member_beat(m, s, &others, err));
    fraud_fleet_tell(f, m);
    members_take(f, &others);
    return fleet_thread(f, lease_main, err);
}

void fraud_fleet_tell(fraud_fleet *f, const fraud_member *m)
{
    pthread_mutex_lock(&f->lock);
    f->member = *m;
    pthread_mutex_unlock(&f->lock);
}

static r1_status fleet_range(fraud_fleet *f, const fraud_fleet_place *p, int64_t *end, r1_err *err)
{
    int64_t low, high;
    R1_TRY(r1_consumer_range(f->reader, 0, 0, &low, &high, ANSWER_MS, err));
    *end = high;
    if (p->fold.log != f->first.log || p->events_next < low || p->events_next > high)
        R1_FAIL(err, R1_E_NOT_FOUND,
                "events-topic %s: expected offset %lld of log %016llx, found offsets %lld to %lld "
                "of log %016llx: its retention is shorter than the age of this state",
                f->o.events, (long long)p->events_next, (unsigned long long)p->fold.log,
                (long long)low, (long long)high, (unsigned long long)f->first.log);
    return R1_OK;
}

r1_status fraud_fleet_reaches(fraud_fleet *f, const fraud_fleet_place *at, r1_err *err)
{
    int64_t high;
    return fleet_range(f, at, &high, err);
}

int fraud_fleet_missing(fraud_fleet *f, int n_partition)
{
    pthread_mutex_lock(&f->lock);
    int owned = f->member.owned + f->others.owned;
    pthread_mutex_unlock(&f->lock);
    return owned < n_partition ? n_partition - owned : 0;
}

uint64_t fraud_fleet_log(const fraud_fleet *f) { return f->first.log; }

r1_status fraud_fleet_begin(fraud_fleet *f, const fraud_fleet_place *at, r1_err *err)
{
    int64_t high;
    if (at) f->place = *at;
    fraud_fleet_place *p = &f->place;
    R1_TRY(fleet_range(f, p, &high, err));
    if (at || !f->first_next) { /* else it goes on behind the first event */
        r1_consumer_free(f->reader);
        r1_stream_opts stream = f->o.stream;
        stream.placer = (r1_placer){0};
        stream.merge_hold_ms = 0;
        stream.queue_kib = READ_AHEAD_KIB;
        f->reader = NULL;
        R1_TRY(r1_consumer_new(&f->reader, &stream, &f->o.events, 1, err));
        const r1_start start = {
            .next_offset = p->events_next, .end_offset = high, .witness_offset = -1};
        R1_TRY(r1_consumer_add(f->reader, 0, &start, 1, err));
    }
    f->target = high;
    atomic_store(&f->seen, p->fold.epoch);
    atomic_store(&f->number, p->fold.number);
    atomic_store(&f->mark_wanted, true);
    return R1_OK;
}

bool fraud_fleet_caught_up(const fraud_fleet *f) { return f->place.events_next >= f->target; }

/* ---- reading ---- */

static void read_void(fraud_fleet *f, const r1_message *m, const char *why)
{
    atomic_fetch_add(&f->voids, 1);
    if (why && !f->bad++)
        r1_log(R1_LOG_ERROR, "event_refused",
               "topic=%s offset=%lld error=\"%s\" further ones are counted only", f->o.events,
               (long long)m->offset, r1_log_quote(why).text);
}

/* A new epoch: whoever waits for its marker learns where the reader stands. */
static void read_marker(fraud_fleet *f)
{
    atomic_store(&f->seen, f->place.fold.epoch);
    pthread_mutex_lock(&f->lock);
    f->marker = f->place;
    f->marker_epoch = f->place.fold.epoch;
    pthread_cond_broadcast(&f->wake);
    pthread_mutex_unlock(&f->lock);
}

static r1_status read_message(fraud_fleet *f, r1_message *m, const fraud_event *e, r1_err *err)
{
    int64_t *next = &f->place.next[e->topic][e->partition];
    if (e->offset < *next || e->topic >= f->n_topic)
        R1_FAIL(err, R1_E_STREAM,
                "events-topic %s: expected offset %lld or more of partition %d of topic %d at "
                "event %lld, found %lld",
                f->o.events, (long long)*next, e->partition, e->topic, (long long)e->number,
                (long long)e->offset);
    *next = e->offset + 1;
    m->topic = e->topic;
    m->partition = e->partition;
    m->offset = e->offset;
    m->broker_ms = e->broker_ms;
    m->sent_us = e->sent_us;
    m->note = NULL;
    m->n_envelope = 1;
    /* Of a message that was cut out the event has nothing to know it again by. */
    f->place.last_offset[e->topic][e->partition] = e->cut ? -1 : e->offset;
    f->place.identity[e->topic][e->partition] = r1_message_identity(m);
    atomic_store(&f->number, e->number);
    return R1_OK;
}

/* Whether the event gives a message. */
static bool read_event(fraud_fleet *f, const r1_message *m, fraud_event *e)
{
    r1_header h;
    r1_err why = {0};
    f->place.events_next = m->offset + 1;
    if (!r1_message_header(m, 0, &h) || strcmp(h.name, FRAUD_EVENT_HEADER) != 0) {
        read_void(f, m, "expected a message with the header " FRAUD_EVENT_HEADER ", found none");
        return false;
    }
    if (fraud_event_read(e, h.value, h.len, &why) != R1_OK) {
        read_void(f, m, why.msg);
        return false;
    }
    fraud_fold_verdict v = fraud_fold_take(&f->place.fold, e);
    if (v == FRAUD_FOLD_VOID) read_void(f, m, NULL);
    if (v == FRAUD_FOLD_MARKER) read_marker(f);
    return v == FRAUD_FOLD_MESSAGE;
}

r1_status fraud_fleet_read(fraud_fleet *f, int timeout_ms, r1_message *m, fraud_event *e,
                           r1_err *err)
{
    int64_t until = r1_mono_us() + (int64_t)timeout_ms * 1000;
    for (;;) {
        int64_t left = (until - r1_mono_us()) / 1000;
        R1_TRY(r1_consumer_poll(f->reader, left > 0 ? (int)left : 0, m, err));
        if (read_event(f, m, e)) break;
        r1_message_free(m);
    }
    r1_status st = read_message(f, m, e, err);
    if (st != R1_OK) r1_message_free(m);
    return st;
}

void fraud_fleet_merged(fraud_fleet *f, int64_t place_ms)
{
    if (place_ms != R1_MERGE_NO_TIME) f->place.merged_ms = place_ms;
}

int64_t fraud_fleet_high(fraud_fleet *f, int topic, int32_t partition)
{
    return fleet_leads(f) ? atomic_load(&f->work.high[topic][partition]) - 1 : -1;
}

const fraud_fleet_place *fraud_fleet_where(const fraud_fleet *f) { return &f->place; }
bool fraud_fleet_holds(const fraud_fleet *f) { return r1_consumer_holds(f->reader); }

void fraud_fleet_stats_read(fraud_fleet *f, fraud_fleet_stats *out)
{
    int64_t high = r1_consumer_high(f->reader, 0, 0);
    *out = (fraud_fleet_stats){.sequences = fleet_leads(f),
                               .epoch = atomic_load(&f->seen),
                               .number = atomic_load(&f->number),
                               .lag = high < 0 ? -1 : high - f->place.events_next,
                               .voids = atomic_load(&f->voids),
                               .appended = atomic_load(&f->work.appended),
                               .merged = {.late = atomic_load(&f->work.late),
                                          .behind = atomic_load(&f->work.behind),
                                          .leaps = atomic_load(&f->work.leaps)},
                               .cut = atomic_load(&f->work.cut),
                               .renewed = atomic_load(&f->work.renewed),
                               .session_ms = atomic_load(&f->session_ms)};
    pthread_mutex_lock(&f->lock);
    snprintf(out->sequencer, sizeof out->sequencer, "%s", f->holder);
    out->members = *f->member.owner ? f->others.n + 1 : 0;
    out->differ = f->others.differ;
    pthread_mutex_unlock(&f->lock);
}
