/* SPDX-License-Identifier: Apache-2.0 */
/* statistics.c - what is read off the training data before the first step and never trained: bin
 * edges (quantiles), means and spreads of graph features, and byte-pair merges.
 *
 * It looks at no more than ROWS_MAX rows. They are evenly spaced, by a row stride. */
#include "train/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 60000, TEXT_BYTES = 4 << 20 };

/* A matrix of rows that a callback hands out. */
typedef struct {
    float *v; /* [n][cols] */
    size_t n, cap, cols;
} table;

static r1_status statistics_table_new(table *t, size_t cols, r1_err *err)
{
    *t = (table){.cap = ROWS_MAX, .cols = cols};
    t->v = r1_realloc_array(NULL, ROWS_MAX * (cols + 1), sizeof *t->v);
    if (!t->v) R1_FAIL(err, R1_E_NOMEM, "training: out of memory for the columns' quantiles");
    return R1_OK;
}

static void statistics_table_add(table *t, const float *row)
{
    if (row && t->n < t->cap) memcpy(t->v + t->n++ * t->cols, row, t->cols * sizeof *row);
}

static int statistics_ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Edges that share what is left of the mass among the bins that are left, and never repeat while
 * there are new values: a column that is mostly one value still gets bins for the rest. */
static void statistics_quantiles(const float *v, size_t n, uint32_t n_bin, float *edge)
{
    size_t pos = 0;
    edge[0] = v[0];
    for (uint32_t t = 1; t <= n_bin; t++) {
        size_t to = pos + (n - pos) / (n_bin - t + 1);
        if (to >= n || t == n_bin) to = n - 1;
        while (to + 1 < n && v[to] <= edge[t - 1]) to++;
        edge[t] = v[to];
        while (to > pos && v[to - 1] == v[to]) to--;
        pos = to;
    }
}

static void fit_bins(const table *t, uint32_t n_bin, float *edges)
{
    float *column = r1_realloc_array(NULL, t->n + 1, sizeof *column);
    for (size_t c = 0; column && c < t->cols; c++) {
        size_t n = 0;
        for (size_t r = 0; r < t->n; r++)
            if (isfinite(t->v[r * t->cols + c])) column[n++] = t->v[r * t->cols + c];
        if (n == 0) continue;
        qsort(column, n, sizeof *column, statistics_ascending);
        statistics_quantiles(column, n, n_bin, edges + c * (n_bin + 1));
    }
    free(column);
}

static void fit_moments(const table *t, float *mean, float *rstd)
{
    for (size_t c = 0; c < t->cols; c++) {
        double n = 0, sum = 0, square = 0;
        for (size_t r = 0; r < t->n; r++) {
            double x = t->v[r * t->cols + c];
            if (!isfinite(x)) continue;
            n++;
            sum += x;
            square += x * x;
        }
        double mu = n > 0 ? sum / n : 0, var = n > 0 ? square / n - mu * mu : 0;
        mean[c] = (float)mu;
        rstd[c] = var > 1e-12 ? (float)(1 / sqrt(var)) : 1;
    }
}

/* ---- walking the samples --------------------------------------------------------------------- */

typedef struct {
    const r1_data *d;
    uint32_t item;
    size_t next, stride; /* over all samples of all shards */
    r1_item in[R1_ITEMS_MAX];
} walk;

static bool sample_at(walk *w, size_t i, r1_sample *s)
{
    for (size_t k = 0; k < w->d->n_shard; k++) {
        size_t n = r1_shard_n_sample(w->d->shard[k]);
        if (i < n) return r1_shard_get(w->d->shard[k], i, w->in, s, NULL) == R1_OK;
        i -= n;
    }
    return false;
}

/* The next sample's item, where it is present. */
static const r1_item *next_item(walk *w)
{
    r1_sample s;
    while (w->next < w->d->n_sample) {
        bool ok = sample_at(w, w->next, &s);
        w->next += w->stride;
        if (ok && w->in[w->item].present) return &w->in[w->item];
    }
    return NULL;
}

static walk walk_item(const r1_data *d, uint32_t item)
{
    return (walk){.d = d, .item = item, .stride = (size_t)(d->n_sample / ROWS_MAX + 1)};
}

static r1_status fit_table(r1_model *m, const r1_data *d, uint32_t i, r1_err *err)
{
    const r1_row_desc *r = &m->desc->item[i].row;
    table t;
    if (!r->n_num) return R1_OK;
    R1_TRY(statistics_table_new(&t, r->n_num, err));
    walk w = walk_item(d, i);
    for (const r1_item *in; (in = next_item(&w));) statistics_table_add(&t, in->num);
    fit_bins(&t, r->n_bin, r1_model_weight(m, m->net.item[i].bins));
    free(t.v);
    return R1_OK;
}

static r1_status fit_graph(r1_model *m, const r1_data *d, uint32_t i, r1_err *err)
{
    const r1_item_desc *it = &m->desc->item[i];
    const r1_item_io *io = &m->net.item[i];
    table node, edge = {0};
    R1_TRY(statistics_table_new(&node, it->row.n_num, err));
    r1_status st = statistics_table_new(&edge, it->n_edge_feature, err);
    walk w = walk_item(d, i);
    for (const r1_item *in; st == R1_OK && (in = next_item(&w));) {
        for (uint32_t j = 0; j < in->n_node; j++)
            statistics_table_add(&node, in->node + (size_t)j * node.cols);
        for (uint32_t j = 0; j < in->n_edge; j++)
            statistics_table_add(&edge, in->edge + (size_t)j * edge.cols);
    }
    if (st == R1_OK) {
        fit_moments(&node, r1_model_weight(m, io->mean), r1_model_weight(m, io->rstd));
        fit_moments(&edge, r1_model_weight(m, io->edge_mean), r1_model_weight(m, io->edge_rstd));
    }
    free(node.v);
    free(edge.v);
    return st;
}

static r1_status fit_events(r1_model *m, const r1_data *d, r1_err *err)
{
    table t;
    if (!m->desc->event.n_num || !d->n_event) return R1_OK;
    R1_TRY(statistics_table_new(&t, m->desc->event.n_num, err));
    for (uint64_t i = 0; i < d->n_event; i += d->n_event / ROWS_MAX + 1) {
        r1_data all = *d;
        statistics_table_add(&t, r1_data_event(&all, i).num);
    }
    fit_bins(&t, m->desc->event.n_bin, r1_model_weight(m, m->net.event_bins));
    free(t.v);
    return R1_OK;
}

static bool next_text(void *ctx, size_t i, const char **text, size_t *len)
{
    (void)i;
    const r1_item *in = next_item(ctx);
    if (!in) return false;
    *text = in->text;
    *len = in->text_bytes;
    return true;
}

r1_status r1_fit_tokenizers(r1_model *m, const r1_data *d, r1_err *err)
{
    for (uint32_t i = 0; i < m->desc->n_item; i++) {
        if (m->desc->item[i].kind != R1_ITEM_TEXT) continue;
        walk w = walk_item(d, i);
        r1_bpe *b;
        R1_TRY(r1_bpe_train(&b, next_text, &w, m->desc->item[i].n_vocab - 256, TEXT_BYTES, err));
        r1_bpe_free(m->bpe[i]);
        m->bpe[i] = b;
    }
    return R1_OK;
}

r1_status r1_fit(r1_model *m, const r1_data *d, r1_err *err)
{
    if (m->desc->has_event) R1_TRY(fit_events(m, d, err));
    for (uint32_t i = 0; i < m->desc->n_item; i++) {
        if (m->desc->item[i].kind == R1_ITEM_TABLE) R1_TRY(fit_table(m, d, i, err));
        if (m->desc->item[i].kind == R1_ITEM_GRAPH) R1_TRY(fit_graph(m, d, i, err));
    }
    return r1_fit_tokenizers(m, d, err);
}
