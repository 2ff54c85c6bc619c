/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_rules.c - any bytes as a rules file, a list of accounts, a calibration and a time zone:
 * refused with a reason, or read and asked about a payment. */
#include "decide/calibration.h"
#include "decide/policy.h"
#include "fuzz/fuzz.h"
#include "score/rules.h"

#include <string.h>

static void fuzz_as_rules(const uint8_t *data, size_t size)
{
    static const fraud_facts facts;
    static const fraud_result result = {.probability = 0.5, .logit = 0.1};
    fraud_payment pay = {.ts = 1774747800000, .amount_minor = 1250, .minor_digits = 2};
    char path[64];
    r1_err err = {0};
    fraud_policy *p;
    fraud_decision d;
    int fd = fuzz_file(data, size, path);
    const fraud_policy_opts o = {.review_at = 0.2, .block_at = 0.8, .rules_path = path};
    memcpy(pay.from, "DE12", 5);
    memcpy(pay.currency, "EUR", 4);
    if (fraud_policy_new(&p, &o, &err) != R1_OK) {
        fuzz_refused(&err);
    } else {
        fraud_policy_decide(p, NULL, &(fraud_subject){&pay, &result, &facts, NULL}, &d);
        fraud_decision_release(&d);
        fraud_policy_free(p);
    }
    close(fd);
}

static void fuzz_as_list(const uint8_t *data, size_t size)
{
    r1_err err = {0};
    fraud_account_list *l;
    if (fraud_account_list_parse(&l, "list", (const char *)data, size, &err) != R1_OK) {
        fuzz_refused(&err);
        return;
    }
    for (size_t i = 0; i < fraud_account_list_count(l); i++)
        if (!fraud_account_list_find(l, fraud_account_list_at(l, i)->account, INT64_MIN)) abort();
    fraud_account_list_free(l);
}

static void fuzz_as_calibration(const uint8_t *data, size_t size)
{
    char path[64];
    r1_err err = {0};
    fraud_calibration c;
    int fd = fuzz_file(data, size, path);
    if (fraud_calibration_read(&c, path, &err) != R1_OK)
        fuzz_refused(&err);
    else if (!(c.review.at >= 0 && c.review.at <= 1))
        abort();
    close(fd);
}

static void fuzz_as_zone(const uint8_t *data, size_t size)
{
    fraud_zone *z;
    if (fraud_zone_read(&z, (const char *)data, size, NULL) != R1_OK) return;
    for (int64_t ts = -1; ts < INT64_C(4102444800000); ts += INT64_C(400000000000)) {
        int hour = fraud_zone_hour(z, ts), day = fraud_zone_weekday(z, ts);
        if (hour < 0 || hour > 23 || day < 1 || day > 7) abort();
    }
    fraud_zone_free(z);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_as_rules(data, size);
    fuzz_as_list(data, size);
    fuzz_as_calibration(data, size);
    fuzz_as_zone(data, size);
    return 0;
}
