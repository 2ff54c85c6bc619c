/* SPDX-License-Identifier: GPL-3.0-or-later */
/* columns.h - the numbers and categories that the model's items read: one code path for training,
 * replay and serving.
 *
 * Columns are taken before the payment is inserted, so that they hold what was known when it came.
 * A missing number is NaN, a missing category -1. Counts and sums are ln(1 + x), ratios are
 * differences of logarithms, times are ln(1 + hours). The tables of columns.c fix them. Their
 * names stand in the model's description, and the schema hash refuses a model file of others.
 *
 * Owns: nothing. Threads: any number while the state does not change. Errors: none. */
#ifndef FRAUD_COLUMNS_H
#define FRAUD_COLUMNS_H

#include "graph/patterns.h"

enum {
    FRAUD_N_PAYMENT_NUM = 11,
    FRAUD_N_PAYMENT_CAT = 8,
    FRAUD_N_END_NUM = 73,
    FRAUD_N_PAIR_NUM = 16,
    FRAUD_N_EVENT_NUM = 5,
    FRAUD_N_EVENT_CAT = 3,
    FRAUD_REFS_MAX = 32,
    FRAUD_HISTORY = 8, /* payments of each direction of each end */
    FRAUD_N_BUCKET = 32,
    FRAUD_EGO_NODES_MAX = 48,
    FRAUD_EGO_EDGES_MAX = 40,
    FRAUD_N_NODE_NUM = 5,
    FRAUD_N_EDGE_NUM = 7
};
typedef struct {
    const char *name;
    int n; /* a category's values are 0..n-1; 0: a number */
} fraud_column;
extern const fraud_column FRAUD_PAYMENT_NUM[FRAUD_N_PAYMENT_NUM];
extern const fraud_column FRAUD_PAYMENT_CAT[FRAUD_N_PAYMENT_CAT];
extern const fraud_column FRAUD_END_NUM[FRAUD_N_END_NUM];
extern const fraud_column FRAUD_PAIR_NUM[FRAUD_N_PAIR_NUM];
extern const fraud_column FRAUD_PATTERN_NUM[FRAUD_N_PATTERN_NUM];
extern const fraud_column FRAUD_EVENT_NUM[FRAUD_N_EVENT_NUM];
extern const fraud_column FRAUD_EVENT_CAT[FRAUD_N_EVENT_CAT];
extern const fraud_column FRAUD_NODE_NUM[FRAUD_N_NODE_NUM];
extern const fraud_column FRAUD_EDGE_NUM[FRAUD_N_EDGE_NUM];

typedef struct {
    float payment[FRAUD_N_PAYMENT_NUM];
    int32_t payment_cat[FRAUD_N_PAYMENT_CAT];
    float end[2][FRAUD_N_END_NUM]; /* 0 sender, 1 receiver */
    float pair[FRAUD_N_PAIR_NUM];
    fraud_patterns pattern;
    /* ego network: node 0 the sender, node 1 the receiver (node 0 again when they are one), the
     * new edge first */
    uint32_t n_node, n_edge;
    float node[FRAUD_EGO_NODES_MAX][FRAUD_N_NODE_NUM];
    float edge[FRAUD_EGO_EDGES_MAX][FRAUD_N_EDGE_NUM];
    int32_t src[FRAUD_EGO_EDGES_MAX], dst[FRAUD_EGO_EDGES_MAX];
    uint8_t mark[FRAUD_EGO_NODES_MAX];
    /* history: the newest payments of both ends, oldest first, each an event of its own */
    uint32_t n_ref;
    float event[FRAUD_REFS_MAX][FRAUD_N_EVENT_NUM];
    int32_t event_cat[FRAUD_REFS_MAX][FRAUD_N_EVENT_CAT];
    uint64_t ref_seq[FRAUD_REFS_MAX];
    /* of the working memory, where the references come from it */
    uint64_t ref_handle[FRAUD_REFS_MAX];
    uint8_t bucket[FRAUD_REFS_MAX];
} fraud_features;

/* All but patterns, ego network and history. s->now is the payment's time. */
void fraud_features_tables(const fraud_state *s, const fraud_payment *p, uint32_t from, uint32_t to,
                           fraud_features *f);
void fraud_features_history(const fraud_state *s, uint32_t from, uint32_t to, fraud_features *f);
/* One reference more, in its place: payment seq as a part of the history that `role` names (0
 * sender's out, 1 sender's in, 2 receiver's out, 3 receiver's in); same: its other end is the
 * new payment's other end. */
void fraud_features_ref(const fraud_state *s, uint64_t seq, int role, bool same, uint64_t handle,
                        fraud_features *f);
/* What a reference's bucket says: its age, 0 within a day to 3 beyond 28 days; `same`. */
int fraud_bucket_band(uint8_t bucket);
bool fraud_bucket_same(uint8_t bucket);
/* The columns of payment seq as an event. */
void fraud_features_event(const fraud_state *s, uint64_t seq, float num[FRAUD_N_EVENT_NUM],
                          int32_t cat[FRAUD_N_EVENT_CAT]);
void fraud_features_ego(const fraud_state *s, const fraud_payment *p, uint32_t from, uint32_t to,
                        fraud_features *f);

#endif
