/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rebuild.h - state out of PostgreSQL: the payments and labels that were committed after a
 * snapshot, or all of them, in the order of apply_seq, before the first decision. A restart with
 * empty windows would be a defect.
 *
 * The log is read in pages by its key, so that no statement grows with history.
 *
 * Threads: the scoring thread, before it reads the stream. */
#ifndef FRAUD_REBUILD_H
#define FRAUD_REBUILD_H

#include "score/engine.h"
#include "serve/txset.h"
#include "store/store.h"

typedef struct {
    int64_t after_seq; /* the state began as that of a snapshot of this apply_seq; 0: empty */
    int64_t last_seq;  /* of what was committed; 0 when the log is empty */
    uint64_t payments, labels; /* read from the log */
    double seconds;
} fraud_rebuilt;

/* Applies what the log holds above after_seq, up to upto_seq. */
r1_status fraud_rebuild(r1_store *s, fraud_engine *engine, fraud_txset *seen, int64_t after_seq,
                        int64_t upto_seq, fraud_rebuilt *out, r1_err *err);

#endif
