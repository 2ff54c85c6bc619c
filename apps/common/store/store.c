/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - connection, single statements, results, and the border where an SQLSTATE becomes a
 * status. */
#include "r1_assert.h"
#include "store/store_internal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* ---- errors ---- */

/* Whatever else the error says, the program ends. */
static r1_status store_cancelled(const char *doing, r1_err *err)
{
    R1_FAIL(err, R1_E_CANCELLED, "%s: the connection was ended, since the program ends", doing);
}

r1_status r1_store_fail(r1_store *s, const PGresult *res, const char *doing, r1_err *err)
{
    const char *state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    const char *text = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *detail = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL) : NULL;
    bool lost = !s->conn || PQstatus(s->conn) != CONNECTION_OK;
    if (!state) state = lost ? "08006" : "XX000";
    if (!text) text = s->conn ? PQerrorMessage(s->conn) : "not connected";
    const r1_state_row *row = r1_state_of(state);
    snprintf(s->state, sizeof s->state, "%s", state);
    r1_status st = r1_state_status(row);
    int len = (int)strcspn(text, "\n");
    snprintf(s->said, sizeof s->said, "%.*s", len, text);
    r1_err_set(err, st, __FILE__, __LINE__, "%s: %.*s%s%s (SQLSTATE %s)%s%s", doing, len, text,
               detail ? "; " : "", detail ? detail : "", state, *row->remedy ? ": " : "",
               row->remedy);
    if (err) err->retriable = lost || row->kind == R1_STATE_TRANSIENT;
    if (lost && r1_store_ended()) st = store_cancelled(doing, err);
    s->stale = s->stale || row->reconnect;
    if (row->pooled) r1_store_pool(s);
    return st;
}

/* ---- connection ---- */

static r1_status prepare_now(r1_store *s, size_t i, r1_err *err)
{
    if (s->pooled) return R1_OK; /* it travels with each transaction */
    PGresult *res = PQprepare(s->conn, s->prepared[i].name, s->prepared[i].sql,
                              (int)s->prepared[i].n_param, NULL);
    r1_status st = PQresultStatus(res) == PGRES_COMMAND_OK
                       ? R1_OK
                       : r1_store_fail(s, res, s->prepared[i].name, err);
    PQclear(res);
    return st;
}

/* ---- what a connection needs, before there is one ---- */

/* libpq refuses these values when it connects, not when it parses. A row has one of two:
 * the words that it takes, or the range of a whole number. A list has one value per host. */
static const struct {
    const char *keyword, *words; /* "|" between words */
    long min, max;
    bool list, versions; /* versions: in any case of letters, and empty is the default */
} conninfo_rows[] = {
    {.keyword = "port", .min = 1, .max = 65535, .list = true},
    {.keyword = "sslmode", .words = "disable|allow|prefer|require|verify-ca|verify-full"},
    {.keyword = "sslnegotiation", .words = "postgres|direct"},
    {.keyword = "sslcertmode", .words = "disable|allow|require"},
    {.keyword = "gssencmode", .words = "disable|prefer|require"},
    {.keyword = "channel_binding", .words = "disable|prefer|require"},
    {.keyword = "load_balance_hosts", .words = "disable|random"},
    {.keyword = "target_session_attrs",
     .words = "any|read-write|read-only|primary|standby|prefer-standby"},
    {.keyword = "ssl_min_protocol_version",
     .words = "TLSv1|TLSv1.1|TLSv1.2|TLSv1.3",
     .versions = true},
    {.keyword = "ssl_max_protocol_version",
     .words = "TLSv1|TLSv1.1|TLSv1.2|TLSv1.3",
     .versions = true},
    {.keyword = "keepalives", .min = INT_MIN, .max = INT_MAX},
    {.keyword = "keepalives_idle", .min = INT_MIN, .max = INT_MAX},
    {.keyword = "keepalives_interval", .min = INT_MIN, .max = INT_MAX},
    {.keyword = "keepalives_count", .min = INT_MIN, .max = INT_MAX},
    {.keyword = "tcp_user_timeout", .min = INT_MIN, .max = INT_MAX},
};

static bool conninfo_word(const char *words, const char *text, bool versions)
{
    if (!*text) return versions;
    for (const char *w = words; *w;) {
        size_t len = strcspn(w, "|");
        if (strlen(text) == len && !(versions ? strncasecmp : strncmp)(w, text, len)) return true;
        w += len + (w[len] == '|');
    }
    return false;
}

static bool conninfo_number(const char *text, size_t len, long min, long max)
{
    static const char blank[] = " \t\n\v\f\r"; /* as isspace has it */
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (end == text || errno || end > text + len) return false;
    return end + strspn(end, blank) >= text + len && n >= min && n <= max;
}

/* "5432" or "5432,,5433": an empty one is the default. */
static bool conninfo_numbers(const char *text, long min, long max, bool list)
{
    for (const char *p = text;; p++) {
        size_t len = list ? strcspn(p, ",") : strlen(p);
        if (len && !conninfo_number(p, len, min, max)) return false;
        p += len;
        if (!*p) return true;
    }
}

/* A conninfo holds passwords, and one that is quoted badly has them anywhere: what is found stays
 * unsaid. */
static r1_status conninfo_value(size_t row, const char *text, r1_err *err)
{
    const char *keyword = conninfo_rows[row].keyword, *words = conninfo_rows[row].words;
    long min = conninfo_rows[row].min, max = conninfo_rows[row].max;
    if (words && !conninfo_word(words, text, conninfo_rows[row].versions))
        R1_FAIL(err, R1_E_INVAL, "postgres: %s: expected one of %s, found another text", keyword,
                words);
    if (!words && !conninfo_numbers(text, min, max, conninfo_rows[row].list))
        R1_FAIL(err, R1_E_INVAL,
                "postgres: %s: expected a whole number from %ld to %ld, found another text",
                keyword, min, max);
    return R1_OK;
}

static const char *conninfo_find(const PQconninfoOption *o, const char *keyword)
{
    for (; o && o->keyword; o++)
        if (!strcmp(o->keyword, keyword)) return o->val;
    return NULL;
}

/* Each value of the text, or where it has none that of the environment. */
static r1_status conninfo_values(const PQconninfoOption *given, const PQconninfoOption *defaults,
                                 r1_err *err)
{
    for (size_t i = 0; i < R1_COUNT(conninfo_rows); i++) {
        const char *keyword = conninfo_rows[i].keyword, *text = conninfo_find(given, keyword);
        if (!text) text = conninfo_find(defaults, keyword);
        if (text) R1_TRY(conninfo_value(i, text, err));
    }
    return R1_OK;
}

static size_t conninfo_count(const char *list)
{
    size_t n = 1;
    for (; list && *list; list++) n += *list == ',';
    return n;
}

/* One port is that of each host; else each host has its own. */
static r1_status conninfo_ports(const PQconninfoOption *given, r1_err *err)
{
    const char *address = conninfo_find(given, "hostaddr"), *host = conninfo_find(given, "host");
    size_t n_port = conninfo_count(conninfo_find(given, "port")),
           n_host = conninfo_count(address && *address ? address : host);
    if (n_port == 1 || n_port == n_host) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "postgres: port: expected one port, or one for each of %zu hosts, found %zu", n_host,
            n_port);
}

r1_status r1_store_check(const char *conninfo, r1_err *err)
{
    PQconninfoOption *given = NULL, *defaults = PQconndefaults();
    bool name = !strchr(conninfo, '=') && !strstr(conninfo, "://"); /* of a database */
    if (!name && !(given = PQconninfoParse(conninfo, NULL))) {
        PQconninfoFree(defaults);
        R1_FAIL(
            err, R1_E_INVAL,
            "postgres: expected key=value pairs or a URI as libpq takes them, found a text that "
            "it refuses");
    }
    r1_status st = conninfo_values(given, defaults, err);
    if (st == R1_OK) st = conninfo_ports(given, err);
    PQconninfoFree(given);
    PQconninfoFree(defaults);
    return st;
}

bool r1_store_has_password(const char *conninfo)
{
    PQconninfoOption *given = PQconninfoParse(conninfo, NULL);
    bool found = given && (conninfo_find(given, "password") || conninfo_find(given, "sslpassword"));
    PQconninfoFree(given);
    return found;
}

/* ---- the open ones ---- */

/* libpq closes a socket only after it was hidden here, so a descriptor that is found under the lock
 * is still that connection's. */
static struct {
    pthread_mutex_t lock; /* guards first, the stores' fd, next and prev */
    r1_store *first;
    atomic_bool ended;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool r1_store_ended(void) { return atomic_load(&all.ended); }

bool r1_store_expose(r1_store *s)
{
    pthread_mutex_lock(&all.lock);
    s->fd = PQsocket(s->conn);
    if (all.ended && s->fd >= 0) shutdown(s->fd, SHUT_RDWR);
    pthread_mutex_unlock(&all.lock);
    return !r1_store_ended();
}

void r1_store_end_all(void)
{
    pthread_mutex_lock(&all.lock);
    atomic_store(&all.ended, true);
    for (r1_store *s = all.first; s; s = s->next)
        if (s->fd >= 0) shutdown(s->fd, SHUT_RDWR);
    pthread_mutex_unlock(&all.lock);
}

static void store_join(r1_store *s)
{
    pthread_mutex_lock(&all.lock);
    s->fd = -1;
    s->next = all.first;
    if (s->next) s->next->prev = s;
    all.first = s;
    pthread_mutex_unlock(&all.lock);
}

static void store_unjoin(r1_store *s)
{
    pthread_mutex_lock(&all.lock);
    if (s->prev) s->prev->next = s->next;
    if (s->next) s->next->prev = s->prev;
    if (all.first == s) all.first = s->next;
    pthread_mutex_unlock(&all.lock);
}

/* ---- opening and closing ---- */

r1_status r1_store_open(r1_store **out, const char *conninfo, const char *application, r1_err *err)
{
    const r1_store_opts opts = {.application = application, .statement_s = R1_STATEMENT_S};
    return r1_store_open_with(out, conninfo, &opts, err);
}

r1_status r1_store_open_with(r1_store **out, const char *conninfo, const r1_store_opts *opts,
                             r1_err *err)
{
    r1_store *s = calloc(1, sizeof *s);
    if (s) store_join(s);
    if (s) s->conninfo = strdup(conninfo), s->application = strdup(opts->application);
    if (s) s->statement_s = opts->statement_s, s->answer_ms = opts->answer_ms;
    if (!s || !s->conninfo || !s->application) {
        r1_store_close(s);
        R1_FAIL(err, R1_E_NOMEM, "no memory for a PostgreSQL connection");
    }
    r1_status st = r1_store_connect(s, err);
    if (st != R1_OK) {
        r1_store_close(s);
        return st;
    }
    *out = s;
    return R1_OK;
}

r1_status r1_store_reopen(r1_store *s, r1_err *err)
{
    R1_TRY(r1_store_connect(s, err));
    for (size_t i = 0; i < s->n_prepared; i++) R1_TRY(prepare_now(s, i, err));
    return R1_OK;
}

void r1_store_drop(r1_store *s)
{
    pthread_mutex_lock(&all.lock);
    s->fd = -1;
    pthread_mutex_unlock(&all.lock);
    PQfinish(s->conn);
    s->conn = NULL;
}

void r1_store_close(r1_store *s)
{
    if (!s) return;
    store_unjoin(s);
    r1_store_drop(s);
    free(s->conninfo);
    free(s->application);
    free(s->local);
    free(s);
}

bool r1_store_alive(const r1_store *s)
{
    return s->conn && PQstatus(s->conn) == CONNECTION_OK && !s->stale;
}

const char *r1_store_encoding(const r1_store *s)
{
    const char *name = s->conn ? PQparameterStatus(s->conn, "server_encoding") : NULL;
    return name ? name : "unknown";
}

const char *r1_store_state(const r1_store *s) { return s->state; }
const char *r1_store_said(const r1_store *s) { return s->said; }

bool r1_store_pooled(const r1_store *s) { return s->pooled; }

const char *r1_store_where(const r1_store *s, char *text, size_t size)
{
    const char *db = PQdb(s->conn), *host = PQhost(s->conn), *port = PQport(s->conn);
    snprintf(text, size, "%s at %s port %s", db ? db : "?", host && *host ? host : "?",
             port && *port ? port : "?");
    return text;
}

/* ---- statements ---- */

/* Through a pooler each statement brings its settings, in a transaction of its own unless one is
 * open. True where this call opened one. */
static bool store_enter(r1_store *s, const char *sql)
{
    if (!s->pooled || PQtransactionStatus(s->conn) != PQTRANS_IDLE || !strcmp(sql, "BEGIN"))
        return false;
    PQclear(PQexecParams(s->conn, "BEGIN", 0, NULL, NULL, NULL, NULL, 0));
    PQclear(PQexecParams(s->conn, s->local, 0, NULL, NULL, NULL, NULL, 0));
    return true;
}

static r1_status store_leave(r1_store *s, bool good)
{
    PGresult *res =
        PQexecParams(s->conn, good ? "COMMIT" : "ROLLBACK", 0, NULL, NULL, NULL, NULL, 0);
    bool done = PQresultStatus(res) == PGRES_COMMAND_OK;
    PQclear(res);
    return done ? R1_OK : R1_E_DB;
}

static r1_status store_wrap(PGresult *res, r1_rows **out, r1_err *err)
{
    if (!out) {
        PQclear(res);
        return R1_OK;
    }
    *out = malloc(sizeof **out);
    if (!*out) {
        PQclear(res);
        R1_FAIL(err, R1_E_NOMEM, "no memory for a result");
    }
    (*out)->res = res;
    return R1_OK;
}

/* At the limit the connection is shut: what libpq then finds is a lost one. */
static void store_await(r1_store *s)
{
    int64_t until = r1_mono_us() + s->answer_ms * 1000;
    struct pollfd fd = {.fd = PQsocket(s->conn), .events = POLLIN};
    while (PQisBusy(s->conn) && PQstatus(s->conn) == CONNECTION_OK) {
        int64_t left_ms = (until - r1_mono_us()) / 1000;
        if (left_ms <= 0) shutdown(fd.fd, SHUT_RDWR);
        if (poll(&fd, 1, left_ms > 0 ? (int)left_ms : 0) >= 0 && !PQconsumeInput(s->conn)) return;
    }
}

/* PQexecParams, with the limit of the store where it has one. */
static PGresult *store_exec(r1_store *s, const char *sql, size_t n_param, const char *const *param)
{
    if (!s->answer_ms || !s->conn)
        return PQexecParams(s->conn, sql, (int)n_param, NULL, param, NULL, NULL, 0);
    if (!PQsendQueryParams(s->conn, sql, (int)n_param, NULL, param, NULL, NULL, 0)) return NULL;
    store_await(s);
    PGresult *first = PQgetResult(s->conn);
    for (PGresult *more; (more = PQgetResult(s->conn));) PQclear(more);
    return first;
}

r1_status r1_store_query(r1_store *s, const char *sql, size_t n_param, const char *const *param,
                         r1_rows **out, r1_err *err)
{
    if (out) *out = NULL;
    R1_ASSERT(!s->in_batch, "a query inside of a transaction of statements: %.60s", sql);
    char doing[80];
    snprintf(doing, sizeof doing, "%.60s", sql);
    bool own = store_enter(s, sql);
    PGresult *res = store_exec(s, sql, n_param, param);
    ExecStatusType got = PQresultStatus(res);
    bool good = got == PGRES_COMMAND_OK || got == PGRES_TUPLES_OK;
    r1_status st = good ? R1_OK : r1_store_fail(s, res, doing, err);
    if (good && s->pooled && !strcmp(sql, "BEGIN"))
        PQclear(PQexecParams(s->conn, s->local, 0, NULL, NULL, NULL, NULL, 0));
    if (own && store_leave(s, good) != R1_OK && good) {
        good = false;
        st = r1_store_fail(s, NULL, doing, err);
    }
    if (good) return store_wrap(res, out, err);
    PQclear(res);
    return st;
}

r1_status r1_store_script(r1_store *s, const char *sql, r1_err *err)
{
    PGresult *res =
        PQexec(s->conn, sql); /* banned elsewhere: this is the one place for scripts of our own */
    ExecStatusType got = PQresultStatus(res);
    r1_status st = got == PGRES_COMMAND_OK || got == PGRES_TUPLES_OK
                       ? R1_OK
                       : r1_store_fail(s, res, "script", err);
    PQclear(res);
    return st;
}

r1_status r1_store_prepare(r1_store *s, const char *name, const char *sql, size_t n_param,
                           r1_err *err)
{
    if (s->n_prepared == STORE_PREPARED_MAX)
        R1_FAIL(err, R1_E_NOMEM, "more than %d prepared statements", STORE_PREPARED_MAX);
    s->prepared[s->n_prepared].name = name;
    s->prepared[s->n_prepared].sql = sql;
    s->prepared[s->n_prepared].n_param = n_param;
    R1_TRY(prepare_now(s, s->n_prepared, err));
    s->n_prepared++;
    return R1_OK;
}

static void store_discard(r1_store *s)
{
    for (PGresult *res; (res = PQgetResult(s->conn));) PQclear(res);
}

r1_status r1_store_each(r1_store *s, const char *sql, size_t n_param, const char *const *param,
                        r1_row_fn fn, void *ctx, r1_err *err)
{
    bool own = store_enter(s, sql);
    if (!PQsendQueryParams(s->conn, sql, (int)n_param, NULL, param, NULL, NULL, 0) ||
        !PQsetSingleRowMode(s->conn))
        return r1_store_fail(s, NULL, "query", err);
    r1_status st = R1_OK;
    bool stop = false;
    for (PGresult *res; (res = PQgetResult(s->conn));) {
        ExecStatusType got = PQresultStatus(res);
        r1_rows row = {res};
        if (got == PGRES_SINGLE_TUPLE) {
            if (!stop) stop = fn(ctx, &row) != 0;
        } else if (got != PGRES_TUPLES_OK && st == R1_OK) {
            st = r1_store_fail(s, res, "query", err);
        }
        PQclear(res);
    }
    if (own) store_leave(s, st == R1_OK);
    return st;
}

/* ---- results ---- */

void r1_rows_free(r1_rows *r)
{
    if (!r) return;
    PQclear(r->res);
    free(r);
}

size_t r1_rows_count(const r1_rows *r) { return (size_t)PQntuples(r->res); }
size_t r1_rows_cols(const r1_rows *r) { return (size_t)PQnfields(r->res); }
int64_t r1_rows_affected(const r1_rows *r) { return strtoll(PQcmdTuples(r->res), NULL, 10); }
const char *r1_rows_name(const r1_rows *r, size_t col) { return PQfname(r->res, (int)col); }

const char *r1_rows_text(const r1_rows *r, size_t row, size_t col)
{
    return PQgetisnull(r->res, (int)row, (int)col) ? NULL : PQgetvalue(r->res, (int)row, (int)col);
}

int64_t r1_rows_int(const r1_rows *r, size_t row, size_t col)
{
    const char *t = r1_rows_text(r, row, col);
    return t ? strtoll(t, NULL, 10) : 0;
}

/* ---- pipelined transactions ---- */

enum {
    FLUSH_EVERY = 128
}; /* beyond this, unread results could fill both socket buffers and stop both sides */

static void note_error(r1_store *s, const PGresult *res)
{
    if (s->batch_failed) return;
    s->batch_failed = true;
    r1_store_fail(s, res, "transaction", &s->batch_err);
}

/* Results that do not come although the connection lives: nobody knows what the server did. The
 * connection is given up; r1_store_reopen makes another. */
static void give_up(r1_store *s)
{
    if (!s->batch_failed) {
        s->batch_failed = true;
        r1_err_set(&s->batch_err, R1_E_DB, __FILE__, __LINE__,
                   "transaction: expected the results of %zu statements, found %zu", s->n_sent,
                   s->n_read);
        s->batch_err.retriable = true;
    }
    r1_store_drop(s);
}

/* The next result of the pipeline. A statement's result is followed by a NULL, so a few NULLs in
 * a row mean that libpq waits for none. NULL: the batch has failed. */
static PGresult *next_result(r1_store *s)
{
    enum { NULLS_MAX = 4 };
    for (int i = 0; i < NULLS_MAX && PQstatus(s->conn) == CONNECTION_OK; i++) {
        PGresult *res = PQgetResult(s->conn);
        if (res) return res;
    }
    if (PQstatus(s->conn) == CONNECTION_OK)
        give_up(s);
    else
        note_error(s, NULL);
    return NULL;
}

/* Reads the results of the statements sent so far. */
static void read_results(r1_store *s)
{
    while (s->n_read < s->n_sent) {
        PGresult *res = next_result(s);
        if (!res) return;
        ExecStatusType got = PQresultStatus(res);
        if (got == PGRES_FATAL_ERROR) note_error(s, res);
        PQclear(res);
        if (got == PGRES_PIPELINE_SYNC) {
            give_up(s);
            return;
        }
        if (PQstatus(s->conn) != CONNECTION_OK) {
            note_error(s, NULL);
            return;
        }
        s->n_read++;
    }
}

static r1_status send_plain(r1_store *s, const char *sql)
{
    if (!PQsendQueryParams(s->conn, sql, 0, NULL, NULL, NULL, NULL, 0))
        note_error(s, NULL);
    else
        s->n_sent++;
    return s->batch_failed ? s->batch_err.code : R1_OK;
}

/* Ends the pipeline with a sync and returns to plain mode. */
static void leave_pipeline(r1_store *s)
{
    if (!s->in_batch) return;
    s->in_batch = false;
    if (PQstatus(s->conn) != CONNECTION_OK) return;
    if (!PQpipelineSync(s->conn)) {
        note_error(s, NULL);
        return;
    }
    read_results(s);
    for (bool synced = false; !synced && PQstatus(s->conn) == CONNECTION_OK;) {
        PGresult *res = next_result(s);
        synced = res && PQresultStatus(res) == PGRES_PIPELINE_SYNC;
        PQclear(res);
    }
    if (PQstatus(s->conn) != CONNECTION_OK) return;
    R1_ASSERT(s->n_read == s->n_sent, "%zu results of %zu statements", s->n_read, s->n_sent);
    if (!PQexitPipelineMode(s->conn)) note_error(s, NULL);
}

static void roll_back(r1_store *s)
{
    leave_pipeline(s);
    if (PQstatus(s->conn) == CONNECTION_OK && PQtransactionStatus(s->conn) != PQTRANS_IDLE)
        PQclear(PQexecParams(s->conn, "ROLLBACK", 0, NULL, NULL, NULL, NULL, 0));
    if (PQstatus(s->conn) == CONNECTION_OK) store_discard(s);
}

r1_status r1_store_batch_begin(r1_store *s, r1_err *err)
{
    R1_ASSERT(!s->in_batch, "a transaction inside of another one");
    s->n_sent = s->n_read = 0;
    s->batch_failed = false;
    r1_err_clear(&s->batch_err);
    if (!PQenterPipelineMode(s->conn)) return r1_store_fail(s, NULL, "entering pipeline mode", err);
    s->in_batch = true;
    if (send_plain(s, "BEGIN") != R1_OK || (s->pooled && send_plain(s, s->local) != R1_OK)) {
        roll_back(s);
        if (err) *err = s->batch_err;
        return s->batch_err.code;
    }
    return R1_OK;
}

/* By its name; through a pooler by its text. */
static int store_send(r1_store *s, const char *prepared, size_t n_param, const char *const *param,
                      const int *length, const int *format)
{
    int n = (int)n_param;
    if (!s->pooled) return PQsendQueryPrepared(s->conn, prepared, n, param, length, format, 0);
    for (size_t i = 0; i < s->n_prepared; i++)
        if (!strcmp(s->prepared[i].name, prepared))
            return PQsendQueryParams(s->conn, s->prepared[i].sql, n, NULL, param, length, format,
                                     0);
    return 0;
}

r1_status r1_store_batch_send(r1_store *s, const char *prepared, size_t n_param,
                              const char *const *param, const int *length, const int *format,
                              r1_err *err)
{
    R1_ASSERT(s->in_batch, "%s: outside of a transaction", prepared);
    R1_ASSERT(s->n_read <= s->n_sent, "%zu results of %zu statements", s->n_read, s->n_sent);
    if (!s->batch_failed) {
        if (!store_send(s, prepared, n_param, param, length, format))
            note_error(s, NULL);
        else
            s->n_sent++;
    }
    if (!s->batch_failed && s->n_sent - s->n_read >= FLUSH_EVERY) {
        if (!PQsendFlushRequest(s->conn) || PQflush(s->conn) < 0)
            note_error(s, NULL);
        else
            read_results(s);
    }
    if (!s->batch_failed) return R1_OK;
    if (err) *err = s->batch_err;
    return s->batch_err.code;
}

r1_status r1_store_batch_add(r1_store *s, const char *prepared, size_t n_param,
                             const char *const *param, r1_err *err)
{
    return r1_store_batch_send(s, prepared, n_param, param, NULL, NULL, err);
}

r1_status r1_store_batch_commit(r1_store *s, r1_err *err)
{
    if (!s->batch_failed) send_plain(s, "COMMIT");
    leave_pipeline(s);
    if (!s->batch_failed) return R1_OK;
    roll_back(s);
    if (err) *err = s->batch_err;
    return s->batch_err.code;
}

void r1_store_batch_abort(r1_store *s)
{
    s->batch_failed = true;
    roll_back(s);
}
