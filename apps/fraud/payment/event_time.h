/* SPDX-License-Identifier: GPL-3.0-or-later */
/* event_time.h - points in time from outside, in the forms that systems write, to milliseconds.
 *
 * Threads: pure functions. Errors: a result that says what is wrong. */
#ifndef FRAUD_EVENT_TIME_H
#define FRAUD_EVENT_TIME_H

#include "r1_base.h"

typedef enum {
    FRAUD_TIME_MS = 0, /* whole milliseconds since 1970, or an ISO text */
    FRAUD_TIME_S,      /* seconds since 1970; digits behind the point count to the millisecond */
    FRAUD_TIME_US,
    FRAUD_TIME_NS,
    FRAUD_TIME_ISO,    /* 2026-11-30T14:05:09.123+01:00 (RFC 3339) */
    FRAUD_TIME_PATTERN /* as strptime reads it */
} fraud_time_form;

/* A text of RFC 3339; a blank may stand for the T, and seconds and offset may be missing. *zone
 * tells whether the text has an offset; without one, zone_minutes east of Greenwich hold. */
bool fraud_time_iso(const char *text, int zone_minutes, int64_t *ms, bool *zone);
/* By a pattern of strptime; %z in it wins over zone_minutes. */
bool fraud_time_pattern(const char *text, const char *pattern, int zone_minutes, int64_t *ms);
/* "Z", "UTC", "+05:30" or "-0800" to minutes. */
bool fraud_time_zone(const char *text, int *minutes);

#endif
