/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a service says when it ends: each kind of message with its number and reasons, and nothing
 * of what did not happen. */
#include "serve/end_report.h"
#include "support/r1_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *report_of(const fraud_writer_stats *w, bool first_told)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    const fraud_end_report r = {w, "review", "EUR", first_told};
    fraud_end_report_print(&r, f);
    fclose(f);
    return text;
}

static void test_all(void)
{
    fraud_writer_stats *w = calloc(1, sizeof *w);
    *w = (fraud_writer_stats){.payments = 100, .commits = 7, .duplicates = 4, .dead = 3};
    w->labels = 2;
    w->left_out = 6;
    for (int i = 0; i < 6; i++) fraud_counts_add(&w->tally.left_out, "status", 6);
    w->actions[FRAUD_ALLOW] = 80;
    w->actions[FRAUD_REVIEW] = 19;
    w->actions[FRAUD_BLOCK] = 1;
    for (int i = 0; i < 9; i++) fraud_counts_add(&w->tally.apart, "unscorable currency", 19);
    for (int i = 0; i < 2; i++) fraud_counts_add(&w->tally.apart, "time_suspect ts", 15);
    w->tally.foreign = 8;
    fraud_counts_add(&w->tally.dead[FRAUD_STAGE_DECODE], "message", 7);
    w->tally.dead[FRAUD_STAGE_DECODE].other = 2;
    static const char *const lines[] = {
        "r1-fraud serve: 100 payments decided in 7 transactions: 80 allow, 19 review, 1 block; p99 "
        "0.0 ms from sending to committed\n",
        "r1-fraud serve: 11 of them have no score (unscorable = review): 9 x unscorable currency, "
        "2 x time_suspect ts\n",
        "r1-fraud serve: 8 of these are in another currency than EUR, which the first payment "
        "told: name the settings currency and rates\n",
        "r1-fraud serve: 3 messages became dead letters: 1 x message, 2 x other; r1-fraud dlq list "
        "names them\n",
        "r1-fraud serve: 4 duplicates were dropped; they stand in r1.duplicate\n",
        "r1-fraud serve: 6 messages were left out by the mapping file: 6 x status\n",
        "r1-fraud serve: 2 labels\n"};
    char *text = report_of(w, true);
    for (size_t i = 0; i < R1_COUNT(lines); i++) {
        if (!strstr(text, lines[i])) printf("expected %sfound\n%s", lines[i], text);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, lines[i]));
    }
    free(text);
    text = report_of(w, false);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "which the setting currency names: the setting rates"));
    free(text);
    free(w);
}

/* More reasons than a line holds are added up. */
static void test_many(void)
{
    fraud_writer_stats *w = calloc(1, sizeof *w);
    char name[24];
    w->payments = 12;
    for (int i = 0; i < 12; i++) {
        int len = snprintf(name, sizeof name, "unscorable f%d", i);
        fraud_counts_add(&w->tally.apart, name, (size_t)len);
    }
    char *text = report_of(w, true);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "12 of them have no score"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "1 x unscorable f7, 4 x other\n"));
    CU_ASSERT_PTR_NULL(strstr(text, "f8"));
    free(text);
    free(w);
}

static void test_quiet(void)
{
    fraud_writer_stats *w = calloc(1, sizeof *w);
    char *text = report_of(w, true);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "0 payments decided in 0 transactions"));
    CU_ASSERT_PTR_EQUAL(strchr(text, '\n'), text + strlen(text) - 1);
    free(text);
    free(w);
}

R1_TEST_MAIN("end_report", {"all that can happen", test_all}, {"many reasons", test_many},
             {"nothing happened", test_quiet})
