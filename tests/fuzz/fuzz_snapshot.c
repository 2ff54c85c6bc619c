/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_snapshot.c - any bytes as a snapshot's file, and as the sections in one: refused with a
 * reason, or an engine whose invariants hold and that goes on. The file goes in twice: as it is,
 * and with the hash of head and table made right again. */
#include "fuzz/fuzz.h"
#include "snapshot/snap_layout.h"
#include "support/small_engine.h"

static void snapshot_go_on(fraud_engine *e)
{
    int64_t seq = fraud_engine_last_seq(e);
    (void)fraud_engine_digest(e);
    if (seq >= 0 && seq < 100000) small_engine_feed(e, seq, 12);
    (void)fraud_engine_digest(e);
}

static void snapshot_load(r1_image_in *in)
{
    r1_err err = {0};
    fraud_engine *e = small_engine_new();
    if (fraud_engine_load(e, in, &err) == R1_OK)
        snapshot_go_on(e);
    else
        fuzz_refused(&err);
    fraud_engine_free(e);
}

/* As snap_writer.c has it; leaves alone what does not fit. */
static void snapshot_repair(uint8_t *data, size_t size)
{
    snap_head head;
    snap_row row[FRAUD_SNAP_SECTIONS_MAX];
    if (size < sizeof head) return;
    memcpy(&head, data, sizeof head);
    head.file_bytes = size;
    if (head.n_section > FRAUD_SNAP_SECTIONS_MAX || head.table_at > size ||
        size - head.table_at != head.n_section * sizeof *row)
        return;
    memcpy(row, data + head.table_at, head.n_section * sizeof *row);
    head.hash = snap_hash(&head, row, head.n_section);
    memcpy(data, &head, sizeof head);
}

static void snapshot_try_file(const uint8_t *data, size_t size)
{
    char path[64];
    r1_err err = {0};
    fraud_snap_reader *r;
    int fd = fuzz_file(data, size, path);
    if (fraud_snap_reader_open(&r, path, 1, &err) == R1_OK)
        snapshot_load(fraud_snap_reader_in(r));
    else
        fuzz_refused(&err);
    fraud_snap_reader_close(r);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_copy(data, size);
    small_image_in in = {.in = {.section = small_get_section, .get = small_get, .name = ""},
                         .data = copy,
                         .n = size};
    snapshot_load(&in.in);
    free(copy);
    fuzz_twice(data, size, snapshot_repair, snapshot_try_file);
    return 0;
}
