/* SPDX-License-Identifier: Apache-2.0 */
/* r1_backend_cuda.cu - fills the backend table: devices, memory, streams, events, one launch per
 * op, matrix products by cuBLASLt. Compiled by nvcc into libr1_cuda.so; with -DR1_EMU by a C++
 * compiler into the tests, where the matrix product is a plain loop.
 *
 * Threads: one thread at a time per stream. Errors: R1_E_DEVICE with CUDA's own words; a sticky
 * error stays, so the caller gives the stream up. An op neither allocates nor synchronises. */
#ifndef R1_EMU /* the tests' compiler is told to include the emulator first */
#include <cublasLt.h>
#include <cuda_runtime.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern "C" {
#include "r1_backend.h"
}
#include "r1_kernels.cuh"

#ifdef R1_EMU
#define R1_LAUNCH(kernel, blocks, stream, args)                                                    \
    emu::launch(dim3(blocks), dim3(R1_BLOCK), [=] { kernel(args); })
#else
#define R1_LAUNCH(kernel, blocks, stream, args)                                                    \
    kernel<<<dim3(blocks), dim3(R1_BLOCK), 0, stream>>>(args)
#endif

#define R1_CUDA(err, call)                                                                         \
    do {                                                                                           \
        cudaError_t cuda_ = (call);                                                                \
        if (cuda_ != cudaSuccess) return cuda_fail((err), #call, cudaGetErrorString(cuda_));       \
    } while (0)

/* The plugin does not link libr1: it fills the error object itself. */
static r1_status cuda_fail(r1_err *err, const char *what, const char *why)
{
    if (err) {
        err->code = R1_E_DEVICE;
        err->retriable = false;
        err->fatal = true;
        err->file = __FILE__;
        err->line = __LINE__;
        snprintf(err->msg, sizeof err->msg, "CUDA: %s: %s", what, why);
    }
    return R1_E_DEVICE;
}

struct r1_stream {
    cudaStream_t cuda;
#ifndef R1_EMU
    cublasLtHandle_t lt;
    void *workspace;
#endif
};

struct r1_device_event {
    cudaEvent_t cuda;
};

static cudaStream_t cuda_stream_of(const r1_stream *s) { return s ? s->cuda : 0; }

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

static r1_status cuda_buffer_new(void **p, size_t bytes, r1_err *err)
{
    R1_CUDA(err, cudaMalloc(p, bytes ? bytes : 256));
    R1_CUDA(err, cudaMemset(*p, 0, bytes ? bytes : 256));
    return R1_OK;
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

#ifndef R1_EMU
enum { WORKSPACE_BYTES = 32 << 20 };
#endif

static void cuda_stream_free(r1_stream *s)
{
    if (!s) return;
#ifndef R1_EMU
    if (s->lt) cublasLtDestroy(s->lt);
    cudaFree(s->workspace);
#endif
    if (s->cuda) cudaStreamDestroy(s->cuda);
    free(s);
}

static r1_status cuda_stream_open(r1_stream *s, uint32_t device, r1_err *err)
{
    R1_CUDA(err, cudaSetDevice((int)device));
    R1_CUDA(err, cudaStreamCreateWithFlags(&s->cuda, cudaStreamNonBlocking));
#ifndef R1_EMU
    if (cublasLtCreate(&s->lt) != CUBLAS_STATUS_SUCCESS)
        return cuda_fail(err, "cublasLtCreate", "no handle");
    R1_CUDA(err, cudaMalloc(&s->workspace, WORKSPACE_BYTES));
#endif
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
R1_OP_LAUNCH(attend,       a.v[R1_ATTEND_Q].rows * a.i[R1_ATTEND_HEADS] * R1_WARP)
/* clang-format on */

/* ---- matrix products ---- */

#ifdef R1_EMU
static r1_status op_linear(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s, (void)err;
    for (int64_t m = 0; m < a->v[R1_LINEAR_X].rows; m++)
        for (int32_t n = 0; n < a->v[R1_LINEAR_W].rows; n++) {
            float sum = a->v[R1_LINEAR_B].p ? r1_at(a->v[R1_LINEAR_B], 0)[n] : 0.0f;
            for (int32_t k = 0; k < a->v[R1_LINEAR_X].cols; k++)
                sum += r1_at(a->v[R1_LINEAR_X], m)[k] * r1_at(a->v[R1_LINEAR_W], n)[k];
            r1_at(a->v[R1_LINEAR_Y], m)[n] = sum;
        }
    return R1_OK;
}
#else
/* y[M,N] = x[M,K] w[N,K]' + b. cuBLASLt is column-major, so it sees y'[N,M] = w[K,N]' x'[K,M]. */
typedef struct {
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t w, x, y;
    cublasLtMatmulPreference_t preference;
} product;

static void product_free(product *p)
{
    if (p->preference) cublasLtMatmulPreferenceDestroy(p->preference);
    if (p->y) cublasLtMatrixLayoutDestroy(p->y);
    if (p->x) cublasLtMatrixLayoutDestroy(p->x);
    if (p->w) cublasLtMatrixLayoutDestroy(p->w);
    if (p->desc) cublasLtMatmulDescDestroy(p->desc);
}

static bool cublas_good(cublasStatus_t st) { return st == CUBLAS_STATUS_SUCCESS; }

static bool product_describe(product *p, const r1_op_args *a)
{
    cublasOperation_t t = CUBLAS_OP_T;
    cublasLtEpilogue_t bias = CUBLASLT_EPILOGUE_BIAS;
    size_t workspace = WORKSPACE_BYTES;
    uint64_t m = (uint64_t)a->v[R1_LINEAR_X].rows, n = (uint64_t)a->v[R1_LINEAR_W].rows,
             k = (uint64_t)a->v[R1_LINEAR_X].cols;
    return cublas_good(cublasLtMatmulDescCreate(&p->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F)) &&
           cublas_good(cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_TRANSA, &t,
                                                      sizeof t)) &&
           (!a->v[R1_LINEAR_B].p ||
            (cublas_good(cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_EPILOGUE,
                                                        &bias, sizeof bias)) &&
             cublas_good(cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                        &a->v[R1_LINEAR_B].p, sizeof(void *))))) &&
           cublas_good(cublasLtMatrixLayoutCreate(&p->w, CUDA_R_32F, k, n, a->v[R1_LINEAR_W].ld)) &&
           cublas_good(cublasLtMatrixLayoutCreate(&p->x, CUDA_R_32F, k, m, a->v[R1_LINEAR_X].ld)) &&
           cublas_good(cublasLtMatrixLayoutCreate(&p->y, CUDA_R_32F, n, m, a->v[R1_LINEAR_Y].ld)) &&
           cublas_good(cublasLtMatmulPreferenceCreate(&p->preference)) &&
           cublas_good(cublasLtMatmulPreferenceSetAttribute(
               p->preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
               sizeof workspace));
}

static r1_status product_run(const product *p, r1_stream *s, const r1_op_args *a, r1_err *err)
{
    cublasLtMatmulHeuristicResult_t found;
    int n = 0;
    float one = 1.0f, zero = 0.0f;
    if (!cublas_good(cublasLtMatmulAlgoGetHeuristic(s->lt, p->desc, p->w, p->x, p->y, p->y,
                                                    p->preference, 1, &found, &n)) ||
        n < 1)
        return cuda_fail(err, "linear", "cuBLASLt knows no way to multiply these shapes");
    if (!cublas_good(cublasLtMatmul(s->lt, p->desc, &one, a->v[R1_LINEAR_W].p, p->w,
                                    a->v[R1_LINEAR_X].p, p->x, &zero, a->v[R1_LINEAR_Y].p, p->y,
                                    a->v[R1_LINEAR_Y].p, p->y, &found.algo, s->workspace,
                                    WORKSPACE_BYTES, s->cuda)))
        return cuda_fail(err, "linear", "cublasLtMatmul failed");
    return R1_OK;
}

static r1_status op_linear(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    if (a->v[R1_LINEAR_X].rows <= 0) return R1_OK;
    product p = {};
    r1_status st = product_describe(&p, a)
                       ? product_run(&p, s, a, err)
                       : cuda_fail(err, "linear", "cuBLASLt refuses the shapes");
    product_free(&p);
    return st;
}
#endif

/* ---- the table ---- */

static bool cuda_supports(r1_op op, const r1_op_args *a)
{
    if (op >= R1_OP_COUNT) return false;
    for (int k = 0; k < R1_OP_VIEWS; k++)
        if (a->v[k].dtype != R1_F32 && a->v[k].dtype != R1_I32) return false;
    return op != R1_OP_ATTEND || a->v[R1_ATTEND_Q].cols / a->i[R1_ATTEND_HEADS] <= R1_HEAD_DIM_MAX;
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
    return b;
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
