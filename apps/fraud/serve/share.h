/* SPDX-License-Identifier: GPL-3.0-or-later */
/* share.h - the service as one of several processes over one stream (fleet/fleet.h).
 *
 * Every event is applied. Where it goes then depends on whose its partition is:
 *
 *     ours                             into the batch: scored, decided, written
 *     another's, and committed         nowhere
 *     another's, not seen committed    held, with what scoring needs
 *
 * The group gives out the partitions of payments, so that these are spread evenly. A partition of
 * labels belongs to whoever owns the payments of its number, modulo their count at the beginning.
 *
 * A partition that becomes ours is decided from its stored offset on, out of what is held. What is
 * not held any more ends the process: its next start replays the events from a snapshot that is
 * old enough.
 *
 * Owns:    the fleet, and what is held. Threads: the reading thread's.
 * Errors:  as fleet.h; R1_E_AGAIN where a restart is needed. */
#ifndef FRAUD_SHARE_H
#define FRAUD_SHARE_H

#include "fleet/fleet.h"
#include "serve/server.h"

typedef struct {
    fraud_fleet_stats fleet;
    uint64_t held, held_bytes, held_bytes_max, held_dropped;
    uint64_t takeovers, taken_records; /* partitions taken, and held records that were decided */
    int32_t owned[FRAUD_EVENT_TOPICS]; /* partitions */
    int32_t missing;                   /* partitions of payments that no process was given */
} fraud_share_stats;

/* ---- start, in this order ---- */

r1_status fraud_share_open(server *s, r1_err *err);   /* retriable while something is not there */
r1_status fraud_share_replay(server *s, r1_err *err); /* up to the present; nothing is ours yet */
r1_status fraud_share_join(server *s, r1_err *err);

/* ---- for the snapshot and the restore ---- */

fraud_snapshot_part fraud_share_part(server *s);
/* The same for a process alone: it goes on from the state of several, once all of it is committed.
 * It saves nothing. Ownership has been taken. */
fraud_snapshot_part fraud_share_part_alone(server *s);
/* The last row of PostgreSQL's log that a start without a snapshot applies. */
int64_t fraud_share_base(const server *s);
bool fraud_share_placed(const server *s); /* a snapshot told where the events are read on */
/* After a restore: the events are read on from there. */
r1_status fraud_share_begin(server *s, r1_err *err);

/* ---- while it runs ---- */

/* What the group changed, what others committed. Once a turn of the loop, with an empty batch. */
r1_status fraud_share_turn(server *s, r1_err *err);
/* The next event, applied. R1_E_TIMEOUT: none came in time, or no record is free. */
r1_status fraud_share_take(server *s, batch *b, int timeout_ms, r1_err *err);
bool fraud_share_busy(const server *s); /* something has arrived, or waits to be decided */
/* For the writer: whether this process feeds the topics. Alone: empty. */
fraud_keeper_shared fraud_share_outbox(server *s);
void fraud_share_hints(server *s, int topic, const int64_t *next, int32_t n);
/* Where a partition stands. *high: the next offset of the broker where this process sequences.
 * Else that of the events that were read, for what is ours; -1: not known. *next: up to which it is
 * committed, as far as this process knows. */
void fraud_share_stands(const server *s, int topic, int32_t partition, int64_t *high,
                        int64_t *next);
void fraud_share_stats_read(const server *s, fraud_share_stats *out);

/* Settings were reloaded: the other processes are told. Alone: nothing. */
void fraud_share_reloaded(server *s);

/* Gives up what is ours, so that others take it at once. */
void fraud_share_leave(server *s);
void fraud_share_free(server *s); /* behind the queue */

#endif
