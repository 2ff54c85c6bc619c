/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_attend_isa.h - the parts of attention beside its products, compiled once per instruction
 * set: cpu_attend.c includes it with the macros of cpu_tile.h and
 *
 *   TILE_MAX(a, b) the larger of each lane; b where either is not a number
 *
 * Sums run over vectors in rising order, then over the lanes: a query's bits depend on its own
 * keys alone. */

typedef int32_t TILE(vi) __attribute__((vector_size(4 * TILE_WIDTH)));
typedef uint64_t TILE(vl) __attribute__((vector_size(4 * TILE_WIDTH)));
typedef uint32_t TILE(half) __attribute__((vector_size(2 * TILE_WIDTH)));

/* e^x for x <= 0; what is below -87 counts as -87. Range reduction by ln 2, polynomial of degree
 * 6 (Cephes, S. Moshier). */
TILE_ATTR R1_INLINE void TILE(exp)(TILE_V *v)
{
    TILE_V x = *v;
    const TILE_V magic = TILE_SET1(12582912.0f),
                 one = TILE_SET1(1.0f); /* 1.5 * 2^23: the sum's low bits are the rounded integer */
    x = TILE_MAX(TILE_SET1(-87.0f), x); /* what is not a number stays so */
    TILE_V n = TILE_FMA(x, TILE_SET1(1.44269504f), magic);
    TILE(vi) bits = (TILE(vi))n;
    n -= magic;
    TILE_V r = TILE_FMA(n, TILE_SET1(-0.693359375f), x);
    r = TILE_FMA(n, TILE_SET1(2.12194440e-4f), r);
    TILE_V p = TILE_FMA(r, TILE_SET1(1.9875691500e-4f), TILE_SET1(1.3981999507e-3f));
    p = TILE_FMA(p, r, TILE_SET1(8.3334519073e-3f));
    p = TILE_FMA(p, r, TILE_SET1(4.1665795894e-2f));
    p = TILE_FMA(p, r, TILE_SET1(1.6666665459e-1f));
    p = TILE_FMA(p, r, TILE_SET1(5.0000001201e-1f));
    p = TILE_FMA(p, r * r, r + one);
    *v = p * (TILE_V)((bits + 127) << 23); /* the constant's own bits fall out of the shift */
}

TILE_ATTR R1_INLINE float TILE(largest)(const TILE_V *v)
{
    float lane[TILE_WIDTH];
    memcpy(lane, v, sizeof lane);
#pragma GCC unroll 4
    for (int w = TILE_WIDTH / 2; w > 0; w /= 2)
#pragma GCC unroll 8
        for (int i = 0; i < w; i++) lane[i] = lane[i] > lane[i + w] ? lane[i] : lane[i + w];
    return lane[0];
}

TILE_ATTR R1_INLINE float TILE(total)(const TILE_V *v)
{
    float lane[TILE_WIDTH];
    memcpy(lane, v, sizeof lane);
#pragma GCC unroll 4
    for (int w = TILE_WIDTH / 2; w > 0; w /= 2)
#pragma GCC unroll 8
        for (int i = 0; i < w; i++) lane[i] += lane[i + w];
    return lane[0];
}

/* To the nearest bf16, ties to even; what is not a number stays so. */
TILE_ATTR R1_INLINE void TILE(round)(TILE_V *v)
{
    TILE(vi) bits = (TILE(vi)) * v, nan = *v != *v;
    bits += (0x7fff + ((bits >> 16) & 1)) & ~nan;
    *v = (TILE_V)((bits | (nan & 0x400000)) & -65536);
}

/* x[n] rounded to bf16, two by two; a zero behind an odd last one. `to` has room for a whole
 * number of vectors. */
TILE_ATTR static void TILE(pairs)(const float *x, int32_t n, float *to)
{
    for (int32_t j = 0; j < n; j += TILE_WIDTH) {
        TILE_V v = {0};
        if (n - j < TILE_WIDTH)
            memcpy(&v, x + j, sizeof(float) * (size_t)(n - j));
        else
            memcpy(&v, x + j, sizeof v);
        TILE(round)(&v);
        TILE(vl) two = (TILE(vl))v;
        TILE(half) pairs = __builtin_convertvector(two >> 32 | (two >> 16 & 0xffff), TILE(half));
        memcpy(to + j / 2, &pairs, sizeof pairs);
    }
}

/* Scores s[0..n), with room for a whole number of vectors; after it weights, rounded to bf16
 * where asked: then the sum is theirs, so that a mean weighted with them is one. Returns what
 * the sums so far are to be multiplied with. */
TILE_ATTR R1_INLINE float TILE(weigh)(float *s, int32_t n, state *st, const bool rounded)
{
    TILE_V x, top = TILE_SET1(none), sum = TILE_SET1(0.0f), end;
    float most = st->top, keep = 1;
    int32_t whole = n / TILE_WIDTH * TILE_WIDTH, j = 0;
    for (; j < whole; j += TILE_WIDTH) {
        memcpy(&x, s + j, sizeof x);
        top = TILE_MAX(top, x);
    }
    if (j < n) {
        for (int32_t i = n; i < j + TILE_WIDTH; i++) s[i] = none;
        memcpy(&x, s + j, sizeof x);
        top = TILE_MAX(top, x);
    }
    end = top;
    float here = TILE(largest)(&end);
    if (here > most) most = here;
    const TILE_V less = TILE_SET1(most);
#pragma GCC unroll 2
    for (j = 0; j < whole; j += TILE_WIDTH) {
        memcpy(&x, s + j, sizeof x);
        x -= less;
        TILE(exp)(&x);
        if (rounded) TILE(round)(&x);
        memcpy(s + j, &x, sizeof x);
        sum += x;
    }
    if (j < n) {
        memcpy(&x, s + j, sizeof x);
        x -= less;
        TILE(exp)(&x);
        if (rounded) TILE(round)(&x);
        memcpy(s + j, &x, sizeof x);
        for (int32_t i = n; i < j + TILE_WIDTH; i++) s[i] = 0;
        memcpy(&x, s + j, sizeof x);
        sum += x;
    }
    if (most > st->top) {
        x = TILE_SET1(st->top - most);
        TILE(exp)(&x);
        keep = st->top == none ? 0 : x[0];
    }
    end = sum;
    st->top = most;
    st->sum = st->sum * keep + TILE(total)(&end);
    return keep;
}

TILE_ATTR static float TILE(weights)(float *s, int32_t n, state *st)
{
    return TILE(weigh)(s, n, st, false);
}
TILE_ATTR static float TILE(rounded_weights)(float *s, int32_t n, state *st)
{
    return TILE(weigh)(s, n, st, true);
}

TILE_ATTR static void TILE(scale)(float *y, float by, int32_t n)
{
    TILE_V v;
    int32_t c = 0;
    for (; c + TILE_WIDTH <= n; c += TILE_WIDTH) {
        memcpy(&v, y + c, sizeof v);
        v *= TILE_SET1(by);
        memcpy(y + c, &v, sizeof v);
    }
    for (; c < n; c++) y[c] *= by;
}

TILE_ATTR R1_INLINE float TILE(dot)(const float *a, const float *b, int32_t n)
{
    TILE_V x, y, sum = TILE_SET1(0.0f), end;
    float rest = 0;
    int32_t c = 0;
    for (; c + TILE_WIDTH <= n; c += TILE_WIDTH) {
        memcpy(&x, a + c, sizeof x);
        memcpy(&y, b + c, sizeof y);
        sum = TILE_FMA(x, y, sum);
    }
    for (; c < n; c++) rest += a[c] * b[c];
    end = sum;
    return TILE(total)(&end) + rest;
}

TILE_ATTR R1_INLINE void TILE(add_scaled)(float *y, const float *x, float by, int32_t n)
{
    TILE_V a, b;
    int32_t c = 0;
    for (; c + TILE_WIDTH <= n; c += TILE_WIDTH) {
        memcpy(&a, y + c, sizeof a);
        memcpy(&b, x + c, sizeof b);
        a = TILE_FMA(b, TILE_SET1(by), a);
        memcpy(y + c, &a, sizeof a);
    }
    for (; c < n; c++) y[c] += x[c] * by;
}

/* s *= 1 + beta tanh(m); both have room for a whole number of vectors. */
TILE_ATTR static void TILE(adapt)(float *s, const float *m, int32_t n, float beta)
{
    const TILE_V one = TILE_SET1(1.0f), by = TILE_SET1(beta);
    for (int32_t j = 0; j < n; j += TILE_WIDTH) {
        TILE_V x, e, y;
        memcpy(&x, m + j, sizeof x);
        memcpy(&y, s + j, sizeof y);
        TILE(vi) sign = (TILE(vi))x & INT32_MIN;
        e = (TILE_V)((TILE(vi))x | INT32_MIN) * TILE_SET1(2.0f); /* -2 |m| */
        TILE(exp)(&e);
        e = (TILE_V)((TILE(vi))((one - e) / (one + e)) | sign);
        y *= TILE_FMA(by, e, one);
        memcpy(s + j, &y, sizeof y);
    }
}

/* One query and head, keys as they lie. */
TILE_ATTR static void TILE(query)(const head *h, int32_t r)
{
    float p[BLOCK] __attribute__((aligned(64))), m[BLOCK] __attribute__((aligned(64))) = {0},
                                                          room[WIDTH_MAX];
    float *y = r1_row(&h->a->v[R1_ATTEND_Y], h->row0 + r) + h->at;
    const float *q = r1_row(&h->a->v[R1_ATTEND_Q], h->row0 + r) + h->at;
    int32_t n = attend_visible(h, r);
    state st = {none, 0};
    memset(y, 0, sizeof(float) * (size_t)h->dh);
    for (int32_t j0 = 0; j0 < n; j0 += BLOCK) {
        int32_t here = n - j0 < BLOCK ? n - j0 : BLOCK;
        for (int32_t j = 0; j < here; j++)
            p[j] = TILE(dot)(
                q,
                row_f32(&h->a->v[R1_ATTEND_K], cpu_attend_key_row(h, j0 + j), h->at, h->dh, room),
                h->dh);
        if (h->rank) {
            const float *u = r1_row(&h->a->v[R1_ATTEND_FACTOR_Q], h->row0 + r) + h->rank_at;
            for (int32_t j = 0; j < here; j++)
                m[j] =
                    TILE(dot)(u,
                              r1_row(&h->a->v[R1_ATTEND_FACTOR_K], cpu_attend_key_row(h, j0 + j)) +
                                  h->rank_at,
                              h->rank);
            for (int32_t j = here; j % TILE_WIDTH; j++) p[j] = 0;
            TILE(adapt)(p, m, here, h->a->f[R1_ATTEND_BETA]);
        }
        for (int32_t j = 0; j < here; j++) p[j] += attend_added(h, j0 + j);
        float keep = TILE(weights)(p, here, &st);
        if (j0 && keep != 1) TILE(scale)(y, keep, h->dh);
        for (int32_t j = 0; j < here; j++) TILE(add_scaled)
        (y, row_f32(&h->a->v[R1_ATTEND_V], cpu_attend_key_row(h, j0 + j), h->at, h->dh, room), p[j],
         h->dh);
    }
    if (n > 0) TILE(scale)(y, 1 / st.sum, h->dh);
}

/* Weights of `rows` queries from r0 on against the block's n keys from j0 on: scores are in p,
 * [row][BLOCK]; y is scaled. */
TILE_ATTR static void TILE(tile_weights)(const head *h, const float *add, int32_t r0, int32_t rows,
                                         int32_t j0, int32_t n, float *p, state *st)
{
    for (int32_t r = 0; r < rows; r++, p += BLOCK) {
        int32_t see = attend_visible(h, r0 + r) - j0;
        if (see > n) see = n;
        if (see < 0) see = 0;
        for (int32_t j = 0; add && j < see; j++) p[j] += add[j];
        float keep = !see       ? 1
                     : h->pairs ? TILE(rounded_weights)(p, see, &st[r])
                                : TILE(weights)(p, see, &st[r]);
        for (int32_t j = see; j < n; j++) p[j] = 0;
        if (j0 && keep != 1)
            TILE(scale)(r1_row(&h->a->v[R1_ATTEND_Y], h->row0 + r0 + r) + h->at, keep, h->dh);
    }
}

#undef TILE
#undef TILE_ATTR
#undef TILE_V
#undef TILE_WIDTH
#undef TILE_SET1
#undef TILE_FMA
#undef TILE_MAX
