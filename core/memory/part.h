/* SPDX-License-Identifier: Apache-2.0 */
/* part.h - a run of entries of long-term memory: fresh (as they came, appended to by the writer)
 * or coded (an image that never changes, on the heap or mapped from the file).
 *
 * The image is little endian. A header has the place and size of each section, and every section
 * lies at a multiple of 64 bytes. SECTION_COUNT sections, in this order:
 *
 *   SECTION_KEY_CODE      what code_pack writes
 *   SECTION_VECTOR_CODE   the same; vectors have one list
 *   SECTION_LIST_START    u32[n_list + 1], rows are ordered by list
 *   SECTION_KEY_START     u32[blocks + 1], where the codes of each 32 rows begin
 *   SECTION_KEY_LEN       u16[n], length of each row's code
 *   SECTION_KEY_BYTES     the codes
 *   SECTION_SKETCH        [blocks][n_sketch / 2][32], see scan.h
 *   SECTION_VECTOR_START, SECTION_VECTOR_LEN, SECTION_VECTOR_BYTES   as for keys
 *   SECTION_ID_ORDER      u32[n], rows by rising id
 *   SECTION_RECORD        part_record[n]
 *   SECTION_KEYS          f32[n][d_key], absent where full vectors are dropped
 *   SECTION_VECTORS       f32[n][d_vector], absent where full vectors are dropped
 *   SECTION_VALUES        bytes; the record has place and length of each value
 *
 * Owns its arrays or holds a share of the mapping; shares are counted. Threads: a reader sees
 * the rows that its view counts; the writer touches only rows beyond them. */
#ifndef MEMORY_PART_H
#define MEMORY_PART_H

#include "memory/code.h"

#include <stdatomic.h>

enum { PART_VALUE_MAX = 65536, PART_SECTIONS = 16 };
enum {
    SECTION_KEY_CODE,
    SECTION_VECTOR_CODE,
    SECTION_LIST_START,
    SECTION_KEY_START,
    SECTION_KEY_LEN,
    SECTION_KEY_BYTES,
    SECTION_SKETCH,
    SECTION_VECTOR_START,
    SECTION_VECTOR_LEN,
    SECTION_VECTOR_BYTES,
    SECTION_ID_ORDER,
    SECTION_RECORD,
    SECTION_KEYS,
    SECTION_VECTORS,
    SECTION_VALUES,
    SECTION_COUNT
};
#define PART_ENTRIES_MAX ((size_t)1 << 27)

typedef struct {
    uint64_t id, entity;
    int64_t time_us;
    uint32_t source, version, value_bytes, zero;
    uint64_t value_at; /* coded parts: offset in VALUES */
} part_record;

typedef struct {
    atomic_uint refs;
    void *base;
    size_t bytes; /* of the mapping; 0: base was malloc'ed */
    int fd;       /* of the mapped file, a descriptor of our own; -1: none */
} part_image;

typedef struct {
    atomic_uint refs;
    bool coded;
    uint32_t d_key, d_vector;
    size_t n, cap;
    atomic_bool sorted; /* ids of fresh rows rise; either value serves a reader whose rows do */
    /* fresh: owned; coded: in the image */
    const part_record *rec;
    const float *key, *vector;
    unsigned char **value; /* fresh: malloc'ed each */
    /* coded */
    part_image *image;
    const uint8_t *payload;
    size_t payload_bytes, section[PART_SECTIONS];
    code *key_code, *vector_code;
    uint32_t n_list;
    const uint32_t *list_start, *key_start, *vector_start, *order;
    const uint16_t *key_len, *vector_len;
    const uint8_t *key_bytes, *sketch, *vector_bytes, *value_bytes;
} part;

typedef struct {
    float score;
    uint32_t row;
} part_hit;

r1_status part_fresh(part **out, uint32_t d_key, uint32_t d_vector, size_t cap, r1_err *err);
part *part_share(part *p);
void part_free(part *p); /* gives one share back */
/* Into row p->n, which must be below cap. */
r1_status part_append(part *p, const r1_longterm_entry *e, uint64_t id, r1_err *err);

/* entry(ctx, i, &e, &id): the i-th entry to be coded; full keys and vectors. */
typedef void (*part_source)(const void *ctx, size_t i, r1_longterm_entry *e, uint64_t *id);
r1_status part_build(uint8_t **image, size_t *bytes, const r1_longterm_opts *o, part_source entry,
                     const void *ctx, size_t n, r1_err *err);
/* Checks everything that reading relies on. Takes a share of the image on success. */
r1_status part_open(part **out, part_image *image, const uint8_t *payload, size_t bytes,
                    const char *where, r1_err *err);

/* Takes base and, on success, fd (the file that is mapped there from its start; -1 for the
 * heap). */
part_image *image_new(void *base, size_t mapped_bytes, int fd);
part_image *image_share(part_image *m);
void image_free(part_image *m);

size_t part_find(const part *p, size_t n, uint64_t id, const uint64_t *dead); /* live row, or n */
void part_entry(const part *p, size_t row, r1_longterm_entry *e);
void part_key(const part *p, size_t row, float *key);
/* The full key, which must be kept. From a file it is read, not mapped in: a search names a
 * hundred keys here and there, and the kernel maps the neighbours of each page that is touched. */
r1_status part_read_key(const part *p, size_t row, float *key, r1_err *err);
void part_vector(const part *p, size_t row, bool from_code, float *vector);

/* For each of nq queries q[nq][d_key] the best candidates of a coded part by their codes'
 * scores: hit[nq][cap], in no order, n_hit[nq] how many. What a query finds does not depend on
 * the others; codes that several want are decoded once. */
r1_status part_candidates(const part *p, const float *q, size_t nq, const uint64_t *dead,
                          uint32_t n_probe, uint32_t n_sketch, part_hit *hit, size_t cap,
                          size_t *n_hit, r1_err *err);

static inline bool part_is_dead(const uint64_t *dead, size_t row)
{
    return dead && (dead[row / 64] >> row % 64 & 1);
}

#endif
