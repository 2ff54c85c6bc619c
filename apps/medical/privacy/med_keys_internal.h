/* SPDX-License-Identifier: Apache-2.0 */
/* med_keys_internal.h - the keys themselves, for med_keys.c and med_seal.c. */
#ifndef MED_KEYS_INTERNAL_H
#define MED_KEYS_INTERNAL_H

#include "privacy/med_keys.h"

enum { MED_KEY_BYTES = 32, MED_FINGERPRINT_BYTES = 9 };

typedef struct {
    char name[MED_KEY_NAME_BYTES];
    unsigned char key[MED_KEY_BYTES];
} med_key;
struct med_keys {
    med_key index, seal[MED_KEYS_MAX];
    size_t n_seal;
};

/* R1_E_NOMEM where the library cannot be used. Any thread, any number of times. */
r1_status med_sodium(r1_err *err);

#endif
