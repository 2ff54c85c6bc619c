/* SPDX-License-Identifier: Apache-2.0 */
/* assert.c - the end of a process whose invariant is broken: one line, one log event, abort. */
#include "r1_assert.h"

#include <stdio.h>
#include <stdlib.h>

void r1_assert_failed(const char *file, int line, const char *expr, const char *fmt, ...)
{
    char values[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(values, sizeof values, fmt, ap);
    va_end(ap);
    fprintf(stderr, "%s:%d: broken invariant: %s: %s\n", file, line, expr, values);
    fflush(stderr);
    r1_log(R1_LOG_ERROR, "assert", "file=%s line=%d invariant=\"%s\" values=\"%s\"", file, line,
           expr, values);
    abort();
}
