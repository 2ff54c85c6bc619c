/* SPDX-License-Identifier: Apache-2.0 */
/* pool_state.h - the inside of working memory: what pool.c changes and pool_check.c walks.
 *
 * Invariants. pool_check holds each of them; sanitizer builds call it after changes.
 *
 * (1) The reference count of an entry is the number of rings that name it. At 0 the entry joins
 *     the deferred list, tagged with the newest ticket.
 * (2) A slot leaves the deferred list only when every ticket up to its tag has ended. So its K
 *     and V are final.
 * (3) A handle is generation << 32 | slot + 1. The generation grows when a slot is freed, so an
 *     old handle names nothing.
 * (4) The rings of all entities form a list in the order of their last append. The head of that
 *     list gives entries away first.
 * (5) A place in a ring's line is a handle << 1, or the number of an anchor << 1 | 1. An anchor
 *     whose turn to leave comes while it holds moves from the line to the list of kept anchors.
 *     So every place is passed once.
 *
 * Threads: as r1_memory.h says; `lock` guards the tickets alone. */
#ifndef MEMORY_POOL_STATE_H
#define MEMORY_POOL_STATE_H

#include "memory/pool.h"

#include <pthread.h>

enum {
    POOL_ENTITIES_MAX = 8, /* rings that one entry may join */
    POOL_TICKETS_MAX = 4096,
    POOL_BLOCK_PLACES = 15,
    POOL_QUOTA = 10240,
    POOL_QUOTA_MAX = 1 << 20,
    POOL_RESERVE_MAX = 4096
};

/* Of lists of slots, blocks, anchors and rings: the end, or nothing. */
#define POOL_NONE UINT32_MAX

typedef struct {
    uint64_t meta;
    uint64_t ticket; /* the batch that made the entry */
    uint64_t tag;    /* the newest ticket when the entry joined the deferred list */
    uint64_t owner;  /* the first of its entities */
    int64_t time_us;
    uint32_t generation, n_ref;
    uint32_t next; /* in the free list, in the deferred list, or among those that wait */
    bool lost;     /* cancelled or forgotten: it does not go to long-term memory */
} pool_slot;

typedef struct {
    uint32_t older, newer; /* the free list runs through newer */
    uint64_t place[POOL_BLOCK_PLACES];
} pool_block;

typedef struct {
    uint64_t handle;
    int64_t until_us; /* INT64_MAX: without end */
    float weight;
    uint32_t next; /* among the kept anchors, or in the free list */
} pool_anchor;

typedef struct {
    uint64_t key;
    int64_t kept_until;             /* no kept anchor ends before this time */
    uint32_t quota, n_line, n_kept; /* entries: n_line + n_kept */
    uint32_t n_pinned;              /* anchors in the line and kept, ended or not */
    /* the line: from place `start` of block first to before place `end` of block last */
    uint32_t first, start, last, end;
    uint32_t kept_oldest, kept_newest;
    uint32_t older, newer; /* by last append; the free list runs through newer */
    bool used;
} pool_ring;

/* Numbers 0..n-1: those below `used` were taken at least once, n_free of these are free again. */
typedef struct {
    uint32_t n, used, free, n_free;
} free_list;

struct r1_memory {
    uint32_t quota, n_slot, n_ring, mask;
    uint32_t width;      /* numbers of a K, and of a V */
    uint32_t row_stride; /* bytes of an entry */
    bool int8;           /* one byte a number */
    void *arrays;        /* the one block that all arrays below are carved from */
    uint8_t *kv;
    float *scratch; /* K and V of one entry as floats, for the owner's thread */
    pool_slot *slot;
    pool_block *block;
    pool_anchor *anchor;
    pool_ring *ring;
    uint32_t *table; /* open addressing: ring index + 1 */
    free_list slots, blocks, anchors, rings;
    uint32_t deferred_head, deferred_tail, waiting_head, waiting_tail;
    uint32_t oldest, newest;
    uint32_t n_deferred, n_waiting;
    uint64_t n_entry, n_entity, n_left, n_moved;
    int64_t now_us;
    r1_longterm *to; /* where entries go that leave; NULL: nowhere */
    uint32_t source, version;
    uint32_t n_unchecked; /* changes since the last pool_check, in sanitizer builds */
    pthread_mutex_t lock;
    pthread_cond_t turn;
    uint64_t next_ticket;
    uint64_t stored, ended;          /* every ticket up to these has stored, has ended */
    uint8_t state[POOL_TICKETS_MAX]; /* of ticket % POOL_TICKETS_MAX: 1 stored, 2 ended */
};

static inline uint32_t pool_slot_of(uint64_t handle) { return (uint32_t)handle - 1; }
static inline uint64_t pool_handle_of(const r1_memory *mem, uint32_t i)
{
    return (uint64_t)mem->slot[i].generation << 32 | (i + 1);
}

/* The slot that a handle names; NULL: the entry is gone. */
static inline pool_slot *pool_live(const r1_memory *mem, uint64_t handle)
{
    uint32_t i = pool_slot_of(handle);
    return i < mem->n_slot && mem->slot[i].generation == handle >> 32 ? &mem->slot[i] : NULL;
}

static inline pool_anchor *pool_anchor_of(const r1_memory *mem, uint64_t place)
{
    return &mem->anchor[place >> 1];
}

static inline uint64_t pool_named(const r1_memory *mem, uint64_t place)
{
    return place & 1 ? pool_anchor_of(mem, place)->handle : place >> 1;
}

/* The cell of the table that holds the ring of an entity, or the empty one where it would go. */
uint32_t *pool_cell(const r1_memory *mem, uint64_t key);

/* Walks the whole pool and aborts at the first broken invariant. Between changes only, on the
 * owner's thread. */
void pool_check(const r1_memory *mem);
/* After a change: sanitizer builds check small pools each time. In larger pools the walk comes
 * after so many changes that a change pays for 64 entries of it. */
void pool_changed(r1_memory *mem);

#endif
