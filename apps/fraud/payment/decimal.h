/* SPDX-License-Identifier: GPL-3.0-or-later */
/* decimal.h - decimal numbers in text, exactly: no binary fraction comes between "125.50" and
 * 12550.
 *
 * Threads: pure functions. Errors: a result that says what is wrong. */
#ifndef FRAUD_DECIMAL_H
#define FRAUD_DECIMAL_H

#include "r1_base.h"

typedef enum {
    FRAUD_DECIMAL_GOOD = 0,
    FRAUD_DECIMAL_NONE, /* not of the form [+-]digits[.digits][e[+-]digits] */
    FRAUD_DECIMAL_FINE, /* more digits behind the point than asked for, other than zeros */
    FRAUD_DECIMAL_LARGE /* beyond 64 bits */
} fraud_decimal;

/* *out = text * 10^digits. */
fraud_decimal fraud_decimal_read(const char *text, int digits, int64_t *out);

#endif
