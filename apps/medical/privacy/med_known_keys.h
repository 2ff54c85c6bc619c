/* SPDX-License-Identifier: Apache-2.0 */
/* med_known_keys.h - which index keys made the blind indexes of a database (r1.med_index_key). A
 * file of keys with another one would find nothing, and what it writes would not be found: it is
 * refused.
 *
 * Owns:    nothing.
 * Threads: one per store.
 * Errors:  R1_E_INVAL with the key that was found and those that are known; those of
 *          r1_store_query. */
#ifndef MED_KNOWN_KEYS_H
#define MED_KNOWN_KEYS_H

#include "privacy/med_seal.h"
#include "store/store.h"

typedef enum {
    MED_KNOWN_READ,  /* the key must be known, where any is */
    MED_KNOWN_WRITE, /* the same; the first key of a database becomes known */
    MED_KNOWN_ROTATE /* a fresh one becomes known, where the file opens all that is sealed */
} med_known_use;
/* others: names of further keys whose indexes this one does not find, "" for none; room for size
 * bytes. NULL: not asked. */
r1_status med_known_keys(r1_store *s, const med_keys *keys, med_known_use use, char *others,
                         size_t size, r1_err *err);
/* Forgets the keys, but for this one, that no row needs any more. */
r1_status med_known_forget(r1_store *s, const med_keys *keys, r1_err *err);

#endif
