/* SPDX-License-Identifier: GPL-3.0-or-later */
/* writer.h - the writing thread: results, dead letters and offsets in one transaction, then the
 * latency of what was committed.
 *
 * (1) A record is in PostgreSQL exactly when the offset of its partition is past it: one
 *     transaction does both.
 * (2) It commits as soon as the last commit has returned, at most `rows` records, without a timer.
 * (3) While PostgreSQL is away, read-only, full, locked or short of connections it waits, the
 *     queue fills, and the scoring thread stops reading. After a commit of unknown outcome it asks
 *     the ledger before it repeats anything. It ends only where waiting cannot help.
 * (4) The log and the engine's state agree. A payment whose row PostgreSQL refuses is written with
 *     its payload alone. Where that is refused too it becomes a dead letter, and the process must
 *     end, as its state holds what the log lacks. The rest of its batch is written as it was.
 * (5) Topics are fed from the database by a thread of their own (keeper.h).
 * (6) Once fenced it writes nothing more: fraud_writer_status says R1_E_FENCED, and the process
 *     must end. Of several processes each partition has its own fence: where another process has
 *     claimed one, what is left of it here is left out, and the rest is written.
 *
 * Owns:    two connections and two threads; borrows ledger, queue, producer and every text.
 * Threads: one of its own, between start and stop; the functions here belong to the caller's. */
#ifndef FRAUD_WRITER_H
#define FRAUD_WRITER_H

#include "write/keeper.h"
#include "write/tally.h"

typedef struct {
    const char *conninfo;
    int64_t statement_s;        /* longest statement; 0: no limit */
    size_t rows;                /* records of one transaction, 1..500 */
    const char *model, *config; /* versions that the decision rows name */
    const char *model_text, *config_text;
    r1_producer *producer;       /* NULL: decisions and dead letters are not sent to topics */
    const char *decisions_topic; /* NULL: not sent */
    const char *dead_topic;      /* NULL: not sent */
    uint64_t stats_skip;         /* payments before latencies count */
    fraud_ledger *ledger;        /* borrowed; its claims move with each commit */
    fraud_queue *queue;          /* borrowed */
    fraud_keeper_shared shared;  /* where others write the log too */
} fraud_writer_opts;

typedef struct {
    uint64_t payments, duplicates, dead, labels, left_out, commits, reconnects;
    uint64_t waits;   /* for PostgreSQL */
    uint64_t refused; /* rows that PostgreSQL refused */
    uint64_t fenced;  /* records of partitions that another process had claimed: it decides them */
    fraud_keeper_stats keeper;
    uint64_t actions[3];         /* by fraud_action */
    r1_histogram sent_latency;   /* intended send time to commit returned */
    r1_histogram broker_latency; /* broker's time stamp (ms) to commit returned */
    r1_histogram commit_time;    /* one transaction */
    r1_histogram decide_latency; /* intended send time to decision */
    fraud_tally tally;
} fraud_writer_stats;

typedef struct fraud_writer fraud_writer;
r1_status fraud_writer_start(fraud_writer **out, const fraud_writer_opts *opts, r1_err *err);
/* R1_OK while it works or retries; R1_E_FENCED or another final status once it has given up. */
r1_status fraud_writer_status(fraud_writer *w, r1_err *err);
void fraud_writer_stats_read(fraud_writer *w, fraud_writer_stats *out);
/* apply_seq of the last record that is committed; that of the ledger before the first one. */
int64_t fraud_writer_committed(fraud_writer *w);
/* Offset after the last record of the partition that is committed or left out; 0: none was. */
int64_t fraud_writer_next(fraud_writer *w, fraud_topic topic, int32_t partition);
/* How often a partition was found to be another's, and whether this one is. */
uint64_t fraud_writer_fences(fraud_writer *w);
bool fraud_writer_fenced(fraud_writer *w, fraud_topic topic, int32_t partition);
/* This process has claimed it anew, with nothing of it in the queue. */
void fraud_writer_unfence(fraud_writer *w, fraud_topic topic, int32_t partition);
/* Closes the queue, waits until it is written (at most timeout_ms while PostgreSQL is away) and the
 * topics have it (at most as long again), and frees the writer. Where PostgreSQL does not answer it
 * waits for r1_store_end_all. */
r1_status fraud_writer_stop(fraud_writer *w, int timeout_ms, r1_err *err);

#endif
