/* SPDX-License-Identifier: Apache-2.0 */
/* desc.h - a model's description in memory: what r1_sample.h documents as JSON, checked and
 * bounded.
 *
 * Owns: an arena with all names and the text itself. Immutable after parsing. */
#ifndef R1_DESC_H
#define R1_DESC_H

#include "r1_sample.h"

enum { R1_COLUMNS_MAX = 512, R1_NAME_MAX = 63 };

typedef struct {
    const char *name;
    int32_t n; /* values of a categorical column */
} r1_column;

/* A row of typed columns: a table item, or the event that a memory entry is made from. */
typedef struct {
    uint32_t n_num, n_cat;
    r1_column *num, *cat;
    uint32_t n_bin, d_cat, hidden;
} r1_row_desc;

typedef struct {
    const char *name;
    r1_item_kind kind;
    r1_row_desc row; /* table; for graphs row.num names node features */
    /* graph */
    uint32_t n_edge_feature, n_node_max, n_edge_max;
    r1_column *edge;
    /* graph, text */
    uint32_t hidden, n_layer;
    /* text */
    uint32_t n_vocab, n_token_max, n_head;
    /* memory */
    int query; /* index of the item whose token asks */
    uint32_t n_ref_max, n_bucket;
} r1_item_desc;

typedef struct {
    const char *name;
    r1_head_kind kind;
    uint32_t n;      /* outputs */
    uint32_t output; /* index of the first */
} r1_head_desc;

typedef struct {
    r1_arena *arena;
    const char *text;
    const char *name;
    uint32_t d_align, d_model, n_layer, n_head, n_head_cross, d_ff, d_context;
    float beta, step_loss;
    bool cawa_length, cawa_context;
    uint32_t cawa_rank; /* of the key factor of the blocks; 0: none */
    bool has_event;
    r1_row_desc event;
    uint32_t d_memory, n_head_memory;
    uint32_t n_item, n_headc, n_output;
    r1_item_desc item[R1_ITEMS_MAX];
    r1_head_desc head[R1_HEADS_MAX];
    uint64_t schema_hash;
    uint64_t item_hash; /* without the heads, which a stage of training may bring itself */
} r1_desc;

r1_status r1_desc_parse(r1_desc **out, const char *json, size_t len, r1_err *err);
void r1_desc_free(r1_desc *d);

#endif
