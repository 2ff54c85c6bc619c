/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pace_rebuild.h - the distribution of scores out of the stored decisions, for a start that finds
 * no snapshot of it.
 *
 * It reads the newest FRAUD_PACE_REBUILD_ROWS decisions, so its time is bounded. The counts of
 * rules and of their hours begin anew.
 * Owns: nothing. Threads: one. Errors: as r1_store_query. */
#ifndef FRAUD_PACE_REBUILD_H
#define FRAUD_PACE_REBUILD_H

#include "decide/pace.h"
#include "store/store.h"

enum { FRAUD_PACE_REBUILD_ROWS = 2000000 };
r1_status fraud_pace_rebuild(fraud_pace *p, r1_store *s, int64_t last_seq, r1_err *err);

#endif
