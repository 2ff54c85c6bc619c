/* SPDX-License-Identifier: Apache-2.0 */
/* med_records.h - what stands in PostgreSQL of patients: looked up, opened, sealed anew, let go by
 * age, erased.
 *
 *  (1) Each call leaves rows in r1.med_audit: who, when, what kind, how many; never a text. What
 *      changes rows and its audit row are one statement. What opens rows is noted before it is
 *      shown.
 *  (2) Changes go in transactions of at most MED_RECORDS_BATCH rows and some MiB. A call that was
 *      broken off goes on where it stood when it is made again.
 *  (3) Keys that are not the database's (med_known_keys.h) are refused, and what does not open is
 *      not shown. Both leave a row `refused` in the audit.
 *  (4) One rotation runs at a time.
 *  (5) What waits for a person is not let go by age.
 *
 * Owns:    nothing between calls.
 * Threads: one per store.
 * Errors:  as r1_store_query, and those of med_seal.h. */
#ifndef MED_RECORDS_H
#define MED_RECORDS_H

#include "privacy/med_known_keys.h"

enum { MED_RECORDS_BATCH = 256, MED_RECORDS_SHOWN_MAX = 1000 };

typedef struct {
    r1_store *store;
    const med_keys *keys; /* NULL: of med_records_retain alone */
    const char *who;
} med_records;

/* One row of the audit, in a transaction of its own. */
r1_status med_records_audit(const med_records *m, const char *what, const char *kind, size_t n,
                            const char *detail, r1_err *err);

/* Whether the keys are the database's; others as in med_known_keys. what: the command. */
r1_status med_records_admit(const med_records *m, const char *what, med_known_use use, char *others,
                            size_t size, r1_err *err);

/* ---- look-ups ---- */

typedef enum { MED_FIND_INDEX, MED_FIND_RECORD, MED_FIND_WAITING } med_find_by;
/* Texts are the database's, until the callback returns; NULL: there is none. */
typedef struct {
    const char *topic, *partition, *offset, *outcome, *reason, *received, *report, *disease, *name,
        *probability;
    const char *id;  /* opened; NULL: there is none, or it does not open */
    const char *why; /* why it does not */
} med_stored;
typedef void (*med_stored_fn)(void *ctx, const med_stored *row);
/* The first MED_RECORDS_SHOWN_MAX, oldest first; *more: there are others. index: of an id or a
 * record; not for MED_FIND_WAITING. */
r1_status med_records_find(const med_records *m, med_find_by by, const char *index,
                           med_stored_fn fn, void *ctx, bool *more, r1_err *err);

typedef struct {
    char *id, *text; /* NULL: not kept */
    size_t id_len, text_len;
    char outcome[16], reason[128], received[32];
} med_opened;
/* place: TOPIC/PARTITION/OFFSET. cluster NULL: the only one that has the place. Free *out after a
 * failure too. */
r1_status med_records_show(const med_records *m, const char *place, const char *cluster,
                           med_opened *out, r1_err *err);
void med_opened_free(med_opened *o);

/* ---- a fresh key ---- */

typedef enum {
    MED_TAKEN_ID,   /* keys of messages that an earlier version stored as they came */
    MED_TAKEN_HASH, /* hashes of records, which anybody could compute again */
    MED_RESEALED,   /* by the first key */
    MED_REINDEXED,  /* by another index key */
    MED_ROTATED_COUNT
} med_rotated_kind;
typedef struct {
    uint64_t n[MED_ROTATED_COUNT], failed; /* failed: what does not open, and stays as it is */
} med_rotated;
/* say: why one row does not open, MED_RECORDS_SAID_MAX at most. */
enum { MED_RECORDS_SAID_MAX = 20 };
r1_status med_records_rotate(const med_records *m, void (*say)(const char *why), med_rotated *out,
                             r1_err *err);
/* How many values a key seals. Keys that the file lacks are told too. */
typedef void (*med_key_use_fn)(void *ctx, const char *key, const char *n);
r1_status med_records_keys(const med_records *m, med_key_use_fn fn, void *ctx, r1_err *err);

/* ---- retention and erasure ---- */

typedef struct {
    uint64_t records, reports, dead_letters, waiting;
} med_forgotten;
/* The messages of what went, which the topic keeps: "TOPIC/PARTITION/OFFSET ...". */
typedef void (*med_place_fn)(void *ctx, const char *places);
/* What came more than days ago, before midnight in UTC; but for what waits for a person, which
 * out->waiting counts. cutoff: room for 32 bytes. dry: says, and deletes nothing. */
r1_status med_records_retain(const med_records *m, int64_t days, bool dry, char *cutoff,
                             med_forgotten *out, r1_err *err);
/* All that stands under an id (MED_FIND_INDEX) or of a record (MED_FIND_RECORD), whatever waits. */
r1_status med_records_erase(const med_records *m, med_find_by by, const char *index, bool dry,
                            med_place_fn fn, void *ctx, med_forgotten *out, r1_err *err);

#endif
