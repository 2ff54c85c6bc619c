/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guard of event time: a table of cases, each with what it stands for, and properties over
 * random streams: one wrong date is found and changes the verdict of no other payment. */
#include "serve/arrival.h"
#include "support/r1_test.h"

#include <string.h>

#define MINUTE INT64_C(60000)
#define DAY    (24 * 60 * MINUTE)
#define NOW    INT64_C(1796000000000) /* 2026-11-30 */

static const fraud_time_band band = {.ahead_ms = 15 * MINUTE, .behind_ms = 7 * DAY};

static void test_cases(void)
{
    static const struct {
        const char *what;
        int64_t ts, message, machine, clock;
        fraud_time_verdict expected;
    } cases[] = {
        {"live", NOW - 200, NOW, NOW, NOW - 300, FRAUD_TIME_GOOD},
        {"clocks that differ by a minute", NOW + MINUTE, NOW, NOW, NOW, FRAUD_TIME_GOOD},
        {"a broker a minute ahead", NOW + 2 * MINUTE, NOW + MINUTE, NOW, NOW, FRAUD_TIME_GOOD},
        {"the year 2100", 4102444799999, NOW, NOW, NOW, FRAUD_TIME_AHEAD},
        {"the year 2100 in an empty state", 4102444799999, NOW, NOW, -1, FRAUD_TIME_AHEAD},
        {"a record stamped in 2100, too", 4102444799999, 4102444799999, NOW, NOW, FRAUD_TIME_AHEAD},
        {"dated after it was sent, in a backlog", NOW - DAY, NOW - 2 * DAY, NOW, NOW - 2 * DAY,
         FRAUD_TIME_AHEAD},
        {"no time stamp on the message", NOW - 5, 0, NOW, NOW - DAY, FRAUD_TIME_GOOD},
        {"a terminal's batch of three days ago", NOW - 3 * DAY, NOW, NOW, NOW, FRAUD_TIME_GOOD},
        {"a batch of eight days ago", NOW - 8 * DAY, NOW, NOW, NOW, FRAUD_TIME_BEHIND},
        {"the year 1970", 0, NOW, NOW, NOW, FRAUD_TIME_BEHIND},
        {"history begins", NOW - 900 * DAY, NOW, NOW, -1, FRAUD_TIME_GOOD},
        {"history goes on", NOW - 899 * DAY, NOW, NOW, NOW - 900 * DAY, FRAUD_TIME_GOOD},
        {"history leaps", NOW - 400 * DAY, NOW, NOW, NOW - 900 * DAY, FRAUD_TIME_LEAP},
        {"a live stream pauses for a month", NOW, NOW, NOW, NOW - 30 * DAY, FRAUD_TIME_LEAP},
        {"seconds", NOW / 1000, NOW, NOW, NOW, FRAUD_TIME_SECONDS},
        {"seconds from the first payment on", NOW / 1000, NOW, NOW, -1, FRAUD_TIME_SECONDS},
        {"microseconds", NOW * 1000, NOW, NOW, NOW, FRAUD_TIME_MICROSECONDS},
        {"nanoseconds", NOW * 1000000, NOW, NOW, -1, FRAUD_TIME_NANOSECONDS},
        {"a simulation that began at 0 ms", 12 * DAY, NOW, NOW, 12 * DAY - 5, FRAUD_TIME_GOOD},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        const fraud_time_case c = {cases[i].ts, cases[i].message, cases[i].machine, cases[i].clock};
        fraud_time_verdict got = fraud_time_judge(&band, &c);
        if (got != cases[i].expected)
            fprintf(stderr, "%s: expected %d, got %d\n", cases[i].what, (int)cases[i].expected,
                    (int)got);
        CU_ASSERT_EQUAL(got, cases[i].expected);
    }
}

static void test_words(void)
{
    char text[251];
    const fraud_time_case seconds = {NOW / 1000, NOW, NOW, -1}, ahead = {NOW + DAY, NOW, NOW, NOW};
    fraud_time_explain(&band, &seconds, FRAUD_TIME_SECONDS, text, sizeof text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "ts: looks like seconds: expected milliseconds"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "send 1796000000000"));
    fraud_time_explain(&band, &ahead, FRAUD_TIME_AHEAD, text, sizeof text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "setting time-ahead"));
    char tiny[8];
    fraud_time_explain(&band, &ahead, FRAUD_TIME_LEAP, tiny, sizeof tiny);
    CU_ASSERT_EQUAL(strlen(tiny), sizeof tiny - 1);
}

/* ---- streams ---- */

static uint64_t guard_random(uint64_t *x)
{
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
    return *x;
}

enum { N = 1500 };

/* Reads a stream as the service does: what is good moves the clock. */
static void guard_read(const int64_t *ts, int64_t message, uint8_t *verdict)
{
    fraud_time_guard g = {.band = band};
    int64_t clock = -1;
    for (size_t i = 0; i < N; i++) {
        const fraud_time_case c = {ts[i], message, NOW, clock};
        verdict[i] = (uint8_t)fraud_time_next(&g, &c);
        if (verdict[i] == FRAUD_TIME_GOOD && ts[i] > clock) clock = ts[i];
    }
}

/* Wherever one wrong date stands after the first payment, the others are judged as without it. */
static void test_one_date_spoils_nothing(void)
{
    static int64_t ts[N];
    static uint8_t clean[N], got[N];
    static const int64_t wrong[] = {4102444799999,
                                    NOW,
                                    NOW - 10 * DAY,
                                    0,
                                    1,
                                    -1,
                                    NOW / 1000,
                                    NOW * 1000,
                                    INT64_MAX,
                                    12,
                                    NOW - 3650 * DAY,
                                    NOW + 16 * MINUTE};
    uint64_t x = r1_test_seed() | 1;
    for (int trial = 0; trial < 60; trial++) {
        int64_t t = NOW - 1000 * DAY;
        for (size_t i = 0; i < N; i++) ts[i] = t += (int64_t)(guard_random(&x) % (20 * MINUTE));
        guard_read(ts, NOW, clean);
        for (size_t i = 0; i < N; i++) CU_ASSERT_EQUAL_FATAL(clean[i], FRAUD_TIME_GOOD);
        size_t at = 1 + guard_random(&x) % (N - 1);
        ts[at] = wrong[guard_random(&x) % R1_COUNT(wrong)];
        guard_read(ts, NOW, got);
        CU_ASSERT_NOT_EQUAL(got[at], FRAUD_TIME_GOOD);
        got[at] = FRAUD_TIME_GOOD;
        CU_ASSERT_EQUAL(memcmp(got, clean, N), 0);
    }
}

/* History with a gap goes on after it: at most two payments are decided apart for each gap. */
static void test_gap_in_history(void)
{
    static int64_t ts[N];
    static uint8_t got[N];
    int64_t t = NOW - 2000 * DAY;
    size_t apart = 0;
    for (size_t i = 0; i < N; i++) ts[i] = t += i % 500 == 499 ? 60 * DAY : MINUTE;
    guard_read(ts, NOW, got);
    for (size_t i = 0; i < N; i++) apart += got[i] != FRAUD_TIME_GOOD;
    CU_ASSERT_EQUAL(apart,
                    (FRAUD_TIME_BELIEVED - 1) * 2 + 1); /* one payment is left after the third */
    CU_ASSERT_EQUAL(got[N - 2], FRAUD_TIME_GOOD);
}

/* A live stream that pauses for a month goes on at once. */
static void test_live_pause(void)
{
    fraud_time_guard g = {.band = band};
    const fraud_time_case before = {NOW - 40 * DAY, NOW - 40 * DAY + 9, NOW - 40 * DAY + 9, -1},
                          after = {NOW - 5, NOW, NOW, NOW - 40 * DAY};
    CU_ASSERT_EQUAL(fraud_time_next(&g, &before), FRAUD_TIME_GOOD);
    CU_ASSERT_EQUAL(fraud_time_next(&g, &after), FRAUD_TIME_GOOD);
}

/* A first payment with a wild date: neither a zero sets the clock of an empty state, nor does a
 * date of years ago hold up the live payments behind it. */
static void test_first_payment_wild(void)
{
    static const struct {
        const char *what;
        int64_t ts[6];
        uint8_t good[6];
    } cases[] = {
        {"1970, then live", {0, NOW, NOW + 5, NOW, NOW, NOW}, {0, 1, 1, 1, 1, 1}},
        {"2019, then live", {NOW - 2600 * DAY, NOW, NOW, NOW, NOW, NOW}, {1, 1, 1, 1, 1, 1}},
        {"1970, then history",
         {5, NOW - 300 * DAY, NOW - 299 * DAY, NOW - 298 * DAY, NOW - 297 * DAY, NOW - 296 * DAY},
         {0, 1, 1, 1, 1, 1}},
        {"history in 1970", {0, 5, 12 * MINUTE, DAY, 2 * DAY, 3 * DAY}, {0, 0, 1, 1, 1, 1}},
        {"live, then 2019", {NOW, NOW - 2600 * DAY, NOW, NOW, NOW, NOW}, {1, 0, 1, 1, 1, 1}},
    };
    char text[251];
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        fraud_time_guard g = {.band = band};
        int64_t clock = -1;
        for (size_t k = 0; k < 6; k++) {
            const fraud_time_case c = {cases[i].ts[k], NOW, NOW, clock};
            fraud_time_verdict v = fraud_time_next(&g, &c);
            if ((v == FRAUD_TIME_GOOD) != cases[i].good[k])
                fprintf(stderr, "%s: payment %zu: verdict %d\n", cases[i].what, k, (int)v);
            CU_ASSERT_EQUAL(v == FRAUD_TIME_GOOD, cases[i].good[k]);
            if (v == FRAUD_TIME_GOOD && c.ts > clock) clock = c.ts;
        }
    }
    const fraud_time_case zero = {0, NOW, NOW, -1};
    fraud_time_explain(&band, &zero, FRAUD_TIME_LEAP, text, sizeof text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "expected a date since 2000, or 3 payments that agree"));
}

/* ---- places ---- */

static void test_places(void)
{
    static const struct {
        const char *what;
        int64_t ts, message, expected;
    } cases[] = {
        {"live", NOW - 300, NOW - 40, NOW - 40},
        {"live, clocks differ", NOW + MINUTE, NOW - 40, NOW - 40},
        {"an hour late", NOW - 60 * MINUTE, NOW, NOW},
        {"a terminal's batch", NOW - 3 * DAY, NOW, NOW - 3 * DAY},
        {"history that was sent again", NOW - 900 * DAY, NOW, NOW - 900 * DAY},
        {"no time stamp", NOW - 300, 0, NOW - 300},
        {"the machine is a minute behind", NOW + MINUTE - 300, NOW + MINUTE, NOW + MINUTE},
        {"the machine is an hour behind", NOW - 300, NOW + 60 * MINUTE, NOW},
        {"stamped in 2100", NOW - 300, 4102444799999, NOW},
        {"the year 2100", 4102444799999, NOW, R1_MERGE_NO_TIME},
        {"seconds", NOW / 1000, NOW, R1_MERGE_NO_TIME},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        int64_t got = fraud_arrival_ms(&band, cases[i].ts, cases[i].message, NOW);
        if (got != cases[i].expected)
            fprintf(stderr, "%s: expected %lld, got %lld\n", cases[i].what,
                    (long long)cases[i].expected, (long long)got);
        CU_ASSERT_EQUAL(got, cases[i].expected);
    }
}

/* What arrives is read once: kind, place, rank, and a tie that depends on the id alone. */
static void test_arrival(void)
{
    static const char *const label = "{\"tx_id\":\"T1\",\"is_fraud\":true,\"ts\":1700000000000}";
    static const char *const unscorable = "{\"tx_id\":\"T1\"}";
    fraud_arrival_opts b = {.band = band};
    fraud_arrival a;
    r1_merge_key key = {0}, other = {0};
    r1_message m = {.topic = FRAUD_TOPIC_LABELS, .payload = label, .payload_len = strlen(label)};
    fraud_arrival_place(&b, &m, &a, &key);
    CU_ASSERT_EQUAL(a.reading, FRAUD_READ_PAYMENT);
    CU_ASSERT_STRING_EQUAL(a.label.tx_id, "T1");
    CU_ASSERT_TRUE(key.ms == 1700000000000 && key.rank == 0 && !a.odd_time);
    m.topic = FRAUD_TOPIC_PAYMENTS;
    fraud_arrival_place(&b, &m, &a, &other);
    CU_ASSERT_EQUAL(other.rank, 1);
    m.payload = unscorable, m.payload_len = strlen(unscorable);
    fraud_arrival_place(&b, &m, &a, &key);
    CU_ASSERT_EQUAL(a.reading, FRAUD_READ_UNSCORABLE);
    CU_ASSERT_EQUAL(key.ms, R1_MERGE_NO_TIME);
    m.payload_len = 3;
    fraud_arrival_place(&b, &m, &a, &key);
    CU_ASSERT_EQUAL(a.reading, FRAUD_READ_NOTHING);
    CU_ASSERT_EQUAL(key.ms, R1_MERGE_NO_TIME);
}

R1_TEST_MAIN("guard of event time", {"cases", test_cases}, {"words", test_words},
             {"one date spoils nothing", test_one_date_spoils_nothing},
             {"a first payment with a wild date", test_first_payment_wild},
             {"gap in history", test_gap_in_history}, {"live pause", test_live_pause},
             {"places", test_places}, {"arrival", test_arrival})
