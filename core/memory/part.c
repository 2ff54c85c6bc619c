/* SPDX-License-Identifier: Apache-2.0 */
/* part.c - see part.h. */
#include "memory/part.h"

#include "memory/linalg.h"
#include "memory/scan.h"
#include "r1_assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert((int)SECTION_COUNT <= (int)PART_SECTIONS, "sections have a place each");

typedef struct {
    char magic[8];
    uint32_t d_key, d_vector;
    uint64_t n, at[PART_SECTIONS], bytes[PART_SECTIONS];
} image_head;
static const char magic[8] = {'R', '1', 'L', 'T', 'P', 'A', 'R', 'T'};
enum { HEAD_BYTES = (sizeof(image_head) + 63) / 64 * 64, ENCODE_ROWS = 1024 };

static size_t part_round64(size_t n) { return (n + 63) & ~(size_t)63; }
static size_t blocks_of(size_t n) { return (n + SCAN_ROWS - 1) / SCAN_ROWS; }

/* ---- shares ---- */

part_image *image_new(void *base, size_t mapped_bytes, int fd)
{
    part_image *m = malloc(sizeof *m);
    if (!m) return NULL;
    atomic_init(&m->refs, 1);
    m->base = base;
    m->bytes = mapped_bytes;
    m->fd = fd;
    return m;
}

part_image *image_share(part_image *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void image_free(part_image *m)
{
    if (!m) return;
    unsigned had = atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel);
    R1_ASSERT(had > 0, "long-term memory: an image with %u references is given back", had);
    if (had != 1) return;
    if (m->bytes)
        munmap(m->base, m->bytes);
    else
        free(m->base);
    if (m->fd >= 0) close(m->fd);
    free(m);
}

part *part_share(part *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

/* Fresh parts own what their const pointers show; this is the one place that knows. */
static void *part_owned(const void *p) { return (void *)(uintptr_t)p; }

void part_free(part *p)
{
    if (!p) return;
    unsigned had = atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel);
    R1_ASSERT(had > 0, "long-term memory: a part with %u references is given back", had);
    if (had != 1) return;
    if (!p->coded) {
        for (size_t i = 0; p->value && i < p->n; i++) free(p->value[i]);
        free(p->value);
        free(part_owned(p->rec));
        free(part_owned(p->key));
        free(part_owned(p->vector));
    }
    code_free(p->key_code);
    code_free(p->vector_code);
    image_free(p->image);
    free(p);
}

/* ---- fresh ---- */

r1_status part_fresh(part **out, uint32_t d_key, uint32_t d_vector, size_t cap, r1_err *err)
{
    part *p = calloc(1, sizeof *p);
    if (!p) R1_FAIL(err, R1_E_NOMEM, "no memory for entries");
    atomic_init(&p->refs, 1);
    p->d_key = d_key;
    p->d_vector = d_vector;
    p->cap = cap;
    p->sorted = true;
    p->rec = calloc(cap, sizeof *p->rec);
    p->key = calloc(cap, d_key * sizeof *p->key);
    p->vector = d_vector ? calloc(cap, d_vector * sizeof *p->vector) : NULL;
    p->value = calloc(cap, sizeof *p->value);
    if (!p->rec || !p->key || !p->value || (d_vector && !p->vector)) {
        part_free(p);
        R1_FAIL(err, R1_E_NOMEM, "no memory for %zu entries of long-term memory", cap);
    }
    *out = p;
    return R1_OK;
}

r1_status part_append(part *p, const r1_longterm_entry *e, uint64_t id, r1_err *err)
{
    R1_ASSERT(!p->coded && p->n < p->cap, "long-term memory: row %zu of a part of %zu", p->n,
              p->cap);
    unsigned char *value = NULL;
    if (e->value_bytes) {
        value = malloc(e->value_bytes);
        if (!value) R1_FAIL(err, R1_E_NOMEM, "no memory for a value of %u bytes", e->value_bytes);
        memcpy(value, e->value, e->value_bytes);
    }
    part_record *rec = part_owned(p->rec);
    float *key = part_owned(p->key), *vector = part_owned(p->vector);
    size_t row = p->n;
    if (row && p->rec[row - 1].id >= id) p->sorted = false;
    rec[row] = (part_record){.id = id,
                             .entity = e->entity,
                             .time_us = e->time_us,
                             .source = e->source,
                             .version = e->version,
                             .value_bytes = e->value_bytes};
    p->value[row] = value;
    memcpy(key + row * p->d_key, e->key, sizeof *key * p->d_key);
    if (p->d_vector && e->vector)
        memcpy(vector + row * p->d_vector, e->vector, sizeof *vector * p->d_vector);
    else if (p->d_vector)
        memset(vector + row * p->d_vector, 0, sizeof *vector * p->d_vector);
    p->n++;
    return R1_OK;
}

/* ---- building ---- */

typedef struct {
    uint32_t *len; /* [n] */
    uint8_t *bytes, *sketch;
    size_t used, cap;
} coded;

/* Encodes rows order[0..n) of x; codes one after another. */
static r1_status encode_all(coded *out, const code *c, const float *x, const uint32_t *order,
                            const uint32_t *list, size_t n, r1_err *err)
{
    size_t most = code_entry_max(c), d = c->d;
    float *row = malloc(sizeof *row * ENCODE_ROWS * d);
    uint8_t *bytes = malloc(ENCODE_ROWS * most);
    uint32_t *near = malloc(sizeof *near * ENCODE_ROWS);
    r1_status st = R1_OK;
    *out =
        (coded){.len = malloc(sizeof(uint32_t) * (n + 1)), .sketch = malloc(n * c->n_sketch + 1)};
    if (!row || !bytes || !near || !out->len || !out->sketch)
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory to encode %zu entries", n);
    for (size_t at = 0; at < n && st == R1_OK; at += ENCODE_ROWS) {
        size_t rows = n - at < ENCODE_ROWS ? n - at : ENCODE_ROWS;
        for (size_t i = 0; i < rows; i++) {
            memcpy(row + i * d, x + (size_t)order[at + i] * d, d * sizeof *row);
            near[i] = list ? list[order[at + i]] : 0;
        }
        st = code_encode(c, row, rows, near, bytes, out->len + at, out->sketch + at * c->n_sketch,
                         err);
        if (st == R1_OK && out->used + rows * most > out->cap) {
            size_t cap = (out->used + rows * most) * 3 / 2;
            uint8_t *grown = realloc(out->bytes, cap);
            if (!grown)
                st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__,
                                "no memory for %zu bytes of codes", cap);
            if (grown) {
                out->bytes = grown;
                out->cap = cap;
            }
        }
        for (size_t i = 0; i < rows && st == R1_OK; i++) {
            memcpy(out->bytes + out->used, bytes + i * most, out->len[at + i]);
            out->used += out->len[at + i];
        }
    }
    if (st == R1_OK && out->used > UINT32_MAX)
        st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                        "codes of one part take more than 4 GiB");
    free(row);
    free(bytes);
    free(near);
    return st;
}

static void coded_free(coded *c)
{
    free(c->len);
    free(c->bytes);
    free(c->sketch);
}

typedef struct {
    size_t n;
    float *key, *vector; /* [n][d] in the caller's order */
    part_record *rec;
    uint32_t *list, *order;
    code *kc, *vc;
    coded k, v;
} builder;

static uint32_t lists_for(const r1_longterm_opts *o, size_t n)
{
    uint32_t want = o->n_list;
    if (!want)
        for (want = 1; (size_t)want * want < n * 4; want *= 2) {
        }
    while (want > 1 && want > n / 16 + 1) want /= 2;
    return want > CODE_LIST_MAX ? CODE_LIST_MAX : want;
}

/* Rows in the order of their lists, old order within. */
static void order_by_list(const uint32_t *list, size_t n, uint32_t n_list, uint32_t *order,
                          uint32_t *start)
{
    memset(start, 0, sizeof *start * (n_list + 1));
    for (size_t i = 0; i < n; i++) start[list[i] + 1]++;
    for (uint32_t l = 0; l < n_list; l++) start[l + 1] += start[l];
    uint32_t *at = start; /* advanced, then shifted back */
    for (size_t i = 0; i < n; i++) order[at[list[i]]++] = (uint32_t)i;
    for (uint32_t l = n_list; l > 0; l--) start[l] = start[l - 1];
    start[0] = 0;
    R1_ASSERT(start[n_list] == n, "long-term memory: lists hold %u rows of %zu", start[n_list], n);
}

static r1_status part_learn(builder *b, const r1_longterm_opts *o, r1_err *err)
{
    code_opts k = {.bytes = o->key_bytes - 2.2f, /* the length and the block's place */
                   .kind = o->code,
                   .n_list = lists_for(o, b->n),
                   .n_atom = o->n_atom,
                   .rounds = o->n_round,
                   .seed = o->seed + 1};
    code_opts v = k;
    v.bytes = o->vector_bytes - 2.2f;
    v.n_list = 1;
    R1_TRY(code_train(&b->kc, b->key, b->n, o->d_key, &k, err));
    if (o->d_vector) R1_TRY(code_train(&b->vc, b->vector, b->n, o->d_vector, &v, err));
    return linalg_nearest(b->key, b->n, o->d_key, b->kc->centre, b->kc->n_list, b->list, err);
}

static void put_starts(const coded *c, size_t n, uint32_t *start, uint16_t *len)
{
    uint32_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (i % SCAN_ROWS == 0) start[i / SCAN_ROWS] = at;
        len[i] = (uint16_t)c->len[i];
        at += c->len[i];
    }
    start[blocks_of(n)] = at;
    R1_ASSERT(at == c->used, "long-term memory: codes of %u bytes, encoded %zu", at, c->used);
}

static void put_sketch(const coded *c, size_t n, uint32_t n_sketch, uint8_t *out)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t *block = out + i / SCAN_ROWS * SCAN_ROWS * (n_sketch / 2);
        for (uint32_t a = 0; a < n_sketch; a++)
            block[a / 2 * SCAN_ROWS + i % SCAN_ROWS] |=
                (uint8_t)(c->sketch[i * n_sketch + a] << (a % 2 ? 4 : 0));
    }
}

typedef struct {
    uint64_t id;
    uint32_t row;
} id_row;

static int part_by_id(const void *a, const void *b)
{
    const id_row *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static bool put_order(const part_record *rec, size_t n, uint32_t *order)
{
    id_row *all = malloc(sizeof *all * (n + 1));
    if (!all) return false;
    for (size_t i = 0; i < n; i++) all[i] = (id_row){rec[i].id, (uint32_t)i};
    qsort(all, n, sizeof *all, part_by_id);
    for (size_t i = 0; i < n; i++) order[i] = all[i].row;
    free(all);
    return true;
}

static r1_status part_lay_out(builder *b, const r1_longterm_opts *o, part_source entry,
                              const void *ctx, uint8_t **image, size_t *bytes, r1_err *err)
{
    size_t n = b->n, nb = blocks_of(n), dk = o->d_key, dv = o->d_vector, values = 0,
           at = HEAD_BYTES;
    for (size_t i = 0; i < n; i++) values += b->rec[i].value_bytes;
    image_head h = {
        .d_key = o->d_key,
        .d_vector = o->d_vector,
        .n = n,
        .bytes = {[SECTION_KEY_CODE] = code_packed_bytes(b->kc),
                  [SECTION_VECTOR_CODE] = dv ? code_packed_bytes(b->vc) : 0,
                  [SECTION_LIST_START] = sizeof(uint32_t) * (b->kc->n_list + 1),
                  [SECTION_KEY_START] = sizeof(uint32_t) * (nb + 1),
                  [SECTION_KEY_LEN] = sizeof(uint16_t) * n,
                  [SECTION_KEY_BYTES] = b->k.used,
                  [SECTION_SKETCH] = nb * SCAN_ROWS * (b->kc->n_sketch / 2),
                  [SECTION_VECTOR_START] = dv ? sizeof(uint32_t) * (nb + 1) : 0,
                  [SECTION_VECTOR_LEN] = dv ? sizeof(uint16_t) * n : 0,
                  [SECTION_VECTOR_BYTES] = dv ? b->v.used + n * (b->vc->n_sketch / 2) : 0,
                  [SECTION_ID_ORDER] = sizeof(uint32_t) * n,
                  [SECTION_RECORD] = sizeof(part_record) * n,
                  [SECTION_KEYS] = o->drop_full ? 0 : sizeof(float) * n * dk,
                  [SECTION_VECTORS] = o->drop_full ? 0 : sizeof(float) * n * dv,
                  [SECTION_VALUES] = values}};
    memcpy(h.magic, magic, sizeof magic);
    for (int s = 0; s < SECTION_COUNT; s++) {
        h.at[s] = at;
        at = part_round64(at + h.bytes[s]);
    }
    uint8_t *p = calloc(1, at);
    if (!p) R1_FAIL(err, R1_E_NOMEM, "no memory for a part of %zu bytes", at);
#define AT(type, s) ((type *)(void *)(p + h.at[s]))
    memcpy(p, &h, sizeof h);
    code_pack(b->kc, AT(uint8_t, SECTION_KEY_CODE));
    order_by_list(b->list, n, b->kc->n_list, b->order, AT(uint32_t, SECTION_LIST_START));
    put_starts(&b->k, n, AT(uint32_t, SECTION_KEY_START), AT(uint16_t, SECTION_KEY_LEN));
    if (b->k.used) memcpy(AT(uint8_t, SECTION_KEY_BYTES), b->k.bytes, b->k.used);
    put_sketch(&b->k, n, b->kc->n_sketch, AT(uint8_t, SECTION_SKETCH));
    if (dv) {
        code_pack(b->vc, AT(uint8_t, SECTION_VECTOR_CODE));
        put_starts(&b->v, n, AT(uint32_t, SECTION_VECTOR_START), AT(uint16_t, SECTION_VECTOR_LEN));
        uint8_t *out = AT(uint8_t, SECTION_VECTOR_BYTES);
        if (b->v.used) memcpy(out, b->v.bytes, b->v.used);
        for (size_t i = 0; i < n; i++) /* two bins to a byte, after all the codes */
            for (uint32_t a = 0; a < b->vc->n_sketch; a++)
                out[b->v.used + i * (b->vc->n_sketch / 2) + a / 2] |=
                    (uint8_t)(b->v.sketch[i * b->vc->n_sketch + a] << (a % 2 ? 4 : 0));
    }
    uint64_t value_at = 0;
    for (size_t i = 0; i < n; i++) {
        size_t from = b->order[i];
        part_record *r = AT(part_record, SECTION_RECORD) + i;
        *r = b->rec[from];
        r->value_at = value_at;
        if (r->value_bytes) {
            r1_longterm_entry e;
            uint64_t id;
            entry(ctx, from, &e, &id);
            memcpy(AT(uint8_t, SECTION_VALUES) + value_at, e.value, r->value_bytes);
            value_at += r->value_bytes;
        }
        if (h.bytes[SECTION_KEYS])
            memcpy(AT(float, SECTION_KEYS) + i * dk, b->key + from * dk, sizeof(float) * dk);
        if (h.bytes[SECTION_VECTORS])
            memcpy(AT(float, SECTION_VECTORS) + i * dv, b->vector + from * dv, sizeof(float) * dv);
    }
    R1_ASSERT(value_at == h.bytes[SECTION_VALUES],
              "long-term memory: values of %llu bytes, laid out %llu", (unsigned long long)value_at,
              (unsigned long long)h.bytes[SECTION_VALUES]);
    bool ordered = put_order(AT(part_record, SECTION_RECORD), n, AT(uint32_t, SECTION_ID_ORDER));
#undef AT
    if (!ordered) {
        free(p);
        R1_FAIL(err, R1_E_NOMEM, "no memory to order %zu entries", n);
    }
    *image = p;
    *bytes = at;
    return R1_OK;
}

static r1_status part_build_with(builder *b, const r1_longterm_opts *o, part_source entry,
                                 const void *ctx, uint8_t **image, size_t *bytes, r1_err *err)
{
    R1_TRY(part_learn(b, o, err));
    uint32_t *start = malloc(sizeof *start * (b->kc->n_list + 2u));
    if (!start) R1_FAIL(err, R1_E_NOMEM, "no memory for %u lists", b->kc->n_list);
    order_by_list(b->list, b->n, b->kc->n_list, b->order, start);
    free(start);
    R1_TRY(encode_all(&b->k, b->kc, b->key, b->order, b->list, b->n, err));
    if (o->d_vector) R1_TRY(encode_all(&b->v, b->vc, b->vector, b->order, NULL, b->n, err));
    return part_lay_out(b, o, entry, ctx, image, bytes, err);
}

r1_status part_build(uint8_t **image, size_t *bytes, const r1_longterm_opts *o, part_source entry,
                     const void *ctx, size_t n, r1_err *err)
{
    builder b = {.n = n,
                 .key = r1_realloc_array(NULL, n, sizeof(float) * o->d_key),
                 .vector = r1_realloc_array(NULL, n, sizeof(float) * (o->d_vector + 1)),
                 .rec = r1_realloc_array(NULL, n, sizeof(part_record)),
                 .list = r1_realloc_array(NULL, n, sizeof(uint32_t)),
                 .order = r1_realloc_array(NULL, n, sizeof(uint32_t))};
    r1_status st = R1_OK;
    if (!b.key || !b.vector || !b.rec || !b.list || !b.order)
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for a part of %zu entries",
                        n);
    for (size_t i = 0; i < n && st == R1_OK; i++) {
        r1_longterm_entry e;
        uint64_t id;
        entry(ctx, i, &e, &id);
        memcpy(b.key + i * o->d_key, e.key, sizeof(float) * o->d_key);
        if (o->d_vector) memcpy(b.vector + i * o->d_vector, e.vector, sizeof(float) * o->d_vector);
        b.rec[i] = (part_record){.id = id,
                                 .entity = e.entity,
                                 .time_us = e.time_us,
                                 .source = e.source,
                                 .version = e.version,
                                 .value_bytes = e.value_bytes};
    }
    if (st == R1_OK) st = part_build_with(&b, o, entry, ctx, image, bytes, err);
    free(b.key);
    free(b.vector);
    free(b.rec);
    free(b.list);
    free(b.order);
    code_free(b.kc);
    code_free(b.vc);
    coded_free(&b.k);
    coded_free(&b.v);
    return st;
}

/* ---- opening ---- */

#define DAMAGED(...) R1_FAIL(err, R1_E_FORMAT, __VA_ARGS__)

static r1_status check_starts(const uint32_t *start, const uint16_t *len, size_t n, size_t bytes,
                              size_t most, const char *what, const char *where, r1_err *err)
{
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (i % SCAN_ROWS == 0 && start[i / SCAN_ROWS] != at)
            DAMAGED("%s: codes of %s: block %zu: expected offset %llu, found %u", where, what,
                    i / SCAN_ROWS, (unsigned long long)at, start[i / SCAN_ROWS]);
        if (len[i] > most)
            DAMAGED("%s: codes of %s: entry %zu: %u bytes, at most %zu can be", where, what, i,
                    len[i], most);
        at += len[i];
    }
    if (at != bytes)
        DAMAGED("%s: codes of %s: expected %llu bytes, found %zu", where, what,
                (unsigned long long)at, bytes);
    return R1_OK;
}

static r1_status check_rows(const part *p, size_t value_bytes, const char *where, r1_err *err)
{
    for (size_t i = 0; i < p->n; i++) {
        const part_record *r = &p->rec[i];
        if (r->value_bytes > PART_VALUE_MAX || r->value_at > value_bytes ||
            r->value_bytes > value_bytes - r->value_at)
            DAMAGED("%s: entry %zu: its value lies outside of the values", where, i);
        if (p->order[i] >= p->n || (i && p->rec[p->order[i]].id <= p->rec[p->order[i - 1]].id))
            DAMAGED("%s: entry %zu: the order of ids is broken", where, i);
    }
    if (p->list_start[0] != 0 || p->list_start[p->n_list] != p->n)
        DAMAGED("%s: lists do not cover the entries", where);
    for (uint32_t l = 0; l < p->n_list; l++)
        if (p->list_start[l] > p->list_start[l + 1])
            DAMAGED("%s: list %u ends before it starts", where, l);
    return R1_OK;
}

static r1_status open_sections(part *p, const image_head *h, const char *where, r1_err *err)
{
    size_t n = p->n, nb = blocks_of(n);
#define PLACE(s) ((const void *)(p->payload + h->at[s]))
    R1_TRY(code_unpack(&p->key_code, PLACE(SECTION_KEY_CODE), h->bytes[SECTION_KEY_CODE], err));
    if (p->d_vector)
        R1_TRY(code_unpack(&p->vector_code, PLACE(SECTION_VECTOR_CODE),
                           h->bytes[SECTION_VECTOR_CODE], err));
    p->n_list = p->key_code->n_list;
    if (p->key_code->d != p->d_key ||
        (p->d_vector && (p->vector_code->d != p->d_vector || p->vector_code->n_list != 1)))
        DAMAGED("%s: a code's width differs from the entries'", where);
    size_t vs = p->d_vector ? n * (p->vector_code->n_sketch / 2) : 0;
    const uint64_t want[SECTION_COUNT] = {
        [SECTION_LIST_START] = sizeof(uint32_t) * ((uint64_t)p->n_list + 1),
        [SECTION_KEY_START] = sizeof(uint32_t) * (nb + 1),
        [SECTION_KEY_LEN] = sizeof(uint16_t) * n,
        [SECTION_SKETCH] = nb * SCAN_ROWS * (p->key_code->n_sketch / 2),
        [SECTION_VECTOR_START] = p->d_vector ? sizeof(uint32_t) * (nb + 1) : 0,
        [SECTION_VECTOR_LEN] = p->d_vector ? sizeof(uint16_t) * n : 0,
        [SECTION_ID_ORDER] = sizeof(uint32_t) * n,
        [SECTION_RECORD] = sizeof(part_record) * n,
        [SECTION_KEYS] = h->bytes[SECTION_KEYS] ? sizeof(float) * n * p->d_key : 0,
        [SECTION_VECTORS] = h->bytes[SECTION_KEYS] ? sizeof(float) * n * p->d_vector : 0};
    for (int s = SECTION_LIST_START; s < SECTION_COUNT; s++)
        if (s != SECTION_KEY_BYTES && s != SECTION_VECTOR_BYTES && s != SECTION_VALUES &&
            h->bytes[s] != want[s])
            DAMAGED("%s: section %d: expected %llu bytes, found %llu", where, s,
                    (unsigned long long)want[s], (unsigned long long)h->bytes[s]);
    if (h->bytes[SECTION_VECTOR_BYTES] < vs) DAMAGED("%s: codes of vectors are short", where);
    p->list_start = PLACE(SECTION_LIST_START);
    p->key_start = PLACE(SECTION_KEY_START);
    p->key_len = PLACE(SECTION_KEY_LEN);
    p->key_bytes = PLACE(SECTION_KEY_BYTES);
    p->sketch = PLACE(SECTION_SKETCH);
    p->vector_start = PLACE(SECTION_VECTOR_START);
    p->vector_len = PLACE(SECTION_VECTOR_LEN);
    p->vector_bytes = PLACE(SECTION_VECTOR_BYTES);
    p->order = PLACE(SECTION_ID_ORDER);
    p->rec = PLACE(SECTION_RECORD);
    p->key = h->bytes[SECTION_KEYS] ? PLACE(SECTION_KEYS) : NULL;
    p->vector = h->bytes[SECTION_VECTORS] ? PLACE(SECTION_VECTORS) : NULL;
    p->value_bytes = PLACE(SECTION_VALUES);
#undef PLACE
    for (int s = 0; s < SECTION_COUNT; s++) p->section[s] = h->bytes[s];
    R1_TRY(check_starts(p->key_start, p->key_len, n, h->bytes[SECTION_KEY_BYTES],
                        code_entry_max(p->key_code), "keys", where, err));
    if (p->d_vector)
        R1_TRY(check_starts(p->vector_start, p->vector_len, n, h->bytes[SECTION_VECTOR_BYTES] - vs,
                            code_entry_max(p->vector_code), "vectors", where, err));
    return check_rows(p, h->bytes[SECTION_VALUES], where, err);
}

r1_status part_open(part **out, part_image *image, const uint8_t *payload, size_t bytes,
                    const char *where, r1_err *err)
{
    image_head h;
    if (bytes < HEAD_BYTES) DAMAGED("%s: a part of %zu bytes is too short", where, bytes);
    memcpy(&h, payload, sizeof h);
    if (memcmp(h.magic, magic, sizeof magic) != 0) DAMAGED("%s: not a part", where);
    if (h.n < 1 || h.n > PART_ENTRIES_MAX || h.d_key < 1 || h.d_key > CODE_DIM_MAX ||
        h.d_vector > CODE_DIM_MAX)
        DAMAGED("%s: %llu entries of %u and %u columns are out of range", where,
                (unsigned long long)h.n, h.d_key, h.d_vector);
    for (int s = 0; s < SECTION_COUNT; s++)
        if (h.at[s] % 64 || h.at[s] > bytes || h.bytes[s] > bytes - h.at[s])
            DAMAGED("%s: section %d lies outside of the part", where, s);
    part *p = calloc(1, sizeof *p);
    if (!p) R1_FAIL(err, R1_E_NOMEM, "no memory for a part");
    atomic_init(&p->refs, 1);
    p->coded = true;
    p->n = p->cap = (size_t)h.n;
    p->d_key = h.d_key;
    p->d_vector = h.d_vector;
    p->payload = payload;
    p->payload_bytes = bytes;
    r1_status st = open_sections(p, &h, where, err);
    if (st != R1_OK) {
        part_free(p);
        return st;
    }
    p->image = image_share(image);
    *out = p;
    return R1_OK;
}

/* ---- reading rows ---- */

size_t part_find(const part *p, size_t n, uint64_t id, const uint64_t *dead)
{
    if (p->coded || p->sorted) {
        size_t low = 0, high = n;
        while (low < high) {
            size_t mid = low + (high - low) / 2;
            if (p->rec[p->coded ? p->order[mid] : mid].id < id)
                low = mid + 1;
            else
                high = mid;
        }
        if (low == n) return n;
        size_t row = p->coded ? p->order[low] : low;
        return p->rec[row].id == id && !part_is_dead(dead, row) ? row : n;
    }
    for (size_t row = n; row-- > 0;)
        if (p->rec[row].id == id && !part_is_dead(dead, row)) return row;
    return n;
}

void part_entry(const part *p, size_t row, r1_longterm_entry *e)
{
    const part_record *r = &p->rec[row];
    *e = (r1_longterm_entry){.key = p->key ? p->key + row * p->d_key : NULL,
                             .vector = p->vector ? p->vector + row * p->d_vector : NULL,
                             .value = !r->value_bytes ? NULL
                                      : p->coded      ? p->value_bytes + r->value_at
                                                      : p->value[row],
                             .value_bytes = r->value_bytes,
                             .source = r->source,
                             .entity = r->entity,
                             .time_us = r->time_us,
                             .version = r->version};
}

static const uint8_t *code_at(const uint32_t *start, const uint16_t *len, const uint8_t *bytes,
                              size_t row)
{
    const uint8_t *p = bytes + start[row / SCAN_ROWS];
    for (size_t i = row / SCAN_ROWS * SCAN_ROWS; i < row; i++) p += len[i];
    return p;
}

static uint32_t list_of(const part *p, size_t row)
{
    uint32_t low = 0, high = p->n_list; /* the last list that starts at or before the row */
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (p->list_start[mid] <= row)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static void bins_of(const part *p, size_t row, uint8_t *bin, size_t stride)
{
    uint32_t ns = p->key_code->n_sketch;
    const uint8_t *block = p->sketch + row / SCAN_ROWS * SCAN_ROWS * (ns / 2) + row % SCAN_ROWS;
    for (uint32_t a = 0; a < ns; a++)
        bin[a * stride] = block[a / 2 * SCAN_ROWS] >> (a % 2 ? 4 : 0) & 15;
}

void part_key(const part *p, size_t row, float *key)
{
    uint8_t bin[CODE_SKETCH_MAX];
    if (p->key) {
        memcpy(key, p->key + row * p->d_key, sizeof *key * p->d_key);
        return;
    }
    bins_of(p, row, bin, 1);
    code_decode(p->key_code, list_of(p, row), code_at(p->key_start, p->key_len, p->key_bytes, row),
                p->key_len[row], bin, key);
}

r1_status part_read_key(const part *p, size_t row, float *key, r1_err *err)
{
    const float *from = p->key + row * p->d_key;
    size_t bytes = sizeof *key * p->d_key, done = 0;
    if (!p->image || p->image->fd < 0) {
        memcpy(key, from, bytes);
        return R1_OK;
    }
    off_t at = (off_t)((const uint8_t *)from - (const uint8_t *)p->image->base);
    R1_ASSERT(row < p->n && at >= 0 && (uint64_t)at + bytes <= p->image->bytes,
              "long-term memory: key of row %zu of %zu at byte %lld of %zu", row, p->n,
              (long long)at, p->image->bytes);
    while (done < bytes) {
        ssize_t n = pread(p->image->fd, (uint8_t *)key + done, bytes - done, at + (off_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            R1_FAIL(err, R1_E_IO, "long-term memory: reading a key at byte %lld of the file: %s",
                    (long long)at, n ? strerror(errno) : "the file was cut");
        done += (size_t)n;
    }
    return R1_OK;
}

void part_vector(const part *p, size_t row, bool from_code, float *vector)
{
    if (p->vector && !(from_code && p->coded)) {
        memcpy(vector, p->vector + row * p->d_vector, sizeof *vector * p->d_vector);
        return;
    }
    uint8_t bin[CODE_SKETCH_MAX];
    uint32_t half = p->vector_code->n_sketch / 2;
    const uint8_t *packed = p->vector_bytes + p->vector_start[blocks_of(p->n)] + row * half;
    for (uint32_t a = 0; a < 2 * half; a++) bin[a] = packed[a / 2] >> (a % 2 ? 4 : 0) & 15;
    code_decode(p->vector_code, 0, code_at(p->vector_start, p->vector_len, p->vector_bytes, row),
                p->vector_len[row], bin, vector);
}

/* ---- searching ---- */

/* Keeps the best `keep`: gathers up to twice as many, then drops the worse half. */
typedef struct {
    part_hit *hit;
    size_t n, keep;
    float floor; /* what a newcomer must exceed */
} gather;

static void swap_hits(part_hit *a, part_hit *b)
{
    part_hit t = *a;
    *a = *b;
    *b = t;
}

/* The k best move to the front, in no order (Hoare's selection). */
static void select_best(part_hit *h, size_t n, size_t k)
{
    size_t low = 0, high = n;
    while (high - low > 1) {
        swap_hits(&h[low], &h[low + (high - low) / 2]);
        float pivot = h[low].score;
        size_t i = low, j = high - 1;
        for (;;) {
            while (h[i].score > pivot) i++;
            while (h[j].score < pivot) j--;
            if (i >= j) break;
            swap_hits(&h[i++], &h[j--]);
        }
        if (k <= j)
            high = j + 1; /* [low, j] is not worse than what follows */
        else
            low = j + 1;
    }
}

static void part_trim(gather *g)
{
    if (g->n <= g->keep) return;
    select_best(g->hit, g->n, g->keep);
    g->n = g->keep;
    g->floor = g->hit[0].score;
    for (size_t i = 1; i < g->n; i++)
        if (g->hit[i].score < g->floor) g->floor = g->hit[i].score;
}

static inline void part_push(gather *g, float score, uint32_t row)
{
    if (!(score > g->floor)) return;
    R1_DEEP_ASSERT(g->n < 2 * g->keep, "long-term memory: %zu candidates, room for twice %zu", g->n,
                   g->keep);
    g->hit[g->n++] = (part_hit){score, row};
    if (g->n == 2 * g->keep) part_trim(g);
}

typedef struct {
    float *u, *table, *centre_dot;
    uint64_t *probed; /* a bit per list */
    uint8_t *lut;     /* [n_sketch][16] */
    float lut_scale, lut_low;
    gather sketch, best;
} search;

/* Bytes for the sketch: per axis above its own least value, one quantiser scale for all. */
static void fill_lut(search *s, const code *c)
{
    float span = 0;
    s->lut_low = 0;
    for (uint32_t a = 0; a < c->n_sketch; a++) {
        float low = s->u[a] * c->bin[a * CODE_BIN], high = low;
        for (int b = 1; b < CODE_BIN; b++) {
            float v = s->u[a] * c->bin[a * CODE_BIN + b];
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        s->lut_low += low;
        span = high - low > span ? high - low : span;
    }
    s->lut_scale = span > 0 ? span / 255 : 1;
    for (uint32_t a = 0; a < c->n_sketch; a++) {
        float low = s->u[a] * c->bin[a * CODE_BIN];
        for (int b = 1; b < CODE_BIN; b++) {
            float v = s->u[a] * c->bin[a * CODE_BIN + b];
            low = v < low ? v : low;
        }
        for (int b = 0; b < CODE_BIN; b++)
            s->lut[a * CODE_BIN + b] =
                (uint8_t)((s->u[a] * c->bin[a * CODE_BIN + b] - low) / s->lut_scale + 0.5f);
    }
}

static void scan_list(const part *p, search *s, uint32_t list, const uint64_t *dead,
                      const scan_kernels *k)
{
    const code *c = p->key_code;
    gather *g = &s->sketch;
    size_t from = p->list_start[list], to = p->list_start[list + 1];
    float base = s->centre_dot[list] + s->lut_low;
    for (size_t b = from / SCAN_ROWS; b * SCAN_ROWS < to; b++) {
        uint16_t sum[SCAN_ROWS];
        size_t first = b * SCAN_ROWS < from ? from - b * SCAN_ROWS : 0, n = to - b * SCAN_ROWS;
        k->sketch(p->sketch + b * SCAN_ROWS * (c->n_sketch / 2), s->lut, c->n_sketch, sum);
        for (size_t r = first; r < SCAN_ROWS && r < n; r++) {
            float score = base + (float)sum[r] * s->lut_scale;
            if (score > g->floor && !part_is_dead(dead, b * SCAN_ROWS + r))
                part_push(g, score, (uint32_t)(b * SCAN_ROWS + r));
        }
    }
}

/* Codes without a sketch: every row of the list is scored by its code. */
static void score_list(const part *p, search *s, uint32_t list, const uint64_t *dead)
{
    for (size_t row = p->list_start[list]; row < p->list_start[list + 1]; row++)
        if (!part_is_dead(dead, row))
            part_push(&s->best,
                      code_score(p->key_code, s->u, s->table, s->centre_dot[list],
                                 code_at(p->key_start, p->key_len, p->key_bytes, row),
                                 p->key_len[row], NULL),
                      (uint32_t)row);
}

/* What of a search depends on the query alone. list: room for all lists. */
static void part_prepare(const part *p, search *s, const float *q, uint32_t n_probe, part_hit *list)
{
    const code *c = p->key_code;
    const scan_kernels *k = scan_best();
    code_query(c, q, s->u, s->table);
    for (uint32_t l = 0; l < p->n_list; l++) {
        s->centre_dot[l] = k->dot(c->centre + (size_t)l * c->d, q, c->d);
        list[l] = (part_hit){s->centre_dot[l], l};
    }
    if (n_probe > p->n_list) n_probe = p->n_list;
    if (n_probe < p->n_list) select_best(list, p->n_list, n_probe);
    memset(s->probed, 0, (p->n_list / 64 + 1) * sizeof *s->probed);
    for (uint32_t i = 0; i < n_probe; i++)
        s->probed[list[i].row / 64] |= (uint64_t)1 << list[i].row % 64;
    if (c->n_sketch) fill_lut(s, c);
}

/* A candidate and the query that wants it. */
typedef struct {
    uint32_t row, query;
} wanted_row;

/* By row, wanted rows for the same row in the order of their queries (as they are given): least
 * digits first. */
static wanted_row *sort_wanted(wanted_row *a, wanted_row *b, size_t n, size_t n_row)
{
    enum { BITS = 11, DIGITS = 1 << BITS };
    for (unsigned shift = 0; shift == 0 || n_row >> shift; shift += BITS) {
        size_t at[DIGITS + 1] = {0};
        for (size_t i = 0; i < n; i++) at[(a[i].row >> shift & (DIGITS - 1)) + 1]++;
        for (size_t d = 0; d < DIGITS; d++) at[d + 1] += at[d];
        for (size_t i = 0; i < n; i++) b[at[a[i].row >> shift & (DIGITS - 1)]++] = a[i];
        wanted_row *t = a;
        a = b;
        b = t;
    }
    return a;
}

/* Scratch of one pass over the wanted rows. */
typedef struct {
    wanted_row *wanted, *other;
    int16_t *z;     /* [CODE_LANES][m] */
    uint8_t *codes; /* [CODE_LANES][code_padded] */
    part_hit *list;
} workspace;

static void decode_rows(const part *p, const uint32_t *row, size_t n, const workspace *w,
                        float *scale)
{
    const code *c = p->key_code;
    uint8_t bin[CODE_LANES * CODE_SKETCH_MAX] = {0};
    size_t padded = code_padded(c);
    for (size_t j = 0; j < n; j++) {
        size_t len = p->key_len[row[j]] < padded ? p->key_len[row[j]] : padded;
        memcpy(w->codes + j * padded, code_at(p->key_start, p->key_len, p->key_bytes, row[j]), len);
        bins_of(p, row[j], bin + j, CODE_LANES);
    }
    code_integers(c, n, w->codes, bin, w->z, scale);
}

static void score_wanted(const part *p, search *s, const wanted_row *sorted, size_t n,
                         const workspace *w)
{
    const scan_kernels *k = scan_best();
    uint32_t m = p->key_code->m, list = 0;
    for (size_t at = 0; at < n;) {
        uint32_t row[CODE_LANES];
        float scale[CODE_LANES];
        size_t lanes = 0, end = at;
        for (; end < n; end++) {
            bool again = lanes && row[lanes - 1] == sorted[end].row;
            if (!again && lanes == CODE_LANES) break;
            if (!again) row[lanes++] = sorted[end].row;
        }
        decode_rows(p, row, lanes, w, scale);
        for (size_t j = 0; j < lanes; j++) {
            while (p->list_start[list + 1] <= row[j]) list++;
            for (; at < end && sorted[at].row == row[j]; at++) {
                search *one = &s[sorted[at].query];
                float score =
                    (one->centre_dot[list] + k->dot16(w->z + j * m, one->u, m)) * scale[j];
                part_push(&one->best, score, row[j]);
            }
        }
    }
}

/* Lists in rising order, and rows in rising order: a query meets candidates in an order of its
 * own, whoever is beside it. */
static void part_run(const part *p, search *s, const float *q, size_t nq, const uint64_t *dead,
                     uint32_t n_probe, workspace *w)
{
    const code *c = p->key_code;
    const scan_kernels *k = scan_best();
    size_t n = 0;
    for (size_t i = 0; i < nq; i++) part_prepare(p, &s[i], q + i * c->d, n_probe, w->list);
    for (uint32_t l = 0; l < p->n_list; l++)
        for (size_t i = 0; i < nq; i++) {
            if (!(s[i].probed[l / 64] >> l % 64 & 1)) continue;
            if (c->n_sketch)
                scan_list(p, &s[i], l, dead, k);
            else
                score_list(p, &s[i], l, dead);
        }
    for (size_t i = 0; i < nq; i++) {
        part_trim(&s[i].sketch);
        for (size_t j = 0; j < s[i].sketch.n; j++)
            w->wanted[n++] = (wanted_row){s[i].sketch.hit[j].row, (uint32_t)i};
    }
    R1_DEEP_ASSERT(n <= nq * s[0].sketch.keep, "long-term memory: %zu wanted rows of %zu queries",
                   n, nq);
    if (n) score_wanted(p, s, sort_wanted(w->wanted, w->other, n, p->n), n, w);
    for (size_t i = 0; i < nq; i++) part_trim(&s[i].best);
}

static void *part_take(uint8_t **at, size_t bytes)
{
    void *p = *at;
    *at += part_round64(bytes);
    return p;
}

/* Workspaces for nq searches, carved from one block. Returns their size; with at NULL nothing is
 * carved. */
static size_t carve_search(const part *p, size_t nq, size_t keep, size_t cap, search *s,
                           workspace *w, uint8_t *at)
{
    const uint8_t *first = at;
    const code *c = p->key_code;
    size_t n_wanted = c->n_sketch ? nq * keep : 0;
    size_t each = part_round64(sizeof(float) * (c->m + 1u)) +
                  part_round64(sizeof(float) * (c->n_atom + 1u)) +
                  part_round64(sizeof(float) * p->n_list) +
                  part_round64((p->n_list / 64 + 1) * sizeof(uint64_t)) +
                  part_round64((size_t)c->n_sketch * CODE_BIN + 32) +
                  2 * part_round64(sizeof(part_hit) * 2 * keep);
    if (!at)
        return nq * each + 2 * part_round64(sizeof(wanted_row) * n_wanted) +
               part_round64(sizeof(int16_t) * CODE_LANES * (c->m + 32u)) +
               part_round64(CODE_LANES * code_padded(c)) +
               part_round64(sizeof(part_hit) * p->n_list);
    for (size_t i = 0; i < nq; i++) {
        s[i].u = part_take(&at, sizeof(float) * (c->m + 1u));
        s[i].table = part_take(&at, sizeof(float) * (c->n_atom + 1u));
        s[i].centre_dot = part_take(&at, sizeof(float) * p->n_list);
        s[i].probed = part_take(&at, (p->n_list / 64 + 1) * sizeof(uint64_t));
        s[i].lut = part_take(&at, (size_t)c->n_sketch * CODE_BIN + 32);
        s[i].sketch = (gather){part_take(&at, sizeof(part_hit) * 2 * keep), 0, keep, -3.4e38f};
        s[i].best = (gather){part_take(&at, sizeof(part_hit) * 2 * keep), 0, cap, -3.4e38f};
    }
    w->wanted = part_take(&at, sizeof(wanted_row) * n_wanted);
    w->other = part_take(&at, sizeof(wanted_row) * n_wanted);
    w->z = part_take(&at, sizeof(int16_t) * CODE_LANES * (c->m + 32u));
    w->codes = part_take(&at, CODE_LANES * code_padded(c));
    w->list = part_take(&at, sizeof(part_hit) * p->n_list);
    return (size_t)(at - first);
}

r1_status part_candidates(const part *p, const float *q, size_t nq, const uint64_t *dead,
                          uint32_t n_probe, uint32_t n_sketch, part_hit *hit, size_t cap,
                          size_t *n_hit, r1_err *err)
{
    size_t keep = n_sketch > cap ? n_sketch : cap, most = cap;
    if (keep > p->n) keep = p->n;
    if (most > p->n) most = p->n;
    search *s = calloc(nq, sizeof *s);
    size_t bytes = carve_search(p, nq, keep, most, NULL, NULL, NULL);
    uint8_t *block = malloc(bytes);
    if (!s || !block) {
        free(s);
        free(block);
        R1_FAIL(err, R1_E_NOMEM, "no memory for %zu searches at once", nq);
    }
    workspace w;
    size_t carved = carve_search(p, nq, keep, most, s, &w, block);
    R1_ASSERT(carved == bytes, "long-term memory: %zu bytes carved of %zu", carved, bytes);
    memset(w.codes, 0, CODE_LANES * code_padded(p->key_code));
    part_run(p, s, q, nq, dead, n_probe, &w);
    for (size_t i = 0; i < nq; i++) {
        n_hit[i] = s[i].best.n;
        memcpy(hit + i * cap, s[i].best.hit, sizeof *hit * s[i].best.n);
    }
    free(block);
    free(s);
    return R1_OK;
}
