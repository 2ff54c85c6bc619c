/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scores.c - see scores.h. */
#include "serve/scores.h"

#include "r1_assert.h"

#include <pthread.h>
#include <stdlib.h>

typedef enum { BATCH_HAND = 0, BATCH_PARKED, BATCH_TAKEN, BATCH_DONE } batch_place;

struct fraud_scores {
    server *s;
    bool own_thread;
    int hand;     /* the reading thread's: the batch that it fills */
    bool offered; /* the reading thread's: the batch in hand was parked */
    batch *batch[2];
    pthread_t thread;
    pthread_mutex_t lock;  /* guards what follows */
    pthread_cond_t work;   /* a batch was taken for the scoring thread, or it shall stop */
    pthread_cond_t parted; /* the scoring thread is done with a batch */
    batch_place place[2];
    bool stop;
    r1_status st;
    r1_err err;
};

/* ---- one batch ---- */

static bool too_late(const server *s, const fraud_record *r, int64_t now_us)
{
    int64_t limit_ms = r1_options_int(s->o, "model-deadline");
    return limit_ms && r->message.sent_us && now_us - r->message.sent_us > limit_ms * 1000;
}

/* Late payments go by the rules, the others by the model. All are decided in the order in which
 * they were applied: what deciding remembers (decide/pace.h) must not depend on batches. */
static r1_status scores_decide(server *s, batch *b, r1_err *err)
{
    fraud_slot *slot[BATCH_MAX];
    bool late[BATCH_MAX];
    fraud_result by_rules;
    int64_t now = r1_time_us();
    size_t n = 0, k = 0;
    for (size_t i = 0; i < b->n_slot; i++) {
        late[i] = too_late(s, b->scored[i], now);
        if (!late[i]) slot[n++] = b->slot[i];
    }
    if (n || b->memory)
        R1_TRY(fraud_engine_score_batch(s->parts.engine, b->memory, slot, n, b->result, err));
    for (size_t i = 0; i < b->n_slot; i++)
        if (!late[i]) fraud_record_stamp(b->scored[i], FRAUD_CLOCK_SCORED);
    for (size_t i = 0; i < b->n_slot; i++) {
        if (late[i]) fraud_engine_score_by_rules(b->slot[i], &by_rules);
        R1_TRY(fraud_serve_decide(s, b->scored[i], b->slot[i],
                                  late[i] ? &by_rules : &b->result[k++], err));
    }
    return R1_OK;
}

/* On failure the records stay in the batch. */
static r1_status scores_run(server *s, batch *b, r1_err *err)
{
    R1_TRY(scores_decide(s, b, err));
    for (size_t i = 0; i < b->n; i++) /* what was decided apart names the policy too */
        fraud_decision_stamp(&b->record[i]->decision, s->parts.policy);
    for (size_t i = 0; i < b->n; i++) fraud_record_stamp(b->record[i], FRAUD_CLOCK_QUEUED);
    fraud_queue_push(s->parts.queue, b->record, b->n);
    b->n = 0;
    return R1_OK;
}

/* ---- the scoring thread ---- */

/* The batch that was taken for it; -1: none, and it shall stop. Under the lock. */
static int scores_next(fraud_scores *t)
{
    for (;;) {
        for (int i = 0; i < 2; i++)
            if (t->place[i] == BATCH_TAKEN) return i;
        if (t->stop) return -1;
        pthread_cond_wait(&t->work, &t->lock);
    }
}

static void *scores_main(void *arg)
{
    fraud_scores *t = arg;
    pthread_mutex_lock(&t->lock);
    for (int i; (i = scores_next(t)) >= 0;) {
        bool good = t->st == R1_OK;
        pthread_mutex_unlock(&t->lock);
        r1_err err = {0};
        r1_status st = good ? scores_run(t->s, t->batch[i], &err) : R1_OK;
        pthread_mutex_lock(&t->lock);
        if (st != R1_OK) {
            t->st = st;
            t->err = err;
        }
        t->place[i] = BATCH_DONE;
        if (t->place[!i] == BATCH_PARKED) t->place[!i] = BATCH_TAKEN;
        pthread_cond_signal(&t->parted);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

/* ---- the reading thread ---- */

/* A batch that is done. Its records went to the writer; where scoring failed, they are put back. */
static void scores_empty(fraud_scores *t, batch *b)
{
    for (size_t i = 0; i < b->n_slot; i++) fraud_slot_release(t->s->parts.engine, b->slot[i]);
    for (size_t i = 0; i < b->n; i++) fraud_queue_put_back(t->s->parts.queue, b->record[i]);
    b->n = b->n_slot = 0;
    b->memory = NULL;
}

/* The batch in hand was taken: the other one, which is done, is in hand. Under the lock. */
static void scores_turn(fraud_scores *t)
{
    R1_ASSERT(t->place[!t->hand] == BATCH_DONE, "scores: batch %d is in place %d", !t->hand,
              (int)t->place[!t->hand]);
    if (t->batch[t->hand]->memory) fraud_engine_taken(t->s->parts.engine);
    t->hand = !t->hand;
    t->place[t->hand] = BATCH_HAND;
    scores_empty(t, t->batch[t->hand]);
}

/* Under the lock. */
static void scores_collect(fraud_scores *t)
{
    if (!t->offered) return;
    t->offered = false;
    if (t->place[t->hand] == BATCH_PARKED)
        t->place[t->hand] = BATCH_HAND;
    else
        scores_turn(t);
}

batch *fraud_scores_hand(fraud_scores *t)
{
    if (t->offered) {
        pthread_mutex_lock(&t->lock);
        scores_collect(t);
        pthread_mutex_unlock(&t->lock);
    }
    return t->batch[t->hand];
}

bool fraud_scores_idle(fraud_scores *t)
{
    pthread_mutex_lock(&t->lock);
    bool idle = t->place[!t->hand] == BATCH_DONE;
    pthread_mutex_unlock(&t->lock);
    return idle;
}

/* Under the lock. */
static void scores_hand_over(fraud_scores *t)
{
    if (t->place[!t->hand] == BATCH_DONE) {
        t->place[t->hand] = BATCH_TAKEN;
        pthread_cond_signal(&t->work);
        scores_turn(t);
        return;
    }
    t->place[t->hand] = BATCH_PARKED;
    t->offered = true;
    if (t->batch[t->hand]->n < BATCH_MAX) return;
    while (t->place[t->hand] == BATCH_PARKED) pthread_cond_wait(&t->parted, &t->lock);
    scores_collect(t);
}

static r1_status scores_here(fraud_scores *t, batch *b, r1_err *err)
{
    if (b->memory) fraud_engine_taken(t->s->parts.engine);
    r1_status st = scores_run(t->s, b, err);
    scores_empty(t, b);
    return st;
}

/* Under the lock. */
static r1_status scores_status(const fraud_scores *t, r1_err *err)
{
    if (t->st != R1_OK) *err = t->err;
    return t->st;
}

r1_status fraud_scores_offer(fraud_scores *t, r1_err *err)
{
    batch *b = fraud_scores_hand(t);
    if (!b->n) return R1_OK;
    if (b->n_slot && !b->memory) R1_TRY(fraud_engine_offer(t->s->parts.engine, &b->memory, err));
    fraud_serve_mark(t->s, b);
    if (!t->own_thread) return scores_here(t, b, err);
    pthread_mutex_lock(&t->lock);
    scores_hand_over(t);
    r1_status st = scores_status(t, err);
    pthread_mutex_unlock(&t->lock);
    return st;
}

r1_status fraud_scores_drain(fraud_scores *t, r1_err *err)
{
    R1_TRY(fraud_scores_offer(t, err));
    pthread_mutex_lock(&t->lock);
    while (t->place[0] == BATCH_TAKEN || t->place[1] == BATCH_TAKEN)
        pthread_cond_wait(&t->parted, &t->lock);
    scores_collect(t);
    scores_empty(t, t->batch[!t->hand]);
    r1_status st = scores_status(t, err);
    pthread_mutex_unlock(&t->lock);
    return st;
}

/* ---- life ---- */

r1_status fraud_scores_new(fraud_scores **out, server *s, bool own_thread, r1_err *err)
{
    fraud_scores *t = calloc(1, sizeof *t);
    *out = NULL;
    if (!t) R1_FAIL(err, R1_E_NOMEM, "no memory for the scoring thread");
    t->s = s;
    t->place[1] = BATCH_DONE;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->work, NULL);
    pthread_cond_init(&t->parted, NULL);
    bool good = true;
    for (int i = 0; i < 2; i++) good = (t->batch[i] = calloc(1, sizeof *t->batch[i])) && good;
    if (good && own_thread)
        good = t->own_thread = pthread_create(&t->thread, NULL, scores_main, t) == 0;
    if (!good) {
        fraud_scores_free(t);
        R1_FAIL(err, R1_E_NOMEM, "no memory for the scoring thread");
    }
    *out = t;
    return R1_OK;
}

void fraud_scores_free(fraud_scores *t)
{
    if (!t) return;
    if (t->own_thread) {
        pthread_mutex_lock(&t->lock);
        t->stop = true;
        pthread_cond_signal(&t->work);
        pthread_mutex_unlock(&t->lock);
        pthread_join(t->thread, NULL);
    }
    for (int i = 0; i < 2; i++) {
        if (t->batch[i]) scores_empty(t, t->batch[i]);
        free(t->batch[i]);
    }
    pthread_cond_destroy(&t->work);
    pthread_cond_destroy(&t->parted);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
