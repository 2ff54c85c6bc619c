/* SPDX-License-Identifier: Apache-2.0 */
/* med_rows.h - the rows of a file of notes/data: its lines without the empty ones and those that
 * begin with #, each with its number. A carriage return is refused, because it would become part
 * of the last word.
 *
 * Threads: any. */
#ifndef MED_ROWS_H
#define MED_ROWS_H

#include "r1_base.h"

/* One row: s[0, len), len > 0. line: its number, from 1. */
typedef r1_status med_row_fn(void *reader, uint32_t line, const char *s, size_t len, r1_err *err);

/* Gives each row of the text to fn until one fails. name: of the file, for errors. */
r1_status med_rows_read(const char *name, const char *text, size_t len, med_row_fn *fn,
                        void *reader, r1_err *err);

#endif
