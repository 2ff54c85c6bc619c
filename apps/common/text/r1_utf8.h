/* SPDX-License-Identifier: Apache-2.0 */
/* r1_utf8.h - text from outside as well-formed UTF-8 (RFC 3629), for JSON and PostgreSQL, which
 * take no other, and for terminals, which would obey some of it.
 *
 * Threads: pure functions. Errors: none; what is not UTF-8 is replaced. */
#ifndef R1_UTF8_H
#define R1_UTF8_H

#include "r1_base.h"

#include <stdio.h>

/* Bytes of the character that s[0..len) begins with, 1 to 4; 0 where none does. */
size_t r1_utf8_char(const char *s, size_t len);

/* Whether s[0..len) is well-formed. */
bool r1_utf8_valid(const char *s, size_t len);

/* The next character of s[0..len), len > 0: returns its bytes. *code is its number, or
 * R1_UTF8_BAD for a byte that begins none. */
#define R1_UTF8_BAD UINT32_MAX
size_t r1_utf8_next(const char *s, size_t len, uint32_t *code);
/* Characters that a reader does not see, or that change how others are read: controls but for
 * tab and line breaks, bidirectional overrides, separators, tags. */
bool r1_utf8_hidden(uint32_t code);

/* Writes text for a terminal: a hidden character as its number, as [U+001B], a byte that begins
 * none as U+FFFD. */
void r1_utf8_print(FILE *out, const char *text);

/* Copies text into out[size], NUL included, and returns the length. Each byte that belongs to no
 * character becomes U+FFFD, 3 bytes. What does not fit is cut at a character's border. */
size_t r1_utf8_clean(char *out, size_t size, const char *text);

#endif
