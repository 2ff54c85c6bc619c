/* SPDX-License-Identifier: GPL-3.0-or-later */
/* snap_file.h - the file of a snapshot: named sections, packed by zstd in blocks, each block with
 * its checksum.
 *
 *   head     64 bytes: magic, format version, sections, apply_seq, bytes of the file, place of the
 *            table, a hash over head and table
 *   blocks   packed bytes, raw bytes (u32 each), a zstd frame with content size and checksum
 *   table    64 bytes a section: name, version, place, packed and raw bytes, number of blocks
 *
 * All numbers are little endian. Sizes are compared with the file before anything is allocated.
 * A block is packed alone, so that several threads unpack one section.
 *
 * Owns:    a writer its buffers, made once; a reader its file, buffers and threads.
 * Threads: one at a time. After fraud_snap_writer_new a writer neither allocates nor locks, so a
 *          child of fork may use it.
 * Errors:  reading: R1_E_FORMAT for what is not a whole snapshot, R1_E_IO. Writing: R1_E_IO without
 *          a message, since a child may not format one; fraud_snap_writer_errno tells why. */
#ifndef FRAUD_SNAP_FILE_H
#define FRAUD_SNAP_FILE_H

#include "files/image.h"

enum { FRAUD_SNAP_FORMAT = 1, FRAUD_SNAP_SECTIONS_MAX = 64, FRAUD_SNAP_BLOCK = 1 << 20 };

typedef struct fraud_snap_writer fraud_snap_writer;
r1_status fraud_snap_writer_new(fraud_snap_writer **out, r1_err *err);
void fraud_snap_writer_free(fraud_snap_writer *w); /* NULL is fine */
/* Sections go to fd from its beginning; the caller opened it and closes it. */
r1_image_out *fraud_snap_writer_begin(fraud_snap_writer *w, int fd, int64_t apply_seq);
/* Writes table and head, then fsync. */
r1_status fraud_snap_writer_end(fraud_snap_writer *w);
int fraud_snap_writer_errno(const fraud_snap_writer *w);
uint64_t fraud_snap_writer_bytes(const fraud_snap_writer *w); /* of the file so far */

typedef struct fraud_snap_reader fraud_snap_reader;
/* Head and table are checked; n_thread: that unpack, 0: one for each processor, at most 8. */
r1_status fraud_snap_reader_open(fraud_snap_reader **out, const char *path, uint32_t n_thread,
                                 r1_err *err);
void fraud_snap_reader_close(fraud_snap_reader *r); /* NULL is fine */
int64_t fraud_snap_reader_seq(const fraud_snap_reader *r);
uint64_t fraud_snap_reader_bytes(const fraud_snap_reader *r); /* of the file */
r1_image_in *fraud_snap_reader_in(fraud_snap_reader *r);
/* Name of the section that comes next; NULL: none. */
const char *fraud_snap_reader_next(const fraud_snap_reader *r);
/* Every section was read to its end, else R1_E_FORMAT. */
r1_status fraud_snap_reader_done(const fraud_snap_reader *r, r1_err *err);

#endif
