/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_product.c - see cpu_product.h. A weight w[N, K] becomes panels of as many columns as a
 * tile has. Within a panel, k runs slowest. Columns past N are zero:
 *
 *   panel 0: w[0..C)[k=0] w[0..C)[k=1] ...   panel 1: w[C..2C)[k=0] ...
 *
 * Rows go through in chunks that stay in the second-level cache while all panels pass. */
#include "cpu/cpu_product.h"

#include "base/isa.h"
#include "r1_assert.h"
#include "tensor/r1_op.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#if defined __x86_64__
#include <immintrin.h>
#endif

/* ---- instruction sets ---- */

#define TILE(name) portable_##name
#define TILE_ATTR
#define TILE_WIDTH        8
#define TILE_ROWS         4
#define TILE_SET1(f)      ((portable_v){0} + (f))
#define TILE_FMA(a, b, c) ((a) * (b) + (c))
typedef float portable_v __attribute__((vector_size(32)));
#define TILE_V portable_v
#include "cpu/cpu_tile.h"

/* The shape of avx512 for any processor: tests run it (R1_ISA=wide). */
#define TILE(name) wide_##name
#define TILE_ATTR
#define TILE_WIDTH        16
#define TILE_ROWS         12
#define TILE_SET1(f)      ((wide_v){0} + (f))
#define TILE_FMA(a, b, c) ((a) * (b) + (c))
typedef float wide_v __attribute__((vector_size(64)));
#define TILE_V wide_v
#include "cpu/cpu_tile.h"

/* The shape of avx512bf16 for any processor (R1_ISA=widebf16). In a tile of pairs two of bf16
 * stand where one of f32 does. What vdpbf16ps does in each lane: the upper product is added,
 * then the lower one, both sums rounded to nearest; subnormal numbers count as zero. */
static inline int32_t product_bits_of(float f)
{
    int32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}
typedef int32_t wide_vi __attribute__((vector_size(64)));
#define FLUSHED(v) ((wide_v)((wide_vi)(v) & ((((wide_vi)(v)&0x7f800000) != 0) | INT32_MIN)))
#define UPPER(v)   FLUSHED((wide_vi)(v) & -65536)
#define LOWER(v)   FLUSHED((wide_vi)(v) << 16)

#define TILE(name) widebf16_##name
#define TILE_ATTR
#define TILE_WIDTH        16
#define TILE_ROWS         12
#define TILE_SET1(f)      ((wide_v)((wide_vi){0} + product_bits_of(f)))
#define TILE_FMA(a, b, c) FLUSHED(FLUSHED(FLUSHED(c) + UPPER(a) * UPPER(b)) + LOWER(a) * LOWER(b))
#define TILE_V            wide_v
#include "cpu/cpu_tile.h"

#if defined __x86_64__
#define TILE(name)        avx2_##name
#define TILE_ATTR         __attribute__((target("avx2,fma")))
#define TILE_WIDTH        8
#define TILE_ROWS         6
#define TILE_SET1(f)      _mm256_set1_ps(f)
#define TILE_FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define TILE_V            __m256
#include "cpu/cpu_tile.h"

#define TILE(name)        avx512_##name
#define TILE_ATTR         __attribute__((target("avx512f")))
#define TILE_WIDTH        16
#define TILE_ROWS         12
#define TILE_SET1(f)      _mm512_set1_ps(f)
#define TILE_FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define TILE_V            __m512
#include "cpu/cpu_tile.h"

#define TILE(name)        avx512bf16_##name
#define TILE_ATTR         __attribute__((target("avx512f,avx512bf16")))
#define TILE_WIDTH        16
#define TILE_ROWS         12
#define TILE_SET1(f)      _mm512_set1_ps(f)
#define TILE_FMA(a, b, c) _mm512_dpbf16_ps(c, (__m512bh)(a), (__m512bh)(b))
#define TILE_V            __m512
#include "cpu/cpu_tile.h"
#endif

static const r1_kernel *chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool product_has(const char *name)
{
#if defined __x86_64__
    if (!strcmp(name, "avx512bf16"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bf16");
    if (!strcmp(name, "avx512")) return __builtin_cpu_supports("avx512f");
    if (!strcmp(name, "avx2"))
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return !strcmp(name, "portable") || !strcmp(name, "wide") || !strcmp(name, "widebf16");
}

/* Best first. A name that this processor cannot run is reported and the best one taken: a
 * service must not end for it. */
static void product_choose(void)
{
    static const r1_kernel all[] = {
#if defined __x86_64__
        {"avx512bf16", 12, avx512_cols, avx512_any, avx512bf16_any},
        {"avx512", 12, avx512_cols, avx512_any, NULL},
        {"avx2", 6, avx2_cols, avx2_any, NULL},
#endif
        {"portable", 4, portable_cols, portable_any, NULL},
        {"wide", 12, wide_cols, wide_any, NULL},
        {"widebf16", 12, wide_cols, wide_any, widebf16_any},
    };
    r1_isa isa;
    const char *wanted = r1_isa_given(&isa) ? r1_isa_name(isa) : NULL;
    if (wanted && !strcmp(wanted, "avxvnni")) wanted = "avx2"; /* differs in cpu_int8.c alone */
    for (size_t i = R1_COUNT(all); i-- > 0;)
        if (product_has(all[i].name)) chosen = &all[i];
    for (size_t i = 0; wanted && i < R1_COUNT(all); i++)
        if (!strcmp(wanted, all[i].name) && product_has(wanted)) chosen = &all[i];
    if (wanted && strcmp(wanted, chosen->name) != 0)
        r1_log(R1_LOG_WARN, "isa_not_here", "R1_ISA=%s using=%s", wanted, chosen->name);
}

const r1_kernel *r1_cpu_kernel(void)
{
    pthread_once(&once, product_choose);
    return chosen;
}

const char *r1_cpu_isa(void) { return r1_cpu_kernel()->name; }

/* ---- packing ---- */

struct r1_packed {
    int32_t n, k;
    float data[] __attribute__((aligned(64)));
};

enum { COLS_MAX = R1_TILE_COLS_MAX, BLOCK_K = 256 };

/* Columns n0..n0+cols of w, k0..k0+k_n, into a panel. */
static void pack_panel(const r1_view *w, int32_t n0, int32_t k0, int32_t k_n, int32_t cols,
                       float *to)
{
    int32_t here = w->rows - n0 < cols ? (int32_t)(w->rows - n0) : cols;
    for (int32_t c = 0; c < here; c++) {
        const float *from = r1_row(w, n0 + c) + k0;
        for (int32_t k = 0; k < k_n; k++) to[(int64_t)k * cols + c] = from[k];
    }
    for (int32_t k = 0; k < k_n && here < cols; k++)
        memset(to + (int64_t)k * cols + here, 0, sizeof(float) * (size_t)(cols - here));
}

r1_status r1_cpu_pack(r1_packed **out, const r1_view *w, r1_err *err)
{
    int32_t cols = r1_cpu_kernel()->cols;
    size_t panels = ((size_t)w->rows + (size_t)cols - 1) / (size_t)cols;
    r1_packed *p =
        r1_calloc_aligned(sizeof *p + panels * (size_t)cols * (size_t)w->cols * sizeof(float), 1);
    if (!p)
        R1_FAIL(err, R1_E_NOMEM, "no memory to pack a weight of %lld x %d", (long long)w->rows,
                w->cols);
    p->n = (int32_t)w->rows;
    p->k = w->cols;
    for (size_t i = 0; i < panels; i++)
        pack_panel(w, (int32_t)i * cols, 0, w->cols, cols,
                   p->data + i * (size_t)cols * (size_t)w->cols);
    *out = p;
    return R1_OK;
}

/* ---- products ---- */

/* All rows from..to through one panel. */
static void product_rows_of(const r1_kernel *kn, r1_tile t, const r1_view *x, const r1_view *y,
                            int64_t from, int64_t to, int32_t k0, int32_t n0)
{
    t.cols = y->cols - n0 < kn->cols ? y->cols - n0 : kn->cols;
    for (int64_t m = from; m < to; m += kn->rows) {
        t.x = r1_row(x, m) + k0;
        t.y = r1_row(y, m) + n0;
        kn->tile(to - m < kn->rows ? (int)(to - m) : kn->rows, &t);
    }
}

static const float *product_start_of(const float *bias, int32_t n, int32_t n0, int32_t cols,
                                     float *room)
{
    if (bias && n - n0 >= cols) return bias + n0;
    memset(room, 0, sizeof(float) * (size_t)cols);
    if (bias) memcpy(room, bias + n0, sizeof(float) * (size_t)(n - n0));
    return room;
}

/* Rows of x that stay in the second-level cache (about 320 KiB), whole tiles of every kernel. */
static int64_t product_chunk_rows(int32_t k)
{
    int64_t rows = 80 * 1024 / (k > 0 ? k : 1);
    return (rows < 48 ? 48 : rows > 768 ? 768 : rows) / 12 * 12;
}

static void by_packed(const r1_kernel *kn, const r1_view *x, const r1_packed *p, const float *bias,
                      const r1_view *y)
{
    float room[COLS_MAX];
    int64_t chunk = product_chunk_rows(p->k);
    for (int64_t m = 0; m < x->rows; m += chunk) {
        int64_t to = x->rows - m < chunk ? x->rows : m + chunk;
        for (int32_t n0 = 0; n0 < p->n; n0 += kn->cols) {
            r1_tile t = {
                .k = p->k, .x_ld = x->ld, .y_ld = y->ld, .panel = p->data + (int64_t)n0 * p->k};
            t.start = product_start_of(bias, p->n, n0, kn->cols, room);
            product_rows_of(kn, t, x, y, m, to, 0, n0);
        }
    }
}

static void by_weight(const r1_kernel *kn, const r1_view *x, const r1_view *w, const float *bias,
                      const r1_view *y)
{
    float room[COLS_MAX], panel[BLOCK_K * COLS_MAX] __attribute__((aligned(64)));
    for (int32_t n0 = 0; n0 < w->rows; n0 += kn->cols)
        for (int32_t k0 = 0; k0 < w->cols; k0 += BLOCK_K) {
            int32_t k_n = w->cols - k0 < BLOCK_K ? w->cols - k0 : BLOCK_K;
            pack_panel(w, n0, k0, k_n, kn->cols, panel);
            r1_tile t = {.k = k_n, .x_ld = x->ld, .y_ld = y->ld, .panel = panel};
            if (k0 == 0) t.start = product_start_of(bias, (int32_t)w->rows, n0, kn->cols, room);
            product_rows_of(kn, t, x, y, 0, x->rows, k0, n0);
        }
}

void r1_cpu_product(const r1_view *x, const r1_view *w, const r1_packed *packed, const float *bias,
                    const r1_view *y)
{
    int32_t k = packed ? packed->k : w->cols, n = packed ? packed->n : (int32_t)w->rows;
    R1_ASSERT(x->cols == k && y->cols == n && x->rows <= y->rows,
              "product: [%lld, %d] by a weight [%d, %d] into [%lld, %d]", (long long)x->rows,
              x->cols, n, k, (long long)y->rows, y->cols);
    if (packed)
        by_packed(r1_cpu_kernel(), x, packed, bias, y);
    else
        by_weight(r1_cpu_kernel(), x, w, bias, y);
}
