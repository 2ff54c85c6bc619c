/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - models in memory and in files: GGUF with the description as JSON in
 * `r1.description`, one tensor per weight by the name the plan gave it, the tokenizer's merges,
 * calibration per head. Format: docs/file-formats.md. */
#include "model/model.h"

#include "file/gguf.h"
#include "model/sum.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODEL_BYTES_MAX = 1 << 30 };
#define STEP_MIN 1e-20f
#define STEP_MAX 1e20f

r1_status r1_model_alloc(r1_model **out, const char *json, size_t len, bool steps, size_t bytes_max,
                         r1_err *err)
{
    r1_model *m = calloc(1, sizeof *m);
    if (!m) R1_FAIL(err, R1_E_NOMEM, "model: out of memory");
    r1_status st = r1_desc_parse(&m->desc, json, len, err);
    m->steps = steps;
    if (st == R1_OK) st = r1_net_build(&m->net, m->desc, steps ? R1_NET_STEPS : 0, err);
    if (st == R1_OK && (m->net.plan.weight_bytes > bytes_max ||
                        !(m->weights = r1_calloc_aligned(m->net.plan.weight_bytes + 64, 1))))
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__,
                        "model: %zu bytes of weights, at most %zu", m->net.plan.weight_bytes,
                        bytes_max);
    if (st != R1_OK) {
        r1_model_free(m);
        return st;
    }
    m->beta = m->desc->beta;
    r1_model_uncalibrate(m);
    *out = m;
    return R1_OK;
}

static r1_status empty_tokenizers(r1_model *m, r1_err *err)
{
    for (uint32_t i = 0; i < m->desc->n_item; i++)
        if (m->desc->item[i].kind == R1_ITEM_TEXT) R1_TRY(r1_bpe_new(&m->bpe[i], NULL, 0, err));
    return R1_OK;
}

r1_status r1_model_new(r1_model **out, const char *description_json, uint64_t seed, r1_err *err)
{
    r1_model *m;
    R1_TRY(r1_model_alloc(&m, description_json, strlen(description_json), false, MODEL_BYTES_MAX,
                          err));
    r1_status st = empty_tokenizers(m, err);
    if (st != R1_OK) {
        r1_model_free(m);
        return st;
    }
    r1_net_init(&m->net, m->desc, m->weights, seed);
    *out = m;
    return R1_OK;
}

void r1_model_free(r1_model *m)
{
    if (!m) return;
    for (size_t i = 0; i < R1_ITEMS_MAX; i++) r1_bpe_free(m->bpe[i]);
    for (size_t h = 0; h < R1_HEADS_MAX; h++) free(m->isotonic[h]);
    r1_net_free(&m->net);
    r1_desc_free(m->desc);
    free(m->weights);
    free(m);
}

/* Both plans list the weights in one order; the new one has steps between them. */
static void copy_weights(const r1_model *from, const r1_net *net, float *to)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < from->net.plan.n_tensor; i++) {
        const r1_tensor *t = &from->net.plan.tensor[i];
        if (t->space != R1_SPACE_WEIGHT) continue;
        while (k < net->plan.n_tensor && strcmp(net->plan.tensor[k].name, t->name) != 0) k++;
        R1_ASSERT(k < net->plan.n_tensor, "weight \"%s\" has no place in the new plan", t->name);
        memcpy(to + net->plan.tensor[k].offset / sizeof(float),
               from->weights + t->offset / sizeof(float), (size_t)t->mul * t->cols * sizeof(float));
    }
}

r1_status r1_model_add_steps(r1_model *m, r1_err *err)
{
    r1_net net;
    if (m->steps) return R1_OK;
    R1_TRY(r1_net_build(&net, m->desc, R1_NET_STEPS, err));
    float *weights = r1_calloc_aligned(net.plan.weight_bytes + 64, 1);
    if (!weights) {
        r1_net_free(&net);
        R1_FAIL(err, R1_E_NOMEM, "model: no memory for steps");
    }
    r1_net_init(&net, m->desc, weights, 0);
    copy_weights(m, &net, weights);
    r1_net_free(&m->net);
    free(m->weights);
    m->net = net;
    m->weights = weights;
    m->steps = true;
    return R1_OK;
}

static const r1_tensor *weight_named(const r1_net *net, const char *name)
{
    for (uint32_t i = 0; i < net->plan.n_tensor; i++)
        if (net->plan.tensor[i].space == R1_SPACE_WEIGHT &&
            strcmp(net->plan.tensor[i].name, name) == 0)
            return &net->plan.tensor[i];
    return NULL;
}

static r1_status adopt_weights(r1_model *to, const r1_model *from, r1_err *err)
{
    for (uint32_t i = 0; i < to->net.plan.n_tensor; i++) {
        const r1_tensor *t = &to->net.plan.tensor[i], *own;
        if (t->space != R1_SPACE_WEIGHT || strncmp(t->name, "head.out.", 9) == 0) continue;
        own = weight_named(&from->net, t->name);
        if (!own || own->mul != t->mul || own->cols != t->cols)
            R1_FAIL(err, R1_E_INVAL,
                    "model \"%s\": %s is %lld x %lld, other heads alone would leave it %lld x %lld",
                    from->desc->name, t->name, own ? (long long)own->mul : 0,
                    own ? (long long)own->cols : 0, (long long)t->mul, (long long)t->cols);
        memcpy(to->weights + t->offset / sizeof(float), from->weights + own->offset / sizeof(float),
               (size_t)t->mul * t->cols * sizeof(float));
    }
    r1_net_derive(&to->net, to->desc, to->weights);
    return R1_OK;
}

r1_status r1_model_change_heads(r1_model **m, const char *json, uint64_t seed, r1_err *err)
{
    r1_model *old = *m, *fresh;
    if (old->steps)
        R1_FAIL(err, R1_E_INVAL, "model \"%s\": learned steps belong to its own heads",
                old->desc->name);
    R1_TRY(r1_model_new(&fresh, json, seed, err));
    r1_status st = R1_OK;
    if (fresh->desc->item_hash != old->desc->item_hash)
        st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                        "model \"%s\" reads other items (%016llx) than wanted (%016llx)",
                        old->desc->name, (unsigned long long)old->desc->item_hash,
                        (unsigned long long)fresh->desc->item_hash);
    if (st == R1_OK) st = adopt_weights(fresh, old, err);
    if (st != R1_OK) {
        r1_model_free(fresh);
        return st;
    }
    for (size_t i = 0; i < R1_ITEMS_MAX; i++) {
        r1_bpe *b = fresh->bpe[i];
        fresh->bpe[i] = old->bpe[i];
        old->bpe[i] = b;
    }
    fresh->beta = old->beta;
    fresh->trained_samples = old->trained_samples;
    r1_model_free(old);
    *m = fresh;
    return R1_OK;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void put_tensors(const r1_model *m, r1_gguf_writer *w)
{
    for (uint32_t i = 0; i < m->net.plan.n_tensor; i++) {
        const r1_tensor *t = &m->net.plan.tensor[i];
        if (!r1_model_stored(t)) continue;
        size_t bytes = (size_t)t->mul * t->cols * sizeof(float);
        r1_gguf_put_tensor(w, t->name, 0, t->mul, t->cols, m->weights + t->offset / sizeof(float),
                           bytes);
    }
}

static void put_tokenizers(const r1_model *m, r1_gguf_writer *w)
{
    char key[128];
    for (uint32_t i = 0; i < m->desc->n_item; i++) {
        size_t n;
        if (!m->bpe[i]) continue;
        const int32_t *merges = r1_bpe_merges(m->bpe[i], &n);
        snprintf(key, sizeof key, "r1.item.%s.merges", m->desc->item[i].name);
        r1_gguf_put_array(w, key, R1_GGUF_I32, merges, 2 * n);
    }
}

static void put_heads(const r1_model *m, r1_gguf_writer *w)
{
    char key[128];
    for (uint32_t h = 0; h < m->desc->n_headc; h++) {
        snprintf(key, sizeof key, "r1.head.%s.scale", m->desc->head[h].name);
        r1_gguf_put_f32(w, key, m->calibration[h].scale);
        snprintf(key, sizeof key, "r1.head.%s.bias", m->desc->head[h].name);
        r1_gguf_put_f32(w, key, m->calibration[h].bias);
        if (!m->n_isotonic[h]) continue;
        snprintf(key, sizeof key, "r1.head.%s.isotonic", m->desc->head[h].name);
        r1_gguf_put_array(w, key, R1_GGUF_F32, m->isotonic[h], 2 * (uint64_t)m->n_isotonic[h]);
    }
}

r1_status r1_model_save(const r1_model *m, const char *path, r1_err *err)
{
    r1_gguf_writer *w;
    R1_TRY(r1_gguf_writer_new(&w, err));
    r1_gguf_put_str(w, "general.architecture", "r1");
    r1_gguf_put_str(w, "general.name", m->desc->name);
    r1_gguf_put_u64(w, "r1.format", 1);
    r1_gguf_put_str(w, "r1.description", m->desc->text);
    r1_gguf_put_u64(w, "r1.schema_hash", m->desc->schema_hash);
    r1_gguf_put_u64(w, "r1.d_align", m->desc->d_align);
    r1_gguf_put_u64(w, "r1.d_model", m->desc->d_model);
    r1_gguf_put_u64(w, "r1.n_layer", m->desc->n_layer);
    r1_gguf_put_u64(w, "r1.n_head", m->desc->n_head);
    r1_gguf_put_u64(w, "r1.n_head_cross", m->desc->n_head_cross);
    r1_gguf_put_f32(w, "r1.beta", m->beta);
    r1_gguf_put_u64(w, "r1.trained_samples", m->trained_samples);
    if (m->steps) r1_gguf_put_u64(w, "r1.int8_limit", R1_INT8_LEARNED);
    put_heads(m, w);
    put_tokenizers(m, w);
    put_tensors(m, w);
    uint8_t *data = NULL;
    size_t bytes;
    r1_status st = r1_gguf_image(w, path, &data, &bytes, err);
    r1_gguf_writer_free(w);
    if (st == R1_OK) st = r1_sum_save(path, data, bytes, err);
    free(data);
    return st;
}

static r1_status load_tensors(r1_model *m, const r1_gguf *g, r1_err *err)
{
    size_t n = 0;
    for (uint32_t i = 0; i < m->net.plan.n_tensor; i++) {
        const r1_tensor *t = &m->net.plan.tensor[i];
        if (!r1_model_stored(t)) continue;
        const r1_gguf_tensor *f = r1_gguf_find_tensor(g, t->name);
        n++;
        if (!f) R1_FAIL(err, R1_E_FORMAT, "tensor \"%s\" is missing", t->name);
        if (f->ggml_type != 0 || f->n_dim != 2 || f->dim[0] != t->cols || f->dim[1] != t->mul)
            R1_FAIL(err, R1_E_FORMAT, "tensor \"%s\": expected f32 %ux%u, found type %u %llux%llu",
                    t->name, t->mul, t->cols, f->ggml_type, (unsigned long long)f->dim[1],
                    (unsigned long long)f->dim[0]);
        float *to = m->weights + t->offset / sizeof(float);
        memcpy(to, f->data, f->bytes);
        for (size_t k = 0; k < f->bytes / sizeof(float); k++) {
            if (!isfinite(to[k]))
                R1_FAIL(err, R1_E_FORMAT, "tensor \"%s\" holds a value that is not finite",
                        t->name);
            if (t->step && !(to[k] >= STEP_MIN && to[k] <= STEP_MAX))
                R1_FAIL(err, R1_E_FORMAT, "tensor \"%s\": step %zu is %g, expected %g to %g",
                        t->name, k, (double)to[k], (double)STEP_MIN, (double)STEP_MAX);
        }
    }
    if (n != g->n_tensor)
        R1_FAIL(err, R1_E_FORMAT, "expected %zu tensors, found %zu", n, g->n_tensor);
    return R1_OK;
}

static r1_status load_tokenizers(r1_model *m, const r1_gguf *g, r1_err *err)
{
    char key[128];
    for (uint32_t i = 0; i < m->desc->n_item; i++) {
        const r1_item_desc *it = &m->desc->item[i];
        if (it->kind != R1_ITEM_TEXT) continue;
        const uint8_t *data;
        uint64_t n;
        snprintf(key, sizeof key, "r1.item.%s.merges", it->name);
        R1_TRY(r1_gguf_array(g, key, R1_GGUF_I32, &data, &n, err));
        if (n % 2 || n / 2 > it->n_vocab - 256)
            R1_FAIL(err, R1_E_FORMAT, "key \"%s\": %llu numbers do not fit a vocabulary of %u", key,
                    (unsigned long long)n, it->n_vocab);
        int32_t *merges =
            calloc((size_t)n + 1, sizeof *merges); /* the file's bytes may be unaligned */
        if (!merges) R1_FAIL(err, R1_E_NOMEM, "model: out of memory");
        memcpy(merges, data, (size_t)n * sizeof *merges);
        r1_status st = r1_bpe_new(&m->bpe[i], merges, (size_t)n / 2, err);
        free(merges);
        R1_TRY(st);
    }
    return R1_OK;
}

static r1_status load_isotonic(r1_model *m, uint32_t h, const r1_gguf *g, r1_err *err)
{
    char key[128];
    const uint8_t *data;
    uint64_t n;
    float knot[2 * R1_ISOTONIC_MAX];
    snprintf(key, sizeof key, "r1.head.%s.isotonic", m->desc->head[h].name);
    if (!r1_gguf_find(g, key)) return R1_OK;
    R1_TRY(r1_gguf_array(g, key, R1_GGUF_F32, &data, &n, err));
    if (n % 2 || n == 0 || n > R1_COUNT(knot))
        R1_FAIL(err, R1_E_FORMAT, "key \"%s\": %llu numbers, expected pairs, 1 to %d", key,
                (unsigned long long)n, R1_ISOTONIC_MAX);
    memcpy(knot, data, (size_t)n * sizeof *knot); /* the file's bytes may be unaligned */
    return r1_model_set_isotonic(m, h, (r1_isotonic){(uint32_t)(n / 2), knot, knot + n / 2}, err);
}

static r1_status load_scalars(r1_model *m, const r1_gguf *g, r1_err *err)
{
    char key[128];
    float beta;
    uint64_t hash;
    R1_TRY(r1_gguf_u64(g, "r1.schema_hash", &hash, err));
    if (hash != m->desc->schema_hash)
        R1_FAIL(err, R1_E_FORMAT,
                "schema hash %016llx does not belong to the description (%016llx)",
                (unsigned long long)hash, (unsigned long long)m->desc->schema_hash);
    R1_TRY(r1_gguf_u64(g, "r1.trained_samples", &m->trained_samples, err));
    R1_TRY(r1_gguf_f32(g, "r1.beta", &beta, err));
    R1_TRY(r1_model_set_beta(m, beta, err));
    for (uint32_t h = 0; h < m->desc->n_headc; h++) {
        r1_calibration c;
        snprintf(key, sizeof key, "r1.head.%s.scale", m->desc->head[h].name);
        R1_TRY(r1_gguf_f32(g, key, &c.scale, err));
        snprintf(key, sizeof key, "r1.head.%s.bias", m->desc->head[h].name);
        R1_TRY(r1_gguf_f32(g, key, &c.bias, err));
        R1_TRY(r1_model_set_calibration(m, h, c, err));
        R1_TRY(load_isotonic(m, h, g, err));
    }
    return R1_OK;
}

static r1_status model_load(r1_model **out, const r1_gguf *g, r1_err *err)
{
    const char *s;
    size_t len;
    uint64_t format;
    R1_TRY(r1_gguf_str(g, "general.architecture", &s, &len, err));
    if (len != 2 || memcmp(s, "r1", 2) != 0)
        R1_FAIL(err, R1_E_FORMAT, "architecture is \"%.*s\", expected \"r1\"",
                (int)(len > 40 ? 40 : len), s);
    R1_TRY(r1_gguf_u64(g, "r1.format", &format, err));
    if (format != 1)
        R1_FAIL(err, R1_E_FORMAT, "r1.format is %llu, expected 1", (unsigned long long)format);
    uint64_t limit = 0;
    if (r1_gguf_find(g, "r1.int8_limit")) R1_TRY(r1_gguf_u64(g, "r1.int8_limit", &limit, err));
    if (limit && limit != R1_INT8_LEARNED)
        R1_FAIL(err, R1_E_FORMAT, "r1.int8_limit is %llu, expected %d", (unsigned long long)limit,
                R1_INT8_LEARNED);
    R1_TRY(r1_gguf_str(g, "r1.description", &s, &len, err));
    /* Weights lie in the file as they lie in memory, but for alignment and what is derived. */
    size_t bytes_max = (size_t)128 * g->n_tensor + 65536;
    for (size_t i = 0; i < g->n_tensor; i++) bytes_max += g->tensor[i].bytes;
    R1_TRY(r1_model_alloc(out, s, len, limit != 0,
                          bytes_max < MODEL_BYTES_MAX ? bytes_max : MODEL_BYTES_MAX, err));
    R1_TRY(load_scalars(*out, g, err));
    R1_TRY(load_tokenizers(*out, g, err));
    R1_TRY(load_tensors(*out, g, err));
    r1_net_derive(&(*out)->net, (*out)->desc, (*out)->weights);
    return R1_OK;
}

r1_status r1_model_parse(r1_model **out, const void *data, size_t len, r1_err *err)
{
    r1_gguf g;
    r1_model *m = NULL;
    R1_TRY(r1_gguf_parse(&g, data, len, err));
    r1_status st = model_load(&m, &g, err);
    r1_gguf_free(&g);
    if (st != R1_OK) {
        r1_model_free(m);
        return st;
    }
    *out = m;
    return R1_OK;
}

r1_status r1_model_open(r1_model **out, const char *path, r1_err *err)
{
    char *data;
    size_t len;
    R1_TRY(r1_file_read(path, MODEL_BYTES_MAX, &data, &len, err));
    bool there = false;
    r1_status st = r1_sum_check(path, data, len, &there, err);
    if (st == R1_OK) st = r1_model_parse(out, data, len, err);
    if (st == R1_OK && !there) r1_log(R1_LOG_WARN, "model_without_checksum", "model=%s", path);
    free(data);
    if (st != R1_OK) r1_err_prefix(err, "model %s: ", path);
    return st;
}

r1_status r1_model_seal(const char *path, r1_err *err)
{
    r1_model *m;
    char *data;
    size_t len;
    R1_TRY(r1_model_open(&m, path, err));
    r1_model_free(m);
    R1_TRY(r1_file_read(path, MODEL_BYTES_MAX, &data, &len, err));
    r1_status st = r1_sum_write(path, data, len, err);
    free(data);
    return st;
}

r1_status r1_model_open_as(r1_model **out, const char *path, const char *json, uint64_t seed,
                           r1_err *err)
{
    uint64_t hash;
    R1_TRY(r1_description_hash(json, &hash, err));
    R1_TRY(r1_model_open(out, path, err));
    if (hash == (*out)->desc->schema_hash) return R1_OK;
    r1_status st = r1_model_change_heads(out, json, seed, err);
    if (st == R1_OK) return R1_OK;
    r1_err_prefix(err, "%s: ", path);
    r1_model_free(*out);
    *out = NULL;
    return st;
}

/* ---- what it says about itself --------------------------------------------------------------- */

const char *r1_model_name(const r1_model *m) { return m->desc->name; }
const char *r1_model_description(const r1_model *m) { return m->desc->text; }
uint64_t r1_model_schema_hash(const r1_model *m) { return m->desc->schema_hash; }

r1_status r1_description_hash(const char *description_json, uint64_t *hash, r1_err *err)
{
    r1_desc *d;
    R1_TRY(r1_desc_parse(&d, description_json, strlen(description_json), err));
    *hash = d->schema_hash;
    r1_desc_free(d);
    return R1_OK;
}

r1_status r1_model_check_schema(const r1_model *m, const char *description_json, r1_err *err)
{
    uint64_t hash;
    R1_TRY(r1_description_hash(description_json, &hash, err));
    if (hash != m->desc->schema_hash)
        R1_FAIL(err, R1_E_FORMAT,
                "model \"%s\" was trained with feature schema %016llx, expected %016llx",
                m->desc->name, (unsigned long long)m->desc->schema_hash, (unsigned long long)hash);
    return R1_OK;
}

size_t r1_model_n_item(const r1_model *m) { return m->desc->n_item; }

int r1_model_item(const r1_model *m, const char *name)
{
    for (uint32_t i = 0; i < m->desc->n_item; i++)
        if (strcmp(m->desc->item[i].name, name) == 0) return (int)i;
    return -1;
}

const char *r1_model_item_name(const r1_model *m, size_t item) { return m->desc->item[item].name; }
r1_item_kind r1_model_item_kind(const r1_model *m, size_t item) { return m->desc->item[item].kind; }
size_t r1_model_item_n_num(const r1_model *m, size_t item)
{
    return m->desc->item[item].kind == R1_ITEM_TABLE ? m->desc->item[item].row.n_num : 0;
}
const float *r1_model_item_edges(const r1_model *m, size_t item, size_t *n_edge)
{
    int16_t bins = r1_model_item_n_num(m, item) ? m->net.item[item].bins : -1;
    *n_edge = bins < 0 ? 0 : m->desc->item[item].row.n_bin + 1;
    return bins < 0 ? NULL : r1_model_weight(m, bins);
}

size_t r1_model_item_n_cat(const r1_model *m, size_t item) { return m->desc->item[item].row.n_cat; }
size_t r1_model_event_n_num(const r1_model *m) { return m->desc->event.n_num; }
size_t r1_model_event_n_cat(const r1_model *m) { return m->desc->event.n_cat; }
size_t r1_model_entry_width(const r1_model *m) { return m->desc->d_memory; }
size_t r1_model_d_align(const r1_model *m) { return m->desc->d_align; }
size_t r1_model_n_head(const r1_model *m) { return m->desc->n_headc; }
size_t r1_model_n_output(const r1_model *m) { return m->desc->n_output; }
const char *r1_model_head_name(const r1_model *m, size_t head) { return m->desc->head[head].name; }
float r1_model_beta(const r1_model *m) { return m->beta; }

r1_status r1_model_set_beta(r1_model *m, float beta, r1_err *err)
{
    if (!(beta >= 0 && beta <= 0.9f))
        R1_FAIL(err, R1_E_INVAL, "beta is %g, expected 0 to 0.9", (double)beta);
    m->beta = beta;
    return R1_OK;
}

r1_status r1_model_choose_beta(r1_model *m, double beta, r1_err *err)
{
    return beta == 0 ? R1_OK : r1_model_set_beta(m, beta == -1 ? 0 : (float)beta, err);
}

r1_calibration r1_model_calibration(const r1_model *m, size_t head) { return m->calibration[head]; }

r1_status r1_model_set_calibration(r1_model *m, size_t head, r1_calibration c, r1_err *err)
{
    if (head >= m->desc->n_headc || !(c.scale > 0 && c.scale < 1e6f) || !(fabsf(c.bias) < 1e6f))
        R1_FAIL(err, R1_E_INVAL,
                "calibration of head %zu: scale %g must be positive, bias %g finite", head,
                (double)c.scale, (double)c.bias);
    m->calibration[head] = c;
    return R1_OK;
}

r1_isotonic r1_model_isotonic(const r1_model *m, size_t head)
{
    const float *x = m->isotonic[head];
    return (r1_isotonic){m->n_isotonic[head], x, x ? x + m->n_isotonic[head] : NULL};
}

r1_status r1_model_set_isotonic(r1_model *m, size_t head, r1_isotonic map, r1_err *err)
{
    if (head >= m->desc->n_headc || (map.n && m->desc->head[head].kind != R1_HEAD_BINARY) ||
        map.n > R1_ISOTONIC_MAX)
        R1_FAIL(
            err, R1_E_INVAL,
            "isotonic calibration of head %zu with %u knots: expected a binary head and at most %d",
            head, map.n, R1_ISOTONIC_MAX);
    for (uint32_t i = 0; i < map.n; i++)
        if (!isfinite(map.x[i]) || !isfinite(map.y[i]) ||
            (i && (map.x[i] <= map.x[i - 1] || map.y[i] <= map.y[i - 1])))
            R1_FAIL(
                err, R1_E_INVAL,
                "isotonic calibration of head %zu: knot %u (%g, %g) is not finite or does not rise",
                head, i, (double)map.x[i], (double)map.y[i]);
    float *copy = map.n ? calloc(2 * (size_t)map.n, sizeof *copy) : NULL;
    if (map.n && !copy) R1_FAIL(err, R1_E_NOMEM, "model: out of memory");
    if (map.n)
        memcpy(copy, map.x, map.n * sizeof *copy),
            memcpy(copy + map.n, map.y, map.n * sizeof *copy);
    free(m->isotonic[head]);
    m->isotonic[head] = copy;
    m->n_isotonic[head] = map.n;
    return R1_OK;
}

void r1_model_uncalibrate(r1_model *m)
{
    for (uint32_t h = 0; h < m->desc->n_headc; h++) {
        m->calibration[h] = (r1_calibration){1, 0};
        free(m->isotonic[h]);
        m->isotonic[h] = NULL;
        m->n_isotonic[h] = 0;
    }
}

float r1_model_calibrated(const r1_model *m, size_t head, float logit)
{
    float v = m->calibration[head].scale * logit + m->calibration[head].bias;
    uint32_t n = m->n_isotonic[head], low = 0, high = n;
    if (n == 0 || !isfinite(v)) return v;
    const float *x = m->isotonic[head], *y = x + n;
    if (v <= x[0]) return y[0] + (v - x[0]);
    if (v >= x[n - 1]) return y[n - 1] + (v - x[n - 1]);
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        *(x[middle] <= v ? &low : &high) = middle;
    }
    return y[low] + (y[high] - y[low]) * ((v - x[low]) / (x[high] - x[low]));
}
