/* SPDX-License-Identifier: Apache-2.0 */
/* r1_kernels_backward.cuh - the kernels of the backward pass, and both of LSQ
 * (core/include/r1_backend.h has the ops' maths and operand slots). A kernel adds to the gradients
 * of its op's inputs; a view of g without a pointer is not wanted.
 *
 * Threads: where a gradient belongs to one element, a thread owns the element. Where many rows
 * share a gradient (weights, tables, nodes), a warp owns the row or the column, finds what adds to
 * it, and sums in a fixed order. Nothing is summed with atomics, so a run can be repeated bit by
 * bit. Source of the attention's form: Dao et al. 2022, who keep the softmax's logarithm of each
 * query and compute the weights again. */
#pragma once

#include "r1_kernels.cuh"

__device__ static inline void r1_add_to(const r1_view &g, long r, long c, float x)
{
    if (g.p) r1_at(g, r)[c] += x;
}

/* The sum over rows first, first + step... of what one warp's lanes read; every lane has it. */
template <typename value_of>
__device__ static inline float r1_rows_sum(long first, long rows, long step, int lane,
                                           value_of value)
{
    float sum = 0.0f;
    for (long r = first + lane * step; r < rows; r += step * R1_WARP) sum += value(r);
    return r1_warp_sum(sum);
}

/* ---- rows and columns ---- */

__global__ void r1_k_add_back_a(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[R1_ADD_A].cols;
    if (t >= a.v[R1_ADD_A].rows * cols) return;
    r1_at(a.g[R1_ADD_A], t / cols)[t % cols] += r1_at(a.g[R1_ADD_Y], t / cols)[t % cols];
}

/* one warp per element of b: rows s, s + S... */
__global__ void r1_k_add_back_b(r1_op_args a)
{
    long w = r1_thread() / R1_WARP, cols = a.v[R1_ADD_B].cols, rows = a.v[R1_ADD_B].rows;
    int lane = static_cast<int>(r1_thread() % R1_WARP);
    if (w >= rows * cols) return; /* the whole warp leaves */
    const r1_view gy = a.g[R1_ADD_Y];
    long c = w % cols;
    float sum = r1_rows_sum(w / cols, gy.rows, rows, lane, [&](long r) { return r1_at(gy, r)[c]; });
    if (lane == 0) r1_at(a.g[R1_ADD_B], w / cols)[c] += sum;
}

/* one warp per output of a product */
__global__ void r1_k_linear_back_b(r1_op_args a)
{
    long n = r1_thread() / R1_WARP;
    int lane = static_cast<int>(r1_thread() % R1_WARP);
    if (n >= a.g[R1_LINEAR_B].cols) return;
    const r1_view gy = a.g[R1_LINEAR_Y];
    float sum =
        r1_rows_sum(0, a.v[R1_LINEAR_X].rows, 1, lane, [&](long r) { return r1_at(gy, r)[n]; });
    if (lane == 0) r1_at(a.g[R1_LINEAR_B], 0)[n] += sum;
}

__global__ void r1_k_act_back(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[R1_ACT_X].cols;
    if (t >= a.v[R1_ACT_X].rows * cols) return;
    long r = t / cols, c = t % cols;
    float x = r1_at(a.v[R1_ACT_X], r)[c], slope = x > 0.0f ? 1.0f : 0.0f;
    if (a.i[R1_ACT_KIND] == R1_ACT_GELU) {
        float h = tanhf(0.7978845608f * (x + 0.044715f * x * x * x));
        slope = 0.5f * (1.0f + h) +
                0.5f * x * (1.0f - h * h) * 0.7978845608f * (1.0f + 3.0f * 0.044715f * x * x);
    }
    r1_at(a.g[R1_ACT_X], r)[c] += slope * r1_at(a.g[R1_ACT_Y], r)[c];
}

/* one warp per row */
__global__ void r1_k_rmsnorm_back_x(r1_op_args a)
{
    long r = r1_thread() / R1_WARP;
    int lane = static_cast<int>(r1_thread() % R1_WARP), cols = a.v[R1_RMSNORM_X].cols;
    if (r >= a.v[R1_RMSNORM_X].rows) return;
    const float *x = r1_at(a.v[R1_RMSNORM_X], r), *gain = r1_at(a.v[R1_RMSNORM_GAIN], 0),
                *gy = r1_at(a.g[R1_RMSNORM_Y], r);
    float inv = r1_inverse_rms(x, cols, a.f[R1_RMSNORM_EPS], lane), dot = 0.0f;
    for (int c = lane; c < cols; c += R1_WARP) dot += gy[c] * gain[c] * x[c];
    dot = r1_warp_sum(dot) * inv * inv * inv / static_cast<float>(cols);
    for (int c = lane; c < cols; c += R1_WARP)
        r1_at(a.g[R1_RMSNORM_X], r)[c] += inv * gain[c] * gy[c] - x[c] * dot;
}

/* One warp per 32 columns, a lane each. All lanes find a row's norm together. */
__global__ void r1_k_rmsnorm_back_gain(r1_op_args a)
{
    int lane = static_cast<int>(r1_thread() % R1_WARP), cols = a.v[R1_RMSNORM_X].cols;
    long c = r1_thread() / R1_WARP * R1_WARP + lane;
    if (c - lane >= cols) return;
    float sum = 0.0f;
    for (long r = 0; r < a.v[R1_RMSNORM_X].rows; r++) {
        const float *x = r1_at(a.v[R1_RMSNORM_X], r);
        float inv = r1_inverse_rms(x, cols, a.f[R1_RMSNORM_EPS], lane);
        if (c < cols) sum += r1_at(a.g[R1_RMSNORM_Y], r)[c] * x[c] * inv;
    }
    if (c < cols) r1_at(a.g[R1_RMSNORM_GAIN], 0)[c] += sum;
}

/* one warp per row of the table */
__global__ void r1_k_embed_back(r1_op_args a)
{
    long row = r1_thread() / R1_WARP;
    int lane = static_cast<int>(r1_thread() % R1_WARP), n = a.v[R1_EMBED_ID].cols,
        d = a.v[R1_EMBED_TABLE].cols, c = 0;
    const int *first = r1_int(a.v[R1_EMBED_FIRST]);
    if (row < first[0] || row >= first[n]) return;
    while (first[c + 1] <= row) c++;
    const int *id = r1_int(a.v[R1_EMBED_ID]);
    int values = first[c + 1] - first[c] - 2, mine = static_cast<int>(row) - first[c];
    auto takes = [&](int r) {
        return r1_embed_place(id[r * a.v[R1_EMBED_ID].ld + c], values) == mine;
    };
    r1_each_where(0, static_cast<int>(a.v[R1_EMBED_ID].rows), lane, takes, [&](int r) {
        const float *from = r1_at(a.g[R1_EMBED_Y], r) + c * d;
        for (int k = lane; k < d; k += R1_WARP) r1_at(a.g[R1_EMBED_TABLE], row)[k] += from[k];
    });
}

/* ---- graphs and segments ---- */

/* One warp per node: the edges that leave it give the first half, those that reach it the other. */
__global__ void r1_k_edge_message_back_h(r1_op_args a)
{
    long n = r1_thread() / R1_WARP;
    int lane = static_cast<int>(r1_thread() % R1_WARP), d = a.v[R1_EDGE_MESSAGE_H].cols / 2, first,
        last;
    if (n >= a.v[R1_EDGE_MESSAGE_H].rows) return; /* the whole warp leaves */
    r1_edges_of(a, n, &first, &last);
    const float *h = r1_at(a.v[R1_EDGE_MESSAGE_H], n);
    for (int side = 0; side < 2; side++) {
        const int *from = r1_int(a.v[side ? R1_EDGE_MESSAGE_DST : R1_EDGE_MESSAGE_SRC]),
                  *to = r1_int(a.v[side ? R1_EDGE_MESSAGE_SRC : R1_EDGE_MESSAGE_DST]);
        auto leaves = [&](int e) { return from[e] == n; };
        r1_each_where(first, last, lane, leaves, [&](int e) {
            const float *x = r1_at(a.v[R1_EDGE_MESSAGE_E], e),
                        *gy = r1_at(a.g[R1_EDGE_MESSAGE_Y], to[e]);
            float scale = r1_at(a.v[R1_EDGE_MESSAGE_SCALE], to[e])[side];
            for (int c = side * d + lane; c < (side + 1) * d; c += R1_WARP)
                if (h[c] + x[c] > 0.0f) r1_at(a.g[R1_EDGE_MESSAGE_H], n)[c] += gy[c] * scale;
        });
    }
}

/* one thread per edge and column */
__global__ void r1_k_edge_message_back_e(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[R1_EDGE_MESSAGE_E].cols, e = t / cols, c = t % cols;
    if (e >= a.v[R1_EDGE_MESSAGE_E].rows) return;
    bool second = c >= cols / 2;
    int from = r1_int(a.v[second ? R1_EDGE_MESSAGE_DST : R1_EDGE_MESSAGE_SRC])[e],
        to = r1_int(a.v[second ? R1_EDGE_MESSAGE_SRC : R1_EDGE_MESSAGE_DST])[e];
    if (r1_at(a.v[R1_EDGE_MESSAGE_H], from)[c] + r1_at(a.v[R1_EDGE_MESSAGE_E], e)[c] <= 0.0f)
        return;
    r1_at(a.g[R1_EDGE_MESSAGE_E], e)[c] += r1_at(a.g[R1_EDGE_MESSAGE_Y], to)[c] *
                                           r1_at(a.v[R1_EDGE_MESSAGE_SCALE], to)[second ? 1 : 0];
}

/* One thread per node and column. A node without a graph has no gradient. */
__global__ void r1_k_mark_pool_back(r1_op_args a)
{
    long t = r1_thread(), d = a.v[R1_MARK_POOL_H].cols, i = t / d, c = t % d;
    const int *mark = r1_int(a.v[R1_MARK_POOL_MARK]), *off = r1_int(a.v[R1_MARK_POOL_OFF]);
    int n_graph = a.v[R1_MARK_POOL_OFF].cols - 1;
    if (i >= a.v[R1_MARK_POOL_H].rows || i < off[0] || i >= off[n_graph]) return;
    int b = r1_segment(off, n_graph, i), count = 0;
    for (int k = off[b]; k < off[b + 1]; k++) count += mark[k] == mark[i];
    const float *gy = r1_at(a.g[R1_MARK_POOL_Y], b);
    float sum = gy[2 * d + c] / static_cast<float>(off[b + 1] - off[b]);
    if (mark[i] == 1 || mark[i] == 2) sum += gy[(mark[i] - 1) * d + c] / static_cast<float>(count);
    r1_at(a.g[R1_MARK_POOL_H], i)[c] += sum;
}

/* One warp per row of x, and a last one for the row of what is absent. */
__global__ void r1_k_place_back(r1_op_args a)
{
    long row = r1_thread() / R1_WARP, rows = a.v[R1_PLACE_X].rows;
    int lane = static_cast<int>(r1_thread() % R1_WARP), cols = a.v[R1_PLACE_Y].cols,
        n = static_cast<int>(a.v[R1_PLACE_Y].rows);
    if (row > rows) return;
    const r1_view g = a.g[row < rows ? R1_PLACE_X : R1_PLACE_ABSENT];
    const int *map = a.v[R1_PLACE_MAP].p ? r1_int(a.v[R1_PLACE_MAP]) : nullptr;
    if (!g.p || (!map && row < rows)) return;
    auto comes_here = [&](int i) {
        int from = map ? map[i] : -1;
        return row < rows ? from == row : from < 0;
    };
    r1_each_where(0, n, lane, comes_here, [&](int i) {
        const float *gy = r1_at(a.g[R1_PLACE_Y], i);
        for (int c = lane; c < cols; c += R1_WARP) r1_at(g, row < rows ? row : 0)[c] += gy[c];
    });
}

/* one warp per row of x */
__global__ void r1_k_seg_mean_back(r1_op_args a)
{
    long row = r1_thread() / R1_WARP;
    int lane = static_cast<int>(r1_thread() % R1_WARP), cols = a.v[R1_SEG_MEAN_Y].cols;
    if (row >= a.v[R1_SEG_MEAN_X].rows) return;
    const int *off = r1_int(a.v[R1_SEG_MEAN_OFF]), *index = r1_int(a.v[R1_SEG_MEAN_INDEX]);
    int n = a.v[R1_SEG_MEAN_OFF].cols - 1;
    auto give = [&](int j) {
        if (j < off[0] || j >= off[n]) return;
        int b = r1_segment(off, n, j);
        float share = 1.0f / static_cast<float>(off[b + 1] - off[b]);
        for (int c = lane; c < cols; c += R1_WARP)
            r1_at(a.g[R1_SEG_MEAN_X], row)[c] += r1_at(a.g[R1_SEG_MEAN_Y], b)[c] * share;
    };
    if (index)
        r1_each_where(
            0, off[n], lane, [&](int j) { return index[j] == row; }, give);
    else
        give(static_cast<int>(row));
}

/* one thread per segment and column, from the last row back */
__global__ void r1_k_causal_mean_back(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[R1_CAUSAL_MEAN_X].cols, g = t / cols, c = t % cols;
    if (g >= a.v[R1_CAUSAL_MEAN_OFF].cols - 1) return;
    const int *off = r1_int(a.v[R1_CAUSAL_MEAN_OFF]);
    float sum = 0.0f;
    for (int r = off[g + 1] - 1; r >= off[g]; r--) {
        sum += r1_at(a.g[R1_CAUSAL_MEAN_Y], r)[c] / static_cast<float>(r - off[g] + 1);
        r1_at(a.g[R1_CAUSAL_MEAN_X], r)[c] += sum;
    }
}

/* ---- context-aware weight adaptation ---- */

/* The gradient of the product of both factors, of one row and head. */
__device__ static inline float r1_factor_gradient(const r1_op_args &a, long r, long h)
{
    long dh = a.v[R1_CAWA_SCALE_Q].cols / a.i[R1_CAWA_SCALE_HEADS];
    float dot = 0.0f;
    for (long c = h * dh; c < (h + 1) * dh; c++)
        dot += r1_at(a.g[R1_CAWA_SCALE_Y], r)[c] * r1_at(a.v[R1_CAWA_SCALE_Q], r)[c];
    return dot * a.f[R1_CAWA_SCALE_SCALE];
}

/* one thread per row and head */
__global__ void r1_k_cawa_scale_back_q(r1_op_args a)
{
    long t = r1_thread(), n_head = a.i[R1_CAWA_SCALE_HEADS], r = t / n_head, h = t % n_head;
    if (r >= a.v[R1_CAWA_SCALE_Q].rows) return;
    long dh = a.v[R1_CAWA_SCALE_Q].cols / n_head;
    float length = r1_length_factor(a, r, h, false), th = r1_context_tanh(a, r, h),
          beta = a.f[R1_CAWA_SCALE_BETA],
          factor = a.f[R1_CAWA_SCALE_SCALE] * length * (1.0f + beta * th);
    for (long c = h * dh; c < (h + 1) * dh; c++)
        r1_add_to(a.g[R1_CAWA_SCALE_Q], r, c, r1_at(a.g[R1_CAWA_SCALE_Y], r)[c] * factor);
    if (a.v[R1_CAWA_SCALE_CONTEXT].p && a.g[R1_CAWA_SCALE_CONTEXT].p)
        r1_at(a.g[R1_CAWA_SCALE_CONTEXT], r)[h] +=
            r1_factor_gradient(a, r, h) * length * beta * (1.0f - th * th);
}

/* one warp per head */
__global__ void r1_k_cawa_scale_back_length(r1_op_args a)
{
    long h = r1_thread() / R1_WARP;
    int lane = static_cast<int>(r1_thread() % R1_WARP);
    if (h >= a.i[R1_CAWA_SCALE_HEADS]) return;
    float sum = r1_rows_sum(0, a.v[R1_CAWA_SCALE_Q].rows, 1, lane, [&](long r) {
        return r1_factor_gradient(a, r, h) * r1_length_factor(a, r, h, true) *
               (1.0f + a.f[R1_CAWA_SCALE_BETA] * r1_context_tanh(a, r, h));
    });
    if (lane == 0) r1_at(a.g[R1_CAWA_SCALE_LENGTH], 0)[h] += sum;
}

/* ---- attention ---- */

enum { R1_BUCKETS_MAX = 64 };

/* What the kernels of a backward attention hand on, in the stream's workspace. */
typedef struct {
    float *log_sum; /* [R, heads]: top score + log of the sum of weights; +inf without keys */
    float *mean;    /* [R, heads]: what the softmax's gradient takes off: gy . y */
    float *bias;    /* [R, heads, U]: of each query, for the sums of BIAS */
} r1_attend_kept;

/* One query's score with a key, the part before CAWA's factor, and that factor's tanh. All lanes
 * get all three. */
typedef struct {
    float score, product, th;
} r1_scored;

__device__ static inline r1_scored r1_score(const r1_op_args &a, const float *q, long r, long h,
                                            int j, int row, int dh, int lane)
{
    const float *key = r1_at(a.v[R1_ATTEND_K], row) + h * dh;
    const float *log_weight = static_cast<const float *>(a.v[R1_ATTEND_LOG_WEIGHT].p);
    const int *bucket = r1_int(a.v[R1_ATTEND_BUCKET]);
    float part = 0.0f;
    for (int k = lane; k < dh; k += R1_WARP) part += q[k] * key[k];
    r1_scored s = {0.0f, r1_warp_sum(part), 0.0f};
    s.score = s.product;
    if (a.v[R1_ATTEND_FACTOR_Q].p) {
        int rank = a.v[R1_ATTEND_FACTOR_Q].cols / a.i[R1_ATTEND_HEADS];
        part = lane < rank ? r1_at(a.v[R1_ATTEND_FACTOR_Q], r)[h * rank + lane] *
                                 r1_at(a.v[R1_ATTEND_FACTOR_K], row)[h * rank + lane]
                           : 0.0f;
        s.th = tanhf(r1_warp_sum(part));
        s.score *= 1.0f + a.f[R1_ATTEND_BETA] * s.th;
    }
    if (a.v[R1_ATTEND_BIAS].p) s.score += r1_at(a.v[R1_ATTEND_BIAS], h)[bucket ? bucket[j] : 0];
    if (log_weight) s.score += log_weight[j];
    return s;
}

/* gy . v of one query and key */
__device__ static inline float r1_value_gradient(const r1_op_args &a, long r, long h, int row,
                                                 int dh, int lane)
{
    const float *gy = r1_at(a.g[R1_ATTEND_Y], r) + h * dh,
                *v = r1_at(a.v[R1_ATTEND_V], row) + h * dh;
    float part = 0.0f;
    for (int k = lane; k < dh; k += R1_WARP) part += gy[k] * v[k];
    return r1_warp_sum(part);
}

/* One warp per query and head: its log sum and mean, then the gradients that are its own. */
__global__ void r1_k_attend_back_q(r1_op_args a, r1_attend_kept kept)
{
    long task = r1_thread() / R1_WARP, n_head = a.i[R1_ATTEND_HEADS], r = task / n_head,
         h = task % n_head;
    int lane = static_cast<int>(r1_thread() % R1_WARP),
        dh = static_cast<int>(a.v[R1_ATTEND_Q].cols / n_head),
        rank = a.v[R1_ATTEND_FACTOR_Q].p ? a.v[R1_ATTEND_FACTOR_Q].cols / a.i[R1_ATTEND_HEADS] : 0,
        n_bucket = a.v[R1_ATTEND_BIAS].p ? a.v[R1_ATTEND_BIAS].cols : 0;
    if (r >= a.v[R1_ATTEND_Q].rows) return;
    const int *k_off = r1_int(a.v[R1_ATTEND_K_OFF]), *index = r1_int(a.v[R1_ATTEND_INDEX]),
              *bucket = r1_int(a.v[R1_ATTEND_BUCKET]);
    const float *q = r1_at(a.v[R1_ATTEND_Q], r) + h * dh;
    int s = r1_segment(r1_int(a.v[R1_ATTEND_Q_OFF]), a.v[R1_ATTEND_Q_OFF].cols - 1, r),
        first = k_off[s], n = r1_visible(a, s, r);
    float top = -INFINITY, sum = 0.0f, mean = 0.0f;
    for (int j = first; j < first + n; j++) {
        int row = index ? index[j] : j;
        float score = r1_score(a, q, r, h, j, row, dh, lane).score,
              gv = r1_value_gradient(a, r, h, row, dh, lane), new_top = fmaxf(top, score),
              keep = expf(top - new_top), weight = expf(score - new_top);
        top = new_top;
        sum = sum * keep + weight;
        mean = mean * keep + weight * gv;
    }
    float log_sum = n > 0 ? top + logf(sum) : INFINITY;
    mean = n > 0 ? mean / sum : 0.0f;
    float gq[R1_PER_LANE] = {}, gf = 0.0f, gb[R1_BUCKETS_MAX / R1_WARP] = {};
    for (int j = first; j < first + n; j++) {
        int row = index ? index[j] : j;
        r1_scored x = r1_score(a, q, r, h, j, row, dh, lane);
        float ds = expf(x.score - log_sum) * (r1_value_gradient(a, r, h, row, dh, lane) - mean),
              dz = rank ? ds * (1.0f + a.f[R1_ATTEND_BETA] * x.th) : ds;
        const float *key = r1_at(a.v[R1_ATTEND_K], row) + h * dh;
        for (int k = 0; k < R1_PER_LANE; k++)
            if (k * R1_WARP + lane < dh) gq[k] += dz * key[k * R1_WARP + lane];
        if (lane < rank)
            gf += ds * x.product * a.f[R1_ATTEND_BETA] * (1.0f - x.th * x.th) *
                  r1_at(a.v[R1_ATTEND_FACTOR_K], row)[h * rank + lane];
        int u = bucket ? bucket[j] : 0;
        for (int k = 0; n_bucket && k < R1_BUCKETS_MAX / R1_WARP; k++)
            if (u == k * R1_WARP + lane) gb[k] += ds;
    }
    for (int k = 0; k < R1_PER_LANE; k++)
        if (k * R1_WARP + lane < dh)
            r1_add_to(a.g[R1_ATTEND_Q], r, h * dh + k * R1_WARP + lane, gq[k]);
    if (lane < rank) r1_add_to(a.g[R1_ATTEND_FACTOR_Q], r, h * rank + lane, gf);
    for (int k = 0; k < R1_BUCKETS_MAX / R1_WARP; k++)
        if (k * R1_WARP + lane < n_bucket) kept.bias[task * n_bucket + k * R1_WARP + lane] = gb[k];
    if (lane > 0) return;
    kept.log_sum[task] = log_sum;
    kept.mean[task] = mean;
}

/* The gradients of one row of K, V and the key's factors and of one head, while they are summed. */
typedef struct {
    float k[R1_PER_LANE], v[R1_PER_LANE], factor;
} r1_key_sum;

/* What place j, which holds that row, adds: each query of its segment that sees it. */
__device__ static inline void r1_attend_place(const r1_op_args &a, const r1_attend_kept &kept,
                                              int j, int row, long h, int lane, r1_key_sum *g)
{
    const int *q_off = r1_int(a.v[R1_ATTEND_Q_OFF]), *k_off = r1_int(a.v[R1_ATTEND_K_OFF]);
    int n_segment = a.v[R1_ATTEND_K_OFF].cols - 1, n_head = a.i[R1_ATTEND_HEADS],
        dh = a.v[R1_ATTEND_Q].cols / n_head,
        rank = a.v[R1_ATTEND_FACTOR_Q].p ? a.v[R1_ATTEND_FACTOR_Q].cols / n_head : 0;
    if (j < k_off[0] || j >= k_off[n_segment]) return;
    int s = r1_segment(k_off, n_segment, j);
    for (long r = q_off[s]; r < q_off[s + 1]; r++) {
        if (j - k_off[s] >= r1_visible(a, s, r)) continue;
        const float *q = r1_at(a.v[R1_ATTEND_Q], r) + h * dh,
                    *gy = r1_at(a.g[R1_ATTEND_Y], r) + h * dh;
        r1_scored x = r1_score(a, q, r, h, j, row, dh, lane);
        float p = expf(x.score - kept.log_sum[r * n_head + h]),
              ds = p * (r1_value_gradient(a, r, h, row, dh, lane) - kept.mean[r * n_head + h]),
              dz = rank ? ds * (1.0f + a.f[R1_ATTEND_BETA] * x.th) : ds;
        for (int k = 0; k < R1_PER_LANE; k++)
            if (k * R1_WARP + lane < dh) {
                g->k[k] += dz * q[k * R1_WARP + lane];
                g->v[k] += p * gy[k * R1_WARP + lane];
            }
        if (lane < rank)
            g->factor += ds * x.product * a.f[R1_ATTEND_BETA] * (1.0f - x.th * x.th) *
                         r1_at(a.v[R1_ATTEND_FACTOR_Q], r)[h * rank + lane];
    }
}

/* one warp per row of K and head */
__global__ void r1_k_attend_back_k(r1_op_args a, r1_attend_kept kept)
{
    long task = r1_thread() / R1_WARP, n_head = a.i[R1_ATTEND_HEADS], row = task / n_head,
         h = task % n_head;
    int lane = static_cast<int>(r1_thread() % R1_WARP),
        dh = static_cast<int>(a.v[R1_ATTEND_Q].cols / n_head),
        rank = a.v[R1_ATTEND_FACTOR_Q].p ? a.v[R1_ATTEND_FACTOR_Q].cols / a.i[R1_ATTEND_HEADS] : 0;
    if (row >= a.v[R1_ATTEND_K].rows) return;
    const int *index = r1_int(a.v[R1_ATTEND_INDEX]), *k_off = r1_int(a.v[R1_ATTEND_K_OFF]);
    r1_key_sum g = {};
    auto place = [&](int j) { r1_attend_place(a, kept, j, static_cast<int>(row), h, lane, &g); };
    if (index)
        r1_each_where(
            0, k_off[a.v[R1_ATTEND_K_OFF].cols - 1], lane, [&](int j) { return index[j] == row; },
            place);
    else
        place(static_cast<int>(row));
    for (int k = 0; k < R1_PER_LANE; k++) {
        int c = k * R1_WARP + lane;
        if (c >= dh) continue;
        r1_add_to(a.g[R1_ATTEND_K], row, h * dh + c, g.k[k]);
        r1_add_to(a.g[R1_ATTEND_V], row, h * dh + c, g.v[k]);
    }
    if (lane < rank) r1_add_to(a.g[R1_ATTEND_FACTOR_K], row, h * rank + lane, g.factor);
}

/* one warp per head and bucket */
__global__ void r1_k_attend_back_bias(r1_op_args a, r1_attend_kept kept)
{
    long w = r1_thread() / R1_WARP, n_bucket = a.v[R1_ATTEND_BIAS].cols,
         n_head = a.i[R1_ATTEND_HEADS], h = w / n_bucket, u = w % n_bucket;
    int lane = static_cast<int>(r1_thread() % R1_WARP);
    if (h >= n_head) return;
    float sum = r1_rows_sum(0, a.v[R1_ATTEND_Q].rows, 1, lane,
                            [&](long r) { return kept.bias[(r * n_head + h) * n_bucket + u]; });
    if (lane == 0) r1_at(a.g[R1_ATTEND_BIAS], h)[u] += sum;
}

/* ---- rounding to learned steps ---- */

/* In double, as the host rounds: x / s near a half goes the same way on both. */
__global__ void r1_k_lsq(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[R1_LSQ_X].cols, r = t / cols, c = t % cols;
    if (r >= a.v[R1_LSQ_X].rows) return;
    double size = r1_at(a.v[R1_LSQ_STEP], r % a.v[R1_LSQ_STEP].rows)[0],
           v = r1_at(a.v[R1_LSQ_X], r)[c] / size, limit = a.i[R1_LSQ_LIMIT];
    if (!isnan(v)) v = fabs(v) < limit ? rint(v) : copysign(limit, v);
    r1_at(a.v[R1_LSQ_Y], r)[c] = static_cast<float>(v * size);
}

__global__ void r1_k_lsq_back_x(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[R1_LSQ_X].cols, r = t / cols, c = t % cols;
    if (r >= a.v[R1_LSQ_X].rows) return;
    double v = r1_at(a.v[R1_LSQ_X], r)[c] /
               static_cast<double>(r1_at(a.v[R1_LSQ_STEP], r % a.v[R1_LSQ_STEP].rows)[0]);
    if (fabs(v) < a.i[R1_LSQ_LIMIT]) r1_at(a.g[R1_LSQ_X], r)[c] += r1_at(a.g[R1_LSQ_Y], r)[c];
}

/* one warp per step; a lane takes whole rows */
__global__ void r1_k_lsq_back_step(r1_op_args a)
{
    long w = r1_thread() / R1_WARP, n = a.v[R1_LSQ_STEP].rows;
    int lane = static_cast<int>(r1_thread() % R1_WARP), cols = a.v[R1_LSQ_X].cols;
    if (w >= n) return;
    double limit = a.i[R1_LSQ_LIMIT], size = r1_at(a.v[R1_LSQ_STEP], w)[0];
    float sum = r1_rows_sum(w, a.v[R1_LSQ_X].rows, n, lane, [&](long r) {
        float row = 0.0f;
        for (int c = 0; c < cols; c++) {
            double v = r1_at(a.v[R1_LSQ_X], r)[c] / size;
            row += r1_at(a.g[R1_LSQ_Y], r)[c] *
                   static_cast<float>(fabs(v) < limit ? rint(v) - v : copysign(limit, v));
        }
        return row;
    });
    if (lane == 0) r1_at(a.g[R1_LSQ_STEP], w)[0] += sum / sqrtf(static_cast<float>(cols * limit));
}
