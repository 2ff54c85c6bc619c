/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message_csv.h - rows of CSV (RFC 4180) to JSON objects of texts, by the names of the header.
 *
 * The separator is the one of ; tab , | that the header has most of, or what a first line "sep=;"
 * says. Blanks around a field that is not quoted go. A field that is empty, or holds a word that
 * databases write for nothing (NULL, \N, N/A) without quotes, is left out of the object.
 *
 * Owns:    the header and a text. Threads: one.
 * Errors:  R1_E_FORMAT of a header; a row at fault is told in words.
 * Bounds:  MESSAGE_COLUMNS_MAX. */
#ifndef FRAUD_MESSAGE_CSV_H
#define FRAUD_MESSAGE_CSV_H

#include "r1_base.h"

#include <stdio.h>

enum { MESSAGE_COLUMNS_MAX = 512, MESSAGE_WHY_BYTES = 320 };

typedef struct message_csv message_csv;
message_csv *message_csv_new(void); /* NULL: no memory */
void message_csv_free(message_csv *c);

/* Where a row ends. The bytes of a row are fed one after the other, ends of line as '\n'. */
typedef enum { ROW_GOES_ON = 0, ROW_ENDS, ROW_BROKEN } message_row;
void message_csv_begin(message_csv *c);
message_row message_csv_feed(message_csv *c, char byte);
/* Why the row that begins in this line is broken: by the byte that was fed last, or by the end. */
void message_csv_broken(const message_csv *c, size_t line, char byte, bool end,
                        char why[MESSAGE_WHY_BYTES]);

/* Whether a quote is open. */
bool message_csv_is_open(const message_csv *c);

/* "sep=;" in the place of a header: takes the separator. */
bool message_csv_sep(message_csv *c, const char *row, size_t line);
/* Finds the separator in a header that is not read yet, so that rows can be fed. */
void message_csv_separate(message_csv *c, const char *row);
r1_status message_csv_header(message_csv *c, char *row, const char *path, size_t line, r1_err *err);

/* What a row is. ROW_FAULT: why tells. The text belongs to c until the next row. */
typedef enum { ROW_MESSAGE = 0, ROW_BLANK, ROW_FAULT, ROW_NO_MEMORY } message_row_what;
message_row_what message_csv_row(message_csv *c, char *row, size_t line, size_t lines,
                                 const char **text, size_t *len, char why[MESSAGE_WHY_BYTES]);

void message_csv_notes(const message_csv *c, FILE *out);
const char *message_csv_hint(const message_csv *c, size_t n_message, size_t n_fault, char *text,
                             size_t size);

#endif
