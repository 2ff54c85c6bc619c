/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels that wait for their payment: the table against a slow twin, saving and loading, and the
 * engine, whose state must be the same whether a label comes before or after its payment. */
#include "generate/generate.h"
#include "score/engine.h"
#include "support/r1_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAP = 37, IDS = 90, STEPS = 20000 };

static uint64_t waiting_random(uint64_t *x)
{
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
    return *x;
}

/* The twin: an array in the order of waiting. */
typedef struct {
    int id[CAP + 1];
    bool fraud[CAP + 1];
    size_t n;
} twin;

static size_t twin_find(const twin *t, int id)
{
    size_t i = 0;
    while (i < t->n && t->id[i] != id) i++;
    return i;
}

static void twin_remove(twin *t, size_t i)
{
    memmove(&t->id[i], &t->id[i + 1], (t->n - i - 1) * sizeof t->id[0]);
    memmove(&t->fraud[i], &t->fraud[i + 1], (t->n - i - 1) * sizeof t->fraud[0]);
    t->n--;
}

static void twin_put(twin *t, int id, bool fraud)
{
    size_t i = twin_find(t, id);
    if (i < t->n) twin_remove(t, i);
    if (t->n == CAP) twin_remove(t, 0);
    t->id[t->n] = id;
    t->fraud[t->n++] = fraud;
}

static void test_twin(void)
{
    r1_err err = {0};
    twin t = {0};
    fraud_waiting *w, *copy;
    fraud_waiting_row row[CAP];
    uint64_t x = r1_test_seed() | 1;
    R1_ASSERT_OK(fraud_waiting_new(&w, CAP, &err), &err);
    for (int step = 0; step < STEPS; step++) {
        char name[16];
        int id = (int)(waiting_random(&x) % IDS);
        bool fraud = waiting_random(&x) % 2, got = false;
        snprintf(name, sizeof name, "T%d", id);
        size_t at = twin_find(&t, id);
        if (waiting_random(&x) % 3) {
            fraud_waiting_put(w, name, fraud, step);
            twin_put(&t, id, fraud);
        } else {
            CU_ASSERT_EQUAL(fraud_waiting_take(w, name, &got), at < t.n);
            if (at < t.n) {
                CU_ASSERT_EQUAL(got, t.fraud[at]);
                twin_remove(&t, at);
            }
        }
        CU_ASSERT_EQUAL(fraud_waiting_count(w), t.n);
    }
    CU_ASSERT_TRUE(fraud_waiting_evicted(w) > 0);
    R1_ASSERT_OK(fraud_waiting_new(&copy, CAP, &err), &err);
    fraud_waiting_save(w, row);
    R1_ASSERT_OK(fraud_waiting_load(copy, row, fraud_waiting_count(w), &err), &err);
    CU_ASSERT_EQUAL(fraud_waiting_digest(copy), fraud_waiting_digest(w));
    fraud_waiting_free(copy);
    R1_ASSERT_OK(fraud_waiting_new(&copy, CAP, &err), &err);
    row[1] = row[0];
    CU_ASSERT_EQUAL(fraud_waiting_load(copy, row, 2, &err), R1_E_FORMAT);
    fraud_waiting_free(copy);
    fraud_waiting_free(w);
}

/* ---- in the engine ---- */

static fraud_generated *world;
static size_t n_world;

typedef enum { LABEL_AFTER, LABEL_BEFORE, LABEL_TWICE } label_place;

static uint64_t engine_run(label_place where, int64_t known_ms)
{
    r1_err err = {0};
    fraud_engine *e;
    const fraud_engine_opts o = {
        .edges_max = 1 << 12, .entities_max = 1 << 10, .pairs_max = 1 << 12, .slots_max = 1};
    R1_ASSERT_OK(fraud_engine_new(&e, &o, &err), &err);
    for (size_t i = 0; i < n_world; i++) {
        const fraud_payment *p = &world[i].payment;
        bool labelled = i % 5 == 0, fraud = i % 10 == 0;
        if (labelled && where == LABEL_TWICE)
            CU_ASSERT_EQUAL(fraud_engine_label(e, p->tx_id, !fraud, 1, NULL), R1_E_NOT_FOUND);
        if (labelled && where != LABEL_AFTER)
            CU_ASSERT_EQUAL(fraud_engine_label(e, p->tx_id, fraud, known_ms, NULL), R1_E_NOT_FOUND);
        R1_ASSERT_OK(fraud_engine_apply(e, p, (int64_t)i + 1, NULL, &err), &err);
        if (labelled && where == LABEL_AFTER)
            R1_ASSERT_OK(fraud_engine_label(e, p->tx_id, fraud, known_ms, &err), &err);
    }
    CU_ASSERT_EQUAL(fraud_waiting_count(fraud_engine_waiting(e)), 0);
    CU_ASSERT_EQUAL(fraud_engine_clock(e), world[n_world - 1].payment.ts);
    uint64_t digest = fraud_engine_digest(e);
    fraud_engine_free(e);
    return digest;
}

static void test_label_before_its_payment(void)
{
    r1_err err = {0};
    fraud_generate_opts o = {.seed = r1_test_seed(),
                             .start_ms = 1767225600000,
                             .accounts = 60,
                             .days = 10,
                             .rings = 1,
                             .ring_min = 4,
                             .ring_max = 6,
                             .activity = 1};
    R1_ASSERT_OK(fraud_generate(&o, &world, &n_world, &err), &err);
    if (n_world > 1000) n_world = 1000;
    uint64_t after = engine_run(LABEL_AFTER, world[0].payment.ts);
    CU_ASSERT_EQUAL(engine_run(LABEL_BEFORE, world[0].payment.ts), after);
    CU_ASSERT_EQUAL(engine_run(LABEL_TWICE, world[0].payment.ts), after);
    /* A label dated in 2100 moves no clock. */
    CU_ASSERT_EQUAL(engine_run(LABEL_AFTER, 4102444799999), after);
    free(world);
}

/* What waits is part of the state's digest. */
static void test_digest(void)
{
    r1_err err = {0};
    fraud_engine *e;
    const fraud_engine_opts o = {
        .edges_max = 16, .entities_max = 16, .pairs_max = 16, .slots_max = 1, .labels_waiting = 2};
    R1_ASSERT_OK(fraud_engine_new(&e, &o, &err), &err);
    uint64_t before = fraud_engine_digest(e);
    for (int i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof name, "T%d", i);
        CU_ASSERT_EQUAL(fraud_engine_label(e, name, true, 7, &err), R1_E_NOT_FOUND);
    }
    CU_ASSERT_NOT_EQUAL(fraud_engine_digest(e), before);
    CU_ASSERT_EQUAL(fraud_waiting_count(fraud_engine_waiting(e)), 2);
    CU_ASSERT_EQUAL(fraud_waiting_evicted(fraud_engine_waiting(e)), 3);
    CU_ASSERT_TRUE(fraud_engine_clock(e) < 0);
    fraud_engine_free(e);
}

R1_TEST_MAIN("labels that wait", {"twin", test_twin},
             {"label before its payment", test_label_before_its_payment}, {"digest", test_digest})
