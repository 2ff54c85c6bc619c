/* SPDX-License-Identifier: GPL-3.0-or-later */
/* findings.h - typologies that a new edge takes part in, found by igraph on a bounded two-hop ego network.
 *
 * The network: both ends, the newest 24 payments of each vertex and direction within 7 days, two hops, at most 160 vertices and 300
 * edges; external ends stay out. It becomes a throw-away igraph_t. igraph's types end in findings.c; Debian's build of it is not
 * thread-safe, so one thread per process calls this (the one that applies).
 *
 * What counts (u -> v is the new edge; all within 7 days):
 *   cycle            a path v ... u of at most 4 edges in the order of time
 *   fan_in, fan_out  v was paid by, u paid, at least 5 ends
 *   scatter_gather   one source paid at least 3 ends that all paid v, u among them
 *   gather_scatter   u was paid by at least 3 ends and paid at least 3 others
 *   stack            at least 2 payers of v that pass on about what ends of a layer of at least 2 had paid them
 *   bipartite        u and others pay v and share further sinks: at least 5 ends on both sides together */
#ifndef FRAUD_FINDINGS_H
#define FRAUD_FINDINGS_H

#include "engine.h"
#include "state.h"

/* Once per process, before the first search: igraph's handlers return instead of aborting or printing. */
void fraud_findings_init(void);
/* seq: the newest edge, already inserted. Writes at most cap findings, returns how many. */
size_t fraud_findings_search(const fraud_state *s, uint64_t seq, fraud_finding *out, size_t cap);

#endif
