/* SPDX-License-Identifier: GPL-3.0-or-later */
/* aged.h - what is left of edges that had to leave while they were still in a window: sums per
 * account, direction and slot of time, and counts per pair.
 *
 * A slot is a stretch of absolute time. Five levels of slots cover the windows, finer ones first:
 *
 *     level     slot      slots   holds what is younger than
 *     0         30 min    3       the last border of an hour's window
 *     1         14 h      3       28 to 42 hours
 *     2         42 h      2       84 to 126 hours
 *     3         84 h      2       7 to 10.5 days
 *     4         168 h     4       28 to 35 days
 *
 * Each slot lies within one slot of the next level. An edge goes to the finest level that still
 * holds its time, and a slot that grows too old for its level is added to the one above. Nothing is
 * estimated when something is stored: a slot's counts and sums are those of its edges.
 *
 * (1) A window takes slots that lie within it whole. Of the one slot that its border crosses it
 *     takes the share of time, as if the edges lay evenly over the slot. So its count is off by no
 *     more than the edges of that slot, and it is right on average where the rate is steady.
 *     tests/fraud/test_aged.c measures both.
 * (2) The share knows more than the slot: no edge is older than the account's first payment, and
 *     none is newer than its last one or than the newest edge that was cut.
 * (3) Distinct ends: a pair without an edge in the ring stands once, in the slot of its last
 *     payment. It leaves it when it pays again. A pair whose row was evicted stays until its slot
 *     is too old, and is counted a second time if it pays meanwhile.
 * (4) Logarithms and frauds are means over what was cut, where older payments weigh less: half
 *     after ten days. A window of aged edges has that mean times its count.
 *
 * Owns:    nothing. Threads: one at a time. Errors: none.
 * Units:   half hours, counted from long before 1970; hundredths. */
#ifndef FRAUD_AGED_H
#define FRAUD_AGED_H

#include "graph/state_rows.h"

enum { FRAUD_AGED_SLOTS = 14 };

typedef struct {
    uint32_t n, distinct;
    float sum; /* hundredths */
} fraud_aged_slot;

typedef struct {
    fraud_aged_slot slot[FRAUD_AGED_SLOTS];
    float weight, ln, ln_square, fraud; /* means; their weight */
} fraud_aged_end;

struct fraud_aged_entity {
    uint32_t at; /* when slots last moved, in half hours; 0: nothing was ever cut */
    fraud_aged_end end[2];
};

struct fraud_aged_pair {
    uint32_t at : 31;
    uint32_t stands : 1; /* among the distinct ends of both accounts, at its last payment */
    float mean;          /* hundredths, of what the slots hold */
    uint16_t n[FRAUD_AGED_SLOTS];
};

/* An edge leaves before its time. It has left windows, chains and counts of the ring already. */
void fraud_aged_take(fraud_state *s, const fraud_edge *edge);
/* The pair is about to get an edge. */
void fraud_aged_pair_returns(fraud_state *s, uint32_t pair);
/* Rows that begin anew. */
void fraud_aged_clear_entity(fraud_state *s, uint32_t i);
void fraud_aged_clear_pair(fraud_state *s, uint32_t i);
/* Adds what entity i has in window k besides its edges. */
void fraud_aged_read(const fraud_state *s, uint32_t i, int k, int direction, fraud_window *w);
/* Payments of the pair in window k besides its edges. */
double fraud_aged_pair_n(const fraud_state *s, uint32_t i, int k);
/* What is broken in the aged rows, as a sentence; NULL: nothing. */
const char *fraud_aged_fault(const fraud_state *s);
uint64_t fraud_aged_hash(const fraud_state *s, uint32_t i, uint64_t h);
uint64_t fraud_aged_pair_hash(const fraud_state *s, uint32_t i, uint64_t h);

#endif
