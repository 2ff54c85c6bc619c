/* SPDX-License-Identifier: Apache-2.0 */
/* rans.c - tables of rans.h. */
#include "memory/rans.h"

#include <string.h>

bool rans_table_link(rans_table *t)
{
    uint32_t at = 0;
    for (uint32_t s = 0; s < RANS_SYMBOLS; s++) {
        if (t->freq[s] > RANS_ONE - at) return false;
        t->start[s] = (uint16_t)at;
        for (uint32_t i = 0; i < t->freq[s]; i++) t->slot[at + i] = s << 24 | i << 11 | t->freq[s];
        at += t->freq[s];
    }
    return at == RANS_ONE;
}

void rans_table_fit(rans_table *t, const double *count, uint32_t n_symbol)
{
    double total = 0;
    uint32_t left = RANS_ONE, best = 0;
    memset(t, 0, sizeof *t);
    for (uint32_t s = 0; s < n_symbol; s++) total += count[s];
    for (uint32_t s = 0; s < n_symbol; s++) {
        double f = total > 0 ? count[s] / total : 1.0 / n_symbol;
        t->freq[s] = (uint16_t)(1 + f * (RANS_ONE - n_symbol));
        left -= t->freq[s];
        if (t->freq[s] > t->freq[best]) best = s;
    }
    if (total > 0)
        t->freq[best] = (uint16_t)(t->freq[best] + left);
    else
        for (uint32_t s = 0; left > 0; s = (s + 1) % n_symbol, left--) t->freq[s]++;
    rans_table_link(t);
}
