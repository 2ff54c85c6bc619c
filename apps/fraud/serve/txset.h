/* SPDX-License-Identifier: GPL-3.0-or-later */
/* txset.h - which payment ids have been seen, and with which content: two generations of 16 bytes
 * an id.
 *
 * A message is a repetition only where its id and its content were seen together. An id that comes
 * with other content than an applied payment's is another payment, which somebody must look at.
 * The id of a payment that was not applied is free: it may come again, mended.
 *
 * Memory is bounded: when a generation is full, it becomes the older one, and what was the older
 * one is forgotten. So the last `ids_max` ids are known, and at most twice as many.
 *
 * Ids and contents are hashes of 64 bits. Where two ids meet by chance, the second one is taken for
 * a used id and goes to a person. Taking it for a repetition needs 128 equal bits.
 *
 * Owns:    its tables. Threads: one at a time.
 * Errors:  R1_E_NOMEM; the set is then as before. */
#ifndef FRAUD_TXSET_H
#define FRAUD_TXSET_H

#include "files/image.h"

enum { FRAUD_TXSET_CONTENTS_MAX = 4 }; /* of one id in a generation; more are not remembered */

typedef enum {
    FRAUD_SEEN_NEW = 0, /* no applied payment has the id */
    FRAUD_SEEN_SAME,    /* the id came with this content */
    FRAUD_SEEN_OTHER    /* an applied payment has the id, with other content */
} fraud_seen;

typedef struct fraud_txset fraud_txset;
r1_status fraud_txset_new(fraud_txset **out, size_t ids_max, r1_err *err);
void fraud_txset_free(fraud_txset *s); /* NULL is fine */
fraud_seen fraud_txset_look(const fraud_txset *s, const char *tx_id, uint64_t content);
/* Remembers the id with this content; an id may have several. */
r1_status fraud_txset_add(fraud_txset *s, const char *tx_id, uint64_t content, bool applied,
                          r1_err *err);
/* What both generations take when they are full. */
uint64_t fraud_txset_bytes(uint64_t ids_max);
size_t fraud_txset_count(const fraud_txset *s); /* rows, of both generations */

/* The set as one section. It changes nothing, allocates nothing and takes no lock. */
r1_status fraud_txset_save(const fraud_txset *s, r1_image_out *out, r1_err *err);
/* In the place of what the set holds. On failure it is as before. */
r1_status fraud_txset_load(fraud_txset *s, r1_image_in *in, r1_err *err);
r1_status fraud_txset_clear(fraud_txset *s, r1_err *err);

#endif
