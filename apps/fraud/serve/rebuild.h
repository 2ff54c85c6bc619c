/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rebuild.h - state out of PostgreSQL: every payment and label that was committed, in the order
 * of apply_seq, before the first decision. A restart with empty windows would be a defect.
 *
 * Threads: the scoring thread, before it reads the stream. */
#ifndef FRAUD_REBUILD_H
#define FRAUD_REBUILD_H

#include "score/engine.h"
#include "serve/txset.h"
#include "store/store.h"

typedef struct {
    int64_t last_seq; /* of what was committed; 0 when the log is empty */
    uint64_t payments, labels;
    double seconds;
} fraud_rebuilt;

r1_status fraud_rebuild(r1_store *s, fraud_engine *engine, fraud_txset *seen, fraud_rebuilt *out,
                        r1_err *err);

#endif
