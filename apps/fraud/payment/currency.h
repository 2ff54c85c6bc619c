/* SPDX-License-Identifier: GPL-3.0-or-later */
/* currency.h - what ISO 4217 says of a code.
 *
 * Threads: pure functions. Errors: a result that says that the code is unknown. */
#ifndef FRAUD_CURRENCY_H
#define FRAUD_CURRENCY_H

#include "r1_base.h"

typedef enum {
    FRAUD_CURRENCY_UNKNOWN = 0,
    FRAUD_CURRENCY_CURRENT,
    FRAUD_CURRENCY_FUND,     /* a unit of account of a country, such as CLF */
    FRAUD_CURRENCY_HISTORIC, /* no longer in use */
    FRAUD_CURRENCY_NO_MONEY  /* a metal, a unit without minor units, a code for tests */
} fraud_currency_what;

/* *digits: of the minor unit, -1 where there is none. */
fraud_currency_what fraud_currency_of(const char *code, int *digits);
/* How many of the currency's units are one for a model: a power of ten, 1 for most. Models saw
 * amounts of euros and dollars, and 500,000 dong are an ordinary amount. A stream in yen, won, dong
 * or rupiah so has the amounts of one in euros, but for a factor below about three. */
double fraud_currency_unit(const char *code);

/* Whether a setting names a currency with a minor unit; else R1_E_INVAL with its origin, such as
 * FILE:LINE, and the nearest code. code NULL: nothing is set. */
r1_status fraud_currency_setting(const char *code, const char *origin, r1_err *err);
/* "; did you mean "EUR"?" or "", into text. Returns text. */
const char *fraud_currency_nearest(const char *found, char *text, size_t size);

#endif
