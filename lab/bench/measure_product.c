/* SPDX-License-Identifier: Apache-2.0 */
/* measure_product.c - the linear op in f32 and int8 and oneDNN's bare products, measured side by
 * side. */
#include "bench/measure.h"
#include "cpu/cpu_int8.h"
#include "cpu/cpu_ops.h"
#include "cpu/cpu_product.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>

enum { SIZE_MAX_1D = 16384 };

typedef struct {
    int64_t m, n, k;
    float *x, *w, *b, *y;
    r1_packed *packed; /* as a session has it */
    r1_packed_int8 *packed8, *learned8;
    uint8_t *x8; /* oneDNN's operands: activations, weights [n, k] and [k, n], sums */
    int8_t *w8, *w8t;
    int32_t *y8;
} product;

static void bench_product_free(product *p)
{
    free(p->x);
    free(p->w);
    free(p->b);
    free(p->y);
    free(p->packed);
    free(p->packed8);
    free(p->learned8);
    free(p->x8);
    free(p->w8);
    free(p->w8t);
    free(p->y8);
}

/* Small enough that oneDNN's 16-bit steps do not saturate, where it has such: the speed does not
 * depend on it. */
static void fill_bytes(product *p, r1_rng *rng)
{
    for (int64_t i = 0; i < p->m * p->k; i++) p->x8[i] = (uint8_t)r1_rng_below(rng, 128);
    for (int64_t i = 0; i < p->n * p->k; i++) p->w8[i] = (int8_t)((int)r1_rng_below(rng, 127) - 63);
    for (int64_t n = 0; n < p->n; n++)
        for (int64_t k = 0; k < p->k; k++) p->w8t[k * p->n + n] = p->w8[n * p->k + k];
}

static r1_status product_new(product *p, int64_t m, int64_t n, int64_t k, r1_err *err)
{
    if (m < 1 || n < 1 || k < 1 || m > SIZE_MAX_1D || n > SIZE_MAX_1D || k > SIZE_MAX_1D)
        R1_FAIL(err, R1_E_INVAL, "product: expected sizes 1..%d, found %lld x %lld x %lld",
                SIZE_MAX_1D, (long long)m, (long long)n, (long long)k);
    size_t rows = (size_t)m + R1_ROW_PAD;
    *p = (product){.m = m,
                   .n = n,
                   .k = k,
                   .x = r1_calloc_aligned(rows * (size_t)k, sizeof(float)),
                   .w = r1_calloc_aligned((size_t)(n * k), sizeof(float)),
                   .b = r1_calloc_aligned((size_t)n, sizeof(float)),
                   .y = r1_calloc_aligned(rows * (size_t)n, sizeof(float)),
                   .x8 = r1_calloc_aligned((size_t)(m * k), 1),
                   .w8 = r1_calloc_aligned((size_t)(n * k), 1),
                   .w8t = r1_calloc_aligned((size_t)(n * k), 1),
                   .y8 = r1_calloc_aligned((size_t)(m * n), sizeof(int32_t))};
    if (!p->x || !p->w || !p->b || !p->y || !p->x8 || !p->w8 || !p->w8t || !p->y8) {
        bench_product_free(p);
        R1_FAIL(err, R1_E_NOMEM, "no memory for a product of %lld x %lld x %lld", (long long)m,
                (long long)n, (long long)k);
    }
    r1_rng rng;
    r1_rng_seed(&rng, 1);
    for (int64_t i = 0; i < m * k; i++) p->x[i] = (float)r1_rng_normal(&rng);
    for (int64_t i = 0; i < n * k; i++) p->w[i] = (float)r1_rng_normal(&rng);
    r1_view w = {p->w, n, (int32_t)k, R1_F32, k};
    fill_bytes(p, &rng);
    r1_status st = r1_cpu_pack(&p->packed, &w, err);
    if (st == R1_OK) st = r1_cpu_int8_pack(&p->packed8, &w, NULL, 0, err);
    if (st == R1_OK) st = r1_cpu_int8_pack(&p->learned8, &w, NULL, 0.05f, err);
    if (st != R1_OK) bench_product_free(p);
    return st;
}

static r1_status by_op_as(const product *p, const void *packed, r1_dtype as, r1_err *err)
{
    r1_op_args a = {.v = {[R1_LINEAR_X] = {p->x, p->m, (int32_t)p->k, R1_F32, p->k},
                          [R1_LINEAR_W] = {p->w, p->n, (int32_t)p->k, R1_F32, p->k},
                          [R1_LINEAR_B] = {p->b, 1, (int32_t)p->n, R1_F32, p->n},
                          [R1_LINEAR_Y] = {p->y, p->m, (int32_t)p->n, R1_F32, p->n}},
                    .packed = packed,
                    .packed_as = (int32_t)as};
    return r1_cpu_linear_forward(NULL, &a, err);
}

static r1_status by_op(const product *p, r1_err *err)
{
    return by_op_as(p, p->packed, R1_F32, err);
}

static r1_status by_op_int8(const product *p, r1_err *err)
{
    return by_op_as(p, p->packed8, R1_I8, err);
}

static r1_status by_op_learned(const product *p, r1_err *err)
{
    return by_op_as(p, p->learned8, R1_I8, err);
}

static r1_status by_library(const product *p, r1_err *err)
{
    omp_set_num_threads(1);
    if (dnnl_sgemm('N', 'T', p->m, p->n, p->k, 1.0f, p->x, p->k, p->w, p->k, 0.0f, p->y, p->n) ==
        dnnl_success)
        return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "oneDNN refuses the product");
}

static r1_status int8_by_library(const product *p, char trans, r1_err *err)
{
    const int32_t zero = 0;
    bool t = trans == 'T';
    omp_set_num_threads(1);
    if (dnnl_gemm_u8s8s32('N', trans, 'F', p->m, p->n, p->k, 1.0f, p->x8, p->k, 0,
                          t ? p->w8 : p->w8t, t ? p->k : p->n, 0, 0.0f, p->y8, p->n,
                          &zero) == dnnl_success)
        return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "oneDNN refuses the product of bytes");
}

static r1_status int8_by_rows(const product *p, r1_err *err)
{
    return int8_by_library(p, 'T', err);
}

static r1_status int8_by_columns(const product *p, r1_err *err)
{
    return int8_by_library(p, 'N', err);
}

/* The best of batches of calls, each at least a fiftieth of the time. */
static r1_status bench_measure(const product *p, r1_status (*fn)(const product *, r1_err *),
                               double seconds, double *gops, r1_err *err)
{
    double work = 2.0 * (double)p->m * (double)p->n * (double)p->k * 1e-9, best = 0;
    int64_t until = r1_mono_us() + (int64_t)(seconds * 1e6);
    R1_TRY(fn(p, err));
    for (int calls = 1; r1_mono_us() < until;) {
        int64_t began = r1_mono_us();
        for (int i = 0; i < calls; i++) R1_TRY(fn(p, err));
        double spent = (double)(r1_mono_us() - began) * 1e-6;
        if (spent < seconds / 50) {
            calls *= 2;
            continue;
        }
        if (calls * work / spent > best) best = calls * work / spent;
    }
    *gops = best;
    return R1_OK;
}

static r1_status bench_run(int64_t m, int64_t n, int64_t k,
                           r1_status (*fn)(const product *, r1_err *), double seconds, double *gops,
                           r1_err *err)
{
    product p;
    R1_TRY(product_new(&p, m, n, k, err));
    r1_status st = bench_measure(&p, fn, seconds, gops, err);
    bench_product_free(&p);
    return st;
}

r1_status measure_linear(int64_t m, int64_t n, int64_t k, double seconds, double *gops, r1_err *err)
{
    return bench_run(m, n, k, by_op, seconds, gops, err);
}

r1_status measure_product(int64_t m, int64_t n, int64_t k, double seconds, double *gops,
                          r1_err *err)
{
    return bench_run(m, n, k, by_library, seconds, gops, err);
}

r1_status measure_linear_int8(int64_t m, int64_t n, int64_t k, bool learned, double seconds,
                              double *gops, r1_err *err)
{
    return bench_run(m, n, k, learned ? by_op_learned : by_op_int8, seconds, gops, err);
}

r1_status measure_product_int8(int64_t m, int64_t n, int64_t k, double seconds, double *gops,
                               r1_err *err)
{
    double rows, columns;
    R1_TRY(bench_run(m, n, k, int8_by_rows, seconds / 2, &rows, err));
    R1_TRY(bench_run(m, n, k, int8_by_columns, seconds / 2, &columns, err));
    *gops = rows > columns ? rows : columns;
    return R1_OK;
}
