/* SPDX-License-Identifier: GPL-3.0-or-later */
/* row_archive.h - rows as a compressed file that can be proved: zstd, with the SHA-256 of the file.
 *
 *    FILE.tmp ─write─▶ FILE.tmp ─close─▶ fsync, rename ─▶ FILE ─check─▶ read back, counted, hashed
 *
 * One row is one line: PostgreSQL's COPY in its text format escapes line feeds.
 *
 * Owns:    an open archive owns its file; a failed one leaves none behind.
 * Threads: one at a time on each.
 * Errors:  R1_E_IO with the file; R1_E_FORMAT where what is read back is not what was written. */
#ifndef FRAUD_ROW_ARCHIVE_H
#define FRAUD_ROW_ARCHIVE_H

#include "r1_base.h"

enum { FRAUD_SHA256_TEXT = 65 };

typedef struct {
    uint64_t rows, bytes;           /* bytes: of the rows' text, before compression */
    char sha256[FRAUD_SHA256_TEXT]; /* of the file */
} fraud_archived;

typedef struct fraud_archive fraud_archive;
r1_status fraud_archive_new(fraud_archive **out, const char *path, r1_err *err);
/* One row, as r1_store_copy_out hands it over. */
r1_status fraud_archive_row(void *archive, const char *row, size_t len, r1_err *err);
/* Frees a. With st R1_OK the file stands under its name, on the disk, and was read back: what it
 * says is in out. Else it is removed, and st returned. */
r1_status fraud_archive_close(fraud_archive *a, r1_status st, fraud_archived *out, r1_err *err);
/* Reads a file and says what it holds. */
r1_status fraud_archive_check(const char *path, fraud_archived *out, r1_err *err);

#endif
