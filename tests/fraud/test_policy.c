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
        {"\na: kind == \"transferr\" -> review",
         "rules:2: kind: expected one of transfer, card, cash, found \"transferr\""},
        {"a: finding == \"ring\" -> block", "finding: expected one of fan_in, fan_out"},
        {"a: currency != \"EURO\" -> block", "currency: expected an ISO 4217 code"},
        {"a: country == \"Germany\" -> block", "country: expected two capital letters"},
        {"a: channel == \"0123456789abcdef0123456789abcdef\" -> block",
         "channel: expected at most"},
        {"a: from == \"\" -> block", "from: expected 1 to 255 bytes"},
        {"a: hour == 3.5 -> review", "hour: expected a whole number from 0 to 23, found 3.5"},
        {"a: degraded == 2 -> review", "degraded: expected a whole number from 0 to 1"},
        {"a: probability > 1.5 -> block", "probability: expected 0 to 1, found 1.5"},
        {"a: amount > -1 -> block", "amount: expected 0 to 100000000000000, found -1"},
        {"a: logit < nan -> block", "logit: expected -1000 to 1000, found nan"},
        {"a: hour < 6 -> block\n\nb: hour < 7 -> block\na: hour < 8 -> block",
         "rules:4: expected a name of its own, found \"a\" of line 1 again"},
        {"\nblock_list: hour < 6 -> block", "rules:2: expected a name that no list has"},
        {"\xef\xbb\xbf"
         "a: hour < 6 -> block",
         "rules:1: expected text, found a byte order mark"},
        {"# \xe4\na: hour < 6 -> block", "rules:1: expected text, found a byte that is not UTF-8"},
        {"a: hour < 6 -> block\n# \xe2\x80\xae", "rules:2: expected text, found a character that"},
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

/* Every operator on both sides of its border, and every text field: one rule each, against a
 * payment that has the values below. */
static void test_each_row(void)
{
    static const struct {
        const char *condition;
        bool holds;
    } cases[] = {
        {"amount == 12.5", true},
        {"amount == 12", false},
        {"amount != 12.5", false},
        {"amount != 12", true},
        {"amount < 12.5", false},
        {"amount < 12.51", true},
        {"amount <= 12.5", true},
        {"amount <= 12.49", false},
        {"amount > 12.5", false},
        {"amount > 12.49", true},
        {"amount >= 12.5", true},
        {"amount >= 12.51", false},
        {"amount_minor == 1250", true},
        {"probability > 0.05", true},
        {"logit < 0", true},
        {"degraded == 1", true},
        {"hour == 3", true},
        {"hour < 3", false},
        {"kind == \"card\"", true},
        {"kind != \"card\"", false},
        {"kind == \"cash\"", false},
        {"currency == \"EUR\"", true},
        {"country == \"DE\"", true},
        {"country == \"\"", false},
        {"channel == \"web\"", true},
        {"category == \"\"", true},
        {"from == \"A\"", true},
        {"to != \"B\"", false},
        {"finding == \"stack\"", true},
        {"finding != \"stack\"", false},
        {"finding == \"fan_in\"", false},
        {"finding != \"fan_in\"", true},
    };
    static fraud_result result = {
        .probability = 0.1, .logit = -2.2, .degraded = true, .n_finding = 1};
    result.finding[0].typology = FRAUD_TYPOLOGY_STACK;
    fraud_payment pay = policy_payment("A", "B", 1250);
    pay.kind = FRAUD_KIND_CARD;
    snprintf(pay.country, sizeof pay.country, "DE");
    snprintf(pay.channel, sizeof pay.channel, "web");
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        char text[128];
        r1_err err = {0};
        fraud_policy *p;
        fraud_decision d;
        snprintf(text, sizeof text, "r: %s -> block\n", cases[i].condition);
        fraud_policy_opts o = {
            .review_at = 0.2, .block_at = 0.8, .rules_path = policy_file("rules", text)};
        R1_ASSERT_OK(fraud_policy_new(&p, &o, &err), &err);
        fraud_policy_decide(p, &pay, &result, &d);
        if ((d.rule != NULL) != cases[i].holds) {
            fprintf(stderr, "%s: expected %d\n", cases[i].condition, cases[i].holds);
            CU_FAIL("condition");
        }
        fraud_policy_free(p);
    }
}

#define LONG_64 "0123456789012345678901234567890123456789012345678901234567890123"

static void test_wrong_lists(void)
{
    static const char *const cases[][2] = {
        {"A\nB C\n", "allow:2: expected one account a line, found \"C\""},
        {LONG_64 LONG_64 LONG_64 LONG_64,
         "allow:1: expected an account of at most 255 bytes, found 256"},
        {"A\nB,review\n", "allow:2: expected an account without commas and quotes, found B,review"},
        {"\"A\"\n", "allow:1: expected an account without commas and quotes, found \"A\""},
        {"'A'\n", "allow:1: expected an account without commas and quotes, found 'A'"},
        {"\xef\xbb\xbf"
         "A\n",
         "allow:1: expected text, found a byte order mark"},
        {"A\n\nB\xff\n", "allow:3: expected text, found a byte that is not UTF-8"},
        {"A\nB\x1b[2J\n", "allow:2: expected text, found a character that is not seen"},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_err err = {0};
        fraud_policy *p;
        fraud_policy_opts o = {
            .review_at = 0.2, .block_at = 0.8, .allow_path = policy_file("allow", cases[i][0])};
        CU_ASSERT_EQUAL(fraud_policy_new(&p, &o, &err), R1_E_INVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, cases[i][1]));
    }
}

/* The lists may name each account once at most between them; within one, twice is no harm. */
static void test_both_lists(void)
{
    r1_err err = {0};
    fraud_policy *p;
    fraud_policy_opts o = {.review_at = 0.2,
                           .block_at = 0.8,
                           .allow_path = policy_file("allow", "# ours\nZED\nANN\nANN\n"),
                           .block_path = policy_file("block", "BOB\n\n\nZED # why\n")};
    CU_ASSERT_EQUAL(fraud_policy_new(&p, &o, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "block:4: expected an account that "));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "allow has not, found ZED of its line 2"));
    o.block_path = policy_file("block", "BOB\nBOB\n");
    R1_ASSERT_OK(fraud_policy_new(&p, &o, &err), &err);
    fraud_policy_free(p);
}

R1_TEST_MAIN("policy", {"order of lists, rules, thresholds", test_order},
             {"wrong rules", test_wrong_rules}, {"each operator and field", test_each_row},
             {"wrong lists", test_wrong_lists}, {"one account in both", test_both_lists})
