/* SPDX-License-Identifier: Apache-2.0 */
/* rans.c - tables of rans.h. */
#include "memory/rans.h"

#include "r1_assert.h"

#include <string.h>

bool rans_table_link(rans_table *t)
{
    uint32_t at = 0;
    t->low = RANS_SYMBOLS - 1;
    t->high = 0;
    for (uint32_t s = 0; s < RANS_SYMBOLS; s++) {
        if (t->freq[s] > RANS_ONE - at) return false;
        t->start[s] = (uint16_t)at;
        for (uint32_t i = 0; i < t->freq[s]; i++) t->slot[at + i] = s << 24 | i << 11 | t->freq[s];
        at += t->freq[s];
        if (t->freq[s] && s < t->low) t->low = s;
        if (t->freq[s]) t->high = s;
    }
    return at == RANS_ONE;
}

void rans_table_fit(rans_table *t, const double *count, uint32_t low, uint32_t high)
{
    R1_ASSERT(low <= high && high < RANS_SYMBOLS, "range coder: symbols %u to %u of %d", low, high,
              RANS_SYMBOLS);
    double total = 0;
    uint32_t left = RANS_ONE, best = low, n = high - low + 1;
    memset(t, 0, sizeof *t);
    for (uint32_t s = low; s <= high; s++) total += count[s];
    for (uint32_t s = low; s <= high; s++) {
        double f = total > 0 ? count[s] / total : 1.0 / n;
        t->freq[s] = (uint16_t)(1 + f * (RANS_ONE - n));
        left -= t->freq[s];
        if (t->freq[s] > t->freq[best]) best = s;
    }
    if (total > 0)
        t->freq[best] = (uint16_t)(t->freq[best] + left);
    else
        for (uint32_t s = low; left > 0; s = s == high ? low : s + 1, left--) t->freq[s]++;
    bool whole = rans_table_link(t);
    R1_ASSERT(whole && t->low == low && t->high == high,
              "range coder: frequencies of symbols %u to %u do not add up to %d", low, high,
              RANS_ONE);
}
