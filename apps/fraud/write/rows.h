/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rows.h - a batch of records as rows of PostgreSQL: one table of columns for each table of the
 * schema, one statement of arrays for each. To add a column, add one row there and a migration.
 *
 * Owns:    statement texts and array buffers; borrows the names, which must outlive it.
 * Threads: the writer's.
 * Errors:  R1_E_NOMEM where a batch is too large or memory is short; else as r1_store_batch_add. */
#ifndef FRAUD_ROWS_H
#define FRAUD_ROWS_H

#include "write/ledger.h"

/* What rows name besides their record. */
typedef struct {
    const fraud_ledger *ledger;
    const char *model, *config; /* versions */
    const char *written_at;     /* of the batch in hand; may change between batches */
} fraud_names;

/* The version of the policy that decided the record; where none did, the one at the start. */
const char *fraud_record_config(const fraud_record *r, const fraud_names *names);
/* Microseconds since 1970 as PostgreSQL reads them: "2026-01-01T00:00:00.000000Z". */
void fraud_written_text(int64_t us, char *out, size_t size);

typedef struct fraud_rows fraud_rows;
r1_status fraud_rows_new(fraud_rows **out, const fraud_names *names, r1_err *err);
void fraud_rows_free(
    fraud_rows *rows); /* NULL is fine; after the store that they were prepared in */
r1_status fraud_rows_prepare(fraud_rows *rows, r1_store *s, r1_err *err);
/* Runs each statement once with no row. */
r1_status fraud_rows_warm(fraud_rows *rows, r1_store *s, r1_err *err);
/* Adds the records to the transaction in hand, in the order in which they are given. */
r1_status fraud_rows_add(fraud_rows *rows, r1_store *s, fraud_record *const *record, size_t n,
                         r1_err *err);

#endif
