/* SPDX-License-Identifier: GPL-3.0-or-later */
/* outbox.h - rows of the database as messages of a topic: decisions, or dead letters.
 *
 * (1) The rows are the outbox. What is not acknowledged waits in the database, and at most
 *     FRAUD_OUTBOX_WINDOW messages are on their way.
 * (2) Messages leave in the order of apply_seq, with the sender's account as their key, so that
 *     the topic keeps the order of each account.
 * (3) r1.outbox moves past a decision after the broker has acknowledged it and all before it. So
 *     after a crash some are sent again, with the same id, and none is missing.
 * (4) A message that no broker can take (too large) is counted, said and passed. Any other failure
 *     is repeated from the first message that is not acknowledged.
 *
 * Owns:    the messages on their way; borrows store and producer.
 * Threads: one at a time.
 * Errors:  R1_E_FENCED: another owner has taken the outbox. R1_E_STREAM and retriable: the broker
 *          did not take something. Else as r1_store_query. */
#ifndef FRAUD_OUTBOX_H
#define FRAUD_OUTBOX_H

#include "store/store.h"
#include "stream/stream.h"

enum { FRAUD_OUTBOX_WINDOW = 1000 };

typedef enum { FRAUD_OUTBOX_DECISIONS = 0, FRAUD_OUTBOX_DEAD, FRAUD_N_OUTBOX } fraud_outbox_kind;

typedef struct {
    fraud_outbox_kind kind;
    const char *cluster, *topic, *owner;
    /* Several processes write the log: written_at may fall a little from one apply_seq to the
     * next, as their clocks differ. */
    bool shared;
    r1_producer *producer;
} fraud_outbox_opts;

typedef struct {
    uint64_t sent, acked, refused, failed; /* messages */
    int64_t next_seq;                      /* of the first that is not acknowledged */
    int64_t oldest_us;                     /* written, since 1970: the oldest on its way; 0: none */
} fraud_outbox_stats;

/* What the writer has committed so far; last_seq 0: unknown, so everything is looked at. */
typedef struct {
    int64_t last_seq, written_us;
    uint64_t dead; /* dead letters */
} fraud_committed;

typedef struct fraud_outbox fraud_outbox;
r1_status fraud_outbox_new(fraud_outbox **out, const fraud_outbox_opts *opts, r1_err *err);
void fraud_outbox_free(fraud_outbox *o); /* NULL is fine; after the producer's last poll */
/* Becomes its owner and learns where it stands. Call it before a writer commits anything: a topic
 * that is named for the first time begins with what is new then. */
r1_status fraud_outbox_take(fraud_outbox *o, r1_store *s, r1_err *err);
/* With the log: no earlier owner moves an outbox of decisions any more. *sent_seq: the last row
 * that one of them has passed; it was committed, whatever the log holds now. */
r1_status fraud_outbox_fence(r1_store *s, const char *owner, int64_t *sent_seq, r1_err *err);
/* Makes its row where it lacks, and leaves its owner alone: a topic that is named for the first
 * time begins with what is new then. */
r1_status fraud_outbox_ensure(fraud_outbox *o, r1_store *s, r1_err *err);
/* Hears what the broker says, moves the cursor, reads and sends what is new. */
r1_status fraud_outbox_turn(fraud_outbox *o, r1_store *s, const fraud_committed *c, r1_err *err);
/* Whether nothing is on its way and nothing that was committed waits. */
bool fraud_outbox_in_step(const fraud_outbox *o, const fraud_committed *c);
void fraud_outbox_stats_read(const fraud_outbox *o, fraud_outbox_stats *out);

#endif
