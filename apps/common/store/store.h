/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - PostgreSQL for both applications: connection, queries, pipelined transactions,
 * migrations.
 *
 * Owns:    one connection; libpq types stay in this room. Every value travels as a parameter,
 *          never inside SQL text.
 * Threads: one thread at a time per store, but for r1_store_end_all.
 * Errors:  the SQLSTATE decides by the table of store_states.c, and messages carry code and
 *          remedy. R1_E_FENCED: the code R1F01, which advance_offset() raises. R1_E_FORMAT: the
 *          data is at fault. R1_E_DB and retriable: waiting helps. R1_E_DB alone: somebody must
 *          change something first. A query inside of a transaction of statements, and a statement
 *          outside of one, is a broken invariant. */
#ifndef R1_STORE_H
#define R1_STORE_H

#include "r1_base.h"

typedef struct r1_store r1_store;
typedef struct r1_rows r1_rows;

enum { R1_STATEMENT_S = 60 };

typedef struct {
    const char *application; /* shown in pg_stat_activity */
    int64_t statement_s;     /* seconds that one statement may take; 0: no limit */
    /* How long r1_store_query waits for a server that says nothing, not even that the time is up;
     * the connection is lost then. 0: no limit */
    int64_t answer_ms;
} r1_store_opts;

/* conninfo as libpq takes it ("host=/run/x port=5432 dbname=r1 user=r1_fraud"). search_path, the
 * statement's time-out and idle_in_transaction_session_timeout (3 s: a stopped owner must not hold
 * locks) are set by this call; the options, connect_timeout and application_name of the text go
 * first. Through a pooler each transaction sets the same for itself. */
r1_status r1_store_open_with(r1_store **out, const char *conninfo, const r1_store_opts *opts,
                             r1_err *err);
/* The same with statements of at most R1_STATEMENT_S. */
r1_status r1_store_open(r1_store **out, const char *conninfo, const char *application, r1_err *err);
void r1_store_close(r1_store *s); /* NULL is fine */
/* A fresh connection with the same settings and prepared statements, after the old one was lost. */
r1_status r1_store_reopen(r1_store *s, r1_err *err);
/* Whether the connection is there and of use: false too where only a fresh one helps, as after a
 * fail-over to a server that is read-only. */
bool r1_store_alive(const r1_store *s);
/* The end of a program, whether or not PostgreSQL answers: ends the connection of every store, for
 * good. What waits for one, and whatever is asked of one from now on, fails with R1_E_CANCELLED.
 * Any thread. */
void r1_store_end_all(void);
/* The SQLSTATE of the last failure, such as "23505"; "": none so far. Until the next failure. */
const char *r1_store_state(const r1_store *s);
/* What PostgreSQL said then, without code and remedy; cut to 511 bytes. */
const char *r1_store_said(const r1_store *s);
const char *r1_store_encoding(const r1_store *s); /* of the database, "UTF8"; until it reconnects */
bool r1_store_pooled(const r1_store *s);          /* a pooler stands between */
/* Where the connection leads: "r1 at /run/postgresql port 5432". Returns text. */
const char *r1_store_where(const r1_store *s, char *text, size_t size);

/* Whether libpq takes conninfo, and the environment's values where it has none: its form, ports,
 * and the values that are words of a list. R1_E_INVAL where it does not. Makes no connection. */
r1_status r1_store_check(const char *conninfo, r1_err *err);

/* Whether conninfo holds a password. */
bool r1_store_has_password(const char *conninfo);

/* One statement; param[i] NULL is SQL NULL. out may be NULL. */
r1_status r1_store_query(r1_store *s, const char *sql, size_t n_param, const char *const *param,
                         r1_rows **out, r1_err *err);
/* Several statements without parameters, for scripts that ship with the product. */
r1_status r1_store_script(r1_store *s, const char *sql, r1_err *err);

void r1_rows_free(r1_rows *r); /* NULL is fine */
size_t r1_rows_count(const r1_rows *r);
size_t r1_rows_cols(const r1_rows *r);
int64_t r1_rows_affected(const r1_rows *r);
const char *r1_rows_name(const r1_rows *r, size_t col);
/* The text of a value; NULL for SQL NULL. Valid until the result is freed. */
const char *r1_rows_text(const r1_rows *r, size_t row, size_t col);
int64_t r1_rows_int(const r1_rows *r, size_t row, size_t col); /* NULL: 0 */

/* Rows too many for one result: fetched one by one, callback per row; stops when it returns
 * non-zero. */
typedef int (*r1_row_fn)(void *ctx, const r1_rows *row);
r1_status r1_store_each(r1_store *s, const char *sql, size_t n_param, const char *const *param,
                        r1_row_fn fn, void *ctx, r1_err *err);

/* COPY ... TO STDOUT: one call per row, whose text ends with a line feed. */
typedef r1_status (*r1_bytes_fn)(void *ctx, const char *bytes, size_t len, r1_err *err);
r1_status r1_store_copy_out(r1_store *s, const char *sql, r1_bytes_fn fn, void *ctx, r1_err *err);

/* LISTEN on a channel, a name of ours; ends with the connection. */
r1_status r1_store_listen(r1_store *s, const char *channel, r1_err *err);
/* Waits at most timeout_ms for the next notice; its text is cut to size. R1_E_TIMEOUT: none came.
 * R1_E_DB: the connection is lost, and notices may be. */
r1_status r1_store_heard(r1_store *s, int timeout_ms, char *text, size_t size, r1_err *err);

/* Prepares now and again after each reopen. name and sql must outlive the store. At most 32. */
r1_status r1_store_prepare(r1_store *s, const char *name, const char *sql, size_t n_param,
                           r1_err *err);

/* One transaction in libpq's pipeline mode: a single wait for any number of statements. The
 * first error of any statement is returned by add or commit, and the transaction is rolled back.
 * After R1_E_DB with a lost connection the outcome of commit is unknown: reopen and look. */
r1_status r1_store_batch_begin(r1_store *s, r1_err *err);
r1_status r1_store_batch_add(r1_store *s, const char *prepared, size_t n_param,
                             const char *const *param, r1_err *err);
r1_status r1_store_batch_commit(r1_store *s, r1_err *err);
void r1_store_batch_abort(r1_store *s);

/* Numbered migrations: DIR/NNNN_name.sql, each in one transaction, under an advisory lock.
 * Refuses when an applied file has changed or is missing. *applied counts what this call did. */
r1_status r1_store_migrate(r1_store *s, const char *dir, size_t *applied, r1_err *err);
/* Whether dir holds migrations that can be read. Makes no connection. */
r1_status r1_store_migrations_check(const char *dir, r1_err *err);
/* R1_OK when the database has exactly the migrations of dir; R1_E_AGAIN when it lags
 * behind, which `db migrate` mends: the caller's message says so. */
r1_status r1_store_migrated(r1_store *s, const char *dir, r1_err *err);

#endif
