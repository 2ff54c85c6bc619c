/* SPDX-License-Identifier: Apache-2.0 */
/* pool_check.c - the five invariants of working memory (pool_state.h), checked by a walk over
 * slots, rings, blocks and anchors. It changes nothing and aborts where something does not fit. */
#include "memory/pool_state.h"
#include "r1_assert.h"

#include <stdlib.h>

/* What the walk counts, to be compared with what the pool keeps. */
typedef struct {
    const r1_memory *mem;
    uint32_t *n_ref; /* per slot: places that name it */
    uint64_t n_block, n_pinned, n_ring;
} tally;

/* (3) and (5): a place names a live entry, itself or through an anchor in use. */
static void check_place(tally *t, uint64_t place, uint32_t ring_index)
{
    const r1_memory *mem = t->mem;
    if (place & 1)
        R1_ASSERT(place >> 1 < mem->anchors.used, "pool: ring %u names anchor %llu of %u",
                  ring_index, (unsigned long long)(place >> 1), mem->anchors.used);
    uint64_t handle = pool_named(mem, place);
    uint32_t i = pool_slot_of(handle);
    R1_ASSERT(i < mem->slots.used && pool_live(mem, handle),
              "pool: ring %u names the dead handle %016llx", ring_index,
              (unsigned long long)handle);
    t->n_ref[i]++;
}

/* The blocks of a line hold its places, linked both ways. Returns how many are anchors. */
static uint32_t check_line(tally *t, const pool_ring *r, uint32_t ring_index)
{
    const r1_memory *mem = t->mem;
    uint32_t b = r->first, at = r->start, anchors = 0;
    for (uint32_t k = 0; k < r->n_line; k++, at++) {
        if (at == POOL_BLOCK_PLACES) {
            uint32_t newer = mem->block[b].newer;
            R1_ASSERT(newer < mem->blocks.used && mem->block[newer].older == b,
                      "pool: ring %u: block %u has no neighbour that knows it", ring_index, b);
            b = newer;
            at = 0;
        }
        R1_ASSERT(b < mem->blocks.used, "pool: ring %u: block %u of %u", ring_index, b,
                  mem->blocks.used);
        t->n_block += k == 0 || at == 0;
        check_place(t, mem->block[b].place[at], ring_index);
        anchors += mem->block[b].place[at] & 1;
    }
    if (r->n_line)
        R1_ASSERT(b == r->last && at == r->end,
                  "pool: ring %u ends in block %u before %u, the walk in %u before %u", ring_index,
                  r->last, r->end, b, at);
    return anchors;
}

static void check_kept(tally *t, const pool_ring *r, uint32_t ring_index)
{
    const r1_memory *mem = t->mem;
    for (uint32_t k = 0, i = r->kept_oldest; k < r->n_kept; k++, i = mem->anchor[i].next) {
        R1_ASSERT(i < mem->anchors.used, "pool: ring %u keeps anchor %u of %u", ring_index, i,
                  mem->anchors.used);
        R1_ASSERT(r->kept_until <= mem->anchor[i].until_us,
                  "pool: ring %u: a kept anchor ends at %lld, before %lld", ring_index,
                  (long long)mem->anchor[i].until_us, (long long)r->kept_until);
        R1_ASSERT(k + 1 < r->n_kept || i == r->kept_newest,
                  "pool: ring %u: newest kept anchor %u, the list ends at %u", ring_index,
                  r->kept_newest, i);
        check_place(t, (uint64_t)i << 1 | 1, ring_index);
    }
}

static void check_ring(tally *t, uint32_t i)
{
    const r1_memory *mem = t->mem;
    const pool_ring *r = &mem->ring[i];
    R1_ASSERT(*pool_cell(mem, r->key) == i + 1, "pool: ring %u is not found by its key %016llx", i,
              (unsigned long long)r->key);
    R1_ASSERT((uint64_t)r->n_line + r->n_kept <= r->quota, "pool: ring %u: %u + %u entries of %u",
              i, r->n_line, r->n_kept, r->quota);
    uint32_t anchors = check_line(t, r, i) + r->n_kept;
    R1_ASSERT(anchors == r->n_pinned, "pool: ring %u: %u anchors, counted %u", i, r->n_pinned,
              anchors);
    check_kept(t, r, i);
    t->n_pinned += r->n_pinned;
    t->n_ring++;
}

/* (4): the list by last append has every ring once. */
static void check_order(const r1_memory *mem)
{
    uint64_t n = 0;
    uint32_t before = POOL_NONE;
    for (uint32_t i = mem->oldest; i != POOL_NONE; before = i, i = mem->ring[i].newer, n++) {
        R1_ASSERT(i < mem->rings.used && n < mem->n_entity,
                  "pool: order of rings: %u of %u, after %llu", i, mem->rings.used,
                  (unsigned long long)n);
        R1_ASSERT(mem->ring[i].used && mem->ring[i].older == before,
                  "pool: order of rings: ring %u, older neighbour %u, expected %u", i,
                  mem->ring[i].older, before);
    }
    R1_ASSERT(n == mem->n_entity && mem->newest == before,
              "pool: order of rings: %llu of %llu, newest %u, expected %u", (unsigned long long)n,
              (unsigned long long)mem->n_entity, mem->newest, before);
}

/* A list of slots: its length and its last one. Slots that no ring names are marked as seen. */
static void check_queue(tally *t, const char *what, uint32_t head, uint32_t tail, uint32_t count)
{
    const r1_memory *mem = t->mem;
    uint32_t n = 0, last = POOL_NONE;
    for (uint32_t i = head; i != POOL_NONE; last = i, i = mem->slot[i].next, n++) {
        R1_ASSERT(i < mem->slots.used && n < count, "pool: %s: slot %u of %u, after %u of %u", what,
                  i, mem->slots.used, n, count);
        R1_ASSERT(t->n_ref[i] == 0 && mem->slot[i].n_ref == 0,
                  "pool: %s: slot %u has %u references, counted %u", what, i, mem->slot[i].n_ref,
                  t->n_ref[i]);
    }
    R1_ASSERT(n == count && last == tail, "pool: %s: %u slots, expected %u; tail %u, expected %u",
              what, n, count, last, tail);
}

/* (2): tags of the deferred list never fall, and none is newer than the newest ticket. */
static void check_tags(const r1_memory *mem)
{
    uint64_t before = 0;
    for (uint32_t i = mem->deferred_head; i != POOL_NONE; i = mem->slot[i].next) {
        R1_ASSERT(before <= mem->slot[i].tag && mem->slot[i].tag <= mem->next_ticket,
                  "pool: deferred slot %u has tag %llu, after %llu, newest ticket %llu", i,
                  (unsigned long long)mem->slot[i].tag, (unsigned long long)before,
                  (unsigned long long)mem->next_ticket);
        before = mem->slot[i].tag;
    }
}

static uint32_t free_slots(const r1_memory *mem)
{
    uint32_t n = 0;
    for (uint32_t i = mem->slots.free; i != POOL_NONE && n <= mem->slots.n_free; n++)
        i = mem->slot[i].next;
    return n;
}

/* (1): what the rings name is what the slots count, and every slot is in one place. */
static void check_slots(tally *t)
{
    const r1_memory *mem = t->mem;
    uint64_t named = 0;
    for (uint32_t i = 0; i < mem->slots.used; i++) {
        R1_ASSERT(t->n_ref[i] == mem->slot[i].n_ref, "pool: slot %u has %u references, counted %u",
                  i, mem->slot[i].n_ref, t->n_ref[i]);
        named += t->n_ref[i] > 0;
    }
    R1_ASSERT(named == mem->n_entry, "pool: %llu entries, counted %llu",
              (unsigned long long)mem->n_entry, (unsigned long long)named);
    R1_ASSERT(free_slots(mem) == mem->slots.n_free, "pool: %u free slots, counted %u",
              mem->slots.n_free, free_slots(mem));
    R1_ASSERT(named + mem->n_deferred + mem->n_waiting + mem->slots.n_free == mem->slots.used,
              "pool: %llu named, %u deferred, %u waiting and %u free slots make %u",
              (unsigned long long)named, mem->n_deferred, mem->n_waiting, mem->slots.n_free,
              mem->slots.used);
}

static void check_totals(const tally *t)
{
    const r1_memory *mem = t->mem;
    R1_ASSERT(t->n_ring == mem->n_entity && t->n_ring == mem->rings.used - mem->rings.n_free,
              "pool: %llu rings, counted %llu", (unsigned long long)mem->n_entity,
              (unsigned long long)t->n_ring);
    R1_ASSERT(t->n_block == mem->blocks.used - mem->blocks.n_free,
              "pool: %u blocks in use, counted %llu", mem->blocks.used - mem->blocks.n_free,
              (unsigned long long)t->n_block);
    R1_ASSERT(t->n_pinned == mem->anchors.used - mem->anchors.n_free,
              "pool: %u anchors in use, counted %llu", mem->anchors.used - mem->anchors.n_free,
              (unsigned long long)t->n_pinned);
}

void pool_check(const r1_memory *mem)
{
    tally t = {.mem = mem, .n_ref = calloc((size_t)mem->slots.used + 1, sizeof(uint32_t))};
    if (!t.n_ref) return; /* out of memory is no broken invariant */
    R1_ASSERT(mem->slots.used <= mem->slots.n && mem->rings.used <= mem->rings.n &&
                  mem->blocks.used <= mem->blocks.n && mem->anchors.used <= mem->anchors.n,
              "pool: slots %u of %u, rings %u of %u, blocks %u of %u, anchors %u of %u",
              mem->slots.used, mem->slots.n, mem->rings.used, mem->rings.n, mem->blocks.used,
              mem->blocks.n, mem->anchors.used, mem->anchors.n);
    check_order(mem);
    for (uint32_t i = 0; i < mem->rings.used; i++)
        if (mem->ring[i].used) check_ring(&t, i);
    check_queue(&t, "deferred list", mem->deferred_head, mem->deferred_tail, mem->n_deferred);
    check_queue(&t, "waiting list", mem->waiting_head, mem->waiting_tail, mem->n_waiting);
    check_tags(mem);
    check_slots(&t);
    check_totals(&t);
    free(t.n_ref);
}

void pool_changed(r1_memory *mem)
{
    enum { PAID_PER_CHANGE = 64 };
    if (!R1_DEEP_CHECKS) return;
    uint64_t size = (uint64_t)mem->slots.used + mem->rings.used;
    if ((uint64_t)++mem->n_unchecked * PAID_PER_CHANGE < size) return;
    mem->n_unchecked = 0;
    pool_check(mem);
}
