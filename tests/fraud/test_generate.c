/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The generator gives nothing away but behaviour: a learner that sees position, id and text
 * alone must find nothing, and must find a planted leak (else it proves nothing). Besides: same
 * seed same payments, order, funds, every typology present. */
#include "generate/generate.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static fraud_generate_opts generate_small(uint64_t seed)
{
    return (fraud_generate_opts){.seed = seed,
                                 .start_ms = 1767225600000,
                                 .accounts = 600,
                                 .days = 45,
                                 .rings = 10,
                                 .ring_min = 4,
                                 .ring_max = 12,
                                 .activity = 1};
}

enum { BUCKETS = 4096 };

/* Hashed facts of one kind: position in the file, digits of the ids, words of the text. */
typedef enum { FACTS_POSITION, FACTS_TX_ID, FACTS_TEXT, N_FACTS } facts;

static size_t generate_features(const fraud_generated *g, size_t i, size_t n, facts kind,
                                uint32_t *out)
{
    size_t k = 0;
    char key[400];
    const fraud_payment *p = &g[i].payment;
    if (kind == FACTS_POSITION) {
        snprintf(key, sizeof key, "tenth %zu", i * 10 / n);
        out[k++] = (uint32_t)(r1_hash64(key, strlen(key), 1) % BUCKETS);
        for (size_t m = 2; m <= 16; m *= 2) {
            snprintf(key, sizeof key, "mod %zu %zu", m, i % m);
            out[k++] = (uint32_t)(r1_hash64(key, strlen(key), 1) % BUCKETS);
        }
    } else if (kind == FACTS_TX_ID) {
        for (size_t c = 0; p->tx_id[c]; c++) {
            snprintf(key, sizeof key, "digit %zu %c", c, p->tx_id[c]);
            out[k++] = (uint32_t)(r1_hash64(key, strlen(key), 2) % BUCKETS);
        }
    } else {
        snprintf(key, sizeof key, "text %.300s", p->text);
        out[k++] = (uint32_t)(r1_hash64(key, strlen(key), 3) % BUCKETS);
        key[5 + strcspn(p->text, " ")] = 0;
        out[k++] = (uint32_t)(r1_hash64(key, strlen(key), 4) % BUCKETS);
    }
    return k;
}

typedef struct {
    double score;
    bool fraud;
} scored;

static int generate_by_score(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    return (x->score > y->score) - (x->score < y->score);
}

/* Area under the ROC curve: share of (fraud, honest) pairs in the right order, ties half. */
static double generate_auc(scored *s, size_t n)
{
    qsort(s, n, sizeof *s, generate_by_score);
    double rank_sum = 0, positives = 0;
    for (size_t i = 0; i < n;) {
        size_t j = i;
        while (j < n && s[j].score == s[i].score) j++;
        for (size_t k = i; k < j; k++)
            if (s[k].fraud) rank_sum += (double)(i + 1 + j) / 2, positives++;
        i = j;
    }
    return (rank_sum - positives * (positives + 1) / 2) / (positives * ((double)n - positives));
}

static double generate_logit(const double *w, const uint32_t *f, size_t k)
{
    double z = w[BUCKETS];
    for (size_t j = 0; j < k; j++) z += w[f[j]];
    return z;
}

/* Logistic regression by AdaGrad over one half of the inner transfers, in random order; judged
 * on the other half.
 * *se: of the AUC where there is no effect. */
static double generate_learn(const fraud_generated *g, size_t n, facts kind, double *se)
{
    static double w[BUCKETS + 1], h[BUCKETS + 1];
    memset(w, 0, sizeof w);
    memset(h, 0, sizeof h);
    r1_rng rng;
    r1_rng_seed(&rng, 9);
    uint32_t f[80];
    for (size_t step = 0; step < 6 * n; step++) {
        size_t i = (size_t)r1_rng_below(&rng, n);
        if (!fraud_payment_inner(&g[i].payment) || !(r1_hash64(&i, sizeof i, 9) & 1)) continue;
        size_t k = generate_features(g, i, n, kind, f);
        double gradient =
            1 / (1 + exp(-generate_logit(w, f, k))) - (g[i].typology != FRAUD_TYPOLOGY_NONE);
        f[k++] = BUCKETS;
        for (size_t j = 0; j < k; j++) {
            h[f[j]] += gradient * gradient;
            w[f[j]] -= 0.3 * gradient / sqrt(h[f[j]] + 1e-8);
        }
    }
    scored *s = malloc(n * sizeof *s);
    size_t n_scored = 0;
    double positives = 0;
    for (size_t i = 0; i < n; i++) {
        if (!fraud_payment_inner(&g[i].payment) || r1_hash64(&i, sizeof i, 9) & 1) continue;
        size_t k = generate_features(g, i, n, kind, f);
        s[n_scored++] = (scored){generate_logit(w, f, k), g[i].typology != FRAUD_TYPOLOGY_NONE};
        positives += g[i].typology != FRAUD_TYPOLOGY_NONE;
    }
    double x = generate_auc(s, n_scored), negatives = (double)n_scored - positives;
    *se = sqrt(((double)n_scored + 1) / (12 * positives * negatives));
    free(s);
    return x;
}

static void test_no_leak(void)
{
    static const char *const names[N_FACTS] = {"position", "tx_id", "text"};
    for (int planted = 0; planted < 2; planted++) {
        r1_err err = {0};
        fraud_generated *g;
        size_t n;
        fraud_generate_opts o = generate_small(11);
        o.accounts = 1500;
        o.rings = 40;
        o.plant_leak = planted != 0;
        R1_ASSERT_OK(fraud_generate(&o, &g, &n, &err), &err);
        for (int kind = 0; kind < N_FACTS; kind++) {
            double se, x = generate_learn(g, n, (facts)kind, &se);
            printf("    %s%s: AUC %.3f (no effect: .5 +- %.3f)\n", names[kind],
                   planted ? ", leak planted" : "", x, se);
            if (planted && kind == FACTS_TX_ID) CU_ASSERT_TRUE(x > 0.9);
            if (!planted) CU_ASSERT_TRUE(fabs(x - 0.5) < 4 * se);
        }
        free(g);
    }
}

static void test_same_seed(void)
{
    r1_err err = {0};
    fraud_generated *a, *b, *c;
    size_t na, nb, nc;
    fraud_generate_opts o = generate_small(3), other = generate_small(4);
    R1_ASSERT_OK(fraud_generate(&o, &a, &na, &err), &err);
    R1_ASSERT_OK(fraud_generate(&o, &b, &nb, &err), &err);
    R1_ASSERT_OK(fraud_generate(&other, &c, &nc, &err), &err);
    CU_ASSERT_EQUAL_FATAL(na, nb);
    CU_ASSERT_EQUAL(memcmp(a, b, na * sizeof *a), 0);
    CU_ASSERT_TRUE(na != nc || memcmp(a, c, na * sizeof *a) != 0);
    free(a);
    free(b);
    free(c);
}

static void test_well_formed(void)
{
    r1_err err = {0};
    fraud_generated *g;
    size_t n, seen[FRAUD_N_TYPOLOGY] = {0};
    fraud_generate_opts o = generate_small(r1_test_seed());
    R1_ASSERT_OK(fraud_generate(&o, &g, &n, &err), &err);
    CU_ASSERT_TRUE(n > 10000);
    for (size_t i = 0; i < n; i++) {
        const fraud_payment *p = &g[i].payment;
        R1_ASSERT_OK(fraud_payment_check(p, &err), &err);
        if (i) CU_ASSERT_TRUE(g[i - 1].payment.ts <= p->ts);
        CU_ASSERT_TRUE(p->ts >= o.start_ms && p->ts < o.start_ms + (int64_t)o.days * 86400000);
        if (p->has & FRAUD_HAS_FROM_BALANCE)
            CU_ASSERT_TRUE(p->from_balance_minor >= p->amount_minor);
        CU_ASSERT_EQUAL(g[i].typology == FRAUD_TYPOLOGY_NONE, g[i].ring < 0);
        seen[g[i].typology]++;
    }
    for (int t = 0; t < FRAUD_N_TYPOLOGY; t++) CU_ASSERT_TRUE(seen[t] >= 10);
    CU_ASSERT_TRUE(seen[0] > n * 9 / 10);
    free(g);
    o.ring_min = 2;
    CU_ASSERT_EQUAL(fraud_generate(&o, &g, &n, &err), R1_E_INVAL);
}

/* The need of memory is told before it is taken, and not too low. */
static void test_estimate(void)
{
    static const struct {
        int accounts, days, rings;
        double activity;
    } worlds[] = {
        {60, 7, 0, 1}, {300, 30, 12, 1}, {2000, 20, 1, 1}, {500, 60, 0, 0.1}, {500, 60, 4, 3}};
    for (size_t i = 0; i < R1_COUNT(worlds); i++) {
        r1_err err = {0};
        fraud_generated *g;
        size_t n;
        fraud_generate_opts o = generate_small(r1_test_seed());
        o.accounts = worlds[i].accounts;
        o.days = worlds[i].days;
        o.rings = worlds[i].rings;
        o.activity = worlds[i].activity;
        R1_ASSERT_OK(fraud_generate(&o, &g, &n, &err), &err);
        double about = (double)fraud_generate_estimate(&o);
        if (about < 0.85 * (double)n || about > 2 * (double)n)
            fprintf(stderr, "world %zu: about %.0f, found %zu\n", i, about, n);
        CU_ASSERT_TRUE(about > 0.85 * (double)n && about < 2 * (double)n);
        free(g);
    }
}

R1_TEST_MAIN("generate", {"position, id and text give nothing away", test_no_leak},
             {"same seed, same payments", test_same_seed}, {"well formed", test_well_formed},
             {"estimate", test_estimate})
