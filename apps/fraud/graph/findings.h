/* SPDX-License-Identifier: GPL-3.0-or-later */
/* findings.h - typologies that a new edge takes part in: the rings that an analyst is shown.
 *
 * Honest people pay each other all day, so a shape alone means little: every account is the hub
 * of some fan within a month. What counts are edges that are *like* the new one u -> v, that is
 *   - a payment between two accounts (no end is external), of the last FRAUD_FINDING_DAYS days, not later than the new edge;
 *   - its amount a with |ln(a / new amount)| <= FRAUD_FINDING_BAND / 1024: rings move one sum in parts of a size, or whole;
 *   - the only payment of its pair within 28 days: a ring's accounts meet for the ring.
 * The new edge itself must be the only one of its pair, else nothing is searched. Over edges
 * that are like it:
 *
 *   cycle            a path v -> ... -> u of 2 to FRAUD_FINDING_HOPS edges over distinct accounts, times rising, each payment at
 *                    most FRAUD_FINDING_GAP_DAYS after the one before it, the new edge closing it, amounts within the wider
 *                    FRAUD_FINDING_CYCLE_BAND; the shortest one
 *   fan_in           at least FRAUD_FINDING_FAN sources paid v, and they are at least half of all accounts that paid v meanwhile
 *   fan_out          the same for the accounts that u paid
 *   scatter_gather   a source that paid at least 3 accounts each of which paid v afterwards, u among them
 *   gather_scatter   u paid at least 3 accounts, after at least 3 others had paid u
 *   stack            at least 2 accounts that were paid by an outer layer and paid v afterwards, u among them, the layer at least 2 wide
 *   bipartite        u paid v and other sinks, and other sources paid v and one of these: at least 5 accounts, at least 2 on each side
 *
 * Bounds: the newest FRAUD_FINDING_NEAR payments of an account and direction are looked at; the
 * cycle search gives up after FRAUD_FINDING_LOOKS edges; the network holds at most 160 accounts.
 * Within the bounds the answer is exact (tests/fraud/test_findings.c has a twin by brute force
 * for every typology). The two-hop network of like edges becomes a throw-away igraph_t; igraph
 * knows no time, so the search for cycles walks the state itself. igraph's types end in
 * findings.c; Debian's build of it is not thread-safe, so one thread per process calls this (the
 * one that applies). */
#ifndef FRAUD_FINDINGS_H
#define FRAUD_FINDINGS_H

#include "graph/state.h"
#include "score/engine.h"

enum {
    FRAUD_FINDING_DAYS = 10,
    FRAUD_FINDING_GAP_DAYS = 2,
    FRAUD_FINDING_BAND = 614,        /* 0.6 in ln: from 55 % to 182 % */
    FRAUD_FINDING_CYCLE_BAND = 1024, /* 1.0: from 37 % to 272 %; a chain of ten payments drifts */
    FRAUD_FINDING_HOPS = 9,
    FRAUD_FINDING_FAN = 5,
    FRAUD_FINDING_SPOKES = 3,
    FRAUD_FINDING_NEAR = 32,
    FRAUD_FINDING_LOOKS = 4096
};

/* Once per process, before the first search: igraph's handlers return instead of aborting or
 * printing. */
void fraud_findings_init(void);
/* seq: the newest edge, already inserted. Writes at most cap findings, returns how many. */
size_t fraud_findings_search(const fraud_state *s, uint64_t seq, fraud_finding *out, size_t cap);

#endif
