/* SPDX-License-Identifier: GPL-3.0-or-later */
/* zone.h - local time by zone, out of the system's tz database (RFC 8536).
 *
 * libc knows one zone at a time and keeps it in the environment, which other threads read; so the
 * files are read here. The rule at a file's end is written out up to the year 2100.
 *
 * Owns:    a zone owns its table.
 * Threads: read-only after fraud_zone_open.
 * Errors:  R1_E_INVAL for a name that is no zone; the file's folder is $TZDIR or
 *          /usr/share/zoneinfo. "UTC" needs no file. */
#ifndef FRAUD_ZONE_H
#define FRAUD_ZONE_H

#include "r1_base.h"

typedef struct fraud_zone fraud_zone;
r1_status fraud_zone_open(fraud_zone **out, const char *name, r1_err *err);
void fraud_zone_free(fraud_zone *z); /* NULL is fine */
/* The same from the bytes of a file. */
r1_status fraud_zone_read(fraud_zone **out, const char *data, size_t len, r1_err *err);

/* What to add to UTC at this moment, in seconds. */
int32_t fraud_zone_offset(const fraud_zone *z, int64_t ts_ms);
int fraud_zone_hour(const fraud_zone *z, int64_t ts_ms);    /* 0 to 23 */
int fraud_zone_weekday(const fraud_zone *z, int64_t ts_ms); /* 1 Monday to 7 Sunday */

/* What a clock on the wall shows, in seconds since 1970, to UTC. */
typedef enum {
    FRAUD_LOCAL_ONCE = 0,
    FRAUD_LOCAL_TWICE, /* the clock was set back over it: the first time is taken */
    FRAUD_LOCAL_NEVER  /* the clock leapt over it: read as by the clock before the leap */
} fraud_local;
fraud_local fraud_zone_utc(const fraud_zone *z, int64_t local_s, int64_t *utc_s);

/* The zone whose name is nearest, as `; did you mean "Europe/Berlin"?`, or "". */
const char *fraud_zone_nearest(const char *name, char *text, size_t size);

/* Days since 1970 of a date of the Gregorian calendar; month 1 to 12. */
int64_t fraud_days_of(int year, int month, int day);

#endif
