/* SPDX-License-Identifier: GPL-3.0-or-later */
/* price.c - see price.h. Control groups of version 1 and 2 are read along the path of this process:
 * each folder on it may have a limit of its own. */
#include "serve/price.h"

#include "serve/capacity.h"
#include "stream/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* ---- prices ---- */

int fraud_read_ahead_kib(int32_t partitions)
{
    return partitions < FRAUD_READ_AHEAD_KIB / FRAUD_READ_AHEAD_MIN_KIB
               ? FRAUD_READ_AHEAD_KIB / (partitions ? partitions : 1)
               : FRAUD_READ_AHEAD_MIN_KIB;
}

size_t fraud_price_list(const fraud_parts *p, int32_t partitions, fraud_price out[FRAUD_PRICES_MAX])
{
    fraud_capacity c;
    const uint64_t ids = (uint64_t)r1_options_int(p->o, "seen-ids"),
                   labels = (uint64_t)r1_options_int(p->o, "labels-waiting"),
                   n = partitions ? (uint64_t)partitions : 1, queue = FRAUD_QUEUE_RECORDS;
    const uint64_t held = r1_options_str(p->o, "events-topic")
                              ? (uint64_t)r1_options_int(p->o, "held-memory") << 20
                              : 0;
    fraud_engine_capacity(p->engine, &c);
    const fraud_price rows[] = {
        {"state", "accounts with their edges and pairs (state)", c.accounts_max, c.state_bytes},
        {"working_memory", "accounts of working memory (memory-accounts)", c.rings_max / 2,
         c.memory_bytes},
        {"seen_ids", "ids that are known again (seen-ids)", ids, fraud_txset_bytes(ids)},
        {"labels_waiting", "labels that wait (labels-waiting)", labels,
         fraud_waiting_bytes((uint32_t)labels)},
        {"queue", "records of the queue, each with its message", queue,
         queue * (sizeof(fraud_record) + FRAUD_PAYMENT_BYTES_MAX)},
        {"read_ahead", "partitions that are read ahead (librdkafka)", n,
         n * (uint64_t)fraud_read_ahead_kib(partitions) * 1024},
        {"arrival", "partitions with messages that wait for their turn", n,
         n * R1_PARTITION_PLACES * sizeof(fraud_arrival)},
        {"held", "store of what other processes have not committed (held-memory)", 1, held},
    };
    _Static_assert(R1_COUNT(rows) <= FRAUD_PRICES_MAX, "a row for each price");
    memcpy(out, rows, sizeof rows);
    return R1_COUNT(rows);
}

/* ---- what the machine has ---- */

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

uint64_t fraud_memory_limit(const char *root, const char **what)
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

/* ---- words ---- */

/* Snapshots hold at most what the state takes, and one more is written before the oldest goes. */
static void print_disk(const fraud_parts *p, uint64_t snapshot, const char *before, FILE *out)
{
    const char *folder = r1_options_str(p->o, "snapshot-dir");
    uint64_t files = (uint64_t)r1_options_int(p->o, "snapshot-keep") + 1;
    struct statvfs fs;
    if (!folder) return;
    fprintf(out, "%s%" PRIu64 " snapshots on disk, at most: ", before, files);
    fraud_print_bytes(out, files * snapshot);
    fprintf(out, "; while one is written, up to as much memory more as the state takes\n");
    if (statvfs(folder, &fs) != 0) return;
    uint64_t left = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (left >= files * snapshot) return;
    fprintf(out, "%swarning: snapshot-dir: expected so much room for full snapshots, found ",
            before);
    fraud_print_bytes(out, left);
    fprintf(out, " (%s)\n", folder);
}

void fraud_price_print(const fraud_parts *p, int32_t partitions, const char *before, FILE *out)
{
    fraud_price price[FRAUD_PRICES_MAX];
    size_t n = fraud_price_list(p, partitions, price);
    uint64_t sum = 0, snapshot = 0;
    const char *what;
    for (size_t i = 0; i < n; i++) {
        sum += price[i].bytes;
        snapshot += i < 4 ? price[i].bytes : 0;
        if (!price[i].bytes) continue;
        fprintf(out, "%s", before);
        fraud_print_count(out, price[i].n);
        fprintf(out, " %s: ", price[i].words);
        fraud_print_bytes(out, price[i].bytes);
        fputc('\n', out);
    }
    uint64_t limit = fraud_memory_limit("", &what);
    fprintf(out, "%sin all, when everything is full: ", before);
    fraud_print_bytes(out, sum);
    fprintf(out, ", of ");
    fraud_print_bytes(out, limit);
    fprintf(out, " by %s%s\n", what, partitions ? "" : "; topics of one partition are assumed");
    if (limit && sum > limit)
        fprintf(out,
                "%swarning: memory: expected room for all of it, found less: lower state-memory, "
                "seen-ids or memory-accounts\n",
                before);
    print_disk(p, snapshot, before, out);
}
