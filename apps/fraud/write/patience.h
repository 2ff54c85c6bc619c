/* SPDX-License-Identifier: GPL-3.0-or-later */
/* patience.h - waiting for something outside that comes back by itself: longer each time, and
 * said at most once a second.
 *
 * Owns:    nothing. Threads: one at a time on each. Errors: none. */
#ifndef FRAUD_PATIENCE_H
#define FRAUD_PATIENCE_H

#include "r1_base.h"

typedef struct {
    int next_ms;     /* 0: the first wait is the shortest */
    int64_t said_us; /* monotonic, of the last line */
    uint64_t unsaid; /* waits since that line */
    uint64_t n;      /* waits in all */
    /* Of the trouble in hand: its last event (static; NULL: none was said), since when, monotonic,
     * and its waits. */
    const char *event;
    int64_t since_us;
    uint64_t tries;
} fraud_patience;

/* It is back, which is said where its absence was: the next wait is short again. */
void fraud_patience_reset(fraud_patience *p);
/* Says what is waited for, unless it was said in the last second, and sleeps 5 ms to 1 s. */
void fraud_patience_wait(fraud_patience *p, const char *event, const char *what, const r1_err *err);
/* The next wait in ms, without waiting. */
int fraud_patience_next(fraud_patience *p);
/* Says without waiting. */
void fraud_patience_say(fraud_patience *p, const char *event, const char *what, const r1_err *err);
#endif
