/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sequencer.h - one epoch of the sequencer: the messages of all partitions, merged into one order
 * as a process alone would read them, appended to the topic of events.
 *
 * (1) It appends its marker, and waits until this process has read the topic up to it. What counts
 *     before the marker says where each partition is read on.
 * (2) So each message becomes one event that counts, whatever an earlier sequencer did.
 * (3) A message that the broker does not take ends the epoch, since those behind it are void. The
 *     next epoch begins with that message.
 *
 * Owns:    a producer and a consumer for as long as it runs. Borrows the rest.
 * Threads: its caller's; progress is read by any.
 * Errors:  R1_OK: the epoch has ended, and another may begin. Else what a process alone would end
 *          by: a gap, a topic made anew. */
#ifndef FRAUD_SEQUENCER_H
#define FRAUD_SEQUENCER_H

#include "fleet/event.h"
#include "stream/stream.h"

/* Where a reader of the events stands; plain data. */
typedef struct {
    uint64_t version;
    fraud_fold fold;
    int64_t events_next; /* offset in the topic of events */
    int64_t merged_ms;   /* place of the last payment in the order of time (stream/merge.h) */
    /* Of each partition: the next offset, and the last message that was read; -1: none. */
    int64_t next[FRAUD_EVENT_TOPICS][FRAUD_EVENT_PARTITIONS];
    int64_t last_offset[FRAUD_EVENT_TOPICS][FRAUD_EVENT_PARTITIONS];
    uint64_t identity[FRAUD_EVENT_TOPICS][FRAUD_EVENT_PARTITIONS];
} fraud_fleet_place;

typedef struct {
    _Atomic uint64_t appended, cut;
    _Atomic uint64_t renewed; /* clients of ended epochs that took an ended one's place */
    _Atomic uint64_t late, behind, leaps; /* r1_merge_stats of all its epochs */
    /* The broker's next offset of each partition plus 1, of the newest epoch; 0: not known. */
    _Atomic int64_t high[FRAUD_EVENT_TOPICS][FRAUD_EVENT_PARTITIONS];
    _Atomic size_t body_max; /* key, payload and headers of an event; falls where one is refused */
} fraud_sequencer_stats;

typedef struct {
    r1_stream_opts stream; /* with the placer of messages */
    const char *const *topic;
    int n_topic;
    const char *events;
    int refresh_ms; /* between looks for added partitions */
    int64_t epoch;
    uint64_t log;
    void *ctx;
    bool (*leads)(void *ctx); /* whether the epoch goes on */
    /* Waits until the reader has met the marker; false: the epoch ends before. */
    bool (*at_marker)(void *ctx, fraud_fleet_place *out);
    fraud_sequencer_stats *stats;
} fraud_sequencer_opts;

r1_status fraud_sequencer_run(const fraud_sequencer_opts *o, r1_err *err);
/* Appends one event without a message and waits for the broker; payload NULL: none. */
r1_status fraud_event_append(r1_producer *p, const char *events, const fraud_event *e,
                             const char *payload, int timeout_ms, r1_err *err);

#endif
