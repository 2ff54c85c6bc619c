/* SPDX-License-Identifier: Apache-2.0 */
/* carve.h - one block for the many buffers of an object, instead of as many allocations.
 *
 * The owner writes one function that asks for its buffers. It runs twice: first to count the
 * bytes, then over the block. So sizes stand once, and free() of the block frees all.
 *
 *     static void carve_batch(void *batch, r1_carver *c)
 *     {
 *         batch->row = r1_carve(c, batch->cap, sizeof *batch->row);
 *     }
 *     batch->block = r1_carve_block(carve_batch, batch);       NULL: no memory */
#ifndef R1_CARVE_H
#define R1_CARVE_H

#include "r1_assert.h"

#include <stdlib.h>

/* The address sanitizer watches a gap after each piece. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
enum { R1_CARVE_GAP = 64 };
#else
enum { R1_CARVE_GAP = 0 };
#define ASAN_POISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

typedef struct {
    char *block; /* NULL: the bytes are counted */
    size_t bytes;
} r1_carver;

enum { R1_CARVE_SLACK = 4096 }; /* above a gap and a rounding */
#define R1_CARVE_MAX (SIZE_MAX / 2)

/* The next piece: count * size bytes, zeroed, on a boundary of 64 bytes. Where the sum passes
 * R1_CARVE_MAX it stays there, and no block is made. */
static inline void *r1_carve(r1_carver *c, size_t count, size_t size)
{
    size_t need;
    if (__builtin_mul_overflow(count, size, &need) || need > R1_CARVE_MAX - R1_CARVE_SLACK ||
        c->bytes > R1_CARVE_MAX - R1_CARVE_SLACK - need) {
        c->bytes = R1_CARVE_MAX;
        return NULL;
    }
    size_t room = (need + 63) / 64 * 64 + R1_CARVE_GAP;
    char *piece = c->block ? c->block + c->bytes : NULL;
    if (piece) ASAN_POISON_MEMORY_REGION(piece + need, room - need);
    c->bytes += room;
    return piece;
}

/* The owner's block, which the owner frees; NULL: no memory. */
static inline void *r1_carve_block(void (*carve)(void *owner, r1_carver *c), void *owner)
{
    r1_carver count = {0};
    carve(owner, &count);
    if (count.bytes >= R1_CARVE_MAX) return NULL;
    r1_carver c = {.block = r1_calloc_aligned(count.bytes ? count.bytes : 1, 1)};
    if (!c.block) return NULL;
    carve(owner, &c);
    R1_ASSERT(c.bytes == count.bytes, "%zu bytes carved of %zu", c.bytes, count.bytes);
    return c.block;
}

#endif
