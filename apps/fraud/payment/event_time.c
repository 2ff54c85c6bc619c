/* SPDX-License-Identifier: GPL-3.0-or-later */
/* event_time.c - see event_time.h. */
#include "payment/event_time.h"

#include <string.h>
#include <time.h>

/* Days since 1970-01-01 of a date in the Gregorian calendar; Howard Hinnant's days_from_civil
 * (public domain). */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

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
    int hour, minute;
    *minutes = 0;
    if (!strcmp(s, "Z") || !strcmp(s, "z") || !strcmp(s, "UTC")) return true;
    int sign = *s == '-' ? -1 : 1;
    if (*s != '-' && *s != '+') return false;
    s++;
    if (!time_digits(&s, 2, &hour)) return false;
    (void)time_sign(&s, ':');
    if (!time_digits(&s, 2, &minute) || *s || hour > 23 || minute > 59) return false;
    *minutes = sign * (hour * 60 + minute);
    return true;
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

bool fraud_time_iso(const char *s, int zone_minutes, int64_t *ms, bool *zone)
{
    int year, month, day, hour, minute, second = 0, milli = 0;
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
    if (*zone && !fraud_time_zone(s, &zone_minutes)) return false;
    int64_t seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    *ms = (seconds - (int64_t)zone_minutes * 60) * 1000 + milli;
    return true;
}

bool fraud_time_pattern(const char *text, const char *pattern, int zone_minutes, int64_t *ms)
{
    struct tm t = {.tm_mday = 1};
    const char *end = strptime(text, pattern, &t);
    int milli = 0;
    if (!end) return false;
    if (!time_fraction(&end, &milli) || *end) return false;
    if (!date_exists(t.tm_year + 1900, t.tm_mon + 1, t.tm_mday)) return false;
    int64_t offset = strstr(pattern, "%z") ? t.tm_gmtoff : (int64_t)zone_minutes * 60;
    int64_t seconds = days_of(t.tm_year + 1900, t.tm_mon + 1, t.tm_mday) * 86400 +
                      t.tm_hour * 3600 + t.tm_min * 60 + t.tm_sec;
    *ms = (seconds - offset) * 1000 + milli;
    return true;
}
