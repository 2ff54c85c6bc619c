/* SPDX-License-Identifier: Apache-2.0 */
/* store_columns.h - many rows as a few array parameters: INSERT ... SELECT ... FROM
 * unnest($1::bigint[], $2::text[]). One statement then carries a whole batch, so that parsing,
 * planning state and constraint checks are paid once and not per row.
 *
 * Owns:    one buffer per column in PostgreSQL's binary array format, kept from batch to batch; at most R1_COLUMN_BYTES_MAX each.
 * Threads: one.
 * Errors:  adding past a column's maximum is remembered and returned by r1_store_batch_add_columns (R1_E_NOMEM). */
#ifndef R1_STORE_COLUMNS_H
#define R1_STORE_COLUMNS_H

#include "store/store.h"

enum { R1_COLUMNS_MAX = 16, R1_COLUMN_BYTES_MAX = 64 << 20 };

typedef enum {
    R1_COL_INT8,
    R1_COL_INT4,
    R1_COL_FLOAT4,
    R1_COL_BOOL,
    R1_COL_TIMESTAMP,
    R1_COL_TEXT
} r1_column_type;

typedef struct r1_columns r1_columns;
r1_status r1_columns_new(r1_columns **out, const r1_column_type *type, size_t n, r1_err *err);
void r1_columns_free(r1_columns *c); /* NULL is fine */
void r1_columns_clear(r1_columns *c);
size_t r1_columns_rows(const r1_columns *c); /* of the first column */

/* One value more in column i, whose type it must have. Every column must have as many when the
 * statement is sent. */
void r1_columns_int(r1_columns *c, size_t i, int64_t value); /* INT8, INT4 */
void r1_columns_float(r1_columns *c, size_t i, float value); /* FLOAT4 */
void r1_columns_bool(r1_columns *c, size_t i, bool value);   /* BOOL */
void r1_columns_ms(r1_columns *c, size_t i, int64_t ms); /* TIMESTAMP: milliseconds since 1970 */
void r1_columns_text(r1_columns *c, size_t i, const char *text); /* TEXT */
void r1_columns_bytes(r1_columns *c, size_t i, const char *text, size_t len);
void r1_columns_null(r1_columns *c, size_t i);

/* Adds a prepared statement to the transaction in hand: the columns are its first parameters,
 * text parameters follow. */
r1_status r1_store_batch_add_columns(r1_store *s, const char *prepared, r1_columns *c,
                                     size_t n_param, const char *const *param, r1_err *err);

#endif
