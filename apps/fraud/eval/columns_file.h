/* SPDX-License-Identifier: GPL-3.0-or-later */
/* columns_file.h - the columns of a data set as raw f32 rows, for peers in other languages
 * (docs/file-formats.md).
 *
 * Owns: nothing. Threads: one at a time. Errors: R1_E_INVAL for too many weeks, R1_E_IO. */
#ifndef FRAUD_COLUMNS_FILE_H
#define FRAUD_COLUMNS_FILE_H

#include "dataset/protocol.h"

typedef struct {
    const fraud_dataset *data;
    fraud_protocol_opts protocol; /* but for the week */
    int first_week, last_week;    /* the handbook's; else both 0 */
    bool progress;
} fraud_columns_opts;

/* Writes PATH and PATH.txt (the handbook: PATH.WEEK and PATH.WEEK.txt): every payment that the
 * split uses. */
r1_status fraud_columns_write(const fraud_columns_opts *opts, const char *path, r1_err *err);

#endif
