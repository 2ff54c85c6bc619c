/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pace_rebuild.c - see pace_rebuild.h. The bins are those of fraud_pace_bin.
 *
 * Older decisions are counted by day and bin. The newest FRAUD_PACE_RECOMPUTE are noted one by one:
 * the threshold is that of the last moment at which it was computed, which lies among them. */
#include "serve/pace_rebuild.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const sql_newest =
    "SELECT d.apply_seq, (extract(epoch FROM p.ts) * 1000)::bigint, d.logit "
    "FROM r1.decision d JOIN r1.payment p USING (apply_seq) "
    "WHERE d.logit IS NOT NULL AND p.applied AND d.apply_seq > $1::bigint AND p.apply_seq > "
    "$1::bigint ORDER BY d.apply_seq DESC LIMIT $2::bigint";

static const char *const sql_older =
    "SELECT least(511, greatest(0, floor((d.logit::double precision + 16) * 16)))::integer, "
    "(extract(epoch FROM min(p.ts)) * 1000)::bigint, (extract(epoch FROM max(p.ts)) * "
    "1000)::bigint, count(*) "
    "FROM r1.decision d JOIN r1.payment p USING (apply_seq) "
    "WHERE d.logit IS NOT NULL AND p.applied AND d.apply_seq > $1::bigint AND p.apply_seq > "
    "$1::bigint AND d.apply_seq < $2::bigint AND p.apply_seq < $2::bigint "
    "GROUP BY floor(extract(epoch FROM p.ts) / 86400), 1 ORDER BY 2";

static r1_status count_older(fraud_pace *p, r1_store *s, const char *from, const char *to,
                             r1_err *err)
{
    const char *param[] = {from, to};
    r1_rows *rows;
    R1_TRY(r1_store_query(s, sql_older, 2, param, &rows, err));
    for (size_t i = 0; i < r1_rows_count(rows); i++) {
        int64_t first = r1_rows_int(rows, i, 1), last = r1_rows_int(rows, i, 2),
                n = r1_rows_int(rows, i, 3);
        if (first >= 0)
            fraud_pace_add(p, first, last, (unsigned)r1_rows_int(rows, i, 0), (uint32_t)n);
    }
    r1_rows_free(rows);
    return R1_OK;
}

r1_status fraud_pace_rebuild(fraud_pace *p, r1_store *s, int64_t after_seq, int64_t last_seq,
                             r1_err *err)
{
    int64_t oldest = last_seq - FRAUD_PACE_REBUILD_ROWS;
    char from[24], limit[16];
    const char *param[] = {from, limit};
    r1_rows *rows;
    snprintf(from, sizeof from, "%lld", (long long)(after_seq > oldest ? after_seq : oldest));
    snprintf(limit, sizeof limit, "%d", FRAUD_PACE_RECOMPUTE);
    R1_TRY(r1_store_query(s, sql_newest, 2, param, &rows, err));
    size_t n = r1_rows_count(rows);
    r1_status st = R1_OK;
    if (n == FRAUD_PACE_RECOMPUTE) st = count_older(p, s, from, r1_rows_text(rows, n - 1, 0), err);
    for (size_t i = n; st == R1_OK && i-- > 0;)
        fraud_pace_note(p, r1_rows_int(rows, i, 1), strtof(r1_rows_text(rows, i, 2), NULL));
    r1_rows_free(rows);
    return st;
}

/* Of each rule: its name, the latest hour of its hits, hits, hits from the first one of that hour
 * on, what it would have done as a shadow, and behind its cap. */
static const char *const sql_rules =
    "WITH h AS (SELECT d.apply_seq, d.rule, floor(extract(epoch FROM p.ts) / 3600)::bigint AS hour "
    "FROM r1.decision d JOIN r1.payment p USING (apply_seq) WHERE d.rule IS NOT NULL AND p.applied "
    "AND d.apply_seq > $1::bigint AND p.apply_seq > $1::bigint), "
    "l AS (SELECT rule, max(hour) AS hour FROM h GROUP BY rule), "
    "f AS (SELECT rule, hour, min(apply_seq) AS first FROM h JOIN l USING (rule, hour) "
    "GROUP BY rule, hour) "
    "SELECT rule, f.hour, count(*), count(*) FILTER (WHERE apply_seq >= first), 0, 0 "
    "FROM h JOIN f USING (rule) GROUP BY rule, f.hour "
    "UNION ALL SELECT w->>'rule', 0, 0, 0, count(*) FILTER (WHERE w->>'why' = 'shadow'), "
    "count(*) FILTER (WHERE w->>'why' = 'cap') "
    "FROM r1.decision d, jsonb_array_elements(d.would) w WHERE d.apply_seq > $1::bigint GROUP BY 1";

r1_status fraud_pace_rebuild_rules(fraud_pace *p, r1_store *s, int64_t after_seq, int64_t last_seq,
                                   r1_err *err)
{
    int64_t oldest = last_seq - FRAUD_PACE_REBUILD_ROWS;
    char from[24];
    const char *param[] = {from};
    r1_rows *rows;
    snprintf(from, sizeof from, "%lld", (long long)(after_seq > oldest ? after_seq : oldest));
    R1_TRY(r1_store_query(s, sql_rules, 1, param, &rows, err));
    for (size_t i = 0; i < r1_rows_count(rows); i++) {
        fraud_pace_count more = {.hits = (uint64_t)r1_rows_int(rows, i, 2),
                                 .shadow = (uint64_t)r1_rows_int(rows, i, 4),
                                 .capped = (uint64_t)r1_rows_int(rows, i, 5)};
        snprintf(more.name, sizeof more.name, "%s", r1_rows_text(rows, i, 0));
        fraud_pace_rule_add(p, &more, r1_rows_int(rows, i, 1), (uint32_t)r1_rows_int(rows, i, 3));
    }
    r1_rows_free(rows);
    return R1_OK;
}
