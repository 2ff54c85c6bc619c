/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels and payments that share a millisecond, over 1, 4 and 16 partitions and in any order of
 * sending within it: a property over seeded streams. Payments have a millisecond each; several
 * labels have one, some of them contradict each other, and some come before their payment. Every
 * spread gives the same scores, bit for bit. */
#include "score/engine.h"
#include "score/rules.h"
#include "serve/arrival.h"
#include "stream/merge.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

enum { N = 1200, PARTITIONS_MAX = 16, PLACES = 2 * N };
#define BEGIN INT64_C(1767225600000)

typedef struct {
    char json[192];
    int64_t ts;
    bool label;
    fraud_arrival a;
} tied;

static tied stream[N], mixed[N];

/* A payment a millisecond; in some of them labels of earlier and of later payments. */
static void make_ties(r1_rng *rng)
{
    uint32_t n = 0, payments = 0;
    for (int64_t ts = BEGIN; n < N; ts++) {
        uint32_t labels = (uint32_t)r1_rng_below(rng, 4);
        for (uint32_t i = 0; i < labels && n < N; i++) {
            uint32_t of = payments > 5 ? payments - 5 + (uint32_t)r1_rng_below(rng, 8) : 1;
            tied *m = &stream[n++];
            *m = (tied){.ts = ts, .label = true};
            snprintf(m->json, sizeof m->json, "{\"tx_id\":\"t%u\",\"ts\":%lld,\"is_fraud\":%s}", of,
                     (long long)ts, r1_rng_below(rng, 2) ? "true" : "false");
        }
        if (n == N) break;
        tied *m = &stream[n++];
        *m = (tied){.ts = ts};
        snprintf(m->json, sizeof m->json,
                 "{\"tx_id\":\"t%u\",\"ts\":%lld,\"kind\":\"transfer\",\"from\":\"A%u\",\"to\":"
                 "\"B%u\",\"amount_minor\":%u,\"currency\":\"EUR\"}",
                 payments++, (long long)ts, (unsigned)r1_rng_below(rng, 7),
                 (unsigned)r1_rng_below(rng, 5), 1000 + (unsigned)r1_rng_below(rng, 9000));
    }
}

/* Another order of sending within each millisecond. */
static void mix_ties(r1_rng *rng)
{
    memcpy(mixed, stream, sizeof mixed);
    for (uint32_t i = 0, end; i < N; i = end) {
        for (end = i + 1; end < N && stream[end].ts == stream[i].ts;) end++;
        for (uint32_t k = end - 1; k > i; k--) {
            uint32_t with = i + (uint32_t)r1_rng_below(rng, k - i + 1);
            tied t = mixed[k];
            mixed[k] = mixed[with], mixed[with] = t;
        }
    }
}

static void place_ties(r1_merge *m, r1_rng *rng, uint32_t partitions, uint32_t *source)
{
    fraud_arrival_opts o = {.band = {.ahead_ms = 900000, .behind_ms = 7 * FRAUD_DAY_MS}};
    for (uint32_t i = 0; i < N; i++) {
        tied *t = &mixed[i];
        r1_message message = {.topic = t->label ? FRAUD_TOPIC_LABELS : FRAUD_TOPIC_PAYMENTS,
                              .payload = t->json,
                              .payload_len = strlen(t->json),
                              .broker_ms = BEGIN + FRAUD_DAY_MS};
        r1_merge_key key = {.us = message.broker_ms * 1000};
        fraud_arrival_place(&o, &message, &t->a, &key);
        CU_ASSERT_EQUAL_FATAL(t->a.reading, FRAUD_READ_PAYMENT);
        source[i] = (uint32_t)r1_rng_below(rng, partitions) + (t->label ? partitions : 0);
        r1_merge_put(m, source[i], &key, 1, 1, t);
    }
}

/* The scores of all payments, in their order. */
static size_t score_ties(r1_rng *rng, uint32_t partitions, double *logit)
{
    static uint32_t source[N];
    r1_err err = {0};
    r1_merge *m;
    fraud_engine *e;
    const r1_merge_opts o = {2 * PARTITIONS_MAX, PLACES, 0, 1000, 7 * FRAUD_DAY_MS};
    const fraud_engine_opts engine = {.edges_max = 4096, .entities_max = 64, .pairs_max = 256};
    R1_ASSERT_OK(r1_merge_new(&m, &o, &err), &err);
    R1_ASSERT_OK(fraud_engine_new(&e, &engine, &err), &err);
    for (uint32_t i = 0; i < 2 * partitions; i++) (void)r1_merge_open(m);
    place_ties(m, rng, partitions, source);
    uint32_t from;
    void *item;
    int64_t until, seq = 0;
    size_t n = 0;
    while (r1_merge_next(m, 2, 2, &from, &item, &until) == R1_MERGE_READY) {
        const fraud_arrival *a = &((tied *)item)->a;
        fraud_slot *slot;
        fraud_result result;
        if (((tied *)item)->label) {
            (void)fraud_engine_label(e, a->label.tx_id, a->label.is_fraud, a->label.ts, &err);
            continue;
        }
        R1_ASSERT_OK(fraud_engine_apply(e, &a->payment, ++seq, &slot, &err), &err);
        R1_ASSERT_OK(fraud_engine_score(e, &slot, 1, &result, &err), &err);
        fraud_slot_release(e, slot);
        logit[n++] = result.logit;
    }
    fraud_engine_free(e);
    r1_merge_free(m);
    return n;
}

static void test_labels_of_one_millisecond(void)
{
    static const uint32_t partitions[] = {1, 1, 4, 16};
    static double first[N], again[N];
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int trial = 0; trial < 10; trial++) {
        make_ties(&rng);
        mix_ties(&rng);
        size_t n = score_ties(&rng, 1, first), differ = 0;
        for (size_t p = 0; p < R1_COUNT(partitions); p++) {
            mix_ties(&rng);
            CU_ASSERT_EQUAL_FATAL(score_ties(&rng, partitions[p], again), n);
            for (size_t i = 0; i < n; i++) differ += first[i] != again[i];
        }
        if (differ) fprintf(stderr, "trial %d: %zu scores differ\n", trial, differ);
        CU_ASSERT_EQUAL(differ, 0);
    }
}

R1_TEST_MAIN("ties", {"labels of one millisecond", test_labels_of_one_millisecond})
