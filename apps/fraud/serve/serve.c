/* SPDX-License-Identifier: GPL-3.0-or-later */
/* serve.c - the live path: read, apply, score, decide, hand to the writer.
 *
 *    topic payments ─▶ poll ─▶ decode ─▶ seen before? ─▶ apply ─▶ score ─▶ decide ─┐
 *    topic labels   ─▶ poll ─▶ decode ─────────────────▶ apply ────────────────────┤
 *                                                                                  ▼
 *                                  topics, PostgreSQL ◀── writer thread ◀────── queue
 *
 * There is one owner at a time. At start it takes every partition, which raises the epochs and so
 * fences any earlier owner. It rebuilds the state from the log, and only then reads on at the
 * stored offsets. apply_seq is the order in which this thread applied payments and labels: whoever
 * replays the log in that order gets the same scores. */
#include "r1_assert.h"
#include "serve/parts.h"
#include "serve/rebuild.h"
#include "serve/settings.h"
#include "write/writer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BATCH_MAX = FRAUD_BATCH_MAX, STOP_TIMEOUT_MS = 15000, BROKER_TIMEOUT_MS = 5000 };

typedef struct {
    const r1_options *o;
    fraud_parts parts;
    fraud_ledger ledger;
    fraud_writer *writer;
    r1_store *store;
    r1_consumer *consumer[FRAUD_N_TOPIC];
    r1_producer *producer;
    int64_t last_seq;
    uint64_t consumed;
    int64_t last_message_us; /* monotonic */
    fraud_rebuilt rebuilt;
} server;

/* ---- start ---- */

/* Waits for something outside: says once what it waits for, and goes on when it is there or the
 * user stops it. */
static r1_status serve_retry(r1_status (*attempt)(server *, r1_err *), server *s, const char *what,
                             r1_err *err)
{
    int64_t until = r1_mono_us() + r1_options_int(s->o, "wait") * 1000000;
    for (int ms = 100;; ms = ms < 2000 ? ms * 2 : 2000) {
        r1_err_clear(err);
        r1_status st = attempt(s, err);
        if (st == R1_OK || !(err->retriable || st == R1_E_NOT_FOUND)) return st;
        if (r1_mono_us() > until) {
            r1_err_prefix(err, "%s is not there after %lld s: ", what,
                          (long long)r1_options_int(s->o, "wait"));
            return st;
        }
        if (ms == 100) fprintf(stderr, "r1-fraud serve: waiting for %s: %s\n", what, err->msg);
        struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
        nanosleep(&ts, NULL);
        if (r1_cli_stopped()) R1_FAIL(err, R1_E_CANCELLED, "stopped while waiting for %s", what);
    }
}

/* A database that is there and lags behind is not waited for: somebody must migrate it. */
static r1_status serve_open_store(server *s, r1_err *err)
{
    if (!s->store)
        R1_TRY(r1_store_open(&s->store, s->parts.conninfo, "r1-fraud", err));
    else if (!r1_store_alive(s->store))
        R1_TRY(r1_store_reopen(s->store, err));
    r1_status st = r1_store_migrated(s->store, s->parts.migrations, err);
    r1_err why = *err;
    if (st == R1_E_AGAIN) R1_FAIL(err, R1_E_DB, "%s: run r1-fraud db migrate", why.msg);
    return st;
}

static r1_status find_topics(server *s, r1_err *err)
{
    for (int t = 0; t < FRAUD_N_TOPIC; t++) {
        const char *name = s->parts.topic[t];
        if (!name) continue;
        if (!s->consumer[t]) R1_TRY(r1_consumer_new(&s->consumer[t], &s->parts.stream, name, err));
        int32_t n;
        R1_TRY(r1_consumer_partitions(s->consumer[t], &n, BROKER_TIMEOUT_MS, err));
        s->ledger.n_partition[t] = n;
    }
    return r1_consumer_cluster(s->consumer[FRAUD_TOPIC_PAYMENTS], s->ledger.cluster,
                               sizeof s->ledger.cluster, BROKER_TIMEOUT_MS, err);
}

static r1_status take_ownership(server *s, r1_err *err)
{
    char host[40] = "host";
    gethostname(host, sizeof host - 1);
    snprintf(s->ledger.owner, sizeof s->ledger.owner, "%s/%ld", host, (long)getpid());
    for (int t = 0; t < FRAUD_N_TOPIC; t++)
        if (s->consumer[t])
            R1_TRY(fraud_ledger_take(&s->ledger, s->store, (fraud_topic)t, s->parts.topic[t],
                                     s->ledger.n_partition[t], err));
    return R1_OK;
}

/* A stored offset that the broker does not hold any more is a gap: reported, never skipped. */
static r1_status check_range(server *s, int topic, int32_t partition, r1_err *err)
{
    int64_t low, high, next = s->ledger.claim[topic][partition].next_offset;
    R1_TRY(r1_consumer_range(s->consumer[topic], partition, &low, &high, BROKER_TIMEOUT_MS, err));
    if (next < low || next > high)
        R1_FAIL(err, R1_E_STREAM,
                "partition %d of %s: the next offset is %lld, but the broker holds %lld to %lld: "
                "messages are missing",
                partition, s->ledger.topic[topic], (long long)next, (long long)low,
                (long long)high);
    return R1_OK;
}

static r1_status serve_assign(server *s, r1_err *err)
{
    for (int t = 0; t < FRAUD_N_TOPIC; t++) {
        if (!s->consumer[t]) continue;
        int64_t next[FRAUD_PARTITIONS_MAX];
        for (int32_t p = 0; p < s->ledger.n_partition[t]; p++) {
            R1_TRY(check_range(s, t, p, err));
            next[p] = s->ledger.claim[t][p].next_offset;
        }
        R1_TRY(r1_consumer_assign(s->consumer[t], next, s->ledger.n_partition[t], err));
    }
    return R1_OK;
}

static r1_status start_writer(server *s, r1_err *err)
{
    bool sends = r1_options_str(s->o, "decisions-topic") || r1_options_str(s->o, "dead-topic");
    if (sends) R1_TRY(r1_producer_new(&s->producer, &s->parts.stream, err));
    fraud_writer_opts w = {.conninfo = s->parts.conninfo,
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
                           .queue = s->parts.queue};
    return fraud_writer_start(&s->writer, &w, err);
}

/* The order matters: own, then rebuild (what an earlier owner still commits after this is
 * fenced), then read. */
static r1_status serve_start(server *s, r1_err *err)
{
    R1_TRY(serve_retry(serve_open_store, s, "PostgreSQL", err));
    R1_TRY(serve_retry(find_topics, s, "the broker", err));
    R1_TRY(take_ownership(s, err));
    R1_TRY(fraud_rebuild(s->store, s->parts.engine, s->parts.seen, &s->rebuilt, err));
    s->last_seq = s->ledger.last_seq = s->rebuilt.last_seq;
    R1_TRY(start_writer(s, err));
    R1_TRY(serve_assign(s, err));
    s->last_message_us = r1_mono_us();
    fprintf(stderr,
            "r1-fraud serve: ready, model %s, %s, state of %llu payments and %llu labels rebuilt "
            "in %.1f s\n",
            fraud_engine_model_name(s->parts.engine), fraud_policy_text(s->parts.policy),
            (unsigned long long)s->rebuilt.payments, (unsigned long long)s->rebuilt.labels,
            s->rebuilt.seconds);
    return R1_OK;
}

/* ---- results to text ---- */

static void trace_text(fraud_record *r, const fraud_result *res)
{
    size_t n = (size_t)snprintf(r->trace, sizeof r->trace, "{%.9g", res->prior_logit);
    for (size_t i = 0; i < res->n_item && n < sizeof r->trace - 24; i++)
        n += (size_t)snprintf(r->trace + n, sizeof r->trace - n, ",%.9g", res->item[i].delta);
    snprintf(r->trace + n, sizeof r->trace - n, "}");
}

static r1_status serve_decide(server *s, fraud_record *r, const fraud_result *res, r1_err *err)
{
    fraud_policy_decide(s->parts.policy, &r->payment, res, &r->decision);
    r->probability = (float)res->probability;
    r->logit = (float)res->logit;
    r->degraded = res->degraded;
    r->decided_us = r1_time_us();
    trace_text(r, res);
    if (r->decision.action == FRAUD_ALLOW) return R1_OK;
    r->alert = fraud_alert_of(res);
    if (!r->alert) R1_FAIL(err, R1_E_NOMEM, "no memory for the reasons of a decision");
    return R1_OK;
}

/* ---- the loop ---- */

typedef struct {
    fraud_record *record[BATCH_MAX]; /* in order of consumption, pushed in this order */
    size_t n;
    fraud_slot *slot[BATCH_MAX]; /* of the payments among them */
    fraud_record *scored[BATCH_MAX];
    size_t n_slot;
    fraud_result result[BATCH_MAX];
} batch;

static r1_status take_payment(server *s, batch *b, fraud_record *r, r1_err *err)
{
    r1_err why = {0};
    if (fraud_payment_decode(r->message.payload, r->message.payload_len, &r->payment, &why) !=
        R1_OK)
        return fraud_record_refuse(r, FRAUD_STAGE_DECODE, &why), R1_OK;
    if (fraud_txset_has(s->parts.seen, r->payment.tx_id))
        return r->kind = FRAUD_RECORD_DUPLICATE, R1_OK;
    fraud_slot *slot;
    r1_status st = fraud_engine_apply(s->parts.engine, &r->payment, s->last_seq + 1, &slot, &why);
    if (why.fatal) { /* a restart rebuilds the state */
        *err = why;
        return st;
    }
    if (st != R1_OK) return fraud_record_refuse(r, FRAUD_STAGE_VALIDATE, &why), R1_OK;
    bool fresh;
    R1_TRY(fraud_txset_add(s->parts.seen, r->payment.tx_id, &fresh, err));
    r->kind = FRAUD_RECORD_PAYMENT;
    r->apply_seq = ++s->last_seq;
    b->slot[b->n_slot] = slot;
    b->scored[b->n_slot++] = r;
    return R1_OK;
}

static void take_label(server *s, fraud_record *r)
{
    r1_err why = {0};
    if (fraud_label_decode(r->message.payload, r->message.payload_len, &r->label, &why) != R1_OK) {
        fraud_record_refuse(r, FRAUD_STAGE_DECODE, &why);
        return;
    }
    r1_status st =
        fraud_engine_label(s->parts.engine, r->label.tx_id, r->label.is_fraud, r->label.ts, &why);
    if (st != R1_OK && st != R1_E_NOT_FOUND) {
        fraud_record_refuse(r, FRAUD_STAGE_VALIDATE, &why);
        return;
    }
    r->kind = FRAUD_RECORD_LABEL; /* one of a payment that the state has forgotten, too */
    r->apply_seq = ++s->last_seq;
}

/* R1_E_TIMEOUT when there is nothing to read or no record is free. */
static r1_status serve_take_one(server *s, batch *b, int topic, int timeout_ms, r1_err *err)
{
    R1_ASSERT(b->n < BATCH_MAX && b->n_slot <= b->n, "%zu records, %zu slots", b->n, b->n_slot);
    fraud_record *r = fraud_queue_take_free(s->parts.queue);
    if (!r) return R1_E_TIMEOUT;
    r1_status st = r1_consumer_poll(s->consumer[topic], timeout_ms, &r->message, err);
    if (st != R1_OK) {
        fraud_queue_put_back(s->parts.queue, r);
        return st;
    }
    r->topic = (fraud_topic)topic;
    b->record[b->n++] = r;
    s->consumed++;
    s->last_message_us = r1_mono_us();
    if (topic == FRAUD_TOPIC_LABELS) return take_label(s, r), R1_OK;
    return take_payment(s, b, r, err);
}

static bool too_late(const server *s, const fraud_record *r, int64_t now_us)
{
    int64_t limit_ms = r1_options_int(s->o, "model-deadline");
    return limit_ms && r->message.sent_us && now_us - r->message.sent_us > limit_ms * 1000;
}

/* Late payments go by the rules, the others by the model. */
static r1_status score_slots(server *s, batch *b, r1_err *err)
{
    fraud_slot *slot[BATCH_MAX];
    fraud_record *record[BATCH_MAX];
    int64_t now = r1_time_us();
    size_t n = 0;
    for (size_t i = 0; i < b->n_slot; i++) {
        if (!too_late(s, b->scored[i], now)) {
            slot[n] = b->slot[i];
            record[n++] = b->scored[i];
            continue;
        }
        fraud_engine_score_by_rules(b->slot[i], &b->result[0]);
        R1_TRY(serve_decide(s, b->scored[i], &b->result[0], err));
    }
    if (n) R1_TRY(fraud_engine_score(s->parts.engine, slot, n, b->result, err));
    for (size_t i = 0; i < n; i++) R1_TRY(serve_decide(s, record[i], &b->result[i], err));
    return R1_OK;
}

static r1_status serve_score(server *s, batch *b, r1_err *err)
{
    R1_TRY(score_slots(s, b, err));
    for (size_t i = 0; i < b->n_slot; i++) fraud_slot_release(s->parts.engine, b->slot[i]);
    if (b->n) fraud_queue_push(s->parts.queue, b->record, b->n);
    b->n = b->n_slot = 0;
    return R1_OK;
}

/* An error of the stream that librdkafka mends by itself is logged; any other ends the service. */
static r1_status serve_tolerate(r1_status st, r1_err *err)
{
    if (st == R1_E_TIMEOUT) return R1_OK;
    if (st != R1_E_STREAM || !err->retriable) return st;
    r1_log(R1_LOG_WARN, "broker_away", "error=\"%s\"", err->msg);
    return R1_OK;
}

static r1_status serve_step(server *s, batch *b, r1_err *err)
{
    r1_status st = R1_OK;
    if (s->consumer[FRAUD_TOPIC_LABELS])
        while (b->n < BATCH_MAX / 2 && st == R1_OK)
            st = serve_take_one(s, b, FRAUD_TOPIC_LABELS, 0, err);
    R1_TRY(serve_tolerate(st, err));
    st = serve_take_one(s, b, FRAUD_TOPIC_PAYMENTS, b->n ? 0 : 5, err);
    while (st == R1_OK && b->n < BATCH_MAX) st = serve_take_one(s, b, FRAUD_TOPIC_PAYMENTS, 0, err);
    R1_TRY(serve_tolerate(st, err));
    if (!b->n && fraud_queue_in_flight(s->parts.queue) == FRAUD_QUEUE_RECORDS)
        usleep(1000); /* the writer is behind: reading stops */
    return serve_score(s, b, err);
}

static void serve_hints(server *s, const fraud_ledger *l)
{
    for (int t = 0; t < FRAUD_N_TOPIC; t++)
        for (int32_t p = 0; s->consumer[t] && p < l->n_partition[t]; p++)
            if (l->claim[t][p].next_offset)
                r1_consumer_hint(s->consumer[t], p, l->claim[t][p].next_offset);
}

static bool serve_idle(const server *s)
{
    int64_t limit = r1_options_int(s->o, "until-idle");
    return limit && fraud_queue_in_flight(s->parts.queue) == 0 &&
           r1_mono_us() - s->last_message_us > limit * 1000000;
}

static r1_status serve_loop(server *s, r1_err *err)
{
    batch *b = calloc(1, sizeof *b);
    if (!b) R1_FAIL(err, R1_E_NOMEM, "no memory for a batch");
    r1_status st = R1_OK;
    while (st == R1_OK && !r1_cli_stopped() && !serve_idle(s)) {
        st = serve_step(s, b, err);
        if (st == R1_OK) st = fraud_writer_status(s->writer, err);
    }
    for (size_t i = 0; i < b->n; i++)
        fraud_queue_put_back(s->parts.queue, b->record[i]); /* not decided: read again next time */
    free(b);
    return st;
}

/* ---- the end ---- */

typedef struct {
    const server *s;
    const fraud_writer_stats *w;
} metric_source;

/* One row per metric of the file that --stats names: its name and how it is read. A count is a
 * whole number, a number has a unit in its name, a latency is told by its quantiles. */
typedef struct {
    const char *name;
    uint64_t (*count)(const metric_source *m);
    double (*number)(const metric_source *m);
    const r1_histogram *(*latency)(const metric_source *m);
} serve_metric;

#define METRIC_COUNT(name, from)                                                                   \
    static uint64_t metric_##name(const metric_source *m) { return m->from; }
METRIC_COUNT(consumed, s->consumed)
METRIC_COUNT(payments, w->payments)
METRIC_COUNT(duplicates, w->duplicates)
METRIC_COUNT(dead_letters, w->dead)
METRIC_COUNT(labels, w->labels)
METRIC_COUNT(commits, w->commits)
METRIC_COUNT(allow, w->actions[FRAUD_ALLOW])
METRIC_COUNT(review, w->actions[FRAUD_REVIEW])
METRIC_COUNT(block, w->actions[FRAUD_BLOCK])
METRIC_COUNT(rebuilt_payments, s->rebuilt.payments)
METRIC_COUNT(reconnects, w->reconnects)

static double metric_rebuilt_s(const metric_source *m) { return m->s->rebuilt.seconds; }

#define METRIC_LATENCY(name, from)                                                                 \
    static const r1_histogram *metric_##name(const metric_source *m) { return &m->w->from; }
METRIC_LATENCY(sent_to_committed, sent_latency)
METRIC_LATENCY(sent_to_decided, decide_latency)
METRIC_LATENCY(broker_to_committed, broker_latency)
METRIC_LATENCY(transaction, commit_time)

static const serve_metric metrics[] = {
    {.name = "consumed", .count = metric_consumed},
    {.name = "payments", .count = metric_payments},
    {.name = "duplicates", .count = metric_duplicates},
    {.name = "dead_letters", .count = metric_dead_letters},
    {.name = "labels", .count = metric_labels},
    {.name = "commits", .count = metric_commits},
    {.name = "allow", .count = metric_allow},
    {.name = "review", .count = metric_review},
    {.name = "block", .count = metric_block},
    {.name = "rebuilt_payments", .count = metric_rebuilt_payments},
    {.name = "reconnects", .count = metric_reconnects},
    {.name = "rebuilt_s", .number = metric_rebuilt_s},
    {.name = "sent_to_committed", .latency = metric_sent_to_committed},
    {.name = "sent_to_decided", .latency = metric_sent_to_decided},
    {.name = "broker_to_committed", .latency = metric_broker_to_committed},
    {.name = "transaction", .latency = metric_transaction},
};

static json_t *metric_quantiles(const r1_histogram *h)
{
    return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f}", "n", (json_int_t)h->n, "p50_ms",
                     (double)r1_histogram_quantile(h, .5) / 1e3, "p99_ms",
                     (double)r1_histogram_quantile(h, .99) / 1e3, "p999_ms",
                     (double)r1_histogram_quantile(h, .999) / 1e3, "max_ms",
                     (double)(h->n ? h->max : 0) / 1e3, "mean_ms", r1_histogram_mean(h) / 1e3);
}

static json_t *metric_value(const serve_metric *row, const metric_source *m)
{
    if (row->count) return json_integer((json_int_t)row->count(m));
    if (row->number) return json_real(row->number(m));
    return metric_quantiles(row->latency(m));
}

static r1_status write_stats(const server *s, const fraud_writer_stats *w, const char *path,
                             r1_err *err)
{
    const metric_source m = {s, w};
    json_t *o = json_object();
    char digest[20];
    for (size_t i = 0; i < R1_COUNT(metrics); i++)
        json_object_set_new(o, metrics[i].name, metric_value(&metrics[i], &m));
    snprintf(digest, sizeof digest, "%016llx",
             (unsigned long long)fraud_engine_digest(s->parts.engine));
    json_object_set_new(o, "state_digest", json_string(digest));
    char *text = json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(o);
    if (!text) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for the statistics", path);
    r1_status st = r1_file_write(path, text, strlen(text), err);
    free(text);
    return st;
}

/* The statistics must hold what the last transactions did: waits for the queue to be written. */
static void serve_drain(server *s)
{
    int64_t until = r1_mono_us() + (int64_t)STOP_TIMEOUT_MS * 1000;
    fraud_queue_close(s->parts.queue);
    while (fraud_queue_in_flight(s->parts.queue) && r1_mono_us() < until &&
           fraud_writer_status(s->writer, NULL) == R1_OK)
        usleep(2000);
}

static r1_status serve_report(const server *s, const fraud_writer_stats *w, r1_err *err)
{
    const char *path = r1_options_str(s->o, "stats");
    fprintf(stderr,
            "r1-fraud serve: %llu payments in %llu transactions, p99 %.1f ms from sending to "
            "committed\n",
            (unsigned long long)w->payments, (unsigned long long)w->commits,
            (double)r1_histogram_quantile(&w->sent_latency, .99) / 1e3);
    return path ? write_stats(s, w, path, err) : R1_OK;
}

static r1_status serve_finish(server *s, r1_err *err)
{
    r1_status st = R1_OK;
    if (s->writer) {
        serve_drain(s);
        fraud_writer_stats *w = calloc(1, sizeof *w);
        if (w) fraud_writer_stats_read(s->writer, w);
        st = fraud_writer_stop(s->writer, 1000, err);
        if (w && st == R1_OK) {
            serve_hints(s, &s->ledger);
            st = serve_report(s, w, err);
        }
        free(w);
    }
    if (s->producer) r1_producer_flush(s->producer, 2000, NULL);
    return st;
}

static void serve_release(server *s)
{
    fraud_queue_free(s->parts.queue); /* lends Kafka messages: before the consumers */
    s->parts.queue = NULL;
    for (int t = 0; t < FRAUD_N_TOPIC; t++) r1_consumer_free(s->consumer[t]);
    r1_producer_free(s->producer);
    r1_store_close(s->store);
    fraud_parts_release(&s->parts);
    free(s);
}

static int serve_run(server *s, r1_err *err)
{
    r1_status st = serve_start(s, err);
    if (st == R1_OK) st = serve_loop(s, err);
    r1_err late = {0};
    r1_status end = serve_finish(s, &late);
    if (st == R1_OK && end != R1_OK) *err = late;
    if (st == R1_E_CANCELLED) return R1_EXIT_OK;
    return r1_cli_exit(st != R1_OK ? st : end);
}

int fraud_command_serve(r1_cli_call *call)
{
    server *s = calloc(1, sizeof *s);
    if (!s) return R1_EXIT_FAILED;
    s->o = call->opts;
    r1_status st = fraud_parts_build(&s->parts, call->opts, &call->err);
    int code = st == R1_OK ? serve_run(s, &call->err) : fraud_parts_exit(st);
    serve_release(s);
    return code;
}
