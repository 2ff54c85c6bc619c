/* SPDX-License-Identifier: Apache-2.0 */
/* pretext.c - masking in place, cross-entropy over cells, contrast between pairs of views. */
#include "train/pretext.h"

#include "cpu/cpu_ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS, COLUMNS, NEXT, ALIGN, SCALE_MAX = 100 };
const char *const r1_pretext_part[R1_PRETEXT_PARTS] = {"tokens", "columns", "next", "align"};

static const r1_model *model_of(const r1_pretext *p) { return p->w->slice[0].e->m; }
static const r1_desc *pretext_desc_of(const r1_pretext *p) { return model_of(p)->desc; }
static const r1_net *pretext_net_of(const r1_pretext *p) { return &model_of(p)->net; }
static const r1_item_io *io_of(const r1_pretext *p, uint32_t i)
{
    return &pretext_net_of(p)->item[i];
}
static r1_exec *exec_of(const r1_pretext *p, uint32_t s) { return p->w->slice[s].e; }
static int32_t *pretext_ints(const r1_pretext *p, uint32_t s, int16_t t)
{
    return r1_exec_ptr(exec_of(p, s), t);
}
/* Row of sample b's item in its slice's tensors; -1: absent. */
static int32_t map_of(const r1_pretext *p, uint32_t i, uint32_t b)
{
    return pretext_ints(p, p->home[b], io_of(p, i)->map)[b - p->w->slice[p->home[b]].first];
}

/* ---- life ------------------------------------------------------------------------------------ */

static size_t cells_of_sample(const r1_item_desc *it)
{
    if (it->kind == R1_ITEM_TEXT) return it->n_token_max;
    return it->kind == R1_ITEM_TABLE ? it->row.n_num + it->row.n_cat : 0;
}

static bool asked_new(const r1_pretext *p, r1_asked *a)
{
    bool good = true;
    for (uint32_t i = 0; i < pretext_desc_of(p)->n_item; i++) {
        a->cap[i] = p->w->cap * cells_of_sample(&pretext_desc_of(p)->item[i]);
        a->cell[i] = calloc(a->cap[i] + 1, sizeof *a->cell[i]);
        good &= a->cell[i] != NULL;
    }
    return good;
}

static bool lane_new(const r1_pretext *p, r1_lane *l)
{
    size_t rows = p->cap + R1_ROW_PAD, d = pretext_desc_of(p)->d_align;
    bool good = true;
    for (int s = 0; s < 2; s++) {
        l->view[s] = r1_calloc_aligned(rows * d, sizeof *l->view[s]);
        l->grad[s] = r1_calloc_aligned(rows * d, sizeof *l->grad[s]);
        l->length[s] = calloc(rows, sizeof *l->length[s]);
        l->hash[s] = calloc(rows, sizeof *l->hash[s]);
        good &= l->view[s] && l->grad[s] && l->length[s] && l->hash[s];
    }
    l->cosine = r1_calloc_aligned(rows * rows, sizeof *l->cosine);
    l->slope = r1_calloc_aligned(rows * rows, sizeof *l->slope);
    l->room = calloc(rows * rows, sizeof *l->room);
    l->sample = calloc(rows, sizeof *l->sample);
    if (p->w->n_slice > 1)
        l->sum = calloc(2 * p->cap * pretext_desc_of(p)->n_item, d * sizeof *l->sum);
    return good && l->cosine && l->slope && l->room && l->sample && (p->w->n_slice == 1 || l->sum);
}

r1_status r1_pretext_new(r1_pretext *p, r1_machine *w, size_t cap, r1_err *err)
{
    *p = (r1_pretext){.w = w, .cap = cap, .n_item = w->slice[0].e->m->desc->n_item};
    p->content = calloc(cap * p->n_item + 1, sizeof *p->content);
    p->home = calloc(cap + 1, sizeof *p->home);
    p->pair = calloc((size_t)p->n_item * p->n_item + 1, sizeof *p->pair);
    bool good = p->content && p->home && p->pair;
    for (uint32_t k = 0; good && k < w->n_slice; k++)
        good = asked_new(p, &p->asked[k]) && lane_new(p, &p->lane[k]);
    if (good) return R1_OK;
    r1_pretext_free(p);
    R1_FAIL(err, R1_E_NOMEM, "pretraining: no memory for batches of %zu", cap);
}

static void lane_free(r1_lane *l)
{
    for (int s = 0; s < 2; s++) {
        free(l->view[s]);
        free(l->grad[s]);
        free(l->length[s]);
        free(l->hash[s]);
    }
    free(l->cosine);
    free(l->slope);
    free(l->room);
    free(l->sample);
    free(l->sum);
}

void r1_pretext_free(r1_pretext *p)
{
    for (uint32_t k = 0; k < R1_SLICES_MAX; k++) {
        for (uint32_t i = 0; i < R1_ITEMS_MAX; i++) free(p->asked[k].cell[i]);
        lane_free(&p->lane[k]);
    }
    free(p->content);
    free(p->home);
    free(p->pair);
    *p = (r1_pretext){0};
}

/* ---- masking --------------------------------------------------------------------------------- */

static void add_cell(r1_asked *a, uint32_t i, r1_cell c)
{
    if (a->n[i] < a->cap[i]) a->cell[i][a->n[i]++] = c;
}

/* A text of one token says nothing without it, and is left whole. */
static void hide_tokens(r1_pretext *p, uint32_t s, uint32_t i, double share, r1_rng *rng)
{
    const r1_item_io *io = io_of(p, i);
    uint32_t n_vocab = pretext_desc_of(p)->item[i].n_vocab, n_text = exec_of(p, s)->sym[io->sym_a],
             n = 0;
    const int32_t *off = pretext_ints(p, s, io->tok_off);
    int32_t *token = pretext_ints(p, s, io->token), *pick = pretext_ints(p, s, io->pick),
            *pick_off = pretext_ints(p, s, io->pick_off);
    for (uint32_t t = 0; t < n_text && share > 0; t++) {
        int32_t length = off[t + 1] - off[t], left = (int32_t)lround(share * length);
        if (left < 1) left = 1;
        if (length < 2) continue;
        for (int32_t k = 0; k < length && left > 0; k++) { /* each subset of `left` tokens alike */
            if (r1_rng_unit(rng) * (length - k) >= left) continue;
            left--;
            int32_t *id = &token[2 * (size_t)(off[t] + k)];
            double as = r1_rng_unit(rng);
            add_cell(&p->asked[s], i, (r1_cell){n, 0, n_vocab, (uint32_t)*id});
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
    exec_of(p, s)->sym[io->sym_pick] = n;
}

/* Number of the bin that holds x; -1 where the column is missing here or the same everywhere:
 * there is nothing to ask. */
static int pretext_bin_of(const float *edge, uint32_t n_bin, float x)
{
    uint32_t t = 0;
    if (!isfinite(x) || !(edge[n_bin] > edge[0])) return -1;
    while (t + 1 < n_bin && x >= edge[t + 1]) t++;
    return (int)t;
}

static void hide_columns(r1_pretext *p, uint32_t s, uint32_t i, double share, r1_rng *rng)
{
    const r1_row_desc *r = &pretext_desc_of(p)->item[i].row;
    const r1_item_io *io = io_of(p, i);
    const float *edge = r->n_num ? r1_model_weight(model_of(p), io->bins) : NULL;
    for (uint32_t b = 0; b < p->w->slice[s].n; b++) {
        if (pretext_ints(p, s, io->map)[b] < 0) continue;
        float *num =
            r->n_num ? (float *)r1_exec_ptr(exec_of(p, s), io->num) + (size_t)b * r->n_num : NULL;
        int32_t *cat = r->n_cat ? pretext_ints(p, s, io->cat) + (size_t)b * r->n_cat : NULL;
        for (uint32_t c = 0, first = 0, width; c < r->n_num + r->n_cat; c++, first += width) {
            width = r1_pretext_classes(r, c);
            bool hidden = r1_rng_unit(rng) < share;
            int target = c < r->n_num
                             ? pretext_bin_of(edge + (size_t)c * (r->n_bin + 1), r->n_bin, num[c])
                             : cat[c - r->n_num];
            if (!hidden || !width || target < 0) continue;
            add_cell(&p->asked[s], i,
                     (r1_cell){b, first, width,
                               (uint32_t)target < width ? (uint32_t)target : width - 1});
            if (c < r->n_num)
                num[c] = NAN;
            else
                cat[c - r->n_num] = -1;
        }
    }
}

/* ---- what a sample's item shows -------------------------------------------------------------- */

static uint64_t pretext_content_of(const r1_item_desc *it, const r1_item *in)
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
        return in->log_weight ? r1_hash64(in->log_weight, in->n_ref * sizeof *in->log_weight, h)
                              : h;
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
    for (uint32_t k = 0; k < p->w->n_slice; k++)
        for (size_t b = 0; b < p->w->slice[k].n; b++) p->home[p->w->slice[k].first + b] = k;
    for (uint32_t i = 0; i < p->n_item; i++)
        for (uint32_t b = 0; b < n; b++)
            if (map_of(p, i, b) >= 0)
                p->content[i * p->cap + b] =
                    pretext_content_of(&pretext_desc_of(p)->item[i], &sample[b].item[i]);
}

void r1_pretext_hide(r1_pretext *p, const r1_sample *sample, size_t n, double share, uint64_t seed)
{
    r1_rng rng;
    r1_rng_seed(&rng, seed);
    r1_pretext_show(p, sample, n);
    for (uint32_t i = 0; i < p->n_item; i++)
        for (uint32_t s = 0; s < p->w->n_slice; s++) {
            const r1_item_desc *it = &pretext_desc_of(p)->item[i];
            p->asked[s].n[i] = 0;
            if (p->w->slice[s].n == 0) continue;
            if (it->kind == R1_ITEM_TEXT) hide_tokens(p, s, i, share, &rng);
            if (it->kind == R1_ITEM_TABLE) hide_columns(p, s, i, share, &rng);
        }
}

/* ---- cells ----------------------------------------------------------------------------------- */

static double cross_entropy(const float *x, const r1_cell *c, double weight, float *grad)
{
    double top = -INFINITY, sum = 0;
    for (uint32_t k = 0; k < c->n; k++) top = fmax(top, (double)x[k]);
    for (uint32_t k = 0; k < c->n; k++) sum += exp((double)x[k] - top);
    for (uint32_t k = 0; grad && k < c->n; k++)
        grad[k] += (float)(weight * (exp((double)x[k] - top) / sum - (k == c->target)));
    return log(sum) + top - (double)x[c->target];
}

static size_t cells_of_kind(const r1_pretext *p, r1_item_kind kind)
{
    size_t total = 0;
    for (uint32_t s = 0; s < p->w->n_slice; s++)
        for (uint32_t i = 0; i < p->n_item; i++)
            if (pretext_desc_of(p)->item[i].kind == kind) total += p->asked[s].n[i];
    return total;
}

/* Sum over a slice's cells of all items of one kind; its slopes are those of the mean over all
 * slices. */
static double judge_kind(r1_pretext *p, uint32_t s, r1_item_kind kind, double weight)
{
    double loss = 0;
    for (uint32_t i = 0; i < p->n_item; i++) {
        const r1_asked *a = &p->asked[s];
        if (pretext_desc_of(p)->item[i].kind != kind || a->n[i] == 0) continue;
        int16_t head = kind == R1_ITEM_TEXT ? io_of(p, i)->tokens : io_of(p, i)->columns;
        size_t width = pretext_net_of(p)->plan.tensor[head].cols;
        const float *logit = r1_exec_ptr(exec_of(p, s), head);
        float *grad = p->learn ? r1_exec_grad(exec_of(p, s), head) : NULL;
        for (size_t k = 0; k < a->n[i]; k++) {
            const r1_cell *c = &a->cell[i][k];
            size_t at = c->row * width + c->first;
            loss += cross_entropy(logit + at, c, weight, grad ? grad + at : NULL);
        }
    }
    return loss;
}

static const r1_item_kind kind_of_part[] = {[TOKENS] = R1_ITEM_TEXT, [COLUMNS] = R1_ITEM_TABLE};

static r1_status judge_cells(void *ctx, uint32_t s, r1_err *err)
{
    r1_pretext *p = ctx;
    (void)err;
    for (int part = TOKENS; part <= COLUMNS; part++)
        if (p->n_cell[part])
            p->asked[s].loss[part] =
                judge_kind(p, s, kind_of_part[part], p->weight[part] / (double)p->n_cell[part]);
    return R1_OK;
}

/* ---- views: rows of unit length -------------------------------------------------------------- */

static int16_t pretext_tensor_of(const r1_pretext *p, uint32_t i, bool predicted)
{
    return predicted ? io_of(p, i)->next : io_of(p, i)->aligned;
}

/* Row of a view that is sample b's, in its slice's tensor: the item's own row in the common
 * space, or what was predicted of it. */
static size_t pretext_row_of(const r1_pretext *p, uint32_t i, bool predicted, uint32_t b)
{
    return predicted ? b - p->w->slice[p->home[b]].first : (size_t)map_of(p, i, b);
}

R1_CLONES static void pretext_shorten(const float *x, size_t d, float length, float *restrict y)
{
    for (size_t c = 0; c < d; c++) y[c] = x[c] / length;
}

static void take_view(const r1_pretext *p, r1_lane *l, int s, uint32_t i, bool predicted, size_t n)
{
    size_t d = pretext_desc_of(p)->d_align;
    for (size_t k = 0; k < n; k++) {
        uint32_t b = l->sample[k];
        const float *from = r1_exec_ptr(exec_of(p, p->home[b]), pretext_tensor_of(p, i, predicted));
        const float *x = from + pretext_row_of(p, i, predicted, b) * d;
        double sum = 1e-12;
        for (size_t c = 0; c < d; c++) sum += (double)x[c] * (double)x[c];
        l->length[s][k] = (float)sqrt(sum);
        pretext_shorten(x, d, l->length[s][k], l->view[s] + k * d);
    }
}

/* Where a lane adds the gradients of a view, row by row of the whole batch (a slice has no more
 * rows than samples): a sum of its own, or where there is one slice at once where they belong. */
static float *sum_of(const r1_pretext *p, const r1_lane *l, uint32_t i, bool predicted)
{
    if (p->w->n_slice == 1) return r1_exec_grad(exec_of(p, 0), pretext_tensor_of(p, i, predicted));
    return l->sum + (2 * (size_t)i + predicted) * p->cap * pretext_desc_of(p)->d_align;
}

R1_CLONES static void pretext_lengthen(const float *x, const float *g, size_t d, float along,
                                       float length, float *restrict y)
{
    for (size_t c = 0; c < d; c++) y[c] += (g[c] - along * x[c]) / length;
}

/* Back through the division by the length. */
static void give_view(const r1_pretext *p, r1_lane *l, int s, uint32_t i, bool predicted, size_t n)
{
    size_t d = pretext_desc_of(p)->d_align;
    float *to = sum_of(p, l, i, predicted);
    for (size_t k = 0; k < n; k++) {
        uint32_t b = l->sample[k];
        const float *x = l->view[s] + k * d, *g = l->grad[s] + k * d;
        float *y = to + (p->w->slice[p->home[b]].first + pretext_row_of(p, i, predicted, b)) * d;
        double along = 0;
        for (size_t c = 0; c < d; c++) along += (double)x[c] * (double)g[c];
        pretext_lengthen(x, g, d, (float)along, l->length[s][k], y);
    }
}

/* Does sample b have what view i, or for i == j the prediction of j, is made from? */
static bool has_view(const r1_pretext *p, uint32_t i, uint32_t j, uint32_t b)
{
    bool before = false;
    if (i != j) return map_of(p, i, b) >= 0;
    for (uint32_t k = 0; k < j; k++) before |= map_of(p, k, b) >= 0;
    return before;
}

/* A pair of views: item j's row against item i's or, where i == j, against what was predicted of
 * it. Sets its samples; returns how many, 0 where there is no contrast. */
static size_t pair_samples(const r1_pretext *p, r1_lane *l, uint32_t i, uint32_t j, size_t n)
{
    size_t m = 0;
    bool contrast = false;
    for (uint32_t b = 0; b < n; b++) {
        if (map_of(p, j, b) < 0 || !has_view(p, i, j, b)) continue;
        l->hash[0][m] = i == j ? b : p->content[i * p->cap + b]; /* predictions are all different */
        l->hash[1][m] = p->content[j * p->cap + b];
        contrast |= l->hash[0][m] != l->hash[0][0] && l->hash[1][m] != l->hash[1][0];
        l->sample[m++] = b;
    }
    return contrast ? m : 0;
}

/* The cosines of the pair's m samples, by the backend's product. */
static r1_status pretext_compare(const r1_pretext *p, r1_lane *l, uint32_t i, uint32_t j, size_t m,
                                 r1_op_args *product, r1_err *err)
{
    size_t d = pretext_desc_of(p)->d_align;
    take_view(p, l, 0, i, i == j, m);
    take_view(p, l, 1, j, false, m);
    *product = (r1_op_args){0};
    product->v[R1_LINEAR_X] = (r1_view){l->view[0], (int64_t)m, (int32_t)d, R1_F32, (int64_t)d};
    product->v[R1_LINEAR_W] = (r1_view){l->view[1], (int64_t)m, (int32_t)d, R1_F32, (int64_t)d};
    product->v[R1_LINEAR_Y] = (r1_view){l->cosine, (int64_t)m, (int32_t)m, R1_F32, (int64_t)m};
    return exec_of(p, 0)->be->forward[R1_OP_LINEAR](NULL, product, err);
}

static r1_status learn_pair(const r1_pretext *p, r1_lane *l, uint32_t i, uint32_t j, size_t m,
                            r1_op_args *product, r1_err *err)
{
    for (int s = 0; s < 2; s++) {
        memset(l->grad[s], 0, m * pretext_desc_of(p)->d_align * sizeof(float));
        product->g[s] = product->v[s];
        product->g[s].p = l->grad[s];
    }
    product->g[R1_LINEAR_Y] = product->v[R1_LINEAR_Y];
    product->g[R1_LINEAR_Y].p = l->slope;
    R1_TRY(exec_of(p, 0)->be->backward[R1_OP_LINEAR](NULL, product, err));
    give_view(p, l, 0, i, i == j, m);
    give_view(p, l, 1, j, false, m);
    return R1_OK;
}

bool r1_pretext_pair(const r1_desc *d, uint32_t i, uint32_t j)
{
    bool asks = (d->item[j].kind == R1_ITEM_MEMORY && d->item[j].query == (int)i) ||
                (d->item[i].kind == R1_ITEM_MEMORY && d->item[i].query == (int)j);
    return i < j && !asks;
}

/* Is (i, j) a view pair of this part? */
static bool pretext_asked(const r1_desc *d, int part, uint32_t i, uint32_t j)
{
    return part == NEXT ? i == j && i > 0 : r1_pretext_pair(d, i, j);
}

static double pretext_scale_of(const r1_pretext *p, uint32_t k)
{
    return fmin(exp((double)r1_model_weight(model_of(p), pretext_net_of(p)->temperature)[k]),
                SCALE_MAX);
}

static r1_status judge_pair(const r1_pretext *p, r1_lane *l, r1_view_pair *v, r1_err *err)
{
    uint32_t i = v->k / p->n_item, j = v->k % p->n_item;
    size_t m = pair_samples(p, l, i, j, p->n);
    r1_op_args product;
    R1_TRY(pretext_compare(p, l, i, j, m, &product, err));
    v->slope = 0;
    v->loss = r1_infonce(l->cosine, m, l->hash[0], l->hash[1], pretext_scale_of(p, v->k),
                         v->part == ALIGN, p->weight[v->part] / (double)p->pairs[v->part],
                         p->learn ? l->slope : NULL, &v->slope, l->room);
    return p->learn ? learn_pair(p, l, i, j, m, &product, err) : R1_OK;
}

/* A lane takes its pairs by their numbers, so that what it adds up does not depend on threads. */
static r1_status judge_lane(void *ctx, uint32_t k, r1_err *err)
{
    r1_pretext *p = ctx;
    r1_lane *l = &p->lane[k];
    size_t d = pretext_desc_of(p)->d_align;
    for (uint32_t t = 0; p->learn && l->sum && t < 2 * p->n_item; t++)
        memset(l->sum + t * p->cap * d, 0, p->n * d * sizeof *l->sum);
    for (uint32_t q = k; q < p->n_pair; q += p->w->n_slice)
        R1_TRY(judge_pair(p, l, &p->pair[q], err));
    return R1_OK;
}

/* The lanes' sums, in their order, to the rows of a slice. */
static r1_status add_lanes(void *ctx, uint32_t s, r1_err *err)
{
    r1_pretext *p = ctx;
    const r1_slice *own = &p->w->slice[s];
    size_t d = pretext_desc_of(p)->d_align;
    (void)err;
    for (uint32_t t = 0; own->n && t < 2 * p->n_item; t++) {
        int16_t tensor = pretext_tensor_of(p, t / 2, t % 2);
        if (tensor < 0) continue;
        float *to = r1_exec_grad(own->e, tensor);
        for (uint32_t k = 0; k < p->w->n_slice; k++) {
            const float *from = sum_of(p, &p->lane[k], t / 2, t % 2) + own->first * d;
            for (size_t c = 0; c < own->n * d; c++) to[c] += from[c];
        }
    }
    return R1_OK;
}

/* The pairs of views that this batch can contrast. */
static void list_pairs(r1_pretext *p)
{
    p->n_pair = 0;
    for (int part = NEXT; part <= ALIGN; part++) {
        p->pairs[part] = 0;
        for (uint32_t k = 0; p->weight[part] > 0 && k < p->n_item * p->n_item; k++) {
            if (!pretext_asked(pretext_desc_of(p), part, k / p->n_item, k % p->n_item) ||
                !pair_samples(p, &p->lane[0], k / p->n_item, k % p->n_item, p->n))
                continue;
            p->pair[p->n_pair++] = (r1_view_pair){.part = part, .k = k};
            p->pairs[part]++;
        }
    }
}

static void sum_cells(const r1_pretext *p, int part, r1_pretext_loss *loss)
{
    double sum = 0;
    for (uint32_t s = 0; s < p->w->n_slice; s++) sum += p->asked[s].loss[part];
    loss->part[part] = p->n_cell[part] ? sum / (double)p->n_cell[part] : NAN;
}

static void sum_pairs(r1_pretext *p, int part, r1_pretext_loss *loss)
{
    size_t temperature =
        pretext_net_of(p)->plan.tensor[pretext_net_of(p)->temperature].offset / sizeof(float);
    double sum = 0;
    for (uint32_t q = 0; q < p->n_pair; q++) {
        const r1_view_pair *v = &p->pair[q];
        if (v->part != part) continue;
        sum += v->loss;
        if (p->learn && (pretext_scale_of(p, v->k) < SCALE_MAX ||
                         v->slope > 0)) /* from the wall it only comes back */
            exec_of(p, 0)->wgrad[temperature + v->k] += (float)v->slope;
    }
    loss->part[part] = p->pairs[part] ? sum / (double)p->pairs[part] : NAN;
}

r1_status r1_pretext_judge(r1_pretext *p, size_t n, const double *weight, bool learn,
                           r1_pretext_loss *loss, r1_err *err)
{
    p->n = n;
    p->learn = learn;
    memcpy(p->weight, weight, sizeof p->weight);
    for (int part = TOKENS; part <= COLUMNS; part++)
        p->n_cell[part] = weight[part] > 0 ? cells_of_kind(p, kind_of_part[part]) : 0;
    list_pairs(p);
    R1_TRY(r1_machine_each(p->w, judge_cells, p, err));
    if (p->n_pair) R1_TRY(r1_machine_each(p->w, judge_lane, p, err));
    if (p->n_pair && learn && p->w->n_slice > 1) R1_TRY(r1_machine_each(p->w, add_lanes, p, err));
    for (int part = TOKENS; part <= COLUMNS; part++) sum_cells(p, part, loss);
    for (int part = NEXT; part <= ALIGN; part++) sum_pairs(p, part, loss);
    return R1_OK;
}

r1_status r1_pretext_retrieve(r1_pretext *p, size_t n, r1_searches *searches, r1_err *err)
{
    const r1_desc *d = pretext_desc_of(p);
    r1_lane *l = &p->lane[0];
    r1_op_args product;
    size_t m;
    for (uint32_t k = 0; k < d->n_item * d->n_item; k++) {
        if (!r1_pretext_pair(d, k / d->n_item, k % d->n_item)) continue;
        m = pair_samples(p, l, k / d->n_item, k % d->n_item, n);
        if (m == 0) continue;
        R1_TRY(pretext_compare(p, l, k / d->n_item, k % d->n_item, m, &product, err));
        r1_search(l->cosine, m, l->hash[0], l->hash[1], &searches[k]);
    }
    return R1_OK;
}

size_t r1_pretext_pairs(const r1_desc *d, const r1_searches *before, const r1_searches *after,
                        r1_retrieval *pair)
{
    size_t n_pair = 0;
    for (uint32_t k = 0; k < d->n_item * d->n_item; k++) {
        if (!r1_pretext_pair(d, k / d->n_item, k % d->n_item)) continue;
        double searches =
            before[k].n ? (double)before[k].n : NAN; /* the same ones, before and after */
        pair[n_pair++] =
            (r1_retrieval){.a = k / d->n_item,
                           .b = k % d->n_item,
                           .before = (double)before[k].found / searches,
                           .after = after && after[k].n ? (double)after[k].found / searches : NAN,
                           .chance = before[k].chance / searches,
                           .n = before[k].n};
    }
    return n_pair;
}
