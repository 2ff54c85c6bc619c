/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - the error object: filling, prefixing, names. No allocation, so an error can be
 * reported when memory is out. */
#include "r1_base.h"

#include <stdio.h>
#include <string.h>

const char *r1_status_name(r1_status code)
{
    static const char *const names[] = {
        "ok",     "invalid argument", "out of memory", "bad format", "input/output",
        "device", "database",         "stream",        "timeout",    "try again",
        "fenced", "not found",        "cancelled"};
    return (size_t)code < R1_COUNT(names) ? names[code] : "unknown status";
}

r1_status r1_err_set(r1_err *err, r1_status code, const char *file, int line, const char *fmt, ...)
{
    if (!err) return code;
    err->code = code;
    err->retriable = code == R1_E_AGAIN || code == R1_E_TIMEOUT;
    err->fatal = code == R1_E_DEVICE || code == R1_E_FENCED;
    err->file = file;
    err->line = line;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    return code;
}

void r1_err_prefix(r1_err *err, const char *fmt, ...)
{
    if (!err) return;
    char old[sizeof err->msg];
    memcpy(old, err->msg, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof err->msg) return;
    size_t room = sizeof err->msg - (size_t)n, len = strnlen(old, sizeof old);
    if (len >= room) len = room - 1;
    memcpy(err->msg + n, old, len);
    err->msg[(size_t)n + len] = 0;
}

void r1_err_clear(r1_err *err)
{
    if (err) memset(err, 0, sizeof *err);
}
