/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - one callback for the whole process. The program chooses where lines go. */
#include "r1_base.h"

#include <stdio.h>

static struct {
    r1_log_fn fn;
    void *ctx;
    r1_log_level max_level;
} sink;

void r1_log_set(r1_log_fn fn, void *ctx, r1_log_level max_level)
{
    sink.fn = fn;
    sink.ctx = ctx;
    sink.max_level = max_level;
}

void r1_log(r1_log_level level, const char *event, const char *fmt, ...)
{
    if (!sink.fn || level > sink.max_level) return;
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    sink.fn(sink.ctx, level, event, text);
}
