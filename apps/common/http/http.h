/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - a small HTTP/1.1 server for a service's own port: a table of routes, each a plain
 * function that may wait.
 *
 * Without opts->certificate there is no TLS: the port is for this machine, or stands behind a proxy
 * that has it. A login is the program's own: opts->admit sees each request's headers before its
 * body is read. Everything from outside is bounded. The table below has the bounds.
 *
 *     what                                  bound                    answer
 *     request line and headers              16 KiB                   414, 431 or 400
 *     body                                  body_max of its route    413
 *     connections                           connections_max          room is made for the new one
 *     requests of one route at a time       at_once of its route     503, and the connection ends
 *     time from the first byte of headers
 *     to the last one of the body           R1_HTTP_REQUEST_MS       the connection is closed
 *     time to take an answer                R1_HTTP_ANSWER_MS        the connection is closed
 *     time between requests                 R1_HTTP_SILENCE_MS       the connection is closed
 *
 * Bytes that drip in or out lengthen no time. Room is made by the connection that has waited for
 * its client for longest: for a whole request, or for R1_HTTP_SLOW_MS to take an answer. So silent
 * clients and slow readers keep nobody out. The last `kept` connections of a route make room only
 * where no other can. Where every connection has a request at work, a new one is closed at once.
 *
 * A POST must say Content-Type: application/json, unless its route takes any type. A browser sends
 * that to another origin only after asking, and is refused then. A route that takes any type must
 * ask for something that no browser adds by itself, such as a bearer token. GET routes also serve
 * HEAD.
 *
 * Owns:    a listening socket, one thread for it, one for each connection, one for the silence.
 * Threads: r1_http_start and r1_http_stop from one thread. Handlers run on the connections'
 *          threads, several at a time.
 * Errors:  R1_E_INVAL: an address that is none. R1_E_IO: the port is taken or refused, or
 *          certificate and key are none. */
#ifndef R1_HTTP_H
#define R1_HTTP_H

#include "r1_base.h"

enum {
    R1_HTTP_SILENCE_MS = 30000,
    R1_HTTP_REQUEST_MS = 5000,
    R1_HTTP_ANSWER_MS = 5000,
    R1_HTTP_SLOW_MS = 500,
    R1_HTTP_ROUTES_MAX = 24,
    R1_HTTP_FIELDS_MAX = 4
};

typedef struct {
    const char *method, *path;
    const char *body; /* NUL behind it; borrowed until the handler returns */
    size_t body_len;
    void *handle; /* the connection's */
} r1_http_request;

/* The value of a header, and of an argument behind the path's '?', decoded; NULL. Borrowed until
 * the handler returns. */
const char *r1_http_header(const r1_http_request *q, const char *name);
const char *r1_http_argument(const r1_http_request *q, const char *name);
const char *r1_http_cookie(const r1_http_request *q, const char *name);

typedef struct {
    const char *name; /* borrowed */
    char *value;      /* of an answer: malloc'ed, and the server frees it */
} r1_http_field;

typedef struct {
    int status;
    const char *type; /* Content-Type; borrowed */
    char *body;       /* malloc'ed; the server frees it; NULL: none */
    size_t body_len;
    int retry_after_s;                       /* 0: no such header */
    r1_http_field field[R1_HTTP_FIELDS_MAX]; /* further headers, up to the first without a name */
    /* A status of 401 says WWW-Authenticate: Bearer. */
} r1_http_answer;

/* Whether a request may go on; false: *answer is sent, and its body is not read. */
typedef bool (*r1_http_admit)(void *ctx, size_t route, const r1_http_request *request,
                              r1_http_answer *answer);
typedef void (*r1_http_fn)(void *ctx, const r1_http_request *request, r1_http_answer *answer);

typedef struct {
    /* "GET" or "POST"; the whole path, without a query. One that ends in an asterisk takes every
     * path that begins so, where no row before it fits. */
    const char *method, *path;
    size_t body_max;  /* bytes; 0: takes none */
    unsigned at_once; /* requests from the last byte to the taken answer; 0: any number */
    unsigned kept;    /* connections whose last request was of this route */
    bool any_type;    /* POST: takes bodies of any Content-Type */
    r1_http_fn handler;
} r1_http_route;

typedef struct {
    const char *listen; /* "127.0.0.1:9464", "[::1]:9464", "9464" (of 127.0.0.1); port 0: any */
    const r1_http_route *routes;
    size_t n_route;
    void *ctx;                  /* of every handler */
    r1_http_admit admit;        /* NULL: everybody may ask */
    unsigned connections_max;   /* 0: 64 */
    int silence_ms;             /* 0: R1_HTTP_SILENCE_MS; bounds the other times too */
    unsigned stack_kib;         /* of each connection's thread; 0: 512 */
    const r1_http_field *every; /* headers of every answer, up to one without a name; NULL: none */
    const char *certificate, *key; /* PEM texts, borrowed until the start; NULL: no TLS */
} r1_http_opts;

typedef struct r1_http r1_http;

/* Whether this server can speak TLS. */
bool r1_http_knows_tls(void);
/* Whether the text is an address and a port. Opens nothing. *loopback (NULL accepted) tells whether
 * only this machine reaches it. */
r1_status r1_http_check(const char *listen, bool *loopback, r1_err *err);
r1_status r1_http_start(r1_http **out, const r1_http_opts *opts, r1_err *err);
int r1_http_port(const r1_http *h);
/* Answers so far to requests of routes[route], by hundreds: class 2 is 200..299. route n_route: of
 * no route. */
uint64_t r1_http_answered(const r1_http *h, size_t route, int class_of);
uint64_t r1_http_made_room(const r1_http *h); /* connections that were closed for new ones */
/* Requests of routes[route] that found at_once others. */
uint64_t r1_http_refused(const r1_http *h, size_t route);
/* Connections that were closed for their time: what they kept the server waiting for. */
typedef enum {
    R1_HTTP_FOR_REQUEST = 0,
    R1_HTTP_FOR_TAKING,
    R1_HTTP_RESTED,
    R1_HTTP_N_LATE
} r1_http_late;
uint64_t r1_http_timed_out(const r1_http *h, r1_http_late what);
/* Ends listening, lets handlers finish, closes every connection. Handlers that wait for something
 * must have been woken. NULL is fine. */
void r1_http_stop(r1_http *h);

#endif
