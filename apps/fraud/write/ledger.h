/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger.h - who owns which partition, and where it stands: the PostgreSQL side of exactly-once.
 *
 * Taking a partition raises its epoch; every later transaction of an earlier owner is refused
 * (r1.advance_offset).
 *
 * Owns:    nothing; a ledger is plain data and borrows the topics' names.
 * Threads: the main thread until the writer starts, the writer until it stops.
 * Errors:  R1_E_FENCED where another owner has taken over; else as r1_store_query. */
#ifndef FRAUD_LEDGER_H
#define FRAUD_LEDGER_H

#include "store/store.h"
#include "write/record.h"

enum { FRAUD_PARTITIONS_MAX = R1_PARTITIONS_MAX }; /* of one topic */

typedef struct {
    int64_t next_offset, epoch;
} fraud_claim;

typedef struct {
    char cluster[64], owner[96];
    const char *topic[FRAUD_N_TOPIC]; /* NULL: not consumed */
    int32_t n_partition[FRAUD_N_TOPIC];
    fraud_claim claim[FRAUD_N_TOPIC][FRAUD_PARTITIONS_MAX];
    int64_t last_seq; /* apply_seq of the last record that was committed */
} fraud_ledger;

/* The offset past the last record of each partition in a batch; 0: partition not in it. */
typedef struct {
    int64_t next[FRAUD_N_TOPIC][FRAUD_PARTITIONS_MAX];
} fraud_targets;

/* Takes all partitions of one topic. */
r1_status fraud_ledger_take(fraud_ledger *l, r1_store *s, fraud_topic topic, const char *name,
                            int32_t n_partition, r1_err *err);

/* Where the claims will stand once these records are committed. Broken invariants: a partition that
 * is not ours, an offset below its claim or behind an earlier record of the batch, an apply_seq
 * that does not rise. Gaps are fine: Kafka's own records and compaction leave some. */
void fraud_ledger_aim(const fraud_ledger *l, fraud_record *const *r, size_t n, fraud_targets *out);
/* The records are committed: claims and last_seq move past them. */
void fraud_ledger_move(fraud_ledger *l, fraud_record *const *r, size_t n);

/* After a commit of unknown outcome: *done tells whether the transaction that was to move
 * topic/partition from old to next has happened. R1_E_FENCED where the stored epoch is not ours. */
r1_status fraud_ledger_landed(const fraud_ledger *l, r1_store *s, fraud_topic topic,
                              int32_t partition, int64_t next, bool *done, r1_err *err);

#endif
