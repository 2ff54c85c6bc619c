/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The hand-over of POST /v1/decide: askers on threads of their own against a reading side that
 * takes, commits, refuses, drops or stalls. Each asker gets exactly the answer of its own payment,
 * no answer is a decision without a commit, and no place is lost. */
#include "serve/desk.h"
#include "support/r1_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ASKERS = 16, ROUNDS = 60, PLACES = 8 };

static fraud_desk *desk;
static atomic_int n_decided, n_undecided, n_wrong;
static atomic_bool over;

static void *asker(void *arg)
{
    int me = *(int *)arg;
    for (int i = 0; i < ROUNDS; i++) {
        char body[32], want[40];
        int len = snprintf(body, sizeof body, "%d-%d", me, i);
        snprintf(want, sizeof want, "done %s", body);
        fraud_answer a = fraud_desk_ask(desk, body, (size_t)len, i % 7 ? 2000 : 1);
        bool decided = a.kind == FRAUD_ANSWER_DECIDED;
        if (decided && (!a.text || strcmp(a.text, want) != 0)) atomic_fetch_add(&n_wrong, 1);
        atomic_fetch_add(decided ? &n_decided : &n_undecided, 1);
        free(a.text);
    }
    return NULL;
}

/* One record after the other: most are committed, some dropped, some refused. */
static void *decider(void *queue)
{
    for (unsigned turn = 0; !atomic_load(&over);) {
        if (!fraud_desk_waits(desk)) {
            usleep(50);
            continue;
        }
        fraud_record *r = fraud_queue_take_free(queue);
        if (r && fraud_desk_take(desk, r)) {
            char text[64];
            snprintf(text, sizeof text, "done %.*s", (int)r->message.payload_len,
                     r->message.payload);
            r->kind = FRAUD_RECORD_PAYMENT;
            if (++turn % 11 == 0) usleep(3000);
            if (turn % 5) fraud_record_reply(r, FRAUD_OUTCOME_COMMITTED, text);
        }
        if (r) fraud_queue_put_back(queue, r); /* tells DROPPED where nothing was told */
    }
    return NULL;
}

static void test_many(void)
{
    fraud_queue *queue;
    pthread_t thread[ASKERS], reading;
    int number[ASKERS];
    r1_err err = {0};
    R1_ASSERT_OK(fraud_desk_new(&desk, PLACES, &err), &err);
    R1_ASSERT_OK(fraud_queue_new(&queue, 4, &err), &err);
    pthread_create(&reading, NULL, decider, queue);
    for (int i = 0; i < ASKERS; i++) {
        number[i] = i;
        pthread_create(&thread[i], NULL, asker, &number[i]);
    }
    for (int i = 0; i < ASKERS; i++) pthread_join(thread[i], NULL);
    for (int i = 0; i < 2000 && fraud_desk_held(desk); i++) usleep(1000);
    CU_ASSERT_EQUAL(fraud_desk_held(desk), 0); /* also of those who left */
    atomic_store(&over, true);
    pthread_join(reading, NULL);
    CU_ASSERT_EQUAL(n_wrong, 0);
    CU_ASSERT_EQUAL(n_decided + n_undecided, ASKERS * ROUNDS);
    CU_ASSERT_TRUE(n_decided > ASKERS);
    fraud_queue_free(queue);
    fraud_desk_free(desk);
}

static void *ask_once(void *arg)
{
    fraud_answer *out = arg;
    *out = fraud_desk_ask(desk, "x", 1, 5000);
    return NULL;
}

/* Two places and nobody who takes: the third asker is told at once, the others when the desk
 * closes. */
static void test_full_and_closed(void)
{
    r1_err err = {0};
    pthread_t thread[2];
    fraud_answer waiting[2];
    R1_ASSERT_OK(fraud_desk_new(&desk, 2, &err), &err);
    for (int i = 0; i < 2; i++) pthread_create(&thread[i], NULL, ask_once, &waiting[i]);
    while (fraud_desk_held(desk) < 2) usleep(100);
    CU_ASSERT_EQUAL(fraud_desk_ask(desk, "y", 1, 5000).kind, FRAUD_ANSWER_FULL);
    fraud_desk_close(desk);
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
        CU_ASSERT_EQUAL(waiting[i].kind, FRAUD_ANSWER_CLOSED);
    }
    CU_ASSERT_EQUAL(fraud_desk_ask(desk, "y", 1, 5000).kind, FRAUD_ANSWER_CLOSED);
    CU_ASSERT_FALSE(fraud_desk_waits(desk));
    fraud_desk_free(desk);
}

/* Taken, and not committed in time: LATE. The commit that comes afterwards frees the place. */
static void test_late(void)
{
    fraud_queue *queue;
    r1_err err = {0};
    pthread_t thread;
    fraud_answer a;
    R1_ASSERT_OK(fraud_desk_new(&desk, 1, &err), &err);
    R1_ASSERT_OK(fraud_queue_new(&queue, 1, &err), &err);
    CU_ASSERT_EQUAL(fraud_desk_ask(desk, "x", 1, 5).kind, FRAUD_ANSWER_LATE); /* never taken */
    CU_ASSERT_EQUAL(fraud_desk_held(desk), 0);
    pthread_create(&thread, NULL, ask_once, &a);
    while (!fraud_desk_waits(desk)) usleep(100);
    fraud_record *r = fraud_queue_take_free(queue);
    CU_ASSERT_TRUE(fraud_desk_take(desk, r));
    CU_ASSERT_TRUE(r->message.sent_us > 0 && r->message.broker_ms == r->message.sent_us / 1000);
    fraud_desk_close(desk); /* what is taken is still told */
    r->kind = FRAUD_RECORD_DUPLICATE;
    snprintf(r->payment.tx_id, sizeof r->payment.tx_id, "id");
    fraud_record_reply(r, FRAUD_OUTCOME_COMMITTED, NULL);
    pthread_join(thread, NULL);
    CU_ASSERT_TRUE(a.kind == FRAUD_ANSWER_REPEATED && !strcmp(a.tx_id, "id"));
    fraud_queue_put_back(queue, r);
    fraud_queue_free(queue);
    fraud_desk_free(desk);
}

R1_TEST_MAIN("desk", {"many askers", test_many}, {"full and closed", test_full_and_closed},
             {"late", test_late})
