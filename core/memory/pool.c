/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - working memory: slots with K and V, a ring of handles per entity, anchors, order of
 * batches. pool_internal.h has the structures and the five invariants.
 *
 *   slot   taken --append--> named by rings --last ring lets go--> deferred --its tickets ended-->
 *          free; with a long-term memory attached it first waits until it has been moved there
 *   ring   the list of kept anchors, oldest first; then the line, places in a chain of blocks,
 *          oldest first */
#include "memory/pool_internal.h"

#include "base/isa.h"
#include "memory/longstore.h"
#include "memory/scan.h"
#include "model/model.h"
#include "r1_assert.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- life ------------------------------------------------------------------------------------ */

enum { WARM_ROWS = 4 << 20, WARM_TABLE = 64 << 20 }; /* bytes of each array */

/* Untouched until used, in large pages where the kernel has them: entries are read at random. */
static void *pool_pages(size_t bytes)
{
    void *p = calloc(bytes, 1);
    size_t page = 2 << 20, from = ((size_t)p + page - 1) / page * page, to = (size_t)p + bytes;
    if (p && to > from + page)
        madvise((char *)p + (from - (size_t)p), (to - from) / page * page, MADV_HUGEPAGE);
    return p;
}

static void *pool_carve_one(uint8_t *base, size_t *at, size_t count, size_t size)
{
    void *p = base ? base + *at : NULL;
    *at += (count * size + 63) / 64 * 64;
    return p;
}

/* All arrays from one block, 64-byte aligned to its start. Returns their bytes; with base NULL
 * nothing but that. */
static size_t pool_carve(r1_memory *mem, uint8_t *base)
{
    size_t at = 0;
    mem->kv = pool_carve_one(base, &at, mem->n_slot, mem->row_stride);
    mem->slot = pool_carve_one(base, &at, mem->n_slot, sizeof *mem->slot);
    mem->block = pool_carve_one(base, &at, mem->blocks.n, sizeof *mem->block);
    mem->anchor = pool_carve_one(base, &at, mem->anchors.n, sizeof *mem->anchor);
    mem->ring = pool_carve_one(base, &at, mem->n_ring, sizeof *mem->ring);
    mem->table = pool_carve_one(base, &at, (size_t)mem->mask + 1, sizeof *mem->table);
    mem->scratch = pool_carve_one(base, &at, 2 * (size_t)mem->width, sizeof *mem->scratch);
    return at;
}

/* How many of each thing fit. Rings that span two blocks at most have them for sure; longer ones
 * share what a pool of entries with two entities each would need. */
typedef struct {
    size_t n_slot, n_ring, n_block, n_anchor;
} layout;

static size_t blocks_of_ring(uint32_t quota)
{
    size_t whole = ((size_t)quota + 2 * POOL_BLOCK_PLACES - 2) / POOL_BLOCK_PLACES;
    return whole < 2 ? whole : 2;
}

static size_t ring_bytes(uint32_t quota)
{
    return sizeof(pool_ring) + 4 * sizeof(uint32_t) + blocks_of_ring(quota) * sizeof(pool_block);
}

/* K and V in floats, or the quantiser scale of each and then a byte a number. */
static size_t entry_bytes(size_t width, r1_precision precision)
{
    return precision == R1_PRECISION_F32 ? 2 * width * sizeof(float)
                                         : 2 * sizeof(float) + (2 * width + 3) / 4 * 4;
}

static size_t slot_bytes(size_t entry, uint32_t quota)
{
    size_t places = quota > POOL_BLOCK_PLACES + 1
                        ? (2 * sizeof(pool_block) + POOL_BLOCK_PLACES - 1) / POOL_BLOCK_PLACES
                        : 0;
    return entry + sizeof(pool_slot) + places + (sizeof(pool_anchor) + 3) / 4;
}

static layout pool_lay_out(size_t bytes, size_t n_ring, size_t entry, uint32_t quota)
{
    size_t per_slot = slot_bytes(entry, quota), per_ring = ring_bytes(quota),
           spare = POOL_ENTITIES_MAX * sizeof(pool_block);
    layout l = {.n_ring = n_ring ? n_ring : bytes / (16 * per_slot + per_ring)};
    if (!l.n_ring || l.n_ring > (1u << 28) || bytes < spare ||
        l.n_ring > (bytes - spare) / per_ring)
        return l;
    l.n_slot = (bytes - spare - l.n_ring * per_ring) / per_slot;
    if (l.n_slot > POOL_NONE - 2) l.n_slot = POOL_NONE - 2;
    l.n_anchor = l.n_slot / 4 + 1;
    l.n_block = l.n_ring * blocks_of_ring(quota) + POOL_ENTITIES_MAX;
    if (quota > POOL_BLOCK_PLACES + 1) l.n_block += 2 * l.n_slot / POOL_BLOCK_PLACES;
    if (l.n_block > POOL_NONE - 2) l.n_block = POOL_NONE - 2;
    return l;
}

size_t r1_memory_bytes(size_t width, r1_precision precision, uint32_t quota, uint32_t n_entity)
{
    size_t n_slot = (size_t)quota * n_entity;
    n_slot += n_slot / 7 < POOL_RESERVE_MAX
                  ? n_slot / 7 + POOL_ENTITIES_MAX + 1
                  : 2 * POOL_RESERVE_MAX; /* what keep_reserve holds back */
    return POOL_ENTITIES_MAX * sizeof(pool_block) + n_entity * ring_bytes(quota) +
           n_slot * slot_bytes(entry_bytes(width, precision), quota) + sizeof(pool_anchor);
}

static r1_status pool_allocate(r1_memory *mem, const layout *l, r1_err *err)
{
    mem->n_slot = (uint32_t)l->n_slot;
    mem->n_ring = (uint32_t)l->n_ring;
    mem->slots = (free_list){mem->n_slot, 0, POOL_NONE, 0};
    mem->rings = (free_list){mem->n_ring, 0, POOL_NONE, 0};
    mem->blocks = (free_list){(uint32_t)l->n_block, 0, POOL_NONE, 0};
    mem->anchors = (free_list){(uint32_t)l->n_anchor, 0, POOL_NONE, 0};
    for (mem->mask = 15; mem->mask < 2 * mem->n_ring;) mem->mask = 2 * mem->mask + 1;
    mem->deferred_head = mem->deferred_tail = mem->waiting_head = mem->waiting_tail = mem->oldest =
        mem->newest = POOL_NONE;
    mem->now_us = INT64_MIN;
    size_t bytes = pool_carve(mem, NULL);
    mem->arrays = pool_pages(bytes);
    if (!mem->arrays)
        R1_FAIL(err, R1_E_NOMEM, "memory: no room for %zu entries of %zu entities", l->n_slot,
                l->n_ring);
    size_t carved = pool_carve(mem, mem->arrays);
    R1_ASSERT(carved == bytes, "pool: %zu bytes carved of %zu", carved, bytes);
    return R1_OK;
}

r1_status r1_memory_new(r1_memory **out, const r1_model *m, const r1_memory_opts *opts, r1_err *err)
{
    r1_memory_opts o = opts ? *opts : (r1_memory_opts){0};
    size_t width = m ? r1_model_entry_width(m) : o.width;
    if (!o.bytes_max) o.bytes_max = (size_t)256 << 20;
    if (!o.quota) o.quota = POOL_QUOTA;
    if (m && !m->desc->has_event) R1_FAIL(err, R1_E_INVAL, "memory: the model has no \"event\"");
    if (width < 1 || width > CODE_DIM_MAX)
        R1_FAIL(err, R1_E_INVAL, "memory: width of a key: expected 1..%d, found %zu", CODE_DIM_MAX,
                width);
    if (o.quota > POOL_QUOTA_MAX)
        R1_FAIL(err, R1_E_INVAL, "memory: quota: expected at most %d, found %u", POOL_QUOTA_MAX,
                o.quota);
    R1_TRY(r1_isa_check(err));
    if (o.precision != R1_PRECISION_F32 && o.precision != R1_PRECISION_INT8)
        R1_FAIL(err, R1_E_INVAL, "memory: precision: expected %d or %d, found %d", R1_PRECISION_F32,
                R1_PRECISION_INT8, (int)o.precision);
    size_t entry = entry_bytes(width, o.precision);
    layout l = pool_lay_out(o.bytes_max, o.n_entity_max, entry, o.quota);
    if (!l.n_slot)
        R1_FAIL(err, R1_E_INVAL,
                "memory: %zu entities of %zu bytes and entries of %zu do not fit %zu bytes",
                l.n_ring, ring_bytes(o.quota), slot_bytes(entry, o.quota), o.bytes_max);
    r1_memory *mem = calloc(1, sizeof *mem);
    if (!mem) R1_FAIL(err, R1_E_NOMEM, "memory: out of memory");
    pthread_mutex_init(&mem->lock, NULL);
    pthread_cond_init(&mem->turn, NULL);
    mem->quota = o.quota;
    mem->width = (uint32_t)width;
    mem->row_stride = (uint32_t)entry;
    mem->int8 = o.precision == R1_PRECISION_INT8;
    r1_status st = pool_allocate(mem, &l, err);
    if (st != R1_OK) {
        r1_memory_free(mem);
        return st;
    }
    *out = mem;
    return R1_OK;
}

/* Entries and rings are taken from the front, cells of the table anywhere. */
void r1_memory_warm(r1_memory *mem)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const struct {
        void *at;
        size_t bytes, most;
    } parts[] = {{mem->kv, (size_t)mem->n_slot * mem->row_stride, WARM_ROWS},
                 {mem->slot, (size_t)mem->n_slot * sizeof *mem->slot, WARM_ROWS},
                 {mem->block, (size_t)mem->blocks.n * sizeof *mem->block, WARM_ROWS},
                 {mem->ring, (size_t)mem->n_ring * sizeof *mem->ring, WARM_ROWS},
                 {mem->table, ((size_t)mem->mask + 1) * sizeof *mem->table, WARM_TABLE}};
    for (size_t i = 0; i < R1_COUNT(parts); i++) {
        size_t ahead = (size_t)parts[i].at % page;
        size_t bytes = parts[i].bytes < parts[i].most ? parts[i].bytes : parts[i].most;
        /* A kernel that does not know it, or has no memory left, touches them later. */
        madvise((char *)parts[i].at - ahead, bytes + ahead, MADV_POPULATE_WRITE);
    }
}

void r1_memory_free(r1_memory *mem)
{
    if (!mem) return;
    pthread_cond_destroy(&mem->turn);
    pthread_mutex_destroy(&mem->lock);
    free(mem->arrays);
    free(mem);
}

/* ---- tickets --------------------------------------------------------------------------------- */

r1_status r1_memory_begin(r1_memory *mem, uint64_t *ticket, r1_err *err)
{
    pthread_mutex_lock(&mem->lock);
    bool full = mem->next_ticket - mem->ended >= POOL_TICKETS_MAX;
    if (!full) *ticket = ++mem->next_ticket;
    pthread_mutex_unlock(&mem->lock);
    if (full) R1_FAIL(err, R1_E_AGAIN, "memory: %d batches are open", POOL_TICKETS_MAX);
    return R1_OK;
}

void r1_memory_wait(r1_memory *mem, uint64_t ticket)
{
    pthread_mutex_lock(&mem->lock);
    while (mem->stored + 1 < ticket) pthread_cond_wait(&mem->turn, &mem->lock);
    pthread_mutex_unlock(&mem->lock);
}

static void pool_advance(r1_memory *mem, uint64_t ticket, uint8_t state)
{
    pthread_mutex_lock(&mem->lock);
    R1_ASSERT(ticket > mem->ended && ticket <= mem->next_ticket,
              "pool: ticket %llu, ended %llu, newest %llu", (unsigned long long)ticket,
              (unsigned long long)mem->ended, (unsigned long long)mem->next_ticket);
    if (mem->state[ticket % POOL_TICKETS_MAX] < state)
        mem->state[ticket % POOL_TICKETS_MAX] = state;
    while (mem->stored < mem->next_ticket && mem->state[(mem->stored + 1) % POOL_TICKETS_MAX] >= 1)
        mem->stored++;
    while (mem->ended < mem->next_ticket && mem->state[(mem->ended + 1) % POOL_TICKETS_MAX] == 2)
        mem->state[++mem->ended % POOL_TICKETS_MAX] = 0;
    R1_ASSERT(mem->ended <= mem->stored, "pool: ended %llu, stored %llu",
              (unsigned long long)mem->ended, (unsigned long long)mem->stored);
    pthread_cond_broadcast(&mem->turn);
    pthread_mutex_unlock(&mem->lock);
}

void r1_memory_stored(r1_memory *mem, uint64_t ticket) { pool_advance(mem, ticket, 1); }
void r1_memory_end(r1_memory *mem, uint64_t ticket) { pool_advance(mem, ticket, 2); }

static uint64_t read_locked(r1_memory *mem, const uint64_t *what)
{
    pthread_mutex_lock(&mem->lock);
    uint64_t v = *what;
    pthread_mutex_unlock(&mem->lock);
    return v;
}

/* ---- keys and values ------------------------------------------------------------------------- */

static uint8_t *entry_of(const r1_memory *mem, uint32_t i)
{
    return mem->kv + (size_t)i * mem->row_stride;
}

/* n numbers in bytes; returns their quantiser scale. It is not a number where one of them is not
 * finite, so that all of them read so. */
static float pool_quantise(const float *x, uint32_t n, int8_t *to)
{
    float most = 0, bad = 0;
    for (uint32_t c = 0; c < n; c++) {
        most = fabsf(x[c]) > most ? fabsf(x[c]) : most;
        bad += x[c] - x[c];
    }
    float scale = most / INT8_MAX;
    if (bad != 0 || scale < FLT_MIN) {
        memset(to, 0, n);
        return bad;
    }
    for (uint32_t c = 0; c < n; c++) to[c] = (int8_t)lrintf(x[c] / scale);
    return scale;
}

static void write_slot(r1_memory *mem, uint32_t i, const float *key, const float *value)
{
    uint8_t *to = entry_of(mem, i);
    uint32_t n = mem->width;
    if (mem->int8) {
        int8_t *at = (int8_t *)to + 2 * sizeof(float);
        const float scale[2] = {pool_quantise(key, n, at), pool_quantise(value, n, at + n)};
        memcpy(to, scale, sizeof scale);
    } else {
        memcpy(to, key, n * sizeof *key);
        memcpy(to + n * sizeof *key, value, n * sizeof *value);
    }
}

/* An entry's K (which 0) or V (1): where it lies, or in scratch[width]. */
static const float *pool_half_of(const r1_memory *mem, uint32_t i, int which, float *scratch)
{
    const uint8_t *from = entry_of(mem, i);
    uint32_t n = mem->width;
    if (!mem->int8) return (const float *)from + which * n;
    const int8_t *at = (const int8_t *)from + 2 * sizeof(float) + which * n;
    float scale = ((const float *)from)[which];
    for (uint32_t c = 0; c < n; c++) scratch[c] = scale * (float)at[c];
    return scratch;
}

static void read_slot(const r1_memory *mem, uint32_t i, int which, float *to)
{
    const float *x = pool_half_of(mem, i, which, to);
    if (x != to) memcpy(to, x, mem->width * sizeof *to);
}

bool r1_memory_read(const r1_memory *mem, uint64_t handle, float *kv)
{
    if (!pool_live(mem, handle)) return false;
    read_slot(mem, pool_slot_of(handle), 0, kv);
    read_slot(mem, pool_slot_of(handle), 1, kv + mem->width);
    return true;
}

bool r1_memory_write(r1_memory *mem, uint64_t handle, const float *kv)
{
    if (!pool_live(mem, handle)) return false;
    write_slot(mem, pool_slot_of(handle), kv, kv + mem->width);
    return true;
}

bool r1_memory_rounds(const r1_memory *mem) { return mem->int8; }

void r1_memory_blank(r1_memory *mem, uint64_t handle)
{
    if (pool_live(mem, handle)) memset(entry_of(mem, pool_slot_of(handle)), 0, mem->row_stride);
}

static r1_status need_entry(const r1_memory *mem, uint64_t handle, r1_err *err)
{
    if (pool_slot_of(handle) >= mem->slots.used || !pool_live(mem, handle))
        R1_FAIL(err, R1_E_NOT_FOUND, "memory: %016llx names no entry", (unsigned long long)handle);
    return R1_OK;
}

r1_status r1_memory_put(r1_memory *mem, uint64_t handle, const float *key, const float *value,
                        r1_err *err)
{
    R1_TRY(need_entry(mem, handle, err));
    for (uint32_t i = 0; i < mem->width; i++)
        if (key[i] - key[i] != 0 || value[i] - value[i] != 0)
            R1_FAIL(err, R1_E_INVAL, "memory: key or value: column %u is not a finite number", i);
    write_slot(mem, pool_slot_of(handle), key, value);
    return R1_OK;
}

r1_status r1_memory_get(const r1_memory *mem, uint64_t handle, float *key, float *value,
                        r1_err *err)
{
    R1_TRY(need_entry(mem, handle, err));
    if (key) read_slot(mem, pool_slot_of(handle), 0, key);
    if (value) read_slot(mem, pool_slot_of(handle), 1, value);
    return R1_OK;
}

/* ---- queues of slots ------------------------------------------------------------------------- */

static void pool_enqueue(r1_memory *mem, uint32_t i, uint32_t *head, uint32_t *tail)
{
    mem->slot[i].next = POOL_NONE;
    if (*tail == POOL_NONE)
        *head = i;
    else
        mem->slot[*tail].next = i;
    *tail = i;
}

static uint32_t pool_dequeue(r1_memory *mem, uint32_t *head, uint32_t *tail)
{
    uint32_t i = *head;
    R1_ASSERT(i < mem->slots.used, "pool: slot %u of %u at the head of a list", i, mem->slots.used);
    *head = mem->slot[i].next;
    if (*head == POOL_NONE) *tail = POOL_NONE;
    return i;
}

static void free_slot(r1_memory *mem, uint32_t i)
{
    R1_ASSERT(mem->slot[i].n_ref == 0, "pool: slot %u is freed with %u references", i,
              mem->slot[i].n_ref);
    mem->slot[i].generation =
        (mem->slot[i].generation + 1) & INT32_MAX; /* a place keeps 31 bits of it */
    mem->slot[i].next = mem->slots.free;
    mem->slots.free = i;
    mem->slots.n_free++;
}

/* One ring less names it. */
static void pool_release(r1_memory *mem, uint64_t handle)
{
    pool_slot *s = pool_live(mem, handle);
    if (!s) return;
    R1_ASSERT(s->n_ref > 0, "pool: entry %016llx has no references left",
              (unsigned long long)handle);
    if (--s->n_ref > 0) return;
    R1_ASSERT(mem->n_entry > 0, "pool: entry %016llx leaves an empty pool",
              (unsigned long long)handle);
    s->tag = mem->next_ticket;
    pool_enqueue(mem, pool_slot_of(handle), &mem->deferred_head, &mem->deferred_tail);
    mem->n_deferred++;
    mem->n_entry--;
    mem->n_left++;
}

static void reclaim_deferred(r1_memory *mem)
{
    uint64_t ended = read_locked(mem, &mem->ended);
    while (mem->deferred_head != POOL_NONE && mem->slot[mem->deferred_head].tag <= ended) {
        uint32_t i = pool_dequeue(mem, &mem->deferred_head, &mem->deferred_tail);
        mem->n_deferred--;
        if (!mem->to || mem->slot[i].lost) {
            free_slot(mem, i);
            continue;
        }
        pool_enqueue(mem, i, &mem->waiting_head, &mem->waiting_tail);
        mem->n_waiting++;
    }
}

static uint32_t pool_unused(const free_list *s) { return s->n - s->used + s->n_free; }

static r1_status take_slot(r1_memory *mem, uint32_t *out, r1_err *err)
{
    reclaim_deferred(mem);
    if (!pool_unused(&mem->slots) && mem->n_waiting) R1_TRY(r1_memory_consolidate(mem, NULL, err));
    if (!pool_unused(&mem->slots))
        R1_FAIL(err, R1_E_NOMEM, "memory: all %u entries are anchors or held by open batches",
                mem->n_slot);
    if (mem->slots.free == POOL_NONE) {
        *out = mem->slots.used++;
    } else {
        *out = mem->slots.free;
        mem->slots.free = mem->slot[*out].next;
        mem->slots.n_free--;
    }
    R1_ASSERT(*out < mem->n_slot && mem->slot[*out].n_ref == 0,
              "pool: slot %u of %u is taken with %u references", *out, mem->n_slot,
              mem->slot[*out].n_ref);
    return R1_OK;
}

/* ---- the line of a ring ---------------------------------------------------------------------- */

static uint32_t take_block(r1_memory *mem)
{
    if (mem->blocks.free == POOL_NONE)
        return mem->blocks.used < mem->blocks.n ? mem->blocks.used++ : POOL_NONE;
    uint32_t b = mem->blocks.free;
    mem->blocks.free = mem->block[b].newer;
    mem->blocks.n_free--;
    return b;
}

static void free_block(r1_memory *mem, uint32_t b)
{
    mem->block[b].newer = mem->blocks.free;
    mem->blocks.free = b;
    mem->blocks.n_free++;
}

static bool line_push(r1_memory *mem, pool_ring *r, uint64_t place)
{
    if (!r->n_line || r->end == POOL_BLOCK_PLACES) {
        uint32_t b = take_block(mem);
        if (b == POOL_NONE) return false;
        mem->block[b].older = r->n_line ? r->last : POOL_NONE;
        mem->block[b].newer = POOL_NONE;
        if (r->n_line)
            mem->block[r->last].newer = b;
        else
            r->first = b, r->start = 0;
        r->last = b;
        r->end = 0;
    }
    mem->block[r->last].place[r->end++] = place;
    r->n_line++;
    return true;
}

static uint64_t line_pop_oldest(r1_memory *mem, pool_ring *r)
{
    R1_ASSERT(r->n_line > 0 && r->start < POOL_BLOCK_PLACES, "pool: place %u of a line of %u",
              r->start, r->n_line);
    uint32_t b = r->first;
    uint64_t place = mem->block[b].place[r->start++];
    r->n_line--;
    if (r->start < POOL_BLOCK_PLACES && r->n_line) return place;
    r->first = mem->block[b].newer;
    r->start = 0;
    free_block(mem, b);
    return place;
}

static uint64_t line_pop_newest(r1_memory *mem, pool_ring *r)
{
    R1_ASSERT(r->n_line > 0 && r->end > 0 && r->end <= POOL_BLOCK_PLACES,
              "pool: place before %u of a line of %u", r->end, r->n_line);
    uint32_t b = r->last;
    uint64_t place = mem->block[b].place[--r->end];
    r->n_line--;
    if (r->end > 0 && r->n_line) return place;
    r->last = mem->block[b].older;
    r->end = POOL_BLOCK_PLACES;
    if (r->n_line) mem->block[r->last].newer = POOL_NONE;
    free_block(mem, b);
    return place;
}

/* A walk over the line: oldest to newest, or back. */
typedef struct {
    uint32_t block, at, left;
} cursor;

static cursor line_oldest(const pool_ring *r) { return (cursor){r->first, r->start, r->n_line}; }
static cursor line_newest(const pool_ring *r) { return (cursor){r->last, r->end, r->n_line}; }

static uint64_t *pool_forth(const r1_memory *mem, cursor *c)
{
    if (!c->left) return NULL;
    c->left--;
    if (c->at == POOL_BLOCK_PLACES) *c = (cursor){mem->block[c->block].newer, 0, c->left};
    return &mem->block[c->block].place[c->at++];
}

static uint64_t *pool_back(const r1_memory *mem, cursor *c)
{
    if (!c->left) return NULL;
    c->left--;
    if (c->at == 0) *c = (cursor){mem->block[c->block].older, POOL_BLOCK_PLACES, c->left};
    return &mem->block[c->block].place[--c->at];
}

/* ---- anchors --------------------------------------------------------------------------------- */

static bool pool_holds(const r1_memory *mem, const pool_anchor *a)
{
    return a->until_us > mem->now_us;
}

static void free_anchor(r1_memory *mem, pool_ring *r, pool_anchor *a)
{
    R1_ASSERT(r->n_pinned > 0, "pool: anchor %zu of a ring without anchors",
              (size_t)(a - mem->anchor));
    a->next = mem->anchors.free;
    mem->anchors.free = (uint32_t)(a - mem->anchor);
    mem->anchors.n_free++;
    r->n_pinned--;
}

static uint32_t take_anchor(r1_memory *mem)
{
    if (mem->anchors.free == POOL_NONE)
        return mem->anchors.used < mem->anchors.n ? mem->anchors.used++ : POOL_NONE;
    uint32_t a = mem->anchors.free;
    mem->anchors.free = mem->anchor[a].next;
    mem->anchors.n_free--;
    return a;
}

static void pool_keep(r1_memory *mem, pool_ring *r, pool_anchor *a)
{
    uint32_t i = (uint32_t)(a - mem->anchor);
    a->next = POOL_NONE;
    if (r->n_kept)
        mem->anchor[r->kept_newest].next = i;
    else
        r->kept_oldest = i, r->kept_until = INT64_MAX;
    r->kept_newest = i;
    r->n_kept++;
    if (a->until_us < r->kept_until) r->kept_until = a->until_us;
}

typedef bool (*kept_test)(const r1_memory *mem, const pool_anchor *a, uint64_t ctx);

static bool has_ended(const r1_memory *mem, const pool_anchor *a, uint64_t ctx)
{
    (void)ctx;
    return !pool_holds(mem, a);
}
static bool has_handle(const r1_memory *mem, const pool_anchor *a, uint64_t ctx)
{
    return (void)mem, a->handle == ctx;
}
static bool has_ticket(const r1_memory *mem, const pool_anchor *a, uint64_t ctx)
{
    return mem->slot[pool_slot_of(a->handle)].ticket == ctx;
}

/* The kept ones that pass the test leave, at most `most` of them; returns how many. */
static uint32_t kept_leave(r1_memory *mem, pool_ring *r, kept_test test, uint64_t ctx,
                           uint32_t most)
{
    uint32_t gone = 0, n = r->n_kept, i = r->kept_oldest;
    r->n_kept = 0; /* the list is made again of those that stay */
    for (uint32_t k = 0; k < n; k++) {
        pool_anchor *a = &mem->anchor[i];
        i = a->next;
        if (gone == most || !test(mem, a, ctx)) {
            pool_keep(mem, r, a);
            continue;
        }
        mem->slot[pool_slot_of(a->handle)].lost |= test == has_ticket; /* cancelled */
        pool_release(mem, a->handle);
        free_anchor(mem, r, a);
        gone++;
    }
    return gone;
}

/* ---- rings ----------------------------------------------------------------------------------- */

static uint32_t pool_home(const r1_memory *mem, uint64_t key)
{
    return (uint32_t)(key * 0x9e3779b97f4a7c15u >> 32) & mem->mask;
}

uint32_t *pool_cell(const r1_memory *mem, uint64_t key)
{
    uint32_t i = pool_home(mem, key);
    while (mem->table[i] && mem->ring[mem->table[i] - 1].key != key) i = (i + 1) & mem->mask;
    return &mem->table[i];
}

static pool_ring *find_ring(const r1_memory *mem, uint64_t key)
{
    uint32_t at = *pool_cell(mem, key);
    return at ? &mem->ring[at - 1] : NULL;
}

static void unlink_ring(r1_memory *mem, pool_ring *r)
{
    if (r->older != POOL_NONE)
        mem->ring[r->older].newer = r->newer;
    else
        mem->oldest = r->newer;
    if (r->newer != POOL_NONE)
        mem->ring[r->newer].older = r->older;
    else
        mem->newest = r->older;
}

static void link_newest(r1_memory *mem, pool_ring *r)
{
    uint32_t i = (uint32_t)(r - mem->ring);
    r->older = mem->newest;
    r->newer = POOL_NONE;
    if (mem->newest != POOL_NONE)
        mem->ring[mem->newest].newer = i;
    else
        mem->oldest = i;
    mem->newest = i;
}

static void pool_touch(r1_memory *mem, pool_ring *r)
{
    unlink_ring(mem, r);
    link_newest(mem, r);
}

/* Deletion by shifting back what would no longer be found (Knuth, 6.4 R). */
static void erase_cell(r1_memory *mem, uint64_t key)
{
    uint32_t i = (uint32_t)(pool_cell(mem, key) - mem->table), j = i;
    for (;;) {
        j = (j + 1) & mem->mask;
        if (!mem->table[j]) break;
        uint32_t k = pool_home(mem, mem->ring[mem->table[j] - 1].key);
        if (((j - k) & mem->mask) < ((j - i) & mem->mask)) continue;
        mem->table[i] = mem->table[j];
        i = j;
    }
    mem->table[i] = 0;
}

/* Everything leaves, anchors too; lost: for good. */
static void drop_ring(r1_memory *mem, pool_ring *r, bool lost)
{
    R1_ASSERT(r->used && mem->n_entity > 0, "pool: ring %zu of %llu is not in use",
              (size_t)(r - mem->ring), (unsigned long long)mem->n_entity);
    while (r->n_line) {
        uint64_t place = line_pop_oldest(mem, r), handle = pool_named(mem, place);
        if (place & 1) free_anchor(mem, r, pool_anchor_of(mem, place));
        mem->slot[pool_slot_of(handle)].lost |= lost;
        pool_release(mem, handle);
    }
    for (uint32_t k = 0, i = r->kept_oldest; k < r->n_kept; k++) {
        pool_anchor *a = &mem->anchor[i];
        i = a->next;
        mem->slot[pool_slot_of(a->handle)].lost |= lost;
        pool_release(mem, a->handle);
        free_anchor(mem, r, a);
    }
    unlink_ring(mem, r);
    erase_cell(mem, r->key);
    r->used = false;
    r->newer = mem->rings.free;
    mem->rings.free = (uint32_t)(r - mem->ring);
    mem->rings.n_free++;
    mem->n_entity--;
}

/* Anchors whose time is over are ordinary entries from now on; kept ones leave, since their turn
 * has passed. */
static void pool_settle(r1_memory *mem, pool_ring *r)
{
    cursor c = line_oldest(r);
    for (uint64_t *p; r->n_pinned > r->n_kept && (p = pool_forth(mem, &c));) {
        if (!(*p & 1) || pool_holds(mem, pool_anchor_of(mem, *p))) continue;
        pool_anchor *a = pool_anchor_of(mem, *p);
        *p = a->handle << 1;
        free_anchor(mem, r, a);
    }
    if (r->n_kept && r->kept_until <= mem->now_us) kept_leave(mem, r, has_ended, 0, POOL_NONE);
}

/* Lets the oldest entry go that no anchor holds; false: there is none. */
static bool pool_evict(r1_memory *mem, pool_ring *r)
{
    if (r->n_kept && r->kept_until <= mem->now_us && kept_leave(mem, r, has_ended, 0, 1))
        return true;
    while (r->n_line) {
        uint64_t place = line_pop_oldest(mem, r), handle = pool_named(mem, place);
        if (place & 1) {
            pool_anchor *a = pool_anchor_of(mem, place);
            if (pool_holds(mem, a)) {
                pool_keep(mem, r, a);
                continue;
            }
            free_anchor(mem, r, a);
        }
        pool_release(mem, handle);
        return true;
    }
    return false;
}

/* The entity longest without an append that has no anchors goes; those that have step back in
 * the order. */
static bool pool_drop_oldest(r1_memory *mem)
{
    for (uint64_t k = mem->n_entity; k > 0; k--) {
        pool_ring *r = &mem->ring[mem->oldest];
        if (r->n_pinned) pool_settle(mem, r);
        if (!r->n_pinned) {
            drop_ring(mem, r, false);
            return true;
        }
        pool_touch(mem, r);
    }
    return false;
}

/* One entry of the entity longest without an append; an entity with nothing left goes. */
static bool pool_shed(r1_memory *mem)
{
    for (uint64_t k = mem->n_entity; k > 0; k--) {
        pool_ring *r = &mem->ring[mem->oldest];
        bool gave = pool_evict(mem, r);
        if (!r->n_line && !r->n_kept)
            drop_ring(mem, r, false);
        else if (!gave)
            pool_touch(mem, r);
        if (gave) return true;
    }
    return false;
}

static pool_ring *new_ring(r1_memory *mem, uint64_t key)
{
    if (!pool_unused(&mem->rings) && !pool_drop_oldest(mem)) return NULL;
    uint32_t i = mem->rings.free;
    if (i != POOL_NONE) {
        mem->rings.free = mem->ring[i].newer;
        mem->rings.n_free--;
    } else {
        i = mem->rings.used++;
    }
    pool_ring *r = &mem->ring[i];
    *r = (pool_ring){.key = key, .used = true, .quota = mem->quota};
    *pool_cell(mem, key) = i + 1;
    link_newest(mem, r);
    mem->n_entity++;
    return r;
}

static bool pool_push(r1_memory *mem, uint64_t key, uint64_t handle)
{
    pool_ring *r = find_ring(mem, key);
    if (!r) r = new_ring(mem, key);
    if (!r) return false;
    while (r->n_line + r->n_kept >= r->quota && pool_evict(mem, r)) {
    }
    pool_touch(mem, r);
    return line_push(mem, r, handle << 1);
}

/* What an append frees can be used only after the open batches: so room is made ahead of need. */
static void keep_reserve(r1_memory *mem)
{
    uint32_t reserve = mem->n_slot / 8 < POOL_RESERVE_MAX ? mem->n_slot / 8 : POOL_RESERVE_MAX;
    while (pool_unused(&mem->slots) + mem->n_deferred + mem->n_waiting <= reserve ||
           pool_unused(&mem->blocks) < POOL_ENTITIES_MAX)
        if (!pool_shed(mem)) return;
}

/* Takes back what an append did to the rings of entity[0..n). */
static void pool_unpush(r1_memory *mem, const uint64_t *entity, size_t n, uint64_t handle)
{
    for (size_t k = 0; k < n; k++) {
        pool_ring *r = find_ring(mem, entity[k]);
        cursor c = r ? line_newest(r) : (cursor){0};
        const uint64_t *p = r ? pool_back(mem, &c) : NULL;
        if (!p || *p != handle << 1) continue;
        line_pop_newest(mem, r);
        pool_release(mem, handle);
    }
}

static bool named_before(const uint64_t *entity, size_t k)
{
    for (size_t j = 0; j < k; j++)
        if (entity[j] == entity[k]) return true;
    return false;
}

r1_status r1_memory_append(r1_memory *mem, uint64_t ticket, const uint64_t *entity, size_t n_entity,
                           uint64_t meta, uint64_t *handle, r1_err *err)
{
    uint32_t i = 0;
    if (n_entity < 1 || n_entity > POOL_ENTITIES_MAX || ticket == 0 || ticket != mem->next_ticket)
        R1_FAIL(err, R1_E_INVAL,
                "memory: append for %zu entities (1 to %d) under ticket %llu (newest %llu)",
                n_entity, POOL_ENTITIES_MAX, (unsigned long long)ticket,
                (unsigned long long)mem->next_ticket);
    keep_reserve(mem);
    R1_TRY(take_slot(mem, &i, err));
    pool_slot *s = &mem->slot[i];
    s->meta = meta;
    s->ticket = ticket;
    s->owner = entity[0];
    s->time_us = mem->now_us;
    s->lost = false;
    s->n_ref = 1; /* ours, until all rings have it */
    memset(entry_of(mem, i), 0, mem->row_stride);
    *handle = pool_handle_of(mem, i);
    mem->n_entry++;
    bool whole = true;
    for (size_t k = 0; k < n_entity && whole; k++) {
        if (named_before(entity, k)) continue;
        whole = pool_push(mem, entity[k], *handle);
        s->n_ref += whole;
        if (!whole) {
            s->lost = true;
            pool_unpush(mem, entity, k, *handle);
        }
    }
    pool_release(mem, *handle);
    pool_changed(mem);
    if (!whole)
        R1_FAIL(err, R1_E_NOMEM, "memory: all %u entities have anchors, or %u blocks are full",
                mem->n_ring, mem->blocks.n);
    return R1_OK;
}

size_t r1_memory_ring(const r1_memory *mem, uint64_t entity, uint64_t *handle, uint64_t *meta,
                      size_t cap)
{
    const pool_ring *r = find_ring(mem, entity);
    if (!r) return 0;
    size_t total = (size_t)r->n_line + r->n_kept, n = total < cap ? total : cap, at = n;
    cursor c = line_newest(r);
    for (const uint64_t *p; at > 0 && (p = pool_back(mem, &c));) handle[--at] = pool_named(mem, *p);
    size_t skip = r->n_kept - at; /* of the kept ones, which are older than all in line */
    for (uint32_t k = 0, i = r->kept_oldest; k < r->n_kept && at; i = mem->anchor[i].next, k++)
        if (k >= skip) handle[k - skip] = mem->anchor[i].handle;
    for (size_t k = 0; meta && k < n; k++) meta[k] = mem->slot[pool_slot_of(handle[k])].meta;
    return n;
}

void r1_memory_forget(r1_memory *mem, uint64_t entity)
{
    pool_ring *r = find_ring(mem, entity);
    if (r) drop_ring(mem, r, true);
    pool_changed(mem);
}

/* What stays moves up in the line; kept anchors of the ticket go too. */
static void drop_ticket(r1_memory *mem, pool_ring *r, uint64_t ticket)
{
    cursor from = line_oldest(r), to = from;
    uint32_t gone = 0;
    for (const uint64_t *p; (p = pool_forth(mem, &from));) {
        uint64_t place = *p, handle = pool_named(mem, place);
        pool_slot *s = &mem->slot[pool_slot_of(handle)];
        if (s->ticket != ticket) {
            *pool_forth(mem, &to) = place;
            continue;
        }
        if (place & 1) free_anchor(mem, r, pool_anchor_of(mem, place));
        s->lost = true;
        pool_release(mem, handle);
        gone++;
    }
    while (gone-- > 0) line_pop_newest(mem, r);
    if (r->n_kept) kept_leave(mem, r, has_ticket, ticket, POOL_NONE);
}

static bool has_any(const r1_memory *mem, const pool_ring *r, uint64_t ticket)
{
    cursor c = line_newest(r);
    for (const uint64_t *p; (p = pool_back(mem, &c));)
        if (mem->slot[pool_slot_of(pool_named(mem, *p))].ticket == ticket) return true;
    for (uint32_t k = 0, i = r->kept_oldest; k < r->n_kept; k++, i = mem->anchor[i].next)
        if (has_ticket(mem, &mem->anchor[i], ticket)) return true;
    return false;
}

void r1_memory_cancel(r1_memory *mem, uint64_t ticket)
{
    for (uint32_t i = 0; i < mem->rings.used; i++)
        if (mem->ring[i].used && has_any(mem, &mem->ring[i], ticket))
            drop_ticket(mem, &mem->ring[i], ticket);
    pool_changed(mem);
    r1_memory_end(mem, ticket);
}

/* ---- pins and quotas ------------------------------------------------------------------------- */

void r1_memory_clock(r1_memory *mem, int64_t now_us)
{
    if (now_us > mem->now_us) mem->now_us = now_us;
}

static r1_status no_such_entry(uint64_t entity, uint64_t handle, r1_err *err)
{
    R1_FAIL(err, R1_E_NOT_FOUND, "memory: entity %016llx holds no entry %016llx",
            (unsigned long long)entity, (unsigned long long)handle);
}

/* Newest first, since pins follow appends. */
static uint64_t *find_place(const r1_memory *mem, const pool_ring *r, uint64_t handle)
{
    cursor c = line_newest(r);
    for (uint64_t *p; (p = pool_back(mem, &c));)
        if (pool_named(mem, *p) == handle) return p;
    return NULL;
}

static pool_anchor *find_kept(const r1_memory *mem, const pool_ring *r, uint64_t handle)
{
    for (uint32_t k = 0, i = r->kept_oldest; k < r->n_kept; k++, i = mem->anchor[i].next)
        if (mem->anchor[i].handle == handle) return &mem->anchor[i];
    return NULL;
}

static r1_status pool_unpin(r1_memory *mem, pool_ring *r, uint64_t handle)
{
    uint64_t *p = find_place(mem, r, handle);
    if (!p) return kept_leave(mem, r, has_handle, handle, 1) ? R1_OK : R1_E_NOT_FOUND;
    if (!(*p & 1)) return R1_OK;
    free_anchor(mem, r, pool_anchor_of(mem, *p));
    *p = handle << 1;
    return R1_OK;
}

/* The lightest anchor, the oldest of equals. */
static const pool_anchor *pool_lightest(const r1_memory *mem, const pool_ring *r)
{
    const pool_anchor *low = NULL;
    for (uint32_t k = 0, i = r->kept_oldest; k < r->n_kept; k++, i = mem->anchor[i].next)
        if (!low || mem->anchor[i].weight < low->weight) low = &mem->anchor[i];
    cursor c = line_oldest(r);
    for (const uint64_t *p; (p = pool_forth(mem, &c));)
        if (*p & 1 && (!low || pool_anchor_of(mem, *p)->weight < low->weight))
            low = pool_anchor_of(mem, *p);
    return low;
}

static bool over_a_quarter(const pool_ring *r, uint32_t n_pinned)
{
    return (uint64_t)n_pinned * 4 > r->quota;
}

static r1_status make_room_for(r1_memory *mem, pool_ring *r, float weight, r1_err *err)
{
    if (over_a_quarter(r, r->n_pinned + 1)) pool_settle(mem, r);
    if (!over_a_quarter(r, r->n_pinned + 1)) return R1_OK;
    const pool_anchor *low = r->n_pinned ? pool_lightest(mem, r) : NULL;
    if (!low || !(weight > low->weight))
        R1_FAIL(err, R1_E_NOMEM,
                "memory: %u anchors of %u places, at most a quarter, and none is lighter than %g",
                r->n_pinned, r->quota, (double)weight);
    return pool_unpin(mem, r, low->handle);
}

r1_status r1_memory_pin(r1_memory *mem, uint64_t entity, uint64_t handle, float weight,
                        int64_t until_us, r1_err *err)
{
    pool_ring *r = find_ring(mem, entity);
    int64_t until = until_us ? until_us : INT64_MAX;
    if (!(weight >= 0) || weight - weight != 0 || until <= mem->now_us)
        R1_FAIL(err, R1_E_INVAL,
                "memory: anchor: weight %g (0 or more), until %lld (after the clock, %lld)",
                (double)weight, (long long)until_us, (long long)mem->now_us);
    uint64_t *p = r ? find_place(mem, r, handle) : NULL;
    pool_anchor *a = p && *p & 1 ? pool_anchor_of(mem, *p)
                     : r && !p   ? find_kept(mem, r, handle)
                                 : NULL;
    if (!p && !a) return no_such_entry(entity, handle, err);
    if (!a) {
        R1_TRY(make_room_for(mem, r, weight, err));
        uint32_t i = take_anchor(mem);
        if (i == POOL_NONE)
            R1_FAIL(err, R1_E_NOMEM, "memory: the pool's %u anchors are all in use",
                    mem->anchors.n);
        a = &mem->anchor[i];
        r->n_pinned++;
        *p = (uint64_t)i << 1 | 1;
    }
    *a = (pool_anchor){handle, until, weight, a->next};
    if (!p && until < r->kept_until) r->kept_until = until;
    pool_changed(mem);
    return R1_OK;
}

r1_status r1_memory_unpin(r1_memory *mem, uint64_t entity, uint64_t handle, r1_err *err)
{
    pool_ring *r = find_ring(mem, entity);
    if (!r || pool_unpin(mem, r, handle) != R1_OK) return no_such_entry(entity, handle, err);
    pool_changed(mem);
    return R1_OK;
}

static void note_anchor(const r1_memory *mem, const pool_anchor *a, r1_memory_anchor *out,
                        size_t cap, size_t *n)
{
    if (!pool_holds(mem, a)) return;
    if (*n < cap)
        out[*n] = (r1_memory_anchor){a->handle, mem->slot[pool_slot_of(a->handle)].meta, a->weight,
                                     a->until_us == INT64_MAX ? 0 : a->until_us};
    ++*n;
}

size_t r1_memory_anchors(const r1_memory *mem, uint64_t entity, r1_memory_anchor *out, size_t cap)
{
    const pool_ring *r = find_ring(mem, entity);
    size_t n = 0;
    if (!r) return 0;
    for (uint32_t k = 0, i = r->kept_oldest; k < r->n_kept; k++, i = mem->anchor[i].next)
        note_anchor(mem, &mem->anchor[i], out, cap, &n);
    cursor c = line_oldest(r);
    for (const uint64_t *p; (p = pool_forth(mem, &c));)
        if (*p & 1) note_anchor(mem, pool_anchor_of(mem, *p), out, cap, &n);
    return n;
}

r1_status r1_memory_set_quota(r1_memory *mem, uint64_t entity, uint32_t quota, r1_err *err)
{
    if (quota < 1 || quota > POOL_QUOTA_MAX)
        R1_FAIL(err, R1_E_INVAL, "memory: quota: expected 1..%d, found %u", POOL_QUOTA_MAX, quota);
    pool_ring *r = find_ring(mem, entity);
    if (!r) r = new_ring(mem, entity);
    if (!r) R1_FAIL(err, R1_E_NOMEM, "memory: all %u entities have anchors", mem->n_ring);
    r->quota = quota;
    if (over_a_quarter(r, r->n_pinned)) pool_settle(mem, r);
    while (over_a_quarter(r, r->n_pinned)) pool_unpin(mem, r, pool_lightest(mem, r)->handle);
    while (r->n_line + r->n_kept > r->quota && pool_evict(mem, r)) {
    }
    pool_changed(mem);
    return R1_OK;
}

/* ---- to long-term memory and back ------------------------------------------------------------ */

r1_status r1_memory_attach(r1_memory *mem, r1_longterm *lt, uint32_t source, uint32_t version,
                           r1_err *err)
{
    if (lt && (lt->o.d_key != mem->width || lt->o.d_vector != mem->width))
        R1_FAIL(err, R1_E_INVAL,
                "memory: entries have keys and values of %u; long-term memory: keys of %u, vectors "
                "of %u",
                mem->width, lt->o.d_key, lt->o.d_vector);
    mem->to = lt;
    mem->source = source;
    mem->version = version;
    while (!lt && mem->waiting_head != POOL_NONE) {
        free_slot(mem, pool_dequeue(mem, &mem->waiting_head, &mem->waiting_tail));
        mem->n_waiting--;
    }
    pool_changed(mem);
    return R1_OK;
}

/* An entry of a batch that failed was never stored: it is all zeros. */
static bool is_blank(const r1_memory *mem, uint32_t i)
{
    for (int which = 0; which < 2; which++) {
        const float *x = pool_half_of(mem, i, which, mem->scratch);
        for (uint32_t k = 0; k < mem->width; k++)
            if (x[k] != 0) return false;
    }
    return true;
}

static r1_status insert_waiting(r1_memory *mem, size_t *n, r1_err *err)
{
    for (uint32_t i = mem->waiting_head; i != POOL_NONE; i = mem->slot[i].next) {
        const pool_slot *s = &mem->slot[i];
        uint8_t meta[8];
        if (is_blank(mem, i)) continue;
        for (int b = 0; b < 8; b++) meta[b] = (uint8_t)(s->meta >> 8 * b);
        r1_longterm_entry e = {.key = pool_half_of(mem, i, 0, mem->scratch),
                               .vector = pool_half_of(mem, i, 1, mem->scratch + mem->width),
                               .value = meta,
                               .value_bytes = sizeof meta,
                               .source = mem->source,
                               .entity = s->owner,
                               .time_us = s->time_us,
                               .version = mem->version};
        R1_TRY(r1_longterm_insert(mem->to, &e, NULL, err));
        ++*n;
    }
    return R1_OK;
}

r1_status r1_memory_consolidate(r1_memory *mem, size_t *n_moved, r1_err *err)
{
    size_t n = 0;
    if (n_moved) *n_moved = 0;
    reclaim_deferred(mem);
    if (!mem->n_waiting) return R1_OK;
    R1_TRY(r1_longterm_begin(mem->to, err));
    r1_status st = insert_waiting(mem, &n, err);
    if (st == R1_OK)
        st = r1_longterm_commit(mem->to, err);
    else
        r1_longterm_rollback(mem->to);
    if (st != R1_OK) {
        r1_err_prefix(err, "memory: %u entries wait to leave: ", mem->n_waiting);
        return st;
    }
    while (mem->waiting_head != POOL_NONE)
        free_slot(mem, pool_dequeue(mem, &mem->waiting_head, &mem->waiting_tail));
    mem->n_waiting = 0;
    mem->n_moved += n;
    pool_changed(mem);
    if (n_moved) *n_moved = n;
    return R1_OK;
}

typedef struct {
    r1_memory *mem;
    const float *query;
    uint64_t stored;
    r1_memory_hit *hit;
    size_t n, k;
} finder;

/* Best first; a later one of equal score stands behind. */
static void pool_offer(finder *f, r1_memory_hit h)
{
    size_t at = f->n < f->k ? f->n++ : f->k;
    if (at == f->k && (!f->k || !(h.score > f->hit[--at].score))) return;
    for (; at > 0 && h.score > f->hit[at - 1].score; at--) f->hit[at] = f->hit[at - 1];
    f->hit[at] = h;
}

static void offer_slot(finder *f, uint32_t i)
{
    const pool_slot *s = &f->mem->slot[i];
    if (s->ticket > f->stored || s->lost) return;
    float score =
        scan_best()->dot(f->query, pool_half_of(f->mem, i, 0, f->mem->scratch), f->mem->width);
    pool_offer(f, (r1_memory_hit){pool_handle_of(f->mem, i), 0, s->owner, s->meta, score});
}

static r1_status offer_longterm(finder *f, r1_err *err)
{
    r1_longterm_hit *hit = malloc(sizeof *hit * (f->k + 1));
    if (!hit) R1_FAIL(err, R1_E_NOMEM, "memory: no memory for %zu hits", f->k);
    size_t n = 0;
    r1_status st = r1_longterm_search(f->mem->to, f->query, f->k, hit, &n, err);
    for (size_t i = 0; i < n && st == R1_OK; i++) {
        r1_longterm_entry e;
        st = r1_longterm_get(f->mem->to, hit[i].id, &e, err);
        if (st != R1_OK) break;
        uint64_t meta = 0;
        for (uint32_t b = 0; b < 8 && b < e.value_bytes; b++)
            meta |= (uint64_t)((const uint8_t *)e.value)[b] << 8 * b;
        pool_offer(f, (r1_memory_hit){0, hit[i].id, e.entity, meta, hit[i].score});
    }
    free(hit);
    return st;
}

r1_status r1_memory_search(r1_memory *mem, uint64_t entity, const float *query, size_t k,
                           r1_memory_hit *hit, size_t *n_hit, r1_err *err)
{
    finder f = {mem, query, read_locked(mem, &mem->stored), hit, 0, k};
    const pool_ring *r = find_ring(mem, entity);
    *n_hit = 0;
    for (uint32_t c = 0; c < mem->width; c++)
        if (query[c] - query[c] != 0)
            R1_FAIL(err, R1_E_INVAL, "memory: query: column %u is not a finite number", c);
    for (uint32_t j = 0, i = r ? r->kept_oldest : POOL_NONE; r && j < r->n_kept;
         j++, i = mem->anchor[i].next)
        offer_slot(&f, pool_slot_of(mem->anchor[i].handle));
    cursor c = r ? line_oldest(r) : (cursor){0};
    for (const uint64_t *p; (p = pool_forth(mem, &c));)
        offer_slot(&f, pool_slot_of(pool_named(mem, *p)));
    for (uint32_t i = mem->to ? mem->deferred_head : POOL_NONE; i != POOL_NONE;
         i = mem->slot[i].next)
        offer_slot(&f, i);
    for (uint32_t i = mem->waiting_head; i != POOL_NONE; i = mem->slot[i].next) offer_slot(&f, i);
    if (mem->to && k) R1_TRY(offer_longterm(&f, err));
    *n_hit = f.n;
    return R1_OK;
}

void r1_memory_stats(const r1_memory *mem, r1_memory_counts *counts)
{
    *counts = (r1_memory_counts){.n_entry = mem->n_entry,
                                 .n_entity = mem->n_entity,
                                 .n_anchor = mem->anchors.used - mem->anchors.n_free,
                                 .n_waiting = mem->to ? mem->n_waiting + mem->n_deferred : 0,
                                 .n_left = mem->n_left,
                                 .n_moved = mem->n_moved,
                                 .bytes = (uint64_t)mem->slots.used *
                                              (mem->row_stride + sizeof(pool_slot)) +
                                          (uint64_t)mem->rings.used * sizeof(pool_ring) +
                                          (uint64_t)mem->blocks.used * sizeof(pool_block) +
                                          (uint64_t)mem->anchors.used * sizeof(pool_anchor),
                                 .n_entry_room = mem->n_slot};
}
