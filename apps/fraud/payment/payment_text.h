/* SPDX-License-Identifier: GPL-3.0-or-later */
/* payment_text.h - texts of a message to the form in which they are compared.
 *
 * Ids are put into NFC, so that an accent has one spelling, and blanks around them go. Free text is
 * put into NFKC, where full-width letters and ligatures are plain ones too. Text of ASCII stays as
 * it is. Both are then compared byte by byte.
 *
 * Threads: pure functions. Errors: false where memory was short. */
#ifndef FRAUD_PAYMENT_TEXT_H
#define FRAUD_PAYMENT_TEXT_H

#include "r1_base.h"

/* Writes at most size bytes, NUL included; *len is what the whole would need, without the NUL. An
 * id that does not fit is left empty. */
bool fraud_text_id(const char *text, size_t text_len, char *out, size_t size, size_t *len);
/* Cut between two characters as a reader sees them (grapheme clusters); *cut tells it. A NUL
 * becomes a blank. */
bool fraud_text_free(const char *text, size_t text_len, char *out, size_t size, bool *cut);

#endif
