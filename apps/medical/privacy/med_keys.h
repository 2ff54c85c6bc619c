/* SPDX-License-Identifier: Apache-2.0 */
/* med_keys.h - the file of keys. Whoever has it reads what is sealed; whoever loses it has lost
 * that for good.
 *
 *     # a comment
 *     index 5f0c2b1e 64 hex digits             one: the blind index and the shift of dates
 *     seal 2026-11-30-91ab03f2 64 hex digits   the first one seals
 *     seal 2025-11-30-00d3e1c9 64 hex digits   further ones open what they sealed
 *
 * A name ends with the fingerprint of its key, so a digit that was mistyped and another key under
 * an old name are found when the file is read.
 *
 * Owns:    the keys, in pages that are locked, kept out of core dumps, and cleared at the end.
 * Threads: any; nothing changes after med_keys_open.
 * Errors:  R1_E_INVAL with file, line, expected and found; never a digit of a key. */
#ifndef MED_KEYS_H
#define MED_KEYS_H

#include "r1_base.h"

enum { MED_KEYS_MAX = 16, MED_KEY_NAME_BYTES = 40 };

typedef struct med_keys med_keys;
/* The file must be one that its owner alone can read. */
r1_status med_keys_open(med_keys **out, const char *path, r1_err *err);
void med_keys_free(med_keys *k); /* NULL is fine */
/* Name of key i, 0 is the one that seals; NULL behind the last one. */
const char *med_keys_name(const med_keys *k, size_t i);

/* A fresh key at the front of the file, whose name begins with label; a file that is not there is
 * made, with an index key. name: of the fresh key. */
r1_status med_keys_add(const char *path, const char *label, char name[MED_KEY_NAME_BYTES],
                       r1_err *err);

#endif
