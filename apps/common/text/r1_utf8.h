/* SPDX-License-Identifier: Apache-2.0 */
/* r1_utf8.h - text from outside as well-formed UTF-8 (RFC 3629), for JSON and PostgreSQL, which
 * take no other.
 *
 * Threads: pure functions. Errors: none; what is not UTF-8 is replaced. */
#ifndef R1_UTF8_H
#define R1_UTF8_H

#include "r1_base.h"

/* Bytes of the character that s[0..len) begins with, 1 to 4; 0 where none does. */
size_t r1_utf8_char(const char *s, size_t len);

/* Whether s[0..len) is well-formed. */
bool r1_utf8_valid(const char *s, size_t len);

/* Copies text into out[size], NUL included, and returns the length. Each byte that belongs to no
 * character becomes U+FFFD, 3 bytes. What does not fit is cut at a character's border. */
size_t r1_utf8_clean(char *out, size_t size, const char *text);

#endif
