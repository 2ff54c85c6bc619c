/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rules.c - one function per group of facts; weights are in logits. */
#include "score/rules.h"

#include "r1_assert.h"
#include "score/span_words.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ITEM_PAYMENT, ITEM_SENDER, ITEM_RECEIVER, ITEM_PAIR, ITEM_LABELS, ITEM_GRAPH, N_ITEM };
_Static_assert(N_ITEM <= (int)FRAUD_ITEMS_MAX, "a result holds every item");
static const char *const item_names[N_ITEM] = {
    [ITEM_PAYMENT] = "payment", [ITEM_SENDER] = "sender", [ITEM_RECEIVER] = "receiver",
    [ITEM_PAIR] = "pair",       [ITEM_LABELS] = "labels", [ITEM_GRAPH] = "graph"};
static const double prior_logit = -5.0; /* about seven payments in a thousand */

/* What the rules add up. Words are made where somebody asks for reasons. */
typedef struct {
    double delta[N_ITEM];
    fraud_reason *reason; /* [FRAUD_REASONS_MAX]; NULL: none are asked for */
    size_t n_reason;
} rules_sum;

__attribute__((format(printf, 5, 6))) static void
add_fact(rules_sum *r, int item, double delta, const char *code, const char *format, ...)
{
    va_list args;
    R1_ASSERT(item >= 0 && item < N_ITEM && r->n_reason <= FRAUD_REASONS_MAX,
              "rules: item %d, reason %zu", item, r->n_reason);
    r->delta[item] += delta;
    if (!r->reason || delta == 0 || r->n_reason == FRAUD_REASONS_MAX) return;
    fraud_reason *x = &r->reason[r->n_reason++];
    snprintf(x->code, sizeof x->code, "%s", code);
    snprintf(x->item, sizeof x->item, "%s", item_names[item]);
    x->contribution = delta;
    va_start(args, format);
    vsnprintf(x->text, sizeof x->text, format, args);
    va_end(args);
}

static double rules_clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* "about " before what is told by aged aggregates. */
static const char *rules_about(bool aged) { return aged ? "about " : ""; }

void fraud_rules_time(int64_t ts, char out[24])
{
    time_t seconds = (time_t)(ts / 1000);
    struct tm utc;
    if (!gmtime_r(&seconds, &utc) || !strftime(out, 24, "%Y-%m-%d %H:%M UTC", &utc))
        snprintf(out, 24, "%lld ms", (long long)ts);
}

/* ", known since 2026-11-30 14:02 alone", where the account's row is younger than the window. */
static const char *rules_known_since(const rules_sum *r, const fraud_facts *f, int64_t since,
                                     int window, char out[48])
{
    char time[24];
    *out = 0;
    if (!r->reason || since <= f->now - FRAUD_WINDOW_MS[window]) return out;
    fraud_rules_time(since, time);
    snprintf(out, 48, ", known since %s alone", time);
    return out;
}

static void rule_payment(const fraud_facts *f, rules_sum *r)
{
    const fraud_window *w = &f->from[FRAUD_W_28D][0];
    if (w->n < 3) return;
    double mean = w->ln / w->n / 1024, z = (double)f->ln / 1024 - mean;
    char since[48], times[16] = "";
    if (r->reason) fraud_ratio_words(exp(z), times);
    add_fact(r, ITEM_PAYMENT, rules_clamp(0.7 * (z - 0.5), -0.5, 1.8), "amount_unusual",
             "amount %.2f %s is %s times the sender's usual %s%.2f of %s%s", f->amount, f->currency,
             times, rules_about(w->aged), exp(mean), FRAUD_WINDOW_WORDS[FRAUD_W_28D],
             rules_known_since(r, f, f->from_since, FRAUD_W_28D, since));
}

static void rule_sender(const fraud_facts *f, rules_sum *r)
{
    char since[48], ago[24] = "";
    const fraud_window *day = &f->from[FRAUD_W_1D][0], *in = &f->from[FRAUD_W_1D][1];
    if (day->distinct >= 3)
        add_fact(r, ITEM_SENDER, rules_clamp(0.35 * (day->distinct - 2.0), 0, 2), "sender_fan_out",
                 "sender paid %s%.0f different ends within %s%s", rules_about(day->aged),
                 day->distinct, FRAUD_WINDOW_WORDS[FRAUD_W_1D],
                 rules_known_since(r, f, f->from_since, FRAUD_W_1D, since));
    double share = in->sum > 0 ? f->amount * 100 / in->sum : 0;
    if (share <= 0.6 || share >= 1.1 || f->since_in_ms < 0) return;
    if (r->reason) fraud_span_words((double)f->since_in_ms, ago);
    add_fact(r, ITEM_SENDER, 1.3, "pass_through", "passes on %s%.0f %% of what came in %s before",
             rules_about(in->aged), 100 * share, ago);
}

static void rule_receiver(const fraud_facts *f, rules_sum *r)
{
    char since[48];
    const fraud_window *w = &f->to[FRAUD_W_3D][1];
    if (w->distinct < 4) return;
    add_fact(r, ITEM_RECEIVER, rules_clamp(0.3 * (w->distinct - 3.0), 0, 2), "receiver_fan_in",
             "receiver was paid by %s%.0f different ends within %s%s", rules_about(w->aged),
             w->distinct, FRAUD_WINDOW_WORDS[FRAUD_W_3D],
             rules_known_since(r, f, f->to_since, FRAUD_W_3D, since));
}

/* The share of 28 days for which it is known whether the pair paid. */
static double rules_pair_known(const fraud_facts *f)
{
    const int64_t width = FRAUD_WINDOW_MS[FRAUD_W_28D];
    return f->pair_since <= f->now - width ? 1 : (double)(f->now - f->pair_since) / (double)width;
}

static void rule_pair(const fraud_facts *f, rules_sum *r)
{
    char time[24] = "";
    double known = rules_pair_known(f);
    if (f->pair_28d > 0) {
        add_fact(r, ITEM_PAIR, -0.6, "known_pair", "the sender has paid this end before");
    } else if (known < 1) {
        if (r->reason) fraud_rules_time(f->pair_since, time);
        add_fact(r, ITEM_PAIR, 0.4 * known, "new_pair",
                 "these two ends have not paid each other since %s, older payments are not held",
                 time);
    } else {
        add_fact(r, ITEM_PAIR, 0.4 * known, "new_pair",
                 "these two ends have not paid each other within %s",
                 FRAUD_WINDOW_WORDS[FRAUD_W_28D]);
    }
}

static void rule_labels(const fraud_facts *f, rules_sum *r)
{
    if (f->to_known.n)
        add_fact(r, ITEM_LABELS, 2.2, "receiver_known_fraud",
                 "%u payments to this end are known to be fraudulent", f->to_known.n);
    if (f->from_known.n)
        add_fact(r, ITEM_LABELS, 2.0, "sender_known_fraud",
                 "%u payments from this end are known to be fraudulent", f->from_known.n);
}

static void rule_graph(const fraud_facts *facts, const fraud_finding *finding, size_t n_finding,
                       rules_sum *r)
{
    /* In generated streams these four say more than a cycle does (score/README.md). As they are
     * planted there, none weighs more than a cycle here. */
    static const double weight[FRAUD_N_TYPOLOGY] = {
        [FRAUD_TYPOLOGY_CYCLE] = 2.4,          [FRAUD_TYPOLOGY_FAN_IN] = 0.7,
        [FRAUD_TYPOLOGY_FAN_OUT] = 0.7,        [FRAUD_TYPOLOGY_SCATTER_GATHER] = 2.4,
        [FRAUD_TYPOLOGY_GATHER_SCATTER] = 2.4, [FRAUD_TYPOLOGY_BIPARTITE] = 2.4,
        [FRAUD_TYPOLOGY_STACK] = 2.4};
    char span[24] = "";
    for (size_t i = 0; i < n_finding; i++) {
        const fraud_finding *f = &finding[i];
        if (r->reason) fraud_span_words((double)(f->ts_last - f->ts_first), span);
        add_fact(r, ITEM_GRAPH, weight[f->typology], fraud_typology_name(f->typology),
                 "closes a %s of %u accounts over %.2f %s within %s",
                 fraud_typology_name(f->typology), f->n_account, (double)f->amount_minor / 100,
                 facts->currency, span);
    }
}

static void rules_add_up(const fraud_facts *f, const fraud_finding *finding, size_t n_finding,
                         rules_sum *r)
{
    R1_ASSERT(n_finding <= FRAUD_FINDINGS_MAX, "rules: %zu findings", n_finding);
    rule_payment(f, r);
    rule_sender(f, r);
    rule_receiver(f, r);
    rule_pair(f, r);
    rule_labels(f, r);
    rule_graph(f, finding, n_finding, r);
}

static int by_contribution(const void *a, const void *b)
{
    const fraud_reason *x = a, *y = b;
    if (fabs(x->contribution) != fabs(y->contribution))
        return fabs(x->contribution) < fabs(y->contribution) ? 1 : -1;
    return strcmp(x->code, y->code);
}

void fraud_reasons_sort(fraud_reason *x, size_t n) { qsort(x, n, sizeof *x, by_contribution); }

void fraud_rules_score(const fraud_facts *f, const fraud_finding *finding, size_t n_finding,
                       fraud_result *r)
{
    rules_sum sum = {.reason = NULL};
    rules_add_up(f, finding, n_finding, &sum);
    memset(r, 0, offsetof(fraud_result, reason)); /* of the rest, n_reason and n_finding are read */
    r->degraded = true;
    r->n_item = N_ITEM;
    r->prior_logit = r->logit = prior_logit;
    for (int i = 0; i < N_ITEM; i++) {
        r->item[i].name = item_names[i];
        r->item[i].delta = sum.delta[i];
        r->logit += sum.delta[i];
    }
    r->probability = 1 / (1 + exp(-r->logit));
    r->n_finding = (uint8_t)n_finding;
    memcpy(r->finding, finding, n_finding * sizeof *finding);
}

size_t fraud_rules_reasons(const fraud_facts *f, const fraud_finding *finding, size_t n_finding,
                           fraud_reason out[FRAUD_REASONS_MAX])
{
    rules_sum sum = {.reason = out};
    rules_add_up(f, finding, n_finding, &sum);
    fraud_reasons_sort(out, sum.n_reason);
    return sum.n_reason;
}
