/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_tile8.h - one tile of an 8-bit product, and the rounding of rows that feeds it, compiled
 * once per instruction set: cpu_int8.c includes it with
 *
 *   TILE(name)   a name of this instruction set        TILE_WIDTH   32-bit lanes of a vector
 *   TILE_ATTR    the function's target                 TILE_ROWS    rows of the largest tile
 *   TILE_X       what holds an activation              TILE_GROUP   how many of them fill 32 bits
 *   TILE_ZERO    the activation that stands for 0      TILE_W       a vector of weights
 *   TILE_LOAD(p) TILE_WIDTH * TILE_GROUP weights       TILE_SPAN    groups that are taken together
 *   TILE_DOT(acc, x, w, c)  acc + the sums of products of x[i] and w[i][c], i below TILE_SPAN
 *
 *   TILE_ALONE   defined: the includer rounds by itself
 *
 * x[i] is a vector whose 32-bit lanes all hold the same group. A tile has two vectors of
 * columns; each result is one exact sum. */

enum { TILE(cols) = 2 * TILE_WIDTH, TILE(bytes) = TILE_WIDTH * TILE_GROUP };
typedef int32_t TILE(ints) __attribute__((vector_size(4 * TILE_WIDTH)));
typedef float TILE(floats) __attribute__((vector_size(4 * TILE_WIDTH)));
typedef TILE_X TILE(stored) __attribute__((vector_size(sizeof(TILE_X) * TILE_WIDTH)));

#ifndef TILE_ALONE
/* most, and the magnitudes of v's bits where they are larger. */
TILE_ATTR static inline __attribute__((always_inline)) void TILE(widen)(TILE(ints) * most,
                                                                        TILE(floats) v)
{
    TILE(ints) bits;
    memcpy(&bits, &v, sizeof bits);
    bits &= MAGNITUDE;
    TILE(ints) more = bits > *most;
    *most = (bits & more) | (*most & ~more);
}

TILE_ATTR static inline __attribute__((always_inline)) void TILE(round)(TILE(floats) v,
                                                                        float inverse, TILE_X *to)
{
    TILE(ints) bits;
    v = v * inverse + ROUNDER;
    memcpy(&bits, &v, sizeof bits);
    TILE(stored) s = __builtin_convertvector(bits - (ROUNDER_BITS - TILE_ZERO), TILE(stored));
    memcpy(to, &s, sizeof s);
}

/* v within +-R1_INT8_LEARNED */
TILE_ATTR static inline __attribute__((always_inline)) TILE(floats) TILE(cut)(TILE(floats) v)
{
    const TILE(floats) high = (TILE(floats)){0} + (float)R1_INT8_LEARNED;
    TILE(ints) over = v > high, under = v < -high;
    v = (TILE(floats))((over & (TILE(ints))high) | (~over & (TILE(ints))v));
    return (TILE(floats))((under & (TILE(ints))(-high)) | (~under & (TILE(ints))v));
}

/* A row x[k] to `to`, whole vectors of it, by one step for all rows; the step, or NaN where the
 * row holds what is no number. */
TILE_ATTR static float TILE(quantise_by)(const float *x, int32_t k, float step, void *to)
{
    TILE(floats) v, tail = {0};
    TILE(ints) most = {0};
    int32_t whole = k / TILE_WIDTH * TILE_WIDTH, top = 0;
    float inverse = 1 / step;
    TILE_X *q = to;
    memcpy(&tail, x + whole, sizeof(float) * (size_t)(k - whole));
    TILE(widen)(&most, tail);
    for (int32_t i = 0; i < whole; i += TILE_WIDTH) {
        memcpy(&v, x + i, sizeof v);
        TILE(widen)(&most, v);
        TILE(round)(TILE(cut)(v * inverse), 1, q + i);
    }
    if (whole < k) TILE(round)(TILE(cut)(tail * inverse), 1, q + whole);
    for (int c = 0; c < TILE_WIDTH; c++) top = most[c] > top ? most[c] : top;
    return top >= INFINITE ? NAN : step;
}

/* A row x[k] to `to`, whole vectors of it, by its own largest magnitude; its scale. */
TILE_ATTR static float TILE(quantise)(const float *x, int32_t k, void *to)
{
    TILE(floats) v, tail = {0};
    TILE(ints) most = {0};
    int32_t whole = k / TILE_WIDTH * TILE_WIDTH, top = 0;
    float inverse;
    memcpy(&tail, x + whole, sizeof(float) * (size_t)(k - whole));
    TILE(widen)(&most, tail);
    for (int32_t i = 0; i < whole; i += TILE_WIDTH) {
        memcpy(&v, x + i, sizeof v);
        TILE(widen)(&most, v);
    }
    for (int c = 0; c < TILE_WIDTH; c++) top = most[c] > top ? most[c] : top;
    float scale = int8_scale_of(top, R1_INT8_LIMIT, &inverse);
    TILE_X *q = to;
    if (inverse > 0) {
        for (int32_t i = 0; i < whole; i += TILE_WIDTH) {
            memcpy(&v, x + i, sizeof v);
            TILE(round)(v, inverse, q + i);
        }
        if (whole < k) TILE(round)(tail, inverse, q + whole);
    } else
        for (int32_t i = 0; i < k; i += TILE_WIDTH) TILE(round)((TILE(floats)){0}, 0, q + i);
    return scale;
}
#endif

TILE_ATTR static inline __attribute__((always_inline)) void TILE(run)(const int rows,
                                                                      const tile8 *t)
{
    TILE(ints) acc[TILE_ROWS][2];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        memcpy(&acc[r][0], t->start, sizeof acc[r][0]);
        memcpy(&acc[r][1], t->start + TILE_WIDTH, sizeof acc[r][1]);
    }
    const int8_t *w = t->panel;
    for (int64_t g = 0; g < t->groups; g += TILE_SPAN, w += TILE_SPAN * 2 * TILE(bytes)) {
        TILE_W pair[TILE_SPAN][2];
        TILE(ints) x[TILE_SPAN];
#pragma GCC unroll 2
        for (int i = 0; i < TILE_SPAN; i++)
            pair[i][0] = TILE_LOAD(w + 2 * i * TILE(bytes)),
            pair[i][1] = TILE_LOAD(w + (2 * i + 1) * TILE(bytes));
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
#pragma GCC unroll 2
            for (int i = 0; i < TILE_SPAN; i++) {
                int32_t group;
                memcpy(&group, t->x + r * t->x_ld + (g + i) * 4, sizeof group);
                x[i] = (TILE(ints)){0} + group;
            }
            acc[r][0] = (TILE(ints))TILE_DOT(acc[r][0], x, pair, 0);
            acc[r][1] = (TILE(ints))TILE_DOT(acc[r][1], x, pair, 1);
        }
    }
    TILE(floats) scale0, scale1, bias0, bias1;
    memcpy(&scale0, t->scale, sizeof scale0);
    memcpy(&scale1, t->scale + TILE_WIDTH, sizeof scale1);
    memcpy(&bias0, t->bias, sizeof bias0);
    memcpy(&bias1, t->bias + TILE_WIDTH, sizeof bias1);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        float edge[TILE(cols)], *to = t->cols < TILE(cols) ? edge : t->y + r * t->y_ld;
        TILE(floats)
        y0 = __builtin_convertvector(acc[r][0], TILE(floats)) * (scale0 * t->x_scale[r]) + bias0;
        TILE(floats)
        y1 = __builtin_convertvector(acc[r][1], TILE(floats)) * (scale1 * t->x_scale[r]) + bias1;
        memcpy(to, &y0, sizeof y0);
        memcpy(to + TILE_WIDTH, &y1, sizeof y1);
        if (t->cols < TILE(cols)) memcpy(t->y + r * t->y_ld, edge, sizeof(float) * (size_t)t->cols);
    }
}

#define TILE_ARG tile8
#include "cpu/cpu_tile_rows.h"

#undef TILE
#undef TILE_ALONE
#undef TILE_ARG
#undef TILE_ATTR
#undef TILE_WIDTH
#undef TILE_ROWS
#undef TILE_X
#undef TILE_GROUP
#undef TILE_SPAN
#undef TILE_ZERO
#undef TILE_W
#undef TILE_LOAD
#undef TILE_DOT
