/* SPDX-License-Identifier: Apache-2.0 */
/* r1_backend.h - the table behind which a machine runs the plan: buffers, copies, streams,
 * events, one function per op.
 *
 * The CPU is its first user (core/cpu), the scalar reference (core/tensor/ops) its second,
 * libr1_cuda.so fills it too, and a program may bring one of its own (r1_backend_register;
 * core/examples/example_backend.c does).
 * An op gets views: a pointer into the backend's memory, rows, columns, leading dimension,
 * dtype. Operand slots are fixed per op and documented below; rows beyond `rows` (up to
 * R1_ROW_PAD) exist in every activation and may be written with anything by LINEAR, and by no
 * other op. Where a backend does not support an op, the session copies its operands to the host,
 * runs the CPU's function and copies the results back.
 *
 * Sums run in a fixed order per output row, whatever the number of rows: that is what makes
 * scores repeatable. */
#ifndef R1_BACKEND_H
#define R1_BACKEND_H

#include "r1_base.h"

enum {
    R1_BACKEND_ABI = 5,
    R1_OP_VIEWS = 12,
    R1_ROW_PAD = 32,
    R1_ATTEND_HEADS_MAX = 16,
    R1_ATTEND_RANK_MAX = 16
};
/* Largest 8-bit value, and the largest that learned steps use: products of the latter fit AVX2's
 * fast byte instruction exactly. */
enum { R1_INT8_LIMIT = 127, R1_INT8_LEARNED = 63 };

typedef enum { R1_F32 = 0, R1_F16, R1_BF16, R1_I8, R1_I32 } r1_dtype;

typedef struct {
    void *p; /* NULL: operand absent */
    int64_t rows;
    int32_t cols;
    int32_t dtype; /* r1_dtype */
    int64_t ld;    /* elements from row to row */
} r1_view;

/* v: values. g: gradients of the same slots (backward only); a NULL g[k].p is not wanted.
 * Backward reads g of the outputs and adds to g of the inputs. */
typedef struct {
    r1_view v[R1_OP_VIEWS];
    r1_view g[R1_OP_VIEWS];
    int32_t i[8];
    float f[4];
    const void
        *packed; /* LINEAR: what the backend's `pack` or `pack_int8` made of v[1], else NULL */
    int32_t packed_as; /* R1_F32 or R1_I8: by which of them */
} r1_op_args;

/* clang-format off */
/* Shapes: [rows, cols]. Arrays of i32 are [1, n]. Offsets are exclusive prefix sums, n + 1 long.
 * D = H * dh.
 *
 * LINEAR       0 x[M,K]  1 w[N,K]  2 b[1,N]?  3 y[M,N]                 y = x w' + b
 * ADD          0 a[R,C]  1 b[S,C]  2 y[R,C]                            y[r] = a[r] + b[r mod S]
 * ACT          0 x[R,C]  1 y[R,C]   i0: 0 gelu (tanh form) 1 relu
 * RMSNORM      0 x[R,C]  1 gain[1,C]  2 y[R,C]   f0 eps                y = x / sqrt(mean(x^2) + eps) * gain
 * PLE          0 x[R,n]  1 edge[n,T+1]  2 y[R,n*(T+1)]                 per column T bins, then 1 where x is NaN (bins 0):
 *   bin t = 1 if x >= edge[t+1]; 0 if x < edge[t]; else (x - edge[t]) / (edge[t+1] - edge[t])
 *   (piecewise-linear encoding, Gorishniy et al. 2022)
 * EMBED        0 id i32[R,n]  1 table[T,d]  2 first i32[1,n+1]  3 y[R,n*d]
 *   column c owns table rows first[c]..first[c+1)-1: missing (id -1), values 0.., other (anything else)
 * STANDARD     0 x[R,C]  1 mean[1,C]  2 rstd[1,C]  3 y[R,C]   f0 clip
 *   y = clamp((x - mean) * rstd, +-clip); NaN gives 0
 * EDGE_MESSAGE 0 h[N,2D]  1 e[E,2D]  2 src i32[1,E]  3 dst i32[1,E]  4 scale[N,2]  5 y[N,2D]
 *   y[n,:D] = scale[n,0] * sum over edges into n of relu(h[src,:D] + e[:D])      along direction
 *   y[n,D:] = scale[n,1] * sum over edges out of n of relu(h[dst,D:] + e[D:])    against it
 * MARK_POOL    0 h[N,D]  1 mark i32[1,N]  2 off i32[1,B+1]  3 y[B,3D]  means over mark 1, mark 2, all nodes; empty: 0
 * PLACE        0 x[S,C]?  1 map i32[1,B]?  2 absent[1,C]  3 y[B,C]     y[b] = map[b] >= 0 ? x[map[b]] : absent
 * SEG_MEAN     0 x[R,C]  1 index i32[1,n]?  2 off i32[1,B+1]  3 y[B,C]
 *   mean of x[index[j]], j in off[b]..off[b+1)-1; empty: 0
 * CAUSAL_MEAN  0 x[R,C]  1 off i32[1,S+1]  2 y[R,C]                    mean of the segment's rows up to this one
 * CAWA_SCALE   0 q[R,D]  1 m[R,H]?  2 a[1,H]?  3 count i32[1,R]  4 y[R,D]   i0 H  f0 beta  f1 1/sqrt(dh)
 *   y = q * f1 * (a_h * log(max(count, 2)) if a) * (1 + beta * tanh(m_rh) if m)
 * ATTEND       0 q[R,D]  1 k[T,D]  2 v[T,D]  3 q_off i32[1,S+1]  4 k_off i32[1,S+1]  5 index i32[1,n]?
 *              6 bucket i32[1,n]?  7 bias[H,U]?  8 log_weight[1,n]?  9 y[R,D]  10 u[R,H*r]?  11 w[T,H*r]?
 *              i0 H  i1 causal  f0 beta
 *   query j-th of segment s sees keys k_off[s]..k_off[s+1)-1 (causal: the first j + 1 of them), key row = index[j] or j itself;
 *   score = q.k (1 + beta tanh(u.w)) + bias[h][bucket] + log_weight; the factor per key only where u and w are there, r at most
 *   R1_ATTEND_RANK_MAX; y = softmax(score) v; no keys: 0; k and v may be bf16 where the backend supports it
 * TAIL_NORM    0 x[R,C]  1 tail[R,T]  2 b[1,C]  3 y[R,C]   f0 eps  f1 d
 *   y = x / sqrt(sum(tail^2) / d + eps) + b; forward alone, and optional: sessions of a backend without it run the plain plan
 * LSQ          0 x[R,C]  1 step[S,1]  2 y[R,C]   i0 limit
 *   y[r] = step[r mod S] * round(x[r] / step[r mod S]) within +-limit; in training alone: core/tensor/ops/lsq.c has its gradient */
/* clang-format on */
typedef enum {
    R1_OP_LINEAR = 0,
    R1_OP_ADD,
    R1_OP_ACT,
    R1_OP_RMSNORM,
    R1_OP_PLE,
    R1_OP_EMBED,
    R1_OP_STANDARD,
    R1_OP_EDGE_MESSAGE,
    R1_OP_MARK_POOL,
    R1_OP_PLACE,
    R1_OP_SEG_MEAN,
    R1_OP_CAUSAL_MEAN,
    R1_OP_CAWA_SCALE,
    R1_OP_ATTEND,
    R1_OP_TAIL_NORM,
    R1_OP_LSQ,
    R1_OP_COUNT
} r1_op;

typedef struct r1_stream r1_stream; /* the backend's own; the CPU's is NULL */
typedef struct r1_device_event r1_device_event;
typedef r1_status (*r1_op_fn)(r1_stream *stream, const r1_op_args *args, r1_err *err);

typedef struct r1_backend {
    uint32_t abi; /* R1_BACKEND_ABI */
    const char *name;
    bool host_memory; /* buffers are ordinary memory: no copies needed */

    /* devices: count, and one line of text per device ("NVIDIA H100, 80 GiB, sm_90") */
    r1_status (*devices)(uint32_t *n, r1_err *err);
    r1_status (*device_text)(uint32_t device, char *text, size_t cap, r1_err *err);

    /* buffers and copies; copies are ordered with the stream's ops; host pointers must stay
     * valid until sync */
    r1_status (*buffer_new)(void **p, size_t bytes, r1_err *err); /* zeroed, 256-byte aligned */
    void (*buffer_free)(void *p);
    r1_status (*upload)(r1_stream *s, void *device, const void *host, size_t bytes, r1_err *err);
    r1_status (*download)(r1_stream *s, void *host, const void *device, size_t bytes, r1_err *err);

    r1_status (*stream_new)(r1_stream **s, uint32_t device, r1_err *err);
    void (*stream_free)(r1_stream *s);
    r1_status (*stream_sync)(r1_stream *s, r1_err *err);
    r1_status (*event_new)(r1_device_event **e, r1_err *err);
    void (*event_free)(r1_device_event *e);
    r1_status (*event_record)(r1_device_event *e, r1_stream *s, r1_err *err);
    r1_status (*event_wait)(r1_device_event *e, r1_stream *s, r1_err *err); /* s waits for e */

    /* Optional: a prepared form of a constant weight w[N,K] for up to rows_max rows; NULL table
     * entry: none. */
    r1_status (*pack)(void **packed, const r1_view *w, int64_t rows_max, r1_err *err);
    /* Optional: the same, quantised to 8 bits per output channel. x_step 0: the largest
     * magnitude of each row of w, and of x as it comes, is R1_INT8_LIMIT steps. Else x_step is
     * the step of x and all values lie within R1_INT8_LEARNED steps; w_step[N]: the steps of w,
     * NULL: each row's largest magnitude is R1_INT8_LEARNED. */
    r1_status (*pack_int8)(void **packed, const r1_view *w, const float *w_step, float x_step,
                           int64_t rows_max, r1_err *err);
    void (*packed_free)(void *packed);

    bool (*supports)(r1_op op,
                     const r1_op_args *args); /* dtypes and shapes; pointers may be NULL */
    r1_op_fn forward[R1_OP_COUNT];            /* NULL: not there */
    r1_op_fn
        backward[R1_OP_COUNT]; /* NULL: not there; a backend without any serves inference only */
} r1_backend;

R1_API const r1_backend *r1_backend_cpu(void);
R1_API const r1_backend *r1_backend_reference(void);
/* "cpu", "reference", "cuda" or a registered name; NULL: $R1_BACKEND, else cpu. cuda is opened
 * once per process, only where libcuda.so.1 opens: $R1_CUDA_PLUGIN, else libr1_cuda.so beside
 * libr1 or in ../lib of the program. */
R1_API const r1_backend *r1_backend_find(const char *name, r1_err *err);
/* A backend of the caller's own, found by its name from then on: by sessions, by evaluation, and
 * by training (through $R1_BACKEND) where it has gradients and the host's memory. Borrowed:
 * table and name must live as long as the process and stay as they are. From any thread; the
 * same table twice is fine; at most R1_BACKENDS_MAX.
 *
 * R1_E_INVAL where the version differs, a name is taken, or a function is missing. All are
 * needed but: `pack` and `packed_free` (both or neither), `forward` where the memory is not the
 * host's (the CPU's runs instead), TAIL_NORM, and `backward` (none, or every one that the CPU
 * has). A start for a table of one's own is a copy of *r1_backend_cpu(). */
enum { R1_BACKENDS_MAX = 16 };
R1_API r1_status r1_backend_register(const r1_backend *backend, r1_err *err);
R1_API const char *r1_op_name(r1_op op);

/* What the plugin exports. Returns NULL with err filled where the version differs or no device
 * answers. */
typedef const r1_backend *(*r1_backend_cuda_fn)(uint32_t abi_version, r1_err *err);
#define R1_BACKEND_CUDA_SYMBOL "r1_backend_cuda"

#endif
