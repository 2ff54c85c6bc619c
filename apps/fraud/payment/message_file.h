/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message_file.h - somebody's messages one after the other out of a file, a pipe or standard input:
 * JSON lines, JSON objects over several lines, one JSON array, CSV with a header, whose rows become
 * objects of texts (message_csv.h), or a message of ISO 20022 (message_iso.h).
 *
 * The first character that is no blank tells the form. A message is given as soon as it has come
 * whole, so a pipe that stays open works. A line ends with LF, CRLF or CR. What is not read as it
 * stands is told, never passed over: a row or message at fault with its line, everything else by
 * fraud_messages_notes.
 *
 * Owns:    a reader owns its file and its buffers; a text is good until the next call.
 * Threads: one.
 * Errors:  R1_E_NOT_FOUND, R1_E_IO; R1_E_FORMAT where nothing behind can be read, with line,
 *          expected, found and remedy: another encoding than UTF-8 (JSON lines aside, where each
 *          is a message of its own), no header, an array that does not end; R1_E_CANCELLED.
 * Bounds:  memory does not grow with the file; a message has at most FRAUD_MESSAGE_BYTES_MAX. */
#ifndef FRAUD_MESSAGE_FILE_H
#define FRAUD_MESSAGE_FILE_H

#include "payment/message_item.h"

#include <stdio.h>

typedef struct fraud_messages fraud_messages;

typedef struct {
    size_t n, n_fault, n_blank; /* messages, rows at fault, rows without anything in them */
    bool rows;                  /* CSV: messages are rows */
} fraud_messages_counts;

/* path "-": standard input. as_lines: each line is a message, whatever stands in it, and nothing is
 * refused but its length. stopped: asked while a pipe is waited for; NULL: nobody stops. */
r1_status fraud_messages_open(fraud_messages **out, const char *path, bool as_lines,
                              bool (*stopped)(void), r1_err *err);
void fraud_messages_close(fraud_messages *m); /* NULL is fine */
r1_status fraud_messages_next(fraud_messages *m, fraud_messages_item *item, r1_err *err);

/* "JSON lines", "a JSON array", "CSV"...; "nothing" of an empty file. Known after a first call. */
const char *fraud_messages_form(const fraud_messages *m);
fraud_messages_counts fraud_messages_count(const fraud_messages *m);
/* What was read otherwise than it stands, a line each, indented by two blanks; at the end. */
void fraud_messages_notes(const fraud_messages *m, FILE *out);
/* What to do where most rows do not fit the header, or "". Returns text. */
const char *fraud_messages_hint(const fraud_messages *m, char *text, size_t size);

#endif
