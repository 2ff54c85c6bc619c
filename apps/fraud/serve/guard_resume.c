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

_Static_assert(FRAUD_TIME_BELIEVED == 3, "resume_by_log asks for so many rows");

/* A log from before the guard was stored: its last payments that were applied tell what is live. */
static r1_status resume_by_log(server *s, r1_err *err)
{
    r1_rows *rows;
    R1_TRY(r1_store_query(s->store,
                          "SELECT (extract(epoch FROM ts) * 1000)::bigint, "
                          "coalesce((extract(epoch FROM broker_at) * 1000)::bigint, 0) "
                          "FROM r1.payment WHERE applied ORDER BY apply_seq DESC "
                          "LIMIT 3",
                          0, NULL, &rows, err));
    if (r1_rows_count(rows)) {
        const fraud_time_case last = {.ts = r1_rows_int(rows, 0, 0),
                                      .message_ms = r1_rows_int(rows, 0, 1),
                                      .machine_ms = r1_time_us() / 1000};
        fraud_time_resume(&s->guard, &last, r1_rows_count(rows));
    }
    r1_rows_free(rows);
    return R1_OK;
}

r1_status fraud_serve_resume_guard(server *s, r1_err *err)
{
    fraud_guard_mark mark;
    s->guard.band = s->parts.arrival.band;
    R1_TRY(fraud_log_guard(&s->ledger, s->store, &mark, err));
    if (!mark.known) return resume_by_log(s, err);
    s->guard.live = mark.live;
    s->guard.n_leap = mark.n_leap;
    s->guard.leap_ms = mark.leap_ms;
    s->guard.n_good = mark.n_good;
    return R1_OK;
}
