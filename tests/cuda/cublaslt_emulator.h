/* SPDX-License-Identifier: Apache-2.0 */
/* cublaslt_emulator.h - the part of cuBLASLt that cuda/ calls, as an interpreter of its
 * descriptors: layouts, transposition, epilogue, scale, workspace. What the library would refuse
 * or read wrongly ends the program with a message, so that a wrong leading dimension, a forgotten
 * transposition or a bias without its epilogue does not pass.
 *
 * Matrices are f32 in column-major order, sums in double. Written from the library's reference
 * manual. Test programs only. */
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>

typedef enum { CUBLAS_STATUS_SUCCESS = 0, CUBLAS_STATUS_INVALID_VALUE = 7 } cublasStatus_t;
typedef enum { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 } cublasOperation_t;
typedef enum { CUBLAS_COMPUTE_32F = 68 } cublasComputeType_t;
typedef enum { CUDA_R_32F = 0 } cudaDataType_t;
typedef enum { CUBLASLT_EPILOGUE_DEFAULT = 1, CUBLASLT_EPILOGUE_BIAS = 4 } cublasLtEpilogue_t;
typedef enum {
    CUBLASLT_MATMUL_DESC_TRANSA = 3,
    CUBLASLT_MATMUL_DESC_TRANSB = 4,
    CUBLASLT_MATMUL_DESC_EPILOGUE = 7,
    CUBLASLT_MATMUL_DESC_BIAS_POINTER = 8
} cublasLtMatmulDescAttributes_t;
typedef enum {
    CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,
    CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK = 3
} cublasLtMatmulPreferenceAttributes_t;
enum { CUBLASLT_REDUCTION_SCHEME_NONE = 0 };

typedef struct {
    int algorithm;
} cublasLtMatmulAlgo_t;
typedef struct {
    cublasLtMatmulAlgo_t algo;
    size_t workspaceSize;
    cublasStatus_t state;
} cublasLtMatmulHeuristicResult_t;

struct emu_lt {
    int open;
};
struct emu_desc {
    int32_t trans_a, trans_b;
    uint32_t epilogue;
    const float *bias;
};
struct emu_layout {
    uint64_t rows, cols;
    int64_t ld;
};
struct emu_preference {
    size_t workspace;
    uint32_t reduction;
};
typedef emu_lt *cublasLtHandle_t;
typedef emu_desc *cublasLtMatmulDesc_t;
typedef emu_layout *cublasLtMatrixLayout_t;
typedef emu_preference *cublasLtMatmulPreference_t;

[[noreturn]] inline void emu_lt_die(const char *what)
{
    fprintf(stderr, "cublaslt_emulator: %s\n", what);
    abort();
}
inline void emu_lt_want(bool good, const char *what)
{
    if (!good) emu_lt_die(what);
}

inline cublasStatus_t cublasLtCreate(cublasLtHandle_t *h)
{
    return *h = new emu_lt{1}, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtDestroy(cublasLtHandle_t h)
{
    return delete h, CUBLAS_STATUS_SUCCESS;
}

inline cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *d, cublasComputeType_t compute,
                                               cudaDataType_t scale)
{
    emu_lt_want(compute == CUBLAS_COMPUTE_32F && scale == CUDA_R_32F, "f32 products alone");
    return *d = new emu_desc{CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, nullptr},
           CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d)
{
    return delete d, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d,
                                                     cublasLtMatmulDescAttributes_t what,
                                                     const void *value, size_t size)
{
    void *to = what == CUBLASLT_MATMUL_DESC_TRANSA     ? static_cast<void *>(&d->trans_a)
               : what == CUBLASLT_MATMUL_DESC_TRANSB   ? static_cast<void *>(&d->trans_b)
               : what == CUBLASLT_MATMUL_DESC_EPILOGUE ? static_cast<void *>(&d->epilogue)
                                                       : static_cast<void *>(&d->bias);
    size_t expected = what == CUBLASLT_MATMUL_DESC_BIAS_POINTER ? sizeof d->bias : sizeof(int32_t);
    emu_lt_want(size == expected, "an attribute of the product with another size");
    return memcpy(to, value, size), CUBLAS_STATUS_SUCCESS;
}

inline cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *l, cudaDataType_t type,
                                                 uint64_t rows, uint64_t cols, int64_t ld)
{
    emu_lt_want(type == CUDA_R_32F, "f32 matrices alone");
    emu_lt_want(rows && cols, "a matrix without rows or columns");
    emu_lt_want(ld >= static_cast<int64_t>(rows), "a leading dimension shorter than a column");
    return *l = new emu_layout{rows, cols, ld}, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l)
{
    return delete l, CUBLAS_STATUS_SUCCESS;
}

inline cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *p)
{
    return *p = new emu_preference{0, 0xff}, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p)
{
    return delete p, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t
cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p,
                                     cublasLtMatmulPreferenceAttributes_t what, const void *value,
                                     size_t size)
{
    bool bytes = what == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
    emu_lt_want(size == (bytes ? sizeof p->workspace : sizeof p->reduction),
                "a preference with another size");
    return memcpy(bytes ? static_cast<void *>(&p->workspace) : &p->reduction, value, size),
           CUBLAS_STATUS_SUCCESS;
}

inline uint64_t emu_lt_rows(const emu_layout *l, int32_t trans)
{
    return trans ? l->cols : l->rows;
}
inline uint64_t emu_lt_cols(const emu_layout *l, int32_t trans)
{
    return trans ? l->rows : l->cols;
}
inline void emu_lt_fit(const emu_desc *d, const emu_layout *a, const emu_layout *b,
                       const emu_layout *c)
{
    emu_lt_want(emu_lt_rows(a, d->trans_a) == c->rows, "rows of A and of C differ");
    emu_lt_want(emu_lt_cols(b, d->trans_b) == c->cols, "columns of B and of C differ");
    emu_lt_want(emu_lt_cols(a, d->trans_a) == emu_lt_rows(b, d->trans_b),
                "columns of A and rows of B differ");
    emu_lt_want((d->epilogue == CUBLASLT_EPILOGUE_BIAS) == (d->bias != nullptr),
                "a bias without its epilogue, or an epilogue without its bias");
}

inline cublasStatus_t
cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t h, cublasLtMatmulDesc_t d, cublasLtMatrixLayout_t a,
                               cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                               cublasLtMatrixLayout_t y, cublasLtMatmulPreference_t p, int wanted,
                               cublasLtMatmulHeuristicResult_t *found, int *n)
{
    emu_lt_want(h && h->open == 1 && wanted >= 1 && p->workspace > 0, "no handle or no workspace");
    emu_lt_want(p->reduction == CUBLASLT_REDUCTION_SCHEME_NONE,
                "sums in parts depend on the number of rows");
    emu_lt_fit(d, a, b, c);
    emu_lt_fit(d, a, b, y);
    *found = cublasLtMatmulHeuristicResult_t{{7}, 0, CUBLAS_STATUS_SUCCESS};
    return *n = 1, CUBLAS_STATUS_SUCCESS;
}

inline float emu_lt_at(const float *m, const emu_layout *l, int32_t trans, uint64_t r, uint64_t c)
{
    return trans ? m[c + r * static_cast<uint64_t>(l->ld)]
                 : m[r + c * static_cast<uint64_t>(l->ld)];
}

inline cublasStatus_t cublasLtMatmul(cublasLtHandle_t h, cublasLtMatmulDesc_t d, const void *alpha,
                                     const void *a, cublasLtMatrixLayout_t la, const void *b,
                                     cublasLtMatrixLayout_t lb, const void *beta, const void *c,
                                     cublasLtMatrixLayout_t lc, void *y, cublasLtMatrixLayout_t ly,
                                     const cublasLtMatmulAlgo_t *algo, void *workspace, size_t,
                                     cudaStream_t)
{
    emu_lt_want(h && h->open == 1 && algo->algorithm == 7 && workspace, "no handle or algorithm");
    emu_lt_want(c == y && lc->ld == ly->ld, "C and D are one matrix here");
    emu_lt_fit(d, la, lb, ly);
    float scale = *static_cast<const float *>(alpha), keep = *static_cast<const float *>(beta);
    for (uint64_t j = 0; j < ly->cols; j++)
        for (uint64_t i = 0; i < ly->rows; i++) {
            double sum = 0;
            for (uint64_t k = 0; k < emu_lt_cols(la, d->trans_a); k++)
                sum += static_cast<double>(
                           emu_lt_at(static_cast<const float *>(a), la, d->trans_a, i, k)) *
                       emu_lt_at(static_cast<const float *>(b), lb, d->trans_b, k, j);
            float *at = static_cast<float *>(y) + i + j * static_cast<uint64_t>(ly->ld);
            float old = keep != 0.0f ? keep * *at : 0.0f; /* beta 0: C is not read */
            *at = static_cast<float>(scale * sum + (d->bias ? d->bias[i] : 0.0f)) + old;
        }
    return CUBLAS_STATUS_SUCCESS;
}
