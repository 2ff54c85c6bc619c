/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain.c - turns an item's logit difference into reasons. */
#include "score/explain.h"

#include "r1_assert.h"
#include "score/sample.h"

#include <stdio.h>
#include <string.h>

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

/* Facts that the rules count the same way give their words to the item. One that they count the
 * other way is no cause of it, however near it stands: the item then speaks for itself. */
static size_t item_reasons(const fraud_explained *x, const fraud_reason *fact, size_t n_fact,
                           int item, double delta, fraud_reason *out)
{
    size_t n = 0;
    for (size_t k = 0; k < n_fact; k++)
        if (explain_item_of(&fact[k]) == item && fact[k].contribution * delta > 0)
            out[n++] = fact[k];
    if (!n && delta != 0) {
        snprintf(out[0].code, sizeof out[0].code, "%s_profile", fraud_item_name(item));
        fraud_unusual_words(x, item, delta, out[0].text, sizeof out[0].text);
        n = 1;
    }
    for (size_t k = 0; k < n; k++) {
        snprintf(out[k].item, sizeof out[k].item, "%s", fraud_item_name(item));
        out[k].contribution = delta / (double)n;
    }
    return n;
}

_Static_assert(FRAUD_N_ITEM <= (int)FRAUD_ITEMS_MAX, "a result holds every item");

void fraud_explain(const fraud_explained *x, fraud_result *r)
{
    fraud_reason fact[FRAUD_REASONS_MAX], all[FRAUD_REASONS_MAX + FRAUD_N_ITEM];
    size_t n = 0, n_fact = fraud_rules_reasons(x->facts, x->finding, x->n_finding, fact);
    R1_ASSERT(r->n_item == FRAUD_N_ITEM, "explain: %u items", r->n_item);
    for (int item = 0; item < FRAUD_N_ITEM; item++)
        n += item_reasons(x, fact, n_fact, item, r->item[item].delta, all + n);
    R1_ASSERT(n <= R1_COUNT(all), "reasons: %zu of %zu", n, R1_COUNT(all));
    fraud_reasons_sort(all, n);
    r->n_reason = (uint8_t)(n < FRAUD_REASONS_MAX ? n : FRAUD_REASONS_MAX);
    memcpy(r->reason, all, r->n_reason * sizeof *all);
}
