/* SPDX-License-Identifier: Apache-2.0 */
/* outputs.c - see outputs.h. */
#include "files/outputs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* The folder of a path ("." where it names none) and the name in it. */
static const char *output_folder(const char *path, char folder[PATH_BYTES])
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        snprintf(folder, PATH_BYTES, ".");
    else
        snprintf(folder, PATH_BYTES, "%.*s", (int)(slash == path ? 1 : slash - path), path);
    return slash ? slash + 1 : path;
}

static bool same_inode(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool output_same(const char *a, const char *b)
{
    char folder_a[PATH_BYTES], folder_b[PATH_BYTES];
    struct stat x, y;
    bool has_a = stat(a, &x) == 0, has_b = stat(b, &y) == 0;
    if (has_a && has_b) return S_ISREG(x.st_mode) && same_inode(&x, &y);
    if (has_a || has_b) return false;
    if (strcmp(a, b) == 0) return true;
    const char *name_a = output_folder(a, folder_a), *name_b = output_folder(b, folder_b);
    return strcmp(name_a, name_b) == 0 && stat(folder_a, &x) == 0 && stat(folder_b, &y) == 0 &&
           same_inode(&x, &y);
}

/* A folder that is there and takes files; for R1_OUTPUT_BELOW the nearest one that is there. */
static r1_status output_folder_check(const r1_named_file *f, r1_err *err)
{
    char folder[PATH_BYTES], above[PATH_BYTES];
    struct stat s;
    output_folder(f->path, folder);
    while (f->kind == R1_OUTPUT_BELOW && stat(folder, &s) && errno == ENOENT &&
           strcmp(folder, ".") != 0) {
        memcpy(above, folder, sizeof above);
        output_folder(above, folder);
    }
    if (stat(folder, &s) == 0 && !S_ISDIR(s.st_mode))
        errno = ENOTDIR;
    else if (access(folder, W_OK | X_OK) == 0)
        return R1_OK;
    R1_FAIL(err, R1_E_IO, "%s %s: expected a folder that takes files, found %s: %s", f->what,
            f->path, folder, strerror(errno));
}

static r1_status output_writable(const r1_named_file *f, r1_err *err)
{
    struct stat s;
    bool there = stat(f->path, &s) == 0;
    if (strlen(f->path) >= PATH_BYTES)
        R1_FAIL(err, R1_E_INVAL, "%s: path longer than %d bytes: %.80s...", f->what, PATH_BYTES - 1,
                f->path);
    if (there && S_ISDIR(s.st_mode))
        R1_FAIL(err, R1_E_IO, "%s %s: expected a file, found a folder", f->what, f->path);
    if (there && (!S_ISREG(s.st_mode) || f->kind == R1_OUTPUT_IN_PLACE)) {
        if (access(f->path, W_OK) == 0) return R1_OK;
        R1_FAIL(err, R1_E_IO, "%s %s: %s", f->what, f->path, strerror(errno));
    }
    return output_folder_check(f, err);
}

static r1_status output_other(const r1_named_file *out, const char *what, const char *path,
                              r1_err *err)
{
    if (!path || !output_same(out->path, path)) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "%s %s: expected another file than %s, found the same one as %s",
            out->what, out->path, what, path);
}

r1_status r1_outputs_check(const r1_named_file *out, size_t n_out, const r1_named_file *in,
                           size_t n_in, r1_err *err)
{
    for (size_t i = 0; i < n_out; i++) {
        if (!out[i].path) continue;
        for (size_t k = 0; k < n_in; k++)
            R1_TRY(output_other(&out[i], in[k].what, in[k].path, err));
        for (size_t k = 0; k < i; k++) R1_TRY(output_other(&out[i], out[k].what, out[k].path, err));
        R1_TRY(output_writable(&out[i], err));
    }
    return R1_OK;
}

r1_status r1_outputs_spare(const r1_named_file *out, size_t n_out, const char *what,
                           const char *const *in, size_t n_in, r1_err *err)
{
    for (size_t i = 0; i < n_out; i++)
        for (size_t k = 0; out[i].path && k < n_in; k++)
            R1_TRY(output_other(&out[i], what, in[k], err));
    return R1_OK;
}
