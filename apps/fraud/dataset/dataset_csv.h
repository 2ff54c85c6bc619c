/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dataset_csv.h - reads a CSV file line by line and its fields as checked numbers.
 *
 * Owns:    the file's bytes from open to close; fields point into them until the next line.
 * Errors:  R1_E_FORMAT with file, line, expected and found. Threads: one at a time. */
#ifndef FRAUD_DATASET_CSV_H
#define FRAUD_DATASET_CSV_H

#include "payment/payment.h"

enum { FRAUD_CSV_FIELDS_MAX = 32 };

typedef struct {
    const char *path;
    char *data, *at, *end;
    long line;
    char *field[FRAUD_CSV_FIELDS_MAX];
    int n_field;
} fraud_csv;

/* header: what the first line must begin with. */
r1_status fraud_csv_open(fraud_csv *c, const char *path, const char *header, r1_err *err);
void fraud_csv_close(fraud_csv *c);
/* Splits the next line in place; false at the end. Quotes may hold commas; a doubled quote is
 * one quote. */
bool fraud_csv_next(fraud_csv *c);
r1_status fraud_csv_int(const fraud_csv *c, int column, int64_t *out, r1_err *err);
r1_status fraud_csv_real(const fraud_csv *c, int column, double *out, r1_err *err); /* finite */
/* An id of 32 bits. */
r1_status fraud_csv_id(const fraud_csv *c, int column, int32_t *out, r1_err *err);
/* A time in ms since 1970, written as a count of units of unit_ms since start. */
r1_status fraud_csv_time(const fraud_csv *c, int column, int64_t start, int64_t unit_ms,
                         int64_t *ts, r1_err *err);

#endif
