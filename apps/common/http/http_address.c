/* SPDX-License-Identifier: Apache-2.0 */
/* http_address.c - text to a socket's address. Names are not looked up: only numbers are taken. */
#include "http/http_internal.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTEN_BYTES = 80 };

static r1_status address_refused(const char *listen, r1_err *err)
{
    R1_FAIL(err, R1_E_INVAL, "expected an address and a port as 127.0.0.1:9464, found \"%.80s\"",
            listen);
}

/* "host:port", "[host]:port" or "port" to its two parts. */
static bool split_address(const char *listen, char host[LISTEN_BYTES], char port[8])
{
    const char *colon = strrchr(listen, ':'), *digits = colon ? colon + 1 : listen;
    size_t len = colon ? (size_t)(colon - listen) : 0, n = strlen(digits);
    if (n < 1 || n > 5 || strspn(digits, "0123456789") != n || strtol(digits, NULL, 10) > 65535)
        return false;
    bool bracket = len > 2 && listen[0] == '[' && listen[len - 1] == ']';
    if (len >= LISTEN_BYTES || (colon && !len)) return false;
    if (!bracket && memchr(listen, ':', len)) return false;
    snprintf(port, 8, "%s", digits);
    snprintf(host, LISTEN_BYTES, "%.*s", (int)(bracket ? len - 2 : len), listen + bracket);
    if (!len || !strcmp(host, "localhost")) snprintf(host, LISTEN_BYTES, "127.0.0.1");
    return true;
}

static bool is_loopback(const struct sockaddr_storage *at)
{
    if (at->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)at)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)at)->sin6_addr);
}

r1_status r1_http_address_of(const char *listen, http_address *out, r1_err *err)
{
    char host[LISTEN_BYTES], port[8];
    struct addrinfo *found = NULL,
                    hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    if (!split_address(listen, host, port) || getaddrinfo(host, port, &hints, &found))
        return address_refused(listen, err);
    memcpy(&out->at, found->ai_addr, found->ai_addrlen);
    out->len = found->ai_addrlen;
    out->loopback = is_loopback(&out->at);
    freeaddrinfo(found);
    return R1_OK;
}
