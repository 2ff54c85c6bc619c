/* SPDX-License-Identifier: GPL-3.0-or-later */
/* row_archive.c - see row_archive.h. */
#include "retain/row_archive.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

enum { LEVEL = 6, CHUNK = 1 << 17, PATH_BYTES = 4096 };

struct fraud_archive {
    char path[PATH_BYTES], trial[PATH_BYTES + 8];
    FILE *file;
    ZSTD_CStream *z;
    char out[CHUNK];
    uint64_t rows, bytes;
};

static void archive_release(fraud_archive *a)
{
    if (a->file) fclose(a->file);
    ZSTD_freeCStream(a->z);
    free(a);
}

r1_status fraud_archive_new(fraud_archive **out, const char *path, r1_err *err)
{
    fraud_archive *a = calloc(1, sizeof *a);
    if (a) a->z = ZSTD_createCStream();
    if (!a || !a->z) {
        if (a) archive_release(a);
        R1_FAIL(err, R1_E_NOMEM, "no memory for an archive");
    }
    snprintf(a->path, sizeof a->path, "%s", path);
    snprintf(a->trial, sizeof a->trial, "%s.tmp", a->path);
    ZSTD_CCtx_setParameter(a->z, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(a->z, ZSTD_c_checksumFlag, 1);
    a->file = fopen(a->trial, "wbx");
    if (!a->file && errno == EEXIST && unlink(a->trial) == 0) a->file = fopen(a->trial, "wbx");
    if (!a->file) {
        int why = errno;
        archive_release(a);
        R1_FAIL(err, R1_E_IO, "%s: cannot write: %s", path, strerror(why));
    }
    *out = a;
    return R1_OK;
}

static r1_status archive_compress(fraud_archive *a, const char *bytes, size_t len,
                                  ZSTD_EndDirective end, r1_err *err)
{
    ZSTD_inBuffer in = {bytes, len, 0};
    for (size_t left = 1; left || in.pos < in.size;) {
        ZSTD_outBuffer to = {a->out, CHUNK, 0};
        left = ZSTD_compressStream2(a->z, &to, &in, end);
        if (ZSTD_isError(left)) R1_FAIL(err, R1_E_IO, "%s: %s", a->path, ZSTD_getErrorName(left));
        if (fwrite(a->out, 1, to.pos, a->file) != to.pos)
            R1_FAIL(err, R1_E_IO, "%s: cannot write: %s", a->path, strerror(errno));
        if (end == ZSTD_e_continue && in.pos == in.size) return R1_OK;
    }
    return R1_OK;
}

r1_status fraud_archive_row(void *archive, const char *row, size_t len, r1_err *err)
{
    fraud_archive *a = archive;
    a->rows++;
    a->bytes += len;
    return archive_compress(a, row, len, ZSTD_e_continue, err);
}

/* A rename is on the disk once its folder is. */
static r1_status archive_sync_folder(const char *path, r1_err *err)
{
    char folder[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0) close(fd);
    if (!good) R1_FAIL(err, R1_E_IO, "%s: cannot be synced: %s", folder, strerror(why));
    return R1_OK;
}

static r1_status archive_finish(fraud_archive *a, r1_err *err)
{
    R1_TRY(archive_compress(a, NULL, 0, ZSTD_e_end, err));
    if (fflush(a->file) || fsync(fileno(a->file)) || rename(a->trial, a->path))
        R1_FAIL(err, R1_E_IO, "%s: cannot write: %s", a->path, strerror(errno));
    return archive_sync_folder(a->path, err);
}

r1_status fraud_archive_close(fraud_archive *a, r1_status st, fraud_archived *out, r1_err *err)
{
    if (st == R1_OK) st = archive_finish(a, err);
    if (st == R1_OK) st = fraud_archive_check(a->path, out, err);
    if (st == R1_OK && (out->rows != a->rows || out->bytes != a->bytes))
        st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__,
                        "%s: expected %llu rows of %llu bytes, found %llu of %llu", a->path,
                        (unsigned long long)a->rows, (unsigned long long)a->bytes,
                        (unsigned long long)out->rows, (unsigned long long)out->bytes);
    if (st != R1_OK) unlink(a->trial);
    archive_release(a);
    return st;
}

/* ---- reading back ---- */

typedef struct {
    ZSTD_DStream *z;
    EVP_MD_CTX *hash;
    char in[CHUNK], out[CHUNK];
    size_t left; /* of ZSTD_decompressStream: 0 at the end of a frame */
    fraud_archived found;
} archive_reader;

static r1_status reader_take(archive_reader *r, size_t n, const char *path, r1_err *err)
{
    ZSTD_inBuffer in = {r->in, n, 0};
    if (EVP_DigestUpdate(r->hash, r->in, n) != 1) R1_FAIL(err, R1_E_NOMEM, "%s: no hash", path);
    while (in.pos < in.size) {
        ZSTD_outBuffer to = {r->out, CHUNK, 0};
        r->left = ZSTD_decompressStream(r->z, &to, &in);
        if (ZSTD_isError(r->left))
            R1_FAIL(err, R1_E_FORMAT, "%s: %s", path, ZSTD_getErrorName(r->left));
        r->found.bytes += to.pos;
        for (const char *p = r->out; (p = memchr(p, '\n', to.pos - (size_t)(p - r->out))); p++)
            r->found.rows++;
    }
    return R1_OK;
}

static r1_status reader_run(archive_reader *r, FILE *f, const char *path, r1_err *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (EVP_DigestInit_ex(r->hash, EVP_sha256(), NULL) != 1)
        R1_FAIL(err, R1_E_NOMEM, "%s: no hash", path);
    for (size_t n; (n = fread(r->in, 1, CHUNK, f)) > 0;) R1_TRY(reader_take(r, n, path, err));
    if (ferror(f)) R1_FAIL(err, R1_E_IO, "%s: cannot read: %s", path, strerror(errno));
    if (r->left) R1_FAIL(err, R1_E_FORMAT, "%s: the file ends early", path);
    EVP_DigestFinal_ex(r->hash, digest, NULL);
    for (size_t i = 0; i < 32; i++) snprintf(r->found.sha256 + 2 * i, 3, "%02x", digest[i]);
    return R1_OK;
}

r1_status fraud_archive_check(const char *path, fraud_archived *out, r1_err *err)
{
    FILE *f = fopen(path, "rb");
    if (!f) return r1_file_refuse(path, R1_E_IO, errno, err);
    archive_reader *r = calloc(1, sizeof *r);
    if (r) r->z = ZSTD_createDStream(), r->hash = EVP_MD_CTX_new(), r->left = 1;
    r1_status st = r && r->z && r->hash ? reader_run(r, f, path, err)
                                        : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__,
                                                     "no memory to read an archive");
    if (st == R1_OK) *out = r->found;
    if (r) {
        ZSTD_freeDStream(r->z);
        EVP_MD_CTX_free(r->hash);
    }
    free(r);
    fclose(f);
    return st;
}
