/* SPDX-License-Identifier: GPL-3.0-or-later */
/* snap_layout.h - head and table of a snapshot's file, as writer, reader and fuzzer see them. */
#ifndef FRAUD_SNAP_LAYOUT_H
#define FRAUD_SNAP_LAYOUT_H

#include "snapshot/snap_file.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a snapshot is little endian");

#define SNAP_MAGIC "R1SNAP\r\n" /* a transfer as text breaks it */

typedef struct {
    char magic[8];
    uint32_t format, n_section;
    int64_t apply_seq;
    uint64_t file_bytes, table_at;
    uint64_t spare[2]; /* 0 */
    uint64_t hash;     /* of the bytes before it and of the table */
} snap_head;

typedef struct {
    char name[R1_IMAGE_NAME_BYTES];
    uint32_t version, n_block;
    uint64_t at, packed, raw; /* packed: with the blocks' heads */
    uint64_t spare;           /* 0 */
} snap_row;

typedef struct {
    uint32_t packed, raw;
} snap_block_head;

_Static_assert(sizeof(snap_head) == 64 && sizeof(snap_row) == 64 && sizeof(snap_block_head) == 8,
               "no padding");

static inline uint64_t snap_hash(const snap_head *head, const snap_row *row, size_t n)
{
    uint64_t h = r1_hash64(head, offsetof(snap_head, hash), FRAUD_SNAP_FORMAT);
    return r1_hash64(row, n * sizeof *row, h);
}

#endif
