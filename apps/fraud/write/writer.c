/* SPDX-License-Identifier: GPL-3.0-or-later */
/* writer.c - see writer.h for its invariants and writer_state.h for the steps of its thread. */
#include "write/writer.h"
#include "r1_assert.h"
#include "write/message.h"
#include "write/writer_state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS_MAX = 500 };

struct fraud_writer {
    fraud_writer_opts o;
    r1_store *store;
    fraud_names names; /* what rows and messages name */
    fraud_rows *rows;
    fraud_writer_state state; /* the thread's */
    pthread_t thread;
    pthread_mutex_t lock; /* guards stats and failure */
    fraud_writer_stats stats;
    r1_err failure;
    atomic_int_fast64_t give_up_us; /* monotonic; 0: never */
};

static const char *const sql_advance =
    "SELECT r1.advance_offset($1, 'fraud', $2, $3::integer, $4::bigint, $5::bigint, $6::bigint, "
    "$7::bigint)";

/* ---- one transaction ---- */

static r1_status add_advances(fraud_writer *w, const fraud_targets *t, r1_err *err)
{
    const fraud_ledger *l = w->o.ledger;
    for (int topic = 0; topic < FRAUD_N_TOPIC; topic++) {
        for (int32_t p = 0; p < l->n_partition[topic]; p++) {
            if (!t->next[topic][p]) continue;
            char part[16], old[24], next[24], epoch[24], identity[24];
            snprintf(part, sizeof part, "%d", p);
            snprintf(old, sizeof old, "%lld", (long long)l->claim[topic][p].next_offset);
            snprintf(next, sizeof next, "%lld", (long long)t->next[topic][p]);
            snprintf(epoch, sizeof epoch, "%lld", (long long)l->claim[topic][p].epoch);
            snprintf(identity, sizeof identity, "%lld", (long long)t->identity[topic][p]);
            const char *row[] = {l->cluster, l->topic[topic], part, old, next, epoch, identity};
            R1_TRY(r1_store_batch_add(w->store, "advance", R1_COUNT(row), row, err));
        }
    }
    return R1_OK;
}

static r1_status writer_write_batch(fraud_writer *w, fraud_record *const *r, size_t n,
                                    const fraud_targets *t, r1_err *err)
{
    R1_TRY(r1_store_batch_begin(w->store, err));
    /* First the offsets: an owner that was fenced finds out before it sends its rows. */
    r1_status st = add_advances(w, t, err);
    if (st == R1_OK) st = fraud_rows_add(w->rows, w->store, r, n, err);
    if (st == R1_OK) return r1_store_batch_commit(w->store, err);
    r1_store_batch_abort(w->store);
    return st;
}

static void pause_ms(int ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&ts, NULL);
}

static bool out_of_time(fraud_writer *w)
{
    int64_t until = atomic_load(&w->give_up_us);
    return until && r1_mono_us() > until;
}

/* Reconnects, then learns whether the batch landed. */
static r1_status writer_recover(fraud_writer *w, const fraud_targets *t, bool *done, r1_err *err)
{
    for (int ms = 50; !r1_store_alive(w->store); ms = ms < 1000 ? ms * 2 : 1000) {
        if (out_of_time(w))
            R1_FAIL(err, R1_E_TIMEOUT, "PostgreSQL did not come back before the time to stop");
        if (r1_store_reopen(w->store, err) == R1_OK) break;
        r1_log(R1_LOG_WARN, "postgres_away", "retry_ms=%d error=\"%s\"", ms, err->msg);
        pause_ms(ms);
    }
    for (int topic = 0; topic < FRAUD_N_TOPIC; topic++)
        for (int32_t p = 0; p < w->o.ledger->n_partition[topic]; p++)
            if (t->next[topic][p])
                return fraud_ledger_landed(w->o.ledger, w->store, (fraud_topic)topic, p,
                                           t->next[topic][p], done, err);
    *done = true;
    return R1_OK;
}

/* Writes until the batch has landed or must not be written. */
static r1_status writer_land(fraud_writer *w, fraud_record *const *r, size_t n, r1_err *err)
{
    fraud_targets t;
    fraud_ledger_aim(w->o.ledger, r, n, &t);
    for (;;) {
        fraud_writer_move(&w->state, FRAUD_WRITER_WRITES);
        r1_err_clear(err);
        r1_status st = writer_write_batch(w, r, n, &t, err);
        if (st != R1_E_DB || !err->retriable) return st;
        fraud_writer_move(&w->state, FRAUD_WRITER_RECOVERS);
        r1_log(R1_LOG_WARN, "commit_retry", "rows=%zu error=\"%s\"", n, err->msg);
        pthread_mutex_lock(&w->lock);
        w->stats.reconnects++;
        pthread_mutex_unlock(&w->lock);
        bool done = false;
        do st = writer_recover(w, &t, &done, err);
        while (st == R1_E_DB && err->retriable && !out_of_time(w));
        if (st != R1_OK || done) return st;
        pause_ms(5);
    }
}

/* ---- after the commit ---- */

static void send_decision(fraud_writer *w, const fraud_record *r)
{
    char *text = fraud_decision_message(r, &w->names);
    r1_err err = {0};
    if (text &&
        r1_producer_send(w->o.producer, w->o.decisions_topic, r->payment.tx_id,
                         strlen(r->payment.tx_id), text, strlen(text), 0, 100, &err) != R1_OK)
        r1_log(R1_LOG_WARN, "decision_not_sent", "tx_id=%s error=\"%s\"", r->payment.tx_id,
               err.msg);
    free(text);
}

static void send_dead(fraud_writer *w, const fraud_record *r)
{
    r1_err err = {0};
    if (r1_producer_send(w->o.producer, w->o.dead_topic, r->message.key, r->message.key_len,
                         r->message.payload, r->message.payload_len, 0, 100, &err) != R1_OK)
        r1_log(R1_LOG_WARN, "dead_letter_not_sent", "partition=%d offset=%lld error=\"%s\"",
               r->message.partition, (long long)r->message.offset, err.msg);
}

static void writer_count(fraud_writer *w, const fraud_record *r, int64_t now)
{
    fraud_writer_stats *s = &w->stats;
    if (r->kind == FRAUD_RECORD_DUPLICATE) s->duplicates++;
    if (r->kind == FRAUD_RECORD_DEAD) s->dead++;
    if (r->kind == FRAUD_RECORD_LABEL) s->labels++;
    if (r->kind != FRAUD_RECORD_PAYMENT) return;
    s->payments++;
    s->actions[r->decision.action]++;
    if (s->payments <= w->o.stats_skip) return;
    if (r->message.sent_us) r1_histogram_add(&s->sent_latency, now - r->message.sent_us);
    if (r->message.sent_us)
        r1_histogram_add(&s->decide_latency, r->decided_us - r->message.sent_us);
    if (r->message.broker_ms)
        r1_histogram_add(&s->broker_latency, now - r->message.broker_ms * 1000);
}

static void after_commit(fraud_writer *w, fraud_record *const *r, size_t n, int64_t began_us)
{
    int64_t now = r1_time_us();
    fraud_writer_move(&w->state, FRAUD_WRITER_LANDED);
    fraud_ledger_move(w->o.ledger, r, n);
    pthread_mutex_lock(&w->lock);
    w->stats.commits++;
    r1_histogram_add(&w->stats.commit_time, now - began_us);
    for (size_t i = 0; i < n; i++) writer_count(w, r[i], now);
    pthread_mutex_unlock(&w->lock);
    if (!w->o.producer) return;
    for (size_t i = 0; i < n; i++) {
        if (r[i]->kind == FRAUD_RECORD_PAYMENT && w->o.decisions_topic) send_decision(w, r[i]);
        if (r[i]->kind == FRAUD_RECORD_DEAD && w->o.dead_topic) send_dead(w, r[i]);
    }
    r1_producer_poll(w->o.producer);
}

/* A refused batch: each record alone; the one that is refused again becomes a dead letter. */
static r1_status land_singly(fraud_writer *w, fraud_record **r, size_t n, r1_err *err)
{
    for (size_t i = 0; i < n; i++) {
        int64_t began = r1_time_us();
        r1_status st = writer_land(w, &r[i], 1, err);
        if (st == R1_E_FORMAT) {
            fraud_writer_move(&w->state, FRAUD_WRITER_REFUSED);
            r1_log(R1_LOG_ERROR, "row_refused", "partition=%d offset=%lld error=\"%s\"",
                   r[i]->message.partition, (long long)r[i]->message.offset, err->msg);
            fraud_record_refuse(r[i], FRAUD_STAGE_WRITE, err);
            st = writer_land(w, &r[i], 1, err);
        }
        R1_TRY(st);
        after_commit(w, &r[i], 1, began);
    }
    return R1_OK;
}

/* ---- the thread ---- */

/* One batch of the queue. */
static r1_status writer_batch(fraud_writer *w, fraud_record **r, size_t n, r1_err *err)
{
    int64_t began = r1_time_us();
    R1_ASSERT(n >= 1 && n <= w->o.rows, "%zu records, at most %zu", n, w->o.rows);
    r1_status st = writer_land(w, r, n, err);
    if (st == R1_OK) {
        after_commit(w, r, n, began);
    } else if (st == R1_E_FORMAT) {
        fraud_writer_move(&w->state, FRAUD_WRITER_REFUSED);
        st = land_singly(w, r, n, err);
    }
    return st;
}

static void writer_give_up(fraud_writer *w, r1_status st, const r1_err *err)
{
    fraud_writer_move(&w->state, FRAUD_WRITER_STOPPED);
    r1_log(R1_LOG_ERROR, "writer_stopped", "error=\"%s\"", err->msg);
    pthread_mutex_lock(&w->lock);
    w->failure = *err;
    w->failure.code = st;
    pthread_mutex_unlock(&w->lock);
}

/* After it has given up the thread still empties the queue, so that nobody waits for it. */
static void *writer_main(void *arg)
{
    fraud_writer *w = arg;
    fraud_record *batch[ROWS_MAX];
    for (size_t n; (n = fraud_queue_pop(w->o.queue, batch, w->o.rows)) > 0;) {
        if (w->state != FRAUD_WRITER_STOPPED) {
            r1_err err = {0};
            r1_status st = writer_batch(w, batch, n, &err);
            if (st == R1_OK)
                fraud_writer_move(&w->state, FRAUD_WRITER_WAITS);
            else
                writer_give_up(w, st, &err);
        }
        fraud_queue_release(w->o.queue, batch, n);
    }
    return NULL;
}

static r1_status name_versions(fraud_writer *w, r1_err *err)
{
    const char *const rows[][3] = {{w->o.model, "model", w->o.model_text},
                                   {w->o.config, "config", w->o.config_text}};
    for (size_t i = 0; i < R1_COUNT(rows); i++)
        R1_TRY(r1_store_query(w->store,
                              "INSERT INTO r1.fraud_version (version, kind, detail) VALUES ($1, "
                              "$2, $3) ON CONFLICT DO NOTHING",
                              3, rows[i], NULL, err));
    return R1_OK;
}

static r1_status writer_prepare(fraud_writer *w, r1_err *err)
{
    w->names = (fraud_names){.ledger = w->o.ledger, .model = w->o.model, .config = w->o.config};
    R1_TRY(fraud_rows_new(&w->rows, &w->names, err));
    R1_TRY(r1_store_open(&w->store, w->o.conninfo, "r1-fraud writer", err));
    R1_TRY(r1_store_prepare(w->store, "advance", sql_advance, 7, err));
    R1_TRY(fraud_rows_prepare(w->rows, w->store, err));
    R1_TRY(name_versions(w, err));
    if (pthread_create(&w->thread, NULL, writer_main, w))
        R1_FAIL(err, R1_E_NOMEM, "no thread for the writer");
    return R1_OK;
}

static void writer_release(fraud_writer *w)
{
    r1_store_close(w->store);
    fraud_rows_free(w->rows);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

r1_status fraud_writer_start(fraud_writer **out, const fraud_writer_opts *opts, r1_err *err)
{
    fraud_writer *w = calloc(1, sizeof *w);
    if (!w) R1_FAIL(err, R1_E_NOMEM, "no memory for the writer");
    w->o = *opts;
    if (w->o.rows < 1 || w->o.rows > ROWS_MAX) w->o.rows = ROWS_MAX;
    pthread_mutex_init(&w->lock, NULL);
    r1_status st = writer_prepare(w, err);
    if (st == R1_OK) {
        *out = w;
        return R1_OK;
    }
    writer_release(w);
    return st;
}

r1_status fraud_writer_status(fraud_writer *w, r1_err *err)
{
    pthread_mutex_lock(&w->lock);
    r1_status st = w->failure.code;
    if (st != R1_OK && err) *err = w->failure;
    pthread_mutex_unlock(&w->lock);
    return st;
}

void fraud_writer_stats_read(fraud_writer *w, fraud_writer_stats *out)
{
    pthread_mutex_lock(&w->lock);
    *out = w->stats;
    pthread_mutex_unlock(&w->lock);
}

r1_status fraud_writer_stop(fraud_writer *w, int timeout_ms, r1_err *err)
{
    if (!w) return R1_OK;
    atomic_store(&w->give_up_us, r1_mono_us() + (int64_t)timeout_ms * 1000);
    fraud_queue_close(w->o.queue);
    pthread_join(w->thread, NULL);
    r1_status st = fraud_writer_status(w, err);
    writer_release(w);
    return st;
}
