/* SPDX-License-Identifier: Apache-2.0 */
/* med_dates.c - see med_dates.h. */
#include "deidentify/med_dates.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NO_YEAR = 2001, MID_MONTH = 15 };

/* "twenty-first" is 21; 0: no such word. */
static int part_ordinal(const char *s, size_t len)
{
    static const char *const words[] = {"first",       "second",     "third",      "fourth",
                                        "fifth",       "sixth",      "seventh",    "eighth",
                                        "ninth",       "tenth",      "eleventh",   "twelfth",
                                        "thirteenth",  "fourteenth", "fifteenth",  "sixteenth",
                                        "seventeenth", "eighteenth", "nineteenth", "twentieth"};
    if (len > 7 && s[6] == '-') {
        int tens = strncasecmp(s, "twenty", 6) == 0   ? 20
                   : strncasecmp(s, "thirty", 6) == 0 ? 30
                                                      : 0;
        return tens ? tens + part_ordinal(s + 7, len - 7) : 0;
    }
    if (len == 9 && strncasecmp(s, "thirtieth", 9) == 0) return 30;
    for (int i = 0; i < 20; i++)
        if (strlen(words[i]) == len && strncasecmp(s, words[i], len) == 0) return i + 1;
    return 0;
}

static int part_number(const char *text, med_stretch s)
{
    int n = 0;
    if (s.end > s.start && isalpha((unsigned char)text[s.start]))
        return part_ordinal(text + s.start, s.end - s.start);
    for (uint32_t i = s.start; i < s.end; i++) n = n * 10 + (text[i] - '0');
    return n;
}

static bool part_there(med_stretch s) { return s.end > s.start; }

/* Whether the first of two numbers is the month. */
static bool first_is_month(const char *text, const med_identifier *hit, bool month_first)
{
    int a = part_number(text, hit->date[MED_DATE_FIRST]),
        b = part_number(text, hit->date[MED_DATE_SECOND]);
    return a > 12 ? false : b > 12 ? true : month_first;
}

med_date med_date_read(const med_identifiers *x, const char *text, const med_identifier *hit,
                       int year, bool month_first)
{
    const med_stretch *p = hit->date;
    med_date d = {.year = part_number(text, p[MED_DATE_YEAR]),
                  .month = part_number(text, p[MED_DATE_MONTH]),
                  .day = part_number(text, p[MED_DATE_DAY])};
    if (part_there(p[MED_DATE_NAME]))
        d.month = med_identifiers_month(x, text + p[MED_DATE_NAME].start,
                                        p[MED_DATE_NAME].end - p[MED_DATE_NAME].start);
    if (part_there(p[MED_DATE_FIRST])) {
        bool first = first_is_month(text, hit, month_first);
        int a = part_number(text, p[MED_DATE_FIRST]), b = part_number(text, p[MED_DATE_SECOND]);
        d.month = first ? a : b;
        d.day = first ? b : a;
    }
    d.brief_year = p[MED_DATE_YEAR].end - p[MED_DATE_YEAR].start == 2;
    if (d.brief_year) d.year += d.year > year % 100 ? year / 100 * 100 - 100 : year / 100 * 100;
    return d;
}

/* Days since 1 January of the year 0, and back; Howard Hinnant's algorithms. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2), era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
}

static void date_of(int64_t days, med_date *d)
{
    int64_t era = days / 146097, of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    d->day = (int)(of_year - (153 * m + 2) / 5 + 1);
    d->month = (int)(m < 10 ? m + 3 : m - 9);
    d->year = (int)(y + era * 400 + (d->month <= 2));
}

med_date med_date_shift(med_date d, int days)
{
    med_date to = d;
    if (!d.month) return d;
    date_of(days_of(d.year ? d.year : NO_YEAR, d.month, d.day ? d.day : MID_MONTH) + days, &to);
    if (!d.year) to.year = 0;
    if (!d.day) to.day = 0;
    return to;
}

/* ---- writing ---- */

static void write_name(FILE *f, const med_identifiers *x, const char *text, med_stretch s,
                       int month)
{
    const char *was = text + s.start;
    size_t len = s.end - s.start;
    int of = med_identifiers_month(x, was, len);
    bool brief = strlen(med_identifiers_month_name(x, of, false)) > len;
    bool upper = len > 1 && isupper((unsigned char)was[1]), lower = islower((unsigned char)*was);
    for (const char *c = med_identifiers_month_name(x, month, brief); *c; c++)
        fputc(upper ? toupper((unsigned char)*c) : lower ? tolower((unsigned char)*c) : *c, f);
}

static const char *ordinal_of(int day)
{
    if (day / 10 == 1) return "th";
    return day % 10 == 1 ? "st" : day % 10 == 2 ? "nd" : day % 10 == 3 ? "rd" : "th";
}

static void write_part(FILE *f, const med_identifiers *x, const char *text,
                       const med_identifier *hit, med_date_part part, med_date d, bool first_month)
{
    med_stretch s = hit->date[part];
    int width = (int)(s.end - s.start), number = 0;
    switch (part) {
    case MED_DATE_YEAR: number = d.brief_year ? d.year % 100 : d.year; break;
    case MED_DATE_MONTH: number = d.month; break;
    case MED_DATE_DAY: number = d.day; break;
    case MED_DATE_FIRST: number = first_month ? d.month : d.day; break;
    case MED_DATE_SECOND: number = first_month ? d.day : d.month; break;
    case MED_DATE_NAME: write_name(f, x, text, s, d.month); return;
    default: fputs(ordinal_of(d.day), f); return;
    }
    if (isalpha((unsigned char)text[s.start])) /* the day in a word becomes a number */
        fprintf(f, "%d%s", number, ordinal_of(number));
    else
        fprintf(f, "%0*d", width, number);
}

void med_date_write(FILE *f, const med_identifiers *x, const char *text, const med_identifier *hit,
                    med_date d, bool month_first)
{
    bool first = first_is_month(text, hit, month_first);
    for (uint32_t at = hit->span.start; at < hit->span.end;) {
        int part = 0;
        while (part < MED_DATE_PARTS &&
               (hit->date[part].start != at || !part_there(hit->date[part])))
            part++;
        if (part == MED_DATE_PARTS) {
            fputc(text[at++], f);
            continue;
        }
        write_part(f, x, text, hit, (med_date_part)part, d, first);
        at = hit->date[part].end;
    }
}
