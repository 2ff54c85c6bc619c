/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim_port.c - clients of POST /v1/decide in the place of the HTTP server: threads of the service
 * that call its handler, as the server's connections do. Whoever gets no decision asks again, at
 * this service or the next. */
#include "http/http.h"
#include "sim.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS = 2, LOOK_US = 20000, AGAIN_US = 600000, ACCOUNTS = 24 };

r1_status __wrap_r1_http_start(r1_http **out, const r1_http_opts *opts, r1_err *err);
void __wrap_r1_http_stop(r1_http *h);
int __wrap_r1_http_port(const r1_http *h);
uint64_t __wrap_r1_http_answered(const r1_http *h, size_t route, int class_of);
uint64_t __wrap_r1_http_made_room(const r1_http *h);
uint64_t __wrap_r1_http_refused(const r1_http *h, size_t route);
uint64_t __wrap_r1_http_timed_out(const r1_http *h, r1_http_late what);

struct r1_http {
    r1_http_opts o;
    pthread_t client[CLIENTS];
    bool stopping;
};

/* ---- what is asked ---- */

/* The service remembers four contents of one id, and no more. Those of the topic come on top. */
static bool has_room(const sim_ask *a)
{
    int n = 1, limit = *a->tx_id == 't' ? 1 : 3;
    for (const sim_ask *b = sim->ask; b < a; b++)
        n += !strcmp(b->tx_id, a->tx_id) && b->body != a->body;
    return n < limit;
}

/* Ids of their own; one of eight is that of the topic with other content, one of eight was asked
 * about before: with the same content, or with other. */
void sim_asks_make(int64_t from_us, int64_t to_us)
{
    sim->n_ask = SIM_ASKS / 2 + (int)sim_below(SIM_ASKS / 2);
    for (int i = 0; i < sim->n_ask; i++) {
        sim_ask *a = &sim->ask[i];
        char text[256];
        uint64_t how = i ? sim_below(8) : 2, from = sim_below(ACCOUNTS);
        a->at_us = from_us + (int64_t)sim_below((uint64_t)(to_us - from_us));
        snprintf(a->tx_id, sizeof a->tx_id, how ? "h%d" : "t%d", i);
        if (how == 1) {
            const sim_ask *old = &sim->ask[sim_below((uint64_t)i)];
            memcpy(a->tx_id, old->tx_id, sizeof a->tx_id);
            a->body = old->body;
            if (sim_below(2) || !has_room(a)) continue;
        }
        snprintf(text, sizeof text,
                 "{\"tx_id\":\"%s\",\"ts\":%lld,\"kind\":\"transfer\",\"from\":\"a%d\",\"to\":"
                 "\"a%d\",\"amount_minor\":%d,\"currency\":\"EUR\"}",
                 a->tx_id, (long long)((SIM_WALL_US + a->at_us - SIM_BEGIN_US) / 1000), (int)from,
                 (int)((from + 1 + sim_below(ACCOUNTS - 1)) % ACCOUNTS),
                 (int)(100 + sim_below(1000000)));
        a->body = sim_keep(text);
    }
}

bool sim_asks_answered(void)
{
    for (int i = 0; i < sim->n_ask; i++)
        if (sim->ask[i].answers < 2) return false;
    return true;
}

/* ---- a client ---- */

static sim_ask *next_ask(void)
{
    for (int i = 0; i < sim->n_ask; i++) {
        sim_ask *a = &sim->ask[i];
        if (a->service && !sim->service[a->service].alive) a->service = 0;
        if (!a->service && a->answers < 2 && a->at_us <= sim->now_us) return a;
    }
    return NULL;
}

/* Whoever asks again gets the same decision. An answer that was on its way while its row was lost
 * counts as none. */
static void take_answer(sim_ask *a, int64_t asked_us, const r1_http_answer *got)
{
    json_t *o = got->body ? json_loads(got->body, 0, NULL) : NULL;
    int64_t seq = (int64_t)json_integer_value(json_object_get(o, "apply_seq"));
    const char *decision = json_string_value(json_object_get(o, "decision"));
    sim_say("asked for %s: %d, apply_seq %lld", a->tx_id, got->status, (long long)seq);
    if (seq && asked_us < sim->promoted_us && seq >= sim->lost_from) {
        sim_say("the answer's row is lost");
    } else if (got->status != 200 && got->status != 409) {
        if (got->status != 503) sim_fault("asked for %s, found status %d", a->tx_id, got->status);
    } else if (!seq || !decision) {
        sim_fault("asked for %s, found no decision: %.200s", a->tx_id, got->body);
    } else if (!a->answers++) {
        a->seq = seq;
        snprintf(a->decision, sizeof a->decision, "%s", decision);
    } else if (a->seq != seq || strcmp(a->decision, decision) != 0) {
        sim_fault("asked for %s again: %s of apply_seq %lld, at first %s of %lld", a->tx_id,
                  decision, (long long)seq, a->decision, (long long)a->seq);
    }
    json_decref(o);
}

static void ask_once(r1_http *h, sim_ask *a)
{
    const char *body = sim->bytes + a->body;
    const r1_http_request q = {
        .method = "POST", .path = "/v1/decide", .body = body, .body_len = strlen(body)};
    r1_http_answer got = {.status = 500};
    int64_t asked_us = sim->now_us;
    a->service = sim_self_service();
    h->o.routes[0].handler(h->o.ctx, &q, &got);
    a->service = 0;
    a->at_us = sim->now_us + (int64_t)sim_below(AGAIN_US);
    take_answer(a, asked_us, &got);
    free(got.body);
}

static void *client_main(void *arg)
{
    r1_http *h = arg;
    while (!h->stopping) {
        sim_ask *a = next_ask();
        if (a)
            ask_once(h, a);
        else
            sim_sleep_until(sim->now_us + LOOK_US);
    }
    return NULL;
}

/* ---- in the place of the server ---- */

r1_status __wrap_r1_http_start(r1_http **out, const r1_http_opts *opts, r1_err *err)
{
    r1_http *h = calloc(1, sizeof *h);
    if (!h) R1_FAIL(err, R1_E_NOMEM, "no memory for clients");
    h->o = *opts;
    for (int i = 0; i < CLIENTS; i++) pthread_create(&h->client[i], NULL, client_main, h);
    *out = h;
    return R1_OK;
}

void __wrap_r1_http_stop(r1_http *h)
{
    if (!h) return;
    h->stopping = true;
    for (int i = 0; i < CLIENTS; i++) pthread_join(h->client[i], NULL);
    free(h);
}

int __wrap_r1_http_port(const r1_http *h)
{
    (void)h;
    return 1;
}

/* What a server of connections would count. */
uint64_t __wrap_r1_http_answered(const r1_http *h, size_t route, int class_of)
{
    (void)h, (void)route, (void)class_of;
    return 0;
}

uint64_t __wrap_r1_http_made_room(const r1_http *h)
{
    (void)h;
    return 0;
}

uint64_t __wrap_r1_http_refused(const r1_http *h, size_t route)
{
    (void)h, (void)route;
    return 0;
}

uint64_t __wrap_r1_http_timed_out(const r1_http *h, r1_http_late what)
{
    (void)h, (void)what;
    return 0;
}
