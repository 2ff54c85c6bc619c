/* SPDX-License-Identifier: GPL-3.0-or-later */
/* decimal.c - see decimal.h. The digits are kept without the zeros around them, beside the power of
 * ten that they stand at, so that neither 1e-400 nor 0.00...1 makes long loops. */
#include "payment/decimal.h"

#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 19, POWER_MAX = 100000 };

typedef struct {
    char digit[DIGITS_MAX]; /* the first one is no zero */
    int n;                  /* digits kept */
    int64_t power;          /* of the last digit kept */
    int64_t zeros;          /* read since the last digit kept, not yet counted */
    bool negative, too_long;
} number;

/* The next digit; point: behind the decimal point. */
static void number_digit(number *x, char digit, bool point)
{
    if (point) x->power--;
    if (digit == '0') {
        if (x->n) x->zeros++;
        return;
    }
    for (; x->zeros && x->n < DIGITS_MAX; x->zeros--) x->digit[x->n++] = '0';
    if (x->zeros || x->n == DIGITS_MAX)
        x->too_long = true;
    else
        x->digit[x->n++] = digit;
}

/* Reads the text; false: another form. Afterwards the value is digits * 10^power. */
static bool number_read(const char *s, number *x)
{
    memset(x, 0, sizeof *x);
    x->negative = *s == '-';
    if (*s == '-' || *s == '+') s++;
    size_t before = strspn(s, "0123456789");
    for (size_t i = 0; i < before; i++) number_digit(x, s[i], false);
    s += before;
    if (!before) return false;
    if (*s == '.') {
        size_t behind = strspn(++s, "0123456789");
        for (size_t i = 0; i < behind; i++) number_digit(x, s[i], true);
        if (!behind) return false;
        s += behind;
    }
    x->power += x->zeros;
    if (*s != 'e' && *s != 'E') return !*s;
    char *end;
    if (!strchr("+-0123456789", s[1]) || !s[1]) return false;
    long e = strtol(s + 1, &end, 10);
    if (*end || end == s + 1) return false;
    x->power += e > POWER_MAX ? POWER_MAX : e < -POWER_MAX ? -POWER_MAX : e;
    return true;
}

fraud_decimal fraud_decimal_read(const char *text, int digits, int64_t *out)
{
    number x;
    *out = 0;
    if (!number_read(text, &x)) return FRAUD_DECIMAL_NONE;
    if (!x.n) return FRAUD_DECIMAL_GOOD;
    int64_t power = x.power + digits, value = 0;
    if (power < 0) return FRAUD_DECIMAL_FINE;
    if (x.too_long) return FRAUD_DECIMAL_LARGE;
    for (int i = 0; i < x.n; i++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, x.digit[i] - '0', &value))
            return FRAUD_DECIMAL_LARGE;
    for (; power; power--)
        if (__builtin_mul_overflow(value, 10, &value)) return FRAUD_DECIMAL_LARGE;
    *out = x.negative ? -value : value;
    return FRAUD_DECIMAL_GOOD;
}
