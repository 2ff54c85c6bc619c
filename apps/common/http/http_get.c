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

static r1_status dialog_push(const http_dialog *d, const char *bytes, size_t len, r1_err *err)
{
    for (size_t at = 0; at < len;) {
        R1_TRY(dialog_wait(d, POLLOUT, err));
        ssize_t n = send(d->fd, bytes + at, len - at, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) return dialog_refused(d, err);
        if (n > 0) at += (size_t)n;
    }
    return R1_OK;
}

static r1_status dialog_send(const http_dialog *d, const r1_http_question *q, r1_err *err)
{
    char request[4096], length[48] = "";
    if (q->body) snprintf(length, sizeof length, "Content-Length: %zu\r\n", q->body_len);
    int len = snprintf(request, sizeof request, "%s %s HTTP/1.0\r\nHost: r1\r\n%s%s\r\n", q->method,
                       q->path, q->headers ? q->headers : "", length);
    if (len < 0 || len >= (int)sizeof request)
        R1_FAIL(err, R1_E_INVAL, "the path %.40s... is too long", q->path);
    R1_TRY(dialog_push(d, request, (size_t)len, err));
    return q->body ? dialog_push(d, q->body, q->body_len, err) : R1_OK;
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

static r1_status dialog_whole(http_dialog *d, const http_address *a, const r1_http_question *q,
                              int *status, char **body, size_t *body_len, r1_err *err)
{
    char *text = NULL, *at = NULL;
    size_t len = 0;
    r1_status st = dialog_open(d, a, err);
    if (st == R1_OK) st = dialog_send(d, q, err);
    if (st == R1_OK) st = dialog_read(d, q->bytes_max, &text, &len, err);
    if (st == R1_OK) st = split_answer(d, text, status, &at, err);
    if (st == R1_OK) {
        *body_len = len - (size_t)(at - text);
        *body = malloc(*body_len + 1);
        if (*body)
            memcpy(*body, at, *body_len + 1);
        else
            st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for a page");
    }
    free(text);
    return st;
}

r1_status r1_http_ask(const r1_http_question *q, int *status, char **body, size_t *len, r1_err *err)
{
    http_address a;
    R1_TRY(r1_http_address_of(q->address, &a, err));
    http_dialog d = {
        .fd = -1, .until_us = r1_mono_us() + (int64_t)q->timeout_ms * 1000, .address = q->address};
    r1_status st = dialog_whole(&d, &a, q, status, body, len, err);
    if (d.fd >= 0) close(d.fd);
    return st;
}

r1_status r1_http_get(const char *address, const char *path, int timeout_ms, size_t bytes_max,
                      int *status, char **body, r1_err *err)
{
    const r1_http_question q = {.address = address,
                                .method = "GET",
                                .path = path,
                                .timeout_ms = timeout_ms,
                                .bytes_max = bytes_max};
    size_t len;
    return r1_http_ask(&q, status, body, &len, err);
}
