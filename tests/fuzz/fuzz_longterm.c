/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_longterm.c - any bytes as a long-term memory file: either refused with a reason, or a
 * memory that can be searched, read and saved. The bytes go in twice: as they are, and with the
 * checksums of header and blocks made right again, so that the checks behind them are reached. */
#include "fuzz/fuzz.h"
#include "memory/longstore.h"

enum {
    UNIT = 64,
    HEAD_CRC = 56,
    BLOCK_BYTES = 16,
    BLOCK_CRC = 32,
    BLOCK_HEAD_CRC = 60,
    HITS = 8,
    ENTRIES_MAX = 4096
};

static void longterm_put32(uint8_t *p, uint32_t v) { memcpy(p, &v, sizeof v); }

/* As docs of the format in longfile.c have it; stops where a block's size cannot be. */
static void longterm_repair(uint8_t *data, size_t size)
{
    if (size < UNIT) return;
    longterm_put32(data + HEAD_CRC, r1_crc32c(data, HEAD_CRC, 0));
    for (size_t at = UNIT; size - at >= UNIT;) {
        uint64_t bytes;
        memcpy(&bytes, data + at + BLOCK_BYTES, sizeof bytes);
        if (bytes > size - at - UNIT) return;
        longterm_put32(data + at + BLOCK_CRC, r1_crc32c(data + at + UNIT, (size_t)bytes, 0));
        longterm_put32(data + at + BLOCK_HEAD_CRC, r1_crc32c(data + at, BLOCK_HEAD_CRC, 0));
        at += UNIT + ((size_t)bytes + UNIT - 1) / UNIT * UNIT;
        if (at > size) return;
    }
}

static void longterm_use(r1_longterm *lt)
{
    static float q[8192], x[8192];
    r1_longterm_hit hit[HITS];
    r1_err err = {0};
    size_t n = 0;
    r1_longterm_view *v = r1_longterm_view_open(lt);
    view_check(v, lt->next_id);
    for (int i = 0; i < 8192; i++) q[i] = (float)(i % 7) - 3;
    r1_longterm_stats s;
    r1_longterm_view_stats(v, &s);
    for (int codes = 0; codes < 2; codes++) {
        r1_longterm_query how = {.k = HITS, .codes_only = codes};
        if (r1_longterm_view_search(v, q, &how, hit, &n, &err) != R1_OK || n > HITS) abort();
    }
    for (uint64_t id = 1; id < 40; id++) {
        r1_longterm_entry e;
        if (r1_longterm_view_get(v, id, &e, &err) != R1_OK) continue;
        if (e.value_bytes && r1_hash64(e.value, e.value_bytes, 0) == 0)
            abort(); /* reads all of it */
        r1_longterm_view_key(v, id, x, &err);
        r1_longterm_view_vector(v, id, true, x, &err);
    }
    r1_longterm_view_close(v);
}

static void longterm_try_bytes(const uint8_t *data, size_t size)
{
    r1_err err = {0};
    r1_longterm *lt;
    char path[64];
    int fd = fuzz_file(data, size, path);
    if (r1_longterm_open_read(&lt, path, ENTRIES_MAX, &err) == R1_OK) {
        longterm_use(lt);
        r1_longterm_free(lt);
    } else {
        fuzz_refused(&err);
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_twice(data, size, longterm_repair, longterm_try_bytes);
    return 0;
}
