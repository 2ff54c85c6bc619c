/* SPDX-License-Identifier: Apache-2.0 */
/* pack.h - samples into a plan's inputs: checks every sample, sets the symbols, makes each event
 * and each text once. */
#ifndef R1_PACK_H
#define R1_PACK_H

#include "infer/exec.h"
#include "memory/pool.h"
#include "r1_session.h"

/* Open addressing from a 128-bit key to a row; cleared in constant time. */
typedef struct {
    uint64_t *key, *check;
    uint32_t *stamp, *value;
    uint32_t mask, now;
} r1_rowmap;

/* Encoded rows by hash of the text; one per text item. */
typedef struct {
    uint64_t *key, *check; /* 0 = empty */
    float *row;            /* [mask + 1][width] */
    uint32_t mask;
} r1_textcache;

typedef struct {
    r1_exec *e;
    r1_arena *arena; /* holds all arrays but the caches' rows, which want large pages */
    r1_rowmap events, texts;
    r1_textcache cache[R1_ITEMS_MAX]; /* row NULL: no cache */
    uint32_t n_gathered, gather_base; /* entries that come from the pool */
    uint64_t *gathered;               /* their handles */
    uint64_t *stored; /* handles of the rows 0..n_event-1 that the pool wants; 0: none */
    /* texts encoded in this run, to be remembered */
    uint32_t n_new_text[R1_ITEMS_MAX];
    uint64_t *new_key[R1_ITEMS_MAX], *new_check[R1_ITEMS_MAX];
} r1_pack;

typedef struct {
    const r1_sample *sample;
    size_t n_sample; /* at most cap[R1_SYM_SEQ] */
    r1_memory *pool;
    r1_event (*event)(void *ctx, uint64_t index); /* inline events; NULL with a pool */
    void *event_ctx;
    uint64_t n_event;
    uint32_t items_off;
    const uint32_t *drop; /* per sample: bit i hides item i; NULL */
} r1_pack_source;

r1_status r1_pack_new(r1_pack **out, r1_exec *e, uint32_t n_text_cache, r1_err *err);
void r1_pack_free(r1_pack *p);
/* Capacities for n samples. */
void r1_pack_capacity(const r1_model *m, uint32_t n, uint32_t *cap);
r1_status r1_pack_fill(r1_pack *p, const r1_pack_source *src, r1_err *err);
/* Events alone, for R1_PHASE_EVENTS; at most cap[R1_SYM_EVENT]. */
r1_status r1_pack_events(r1_pack *p, const r1_event *event, const uint64_t *handle, uint32_t n,
                         r1_err *err);
/* After R1_PHASE_EVENTS: rows of the pool next to those just made. */
r1_status r1_pack_gather(r1_pack *p, r1_memory *pool, r1_err *err);
/* After R1_PHASE_TEXTS: what was encoded is to come to the host; r1_exec_sync ends that. */
r1_status r1_pack_download_texts(r1_pack *p, r1_err *err);
/* Once it is there: it goes to the cache. */
void r1_pack_remember(r1_pack *p);

#endif
