/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Thresholds from a stream: intervals against published ones, cuts against a search that tries each
 * score, and the file there and back. */
#include "decide/calibration.h"
#include "support/r1_test.h"

#include <math.h>
#include <string.h>

/* R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3: Wilson's interval. */
static void test_published_intervals(void)
{
    static const struct {
        double hits, n, low, high;
    } cases[] = {{81, 263, 0.2553, 0.3662},
                 {15, 148, 0.0624, 0.1605},
                 {0, 20, 0, 0.1611},
                 {1, 29, 0.0061, 0.1718}};
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        double low, high;
        fraud_wilson(cases[i].hits, cases[i].n, &low, &high);
        CU_ASSERT_DOUBLE_EQUAL(low, cases[i].low, 5e-5);
        CU_ASSERT_DOUBLE_EQUAL(high, cases[i].high, 5e-5);
    }
}

enum { STREAM = 400 };

static size_t cut_count(const fraud_scored *x, double at, double *hits)
{
    size_t n = 0;
    *hits = 0;
    for (size_t i = 0; i < STREAM; i++) {
        if (1 / (1 + exp(-(double)x[i].logit)) < at) continue;
        n++;
        *hits += x[i].label == 1;
    }
    return n;
}

/* The most payments that a threshold at any score lets through, by trying each. */
static size_t cut_twin(const fraud_scored *x, double precision, bool sure, double most)
{
    size_t best = 0;
    for (size_t i = 0; i < STREAM; i++) {
        double hits, high, at = 1 / (1 + exp(-(double)x[i].logit));
        size_t n = cut_count(x, at, &hits);
        double low = hits / (double)n;
        if (sure) fraud_wilson(hits, (double)n, &low, &high);
        bool good = most > 0 ? (double)n <= most : n >= 20 && low >= precision;
        if (good && n > best) best = n;
    }
    return best;
}

static void test_cuts_against_each_score(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int round = 0; round < 60; round++) {
        fraud_scored x[STREAM];
        fraud_threshold cut;
        double hits, share = 0.1 + 0.8 * r1_rng_unit(&rng);
        for (size_t i = 0; i < STREAM; i++) {
            x[i].logit = (float)((double)r1_rng_below(&rng, 40) / 8 - 3); /* many ties */
            bool fraud = r1_rng_unit(&rng) < 1 / (1 + exp(-(double)x[i].logit));
            x[i].label = (int8_t)(fraud ? 1 : (int)r1_rng_below(&rng, 2) - 1);
        }
        fraud_scored_sort(x, STREAM);
        for (int sure = 0; sure < 2; sure++) {
            fraud_threshold_by_precision(x, STREAM, 2, share, sure, &cut);
            size_t n = cut_twin(x, share, sure, 0);
            CU_ASSERT_EQUAL(cut.there, n > 0);
            if (cut.there) CU_ASSERT_EQUAL(cut_count(x, cut.at, &hits), n);
            if (cut.there) CU_ASSERT_DOUBLE_EQUAL(cut.precision, hits / (double)n, 1e-12);
        }
        double a_day = 1 + 100 * share;
        fraud_threshold_by_budget(x, STREAM, 2, a_day, true, &cut);
        size_t n = cut_twin(x, 0, false, 2 * a_day);
        CU_ASSERT_EQUAL(cut.there, n > 0);
        if (cut.there) CU_ASSERT_EQUAL(cut_count(x, cut.at, &hits), n);
        if (cut.there) CU_ASSERT_DOUBLE_EQUAL(cut.per_day, (double)n / 2, 1e-12);
    }
}

/* A budget that takes a whole small stream stops at the least probability that is shown. */
static void test_small_stream_keeps_the_least(void)
{
    enum { FEW = 53 };
    fraud_scored x[FEW];
    fraud_threshold cut;
    for (size_t i = 0; i < FEW; i++) x[i] = (fraud_scored){(float)(1.0 - 0.2 * (double)i), 0};
    x[1].label = 1;
    fraud_threshold_by_budget(x, FEW, 5, 100, true, &cut);
    CU_ASSERT_TRUE(cut.there && cut.at < 0.001);
    CU_ASSERT_TRUE(fraud_threshold_raise(x, FEW, 5, 0.2, true, &cut));
    size_t above = 0;
    while (1 / (1 + exp(-(double)x[above].logit)) >= 0.2) above++;
    CU_ASSERT_TRUE(cut.there && above > 0 && above < FEW);
    CU_ASSERT_DOUBLE_EQUAL(cut.at, 0.2, 0);
    CU_ASSERT_DOUBLE_EQUAL(cut.per_day, (double)above / 5, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(cut.precision, 1 / (double)above, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(cut.recall, 1, 0);
    CU_ASSERT_FALSE(fraud_threshold_raise(x, FEW, 5, 0.2, true, &cut)); /* it is there already */
    CU_ASSERT_TRUE(fraud_threshold_raise(x, FEW, 5, 0.99, true, &cut)); /* above all */
    CU_ASSERT_TRUE(cut.there && cut.per_day == 0 && isnan(cut.precision));
    fraud_threshold_by_budget(x, FEW, 5, 0.1, true, &cut); /* not one payment fits */
    CU_ASSERT_FALSE(fraud_threshold_raise(x, FEW, 5, 0.2, true, &cut) || cut.there);
}

static void test_there_and_back(void)
{
    fraud_calibration c = {.model = "m-1",
                           .made_at = "2026-11-30T00:00:00Z",
                           .source = "file \"x\"",
                           .payments = 5,
                           .days = 1.5,
                           .review = {.there = true, .at = 0.25, .per_day = 2, .precision = NAN},
                           .block = {.there = true, .at = 0.75, .per_day = 1}},
                      back;
    char path[300];
    r1_err err = {0};
    snprintf(path, sizeof path, "%s/cut.json", r1_test_tmpdir());
    R1_ASSERT_OK(fraud_calibration_write(&c, path, &err), &err);
    R1_ASSERT_OK(fraud_calibration_read(&back, path, &err), &err);
    CU_ASSERT_STRING_EQUAL(back.model, "m-1");
    CU_ASSERT_DOUBLE_EQUAL(back.review.at, 0.25, 0);
    CU_ASSERT_TRUE(back.block.there && back.block.at == 0.75);
    CU_ASSERT_PTR_NOT_NULL(strstr(back.text, "made_at=2026-11-30T00:00:00Z"));
    R1_ASSERT_OK(fraud_calibration_fits(back.model, "m-1", &err), &err);
    R1_ASSERT_OK(fraud_calibration_fits("", "m-1", &err), &err);
    CU_ASSERT_EQUAL(fraud_calibration_fits(back.model, "m-2", &err), R1_E_INVAL);
    c.block.at = 0.125; /* below the other one */
    R1_ASSERT_OK(fraud_calibration_write(&c, path, &err), &err);
    CU_ASSERT_EQUAL(fraud_calibration_read(&back, path, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "block.at: expected at least review.at"));
}

R1_TEST_MAIN("calibration", {"published intervals", test_published_intervals},
             {"cuts against each score", test_cuts_against_each_score},
             {"a small stream keeps the least", test_small_stream_keeps_the_least},
             {"there and back", test_there_and_back})
