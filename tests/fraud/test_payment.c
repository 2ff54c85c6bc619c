/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Payments from outside: a table of wrong messages with the word that each error must name,
 * round trips, and random damage to a good message (whatever decodes must pass the check and
 * encode again). */
#include "payment/payment.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char good[] =
    "{\"tx_id\":\"t1\",\"ts\":1767225600000,\"kind\":\"transfer\",\"from\":\"A1\",\"to\":\"A2\","
    "\"amount_minor\":1250,"
    "\"currency\":\"EUR\",\"country\":\"DE\",\"channel\":\"app\",\"text\":\"Müller, Straße "
    "5\",\"extra\":{\"a\":[1,2]}}";

/* The good message with `from` replaced by `to`. */
static size_t payment_with(char *out, size_t size, const char *from, const char *to)
{
    const char *at = strstr(good, from);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    return (size_t)snprintf(out, size, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
}

static void test_good(void)
{
    r1_err err = {0};
    fraud_payment p;
    R1_ASSERT_OK(fraud_payment_decode(good, strlen(good), &p, &err), &err);
    CU_ASSERT_STRING_EQUAL(p.tx_id, "t1");
    CU_ASSERT_EQUAL(p.amount_minor, 1250);
    CU_ASSERT_EQUAL(p.minor_digits, 2);
    CU_ASSERT_STRING_EQUAL(p.text, "Müller, Straße 5");
    CU_ASSERT_TRUE(fraud_payment_inner(&p));
    CU_ASSERT_EQUAL(p.has, 0);
}

static void test_payment_bad(void)
{
    static const struct {
        const char *from, *to, *needle;
    } cases[] = {
        {"\"ts\":1767225600000", "\"ts\":\"yesterday\"", "ts: expected an integer, found a string"},
        {"\"ts\":1767225600000", "\"ts\":1767225600000.5", "ts: expected an integer, found a real"},
        {"\"ts\":1767225600000", "\"ts\":-1", "ts: expected 0"},
        {"\"ts\":1767225600000", "\"ts\":4102444800001", "ts: expected 0"},
        {"\"ts\":1767225600000,", "", "ts: expected an integer, found nothing"},
        {"\"amount_minor\":1250", "\"amount_minor\":0", "amount_minor: expected 1"},
        {"\"amount_minor\":1250", "\"amount_minor\":-5", "amount_minor: expected 1"},
        {"\"amount_minor\":1250", "\"amount_minor\":100000000000001", "amount_minor: expected 1"},
        {"\"amount_minor\":1250", "\"amount_minor\":99999999999999999999",
         "message: expected one JSON object"},
        {"\"amount_minor\":1250", "\"amount_minor\":\"12.50\"",
         "amount_minor: expected an integer, found a string"},
        {"\"EUR\"", "\"XYZ\"", "currency: expected an ISO 4217 code, found \"XYZ\""},
        {"\"EUR\"", "\"eur\"", "currency: expected an ISO 4217"},
        {"\"EUR\"", "\"EURO\"", "currency: expected at most 3 bytes"},
        {"\"EUR\"", "978", "currency: expected a string, found an integer"},
        {"\"transfer\"", "\"wire\"", "kind: expected one of transfer, card, cash"},
        {"\"A2\"", "\"A1\"", "to: expected another end"},
        {"\"A2\"", "\"\"", "to: expected a string, found an empty one"},
        {"\"A2\"", "null", "to: expected a string, found nothing"},
        {"\"A2\"", "\"0123456789012345678901234567890123456789012345678901234567890123\"",
         "to: expected at most 63 bytes, found 64"},
        {"\"DE\"", "\"Germany\"", "country: expected at most 3 bytes"},
        {"\"DE\"", "\"de\"", "country: expected two capital letters"},
        {"\"tx_id\":\"t1\"", "\"tx_id\":\"t1\",\"tx_id\":\"t2\"", "duplicate"},
        {"[1,2]", "[[[[[[[[1]]]]]]]]", "nesting of at most 8, found 10"},
        {"\"extra\"", "\"lat\":1,\"extra\"", "lon: expected both"},
        {"\"extra\"", "\"lat\":91,\"lon\":0,\"extra\"", "lat: expected -90..90"},
        {"\"app\"", "\"a\\u0000b\"", "message: expected one JSON object"},
        {"Müller", "M\xfcller", "message: expected one JSON object"},
        {"{\"tx_id\"", "[{\"tx_id\"", "message: expected"},
        {"\"extra\":{\"a\":[1,2]}}", "\"extra\":{\"a\":[1,2]}",
         "message: expected one JSON object"},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        char text[1024];
        r1_err err = {0};
        fraud_payment p, zero;
        memset(&zero, 0, sizeof zero);
        size_t len = payment_with(text, sizeof text, cases[i].from, cases[i].to);
        CU_ASSERT_EQUAL(fraud_payment_decode(text, len, &p, &err), R1_E_FORMAT);
        CU_ASSERT_EQUAL(memcmp(&p, &zero, sizeof p), 0);
        if (!strstr(err.msg, cases[i].needle)) {
            fprintf(stderr, "case %zu: expected \"%s\", found \"%s\"\n", i, cases[i].needle,
                    err.msg);
            CU_FAIL("message");
        }
    }
}

static void test_size(void)
{
    r1_err err = {0};
    fraud_payment p;
    size_t len = FRAUD_PAYMENT_BYTES_MAX + 1;
    char *big = malloc(len);
    memset(big, ' ', len);
    memcpy(big, good, strlen(good));
    CU_ASSERT_EQUAL(fraud_payment_decode(big, len, &p, &err), R1_E_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "16384"));
    R1_ASSERT_OK(fraud_payment_decode(big, len - 1, &p, &err), &err);
    free(big);
    for (size_t n = 0; n < strlen(good);
         n++) { /* truncated anywhere; exact-size copies let the sanitizer see overreads */
        char *cut = malloc(n ? n : 1);
        memcpy(cut, good, n);
        CU_ASSERT_EQUAL(fraud_payment_decode(cut, n, &p, &err), R1_E_FORMAT);
        free(cut);
    }
}

static void random_word(r1_rng *rng, char *out, size_t size)
{
    static const char *const pieces[] = {"a", "Z", "7", "é", "漢", "😀", "\"", "\\", " ", "-"};
    size_t want = r1_rng_below(rng, size), n = 0;
    while (n < want) {
        const char *piece = pieces[r1_rng_below(rng, R1_COUNT(pieces))];
        if (n + strlen(piece) >= size) break;
        memcpy(out + n, piece, strlen(piece));
        n += strlen(piece);
    }
    out[n] = 0;
}

static void test_payment_round_trip(void)
{
    static const char *const currencies[] = {"EUR", "JPY", "KWD", "USD"};
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int i = 0; i < 2000; i++) {
        r1_err err = {0};
        fraud_payment p, q;
        char json[FRAUD_PAYMENT_BYTES_MAX];
        size_t len;
        memset(&p, 0, sizeof p);
        random_word(&rng, p.tx_id + 1, sizeof p.tx_id - 1);
        random_word(&rng, p.from + 1, sizeof p.from - 1);
        random_word(&rng, p.to + 1, sizeof p.to - 1);
        p.tx_id[0] = 't';
        p.from[0] = 'f';
        p.to[0] = 'x';
        random_word(&rng, p.text, sizeof p.text);
        random_word(&rng, p.device, sizeof p.device);
        random_word(&rng, p.channel, sizeof p.channel);
        p.ts = (int64_t)r1_rng_below(&rng, (uint64_t)FRAUD_TS_MAX + 1);
        p.amount_minor = 1 + (int64_t)r1_rng_below(&rng, (uint64_t)FRAUD_AMOUNT_MAX);
        snprintf(p.currency, sizeof p.currency, "%s", currencies[r1_rng_below(&rng, 4)]);
        p.minor_digits = (uint8_t)fraud_currency_digits(p.currency);
        p.kind = (uint8_t)r1_rng_below(&rng, FRAUD_N_KIND);
        p.from_role = (uint8_t)r1_rng_below(&rng, FRAUD_N_ROLE);
        p.to_role = (uint8_t)r1_rng_below(&rng, FRAUD_N_ROLE);
        p.has = (uint32_t)r1_rng_below(&rng, 8);
        if (p.has & FRAUD_HAS_FROM_BALANCE)
            p.from_balance_minor = (int64_t)r1_rng_below(&rng, 1000000) - 500000;
        if (p.has & FRAUD_HAS_TO_BALANCE) p.to_balance_minor = (int64_t)r1_rng_below(&rng, 1000000);
        if (p.has & FRAUD_HAS_POSITION)
            p.lat = (float)r1_rng_unit(&rng) * 90, p.lon = (float)r1_rng_unit(&rng) * -180;
        R1_ASSERT_OK(fraud_payment_encode(&p, json, sizeof json, &len, &err), &err);
        R1_ASSERT_OK(fraud_payment_decode(json, len, &q, &err), &err);
        CU_ASSERT_EQUAL(memcmp(&p, &q, sizeof p), 0);
    }
}

static void test_damage(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int i = 0; i < 20000; i++) {
        char text[sizeof good], json[FRAUD_PAYMENT_BYTES_MAX];
        r1_err err = {0};
        fraud_payment p;
        size_t len;
        memcpy(text, good, sizeof good);
        for (uint64_t k = 1 + r1_rng_below(&rng, 4); k > 0; k--)
            text[r1_rng_below(&rng, sizeof good - 1)] = (char)r1_rng_below(&rng, 256);
        if (fraud_payment_decode(text, sizeof good - 1, &p, &err) != R1_OK) continue;
        R1_ASSERT_OK(fraud_payment_check(&p, &err), &err);
        R1_ASSERT_OK(fraud_payment_encode(&p, json, sizeof json, &len, &err), &err);
    }
}

static void test_currency(void)
{
    CU_ASSERT_EQUAL(fraud_currency_digits("EUR"), 2);
    CU_ASSERT_EQUAL(fraud_currency_digits("JPY"), 0);
    CU_ASSERT_EQUAL(fraud_currency_digits("BHD"), 3);
    CU_ASSERT_EQUAL(fraud_currency_digits("ED "), -1); /* lies across two codes of the table */
    CU_ASSERT_EQUAL(fraud_currency_digits(""), -1);
    CU_ASSERT_EQUAL(fraud_currency_digits("EURO"), -1);
}

static void test_label(void)
{
    r1_err err = {0};
    fraud_label l;
    const char *text = "{\"tx_id\":\"t1\",\"is_fraud\":true,\"ts\":5}";
    R1_ASSERT_OK(fraud_label_decode(text, strlen(text), &l, &err), &err);
    CU_ASSERT_TRUE(l.is_fraud);
    text = "{\"tx_id\":\"t1\",\"is_fraud\":1,\"ts\":5}";
    CU_ASSERT_EQUAL(fraud_label_decode(text, strlen(text), &l, &err), R1_E_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "is_fraud: expected true or false, found an integer"));
}

/* The page that producers read says the limit that the service keeps. */
static void test_schema_size(void)
{
    r1_err err = {0};
    char *text, want[64];
    size_t len;
    R1_ASSERT_OK(r1_file_read(R1_TEST_SCHEMA, 1 << 20, &text, &len, &err), &err);
    snprintf(want, sizeof want, "At most %d,%03d bytes", FRAUD_PAYMENT_BYTES_MAX / 1000,
             FRAUD_PAYMENT_BYTES_MAX % 1000);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, want));
    free(text);
}

R1_TEST_MAIN("payment", {"good message", test_good}, {"bad messages", test_payment_bad},
             {"size and truncation", test_size}, {"size in the schema", test_schema_size},
             {"round trip", test_payment_round_trip}, {"random damage", test_damage},
             {"currencies", test_currency}, {"label", test_label})
