/* SPDX-License-Identifier: Apache-2.0 */
/* build.h - description to plan, and where the inputs of each item ended up. */
#ifndef R1_BUILD_H
#define R1_BUILD_H

#include "model/desc.h"
#include "tensor/plan.h"

/* Tensor indices (-1: none) and symbols that pack.c fills for one item. */
typedef struct {
    int16_t map;      /* i32[n_seq]: row of `aligned`, -1 = absent */
    int16_t aligned;  /* rows in the common space (folded: what is read from it) */
    int16_t num, cat; /* table */
    int16_t node, edge, src, dst, scale, mark; /* graph */
    int16_t off, edge_off;                     /* graph: i32[n_seq + 1], of nodes and of edges */
    int16_t token, tok_off;                    /* text: i32[n_token][2] (id, position) */
    int16_t index, bucket, log_weight, ref_off, count; /* memory */
    int16_t bins, mean, rstd, edge_mean, edge_rstd;    /* fitted before training; weights */
    /* graph: nodes, edges; memory: refs; text: texts, tokens, rows */
    uint16_t sym_a, sym_b, sym_row;
    /* pretraining's heads (build.c); -1 elsewhere */
    int16_t hidden; /* text: f32[n_token][hidden], the encoder's last layer; every net has it */
    int16_t pick, pick_off; /* text: i32[n_pick] rows of `hidden`; 0..n_pick */
    uint16_t sym_pick;
    int16_t tokens;  /* text: f32[n_pick][n_vocab] */
    int16_t columns; /* table: f32[n_seq][r1_pretext_classes] */
    int16_t next;    /* all but the first item: f32[n_seq][d_align] */
} r1_item_io;

typedef struct {
    r1_plan plan;
    r1_item_io item[R1_ITEMS_MAX];
    int16_t event_num, event_cat, event_bins;
    int16_t entry;                           /* f32[n_entry][2 * d_memory], K then V */
    int16_t seq_off, trunk_off, trunk_count; /* i32: 0..n_seq; 0, P, 2P..; 1..P repeated */
    int16_t logits;                          /* f32[n_seq * P][n_output] */
    /* pretraining: weight f32[n_item][n_item], logarithms of 1 / temperature; else -1 */
    int16_t temperature;
    uint32_t n_position; /* P = n_item + 1: the prior, then each item */
} r1_net;

/* 0: the one that training runs. FOLDED: the plan of fold.h, for inference. STEPS: with learned
 * steps of rounding (LSQ) before the linear layers that int8 serves; those calls run in
 * training, a session reads the steps and skips them. PRETRAIN: the first with pretraining's
 * heads, whose weights follow after all of its own. */
enum { R1_NET_FOLDED = 1, R1_NET_STEPS = 2, R1_NET_PRETRAIN = 4 };
r1_status r1_net_build(r1_net *net, const r1_desc *d, uint32_t form, r1_err *err);
/* Whether int8 takes a layer with a weight of this size: where a row is read by few outputs, or
 * is short, rounding it costs more than its product saves. Heads stay in f32 by it. */
bool r1_net_int8(int64_t rows, int64_t cols);
/* Pretraining predicts a column's class: the bin of a number, the value of a category ("other"
 * is the last). Number of classes of column c of a table, numbers first; 0 for a category of
 * more than R1_PRETEXT_VALUES values, which is left out. */
enum { R1_PRETEXT_VALUES = 4096 };
uint32_t r1_pretext_classes(const r1_row_desc *r, uint32_t column);
/* Folded: columns that carry a row's length: the widest item's hidden layer and one. */
uint32_t r1_net_tail(const r1_desc *d);
void r1_net_free(r1_net *net);
/* Symbol values of n samples with every item at its largest; n_event new entries. */
void r1_net_symbols(const r1_net *net, const r1_desc *d, uint32_t n, uint32_t n_event,
                    uint32_t *sym);
/* Writes the weights' first values; those marked derived are set from the description whatever
 * the seed. */
void r1_net_init(const r1_net *net, const r1_desc *d, float *weights, uint64_t seed);
void r1_net_derive(const r1_net *net, const r1_desc *d, float *weights);

#endif
