/* SPDX-License-Identifier: Apache-2.0 */
/* dash_server.c - see dash_server.h. */
#include "serve/dash_server_internal.h"

#include "access/dash_password.h"
#include "api/dash_call.h"
#include "http/http_get.h"
#include "serve/dash_page.h"
#include "text/quote.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { BODY_MAX = 65536, RECORD_MAX = 4 << 20, CONNECTIONS = 256, LISTENERS = 128, CALLS = 64 };
enum { METRICS_BYTES_MAX = 1 << 20, TOOL_MAX = 256 << 10 };

void dash_reply_json(r1_http_answer *a, int status, char *text)
{
    a->status = text ? status : 500;
    a->type = "application/json";
    a->body = text;
    a->body_len = text ? strlen(text) : 0;
    if (status == 503) a->retry_after_s = 1;
}

void dash_reply_error(r1_http_answer *a, int status, const char *text)
{
    dash_reply_json(a, status, dash_error_text(text));
}

static void reply_field(r1_http_answer *a, const char *name, const char *value)
{
    for (size_t i = 0; i < R1_HTTP_FIELDS_MAX; i++)
        if (!a->field[i].name) {
            char *copy = strdup(value);
            if (copy) a->field[i] = (r1_http_field){name, copy};
            return;
        }
}

/* What the database refused or could not do. */
void dash_reply_failure(r1_http_answer *a, r1_store *store, const r1_err *err)
{
    int status;
    char *text = dash_failure(store, err, &status);
    dash_reply_json(a, status, text);
}

/* Where a person's own words may be at fault. */
static void reply_refusal(r1_http_answer *a, r1_store *store, const r1_err *err)
{
    if (err->code == R1_E_INVAL)
        dash_reply_error(a, 422, err->msg);
    else if (err->code == R1_E_NOT_FOUND)
        dash_reply_error(a, 401, err->msg);
    else if (err->code == R1_E_AGAIN)
        dash_reply_error(a, 429, err->msg);
    else
        dash_reply_failure(a, store, err);
}

/* ---- who asks ---- */

/* A browser says from where a request comes; what says nothing is no browser. */
static bool from_here(const r1_http_request *q)
{
    const char *site = r1_http_header(q, "Sec-Fetch-Site"), *origin = r1_http_header(q, "Origin"),
               *host = r1_http_header(q, "Host");
    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0) return false;
    if (!origin) return true;
    const char *name = strstr(origin, "://");
    return host && name && !strcmp(name + 3, host);
}

static bool server_admits(dash_server *s, const r1_http_request *q, r1_store *store,
                          dash_user *user, r1_http_answer *a)
{
    r1_err err = {0};
    const char *token = r1_http_cookie(q, dash_cookie_name(&s->sessions));
    if (strcmp(q->method, "POST") == 0 && !from_here(q)) {
        dash_reply_error(a, 403, "the request comes from another site");
        return false;
    }
    r1_status st = dash_session_find(&s->sessions, store, token, user, &err);
    if (st == R1_E_NOT_FOUND) {
        dash_reply_error(a, 401, "sign in: there is no session, or it has ended");
        return false;
    }
    if (st != R1_OK) {
        dash_reply_failure(a, store, &err);
        return false;
    }
    const char *csrf = r1_http_header(q, "X-R1-CSRF");
    if (strcmp(q->method, "POST") == 0 && !(csrf && dash_same(csrf, user->csrf))) {
        dash_reply_error(a, 403, "X-R1-CSRF: expected the token of the session");
        return false;
    }
    return true;
}

static bool server_store(dash_server *s, r1_store **store, r1_http_answer *a)
{
    r1_err err = {0};
    if (dash_pool_take(s->o.pool, store, &err) == R1_OK) return true;
    r1_log(R1_LOG_WARN, "no_connection", "error=\"%s\"", r1_log_quote(err.msg).text);
    dash_reply_error(a, 503, "the database does not answer at the moment");
    return false;
}

/* What most handlers begin with; *store is to be given back where it says true. */
bool dash_server_begin(dash_server *s, const r1_http_request *q, r1_store **store, dash_user *user,
                       r1_http_answer *a)
{
    if (!server_store(s, store, a)) return false;
    if (server_admits(s, q, *store, user, a)) return true;
    dash_pool_give(s->o.pool, *store);
    return false;
}

/* ---- signing in and out ---- */

static char *user_text(const dash_server *s, const dash_user *u)
{
    json_t *j =
        json_pack("{s:s, s:s, s:b, s:s, s:b, s:b, s:b}", "name", u->name, "role", u->role,
                  "may_export", u->may_export, "csrf", u->csrf, "medical", s->o.medical != NULL,
                  "reviews", s->o.medical && s->o.keys, "tools", s->o.fraud_config != NULL);
    char *text = j ? json_dumps(j, 0) : NULL;
    json_decref(j);
    return text;
}

static void server_let_in(dash_server *s, const dash_user *u, const char *token, r1_http_answer *a)
{
    char cookie[256];
    dash_cookie_text(&s->sessions, token, cookie, sizeof cookie);
    dash_reply_json(a, 200, user_text(s, u));
    reply_field(a, "Set-Cookie", cookie);
}

static void on_login(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    dash_server *s = ctx;
    r1_err err = {0};
    r1_store *store;
    dash_user user;
    char token[DASH_TOKEN_BYTES];
    const char *name, *password;
    json_t *j = json_loadb(q->body, q->body_len, JSON_REJECT_DUPLICATES, NULL);
    if (!from_here(q)) {
        dash_reply_error(a, 403, "the request comes from another site");
    } else if (!j || json_unpack(j, "{s:s, s:s!}", "name", &name, "password", &password)) {
        dash_reply_error(a, 422, "expected {\"name\": TEXT, \"password\": TEXT}");
    } else if (server_store(s, &store, a)) {
        r1_status st = dash_session_login(&s->sessions, store, name, password, &user, token, &err);
        if (st == R1_OK)
            server_let_in(s, &user, token, a);
        else
            reply_refusal(a, store, &err);
        dash_pool_give(s->o.pool, store);
    }
    json_decref(j);
}

static void on_logout(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    dash_server *s = ctx;
    r1_store *store;
    dash_user user;
    r1_err err = {0};
    char cookie[256];
    if (!dash_server_begin(s, q, &store, &user, a)) return;
    if (dash_session_end(store, r1_http_cookie(q, dash_cookie_name(&s->sessions)), &err) == R1_OK) {
        dash_cookie_text(&s->sessions, NULL, cookie, sizeof cookie);
        dash_reply_json(a, 200, strdup("{\"done\": true}"));
        reply_field(a, "Set-Cookie", cookie);
    } else {
        dash_reply_failure(a, store, &err);
    }
    dash_pool_give(s->o.pool, store);
}

/* Whom the proxy has let in gets a session here; false: *a is as it was. */
static bool server_by_proxy(dash_server *s, const r1_http_request *q, r1_store *store,
                            r1_http_answer *a)
{
    r1_err err = {0};
    dash_user user;
    char token[DASH_TOKEN_BYTES];
    const char *name = s->o.proxy_header ? r1_http_header(q, s->o.proxy_header) : NULL;
    const char *secret = r1_http_header(q, "X-R1-Proxy-Secret");
    if (!name || !secret || !dash_same(secret, s->o.proxy_secret)) return false;
    r1_status st = dash_session_proxy(&s->sessions, store, name, &user, token, &err);
    if (st == R1_E_NOT_FOUND) return false;
    if (st == R1_OK)
        server_let_in(s, &user, token, a);
    else
        dash_reply_failure(a, store, &err);
    return true;
}

static void on_me(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    dash_server *s = ctx;
    r1_store *store;
    dash_user user;
    r1_http_answer no = {0};
    if (!server_store(s, &store, a)) return;
    if (server_admits(s, q, store, &user, &no))
        dash_reply_json(a, 200, user_text(s, &user));
    else if (no.status == 401 && server_by_proxy(s, q, store, a))
        free(no.body);
    else
        *a = no;
    dash_pool_give(s->o.pool, store);
}

static void on_password(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    dash_server *s = ctx;
    r1_store *store;
    dash_user user;
    r1_err err = {0};
    const char *old, *fresh;
    if (!dash_server_begin(s, q, &store, &user, a)) return;
    json_t *j = json_loadb(q->body, q->body_len, JSON_REJECT_DUPLICATES, NULL);
    if (!j || json_unpack(j, "{s:s, s:s!}", "old", &old, "new", &fresh))
        dash_reply_error(a, 422, "expected {\"old\": TEXT, \"new\": TEXT}");
    else if (dash_session_password(store, &user, old, fresh, &err) == R1_OK)
        dash_reply_json(a, 200, strdup("{\"done\": true}"));
    else
        reply_refusal(a, store, &err);
    json_decref(j);
    dash_pool_give(s->o.pool, store);
}

static void on_user_add(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    dash_server *s = ctx;
    r1_store *store;
    dash_user user;
    r1_err err = {0};
    const char *name, *role, *password;
    if (!dash_server_begin(s, q, &store, &user, a)) return;
    json_t *j = json_loadb(q->body, q->body_len, JSON_REJECT_DUPLICATES, NULL);
    if (dash_role_of(user.role) != DASH_ADMINISTRATOR) {
        dash_reply_error(a, 403, "an administrator adds users");
    } else if (!j || json_unpack(j, "{s:s, s:s, s:s!}", "name", &name, "role", &role, "password",
                                 &password)) {
        dash_reply_error(a, 422, "expected {\"name\": TEXT, \"role\": TEXT, \"password\": TEXT}");
    } else {
        const dash_who who = {user.name, user.role};
        r1_status st = dash_user_add(store, &who, name, role, password, &err);
        if (st == R1_OK)
            dash_reply_json(a, 200, strdup("{\"done\": true}"));
        else
            reply_refusal(a, store, &err);
    }
    json_decref(j);
    dash_pool_give(s->o.pool, store);
}

/* ---- calls ---- */

static const dash_call *call_of(const char *method, const char *path)
{
    const char *name = path + strlen("/api/v1/");
    for (size_t i = 0; i < dash_n_call; i++)
        if (!strcmp(dash_calls[i].path, name) &&
            (!strcmp(dash_calls[i].method, method) ||
             (!strcmp(method, "HEAD") && !strcmp(dash_calls[i].method, "GET"))))
            return &dash_calls[i];
    return NULL;
}

static void on_call(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    dash_server *s = ctx;
    r1_store *store;
    dash_user user;
    r1_err err = {0};
    dash_values v;
    const dash_call *c = call_of(q->method, q->path);
    if (!dash_server_begin(s, q, &store, &user, a)) return;
    if (!c) {
        dash_reply_error(a, 404, "there is no such call");
    } else if (!(c->roles & dash_role_of(user.role))) {
        dash_reply_error(a, 403, "your role may not do this");
    } else if (dash_values_read(c, q, &v, &err) != R1_OK) {
        dash_reply_error(a, 422, err.msg);
    } else {
        int status;
        char *text;
        const dash_who who = {user.name, user.role};
        dash_call_run(c, &v, &who, store, &status, &text);
        dash_reply_json(a, status, text);
        dash_values_free(&v);
    }
    dash_pool_give(s->o.pool, store);
}

/* Past cases that are like this one. */
static void on_similar(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    dash_server *s = ctx;
    r1_store *store;
    dash_user user;
    r1_err err = {0};
    dash_values v = {0};
    char *text = NULL;
    static const dash_call call = {"GET", "case/similar",
                                   DASH_VIEWER | DASH_ANALYST | DASH_SUPERVISOR | DASH_AUDITOR,
                                   .param = {{"id", DASH_INT, .needed = true}}};
    if (!dash_server_begin(s, q, &store, &user, a)) return;
    if (!(call.roles & dash_role_of(user.role))) {
        dash_reply_error(a, 403, "your role may not do this");
    } else if (dash_values_read(&call, q, &v, &err) != R1_OK) {
        dash_reply_error(a, 422, err.msg);
    } else {
        const dash_who who = {user.name, user.role};
        r1_status st = dash_begin(store, &who, false, &err);
        if (st == R1_OK) {
            st = dash_similar_find(s->o.similar, store, v.text[0], &text, &err);
            dash_rollback(store); /* it has read alone */
        }
        if (st != R1_OK)
            dash_reply_failure(a, store, &err);
        else if (!text)
            dash_reply_error(a, 404, "there is no such case");
        else
            dash_reply_json(a, 200, text);
    }
    dash_values_free(&v);
    dash_pool_give(s->o.pool, store);
}

static void on_export(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    dash_server *s = ctx;
    r1_store *store;
    dash_user user;
    char disposition[96];
    const char *name = q->path + strlen("/api/v1/export/");
    const dash_export *e = NULL;
    for (size_t i = 0; i < dash_n_export; i++)
        if (!strcmp(dash_exports[i].name, name)) e = &dash_exports[i];
    if (!dash_server_begin(s, q, &store, &user, a)) return;
    if (!e) {
        dash_reply_error(a, 404, "there is no such table");
    } else if (!user.may_export || !(e->roles & dash_role_of(user.role))) {
        dash_reply_error(a, 403, "to export is a right of its own, which you do not have");
    } else {
        const dash_who who = {user.name, user.role};
        dash_export_run(e, &who, store, &a->status, &a->body, &a->body_len);
        a->type = a->status == 200 ? "text/csv; charset=utf-8" : "application/json";
        snprintf(disposition, sizeof disposition, "attachment; filename=\"%s\"", e->name);
        if (a->status == 200) reply_field(a, "Content-Disposition", disposition);
    }
    dash_pool_give(s->o.pool, store);
}

static void on_events(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    dash_server *s = ctx;
    r1_store *store;
    dash_user user;
    if (!dash_server_begin(s, q, &store, &user, a)) return;
    dash_pool_give(s->o.pool, store); /* nobody waits with a connection in hand */
    a->body = dash_live_wait(s->o.live, r1_http_header(q, "Last-Event-ID"));
    a->status = a->body ? 200 : 500;
    a->body_len = a->body ? strlen(a->body) : 0;
    a->type = "text/event-stream";
}

/* What r1-fraud serve says of itself, as it says it. */
static void on_fraud_metrics(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    dash_server *s = ctx;
    r1_store *store;
    dash_user user;
    r1_err err = {0};
    if (!dash_server_begin(s, q, &store, &user, a)) return;
    dash_pool_give(s->o.pool, store);
    if (dash_role_of(user.role) == DASH_CLINICIAN) {
        dash_reply_error(a, 403, "your role may not do this");
    } else if (!s->o.fraud_metrics) {
        dash_reply_error(a, 404, "no address of r1-fraud serve was given (--fraud-metrics)");
    } else if (r1_http_get(s->o.fraud_metrics, "/metrics", 2000, METRICS_BYTES_MAX, &a->status,
                           &a->body, &err) != R1_OK) {
        dash_reply_error(a, 502, err.msg);
    } else {
        a->type = "text/plain; charset=utf-8";
        a->body_len = strlen(a->body);
    }
}

/* ---- the page ---- */

static const dash_file *file_of(const char *path)
{
    if (!strcmp(path, "/")) path = "/index.html";
    for (size_t i = 0; i < dash_n_file; i++)
        if (!strcmp(dash_files[i].path, path)) return &dash_files[i];
    return NULL;
}

static bool file_plain(const dash_file *f, r1_http_answer *a)
{
    z_stream z = {0};
    union {
        const unsigned char *in;
        unsigned char *out;
    } from = {f->bytes};
    a->body = malloc(f->plain_len + 1);
    if (!a->body || inflateInit2(&z, 15 + 16) != Z_OK) return false;
    z.next_in = from.out;
    z.avail_in = (uInt)f->len;
    z.next_out = (unsigned char *)a->body;
    z.avail_out = (uInt)f->plain_len;
    bool done = inflate(&z, Z_FINISH) == Z_STREAM_END;
    inflateEnd(&z);
    a->body_len = f->plain_len;
    return done;
}

static void on_page(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    (void)ctx;
    const dash_file *f = file_of(q->path);
    const char *has = r1_http_header(q, "If-None-Match"),
               *takes = r1_http_header(q, "Accept-Encoding");
    if (!f) {
        dash_reply_error(a, 404, "no such path");
        return;
    }
    a->type = f->type;
    reply_field(a, "ETag", f->tag);
    reply_field(a, "Cache-Control", "no-cache");
    if (has && !strcmp(has, f->tag)) {
        a->status = 304;
        return;
    }
    a->status = 200;
    if (takes && strstr(takes, "gzip")) {
        a->body = malloc(f->len);
        a->body_len = f->len;
        if (a->body) memcpy(a->body, f->bytes, f->len);
        reply_field(a, "Content-Encoding", "gzip");
    } else if (!file_plain(f, a)) {
        a->status = 500;
        a->body_len = 0;
    }
    if (!a->body) a->status = 500;
}

static void on_alive(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    (void)ctx, (void)q;
    dash_reply_json(a, 200, strdup("{\"alive\": true}"));
}

/* ---- life ---- */

/* clang-format off */
static const r1_http_route routes[] = {
    {.method = "GET", .path = "/livez", .handler = on_alive},
    {.method = "POST", .path = "/api/v1/login", .body_max = 4096, .at_once = 2,
     .handler = on_login},
    {.method = "POST", .path = "/api/v1/logout", .body_max = 4096, .handler = on_logout},
    {.method = "POST", .path = "/api/v1/password", .body_max = 4096, .at_once = 2,
     .handler = on_password},
    {.method = "POST", .path = "/api/v1/user/add", .body_max = 4096, .at_once = 2,
     .handler = on_user_add},
    {.method = "GET", .path = "/api/v1/me", .at_once = CALLS, .handler = on_me},
    {.method = "GET", .path = "/api/v1/events", .at_once = LISTENERS, .handler = on_events},
    {.method = "GET", .path = "/api/v1/metrics/fraud", .at_once = 8, .handler = on_fraud_metrics},
    {.method = "GET", .path = "/api/v1/export/*", .at_once = 2, .handler = on_export},
    {.method = "GET", .path = "/api/v1/medical/*", .at_once = 8, .handler = dash_on_medical},
    {.method = "POST", .path = "/api/v1/medical/*", .body_max = RECORD_MAX, .at_once = 4,
     .any_type = true, .handler = dash_on_medical},
    {.method = "GET", .path = "/api/v1/case/similar", .at_once = 8, .handler = on_similar},
    {.method = "POST", .path = "/api/v1/try", .body_max = TOOL_MAX, .at_once = 1,
     .handler = dash_on_tool},
    {.method = "POST", .path = "/api/v1/dead/show", .body_max = 4096, .at_once = 2,
     .handler = dash_on_tool},
    {.method = "POST", .path = "/api/v1/dead/mend", .body_max = TOOL_MAX, .at_once = 1,
     .handler = dash_on_tool},
    {.method = "POST", .path = "/api/v1/review/save", .body_max = RECORD_MAX, .at_once = 4,
     .handler = dash_on_review_save},
    {.method = "GET", .path = "/api/v1/review", .at_once = 8, .handler = dash_on_review},
    {.method = "GET", .path = "/api/v1/*", .at_once = CALLS, .handler = on_call},
    {.method = "POST", .path = "/api/v1/*", .body_max = BODY_MAX, .at_once = CALLS,
     .handler = on_call},
    {.method = "GET", .path = "/*", .handler = on_page},
};
/* clang-format on */

static char csp[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: "
                    "blob:; connect-src 'self'; font-src 'self'; frame-ancestors 'none'; base-uri "
                    "'none'; form-action 'self'";
static char deny[] = "DENY", no_referrer[] = "no-referrer", same_origin[] = "same-origin",
            hsts[] = "max-age=63072000";
static const r1_http_field every[] = {{"Content-Security-Policy", csp},
                                      {"X-Frame-Options", deny},
                                      {"Referrer-Policy", no_referrer},
                                      {"Cross-Origin-Opener-Policy", same_origin},
                                      {"Cross-Origin-Resource-Policy", same_origin},
                                      {0}};
static const r1_http_field every_tls[] = {{"Content-Security-Policy", csp},
                                          {"X-Frame-Options", deny},
                                          {"Referrer-Policy", no_referrer},
                                          {"Cross-Origin-Opener-Policy", same_origin},
                                          {"Cross-Origin-Resource-Policy", same_origin},
                                          {"Strict-Transport-Security", hsts},
                                          {0}};

r1_status dash_server_start(dash_server **out, const dash_server_opts *opts, r1_err *err)
{
    dash_server *s = calloc(1, sizeof *s);
    if (!s) R1_FAIL(err, R1_E_NOMEM, "no memory for the server");
    s->o = *opts;
    s->sessions =
        (dash_sessions){opts->session_idle_s, opts->session_max_s, opts->certificate != NULL};
    const r1_http_opts o = {.listen = opts->listen,
                            .routes = routes,
                            .n_route = R1_COUNT(routes),
                            .ctx = s,
                            .connections_max = CONNECTIONS,
                            .every = opts->certificate ? every_tls : every,
                            .certificate = opts->certificate,
                            .key = opts->key};
    r1_status st = r1_http_start(&s->http, &o, err);
    if (st == R1_OK)
        *out = s;
    else
        free(s);
    return st;
}

int dash_server_port(const dash_server *s) { return r1_http_port(s->http); }

void dash_server_stop(dash_server *s)
{
    if (!s) return;
    dash_live_wake(s->o.live);
    r1_http_stop(s->http);
    free(s);
}
