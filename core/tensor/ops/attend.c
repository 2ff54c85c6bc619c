/* SPDX-License-Identifier: Apache-2.0 */
/* attend.c - softmax attention over ragged segments: within a sequence (causal or full), or from
 * one query to listed memory entries with a bias per bucket and an added log-weight, and where u
 * and w are given with a factor per key of low rank (CAWA's per-key variant). The scale is
 * already in q (cawa_scale.c). Keys and values may be bf16; their gradients are f32. */
#include "tensor/r1_op.h"

#include <math.h>
#include <string.h>

/* Segments longer than this are refused; the reference keeps its scores on the stack. */
enum { KEYS_MAX = 16384 };

typedef struct {
    const r1_op_args *a;
    int32_t h, dh, first, n; /* head; first listed key, number of visible keys */
    int32_t rank;            /* of the factor per key; 0: none */
    int64_t row;             /* of the query */
} query;

static int32_t attend_key_row(const query *q, int32_t j)
{
    const int32_t *index = q->a->v[5].p;
    return index ? index[q->first + j] : q->first + j;
}

static int32_t attend_bucket(const query *q, int32_t j)
{
    return q->a->v[6].p ? r1_ints(&q->a->v[6])[q->first + j] : 0;
}

/* Column c of this head in a row of keys or values, which are f32 or bf16. */
static float attend_element(const query *q, int slot, int32_t row, int32_t c)
{
    const r1_view *v = &q->a->v[slot];
    int64_t at = row * v->ld + q->h * q->dh + c;
    if (v->dtype == R1_F32) return ((const float *)v->p)[at];
    uint32_t bits = (uint32_t)((const uint16_t *)v->p)[at] << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* q.k */
static double attend_product(const query *q, int32_t row)
{
    const float *x = r1_row(&q->a->v[0], q->row) + q->h * q->dh;
    double sum = 0;
    for (int32_t c = 0; c < q->dh; c++) sum += (double)x[c] * attend_element(q, 1, row, c);
    return sum;
}

/* tanh(u.w) */
static double per_key(const query *q, int32_t row)
{
    double sum = 0;
    for (int32_t c = q->h * q->rank; c < (q->h + 1) * q->rank; c++)
        sum += (double)r1_row(&q->a->v[10], q->row)[c] * r1_row(&q->a->v[11], row)[c];
    return tanh(sum);
}

static void attend_softmax(const query *q, double *p)
{
    double top = -INFINITY, sum = 0;
    for (int32_t j = 0; j < q->n; j++) {
        p[j] = attend_product(q, attend_key_row(q, j));
        if (q->rank) p[j] *= 1 + (double)q->a->f[0] * per_key(q, attend_key_row(q, j));
        if (q->a->v[7].p) p[j] += r1_row(&q->a->v[7], q->h)[attend_bucket(q, j)];
        if (q->a->v[8].p) p[j] += ((const float *)q->a->v[8].p)[q->first + j];
        if (p[j] > top) top = p[j];
    }
    for (int32_t j = 0; j < q->n; j++) sum += p[j] = exp(p[j] - top);
    for (int32_t j = 0; j < q->n; j++) p[j] /= sum;
}

static void forward_query(const query *q)
{
    double p[KEYS_MAX];
    attend_softmax(q, p);
    for (int32_t c = 0; c < q->dh; c++) {
        double sum = 0;
        for (int32_t j = 0; j < q->n; j++)
            sum += p[j] * attend_element(q, 2, attend_key_row(q, j), c);
        r1_row(&q->a->v[9], q->row)[q->h * q->dh + c] = (float)sum;
    }
}

/* Of u and w, from the score's gradient; returns the gradient of q.k. */
static double backward_per_key(const query *q, int32_t row, double ds)
{
    const r1_op_args *a = q->a;
    double t = per_key(q, row), dt = ds * attend_product(q, row) * a->f[0] * (1 - t * t);
    for (int32_t c = q->h * q->rank; c < (q->h + 1) * q->rank; c++) {
        if (a->g[10].p) r1_row(&a->g[10], q->row)[c] += (float)(dt * r1_row(&a->v[11], row)[c]);
        if (a->g[11].p) r1_row(&a->g[11], row)[c] += (float)(dt * r1_row(&a->v[10], q->row)[c]);
    }
    return ds * (1 + a->f[0] * t);
}

static void attend_backward_query(const query *q)
{
    double p[KEYS_MAX], dp[KEYS_MAX], mean = 0;
    const r1_op_args *a = q->a;
    const float *gy = r1_row(&a->g[9], q->row) + q->h * q->dh,
                *x = r1_row(&a->v[0], q->row) + q->h * q->dh;
    attend_softmax(q, p);
    for (int32_t j = 0; j < q->n; j++) {
        dp[j] = 0;
        for (int32_t c = 0; c < q->dh; c++)
            dp[j] += (double)gy[c] * attend_element(q, 2, attend_key_row(q, j), c);
        mean += p[j] * dp[j];
    }
    for (int32_t j = 0; j < q->n; j++) {
        double ds = p[j] * (dp[j] - mean);
        int32_t row = attend_key_row(q, j);
        double dz = q->rank ? backward_per_key(q, row, ds) : ds;
        for (int32_t c = 0; c < q->dh; c++) {
            if (a->g[0].p)
                r1_row(&a->g[0], q->row)[q->h * q->dh + c] +=
                    (float)(dz * attend_element(q, 1, row, c));
            if (a->g[1].p) r1_row(&a->g[1], row)[q->h * q->dh + c] += (float)(dz * x[c]);
            if (a->g[2].p) r1_row(&a->g[2], row)[q->h * q->dh + c] += (float)(p[j] * gy[c]);
        }
        if (a->g[7].p) r1_row(&a->g[7], q->h)[attend_bucket(q, j)] += (float)ds;
    }
}

static r1_status each_query(const r1_op_args *a, void (*fn)(const query *), r1_err *err)
{
    const int32_t *q_off = r1_ints(&a->v[3]), *k_off = r1_ints(&a->v[4]);
    query q = {
        .a = a, .dh = a->v[0].cols / a->i[0], .rank = a->v[10].p ? a->v[10].cols / a->i[0] : 0};
    for (int32_t s = 0; s + 1 < a->v[3].cols; s++)
        for (int32_t r = q_off[s]; r < q_off[s + 1]; r++)
            for (q.h = 0; q.h < a->i[0]; q.h++) {
                q.row = r;
                q.first = k_off[s];
                q.n = k_off[s + 1] - k_off[s];
                if (a->i[1] && r - q_off[s] + 1 < q.n) q.n = r - q_off[s] + 1;
                if (q.n > KEYS_MAX)
                    R1_FAIL(err, R1_E_INVAL, "attend: %d keys, at most %d", q.n, KEYS_MAX);
                fn(&q);
            }
    return R1_OK;
}

static void zero_or_forward(const query *q)
{
    if (q->n > 0) {
        forward_query(q);
        return;
    }
    for (int32_t c = 0; c < q->dh; c++) r1_row(&q->a->v[9], q->row)[q->h * q->dh + c] = 0;
}

static void backward_or_nothing(const query *q)
{
    if (q->n > 0) attend_backward_query(q);
}

static r1_status attend_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s;
    return each_query(a, zero_or_forward, err);
}

static r1_status attend_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s;
    return each_query(a, backward_or_nothing, err);
}

/* Counted as if every key were visible to every query of its segment. */
static uint64_t attend_flop(const r1_op_args *a)
{
    uint64_t seg = a->v[3].cols > 1 ? (uint64_t)a->v[3].cols - 1 : 1;
    uint64_t keys = a->v[5].cols ? (uint64_t)a->v[5].cols : (uint64_t)a->v[1].rows;
    uint64_t pairs = (uint64_t)a->v[0].rows * keys / seg;
    uint64_t low = a->v[10].cols ? 2u * (uint64_t)a->v[10].cols + 8u * (uint64_t)a->i[0] : 0;
    return pairs * (4u * (uint64_t)a->v[0].cols + 4u * (uint64_t)a->i[0] + low);
}

const r1_op_def r1_op_attend = {
    "attend",       1u << 9,         1u | 2u | 4u | 128u | 1u << 10 | 1u << 11,
    attend_forward, attend_backward, attend_flop};
