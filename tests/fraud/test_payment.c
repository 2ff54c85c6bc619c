/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Payments from outside: tables of messages with what each is and the words that tell why,
 * round trips, and random damage to a good message (whatever decodes must pass the check and
 * encode again). */
#include "payment/notes.h"
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

/* A message with one change: what it is, and the words that tell why. */
typedef struct {
    const char *from, *to;
    fraud_reading what;
    const char *needle; /* in the fault, or of a payment in the notes; "": none */
} reading_case;

static void payment_expect(const reading_case *c, size_t i)
{
    char text[4096], notes[FRAUD_NOTES_BYTES];
    r1_err why = {0};
    fraud_payment p;
    uint64_t content;
    size_t len = payment_with(text, sizeof text, c->from, c->to);
    fraud_reading what = fraud_payment_read(NULL, text, len, &p, notes, &content, &why);
    const char *found = what == FRAUD_READ_PAYMENT ? notes : why.msg;
    if (what != c->what || !strstr(found, c->needle) || (!*c->needle && *found)) {
        fprintf(stderr, "case %zu, %s: expected %d \"%s\", found %d \"%s\"\n", i, c->to,
                (int)c->what, c->needle, (int)what, found);
        CU_FAIL("reading");
    }
    if (what != FRAUD_READ_NOTHING) CU_ASSERT_STRING_EQUAL(p.tx_id, "t1");
    CU_ASSERT_EQUAL(fraud_payment_decode(text, len, &p, &why),
                    what == FRAUD_READ_PAYMENT ? R1_OK : R1_E_FORMAT);
}

#define ID_63 "012345678901234567890123456789012345678901234567890123456789012"

#define NESTED_8  "[[[[[[[["
#define CLOSED_8  "]]]]]]]]"
#define NESTED_32 NESTED_8 NESTED_8 NESTED_8 NESTED_8 "1" CLOSED_8 CLOSED_8 CLOSED_8 CLOSED_8

/* Each of these went undecided and unseen: a person decides it. */
static void test_unscorable(void)
{
    static const reading_case cases[] = {
        {"\"ts\":1767225600000", "\"ts\":\"yesterday\"", FRAUD_READ_UNSCORABLE,
         "ts: expected milliseconds since 1970, or an ISO text with offset, found \"yesterday\""},
        {"\"ts\":1767225600000", "\"ts\":1767225600000.5", FRAUD_READ_UNSCORABLE, "ts: expected"},
        {"\"ts\":1767225600000", "\"ts\":-1", FRAUD_READ_UNSCORABLE, "ts: expected 0.."},
        {"\"ts\":1767225600000", "\"ts\":4102444800001", FRAUD_READ_UNSCORABLE, "ts: expected 0.."},
        {"\"ts\":1767225600000", "\"ts\":1767225600000000", FRAUD_READ_UNSCORABLE, "microseconds"},
        {"\"ts\":1767225600000,", "", FRAUD_READ_UNSCORABLE, "found nothing"},
        {"\"amount_minor\":1250", "\"amount_minor\":0", FRAUD_READ_UNSCORABLE,
         "amount_minor: expected more than 0, found 0"},
        {"\"amount_minor\":1250", "\"amount_minor\":-5", FRAUD_READ_UNSCORABLE, "a refund"},
        {"\"amount_minor\":1250", "\"amount_minor\":100000000000001", FRAUD_READ_UNSCORABLE,
         "expected at most 100000000000000 EUR"},
        {"\"amount_minor\":1250,\"currency\":\"EUR\"",
         "\"amount_minor\":100000000000000,\"currency\":\"JPY\"", FRAUD_READ_UNSCORABLE,
         "expected at most 1000000000000 JPY"},
        {"\"amount_minor\":1250", "\"amount_minor\":99999999999999999999", FRAUD_READ_UNSCORABLE,
         "a larger number than 64 bits hold"},
        {"\"amount_minor\":1250", "\"amount_minor\":\"12.50\"", FRAUD_READ_UNSCORABLE,
         "amount_minor: expected a whole number of cents"},
        {"\"amount_minor\":1250", "\"amount\":12.505", FRAUD_READ_UNSCORABLE,
         "more digits than the currency's minor unit has"},
        {"\"amount_minor\":1250", "\"amount\":\"1,250\"", FRAUD_READ_UNSCORABLE, "no commas"},
        {"\"amount_minor\":1250", "\"amount_minor\":1250,\"amount\":12.51", FRAUD_READ_UNSCORABLE,
         "amount: expected what amount_minor says"},
        {"\"EUR\"", "\"XYZ\"", FRAUD_READ_UNSCORABLE,
         "currency: expected a code of ISO 4217, found \"XYZ\""},
        {"\"EUR\"", "\"EURO\"", FRAUD_READ_UNSCORABLE, "currency: expected a code of ISO 4217"},
        {"\"EUR\"", "\"XAU\"", FRAUD_READ_UNSCORABLE, "which has no minor unit"},
        {"\"EUR\"", "978", FRAUD_READ_UNSCORABLE, "currency: expected a code"},
        {"\"transfer\"", "\"barter\"", FRAUD_READ_UNSCORABLE,
         "kind: expected transfer, card or cash, found \"barter\""},
        {"\"A2\"", "\"A1\"", FRAUD_READ_UNSCORABLE, "to: expected another end"},
        {"\"A2\"", "\" A1 \"", FRAUD_READ_UNSCORABLE, "to: expected another end"},
        {"\"A2\"", "\"\"", FRAUD_READ_UNSCORABLE, "to: expected the payee's account"},
        {"\"A2\"", "null", FRAUD_READ_UNSCORABLE, "found nothing"},
        {"\"A2\"", "\"a\\u0000b\"", FRAUD_READ_UNSCORABLE, "to: expected the payee's account"},
        {"\"A2\"", "\"" ID_63 ID_63 ID_63 ID_63 "0123\"", FRAUD_READ_UNSCORABLE,
         "bytes, found 256"},
        {"\"ts\"", "\"ts\":1,\"ts\"", FRAUD_READ_UNSCORABLE, "each key once"},
        {"[1,2]", NESTED_32, FRAUD_READ_UNSCORABLE, "nesting of at most 32, found 34"},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) payment_expect(&cases[i], i);
}

/* An odd field that is not needed stops nothing, and is told. */
static void test_left_out(void)
{
    static const reading_case cases[] = {
        {"\"DE\"", "\"Germany\"", FRAUD_READ_PAYMENT,
         "[\"country: expected a code of ISO 3166-1, DE or DEU, found \\\"Germany\\\": left "
         "out\"]"},
        {"\"DE\"", "\"GBR\"", FRAUD_READ_PAYMENT, ""},
        {"\"DE\"", "\"de\"", FRAUD_READ_PAYMENT, ""},
        {"\"DE\"", "\"ZZ\"", FRAUD_READ_PAYMENT, "country: expected"},
        {"\"DE\"", "[1]", FRAUD_READ_PAYMENT, "found an array: left out"},
        {"\"app\"", "\"a\\u0000b\"", FRAUD_READ_PAYMENT, "channel: expected"},
        {"\"app\"", "\"" ID_63 "\"", FRAUD_READ_PAYMENT, "channel: expected a word of at most 31"},
        {"\"app\"", "17", FRAUD_READ_PAYMENT, ""},
        {"\"extra\"", "\"device\":\"" ID_63 ID_63 ID_63 ID_63 ID_63 "\",\"extra\"",
         FRAUD_READ_PAYMENT, "device: expected a text"},
        {"\"extra\"", "\"lat\":1,\"extra\"", FRAUD_READ_PAYMENT,
         "lat, lon: expected degrees in both, found 1 and nothing: left out"},
        {"\"extra\"", "\"lat\":91.5,\"lon\":0,\"extra\"", FRAUD_READ_PAYMENT, "lat, lon: expected"},
        {"\"extra\"", "\"lat\":NaN,\"lon\":Infinity,\"extra\"", FRAUD_READ_PAYMENT, "mended"},
        {"\"extra\"", "\"n\":123456789012345678901234567890,\"m\":-1e999,\"extra\"",
         FRAUD_READ_PAYMENT, ""},
        {"\"extra\"", "\"from_balance_minor\":\"much\",\"extra\"", FRAUD_READ_PAYMENT,
         "from_balance_minor: expected"},
        {"\"extra\"", "\"from_role\":\"king\",\"extra\"", FRAUD_READ_PAYMENT,
         "from_role: expected"},
        {"M\xc3\xbcller", "M\xfcller", FRAUD_READ_PAYMENT, "1 places that were mended"},
        {"M\xc3\xbcller", "M\\ud800ller", FRAUD_READ_PAYMENT, "1 places that were mended"},
        {"M\xc3\xbcller", "M\nller", FRAUD_READ_PAYMENT, "1 places that were mended"},
        {"M\xc3\xbcller", "M\\u0000ller", FRAUD_READ_PAYMENT, ""},
        {"{\"tx_id\"", "\xef\xbb\xbf{\"tx_id\"", FRAUD_READ_PAYMENT, "1 places that were mended"},
        {"\"transfer\"", "\"direct_debit\"", FRAUD_READ_PAYMENT, ""},
        {"\"transfer\"", "\"SCT Inst\"", FRAUD_READ_PAYMENT, ""},
        {"\"EUR\"", "\"eur\"", FRAUD_READ_PAYMENT, ""},
        {"\"EUR\"", "\"DEM\"", FRAUD_READ_PAYMENT, "DEM is a historic code"},
        {"\"A2\"", "42", FRAUD_READ_PAYMENT, ""},
        {"\"A2\"", "\"" ID_63 "\"", FRAUD_READ_PAYMENT, ""},
        {"\"A2\"", "\"" ID_63 ID_63 ID_63 ID_63 "012\"", FRAUD_READ_PAYMENT, ""},
        {"\"ts\":1767225600000", "\"ts\":\"2026-01-01T00:00:00\"", FRAUD_READ_PAYMENT,
         "ts: expected an offset such as Z or +01:00, found none: read as UTC"},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) payment_expect(&cases[i], i);
}

static void test_no_payment(void)
{
    static const reading_case cases[] = {
        {"{\"tx_id\"", "[{\"tx_id\"", FRAUD_READ_NOTHING, "message: expected one JSON object"},
        {"\"tx_id\":\"t1\"", "\"tx_id\":null", FRAUD_READ_NOTHING, "tx_id: expected an id"},
        {"\"tx_id\":\"t1\"", "\"tx_id\":\" \"", FRAUD_READ_NOTHING, "tx_id: expected an id"},
        {"\"tx_id\":\"t1\"", "\"tx_id\":\"a\\u0000b\"", FRAUD_READ_NOTHING,
         "tx_id: expected an id"},
        {"\"tx_id\":\"t1\",", "", FRAUD_READ_NOTHING, "tx_id: expected an id"},
        {"\"extra\":{\"a\":[1,2]}}", "\"extra\":{\"a\":[1,2]}", FRAUD_READ_NOTHING,
         "message: expected one JSON object"},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) payment_expect(&cases[i], i);
}

/* Text and time to what they mean. */
static void payment_fields_of(const char *from, const char *to, fraud_payment *p)
{
    char text[4096];
    r1_err err = {0};
    size_t len = payment_with(text, sizeof text, from, to);
    R1_ASSERT_OK(fraud_payment_decode(text, len, p, &err), &err);
}

static void test_meaning(void)
{
    static const struct {
        const char *text;
        int64_t ms;
    } times[] = {
        {"\"2026-01-01T00:00:00Z\"", 1767225600000},
        {"\"2026-01-01T01:00:00.123456+01:00\"", 1767225600123},
        {"\"2025-12-31 18:30:00 -0530\"", 1767225600000},
        {"\"2024-02-29T23:59:60Z\"", 1709251200000},
        {"\"1767225600000\"", 1767225600000},
        {"1767225600000.0", 1767225600000},
    };
    static const struct {
        const char *text;
        int64_t minor;
    } amounts[] = {
        {"\"amount\":125.50", 12550},
        {"\"amount\":\"125.5\"", 12550},
        {"\"amount\":0.29", 29},
        {"\"amount\":1.2550e2", 12550},
        {"\"amount\":125.500000", 12550},
        {"\"amount\":999999999999.99", 99999999999999},
        {"\"amount_minor\":\"1250\"", 1250},
        {"\"amount_minor\":1.25e3", 1250},
        {"\"amount_minor\":1250,\"amount\":12.5", 1250},
    };
    fraud_payment p;
    for (size_t i = 0; i < R1_COUNT(times); i++) {
        char to[64];
        snprintf(to, sizeof to, "\"ts\":%s", times[i].text);
        payment_fields_of("\"ts\":1767225600000", to, &p);
        CU_ASSERT_EQUAL(p.ts, times[i].ms);
    }
    for (size_t i = 0; i < R1_COUNT(amounts); i++) {
        payment_fields_of("\"amount_minor\":1250", amounts[i].text, &p);
        CU_ASSERT_EQUAL(p.amount_minor, amounts[i].minor);
    }
    payment_fields_of("\"DE\"", "\"gbr\"", &p);
    CU_ASSERT_STRING_EQUAL(p.country, "GB");
    payment_fields_of("\"A2\"", "\" A\xcc\x8a \"", &p); /* A and a ring above: one character */
    CU_ASSERT_STRING_EQUAL(p.to, "\xc3\x85");
    payment_fields_of("M\xc3\xbcller", "\xef\xac\x81n\xef\xbc\xa1", &p); /* ligature, full width */
    CU_ASSERT_STRING_EQUAL(p.text, "finA, Stra\xc3\x9f"
                                   "e 5");
    payment_fields_of("\"transfer\"", "\"ATM withdrawal\"", &p);
    CU_ASSERT_EQUAL(p.kind, FRAUD_KIND_CASH);
}

/* 140 Thai characters are 420 bytes: they pass whole. What is longer is cut between two characters
 * as a reader sees them, never inside of one. */
static void test_long_text(void)
{
    static const struct {
        const char *cluster;
        int n;
        size_t len;
    } cases[] = {{"\xe0\xb8\x81\xe0\xb8\xb4", 70, 420}, /* Thai, with a vowel above */
                 {"\xd7\xa9\xd7\x81", 200, 800},        /* Hebrew, with a point */
                 {"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x94\xac", 100, 1023 / 11 * 11}, /* emoji */
                 {"e\xcc\xa7\xcc\xad", 100, 400}, /* composes to one letter and one mark */
                 {"a", 2000, 1023}};
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        char text[4096] = "";
        fraud_payment p;
        for (int k = 0; k < cases[i].n; k++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s", cases[i].cluster);
        payment_fields_of("M\xc3\xbcller, Stra\xc3\x9f"
                          "e 5",
                          text, &p);
        size_t len = strlen(p.text);
        if (len != cases[i].len) fprintf(stderr, "case %zu: %zu bytes\n", i, len);
        CU_ASSERT_EQUAL(len, cases[i].len);
    }
}

/* Blanks and the order of keys are no content; every field is. */
static void test_content(void)
{
    static const char *const same[] = {
        "{\"tx_id\":\"t1\",\"ts\":1767225600000,\"kind\":\"card\",\"from\":\"A\",\"to\":\"B\","
        "\"amount_minor\":1250,\"currency\":\"EUR\"}",
        " {\"currency\" : \"EUR\", \"amount\":12.50, \"to\":\"B\",\"from\":\"A\",\"unknown\":1,"
        "\"kind\":\"pos\", \"ts\":\"2026-01-01T00:00:00Z\", \"tx_id\":\"t1\"}"};
    static const char *const other[] = {
        "\"ts\":1767225600001", "\"kind\":\"cash\"",        "\"from\":\"C\"",
        "\"to\":\"C\"",         "\"amount_minor\":1251",    "\"currency\":\"USD\"",
        "\"text\":\"x\"",       "\"device\":\"d\"",         "\"country\":\"DE\"",
        "\"channel\":\"x\"",    "\"category\":\"x\"",       "\"from_balance_minor\":0",
        "\"lat\":1,\"lon\":1",  "\"from_role\":\"account\""};
    fraud_payment p;
    r1_err why = {0};
    uint64_t content[2];
    for (size_t i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(
            fraud_payment_read(NULL, same[i], strlen(same[i]), &p, NULL, &content[i], &why),
            FRAUD_READ_PAYMENT);
    CU_ASSERT_EQUAL(content[0], content[1]);
    for (size_t i = 0; i < R1_COUNT(other); i++) {
        size_t len = strcspn(other[i], ":");
        char text[1024];
        const char *at =
            strstr(same[0], (snprintf(text, sizeof text, "%.*s:", (int)len, other[i]), text));
        size_t end = at ? strcspn(at, ",}") : 0;
        if (at)
            snprintf(text, sizeof text, "%.*s%s%s", (int)(at - same[0]), same[0], other[i],
                     at + end);
        else
            snprintf(text, sizeof text, "{%s,%s", other[i], same[0] + 1);
        CU_ASSERT_EQUAL(fraud_payment_read(NULL, text, strlen(text), &p, NULL, &content[1], &why),
                        FRAUD_READ_PAYMENT);
        if (content[1] == content[0]) fprintf(stderr, "%s changes nothing\n", other[i]);
        CU_ASSERT_NOT_EQUAL(content[1], content[0]);
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
    uint64_t content;
    CU_ASSERT_EQUAL(fraud_payment_read(NULL, big, len, &p, NULL, &content, &err),
                    FRAUD_READ_UNSCORABLE);
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
    if (out[0] == ' ') out[0] = '_'; /* blanks around an id go */
    if (n && out[n - 1] == ' ') out[n - 1] = '_';
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
        if (!p.minor_digits) p.amount_minor = p.amount_minor / 100 + 1;
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
    CU_ASSERT_EQUAL(fraud_currency_digits("UYW"), 4);
    CU_ASSERT_EQUAL(fraud_currency_digits("CLF"), 4);
    CU_ASSERT_EQUAL(fraud_currency_digits("UYI"), 0);
    CU_ASSERT_EQUAL(fraud_currency_digits("VED"), 2);
    CU_ASSERT_EQUAL(fraud_currency_digits("XAU"), -1);
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

R1_TEST_MAIN("payment", {"good message", test_good},
             {"what cannot be scored is decided", test_unscorable},
             {"odd optional fields are left out", test_left_out},
             {"no payment at all", test_no_payment},
             {"times, amounts and texts by their meaning", test_meaning},
             {"long texts are cut between characters", test_long_text},
             {"content of a message", test_content}, {"size and truncation", test_size},
             {"size in the schema", test_schema_size}, {"round trip", test_payment_round_trip},
             {"random damage", test_damage}, {"currencies", test_currency}, {"label", test_label})
