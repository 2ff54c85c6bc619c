/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iban.c - see iban.h. */
#include "payment/iban.h"

#include <ctype.h>
#include <string.h>

enum { IBAN_LEAST = 15 };

/* ISO 7064 mod 97-10 over the text with its first four letters at the end. */
static bool iban_checks(const char *plain, size_t len)
{
    unsigned rest = 0;
    for (size_t i = 0; i < len; i++) {
        char c = plain[(i + 4) % len];
        unsigned value = isdigit((unsigned char)c) ? (unsigned)(c - '0') : (unsigned)(c - 'A') + 10;
        rest = (value > 9 ? rest * 100 + value : rest * 10 + value) % 97;
    }
    return rest == 1;
}

bool fraud_iban_plain(const char *text, char plain[FRAUD_IBAN_BYTES])
{
    size_t n = 0;
    for (; *text; text++) {
        if (*text == ' ') continue;
        if (!isalnum((unsigned char)*text) || n + 1 == FRAUD_IBAN_BYTES) return false;
        plain[n++] = (char)toupper((unsigned char)*text);
    }
    plain[n] = 0;
    return n >= IBAN_LEAST && isalpha((unsigned char)plain[0]) &&
           isalpha((unsigned char)plain[1]) && isdigit((unsigned char)plain[2]) &&
           isdigit((unsigned char)plain[3]) && iban_checks(plain, n);
}

bool fraud_iban_is_odd(const char *text)
{
    char plain[FRAUD_IBAN_BYTES];
    return fraud_iban_plain(text, plain) && strcmp(text, plain) != 0;
}
