/* SPDX-License-Identifier: GPL-3.0-or-later */
/* writer.h - the writing thread: results, dead letters and offsets in one transaction, then the
 * topics of decisions and dead letters, then the latency of what was committed.
 *
 * (1) A record is in PostgreSQL exactly when the offset of its partition is past it: one
 *     transaction does both.
 * (2) It commits as soon as the last commit has returned, at most `rows` records, without a timer.
 * (3) While PostgreSQL is away it reconnects for ever, the queue fills, and the scoring thread
 *     stops reading. After a commit of unknown outcome it asks the ledger before it repeats
 *     anything.
 * (4) A record whose data PostgreSQL refuses is written as a dead letter, and the rest of its
 *     batch as it was.
 * (5) Once fenced it writes nothing more: fraud_writer_status says R1_E_FENCED, and the process
 *     must end.
 *
 * Owns:    a connection and a thread; borrows ledger, queue, producer and every text.
 * Threads: one of its own, between start and stop; the functions here belong to the caller's. */
#ifndef FRAUD_WRITER_H
#define FRAUD_WRITER_H

#include "write/tally.h"

typedef struct {
    const char *conninfo;
    size_t rows;                /* records of one transaction, 1..500 */
    const char *model, *config; /* versions that the decision rows name */
    const char *model_text, *config_text;
    r1_producer *producer;       /* NULL: decisions and dead letters are not sent to topics */
    const char *decisions_topic; /* NULL: not sent */
    const char *dead_topic;      /* NULL: not sent */
    uint64_t stats_skip;         /* payments before latencies count */
    fraud_ledger *ledger;        /* borrowed; its claims move with each commit */
    fraud_queue *queue;          /* borrowed */
} fraud_writer_opts;

typedef struct {
    uint64_t payments, duplicates, dead, labels, commits, reconnects;
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
/* Closes the queue, waits until it is written (at most timeout_ms while PostgreSQL is away) and
 * frees the writer. */
r1_status fraud_writer_stop(fraud_writer *w, int timeout_ms, r1_err *err);

#endif
