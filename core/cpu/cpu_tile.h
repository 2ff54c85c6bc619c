/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_tile.h - one tile of a matrix product in registers, compiled once per instruction set:
 * cpu_product.c includes it with
 *
 *   TILE(name)   a name of this instruction set        TILE_V      a vector of TILE_WIDTH floats
 *   TILE_ATTR    the function's target                 TILE_ROWS   rows of the largest tile
 *   TILE_SET1(f) all of a vector                       TILE_FMA(a, b, c)  a * b + c;
 *                                                      of pairs: c + both products
 *
 * A tile has two vectors of columns. Each result is one chain of multiply-adds over k in rising
 * order, whatever the number of rows: that is why a row's bits do not depend on the rows beside
 * it. */

enum { TILE(cols) = 2 * TILE_WIDTH };

TILE_ATTR static inline __attribute__((always_inline)) void TILE(run)(const int rows,
                                                                      const r1_tile *t)
{
    TILE_V acc[TILE_ROWS][2];
    float edge[TILE(cols)];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        const float *from = t->start ? t->start : t->y + r * t->y_ld;
        if (t->cols < TILE(cols) && !t->start)
            from = memcpy(edge, from, sizeof(float) * (size_t)t->cols);
        memcpy(&acc[r][0], from, sizeof(TILE_V));
        memcpy(&acc[r][1], from + TILE_WIDTH, sizeof(TILE_V));
    }
    const float *w = t->panel;
    for (int64_t k = 0; k < t->k; k++, w += TILE(cols)) {
        TILE_V b0, b1;
        memcpy(&b0, w, sizeof b0);
        memcpy(&b1, w + TILE_WIDTH, sizeof b1);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            TILE_V a = TILE_SET1(t->x[r * t->x_ld + k]);
            acc[r][0] = TILE_FMA(a, b0, acc[r][0]);
            acc[r][1] = TILE_FMA(a, b1, acc[r][1]);
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        float *to = t->cols < TILE(cols) ? edge : t->y + r * t->y_ld;
        memcpy(to, &acc[r][0], sizeof(TILE_V));
        memcpy(to + TILE_WIDTH, &acc[r][1], sizeof(TILE_V));
        if (t->cols < TILE(cols)) memcpy(t->y + r * t->y_ld, edge, sizeof(float) * (size_t)t->cols);
    }
}

#define TILE_ARG r1_tile
#include "cpu/cpu_tile_rows.h"

#undef TILE
#undef TILE_ARG
#undef TILE_ATTR
#undef TILE_V
#undef TILE_WIDTH
#undef TILE_ROWS
#undef TILE_SET1
#undef TILE_FMA
