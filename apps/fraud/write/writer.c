/* SPDX-License-Identifier: GPL-3.0-or-later */
/* writer.c - see writer.h for its invariants and writer_state.h for the steps of its thread. */
#include "write/writer.h"
#include "r1_assert.h"
#include "text/quote.h"
#include "write/log_owner.h"
#include "write/patience.h"
#include "write/reply.h"
#include "write/versions.h"
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
    fraud_versions versions;
    fraud_log_hold hold;
    fraud_writer_state state; /* the thread's */
    fraud_patience patience;  /* the thread's */
    int64_t written_us;       /* of the batch in hand, since 1970 */
    char written_at[40];      /* the same as text */
    fraud_keeper *keeper;
    pthread_t thread;
    pthread_mutex_t lock; /* guards stats and failure */
    fraud_writer_stats stats;
    r1_err failure;
    int64_t left_out[FRAUD_N_TOPIC][FRAUD_PARTITIONS_MAX]; /* offset after it; under the lock */
    atomic_bool fenced[FRAUD_N_TOPIC][FRAUD_PARTITIONS_MAX];
    atomic_uint_fast64_t n_fence;
    atomic_int_fast64_t committed;  /* apply_seq */
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

/* Never less than before, so that the oldest partition is the beginning of the log. */
static void writer_date(fraud_writer *w)
{
    int64_t now = r1_time_us();
    w->written_us = now > w->written_us ? now : w->written_us;
    fraud_written_text(w->written_us, w->written_at, sizeof w->written_at);
}

static r1_status writer_write_batch(fraud_writer *w, fraud_record *const *r, size_t n,
                                    const fraud_targets *t, r1_err *err)
{
    writer_date(w);
    R1_TRY(r1_store_batch_begin(w->store, err));
    /* First the log and the offsets: a fenced owner finds out before it sends its rows. */
    r1_status st = fraud_log_add(&w->hold, w->o.ledger, w->store, r, n, err);
    if (st == R1_OK) st = add_advances(w, t, err);
    if (st == R1_OK) st = fraud_versions_add(&w->versions, w->store, r, n, err);
    if (st == R1_OK) st = fraud_rows_add(w->rows, w->store, r, n, err);
    if (st == R1_OK) return r1_store_batch_commit(w->store, err);
    r1_store_batch_abort(w->store);
    return st;
}

static bool out_of_time(fraud_writer *w)
{
    int64_t until = atomic_load(&w->give_up_us);
    return until && r1_mono_us() > until;
}

/* What PostgreSQL says of a batch. */
typedef struct {
    bool done;     /* it landed */
    size_t fenced; /* its partitions that another process has claimed */
} writer_answer;

typedef r1_status writer_question(fraud_writer *w, const fraud_targets *t, writer_answer *out,
                                  r1_err *err);

static r1_status writer_reconnect(fraud_writer *w, r1_err *err)
{
    if (r1_store_alive(w->store)) return R1_OK;
    R1_TRY(r1_store_reopen(w->store, err));
    pthread_mutex_lock(&w->lock);
    w->stats.reconnects++;
    pthread_mutex_unlock(&w->lock);
    return R1_OK;
}

/* Whether the batch landed. */
static r1_status writer_ask(fraud_writer *w, const fraud_targets *t, writer_answer *out,
                            r1_err *err)
{
    for (int topic = 0; topic < FRAUD_N_TOPIC; topic++)
        for (int32_t p = 0; p < w->o.ledger->n_partition[topic]; p++)
            if (t->next[topic][p])
                return fraud_ledger_landed(w->o.ledger, w->store, (fraud_topic)topic, p,
                                           t->next[topic][p], &out->done, err);
    out->done = true;
    return R1_OK;
}

/* Connects, asks and waits until PostgreSQL answers or waiting cannot help. *out is 0 before; a
 * question that is asked again adds to it. */
static r1_status writer_recover(fraud_writer *w, const fraud_targets *t, writer_question *ask,
                                writer_answer *out, r1_err *err)
{
    for (;;) {
        r1_status st = writer_reconnect(w, err);
        if (st == R1_OK) st = ask(w, t, out, err);
        if (st != R1_E_DB || !err->retriable) return st;
        if (out_of_time(w))
            R1_FAIL(err, R1_E_TIMEOUT, "PostgreSQL did not come back before the time to stop");
        fraud_patience_wait(&w->patience, "postgres_away", "", err);
    }
}

static void writer_wait(fraud_writer *w, size_t n, const r1_err *err)
{
    char what[32];
    snprintf(what, sizeof what, "rows=%zu", n);
    fraud_patience_wait(&w->patience, "commit_retry", what, err);
    pthread_mutex_lock(&w->lock);
    w->stats.waits = w->patience.n;
    pthread_mutex_unlock(&w->lock);
}

/* Writes until the batch has landed or must not be written. After a fail-over the ledger of a
 * standby may have been behind: so a refusal of the offsets that follows an unknown outcome is
 * asked for again. */
static r1_status writer_land(fraud_writer *w, fraud_record *const *r, size_t n, r1_err *err)
{
    fraud_targets t;
    fraud_ledger_aim(w->o.ledger, r, n, &t);
    for (bool again = false;; again = true) {
        writer_answer answer = {0};
        fraud_writer_move(&w->state, FRAUD_WRITER_WRITES);
        r1_err_clear(err);
        r1_status st = writer_write_batch(w, r, n, &t, err);
        bool fenced = st == R1_E_FENCED && again;
        if (!fenced && (st != R1_E_DB || !err->retriable)) return st;
        fraud_writer_move(&w->state, FRAUD_WRITER_RECOVERS);
        if (!fenced) writer_wait(w, n, err);
        r1_err refusal = *err;
        st = writer_recover(w, &t, writer_ask, &answer, err);
        if (st != R1_OK || answer.done) return st;
        if (fenced) {
            *err = refusal;
            return R1_E_FENCED;
        }
        if (out_of_time(w))
            R1_FAIL(err, R1_E_TIMEOUT, "PostgreSQL took no rows before the time to stop");
    }
}

/* ---- after the commit ---- */

static void writer_count(fraud_writer *w, const fraud_record *r, int64_t now)
{
    fraud_writer_stats *s = &w->stats;
    if (r->kind == FRAUD_RECORD_DUPLICATE) s->duplicates++;
    if (r->kind == FRAUD_RECORD_DEAD) s->dead++;
    if (r->kind == FRAUD_RECORD_LABEL) s->labels++;
    if (r->kind == FRAUD_RECORD_LEFT_OUT) s->left_out++;
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
    fraud_versions_landed(&w->versions);
    fraud_log_landed(&w->hold);
    atomic_store(&w->committed, w->o.ledger->last_seq);
    pthread_mutex_lock(&w->lock);
    w->stats.commits++;
    r1_histogram_add(&w->stats.commit_time, now - began_us);
    for (size_t i = 0; i < n; i++) writer_count(w, r[i], now);
    fraud_tally_commit(&w->stats.tally, r, n);
    pthread_mutex_unlock(&w->lock);
    fraud_patience_reset(&w->patience);
    const fraud_committed c = {w->o.ledger->last_seq, w->written_us, w->stats.dead};
    fraud_keeper_committed(w->keeper, &c);
    fraud_reply_committed(r, n, &w->names);
}

/* What PostgreSQL refuses is in the engine's state already, unless it never was a payment or label.
 * A payment is written bare: a rebuild reads its payload, and so has the same state. */
static r1_status land_refused(fraud_writer *w, fraud_record *r, r1_err *err)
{
    bool counts = r->kind == FRAUD_RECORD_PAYMENT || r->kind == FRAUD_RECORD_LABEL;
    for (r1_status st = R1_E_FORMAT; st == R1_E_FORMAT;) {
        fraud_writer_move(&w->state, FRAUD_WRITER_REFUSED);
        r1_log(R1_LOG_ERROR, "row_refused", "partition=%d offset=%lld bare=%d error=\"%s\"",
               r->message.partition, (long long)r->message.offset, (int)r->bare,
               r1_log_quote(err->msg).text);
        if (r->kind == FRAUD_RECORD_DEAD) return R1_E_FORMAT;
        if (r->kind == FRAUD_RECORD_PAYMENT && !r->bare)
            fraud_record_strip(r, err);
        else
            fraud_record_refuse(r, FRAUD_STAGE_WRITE, err);
        st = writer_land(w, &r, 1, err);
        if (st != R1_E_FORMAT && st != R1_OK) return st;
    }
    pthread_mutex_lock(&w->lock);
    w->stats.refused++;
    pthread_mutex_unlock(&w->lock);
    if (r->kind != FRAUD_RECORD_DEAD || !counts) return R1_OK;
    return R1_E_AGAIN;
}

/* A refused batch: each record alone. Where the log cannot hold what the state holds, the service
 * ends behind that record, and its next start goes by the log. */
static r1_status land_singly(fraud_writer *w, fraud_record **r, size_t n, r1_err *err)
{
    for (size_t i = 0; i < n; i++) {
        int64_t began = r1_time_us(), seq = r[i]->apply_seq;
        r1_status st = writer_land(w, &r[i], 1, err);
        if (st == R1_E_FORMAT) st = land_refused(w, r[i], err);
        if (st == R1_OK || st == R1_E_AGAIN) after_commit(w, &r[i], 1, began);
        if (st == R1_E_AGAIN)
            R1_FAIL(err, st,
                    "PostgreSQL refuses the row of apply_seq %lld, which the state holds: start "
                    "again, the state then comes from the log",
                    (long long)seq);
        R1_TRY(st);
    }
    return R1_OK;
}

/* ---- partitions that another process has claimed ---- */

/* Records of such partitions go behind the others, of which there are as many as it returns. */
static size_t writer_leave_out(fraud_writer *w, fraud_record **r, size_t n)
{
    fraud_record *out[ROWS_MAX];
    size_t kept = 0, n_out = 0;
    for (size_t i = 0; i < n; i++) {
        bool fenced = atomic_load(&w->fenced[r[i]->topic][r[i]->message.partition]);
        if (fenced)
            out[n_out++] = r[i];
        else
            r[kept++] = r[i];
    }
    if (!n_out) return n;
    memcpy(r + kept, out, n_out * sizeof *out);
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < n_out; i++) {
        int64_t *past = &w->left_out[out[i]->topic][out[i]->message.partition];
        if (out[i]->message.offset >= *past) *past = out[i]->message.offset + 1;
    }
    w->stats.fenced += n_out;
    pthread_mutex_unlock(&w->lock);
    return kept;
}

static void fence_note(fraud_writer *w, int topic, int32_t partition)
{
    atomic_store(&w->fenced[topic][partition], true);
    atomic_fetch_add(&w->n_fence, 1);
    r1_log(R1_LOG_WARN, "partition_fenced", "topic=%s partition=%d another process has claimed it",
           w->o.ledger->topic[topic], partition);
}

/* Which partitions of a refused batch are another's. Those that are not may show that it had landed
 * all the same. */
static r1_status fence_ask(fraud_writer *w, const fraud_targets *t, writer_answer *out, r1_err *err)
{
    const fraud_ledger *l = w->o.ledger;
    for (int topic = 0; topic < FRAUD_N_TOPIC; topic++)
        for (int32_t p = 0; p < l->n_partition[topic]; p++) {
            bool taken, landed;
            if (!t->next[topic][p] || atomic_load(&w->fenced[topic][p])) continue;
            R1_TRY(fraud_ledger_taken(l, w->store, (fraud_topic)topic, p, &taken, err));
            if (taken) {
                fence_note(w, topic, p);
                out->fenced++;
                continue;
            }
            R1_TRY(fraud_ledger_landed(l, w->store, (fraud_topic)topic, p, t->next[topic][p],
                                       &landed, err));
            out->done |= landed;
        }
    return R1_OK;
}

/* A batch of several processes was refused. *kept: how many of its records are still ours. R1_OK:
 * they landed. */
static r1_status land_rest(fraud_writer *w, fraud_record **r, size_t *kept, r1_err *err)
{
    fraud_targets t;
    r1_err refusal = *err;
    writer_answer answer = {0};
    fraud_ledger_aim(w->o.ledger, r, *kept, &t);
    if (w->state != FRAUD_WRITER_RECOVERS) fraud_writer_move(&w->state, FRAUD_WRITER_RECOVERS);
    r1_status st = writer_recover(w, &t, fence_ask, &answer, err);
    if (st != R1_OK || answer.done) return st;
    if (!answer.fenced) {
        *err = refusal;
        return R1_E_FENCED;
    }
    *kept = writer_leave_out(w, r, *kept);
    return *kept ? writer_land(w, r, *kept, err) : R1_OK;
}

/* ---- the thread ---- */

/* One batch of the queue. */
static r1_status writer_batch(fraud_writer *w, fraud_record **r, size_t n, r1_err *err)
{
    int64_t began = r1_time_us();
    R1_ASSERT(n >= 1 && n <= w->o.rows, "%zu records, at most %zu", n, w->o.rows);
    n = writer_leave_out(w, r, n);
    r1_status st = n ? writer_land(w, r, n, err) : R1_OK;
    while (st == R1_E_FENCED && w->o.ledger->shared && n) st = land_rest(w, r, &n, err);
    if (st == R1_OK && n) {
        after_commit(w, r, n, began);
    } else if (st == R1_E_FORMAT) {
        fraud_writer_move(&w->state, FRAUD_WRITER_REFUSED);
        st = land_singly(w, r, n, err);
    }
    return st;
}

/* Who was refused looks whether what it had committed is still there. */
static void writer_look_for_loss(fraud_writer *w)
{
    r1_err err = {0};
    bool lost;
    const fraud_ledger *l = w->o.ledger;
    if (l->shared || !r1_store_alive(w->store) ||
        fraud_log_note_loss(l, w->store, l->last_seq, &lost, &err) == R1_OK)
        return;
    r1_log(R1_LOG_ERROR, "loss_not_noted", "last_seq=%lld error=\"%s\"", (long long)l->last_seq,
           r1_log_quote(err.msg).text);
}

static void writer_give_up(fraud_writer *w, r1_status st, const r1_err *err)
{
    fraud_writer_move(&w->state, FRAUD_WRITER_STOPPED);
    r1_log(R1_LOG_ERROR, "writer_stopped", "error=\"%s\"", r1_log_quote(err->msg).text);
    if (st == R1_E_FENCED) writer_look_for_loss(w);
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
            if (st != R1_OK)
                writer_give_up(w, st, &err);
            else if (w->state !=
                     FRAUD_WRITER_WAITS) /* it does where nothing of the batch was ours */
                fraud_writer_move(&w->state, FRAUD_WRITER_WAITS);
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

/* Where the log's time stands. A clock that was ahead holds it there until it is overtaken. The
 * outbox may have passed rows that PostgreSQL has lost since, and reads none of an earlier time. */
static r1_status writer_last_time(fraud_writer *w, r1_err *err)
{
    enum { AHEAD_US = 60 * 1000000 };
    r1_rows *rows;
    R1_TRY(r1_store_query(w->store,
                          "SELECT (extract(epoch FROM max(at)) * 1000000)::bigint FROM ((SELECT "
                          "written_at FROM r1.payment ORDER BY apply_seq DESC LIMIT 1) UNION ALL "
                          "(SELECT written_at FROM r1.label ORDER BY apply_seq DESC LIMIT 1) UNION "
                          "ALL (SELECT max(from_at) FROM r1.outbox WHERE app = 'fraud' AND kind = "
                          "'decision' AND isfinite(from_at))) x (at)",
                          0, NULL, &rows, err));
    w->written_us = r1_rows_int(rows, 0, 0);
    r1_rows_free(rows);
    if (w->written_us > r1_time_us() + AHEAD_US)
        r1_log(R1_LOG_WARN, "clock_behind", "log=%lld now=%lld expected=\"a clock past the log's\"",
               (long long)w->written_us, (long long)r1_time_us());
    return R1_OK;
}

/* Each statement is planned and its tables are known before the first payment waits for it. */
static r1_status writer_warm(fraud_writer *w, r1_err *err)
{
    R1_TRY(r1_store_batch_begin(w->store, err));
    r1_status st = fraud_rows_warm(w->rows, w->store, err);
    if (st == R1_OK) return r1_store_batch_commit(w->store, err);
    r1_store_batch_abort(w->store);
    return st;
}

static r1_status writer_prepare(fraud_writer *w, r1_err *err)
{
    int64_t missing, in_rest;
    const r1_store_opts opts = {.application = "r1-fraud writer", .statement_s = w->o.statement_s};
    w->names = (fraud_names){.ledger = w->o.ledger,
                             .model = w->o.model,
                             .config = w->o.config,
                             .written_at = w->written_at};
    fraud_tally_begin(&w->stats.tally, w->o.ledger);
    R1_TRY(fraud_rows_new(&w->rows, &w->names, err));
    R1_TRY(r1_store_open_with(&w->store, w->o.conninfo, &opts, err));
    R1_TRY(r1_store_prepare(w->store, "advance", sql_advance, 7, err));
    R1_TRY(fraud_log_prepare(w->store, err));
    R1_TRY(fraud_rows_prepare(w->rows, w->store, err));
    R1_TRY(fraud_versions_prepare(&w->versions, w->o.config, w->store, err));
    R1_TRY(name_versions(w, err));
    R1_TRY(fraud_partitions_make(w->store, &missing, &in_rest, err));
    R1_TRY(writer_last_time(w, err));
    writer_date(w);
    R1_TRY(writer_warm(w, err));
    const fraud_keeper_opts keeper = {.conninfo = w->o.conninfo,
                                      .ledger = w->o.shared.sends ? NULL : w->o.ledger,
                                      .shared = w->o.shared,
                                      .statement_s = w->o.statement_s,
                                      .cluster = w->o.ledger->cluster,
                                      .owner = w->o.ledger->owner,
                                      .producer = w->o.producer,
                                      .decisions_topic = w->o.decisions_topic,
                                      .dead_topic = w->o.dead_topic};
    R1_TRY(fraud_keeper_start(&w->keeper, &keeper, w->store, err));
    if (pthread_create(&w->thread, NULL, writer_main, w))
        R1_FAIL(err, R1_E_NOMEM, "no thread for the writer");
    return R1_OK;
}

static void writer_release(fraud_writer *w, int timeout_ms)
{
    fraud_keeper_stop(w->keeper, timeout_ms);
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
    atomic_init(&w->committed, opts->ledger->last_seq);
    if (w->o.rows < 1 || w->o.rows > ROWS_MAX) w->o.rows = ROWS_MAX;
    pthread_mutex_init(&w->lock, NULL);
    r1_status st = writer_prepare(w, err);
    if (st == R1_OK) {
        *out = w;
        return R1_OK;
    }
    writer_release(w, 0);
    return st;
}

r1_status fraud_writer_status(fraud_writer *w, r1_err *err)
{
    pthread_mutex_lock(&w->lock);
    r1_status st = w->failure.code;
    if (st != R1_OK && err) *err = w->failure;
    pthread_mutex_unlock(&w->lock);
    return st == R1_OK ? fraud_keeper_status(w->keeper, err) : st;
}

void fraud_writer_stats_read(fraud_writer *w, fraud_writer_stats *out)
{
    pthread_mutex_lock(&w->lock);
    *out = w->stats;
    pthread_mutex_unlock(&w->lock);
    fraud_keeper_stats_read(w->keeper, &out->keeper);
}

int64_t fraud_writer_committed(fraud_writer *w) { return atomic_load(&w->committed); }

int64_t fraud_writer_next(fraud_writer *w, fraud_topic topic, int32_t partition)
{
    pthread_mutex_lock(&w->lock);
    int64_t next = w->stats.tally.next[topic][partition], past = w->left_out[topic][partition];
    pthread_mutex_unlock(&w->lock);
    return next > past ? next : past;
}

uint64_t fraud_writer_fences(fraud_writer *w) { return atomic_load(&w->n_fence); }

bool fraud_writer_fenced(fraud_writer *w, fraud_topic topic, int32_t partition)
{
    return atomic_load(&w->fenced[topic][partition]);
}

void fraud_writer_unfence(fraud_writer *w, fraud_topic topic, int32_t partition)
{
    atomic_store(&w->fenced[topic][partition], false);
}

r1_status fraud_writer_stop(fraud_writer *w, int timeout_ms, r1_err *err)
{
    if (!w) return R1_OK;
    atomic_store(&w->give_up_us, r1_mono_us() + (int64_t)timeout_ms * 1000);
    fraud_queue_close(w->o.queue);
    pthread_join(w->thread, NULL);
    r1_status st = fraud_writer_status(w, err);
    writer_release(w, timeout_ms);
    return st;
}
