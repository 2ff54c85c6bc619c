/* SPDX-License-Identifier: GPL-3.0-or-later */
/* findings.h - typologies that a new payment takes part in: the rings that an analyst is shown.
 *
 * Honest people pay each other all day, so a shape alone means little. Every account is the hub
 * of some fan within a month. What counts are payments that are *like* the new one, u -> v. A
 * payment is like it when all of these hold:
 *   - It joins two accounts: neither end is external.
 *   - It is at most FRAUD_FINDING_DAYS days old and not later than the new one.
 *   - Its amount a has |ln(a / new amount)| <= FRAUD_FINDING_BAND / 1024. Rings move one sum
 *     whole, or in parts of a size.
 *   - It is the only payment of its pair within the longest window. The accounts of a ring meet
 *     for the ring.
 * Nothing is searched unless the new payment itself is the only one of its pair.
 *
 * Over payments that are like the new one, a finding is:
 *   cycle           A path v -> ... -> u of 2 to FRAUD_FINDING_HOPS payments over distinct
 *                   accounts. Times rise, and each payment follows the one before it within
 *                   FRAUD_FINDING_GAP_DAYS. The new payment closes it. Amounts may differ by the
 *                   wider FRAUD_FINDING_CYCLE_BAND. The shortest such path is taken.
 *   fan_in          At least FRAUD_FINDING_FAN accounts paid v. They are at least the share
 *                   FRAUD_FINDING_SHARE_N / FRAUD_FINDING_SHARE_D of all that paid v meanwhile.
 *   fan_out         The same for the accounts that u paid.
 *   scatter_gather  One account paid at least FRAUD_FINDING_SPOKES others, u among them, and each
 *                   of these paid v afterwards.
 *   gather_scatter  u paid at least FRAUD_FINDING_SPOKES accounts after at least as many others
 *                   had paid u. Both groups are at least the share that a fan needs.
 *   stack           u and one other account paid v after an outer layer had paid them. The layer
 *                   has at least FRAUD_FINDING_SIDE accounts, and one of it paid both.
 *   bipartite       u paid v and further accounts, and other accounts paid v and one of these.
 *                   Each side has at least FRAUD_FINDING_SIDE accounts, and both together have at
 *                   least FRAUD_FINDING_BIPARTITE.
 *
 * Bounds: the newest FRAUD_FINDING_NEAR payments of an account and direction are looked at. The
 * search for cycles gives up after FRAUD_FINDING_LOOKS payments. The network around the new
 * payment holds at most FRAUD_FINDING_NETWORK accounts. Within these bounds the answer is exact:
 * tests/fraud/test_findings.c has a twin by brute force for every typology.
 *
 * The two-hop network becomes an igraph_t that is thrown away. igraph knows no time, so the
 * search for cycles walks the state itself. igraph's types end in findings.c.
 * Owns:    nothing. Threads: one per process, because Debian's igraph is not thread-safe.
 * Errors:  none; where igraph has no memory, the two-hop typologies are not found. */
#ifndef FRAUD_FINDINGS_H
#define FRAUD_FINDINGS_H

#include "graph/state.h"
#include "typology/finding.h"

enum {
    FRAUD_FINDING_DAYS = 10,
    FRAUD_FINDING_GAP_DAYS = 2,
    FRAUD_FINDING_BAND = 614,        /* 0.6 in ln: from 55 % to 182 % */
    FRAUD_FINDING_CYCLE_BAND = 1024, /* 1.0: from 37 % to 272 %; a chain of ten payments drifts */
    FRAUD_FINDING_HOPS = 9,
    FRAUD_FINDING_FAN = 5,
    FRAUD_FINDING_SHARE_N = 3, /* three fifths */
    FRAUD_FINDING_SHARE_D = 5,
    FRAUD_FINDING_SPOKES = 3,
    FRAUD_FINDING_SIDE = 2,
    FRAUD_FINDING_BIPARTITE = 5,
    FRAUD_FINDING_NEAR = 32,
    FRAUD_FINDING_LOOKS = 4096,
    FRAUD_FINDING_NETWORK = 160
};

/* Once per process, before the first search: igraph's handlers return instead of aborting or
 * printing. */
void fraud_findings_init(void);
/* seq: the newest edge, already inserted. Writes at most cap findings, returns how many. */
size_t fraud_findings_search(const fraud_state *s, uint64_t seq, fraud_finding *out, size_t cap);
/* Whether the search looks for this typology. */
bool fraud_findings_looks_for(unsigned typology);

#endif
