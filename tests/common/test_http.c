/* SPDX-License-Identifier: Apache-2.0 */
/* The server over real sockets. A table of hostile requests: each gets its refusal or a closed
 * connection, and the next good request is answered. Random bytes and random cuts of good requests
 * do the same. A silent or dripping client is closed in time, and a stop does not wait for it. Who
 * takes no answers is bounded, closed in time, and keeps no other route's clients out. */
#include "http/http.h"
#include "http/http_get.h"
#include "support/r1_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { BODY_MAX = 100, SILENCE_MS = 700, CONNECTIONS = 16, ANSWER_BYTES = 65536 };
enum { PAGE_BYTES = 8 << 20, PAGES = 2, KEPT = 4 }; /* a page passes the buffers of a socket */
static r1_http *server;

static void say(r1_http_answer *a, int status, const char *text, size_t len)
{
    a->status = status;
    a->type = "text/plain";
    a->body = malloc(len + 1);
    if (a->body) memcpy(a->body, text, len);
    a->body_len = a->body ? len : 0;
}

static void route_hello(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    (void)ctx;
    (void)q;
    say(a, 200, "hello", 5);
}

static void route_echo(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    (void)ctx;
    say(a, 200, q->body, q->body_len);
}

static void route_busy(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    (void)ctx;
    (void)q;
    say(a, 503, "busy", 4);
    a->retry_after_s = 7;
}

static void route_page(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    (void)ctx;
    (void)q;
    a->status = 200;
    a->body = calloc(1, PAGE_BYTES);
    a->body_len = a->body ? PAGE_BYTES : 0;
}

/* Any body, and an argument; whoever asks must bear a key. */
static void route_open(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    const char *word = r1_http_argument(q, "word");
    (void)ctx;
    say(a, 200, word ? word : q->body, word ? strlen(word) : q->body_len);
}

enum { HELLO = 0, ECHO, PAGE = 3, OPEN };
static const r1_http_route routes[] = {
    {.method = "GET", .path = "/hello", .handler = route_hello},
    {.method = "POST", .path = "/echo", .body_max = BODY_MAX, .kept = KEPT, .handler = route_echo},
    {.method = "GET", .path = "/busy", .handler = route_busy},
    {.method = "GET", .path = "/page", .at_once = PAGES, .handler = route_page},
    {.method = "POST",
     .path = "/open",
     .body_max = BODY_MAX,
     .any_type = true,
     .handler = route_open},
};

static bool http_admits(void *ctx, size_t route, const r1_http_request *q, r1_http_answer *a)
{
    const char *key = r1_http_header(q, "X-Key");
    (void)ctx;
    if (route != OPEN || (key && strcmp(key, "1") == 0)) return true;
    say(a, 401, "no key", 6);
    return false;
}

static bool http_begin(r1_http **out, int silence_ms)
{
    r1_err err = {0};
    const r1_http_opts o = {.listen = "127.0.0.1:0",
                            .routes = routes,
                            .n_route = R1_COUNT(routes),
                            .admit = http_admits,
                            .connections_max = CONNECTIONS,
                            .silence_ms = silence_ms};
    if (r1_http_start(out, &o, &err) == R1_OK) return true;
    fprintf(stderr, "%s\n", err.msg);
    return false;
}

static int dial(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)r1_http_port(server))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval limit = {.tv_sec = 5};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0) return fd;
    close(fd);
    return -1;
}

/* Sends the bytes, ends the sending side where `end`, and reads to the end. */
static size_t talk(const char *bytes, size_t len, bool end, char out[ANSWER_BYTES])
{
    int fd = dial();
    size_t n = 0;
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    for (size_t at = 0; at < len;) {
        ssize_t k = send(fd, bytes + at, len - at, MSG_NOSIGNAL);
        if (k <= 0) break;
        at += (size_t)k;
    }
    if (end) shutdown(fd, SHUT_WR);
    for (ssize_t k; n < ANSWER_BYTES - 1 && (k = recv(fd, out + n, ANSWER_BYTES - 1 - n, 0)) > 0;)
        n += (size_t)k;
    out[n] = 0;
    close(fd);
    return n;
}

static bool still_answers(void)
{
    char out[ANSWER_BYTES];
    const char *good = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    talk(good, strlen(good), false, out);
    return !strncmp(out, "HTTP/1.1 200", 12) && strstr(out, "\r\n\r\nhello");
}

#define HEAD "Host: x\r\nConnection: close\r\n"
#define JSON HEAD "Content-Type: application/json\r\n"
static const struct {
    const char *name, *request;
    int status; /* 0: any refusal, or a connection that is closed */
    const char *holds;
} cases[] = {
    {"a page", "GET /hello HTTP/1.1\r\n" HEAD "\r\n", 200, "hello"},
    {"a query is no part of the path", "GET /hello?a=b HTTP/1.1\r\n" HEAD "\r\n", 200, "hello"},
    {"the head alone", "HEAD /hello HTTP/1.1\r\n" HEAD "\r\n", 200, "Content-Length: 5"},
    {"a body", "POST /echo HTTP/1.1\r\n" JSON "Content-Length: 3\r\n\r\nabc", 200, "abc"},
    {"a body in chunks",
     "POST /echo HTTP/1.1\r\n" JSON
     "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
     200, "abc"},
    {"two requests at once",
     "GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /busy HTTP/1.1\r\n" HEAD "\r\n", 200,
     "HTTP/1.1 503"},
    {"busy says when", "GET /busy HTTP/1.1\r\n" HEAD "\r\n", 503, "Retry-After: 7"},
    {"no such path", "GET /etc/passwd HTTP/1.1\r\n" HEAD "\r\n", 404, NULL},
    {"dots", "GET /../hello HTTP/1.1\r\n" HEAD "\r\n", 404, NULL},
    {"no such method", "DELETE /hello HTTP/1.1\r\n" HEAD "\r\n", 405, "Allow: GET"},
    {"a browser asks first", "OPTIONS /echo HTTP/1.1\r\n" HEAD "\r\n", 405, "Allow: POST"},
    {"a form of another page",
     "POST /echo HTTP/1.1\r\n" HEAD "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415,
     NULL},
    {"a packed body",
     "POST /echo HTTP/1.1\r\n" JSON "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415,
     "no Content-Encoding"},
    {"a body that says it is not packed",
     "POST /echo HTTP/1.1\r\n" JSON "Content-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
     200, "{}"},
    {"any body where its route takes any",
     "POST /open HTTP/1.1\r\n" HEAD "X-Key: 1\r\nContent-Length: 2\r\n\r\nab", 200, "ab"},
    {"an argument, decoded",
     "POST /open?word=a%20b HTTP/1.1\r\n" HEAD "X-Key: 1\r\nContent-Length: 0\r\n\r\n", 200,
     "\r\n\r\na b"},
    {"who may not ask sends no body",
     "POST /open HTTP/1.1\r\n" HEAD "X-Key: 2\r\nContent-Length: 90\r\n\r\n", 401,
     "WWW-Authenticate: Bearer"},
    {"a length too large", "POST /echo HTTP/1.1\r\n" JSON "Content-Length: 101\r\n\r\n", 413, NULL},
    {"a length of a galaxy",
     "POST /echo HTTP/1.1\r\n" JSON "Content-Length: 99999999999999999999999\r\n\r\n", 0, NULL},
    {"a negative length", "POST /echo HTTP/1.1\r\n" JSON "Content-Length: -1\r\n\r\n", 0, NULL},
    {"chunks too large",
     "POST /echo HTTP/1.1\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n"
     "40\r\n0123456789012345678901234567890123456789012345678901234567890123\r\n"
     "40\r\n0123456789012345678901234567890123456789012345678901234567890123\r\n0\r\n\r\n",
     413, NULL},
    {"a chunk of no length",
     "POST /echo HTTP/1.1\r\n" JSON "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 0, NULL},
    {"no host", "GET /hello HTTP/1.1\r\n\r\n", 400, NULL},
    {"no HTTP", "\x16\x03\x01\x02\r\n\r\n", 0, NULL},
    {"half a line", "GET /hel", 0, NULL},
};

static void test_cases(void)
{
    char out[ANSWER_BYTES];
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        talk(cases[i].request, strlen(cases[i].request), cases[i].status == 0, out);
        int status = 0;
        sscanf(out, "HTTP/1.%*d %d", &status);
        bool good = cases[i].status ? status == cases[i].status : status == 0 || status >= 400;
        if (cases[i].holds && !strstr(out, cases[i].holds)) good = false;
        if (!good || !still_answers()) {
            fprintf(stderr, "%s: expected %d, found \"%s\"\n", cases[i].name, cases[i].status, out);
            CU_FAIL("case");
        }
    }
}

/* A header of 1 MiB, a line of 1 MiB, ten thousand headers. */
static void test_huge(void)
{
    enum { HUGE_BYTES = 1 << 20 };
    static char request[HUGE_BYTES + 200];
    char out[ANSWER_BYTES];
    static const char *const begin[] = {"GET /hello HTTP/1.1\r\nHost: x\r\nX: ", "GET /",
                                        "GET /hello HTTP/1.1\r\nHost: x\r\n"};
    for (size_t i = 0; i < R1_COUNT(begin); i++) {
        size_t n = strlen(begin[i]);
        memcpy(request, begin[i], n);
        for (; n + 6 < HUGE_BYTES; n += 6) memcpy(request + n, i == 2 ? "a:bc\r\n" : "aaaaaa", 6);
        memcpy(request + n, "\r\n\r\n", 4);
        talk(request, n + 4, true, out);
        CU_ASSERT_TRUE(strncmp(out, "HTTP/1.1 200", 12) != 0);
        CU_ASSERT_TRUE(still_answers());
    }
}

/* A good request with bytes changed, cut and doubled, from a seed. */
static void test_mutated(void)
{
    char out[ANSWER_BYTES], bytes[512];
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int round = 0; round < 200; round++) {
        const char *from = cases[r1_rng_below(&rng, R1_COUNT(cases))].request;
        size_t n = strlen(from);
        if (n > 256) n = 256;
        memcpy(bytes, from, n);
        for (uint64_t k = r1_rng_below(&rng, 6) + 1; n && k; k--)
            bytes[r1_rng_below(&rng, n)] = (char)r1_rng_below(&rng, 256);
        if (r1_rng_below(&rng, 3) == 0) n = r1_rng_below(&rng, n + 1);
        talk(bytes, n, true, out);
    }
    CU_ASSERT_TRUE(still_answers());
}

/* One byte every tenth of a second: closed after the silence all the same. */
static void test_slow_loris(void)
{
    int fd[8];
    int64_t began = r1_mono_us();
    for (size_t i = 0; i < R1_COUNT(fd); i++) {
        fd[i] = dial();
        CU_ASSERT_TRUE(fd[i] >= 0 && send(fd[i], "GET /hello HTTP/1.1\r\nX: ", 24, MSG_NOSIGNAL));
    }
    CU_ASSERT_TRUE(still_answers()); /* beside them */
    int open_now = R1_COUNT(fd);
    while (open_now && r1_mono_us() - began < 10 * SILENCE_MS * 1000LL) {
        usleep(100000);
        open_now = 0;
        for (size_t i = 0; i < R1_COUNT(fd); i++) {
            char c;
            send(fd[i], "a", 1, MSG_NOSIGNAL);
            open_now += !(recv(fd[i], &c, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET);
        }
    }
    CU_ASSERT_EQUAL(open_now, 0);
    for (size_t i = 0; i < R1_COUNT(fd); i++) close(fd[i]);
    CU_ASSERT_TRUE(still_answers());
}

/* More clients than connections: the others are closed, and there is room again once they go. */
static void test_too_many(void)
{
    int fd[40];
    for (size_t i = 0; i < R1_COUNT(fd); i++) fd[i] = dial();
    for (size_t i = 0; i < R1_COUNT(fd); i++) close(fd[i]);
    int64_t until = r1_mono_us() + 10000000;
    while (!still_answers() && r1_mono_us() < until) usleep(10000);
    CU_ASSERT_TRUE(still_answers());
}

/* A server whose clients have so long that no answer below can come from their being timed out. */
static r1_http *patient_begin(r1_http **kept)
{
    r1_http *patient = NULL;
    *kept = server;
    CU_ASSERT_TRUE_FATAL(http_begin(&patient, R1_HTTP_SILENCE_MS));
    return server = patient;
}

static bool in_time(int64_t began)
{
    return r1_mono_us() - began < (int64_t)R1_HTTP_REQUEST_MS * 800;
}

/* Silent clients take every connection, many more at a time than there are: who has a request is
 * answered all the same. Seen: connections came faster than others were closed, and were reset. */
static void test_silent_clients_lock_nobody_out(void)
{
    int fd[300];
    r1_http *kept, *patient = patient_begin(&kept);
    int64_t began = r1_mono_us();
    for (size_t i = 0; i < R1_COUNT(fd); i++) fd[i] = dial();
    CU_ASSERT_TRUE(still_answers());
    CU_ASSERT_TRUE(in_time(began));
    uint64_t gone = r1_http_made_room(patient) + r1_http_timed_out(patient, R1_HTTP_FOR_REQUEST);
    CU_ASSERT_TRUE(gone >= R1_COUNT(fd) + 1 - CONNECTIONS);
    for (size_t i = 0; i < R1_COUNT(fd); i++) close(fd[i]);
    server = kept;
    r1_http_stop(patient);
}

/* One answer of a connection that stays; 0: it was closed, or nothing came. */
static int one_answer(int fd, const char *request)
{
    char out[1024];
    int status = 0;
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) <= 0) return 0;
    ssize_t n = recv(fd, out, sizeof out - 1, 0);
    out[n > 0 ? n : 0] = 0;
    sscanf(out, "HTTP/1.%*d %d", &status);
    return status;
}

static const char ask_page[] = "GET /page HTTP/1.1\r\nHost: x\r\n\r\n",
                  ask_echo[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: "
                               "application/json\r\nContent-Length: 2\r\n\r\n{}";

/* As many as may take a page and do not keep others from it, until their time is up. */
static void test_slow_readers_are_bounded(void)
{
    int fd[PAGES];
    uint64_t late = r1_http_timed_out(server, R1_HTTP_FOR_TAKING);
    for (int i = 0; i < PAGES; i++) {
        fd[i] = dial();
        CU_ASSERT_EQUAL(one_answer(fd[i], ask_page), 200);
    }
    int status = 503;
    int64_t began = r1_mono_us();
    while (status == 503 && r1_mono_us() - began < 10 * SILENCE_MS * 1000LL) {
        usleep(20000);
        int next = dial();
        status = one_answer(next, ask_page);
        close(next);
    }
    CU_ASSERT_EQUAL(status, 200);
    CU_ASSERT_TRUE(r1_http_timed_out(server, R1_HTTP_FOR_TAKING) - late >= 1);
    for (int i = 0; i < PAGES; i++) close(fd[i]);
}

/* The one after as many as may be is refused at once, and counted. */
static void test_requests_of_a_route_at_once(void)
{
    char out[ANSWER_BYTES];
    int fd[PAGES];
    r1_http *kept, *patient = patient_begin(&kept);
    int64_t began = r1_mono_us();
    for (int i = 0; i < PAGES; i++) {
        fd[i] = dial();
        CU_ASSERT_EQUAL(one_answer(fd[i], ask_page), 200);
    }
    talk(ask_page, strlen(ask_page), false, out); /* to the end of the connection */
    CU_ASSERT_TRUE(!strncmp(out, "HTTP/1.1 503", 12) && strstr(out, "Retry-After: 1"));
    CU_ASSERT_EQUAL(r1_http_refused(patient, PAGE), 1);
    CU_ASSERT_TRUE(still_answers());
    CU_ASSERT_TRUE(in_time(began));
    for (int i = 0; i < PAGES; i++) close(fd[i]);
    server = kept;
    r1_http_stop(patient);
}

/* More clients than connections ask for page after page and take none: a client of another route
 * keeps its connection, and new ones are answered. */
static void test_pipelines_crowd_nobody_out(void)
{
    r1_http *kept, *patient = patient_begin(&kept);
    int fd[3 * CONNECTIONS], mine = dial();
    CU_ASSERT_EQUAL(one_answer(mine, ask_echo), 200);
    int64_t began = r1_mono_us();
    for (size_t i = 0; i < R1_COUNT(fd); i++) {
        fd[i] = dial();
        for (int k = 0; fd[i] >= 0 && k < 10; k++)
            send(fd[i], ask_page, strlen(ask_page), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (i % 8) continue;
        int other = dial();
        CU_ASSERT_EQUAL(one_answer(mine, ask_echo), 200);
        CU_ASSERT_EQUAL(one_answer(other, ask_echo), 200);
        close(other);
    }
    CU_ASSERT_TRUE(in_time(began));
    for (size_t i = 0; i < R1_COUNT(fd); i++) close(fd[i]);
    close(mine);
    server = kept;
    r1_http_stop(patient);
}

static void test_counts(void)
{
    CU_ASSERT_TRUE(r1_http_answered(server, HELLO, 2) > 5);
    CU_ASSERT_TRUE(r1_http_answered(server, ECHO, 4) >= 3);
    CU_ASSERT_TRUE(r1_http_answered(server, R1_COUNT(routes), 4) >= 2);
}

static void test_addresses(void)
{
    static const struct {
        const char *listen;
        bool good, loopback;
    } rows[] = {{"127.0.0.1:9464", true, true},    {"9464", true, true},
                {"[::1]:1", true, true},           {"localhost:80", true, true},
                {"0.0.0.0:1", true, false},        {"[::]:1", true, false},
                {"10.1.2.3:65535", true, false},   {"", false, false},
                {":9464", false, false},           {"127.0.0.1:", false, false},
                {"127.0.0.1:65536", false, false}, {"::1:80", false, false},
                {"example.org:80", false, false},  {"127.0.0.1:80x", false, false},
                {"[]:80", false, false},           {"999.0.0.1:80", false, false}};
    for (size_t i = 0; i < R1_COUNT(rows); i++) {
        r1_err err = {0};
        bool loopback = false;
        r1_status st = r1_http_check(rows[i].listen, &loopback, &err);
        if ((st == R1_OK) != rows[i].good || loopback != rows[i].loopback) {
            fprintf(stderr, "\"%s\": %s\n", rows[i].listen, err.msg);
            CU_FAIL("address");
        }
    }
}

/* The asker against the server, nobody, a server of noise, and one that stays silent. */
static void test_get(void)
{
    char address[32], *body = NULL;
    int status = 0;
    r1_err err = {0};
    snprintf(address, sizeof address, "127.0.0.1:%d", r1_http_port(server));
    R1_ASSERT_OK(r1_http_get(address, "/hello", 10000, 1 << 20, &status, &body, &err), &err);
    CU_ASSERT_TRUE(status == 200 && !strcmp(body, "hello"));
    free(body);
    R1_ASSERT_OK(r1_http_get(address, "/busy", 10000, 1 << 20, &status, &body, &err), &err);
    CU_ASSERT_TRUE(status == 503 && !strcmp(body, "busy"));
    free(body);
    CU_ASSERT_EQUAL(r1_http_get("127.0.0.1:1", "/", 2000, 10, &status, &body, &err), R1_E_IO);
    CU_ASSERT_EQUAL(r1_http_get("nowhere", "/", 2000, 10, &status, &body, &err), R1_E_INVAL);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&at, len), 0);
    listen(fd, 4);
    getsockname(fd, (struct sockaddr *)&at, &len);
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(at.sin_port));
    CU_ASSERT_EQUAL(r1_http_get(address, "/", 100, 1000, &status, &body, &err), R1_E_TIMEOUT);
    close(fd);
}

static void test_taken_port(void)
{
    char listen[32];
    r1_err err = {0};
    r1_http *second = NULL;
    snprintf(listen, sizeof listen, "127.0.0.1:%d", r1_http_port(server));
    const r1_http_opts o = {.listen = listen, .routes = routes, .n_route = R1_COUNT(routes)};
    CU_ASSERT_EQUAL(r1_http_start(&second, &o, &err), R1_E_IO);
    CU_ASSERT_TRUE(strstr(err.msg, listen) != NULL);
}

/* A client that holds its connection open does not hold up the end. */
static void test_stop(void)
{
    r1_err err = {0};
    r1_http *kept = server, *other = NULL;
    const r1_http_opts o = {.listen = "127.0.0.1:0", .routes = routes, .n_route = R1_COUNT(routes)};
    CU_ASSERT_EQUAL_FATAL(r1_http_start(&other, &o, &err), R1_OK);
    server = other;
    int fd = dial();
    send(fd, "GET /he", 7, MSG_NOSIGNAL);
    usleep(50000);
    int64_t began = r1_mono_us();
    r1_http_stop(other);
    CU_ASSERT_TRUE(r1_mono_us() - began < 10000000);
    close(fd);
    server = kept;
}

int main(void)
{
    static const r1_test_case all[] = {{"a table of requests", test_cases},
                                       {"huge requests", test_huge},
                                       {"mutated requests", test_mutated},
                                       {"slow loris", test_slow_loris},
                                       {"more clients than connections", test_too_many},
                                       {"silent clients", test_silent_clients_lock_nobody_out},
                                       {"slow readers", test_slow_readers_are_bounded},
                                       {"at once", test_requests_of_a_route_at_once},
                                       {"pipelines", test_pipelines_crowd_nobody_out},
                                       {"counts", test_counts},
                                       {"addresses", test_addresses},
                                       {"one page", test_get},
                                       {"a taken port", test_taken_port},
                                       {"stop", test_stop}};
    if (!http_begin(&server, SILENCE_MS)) return 1;
    int failed = r1_test_run("http", all, R1_COUNT(all));
    r1_http_stop(server);
    return failed;
}
