/* SPDX-License-Identifier: Apache-2.0 */
/* http_get.c - one request in HTTP/1.0, which is answered whole and ends with the connection. */
#include "http/http_get.h"
#include "http/http_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    int fd;
    int64_t until_us;
    const char *address;
} http_dialog;

static r1_status dialog_refused(const http_dialog *d, r1_err *err)
{
    R1_FAIL(err, R1_E_IO, "%s: %s", d->address, strerror(errno));
}

static r1_status dialog_wait(const http_dialog *d, short events, r1_err *err)
{
    int64_t left_us = d->until_us - r1_mono_us();
    struct pollfd p = {.fd = d->fd, .events = events};
    int n = left_us > 0 ? poll(&p, 1, (int)(left_us / 1000) + 1) : 0;
    if (n > 0) return R1_OK;
    if (n < 0 && errno != EINTR) return dialog_refused(d, err);
    R1_FAIL(err, R1_E_TIMEOUT, "%s: no answer in time", d->address);
}

static r1_status dialog_open(http_dialog *d, const http_address *a, r1_err *err)
{
    int error = 0;
    socklen_t len = sizeof error;
    d->fd = socket(a->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (d->fd < 0) return dialog_refused(d, err);
    if (connect(d->fd, (const struct sockaddr *)&a->at, a->len) == 0) return R1_OK;
    if (errno != EINPROGRESS) return dialog_refused(d, err);
    R1_TRY(dialog_wait(d, POLLOUT, err));
    if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && !error) return R1_OK;
    errno = error;
    return dialog_refused(d, err);
}

static r1_status dialog_send(const http_dialog *d, const char *path, r1_err *err)
{
    char request[256];
    int len = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\nHost: r1\r\n\r\n", path);
    if (len < 0 || len >= (int)sizeof request)
        R1_FAIL(err, R1_E_INVAL, "the path %.40s... is too long", path);
    for (int at = 0; at < len;) {
        R1_TRY(dialog_wait(d, POLLOUT, err));
        ssize_t n = send(d->fd, request + at, (size_t)(len - at), MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) return dialog_refused(d, err);
        if (n > 0) at += (int)n;
    }
    return R1_OK;
}

static r1_status dialog_read(const http_dialog *d, size_t max, char **text, size_t *len,
                             r1_err *err)
{
    size_t room = 0;
    *text = NULL;
    *len = 0;
    for (;;) {
        if (*len + 1 >= room) {
            char *more = room < max ? realloc(*text, room + 65536) : NULL;
            if (!more)
                R1_FAIL(err, R1_E_NOMEM, "%s: the page has more than %zu bytes", d->address, max);
            *text = more;
            room += 65536;
        }
        R1_TRY(dialog_wait(d, POLLIN, err));
        ssize_t n = recv(d->fd, *text + *len, room - *len - 1, 0);
        if (n < 0 && errno != EAGAIN) return dialog_refused(d, err);
        if (n == 0) break;
        if (n > 0) *len += (size_t)n;
    }
    (*text)[*len] = 0;
    return R1_OK;
}

/* The number of the first line, and where the body begins. */
static r1_status split_answer(const http_dialog *d, char *text, int *status, char **body,
                              r1_err *err)
{
    char *end = strstr(text, "\r\n\r\n");
    bool http = !strncmp(text, "HTTP/1.", 7) && strlen(text) > 12 && text[8] == ' ';
    long number = http ? strtol(text + 9, NULL, 10) : 0;
    if (!end || number < 100 || number > 599)
        R1_FAIL(err, R1_E_IO, "%s: expected an answer in HTTP, found something else", d->address);
    *status = (int)number;
    *body = end + 4;
    return R1_OK;
}

static r1_status http_ask(http_dialog *d, const http_address *a, const char *path, size_t max,
                          int *status, char **body, r1_err *err)
{
    char *text = NULL, *at = NULL;
    size_t len = 0;
    r1_status st = dialog_open(d, a, err);
    if (st == R1_OK) st = dialog_send(d, path, err);
    if (st == R1_OK) st = dialog_read(d, max, &text, &len, err);
    if (st == R1_OK) st = split_answer(d, text, status, &at, err);
    if (st == R1_OK && !(*body = strdup(at)))
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for a page");
    free(text);
    return st;
}

r1_status r1_http_get(const char *address, const char *path, int timeout_ms, size_t bytes_max,
                      int *status, char **body, r1_err *err)
{
    http_address a;
    R1_TRY(r1_http_address_of(address, &a, err));
    http_dialog d = {
        .fd = -1, .until_us = r1_mono_us() + (int64_t)timeout_ms * 1000, .address = address};
    r1_status st = http_ask(&d, &a, path, bytes_max, status, body, err);
    if (d.fd >= 0) close(d.fd);
    return st;
}
