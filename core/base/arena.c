/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - bump allocation out of a list of blocks that live and die together. */
#include "base/arena_state.h"
#include "r1_assert.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 64, BLOCK_MIN = 64 * 1024 };

r1_status r1_arena_new(r1_arena **out, size_t bytes_max, r1_err *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out) R1_FAIL(err, R1_E_NOMEM, "no memory for an arena");
    (*out)->bytes_max = bytes_max;
    return R1_OK;
}

void r1_arena_free(r1_arena *a)
{
    if (!a) return;
    for (arena_block *b = a->first, *next; b; b = next) {
        next = b->next;
        free(b->data);
        free(b);
    }
    free(a);
}

void r1_arena_reset(r1_arena *a)
{
    for (arena_block *b = a->first; b; b = b->next) b->used = 0;
    a->cur = a->first;
}

void arena_check(const r1_arena *a)
{
    size_t bytes = 0;
    bool found = !a->first && !a->cur;
    for (const arena_block *b = a->first; b; b = b->next) {
        R1_ASSERT(b->used <= b->size && (uintptr_t)b->data % ALIGN == 0,
                  "arena: %zu bytes used of a block of %zu", b->used, b->size);
        bytes += b->size;
        found |= b == a->cur;
    }
    R1_ASSERT(found, "arena: the current block is none of %zu bytes", a->bytes);
    R1_ASSERT(bytes == a->bytes && bytes <= a->bytes_max, "arena: %zu bytes, counted %zu of %zu",
              a->bytes, bytes, a->bytes_max);
}

static arena_block *block_add(r1_arena *a, size_t need)
{
    size_t size = need > BLOCK_MIN ? need : BLOCK_MIN;
    if (size > a->bytes_max - a->bytes) size = need;
    if (size > a->bytes_max - a->bytes) return NULL;
    arena_block *b = malloc(sizeof *b);
    unsigned char *data = b ? aligned_alloc(ALIGN, size) : NULL;
    if (!data) {
        free(b);
        return NULL;
    }
    *b = (arena_block){.size = size, .data = data};
    if (a->cur) {
        b->next = a->cur->next;
        a->cur->next = b;
    } else {
        a->first = b;
    }
    a->cur = b;
    a->bytes += size;
    R1_ASSERT(a->bytes <= a->bytes_max, "arena: %zu bytes of %zu", a->bytes, a->bytes_max);
    if (R1_DEEP_CHECKS) arena_check(a);
    return b;
}

void *r1_arena_alloc(r1_arena *a, size_t count, size_t size)
{
    size_t need;
    if (__builtin_mul_overflow(count, size, &need) || need > SIZE_MAX - ALIGN) return NULL;
    need = need ? (need + ALIGN - 1) / ALIGN * ALIGN : ALIGN;
    arena_block *b = a->cur;
    while (b && b->size - b->used < need && b->next) b = a->cur = b->next;
    if (!b || b->size - b->used < need) b = block_add(a, need);
    if (!b) return NULL;
    void *p = b->data + b->used;
    R1_ASSERT(need <= b->size - b->used, "arena: %zu bytes of a block with %zu of %zu used", need,
              b->used, b->size);
    b->used += need;
    return memset(p, 0, need);
}

char *r1_arena_strdup(r1_arena *a, const char *s, size_t len)
{
    if (len == SIZE_MAX) return NULL;
    char *p = r1_arena_alloc(a, len + 1, 1);
    if (p && len) memcpy(p, s, len);
    return p;
}

size_t r1_arena_used(const r1_arena *a)
{
    size_t n = 0;
    for (const arena_block *b = a->first; b; b = b->next) n += b->used;
    return n;
}

void *r1_realloc_array(void *p, size_t count, size_t size)
{
    size_t need;
    if (__builtin_mul_overflow(count, size, &need)) return NULL;
    return realloc(p, need ? need : 1);
}

/* Large tables are read at random places: with pages of 4 KiB most reads miss the translation
 * cache as well. */
enum { LARGE_PAGE = 2 << 20, LARGE_FROM = 8 << 20 };

void *r1_calloc_aligned(size_t count, size_t size)
{
    size_t need;
    if (__builtin_mul_overflow(count, size, &need) || need > SIZE_MAX - LARGE_PAGE) return NULL;
    size_t align = need >= LARGE_FROM ? LARGE_PAGE : ALIGN;
    need = need ? (need + align - 1) / align * align : align;
    void *p = aligned_alloc(align, need);
    if (!p) return NULL;
    if (align == LARGE_PAGE)
        madvise(p, need, MADV_HUGEPAGE); /* advice: nothing is lost where it is not taken */
    return memset(p, 0, need);
}
