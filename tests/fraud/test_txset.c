/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Seen payment ids and the bounded queue: against plain counts, across growth, with two threads. */
#include "serve/txset.h"
#include "support/r1_test.h"
#include "write/record.h"

#include <pthread.h>

static void test_ids(void)
{
    r1_err err = {0};
    fraud_txset *s;
    R1_ASSERT_OK(fraud_txset_new(&s, &err), &err);
    char id[32];
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < 200000; i++) {
            bool fresh;
            snprintf(id, sizeof id, "tx-%d", i);
            R1_ASSERT_OK(fraud_txset_add(s, id, &fresh, &err), &err);
            CU_ASSERT_EQUAL(fresh, pass == 0);
        }
    CU_ASSERT_EQUAL(fraud_txset_count(s), 200000);
    CU_ASSERT_TRUE(fraud_txset_has(s, "tx-7"));
    CU_ASSERT_FALSE(fraud_txset_has(s, "tx-200000"));
    fraud_txset_free(s);
}

enum { RECORDS = 20000, CAPACITY = 64 };

static void *txset_consume(void *arg)
{
    fraud_queue *q = arg;
    fraud_record *batch[16];
    static int64_t bad;
    int64_t expected = 0;
    for (size_t n; (n = fraud_queue_pop(q, batch, 16)) > 0;) {
        for (size_t i = 0; i < n; i++) bad += batch[i]->apply_seq != expected++;
        fraud_queue_release(q, batch, n);
    }
    bad += expected != RECORDS;
    return &bad;
}

static void test_queue(void)
{
    r1_err err = {0};
    fraud_queue *q;
    R1_ASSERT_OK(fraud_queue_new(&q, CAPACITY, &err), &err);
    pthread_t t;
    pthread_create(&t, NULL, txset_consume, q);
    for (int64_t i = 0; i < RECORDS;) {
        fraud_record *r = fraud_queue_take_free(q);
        CU_ASSERT_TRUE(fraud_queue_in_flight(q) <= CAPACITY);
        if (!r) continue; /* bounded: the producer waits */
        r->apply_seq = i++;
        fraud_queue_push(q, &r, 1);
    }
    fraud_queue_close(q);
    void *bad;
    pthread_join(t, &bad);
    CU_ASSERT_EQUAL(*(int64_t *)bad, 0);
    CU_ASSERT_EQUAL(fraud_queue_in_flight(q), 0);
    fraud_queue_free(q);
}

R1_TEST_MAIN("ids and queue", {"seen ids", test_ids}, {"queue between two threads", test_queue})
