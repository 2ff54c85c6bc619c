/* SPDX-License-Identifier: Apache-2.0 */
/* shard.c - files of training samples. Layout in docs/file-formats.md; in short
 *
 *   header 64 bytes, with a crc of header, description and index
 *   description | records, 8-byte aligned | index: u64 offset per sample, then per event
 *
 * An event record is its columns; a sample record its head and then its present items. The
 * reader checks every record once at open, so that getting a sample afterwards cannot fail on
 * what the file says. */
#include "r1_shard.h"

#include "model/desc.h"
#include "r1_assert.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "R1SHARD1";
enum { RECORD_MAX = 8 << 20, TEXT_BYTES_MAX = 1 << 16 };

typedef struct {
    char magic[8];
    uint64_t schema_hash, desc_bytes, n_sample, n_event, index_at, file_bytes;
    uint32_t crc; /* of header (crc 0), description and index */
    uint32_t reserved;
} header;
_Static_assert(sizeof(header) == 64, "shard header");

typedef struct {
    uint64_t id, group;
    float weight;
    uint32_t present; /* bit per item */
    uint32_t bytes;   /* of the whole record */
    uint32_t reserved;
} record;
_Static_assert(sizeof(record) == 32, "shard record");

/* ---- writer ---------------------------------------------------------------------------------- */

typedef struct {
    uint64_t *at;
    size_t n, cap;
} offsets;

struct r1_shard_writer {
    r1_desc *d;
    FILE *f;
    char *path, *part;
    uint8_t *buf; /* RECORD_MAX */
    size_t len;
    uint64_t at;
    offsets samples, events;
};

static bool shard_push(offsets *o, uint64_t at)
{
    if (o->n == o->cap) {
        uint64_t *p = r1_realloc_array(o->at, o->cap * 2 + 1024, sizeof *p);
        if (!p) return false;
        o->at = p;
        o->cap = o->cap * 2 + 1024;
    }
    o->at[o->n++] = at;
    return true;
}

static r1_status shard_flush(r1_shard_writer *w, offsets *o, r1_err *err)
{
    if (!shard_push(o, w->at)) R1_FAIL(err, R1_E_NOMEM, "shard %s: out of memory", w->path);
    while (w->len % 8) w->buf[w->len++] = 0;
    R1_ASSERT(w->len <= RECORD_MAX && w->at % 8 == 0, "shard %s: %zu bytes at %llu", w->path,
              w->len, (unsigned long long)w->at);
    if (fwrite(w->buf, 1, w->len, w->f) != w->len)
        R1_FAIL(err, R1_E_IO, "shard %s: cannot write: %s", w->part, strerror(errno));
    w->at += w->len;
    return R1_OK;
}

static bool shard_put(r1_shard_writer *w, const void *p, size_t n)
{
    if (n > RECORD_MAX - 8 - w->len) return false;
    if (n) memcpy(w->buf + w->len, p, n);
    w->len += n;
    return true;
}

static bool put_aligned(r1_shard_writer *w, const void *p, size_t n)
{
    static const uint8_t zero[8];
    return shard_put(w, p, n) && shard_put(w, zero, (8 - w->len % 8) % 8);
}

/* An empty header and the description; the header is written at the end. */
static r1_status shard_begin(r1_shard_writer *w, r1_err *err)
{
    header h = {0};
    shard_put(w, &h, sizeof h);
    if (!put_aligned(w, w->d->text, strlen(w->d->text)))
        R1_FAIL(err, R1_E_INVAL, "shard %s: the description passes %d bytes", w->path, RECORD_MAX);
    R1_TRY(shard_flush(w, &w->samples, err));
    w->samples.n = 0;
    return R1_OK;
}

static r1_status shard_writer_open(r1_shard_writer *w, const char *path, const char *description,
                                   r1_err *err)
{
    size_t n = strlen(path);
    R1_TRY(r1_desc_parse(&w->d, description, strlen(description), err));
    w->path = calloc(n + 1, 1);
    w->part = calloc(n + 6, 1);
    w->buf = malloc(RECORD_MAX);
    if (!w->path || !w->part || !w->buf) R1_FAIL(err, R1_E_NOMEM, "shard %s: out of memory", path);
    memcpy(w->path, path, n);
    snprintf(w->part, n + 6, "%s.part", path);
    w->f = fopen(w->part, "wb");
    if (!w->f) R1_FAIL(err, R1_E_IO, "shard %s: %s", w->part, strerror(errno));
    return shard_begin(w, err);
}

r1_status r1_shard_create(r1_shard_writer **out, const char *path, const char *description_json,
                          r1_err *err)
{
    r1_shard_writer *w = calloc(1, sizeof *w);
    if (!w) R1_FAIL(err, R1_E_NOMEM, "shard %s: out of memory", path);
    r1_status st = shard_writer_open(w, path, description_json, err);
    if (st != R1_OK) {
        r1_shard_abort(w);
        return st;
    }
    *out = w;
    return R1_OK;
}

void r1_shard_abort(r1_shard_writer *w)
{
    if (!w) return;
    if (w->f) {
        fclose(w->f);
        remove(w->part);
    }
    r1_desc_free(w->d);
    free(w->path);
    free(w->part);
    free(w->buf);
    free(w->samples.at);
    free(w->events.at);
    free(w);
}

static bool shard_put_columns(r1_shard_writer *w, const r1_row_desc *r, const float *num,
                              const int32_t *cat)
{
    return shard_put(w, num, r->n_num * sizeof *num) && shard_put(w, cat, r->n_cat * sizeof *cat);
}

r1_status r1_shard_add_event(r1_shard_writer *w, const r1_event *event, uint64_t *index,
                             r1_err *err)
{
    if (!w->d->has_event)
        R1_FAIL(err, R1_E_INVAL, "shard %s: the description has no \"event\"", w->path);
    w->len = 0;
    shard_put_columns(w, &w->d->event, event->num, event->cat);
    *index = w->events.n;
    return shard_flush(w, &w->events, err);
}

static bool put_graph(r1_shard_writer *w, const r1_item_desc *it, const r1_item *in)
{
    uint32_t head[2] = {in->n_node, in->n_edge};
    return in->n_node <= it->n_node_max && in->n_edge <= it->n_edge_max &&
           shard_put(w, head, sizeof head) &&
           shard_put(w, in->node, (size_t)in->n_node * it->row.n_num * sizeof(float)) &&
           shard_put(w, in->edge, (size_t)in->n_edge * it->n_edge_feature * sizeof(float)) &&
           shard_put(w, in->src, in->n_edge * sizeof(int32_t)) &&
           shard_put(w, in->dst, in->n_edge * sizeof(int32_t)) &&
           shard_put(w, in->mark, in->n_node);
}

static bool put_memory(r1_shard_writer *w, const r1_item_desc *it, const r1_item *in)
{
    uint32_t head[2] = {in->n_ref, (in->bucket ? 1u : 0) | (in->log_weight ? 2u : 0)};
    for (uint32_t j = 0; j < in->n_ref; j++)
        if (in->ref[j] >= w->events.n) return false;
    return in->n_ref <= it->n_ref_max && shard_put(w, head, sizeof head) &&
           shard_put(w, in->ref, in->n_ref * sizeof(uint64_t)) &&
           shard_put(w, in->log_weight, in->log_weight ? in->n_ref * sizeof(float) : 0) &&
           shard_put(w, in->bucket, in->bucket ? in->n_ref : 0);
}

static bool shard_put_text(r1_shard_writer *w, const r1_item *in)
{
    uint32_t head[2] = {in->text_bytes < TEXT_BYTES_MAX ? in->text_bytes : TEXT_BYTES_MAX, 0};
    return shard_put(w, head, sizeof head) && shard_put(w, in->text, head[0]);
}

static bool put_item(r1_shard_writer *w, const r1_item_desc *it, const r1_item *in)
{
    static const uint8_t zero[8];
    bool ok = false;
    switch (it->kind) {
    case R1_ITEM_TABLE: ok = shard_put_columns(w, &it->row, in->num, in->cat); break;
    case R1_ITEM_TEXT: ok = shard_put_text(w, in); break;
    case R1_ITEM_GRAPH: ok = put_graph(w, it, in); break;
    case R1_ITEM_MEMORY: ok = put_memory(w, it, in); break;
    }
    return ok && shard_put(w, zero, (8 - w->len % 8) % 8);
}

r1_status r1_shard_add(r1_shard_writer *w, const r1_sample *s, r1_err *err)
{
    record r = {.id = s->id, .group = s->group, .weight = s->weight};
    if (!s->label)
        R1_FAIL(err, R1_E_INVAL, "shard %s: sample %zu has no label", w->path, w->samples.n);
    w->len = sizeof r;
    put_aligned(w, s->label, w->d->n_headc * sizeof(float));
    for (uint32_t i = 0; i < w->d->n_item; i++) {
        if (!s->item[i].present) continue;
        r.present |= 1u << i;
        if (!put_item(w, &w->d->item[i], &s->item[i]))
            R1_FAIL(err, R1_E_INVAL,
                    "shard %s: sample %zu, item \"%s\" passes a maximum of the description, %d "
                    "bytes, or names an event "
                    "that was not added",
                    w->path, w->samples.n, w->d->item[i].name, RECORD_MAX);
    }
    r.bytes = (uint32_t)w->len;
    memcpy(w->buf, &r, sizeof r);
    return shard_flush(w, &w->samples, err);
}

static bool put_index(r1_shard_writer *w,
                      const offsets *o) /* empty: at is NULL, which fwrite must not see */
{
    return o->n == 0 || fwrite(o->at, 8, o->n, w->f) == o->n;
}

static r1_status write_tail(r1_shard_writer *w, r1_err *err)
{
    header h = {.schema_hash = w->d->schema_hash,
                .desc_bytes = strlen(w->d->text),
                .n_sample = w->samples.n,
                .n_event = w->events.n,
                .index_at = w->at};
    memcpy(h.magic, magic, sizeof magic);
    R1_ASSERT(h.n_sample == 0 || w->samples.at[h.n_sample - 1] < w->at,
              "shard %s: the last sample begins at the index", w->path);
    h.file_bytes = w->at + 8 * (h.n_sample + h.n_event);
    uint32_t crc = r1_crc32c(&h, sizeof h, 0);
    crc = r1_crc32c(w->d->text, h.desc_bytes, crc);
    crc = r1_crc32c(w->samples.at, 8 * w->samples.n, crc);
    h.crc = r1_crc32c(w->events.at, 8 * w->events.n, crc);
    bool ok = put_index(w, &w->samples) && put_index(w, &w->events) &&
              fseek(w->f, 0, SEEK_SET) == 0 && fwrite(&h, sizeof h, 1, w->f) == 1 &&
              fflush(w->f) == 0 && fsync(fileno(w->f)) == 0;
    if (!ok) R1_FAIL(err, R1_E_IO, "shard %s: cannot write: %s", w->part, strerror(errno));
    return R1_OK;
}

r1_status r1_shard_finish(r1_shard_writer *w, r1_err *err)
{
    r1_status st = write_tail(w, err);
    if (st == R1_OK) {
        fclose(w->f);
        w->f = NULL;
        if (rename(w->part, w->path) != 0)
            st = r1_err_set(err, R1_E_IO, __FILE__, __LINE__, "shard %s: cannot rename: %s",
                            w->part, strerror(errno));
    }
    r1_shard_abort(w);
    return st;
}

/* ---- reader ---------------------------------------------------------------------------------- */

struct r1_shard {
    r1_desc *d;
    const uint8_t *map;
    size_t bytes;
    header h;
    const uint64_t *samples, *events;
    char *path;
};

typedef struct {
    const uint8_t *p;
    size_t left;
} cursor;

static const void *shard_take(cursor *c, size_t n)
{
    if (n > c->left) return NULL;
    const uint8_t *p = c->p;
    c->p += n;
    c->left -= n;
    return p;
}

static const uint32_t *take_head(cursor *c) { return shard_take(c, 2 * sizeof(uint32_t)); }

static bool take_pad(cursor *c)
{
    size_t n = (8 - (uintptr_t)c->p % 8) % 8;
    return shard_take(c, n) != NULL;
}

static bool take_columns(cursor *c, const r1_row_desc *r, r1_item *in)
{
    in->num = shard_take(c, r->n_num * sizeof(float));
    in->cat = in->num ? shard_take(c, r->n_cat * sizeof(int32_t)) : NULL;
    return in->cat != NULL;
}

static bool shard_take_text(cursor *c, r1_item *in)
{
    const uint32_t *head = take_head(c);
    if (!head || head[0] > TEXT_BYTES_MAX) return false;
    in->text_bytes = head[0];
    return (in->text = shard_take(c, head[0])) != NULL;
}

static bool take_graph(cursor *c, const r1_item_desc *it, r1_item *in)
{
    const uint32_t *head = take_head(c);
    if (!head || head[0] > it->n_node_max || head[1] > it->n_edge_max) return false;
    in->n_node = head[0];
    in->n_edge = head[1];
    return (in->node = shard_take(c, (size_t)head[0] * it->row.n_num * sizeof(float))) &&
           (in->edge = shard_take(c, (size_t)head[1] * it->n_edge_feature * sizeof(float))) &&
           (in->src = shard_take(c, head[1] * sizeof(int32_t))) &&
           (in->dst = shard_take(c, head[1] * sizeof(int32_t))) &&
           (in->mark = shard_take(c, head[0]));
}

static bool take_memory(cursor *c, const r1_item_desc *it, r1_item *in)
{
    const uint32_t *head = take_head(c);
    if (!head || head[0] > it->n_ref_max || head[1] > 3) return false;
    in->n_ref = head[0];
    if (!(in->ref = shard_take(c, head[0] * sizeof(uint64_t)))) return false;
    if (head[1] & 2 && !(in->log_weight = shard_take(c, head[0] * sizeof(float)))) return false;
    return !(head[1] & 1) || (in->bucket = shard_take(c, head[0]));
}

static bool take_item(cursor *c, const r1_item_desc *it, r1_item *in)
{
    bool ok = false;
    in->present = true;
    switch (it->kind) {
    case R1_ITEM_TABLE: ok = take_columns(c, &it->row, in); break;
    case R1_ITEM_TEXT: ok = shard_take_text(c, in); break;
    case R1_ITEM_GRAPH: ok = take_graph(c, it, in); break;
    case R1_ITEM_MEMORY: ok = take_memory(c, it, in); break;
    }
    return ok && take_pad(c);
}

static bool shard_get(const r1_shard *s, size_t index, r1_item *item, r1_sample *out)
{
    uint64_t at = s->samples[index];
    record r;
    memset(out, 0, sizeof *out);
    memset(item, 0, s->d->n_item * sizeof *item);
    if (at % 8 || at > s->h.index_at || s->h.index_at - at < sizeof r) return false;
    memcpy(&r, s->map + at, sizeof r);
    if (r.bytes < sizeof r || r.bytes > s->h.index_at - at) return false;
    cursor c = {s->map + at + sizeof r, r.bytes - sizeof r};
    out->item = item;
    out->id = r.id;
    out->group = r.group;
    out->weight = r.weight;
    out->label = shard_take(&c, s->d->n_headc * sizeof(float));
    if (!out->label || !take_pad(&c) || !(r.weight >= 0) || !isfinite(r.weight)) return false;
    for (uint32_t i = 0; i < s->d->n_item; i++)
        if (r.present >> i & 1 && !take_item(&c, &s->d->item[i], &item[i])) return false;
    return true;
}

/* What pack.c would refuse as well: references, edges, buckets. */
static bool shard_sound(const r1_shard *s, const r1_item *item)
{
    for (uint32_t i = 0; i < s->d->n_item; i++) {
        const r1_item_desc *it = &s->d->item[i];
        for (uint32_t j = 0; j < item[i].n_ref; j++)
            if (item[i].ref[j] >= s->h.n_event ||
                (item[i].bucket && item[i].bucket[j] >= it->n_bucket) ||
                (item[i].log_weight && !(fabsf(item[i].log_weight[j]) <= 20)))
                return false;
        for (uint32_t j = 0; j < item[i].n_edge; j++)
            if ((uint32_t)item[i].src[j] >= item[i].n_node ||
                (uint32_t)item[i].dst[j] >= item[i].n_node)
                return false;
    }
    return true;
}

static r1_status check_records(const r1_shard *s, r1_err *err)
{
    r1_item item[R1_ITEMS_MAX];
    r1_sample sample;
    size_t width = s->d->event.n_num * sizeof(float) + s->d->event.n_cat * sizeof(int32_t);
    for (size_t i = 0; i < s->h.n_event; i++)
        if (s->events[i] % 8 || s->events[i] > s->h.index_at ||
            s->h.index_at - s->events[i] < width)
            R1_FAIL(err, R1_E_FORMAT, "shard %s: event %zu lies outside the records", s->path, i);
    for (size_t i = 0; i < s->h.n_sample; i++)
        if (!shard_get(s, i, item, &sample) || !shard_sound(s, item))
            R1_FAIL(err, R1_E_FORMAT, "shard %s: sample %zu (byte %llu) is damaged", s->path, i,
                    (unsigned long long)s->samples[i]);
    return R1_OK;
}

static r1_status shard_check_header(r1_shard *s, r1_err *err)
{
    memcpy(&s->h, s->map, sizeof s->h);
    const header *h = &s->h;
    if (memcmp(h->magic, magic, sizeof magic) != 0)
        R1_FAIL(err, R1_E_FORMAT, "shard %s: no R1SHARD1 file", s->path);
    uint64_t index = (uint64_t)s->bytes / 8;
    if (h->file_bytes != s->bytes || h->n_sample > index || h->n_event > index - h->n_sample ||
        h->index_at % 8 || h->index_at > s->bytes ||
        s->bytes - h->index_at != 8 * (h->n_sample + h->n_event) ||
        h->desc_bytes > h->index_at - sizeof *h || h->index_at < sizeof *h)
        R1_FAIL(err, R1_E_FORMAT, "shard %s: the header does not fit %zu bytes (it says %llu)",
                s->path, s->bytes, (unsigned long long)h->file_bytes);
    header bare = *h;
    bare.crc = 0;
    uint32_t crc = r1_crc32c(&bare, sizeof bare, 0);
    crc = r1_crc32c(s->map + sizeof *h, h->desc_bytes, crc);
    crc = r1_crc32c(s->map + h->index_at, s->bytes - h->index_at, crc);
    if (crc != h->crc)
        R1_FAIL(err, R1_E_FORMAT, "shard %s: checksum %08x, expected %08x", s->path, crc, h->crc);
    s->samples = (const uint64_t *)(const void *)(s->map + h->index_at);
    s->events = s->samples + h->n_sample;
    R1_TRY(r1_desc_parse(&s->d, (const char *)s->map + sizeof *h, h->desc_bytes, err));
    if (s->d->schema_hash != h->schema_hash)
        R1_FAIL(err, R1_E_FORMAT, "shard %s: foreign schema hash", s->path);
    return check_records(s, err);
}

static r1_status shard_map_file(r1_shard *s, r1_err *err)
{
    struct stat st;
    int fd = open(s->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) R1_FAIL(err, R1_E_IO, "shard %s: %s", s->path, strerror(errno));
    if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof(header)) {
        close(fd);
        R1_FAIL(err, R1_E_FORMAT, "shard %s: shorter than its header", s->path);
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        R1_FAIL(err, R1_E_IO, "shard %s: cannot map: %s", s->path, strerror(errno));
    s->map = p;
    s->bytes = (size_t)st.st_size;
    return R1_OK;
}

r1_status r1_shard_open(r1_shard **out, const char *path, r1_err *err)
{
    r1_shard *s = calloc(1, sizeof *s);
    size_t n = strlen(path) + 1;
    if (!s || !(s->path = calloc(n, 1))) {
        free(s);
        R1_FAIL(err, R1_E_NOMEM, "shard %s: out of memory", path);
    }
    memcpy(s->path, path, n);
    r1_status st = shard_map_file(s, err);
    if (st == R1_OK) st = shard_check_header(s, err);
    if (st != R1_OK) {
        r1_shard_close(s);
        return st;
    }
    *out = s;
    return R1_OK;
}

void r1_shard_close(r1_shard *s)
{
    if (!s) return;
    if (s->map) munmap((void *)(uintptr_t)s->map, s->bytes);
    r1_desc_free(s->d);
    free(s->path);
    free(s);
}

const char *r1_shard_description(const r1_shard *s) { return s->d->text; }
uint64_t r1_shard_schema_hash(const r1_shard *s) { return s->d->schema_hash; }
size_t r1_shard_n_sample(const r1_shard *s) { return (size_t)s->h.n_sample; }
size_t r1_shard_n_event(const r1_shard *s) { return (size_t)s->h.n_event; }
size_t r1_shard_n_item(const r1_shard *s) { return s->d->n_item; }

r1_status r1_shard_get(const r1_shard *s, size_t index, r1_item *item, r1_sample *sample,
                       r1_err *err)
{
    if (index >= s->h.n_sample)
        R1_FAIL(err, R1_E_INVAL, "shard %s: sample %zu of %llu", s->path, index,
                (unsigned long long)s->h.n_sample);
    if (!shard_get(s, index, item, sample))
        R1_FAIL(err, R1_E_FORMAT, "shard %s: sample %zu is damaged", s->path, index);
    return R1_OK;
}

r1_event r1_shard_event(const r1_shard *s, size_t index)
{
    R1_ASSERT(index < s->h.n_event, "shard: event %zu of %llu", index,
              (unsigned long long)s->h.n_event);
    const uint8_t *p = s->map + s->events[index];
    return (r1_event){(const float *)(const void *)p,
                      (const int32_t *)(const void *)(p + 4 * (size_t)s->d->event.n_num)};
}
