/* SPDX-License-Identifier: Apache-2.0 */
/* arena_state.h - the inside of an arena: a list of blocks, the first ones filled in turn. */
#ifndef BASE_ARENA_STATE_H
#define BASE_ARENA_STATE_H

#include "r1_base.h"

typedef struct arena_block {
    struct arena_block *next;
    size_t size, used; /* of data */
    unsigned char *data;
} arena_block;

struct r1_arena {
    arena_block *first, *cur;
    size_t bytes_max, bytes; /* bytes: sum of the blocks' sizes */
};

/* Walks the blocks and aborts at the first broken invariant: no block is filled over its size,
 * the sizes add up to bytes, bytes stay within bytes_max, cur is one of the blocks. */
void arena_check(const r1_arena *a);

#endif
