/* SPDX-License-Identifier: Apache-2.0 */
/* gguf.c - the container of all model and checkpoint files.
 *
 *   file:    "GGUF" | u32 3 | u64 n_tensor | u64 n_key | keys | infos | padding to R1_GGUF_ALIGN
 *            | data of the tensors, each padded to R1_GGUF_ALIGN
 *   key:     string name, u32 type, value
 *   string:  u64 length, bytes
 *   array:   u32 type, u64 count, items
 *   info:    string name, u32 n_dim, u64 dim[n_dim], u32 type, u64 offset from the first tensor */
#include "file/gguf.h"

#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const uint8_t *data;
    size_t len, at;
    r1_err *err;
} reader;

static const size_t scalar_bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

static r1_status gguf_take(reader *r, size_t n, const uint8_t **p, const char *what)
{
    *p = r->data;
    R1_ASSERT(r->at <= r->len, "GGUF: byte %zu of %zu", r->at, r->len);
    if (n > r->len - r->at)
        R1_FAIL(r->err, R1_E_FORMAT, "GGUF: %s at byte %zu needs %zu bytes, the file has %zu left",
                what, r->at, n, r->len - r->at);
    *p = r->data + r->at;
    r->at += n;
    return R1_OK;
}

static r1_status take_u32(reader *r, uint32_t *v, const char *what)
{
    const uint8_t *p;
    R1_TRY(gguf_take(r, sizeof *v, &p, what));
    memcpy(v, p, sizeof *v);
    return R1_OK;
}

static r1_status take_u64(reader *r, uint64_t *v, const char *what)
{
    const uint8_t *p;
    R1_TRY(gguf_take(r, sizeof *v, &p, what));
    memcpy(v, p, sizeof *v);
    return R1_OK;
}

static r1_status take_string(reader *r, size_t max, const char **s, size_t *len, const char *what)
{
    uint64_t n;
    R1_TRY(take_u64(r, &n, what));
    if (n > max)
        R1_FAIL(r->err, R1_E_FORMAT, "GGUF: %s at byte %zu is %llu bytes long, at most %zu", what,
                r->at, (unsigned long long)n, max);
    const uint8_t *p;
    R1_TRY(gguf_take(r, (size_t)n, &p, what));
    *s = (const char *)p;
    *len = (size_t)n;
    return R1_OK;
}

static r1_status take_array(reader *r, r1_gguf_key *k)
{
    uint32_t type;
    R1_TRY(take_u32(r, &type, "array type"));
    R1_TRY(take_u64(r, &k->count, "array length"));
    if (type >= R1_COUNT(scalar_bytes) || type == R1_GGUF_ARRAY)
        R1_FAIL(r->err, R1_E_FORMAT, "GGUF: array of type %u in key \"%.*s\"", type,
                (int)k->name_len, k->name);
    k->item_type = (r1_gguf_type)type;
    k->data = r->data + r->at;
    if (type == R1_GGUF_STRING) {
        if (k->count > (r->len - r->at) / 8)
            R1_FAIL(r->err, R1_E_FORMAT, "GGUF: array longer than the file");
        const char *s;
        size_t n;
        for (uint64_t i = 0; i < k->count; i++)
            R1_TRY(take_string(r, r->len, &s, &n, "array item"));
        return R1_OK;
    }
    if (k->count > (r->len - r->at) / scalar_bytes[type])
        R1_FAIL(r->err, R1_E_FORMAT, "GGUF: array longer than the file");
    return gguf_take(r, (size_t)k->count * scalar_bytes[type], &k->data, "array");
}

static r1_status take_key(reader *r, r1_gguf_key *k)
{
    uint32_t type;
    R1_TRY(take_string(r, R1_GGUF_KEY_NAME_MAX, &k->name, &k->name_len, "key name"));
    R1_TRY(take_u32(r, &type, "key type"));
    if (type >= R1_COUNT(scalar_bytes))
        R1_FAIL(r->err, R1_E_FORMAT, "GGUF: key \"%.*s\" has type %u, expected 0 to 12",
                (int)k->name_len, k->name, type);
    k->type = (r1_gguf_type)type;
    k->count = 1;
    if (type == R1_GGUF_ARRAY) return take_array(r, k);
    if (type != R1_GGUF_STRING) return gguf_take(r, scalar_bytes[type], &k->data, "value");
    const char *s;
    size_t n;
    R1_TRY(take_string(r, r->len, &s, &n, "value"));
    k->data = (const uint8_t *)s;
    k->count = n;
    return R1_OK;
}

static size_t ggml_bytes(uint32_t type)
{
    switch (type) {
    case 0:
    case 26: return 4;
    case 1:
    case 30: return 2;
    case 24: return 1;
    default: return 0;
    }
}

static r1_status take_info(reader *r, r1_gguf_tensor *t, uint64_t *offset)
{
    R1_TRY(take_string(r, R1_GGUF_TENSOR_NAME_MAX, &t->name, &t->name_len, "tensor name"));
    R1_TRY(take_u32(r, &t->n_dim, "tensor dimensions"));
    if (t->n_dim < 1 || t->n_dim > 4)
        R1_FAIL(r->err, R1_E_FORMAT, "GGUF: tensor \"%.*s\" has %u dimensions, expected 1 to 4",
                (int)t->name_len, t->name, t->n_dim);
    size_t bytes = 1;
    for (uint32_t i = 0; i < t->n_dim; i++) {
        R1_TRY(take_u64(r, &t->dim[i], "tensor size"));
        if (t->dim[i] == 0 || t->dim[i] > r->len ||
            __builtin_mul_overflow(bytes, (size_t)t->dim[i], &bytes))
            R1_FAIL(r->err, R1_E_FORMAT, "GGUF: tensor \"%.*s\" is larger than the file",
                    (int)t->name_len, t->name);
    }
    R1_TRY(take_u32(r, &t->ggml_type, "tensor type"));
    if (!ggml_bytes(t->ggml_type) ||
        __builtin_mul_overflow(bytes, ggml_bytes(t->ggml_type), &t->bytes))
        R1_FAIL(r->err, R1_E_FORMAT,
                "GGUF: tensor \"%.*s\" has type %u, expected f32, f16, bf16, i8 or i32",
                (int)t->name_len, t->name, t->ggml_type);
    return take_u64(r, offset, "tensor offset");
}

static r1_status place_tensors(reader *r, r1_gguf *g, const uint64_t *offset)
{
    size_t start = (r->at + R1_GGUF_ALIGN - 1) / R1_GGUF_ALIGN * R1_GGUF_ALIGN;
    for (size_t i = 0; i < g->n_tensor; i++) {
        r1_gguf_tensor *t = &g->tensor[i];
        if (start > r->len || offset[i] > r->len - start || t->bytes > r->len - start - offset[i] ||
            offset[i] % R1_GGUF_ALIGN)
            R1_FAIL(r->err, R1_E_FORMAT,
                    "GGUF: tensor \"%.*s\" (%zu bytes at %llu) is outside the file of %zu bytes",
                    (int)t->name_len, t->name, t->bytes, (unsigned long long)offset[i], r->len);
        t->data = r->data + start + offset[i];
    }
    return R1_OK;
}

static r1_status gguf_parse(reader *r, r1_gguf *g, uint64_t **offset)
{
    const uint8_t *magic;
    uint32_t version;
    uint64_t n_tensor, n_key;
    R1_TRY(gguf_take(r, 4, &magic, "magic"));
    R1_TRY(take_u32(r, &version, "version"));
    if (memcmp(magic, "GGUF", 4) != 0 || version != 3)
        R1_FAIL(r->err, R1_E_FORMAT,
                "GGUF: expected \"GGUF\" version 3, found bytes %02x%02x%02x%02x version %u",
                magic[0], magic[1], magic[2], magic[3], version);
    R1_TRY(take_u64(r, &n_tensor, "tensor count"));
    R1_TRY(take_u64(r, &n_key, "key count"));
    if (n_tensor > R1_GGUF_TENSORS_MAX || n_key > R1_GGUF_KEYS_MAX || n_tensor > r->len / 24 ||
        n_key > r->len / 12)
        R1_FAIL(r->err, R1_E_FORMAT, "GGUF: %llu tensors and %llu keys cannot be in %zu bytes",
                (unsigned long long)n_tensor, (unsigned long long)n_key, r->len);
    g->key = calloc((size_t)n_key + 1, sizeof *g->key);
    g->tensor = calloc((size_t)n_tensor + 1, sizeof *g->tensor);
    *offset = calloc((size_t)n_tensor + 1, sizeof **offset);
    if (!g->key || !g->tensor || !*offset) R1_FAIL(r->err, R1_E_NOMEM, "GGUF: out of memory");
    for (; g->n_key < n_key; g->n_key++) R1_TRY(take_key(r, &g->key[g->n_key]));
    for (; g->n_tensor < n_tensor; g->n_tensor++)
        R1_TRY(take_info(r, &g->tensor[g->n_tensor], &(*offset)[g->n_tensor]));
    return place_tensors(r, g, *offset);
}

static bool gguf_inside(const void *p, size_t n, const void *data, size_t len)
{
    uintptr_t at = (uintptr_t)p, first = (uintptr_t)data;
    return at >= first && at - first <= len && n <= len - (at - first);
}

void r1_gguf_check(const r1_gguf *g, const void *data, size_t len)
{
    for (size_t i = 0; i < g->n_key; i++) {
        const r1_gguf_key *k = &g->key[i];
        R1_ASSERT(gguf_inside(k->name, k->name_len, data, len) &&
                      gguf_inside(k->data, k->type == R1_GGUF_STRING ? k->count : 0, data, len),
                  "GGUF: key %zu of %zu lies outside of %zu bytes", i, g->n_key, len);
    }
    for (size_t i = 0; i < g->n_tensor; i++) {
        const r1_gguf_tensor *t = &g->tensor[i];
        R1_ASSERT(gguf_inside(t->name, t->name_len, data, len) &&
                      gguf_inside(t->data, t->bytes, data, len),
                  "GGUF: tensor %zu of %zu, %zu bytes, lies outside of %zu bytes", i, g->n_tensor,
                  t->bytes, len);
    }
}

r1_status r1_gguf_parse(r1_gguf *g, const void *data, size_t len, r1_err *err)
{
    reader r = {data, len, 0, err};
    uint64_t *offset = NULL;
    memset(g, 0, sizeof *g);
    r1_status st = gguf_parse(&r, g, &offset);
    free(offset);
    if (st == R1_OK)
        r1_gguf_check(g, data, len);
    else
        r1_gguf_free(g);
    return st;
}

void r1_gguf_free(r1_gguf *g)
{
    free(g->key);
    free(g->tensor);
    memset(g, 0, sizeof *g);
}

static bool gguf_same(const char *name, size_t len, const char *s)
{
    return strlen(s) == len && memcmp(name, s, len) == 0;
}

const r1_gguf_key *r1_gguf_find(const r1_gguf *g, const char *name)
{
    for (size_t i = 0; i < g->n_key; i++)
        if (gguf_same(g->key[i].name, g->key[i].name_len, name)) return &g->key[i];
    return NULL;
}

const r1_gguf_tensor *r1_gguf_find_tensor(const r1_gguf *g, const char *name)
{
    for (size_t i = 0; i < g->n_tensor; i++)
        if (gguf_same(g->tensor[i].name, g->tensor[i].name_len, name)) return &g->tensor[i];
    return NULL;
}

static r1_status gguf_typed(const r1_gguf *g, const char *name, r1_gguf_type type,
                            const r1_gguf_key **k, r1_err *err)
{
    *k = r1_gguf_find(g, name);
    if (!*k) R1_FAIL(err, R1_E_FORMAT, "GGUF: key \"%s\" is missing", name);
    if ((*k)->type != type)
        R1_FAIL(err, R1_E_FORMAT, "GGUF: key \"%s\" has type %d, expected %d", name, (*k)->type,
                type);
    return R1_OK;
}

r1_status r1_gguf_u64(const r1_gguf *g, const char *name, uint64_t *v, r1_err *err)
{
    const r1_gguf_key *k;
    R1_TRY(gguf_typed(g, name, R1_GGUF_U64, &k, err));
    memcpy(v, k->data, sizeof *v);
    return R1_OK;
}

r1_status r1_gguf_f32(const r1_gguf *g, const char *name, float *v, r1_err *err)
{
    const r1_gguf_key *k;
    R1_TRY(gguf_typed(g, name, R1_GGUF_F32, &k, err));
    memcpy(v, k->data, sizeof *v);
    if (!isfinite(*v)) R1_FAIL(err, R1_E_FORMAT, "GGUF: key \"%s\" is not a finite number", name);
    return R1_OK;
}

r1_status r1_gguf_str(const r1_gguf *g, const char *name, const char **s, size_t *len, r1_err *err)
{
    const r1_gguf_key *k;
    R1_TRY(gguf_typed(g, name, R1_GGUF_STRING, &k, err));
    *s = (const char *)k->data;
    *len = (size_t)k->count;
    return R1_OK;
}

r1_status r1_gguf_array(const r1_gguf *g, const char *name, r1_gguf_type item, const uint8_t **data,
                        uint64_t *count, r1_err *err)
{
    const r1_gguf_key *k;
    R1_TRY(gguf_typed(g, name, R1_GGUF_ARRAY, &k, err));
    if (k->item_type != item)
        R1_FAIL(err, R1_E_FORMAT, "GGUF: key \"%s\" is an array of type %d, expected %d", name,
                k->item_type, item);
    *data = k->data;
    *count = k->count;
    return R1_OK;
}

/* ---- writer ---------------------------------------------------------------------------------- */

typedef struct {
    uint8_t *data;
    size_t len, cap;
    bool failed;
} buffer;

typedef struct {
    const void *data;
    size_t bytes;
} blob;

struct r1_gguf_writer {
    buffer keys, infos;
    blob *tensor;
    size_t n_key, n_tensor;
    uint64_t offset;
};

static void gguf_put(buffer *b, const void *data, size_t n)
{
    if (b->failed || n == 0) return;
    if (n > b->cap - b->len) {
        size_t cap = b->cap * 2 + n + 256;
        uint8_t *p = r1_realloc_array(b->data, cap, 1);
        if (!p) {
            b->failed = true;
            return;
        }
        b->data = p;
        b->cap = cap;
    }
    memcpy(b->data + b->len, data, n);
    b->len += n;
}

static void gguf_put_u32(buffer *b, uint32_t v) { gguf_put(b, &v, sizeof v); }
static void put_u64(buffer *b, uint64_t v) { gguf_put(b, &v, sizeof v); }

static void put_string(buffer *b, const char *s)
{
    put_u64(b, strlen(s));
    gguf_put(b, s, strlen(s));
}

r1_status r1_gguf_writer_new(r1_gguf_writer **out, r1_err *err)
{
    r1_gguf_writer *w = calloc(1, sizeof *w);
    if (w) w->tensor = calloc(R1_GGUF_TENSORS_MAX, sizeof *w->tensor);
    if (!w || !w->tensor) {
        free(w);
        R1_FAIL(err, R1_E_NOMEM, "GGUF: out of memory");
    }
    *out = w;
    return R1_OK;
}

void r1_gguf_writer_free(r1_gguf_writer *w)
{
    if (!w) return;
    free(w->keys.data);
    free(w->infos.data);
    free(w->tensor);
    free(w);
}

static buffer *begin_key(r1_gguf_writer *w, const char *name, r1_gguf_type type)
{
    put_string(&w->keys, name);
    gguf_put_u32(&w->keys, type);
    w->n_key++;
    return &w->keys;
}

void r1_gguf_put_u64(r1_gguf_writer *w, const char *name, uint64_t v)
{
    put_u64(begin_key(w, name, R1_GGUF_U64), v);
}

void r1_gguf_put_f32(r1_gguf_writer *w, const char *name, float v)
{
    gguf_put(begin_key(w, name, R1_GGUF_F32), &v, sizeof v);
}

void r1_gguf_put_str(r1_gguf_writer *w, const char *name, const char *s)
{
    put_string(begin_key(w, name, R1_GGUF_STRING), s);
}

void r1_gguf_put_array(r1_gguf_writer *w, const char *name, r1_gguf_type item, const void *data,
                       uint64_t count)
{
    buffer *b = begin_key(w, name, R1_GGUF_ARRAY);
    gguf_put_u32(b, item);
    put_u64(b, count);
    gguf_put(b, data, (size_t)count * scalar_bytes[item]);
}

void r1_gguf_put_tensor(r1_gguf_writer *w, const char *name, uint32_t ggml_type, uint64_t rows,
                        uint64_t cols, const void *data, size_t bytes)
{
    if (w->n_tensor == R1_GGUF_TENSORS_MAX) {
        w->infos.failed = true;
        return;
    }
    put_string(&w->infos, name);
    gguf_put_u32(&w->infos, 2);
    put_u64(&w->infos, cols);
    put_u64(&w->infos, rows);
    gguf_put_u32(&w->infos, ggml_type);
    put_u64(&w->infos, w->offset);
    w->tensor[w->n_tensor++] = (blob){data, bytes};
    w->offset += (bytes + R1_GGUF_ALIGN - 1) / R1_GGUF_ALIGN * R1_GGUF_ALIGN;
}

static void gguf_pad(buffer *b)
{
    static const uint8_t zero[R1_GGUF_ALIGN];
    gguf_put(b, zero, (R1_GGUF_ALIGN - b->len % R1_GGUF_ALIGN) % R1_GGUF_ALIGN);
}

r1_status r1_gguf_image(r1_gguf_writer *w, const char *path, uint8_t **data, size_t *len,
                        r1_err *err)
{
    buffer all = {.failed = w->keys.failed || w->infos.failed};
    gguf_put(&all, "GGUF", 4);
    gguf_put_u32(&all, 3);
    put_u64(&all, w->n_tensor);
    put_u64(&all, w->n_key);
    gguf_put(&all, w->keys.data, w->keys.len);
    gguf_put(&all, w->infos.data, w->infos.len);
    gguf_pad(&all);
    size_t start = all.len;
    for (size_t i = 0; i < w->n_tensor; i++) {
        gguf_put(&all, w->tensor[i].data, w->tensor[i].bytes);
        gguf_pad(&all);
    }
    R1_ASSERT(all.failed || all.len - start == w->offset,
              "GGUF: tensors of %zu bytes, their offsets end at %llu", all.len - start,
              (unsigned long long)w->offset);
    *data = all.data;
    *len = all.len;
    if (!all.failed) return R1_OK;
    free(all.data);
    *data = NULL;
    R1_FAIL(err, R1_E_NOMEM, "GGUF: out of memory writing %s", path);
}

r1_status r1_gguf_save(r1_gguf_writer *w, const char *path, r1_err *err)
{
    uint8_t *data;
    size_t len;
    R1_TRY(r1_gguf_image(w, path, &data, &len, err));
    r1_status st = r1_file_write(path, data, len, err);
    free(data);
    return st;
}
