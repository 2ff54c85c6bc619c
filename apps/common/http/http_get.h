/* SPDX-License-Identifier: Apache-2.0 */
/* http_get.h - asks a service's own port for one page, or posts to it. For commands on the
 * same machine or network; no TLS, no redirects.
 *
 * Owns:    the body is the caller's to free.
 * Threads: any. Blocks at most timeout_ms.
 * Errors:  R1_E_INVAL: no address. R1_E_IO: nobody answers, or no HTTP. R1_E_TIMEOUT.
 *          R1_E_NOMEM: a page of more than bytes_max. */
#ifndef R1_HTTP_GET_H
#define R1_HTTP_GET_H

#include "r1_base.h"

/* *status gets the number of the answer; *body is malloc'ed with a NUL behind it. */
r1_status r1_http_get(const char *address, const char *path, int timeout_ms, size_t bytes_max,
                      int *status, char **body, r1_err *err);

/* The same with a method, further headers and a body. */
typedef struct {
    const char *address, *method, *path; /* the path with its query */
    const char *headers;                 /* lines that end with CR LF each; NULL: none */
    const char *body;                    /* NULL: none */
    size_t body_len;
    int timeout_ms;
    size_t bytes_max;
} r1_http_question;
/* *body is malloc'ed with a NUL behind its *len bytes. */
r1_status r1_http_ask(const r1_http_question *q, int *status, char **body, size_t *len,
                      r1_err *err);

#endif
