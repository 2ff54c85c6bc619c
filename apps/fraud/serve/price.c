/* SPDX-License-Identifier: GPL-3.0-or-later */
/* price.c - see price.h. */
#include "serve/price.h"

#include "files/memory_limit.h"
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
    uint64_t limit = r1_memory_limit("", &what);
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
