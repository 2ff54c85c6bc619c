/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cases.c - the table of labelled payments and what gives them out. */
#include "dataset/cases.h"

#include "dataset/account_numbers.h"

#include "r1_assert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 65536 };

#define LAYOUT_NAME(id, name) [FRAUD_LAYOUT_##id] = name,
const char *const FRAUD_LAYOUT_NAME[FRAUD_N_LAYOUT] = {FRAUD_LAYOUTS(LAYOUT_NAME)};

r1_status fraud_cases_push(fraud_dataset *d, fraud_case **out, r1_err *err)
{
    R1_ASSERT(d->n <= d->cap, "cases: %zu in %zu places", d->n, d->cap);
    if (d->n == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 65536;
        fraud_case *grown = r1_realloc_array(d->cases, cap, sizeof *grown);
        if (!grown) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu payments", cap);
        d->cases = grown;
        d->cap = cap;
    }
    fraud_case *x = &d->cases[d->n++];
    *x = (fraud_case){.label_ts = INT64_MAX,
                      .category = -1,
                      .text = -1,
                      .ring = -1,
                      .lat = NAN,
                      .lon = NAN,
                      .balance = {INT64_MIN, INT64_MIN}};
    *out = x;
    return R1_OK;
}

int32_t fraud_cases_word(fraud_dataset *d, const char *text)
{
    for (size_t i = 0; i < d->n_word; i++)
        if (!strcmp(d->words[i], text)) return (int32_t)i;
    if (d->n_word == WORDS_MAX) return -1;
    char **grown = r1_realloc_array(d->words, d->n_word + 1, sizeof *grown);
    if (!grown) return -1;
    d->words = grown;
    d->words[d->n_word] = strdup(text);
    return d->words[d->n_word] ? (int32_t)d->n_word++ : -1;
}

void fraud_dataset_free(fraud_dataset *d)
{
    if (!d) return;
    for (size_t i = 0; i < d->n_word; i++) free(d->words[i]);
    free(d->words);
    account_numbers_free(d->accounts);
    free(d->payments);
    free(d->cases);
    free(d);
}

static void dataset_account_name(char *out, size_t cap, uint8_t role, int32_t id)
{
    static const char prefix[FRAUD_N_ROLE] = {'a', 'c', 'm', 'x'};
    snprintf(out, cap, "%c%d", prefix[role], id);
}

void fraud_dataset_payment(const fraud_dataset *d, size_t i, fraud_payment *p)
{
    R1_ASSERT(i < d->n, "case %zu of %zu", i, d->n);
    const fraud_case *x = &d->cases[i];
    if (d->payments) {
        *p = d->payments[i];
        return;
    }
    memset(p, 0, sizeof *p);
    snprintf(p->tx_id, sizeof p->tx_id, "%u-%zu", d->number, i);
    p->ts = x->ts;
    p->amount_minor = x->amount_minor;
    p->kind = x->kind;
    p->from_role = x->from_role;
    p->to_role = x->to_role;
    p->minor_digits = 2;
    memcpy(p->currency, "USD", 4);
    dataset_account_name(p->from, sizeof p->from, x->from_role, x->from);
    dataset_account_name(p->to, sizeof p->to, x->to_role, x->to);
    R1_ASSERT(x->category < (int64_t)d->n_word && x->text < (int64_t)d->n_word,
              "case %zu: words %d and %d of %zu", i, x->category, x->text, d->n_word);
    if (x->category >= 0) snprintf(p->category, sizeof p->category, "%.31s", d->words[x->category]);
    if (x->text >= 0) snprintf(p->text, sizeof p->text, "%.140s", d->words[x->text]);
    p->lat = isnan(x->lat) ? 0 : x->lat;
    p->lon = isnan(x->lon) ? 0 : x->lon;
    p->has = isnan(x->lat) ? 0 : FRAUD_HAS_POSITION;
    if (x->balance[0] != INT64_MIN)
        p->has |= FRAUD_HAS_FROM_BALANCE, p->from_balance_minor = x->balance[0];
    if (x->balance[1] != INT64_MIN)
        p->has |= FRAUD_HAS_TO_BALANCE, p->to_balance_minor = x->balance[1];
}
