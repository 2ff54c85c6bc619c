/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy_try.h - two policies over the stored payments: which alerts appear, which vanish, and what
 * that is worth.
 *
 * Scores are the stored ones. What rules ask of the past, and the findings, come from an engine
 * without a model, which applies the payments again from 28 days before the span on.
 *
 * Owns:    nothing. Threads: one.
 * Errors:  R1_E_INVAL for a database without payments, else as r1_store_each. */
#ifndef FRAUD_POLICY_TRY_H
#define FRAUD_POLICY_TRY_H

#include "decide/policy.h"
#include "store/store.h"

#include <stdio.h>

typedef struct {
    int64_t since_ms; /* before the newest stored payment */
    int64_t rows_max; /* payments that are read, the newest ones */
    size_t list_max;  /* alerts that are listed of each kind */
    FILE *out;
} fraud_try_opts;

r1_status fraud_policy_try(r1_store *s, const fraud_policy *before, const fraud_policy *after,
                           const fraud_try_opts *o, r1_err *err);

/* "7d", "12h", "90min" in ms. */
r1_status fraud_since_parse(const char *text, int64_t *ms, r1_err *err);

#endif
