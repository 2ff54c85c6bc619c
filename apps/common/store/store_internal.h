/* SPDX-License-Identifier: Apache-2.0 */
/* store_internal.h - what the files of this room share; the only header that shows libpq. */
#ifndef R1_STORE_INTERNAL_H
#define R1_STORE_INTERNAL_H

#include "store/store.h"
#include "store/store_states.h"

#include <libpq-fe.h>

enum { STORE_PREPARED_MAX = 32, STORE_PARAM_MAX = 48 };

struct r1_store {
    PGconn *conn;
    int fd;                       /* of conn, -1: none; under the lock of r1_store_end_all */
    struct r1_store *next, *prev; /* of the open ones; under the same lock */
    char *conninfo, *application;
    int64_t statement_s; /* longest statement unless the connection's text says another; 0: none */
    int64_t answer_ms;   /* as r1_store_opts */
    bool pooled;         /* settings and prepared statements do not stay with the connection */
    char state[6];       /* SQLSTATE of the last failure */
    char said[512];      /* and PostgreSQL's own words */
    bool stale;          /* PostgreSQL said something that only a fresh connection gets past */
    char *local;         /* pooled: one statement that sets all for its transaction */
    struct {
        const char *name, *sql;
        size_t n_param;
    } prepared[STORE_PREPARED_MAX];
    size_t n_prepared;
    size_t n_sent, n_read; /* statements of the batch in hand, and results read of them */
    bool in_batch, batch_failed;
    r1_err batch_err; /* first error of the batch in hand */
};

struct r1_rows {
    PGresult *res;
};

/* One statement of the transaction in hand; length and format as PQsendQueryPrepared takes them. */
r1_status r1_store_batch_send(r1_store *s, const char *prepared, size_t n_param,
                              const char *const *param, const int *length, const int *format,
                              r1_err *err);

/* The socket of the connection, for r1_store_end_all. False where all were ended: the connection is
 * of no use then. */
bool r1_store_expose(r1_store *s);
bool r1_store_ended(void);
/* Ends the connection, where there is one. */
void r1_store_drop(r1_store *s);
/* Connects anew, with the session settings. */
r1_status r1_store_connect(r1_store *s, r1_err *err);
/* From now on each transaction brings its settings and the texts of its statements. */
void r1_store_pool(r1_store *s);

/* Fills err from a result (or, with res NULL, from the connection) and returns its status. */
r1_status r1_store_fail(r1_store *s, const PGresult *res, const char *doing, r1_err *err);

#endif
