/* SPDX-License-Identifier: Apache-2.0 */
/* r1_memory.h - working memory (a pool of entries, a ring per entity, pinned anchors) and
 * long-term memory.
 *
 * Working memory. An entry is a key and a value. It is made from its own event alone and stored
 * once; the rings of all its entities name it by handle. A ring is the context of one entity: up
 * to `quota` entries, in blocks that all entities draw from one pool. An append that meets a
 * full ring, or a full pool, lets the oldest entries leave:
 *
 *   ring full       its own oldest entry that is no anchor
 *   pool full       the oldest entry of the entity longest without an append; an entity that has
 *                   nothing left goes
 *   entities full   the entity longest without an append that has no anchors
 *
 * An entry leaves when the last ring lets it go. It moves into long-term memory where one is
 * attached, and is dropped where none is. Reclamation is deferred: the slot is not used again
 * before every batch that was open at that moment has ended. So handles collected for a batch
 * stay valid until it has run.
 *
 *   r1_memory_begin gives a ticket
 *     per sample, in order: r1_memory_ring (collect handles), r1_memory_append (its own entry)
 *   r1_session_run of a batch with pool and ticket stores the new entries and ends the ticket
 *
 * Batches of one pool store their entries in the order of their tickets, whatever worker runs
 * them, and each sees all earlier ones. A ticket that will not be run must be cancelled, or
 * later ones wait for it for ever. A ticket ends once: ending it again aborts.
 *
 * Owns:    everything is reserved by r1_memory_new; an attached long-term memory is borrowed.
 * Threads: one owner thread; r1_session_run may run from any thread meanwhile.
 * Errors:  R1_E_NOMEM where anchors or open batches hold everything, R1_E_AGAIN where too many
 *          batches are open, R1_E_NOT_FOUND for a handle that names no entry any more. */
#ifndef R1_MEMORY_H
#define R1_MEMORY_H

#include "r1_model.h"

typedef struct r1_memory r1_memory;
typedef struct r1_longterm r1_longterm;

typedef struct {
    /* Of entries, rings and anchors together; 0 = 256 MiB. Reserved at once, touched as used. */
    size_t bytes_max;
    uint32_t quota;        /* entries of one entity's context; 0 = 10,240; at most 1,048,576 */
    uint32_t n_entity_max; /* 0 = one for every 16 entries that fit */
    uint32_t width;        /* numbers of a key, and of a value, where no model says it */
    /* Of keys and values. INT8: a byte a number, with one quantiser scale for the key and one for
     * the value; about a quarter of the bytes. Whoever reads an entry reads the rounded one, its
     * own batch too, so answers still depend on no batch. */
    r1_precision precision;
} r1_memory_opts;

/* m NULL: opts->width counts, and entries are stored by r1_memory_put. */
R1_API r1_status r1_memory_new(r1_memory **out, const r1_model *m, const r1_memory_opts *opts,
                               r1_err *err);
R1_API void r1_memory_free(r1_memory *mem); /* what waits for long-term memory is lost */
/* Touches the memory that the first entries will use, so that they do not wait for pages to be
 * cleared: up to 4 MiB of each array, and its table of entities. */
R1_API void r1_memory_warm(r1_memory *mem);
/* The bytes_max in which n_entity contexts of quota entries each fit whole. */
R1_API size_t r1_memory_bytes(size_t width, r1_precision precision, uint32_t quota,
                              uint32_t n_entity);

R1_API r1_status r1_memory_begin(r1_memory *mem, uint64_t *ticket, r1_err *err);
/* entries appended under it are dropped */
R1_API void r1_memory_cancel(r1_memory *mem, uint64_t ticket);
/* Ends a ticket that no r1_session_run ends: its entries were stored by r1_session_store or
 * r1_memory_put. */
R1_API void r1_memory_end(r1_memory *mem, uint64_t ticket);

/* Makes one entry that belongs to all of entity[0..n_entity) (keys are the caller's hashes; at
 * most 8). R1_E_NOMEM: the pool is full of anchors or busy slots. meta is the caller's and comes
 * back from r1_memory_ring. */
R1_API r1_status r1_memory_append(r1_memory *mem, uint64_t ticket, const uint64_t *entity,
                                  size_t n_entity, uint64_t meta, uint64_t *handle, r1_err *err);
/* Oldest first, at most cap of the newest; returns how many. meta may be NULL. */
R1_API size_t r1_memory_ring(const r1_memory *mem, uint64_t entity, uint64_t *handle,
                             uint64_t *meta, size_t cap);
/* The entity's own quota instead of the pool's, for as long as it has a ring; what is over
 * leaves at once. */
R1_API r1_status r1_memory_set_quota(r1_memory *mem, uint64_t entity, uint32_t quota, r1_err *err);
/* Drops the whole ring, anchors included; none of its entries reaches long-term memory, whoever
 * else holds it. */
R1_API void r1_memory_forget(r1_memory *mem, uint64_t entity);

/* Key and value of an entry without a session; before its ticket ends. */
R1_API r1_status r1_memory_put(r1_memory *mem, uint64_t handle, const float *key,
                               const float *value, r1_err *err);
/* As they are held; zeros until they are stored. Either may be NULL. */
R1_API r1_status r1_memory_get(const r1_memory *mem, uint64_t handle, float *key, float *value,
                               r1_err *err);

/* ---- anchors: entries that an entity's context keeps, at most a quarter of its quota */

typedef struct {
    uint64_t handle, meta;
    float weight;
    int64_t until_us; /* 0: without end */
} r1_memory_anchor;

/* The pool's clock in the caller's time; it never goes back. */
R1_API void r1_memory_clock(r1_memory *mem, int64_t now_us);
/* Pins an entry, or changes its weight and end. An anchor never leaves before the clock reaches
 * until_us (0: never). Where a quarter is full, the lightest anchor gives way to a heavier one,
 * and a lighter one is refused: R1_E_NOMEM. */
R1_API r1_status r1_memory_pin(r1_memory *mem, uint64_t entity, uint64_t handle, float weight,
                               int64_t until_us, r1_err *err);
/* An entry that would have left long ago but for its anchor leaves now. */
R1_API r1_status r1_memory_unpin(r1_memory *mem, uint64_t entity, uint64_t handle, r1_err *err);
/* Those that hold, oldest first; at most cap; returns how many there are. */
R1_API size_t r1_memory_anchors(const r1_memory *mem, uint64_t entity, r1_memory_anchor *anchor,
                                size_t cap);

/* ---- to long-term memory and back */

/* From now on what leaves goes there: key, value as vector (both as wide as an entry), the first
 * entity it was appended for, meta as eight bytes of value, the clock at its append, and this
 * source and version (of the model that made it: expire the version when the model changes). lt
 * is borrowed; NULL: what leaves is dropped again. */
R1_API r1_status r1_memory_attach(r1_memory *mem, r1_longterm *lt, uint32_t source,
                                  uint32_t version, r1_err *err);
/* Moves what has left, and what no open batch can name any more, as one transaction.
 * r1_memory_append does it when it has no other slot; then it fails where this does, and nothing
 * is lost. n_moved may be NULL. */
R1_API r1_status r1_memory_consolidate(r1_memory *mem, size_t *n_moved, r1_err *err);

typedef struct {
    uint64_t handle; /* of an entry in working memory, valid until the next append; else 0 */
    uint64_t id;     /* of an entry in long-term memory; else 0 */
    uint64_t entity, meta;
    float score;
} r1_memory_hit;

/* The k entries whose keys have the largest inner products with query: all stored entries of
 * this entity's context, and all that left any context for long-term memory (hit.entity tells
 * whose they are). Best first; *n_hit <= k. */
R1_API r1_status r1_memory_search(r1_memory *mem, uint64_t entity, const float *query, size_t k,
                                  r1_memory_hit *hit, size_t *n_hit, r1_err *err);

typedef struct {
    uint64_t n_entry, n_entity, n_anchor;
    uint64_t n_waiting; /* left, not in long-term memory yet */
    /* Since the pool began: entries that left, and how many of them into long-term memory. */
    uint64_t n_left, n_moved;
    uint64_t bytes, n_entry_room; /* touched so far; entries that fit */
} r1_memory_counts;
R1_API void r1_memory_stats(const r1_memory *mem, r1_memory_counts *counts);

/* ---- an image: all that working memory holds, as bytes */

/* Takes or gives so many bytes, in order; what it returns ends the call. */
typedef r1_status r1_memory_put_fn(void *ctx, const void *data, size_t bytes, r1_err *err);
typedef r1_status r1_memory_get_fn(void *ctx, void *data, size_t bytes, r1_err *err);

/* Shows the whole pool to put: entries, rings, anchors, counts, free lists. It neither allocates
 * nor locks, so a child of fork may call it. R1_E_AGAIN while a batch is open or entries wait for
 * long-term memory. */
R1_API r1_status r1_memory_save(const r1_memory *mem, r1_memory_put_fn *put, void *ctx,
                                r1_err *err);
/* Into a pool made with the same options and never used: later appends give the handles and bits
 * that they would have given there. Every index is checked. R1_E_FORMAT for an image of another
 * pool or a damaged one. On failure the pool is finished: free it. */
R1_API r1_status r1_memory_load(r1_memory *mem, r1_memory_get_fn *get, void *ctx, r1_err *err);
/* A hash over what readers see: rings in the order of their last append, with their entries'
 * keys, values, meta and anchors. Handles stay out. Slow: reads all of it. */
R1_API uint64_t r1_memory_digest(const r1_memory *mem);

/* ---- long-term memory ------------------------------------------------------------------------ */

/* Up to a million entries. Each has a key f32[d_key] that is searched by inner product, a second
 * vector f32[d_vector] (what a model reads back; may be absent) and value bytes, with source,
 * entity, time and version.
 *
 * New entries lie as they are and are searched exactly. r1_longterm_consolidate moves them into
 * a part: keys and vectors become codes of a few bytes (a fifteenth and less), lists of near
 * keys are the coarse index, and the full vectors stay in the file, where at most `n_rerank` of
 * them are read per search.
 *
 *   change:  r1_longterm_begin; insert, update, delete, expire, age in any number;
 *            r1_longterm_commit (or rollback)
 *   search:  r1_longterm_view_open; any number of reads; r1_longterm_view_close
 *
 * Threads: changes from one thread at a time; views may be opened, used and closed by any number
 * of threads meanwhile. A view never changes: a reader sees what was committed before it was
 * opened, and nothing of what came after. The functions that take the memory itself read the
 * newest view; what r1_longterm_get points to holds until the next change.
 *
 * File: one, mapped into memory, appended to at each commit, every block with its checksum. A
 * crash at any byte leaves what was committed before it or after it. Only one process may open
 * it for writing. Learning codes needs LAPACK (liblapack.so.3): without it
 * r1_longterm_consolidate returns R1_E_NOT_FOUND. */
typedef struct r1_longterm_view r1_longterm_view;

typedef enum {
    /* Sparse over orthonormal, learned axes, range coded: the default, since it recalls best. */
    R1_CODE_TRANSFORM = 1,
    /* Sparse over an overcomplete learned dictionary (Batch-OMP), range coded. */
    R1_CODE_SPARSE = 2
} r1_code_kind;

typedef struct {
    uint32_t d_key, d_vector; /* d_vector 0: entries have no vector */
    size_t n_entry_max;       /* 0: 1,048,576 */
    r1_code_kind code;        /* 0: R1_CODE_TRANSFORM */
    float key_bytes;          /* mean bytes of a key's code; 0: a fifteenth of f32 */
    float vector_bytes;       /* the same of a vector's */
    /* Lists of the coarse index; 0: about two for each square root of the entries. */
    uint32_t n_list;
    uint32_t n_atom;  /* of R1_CODE_SPARSE; 0: 2,048 */
    uint32_t n_round; /* mini-batches of dictionary learning; 0: 12 */
    bool drop_full; /* keep the codes alone: no re-rank, and a part cannot be consolidated again */
    uint64_t seed;
} r1_longterm_opts;

typedef struct {
    /* f32[d_key]; NULL from get where only its code is kept: see r1_longterm_view_key. */
    const float *key;
    const float *vector; /* f32[d_vector]; NULL: zeros; from get as key */
    const void *value;   /* at most 64 KiB */
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

/* A memory that lives in this process alone until it is saved. */
R1_API r1_status r1_longterm_new(r1_longterm **out, uint32_t d_key, size_t n_entry_max,
                                 r1_err *err);
R1_API r1_status r1_longterm_new_with(r1_longterm **out, const r1_longterm_opts *opts, r1_err *err);
/* A memory that lives in the file: commits are appended to it. n_entry_max bounds what is
 * accepted; 0: 1,048,576. */
R1_API r1_status r1_longterm_open(r1_longterm **out, const char *path, size_t n_entry_max,
                                  r1_err *err);
R1_API r1_status r1_longterm_open_read(r1_longterm **out, const char *path, size_t n_entry_max,
                                       r1_err *err);
/* The newest view as a new file, written beside path and renamed. The memory stays where it
 * lives. */
R1_API r1_status r1_longterm_save(r1_longterm *lt, const char *path, r1_err *err);
/* All views must be closed. NULL is fine. Changes that were not committed are lost. */
R1_API void r1_longterm_free(r1_longterm *lt);

/* ---- changes. Outside begin and commit each is committed by itself. */

R1_API r1_status r1_longterm_begin(r1_longterm *lt, r1_err *err);
/* on failure everything is as before begin */
R1_API r1_status r1_longterm_commit(r1_longterm *lt, r1_err *err);
R1_API void r1_longterm_rollback(r1_longterm *lt);
R1_API r1_status r1_longterm_insert(r1_longterm *lt, const r1_longterm_entry *entry, uint64_t *id,
                                    r1_err *err);
R1_API r1_status r1_longterm_update(r1_longterm *lt, uint64_t id, const r1_longterm_entry *entry,
                                    r1_err *err);
R1_API r1_status r1_longterm_delete(r1_longterm *lt, uint64_t id, r1_err *err);
/* Removes all entries of a source older than version (0: all); returns how many. */
R1_API size_t r1_longterm_expire(r1_longterm *lt, uint32_t source, uint32_t version);
/* Removes all entries with a time before this one. */
R1_API size_t r1_longterm_age(r1_longterm *lt, int64_t before_us);
/* Of entries of one entity and source whose keys' cosine reaches `cosine`, the newest stays.
 * Needs full keys. */
R1_API r1_status r1_longterm_merge(r1_longterm *lt, float cosine, size_t *n_removed, r1_err *err);
/* Moves entries that lie as they are into a new part; all: rebuilds everything into one part and
 * the file into a new one. Not inside begin and commit. Readers go on meanwhile. */
R1_API r1_status r1_longterm_consolidate(r1_longterm *lt, bool all, r1_err *err);

/* ---- reading */

typedef struct {
    size_t k;
    /* Lists that are looked into; 0: a quarter of them, all up to 262,144 entries. */
    uint32_t n_probe;
    uint32_t n_sketch; /* candidates that leave the sketch; 0: 2,000 */
    uint32_t n_rerank; /* candidates compared by their full keys; 0: 100 */
    bool codes_only;   /* no re-rank: scores are the codes' */
    bool exact;        /* full keys of everything: the oracle */
} r1_longterm_query;

typedef struct {
    size_t n_entry, n_part, n_fresh; /* live entries; parts; of the entries, those not coded yet */
    /* In parts: codes of keys with their lengths; lists, tables, axes, id order. */
    size_t code_bytes, index_bytes;
    size_t vector_code_bytes, meta_bytes; /* codes of vectors; ids, records, places of values */
    size_t full_bytes, value_bytes;       /* full keys and vectors; values */
} r1_longterm_stats;

R1_API r1_longterm_view *r1_longterm_view_open(r1_longterm *lt);
R1_API void r1_longterm_view_close(r1_longterm_view *view);
R1_API size_t r1_longterm_view_count(const r1_longterm_view *view);
R1_API r1_status r1_longterm_view_get(const r1_longterm_view *view, uint64_t id,
                                      r1_longterm_entry *entry, r1_err *err);
/* The key or vector as it is kept: full where that is, else decoded. */
R1_API r1_status r1_longterm_view_key(const r1_longterm_view *view, uint64_t id, float *key,
                                      r1_err *err);
R1_API r1_status r1_longterm_view_vector(const r1_longterm_view *view, uint64_t id, bool from_code,
                                         float *vector, r1_err *err);
/* Best first; equal scores by smaller id; *n_hit <= k. */
R1_API r1_status r1_longterm_view_search(const r1_longterm_view *view, const float *query,
                                         const r1_longterm_query *how, r1_longterm_hit *hit,
                                         size_t *n_hit, r1_err *err);
/* n_query queries at once, query[n_query][d_key]: hit[n_query][k] and n_hit[n_query], the same
 * that each finds alone. Queries share the codes that several of them want, and the lists that
 * several look into; 64 go together. */
R1_API r1_status r1_longterm_view_search_many(const r1_longterm_view *view, const float *query,
                                              size_t n_query, const r1_longterm_query *how,
                                              r1_longterm_hit *hit, size_t *n_hit, r1_err *err);
R1_API void r1_longterm_view_stats(const r1_longterm_view *view, r1_longterm_stats *stats);

/* The same on the newest view. */
R1_API r1_status r1_longterm_get(r1_longterm *lt, uint64_t id, r1_longterm_entry *entry,
                                 r1_err *err);
R1_API size_t r1_longterm_count(r1_longterm *lt);
R1_API r1_status r1_longterm_search(r1_longterm *lt, const float *query, size_t k,
                                    r1_longterm_hit *hit, size_t *n_hit, r1_err *err);

#endif
