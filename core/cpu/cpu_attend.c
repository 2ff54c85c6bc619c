/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_attend.c - softmax attention over ragged segments, fused: scores never leave the
 * first-level cache. Keys and values are f32 or bf16; queries and results are f32.
 *
 * A segment goes one of two ways.
 *
 * By tiles, where it has TILES_FROM queries or more. For each head, a chunk of queries meets the
 * keys block by block. A block's keys and values are packed into panels once, as f32. The product
 * kernel of the instruction set in use (cpu_product.h) makes the scores and the weighted sums.
 * Between the two runs an online softmax: it goes on with the largest score so far, and where a
 * larger one comes, what y and its sum hold already is scaled down.
 *
 * By queries, where it has fewer, which would not pay for the packing. The blocks are the same,
 * one query and head at a time.
 *
 * bf16: some instruction sets multiply it (avx512bf16, and widebf16 for tests). There blocks are
 * packed as they are, in pairs, and queries and weights are rounded to bf16 for the two products.
 * The sums, the softmax and all between stay f32, and so do single queries and gradients. The
 * other instruction sets widen bf16 when a block is packed.
 *
 * The key factor (R1_ATTEND_FACTOR_Q, R1_ATTEND_FACTOR_K) is a second, narrow product of each
 * block, between the scores and the softmax.
 *
 * A row's bits do not depend on what else is in the batch: the choice of the way, the blocks and
 * the tiles all begin at the segment's own first row and key. */
#include "cpu/cpu_ops.h"
#include "cpu/cpu_product.h"
#include "r1_assert.h"

#if defined __x86_64__
#include <immintrin.h>
#endif

enum {
    BLOCK = 128,     /* keys of a block: whole tiles of every kernel */
    CHUNK = 504,     /* at most, queries of a chunk; a chunk is whole tiles of every kernel */
    WIDTH_MAX = 128, /* of a head in tiles */
    TILES_FROM = 8   /* queries */
};
static const float none = -3e38f; /* below every score */

/* One segment and head. */
typedef struct {
    const r1_op_args *a;
    const int32_t *index, *bucket;
    const float *bias, *log_weight;
    int32_t at, dh; /* the head's columns */
    int32_t row0, n_row, first, n_key;
    int32_t rank; /* of the key factor; 0: none. The head's columns begin at rank_at */
    int32_t rank_at;
    bool pairs; /* by tiles the products are of bf16, two by two */
} head;

/* ---- rows ------------------------------------------------------------------------------------ */

R1_INLINE int64_t cpu_attend_key_row(const head *h, int32_t j)
{
    return h->index ? h->index[h->first + j] : h->first + j;
}

R1_INLINE const uint16_t *row_bf16(const r1_view *v, int64_t row, int32_t at)
{
    return (const uint16_t *)v->p + row * v->ld + at;
}

/* Columns at..at + n of a row as f32; room is used where they are not. */
R1_INLINE const float *row_f32(const r1_view *v, int64_t row, int32_t at, int32_t n, float *room)
{
    if (v->dtype == R1_F32) return r1_row(v, row) + at;
    const uint16_t *from = row_bf16(v, row, at);
    for (int32_t c = 0; c < n; c++) {
        uint32_t bits = (uint32_t)from[c] << 16;
        memcpy(room + c, &bits, sizeof bits);
    }
    return room;
}

/* The same of a row of bf16, two by two as they lie; a zero behind an odd last one. */
R1_INLINE const float *row_pairs(const r1_view *v, int64_t row, int32_t at, int32_t n, float *room)
{
    room[(n - 1) / 2] = 0;
    return memcpy(room, row_bf16(v, row, at), sizeof(uint16_t) * (size_t)n);
}

R1_INLINE float attend_added(const head *h, int32_t j)
{
    float x = h->bias ? h->bias[h->bucket ? h->bucket[h->first + j] : 0] : 0;
    return h->log_weight ? x + h->log_weight[h->first + j] : x;
}

/* Visible keys of the segment's r-th query. */
R1_INLINE int32_t attend_visible(const head *h, int32_t r)
{
    return h->a->i[R1_ATTEND_CAUSAL] && r + 1 < h->n_key ? r + 1 : h->n_key;
}

/* ---- by instruction set ---------------------------------------------------------------------- */

typedef struct {
    float top, sum; /* largest score so far; sum of exponentials against it */
} state;

typedef float portable_v __attribute__((vector_size(32)));
#define TILE(name) portable_##name
#define TILE_ATTR
#define TILE_WIDTH        8
#define TILE_SET1(f)      ((portable_v){0} + (f))
#define TILE_FMA(a, b, c) ((a) * (b) + (c))
#define TILE_MAX(a, b)                                                                             \
    ((portable_v)((((a) > (b)) & (portable_vi)(a)) | (~((a) > (b)) & (portable_vi)(b))))
#define TILE_V portable_v
#include "cpu/cpu_attend_isa.h"

/* The shape of avx512 for any processor: tests run it. */
typedef float wide_v __attribute__((vector_size(64)));
#define TILE(name) wide_##name
#define TILE_ATTR
#define TILE_WIDTH        16
#define TILE_SET1(f)      ((wide_v){0} + (f))
#define TILE_FMA(a, b, c) ((a) * (b) + (c))
#define TILE_MAX(a, b)    ((wide_v)((((a) > (b)) & (wide_vi)(a)) | (~((a) > (b)) & (wide_vi)(b))))
#define TILE_V            wide_v
#include "cpu/cpu_attend_isa.h"

#if defined __x86_64__
#define TILE(name)        avx2_##name
#define TILE_ATTR         __attribute__((target("avx2,fma")))
#define TILE_WIDTH        8
#define TILE_SET1(f)      _mm256_set1_ps(f)
#define TILE_FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define TILE_MAX(a, b)    _mm256_max_ps(a, b)
#define TILE_V            __m256
#include "cpu/cpu_attend_isa.h"

#define TILE(name)        avx512_##name
#define TILE_ATTR         __attribute__((target("avx512f")))
#define TILE_WIDTH        16
#define TILE_SET1(f)      _mm512_set1_ps(f)
#define TILE_FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define TILE_MAX(a, b)    _mm512_max_ps(a, b)
#define TILE_V            __m512
#include "cpu/cpu_attend_isa.h"
#endif

typedef struct {
    const char *name; /* what the product kernel's begins with */
    float (*weights)(float *s, int32_t n, state *st);
    void (*scale)(float *y, float by, int32_t n);
    void (*query)(const head *h, int32_t r);
    void (*adapt)(float *s, const float *m, int32_t n, float beta);
    void (*pairs)(const float *x, int32_t n, float *to);
    void (*tile_weights)(const head *h, const float *add, int32_t r0, int32_t rows, int32_t j0,
                         int32_t n, float *p, state *st);
} functions;

static const functions *the_functions(void)
{
    static const functions all[] = {
#if defined __x86_64__
        {"avx512", avx512_weights, avx512_scale, avx512_query, avx512_adapt, avx512_pairs,
         avx512_tile_weights},
        {"avx2", avx2_weights, avx2_scale, avx2_query, avx2_adapt, avx2_pairs, avx2_tile_weights},
#endif
        {"wide", wide_weights, wide_scale, wide_query, wide_adapt, wide_pairs, wide_tile_weights},
        {"portable", portable_weights, portable_scale, portable_query, portable_adapt,
         portable_pairs, portable_tile_weights},
    };
    size_t i = 0;
    while (i + 1 < R1_COUNT(all) && strncmp(all[i].name, r1_cpu_isa(), strlen(all[i].name)) != 0)
        i++;
    return &all[i];
}

void r1_cpu_softmax(float *s, int32_t n)
{
    const functions *fn = the_functions();
    state st = {none, 0};
    if (n < 1) return;
    fn->weights(s, n, &st);
    fn->scale(s, 1 / st.sum, n);
}

/* ---- by tiles -------------------------------------------------------------------------------- */

typedef struct {
    const r1_kernel *kernel; /* of the products */
    const functions *fn;
} ways;

/* A block's keys [dh][cols], their part of the factor [rank][cols] and values [key][cols] in
 * panels of the kernel's columns; what is added to its scores. Of bf16 in pairs: keys [(dh + 1)
 * / 2][cols], values [(keys + 1) / 2][cols]. */
typedef struct {
    float key[BLOCK * WIDTH_MAX], factor[BLOCK * R1_ATTEND_RANK_MAX],
        value[BLOCK * (WIDTH_MAX + R1_TILE_COLS_MAX)], added[BLOCK];
} block __attribute__((aligned(64)));

/* Eight rows of eight into eight columns. */
R1_INLINE void attend_turn(const float *const *from, float *to, int32_t to_ld)
{
    v8 a[8], b[8];
    const v8i low = {0, 8, 1, 9, 4, 12, 5, 13}, high = {2, 10, 3, 11, 6, 14, 7, 15};
    const v8i first = {0, 1, 8, 9, 4, 5, 12, 13}, second = {2, 3, 10, 11, 6, 7, 14, 15};
    const v8i left = {0, 1, 2, 3, 8, 9, 10, 11}, right = {4, 5, 6, 7, 12, 13, 14, 15};
    for (int i = 0; i < 8; i++) v8_load(&a[i], from[i]);
    for (int i = 0; i < 8; i += 2) {
        b[i] = __builtin_shuffle(a[i], a[i + 1], low);
        b[i + 1] = __builtin_shuffle(a[i], a[i + 1], high);
    }
    for (int i = 0; i < 8; i += 4) {
        a[i] = __builtin_shuffle(b[i], b[i + 2], first);
        a[i + 1] = __builtin_shuffle(b[i], b[i + 2], second);
        a[i + 2] = __builtin_shuffle(b[i + 1], b[i + 3], first);
        a[i + 3] = __builtin_shuffle(b[i + 1], b[i + 3], second);
    }
    for (int i = 0; i < 4; i++) {
        b[i] = __builtin_shuffle(a[i], a[i + 4], left);
        b[i + 4] = __builtin_shuffle(a[i], a[i + 4], right);
    }
    for (int i = 0; i < 8; i++) v8_store(to + i * to_ld, &b[i]);
}

/* Columns at..at + n_col of the rows of n keys from j0 on, turned: [width][cols] a panel, zeros
 * behind the last. */
R1_INLINE void pack_turned(const head *h, const r1_view *from, const bool pairs, int32_t at,
                           int32_t n_col, int32_t j0, int32_t n, int32_t cols, float *to)
{
    float room[8][WIDTH_MAX];
    static const float zeros[WIDTH_MAX];
    const float *row[8];
    int32_t padded = (n + cols - 1) / cols * cols, width = pairs ? (n_col + 1) / 2 : n_col;
    for (int32_t j = 0; j < padded; j += 8) {
        float *panel = to + j / cols * cols * width + j % cols;
        for (int32_t i = 0; i < 8; i++)
            row[i] = j + i >= n ? zeros
                     : pairs
                         ? row_pairs(from, cpu_attend_key_row(h, j0 + j + i), at, n_col, room[i])
                         : row_f32(from, cpu_attend_key_row(h, j0 + j + i), at, n_col, room[i]);
        int32_t c = 0;
        for (; c + 8 <= width; c += 8) {
            const float *part[8];
            for (int i = 0; i < 8; i++) part[i] = row[i] + c;
            attend_turn(part, panel + c * cols, cols);
        }
        for (; c < width; c++)
            for (int32_t i = 0; i < 8; i++) panel[c * cols + i] = row[i][c];
    }
}

/* The values of keys j and, below n, j + 1, two by two. */
R1_INLINE const float *value_pairs(const head *h, int32_t j, int32_t n, float *room)
{
    static const uint16_t zeros[WIDTH_MAX];
    const r1_view *v = &h->a->v[R1_ATTEND_V];
    const uint16_t *low = row_bf16(v, cpu_attend_key_row(h, j), h->at);
    const uint16_t *high = j + 1 < n ? row_bf16(v, cpu_attend_key_row(h, j + 1), h->at) : zeros;
    for (int32_t c = 0; c < h->dh; c++) {
        uint32_t bits = low[c] | (uint32_t)high[c] << 16;
        memcpy(room + c, &bits, sizeof bits);
    }
    return room;
}

R1_CLONES static void pack_block(const head *h, int32_t j0, int32_t n, int32_t cols, block *to)
{
    float room[WIDTH_MAX];
    int32_t step = h->pairs ? 2 : 1, lines = (n + step - 1) / step;
    if (h->pairs)
        pack_turned(h, &h->a->v[R1_ATTEND_K], true, h->at, h->dh, j0, n, cols, to->key);
    else
        pack_turned(h, &h->a->v[R1_ATTEND_K], false, h->at, h->dh, j0, n, cols, to->key);
    if (h->rank)
        pack_turned(h, &h->a->v[R1_ATTEND_FACTOR_K], false, h->rank_at, h->rank, j0, n, cols,
                    to->factor);
    for (int32_t j = 0; j < lines; j++) {
        const float *v = h->pairs ? value_pairs(h, j0 + j * step, j0 + n, room)
                                  : row_f32(&h->a->v[R1_ATTEND_V], cpu_attend_key_row(h, j0 + j),
                                            h->at, h->dh, room);
        for (int32_t c = 0; c < h->dh; c += cols) {
            int32_t here = h->dh - c < cols ? h->dh - c : cols;
            float *panel = to->value + c * lines + j * cols;
            int32_t i = 0;
            for (v8 x; i + 8 <= here; i += 8) {
                v8_load(&x, v + c + i);
                v8_store(panel + i, &x);
            }
            for (; i < cols; i++) panel[i] = i < here ? v[c + i] : 0;
        }
    }
    for (int32_t j = 0; j < n; j++) to->added[j] = attend_added(h, j0 + j);
}

enum { ROOM = R1_TILE_ROWS_MAX * BLOCK / 2 };

/* The left side of a product: x as it is, or rounded in pairs, which room takes. */
static r1_tile left_side(const ways *w, bool pairs, int32_t rows, const float *x, int64_t x_ld,
                         int32_t k, float *room)
{
    if (!pairs) return (r1_tile){.k = k, .x = x, .x_ld = x_ld};
    for (int32_t r = 0; r < rows; r++) w->fn->pairs(x + r * x_ld, k, room + r * BLOCK / 2);
    return (r1_tile){.k = (k + 1) / 2, .x = room, .x_ld = BLOCK / 2};
}

/* y[row][BLOCK] = t's x[row][k] times the panels of a block's first n keys. */
static void tile_products(void (*tile)(int, const r1_tile *), int32_t cols, int32_t rows, r1_tile t,
                          const float *panels, int32_t n, float *y)
{
    static const float zeros[R1_TILE_COLS_MAX];
    t.start = zeros;
    t.y_ld = BLOCK;
    t.cols = cols;
    for (int32_t j = 0; j < n; j += cols) {
        t.panel = panels + j * t.k;
        t.y = y + j;
        tile(rows, &t);
    }
}

/* The scores p[row][BLOCK] of n keys, each times its own factor. */
static void tile_factors(const ways *w, const head *h, const block *b, int32_t r0, int32_t rows,
                         int32_t n, float *p)
{
    float m[R1_TILE_ROWS_MAX * BLOCK] __attribute__((aligned(64)));
    const r1_view *u = &h->a->v[R1_ATTEND_FACTOR_Q];
    r1_tile t =
        left_side(w, false, rows, r1_row(u, h->row0 + r0) + h->rank_at, u->ld, h->rank, NULL);
    tile_products(w->kernel->tile, w->kernel->cols, rows, t, b->factor, n, m);
    for (int32_t r = 0; r < rows; r++)
        w->fn->adapt(p + r * BLOCK, m + r * BLOCK, n, h->a->f[R1_ATTEND_BETA]);
}

/* Queries r0..r0 + rows against a block of n keys from j0 on. */
static void tile_block(const ways *w, const head *h, const block *b, int32_t r0, int32_t rows,
                       int32_t j0, int32_t n, state *st)
{
    static const float zeros[R1_TILE_COLS_MAX];
    const r1_kernel *kn = w->kernel;
    void (*tile)(int, const r1_tile *) = h->pairs ? kn->pairs : kn->tile;
    float p[R1_TILE_ROWS_MAX * BLOCK] __attribute__((aligned(64))),
        room[ROOM] __attribute__((aligned(64)));
    const r1_view *q = &h->a->v[R1_ATTEND_Q], *y = &h->a->v[R1_ATTEND_Y];
    int32_t see = attend_visible(h, r0 + rows - 1) - j0,
            used = see < n ? see : n; /* by the last of the tile */
    r1_tile t = left_side(w, h->pairs, rows, r1_row(q, h->row0 + r0) + h->at, q->ld, h->dh, room);
    tile_products(tile, kn->cols, rows, t, b->key, used, p);
    if (h->rank) tile_factors(w, h, b, r0, rows, used, p);
    w->fn->tile_weights(h, h->bias || h->log_weight ? b->added : NULL, r0, rows, j0, used, p, st);
    t = left_side(w, h->pairs, rows, p, BLOCK, used, room);
    t.start = j0 ? NULL : zeros;
    t.y_ld = y->ld;
    for (int32_t c = 0; c < h->dh; c += kn->cols) {
        t.panel = b->value + c * (h->pairs ? (n + 1) / 2 : n);
        t.y = r1_row(y, h->row0 + r0) + h->at + c;
        t.cols = h->dh - c < kn->cols ? h->dh - c : kn->cols;
        tile(rows, &t);
    }
}

static void attend_chunk(const ways *w, const head *h, int32_t from, int32_t to)
{
    const r1_kernel *kn = w->kernel;
    block b;
    state st[CHUNK];
    int32_t n = attend_visible(h, to - 1);
    for (int32_t r = from; r < to; r++) st[r - from] = (state){none, 0};
    for (int32_t j0 = 0; j0 < n; j0 += BLOCK) {
        int32_t here = n - j0 < BLOCK ? n - j0 : BLOCK;
        pack_block(h, j0, here, kn->cols, &b);
        for (int32_t r = from; r < to; r += kn->rows) {
            int32_t rows = to - r < kn->rows ? to - r : kn->rows;
            if (attend_visible(h, r + rows - 1) > j0)
                tile_block(w, h, &b, r, rows, j0, here, st + r - from);
        }
    }
    for (int32_t r = from; r < to; r++)
        w->fn->scale(r1_row(&h->a->v[R1_ATTEND_Y], h->row0 + r) + h->at, 1 / st[r - from].sum,
                     h->dh);
}

static void forward_head(const ways *w, const head *h)
{
    if (h->n_row < TILES_FROM || h->n_key < 1 || h->dh > WIDTH_MAX) {
        for (int32_t r = 0; r < h->n_row; r++) w->fn->query(h, r);
        return;
    }
    int32_t chunks = (h->n_row + CHUNK - 1) / CHUNK,
            rows = (h->n_row + chunks - 1) / chunks; /* of equal size */
    rows = (rows + R1_TILE_ROWS_MAX - 1) / R1_TILE_ROWS_MAX * R1_TILE_ROWS_MAX;
    R1_ASSERT(rows > 0 && rows <= CHUNK, "attend: %d of %d queries at once", rows, h->n_row);
    for (int32_t r = 0; r < h->n_row; r += rows)
        attend_chunk(w, h, r, h->n_row - r < rows ? h->n_row : r + rows);
}

/* ---- gradients ------------------------------------------------------------------------------- */

/* Weights are made again rather than kept: a query's scores fit where its keys do. */
enum { KEYS_MAX = 16384 };

/* Of a query and a key. z: q.k; m: tanh(u.w); ds: the score's gradient. Returns the gradient of
 * z. */
R1_INLINE float backward_factor(const head *h, int32_t r, int64_t row, float z, float m, float ds)
{
    const r1_op_args *a = h->a;
    float dm = ds * z * a->f[R1_ATTEND_BETA] * (1 - m * m);
    if (a->g[R1_ATTEND_FACTOR_Q].p)
        v8_add_scaled(r1_row(&a->g[R1_ATTEND_FACTOR_Q], h->row0 + r) + h->rank_at,
                      r1_row(&a->v[R1_ATTEND_FACTOR_K], row) + h->rank_at, dm, h->rank);
    if (a->g[R1_ATTEND_FACTOR_K].p)
        v8_add_scaled(r1_row(&a->g[R1_ATTEND_FACTOR_K], row) + h->rank_at,
                      r1_row(&a->v[R1_ATTEND_FACTOR_Q], h->row0 + r) + h->rank_at, dm, h->rank);
    return ds * (1 + a->f[R1_ATTEND_BETA] * m);
}

/* tanh(u.w) of the first n keys, with room for a vector more. */
R1_INLINE void factors_of(const head *h, int32_t r, int32_t n, float *m)
{
    const float *u = r1_row(&h->a->v[R1_ATTEND_FACTOR_Q], h->row0 + r) + h->rank_at;
    v8 v;
    for (int32_t j = 0; j < n; j++)
        m[j] =
            v8_dot(u, r1_row(&h->a->v[R1_ATTEND_FACTOR_K], cpu_attend_key_row(h, j)) + h->rank_at,
                   h->rank);
    for (int32_t j = n; j % 8; j++) m[j] = 0;
    for (int32_t j = 0; j < n; j += 8) {
        v8_load(&v, m + j);
        v8_tanh(&v);
        v8_store(m + j, &v);
    }
}

/* dh is the head's width, a constant to the compiler where it is a usual one. The gradient of q
 * is summed apart from memory: each key adds to it. */
R1_INLINE void backward_query_of(const head *h, int32_t r, const int32_t dh)
{
    float p[KEYS_MAX + R1_LANES_MAX], dp[KEYS_MAX], z[KEYS_MAX], m[KEYS_MAX + R1_LANES_MAX],
        room[WIDTH_MAX], apart[WIDTH_MAX], mean = 0;
    const r1_op_args *a = h->a;
    float *to = a->g[R1_ATTEND_Q].p ? r1_row(&a->g[R1_ATTEND_Q], h->row0 + r) + h->at : NULL,
          *gq = to && dh <= WIDTH_MAX ? apart : to;
    int32_t n = attend_visible(h, r);
    const float *gy = r1_row(&a->g[R1_ATTEND_Y], h->row0 + r) + h->at,
                *q = r1_row(&a->v[R1_ATTEND_Q], h->row0 + r) + h->at;
    if (h->rank) factors_of(h, r, n, m);
    for (int32_t j = 0; j < n; j++) {
        z[j] =
            v8_dot(q, row_f32(&a->v[R1_ATTEND_K], cpu_attend_key_row(h, j), h->at, dh, room), dh);
        p[j] = (h->rank ? z[j] * (1 + a->f[R1_ATTEND_BETA] * m[j]) : z[j]) + attend_added(h, j);
    }
    r1_cpu_softmax(p, n);
    for (int32_t j = 0; j < n; j++) {
        dp[j] =
            v8_dot(gy, row_f32(&a->v[R1_ATTEND_V], cpu_attend_key_row(h, j), h->at, dh, room), dh);
        mean += p[j] * dp[j];
    }
    if (gq != to) memcpy(gq, to, sizeof(float) * (size_t)dh);
    for (int32_t j = 0; j < n; j++) {
        float ds = p[j] * (dp[j] - mean);
        int64_t row = cpu_attend_key_row(h, j);
        float dz = h->rank ? backward_factor(h, r, row, z[j], m[j], ds) : ds;
        if (gq) v8_add_scaled(gq, row_f32(&a->v[R1_ATTEND_K], row, h->at, dh, room), dz, dh);
        if (a->g[R1_ATTEND_K].p) v8_add_scaled(r1_row(&a->g[R1_ATTEND_K], row) + h->at, q, dz, dh);
        if (a->g[R1_ATTEND_V].p)
            v8_add_scaled(r1_row(&a->g[R1_ATTEND_V], row) + h->at, gy, p[j], dh);
        if (a->g[R1_ATTEND_BIAS].p)
            r1_row(&a->g[R1_ATTEND_BIAS], h->at / dh)[h->bucket ? h->bucket[h->first + j] : 0] +=
                ds;
    }
    if (gq != to) memcpy(to, gq, sizeof(float) * (size_t)dh);
}

static bool all_zero(const float *x, int32_t n)
{
    for (int32_t c = 0; c < n; c++)
        if (x[c] != 0) return false;
    return true;
}

/* A query whose result nothing came of gives nothing back: most of a last layer's, where few
 * rows are read. */
R1_CLONES static void cpu_attend_backward_query(const head *h, int32_t r)
{
    if (attend_visible(h, r) < 1 ||
        all_zero(r1_row(&h->a->g[R1_ATTEND_Y], h->row0 + r) + h->at, h->dh))
        return;
    if (h->dh == 8)
        backward_query_of(h, r, 8);
    else if (h->dh == 16)
        backward_query_of(h, r, 16);
    else if (h->dh == 32)
        backward_query_of(h, r, 32);
    else
        backward_query_of(h, r, h->dh);
}

static void attend_backward_head(const ways *w, const head *h)
{
    (void)w;
    for (int32_t r = 0; r < h->n_row; r++) cpu_attend_backward_query(h, r);
}

/* ---- the op ---------------------------------------------------------------------------------- */

static r1_status attend_check(const r1_op_args *a, int32_t dh, int32_t keys_max, r1_err *err)
{
    const int32_t *k_off = r1_ints(&a->v[R1_ATTEND_K_OFF]);
    if (dh > WIDTH_MAX && (a->v[R1_ATTEND_K].dtype != R1_F32 || a->v[R1_ATTEND_V].dtype != R1_F32))
        R1_FAIL(err, R1_E_INVAL, "attend: expected heads of at most %d columns for bf16, found %d",
                WIDTH_MAX, dh);
    if (a->v[R1_ATTEND_FACTOR_Q].p &&
        (a->v[R1_ATTEND_FACTOR_Q].cols != a->v[R1_ATTEND_FACTOR_K].cols ||
         a->v[R1_ATTEND_FACTOR_Q].cols % a->i[R1_ATTEND_HEADS] ||
         a->v[R1_ATTEND_FACTOR_Q].cols / a->i[R1_ATTEND_HEADS] > R1_ATTEND_RANK_MAX))
        R1_FAIL(err, R1_E_INVAL,
                "attend: expected a factor of rank 1 to %d for each of %d heads, found %d and %d "
                "columns",
                R1_ATTEND_RANK_MAX, a->i[R1_ATTEND_HEADS], a->v[R1_ATTEND_FACTOR_Q].cols,
                a->v[R1_ATTEND_FACTOR_K].cols);
    for (int32_t s = 0; keys_max && s + 1 < a->v[R1_ATTEND_K_OFF].cols; s++)
        if (k_off[s + 1] - k_off[s] > keys_max)
            R1_FAIL(err, R1_E_INVAL, "attend: expected at most %d keys, found %d", keys_max,
                    k_off[s + 1] - k_off[s]);
    return R1_OK;
}

/* Offsets rise and end within what they cut; listed keys and buckets exist. */
static bool attend_lists_hold(const r1_op_args *a)
{
    const r1_view *bias = &a->v[R1_ATTEND_BIAS];
    const int32_t *q_off = r1_ints(&a->v[R1_ATTEND_Q_OFF]),
                  *k_off = r1_ints(&a->v[R1_ATTEND_K_OFF]), *index = a->v[R1_ATTEND_INDEX].p,
                  *bucket = a->v[R1_ATTEND_BUCKET].p;
    int32_t n_seg = a->v[R1_ATTEND_Q_OFF].cols - 1;
    int64_t keys = index ? a->v[R1_ATTEND_INDEX].cols : a->v[R1_ATTEND_K].rows;
    for (int32_t s = 0; s < n_seg; s++)
        if (q_off[s] > q_off[s + 1] || k_off[s] > k_off[s + 1]) return false;
    if (n_seg < 1) return true;
    if (q_off[n_seg] > a->v[R1_ATTEND_Q].rows || k_off[n_seg] > keys) return false;
    for (int32_t j = k_off[0]; j < k_off[n_seg]; j++) {
        if (index && (index[j] < 0 || index[j] >= a->v[R1_ATTEND_K].rows)) return false;
        if (bias->p && bucket && (bucket[j] < 0 || bucket[j] >= bias->cols)) return false;
    }
    return true;
}

static r1_status each_head(const r1_op_args *a, void (*fn)(const ways *, const head *),
                           int32_t keys_max, r1_err *err)
{
    const int32_t *q_off = r1_ints(&a->v[R1_ATTEND_Q_OFF]),
                  *k_off = r1_ints(&a->v[R1_ATTEND_K_OFF]);
    head h = {.a = a,
              .index = a->v[R1_ATTEND_INDEX].p,
              .bucket = a->v[R1_ATTEND_BUCKET].p,
              .log_weight = a->v[R1_ATTEND_LOG_WEIGHT].p,
              .dh = a->v[R1_ATTEND_Q].cols / a->i[R1_ATTEND_HEADS],
              .rank = a->v[R1_ATTEND_FACTOR_Q].p
                          ? a->v[R1_ATTEND_FACTOR_Q].cols / a->i[R1_ATTEND_HEADS]
                          : 0};
    const ways w = {r1_cpu_kernel(), the_functions()};
    h.pairs =
        w.kernel->pairs && a->v[R1_ATTEND_K].dtype == R1_BF16 && a->v[R1_ATTEND_V].dtype == R1_BF16;
    R1_TRY(attend_check(a, h.dh, keys_max, err));
    R1_DEEP_ASSERT(attend_lists_hold(a), "attend: offsets, keys or buckets of %d segments",
                   a->v[R1_ATTEND_Q_OFF].cols - 1);
    for (int32_t s = 0; s + 1 < a->v[R1_ATTEND_Q_OFF].cols; s++)
        for (int32_t i = 0; i < a->i[R1_ATTEND_HEADS]; i++) {
            h.at = i * h.dh;
            h.rank_at = i * h.rank;
            h.bias = a->v[R1_ATTEND_BIAS].p ? r1_row(&a->v[R1_ATTEND_BIAS], i) : NULL;
            h.row0 = q_off[s];
            h.n_row = q_off[s + 1] - q_off[s];
            h.first = k_off[s];
            h.n_key = k_off[s + 1] - k_off[s];
            fn(&w, &h);
        }
    return R1_OK;
}

r1_status r1_cpu_attend_forward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s;
    return each_head(a, forward_head, 0, err);
}

r1_status r1_cpu_attend_backward(r1_stream *s, const r1_op_args *a, r1_err *err)
{
    (void)s;
    return each_head(a, attend_backward_head, KEYS_MAX, err);
}
