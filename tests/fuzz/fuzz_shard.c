/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_shard.c - any bytes as a file of training samples: refused with a reason, or samples and
 * events that can be read. The bytes go in twice: as they are, and with the checksum made right
 * again. */
#include "fuzz/fuzz.h"
#include "r1_shard.h"

enum { DESC_AT = 16, INDEX_AT = 40, CRC_AT = 56, HEAD = 64, ITEMS_MAX = 32 };

static uint64_t shard_get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* As core/train/shard.c has it; leaves alone what does not fit. */
static void shard_repair(uint8_t *data, size_t size)
{
    if (size < HEAD) return;
    uint64_t desc = shard_get64(data + DESC_AT), at = shard_get64(data + INDEX_AT);
    if (desc > size - HEAD || at < HEAD || at > size) return;
    memset(data + CRC_AT, 0, 4);
    uint32_t crc = r1_crc32c(data, HEAD, 0);
    crc = r1_crc32c(data + HEAD, (size_t)desc, crc);
    crc = r1_crc32c(data + at, size - (size_t)at, crc);
    memcpy(data + CRC_AT, &crc, sizeof crc);
}

static void shard_use(r1_shard *s)
{
    r1_item item[ITEMS_MAX];
    r1_sample sample;
    r1_err err = {0};
    if (r1_shard_n_item(s) > ITEMS_MAX) abort();
    for (size_t i = 0; i < r1_shard_n_sample(s); i++)
        if (r1_shard_get(s, i, item, &sample, &err) != R1_OK) abort();
    for (size_t i = 0; i < r1_shard_n_event(s); i++) (void)r1_shard_event(s, i);
}

static void shard_try_bytes(const uint8_t *data, size_t size)
{
    char path[64];
    r1_err err = {0};
    r1_shard *s;
    int fd = fuzz_file(data, size, path);
    if (r1_shard_open(&s, path, &err) == R1_OK) {
        shard_use(s);
        r1_shard_close(s);
    } else {
        fuzz_refused(&err);
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_twice(data, size, shard_repair, shard_try_bytes);
    return 0;
}
