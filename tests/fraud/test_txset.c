/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Seen payment ids, the bounded queue, the ledger and the writer's steps: against plain counts,
 * across growth, with two threads; and each of their invariants broken once. */
#include "serve/txset.h"
#include "support/r1_test.h"
#include "write/ledger.h"
#include "write/writer_state.h"

#include <pthread.h>

static void test_ids(void)
{
    r1_err err = {0};
    fraud_txset *s;
    R1_ASSERT_OK(fraud_txset_new(&s, 1000000, &err), &err);
    char id[32];
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < 200000; i++) {
            snprintf(id, sizeof id, "tx-%d", i);
            CU_ASSERT_EQUAL(fraud_txset_look(s, id, 2 * (uint64_t)i),
                            pass == 0 ? FRAUD_SEEN_NEW : FRAUD_SEEN_SAME);
            R1_ASSERT_OK(fraud_txset_add(s, id, 2 * (uint64_t)i, true, &err), &err);
        }
    CU_ASSERT_EQUAL(fraud_txset_count(s), 200000);
    CU_ASSERT_EQUAL(fraud_txset_look(s, "tx-7", 14), FRAUD_SEEN_SAME);
    CU_ASSERT_EQUAL(fraud_txset_look(s, "tx-7", 8), FRAUD_SEEN_OTHER);
    CU_ASSERT_EQUAL(fraud_txset_look(s, "tx-200000", 7), FRAUD_SEEN_NEW);
    fraud_txset_free(s);
}

/* Twin: a list of all pairs, of which the last ids_max must be known and none twice that old. */
static void test_horizon(void)
{
    enum { IDS_MAX = 5000, STEPS = 23000 };
    r1_err err = {0};
    fraud_txset *s;
    char id[32];
    R1_ASSERT_OK(fraud_txset_new(&s, IDS_MAX, &err), &err);
    for (int i = 0; i < STEPS; i++) {
        snprintf(id, sizeof id, "tx-%d", i);
        R1_ASSERT_OK(fraud_txset_add(s, id, 2 * (uint64_t)i, true, &err), &err);
        CU_ASSERT_TRUE(fraud_txset_count(s) <= 2 * IDS_MAX);
        for (int back = 0; back < IDS_MAX && back <= i; back += 997) {
            snprintf(id, sizeof id, "tx-%d", i - back);
            CU_ASSERT_EQUAL(fraud_txset_look(s, id, 2 * (uint64_t)(i - back)), FRAUD_SEEN_SAME);
            CU_ASSERT_EQUAL(fraud_txset_look(s, id, 1u << 30), FRAUD_SEEN_OTHER);
        }
        if (i < 2 * IDS_MAX) continue;
        snprintf(id, sizeof id, "tx-%d", i - 2 * IDS_MAX);
        CU_ASSERT_EQUAL(fraud_txset_look(s, id, 2 * (uint64_t)(i - 2 * IDS_MAX)), FRAUD_SEEN_NEW);
    }
    fraud_txset_free(s);
}

/* One id with a flood of contents fills no run of the table. */
static void test_contents_of_one_id(void)
{
    r1_err err = {0};
    fraud_txset *s;
    R1_ASSERT_OK(fraud_txset_new(&s, 100000, &err), &err);
    for (uint64_t i = 0; i < 50000; i++)
        R1_ASSERT_OK(fraud_txset_add(s, "one", 2 * i, true, &err), &err);
    CU_ASSERT_EQUAL(fraud_txset_count(s), FRAUD_TXSET_CONTENTS_MAX);
    CU_ASSERT_EQUAL(fraud_txset_look(s, "one", 0), FRAUD_SEEN_SAME);
    CU_ASSERT_EQUAL(fraud_txset_look(s, "one", 99998), FRAUD_SEEN_OTHER);
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

/* ---- broken invariants ---- */

/* A payment that could not be scored comes again: with the same content a repetition, mended a
 * payment. Once it is applied, other content is a used id. */
static void test_mended(void)
{
    r1_err err = {0};
    fraud_txset *s;
    R1_ASSERT_OK(fraud_txset_new(&s, 1000, &err), &err);
    R1_ASSERT_OK(fraud_txset_add(s, "a", 10, false, &err), &err);
    CU_ASSERT_EQUAL(fraud_txset_look(s, "a", 10), FRAUD_SEEN_SAME);
    CU_ASSERT_EQUAL(fraud_txset_look(s, "a", 20), FRAUD_SEEN_NEW);
    R1_ASSERT_OK(fraud_txset_add(s, "a", 20, true, &err), &err);
    CU_ASSERT_EQUAL(fraud_txset_look(s, "a", 10), FRAUD_SEEN_SAME);
    CU_ASSERT_EQUAL(fraud_txset_look(s, "a", 30), FRAUD_SEEN_OTHER);
    fraud_txset_free(s);
}

static void break_id_count(void *ctx)
{
    /* The first fields of the set: where the ids are, how many places there are, how many are
     * filled. */
    struct {
        void *place;
        size_t capacity, n;
    } *inside = ctx;
    inside->n = inside->capacity;
    (void)fraud_txset_add(ctx, "x", 0, true, NULL);
}

static void break_push_twice(void *ctx)
{
    fraud_record *r = fraud_queue_take_free(ctx);
    fraud_queue_push(ctx, &r, 1);
    fraud_queue_push(ctx, &r, 1);
}

static void break_release_of_queued(void *ctx)
{
    fraud_record *r = fraud_queue_take_free(ctx);
    fraud_queue_push(ctx, &r, 1);
    fraud_queue_release(ctx, &r, 1);
}

static void break_release_twice(void *ctx)
{
    fraud_record *r = fraud_queue_take_free(ctx);
    fraud_queue_push(ctx, &r, 1);
    (void)fraud_queue_pop(ctx, &r, 1);
    fraud_queue_release(ctx, &r, 1);
    fraud_queue_release(ctx, &r, 1);
}

static void break_foreign(void *ctx)
{
    static fraud_record other = {.place = FRAUD_RECORD_TAKEN};
    fraud_record *r = &other;
    fraud_queue_push(ctx, &r, 1);
}

static void test_broken_sets(void)
{
    r1_err err = {0};
    fraud_txset *s;
    fraud_queue *q;
    R1_ASSERT_OK(fraud_txset_new(&s, 1000000, &err), &err);
    R1_ASSERT_OK(fraud_queue_new(&q, 4, &err), &err);
    CU_ASSERT_TRUE(r1_test_breaks(break_id_count, s, "65536 ids in 65536 places"));
    CU_ASSERT_TRUE(r1_test_breaks(break_push_twice, q, "expected at place 1"));
    CU_ASSERT_TRUE(r1_test_breaks(break_release_of_queued, q, "expected at place 3"));
    CU_ASSERT_TRUE(r1_test_breaks(break_release_twice, q, "expected at place 3"));
    CU_ASSERT_TRUE(r1_test_breaks(break_foreign, q, "a record of another queue"));
    fraud_txset_free(s);
    fraud_queue_free(q);
}

/* Two records of one batch, and the ledger that they are meant for. */
typedef struct {
    fraud_ledger ledger;
    fraud_record record[2];
} ledger_case;

static void ledger_aim(void *ctx)
{
    ledger_case *c = ctx;
    fraud_record *r[] = {&c->record[0], &c->record[1]};
    fraud_targets t;
    fraud_ledger_aim(&c->ledger, r, 2, &t);
}

static void ledger_move(void *ctx)
{
    ledger_case *c = ctx;
    fraud_record *r[] = {&c->record[0], &c->record[1]};
    fraud_ledger_move(&c->ledger, r, 2);
}

static ledger_case good_ledger(void)
{
    ledger_case c = {.ledger = {.n_partition = {2, 0}, .last_seq = 5}};
    c.ledger.claim[0][1] = (fraud_claim){.next_offset = 10, .epoch = 3};
    c.record[0] = (fraud_record){.apply_seq = 6, .message = {.partition = 1, .offset = 10}};
    c.record[1] = (fraud_record){.apply_seq = 8, .message = {.partition = 1, .offset = 12}};
    return c;
}

static void test_ledger(void)
{
    static ledger_case c;
    c = good_ledger();
    ledger_move(&c);
    CU_ASSERT_EQUAL(c.ledger.claim[0][1].next_offset, 13);
    CU_ASSERT_EQUAL(c.ledger.last_seq, 8);
    CU_ASSERT_TRUE(r1_test_breaks(ledger_move, &c, "offset 10, claimed from 13")); /* once more */
    c = good_ledger();
    c.record[1].message.offset = 10;
    CU_ASSERT_TRUE(r1_test_breaks(ledger_aim, &c, "offset 10, claimed from 10, 11 in the batch"));
    c = good_ledger();
    c.record[1].apply_seq = 6;
    CU_ASSERT_TRUE(r1_test_breaks(ledger_aim, &c, "apply_seq 6 after 6"));
    c.record[1].kind = FRAUD_RECORD_DUPLICATE; /* has none */
    ledger_aim(&c);
    c = good_ledger();
    c.record[1].message.partition = 2;
    CU_ASSERT_TRUE(r1_test_breaks(ledger_aim, &c, "partition 2 of topic 0"));
    c = good_ledger();
    c.ledger.claim[0][1].epoch = 0;
    CU_ASSERT_TRUE(r1_test_breaks(ledger_aim, &c, "epoch 0"));
}

typedef struct {
    fraud_writer_state from, to;
} writer_step;

static void writer_take_step(void *ctx)
{
    writer_step step = *(writer_step *)ctx;
    fraud_writer_move(&step.from, step.to);
}

/* The drawing of writer_state.h, and nothing else. */
static void test_writer_steps(void)
{
    static const writer_step good[] = {
        {FRAUD_WRITER_WAITS, FRAUD_WRITER_WRITES},    {FRAUD_WRITER_WRITES, FRAUD_WRITER_LANDED},
        {FRAUD_WRITER_WRITES, FRAUD_WRITER_RECOVERS}, {FRAUD_WRITER_WRITES, FRAUD_WRITER_REFUSED},
        {FRAUD_WRITER_WRITES, FRAUD_WRITER_STOPPED},  {FRAUD_WRITER_RECOVERS, FRAUD_WRITER_WRITES},
        {FRAUD_WRITER_RECOVERS, FRAUD_WRITER_LANDED}, {FRAUD_WRITER_RECOVERS, FRAUD_WRITER_STOPPED},
        {FRAUD_WRITER_REFUSED, FRAUD_WRITER_WRITES},  {FRAUD_WRITER_REFUSED, FRAUD_WRITER_STOPPED},
        {FRAUD_WRITER_LANDED, FRAUD_WRITER_WAITS},    {FRAUD_WRITER_LANDED, FRAUD_WRITER_WRITES},
        {FRAUD_WRITER_LANDED, FRAUD_WRITER_STOPPED},  {FRAUD_WRITER_RECOVERS, FRAUD_WRITER_WAITS},
    };
    for (int from = 0; from < FRAUD_N_WRITER_STATE; from++)
        for (int to = 0; to < FRAUD_N_WRITER_STATE; to++) {
            writer_step step = {(fraud_writer_state)from, (fraud_writer_state)to};
            bool drawn = false;
            for (size_t i = 0; i < R1_COUNT(good); i++)
                drawn |= good[i].from == step.from && good[i].to == step.to;
            if (drawn)
                writer_take_step(&step);
            else
                CU_ASSERT_TRUE(r1_test_breaks(writer_take_step, &step, "may not go to"));
        }
}

R1_TEST_MAIN("ids, queue, ledger", {"seen ids", test_ids},
             {"ids are known for a horizon", test_horizon},
             {"one id with many contents", test_contents_of_one_id},
             {"an unscorable payment comes again", test_mended},
             {"queue between two threads", test_queue},
             {"broken sets and queues", test_broken_sets}, {"ledger", test_ledger},
             {"writer's steps", test_writer_steps})
