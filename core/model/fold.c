/* SPDX-License-Identifier: Apache-2.0 */
/* fold.c - derives the weights of the folded plan (build.c) in double. A folded row is laid out
 * as
 *
 *     0 .. 4w           A diag(g) t                 w = d_model; A, g: cross.in, cross.norm
 *     4w .. 4w + Q      R [h; 1], zeros after it     Q = the widest item's hidden layer + 1
 *     then              B diag(g') t,                 B = [query; the left part of cawa.context1],
 *                                                     g' = memory's norm
 *
 * The last part is there where memory asks the item. */
#include "model/fold.h"

#include "r1_assert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const float *fold_find(const r1_model *m, const char *scope, const char *name,
                              const r1_tensor **tensor)
{
    char full[120];
    snprintf(full, sizeof full, "%.70s.%.40s", scope, name);
    for (uint32_t i = 0; i < m->net.plan.n_tensor; i++) {
        const r1_tensor *t = &m->net.plan.tensor[i];
        if (t->space != R1_SPACE_WEIGHT || strcmp(t->name, full) != 0) continue;
        if (tensor) *tensor = t;
        return m->weights + t->offset / sizeof(float);
    }
    return NULL;
}

/* The folded plan's own weight, to be filled. */
static float *find_folded(r1_model *f, const char *scope, const char *name)
{
    const float *w = fold_find(f, scope, name, NULL);
    R1_ASSERT(w, "the folded plan has no %s.%s", scope, name);
    return f->weights + (w - f->weights);
}

/* to[r][c] = sum_j left[r][j] gain[j] right[j][c]; left has ld columns, right k. A block of
 * columns at a time, so that right is read in rows. */
static void fold_product(const float *left, size_t ld, const float *gain, const float *right,
                         uint32_t rows, uint32_t d, uint32_t k, float *to)
{
    enum { BLOCK = 64 };
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t first = 0; first < k; first += BLOCK) {
            double sum[BLOCK] = {0};
            uint32_t n = k - first < BLOCK ? k - first : BLOCK;
            for (uint32_t j = 0; j < d; j++) {
                const float *row = right + (size_t)j * k + first;
                double x = (double)left[r * ld + j] * gain[j];
                for (uint32_t c = 0; c < n; c++) sum[c] += x * row[c];
            }
            for (uint32_t c = 0; c < n; c++) to[(size_t)r * k + first + c] = (float)sum[c];
        }
}

/* Upper R with R'R = [W b]'[W b]: rows into w[n][k] and b[n], n = k + 1. A pivot of nothing
 * gives a row of zeros. */
static r1_status fold_cholesky(const float *W, const float *b, uint32_t d, uint32_t k, float *w_out,
                               float *b_out, r1_err *err)
{
    uint32_t n = k + 1;
    double *g = calloc((size_t)n * n, sizeof *g), trace = 0;
    if (!g) R1_FAIL(err, R1_E_NOMEM, "fold: out of memory");
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = i; j < n; j++)
            for (uint32_t r = 0; r < d; r++)
                g[(size_t)i * n + j] += (double)(i < k ? W[(size_t)r * k + i] : b[r]) *
                                        (j < k ? W[(size_t)r * k + j] : b[r]);
    for (uint32_t i = 0; i < n; i++) trace += g[(size_t)i * n + i];
    for (uint32_t i = 0; i < n; i++) {
        double *row = g + (size_t)i * n, pivot = row[i];
        bool nothing = pivot <= 1e-14 * trace;
        for (uint32_t j = i; j < n; j++) row[j] = nothing ? 0 : row[j] / sqrt(pivot);
        for (uint32_t r = i + 1; r < n; r++)
            for (uint32_t j = r; j < n; j++) g[(size_t)r * n + j] -= row[r] * row[j];
        for (uint32_t j = 0; j < k; j++) w_out[(size_t)i * k + j] = j < i ? 0 : (float)row[j];
        b_out[i] = (float)row[k];
    }
    free(g);
    return R1_OK;
}

/* What reads the common space: cross-modal attention, and memory's query with the context of its
 * factor. */
typedef struct {
    const float *a, *gain; /* [4w][d], [d] */
    const float *query, *context,
        *gain_mem; /* [dm][d], [d_context][d + dm], [d]; NULL without memory */
    uint32_t d, w4, q, dm, dc;
    int asked; /* item that memory asks; -1 */
} readers;

static void find_readers(const r1_model *m, readers *r)
{
    const r1_desc *d = m->desc;
    *r = (readers){.d = d->d_align, .w4 = 4 * d->d_model, .q = r1_net_tail(d), .asked = -1};
    r->a = fold_find(m, "cross", "in.weight", NULL);
    r->gain = fold_find(m, "cross", "norm", NULL);
    for (uint32_t i = 0; i < d->n_item; i++) {
        if (d->item[i].kind != R1_ITEM_MEMORY) continue;
        char scope[80];
        snprintf(scope, sizeof scope, "item.%s", d->item[i].name);
        r->query = fold_find(m, scope, "query.weight", NULL);
        r->context = fold_find(m, scope, "cawa.context1.weight", NULL);
        r->gain_mem = fold_find(m, scope, "norm", NULL);
        r->dm = d->d_memory;
        r->dc = r->context ? d->d_context : 0;
        r->asked = d->item[i].query;
    }
}

/* Rows of the readers applied to `columns` vectors of the common space, t[d][k], as columns of
 * to[rows][k]. */
static void fold_read_rows(const readers *r, bool asked, const float *t, uint32_t k, float *to)
{
    fold_product(r->a, r->d, r->gain, t, r->w4, r->d, k, to);
    if (!asked) return;
    float *at = to + (size_t)(r->w4 + r->q) * k;
    fold_product(r->query, r->d, r->gain_mem, t, r->dm, r->d, k, at);
    if (r->context)
        fold_product(r->context, r->d + r->dm, r->gain_mem, t, r->dc, r->d, k,
                     at + (size_t)r->dm * k);
}

static void fold_absent(const readers *r, const float *t, float *to)
{
    double sum = 0;
    fold_read_rows(r, r->asked >= 0, t, 1, to);
    for (uint32_t j = 0; j < r->d; j++) sum += (double)t[j] * t[j];
    to[r->w4] = (float)sqrt(sum);
}

static r1_status fold_item(const r1_model *m, r1_model *f, const readers *r, uint32_t i,
                           r1_err *err)
{
    const r1_tensor *t;
    char scope[80];
    snprintf(scope, sizeof scope, "item.%s", m->desc->item[i].name);
    bool text = m->desc->item[i].kind == R1_ITEM_TEXT;
    const float *w = fold_find(m, scope, text ? "align.weight" : "mlp2.weight", &t),
                *b = fold_find(m, scope, text ? "align.bias" : "mlp2.bias", NULL);
    float *w_to = find_folded(f, scope, "fold.weight"), *b_to = find_folded(f, scope, "fold.bias");
    fold_read_rows(r, (int)i == r->asked, w, t->cols, w_to);
    fold_read_rows(r, (int)i == r->asked, b, 1, b_to);
    fold_absent(r, fold_find(m, scope, "absent", NULL), find_folded(f, scope, "absent"));
    return fold_cholesky(w, b, r->d, t->cols, w_to + (size_t)r->w4 * t->cols, b_to + r->w4, err);
}

/* Memory's own part: its query's bias before its context's zeros, and the right part of the
 * context's first layer. */
static void fold_memory(const r1_model *m, r1_model *f, const readers *r, const char *scope)
{
    memcpy(find_folded(f, scope, "fold_asked.bias"), fold_find(m, scope, "query.bias", NULL),
           r->dm * sizeof(float));
    if (!r->context) return;
    float *to = find_folded(f, scope, "fold_context.weight");
    for (uint32_t c = 0; c < r->dc; c++)
        memcpy(to + (size_t)c * r->dm, r->context + (size_t)c * (r->d + r->dm) + r->d,
               r->dm * sizeof(float));
    memcpy(find_folded(f, scope, "fold_context.bias"),
           fold_find(m, scope, "cawa.context1.bias", NULL), r->dc * sizeof(float));
}

/* Copies the weights that both plans have. Returns how many of the folded plan's are left. */
static uint32_t fold_copy(const r1_model *m, r1_model *f)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < f->net.plan.n_tensor; i++) {
        const r1_tensor *t = &f->net.plan.tensor[i], *same;
        if (t->space != R1_SPACE_WEIGHT) continue;
        const float *from = NULL;
        for (uint32_t k = 0; k < m->net.plan.n_tensor && !from; k++) {
            same = &m->net.plan.tensor[k];
            if (same->space == R1_SPACE_WEIGHT && same->cols == t->cols && same->mul == t->mul &&
                !strcmp(same->name, t->name))
                from = m->weights + same->offset / sizeof(float);
        }
        if (from)
            memcpy(f->weights + t->offset / sizeof(float), from,
                   (size_t)t->mul * t->cols * sizeof(float));
        else
            left++;
    }
    return left;
}

static r1_status fold_derive(const r1_model *m, r1_model *f, r1_err *err)
{
    readers r;
    find_readers(m, &r);
    /* Of the prior the absent row; of each item that, weight and bias; of memory what
     * fold_memory sets. */
    uint32_t derived = 1 + 3 * m->desc->n_item +
                       (r.asked < 0 ? 0
                        : r.context ? 3
                                    : 1),
             left = fold_copy(m, f);
    R1_ASSERT(left <= derived, "fold: %u weights to derive, %u are derived", left, derived);
    fold_absent(&r, fold_find(m, "prior", "absent", NULL), find_folded(f, "prior", "absent"));
    for (uint32_t i = 0; i < m->desc->n_item; i++) {
        char scope[80];
        snprintf(scope, sizeof scope, "item.%s", m->desc->item[i].name);
        R1_TRY(fold_item(m, f, &r, i, err));
        if (m->desc->item[i].kind == R1_ITEM_MEMORY) fold_memory(m, f, &r, scope);
    }
    return R1_OK;
}

static uint64_t fold_work(const r1_net *net, const r1_desc *d)
{
    uint32_t sym[R1_SYMBOLS_MAX];
    uint64_t sum = 0;
    r1_net_symbols(net, d, 1, 0, sym);
    for (uint32_t i = 0; i < net->plan.n_call; i++)
        sum += r1_plan_flop(&net->plan, &net->plan.call[i], sym);
    return sum;
}

r1_status r1_fold_net(r1_net *net, const r1_model *m, bool *pays, r1_err *err)
{
    uint32_t n_memory = 0;
    for (uint32_t i = 0; i < m->desc->n_item; i++)
        n_memory += m->desc->item[i].kind == R1_ITEM_MEMORY;
    *pays = false;
    if (n_memory > 1) return R1_OK;
    R1_TRY(r1_net_build(net, m->desc, R1_NET_FOLDED | (m->steps ? R1_NET_STEPS : 0), err));
    *pays = fold_work(net, m->desc) < fold_work(&m->net, m->desc);
    if (!*pays) r1_net_free(net);
    return R1_OK;
}

r1_status r1_fold_new(r1_model **out, const r1_model *m, r1_err *err)
{
    r1_net net;
    bool pays;
    *out = NULL;
    R1_TRY(r1_fold_net(&net, m, &pays, err));
    if (!pays) return R1_OK;
    r1_model *f = malloc(sizeof *f);
    if (!f) {
        r1_net_free(&net);
        R1_FAIL(err, R1_E_NOMEM, "fold: out of memory");
    }
    *f = *m;
    f->net = net;
    f->weights = r1_calloc_aligned(net.plan.weight_bytes + 64, 1);
    r1_status st = f->weights
                       ? fold_derive(m, f, err)
                       : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "fold: out of memory");
    if (st != R1_OK) {
        r1_fold_free(f);
        return st;
    }
    *out = f;
    return R1_OK;
}

void r1_fold_free(r1_model *f)
{
    if (!f) return;
    r1_net_free(&f->net);
    free(f->weights);
    free(f);
}
