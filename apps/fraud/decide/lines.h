/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lines.h - a file of rules or accounts as text, read line by line, and where in it a fault is.
 *
 * Owns:    a fraud_lines owns the file's text until fraud_lines_close.
 * Threads: one.
 * Errors:  R1_E_INVAL with FILE:LINE or FILE:LINE:COLUMN; a column counts characters from 1. */
#ifndef FRAUD_LINES_H
#define FRAUD_LINES_H

#include "r1_base.h"

typedef struct {
    const char *path;
    char *text; /* owned; each line that was given out ends in NUL */
    char *next; /* the line behind; NULL: none */
    char *line; /* the line in hand, without its end */
    int n;      /* its number, from 1 */
    r1_err *err;
} fraud_lines;

/* Reads the file, mixes its bytes into *hash, and refuses what is no text: UTF-16, a byte order
 * mark, a zero byte, other bytes than UTF-8, characters that a reader does not see. */
r1_status fraud_lines_open(fraud_lines *s, const char *path, size_t bytes_max, uint64_t *hash,
                           r1_err *err);
/* The same from memory. path: a name for messages. */
r1_status fraud_lines_of(fraud_lines *s, const char *path, const char *data, size_t len,
                         r1_err *err);
void fraud_lines_close(fraud_lines *s); /* all zero is fine */
bool fraud_lines_next(fraud_lines *s);  /* the next line into `line`; false at the end */
int fraud_lines_column(const fraud_lines *s, const char *at);

#endif
