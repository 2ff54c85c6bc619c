/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fleet.h - one of several processes that share a stream.
 *
 *    topics ─▶ sequencer (one of the processes) ─▶ topic of events ─▶ reader (each process)
 *
 * Each process reads every event, so each has the whole state. What it decides and writes are the
 * partitions that the consumer group gives it. Four threads stand beside the reader:
 *
 *     lease      renews or asks for the sequencer's lease, asks how far others have committed, and
 *                compares settings with theirs
 *     sequencer  runs an epoch while this process has the lease
 *     group      is a member of the consumer group
 *     pulse      notices that all of them stood still for too long, and ends the process
 *
 * Owns:    threads, clients and a connection; borrows every text.
 * Threads: the functions are the reader's, but for fraud_fleet_hint and fraud_fleet_stats_read.
 * Errors:  fraud_fleet_status says what ends the process. */
#ifndef FRAUD_FLEET_H
#define FRAUD_FLEET_H

#include "fleet/lease.h"
#include "fleet/member.h"
#include "fleet/sequencer.h"
#include "stream/group.h"

typedef struct {
    r1_stream_opts stream; /* with the placer of messages; its group is the consumer group */
    const char *topic[FRAUD_EVENT_TOPICS]; /* payments, labels; NULL: none */
    const char *events, *cluster, *owner, *conninfo;
    const char *made; /* fraud_genesis.made of this database's log */
    int session_ms, lease_ms, refresh_ms;
} fraud_fleet_opts;

typedef struct {
    bool sequences;
    int64_t epoch;  /* the newest */
    int64_t number; /* of the last event that counts */
    int64_t lag;    /* events that the broker has beyond it; -1: not known */
    uint64_t voids; /* events that did not count, those of another form included */
    uint64_t appended, cut;
    uint64_t renewed;      /* of its producer, see fraud_sequencer_stats */
    r1_merge_stats merged; /* while it was the sequencer */
    int session_ms;        /* of the consumer group; may be longer than asked for */
    char sequencer[96];
    int members;   /* processes that live, this one included; 0: it has not joined */
    size_t differ; /* settings of decisions in which others differ */
} fraud_fleet_stats;

typedef struct fraud_fleet fraud_fleet;

/* Makes the topic where it is not there. R1_E_INVAL: it has more than one partition. */
r1_status fraud_fleet_new(fraud_fleet **out, const fraud_fleet_opts *opts, r1_err *err);
/* Gives up lease and partitions, and ends the threads. What was read stays good. */
void fraud_fleet_leave(fraud_fleet *f);
void fraud_fleet_free(fraud_fleet *f); /* after the last message that it read; NULL is fine */

/* Learns where the topic begins. An empty one is opened by this process or another one. `make` then
 * fences the log's owner, and says where the log of PostgreSQL stands. *whole is false where the
 * topic's beginning was deleted; *out is then not filled. */
typedef r1_status fraud_genesis_make(void *ctx, fraud_genesis *g, r1_err *err);
r1_status fraud_fleet_genesis(fraud_fleet *f, r1_store *s, fraud_genesis_make *make, void *ctx,
                              fraud_genesis *out, bool *whole, r1_err *err);
/* Is one of the processes from now on, with these settings. R1_E_INVAL: those of another process
 * give another state. After fraud_fleet_genesis, once. */
r1_status fraud_fleet_enter(fraud_fleet *f, r1_store *s, const fraud_member *m, r1_err *err);
/* Its settings of decisions, what waits for a restart, or what it owns are others now. */
void fraud_fleet_tell(fraud_fleet *f, const fraud_member *m);
/* Partitions of payments that no process of this log was given, as far as this one knows. */
int fraud_fleet_missing(fraud_fleet *f, int n_partition);

/* Whether the topic still holds what lies behind this place. R1_E_NOT_FOUND: it does not, or the
 * place is of another log. */
r1_status fraud_fleet_reaches(fraud_fleet *f, const fraud_fleet_place *at, r1_err *err);
uint64_t fraud_fleet_log(const fraud_fleet *f); /* whose events the topic has */
/* Reads on from here: that of a snapshot, or NULL: behind the genesis. */
r1_status fraud_fleet_begin(fraud_fleet *f, const fraud_fleet_place *at, r1_err *err);
/* Whether what the broker held when fraud_fleet_begin was called has been read. */
bool fraud_fleet_caught_up(const fraud_fleet *f);
/* Takes part from now on: as sequencer and as owner. */
r1_status fraud_fleet_join(fraud_fleet *f, r1_err *err);

/* The next message that counts, as it came from its own topic, and its event. R1_E_TIMEOUT: none
 * came in time. */
r1_status fraud_fleet_read(fraud_fleet *f, int timeout_ms, r1_message *m, fraud_event *e,
                           r1_err *err);
/* The place of the payment that was read last: the next sequencer goes on from there. */
void fraud_fleet_merged(fraud_fleet *f, int64_t place_ms);
const fraud_fleet_place *fraud_fleet_where(const fraud_fleet *f);
bool fraud_fleet_holds(const fraud_fleet *f); /* whether an event has arrived that was not read */

/* What the group changed; false: nothing. After TAKEN nothing comes before fraud_fleet_released. */
bool fraud_fleet_change(fraud_fleet *f, r1_group_event *out);
void fraud_fleet_released(fraud_fleet *f);
/* Copies how far partitions are committed, where it was asked anew since; false: it was not. */
bool fraud_fleet_committed(fraud_fleet *f,
                           int64_t next[FRAUD_EVENT_TOPICS][FRAUD_EVENT_PARTITIONS]);
/* The number up to which all events are committed, by whomever; 0: not known yet. Any thread. */
int64_t fraud_fleet_whole(const fraud_fleet *f);
bool fraud_fleet_sequences(fraud_fleet *f); /* any thread */
/* The broker's next offset of a partition, which the sequencer knows; -1: not known. Any thread. */
int64_t fraud_fleet_high(fraud_fleet *f, int topic, int32_t partition);
r1_status fraud_fleet_status(fraud_fleet *f, r1_err *err);
void fraud_fleet_hint(fraud_fleet *f, int topic, const int64_t *next, int32_t n);
void fraud_fleet_stats_read(fraud_fleet *f, fraud_fleet_stats *out);

#endif
