/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_explain.c - reasons of a model's score over random facts, figures and contributions: what
 * is said of a rise is nothing that the rules count as calming, and the other way; no text counts
 * to zero. What raises stands before what lowers, and together they are the score. Then what was
 * seen, as an example each. */
#include "score/explain.h"

#include "score/sample.h"
#include "score/signs.h"
#include "support/r1_test.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_RANDOM = 3000 };
static const int64_t NOW = INT64_C(1767225600000);

typedef struct {
    fraud_facts facts;
    fraud_features features;
    fraud_signs signs;
    fraud_payment payment;
    fraud_finding finding[2];
    size_t n_finding;
    fraud_result result;
} explained;

static double pick(r1_rng *g, double low, double high)
{
    return low + (high - low) * r1_rng_unit(g);
}

/* Often nothing, sometimes much. */
static double some(r1_rng *g, double most)
{
    return r1_rng_below(g, 3) ? floor(pick(g, 0, most)) : 0;
}

static void random_windows(r1_rng *g, fraud_window w[FRAUD_N_WINDOW][2])
{
    for (int d = 0; d < 2; d++)
        for (int k = 0; k < FRAUD_N_WINDOW; k++) {
            fraud_window *x = &w[k][d];
            x->n = (k ? w[k - 1][d].n : 0) + some(g, 20);
            x->distinct = x->n > 0 ? 1 + floor(pick(g, 0, x->n)) : 0;
            x->sum = x->n * pick(g, 1, 1e6);
            x->ln = x->n * pick(g, 0, 12) * 1024;
            x->ln_square = x->ln * x->ln;
            x->aged = !r1_rng_below(g, 4);
        }
}

static void random_columns(r1_rng *g, float *out, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = !r1_rng_below(g, 4) ? NAN : !r1_rng_below(g, 3) ? 0 : (float)pick(g, -3, 9);
}

static void random_facts(r1_rng *g, fraud_facts *f)
{
    static const int64_t since[] = {FRAUD_NEVER, INT64_C(1767225000000)};
    memset(f, 0, sizeof *f);
    random_windows(g, f->from);
    random_windows(g, f->to);
    f->from_known.n = (uint32_t)(r1_rng_below(g, 5) ? 0 : 1 + r1_rng_below(g, 3));
    f->to_known.n = (uint32_t)(r1_rng_below(g, 5) ? 0 : 1 + r1_rng_below(g, 3));
    f->pair_28d = some(g, 9);
    f->pair[FRAUD_W_1D] = (uint32_t)some(g, f->pair_28d);
    f->pair_since = since[r1_rng_below(g, 2)];
    f->from_since = since[r1_rng_below(g, 2)];
    f->to_since = since[r1_rng_below(g, 2)];
    f->now = NOW + (int64_t)r1_rng_below(g, (uint64_t)FRAUD_DAY_MS);
    memcpy(f->currency, "EUR", sizeof f->currency);
    f->since_in_ms = r1_rng_below(g, 2) ? -1 : (int64_t)some(g, 1e8);
    f->amount = pick(g, 0.01, r1_rng_below(g, 2) ? 10 : 1e5);
    f->ln = (int32_t)(1024 * log(f->amount));
    f->new_from = !r1_rng_below(g, 3);
    f->new_to = !r1_rng_below(g, 3);
    f->age_from_ms = f->new_from ? 0 : (int64_t)some(g, 1e9);
    f->age_to_ms = f->new_to ? 0 : (int64_t)some(g, 1e9);
    f->age_pair_ms = (int64_t)some(g, 4e9);
    f->new_device = !r1_rng_below(g, 3);
}

static void random_features(r1_rng *g, fraud_features *c)
{
    memset(c, 0, sizeof *c);
    random_columns(g, c->payment, FRAUD_N_PAYMENT_NUM);
    random_columns(g, c->end[0], FRAUD_N_END_NUM);
    random_columns(g, c->end[1], FRAUD_N_END_NUM);
    random_columns(g, c->pair, FRAUD_N_PAIR_NUM);
    c->pattern.cycle2 = (float)some(g, 3);
    c->pattern.cycle4 = (float)some(g, 3);
    c->pattern.shared_sink = (float)some(g, 3);
    c->pattern.depth = (float)some(g, 5);
    c->n_edge = 1 + (uint32_t)r1_rng_below(g, 9);
    c->n_node = 2 + (uint32_t)r1_rng_below(g, 9);
    c->n_ref = (uint32_t)r1_rng_below(g, FRAUD_REFS_MAX + 1);
    for (uint32_t i = 0; i < c->n_ref; i++) {
        c->ref_seq[i] = (i ? c->ref_seq[i - 1] : 7) + r1_rng_below(g, 2);
        c->bucket[i] = (uint8_t)r1_rng_below(g, FRAUD_N_BUCKET);
    }
}

static void explain_it(explained *x)
{
    const fraud_explained e = {&x->facts,  &x->features, &x->payment,
                               x->finding, x->n_finding, &x->signs};
    fraud_explain(&e, &x->result);
}

static void random_signs(r1_rng *g, fraud_signs *x)
{
    *x = (fraud_signs){.fresh_1h = {(uint32_t)some(g, 9), pick(g, 1, 1e4)},
                       .fresh_1d = {(uint32_t)some(g, 20), pick(g, 1, 1e5)},
                       .fresh_a_day = some(g, 3),
                       .watched = pick(g, 0, 40),
                       .hour_n = (uint32_t)some(g, 9),
                       .usual_n = (uint32_t)some(g, 60),
                       .hour_ln = pick(g, -2, 8),
                       .usual_ln = pick(g, -2, 8),
                       .usual_sd = pick(g, 0, 2),
                       .largest_ln = pick(g, 2, 9),
                       .below = (uint32_t)some(g, 6),
                       .limit = r1_rng_below(g, 2) ? 5000 : 0,
                       .back = (uint32_t)some(g, 4),
                       .forth = (uint32_t)some(g, 4),
                       .back_ms = 1 + (int64_t)some(g, 1e8),
                       .fresh = r1_rng_below(g, 2) > 0};
}

static void random_case(r1_rng *g, explained *x)
{
    memset(&x->payment, 0, sizeof x->payment);
    memset(&x->result, 0, sizeof x->result);
    random_facts(g, &x->facts);
    random_features(g, &x->features);
    if (r1_rng_below(g, 2)) memcpy(x->payment.text, "rent", 5);
    x->n_finding = r1_rng_below(g, 3);
    for (size_t i = 0; i < x->n_finding; i++)
        x->finding[i] = (fraud_finding){.typology = FRAUD_TYPOLOGY_CYCLE,
                                        .n_account = 3,
                                        .amount_minor = 900,
                                        .ts_last = NOW + (int64_t)some(g, 1e9),
                                        .ts_first = NOW};
    x->result.n_item = FRAUD_N_ITEM;
    for (int i = 0; i < FRAUD_N_ITEM; i++)
        x->result.item[i].delta = r1_rng_below(g, 8) ? pick(g, -5, 5) : 0;
    random_signs(g, &x->signs);
    x->payment.kind = r1_rng_below(g, 4) ? FRAUD_KIND_TRANSFER : FRAUD_KIND_CASH;
    x->result.n_outside = (uint8_t)(r1_rng_below(g, 8) ? 0 : 1 + r1_rng_below(g, 3));
    memcpy(x->result.outside, "sender.out_n_1h", 16);
    x->result.prior_logit = x->result.logit = -4;
    for (int i = 0; i < FRAUD_N_ITEM; i++) x->result.logit += x->result.item[i].delta;
    const fraud_explained e = {&x->facts,  &x->features, &x->payment,
                               x->finding, x->n_finding, &x->signs};
    fraud_signs_apply(&e, &x->result);
    explain_it(x);
}

/* What raises stands first, and with what lowers it adds up to the score. */
static bool good_order(const fraud_result *r)
{
    double sum = r->prior_logit;
    bool lowered = false, good = true;
    for (int i = 0; i < r->n_reason; i++) {
        good = good && !(lowered && r->reason[i].contribution > 0);
        lowered = lowered || r->reason[i].contribution < 0;
        sum += r->reason[i].contribution;
    }
    return good && fabs(sum - r->logit) < 1e-9;
}

/* Whether a number of the text is zero: "0", "0.0", "0 %". */
static bool counts_to_zero(const char *text)
{
    for (const char *at = text; *at;) {
        if (!isdigit((unsigned char)*at)) {
            at++;
            continue;
        }
        char *end;
        double x = strtod(at, &end);
        bool clock = *end == ':' || (at > text && at[-1] == ':');
        if (x == 0 && !clock) return true;
        at = end;
    }
    return false;
}

/* The rules' own sign of a code; 0: no fact of theirs has it. */
static double rules_sign(const fraud_reason *fact, size_t n, const char *code)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(fact[i].code, code)) return fact[i].contribution;
    return 0;
}

static bool good_reason(const explained *x, const fraud_reason *r)
{
    fraud_reason fact[FRAUD_REASONS_MAX];
    size_t n = fraud_rules_reasons(&x->facts, x->finding, x->n_finding, fact);
    bool good = !counts_to_zero(r->text) && r->contribution != 0 &&
                rules_sign(fact, n, r->code) * r->contribution >= 0;
    for (size_t i = 0; i < n; i++) /* nor its words under another code */
        if (fact[i].contribution * r->contribution < 0) good &= !strstr(r->text, fact[i].text);
    const char *times = strstr(r->text, "this amount is ");
    if (times) {
        double ratio = strtod(times + strlen("this amount is "), NULL); /* "less than": 0 */
        good &= r->contribution > 0 ? ratio > 1 : ratio < 1;
    }
    return good;
}

static void test_random(void)
{
    static explained x;
    r1_rng g;
    int n_bad = 0;
    r1_rng_seed(&g, r1_test_seed());
    for (int i = 0; i < N_RANDOM; i++) {
        random_case(&g, &x);
        if (!good_order(&x.result) && !n_bad++) printf("case %d: order or sum\n", i);
        for (int k = 0; k < x.result.n_reason; k++) {
            const fraud_reason *r = &x.result.reason[k];
            if (good_reason(&x, r)) continue;
            if (!n_bad++) printf("case %d: %s %+.2f: %s\n", i, r->code, r->contribution, r->text);
        }
    }
    CU_ASSERT_EQUAL(n_bad, 0);
}

/* ---- what was seen ---- */

static const fraud_reason *reason_of_item(const explained *x, int item)
{
    for (int i = 0; i < x->result.n_reason; i++)
        if (!strcmp(x->result.reason[i].item, fraud_item_name(item))) return &x->result.reason[i];
    return NULL;
}

static void quiet_case(explained *x)
{
    memset(x, 0, sizeof *x);
    x->facts = (fraud_facts){.now = NOW + 12 * INT64_C(3600000),
                             .currency = "EUR",
                             .since_in_ms = -1,
                             .amount = 184.32,
                             .ln = (int32_t)(1024 * log(184.32)),
                             .pair_28d = 4,
                             .pair_since = FRAUD_NEVER,
                             .from_since = FRAUD_NEVER,
                             .to_since = FRAUD_NEVER};
    x->facts.from[FRAUD_W_28D][0] =
        (fraud_window){.n = 9, .distinct = 4, .ln = 9 * 1024 * log(307.2)};
    x->features.n_edge = 1;
    x->result.n_item = FRAUD_N_ITEM;
}

static void expect_words(explained *x, int item, double delta, const char *code, const char *text)
{
    for (int i = 0; i < FRAUD_N_ITEM; i++) x->result.item[i].delta = i == item ? delta : 0;
    explain_it(x);
    const fraud_reason *r = reason_of_item(x, item);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL(x->result.n_reason, 1);
    CU_ASSERT_EQUAL(r->contribution, delta);
    CU_ASSERT_STRING_EQUAL(r->code, code);
    if (strcmp(r->text, text) != 0) printf("expected %s\nfound    %s\n", text, r->text);
    CU_ASSERT_STRING_EQUAL(r->text, text);
}

static void test_seen(void)
{
    static explained x;
    quiet_case(&x);
    /* "amount 184.32 EUR is 0.6 times the sender's usual" as the first reason of an alert. */
    expect_words(&x, FRAUD_ITEM_PAYMENT, 2, "payment_profile",
                 "payment: its amount, time and kind taken together");
    expect_words(&x, FRAUD_ITEM_PAYMENT, -2, "amount_unusual",
                 "amount 184.32 EUR is 0.6 times the sender's usual 307.20 of 28 days");
    /* "the sender has paid this end before" with +4.9. */
    x.features.pair[12] = (float)log(3.2); /* over_mean */
    CU_ASSERT_STRING_EQUAL(FRAUD_PAIR_NUM[12].name, "over_mean");
    expect_words(&x, FRAUD_ITEM_PAIR, 4.9, "pair_profile",
                 "pair of sender and receiver: this amount is 3.2 times what this pair usually "
                 "pays");
    expect_words(&x, FRAUD_ITEM_PAIR, -1, "known_pair", "the sender has paid this end before");
    /* "closes 0 two-way, 0 three-way, 0 four-way circles". */
    expect_words(&x, FRAUD_ITEM_PATTERN, -1, "pattern_profile",
                 "shapes that this payment closes: no circle of two to four payments was found");
    x.features.pattern.cycle3 = 2;
    x.features.pattern.shared_sink = 1;
    expect_words(&x, FRAUD_ITEM_PATTERN, 1, "pattern_profile",
                 "shapes that this payment closes: 2 circles of three payments; 1 other end with "
                 "the same sink");
    /* "the last 11 payments of both ends", "remittance text of 13 bytes". */
    x.features.n_ref = 4;
    for (uint64_t i = 0; i < 4; i++) x.features.ref_seq[i] = i > 1 ? i : 1;
    expect_words(&x, FRAUD_ITEM_HISTORY, 3, "history_profile",
                 "last 3 payments of both ends: 3 of them within a day");
    expect_words(&x, FRAUD_ITEM_TEXT, 1, "remittance_profile", "no remittance text");
}

/* A burst, a silence and an account that is new stand out; nothing of it is told of a fall. */
static void test_ends(void)
{
    static explained x;
    quiet_case(&x);
    fraud_window *day = &x.facts.to[FRAUD_W_1D][1], *month = &x.facts.to[FRAUD_W_28D][1];
    *day = (fraud_window){.n = 12, .distinct = 3};
    *month = (fraud_window){.n = 14, .distinct = 3, .aged = true};
    x.facts.age_to_ms = 3 * INT64_C(3600000); /* too young for a usual day */
    expect_words(&x, FRAUD_ITEM_RECEIVER, 2, "receiver_profile", "receiver: known for 3.0 hours");
    x.facts.age_to_ms = 10 * FRAUD_DAY_MS;
    expect_words(&x, FRAUD_ITEM_RECEIVER, 2, "receiver_profile",
                 "receiver: about 12 payments in within 1 day, usually 1.4 a day");
    expect_words(&x, FRAUD_ITEM_RECEIVER, -2, "receiver_profile",
                 "receiver: payments of 28 days: about 14 in from 3 ends");
    expect_words(&x, FRAUD_ITEM_SENDER, -2, "sender_profile",
                 "sender: payments of 28 days: 9 out to 4 ends");
}

R1_TEST_MAIN("explain", {"random facts and contributions", test_random},
             {"what was seen", test_seen}, {"ends", test_ends})
