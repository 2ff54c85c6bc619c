/* SPDX-License-Identifier: GPL-3.0-or-later */
/* txset.h - which tx_id have been seen: a set of 128-bit hashes, 16 bytes each, growing by
 * doubling.
 *
 * Two different ids meet with a probability of 2^-128 per pair, which is never at any number of
 * payments. Threads: one at a time. */
#ifndef FRAUD_TXSET_H
#define FRAUD_TXSET_H

#include "files/image.h"

typedef struct fraud_txset fraud_txset;
r1_status fraud_txset_new(fraud_txset **out, r1_err *err);
void fraud_txset_free(fraud_txset *s); /* NULL is fine */
/* *fresh tells whether the id was new. On failure the set is as before. */
r1_status fraud_txset_add(fraud_txset *s, const char *tx_id, bool *fresh, r1_err *err);
bool fraud_txset_has(const fraud_txset *s, const char *tx_id);
size_t fraud_txset_count(const fraud_txset *s);

/* The set as one section. It changes nothing, allocates nothing and takes no lock. */
r1_status fraud_txset_save(const fraud_txset *s, r1_image_out *out, r1_err *err);
/* In the place of what the set holds. On failure it is as before. */
r1_status fraud_txset_load(fraud_txset *s, r1_image_in *in, r1_err *err);
r1_status fraud_txset_clear(fraud_txset *s, r1_err *err);

#endif
