/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_manifest.c - any bytes as the manifest of a folder that was fetched: refused with a reason,
 * or what it says of a file of the folder, of another one, and of one that lacks. */
#include "fuzz/fuzz.h"
#include "ontology/med_fetch.h"

#include <fcntl.h>
#include <sys/stat.h>

static char dir[64], manifest[96], file[96];

static void manifest_over(void)
{
    unlink(manifest);
    unlink(file);
    rmdir(dir);
}

static void manifest_write(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char problem[MED_FETCH_LINE_BYTES], date[64] = "";
    r1_err err = {0};
    if (!*dir) {
        snprintf(dir, sizeof dir, "/tmp/r1-fuzz-manifest-%ld", (long)getpid());
        snprintf(manifest, sizeof manifest, "%s/manifest.tsv", dir);
        snprintf(file, sizeof file, "%s/hp.obo", dir);
        if (mkdir(dir, 0700) != 0) abort();
        atexit(manifest_over);
        manifest_write(file, "format-version: 1.2\n", 20);
    }
    manifest_write(manifest, data, size);
    if (med_manifest_check(dir, problem, &err) != R1_OK) fuzz_refused(&err);
    if (strlen(problem) >= sizeof problem) abort();
    if (med_manifest_date(file, date, sizeof date) && strncmp(date, "fetched ", 8) != 0) abort();
    return 0;
}
