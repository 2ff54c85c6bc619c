/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sample.h - from captured columns to a sample of the engine: the description of fraud-s and the
 * filling of its items. sample.c has the table of items, in the order of evidence.
 *
 * Owns: nothing but the description it writes. Threads: any. Errors: R1_E_NOMEM. */
#ifndef FRAUD_SAMPLE_H
#define FRAUD_SAMPLE_H

#include "features/columns.h"
#include "r1_sample.h"

enum {
    FRAUD_ITEM_PAYMENT = 0,
    FRAUD_ITEM_TEXT,
    FRAUD_ITEM_SENDER,
    FRAUD_ITEM_RECEIVER,
    FRAUD_ITEM_PAIR,
    FRAUD_ITEM_PATTERN,
    FRAUD_ITEM_GRAPH,
    FRAUD_ITEM_HISTORY,
    FRAUD_N_ITEM
};
const char *fraud_item_name(int item);
/* How many numbers an item's table has, 0 for other items; columns NULL, or their names. */
size_t fraud_item_columns(int item, const fraud_column **columns); /* "payment"... */

enum { FRAUD_D_MODEL = 64, FRAUD_N_LAYER = 2, FRAUD_HIDDEN = 64 };

typedef struct {
    const char *name;             /* NULL = "fraud-s" */
    int d_model, n_layer, hidden; /* 0: FRAUD_D_MODEL, FRAUD_N_LAYER, FRAUD_HIDDEN */
} fraud_description_opts;

/* Writes the description (JSON); malloc'ed. */
r1_status fraud_description(const fraud_description_opts *opts, char **json, r1_err *err);

enum { FRAUD_CAPTURE_GRAPH = 1, FRAUD_CAPTURE_MEMORY = 2 };
/* All columns of one payment, before it is inserted. flags: which costly parts to capture. */
void fraud_capture(const fraud_state *s, const fraud_payment *p, uint32_t from, uint32_t to,
                   unsigned flags, fraud_features *f);

enum { FRAUD_SAMPLE_TEXT = 4 };
/* Points item[FRAUD_N_ITEM] into f and p. ref[i] stands for f's reference i (an index or a handle)
 * and must outlive the sample. flags: as in fraud_capture, and FRAUD_SAMPLE_TEXT for the
 * remittance. */
void fraud_sample_fill(const fraud_features *f, const fraud_payment *p, const uint64_t *ref,
                       unsigned flags, r1_item *item);

#endif
