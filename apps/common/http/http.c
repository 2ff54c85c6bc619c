/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - see http.h. libmicrohttpd reads and writes HTTP with one thread per connection; here are
 * the routes, the bounds and the watch over silent connections. */
#include "http/http.h"
#include "http/http_internal.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEADER_BYTES = 16384, CONNECTIONS_DEFAULT = 64, CONNECTIONS_MAX = 1024, CLASSES = 6 };
enum { STACK_KIB = 512, SPARE = 192 };     /* connections that are being closed */
enum { MANY_CLOSE = 16, CLOSE_US = 2000 }; /* so many: new ones wait a moment each */

/* A connection from accept to close, for the watch.
 *
 *     SILENT ──headers──▶ ARRIVES ──body──▶ WORKS ──handler──▶ ANSWERS ──sent──▶ SILENT */
typedef enum {
    HTTP_SILENT = 0, /* no request, or a piece of one's headers */
    HTTP_ARRIVES,    /* its body */
    HTTP_WORKS,      /* its handler, which bounds itself */
    HTTP_ANSWERS
} http_step;
typedef struct {
    int fd; /* -1: the place is free */
    http_step step;
    bool rests;       /* SILENT after an answer: a client that keeps its connection */
    bool refused;     /* ANSWERS: at_once others were there */
    size_t route;     /* of the last request; n_route: none yet */
    int64_t since_us; /* monotonic: when the step began; of ARRIVES, when SILENT did */
} http_connection;

struct r1_http {
    r1_http_opts o;
    struct MHD_Daemon *daemon;
    int port;
    pthread_t watch;
    bool watching;
    pthread_mutex_t lock; /* guards what follows, up to at_work */
    pthread_cond_t wake;
    bool stopping;
    http_connection connection[CONNECTIONS_MAX];
    unsigned at_work[R1_HTTP_ROUTES_MAX];
    atomic_uint_fast64_t made_room;
    atomic_uint_fast64_t refused[R1_HTTP_ROUTES_MAX], timed_out[R1_HTTP_N_LATE];
    atomic_uint_fast64_t answered[R1_HTTP_ROUTES_MAX + 1][CLASSES];
};

/* A request whose body is arriving. */
typedef struct {
    size_t route; /* n_route: none fits */
    int refused;  /* status that will be answered; 0: none so far */
    bool at_work; /* one of its route's at_once */
    char *body;
    size_t len;
} http_arrival;

/* ---- addresses ---- */

r1_status r1_http_check(const char *listen, bool *loopback, r1_err *err)
{
    http_address a;
    R1_TRY(r1_http_address_of(listen, &a, err));
    if (loopback) *loopback = a.loopback;
    return R1_OK;
}

/* ---- the watch ---- */

/* Under the lock: whether it waits for its client, who would lose little or is slow. */
static bool http_may_go(const http_connection *c, int64_t now)
{
    if (c->fd < 0 || c->step == HTTP_WORKS || c->since_us == INT64_MAX) return false;
    return c->step != HTTP_ANSWERS || c->refused ||
           now - c->since_us > INT64_C(1000) * R1_HTTP_SLOW_MS;
}

/* Under the lock: the connection that has waited for its client for longest makes room for a new
 * one; where it can, one whose route has more than it keeps. */
static void http_make_room(r1_http *h, const http_connection *new_one)
{
    http_connection *spare = NULL, *any = NULL;
    unsigned n = 0, of[R1_HTTP_ROUTES_MAX + 1] = {0};
    int64_t now = r1_mono_us();
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        const http_connection *c = &h->connection[i];
        if (c->fd >= 0 && c->since_us != INT64_MAX) n++, of[c->route]++;
    }
    if (n <= h->o.connections_max) return;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        http_connection *c = &h->connection[i];
        if (c == new_one || !http_may_go(c, now)) continue;
        bool kept = c->route < h->o.n_route && of[c->route] <= h->o.routes[c->route].kept;
        if (!any || c->since_us < any->since_us) any = c;
        if (!kept && (!spare || c->since_us < spare->since_us)) spare = c;
    }
    http_connection *goes = spare ? spare : any;
    if (!goes) return;
    shutdown(goes->fd, SHUT_RDWR);
    goes->since_us = INT64_MAX; /* not again, while it closes */
    atomic_fetch_add(&h->made_room, 1);
}

/* Under the lock: connections that close. Their threads end when they come to run. */
static unsigned http_closing(const r1_http *h)
{
    unsigned n = 0;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        n += h->connection[i].fd >= 0 && h->connection[i].since_us == INT64_MAX;
    return n;
}

/* On the accepting thread. A crowd that comes faster than others are closed would use up SPARE, and
 * the library would drop whoever comes next. */
static void http_notice(void *ctx, struct MHD_Connection *connection, void **place,
                        enum MHD_ConnectionNotificationCode code)
{
    r1_http *h = ctx;
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    pthread_mutex_lock(&h->lock);
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*place) ((http_connection *)*place)->fd = -1;
        *place = NULL;
    } else {
        for (size_t i = 0; i < CONNECTIONS_MAX && !*place; i++)
            if (h->connection[i].fd < 0) *place = &h->connection[i];
        if (*place) {
            http_connection *c = *place;
            *c = (http_connection){
                .fd = fd->connect_fd, .route = h->o.n_route, .since_us = r1_mono_us()};
            http_make_room(h, c);
        }
    }
    bool crowd = code != MHD_CONNECTION_NOTIFY_CLOSED && http_closing(h) > MANY_CLOSE;
    pthread_mutex_unlock(&h->lock);
    if (crowd) usleep(CLOSE_US);
}

/* Under the lock; NULL: it has no place. */
static http_connection *http_place(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *place =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return place ? place->socket_context : NULL;
}

/* Bytes that drip in lengthen nothing: headers and body have the time of the first one together. */
static void http_move(r1_http *h, struct MHD_Connection *connection, http_step step)
{
    pthread_mutex_lock(&h->lock);
    http_connection *c = http_place(connection);
    if (c && c->since_us != INT64_MAX) {
        if (step != HTTP_ARRIVES || c->rests) c->since_us = r1_mono_us();
        c->rests = step == HTTP_SILENT;
        c->step = step;
    }
    pthread_mutex_unlock(&h->lock);
}

/* A whole request goes to work, where its route has room for it. */
static bool http_enter(r1_http *h, struct MHD_Connection *connection, http_arrival *a)
{
    unsigned limit = h->o.routes[a->route].at_once;
    pthread_mutex_lock(&h->lock);
    a->at_work = !limit || h->at_work[a->route] < limit;
    h->at_work[a->route] += a->at_work;
    http_connection *c = http_place(connection);
    if (c) c->refused = !a->at_work;
    pthread_mutex_unlock(&h->lock);
    http_move(h, connection, a->at_work ? HTTP_WORKS : HTTP_ANSWERS);
    return a->at_work;
}

static void http_leave(r1_http *h, const http_arrival *a)
{
    pthread_mutex_lock(&h->lock);
    h->at_work[a->route] -= a->at_work;
    pthread_mutex_unlock(&h->lock);
}

static void http_asks_for(r1_http *h, struct MHD_Connection *connection, size_t route)
{
    pthread_mutex_lock(&h->lock);
    http_connection *c = http_place(connection);
    if (c) c->route = route;
    pthread_mutex_unlock(&h->lock);
}

static void http_finished(void *ctx, struct MHD_Connection *c, void **request,
                          enum MHD_RequestTerminationCode code)
{
    r1_http *h = ctx;
    http_arrival *a = *request;
    (void)code;
    if (a) {
        http_leave(h, a);
        free(a->body);
    }
    free(a);
    *request = NULL;
    http_move(h, c, HTTP_SILENT);
}

static r1_http_late late_of(const http_connection *c)
{
    if (c->step == HTTP_ANSWERS) return R1_HTTP_FOR_TAKING;
    return c->step == HTTP_SILENT && c->rests ? R1_HTTP_RESTED : R1_HTTP_FOR_REQUEST;
}

/* Under the lock: one that has used up its time is closed. */
static void http_close_late(r1_http *h, http_connection *c, int64_t now)
{
    static const int limits_ms[] = {
        [R1_HTTP_FOR_REQUEST] = R1_HTTP_REQUEST_MS, [R1_HTTP_FOR_TAKING] = R1_HTTP_ANSWER_MS};
    r1_http_late what = late_of(c);
    int64_t limit_ms = h->o.silence_ms;
    if (what != R1_HTTP_RESTED && limit_ms > limits_ms[what]) limit_ms = limits_ms[what];
    if (c->fd < 0 || c->step == HTTP_WORKS || c->since_us == INT64_MAX ||
        now - c->since_us <= limit_ms * 1000)
        return;
    shutdown(c->fd, SHUT_RDWR);
    c->since_us = INT64_MAX;
    atomic_fetch_add(&h->timed_out[what], 1);
}

/* The library closes a socket only after http_notice has freed its place, so a descriptor that is
 * found here under the lock is still that connection's. */
static void *http_watch(void *arg)
{
    r1_http *h = arg;
    pthread_mutex_lock(&h->lock);
    while (!h->stopping) {
        int64_t now = r1_mono_us();
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) http_close_late(h, &h->connection[i], now);
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 250000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&h->wake, &h->lock, &until);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

/* ---- one request ---- */

static const char *refusal_text(int status)
{
    switch (status) {
    case MHD_HTTP_NOT_FOUND: return "no such path\n";
    case MHD_HTTP_METHOD_NOT_ALLOWED: return "no such method of this path\n";
    case MHD_HTTP_UNSUPPORTED_MEDIA_TYPE:
        return "expected Content-Type: application/json, and no Content-Encoding\n";
    case MHD_HTTP_SERVICE_UNAVAILABLE: return "too many requests of this path at a time\n";
    default: return "the body is too large\n";
    }
}

static bool answer_says(const r1_http_answer *a, const char *name)
{
    for (size_t i = 0; i < R1_HTTP_FIELDS_MAX && a->field[i].name; i++)
        if (!strcasecmp(a->field[i].name, name)) return true;
    return false;
}

/* refused: the status of a refusal by this server; 0: the answer of a handler. */
static enum MHD_Result send_answer(r1_http *h, struct MHD_Connection *c, size_t route,
                                   r1_http_answer *a, int refused)
{
    char retry[16];
    struct MHD_Response *r =
        MHD_create_response_from_buffer(a->body_len, a->body, MHD_RESPMEM_MUST_FREE);
    if (!r) {
        free(a->body);
        for (size_t i = 0; i < R1_HTTP_FIELDS_MAX; i++) free(a->field[i].value);
        return MHD_NO;
    }
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, a->type ? a->type : "text/plain");
    if (!answer_says(a, MHD_HTTP_HEADER_CACHE_CONTROL))
        MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    snprintf(retry, sizeof retry, "%d", a->retry_after_s);
    if (a->retry_after_s) MHD_add_response_header(r, MHD_HTTP_HEADER_RETRY_AFTER, retry);
    if (refused == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
    if (a->status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(r, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (a->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, h->o.routes[route].method);
    for (const r1_http_field *e = h->o.every; e && e->name; e++)
        MHD_add_response_header(r, e->name, e->value);
    for (size_t i = 0; i < R1_HTTP_FIELDS_MAX && a->field[i].name; i++) {
        MHD_add_response_header(r, a->field[i].name, a->field[i].value);
        free(a->field[i].value);
    }
    enum MHD_Result done = MHD_queue_response(c, (unsigned)a->status, r);
    MHD_destroy_response(r);
    int class_of = a->status / 100;
    if (class_of > 0 && class_of < CLASSES) atomic_fetch_add(&h->answered[route][class_of], 1);
    return done;
}

static enum MHD_Result send_refusal(r1_http *h, struct MHD_Connection *c, size_t route, int status)
{
    const char *text = refusal_text(status);
    r1_http_answer a = {.status = status, .body = strdup(text), .body_len = strlen(text)};
    a.retry_after_s = status == MHD_HTTP_SERVICE_UNAVAILABLE;
    return a.body ? send_answer(h, c, route, &a, status) : MHD_NO;
}

static bool same_method(const char *method, const r1_http_route *r)
{
    return !strcmp(method, r->method) || (!strcmp(method, "HEAD") && !strcmp(r->method, "GET"));
}

static bool route_fits(const r1_http_route *r, const char *path)
{
    size_t n = strlen(r->path);
    if (n && r->path[n - 1] == '*') return !strncmp(path, r->path, n - 1);
    return !strcmp(path, r->path);
}

static int route_of(const r1_http *h, const char *method, const char *path, size_t *route)
{
    *route = h->o.n_route;
    for (size_t i = 0; i < h->o.n_route; i++) {
        if (!route_fits(&h->o.routes[i], path)) continue;
        *route = i;
        if (same_method(method, &h->o.routes[i])) return 0;
    }
    return *route < h->o.n_route ? MHD_HTTP_METHOD_NOT_ALLOWED : MHD_HTTP_NOT_FOUND;
}

/* What the headers alone refuse; 0: nothing. */
static int refused_by_header(struct MHD_Connection *c, const r1_http_route *r)
{
    const char *length = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length"),
               *type = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Type");
    if (length && strtoull(length, NULL, 10) > r->body_max) return MHD_HTTP_CONTENT_TOO_LARGE;
    if (strcmp(r->method, "POST") != 0) return 0;
    const char *packed = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Encoding");
    if (packed && strcasecmp(packed, "identity") != 0) return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
    size_t n = type ? strcspn(type, "; \t") : 0;
    bool json = n == strlen("application/json") && !strncasecmp(type, "application/json", n);
    return json || r->any_type ? 0 : MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
}

static enum MHD_Result begin_request(r1_http *h, struct MHD_Connection *c, const char *method,
                                     const char *path, void **request)
{
    size_t route;
    int refused = route_of(h, method, path, &route);
    if (!refused) refused = refused_by_header(c, &h->o.routes[route]);
    if (refused) return send_refusal(h, c, route, refused);
    const r1_http_request q = {.method = method, .path = path, .handle = c};
    r1_http_answer answer = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR};
    if (h->o.admit && !h->o.admit(h->o.ctx, route, &q, &answer))
        return send_answer(h, c, route, &answer, 0);
    http_arrival *a = calloc(1, sizeof *a);
    if (!a || !(a->body = malloc(h->o.routes[route].body_max + 1))) {
        free(a);
        return MHD_NO;
    }
    a->route = route;
    *request = a;
    http_asks_for(h, c, route);
    http_move(h, c, HTTP_ARRIVES);
    return MHD_YES;
}

/* A chunked body has no length in front: what passes the bound is read and dropped. */
static void take_body(const r1_http *h, http_arrival *a, const char *data, size_t n)
{
    if (n > h->o.routes[a->route].body_max - a->len) {
        a->refused = MHD_HTTP_CONTENT_TOO_LARGE;
        return;
    }
    memcpy(a->body + a->len, data, n);
    a->len += n;
}

static enum MHD_Result http_request(void *ctx, struct MHD_Connection *c, const char *path,
                                    const char *method, const char *version, const char *data,
                                    size_t *n, void **request)
{
    r1_http *h = ctx;
    (void)version;
    if (!*request) return begin_request(h, c, method, path, request);
    http_arrival *a = *request;
    if (*n) {
        if (!a->refused) take_body(h, a, data, *n);
        *n = 0;
        return MHD_YES;
    }
    if (!a->refused && !http_enter(h, c, a)) {
        a->refused = MHD_HTTP_SERVICE_UNAVAILABLE;
        atomic_fetch_add(&h->refused[a->route], 1);
    }
    if (a->refused) return send_refusal(h, c, a->route, a->refused);
    a->body[a->len] = 0;
    const r1_http_request q = {
        .method = method, .path = path, .body = a->body, .body_len = a->len, .handle = c};
    r1_http_answer answer = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR};
    h->o.routes[a->route].handler(h->o.ctx, &q, &answer);
    http_move(h, c, HTTP_ANSWERS);
    return send_answer(h, c, a->route, &answer, 0);
}

/* ---- life ---- */

const char *r1_http_header(const r1_http_request *q, const char *name)
{
    return MHD_lookup_connection_value(q->handle, MHD_HEADER_KIND, name);
}

const char *r1_http_argument(const r1_http_request *q, const char *name)
{
    return MHD_lookup_connection_value(q->handle, MHD_GET_ARGUMENT_KIND, name);
}

const char *r1_http_cookie(const r1_http_request *q, const char *name)
{
    return MHD_lookup_connection_value(q->handle, MHD_COOKIE_KIND, name);
}

/* The library's own complaints are about clients that went away or sent no HTTP. */
R1_PRINTF(2, 0) static void http_complaint(void *ctx, const char *format, va_list args)
{
    char text[256];
    (void)ctx;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\r\n")] = 0;
    r1_log(R1_LOG_DEBUG, "http", "%s", text);
}

/* The library's table of options has no const. */
static void *text_of(const void *text)
{
    union {
        const void *in;
        void *out;
    } u = {text};
    return u.out;
}

bool r1_http_knows_tls(void) { return MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES; }

static r1_status http_listen(r1_http *h, const http_address *a, r1_err *err)
{
    const bool tls = h->o.certificate && h->o.key;
    const struct MHD_OptionItem of_tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, tls ? text_of(h->o.certificate) : NULL},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, tls ? text_of(h->o.key) : NULL},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, text_of("NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2")},
        {MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem no_tls[] = {{MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem more[] = {
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_finished, h},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)http_notice, h},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)h->o.connections_max + SPARE, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEADER_BYTES, NULL},
        {MHD_OPTION_THREAD_STACK_SIZE, (intptr_t)h->o.stack_kib << 10, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_ARRAY, 0, text_of(tls ? (const void *)of_tls : no_tls)},
        {MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION |
                     MHD_USE_ERROR_LOG | (a->at.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0) |
                     (tls ? MHD_USE_TLS : 0);
    h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, http_request, h, MHD_OPTION_EXTERNAL_LOGGER,
                                 http_complaint, NULL, MHD_OPTION_SOCK_ADDR, &a->at,
                                 MHD_OPTION_ARRAY, more, MHD_OPTION_END);
    if (!h->daemon)
        R1_FAIL(err, R1_E_IO, "%s: expected a port to listen on%s, found it taken or refused: %s",
                h->o.listen, tls ? ", and a certificate with its key" : "", strerror(errno));
    h->port = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return R1_OK;
}

r1_status r1_http_start(r1_http **out, const r1_http_opts *opts, r1_err *err)
{
    http_address a;
    R1_TRY(r1_http_address_of(opts->listen, &a, err));
    if (opts->n_route > R1_HTTP_ROUTES_MAX)
        R1_FAIL(err, R1_E_INVAL, "%zu routes, expected at most %d", opts->n_route,
                R1_HTTP_ROUTES_MAX);
    r1_http *h = calloc(1, sizeof *h);
    if (!h) R1_FAIL(err, R1_E_NOMEM, "no memory for an HTTP server");
    h->o = *opts;
    if (!h->o.connections_max) h->o.connections_max = CONNECTIONS_DEFAULT;
    if (h->o.connections_max > CONNECTIONS_MAX - SPARE)
        h->o.connections_max = CONNECTIONS_MAX - SPARE;
    if (!h->o.stack_kib) h->o.stack_kib = STACK_KIB;
    if (!h->o.silence_ms) h->o.silence_ms = R1_HTTP_SILENCE_MS;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) h->connection[i].fd = -1;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->wake, NULL);
    r1_status st = http_listen(h, &a, err);
    if (st == R1_OK && pthread_create(&h->watch, NULL, http_watch, h))
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no thread for the HTTP server");
    else
        h->watching = st == R1_OK;
    if (st == R1_OK)
        *out = h;
    else
        r1_http_stop(h);
    return st;
}

int r1_http_port(const r1_http *h) { return h->port; }

uint64_t r1_http_answered(const r1_http *h, size_t route, int class_of)
{
    return atomic_load(&h->answered[route][class_of]);
}

uint64_t r1_http_made_room(const r1_http *h) { return atomic_load(&h->made_room); }

uint64_t r1_http_refused(const r1_http *h, size_t route) { return atomic_load(&h->refused[route]); }

uint64_t r1_http_timed_out(const r1_http *h, r1_http_late what)
{
    return atomic_load(&h->timed_out[what]);
}

void r1_http_stop(r1_http *h)
{
    if (!h) return;
    if (h->watching) {
        pthread_mutex_lock(&h->lock);
        h->stopping = true;
        pthread_cond_signal(&h->wake);
        pthread_mutex_unlock(&h->lock);
        pthread_join(h->watch, NULL);
    }
    if (h->daemon) MHD_stop_daemon(h->daemon);
    pthread_cond_destroy(&h->wake);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
