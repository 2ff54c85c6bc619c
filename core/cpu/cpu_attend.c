/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_attend.c - softmax attention over ragged segments in f32: scores, softmax and weighted sum of one query and head while
 * they are in the first-level cache. */
#include "cpu_ops.h"

enum { KEYS_MAX = 4096 };

typedef struct {
    const float *q, *k, *v; /* of this head; k and v advance by their leading dimensions */
    const int32_t *index, *bucket;
    const float *bias, *log_weight;
    int64_t k_ld, v_ld, q_row;
    int32_t first, n, dh, head;
} query;

R1_INLINE void exponentials(float *p, float top, int32_t n)
{
    v8 v;
    int32_t j = 0;
    for (; j + 8 <= n; j += 8) {
        v8_load(&v, p + j);
        v -= top;
        v8_exp(&v);
        v8_store(p + j, &v);
    }
    if (j == n) return;
    v8_load_part(&v, p + j, n - j, top);
    v -= top;
    v8_exp(&v);
    memcpy(p + j, &v, sizeof(float) * (size_t)(n - j));
}

R1_INLINE int64_t key_row(const query *q, int32_t j) { return q->index ? q->index[q->first + j] : q->first + j; }

R1_INLINE void softmax(const query *q, float *p)
{
    float top = -3e38f, sum = 0.0f;
    for (int32_t j = 0; j < q->n; j++) {
        p[j] = v8_dot(q->q, q->k + key_row(q, j) * q->k_ld, q->dh);
        if (q->bias) p[j] += q->bias[q->bucket ? q->bucket[q->first + j] : 0];
        if (q->log_weight) p[j] += q->log_weight[q->first + j];
        if (p[j] > top) top = p[j];
    }
    exponentials(p, top, q->n);
    for (int32_t j = 0; j < q->n; j++) sum += p[j];
    sum = 1.0f / sum;
    for (int32_t j = 0; j < q->n; j++) p[j] *= sum;
}

R1_CLONES static void forward_query(const r1_op_args *a, const query *q)
{
    float p[KEYS_MAX], *y = r1_row(&a->v[9], q->q_row) + q->head * q->dh;
    memset(y, 0, sizeof(float) * (size_t)q->dh);
    if (q->n <= 0) return;
    softmax(q, p);
    for (int32_t j = 0; j < q->n; j++) v8_add_scaled(y, q->v + key_row(q, j) * q->v_ld, p[j], q->dh);
}

R1_CLONES static void backward_query(const r1_op_args *a, const query *q)
{
    float p[KEYS_MAX], dp[KEYS_MAX], mean = 0.0f;
    if (q->n <= 0) return;
    int32_t at = q->head * q->dh;
    const float *gy = r1_row(&a->g[9], q->q_row) + at;
    softmax(q, p);
    for (int32_t j = 0; j < q->n; j++) {
        dp[j] = v8_dot(gy, q->v + key_row(q, j) * q->v_ld, q->dh);
        mean += p[j] * dp[j];
    }
    for (int32_t j = 0; j < q->n; j++) {
        float ds = p[j] * (dp[j] - mean);
        int64_t row = key_row(q, j);
        if (a->g[0].p) v8_add_scaled(r1_row(&a->g[0], q->q_row) + at, q->k + row * q->k_ld, ds, q->dh);
        if (a->g[1].p) v8_add_scaled(r1_row(&a->g[1], row) + at, q->q, ds, q->dh);
        if (a->g[2].p) v8_add_scaled(r1_row(&a->g[2], row) + at, gy, p[j], q->dh);
        if (a->g[7].p) r1_row(&a->g[7], q->head)[q->bucket ? q->bucket[q->first + j] : 0] += ds;
    }
}

static r1_status each_query(const r1_op_args *a, void (*fn)(const r1_op_args *, const query *), r1_err *err)
{
    const int32_t *q_off = r1_ints(&a->v[3]), *k_off = r1_ints(&a->v[4]);
    query q = {.index = a->v[5].p,
               .bucket = a->v[6].p,
               .log_weight = a->v[8].p,
               .k_ld = a->v[1].ld,
               .v_ld = a->v[2].ld,
               .dh = a->v[0].cols / a->i[0]};
    for (int32_t s = 0; s + 1 < a->v[3].cols; s++)
        for (int32_t r = q_off[s]; r < q_off[s + 1]; r++) {
            q.q_row = r;
            q.first = k_off[s];
            q.n = k_off[s + 1] - k_off[s];
            if (a->i[1] && r - q_off[s] + 1 < q.n) q.n = r - q_off[s] + 1;
            if (q.n > KEYS_MAX) R1_FAIL(err, R1_E_INVAL, "attend: expected at most %d keys, found %d", KEYS_MAX, q.n);
            for (q.head = 0; q.head < a->i[0]; q.head++) {
                q.q = r1_row(&a->v[0], r) + q.head * q.dh;
                q.k = (const float *)a->v[1].p + q.head * q.dh;
                q.v = (const float *)a->v[2].p + q.head * q.dh;
                q.bias = a->v[7].p ? r1_row(&a->v[7], q.head) : NULL;
                fn(a, &q);
            }
        }
    return R1_OK;
}

r1_status r1_cpu_attend_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s;
    return each_query(a, forward_query, err);
}

r1_status r1_cpu_attend_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s;
    return each_query(a, backward_query, err);
}
