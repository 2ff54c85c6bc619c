/* SPDX-License-Identifier: Apache-2.0 */
/* scan.c - see scan.h. Thirty-two running sums in a fixed order, without fused multiply-adds: that is what makes the twins
 * agree to the bit. */
#include "memory/scan.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined __x86_64__
#include <immintrin.h>
#endif

enum { LANES = 32 };

static float lane_sum(const float *s)
{
    float t[8];
    for (int k = 0; k < 8; k++) t[k] = (s[k] + s[k + 16]) + (s[k + 8] + s[k + 24]);
    return ((t[0] + t[4]) + (t[2] + t[6])) + ((t[1] + t[5]) + (t[3] + t[7]));
}

static float dot_scalar(const float *a, const float *b, uint32_t n)
{
    float s[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) s[k] += a[i + k] * b[i + k];
    for (int k = 0; i < n; i++, k++) s[k] += a[i] * b[i];
    return lane_sum(s);
}

static float dot16_scalar(const int16_t *a, const float *b, uint32_t n)
{
    float s[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) s[k] += (float)a[i + k] * b[i + k];
    for (int k = 0; i < n; i++, k++) s[k] += (float)a[i] * b[i];
    return lane_sum(s);
}

static void sketch_scalar(const uint8_t *block, const uint8_t *lut, uint32_t n_axis, uint16_t *out)
{
    memset(out, 0, sizeof *out * SCAN_ROWS);
    for (uint32_t j = 0; j < n_axis / 2; j++)
        for (int r = 0; r < SCAN_ROWS; r++) {
            uint8_t b = block[j * SCAN_ROWS + r];
            out[r] = (uint16_t)(out[r] + lut[32 * j + (b & 15)] + lut[32 * j + 16 + (b >> 4)]);
        }
}

static const scan_kernels scalar = {"scalar", dot_scalar, dot16_scalar, sketch_scalar};
const scan_kernels *scan_scalar(void) { return &scalar; }

#if defined __x86_64__
__attribute__((target("avx2"))) static float dot_avx2(const float *a, const float *b, uint32_t n)
{
    __m256 s[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
    float lane[LANES];
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (uint32_t k = 0; k < 4; k++)
            s[k] = _mm256_add_ps(s[k], _mm256_mul_ps(_mm256_loadu_ps(a + i + 8 * k), _mm256_loadu_ps(b + i + 8 * k)));
    for (uint32_t k = 0; k < 4; k++) _mm256_storeu_ps(lane + 8 * k, s[k]);
    for (int k = 0; i < n; i++, k++) lane[k] += a[i] * b[i];
    return lane_sum(lane);
}

__attribute__((target("avx2"))) static float dot16_avx2(const int16_t *a, const float *b, uint32_t n)
{
    __m256 s[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
    float lane[LANES];
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (uint32_t k = 0; k < 4; k++) {
            __m128i z = _mm_loadu_si128((const __m128i *)(const void *)(a + i + 8 * k));
            __m256 x = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(z));
            s[k] = _mm256_add_ps(s[k], _mm256_mul_ps(x, _mm256_loadu_ps(b + i + 8 * k)));
        }
    for (uint32_t k = 0; k < 4; k++) _mm256_storeu_ps(lane + 8 * k, s[k]);
    for (int k = 0; i < n; i++, k++) lane[k] += (float)a[i] * b[i];
    return lane_sum(lane);
}

/* Even and odd rows gather in 16-bit lanes apart, and are woven together at the end. */
__attribute__((target("avx2"))) static void sketch_avx2(const uint8_t *block, const uint8_t *lut, uint32_t n_axis,
                                                        uint16_t *out)
{
    const __m256i nibble = _mm256_set1_epi8(15), low_byte = _mm256_set1_epi16(255);
    __m256i even = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
    for (uint32_t j = 0; j < n_axis / 2; j++) {
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(block + j * SCAN_ROWS));
        __m256i both = _mm256_loadu_si256((const __m256i *)(const void *)(lut + 32 * j));
        __m256i first = _mm256_permute2x128_si256(both, both, 0x00),
                second = _mm256_permute2x128_si256(both, both, 0x11);
        __m256i x = _mm256_shuffle_epi8(first, _mm256_and_si256(b, nibble));
        __m256i y = _mm256_shuffle_epi8(second, _mm256_and_si256(_mm256_srli_epi16(b, 4), nibble));
        even = _mm256_add_epi16(even, _mm256_add_epi16(_mm256_and_si256(x, low_byte), _mm256_and_si256(y, low_byte)));
        odd = _mm256_add_epi16(odd, _mm256_add_epi16(_mm256_srli_epi16(x, 8), _mm256_srli_epi16(y, 8)));
    }
    __m256i low = _mm256_unpacklo_epi16(even, odd), high = _mm256_unpackhi_epi16(even, odd);
    _mm256_storeu_si256((__m256i *)(void *)out, _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256((__m256i *)(void *)(out + 16), _mm256_permute2x128_si256(low, high, 0x31));
}

static const scan_kernels avx2 = {"avx2", dot_avx2, dot16_avx2, sketch_avx2};
#endif

static const scan_kernels *chosen = &scalar;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose(void)
{
#if defined __x86_64__
    const char *isa = getenv("R1_ISA");
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && !(isa && strcmp(isa, "scalar") == 0)) chosen = &avx2;
#endif
}

const scan_kernels *scan_best(void)
{
    pthread_once(&once, choose);
    return chosen;
}
