/* SPDX-License-Identifier: Apache-2.0 */
/* system.c - clocks, CRC-32C, whole files and atomic replacement. */
#include "base/sync.h"
#include "r1_base.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t r1_time_us(void) { return clock_us(CLOCK_REALTIME); }
int64_t r1_mono_us(void) { return clock_us(CLOCK_MONOTONIC); }

static uint32_t crc_table[256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void crc_fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1; /* Castagnoli polynomial, reflected */
        crc_table[i] = c;
    }
}

#if defined __x86_64__
/* The processor's own instruction, eight bytes at a time; what is left is the caller's. */
__attribute__((target("sse4.2"))) static size_t crc_by_eights(const unsigned char *p, size_t len,
                                                              uint32_t *crc)
{
    uint64_t c = *crc, word;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        memcpy(&word, p + i, sizeof word);
        c = __builtin_ia32_crc32di(c, word);
    }
    *crc = (uint32_t)c;
    return i;
}
#endif

uint32_t r1_crc32c(const void *data, size_t len, uint32_t crc)
{
    pthread_once(&crc_once, crc_fill);
    const unsigned char *p = data;
    crc = ~crc;
#if defined __x86_64__
    if (__builtin_cpu_supports("sse4.2")) {
        size_t done = crc_by_eights(p, len, &crc);
        p += done;
        len -= done;
    }
#endif
    while (len--) crc = crc >> 8 ^ crc_table[(crc ^ *p++) & 255];
    return ~crc;
}

static r1_status system_read_all(FILE *f, const char *path, size_t bytes_max, char **data,
                                 size_t *len, r1_err *err)
{
    size_t cap = 64 * 1024, n = 0;
    char *buf = malloc(cap + 1);
    if (!buf) R1_FAIL(err, R1_E_NOMEM, "%s: no memory to read it", path);
    for (;;) {
        n += fread(buf + n, 1, cap - n, f);
        if (n < cap) break;
        if (cap >= bytes_max) break;
        cap = cap > bytes_max / 2 ? bytes_max : cap * 2;
        char *grown = realloc(buf, cap + 1);
        if (!grown) {
            free(buf);
            R1_FAIL(err, R1_E_NOMEM, "%s: no memory to read %zu bytes", path, cap);
        }
        buf = grown;
    }
    if (ferror(f) || n > bytes_max || (n == bytes_max && fgetc(f) != EOF)) {
        bool io = ferror(f);
        free(buf);
        if (io) R1_FAIL(err, R1_E_IO, "%s: %s", path, strerror(errno));
        R1_FAIL(err, R1_E_FORMAT, "%s: larger than the limit of %zu bytes", path, bytes_max);
    }
    buf[n] = 0;
    *data = buf;
    *len = n;
    return R1_OK;
}

const char *r1_file_where(const char *path, char *text, size_t size)
{
    char folder[4096];
    *text = 0;
    if (*path != '/' && getcwd(folder, sizeof folder))
        snprintf(text, size,
                 ": a relative path, looked for as %s/%s, from where the program was started",
                 strcmp(folder, "/") ? folder : "", path);
    return text;
}

r1_status r1_file_refuse(const char *path, r1_status code, int why, r1_err *err)
{
    char where[sizeof err->msg];
    R1_FAIL(err, code, "%s: %s%s", path, strerror(why), r1_file_where(path, where, sizeof where));
}

r1_status r1_file_read(const char *path, size_t bytes_max, char **data, size_t *len, r1_err *err)
{
    FILE *f = fopen(path, "rb");
    if (!f) return r1_file_refuse(path, errno == ENOENT ? R1_E_NOT_FOUND : R1_E_IO, errno, err);
    r1_status st = system_read_all(f, path, bytes_max, data, len, err);
    fclose(f);
    return st;
}

static r1_status system_write_all(int fd, const char *path, const char *p, size_t len, r1_err *err)
{
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) R1_FAIL(err, R1_E_IO, "writing %s: %s", path, strerror(errno));
        p += n;
        len -= (size_t)n;
    }
    return R1_OK;
}

void r1_sync_folder_of(const char *path)
{
    char dir[4096];
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash) *(slash == dir ? slash + 1 : slash) = 0;
    int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

r1_status r1_file_settle(r1_status st, const char *tmp, const char *path, r1_err *err)
{
    if (st == R1_OK && rename(tmp, path))
        st = r1_err_set(err, R1_E_IO, __FILE__, __LINE__, "renaming %s to %s: %s", tmp, path,
                        strerror(errno));
    if (st != R1_OK) {
        unlink(tmp);
        return st;
    }
    r1_sync_folder_of(path);
    return R1_OK;
}

bool r1_file_is_stream(const char *path)
{
    struct stat s;
    if (stat(path, &s) != 0) return false;
    if (!S_ISREG(s.st_mode)) return !S_ISDIR(s.st_mode);
    return !strncmp(path, "/dev/", 5) || !strncmp(path, "/proc/", 6); /* as /dev/stdout > FILE */
}

static r1_status system_create(const char *path, const char *tmp, int *fd, r1_err *err)
{
    *fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (*fd >= 0) return R1_OK;
    r1_status st = r1_file_refuse(path, R1_E_IO, errno, err);
    r1_err_prefix(err, "creating ");
    return st;
}

static r1_status system_close(int fd, const char *path, r1_status st, r1_err *err)
{
    if (close(fd) == 0 || st != R1_OK) return st;
    R1_FAIL(err, R1_E_IO, "closing %s: %s", path, strerror(errno));
}

static r1_status system_write_stream(const char *path, const void *data, size_t len, r1_err *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0) return r1_file_refuse(path, R1_E_IO, errno, err);
    return system_close(fd, path, system_write_all(fd, path, data, len, err), err);
}

r1_status r1_file_write(const char *path, const void *data, size_t len, r1_err *err)
{
    char tmp[4096], *named = NULL;
    int fd;
    if (r1_file_is_stream(path)) return system_write_stream(path, data, len, err);
    named = realpath(path, NULL); /* the file that a link names; NULL: there is none yet */
    const char *target = named ? named : path;
    if (snprintf(tmp, sizeof tmp, "%s.tmp.%ld", target, (long)getpid()) >= (int)sizeof tmp) {
        free(named);
        R1_FAIL(err, R1_E_INVAL, "path longer than %zu bytes: %.80s...", sizeof tmp, path);
    }
    r1_status st = system_create(path, tmp, &fd, err);
    if (st == R1_OK) {
        st = system_write_all(fd, tmp, data, len, err);
        if (st == R1_OK && fsync(fd))
            st = r1_err_set(err, R1_E_IO, __FILE__, __LINE__, "syncing %s: %s", tmp,
                            strerror(errno));
        st = r1_file_settle(system_close(fd, tmp, st, err), tmp, target, err);
    }
    free(named);
    return st;
}

r1_status r1_mkdirs(const char *path, r1_err *err)
{
    char p[4096];
    if (snprintf(p, sizeof p, "%s", path) >= (int)sizeof p)
        R1_FAIL(err, R1_E_INVAL, "path longer than %zu bytes: %.80s...", sizeof p, path);
    for (char *s = p + 1;; s++) {
        if (*s != '/' && *s) continue;
        char c = *s;
        *s = 0;
        if (mkdir(p, 0700) && errno != EEXIST) {
            r1_status st = r1_file_refuse(p, R1_E_IO, errno, err);
            r1_err_prefix(err, "making the folder ");
            return st;
        }
        if (!c) return R1_OK;
        *s = c;
    }
}
