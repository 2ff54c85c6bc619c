/* SPDX-License-Identifier: GPL-3.0-or-later */
/* state_memory.c - the one block that a state lives in: which arrays it holds, what they cost, and
 * how it is reserved. Its pages are all zero and come as they are touched. */
#include "graph/aged.h"
#include "graph/state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint32_t power_of_two(uint32_t at_least)
{
    uint32_t n = 1;
    while (n < at_least) n *= 2;
    return n;
}

static void state_sizes(fraud_state *s, uint32_t edges_max, uint32_t entities_max,
                        uint32_t pairs_max)
{
    s->edge_cap = edges_max;
    s->tx_mask = power_of_two(edges_max / 4 * 3 + 2) - 1;
    s->entities.cap = entities_max;
    s->entities.n_bucket = power_of_two(entities_max);
    s->pairs.cap = pairs_max;
    s->pairs.n_bucket = power_of_two(pairs_max);
    s->tx_names.n_chunk = (uint32_t)((uint64_t)edges_max * FRAUD_NAME_RESERVED / FRAUD_NAME_CHUNK) +
                          FRAUD_NAME_CHUNKS_MIN;
    s->names.n_block = entities_max + FRAUD_NAME_BLOCKS_MIN;
}

typedef struct { /* one array of the block */
    void **at;
    size_t row_bytes;
    uint64_t rows;
    fraud_state_part part; /* what it is for */
} state_array;

enum { N_ARRAY = 11, ARRAY_ALIGN = 64, PAGES_FROM = 4 << 20 };
enum { WARM_ROWS_BYTES = 4 << 20, WARM_BUCKETS_BYTES = 64 << 20 };

/* clang-format off */
static void state_arrays(fraud_state *s, state_array out[N_ARRAY])
{
    fraud_table *e = &s->entities, *p = &s->pairs;
    const state_array all[N_ARRAY] = {
        {(void **)&s->entity,        sizeof *s->entity,        e->cap,      FRAUD_PART_ENTITIES},
        {(void **)&s->edge,          sizeof *s->edge,          s->edge_cap, FRAUD_PART_EDGES},
        {(void **)&s->pair,          sizeof *s->pair,          p->cap,      FRAUD_PART_PAIRS},
        {(void **)&s->tx_bucket,     sizeof *s->tx_bucket,     (uint64_t)s->tx_mask + 1,
                                                                            FRAUD_PART_EDGES},
        {(void **)&e->bucket,        sizeof *e->bucket,        e->n_bucket, FRAUD_PART_ENTITIES},
        {(void **)&p->bucket,        sizeof *p->bucket,        p->n_bucket, FRAUD_PART_PAIRS},
        {(void **)&s->tx_names.data, FRAUD_NAME_CHUNK, s->tx_names.n_chunk, FRAUD_PART_EDGES},
        {(void **)&s->tx_names.next, sizeof *s->tx_names.next, s->tx_names.n_chunk,
                                                                            FRAUD_PART_EDGES},
        {(void **)&s->names.block,   sizeof *s->names.block, s->names.n_block,
                                                                            FRAUD_PART_ENTITIES},
        {(void **)&s->aged_entity,   sizeof *s->aged_entity,   e->cap,      FRAUD_PART_ENTITIES},
        {(void **)&s->aged_pair,     sizeof *s->aged_pair,     p->cap,      FRAUD_PART_PAIRS}};
    memcpy(out, all, sizeof all);
}
/* clang-format on */

static uint64_t state_array_bytes(const state_array *a)
{
    return (a->row_bytes * a->rows + ARRAY_ALIGN - 1) / ARRAY_ALIGN * ARRAY_ALIGN;
}

static uint64_t state_arrays_bytes(fraud_state *s)
{
    state_array all[N_ARRAY];
    uint64_t bytes = 0;
    state_arrays(s, all);
    for (int i = 0; i < N_ARRAY; i++) bytes += state_array_bytes(&all[i]);
    return bytes;
}

uint64_t fraud_state_bytes_of(const fraud_state *s, fraud_state_part part)
{
    fraud_state sizes = *s;
    state_array all[N_ARRAY];
    uint64_t bytes = 0;
    state_arrays(&sizes, all);
    for (int i = 0; i < N_ARRAY; i++)
        if (all[i].part == part) bytes += state_array_bytes(&all[i]);
    return bytes;
}

uint64_t fraud_state_bytes(uint32_t edges_max, uint32_t entities_max, uint32_t pairs_max)
{
    fraud_state s = {0};
    state_sizes(&s, edges_max, entities_max, pairs_max);
    return sizeof s + state_arrays_bytes(&s);
}

static r1_status state_reserve(fraud_state *s, r1_err *err)
{
    state_array all[N_ARRAY];
    s->block_bytes = state_arrays_bytes(s);
    void *block = mmap(NULL, s->block_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block == MAP_FAILED)
        R1_FAIL(err, R1_E_NOMEM, "no memory for %u edges, %u entities, %u pairs: %zu MB",
                s->edge_cap, s->entities.cap, s->pairs.cap, s->block_bytes / 1000000);
    if (s->block_bytes >= PAGES_FROM) madvise(block, s->block_bytes, MADV_HUGEPAGE); /* advice */
    s->block = block;
    unsigned char *at = block;
    state_arrays(s, all);
    for (int i = 0; i < N_ARRAY; i++) {
        *all[i].at = at;
        at += state_array_bytes(&all[i]);
    }
    return R1_OK;
}

/* Rows are taken from the front, buckets anywhere. */
void fraud_state_warm(fraud_state *s)
{
    state_array all[N_ARRAY];
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    state_arrays(s, all);
    for (int i = 0; i < N_ARRAY; i++) {
        uint64_t bytes = state_array_bytes(&all[i]);
        bool front = all[i].row_bytes > sizeof(uint32_t);
        uint64_t most = front ? WARM_ROWS_BYTES : WARM_BUCKETS_BYTES;
        uintptr_t from = (uintptr_t)*all[i].at / page * page;
        uintptr_t to = (uintptr_t)*all[i].at + (bytes < most ? bytes : most);
        /* A kernel that does not know it, or has no memory left, touches them later. */
        madvise((void *)from, to - from, MADV_POPULATE_WRITE);
    }
}

static void state_table_init(fraud_table *t)
{
    t->free_head = t->lru_head = t->lru_tail = FRAUD_NONE;
    t->evicted_ts = FRAUD_NEVER;
}

r1_status fraud_state_new(fraud_state **out, uint32_t edges_max, uint32_t entities_max,
                          uint32_t pairs_max, r1_err *err)
{
    *out = NULL;
    if (edges_max < 2 || entities_max < 4 || pairs_max < 2 || edges_max >= (1u << 28) ||
        entities_max > (1u << 28) || pairs_max > (1u << 28))
        R1_FAIL(
            err, R1_E_INVAL,
            "state capacity: expected less than 2^28 edges, at most 2^28 entities and pairs, at "
            "least 2, 4 and 2; found %u edges, %u pairs, %u entities",
            edges_max, pairs_max, entities_max);
    fraud_state *s = calloc(1, sizeof *s);
    if (!s) R1_FAIL(err, R1_E_NOMEM, "no memory for the state");
    s->now = INT64_MIN / 2;
    s->unit = 1;
    s->cut_ts = FRAUD_NEVER;
    state_sizes(s, edges_max, entities_max, pairs_max);
    state_table_init(&s->entities);
    state_table_init(&s->pairs);
    r1_status st = state_reserve(s, err);
    if (st != R1_OK) {
        fraud_state_free(s);
        return st;
    }
    *out = s;
    return R1_OK;
}

void fraud_state_free(fraud_state *s)
{
    if (!s) return;
    if (s->block) munmap(s->block, s->block_bytes);
    free(s);
}
