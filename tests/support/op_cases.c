/* SPDX-License-Identifier: Apache-2.0 */
/* op_cases.c - see op_cases.h. */
#include "support/op_cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static r1_rng rng;

static int64_t op_cases_pick(const int64_t *from, size_t n) { return from[r1_rng_below(&rng, n)]; }

static bool op_cases_coin(void) { return r1_rng_below(&rng, 2) == 0; }

static const int64_t rows_list[] = {1, 2, 3, 31, 33, 64, 129};
static int64_t some_rows(void) { return op_cases_pick(rows_list, R1_COUNT(rows_list)); }

/* f32[rows, cols] with a leading dimension that may exceed cols; the gap holds NaN or infinity: who
 * compares what is read there with 0 sees one of them. */
r1_view op_case_floats(int64_t rows, int32_t cols)
{
    float gap = op_cases_coin() ? NAN : INFINITY;
    int64_t ld = cols + (int64_t)r1_rng_below(&rng, 3);
    float *p = malloc(sizeof(float) * (size_t)((rows + R1_ROW_PAD) * ld + 1));
    for (int64_t i = 0; i < (rows + R1_ROW_PAD) * ld; i++)
        p[i] = i % ld < cols && i < rows * ld ? (float)r1_rng_normal(&rng) : gap;
    return (r1_view){.p = p, .rows = rows, .cols = cols, .dtype = R1_F32, .ld = ld};
}

static r1_view ints(int32_t n, int64_t low, int64_t high) /* low..high, both included */
{
    int32_t *p = malloc(sizeof(int32_t) * (size_t)(n + 1));
    for (int32_t i = 0; i < n; i++)
        p[i] = (int32_t)(low + (int64_t)r1_rng_below(&rng, (uint64_t)(high - low + 1)));
    return (r1_view){.p = p, .rows = 1, .cols = n, .dtype = R1_I32, .ld = n};
}

/* Offsets of n segments that cover total items; empty segments occur. */
static r1_view op_cases_offsets(int32_t n, int32_t total)
{
    r1_view v = ints(n + 1, 0, total);
    int32_t *p = v.p;
    p[0] = 0;
    p[n] = total;
    for (int32_t i = 1; i <= n; i++)
        for (int32_t k = i; k > 0 && p[k] < p[k - 1]; k--) {
            int32_t t = p[k];
            p[k] = p[k - 1];
            p[k - 1] = t;
        }
    return v;
}

/* ---- random operands per op ---- */

static void make_linear(r1_op_args *a)
{
    int64_t m = some_rows();
    int32_t k = (int32_t)some_rows() + 4, n = (int32_t)some_rows();
    a->v[R1_LINEAR_X] = op_case_floats(m, k);
    a->v[R1_LINEAR_W] = op_case_floats(n, k);
    if (op_cases_coin()) a->v[R1_LINEAR_B] = op_case_floats(1, n);
    a->v[R1_LINEAR_Y] = op_case_floats(m, n);
}

static void make_add(r1_op_args *a)
{
    int64_t r = some_rows();
    int32_t c = (int32_t)some_rows();
    a->v[R1_ADD_A] = op_case_floats(r, c);
    a->v[R1_ADD_B] =
        op_case_floats(op_cases_coin() ? r : 1 + (int64_t)r1_rng_below(&rng, (uint64_t)r), c);
    a->v[R1_ADD_Y] = op_case_floats(r, c);
}

static void make_act(r1_op_args *a)
{
    int64_t r = some_rows();
    int32_t c = (int32_t)some_rows();
    a->v[R1_ACT_X] = op_case_floats(r, c);
    a->v[R1_ACT_Y] = op_case_floats(r, c);
    a->i[R1_ACT_KIND] = op_cases_coin() ? R1_ACT_RELU : R1_ACT_GELU;
}

static void make_rmsnorm(r1_op_args *a)
{
    int64_t r = some_rows();
    int32_t c = (int32_t)some_rows();
    a->v[R1_RMSNORM_X] = op_case_floats(r, c);
    a->v[R1_RMSNORM_GAIN] = op_case_floats(1, c);
    a->v[R1_RMSNORM_Y] = op_case_floats(r, c);
    a->f[R1_RMSNORM_EPS] = 1e-5f;
}

static void make_ple(r1_op_args *a)
{
    int64_t r = some_rows();
    int32_t n = 1 + (int32_t)r1_rng_below(&rng, 9), bins = 1 + (int32_t)r1_rng_below(&rng, 12);
    a->v[R1_PLE_X] = op_case_floats(r, n);
    a->v[R1_PLE_EDGE] = op_case_floats(n, bins + 1);
    a->v[R1_PLE_Y] = op_case_floats(r, n * (bins + 1));
    for (int32_t c = 0; c < n; c++)
        for (int32_t b = 0; b <= bins; b++)
            r1_row(&a->v[R1_PLE_EDGE], c)[b] = (float)b * 0.37f - 1.5f;
    for (int64_t i = 0; i < r; i++) {
        if (op_cases_coin()) r1_row(&a->v[R1_PLE_X], i)[r1_rng_below(&rng, (uint64_t)n)] = NAN;
        if (op_cases_coin()) { /* exactly on an edge */
            uint64_t c = r1_rng_below(&rng, (uint64_t)n),
                     b = r1_rng_below(&rng, (uint64_t)bins + 1);
            r1_row(&a->v[R1_PLE_X], i)[c] = r1_row(&a->v[R1_PLE_EDGE], (int64_t)c)[b];
        }
    }
}

static void make_embed(r1_op_args *a)
{
    int64_t r = some_rows();
    int32_t n = 1 + (int32_t)r1_rng_below(&rng, 4), d = 1 + (int32_t)r1_rng_below(&rng, 9),
            rows = 0;
    a->v[R1_EMBED_FIRST] = ints(n + 1, 0, 0);
    int32_t *first = a->v[R1_EMBED_FIRST].p;
    for (int32_t c = 0; c <= n; c++) {
        first[c] = rows;
        rows += 3 + (int32_t)r1_rng_below(&rng, 5);
    }
    a->v[R1_EMBED_ID] = ints((int32_t)r * n, -2, 8); /* missing, values, other */
    a->v[R1_EMBED_ID].rows = r;
    a->v[R1_EMBED_ID].cols = n;
    a->v[R1_EMBED_ID].ld = n;
    a->v[R1_EMBED_TABLE] = op_case_floats(first[n], d);
    a->v[R1_EMBED_Y] = op_case_floats(r, n * d);
}

static void make_standard(r1_op_args *a)
{
    int64_t r = some_rows();
    int32_t c = (int32_t)some_rows();
    a->v[R1_STANDARD_X] = op_case_floats(r, c);
    r1_row(&a->v[R1_STANDARD_X], 0)[0] = NAN;
    a->v[R1_STANDARD_MEAN] = op_case_floats(1, c);
    a->v[R1_STANDARD_RSTD] = op_case_floats(1, c);
    a->v[R1_STANDARD_Y] = op_case_floats(r, c);
    a->f[R1_STANDARD_CLIP] = 1.0f;
}

/* Each edge lies in a graph that has nodes, and joins two of them. */
static void draw_graphs(r1_op_args *a, int32_t n_node, int32_t n_edge)
{
    int32_t n_graph = (int32_t)some_rows();
    a->v[R1_EDGE_MESSAGE_NODES] = op_cases_offsets(n_graph, n_node);
    a->v[R1_EDGE_MESSAGE_EDGES] = op_cases_offsets(n_graph, n_edge);
    a->v[R1_EDGE_MESSAGE_SRC] = ints(n_edge, 0, 0);
    a->v[R1_EDGE_MESSAGE_DST] = ints(n_edge, 0, 0);
    const int32_t *node = r1_ints(&a->v[R1_EDGE_MESSAGE_NODES]);
    int32_t *edge = a->v[R1_EDGE_MESSAGE_EDGES].p, *src = a->v[R1_EDGE_MESSAGE_SRC].p,
            *dst = a->v[R1_EDGE_MESSAGE_DST].p, last = n_graph - 1;
    while (node[last] == n_node) last--; /* the last graph that has nodes takes what is left */
    for (int32_t g = 0; g < n_graph; g++) {
        if (node[g] == node[g + 1] || g > last) edge[g + 1] = edge[g];
        if (g == last) edge[g + 1] = n_edge;
        if (edge[g + 1] < edge[g]) edge[g + 1] = edge[g];
        for (int32_t j = edge[g]; j < edge[g + 1]; j++) {
            uint64_t own = (uint64_t)(node[g + 1] - node[g]);
            src[j] = node[g] + (int32_t)r1_rng_below(&rng, own);
            dst[j] = node[g] + (int32_t)r1_rng_below(&rng, own);
        }
    }
}

static void make_edge_message(r1_op_args *a)
{
    int64_t n = some_rows(), e = some_rows();
    int32_t d = 1 + (int32_t)r1_rng_below(&rng, 40);
    a->v[R1_EDGE_MESSAGE_H] = op_case_floats(n, 2 * d);
    a->v[R1_EDGE_MESSAGE_E] = op_case_floats(e, 2 * d);
    draw_graphs(a, (int32_t)n, (int32_t)e);
    a->v[R1_EDGE_MESSAGE_SCALE] = op_case_floats(n, 2);
    a->v[R1_EDGE_MESSAGE_Y] = op_case_floats(n, 2 * d);
}

static void make_mark_pool(r1_op_args *a)
{
    int32_t n = (int32_t)some_rows(), b = (int32_t)some_rows(),
            d = 1 + (int32_t)r1_rng_below(&rng, 40);
    a->v[R1_MARK_POOL_H] = op_case_floats(n, d);
    a->v[R1_MARK_POOL_MARK] = ints(n, 0, 2);
    a->v[R1_MARK_POOL_OFF] = op_cases_offsets(b, n);
    a->v[R1_MARK_POOL_Y] = op_case_floats(b, 3 * d);
}

static void make_place(r1_op_args *a)
{
    int64_t s = some_rows(), b = some_rows();
    int32_t c = (int32_t)some_rows();
    a->v[R1_PLACE_X] = op_case_floats(s, c);
    if (op_cases_coin()) a->v[R1_PLACE_MAP] = ints((int32_t)b, -1, s - 1);
    a->v[R1_PLACE_ABSENT] = op_case_floats(1, c);
    a->v[R1_PLACE_Y] = op_case_floats(b, c);
}

static void make_seg_mean(r1_op_args *a)
{
    int32_t r = (int32_t)some_rows(), b = (int32_t)some_rows(), n = r, c = (int32_t)some_rows();
    a->v[R1_SEG_MEAN_X] = op_case_floats(r, c);
    if (op_cases_coin()) a->v[R1_SEG_MEAN_INDEX] = ints(n = (int32_t)some_rows(), 0, r - 1);
    a->v[R1_SEG_MEAN_OFF] = op_cases_offsets(b, n);
    a->v[R1_SEG_MEAN_Y] = op_case_floats(b, c);
}

static void make_causal_mean(r1_op_args *a)
{
    int32_t r = (int32_t)some_rows(), c = (int32_t)some_rows();
    a->v[R1_CAUSAL_MEAN_X] = op_case_floats(r, c);
    a->v[R1_CAUSAL_MEAN_OFF] = op_cases_offsets((int32_t)some_rows(), r);
    a->v[R1_CAUSAL_MEAN_Y] = op_case_floats(r, c);
}

static void make_cawa_scale(r1_op_args *a)
{
    int64_t r = some_rows();
    int32_t h = 1 + (int32_t)r1_rng_below(&rng, 8), dh = 1 + (int32_t)r1_rng_below(&rng, 20);
    a->v[R1_CAWA_SCALE_Q] = op_case_floats(r, h * dh);
    if (op_cases_coin()) a->v[R1_CAWA_SCALE_CONTEXT] = op_case_floats(r, h);
    if (op_cases_coin()) a->v[R1_CAWA_SCALE_LENGTH] = op_case_floats(1, h);
    a->v[R1_CAWA_SCALE_COUNT] = ints((int32_t)r, 0, op_cases_coin() ? 3 : 5000);
    a->v[R1_CAWA_SCALE_Y] = op_case_floats(r, h * dh);
    a->i[R1_CAWA_SCALE_HEADS] = h;
    a->f[R1_CAWA_SCALE_BETA] = 0.3f;
    a->f[R1_CAWA_SCALE_SCALE] = 0.25f;
}

static void make_attend(r1_op_args *a)
{
    static const int64_t dims[] = {1, 8, 31, 32, 33, 64, 128};
    bool causal = op_cases_coin();
    int32_t h = 1 + (int32_t)r1_rng_below(&rng, 4),
            dh = (int32_t)op_cases_pick(dims, R1_COUNT(dims));
    int32_t s = 1 + (int32_t)r1_rng_below(&rng, 6), r = (int32_t)some_rows(),
            t = causal ? r : (int32_t)some_rows(), n = t;
    a->v[R1_ATTEND_Q] = op_case_floats(r, h * dh);
    a->v[R1_ATTEND_K] = op_case_floats(t, h * dh);
    a->v[R1_ATTEND_V] = op_case_floats(t, h * dh);
    a->v[R1_ATTEND_Q_OFF] = op_cases_offsets(s, r);
    if (!causal && op_cases_coin())
        a->v[R1_ATTEND_INDEX] = ints(n = (int32_t)some_rows(), 0, t - 1);
    a->v[R1_ATTEND_K_OFF] = causal ? a->v[R1_ATTEND_Q_OFF] : op_cases_offsets(s, n);
    if (op_cases_coin()) {
        a->v[R1_ATTEND_BUCKET] = ints(n, 0, 4);
        a->v[R1_ATTEND_BIAS] = op_case_floats(h, 5);
    }
    if (op_cases_coin()) {
        a->v[R1_ATTEND_LOG_WEIGHT] = op_case_floats(1, n);
        a->v[R1_ATTEND_LOG_WEIGHT].ld = n;
    }
    a->v[R1_ATTEND_Y] = op_case_floats(r, h * dh);
    a->i[R1_ATTEND_HEADS] = h;
    a->i[R1_ATTEND_CAUSAL] = causal;
    if (op_cases_coin()) return;
    int32_t rank = 1 + (int32_t)r1_rng_below(&rng, R1_ATTEND_RANK_MAX);
    a->v[R1_ATTEND_FACTOR_Q] = op_case_floats(r, h * rank);
    a->v[R1_ATTEND_FACTOR_K] = op_case_floats(t, h * rank);
    for (int64_t i = 0; i < r; i++)
        for (int32_t c = 0; c < h * rank; c++)
            r1_row(&a->v[R1_ATTEND_FACTOR_Q], i)[c] /=
                sqrtf((float)rank); /* tanh is not at its ends */
    for (int64_t i = 0; i < r;
         /* the factor multiplies the score's rounding too: scores of the size that the op is
         * given */
         i++)
        for (int32_t c = 0; c < h * dh; c++) r1_row(&a->v[R1_ATTEND_Q], i)[c] /= sqrtf((float)dh);
    a->f[R1_ATTEND_BETA] = 0.5f;
}

static void make_tail_norm(r1_op_args *a)
{
    int64_t r = some_rows();
    int32_t c = (int32_t)some_rows();
    a->v[R1_TAIL_NORM_X] = op_case_floats(r, c);
    a->v[R1_TAIL_NORM_TAIL] = op_case_floats(r, (int32_t)some_rows());
    a->v[R1_TAIL_NORM_B] = op_case_floats(1, c);
    a->v[R1_TAIL_NORM_Y] = op_case_floats(r, c);
    a->f[R1_TAIL_NORM_EPS] = 1e-5f;
    a->f[R1_TAIL_NORM_WIDTH] = 512;
}

/* Steps from narrow (most is clipped) to wide; no value lies so near to where rounding jumps
 * that f32 and double could differ. */
static void make_lsq(r1_op_args *a)
{
    int64_t r = some_rows();
    int32_t c = (int32_t)some_rows();
    a->v[R1_LSQ_X] = op_case_floats(r, c);
    a->v[R1_LSQ_STEP] = op_case_floats(op_cases_coin() ? r : 1, 1);
    a->v[R1_LSQ_Y] = op_case_floats(r, c);
    a->i[R1_LSQ_LIMIT] = op_cases_coin() ? R1_INT8_LIMIT : 7;
    for (int64_t i = 0; i < a->v[R1_LSQ_STEP].rows; i++)
        r1_row(&a->v[R1_LSQ_STEP], i)[0] = 0.004f + 0.3f * (float)r1_rng_unit(&rng);
    for (int64_t i = 0; i < r; i++)
        for (int32_t k = 0; k < c; k++) {
            float *x = &r1_row(&a->v[R1_LSQ_X], i)[k],
                  step = r1_row(&a->v[R1_LSQ_STEP], i % a->v[R1_LSQ_STEP].rows)[0], v = *x / step;
            float whole = floorf(v), part = v - whole;
            if (fabsf(part - 0.5f) < 0.1f) *x = step * (whole + 0.3f);
            if (fabsf(v) > (float)a->i[R1_LSQ_LIMIT] - 2)
                *x = copysignf(step * (float)(a->i[R1_LSQ_LIMIT] + 2), v);
        }
}

static void (*const makers[R1_OP_COUNT])(r1_op_args *) = {
    [R1_OP_LINEAR] = make_linear,
    [R1_OP_ADD] = make_add,
    [R1_OP_ACT] = make_act,
    [R1_OP_RMSNORM] = make_rmsnorm,
    [R1_OP_PLE] = make_ple,
    [R1_OP_EMBED] = make_embed,
    [R1_OP_STANDARD] = make_standard,
    [R1_OP_EDGE_MESSAGE] = make_edge_message,
    [R1_OP_MARK_POOL] = make_mark_pool,
    [R1_OP_PLACE] = make_place,
    [R1_OP_SEG_MEAN] = make_seg_mean,
    [R1_OP_CAUSAL_MEAN] = make_causal_mean,
    [R1_OP_CAWA_SCALE] = make_cawa_scale,
    [R1_OP_ATTEND] = make_attend,
    [R1_OP_TAIL_NORM] = make_tail_norm,
    [R1_OP_LSQ] = make_lsq,
};

int op_case_output(r1_op op)
{
    int k = 0;
    while (!(r1_op_get(op)->outputs >> k & 1)) k++;
    return k;
}

void op_case_seed(uint64_t seed) { r1_rng_seed(&rng, seed); }

void op_case_make(r1_op op, r1_op_args *a)
{
    *a = (r1_op_args){0};
    makers[op](a);
}

bool op_case_equal(const char *what, const r1_view *expected, const r1_view *got, double abs_tol,
                   double rel_tol)
{
    for (int64_t r = 0; r < expected->rows; r++)
        for (int32_t c = 0; c < expected->cols; c++) {
            double x = r1_row(expected, r)[c], y = r1_row(got, r)[c];
            if (fabs(x - y) <= abs_tol + rel_tol * fabs(x)) continue;
            fprintf(stderr, "%s row %lld column %d: expected %.9g, got %.9g\n", what, (long long)r,
                    c, x, y);
            return false;
        }
    return true;
}

void op_case_free(r1_op_args *a)
{
    for (int k = 0; k < R1_OP_VIEWS; k++) {
        for (int j = k + 1; j < R1_OP_VIEWS; j++)
            if (a->v[j].p == a->v[k].p) a->v[j].p = NULL; /* causal attention shares its offsets */
        free(a->v[k].p);
        free(a->g[k].p);
    }
}
