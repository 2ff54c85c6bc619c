/* SPDX-License-Identifier: Apache-2.0 */
/* pretext.c - masking in place, cross-entropy over cells, contrast between pairs of views. */
#include "train/pretext.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS, COLUMNS, NEXT, ALIGN, SCALE_MAX = 100 };
const char *const r1_pretext_part[R1_PRETEXT_PARTS] = {"tokens", "columns", "next", "align"};

static const r1_desc *desc_of(const r1_pretext *p) { return p->e->m->desc; }
static const r1_net *net_of(const r1_pretext *p) { return &p->e->m->net; }
static const r1_item_io *io_of(const r1_pretext *p, uint32_t i) { return &net_of(p)->item[i]; }
static int32_t *ints(const r1_pretext *p, int16_t t) { return r1_exec_ptr(p->e, t); }

/* ---- life ------------------------------------------------------------------------------------------------- */

static size_t cells_of_sample(const r1_item_desc *it)
{
    if (it->kind == R1_ITEM_TEXT) return it->n_token_max;
    return it->kind == R1_ITEM_TABLE ? it->row.n_num + it->row.n_cat : 0;
}

r1_status r1_pretext_new(r1_pretext *p, r1_exec *e, size_t cap, r1_err *err)
{
    *p = (r1_pretext){.e = e, .cap = cap};
    size_t rows = cap + R1_ROW_PAD, d = desc_of(p)->d_align;
    bool good = true;
    for (uint32_t i = 0; i < desc_of(p)->n_item; i++) {
        p->cell_cap[i] = cap * cells_of_sample(&desc_of(p)->item[i]);
        p->cell[i] = calloc(p->cell_cap[i] + 1, sizeof *p->cell[i]);
        good &= p->cell[i] != NULL;
    }
    for (int s = 0; s < 2; s++) {
        p->view[s] = r1_calloc_aligned(rows * d, sizeof *p->view[s]);
        p->grad[s] = r1_calloc_aligned(rows * d, sizeof *p->grad[s]);
        p->length[s] = calloc(rows, sizeof *p->length[s]);
        p->hash[s] = calloc(rows, sizeof *p->hash[s]);
        good &= p->view[s] && p->grad[s] && p->length[s] && p->hash[s];
    }
    p->cosine = r1_calloc_aligned(rows * rows, sizeof *p->cosine);
    p->slope = r1_calloc_aligned(rows * rows, sizeof *p->slope);
    p->room = calloc(rows * rows, sizeof *p->room);
    p->content = calloc(cap * desc_of(p)->n_item + 1, sizeof *p->content);
    p->sample = calloc(rows, sizeof *p->sample);
    if (good && p->cosine && p->slope && p->room && p->content && p->sample) return R1_OK;
    r1_pretext_free(p);
    R1_FAIL(err, R1_E_NOMEM, "pretraining: no memory for batches of %zu", cap);
}

void r1_pretext_free(r1_pretext *p)
{
    for (uint32_t i = 0; i < R1_ITEMS_MAX; i++) free(p->cell[i]);
    for (int s = 0; s < 2; s++) {
        free(p->view[s]);
        free(p->grad[s]);
        free(p->length[s]);
        free(p->hash[s]);
    }
    free(p->cosine);
    free(p->slope);
    free(p->room);
    free(p->content);
    free(p->sample);
    *p = (r1_pretext){0};
}

/* ---- masking ---------------------------------------------------------------------------------------------- */

static void add_cell(r1_pretext *p, uint32_t i, r1_cell c)
{
    if (p->n_cell[i] < p->cell_cap[i]) p->cell[i][p->n_cell[i]++] = c;
}

/* A text of one token says nothing without it, and is left whole. */
static void hide_tokens(r1_pretext *p, uint32_t i, double share, r1_rng *rng)
{
    const r1_item_io *io = io_of(p, i);
    uint32_t n_vocab = desc_of(p)->item[i].n_vocab, n_text = p->e->sym[io->sym_a], n = 0;
    const int32_t *off = ints(p, io->tok_off);
    int32_t *token = ints(p, io->token), *pick = ints(p, io->pick), *pick_off = ints(p, io->pick_off);
    for (uint32_t t = 0; t < n_text && share > 0; t++) {
        int32_t length = off[t + 1] - off[t], left = (int32_t)lround(share * length);
        if (left < 1) left = 1;
        if (length < 2) continue;
        for (int32_t k = 0; k < length && left > 0; k++) { /* each subset of `left` tokens alike */
            if (r1_rng_unit(rng) * (length - k) >= left) continue;
            left--;
            int32_t *id = &token[2 * (size_t)(off[t] + k)];
            double as = r1_rng_unit(rng);
            add_cell(p, i, (r1_cell){n, 0, n_vocab, (uint32_t)*id});
            pick[n] = off[t] + k;
            pick_off[n] = (int32_t)n;
            n++;
            if (as < 0.8)
                *id = -1;
            else if (as < 0.9)
                *id = (int32_t)r1_rng_below(rng, n_vocab);
        }
    }
    pick_off[n] = (int32_t)n;
    p->e->sym[io->sym_pick] = n;
}

/* Number of the bin that holds x; -1 where the column is missing here or the same everywhere: there is nothing to ask. */
static int bin_of(const float *edge, uint32_t n_bin, float x)
{
    uint32_t t = 0;
    if (!isfinite(x) || !(edge[n_bin] > edge[0])) return -1;
    while (t + 1 < n_bin && x >= edge[t + 1]) t++;
    return (int)t;
}

static void hide_columns(r1_pretext *p, uint32_t i, size_t n, double share, r1_rng *rng)
{
    const r1_row_desc *r = &desc_of(p)->item[i].row;
    const r1_item_io *io = io_of(p, i);
    const float *edge = r->n_num ? r1_model_weight(p->e->m, io->bins) : NULL;
    for (uint32_t b = 0; b < n; b++) {
        if (ints(p, io->map)[b] < 0) continue;
        float *num = r->n_num ? (float *)r1_exec_ptr(p->e, io->num) + (size_t)b * r->n_num : NULL;
        int32_t *cat = r->n_cat ? ints(p, io->cat) + (size_t)b * r->n_cat : NULL;
        for (uint32_t c = 0, first = 0, width; c < r->n_num + r->n_cat; c++, first += width) {
            width = r1_pretext_classes(r, c);
            bool hidden = r1_rng_unit(rng) < share;
            int target = c < r->n_num ? bin_of(edge + (size_t)c * (r->n_bin + 1), r->n_bin, num[c]) : cat[c - r->n_num];
            if (!hidden || !width || target < 0) continue;
            add_cell(p, i, (r1_cell){b, first, width, (uint32_t)target < width ? (uint32_t)target : width - 1});
            if (c < r->n_num)
                num[c] = NAN;
            else
                cat[c - r->n_num] = -1;
        }
    }
}

/* ---- what a sample's item shows --------------------------------------------------------------------------- */

static uint64_t content_of(const r1_item_desc *it, const r1_item *in)
{
    uint64_t h = it->kind;
    if (it->kind == R1_ITEM_TEXT) return r1_hash64(in->text, in->text_bytes, h);
    if (it->kind == R1_ITEM_TABLE) {
        if (it->row.n_num) h = r1_hash64(in->num, it->row.n_num * sizeof *in->num, h);
        return it->row.n_cat ? r1_hash64(in->cat, it->row.n_cat * sizeof *in->cat, h) : h;
    }
    if (it->kind == R1_ITEM_MEMORY) {
        h = r1_hash64(in->ref, in->n_ref * sizeof *in->ref, h);
        if (in->bucket) h = r1_hash64(in->bucket, in->n_ref, h);
        return in->log_weight ? r1_hash64(in->log_weight, in->n_ref * sizeof *in->log_weight, h) : h;
    }
    h = r1_hash64(in->node, (size_t)in->n_node * it->row.n_num * sizeof *in->node, h);
    h = r1_hash64(in->mark, in->n_node, h);
    if (!in->n_edge) return h;
    h = r1_hash64(in->edge, (size_t)in->n_edge * it->n_edge_feature * sizeof *in->edge, h);
    h = r1_hash64(in->src, in->n_edge * sizeof *in->src, h);
    return r1_hash64(in->dst, in->n_edge * sizeof *in->dst, h);
}

void r1_pretext_show(r1_pretext *p, const r1_sample *sample, size_t n)
{
    for (uint32_t i = 0; i < desc_of(p)->n_item; i++)
        for (size_t b = 0; b < n; b++)
            if (ints(p, io_of(p, i)->map)[b] >= 0)
                p->content[i * p->cap + b] = content_of(&desc_of(p)->item[i], &sample[b].item[i]);
}

void r1_pretext_hide(r1_pretext *p, const r1_sample *sample, size_t n, double share, uint64_t seed)
{
    r1_rng rng;
    r1_rng_seed(&rng, seed);
    r1_pretext_show(p, sample, n);
    for (uint32_t i = 0; i < desc_of(p)->n_item; i++) {
        const r1_item_desc *it = &desc_of(p)->item[i];
        p->n_cell[i] = 0;
        if (it->kind == R1_ITEM_TEXT) hide_tokens(p, i, share, &rng);
        if (it->kind == R1_ITEM_TABLE) hide_columns(p, i, n, share, &rng);
    }
}

/* ---- cells ------------------------------------------------------------------------------------------------ */

static double cross_entropy(const float *x, const r1_cell *c, double weight, float *grad)
{
    double top = -INFINITY, sum = 0;
    for (uint32_t k = 0; k < c->n; k++) top = fmax(top, (double)x[k]);
    for (uint32_t k = 0; k < c->n; k++) sum += exp((double)x[k] - top);
    for (uint32_t k = 0; grad && k < c->n; k++)
        grad[k] += (float)(weight * (exp((double)x[k] - top) / sum - (k == c->target)));
    return log(sum) + top - (double)x[c->target];
}

/* Mean over the cells of all items of one kind. */
static double judge_cells(r1_pretext *p, r1_item_kind kind, double weight, bool learn)
{
    size_t total = 0;
    double loss = 0;
    for (uint32_t i = 0; i < desc_of(p)->n_item; i++)
        if (desc_of(p)->item[i].kind == kind) total += p->n_cell[i];
    for (uint32_t i = 0; i < desc_of(p)->n_item; i++) {
        if (desc_of(p)->item[i].kind != kind || p->n_cell[i] == 0) continue;
        int16_t head = kind == R1_ITEM_TEXT ? io_of(p, i)->tokens : io_of(p, i)->columns;
        size_t width = net_of(p)->plan.tensor[head].cols;
        const float *logit = r1_exec_ptr(p->e, head);
        float *grad = learn ? r1_exec_grad(p->e, head) : NULL;
        for (size_t k = 0; k < p->n_cell[i]; k++) {
            const r1_cell *c = &p->cell[i][k];
            size_t at = c->row * width + c->first;
            loss += cross_entropy(logit + at, c, weight / (double)total, grad ? grad + at : NULL);
        }
    }
    return total ? loss / (double)total : NAN;
}

/* ---- views: rows of unit length ---------------------------------------------------------------------------- */

/* Where sample b's row lies in the tensor of a view: the item's own row in the common space, or what was predicted of it. */
static size_t row_of(const r1_pretext *p, uint32_t i, bool predicted, uint32_t b)
{
    return (predicted ? b : (size_t)ints(p, io_of(p, i)->map)[b]) * desc_of(p)->d_align;
}

static int16_t tensor_of(const r1_pretext *p, uint32_t i, bool predicted)
{
    return predicted ? io_of(p, i)->next : io_of(p, i)->aligned;
}

static void take_view(r1_pretext *p, int s, uint32_t i, bool predicted, size_t n)
{
    size_t d = desc_of(p)->d_align;
    const float *from = r1_exec_ptr(p->e, tensor_of(p, i, predicted));
    for (size_t k = 0; k < n; k++) {
        const float *x = from + row_of(p, i, predicted, p->sample[k]);
        double sum = 1e-12;
        for (size_t c = 0; c < d; c++) sum += (double)x[c] * (double)x[c];
        p->length[s][k] = (float)sqrt(sum);
        for (size_t c = 0; c < d; c++) p->view[s][k * d + c] = x[c] / p->length[s][k];
    }
}

/* Back through the division by the length. */
static void give_view(r1_pretext *p, int s, uint32_t i, bool predicted, size_t n)
{
    size_t d = desc_of(p)->d_align;
    float *to = r1_exec_grad(p->e, tensor_of(p, i, predicted));
    for (size_t k = 0; k < n; k++) {
        const float *x = p->view[s] + k * d, *g = p->grad[s] + k * d;
        float *y = to + row_of(p, i, predicted, p->sample[k]);
        double along = 0;
        for (size_t c = 0; c < d; c++) along += (double)x[c] * (double)g[c];
        for (size_t c = 0; c < d; c++) y[c] += (g[c] - (float)along * x[c]) / p->length[s][k];
    }
}

/* Does sample b have what view i, or for i == j the prediction of j, is made from? */
static bool has_view(const r1_pretext *p, uint32_t i, uint32_t j, uint32_t b)
{
    bool before = false;
    if (i != j) return ints(p, io_of(p, i)->map)[b] >= 0;
    for (uint32_t k = 0; k < j; k++) before |= ints(p, io_of(p, k)->map)[b] >= 0;
    return before;
}

/* A pair of views: item j's row against item i's or, where i == j, against what was predicted of it. Sets its samples; returns how many, 0 where there is no
 * contrast. */
static size_t pair_samples(r1_pretext *p, uint32_t i, uint32_t j, size_t n)
{
    size_t m = 0;
    bool contrast = false;
    for (uint32_t b = 0; b < n; b++) {
        if (ints(p, io_of(p, j)->map)[b] < 0 || !has_view(p, i, j, b)) continue;
        p->hash[0][m] = i == j ? b : p->content[i * p->cap + b]; /* predictions are all different */
        p->hash[1][m] = p->content[j * p->cap + b];
        contrast |= p->hash[0][m] != p->hash[0][0] && p->hash[1][m] != p->hash[1][0];
        p->sample[m++] = b;
    }
    return contrast ? m : 0;
}

/* The cosines of the pair's m samples, by the backend's product. */
static r1_status compare(r1_pretext *p, uint32_t i, uint32_t j, size_t m, r1_op_args *product, r1_err *err)
{
    size_t d = desc_of(p)->d_align;
    take_view(p, 0, i, i == j, m);
    take_view(p, 1, j, false, m);
    *product = (r1_op_args){0};
    product->v[0] = (r1_view){p->view[0], (int64_t)m, (int32_t)d, R1_F32, (int64_t)d};
    product->v[1] = (r1_view){p->view[1], (int64_t)m, (int32_t)d, R1_F32, (int64_t)d};
    product->v[3] = (r1_view){p->cosine, (int64_t)m, (int32_t)m, R1_F32, (int64_t)m};
    return p->e->be->forward[R1_OP_LINEAR](NULL, product, err);
}

static r1_status learn_pair(r1_pretext *p, uint32_t i, uint32_t j, size_t m, r1_op_args *product, r1_err *err)
{
    for (int s = 0; s < 2; s++) {
        memset(p->grad[s], 0, m * desc_of(p)->d_align * sizeof(float));
        product->g[s] = product->v[s];
        product->g[s].p = p->grad[s];
    }
    product->g[3] = product->v[3];
    product->g[3].p = p->slope;
    R1_TRY(p->e->be->backward[R1_OP_LINEAR](NULL, product, err));
    give_view(p, 0, i, i == j, m);
    give_view(p, 1, j, false, m);
    return R1_OK;
}

bool r1_pretext_pair(const r1_desc *d, uint32_t i, uint32_t j)
{
    bool asks = (d->item[j].kind == R1_ITEM_MEMORY && d->item[j].query == (int)i) ||
                (d->item[i].kind == R1_ITEM_MEMORY && d->item[i].query == (int)j);
    return i < j && !asks;
}

/* Is (i, j) a view pair of this part? */
static bool asked(const r1_desc *d, int part, uint32_t i, uint32_t j)
{
    return part == NEXT ? i == j && i > 0 : r1_pretext_pair(d, i, j);
}

/* Mean over the pairs of views that this batch can contrast. */
static r1_status judge_pairs(r1_pretext *p, int part, size_t n, double weight, bool learn, double *loss, r1_err *err)
{
    const r1_desc *d = desc_of(p);
    uint32_t squares = d->n_item * d->n_item, pairs = 0;
    float *log_scale = r1_model_weight(p->e->m, net_of(p)->temperature);
    float *grad = p->e->wgrad ? p->e->wgrad + (log_scale - p->e->m->weights) : NULL;
    double sum = 0;
    for (uint32_t k = 0; k < squares; k++)
        pairs += asked(d, part, k / d->n_item, k % d->n_item) && pair_samples(p, k / d->n_item, k % d->n_item, n);
    for (uint32_t k = 0; k < squares; k++) {
        uint32_t i = k / d->n_item, j = k % d->n_item;
        size_t m = asked(d, part, i, j) ? pair_samples(p, i, j, n) : 0;
        double scale = fmin(exp((double)log_scale[k]), SCALE_MAX), slope = 0;
        r1_op_args product;
        if (m == 0) continue;
        R1_TRY(compare(p, i, j, m, &product, err));
        sum += r1_infonce(p->cosine, m, p->hash[0], p->hash[1], scale, part == ALIGN, weight / (double)pairs,
                          learn ? p->slope : NULL, &slope, p->room);
        if (!learn) continue;
        if (scale < SCALE_MAX || slope > 0) grad[k] += (float)slope; /* from the wall it only comes back */
        R1_TRY(learn_pair(p, i, j, m, &product, err));
    }
    *loss = pairs ? sum / (double)pairs : NAN;
    return R1_OK;
}

r1_status r1_pretext_judge(r1_pretext *p, size_t n, const double *weight, bool learn, r1_pretext_loss *loss,
                           r1_err *err)
{
    for (int k = 0; k < R1_PRETEXT_PARTS; k++) loss->part[k] = NAN;
    if (weight[TOKENS] > 0) loss->part[TOKENS] = judge_cells(p, R1_ITEM_TEXT, weight[TOKENS], learn);
    if (weight[COLUMNS] > 0) loss->part[COLUMNS] = judge_cells(p, R1_ITEM_TABLE, weight[COLUMNS], learn);
    for (int k = NEXT; k <= ALIGN; k++)
        if (weight[k] > 0) R1_TRY(judge_pairs(p, k, n, weight[k], learn, &loss->part[k], err));
    return R1_OK;
}

r1_status r1_pretext_retrieve(r1_pretext *p, size_t n, r1_searches *searches, r1_err *err)
{
    const r1_desc *d = desc_of(p);
    r1_op_args product;
    size_t m;
    for (uint32_t k = 0; k < d->n_item * d->n_item; k++) {
        if (!r1_pretext_pair(d, k / d->n_item, k % d->n_item)) continue;
        m = pair_samples(p, k / d->n_item, k % d->n_item, n);
        if (m == 0) continue;
        R1_TRY(compare(p, k / d->n_item, k % d->n_item, m, &product, err));
        r1_search(p->cosine, m, p->hash[0], p->hash[1], &searches[k]);
    }
    return R1_OK;
}

size_t r1_pretext_pairs(const r1_desc *d, const r1_searches *before, const r1_searches *after, r1_retrieval *pair)
{
    size_t n_pair = 0;
    for (uint32_t k = 0; k < d->n_item * d->n_item; k++) {
        if (!r1_pretext_pair(d, k / d->n_item, k % d->n_item)) continue;
        double searches = before[k].n ? (double)before[k].n : NAN; /* the same ones, before and after */
        pair[n_pair++] = (r1_retrieval){.a = k / d->n_item,
                                        .b = k % d->n_item,
                                        .before = (double)before[k].found / searches,
                                        .after = after && after[k].n ? (double)after[k].found / searches : NAN,
                                        .chance = before[k].chance / searches,
                                        .n = before[k].n};
    }
    return n_pair;
}
