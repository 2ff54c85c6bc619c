/* SPDX-License-Identifier: Apache-2.0 */
/* med_signing.h - who signed the review that findings come from, as its file states it. Who keeps
 * the review checks signatures; here they are told, and not checked. */
#ifndef MED_SIGNING_H
#define MED_SIGNING_H

#include <stdint.h>

enum { MED_SIGNERS_MAX = 8, MED_SIGNER_BYTES = 128, MED_SIGNED_AT_BYTES = 40 };

typedef struct {
    char by[MED_SIGNER_BYTES];    /* UTF-8 without control characters */
    char at[MED_SIGNED_AT_BYTES]; /* 2026-11-30T09:15:00Z, also with a fraction and an offset */
} med_signature;

typedef struct {
    med_signature signature[MED_SIGNERS_MAX];
    uint32_t n;      /* of signatures; 0: not signed */
    uint32_t review; /* its number; 0: the findings are of no kept review */
    char hash[65];   /* SHA-256 of the review in hexadecimal; "" without a review */
} med_signing;

#endif
