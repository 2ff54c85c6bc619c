/* SPDX-License-Identifier: GPL-3.0-or-later */
/* state.h - the transaction graph of the recent past: a ring of edges, the entities and pairs that
 * they join, sliding windows over them, and labels that became known.
 *
 * Edges lie in a ring in the order of their clamped time. Each entity's edges are chained newest
 * first. An edge that leaves needs no unlinking: a walker stops at the first number that is gone.
 *
 * Windows are exact while their edges are in the ring. An edge is added to every window when it
 * comes. One global tail per window takes it out when it is older than FRAUD_WINDOW_MS[k]: a window
 * holds the edges with now - width < ts <= now. All sums are integers, so no rounding error
 * accumulates and order does not matter. Labels find an edge for FRAUD_RETENTION_MS.
 *
 * What is full forgets its oldest. An edge that leaves while it is still in a window is cut. Its
 * part moves to the aged aggregates of its two ends and its pair (graph/aged.h), so that a window
 * goes on to say its whole length. fraud_state_window and fraud_pair_n read both parts.
 *
 * Owns:    one block of memory, reserved by fraud_state_new and touched as it is used. Nothing
 *          allocates afterwards.
 * Threads: one at a time.
 * Units:   ms; hundredths of the currency's main unit; 1024 * ln(amount in main units).
 * Errors:  fraud_state_new has R1_E_INVAL or R1_E_NOMEM, fraud_state_label R1_E_NOT_FOUND. */
#ifndef FRAUD_STATE_H
#define FRAUD_STATE_H

#include "files/image.h"
#include "graph/state_rows.h"

r1_status fraud_state_new(fraud_state **out, uint32_t edges_max, uint32_t entities_max,
                          uint32_t pairs_max, r1_err *err);
/* Touches what the first payments will use, so that none of them waits for pages to be cleared. */
void fraud_state_warm(fraud_state *s);
void fraud_state_free(fraud_state *s);
/* What such a state reserves; less is resident until all of it is in use. */
uint64_t fraud_state_bytes(uint32_t edges_max, uint32_t entities_max, uint32_t pairs_max);
/* The same by what it is for. */
typedef enum { FRAUD_PART_ENTITIES, FRAUD_PART_EDGES, FRAUD_PART_PAIRS } fraud_state_part;
uint64_t fraud_state_bytes_of(const fraud_state *s, fraud_state_part part);

/* Moves the clock (never back) and expires; returns the clamped time. */
int64_t fraud_state_advance(fraud_state *s, int64_t ts);
/* The entity or FRAUD_NONE. */
uint32_t fraud_state_find(const fraud_state *s, const char *name);
uint64_t fraud_state_name_key(const char *name); /* of an entity's row */
/* The entity, made when new; may expire the oldest edges to make room. */
uint32_t fraud_state_entity(fraud_state *s, const char *name, uint8_t role);
uint32_t fraud_state_pair(const fraud_state *s, uint32_t from, uint32_t to); /* or FRAUD_NONE */
/* Adds the payment as the newest edge at s->now. Both entities must exist. */
uint64_t fraud_state_insert(fraud_state *s, const fraud_payment *p, uint32_t from, uint32_t to);
r1_status fraud_state_label(fraud_state *s, const char *tx_id, bool is_fraud, r1_err *err);
uint64_t fraud_state_digest(const fraud_state *s);
/* What is broken in the state, as a sentence; NULL: nothing. Reads all of it. Sanitizer builds call
 * it after a share of the changes. */
const char *fraud_state_fault(const fraud_state *s);
/* Parts of it. */
const char *fraud_state_entities_list_fault(const fraud_state *s);
const char *fraud_state_pairs_list_fault(const fraud_state *s);
const char *fraud_state_ring_fault(const fraud_state *s);

/* ---- as sections of bytes: state_image.c ---- */

/* Raised with each change of what a row of the arrays means, where its size stays. */
enum { FRAUD_STATE_VERSION = 1, FRAUD_STATE_SECTIONS_MAX = 24 };
/* All that the state holds, one row an array or a group of numbers; returns how many rows. They
 * point into the state. */
size_t fraud_state_sections(fraud_state *s, r1_image_array out[FRAUD_STATE_SECTIONS_MAX]);
/* Changes nothing, neither allocates nor locks. */
r1_status fraud_state_save(fraud_state *s, r1_image_out *out, r1_err *err);
/* Into a new state of the same capacities. Every index is checked, and every count and sum that a
 * later change relies on; else it is R1_E_FORMAT and the state must be freed. */
r1_status fraud_state_load(fraud_state *s, r1_image_in *in, r1_err *err);

/* ---- reading ---- */

/* Entity i's window k of one direction. */
fraud_window fraud_state_window(const fraud_state *s, uint32_t i, int k, int direction);
/* Payments of the pair within window k. At least 1 where its last one is in the window. */
double fraud_pair_n(const fraud_state *s, uint32_t i, int k);
/* Whether the pair has paid once within the longest window, and no more. */
static inline bool fraud_pair_only(const fraud_state *s, uint32_t i)
{
    return s->pair[i].n[FRAUD_N_WINDOW - 1] == 1 &&
           (s->pair[i].total == 1 || fraud_pair_n(s, i, FRAUD_N_WINDOW - 1) < 1.5);
}
double fraud_pair_sum28(const fraud_state *s, uint32_t i); /* hundredths */
/* From when the state knows all of entity i; FRAUD_NEVER: nothing of it can have been evicted. */
int64_t fraud_entity_since(const fraud_state *s, uint32_t i);
/* From when the state knows that a pair without a row has not paid; FRAUD_NEVER: always. */
int64_t fraud_pair_since(const fraud_state *s, uint32_t from, uint32_t to);

static inline double fraud_state_distinct(const fraud_state *s, uint32_t i, int k, int direction)
{
    return fraud_state_cut(s, k) ? fraud_state_window(s, i, k, direction).distinct
                                 : s->entity[i].w[k][direction].distinct;
}
/* out: FRAUD_ID_BYTES. */
static inline void fraud_edge_tx_id(const fraud_state *s, const fraud_edge *edge, char *out)
{
    fraud_name_ring_read(&s->tx_names, edge->name, out);
}
static inline void fraud_state_name(const fraud_state *s, uint32_t i, char *out)
{
    fraud_name_pool_read(&s->names, &s->entity[i].name, out);
}
/* Amount in hundredths of the main unit. */
int64_t fraud_hundredths(const fraud_payment *p);
int32_t fraud_ln1024(int64_t hundredths);

/* What a clock of the state's zone shows beside UTC at ts, in ms. */
int64_t fraud_state_local(const fraud_state *s, int64_t ts);

#endif
