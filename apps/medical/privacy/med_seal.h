/* SPDX-License-Identifier: Apache-2.0 */
/* med_seal.h - bytes sealed for one row of the database, and the blind index that finds a row by
 * an id which stands nowhere in it.
 *
 *     sealed   version 1 | nonce, 24 | XChaCha20-Poly1305 of the bytes, and 16 of its tag
 *
 * Sealed with the bytes, and needed to open them: the key's name, the kind, and the row's cluster,
 * topic, partition and offset. So what was moved to another row, or put under another kind, does
 * not open.
 *
 * Owns:    nothing; what it returns is the caller's.
 * Threads: any.
 * Errors:  R1_E_NOT_FOUND: the file of keys lacks the key. R1_E_FORMAT: another key, a changed or
 *          a moved row. No message holds a byte of what is sealed. */
#ifndef MED_SEAL_H
#define MED_SEAL_H

#include "privacy/med_keys.h"

/* A row of r1.med_record. */
typedef struct {
    const char *cluster, *topic;
    int32_t partition;
    int64_t offset;
} med_place;

/* What is sealed of a row. */
#define MED_SEALED_ID   "id"   /* the message's key: who sent it knows its record by it */
#define MED_SEALED_TEXT "text" /* the record */

/* *hex: malloc'ed lower-case digits of the sealed bytes, as decode($1, 'hex') takes them; by the
 * first key of the file. */
r1_status med_seal(const med_keys *k, const med_place *place, const char *kind, const void *bytes,
                   size_t len, char **hex, r1_err *err);
/* hex: as encode(sealed, 'hex') gives it. *bytes: malloc'ed, with a NUL behind its end; give it to
 * med_seal_forget. */
r1_status med_unseal(const med_keys *k, const char *key_name, const med_place *place,
                     const char *kind, const char *hex, char **bytes, size_t *len, r1_err *err);
void med_seal_forget(char *bytes, size_t len); /* clears and frees; NULL is fine */

/* FINGERPRINT:64 hex digits: keyed BLAKE2b of what and of the id, brought to one form: Unicode's
 * NFKC, case folded, without blanks. Bytes that are no UTF-8 stay as they are. */
enum { MED_INDEX_BYTES = 80 };
void med_index_of_id(const med_keys *k, const char *id, size_t len, char out[MED_INDEX_BYTES]);
/* The same of a record's bytes, as they are. */
void med_index_of_record(const med_keys *k, const void *bytes, size_t len,
                         char out[MED_INDEX_BYTES]);
/* The same of a hash that an earlier version stored in the place of this index. */
void med_index_of_hash(const med_keys *k, const char *hash, char out[MED_INDEX_BYTES]);
/* Whether nothing of an id is left in that form: it would be the same for all such ids. */
bool med_index_id_is_blank(const char *id, size_t len);
/* The same of a fixed word: it tells one index key from another. */
void med_index_check(const med_keys *k, char out[MED_INDEX_BYTES]);
/* Of the index key: with it each index begins. */
const char *med_index_name(const med_keys *k);

/* A number below n that who has the index key can compute again from the id, as for the shift of a
 * patient's dates. */
uint64_t med_index_number(const med_keys *k, const char *what, const char *id, size_t len,
                          uint64_t n);

#endif
