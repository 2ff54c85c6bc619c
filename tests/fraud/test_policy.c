/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Decisions: lists before rules before thresholds; rules that are wrong name their line. */
#include "decide/policy.h"
#include "support/r1_test.h"

#include <string.h>

static const char *policy_file(const char *name, const char *text)
{
    static char paths[4][300];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, 300, "%s/%s", r1_test_tmpdir(), name);
    CU_ASSERT_EQUAL_FATAL(r1_file_write(path, text, strlen(text), NULL), R1_OK);
    return path;
}

static fraud_payment policy_payment(const char *from, const char *to, int64_t amount)
{
    fraud_payment p;
    memset(&p, 0, sizeof p);
    snprintf(p.from, sizeof p.from, "%s", from);
    snprintf(p.to, sizeof p.to, "%s", to);
    snprintf(p.currency, sizeof p.currency, "EUR");
    p.minor_digits = 2;
    p.amount_minor = amount;
    p.ts = 3 * 3600000;
    return p;
}

static void test_order(void)
{
    static fraud_result result;
    fraud_policy_opts o = {.review_at = 0.2, .block_at = 0.8};
    o.rules_path = policy_file("rules", "# comment\nnight_large: amount >= 5000 and hour < 6 and "
                                        "kind == \"transfer\" -> review # why not\n"
                                        "ring: finding == \"cycle\" and probability > 0.1 -> "
                                        "block\nfriend: to == \"GOOD\" -> allow\n");
    o.allow_path = policy_file("allow", "TRUSTED # the treasury\n\nALSO\n");
    o.block_path = policy_file("block", "EVIL\nWORSE\n");
    r1_err err = {0};
    fraud_policy *p;
    R1_ASSERT_OK(fraud_policy_new(&p, &o, &err), &err);
    static const struct {
        const char *from, *to;
        int64_t amount;
        double probability;
        bool cycle;
        fraud_action action;
        const char *rule;
    } cases[] = {
        {"A", "B", 100, 0.1, false, FRAUD_ALLOW, NULL},
        {"A", "B", 100, 0.2, false, FRAUD_REVIEW, NULL},
        {"A", "B", 100, 0.8, false, FRAUD_BLOCK, NULL},
        {"A", "B", 500000, 0.0, false, FRAUD_REVIEW, "night_large"},
        {"A", "B", 499999, 0.0, false, FRAUD_ALLOW, NULL},
        {"A", "B", 100, 0.15, true, FRAUD_BLOCK, "ring"},
        {"A", "B", 100, 0.05, true, FRAUD_ALLOW, NULL},
        {"A", "GOOD", 100, 0.9, false, FRAUD_ALLOW, "friend"},
        {"TRUSTED", "B", 100, 0.99, true, FRAUD_ALLOW, "allow_list"},
        {"TRUSTED", "EVIL", 100, 0, false, FRAUD_BLOCK, "block_list"},
        {"WORSE", "B", 100, 0, false, FRAUD_BLOCK, "block_list"},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        fraud_payment pay = policy_payment(cases[i].from, cases[i].to, cases[i].amount);
        fraud_decision d;
        result.probability = cases[i].probability;
        result.n_finding = cases[i].cycle;
        result.finding[0].typology = FRAUD_TYPOLOGY_CYCLE;
        fraud_policy_decide(p, &pay, &result, &d);
        CU_ASSERT_EQUAL(d.action, cases[i].action);
        CU_ASSERT_EQUAL(d.rule == NULL, cases[i].rule == NULL);
        if (d.rule && cases[i].rule) CU_ASSERT_STRING_EQUAL(d.rule, cases[i].rule);
    }
    char version[32];
    snprintf(version, sizeof version, "%s", fraud_policy_version(p));
    fraud_policy_free(p);
    o.review_at = 0.3; /* another configuration is another version */
    R1_ASSERT_OK(fraud_policy_new(&p, &o, &err), &err);
    CU_ASSERT_STRING_NOT_EQUAL(version, fraud_policy_version(p));
    fraud_policy_free(p);
}

static void test_wrong_rules(void)
{
    static const char *const cases[][2] = {
        {"a: amount > 5", "rules:1: expected \"and\" or \"->\""},
        {"\n\na: amout > 5 -> review", "rules:3: expected a field"},
        {"a: amount ~ 5 -> review", "expected == != <"},
        {"a: amount > five -> review", "expected a number"},
        {"a: kind > \"card\" -> review", "expected == or !="},
        {"a: kind == card -> review", "expected a text in double quotes"},
        {"a: kind == \"card -> review", "expected a closing quote"},
        {"a: amount > 5 -> stop", "expected allow, review or block"},
        {"a: amount > 5 -> review now", "expected end of line"},
        {"a amount > 5 -> review", "expected \":\""},
        {": amount > 5 -> review", "expected a name"},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_err err = {0};
        fraud_policy *p;
        fraud_policy_opts o = {
            .review_at = 0.2, .block_at = 0.8, .rules_path = policy_file("rules", cases[i][0])};
        CU_ASSERT_EQUAL(fraud_policy_new(&p, &o, &err), R1_E_INVAL);
        if (!strstr(err.msg, cases[i][1])) {
            fprintf(stderr, "case %zu: expected \"%s\", found \"%s\"\n", i, cases[i][1], err.msg);
            CU_FAIL("message");
        }
    }
    fraud_policy *p;
    fraud_policy_opts o = {.review_at = 0.9, .block_at = 0.8};
    CU_ASSERT_EQUAL(fraud_policy_new(&p, &o, NULL), R1_E_INVAL);
}

R1_TEST_MAIN("policy", {"order of lists, rules, thresholds", test_order},
             {"wrong rules", test_wrong_rules})
