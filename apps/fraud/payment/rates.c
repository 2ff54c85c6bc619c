/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rates.c - see rates.h. Rows are sorted by currency and day; the last one that is not after the
 * payment's day holds. */
#include "payment/rates.h"

#include "payment/currency.h"
#include "payment/decimal.h"
#include "payment/event_time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RATE_DIGITS = 9, RATE_FILE_BYTES = 16 << 20 };
#define RATE_ONE INT64_C(1000000000)

typedef struct {
    char currency[4];
    int64_t from_ms; /* the beginning of the day */
    int64_t rate;    /* units of the stream's currency for one unit, times RATE_ONE */
} rate;

struct fraud_rates {
    rate *row;
    size_t n;
    uint64_t hash; /* of the file */
};

/* ---- reading ---- */

static int by_currency_and_day(const void *a, const void *b)
{
    const rate *x = a, *y = b;
    int c = memcmp(x->currency, y->currency, sizeof x->currency);
    return c ? c : (x->from_ms > y->from_ms) - (x->from_ms < y->from_ms);
}

static r1_status rate_row(char *line, const char *path, int number, rate *row, r1_err *err)
{
    char *field[3] = {line, NULL, NULL}, day[40];
    int digits;
    bool zone;
    for (int i = 1; i < 3; i++) {
        field[i] = field[i - 1] ? strchr(field[i - 1], ',') : NULL;
        if (field[i]) *field[i]++ = 0;
    }
    if (!field[2] || strchr(field[2], ','))
        R1_FAIL(err, R1_E_INVAL, "%s:%d: expected currency,rate,date, found another row", path,
                number);
    if (fraud_currency_of(field[0], &digits) == FRAUD_CURRENCY_UNKNOWN || digits < 0)
        R1_FAIL(err, R1_E_INVAL, "%s:%d: currency: expected a code of ISO 4217, found \"%.40s\"",
                path, number, field[0]);
    if (fraud_decimal_read(field[1], RATE_DIGITS, &row->rate) != FRAUD_DECIMAL_GOOD ||
        row->rate <= 0)
        R1_FAIL(err, R1_E_INVAL,
                "%s:%d: rate: expected a number above 0 with at most %d digits behind the point, "
                "found \"%.40s\"",
                path, number, RATE_DIGITS, field[1]);
    snprintf(day, sizeof day, "%.20sT00:00Z", field[2]);
    if (!fraud_time_iso(day, &row->from_ms, &zone))
        R1_FAIL(err, R1_E_INVAL, "%s:%d: date: expected YYYY-MM-DD, found \"%.40s\"", path, number,
                field[2]);
    memcpy(row->currency, field[0], sizeof row->currency);
    return R1_OK;
}

static r1_status rates_parse(fraud_rates *r, char *text, const char *path, r1_err *err)
{
    int number = 0;
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        line[strcspn(line, "\r")] = 0;
        number++;
        if (number == 1) {
            if (!strcmp(line, "currency,rate,date")) continue;
            R1_FAIL(err, R1_E_INVAL,
                    "%s:1: expected the header currency,rate,date, found \"%.60s\"", path, line);
        }
        if (!*line) continue;
        if (r->n == FRAUD_RATES_MAX)
            R1_FAIL(err, R1_E_INVAL, "%s:%d: expected at most %d rates", path, number,
                    FRAUD_RATES_MAX);
        R1_TRY(rate_row(line, path, number, &r->row[r->n], err));
        r->n++;
    }
    qsort(r->row, r->n, sizeof *r->row, by_currency_and_day);
    for (size_t i = 1; i < r->n; i++)
        if (!by_currency_and_day(&r->row[i - 1], &r->row[i]))
            R1_FAIL(err, R1_E_INVAL, "%s: expected one rate of %s for a day, found two", path,
                    r->row[i].currency);
    return R1_OK;
}

/* A table for another currency than the stream's, or for none, is a slip. */
static r1_status rates_check(const fraud_rates *r, const char *path, const char *currency,
                             r1_err *err)
{
    if (!r->n) R1_FAIL(err, R1_E_INVAL, "%s: expected a rate in a row, found none", path);
    for (size_t i = 0; i < r->n; i++)
        if (!strcmp(r->row[i].currency, currency) && r->row[i].rate != RATE_ONE)
            R1_FAIL(err, R1_E_INVAL,
                    "%s: expected what one unit of a currency is worth in %s, found a rate of %s "
                    "itself that is not 1",
                    path, currency, currency);
    return R1_OK;
}

r1_status fraud_rates_load(fraud_rates **out, const char *path, const char *currency, r1_err *err)
{
    char *text;
    size_t len;
    *out = NULL;
    if (!path) return R1_OK;
    if (!currency || fraud_currency_digits(currency) < 0)
        R1_FAIL(err, R1_E_INVAL,
                "rates: expected the setting currency beside it, into which they lead, found %s",
                currency ? currency : "none");
    R1_TRY(r1_file_read(path, RATE_FILE_BYTES, &text, &len, err));
    fraud_rates *r = calloc(1, sizeof *r);
    if (r) r->hash = r1_hash64(text, len, 0);
    if (r) r->row = calloc(FRAUD_RATES_MAX, sizeof *r->row);
    r1_status st = r && r->row ? rates_parse(r, text, path, err)
                               : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__,
                                            "%s: no memory for the rates", path);
    free(text);
    if (st == R1_OK) st = rates_check(r, path, currency, err);
    if (st == R1_OK)
        *out = r;
    else
        fraud_rates_free(r);
    return st;
}

void fraud_rates_free(fraud_rates *r)
{
    if (!r) return;
    free(r->row);
    free(r);
}

uint64_t fraud_rates_hash(const fraud_rates *r) { return r ? r->hash : 0; }

/* ---- converting ---- */

static const rate *rate_of(const fraud_rates *r, const char *currency, int64_t ts)
{
    size_t low = 0, high = r ? r->n : 0;
    rate key = {.from_ms = ts};
    memcpy(key.currency, currency, sizeof key.currency);
    while (low < high) { /* the first row after the key */
        size_t middle = low + (high - low) / 2;
        if (by_currency_and_day(&r->row[middle], &key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    const rate *row = low ? &r->row[low - 1] : NULL;
    return row && !memcmp(row->currency, currency, sizeof row->currency) ? row : NULL;
}

int64_t fraud_rates_age_ms(const fraud_rates *r, const char *currency, int64_t ts)
{
    const rate *row = rate_of(r, currency, ts);
    return row ? ts - row->from_ms : -1;
}

/* amount of `from` digits by the rate, in minor units of `to` digits: rounded half away from 0. */
static bool rate_apply(int64_t amount, int64_t per, int from, int to, int64_t *out)
{
    __extension__ typedef __int128 wide;
    wide x = (wide)amount * per, unit = RATE_ONE;
    for (int i = from; i < to; i++) x *= 10;
    for (int i = to; i < from; i++) unit *= 10;
    wide half = x < 0 ? -unit / 2 : unit / 2, y = (x + half) / unit;
    *out = (int64_t)y;
    return y <= FRAUD_AMOUNT_MAX && y >= -FRAUD_AMOUNT_MAX;
}

static bool rates_amounts(const rate *row, int digits, fraud_payment *p)
{
    int from = p->minor_digits;
    int64_t *balance[] = {&p->from_balance_minor, &p->to_balance_minor};
    const uint32_t has[] = {FRAUD_HAS_FROM_BALANCE, FRAUD_HAS_TO_BALANCE};
    if (!rate_apply(p->amount_minor, row->rate, from, digits, &p->amount_minor)) return false;
    if (p->amount_minor < 1) p->amount_minor = 1;
    for (int i = 0; i < 2; i++)
        if (p->has & has[i] && !rate_apply(*balance[i], row->rate, from, digits, balance[i])) {
            *balance[i] = 0;
            p->has &= ~has[i];
        }
    return true;
}

bool fraud_rates_convert(const fraud_rates *r, const char *currency, fraud_payment *p, r1_err *why)
{
    int digits = fraud_currency_digits(currency);
    if (!strcmp(p->currency, currency)) return true;
    const rate *row = rate_of(r, p->currency, p->ts);
    if (!row) {
        (void)r1_err_set(
            why, R1_E_FORMAT, __FILE__, __LINE__,
            "currency: expected %s, the currency of this stream (setting currency), or a "
            "rate for it (setting rates), found %s and no rate for that day: amounts "
            "of two currencies are not compared",
            currency, p->currency);
        return false;
    }
    fraud_payment q = *p;
    q.paid_minor = p->amount_minor;
    memcpy(q.paid_currency, p->currency, sizeof q.paid_currency);
    q.has |= FRAUD_HAS_PAID;
    if (!rates_amounts(row, digits, &q)) {
        (void)r1_err_set(why, R1_E_FORMAT, __FILE__, __LINE__,
                         "amount: expected at most %lld %s in minor units after conversion, found "
                         "more",
                         (long long)FRAUD_AMOUNT_MAX, currency);
        return false;
    }
    snprintf(q.currency, sizeof q.currency, "%s", currency);
    q.minor_digits = (uint8_t)digits;
    *p = q;
    return true;
}
