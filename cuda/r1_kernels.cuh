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

/* y = a + b, b repeats */
__global__ void r1_k_add(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[0].cols;
    if (t >= a.v[0].rows * cols) return;
    long r = t / cols, c = t % cols;
    r1_at(a.v[2], r)[c] = r1_at(a.v[0], r)[c] + r1_at(a.v[1], r % a.v[1].rows)[c];
}

/* GELU (tanh form) or ReLU */
__global__ void r1_k_act(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[0].cols;
    if (t >= a.v[0].rows * cols) return;
    long r = t / cols, c = t % cols;
    float x = r1_at(a.v[0], r)[c];
    float gelu = 0.5f * x * (1.0f + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)));
    r1_at(a.v[1], r)[c] = a.i[0] == 0 ? gelu : x > 0.0f ? x : 0.0f;
}

/* one warp per row */
__global__ void r1_k_rmsnorm(r1_op_args a)
{
    long r = r1_thread() / R1_WARP, lane = r1_thread() % R1_WARP;
    if (r >= a.v[0].rows) return; /* the whole warp leaves */
    const float *x = r1_at(a.v[0], r), *gain = r1_at(a.v[1], 0);
    int cols = a.v[0].cols;
    float sum = 0.0f;
    for (long c = lane; c < cols; c += R1_WARP) sum += x[c] * x[c];
    float inv = 1.0f / sqrtf(r1_warp_sum(sum) / static_cast<float>(cols) + a.f[0]);
    for (long c = lane; c < cols; c += R1_WARP) r1_at(a.v[2], r)[c] = x[c] * inv * gain[c];
}

/* one warp per row */
__global__ void r1_k_tail_norm(r1_op_args a)
{
    long r = r1_thread() / R1_WARP, lane = r1_thread() % R1_WARP;
    if (r >= a.v[0].rows) return; /* the whole warp leaves */
    const float *x = r1_at(a.v[0], r), *tail = r1_at(a.v[1], r), *bias = r1_at(a.v[2], 0);
    float sum = 0.0f;
    for (long c = lane; c < a.v[1].cols; c += R1_WARP) sum += tail[c] * tail[c];
    float inv = 1.0f / sqrtf(r1_warp_sum(sum) / a.f[1] + a.f[0]);
    for (long c = lane; c < a.v[0].cols; c += R1_WARP) r1_at(a.v[3], r)[c] = x[c] * inv + bias[c];
}

/* one thread per number: its bins and the flag of a missing one */
__global__ void r1_k_ple(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[0].cols;
    if (t >= a.v[0].rows * cols) return;
    long r = t / cols, c = t % cols;
    int n_bin = a.v[1].cols - 1;
    float x = r1_at(a.v[0], r)[c];
    const float *edge = r1_at(a.v[1], c);
    float *y = r1_at(a.v[2], r) + c * (n_bin + 1);
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

/* one thread per output element */
__global__ void r1_k_embed(r1_op_args a)
{
    long t = r1_thread(), d = a.v[1].cols, width = a.v[0].cols * d;
    if (t >= a.v[0].rows * width) return;
    long r = t / width, c = t % width / d, k = t % d;
    const int *first = r1_int(a.v[2]);
    int id = r1_int(a.v[0])[r * a.v[0].ld + c], n = first[c + 1] - first[c] - 2;
    int row = id == -1 ? first[c] : id >= 0 && id < n ? first[c] + 1 + id : first[c + 1] - 1;
    r1_at(a.v[3], r)[c * d + k] = r1_at(a.v[1], row)[k];
}

__global__ void r1_k_standard(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[0].cols;
    if (t >= a.v[0].rows * cols) return;
    long r = t / cols, c = t % cols;
    float clip = a.f[0], z = (r1_at(a.v[0], r)[c] - r1_at(a.v[1], 0)[c]) * r1_at(a.v[2], 0)[c];
    if (isnan(z)) z = 0.0f;
    r1_at(a.v[3], r)[c] = z > clip ? clip : z < -clip ? -clip : z;
}

/* One warp per node. It walks the edges 32 at a time; a ballot finds those that touch the node,
 * and the lanes, which share the columns, add them one by one in edge order. */
__global__ void r1_k_edge_message(r1_op_args a)
{
    long n = r1_thread() / R1_WARP;
    int lane = static_cast<int>(r1_thread() % R1_WARP), d = a.v[0].cols / 2,
        n_edge = static_cast<int>(a.v[1].rows);
    if (n >= a.v[5].rows) return;
    const int *src = r1_int(a.v[2]), *dst = r1_int(a.v[3]);
    for (int c = lane; c < 2 * d; c += R1_WARP) r1_at(a.v[5], n)[c] = 0.0f;
    for (int direction = 0; direction < 2; direction++) {
        const int *to = direction ? src : dst, *from = direction ? dst : src;
        float scale = r1_at(a.v[4], n)[direction];
        for (int base = 0; base < n_edge; base += R1_WARP) {
            int mine = base + lane;
            unsigned hits = __ballot_sync(R1_ALL_LANES, mine < n_edge && to[mine] == n);
            for (; hits; hits &= hits - 1) {
                int e = base + __ffs(static_cast<int>(hits)) - 1;
                const float *h = r1_at(a.v[0], from[e]), *x = r1_at(a.v[1], e);
                for (int c = direction * d + lane; c < (direction + 1) * d; c += R1_WARP) {
                    float v = h[c] + x[c];
                    if (v > 0.0f) r1_at(a.v[5], n)[c] += v * scale;
                }
            }
        }
    }
}

/* one thread per graph, group and column */
__global__ void r1_k_mark_pool(r1_op_args a)
{
    long t = r1_thread(), d = a.v[0].cols;
    if (t >= a.v[3].rows * 3 * d) return;
    long b = t / (3 * d), group = t / d % 3, c = t % d;
    const int *mark = r1_int(a.v[1]), *off = r1_int(a.v[2]);
    float sum = 0.0f;
    int n = 0;
    for (int i = off[b]; i < off[b + 1]; i++) {
        if (group != 2 && mark[i] != group + 1) continue;
        sum += r1_at(a.v[0], i)[c];
        n++;
    }
    r1_at(a.v[3], b)[group * d + c] = n ? sum / static_cast<float>(n) : 0.0f;
}

__global__ void r1_k_place(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[3].cols;
    if (t >= a.v[3].rows * cols) return;
    long b = t / cols, c = t % cols;
    int row = a.v[1].p ? r1_int(a.v[1])[b] : -1;
    r1_at(a.v[3], b)[c] = row >= 0 ? r1_at(a.v[0], row)[c] : r1_at(a.v[2], 0)[c];
}

__global__ void r1_k_seg_mean(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[3].cols;
    if (t >= a.v[3].rows * cols) return;
    long b = t / cols, c = t % cols;
    const int *index = r1_int(a.v[1]), *off = r1_int(a.v[2]);
    float sum = 0.0f;
    for (int j = off[b]; j < off[b + 1]; j++) sum += r1_at(a.v[0], index ? index[j] : j)[c];
    r1_at(a.v[3], b)[c] =
        off[b + 1] > off[b] ? sum / static_cast<float>(off[b + 1] - off[b]) : 0.0f;
}

/* one thread per segment and column */
__global__ void r1_k_causal_mean(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[0].cols;
    if (t >= (a.v[1].cols - 1) * cols) return;
    long g = t / cols, c = t % cols;
    const int *off = r1_int(a.v[1]);
    float sum = 0.0f;
    for (int r = off[g]; r < off[g + 1]; r++) {
        sum += r1_at(a.v[0], r)[c];
        r1_at(a.v[2], r)[c] = sum / static_cast<float>(r - off[g] + 1);
    }
}

/* Both factors of context-aware weight adaptation are per query and head: they fold into q, and
 * attention never sees them. */
__global__ void r1_k_cawa_scale(r1_op_args a)
{
    long t = r1_thread(), cols = a.v[0].cols;
    if (t >= a.v[0].rows * cols) return;
    long r = t / cols, c = t % cols, h = c / (cols / a.i[0]);
    float factor = a.f[1];
    if (a.v[2].p)
        factor *= r1_at(a.v[2], 0)[h] * logf(static_cast<float>(max(r1_int(a.v[3])[r], 2)));
    if (a.v[1].p) factor *= 1.0f + a.f[0] * tanhf(r1_at(a.v[1], r)[h]);
    r1_at(a.v[4], r)[c] = r1_at(a.v[0], r)[c] * factor;
}

/* The segment that row r of q belongs to. */
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

/* Fused attention over ragged segments: scores, online softmax (Milakov and Gimelshein 2018) and
 * the weighted sum in one pass over the keys. One warp per query row and head; each lane holds
 * up to four columns of the head. */
__global__ void r1_k_attend(r1_op_args a)
{
    long task = r1_thread() / R1_WARP, n_head = a.i[0];
    int lane = static_cast<int>(r1_thread() % R1_WARP), dh = static_cast<int>(a.v[0].cols / n_head);
    if (task >= a.v[0].rows * n_head) return;
    long r = task / n_head, h = task % n_head;
    const int *q_off = r1_int(a.v[3]), *k_off = r1_int(a.v[4]), *index = r1_int(a.v[5]),
              *bucket = r1_int(a.v[6]);
    const float *log_weight = static_cast<const float *>(a.v[8].p);
    int s = r1_segment(q_off, a.v[3].cols - 1, r), first = k_off[s], n = k_off[s + 1] - first;
    if (a.i[1]) n = min(n, static_cast<int>(r) - q_off[s] + 1);
    enum { PER_LANE = R1_HEAD_DIM_MAX / R1_WARP };
    float q[PER_LANE], y[PER_LANE], top = -INFINITY, sum = 0.0f;
    for (int k = 0; k < PER_LANE; k++) {
        int c = k * R1_WARP + lane;
        q[k] = c < dh ? r1_at(a.v[0], r)[h * dh + c] : 0.0f;
        y[k] = 0.0f;
    }
    for (int j = first; j < first + n; j++) {
        int row = index ? index[j] : j;
        const float *key = r1_at(a.v[1], row) + h * dh, *value = r1_at(a.v[2], row) + h * dh;
        float part = 0.0f;
        for (int k = 0; k < PER_LANE; k++)
            if (k * R1_WARP + lane < dh) part += q[k] * key[k * R1_WARP + lane];
        float score = r1_warp_sum(part);
        if (a.v[10].p) {
            int rank = static_cast<int>(a.v[10].cols /
                                        n_head); /* at most R1_ATTEND_RANK_MAX: a lane each */
            part = lane < rank
                       ? r1_at(a.v[10], r)[h * rank + lane] * r1_at(a.v[11], row)[h * rank + lane]
                       : 0.0f;
            score *= 1.0f + a.f[0] * tanhf(r1_warp_sum(part));
        }
        if (a.v[7].p) score += r1_at(a.v[7], h)[bucket ? bucket[j] : 0];
        if (log_weight) score += log_weight[j];
        float new_top = fmaxf(top, score), keep = expf(top - new_top),
              weight = expf(score - new_top);
        top = new_top;
        sum = sum * keep + weight;
        for (int k = 0; k < PER_LANE; k++)
            if (k * R1_WARP + lane < dh) y[k] = y[k] * keep + weight * value[k * R1_WARP + lane];
    }
    for (int k = 0; k < PER_LANE; k++) {
        int c = k * R1_WARP + lane;
        if (c < dh) r1_at(a.v[9], r)[h * dh + c] = n > 0 ? y[k] / sum : 0.0f;
    }
}
