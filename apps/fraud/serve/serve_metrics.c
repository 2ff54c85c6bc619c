/* SPDX-License-Identifier: GPL-3.0-or-later */
/* serve_metrics.c - what the service counts, one row per metric; the file of --stats and the page
 * /metrics are printed from the rows.
 *
 * A row that is one number is read by the reading thread once a second, so it may look at anything
 * of the service. All other rows are printed from the copy that was taken then (shown.h). */
#include "files/memory_limit.h"
#include "metrics/prometheus.h"
#include "r1_assert.h"
#include "serve/price.h"
#include "serve/share.h"
#include "serve/shown.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct {
    const server *s;             /* NULL outside of the reading thread */
    const fraud_writer_stats *w; /* all zero before the writer starts */
    const fraud_shown *v;        /* NULL where the file of --stats is written */
} metric_source;

/* One row per metric. A count is a whole number, a number has a unit in its name, a latency is told
 * by quantiles and by buckets, a series prints samples of its own. Rows of one family stand
 * together. */
typedef struct {
    const char *name;   /* in the file of --stats; NULL: not there */
    const char *family; /* in /metrics */
    const char *type;   /* counter, gauge, histogram */
    const char *labels; /* of the one sample or histogram; NULL: none */
    const char *help;
    uint64_t (*count)(const metric_source *m);
    double (*number)(const metric_source *m);
    const r1_histogram *(*latency)(const metric_source *m);
    void (*series)(const metric_source *m, r1_prom *p);
} serve_metric;

/* ---- one number ---- */

#define METRIC_COUNT(name, from)                                                                   \
    static uint64_t metric_##name(const metric_source *m) { return m->from; }
METRIC_COUNT(consumed, s->consumed)
METRIC_COUNT(apart, s->apart)
METRIC_COUNT(time_suspect, s->time_suspect)
METRIC_COUNT(labels_odd_time, s->labels_odd_time)
METRIC_COUNT(not_finite, s->not_finite)
METRIC_COUNT(payments, w->payments)
METRIC_COUNT(duplicates, w->duplicates)
METRIC_COUNT(dead_letters, w->dead)
METRIC_COUNT(labels, w->labels)
METRIC_COUNT(left_out, w->left_out)
METRIC_COUNT(commits, w->commits)
METRIC_COUNT(allow, w->actions[FRAUD_ALLOW])
METRIC_COUNT(review, w->actions[FRAUD_REVIEW])
METRIC_COUNT(block, w->actions[FRAUD_BLOCK])
METRIC_COUNT(rebuilt_payments, s->rebuilt.payments)
METRIC_COUNT(reconnects, w->reconnects)
METRIC_COUNT(waits, w->waits)
METRIC_COUNT(refused_rows, w->refused)
METRIC_COUNT(fenced, w->fenced)

/* What waits and what was merged is asked of its owner. */
#define METRIC_ASKED(name, value)                                                                  \
    static uint64_t metric_##name(const metric_source *m) { return value; }
#define METRIC_MERGED(name, value) METRIC_ASKED(name, m->s->consumer ? (value) : 0)
METRIC_ASKED(labels_waiting, fraud_waiting_count(fraud_engine_waiting(m->s->parts.engine)))
METRIC_ASKED(labels_forgotten, fraud_waiting_evicted(fraud_engine_waiting(m->s->parts.engine)))
METRIC_ASKED(unsure, fraud_engine_unsure(m->s->parts.engine))
METRIC_MERGED(sent_us_ignored, r1_consumer_absurd(m->s->consumer))

#define METRIC_NUMBER(name, from)                                                                  \
    static double metric_##name(const metric_source *m) { return (double)(from); }
METRIC_NUMBER(rebuilt_s, m->s->rebuilt.seconds)
METRIC_COUNT(rebuilt_labels, s->rebuilt.labels)

static fraud_snapshots_stats snapshot_of(const metric_source *m)
{
    const fraud_snapshots *snapshots = m->s->snapshots;
    return snapshots ? *fraud_snapshots_read(snapshots) : (fraud_snapshots_stats){0};
}
METRIC_NUMBER(snapshots, snapshot_of(m).written)
METRIC_NUMBER(snapshot_failures, snapshot_of(m).failed)
METRIC_NUMBER(snapshots_refused, snapshot_of(m).refused)
METRIC_NUMBER(snapshot_bytes, snapshot_of(m).bytes)
METRIC_NUMBER(snapshot_s, snapshot_of(m).seconds)
METRIC_NUMBER(snapshot_fork_s, (double)snapshot_of(m).fork_us_max * 1e-6)
METRIC_NUMBER(snapshot_apply_seq, snapshot_of(m).apply_seq)
METRIC_NUMBER(snapshot_loaded, m->s->rebuilt.after_seq)

static double metric_snapshot_age_s(const metric_source *m)
{
    fraud_snapshots_stats s = snapshot_of(m);
    bool there = s.written || *s.loaded;
    return there ? (double)(r1_time_us() - s.newest_at_us) * 1e-6 : NAN;
}

METRIC_NUMBER(in_flight, fraud_queue_in_flight(m->s->parts.queue))
METRIC_NUMBER(outbox_behind, m->w->keeper.behind)
METRIC_NUMBER(outbox_renewed, m->w->keeper.renewed)
METRIC_NUMBER(missing_weeks, m->w->keeper.missing_weeks)
METRIC_NUMBER(rest_rows, m->w->keeper.rows_in_rest)
METRIC_NUMBER(last_seq, m->s->last_seq)
METRIC_NUMBER(seen_ids, fraud_txset_count(m->s->parts.seen))
METRIC_NUMBER(seen_ids_max, 2 * r1_options_int(m->s->o, "seen-ids"))
METRIC_NUMBER(labels_waiting_max, r1_options_int(m->s->o, "labels-waiting"))

/* ---- several processes over one stream; alone all are 0 but what is owned ---- */

static fraud_share_stats metric_share(const metric_source *m)
{
    fraud_share_stats s;
    fraud_share_stats_read(m->s, &s);
    return s;
}

#define METRIC_SHARE(name, field)                                                                  \
    static double metric_share_##name(const metric_source *m)                                      \
    {                                                                                              \
        return (double)metric_share(m).field;                                                      \
    }
METRIC_SHARE(sequences, fleet.sequences)
METRIC_SHARE(members, fleet.members)
METRIC_SHARE(differ, fleet.differ)
METRIC_SHARE(missing, missing)
METRIC_SHARE(epoch, fleet.epoch)
METRIC_SHARE(lag, fleet.lag)
METRIC_SHARE(voids, fleet.voids)
METRIC_SHARE(appended, fleet.appended)
METRIC_SHARE(cut, fleet.cut)
METRIC_SHARE(renewed, fleet.renewed)
METRIC_SHARE(held, held)
METRIC_SHARE(held_bytes, held_bytes)
METRIC_SHARE(held_dropped, held_dropped)
METRIC_SHARE(takeovers, takeovers)
METRIC_SHARE(taken_records, taken_records)

/* Of several processes the sequencer merges. */
static r1_merge_stats metric_merged(const metric_source *m)
{
    if (m->s->share) return metric_share(m).fleet.merged;
    return m->s->consumer ? r1_consumer_merged(m->s->consumer) : (r1_merge_stats){0};
}

METRIC_ASKED(late_merges, metric_merged(m).late)
METRIC_ASKED(merge_given_up, metric_merged(m).behind)
METRIC_ASKED(merge_leaps, metric_merged(m).leaps)

static double metric_share_owned(const metric_source *m)
{
    fraud_share_stats s = metric_share(m);
    int n = 0;
    for (int t = 0; t < FRAUD_EVENT_TOPICS; t++)
        n += m->s->share ? s.owned[t] : m->s->ledger.n_partition[t];
    return n;
}

static double metric_queue_room(const metric_source *m)
{
    (void)m;
    return FRAUD_QUEUE_RECORDS;
}

/* ---- how full the state is ---- */

static fraud_capacity metric_capacity(const metric_source *m)
{
    fraud_capacity c;
    fraud_engine_capacity(m->s->parts.engine, &c);
    return c;
}

#define METRIC_CAPACITY(name, field)                                                               \
    static double metric_state_##name(const metric_source *m)                                      \
    {                                                                                              \
        return (double)metric_capacity(m).field;                                                   \
    }
METRIC_CAPACITY(accounts, accounts)
METRIC_CAPACITY(pairs, pairs)
METRIC_CAPACITY(edges, edges)
METRIC_CAPACITY(rings, rings)
METRIC_CAPACITY(accounts_max, accounts_max)
METRIC_CAPACITY(pairs_max, pairs_max)
METRIC_CAPACITY(edges_max, edges_max)
METRIC_CAPACITY(rings_max, rings_max)
METRIC_CAPACITY(accounts_evicted, accounts_evicted)
METRIC_CAPACITY(pairs_evicted, pairs_evicted)
METRIC_CAPACITY(cut_edges, cut_edges)
METRIC_CAPACITY(cut_names, cut_names)
METRIC_CAPACITY(cut_accounts, cut_accounts)
METRIC_CAPACITY(cut_pairs, cut_pairs)
METRIC_CAPACITY(id_bytes, name_bytes)
METRIC_CAPACITY(id_bytes_max, name_bytes_max)
METRIC_CAPACITY(state_bytes, state_bytes)
METRIC_CAPACITY(memory_bytes, memory_bytes)

/* Where nothing was cut, the longest window is exact. */
static double metric_state_exact_s(const metric_source *m)
{
    int64_t ms = metric_capacity(m).exact_ms;
    return (double)(ms < 0 ? 28 * FRAUD_DAY_MS : ms) / 1000;
}

/* ---- latencies ---- */

#define METRIC_LATENCY(name, from)                                                                 \
    static const r1_histogram *metric_##name(const metric_source *m) { return &m->w->from; }
METRIC_LATENCY(sent_to_committed, sent_latency)
METRIC_LATENCY(sent_to_decided, decide_latency)
METRIC_LATENCY(broker_to_committed, broker_latency)
METRIC_LATENCY(transaction, commit_time)
METRIC_LATENCY(arrival, tally.arrival)
METRIC_LATENCY(stage_decode, tally.stage[FRAUD_CLOCK_READ])
METRIC_LATENCY(stage_apply, tally.stage[FRAUD_CLOCK_DECODED])
METRIC_LATENCY(stage_score, tally.stage[FRAUD_CLOCK_APPLIED])
METRIC_LATENCY(stage_decide, tally.stage[FRAUD_CLOCK_SCORED])
METRIC_LATENCY(stage_queue, tally.stage[FRAUD_CLOCK_DECIDED])
METRIC_LATENCY(stage_commit, tally.stage[FRAUD_CLOCK_QUEUED])

static const int64_t edges_us[] = {10,     25,      50,      100,     250,      500,     1000,
                                   2500,   5000,    10000,   25000,   50000,    100000,  250000,
                                   500000, 1000000, 2500000, 5000000, 10000000, 60000000};

/* ---- series ---- */

static void counts_samples(r1_prom *p, const char *before, const char *label, const fraud_counts *c)
{
    char labels[R1_PROM_LABELS_BYTES];
    for (size_t i = 0; i <= c->n_row; i++) {
        bool rest = i == c->n_row;
        if (rest && !c->other) break;
        snprintf(labels, sizeof labels, "%s", before);
        if (r1_prom_label(labels, label, rest ? "other" : c->row[i].name))
            r1_prom_sample(p, "", labels, (double)(rest ? c->other : c->row[i].n));
    }
}

static void series_rules(const metric_source *m, r1_prom *p)
{
    counts_samples(p, "", "rule", &m->w->tally.rules);
}

/* Rules that matched and did not decide: shadows, and those above their cap. */
static void series_shadows(const metric_source *m, r1_prom *p)
{
    fraud_pace_count c;
    for (size_t i = 0; m->v->pace && fraud_pace_rule(m->v->pace, i, &c); i++) {
        char rule[R1_PROM_LABELS_BYTES] = "", capped[R1_PROM_LABELS_BYTES] = "";
        r1_prom_label(rule, "rule", c.name);
        memcpy(capped, rule, sizeof capped);
        r1_prom_label(rule, "why", "shadow");
        r1_prom_label(capped, "why", "cap");
        if (c.shadow) r1_prom_sample(p, "", rule, (double)c.shadow);
        if (c.capped) r1_prom_sample(p, "", capped, (double)c.capped);
    }
}

static void series_reloads(const metric_source *m, r1_prom *p)
{
    r1_prom_sample(p, "", "outcome=\"taken\"", (double)m->v->reloads[0]);
    r1_prom_sample(p, "", "outcome=\"refused\"", (double)m->v->reloads[1]);
}

static void series_restart(const metric_source *m, r1_prom *p)
{
    char labels[R1_PROM_LABELS_BYTES] = "";
    r1_prom_label(labels, "settings", m->v->waits);
    r1_prom_sample(p, "", labels, *m->v->waits ? 1 : 0);
}

/* A name is "rule reason". */
static void series_apart(const metric_source *m, r1_prom *p)
{
    const fraud_counts *c = &m->w->tally.apart;
    for (size_t i = 0; i <= c->n_row; i++) {
        char labels[R1_PROM_LABELS_BYTES] = "", rule[FRAUD_COUNT_NAME_BYTES] = "other";
        bool rest = i == c->n_row;
        if (rest && !c->other) break;
        if (!rest) snprintf(rule, sizeof rule, "%s", c->row[i].name);
        char *reason = strchr(rule, ' ');
        if (reason) *reason++ = 0;
        r1_prom_label(labels, "rule", rule);
        r1_prom_label(labels, "reason", reason ? reason : "other");
        r1_prom_sample(p, "", labels, (double)(rest ? c->other : c->row[i].n));
    }
}

static void series_dead(const metric_source *m, r1_prom *p)
{
    for (int stage = 0; stage < FRAUD_N_STAGE; stage++) {
        char labels[R1_PROM_LABELS_BYTES] = "";
        r1_prom_label(labels, "stage", fraud_stage_name((fraud_stage)stage));
        counts_samples(p, labels, "reason", &m->w->tally.dead[stage]);
    }
}

static void series_left_out(const metric_source *m, r1_prom *p)
{
    counts_samples(p, "", "field", &m->w->tally.left_out);
}

static void series_rows(const metric_source *m, r1_prom *p)
{
    static const int64_t edges[] = {1, 2, 5, 10, 20, 50, 100, 200, 500};
    r1_prom_histogram(p, NULL, &m->w->tally.rows, edges, R1_COUNT(edges), 1);
}

static void series_score(const metric_source *m, r1_prom *p)
{
    uint64_t n = 0;
    for (int i = 0; i < FRAUD_N_SCORE_EDGE; i++) {
        char labels[32];
        snprintf(labels, sizeof labels, "le=\"%.9g\"", FRAUD_SCORE_EDGE[i]);
        r1_prom_sample(p, "_bucket", labels, (double)(n += m->w->tally.score[i]));
    }
    r1_prom_sample(p, "_bucket", "le=\"+Inf\"", (double)n);
    r1_prom_sample(p, "_sum", NULL, m->w->tally.score_sum);
    r1_prom_sample(p, "_count", NULL, (double)n);
}

/* Nothing is said before the first window is full. */
static void series_drift(const metric_source *m, r1_prom *p)
{
    const fraud_drift *d = &m->w->tally.drift;
    for (int c = 0; d->windows && c < FRAUD_N_DRIFT; c++) {
        char labels[64];
        snprintf(labels, sizeof labels, "column=\"%s\"", fraud_drift_name((fraud_drift_column)c));
        r1_prom_sample(p, "", labels, d->psi[c]);
    }
}

/* Each partition with what is known of it; fn false: no sample. */
static void partition_samples(const metric_source *m, r1_prom *p,
                              bool (*fn)(const fraud_shown *v, int t, int32_t i, double *out))
{
    for (int t = 0; t < FRAUD_N_TOPIC; t++)
        for (int32_t i = 0; m->v->topic[t] && i < m->v->n_partition[t]; i++) {
            char labels[R1_PROM_LABELS_BYTES] = "", number[16];
            double x;
            snprintf(number, sizeof number, "%d", i);
            r1_prom_label(labels, "topic", m->v->topic[t]);
            r1_prom_label(labels, "partition", number);
            if (fn(m->v, t, i, &x)) r1_prom_sample(p, "", labels, x);
        }
}

static bool lag_messages(const fraud_shown *v, int t, int32_t i, double *out)
{
    int64_t lag = v->high[t][i] - v->w.tally.next[t][i];
    *out = lag > 0 ? (double)lag : 0;
    return v->high[t][i] >= 0;
}

/* The age of the last committed record, while others wait behind it. */
static bool lag_seconds(const fraud_shown *v, int t, int32_t i, double *out)
{
    double messages;
    int64_t then = v->w.tally.broker_ms[t][i], now = r1_time_us() / 1000;
    if (!lag_messages(v, t, i, &messages)) return false;
    *out = messages > 0 && now > then ? (double)(now - then) / 1e3 : 0;
    return messages == 0 || then > 0;
}

static bool committed_offset(const fraud_shown *v, int t, int32_t i, double *out)
{
    *out = (double)v->w.tally.next[t][i];
    return true;
}

static void series_lag(const metric_source *m, r1_prom *p)
{
    partition_samples(m, p, lag_messages);
}
static void series_lag_seconds(const metric_source *m, r1_prom *p)
{
    partition_samples(m, p, lag_seconds);
}
static void series_offset(const metric_source *m, r1_prom *p)
{
    partition_samples(m, p, committed_offset);
}

static void series_phase(const metric_source *m, r1_prom *p)
{
    for (int i = 0; i < FRAUD_N_PHASE; i++) {
        char labels[48];
        snprintf(labels, sizeof labels, "phase=\"%s\"", fraud_phase_name((fraud_phase)i));
        r1_prom_sample(p, "", labels, (int)m->v->phase == i);
    }
}

static void series_ready(const metric_source *m, r1_prom *p)
{
    r1_prom_sample(p, "", NULL, m->v->ready);
}

/* Names and values in turn, ended by NULL. */
static void info_sample(r1_prom *p, const char *const *pairs)
{
    char labels[R1_PROM_LABELS_BYTES] = "";
    for (; pairs[0]; pairs += 2) r1_prom_label(labels, pairs[0], pairs[1]);
    r1_prom_sample(p, "", labels, 1);
}

static void series_model(const metric_source *m, r1_prom *p)
{
    info_sample(p, (const char *const[]){"version", m->v->model, "name", m->v->model_name, "schema",
                                         m->v->schema, NULL});
}

static void series_config(const metric_source *m, r1_prom *p)
{
    info_sample(p, (const char *const[]){"version", m->v->config, NULL});
}

/* Nothing before a payment or a setting has told the currency. */
static void series_currency(const metric_source *m, r1_prom *p)
{
    if (*m->v->currency)
        info_sample(p, (const char *const[]){"currency", m->v->currency, "source",
                                             m->v->currency_from, NULL});
}

static void series_owner(const metric_source *m, r1_prom *p)
{
    info_sample(p, (const char *const[]){"owner", m->v->owner, "cluster_id", m->v->cluster, NULL});
}

static void series_http(const metric_source *m, r1_prom *p)
{
    for (size_t r = 0; m->v->http && r <= m->v->n_route; r++)
        for (int class_of = 2; class_of <= 5; class_of++) {
            char labels[R1_PROM_LABELS_BYTES] = "", code[4] = {(char)('0' + class_of), 'x', 'x', 0};
            r1_prom_label(labels, "path", r < m->v->n_route ? m->v->route[r].path : "other");
            r1_prom_label(labels, "code", code);
            uint64_t n = r1_http_answered(m->v->http, r, class_of);
            if (n) r1_prom_sample(p, "", labels, (double)n);
        }
}

static void series_http_refused(const metric_source *m, r1_prom *p)
{
    for (size_t r = 0; m->v->http && r < m->v->n_route; r++) {
        char labels[R1_PROM_LABELS_BYTES] = "";
        r1_prom_label(labels, "path", m->v->route[r].path);
        r1_prom_sample(p, "", labels, (double)r1_http_refused(m->v->http, r));
    }
}

static void series_http_timed_out(const metric_source *m, r1_prom *p)
{
    static const char *const names[R1_HTTP_N_LATE] = {[R1_HTTP_FOR_REQUEST] = "request",
                                                      [R1_HTTP_FOR_TAKING] = "taking_the_answer",
                                                      [R1_HTTP_RESTED] = "next_request"};
    for (int i = 0; m->v->http && i < R1_HTTP_N_LATE; i++) {
        char labels[R1_PROM_LABELS_BYTES] = "";
        r1_prom_label(labels, "waited_for", names[i]);
        r1_prom_sample(p, "", labels, (double)r1_http_timed_out(m->v->http, (r1_http_late)i));
    }
}

static uint64_t count_made_room(const metric_source *m)
{
    return m->v && m->v->http ? r1_http_made_room(m->v->http) : 0;
}

/* ---- the outboxes ---- */

static const char *const outbox_names[FRAUD_N_OUTBOX] = {
    [FRAUD_OUTBOX_DECISIONS] = "decisions", [FRAUD_OUTBOX_DEAD] = "dead_letters"};

static void series_outbox(const metric_source *m, r1_prom *p)
{
    for (int i = 0; i < FRAUD_N_OUTBOX; i++) {
        const fraud_outbox_stats *o = &m->w->keeper.outbox[i];
        const struct {
            const char *outcome;
            uint64_t n;
        } rows[] = {{"acked", o->acked}, {"refused", o->refused}, {"failed", o->failed}};
        for (size_t k = 0; k < R1_COUNT(rows); k++) {
            char labels[96];
            snprintf(labels, sizeof labels, "outbox=\"%s\",outcome=\"%s\"", outbox_names[i],
                     rows[k].outcome);
            r1_prom_sample(p, "", labels, (double)rows[k].n);
        }
    }
}

static void series_outbox_age(const metric_source *m, r1_prom *p)
{
    for (int i = 0; i < FRAUD_N_OUTBOX; i++) {
        char labels[48];
        int64_t oldest = m->w->keeper.outbox[i].oldest_us, now = r1_time_us();
        snprintf(labels, sizeof labels, "outbox=\"%s\"", outbox_names[i]);
        r1_prom_sample(p, "", labels, oldest && now > oldest ? (double)(now - oldest) / 1e6 : 0);
    }
}

static void series_outside(const metric_source *m, r1_prom *p)
{
    for (size_t i = 0; i < FRAUD_SHOWN_OUTSIDE && m->v->outside[i].n; i++) {
        char labels[R1_PROM_LABELS_BYTES] = "";
        r1_prom_label(labels, "column", m->v->outside[i].name);
        r1_prom_sample(p, "", labels, (double)m->v->outside[i].n);
    }
}

/* The furthest columns, above FRAUD_MOVED_FAR. */
static void series_moved(const metric_source *m, r1_prom *p)
{
    for (size_t i = 0; i < m->v->n_moved && m->v->moved[i].psi > FRAUD_MOVED_FAR; i++) {
        char labels[R1_PROM_LABELS_BYTES] = "";
        r1_prom_label(labels, "column", m->v->moved[i].name);
        r1_prom_sample(p, "", labels, m->v->moved[i].psi);
    }
}

static void series_price(const metric_source *m, r1_prom *p)
{
    for (size_t i = 0; i < m->v->n_price; i++) {
        char labels[R1_PROM_LABELS_BYTES] = "";
        r1_prom_label(labels, "part", m->v->price_part[i]);
        r1_prom_sample(p, "", labels, m->v->price[i]);
    }
}

static void series_memory_limit(const metric_source *m, r1_prom *p)
{
    if (m->v->memory_limit) r1_prom_sample(p, "", NULL, (double)m->v->memory_limit);
}

/* ---- the process ---- */

static void series_memory(const metric_source *m, r1_prom *p)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    (void)m;
    if (f && fscanf(f, "%ld %ld", &pages, &resident) == 2)
        r1_prom_sample(p, "", NULL, (double)resident * (double)sysconf(_SC_PAGESIZE));
    if (f) fclose(f);
}

static void series_open_files(const metric_source *m, r1_prom *p)
{
    int n = -3; /* ".", ".." and the folder that is being read */
    DIR *d = opendir("/proc/self/fd");
    (void)m;
    if (!d) return;
    while (readdir(d)) n++;
    closedir(d);
    r1_prom_sample(p, "", NULL, n);
}

static void series_open_files_max(const metric_source *m, r1_prom *p)
{
    struct rlimit limit;
    (void)m;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) r1_prom_sample(p, "", NULL, (double)limit.rlim_cur);
}

static double timeval_s(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static void series_cpu(const metric_source *m, r1_prom *p)
{
    struct rusage use;
    (void)m;
    if (getrusage(RUSAGE_SELF, &use) == 0)
        r1_prom_sample(p, "", NULL, timeval_s(&use.ru_utime) + timeval_s(&use.ru_stime));
}

static void series_start_time(const metric_source *m, r1_prom *p)
{
    r1_prom_sample(p, "", NULL, (double)m->v->started_us / 1e6);
}

/* ---- the table ---- */

static const serve_metric metrics[] = {
    {.name = "consumed",
     .family = "r1_fraud_messages_read_total",
     .type = "counter",
     .help = "Messages taken from the topics.",
     .count = metric_consumed},
    {.name = "payments",
     .family = "r1_fraud_payments_total",
     .type = "counter",
     .help = "Payments decided and committed.",
     .count = metric_payments},
    {.name = "decided_apart", .count = metric_apart},
    {.name = "time_suspect",
     .family = "r1_fraud_time_suspect_total",
     .type = "counter",
     .help = "Payments decided apart because their date cannot be believed.",
     .count = metric_time_suspect},
    {.name = "labels_odd_time",
     .family = "r1_fraud_labels_odd_time_total",
     .type = "counter",
     .help = "Labels applied although their date cannot be believed.",
     .count = metric_labels_odd_time},
    {.name = "labels_waiting",
     .family = "r1_fraud_labels_waiting",
     .type = "gauge",
     .help = "Labels that wait for their payment.",
     .count = metric_labels_waiting},
    {.family = "r1_fraud_labels_waiting_max",
     .type = "gauge",
     .help = "Labels that can wait.",
     .number = metric_labels_waiting_max},
    {.name = "labels_forgotten",
     .family = "r1_fraud_labels_forgotten_total",
     .type = "counter",
     .help = "Labels that waited longest when others came, and wait no longer.",
     .count = metric_labels_forgotten},
    {.name = "late_merges",
     .family = "r1_fraud_late_merges_total",
     .type = "counter",
     .help = "Messages that came after a younger one of another partition was taken.",
     .count = metric_late_merges},
    {.name = "merge_given_up",
     .family = "r1_fraud_merge_given_up_total",
     .type = "counter",
     .help = "Times that a partition with more to give was waited for in vain.",
     .count = metric_merge_given_up},
    {.name = "merge_leaps",
     .family = "r1_fraud_merge_leaps_total",
     .type = "counter",
     .help = "Messages whose date leapt ahead of their partition and was contradicted.",
     .count = metric_merge_leaps},
    {.name = "sent_us_ignored",
     .family = "r1_fraud_headers_ignored_total",
     .type = "counter",
     .help = "Headers sent_us that were no time and were left out.",
     .count = metric_sent_us_ignored},
    {.name = "scores_not_finite",
     .family = "r1_fraud_scores_not_finite_total",
     .type = "counter",
     .help = "Payments whose score was no number.",
     .count = metric_not_finite},
    {.family = "r1_fraud_columns_outside_total",
     .type = "counter",
     .help = "Scored payments with a column beyond twice the range that the model's training saw.",
     .series = series_outside},
    {.name = "scores_unsure",
     .family = "r1_fraud_scores_unsure_total",
     .type = "counter",
     .help = "Payments whose score is unsure, as such a column is of an account that pays or is "
             "paid.",
     .count = metric_unsure},
    {.family = "r1_fraud_decided_apart_total",
     .type = "counter",
     .help = "Payments decided without a score, by the rule and the field at fault.",
     .series = series_apart},
    {.name = "duplicates",
     .family = "r1_fraud_duplicates_total",
     .type = "counter",
     .help = "Payments whose id was known already.",
     .count = metric_duplicates},
    {.name = "dead_letters", .count = metric_dead_letters},
    {.family = "r1_fraud_dead_letters_total",
     .type = "counter",
     .help = "Messages that were no payment or label, or were refused, by the field at fault.",
     .series = series_dead},
    {.name = "left_out", .count = metric_left_out},
    {.family = "r1_fraud_left_out_total",
     .type = "counter",
     .help = "Messages that the mapping file leaves out, by the field that tells it.",
     .series = series_left_out},
    {.name = "labels",
     .family = "r1_fraud_labels_total",
     .type = "counter",
     .help = "Labels applied and committed.",
     .count = metric_labels},
    {.name = "commits",
     .family = "r1_fraud_transactions_total",
     .type = "counter",
     .help = "Transactions committed.",
     .count = metric_commits},
    {.name = "allow",
     .family = "r1_fraud_decisions_total",
     .type = "counter",
     .labels = "decision=\"allow\"",
     .help = "Decisions committed.",
     .count = metric_allow},
    {.name = "review",
     .family = "r1_fraud_decisions_total",
     .type = "counter",
     .labels = "decision=\"review\"",
     .count = metric_review},
    {.name = "block",
     .family = "r1_fraud_decisions_total",
     .type = "counter",
     .labels = "decision=\"block\"",
     .count = metric_block},
    {.family = "r1_fraud_rule_hits_total",
     .type = "counter",
     .help = "Decisions by the rule or list that made them.",
     .series = series_rules},
    {.family = "r1_fraud_rule_shadow_hits_total",
     .type = "counter",
     .help = "Matches of rules that did not decide: shadows, and rules above their cap.",
     .series = series_shadows},
    {.family = "r1_fraud_reloads_total",
     .type = "counter",
     .help = "Reloads of thresholds, rules, lists and rates, taken and refused.",
     .series = series_reloads},
    {.family = "r1_fraud_restart_needed",
     .type = "gauge",
     .help = "1 where settings, or files that they name, have changed and need a restart, as of "
             "the last reload.",
     .series = series_restart},
    {.family = "r1_fraud_score",
     .type = "histogram",
     .help = "Calibrated probability of fraud of each payment.",
     .series = series_score},
    {.family = "r1_fraud_training_psi",
     .type = "gauge",
     .help = "Population stability of a column against the model's training, the furthest ones "
             "above 0.25.",
     .series = series_moved},
    {.family = "r1_fraud_drift_psi",
     .type = "gauge",
     .help = "Population stability of a column: the last 10,000 payments against the first ones.",
     .series = series_drift},
    {.name = "rebuilt_payments",
     .family = "r1_fraud_rebuilt_payments",
     .type = "gauge",
     .help = "Payments that the start put back into the state.",
     .count = metric_rebuilt_payments},
    {.name = "reconnects",
     .family = "r1_fraud_postgres_reconnects_total",
     .type = "counter",
     .help = "Connections of the writer that were made anew.",
     .count = metric_reconnects},
    {.name = "postgres_waits",
     .family = "r1_fraud_postgres_retries_total",
     .type = "counter",
     .help = "Transactions that were repeated or asked about after PostgreSQL failed.",
     .count = metric_waits},
    {.family = "r1_fraud_refused_rows_total",
     .type = "counter",
     .help = "Rows that PostgreSQL refused.",
     .count = metric_refused_rows},
    {.family = "r1_fraud_fenced_records_total",
     .type = "counter",
     .help = "Records that were left to another process, which had claimed their partition.",
     .count = metric_fenced},
    {.family = "r1_fraud_outbox_messages_total",
     .type = "counter",
     .help = "Messages of the outboxes by what became of them; what failed is sent again.",
     .series = series_outbox},
    {.family = "r1_fraud_producer_renewals_total",
     .type = "counter",
     .labels = "client=\"outbox\"",
     .help = "Kafka clients that took the place of one that librdkafka had ended; what was on its "
             "way is sent again.",
     .number = metric_outbox_renewed},
    {.family = "r1_fraud_producer_renewals_total",
     .type = "counter",
     .labels = "client=\"sequencer\"",
     .number = metric_share_renewed},
    {.family = "r1_fraud_outbox_age_seconds",
     .type = "gauge",
     .help = "Age of the oldest message on its way that the broker has not acknowledged.",
     .series = series_outbox_age},
    {.family = "r1_fraud_outbox_behind_rows",
     .type = "gauge",
     .help = "Committed rows behind the first that is not acknowledged.",
     .number = metric_outbox_behind},
    {.family = "r1_fraud_log_missing_partitions",
     .type = "gauge",
     .help = "Weekly partitions of the log that could not be made yet.",
     .number = metric_missing_weeks},
    {.family = "r1_fraud_log_rest_rows",
     .type = "gauge",
     .help = "Rows of the log that no week's partition holds.",
     .number = metric_rest_rows},
    {.name = "rebuilt_s",
     .family = "r1_fraud_rebuild_seconds",
     .type = "gauge",
     .help = "Time that the start took to rebuild the state.",
     .number = metric_rebuilt_s},
    {.name = "rebuilt_labels",
     .family = "r1_fraud_rebuilt_labels",
     .type = "gauge",
     .help = "Labels that the start put back into the state.",
     .count = metric_rebuilt_labels},
    {.name = "snapshot_loaded_apply_seq",
     .family = "r1_fraud_snapshot_loaded_apply_seq",
     .type = "gauge",
     .help = "Last row of the snapshot that the start came from; 0: none.",
     .number = metric_snapshot_loaded},
    {.name = "snapshot_apply_seq",
     .family = "r1_fraud_snapshot_apply_seq",
     .type = "gauge",
     .help = "Last row of the newest snapshot; 0: none.",
     .number = metric_snapshot_apply_seq},
    {.name = "snapshots",
     .family = "r1_fraud_snapshots_total",
     .type = "counter",
     .help = "Snapshots written.",
     .number = metric_snapshots},
    {.name = "snapshot_failures",
     .family = "r1_fraud_snapshot_failures_total",
     .type = "counter",
     .help = "Snapshots that could not be written.",
     .number = metric_snapshot_failures},
    {.name = "snapshots_refused",
     .family = "r1_fraud_snapshots_refused",
     .type = "gauge",
     .help = "Snapshots that the start passed over.",
     .number = metric_snapshots_refused},
    {.name = "snapshot_bytes",
     .family = "r1_fraud_snapshot_bytes",
     .type = "gauge",
     .help = "Size of the newest snapshot.",
     .number = metric_snapshot_bytes},
    {.name = "snapshot_s",
     .family = "r1_fraud_snapshot_seconds",
     .type = "gauge",
     .help = "Time that the newest snapshot took to write.",
     .number = metric_snapshot_s},
    {.name = "snapshot_age_s",
     .family = "r1_fraud_snapshot_age_seconds",
     .type = "gauge",
     .help = "Time since the newest snapshot; no sample where there is none.",
     .number = metric_snapshot_age_s},
    {.name = "snapshot_fork_s",
     .family = "r1_fraud_snapshot_fork_seconds",
     .type = "gauge",
     .help = "Longest time that the fork of a snapshot held the stream up.",
     .number = metric_snapshot_fork_s},
    {.family = "r1_fraud_apply_seq",
     .type = "gauge",
     .help = "Number of the last payment or label that was applied.",
     .number = metric_last_seq},
    {.family = "r1_fraud_seen_ids",
     .type = "gauge",
     .help = "Payment ids that are known, by which duplicates are found.",
     .number = metric_seen_ids},
    {.family = "r1_fraud_seen_ids_max",
     .type = "gauge",
     .help = "Payment ids that fit, of which at least half are known for certain.",
     .number = metric_seen_ids_max},
    {.family = "r1_fraud_memory_price_bytes",
     .type = "gauge",
     .help = "What each part takes when it is full.",
     .series = series_price},
    {.family = "r1_fraud_memory_limit_bytes",
     .type = "gauge",
     .help = "What this process may use: MemAvailable at the start, or a control group's limit.",
     .series = series_memory_limit},
    {.name = "state_accounts",
     .family = "r1_fraud_state_rows",
     .type = "gauge",
     .labels = "table=\"accounts\"",
     .help = "Rows of the state that are in use.",
     .number = metric_state_accounts},
    {.name = "state_pairs",
     .family = "r1_fraud_state_rows",
     .type = "gauge",
     .labels = "table=\"pairs\"",
     .help = "Rows of the state that are in use.",
     .number = metric_state_pairs},
    {.name = "state_edges",
     .family = "r1_fraud_state_rows",
     .type = "gauge",
     .labels = "table=\"edges\"",
     .help = "Rows of the state that are in use.",
     .number = metric_state_edges},
    {.family = "r1_fraud_state_rows",
     .type = "gauge",
     .labels = "table=\"rings\"",
     .help = "Rows of the state that are in use.",
     .number = metric_state_rings},
    {.family = "r1_fraud_state_rows_max",
     .type = "gauge",
     .labels = "table=\"accounts\"",
     .help = "Rows that fit.",
     .number = metric_state_accounts_max},
    {.family = "r1_fraud_state_rows_max",
     .type = "gauge",
     .labels = "table=\"pairs\"",
     .help = "Rows that fit.",
     .number = metric_state_pairs_max},
    {.family = "r1_fraud_state_rows_max",
     .type = "gauge",
     .labels = "table=\"edges\"",
     .help = "Rows that fit.",
     .number = metric_state_edges_max},
    {.family = "r1_fraud_state_rows_max",
     .type = "gauge",
     .labels = "table=\"rings\"",
     .help = "Rows that fit.",
     .number = metric_state_rings_max},
    {.name = "state_accounts_evicted",
     .family = "r1_fraud_state_evicted_total",
     .type = "counter",
     .labels = "table=\"accounts\"",
     .help = "Rows that were forgotten because their table was full.",
     .number = metric_state_accounts_evicted},
    {.name = "state_pairs_evicted",
     .family = "r1_fraud_state_evicted_total",
     .type = "counter",
     .labels = "table=\"pairs\"",
     .help = "Rows that were forgotten because their table was full.",
     .number = metric_state_pairs_evicted},
    {.name = "state_cut_edges",
     .family = "r1_fraud_state_cut_total",
     .type = "counter",
     .labels = "full=\"edges\"",
     .help = "Edges that left while a window held them, by what was full.",
     .number = metric_state_cut_edges},
    {.family = "r1_fraud_state_cut_total",
     .type = "counter",
     .labels = "full=\"ids\"",
     .help = "Edges that left while a window held them, by what was full.",
     .number = metric_state_cut_names},
    {.family = "r1_fraud_state_cut_total",
     .type = "counter",
     .labels = "full=\"accounts\"",
     .help = "Edges that left while a window held them, by what was full.",
     .number = metric_state_cut_accounts},
    {.family = "r1_fraud_state_cut_total",
     .type = "counter",
     .labels = "full=\"pairs\"",
     .help = "Edges that left while a window held them, by what was full.",
     .number = metric_state_cut_pairs},
    {.family = "r1_fraud_state_id_bytes",
     .type = "gauge",
     .help = "Bytes of the ids of edges.",
     .number = metric_state_id_bytes},
    {.family = "r1_fraud_state_id_bytes_max",
     .type = "gauge",
     .help = "Bytes of ids that fit.",
     .number = metric_state_id_bytes_max},
    {.family = "r1_fraud_state_bytes",
     .type = "gauge",
     .help = "Bytes reserved for the state.",
     .number = metric_state_state_bytes},
    {.family = "r1_fraud_memory_bytes",
     .type = "gauge",
     .help = "Bytes reserved for the working memory.",
     .number = metric_state_memory_bytes},
    {.family = "r1_fraud_state_exact_seconds",
     .type = "gauge",
     .help = "How far exact windows reach back; older payments count in aged windows.",
     .number = metric_state_exact_s},
    {.family = "r1_fraud_queue_records",
     .type = "gauge",
     .help = "Records between reading and committed.",
     .number = metric_in_flight},
    {.family = "r1_fraud_queue_capacity_records",
     .type = "gauge",
     .help = "Records that fit between reading and committed; reading stops when all are in use.",
     .number = metric_queue_room},
    {.family = "r1_fraud_owned_partitions",
     .type = "gauge",
     .help = "Partitions that this process decides and writes.",
     .number = metric_share_owned},
    {.family = "r1_fraud_sequencer",
     .type = "gauge",
     .help = "1 where this process appends to the topic of events.",
     .number = metric_share_sequences},
    {.family = "r1_fraud_members",
     .type = "gauge",
     .help = "Processes that share the stream and live, this one included; 0: it works alone.",
     .number = metric_share_members},
    {.family = "r1_fraud_missing_partitions",
     .type = "gauge",
     .help = "Partitions of payments that no process of this log was given; nobody decides them.",
     .number = metric_share_missing},
    {.family = "r1_fraud_settings_differing",
     .type = "gauge",
     .help = "Settings of decisions in which other processes differ from this one.",
     .number = metric_share_differ},
    {.family = "r1_fraud_sequencer_epoch",
     .type = "gauge",
     .help = "Newest epoch in the topic of events.",
     .number = metric_share_epoch},
    {.family = "r1_fraud_events_lag_messages",
     .type = "gauge",
     .help = "Events that the broker holds behind the last one read; -1: not known.",
     .number = metric_share_lag},
    {.name = "events_void",
     .family = "r1_fraud_events_void_total",
     .type = "counter",
     .help = "Events that did not count: of an older epoch, repeated, or of another form.",
     .number = metric_share_voids},
    {.family = "r1_fraud_events_appended_total",
     .type = "counter",
     .help = "Events that this process appended.",
     .number = metric_share_appended},
    {.family = "r1_fraud_events_cut_total",
     .type = "counter",
     .help = "Messages too large for an event, which became dead letters.",
     .number = metric_share_cut},
    {.family = "r1_fraud_held_records",
     .type = "gauge",
     .help = "Records of other processes that are held until they are committed.",
     .number = metric_share_held},
    {.family = "r1_fraud_held_bytes",
     .type = "gauge",
     .help = "Memory of what is held.",
     .number = metric_share_held_bytes},
    {.family = "r1_fraud_held_dropped_total",
     .type = "counter",
     .help = "Records that held-memory had no room for: a takeover of them needs a restart.",
     .number = metric_share_held_dropped},
    {.family = "r1_fraud_takeovers_total",
     .type = "counter",
     .help = "Partitions that became this process's.",
     .number = metric_share_takeovers},
    {.family = "r1_fraud_takeover_records_total",
     .type = "counter",
     .help = "Held records that this process decided after a takeover.",
     .number = metric_share_taken_records},
    {.family = "r1_fraud_lag_messages",
     .type = "gauge",
     .help = "Messages that the broker holds behind the last committed one.",
     .series = series_lag},
    {.family = "r1_fraud_lag_seconds",
     .type = "gauge",
     .help = "Age of the last committed message while others wait behind it.",
     .series = series_lag_seconds},
    {.family = "r1_fraud_committed_offset",
     .type = "gauge",
     .help = "Offset of the next message to be committed.",
     .series = series_offset},
    {.name = "sent_to_committed",
     .family = "r1_fraud_latency_seconds",
     .type = "histogram",
     .labels = "from=\"sent\",to=\"committed\"",
     .help = "Latency of payments; from their header sent_us, or the broker's time stamp.",
     .latency = metric_sent_to_committed},
    {.name = "sent_to_decided",
     .family = "r1_fraud_latency_seconds",
     .type = "histogram",
     .labels = "from=\"sent\",to=\"decided\"",
     .latency = metric_sent_to_decided},
    {.name = "broker_to_committed",
     .family = "r1_fraud_latency_seconds",
     .type = "histogram",
     .labels = "from=\"broker\",to=\"committed\"",
     .latency = metric_broker_to_committed},
    {.name = "arrival_to_committed",
     .family = "r1_fraud_latency_seconds",
     .type = "histogram",
     .labels = "from=\"arrival\",to=\"committed\"",
     .latency = metric_arrival},
    {.name = "stage_decode",
     .family = "r1_fraud_stage_seconds",
     .type = "histogram",
     .labels = "stage=\"decode\"",
     .help = "Time of a payment in each stage, by the service's own clock.",
     .latency = metric_stage_decode},
    {.name = "stage_apply",
     .family = "r1_fraud_stage_seconds",
     .type = "histogram",
     .labels = "stage=\"apply\"",
     .latency = metric_stage_apply},
    {.name = "stage_score",
     .family = "r1_fraud_stage_seconds",
     .type = "histogram",
     .labels = "stage=\"score\"",
     .latency = metric_stage_score},
    {.name = "stage_decide",
     .family = "r1_fraud_stage_seconds",
     .type = "histogram",
     .labels = "stage=\"decide\"",
     .latency = metric_stage_decide},
    {.name = "stage_queue",
     .family = "r1_fraud_stage_seconds",
     .type = "histogram",
     .labels = "stage=\"queue\"",
     .latency = metric_stage_queue},
    {.name = "stage_commit",
     .family = "r1_fraud_stage_seconds",
     .type = "histogram",
     .labels = "stage=\"commit\"",
     .latency = metric_stage_commit},
    {.name = "transaction",
     .family = "r1_fraud_transaction_seconds",
     .type = "histogram",
     .help = "Time of one transaction.",
     .latency = metric_transaction},
    {.family = "r1_fraud_transaction_rows",
     .type = "histogram",
     .help = "Records of one transaction.",
     .series = series_rows},
    {.family = "r1_fraud_phase",
     .type = "gauge",
     .help = "1 for the phase of its life in which the service is.",
     .series = series_phase},
    {.family = "r1_fraud_ready",
     .type = "gauge",
     .help = "1 where every check of /readyz is good.",
     .series = series_ready},
    {.family = "r1_fraud_model_info",
     .type = "gauge",
     .help = "The model that scores.",
     .series = series_model},
    {.family = "r1_fraud_config_info",
     .type = "gauge",
     .help = "The thresholds, rules and lists that decide.",
     .series = series_config},
    {.family = "r1_fraud_currency_info",
     .type = "gauge",
     .help = "The currency in which amounts are compared, and what told it.",
     .series = series_currency},
    {.family = "r1_fraud_owner_info",
     .type = "gauge",
     .help = "The process as the table of offsets names it.",
     .series = series_owner},
    {.family = "r1_fraud_http_answers_total",
     .type = "counter",
     .help = "Answers of this port, by path and hundreds of the status.",
     .series = series_http},
    {.family = "r1_fraud_http_made_room_total",
     .type = "counter",
     .help = "Connections that waited for their clients and were closed for new ones.",
     .count = count_made_room},
    {.family = "r1_fraud_http_refused_total",
     .type = "counter",
     .help = "Requests that came while as many of their path as may be were at work.",
     .series = series_http_refused},
    {.family = "r1_fraud_http_timed_out_total",
     .type = "counter",
     .help = "Connections that were closed because they took too long, by what was waited for.",
     .series = series_http_timed_out},
    {.family = "process_resident_memory_bytes",
     .type = "gauge",
     .help = "Resident memory size in bytes.",
     .series = series_memory},
    {.family = "process_open_fds",
     .type = "gauge",
     .help = "Number of open file descriptors.",
     .series = series_open_files},
    {.family = "process_max_fds",
     .type = "gauge",
     .help = "Maximum number of open file descriptors.",
     .series = series_open_files_max},
    {.family = "process_cpu_seconds_total",
     .type = "counter",
     .help = "Total user and system CPU time spent in seconds.",
     .series = series_cpu},
    {.family = "process_start_time_seconds",
     .type = "gauge",
     .help = "Start time of the process since unix epoch in seconds.",
     .series = series_start_time},
};
_Static_assert(R1_COUNT(metrics) <= FRAUD_METRICS_MAX, "every row needs a place in fraud_shown");

/* ---- the page /metrics ---- */

_Static_assert((int)FRAUD_SHOWN_PRICES == (int)FRAUD_PRICES_MAX, "a copy of each price");

static void metrics_moved(const server *s, fraud_shown *v)
{
    size_t far;
    const fraud_moved *moved = fraud_engine_moved(s->parts.engine);
    size_t n = moved ? fraud_moved_list(moved, v->moved, FRAUD_SHOWN_MOVED, &far) : 0;
    v->n_moved = n < FRAUD_SHOWN_MOVED ? n : FRAUD_SHOWN_MOVED;
}

/* The limit is that of the start, since the process takes from it what it then uses. */
static void metrics_prices(const server *s, fraud_shown *v)
{
    fraud_price price[FRAUD_PRICES_MAX];
    const char *what;
    if (!v->n_price) v->memory_limit = r1_memory_limit("", &what);
    v->n_price = fraud_price_list(&s->parts, fraud_serve_partitions(s), price);
    for (size_t i = 0; i < v->n_price; i++) {
        v->price_part[i] = price[i].part;
        v->price[i] = (double)price[i].bytes;
    }
}

void fraud_metrics_take(const server *s, fraud_shown *v)
{
    if (s->writer) fraud_writer_stats_read(s->writer, &v->w);
    const metric_source m = {s, &v->w, v};
    for (size_t i = 0; i < R1_COUNT(metrics); i++)
        v->value[i] = metrics[i].count    ? (double)metrics[i].count(&m)
                      : metrics[i].number ? metrics[i].number(&m)
                                          : 0;
    for (int t = 0; t < FRAUD_N_TOPIC; t++) {
        v->topic[t] = s->consumer && s->parts.topic[t] ? s->ledger.topic[t] : NULL;
        v->n_partition[t] = s->ledger.n_partition[t];
        for (int32_t p = 0; v->topic[t] && p < v->n_partition[t]; p++)
            if (s->share)
                fraud_share_stands(s, t, p, &v->high[t][p], &v->w.tally.next[t][p]);
            else
                v->high[t][p] = r1_consumer_high(s->consumer, t, p);
    }
    snprintf(v->currency, sizeof v->currency, "%s", s->currency);
    v->currency_from = s->currency_from;
    metrics_prices(s, v);
    for (size_t i = 0; i < FRAUD_SHOWN_OUTSIDE; i++) {
        v->outside[i].n = 0;
        if (!fraud_engine_outside(s->parts.engine, i, v->outside[i].name, &v->outside[i].n)) break;
    }
    metrics_moved(s, v);
    v->pace = s->parts.pace;
    if (s->reload) fraud_reload_counts(s->reload, &v->reloads[0], &v->reloads[1]);
    snprintf(v->waits, sizeof v->waits, "%s", fraud_reload_waits(s->reload));
    v->in_flight = fraud_queue_in_flight(s->parts.queue);
    snprintf(v->owner, sizeof v->owner, "%s", s->ledger.owner);
    snprintf(v->cluster, sizeof v->cluster, "%s", s->ledger.cluster);
    snprintf(v->log_id, sizeof v->log_id, "%s", s->log.log_id);
    snprintf(v->model, sizeof v->model, "%s", s->parts.model);
    snprintf(v->model_name, sizeof v->model_name, "%s", fraud_engine_model_name(s->parts.engine));
    snprintf(v->schema, sizeof v->schema, "%016llx",
             (unsigned long long)fraud_engine_schema_hash(s->parts.engine));
    snprintf(v->config, sizeof v->config, "%s", fraud_policy_version(s->parts.policy));
}

static void metric_samples(const serve_metric *row, const metric_source *m, r1_prom *p)
{
    R1_ASSERT(row->help || (p->family && !strcmp(p->family, row->family)), "%s has no help",
              row->family);
    r1_prom_family(p, row->family, row->type, row->help);
    if (row->series)
        row->series(m, p);
    else if (row->latency)
        r1_prom_histogram(p, row->labels, row->latency(m), edges_us, R1_COUNT(edges_us), 1e-6);
    else if (!isnan(m->v->value[row - metrics]))
        r1_prom_sample(p, "", row->labels, m->v->value[row - metrics]);
}

char *fraud_metrics_text(const fraud_shown *v, size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    if (!f) return NULL;
    const metric_source m = {NULL, &v->w, v};
    r1_prom p = {.out = f};
    for (size_t i = 0; i < R1_COUNT(metrics); i++)
        if (metrics[i].family) metric_samples(&metrics[i], &m, &p);
    bool bad = ferror(f);
    if (fclose(f) || bad) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- the file of --stats ---- */

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
    if (row->number) {
        double x = row->number(m);
        return isnan(x) ? json_null() : json_real(x);
    }
    return metric_quantiles(row->latency(m));
}

r1_status fraud_serve_stats(const server *s, const fraud_writer_stats *w, const char *path,
                            r1_err *err)
{
    const metric_source m = {s, w, NULL};
    json_t *o = json_object();
    char digest[20];
    for (size_t i = 0; i < R1_COUNT(metrics); i++)
        if (metrics[i].name) json_object_set_new(o, metrics[i].name, metric_value(&metrics[i], &m));
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
