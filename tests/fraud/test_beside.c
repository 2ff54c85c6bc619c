/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One thread applies payments, another scores the batch before: scores are the bits of a single
 * thread's, and neither reads what the other writes (thread sanitizer). */
#include "generate/generate.h"
#include "score/engine.h"
#include "support/r1_test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { N = 900 };

static fraud_generated *world;
static size_t n_world;

typedef struct {
    fraud_slot *slot[FRAUD_SCORE_MAX];
    size_t at[FRAUD_SCORE_MAX], n;
    fraud_recall_batch *memory;
    fraud_result result[FRAUD_SCORE_MAX];
} beside_batch;

typedef struct {
    fraud_engine *e;
    double *logit;
    pthread_mutex_t lock;
    pthread_cond_t told;
    beside_batch *work; /* under the lock; NULL: none */
    bool over;
} beside;

static void beside_make_world(void)
{
    r1_err err = {0};
    fraud_generate_opts o = {
        .seed = r1_test_seed(), .start_ms = 1767225600000, .accounts = 50, .days = 30, .rings = 2};
    o.ring_min = 4, o.ring_max = 8, o.activity = 1;
    R1_ASSERT_OK(fraud_generate(&o, &world, &n_world, &err), &err);
    if (n_world > N) n_world = N;
    CU_ASSERT_TRUE_FATAL(n_world > N / 3);
}

static fraud_engine *beside_engine(void)
{
    r1_err err = {0};
    fraud_engine *e;
    /* Few rings and edges: entries of the batch that is scored are forgotten meanwhile. */
    fraud_engine_opts o = {.model_path = r1_test_source("models/fraud-s-int8.gguf"),
                           .edges_max = 256,
                           .entities_max = 64,
                           .pairs_max = 128,
                           .rings_max = 48,
                           .slots_max = 2 * FRAUD_SCORE_MAX};
    R1_ASSERT_OK(fraud_engine_new(&e, &o, &err), &err);
    return e;
}

static void beside_take(beside *b, const beside_batch *x)
{
    for (size_t k = 0; k < x->n; k++) b->logit[x->at[k]] = x->result[k].logit;
}

static void *beside_main(void *arg)
{
    beside *b = arg;
    pthread_mutex_lock(&b->lock);
    while (!b->over) {
        if (!b->work) {
            pthread_cond_wait(&b->told, &b->lock);
            continue;
        }
        beside_batch *x = b->work;
        pthread_mutex_unlock(&b->lock);
        r1_err err = {0};
        R1_ASSERT_OK(fraud_engine_score_batch(b->e, x->memory, x->slot, x->n, x->result, &err),
                     &err);
        beside_take(b, x);
        pthread_mutex_lock(&b->lock);
        b->work = NULL;
        pthread_cond_broadcast(&b->told);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* Waits until the batch before is scored, then gives this one. */
static void beside_give(beside *b, beside_batch *x)
{
    pthread_mutex_lock(&b->lock);
    while (b->work) pthread_cond_wait(&b->told, &b->lock);
    b->work = x;
    if (x) fraud_engine_taken(b->e);
    pthread_cond_broadcast(&b->told);
    pthread_mutex_unlock(&b->lock);
}

static void beside_fill(beside *b, beside_batch *x, size_t first, size_t n)
{
    r1_err err = {0};
    for (size_t k = 0; k < x->n; k++) fraud_slot_release(b->e, x->slot[k]);
    for (x->n = 0; x->n < n && first + x->n < n_world; x->n++) {
        size_t i = x->at[x->n] = first + x->n;
        R1_ASSERT_OK(
            fraud_engine_apply(b->e, &world[i].payment, (int64_t)i + 1, &x->slot[x->n], &err),
            &err);
    }
    R1_ASSERT_OK(fraud_engine_offer(b->e, &x->memory, &err), &err);
}

static void run_beside(double *logit, r1_rng *rng)
{
    static beside_batch batch[2];
    beside b = {.e = beside_engine(), .logit = logit};
    pthread_t thread;
    pthread_mutex_init(&b.lock, NULL);
    pthread_cond_init(&b.told, NULL);
    memset(batch, 0, sizeof batch);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, beside_main, &b), 0);
    size_t first = 0;
    for (int k = 0; first < n_world; k = !k) {
        beside_fill(&b, &batch[k], first, 1 + r1_rng_below(rng, FRAUD_SCORE_MAX));
        first += batch[k].n;
        beside_give(&b, &batch[k]);
    }
    beside_give(&b, NULL);
    pthread_mutex_lock(&b.lock);
    b.over = true;
    pthread_cond_broadcast(&b.told);
    pthread_mutex_unlock(&b.lock);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&b.told);
    pthread_mutex_destroy(&b.lock);
    fraud_engine_free(b.e);
}

static void run_alone(double *logit)
{
    r1_err err = {0};
    fraud_engine *e = beside_engine();
    fraud_slot *slot;
    fraud_result result;
    for (size_t i = 0; i < n_world; i++) {
        R1_ASSERT_OK(fraud_engine_apply(e, &world[i].payment, (int64_t)i + 1, &slot, &err), &err);
        R1_ASSERT_OK(fraud_engine_score(e, &slot, 1, &result, &err), &err);
        logit[i] = result.logit;
        fraud_slot_release(e, slot);
    }
    fraud_engine_free(e);
}

static void scores_beside_are_those_of_one_thread(void)
{
    static double expected[N], got[N];
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    beside_make_world();
    run_alone(expected);
    run_beside(got, &rng);
    CU_ASSERT_EQUAL(memcmp(got, expected, n_world * sizeof *got), 0);
    free(world);
}

R1_TEST_MAIN("beside",
             {"scores beside are those of one thread", scores_beside_are_those_of_one_thread})
