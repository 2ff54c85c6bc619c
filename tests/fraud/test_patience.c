/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_patience.c - a trouble is said, and so is its end: once, and only where it was said. */
#include "write/patience.h"

#include "support/r1_test.h"

#include <string.h>

static int n_line;
static char last_event[48], last_text[256];

static void note_line(void *ctx, r1_log_level level, const char *event, const char *text)
{
    (void)ctx, (void)level;
    n_line++;
    snprintf(last_event, sizeof last_event, "%s", event);
    snprintf(last_text, sizeof last_text, "%s", text);
}

/* Seen: PostgreSQL was away for a minute, and after it had returned no line said so. */
static void test_end_is_said(void)
{
    fraud_patience p = {0};
    r1_err err = {.msg = "the server closed the connection"};
    r1_log_set(note_line, NULL, R1_LOG_WARN);
    fraud_patience_reset(&p);
    CU_ASSERT_EQUAL(n_line, 0); /* nothing was wrong */
    for (int i = 0; i < 3; i++) {
        fraud_patience_say(&p, i ? "postgres_away" : "commit_retry", "", &err);
        fraud_patience_next(&p);
    }
    CU_ASSERT_EQUAL(n_line, 1); /* one a second */
    fraud_patience_reset(&p);
    CU_ASSERT_EQUAL(n_line, 2);
    CU_ASSERT_STRING_EQUAL(last_event, "works_again");
    CU_ASSERT_PTR_NOT_NULL(strstr(last_text, "after=postgres_away tries=3 waited_s=0."));
    fraud_patience_reset(&p);
    CU_ASSERT_EQUAL(n_line, 2);
    CU_ASSERT_EQUAL(fraud_patience_next(&p), 5); /* the next wait is short again */
    fraud_patience_say(&p, "outbox_waits", "", &err);
    fraud_patience_reset(&p);
    CU_ASSERT_PTR_NOT_NULL(strstr(last_text, "after=outbox_waits tries=1 "));
    r1_log_set(NULL, NULL, R1_LOG_WARN);
}

R1_TEST_MAIN("patience", {"the end of a trouble is said", test_end_is_said})
