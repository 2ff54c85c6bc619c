/* SPDX-License-Identifier: Apache-2.0 */
/* r1_backend_cuda.cu - fills the backend table: devices, memory, streams, events, one launch per
 * op, one per gradient, matrix products by cuBLASLt. Compiled by nvcc into libr1_cuda.so; with
 * -DR1_EMU by a C++ compiler into the tests.
 *
 * Threads: one thread at a time per stream. Errors: R1_E_DEVICE with CUDA's own words; a sticky
 * error stays, so the caller gives the stream up. An op neither allocates nor synchronises. */
#ifndef R1_EMU /* the tests' compiler is told to include the emulators first */
#include <cublasLt.h>
#include <cuda_runtime.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern "C" {
#include "r1_backend.h"
}
#include "r1_kernels_backward.cuh"
#include "r1_kernels_int8.cuh"

#ifdef R1_EMU
#define R1_LAUNCH(kernel, blocks, stream, ...)                                                     \
    emu::launch(dim3(blocks), dim3(R1_BLOCK), [=] { kernel(__VA_ARGS__); })
#else
#define R1_LAUNCH(kernel, blocks, stream, ...)                                                     \
    kernel<<<dim3(blocks), dim3(R1_BLOCK), 0, stream>>>(__VA_ARGS__)
#endif

#define R1_CUDA(err, call)                                                                         \
    do {                                                                                           \
        cudaError_t cuda_ = (call);                                                                \
        if (cuda_ != cudaSuccess) return cuda_fail((err), #call, cudaGetErrorString(cuda_));       \
    } while (0)

/* The plugin does not link libr1: it fills the error object itself. */
static r1_status cuda_says(r1_status code, r1_err *err, const char *what, const char *why)
{
    if (err) {
        err->code = code;
        err->retriable = false;
        err->fatal = code == R1_E_DEVICE;
        err->file = __FILE__;
        err->line = __LINE__;
        snprintf(err->msg, sizeof err->msg, "CUDA: %s: %s", what, why);
    }
    return code;
}
static r1_status cuda_fail(r1_err *err, const char *what, const char *why)
{
    return cuda_says(R1_E_DEVICE, err, what, why);
}

enum { WORKSPACE_BYTES = 32 << 20, WAY_ROWS = 1024 };

struct r1_stream {
    cudaStream_t cuda;
    int device;
    cublasLtHandle_t lt;
    void *workspace; /* of products, and of what an attention's gradients keep */
    struct product_way *way;
    uint32_t n_way, way_cap;
};

struct r1_device_event {
    cudaEvent_t cuda;
};

/* The stream, with its device made the calling thread's: a launch needs both to agree. */
static cudaStream_t cuda_stream_of(const r1_stream *s)
{
    if (!s) return 0;
    cudaSetDevice(s->device);
    return s->cuda;
}

/* ---- devices, memory, streams, events ---- */

static r1_status cuda_devices(uint32_t *n, r1_err *err)
{
    int count = 0; /* left untouched where no driver is */
    R1_CUDA(err, cudaGetDeviceCount(&count));
    *n = (uint32_t)count;
    return R1_OK;
}

static r1_status cuda_device_text(uint32_t device, char *text, size_t cap, r1_err *err)
{
    cudaDeviceProp p;
    R1_CUDA(err, cudaGetDeviceProperties(&p, (int)device));
    snprintf(text, cap, "%s, %zu GiB, sm_%d%d", p.name, p.totalGlobalMem >> 30, p.major, p.minor);
    return R1_OK;
}

/* Zeroed before it is handed out: a stream of its own would not wait for the default one. */
static r1_status cuda_buffer_new(void **p, size_t bytes, r1_err *err)
{
    R1_CUDA(err, cudaMalloc(p, bytes ? bytes : 256));
    cudaError_t e = cudaMemset(*p, 0, bytes ? bytes : 256);
    if (e == cudaSuccess) e = cudaStreamSynchronize(0);
    if (e == cudaSuccess) return R1_OK;
    cudaFree(*p);
    *p = NULL;
    return cuda_fail(err, "cudaMemset", cudaGetErrorString(e));
}

static void cuda_buffer_free(void *p) { cudaFree(p); }

static r1_status cuda_upload(r1_stream *s, void *device, const void *host, size_t bytes,
                             r1_err *err)
{
    R1_CUDA(err, cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, cuda_stream_of(s)));
    return R1_OK;
}

static r1_status cuda_download(r1_stream *s, void *host, const void *device, size_t bytes,
                               r1_err *err)
{
    R1_CUDA(err, cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, cuda_stream_of(s)));
    return R1_OK;
}

static void cuda_stream_free(r1_stream *s)
{
    if (!s) return;
    if (s->lt) cublasLtDestroy(s->lt);
    cudaFree(s->workspace);
    free(s->way);
    if (s->cuda) cudaStreamDestroy(s->cuda);
    free(s);
}

static r1_status cuda_stream_open(r1_stream *s, uint32_t device, r1_err *err)
{
    s->device = (int)device;
    R1_CUDA(err, cudaSetDevice(s->device));
    R1_CUDA(err, cudaStreamCreateWithFlags(&s->cuda, cudaStreamNonBlocking));
    if (cublasLtCreate(&s->lt) != CUBLAS_STATUS_SUCCESS)
        return cuda_fail(err, "cublasLtCreate", "no handle");
    R1_CUDA(err, cudaMalloc(&s->workspace, WORKSPACE_BYTES));
    return R1_OK;
}

static r1_status cuda_stream_new(r1_stream **out, uint32_t device, r1_err *err)
{
    r1_stream *s = (r1_stream *)calloc(1, sizeof *s);
    if (!s) return cuda_fail(err, "stream", "out of host memory");
    r1_status st = cuda_stream_open(s, device, err);
    if (st != R1_OK)
        cuda_stream_free(s);
    else
        *out = s;
    return st;
}

static r1_status cuda_stream_sync(r1_stream *s, r1_err *err)
{
    R1_CUDA(err, cudaStreamSynchronize(cuda_stream_of(s)));
    return R1_OK;
}

static void cuda_event_free(r1_device_event *e)
{
    if (!e) return;
    cudaEventDestroy(e->cuda);
    free(e);
}

static r1_status cuda_event_new(r1_device_event **out, r1_err *err)
{
    r1_device_event *e = (r1_device_event *)calloc(1, sizeof *e);
    if (!e) return cuda_fail(err, "event", "out of host memory");
    cudaError_t made = cudaEventCreateWithFlags(&e->cuda, cudaEventDisableTiming);
    if (made != cudaSuccess) {
        free(e);
        return cuda_fail(err, "cudaEventCreate", cudaGetErrorString(made));
    }
    *out = e;
    return R1_OK;
}

static r1_status cuda_event_record(r1_device_event *e, r1_stream *s, r1_err *err)
{
    R1_CUDA(err, cudaEventRecord(e->cuda, cuda_stream_of(s)));
    return R1_OK;
}

static r1_status cuda_event_wait(r1_device_event *e, r1_stream *s, r1_err *err)
{
    R1_CUDA(err, cudaStreamWaitEvent(cuda_stream_of(s), e->cuda, 0));
    return R1_OK;
}

/* ---- launches ---- */

static unsigned blocks_for(int64_t threads)
{
    return (unsigned)((threads + R1_BLOCK - 1) / R1_BLOCK);
}

static r1_status cuda_launched(const char *op, r1_err *err)
{
    cudaError_t e = cudaGetLastError();
    return e == cudaSuccess ? R1_OK : cuda_fail(err, op, cudaGetErrorString(e));
}

/* op_NAME launches r1_k_NAME with so many threads; an empty batch launches nothing. */
#define R1_OP_LAUNCH(name, threads)                                                                \
    static r1_status op_##name(r1_stream *s, const r1_op_args *args, r1_err *err)                  \
    {                                                                                              \
        const r1_op_args a = *args;                                                                \
        int64_t n = (threads);                                                                     \
        (void)s;                                                                                   \
        if (n <= 0) return R1_OK;                                                                  \
        R1_LAUNCH(r1_k_##name, blocks_for(n), cuda_stream_of(s), a);                               \
        return cuda_launched(#name, err);                                                          \
    }

/* clang-format off */
R1_OP_LAUNCH(add,          a.v[R1_ADD_A].rows * a.v[R1_ADD_A].cols)
R1_OP_LAUNCH(act,          a.v[R1_ACT_X].rows * a.v[R1_ACT_X].cols)
R1_OP_LAUNCH(rmsnorm,      a.v[R1_RMSNORM_X].rows * R1_WARP)
R1_OP_LAUNCH(tail_norm,    a.v[R1_TAIL_NORM_X].rows * R1_WARP)
R1_OP_LAUNCH(ple,          a.v[R1_PLE_X].rows * a.v[R1_PLE_X].cols)
R1_OP_LAUNCH(embed,        a.v[R1_EMBED_ID].rows * a.v[R1_EMBED_ID].cols * a.v[R1_EMBED_TABLE].cols)
R1_OP_LAUNCH(standard,     a.v[R1_STANDARD_X].rows * a.v[R1_STANDARD_X].cols)
R1_OP_LAUNCH(edge_message, a.v[R1_EDGE_MESSAGE_Y].rows * R1_WARP)
R1_OP_LAUNCH(mark_pool,    a.v[R1_MARK_POOL_Y].rows * 3 * a.v[R1_MARK_POOL_H].cols)
R1_OP_LAUNCH(place,        a.v[R1_PLACE_Y].rows * a.v[R1_PLACE_Y].cols)
R1_OP_LAUNCH(seg_mean,     a.v[R1_SEG_MEAN_Y].rows * a.v[R1_SEG_MEAN_Y].cols)
R1_OP_LAUNCH(causal_mean,  (int64_t)(a.v[R1_CAUSAL_MEAN_OFF].cols - 1) * a.v[R1_CAUSAL_MEAN_X].cols)
R1_OP_LAUNCH(cawa_scale,   a.v[R1_CAWA_SCALE_Q].rows * a.v[R1_CAWA_SCALE_Q].cols)
R1_OP_LAUNCH(lsq,          a.v[R1_LSQ_X].rows * a.v[R1_LSQ_X].cols)
R1_OP_LAUNCH(attend,       a.v[R1_ATTEND_Q].rows * a.i[R1_ATTEND_HEADS] * R1_WARP)
/* clang-format on */

/* ---- matrix products ---- */

/* out = left right, or out += left right, in cuBLASLt's column-major eyes: a matrix of ours with
 * rows of length n is one of theirs with columns of length n. */
typedef struct {
    const void *left, *right, *bias; /* bias: added to each column of out; NULL: none */
    void *out;
    uint64_t rows, cols, inner; /* out[rows, cols], left[rows, inner], right[inner, cols] */
    int64_t ld_left, ld_right, ld_out;
    bool turn_left, turn_right; /* that matrix lies transposed */
    bool add;
} product;

struct product_way {
    product shape;
    cublasLtMatmulAlgo_t algo;
};

/* What cuBLASLt calls the same. */
typedef struct {
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t left, right, out;
} described;

static bool cublas_good(cublasStatus_t st) { return st == CUBLAS_STATUS_SUCCESS; }

static void described_free(described *d)
{
    if (d->out) cublasLtMatrixLayoutDestroy(d->out);
    if (d->right) cublasLtMatrixLayoutDestroy(d->right);
    if (d->left) cublasLtMatrixLayoutDestroy(d->left);
    if (d->desc) cublasLtMatmulDescDestroy(d->desc);
}

static bool product_matrix(cublasLtMatrixLayout_t *l, uint64_t rows, uint64_t cols, int64_t ld,
                           bool turn)
{
    return cublas_good(
        cublasLtMatrixLayoutCreate(l, CUDA_R_32F, turn ? cols : rows, turn ? rows : cols, ld));
}

static bool product_says(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t what,
                         const void *value, size_t size)
{
    return cublas_good(cublasLtMatmulDescSetAttribute(d, what, value, size));
}

static bool product_describe(const product *p, described *d)
{
    cublasOperation_t left = p->turn_left ? CUBLAS_OP_T : CUBLAS_OP_N,
                      right = p->turn_right ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasLtEpilogue_t bias = CUBLASLT_EPILOGUE_BIAS;
    return cublas_good(cublasLtMatmulDescCreate(&d->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F)) &&
           product_says(d->desc, CUBLASLT_MATMUL_DESC_TRANSA, &left, sizeof left) &&
           product_says(d->desc, CUBLASLT_MATMUL_DESC_TRANSB, &right, sizeof right) &&
           (!p->bias ||
            (product_says(d->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &bias, sizeof bias) &&
             product_says(d->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p->bias, sizeof p->bias))) &&
           product_matrix(&d->left, p->rows, p->inner, p->ld_left, p->turn_left) &&
           product_matrix(&d->right, p->inner, p->cols, p->ld_right, p->turn_right) &&
           product_matrix(&d->out, p->rows, p->cols, p->ld_out, false);
}

/* Whether a way of multiplying that was found for one shape serves another: all but how many rows
 * the caller's batch has. */
static bool product_alike(const product *a, const product *b)
{
    bool same_sides = a->rows == b->rows && a->turn_left == b->turn_left &&
                      a->turn_right == b->turn_right && a->add == b->add && !a->bias == !b->bias;
    bool batch_inside = a->turn_right && a->add; /* a weight's gradient sums over the batch */
    return same_sides && (batch_inside ? a->cols == b->cols : a->inner == b->inner) &&
           a->ld_left == b->ld_left && a->ld_right == b->ld_right && a->ld_out == b->ld_out;
}

/* Asks cuBLASLt for the shape with many rows, and without sums in parts, whose order would depend
 * on the number of rows. */
static bool product_ask(r1_stream *s, const product *p, cublasLtMatmulAlgo_t *way)
{
    product many = *p;
    if (p->turn_right && p->add)
        many.inner = WAY_ROWS;
    else
        many.cols = WAY_ROWS;
    described d = {};
    cublasLtMatmulPreference_t wish = NULL;
    cublasLtMatmulHeuristicResult_t found;
    size_t workspace = WORKSPACE_BYTES;
    uint32_t whole = CUBLASLT_REDUCTION_SCHEME_NONE;
    int n = 0;
    bool good =
        product_describe(&many, &d) && cublas_good(cublasLtMatmulPreferenceCreate(&wish)) &&
        cublas_good(cublasLtMatmulPreferenceSetAttribute(
            wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace)) &&
        cublas_good(cublasLtMatmulPreferenceSetAttribute(
            wish, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &whole, sizeof whole)) &&
        cublas_good(cublasLtMatmulAlgoGetHeuristic(s->lt, d.desc, d.left, d.right, d.out, d.out,
                                                   wish, 1, &found, &n)) &&
        n >= 1;
    if (good) *way = found.algo;
    if (wish) cublasLtMatmulPreferenceDestroy(wish);
    described_free(&d);
    return good;
}

/* One way per weight and direction, whatever the number of rows: a row's sums have one order, so
 * the same input keeps the same answer in any batch. */
static const cublasLtMatmulAlgo_t *product_way(r1_stream *s, const product *p)
{
    for (uint32_t i = 0; i < s->n_way; i++)
        if (product_alike(&s->way[i].shape, p)) return &s->way[i].algo;
    if (s->n_way == s->way_cap) {
        uint32_t cap = s->way_cap ? 2 * s->way_cap : 64;
        struct product_way *more = (struct product_way *)realloc(s->way, cap * sizeof *more);
        if (!more) return NULL;
        s->way = more;
        s->way_cap = cap;
    }
    struct product_way *w = &s->way[s->n_way];
    w->shape = *p;
    if (!product_ask(s, p, &w->algo)) return NULL;
    s->n_way++;
    return &w->algo;
}

static r1_status product_run(r1_stream *s, const product *p, r1_err *err)
{
    if (!s) return cuda_fail(err, "linear", "a product needs a stream");
    const cublasLtMatmulAlgo_t *way = product_way(s, p);
    if (!way) return cuda_fail(err, "linear", "cuBLASLt knows no way to multiply these shapes");
    described d = {};
    float one = 1.0f, keep = p->add ? 1.0f : 0.0f;
    bool good = product_describe(p, &d) &&
                cublas_good(cublasLtMatmul(s->lt, d.desc, &one, p->left, d.left, p->right, d.right,
                                           &keep, p->out, d.out, p->out, d.out, way, s->workspace,
                                           WORKSPACE_BYTES, cuda_stream_of(s)));
    described_free(&d);
    return good ? R1_OK : cuda_fail(err, "linear", "cublasLtMatmul failed");
}

/* ---- 8-bit products ---- */

static int64_t int8_whole(int64_t n, int64_t of) { return (n + of - 1) / of * of; }

static bool int8_step_good(float step) { return step >= 1e-30f && step < 1e30f; }

static r1_status int8_refuse(const r1_view *w, const float *w_step, float x_step, r1_err *err)
{
    char why[96];
    if (w_step && x_step == 0.0f)
        return cuda_says(R1_E_INVAL, err, "int8",
                         "steps of the weight need one of the activations");
    if (w->cols > R1_INT8_K_MAX) {
        snprintf(why, sizeof why, "a weight of %lld x %d, at most %d columns", (long long)w->rows,
                 w->cols, R1_INT8_K_MAX);
        return cuda_says(R1_E_INVAL, err, "int8", why);
    }
    bool good = x_step == 0.0f || int8_step_good(x_step);
    for (int64_t n = 0; w_step && n < w->rows; n++) good = good && int8_step_good(w_step[n]);
    return good ? R1_OK : cuda_says(R1_E_INVAL, err, "int8", "a step is not within 1e-30 to 1e30");
}

/* Steps that are not learned stay 0, as the buffer was made: the kernel takes the row's own. */
static r1_status int8_fill(const r1_view *w, const float *w_step, const r1_int8_weight *p,
                           r1_err *err)
{
    if (w_step)
        R1_CUDA(err, cudaMemcpyAsync(p->scale, w_step, sizeof(float) * (size_t)p->n,
                                     cudaMemcpyHostToDevice, 0));
    R1_LAUNCH(r1_k_int8_pack, blocks_for((int64_t)p->n * R1_WARP), 0, *w, *p);
    r1_status st = cuda_launched("int8_pack", err);
    if (st != R1_OK) return st;
    R1_CUDA(err, cudaStreamSynchronize(0));
    return R1_OK;
}

static void cuda_packed_free(void *packed)
{
    r1_int8_weight *p = (r1_int8_weight *)packed;
    if (!p) return;
    cudaFree(p->q);
    free(p);
}

static r1_status cuda_pack_int8(void **packed, const r1_view *w, const float *w_step, float x_step,
                                int64_t rows_max, r1_err *err)
{
    (void)rows_max; /* rows pass in pieces that fit the workspace */
    r1_status st = int8_refuse(w, w_step, x_step, err);
    if (st != R1_OK) return st;
    r1_int8_weight *p = (r1_int8_weight *)calloc(1, sizeof *p);
    if (!p) return cuda_fail(err, "int8", "out of host memory");
    p->n = (int)w->rows, p->k = w->cols, p->k_pad = (int)int8_whole(w->cols, R1_INT8_K);
    p->x_step = x_step;
    size_t integers = (size_t)int8_whole(p->n, R1_INT8_COLS) * (size_t)p->k_pad;
    void *room;
    st = cuda_buffer_new(&room, integers + sizeof(float) * (size_t)p->n, err);
    if (st == R1_OK) {
        p->q = (signed char *)room;
        p->scale = (float *)(void *)(p->q + integers);
        st = int8_fill(w, w_step, p, err);
    }
    if (st == R1_OK)
        *packed = p;
    else
        cuda_packed_free(p);
    return st;
}

static r1_status int8_linear(r1_stream *s, const r1_op_args *args, r1_err *err)
{
    const r1_op_args a = *args;
    const r1_int8_weight w = *(const r1_int8_weight *)a.packed;
    if (!s) return cuda_fail(err, "linear", "a product needs a stream");
    int64_t room = WORKSPACE_BYTES / (w.k_pad + (int64_t)sizeof(float)),
            most = room / R1_INT8_ROWS * R1_INT8_ROWS, rows = a.v[R1_LINEAR_X].rows;
    r1_int8_rows x;
    x.q = (signed char *)s->workspace;
    x.scale = (float *)(void *)(x.q + most * w.k_pad);
    for (x.first = 0; x.first < rows; x.first += most) {
        x.n = rows - x.first < most ? rows - x.first : most;
        int64_t whole = int8_whole(x.n, R1_INT8_ROWS),
                tiles = whole / R1_INT8_ROWS * (int8_whole(w.n, R1_INT8_COLS) / R1_INT8_COLS);
        R1_LAUNCH(r1_k_int8_rows, blocks_for(whole * R1_WARP), cuda_stream_of(s), a.v[R1_LINEAR_X],
                  w, x, whole);
        R1_LAUNCH(r1_k_int8_product, blocks_for(tiles * R1_WARP), cuda_stream_of(s), a, w, x);
    }
    return cuda_launched("linear, int8", err);
}

/* y[M, N] = x[M, K] w[N, K]' + b: theirs is y[N, M] = w[K, N]' x[K, M]. */
static r1_status op_linear(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    const r1_view *x = &a->v[R1_LINEAR_X], *w = &a->v[R1_LINEAR_W], *y = &a->v[R1_LINEAR_Y];
    product p = {};
    if (x->rows <= 0) return R1_OK;
    if (a->packed && a->packed_as == R1_I8) return int8_linear(s, a, err);
    p.left = w->p, p.ld_left = w->ld, p.turn_left = true;
    p.right = x->p, p.ld_right = x->ld;
    p.out = y->p, p.ld_out = y->ld;
    p.bias = a->v[R1_LINEAR_B].p;
    p.rows = (uint64_t)w->rows, p.cols = (uint64_t)x->rows, p.inner = (uint64_t)x->cols;
    return product_run(s, &p, err);
}

/* gx[M, K] += gy[M, N] w[N, K]: theirs is gx[K, M] += w[K, N] gy[N, M]. */
static r1_status linear_back_x(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    const r1_view *w = &a->v[R1_LINEAR_W], *gx = &a->g[R1_LINEAR_X], *gy = &a->g[R1_LINEAR_Y];
    product p = {};
    p.left = w->p, p.ld_left = w->ld;
    p.right = gy->p, p.ld_right = gy->ld;
    p.out = gx->p, p.ld_out = gx->ld;
    p.rows = (uint64_t)w->cols, p.cols = (uint64_t)gx->rows, p.inner = (uint64_t)w->rows;
    p.add = true;
    return product_run(s, &p, err);
}

/* gw[N, K] += gy[M, N]' x[M, K]: theirs is gw[K, N] += x[K, M] gy[N, M]'. */
static r1_status linear_back_w(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    const r1_view *x = &a->v[R1_LINEAR_X], *gw = &a->g[R1_LINEAR_W], *gy = &a->g[R1_LINEAR_Y];
    product p = {};
    p.left = x->p, p.ld_left = x->ld;
    p.right = gy->p, p.ld_right = gy->ld, p.turn_right = true;
    p.out = gw->p, p.ld_out = gw->ld;
    p.rows = (uint64_t)x->cols, p.cols = (uint64_t)gw->rows, p.inner = (uint64_t)x->rows;
    p.add = true;
    return product_run(s, &p, err);
}

static r1_status back_linear(r1_stream *s, const r1_op_args *args, r1_err *err)
{
    const r1_op_args a = *args;
    r1_status st = R1_OK;
    if (a.v[R1_LINEAR_X].rows <= 0) return R1_OK;
    if (a.g[R1_LINEAR_X].p) st = linear_back_x(s, &a, err);
    if (st == R1_OK && a.g[R1_LINEAR_W].p) st = linear_back_w(s, &a, err);
    if (st != R1_OK || !a.g[R1_LINEAR_B].p) return st;
    R1_LAUNCH(r1_k_linear_back_b, blocks_for((int64_t)a.g[R1_LINEAR_B].cols * R1_WARP),
              cuda_stream_of(s), a);
    return cuda_launched("linear, bias", err);
}

/* ---- gradients ---- */

/* Launches a kernel with so many threads where the gradient of a slot is wanted. */
#define R1_BACK(kernel, slot, threads)                                                             \
    do {                                                                                           \
        int64_t n_ = (threads);                                                                    \
        if (a.g[slot].p && n_ > 0) {                                                               \
            R1_LAUNCH(r1_k_##kernel, blocks_for(n_), cuda_stream_of(s), a);                        \
            r1_status st_ = cuda_launched(#kernel, err);                                           \
            if (st_ != R1_OK) return st_;                                                          \
        }                                                                                          \
    } while (0)

/* Gives each gradient of an op to a kernel. */
#define R1_OP_BACK(name, ...)                                                                      \
    static r1_status back_##name(r1_stream *s, const r1_op_args *args, r1_err *err)                \
    {                                                                                              \
        const r1_op_args a = *args;                                                                \
        __VA_ARGS__;                                                                               \
        return R1_OK;                                                                              \
    }

/* clang-format off */
R1_OP_BACK(add,
    R1_BACK(add_back_a, R1_ADD_A, a.v[R1_ADD_A].rows * a.v[R1_ADD_A].cols);
    R1_BACK(add_back_b, R1_ADD_B, a.v[R1_ADD_B].rows * a.v[R1_ADD_B].cols * R1_WARP))
R1_OP_BACK(act,
    R1_BACK(act_back, R1_ACT_X, a.v[R1_ACT_X].rows * a.v[R1_ACT_X].cols))
R1_OP_BACK(rmsnorm,
    R1_BACK(rmsnorm_back_x, R1_RMSNORM_X, a.v[R1_RMSNORM_X].rows * R1_WARP);
    R1_BACK(rmsnorm_back_gain, R1_RMSNORM_GAIN,
            ((int64_t)a.v[R1_RMSNORM_X].cols + R1_WARP - 1) / R1_WARP * R1_WARP))
R1_OP_BACK(embed,
    R1_BACK(embed_back, R1_EMBED_TABLE, a.v[R1_EMBED_TABLE].rows * R1_WARP))
R1_OP_BACK(edge_message,
    R1_BACK(edge_message_back_h, R1_EDGE_MESSAGE_H, a.v[R1_EDGE_MESSAGE_H].rows * R1_WARP);
    R1_BACK(edge_message_back_e, R1_EDGE_MESSAGE_E,
            a.v[R1_EDGE_MESSAGE_E].rows * a.v[R1_EDGE_MESSAGE_E].cols))
R1_OP_BACK(mark_pool,
    R1_BACK(mark_pool_back, R1_MARK_POOL_H, a.v[R1_MARK_POOL_H].rows * a.v[R1_MARK_POOL_H].cols))
R1_OP_BACK(seg_mean,
    R1_BACK(seg_mean_back, R1_SEG_MEAN_X, a.v[R1_SEG_MEAN_X].rows * R1_WARP))
R1_OP_BACK(causal_mean,
    R1_BACK(causal_mean_back, R1_CAUSAL_MEAN_X,
            (int64_t)(a.v[R1_CAUSAL_MEAN_OFF].cols - 1) * a.v[R1_CAUSAL_MEAN_X].cols))
R1_OP_BACK(lsq,
    R1_BACK(lsq_back_x, R1_LSQ_X, a.v[R1_LSQ_X].rows * a.v[R1_LSQ_X].cols);
    R1_BACK(lsq_back_step, R1_LSQ_STEP, a.v[R1_LSQ_STEP].rows * R1_WARP))
/* clang-format on */

/* Rows of x, then the row of what is absent: either may be unwanted. */
static r1_status back_place(r1_stream *s, const r1_op_args *args, r1_err *err)
{
    const r1_op_args a = *args;
    R1_LAUNCH(r1_k_place_back, blocks_for((a.v[R1_PLACE_X].rows + 1) * R1_WARP), cuda_stream_of(s),
              a);
    return cuda_launched("place_back", err);
}

static r1_status back_cawa_scale(r1_stream *s, const r1_op_args *args, r1_err *err)
{
    const r1_op_args a = *args;
    int64_t n = a.v[R1_CAWA_SCALE_Q].rows * a.i[R1_CAWA_SCALE_HEADS];
    if (n <= 0) return R1_OK;
    R1_LAUNCH(r1_k_cawa_scale_back_q, blocks_for(n), cuda_stream_of(s), a);
    r1_status st = cuda_launched("cawa_scale_back_q", err);
    if (st != R1_OK || !a.v[R1_CAWA_SCALE_LENGTH].p) return st;
    R1_BACK(cawa_scale_back_length, R1_CAWA_SCALE_LENGTH,
            (int64_t)a.i[R1_CAWA_SCALE_HEADS] * R1_WARP);
    return R1_OK;
}

/* What a query's kernel leaves for those of the keys, in the stream's workspace. */
static r1_status attend_keep(r1_stream *s, const r1_op_args *a, r1_attend_kept *kept, r1_err *err)
{
    int64_t n = a->v[R1_ATTEND_Q].rows * a->i[R1_ATTEND_HEADS],
            bucket = a->v[R1_ATTEND_BIAS].p ? a->v[R1_ATTEND_BIAS].cols : 0;
    if (!s) return cuda_fail(err, "attend", "its gradients need a stream");
    if (n > (int64_t)WORKSPACE_BYTES / (int64_t)sizeof(float) / (2 + bucket))
        return cuda_fail(err, "attend",
                         "more queries than the workspace keeps; take a smaller batch");
    kept->log_sum = (float *)s->workspace;
    kept->mean = kept->log_sum + n;
    kept->bias = kept->mean + n;
    return R1_OK;
}

static r1_status back_attend(r1_stream *s, const r1_op_args *args, r1_err *err)
{
    const r1_op_args a = *args;
    r1_attend_kept kept;
    int64_t queries = a.v[R1_ATTEND_Q].rows * a.i[R1_ATTEND_HEADS],
            keys = a.v[R1_ATTEND_K].rows * a.i[R1_ATTEND_HEADS];
    if (queries <= 0) return R1_OK;
    r1_status st = attend_keep(s, &a, &kept, err);
    if (st != R1_OK) return st;
    R1_LAUNCH(r1_k_attend_back_q, blocks_for(queries * R1_WARP), cuda_stream_of(s), a, kept);
    st = cuda_launched("attend_back_q", err);
    if (st == R1_OK && keys > 0) {
        R1_LAUNCH(r1_k_attend_back_k, blocks_for(keys * R1_WARP), cuda_stream_of(s), a, kept);
        st = cuda_launched("attend_back_k", err);
    }
    if (st != R1_OK || !a.v[R1_ATTEND_BIAS].p || !a.g[R1_ATTEND_BIAS].p) return st;
    R1_LAUNCH(r1_k_attend_back_bias,
              blocks_for(a.v[R1_ATTEND_BIAS].rows * a.v[R1_ATTEND_BIAS].cols * R1_WARP),
              cuda_stream_of(s), a, kept);
    return cuda_launched("attend_back_bias", err);
}

/* ---- the table ---- */

static bool cuda_supports(r1_op op, const r1_op_args *a)
{
    if (op >= R1_OP_COUNT) return false;
    for (int k = 0; k < R1_OP_VIEWS; k++)
        if (a->v[k].dtype != R1_F32 && a->v[k].dtype != R1_I32) return false;
    return op != R1_OP_ATTEND ||
           (a->v[R1_ATTEND_Q].cols / a->i[R1_ATTEND_HEADS] <= R1_HEAD_DIM_MAX &&
            a->v[R1_ATTEND_BIAS].cols <= R1_BUCKETS_MAX);
}

static r1_backend cuda_make_table(void)
{
    r1_backend b = {};
    b.abi = R1_BACKEND_ABI;
    b.name = "cuda";
    b.devices = cuda_devices;
    b.device_text = cuda_device_text;
    b.buffer_new = cuda_buffer_new;
    b.buffer_free = cuda_buffer_free;
    b.upload = cuda_upload;
    b.download = cuda_download;
    b.stream_new = cuda_stream_new;
    b.stream_free = cuda_stream_free;
    b.stream_sync = cuda_stream_sync;
    b.event_new = cuda_event_new;
    b.event_free = cuda_event_free;
    b.event_record = cuda_event_record;
    b.event_wait = cuda_event_wait;
    b.pack_int8 = cuda_pack_int8;
    b.packed_free = cuda_packed_free;
    b.supports = cuda_supports;
    b.forward[R1_OP_LINEAR] = op_linear;
    b.forward[R1_OP_ADD] = op_add;
    b.forward[R1_OP_ACT] = op_act;
    b.forward[R1_OP_RMSNORM] = op_rmsnorm;
    b.forward[R1_OP_PLE] = op_ple;
    b.forward[R1_OP_EMBED] = op_embed;
    b.forward[R1_OP_STANDARD] = op_standard;
    b.forward[R1_OP_EDGE_MESSAGE] = op_edge_message;
    b.forward[R1_OP_MARK_POOL] = op_mark_pool;
    b.forward[R1_OP_PLACE] = op_place;
    b.forward[R1_OP_SEG_MEAN] = op_seg_mean;
    b.forward[R1_OP_CAUSAL_MEAN] = op_causal_mean;
    b.forward[R1_OP_CAWA_SCALE] = op_cawa_scale;
    b.forward[R1_OP_ATTEND] = op_attend;
    b.forward[R1_OP_TAIL_NORM] = op_tail_norm;
    b.forward[R1_OP_LSQ] = op_lsq;
    b.backward[R1_OP_LINEAR] = back_linear;
    b.backward[R1_OP_ADD] = back_add;
    b.backward[R1_OP_ACT] = back_act;
    b.backward[R1_OP_RMSNORM] = back_rmsnorm;
    b.backward[R1_OP_EMBED] = back_embed;
    b.backward[R1_OP_EDGE_MESSAGE] = back_edge_message;
    b.backward[R1_OP_MARK_POOL] = back_mark_pool;
    b.backward[R1_OP_PLACE] = back_place;
    b.backward[R1_OP_SEG_MEAN] = back_seg_mean;
    b.backward[R1_OP_CAUSAL_MEAN] = back_causal_mean;
    b.backward[R1_OP_CAWA_SCALE] = back_cawa_scale;
    b.backward[R1_OP_ATTEND] = back_attend;
    b.backward[R1_OP_LSQ] = back_lsq;
    return b;
}

extern "C" {
extern __attribute__((visibility("default"))) const uint32_t r1_backend_cuda_abi;
const uint32_t r1_backend_cuda_abi = R1_BACKEND_ABI;
}

extern "C" __attribute__((visibility("default"))) const r1_backend *
r1_backend_cuda(uint32_t abi_version, r1_err *err)
{
    static r1_backend table;
    if (abi_version != R1_BACKEND_ABI) {
        cuda_fail(err, "libr1_cuda.so", "was built for another version of libr1");
        return NULL;
    }
    uint32_t n = 0;
    if (cuda_devices(&n, err) != R1_OK) return NULL;
    if (!n) {
        cuda_fail(err, "devices", "none found");
        return NULL;
    }
    table = cuda_make_table();
    return &table;
}
