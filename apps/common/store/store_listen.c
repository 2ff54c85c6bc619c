/* SPDX-License-Identifier: Apache-2.0 */
/* store_listen.c - notices of PostgreSQL (LISTEN and NOTIFY). */
#include "store/store_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

r1_status r1_store_listen(r1_store *s, const char *channel, r1_err *err)
{
    char sql[96];
    int len = snprintf(sql, sizeof sql, "LISTEN \"%s\"", channel);
    if (len < 0 || (size_t)len >= sizeof sql)
        R1_FAIL(err, R1_E_INVAL, "channel %.40s...: expected at most 80 bytes", channel);
    return r1_store_query(s, sql, 0, NULL, NULL, err);
}

r1_status r1_store_heard(r1_store *s, int timeout_ms, char *text, size_t size, r1_err *err)
{
    int64_t until_us = r1_mono_us() + (int64_t)timeout_ms * 1000;
    for (;;) {
        if (!s->conn || PQstatus(s->conn) != CONNECTION_OK || !PQconsumeInput(s->conn))
            return r1_store_fail(s, NULL, "listening", err);
        PGnotify *n = PQnotifies(s->conn);
        if (n) {
            snprintf(text, size, "%s", n->extra);
            PQfreemem(n);
            return R1_OK;
        }
        int64_t left_us = until_us - r1_mono_us();
        if (left_us <= 0) return R1_E_TIMEOUT;
        struct pollfd p = {.fd = PQsocket(s->conn), .events = POLLIN};
        if (poll(&p, 1, (int)(left_us / 1000) + 1) < 0 && errno != EINTR)
            return r1_store_fail(s, NULL, "listening", err);
    }
}
