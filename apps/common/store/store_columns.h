/* SPDX-License-Identifier: Apache-2.0 */
/* store_columns.h - many rows as a few array parameters: INSERT ... SELECT ... FROM
 * unnest($1::bigint[], $2::text[]). One statement then carries a whole batch, so that parsing,
 * planning state and constraint checks are paid once and not per row.
 *
 * Owns:    one buffer per column in PostgreSQL's binary array format, kept from batch to batch.
 *          Each holds at most R1_COLUMN_BYTES_MAX.
 * Threads: one.
 * Errors:  adding past a column's maximum is remembered, and r1_store_batch_add_columns returns
 *          it (R1_E_NOMEM). */
#ifndef R1_STORE_COLUMNS_H
#define R1_STORE_COLUMNS_H

#include "store/store.h"

enum { R1_COLUMNS_MAX = 24, R1_COLUMN_BYTES_MAX = 64 << 20 };

typedef enum {
    R1_COL_INT8,
    R1_COL_INT4,
    R1_COL_FLOAT4,
    R1_COL_BOOL,
    R1_COL_TIMESTAMP,
    R1_COL_TEXT,
    R1_COL_BYTEA
} r1_column_type;

/* A column of an INSERT: one row of a caller's table, from which the statement is made. */
typedef struct {
    const char *name;           /* in the table of the database */
    r1_column_type type;        /* of the array that carries it */
    const char *before, *after; /* SQL around each value, such as a cast; NULL: none */
    bool constant;              /* one text for all rows, a parameter of its own */
} r1_column;

/* "INSERT INTO table (names) SELECT values FROM unnest(arrays)": arrays are $1..$k in the order of
 * their columns, constants are the parameters after them. R1_E_INVAL: longer than size. */
r1_status r1_columns_insert(const char *table, const r1_column *column, size_t n, char *sql,
                            size_t size, r1_err *err);

typedef struct r1_columns r1_columns;
r1_status r1_columns_new(r1_columns **out, const r1_column_type *type, size_t n, r1_err *err);
/* Buffers for the columns of a table that are no constants. */
r1_status r1_columns_of(r1_columns **out, const r1_column *column, size_t n, r1_err *err);
void r1_columns_free(r1_columns *c); /* NULL is fine */
void r1_columns_clear(r1_columns *c);
size_t r1_columns_rows(const r1_columns *c); /* of the first column */

/* One value more in column i, whose type it must have. Every column must have as many when the
 * statement is sent. */
void r1_columns_int(r1_columns *c, size_t i, int64_t value); /* INT8, INT4 */
void r1_columns_float(r1_columns *c, size_t i, float value); /* FLOAT4 */
void r1_columns_bool(r1_columns *c, size_t i, bool value);   /* BOOL */
void r1_columns_ms(r1_columns *c, size_t i, int64_t ms); /* TIMESTAMP: milliseconds since 1970 */
void r1_columns_text(r1_columns *c, size_t i, const char *text);               /* TEXT */
void r1_columns_bytes(r1_columns *c, size_t i, const char *bytes, size_t len); /* TEXT, BYTEA */
void r1_columns_null(r1_columns *c, size_t i);
/* A value could not be made because memory was short: the statement will be refused. */
void r1_columns_short(r1_columns *c);

/* Adds a prepared statement to the transaction in hand: the columns are its first parameters,
 * text parameters follow. */
r1_status r1_store_batch_add_columns(r1_store *s, const char *prepared, r1_columns *c,
                                     size_t n_param, const char *const *param, r1_err *err);

#endif
