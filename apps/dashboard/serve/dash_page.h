/* SPDX-License-Identifier: Apache-2.0 */
/* dash_page.h - the files of the page, which are part of the program. They are made from page/ when
 * it is built.
 *
 * Owns:    nothing; the files are static.
 * Threads: any. Errors: none. */
#ifndef DASH_PAGE_H
#define DASH_PAGE_H

#include <stddef.h>

typedef struct {
    const char *path, *type;
    const char *tag;            /* of its content, with quotes, as ETag takes it */
    const unsigned char *bytes; /* gzip */
    size_t len, plain_len;
} dash_file;

extern const dash_file dash_files[];
extern const size_t dash_n_file;

#endif
