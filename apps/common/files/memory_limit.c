/* SPDX-License-Identifier: Apache-2.0 */
/* memory_limit.c - see memory_limit.h. Control groups of version 1 and 2 are read along the path of
 * this process: each folder on it may have a limit of its own. */
#include "files/memory_limit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The first number of a file; 0: none is there, as in "max". */
static uint64_t number_in(const char *root, const char *path)
{
    char name[1024];
    uint64_t x = 0;
    snprintf(name, sizeof name, "%s%s", root, path);
    FILE *f = fopen(name, "re");
    if (f && fscanf(f, "%" SCNu64, &x) != 1) x = 0;
    if (f) fclose(f);
    return x;
}

static void limit_take(uint64_t bytes, const char *what, uint64_t *least, const char **name)
{
    if (!bytes || (*least && bytes >= *least)) return;
    *least = bytes;
    *name = what;
}

static uint64_t machine_available(const char *root)
{
    char name[1024], line[256];
    uint64_t kib = 0;
    snprintf(name, sizeof name, "%s/proc/meminfo", root);
    FILE *f = fopen(name, "re");
    while (f && !kib && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) != 1) kib = 0;
    if (f) fclose(f);
    return kib * 1024;
}

/* The limits of a group and of those above it; path begins with '/', and is used up. */
static void group_limits(const char *root, const char *mount, const char *file, char *path,
                         uint64_t *least, const char **what)
{
    char name[900];
    for (;;) {
        snprintf(name, sizeof name, "%s%s/%s", mount, strcmp(path, "/") ? path : "", file);
        limit_take(number_in(root, name), "the control group's limit", least, what);
        char *last = strrchr(path, '/');
        if (!last || !strcmp(path, "/")) return;
        last[last == path] = 0;
    }
}

uint64_t r1_memory_limit(const char *root, const char **what)
{
    char name[1024], line[600];
    uint64_t least = 0;
    *what = "nothing that can be read";
    limit_take(machine_available(root), "MemAvailable", &least, what);
    snprintf(name, sizeof name, "%s/proc/self/cgroup", root);
    FILE *f = fopen(name, "re");
    while (f && fgets(line, sizeof line, f)) { /* NUMBER:CONTROLLERS:PATH */
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':'),
             *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path || path[1] != '/') continue;
        *path++ = 0;
        if (!controllers[1])
            group_limits(root, "/sys/fs/cgroup", "memory.max", path, &least, what);
        else if (strstr(controllers, "memory"))
            group_limits(root, "/sys/fs/cgroup/memory", "memory.limit_in_bytes", path, &least,
                         what);
    }
    if (f) fclose(f);
    return least;
}
