/* SPDX-License-Identifier: Apache-2.0 */
/* r1_sample.h - one sample: the struct that is written to training shards and that a session
 * scores directly.
 *
 * A model's description names an ordered list of items (evidence steps). A sample brings one
 * r1_item per item, in that order; each may be absent. All pointers are borrowed: build samples
 * in arrays of your own, nothing here allocates.
 *
 * A description is JSON of at most 1 MiB. Every number has a bound that r1_model_new checks, and
 * a member that is not listed here is refused:
 *
 *   {"name": "payments", "d_align": 512, "d_model": 96, "n_layer": 2, "n_head": 4,
 *    "n_head_cross": 4, "d_ff": 192, "beta": 0.3,
 *    "cawa_length": true, "cawa_context": true, "cawa_rank": 0, "step_loss": 0.2,
 *    "event": {"num": ["amount_log", "hour"], "cat": [{"name": "kind", "n": 4}],
 *              "n_bin": 12, "hidden": 48, "d_memory": 64, "n_head": 4},
 *    "items": [
 *      {"name": "payment", "kind": "table", "num": ["amount_log"],
 *       "cat": [{"name": "currency", "n": 32}], "n_bin": 16, "d_cat": 8, "hidden": 64},
 *      {"name": "history", "kind": "memory", "query": "payment", "n_ref_max": 32, "n_bucket": 16},
 *      {"name": "graph", "kind": "graph", "node": ["degree"], "edge": ["amount_log", "port_out"],
 *       "n_node_max": 64, "n_edge_max": 40, "hidden": 32, "n_layer": 2},
 *      {"name": "remittance", "kind": "text", "n_vocab": 512, "n_token_max": 24, "hidden": 32,
 *       "n_layer": 1}],
 *    "heads": [{"name": "fraud", "kind": "binary"}]}
 *
 * CAWA, context-aware weight adaptation, multiplies the scores of attention with factors.
 * "cawa_length" switches the length factor, "cawa_context" the context factor; with both off and
 * no key factor, attention is plain. "cawa_rank" above 0 adds the key factor, 1 + beta tanh(u.w),
 * to the trunk's blocks: u comes from the query's token, w from the key's, both of that rank (at
 * most 16). With the length factor it recalls best over long sequences, and it costs 25 to 50 %
 * of attention's time. Shipped models leave it off, since their sequences are short.
 *
 * "event" is the one kind of working-memory entry of the model; "query" names an earlier item.
 * Heads: binary (label 0 or 1, logit), rank (label = relevance >= 0 within the samples of a
 * group, score), class (with "n": label = class index). Column order is the order of the names;
 * a categorical column holds 0..n-1, -1 = missing, anything else = "other". */
#ifndef R1_SAMPLE_H
#define R1_SAMPLE_H

#include "r1_base.h"

enum { R1_ITEMS_MAX = 24, R1_HEADS_MAX = 8, R1_REF_NONE = -1 };

typedef enum { R1_ITEM_TABLE = 0, R1_ITEM_TEXT, R1_ITEM_GRAPH, R1_ITEM_MEMORY } r1_item_kind;
typedef enum { R1_HEAD_BINARY = 0, R1_HEAD_RANK, R1_HEAD_CLASS } r1_head_kind;

/* Only the fields of the item's kind are read. */
typedef struct {
    bool present;
    /* table */
    const float *num;   /* f32[n_num]; NaN = missing */
    const int32_t *cat; /* i32[n_cat]; -1 = missing */
    /* text: UTF-8, any bytes accepted; tokens past n_token_max are cut */
    const char *text;
    uint32_t text_bytes;
    /* graph: nodes and edges past the maxima of the description are refused; src, dst are
     * 0..n_node-1 */
    uint32_t n_node, n_edge;
    const float *node;  /* f32[n_node][n_node_feature]; NaN = 0 after standardising */
    const float *edge;  /* f32[n_edge][n_edge_feature]; port numbers are edge features */
    const int32_t *src; /* i32[n_edge] */
    const int32_t *dst; /* i32[n_edge] */
    /* u8[n_node]: 0 ordinary, 1 first ego (sender, candidate), 2 second ego (receiver, finding) */
    const uint8_t *mark;
    /* memory: refs are pool handles (r1_batch.pool) or indices into r1_batch.event / the shard's
     * events. Oldest first. */
    uint32_t n_ref;
    const uint64_t *ref;
    /* u8[n_ref] below n_bucket: age, role...: a learned bias per head; NULL = 0 */
    const uint8_t *bucket;
    /* f32[n_ref] added to the scores (an anchor's pinned weight); NULL = 0; within +-20 */
    const float *log_weight;
} r1_item;

/* The features that one working-memory entry is made from: its own event alone. */
typedef struct {
    const float *num;   /* f32[event.n_num] */
    const int32_t *cat; /* i32[event.n_cat] */
} r1_event;

typedef struct {
    const r1_item *item; /* [n_item] in the order of the description */
    uint64_t id;         /* the caller's own; comes back in evaluation dumps */
    uint64_t group;     /* samples of one ranking group share it and are neighbours; 0 = no group */
    const float *label; /* f32[n_head]; NaN = no label for that head; NULL when only scored */
    float weight;       /* of the loss; 0 is read as 1 */
    /* serving with a pool: the entry that this sample's own event becomes; handle 0 = none */
    r1_event event;
    uint64_t event_handle;
} r1_sample;

#endif
