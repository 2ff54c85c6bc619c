/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain.c - turns an item's logit difference into reasons. */
#include "score/explain.h"

#include "r1_assert.h"

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

/* Sums are over all currencies that the account used, so none is named. */
static void end_words(const fraud_window w[FRAUD_N_WINDOW][2], const char *end, char *text,
                      size_t cap)
{
    const fraud_window *m = w[FRAUD_W_28D], *d = w[FRAUD_W_3D];
    snprintf(text, cap,
             "%s, %s%s: %.0f out to %.0f ends, %.0f in from %.0f; %s: %.0f out, %.0f in, %.2f out, "
             "%.2f in",
             end, m[0].aged || m[1].aged ? "about " : "", FRAUD_WINDOW_FIGURES[FRAUD_W_28D], m[0].n,
             m[0].distinct, m[1].n, m[1].distinct, FRAUD_WINDOW_FIGURES[FRAUD_W_3D], d[0].n, d[1].n,
             d[0].sum / 100, d[1].sum / 100);
}

static void pattern_words(const fraud_patterns *p, char *text, size_t cap)
{
    snprintf(text, cap,
             "closes %.0f two-way, %.0f three-way, %.0f four-way circles; %.0f other ends share a "
             "source, %.0f a sink",
             (double)p->cycle2, (double)p->cycle3, (double)p->cycle4, (double)p->shared_source,
             (double)p->shared_sink);
}

/* What an item says of itself. */
static void item_words(const fraud_explained *x, int item, char *text, size_t cap)
{
    const fraud_features *c = x->features;
    const fraud_facts *f = x->facts;
    switch (item) {
    case FRAUD_ITEM_SENDER: end_words(f->from, "sender", text, cap); break;
    case FRAUD_ITEM_RECEIVER: end_words(f->to, "receiver", text, cap); break;
    case FRAUD_ITEM_PAIR:
        snprintf(text, cap, "%s%.0f payments of this pair within %s", f->pair_aged ? "about " : "",
                 f->pair_28d, FRAUD_WINDOW_FIGURES[FRAUD_W_28D]);
        break;
    case FRAUD_ITEM_PATTERN: pattern_words(&c->pattern, text, cap); break;
    case FRAUD_ITEM_GRAPH:
        snprintf(text, cap, "%u payments among %u ends around this one",
                 c->n_edge ? c->n_edge - 1 : 0, c->n_node);
        break;
    case FRAUD_ITEM_HISTORY:
        snprintf(text, cap, "the last %u payments of both ends", c->n_ref);
        break;
    case FRAUD_ITEM_TEXT:
        snprintf(text, cap, "remittance text of %zu bytes", strlen(x->payment->text));
        break;
    default:
        snprintf(text, cap, "%s of %.2f %s", fraud_kind_name(x->payment->kind), f->amount,
                 f->currency);
        break;
    }
}

static size_t item_reasons(const fraud_explained *x, const fraud_reason *fact, size_t n_fact,
                           int item, double delta, fraud_reason *out)
{
    size_t n = 0;
    for (size_t k = 0; k < n_fact; k++)
        if (explain_item_of(&fact[k]) == item) out[n++] = fact[k];
    if (!n && delta != 0) {
        snprintf(out[0].code, sizeof out[0].code, "%s_profile", fraud_item_name(item));
        item_words(x, item, out[0].text, sizeof out[0].text);
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
