/* SPDX-License-Identifier: GPL-3.0-or-later */
/* arrival.h - what a message is and where it stands in time, found once, when it arrives.
 *
 * Payments and labels of all partitions are merged by the time at which they were known:
 *
 *     a live one, dated at most FRAUD_LIVE_MS before its message   the message's time stamp
 *     an older one, as in history that was sent again              its own time
 *     one whose date cannot be believed or read                    none: it stands where it is
 *
 * A live stream so has the order in which it was sent, whatever terminals were late, and history
 * has the order in which it happened. In one millisecond labels go before payments, as they do in
 * training (walk.h), and payments in the order of sending.
 *
 * Owns:    nothing; a fraud_arrival is plain data in memory that the consumer lends.
 * Threads: the reading thread's. */
#ifndef FRAUD_ARRIVAL_H
#define FRAUD_ARRIVAL_H

#include "serve/time_guard.h"
#include "write/record.h"

#define FRAUD_LIVE_MS (FRAUD_DAY_MS / 24)

typedef struct {
    fraud_reading reading; /* of a label: a payment's words for all or nothing */
    uint64_t content;      /* of a payment: fraud_payment_read */
    char notes[FRAUD_NOTES_BYTES];
    r1_err why;      /* where it is not FRAUD_READ_PAYMENT */
    int64_t took_us; /* to read it */
    bool odd_time;   /* the date cannot be believed by itself */
    union {
        fraud_payment payment; /* of topic 0 */
        fraud_label label;     /* of topic 1 */
    };
} fraud_arrival;

typedef struct {
    fraud_time_band band;
    const fraud_map *map; /* borrowed; NULL: our own names */
} fraud_arrival_opts;

/* The place of something known at ts, whose message is stamped message_ms (0: unknown). Clocks
 * differ: a stamp counts up to band->ahead_ms past the machine's clock. So a machine that is behind
 * its broker finds the order that every other one finds. */
int64_t fraud_arrival_ms(const fraud_time_band *band, int64_t ts, int64_t message_ms,
                         int64_t machine_ms);
/* An r1_placer: fills the message's fraud_arrival and its place. opts: a fraud_arrival_opts. */
void fraud_arrival_place(void *opts, const r1_message *m, void *arrival, r1_merge_key *key);

#endif
