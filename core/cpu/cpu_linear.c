/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_linear.c - matrix products by oneDNN, in tiles of rows that keep a row's bits independent of its batch.
 *
 * oneDNN's kernels differ in their order of summation with the number of rows, and for some numbers with a row's place:
 * with 2.6 on AVX2, 16, 48, 64 and 96 rows give each row the same bits everywhere, 8, 20 and 32 do not. So the forward
 * product runs in tiles of a huge, a large and a small number of rows; which numbers keep the promise on this machine is found out
 * once, by trying. Rows that a last tile has too many are padding (r1_backend.h) and may hold anything. Gradients have no such
 * promise and take one product. */
#include "cpu_ops.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>

static r1_status check(dnnl_status_t st, const char *what, r1_err *err)
{
    if (st == dnnl_success) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "oneDNN refuses the %s of a linear op (status %d)", what, (int)st);
}

/* ---- which tiles keep a row's bits ---- */

enum { HUGE_ROWS = 192, TRY_ROWS = HUGE_ROWS, TRY_K = 300, TRY_N = 200 };

typedef struct {
    float x[TRY_ROWS * TRY_K], w[TRY_N * TRY_K], y[TRY_ROWS * TRY_N], expected[TRY_N];
} trial;

/* huge_tile: 0 = none. It spares large products most of the packing of the weight, which each call does anew. */
static int64_t small_tile = 1, large_tile = 1, huge_tile = 0;
static pthread_once_t tiles_once = PTHREAD_ONCE_INIT;

/* Equal rows in every place: all results must be equal, and (where `expected` is set already) equal to those of another tile. */
static bool keeps_bits(trial *t, int64_t rows, int64_t n, int64_t k, bool expected_set)
{
    for (int64_t m = 1; m < rows; m++) memcpy(t->x + m * k, t->x, sizeof(float) * (size_t)k);
    if (dnnl_sgemm('N', 'T', rows, n, k, 1.0f, t->x, k, t->w, k, 0.0f, t->y, n) != dnnl_success) return false;
    if (!expected_set) memcpy(t->expected, t->y, sizeof(float) * (size_t)n);
    for (int64_t m = 0; m < rows; m++)
        if (memcmp(t->y + m * n, t->expected, sizeof(float) * (size_t)n) != 0) return false;
    return true;
}

static bool tiles_agree(trial *t, int64_t small, int64_t large)
{
    static const int64_t shapes[][2] = {{33, 7}, {64, 64}, {96, 128}, {192, 33}, {128, 300}, {200, 257}};
    for (size_t i = 0; i < R1_COUNT(shapes); i++)
        if (!keeps_bits(t, small, shapes[i][0], shapes[i][1], false) ||
            !keeps_bits(t, large, shapes[i][0], shapes[i][1], true))
            return false;
    return true;
}

static void choose_tiles(void)
{
    static const int64_t pairs[][2] = {{16, 64}, {16, 48}, {16, 32}, {8, 64}, {8, 32}, {4, 64}, {4, 32}, {4, 4}};
    static trial t;
    r1_rng rng;
    r1_rng_seed(&rng, 1);
    for (size_t i = 0; i < TRY_K; i++) t.x[i] = (float)r1_rng_normal(&rng);
    for (size_t i = 0; i < TRY_N * TRY_K; i++) t.w[i] = (float)r1_rng_normal(&rng);
    for (size_t i = 0; i < R1_COUNT(pairs); i++) {
        if (!tiles_agree(&t, pairs[i][0], pairs[i][1])) continue;
        small_tile = pairs[i][0];
        large_tile = pairs[i][1];
        if (tiles_agree(&t, small_tile, HUGE_ROWS)) huge_tile = HUGE_ROWS;
        return;
    }
}

/* ---- the op ---- */

static void add_bias(const r1_view *y, const float *b)
{
    for (int64_t m = 0; m < y->rows; m++) {
        float *row = r1_row(y, m);
        for (int32_t n = 0; n < y->cols; n++) row[n] += b[n];
    }
}

r1_status r1_cpu_linear_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s;
    const r1_view *x = &a->v[0], *w = &a->v[1], *y = &a->v[3];
    omp_set_num_threads(1); /* of this thread: sessions are the unit of parallelism */
    pthread_once(&tiles_once, choose_tiles);
    for (int64_t m = 0, tile; m < x->rows; m += tile) {
        int64_t left = x->rows - m;
        tile = huge_tile && left >= huge_tile ? huge_tile : left >= large_tile ? large_tile : small_tile;
        R1_TRY(check(dnnl_sgemm('N', 'T', tile, w->rows, x->cols, 1.0f, r1_row(x, m), x->ld, w->p, w->ld, 0.0f,
                                r1_row(y, m), y->ld),
                     "product", err));
    }
    if (a->v[2].p) add_bias(y, a->v[2].p);
    return R1_OK;
}

r1_status r1_cpu_linear_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s;
    const r1_view *x = &a->v[0], *w = &a->v[1], *gx = &a->g[0], *gw = &a->g[1], *gb = &a->g[2], *gy = &a->g[3];
    if (gy->rows <= 0) return R1_OK;
    omp_set_num_threads(1);
    if (gx->p)
        R1_TRY(check(
            dnnl_sgemm('N', 'N', gy->rows, gx->cols, gy->cols, 1.0f, gy->p, gy->ld, w->p, w->ld, 1.0f, gx->p, gx->ld),
            "gradient of the input", err));
    if (gw->p)
        R1_TRY(check(
            dnnl_sgemm('T', 'N', gw->rows, gw->cols, gy->rows, 1.0f, gy->p, gy->ld, x->p, x->ld, 1.0f, gw->p, gw->ld),
            "gradient of the weight", err));
    for (int64_t m = 0; gb->p && m < gy->rows; m++)
        for (int32_t n = 0; n < gy->cols; n++) r1_row(gb, 0)[n] += r1_row(gy, m)[n];
    return R1_OK;
}
