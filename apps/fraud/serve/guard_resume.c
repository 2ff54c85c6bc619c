/* SPDX-License-Identifier: GPL-3.0-or-later */
/* guard_resume.c - where the guard of event time goes on after a restart: exactly where the last
 * committed payment left it, also where retention has dropped that payment. */
#include "serve/server.h"
#include "write/log_owner.h"

fraud_guard_mark fraud_serve_guard_mark(const server *s)
{
    return (fraud_guard_mark){.known = true,
                              .live = s->guard.live,
                              .n_leap = s->guard.n_leap,
                              .leap_ms = s->guard.leap_ms,
                              .n_good = s->guard.n_good};
}

_Static_assert(FRAUD_TIME_BELIEVED == 3, "fraud_serve_last_applied asks for so many rows");

r1_status fraud_serve_last_applied(const server *s, fraud_time_case *last, size_t *n, r1_err *err)
{
    r1_rows *rows;
    R1_TRY(r1_store_query(s->store,
                          "SELECT (extract(epoch FROM ts) * 1000)::bigint, "
                          "coalesce((extract(epoch FROM broker_at) * 1000)::bigint, 0) "
                          "FROM r1.payment WHERE applied AND ts IS NOT NULL "
                          "ORDER BY apply_seq DESC LIMIT 3",
                          0, NULL, &rows, err));
    *n = r1_rows_count(rows);
    *last = (fraud_time_case){.machine_ms = r1_time_us() / 1000};
    if (*n) {
        last->ts = r1_rows_int(rows, 0, 0);
        last->message_ms = r1_rows_int(rows, 0, 1);
    }
    r1_rows_free(rows);
    return R1_OK;
}

r1_status fraud_serve_resume_guard(server *s, r1_err *err)
{
    fraud_guard_mark mark;
    s->guard.band = s->parts.arrival.band;
    R1_TRY(fraud_log_guard(&s->ledger, s->store, &mark, err));
    if (!mark.known) { /* a log from before it was stored: what was applied tells what is live */
        fraud_time_case last;
        size_t n;
        R1_TRY(fraud_serve_last_applied(s, &last, &n, err));
        if (n) fraud_time_resume(&s->guard, &last, n);
        return R1_OK;
    }
    s->guard.live = mark.live;
    s->guard.n_leap = mark.n_leap;
    s->guard.leap_ms = mark.leap_ms;
    s->guard.n_good = mark.n_good;
    return R1_OK;
}
