/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rates.h - a table of exchange rates that the user gives, and amounts by it.
 *
 * The file is CSV with the header currency,rate,date. A row says what one unit of the currency is
 * worth in units of the stream's currency from that day (UTC) on, until a later row of it:
 *
 *     currency,rate,date
 *     USD,0.9215,2026-01-02
 *     JPY,0.00612,2026-01-02
 *
 * Amounts are converted exactly and rounded to the nearest minor unit once, at least 1. What was
 * paid stays in fraud_payment.paid_minor and paid_currency.
 *
 * Owns:    what it read. Threads: read-only afterwards.
 * Errors:  R1_E_INVAL with FILE:LINE, what was expected and what was found.
 * Bounds:  FRAUD_RATES_MAX rows, rates of at most 9 digits behind the point. */
#ifndef FRAUD_RATES_H
#define FRAUD_RATES_H

#include "payment/payment.h"

enum { FRAUD_RATES_MAX = 200000 };

typedef struct fraud_rates fraud_rates;
/* path NULL: *out is NULL, no rates. currency: of the stream. */
r1_status fraud_rates_load(fraud_rates **out, const char *path, const char *currency, r1_err *err);
void fraud_rates_free(fraud_rates *r);           /* NULL is fine */
uint64_t fraud_rates_hash(const fraud_rates *r); /* of the file's bytes; 0: no rates */

/* How long before ts the rate began that converts the currency then; -1: there is none. */
int64_t fraud_rates_age_ms(const fraud_rates *r, const char *currency, int64_t ts);
/* Puts a payment into the stream's currency. false: why tells that there is no rate, or that the
 * amount is too large; p is as before. rates may be NULL. */
bool fraud_rates_convert(const fraud_rates *r, const char *currency, fraud_payment *p, r1_err *why);

#endif
