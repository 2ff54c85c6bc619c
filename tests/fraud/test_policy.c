/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Decisions: lists before rules before thresholds; rules that are wrong name their line. */
#include "decide/policy.h"
#include "score/rules.h"
#include "support/r1_test.h"
#include "write/alert.h"

#include <stdlib.h>
#include <string.h>

static const fraud_facts facts; /* nothing came before */

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
    o.allow_path = policy_file("allow", "# the treasury\nTRUSTED\n\nALSO\n");
    o.block_path = policy_file("block", "EVIL,told,,aml\nWORSE\n");
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
        const char *why; /* the reasons, but for the model's */
    } cases[] = {
        {"A", "B", 100, 0.1, false, FRAUD_ALLOW, NULL, "[]"},
        {"A", "B", 100, 0.2, false, FRAUD_REVIEW, NULL, "[]"},
        {"A", "B", 100, 0.8, false, FRAUD_BLOCK, NULL, "[]"},
        {"A", "B", 500000, 0.0, false, FRAUD_REVIEW, "night_large",
         "[{\"code\":\"rule\",\"text\":\"rule night_large\"}]"},
        {"A", "B", 499999, 0.0, false, FRAUD_ALLOW, NULL, "[]"},
        {"A", "B", 100, 0.15, true, FRAUD_BLOCK, "ring",
         "[{\"code\":\"rule\",\"text\":\"rule ring\"}]"},
        {"A", "B", 100, 0.05, true, FRAUD_ALLOW, NULL, "[]"},
        {"A", "GOOD", 100, 0.9, false, FRAUD_ALLOW, "friend",
         "[{\"code\":\"rule\",\"text\":\"rule friend\"}]"},
        {"TRUSTED", "B", 100, 0.99, true, FRAUD_ALLOW, "allow_list",
         "[{\"code\":\"list\",\"text\":\"allow_list\"}]"},
        {"TRUSTED", "EVIL", 100, 0, false, FRAUD_BLOCK, "block_list",
         "[{\"code\":\"list\",\"text\":\"block_list: told (aml)\"}]"},
        {"WORSE", "B", 100, 0, false, FRAUD_BLOCK, "block_list",
         "[{\"code\":\"list\",\"text\":\"block_list\"}]"},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        fraud_payment pay = policy_payment(cases[i].from, cases[i].to, cases[i].amount);
        fraud_decision d;
        result.probability = cases[i].probability;
        result.n_finding = cases[i].cycle;
        result.finding[0].typology = FRAUD_TYPOLOGY_CYCLE;
        fraud_policy_decide(p, NULL, &(fraud_subject){&pay, &result, &facts, NULL}, &d);
        CU_ASSERT_EQUAL(d.action, cases[i].action);
        CU_ASSERT_EQUAL(d.rule == NULL, cases[i].rule == NULL);
        if (d.rule && cases[i].rule) CU_ASSERT_STRING_EQUAL(d.rule, cases[i].rule);
        char *why = fraud_alert_reasons_text(NULL, &d);
        CU_ASSERT_STRING_EQUAL(why, cases[i].why);
        free(why);
        fraud_decision_release(&d);
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
        {"a: amount > 5", "rules:1:14: expected \"and\", \"or\" or \"->\", found \"end of line\""},
        {"\n\na: amout > 5 -> review",
         "rules:3:4: expected a field or a function, found \"amout\"; did you mean \"amount\"?"},
        {"a: amount ~ 5 -> review", "rules:1:11: expected == != <"},
        {"a: amount > five -> review",
         "rules:1:13: expected a field or a function, found \"five\""},
        {"a: amount > -> review", "rules:1:13: expected a field, a function or a value"},
        {"a: kind > \"card\" -> review", "rules:1:9: expected == or !="},
        {"a: kind == card -> review", "expected a text in double quotes, found \"card\""},
        {"a: kind == \"card -> review", "expected a closing quote"},
        {"a: amount > 5 -> stop", "rules:1:18: expected allow, review or block"},
        {"a: amount > 5 -> review now", "expected end of line"},
        {"a amount > 5 -> review", "rules:1:3: expected \":\""},
        {": amount > 5 -> review", "expected a name"},
        {"\na: kind == \"transferr\" -> review", "rules:2:12: kind: expected one of transfer, "
                                                 "card, cash, found \"transferr\"; did you mean "
                                                 "\"transfer\"?"},
        {"a: finding == \"ring\" -> block", "finding: expected one of fan_in, fan_out"},
        {"a: finding == \"cicle\" -> block", "did you mean \"cycle\"?"},
        {"a: currency != \"EURO\" -> block",
         "currency: expected an ISO 4217 code, found \"EURO\"; did you mean \"EUR\"?"},
        {"a: amount > 5 EURO -> block", "expected an ISO 4217 code behind the amount, found"},
        {"a: amount > 5 EUR and amount < sum(sender, 1d) + 6 USD + 1 EUR -> block",
         "expected an amount in USD as on the left side, found EUR"},
        {"a: country == \"Germany\" -> block", "country: expected a code of ISO 3166-1"},
        {"a: country == \"de\" -> block", "found \"de\"; did you mean \"DE\"?"},
        {"a: country in (\"NG\", \"UK\") -> block",
         "rules:1:22: country: expected a code of ISO 3166-1, two capital letters, or \"\", found "
         "\"UK\"; did you mean \"GB\"?"},
        {"a: country == \"DEU\" -> block", "found \"DEU\"; did you mean \"DE\"?"},
        {"a: country == \"EL\" -> block", "found \"EL\"; did you mean \"GR\"?"},
        {"a: amount_minor > 10.5 -> block",
         "rules:1:19: expected amount_minor as a whole number from 0 to 100000000000000, found "
         "10.5"},
        {"a: channel == \"0123456789abcdef0123456789abcdef\" -> block",
         "channel: expected at most"},
        {"a: from == \"\" -> block", "from: expected 1 to 255 bytes"},
        {"a: hour == 3.5 -> review", "hour as a whole number from 0 to 23, found 3.5"},
        {"a: hour in 22..24 -> review", "hour as a whole number from 0 to 23, found 24"},
        {"a: hour in 22..5 -> review", "expected a lower end below the upper one"},
        {"a: degraded == 2 -> review", "degraded as a whole number from 0 to 1"},
        {"a: probability > 1.5 -> block", "rules:1:18: expected probability as 0 to 1, found 1.5"},
        {"a: amount > -1 -> block", "amount as 0 to 100000000000000, found -1"},
        {"a: logit < nan -> block", "rules:1:12: expected a number that is finite, found nan"},
        {"a: 1 < 2 -> block",
         "expected a field or a function on one side, found constants on both"},
        {"a: count(sender, 2h) > 5 -> block",
         "rules:1:18: expected one of the windows 1h, 1d, 3d, 7d, 28d, found \"2h\""},
        {"a: count(sendr, 1h) > 5 -> block",
         "expected one of sender, receiver, sender_in, receiver_out, pair, found \"sendr\"; did "
         "you mean \"sender\"?"},
        {"a: sum(pair, 1h) > 5 -> block", "expected one of sender, receiver, sender_in"},
        {"a: cuont(sender, 1h) > 5 -> block", "did you mean \"count\"?"},
        {"a: age(sender) < 7 -> block", "expected a duration such as 7d, found a number"},
        {"a: amount > 7d -> block", "expected an amount as on the left side, found a duration"},
        {"a: hour(\"Europe/Berln\") > 5 -> block",
         "expected a time zone such as \"Europe/Berlin\", found \"Europe/Berln\"; did you mean "
         "\"Europe/Berlin\"?"},
        {"a: hour(\"../../etc/passwd\") > 5 -> block", "expected a time zone such as"},
        {"a: from in list(\"mules\") -> block",
         "expected the name of a list of the settings, found \"mules\""},
        {"a: amount in list(\"mules\") -> block", "expected a field with one text"},
        {"a: finding contains \"cycle\" -> block", "expected ==, != or in behind this field"},
        {"a: text contains \"\" -> block", "expected a text that is not empty"},
        {"a: not amount -> block", "expected == != < <= > >= or in, found \"->\""},
        {"a: amount > 5 EUR -> deny", "expected allow, review or block, found \"deny\""},
        {"a: amount > 5 EUR -> Review", "found \"Review\"; did you mean \"review\"?"},
        {"a: amount > 5 EUR => review", "\"->\", found \"=>\"; write >= to compare, or ->"},
        {"a: kind -> block", "expected == != in, contains or begins"},
        {"a: (amount > 5 -> block", "expected \")\""},
        {"a: amount > 5 or -> block", "expected a field, a function or a value"},
        {"a: amount > 1e999 -> block", "expected a number that is finite"},
        {"a [of]: amount > 5 -> block", "rules:1:4: expected off, shadow, max N/h"},
        {"a [max 0/h]: amount > 5 -> block", "expected a number from 1 to 1000000 behind max"},
        {"a [max 5/d]: amount > 5 -> block", "expected h: a cap is by the hour"},
        {"a [shadow: amount > 5 -> block", "expected \",\" or \"]\""},
        {"a: hour < 6 -> block\n\nb: hour < 7 -> block\na: hour < 8 -> block",
         "rules:4: expected a name of its own, found \"a\" of line 1 again"},
        {"\nblock_list: hour < 6 -> block", "rules:2: expected a name that no list has"},
        {"\xef\xbb\xbf"
         "a: hour < 6 -> block",
         "rules:1: expected text, found a byte order mark"},
        {"\xff\xfe"
         "a",
         "rules:1: expected text, found UTF-16"},
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
        fraud_policy_decide(p, NULL, &(fraud_subject){&pay, &result, &facts, NULL}, &d);
        if ((d.rule != NULL) != cases[i].holds) {
            fprintf(stderr, "%s: expected %d\n", cases[i].condition, cases[i].holds);
            CU_FAIL("condition");
        }
        fraud_decision_release(&d);
        fraud_policy_free(p);
    }
}

#define LONG_64 "0123456789012345678901234567890123456789012345678901234567890123"

static void test_wrong_lists(void)
{
    static const char *const cases[][2] = {
        {"A # a comment\n", "allow:1: expected a comment on a line of its own"},
        {LONG_64 LONG_64 LONG_64 LONG_64,
         "allow:1: expected an account of at most 255 bytes, found 256"},
        {"A\nB,review,soon\n", "allow:2: expected an expiry as a date, 2027-12-31, found soon"},
        {"B,x,2027-02-29\n", "allow:1: expected an expiry as a date"},
        {"B,x,2027-01-01,me,more\n", "allow:1: expected at most four fields"},
        {"account,owner\nB,x,y\n", "allow:2: expected no more fields than the first line names"},
        {"\"A\n", "allow:1: expected the quote that ends the field on its line"},
        {"\"A\"B\n", "allow:1: expected a comma behind the quoted field"},
        {"A\"B\n", "allow:1: expected a quote at both ends of a field"},
        {"'A'\n", "allow:1: expected double quotes around a name, or none"},
        {",x\n", "allow:1: expected an account, found"},
        {"\xef\xbb\xbf"
         "A\n",
         "allow:1: expected text, found a byte order mark: save the file as UTF-8 without it"},
        {"\xfe\xff"
         "A",
         "allow:1: expected text, found UTF-16"},
        {"MULE1\rMULE2\rMULE3\r", "allow:1: expected text, found a carriage return without"},
        {"A\n\nB\xff\n", "allow:3: expected text, found a byte that is not UTF-8"},
        {"A\nB\x1b[2J\n", "allow:2: expected text, found a character that is not seen"},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_err err = {0};
        fraud_policy *p;
        fraud_policy_opts o = {
            .review_at = 0.2, .block_at = 0.8, .allow_path = policy_file("allow", cases[i][0])};
        CU_ASSERT_EQUAL(fraud_policy_new(&p, &o, &err), R1_E_INVAL);
        if (strstr(err.msg, cases[i][1])) continue;
        fprintf(stderr, "list %zu: expected \"%s\", found \"%s\"\n", i, cases[i][1], err.msg);
        CU_FAIL("message");
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
                           .block_path = policy_file("block", "BOB\n\n\nZED,why\n")};
    CU_ASSERT_EQUAL(fraud_policy_new(&p, &o, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "block:4: expected an account that "));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "allow has not, found ZED of its line 2"));
    o.block_path = policy_file("block", "BOB\nBOB\n");
    R1_ASSERT_OK(fraud_policy_new(&p, &o, &err), &err);
    fraud_policy_free(p);
}

/* A message quotes the line as it stands in the file. */
static void test_broken_quote_is_quoted(void)
{
    static const char text[] = "ONE\n\"FR55, \"\"bad\"\" quote\n";
    fraud_account_list *l;
    r1_err err = {0};
    CU_ASSERT_EQUAL(fraud_account_list_parse(&l, "x", text, sizeof text - 1, &err), R1_E_INVAL);
    CU_ASSERT_STRING_EQUAL(err.msg, "x:2: expected the quote that ends the field on its line, "
                                    "found \"FR55, \"\"bad\"\" quote");
}

/* What a list file holds by mistake is taken, and each kind is noted once. */
static void test_odd_lists_are_noted(void)
{
    static const struct {
        const char *text, *note;
    } cases[] = {
        {"DE01;mule\nDE02;mule\n", ":1: an account with a semicolon in it: commas stand between "
                                   "fields (2 lines in all)"},
        {"IBAN,Grund\nDE02\n", ":1: an account that looks like the name of a column"},
        {"# list\nKunden-Konto\nDE02\nDE03\n", ":2: an account that looks like the name"},
        {"DE02\nDE01,x,2020-02-29\n", ":2: an expiry in the past: the account is on the list no "
                                      "more"},
        {"DE01,2999-12-31\n", ":1: a date as the reason: the expiry is the third field"},
        {"DE01\nDE01\n", ":2: an account that stands above already: the later expiry counts"},
        {"\n# nobody\n", ": no account stands in this list"},
        {"account,reason\n", ": no account stands in this list"},
        {"AB12 34\nde02120300000000202051\nDE02 1203 0000 0000 2020 51\n",
         ":2: an IBAN with blanks or small letters: it holds for payments that write it so, and "
         "for no others (2 lines in all)"},
        {"DE02120300000000202051\nDE03 1203 0000 0000 2020 51\n", NULL},
        {"ACME GmbH\nDE02,told; by phone,2999-12-31\nSmith\nBar\n", NULL},
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_err err = {0};
        fraud_policy *p;
        fraud_policy_opts o = {
            .review_at = 0.2, .block_at = 0.8, .block_path = policy_file("odd", cases[i].text)};
        R1_ASSERT_OK(fraud_policy_new(&p, &o, &err), &err);
        const char *note = fraud_policy_note(p, 0);
        bool good =
            cases[i].note ? note && strstr(note, cases[i].note) && !fraud_policy_note(p, 1) : !note;
        if (!good) fprintf(stderr, "list %zu: found \"%s\"\n", i, note ? note : "no note");
        CU_ASSERT_TRUE(good);
        fraud_policy_free(p);
    }
}

typedef struct {
    size_t n;
    char text[40][384];
} heard;

static void hear_mistake(void *ctx, const char *text)
{
    heard *h = ctx;
    CU_ASSERT_TRUE_FATAL(h->n < R1_COUNT(h->text));
    snprintf(h->text[h->n++], sizeof h->text[0], "%s", text);
}

/* Each file has a mistake, the rules have three: all are heard, and none follows from another. */
static void test_every_mistake_is_heard(void)
{
    static heard h;
    static const char *const expected[] = {"allow:2: expected an expiry", "mules:1: expected",
                                           "rules:1:13: expected", "rules:3:18: expected allow",
                                           "rules:5: expected a name of its own"};
    r1_err err = {0};
    fraud_policy *p;
    h.n = 0;
    const fraud_named_list list = {"mules", policy_file("mules", "\"A\n")};
    fraud_policy_opts o = {.allow_path = policy_file("allow", "ONE\nTWO,x,soon\n"),
                           .rules_path =
                               policy_file("rules", "a [shadow]: amout > 5 -> review\n"
                                                    "b: from in list(\"mules\") -> block\n"
                                                    "c: amount > 5 -> stop\n\n"
                                                    "b: hour < 6 -> block\n"
                                                    "d: hour < 7 -> block\n"),
                           .list = &list,
                           .n_list = 1,
                           .mistake = hear_mistake,
                           .mistake_ctx = &h};
    CU_ASSERT_EQUAL(fraud_policy_new(&p, &o, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL_FATAL(h.n, R1_COUNT(expected));
    CU_ASSERT_STRING_EQUAL(err.msg, h.text[0]);
    for (size_t i = 0; i < h.n; i++) {
        bool there = strstr(h.text[i], expected[i]) != NULL;
        if (!there) fprintf(stderr, "expected %s, found %s\n", expected[i], h.text[i]);
        CU_ASSERT_TRUE(there);
    }
    static char many[40 * 16];
    for (size_t i = 0; i < 40; i++) snprintf(many + strlen(many), 16, "r: nothing\n");
    h.n = 0;
    o = (fraud_policy_opts){
        .rules_path = policy_file("rules", many), .mistake = hear_mistake, .mistake_ctx = &h};
    CU_ASSERT_EQUAL(fraud_policy_new(&p, &o, &err), R1_E_INVAL);
    CU_ASSERT_EQUAL(h.n, 32);
}

/* A # or a blank inside of a name is part of it; quotes, reasons, expiry by the payment's time. */
static void test_lists_of_all_forms(void)
{
    static const char text[] = "# accounts\r\n"
                               "  ACME #7 GmbH ,x\n\n"; /* refused below */
    static const char good[] = "account,expiry,reason,owner\n"
                               "ACME#7 GmbH\n"
                               "\"A #1, \"\"B\"\" & Co\",2027-12-31,\"told, by a partner\",aml\r\n"
                               "  LATER , 2026-01-01 \n"
                               "LATER,2026-06-30,second\n"
                               "Z\xc3\xbcrich,,,\n";
    fraud_account_list *l;
    r1_err err = {0};
    CU_ASSERT_EQUAL(fraud_account_list_parse(&l, "x", text, sizeof text - 1, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "x:2: expected a comment on a line of its own"));
    R1_ASSERT_OK(fraud_account_list_parse(&l, "x", good, sizeof good - 1, &err), &err);
    CU_ASSERT_EQUAL(fraud_account_list_count(l), 4);
    int line;
    CU_ASSERT_EQUAL(fraud_account_list_odd(l, FRAUD_LIST_REPEATED, &line), 1);
    CU_ASSERT_EQUAL(line, 5);
    CU_ASSERT_PTR_NOT_NULL(fraud_account_list_find(l, "ACME#7 GmbH", 0));
    CU_ASSERT_PTR_NOT_NULL(fraud_account_list_find(l, "Z\xc3\xbcrich", INT64_C(1) << 41));
    CU_ASSERT_PTR_NULL(fraud_account_list_find(l, "account", 0));
    const fraud_list_entry *e = fraud_account_list_find(l, "A #1, \"B\" & Co", 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    CU_ASSERT_STRING_EQUAL(e->reason, "told, by a partner");
    CU_ASSERT_STRING_EQUAL(e->owner, "aml");
    const int64_t end = INT64_C(1830297600000); /* 2028-01-01 */
    CU_ASSERT_EQUAL(e->until_ms, end);
    CU_ASSERT_PTR_NOT_NULL(fraud_account_list_find(l, e->account, end - 1));
    CU_ASSERT_PTR_NULL(fraud_account_list_find(l, e->account, end));
    CU_ASSERT_STRING_EQUAL(fraud_account_list_find(l, "LATER", 0)->reason, "second");
    fraud_account_list_free(l);
}

static void test_many_accounts(void)
{
    enum { N = 200000 };
    char *text = malloc(N * 16), name[32];
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    size_t n = 0;
    for (int i = 0; i < N; i++) n += (size_t)snprintf(text + n, 16, "ACC%d\n", i);
    fraud_account_list *l;
    r1_err err = {0};
    R1_ASSERT_OK(fraud_account_list_parse(&l, "many", text, n, &err), &err);
    CU_ASSERT_EQUAL(fraud_account_list_count(l), N);
    size_t found = 0;
    for (int i = 0; i < 2 * N; i++) {
        snprintf(name, sizeof name, "ACC%d", i);
        found += fraud_account_list_find(l, name, 0) != NULL;
    }
    CU_ASSERT_EQUAL(found, N);
    fraud_account_list_free(l);
    free(text);
}

/* Shadows and caps are recorded and counted and do not decide; a list in a rule is named. */
static void test_shadow_cap_and_lists(void)
{
    r1_err err = {0};
    fraud_policy *p;
    fraud_pace *pace;
    const fraud_named_list lists[] = {
        {"mules", policy_file("mules", "M1,reported by a partner,,aml\n")}};
    fraud_policy_opts o = {.review_at = 0.2,
                           .block_at = FRAUD_NEVER_BLOCKS,
                           .rules_path = policy_file(
                               "rules", "never [off]: amount >= 0 -> block\n"
                                        "s [shadow, owner \"me\", note \"why, why\"]: amount > 1 "
                                        "EUR -> block\n"
                                        "m: to in list(\"mules\") -> block\n"
                                        "c [max 2/h]: probability > 0.5 -> review # all day\n"),
                           .list = lists,
                           .n_list = 1};
    R1_ASSERT_OK(fraud_pace_new(&pace, &err), &err);
    R1_ASSERT_OK(fraud_policy_new(&p, &o, &err), &err);
    fraud_policy_pace(p, pace);
    CU_ASSERT_PTR_NULL(fraud_policy_note(p, 0));
    static fraud_result result = {.probability = 0.1};
    fraud_payment pay = policy_payment("A", "M1", 500);
    fraud_decision d;
    const fraud_subject subject = {&pay, &result, &facts, NULL};
    char list[256];
    fraud_policy_decide(p, pace, &subject, &d);
    CU_ASSERT_EQUAL(d.action, FRAUD_BLOCK);
    CU_ASSERT_STRING_EQUAL(d.rule, "m");
    CU_ASSERT_STRING_EQUAL(fraud_decision_list(&d, list, sizeof list),
                           "mules: reported by a partner (aml)");
    CU_ASSERT_STRING_EQUAL(d.would, "[{\"rule\":\"s\",\"action\":\"block\",\"why\":\"shadow\"}]");
    fraud_decision_release(&d);
    pay = policy_payment("A", "B", 50);
    result.probability = 0.99; /* two by the rule, then by the threshold; the next hour anew */
    for (int i = 0; i < 8; i++) {
        pay.ts = (i < 4 ? 3 : 4) * 3600000 + i;
        fraud_policy_decide(p, pace, &subject, &d);
        CU_ASSERT_EQUAL(d.action, FRAUD_REVIEW);
        CU_ASSERT_EQUAL(d.rule != NULL, i % 4 < 2);
        if (i % 4 >= 2)
            CU_ASSERT_STRING_EQUAL(d.would,
                                   "[{\"rule\":\"c\",\"action\":\"review\",\"why\":\"cap\"}]");
        fraud_decision_release(&d);
    }
    static const fraud_pace_count expected[] = {
        {"never", 0, 0, 0}, {"s", 0, 1, 0}, {"m", 1, 0, 0}, {"c", 4, 0, 4}};
    fraud_pace_count count;
    for (size_t i = 0; i < R1_COUNT(expected); i++) {
        CU_ASSERT_TRUE_FATAL(fraud_pace_rule(pace, i, &count));
        CU_ASSERT_STRING_EQUAL(count.name, expected[i].name);
        CU_ASSERT_EQUAL(count.hits, expected[i].hits);
        CU_ASSERT_EQUAL(count.shadow, expected[i].shadow);
        CU_ASSERT_EQUAL(count.capped, expected[i].capped);
    }
    CU_ASSERT_FALSE(fraud_pace_rule(pace, 4, &count));
    /* Stored decisions of an hour later, one of them dated back, leave no room under the cap. */
    const fraud_pace_count stored = {.name = "c", .hits = 3, .capped = 1};
    fraud_pace_rule_add(pace, &stored, 5, 2);
    pay.ts = 5 * 3600000 + 1;
    fraud_policy_decide(p, pace, &subject, &d);
    CU_ASSERT_PTR_NULL(d.rule);
    fraud_decision_release(&d);
    CU_ASSERT_TRUE(fraud_pace_rule(pace, 3, &count) && count.hits == 7 && count.capped == 6);
    fraud_policy_free(p); /* another policy: rules of the same name keep their counts */
    o.rules_path = policy_file("rules", "c: hour < 3 -> review\nm: hour < 2 -> block\n");
    R1_ASSERT_OK(fraud_policy_new(&p, &o, &err), &err);
    fraud_policy_pace(p, pace);
    CU_ASSERT_TRUE_FATAL(fraud_pace_rule(pace, 0, &count));
    CU_ASSERT_EQUAL(count.hits, 7);
    CU_ASSERT_FALSE(fraud_pace_rule(pace, 2, &count));
    fraud_policy_free(p);
    fraud_pace_free(pace);
}

/* A decision holds its policy: a reload between deciding and writing does not take its texts. */
static void test_decision_outlives_reload(void)
{
    r1_err err = {0};
    fraud_policy *p;
    fraud_decision d, apart = {.action = FRAUD_REVIEW, .rule = "time_suspect"};
    static fraud_result result;
    fraud_payment pay = policy_payment("A", "B", 500);
    fraud_policy_opts o = {.review_at = 0.2,
                           .block_at = 0.8,
                           .rules_path = policy_file("rules", "held: amount > 1 EUR -> review\n")};
    R1_ASSERT_OK(fraud_policy_new(&p, &o, &err), &err);
    fraud_policy_decide(p, NULL, &(fraud_subject){&pay, &result, &facts, NULL}, &d);
    fraud_decision_stamp(&apart, p);
    fraud_policy_free(p);
    CU_ASSERT_STRING_EQUAL(d.rule, "held");
    CU_ASSERT_STRING_EQUAL(fraud_policy_version(d.policy), fraud_policy_version(apart.policy));
    fraud_decision_release(&d);
    fraud_decision_release(&apart);
    fraud_decision_release(&apart);
}

/* A file of rules without one is noted: it may be the wrong file, or all of it a comment. */
static void test_no_rule_is_said(void)
{
    static const char *const texts[] = {"", "# a: amount > 5 EUR -> review\n",
                                        "a: noted -> review\n"};
    for (size_t i = 0; i < R1_COUNT(texts); i++) {
        r1_err err = {0};
        fraud_policy *p;
        fraud_policy_opts o = {
            .review_at = 0.2, .block_at = 0.8, .rules_path = policy_file("rules", texts[i])};
        R1_ASSERT_OK(fraud_policy_new(&p, &o, &err), &err);
        const char *note = fraud_policy_note(p, 0);
        CU_ASSERT_EQUAL(note && strstr(note, "rules: no rule stands in this file"), i < 2);
        fraud_policy_free(p);
    }
}

/* An amount without a currency is one of the stream's, and is said. */
static void test_bare_amounts_are_said(void)
{
    static const struct {
        const char *rule;
        bool said;
    } cases[] = {
        {"a: amount > 5 -> review", true},
        {"a: amount > 5 EUR -> review", false},
        {"a: amount > 5 and currency == \"EUR\" -> review", false},
        {"a: amount > 2 * sum(sender, 1d) -> review", false},
        {"a: amount in 5..10 -> review", true},
        {"a: amount > 5 USD -> review", true}, /* the stream is in EUR */
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_err err = {0};
        fraud_policy *p;
        fraud_policy_opts o = {.review_at = 0.2,
                               .block_at = 0.8,
                               .currency = "EUR",
                               .rules_path = policy_file("rules", cases[i].rule)};
        R1_ASSERT_OK(fraud_policy_new(&p, &o, &err), &err);
        CU_ASSERT_EQUAL(fraud_policy_note(p, 0) != NULL, cases[i].said);
        fraud_policy_free(p);
    }
}

/* The budget: of a stream whose scores all stand above the threshold, about so many a day. */
static void test_budget_follows_the_stream(void)
{
    enum { DAYS = 12, A_DAY = 4000, BUDGET = 40 };
    r1_err err = {0};
    fraud_policy *p;
    fraud_pace *pace, *again;
    const fraud_policy_opts o = {
        .review_at = 0.2, .block_at = FRAUD_NEVER_BLOCKS, .alerts_per_day = BUDGET};
    R1_ASSERT_OK(fraud_policy_new(&p, &o, &err), &err);
    R1_ASSERT_OK(fraud_pace_new(&pace, &err), &err);
    R1_ASSERT_OK(fraud_pace_new(&again, &err), &err);
    fraud_policy_pace(p, pace);
    fraud_policy_pace(p, again);
    fraud_payment pay = policy_payment("A", "B", 500);
    static fraud_result result;
    uint64_t seed = 7;
    size_t alerts[DAYS] = {0};
    for (int i = 0; i < DAYS * A_DAY; i++) {
        fraud_decision d;
        seed = r1_hash64(&seed, sizeof seed, 1);
        result.logit = (double)(seed >> 11) / (double)(UINT64_C(1) << 53) * 6;
        result.probability = 0.5 + result.logit / 13;
        pay.ts = (int64_t)i * 86400000 / A_DAY;
        fraud_policy_decide(p, pace, &(fraud_subject){&pay, &result, &facts, NULL}, &d);
        alerts[i / A_DAY] += d.action == FRAUD_REVIEW;
        CU_ASSERT_NOT_EQUAL(d.action, FRAUD_BLOCK);
        fraud_decision_release(&d);
        fraud_pace_note(again, pay.ts, (float)result.logit);
    }
    for (int day = 2; day < DAYS; day++)
        if (alerts[day] > 2 * BUDGET || alerts[day] < BUDGET / 4) {
            fprintf(stderr, "day %d: %zu alerts of a budget of %d\n", day, alerts[day], BUDGET);
            CU_FAIL("budget");
        }
    /* as after a restart: nobody has asked the second one so far */
    CU_ASSERT_EQUAL(fraud_pace_border(pace, BUDGET), fraud_pace_border(again, BUDGET));
    CU_ASSERT_EQUAL(fraud_pace_border(pace, 1 + BUDGET), fraud_pace_border(again, 1 + BUDGET));
    size_t bytes, same;
    void *block = fraud_pace_block(pace, &bytes);
    memcpy(fraud_pace_block(again, &same), block, bytes);
    CU_ASSERT_EQUAL(bytes, same);
    R1_ASSERT_OK(fraud_pace_check(again, &err), &err);
    CU_ASSERT_EQUAL(fraud_pace_border(pace, 5), fraud_pace_border(again, 5));
    *(uint64_t *)block = 1;
    CU_ASSERT_EQUAL(fraud_pace_check(pace, &err), R1_E_FORMAT);
    fraud_pace_free(pace);
    fraud_pace_free(again);
    fraud_policy_free(p);
}

R1_TEST_MAIN("policy", {"order of lists, rules, thresholds", test_order},
             {"wrong rules", test_wrong_rules}, {"each operator and field", test_each_row},
             {"wrong lists", test_wrong_lists},
             {"a broken quote is quoted", test_broken_quote_is_quoted},
             {"every mistake is heard", test_every_mistake_is_heard},
             {"odd lists are noted", test_odd_lists_are_noted},
             {"one account in both", test_both_lists},
             {"lists of all forms", test_lists_of_all_forms}, {"many accounts", test_many_accounts},
             {"shadow, cap, named list", test_shadow_cap_and_lists},
             {"a decision outlives a reload", test_decision_outlives_reload},
             {"no rule is said", test_no_rule_is_said},
             {"bare amounts are said", test_bare_amounts_are_said},
             {"a budget follows the stream", test_budget_follows_the_stream})
