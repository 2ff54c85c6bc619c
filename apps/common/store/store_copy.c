/* SPDX-License-Identifier: Apache-2.0 */
/* store_copy.c - rows out of a table as PostgreSQL's own text, as they come. */
#include "r1_assert.h"
#include "store/store_internal.h"

r1_status r1_store_copy_out(r1_store *s, const char *sql, r1_bytes_fn fn, void *ctx, r1_err *err)
{
    R1_ASSERT(!s->in_batch, "a copy inside of a transaction of statements: %.60s", sql);
    PGresult *res = PQexecParams(s->conn, sql, 0, NULL, NULL, NULL, NULL, 0);
    r1_status st =
        PQresultStatus(res) == PGRES_COPY_OUT ? R1_OK : r1_store_fail(s, res, "copy", err);
    PQclear(res);
    R1_TRY(st);
    char *row;
    int len;
    while ((len = PQgetCopyData(s->conn, &row, 0)) > 0) {
        if (st == R1_OK) st = fn(ctx, row, (size_t)len, err);
        PQfreemem(row);
    }
    while ((res = PQgetResult(s->conn))) {
        if (st == R1_OK && PQresultStatus(res) != PGRES_COMMAND_OK)
            st = r1_store_fail(s, res, "copy", err);
        PQclear(res);
    }
    if (st == R1_OK && len == -2) st = r1_store_fail(s, NULL, "copy", err);
    return st;
}
