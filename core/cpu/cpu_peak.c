/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_peak.c - see cpu_peak.h. */
#include "cpu/cpu_peak.h"

#include "r1_base.h"

#if defined __x86_64__
#include <immintrin.h>
#endif

enum { ROUNDS = 1 << 16, CHAINS = 10 }; /* ten independent chains hide the latency of two units */

#if defined __x86_64__
__attribute__((target("avx512f"), optimize("O3"))) static double fma512(void)
{
    __m512 a[CHAINS], m = _mm512_set1_ps(0.999f), c = _mm512_set1_ps(0.001f), sum = m;
    for (int i = 0; i < CHAINS; i++) a[i] = _mm512_set1_ps((float)i);
    for (int r = 0; r < ROUNDS; r++)
#pragma GCC unroll 10
        for (int i = 0; i < CHAINS; i++) a[i] = _mm512_fmadd_ps(a[i], m, c);
    for (int i = 0; i < CHAINS; i++) sum = _mm512_add_ps(sum, a[i]);
    return (double)_mm512_reduce_add_ps(sum);
}

__attribute__((target("avx2,fma"), optimize("O3"))) static double fma256(void)
{
    __m256 a[CHAINS], m = _mm256_set1_ps(0.999f), c = _mm256_set1_ps(0.001f), sum = m;
    for (int i = 0; i < CHAINS; i++) a[i] = _mm256_set1_ps((float)i);
    for (int r = 0; r < ROUNDS; r++)
#pragma GCC unroll 10
        for (int i = 0; i < CHAINS; i++) a[i] = _mm256_fmadd_ps(a[i], m, c);
    for (int i = 0; i < CHAINS; i++) sum = _mm256_add_ps(sum, a[i]);
    float out[8];
    _mm256_storeu_ps(out, sum);
    return (double)out[0] + (double)out[7];
}
#endif

static double scalar_loop(void)
{
    float a[CHAINS] = {0}, sum = 0;
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < CHAINS; i++) a[i] = a[i] * 0.999f + 0.001f;
    for (int i = 0; i < CHAINS; i++) sum += a[i];
    return (double)sum;
}

double r1_cpu_peak_gops(double seconds)
{
    double (*fn)(void) = scalar_loop, width = 1, best = 0;
    volatile double keep = 0; /* the sums must be wanted by someone */
#if defined __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        fn = fma512, width = 16;
    else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        fn = fma256, width = 8;
#endif
    for (int64_t until = r1_mono_us() + (int64_t)(seconds * 1e6); r1_mono_us() < until;) {
        int64_t began = r1_mono_us();
        keep = keep + fn() + fn() + fn() + fn();
        double gops = 4.0 * 2 * width * CHAINS * ROUNDS / ((double)(r1_mono_us() - began) * 1e3);
        if (gops > best) best = gops;
    }
    return best;
}
