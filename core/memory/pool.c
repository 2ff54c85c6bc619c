/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - working memory: slots with K and V, rings of handles per entity, order of batches.
 *
 * Invariants: (1) an entry's holders = the rings that name it; at 0 it goes to limbo, tagged with the newest ticket.
 * (2) a slot leaves limbo only when every ticket up to its tag has ended. (3) handle = generation << 32 | slot + 1; the
 * generation grows when a slot leaves limbo, so an old handle names nothing. (4) entities hang in a list by their last
 * append; the head goes first when their number is exhausted. */
#include "memory/pool.h"

#include "model/model.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HOLDERS_MAX = 8, TICKETS_MAX = 4096 };
static const uint32_t none = UINT32_MAX;

typedef struct {
    uint64_t meta, ticket, tag;         /* ticket: made it; tag: open when it went to limbo */
    uint32_t generation, holders, next; /* next: of the free list or of limbo */
} slot;

typedef struct {
    uint64_t key;
    uint32_t start, count, n_pinned; /* ring of at most quota places */
    uint32_t older, newer;           /* list by last append; free list through newer */
    bool used;
} ring;

struct r1_memory {
    uint32_t quota, width, n_slot, n_ring, mask;
    float *kv;
    slot *slot;
    uint64_t *place; /* [n_ring][quota]: handle << 1 | pinned */
    ring *ring;
    uint32_t *table; /* open addressing: ring index + 1 */
    uint32_t free_slot, used_slot, limbo_head, limbo_tail;
    uint32_t free_ring, used_ring, oldest, newest;
    uint32_t n_free, n_limbo;
    uint64_t n_entry, n_entity;
    pthread_mutex_t lock;
    pthread_cond_t turn;
    uint64_t next_ticket, stored, ended; /* all up to these have stored, ended */
    uint8_t state[TICKETS_MAX];          /* of ticket % TICKETS_MAX: 1 stored, 2 ended */
};

/* ---- life ------------------------------------------------------------------------------------------------- */

/* Untouched until used, in large pages where the kernel has them: entries are read at random. */
static void *pages(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    size_t page = 2 << 20, from = ((size_t)p + page - 1) / page * page, to = (size_t)p + count * size;
    if (p && to > from + page) madvise((char *)p + (from - (size_t)p), (to - from) / page * page, MADV_HUGEPAGE);
    return p;
}

r1_status r1_memory_new(r1_memory **out, const r1_model *m, const r1_memory_opts *opts, r1_err *err)
{
    r1_memory_opts o = opts ? *opts : (r1_memory_opts){0};
    if (!o.bytes_max) o.bytes_max = (size_t)256 << 20;
    if (!o.quota) o.quota = 16;
    size_t entry = 2 * r1_model_entry_width(m) * sizeof(float) + sizeof(slot);
    size_t entity = o.quota * sizeof(uint64_t) + sizeof(ring) + 4 * sizeof(uint32_t);
    if (!m->desc->has_event) R1_FAIL(err, R1_E_INVAL, "memory: the model has no \"event\"");
    if (o.quota > 65536) R1_FAIL(err, R1_E_INVAL, "memory: quota %u, at most 65536", o.quota);
    size_t n_ring = o.n_entity_max ? o.n_entity_max : o.bytes_max / 2 / entity;
    if (n_ring < 1 || n_ring > (1u << 28) || n_ring > o.bytes_max / entity || o.bytes_max - n_ring * entity < entry)
        R1_FAIL(err, R1_E_INVAL, "memory: %zu entities of %zu bytes and entries of %zu do not fit %zu bytes", n_ring,
                entity, entry, o.bytes_max);
    size_t n_slot = (o.bytes_max - n_ring * entity) / entry;
    r1_memory *mem = calloc(1, sizeof *mem);
    if (!mem) R1_FAIL(err, R1_E_NOMEM, "memory: out of memory");
    pthread_mutex_init(&mem->lock, NULL);
    pthread_cond_init(&mem->turn, NULL);
    mem->quota = o.quota;
    mem->width = 2 * (uint32_t)r1_model_entry_width(m);
    mem->n_slot = n_slot > none - 2 ? none - 2 : (uint32_t)n_slot;
    mem->n_ring = (uint32_t)n_ring;
    for (mem->mask = 15; mem->mask < 2 * mem->n_ring;) mem->mask = 2 * mem->mask + 1;
    mem->kv = pages((size_t)mem->n_slot * mem->width, sizeof *mem->kv);
    mem->slot = pages(mem->n_slot, sizeof *mem->slot);
    mem->ring = pages(mem->n_ring, sizeof *mem->ring);
    mem->place = pages((size_t)mem->n_ring * mem->quota, sizeof *mem->place);
    mem->table = pages((size_t)mem->mask + 1, sizeof *mem->table);
    mem->free_slot = mem->limbo_head = mem->limbo_tail = mem->free_ring = mem->oldest = mem->newest = none;
    if (!mem->kv || !mem->slot || !mem->ring || !mem->place || !mem->table) {
        r1_memory_free(mem);
        R1_FAIL(err, R1_E_NOMEM, "memory: %zu bytes are not to be had", o.bytes_max);
    }
    *out = mem;
    return R1_OK;
}

void r1_memory_free(r1_memory *mem)
{
    if (!mem) return;
    pthread_cond_destroy(&mem->turn);
    pthread_mutex_destroy(&mem->lock);
    free(mem->kv);
    free(mem->slot);
    free(mem->ring);
    free(mem->place);
    free(mem->table);
    free(mem);
}

/* ---- tickets ---------------------------------------------------------------------------------------------- */

r1_status r1_memory_begin(r1_memory *mem, uint64_t *ticket, r1_err *err)
{
    pthread_mutex_lock(&mem->lock);
    bool full = mem->next_ticket - mem->ended >= TICKETS_MAX;
    if (!full) *ticket = ++mem->next_ticket;
    pthread_mutex_unlock(&mem->lock);
    if (full) R1_FAIL(err, R1_E_AGAIN, "memory: %d batches are open", TICKETS_MAX);
    return R1_OK;
}

void r1_memory_wait(r1_memory *mem, uint64_t ticket)
{
    pthread_mutex_lock(&mem->lock);
    while (mem->stored + 1 < ticket) pthread_cond_wait(&mem->turn, &mem->lock);
    pthread_mutex_unlock(&mem->lock);
}

static void advance(r1_memory *mem, uint64_t ticket, uint8_t state)
{
    pthread_mutex_lock(&mem->lock);
    if (mem->state[ticket % TICKETS_MAX] < state) mem->state[ticket % TICKETS_MAX] = state;
    while (mem->stored < mem->next_ticket && mem->state[(mem->stored + 1) % TICKETS_MAX] >= 1) mem->stored++;
    while (mem->ended < mem->next_ticket && mem->state[(mem->ended + 1) % TICKETS_MAX] == 2)
        mem->state[++mem->ended % TICKETS_MAX] = 0;
    pthread_cond_broadcast(&mem->turn);
    pthread_mutex_unlock(&mem->lock);
}

void r1_memory_stored(r1_memory *mem, uint64_t ticket) { advance(mem, ticket, 1); }
void r1_memory_end(r1_memory *mem, uint64_t ticket) { advance(mem, ticket, 2); }

/* ---- slots ------------------------------------------------------------------------------------------------ */

static uint32_t slot_of(uint64_t handle) { return (uint32_t)handle - 1; }

static slot *live(const r1_memory *mem, uint64_t handle)
{
    uint32_t i = slot_of(handle);
    return i < mem->n_slot && mem->slot[i].generation == handle >> 32 ? &mem->slot[i] : NULL;
}

float *r1_memory_entry(const r1_memory *mem, uint64_t handle)
{
    return live(mem, handle) ? mem->kv + (size_t)slot_of(handle) * mem->width : NULL;
}

/* One ring less names it. */
static void release(r1_memory *mem, uint64_t handle)
{
    slot *s = live(mem, handle);
    if (!s || --s->holders > 0) return;
    s->tag = mem->next_ticket;
    s->next = none;
    if (mem->limbo_tail == none)
        mem->limbo_head = slot_of(handle);
    else
        mem->slot[mem->limbo_tail].next = slot_of(handle);
    mem->limbo_tail = slot_of(handle);
    mem->n_limbo++;
    mem->n_entry--;
}

static void drain_limbo(r1_memory *mem)
{
    pthread_mutex_lock(&mem->lock);
    uint64_t ended = mem->ended;
    pthread_mutex_unlock(&mem->lock);
    while (mem->limbo_head != none && mem->slot[mem->limbo_head].tag <= ended) {
        uint32_t i = mem->limbo_head;
        mem->limbo_head = mem->slot[i].next;
        if (mem->limbo_head == none) mem->limbo_tail = none;
        mem->slot[i].generation = (mem->slot[i].generation + 1) & INT32_MAX; /* a place keeps 31 bits of it */
        mem->n_limbo--;
        mem->n_free++;
        mem->slot[i].next = mem->free_slot;
        mem->free_slot = i;
    }
}

static uint32_t take_slot(r1_memory *mem)
{
    drain_limbo(mem);
    uint32_t i = mem->free_slot;
    if (i != none) {
        mem->free_slot = mem->slot[i].next;
        mem->n_free--;
        return i;
    }
    return mem->used_slot < mem->n_slot ? mem->used_slot++ : none;
}

/* ---- rings ------------------------------------------------------------------------------------------------ */

static uint32_t home(const r1_memory *mem, uint64_t key)
{
    return (uint32_t)(key * 0x9e3779b97f4a7c15u >> 32) & mem->mask;
}

static uint32_t *cell(const r1_memory *mem, uint64_t key)
{
    uint32_t i = home(mem, key);
    while (mem->table[i] && mem->ring[mem->table[i] - 1].key != key) i = (i + 1) & mem->mask;
    return &mem->table[i];
}

static ring *find_ring(const r1_memory *mem, uint64_t key)
{
    uint32_t at = *cell(mem, key);
    return at ? &mem->ring[at - 1] : NULL;
}

static uint64_t *at(const r1_memory *mem, const ring *r, uint32_t k)
{
    return &mem->place[(size_t)(r - mem->ring) * mem->quota + (r->start + k) % mem->quota];
}

static void unlink_ring(r1_memory *mem, ring *r)
{
    if (r->older != none)
        mem->ring[r->older].newer = r->newer;
    else
        mem->oldest = r->newer;
    if (r->newer != none)
        mem->ring[r->newer].older = r->older;
    else
        mem->newest = r->older;
}

static void link_newest(r1_memory *mem, ring *r)
{
    uint32_t i = (uint32_t)(r - mem->ring);
    r->older = mem->newest;
    r->newer = none;
    if (mem->newest != none)
        mem->ring[mem->newest].newer = i;
    else
        mem->oldest = i;
    mem->newest = i;
}

/* Deletion by shifting back what would no longer be found (Knuth, 6.4 R). */
static void erase_cell(r1_memory *mem, uint64_t key)
{
    uint32_t i = (uint32_t)(cell(mem, key) - mem->table), j = i;
    for (;;) {
        j = (j + 1) & mem->mask;
        if (!mem->table[j]) break;
        uint32_t k = home(mem, mem->ring[mem->table[j] - 1].key);
        if (((j - k) & mem->mask) < ((j - i) & mem->mask)) continue;
        mem->table[i] = mem->table[j];
        i = j;
    }
    mem->table[i] = 0;
}

static void drop_ring(r1_memory *mem, ring *r)
{
    for (uint32_t k = 0; k < r->count; k++) release(mem, *at(mem, r, k) >> 1);
    unlink_ring(mem, r);
    erase_cell(mem, r->key);
    r->used = false;
    r->newer = mem->free_ring;
    mem->free_ring = (uint32_t)(r - mem->ring);
    mem->n_entity--;
}

static ring *new_ring(r1_memory *mem, uint64_t key)
{
    if (mem->free_ring == none && mem->used_ring == mem->n_ring) drop_ring(mem, &mem->ring[mem->oldest]);
    uint32_t i = mem->free_ring;
    if (i != none)
        mem->free_ring = mem->ring[i].newer;
    else
        i = mem->used_ring++;
    ring *r = &mem->ring[i];
    *r = (ring){.key = key, .used = true};
    *cell(mem, key) = i + 1;
    link_newest(mem, r);
    mem->n_entity++;
    return r;
}

/* Drops the oldest entry that is not pinned; anchors are at most a quarter, so there is one. */
static void evict(r1_memory *mem, ring *r)
{
    uint32_t k = 0;
    while (*at(mem, r, k) & 1) k++;
    release(mem, *at(mem, r, k) >> 1);
    for (; k > 0; k--) *at(mem, r, k) = *at(mem, r, k - 1);
    r->start = (r->start + 1) % mem->quota;
    r->count--;
}

static void push(r1_memory *mem, uint64_t key, uint64_t handle)
{
    ring *r = find_ring(mem, key);
    if (!r) r = new_ring(mem, key);
    if (r->count == mem->quota) evict(mem, r);
    *at(mem, r, r->count++) = handle << 1;
    unlink_ring(mem, r);
    link_newest(mem, r);
}

/* What an append frees can be used only after the open batches: so room is made ahead of need. */
static void keep_reserve(r1_memory *mem)
{
    uint32_t reserve = mem->n_slot / 8 < 4096 ? mem->n_slot / 8 : 4096;
    while (mem->n_slot - mem->used_slot + mem->n_free + mem->n_limbo <= reserve && mem->oldest != mem->newest)
        drop_ring(mem, &mem->ring[mem->oldest]);
}

r1_status r1_memory_append(r1_memory *mem, uint64_t ticket, const uint64_t *entity, size_t n_entity, uint64_t meta,
                           uint64_t *handle, r1_err *err)
{
    if (n_entity < 1 || n_entity > HOLDERS_MAX || ticket == 0 || ticket != mem->next_ticket)
        R1_FAIL(err, R1_E_INVAL, "memory: append for %zu entities (1 to %d) under ticket %llu (newest %llu)", n_entity,
                HOLDERS_MAX, (unsigned long long)ticket, (unsigned long long)mem->next_ticket);
    keep_reserve(mem);
    uint32_t i = take_slot(mem);
    if (i == none) R1_FAIL(err, R1_E_NOMEM, "memory: all %u entries are held by open batches", mem->n_slot);
    slot *s = &mem->slot[i];
    s->meta = meta;
    s->ticket = ticket;
    s->holders = 1; /* ours, until all rings have it */
    *handle = (uint64_t)s->generation << 32 | (i + 1);
    mem->n_entry++;
    for (size_t k = 0; k < n_entity; k++) {
        bool again = false;
        for (size_t j = 0; j < k; j++) again |= entity[j] == entity[k];
        if (again) continue;
        s->holders++;
        push(mem, entity[k], *handle);
    }
    release(mem, *handle);
    return R1_OK;
}

size_t r1_memory_ring(const r1_memory *mem, uint64_t entity, uint64_t *handle, uint64_t *meta, size_t cap)
{
    const ring *r = find_ring(mem, entity);
    if (!r) return 0;
    uint32_t first = r->count > cap ? r->count - (uint32_t)cap : 0;
    for (uint32_t k = first; k < r->count; k++) {
        handle[k - first] = *at(mem, r, k) >> 1;
        if (meta) meta[k - first] = mem->slot[slot_of(handle[k - first])].meta;
    }
    return r->count - first;
}

r1_status r1_memory_pin(r1_memory *mem, uint64_t entity, uint64_t handle, bool pinned, r1_err *err)
{
    ring *r = find_ring(mem, entity);
    for (uint32_t k = 0; r && k < r->count; k++) {
        uint64_t *p = at(mem, r, k);
        if (*p >> 1 != handle) continue;
        if (pinned && !(*p & 1) && (r->n_pinned + 1) * 4 > mem->quota)
            R1_FAIL(err, R1_E_NOMEM, "memory: %u anchors of %u places, at most a quarter", r->n_pinned, mem->quota);
        if (pinned != (*p & 1)) r->n_pinned = pinned ? r->n_pinned + 1 : r->n_pinned - 1;
        *p = handle << 1 | pinned;
        return R1_OK;
    }
    R1_FAIL(err, R1_E_NOT_FOUND, "memory: entity %016llx holds no entry %016llx", (unsigned long long)entity,
            (unsigned long long)handle);
}

void r1_memory_forget(r1_memory *mem, uint64_t entity)
{
    ring *r = find_ring(mem, entity);
    if (r) drop_ring(mem, r);
}

static void drop_ticket(r1_memory *mem, ring *r, uint64_t ticket)
{
    uint32_t kept = 0;
    for (uint32_t k = 0; k < r->count; k++) {
        uint64_t p = *at(mem, r, k);
        if (mem->slot[slot_of(p >> 1)].ticket != ticket) {
            *at(mem, r, kept++) = p;
            continue;
        }
        r->n_pinned -= p & 1;
        release(mem, p >> 1);
    }
    r->count = kept;
}

void r1_memory_cancel(r1_memory *mem, uint64_t ticket)
{
    for (uint32_t i = 0; i < mem->used_ring; i++)
        if (mem->ring[i].used) drop_ticket(mem, &mem->ring[i], ticket);
    r1_memory_end(mem, ticket);
}

void r1_memory_stats(const r1_memory *mem, uint64_t *n_entry, uint64_t *n_entity, uint64_t *bytes)
{
    *n_entry = mem->n_entry;
    *n_entity = mem->n_entity;
    *bytes = (uint64_t)mem->used_slot * (mem->width * sizeof(float) + sizeof(slot)) +
             (uint64_t)mem->used_ring * (mem->quota * sizeof(uint64_t) + sizeof(ring));
}
