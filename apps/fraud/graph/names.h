/* SPDX-License-Identifier: GPL-3.0-or-later */
/* names.h - ids of payments and accounts, stored as short as they are: up to FRAUD_ID_BYTES - 1
 * bytes, without a field of the largest size for each.
 *
 * An id is packed first. A UUID in lower case takes 16 bytes, other lower-case hexadecimal of even
 * length half of its length, anything else its own bytes. Equal ids pack alike, so packed ids are
 * compared. Two stores hold them:
 *   - fraud_name_ring, for tx_ids, which leave in the order in which they came. It is a queue of
 *     chunks, and a chunk that is empty goes back to a free list: what is touched is what was once
 *     needed at a time, not what is reserved.
 *   - fraud_name_pool, for accounts. The row holds FRAUD_NAME_INLINE bytes, and a list of blocks
 *     the rest.
 *
 * Owns:    nothing; the caller reserves the arrays (zero at first) and sets their sizes.
 * Threads: one at a time. Errors: none; the caller asks for room first. */
#ifndef FRAUD_NAMES_H
#define FRAUD_NAMES_H

#include "r1_base.h"

enum {
    FRAUD_ID_BYTES = 256,      /* of the longest id, with its NUL */
    FRAUD_NAME_INLINE = 22,    /* an IBAN of 22 characters */
    FRAUD_NAME_BLOCK = 28,     /* bytes of a name in one block of the pool */
    FRAUD_NAME_CHUNK = 4096,   /* bytes of a chunk of the ring */
    FRAUD_NAME_RESERVED = 32,  /* bytes that the ring reserves for a payment: ids of 26 bytes */
    FRAUD_NAME_CHUNKS_MIN = 8, /* of the smallest ring */
    FRAUD_NAME_BLOCKS_MIN = 32
};

typedef struct { /* packed */
    uint8_t form, bytes;
    uint8_t data[FRAUD_ID_BYTES];
} fraud_id;

/* id: at most FRAUD_ID_BYTES - 1 bytes. */
void fraud_id_pack(const char *id, fraud_id *out);
void fraud_id_unpack(const fraud_id *id, char out[FRAUD_ID_BYTES]);

/* ---- tx_ids ---- */

typedef struct {
    uint8_t *data;  /* [n_chunk * FRAUD_NAME_CHUNK] */
    uint32_t *next; /* [n_chunk] the chunk after it, plus 1; of used and of free chunks */
    uint32_t n_chunk, n_fresh, free_head, newest; /* chunks plus 1; n_fresh: ever used */
    uint32_t n_used, at;                          /* chunks in use; bytes used of the newest */
} fraud_name_ring;

/* Whether the id fits without another one leaving. */
bool fraud_name_ring_fits(const fraud_name_ring *r, const fraud_id *id);
/* Stores it and returns its place. link: a number that is kept with it. */
uint32_t fraud_name_ring_add(fraud_name_ring *r, const fraud_id *id, uint32_t link);
bool fraud_name_ring_equal(const fraud_name_ring *r, uint32_t place, const fraud_id *id);
uint32_t fraud_name_ring_link(const fraud_name_ring *r, uint32_t place);
void fraud_name_ring_read(const fraud_name_ring *r, uint32_t place, char out[FRAUD_ID_BYTES]);
/* The oldest id leaves; next: the place of the one after it, UINT32_MAX: none. */
void fraud_name_ring_drop(fraud_name_ring *r, uint32_t place, uint32_t next);

/* ---- accounts ---- */

typedef struct { /* in the account's row */
    uint8_t form, bytes;
    uint8_t data[FRAUD_NAME_INLINE];
    uint32_t more; /* first block, plus 1 */
} fraud_name;

typedef struct {
    uint32_t next; /* plus 1 */
    uint8_t data[FRAUD_NAME_BLOCK];
} fraud_name_block;

typedef struct {
    fraud_name_block *block;
    uint32_t n_block, n_fresh, free_head, n_used;
} fraud_name_pool;

bool fraud_name_pool_fits(const fraud_name_pool *p, const fraud_id *id);
void fraud_name_pool_add(fraud_name_pool *p, fraud_name *name, const fraud_id *id);
void fraud_name_pool_drop(fraud_name_pool *p, fraud_name *name);
bool fraud_name_pool_equal(const fraud_name_pool *p, const fraud_name *name, const fraud_id *id);
void fraud_name_pool_read(const fraud_name_pool *p, const fraud_name *name,
                          char out[FRAUD_ID_BYTES]);

/* ---- names that come from outside ---- */

/* Whether a whole id stands at the place, of a chunk that was used. end: bytes of its chunk up to
 * the end of it. */
bool fraud_name_ring_check(const fraud_name_ring *r, uint32_t place, uint32_t *chunk,
                           uint32_t *end);
/* Whether the name's blocks are there and nobody else's; marks them in met[n_block]. */
bool fraud_name_pool_check(const fraud_name_pool *p, const fraud_name *name, uint8_t *met);

#endif
