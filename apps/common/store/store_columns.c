/* SPDX-License-Identifier: Apache-2.0 */
/* store_columns.c - PostgreSQL's binary form of a one-dimensional array
 * (src/backend/utils/adt/arrayfuncs.c, array_send):
 *
 *   int32 dimensions = 1 | int32 has_nulls | int32 element oid | int32 length |
 *   int32 first index = 1 | elements
 *   element: int32 bytes (-1: NULL) | the value in network order */
#include "store/store_columns.h"
#include "r1_assert.h"
#include "store/store_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 20, EMPTY = 12 /* an array without dimensions */, FIRST_BYTES = 4096 };
static const int64_t epoch_2000_us = INT64_C(946684800000000); /* PostgreSQL counts from 2000 */

typedef struct {
    char *data;
    size_t used, cap, n;
    bool has_null;
} array;

struct r1_columns {
    r1_column_type type[R1_COLUMNS_MAX];
    array col[R1_COLUMNS_MAX];
    size_t n;
    bool full;
};

/* PostgreSQL's names and numbers of types (pg_type.dat). */
static const struct {
    const char *name;
    uint32_t oid;
} types[] = {
    [R1_COL_INT8] = {"bigint", 20},
    [R1_COL_INT4] = {"integer", 23},
    [R1_COL_FLOAT4] = {"real", 700},
    [R1_COL_BOOL] = {"boolean", 16},
    [R1_COL_TIMESTAMP] = {"timestamptz", 1184},
    [R1_COL_TEXT] = {"text", 25},
    [R1_COL_BYTEA] = {"bytea", 17},
};

static uint32_t oid_of(r1_column_type t) { return types[t].oid; }

/* The values: $1..$k are the arrays, of which u has a row each time; constants come after them. */
static void put_values(FILE *f, const r1_column *column, size_t n, size_t n_array)
{
    for (size_t i = 0, constant = n_array; i < n; i++) {
        const r1_column *c = &column[i];
        if (i) fputs(", ", f);
        if (c->constant)
            fprintf(f, "%s$%zu%s", c->before ? c->before : "", ++constant,
                    c->after ? c->after : "");
        else
            fprintf(f, "%su.%s%s", c->before ? c->before : "", c->name, c->after ? c->after : "");
    }
}

/* "$1::bigint[], ..." or the arrays' names. */
static void put_arrays(FILE *f, const r1_column *column, size_t n, bool names)
{
    for (size_t i = 0, k = 0; i < n; i++) {
        if (column[i].constant) continue;
        if (k++) fputs(", ", f);
        if (names)
            fputs(column[i].name, f);
        else
            fprintf(f, "$%zu::%s[]", k, types[column[i].type].name);
    }
}

r1_status r1_columns_insert(const char *table, const r1_column *column, size_t n, char *sql,
                            size_t size, r1_err *err)
{
    size_t n_array = 0;
    FILE *f = fmemopen(sql, size, "w");
    if (!f) R1_FAIL(err, R1_E_NOMEM, "no memory for a statement");
    for (size_t i = 0; i < n; i++) n_array += !column[i].constant;
    fprintf(f, "INSERT INTO %s (", table);
    for (size_t i = 0; i < n; i++) fprintf(f, "%s%s", i ? ", " : "", column[i].name);
    fputs(") SELECT ", f);
    put_values(f, column, n, n_array);
    fputs(" FROM unnest(", f);
    put_arrays(f, column, n, false);
    fputs(") AS u (", f);
    put_arrays(f, column, n, true);
    fputs(")", f);
    long len = ftell(f);
    fclose(f);
    if (len > 0 && (size_t)len + 1 < size) return R1_OK;
    R1_FAIL(err, R1_E_INVAL, "the statement for %s: expected less than %zu bytes, found %ld", table,
            size, len);
}

void r1_columns_clear(r1_columns *c)
{
    for (size_t i = 0; i < c->n; i++) {
        c->col[i].used = HEADER;
        c->col[i].n = 0;
        c->col[i].has_null = false;
    }
    c->full = false;
}

r1_status r1_columns_new(r1_columns **out, const r1_column_type *type, size_t n, r1_err *err)
{
    if (n < 1 || n > R1_COLUMNS_MAX)
        R1_FAIL(err, R1_E_INVAL, "expected 1..%d columns, found %zu", R1_COLUMNS_MAX, n);
    r1_columns *c = calloc(1, sizeof *c);
    if (!c) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu columns", n);
    c->n = n;
    for (size_t i = 0; i < n; i++) {
        c->type[i] = type[i];
        c->col[i].data = malloc(FIRST_BYTES);
        c->col[i].cap = FIRST_BYTES;
        if (c->col[i].data) continue;
        r1_columns_free(c);
        R1_FAIL(err, R1_E_NOMEM, "no memory for %zu columns", n);
    }
    r1_columns_clear(c);
    *out = c;
    return R1_OK;
}

r1_status r1_columns_of(r1_columns **out, const r1_column *column, size_t n, r1_err *err)
{
    r1_column_type type[R1_COLUMNS_MAX];
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (column[i].constant) continue;
        if (k == R1_COLUMNS_MAX)
            R1_FAIL(err, R1_E_INVAL, "expected 1..%d columns, found more", R1_COLUMNS_MAX);
        type[k++] = column[i].type;
    }
    return r1_columns_new(out, type, k, err);
}

void r1_columns_free(r1_columns *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->n; i++) free(c->col[i].data);
    free(c);
}

size_t r1_columns_rows(const r1_columns *c) { return c->col[0].n; }

static void store_columns_put_u32(char *to, uint32_t v)
{
    v = htonl(v);
    memcpy(to, &v, sizeof v);
}

/* Room for a value of len bytes, its length written; NULL when the column is at its maximum. */
static char *store_columns_value(r1_columns *c, size_t i, size_t len)
{
    R1_ASSERT(i < c->n, "column %zu of %zu", i, c->n);
    R1_ASSERT(c->col[i].used >= HEADER && c->col[i].used <= c->col[i].cap, "column %zu: %zu of %zu",
              i, c->col[i].used, c->col[i].cap);
    array *k = &c->col[i];
    size_t need = k->used + 4 + len, cap = k->cap;
    while (cap < need && cap < R1_COLUMN_BYTES_MAX) cap *= 2;
    char *data = cap == k->cap ? k->data : cap >= need ? realloc(k->data, cap) : NULL;
    if (!data || cap < need) {
        c->full = true;
        return NULL;
    }
    k->data = data;
    k->cap = cap;
    char *at = data + k->used;
    store_columns_put_u32(at, (uint32_t)len);
    k->used = need;
    k->n++;
    return at + 4;
}

static void put_i64(r1_columns *c, size_t i, int64_t v)
{
    char *at = store_columns_value(c, i, 8);
    if (!at) return;
    store_columns_put_u32(at, (uint32_t)((uint64_t)v >> 32));
    store_columns_put_u32(at + 4, (uint32_t)(uint64_t)v);
}

void r1_columns_int(r1_columns *c, size_t i, int64_t v)
{
    R1_ASSERT(c->type[i] == R1_COL_INT8 || c->type[i] == R1_COL_INT4, "column %zu has the type %d",
              i, (int)c->type[i]);
    if (c->type[i] == R1_COL_INT8) {
        put_i64(c, i, v);
        return;
    }
    char *at = store_columns_value(c, i, 4);
    if (at) store_columns_put_u32(at, (uint32_t)(int32_t)v);
}

void r1_columns_float(r1_columns *c, size_t i, float v)
{
    R1_ASSERT(c->type[i] == R1_COL_FLOAT4, "column %zu has the type %d", i, (int)c->type[i]);
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    char *at = store_columns_value(c, i, 4);
    if (at) store_columns_put_u32(at, bits);
}

void r1_columns_bool(r1_columns *c, size_t i, bool v)
{
    R1_ASSERT(c->type[i] == R1_COL_BOOL, "column %zu has the type %d", i, (int)c->type[i]);
    char *at = store_columns_value(c, i, 1);
    if (at) *at = v;
}

void r1_columns_ms(r1_columns *c, size_t i, int64_t ms)
{
    R1_ASSERT(c->type[i] == R1_COL_TIMESTAMP, "column %zu has the type %d", i, (int)c->type[i]);
    put_i64(c, i, ms * 1000 - epoch_2000_us);
}

void r1_columns_bytes(r1_columns *c, size_t i, const char *text, size_t len)
{
    R1_ASSERT(c->type[i] == R1_COL_TEXT || c->type[i] == R1_COL_BYTEA, "column %zu has the type %d",
              i, (int)c->type[i]);
    char *at = store_columns_value(c, i, len);
    if (at) memcpy(at, text, len);
}

void r1_columns_text(r1_columns *c, size_t i, const char *text)
{
    r1_columns_bytes(c, i, text, strlen(text));
}

void r1_columns_null(r1_columns *c, size_t i)
{
    array *k = &c->col[i];
    if (!store_columns_value(c, i, 0)) return;
    store_columns_put_u32(k->data + k->used - 4, UINT32_MAX);
    k->has_null = true;
}

void r1_columns_short(r1_columns *c) { c->full = true; }

static void store_columns_finish(array *k, r1_column_type type)
{
    store_columns_put_u32(k->data, k->n ? 1 : 0);
    store_columns_put_u32(k->data + 4, k->has_null);
    store_columns_put_u32(k->data + 8, oid_of(type));
    store_columns_put_u32(k->data + 12, (uint32_t)k->n);
    store_columns_put_u32(k->data + 16, 1);
}

r1_status r1_store_batch_add_columns(r1_store *s, const char *prepared, r1_columns *c,
                                     size_t n_param, const char *const *param, r1_err *err)
{
    const char *values[STORE_PARAM_MAX] = {NULL};
    int lengths[STORE_PARAM_MAX] = {0}, formats[STORE_PARAM_MAX] = {0};
    if (c->full)
        R1_FAIL(err, R1_E_NOMEM, "%s: a column of a batch is past %d bytes, or memory was short",
                prepared, R1_COLUMN_BYTES_MAX);
    if (c->n + n_param > STORE_PARAM_MAX)
        R1_FAIL(err, R1_E_INVAL, "%s: %zu parameters, at most %d", prepared, c->n + n_param,
                STORE_PARAM_MAX);
    for (size_t i = 0; i < c->n; i++) {
        if (c->col[i].n != c->col[0].n)
            R1_FAIL(err, R1_E_INVAL, "%s: column %zu has %zu values, expected %zu", prepared, i,
                    c->col[i].n, c->col[0].n);
        store_columns_finish(&c->col[i], c->type[i]);
        values[i] = c->col[i].data;
        lengths[i] = c->col[i].n ? (int)c->col[i].used : EMPTY;
        formats[i] = 1;
    }
    for (size_t i = 0; i < n_param; i++) values[c->n + i] = param[i];
    return r1_store_batch_send(s, prepared, c->n + n_param, values, lengths, formats, err);
}
