/* SPDX-License-Identifier: Apache-2.0 */
/* http_internal.h - what server and asker share: an address as text. */
#ifndef R1_HTTP_INTERNAL_H
#define R1_HTTP_INTERNAL_H

#include "r1_base.h"

#include <sys/socket.h>

typedef struct {
    struct sockaddr_storage at;
    socklen_t len;
    bool loopback;
} http_address;

/* "127.0.0.1:9464", "[::1]:9464", "9464". R1_E_INVAL. */
r1_status r1_http_address_of(const char *text, http_address *out, r1_err *err);

#endif
