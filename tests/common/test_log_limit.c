/* SPDX-License-Identifier: Apache-2.0 */
/* The limit of repeated log lines, by a clock of the test's own. */
#include "cli/log_limit.h"
#include "support/r1_test.h"

#include <stdio.h>
#include <string.h>

/* A trouble that repeats 1,000 times in 2.5 s: three lines, and every other one is counted. */
static void test_repeated(void)
{
    uint64_t left_out = 0, lines = 0, counted = 0, more = 0;
    for (int64_t us = 0; us < 2500000; us += 2500) {
        if (!r1_log_admit("away", us, &left_out)) continue;
        lines++;
        counted += left_out;
    }
    CU_ASSERT_EQUAL(lines, 3);
    const char *event = r1_log_left_out(9000000, &more);
    CU_ASSERT_TRUE(event && !strcmp(event, "away"));
    CU_ASSERT_EQUAL(lines + counted + more, 1000);
    CU_ASSERT_TRUE(r1_log_left_out(9900000, &more) == NULL);
}

/* One event does not hold back another. */
static void test_apart(void)
{
    uint64_t left_out = 7;
    CU_ASSERT_TRUE(r1_log_admit("one", 0, &left_out));
    CU_ASSERT_EQUAL(left_out, 0);
    CU_ASSERT_TRUE(r1_log_admit("two", 1, &left_out));
    CU_ASSERT_FALSE(r1_log_admit("one", 2, &left_out));
    CU_ASSERT_TRUE(r1_log_left_out(3, &left_out) == NULL); /* not yet a second */
}

/* More events than places: still bounded, still said. */
static void test_full(void)
{
    uint64_t left_out, passed = 0;
    char event[24];
    for (int i = 0; i < 500; i++) {
        snprintf(event, sizeof event, "event_%d", i);
        passed += r1_log_admit(event, 50000000, &left_out);
    }
    CU_ASSERT_TRUE(passed >= 50 && passed <= 64);
}

R1_TEST_MAIN("log limit", {"a repeated trouble", test_repeated}, {"two events", test_apart},
             {"more events than places", test_full})
