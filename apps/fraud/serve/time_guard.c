/* SPDX-License-Identifier: GPL-3.0-or-later */
/* time_guard.c - see time_guard.h for the bands. */
#include "serve/time_guard.h"
#include "r1_assert.h"

#include <stdio.h>
#include <time.h>

#define YEAR_2000_MS INT64_C(946684800000)

int64_t fraud_time_latest(const fraud_time_band *band, int64_t message_ms, int64_t machine_ms)
{
    bool known = message_ms > 0 && message_ms < machine_ms;
    return (known ? message_ms : machine_ms) + band->ahead_ms;
}

static bool time_near(int64_t a, int64_t b, int64_t width)
{
    return a < b ? b - a <= width : a - b <= width;
}

/* The unit that would make a plausible date of ts: a date since 2000 and not in the future. */
static fraud_time_verdict time_other_unit(int64_t ts, int64_t latest)
{
    if (ts >= YEAR_2000_MS / 1000 && ts <= latest / 1000) return FRAUD_TIME_SECONDS;
    if (ts / 1000 >= YEAR_2000_MS && ts / 1000 <= latest) return FRAUD_TIME_MICROSECONDS;
    if (ts / 1000000 >= YEAR_2000_MS && ts / 1000000 <= latest) return FRAUD_TIME_NANOSECONDS;
    return FRAUD_TIME_GOOD;
}

fraud_time_verdict fraud_time_judge(const fraud_time_band *band, const fraud_time_case *c)
{
    R1_ASSERT(band->ahead_ms >= 0 && band->behind_ms > 0, "band: %lld ms ahead, %lld behind",
              (long long)band->ahead_ms, (long long)band->behind_ms);
    int64_t latest = fraud_time_latest(band, c->message_ms, c->machine_ms);
    bool has_clock = c->clock_ms >= 0, ahead = c->ts > latest;
    if (has_clock && !ahead && time_near(c->ts, c->clock_ms, band->behind_ms))
        return FRAUD_TIME_GOOD;
    fraud_time_verdict unit = time_other_unit(c->ts, latest);
    if (unit != FRAUD_TIME_GOOD) return unit;
    if (ahead) return FRAUD_TIME_AHEAD;
    if (!has_clock) return FRAUD_TIME_GOOD;
    return c->ts < c->clock_ms ? FRAUD_TIME_BEHIND : FRAUD_TIME_LEAP;
}

bool fraud_time_live(const fraud_time_band *band, const fraud_time_case *c)
{
    int64_t latest = fraud_time_latest(band, c->message_ms, c->machine_ms);
    return time_near(c->ts, latest - band->ahead_ms, band->behind_ms);
}

fraud_time_verdict fraud_time_next(fraud_time_guard *g, const fraud_time_case *c)
{
    fraud_time_verdict v = fraud_time_judge(&g->band, c);
    bool settled = g->n_good >= FRAUD_TIME_BELIEVED;
    if (v == FRAUD_TIME_GOOD && c->clock_ms < 0 && c->ts < YEAR_2000_MS) v = FRAUD_TIME_LEAP;
    if (v == FRAUD_TIME_LEAP && !((g->live || !settled) && fraud_time_live(&g->band, c))) {
        bool agrees = g->n_leap && time_near(c->ts, g->leap_ms, g->band.behind_ms);
        g->n_leap = agrees ? g->n_leap + 1 : 1;
        g->leap_ms = c->ts;
        if (g->n_leap < FRAUD_TIME_BELIEVED) return v;
    } else if (v != FRAUD_TIME_GOOD && v != FRAUD_TIME_LEAP) {
        return v;
    }
    g->n_leap = 0;
    g->n_good += !settled;
    g->live = fraud_time_live(&g->band, c);
    return FRAUD_TIME_GOOD;
}

void fraud_time_resume(fraud_time_guard *g, const fraud_time_case *last, size_t n_good)
{
    g->n_leap = 0;
    g->n_good = n_good < FRAUD_TIME_BELIEVED ? (uint32_t)n_good : FRAUD_TIME_BELIEVED;
    g->live = fraud_time_live(&g->band, last);
}

/* "2026-11-30 01:47:59 UTC" */
static const char *time_text(int64_t ms, char out[32])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    if (!gmtime_r(&seconds, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm))
        snprintf(out, 32, "%lld ms", (long long)ms);
    return out;
}

static void explain_unit(const fraud_time_case *c, const char *unit, int64_t as_ms, char *out,
                         size_t size)
{
    char date[32];
    snprintf(out, size,
             "ts: looks like %s: expected milliseconds since 1970, found %lld (%s if it is); send "
             "%lld, or name the unit where the fields are mapped",
             unit, (long long)c->ts, time_text(as_ms, date), (long long)as_ms);
}

static void explain_band(const fraud_time_band *band, const fraud_time_case *c,
                         fraud_time_verdict verdict, char *out, size_t size)
{
    static const char *const what[FRAUD_N_TIME] = {
        [FRAUD_TIME_AHEAD] = "lies ahead of its message: expected at most",
        [FRAUD_TIME_BEHIND] = "lies far behind the newest payment: expected at least",
        [FRAUD_TIME_LEAP] = "leaps ahead of the newest payment: expected at most"};
    static const char *const setting[FRAUD_N_TIME] = {[FRAUD_TIME_AHEAD] = "time-ahead",
                                                      [FRAUD_TIME_BEHIND] = "time-behind",
                                                      [FRAUD_TIME_LEAP] = "time-behind"};
    int64_t bound = verdict == FRAUD_TIME_AHEAD
                        ? fraud_time_latest(band, c->message_ms, c->machine_ms)
                    : verdict == FRAUD_TIME_BEHIND ? c->clock_ms - band->behind_ms
                                                   : c->clock_ms + band->behind_ms;
    char found[32], expected[32];
    if (verdict == FRAUD_TIME_LEAP && c->clock_ms < 0) {
        snprintf(out, size,
                 "ts: of the first payment expected a date since 2000, or %d payments that agree, "
                 "found %s",
                 FRAUD_TIME_BELIEVED, time_text(c->ts, found));
        return;
    }
    snprintf(out, size, "ts: %s %s, found %s (setting %s)", what[verdict],
             time_text(bound, expected), time_text(c->ts, found), setting[verdict]);
}

void fraud_time_explain(const fraud_time_band *band, const fraud_time_case *c,
                        fraud_time_verdict verdict, char *out, size_t size)
{
    R1_ASSERT(verdict > FRAUD_TIME_GOOD && verdict < FRAUD_N_TIME, "verdict %d", (int)verdict);
    if (verdict == FRAUD_TIME_SECONDS)
        explain_unit(c, "seconds", c->ts * 1000, out, size);
    else if (verdict == FRAUD_TIME_MICROSECONDS)
        explain_unit(c, "microseconds", c->ts / 1000, out, size);
    else if (verdict == FRAUD_TIME_NANOSECONDS)
        explain_unit(c, "nanoseconds", c->ts / 1000000, out, size);
    else
        explain_band(band, c, verdict, out, size);
}
