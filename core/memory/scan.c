/* SPDX-License-Identifier: Apache-2.0 */
/* scan.c - see scan.h. Thirty-two running sums in a fixed order, without fused multiply-adds:
 * that is what makes the twins agree to the bit. */
#include "memory/scan.h"

#include "base/isa.h"
#include "memory/rans.h"

#include <pthread.h>
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

static float dot_portable(const float *a, const float *b, uint32_t n)
{
    float s[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) s[k] += a[i + k] * b[i + k];
    for (int k = 0; i < n; i++, k++) s[k] += a[i] * b[i];
    return lane_sum(s);
}

static float dot16_portable(const int16_t *a, const float *b, uint32_t n)
{
    float s[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) s[k] += (float)a[i + k] * b[i + k];
    for (int k = 0; i < n; i++, k++) s[k] += (float)a[i] * b[i];
    return lane_sum(s);
}

static void sketch_portable(const uint8_t *block, const uint8_t *lut, uint32_t n_axis,
                            uint16_t *out)
{
    memset(out, 0, sizeof *out * SCAN_ROWS);
    for (uint32_t j = 0; j < n_axis / 2; j++)
        for (int r = 0; r < SCAN_ROWS; r++) {
            uint8_t b = block[j * SCAN_ROWS + r];
            out[r] = (uint16_t)(out[r] + lut[32 * j + (b & 15)] + lut[32 * j + 16 + (b >> 4)]);
        }
}

static void turn_portable(const int16_t *symbol, int16_t less, int16_t *z, size_t stride, size_t n)
{
    for (size_t r = 0; r < n; r++)
        for (size_t a = 0; a < 8; a++)
            z[r * stride + a] = (int16_t)(symbol[a * SCAN_ROWS + r] - less);
}

static void symbols_portable(const uint32_t *slot, const uint32_t *table, uint32_t *x, uint32_t *at,
                             const uint8_t *bytes, int16_t *symbol)
{
    for (int r = 0; r < SCAN_ROWS; r++) {
        const uint8_t *p = bytes + at[r];
        symbol[r] = (int16_t)rans_next(&x[r], &p, slot + table[r]);
        at[r] = (uint32_t)(p - bytes);
    }
}

static const scan_kernels portable = {"portable",      dot_portable,     dot16_portable,
                                      sketch_portable, symbols_portable, turn_portable};
const scan_kernels *scan_portable(void) { return &portable; }

#if defined __x86_64__
__attribute__((target("avx2"))) static float dot_avx2(const float *a, const float *b, uint32_t n)
{
    __m256 s[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                   _mm256_setzero_ps()};
    float lane[LANES];
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (uint32_t k = 0; k < 4; k++)
            s[k] = _mm256_add_ps(s[k], _mm256_mul_ps(_mm256_loadu_ps(a + i + 8 * k),
                                                     _mm256_loadu_ps(b + i + 8 * k)));
    for (uint32_t k = 0; k < 4; k++) _mm256_storeu_ps(lane + 8 * k, s[k]);
    for (int k = 0; i < n; i++, k++) lane[k] += a[i] * b[i];
    return lane_sum(lane);
}

__attribute__((target("avx2"))) static float dot16_avx2(const int16_t *a, const float *b,
                                                        uint32_t n)
{
    __m256 s[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                   _mm256_setzero_ps()};
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
__attribute__((target("avx2"))) static void sketch_avx2(const uint8_t *block, const uint8_t *lut,
                                                        uint32_t n_axis, uint16_t *out)
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
        even = _mm256_add_epi16(
            even, _mm256_add_epi16(_mm256_and_si256(x, low_byte), _mm256_and_si256(y, low_byte)));
        odd = _mm256_add_epi16(odd,
                               _mm256_add_epi16(_mm256_srli_epi16(x, 8), _mm256_srli_epi16(y, 8)));
    }
    __m256i low = _mm256_unpacklo_epi16(even, odd), high = _mm256_unpackhi_epi16(even, odd);
    _mm256_storeu_si256((__m256i *)(void *)out, _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256((__m256i *)(void *)(out + 16), _mm256_permute2x128_si256(low, high, 0x31));
}

/* Eight rows at a time: pairs, fours, eights of axes are woven together. */
__attribute__((target("avx2"))) static void turn_avx2(const int16_t *symbol, int16_t less,
                                                      int16_t *z, size_t stride, size_t n)
{
    for (size_t first = 0; first < n; first += 8) {
        __m128i v[8], w[8];
        for (int a = 0; a < 8; a++) {
            const __m128i *from =
                (const __m128i *)(const void *)(symbol + (size_t)a * SCAN_ROWS + first);
            v[a] = _mm_sub_epi16(_mm_loadu_si128(from), _mm_set1_epi16(less));
        }
        for (int a = 0; a < 4; a++) {
            w[2 * a] = _mm_unpacklo_epi16(v[2 * a], v[2 * a + 1]);
            w[2 * a + 1] = _mm_unpackhi_epi16(v[2 * a], v[2 * a + 1]);
        }
        for (int a = 0; a < 2; a++)
            for (int half = 0; half < 2; half++) {
                v[4 * a + 2 * half] = _mm_unpacklo_epi32(w[4 * a + half], w[4 * a + 2 + half]);
                v[4 * a + 2 * half + 1] = _mm_unpackhi_epi32(w[4 * a + half], w[4 * a + 2 + half]);
            }
        for (size_t pair = 0; pair < 4; pair++) {
            __m128i even = _mm_unpacklo_epi64(v[pair], v[4 + pair]),
                    odd = _mm_unpackhi_epi64(v[pair], v[4 + pair]);
            if (first + 2 * pair < n)
                _mm_storeu_si128((__m128i *)(void *)(z + (first + 2 * pair) * stride), even);
            if (first + 2 * pair + 1 < n)
                _mm_storeu_si128((__m128i *)(void *)(z + (first + 2 * pair + 1) * stride), odd);
        }
    }
}

__attribute__((target("avx2"))) static void symbols_avx2(const uint32_t *slot,
                                                         const uint32_t *table, uint32_t *x,
                                                         uint32_t *at, const uint8_t *bytes,
                                                         int16_t *symbol)
{
    const __m256i low = _mm256_set1_epi32(RANS_ONE - 1), freq = _mm256_set1_epi32(2047),
                  one = _mm256_set1_epi32(RANS_LOW), two = _mm256_set1_epi32(RANS_LOW >> 8),
                  sixteen = _mm256_set1_epi32(16),
                  turn = _mm256_setr_epi8(1, 0, -1, -1, 5, 4, -1, -1, 9, 8, -1, -1, 13, 12, -1, -1,
                                          1, 0, -1, -1, 5, 4, -1, -1, 9, 8, -1, -1, 13, 12, -1, -1);
    for (int r = 0; r < SCAN_ROWS; r += 8) {
        __m256i state = _mm256_loadu_si256((const __m256i *)(const void *)(x + r));
        __m256i place = _mm256_loadu_si256((const __m256i *)(const void *)(at + r));
        __m256i index =
            _mm256_add_epi32(_mm256_and_si256(state, low),
                             _mm256_loadu_si256((const __m256i *)(const void *)(table + r)));
        __m256i s = _mm256_i32gather_epi32((const int *)(const void *)slot, index, 4);
        __m256i next = _mm256_i32gather_epi32((const int *)(const void *)bytes, place, 1);
        __m256i v =
            _mm256_mullo_epi32(_mm256_and_si256(s, freq), _mm256_srli_epi32(state, RANS_BITS));
        v = _mm256_add_epi32(v, _mm256_and_si256(_mm256_srli_epi32(s, 11), low));
        __m256i minus = _mm256_add_epi32(_mm256_cmpgt_epi32(one, v),
                                         _mm256_cmpgt_epi32(two, v)); /* bytes taken, negated */
        __m256i bits = _mm256_slli_epi32(_mm256_sub_epi32(_mm256_setzero_si256(), minus), 3);
        next = _mm256_srlv_epi32(_mm256_shuffle_epi8(next, turn), _mm256_sub_epi32(sixteen, bits));
        _mm256_storeu_si256((__m256i *)(void *)(x + r),
                            _mm256_or_si256(_mm256_sllv_epi32(v, bits), next));
        _mm256_storeu_si256((__m256i *)(void *)(at + r), _mm256_sub_epi32(place, minus));
        __m256i sym = _mm256_srli_epi32(s, 24);
        sym = _mm256_permute4x64_epi64(_mm256_packs_epi32(sym, sym), 0xd8);
        _mm_storeu_si128((__m128i *)(void *)(symbol + r), _mm256_castsi256_si128(sym));
    }
}

static const scan_kernels avx2 = {"avx2",      dot_avx2,     dot16_avx2,
                                  sketch_avx2, symbols_avx2, turn_avx2};
#endif

static const scan_kernels *chosen = &portable;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void scan_choose(void)
{
#if defined __x86_64__
    r1_isa isa = R1_ISA_AVX2;
    r1_isa_given(&isa);
    bool plain = isa == R1_ISA_PORTABLE || isa == R1_ISA_WIDE || isa == R1_ISA_WIDEBF16;
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && !plain) chosen = &avx2;
#endif
}

const scan_kernels *scan_best(void)
{
    pthread_once(&once, scan_choose);
    return chosen;
}
