/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_fit.c - a model is fitted on one small world and validated on another. What the trainer
 * saw in the shard is what the engine scores live: the thresholds that come from the shard are
 * those that brute force finds over the engine's own probabilities. */
#include "dataset/protocol.h"
#include "generate/generate.h"
#include "support/r1_test.h"
#include "train/model_fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    fraud_generated *g;
    size_t n;
    fraud_source s;
} world;

static world fit_make_world(uint64_t seed)
{
    fraud_generate_opts o = {.seed = seed,
                             .start_ms = INT64_C(1735689600000),
                             .accounts = 50,
                             .days = 14,
                             .rings = 2,
                             .ring_min = 4,
                             .ring_max = 6,
                             .activity = 0.7};
    world w = {0};
    r1_err err;
    R1_ASSERT_OK(fraud_generate(&o, &w.g, &w.n, &err), &err);
    w.s = fraud_source_generated(w.g, w.n);
    return w;
}

static void fit_add_world(fraud_fit *f, const world *w, uint8_t use_as)
{
    uint8_t *use = malloc(w->n);
    r1_err err;
    CU_ASSERT_FATAL(use != NULL);
    memset(use, use_as, w->n);
    R1_ASSERT_OK(fraud_fit_add(f, &w->s, use, &err), &err);
    free(use);
}

/* Every payment of the world through the engine that serves. */
static double *fit_scored(const world *w, const char *model)
{
    double *prob = malloc(w->n * sizeof *prob), *score = malloc(w->n * sizeof *score);
    uint8_t *want = malloc(w->n);
    fraud_engine *e = NULL;
    r1_err err;
    CU_ASSERT_FATAL(prob && score && want);
    memset(want, 1, w->n);
    R1_ASSERT_OK(
        fraud_engine_new(&e, &(fraud_engine_opts){.model_path = model, .signs_off = true}, &err),
        &err);
    R1_ASSERT_OK(fraud_walk_score(&w->s, e, want, false, score, prob, &err), &err);
    fraud_engine_free(e);
    free(score);
    free(want);
    return prob;
}

/* Every probability tried as the threshold: the lowest that is right often enough. */
static fraud_fit_threshold by_brute_force(const world *w, const double *prob, double precision)
{
    fraud_fit_threshold best = {.prob = 2};
    double fraud = 0;
    for (size_t i = 0; i < w->n; i++) fraud += w->g[i].typology != 0;
    for (size_t k = 0; k < w->n; k++) {
        double alerts = 0, right = 0;
        for (size_t i = 0; i < w->n; i++) {
            if (prob[i] < prob[k]) continue;
            alerts++;
            right += w->g[i].typology != 0;
        }
        if (right >= precision * alerts && prob[k] < best.prob)
            best = (fraud_fit_threshold){prob[k], right / alerts, right / fraud,
                                         alerts / (double)w->n};
    }
    return best;
}

static void fit_thresholds(void)
{
    char folder[300], model[300];
    r1_err err;
    fraud_fit *f = NULL;
    r1_train_report report;
    world train = fit_make_world(r1_test_seed()), valid = fit_make_world(r1_test_seed() + 1);
    snprintf(folder, sizeof folder, "%s/fit", r1_test_tmpdir());
    snprintf(model, sizeof model, "%s/fit.gguf", r1_test_tmpdir());
    fraud_fit_opts o = {
        .folder = folder, .n_epoch = 2, .n_batch = 64, .mean_decay = 0.9, .seed = 1};
    R1_ASSERT_OK(fraud_fit_new(&f, &o, &err), &err);
    fit_add_world(f, &train, FRAUD_USE_TRAIN);
    fit_add_world(f, &valid, FRAUD_USE_VALID);
    R1_ASSERT_OK(fraud_fit_run(f, 1, model, &report, &err), &err);
    CU_ASSERT_EQUAL(report.valid.n, valid.n);
    double *prob = fit_scored(&valid, model), last = 0;
    static const double wanted[] = {0.001, 0.05, 0.2, 0.5, 0.9};
    for (size_t k = 0; k < R1_COUNT(wanted); k++) {
        fraud_fit_threshold got, want = by_brute_force(&valid, prob, wanted[k]);
        R1_ASSERT_OK(fraud_fit_threshold_at(f, model, wanted[k], &got, &err), &err);
        CU_ASSERT_DOUBLE_EQUAL(got.prob, want.prob, 1e-6);
        CU_ASSERT_DOUBLE_EQUAL(got.precision, want.precision, 1e-9);
        CU_ASSERT_DOUBLE_EQUAL(got.recall, want.recall, 1e-9);
        CU_ASSERT_DOUBLE_EQUAL(got.rate, want.rate, 1e-9);
        CU_ASSERT(got.prob >= last);
        last = got.prob;
    }
    free(prob);
    fraud_fit_free(f);
    free(train.g);
    free(valid.g);
}

/* A share of the good payments is left out and weighed back: as many frauds, and the same sum of
 * weights but for chance. */
static void shares_keep_prevalence(void)
{
    char folder[300];
    r1_err err;
    double prevalence[2], n, fraud = 0;
    world w = fit_make_world(r1_test_seed() + 2);
    for (int k = 0; k < 2; k++) {
        fraud_fit *f = NULL;
        snprintf(folder, sizeof folder, "%s/share%d", r1_test_tmpdir(), k);
        fraud_fit_opts o = {
            .folder = folder, .inner_share = k ? 0.3 : 1, .outer_share = k ? 0.3 : 1, .seed = 5};
        R1_ASSERT_OK(fraud_fit_new(&f, &o, &err), &err);
        fit_add_world(f, &w, FRAUD_USE_TRAIN);
        prevalence[k] = fraud_fit_prevalence(f, false);
        fraud_fit_free(f);
    }
    for (size_t i = 0; i < w.n; i++) fraud += w.g[i].typology != 0;
    n = (double)w.n;
    CU_ASSERT_DOUBLE_EQUAL(prevalence[0], fraud / n, 1e-12);
    /* kept goods: binomial(n, .3), so their weight is off by sqrt(.7 / .3 / n) of n; five times
     * that */
    CU_ASSERT_DOUBLE_EQUAL(prevalence[1], fraud / n, 5 * sqrt(0.7 / 0.3 / n) * fraud / n);
    free(w.g);
}

R1_TEST_MAIN("fraud fit", {"fit_thresholds as by brute force over the engine", fit_thresholds},
             {"shares keep the prevalence", shares_keep_prevalence})
