/* SPDX-License-Identifier: GPL-3.0-or-later */
/* status_command.c - the command status: what runs where, in one screen. PostgreSQL is asked for
 * what is stored, the service's port for what it says of itself. Both stand in one JSON document,
 * which is printed, or a screen of it. What could not be learned is said, the rest is shown. */
#include "http/http_get.h"
#include "serve/settings.h"
#include "store/store.h"
#include "text/r1_utf8.h"
#include "write/ledger.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_MS = 3000, PAGE_BYTES_MAX = 8 << 20, WIDTH = 80 };

const r1_option fraud_status_rows[] = {
    R1_STORE_POSTGRES_ROW(R1_STORE_POSTGRES_DEFAULT, R1_STORE_POSTGRES_HELP),
    R1_STORE_DB_ROW(NULL),
    {.name = "http-listen",
     .section = "http",
     .type = R1_OPT_STRING,
     .def = "127.0.0.1:9464",
     .help = "where the service answers; empty: it is not asked"},
    {.name = "json", .type = R1_OPT_BOOL, .def = "false", .help = "print all of it as JSON"},
};
const size_t fraud_status_n_row = R1_COUNT(fraud_status_rows);

/* ---- what PostgreSQL knows: one row a section ---- */

/* Rows of the cluster and topics of the log, in their newest incarnation, are current: the others
 * are of topics that were made anew, or of an earlier broker, and nobody reads on from them. */
#define STREAM_ROWS                                                                                \
    "SELECT s.*, coalesce(s.incarnation = max(s.incarnation) OVER (PARTITION BY s.cluster_id, "    \
    "s.topic) AND (l.app IS NULL OR s.cluster_id = l.cluster_id AND s.topic IN (l.payments, "      \
    "l.labels, '" FRAUD_HTTP_TOPIC_NAME "')), false) AS current "                                  \
    "FROM r1.stream_offset s LEFT JOIN r1.log_owner l USING (app) WHERE s.app = 'fraud'"

/* Connections of a service: by the names that it gives them, or by the one name that the settings
 * give to all. */
#define SERVICE_SESSIONS                                                                           \
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND (application_name IN "    \
    "('r1-fraud', 'r1-fraud writer', 'r1-fraud keeper', 'r1-fraud watch', 'r1-fraud lease') OR "   \
    "pid <> pg_backend_pid() AND application_name = current_setting('application_name') AND "      \
    "application_name <> '" STATUS_NAME "')"
#define STATUS_NAME "r1-fraud status"

/* Each gives one JSON text. A table with a long history is asked by an index, and gives up after
 * the time-out. */
static const struct {
    const char *section, *sql;
} questions[] = {
    {"log_id", "SELECT to_json(applied_at::text) FROM r1.schema_migration WHERE version = 2"},
    /* Of several processes each that lives has its row, so another owner has left. One that works
     * alone has connections. */
    {"stream", "SELECT coalesce(json_agg(q), '[]') FROM (SELECT topic, count(*) AS partitions, "
               "o.owner, max(epoch) AS epoch, sum(next_offset)::bigint AS next_offset, cluster_id, "
               "max(incarnation) AS incarnation, "
               "round(extract(epoch FROM now() - max(updated_at)))::bigint AS moved_s, "
               "coalesce(max(m.until) <= now(), EXISTS (SELECT FROM r1.sequencer WHERE app = "
               "'fraud') OR NOT EXISTS (" SERVICE_SESSIONS ")) AS gone, "
               "CASE WHEN max(m.until) <= now() THEN "
               "round(extract(epoch FROM now() - max(m.until)))::bigint END AS gone_s, "
               "o.owner !~ '/[0-9]+$' AS by_hand "
               "FROM (" STREAM_ROWS ") o LEFT JOIN r1.member m ON m.app = 'fraud' AND "
               "m.owner = o.owner WHERE current GROUP BY topic, o.owner, cluster_id "
               "ORDER BY topic, o.owner) q"},
    {"earlier", "SELECT coalesce(json_agg(q), '[]') FROM (SELECT topic, cluster_id, incarnation, "
                "count(*) AS partitions, sum(next_offset)::bigint AS next_offset, "
                "max(updated_at) AS moved_at FROM (" STREAM_ROWS ") o WHERE NOT current "
                "GROUP BY topic, cluster_id, incarnation ORDER BY moved_at DESC) q"},
    {"members", "SELECT coalesce(json_agg(q), '[]') FROM (SELECT owner, version, waits, owned, "
                "round(extract(epoch FROM now() - since))::bigint AS up_s FROM r1.member "
                "WHERE app = 'fraud' AND until > now() ORDER BY since, owner) q"},
    {"left", "SELECT coalesce(json_agg(q), '[]') FROM (SELECT owner, "
             "round(extract(epoch FROM now() - until))::bigint AS gone_s FROM r1.member "
             "WHERE app = 'fraud' AND until <= now() AND until > now() - interval '24 hours' "
             "ORDER BY until DESC LIMIT 5) q"},
    {"differing", "SELECT coalesce(json_agg(q), '[]') FROM (SELECT key AS setting, json_agg("
                  "json_build_object('owner', owner, 'value', value) ORDER BY owner) AS found "
                  "FROM r1.member, jsonb_each_text(state || decides) WHERE app = 'fraud' AND "
                  "until > now() GROUP BY key HAVING count(DISTINCT value) > 1 OR count(*) < "
                  "(SELECT count(*) FROM r1.member WHERE app = 'fraud' AND until > now())) q"},
    {"sequencer", "SELECT row_to_json(q) FROM (SELECT events, owner, epoch, until > now() AS "
                  "alive FROM r1.sequencer WHERE app = 'fraud') q"},
    {"log", "SELECT row_to_json(q) FROM (SELECT p.apply_seq, d.model, d.config, "
            "round(extract(epoch FROM now() - p.written_at))::bigint AS written_s "
            "FROM r1.payment p JOIN r1.decision d USING (apply_seq) "
            "ORDER BY p.apply_seq DESC LIMIT 1) q"},
    {"space", "SELECT row_to_json(q) FROM (SELECT count(*) FILTER (WHERE of_table = 'payment') AS "
              "payment_partitions, sum(bytes)::bigint AS bytes FROM r1.log_partition) q"},
    {"day", "SELECT row_to_json(q) FROM (SELECT "
            "(SELECT count(*) FROM r1.dead_letter WHERE app = 'fraud' AND "
            "received_at > now() - interval '24 hours') AS dead_letters, "
            "(SELECT count(*) FROM r1.duplicate WHERE "
            "received_at > now() - interval '24 hours') AS duplicates) q"},
    {"apart", "SELECT coalesce(json_object_agg(rule, n), '{}') FROM (SELECT rule, count(*) AS n "
              "FROM r1.decision WHERE decision <> 'allow' AND score IS NULL AND "
              "decided_at > now() - interval '24 hours' GROUP BY rule) q"},
    {"outbox", "SELECT coalesce(json_agg(q), '[]') FROM (SELECT kind, topic, owner, "
               "greatest(0, coalesce(CASE kind WHEN 'decision' THEN (SELECT max(apply_seq) FROM "
               "r1.decision) ELSE (SELECT max(id) FROM r1.dead_letter) END, 0) - next_seq + 1) AS "
               "behind FROM r1.outbox WHERE app = 'fraud' ORDER BY kind, topic) q"},
    {"schema", "SELECT max(version)::text FROM r1.schema_migration"},
};

static void not_known(json_t *doc, const char *section, const char *why)
{
    json_t *all = json_object_get(doc, "not_known");
    json_object_set_new(all, section, json_string(why));
}

static void ask_section(json_t *doc, r1_store *s, size_t i)
{
    r1_err err = {0};
    r1_rows *rows = NULL;
    if (r1_store_query(s, questions[i].sql, 0, NULL, &rows, &err) != R1_OK) {
        not_known(doc, questions[i].section, err.msg);
        return;
    }
    const char *text = r1_rows_count(rows) ? r1_rows_text(rows, 0, 0) : NULL;
    json_t *value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : json_null();
    json_object_set_new(doc, questions[i].section, value ? value : json_null());
    r1_rows_free(rows);
}

static void ask_postgres(json_t *doc, const r1_options *o)
{
    const char *conninfo = NULL;
    r1_store *s = NULL;
    r1_err err = {0};
    r1_status st = r1_store_conninfo(o, &conninfo, &err);
    r1_store_end_with_signal();
    if (st == R1_OK) st = r1_store_open(&s, conninfo, STATUS_NAME, &err);
    if (st == R1_OK) st = r1_store_query(s, "SET statement_timeout = '5s'", 0, NULL, NULL, &err);
    if (st != R1_OK) not_known(doc, "postgres", err.msg);
    for (size_t i = 0; st == R1_OK && i < R1_COUNT(questions); i++) ask_section(doc, s, i);
    r1_store_close(s);
}

/* ---- what the service says ---- */

/* The label's value, with its escapes; "" where the line has none. */
static void status_label(const char *line, const char *name, char *out, size_t size)
{
    char mark[64];
    snprintf(mark, sizeof mark, "%s=\"", name);
    const char *at = strstr(line, mark);
    out[0] = 0;
    if (at) {
        at += strlen(mark);
        snprintf(out, size, "%.*s", (int)strcspn(at, "\"\n"), at);
    }
}

/* The sample's value: what stands behind the last blank of the line. */
static double status_sample(const char *line)
{
    const char *blank = strrchr(line, ' ');
    return blank ? strtod(blank, NULL) : NAN;
}

/* Calls fn with a copy of each line whose metric is `name`. */
static void status_each(const char *page, const char *name, void (*fn)(void *ctx, const char *line),
                        void *ctx)
{
    size_t n = strlen(name);
    for (const char *at = page; at && *at; at = strchr(at, '\n'), at += at != NULL) {
        char line[512];
        size_t len = strcspn(at, "\n");
        if (strncmp(at, name, n) != 0 || len >= sizeof line) continue;
        if (at[n] != '{' && at[n] != ' ') continue;
        snprintf(line, sizeof line, "%.*s", (int)len, at);
        fn(ctx, line);
    }
}

static void sample_last(void *ctx, const char *line) { *(double *)ctx = status_sample(line); }
static void sample_sum(void *ctx, const char *line) { *(double *)ctx += status_sample(line); }
static void sample_max(void *ctx, const char *line)
{
    *(double *)ctx = fmax(*(double *)ctx, status_sample(line));
}

/* One row for each number of the page that is shown. */
static const struct {
    const char *key, *metric;
    void (*take)(void *ctx, const char *line);
} numbers[] = {
    {"payments", "r1_fraud_payments_total", sample_last},
    {"lag_messages", "r1_fraud_lag_messages", sample_sum},
    {"lag_seconds", "r1_fraud_lag_seconds", sample_max},
    {"queue", "r1_fraud_queue_records", sample_last},
    {"queue_capacity", "r1_fraud_queue_capacity_records", sample_last},
    {"decided_apart", "r1_fraud_decided_apart_total", sample_sum},
    {"dead_letters", "r1_fraud_dead_letters_total", sample_sum},
    {"retries", "r1_fraud_postgres_retries_total", sample_last},
    {"memory_bytes", "process_resident_memory_bytes", sample_last},
    {"started_at", "process_start_time_seconds", sample_last},
    {"snapshot_age_s", "r1_fraud_snapshot_age_seconds", sample_last},
};

/* How full the state is: {"accounts": {"rows": 7, "capacity": 9}}. */
static void status_state(json_t *state, const char *key, const char *line)
{
    char kind[48];
    status_label(line, "table", kind, sizeof kind);
    json_t *o = json_object_get(state, kind);
    if (!o) json_object_set_new(state, kind, o = json_object());
    json_object_set_new(o, key, json_real(status_sample(line)));
}
static void status_take_rows(void *ctx, const char *line) { status_state(ctx, "rows", line); }
static void status_take_capacity(void *ctx, const char *line)
{
    status_state(ctx, "capacity", line);
}
static void status_take_evicted(void *ctx, const char *line) { status_state(ctx, "evicted", line); }

typedef struct {
    double le[64], n[64];
    size_t count;
} page_buckets;

static void status_take_bucket(void *ctx, const char *line)
{
    page_buckets *b = ctx;
    char le[32];
    if (!strstr(line, "from=\"arrival\"") || b->count == R1_COUNT(b->le)) return;
    status_label(line, "le", le, sizeof le);
    b->le[b->count] = strcmp(le, "+Inf") ? strtod(le, NULL) : INFINITY;
    b->n[b->count++] = status_sample(line);
}

/* The bucket's upper end below which 99 of 100 lie. */
static double page_p99(const char *page)
{
    page_buckets b = {.count = 0};
    status_each(page, "r1_fraud_latency_seconds_bucket", status_take_bucket, &b);
    for (size_t i = 0; i < b.count; i++)
        if (b.n[b.count - 1] > 0 && b.n[i] >= .99 * b.n[b.count - 1]) return b.le[i];
    return NAN;
}

typedef struct {
    json_t *out;
    const char *label, *key;
} page_info;

static void status_take_info(void *ctx, const char *line)
{
    const page_info *want = ctx;
    char text[128];
    status_label(line, want->label, text, sizeof text);
    json_object_set_new(want->out, want->key, json_string(text));
}

static void status_info(json_t *out, const char *page)
{
    static const struct {
        const char *metric, *label, *key;
    } infos[] = {{"r1_fraud_model_info", "name", "model_name"},
                 {"r1_fraud_model_info", "version", "model"},
                 {"r1_fraud_config_info", "version", "config"},
                 {"r1_fraud_currency_info", "currency", "currency"},
                 {"r1_fraud_currency_info", "source", "currency_from"},
                 {"r1_fraud_owner_info", "owner", "owner"}};
    for (size_t i = 0; i < R1_COUNT(infos); i++) {
        page_info want = {out, infos[i].label, infos[i].key};
        status_each(page, infos[i].metric, status_take_info, &want);
    }
}

/* What has changed and needs a restart; "": nothing. */
static void status_take_waits(void *ctx, const char *line)
{
    char text[300];
    status_label(line, "settings", text, sizeof text);
    json_object_set_new(ctx, "restart_needed", json_string(text));
}

/* The page names the columns that have moved far from training, the furthest first. */
static void status_take_moved(void *ctx, const char *line)
{
    json_t *moved = ctx;
    char column[80];
    status_label(line, "column", column, sizeof column);
    json_object_set_new(moved, column, json_real(status_sample(line)));
}

static void status_metrics(json_t *out, const char *page)
{
    for (size_t i = 0; i < R1_COUNT(numbers); i++) {
        double x = 0;
        char there[80];
        snprintf(there, sizeof there, "\n%s", numbers[i].metric);
        if (!strstr(page, there)) continue; /* this version has no such metric */
        status_each(page, numbers[i].metric, numbers[i].take, &x);
        json_object_set_new(out, numbers[i].key, json_real(x));
    }
    double p99 = page_p99(page);
    if (!isnan(p99)) json_object_set_new(out, "p99_s", isinf(p99) ? json_null() : json_real(p99));
    status_info(out, page);
    status_each(page, "r1_fraud_restart_needed", status_take_waits, out);
    json_t *moved = json_object();
    status_each(page, "r1_fraud_training_psi", status_take_moved, moved);
    json_object_set_new(out, "moved", moved);
    json_t *state = json_object();
    status_each(page, "r1_fraud_state_rows", status_take_rows, state);
    status_each(page, "r1_fraud_state_rows_max", status_take_capacity, state);
    status_each(page, "r1_fraud_state_evicted_total", status_take_evicted, state);
    json_object_set_new(out, "state", state);
}

static void ask_service(json_t *doc, const char *address)
{
    char *page = NULL;
    int status;
    r1_err err = {0};
    json_t *out = json_pack("{s:s}", "http", address);
    if (r1_http_get(address, "/readyz", ASK_MS, PAGE_BYTES_MAX, &status, &page, &err) == R1_OK) {
        json_t *ready = json_loads(page, 0, NULL);
        if (ready) json_object_update(out, ready);
        json_decref(ready);
        free(page);
        page = NULL;
        err = (r1_err){0};
        if (r1_http_get(address, "/metrics", ASK_MS, PAGE_BYTES_MAX, &status, &page, &err) == R1_OK)
            status_metrics(out, page);
        free(page);
    }
    if (err.code != R1_OK) not_known(doc, "service", err.msg);
    json_object_set_new(doc, "service", out);
}

/* Whose process answered: its numbers beside the tables of another database would mislead. */
static void judge_service(json_t *doc, const char *address)
{
    json_t *s = json_object_get(doc, "service");
    const char *ours = json_string_value(json_object_get(doc, "log_id")),
               *theirs = json_string_value(json_object_get(s, "log")),
               *owner = json_string_value(json_object_get(s, "owner"));
    char why[400];
    if (!json_object_get(s, "ready") || !ours) return;
    if (!theirs || !*theirs) {
        snprintf(why, sizeof why,
                 "the process at %.60s does not say yet which database it serves%s", address,
                 theirs ? "" : ": it is of an earlier version");
        not_known(doc, "database of the service", why);
        return;
    }
    if (!strcmp(ours, theirs)) return;
    json_object_set_new(s, "other_database", json_true());
    snprintf(why, sizeof why,
             "expected a process of this database, whose log was made at %.40s, found at %.60s "
             "%.60s of another one, whose log was made at %.40s: name the port of this one by "
             "--http-listen",
             ours, address, owner ? owner : "one", theirs);
    not_known(doc, "service", why);
}

/* ---- the screen ---- */

enum { INDENT = 11 };

/* How many bytes of text fit into room columns: up to a blank where there is one. */
static size_t screen_fits(const char *text, size_t room)
{
    char part[WIDTH + 1];
    if (strlen(text) <= room) return strlen(text);
    size_t n = r1_utf8_clean(part, room + 1, text), at = n;
    while (at > room / 2 && text[at] != ' ') at--;
    return text[at] == ' ' ? at : n;
}

/* Lines of at most WIDTH columns: what does not fit goes on below. Text of others is cleaned on its
 * way. */
R1_PRINTF(1, 2) static void screen_line(const char *format, ...)
{
    char line[1024], clean[1024], part[WIDTH + 1];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    r1_utf8_clean(clean, sizeof clean, line);
    const char *at = clean;
    int indent = 0;
    do {
        size_t n = screen_fits(at, WIDTH - (size_t)indent);
        snprintf(part, sizeof part, "%.*s", (int)n, at);
        printf("%*s", indent, "");
        r1_utf8_print(stdout, part);
        putchar('\n');
        at += n;
        at += strspn(at, " ");
        indent = INDENT;
    } while (*at);
}

static const char *status_text(json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "?";
}

static double status_number(json_t *o, const char *key)
{
    json_t *x = json_object_get(o, key);
    return json_is_number(x) ? json_number_value(x) : NAN;
}

/* A whole number, "?" where it is not known. Good until eight more were asked for. */
static const char *count_text(double x)
{
    static char ring[8][24];
    static unsigned turn;
    char *out = ring[turn++ % R1_COUNT(ring)];
    snprintf(out, sizeof ring[0], isnan(x) ? "?" : "%.0f", x);
    return out;
}

static const char *status_count(json_t *o, const char *key)
{
    return count_text(status_number(o, key));
}

/* "3 s", "4 min", "5 h", "6 d"; "?" where it is not known. */
static const char *age_text(double s, char out[24])
{
    if (isnan(s))
        snprintf(out, 24, "?");
    else if (s < 120)
        snprintf(out, 24, "%.0f s", s);
    else if (s < 7200)
        snprintf(out, 24, "%.0f min", s / 60);
    else
        snprintf(out, 24, s < 172800 ? "%.0f h" : "%.0f d", s < 172800 ? s / 3600 : s / 86400);
    return out;
}

static const char *bytes_text(double b, char out[24])
{
    snprintf(out, 24,
             b < 1 << 20   ? "%.0f B"
             : b < 1 << 30 ? "%.0f MiB"
                           : "%.1f GiB",
             b < 1 << 20   ? b
             : b < 1 << 30 ? b / (1 << 20)
                           : b / (1 << 30));
    return out;
}

/* "<= 0.25 s"; words before the first payment and past the last bucket. */
static const char *p99_text(json_t *service, char out[32])
{
    json_t *x = json_object_get(service, "p99_s");
    if (!x)
        snprintf(out, 32, "none counted");
    else if (json_is_null(x))
        snprintf(out, 32, "past all buckets");
    else
        snprintf(out, 32, "<= %.3g s", json_number_value(x));
    return out;
}

static void screen_checks(json_t *service)
{
    const char *name;
    json_t *c;
    json_object_foreach(json_object_get(service, "checks"), name, c)
    {
        if (!json_is_true(json_object_get(c, "ok")))
            screen_line("  not ready  %s: %s", name, status_text(c, "found"));
    }
}

/* Five columns are shown. */
static void screen_moved(json_t *service)
{
    const char *name;
    json_t *psi;
    int n = 0;
    json_object_foreach(json_object_get(service, "moved"), name, psi)
    {
        if (n++ < 5)
            screen_line("  moved      %s: PSI %.2f from the model's training", name,
                        json_number_value(psi));
    }
}

static void screen_state(json_t *service)
{
    const char *name;
    json_t *x;
    json_object_foreach(json_object_get(service, "state"), name, x)
    {
        bool forgets = json_object_get(x, "evicted") != NULL; /* some tables only refuse */
        screen_line("  %-10s %s of %s%s%s%s", name, status_count(x, "rows"),
                    status_count(x, "capacity"), forgets ? ", " : "",
                    forgets ? status_count(x, "evicted") : "", forgets ? " forgotten" : "");
    }
}

static void screen_service(json_t *doc)
{
    json_t *s = json_object_get(doc, "service");
    char age[24], memory[24], snapshot[24], p99[32];
    if (!json_object_get(s, "ready") || json_object_get(s, "other_database")) {
        screen_line("service    %s: %s", status_text(s, "http"),
                    json_object_get(s, "ready") ? "is of another database" : "not known");
        return;
    }
    json_t *phase = json_object_get(json_object_get(s, "checks"), "phase");
    screen_line("service    %s %s, %s, up %s, %s", status_text(s, "http"),
                status_text(phase, "found"),
                json_is_true(json_object_get(s, "ready")) ? "ready" : "NOT READY",
                age_text((double)r1_time_us() / 1e6 - status_number(s, "started_at"), age),
                bytes_text(status_number(s, "memory_bytes"), memory));
    screen_checks(s);
    screen_line("  model    %s %s", status_text(s, "model_name"), status_text(s, "model"));
    screen_line("  config   %s", status_text(s, "config"));
    if (json_object_get(s, "currency"))
        screen_line("  currency %s, from the %s", status_text(s, "currency"),
                    status_text(s, "currency_from"));
    else
        screen_line("  currency none yet: the first payment decides");
    screen_line("  lag      %s messages, %s s; p99 from arrival to committed %s",
                status_count(s, "lag_messages"), status_count(s, "lag_seconds"), p99_text(s, p99));
    screen_line("  queue    %s of %s records; %s retries of PostgreSQL", status_count(s, "queue"),
                status_count(s, "queue_capacity"), status_count(s, "retries"));
    const char *waits = json_string_value(json_object_get(s, "restart_needed"));
    if (waits && *waits) screen_line("  restart  needed by %s", waits);
    double snapshot_s = status_number(s, "snapshot_age_s");
    screen_line("  snapshot %s", isnan(snapshot_s) ? "none" : age_text(snapshot_s, snapshot));
    screen_moved(s);
    screen_state(s);
}

/* An owner that has left, and since when: nobody else has taken its partitions yet. */
static void screen_gone(json_t *x, bool shared)
{
    char age[24];
    double gone_s = status_number(x, "gone_s");
    if (!json_is_true(json_object_get(x, "gone"))) return;
    if (json_is_true(json_object_get(x, "by_hand")))
        screen_line("  gone     set by %s; no service has taken them since",
                    status_text(x, "owner"));
    else if (!isnan(gone_s))
        screen_line("  gone     %s, which had them, left %s", status_text(x, "owner"),
                    age_text(gone_s, age));
    else
        screen_line("  gone     %s, which had them, %s", status_text(x, "owner"),
                    shared ? "is none of those that live" : "has no connection to this database");
}

/* What nobody reads on from, in one line. */
static void screen_earlier(json_t *doc)
{
    json_t *all = json_object_get(doc, "earlier"), *x = json_array_get(all, 0);
    if (!x) return;
    screen_line(
        "earlier    %zu topics that nobody reads on: made anew, of another cluster or log; last "
        "%s, incarnation %s, up to offset %s: --json lists them",
        json_array_size(all), status_text(x, "topic"), status_count(x, "incarnation"),
        status_count(x, "next_offset"));
}

static void screen_stream(json_t *doc)
{
    size_t i;
    json_t *x;
    char age[24];
    screen_line("%-18s %5s %6s %12s %8s  %s", "topic", "parts", "epoch", "next", "moved", "owner");
    json_array_foreach(json_object_get(doc, "stream"), i, x)
    {
        screen_line("%-18.18s %5s %6s %12s %8s  %s", status_text(x, "topic"),
                    status_count(x, "partitions"), status_count(x, "epoch"),
                    status_count(x, "next_offset"), age_text(status_number(x, "moved_s"), age),
                    json_is_true(json_object_get(x, "gone")) ? "-" : status_text(x, "owner"));
        screen_gone(x, json_is_object(json_object_get(doc, "sequencer")));
    }
    screen_earlier(doc);
}

/* Where several processes share the stream: who of them sequences. */
static void screen_sequencer(json_t *doc)
{
    json_t *q = json_object_get(doc, "sequencer");
    if (!json_is_object(q)) return;
    screen_line("sequencer  %s%s, epoch %s, topic of events %s", status_text(q, "owner"),
                json_is_true(json_object_get(q, "alive")) ? "" : " (gone)",
                status_count(q, "epoch"), status_text(q, "events"));
}

/* Where several processes share the stream: who they are, who has left, and what differs. */
static void screen_members(json_t *doc)
{
    size_t i, k;
    json_t *x, *y;
    char age[24];
    json_array_foreach(json_object_get(doc, "members"), i, x)
    {
        screen_line("process    %s owns %s, version %s, up %s", status_text(x, "owner"),
                    status_count(x, "owned"), status_text(x, "version"),
                    age_text(status_number(x, "up_s"), age));
        if (*status_text(x, "waits"))
            screen_line("  restart  needed by %s", status_text(x, "waits"));
    }
    json_array_foreach(json_object_get(doc, "left"), i, x)
    {
        screen_line("gone       %s, for %s", status_text(x, "owner"),
                    age_text(status_number(x, "gone_s"), age));
    }
    json_array_foreach(json_object_get(doc, "differing"), i, x)
    {
        screen_line("DIFFERING  %s", status_text(x, "setting"));
        json_array_foreach(json_object_get(x, "found"), k, y)
        {
            screen_line("           %s has %s", status_text(y, "owner"), status_text(y, "value"));
        }
    }
}

static void screen_log(json_t *doc)
{
    json_t *log = json_object_get(doc, "log"), *space = json_object_get(doc, "space");
    char age[24], bytes[24];
    if (json_is_object(log))
        screen_line("log        payment %s written %s ago, model %s, config %s",
                    status_count(log, "apply_seq"), age_text(status_number(log, "written_s"), age),
                    status_text(log, "model"), status_text(log, "config"));
    else
        screen_line("log        no payment yet");
    if (json_is_object(space))
        screen_line("           %s partitions, %s", status_count(space, "payment_partitions"),
                    bytes_text(status_number(space, "bytes"), bytes));
}

/* Each count of a rule stands whole: what does not fit goes to the next line. */
static void screen_day(json_t *doc)
{
    json_t *day = json_object_get(doc, "day"), *x;
    const char *rule;
    char line[WIDTH + 1], more[WIDTH];
    size_t n = (size_t)snprintf(line, sizeof line, "24 hours   dead letters %s, duplicates %s",
                                status_count(day, "dead_letters"), status_count(day, "duplicates"));
    json_object_foreach(json_object_get(doc, "apart"), rule, x)
    {
        int len = snprintf(more, sizeof more, "%.32s %.0f", rule, json_number_value(x));
        if (n + 3 + (size_t)len > WIDTH) {
            screen_line("%s,", line);
            n = (size_t)snprintf(line, sizeof line, "           %s", more);
        } else {
            n += (size_t)snprintf(line + n, sizeof line - n, ", %s", more);
        }
    }
    screen_line("%s", line);
}

static void screen_outbox(json_t *doc)
{
    size_t i;
    json_t *x;
    json_array_foreach(json_object_get(doc, "outbox"), i, x)
    {
        screen_line("outbox     %s to %s: %s behind", status_text(x, "kind"),
                    status_text(x, "topic"), status_count(x, "behind"));
    }
}

static void screen_print(json_t *doc)
{
    const char *section;
    json_t *why, *unknown = json_object_get(doc, "not_known");
    screen_service(doc);
    if (!json_object_get(unknown, "postgres")) {
        screen_stream(doc);
        screen_sequencer(doc);
        screen_members(doc);
        screen_log(doc);
        screen_day(doc);
        screen_outbox(doc);
    }
    json_object_foreach(unknown, section, why)
    {
        screen_line("not known  %s: %s", section, json_string_value(why));
    }
}

/* 3 where something could not be learned or is not ready: for scripts. */
static int status_exit(json_t *doc)
{
    json_t *ready = json_object_get(json_object_get(doc, "service"), "ready");
    bool good =
        json_object_size(json_object_get(doc, "not_known")) == 0 && (!ready || json_is_true(ready));
    return good ? R1_EXIT_OK : R1_EXIT_CHECK;
}

int fraud_command_status(r1_cli_call *call)
{
    const char *address = r1_options_str(call->opts, "http-listen");
    json_t *doc = json_pack("{s:{}}", "not_known");
    if (!doc) return R1_EXIT_FAILED;
    if (address && *address) ask_service(doc, address);
    ask_postgres(doc, call->opts);
    judge_service(doc, address);
    if (r1_options_bool(call->opts, "json"))
        json_dumpf(doc, stdout, JSON_INDENT(2)), putchar('\n');
    else
        screen_print(doc);
    int code = status_exit(doc);
    json_decref(doc);
    return code;
}
