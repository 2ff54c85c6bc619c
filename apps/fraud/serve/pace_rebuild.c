/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pace_rebuild.c - see pace_rebuild.h. The bins are those of fraud_pace_bin. */
#include "serve/pace_rebuild.h"

#include <stdio.h>

static const char *const sql_pace =
    "SELECT least(511, greatest(0, floor((d.logit::double precision + 16) * 16)))::integer, "
    "(extract(epoch FROM min(p.ts)) * 1000)::bigint, (extract(epoch FROM max(p.ts)) * "
    "1000)::bigint, count(*) "
    "FROM r1.decision d JOIN r1.payment p USING (apply_seq) "
    "WHERE d.logit IS NOT NULL AND p.applied AND d.apply_seq > $1::bigint AND p.apply_seq > "
    "$1::bigint "
    "GROUP BY floor(extract(epoch FROM p.ts) / 86400), 1 ORDER BY 2";

r1_status fraud_pace_rebuild(fraud_pace *p, r1_store *s, int64_t after_seq, int64_t last_seq,
                             r1_err *err)
{
    int64_t oldest = last_seq - FRAUD_PACE_REBUILD_ROWS;
    char from[24];
    const char *param[] = {from};
    r1_rows *rows;
    snprintf(from, sizeof from, "%lld", (long long)(after_seq > oldest ? after_seq : oldest));
    R1_TRY(r1_store_query(s, sql_pace, 1, param, &rows, err));
    for (size_t i = 0; i < r1_rows_count(rows); i++) {
        int64_t first = r1_rows_int(rows, i, 1), last = r1_rows_int(rows, i, 2),
                n = r1_rows_int(rows, i, 3);
        if (first >= 0)
            fraud_pace_add(p, first, last, (unsigned)r1_rows_int(rows, i, 0), (uint32_t)n);
    }
    r1_rows_free(rows);
    return R1_OK;
}
