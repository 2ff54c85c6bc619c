/* SPDX-License-Identifier: Apache-2.0 */
/* sum.c - see sum.h. */
#include "model/sum.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUM_PATH_BYTES = 4200, SUM_BYTES_MAX = 256 };

static r1_status sum_path(const char *path, char out[SUM_PATH_BYTES], r1_err *err)
{
    if (snprintf(out, SUM_PATH_BYTES, "%s.sum", path) < SUM_PATH_BYTES) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "%.80s...: a path of at most %d bytes", path, SUM_PATH_BYTES - 5);
}

static void sum_text(const void *data, size_t len, char out[40])
{
    snprintf(out, 40, "%016llx %zu", (unsigned long long)r1_hash64(data, len, 0), len);
}

static bool sum_has(const char *lines, const char *want)
{
    size_t n = strlen(want);
    while (*lines) {
        size_t line = strcspn(lines, "\r\n");
        if (line == n && !memcmp(lines, want, n)) return true;
        lines += line + strspn(lines + line, "\r\n");
    }
    return false;
}

r1_status r1_sum_check(const char *path, const void *data, size_t len, bool *there, r1_err *err)
{
    char beside[SUM_PATH_BYTES], want[40], *found;
    size_t n;
    R1_TRY(sum_path(path, beside, err));
    *there = access(beside, F_OK) == 0;
    if (!*there) return R1_OK;
    R1_TRY(r1_file_read(beside, SUM_BYTES_MAX, &found, &n, err));
    sum_text(data, len, want);
    bool same = sum_has(found, want);
    found[strcspn(found, "\r\n")] = 0;
    r1_status st = R1_OK;
    if (!same)
        st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__,
                        "expected the bytes that %s was made of (%.40s), found %s: the file is "
                        "damaged or was changed, get both files again",
                        beside, found, want);
    free(found);
    return st;
}

r1_status r1_sum_write(const char *path, const void *data, size_t len, r1_err *err)
{
    char beside[SUM_PATH_BYTES], text[48];
    R1_TRY(sum_path(path, beside, err));
    sum_text(data, len, text);
    size_t n = strlen(text);
    text[n] = '\n';
    return r1_file_write(beside, text, n + 1, err);
}

/* The first line of the checksum that is there, if any, behind the new one. */
static r1_status sum_announce(const char *path, const void *data, size_t len, r1_err *err)
{
    char beside[SUM_PATH_BYTES], text[128], new_sum[40], *old = NULL;
    size_t n;
    R1_TRY(sum_path(path, beside, err));
    if (access(beside, F_OK) != 0) return R1_OK;
    R1_TRY(r1_file_read(beside, SUM_BYTES_MAX, &old, &n, err));
    old[strcspn(old, "\r\n")] = 0;
    sum_text(data, len, new_sum);
    int bytes = snprintf(text, sizeof text, "%s\n%.48s\n", new_sum, old);
    free(old);
    return r1_file_write(beside, text, (size_t)bytes, err);
}

r1_status r1_sum_save(const char *path, const void *data, size_t len, r1_err *err)
{
    R1_TRY(sum_announce(path, data, len, err));
    R1_TRY(r1_file_write(path, data, len, err));
    return r1_sum_write(path, data, len, err);
}
