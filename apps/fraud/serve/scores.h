/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scores.h - batches on their way from the reading thread to the writer: scored and decided by a
 * thread of their own, while the reading thread applies what has come since.
 *
 *   reading thread        scoring thread          writer
 *   hand --offer--> parked --takes--> scores, decides --> queue
 *     ^                       |
 *     '------- spare <--------'
 *
 * There are two batches. One is in the reading thread's hand. It is offered whenever nothing more
 * is due: an idle scoring thread takes it at once, a busy one as soon as it is done. Until then the
 * reading thread may take it back to its hand and add to it. So batches grow with the load.
 * (1) Batches are scored and pushed in the order in which they were filled.
 * (2) Which payments share a batch changes no score (engine.h), and decisions are made one after
 *     the other in the order of the log.
 * (3) Policy, pace and counters of decisions are the scoring thread's while it has a batch. The
 *     reading thread changes or reads them after fraud_scores_drain alone.
 *
 * Where the process shares its stream, or the machine has a single core, there is no such thread:
 * an offer scores at once.
 *
 * Owns:    two batches and the thread; borrows the server.
 * Errors:  the first one of scoring, from fraud_scores_offer and fraud_scores_drain. What was in
 *          the batch is not pushed: the next start reads it again. */
#ifndef FRAUD_SCORES_H
#define FRAUD_SCORES_H

#include "serve/server.h"

typedef struct fraud_scores fraud_scores;
/* own_thread: false scores on the caller's. */
r1_status fraud_scores_new(fraud_scores **out, server *s, bool own_thread, r1_err *err);
/* Ends the thread, and puts the records back that were not pushed. NULL is fine. */
void fraud_scores_free(fraud_scores *t);
/* The batch to fill, back from where it was parked. */
batch *fraud_scores_hand(fraud_scores *t);
/* Offers the batch in hand; a full one waits until it is taken. */
r1_status fraud_scores_offer(fraud_scores *t, r1_err *err);
/* Whether an offer would be taken at once. */
bool fraud_scores_idle(fraud_scores *t);
/* Offers, and waits until everything was pushed and every slot is released. */
r1_status fraud_scores_drain(fraud_scores *t, r1_err *err);

#endif
