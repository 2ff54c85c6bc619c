/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lease.h - what processes that share a stream ask the database: who is the sequencer, and how far
 * each partition is committed.
 *
 * Owns: nothing; borrows the texts. Threads: one at a time per store.
 * Errors: R1_E_INVAL where the log is shared by another topic of events or another cluster;
 *         else as r1_store_query. */
#ifndef FRAUD_LEASE_H
#define FRAUD_LEASE_H

#include "fleet/event.h"
#include "store/store.h"

/* How to leave a topic of events. */
#define FRAUD_SHARED_REMEDY "stop every process, then: r1-fraud offsets unshare --why TEXT"

typedef struct {
    const char *cluster, *events, *owner;
    int lease_ms;
} fraud_lease_opts;

typedef struct {
    int64_t epoch;  /* ours; 0: another process has the lease */
    char owner[96]; /* of the lease */
    bool shared;    /* the log knows a topic of events */
    bool has_log;   /* the topic was opened, with this id */
    uint64_t log;
} fraud_lease;

/* mine: the epoch that is held, 0 none. seen: the highest epoch in the topic. lease_ms 0: asks
 * whose log it is, no more. */
r1_status fraud_lease_ask(const fraud_lease_opts *o, r1_store *s, int64_t mine, int64_t seen,
                          fraud_lease *out, r1_err *err);
r1_status fraud_lease_release(const fraud_lease_opts *o, r1_store *s, int64_t mine, r1_err *err);
/* The topic begins with a genesis of this id. *log becomes the id that counts. */
r1_status fraud_lease_open(r1_store *s, uint64_t *log, r1_err *err);
/* Fails where the log is shared, for a process that would work alone. */
r1_status fraud_lease_alone(r1_store *s, r1_err *err);

/* Offsets to read on at, of both topics; what has no row stays as it is. topic[1] may be NULL. */
r1_status fraud_committed_ask(r1_store *s, const char *cluster, const char *const *topic,
                              int64_t next[FRAUD_EVENT_TOPICS][FRAUD_EVENT_PARTITIONS],
                              r1_err *err);

#endif
