/* SPDX-License-Identifier: GPL-3.0-or-later */
/* desk.c - places under one mutex, with a condition each. */
#include "serve/desk.h"
#include "r1_assert.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef enum { PLACE_FREE = 0, PLACE_WAITS, PLACE_TAKEN, PLACE_DONE, PLACE_LEFT } place_state;

typedef struct desk_place {
    fraud_desk *desk;
    place_state state;
    pthread_cond_t told;
    char *body; /* WAITS */
    size_t len;
    int64_t asked_us; /* wall clock */
    fraud_answer answer;
    struct desk_place *next; /* of those that wait */
} desk_place;

struct fraud_desk {
    pthread_mutex_t lock;
    desk_place *place;
    size_t n, n_held;
    desk_place *first, *last; /* that wait, in order */
    atomic_size_t n_waits;
    bool closed;
};

r1_status fraud_desk_new(fraud_desk **out, size_t places, r1_err *err)
{
    fraud_desk *d = calloc(1, sizeof *d);
    if (!d || !(d->place = calloc(places, sizeof *d->place))) {
        free(d);
        R1_FAIL(err, R1_E_NOMEM, "no memory for %zu places", places);
    }
    d->n = places;
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    for (size_t i = 0; i < places; i++) {
        d->place[i].desk = d;
        pthread_cond_init(&d->place[i].told, &clock);
    }
    pthread_condattr_destroy(&clock);
    *out = d;
    return R1_OK;
}

void fraud_desk_free(fraud_desk *d)
{
    if (!d) return;
    for (size_t i = 0; i < d->n; i++) {
        free(d->place[i].body);
        pthread_cond_destroy(&d->place[i].told);
    }
    pthread_mutex_destroy(&d->lock);
    free(d->place);
    free(d);
}

/* ---- places, under the lock ---- */

static void place_release(desk_place *p)
{
    free(p->body);
    p->body = NULL;
    p->state = PLACE_FREE;
    p->desk->n_held--;
}

static desk_place *place_take(fraud_desk *d)
{
    for (size_t i = 0; d->n_held < d->n && i < d->n; i++) {
        desk_place *p = &d->place[i];
        if (p->state != PLACE_FREE) continue;
        d->n_held++;
        return p;
    }
    return NULL;
}

static void place_queue(desk_place *p)
{
    fraud_desk *d = p->desk;
    p->state = PLACE_WAITS;
    p->next = NULL;
    if (d->last)
        d->last->next = p;
    else
        d->first = p;
    d->last = p;
    atomic_fetch_add(&d->n_waits, 1);
}

static void place_unqueue(desk_place *p)
{
    fraud_desk *d = p->desk;
    desk_place **at = &d->first, *before = NULL;
    while (*at != p) {
        before = *at;
        at = &before->next;
    }
    *at = p->next;
    if (d->last == p) d->last = before;
    atomic_fetch_sub(&d->n_waits, 1);
}

/* Whoever waits learns the answer; the text of an answer that nobody waits for goes. */
static void place_tell(desk_place *p, fraud_answer answer)
{
    R1_ASSERT(p->state == PLACE_TAKEN || p->state == PLACE_LEFT, "a place in state %d is told",
              (int)p->state);
    if (p->state == PLACE_LEFT) {
        free(answer.text);
        place_release(p);
        return;
    }
    p->answer = answer;
    p->state = PLACE_DONE;
    pthread_cond_signal(&p->told);
}

/* ---- the asking side ---- */

static struct timespec deadline_in(int wait_ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += wait_ms / 1000;
    t.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* The answer of a place that was waited for; the place is somebody else's afterwards. */
static fraud_answer place_answer(desk_place *p, bool closed)
{
    fraud_answer a = {.kind = closed ? FRAUD_ANSWER_CLOSED : FRAUD_ANSWER_LATE};
    if (p->state == PLACE_DONE) {
        a = p->answer;
        place_release(p);
    } else if (p->state == PLACE_WAITS) {
        place_unqueue(p);
        place_release(p);
    } else {
        p->state = PLACE_LEFT;
    }
    return a;
}

fraud_answer fraud_desk_ask(fraud_desk *d, const char *body, size_t len, int wait_ms)
{
    fraud_answer a = {.kind = FRAUD_ANSWER_FULL};
    struct timespec until = deadline_in(wait_ms);
    char *copy = malloc(len + 1);
    if (!copy) return a;
    memcpy(copy, body, len);
    copy[len] = 0;
    pthread_mutex_lock(&d->lock);
    desk_place *p = d->closed ? NULL : place_take(d);
    if (p) {
        p->body = copy;
        p->len = len;
        p->asked_us = r1_time_us();
        place_queue(p);
        while (p->state != PLACE_DONE && !(d->closed && p->state == PLACE_WAITS) &&
               pthread_cond_timedwait(&p->told, &d->lock, &until) == 0) {
        }
        a = place_answer(p, d->closed);
    } else {
        if (d->closed) a.kind = FRAUD_ANSWER_CLOSED;
        free(copy);
    }
    pthread_mutex_unlock(&d->lock);
    return a;
}

/* ---- the deciding side ---- */

static void desk_told(void *ctx, const fraud_record *r, fraud_outcome outcome, const char *text)
{
    static const fraud_answer_kind kinds[] = {[FRAUD_OUTCOME_DROPPED] = FRAUD_ANSWER_CLOSED,
                                              [FRAUD_OUTCOME_REFUSED] = FRAUD_ANSWER_REFUSED,
                                              [FRAUD_OUTCOME_COMMITTED] = FRAUD_ANSWER_DECIDED};
    desk_place *p = ctx;
    fraud_answer a = {.kind = kinds[outcome], .text = text ? strdup(text) : NULL};
    if (outcome == FRAUD_OUTCOME_COMMITTED && r->kind == FRAUD_RECORD_DUPLICATE)
        a.kind = FRAUD_ANSWER_REPEATED;
    if (outcome == FRAUD_OUTCOME_COMMITTED && r->kind == FRAUD_RECORD_DEAD)
        a.kind = FRAUD_ANSWER_REFUSED;
    a.content_hash = r->content_hash;
    snprintf(a.tx_id, sizeof a.tx_id, "%s", r->payment.tx_id);
    a.id_reused =
        r->kind == FRAUD_RECORD_PAYMENT && r->apart_rule && !strcmp(r->apart_rule, "id_reused");
    pthread_mutex_lock(&p->desk->lock);
    place_tell(p, a);
    pthread_mutex_unlock(&p->desk->lock);
}

bool fraud_desk_waits(fraud_desk *d) { return atomic_load(&d->n_waits) > 0; }

size_t fraud_desk_held(fraud_desk *d)
{
    pthread_mutex_lock(&d->lock);
    size_t n = d->n_held;
    pthread_mutex_unlock(&d->lock);
    return n;
}

bool fraud_desk_take(fraud_desk *d, fraud_record *r)
{
    pthread_mutex_lock(&d->lock);
    desk_place *p = d->closed ? NULL : d->first;
    if (p) {
        place_unqueue(p);
        p->state = PLACE_TAKEN;
        r->body = p->body;
        r->message = (r1_message){.broker_ms = p->asked_us / 1000,
                                  .sent_us = p->asked_us,
                                  .payload = r->body,
                                  .payload_len = p->len};
        p->body = NULL;
        r->reply = desk_told;
        r->reply_ctx = p;
    }
    pthread_mutex_unlock(&d->lock);
    return p != NULL;
}

void fraud_desk_close(fraud_desk *d)
{
    pthread_mutex_lock(&d->lock);
    d->closed = true;
    for (desk_place *p = d->first; p; p = p->next) pthread_cond_signal(&p->told);
    pthread_mutex_unlock(&d->lock);
}
