/* SPDX-License-Identifier: Apache-2.0 */
/* pretext.h - what pretraining asks of a batch without labels.
 *
 * It hides tokens and columns of a packed batch. After the pass that follows it gives the losses,
 * their gradients and the retrieval. There are four parts:
 *
 *   tokens   Masked tokens of a text, out of its other tokens, by cross-entropy over the
 *            vocabulary. Of those picked, 8 in 10 read "missing", one is another token at random
 *            and one stays (Devlin et al. 2019).
 *   columns  Masked columns of a table, out of the whole sample, by cross-entropy over the
 *            column's bins or values (build.h, r1_pretext_classes).
 *   next     An item's row in the common space, out of the items before it: InfoNCE against the
 *            batch.
 *   align    Rows of two items of one sample: InfoNCE both ways, with a learned temperature of at
 *            least 1/100 for each pair. A memory item and the item that asks it are no pair,
 *            because the asker's row goes into what memory answers.
 *
 * Owns its scratch. Borrows the executor, whose model has the plan R1_NET_PRETRAIN (retrieval:
 * any plan). The executor's thread pool works on the cells slice by slice. It works on the pairs
 * of views, which run over the whole batch, in as many lanes as there are slices. */
#ifndef R1_PRETEXT_H
#define R1_PRETEXT_H

#include "r1_pretrain.h"
#include "train/data_parallel.h"
#include "train/infonce.h"

enum { R1_PRETEXT_PARTS = 4 };
extern const char *const r1_pretext_part[R1_PRETEXT_PARTS]; /* tokens columns next align */

/* One masked thing: the classes first..first+n-1 of row `row` of its head, and the right one. */
typedef struct {
    uint32_t row, first, n, target;
} r1_cell;

/* What a slice is asked. */
typedef struct {
    r1_cell *cell[R1_ITEMS_MAX];
    size_t n[R1_ITEMS_MAX], cap[R1_ITEMS_MAX];
    double loss[R1_PRETEXT_PARTS]; /* sums */
} r1_asked;

/* Room for one pair of views at a time. Rows are cap, then padding. */
typedef struct {
    float *view[2], *grad[2]; /* f32[rows][d_align], and their gradients */
    float *length[2];         /* f32[rows]: norms before */
    float *cosine, *slope;    /* f32[cap][cap] */
    double *room;             /* [cap][cap] */
    uint64_t *hash[2];
    uint32_t *sample;
    /* f32[n_item][2][cap][d_align]: gradients of items' rows and of predictions; NULL with one
     * slice */
    float *sum;
} r1_lane;

typedef struct {
    int part;
    uint32_t k; /* item * n_item + item */
    double loss, slope;
} r1_view_pair;

typedef struct {
    void *block; /* owned: what all pointers below point into, but for dp */
    r1_data_parallel *dp;
    uint32_t n_item;
    size_t cap; /* samples */
    r1_asked asked[R1_SLICES_MAX];
    r1_lane lane[R1_SLICES_MAX];
    uint64_t *content; /* [n_item][cap]: hash of what each sample's item shows */
    uint32_t *home;    /* [cap]: slice of each sample */
    /* the batch in hand */
    size_t n;
    double weight[R1_PRETEXT_PARTS];
    bool learn;
    size_t n_cell[R1_PRETEXT_PARTS]; /* of tokens, of columns */
    uint32_t pairs[R1_PRETEXT_PARTS], n_pair;
    r1_view_pair *pair;
} r1_pretext;

typedef struct {
    double part
        [R1_PRETEXT_PARTS]; /* means; weights of the parts are not in them. NaN: nothing to ask */
} r1_pretext_loss;

r1_status r1_pretext_new(r1_pretext *p, r1_data_parallel *dp, size_t cap, r1_err *err);
void r1_pretext_free(r1_pretext *p);
/* After the slices have been filled: what each sample shows, which retrieval compares;
 * r1_pretext_hide does it too. */
void r1_pretext_show(r1_pretext *p, const r1_sample *sample, size_t n);
/* After the slices have been filled: hides the share of tokens and columns that (seed) picks.
 * share 0: nothing. */
void r1_pretext_hide(r1_pretext *p, const r1_sample *sample, size_t n, double share, uint64_t seed);
/* After a forward pass of the batch that was hidden: the losses, and where `learn` their
 * gradients, each part by its weight (0: left out). */
r1_status r1_pretext_judge(r1_pretext *p, size_t n, const double *weight, bool learn,
                           r1_pretext_loss *loss, r1_err *err);
/* Adds a batch's searches (infonce.h) to [i * n_item + j] of every pair. */
r1_status r1_pretext_retrieve(r1_pretext *p, size_t n, r1_searches *searches, r1_err *err);
/* The shares of every pair; after NULL: none. Returns how many; room for R1_PRETRAIN_PAIRS_MAX. */
size_t r1_pretext_pairs(const r1_desc *d, const r1_searches *before, const r1_searches *after,
                        r1_retrieval *pair);
bool r1_pretext_pair(const r1_desc *d, uint32_t i, uint32_t j);

#endif
