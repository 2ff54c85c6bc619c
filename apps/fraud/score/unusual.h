/* SPDX-License-Identifier: GPL-3.0-or-later */
/* unusual.h - what of an evidence item lies far from what its account or pair usually does, in
 * words: for a reason that no fact of the rules gives.
 *
 * A figure leans up (a burst, a payment at night, several times the usual amount) or down (less
 * than the usual amount). One that leans against the item's contribution is left out, so is a count
 * of zero. Where nothing stands out the words say what the item reads. They name no cause: an
 * item's contribution is that of all its figures together.
 *
 * Owns: nothing. Threads: any, the function is pure. Errors: none. */
#ifndef FRAUD_UNUSUAL_H
#define FRAUD_UNUSUAL_H

#include "features/columns.h"
#include "score/rules.h"

/* What the words are made of. */
typedef struct {
    const fraud_facts *facts;
    const fraud_features *features;
    const fraud_payment *payment;
    const fraud_finding *finding;
    size_t n_finding;
    const struct fraud_signs *signs; /* signs.h */
} fraud_explained;

enum { FRAUD_UNUSUAL_SHOWN = 3 }; /* figures, the furthest first */

/* delta: the item's contribution, not 0. A figure that does not fit into text[cap] is left out.
 * false: no figure but the age of an end stands out, and the text says that, or what the item
 * reads. */
bool fraud_unusual_words(const fraud_explained *x, int item, double delta, char *text, size_t cap);

#endif
