/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_input.h - all messages of somebody's file (message_file.h), with their lines, and what of
 * it is no message.
 *
 * Owns:    messages are malloc'ed texts. Threads: one.
 * Errors:  those of message_file.h; R1_E_FORMAT where there is no message, with what there is.
 * Bounds:  CHECK_BYTES_MAX, CHECK_FAULTS_MAX. */
#ifndef FRAUD_CHECK_INPUT_H
#define FRAUD_CHECK_INPUT_H

#include "payment/message_csv.h"
#include "payment/message_file.h"

enum { CHECK_BYTES_MAX = 256 << 20, CHECK_FAULTS_MAX = 12 };

typedef struct {
    char *text; /* with a NUL behind it */
    size_t len, line;
} check_text;

typedef struct {
    size_t line;
    char why[MESSAGE_WHY_BYTES];
} check_fault;

typedef struct {
    check_text *message; /* [n] */
    size_t n, bytes;
    check_fault fault[CHECK_FAULTS_MAX]; /* the first ones */
    fraud_messages_counts counts;
    const char *form; /* "JSON lines", "a JSON array", "CSV"... */
    char *notes;      /* what was read otherwise than it stands; "" or lines */
    char hint[256];   /* what to do where most rows are at fault, or "" */
} check_input;

/* path "-": standard input. */
r1_status check_input_read(check_input *in, const char *path, r1_err *err);
void check_input_free(check_input *in);
/* "line 7", or in an array "message 3 (line 7)"; i: of message. Returns text. */
const char *check_input_place(const check_input *in, size_t i, char *text, size_t size);

#endif
