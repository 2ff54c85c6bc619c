/* SPDX-License-Identifier: Apache-2.0 */
/* dash_password.c - see dash_password.h. libsodium does the work. */
#include "access/dash_password.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

_Static_assert(DASH_HASH_BYTES >= crypto_pwhash_STRBYTES, "room for a stored hash");

static bool sodium_ready;
static void sodium_begin(void) { sodium_ready = sodium_init() >= 0; }

static r1_status begin_access(r1_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, sodium_begin);
    if (!sodium_ready) R1_FAIL(err, R1_E_IO, "libsodium: no source of random numbers");
    return R1_OK;
}

r1_status dash_password_hash(const char *password, char hash[DASH_HASH_BYTES], r1_err *err)
{
    size_t n = strlen(password);
    R1_TRY(begin_access(err));
    if (n < DASH_PASSWORD_MIN || n > DASH_PASSWORD_MAX)
        R1_FAIL(err, R1_E_INVAL, "password: expected %d to %d bytes, found %zu", DASH_PASSWORD_MIN,
                DASH_PASSWORD_MAX, n);
    if (crypto_pwhash_str_alg(hash, password, n, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                              crypto_pwhash_MEMLIMIT_INTERACTIVE, crypto_pwhash_ALG_ARGON2ID13))
        R1_FAIL(err, R1_E_NOMEM, "no memory to hash a password");
    return R1_OK;
}

bool dash_password_fits(const char *password, const char *hash)
{
    /* Of nobody's password; who asks for a name that is not there waits as long. */
    static const char nobody[] = "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                                 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    if (begin_access(NULL) != R1_OK || strlen(password) > DASH_PASSWORD_MAX) return false;
    bool fits = !crypto_pwhash_str_verify(hash ? hash : nobody, password, strlen(password));
    return fits && hash;
}

r1_status dash_token(char token[DASH_TOKEN_BYTES], r1_err *err)
{
    unsigned char bytes[32];
    R1_TRY(begin_access(err));
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(token, DASH_TOKEN_BYTES, bytes, sizeof bytes,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return R1_OK;
}

void dash_hash(const void *bytes, size_t len, char hex[67])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, bytes, len);
    snprintf(hex, 67, "\\x");
    sodium_bin2hex(hex + 2, 65, hash, sizeof hash);
}

bool dash_same(const char *a, const char *b)
{
    size_t n = strlen(a);
    return n == strlen(b) && !sodium_memcmp(a, b, n);
}
