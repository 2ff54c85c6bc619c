/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_int8.c - see cpu_int8.h. Quantised weights become panels of as many columns as a tile has.
 * Within a panel, groups of G values of k run slowest, and a column's group lies together.
 * Columns past N and k past K are zero:
 *
 *   panel 0: w[0][k=0..G) w[1][k=0..G) ... w[C-1][k=0..G)   w[0][k=G..2G) ...
 *
 * VNNI, and the portable twin of its instruction: the instruction multiplies unsigned by signed
 * bytes. G is 4 and activations are stored as q + 128. Sums begin with -128 times the column's
 * sum, so they come out the same.
 * AVX2: its byte instruction saturates in 16 bits. G is 2, both sides are widened to 16 bits, and
 * nothing is lost.
 * AVX2 with learned steps: both sides stay within +-63. Two sums of two products, 4 * 127 * 63,
 * then fit into 16 bits with that instruction. G is 4, activations are stored as q + 64, and a
 * multiplication less is needed for every four.
 *
 * Rows are quantised in chunks that stay near while all panels pass. */
#include "cpu/cpu_int8.h"

#include "base/isa.h"
#include "r1_assert.h"
#include "tensor/r1_op.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#if defined __x86_64__
#include <immintrin.h>
#endif

enum {
    COLS_MAX = 32,
    ROOM = 64 * 1024,
    CHUNK_MAX = 384,
    MAGNITUDE = 0x7fffffff,
    INFINITE = 0x7f800000
};

/* Adding 1.5 * 2^23 rounds a small number to an integer, ties to even, and leaves it in the low
 * bits. */
#define ROUNDER 12582912.0f
enum { ROUNDER_BITS = 0x4b400000 };

typedef struct {
    int64_t groups;
    const char *x;
    int64_t x_ld; /* bytes */
    const float *x_scale;
    const int8_t *panel;
    const int32_t *start; /* of the columns' sums; these three a whole tile wide */
    const float *scale, *bias;
    float *y;
    int64_t y_ld;
    int32_t cols; /* of y, at most the tile's */
} tile8;

/* top: bits of the largest magnitude; NaN and infinity are the largest of all. inverse 0: all
 * integers are zero. */
static float int8_scale_of(int32_t top, int limit, float *inverse)
{
    float most;
    memcpy(&most, &top, sizeof most);
    *inverse = 0;
    if (top >= INFINITE) return NAN;
    if (most < 1e-30f) return 0;
    *inverse = (float)limit / most;
    return most / (float)limit;
}

/* ---- instruction sets ---- */

typedef int32_t twin_v __attribute__((vector_size(16)));

static inline __attribute__((always_inline)) twin_v twin_load(const int8_t *p)
{
    twin_v v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* What VNNI's instruction does with four unsigned and four signed bytes a lane. */
static inline __attribute__((always_inline)) twin_v twin_dot(twin_v acc, twin_v x, twin_v w)
{
    acc += (x & 255) * ((w << 24) >> 24);
    acc += ((x >> 8) & 255) * ((w << 16) >> 24);
    acc += ((x >> 16) & 255) * ((w << 8) >> 24);
    return acc + ((x >> 24) & 255) * (w >> 24);
}

#define TILE(name) portable_##name
#define TILE_ATTR
#define TILE_WIDTH             4
#define TILE_ROWS              4
#define TILE_X                 uint8_t
#define TILE_GROUP             4
#define TILE_ZERO              128
#define TILE_W                 twin_v
#define TILE_LOAD(p)           twin_load(p)
#define TILE_SPAN              1
#define TILE_DOT(acc, x, w, c) twin_dot(acc, x[0], w[0][c])
#include "cpu/cpu_tile8.h"

#if defined __x86_64__
#define TILE(name)   avx2_##name
#define TILE_ATTR    __attribute__((target("avx2")))
#define TILE_WIDTH   8
#define TILE_ROWS    6
#define TILE_X       int16_t
#define TILE_GROUP   2
#define TILE_ZERO    0
#define TILE_W       __m256i
#define TILE_LOAD(p) _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define TILE_SPAN    1
#define TILE_DOT(acc, x, w, c)                                                                     \
    _mm256_add_epi32((__m256i)(acc), _mm256_madd_epi16((__m256i)x[0], w[0][c]))
#include "cpu/cpu_tile8.h"

/* Of two groups at once, within +-63. */
__attribute__((target("avx2"), always_inline)) static inline __m256i
narrow_dot(__m256i acc, __m256i x0, __m256i w0, __m256i x1, __m256i w1)
{
    __m256i sums = _mm256_add_epi16(_mm256_maddubs_epi16(x0, w0), _mm256_maddubs_epi16(x1, w1));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(sums, _mm256_set1_epi16(1)));
}

#define TILE_ALONE
#define TILE(name)   narrow_##name
#define TILE_ATTR    __attribute__((target("avx2")))
#define TILE_WIDTH   8
#define TILE_ROWS    4
#define TILE_X       uint8_t
#define TILE_GROUP   4
#define TILE_ZERO    64
#define TILE_W       __m256i
#define TILE_LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define TILE_SPAN    2
#define TILE_DOT(acc, x, w, c)                                                                     \
    narrow_dot((__m256i)(acc), (__m256i)x[0], w[0][c], (__m256i)x[1], w[1][c])
#include "cpu/cpu_tile8.h"

/* As quantise_by of cpu_tile8.h, 32 values at a time. What is too large for an integer would
 * become the most negative one: the minimum keeps it on its side. The sum of products with zero
 * is NaN where a value is no number. */
__attribute__((target("avx2"))) static float narrow_quantise_by(const float *x, int32_t k,
                                                                float step, void *to)
{
    const __m256 inverse = _mm256_set1_ps(1 / step), most = _mm256_set1_ps(R1_INT8_LEARNED);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7),
                  least = _mm256_set1_epi8(-R1_INT8_LEARNED);
    __m256 zero = _mm256_setzero_ps();
    float tail[32];
    for (int32_t i = 0; i < k; i += 32) {
        const float *from = x + i;
        if (k - i < 32) {
            memset(tail, 0, sizeof tail);
            from = memcpy(tail, from, sizeof(float) * (size_t)(k - i));
        }
        __m256i q[4];
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            __m256 v = _mm256_loadu_ps(from + 8 * j);
            zero = _mm256_add_ps(zero, _mm256_mul_ps(v, _mm256_setzero_ps()));
            q[j] = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_mul_ps(v, inverse), most));
        }
        __m256i b =
            _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
        b = _mm256_max_epi8(_mm256_permutevar8x32_epi32(b, order), least);
        _mm256_storeu_si256((__m256i *)(void *)((char *)to + i),
                            _mm256_add_epi8(b, _mm256_set1_epi8(64)));
    }
    return _mm256_movemask_ps(_mm256_cmp_ps(zero, zero, _CMP_UNORD_Q)) ? NAN : step;
}

#define TILE(name)             avxvnni_##name
#define TILE_ATTR              __attribute__((target("avx2,avxvnni")))
#define TILE_WIDTH             8
#define TILE_ROWS              6
#define TILE_X                 uint8_t
#define TILE_GROUP             4
#define TILE_ZERO              128
#define TILE_W                 __m256i
#define TILE_LOAD(p)           _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define TILE_SPAN              1
#define TILE_DOT(acc, x, w, c) _mm256_dpbusd_avx_epi32((__m256i)(acc), (__m256i)x[0], w[0][c])
#include "cpu/cpu_tile8.h"

#define TILE(name)             avx512_##name
#define TILE_ATTR              __attribute__((target("avx512f,avx512vnni")))
#define TILE_WIDTH             16
#define TILE_ROWS              12
#define TILE_X                 uint8_t
#define TILE_GROUP             4
#define TILE_ZERO              128
#define TILE_W                 __m512i
#define TILE_LOAD(p)           _mm512_loadu_si512((const void *)(p))
#define TILE_SPAN              1
#define TILE_DOT(acc, x, w, c) _mm512_dpbusd_epi32((__m512i)(acc), (__m512i)x[0], w[0][c])
#include "cpu/cpu_tile8.h"
#endif

typedef struct {
    const char *name;
    int rows, cols, group, span, zero;
    void (*tile)(int rows, const tile8 *t);
    float (*quantise)(const float *x, int32_t k, void *to);
    float (*quantise_by)(const float *x, int32_t k, float step, void *to);
} kernel;

/* Best first. */
static const kernel all[] = {
#if defined __x86_64__
    {"avx512", 12, avx512_cols, 4, 1, 128, avx512_any, avx512_quantise, avx512_quantise_by},
    {"avxvnni", 6, avxvnni_cols, 4, 1, 128, avxvnni_any, avxvnni_quantise, avxvnni_quantise_by},
    {"avx2", 6, avx2_cols, 2, 1, 0, avx2_any, avx2_quantise, avx2_quantise_by},
#endif
    {"portable", 4, portable_cols, 4, 1, 128, portable_any, portable_quantise,
     portable_quantise_by},
};
#if defined __x86_64__
static const kernel narrow = {"avx2",     4,    narrow_cols,       4, 2, 64,
                              narrow_any, NULL, narrow_quantise_by};
#endif

static const kernel *chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool int8_has(const char *name)
{
#if defined __x86_64__
    if (!strcmp(name, "avx512"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni");
    if (!strcmp(name, "avxvnni"))
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("avxvnni");
    if (!strcmp(name, "avx2")) return __builtin_cpu_supports("avx2");
#endif
    return !strcmp(name, "portable");
}

/* A name that this processor cannot run gives the best one; cpu_product.c reports it. */
static void int8_choose(void)
{
    r1_isa isa;
    const char *wanted = r1_isa_given(&isa) ? r1_isa_name(isa) : NULL;
    for (size_t i = R1_COUNT(all); i-- > 0;)
        if (int8_has(all[i].name)) chosen = &all[i];
    for (size_t i = 0; wanted && i < R1_COUNT(all); i++)
        if (!strcmp(wanted, all[i].name) && int8_has(wanted)) chosen = &all[i];
}

static const kernel *the_kernel(void)
{
    pthread_once(&once, int8_choose);
    return chosen;
}

/* What multiplies values within +-63. */
static const kernel *the_narrow_kernel(void)
{
#if defined __x86_64__
    if (!strcmp(the_kernel()->name, narrow.name)) return &narrow;
#endif
    return the_kernel();
}

const char *r1_cpu_int8_isa(void) { return the_kernel()->name; }

/* ---- packing ---- */

struct r1_packed_int8 {
    const kernel *kn;
    int32_t n, k, groups;
    float x_step;   /* of activations; 0: each row has its own */
    float *scale;   /* f32[columns], and what each sum begins with: i32[columns] */
    int32_t *start; /* columns: n, up to whole tiles */
    int8_t *data;
};

static float own_scale(const float *w, int32_t k_n, int limit, float *inverse)
{
    int32_t top = 0, bits;
    for (int32_t k = 0; k < k_n; k++) {
        memcpy(&bits, &w[k], sizeof bits);
        bits &= MAGNITUDE;
        top = bits > top ? bits : top;
    }
    return int8_scale_of(top, limit, inverse);
}

/* Column n of w into its panel; to: its first group. *scale: the column's step, or 0 for its
 * own; NaN in the end where w holds what is no number. */
static void pack_column(const kernel *kn, const float *w, int32_t k_n, int limit, int8_t *to,
                        float *scale, int32_t *start)
{
    int32_t sum = 0, bits;
    float inverse, most = (float)limit, own = own_scale(w, k_n, limit, &inverse);
    if (*scale == 0 || isnan(own))
        *scale = own;
    else
        inverse = 1 / *scale;
    for (int32_t k = 0; inverse > 0 && k < k_n; k++) {
        float v = w[k] * inverse;
        v = v > most ? most : v < -most ? -most : v;
        v += ROUNDER;
        memcpy(&bits, &v, sizeof bits);
        sum += bits - ROUNDER_BITS;
        to[(int64_t)(k / kn->group) * kn->cols * kn->group + k % kn->group] =
            (int8_t)(bits - ROUNDER_BITS);
    }
    *start = -kn->zero * sum;
}

static r1_status int8_check_steps(const float *step, int64_t n, const char *what, r1_err *err)
{
    for (int64_t i = 0; step && i < n; i++)
        if (!(step[i] >= 1e-30f && step[i] < 1e30f))
            R1_FAIL(err, R1_E_INVAL, "int8: step %lld of the %s is %g, expected 1e-30 to 1e30",
                    (long long)i, what, (double)step[i]);
    return R1_OK;
}

/* Every weight lies within the limit that the sums of its kernel need. */
static bool int8_within(const r1_packed_int8 *p, int limit)
{
    int64_t columns = (p->n + p->kn->cols - 1) / p->kn->cols * p->kn->cols;
    for (int64_t i = 0; i < columns * p->groups * p->kn->group; i++)
        if (p->data[i] < -limit || p->data[i] > limit) return false;
    return true;
}

r1_status r1_cpu_int8_pack(r1_packed_int8 **out, const r1_view *w, const float *w_step,
                           float x_step, r1_err *err)
{
    const kernel *kn = x_step != 0 ? the_narrow_kernel() : the_kernel();
    int limit = x_step != 0 ? R1_INT8_LEARNED : R1_INT8_LIMIT;
    if (w_step && x_step == 0)
        R1_FAIL(err, R1_E_INVAL, "int8: steps of the weight need one of the activations");
    R1_TRY(int8_check_steps(w_step, w->rows, "weight", err));
    R1_TRY(int8_check_steps(x_step != 0 ? &x_step : NULL, 1, "activations", err));
    if (w->cols > R1_INT8_K_MAX)
        R1_FAIL(err, R1_E_INVAL, "int8: a weight of %lld x %d, at most %d columns",
                (long long)w->rows, w->cols, R1_INT8_K_MAX);
    size_t columns = ((size_t)w->rows + (size_t)kn->cols - 1) / (size_t)kn->cols * (size_t)kn->cols;
    int32_t span = kn->group * kn->span, groups = (w->cols + span - 1) / span * kn->span,
            tile = kn->cols * kn->group;
    size_t head = (sizeof(r1_packed_int8) + 63) / 64 * 64,
           line = (columns * sizeof(float) + 63) / 64 * 64;
    r1_packed_int8 *p =
        r1_calloc_aligned(head + 2 * line + columns * (size_t)groups * (size_t)kn->group, 1);
    if (!p)
        R1_FAIL(err, R1_E_NOMEM, "no memory to pack a weight of %lld x %d", (long long)w->rows,
                w->cols);
    *p = (r1_packed_int8){
        .kn = kn, .n = (int32_t)w->rows, .k = w->cols, .groups = groups, .x_step = x_step};
    p->scale = (void *)((char *)p + head);
    p->start = (void *)((char *)p + head + line);
    p->data = (int8_t *)p + head + 2 * line;
    for (int32_t n = 0; n < p->n; n++) {
        p->scale[n] = w_step ? w_step[n] : 0;
        pack_column(kn, r1_row(w, n), p->k, limit,
                    p->data + (int64_t)(n / kn->cols) * groups * tile +
                        (int64_t)(n % kn->cols) * kn->group,
                    &p->scale[n], &p->start[n]);
    }
    R1_DEEP_ASSERT(int8_within(p, limit), "int8: a weight of [%d, %d] beyond %d", p->n, p->k,
                   limit);
    *out = p;
    return R1_OK;
}

/* ---- products ---- */

static int64_t int8_chunk_rows(const kernel *kn, int64_t x_ld)
{
    int64_t rows = ROOM / x_ld;
    if (rows > CHUNK_MAX) rows = CHUNK_MAX;
    return rows > kn->rows ? rows / kn->rows * kn->rows : rows;
}

/* Quantised rows m..m+n through all panels. */
static void rows_through(const kernel *kn, tile8 t, const r1_packed_int8 *p, const float *bias,
                         const r1_view *y, int64_t m, int64_t n)
{
    const char *x = t.x;
    const float *x_scale = t.x_scale;
    float room[COLS_MAX] = {0};
    for (int32_t n0 = 0; n0 < p->n; n0 += kn->cols) {
        t.cols = p->n - n0 < kn->cols ? p->n - n0 : kn->cols;
        t.panel = p->data + (int64_t)n0 * p->groups * kn->group;
        t.scale = p->scale + n0;
        t.start = p->start + n0;
        t.bias = room;
        if (bias && t.cols == kn->cols) t.bias = bias + n0;
        if (bias && t.cols < kn->cols) memcpy(room, bias + n0, sizeof(float) * (size_t)t.cols);
        for (int64_t r = 0; r < n; r += kn->rows) {
            t.x = x + r * t.x_ld;
            t.x_scale = x_scale + r;
            t.y = r1_row(y, m + r) + n0;
            kn->tile(n - r < kn->rows ? (int)(n - r) : kn->rows, &t);
        }
    }
}

void r1_cpu_int8_product(const r1_view *x, const r1_packed_int8 *p, const float *bias,
                         const r1_view *y)
{
    const kernel *kn = p->kn;
    char room[ROOM] __attribute__((aligned(64)));
    float scale[CHUNK_MAX];
    tile8 t = {.groups = p->groups, .x = room, .x_scale = scale, .y_ld = y->ld};
    t.x_ld = (p->k + 31) / 32 * 32 * (4 / kn->group);
    int64_t chunk = int8_chunk_rows(kn, t.x_ld ? t.x_ld : 32);
    R1_ASSERT(x->cols == p->k && y->cols == p->n && x->rows <= y->rows,
              "int8: [%lld, %d] by a weight [%d, %d] into [%lld, %d]", (long long)x->rows, x->cols,
              p->n, p->k, (long long)y->rows, y->cols);
    R1_ASSERT(chunk > 0 && chunk <= CHUNK_MAX && chunk * t.x_ld <= ROOM,
              "int8: %lld rows of %lld bytes at once", (long long)chunk, (long long)t.x_ld);
    for (int64_t m = 0; m < x->rows; m += chunk) {
        int64_t n = x->rows - m < chunk ? x->rows - m : chunk;
        for (int64_t r = 0; r < n; r++)
            scale[r] = p->x_step > 0
                           ? kn->quantise_by(r1_row(x, m + r), p->k, p->x_step, room + r * t.x_ld)
                           : kn->quantise(r1_row(x, m + r), p->k, room + r * t.x_ld);
        rows_through(kn, t, p, bias, y, m, n);
    }
}
