/* SPDX-License-Identifier: Apache-2.0 */
/* dash_worker.c - see dash_worker.h. */
#include "serve/dash_worker.h"
#include "text/quote.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TURN_MS = 500, FAILED_MS = 2000, GATHER_MAX = 200, LABELS_MAX = 200, ANSWER_MS = 10000 };
enum { TURNS_A_MINUTE = 60000 / TURN_MS };

struct dash_worker {
    dash_worker_opts o;
    pthread_t thread;
    atomic_bool stopping;
    r1_store *store;
    r1_producer *producer;
    unsigned turn;
    _Atomic uint64_t gathered, labels_sent, failures;
};

/* ---- labels ---- */

typedef struct {
    char id[24], body[1600];
} label_message;

static r1_status label_text(const r1_rows *rows, size_t i, label_message *out, r1_err *err)
{
    snprintf(out->id, sizeof out->id, "%s", r1_rows_text(rows, i, 0));
    int n = snprintf(out->body, sizeof out->body, "%s", r1_rows_text(rows, i, 2));
    if (n < 0 || (size_t)n >= sizeof out->body)
        R1_FAIL(err, R1_E_FORMAT, "label %s: expected at most %zu bytes, found %d", out->id,
                sizeof out->body - 1, n);
    return R1_OK;
}

/* The broker has them all when this returns R1_OK. */
static r1_status labels_post(dash_worker *w, const r1_rows *rows, r1_err *err)
{
    size_t n = r1_rows_count(rows);
    r1_ack ack[LABELS_MAX] = {0};
    r1_status st = R1_OK;
    for (size_t i = 0; st == R1_OK && i < n; i++) {
        label_message m;
        R1_TRY(label_text(rows, i, &m, err));
        const char *key = r1_rows_text(rows, i, 1);
        const r1_post post = {.topic = w->o.labels_topic,
                              .key = key,
                              .key_len = strlen(key),
                              .payload = m.body,
                              .payload_len = strlen(m.body),
                              .ack = &ack[i]};
        st = r1_producer_post(w->producer, &post, err);
    }
    if (st == R1_OK) st = r1_producer_flush(w->producer, ANSWER_MS, err);
    r1_producer_forget(w->producer); /* it borrows ack */
    for (size_t i = 0; st == R1_OK && i < n; i++)
        if (ack[i] != R1_ACK_DONE)
            st = r1_err_set(err, R1_E_STREAM, __FILE__, __LINE__,
                            "topic %s: the broker did not take a label", w->o.labels_topic);
    return st;
}

/* Those that were read, and no other one: a lower id may be committed later. */
static r1_status labels_mark(dash_worker *w, const r1_rows *rows, r1_err *err)
{
    char ids[LABELS_MAX * 21 + 2] = "{";
    size_t at = 1, n = r1_rows_count(rows);
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(ids + at, sizeof ids - at, "%s%s", i ? "," : "",
                               r1_rows_text(rows, i, 0));
    snprintf(ids + at, sizeof ids - at, "}");
    const char *param[] = {ids};
    R1_TRY(r1_store_query(w->store,
                          "UPDATE r1.case_label SET sent_at = now() WHERE id = ANY ($1::bigint[])",
                          1, param, NULL, err));
    atomic_fetch_add(&w->labels_sent, n);
    return R1_OK;
}

static r1_status labels_send(dash_worker *w, r1_err *err)
{
    r1_rows *rows = NULL;
    char most[16];
    if (!w->o.labels_topic) return R1_OK;
    if (!w->producer) R1_TRY(r1_producer_new(&w->producer, &w->o.stream, err));
    snprintf(most, sizeof most, "%d", LABELS_MAX);
    const char *param[] = {most};
    R1_TRY(r1_store_query(
        w->store,
        "SELECT id, tx_id, json_build_object('tx_id', tx_id, 'is_fraud', is_fraud, 'ts', "
        "(extract(epoch FROM decided_at) * 1000)::bigint, 'source', 'case ' || case_id || ', ' || "
        "decided_by) FROM r1.case_label WHERE sent_at IS NULL ORDER BY id LIMIT $1::integer",
        1, param, &rows, err));
    r1_status st = R1_OK;
    if (r1_rows_count(rows)) st = labels_post(w, rows, err);
    if (st == R1_OK && r1_rows_count(rows)) st = labels_mark(w, rows, err);
    r1_rows_free(rows);
    return st;
}

/* ---- turns ---- */

static r1_status sessions_end(dash_worker *w, r1_err *err)
{
    char idle[16], most[16];
    snprintf(idle, sizeof idle, "%d", w->o.session_idle_s);
    snprintf(most, sizeof most, "%d", w->o.session_max_s);
    const char *param[] = {idle, most};
    return r1_store_query(w->store,
                          "DELETE FROM r1.dash_session WHERE seen_at < now() - $1::integer * "
                          "interval '1 s' OR began_at < now() - $2::integer * interval '1 s'",
                          2, param, NULL, err);
}

static r1_status worker_gather(dash_worker *w, bool *more, r1_err *err)
{
    r1_rows *rows;
    char most[16];
    snprintf(most, sizeof most, "%d", GATHER_MAX);
    const char *param[] = {most};
    R1_TRY(r1_store_query(w->store, "SELECT r1.gather_cases($1::integer)", 1, param, &rows, err));
    int64_t n = r1_rows_int(rows, 0, 0);
    r1_rows_free(rows);
    *more = n == GATHER_MAX;
    if (n > 0) atomic_fetch_add(&w->gathered, (uint64_t)n);
    return R1_OK;
}

static r1_status worker_turn(dash_worker *w, bool *more, r1_err *err)
{
    if (!w->store) R1_TRY(r1_store_open(&w->store, w->o.conninfo, "r1-dashboard cases", err));
    if (!r1_store_alive(w->store)) R1_TRY(r1_store_reopen(w->store, err));
    R1_TRY(r1_store_query(w->store, "SELECT set_config('role', 'r1_dashboard', false)", 0, NULL,
                          NULL, err));
    R1_TRY(worker_gather(w, more, err));
    if (w->turn++ % TURNS_A_MINUTE == 0) R1_TRY(sessions_end(w, err));
    bool past = false;
    R1_TRY(dash_similar_load(w->o.similar, w->store, &past, err));
    *more = *more || past;
    return labels_send(w, err);
}

static void worker_rest(dash_worker *w, int ms)
{
    for (int i = 0; i < ms && !atomic_load(&w->stopping); i += 50)
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
}

static void *worker_main(void *arg)
{
    dash_worker *w = arg;
    while (!atomic_load(&w->stopping)) {
        r1_err err = {0};
        bool more = false;
        if (worker_turn(w, &more, &err) == R1_OK) {
            if (!more) worker_rest(w, TURN_MS);
            continue;
        }
        atomic_fetch_add(&w->failures, 1);
        r1_log(R1_LOG_WARN, "cases_wait", "error=\"%s\"", r1_log_quote(err.msg).text);
        worker_rest(w, FAILED_MS);
    }
    return NULL;
}

r1_status dash_worker_start(dash_worker **out, const dash_worker_opts *opts, r1_err *err)
{
    dash_worker *w = calloc(1, sizeof *w);
    if (!w) R1_FAIL(err, R1_E_NOMEM, "no memory for the worker");
    w->o = *opts;
    if (pthread_create(&w->thread, NULL, worker_main, w)) {
        free(w);
        R1_FAIL(err, R1_E_NOMEM, "no thread for the worker");
    }
    *out = w;
    return R1_OK;
}

void dash_worker_stats_read(dash_worker *w, dash_worker_stats *out)
{
    *out = (dash_worker_stats){.gathered = atomic_load(&w->gathered),
                               .labels_sent = atomic_load(&w->labels_sent),
                               .failures = atomic_load(&w->failures)};
}

void dash_worker_stop(dash_worker *w)
{
    if (!w) return;
    atomic_store(&w->stopping, true);
    pthread_join(w->thread, NULL);
    r1_producer_free(w->producer);
    r1_store_close(w->store);
    free(w);
}
