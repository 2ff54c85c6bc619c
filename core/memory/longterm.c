/* SPDX-License-Identifier: Apache-2.0 */
/* longterm.c - long-term memory: keys in one dense array, searched exactly by inner product; values beside them.
 *
 * File, little endian, 64-byte header:
 *
 *   "R1LTMEM1"  u32 d_key  u32 0  u64 n_entry  u64 next_id  u64 body_bytes  u32 crc32c(body)  u32 crc32c(header so far)  0...
 *   body: n_entry records of { u64 id  u64 entity  i64 time_us  u32 source  u32 version  u32 value_bytes  u32 0 },
 *         then n_entry keys f32[d_key], then the values one after another
 *
 * Removal swaps the last entry into the hole, so search order never shows; ids stay. Sparse codes and an index follow in
 * the engine's own issue: this search is the oracle that they will be measured against. */
#include "r1_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES = 64, VALUE_BYTES_MAX = 65536, KEY_MAX = 8192, N_INDEX_MIN = 64 };
#define FILE_BYTES_MAX ((size_t)16 << 30)
static const char magic[8] = {'R', '1', 'L', 'T', 'M', 'E', 'M', '1'};

typedef struct {
    uint64_t id, entity;
    int64_t time_us;
    uint32_t source, version, value_bytes, zero;
} record;

struct r1_longterm {
    uint32_t d_key;
    size_t n, cap, n_max;
    uint64_t next_id;
    record *rec;
    float *key;            /* f32[cap][d_key] */
    unsigned char **value; /* malloc'ed each; NULL: empty */
    uint32_t *place;       /* open addressing: id -> row + 1; 0 empty */
    size_t n_place;        /* power of two */
};

static r1_status check_key(uint32_t d_key, r1_err *err)
{
    if (d_key < 1 || d_key > KEY_MAX)
        R1_FAIL(err, R1_E_INVAL, "long-term memory: key width: expected 1..%d, found %u", KEY_MAX, d_key);
    return R1_OK;
}

r1_status r1_longterm_new(r1_longterm **out, uint32_t d_key, size_t n_entry_max, r1_err *err)
{
    R1_TRY(check_key(d_key, err));
    r1_longterm *lt = calloc(1, sizeof *lt);
    if (!lt) R1_FAIL(err, R1_E_NOMEM, "no memory for a long-term memory");
    lt->d_key = d_key;
    lt->n_max = n_entry_max ? n_entry_max : 1048576;
    lt->next_id = 1;
    *out = lt;
    return R1_OK;
}

void r1_longterm_free(r1_longterm *lt)
{
    if (!lt) return;
    for (size_t i = 0; i < lt->n; i++) free(lt->value[i]);
    free(lt->value);
    free(lt->key);
    free(lt->rec);
    free(lt->place);
    free(lt);
}

/* ---- ids ---- */

static size_t probe(const r1_longterm *lt, uint64_t id)
{
    size_t i = (size_t)r1_hash64(&id, sizeof id, 0) & (lt->n_place - 1);
    while (lt->place[i] && lt->rec[lt->place[i] - 1].id != id) i = (i + 1) & (lt->n_place - 1);
    return i;
}

static void index_all(r1_longterm *lt)
{
    memset(lt->place, 0, lt->n_place * sizeof *lt->place);
    for (size_t i = 0; i < lt->n; i++) lt->place[probe(lt, lt->rec[i].id)] = (uint32_t)i + 1;
}

/* Room for `cap` entries; on failure everything is as before. */
static r1_status reserve(r1_longterm *lt, size_t cap, r1_err *err)
{
    if (cap <= lt->cap) return R1_OK;
    if (cap > lt->n_max) R1_FAIL(err, R1_E_NOMEM, "long-term memory is full: %zu entries", lt->n_max);
    if (cap < lt->cap * 2) cap = lt->cap * 2 < lt->n_max ? lt->cap * 2 : lt->n_max;
    size_t n_place = N_INDEX_MIN;
    while (n_place < cap * 2) n_place *= 2;
    record *rec = r1_realloc_array(lt->rec, cap, sizeof *rec);
    if (rec) lt->rec = rec;
    float *key = r1_realloc_array(lt->key, cap, sizeof *key * lt->d_key);
    if (key) lt->key = key;
    unsigned char **value = r1_realloc_array(lt->value, cap, sizeof *value);
    if (value) lt->value = value;
    uint32_t *place = calloc(n_place, sizeof *place);
    if (!rec || !key || !value || !place) {
        free(place);
        R1_FAIL(err, R1_E_NOMEM, "no memory for %zu entries of long-term memory", cap);
    }
    free(lt->place);
    lt->place = place;
    lt->n_place = n_place;
    lt->cap = cap;
    index_all(lt);
    return R1_OK;
}

/* ---- entries ---- */

r1_status r1_longterm_insert(r1_longterm *lt, const r1_longterm_entry *e, uint64_t *id, r1_err *err)
{
    if (e->value_bytes > VALUE_BYTES_MAX)
        R1_FAIL(err, R1_E_INVAL, "long-term memory: value: expected at most %d bytes, found %u", VALUE_BYTES_MAX,
                e->value_bytes);
    R1_TRY(reserve(lt, lt->n + 1, err));
    unsigned char *value = NULL;
    if (e->value_bytes) {
        value = malloc(e->value_bytes);
        if (!value) R1_FAIL(err, R1_E_NOMEM, "no memory for a value of %u bytes", e->value_bytes);
        memcpy(value, e->value, e->value_bytes);
    }
    size_t row = lt->n++;
    lt->rec[row] = (record){.id = lt->next_id++,
                            .entity = e->entity,
                            .time_us = e->time_us,
                            .source = e->source,
                            .version = e->version,
                            .value_bytes = e->value_bytes};
    lt->value[row] = value;
    memcpy(lt->key + row * lt->d_key, e->key, sizeof(float) * lt->d_key);
    lt->place[probe(lt, lt->rec[row].id)] = (uint32_t)row + 1;
    if (id) *id = lt->rec[row].id;
    return R1_OK;
}

size_t r1_longterm_expire(r1_longterm *lt, uint32_t source, uint32_t version)
{
    size_t removed = 0;
    for (size_t i = 0; i < lt->n;) {
        if (lt->rec[i].source != source || (version && lt->rec[i].version >= version)) {
            i++;
            continue;
        }
        size_t last = --lt->n;
        free(lt->value[i]);
        lt->rec[i] = lt->rec[last];
        lt->value[i] = lt->value[last];
        memmove(lt->key + i * lt->d_key, lt->key + last * lt->d_key, sizeof(float) * lt->d_key);
        removed++;
    }
    if (removed) index_all(lt);
    return removed;
}

r1_status r1_longterm_get(const r1_longterm *lt, uint64_t id, r1_longterm_entry *e, r1_err *err)
{
    size_t at = lt->n_place ? lt->place[probe(lt, id)] : 0;
    if (!at) R1_FAIL(err, R1_E_NOT_FOUND, "long-term memory has no entry %llu", (unsigned long long)id);
    const record *r = &lt->rec[at - 1];
    *e = (r1_longterm_entry){.key = lt->key + (at - 1) * lt->d_key,
                             .value = lt->value[at - 1],
                             .value_bytes = r->value_bytes,
                             .source = r->source,
                             .entity = r->entity,
                             .time_us = r->time_us,
                             .version = r->version};
    return R1_OK;
}

size_t r1_longterm_count(const r1_longterm *lt) { return lt->n; }

/* ---- search ---- */

/* Eight running sums, so that the compiler can use vector registers without reordering anything by itself. */
static float dot(const float *a, const float *b, uint32_t n)
{
    float s[8] = {0};
    uint32_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++) s[k] += a[i + k] * b[i + k];
    for (; i < n; i++) s[0] += a[i] * b[i];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* a is a worse hit than b */
static bool worse(const r1_longterm_hit *a, const r1_longterm_hit *b)
{
    return a->score < b->score || (a->score == b->score && a->id > b->id);
}

/* hit[0..n) is a heap with its worst hit at the root. */
static void sift_down(r1_longterm_hit *hit, size_t n, size_t i)
{
    for (;;) {
        size_t low = i, l = 2 * i + 1, r = l + 1;
        if (l < n && worse(&hit[l], &hit[low])) low = l;
        if (r < n && worse(&hit[r], &hit[low])) low = r;
        if (low == i) return;
        r1_longterm_hit t = hit[i];
        hit[i] = hit[low];
        hit[low] = t;
        i = low;
    }
}

static int best_first(const void *a, const void *b)
{
    const r1_longterm_hit *x = a, *y = b;
    return worse(x, y) - worse(y, x);
}

r1_status r1_longterm_search(const r1_longterm *lt, const float *query, size_t k, r1_longterm_hit *hit, size_t *n_hit,
                             r1_err *err)
{
    for (uint32_t c = 0; c < lt->d_key; c++)
        if (query[c] - query[c] != 0)
            R1_FAIL(err, R1_E_INVAL, "long-term memory: query: column %u is not a finite number", c);
    size_t n = 0;
    for (size_t i = 0; i < lt->n && k; i++) {
        r1_longterm_hit h = {lt->rec[i].id, dot(query, lt->key + i * lt->d_key, lt->d_key)};
        if (n < k) {
            hit[n++] = h;
            if (n == k)
                for (size_t j = k / 2 + 1; j-- > 0;) sift_down(hit, n, j);
        } else if (worse(&hit[0], &h)) {
            hit[0] = h;
            sift_down(hit, n, 0);
        }
    }
    qsort(hit, n, sizeof *hit, best_first);
    *n_hit = n;
    return R1_OK;
}

/* ---- file ---- */

typedef struct {
    char magic[8];
    uint32_t d_key, zero;
    uint64_t n_entry, next_id, body_bytes;
    uint32_t body_crc, header_crc; /* the header's own up to this field */
    unsigned char pad[HEADER_BYTES - 48];
} file_header;
_Static_assert(sizeof(file_header) == HEADER_BYTES, "the header is part of the file format");

enum { HEADER_CRC_BYTES = 44 };

static size_t body_bytes(const r1_longterm *lt)
{
    size_t n = lt->n * (sizeof(record) + sizeof(float) * lt->d_key);
    for (size_t i = 0; i < lt->n; i++) n += lt->rec[i].value_bytes;
    return n;
}

r1_status r1_longterm_save(const r1_longterm *lt, const char *path, r1_err *err)
{
    size_t body = body_bytes(lt);
    unsigned char *buf = malloc(HEADER_BYTES + body), *p = buf + HEADER_BYTES;
    if (!buf) R1_FAIL(err, R1_E_NOMEM, "no memory to write %zu bytes of long-term memory", body);
    if (lt->n) {
        memcpy(p, lt->rec, lt->n * sizeof(record));
        p += lt->n * sizeof(record);
        memcpy(p, lt->key, lt->n * sizeof(float) * lt->d_key);
        p += lt->n * sizeof(float) * lt->d_key;
    }
    for (size_t i = 0; i < lt->n; i++) {
        if (lt->rec[i].value_bytes) memcpy(p, lt->value[i], lt->rec[i].value_bytes);
        p += lt->rec[i].value_bytes;
    }
    file_header h = {.d_key = lt->d_key, .n_entry = lt->n, .next_id = lt->next_id, .body_bytes = body};
    memcpy(h.magic, magic, sizeof magic);
    h.body_crc = r1_crc32c(buf + HEADER_BYTES, body, 0);
    h.header_crc = r1_crc32c(&h, HEADER_CRC_BYTES, 0);
    memcpy(buf, &h, sizeof h);
    r1_status st = r1_file_write(path, buf, HEADER_BYTES + body, err);
    free(buf);
    return st;
}

static r1_status check_header(const file_header *h, size_t len, const char *path, r1_err *err)
{
    if (memcmp(h->magic, magic, sizeof magic) != 0) R1_FAIL(err, R1_E_FORMAT, "%s: not a long-term memory file", path);
    if (r1_crc32c(h, HEADER_CRC_BYTES, 0) != h->header_crc)
        R1_FAIL(err, R1_E_FORMAT, "%s: the header's checksum does not fit", path);
    if (h->body_bytes != len - HEADER_BYTES)
        R1_FAIL(err, R1_E_FORMAT, "%s: expected %llu bytes after the header, found %zu", path,
                (unsigned long long)h->body_bytes, len - HEADER_BYTES);
    return check_key(h->d_key, err);
}

static r1_status read_body(r1_longterm *lt, const file_header *h, const unsigned char *p, const char *path, r1_err *err)
{
    size_t n = (size_t)h->n_entry, fixed = sizeof(record) + sizeof(float) * lt->d_key, used;
    if (n > lt->n_max || __builtin_mul_overflow(n, fixed, &used) || used > h->body_bytes)
        R1_FAIL(err, R1_E_FORMAT, "%s: %zu entries do not fit into %llu bytes or the limit of %zu", path, n,
                (unsigned long long)h->body_bytes, lt->n_max);
    if (r1_crc32c(p, (size_t)h->body_bytes, 0) != h->body_crc)
        R1_FAIL(err, R1_E_FORMAT, "%s: the checksum of the entries does not fit", path);
    if (!n) return R1_OK;
    R1_TRY(reserve(lt, n, err));
    memcpy(lt->rec, p, n * sizeof(record));
    memcpy(lt->key, p + n * sizeof(record), n * sizeof(float) * lt->d_key);
    for (size_t i = 0; i < n; i++) {
        uint32_t bytes = lt->rec[i].value_bytes;
        if (bytes > VALUE_BYTES_MAX || bytes > h->body_bytes - used || lt->rec[i].id >= h->next_id)
            R1_FAIL(err, R1_E_FORMAT, "%s: entry %zu is damaged", path, i);
        lt->value[i] = bytes ? malloc(bytes) : NULL;
        if (bytes && !lt->value[i]) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for its values", path);
        if (bytes) memcpy(lt->value[i], p + used, bytes);
        used += bytes;
        lt->n = i + 1;
    }
    if (used != h->body_bytes)
        R1_FAIL(err, R1_E_FORMAT, "%s: %llu bytes are left over", path, (unsigned long long)h->body_bytes - used);
    index_all(lt);
    return R1_OK;
}

r1_status r1_longterm_open(r1_longterm **out, const char *path, size_t n_entry_max, r1_err *err)
{
    char *data;
    size_t len;
    R1_TRY(r1_file_read(path, FILE_BYTES_MAX, &data, &len, err));
    file_header h;
    r1_longterm *lt = NULL;
    r1_status st = R1_OK;
    if (len < HEADER_BYTES)
        st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__, "%s: expected at least %d bytes, found %zu", path,
                        HEADER_BYTES, len);
    if (st == R1_OK) {
        memcpy(&h, data, sizeof h);
        st = check_header(&h, len, path, err);
    }
    if (st == R1_OK) st = r1_longterm_new(&lt, h.d_key, n_entry_max, err);
    if (st == R1_OK) st = read_body(lt, &h, (const unsigned char *)data + HEADER_BYTES, path, err);
    free(data);
    if (st != R1_OK) {
        r1_longterm_free(lt);
        return st;
    }
    lt->next_id = h.next_id;
    *out = lt;
    return R1_OK;
}
