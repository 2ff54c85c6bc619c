/* SPDX-License-Identifier: GPL-3.0-or-later */
/* writer_state.h - what the writing thread is doing, and which step may follow which.
 *
 *     WAITS ──pop──▶ WRITES ──commit──▶ LANDED ──release──▶ WAITS
 *                    │ ▲ ▲                 │
 *                    │ │ └──next record────┘        one by one, after a refusal
 *                    │ ├──repeat── RECOVERS         away, read-only, locked, serialisation; or
 *                    │ │                            another process has a partition of the batch
 *                    │ └──alone, bare, or a dead letter── REFUSED  the data is at fault
 *                    ▼
 *                 STOPPED                          fenced, or a defect: writes nothing any more
 *
 * RECOVERS also goes to LANDED, where the ledger says that the commit had happened, to WAITS, where
 * nothing of the batch is left, and to STOPPED. So does LANDED behind a dead letter that the
 * engine's state holds.
 *
 * Threads: the writer's. Errors: another step than these is a broken invariant. */
#ifndef FRAUD_WRITER_STATE_H
#define FRAUD_WRITER_STATE_H

typedef enum {
    FRAUD_WRITER_WAITS = 0, /* for records in the queue */
    FRAUD_WRITER_WRITES,    /* a transaction is open, or its commit is on the way */
    FRAUD_WRITER_RECOVERS,  /* reconnects and asks whether the commit happened */
    FRAUD_WRITER_REFUSED,   /* PostgreSQL refused the data of the transaction */
    FRAUD_WRITER_LANDED,    /* committed: claims move, topics are served */
    FRAUD_WRITER_STOPPED,   /* final */
    FRAUD_N_WRITER_STATE
} fraud_writer_state;

/* Moves *state; a step that the drawing lacks is a broken invariant. */
void fraud_writer_move(fraud_writer_state *state, fraud_writer_state to);

#endif
