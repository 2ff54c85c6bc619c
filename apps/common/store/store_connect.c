/* SPDX-License-Identifier: Apache-2.0 */
/* store_connect.c - one connection with its session settings, also through a pooler.
 *
 * Settings travel as the start-up parameter `options`: ours first, then those of the user, who so
 * has the last word, then the few that results are read by. A pooler may refuse that parameter, or
 * pass over it. The setting r1.session tells: where it did not arrive, the connection counts as
 * pooled. Each transaction then sets the same for itself, and no statement stays prepared. */
#include "r1_assert.h"
#include "store/store_internal.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_TIMEOUT_S = 10, OPTIONS_BYTES = 1024, HOSTS_MAX = 64 };

static const char own_settings[] =
    "-c search_path=r1,pg_temp -c idle_in_transaction_session_timeout=3s";
static const char fixed_settings[] = "-c client_min_messages=warning -c extra_float_digits=3 "
                                     "-c timezone=UTC -c datestyle=ISO -c r1.session=1";

/* ---- what the user said ---- */

static char *connect_value(const PQconninfoOption *o, const char *keyword)
{
    for (; o && o->keyword; o++)
        if (!strcmp(o->keyword, keyword)) return o->val && *o->val ? strdup(o->val) : NULL;
    return NULL;
}

/* A keyword's value in the connection's text, or where it has none in the environment. */
static char *connect_given(const char *conninfo, const char *keyword)
{
    bool name = !strchr(conninfo, '=') && !strstr(conninfo, "://");
    PQconninfoOption *given = name ? NULL : PQconninfoParse(conninfo, NULL);
    char *value = connect_value(given, keyword);
    PQconninfoFree(given);
    if (value) return value;
    PQconninfoOption *defaults = PQconndefaults();
    value = connect_value(defaults, keyword);
    PQconninfoFree(defaults);
    return value;
}

static r1_status connect_options(const r1_store *s, char *out, r1_err *err)
{
    char *given = connect_given(s->conninfo, "options");
    int len = snprintf(out, OPTIONS_BYTES, "%s -c statement_timeout=%llds %s %s", own_settings,
                       (long long)s->statement_s, given ? given : "", fixed_settings);
    free(given);
    if (len < OPTIONS_BYTES) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "postgres: options: expected at most %d bytes, found %d",
            OPTIONS_BYTES / 2, len);
}

/* "-c name=value" by "-c name=value" as one statement that lasts as long as its transaction. */
static r1_status connect_local(r1_store *s, const char *options, r1_err *err)
{
    char *copy = strdup(options), *save = NULL, *sql = NULL;
    size_t size;
    FILE *f = copy ? open_memstream(&sql, &size) : NULL;
    for (char *p = f ? strtok_r(copy, " \t", &save) : NULL, *eq; p;
         p = strtok_r(NULL, " \t", &save)) {
        if (!strncmp(p, "-c", 2)) p += 2;
        if (!strncmp(p, "--", 2)) p += 2;
        if (!*p || !(eq = strchr(p, '='))) continue;
        *eq = 0;
        char *name = PQescapeLiteral(s->conn, p, strlen(p)),
             *value = PQescapeLiteral(s->conn, eq + 1, strlen(eq + 1));
        if (name && value)
            fprintf(f, "%sset_config(%s, %s, true)", ftell(f) ? ", " : "SELECT ", name, value);
        PQfreemem(name);
        PQfreemem(value);
    }
    if (f) fclose(f);
    free(copy);
    free(s->local);
    s->local = sql;
    if (!sql || !*sql) R1_FAIL(err, R1_E_NOMEM, "no memory for the settings of a transaction");
    return R1_OK;
}

/* ---- connecting ---- */

static int64_t connect_until(PGconn *conn)
{
    PQconninfoOption *used = PQconninfo(conn);
    char *timeout = connect_value(used, "connect_timeout"), *hosts = connect_value(used, "host");
    long each = timeout ? strtol(timeout, NULL, 10) : CONNECT_TIMEOUT_S, n = 1;
    for (const char *p = hosts; p && *p && n < HOSTS_MAX; p++) n += *p == ',';
    free(timeout);
    free(hosts);
    PQconninfoFree(used);
    return each > 0 ? r1_mono_us() + each * n * 1000000 : INT64_MAX;
}

/* Without blocking, because only so the error carries its SQLSTATE: the verbosity must be set
 * before the server answers. */
static bool connect_wait(r1_store *s)
{
    PGconn *conn = s->conn;
    PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
    int64_t until = connect_until(conn);
    for (PostgresPollingStatusType next = PGRES_POLLING_WRITING; next != PGRES_POLLING_OK;) {
        struct pollfd fd = {.fd = PQsocket(conn),
                            .events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        if (PQstatus(conn) == CONNECTION_BAD || next == PGRES_POLLING_FAILED) return false;
        if (!r1_store_expose(s)) return false;
        int64_t left_us = until - r1_mono_us();
        if (left_us <= 0) return false;
        (void)poll(&fd, 1, left_us < 1000000 ? (int)(left_us / 1000) + 1 : 1000);
        if (fd.revents) next = PQconnectPoll(conn);
    }
    PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
    return true;
}

/* The code of "FATAL:  28P01: password ..." in libpq's text; "" where the server said none. */
static void connect_sqlstate(const char *text, char *code)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    *code = 0;
    for (const char *p = text; (p = strstr(p, ":  ")); p += 3) {
        if (strspn(p + 3, letters) != 5 || strncmp(p + 8, ": ", 2) != 0) continue;
        memcpy(code, p + 3, 5);
        code[5] = 0;
    }
}

static size_t connect_occurs(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)); text++) n++;
    return n;
}

/* The first line of libpq's text. Of a long one the end is kept, where the reason stands: the path
 * of a socket or the name of a host comes before it. */
static const char *connect_reason(const char *text, char *out, size_t size)
{
    enum { HEAD = 60 };
    size_t len = strcspn(text, "\n");
    if (len < size)
        snprintf(out, size, "%.*s", (int)len, text);
    else
        snprintf(out, size, "%.*s...%.*s", HEAD, text, (int)(size - HEAD - 4),
                 text + len - (size - HEAD - 4));
    return out;
}

/* A failure is final only where a single server said so: among several, another may come back. */
static r1_status connect_failed(const char *text, r1_err *err)
{
    char code[8], reason[240];
    connect_sqlstate(text, code);
    const r1_state_row *row = r1_state_of(*code ? code : "08006");
    bool one = connect_occurs(text, "connection to server") <= 1;
    bool final = row->kind != R1_STATE_TRANSIENT && one;
    r1_err_set(err, R1_E_DB, __FILE__, __LINE__, "connecting to PostgreSQL: %s%s%s",
               connect_reason(text, reason, sizeof reason), *row->remedy ? ": " : "", row->remedy);
    if (err) err->retriable = !final;
    return R1_E_DB;
}

static r1_status connect_once(r1_store *s, const char *options, r1_err *err)
{
    char *timeout = connect_given(s->conninfo, "connect_timeout");
    char seconds[16];
    snprintf(seconds, sizeof seconds, "%d", CONNECT_TIMEOUT_S);
    /* What stands before dbname yields to the connection's text. */
    const char *keys[] = {"connect_timeout", "application_name", "dbname",
                          "client_encoding", "options",          NULL};
    const char *values[] = {
        timeout ? timeout : seconds, s->application, s->conninfo, "UTF8", options, NULL};
    r1_store_drop(s);
    s->in_batch = s->stale = false;
    s->conn = PQconnectStartParams(keys, values, 1);
    free(timeout);
    if (!s->conn) R1_FAIL(err, R1_E_NOMEM, "no memory for a PostgreSQL connection");
    if (connect_wait(s) && r1_store_expose(s)) return R1_OK;
    if (r1_store_ended())
        R1_FAIL(err, R1_E_CANCELLED, "connecting to PostgreSQL: the program ends");
    bool refused = PQstatus(s->conn) == CONNECTION_BAD;
    return connect_failed(refused ? PQerrorMessage(s->conn) : "no answer in time", err);
}

/* Whether the settings have arrived. */
static bool connect_has_settings(r1_store *s)
{
    PGresult *res = PQexecParams(s->conn, "SELECT current_setting('r1.session', true)", 0, NULL,
                                 NULL, NULL, NULL, 0);
    bool there = PQresultStatus(res) == PGRES_TUPLES_OK && !strcmp(PQgetvalue(res, 0, 0), "1");
    PQclear(res);
    return there;
}

void r1_store_pool(r1_store *s)
{
    if (s->pooled) return;
    s->pooled = true;
    r1_log(R1_LOG_WARN, "postgres_pooled",
           "found=\"a pooler that keeps no settings or statements\" now=\"each transaction brings "
           "its own\"");
}

r1_status r1_store_connect(r1_store *s, r1_err *err)
{
    char options[OPTIONS_BYTES];
    if (r1_store_ended())
        R1_FAIL(err, R1_E_CANCELLED, "connecting to PostgreSQL: the program ends");
    R1_TRY(connect_options(s, options, err));
    r1_status st = connect_once(s, s->pooled ? NULL : options, err);
    if (st != R1_OK && s->conn &&
        strstr(PQerrorMessage(s->conn), "unsupported startup parameter")) {
        r1_store_pool(s);
        st = connect_once(s, "", err);
    }
    if (st != R1_OK) {
        r1_store_drop(s);
        return st;
    }
    if (!s->pooled && !connect_has_settings(s)) r1_store_pool(s);
    return s->pooled ? connect_local(s, options, err) : R1_OK;
}
