/* SPDX-License-Identifier: Apache-2.0 */
/* r1_kernels.cuh - one kernel per op of the forward pass (core/include/r1_backend.h has their
 * maths and operand slots).
 *
 * Threads: the element-wise ops use one thread per output element; a block is R1_BLOCK threads.
 * RMSNORM and ATTEND use one warp per row (and head): lanes share the columns, sums go through
 * shuffles in a fixed tree. Nothing is summed with atomics, so a row's result does not depend on
 * what else is in the batch. */
#pragma once

enum { R1_BLOCK = 128, R1_WARP = 32, R1_HEAD_DIM_MAX = 128 };
enum { R1_PER_LANE = R1_HEAD_DIM_MAX / R1_WARP }; /* columns of a head */
#define R1_ALL_LANES 0xffffffffu

__device__ static inline float *r1_at(const r1_view &v, long r)
{
    return static_cast<float *>(v.p) + r * v.ld;
}
__device__ static inline const int *r1_int(const r1_view &v)
{
    return static_cast<const int *>(v.p);
}
__device__ static inline long r1_thread(void)
{
    return static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__device__ static inline float r1_warp_sum(float x)
{
    for (int d = R1_WARP / 2; d > 0; d /= 2) x += __shfl_xor_sync(R1_ALL_LANES, x, d);
    return x;
}

/* Calls fn(i) for each i from first to last - 1 of which which(i) holds, in order, by all lanes
 * together: a ballot finds them 32 at a time. */
template <typename chooser, typename taker>
__device__ static inline void r1_each_where(int first, int last, int lane, chooser which, taker fn)
{
    for (int base = first; base < last; base += R1_WARP) {
        int mine = base + lane;
        unsigned hits = __ballot_sync(R1_ALL_LANES, mine < last && which(mine));
        for (; hits; hits &= hits - 1) fn(base + __ffs(static_cast<int>(hits)) - 1);
    }
}

/* The segment that row r belongs to, of n. */
__device__ static inline int r1_segment(const int *off, int n, long r)
{
    int low = 0, high = n;
    while (high - low > 1) {
        int mid = (low + high) / 2;
        if (off[mid] <= r)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/* y = a + b, b repeats */
__global__ void r1_k_add(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[R1_ADD_A].cols;
    if (t >= a.v[R1_ADD_A].rows * cols) return;
    long r = t / cols, c = t % cols;
    r1_at(a.v[R1_ADD_Y], r)[c] =
        r1_at(a.v[R1_ADD_A], r)[c] + r1_at(a.v[R1_ADD_B], r % a.v[R1_ADD_B].rows)[c];
}

/* GELU (tanh form) or ReLU */
__global__ void r1_k_act(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[R1_ACT_X].cols;
    if (t >= a.v[R1_ACT_X].rows * cols) return;
    long r = t / cols, c = t % cols;
    float x = r1_at(a.v[R1_ACT_X], r)[c];
    float gelu = 0.5f * x * (1.0f + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)));
    r1_at(a.v[R1_ACT_Y], r)[c] = a.i[R1_ACT_KIND] == R1_ACT_GELU ? gelu : x > 0.0f ? x : 0.0f;
}

/* 1 / sqrt(mean(x^2) + eps) of a row, by one warp */
__device__ static inline float r1_inverse_rms(const float *x, int cols, float eps, int lane)
{
    float sum = 0.0f;
    for (int c = lane; c < cols; c += R1_WARP) sum += x[c] * x[c];
    return 1.0f / sqrtf(r1_warp_sum(sum) / static_cast<float>(cols) + eps);
}

/* one warp per row */
__global__ void r1_k_rmsnorm(r1_op_args a)
{
    long r = r1_thread() / R1_WARP;
    int lane = static_cast<int>(r1_thread() % R1_WARP), cols = a.v[R1_RMSNORM_X].cols;
    if (r >= a.v[R1_RMSNORM_X].rows) return; /* the whole warp leaves */
    const float *x = r1_at(a.v[R1_RMSNORM_X], r), *gain = r1_at(a.v[R1_RMSNORM_GAIN], 0);
    float inv = r1_inverse_rms(x, cols, a.f[R1_RMSNORM_EPS], lane);
    for (int c = lane; c < cols; c += R1_WARP)
        r1_at(a.v[R1_RMSNORM_Y], r)[c] = x[c] * inv * gain[c];
}

/* one warp per row */
__global__ void r1_k_tail_norm(r1_op_args a)
{
    long r = r1_thread() / R1_WARP, lane = r1_thread() % R1_WARP;
    if (r >= a.v[R1_TAIL_NORM_X].rows) return; /* the whole warp leaves */
    const float *x = r1_at(a.v[R1_TAIL_NORM_X], r), *tail = r1_at(a.v[R1_TAIL_NORM_TAIL], r),
                *bias = r1_at(a.v[R1_TAIL_NORM_B], 0);
    float sum = 0.0f;
    for (long c = lane; c < a.v[R1_TAIL_NORM_TAIL].cols; c += R1_WARP) sum += tail[c] * tail[c];
    float inv = 1.0f / sqrtf(r1_warp_sum(sum) / a.f[R1_TAIL_NORM_WIDTH] + a.f[R1_TAIL_NORM_EPS]);
    for (long c = lane; c < a.v[R1_TAIL_NORM_X].cols; c += R1_WARP)
        r1_at(a.v[R1_TAIL_NORM_Y], r)[c] = x[c] * inv + bias[c];
}

/* one thread per number: its bins and the flag of a missing one */
__global__ void r1_k_ple(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[R1_PLE_X].cols;
    if (t >= a.v[R1_PLE_X].rows * cols) return;
    long r = t / cols, c = t % cols;
    int n_bin = a.v[R1_PLE_EDGE].cols - 1;
    float x = r1_at(a.v[R1_PLE_X], r)[c];
    const float *edge = r1_at(a.v[R1_PLE_EDGE], c);
    float *y = r1_at(a.v[R1_PLE_Y], r) + c * (n_bin + 1);
    bool missing = isnan(x);
    for (int b = 0; b < n_bin; b++) {
        float v = 0.0f;
        if (!missing && x >= edge[b + 1])
            v = 1.0f;
        else if (!missing && x >= edge[b])
            v = (x - edge[b]) / (edge[b + 1] - edge[b]);
        y[b] = v;
    }
    y[n_bin] = missing ? 1.0f : 0.0f;
}

/* Which of its column's rows of the table an id takes: the first for "missing", one for each of the
 * values, the last for "other". */
__device__ static inline int r1_embed_place(int id, int values)
{
    return id == -1 ? 0 : id >= 0 && id < values ? 1 + id : values + 1;
}

/* one thread per output element */
__global__ void r1_k_embed(r1_op_args a)
{
    long t = r1_thread(), d = a.v[R1_EMBED_TABLE].cols, width = a.v[R1_EMBED_ID].cols * d;
    if (t >= a.v[R1_EMBED_ID].rows * width) return;
    long r = t / width, c = t % width / d, k = t % d;
    const int *first = r1_int(a.v[R1_EMBED_FIRST]);
    int id = r1_int(a.v[R1_EMBED_ID])[r * a.v[R1_EMBED_ID].ld + c], n = first[c + 1] - first[c] - 2,
        row = first[c] + r1_embed_place(id, n);
    r1_at(a.v[R1_EMBED_Y], r)[c * d + k] = r1_at(a.v[R1_EMBED_TABLE], row)[k];
}

__global__ void r1_k_standard(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[R1_STANDARD_X].cols;
    if (t >= a.v[R1_STANDARD_X].rows * cols) return;
    long r = t / cols, c = t % cols;
    float clip = a.f[R1_STANDARD_CLIP],
          z = (r1_at(a.v[R1_STANDARD_X], r)[c] - r1_at(a.v[R1_STANDARD_MEAN], 0)[c]) *
              r1_at(a.v[R1_STANDARD_RSTD], 0)[c];
    if (isnan(z)) z = 0.0f;
    r1_at(a.v[R1_STANDARD_Y], r)[c] = z > clip ? clip : z < -clip ? -clip : z;
}

/* The edges of the graph that node n belongs to, from `first` to `last` - 1. */
__device__ static inline void r1_edges_of(const r1_op_args &a, long n, int *first, int *last)
{
    const r1_view &off = a.v[R1_EDGE_MESSAGE_NODES];
    const int *edge = r1_int(a.v[R1_EDGE_MESSAGE_EDGES]);
    int graph = r1_segment(r1_int(off), off.cols - 1, n);
    *first = edge[graph];
    *last = edge[graph + 1];
}

/* One warp per node: the lanes, which share the columns, add its edges one by one in order. */
__global__ void r1_k_edge_message(r1_op_args a)
{
    long n = r1_thread() / R1_WARP;
    int lane = static_cast<int>(r1_thread() % R1_WARP), d = a.v[R1_EDGE_MESSAGE_H].cols / 2, first,
        last;
    if (n >= a.v[R1_EDGE_MESSAGE_Y].rows) return; /* the whole warp leaves */
    r1_edges_of(a, n, &first, &last);
    const int *src = r1_int(a.v[R1_EDGE_MESSAGE_SRC]), *dst = r1_int(a.v[R1_EDGE_MESSAGE_DST]);
    for (int c = lane; c < 2 * d; c += R1_WARP) r1_at(a.v[R1_EDGE_MESSAGE_Y], n)[c] = 0.0f;
    for (int direction = 0; direction < 2; direction++) {
        const int *to = direction ? src : dst, *from = direction ? dst : src;
        float scale = r1_at(a.v[R1_EDGE_MESSAGE_SCALE], n)[direction];
        auto touches = [&](int e) { return to[e] == n; };
        r1_each_where(first, last, lane, touches, [&](int e) {
            const float *h = r1_at(a.v[R1_EDGE_MESSAGE_H], from[e]),
                        *x = r1_at(a.v[R1_EDGE_MESSAGE_E], e);
            for (int c = direction * d + lane; c < (direction + 1) * d; c += R1_WARP) {
                float v = h[c] + x[c];
                if (v > 0.0f) r1_at(a.v[R1_EDGE_MESSAGE_Y], n)[c] += v * scale;
            }
        });
    }
}

/* one thread per graph, group and column */
__global__ void r1_k_mark_pool(r1_op_args a)
{
    long t = r1_thread(), d = a.v[R1_MARK_POOL_H].cols;
    if (t >= a.v[R1_MARK_POOL_Y].rows * 3 * d) return;
    long b = t / (3 * d), group = t / d % 3, c = t % d;
    const int *mark = r1_int(a.v[R1_MARK_POOL_MARK]), *off = r1_int(a.v[R1_MARK_POOL_OFF]);
    float sum = 0.0f;
    int n = 0;
    for (int i = off[b]; i < off[b + 1]; i++) {
        if (group != 2 && mark[i] != group + 1) continue;
        sum += r1_at(a.v[R1_MARK_POOL_H], i)[c];
        n++;
    }
    r1_at(a.v[R1_MARK_POOL_Y], b)[group * d + c] = n ? sum / static_cast<float>(n) : 0.0f;
}

__global__ void r1_k_place(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[R1_PLACE_Y].cols;
    if (t >= a.v[R1_PLACE_Y].rows * cols) return;
    long b = t / cols, c = t % cols;
    int row = a.v[R1_PLACE_MAP].p ? r1_int(a.v[R1_PLACE_MAP])[b] : -1;
    r1_at(a.v[R1_PLACE_Y], b)[c] =
        row >= 0 ? r1_at(a.v[R1_PLACE_X], row)[c] : r1_at(a.v[R1_PLACE_ABSENT], 0)[c];
}

__global__ void r1_k_seg_mean(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[R1_SEG_MEAN_Y].cols;
    if (t >= a.v[R1_SEG_MEAN_Y].rows * cols) return;
    long b = t / cols, c = t % cols;
    const int *index = r1_int(a.v[R1_SEG_MEAN_INDEX]), *off = r1_int(a.v[R1_SEG_MEAN_OFF]);
    float sum = 0.0f;
    for (int j = off[b]; j < off[b + 1]; j++)
        sum += r1_at(a.v[R1_SEG_MEAN_X], index ? index[j] : j)[c];
    r1_at(a.v[R1_SEG_MEAN_Y], b)[c] =
        off[b + 1] > off[b] ? sum / static_cast<float>(off[b + 1] - off[b]) : 0.0f;
}

/* one thread per segment and column */
__global__ void r1_k_causal_mean(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[R1_CAUSAL_MEAN_X].cols;
    if (t >= (a.v[R1_CAUSAL_MEAN_OFF].cols - 1) * cols) return;
    long g = t / cols, c = t % cols;
    const int *off = r1_int(a.v[R1_CAUSAL_MEAN_OFF]);
    float sum = 0.0f;
    for (int r = off[g]; r < off[g + 1]; r++) {
        sum += r1_at(a.v[R1_CAUSAL_MEAN_X], r)[c];
        r1_at(a.v[R1_CAUSAL_MEAN_Y], r)[c] = sum / static_cast<float>(r - off[g] + 1);
    }
}

/* length_h log(max(count, 2)), without length_h where that is asked for; 1 without the operand */
__device__ static inline float r1_length_factor(const r1_op_args &a, long r, long h, bool slope)
{
    if (!a.v[R1_CAWA_SCALE_LENGTH].p) return 1.0f;
    float log_count = logf(static_cast<float>(max(r1_int(a.v[R1_CAWA_SCALE_COUNT])[r], 2)));
    return slope ? log_count : r1_at(a.v[R1_CAWA_SCALE_LENGTH], 0)[h] * log_count;
}
__device__ static inline float r1_context_tanh(const r1_op_args &a, long r, long h)
{
    return a.v[R1_CAWA_SCALE_CONTEXT].p ? tanhf(r1_at(a.v[R1_CAWA_SCALE_CONTEXT], r)[h]) : 0.0f;
}
/* Both factors of context-aware weight adaptation are per query and head: they fold into q, and
 * attention never sees them. */
__global__ void r1_k_cawa_scale(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[R1_CAWA_SCALE_Q].cols;
    if (t >= a.v[R1_CAWA_SCALE_Q].rows * cols) return;
    long r = t / cols, c = t % cols, h = c / (cols / a.i[R1_CAWA_SCALE_HEADS]);
    float factor = a.f[R1_CAWA_SCALE_SCALE] * r1_length_factor(a, r, h, false) *
                   (1.0f + a.f[R1_CAWA_SCALE_BETA] * r1_context_tanh(a, r, h));
    r1_at(a.v[R1_CAWA_SCALE_Y], r)[c] = r1_at(a.v[R1_CAWA_SCALE_Q], r)[c] * factor;
}

/* How many keys query r of segment s sees. */
__device__ static inline int r1_visible(const r1_op_args &a, int s, long r)
{
    const int *q_off = r1_int(a.v[R1_ATTEND_Q_OFF]), *k_off = r1_int(a.v[R1_ATTEND_K_OFF]);
    int n = k_off[s + 1] - k_off[s];
    return a.i[R1_ATTEND_CAUSAL] ? min(n, static_cast<int>(r) - q_off[s] + 1) : n;
}

/* Fused attention over ragged segments: scores, online softmax (Milakov and Gimelshein 2018) and
 * the weighted sum in one pass over the keys. One warp per query row and head; each lane holds
 * up to four columns of the head. */
__global__ void r1_k_attend(r1_op_args a)
{
    long task = r1_thread() / R1_WARP, n_head = a.i[R1_ATTEND_HEADS];
    int lane = static_cast<int>(r1_thread() % R1_WARP),
        dh = static_cast<int>(a.v[R1_ATTEND_Q].cols / n_head);
    if (task >= a.v[R1_ATTEND_Q].rows * n_head) return;
    long r = task / n_head, h = task % n_head;
    const int *k_off = r1_int(a.v[R1_ATTEND_K_OFF]), *index = r1_int(a.v[R1_ATTEND_INDEX]),
              *bucket = r1_int(a.v[R1_ATTEND_BUCKET]);
    const float *log_weight = static_cast<const float *>(a.v[R1_ATTEND_LOG_WEIGHT].p);
    int s = r1_segment(r1_int(a.v[R1_ATTEND_Q_OFF]), a.v[R1_ATTEND_Q_OFF].cols - 1, r),
        first = k_off[s], n = r1_visible(a, s, r);
    float q[R1_PER_LANE], y[R1_PER_LANE], top = -INFINITY, sum = 0.0f;
    for (int k = 0; k < R1_PER_LANE; k++) {
        int c = k * R1_WARP + lane;
        q[k] = c < dh ? r1_at(a.v[R1_ATTEND_Q], r)[h * dh + c] : 0.0f;
        y[k] = 0.0f;
    }
    for (int j = first; j < first + n; j++) {
        int row = index ? index[j] : j;
        const float *key = r1_at(a.v[R1_ATTEND_K], row) + h * dh,
                    *value = r1_at(a.v[R1_ATTEND_V], row) + h * dh;
        float part = 0.0f;
        for (int k = 0; k < R1_PER_LANE; k++)
            if (k * R1_WARP + lane < dh) part += q[k] * key[k * R1_WARP + lane];
        float score = r1_warp_sum(part);
        if (a.v[R1_ATTEND_FACTOR_Q].p) {
            /* At most R1_ATTEND_RANK_MAX: a lane each. */
            int rank = static_cast<int>(a.v[R1_ATTEND_FACTOR_Q].cols / n_head);
            part = lane < rank ? r1_at(a.v[R1_ATTEND_FACTOR_Q], r)[h * rank + lane] *
                                     r1_at(a.v[R1_ATTEND_FACTOR_K], row)[h * rank + lane]
                               : 0.0f;
            score *= 1.0f + a.f[R1_ATTEND_BETA] * tanhf(r1_warp_sum(part));
        }
        if (a.v[R1_ATTEND_BIAS].p) score += r1_at(a.v[R1_ATTEND_BIAS], h)[bucket ? bucket[j] : 0];
        if (log_weight) score += log_weight[j];
        float new_top = fmaxf(top, score), keep = expf(top - new_top),
              weight = expf(score - new_top);
        top = new_top;
        sum = sum * keep + weight;
        for (int k = 0; k < R1_PER_LANE; k++)
            if (k * R1_WARP + lane < dh) y[k] = y[k] * keep + weight * value[k * R1_WARP + lane];
    }
    for (int k = 0; k < R1_PER_LANE; k++) {
        int c = k * R1_WARP + lane;
        if (c < dh) r1_at(a.v[R1_ATTEND_Y], r)[h * dh + c] = n > 0 ? y[k] / sum : 0.0f;
    }
}
