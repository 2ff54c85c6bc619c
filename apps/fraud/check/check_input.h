/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_input.h - somebody's messages out of a file: JSON lines, one JSON array, or CSV with a
 * header, whose rows become objects of texts.
 *
 * Owns:    messages are malloc'ed texts. Threads: one.
 * Errors:  R1_E_IO; R1_E_FORMAT with the line, also for CSV or an array that is not UTF-8.
 * Bounds:  CHECK_BYTES_MAX, CHECK_COLUMNS_MAX. */
#ifndef FRAUD_CHECK_INPUT_H
#define FRAUD_CHECK_INPUT_H

#include "r1_base.h"

enum { CHECK_BYTES_MAX = 256 << 20, CHECK_COLUMNS_MAX = 256 };

typedef struct {
    char **text; /* [n], each one message */
    size_t n;
    const char *form; /* "JSON lines", "a JSON array", "CSV" */
} check_input;

/* path "-": standard input. */
r1_status check_input_read(check_input *in, const char *path, r1_err *err);
void check_input_free(check_input *in);

#endif
