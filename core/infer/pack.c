/* SPDX-License-Identifier: Apache-2.0 */
/* pack.c - fills the inputs of a plan from samples. Every count, index and number that a sample
 * brings is checked here, before any op sees it; equal events and equal texts of a batch become
 * one row. */
#include "infer/pack.h"

#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- row map --------------------------------------------------------------------------------- */

static r1_status map_new(r1_rowmap *map, r1_arena *a, uint32_t cap, r1_err *err)
{
    uint32_t n = 64;
    while (n < 2 * cap + 2) n *= 2;
    map->mask = n - 1;
    map->key = r1_arena_alloc(a, n, sizeof *map->key);
    map->check = r1_arena_alloc(a, n, sizeof *map->check);
    map->stamp = r1_arena_alloc(a, n, sizeof *map->stamp);
    map->value = r1_arena_alloc(a, n, sizeof *map->value);
    if (!map->key || !map->check || !map->stamp || !map->value)
        R1_FAIL(err, R1_E_NOMEM, "session: out of memory");
    return R1_OK;
}

static void map_clear(r1_rowmap *map)
{
    if (++map->now != 0) return;
    memset(map->stamp, 0, (map->mask + (size_t)1) * sizeof *map->stamp);
    map->now = 1;
}

/* The value under a key; *fresh when it was not there, and the caller sets it. The map is never
 * full by its capacity. */
static uint32_t *map_at(r1_rowmap *map, uint64_t key, uint64_t check, bool *fresh)
{
    uint32_t i = (uint32_t)((key ^ check << 1) * 0x9e3779b97f4a7c15u >> 32) & map->mask;
    while (map->stamp[i] == map->now && (map->key[i] != key || map->check[i] != check))
        i = (i + 1) & map->mask;
    *fresh = map->stamp[i] != map->now;
    R1_DEEP_ASSERT(i <= map->mask && map->now, "session: cell %u of a map of %u", i, map->mask);
    map->stamp[i] = map->now;
    map->key[i] = key;
    map->check[i] = check;
    return &map->value[i];
}

/* ---- life ------------------------------------------------------------------------------------ */

static const r1_desc *pack_desc_of(const r1_pack *p) { return p->e->m->desc; }
static const r1_net *pack_net_of(const r1_pack *p) { return &p->e->m->net; }

/* Columns of an item's row at the end of its encoder. */
static uint32_t row_width(const r1_pack *p, uint32_t i)
{
    return pack_net_of(p)->plan.tensor[pack_net_of(p)->item[i].aligned].cols;
}

static uint32_t refs_of_sample(const r1_desc *d)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->n_item; i++)
        if (d->item[i].kind == R1_ITEM_MEMORY) n += d->item[i].n_ref_max;
    return n;
}

static uint32_t pad_rows(uint32_t n) { return (n + R1_ROW_PAD - 1) / R1_ROW_PAD * R1_ROW_PAD; }

void r1_pack_capacity(const r1_model *m, uint32_t n, uint32_t *cap)
{
    uint32_t refs = refs_of_sample(m->desc);
    r1_net_symbols(&m->net, m->desc, n, m->desc->has_event ? n * (refs + 1) : 0, cap);
    cap[R1_SYM_ENTRY] = pad_rows(cap[R1_SYM_EVENT]) + n * refs;
    for (uint32_t i = 0; i < m->desc->n_item; i++)
        if (m->desc->item[i].kind == R1_ITEM_TEXT) cap[m->net.item[i].sym_row] = pad_rows(n) + n;
}

static r1_status cache_new(r1_textcache *c, r1_arena *a, uint32_t n, uint32_t d, r1_err *err)
{
    uint32_t size = 1;
    while (size < n) size *= 2;
    c->mask = size - 1;
    c->key = r1_arena_alloc(a, size, sizeof *c->key);
    c->check = r1_arena_alloc(a, size, sizeof *c->check);
    c->row = r1_calloc_aligned((size_t)size * d, sizeof *c->row);
    if (!c->key || !c->check || !c->row)
        R1_FAIL(err, R1_E_NOMEM, "session: no memory for %u cached texts", size);
    return R1_OK;
}

static r1_status pack_reserve(r1_pack *p, uint32_t n_text_cache, r1_err *err)
{
    const r1_exec *e = p->e;
    r1_arena *a;
    uint32_t n = e->cap[R1_SYM_SEQ];
    R1_TRY(r1_arena_new(&a, SIZE_MAX, err));
    p->arena = a;
    R1_TRY(map_new(&p->events, a, e->cap[R1_SYM_ENTRY], err));
    R1_TRY(map_new(&p->texts, a, n * pack_desc_of(p)->n_item, err));
    p->gathered = r1_arena_alloc(a, e->cap[R1_SYM_ENTRY] + 1u, sizeof *p->gathered);
    p->stored = r1_arena_alloc(a, e->cap[R1_SYM_EVENT] + 1u, sizeof *p->stored);
    if (!p->gathered || !p->stored) R1_FAIL(err, R1_E_NOMEM, "session: out of memory");
    for (uint32_t i = 0; i < pack_desc_of(p)->n_item; i++) {
        if (pack_desc_of(p)->item[i].kind != R1_ITEM_TEXT) continue;
        p->new_key[i] = r1_arena_alloc(a, n, sizeof *p->new_key[i]);
        p->new_check[i] = r1_arena_alloc(a, n, sizeof *p->new_check[i]);
        if (!p->new_key[i] || !p->new_check[i]) R1_FAIL(err, R1_E_NOMEM, "session: out of memory");
        if (n_text_cache) R1_TRY(cache_new(&p->cache[i], a, n_text_cache, row_width(p, i), err));
    }
    return R1_OK;
}

r1_status r1_pack_new(r1_pack **out, r1_exec *e, uint32_t n_text_cache, r1_err *err)
{
    r1_pack *p = calloc(1, sizeof *p);
    if (!p) R1_FAIL(err, R1_E_NOMEM, "session: out of memory");
    p->e = e;
    r1_status st = pack_reserve(p, n_text_cache, err);
    if (st != R1_OK) {
        r1_pack_free(p);
        return st;
    }
    *out = p;
    return R1_OK;
}

void r1_pack_free(r1_pack *p)
{
    if (!p) return;
    for (uint32_t i = 0; i < R1_ITEMS_MAX; i++) free(p->cache[i].row);
    r1_arena_free(p->arena);
    free(p);
}

/* ---- rows of columns ------------------------------------------------------------------------- */

static void put_num(const r1_pack *p, int16_t t, uint32_t row, const float *from, uint32_t n)
{
    if (t < 0) return;
    float *to = (float *)r1_exec_ptr(p->e, t) + (size_t)row * n;
    for (uint32_t c = 0; c < n; c++) to[c] = from ? from[c] : NAN;
}

static void put_cat(const r1_pack *p, int16_t t, uint32_t row, const int32_t *from, uint32_t n)
{
    if (t < 0) return;
    int32_t *to = (int32_t *)r1_exec_ptr(p->e, t) + (size_t)row * n;
    for (uint32_t c = 0; c < n; c++) to[c] = from ? from[c] : -1;
}

static int32_t *pack_ints(const r1_pack *p, int16_t t) { return r1_exec_ptr(p->e, t); }

static r1_status fill_table(const r1_pack *p, uint32_t i, uint32_t b, const r1_item *in, bool shown,
                            r1_err *err)
{
    const r1_row_desc *r = &pack_desc_of(p)->item[i].row;
    const r1_item_io *io = &pack_net_of(p)->item[i];
    if (shown && ((r->n_num && !in->num) || (r->n_cat && !in->cat)))
        R1_FAIL(err, R1_E_INVAL, "sample %u, item \"%s\": columns are NULL", b,
                pack_desc_of(p)->item[i].name);
    put_num(p, io->num, b, shown ? in->num : NULL, r->n_num);
    put_cat(p, io->cat, b, shown ? in->cat : NULL, r->n_cat);
    pack_ints(p, io->map)[b] = shown ? (int32_t)b : -1;
    return R1_OK;
}

/* ---- graph ----------------------------------------------------------------------------------- */

static r1_status check_graph(const r1_item_desc *it, uint32_t b, const r1_item *in, r1_err *err)
{
    if (in->n_node > it->n_node_max || in->n_edge > it->n_edge_max)
        R1_FAIL(err, R1_E_INVAL, "sample %u, item \"%s\": %u nodes and %u edges, at most %u and %u",
                b, it->name, in->n_node, in->n_edge, it->n_node_max, it->n_edge_max);
    if ((in->n_node && (!in->node || !in->mark)) ||
        (in->n_edge && (!in->edge || !in->src || !in->dst)))
        R1_FAIL(err, R1_E_INVAL, "sample %u, item \"%s\": arrays are NULL", b, it->name);
    for (uint32_t j = 0; j < in->n_edge; j++)
        if (in->src[j] < 0 || in->dst[j] < 0 || (uint32_t)in->src[j] >= in->n_node ||
            (uint32_t)in->dst[j] >= in->n_node)
            R1_FAIL(err, R1_E_INVAL, "sample %u, item \"%s\": edge %u joins %d and %d of %u nodes",
                    b, it->name, j, in->src[j], in->dst[j], in->n_node);
    return R1_OK;
}

/* log(1 + degree) / degree: a mean that still knows how many there were. */
static void fill_scale(float *scale, const int32_t *src, const int32_t *dst, uint32_t n_edge,
                       uint32_t node0, uint32_t n_node)
{
    for (uint32_t j = 0; j < n_edge; j++) {
        scale[2 * (size_t)dst[j]] += 1;
        scale[2 * (size_t)src[j] + 1] += 1;
    }
    for (size_t k = 2 * (size_t)node0; k < 2 * (size_t)(node0 + n_node); k++)
        scale[k] = scale[k] > 0 ? log1pf(scale[k]) / scale[k] : 0;
}

static r1_status pack_fill_graph(r1_pack *p, uint32_t i, uint32_t b, const r1_item *in, bool shown,
                                 r1_err *err)
{
    const r1_item_desc *it = &pack_desc_of(p)->item[i];
    const r1_item_io *io = &pack_net_of(p)->item[i];
    uint32_t *n_node = &p->e->sym[io->sym_a], *n_edge = &p->e->sym[io->sym_b], node0 = *n_node,
             edge0 = *n_edge;
    shown = shown && in->n_node > 0;
    pack_ints(p, io->map)[b] = shown ? (int32_t)b : -1;
    if (shown) {
        R1_TRY(check_graph(it, b, in, err));
        R1_ASSERT(node0 + in->n_node <= p->e->cap[io->sym_a] &&
                      edge0 + in->n_edge <= p->e->cap[io->sym_b],
                  "session: nodes %u of %u, edges %u of %u", node0 + in->n_node,
                  p->e->cap[io->sym_a], edge0 + in->n_edge, p->e->cap[io->sym_b]);
        memcpy((float *)r1_exec_ptr(p->e, io->node) + (size_t)node0 * it->row.n_num, in->node,
               (size_t)in->n_node * it->row.n_num * sizeof(float));
        if (in->n_edge)
            memcpy((float *)r1_exec_ptr(p->e, io->edge) + (size_t)edge0 * it->n_edge_feature,
                   in->edge, (size_t)in->n_edge * it->n_edge_feature * sizeof(float));
        float *scale = r1_exec_ptr(p->e, io->scale);
        for (uint32_t j = 0; j < in->n_node; j++) {
            pack_ints(p, io->mark)[node0 + j] = in->mark[j];
            scale[2 * (size_t)(node0 + j)] = scale[2 * (size_t)(node0 + j) + 1] = 0;
        }
        int32_t *src = pack_ints(p, io->src) + edge0, *dst = pack_ints(p, io->dst) + edge0;
        for (uint32_t j = 0; j < in->n_edge; j++) {
            src[j] = in->src[j] + (int32_t)node0;
            dst[j] = in->dst[j] + (int32_t)node0;
        }
        fill_scale(scale, src, dst, in->n_edge, node0, in->n_node);
        *n_node += in->n_node;
        *n_edge += in->n_edge;
    }
    pack_ints(p, io->off)[b + 1] = (int32_t)*n_node;
    pack_ints(p, io->edge_off)[b + 1] = (int32_t)*n_edge;
    return R1_OK;
}

/* ---- text ------------------------------------------------------------------------------------ */

static void pack_tokenize(r1_pack *p, uint32_t i, const r1_item *in)
{
    const r1_item_desc *it = &pack_desc_of(p)->item[i];
    const r1_item_io *io = &pack_net_of(p)->item[i];
    int32_t id[2048];
    uint32_t *n_text = &p->e->sym[io->sym_a], *n_token = &p->e->sym[io->sym_b];
    size_t n = r1_bpe_encode(p->e->m->bpe[i], in->text, in->text_bytes, id, it->n_token_max);
    int32_t *to = pack_ints(p, io->token) + 2 * (size_t)*n_token;
    for (size_t k = 0; k < n; k++) {
        to[2 * k] = id[k];
        to[2 * k + 1] = (int32_t)k;
    }
    *n_token += (uint32_t)n;
    R1_ASSERT(*n_token <= p->e->cap[io->sym_b] && *n_text < p->e->cap[io->sym_a],
              "session: text %u of %u, tokens %u of %u", *n_text, p->e->cap[io->sym_a], *n_token,
              p->e->cap[io->sym_b]);
    pack_ints(p, io->tok_off)[++*n_text] = (int32_t)*n_token;
}

static r1_status fill_text(r1_pack *p, uint32_t i, uint32_t b, const r1_item *in, bool shown,
                           r1_err *err)
{
    const r1_item_io *io = &pack_net_of(p)->item[i];
    int32_t *map = &pack_ints(p, io->map)[b];
    *map = -1;
    if (!shown || in->text_bytes == 0) return R1_OK;
    if (!in->text)
        R1_FAIL(err, R1_E_INVAL, "sample %u, item \"%s\": text is NULL", b,
                pack_desc_of(p)->item[i].name);
    uint64_t key = r1_hash64(in->text, in->text_bytes, 1 + i),
             check = r1_hash64(in->text, in->text_bytes, ~key);
    bool fresh;
    uint32_t *row = map_at(&p->texts, key, check + i, &fresh);
    if (fresh) {
        const r1_textcache *c = &p->cache[i];
        uint32_t at = (uint32_t)(key >> 7) & c->mask;
        if (c->row && c->key[at] == key && c->check[at] == (check | 1)) {
            /* sym_row counts the cached ones until finish() */
            *row = pad_rows(p->e->cap[R1_SYM_SEQ]) + p->e->sym[io->sym_row]++;
            size_t d = row_width(p, i);
            R1_ASSERT(*row < p->e->cap[io->sym_row], "session: cached text in row %u of %u", *row,
                      p->e->cap[io->sym_row]);
            memcpy((float *)r1_exec_ptr(p->e, io->aligned) + *row * d, c->row + at * d,
                   d * sizeof(float));
        } else {
            *row = p->n_new_text[i]++;
            p->new_key[i][*row] = key;
            p->new_check[i][*row] = check | 1;
            pack_tokenize(p, i, in);
        }
    }
    *map = (int32_t)*row;
    return R1_OK;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static uint32_t add_event(r1_pack *p, r1_event ev, uint64_t handle)
{
    uint32_t row = p->e->sym[R1_SYM_EVENT]++;
    R1_ASSERT(row < p->e->cap[R1_SYM_EVENT], "session: event in row %u of %u", row,
              p->e->cap[R1_SYM_EVENT]);
    put_num(p, pack_net_of(p)->event_num, row, ev.num, pack_desc_of(p)->event.n_num);
    put_cat(p, pack_net_of(p)->event_cat, row, ev.cat, pack_desc_of(p)->event.n_cat);
    p->stored[row] = handle;
    return row;
}

/* Row of the entry that a reference names. */
static r1_status entry_row(r1_pack *p, const r1_pack_source *src, uint64_t ref, uint32_t b,
                           uint32_t *row, r1_err *err)
{
    bool fresh;
    if (!src->pool && (!src->event || ref >= src->n_event))
        R1_FAIL(err, R1_E_INVAL, "sample %u: reference %llu, the batch has %llu events", b,
                (unsigned long long)ref, (unsigned long long)src->n_event);
    uint32_t *at = map_at(&p->events, ref, 0, &fresh);
    if (fresh && src->pool) {
        *at = p->gather_base + p->n_gathered;
        R1_ASSERT(*at < p->e->cap[R1_SYM_ENTRY], "session: entry of the pool in row %u of %u", *at,
                  p->e->cap[R1_SYM_ENTRY]);
        p->gathered[p->n_gathered++] = ref;
    } else if (fresh) {
        *at = add_event(p, src->event(src->event_ctx, ref), 0);
    }
    *row = *at;
    return R1_OK;
}

static r1_status fill_ref(r1_pack *p, const r1_pack_source *src, uint32_t i, uint32_t b,
                          const r1_item *in, uint32_t j, r1_err *err)
{
    const r1_item_desc *it = &pack_desc_of(p)->item[i];
    const r1_item_io *io = &pack_net_of(p)->item[i];
    uint32_t row = 0, at = p->e->sym[io->sym_a], bucket = in->bucket ? in->bucket[j] : 0;
    float weight = in->log_weight ? in->log_weight[j] : 0;
    if (bucket >= it->n_bucket || !(fabsf(weight) <= 20))
        R1_FAIL(err, R1_E_INVAL,
                "sample %u, item \"%s\": bucket %u of %u, log weight %g (within 20)", b, it->name,
                bucket, it->n_bucket, (double)weight);
    R1_TRY(entry_row(p, src, in->ref[j], b, &row, err));
    R1_ASSERT(at < p->e->cap[io->sym_a], "session: reference %u of %u", at, p->e->cap[io->sym_a]);
    pack_ints(p, io->index)[at] = (int32_t)row;
    pack_ints(p, io->bucket)[at] = (int32_t)bucket;
    ((float *)r1_exec_ptr(p->e, io->log_weight))[at] = weight;
    p->e->sym[io->sym_a]++;
    return R1_OK;
}

static r1_status fill_memory(r1_pack *p, const r1_pack_source *src, uint32_t i, uint32_t b,
                             const r1_item *in, bool shown, r1_err *err)
{
    const r1_item_desc *it = &pack_desc_of(p)->item[i];
    const r1_item_io *io = &pack_net_of(p)->item[i];
    uint32_t n = shown ? in->n_ref : 0;
    if (n > it->n_ref_max || (n && !in->ref))
        R1_FAIL(err, R1_E_INVAL, "sample %u, item \"%s\": %u references, at most %u", b, it->name,
                n, it->n_ref_max);
    for (uint32_t j = 0; j < n; j++) R1_TRY(fill_ref(p, src, i, b, in, j, err));
    pack_ints(p, io->map)[b] = n ? (int32_t)b : -1;
    pack_ints(p, io->count)[b] = (int32_t)n;
    pack_ints(p, io->ref_off)[b + 1] = (int32_t)p->e->sym[io->sym_a];
    return R1_OK;
}

/* ---- a batch --------------------------------------------------------------------------------- */

static void pack_begin(r1_pack *p, uint32_t n)
{
    r1_exec *e = p->e;
    const r1_net *net = pack_net_of(p);
    memset(e->sym, 0, sizeof e->sym);
    e->sym[R1_SYM_ONE] = 1;
    e->sym[R1_SYM_SEQ] = n;
    p->n_gathered = 0;
    p->gather_base = pad_rows(e->cap[R1_SYM_EVENT]);
    map_clear(&p->events);
    map_clear(&p->texts);
    memset(p->n_new_text, 0, sizeof p->n_new_text);
    for (uint32_t b = 0; b <= n; b++) {
        pack_ints(p, net->seq_off)[b] = (int32_t)b;
        pack_ints(p, net->trunk_off)[b] = (int32_t)(b * net->n_position);
    }
    for (uint32_t r = 0; r < n * net->n_position; r++)
        pack_ints(p, net->trunk_count)[r] = (int32_t)(r % net->n_position) + 1;
    for (uint32_t i = 0; i < pack_desc_of(p)->n_item; i++) {
        const r1_item_io *io = &net->item[i];
        if (io->off >= 0) pack_ints(p, io->off)[0] = pack_ints(p, io->edge_off)[0] = 0;
        if (io->ref_off >= 0) pack_ints(p, io->ref_off)[0] = 0;
        if (io->tok_off >= 0) pack_ints(p, io->tok_off)[0] = 0;
    }
}

static r1_status check_event(const r1_pack *p, const r1_event *e, uint32_t i, r1_err *err)
{
    const r1_row_desc *d = &pack_desc_of(p)->event;
    if (pack_desc_of(p)->has_event && (!d->n_num || e->num) && (!d->n_cat || e->cat)) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "sample %u: an entry's handle without its event", i);
}

static r1_status own_events(r1_pack *p, const r1_pack_source *src, r1_err *err)
{
    bool fresh;
    for (uint32_t b = 0; src->pool && b < src->n_sample; b++) {
        const r1_sample *s = &src->sample[b];
        if (!s->event_handle) continue;
        R1_TRY(check_event(p, &s->event, b, err));
        uint32_t *row = map_at(&p->events, s->event_handle, 0, &fresh);
        if (!fresh) R1_FAIL(err, R1_E_INVAL, "sample %u: an entry's handle twice", b);
        *row = add_event(p, s->event, s->event_handle);
    }
    return R1_OK;
}

static r1_status pack_fill_item(r1_pack *p, const r1_pack_source *src, uint32_t i, uint32_t b,
                                r1_err *err)
{
    const r1_item *in = &src->sample[b].item[i];
    bool hidden = (src->items_off >> i & 1) || (src->drop && (src->drop[b] >> i & 1)),
         shown = in->present && !hidden;
    switch (pack_desc_of(p)->item[i].kind) {
    case R1_ITEM_TABLE: return fill_table(p, i, b, in, shown, err);
    case R1_ITEM_TEXT: return fill_text(p, i, b, in, shown, err);
    case R1_ITEM_GRAPH: return pack_fill_graph(p, i, b, in, shown, err);
    case R1_ITEM_MEMORY: return fill_memory(p, src, i, b, in, shown, err);
    }
    return R1_OK;
}

/* Row counts that only now are known. Cached texts and gathered entries lie above what the
 * capacities allow to be made in one run, so that padding rows of a product never touch them. */
static void pack_finish(r1_pack *p)
{
    r1_exec *e = p->e;
    uint32_t events = e->sym[R1_SYM_EVENT];
    for (uint32_t k = 0; k < R1_SYMBOLS_MAX; k++)
        R1_ASSERT(e->sym[k] <= e->cap[k] || k == R1_SYM_ONE, "session: symbol %u is %u of %u", k,
                  e->sym[k], e->cap[k]);
    e->sym[R1_SYM_ENTRY] = p->n_gathered ? p->gather_base + p->n_gathered : events;
    for (uint32_t i = 0; i < pack_desc_of(p)->n_item; i++) {
        const r1_item_io *io = &pack_net_of(p)->item[i];
        if (pack_desc_of(p)->item[i].kind != R1_ITEM_TEXT) continue;
        uint32_t cached = e->sym[io->sym_row];
        e->sym[io->sym_row] = cached ? pad_rows(e->cap[R1_SYM_SEQ]) + cached : e->sym[io->sym_a];
    }
}

static r1_status pack_upload(r1_pack *p, r1_err *err)
{
    R1_TRY(r1_exec_upload_inputs(p->e, err));
    for (uint32_t i = 0; i < pack_desc_of(p)->n_item; i++) {
        const r1_item_io *io = &pack_net_of(p)->item[i];
        uint32_t base = pad_rows(p->e->cap[R1_SYM_SEQ]), rows = p->e->sym[io->sym_row];
        if (pack_desc_of(p)->item[i].kind == R1_ITEM_TEXT && rows > base)
            R1_TRY(r1_exec_upload_rows(p->e, io->aligned, base, rows - base, err));
    }
    return R1_OK;
}

r1_status r1_pack_fill(r1_pack *p, const r1_pack_source *src, r1_err *err)
{
    R1_ASSERT(src->n_sample <= p->e->cap[R1_SYM_SEQ],
              "session: a piece of %zu samples, room for %u", src->n_sample, p->e->cap[R1_SYM_SEQ]);
    pack_begin(p, (uint32_t)src->n_sample);
    R1_TRY(own_events(p, src, err));
    for (uint32_t b = 0; b < src->n_sample; b++)
        for (uint32_t i = 0; i < pack_desc_of(p)->n_item; i++)
            R1_TRY(pack_fill_item(p, src, i, b, err));
    pack_finish(p);
    return pack_upload(p, err);
}

r1_status r1_pack_events(r1_pack *p, const r1_event *event, const uint64_t *handle, uint32_t n,
                         r1_err *err)
{
    R1_ASSERT(n <= p->e->cap[R1_SYM_EVENT], "session: %u events, room for %u", n,
              p->e->cap[R1_SYM_EVENT]);
    pack_begin(p, 0);
    for (uint32_t i = 0; i < n; i++) {
        R1_TRY(check_event(p, &event[i], i, err));
        add_event(p, event[i], handle[i]);
    }
    pack_finish(p);
    return pack_upload(p, err);
}

r1_status r1_pack_gather(r1_pack *p, r1_memory *pool, r1_err *err)
{
    if (!p->n_gathered) return R1_OK;
    size_t width = 2 * (size_t)pack_desc_of(p)->d_memory;
    float *to = (float *)r1_exec_ptr(p->e, pack_net_of(p)->entry) + p->gather_base * width;
    for (uint32_t j = 0; j < p->n_gathered; j++, to += width) {
        if (!r1_memory_read(pool, p->gathered[j], to))
            R1_FAIL(err, R1_E_INVAL, "reference %016llx names no entry of the pool",
                    (unsigned long long)p->gathered[j]);
    }
    return r1_exec_upload_rows(p->e, pack_net_of(p)->entry, p->gather_base, p->n_gathered, err);
}

r1_status r1_pack_download_texts(r1_pack *p, r1_err *err)
{
    for (uint32_t i = 0; i < pack_desc_of(p)->n_item; i++)
        if (p->n_new_text[i])
            R1_TRY(r1_exec_download_rows(p->e, pack_net_of(p)->item[i].aligned, 0, p->n_new_text[i],
                                         err));
    return R1_OK;
}

void r1_pack_remember(r1_pack *p)
{
    for (uint32_t i = 0; i < pack_desc_of(p)->n_item; i++) {
        r1_textcache *c = &p->cache[i];
        if (!c->row || !p->n_new_text[i]) continue;
        int16_t t = pack_net_of(p)->item[i].aligned;
        size_t d = row_width(p, i);
        const float *from = r1_exec_ptr(p->e, t);
        for (uint32_t r = 0; r < p->n_new_text[i]; r++) {
            uint32_t at = (uint32_t)(p->new_key[i][r] >> 7) & c->mask;
            c->key[at] = p->new_key[i][r];
            c->check[at] = p->new_check[i][r];
            memcpy(c->row + at * d, from + r * d, d * sizeof(float));
        }
    }
}
