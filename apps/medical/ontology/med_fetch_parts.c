/* SPDX-License-Identifier: Apache-2.0 */
/* med_fetch_parts.c - see med_fetch_parts.h, and the check of a manifest. */
#include "ontology/med_fetch_parts.h"
#include "ontology/med_slurp.h"
#include "ontology/med_sources.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

bool med_sha256(const void *data, size_t len, uint8_t digest[32])
{
    return EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) == 1;
}

r1_status med_fetch_sha256(const void *data, size_t len, const char *what, char hex[65],
                           r1_err *err)
{
    uint8_t d[32];
    if (!med_sha256(data, len, d)) R1_FAIL(err, R1_E_IO, "%s: libcrypto computes no sha256", what);
    for (size_t i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", d[i]);
    return R1_OK;
}

r1_status med_fetch_run(const char *const *argv, const char *hint, r1_err *err)
{
    pid_t pid = fork();
    if (pid < 0) R1_FAIL(err, R1_E_IO, "cannot start %s: %s", argv[0], strerror(errno));
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (null >= 0) dup2(null, 1);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return R1_OK;
    R1_FAIL(err, R1_E_IO, "%s %s %s failed (status %d); %s", argv[0], argv[1], argv[2],
            WIFEXITED(status) ? WEXITSTATUS(status) : -1, hint);
}

/* ---- the manifest ---------------------------------------------------------------------------- */

r1_status med_manifest_open(med_manifest *m, r1_err *err)
{
    *m = (med_manifest){0};
    if (!(m->f = open_memstream(&m->text, &m->len))) R1_FAIL(err, R1_E_NOMEM, "no memory");
    fputs("file\taddress\tfetched\tbytes\tsha256\tlicence\n", m->f);
    return R1_OK;
}

r1_status med_manifest_close(med_manifest *m, const char *dir, r1_status st, r1_err *err)
{
    char path[4400];
    snprintf(path, sizeof path, "%s/%s", dir, MED_MANIFEST_NAME);
    fclose(m->f);
    if (st == R1_OK) st = r1_file_write(path, m->text, m->len, err);
    free(m->text);
    return st;
}

r1_status med_fetch_place(const char *from, const char *dir, const med_fetch_source *s,
                          FILE *manifest, med_fetched *out, r1_err *err)
{
    char *data = NULL, hex[65], to[4400], when[32];
    size_t len = 0;
    time_t now = time(NULL);
    struct tm tm;
    if (out->n_file == MED_FETCH_ROWS_MAX) R1_FAIL(err, R1_E_NOMEM, "%s: more files than 32", dir);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    snprintf(to, sizeof to, "%s/%s", dir, s->file);
    R1_TRY(r1_file_read(from, MED_INPUT_BYTES_MAX, &data, &len, err));
    r1_status st = med_sources_known(from, s->address, err);
    if (st == R1_OK) st = med_fetch_sha256(data, len, s->file, hex, err);
    if (st == R1_OK) st = r1_file_write(to, data, len, err);
    free(data);
    R1_TRY(st);
    fprintf(manifest, "%s\t%s\t%s\t%zu\t%s\t%s\n", s->file, s->address, when, len, hex, s->licence);
    snprintf(out->file[out->n_file++], MED_FETCH_FILE_BYTES, "%s", s->file);
    return R1_OK;
}

enum {
    MANIFEST_FILE,
    MANIFEST_ADDRESS,
    MANIFEST_FETCHED,
    MANIFEST_BYTES,
    MANIFEST_SHA256,
    MANIFEST_LICENCE,
    MANIFEST_COLUMNS
};

/* *problem stays empty where the file is the one that was fetched. */
static r1_status manifest_row(const char *dir, const med_field *f, char *problem, r1_err *err)
{
    char path[4400], hex[65], *data = NULL;
    size_t len = 0;
    const med_field *name = &f[MANIFEST_FILE], *sum = &f[MANIFEST_SHA256];
    snprintf(path, sizeof path, "%s/%.*s", dir, (int)name->len, name->s);
    if (r1_file_read(path, MED_INPUT_BYTES_MAX, &data, &len, NULL) != R1_OK) {
        snprintf(problem, MED_FETCH_LINE_BYTES, "%.*s cannot be read", (int)name->len, name->s);
        return R1_OK;
    }
    r1_status st = med_fetch_sha256(data, len, path, hex, err);
    free(data);
    if (st == R1_OK && (sum->len != 64 || memcmp(sum->s, hex, 64) != 0))
        snprintf(problem, MED_FETCH_LINE_BYTES, "%.*s is not the file that was fetched: sha256 %s",
                 (int)name->len, name->s, hex);
    return st;
}

r1_status med_manifest_check(const char *dir, char problem[MED_FETCH_LINE_BYTES], r1_err *err)
{
    char path[4400], *data = NULL;
    const char *line;
    size_t len = 0, n;
    struct stat sb;
    r1_status st = R1_OK;
    *problem = '\0';
    snprintf(path, sizeof path, "%s/%s", dir, MED_MANIFEST_NAME);
    if (stat(path, &sb) != 0) return R1_OK;
    R1_TRY(r1_file_read(path, (size_t)1 << 20, &data, &len, err));
    med_lines l = {data, data + len, 0};
    while (st == R1_OK && !*problem && med_lines_next(&l, &line, &n)) {
        med_field f[MANIFEST_COLUMNS];
        size_t got = med_split(line, n, '\t', f, MANIFEST_COLUMNS);
        bool plain = got == MANIFEST_COLUMNS && f[0].len > 0 && f[0].len < MED_FETCH_FILE_BYTES &&
                     !memchr(f[0].s, '/', f[0].len) && *f[0].s != '.';
        if (!plain)
            st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__, "%s:%lld: no row of a manifest",
                            path, (long long)l.number);
        else if (l.number > 1) /* the first names the columns */
            st = manifest_row(dir, f, problem, err);
    }
    free(data);
    return st;
}

bool med_manifest_date(const char *path, char *out, size_t cap)
{
    char manifest[4400], *data = NULL;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *line;
    size_t len = 0, n;
    bool found = false;
    snprintf(manifest, sizeof manifest, "%.*s%s", (int)(name - path), path, MED_MANIFEST_NAME);
    if (r1_file_read(manifest, (size_t)1 << 20, &data, &len, NULL) != R1_OK) return false;
    med_lines l = {data, data + len, 0};
    while (!found && med_lines_next(&l, &line, &n)) {
        med_field f[MANIFEST_COLUMNS];
        if (med_split(line, n, '\t', f, MANIFEST_COLUMNS) != MANIFEST_COLUMNS) continue;
        found = f[MANIFEST_FILE].len == strlen(name) &&
                memcmp(f[MANIFEST_FILE].s, name, f[MANIFEST_FILE].len) == 0;
        int day = f[MANIFEST_FETCHED].len < 10 ? (int)f[MANIFEST_FETCHED].len : 10;
        if (found) snprintf(out, cap, "fetched %.*s", day, f[MANIFEST_FETCHED].s);
    }
    free(data);
    return found;
}
