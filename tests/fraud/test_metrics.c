/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_metrics.c - figures against vectors worked out by hand (the working stands beside each),
 * ties included; AUC and average precision against their definitions over all pairs and
 * thresholds. */
#include "eval/metrics.h"
#include "support/r1_test.h"

#include <math.h>

static bool metrics_near(double a, double b) { return fabs(a - b) < 1e-12; }

static size_t metrics_make(fraud_scored *x, const double *score, const int *label, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (fraud_scored){
            .score = score[i], .prob = score[i], .label = (uint8_t)label[i], .ring = -1};
    return n;
}

static void by_hand(void)
{
    fraud_scored x[5];
    static const double score[] = {.9, .8, .8, .3, .1};
    static const int label[] = {1, 0, 1, 0, 1};
    size_t n = metrics_make(x, score, label, 5);
    /* pairs (fraud, good): .9 beats both; .8 ties with .8 and beats .3; .1 loses both: (2 + .5 +
     * 1) / 6 */
    CU_ASSERT(metrics_near(fraud_auc(x, n), 3.5 / 6));
    /* steps: 1/1 for the first; the tie brings one more at 2/3; the last at 3/5; each a third */
    CU_ASSERT(metrics_near(fraud_ap(x, n), (1.0 + 2.0 / 3 + 3.0 / 5) / 3));
    /* at .5 % of two good ones no false alert is allowed: only .9 alerts */
    CU_ASSERT(metrics_near(fraud_threshold_fpr(x, n, .005), .9));
    CU_ASSERT(metrics_near(fraud_recall(x, n, .9, 0), 1.0 / 3));
    /* one false alert in two allowed: .8 (both of the tie), not .3 */
    CU_ASSERT(metrics_near(fraud_threshold_fpr(x, n, .5), .8));
    /* alerts .9 .8 .8: 2 hits, 3 frauds: 2 * 2 / 6 */
    CU_ASSERT(metrics_near(fraud_f1(x, n, .8), 4.0 / 6));
    CU_ASSERT(isnan(fraud_auc(x, 1)));
}

static void cards_by_hand(void)
{
    /* day 1: cards 1 (.9, fraud) and 2 (.8, good), top 1 takes card 1: precision 1. Day 2: card
     * 1 has left, card 2 is taken: 0. */
    fraud_scored x[] = {{.score = .9, .day = 1, .card = 1, .label = 1},
                        {.score = .8, .day = 1, .card = 2},
                        {.score = .2, .day = 1, .card = 1},
                        {.score = .9, .day = 2, .card = 1, .label = 1},
                        {.score = .5, .day = 2, .card = 2}};
    CU_ASSERT(metrics_near(fraud_card_precision(x, 5, 1), 0.5));
}

static void rings_by_hand(void)
{
    /* ring 7: accounts 1 2 3, values 10 30 60, the alert comes at the third: .4 moved before;
     * alerted ends 2 3 = 2 of 3: half. ring 9: accounts 4 5, no alert: 1.0. Early three: 1 of 4. */
    fraud_scored x[] = {{.score = .1, .ring = 7, .label = 1, .from = 1, .to = 2, .amount = 10},
                        {.score = .1, .ring = 9, .label = 1, .from = 4, .to = 5, .amount = 5},
                        {.score = .2, .ring = 7, .label = 1, .from = 1, .to = 3, .amount = 30},
                        {.score = .8, .ring = 7, .label = 1, .from = 2, .to = 3, .amount = 60}};
    fraud_ring_figures f;
    r1_err err;
    CU_ASSERT_EQUAL(fraud_rings(x, 4, .5, &f, &err), R1_OK);
    CU_ASSERT_EQUAL(f.n, 2);
    CU_ASSERT(metrics_near(f.any, .5));
    CU_ASSERT(metrics_near(f.half, .5));
    CU_ASSERT(metrics_near(f.early3, .25));
    CU_ASSERT(metrics_near(f.value_before, .7));
}

static void by_definition(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    fraud_scored x[200];
    for (size_t i = 0; i < 200; i++)
        x[i] = (fraud_scored){.score = (double)r1_rng_below(&rng, 40),
                              .label = r1_rng_below(&rng, 4) == 0};
    double win = 0, pairs = 0, ap = 0, p = 0;
    for (size_t i = 0; i < 200; i++) {
        p += x[i].label;
        for (size_t j = 0; j < 200; j++) {
            if (!x[i].label || x[j].label) continue;
            pairs++;
            win += x[i].score > x[j].score ? 1 : x[i].score == x[j].score ? 0.5 : 0;
        }
    }
    for (size_t i = 0; i < 200; i++) { /* precision at each fraud's own score */
        if (!x[i].label) continue;
        double at = 0, hit = 0;
        for (size_t j = 0; j < 200; j++)
            if (x[j].score >= x[i].score) at++, hit += x[j].label;
        ap += hit / at;
    }
    CU_ASSERT(metrics_near(fraud_auc(x, 200), win / pairs));
    CU_ASSERT(metrics_near(fraud_ap(x, 200), ap / p));
}

static void judge_labels(void *ctx) { fraud_f1(ctx, 2, 0); }

static void a_label_is_nought_or_one(void)
{
    fraud_scored x[2] = {{.label = 1}, {.label = 7}};
    CU_ASSERT(r1_test_breaks(judge_labels, x, "8 frauds among 2 payments"));
}

int main(void)
{
    static const r1_test_case cases[] = {{"by hand", by_hand},
                                         {"cards by hand", cards_by_hand},
                                         {"rings by hand", rings_by_hand},
                                         {"by definition", by_definition},
                                         {"a label is 0 or 1", a_label_is_nought_or_one}};
    return r1_test_run("fraud metrics", cases, R1_COUNT(cases));
}
