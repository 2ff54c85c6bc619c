/* SPDX-License-Identifier: GPL-3.0-or-later */
/* snap_writer.c - sections to blocks to a file. Large pieces are packed where they lie; small ones
 * are gathered until a block is full. */
#define ZSTD_STATIC_LINKING_ONLY /* a compressor in memory of our own: no allocation after fork */
#include "snapshot/snap_layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

/* Level 1 packs a state threefold at about the speed of a disk. What is not synced is bounded, so
 * that the last fsync is short and the databases beside us keep their disk. */
enum { SNAP_LEVEL = 1, SYNC_EVERY = 32 << 20 };

struct fraud_snap_writer {
    r1_image_out out; /* first: the callbacks get its address */
    int fd, error;    /* errno of the first failure */
    int64_t apply_seq;
    uint64_t at, synced;
    uint32_t n_section;
    snap_row row[FRAUD_SNAP_SECTIONS_MAX];
    ZSTD_CCtx *zstd;
    void *workspace;
    uint8_t *gathered, *packed;
    size_t n_gathered, packed_max;
};

static r1_status snap_failed(fraud_snap_writer *w, int error)
{
    if (!w->error) w->error = error;
    return R1_E_IO;
}

static r1_status snap_write_at(fraud_snap_writer *w, const void *data, size_t bytes, uint64_t at)
{
    const uint8_t *p = data;
    while (bytes) {
        ssize_t n = pwrite(w->fd, p, bytes, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return snap_failed(w, n < 0 ? errno : ENOSPC);
        p += n;
        at += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return R1_OK;
}

static r1_status write_block(fraud_snap_writer *w, const void *data, size_t bytes)
{
    snap_row *row = &w->row[w->n_section - 1];
    snap_block_head head = {.raw = (uint32_t)bytes};
    size_t n = ZSTD_compress2(w->zstd, w->packed + sizeof head, w->packed_max, data, bytes);
    if (ZSTD_isError(n)) return snap_failed(w, ENOMEM);
    head.packed = (uint32_t)n;
    memcpy(w->packed, &head, sizeof head);
    R1_TRY(snap_write_at(w, w->packed, n + sizeof head, w->at));
    w->at += n + sizeof head;
    row->packed += n + sizeof head;
    row->raw += bytes;
    row->n_block++;
    if (w->at - w->synced < SYNC_EVERY) return R1_OK;
    w->synced = w->at;
    return fdatasync(w->fd) ? snap_failed(w, errno) : R1_OK;
}

static r1_status flush_gathered(fraud_snap_writer *w)
{
    size_t n = w->n_gathered;
    w->n_gathered = 0;
    return n ? write_block(w, w->gathered, n) : R1_OK;
}

static r1_status writer_section(r1_image_out *out, const char *name, uint32_t version, r1_err *err)
{
    fraud_snap_writer *w = (fraud_snap_writer *)out;
    (void)err;
    if (w->error) return R1_E_IO;
    R1_TRY(flush_gathered(w));
    if (w->n_section == FRAUD_SNAP_SECTIONS_MAX || strlen(name) >= R1_IMAGE_NAME_BYTES)
        return snap_failed(w, EOVERFLOW);
    snap_row *row = &w->row[w->n_section++];
    *row = (snap_row){.version = version, .at = w->at};
    memcpy(row->name, name, strlen(name));
    return R1_OK;
}

static r1_status writer_put(void *ctx, const void *data, size_t bytes, r1_err *err)
{
    fraud_snap_writer *w = ctx;
    const uint8_t *p = data;
    (void)err;
    if (w->error) return R1_E_IO;
    if (!w->n_section) return snap_failed(w, EINVAL);
    if (bytes >= FRAUD_SNAP_BLOCK) R1_TRY(flush_gathered(w));
    for (; bytes >= FRAUD_SNAP_BLOCK; p += FRAUD_SNAP_BLOCK, bytes -= FRAUD_SNAP_BLOCK)
        R1_TRY(write_block(w, p, FRAUD_SNAP_BLOCK));
    if (w->n_gathered + bytes > FRAUD_SNAP_BLOCK) R1_TRY(flush_gathered(w));
    if (bytes) memcpy(w->gathered + w->n_gathered, p, bytes);
    w->n_gathered += bytes;
    return R1_OK;
}

static r1_status make_compressor(fraud_snap_writer *w, r1_err *err)
{
    ZSTD_CCtx_params *params = ZSTD_createCCtxParams();
    size_t bytes = 0;
    if (params) {
        ZSTD_CCtxParams_init(params, SNAP_LEVEL);
        ZSTD_CCtxParams_setParameter(params, ZSTD_c_checksumFlag, 1);
        bytes = ZSTD_estimateCCtxSize_usingCCtxParams(params);
        w->workspace = ZSTD_isError(bytes) ? NULL : r1_calloc_aligned(1, bytes);
        if (w->workspace) w->zstd = ZSTD_initStaticCCtx(w->workspace, bytes);
        if (w->zstd && ZSTD_isError(ZSTD_CCtx_setParametersUsingCCtxParams(w->zstd, params)))
            w->zstd = NULL;
    }
    ZSTD_freeCCtxParams(params);
    if (!w->zstd) R1_FAIL(err, R1_E_NOMEM, "snapshot: no compressor of %zu bytes", bytes);
    return R1_OK;
}

r1_status fraud_snap_writer_new(fraud_snap_writer **out, r1_err *err)
{
    *out = NULL;
    fraud_snap_writer *w = calloc(1, sizeof *w);
    if (!w) R1_FAIL(err, R1_E_NOMEM, "snapshot: no memory for a writer");
    w->out = (r1_image_out){.section = writer_section, .put = writer_put};
    w->packed_max = ZSTD_compressBound(FRAUD_SNAP_BLOCK);
    w->gathered = malloc(FRAUD_SNAP_BLOCK);
    w->packed = malloc(w->packed_max + sizeof(snap_block_head));
    r1_status st = w->gathered && w->packed ? make_compressor(w, err)
                                            : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__,
                                                         "snapshot: no memory for a block");
    if (st != R1_OK) {
        fraud_snap_writer_free(w);
        return st;
    }
    *out = w;
    return R1_OK;
}

void fraud_snap_writer_free(fraud_snap_writer *w)
{
    if (!w) return;
    free(w->workspace); /* the compressor lies in it */
    free(w->gathered);
    free(w->packed);
    free(w);
}

r1_image_out *fraud_snap_writer_begin(fraud_snap_writer *w, int fd, int64_t apply_seq)
{
    w->fd = fd;
    w->error = 0;
    w->apply_seq = apply_seq;
    w->at = w->synced = sizeof(snap_head);
    w->n_section = 0;
    w->n_gathered = 0;
    return &w->out;
}

r1_status fraud_snap_writer_end(fraud_snap_writer *w)
{
    if (w->error) return R1_E_IO;
    R1_TRY(flush_gathered(w));
    size_t table = w->n_section * sizeof *w->row;
    snap_head head = {.format = FRAUD_SNAP_FORMAT,
                      .n_section = w->n_section,
                      .apply_seq = w->apply_seq,
                      .file_bytes = w->at + table,
                      .table_at = w->at};
    memcpy(head.magic, SNAP_MAGIC, sizeof head.magic);
    head.hash = snap_hash(&head, w->row, w->n_section);
    R1_TRY(snap_write_at(w, w->row, table, w->at));
    R1_TRY(snap_write_at(w, &head, sizeof head, 0));
    w->at += table;
    return fsync(w->fd) ? snap_failed(w, errno) : R1_OK;
}

int fraud_snap_writer_errno(const fraud_snap_writer *w) { return w->error; }
uint64_t fraud_snap_writer_bytes(const fraud_snap_writer *w) { return w->at; }
