/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_tile_rows.h - the number of rows of a tile as a constant, so that its sums stay in
 * registers: cpu_tile.h and cpu_tile8.h end with it (their macros, and TILE_ARG, the struct of
 * one tile). */

/* rows is 1..TILE_ROWS */
TILE_ATTR static void TILE(any)(int rows, const TILE_ARG *t)
{
    switch (rows) {
    case 1: TILE(run)(1, t); return;
    case 2: TILE(run)(2, t); return;
    case 3: TILE(run)(3, t); return;
    case 4: TILE(run)(4, t); return;
#if TILE_ROWS > 4
    case 5: TILE(run)(5, t); return;
    case 6: TILE(run)(6, t); return;
#endif
#if TILE_ROWS > 6
    case 7: TILE(run)(7, t); return;
    case 8: TILE(run)(8, t); return;
    case 9: TILE(run)(9, t); return;
    case 10: TILE(run)(10, t); return;
    case 11: TILE(run)(11, t); return;
    case 12: TILE(run)(12, t); return;
#endif
    default: return;
    }
}
