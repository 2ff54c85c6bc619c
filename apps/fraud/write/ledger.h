/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger.h - who owns which partition, and where it stands: the PostgreSQL side of exactly-once.
 *
 * Taking a partition raises its epoch; every later transaction of an earlier owner is refused
 * (r1.advance_offset).
 *
 * An offset alone names no message: a topic that was made anew begins again at 0, and so does
 * another cluster. So each topic has an incarnation, which stands in every row beside partition and
 * offset, and each partition keeps the identity of the last message that was committed. A new
 * incarnation begins by `r1-fraud offsets reset` alone.
 *
 * Owns:    nothing; a ledger is plain data and borrows the topics' names.
 * Threads: the main thread until the writer starts, the writer until it stops.
 * Errors:  R1_E_FENCED where another owner has taken over; else as r1_store_query. */
#ifndef FRAUD_LEDGER_H
#define FRAUD_LEDGER_H

#include "store/store.h"
#include "write/record.h"

/* What an operator does about offsets that do not fit the broker. */
#define FRAUD_OFFSETS_REMEDY                                                                       \
    "r1-fraud offsets show tells where each partition stands, r1-fraud offsets reset goes on"

enum { FRAUD_PARTITIONS_MAX = R1_PARTITIONS_MAX }; /* of one topic */

typedef struct {
    int64_t next_offset, epoch;
    int64_t last_offset;    /* of the last message committed before it was taken; -1: unknown */
    uint64_t last_identity; /* r1_message_identity of it */
} fraud_claim;

typedef struct {
    char cluster[64], owner[96];
    const char *topic[FRAUD_N_TOPIC]; /* NULL: not consumed */
    /* The reading thread adds partitions while the writer works: first the claim, then it. */
    _Atomic int32_t n_partition[FRAUD_N_TOPIC];
    int64_t incarnation[FRAUD_N_TOPIC];
    fraud_claim claim[FRAUD_N_TOPIC][FRAUD_PARTITIONS_MAX];
    int64_t log_epoch; /* of the log as a whole; log_owner.h */
    int64_t last_seq;  /* apply_seq of the last record that was committed */
    /* Several processes write the log, each the partitions that it owns. apply_seq then rises
     * within a partition; last_seq is the highest of this process. */
    bool shared;
} fraud_ledger;

/* The offset past the last record of each partition in a batch; 0: partition not in it. */
typedef struct {
    int64_t next[FRAUD_N_TOPIC][FRAUD_PARTITIONS_MAX];
    uint64_t identity[FRAUD_N_TOPIC][FRAUD_PARTITIONS_MAX]; /* of that record's message */
} fraud_targets;

/* Whether the topic was read from this cluster before, or from none. R1_E_STREAM where it was read
 * from another one alone: its offsets mean other messages. */
r1_status fraud_ledger_known_cluster(const fraud_ledger *l, r1_store *s, const char *name,
                                     r1_err *err);
/* Takes the partitions of one topic from its first one that is not taken yet up to n_partition. The
 * log has been taken (log_owner.h), and is still held. */
r1_status fraud_ledger_take(fraud_ledger *l, r1_store *s, fraud_topic topic, const char *name,
                            int32_t n_partition, r1_err *err);

/* Takes one partition, whatever others do with the rest. */
r1_status fraud_ledger_claim(fraud_ledger *l, r1_store *s, fraud_topic topic, int32_t partition,
                             r1_err *err);

/* Where the claims will stand once these records are committed. Broken invariants: a partition that
 * is not ours, an offset below its claim or behind an earlier record of the batch, an apply_seq
 * that does not rise. Gaps are fine: Kafka's own records and compaction leave some. */
void fraud_ledger_aim(const fraud_ledger *l, fraud_record *const *r, size_t n, fraud_targets *out);
/* Where last_seq will stand then. */
int64_t fraud_ledger_end(const fraud_ledger *l, fraud_record *const *r, size_t n);
/* The records are committed: claims and last_seq move past them. */
void fraud_ledger_move(fraud_ledger *l, fraud_record *const *r, size_t n);

/* After a commit of unknown outcome: *done tells whether the transaction that was to move
 * topic/partition from old to next has happened. R1_E_FENCED where the stored epoch is not ours. */
r1_status fraud_ledger_landed(const fraud_ledger *l, r1_store *s, fraud_topic topic,
                              int32_t partition, int64_t next, bool *done, r1_err *err);

/* Whether another process has claimed the partition since this one did. */
r1_status fraud_ledger_taken(const fraud_ledger *l, r1_store *s, fraud_topic topic,
                             int32_t partition, bool *taken, r1_err *err);

#endif
