/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dataset_csv.c - one bounded splitter for every public layout. */
#include "dataset/dataset_csv.h"

#include "dataset/dataset_files.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool fraud_csv_next(fraud_csv *c)
{
    if (c->at >= c->end) return false;
    c->line++;
    c->n_field = 0;
    char *p = c->at;
    for (;;) {
        char *w = p, *start = p;
        bool quoted = *p == '"';
        if (quoted) p++;
        while (p < c->end && *p != '\n' && (quoted || *p != ',')) {
            if (quoted && *p == '"') {
                if (p[1] != '"') {
                    quoted = false;
                    p++;
                    continue;
                }
                p++;
            }
            *w++ = *p++;
        }
        bool last = p >= c->end || *p == '\n';
        if (w > start && w[-1] == '\r') w--;
        if (c->n_field < FRAUD_CSV_FIELDS_MAX) c->field[c->n_field++] = start;
        char *next = p + 1;
        *w = 0;
        p = next;
        if (last) break;
    }
    c->at = p;
    return true;
}

r1_status fraud_csv_open(fraud_csv *c, const char *path, const char *header, r1_err *err)
{
    size_t len;
    memset(c, 0, sizeof *c);
    c->path = path;
    R1_TRY(fraud_file_read(path, &c->data, &len, err));
    c->at = c->data;
    c->end = c->data + len;
    size_t want = strlen(header);
    if (len < want || memcmp(c->data, header, want)) {
        char found[81];
        snprintf(found, sizeof found, "%.*s", (int)(len < 80 ? len : 80), c->data);
        free(c->data);
        c->data = NULL;
        R1_FAIL(err, R1_E_FORMAT, "%s:1: expected the header \"%.60s...\", found \"%.80s\"", path,
                header, found);
    }
    fraud_csv_next(c);
    return R1_OK;
}

r1_status fraud_csv_int(const fraud_csv *c, int column, int64_t *out, r1_err *err)
{
    char *end;
    if (column >= c->n_field)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected %d fields, found %d", c->path, c->line,
                column + 1, c->n_field);
    errno = 0;
    *out = strtoll(c->field[column], &end, 10);
    if (errno || *end || end == c->field[column])
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected an integer, found \"%.40s\"", c->path, c->line,
                c->field[column]);
    return R1_OK;
}

r1_status fraud_csv_id(const fraud_csv *c, int column, int32_t *out, r1_err *err)
{
    int64_t v;
    R1_TRY(fraud_csv_int(c, column, &v, err));
    if (v < INT32_MIN || v > INT32_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected an id of 32 bits, found %lld", c->path, c->line,
                (long long)v);
    *out = (int32_t)v;
    return R1_OK;
}

r1_status fraud_csv_time(const fraud_csv *c, int column, int64_t start, int64_t unit_ms,
                         int64_t *ts, r1_err *err)
{
    int64_t v;
    R1_TRY(fraud_csv_int(c, column, &v, err));
    if (__builtin_mul_overflow(v, unit_ms, ts) || __builtin_add_overflow(*ts, start, ts) ||
        *ts < FRAUD_TS_MIN || *ts > FRAUD_TS_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected a time between 1970 and 2100, found %lld",
                c->path, c->line, (long long)v);
    return R1_OK;
}

r1_status fraud_csv_real(const fraud_csv *c, int column, double *out, r1_err *err)
{
    char *end;
    if (column >= c->n_field)
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected %d fields, found %d", c->path, c->line,
                column + 1, c->n_field);
    *out = strtod(c->field[column], &end);
    if (*end || end == c->field[column] || !isfinite(*out))
        R1_FAIL(err, R1_E_FORMAT, "%s:%ld: expected a number, found \"%.40s\"", c->path, c->line,
                c->field[column]);
    return R1_OK;
}

void fraud_csv_close(fraud_csv *c)
{
    free(c->data);
    c->data = NULL;
}
