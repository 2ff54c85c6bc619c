/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain.c - turns an item's logit difference into reasons. */
#include "score/explain.h"

#include "r1_assert.h"
#include "score/sample.h"
#include "score/signs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In this order. What decided or asks for a review comes first, then what differs from the ordinary
 * of this account, then the circumstances (a time of day, an end that is new, a network), then what
 * lowers the score. */
typedef enum { RANK_SIGN, RANK_DIFFERS, RANK_CIRCUMSTANCE, RANK_LOWERS } reason_rank;

typedef struct {
    fraud_reason reason;
    reason_rank rank;
} ranked_reason;

typedef struct {
    ranked_reason x[FRAUD_REASONS_MAX];
    size_t n;
} ranked_reasons;

enum { ITEM_FACTS_MAX = 2 };
_Static_assert(FRAUD_N_ITEM <= (int)FRAUD_ITEMS_MAX, "a result holds every item");
/* Sender and receiver may have two facts, the pattern too; each other item has one. */
_Static_assert(FRAUD_N_ITEM + 3 + 1 <= (int)FRAUD_REASONS_MAX, "no reason is left out");

static void ranked_add(ranked_reasons *all, const fraud_reason *reason, reason_rank rank)
{
    R1_ASSERT(all->n < FRAUD_REASONS_MAX, "reasons: %zu", all->n);
    all->x[all->n++] = (ranked_reason){*reason, reason->contribution < 0 ? RANK_LOWERS : rank};
}

static int by_rank(const void *a, const void *b)
{
    const ranked_reason *x = a, *y = b;
    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    if (fabs(x->reason.contribution) != fabs(y->reason.contribution))
        return fabs(x->reason.contribution) < fabs(y->reason.contribution) ? 1 : -1;
    return strcmp(x->reason.code, y->reason.code);
}

/* The item of the model whose evidence a fact of the rules is. */
static int explain_item_of(const fraud_reason *x)
{
    if (!strcmp(x->item, "labels"))
        return strncmp(x->code, "sender", 6) ? FRAUD_ITEM_RECEIVER : FRAUD_ITEM_SENDER;
    if (!strcmp(x->item, "graph")) return FRAUD_ITEM_PATTERN;
    for (int i = 0; i < FRAUD_N_ITEM; i++)
        if (!strcmp(x->item, fraud_item_name(i))) return i;
    return FRAUD_ITEM_PAYMENT;
}

static reason_rank fact_rank(const fraud_reason *x)
{
    return strcmp(x->code, "new_pair") != 0 ? RANK_DIFFERS : RANK_CIRCUMSTANCE;
}

/* Only of an account or a pair it is known what is ordinary. */
static reason_rank profile_rank(int item, bool stands_out)
{
    const bool habit = item == FRAUD_ITEM_SENDER || item == FRAUD_ITEM_RECEIVER ||
                       item == FRAUD_ITEM_PAIR || item == FRAUD_ITEM_PATTERN;
    return stands_out && habit ? RANK_DIFFERS : RANK_CIRCUMSTANCE;
}

/* Two names of one thing: the sign has more to say. */
static bool fact_told(const fraud_reason *fact, const fraud_reason *sign)
{
    static const char *const same[][2] = {{"pass_through", "passed_on"},
                                          {"sender_fan_out", "many_new_payees"},
                                          {"amount_unusual", "amount_far_above"}};
    for (size_t i = 0; i < R1_COUNT(same); i++)
        if (!strcmp(fact->code, same[i][0]) && !strcmp(sign->code, same[i][1])) return true;
    return !strcmp(sign->code, "ring") && !strcmp(fact->item, "graph");
}

/* What may give an item its words: the facts of the rules, the weightiest first, and a sign. */
typedef struct {
    fraud_reason fact[FRAUD_REASONS_MAX], sign;
    size_t n_fact;
    int sign_item; /* -1: none */
    bool sign_strong;
} explain_words;

/* Facts that the rules count the same way give their words to the item. One that they count the
 * other way is no cause of it, however near it stands: the item then speaks for itself. */
static void item_reasons(const fraud_explained *x, const explain_words *w, int item, double delta,
                         ranked_reasons *all)
{
    const int most =
        item == FRAUD_ITEM_SENDER || item == FRAUD_ITEM_RECEIVER || item == FRAUD_ITEM_PATTERN
            ? ITEM_FACTS_MAX
            : 1;
    ranked_reason mine[ITEM_FACTS_MAX];
    int n = 0;
    if (delta == 0) return;
    if (w->sign_item == item && delta > 0)
        mine[n++] = (ranked_reason){w->sign, w->sign_strong ? RANK_SIGN : RANK_DIFFERS};
    for (size_t k = 0; k < w->n_fact && n < most; k++)
        if (explain_item_of(&w->fact[k]) == item && w->fact[k].contribution * delta > 0 &&
            !fact_told(&w->fact[k], &w->sign))
            mine[n++] = (ranked_reason){w->fact[k], fact_rank(&w->fact[k])};
    if (!n) {
        fraud_reason *own = &mine[n++].reason;
        snprintf(own->code, sizeof own->code, "%s_profile", fraud_item_name(item));
        mine[0].rank =
            profile_rank(item, fraud_unusual_words(x, item, delta, own->text, sizeof own->text));
    }
    for (int k = 0; k < n; k++) {
        snprintf(mine[k].reason.item, sizeof mine[k].reason.item, "%s", fraud_item_name(item));
        mine[k].reason.contribution = delta / n;
        ranked_add(all, &mine[k].reason, mine[k].rank);
    }
}

/* What the model's items say. raised: the sign that raised the score, which speaks for itself;
 * NULL: none did. */
static void model_reasons(const fraud_explained *x, const fraud_result *r,
                          const fraud_reason *raised, ranked_reasons *all)
{
    explain_words w = {.sign_item = -1};
    R1_ASSERT(r->n_item >= FRAUD_N_ITEM, "explain: %u items", r->n_item);
    w.n_fact = fraud_rules_reasons(x->facts, x->finding, x->n_finding, w.fact);
    if (raised)
        w.sign = *raised;
    else if (!fraud_signs_reason(x, r, &w.sign, &w.sign_item, &w.sign_strong))
        w.sign_item = -1;
    for (int item = 0; item < FRAUD_N_ITEM; item++)
        item_reasons(x, &w, item, r->item[item].delta, all);
}

/* The rules' facts carry their own contributions. */
static void degraded_reasons(const fraud_explained *x, ranked_reasons *all)
{
    fraud_reason fact[FRAUD_REASONS_MAX];
    const size_t n = fraud_rules_reasons(x->facts, x->finding, x->n_finding, fact);
    for (size_t i = 0; i < n; i++) ranked_add(all, &fact[i], fact_rank(&fact[i]));
}

void fraud_explain(const fraud_explained *x, fraud_result *r)
{
    ranked_reasons all = {.n = 0};
    fraud_reason sign;
    const bool moved = fraud_signs_moved(x, r, &sign);
    if (moved) ranked_add(&all, &sign, RANK_SIGN);
    if (r->degraded)
        degraded_reasons(x, &all);
    else
        model_reasons(x, r, moved && sign.contribution > 0 ? &sign : NULL, &all);
    qsort(all.x, all.n, sizeof all.x[0], by_rank);
    r->n_reason = (uint8_t)all.n;
    for (size_t i = 0; i < all.n; i++) r->reason[i] = all.x[i].reason;
}
