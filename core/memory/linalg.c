/* SPDX-License-Identifier: Apache-2.0 */
/* linalg.c - see linalg.h. */
#include "memory/linalg.h"

#include "r1_backend.h"

#include <stdlib.h>
#include <string.h>

enum { TILE = 256 };

r1_status linalg_product(const float *x, size_t m, const float *w, size_t n, size_t k, float *y,
                         r1_err *err)
{
    const r1_backend *b = r1_backend_cpu();
    float *xt = r1_calloc_aligned((TILE + R1_ROW_PAD) * k, sizeof *xt);
    float *yt = r1_calloc_aligned((TILE + R1_ROW_PAD) * n, sizeof *yt);
    r1_status st = R1_OK;
    if (!xt || !yt)
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for a product %zu wide", n);
    float *wt = NULL; /* views are not const */
    if (st == R1_OK && !(wt = r1_calloc_aligned(n * k, sizeof *wt)))
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for a product %zu wide", n);
    if (wt) memcpy(wt, w, n * k * sizeof *wt);
    r1_view wv = {wt, (int64_t)n, (int32_t)k, R1_F32, (int64_t)k};
    void *packed = NULL;
    if (st == R1_OK && b->pack) st = b->pack(&packed, &wv, TILE, err);
    for (size_t at = 0; at < m && st == R1_OK; at += TILE) {
        size_t rows = m - at < TILE ? m - at : TILE;
        memcpy(xt, x + at * k, rows * k * sizeof *x);
        r1_view xv = {xt, (int64_t)rows, (int32_t)k, R1_F32, (int64_t)k},
                yv = {yt, (int64_t)rows, (int32_t)n, R1_F32, (int64_t)n};
        r1_op_args a = {.v = {[R1_LINEAR_X] = xv, [R1_LINEAR_W] = wv, [R1_LINEAR_Y] = yv},
                        .packed = packed};
        st = b->forward[R1_OP_LINEAR](NULL, &a, err);
        memcpy(y + at * n, yt, rows * n * sizeof *y);
    }
    if (packed) b->packed_free(packed);
    free(wt);
    free(xt);
    free(yt);
    return st;
}

r1_status linalg_nearest(const float *x, size_t n, size_t d, const float *centre, size_t k,
                         uint32_t *near, r1_err *err)
{
    enum { ROWS = 2048 };
    float *half = malloc(k * sizeof *half),
          *dot = r1_realloc_array(NULL, (n < ROWS ? n : ROWS) + 1, k * sizeof *dot);
    r1_status st = R1_OK;
    if (!half || !dot)
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for %zu centres", k);
    for (size_t j = 0; j < k && half; j++) {
        float s = 0;
        for (size_t c = 0; c < d; c++) s += centre[j * d + c] * centre[j * d + c];
        half[j] = s / 2;
    }
    for (size_t at = 0; at < n && st == R1_OK; at += ROWS) {
        size_t rows = n - at < ROWS ? n - at : ROWS;
        st = linalg_product(x + at * d, rows, centre, k, d, dot, err);
        for (size_t i = 0; i < rows && st == R1_OK; i++) {
            uint32_t best = 0;
            for (size_t j = 1; j < k; j++)
                if (dot[i * k + j] - half[j] > dot[i * k + best] - half[best]) best = (uint32_t)j;
            near[at + i] = best;
        }
    }
    free(half);
    free(dot);
    return st;
}

r1_status linalg_kmeans(const float *x, size_t n, size_t d, size_t k, int rounds, uint64_t seed,
                        float *centre, uint32_t *near, r1_err *err)
{
    r1_rng rng;
    r1_rng_seed(&rng, seed);
    double *sum = malloc(k * d * sizeof *sum);
    uint32_t *count = malloc(k * sizeof *count);
    r1_status st = R1_OK;
    if (!sum || !count)
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for %zu centres", k);
    for (size_t j = 0; j < k && st == R1_OK; j++)
        memcpy(centre + j * d, x + r1_rng_below(&rng, n) * d, d * sizeof *x);
    for (int r = 0; r < rounds && st == R1_OK; r++) {
        st = linalg_nearest(x, n, d, centre, k, near, err);
        memset(sum, 0, k * d * sizeof *sum);
        memset(count, 0, k * sizeof *count);
        for (size_t i = 0; i < n && st == R1_OK; i++) {
            count[near[i]]++;
            for (size_t c = 0; c < d; c++) sum[near[i] * d + c] += x[i * d + c];
        }
        for (size_t j = 0; j < k && st == R1_OK; j++) {
            if (!count[j]) memcpy(centre + j * d, x + r1_rng_below(&rng, n) * d, d * sizeof *x);
            for (size_t c = 0; c < d && count[j]; c++)
                centre[j * d + c] = (float)(sum[j * d + c] / count[j]);
        }
    }
    if (st == R1_OK) st = linalg_nearest(x, n, d, centre, k, near, err);
    free(sum);
    free(count);
    return st;
}
