/* SPDX-License-Identifier: Apache-2.0 */
/* med_landing.h - judged messages into PostgreSQL: rows, dead letters, what is sealed of them and
 * the offsets behind them in one transaction.
 *
 *     claim ──write──▶ landed                     the offsets moved with the rows
 *           ──write──▶ refused ──singly──▶ dead   PostgreSQL does not take a row's values
 *           ──write──▶ lost ──recover──▶ landed, or the same rows again
 *
 * Owns:    what it is given of a batch. Threads: one.
 * Errors:  R1_E_FENCED: another owner has taken a partition. R1_E_DB, retriable: recover. */
#ifndef MED_LANDING_H
#define MED_LANDING_H

#include "privacy/med_seal.h"
#include "store/store.h"
#include "stream/stream.h"
#include "write/med_write.h"

enum { MED_LANDING_MAX = 16, MED_PARTITIONS_MAX = 256 };

/* What became of a message, med_intake.h. */
typedef enum {
    MED_OUTCOME_REPORTED,
    MED_OUTCOME_PERSON,
    MED_OUTCOME_DEAD,
    MED_OUTCOMES
} med_outcome;
extern const char *const med_outcome_name[MED_OUTCOMES];

typedef struct {
    int64_t next, epoch, incarnation, last; /* last -1: none is known */
    uint64_t identity;
} med_claim;
typedef struct {
    const char *topic;
    char cluster[256], owner[64];
    med_claim of[MED_PARTITIONS_MAX];
    int32_t n;
} med_claims;

/* R1_E_STREAM where the topic was read from another cluster before. */
r1_status med_claims_known(const med_claims *c, r1_store *s, r1_err *err);
r1_status med_claim_take(med_claims *c, r1_store *s, int32_t partition, r1_err *err);

typedef struct {
    med_outcome outcome;
    const char *reason;         /* a constant text: nothing of the record */
    char hash[MED_INDEX_BYTES]; /* not of a dead one */
    char *rows;                 /* the report's rows, MED_WRITE_ROWS; NULL: dead */
    int32_t partition;
    int64_t offset;
    uint64_t identity;
    char key_index[MED_INDEX_BYTES]; /* of the message's key; "": it has none */
    char *id, *text; /* that key and the record, sealed; NULL: not there, not kept */
} med_landing_row;
typedef struct {
    med_landing_row row[MED_LANDING_MAX];
    uint32_t n, done;     /* those before `done` have landed */
    bool singly;          /* a row of the batch was refused: one transaction for each */
    const char *seal_key; /* the name of the key that seals */
} med_landing;

/* The statements, on a connection; again after each reopen by itself. */
r1_status med_landing_prepare(r1_store *s, r1_err *err);
/* The place for one more message with what is known of it; the caller counts it in n. */
med_landing_row *med_landing_next(med_landing *b, const r1_message *m);
/* Seals the message's key, and where it is to be kept its record, for the message's row. */
r1_status med_landing_seal(med_landing_row *row, const med_claims *c, const med_keys *keys,
                           bool keep_text, const r1_message *m, r1_err *err);
void med_landing_clear(med_landing *b);
/* One transaction, which moves claims and `done`. Where the values of a row are refused nothing
 * moves, and the next call tries otherwise: call it until all is done. */
r1_status med_landing_write(med_landing *b, med_claims *c, r1_store *s, r1_err *err);
/* After a lost connection: connects anew, and moves what has landed. */
r1_status med_landing_recover(med_landing *b, med_claims *c, r1_store *s, r1_err *err);

#endif
