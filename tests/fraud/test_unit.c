/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Currencies of small units: a stream in dong, rupiah, won or yen has the columns of the same one
 * in euros, where amounts differ by the currency's power of ten alone. */
#include "payment/currency.h"
#include "score/sample.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N = 600 };

/* Logarithms of amounts are kept in steps of 1/1024, so two of them may differ by a step each. */
static const double tolerance = 4.0 / 1024;

static void compare(const char *what, const char *currency, const float *a, const float *b, int n,
                    const fraud_column *column)
{
    for (int i = 0; i < n; i++) {
        bool same = (isnan(a[i]) && isnan(b[i])) ||
                    fabs((double)a[i] - (double)b[i]) <= tolerance * fmax(1, fabs((double)a[i]));
        bool z = strstr(column[i].name, "_z_") != NULL; /* divided by a spread near 0 */
        if (!same && !z)
            fprintf(stderr, "%s, %s.%s: %g in EUR, %g\n", currency, what, column[i].name,
                    (double)a[i], (double)b[i]);
        CU_ASSERT_TRUE(same || z);
    }
}

/* An amount is large when it is e times the median. No two of these amounts have a ratio within
 * 20 steps of e, so a step of rounding moves none over that border. */
static int64_t unit_amount(r1_rng *rng)
{
    static const int64_t digit[] = {1, 2, 3, 5, 7, 8}, power[] = {100, 1000, 10000, 100000};
    return digit[r1_rng_below(rng, R1_COUNT(digit))] * power[r1_rng_below(rng, R1_COUNT(power))];
}

static fraud_payment unit_payment(r1_rng *rng, int i)
{
    fraud_payment p = {.ts = INT64_C(1767225600000) + i * INT64_C(1200000),
                       .amount_minor = unit_amount(rng),
                       .minor_digits = 2,
                       .currency = "EUR",
                       .has = FRAUD_HAS_FROM_BALANCE,
                       .from_balance_minor = 100 * (int64_t)r1_rng_below(rng, 100000)};
    snprintf(p.tx_id, sizeof p.tx_id, "t%d", i);
    snprintf(p.from, sizeof p.from, "A%d", (int)r1_rng_below(rng, 9));
    snprintf(p.to, sizeof p.to, "B%d", (int)r1_rng_below(rng, 9));
    return p;
}

static fraud_payment in_currency(const fraud_payment *p, const char *currency)
{
    fraud_payment q = *p;
    int64_t unit = (int64_t)fraud_currency_unit(currency);
    int digits = fraud_currency_digits(currency);
    q.amount_minor = p->amount_minor * unit / (digits ? 1 : 100);
    q.from_balance_minor = p->from_balance_minor * unit / (digits ? 1 : 100);
    q.minor_digits = (uint8_t)digits;
    snprintf(q.currency, sizeof q.currency, "%s", currency);
    return q;
}

static void unit_apply(fraud_state *s, const fraud_payment *p, fraud_features *f)
{
    fraud_state_advance(s, p->ts);
    s->unit = fraud_currency_unit(p->currency); /* as the engine does */
    uint32_t from = fraud_state_entity(s, p->from, p->from_role),
             to = fraud_state_entity(s, p->to, p->to_role);
    fraud_capture(s, p, from, to, FRAUD_CAPTURE_GRAPH | FRAUD_CAPTURE_MEMORY, f);
    (void)fraud_state_insert(s, p, from, to);
}

static void test_small_units(void)
{
    static const char *const currencies[] = {"VND", "IDR", "KRW", "JPY", "USD"};
    static fraud_features a, b;
    r1_err err = {0};
    for (size_t c = 0; c < R1_COUNT(currencies); c++) {
        fraud_state *eur, *other;
        r1_rng rng;
        r1_rng_seed(&rng, r1_test_seed());
        R1_ASSERT_OK(fraud_state_new(&eur, 1024, 64, 256, &err), &err);
        R1_ASSERT_OK(fraud_state_new(&other, 1024, 64, 256, &err), &err);
        for (int i = 0; i < N; i++) {
            const fraud_payment p = unit_payment(&rng, i), q = in_currency(&p, currencies[c]);
            unit_apply(eur, &p, &a);
            unit_apply(other, &q, &b);
            compare("payment", currencies[c], a.payment, b.payment, FRAUD_N_PAYMENT_NUM,
                    FRAUD_PAYMENT_NUM);
            for (int side = 0; side < 2; side++)
                compare("end", currencies[c], a.end[side], b.end[side], FRAUD_N_END_NUM,
                        FRAUD_END_NUM);
            compare("pair", currencies[c], a.pair, b.pair, FRAUD_N_PAIR_NUM, FRAUD_PAIR_NUM);
            CU_ASSERT_EQUAL_FATAL(a.n_ref, b.n_ref);
            for (uint32_t k = 0; k < a.n_ref; k++)
                compare("event", currencies[c], a.event[k], b.event[k], FRAUD_N_EVENT_NUM,
                        FRAUD_EVENT_NUM);
            CU_ASSERT_EQUAL_FATAL(a.n_edge, b.n_edge);
            for (uint32_t k = 0; k < a.n_edge; k++)
                compare("edge", currencies[c], a.edge[k], b.edge[k], FRAUD_N_EDGE_NUM,
                        FRAUD_EDGE_NUM);
        }
        fraud_state_free(eur);
        fraud_state_free(other);
    }
}

static void test_units(void)
{
    CU_ASSERT_EQUAL(fraud_currency_unit("EUR"), 1);
    CU_ASSERT_EQUAL(fraud_currency_unit("KWD"), 1);
    CU_ASSERT_EQUAL(fraud_currency_unit("JPY"), 100);
    CU_ASSERT_EQUAL(fraud_currency_unit("KRW"), 1000);
    CU_ASSERT_EQUAL(fraud_currency_unit("VND"), 10000);
    CU_ASSERT_EQUAL(fraud_currency_unit("IRR"), 100000);
    CU_ASSERT_EQUAL(fraud_currency_unit(""), 1);
    CU_ASSERT_EQUAL(fraud_currency_unit("VNDX"), 1);
}

R1_TEST_MAIN("unit", {"units", test_units},
             {"small units have the columns of euros", test_small_units})
