/* SPDX-License-Identifier: Apache-2.0 */
/* desc.c - JSON to r1_desc: every field has a range, every member must be known, names are
 * unique. Also the hash of the feature schema, which covers what an application must feed
 * (kinds, names, sizes) and not how wide the model is. */
#include "model/desc.h"

#include "file/json.h"
#include "r1_backend.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    r1_desc *d;
    const char *where;
    r1_err *err;
} parser;

static r1_status desc_number(parser *p, const r1_json *o, const char *name, double def, double min,
                             double max, double *out)
{
    const r1_json *v = r1_json_member(o, name);
    *out = v ? v->num : def;
    if ((v && v->type != R1_JSON_NUMBER) || *out < min || *out > max)
        R1_FAIL(p->err, R1_E_FORMAT, "description, %s: \"%s\" must be a number from %g to %g",
                p->where, name, min, max);
    return R1_OK;
}

static r1_status desc_integer(parser *p, const r1_json *o, const char *name, uint32_t def,
                              uint32_t min, uint32_t max, uint32_t *out)
{
    double v;
    R1_TRY(desc_number(p, o, name, def, min, max, &v));
    *out = (uint32_t)v;
    if ((double)*out != v)
        R1_FAIL(p->err, R1_E_FORMAT, "description, %s: \"%s\" must be a whole number", p->where,
                name);
    return R1_OK;
}

static r1_status desc_boolean(parser *p, const r1_json *o, const char *name, bool def, bool *out)
{
    const r1_json *v = r1_json_member(o, name);
    if (v && v->type != R1_JSON_BOOL)
        R1_FAIL(p->err, R1_E_FORMAT, "description, %s: \"%s\" must be true or false", p->where,
                name);
    *out = v ? v->num != 0 : def;
    return R1_OK;
}

static r1_status desc_text(parser *p, const r1_json *v, const char *what, const char **out)
{
    if (!v || v->type != R1_JSON_STRING || !v->str[0] || strlen(v->str) > R1_NAME_MAX)
        R1_FAIL(p->err, R1_E_FORMAT, "description, %s: %s must be a string of 1 to %d bytes",
                p->where, what, R1_NAME_MAX);
    *out = v->str;
    return R1_OK;
}

/* A list of column names; categorical ones are objects {"name", "n"}. */
static r1_status desc_columns(parser *p, const r1_json *o, const char *member, bool cat,
                              r1_column **out, uint32_t *n)
{
    const r1_json *list = r1_json_member(o, member);
    *n = list ? list->count : 0;
    if (!list) return R1_OK;
    if (list->type != R1_JSON_ARRAY || list->count > R1_COLUMNS_MAX)
        R1_FAIL(p->err, R1_E_FORMAT, "description, %s: \"%s\" must be a list of at most %d columns",
                p->where, member, R1_COLUMNS_MAX);
    *out = r1_arena_alloc(p->d->arena, *n + 1, sizeof **out);
    if (!*out) R1_FAIL(p->err, R1_E_NOMEM, "description: out of memory");
    uint32_t i = 0;
    for (const r1_json *v = list->child; v; v = v->next, i++) {
        uint32_t values = 0;
        R1_TRY(
            desc_text(p, cat ? r1_json_member(v, "name") : v, "a column's name", &(*out)[i].name));
        if (cat) R1_TRY(desc_integer(p, v, "n", 0, 1, 1 << 20, &values));
        (*out)[i].n = (int32_t)values;
        for (uint32_t k = 0; k < i; k++)
            if (strcmp((*out)[k].name, (*out)[i].name) == 0)
                R1_FAIL(p->err, R1_E_FORMAT, "description, %s: column \"%s\" twice", p->where,
                        (*out)[i].name);
    }
    return R1_OK;
}

static r1_status desc_row(parser *p, const r1_json *o, r1_row_desc *r)
{
    R1_TRY(desc_columns(p, o, "num", false, &r->num, &r->n_num));
    R1_TRY(desc_columns(p, o, "cat", true, &r->cat, &r->n_cat));
    if (r->n_num + r->n_cat == 0)
        R1_FAIL(p->err, R1_E_FORMAT, "description, %s: no columns", p->where);
    R1_TRY(desc_integer(p, o, "n_bin", 12, 1, 64, &r->n_bin));
    R1_TRY(desc_integer(p, o, "d_cat", 8, 1, 256, &r->d_cat));
    return desc_integer(p, o, "hidden", 64, 1, 4096, &r->hidden);
}

static r1_status desc_graph_item(parser *p, const r1_json *o, r1_item_desc *it)
{
    R1_TRY(desc_columns(p, o, "node", false, &it->row.num, &it->row.n_num));
    R1_TRY(desc_columns(p, o, "edge", false, &it->edge, &it->n_edge_feature));
    if (!it->row.n_num || !it->n_edge_feature)
        R1_FAIL(p->err, R1_E_FORMAT, "description, %s: needs \"node\" and \"edge\" features",
                p->where);
    R1_TRY(desc_integer(p, o, "n_node_max", 64, 1, 4096, &it->n_node_max));
    R1_TRY(desc_integer(p, o, "n_edge_max", 64, 1, 8192, &it->n_edge_max));
    R1_TRY(desc_integer(p, o, "hidden", 32, 1, 1024, &it->hidden));
    return desc_integer(p, o, "n_layer", 2, 1, 8, &it->n_layer);
}

static r1_status desc_text_item(parser *p, const r1_json *o, r1_item_desc *it)
{
    R1_TRY(desc_integer(p, o, "n_vocab", 512, 257, 32768, &it->n_vocab));
    R1_TRY(desc_integer(p, o, "n_token_max", 32, 1, 2048, &it->n_token_max));
    R1_TRY(desc_integer(p, o, "hidden", 64, 4, 2048, &it->hidden));
    R1_TRY(desc_integer(p, o, "n_layer", 1, 1, 12, &it->n_layer));
    R1_TRY(desc_integer(p, o, "n_head", 4, 1, R1_HEADS_MAX * 2, &it->n_head));
    if (it->hidden % it->n_head)
        R1_FAIL(p->err, R1_E_FORMAT, "description, %s: hidden must divide by n_head", p->where);
    return R1_OK;
}

static r1_status desc_memory_item(parser *p, const r1_json *o, r1_item_desc *it, uint32_t index)
{
    const char *query;
    R1_TRY(desc_text(p, r1_json_member(o, "query"), "\"query\"", &query));
    it->query = -1;
    for (uint32_t i = 0; i < index; i++)
        if (strcmp(p->d->item[i].name, query) == 0) it->query = (int)i;
    if (it->query < 0)
        R1_FAIL(p->err, R1_E_FORMAT, "description, %s: query \"%s\" is no earlier item", p->where,
                query);
    if (!p->d->has_event)
        R1_FAIL(p->err, R1_E_FORMAT, "description, %s: memory needs \"event\"", p->where);
    R1_TRY(desc_integer(p, o, "n_ref_max", 32, 1, 4096, &it->n_ref_max));
    return desc_integer(p, o, "n_bucket", 1, 1, 256, &it->n_bucket);
}

static r1_status desc_item(parser *p, const r1_json *o, uint32_t index)
{
    r1_item_desc *it = &p->d->item[index];
    const char *kind;
    p->where = "items";
    R1_TRY(desc_text(p, r1_json_member(o, "name"), "an item's \"name\"", &it->name));
    p->where = it->name;
    for (uint32_t i = 0; i < index; i++)
        if (strcmp(p->d->item[i].name, it->name) == 0)
            R1_FAIL(p->err, R1_E_FORMAT, "description: item \"%s\" twice", it->name);
    R1_TRY(desc_text(p, r1_json_member(o, "kind"), "\"kind\"", &kind));
    static const char *const kinds[] = {"table", "text", "graph", "memory"};
    for (int k = 0; k < 4; k++)
        if (strcmp(kind, kinds[k]) == 0) {
            it->kind = (r1_item_kind)k;
            if (k == R1_ITEM_TABLE) return desc_row(p, o, &it->row);
            if (k == R1_ITEM_TEXT) return desc_text_item(p, o, it);
            if (k == R1_ITEM_GRAPH) return desc_graph_item(p, o, it);
            return desc_memory_item(p, o, it, index);
        }
    R1_FAIL(p->err, R1_E_FORMAT,
            "description, %s: kind \"%s\", expected table, text, graph or memory", it->name, kind);
}

static r1_status desc_head(parser *p, const r1_json *o, uint32_t index)
{
    r1_head_desc *h = &p->d->head[index];
    const char *kind;
    p->where = "heads";
    R1_TRY(desc_text(p, r1_json_member(o, "name"), "a head's \"name\"", &h->name));
    R1_TRY(desc_text(p, r1_json_member(o, "kind"), "\"kind\"", &kind));
    static const char *const kinds[] = {"binary", "rank", "class"};
    int k = 0;
    while (k < 3 && strcmp(kind, kinds[k]) != 0) k++;
    if (k == 3)
        R1_FAIL(p->err, R1_E_FORMAT,
                "description, head %s: kind \"%s\", expected binary, rank or class", h->name, kind);
    h->kind = (r1_head_kind)k;
    h->n = 1;
    if (k == R1_HEAD_CLASS) R1_TRY(desc_integer(p, o, "n", 0, 2, 1024, &h->n));
    h->output = p->d->n_output;
    p->d->n_output += h->n;
    return R1_OK;
}

static r1_status desc_event(parser *p, const r1_json *root)
{
    const r1_json *o = r1_json_member(root, "event");
    if (!o) return R1_OK;
    p->where = "event";
    p->d->has_event = true;
    R1_TRY(desc_row(p, o, &p->d->event));
    R1_TRY(desc_integer(p, o, "d_memory", 64, 4, 1024, &p->d->d_memory));
    R1_TRY(desc_integer(p, o, "n_head", 4, 1, 16, &p->d->n_head_memory));
    if (p->d->d_memory % p->d->n_head_memory)
        R1_FAIL(p->err, R1_E_FORMAT, "description, event: d_memory must divide by n_head");
    return R1_OK;
}

static r1_status desc_widths(parser *p, const r1_json *root)
{
    r1_desc *d = p->d;
    double beta, step;
    p->where = "model";
    R1_TRY(desc_text(p, r1_json_member(root, "name"), "\"name\"", &d->name));
    R1_TRY(desc_integer(p, root, "d_align", 512, 8, 4096, &d->d_align));
    R1_TRY(desc_integer(p, root, "d_model", 96, 8, 4096, &d->d_model));
    R1_TRY(desc_integer(p, root, "n_layer", 2, 1, 48, &d->n_layer));
    R1_TRY(desc_integer(p, root, "n_head", 4, 1, 16, &d->n_head));
    R1_TRY(desc_integer(p, root, "n_head_cross", 4, 1, 16, &d->n_head_cross));
    R1_TRY(desc_integer(p, root, "d_ff", 2 * d->d_model, 1, 16384, &d->d_ff));
    R1_TRY(desc_integer(p, root, "d_context", 16, 1, 1024, &d->d_context));
    R1_TRY(desc_number(p, root, "beta", 0.3, 0, 0.9, &beta));
    R1_TRY(desc_number(p, root, "step_loss", 0.2, 0, 10, &step));
    d->beta = (float)beta;
    d->step_loss = (float)step;
    R1_TRY(desc_boolean(p, root, "cawa_length", true, &d->cawa_length));
    R1_TRY(desc_boolean(p, root, "cawa_context", true, &d->cawa_context));
    R1_TRY(desc_integer(p, root, "cawa_rank", 0, 0, R1_ATTEND_RANK_MAX, &d->cawa_rank));
    if (d->d_model % d->n_head || d->d_model % d->n_head_cross)
        R1_FAIL(p->err, R1_E_FORMAT, "description: d_model must divide by n_head and n_head_cross");
    return R1_OK;
}

static r1_status desc_lists(parser *p, const r1_json *root)
{
    r1_desc *d = p->d;
    const r1_json *items = r1_json_member(root, "items"), *heads = r1_json_member(root, "heads");
    if (!items || items->type != R1_JSON_ARRAY || items->count < 1 || items->count > R1_ITEMS_MAX)
        R1_FAIL(p->err, R1_E_FORMAT, "description: \"items\" must be a list of 1 to %d",
                R1_ITEMS_MAX);
    if (!heads || heads->type != R1_JSON_ARRAY || heads->count < 1 || heads->count > R1_HEADS_MAX)
        R1_FAIL(p->err, R1_E_FORMAT, "description: \"heads\" must be a list of 1 to %d",
                R1_HEADS_MAX);
    for (const r1_json *o = items->child; o; o = o->next, d->n_item++)
        R1_TRY(desc_item(p, o, d->n_item));
    for (const r1_json *o = heads->child; o; o = o->next, d->n_headc++)
        R1_TRY(desc_head(p, o, d->n_headc));
    const char *unknown = r1_json_unseen(root);
    if (unknown)
        R1_FAIL(p->err, R1_E_FORMAT, "description: member \"%s\" is not known here", unknown);
    return R1_OK;
}

/* ---- schema hash ----------------------------------------------------------------------------- */

static uint64_t mix_text(uint64_t h, const char *s) { return r1_hash64(s, strlen(s) + 1, h); }

static uint64_t mix_int(uint64_t h, uint32_t v)
{
    uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    return r1_hash64(b, sizeof b, h);
}

static uint64_t mix_columns(uint64_t h, const r1_column *c, uint32_t n)
{
    h = mix_int(h, n);
    for (uint32_t i = 0; i < n; i++) h = mix_int(mix_text(h, c[i].name), (uint32_t)c[i].n);
    return h;
}

static uint64_t item_hash(const r1_desc *d)
{
    uint64_t h = mix_int(0, d->has_event);
    if (d->has_event)
        h = mix_columns(mix_columns(h, d->event.num, d->event.n_num), d->event.cat, d->event.n_cat);
    for (uint32_t i = 0; i < d->n_item; i++) {
        const r1_item_desc *it = &d->item[i];
        h = mix_int(mix_text(h, it->name), it->kind);
        h = mix_columns(mix_columns(h, it->row.num, it->row.n_num), it->row.cat, it->row.n_cat);
        h = mix_columns(h, it->edge, it->n_edge_feature);
        if (it->kind == R1_ITEM_MEMORY)
            h = mix_int(mix_text(h, d->item[it->query].name), it->n_bucket);
    }
    return h;
}

static uint64_t schema_hash(const r1_desc *d)
{
    uint64_t h = d->item_hash;
    for (uint32_t i = 0; i < d->n_headc; i++)
        h = mix_int(mix_int(mix_text(h, d->head[i].name), d->head[i].kind), d->head[i].n);
    return h;
}

r1_status r1_desc_parse(r1_desc **out, const char *json, size_t len, r1_err *err)
{
    r1_desc *d = calloc(1, sizeof *d);
    if (!d) R1_FAIL(err, R1_E_NOMEM, "description: out of memory");
    parser p = {d, "model", err};
    r1_json *root = NULL;
    r1_status st = r1_arena_new(&d->arena, 64u << 20, err);
    if (st == R1_OK) st = r1_json_parse(d->arena, json, len, &root, err);
    if (st == R1_OK) st = desc_widths(&p, root);
    if (st == R1_OK) st = desc_event(&p, root);
    if (st == R1_OK) st = desc_lists(&p, root);
    if (st == R1_OK && !(d->text = r1_arena_strdup(d->arena, json, len)))
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "description: out of memory");
    if (st != R1_OK) {
        r1_desc_free(d);
        return st;
    }
    d->item_hash = item_hash(d);
    d->schema_hash = schema_hash(d);
    *out = d;
    return R1_OK;
}

void r1_desc_free(r1_desc *d)
{
    if (!d) return;
    r1_arena_free(d->arena);
    free(d);
}
