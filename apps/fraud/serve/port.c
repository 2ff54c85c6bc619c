/* SPDX-License-Identifier: GPL-3.0-or-later */
/* port.c - see port.h. */
#include "serve/port.h"
#include "metrics/prometheus.h"
#include "serve/desk.h"
#include "serve/share.h"
#include "write/message.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PLACES = 256, CONNECTIONS = 320 }; /* payments that wait at once; and their clients */
enum { READERS = 8, PAGE_US = 100000 };   /* of one other path at once; a page of metrics lives */
enum { STORED_S = 2 };                    /* for a stored decision */
enum { TURN_US = 1000000, PROBE_MS = 1000, PROBE_BROKER_MS = 2000, FRESH_US = 6000000 };

/* What the watch learned last of one service outside. */
typedef struct {
    int64_t good_us;                      /* monotonic; 0: never */
    char error[sizeof((r1_err *)0)->msg]; /* of the last try; "": it was good */
} port_probe;

struct fraud_port {
    r1_http *http;
    pthread_mutex_t lock; /* guards all down to owned */
    fraud_shown *shown;
    port_probe postgres, broker;
    int64_t commit_us;   /* monotonic: when a transaction was last seen to commit, or none waited */
    int owned, expected; /* partitions; expected 0: not known yet */
    bool stopping;
    pthread_cond_t wake;
    fraud_shown *next;         /* the reading thread's, to be swapped in */
    int64_t turned_us;         /* the same: when it was last swapped */
    pthread_mutex_t page_lock; /* guards all down to page_us; lock may be taken under it */
    fraud_shown *drawn;
    char *page; /* of /metrics, as long as it is fresh; NULL: none */
    size_t page_len;
    int64_t page_us; /* monotonic */
    atomic_int phase;
    atomic_int_fast64_t heart_us; /* monotonic: the loop's last turn */
    pthread_t watch;
    bool watching;
    const server *s;
    fraud_desk *desk; /* NULL: no port */
    int decide_wait_ms;
    bool shared;                /* the stream, with other processes */
    pthread_mutex_t store_lock; /* guards store */
    r1_store *store;            /* of stored decisions; NULL: not open */
};

const char *fraud_phase_name(fraud_phase phase)
{
    static const char *const names[FRAUD_N_PHASE] = {"waits", "rebuilds", "runs", "stops"};
    return names[phase];
}

/* ---- checks ---- */

typedef struct {
    bool good;
    char found[400];
} port_check;

static port_check check_phase(const struct fraud_port *p)
{
    port_check c = {.good = atomic_load(&p->phase) == FRAUD_PHASE_RUNS};
    snprintf(c.found, sizeof c.found, "%s", fraud_phase_name((fraud_phase)atomic_load(&p->phase)));
    return c;
}

/* Before the loop runs, and after it, nothing turns. */
static port_check check_loop(const struct fraud_port *p)
{
    int64_t heart = atomic_load(&p->heart_us), age = heart ? r1_mono_us() - heart : 0;
    port_check c = {.good = atomic_load(&p->phase) != FRAUD_PHASE_RUNS ||
                            age < (int64_t)FRAUD_STALL_MS * 1000};
    snprintf(c.found, sizeof c.found, "last turn %.3f s ago", (double)age / 1e6);
    return c;
}

static port_check check_probe(const port_probe *probe)
{
    port_check c = {.good = probe->good_us && !probe->error[0] &&
                            r1_mono_us() - probe->good_us < FRESH_US};
    if (c.good)
        snprintf(c.found, sizeof c.found, "answers");
    else
        snprintf(c.found, sizeof c.found, "%s", probe->error[0] ? probe->error : "not asked yet");
    return c;
}

static port_check check_partitions(const struct fraud_port *p)
{
    port_check c = {.good = (p->shared || p->expected > 0) && p->owned == p->expected};
    snprintf(c.found, sizeof c.found, "%d of %d are ours", p->owned, p->expected);
    return c;
}

/* What is queued is written. */
static port_check check_writer(const struct fraud_port *p)
{
    int64_t age = p->commit_us ? r1_mono_us() - p->commit_us : 0;
    port_check c = {.good = age < (int64_t)FRAUD_STALL_MS * 1000};
    snprintf(c.found, sizeof c.found, "%zu records wait, last commit %.0f s ago",
             p->shown->in_flight, (double)age / 1e6);
    return c;
}

static port_check check_postgres(const struct fraud_port *p) { return check_probe(&p->postgres); }
static port_check check_broker(const struct fraud_port *p) { return check_probe(&p->broker); }

/* One row per check of /readyz. Each is called under the lock. */
static const struct {
    const char *name;
    port_check (*check)(const struct fraud_port *p);
} checks[] = {{"phase", check_phase},           {"loop", check_loop},
              {"partitions", check_partitions}, {"postgres", check_postgres},
              {"broker", check_broker},         {"writer", check_writer}};

static bool port_ready(struct fraud_port *p, json_t *out)
{
    bool ready = true;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < R1_COUNT(checks); i++) {
        port_check c = checks[i].check(p);
        ready = ready && c.good;
        if (out)
            json_object_set_new(out, checks[i].name,
                                json_pack("{s:b, s:s}", "ok", (int)c.good, "found", c.found));
    }
    pthread_mutex_unlock(&p->lock);
    return ready;
}

/* ---- pages ---- */

static void answer_json(r1_http_answer *a, bool good, json_t *o)
{
    a->body = json_dumps(o, JSON_INDENT(1));
    json_decref(o);
    if (!a->body) return; /* 500 stands */
    a->body_len = strlen(a->body);
    a->status = good ? 200 : 503;
    a->type = "application/json";
}

static void page_livez(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    struct fraud_port *p = ctx;
    (void)q;
    port_check loop = check_loop(p);
    answer_json(a, loop.good,
                json_pack("{s:b, s:s, s:s}", "alive", (int)loop.good, "phase",
                          fraud_phase_name((fraud_phase)atomic_load(&p->phase)), "loop",
                          loop.found));
}

/* With the log that it serves, so that `r1-fraud status` asks no other service than it means. */
static void page_readyz(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    struct fraud_port *p = ctx;
    json_t *found = json_object();
    char log_id[sizeof p->shown->log_id];
    (void)q;
    bool ready = port_ready(p, found);
    pthread_mutex_lock(&p->lock);
    memcpy(log_id, p->shown->log_id, sizeof log_id);
    pthread_mutex_unlock(&p->lock);
    answer_json(a, ready,
                json_pack("{s:b, s:s, s:o}", "ready", (int)ready, "log", log_id, "checks", found));
}

/* Under page_lock. The text is made of a copy: nobody waits for it but its readers. */
static void page_draw(struct fraud_port *p)
{
    int64_t now = r1_mono_us();
    if (p->page && now - p->page_us < PAGE_US) return;
    bool ready = port_ready(p, NULL);
    pthread_mutex_lock(&p->lock);
    *p->drawn = *p->shown;
    pthread_mutex_unlock(&p->lock);
    p->drawn->ready = ready;
    p->drawn->phase = (fraud_phase)atomic_load(&p->phase);
    free(p->page);
    p->page = fraud_metrics_text(p->drawn, &p->page_len);
    p->page_us = now;
}

static void page_metrics(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    struct fraud_port *p = ctx;
    (void)q;
    pthread_mutex_lock(&p->page_lock);
    page_draw(p);
    a->body = p->page ? malloc(p->page_len) : NULL;
    if (a->body) memcpy(a->body, p->page, p->page_len);
    a->body_len = a->body ? p->page_len : 0;
    pthread_mutex_unlock(&p->page_lock);
    if (!a->body) return;
    a->status = 200;
    a->type = R1_PROM_TYPE;
}

/* ---- POST /v1/decide ---- */

/* Takes the text; NULL: the status says it alone. */
static void answer_text(r1_http_answer *a, int status, char *text)
{
    a->status = status;
    a->type = "application/json";
    a->body = text;
    a->body_len = text ? strlen(text) : 0;
}

static void answer_undecided(r1_http_answer *a, int status, const char *why)
{
    json_t *o = json_pack("{s:b, s:s}", "decided", 0, "error", why);
    answer_text(a, status, json_dumps(o, JSON_COMPACT));
    json_decref(o);
    a->retry_after_s = status == 503;
}

/* The row of an id and its content; one from before contents were stored stands for any. */
static const char *const sql_decided =
    "SELECT apply_seq, written_at FROM r1.payment WHERE tx_id = $1 "
    "AND (content_hash = $2::bigint OR content_hash IS NULL) "
    "ORDER BY content_hash NULLS LAST, apply_seq LIMIT 1";

/* The message of that row, and that it is a repetition. The score is written as the first answer
 * wrote it: PostgreSQL gives the shortest digits of the same float. */
static r1_status decided_message(struct fraud_port *p, const r1_rows *row, char **text,
                                 bool *reused, r1_err *err)
{
    const char *seq = r1_rows_text(row, 0, 0), *at = r1_rows_text(row, 0, 1),
               *param[] = {p->s->ledger.cluster, seq, seq, at, at, "1"};
    r1_rows *rows;
    R1_TRY(r1_store_query(p->store, fraud_message_sql, R1_COUNT(param), param, &rows, err));
    json_t *o = r1_rows_count(rows) ? json_loads(r1_rows_text(rows, 0, 3), 0, NULL) : NULL;
    r1_rows_free(rows);
    json_t *score = json_object_get(o, "score");
    if (json_is_number(score))
        json_object_set_new(o, "score", json_real((double)(float)json_number_value(score)));
    const char *rule = json_string_value(json_object_get(o, "rule"));
    *reused = rule && !strcmp(rule, "id_reused");
    if (o) json_object_set_new(o, "repeated", json_true());
    *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return R1_OK;
}

static r1_status decided_before(struct fraud_port *p, const fraud_answer *got, char **text,
                                bool *reused, r1_err *err)
{
    r1_rows *rows;
    char hash[24];
    snprintf(hash, sizeof hash, "%lld", (long long)(int64_t)got->content_hash);
    const char *param[] = {got->tx_id, hash};
    const r1_store_opts opts = {
        .application = "r1-fraud port", .statement_s = STORED_S, .answer_ms = STORED_S * 1000};
    if (!p->store) R1_TRY(r1_store_open_with(&p->store, p->s->parts.conninfo, &opts, err));
    if (!r1_store_alive(p->store)) R1_TRY(r1_store_reopen(p->store, err));
    R1_TRY(r1_store_query(p->store, sql_decided, 2, param, &rows, err));
    r1_status st = r1_rows_count(rows) ? decided_message(p, rows, text, reused, err) : R1_OK;
    r1_rows_free(rows);
    return st;
}

static void answer_repeated(struct fraud_port *p, r1_http_answer *a, const fraud_answer *got)
{
    char *text = NULL;
    bool reused = false;
    r1_err err = {0};
    r1_status st = R1_E_TIMEOUT;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STORED_S;
    if (pthread_mutex_timedlock(&p->store_lock, &until) == 0) {
        st = decided_before(p, got, &text, &reused, &err);
        pthread_mutex_unlock(&p->store_lock);
    }
    if (text)
        answer_text(a, reused ? 409 : 200, text);
    else if (st == R1_OK)
        answer_undecided(a, 410,
                         "this payment was decided, and the log does not hold its row any more: "
                         "see the archive of db retain, or send it under another tx_id");
    else
        answer_undecided(a, 503, err.msg[0] ? err.msg : "PostgreSQL does not answer");
}

static void page_decide(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    struct fraud_port *p = ctx;
    if (!p->desk) {
        answer_undecided(a, 503,
                         "this process shares its stream with others (events-topic): "
                         "send payments to the topic");
        return;
    }
    if (atomic_load(&p->phase) != FRAUD_PHASE_RUNS) {
        answer_undecided(a, 503, "the service does not run yet, or ends");
        return;
    }
    fraud_answer got = fraud_desk_ask(p->desk, q->body, q->body_len, p->decide_wait_ms);
    switch (got.kind) {
    case FRAUD_ANSWER_DECIDED: answer_text(a, got.id_reused ? 409 : 200, got.text); return;
    case FRAUD_ANSWER_REPEATED: answer_repeated(p, a, &got); break;
    case FRAUD_ANSWER_REFUSED: answer_undecided(a, 400, got.text ? got.text : "refused"); break;
    case FRAUD_ANSWER_FULL: answer_undecided(a, 503, "too many payments wait"); break;
    case FRAUD_ANSWER_CLOSED: answer_undecided(a, 503, "the service ends"); break;
    case FRAUD_ANSWER_LATE:
        answer_undecided(a, 503, "no commit in time; it may still come: ask again with this tx_id");
        break;
    }
    free(got.text);
}

/* Refused before it became a record of the log: its offset stays a gap. */
static void port_refuse(server *s, batch *b, fraud_record *r)
{
    b->n--;
    fraud_record_reply(r, FRAUD_OUTCOME_REFUSED, r->reason);
    fraud_queue_put_back(s->parts.queue, r);
}

r1_status fraud_port_serve(server *s, batch *b, r1_err *err)
{
    fraud_desk *desk = s->port->desk;
    while (desk && b->n < BATCH_MAX / 2 && fraud_desk_waits(desk)) {
        fraud_record *r = fraud_queue_take_free(s->parts.queue);
        if (!r) return R1_OK; /* the writer is behind: they wait, and no more than PLACES can */
        if (!fraud_desk_take(desk, r)) {
            fraud_queue_put_back(s->parts.queue, r);
            return R1_OK;
        }
        r->message.offset = s->http_next++;
        R1_TRY(fraud_serve_accept(s, b, r, FRAUD_TOPIC_HTTP, err));
        bool payment = r->kind != FRAUD_RECORD_DEAD && r->kind != FRAUD_RECORD_LEFT_OUT;
        if (!payment) port_refuse(s, b, r);
    }
    return R1_OK;
}

static const r1_http_route routes[] = {
    {.method = "POST",
     .path = "/v1/decide",
     .body_max = FRAUD_PAYMENT_BYTES_MAX,
     .kept = PLACES,
     .handler = page_decide},
    {.method = "GET", .path = "/livez", .at_once = READERS, .handler = page_livez},
    {.method = "GET", .path = "/readyz", .at_once = READERS, .handler = page_readyz},
    {.method = "GET", .path = "/metrics", .at_once = READERS, .handler = page_metrics},
};

/* ---- the watch ---- */

static void probe_note(struct fraud_port *p, port_probe *probe, r1_status st, const r1_err *err)
{
    pthread_mutex_lock(&p->lock);
    if (st == R1_OK) probe->good_us = r1_mono_us();
    snprintf(probe->error, sizeof probe->error, "%s", st == R1_OK ? "" : err->msg);
    pthread_mutex_unlock(&p->lock);
}

/* "{payments,labels,http}": PostgreSQL's text of an array. Kafka's names need no quotes there. */
static void topics_text(const fraud_ledger *l, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "{");
    for (int t = 0; t < FRAUD_N_TOPIC && n < size; t++)
        if (l->topic[t])
            n += (size_t)snprintf(out + n, size - n, "%s%s", n > 1 ? "," : "", l->topic[t]);
    if (n < size) snprintf(out + n, size - n, "}");
}

static r1_status ask_owned(r1_store **store, const char *conninfo, const fraud_ledger *l,
                           int *owned, r1_err *err)
{
    char topics[1024];
    topics_text(l, topics, sizeof topics);
    if (!*store) {
        const r1_store_opts opts = {
            .application = "r1-fraud watch", .statement_s = STORED_S, .answer_ms = STORED_S * 1000};
        R1_TRY(r1_store_open_with(store, conninfo, &opts, err));
    }
    r1_rows *rows;
    const char *param[] = {l->owner, l->cluster, topics};
    R1_TRY(r1_store_query(*store,
                          "SELECT count(*) FROM r1.stream_offset WHERE owner = $1 AND cluster_id = "
                          "$2 AND app = 'fraud' AND topic = ANY ($3::text[])",
                          3, param, &rows, err));
    *owned = (int)r1_rows_int(rows, 0, 0);
    r1_rows_free(rows);
    return R1_OK;
}

static void probe_postgres(struct fraud_port *p, r1_store **store)
{
    r1_err err = {0};
    int owned = 0;
    r1_status st = ask_owned(store, p->s->parts.conninfo, &p->s->ledger, &owned, &err);
    if (st != R1_OK) {
        r1_store_close(*store);
        *store = NULL;
    }
    probe_note(p, &p->postgres, st, &err);
    pthread_mutex_lock(&p->lock);
    if (st == R1_OK) p->owned = owned;
    pthread_mutex_unlock(&p->lock);
}

static void probe_broker(struct fraud_port *p)
{
    r1_err err = {0};
    int32_t n;
    probe_note(
        p, &p->broker,
        r1_consumer_partitions(p->s->consumer, FRAUD_TOPIC_PAYMENTS, &n, PROBE_BROKER_MS, &err),
        &err);
}

/* Waits a second, or less where the port stops; false then. */
static bool watch_pause(struct fraud_port *p)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)PROBE_MS % 1000 * 1000000;
    until.tv_sec += PROBE_MS / 1000;
    pthread_mutex_lock(&p->lock);
    if (!p->stopping) pthread_cond_timedwait(&p->wake, &p->lock, &until);
    bool goes_on = !p->stopping;
    pthread_mutex_unlock(&p->lock);
    return goes_on;
}

static void *port_watch(void *arg)
{
    struct fraud_port *p = arg;
    r1_store *store = NULL;
    do {
        probe_postgres(p, &store);
        probe_broker(p);
    } while (watch_pause(p));
    r1_store_close(store);
    return NULL;
}

/* ---- the reading thread's side ---- */

static void port_hints(server *s, const fraud_shown *v)
{
    for (int t = 0; t < FRAUD_N_TOPIC; t++)
        if (s->share && s->parts.topic[t])
            fraud_share_hints(s, t, v->w.tally.next[t], v->n_partition[t]);
        else if (s->parts.topic[t])
            r1_consumer_hint_all(s->consumer, t, v->w.tally.next[t], v->n_partition[t]);
}

/* That are to be ours. */
static int partitions_of(const server *s)
{
    int n = 0;
    const fraud_ledger *l = &s->ledger;
    fraud_share_stats shared;
    fraud_share_stats_read(s, &shared);
    if (s->share) return shared.owned[0] + shared.owned[1];
    for (int t = 0; t < FRAUD_N_TOPIC; t++) n += l->topic[t] ? l->n_partition[t] : 0;
    return n;
}

static void port_publish(server *s)
{
    struct fraud_port *p = s->port;
    fraud_metrics_take(s, p->next);
    pthread_mutex_lock(&p->lock);
    fraud_shown *last = p->shown;
    if (p->next->w.commits != last->w.commits || !p->next->in_flight) p->commit_us = r1_mono_us();
    p->shown = p->next;
    p->next = last;
    p->expected = partitions_of(s);
    pthread_mutex_unlock(&p->lock);
    p->turned_us = r1_mono_us();
}

bool fraud_port_due(const server *s) { return r1_mono_us() - s->port->turned_us >= TURN_US; }

void fraud_port_turn(server *s, bool drained)
{
    struct fraud_port *p = s->port;
    atomic_store(&p->heart_us, r1_mono_us());
    if (!drained || !fraud_port_due(s)) return;
    port_publish(s);
    port_hints(s, p->shown);
    r1_cli_log_flush();
}

void fraud_port_phase(server *s, fraud_phase phase)
{
    if (!s->port) return;
    atomic_store(&s->port->phase, phase);
    if (phase == FRAUD_PHASE_STOPS && s->port->desk) fraud_desk_close(s->port->desk);
    port_publish(s);
}

/* ---- life ---- */

static r1_status port_listen(struct fraud_port *p, const char *listen, r1_err *err)
{
    bool loopback = true;
    r1_status st = r1_http_check(listen, &loopback, err);
    const r1_http_opts o = {.listen = listen,
                            .routes = routes,
                            .n_route = R1_COUNT(routes),
                            .ctx = p,
                            .connections_max = CONNECTIONS};
    if (st == R1_OK) st = r1_http_start(&p->http, &o, err);
    if (st != R1_OK) return r1_err_prefix(err, "http-listen: "), st;
    if (!loopback)
        r1_log(R1_LOG_WARN, "http_open", "listen=%s the port has no login and no encryption",
               listen);
    fprintf(stderr, "r1-fraud serve: http port %d answers /livez /readyz /metrics /v1/decide\n",
            r1_http_port(p->http));
    return R1_OK;
}

static void port_free(struct fraud_port *p)
{
    if (p->desk) fraud_desk_close(p->desk);
    r1_http_stop(p->http);
    fraud_desk_free(p->desk);
    r1_store_close(p->store);
    pthread_mutex_destroy(&p->store_lock);
    pthread_mutex_destroy(&p->page_lock);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p->shown);
    free(p->next);
    free(p->drawn);
    free(p->page);
    free(p);
}

static struct fraud_port *port_new(server *s)
{
    struct fraud_port *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->s = s;
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->store_lock, NULL);
    pthread_mutex_init(&p->page_lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->shown = calloc(1, sizeof *p->shown);
    p->next = calloc(1, sizeof *p->next);
    p->drawn = calloc(1, sizeof *p->drawn);
    if (p->shown && p->next && p->drawn) {
        p->shown->started_us = p->next->started_us = r1_time_us();
        return p;
    }
    port_free(p);
    return NULL;
}

r1_status fraud_port_start(server *s, r1_err *err)
{
    const char *listen = r1_options_str(s->o, "http-listen");
    struct fraud_port *p = s->port = port_new(s);
    if (!p) R1_FAIL(err, R1_E_NOMEM, "no memory for the port");
    r1_cli_log_limit();
    port_publish(s);
    if (!listen || !*listen) return R1_OK;
    p->decide_wait_ms = (int)r1_options_int(s->o, "decide-wait");
    p->shared = r1_options_str(s->o, "events-topic") != NULL;
    if (!p->shared) R1_TRY(fraud_desk_new(&p->desk, PLACES, err));
    R1_TRY(port_listen(p, listen, err));
    pthread_mutex_lock(&p->lock);
    fraud_shown *both[] = {p->shown, p->next};
    for (size_t i = 0; i < R1_COUNT(both); i++) {
        both[i]->http = p->http;
        both[i]->route = routes;
        both[i]->n_route = R1_COUNT(routes);
    }
    pthread_mutex_unlock(&p->lock);
    return R1_OK;
}

r1_status fraud_port_watch(server *s, r1_err *err)
{
    struct fraud_port *p = s->port;
    atomic_store(&p->heart_us, r1_mono_us());
    fraud_port_phase(s, FRAUD_PHASE_RUNS);
    if (!p->http) return R1_OK; /* nobody asks */
    if (pthread_create(&p->watch, NULL, port_watch, p))
        R1_FAIL(err, R1_E_NOMEM, "no thread for the watch");
    p->watching = true;
    return R1_OK;
}

void fraud_port_stop(server *s)
{
    struct fraud_port *p = s->port;
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    if (p->watching) pthread_join(p->watch, NULL);
    s->port = NULL;
    port_free(p);
}
