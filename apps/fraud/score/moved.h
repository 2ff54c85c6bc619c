/* SPDX-License-Identifier: GPL-3.0-or-later */
/* moved.h - how far the columns of a stream have moved from what the model's training saw.
 *
 * Each column is counted in the bins that the model encodes it by, and in one for missing values.
 * Beside a model MODEL.gguf stands MODEL.columns.json with the same counts over the generated
 * worlds that it was trained on (`models/train-fraud-columns`). The distance of a column is the
 * population stability index (PSI): the sum over bins of (now - then) * ln(now / then). Below 0.1
 * nothing has moved, above FRAUD_MOVED_FAR it is another stream. Every FRAUD_MOVED_EVERYth payment
 * is counted.
 *
 * Owns:    its counts; borrows the model. Threads: one counts; another may list meanwhile and sees
 *          counts of some moment.
 * Errors:  R1_E_FORMAT for a file of other columns, with the place. */
#ifndef FRAUD_MOVED_H
#define FRAUD_MOVED_H

#include "r1_model.h"
#include "score/sample.h"

#include <stdio.h>

#define FRAUD_MOVED_FAR 0.25
enum { FRAUD_MOVED_EVERY = 4, FRAUD_MOVED_LEAST = 500, FRAUD_MOVED_NAME_BYTES = 64 };

typedef struct {
    char name[FRAUD_MOVED_NAME_BYTES]; /* "sender.out_n_1h" */
    double psi;
} fraud_moved_column;

typedef struct fraud_moved fraud_moved;
r1_status fraud_moved_new(fraud_moved **out, const r1_model *model, r1_err *err);
void fraud_moved_free(fraud_moved *m); /* NULL is fine */
void fraud_moved_count(fraud_moved *m, const r1_item *item);
/* Of training: reads the file beside the model. No such file: nothing has moved from anything, and
 * the list stays empty. */
r1_status fraud_moved_read(fraud_moved *m, const char *model_path, r1_err *err);
r1_status fraud_moved_write(const fraud_moved *m, const char *path, r1_err *err);
/* The columns, the furthest first; of fewer than FRAUD_MOVED_LEAST counted payments none. Returns
 * how many there are, of which cap are written. far: how many lie above FRAUD_MOVED_FAR. */
size_t fraud_moved_list(const fraud_moved *m, fraud_moved_column *out, size_t cap, size_t *far);

/* For a person: how many columns have moved far, and the furthest of them. Nothing where the list
 * is empty. m NULL is fine. */
void fraud_moved_print(const fraud_moved *m, FILE *out);

#endif
