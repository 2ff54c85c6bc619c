/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log_owner.h - whose the log of a database is: one service's, known by its cluster and its topics.
 *
 * apply_seq numbers one log, and a rebuild reads all of it. So a service of other topics or of
 * another cluster is refused, and an owner that was followed by another one is fenced: taking the
 * log raises its epoch, and each transaction of the writer holds it. `r1-fraud offsets reset` gives
 * the log to other topics.
 *
 * Each transaction moves the end of the log from the row that the writer committed last. Where the
 * log ends before that row, PostgreSQL has lost commits, and the writer is refused (SQLSTATE
 * R1F02).
 *
 * Beside it stands the guard of event time, which moves with the payments that change it.
 *
 * Owns:    nothing; borrows the names of topics.
 * Threads: one at a time per store.
 * Errors:  R1_E_STREAM where the log is another service's; R1_E_FENCED in an older epoch; else as
 *          r1_store_query. */
#ifndef FRAUD_LOG_OWNER_H
#define FRAUD_LOG_OWNER_H

#include "write/ledger.h"

/* Takes the log for the topics that are not NULL, before anything is rebuilt from it: raises its
 * epoch. */
r1_status fraud_log_take(fraud_ledger *l, r1_store *s, const char *const topic[FRAUD_N_TOPIC],
                         r1_err *err);

/* The same in the epoch in which it was taken, beside others who write it too. */
r1_status fraud_log_join(fraud_ledger *l, r1_store *s, const char *const topic[FRAUD_N_TOPIC],
                         r1_err *err);

/* ---- in each transaction of the writer ---- */

typedef struct {
    fraud_guard_mark landed, aimed; /* of the last batch that landed, of the one in hand */
} fraud_log_hold;

r1_status fraud_log_prepare(r1_store *s, r1_err *err);
/* Adds to the transaction in hand: it fails where the log has another owner, and moves the guard
 * where the records changed it. */
r1_status fraud_log_add(fraud_log_hold *h, const fraud_ledger *l, r1_store *s,
                        fraud_record *const *r, size_t n, r1_err *err);
void fraud_log_landed(fraud_log_hold *h); /* that transaction has landed */

/* R1_E_FENCED where another owner has taken the log since. */
r1_status fraud_log_held(const fraud_ledger *l, r1_store *s, r1_err *err);

/* ---- commits that PostgreSQL lost ---- */

/* The caller knows of rows up to to_seq that were committed. Where the log ends before, and no
 * other owner has taken it since, that is said and noted in r1.log_loss; *lost tells. */
r1_status fraud_log_note_loss(const fraud_ledger *l, r1_store *s, int64_t to_seq, bool *lost,
                              r1_err *err);
/* The last number that such rows had: the next row gets a higher one. 0: none was lost. */
r1_status fraud_log_lost_to(r1_store *s, int64_t *to_seq, r1_err *err);

/* Where the guard stands; not known where no payment has moved it since migration 10. */
r1_status fraud_log_guard(const fraud_ledger *l, r1_store *s, fraud_guard_mark *out, r1_err *err);

#endif
