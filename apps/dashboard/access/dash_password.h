/* SPDX-License-Identifier: Apache-2.0 */
/* dash_password.h - passwords, tokens and their hashes.
 *
 * Owns:    nothing; texts are written into the caller's arrays.
 * Threads: any. A password takes 64 MiB and some tens of milliseconds.
 * Errors:  R1_E_INVAL: the password is too short or too long. R1_E_NOMEM. */
#ifndef DASH_PASSWORD_H
#define DASH_PASSWORD_H

#include "r1_base.h"

enum {
    DASH_PASSWORD_MIN = 12, /* characters */
    DASH_PASSWORD_MAX = 256,
    DASH_HASH_BYTES = 128, /* a stored hash as text, with its NUL */
    DASH_TOKEN_BYTES = 44  /* 32 random bytes in base64 for addresses, with its NUL */
};

r1_status dash_password_hash(const char *password, char hash[DASH_HASH_BYTES], r1_err *err);
/* hash NULL: takes as long, and says no. */
bool dash_password_fits(const char *password, const char *hash);
r1_status dash_token(char token[DASH_TOKEN_BYTES], r1_err *err);
/* SHA-256 as PostgreSQL reads a bytea, "\x...": 67 bytes with the NUL. */
void dash_hash(const void *bytes, size_t len, char hex[67]);
bool dash_same(const char *a, const char *b); /* in a time that does not tell where they differ */

#endif
