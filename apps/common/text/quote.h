/* SPDX-License-Identifier: Apache-2.0 */
/* quote.h - a text between double quotes in a line of the log.
 *
 * Owns:    nothing.
 * Threads: any. */
#ifndef R1_QUOTE_H
#define R1_QUOTE_H

typedef struct {
    char text[1024];
} r1_log_quoted;

/* A quote or a backslash of the text has a backslash before it; what does not fit is left out, as
 * r1_log leaves it out. As an argument:
 * r1_log(level, event, "error=\"%s\"", r1_log_quote(err->msg).text). */
r1_log_quoted r1_log_quote(const char *text);

#endif
