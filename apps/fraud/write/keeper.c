/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper.c - see keeper.h. One turn after the other: connect, partitions when they are due, each
 * outbox; then it sleeps until the writer commits, the broker may have answered, or time is up. */
#include "write/keeper.h"
#include "text/quote.h"
#include "write/log_owner.h"
#include "write/patience.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PARTITIONS_EVERY_US = 900 * 1000000,
    LOG_END_EVERY_US = 2 * 1000000,
    SHARED_MS = 100, /* how often another's commits are looked for */
    GATHER_MS = 20,  /* between two turns while there is work: each one asks PostgreSQL */
    IDLE_MS = 1000
};

struct fraud_keeper {
    fraud_keeper_opts o;
    r1_store *store;
    fraud_outbox *outbox[FRAUD_N_OUTBOX]; /* NULL: not sent */
    bool sends;                           /* shared: this process feeds the topics */
    fraud_patience patience;
    int64_t began_seq;           /* where the log ended at the start */
    int64_t looked_seq, look_us; /* where the log was to end at the last look; the next one */
    int64_t partitions_us;       /* monotonic, when they are due */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    fraud_committed committed;
    fraud_keeper_stats stats;
    r1_err failure;
    int64_t stop_us; /* monotonic; 0: not yet */
    bool woken;
};

r1_status fraud_partitions_make(r1_store *s, int64_t *missing, int64_t *in_rest, r1_err *err)
{
    r1_rows *rows;
    /* Two weeks ahead: so long a service may lack the right or the lock to make the next one. */
    R1_TRY(r1_store_query(s, "SELECT made, missing, in_rest FROM r1.make_partitions(2)", 0, NULL,
                          &rows, err));
    *missing = r1_rows_int(rows, 0, 1);
    *in_rest = r1_rows_int(rows, 0, 2);
    r1_rows_free(rows);
    if (*missing || *in_rest)
        r1_log(R1_LOG_WARN, "partitions", "missing=%lld rows_in_rest=%lld", (long long)*missing,
               (long long)*in_rest);
    return R1_OK;
}

/* ---- one turn ---- */

static r1_status keeper_connect(fraud_keeper *k, r1_err *err)
{
    const r1_store_opts opts = {.application = "r1-fraud keeper", .statement_s = k->o.statement_s};
    if (!k->store) return r1_store_open_with(&k->store, k->o.conninfo, &opts, err);
    return r1_store_alive(k->store) ? R1_OK : r1_store_reopen(k->store, err);
}

static r1_status keeper_partitions(fraud_keeper *k, r1_err *err)
{
    int64_t missing, in_rest;
    if (r1_mono_us() < k->partitions_us) return R1_OK;
    R1_TRY(fraud_partitions_make(k->store, &missing, &in_rest, err));
    k->partitions_us = r1_mono_us() + PARTITIONS_EVERY_US;
    pthread_mutex_lock(&k->lock);
    k->stats.missing_weeks = missing;
    k->stats.rows_in_rest = in_rest;
    pthread_mutex_unlock(&k->lock);
    return R1_OK;
}

static fraud_committed keeper_now(fraud_keeper *k)
{
    pthread_mutex_lock(&k->lock);
    fraud_committed c = k->committed;
    pthread_mutex_unlock(&k->lock);
    return c;
}

static r1_status keeper_open(fraud_keeper *k, r1_store *s, r1_err *err)
{
    const char *topic[FRAUD_N_OUTBOX] = {k->o.decisions_topic, k->o.dead_topic};
    for (int i = 0; i < FRAUD_N_OUTBOX; i++) {
        const fraud_outbox_opts o = {.kind = (fraud_outbox_kind)i,
                                     .cluster = k->o.cluster,
                                     .topic = topic[i],
                                     .owner = k->o.owner,
                                     .shared = k->o.shared.sends != NULL,
                                     .producer = k->o.producer};
        if (!topic[i] || !k->o.producer) continue;
        R1_TRY(fraud_outbox_new(&k->outbox[i], &o, err));
        R1_TRY((k->o.shared.sends && !k->sends ? fraud_outbox_ensure
                                               : fraud_outbox_take)(k->outbox[i], s, err));
    }
    return R1_OK;
}

/* What is on its way is given up: whoever sends next sends it again. */
static void keeper_close(fraud_keeper *k)
{
    if (k->o.producer) r1_producer_forget(k->o.producer);
    for (int i = 0; i < FRAUD_N_OUTBOX; i++) {
        fraud_outbox_free(k->outbox[i]);
        k->outbox[i] = NULL;
    }
    k->sends = false;
}

/* Whether it is this process that feeds the topics; takes or lets go of them where that changed. */
static r1_status keeper_sends(fraud_keeper *k, fraud_committed *c, r1_err *err)
{
    bool sends = k->o.shared.sends(k->o.shared.ctx, c);
    if (k->sends && !sends) keeper_close(k);
    if (!sends || k->sends) return R1_OK;
    keeper_close(k);
    k->sends = true;
    r1_status st = keeper_open(k, k->store, err);
    if (st != R1_OK) keeper_close(k);
    return st;
}

/* The writer looks with each transaction. Where none comes, a fail-over or another owner would be
 * seen by nobody. */
static r1_status keeper_log_end(fraud_keeper *k, int64_t last_seq, r1_err *err)
{
    bool lost = false, moves = last_seq != k->looked_seq;
    int64_t now = r1_mono_us();
    if (!k->o.ledger || (!moves && now < k->look_us)) return R1_OK;
    k->looked_seq = last_seq;
    k->look_us = now + LOG_END_EVERY_US;
    if (moves) return R1_OK;
    R1_TRY(fraud_log_held(k->o.ledger, k->store, err));
    if (last_seq) R1_TRY(fraud_log_note_loss(k->o.ledger, k->store, last_seq, &lost, err));
    if (lost)
        R1_FAIL(err, R1_E_FENCED, "PostgreSQL has lost commits up to row %lld: start again",
                (long long)last_seq);
    return R1_OK;
}

static r1_status keeper_turn(fraud_keeper *k, r1_err *err)
{
    fraud_committed c = keeper_now(k);
    R1_TRY(keeper_connect(k, err));
    R1_TRY(keeper_partitions(k, err));
    R1_TRY(keeper_log_end(k, c.last_seq ? c.last_seq : k->began_seq, err));
    if (k->o.shared.sends) {
        R1_TRY(keeper_sends(k, &c, err));
        pthread_mutex_lock(&k->lock);
        k->committed = c;
        pthread_mutex_unlock(&k->lock);
        if (!k->sends) return R1_OK;
    }
    r1_status st = R1_OK;
    for (int i = 0; st == R1_OK && i < FRAUD_N_OUTBOX; i++)
        if (k->outbox[i]) st = fraud_outbox_turn(k->outbox[i], k->store, &c, err);
    if (st != R1_E_FENCED || !k->o.shared.sends) return st;
    keeper_close(k); /* another process feeds the topics */
    return R1_OK;
}

static bool keeper_in_step(fraud_keeper *k)
{
    fraud_committed c = keeper_now(k);
    if (k->o.shared.sends && !k->sends) return true;
    for (int i = 0; i < FRAUD_N_OUTBOX; i++)
        if (k->outbox[i] && !fraud_outbox_in_step(k->outbox[i], &c)) return false;
    return true;
}

static void keeper_count(fraud_keeper *k)
{
    pthread_mutex_lock(&k->lock);
    for (int i = 0; i < FRAUD_N_OUTBOX; i++)
        if (k->outbox[i]) fraud_outbox_stats_read(k->outbox[i], &k->stats.outbox[i]);
    int64_t next = k->stats.outbox[FRAUD_OUTBOX_DECISIONS].next_seq;
    k->stats.behind = next && k->committed.last_seq >= next ? k->committed.last_seq + 1 - next : 0;
    k->stats.waits = k->patience.n;
    if (k->o.producer) k->stats.renewed = r1_producer_count(k->o.producer).renewed;
    pthread_mutex_unlock(&k->lock);
}

/* ---- the thread ---- */

/* Sleeps ms, or until the writer commits where `early` says so. */
static void keeper_sleep(fraud_keeper *k, int ms, bool early)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_mutex_lock(&k->lock);
    while (!k->stop_us && !(early && k->woken) &&
           pthread_cond_timedwait(&k->wake, &k->lock, &until) != ETIMEDOUT) {
    }
    k->woken = false;
    pthread_mutex_unlock(&k->lock);
}

/* Whether the thread must end: now, or because all is sent. */
static bool keeper_ends(fraud_keeper *k)
{
    pthread_mutex_lock(&k->lock);
    int64_t until = k->stop_us;
    pthread_mutex_unlock(&k->lock);
    return until && (r1_mono_us() > until || keeper_in_step(k));
}

static bool keeper_stopping(fraud_keeper *k)
{
    pthread_mutex_lock(&k->lock);
    bool stopping = k->stop_us != 0;
    pthread_mutex_unlock(&k->lock);
    return stopping;
}

static void keeper_rest(fraud_keeper *k)
{
    if (keeper_in_step(k))
        keeper_sleep(k, k->o.shared.sends ? SHARED_MS : IDLE_MS, !k->o.shared.sends);
    else if (keeper_stopping(k))
        r1_producer_flush(k->o.producer, GATHER_MS, NULL);
    else
        keeper_sleep(k, GATHER_MS, false); /* what is committed meanwhile goes along */
}

static void *keeper_main(void *arg)
{
    fraud_keeper *k = arg;
    while (!keeper_ends(k)) {
        r1_err err = {0};
        r1_status st = keeper_turn(k, &err);
        keeper_count(k);
        if (st == R1_OK) {
            fraud_patience_reset(&k->patience);
            keeper_rest(k);
        } else if (err.retriable) {
            fraud_patience_say(&k->patience, "outbox_waits", "", &err);
            keeper_sleep(k, fraud_patience_next(&k->patience), false);
            if (keeper_stopping(k)) break;
        } else if (st == R1_E_CANCELLED) { /* the next start goes on where the cursor stands */
            fraud_patience_say(&k->patience, "outbox_left", "", &err);
            break;
        } else {
            r1_log(R1_LOG_ERROR, "keeper_stopped", "error=\"%s\"", r1_log_quote(err.msg).text);
            pthread_mutex_lock(&k->lock);
            k->failure = err;
            k->failure.code = st;
            pthread_mutex_unlock(&k->lock);
            break;
        }
    }
    if (k->o.producer) r1_producer_forget(k->o.producer);
    keeper_count(k);
    return NULL;
}

/* ---- from outside ---- */

static void keeper_release(fraud_keeper *k)
{
    for (int i = 0; i < FRAUD_N_OUTBOX; i++) fraud_outbox_free(k->outbox[i]);
    r1_store_close(k->store);
    pthread_cond_destroy(&k->wake);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

r1_status fraud_keeper_start(fraud_keeper **out, const fraud_keeper_opts *opts, r1_store *s,
                             r1_err *err)
{
    fraud_keeper *k = calloc(1, sizeof *k);
    if (!k) R1_FAIL(err, R1_E_NOMEM, "no memory for the outbox");
    k->o = *opts;
    k->began_seq = opts->ledger ? opts->ledger->last_seq : 0;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&k->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&k->lock, NULL);
    r1_status st = keeper_open(k, s, err);
    if (st == R1_OK && pthread_create(&k->thread, NULL, keeper_main, k))
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no thread for the outbox");
    if (st == R1_OK)
        *out = k;
    else
        keeper_release(k);
    return st;
}

void fraud_keeper_committed(fraud_keeper *k, const fraud_committed *c)
{
    pthread_mutex_lock(&k->lock);
    if (!k->o.shared.sends) k->committed = *c;
    k->woken = true;
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->lock);
}

r1_status fraud_keeper_status(fraud_keeper *k, r1_err *err)
{
    pthread_mutex_lock(&k->lock);
    r1_status st = k->failure.code;
    if (st != R1_OK && err) *err = k->failure;
    pthread_mutex_unlock(&k->lock);
    return st;
}

void fraud_keeper_stats_read(fraud_keeper *k, fraud_keeper_stats *out)
{
    pthread_mutex_lock(&k->lock);
    *out = k->stats;
    pthread_mutex_unlock(&k->lock);
}

void fraud_keeper_stop(fraud_keeper *k, int timeout_ms)
{
    if (!k) return;
    pthread_mutex_lock(&k->lock);
    k->stop_us = r1_mono_us() + (int64_t)timeout_ms * 1000;
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    keeper_release(k);
}
