/* SPDX-License-Identifier: Apache-2.0 */
/* pool_image.c - working memory as bytes and back, and a digest of what its readers can see.
 *
 *   head    image_head: what the pool was made with, its lists and counts
 *   arrays  slots, K and V, blocks, anchors, rings, each up to the highest one ever taken
 *
 * The table that finds a ring by its key is made again from the rings. Bytes lie as in memory,
 * little endian. What is read is believed only after a walk that bounds every index and holds the
 * invariants of pool_internal.h; pool_check.c aborts where this file refuses. */
#include "memory/pool_internal.h"
#include "r1_assert.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "an image is little endian");
static const char image_magic[8] = "R1POOL1";

typedef struct {
    char magic[8];
    /* what the pool was made with */
    uint32_t width, row_stride, int8, quota, n_slot, n_block, n_anchor, n_ring;
    free_list slots, blocks, anchors, rings;
    uint32_t deferred_head, deferred_tail, n_deferred, oldest, newest, spare;
    uint64_t n_entry, n_entity, n_left, n_moved, ticket;
    int64_t now_us;
} image_head;
_Static_assert(sizeof(image_head) == 8 + 8 * 4 + 4 * sizeof(free_list) + 6 * 4 + 6 * 8,
               "the head has no padding");

static image_head head_of(const r1_memory *mem)
{
    image_head h = {.width = mem->width,
                    .row_stride = mem->row_stride,
                    .int8 = mem->int8,
                    .quota = mem->quota,
                    .n_slot = mem->n_slot,
                    .n_block = mem->blocks.n,
                    .n_anchor = mem->anchors.n,
                    .n_ring = mem->n_ring,
                    .slots = mem->slots,
                    .blocks = mem->blocks,
                    .anchors = mem->anchors,
                    .rings = mem->rings,
                    .deferred_head = mem->deferred_head,
                    .deferred_tail = mem->deferred_tail,
                    .n_deferred = mem->n_deferred,
                    .oldest = mem->oldest,
                    .newest = mem->newest,
                    .n_entry = mem->n_entry,
                    .n_entity = mem->n_entity,
                    .n_left = mem->n_left,
                    .n_moved = mem->n_moved,
                    .ticket = mem->next_ticket,
                    .now_us = mem->now_us};
    memcpy(h.magic, image_magic, sizeof h.magic);
    return h;
}

typedef struct {
    void *data;
    size_t bytes;
} image_array;

enum { IMAGE_ARRAYS = 5 };

static void image_arrays(const r1_memory *mem, image_array a[IMAGE_ARRAYS])
{
    a[0] = (image_array){mem->slot, mem->slots.used * sizeof *mem->slot};
    a[1] = (image_array){mem->kv, (size_t)mem->slots.used * mem->row_stride};
    a[2] = (image_array){mem->block, mem->blocks.used * sizeof *mem->block};
    a[3] = (image_array){mem->anchor, mem->anchors.used * sizeof *mem->anchor};
    a[4] = (image_array){mem->ring, mem->rings.used * sizeof *mem->ring};
}

r1_status r1_memory_save(const r1_memory *mem, r1_memory_put_fn *put, void *ctx, r1_err *err)
{
    if (mem->next_ticket != mem->ended || mem->n_waiting)
        R1_FAIL(err, R1_E_AGAIN,
                "memory: expected no open batch and nothing on its way to long-term memory, found "
                "%llu and %u",
                (unsigned long long)(mem->next_ticket - mem->ended), mem->n_waiting);
    image_head h = head_of(mem);
    image_array a[IMAGE_ARRAYS];
    image_arrays(mem, a);
    R1_TRY(put(ctx, &h, sizeof h, err));
    for (int i = 0; i < IMAGE_ARRAYS; i++)
        if (a[i].bytes) R1_TRY(put(ctx, a[i].data, a[i].bytes, err));
    return R1_OK;
}

/* ---- what is read is walked before it is used ------------------------------------------------ */

typedef struct {
    const r1_memory *mem;
    uint32_t *n_ref;                 /* per slot: places that name it; SEEN: it is in a list */
    uint8_t *block, *anchor;         /* 1: met */
    uint64_t n_block, n_anchor;      /* met in rings */
    uint32_t n_line_anchor, n_place; /* of the ring at hand */
} image_walk;

enum { SEEN = UINT32_MAX };

static const char *lists_fault(const free_list *s)
{
    if (s->used > s->n || s->n_free > s->used) return "a list counts more than there is";
    return (s->n_free == 0) == (s->free == POOL_NONE) ? NULL : "a free list has lost its head";
}

/* A bool that is neither 0 nor 1 must not be read as one. */
static bool flag_fits(const void *row, size_t at) { return ((const uint8_t *)row)[at] <= 1; }

static const char *flags_fault(const r1_memory *mem)
{
    for (uint32_t i = 0; i < mem->slots.used; i++)
        if (!flag_fits(&mem->slot[i], offsetof(pool_slot, lost))) return "an entry's mark";
    for (uint32_t i = 0; i < mem->rings.used; i++)
        if (!flag_fits(&mem->ring[i], offsetof(pool_ring, used))) return "a ring's mark";
    return NULL;
}

static const char *place_fault(image_walk *w, uint64_t place)
{
    const r1_memory *mem = w->mem;
    if (place & 1) {
        uint64_t a = place >> 1;
        if (a >= mem->anchors.used || w->anchor[a]) return "a place names another's anchor";
        w->anchor[a] = 1;
        w->n_anchor++;
        w->n_line_anchor++;
        if (!(mem->anchor[a].weight >= 0)) return "an anchor has no weight";
    }
    uint64_t handle = pool_named(mem, place);
    if (pool_slot_of(handle) >= mem->slots.used || !pool_live(mem, handle))
        return "a place names an entry that is gone";
    return ++w->n_ref[pool_slot_of(handle)] > POOL_ENTITIES_MAX ? "an entry is in too many rings"
                                                                : NULL;
}

static const char *block_met(image_walk *w, uint32_t b)
{
    if (b >= w->mem->blocks.used || w->block[b]) return "a line runs through another's block";
    w->block[b] = 1;
    w->n_block++;
    return NULL;
}

static const char *line_fault(image_walk *w, const pool_ring *r)
{
    const r1_memory *mem = w->mem;
    uint32_t b = r->first, at = r->start;
    if (!r->n_line) return NULL;
    if (r->start >= POOL_BLOCK_PLACES || r->end < 1 || r->end > POOL_BLOCK_PLACES)
        return "a line begins or ends outside of its blocks";
    const char *fault = block_met(w, b);
    for (uint32_t k = 0; k < r->n_line && !fault; k++, at++) {
        if (at == POOL_BLOCK_PLACES) {
            uint32_t newer = mem->block[b].newer;
            fault = block_met(w, newer);
            if (!fault && mem->block[newer].older != b) fault = "a block does not lead back";
            if (fault) return fault;
            b = newer;
            at = 0;
        }
        fault = place_fault(w, mem->block[b].place[at]);
    }
    if (!fault && (b != r->last || at != r->end)) fault = "a line ends elsewhere";
    return fault;
}

static const char *kept_fault(image_walk *w, const pool_ring *r)
{
    const r1_memory *mem = w->mem;
    uint32_t last = POOL_NONE;
    for (uint32_t k = 0, i = r->kept_oldest; k < r->n_kept; k++, i = mem->anchor[i].next) {
        const char *fault = i < mem->anchors.used ? place_fault(w, (uint64_t)i << 1 | 1)
                                                  : "a ring keeps an anchor that is not there";
        if (fault) return fault;
        if (r->kept_until > mem->anchor[i].until_us) return "a kept anchor ends too early";
        last = i;
    }
    return !r->n_kept || last == r->kept_newest ? NULL : "a list of kept anchors ends elsewhere";
}

static const char *ring_image_fault(image_walk *w, uint32_t i)
{
    const pool_ring *r = &w->mem->ring[i];
    if (!r->used) return NULL;
    if (r->quota < 1 || r->quota > POOL_QUOTA_MAX || (uint64_t)r->n_line + r->n_kept > r->quota)
        return "a ring is longer than its quota";
    w->n_line_anchor = 0;
    const char *fault = line_fault(w, r);
    if (!fault) fault = kept_fault(w, r);
    if (!fault && w->n_line_anchor != r->n_pinned) fault = "a ring has lost count of its anchors";
    return fault;
}

/* The order of last appends, and the free rings. */
static const char *order_fault(const r1_memory *mem)
{
    uint64_t n = 0;
    uint32_t before = POOL_NONE;
    for (uint32_t i = mem->oldest; i != POOL_NONE; before = i, i = mem->ring[i].newer)
        if (i >= mem->rings.used || ++n > mem->n_entity || !mem->ring[i].used ||
            mem->ring[i].older != before)
            return "the order of rings is broken";
    if (n != mem->n_entity || before != mem->newest) return "the order of rings has lost one";
    uint32_t i = mem->rings.free, n_free = 0;
    for (; i != POOL_NONE; i = mem->ring[i].newer)
        if (i >= mem->rings.used || ++n_free > mem->rings.n_free || mem->ring[i].used)
            return "the list of free rings is broken";
    return n_free == mem->rings.n_free && n + n_free == mem->rings.used ? NULL
                                                                        : "a ring is nowhere";
}

/* Marks the slots of a list as seen; returns how many, or SEEN where the list is broken. */
static uint32_t list_of_slots(image_walk *w, uint32_t head, uint32_t count, uint32_t *tail)
{
    uint32_t n = 0;
    *tail = POOL_NONE;
    for (uint32_t i = head; i != POOL_NONE; *tail = i, i = w->mem->slot[i].next, n++) {
        if (i >= w->mem->slots.used || n >= count || w->n_ref[i]) return SEEN;
        if (w->mem->slot[i].n_ref) return SEEN;
        w->n_ref[i] = SEEN;
    }
    return n;
}

static const char *slot_lists_fault(image_walk *w)
{
    const r1_memory *mem = w->mem;
    uint32_t tail;
    if (list_of_slots(w, mem->slots.free, mem->slots.n_free, &tail) != mem->slots.n_free)
        return "the list of free entries is broken";
    if (list_of_slots(w, mem->deferred_head, mem->n_deferred, &tail) != mem->n_deferred ||
        tail != mem->deferred_tail)
        return "the list of entries that have left is broken";
    uint64_t before = 0;
    for (uint32_t i = mem->deferred_head; i != POOL_NONE;
         before = mem->slot[i].tag, i = mem->slot[i].next)
        if (mem->slot[i].tag < before || mem->slot[i].tag > mem->next_ticket)
            return "an entry waits for a batch that is not there";
    return NULL;
}

static const char *slots_fault(image_walk *w)
{
    const r1_memory *mem = w->mem;
    uint64_t named = 0;
    const char *fault = slot_lists_fault(w);
    for (uint32_t i = 0; i < mem->slots.used && !fault; i++) {
        const pool_slot *s = &mem->slot[i];
        if (s->ticket > mem->next_ticket || s->generation > INT32_MAX) fault = "an entry's age";
        if (w->n_ref[i] == SEEN) continue;
        if (!w->n_ref[i] || w->n_ref[i] != s->n_ref) fault = "an entry has lost count of its rings";
        named++;
    }
    if (!fault && named != mem->n_entry) fault = "the pool has lost count of its entries";
    return fault;
}

/* What no ring holds is free. */
static const char *spares_fault(image_walk *w)
{
    const r1_memory *mem = w->mem;
    uint32_t n = 0;
    for (uint32_t b = mem->blocks.free; b != POOL_NONE; b = mem->block[b].newer, n++)
        if (n >= mem->blocks.n_free || block_met(w, b)) return "the list of free blocks is broken";
    if (n != mem->blocks.n_free || w->n_block != mem->blocks.used) return "a block is nowhere";
    n = 0;
    for (uint32_t a = mem->anchors.free; a != POOL_NONE; a = mem->anchor[a].next, n++) {
        if (n >= mem->anchors.n_free || a >= mem->anchors.used || w->anchor[a])
            return "the list of free anchors is broken";
        w->anchor[a] = 1;
    }
    return n == mem->anchors.n_free && w->n_anchor + n == mem->anchors.used
               ? NULL
               : "an anchor is nowhere";
}

static const char *index_rings(r1_memory *mem)
{
    for (uint32_t i = 0; i < mem->rings.used; i++) {
        if (!mem->ring[i].used) continue;
        uint32_t *cell = pool_cell(mem, mem->ring[i].key);
        if (*cell) return "two rings have one key";
        *cell = i + 1;
    }
    return NULL;
}

static const char *image_walk_fault(image_walk *w)
{
    const r1_memory *mem = w->mem;
    const char *fault = flags_fault(mem);
    if (!fault) fault = order_fault(mem);
    for (uint32_t i = 0; i < mem->rings.used && !fault; i++) fault = ring_image_fault(w, i);
    if (!fault) fault = slots_fault(w);
    return fault ? fault : spares_fault(w);
}

static r1_status image_check(r1_memory *mem, r1_err *err)
{
    image_walk w = {.mem = mem,
                    .n_ref = calloc((size_t)mem->slots.used + 1, sizeof *w.n_ref),
                    .block = calloc((size_t)mem->blocks.used + 1, 1),
                    .anchor = calloc((size_t)mem->anchors.used + 1, 1)};
    bool room = w.n_ref && w.block && w.anchor;
    const char *fault = room ? image_walk_fault(&w) : NULL;
    free(w.n_ref);
    free(w.block);
    free(w.anchor);
    if (!room) R1_FAIL(err, R1_E_NOMEM, "memory: no memory to check an image");
    if (!fault) fault = index_rings(mem);
    if (fault) R1_FAIL(err, R1_E_FORMAT, "memory: the image is damaged: %s", fault);
    return R1_OK;
}

/* ---- reading --------------------------------------------------------------------------------- */

static r1_status image_head_check(const r1_memory *mem, const image_head *h, r1_err *err)
{
    image_head own = head_of(mem);
    if (memcmp(h->magic, image_magic, sizeof h->magic) != 0)
        R1_FAIL(err, R1_E_FORMAT, "memory: expected an image of a pool, found other bytes");
    if (memcmp(&h->width, &own.width, offsetof(image_head, slots) - offsetof(image_head, width)))
        R1_FAIL(err, R1_E_FORMAT,
                "memory: expected an image of %u entries of %u bytes and %u rings of %u, found %u "
                "of %u and %u of %u",
                own.n_slot, own.row_stride, own.n_ring, own.quota, h->n_slot, h->row_stride,
                h->n_ring, h->quota);
    const free_list *list[] = {&h->slots, &h->blocks, &h->anchors, &h->rings};
    const uint32_t n[] = {own.n_slot, own.n_block, own.n_anchor, own.n_ring};
    for (size_t i = 0; i < R1_COUNT(list); i++) {
        const char *fault = list[i]->n == n[i] ? lists_fault(list[i]) : "a list of another length";
        if (fault) R1_FAIL(err, R1_E_FORMAT, "memory: the image is damaged: %s", fault);
    }
    if (h->ticket > UINT64_MAX / 2)
        R1_FAIL(err, R1_E_FORMAT, "memory: the image is damaged: %llu batches",
                (unsigned long long)h->ticket);
    return R1_OK;
}

static void head_take(r1_memory *mem, const image_head *h)
{
    mem->slots = h->slots;
    mem->blocks = h->blocks;
    mem->anchors = h->anchors;
    mem->rings = h->rings;
    mem->deferred_head = h->deferred_head;
    mem->deferred_tail = h->deferred_tail;
    mem->n_deferred = h->n_deferred;
    mem->oldest = h->oldest;
    mem->newest = h->newest;
    mem->n_entry = h->n_entry;
    mem->n_entity = h->n_entity;
    mem->n_left = h->n_left;
    mem->n_moved = h->n_moved;
    mem->now_us = h->now_us;
    mem->next_ticket = mem->stored = mem->ended = h->ticket;
}

r1_status r1_memory_load(r1_memory *mem, r1_memory_get_fn *get, void *ctx, r1_err *err)
{
    image_head h;
    image_array a[IMAGE_ARRAYS];
    if (mem->next_ticket || mem->slots.used || mem->rings.used)
        R1_FAIL(err, R1_E_INVAL, "memory: an image is read into a pool that was never used");
    R1_TRY(get(ctx, &h, sizeof h, err));
    R1_TRY(image_head_check(mem, &h, err));
    head_take(mem, &h);
    image_arrays(mem, a);
    for (int i = 0; i < IMAGE_ARRAYS; i++)
        if (a[i].bytes) R1_TRY(get(ctx, a[i].data, a[i].bytes, err));
    R1_TRY(image_check(mem, err));
    pool_changed(mem);
    return R1_OK;
}

/* ---- what readers see ------------------------------------------------------------------------ */

static uint64_t entry_digest(const r1_memory *mem, uint64_t place, uint64_t h)
{
    uint32_t i = pool_slot_of(pool_named(mem, place));
    const pool_slot *s = &mem->slot[i];
    int64_t v[] = {(int64_t)s->meta, (int64_t)s->owner, s->time_us, 0, 0};
    if (place & 1) {
        const pool_anchor *a = pool_anchor_of(mem, place);
        uint32_t weight;
        memcpy(&weight, &a->weight, sizeof weight);
        v[3] = a->until_us, v[4] = weight;
    }
    h = r1_hash64(v, sizeof v, h);
    return r1_hash64(mem->kv + (size_t)i * mem->row_stride, mem->row_stride, h);
}

uint64_t r1_memory_digest(const r1_memory *mem)
{
    uint64_t head[] = {mem->n_entry, mem->n_entity, (uint64_t)mem->now_us};
    uint64_t h = r1_hash64(head, sizeof head, 0);
    for (uint32_t i = mem->oldest; i != POOL_NONE; i = mem->ring[i].newer) {
        const pool_ring *r = &mem->ring[i];
        uint64_t v[] = {r->key, r->quota, r->n_line, r->n_kept};
        h = r1_hash64(v, sizeof v, h);
        for (uint32_t k = 0, a = r->kept_oldest; k < r->n_kept; k++, a = mem->anchor[a].next)
            h = entry_digest(mem, (uint64_t)a << 1 | 1, h);
        uint32_t b = r->first, at = r->start;
        for (uint32_t k = 0; k < r->n_line; k++, at++) {
            if (at == POOL_BLOCK_PLACES) b = mem->block[b].newer, at = 0;
            h = entry_digest(mem, mem->block[b].place[at], h);
        }
    }
    return h;
}
