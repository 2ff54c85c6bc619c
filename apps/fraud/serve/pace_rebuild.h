/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pace_rebuild.h - the distribution of scores, and the counts and hours of rules, out of the stored
 * decisions behind a snapshot, or without one.
 *
 * It reads the newest FRAUD_PACE_REBUILD_ROWS decisions at most, so its time is bounded. Where the
 * log holds no more than that, thresholds and caps are those of a service that was never ended.
 * Owns: nothing. Threads: one. Errors: as r1_store_query. */
#ifndef FRAUD_PACE_REBUILD_H
#define FRAUD_PACE_REBUILD_H

#include "decide/pace.h"
#include "store/store.h"

enum { FRAUD_PACE_REBUILD_ROWS = 2000000 };
/* after_seq: what a snapshot has counted already. last_seq: of the log. */
r1_status fraud_pace_rebuild(fraud_pace *p, r1_store *s, int64_t after_seq, int64_t last_seq,
                             r1_err *err);
/* The same for the rules that the policy in force has. Not for a stream that processes share: whose
 * decision a row is does not stand in the log, and each process has its part of a cap. */
r1_status fraud_pace_rebuild_rules(fraud_pace *p, r1_store *s, int64_t after_seq, int64_t last_seq,
                                   r1_err *err);

#endif
