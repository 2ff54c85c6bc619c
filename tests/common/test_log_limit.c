/* SPDX-License-Identifier: Apache-2.0 */
/* The limit of repeated log lines, by a clock of the test's own. */
#include "cli/log_limit.h"
#include "support/r1_test.h"
#include "text/quote.h"

#include <stdio.h>
#include <string.h>

/* A trouble that repeats 1,000 times in 2.5 s: three lines, and every other one is counted. */
static void test_repeated(void)
{
    uint64_t left_out = 0, lines = 0, counted = 0;
    r1_log_rest rest;
    for (int64_t us = 0; us < 2500000; us += 2500) {
        char text[24];
        snprintf(text, sizeof text, "at %lld", (long long)us);
        if (!r1_log_admit("away", R1_LOG_ERROR, text, us, &left_out)) continue;
        lines++;
        counted += left_out;
    }
    CU_ASSERT_EQUAL(lines, 3);
    CU_ASSERT_TRUE_FATAL(r1_log_left_out(9000000, &rest));
    CU_ASSERT_STRING_EQUAL(rest.event, "away");
    CU_ASSERT_STRING_EQUAL(rest.text, "at 2497500"); /* seen: a line "left_out=1" and no more */
    CU_ASSERT_EQUAL(rest.level, R1_LOG_ERROR);
    CU_ASSERT_EQUAL(lines + counted + rest.n, 1000);
    CU_ASSERT_FALSE(r1_log_left_out(9900000, &rest));
}

/* One event does not hold back another. */
static void test_apart(void)
{
    uint64_t left_out = 7;
    r1_log_rest rest;
    CU_ASSERT_TRUE(r1_log_admit("one", R1_LOG_WARN, "a", 0, &left_out));
    CU_ASSERT_EQUAL(left_out, 0);
    CU_ASSERT_TRUE(r1_log_admit("two", R1_LOG_WARN, "b", 1, &left_out));
    CU_ASSERT_FALSE(r1_log_admit("one", R1_LOG_WARN, "c", 2, &left_out));
    CU_ASSERT_FALSE(r1_log_left_out(3, &rest)); /* not yet a second */
}

/* More events than places: still bounded, still said. */
static void test_full(void)
{
    uint64_t left_out, passed = 0;
    char event[24];
    for (int i = 0; i < 500; i++) {
        snprintf(event, sizeof event, "event_%d", i);
        passed += r1_log_admit(event, R1_LOG_WARN, event, 50000000, &left_out);
    }
    CU_ASSERT_TRUE(passed >= 50 && passed <= 64);
}

/* Somebody's quotes ended the value of a field of the line. */
static void test_quoted(void)
{
    char longer[3000];
    CU_ASSERT_STRING_EQUAL(r1_log_quote("column \"a\\b\" is").text, "column \\\"a\\\\b\\\" is");
    memset(longer, '"', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    CU_ASSERT_EQUAL(strlen(r1_log_quote(longer).text) % 2, 0);
}

R1_TEST_MAIN("log limit", {"a repeated trouble", test_repeated}, {"two events", test_apart},
             {"more events than places", test_full}, {"a text in quotes", test_quoted})
