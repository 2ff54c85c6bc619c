/* SPDX-License-Identifier: Apache-2.0 */
/* longfile.c - the file of long-term memory: a log of checksummed blocks. The last block of a
 * transaction commits it.
 *
 * Little endian; every block starts at a multiple of 64 bytes (UNIT):
 *
 *   file    "R1LTMEM2"  u32 d_key  u32 d_vector  u32 code  f32 key_bytes  f32 vector_bytes
 *           u32 n_list  u32 n_atom  u32 n_round  u32 drop_full  u32 0  u64 seed
 *           u32 crc32c(so far)  u32 0
 *   block   "R1BK"  u32 type  u64 transaction  u64 payload bytes  u64 next_id
 *           u32 crc32c(payload)  u32 0...  u32 crc32c(head so far)
 *           then the payload, padded with zeros
 *     1 ENTRY   u64 id  u64 entity  i64 time_us  u32 source  u32 version  u32 value bytes
 *               u32 1 where a vector follows
 *               key f32[d_key]  vector f32[d_vector]?  value
 *               it replaces an entry of the same id
 *     2 DELETE  u64 id
 *     3 PART    see part.h
 *     4 RESET   entries outside of parts are gone (they are in the part that follows)
 *     5 COMMIT  the blocks of this transaction count from here on
 *
 * A crash leaves the last transaction incomplete. Readers ignore it, and the next writer cuts it
 * off. Damage before that is told apart by what follows it: where a sound block of a later
 * transaction lies behind a broken one, the file is refused with the place.
 *
 * Writers hold a lock (flock). Readers need none, since committed bytes never change. */
#include "base/sync.h"
#include "memory/longstore.h"
#include "r1_assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UNIT = 64, BLOCK_COMMIT = 5, FLUSH_BYTES = 4 << 20 };

typedef struct {
    char magic[8];
    uint32_t d_key, d_vector, code;
    float key_bytes, vector_bytes;
    uint32_t n_list, n_atom, n_round, drop_full, zero;
    uint64_t seed;
    uint32_t crc, end;
} file_head;

typedef struct {
    char magic[4];
    uint32_t type;
    uint64_t txn, bytes, next_id;
    uint32_t crc, zero[6];
    uint32_t head_crc;
} block_head;

typedef struct {
    uint64_t id, entity;
    int64_t time_us;
    uint32_t source, version, value_bytes, has_vector;
} entry_head;

_Static_assert(sizeof(file_head) == UNIT && sizeof(block_head) == UNIT && sizeof(entry_head) == 40,
               "the file format");

static const char file_magic[8] = {'R', '1', 'L', 'T', 'M', 'E', 'M', '2'};
static const char block_magic[4] = {'R', '1', 'B', 'K'};
static uint64_t longfile_padded(uint64_t n) { return (n + UNIT - 1) & ~(uint64_t)(UNIT - 1); }

/* ---- writing ---- */

static r1_status write_at(longfile *f, const void *data, size_t len, uint64_t at, r1_err *err)
{
    const char *p = data;
    while (len) {
        ssize_t n = pwrite(f->fd, p, len, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) R1_FAIL(err, R1_E_IO, "writing %s: %s", f->path, strerror(errno));
        p += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return R1_OK;
}

static r1_status longfile_flush(longfile *f, r1_err *err)
{
    R1_ASSERT(f->at >= f->end, "long-term memory: byte %llu would overwrite what ends at %llu",
              (unsigned long long)f->at, (unsigned long long)f->end);
    R1_TRY(write_at(f, f->buf, f->used, f->at, err));
    f->at += f->used;
    f->used = 0;
    return R1_OK;
}

static r1_status longfile_put(longfile *f, const void *data, size_t len, r1_err *err)
{
    if (f->used + len > f->cap) {
        size_t cap = (f->used + len) * 2;
        uint8_t *grown = realloc(f->buf, cap);
        if (!grown) R1_FAIL(err, R1_E_NOMEM, "no memory to write %s", f->path);
        f->buf = grown;
        f->cap = cap;
    }
    if (len) memcpy(f->buf + f->used, data, len);
    f->used += len;
    return R1_OK;
}

static r1_status put_padding(longfile *f, size_t payload, r1_err *err)
{
    static const char zeros[UNIT];
    return longfile_put(f, zeros, longfile_padded(payload) - payload, err);
}

static r1_status put_head(longfile *f, uint32_t type, uint64_t bytes, uint32_t crc,
                          uint64_t next_id, r1_err *err)
{
    R1_ASSERT((f->at + f->used) % UNIT == 0, "long-term memory: a block at byte %llu",
              (unsigned long long)(f->at + f->used));
    block_head h = {
        .type = type, .txn = f->txn + 1, .bytes = bytes, .next_id = next_id, .crc = crc};
    memcpy(h.magic, block_magic, sizeof h.magic);
    h.head_crc = r1_crc32c(&h, sizeof h - sizeof h.head_crc, 0);
    return longfile_put(f, &h, sizeof h, err);
}

r1_status longfile_entry(longfile *f, uint64_t id, const r1_longterm_entry *e, uint32_t d_key,
                         uint32_t d_vector, r1_err *err)
{
    if (f->fd < 0) return R1_OK;
    entry_head h = {id,         e->entity,      e->time_us,           e->source,
                    e->version, e->value_bytes, d_vector && e->vector};
    size_t kb = sizeof(float) * d_key, vb = h.has_vector ? sizeof(float) * d_vector : 0;
    uint32_t crc = r1_crc32c(e->key, kb, r1_crc32c(&h, sizeof h, 0));
    if (vb) crc = r1_crc32c(e->vector, vb, crc);
    if (e->value_bytes) crc = r1_crc32c(e->value, e->value_bytes, crc);
    size_t bytes = sizeof h + kb + vb + e->value_bytes;
    R1_TRY(put_head(f, BLOCK_ENTRY, bytes, crc, 0, err));
    R1_TRY(longfile_put(f, &h, sizeof h, err));
    R1_TRY(longfile_put(f, e->key, kb, err));
    R1_TRY(longfile_put(f, e->vector, vb, err));
    R1_TRY(longfile_put(f, e->value, e->value_bytes, err));
    R1_TRY(put_padding(f, bytes, err));
    return f->used > FLUSH_BYTES ? longfile_flush(f, err) : R1_OK;
}

r1_status longfile_delete(longfile *f, uint64_t id, r1_err *err)
{
    if (f->fd < 0) return R1_OK;
    R1_TRY(put_head(f, BLOCK_DELETE, sizeof id, r1_crc32c(&id, sizeof id, 0), 0, err));
    R1_TRY(longfile_put(f, &id, sizeof id, err));
    return put_padding(f, sizeof id, err);
}

r1_status longfile_part(longfile *f, const uint8_t *image, size_t bytes, uint64_t *payload_at,
                        r1_err *err)
{
    if (f->fd < 0) return R1_OK;
    R1_TRY(put_head(f, BLOCK_PART, bytes, r1_crc32c(image, bytes, 0), 0, err));
    R1_TRY(longfile_flush(f, err));
    if (payload_at) *payload_at = f->at;
    R1_TRY(write_at(f, image, bytes, f->at, err));
    f->at += bytes;
    return put_padding(f, bytes, err);
}

r1_status longfile_reset(longfile *f, r1_err *err)
{
    return f->fd < 0 ? R1_OK : put_head(f, BLOCK_RESET, 0, 0, 0, err);
}

static r1_status commit_always(longfile *f, uint64_t next_id, r1_err *err)
{
    R1_TRY(put_head(f, BLOCK_COMMIT, 0, 0, next_id, err));
    R1_TRY(longfile_flush(f, err));
    if (fsync(f->fd)) R1_FAIL(err, R1_E_IO, "syncing %s: %s", f->path, strerror(errno));
    R1_ASSERT(f->used == 0 && f->at > f->end && f->at % UNIT == 0,
              "long-term memory: a transaction from byte %llu to %llu, %zu left",
              (unsigned long long)f->end, (unsigned long long)f->at, f->used);
    f->end = f->at;
    f->txn++;
    return R1_OK;
}

r1_status longfile_commit(longfile *f, uint64_t next_id, r1_err *err)
{
    return f->fd < 0 || (f->used == 0 && f->at == f->end) ? R1_OK : commit_always(f, next_id, err);
}

void longfile_rollback(longfile *f)
{
    if (f->fd < 0) return;
    f->used = 0;
    f->at = f->end;
    /* Where this fails the leftover is an incomplete transaction: ignored by readers,
     * overwritten by the next one. */
    if (f->writable && ftruncate(f->fd, (off_t)f->end))
        r1_log(R1_LOG_WARN, "memory_truncate", "path=%s", f->path);
}

void longfile_close(longfile *f)
{
    if (f->fd >= 0) close(f->fd); /* gives the lock back */
    free(f->path);
    free(f->buf);
    *f = (longfile){.fd = -1};
}

r1_status longfile_create(longfile *f, const char *path, const r1_longterm_opts *o, r1_err *err)
{
    file_head h = {.d_key = o->d_key,
                   .d_vector = o->d_vector,
                   .code = o->code,
                   .key_bytes = o->key_bytes,
                   .vector_bytes = o->vector_bytes,
                   .n_list = o->n_list,
                   .n_atom = o->n_atom,
                   .n_round = o->n_round,
                   .drop_full = o->drop_full,
                   .seed = o->seed};
    memcpy(h.magic, file_magic, sizeof h.magic);
    h.crc = r1_crc32c(&h, offsetof(file_head, crc), 0);
    *f = (longfile){.fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644),
                    .path = strdup(path),
                    .writable = true};
    if (f->fd < 0 || !f->path) {
        int e = errno;
        longfile_close(f);
        R1_FAIL(err, R1_E_IO, "creating %s: %s", path, strerror(e));
    }
    f->at = f->end = UNIT;
    return write_at(f, &h, sizeof h, 0, err);
}

static r1_status write_view(longfile *f, const r1_longterm *lt, const r1_longterm_view *v,
                            r1_err *err)
{
    for (size_t i = 0; i < v->n_part; i++) {
        const view_part *vp = &v->part[i];
        if (vp->p->coded) R1_TRY(longfile_part(f, vp->p->payload, vp->p->payload_bytes, NULL, err));
        for (size_t row = 0; row < vp->n; row++) {
            bool gone = part_is_dead(dead_words(vp->dead), row);
            r1_longterm_entry e;
            part_entry(vp->p, row, &e);
            if (vp->p->coded && gone) R1_TRY(longfile_delete(f, vp->p->rec[row].id, err));
            if (!vp->p->coded && !gone)
                R1_TRY(longfile_entry(f, vp->p->rec[row].id, &e, lt->o.d_key, lt->o.d_vector, err));
        }
    }
    return commit_always(f, lt->next_id, err); /* an empty memory has a next id too */
}

r1_status longfile_write(const r1_longterm *lt, const r1_longterm_view *v, const char *path,
                         r1_err *err)
{
    char tmp[4096];
    longfile f;
    if (snprintf(tmp, sizeof tmp, "%s.tmp.%ld", path, (long)getpid()) >= (int)sizeof tmp)
        R1_FAIL(err, R1_E_INVAL, "path longer than %zu bytes: %.80s...", sizeof tmp, path);
    r1_status st = longfile_create(&f, tmp, &lt->o, err);
    if (st == R1_OK) st = write_view(&f, lt, v, err);
    longfile_close(&f);
    return r1_file_settle(st, tmp, path, err);
}

/* ---- reading ---- */

typedef struct {
    const uint8_t *base;
    uint64_t len;
    const char *path;
} reader;

/* The head of a block whose head is sound and whose payload ends inside the file. */
static bool head_at(const reader *r, uint64_t at, block_head *h)
{
    if (at > r->len || r->len - at < UNIT) return false;
    memcpy(h, r->base + at, sizeof *h);
    return memcmp(h->magic, block_magic, sizeof h->magic) == 0 &&
           h->head_crc == r1_crc32c(h, sizeof *h - sizeof h->head_crc, 0) &&
           h->bytes <= r->len - at - UNIT && longfile_padded(h->bytes) <= r->len - at - UNIT;
}

static bool payload_is_sound(const reader *r, uint64_t at, const block_head *h)
{
    for (uint64_t i = h->bytes; i < longfile_padded(h->bytes); i++)
        if (r->base[at + UNIT + i]) return false;
    return r1_crc32c(r->base + at + UNIT, (size_t)h->bytes, 0) == h->crc;
}

/* A sound head of a transaction after txn: what is broken before it is damage, not an
 * interrupted write. */
static bool later_block(const reader *r, uint64_t from, uint64_t txn, uint64_t *at)
{
    block_head h;
    for (*at = longfile_padded(from); *at < r->len; *at += UNIT)
        if (head_at(r, *at, &h) && h.txn > txn) return true;
    return false;
}

/* Finds the end of the last committed transaction. */
static r1_status find_end(const reader *r, longfile *f, uint64_t *next_id, r1_err *err)
{
    uint64_t at = UNIT, later;
    block_head h;
    f->end = UNIT;
    while (at < r->len) {
        bool head = head_at(r, at, &h);
        if (!head || !payload_is_sound(r, at, &h) || h.txn != f->txn + 1) {
            if (later_block(r, at + UNIT, f->txn + 1, &later))
                R1_FAIL(err, R1_E_FORMAT,
                        "%s: block at byte %llu is damaged (%s; a later transaction begins at byte "
                        "%llu)",
                        r->path, (unsigned long long)at,
                        head ? "its checksum does not fit" : "its head does not fit",
                        (unsigned long long)later);
            break;
        }
        at += UNIT + longfile_padded(h.bytes);
        if (h.type != BLOCK_COMMIT) continue;
        f->txn = h.txn;
        f->end = at;
        *next_id = h.next_id;
    }
    /* every file begins with a commit, since it was renamed into its place after that */
    if (!f->txn)
        R1_FAIL(
            err, R1_E_FORMAT,
            "%s: block at byte %llu is damaged or cut short, and nothing was committed before it",
            r->path, (unsigned long long)at);
    return R1_OK;
}

static r1_status replay_entry(r1_longterm *lt, const uint8_t *p, uint64_t bytes, const char *where,
                              r1_err *err)
{
    entry_head h;
    size_t kb = sizeof(float) * lt->o.d_key, vb = sizeof(float) * lt->o.d_vector;
    if (bytes < sizeof h)
        R1_FAIL(err, R1_E_FORMAT, "%s: an entry of %llu bytes is too short", where,
                (unsigned long long)bytes);
    memcpy(&h, p, sizeof h);
    if (h.has_vector > 1 || (h.has_vector && !vb))
        R1_FAIL(err, R1_E_FORMAT, "%s: the entry has a vector that it cannot have", where);
    if (!h.has_vector) vb = 0;
    if (h.value_bytes > PART_VALUE_MAX || bytes != sizeof h + kb + vb + h.value_bytes)
        R1_FAIL(err, R1_E_FORMAT, "%s: the entry's parts do not add up to its %llu bytes", where,
                (unsigned long long)bytes);
    const float *key = (const float *)(const void *)(p + sizeof h);
    for (uint32_t c = 0; c < lt->o.d_key + (vb ? lt->o.d_vector : 0); c++)
        if (key[c] - key[c] != 0)
            R1_FAIL(err, R1_E_FORMAT, "%s: column %u is not a finite number", where, c);
    r1_longterm_entry e = {.key = key,
                           .vector = vb ? key + lt->o.d_key : NULL,
                           .value = p + sizeof h + kb + vb,
                           .value_bytes = h.value_bytes,
                           .source = h.source,
                           .entity = h.entity,
                           .time_us = h.time_us,
                           .version = h.version};
    return longterm_put(lt, h.id, &e, err);
}

static r1_status replay_part(r1_longterm *lt, part_image *map, const uint8_t *p, uint64_t bytes,
                             const char *where, r1_err *err)
{
    part *made;
    R1_TRY(part_open(&made, map, p, (size_t)bytes, where, err));
    r1_status st = R1_OK;
    if (made->d_key != lt->o.d_key || made->d_vector != lt->o.d_vector)
        st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__,
                        "%s: expected keys of %u columns, found %u", where, lt->o.d_key,
                        made->d_key);
    else if (made->n > lt->o.n_entry_max - lt->next->n_live)
        st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__,
                        "%s: %zu entries exceed the limit of %zu", where, made->n,
                        lt->o.n_entry_max);
    else
        st = view_add(&lt->next, made, err);
    if (st != R1_OK) part_free(made);
    return st;
}

static r1_status longfile_replay(r1_longterm *lt, const reader *r, part_image *map, r1_err *err)
{
    block_head h;
    for (uint64_t at = UNIT; at < lt->file.end; at += UNIT + longfile_padded(h.bytes)) {
        char where[512];
        const uint8_t *p = r->base + at + UNIT;
        uint64_t id = 0;
        r1_status st = R1_OK;
        memcpy(&h, r->base + at, sizeof h);
        R1_ASSERT(at + UNIT + longfile_padded(h.bytes) <= r->len,
                  "long-term memory: a block of %llu bytes at byte %llu of %llu",
                  (unsigned long long)h.bytes, (unsigned long long)at, (unsigned long long)r->len);
        snprintf(where, sizeof where, "%s: block at byte %llu", r->path, (unsigned long long)at);
        switch (h.type) {
        case BLOCK_ENTRY: st = replay_entry(lt, p, h.bytes, where, err); break;
        case BLOCK_DELETE:
            if (h.bytes != sizeof id)
                R1_FAIL(err, R1_E_FORMAT, "%s: a deletion of %llu bytes", where,
                        (unsigned long long)h.bytes);
            memcpy(&id, p, sizeof id);
            st = longterm_drop(lt, id, err);
            break;
        case BLOCK_PART: st = replay_part(lt, map, p, h.bytes, where, err); break;
        case BLOCK_RESET: st = longterm_drop_fresh(lt, err); break;
        case BLOCK_COMMIT: break;
        default: R1_FAIL(err, R1_E_FORMAT, "%s: unknown type %u", where, h.type);
        }
        if (st == R1_E_NOT_FOUND)
            R1_FAIL(err, R1_E_FORMAT, "%s: deletes entry %llu, which is not there", where,
                    (unsigned long long)id);
        if (st != R1_OK) return st;
    }
    return R1_OK;
}

/* Before the change is committed: from then on these are invariants. */
static r1_status check_ids(const r1_longterm *lt, const char *path, r1_err *err)
{
    const r1_longterm_view *v = lt->next;
    if (lt->next_id < 1)
        R1_FAIL(err, R1_E_FORMAT, "%s: next id: expected 1 or more, found 0", path);
    for (size_t i = 0; i < v->n_part; i++)
        for (size_t row = 0; row < v->part[i].n; row++)
            if (v->part[i].p->rec[row].id >= lt->next_id)
                R1_FAIL(err, R1_E_FORMAT, "%s: entry %llu is newer than the next id %llu", path,
                        (unsigned long long)v->part[i].p->rec[row].id,
                        (unsigned long long)lt->next_id);
    return R1_OK;
}

static r1_status read_head(const reader *r, r1_longterm_opts *o, r1_err *err)
{
    file_head h;
    if (r->len < UNIT)
        R1_FAIL(err, R1_E_FORMAT, "%s: expected at least %d bytes, found %llu", r->path, UNIT,
                (unsigned long long)r->len);
    memcpy(&h, r->base, sizeof h);
    if (memcmp(h.magic, file_magic, sizeof h.magic) != 0)
        R1_FAIL(err, R1_E_FORMAT, "%s: not a long-term memory file", r->path);
    if (h.crc != r1_crc32c(&h, offsetof(file_head, crc), 0) || h.end)
        R1_FAIL(err, R1_E_FORMAT, "%s: the header's checksum does not fit", r->path);
    o->d_key = h.d_key;
    o->d_vector = h.d_vector;
    o->code = h.code;
    o->key_bytes = h.key_bytes;
    o->vector_bytes = h.vector_bytes;
    o->n_list = h.n_list;
    o->n_atom = h.n_atom;
    o->n_round = h.n_round;
    o->drop_full = h.drop_full != 0;
    o->seed = h.seed;
    return R1_OK;
}

static r1_status longfile_load(r1_longterm **out, longfile *f, const reader *r, part_image *map,
                               size_t n_max, r1_err *err)
{
    r1_longterm_opts o = {.n_entry_max = n_max};
    uint64_t next_id = 1;
    R1_TRY(read_head(r, &o, err));
    R1_TRY(find_end(r, f, &next_id, err));
    r1_longterm *lt;
    r1_status st = longterm_make(&lt, &o, err);
    if (st == R1_E_INVAL) st = R1_E_FORMAT;
    if (st != R1_OK) return st;
    lt->file = *f;
    lt->file.fd = -1; /* nothing is logged while the log is read */
    st = r1_longterm_begin(lt, err);
    if (st == R1_OK) st = longfile_replay(lt, r, map, err);
    lt->next_id = next_id;
    if (st == R1_OK) st = check_ids(lt, r->path, err);
    if (st == R1_OK) st = r1_longterm_commit(lt, err);
    lt->file = (longfile){.fd = -1};
    if (st != R1_OK) {
        r1_longterm_free(lt);
        return st == R1_E_NOMEM && lt ? R1_E_FORMAT : st;
    }
    *out = lt;
    return R1_OK;
}

static r1_status longfile_open_file(longfile *f, const char *path, bool writable, uint64_t *len,
                                    r1_err *err)
{
    struct stat s;
    *f = (longfile){.fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC),
                    .path = strdup(path),
                    .writable = writable};
    if (f->fd < 0)
        R1_FAIL(err, errno == ENOENT ? R1_E_NOT_FOUND : R1_E_IO, "%s: %s", path, strerror(errno));
    if (!f->path) R1_FAIL(err, R1_E_NOMEM, "no memory to open %s", path);
    if (writable && flock(f->fd, LOCK_EX | LOCK_NB))
        R1_FAIL(err, R1_E_AGAIN, "%s: another process writes to it", path);
    if (fstat(f->fd, &s) || !S_ISREG(s.st_mode))
        R1_FAIL(err, R1_E_IO, "%s: not an ordinary file", path);
    *len = (uint64_t)s.st_size;
    return R1_OK;
}

/* The whole file as an image of its own, with a descriptor of its own. */
static r1_status longfile_map(part_image **out, const longfile *f, uint64_t len, r1_err *err)
{
    if (len < UNIT)
        R1_FAIL(err, R1_E_FORMAT, "%s: expected at least %d bytes, found %llu", f->path, UNIT,
                (unsigned long long)len);
    int fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) R1_FAIL(err, R1_E_NOMEM, "no descriptor to open %s", f->path);
    r1_status st;
    void *base = mmap(NULL, (size_t)len, PROT_READ, MAP_SHARED, f->fd, 0);
    if (base == MAP_FAILED) {
        st = r1_err_set(err, R1_E_IO, __FILE__, __LINE__, "mapping %s: %s", f->path,
                        strerror(errno));
        goto fail_map;
    }
    *out = image_new(base, (size_t)len, fd);
    if (*out) return R1_OK;
    st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory to open %s", f->path);
    munmap(base, (size_t)len);
fail_map:
    close(fd);
    return st;
}

r1_status longfile_open(r1_longterm **out, const char *path, size_t n_max, bool writable,
                        r1_err *err)
{
    longfile f;
    reader r = {.path = path};
    part_image *map;
    r1_status st = longfile_open_file(&f, path, writable, &r.len, err);
    if (st != R1_OK) goto fail_open;
    st = longfile_map(&map, &f, r.len, err);
    if (st != R1_OK) goto fail_open;
    r.base = map->base;
    st = longfile_load(out, &f, &r, map, n_max, err);
    if (st != R1_OK) goto fail_load;
    (*out)->file = f;
    (*out)->file.at = f.end;
    if (writable) longfile_rollback(&(*out)->file); /* cuts an incomplete transaction off */
    posix_madvise(map->base, map->bytes, POSIX_MADV_RANDOM);
    /* The checksums touched all of it; searches touch little. */
    madvise(map->base, map->bytes, MADV_DONTNEED);
    image_free(map);
    return R1_OK;
fail_load:
    image_free(map);
fail_open:
    longfile_close(&f);
    return st;
}
