/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recall.h - the working memory of the accounts. Each payment becomes one entry. The ring of its
 * sender's outgoing and the ring of its receiver's incoming payments name it. A new payment
 * attends to the four rings of its two ends.
 *
 * External ends (salary payers, cash desks, pools) keep no ring. An entry is made from its own
 * payment alone, so a memory that is rebuilt from the log holds the very same bits. Entries are
 * encoded in batches, at the latest when a batch of payments is scored.
 * Owns:    the pool, and the events that wait to be encoded. Borrows model and session.
 * Threads: one, and one that scores (fraud_recall_encode). Errors: those of the engine's memory and
 *          of the session. */
#ifndef FRAUD_RECALL_H
#define FRAUD_RECALL_H

#include "features/columns.h"
#include "r1_session.h"

typedef struct fraud_recall fraud_recall;
typedef struct fraud_recall_batch fraud_recall_batch;

/* Entries are held in the session's precision. rings_max: of both directions together; the
 * account longest without a payment is forgotten first. Reserves the worst case (FRAUD_HISTORY
 * entries a ring), touches what is used. */
r1_status fraud_recall_new(fraud_recall **out, const r1_model *m, r1_session *session,
                           uint32_t rings_max, r1_err *err);
void fraud_recall_free(fraud_recall *r); /* NULL is fine */

/* References of a new payment, before it is inserted: what fraud_features_history finds, as
 * handles. */
void fraud_recall_look(const fraud_recall *r, const fraud_state *s, uint32_t from, uint32_t to,
                       fraud_features *f);
/* Payment seq, just inserted, becomes an entry. held: some captured payment waits to be scored,
 * so its references must live on. */
r1_status fraud_recall_add(fraud_recall *r, const fraud_state *s, uint64_t seq, bool held,
                           r1_err *err);
/* The entries of the payments since the last batch, for whoever scores these. It may be another
 * thread, one batch at a time: from fraud_recall_taken on, later payments go into the other one. */
r1_status fraud_recall_offer(fraud_recall *r, fraud_recall_batch **b, r1_err *err);
void fraud_recall_taken(fraud_recall *r);
/* Encodes what waits in a batch that was taken, and empties it. *ticket is the batch's, and
 * r1_session_run with the pool ends it. @locality the thread that scores */
r1_status fraud_recall_encode(fraud_recall *r, fraud_recall_batch *b, uint64_t *ticket,
                              r1_err *err);
/* Rings in use, most rings, and bytes that are reserved for them. */
void fraud_recall_sizes(const fraud_recall *r, uint64_t *rings, uint64_t *rings_max,
                        uint64_t *bytes);
r1_memory *fraud_recall_pool(const fraud_recall *r);
/* Encodes what waits and ends the open ticket. No captured payment may wait to be scored, and no
 * other thread may score. */
r1_status fraud_recall_settle(fraud_recall *r, r1_err *err);
/* An empty memory in the place of this one, as fraud_recall_new made it. On failure there is none:
 * err->fatal. */
r1_status fraud_recall_empty(fraud_recall *r, r1_err *err);
/* Shows each entry's key once it is stored, in the order of payments; NULL: no more. */
typedef void (*fraud_key_sink)(void *ctx, const float *key, size_t width);
void fraud_recall_watch(fraud_recall *r, fraud_key_sink sink, void *ctx);

#endif
