/* SPDX-License-Identifier: GPL-3.0-or-later */
/* snap_reader.c - a snapshot's file to sections. The file is read, not mapped: a disk that fails is
 * then an error and no signal. */
#include "snapshot/snap_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

enum { THREADS_MAX = 8, BLOCKS_A_THREAD = 4 };

typedef struct { /* of the open section */
    uint64_t at;
    uint32_t packed, raw;
} snap_block;

typedef struct { /* what one thread unpacks with */
    ZSTD_DCtx *zstd;
    uint8_t *packed;
} snap_bench;

struct fraud_snap_reader {
    r1_image_in in; /* first: the callbacks get its address */
    int fd;
    snap_head head;
    snap_row row[FRAUD_SNAP_SECTIONS_MAX];
    uint32_t next; /* section that comes next */
    char name[R1_IMAGE_NAME_BYTES];
    snap_block *block;
    size_t n_block, at_block; /* of the open section; the next to unpack */
    uint8_t *spare;           /* a block of which only a part was asked for */
    size_t spare_at, spare_end;
    uint32_t n_bench;
    snap_bench bench[THREADS_MAX];
};

static r1_status snap_read_at(const fraud_snap_reader *r, void *data, size_t bytes, uint64_t at,
                              r1_err *err)
{
    uint8_t *p = data;
    while (bytes) {
        ssize_t n = pread(r->fd, p, bytes, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) R1_FAIL(err, R1_E_IO, "reading: %s", strerror(errno));
        if (n == 0) R1_FAIL(err, R1_E_FORMAT, "the file ends at byte %llu", (unsigned long long)at);
        p += n;
        at += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return R1_OK;
}

/* ---- blocks ---- */

static r1_status unpack_block(const fraud_snap_reader *r, snap_bench *bench, const snap_block *b,
                              void *to, r1_err *err)
{
    R1_TRY(snap_read_at(r, bench->packed, b->packed, b->at, err));
    if (ZSTD_getFrameContentSize(bench->packed, b->packed) != b->raw)
        R1_FAIL(err, R1_E_FORMAT, "%s: the block at byte %llu has another size than its head says",
                r->name, (unsigned long long)b->at);
    size_t n = ZSTD_decompressDCtx(bench->zstd, to, b->raw, bench->packed, b->packed);
    if (ZSTD_isError(n) || n != b->raw)
        R1_FAIL(err, R1_E_FORMAT, "%s: the block at byte %llu is damaged: %s", r->name,
                (unsigned long long)b->at,
                ZSTD_isError(n) ? ZSTD_getErrorName(n) : "another length");
    return R1_OK;
}

typedef struct { /* blocks first .. first + n - 1 to consecutive bytes */
    const fraud_snap_reader *r;
    const snap_block *first;
    size_t n;
    uint8_t *to;
    atomic_size_t next;
    atomic_bool failed;
    pthread_mutex_t lock; /* guards err */
    r1_err err;
} unpack_job;

typedef struct {
    unpack_job *job;
    snap_bench *bench;
} unpack_worker;

static void *unpack_run(void *arg)
{
    const unpack_worker *worker = arg;
    unpack_job *job = worker->job;
    for (size_t i; (i = atomic_fetch_add(&job->next, 1)) < job->n && !job->failed;) {
        r1_err err = {0};
        uint8_t *to = job->to + i * job->first->raw;
        if (unpack_block(job->r, worker->bench, &job->first[i], to, &err) == R1_OK) continue;
        pthread_mutex_lock(&job->lock);
        if (!job->failed) job->err = err;
        job->failed = true;
        pthread_mutex_unlock(&job->lock);
    }
    return NULL;
}

/* n blocks of one size. A thread that cannot be had is done without. */
static r1_status unpack_many(fraud_snap_reader *r, const snap_block *first, size_t n, uint8_t *to,
                             r1_err *err)
{
    unpack_job job = {.r = r, .first = first, .n = n, .to = to};
    unpack_worker worker[THREADS_MAX];
    pthread_t thread[THREADS_MAX];
    size_t n_thread = 0, wanted = n / BLOCKS_A_THREAD;
    pthread_mutex_init(&job.lock, NULL);
    for (size_t i = 0; i < r->n_bench; i++) worker[i] = (unpack_worker){&job, &r->bench[i]};
    while (n_thread + 1 < r->n_bench && n_thread + 1 < wanted &&
           !pthread_create(&thread[n_thread], NULL, unpack_run, &worker[n_thread + 1]))
        n_thread++;
    unpack_run(&worker[0]);
    for (size_t i = 0; i < n_thread; i++) pthread_join(thread[i], NULL);
    pthread_mutex_destroy(&job.lock);
    if (!job.failed) return R1_OK;
    if (err) *err = job.err;
    return job.err.code;
}

/* ---- sections ---- */

/* Where the blocks of a section lie. Their sizes must make up the section's. */
static r1_status list_blocks(fraud_snap_reader *r, const snap_row *row, r1_err *err)
{
    uint64_t at = row->at, end = row->at + row->packed, raw = 0;
    free(r->block);
    r->block = malloc(((size_t)row->n_block + 1) * sizeof *r->block);
    if (!r->block)
        R1_FAIL(err, R1_E_NOMEM, "%s: no memory for a list of %u blocks", r->name, row->n_block);
    r->n_block = r->at_block = 0;
    for (; r->n_block < row->n_block; r->n_block++) {
        snap_block_head h;
        if (end - at < sizeof h)
            R1_FAIL(err, R1_E_FORMAT, "%s: a block begins behind its section", r->name);
        R1_TRY(snap_read_at(r, &h, sizeof h, at, err));
        if (!h.raw || h.raw > FRAUD_SNAP_BLOCK || h.packed > end - at - sizeof h ||
            h.packed > ZSTD_compressBound(FRAUD_SNAP_BLOCK))
            R1_FAIL(err, R1_E_FORMAT, "%s: a block of %u bytes, packed %u, at byte %llu", r->name,
                    h.raw, h.packed, (unsigned long long)at);
        r->block[r->n_block] = (snap_block){at + sizeof h, h.packed, h.raw};
        at += sizeof h + h.packed;
        raw += h.raw;
    }
    if (at != end || raw != row->raw)
        R1_FAIL(err, R1_E_FORMAT, "%s: expected %llu bytes in %u blocks, found %llu", r->name,
                (unsigned long long)row->raw, row->n_block, (unsigned long long)raw);
    return R1_OK;
}

static r1_status reader_section(r1_image_in *in, const char *name, uint32_t version, r1_err *err)
{
    fraud_snap_reader *r = (fraud_snap_reader *)in;
    if (in->left)
        R1_FAIL(err, R1_E_FORMAT, "%s: %llu bytes more than expected", r->name,
                (unsigned long long)in->left);
    if (r->next == r->head.n_section)
        R1_FAIL(err, R1_E_FORMAT, "expected a section \"%s\", found no more", name);
    const snap_row *row = &r->row[r->next];
    if (strcmp(row->name, name) != 0)
        R1_FAIL(err, R1_E_FORMAT, "expected a section \"%s\", found \"%s\"", name, row->name);
    if (row->version != version)
        R1_FAIL(err, R1_E_FORMAT, "%s: expected version %u, found %u of another program", name,
                version, row->version);
    memcpy(r->name, row->name, sizeof r->name);
    R1_TRY(list_blocks(r, row, err));
    r->next++;
    r->spare_at = r->spare_end = 0;
    in->name = r->name;
    in->left = row->raw;
    return R1_OK;
}

/* How many of the next blocks have the size of the first and fit whole into so many bytes. */
static size_t whole_blocks(const fraud_snap_reader *r, size_t bytes)
{
    const snap_block *b = &r->block[r->at_block];
    size_t n = 0;
    while (r->at_block + n < r->n_block && b[n].raw == b[0].raw && bytes >= (n + 1) * b[0].raw) n++;
    return n;
}

static r1_status reader_get(void *ctx, void *data, size_t bytes, r1_err *err)
{
    fraud_snap_reader *r = ctx;
    uint8_t *to = data;
    if (bytes > r->in.left)
        R1_FAIL(err, R1_E_FORMAT, "%s: expected %zu bytes more, found %llu", r->name, bytes,
                (unsigned long long)r->in.left);
    r->in.left -= bytes;
    while (bytes) {
        size_t take = r->spare_end - r->spare_at;
        if (take) {
            take = take < bytes ? take : bytes;
            memcpy(to, r->spare + r->spare_at, take);
            r->spare_at += take;
        } else if (whole_blocks(r, bytes)) {
            size_t n = whole_blocks(r, bytes);
            take = n * r->block[r->at_block].raw;
            R1_TRY(unpack_many(r, &r->block[r->at_block], n, to, err));
            r->at_block += n;
        } else {
            const snap_block *b = &r->block[r->at_block++];
            R1_TRY(unpack_block(r, &r->bench[0], b, r->spare, err));
            r->spare_at = 0;
            r->spare_end = b->raw;
        }
        to += take;
        bytes -= take;
    }
    return R1_OK;
}

/* ---- open and close ---- */

static r1_status rows_check(const fraud_snap_reader *r, r1_err *err)
{
    const snap_head *h = &r->head;
    uint64_t at = sizeof *h;
    for (uint32_t i = 0; i < h->n_section; i++) {
        const snap_row *row = &r->row[i];
        if (!memchr(row->name, 0, sizeof row->name) || row->at != at ||
            row->packed < row->n_block || row->packed > h->table_at - at ||
            row->n_block > row->packed / sizeof(snap_block_head) ||
            row->raw > (uint64_t)row->n_block * FRAUD_SNAP_BLOCK || row->spare)
            R1_FAIL(err, R1_E_FORMAT, "section %u of %u does not fit the file", i + 1,
                    h->n_section);
        at += row->packed;
    }
    if (at != h->table_at) R1_FAIL(err, R1_E_FORMAT, "bytes between the sections and their table");
    return R1_OK;
}

static r1_status snap_head_check(fraud_snap_reader *r, r1_err *err)
{
    struct stat info;
    snap_head *h = &r->head;
    if (fstat(r->fd, &info) || !S_ISREG(info.st_mode))
        R1_FAIL(err, R1_E_FORMAT, "expected a file, found something else");
    uint64_t bytes = (uint64_t)info.st_size;
    if (bytes < sizeof *h)
        R1_FAIL(err, R1_E_FORMAT, "expected a snapshot, found %llu bytes",
                (unsigned long long)bytes);
    R1_TRY(snap_read_at(r, h, sizeof *h, 0, err));
    if (memcmp(h->magic, SNAP_MAGIC, sizeof h->magic) != 0)
        R1_FAIL(err, R1_E_FORMAT, "expected a snapshot, found other bytes");
    if (h->format != FRAUD_SNAP_FORMAT)
        R1_FAIL(
            err, R1_E_FORMAT, "expected format %d of snapshots, found %u, which %s program wrote",
            FRAUD_SNAP_FORMAT, h->format, h->format < FRAUD_SNAP_FORMAT ? "an older" : "a newer");
    if (h->file_bytes != bytes)
        R1_FAIL(err, R1_E_FORMAT, "expected %llu bytes, found %llu: a part is missing",
                (unsigned long long)h->file_bytes, (unsigned long long)bytes);
    if (!h->n_section || h->n_section > FRAUD_SNAP_SECTIONS_MAX || h->table_at < sizeof *h ||
        h->table_at > bytes || bytes - h->table_at != h->n_section * sizeof *r->row)
        R1_FAIL(err, R1_E_FORMAT, "the table of %u sections does not fit the file", h->n_section);
    R1_TRY(snap_read_at(r, r->row, h->n_section * sizeof *r->row, h->table_at, err));
    if (snap_hash(h, r->row, h->n_section) != h->hash)
        R1_FAIL(err, R1_E_FORMAT, "head and table do not give the hash that they carry");
    return rows_check(r, err);
}

static r1_status make_benches(fraud_snap_reader *r, uint32_t n_thread, r1_err *err)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (!n_thread) n_thread = processors > 0 ? (uint32_t)processors : 1;
    r->n_bench = n_thread < THREADS_MAX ? n_thread : THREADS_MAX;
    r->spare = malloc(FRAUD_SNAP_BLOCK);
    bool room = r->spare != NULL;
    for (uint32_t i = 0; i < r->n_bench; i++) {
        r->bench[i].zstd = ZSTD_createDCtx();
        r->bench[i].packed = malloc(ZSTD_compressBound(FRAUD_SNAP_BLOCK));
        room = room && r->bench[i].zstd && r->bench[i].packed;
    }
    if (!room) R1_FAIL(err, R1_E_NOMEM, "no memory to unpack a snapshot");
    return R1_OK;
}

r1_status fraud_snap_reader_open(fraud_snap_reader **out, const char *path, uint32_t n_thread,
                                 r1_err *err)
{
    *out = NULL;
    fraud_snap_reader *r = calloc(1, sizeof *r);
    if (!r) R1_FAIL(err, R1_E_NOMEM, "no memory for a reader of snapshots");
    r->in = (r1_image_in){.section = reader_section, .get = reader_get, .name = r->name};
    r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is no file: it is refused */
    r1_status st =
        r->fd < 0 ? r1_err_set(err, R1_E_IO, __FILE__, __LINE__, "opening: %s", strerror(errno))
                  : snap_head_check(r, err);
    if (st == R1_OK) st = make_benches(r, n_thread, err);
    if (st != R1_OK) {
        fraud_snap_reader_close(r);
        return st;
    }
    *out = r;
    return R1_OK;
}

void fraud_snap_reader_close(fraud_snap_reader *r)
{
    if (!r) return;
    for (uint32_t i = 0; i < r->n_bench; i++) {
        ZSTD_freeDCtx(r->bench[i].zstd);
        free(r->bench[i].packed);
    }
    free(r->spare);
    free(r->block);
    if (r->fd >= 0) close(r->fd);
    free(r);
}

int64_t fraud_snap_reader_seq(const fraud_snap_reader *r) { return r->head.apply_seq; }
uint64_t fraud_snap_reader_bytes(const fraud_snap_reader *r) { return r->head.file_bytes; }
r1_image_in *fraud_snap_reader_in(fraud_snap_reader *r) { return &r->in; }

const char *fraud_snap_reader_next(const fraud_snap_reader *r)
{
    return r->next < r->head.n_section ? r->row[r->next].name : NULL;
}

r1_status fraud_snap_reader_done(const fraud_snap_reader *r, r1_err *err)
{
    const char *next = fraud_snap_reader_next(r);
    if (r->in.left)
        R1_FAIL(err, R1_E_FORMAT, "%s: %llu bytes more than expected", r->name,
                (unsigned long long)r->in.left);
    if (next) R1_FAIL(err, R1_E_FORMAT, "section \"%s\" is not known to this program", next);
    return R1_OK;
}
