/* SPDX-License-Identifier: GPL-3.0-or-later */
/* time_guard.h - whether the event time of a payment can be believed.
 *
 * One payment with a wrong date would move the state's clock, and the windows of everybody with
 * it. So a payment is held against three clocks: that of its message, that of this machine, and
 * the newest event time that the state has applied.
 *
 *          clock - behind                clock + behind        min(message, machine) + ahead
 *     BEHIND     |           GOOD              |       LEAP             |       AHEAD
 *
 * A live stream's payments lie within `behind` of their messages. Where it paused, a leap is good
 * that does so too. Elsewhere, as in history that is read again, FRAUD_TIME_BELIEVED payments in a
 * row must agree. The last of them is then good; those before it were decided apart. A stream that
 * lies wholly in the past is judged by its own clock, so it is read as it always was.
 *
 * The first payment has no clock of the state. One that is dated before the year 2000 is a leap, so
 * a zero in the place of a date sets no clock. Until FRAUD_TIME_BELIEVED payments were good, the
 * clock may be a wild one, so a payment that is dated near its message is good wherever it leaps.
 *
 * Owns:    nothing; a guard is plain data.
 * Threads: one at a time per guard; fraud_time_judge is pure.
 * Units:   milliseconds since 1970 (UTC). */
#ifndef FRAUD_TIME_GUARD_H
#define FRAUD_TIME_GUARD_H

#include "r1_base.h"

enum { FRAUD_TIME_BELIEVED = 3 }; /* leaps in a row that agree */

typedef enum {
    FRAUD_TIME_GOOD = 0,
    FRAUD_TIME_AHEAD,        /* later than its message and than this machine's clock */
    FRAUD_TIME_BEHIND,       /* far behind the newest payment */
    FRAUD_TIME_LEAP,         /* far ahead of the newest payment, and nothing confirms it */
    FRAUD_TIME_SECONDS,      /* another unit in the place of milliseconds */
    FRAUD_TIME_MICROSECONDS, /* the same */
    FRAUD_TIME_NANOSECONDS,  /* the same */
    FRAUD_N_TIME
} fraud_time_verdict;

typedef struct {
    int64_t ahead_ms;  /* tolerated ahead of the message */
    int64_t behind_ms; /* tolerated behind the state's clock */
} fraud_time_band;

/* What one payment is held against. */
typedef struct {
    int64_t ts;
    int64_t message_ms; /* time stamp of the message; 0: unknown */
    int64_t machine_ms;
    int64_t clock_ms; /* of the state; negative: nothing was applied yet */
} fraud_time_case;

typedef struct {
    fraud_time_band band;
    int64_t leap_ms; /* event time of the last leap */
    uint32_t n_leap; /* leaps in a row that agree */
    uint32_t n_good; /* payments that were good, up to FRAUD_TIME_BELIEVED */
    bool live;       /* the last good payment was dated near its message */
} fraud_time_guard;

/* The latest event time that the message and the machine allow. A message stamped in the future
 * does not widen the band, since the machine's clock bounds it. */
int64_t fraud_time_latest(const fraud_time_band *band, int64_t message_ms, int64_t machine_ms);
/* Judges one payment by itself: a leap is never good. */
fraud_time_verdict fraud_time_judge(const fraud_time_band *band, const fraud_time_case *c);
/* Judges the next payment of a stream: leaps that agree are believed in the end. */
fraud_time_verdict fraud_time_next(fraud_time_guard *g, const fraud_time_case *c);
/* Whether a payment is dated near its message, by either side of `behind`. */
bool fraud_time_live(const fraud_time_band *band, const fraud_time_case *c);
/* After a restart: the last payment that was applied says whether the stream is live; n_good: how
 * many were applied. */
void fraud_time_resume(fraud_time_guard *g, const fraud_time_case *last, size_t n_good);
/* What is wrong, as a sentence with the remedy, for a verdict that is not good. */
void fraud_time_explain(const fraud_time_band *band, const fraud_time_case *c,
                        fraud_time_verdict verdict, char *out, size_t size);

#endif
