/* SPDX-License-Identifier: GPL-3.0-or-later */
/* currency.c - the alphabetic codes of ISO 4217, and the digits of their minor unit: lists one (in
 * use, funds codes among them) and three (historic, those that a log may still hold). */
#include "payment/currency.h"
#include "payment/payment.h"
#include "text/nearest.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CURRENT = FRAUD_CURRENCY_CURRENT, FUND = FRAUD_CURRENCY_FUND };
enum { HISTORIC = FRAUD_CURRENCY_HISTORIC, NO_MONEY = FRAUD_CURRENCY_NO_MONEY };

typedef struct {
    char code[4];
    int digits;
    int what; /* fraud_currency_what */
} currency;

/* One row per currency, by rising code. NO_MONEY: metals, units of account and codes for tests have
 * no minor unit. */
static const currency currencies[] = {
    /* clang-format off */
    {"AED", 2, CURRENT}, {"AFA", 2, HISTORIC}, {"AFN", 2, CURRENT}, {"ALL", 2, CURRENT},
    {"AMD", 2, CURRENT}, {"ANG", 2, HISTORIC}, {"AOA", 2, CURRENT}, {"ARS", 2, CURRENT},
    {"ATS", 2, HISTORIC}, {"AUD", 2, CURRENT}, {"AWG", 2, CURRENT}, {"AZM", 2, HISTORIC},
    {"AZN", 2, CURRENT}, {"BAM", 2, CURRENT}, {"BBD", 2, CURRENT}, {"BDT", 2, CURRENT},
    {"BEF", 0, HISTORIC}, {"BGN", 2, HISTORIC}, {"BHD", 3, CURRENT}, {"BIF", 0, CURRENT},
    {"BMD", 2, CURRENT}, {"BND", 2, CURRENT}, {"BOB", 2, CURRENT}, {"BOV", 2, FUND},
    {"BRL", 2, CURRENT}, {"BSD", 2, CURRENT}, {"BTN", 2, CURRENT}, {"BWP", 2, CURRENT},
    {"BYB", 0, HISTORIC}, {"BYN", 2, CURRENT}, {"BYR", 0, HISTORIC}, {"BZD", 2, CURRENT},
    {"CAD", 2, CURRENT}, {"CDF", 2, CURRENT}, {"CHE", 2, FUND}, {"CHF", 2, CURRENT},
    {"CHW", 2, FUND}, {"CLF", 4, FUND}, {"CLP", 0, CURRENT}, {"CNY", 2, CURRENT},
    {"COP", 2, CURRENT}, {"COU", 2, FUND}, {"CRC", 2, CURRENT}, {"CSD", 2, HISTORIC},
    {"CUC", 2, HISTORIC}, {"CUP", 2, CURRENT}, {"CVE", 2, CURRENT}, {"CYP", 2, HISTORIC},
    {"CZK", 2, CURRENT}, {"DEM", 2, HISTORIC}, {"DJF", 0, CURRENT}, {"DKK", 2, CURRENT},
    {"DOP", 2, CURRENT}, {"DZD", 2, CURRENT}, {"ECS", 2, HISTORIC}, {"EEK", 2, HISTORIC},
    {"EGP", 2, CURRENT}, {"ERN", 2, CURRENT}, {"ESP", 0, HISTORIC}, {"ETB", 2, CURRENT},
    {"EUR", 2, CURRENT}, {"FIM", 2, HISTORIC}, {"FJD", 2, CURRENT}, {"FKP", 2, CURRENT},
    {"FRF", 2, HISTORIC}, {"GBP", 2, CURRENT}, {"GEL", 2, CURRENT}, {"GHC", 2, HISTORIC},
    {"GHS", 2, CURRENT}, {"GIP", 2, CURRENT}, {"GMD", 2, CURRENT}, {"GNF", 0, CURRENT},
    {"GRD", 0, HISTORIC}, {"GTQ", 2, CURRENT}, {"GWP", 2, HISTORIC}, {"GYD", 2, CURRENT},
    {"HKD", 2, CURRENT}, {"HNL", 2, CURRENT}, {"HRK", 2, HISTORIC}, {"HTG", 2, CURRENT},
    {"HUF", 2, CURRENT}, {"IDR", 2, CURRENT}, {"IEP", 2, HISTORIC}, {"ILS", 2, CURRENT},
    {"INR", 2, CURRENT}, {"IQD", 3, CURRENT}, {"IRR", 2, CURRENT}, {"ISK", 0, CURRENT},
    {"ITL", 0, HISTORIC}, {"JMD", 2, CURRENT}, {"JOD", 3, CURRENT}, {"JPY", 0, CURRENT},
    {"KES", 2, CURRENT}, {"KGS", 2, CURRENT}, {"KHR", 2, CURRENT}, {"KMF", 0, CURRENT},
    {"KPW", 2, CURRENT}, {"KRW", 0, CURRENT}, {"KWD", 3, CURRENT}, {"KYD", 2, CURRENT},
    {"KZT", 2, CURRENT}, {"LAK", 2, CURRENT}, {"LBP", 2, CURRENT}, {"LKR", 2, CURRENT},
    {"LRD", 2, CURRENT}, {"LSL", 2, CURRENT}, {"LTL", 2, HISTORIC}, {"LUF", 0, HISTORIC},
    {"LVL", 2, HISTORIC}, {"LYD", 3, CURRENT}, {"MAD", 2, CURRENT}, {"MDL", 2, CURRENT},
    {"MGA", 2, CURRENT}, {"MGF", 0, HISTORIC}, {"MKD", 2, CURRENT}, {"MMK", 2, CURRENT},
    {"MNT", 2, CURRENT}, {"MOP", 2, CURRENT}, {"MRO", 2, HISTORIC}, {"MRU", 2, CURRENT},
    {"MTL", 2, HISTORIC}, {"MUR", 2, CURRENT}, {"MVR", 2, CURRENT}, {"MWK", 2, CURRENT},
    {"MXN", 2, CURRENT}, {"MXV", 2, FUND}, {"MYR", 2, CURRENT}, {"MZM", 2, HISTORIC},
    {"MZN", 2, CURRENT}, {"NAD", 2, CURRENT}, {"NGN", 2, CURRENT}, {"NIO", 2, CURRENT},
    {"NLG", 2, HISTORIC}, {"NOK", 2, CURRENT}, {"NPR", 2, CURRENT}, {"NZD", 2, CURRENT},
    {"OMR", 3, CURRENT}, {"PAB", 2, CURRENT}, {"PEN", 2, CURRENT}, {"PGK", 2, CURRENT},
    {"PHP", 2, CURRENT}, {"PKR", 2, CURRENT}, {"PLN", 2, CURRENT}, {"PLZ", 2, HISTORIC},
    {"PTE", 0, HISTORIC}, {"PYG", 0, CURRENT}, {"QAR", 2, CURRENT}, {"ROL", 0, HISTORIC},
    {"RON", 2, CURRENT}, {"RSD", 2, CURRENT}, {"RUB", 2, CURRENT}, {"RUR", 2, HISTORIC},
    {"RWF", 0, CURRENT}, {"SAR", 2, CURRENT}, {"SBD", 2, CURRENT}, {"SCR", 2, CURRENT},
    {"SDD", 2, HISTORIC}, {"SDG", 2, CURRENT}, {"SEK", 2, CURRENT}, {"SGD", 2, CURRENT},
    {"SHP", 2, CURRENT}, {"SIT", 2, HISTORIC}, {"SKK", 2, HISTORIC}, {"SLE", 2, CURRENT},
    {"SLL", 2, HISTORIC}, {"SOS", 2, CURRENT}, {"SRD", 2, CURRENT}, {"SRG", 2, HISTORIC},
    {"SSP", 2, CURRENT}, {"STD", 2, HISTORIC}, {"STN", 2, CURRENT}, {"SVC", 2, CURRENT},
    {"SYP", 2, CURRENT}, {"SZL", 2, CURRENT}, {"THB", 2, CURRENT}, {"TJS", 2, CURRENT},
    {"TMM", 2, HISTORIC}, {"TMT", 2, CURRENT}, {"TND", 3, CURRENT}, {"TOP", 2, CURRENT},
    {"TPE", 0, HISTORIC}, {"TRL", 0, HISTORIC}, {"TRY", 2, CURRENT}, {"TTD", 2, CURRENT},
    {"TWD", 2, CURRENT}, {"TZS", 2, CURRENT}, {"UAH", 2, CURRENT}, {"UGX", 0, CURRENT},
    {"USD", 2, CURRENT}, {"USN", 2, FUND}, {"UYI", 0, FUND}, {"UYU", 2, CURRENT},
    {"UYW", 4, FUND}, {"UZS", 2, CURRENT}, {"VEB", 2, HISTORIC}, {"VED", 2, CURRENT},
    {"VEF", 2, HISTORIC}, {"VES", 2, CURRENT}, {"VND", 0, CURRENT}, {"VUV", 0, CURRENT},
    {"WST", 2, CURRENT}, {"XAD", 2, CURRENT}, {"XAF", 0, CURRENT}, {"XAG", -1, NO_MONEY},
    {"XAU", -1, NO_MONEY}, {"XBA", -1, NO_MONEY}, {"XBB", -1, NO_MONEY}, {"XBC", -1, NO_MONEY},
    {"XBD", -1, NO_MONEY}, {"XCD", 2, CURRENT}, {"XCG", 2, CURRENT}, {"XDR", -1, NO_MONEY},
    {"XOF", 0, CURRENT}, {"XPD", -1, NO_MONEY}, {"XPF", 0, CURRENT}, {"XPT", -1, NO_MONEY},
    {"XSU", -1, NO_MONEY}, {"XTS", -1, NO_MONEY}, {"XUA", -1, NO_MONEY}, 
    {{'X', 'X', 'X', 0}, -1, NO_MONEY},
    {"YER", 2, CURRENT}, {"YUM", 2, HISTORIC}, {"ZAR", 2, CURRENT}, {"ZMK", 2, HISTORIC},
    {"ZMW", 2, CURRENT}, {"ZWD", 2, HISTORIC}, {"ZWG", 2, CURRENT}, {"ZWL", 2, HISTORIC},
    /* clang-format on */
};

static int currency_by_code(const void *code, const void *row)
{
    return memcmp(code, ((const currency *)row)->code, 3);
}

fraud_currency_what fraud_currency_of(const char *code, int *digits)
{
    *digits = -1;
    if (strlen(code) != 3) return FRAUD_CURRENCY_UNKNOWN;
    const currency *row =
        bsearch(code, currencies, R1_COUNT(currencies), sizeof *currencies, currency_by_code);
    if (!row) return FRAUD_CURRENCY_UNKNOWN;
    *digits = row->digits;
    return (fraud_currency_what)row->what;
}

/* Currencies of which a euro buys more than a hundred, with the order of magnitude in tens, as of
 * 2026: no rate, which moves, but the place of the point. By rising code. */
static const struct {
    char code[4];
    int power;
} small_units[] = {
    /* clang-format off */
    {"AMD", 3}, {"AOA", 3}, {"ARS", 3}, {"BIF", 3}, {"CDF", 3}, {"CLP", 3}, {"COP", 4}, {"CRC", 3},
    {"DJF", 2}, {"DZD", 2}, {"GNF", 4}, {"HTG", 2}, {"HUF", 3}, {"IDR", 4}, {"IQD", 3}, {"IRR", 5},
    {"ISK", 2}, {"JMD", 2}, {"JPY", 2}, {"KES", 2}, {"KHR", 4}, {"KMF", 3}, {"KRW", 3}, {"KZT", 3},
    {"LAK", 4}, {"LBP", 5}, {"LKR", 3}, {"LRD", 2}, {"MGA", 4}, {"MMK", 3}, {"MNT", 4}, {"MWK", 3},
    {"NGN", 3}, {"NPR", 2}, {"PKR", 3}, {"PYG", 4}, {"RSD", 2}, {"RWF", 3}, {"SDG", 3}, {"SOS", 3},
    {"SSP", 4}, {"SYP", 4}, {"TZS", 3}, {"UGX", 4}, {"UZS", 4}, {"VND", 4}, {"VUV", 2}, {"XAF", 3},
    {"XOF", 3}, {"XPF", 2}, {"YER", 2},
    /* clang-format on */
};

static int small_by_code(const void *code, const void *row) { return memcmp(code, row, 3); }

double fraud_currency_unit(const char *code)
{
    static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5};
    const char *row = strlen(code) == 3 ? bsearch(code, small_units, R1_COUNT(small_units),
                                                  sizeof *small_units, small_by_code)
                                        : NULL;
    size_t i = row ? (size_t)(row - small_units[0].code) / sizeof *small_units : 0;
    return row ? tens[small_units[i].power] : 1;
}

int fraud_currency_digits(const char *code)
{
    int digits;
    (void)fraud_currency_of(code, &digits);
    return digits;
}

/* What people write in the place of a code, which no code is near to. */
static const struct {
    const char *word, *code;
} currency_words[] = {{"\xe2\x82\xac", "EUR"}, {"$", "USD"},      {"US$", "USD"},
                      {"\xc2\xa3", "GBP"},     {"dollar", "USD"}, {"dollars", "USD"},
                      {"pound", "GBP"},        {"yen", "JPY"},    {"rupee", "INR"},
                      {"franken", "CHF"},      {"euros", "EUR"}};

const char *fraud_currency_nearest(const char *found, char *text, size_t size)
{
    r1_nearest nearest = {.found = found};
    for (size_t i = 0; i < R1_COUNT(currency_words); i++)
        if (!strcasecmp(found, currency_words[i].word))
            nearest = (r1_nearest){.found = found, .best = currency_words[i].code};
    for (size_t i = 0; i < R1_COUNT(currencies); i++)
        if (currencies[i].what == CURRENT) r1_nearest_offer(&nearest, currencies[i].code);
    return r1_nearest_text(&nearest, text, size);
}

r1_status fraud_currency_setting(const char *code, const char *origin, r1_err *err)
{
    char near[64];
    if (!code || fraud_currency_digits(code) >= 0) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "%s: currency: expected a code of ISO 4217 that has a minor unit, as EUR, found "
            "\"%.60s\"%s",
            origin, code, fraud_currency_nearest(code, near, sizeof near));
}
