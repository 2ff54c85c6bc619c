/* SPDX-License-Identifier: Apache-2.0 */
/* r1_memory.h - working memory (a pool of entries with a ring per entity and pinned anchors) and long-term memory.
 *
 * Working memory. An entry is made from its own event alone and is stored once; the rings of all its entities name it
 * by handle. An append that meets a full ring drops that ring's oldest unpinned entry; an entry whose last ring drops
 * it frees its slot. A freed slot is not used again before every batch that was open at that moment has ended, so
 * handles collected for a batch stay valid until it has run.
 *
 *   r1_memory_begin -> ticket
 *     per sample, in order: r1_memory_ring (collect handles), r1_memory_append (its own entry)
 *   r1_session_run(batch with pool and ticket)      stores the new entries, ends the ticket
 *
 * Batches of one pool store their entries in the order of their tickets, whatever worker runs them, and each sees all
 * earlier ones. A ticket that will not be run must be cancelled, or later ones wait for it for ever.
 *
 * Threads: begin, append, ring, pin from one owner thread; runs from any thread. */
#ifndef R1_MEMORY_H
#define R1_MEMORY_H

#include "r1_model.h"

typedef struct r1_memory r1_memory;

typedef struct {
    size_t bytes_max;      /* of entries and rings together; 0 = 256 MiB. Reserved at once, touched as used */
    uint32_t quota;        /* entries in one entity's ring; 0 = 16; at most 65,536 */
    uint32_t n_entity_max; /* 0 = as many as half of bytes_max gives; when reached, the entity longest without an append
                              goes */
} r1_memory_opts;

R1_API r1_status r1_memory_new(r1_memory **out, const r1_model *m, const r1_memory_opts *opts, r1_err *err);
R1_API void r1_memory_free(r1_memory *mem);

R1_API r1_status r1_memory_begin(r1_memory *mem, uint64_t *ticket, r1_err *err);
R1_API void r1_memory_cancel(r1_memory *mem, uint64_t ticket); /* entries appended under it are dropped */
/* Ends a ticket that no r1_session_run ends: its entries were stored by r1_session_store. */
R1_API void r1_memory_end(r1_memory *mem, uint64_t ticket);

/* Makes one entry that belongs to all of entity[0..n_entity) (keys are the caller's hashes; at most 8). R1_E_NOMEM: the
 * pool is full of pinned or busy slots. meta is the caller's and comes back from r1_memory_ring. */
R1_API r1_status r1_memory_append(r1_memory *mem, uint64_t ticket, const uint64_t *entity, size_t n_entity,
                                  uint64_t meta, uint64_t *handle, r1_err *err);
/* Oldest first, at most cap of the newest; returns how many. meta may be NULL. */
R1_API size_t r1_memory_ring(const r1_memory *mem, uint64_t entity, uint64_t *handle, uint64_t *meta, size_t cap);
/* A pinned entry is an anchor: never evicted while it holds. At most a quarter of a ring; R1_E_NOMEM past that. */
R1_API r1_status r1_memory_pin(r1_memory *mem, uint64_t entity, uint64_t handle, bool pinned, r1_err *err);
R1_API void r1_memory_forget(r1_memory *mem, uint64_t entity); /* drops the whole ring, anchors included */
R1_API void r1_memory_stats(const r1_memory *mem, uint64_t *n_entry, uint64_t *n_entity, uint64_t *bytes);

/* ---- long-term memory ------------------------------------------------------------------------------------- */

/* Entries (key f32[d_align], value bytes, source, entity, time, version) in one file; exact search by inner product.
 * Threads: one writer or many readers; the caller separates them. */
typedef struct r1_longterm r1_longterm;

typedef struct {
    const float *key;  /* f32[d_key] */
    const void *value; /* at most 64 KiB */
    uint32_t value_bytes;
    uint32_t source; /* the caller's number of the source */
    uint64_t entity;
    int64_t time_us;
    uint32_t version;
} r1_longterm_entry;

typedef struct {
    uint64_t id; /* stays with the entry for the life of the memory */
    float score;
} r1_longterm_hit;

R1_API r1_status r1_longterm_new(r1_longterm **out, uint32_t d_key, size_t n_entry_max, r1_err *err);
R1_API r1_status r1_longterm_open(r1_longterm **out, const char *path, size_t n_entry_max, r1_err *err);
/* Written beside path and renamed: the old or the new file, never a mixture; checksummed. */
R1_API r1_status r1_longterm_save(const r1_longterm *lt, const char *path, r1_err *err);
R1_API void r1_longterm_free(r1_longterm *lt);
R1_API r1_status r1_longterm_insert(r1_longterm *lt, const r1_longterm_entry *entry, uint64_t *id, r1_err *err);
/* Removes all entries of a source older than version (0: all); returns how many. */
R1_API size_t r1_longterm_expire(r1_longterm *lt, uint32_t source, uint32_t version);
R1_API r1_status r1_longterm_get(const r1_longterm *lt, uint64_t id, r1_longterm_entry *entry, r1_err *err);
R1_API size_t r1_longterm_count(const r1_longterm *lt);
/* Best first; equal scores by smaller id; *n_hit <= k. */
R1_API r1_status r1_longterm_search(const r1_longterm *lt, const float *query, size_t k, r1_longterm_hit *hit,
                                    size_t *n_hit, r1_err *err);

#endif
