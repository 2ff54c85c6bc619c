/* SPDX-License-Identifier: Apache-2.0 */
/* dash_call.c - see dash_call.h. */
#include "api/dash_call.h"
#include "text/quote.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 200 };

dash_role dash_role_of(const char *name)
{
    static const struct {
        const char *name;
        dash_role role;
    } rows[] = {{"viewer", DASH_VIEWER},         {"analyst", DASH_ANALYST},
                {"supervisor", DASH_SUPERVISOR}, {"clinician", DASH_CLINICIAN},
                {"auditor", DASH_AUDITOR},       {"administrator", DASH_ADMINISTRATOR}};
    for (size_t i = 0; i < R1_COUNT(rows); i++)
        if (!strcmp(rows[i].name, name)) return rows[i].role;
    return 0;
}

char *dash_error_text(const char *text)
{
    json_t *j = json_pack("{s:s}", "error", text);
    char *out = j ? json_dumps(j, JSON_ENSURE_ASCII) : NULL;
    json_decref(j);
    return out ? out : strdup("{\"error\": \"no text for this error\"}");
}

/* ---- parameters ---- */

void dash_values_free(dash_values *v)
{
    for (size_t i = 0; i < DASH_PARAMS_MAX; i++) free(v->text[i]);
    *v = (dash_values){0};
}

static r1_status value_bad(const dash_param *p, const char *found, r1_err *err)
{
    static const char *const words[] = {[DASH_TEXT] = "a text",
                                        [DASH_INT] = "a whole number",
                                        [DASH_REAL] = "a number",
                                        [DASH_BOOL] = "true or false",
                                        [DASH_TIME] = "a time such as 2026-11-30T12:00:00Z",
                                        [DASH_INTS] = "a list of at most 1000 whole numbers"};
    R1_FAIL(err, R1_E_INVAL, "%s: expected %s, found %.80s", p->name, words[p->type], found);
}

static bool is_int(const char *text)
{
    char *end;
    errno = 0;
    (void)strtoll(text, &end, 10);
    return !errno && end != text && !*end && !strchr(" \t\n\v\f\r", text[0]);
}

static bool is_real(const char *text)
{
    char *end;
    double x = strtod(text, &end);
    return end != text && !*end && isfinite(x) && strspn(text, "+-.0123456789eE") == strlen(text);
}

/* Digits where digits stand, and a zone; PostgreSQL knows which day a month has. */
static bool is_time(const char *text)
{
    static const char form[] = "dddd-dd-ddTdd:dd";
    for (size_t i = 0; form[i]; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == 'd' ? !digit : text[i] != form[i]) return false;
    }
    const char *rest = text + sizeof form - 1;
    size_t n = strspn(rest, ":.0123456789");
    return n <= 10 &&
           (!strcmp(rest + n, "Z") ||
            (strchr("+-", rest[n]) && rest[n] && strlen(rest + n) <= 6 && strlen(rest + n) >= 3 &&
             strspn(rest + n + 1, ":0123456789") == strlen(rest + n + 1)));
}

/* "1,2,3" becomes "{1,2,3}". */
static bool is_ints(const char *text, char **out)
{
    size_t n = strlen(text), commas = 0;
    bool good = n > 0;
    for (size_t i = 0, from = 0; good && i <= n; i++) {
        if (i < n && text[i] != ',') continue;
        char one[24];
        size_t len = i - from;
        good = len > 0 && len < sizeof one && ++commas <= DASH_LIST_MAX;
        if (good) snprintf(one, sizeof one, "%.*s", (int)len, text + from);
        good = good && is_int(one);
        from = i + 1;
    }
    if (!good || !(*out = malloc(n + 3))) return false;
    snprintf(*out, n + 3, "{%s}", text);
    return true;
}

static r1_status value_take(const dash_param *p, const char *text, char **out, r1_err *err)
{
    size_t max = p->max ? p->max : TEXT_BYTES_MAX;
    bool good = true;
    if (p->type == DASH_INTS) {
        if (!is_ints(text, out)) return value_bad(p, text, err);
        return R1_OK;
    }
    if (p->type == DASH_TEXT && strlen(text) > max)
        R1_FAIL(err, R1_E_INVAL, "%s: expected at most %zu bytes, found %zu", p->name, max,
                strlen(text));
    if (p->type == DASH_INT) good = is_int(text);
    if (p->type == DASH_REAL) good = is_real(text);
    if (p->type == DASH_BOOL) good = !strcmp(text, "true") || !strcmp(text, "false");
    if (p->type == DASH_TIME) good = is_time(text);
    if (!good) return value_bad(p, text, err);
    *out = strdup(text);
    if (!*out) R1_FAIL(err, R1_E_NOMEM, "no memory for a parameter");
    return R1_OK;
}

static r1_status value_of_list(const dash_param *p, const json_t *j, char **out, r1_err *err)
{
    size_t n = json_array_size(j), room = n * 21 + 1, at = 0;
    if (p->type != DASH_INTS || n > DASH_LIST_MAX) return value_bad(p, "another list", err);
    char *text = malloc(room);
    if (!text) R1_FAIL(err, R1_E_NOMEM, "no memory for a list");
    text[0] = 0;
    for (size_t i = 0; i < n && at < room; i++) {
        const json_t *x = json_array_get(j, i);
        if (!json_is_integer(x)) {
            free(text);
            return value_bad(p, "another list", err);
        }
        at += (size_t)snprintf(text + at, room - at, "%s%lld", i ? "," : "",
                               (long long)json_integer_value(x));
    }
    r1_status st = n ? value_take(p, text, out, err) : value_bad(p, "an empty list", err);
    free(text);
    return st;
}

static r1_status value_of_json(const dash_param *p, const json_t *j, char **out, r1_err *err)
{
    char number[64];
    if (!j || json_is_null(j)) return R1_OK;
    if (json_is_array(j)) return value_of_list(p, j, out, err);
    if (json_is_string(j) && (p->type == DASH_TEXT || p->type == DASH_TIME))
        return value_take(p, json_string_value(j), out, err);
    if (json_is_boolean(j) && p->type == DASH_BOOL)
        return value_take(p, json_is_true(j) ? "true" : "false", out, err);
    if (json_is_integer(j) && (p->type == DASH_INT || p->type == DASH_REAL)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(j));
        return value_take(p, number, out, err);
    }
    if (json_is_real(j) && p->type == DASH_REAL) {
        snprintf(number, sizeof number, "%.17g", json_real_value(j));
        return value_take(p, number, out, err);
    }
    return value_bad(p, "a value of another type", err);
}

static bool call_knows(const dash_call *c, const char *name)
{
    for (size_t i = 0; i < DASH_PARAMS_MAX && c->param[i].name; i++)
        if (!strcmp(c->param[i].name, name)) return true;
    return false;
}

static r1_status read_body(const dash_call *c, const r1_http_request *q, json_t **out, r1_err *err)
{
    json_error_t e;
    const char *name;
    json_t *value;
    if (strcmp(c->method, "POST") != 0) return R1_OK;
    *out = json_loadb(q->body, q->body_len, JSON_REJECT_DUPLICATES, &e);
    if (!json_is_object(*out))
        R1_FAIL(err, R1_E_INVAL, "body: expected a JSON object, found another text: %s",
                *out ? "not an object" : e.text);
    json_object_foreach(*out, name, value) if (!call_knows(c, name))
        R1_FAIL(err, R1_E_INVAL, "%.80s: a field that %s does not have", name, c->path);
    return R1_OK;
}

r1_status dash_values_read(const dash_call *c, const r1_http_request *q, dash_values *out,
                           r1_err *err)
{
    json_t *body = NULL;
    *out = (dash_values){0};
    r1_status st = read_body(c, q, &body, err);
    for (size_t i = 0; st == R1_OK && i < DASH_PARAMS_MAX && c->param[i].name; i++) {
        const dash_param *p = &c->param[i];
        const char *said = body ? NULL : r1_http_argument(q, p->name);
        if (body)
            st = value_of_json(p, json_object_get(body, p->name), &out->text[i], err);
        else if (said && *said)
            st = value_take(p, said, &out->text[i], err);
        if (st == R1_OK && !out->text[i] && p->def) out->text[i] = strdup(p->def);
        if (st == R1_OK && !out->text[i] && p->needed)
            st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__, "%s: is needed", p->name);
        out->n = i + 1;
    }
    json_decref(body);
    if (st != R1_OK) dash_values_free(out);
    return st;
}

/* ---- running ---- */

char *dash_failure(r1_store *s, const r1_err *err, int *status)
{
    const char *state = s ? r1_store_state(s) : "";
    bool ours = !strncmp(state, "R1D", 3) || !strcmp(state, "42501");
    *status = 500;
    if (err->retriable || err->code == R1_E_TIMEOUT) *status = 503;
    if (!strcmp(state, "R1D04")) *status = 404;
    if (!strcmp(state, "R1D09")) *status = 409;
    if (!strcmp(state, "R1D22") || !strncmp(state, "22", 2) || !strncmp(state, "23", 2))
        *status = 422;
    if (!strcmp(state, "42501")) *status = 403;
    if (*status >= 500)
        r1_log(R1_LOG_ERROR, "request_failed", "error=\"%s\"", r1_log_quote(err->msg).text);
    if (ours) return dash_error_text(r1_store_said(s));
    if (*status == 503) return dash_error_text("the database does not answer at the moment");
    return dash_error_text(*status == 422 ? r1_store_said(s)
                                          : "the server failed; its log says why");
}

r1_status dash_begin(r1_store *s, const dash_who *who, bool writes, r1_err *err)
{
    char role[32];
    snprintf(role, sizeof role, "r1_%s", who->role);
    const char *param[] = {role, who->name};
    R1_TRY(r1_store_query(s, writes ? "BEGIN" : "BEGIN READ ONLY", 0, NULL, NULL, err));
    r1_status st =
        r1_store_query(s, "SELECT set_config('role', $1, true), set_config('r1.actor', $2, true)",
                       2, param, NULL, err);
    if (st != R1_OK) dash_rollback(s);
    return st;
}

r1_status dash_commit(r1_store *s, r1_err *err)
{
    return r1_store_query(s, "COMMIT", 0, NULL, NULL, err);
}

void dash_rollback(r1_store *s)
{
    if (r1_store_alive(s)) (void)r1_store_query(s, "ROLLBACK", 0, NULL, NULL, NULL);
}

static r1_status call_view(const dash_call *c, const dash_values *v, r1_store *s, r1_err *err)
{
    char object[256];
    if (!c->viewed) return R1_OK;
    snprintf(object, sizeof object, "%s %s", c->object, v->text[0] ? v->text[0] : "");
    const char *param[] = {c->viewed, object};
    return r1_store_query(s, "SELECT r1.audit_view($1, $2)", 2, param, NULL, err);
}

static r1_status call_ask(const dash_call *c, const dash_values *v, const dash_who *who,
                          r1_store *s, r1_rows **rows, r1_err *err)
{
    R1_TRY(dash_begin(s, who, c->writes || c->viewed, err));
    r1_status st = r1_store_query(s, c->sql, v->n, (const char *const *)v->text, rows, err);
    if (st == R1_OK && r1_rows_count(*rows)) st = call_view(c, v, s, err);
    if (st == R1_OK) return dash_commit(s, err);
    dash_rollback(s);
    return st;
}

void dash_call_run(const dash_call *c, const dash_values *v, const dash_who *who, r1_store *s,
                   int *status, char **text)
{
    r1_err err = {0};
    r1_rows *rows = NULL;
    if (call_ask(c, v, who, s, &rows, &err) != R1_OK) {
        *text = dash_failure(s, &err, status);
    } else {
        const char *found = r1_rows_count(rows) ? r1_rows_text(rows, 0, 0) : NULL;
        *status = found ? 200 : 404;
        *text = found ? strdup(found) : dash_error_text("there is nothing of that name");
    }
    r1_rows_free(rows);
}

/* ---- export ---- */

static void csv_cell(FILE *f, const char *text)
{
    bool formula = *text && strchr("=+-@\t\r", *text) && !is_real(text);
    if (!formula && !strpbrk(text, "\",\r\n")) {
        fputs(text, f);
        return;
    }
    fputc('"', f);
    if (formula) fputc('\'', f);
    for (const char *p = text; *p; p++) {
        if (*p == '"') fputc('"', f);
        fputc(*p, f);
    }
    fputc('"', f);
}

static void csv_rows(FILE *f, const r1_rows *rows)
{
    size_t cols = r1_rows_cols(rows);
    for (size_t c = 0; c < cols; c++) fprintf(f, "%s%s", c ? "," : "", r1_rows_name(rows, c));
    fputs("\r\n", f);
    for (size_t r = 0; r < r1_rows_count(rows); r++) {
        for (size_t c = 0; c < cols; c++) {
            const char *text = r1_rows_text(rows, r, c);
            if (c) fputc(',', f);
            csv_cell(f, text ? text : "");
        }
        fputs("\r\n", f);
    }
}

static r1_status export_ask(const dash_export *e, const dash_who *who, r1_store *s, r1_rows **rows,
                            r1_err *err)
{
    char most[16], rows_text[64];
    snprintf(most, sizeof most, "%d", DASH_EXPORT_ROWS_MAX);
    const char *param[] = {most};
    R1_TRY(dash_begin(s, who, true, err));
    r1_status st = r1_store_query(s, e->sql, 1, param, rows, err);
    if (st == R1_OK) {
        snprintf(rows_text, sizeof rows_text, "{\"rows\": %zu}", r1_rows_count(*rows));
        const char *said[] = {e->name, rows_text};
        st = r1_store_query(s, "SELECT r1.audit('export', $1, $2::jsonb)", 2, said, NULL, err);
    }
    if (st == R1_OK) return dash_commit(s, err);
    dash_rollback(s);
    return st;
}

void dash_export_run(const dash_export *e, const dash_who *who, r1_store *s, int *status,
                     char **text, size_t *len)
{
    r1_err err = {0};
    r1_rows *rows = NULL;
    *text = NULL;
    *status = 200;
    if (export_ask(e, who, s, &rows, &err) != R1_OK) {
        *text = dash_failure(s, &err, status);
        *len = strlen(*text);
    } else {
        FILE *f = open_memstream(text, len);
        if (f) csv_rows(f, rows);
        if (!f || fclose(f)) *status = 500;
    }
    r1_rows_free(rows);
}
