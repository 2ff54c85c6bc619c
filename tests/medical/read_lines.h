/* SPDX-License-Identifier: Apache-2.0 */
/* read_lines.h - small records with their right reading (tests/medical/lines).
 *
 * A line of a file is a record ("\n", "\t", "\r", "\\" and \uXXXX escaped), a tab, and what a
 * clinician reads: "Name=status|status;...", "-" where nothing may be reported. */
#ifndef READ_LINES_H
#define READ_LINES_H

#include "notes/med_notes.h"

/* The text of an escaped record of len bytes, into as many bytes at most; returns its length. */
size_t unescaped(const char *s, size_t len, char *out);
/* The finding of that name, which the knowledge base must have. */
uint32_t term_named(const med_kb *kb, const char *name, size_t len);
/* Whether the mentions of the finding have all one of the wanted statuses, and there is one unless
 * "-" is among them. */
bool read_as(const med_notes *n, uint32_t term, const char *wanted, size_t len);
/* Reads the file of that name in tests/medical/lines; adds to *n and *good, and prints what is read
 * wrongly. */
void read_lines(const med_kb *kb, const med_lexicon *lex, const char *name, uint32_t *n,
                uint32_t *good);

#endif
