/* SPDX-License-Identifier: Apache-2.0 */
/* shipped.c - where the files lie that come with the programs: in the source tree of a build,
 * below share/r1 of an installation. */
#include "cli/r1_cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool shipped_readable(char *path, const char *root, const char *name)
{
    int n = root ? snprintf(path, R1_PATH_BYTES, "%s/%s", root, name) : -1;
    return n > 0 && n < R1_PATH_BYTES && access(path, R_OK) == 0;
}

r1_status r1_cli_shipped(const char *name, char *path, r1_err *err)
{
    char beside[R1_PATH_BYTES] = "";
    ssize_t n = readlink("/proc/self/exe", beside, sizeof beside - 32);
    char *slash = n > 0 ? strrchr(beside, '/') : NULL;
    if (slash) memcpy(slash, "/../share/r1", sizeof "/../share/r1");
    const char *root[] = {getenv("R1_SOURCE"), slash ? beside : NULL, R1_SOURCE_DIR, R1_DATA_DIR};
    for (size_t i = 0; i < R1_COUNT(root); i++)
        if (shipped_readable(path, root[i], name)) return R1_OK;
    R1_FAIL(err, R1_E_NOT_FOUND,
            "%s is not below the source tree, ../share/r1 of the program or %s", name, R1_DATA_DIR);
}

/* A value that says what the default says is the default, wherever it was written. */
static bool shipped_default(const r1_options *o, const char *option, const char *given)
{
    size_t i = 0;
    while (i < r1_options_count(o) && strcmp(r1_options_row(o, i)->name, option) != 0) i++;
    const char *def = i < r1_options_count(o) ? r1_options_row(o, i)->def : NULL;
    return def && !strcmp(def, given);
}

r1_status r1_cli_path(const r1_options *o, const char *option, char *path, r1_err *err)
{
    const char *given = r1_options_str(o, option);
    if (shipped_default(o, option, given) && access(given, R_OK) != 0)
        return r1_cli_shipped(given, path, err);
    if (snprintf(path, R1_PATH_BYTES, "%s", given) < R1_PATH_BYTES) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "--%s: a path of at most %d bytes", option, R1_PATH_BYTES - 1);
}
