/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Exchange rates: amounts against a twin in long double, files that are refused with the word that
 * tells why, and a log from which the same payment comes again. */
#include "payment/rates.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_status rates_of(const char *text, fraud_rates **out, r1_err *err)
{
    const char *path = r1_test_in_tmp("rates.csv");
    R1_TRY(r1_file_write(path, text, strlen(text), err));
    return fraud_rates_load(out, path, "EUR", err);
}

static fraud_payment rates_payment(const char *currency, int64_t minor, int64_t ts)
{
    fraud_payment p = {.tx_id = "t", .from = "A", .to = "B", .ts = ts, .amount_minor = minor};
    snprintf(p.currency, sizeof p.currency, "%s", currency);
    p.minor_digits = (uint8_t)fraud_currency_digits(currency);
    return p;
}

/* The rate of a payment's day is the last one that is not after it. */
static void test_days(void)
{
    static const struct {
        int64_t ts, minor;              /* minor: of EUR, 0: no rate */
    } cases[] = {{1767225599999, 0},    /* 2025-12-31 */
                 {1767225600000, 612},  /* 2026-01-01 */
                 {1769903999999, 612},  /* 2026-01-31 */
                 {1769904000000, 700}}; /* 2026-02-01 */
    r1_err err = {0};
    fraud_rates *r;
    R1_ASSERT_OK(rates_of("currency,rate,date\nJPY,0.007,2026-02-01\nUSD,0.9,2020-01-01\n"
                          "JPY,0.00612,2026-01-01\n",
                          &r, &err),
                 &err);
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        fraud_payment p = rates_payment("JPY", 1000, cases[i].ts);
        bool done = fraud_rates_convert(r, "EUR", &p, &err);
        CU_ASSERT_EQUAL(done, cases[i].minor != 0);
        CU_ASSERT_EQUAL(p.amount_minor, done ? cases[i].minor : 1000);
        if (!done) CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "expected EUR"));
        if (done) CU_ASSERT_EQUAL(p.paid_minor, 1000);
        CU_ASSERT_STRING_EQUAL(p.currency, done ? "EUR" : "JPY");
    }
    fraud_payment p = rates_payment("GBP", 1000, 0), q = rates_payment("EUR", 1000, 0), was = q;
    CU_ASSERT_FALSE(fraud_rates_convert(r, "EUR", &p, &err));
    CU_ASSERT_FALSE(fraud_rates_convert(NULL, "EUR", &p, &err));
    CU_ASSERT_TRUE(fraud_rates_convert(NULL, "EUR", &q, &err));
    CU_ASSERT_EQUAL(memcmp(&q, &was, sizeof q), 0);
    fraud_rates_free(r);
}

static void test_amounts(void)
{
    static const char *const currencies[] = {"JPY", "USD", "KWD", "CLF"};
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int i = 0; i < 400; i++) {
        const char *currency = currencies[r1_rng_below(&rng, 4)];
        int64_t rate = 1 + (int64_t)r1_rng_below(&rng, UINT64_C(20000000000));
        int64_t minor = 1 + (int64_t)r1_rng_below(&rng, UINT64_C(1) << r1_rng_below(&rng, 40));
        char text[128];
        r1_err err = {0};
        fraud_rates *r;
        snprintf(text, sizeof text, "currency,rate,date\n%s,%lld.%09lld,2020-01-01\n", currency,
                 (long long)(rate / 1000000000), (long long)(rate % 1000000000));
        R1_ASSERT_OK(rates_of(text, &r, &err), &err);
        fraud_payment p = rates_payment(currency, minor, 1767225600000);
        p.has = FRAUD_HAS_FROM_BALANCE;
        p.from_balance_minor = -minor;
        long double exact = (long double)minor * (long double)rate / 1e9L *
                            powl(10, 2 - fraud_currency_digits(currency));
        if (fraud_rates_convert(r, "EUR", &p, &err)) {
            CU_ASSERT(fabsl((long double)p.amount_minor - exact) <= 0.5001L || p.amount_minor == 1);
            CU_ASSERT(fabsl((long double)p.from_balance_minor + exact) <= 0.5001L);
        } else {
            CU_ASSERT(exact > (long double)FRAUD_AMOUNT_MAX - 1);
        }
        fraud_rates_free(r);
    }
}

static void test_bad_files(void)
{
    static const struct {
        const char *text, *needle;
    } cases[] = {
        {"USD,0.9,2026-01-01\n", ":1: expected the header"},
        {"currency,rate,date\nUSD,0.9\n", ":2: expected currency,rate,date"},
        {"currency,rate,date\nUSD,0.9,2026-01-01,x\n", ":2: expected currency,rate,date"},
        {"currency,rate,date\nXXQ,0.9,2026-01-01\n", ":2: currency: expected"},
        {"currency,rate,date\nUSD,0,2026-01-01\n", ":2: rate: expected"},
        {"currency,rate,date\nUSD,-1,2026-01-01\n", ":2: rate: expected"},
        {"currency,rate,date\nUSD,nan,2026-01-01\n", ":2: rate: expected"},
        {"currency,rate,date\nUSD,0.0000000001,2026-01-01\n", ":2: rate: expected"},
        {"currency,rate,date\nUSD,0.9,2026-02-30\n", ":2: date: expected"},
        {"currency,rate,date\nUSD,0.9,2026-01-01\nUSD,0.8,2026-01-01\n", "found two"},
        {"currency,rate,date\n\n", "expected a rate in a row, found none"},
        {"currency,rate,date\nEUR,1.1,2026-01-01\n", "found a rate of EUR itself that is not 1"},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_err err = {0};
        fraud_rates *r;
        CU_ASSERT_EQUAL(rates_of(cases[i].text, &r, &err), R1_E_INVAL);
        if (!strstr(err.msg, cases[i].needle)) {
            fprintf(stderr, "case %zu: %s\n", i, err.msg);
            CU_FAIL("message");
        }
    }
    r1_err err = {0};
    fraud_rates *r;
    CU_ASSERT_EQUAL(fraud_rates_load(&r, "x", NULL, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "setting currency"));
}

/* What the log keeps decodes to the payment that was applied, whatever the message was like. */
static void test_log(void)
{
    r1_err err = {0};
    fraud_rates *r;
    R1_ASSERT_OK(rates_of("currency,rate,date\nJPY,0.00612,2026-01-01\n", &r, &err), &err);
    for (int convert = 0; convert < 2; convert++)
        for (size_t len = 1; len < 200000; len *= 20) {
            fraud_payment p = rates_payment(convert ? "JPY" : "EUR", 5000, 1767225600000), q;
            char *original = malloc(len);
            p.has = FRAUD_HAS_TO_BALANCE;
            p.to_balance_minor = 70000;
            memset(original, '"', len);
            const fraud_payment paid = p;
            CU_ASSERT_TRUE(fraud_rates_convert(r, "EUR", &p, &err));
            char *text = fraud_payment_log(&paid, &p, original, len);
            R1_ASSERT_OK(fraud_payment_decode(text, strlen(text), &q, &err), &err);
            CU_ASSERT_EQUAL(memcmp(&p, &q, sizeof p), 0);
            CU_ASSERT_EQUAL(strstr(text, "original") != NULL, len <= 8000);
            free(text);
            free(original);
        }
    fraud_rates_free(r);
}

R1_TEST_MAIN("rates", {"a rate holds from its day on", test_days}, {"amounts", test_amounts},
             {"bad files", test_bad_files}, {"the log keeps what was applied", test_log})
