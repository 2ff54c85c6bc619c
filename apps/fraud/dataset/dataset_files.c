/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dataset_files.c - finds and reads the files of a data set. */
#include "dataset/dataset_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

static r1_status inflate_zst(const char *path, char **data, size_t *len, r1_err *err)
{
    unsigned long long full = ZSTD_getFrameContentSize(*data, *len);
    if (full == ZSTD_CONTENTSIZE_ERROR) R1_FAIL(err, R1_E_FORMAT, "%s: not a zstd file", path);
    size_t cap = full == ZSTD_CONTENTSIZE_UNKNOWN ? *len * 40 + 65536 : (size_t)full;
    if (cap > FRAUD_DATASET_BYTES_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s: more than %zu bytes", path, FRAUD_DATASET_BYTES_MAX);
    char *out = malloc(cap + 1);
    if (!out) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for %zu bytes", path, cap);
    size_t n = ZSTD_decompress(out, cap, *data, *len);
    if (ZSTD_isError(n)) {
        free(out);
        R1_FAIL(err, R1_E_FORMAT, "%s: %s", path, ZSTD_getErrorName(n));
    }
    free(*data);
    out[n] = 0;
    *data = out;
    *len = n;
    return R1_OK;
}

r1_status fraud_file_read(const char *path, char **data, size_t *len, r1_err *err)
{
    R1_TRY(r1_file_read(path, FRAUD_DATASET_BYTES_MAX, data, len, err));
    size_t n = strlen(path);
    if (n < 4 || strcmp(path + n - 4, ".zst")) return R1_OK;
    r1_status st = inflate_zst(path, data, len, err);
    if (st != R1_OK) free(*data);
    return st;
}

static bool is_file(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISREG(st.st_mode);
}

r1_status fraud_dataset_locate(const char *path, const char *name, char *out, size_t cap,
                               r1_err *err)
{
    snprintf(out, cap, "%s", path);
    if (is_file(out)) return R1_OK;
    snprintf(out, cap, "%s/%s", path, name);
    if (is_file(out)) return R1_OK;
    snprintf(out, cap, "%s/%s.zst", path, name);
    if (is_file(out)) return R1_OK;
    R1_FAIL(err, R1_E_NOT_FOUND,
            "%s: expected this file, or %s[.zst] in this folder, found neither", path, name);
}

r1_status fraud_dataset_file(const char *path, const char *name, char *at, size_t at_bytes,
                             char **data, size_t *len, r1_err *err)
{
    R1_TRY(fraud_dataset_locate(path, name, at, at_bytes, err));
    return fraud_file_read(at, data, len, err);
}
