/* SPDX-License-Identifier: Apache-2.0 */
/* attend.c - softmax attention over ragged segments: within a sequence (causal or full), or from
 * one query to listed memory entries, with a bias of each bucket and an added log-weight.
 *
 * Where both its sides are there, CAWA's key factor multiplies the scores. The scale is already
 * in q (cawa_scale.c). Keys and values may be bf16; their gradients are f32. */
#include "tensor/r1_op.h"

#include <math.h>
#include <string.h>

/* Segments longer than this are refused; the reference keeps its scores on the stack. */
enum { KEYS_MAX = 16384 };

typedef struct {
    const r1_op_args *a;
    int32_t h, dh, first, n; /* head; first listed key, number of visible keys */
    int32_t rank;            /* of the key factor; 0: none */
    int64_t row;             /* of the query */
} query;

static int32_t attend_key_row(const query *q, int32_t j)
{
    const int32_t *index = q->a->v[R1_ATTEND_INDEX].p;
    return index ? index[q->first + j] : q->first + j;
}

static int32_t attend_bucket(const query *q, int32_t j)
{
    return q->a->v[R1_ATTEND_BUCKET].p ? r1_ints(&q->a->v[R1_ATTEND_BUCKET])[q->first + j] : 0;
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
    const float *x = r1_row(&q->a->v[R1_ATTEND_Q], q->row) + q->h * q->dh;
    double sum = 0;
    for (int32_t c = 0; c < q->dh; c++) sum += (double)x[c] * attend_element(q, 1, row, c);
    return sum;
}

/* tanh(factor_q.factor_k) */
static double attend_key_factor(const query *q, int32_t row)
{
    double sum = 0;
    for (int32_t c = q->h * q->rank; c < (q->h + 1) * q->rank; c++)
        sum += (double)r1_row(&q->a->v[R1_ATTEND_FACTOR_Q], q->row)[c] *
               r1_row(&q->a->v[R1_ATTEND_FACTOR_K], row)[c];
    return tanh(sum);
}

static void attend_softmax(const query *q, double *p)
{
    double top = -INFINITY, sum = 0;
    for (int32_t j = 0; j < q->n; j++) {
        p[j] = attend_product(q, attend_key_row(q, j));
        if (q->rank)
            p[j] *=
                1 + (double)q->a->f[R1_ATTEND_BETA] * attend_key_factor(q, attend_key_row(q, j));
        if (q->a->v[R1_ATTEND_BIAS].p)
            p[j] += r1_row(&q->a->v[R1_ATTEND_BIAS], q->h)[attend_bucket(q, j)];
        if (q->a->v[R1_ATTEND_LOG_WEIGHT].p)
            p[j] += ((const float *)q->a->v[R1_ATTEND_LOG_WEIGHT].p)[q->first + j];
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
        r1_row(&q->a->v[R1_ATTEND_Y], q->row)[q->h * q->dh + c] = (float)sum;
    }
}

/* Of both sides of the key factor, from the score's gradient; returns the gradient of q.k. */
static double backward_key_factor(const query *q, int32_t row, double ds)
{
    const r1_op_args *a = q->a;
    double t = attend_key_factor(q, row),
           dt = ds * attend_product(q, row) * a->f[R1_ATTEND_BETA] * (1 - t * t);
    for (int32_t c = q->h * q->rank; c < (q->h + 1) * q->rank; c++) {
        if (a->g[R1_ATTEND_FACTOR_Q].p)
            r1_row(&a->g[R1_ATTEND_FACTOR_Q], q->row)[c] +=
                (float)(dt * r1_row(&a->v[R1_ATTEND_FACTOR_K], row)[c]);
        if (a->g[R1_ATTEND_FACTOR_K].p)
            r1_row(&a->g[R1_ATTEND_FACTOR_K], row)[c] +=
                (float)(dt * r1_row(&a->v[R1_ATTEND_FACTOR_Q], q->row)[c]);
    }
    return ds * (1 + a->f[R1_ATTEND_BETA] * t);
}

static void attend_backward_query(const query *q)
{
    double p[KEYS_MAX], dp[KEYS_MAX], mean = 0;
    const r1_op_args *a = q->a;
    const float *gy = r1_row(&a->g[R1_ATTEND_Y], q->row) + q->h * q->dh,
                *x = r1_row(&a->v[R1_ATTEND_Q], q->row) + q->h * q->dh;
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
        double dz = q->rank ? backward_key_factor(q, row, ds) : ds;
        for (int32_t c = 0; c < q->dh; c++) {
            if (a->g[R1_ATTEND_Q].p)
                r1_row(&a->g[R1_ATTEND_Q], q->row)[q->h * q->dh + c] +=
                    (float)(dz * attend_element(q, 1, row, c));
            if (a->g[R1_ATTEND_K].p)
                r1_row(&a->g[R1_ATTEND_K], row)[q->h * q->dh + c] += (float)(dz * x[c]);
            if (a->g[R1_ATTEND_V].p)
                r1_row(&a->g[R1_ATTEND_V], row)[q->h * q->dh + c] += (float)(p[j] * gy[c]);
        }
        if (a->g[R1_ATTEND_BIAS].p)
            r1_row(&a->g[R1_ATTEND_BIAS], q->h)[attend_bucket(q, j)] += (float)ds;
    }
}

static r1_status each_query(const r1_op_args *a, void (*fn)(const query *), r1_err *err)
{
    const int32_t *q_off = r1_ints(&a->v[R1_ATTEND_Q_OFF]),
                  *k_off = r1_ints(&a->v[R1_ATTEND_K_OFF]);
    query q = {.a = a,
               .dh = a->v[R1_ATTEND_Q].cols / a->i[R1_ATTEND_HEADS],
               .rank = a->v[R1_ATTEND_FACTOR_Q].p
                           ? a->v[R1_ATTEND_FACTOR_Q].cols / a->i[R1_ATTEND_HEADS]
                           : 0};
    for (int32_t s = 0; s + 1 < a->v[R1_ATTEND_Q_OFF].cols; s++)
        for (int32_t r = q_off[s]; r < q_off[s + 1]; r++)
            for (q.h = 0; q.h < a->i[R1_ATTEND_HEADS]; q.h++) {
                q.row = r;
                q.first = k_off[s];
                q.n = k_off[s + 1] - k_off[s];
                if (a->i[R1_ATTEND_CAUSAL] && r - q_off[s] + 1 < q.n) q.n = r - q_off[s] + 1;
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
    for (int32_t c = 0; c < q->dh; c++) r1_row(&q->a->v[R1_ATTEND_Y], q->row)[q->h * q->dh + c] = 0;
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
    uint64_t seg = a->v[R1_ATTEND_Q_OFF].cols > 1 ? (uint64_t)a->v[R1_ATTEND_Q_OFF].cols - 1 : 1;
    uint64_t keys = a->v[R1_ATTEND_INDEX].cols ? (uint64_t)a->v[R1_ATTEND_INDEX].cols
                                               : (uint64_t)a->v[R1_ATTEND_K].rows;
    uint64_t pairs = (uint64_t)a->v[R1_ATTEND_Q].rows * keys / seg;
    uint64_t low = a->v[R1_ATTEND_FACTOR_Q].cols ? 2u * (uint64_t)a->v[R1_ATTEND_FACTOR_Q].cols +
                                                       8u * (uint64_t)a->i[R1_ATTEND_HEADS]
                                                 : 0;
    return pairs *
           (4u * (uint64_t)a->v[R1_ATTEND_Q].cols + 4u * (uint64_t)a->i[R1_ATTEND_HEADS] + low);
}

/* What lists keys has one length, whichever of it is there. */
static bool attend_lists_fit(const r1_op_args *a)
{
    static const int lists[] = {R1_ATTEND_INDEX, R1_ATTEND_BUCKET, R1_ATTEND_LOG_WEIGHT};
    int32_t n = -1;
    for (size_t i = 0; i < R1_COUNT(lists); i++) {
        const r1_view *v = &a->v[lists[i]];
        if (!v->p) continue;
        if (n >= 0 && v->cols != n) return false;
        n = v->cols;
    }
    return true;
}

static bool attend_fits(const r1_op_args *a)
{
    const r1_view *q = &a->v[R1_ATTEND_Q], *k = &a->v[R1_ATTEND_K], *bias = &a->v[R1_ATTEND_BIAS],
                  *fq = &a->v[R1_ATTEND_FACTOR_Q], *fk = &a->v[R1_ATTEND_FACTOR_K];
    int32_t heads = a->i[R1_ATTEND_HEADS];
    return heads > 0 && q->cols % heads == 0 && k->cols == q->cols &&
           r1_same_shape(k, &a->v[R1_ATTEND_V]) && r1_same_shape(q, &a->v[R1_ATTEND_Y]) &&
           a->v[R1_ATTEND_Q_OFF].cols == a->v[R1_ATTEND_K_OFF].cols &&
           (!bias->p || bias->rows == heads) && !fq->p == !fk->p &&
           (!fq->p || (fq->rows == q->rows && fk->rows == k->rows && fq->cols == fk->cols &&
                       fq->cols % heads == 0)) &&
           attend_lists_fit(a);
}

const r1_op_def r1_op_attend = {
    .name = "attend",
    .outputs = R1_SLOT(R1_ATTEND_Y),
    .grads = R1_SLOT(R1_ATTEND_Q) | R1_SLOT(R1_ATTEND_K) | R1_SLOT(R1_ATTEND_V) |
             R1_SLOT(R1_ATTEND_BIAS) | R1_SLOT(R1_ATTEND_FACTOR_Q) | R1_SLOT(R1_ATTEND_FACTOR_K),
    .fits = attend_fits,
    .forward = attend_forward,
    .backward = attend_backward,
    .flop = attend_flop,
};
