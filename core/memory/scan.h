/* SPDX-License-Identifier: Apache-2.0 */
/* scan.h - the loops that a search spends its time in, for AVX2 and in plain C. Both give the
 * same bits. */
#ifndef MEMORY_SCAN_H
#define MEMORY_SCAN_H

#include "r1_base.h"

enum { SCAN_ROWS = 32 }; /* rows of one sketch block, and codes that are decoded together */

typedef struct {
    const char *name;
    float (*dot)(const float *a, const float *b, uint32_t n);
    float (*dot16)(const int16_t *a, const float *b, uint32_t n);
    /* block: [n_axis / 2][32] bytes, the bins of axes 2j (low half) and 2j + 1 of 32 rows; lut:
     * [n_axis][16]. out[r] = sum over axes of lut[axis][bin of r]; n_axis even, at most 64, so
     * that 16 bits hold the sum. */
    void (*sketch)(const uint8_t *block, const uint8_t *lut, uint32_t n_axis, uint16_t *out);
    /* One symbol of each of SCAN_ROWS codes, as rans_next has it: row r's table lies at slot +
     * table[r], x are the states, at where each goes on in bytes, of which four are read there. */
    void (*symbols)(const uint32_t *slot, const uint32_t *table, uint32_t *x, uint32_t *at,
                    const uint8_t *bytes, int16_t *symbol);
    /* z[r * stride + a] = symbol[a][r] - less for eight axes a and the first n rows r of
     * symbol[8][SCAN_ROWS]. */
    void (*turn)(const int16_t *symbol, int16_t less, int16_t *z, size_t stride, size_t n);
} scan_kernels;

const scan_kernels *scan_portable(void);
/* The best that this processor has, or what R1_ISA names (base/isa.h): all but portable, wide and
 * widebf16 mean AVX2 here. */
const scan_kernels *scan_best(void);

#endif
