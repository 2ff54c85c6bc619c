/* SPDX-License-Identifier: Apache-2.0 */
/* image.h - how a part of a program shows what it holds as named sections of bytes, and takes them
 * back. Who writes the sections, where and with what checksum is the business of whoever fills
 * these functions in.
 *
 * A section has a name of at most R1_IMAGE_NAME_BYTES - 1 letters and a version of its own.
 * Sections are read in the order in which they were written.
 *
 * Owns:    nothing. Bytes lie as in memory, little endian.
 * Threads: one at a time. Writing neither allocates nor locks: a child of fork may do it.
 * Errors:  R1_E_FORMAT where what is read has another form than what is expected. */
#ifndef R1_IMAGE_H
#define R1_IMAGE_H

#include "r1_base.h"

enum { R1_IMAGE_NAME_BYTES = 24 };

typedef struct r1_image_out r1_image_out;
struct r1_image_out {
    /* Begins the next section. */
    r1_status (*section)(r1_image_out *out, const char *name, uint32_t version, r1_err *err);
    /* Bytes of it; `out` is the r1_image_out. */
    r1_status (*put)(void *out, const void *data, size_t bytes, r1_err *err);
};

typedef struct r1_image_in r1_image_in;
struct r1_image_in {
    /* Opens the next section, which must have this name and version. */
    r1_status (*section)(r1_image_in *in, const char *name, uint32_t version, r1_err *err);
    r1_status (*get)(void *in, void *data, size_t bytes, r1_err *err);
    const char *name; /* of the open section */
    uint64_t left;    /* its bytes that were not read yet: known before anything is allocated */
};

/* Rows of one size, which fill an array from its beginning. */
typedef struct {
    const char *name; /* of the section */
    void *data;
    size_t row_bytes;
    uint64_t n, n_max; /* rows in use, rows that there is room for */
} r1_image_array;

/* One section: row_bytes, n, n_max, then the rows. */
r1_status r1_image_put_array(r1_image_out *out, const r1_image_array *a, uint32_t version,
                             r1_err *err);
/* Fills a->data and sets a->n. Rows of another size, or another n_max, are refused. */
r1_status r1_image_get_array(r1_image_in *in, r1_image_array *a, uint32_t version, r1_err *err);

#endif
