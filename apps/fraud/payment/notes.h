/* SPDX-License-Identifier: GPL-3.0-or-later */
/* notes.h - what was left out of a payment or read in another way than it was written, in words: a
 * JSON array of texts, or "" where there is nothing to say.
 *
 * Owns:    nothing; a list is a buffer of FRAUD_NOTES_BYTES that the caller lends.
 * Threads: pure functions.
 * Errors:  none; what does not fit is told by a last text. */
#ifndef FRAUD_NOTES_H
#define FRAUD_NOTES_H

#include "r1_base.h"

enum { FRAUD_NOTES_BYTES = 1024 };

/* Appends one text. notes NULL: nobody asks. */
void fraud_note(char *notes, const char *fmt, ...) R1_PRINTF(2, 3);

#endif
