/* SPDX-License-Identifier: GPL-3.0-or-later */
/* event_time.h - points in time from outside, in the forms that systems write, to milliseconds.
 *
 * Threads: pure functions. Errors: a result that says what is wrong. */
#ifndef FRAUD_EVENT_TIME_H
#define FRAUD_EVENT_TIME_H

#include "payment/zone.h"

typedef enum {
    FRAUD_TIME_MS = 0, /* whole milliseconds since 1970, or an ISO text */
    FRAUD_TIME_S,      /* seconds since 1970; digits behind the point count to the millisecond */
    FRAUD_TIME_US,
    FRAUD_TIME_NS,
    FRAUD_TIME_ISO,    /* 2026-11-30T14:05:09.123+01:00 (RFC 3339) */
    FRAUD_TIME_EXCEL,  /* days of a spreadsheet since 1899-12-30, local: 45987.53 or 45987,53 */
    FRAUD_TIME_PATTERN /* as strptime reads it */
} fraud_time_form;

/* How the times of one sender are written. */
typedef struct {
    fraud_time_form form;
    const char *pattern; /* of FRAUD_TIME_PATTERN */
    /* Of a time without an offset: a zone, else minutes east of Greenwich. */
    const fraud_zone *zone;
    int zone_minutes;
    bool told; /* somebody has said so; else it is a guess, which is noted */
} fraud_time_style;

/* A text of RFC 3339; a blank may stand for the T, and seconds, offset and the minutes of an offset
 * may be missing. *zone tells whether the text has an offset; without one, *ms is what a clock on
 * the wall shows. */
bool fraud_time_iso(const char *text, int64_t *ms, bool *zone);
/* By a pattern of strptime; *zone and *ms as above. Where the pattern has numbers side by side,
 * each has all its digits. Behind what the pattern reads there may be a fraction of a second, and
 * an offset. %p reads a.m. and p.m. too. */
bool fraud_time_pattern(const char *text, const char *pattern, int64_t *ms, bool *zone);
/* A number of units since 1970, by one of the first four forms. */
bool fraud_time_number(const char *text, fraud_time_form form, int64_t *ms);
/* Days of a spreadsheet; *ms is what a clock on the wall shows. */
bool fraud_time_excel(const char *text, int64_t *ms);
/* A form in the mapping file: "ms", "s", "us", "ns", "iso", "excel"; NULL: a pattern. */
const char *fraud_time_form_name(fraud_time_form form);
/* By the form of the style; where that is a unit, an ISO text is read as well. */
bool fraud_time_read(const fraud_time_style *style, const char *text, int64_t *ms, bool *zone);
/* Whether the pattern tells a date, and nothing that would be passed over; else why says what is
 * expected. */
bool fraud_time_pattern_check(const char *pattern, char *why, size_t size);
/* "Z", "UTC", "+05:30", "-0800" or "+01" to minutes. */
bool fraud_time_zone(const char *text, int *minutes);
/* What a clock on the wall shows, to UTC. */
fraud_local fraud_time_utc(const fraud_time_style *style, int64_t *ms);

#endif
