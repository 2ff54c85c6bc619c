/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server.h - what the files of the live path share: the running service, and the batch that it
 * works on.
 *
 * Start and end lie in serve.c, one turn of the loop in serve_loop.c, one message in intake.c,
 * and what is counted in serve_metrics.c.
 *
 * Owns:    all that is in `server`, except the settings.
 * Threads: the reading thread's; the writer has its own state. */
#ifndef FRAUD_SERVER_H
#define FRAUD_SERVER_H

#include "serve/parts.h"
#include "serve/rebuild.h"
#include "serve/reload.h"
#include "serve/shown.h"
#include "snapshot/snapshot.h"

enum { FRAUD_SERVE_PARTS = 3 }; /* of a snapshot: serve_snapshot.c */

typedef struct {
    const r1_options *o;
    fraud_parts parts;
    fraud_ledger ledger;
    fraud_writer *writer;
    r1_store *store;
    r1_consumer *consumer[FRAUD_N_TOPIC];
    r1_producer *producer;
    int64_t last_seq;
    char currency[4]; /* in which amounts are compared; "": not known yet */
    /* apart: decided beside the state; not_finite: with a score that is no number */
    uint64_t consumed, apart, not_finite;
    int64_t last_message_us; /* monotonic */
    int64_t http_next;       /* offset of the next payment of POST /v1/decide */
    fraud_rebuilt rebuilt;
    fraud_reload *reload;
    fraud_snapshots *snapshots; /* NULL: no folder is set */
    fraud_snapshot_part part[FRAUD_SERVE_PARTS];
    fraud_snapshot_log log; /* where the state stands */
    bool orderly;           /* the loop ended without a failure: the state is that of the log */
    struct fraud_port *port; /* port.h */
} server;

enum { BATCH_MAX = FRAUD_BATCH_MAX };
typedef struct {
    fraud_record *record[BATCH_MAX]; /* in order of consumption, pushed in this order */
    size_t n;
    fraud_slot *slot[BATCH_MAX]; /* of the payments among them */
    fraud_record *scored[BATCH_MAX];
    size_t n_slot;
    fraud_result result[BATCH_MAX];
} batch;

/* ---- intake.c: one message ---- */

/* Takes one message of the topic and applies it. R1_E_TIMEOUT when there is nothing to read or no
 * record is free. */
r1_status fraud_serve_take(server *s, batch *b, int topic, int timeout_ms, r1_err *err);
/* What fraud_serve_take does with a message that it has read. */
r1_status fraud_serve_accept(server *s, batch *b, fraud_record *r, fraud_topic topic, r1_err *err);
/* Turns a score into the decision of the record. */
r1_status fraud_serve_decide(server *s, fraud_record *r, const fraud_slot *slot,
                             const fraud_result *res, r1_err *err);

/* ---- intake_currency.c: amounts of several currencies ---- */

/* By the setting and the log, before the first payment. */
r1_status fraud_serve_currency_begin(server *s, r1_err *err);
/* Puts a payment into the stream's currency. false: it cannot be scored, why tells. */
bool fraud_serve_currency(server *s, fraud_record *r, r1_err *why);

/* ---- serve_loop.c: one turn after the other ---- */

/* Reads, scores and hands over until the user stops the service, it is idle or it fails. */
r1_status fraud_serve_loop(server *s, r1_err *err);

/* ---- serve_snapshot.c: the state across a restart ---- */

/* The state of the newest good snapshot and the log's tail, or of the whole log. Ownership has been
 * taken. */
r1_status fraud_serve_restore(server *s, r1_err *err);
/* Notes the last record of the batch that has an apply_seq, before the writer gets it. */
void fraud_serve_mark(server *s, const batch *b);
/* Between two turns of the loop. */
void fraud_serve_snapshot_tick(server *s);
/* At the end, after the writer has stopped. */
void fraud_serve_snapshot_last(server *s);

/* ---- serve_metrics.c: what is counted ---- */

/* Copies what /metrics prints. The reading thread's. */
void fraud_metrics_take(const server *s, fraud_shown *out);
/* Writes counts and latencies as JSON to the file `path`. */
r1_status fraud_serve_stats(const server *s, const fraud_writer_stats *w, const char *path,
                            r1_err *err);

#endif
