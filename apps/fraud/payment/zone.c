/* SPDX-License-Identifier: GPL-3.0-or-later */
/* zone.c - a file of the tz database to one table of changes, and the look-up in it. */
#include "payment/zone.h"
#include "text/nearest.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ZONE_BYTES_MAX = 1 << 18,
    ZONE_CHANGES_MAX = 4096,
    ZONE_HEADER = 44,
    ZONE_LAST_YEAR = 2100,
    ZONE_DAY = 86400
};

typedef struct {
    int64_t at; /* s, UTC */
    int32_t offset;
} zone_change;

struct fraud_zone {
    int32_t first; /* before the first change */
    size_t n;
    zone_change change[ZONE_CHANGES_MAX];
};

/* ---- calendar ---- */

int64_t fraud_days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400,
            doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1,
            doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static int64_t zone_floor(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* 0 Sunday to 6 Saturday. */
static int zone_sunday(int64_t days) { return (int)(((days + 4) % 7 + 7) % 7); }

/* The year of a moment, within 1970 and ZONE_LAST_YEAR + 1: no payment lies outside. */
static int zone_year(int64_t s)
{
    int year = 1970;
    while (year <= ZONE_LAST_YEAR && fraud_days_of(year + 1, 1, 1) * ZONE_DAY <= s) year++;
    return year;
}

/* ---- the rule behind the table: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

typedef struct {
    int month, week, day; /* the n-th weekday of a month; week 5: the last one */
    int32_t time;         /* s after local midnight */
} zone_day;

static bool zone_skip_name(const char **s)
{
    const char *p = *s;
    if (*p == '<') {
        p += strcspn(p, ">");
        if (!*p) return false;
        *s = p + 1;
        return true;
    }
    while (isalpha((unsigned char)*p)) p++;
    bool good = p - *s >= 3;
    *s = p;
    return good;
}

/* [+-]h[h[h]][:mm[:ss]] in seconds. */
static bool zone_time(const char **s, int32_t *out)
{
    int sign = **s == '-' ? -1 : 1;
    if (**s == '-' || **s == '+') ++*s;
    int32_t total = 0;
    for (int unit = 3600; unit; unit /= 60) {
        int n = 0, digits = 0;
        for (; isdigit((unsigned char)**s) && digits < 3; digits++) n = n * 10 + *(*s)++ - '0';
        if (!digits || n > 167) return false;
        total += n * unit;
        if (**s != ':') break;
        ++*s;
    }
    *out = sign * total;
    return true;
}

static bool zone_number(const char **s, char before, int min, int max, int *out)
{
    if (**s != before) return false;
    int n = 0, digits = 0;
    for (++*s; isdigit((unsigned char)**s) && digits < 3; digits++) n = n * 10 + *(*s)++ - '0';
    *out = n;
    return digits && n >= min && n <= max;
}

static bool zone_rule_day(const char **s, zone_day *d)
{
    d->time = 2 * 3600;
    if (*(*s)++ != ',') return false;
    if (!zone_number(s, 'M', 1, 12, &d->month) || !zone_number(s, '.', 1, 5, &d->week) ||
        !zone_number(s, '.', 0, 6, &d->day))
        return false;
    if (**s != '/') return true;
    ++*s;
    return zone_time(s, &d->time);
}

/* Local midnight of the rule's day, plus its time. */
static int64_t zone_day_at(const zone_day *d, int year)
{
    int64_t first = fraud_days_of(year, d->month, 1),
            next = d->month == 12 ? fraud_days_of(year + 1, 1, 1)
                                  : fraud_days_of(year, d->month + 1, 1),
            day = first + (d->day - zone_sunday(first) + 7) % 7 + (d->week - 1) * 7;
    while (day >= next) day -= 7;
    return day * ZONE_DAY + d->time;
}

static bool zone_put(fraud_zone *z, int64_t at, int32_t offset)
{
    if (z->n && at <= z->change[z->n - 1].at) return true; /* stands in the table */
    if (z->n == ZONE_CHANGES_MAX) return false;
    z->change[z->n++] = (zone_change){at, offset};
    return true;
}

static bool zone_rule(fraud_zone *z, const char *s)
{
    int32_t standard, summer;
    zone_day to_summer, to_standard;
    if (!*s) return true;
    if (!zone_skip_name(&s) || !zone_time(&s, &standard)) return false;
    standard = -standard;
    if (!*s) return z->n ? true : (z->first = standard, true);
    summer = standard + 3600;
    if (!zone_skip_name(&s)) return false;
    if (*s != ',') {
        if (!zone_time(&s, &summer)) return false;
        summer = -summer;
    }
    if (!zone_rule_day(&s, &to_summer) || !zone_rule_day(&s, &to_standard) || *s) return false;
    int year = z->n ? zone_year(z->change[z->n - 1].at) : 1970;
    bool good = true;
    for (; good && year <= ZONE_LAST_YEAR; year++) {
        int64_t on = zone_day_at(&to_summer, year) - standard,
                off = zone_day_at(&to_standard, year) - summer;
        good = on < off ? zone_put(z, on, summer) && zone_put(z, off, standard)
                        : zone_put(z, off, standard) && zone_put(z, on, summer);
    }
    return good;
}

/* ---- the file ---- */

static int64_t zone_be(const char *at, int bytes)
{
    uint64_t x = at[0] & 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < bytes; i++) x = x << 8 | (unsigned char)at[i];
    int64_t out;
    memcpy(&out, &x, sizeof out);
    return out;
}

typedef struct { /* counts of a header, in its order */
    size_t is_ut, is_std, leap, time, type, chars;
} zone_counts;

static bool zone_header(const char *data, size_t len, zone_counts *c)
{
    if (len < ZONE_HEADER || memcmp(data, "TZif", 4) != 0) return false;
    size_t *const to[] = {&c->is_ut, &c->is_std, &c->leap, &c->time, &c->type, &c->chars};
    for (size_t i = 0; i < R1_COUNT(to); i++) {
        *to[i] = (size_t)zone_be(data + 20 + 4 * i, 4);
        if (*to[i] > ZONE_BYTES_MAX) return false;
    }
    return c->type >= 1;
}

static size_t zone_block(const zone_counts *c, size_t time_bytes)
{
    return c->time * (time_bytes + 1) + c->type * 6 + c->chars + c->leap * (time_bytes + 4) +
           c->is_std + c->is_ut;
}

static bool zone_table(fraud_zone *z, const char *data, const zone_counts *c, size_t bytes)
{
    const char *kind = data + c->time * bytes, *type = kind + c->time;
    z->first = (int32_t)zone_be(type, 4);
    for (size_t i = 0; i < c->time; i++) {
        size_t k = (unsigned char)kind[i];
        if (k >= c->type) return false;
        if (!zone_put(z, zone_be(data + i * bytes, (int)bytes), (int32_t)zone_be(type + 6 * k, 4)))
            return false;
    }
    for (size_t i = 0; i < z->n; i++)
        if (abs(z->change[i].offset) > 26 * 3600) return false;
    return abs(z->first) <= 26 * 3600;
}

static bool zone_parse(fraud_zone *z, const char *data, size_t len)
{
    zone_counts c;
    if (!zone_header(data, len, &c)) return false;
    size_t skip = ZONE_HEADER + zone_block(&c, 4);
    if (skip > len) return false;
    if (data[4] < '2') return zone_table(z, data + ZONE_HEADER, &c, 4);
    data += skip;
    len -= skip;
    if (!zone_header(data, len, &c)) return false;
    size_t end = ZONE_HEADER + zone_block(&c, 8);
    if (end + 2 > len || data[end] != '\n' || !zone_table(z, data + ZONE_HEADER, &c, 8))
        return false;
    char rule[128];
    const char *from = data + end + 1, *to = memchr(from, '\n', len - end - 1);
    if (!to || (size_t)(to - from) >= sizeof rule) return false;
    memcpy(rule, from, (size_t)(to - from));
    rule[to - from] = 0;
    return zone_rule(z, rule);
}

r1_status fraud_zone_read(fraud_zone **out, const char *data, size_t len, r1_err *err)
{
    fraud_zone *z = calloc(1, sizeof *z);
    if (!z) R1_FAIL(err, R1_E_NOMEM, "no memory for a time zone");
    if (!zone_parse(z, data, len)) {
        free(z);
        R1_FAIL(err, R1_E_FORMAT, "expected a time zone (RFC 8536), found other bytes");
    }
    *out = z;
    return R1_OK;
}

static const char *zone_folder(void)
{
    const char *folder = getenv("TZDIR");
    return folder && *folder ? folder : "/usr/share/zoneinfo";
}

static bool zone_named(const char *name)
{
    size_t len = strlen(name);
    if (!len || len > 63 || *name == '/' || name[len - 1] == '/' || strstr(name, ".."))
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("_+-/", *name)) return false;
    return true;
}

r1_status fraud_zone_open(fraud_zone **out, const char *name, r1_err *err)
{
    char path[512], *data = NULL, near[96];
    size_t len = 0;
    *out = NULL;
    if (!strcmp(name, "UTC")) {
        *out = calloc(1, sizeof **out);
        if (!*out) R1_FAIL(err, R1_E_NOMEM, "no memory for a time zone");
        return R1_OK;
    }
    snprintf(path, sizeof path, "%s/%.63s", zone_folder(), name);
    r1_status st =
        zone_named(name) ? r1_file_read(path, ZONE_BYTES_MAX, &data, &len, NULL) : R1_E_INVAL;
    if (st == R1_OK) st = fraud_zone_read(out, data, len, NULL);
    free(data);
    if (st == R1_OK || st == R1_E_NOMEM) return st;
    R1_FAIL(err, R1_E_INVAL, "expected a time zone such as \"Europe/Berlin\", found \"%.40s\"%s",
            name, fraud_zone_nearest(name, near, sizeof near));
}

void fraud_zone_free(fraud_zone *z) { free(z); }

/* ---- names that were meant ---- */

const char *fraud_zone_nearest(const char *name, char *text, size_t size)
{
    char path[512], *data = NULL;
    size_t len;
    r1_nearest near = {.found = name};
    *text = 0;
    snprintf(path, sizeof path, "%s/zone.tab", zone_folder());
    if (r1_file_read(path, ZONE_BYTES_MAX, &data, &len, NULL) != R1_OK) return text;
    for (char *line = data, *next; *line; line = next) { /* code, place, zone, remarks */
        next = line + strcspn(line, "\n");
        if (*next) *next++ = 0;
        if (*line == '#') continue;
        for (int tab = 0; line && tab < 2; tab++)
            line = strchr(line, '\t') ? strchr(line, '\t') + 1 : NULL;
        if (!line) continue;
        line[strcspn(line, "\t")] = 0;
        r1_nearest_offer(&near, line);
    }
    r1_nearest_text(&near, text, size);
    free(data);
    return text;
}

/* ---- look-up ---- */

int32_t fraud_zone_offset(const fraud_zone *z, int64_t ts_ms)
{
    int64_t s = zone_floor(ts_ms, 1000);
    size_t low = 0, high = z->n; /* changes [0, low) have come */
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (z->change[mid].at <= s)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? z->change[low - 1].offset : z->first;
}

/* A day and two hours on either side lie beyond any offset, so the two offsets are those before and
 * behind a change that may be near. */
fraud_local fraud_zone_utc(const fraud_zone *z, int64_t local_s, int64_t *utc_s)
{
    const int64_t far = 26 * 3600;
    int32_t before = fraud_zone_offset(z, (local_s - far) * 1000),
            behind = fraud_zone_offset(z, (local_s + far) * 1000);
    bool by_before = fraud_zone_offset(z, (local_s - before) * 1000) == before,
         by_behind = fraud_zone_offset(z, (local_s - behind) * 1000) == behind;
    *utc_s = local_s - (by_before || !by_behind ? before : behind);
    if (by_before && by_behind) return before == behind ? FRAUD_LOCAL_ONCE : FRAUD_LOCAL_TWICE;
    return by_before || by_behind ? FRAUD_LOCAL_ONCE : FRAUD_LOCAL_NEVER;
}

static int64_t zone_local(const fraud_zone *z, int64_t ts_ms)
{
    return zone_floor(ts_ms, 1000) + fraud_zone_offset(z, ts_ms);
}

int fraud_zone_hour(const fraud_zone *z, int64_t ts_ms)
{
    int64_t s = zone_local(z, ts_ms);
    return (int)((s - zone_floor(s, ZONE_DAY) * ZONE_DAY) / 3600);
}

int fraud_zone_weekday(const fraud_zone *z, int64_t ts_ms)
{
    int day = zone_sunday(zone_floor(zone_local(z, ts_ms), ZONE_DAY));
    return day ? day : 7;
}
