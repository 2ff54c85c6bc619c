/* SPDX-License-Identifier: Apache-2.0 */
/* med_slurp.c - reads files that users and publishers hand over. Owns the limits against
 * decompression bombs; knows nothing of what the bytes mean. */
#include "ontology/med_slurp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

typedef struct {
    char *data;
    size_t len, cap, max;
} growing;

static bool growing_room(growing *g)
{
    if (g->len + 65536 < g->cap) return true;
    size_t cap = g->cap ? g->cap * 2 : (size_t)1 << 20;
    if (cap > g->max + 131072) cap = g->max + 131072;
    if (g->len + 65536 >= cap) return false;
    char *p = realloc(g->data, cap);
    if (!p) return false;
    g->data = p;
    g->cap = cap;
    return true;
}

static r1_status slurp_gunzip(const char *path, const char *in, size_t n, growing *g, r1_err *err)
{
    z_stream z = {0};
    if (inflateInit2(&z, 15 + 32) != Z_OK) R1_FAIL(err, R1_E_NOMEM, "%s: cannot start zlib", path);
    z.next_in = (Bytef *)(uintptr_t)in;
    z.avail_in = (uInt)n;
    int rc = Z_OK;
    r1_status st = R1_OK;
    while (st == R1_OK && !(rc == Z_STREAM_END && z.avail_in == 0)) {
        if (rc == Z_STREAM_END && inflateReset(&z) != Z_OK) break;
        if (!growing_room(g)) {
            st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__,
                            "%s: unpacks to more than %zu bytes", path, g->max);
            break;
        }
        uInt room = (uInt)(g->cap - g->len - 1 > 1u << 30 ? 1u << 30 : g->cap - g->len - 1);
        z.next_out = (Bytef *)g->data + g->len;
        z.avail_out = room;
        rc = inflate(&z, Z_NO_FLUSH);
        g->len += room - z.avail_out;
        if (rc != Z_OK && rc != Z_STREAM_END)
            st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__,
                            "%s: damaged or truncated gzip data after %zu bytes", path, g->len);
    }
    inflateEnd(&z);
    return st;
}

static r1_status slurp_unzstd(const char *path, const char *data, size_t n, growing *g, r1_err *err)
{
    ZSTD_DStream *z = ZSTD_createDStream();
    if (!z) R1_FAIL(err, R1_E_NOMEM, "%s: cannot start zstd", path);
    ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, 27);
    ZSTD_inBuffer in = {data, n, 0};
    size_t want = 1;
    r1_status st = R1_OK;
    while (st == R1_OK && (in.pos < in.size || want != 0)) {
        if (!growing_room(g)) {
            st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__,
                            "%s: unpacks to more than %zu bytes", path, g->max);
            break;
        }
        ZSTD_outBuffer out = {g->data + g->len, g->cap - g->len - 1, 0};
        size_t before = in.pos;
        want = ZSTD_decompressStream(z, &out, &in);
        g->len += out.pos;
        bool stuck = in.pos == in.size && out.pos == 0 && before == in.pos && want != 0;
        if (ZSTD_isError(want) || stuck)
            st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__,
                            "%s: damaged or truncated zstd data after %zu bytes", path, g->len);
    }
    ZSTD_freeDStream(z);
    return st;
}

r1_status med_slurp(const char *path, size_t bytes_max, char **data, size_t *len, r1_err *err)
{
    char *raw = NULL;
    size_t n = 0;
    R1_TRY(r1_file_read(path, bytes_max, &raw, &n, err));
    bool gz = n > 2 && memcmp(raw, "\x1f\x8b", 2) == 0;
    bool zst = n > 4 && memcmp(raw, "\x28\xb5\x2f\xfd", 4) == 0;
    if (!gz && !zst) {
        *data = raw;
        *len = n;
        return R1_OK;
    }
    growing g = {.max = bytes_max};
    r1_status st = gz ? slurp_gunzip(path, raw, n, &g, err) : slurp_unzstd(path, raw, n, &g, err);
    free(raw);
    if (st != R1_OK) {
        free(g.data);
        return st;
    }
    g.data[g.len] = '\0';
    *data = g.data;
    *len = g.len;
    return R1_OK;
}

bool med_lines_next(med_lines *l, const char **line, size_t *len)
{
    if (l->at >= l->end) return false;
    const char *nl = memchr(l->at, '\n', (size_t)(l->end - l->at));
    const char *stop = nl ? nl : l->end;
    *line = l->at;
    *len = (size_t)(stop - l->at);
    if (*len && (*line)[*len - 1] == '\r') --*len;
    l->at = nl ? nl + 1 : l->end;
    l->number++;
    return true;
}

size_t med_split(const char *line, size_t len, char sep, med_field *field, size_t max)
{
    size_t n = 0;
    const char *p = line, *end = line + len;
    for (;;) {
        const char *q = p < end ? memchr(p, sep, (size_t)(end - p)) : NULL;
        const char *stop = q ? q : end;
        if (n < max) field[n] = (med_field){p, (size_t)(stop - p)};
        n++;
        if (!q) return n;
        p = q + 1;
    }
}
