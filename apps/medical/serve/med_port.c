/* SPDX-License-Identifier: Apache-2.0 */
/* med_port.c - see med_port.h: routes, tokens, rate, life. */
#include "serve/med_port_internal.h"

#include "metrics/prometheus.h"
#include "r1_assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { READERS = 8, WRITERS = 64, CONNECTIONS = 128, WORK_STACK_KIB = 4096 };
enum { INTAKE_STALL_US = 10000000 };

/* ---- who may ask ---- */

/* Equal texts, in a time that tells nothing of where they differ. */
static bool port_same(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    unsigned differ = n != m;
    for (size_t i = 0; i < n; i++) differ |= (unsigned char)a[i] ^ (unsigned char)b[m ? i % m : 0];
    return !differ;
}

/* One request takes a token of the bucket, which holds what six seconds bring, ten at least. */
static bool port_in_rate(struct med_port *p)
{
    double per_us = p->o.per_minute / 60e6, most = p->o.per_minute / 10.0;
    if (most < 10) most = 10;
    pthread_mutex_lock(&p->lock);
    int64_t now = r1_mono_us();
    p->tokens += (double)(now - p->filled_us) * per_us;
    if (p->tokens > most) p->tokens = most;
    p->filled_us = now;
    bool in = p->tokens >= 1;
    if (in) p->tokens -= 1;
    pthread_mutex_unlock(&p->lock);
    return in;
}

/* A preflight of every request, before its body. */
static bool port_admit(void *ctx, size_t route, const r1_http_request *q, r1_http_answer *a)
{
    struct med_port *p = ctx;
    med_audience whom = MED_FOR_ADMINS;
    const char *given = r1_http_header(q, "Authorization");
    med_port_route(route, &whom);
    if (whom == MED_FOR_ALL) return true;
    bool bearer = given && strncasecmp(given, "Bearer ", 7) == 0;
    bool user = bearer && port_same(given + 7, p->o.token);
    bool admin = bearer && p->o.admin_token && port_same(given + 7, p->o.admin_token);
    if (!user && !admin) {
        atomic_fetch_add(&p->unauthorized, 1);
        med_answer_refused(a, 401, "expected Authorization: Bearer with the token of this service");
        return false;
    }
    if (whom == MED_FOR_ADMINS && !admin) {
        med_answer_refused(a, 403, "expected the admin token");
        return false;
    }
    if (port_in_rate(p)) return true;
    atomic_fetch_add(&p->limited, 1);
    med_answer_refused(a, 429, "more requests than this service takes a minute");
    return false;
}

/* ---- pages about the service ---- */

static void med_page_livez(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    (void)ctx;
    (void)q;
    med_answer_json(a, 200, json_pack("{s:b}", "alive", 1));
}

static void med_page_readyz(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    struct med_port *p = ctx;
    med_service_stats s;
    med_intake_stats in = {0};
    (void)q;
    med_service_stats_read(p->o.service, &s);
    if (p->o.intake) med_intake_stats_read(p->o.intake, &in);
    bool reads =
        !p->o.intake || (in.running && !in.away && r1_mono_us() - in.turned_us < INTAKE_STALL_US);
    json_t *o = json_pack("{s:b, s:s, s:i}", "ready", (int)reads, "knowledge_base", s.checksum,
                          "diseases", (int)s.n_profiled);
    if (o && p->o.intake)
        json_object_set_new(o, "stream",
                            json_pack("{s:b, s:s}", "ok", (int)reads, "found", in.state));
    med_answer_json(a, reads ? 200 : 503, o);
}

static void med_page_metrics(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    size_t n = 0;
    (void)q;
    char *text = med_port_metrics(ctx, &n);
    med_answer_text(a, 200, R1_PROM_TYPE, text, n);
}

static void med_page_api(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    struct med_port *p = ctx;
    (void)q;
    med_answer_text(a, 200, "application/json", strdup(p->o.api), strlen(p->o.api));
}

static void med_page_knowledge(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    struct med_port *p = ctx;
    med_service_stats s;
    r1_err err = {0};
    (void)q;
    r1_status st = med_service_reload(p->o.service, &err);
    med_service_stats_read(p->o.service, &s);
    if (st == R1_OK)
        r1_log(R1_LOG_INFO, "knowledge_swapped", "knowledge_base=%s diseases=%u", s.checksum,
               s.n_profiled);
    else
        r1_log(R1_LOG_ERROR, "knowledge_kept", "reason=\"%s\"", err.msg);
    if (st != R1_OK)
        med_answer_error(a, st, &err);
    else
        med_answer_json(
            a, 200,
            json_pack("{s:s, s:i}", "knowledge_base", s.checksum, "diseases", (int)s.n_profiled));
}

/* ---- routes ---- */

/* One page: its route, whose handler is put behind a clock at the start, and whom it is for. */
static const struct {
    r1_http_route route;
    med_audience whom;
} pages[] = {
    /* clang-format off */
    {{"GET", "/livez", .at_once = READERS, .handler = med_page_livez}, MED_FOR_ALL},
    {{"GET", "/readyz", .at_once = READERS, .handler = med_page_readyz}, MED_FOR_ALL},
    {{"GET", "/metrics", .at_once = READERS, .handler = med_page_metrics}, MED_FOR_ALL},
    {{"GET", "/v1/openapi.json", .at_once = READERS, .handler = med_page_api}, MED_FOR_ALL},
    {{"GET", "/cds-services", .at_once = READERS, .handler = med_page_hooks}, MED_FOR_ALL},
    {{"GET", "/v1/terms", .at_once = WRITERS, .handler = med_page_terms}, MED_FOR_USERS},
    {{"POST", "/v1/records", MED_DOCUMENT_BYTES_MAX, .at_once = WRITERS, .any_type = true,
      .handler = med_page_records}, MED_FOR_USERS},
    {{"POST", "/v1/findings", MED_DOCUMENT_BYTES_MAX, .at_once = WRITERS,
      .handler = med_page_findings}, MED_FOR_USERS},
    {{"POST", "/v1/report", MED_DOCUMENT_BYTES_MAX, .at_once = WRITERS,
      .handler = med_page_report}, MED_FOR_USERS},
    {{"POST", "/cds-services/r1-rare-disease", MED_DOCUMENT_BYTES_MAX, .at_once = WRITERS,
      .handler = med_page_card}, MED_FOR_USERS},
    {{"POST", "/v1/knowledge", .at_once = 1, .any_type = true, .handler = med_page_knowledge},
     MED_FOR_ADMINS},
    /* clang-format on */
};

const r1_http_route *med_port_route(size_t i, med_audience *whom)
{
    if (i >= R1_COUNT(pages)) return NULL;
    if (whom) *whom = pages[i].whom;
    return &pages[i].route;
}

/* Each handler is timed, and a line says what it did. */
static void port_timed(void *ctx, const r1_http_request *q, r1_http_answer *a)
{
    struct med_port *p = ctx;
    int64_t began = r1_mono_us();
    size_t i = 0;
    while (i < R1_COUNT(pages) && strcmp(pages[i].route.path, q->path) != 0) i++;
    R1_ASSERT(i < R1_COUNT(pages), "a route without a page: %s", q->path);
    pages[i].route.handler(ctx, q, a);
    int64_t took = r1_mono_us() - began;
    pthread_mutex_lock(&p->lock);
    r1_histogram_add(&p->took[i], took);
    pthread_mutex_unlock(&p->lock);
    if (pages[i].whom != MED_FOR_ALL)
        r1_log(R1_LOG_INFO, "request", "path=%s status=%d ms=%.1f bytes_in=%zu bytes_out=%zu",
               pages[i].route.path, a->status, (double)took / 1e3, q->body_len, a->body_len);
}

/* ---- life ---- */

static r1_status port_start(struct med_port *p, r1_err *err)
{
    _Static_assert(R1_COUNT(pages) <= R1_HTTP_ROUTES_MAX, "routes");
    for (size_t i = 0; i < R1_COUNT(pages); i++) {
        p->route[i] = pages[i].route;
        p->route[i].handler = port_timed;
    }
    const r1_http_opts o = {.listen = p->o.listen,
                            .routes = p->route,
                            .n_route = R1_COUNT(pages),
                            .ctx = p,
                            .admit = port_admit,
                            .connections_max = CONNECTIONS,
                            .stack_kib = WORK_STACK_KIB};
    bool loopback = true;
    R1_TRY(r1_http_check(p->o.listen, &loopback, err));
    if (!loopback)
        r1_log(R1_LOG_WARN, "http_open",
               "listen=%s the port has no encryption: a proxy must add it", p->o.listen);
    return r1_http_start(&p->http, &o, err);
}

r1_status med_port_new(med_port **out, const med_port_opts *opts, r1_err *err)
{
    struct med_port *p = calloc(1, sizeof *p);
    if (p) p->took = calloc(R1_COUNT(pages), sizeof *p->took);
    if (!p || !p->took) {
        free(p);
        R1_FAIL(err, R1_E_NOMEM, "no memory for the port");
    }
    p->o = *opts;
    p->filled_us = r1_mono_us();
    p->tokens = opts->per_minute;
    pthread_mutex_init(&p->lock, NULL);
    r1_status st = port_start(p, err);
    if (st == R1_OK)
        *out = p;
    else
        med_port_free(p);
    return st;
}

int med_port_number(const med_port *p) { return r1_http_port(p->http); }

void med_port_free(med_port *p)
{
    if (!p) return;
    r1_http_stop(p->http);
    pthread_mutex_destroy(&p->lock);
    free(p->took);
    free(p);
}
