/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iban.h - whether a text is an IBAN (ISO 13616), however it is written.
 *
 * Accounts are compared byte by byte, so one that is written in two ways is two accounts. These
 * functions tell that to people; nothing that is stored or compared changes.
 *
 * Threads: pure functions. Errors: none. */
#ifndef FRAUD_IBAN_H
#define FRAUD_IBAN_H

#include "r1_base.h"

enum { FRAUD_IBAN_BYTES = 35 };

/* Whether it is one with good check digits; plain: without blanks, in capitals. */
bool fraud_iban_plain(const char *text, char plain[FRAUD_IBAN_BYTES]);
/* Whether it is one, and written otherwise than plain. */
bool fraud_iban_is_odd(const char *text);

#endif
