/* SPDX-License-Identifier: GPL-3.0-or-later */
/* serve.c - the live path: read, apply, score, decide, hand to the writer.
 *
 *    topic payments ─▶ poll ─▶ decode ─▶ seen before? ─▶ apply ─▶ score ─▶ decide ─┐
 *    topic labels   ─▶ poll ─▶ decode ─────────────────▶ apply ────────────────────┤
 *                                                                                  ▼
 *                                  topics, PostgreSQL ◀── writer thread ◀────── queue
 *
 * There is one owner at a time. At start it takes every partition, which raises the epochs and so
 * fences any earlier owner. It restores the state, and only then reads on at the
 * stored offsets. apply_seq is the order in which this thread applied payments and labels: whoever
 * replays the log in that order gets the same scores. */
#include "serve/capacity.h"
#include "serve/end_report.h"
#include "serve/port.h"
#include "serve/price.h"
#include "serve/server.h"
#include "serve/settings.h"
#include "serve/share.h"
#include "write/log_owner.h"
#include "write/outbox.h"
#include "write/patience.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BROKER_TIMEOUT_MS = 5000 };

/* ---- start ---- */

/* Waits for something outside: says once what it waits for, and goes on when it is there or the
 * user stops it. */
static r1_status serve_retry(r1_status (*attempt)(server *, r1_err *), server *s, const char *what,
                             r1_err *err)
{
    int64_t until = r1_mono_us() + r1_options_int(s->o, "wait") * 1000000;
    fraud_patience patience = {0};
    for (;;) {
        r1_err_clear(err);
        fraud_ending_waits(s->ending, what);
        r1_status st = attempt(s, err);
        fraud_ending_waits(s->ending, NULL);
        if (st == R1_OK || !(err->retriable || st == R1_E_NOT_FOUND)) return st;
        if (r1_mono_us() > until) {
            r1_err_prefix(err, "%s is not there after %lld s: ", what,
                          (long long)r1_options_int(s->o, "wait"));
            return st;
        }
        if (!patience.n) fprintf(stderr, "r1-fraud serve: waiting for %s: %s\n", what, err->msg);
        if (!r1_cli_stopped()) fraud_patience_wait(&patience, "start_waits", what, err);
        if (r1_cli_stopped()) R1_FAIL(err, R1_E_CANCELLED, "stopped while waiting for %s", what);
    }
}

/* A database that is there and lags behind is not waited for: somebody must migrate it. */
static r1_status serve_open_store(server *s, r1_err *err)
{
    const r1_store_opts opts = {.application = "r1-fraud",
                                .statement_s = r1_options_int(s->o, "start-timeout")};
    if (!s->store)
        R1_TRY(r1_store_open_with(&s->store, s->parts.conninfo, &opts, err));
    else if (!r1_store_alive(s->store))
        R1_TRY(r1_store_reopen(s->store, err));
    r1_status st = r1_store_migrated(s->store, s->parts.migrations, err);
    r1_err why = *err;
    if (st == R1_E_AGAIN) R1_FAIL(err, R1_E_DB, "%s: run r1-fraud db migrate", why.msg);
    return st;
}

static r1_status count_partitions(server *s, int32_t *total, r1_err *err)
{
    int n_topic = fraud_serve_topics(s);
    *total = 0;
    if (!s->consumer)
        R1_TRY(r1_consumer_new(&s->consumer, &s->parts.stream, s->parts.topic, n_topic, err));
    for (int t = 0; t < n_topic; t++) {
        int32_t n;
        R1_TRY(r1_consumer_partitions(s->consumer, t, &n, BROKER_TIMEOUT_MS, err));
        s->n_partition[t] = n;
        *total += n;
    }
    return R1_OK;
}

int32_t fraud_serve_partitions(const server *s)
{
    int32_t n = 0;
    for (int t = 0; t < FRAUD_N_TOPIC; t++) n += s->n_partition[t];
    return n;
}

/* Few partitions are read further ahead than many. librdkafka wants to know before it begins. */
static r1_status find_topics(server *s, r1_err *err)
{
    int32_t total;
    R1_TRY(count_partitions(s, &total, err));
    if (!s->parts.stream.queue_kib) {
        r1_consumer_free(s->consumer);
        s->consumer = NULL;
        s->parts.stream.queue_kib = fraud_read_ahead_kib(total);
        R1_TRY(count_partitions(s, &total, err));
    }
    return r1_consumer_cluster(s->consumer, s->ledger.cluster, sizeof s->ledger.cluster,
                               BROKER_TIMEOUT_MS, err);
}

static void name_owner(server *s)
{
    char host[40] = "host";
    gethostname(host, sizeof host - 1);
    snprintf(s->ledger.owner, sizeof s->ledger.owner, "%s/%ld", host, (long)getpid());
}

static r1_status take_ownership(server *s, r1_err *err)
{
    for (int t = 0; t < FRAUD_N_TOPIC; t++) {
        if (!s->parts.topic[t]) continue;
        R1_TRY(fraud_ledger_known_cluster(&s->ledger, s->store, s->parts.topic[t], err));
    }
    R1_TRY(fraud_log_take(&s->ledger, s->store, s->parts.topic, err));
    R1_TRY(fraud_outbox_fence(s->store, s->ledger.owner, &s->sent_seq, err));
    for (int t = 0; t < FRAUD_N_TOPIC; t++) {
        if (!s->parts.topic[t]) continue;
        R1_TRY(fraud_ledger_take(&s->ledger, s->store, (fraud_topic)t, s->parts.topic[t],
                                 s->n_partition[t], err));
    }
    R1_TRY(fraud_ledger_take(&s->ledger, s->store, FRAUD_TOPIC_HTTP, FRAUD_HTTP_TOPIC_NAME, 1,
                             err)); /* without a port too: an owner that has one is fenced */
    s->http_next = s->ledger.claim[FRAUD_TOPIC_HTTP][0].next_offset;
    return R1_OK;
}

static r1_status serve_own(server *s, r1_err *err)
{
    fraud_ending_waits(s->ending, "PostgreSQL");
    R1_TRY(serve_open_store(s, err));
    if (r1_options_str(s->o, "events-topic")) return fraud_share_open(s, err);
    R1_TRY(fraud_lease_alone(s->store, err));
    return take_ownership(s, err);
}

static r1_status start_writer(server *s, r1_err *err)
{
    bool sends = r1_options_str(s->o, "decisions-topic") || r1_options_str(s->o, "dead-topic");
    r1_stream_opts stream = s->parts.stream;
    stream.patient = true;
    if (sends && !s->producer) R1_TRY(r1_producer_new(&s->producer, &stream, err));
    fraud_writer_opts w = {.conninfo = s->parts.conninfo,
                           .statement_s = r1_options_int(s->o, "write-timeout"),
                           .rows = (size_t)r1_options_int(s->o, "batch-rows"),
                           .model = s->parts.model,
                           .config = fraud_policy_version(s->parts.policy),
                           .model_text = s->parts.model_text,
                           .config_text = fraud_policy_text(s->parts.policy),
                           .producer = s->producer,
                           .decisions_topic = r1_options_str(s->o, "decisions-topic"),
                           .dead_topic = r1_options_str(s->o, "dead-topic"),
                           .stats_skip = (uint64_t)r1_options_int(s->o, "stats-skip"),
                           .ledger = &s->ledger,
                           .queue = s->parts.queue,
                           .shared = fraud_share_outbox(s)};
    return fraud_writer_start(&s->writer, &w, err);
}

/* The order matters: own, then rebuild (what an earlier owner still commits after this is
 * fenced), then read. */
static r1_status serve_start(server *s, r1_err *err)
{
    R1_TRY(fraud_pid_file(s->o, err));
    R1_TRY(fraud_reload_new(&s->reload, s->parts.policy, err));
    fraud_policy_print_notes(s->parts.policy, stderr);
    R1_TRY(fraud_port_start(s, err));
    R1_TRY(serve_retry(serve_open_store, s, "PostgreSQL", err));
    R1_TRY(serve_retry(find_topics, s, "the broker", err));
    name_owner(s);
    R1_TRY(serve_retry(serve_own, s, "PostgreSQL and the topics", err));
    fraud_port_phase(s, FRAUD_PHASE_REBUILDS);
    fraud_ending_waits(s->ending, "PostgreSQL");
    R1_TRY(fraud_serve_restore(s, err));
    R1_TRY(fraud_serve_currency_begin(s, err));
    R1_TRY(s->share ? fraud_share_begin(s, err) : fraud_serve_resume_guard(s, err));
    R1_TRY(serve_retry(start_writer, s, "PostgreSQL", err));
    fraud_engine_warm(s->parts.engine);
    fraud_ending_waits(s->ending, "the broker");
    R1_TRY(s->share ? fraud_share_replay(s, err) : fraud_serve_assign(s, err));
    if (s->share) R1_TRY(fraud_share_join(s, err));
    fraud_ending_waits(s->ending, NULL);
    s->last_message_us = r1_mono_us();
    R1_TRY(fraud_port_watch(s, err));
    fraud_ending_step(s->ending, FRAUD_END_WRITES);
    fprintf(stderr,
            "r1-fraud serve: ready, model %s, %s, state of %s%s%llu payments and %llu labels "
            "rebuilt in %.1f s\n",
            fraud_engine_model_name(s->parts.engine), fraud_policy_text(s->parts.policy),
            s->snapshots ? fraud_snapshots_read(s->snapshots)->loaded : "",
            s->rebuilt.after_seq ? " and " : "", (unsigned long long)s->rebuilt.payments,
            (unsigned long long)s->rebuilt.labels, s->rebuilt.seconds);
    fraud_capacity_print(s->parts.engine, "r1-fraud serve: state: ", stderr);
    fraud_price_print(&s->parts, fraud_serve_partitions(s), "r1-fraud serve: memory: ", stderr);
    return R1_OK;
}

static void serve_hints(server *s, const fraud_ledger *l)
{
    for (int t = 0; !s->share && t < FRAUD_N_TOPIC; t++)
        for (int32_t p = 0; s->parts.topic[t] && p < l->n_partition[t]; p++)
            if (l->claim[t][p].next_offset) /* the port's topic is none of Kafka's */
                r1_consumer_hint(s->consumer, t, p, l->claim[t][p].next_offset);
}

/* ---- the end ---- */

/* The statistics must hold what the last transactions did: waits for the queue to be written. A
 * writer that cannot write fails when its connection is ended (ending.h). */
static void serve_drain(server *s)
{
    fraud_queue_close(s->parts.queue);
    while (fraud_queue_in_flight(s->parts.queue) && fraud_writer_status(s->writer, NULL) == R1_OK)
        usleep(2000);
}

/* What was read and could not be written is said, and lost by nobody. */
static r1_status serve_unwritten(const server *s, r1_status st, r1_err *err)
{
    if (st != R1_E_CANCELLED && st != R1_E_TIMEOUT) return st;
    R1_FAIL(err, R1_E_TIMEOUT,
            "PostgreSQL did not take what was read, from apply_seq %lld to %lld, in time: the next "
            "start reads it again",
            (long long)s->ledger.last_seq + 1, (long long)s->last_seq);
}

static r1_status serve_report(const server *s, const fraud_writer_stats *w, r1_err *err)
{
    const char *path = r1_options_str(s->o, "stats");
    const fraud_end_report report = {.w = w,
                                     .unscorable = r1_options_str(s->o, "unscorable"),
                                     .currency = s->currency,
                                     .first_told = strcmp(s->currency_from, "setting") != 0};
    fraud_end_report_print(&report, stderr);
    return path ? fraud_serve_stats(s, w, path, err) : R1_OK;
}

static r1_status serve_finish(server *s, r1_err *err)
{
    r1_status st = R1_OK;
    fraud_port_phase(s, FRAUD_PHASE_STOPS);
    if (s->writer) {
        fraud_ending_waits(s->ending, "PostgreSQL");
        serve_drain(s);
        fraud_writer_stats *w = calloc(1, sizeof *w);
        if (w) fraud_writer_stats_read(s->writer, w);
        st = serve_unwritten(s, fraud_writer_stop(s->writer, 2000, err), err);
        fraud_ending_waits(s->ending, s->share ? "the broker" : NULL);
        fraud_share_leave(s);
        fraud_ending_waits(s->ending, NULL);
        if (w && st == R1_OK) {
            serve_hints(s, &s->ledger);
            fraud_ending_step(s->ending, FRAUD_END_SAVES);
            fraud_serve_snapshot_last(s);
            st = serve_report(s, w, err);
        }
        free(w);
    }
    return st;
}

static void serve_release(server *s)
{
    fraud_ending_step(s->ending, FRAUD_END_LEAVES);
    fraud_queue_free(s->parts.queue); /* lends Kafka messages: before the consumers */
    s->parts.queue = NULL;
    fraud_ending_waits(s->ending, "the broker");
    fraud_share_free(s);
    fraud_ending_waits(s->ending, "the clients of its port");
    fraud_port_stop(s); /* behind the queue, whose records somebody may wait for */
    fraud_ending_waits(s->ending, "the broker");
    r1_watch_stop(s->watch);
    r1_consumer_free(s->consumer);
    r1_producer_free(s->producer);
    fraud_ending_waits(s->ending, NULL);
    r1_store_close(s->store);
    fraud_snapshots_free(s->snapshots);
    fraud_reload_free(s->reload);
    fraud_parts_release(&s->parts);
    fraud_ending_free(s->ending);
    free(s);
}

static int serve_run(server *s, r1_err *err)
{
    r1_status st = serve_start(s, err);
    if (st == R1_OK) st = fraud_serve_loop(s, err);
    s->orderly = st == R1_OK;
    fraud_ending_begin(s->ending, r1_cli_exit(st), err);
    r1_err late = {0};
    r1_status end = serve_finish(s, &late);
    if (st == R1_OK && end != R1_OK) *err = late;
    if (st == R1_E_CANCELLED) st = R1_OK; /* it was stopped while it started */
    int code = r1_cli_exit(st != R1_OK ? st : end);
    fraud_ending_begin(s->ending, code, err);
    return code;
}

int fraud_command_serve(r1_cli_call *call)
{
    server *s = calloc(1, sizeof *s);
    if (!s) return R1_EXIT_FAILED;
    s->o = call->opts;
    r1_cli_watch_hangup(); /* before the model is read: a SIGHUP then reloads once all runs */
    r1_status st = fraud_ending_new(&s->ending, &call->err);
    if (st == R1_OK) st = fraud_parts_build(&s->parts, call->opts, &call->err);
    int code = st == R1_OK ? serve_run(s, &call->err) : fraud_parts_exit(st);
    serve_release(s);
    return code;
}
