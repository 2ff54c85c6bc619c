/* SPDX-License-Identifier: Apache-2.0 */
/* med_slurp.h - whole files from outside, plain or compressed (gzip, zstd), with a hard limit on
 * what they unpack to. */
#ifndef MED_SLURP_H
#define MED_SLURP_H

#include "r1_base.h"

/* The largest file that any importer accepts after unpacking. */
#define MED_INPUT_BYTES_MAX ((size_t)512 << 20)

/* *data is malloc'ed and has a NUL after its last byte. The first bytes tell the kind, not the
 * name. */
r1_status med_slurp(const char *path, size_t bytes_max, char **data, size_t *len, r1_err *err);

/* The next line of a text in memory; false at its end. The line has no line break. */
typedef struct {
    const char *at, *end;
    int64_t number; /* of the line last returned, from 1 */
} med_lines;
bool med_lines_next(med_lines *l, const char **line, size_t *len);

/* Cuts a line at tabs; returns the number of fields found, of which at most max are stored. */
typedef struct {
    const char *s;
    size_t len;
} med_field;
size_t med_split(const char *line, size_t len, char sep, med_field *field, size_t max);

#endif
