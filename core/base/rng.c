/* SPDX-License-Identifier: Apache-2.0 */
/* rng.c - xoshiro256++ 1.0 (Blackman and Vigna 2019) and a 64-bit hash with a splitmix64 finish. */
#include "r1_base.h"

#include <math.h>
#include <string.h>

static uint64_t rng_rotl(uint64_t x, int k) { return x << k | x >> (64 - k); }

static uint64_t rng_splitmix64(uint64_t *x)
{
    uint64_t z = *x += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void r1_rng_seed(r1_rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) r->s[i] = rng_splitmix64(&seed);
}

uint64_t r1_rng_u64(r1_rng *r)
{
    uint64_t *s = r->s, result = rng_rotl(s[0] + s[3], 23) + s[0], t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rng_rotl(s[3], 45);
    return result;
}

uint64_t r1_rng_below(r1_rng *r, uint64_t n)
{
    uint64_t limit = (uint64_t)-n % n,
             x; /* 2^64 mod n: numbers below it would be counted once too often */
    do x = r1_rng_u64(r);
    while (x < limit);
    return x % n;
}

double r1_rng_unit(r1_rng *r) { return (double)(r1_rng_u64(r) >> 11) * 0x1p-53; }

double r1_rng_normal(r1_rng *r)
{
    double u = 1.0 - r1_rng_unit(r), v = r1_rng_unit(r); /* Box and Muller 1958; u is never 0 */
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

double r1_rng_exponential(r1_rng *r, double mean) { return -mean * log(1.0 - r1_rng_unit(r)); }

uint64_t r1_hash64(const void *data, size_t len, uint64_t seed)
{
    const unsigned char *p = data;
    uint64_t h = seed ^ len * 0x9e3779b97f4a7c15u, w;
    for (; len >= 8; p += 8, len -= 8) {
        memcpy(&w, p, 8);
        h = rng_rotl((h ^ w) * 0x9fb21c651e98df25u, 29);
    }
    w = 0;
    for (size_t i = 0; i < len; i++) w |= (uint64_t)p[i] << (8 * i);
    h ^= w;
    return rng_splitmix64(&h);
}
