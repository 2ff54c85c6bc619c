/* SPDX-License-Identifier: GPL-3.0-or-later */
/* waiting.h - labels that came before their payment, until it comes.
 *
 * A bounded table by tx_id. Where it is full, the label that has waited longest goes, counted. A
 * second label for the same tx_id replaces the first and begins to wait anew. An id is kept as
 * two hashes of 64 bits: two ids meet with a probability of 2^-128.
 *
 * Owns:    its rows, reserved by fraud_waiting_new; nothing allocates afterwards.
 * Threads: one at a time.
 * Errors:  fraud_waiting_new has R1_E_NOMEM, fraud_waiting_load R1_E_FORMAT. */
#ifndef FRAUD_WAITING_H
#define FRAUD_WAITING_H

#include "r1_base.h"

typedef struct { /* one label; without padding, so that it can be stored as it is */
    uint64_t id[2];
    int64_t ts; /* when it became known, ms */
    uint64_t is_fraud;
} fraud_waiting_row;

typedef struct fraud_waiting fraud_waiting;
r1_status fraud_waiting_new(fraud_waiting **out, uint32_t labels_max, r1_err *err);
void fraud_waiting_free(fraud_waiting *w); /* NULL is fine */

void fraud_waiting_put(fraud_waiting *w, const char *tx_id, bool is_fraud, int64_t ts);
/* Takes the label of the payment out of the table; false: none waits for it. */
bool fraud_waiting_take(fraud_waiting *w, const char *tx_id, bool *is_fraud);

/* What a table of so many labels takes. */
uint64_t fraud_waiting_bytes(uint32_t labels_max);
uint32_t fraud_waiting_count(const fraud_waiting *w);
uint64_t fraud_waiting_evicted(const fraud_waiting *w); /* so far: they wait no longer */
/* A hash over what waits, in its order; 0 where nothing does. */
uint64_t fraud_waiting_digest(const fraud_waiting *w);

/* All rows, the one that has waited longest first: what a snapshot holds. out has room for
 * fraud_waiting_count rows. */
void fraud_waiting_save(const fraud_waiting *w, fraud_waiting_row *out);
/* Into an empty table. R1_E_FORMAT where an id stands twice; rows beyond the capacity push the
 * first ones out, counted. */
r1_status fraud_waiting_load(fraud_waiting *w, const fraud_waiting_row *row, size_t n, r1_err *err);

#endif
