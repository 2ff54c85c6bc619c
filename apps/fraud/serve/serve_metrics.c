/* SPDX-License-Identifier: GPL-3.0-or-later */
/* serve_metrics.c - what the service counts, one row per metric, and the file of --stats. */
#include "serve/server.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
METRIC_COUNT(apart, s->apart)
METRIC_COUNT(time_suspect, s->time_suspect)
METRIC_COUNT(labels_odd_time, s->labels_odd_time)
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

/* What waits and what was merged is asked of its owner. */
#define METRIC_ASKED(name, value)                                                                  \
    static uint64_t metric_##name(const metric_source *m) { return value; }
METRIC_ASKED(labels_waiting, fraud_waiting_count(fraud_engine_waiting(m->s->parts.engine)))
METRIC_ASKED(labels_forgotten, fraud_waiting_evicted(fraud_engine_waiting(m->s->parts.engine)))
METRIC_ASKED(late_merges, r1_consumer_merged(m->s->consumer).late)
METRIC_ASKED(merge_given_up, r1_consumer_merged(m->s->consumer).behind)
METRIC_ASKED(merge_leaps, r1_consumer_merged(m->s->consumer).leaps)
METRIC_ASKED(sent_us_ignored, r1_consumer_absurd(m->s->consumer))

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
    {.name = "decided_apart", .count = metric_apart},
    {.name = "time_suspect", .count = metric_time_suspect},
    {.name = "labels_odd_time", .count = metric_labels_odd_time},
    {.name = "labels_waiting", .count = metric_labels_waiting},
    {.name = "labels_forgotten", .count = metric_labels_forgotten},
    {.name = "late_merges", .count = metric_late_merges},
    {.name = "merge_given_up", .count = metric_merge_given_up},
    {.name = "merge_leaps", .count = metric_merge_leaps},
    {.name = "sent_us_ignored", .count = metric_sent_us_ignored},
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

r1_status fraud_serve_stats(const server *s, const fraud_writer_stats *w, const char *path,
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
