/* SPDX-License-Identifier: GPL-3.0-or-later */
/* record.c - the bounded queue: a ring of filled records and a stack of free ones under one
 * mutex. */
#include "write/record.h"
#include "r1_assert.h"
#include "text/r1_utf8.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *fraud_stage_name(fraud_stage stage)
{
    static const char *const names[FRAUD_N_STAGE] = {"decode", "validate", "write"};
    R1_ASSERT(stage < FRAUD_N_STAGE, "stage %d of a dead letter", (int)stage);
    return names[stage];
}

void fraud_record_refuse(fraud_record *r, fraud_stage stage, const r1_err *err)
{
    r->kind = FRAUD_RECORD_DEAD;
    r->stage = stage;
    r1_utf8_clean(r->reason, sizeof r->reason, err->msg);
}

void fraud_record_leave_out(fraud_record *r, const r1_err *err)
{
    r->kind = FRAUD_RECORD_LEFT_OUT;
    r1_utf8_clean(r->reason, sizeof r->reason, err->msg);
}

void fraud_record_stamp(fraud_record *r, fraud_clock clock)
{
    if (clock == FRAUD_CLOCK_READ) memset(r->clock_us, 0, sizeof r->clock_us);
    r->clock_us[clock] = r1_mono_us();
}

void fraud_record_reply(fraud_record *r, fraud_outcome outcome, const char *text)
{
    fraud_reply_fn reply = r->reply;
    r->reply = NULL;
    if (reply) reply(r->reply_ctx, r, outcome, text);
}

void fraud_record_strip(fraud_record *r, const r1_err *err)
{
    char why[FRAUD_NOTES_BYTES / 4];
    r1_utf8_clean(why, sizeof why, err->msg);
    json_t *notes = json_pack("[s, s]", "row: written without its fields", why);
    size_t len = notes ? json_dumpb(notes, r->notes, sizeof r->notes - 1, JSON_COMPACT) : 0;
    r->notes[len < sizeof r->notes ? len : 0] = 0;
    json_decref(notes);
    r->bare = true;
}

void fraud_record_set_apart(fraud_record *r, const char *rule, const char *text,
                            fraud_action action)
{
    r->kind = FRAUD_RECORD_PAYMENT;
    r->apart_rule = rule;
    r1_utf8_clean(r->apart_text, sizeof r->apart_text, text);
    fraud_decision_release(&r->decision);
    r->decision = (fraud_decision){.action = action, .rule = rule};
    r->probability = r->logit = 0;
    r->degraded = false;
    r->decided_us = r1_time_us();
    r->n_trace = 0;
}

struct fraud_queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    fraud_record *pool, **free, **ring;
    size_t capacity, n_free, head, n_ring;
    uint64_t n_step; /* changes so far */
    bool closed;
};

/* ---- invariants, under the lock ----
 *
 * (1) Every record is in one place. (2) The stack holds the free ones, the ring the queued ones,
 * each once. (3) Both fit: the pool has as many records as each has places. */

static void record_move(const fraud_queue *q, fraud_record *r, fraud_record_place from,
                        fraud_record_place to)
{
    R1_ASSERT(r >= q->pool && r < q->pool + q->capacity, "a record of another queue");
    R1_ASSERT(r->place == from, "record %td: expected at place %d to go to %d, found at %d",
              r - q->pool, (int)from, (int)to, (int)r->place);
    r->place = to;
}

static bool queue_consistent(const fraud_queue *q)
{
    size_t n[FRAUD_RECORD_WRITING + 1] = {0};
    for (size_t i = 0; i < q->capacity; i++) n[q->pool[i].place]++;
    bool good = n[FRAUD_RECORD_FREE] == q->n_free && n[FRAUD_RECORD_QUEUED] == q->n_ring;
    for (size_t i = 0; good && i < q->n_free; i++) good = q->free[i]->place == FRAUD_RECORD_FREE;
    for (size_t i = 0; good && i < q->n_ring; i++)
        good = q->ring[(q->head + i) % q->capacity]->place == FRAUD_RECORD_QUEUED;
    return good;
}

/* A walk over the pool every so many steps: after each step it would square the tests' time. */
static void queue_check(fraud_queue *q)
{
    enum { STEPS = 64 };
    R1_ASSERT(q->n_free + q->n_ring <= q->capacity, "%zu free and %zu queued of %zu", q->n_free,
              q->n_ring, q->capacity);
    q->n_step++;
    R1_DEEP_ASSERT(q->n_step % STEPS || queue_consistent(q), "%zu free and %zu queued of %zu",
                   q->n_free, q->n_ring, q->capacity);
}

/* ---- life ---- */

r1_status fraud_queue_new(fraud_queue **out, size_t capacity, r1_err *err)
{
    fraud_queue *q = calloc(1, sizeof *q);
    if (q) {
        pthread_mutex_init(&q->lock, NULL);
        pthread_cond_init(&q->filled, NULL);
        q->pool = calloc(capacity, sizeof *q->pool);
        q->free = calloc(capacity, sizeof(fraud_record *));
        q->ring = calloc(capacity, sizeof(fraud_record *));
    }
    if (!q || !q->pool || !q->free || !q->ring) {
        fraud_queue_free(q);
        R1_FAIL(err, R1_E_NOMEM, "no memory for a queue of %zu records", capacity);
    }
    q->capacity = q->n_free = capacity;
    for (size_t i = 0; i < capacity; i++) q->free[i] = &q->pool[i];
    *out = q;
    return R1_OK;
}

void fraud_record_empty(fraud_record *r)
{
    fraud_record_reply(r, FRAUD_OUTCOME_DROPPED, NULL);
    r1_message_free(&r->message);
    fraud_decision_release(&r->decision);
    free(r->body);
    r->body = NULL;
    free(r->alert);
    free(r->log);
    r->alert = NULL;
    r->log = NULL;
    r->bare = false;
}

void fraud_record_move(fraud_record *to, fraud_record *r)
{
    static const fraud_record empty;
    fraud_record_place mine = to->place, its = r->place;
    *to = *r;
    to->place = mine;
    *r = empty;
    r->place = its;
}

void fraud_queue_free(fraud_queue *q)
{
    if (!q) return;
    for (size_t i = 0; q->pool && i < q->capacity; i++) fraud_record_empty(&q->pool[i]);
    pthread_cond_destroy(&q->filled);
    pthread_mutex_destroy(&q->lock);
    free(q->pool);
    free(q->free);
    free(q->ring);
    free(q);
}

fraud_record *fraud_queue_take_free(fraud_queue *q)
{
    pthread_mutex_lock(&q->lock);
    fraud_record *r = q->n_free ? q->free[--q->n_free] : NULL;
    if (r) record_move(q, r, FRAUD_RECORD_FREE, FRAUD_RECORD_TAKEN);
    queue_check(q);
    pthread_mutex_unlock(&q->lock);
    return r;
}

void fraud_queue_push(fraud_queue *q, fraud_record *const *r, size_t n)
{
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < n; i++) {
        record_move(q, r[i], FRAUD_RECORD_TAKEN, FRAUD_RECORD_QUEUED);
        q->ring[(q->head + q->n_ring++) % q->capacity] = r[i];
    }
    queue_check(q);
    pthread_cond_signal(&q->filled);
    pthread_mutex_unlock(&q->lock);
}

size_t fraud_queue_in_flight(fraud_queue *q)
{
    pthread_mutex_lock(&q->lock);
    size_t n = q->capacity - q->n_free;
    pthread_mutex_unlock(&q->lock);
    return n;
}

size_t fraud_queue_pop(fraud_queue *q, fraud_record **out, size_t max)
{
    pthread_mutex_lock(&q->lock);
    while (!q->n_ring && !q->closed) pthread_cond_wait(&q->filled, &q->lock);
    size_t n = 0;
    for (; n < max && q->n_ring; n++, q->n_ring--) {
        out[n] = q->ring[q->head];
        record_move(q, out[n], FRAUD_RECORD_QUEUED, FRAUD_RECORD_WRITING);
        q->head = (q->head + 1) % q->capacity;
    }
    queue_check(q);
    pthread_mutex_unlock(&q->lock);
    return n;
}

static void queue_free_records(fraud_queue *q, fraud_record **r, size_t n, fraud_record_place from)
{
    for (size_t i = 0; i < n; i++) fraud_record_empty(r[i]);
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < n; i++) {
        record_move(q, r[i], from, FRAUD_RECORD_FREE);
        q->free[q->n_free++] = r[i];
    }
    queue_check(q);
    pthread_mutex_unlock(&q->lock);
}

void fraud_queue_put_back(fraud_queue *q, fraud_record *r)
{
    queue_free_records(q, &r, 1, FRAUD_RECORD_TAKEN);
}

void fraud_queue_release(fraud_queue *q, fraud_record **r, size_t n)
{
    queue_free_records(q, r, n, FRAUD_RECORD_WRITING);
}

void fraud_queue_close(fraud_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_signal(&q->filled);
    pthread_mutex_unlock(&q->lock);
}
