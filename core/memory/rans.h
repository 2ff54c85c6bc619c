/* SPDX-License-Identifier: Apache-2.0 */
/* rans.h - range coding with asymmetric numeral systems (Duda 2014): static tables of 1,024
 * parts, a state of 24 bits that takes in bytes. The state does not start empty: it carries
 * RANS_FREE bits of the caller's, which come out at the end.
 *
 * Encoding runs backwards: the last symbol that the decoder will see goes first, and bytes are
 * written from the end of the buffer to its start. A decoder never reads outside [p, end): past
 * the end it sees zeros. */
#ifndef MEMORY_RANS_H
#define MEMORY_RANS_H

#include "r1_base.h"

enum {
    RANS_BITS = 10,
    RANS_ONE = 1 << RANS_BITS,
    RANS_LOW = 1 << 15,
    RANS_FREE = 12,
    RANS_SYMBOLS = 256
};

/* Frequencies of symbols 0..RANS_SYMBOLS-1, sum RANS_ONE; 0: never coded. */
typedef struct {
    uint16_t freq[RANS_SYMBOLS], start[RANS_SYMBOLS];
    uint32_t low, high; /* least and largest symbol that is coded at all */
    /* symbol << 24 | (slot - start) << 11 | freq: all that a decoder needs */
    uint32_t slot[RANS_ONE];
} rans_table;

typedef struct {
    uint8_t *p, *low; /* bytes are written below p, never below low */
    uint32_t x;
    bool full;
} rans_encoder;

typedef struct {
    const uint8_t *p, *end;
    uint32_t x;
} rans_decoder;

/* Every symbol in low..high gets at least one part; others cannot be coded (see rans_clamp). */
void rans_table_fit(rans_table *t, const double *count, uint32_t low, uint32_t high);
/* From freq alone; false where they do not add up. */
bool rans_table_link(rans_table *t);

static inline uint32_t rans_clamp(const rans_table *t, int symbol)
{
    return symbol < (int)t->low ? t->low : symbol > (int)t->high ? t->high : (uint32_t)symbol;
}

static inline void rans_begin(rans_encoder *e, uint8_t *low, uint8_t *end, uint32_t carried)
{
    *e = (rans_encoder){end, low, RANS_LOW | (carried << (15 - RANS_FREE)), false};
}

static inline void rans_out(rans_encoder *e, uint32_t byte)
{
    if (e->p == e->low)
        e->full = true;
    else
        *--e->p = (uint8_t)byte;
}

static inline void rans_put(rans_encoder *e, const rans_table *t, uint32_t symbol)
{
    uint32_t f = t->freq[symbol];
    if (!f) { /* the table has no room for it: the code is void */
        e->full = true;
        return;
    }
    while (e->x >= f << (23 - RANS_BITS)) {
        rans_out(e, e->x & 255);
        e->x >>= 8;
    }
    e->x = ((e->x / f) << RANS_BITS) + e->x % f + t->start[symbol];
}

/* The code is [e->p, end) afterwards. */
static inline void rans_finish(rans_encoder *e)
{
    for (int i = 0; i < 3; i++, e->x >>= 8) rans_out(e, e->x & 255);
}

static inline uint32_t rans_byte(rans_decoder *d) { return d->p < d->end ? *d->p++ : 0; }

static inline void rans_open(rans_decoder *d, const uint8_t *p, const uint8_t *end)
{
    *d = (rans_decoder){p, end, 0};
    for (int i = 0; i < 3; i++) d->x = d->x << 8 | rans_byte(d);
}

static inline uint32_t rans_get(rans_decoder *d, const rans_table *t)
{
    uint32_t s = t->slot[d->x & (RANS_ONE - 1)];
    d->x = (s & 2047) * (d->x >> RANS_BITS) + (s >> 11 & 1023);
    /* Always but for the last two bytes; then without a branch that depends on the data. */
    if (d->p + 2 <= d->end) {
        uint32_t n = (uint32_t)(d->x < RANS_LOW) + (uint32_t)(d->x < RANS_LOW >> 8);
        uint32_t next = (uint32_t)d->p[0] << 8 | d->p[1];
        d->x = d->x << (8 * n) | next >> (16 - 8 * n);
        d->p += n;
    } else {
        for (int i = 0; i < 2 && d->x < RANS_LOW; i++) d->x = d->x << 8 | rans_byte(d);
    }
    return s >> 24;
}

/* The same on bytes that may be read two past each symbol's need: the caller keeps room behind
 * them. */
static inline uint32_t rans_next(uint32_t *x, const uint8_t **p, const uint32_t *slot)
{
    uint32_t s = slot[*x & (RANS_ONE - 1)], v = (s & 2047) * (*x >> RANS_BITS) + (s >> 11 & 1023);
    uint32_t n = (uint32_t)(v < RANS_LOW) + (uint32_t)(v < RANS_LOW >> 8),
             next = (uint32_t)(*p)[0] << 8 | (*p)[1];
    *x = v << (8 * n) | next >> (16 - 8 * n);
    *p += n;
    return s >> 24;
}

/* What rans_begin was given; meaningless for damaged bytes. */
static inline uint32_t rans_carried(const rans_decoder *d)
{
    return d->x >> (15 - RANS_FREE) & ((1u << RANS_FREE) - 1);
}

#endif
