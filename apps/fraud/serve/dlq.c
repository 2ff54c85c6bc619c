/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dlq.c - the command dlq: dead letters are listed, shown, sent back as they are, or mended and
 * sent back. */
#include "payment/payment_map.h"
#include "serve/kafka_settings.h"
#include "serve/redrive.h"
#include "serve/settings.h"
#include "text/r1_utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const r1_option fraud_dlq_rows[] = {
    R1_STORE_POSTGRES_ROW(R1_STORE_POSTGRES_DEFAULT, R1_STORE_POSTGRES_HELP),
    R1_STORE_DB_ROW(NULL),
    FRAUD_BROKERS_ROW,
    FRAUD_KAFKA_EXTRA_ROW,
    FRAUD_KAFKA_SETTING_ROW,
    {.name = "labels-topic",
     .section = "kafka",
     .type = R1_OPT_STRING,
     .help = "topic whose mended letters are checked as labels; all others as payments"},
    {.name = "map",
     .section = "payments",
     .type = R1_OPT_PATH,
     .help = "mapping file by which mended payments are checked, as of serve"},
    {.name = "limit",
     .type = R1_OPT_INT,
     .def = "50",
     .min = 1,
     .max = 10000,
     .unit = "rows",
     .help = "most letters of a list, and of what is sent back at once"},
    {.name = "all",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "replay: every letter that was not sent back yet"},
    {.name = "stage",
     .type = R1_OPT_ENUM,
     .choices = "decode|validate|write",
     .help = "list, replay: those refused there"},
    {.name = "reason",
     .type = R1_OPT_STRING,
     .help = "list, replay: those whose reason holds this text"},
    {.name = "since",
     .type = R1_OPT_STRING,
     .help = "list, replay: those of this age at most (\"24h\", \"7 days\"), or since a time"},
    {.name = "dry-run",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "replay, mend: say what would be sent, and send nothing"},
    {.name = "force",
     .type = R1_OPT_BOOL,
     .def = "false",
     .help = "send one that came back, was sent already, or that no decoder takes"},
    {.name = "payload",
     .type = R1_OPT_PATH,
     .help = "mend: file with the new payload; without it $EDITOR is opened"},
};
const size_t fraud_dlq_n_row = R1_COUNT(fraud_dlq_rows);

typedef struct {
    const r1_options *o;
    r1_store *store;
    r1_producer *producer;
    int64_t id; /* operand; 0: none */
    r1_err *err;
} dlq_call;

/* ---- filters ---- */

/* One condition for each filter; an absent one is NULL and lets all pass. */
static const char sql_filters[] =
    " FROM r1.dead_letter WHERE app = 'fraud' AND ($1::text IS NULL OR stage = $1) "
    "AND ($2::text IS NULL OR position($2 IN reason) > 0) AND ($3::text IS NULL OR received_at > "
    "CASE WHEN $3 ~ '^[0-9]{4}-' THEN $3::timestamptz ELSE now() - $3::interval END) ";

/* PostgreSQL knows which texts are times; its error would show the whole statement. */
static r1_status dlq_since_check(const dlq_call *c)
{
    static const char sql[] = "SELECT CASE WHEN $1::text ~ '^[0-9]{4}-' THEN $1::timestamptz ELSE "
                              "now() - $1::interval END";
    const char *since = r1_options_str(c->o, "since");
    const char *param[] = {since};
    r1_err why = {0};
    if (!since) return R1_OK;
    r1_status st = r1_store_query(c->store, sql, 1, param, NULL, &why);
    if (st == R1_OK) return R1_OK;
    if (strncmp(r1_store_state(c->store), "22", 2) != 0) {
        *c->err = why;
        return st;
    }
    R1_FAIL(c->err, R1_E_INVAL,
            "--since: expected an age (\"24h\", \"7 days\") or a time (\"2026-01-31 08:00\"), "
            "found %s",
            since);
}

static r1_status dlq_filtered(const dlq_call *c, const char *select, const char *order,
                              r1_rows **rows)
{
    char sql[1024], limit[24];
    const char *param[] = {r1_options_str(c->o, "stage"), r1_options_str(c->o, "reason"),
                           r1_options_str(c->o, "since"), limit};
    R1_TRY(dlq_since_check(c));
    snprintf(limit, sizeof limit, "%lld", (long long)r1_options_int(c->o, "limit"));
    snprintf(sql, sizeof sql, "SELECT %s%s%s LIMIT $4::bigint", select, sql_filters, order);
    return r1_store_query(c->store, sql, R1_COUNT(param), param, rows, c->err);
}

static r1_status dlq_list(const dlq_call *c)
{
    r1_rows *rows;
    R1_TRY(dlq_filtered(c,
                        "id, topic, partition, kafka_offset, stage, reason, replays, payload IS "
                        "NULL",
                        "ORDER BY id DESC", &rows));
    for (size_t i = 0; i < r1_rows_count(rows); i++) {
        int64_t replays = r1_rows_int(rows, i, 6);
        printf("%s  %s/%s@%s  %s", r1_rows_text(rows, i, 0), r1_rows_text(rows, i, 1),
               r1_rows_text(rows, i, 2), r1_rows_text(rows, i, 3), r1_rows_text(rows, i, 4));
        if (replays) printf(" (replayed %lld)", (long long)replays);
        if (r1_rows_text(rows, i, 7)[0] == 't') printf(" (tombstone)");
        printf(": ");
        r1_utf8_print(stdout, r1_rows_text(rows, i, 5));
        putchar('\n');
    }
    r1_rows_free(rows);
    return R1_OK;
}

/* ---- one letter ---- */

/* Bytes of anyone: a NUL would end the text, and is shown as \0. */
static void dlq_print(const char *bytes, size_t len)
{
    for (size_t at = 0; at <= len;) {
        r1_utf8_print(stdout, bytes + at);
        at += strlen(bytes + at) + 1;
        if (at <= len) printf("\\0");
    }
}

static void print_headers(const fraud_headers *h)
{
    for (size_t i = 0; i < h->n; i++) {
        printf("header: ");
        r1_utf8_print(stdout, h->header[i].name);
        printf(" = ");
        if (h->header[i].value)
            dlq_print(h->header[i].value, h->header[i].len);
        else
            printf("(none)");
        putchar('\n');
    }
}

/* "was: 17 decode: ..." for each letter that this one was before, the newest first. */
static void print_chain(r1_store *s, int64_t parent)
{
    for (int i = 0; parent && i < FRAUD_CHAIN_MAX; i++) {
        fraud_dead_letter l;
        if (fraud_dead_letter_fetch(s, parent, &l, NULL) != R1_OK) {
            printf("was: %lld, which is not here any more\n", (long long)parent);
            return;
        }
        printf("was: %lld %s%s: ", (long long)l.id, l.stage, l.mended ? ", mended" : "");
        r1_utf8_print(stdout, l.reason);
        putchar('\n');
        parent = l.parent < l.id ? l.parent : 0; /* a header may say anything */
        fraud_dead_letter_free(&l);
    }
}

static void print_letter(r1_store *s, const fraud_dead_letter *l)
{
    printf("letter: %lld, %s/%d@%lld, received %s\n", (long long)l->id, l->topic, l->partition,
           (long long)l->offset, l->received);
    printf("stage: %s\nreason: ", l->stage);
    r1_utf8_print(stdout, l->reason);
    putchar('\n');
    if (l->replays)
        printf("replayed: %lld times, last %s%s\n", (long long)l->replays,
               l->replayed ? l->replayed : "?", l->mended ? ", mended" : "");
    print_chain(s, l->parent);
    if (l->key) {
        printf("key: ");
        dlq_print(l->key, l->key_len);
        putchar('\n');
    }
    print_headers(&l->headers);
    if (l->payload)
        dlq_print(l->payload, l->payload_len);
    else
        printf("(tombstone: no payload)");
    putchar('\n');
}

static r1_status dlq_show(const dlq_call *c)
{
    fraud_dead_letter l;
    R1_TRY(fraud_dead_letter_fetch(c->store, c->id, &l, c->err));
    print_letter(c->store, &l);
    fraud_dead_letter_free(&l);
    return R1_OK;
}

/* ---- sending back ---- */

static r1_status dlq_producer(dlq_call *c)
{
    r1_stream_opts opts = {.brokers = r1_options_str(c->o, "brokers"),
                           .extra = r1_options_str(c->o, "kafka-extra"),
                           .client_id = "r1-fraud-dlq"};
    fraud_kafka_settings(c->o, &opts);
    return c->producer ? R1_OK : r1_producer_new(&c->producer, &opts, c->err);
}

/* payload NULL: as it came. */
static r1_status dlq_send(dlq_call *c, const fraud_dead_letter *l, const char *payload, size_t len)
{
    if (!r1_options_bool(c->o, "dry-run")) {
        R1_TRY(dlq_producer(c));
        R1_TRY(fraud_dead_letter_send(c->store, c->producer, l, payload, len, c->err));
    }
    printf("%s %lld to %s%s\n", r1_options_bool(c->o, "dry-run") ? "would send" : "sent",
           (long long)l->id, l->topic,
           payload      ? ", mended"
           : l->payload ? ""
                        : ", a tombstone");
    return R1_OK;
}

/* --force sends what the check refuses, but for a letter that no topic waits for. */
static bool may_force(const dlq_call *c, const fraud_dead_letter *l, r1_status st)
{
    return st == R1_E_INVAL && r1_options_bool(c->o, "force") &&
           strcmp(l->topic, FRAUD_HTTP_TOPIC_NAME) != 0;
}

static r1_status replay_one(dlq_call *c, int64_t id)
{
    fraud_dead_letter l;
    R1_TRY(fraud_dead_letter_fetch(c->store, id, &l, c->err));
    r1_status st = fraud_dead_letter_check(&l, false, c->err);
    if (st != R1_OK && l.parent) print_chain(c->store, l.parent);
    if (may_force(c, &l, st)) st = R1_OK;
    if (st == R1_OK) st = dlq_send(c, &l, NULL, 0);
    fraud_dead_letter_free(&l);
    return st;
}

/* Oldest first, so that they arrive in the order in which they came. Those that must not be sent
 * are named and passed over. */
static r1_status replay_filtered(dlq_call *c)
{
    r1_rows *rows;
    size_t sent = 0, passed = 0;
    R1_TRY(dlq_filtered(c, "id", "AND replays = 0 ORDER BY id", &rows));
    r1_status st = R1_OK;
    for (size_t i = 0; st == R1_OK && i < r1_rows_count(rows) && !r1_cli_stopped(); i++) {
        st = replay_one(c, r1_rows_int(rows, i, 0));
        sent += st == R1_OK;
        if (st != R1_E_INVAL) continue;
        printf("passed over: %s\n", c->err->msg);
        passed++;
        r1_err_clear(c->err);
        st = R1_OK;
    }
    printf("%zu %s, %zu passed over%s\n", sent,
           r1_options_bool(c->o, "dry-run") ? "would be sent" : "sent", passed,
           r1_rows_count(rows) == (size_t)r1_options_int(c->o, "limit")
               ? "; there may be more: --limit"
               : "");
    r1_rows_free(rows);
    return st;
}

static r1_status dlq_replay(dlq_call *c)
{
    bool filter = r1_options_bool(c->o, "all") || r1_options_has(c->o, "stage") ||
                  r1_options_has(c->o, "reason") || r1_options_has(c->o, "since");
    if (filter == (c->id != 0))
        R1_FAIL(c->err, R1_E_INVAL,
                "replay: expected an ID, or --all, --stage, --reason or --since, found %s",
                filter ? "both" : "neither");
    return c->id ? replay_one(c, c->id) : replay_filtered(c);
}

/* ---- mending ---- */

enum { MEND_PATH_BYTES = 256 };

/* The decoder of the letter's topic, as the service runs it. */
static r1_status mend_check(const dlq_call *c, const fraud_dead_letter *l, const char *payload,
                            size_t len)
{
    const char *labels = r1_options_str(c->o, "labels-topic");
    fraud_payment p;
    fraud_label label;
    uint64_t content;
    if (labels && !strcmp(labels, l->topic))
        return fraud_label_decode(payload, len, &label, c->err);
    fraud_map *map = NULL;
    R1_TRY(fraud_map_load(&map, r1_options_str(c->o, "map"), stderr, c->err));
    fraud_reading reading = fraud_payment_read(map, payload, len, &p, NULL, &content, c->err);
    fraud_map_free(map);
    if (reading == FRAUD_READ_PAYMENT) return R1_OK;
    r1_err_prefix(c->err, reading == FRAUD_READ_NOTHING    ? "it would die again: "
                          : reading == FRAUD_READ_LEFT_OUT ? "nothing would be decided: "
                                                           : "it would be decided without a "
                                                             "score: ");
    return R1_E_FORMAT;
}

/* Opens the file in $VISUAL or $EDITOR, as git does: by the shell, so that "code --wait" works. */
static r1_status run_editor(const char *path, r1_err *err)
{
    const char *editor = getenv("VISUAL");
    char line[512];
    extern char **environ;
    pid_t pid;
    int code = 0;
    if (!editor || !*editor) editor = getenv("EDITOR");
    if (!editor || !*editor) editor = "vi";
    if (snprintf(line, sizeof line, "%s \"$1\"", editor) >= (int)sizeof line)
        R1_FAIL(err, R1_E_INVAL, "EDITOR: expected at most %zu bytes", sizeof line);
    char sh[] = "sh", dash_c[] = "-c", *file = strdup(path),
         *argv[] = {sh, dash_c, line, sh, file, NULL};
    int failed = !file || posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ);
    free(file);
    if (failed) R1_FAIL(err, R1_E_IO, "the editor %s does not start", editor);
    while (waitpid(pid, &code, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(code) || WEXITSTATUS(code) != 0)
        R1_FAIL(err, R1_E_CANCELLED, "the editor %s ended with a failure: nothing is sent", editor);
    return R1_OK;
}

/* The payload in a file of its own, which only this user reads. */
static r1_status mend_file(const fraud_dead_letter *l, char path[MEND_PATH_BYTES], r1_err *err)
{
    const char *folder = getenv("TMPDIR");
    int n = snprintf(path, MEND_PATH_BYTES, "%s/r1-dlq-%lld-XXXXXX",
                     folder && *folder ? folder : "/tmp", (long long)l->id);
    int fd = n < MEND_PATH_BYTES ? mkstemp(path) : -1;
    bool good = fd >= 0 &&
                write(fd, l->payload ? l->payload : "", l->payload_len) == (ssize_t)l->payload_len;
    if (fd >= 0) close(fd);
    if (good) return R1_OK;
    R1_FAIL(err, R1_E_IO, "%s: %s", path, strerror(errno));
}

static r1_status mend_edit(const fraud_dead_letter *l, char path[MEND_PATH_BYTES], char **text,
                           size_t *len, r1_err *err)
{
    R1_TRY(mend_file(l, path, err));
    R1_TRY(run_editor(path, err));
    R1_TRY(r1_file_read(path, FRAUD_PAYMENT_BYTES_MAX * 4, text, len, err));
    if (*len == l->payload_len && l->payload && !memcmp(*text, l->payload, *len)) {
        unlink(path);
        R1_FAIL(err, R1_E_CANCELLED, "letter %lld is as it was: nothing is sent", (long long)l->id);
    }
    return R1_OK;
}

/* What was edited stays in its file until it is sent. */
static r1_status mend_letter(dlq_call *c, const fraud_dead_letter *l)
{
    const char *from = r1_options_str(c->o, "payload");
    char edited[MEND_PATH_BYTES] = "", *text = NULL;
    size_t len = 0;
    r1_status st = from ? r1_file_read(from, FRAUD_PAYMENT_BYTES_MAX * 4, &text, &len, c->err)
                        : mend_edit(l, edited, &text, &len, c->err);
    if (st == R1_OK) {
        st = mend_check(c, l, text, len);
        if (st != R1_OK && r1_options_bool(c->o, "force")) st = R1_OK;
        if (st == R1_OK) st = dlq_send(c, l, text, len);
        if (st == R1_OK && *edited) unlink(edited);
    }
    if (st != R1_OK && *edited && access(edited, F_OK) == 0)
        r1_err_prefix(c->err, "what you wrote is in %s (--payload takes it): ", edited);
    free(text);
    return st;
}

static r1_status dlq_mend(dlq_call *c)
{
    fraud_dead_letter l;
    R1_TRY(fraud_dead_letter_fetch(c->store, c->id, &l, c->err));
    r1_status st = fraud_dead_letter_check(&l, true, c->err);
    if (may_force(c, &l, st)) st = R1_OK;
    if (st == R1_OK) st = mend_letter(c, &l);
    fraud_dead_letter_free(&l);
    return st;
}

/* ---- the command ---- */

static r1_status command_list(dlq_call *c) { return dlq_list(c); }
static r1_status command_show(dlq_call *c) { return dlq_show(c); }

/* One row a word. */
static const struct {
    const char *word;
    bool id, no_id; /* whether it may stand with one, and without */
    r1_status (*run)(dlq_call *c);
} words[] = {{"list", false, true, command_list},
             {"show", true, false, command_show},
             {"replay", true, true, dlq_replay},
             {"mend", true, false, dlq_mend}};

static r1_status dlq_run(dlq_call *c, size_t word)
{
    const char *conninfo = NULL;
    r1_status st = r1_store_conninfo(c->o, &conninfo, c->err);
    r1_store_end_with_signal();
    if (st == R1_OK) st = r1_store_open(&c->store, conninfo, "r1-fraud dlq", c->err);
    if (st == R1_OK) st = words[word].run(c);
    r1_producer_free(c->producer);
    r1_store_close(c->store);
    return st;
}

int fraud_command_dlq(r1_cli_call *call)
{
    const char *what = call->n_rest ? call->rest[0] : "list",
               *id = call->n_rest > 1 ? call->rest[1] : NULL;
    size_t n = id ? strlen(id) : 0, w = 0;
    while (w < R1_COUNT(words) && strcmp(words[w].word, what) != 0) w++;
    bool good = w < R1_COUNT(words) && (id ? words[w].id : words[w].no_id);
    if (!good || (id && (!n || n > 18 || strspn(id, "0123456789") != n))) {
        r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__,
                   "expected list, show ID, replay ID, mend ID, or replay with a filter");
        return R1_EXIT_USAGE;
    }
    dlq_call c = {.o = call->opts, .id = id ? strtoll(id, NULL, 10) : 0, .err = &call->err};
    return r1_cli_exit(dlq_run(&c, w));
}
