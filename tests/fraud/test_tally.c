/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is counted of committed records: names are bounded, drift is the published index, stages and
 * arrivals say what the clocks said, absurd clocks say nothing. */
#include "support/r1_test.h"
#include "write/tally.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_counts(void)
{
    static fraud_counts c;
    char name[80];
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 100; i++) {
            snprintf(name, sizeof name, "rule_%d", i);
            fraud_counts_add(&c, name, strlen(name));
        }
    CU_ASSERT_EQUAL(c.n_row, FRAUD_COUNTS_MAX);
    CU_ASSERT_EQUAL(c.row[0].n, 3);
    CU_ASSERT_EQUAL(c.other, 3 * (100 - FRAUD_COUNTS_MAX));
    memset(name, 'a', sizeof name);
    static fraud_counts d;
    fraud_counts_add(&d, name, sizeof name);
    fraud_counts_add(&d, name, sizeof name);
    CU_ASSERT_EQUAL(d.row[0].n, 2);
    CU_ASSERT_EQUAL(strlen(d.row[0].name), FRAUD_COUNT_NAME_BYTES - 1);
}

/* The index of two windows whose shares are known, against the formula over plain shares. */
static void test_psi(void)
{
    static fraud_drift d;
    const int first[4] = {4000, 3000, 2000, 1000}, now[4] = {1000, 2000, 3000, 4000};
    uint8_t bin[FRAUD_N_DRIFT] = {0};
    double want = 0;
    for (int window = 0; window < 2; window++)
        for (uint8_t b = 0; b < 4; b++)
            for (int i = 0; i < (window ? now : first)[b]; i++) {
                bin[FRAUD_DRIFT_SCORE] = b;
                fraud_drift_add(&d, bin);
            }
    for (int b = 0; b < 4; b++) want += (now[b] - first[b]) / 1e4 * log((double)now[b] / first[b]);
    CU_ASSERT_EQUAL(d.windows, 1);
    CU_ASSERT_TRUE(fabs(d.psi[FRAUD_DRIFT_SCORE] - want) < .005 * want);
    CU_ASSERT_TRUE(d.psi[FRAUD_DRIFT_HOUR] == 0); /* a column that stands still */
}

/* Two windows of one distribution stay below what counts as unmoved. */
static void test_psi_quiet(void)
{
    static fraud_drift d;
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    uint8_t bin[FRAUD_N_DRIFT];
    for (int i = 0; i < 2 * FRAUD_DRIFT_PAYMENTS; i++) {
        for (int c = 0; c < FRAUD_N_DRIFT; c++)
            bin[c] = (uint8_t)r1_rng_below(&rng, FRAUD_DRIFT_BINS);
        fraud_drift_add(&d, bin);
    }
    for (int c = 0; c < FRAUD_N_DRIFT; c++) CU_ASSERT_TRUE(d.psi[c] < .02);
}

static fraud_record *payment_record(void)
{
    fraud_record *r = calloc(1, sizeof *r);
    r->kind = FRAUD_RECORD_PAYMENT;
    r->probability = .25F;
    r->logit = -1;
    r->payment.amount_minor = 100;
    const int64_t now = r1_mono_us();
    for (int k = 0; k < FRAUD_N_CLOCK; k++) r->clock_us[k] = now - 1000 + 100 * k;
    return r;
}

static void test_record(void)
{
    static fraud_tally t;
    fraud_record *r = payment_record();
    r->message.offset = 41;
    r->message.partition = 3;
    r->message.sent_us = r1_time_us() - 5000;
    fraud_tally_commit(&t, &r, 1);
    CU_ASSERT_EQUAL(t.next[FRAUD_TOPIC_PAYMENTS][3], 42);
    for (int k = 0; k + 1 < FRAUD_N_CLOCK; k++) CU_ASSERT_EQUAL(t.stage[k].max, 100);
    CU_ASSERT_TRUE(t.arrival.max >= 5000 && t.arrival.max < 1000000);
    CU_ASSERT_EQUAL(t.score[9], 1);
    free(r);
}

/* Headers of absurd numbers and records stamped in 2100 or before 1970. */
static void test_absurd_clocks(void)
{
    static const int64_t sent[] = {0, -1, INT64_MAX, INT64_MIN, 1};
    static const int64_t broker[] = {0, -5, INT64_MAX, INT64_MIN};
    static fraud_tally t;
    fraud_record *r = payment_record();
    for (size_t i = 0; i < R1_COUNT(sent); i++)
        for (size_t k = 0; k < R1_COUNT(broker); k++) {
            r->message.sent_us = sent[i];
            r->message.broker_ms = broker[k];
            r->logit = i ? NAN : INFINITY;
            r->probability = NAN;
            r->payment.ts = broker[k];
            fraud_tally_commit(&t, &r, 1);
        }
    CU_ASSERT_EQUAL(t.arrival.n, 0);
    r->message.sent_us = INT64_MAX; /* the broker's own stamp stands in */
    r->message.broker_ms = r1_time_us() / 1000 - 20;
    fraud_tally_commit(&t, &r, 1);
    CU_ASSERT_TRUE(t.arrival.n == 1 && t.arrival.max >= 20000);
    free(r);
}

/* Payments decided apart are counted by rule and field, and have no score. */
static void test_apart(void)
{
    static const struct {
        const char *rule, *text, *name;
    } rows[] = {{"unscorable", "unscorable: currency: expected ISO 4217", "unscorable currency"},
                {"unscorable", "unscorable: \"any text: x\"", "unscorable other"},
                {"unscorable", "unscorable: Betrag (amount): expected more", "unscorable amount"},
                {"id_reused", "tx_id: expected an id of its own", "id_reused tx_id"},
                {"time_suspect", "", "time_suspect other"}};
    static fraud_tally t;
    fraud_record *r = payment_record();
    for (size_t i = 0; i < R1_COUNT(rows); i++) {
        r->apart_rule = rows[i].rule;
        snprintf(r->apart_text, sizeof r->apart_text, "%s", rows[i].text);
        fraud_tally_commit(&t, &r, 1);
        CU_ASSERT_STRING_EQUAL(t.apart.row[i].name, rows[i].name);
    }
    CU_ASSERT_EQUAL(t.drift.n_first, 0);
    free(r);
}

static void test_reasons(void)
{
    static const struct {
        const char *reason, *name;
    } rows[] = {{"amount_minor: expected", "amount_minor"},
                {"message: x", "message"},
                {"\"any text: of the payer\"", NULL},
                {"", NULL},
                {"a word without its colon", NULL},
                {"amount_minor: twice", "amount_minor"},
                {"Betrag (amount_minor): expected", NULL},
                {"Betrag (amount_minor): expected a number", "amount_minor"},
                {"a:b (x) (amount_minor): expected 1", "amount_minor"},
                {"message: expected 1, found \"x (of_payer): expected 2\"", "message"},
                {"\"x (of_payer): expected 2\"", NULL},
                {"X (Y): expected 2", NULL},
                {"): expected 2", NULL}};
    static fraud_tally t;
    fraud_record *r = payment_record();
    r->kind = FRAUD_RECORD_DEAD;
    uint64_t other = 0;
    for (size_t i = 0; i < R1_COUNT(rows); i++) {
        snprintf(r->reason, sizeof r->reason, "%s", rows[i].reason);
        fraud_tally_commit(&t, &r, 1);
        other += rows[i].name == NULL;
    }
    const fraud_counts *c = &t.dead[FRAUD_STAGE_DECODE];
    CU_ASSERT_EQUAL(c->other, other);
    CU_ASSERT_EQUAL(c->n_row, 2);
    CU_ASSERT_TRUE(!strcmp(c->row[0].name, "amount_minor") && c->row[0].n == 4);
    free(r);
}

/* What is left out counts by its field, moves the partition and says nothing else. */
static void test_left_out(void)
{
    static fraud_tally t;
    fraud_record *r = payment_record();
    const r1_err why = {.msg = "Response Code: left out by map.ini:9, found \"05\""};
    fraud_record_leave_out(r, &why);
    r->message.offset = 41;
    fraud_tally_commit(&t, &r, 1);
    CU_ASSERT_EQUAL(t.left_out.n_row, 1);
    CU_ASSERT_STRING_EQUAL(t.left_out.row[0].name, "Response Code");
    CU_ASSERT_EQUAL(t.next[FRAUD_TOPIC_PAYMENTS][0], 42);
    CU_ASSERT_TRUE(t.rules.n_row == 0 && t.score_sum == 0);
    free(r);
}

R1_TEST_MAIN("tally", {"counts by name", test_counts}, {"drift by hand", test_psi},
             {"no drift", test_psi_quiet}, {"one record", test_record},
             {"absurd clocks", test_absurd_clocks}, {"apart", test_apart},
             {"reasons", test_reasons}, {"left out", test_left_out})
