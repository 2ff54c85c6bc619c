/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dataset_files.h - finds and reads the files of a data set, plain or .zst.
 *
 * Owns: nothing; what is read is malloc'ed, NUL-terminated and the caller's. Threads: any. */
#ifndef FRAUD_DATASET_FILES_H
#define FRAUD_DATASET_FILES_H

#include "r1_base.h"

#define FRAUD_DATASET_BYTES_MAX ((size_t)1 << 30) /* of one file, unpacked */

/* Writes to `out` which of path itself, path/name and path/name.zst is a file.
 * R1_E_NOT_FOUND: none. */
r1_status fraud_dataset_locate(const char *path, const char *name, char *out, size_t cap,
                               r1_err *err);
r1_status fraud_file_read(const char *path, char **data, size_t *len, r1_err *err);
/* Locates, then reads; at: the file that it was. */
r1_status fraud_dataset_file(const char *path, const char *name, char *at, size_t at_bytes,
                             char **data, size_t *len, r1_err *err);

#endif
