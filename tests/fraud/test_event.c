/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The topic of events: what is written is read, a flipped bit is refused, and the rule of which
 * events count. The rule is a property over random interleavings of sequencers that are replaced,
 * come back late, lose messages and repeat them: what counts is each message once, in order. */
#include "fleet/event.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

static fraud_event some_event(r1_rng *rng)
{
    return (fraud_event){.kind = (fraud_event_kind)(1 + r1_rng_below(rng, FRAUD_N_EVENT_KIND - 1)),
                         .topic = (int)r1_rng_below(rng, FRAUD_EVENT_TOPICS),
                         .partition = (int32_t)r1_rng_below(rng, FRAUD_EVENT_PARTITIONS),
                         .cut = (uint32_t)r1_rng_u64(rng),
                         .epoch = 1 + (int64_t)r1_rng_below(rng, 1u << 30),
                         .number = (int64_t)(r1_rng_u64(rng) >> 2),
                         .log = r1_rng_u64(rng),
                         .offset = (int64_t)(r1_rng_u64(rng) >> 2),
                         .broker_ms = (int64_t)(r1_rng_u64(rng) >> 2),
                         .sent_us = (int64_t)(r1_rng_u64(rng) >> 2),
                         .machine_ms = (int64_t)(r1_rng_u64(rng) >> 2)};
}

static bool same_event(const fraud_event *a, const fraud_event *b)
{
    return a->kind == b->kind && a->topic == b->topic && a->partition == b->partition &&
           a->cut == b->cut && a->epoch == b->epoch && a->number == b->number && a->log == b->log &&
           a->offset == b->offset && a->broker_ms == b->broker_ms && a->sent_us == b->sent_us &&
           a->machine_ms == b->machine_ms;
}

static void test_encoding(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int i = 0; i < 2000; i++) {
        uint8_t bytes[FRAUD_EVENT_BYTES];
        r1_err err = {0};
        fraud_event e = some_event(&rng), got;
        fraud_event_write(&e, bytes);
        R1_ASSERT_OK(fraud_event_read(&got, bytes, sizeof bytes, &err), &err);
        CU_ASSERT(same_event(&e, &got));
        size_t bit = r1_rng_below(&rng, 8 * FRAUD_EVENT_BYTES);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CU_ASSERT_EQUAL(fraud_event_read(&got, bytes, sizeof bytes, &err), R1_E_FORMAT);
        CU_ASSERT(strlen(err.msg) > 10);
        CU_ASSERT_EQUAL(fraud_event_read(&got, bytes, r1_rng_below(&rng, sizeof bytes), &err),
                        R1_E_FORMAT);
    }
}

static void test_bounds(void)
{
    static const fraud_event good = {.kind = FRAUD_EVENT_MESSAGE, .epoch = 1};
    fraud_event bad[7];
    for (size_t i = 0; i < R1_COUNT(bad); i++) bad[i] = good;
    bad[0].kind = 0;
    bad[1].kind = FRAUD_N_EVENT_KIND;
    bad[2].topic = FRAUD_EVENT_TOPICS;
    bad[3].partition = FRAUD_EVENT_PARTITIONS;
    bad[4].partition = -1;
    bad[5].epoch = 0;
    bad[6].offset = -1;
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        uint8_t bytes[FRAUD_EVENT_BYTES];
        fraud_event got;
        r1_err err = {0};
        fraud_event_write(&bad[i], bytes);
        CU_ASSERT_EQUAL(fraud_event_read(&got, bytes, sizeof bytes, &err), R1_E_FORMAT);
    }
}

static void test_genesis(void)
{
    static fraud_genesis g, got;
    r1_err err = {0};
    g = (fraud_genesis){.last_seq = 12345678901, .live = true, .n_leap = 2, .leap_ms = -5};
    snprintf(g.made, sizeof g.made, "2026-11-30");
    snprintf(g.cluster, sizeof g.cluster, "c");
    snprintf(g.payments, sizeof g.payments, "payments");
    g.n_partition[0] = 3;
    g.next[0][2] = 99;
    char *text = fraud_genesis_write(&g);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    R1_ASSERT_OK(fraud_genesis_read(&got, text, strlen(text), &err), &err);
    CU_ASSERT_EQUAL(memcmp(&g, &got, sizeof g), 0);
    for (size_t cut = 0; cut < strlen(text); cut++)
        CU_ASSERT_EQUAL(fraud_genesis_read(&got, text, cut, &err), R1_E_FORMAT);
    free(text);
}

/* ---- which events count ---- */

enum { PARTITIONS = 3, SEQUENCERS = 4, TOPIC_MAX = 4000 };

static fraud_event topic[TOPIC_MAX];
static size_t n_topic;

/* A sequencer with what it has on its way: the broker gets that in order, or not at all. */
typedef struct {
    int64_t epoch, number, next[PARTITIONS];
    bool ready; /* it has met its marker */
    fraud_event way[64];
    size_t n_way;
} toy_sequencer;

static void toy_post(toy_sequencer *q, fraud_event e)
{
    if (q->n_way < R1_COUNT(q->way)) q->way[q->n_way++] = e;
}

/* The first that is on its way arrives, perhaps twice, or gets lost. */
static void toy_arrive(toy_sequencer *q, r1_rng *rng)
{
    if (!q->n_way || n_topic + 2 > TOPIC_MAX) return;
    uint64_t fate = r1_rng_below(rng, 40);
    if (fate) topic[n_topic++] = q->way[0];
    if (fate == 1) topic[n_topic++] = q->way[0];
    memmove(q->way, q->way + 1, --q->n_way * sizeof q->way[0]);
}

/* Reads the topic up to its own marker; then it knows where each partition stands. */
static void toy_meet(toy_sequencer *q)
{
    fraud_fold f = {0};
    memset(q->next, 0, sizeof q->next);
    for (size_t i = 0; i < n_topic; i++) {
        fraud_fold_verdict v = fraud_fold_take(&f, &topic[i]);
        if (v == FRAUD_FOLD_MESSAGE) q->next[topic[i].partition] = topic[i].offset + 1;
        if (v != FRAUD_FOLD_MARKER || topic[i].epoch != q->epoch) continue;
        q->ready = true;
        q->number = f.number;
        return;
    }
}

static void toy_begin(toy_sequencer *q, int64_t epoch)
{
    q->epoch = epoch;
    q->ready = false;
    if (q->n_way > 40) q->n_way = 40;
    toy_post(q, (fraud_event){.kind = FRAUD_EVENT_MARKER, .epoch = epoch, .log = 7});
}

static void toy_step(toy_sequencer *q, r1_rng *rng)
{
    if (!q->ready) {
        toy_meet(q);
        return;
    }
    int32_t p = (int32_t)r1_rng_below(rng, PARTITIONS);
    if (q->n_way == R1_COUNT(q->way)) return;
    toy_post(q, (fraud_event){.kind = FRAUD_EVENT_MESSAGE,
                              .partition = p,
                              .epoch = q->epoch,
                              .number = ++q->number,
                              .log = 7,
                              .offset = q->next[p]++});
}

/* The oracle looks at what counts alone: offsets of each partition rise by one from 0, numbers from
 * the genesis on. */
static bool toy_counts_once(size_t *counted)
{
    int64_t next[PARTITIONS] = {0}, number = 41;
    fraud_fold f = {0};
    *counted = 0;
    for (size_t i = 0; i < n_topic; i++) {
        if (fraud_fold_take(&f, &topic[i]) != FRAUD_FOLD_MESSAGE) continue;
        if (topic[i].offset != next[topic[i].partition]++ || topic[i].number != ++number)
            return false;
        ++*counted;
    }
    return true;
}

static void test_interleavings(void)
{
    r1_rng rng;
    size_t counted, least = SIZE_MAX;
    r1_rng_seed(&rng, r1_test_seed());
    for (int round = 0; round < 300; round++) {
        static toy_sequencer q[SEQUENCERS];
        int64_t epoch = 1;
        memset(q, 0, sizeof q);
        n_topic = 0;
        topic[n_topic++] =
            (fraud_event){.kind = FRAUD_EVENT_GENESIS, .epoch = 1, .number = 41, .log = 7};
        topic[n_topic++] =
            (fraud_event){.kind = FRAUD_EVENT_GENESIS, .epoch = 1, .number = 13, .log = 8};
        toy_begin(&q[0], epoch);
        while (n_topic + 2 <= TOPIC_MAX && r1_rng_below(&rng, 6000)) {
            toy_sequencer *x = &q[r1_rng_below(&rng, SEQUENCERS)];
            if (!r1_rng_below(&rng, 60))
                toy_begin(x, ++epoch); /* it takes the lease; the one before does not know yet */
            else if (r1_rng_below(&rng, 2))
                toy_step(x, &rng);
            else
                toy_arrive(x, &rng);
        }
        CU_ASSERT(toy_counts_once(&counted));
        if (n_topic > 1000 && counted < least) least = counted;
    }
    CU_ASSERT(least > 20); /* else nothing was shown */
}

R1_TEST_MAIN("fraud events", {"written is read, a flipped bit is refused", test_encoding},
             {"bounds", test_bounds}, {"genesis", test_genesis},
             {"each message counts once, whatever sequencers do", test_interleavings})
