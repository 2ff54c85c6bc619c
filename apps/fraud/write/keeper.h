/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper.h - the thread beside the writer: it feeds the topics of decisions and dead letters from
 * the database, keeps partitions for the weeks to come, and looks whether the log of one process
 * still ends where it should while nothing is written.
 *
 * While the broker or PostgreSQL is away it waits, says so at most once a second, and holds nothing
 * in memory but what is on its way.
 *
 * Owns:    a connection and a thread; borrows producer and texts.
 * Threads: one of its own, between start and stop; the functions here belong to the caller's, and
 *          fraud_keeper_committed to the writer's.
 * Errors:  fraud_keeper_status: R1_E_FENCED where another owner has taken an outbox, or commits
 *          were lost; another final status once it has given up. */
#ifndef FRAUD_KEEPER_H
#define FRAUD_KEEPER_H

#include "write/ledger.h"
#include "write/outbox.h"

/* Where several processes write the log, one of them at a time feeds the topics. sends says whether
 * it is this one, and up to where the log has no gap. From the keeper's thread. */
typedef struct {
    bool (*sends)(void *ctx, fraud_committed *c); /* NULL: this process works alone */
    void *ctx;
} fraud_keeper_shared;

typedef struct {
    const char *conninfo;
    fraud_keeper_shared shared;
    int64_t statement_s;        /* as r1_store_opts */
    const fraud_ledger *ledger; /* NULL: nobody looks whether the log still ends where it should */
    const char *cluster, *owner;
    r1_producer *producer;       /* its own from start to stop; NULL: no topics */
    const char *decisions_topic; /* NULL: not sent */
    const char *dead_topic;      /* NULL: not sent */
} fraud_keeper_opts;

typedef struct {
    fraud_outbox_stats outbox[FRAUD_N_OUTBOX];
    int64_t behind;   /* apply_seq from the first that is not acknowledged to the last committed */
    uint64_t waits;   /* for PostgreSQL or the broker */
    uint64_t renewed; /* clients of the producer that took an ended one's place */
    int64_t missing_weeks; /* partitions that could not be made yet */
    int64_t rows_in_rest;  /* rows that no week's partition holds */
} fraud_keeper_stats;

typedef struct fraud_keeper fraud_keeper;
/* s is of use for this call alone: the outboxes are taken before the writer commits anything. */
r1_status fraud_keeper_start(fraud_keeper **out, const fraud_keeper_opts *opts, r1_store *s,
                             r1_err *err);
/* The writer has committed: wakes the thread. */
void fraud_keeper_committed(fraud_keeper *k, const fraud_committed *c);
r1_status fraud_keeper_status(fraud_keeper *k, r1_err *err);
void fraud_keeper_stats_read(fraud_keeper *k, fraud_keeper_stats *out);
/* Sends what is committed for at most timeout_ms; the rest is sent after the next start. NULL is
 * fine. */
void fraud_keeper_stop(fraud_keeper *k, int timeout_ms);

/* Makes the partitions of this week and the next two where they lack. *missing counts those that a
 * lock, or rows in the rest, kept from being made. */
r1_status fraud_partitions_make(r1_store *s, int64_t *missing, int64_t *in_rest, r1_err *err);

#endif
