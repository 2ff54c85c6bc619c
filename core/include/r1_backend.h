/* SPDX-License-Identifier: Apache-2.0 */
/* r1_backend.h - the table behind which a machine runs the plan: buffers, copies, streams,
 * events, one function per op.
 *
 * The CPU fills one (core/cpu), the scalar reference a second (core/tensor/ops), libr1_cuda.so a
 * third. A program may bring a table of its own (r1_backend_register);
 * core/examples/example_backend.c shows how.
 *
 * An op gets views: a pointer into the backend's memory, rows, columns, leading dimension, dtype.
 * Each operand has a slot. The slots of an op, and its parameters, are named beside its
 * mathematics below.
 *
 * Every activation has up to R1_ROW_PAD rows of padding beyond `rows`. LINEAR may write anything
 * into them, and no other op may write them at all.
 *
 * Where a backend does not support an op, the session says so once, copies its operands to the
 * host, runs the CPU's function and copies the results back. It ends with an error where a program
 * asked for that backend by r1_device_choose.
 *
 * Sums run in a fixed order per output row, whatever the number of rows. That is what makes
 * scores repeatable. */
#ifndef R1_BACKEND_H
#define R1_BACKEND_H

#include "r1_base.h"

enum {
    R1_BACKEND_ABI = 6,
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

/* The operands and parameters of one call. */
typedef struct {
    /* Values, by slot. */
    r1_view v[R1_OP_VIEWS];
    /* Gradients of the same slots, for backward alone. Backward reads those of the outputs and
     * adds to those of the inputs. p NULL: not wanted. */
    r1_view g[R1_OP_VIEWS];
    /* Parameters: whole numbers and real ones. */
    int32_t i[8];
    float f[4];
    /* LINEAR: what the backend's `pack` or `pack_int8` made of the weight, else NULL. */
    const void *packed;
    /* By which of the two: R1_F32 or R1_I8. */
    int32_t packed_as;
} r1_op_args;

/* ---- the ops: mathematics, shapes, names ------------------------------------------------------
 *
 * Shapes are [rows, columns] in f32 unless they say i32. A one-dimensional array is [1, n].
 * Offsets (OFF) are exclusive prefix sums, so n segments have n + 1 of them. D = heads * dh.
 * "?" marks an operand that may be absent. The output comes last, but in ATTEND.
 *
 * R1_<OP>_<NAME> numbers a slot of v and g. A comment marks the names that index i or f. */

/* LINEAR: y = x w' + b
 *
 *     X [M, K]   W [N, K]   B? [1, N]   Y [M, N] */
enum { R1_LINEAR_X = 0, R1_LINEAR_W, R1_LINEAR_B, R1_LINEAR_Y };

/* ADD: y[r] = a[r] + b[r mod S]
 *
 *     A [R, C]   B [S, C]   Y [R, C] */
enum { R1_ADD_A = 0, R1_ADD_B, R1_ADD_Y };

/* ACT: y = gelu(x), in its tanh form, or y = max(x, 0)
 *
 *     X [R, C]   Y [R, C] */
enum { R1_ACT_X = 0, R1_ACT_Y };
enum { R1_ACT_KIND = 0 }; /* i */
enum { R1_ACT_GELU = 0, R1_ACT_RELU };

/* RMSNORM: y = x / sqrt(mean(x^2) + eps) * gain
 *
 *     X [R, C]   GAIN [1, C]   Y [R, C] */
enum { R1_RMSNORM_X = 0, R1_RMSNORM_GAIN, R1_RMSNORM_Y };
enum { R1_RMSNORM_EPS = 0 }; /* f */

/* PLE: each number of x becomes T bins and one flag, which is 1 where the number is missing (NaN).
 * The bins of a missing number are 0. Otherwise bin t is
 *
 *     1                                         where x >= edge[t + 1]
 *     0                                         where x < edge[t]
 *     (x - edge[t]) / (edge[t + 1] - edge[t])   between them
 *
 * (piecewise-linear encoding, Gorishniy et al. 2022).
 *
 *     X [R, n]   EDGE [n, T + 1]   Y [R, n * (T + 1)] */
enum { R1_PLE_X = 0, R1_PLE_EDGE, R1_PLE_Y };

/* EMBED: each id becomes a row of the table. Column c owns the rows first[c] to first[c + 1] - 1:
 * one for "missing" (id -1), one for each value from 0 on, one for "other" (any other id).
 *
 *     ID i32 [R, n]   TABLE [T, d]   FIRST i32 [1, n + 1]   Y [R, n * d] */
enum { R1_EMBED_ID = 0, R1_EMBED_TABLE, R1_EMBED_FIRST, R1_EMBED_Y };

/* STANDARD: y = (x - mean) * rstd, held to +-clip; NaN gives 0
 *
 *     X [R, C]   MEAN [1, C]   RSTD [1, C]   Y [R, C] */
enum { R1_STANDARD_X = 0, R1_STANDARD_MEAN, R1_STANDARD_RSTD, R1_STANDARD_Y };
enum { R1_STANDARD_CLIP = 0 }; /* f */

/* EDGE_MESSAGE: sums over the edges of each node n of a graph, along and against their direction
 *
 *     y[n, :D] = scale[n, 0] * sum over edges into n of relu(h[src, :D] + e[:D])
 *     y[n, D:] = scale[n, 1] * sum over edges out of n of relu(h[dst, D:] + e[D:])
 *
 *     H [N, 2D]   E [E, 2D]   SRC i32 [1, E]   DST i32 [1, E]   SCALE [N, 2]
 *     NODES i32 [1, B + 1]   EDGES i32 [1, B + 1]   Y [N, 2D]
 *
 * Graph b has the nodes from NODES[b] on and the edges from EDGES[b] on. An edge joins nodes
 * of its own graph, so a backend may look for a node's edges there alone. */
enum {
    R1_EDGE_MESSAGE_H = 0,
    R1_EDGE_MESSAGE_E,
    R1_EDGE_MESSAGE_SRC,
    R1_EDGE_MESSAGE_DST,
    R1_EDGE_MESSAGE_SCALE,
    R1_EDGE_MESSAGE_NODES,
    R1_EDGE_MESSAGE_EDGES,
    R1_EDGE_MESSAGE_Y
};

/* MARK_POOL: three means of each graph's nodes: those of mark 1, those of mark 2, and all nodes.
 * A mean of no nodes is 0.
 *
 *     H [N, D]   MARK i32 [1, N]   OFF i32 [1, B + 1]   Y [B, 3D] */
enum { R1_MARK_POOL_H = 0, R1_MARK_POOL_MARK, R1_MARK_POOL_OFF, R1_MARK_POOL_Y };

/* PLACE: y[b] = x[map[b]] where map[b] >= 0, else absent. Without a map every row is absent.
 *
 *     X? [S, C]   MAP? i32 [1, B]   ABSENT [1, C]   Y [B, C] */
enum { R1_PLACE_X = 0, R1_PLACE_MAP, R1_PLACE_ABSENT, R1_PLACE_Y };

/* SEG_MEAN: y[b] = the mean over off[b] <= j < off[b + 1] of x[index[j]], or of x[j] without an
 * index. A mean of no rows is 0.
 *
 *     X [R, C]   INDEX? i32 [1, n]   OFF i32 [1, B + 1]   Y [B, C] */
enum { R1_SEG_MEAN_X = 0, R1_SEG_MEAN_INDEX, R1_SEG_MEAN_OFF, R1_SEG_MEAN_Y };

/* CAUSAL_MEAN: each row becomes the mean of its segment's rows up to and with itself
 *
 *     X [R, C]   OFF i32 [1, S + 1]   Y [R, C] */
enum { R1_CAUSAL_MEAN_X = 0, R1_CAUSAL_MEAN_OFF, R1_CAUSAL_MEAN_Y };

/* CAWA_SCALE: the queries of an attention, scaled. Context-aware weight adaptation (CAWA) has two
 * factors of a query and head h: of length and of context. An absent operand leaves its factor 1.
 *
 *     y = q * scale * length_h log(max(count, 2)) * (1 + beta tanh(context_h))
 *
 *     Q [R, D]   CONTEXT? [R, H]   LENGTH? [1, H]   COUNT? i32 [1, R]   Y [R, D]
 *
 * scale is 1 / sqrt(dh). COUNT holds how many keys each query sees; LENGTH needs it. */
enum {
    R1_CAWA_SCALE_Q = 0,
    R1_CAWA_SCALE_CONTEXT,
    R1_CAWA_SCALE_LENGTH,
    R1_CAWA_SCALE_COUNT,
    R1_CAWA_SCALE_Y
};
enum { R1_CAWA_SCALE_HEADS = 0 };                     /* i */
enum { R1_CAWA_SCALE_BETA = 0, R1_CAWA_SCALE_SCALE }; /* f */

/* ATTEND: softmax attention over ragged segments. The j-th query of segment s sees the keys
 * k_off[s] to k_off[s + 1] - 1; where causal, the first j + 1 of them. The key of place p is row
 * index[p] of K and V, or row p without an index.
 *
 *     score = q.k (1 + beta tanh(factor_q.factor_k)) + bias[h][bucket] + log_weight
 *     y     = the sum of softmax(score) v over the keys; 0 where there is none
 *
 *     R1_ATTEND_Q           [R, D]
 *     R1_ATTEND_K           [T, D]
 *     R1_ATTEND_V           [T, D]
 *     R1_ATTEND_Q_OFF       [1, S + 1]  i32
 *     R1_ATTEND_K_OFF       [1, S + 1]  i32
 *     R1_ATTEND_INDEX       [1, n]      i32, may be absent
 *     R1_ATTEND_BUCKET      [1, n]      i32, may be absent
 *     R1_ATTEND_BIAS        [H, U]      may be absent
 *     R1_ATTEND_LOG_WEIGHT  [1, n]      may be absent
 *     R1_ATTEND_Y           [R, D]      written
 *     R1_ATTEND_FACTOR_Q    [R, H * r]  may be absent
 *     R1_ATTEND_FACTOR_K    [T, H * r]  may be absent
 *
 * The key factor is CAWA's factor of each query and key, of rank r, at most R1_ATTEND_RANK_MAX. It
 * applies where both its sides are there. K and V may be bf16 where the backend supports it. */
enum {
    R1_ATTEND_Q = 0,
    R1_ATTEND_K,
    R1_ATTEND_V,
    R1_ATTEND_Q_OFF,
    R1_ATTEND_K_OFF,
    R1_ATTEND_INDEX,
    R1_ATTEND_BUCKET,
    R1_ATTEND_BIAS,
    R1_ATTEND_LOG_WEIGHT,
    R1_ATTEND_Y,
    R1_ATTEND_FACTOR_Q,
    R1_ATTEND_FACTOR_K
};
enum { R1_ATTEND_HEADS = 0, R1_ATTEND_CAUSAL }; /* i */
enum { R1_ATTEND_BETA = 0 };                    /* f */

/* TAIL_NORM: y = x / sqrt(sum(tail^2) / width + eps) + b
 *
 *     X [R, C]   TAIL [R, T]   B [1, C]   Y [R, C]
 *
 * It has no backward, and it is optional: sessions of a backend without it run the plain plan. */
enum { R1_TAIL_NORM_X = 0, R1_TAIL_NORM_TAIL, R1_TAIL_NORM_B, R1_TAIL_NORM_Y };
enum { R1_TAIL_NORM_EPS = 0, R1_TAIL_NORM_WIDTH }; /* f */

/* LSQ: y[r] = step[r mod S] * round(x[r] / step[r mod S]), within +-limit steps
 *
 *     X [R, C]   STEP [S, 1]   Y [R, C]
 *
 * It runs in training alone. core/tensor/ops/lsq.c has its gradient. */
enum { R1_LSQ_X = 0, R1_LSQ_STEP, R1_LSQ_Y };
enum { R1_LSQ_LIMIT = 0 }; /* i */

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
     * entry: none. w lies in the backend's memory, and all copies to it have ended. Needs
     * packed_free. */
    r1_status (*pack)(void **packed, const r1_view *w, int64_t rows_max, r1_err *err);
    /* Optional: the same, quantised to 8 bits per output channel, with the bits of the CPU's
     * product (core/cpu/cpu_int8.h). w_step is the host's. x_step 0: the largest
     * magnitude of each row of w, and of x as it comes, is R1_INT8_LIMIT steps. Else x_step is
     * the step of x and all values lie within R1_INT8_LEARNED steps; w_step[N]: the steps of w,
     * NULL: each row's largest magnitude is R1_INT8_LEARNED. */
    r1_status (*pack_int8)(void **packed, const r1_view *w, const float *w_step, float x_step,
                           int64_t rows_max, r1_err *err);
    void (*packed_free)(void *packed);

    /* By dtypes and shapes; pointers may be NULL. */
    bool (*supports)(r1_op op, const r1_op_args *args);
    /* NULL: not there. */
    r1_op_fn forward[R1_OP_COUNT];
    /* NULL: not there. A backend without any serves inference only. */
    r1_op_fn backward[R1_OP_COUNT];
} r1_backend;

R1_API const r1_backend *r1_backend_cpu(void);
R1_API const r1_backend *r1_backend_reference(void);
/* "cpu", "reference", "cuda" or a registered name; NULL: what r1_device_choose chose, else
 * $R1_BACKEND, else cpu. cuda is opened
 * once per process, only where libcuda.so.1 opens: $R1_CUDA_PLUGIN, else libr1_cuda.so beside
 * libr1 or in ../lib of the program. */
R1_API const r1_backend *r1_backend_find(const char *name, r1_err *err);
/* What runs plans in this process from now on, in the place of $R1_BACKEND: "cpu", "cuda" (its
 * first device), "cuda:N", or a name as r1_backend_find takes it. "auto" takes cuda where it works,
 * else the CPU. Call it before threads start. R1_E_INVAL where the text is none of these, or there
 * is no such device; R1_E_DEVICE where CUDA does not work: the message says what is missing. What
 * was asked for by name is never replaced: an op that it cannot do is an error then. */
R1_API r1_status r1_device_choose(const char *device, r1_err *err);
/* "cpu", "cuda:1": what was chosen, else what $R1_BACKEND says. */
R1_API const char *r1_device_name(void);
/* For a program that tells what is missing: opens the plugin as r1_backend_find would, without
 * asking for a driver. path: what was opened, or tried; *abi: the version of its table, 0 where it
 * tells none. R1_E_DEVICE in the linker's words. */
R1_API r1_status r1_cuda_plugin(char *path, size_t cap, uint32_t *abi, r1_err *err);
/* A backend of the caller's own, found by its name from then on: by sessions, by evaluation, and
 * by training (through $R1_BACKEND), which ends with an error where it has no gradients. Borrowed:
 * table and name must live as long as the process and stay as they are. From any thread; the
 * same table twice is fine; at most R1_BACKENDS_MAX.
 *
 * R1_E_INVAL where the version differs, a name is taken, or a function is missing. Not needed are:
 * `pack` and `pack_int8` (with one of them, and only then, `packed_free`); `forward` where the
 * memory is not the host's (the CPU's runs instead); TAIL_NORM; and `backward` (none, or every one
 * that the CPU has). A start for a table of one's own is a copy of *r1_backend_cpu(). */
enum { R1_BACKENDS_MAX = 16 };
R1_API r1_status r1_backend_register(const r1_backend *backend, r1_err *err);
R1_API const char *r1_op_name(r1_op op);

/* What the plugin exports. Returns NULL with err filled where the version differs or no device
 * answers. */
typedef const r1_backend *(*r1_backend_cuda_fn)(uint32_t abi_version, r1_err *err);
#define R1_BACKEND_CUDA_SYMBOL "r1_backend_cuda"
/* A uint32_t beside it: R1_BACKEND_ABI of the plugin. */
#define R1_BACKEND_CUDA_ABI_SYMBOL "r1_backend_cuda_abi"

#endif
