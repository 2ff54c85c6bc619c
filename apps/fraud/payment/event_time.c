/* SPDX-License-Identifier: GPL-3.0-or-later */
/* event_time.c - see event_time.h. */
#include "payment/event_time.h"

#include "payment/decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool date_exists(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

/* Exactly n digits; moves *s past them. */
static bool time_digits(const char **s, int n, int *out)
{
    *out = 0;
    for (int i = 0; i < n; i++, ++*s) {
        if (**s < '0' || **s > '9') return false;
        *out = *out * 10 + (**s - '0');
    }
    return true;
}

static bool time_sign(const char **s, char c) { return **s == c && ++*s; }

bool fraud_time_zone(const char *s, int *minutes)
{
    static const char *const none[] = {"Z", "z", "UTC", "GMT"};
    int hour, minute = 0;
    *minutes = 0;
    for (size_t i = 0; i < R1_COUNT(none); i++)
        if (!strcmp(s, none[i])) return true;
    int sign = *s == '-' ? -1 : 1;
    if (*s != '-' && *s != '+') return false;
    s++;
    if (!time_digits(&s, 2, &hour)) return false;
    bool colon = time_sign(&s, ':');
    if ((colon || *s) && !time_digits(&s, 2, &minute)) return false;
    if (*s || hour > 23 || minute > 59) return false;
    *minutes = sign * (hour * 60 + minute);
    return true;
}

/* The offset at the end of a text, which Java follows by the zone's name: +01:00[Europe/Berlin]. */
static bool time_offset(const char *s, int *minutes)
{
    char offset[16];
    size_t len = strcspn(s, "["), all = strlen(s);
    if (len >= sizeof offset || (s[len] && s[all - 1] != ']')) return false;
    memcpy(offset, s, len);
    offset[len] = 0;
    return fraud_time_zone(offset, minutes);
}

/* Milliseconds out of ".123456"; the digits behind the third one are left out. */
static bool time_fraction(const char **s, int *ms)
{
    int n = 0;
    *ms = 0;
    if (!time_sign(s, '.') && !time_sign(s, ',')) return true;
    for (; **s >= '0' && **s <= '9'; ++*s, n++)
        if (n < 3) *ms = *ms * 10 + (**s - '0');
    for (int i = n; i < 3; i++) *ms *= 10;
    return n > 0 && n <= 12;
}

bool fraud_time_iso(const char *s, int64_t *ms, bool *zone)
{
    int year, month, day, hour, minute, second = 0, milli = 0, offset = 0;
    if (!time_digits(&s, 4, &year) || !time_sign(&s, '-') || !time_digits(&s, 2, &month) ||
        !time_sign(&s, '-') || !time_digits(&s, 2, &day) || !date_exists(year, month, day))
        return false;
    if (!time_sign(&s, 'T') && !time_sign(&s, 't') && !time_sign(&s, ' ')) return false;
    if (!time_digits(&s, 2, &hour) || !time_sign(&s, ':') || !time_digits(&s, 2, &minute))
        return false;
    if (time_sign(&s, ':') && (!time_digits(&s, 2, &second) || !time_fraction(&s, &milli)))
        return false;
    if (hour > 23 || minute > 59 || second > 60) return false; /* 60: a leap second */
    while (*s == ' ') s++;
    *zone = *s != 0;
    if (*zone && !time_offset(s, &offset)) return false;
    int64_t seconds = fraud_days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    *ms = (seconds - (int64_t)offset * 60) * 1000 + milli;
    return true;
}

/* ---- patterns ---- */

enum { HALF_BYTES = 256 };
enum { GIVES_YEAR = 1, GIVES_MONTH = 2, GIVES_DAY = 4, GIVES_HALF = 8, NEEDS_HALF = 16 };

/* The conversions of strptime that are let through, with the digits that they read at most. Others
 * depend on the machine (%s, %c, %x), pass over a zone's name in silence (%Z), or tell no time. */
static const struct {
    char c;
    int digits;
    unsigned is;
} conversions[] = {
    {'Y', 4, GIVES_YEAR},
    {'y', 2, GIVES_YEAR},
    {'m', 2, GIVES_MONTH},
    {'b', 0, GIVES_MONTH},
    {'B', 0, GIVES_MONTH},
    {'h', 0, GIVES_MONTH},
    {'d', 2, GIVES_DAY},
    {'e', 2, GIVES_DAY},
    {'j', 3, GIVES_MONTH | GIVES_DAY},
    {'F', 0, GIVES_YEAR | GIVES_MONTH | GIVES_DAY},
    {'D', 0, GIVES_YEAR | GIVES_MONTH | GIVES_DAY},
    {'H', 2, 0},
    {'I', 2, NEEDS_HALF},
    {'M', 2, 0},
    {'S', 2, 0},
    {'p', 0, GIVES_HALF},
    {'T', 0, 0},
    {'R', 0, 0},
    {'z', 0, 0},
    {'a', 0, 0},
    {'A', 0, 0},
    {'n', 0, 0},
    {'t', 0, 0},
    {'%', 0, 0},
};

static size_t conversion_of(char c)
{
    size_t i = 0;
    while (i < R1_COUNT(conversions) && conversions[i].c != c) i++;
    return i;
}

bool fraud_time_pattern_check(const char *pattern, char *why, size_t size)
{
    unsigned is = 0;
    for (const char *s = pattern; *s; s++) {
        if (*s != '%') continue;
        size_t i = conversion_of(*++s);
        if (*s == 'f' || *s == 'Z') {
            snprintf(why, size, "no %%%c: %s", *s,
                     *s == 'f' ? "fractions of a second at the end are read by themselves"
                               : "a name such as CET tells no zone, the row zone does");
            return false;
        }
        if (i == R1_COUNT(conversions)) {
            snprintf(why, size, "conversions out of %%Y %%m %%d %%b %%H %%M %%S %%z, not %%%.1s",
                     s);
            return false;
        }
        is |= conversions[i].is;
    }
    bool date = (is & GIVES_YEAR) && (is & GIVES_MONTH) && (is & GIVES_DAY),
         half = !(is & NEEDS_HALF) == !(is & GIVES_HALF);
    if (!date)
        snprintf(why, size, "a pattern with year, month and day, such as %%d.%%m.%%Y %%H:%%M");
    else if (!half)
        snprintf(why, size, "%%I and %%p together, or %%H for hours up to 23");
    return date && half;
}

/* Digits that a text of the pattern has, where two numbers stand side by side: strptime would part
 * 13015 into 13:01:05. 0: marks part all of them. */
static size_t pattern_digits(const char *pattern)
{
    size_t digits = 0;
    bool beside = false, number = false;
    for (const char *s = pattern; *s; s++) {
        size_t i = *s == '%' ? conversion_of(*++s) : R1_COUNT(conversions);
        int n = i < R1_COUNT(conversions) ? conversions[i].digits : 0;
        beside = beside || (number && n);
        number = n > 0;
        digits += (size_t)n;
        if (!*s) break;
    }
    return beside ? digits : 0;
}

/* "2:05 p.m." as strptime reads it, "2:05 pm". */
static const char *time_half(const char *text, char out[HALF_BYTES])
{
    size_t n = 0;
    if (strlen(text) >= HALF_BYTES) return text;
    for (const char *s = text; *s; s++) {
        bool letter = strchr("aApP", s[0]) && s[1] == '.' && s[2] && strchr("mM", s[2]);
        out[n++] = *s;
        if (!letter) continue;
        out[n++] = s[2];
        s += s[3] == '.' ? 3 : 2;
    }
    out[n] = 0;
    return out;
}

bool fraud_time_pattern(const char *text, const char *pattern, int64_t *ms, bool *zone)
{
    struct tm t = {.tm_mday = 1};
    char half[HALF_BYTES];
    if (strstr(pattern, "%p")) text = time_half(text, half);
    const char *end = strptime(text, pattern, &t);
    size_t digits = pattern_digits(pattern), found = 0;
    int milli = 0, offset = 0;
    if (!end) return false;
    for (const char *s = text; s < end; s++) found += *s >= '0' && *s <= '9';
    if (digits && found != digits) return false;
    if (!time_fraction(&end, &milli)) return false;
    while (*end == ' ') end++;
    bool within = strstr(pattern, "%z") != NULL;
    if (*end && (within || !time_offset(end, &offset))) return false;
    *zone = within || *end;
    if (t.tm_year + 1900 < 1000) return false; /* "26" is no %Y */
    if (!date_exists(t.tm_year + 1900, t.tm_mon + 1, t.tm_mday)) return false;
    int64_t seconds = fraud_days_of(t.tm_year + 1900, t.tm_mon + 1, t.tm_mday) * 86400 +
                      t.tm_hour * 3600 + t.tm_min * 60 + t.tm_sec;
    *ms = (seconds - (within ? t.tm_gmtoff : 0) - (int64_t)offset * 60) * 1000 + milli;
    return true;
}

/* ---- any form ---- */

bool fraud_time_number(const char *text, fraud_time_form form, int64_t *ms)
{
    int64_t x;
    if (form == FRAUD_TIME_S) {
        fraud_decimal st = fraud_decimal_read(text, 3, &x);
        if (st == FRAUD_DECIMAL_FINE) st = fraud_decimal_read(text, 9, &x), x /= 1000000;
        *ms = x;
        return st == FRAUD_DECIMAL_GOOD;
    }
    *ms = 0;
    if (fraud_decimal_read(text, 0, &x) != FRAUD_DECIMAL_GOOD) return false;
    *ms = form == FRAUD_TIME_US ? x / 1000 : form == FRAUD_TIME_NS ? x / 1000000 : x;
    return true;
}

/* The binary fraction of a spreadsheet's own number, to the nearest millisecond. */
bool fraud_time_excel(const char *text, int64_t *ms)
{
    const double day_ms = 86400000, from_1970 = 25569;
    char *end;
    size_t whole = strspn(text, "0123456789"), behind = 0;
    double days = strtod(text, &end);
    bool point = text[whole] == '.' || text[whole] == ',';
    if (point) behind = strspn(text + whole + 1, "0123456789");
    if (!whole || whole > 6 || text[whole + point + behind] || (point && !behind)) return false;
    if (text[whole] == ',') {
        double fraction = 0, scale = 1;
        for (size_t i = 1; i <= behind && i < 16; i++)
            fraction += (text[whole + i] - '0') * (scale /= 10);
        days += fraction;
    }
    *ms = (int64_t)((days - from_1970) * day_ms + (days < from_1970 ? -0.5 : 0.5));
    return true;
}

const char *fraud_time_form_name(fraud_time_form form)
{
    static const char *const names[] = {"ms", "s", "us", "ns", "iso", "excel"};
    return form < FRAUD_TIME_PATTERN ? names[form] : NULL;
}

bool fraud_time_read(const fraud_time_style *style, const char *text, int64_t *ms, bool *zone)
{
    *zone = true;
    if (style->form == FRAUD_TIME_PATTERN)
        return fraud_time_pattern(text, style->pattern, ms, zone);
    if (style->form == FRAUD_TIME_EXCEL) return *zone = false, fraud_time_excel(text, ms);
    if (style->form != FRAUD_TIME_ISO && fraud_time_number(text, style->form, ms)) return true;
    return fraud_time_iso(text, ms, zone);
}

/* ---- local time ---- */

fraud_local fraud_time_utc(const fraud_time_style *style, int64_t *ms)
{
    int64_t local = *ms / 1000 - (*ms % 1000 < 0), milli = *ms - local * 1000, utc;
    if (!style->zone) return *ms -= (int64_t)style->zone_minutes * 60000, FRAUD_LOCAL_ONCE;
    fraud_local what = fraud_zone_utc(style->zone, local, &utc);
    *ms = utc * 1000 + milli;
    return what;
}
