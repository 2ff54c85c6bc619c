/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors/r1_vectors.h"

#include <errno.h>
#include <math.h>
#include <string.h>

uint16_t r1_half_of(float x)
{
    uint32_t bits, sign;
    memcpy(&bits, &x, sizeof bits);
    sign = bits >> 16 & 0x8000;
    float a = fabsf(x);
    if (!(a < 65520)) return (uint16_t)(sign | 0x7bff);
    int e;
    frexpf(a, &e);
    if (a == 0) e = -13;                 /* as below the normal ones */
    int step = (e < -13 ? -13 : e) - 11; /* eleven bits, fewer below 2^-14 */
    uint32_t m = (uint32_t)lrintf(ldexpf(a, -step));
    return (uint16_t)(sign | (m + ((uint32_t)(step + 24) << 10)));
}

float r1_half_value(uint16_t h)
{
    uint32_t e = h >> 10 & 31, m = h & 1023;
    float v = e == 0    ? ldexpf((float)m, -24)
              : e == 31 ? (m ? NAN : INFINITY)
                        : ldexpf((float)(m | 1024), (int)e - 25);
    return h >> 15 ? -v : v;
}

static r1_status open_one(FILE **f, const r1_vectors *v, const char *end, r1_err *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s%s", v->path, end);
    *f = fopen(path, "wbe");
    if (!*f) R1_FAIL(err, R1_E_IO, "%s: %s", path, strerror(errno));
    return R1_OK;
}

r1_status r1_vectors_open(r1_vectors *v, const char *dir, const char *name, r1_err *err)
{
    *v = (r1_vectors){0};
    snprintf(v->path, sizeof v->path, "%s/%s", dir, name);
    R1_TRY(open_one(&v->base, v, "_base.f16", err));
    return open_one(&v->queries, v, "_queries.f16", err);
}

void r1_vectors_put(r1_vectors *v, bool query, const float *row, size_t width, bool unit)
{
    FILE *to = query ? v->queries : v->base;
    double sum = 0;
    for (size_t i = 0; unit && i < width; i++) sum += (double)row[i] * (double)row[i];
    float scale = sum > 0 ? (float)(1 / sqrt(sum)) : 1;
    for (size_t i = 0; i < width; i++) {
        uint16_t h = r1_half_of(row[i] * scale);
        uint8_t bytes[2] = {(uint8_t)h, (uint8_t)(h >> 8)};
        fwrite(bytes, 1, 2, to);
    }
}

static bool close_one(FILE *f)
{
    if (!f) return true;
    bool bad = ferror(f) != 0;
    bad |= fclose(f) != 0;
    return !bad;
}

r1_status r1_vectors_close(r1_vectors *v, r1_err *err)
{
    bool good = close_one(v->base);
    good &= close_one(v->queries);
    v->base = v->queries = NULL;
    if (good) return R1_OK;
    R1_FAIL(err, R1_E_IO, "writing %s_*.f16: %s", v->path, strerror(errno));
}
