/* SPDX-License-Identifier: Apache-2.0 */
/* med_intake.c - see med_intake.h: the thread, and what becomes of a message. med_landing.c writes
 * it. */
#include "serve/med_intake.h"

#include "privacy/med_known_keys.h"
#include "r1_assert.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    ASK_MS = 5000,        /* of the broker, at the start */
    POLL_MS = 100,        /* and so long a stop waits for the topic */
    GATHER_US = 20000,    /* how long a transaction waits for more messages */
    LOOK_US = 5000000,    /* how often new partitions are looked for */
    RETRY_FIRST_MS = 100, /* doubled up to RETRY_MAX_MS */
    RETRY_MAX_MS = 5000,
    LEASE_MS = 1000
};

struct med_intake {
    med_intake_opts o;
    r1_consumer *consumer;
    r1_store *store;
    med_claims claims;
    med_landing batch;
    int64_t looked_us;
    bool away; /* the broker, when it was asked last */
    int retry_ms;
    pthread_t thread;
    bool started;
    atomic_bool stopping;
    pthread_mutex_t lock; /* guards stats and failure */
    med_intake_stats stats;
    r1_err failure;
};

/* ---- stats ---- */

static void intake_state(med_intake *in, const char *state, bool away)
{
    pthread_mutex_lock(&in->lock);
    in->stats.away = away;
    snprintf(in->stats.state, sizeof in->stats.state, "%s", state);
    in->stats.turned_us = r1_mono_us();
    pthread_mutex_unlock(&in->lock);
}

void med_intake_stats_read(med_intake *in, med_intake_stats *out)
{
    pthread_mutex_lock(&in->lock);
    *out = in->stats;
    pthread_mutex_unlock(&in->lock);
}

bool med_intake_failed(med_intake *in, r1_err *err)
{
    pthread_mutex_lock(&in->lock);
    bool failed = in->failure.code != R1_OK;
    if (failed) *err = in->failure;
    pthread_mutex_unlock(&in->lock);
    return failed;
}

/* Waits, longer each time in a row, or until a stop. */
static void intake_pause(med_intake *in)
{
    if (!in->retry_ms) in->retry_ms = RETRY_FIRST_MS;
    for (int ms = 0; ms < in->retry_ms && !atomic_load(&in->stopping); ms += 20) usleep(20000);
    in->retry_ms = in->retry_ms * 2 < RETRY_MAX_MS ? in->retry_ms * 2 : RETRY_MAX_MS;
}

/* ---- partitions ---- */

static r1_status intake_start_of(med_intake *in, const med_claim *c, int32_t partition,
                                 r1_start *start, r1_err *err)
{
    int64_t low, high;
    R1_TRY(r1_consumer_range(in->consumer, 0, partition, &low, &high, ASK_MS, err));
    if (c->next < low || c->next > high)
        R1_FAIL(err, R1_E_STREAM,
                "partition %d of %s: expected offset %lld, found %lld to %lld: messages are gone, "
                "or the topic was made anew",
                partition, in->o.topic, (long long)c->next, (long long)low, (long long)high);
    bool known = c->last >= low && c->last < c->next;
    *start = (r1_start){.next_offset = c->next,
                        .end_offset = high,
                        .witness_offset = known ? c->last : -1,
                        .witness = c->identity};
    return R1_OK;
}

/* Takes what is not ours yet, and begins to read there. */
static r1_status intake_partitions(med_intake *in, r1_err *err)
{
    int32_t n = 0, first = in->claims.n;
    R1_TRY(r1_consumer_partitions(in->consumer, 0, &n, ASK_MS, err));
    if (n > MED_PARTITIONS_MAX)
        R1_FAIL(err, R1_E_INVAL, "topic %s has %d partitions, expected at most %d", in->o.topic, n,
                MED_PARTITIONS_MAX);
    in->looked_us = r1_mono_us();
    for (int32_t p = first; p < n; p++) {
        r1_start start;
        R1_TRY(med_claim_take(&in->claims, in->store, p, err));
        R1_TRY(intake_start_of(in, &in->claims.of[p], p, &start, err));
        R1_TRY(r1_consumer_add(in->consumer, 0, &start, 1, err));
        in->claims.n = p + 1;
    }
    return R1_OK;
}

/* ---- a message ---- */

/* Why a report decides nothing; NULL: it does. */
static const char *report_undecided(const med_report *r)
{
    if (r->observed.n == 0) return "no finding is observed";
    if (r->not_read) return "possible findings were not read";
    if (r->unranked) return "findings were not ranked";
    return r->confident ? NULL : "no candidate is confident";
}

static r1_status intake_judge(med_intake *in, const r1_message *m, med_landing_row *row,
                              r1_err *err)
{
    med_lease lease;
    med_work w = {0};
    for (;;) {
        r1_status st = med_service_lease(in->o.service, LEASE_MS, &lease, err);
        if (st == R1_OK) break;
        if (atomic_load(&in->stopping)) return st;
        intake_state(in, "waits for a judge", false);
    }
    r1_status st =
        med_work_do(&w, &lease, "record", m->payload ? m->payload : "", m->payload_len, err);
    const char *why = st == R1_OK ? report_undecided(w.report) : NULL;
    if (st == R1_OK) {
        row->outcome = why ? MED_OUTCOME_PERSON : MED_OUTCOME_REPORTED;
        row->reason = why ? why : "";
        med_index_of_record(in->o.keys, m->payload ? m->payload : "", m->payload_len, row->hash);
        st = med_write_rows(w.report, &row->rows, err);
    } else if (st == R1_E_FORMAT) { /* the error may quote the record: it goes nowhere */
        row->outcome = MED_OUTCOME_DEAD;
        row->reason = "no record that can be read: POST it to /v1/records, which says why";
        st = R1_OK;
    }
    med_work_free(&w);
    med_service_return(in->o.service, &lease);
    return st;
}

static r1_status intake_take(med_intake *in, r1_message *m, r1_err *err)
{
    med_landing_row *row = med_landing_next(&in->batch, m);
    r1_status st = med_landing_seal(row, &in->claims, in->o.keys, in->o.keep_text, m, err);
    if (st == R1_OK) st = intake_judge(in, m, row, err);
    in->batch.n++; /* med_landing_clear frees it, judged or not */
    r1_message_free(m);
    return st;
}

/* ---- landing ---- */

static void intake_landed(med_intake *in)
{
    int64_t lag = 0;
    for (int32_t p = 0; p < in->claims.n; p++) {
        int64_t high = r1_consumer_high(in->consumer, 0, p);
        r1_consumer_hint(in->consumer, 0, p, in->claims.of[p].next);
        if (high > in->claims.of[p].next) lag += high - in->claims.of[p].next;
    }
    pthread_mutex_lock(&in->lock);
    for (uint32_t i = 0; i < in->batch.n; i++) in->stats.outcome[in->batch.row[i].outcome]++;
    in->stats.commits++;
    in->stats.lag = lag;
    pthread_mutex_unlock(&in->lock);
    med_landing_clear(&in->batch);
    in->retry_ms = 0;
}

static void intake_retries(med_intake *in)
{
    pthread_mutex_lock(&in->lock);
    in->stats.retries++;
    pthread_mutex_unlock(&in->lock);
    intake_state(in, "waits for PostgreSQL", true);
    intake_pause(in);
}

/* Until the batch has landed. What may pass is waited out; a stop ends that. */
static r1_status intake_land(med_intake *in, r1_err *err)
{
    bool lost = false;
    if (!in->batch.n) return R1_OK;
    while (in->batch.done < in->batch.n) {
        r1_err_clear(err);
        r1_status st = lost ? med_landing_recover(&in->batch, &in->claims, in->store, err)
                            : med_landing_write(&in->batch, &in->claims, in->store, err);
        lost = st != R1_OK;
        if (lost && (st != R1_E_DB || !err->retriable || atomic_load(&in->stopping))) return st;
        if (lost) intake_retries(in);
    }
    intake_landed(in);
    return R1_OK;
}

/* ---- the thread ---- */

/* Messages that are there, up to a transaction's number. */
static r1_status intake_gather(med_intake *in, r1_err *err)
{
    int64_t until = 0;
    while (in->batch.n < MED_LANDING_MAX && !atomic_load(&in->stopping)) {
        r1_message m;
        int wait = in->batch.n ? (int)((until - r1_mono_us()) / 1000) : POLL_MS;
        r1_status st = r1_consumer_poll(in->consumer, wait > 0 ? wait : 0, &m, err);
        in->away = st == R1_E_STREAM && err->retriable;
        if (st == R1_E_TIMEOUT || in->away) break;
        R1_TRY(st);
        R1_TRY(intake_take(in, &m, err));
        if (!until) until = r1_mono_us() + GATHER_US;
        if (r1_mono_us() > until) break;
    }
    r1_err_clear(err);
    return R1_OK;
}

static r1_status intake_turn(med_intake *in, r1_err *err)
{
    R1_TRY(intake_gather(in, err));
    R1_TRY(intake_land(in, err));
    intake_state(in, in->away ? "waits for the broker" : "reads", in->away);
    if (r1_mono_us() - in->looked_us < LOOK_US) return R1_OK;
    r1_status st = intake_partitions(in, err);
    if (st != R1_OK && err->retriable) { /* broker or PostgreSQL are away: later */
        if (!r1_store_alive(in->store)) r1_store_reopen(in->store, err);
        intake_state(in, "waits for broker or PostgreSQL", true);
        st = R1_OK;
    }
    return st;
}

static void *intake_main(void *arg)
{
    med_intake *in = arg;
    r1_err err = {0};
    r1_status st = R1_OK;
    while (st == R1_OK && !atomic_load(&in->stopping)) st = intake_turn(in, &err);
    if (atomic_load(&in->stopping)) st = R1_OK; /* what was not written is read again */
    pthread_mutex_lock(&in->lock);
    in->stats.running = false;
    if (st != R1_OK) in->failure = err;
    if (st != R1_OK) in->failure.code = st;
    snprintf(in->stats.state, sizeof in->stats.state, "%s", st == R1_OK ? "stopped" : "failed");
    pthread_mutex_unlock(&in->lock);
    if (st != R1_OK) r1_log(R1_LOG_ERROR, "records_stopped", "error=\"%s\"", err.msg);
    return NULL;
}

/* ---- life ---- */

static r1_status intake_store(med_intake *in, r1_err *err)
{
    if (!in->store)
        R1_TRY(r1_store_open(&in->store, in->o.conninfo, "r1-medical", err));
    else if (!r1_store_alive(in->store))
        R1_TRY(r1_store_reopen(in->store, err));
    r1_status st = r1_store_migrated(in->store, in->o.migrations, err);
    r1_err why = *err;
    if (st == R1_E_AGAIN) R1_FAIL(err, R1_E_DB, "%s: run r1-medical db migrate", why.msg);
    R1_TRY(st);
    R1_TRY(med_known_keys(in->store, in->o.keys, MED_KNOWN_WRITE, NULL, 0, err));
    return med_landing_prepare(in->store, err);
}

static r1_status intake_topic(med_intake *in, r1_err *err)
{
    int32_t n;
    if (!in->consumer) R1_TRY(r1_consumer_new(&in->consumer, &in->o.stream, &in->o.topic, 1, err));
    R1_TRY(r1_consumer_partitions(in->consumer, 0, &n, ASK_MS, err));
    return r1_consumer_cluster(in->consumer, in->claims.cluster, sizeof in->claims.cluster, ASK_MS,
                               err);
}

static r1_status intake_begin(med_intake *in, r1_err *err)
{
    char host[40] = "host";
    gethostname(host, sizeof host - 1);
    snprintf(in->claims.owner, sizeof in->claims.owner, "%s/%ld", host, (long)getpid());
    in->claims.topic = in->o.topic;
    R1_TRY(med_claims_known(&in->claims, in->store, err));
    return intake_partitions(in, err);
}

/* Waits for what is not there yet. */
static r1_status intake_wait(med_intake *in, const char *what,
                             r1_status (*attempt)(med_intake *, r1_err *), r1_err *err)
{
    int64_t until = r1_mono_us() + in->o.wait_s * INT64_C(1000000);
    for (bool said = false;; said = true) {
        r1_err_clear(err);
        r1_status st = attempt(in, err);
        if (st == R1_OK || !(err->retriable || st == R1_E_NOT_FOUND) || r1_mono_us() > until) {
            if (st != R1_OK) r1_err_prefix(err, "%s: ", what);
            return st;
        }
        if (!said) r1_log(R1_LOG_WARN, "start_waits", "for=\"%s\" error=\"%s\"", what, err->msg);
        usleep(200000);
    }
}

r1_status med_intake_start(med_intake **out, const med_intake_opts *opts, r1_err *err)
{
    med_intake *in = calloc(1, sizeof *in);
    if (!in) R1_FAIL(err, R1_E_NOMEM, "no memory for the stream");
    in->o = *opts;
    in->batch.seal_key = med_keys_name(opts->keys, 0);
    pthread_mutex_init(&in->lock, NULL);
    r1_status st = intake_wait(in, "PostgreSQL", intake_store, err);
    if (st == R1_OK) st = intake_wait(in, "the broker", intake_topic, err);
    if (st == R1_OK) st = intake_wait(in, "the topic", intake_begin, err);
    in->stats.running = st == R1_OK;
    in->stats.turned_us = r1_mono_us();
    if (st == R1_OK && pthread_create(&in->thread, NULL, intake_main, in))
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no thread for the stream");
    in->started = st == R1_OK;
    if (st == R1_OK)
        *out = in;
    else
        med_intake_stop(in);
    return st;
}

void med_intake_stop(med_intake *in)
{
    if (!in) return;
    atomic_store(&in->stopping, true);
    if (in->started) pthread_join(in->thread, NULL);
    med_landing_clear(&in->batch);
    r1_consumer_free(in->consumer);
    r1_store_close(in->store);
    pthread_mutex_destroy(&in->lock);
    free(in);
}
