/* SPDX-License-Identifier: Apache-2.0 */
/* med_records_forget.c - retention and erasure, see med_records.h: one transaction a batch, which
 * deletes records with what is sealed of them, the reports that no other record has, and dead
 * letters, and notes how many. */
#include "records/med_records.h"

#include "cli/r1_cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TRIES = 6 };

#define SAME_PLACE(a, b)                                                                           \
    a ".cluster_id = " b ".cluster_id AND " a ".topic = " b ".topic AND " a ".partition = " b      \
      ".partition AND " a ".kafka_offset = " b ".kafka_offset"
#define NO_RECORD "NOT EXISTS (SELECT FROM r1.med_record m WHERE m.report_id = p.id)"
/* record: which rows of med_record m; report: which of med_report p that have no record. $1 is
 * theirs, $2 who, $3 the audit's detail. */
#define FORGET_SQL(what, record, report)                                                           \
    {                                                                                              \
        "WITH gone AS (DELETE FROM r1.med_record r USING (SELECT * FROM r1.med_record m "          \
        "WHERE " record " ORDER BY received_at LIMIT 256) x WHERE " SAME_PLACE(                    \
            "r", "x") " RETURNING r.*), "                                                          \
                      "p AS (DELETE FROM r1.med_report p WHERE (p.id IN (SELECT report_id FROM "   \
                      "gone) AND NOT "                                                             \
                      "EXISTS (SELECT FROM r1.med_record m WHERE m.report_id = p.id AND NOT "      \
                      "EXISTS (SELECT FROM "                                                       \
                      "gone g WHERE " SAME_PLACE(                                                  \
                          "m", "g") "))) OR p.id IN (SELECT id FROM r1.med_report p WHERE " report \
                                    " AND " NO_RECORD " LIMIT 256) RETURNING true), "              \
                                    "d AS (DELETE FROM r1.dead_letter d USING gone g WHERE d.app " \
                                    "= 'medical' AND d.topic = "                                   \
                                    "g.topic AND d.partition = g.partition AND d.kafka_offset = "  \
                                    "g.kafka_offset RETURNING true), "                             \
                                    "n AS (SELECT (SELECT count(*) FROM gone) AS records, "        \
                                    "(SELECT count(*) FROM p) AS reports, "                        \
                                    "(SELECT count(*) FROM d) AS letters), a AS (INSERT INTO "     \
                                    "r1.med_audit (who, what, kind, n, "                           \
                                    "detail) SELECT $2, '" what                                    \
                                    "', v.kind, v.n, $3 FROM n, LATERAL (VALUES ('record', "       \
                                    "records), ('report', reports), ('dead_letter', letters)) AS " \
                                    "v (kind, n) WHERE v.n > 0) "                                  \
                                    "SELECT records, reports, letters, (SELECT "                   \
                                    "string_agg(format('%s/%s/%s', topic, partition, "             \
                                    "kafka_offset), ' ') FROM gone) FROM n",                       \
            "SELECT (SELECT count(*) FROM r1.med_record m WHERE " record                           \
            "), (SELECT count(*) FROM "                                                            \
            "r1.med_report p WHERE (" report " AND " NO_RECORD                                     \
            ") OR (p.id IN (SELECT report_id FROM "                                                \
            "r1.med_record m WHERE " record ") AND NOT EXISTS (SELECT FROM r1.med_record m WHERE " \
            "m.report_id = p.id AND NOT (" record                                                  \
            ")))), (SELECT count(*) FROM r1.dead_letter d JOIN "                                   \
            "r1.med_record m USING (topic, partition, kafka_offset) WHERE d.app = 'medical' "      \
            "AND " record ")"                                                                      \
    }
typedef struct {
    const char *forget, *count;
} forget_sql;
static const forget_sql by_age = FORGET_SQL(
    "retain",
    "m.received_at < $1::timestamptz AND (m.outcome = 'reported' OR m.handled_at IS NOT NULL)",
    "p.created_at < $1::timestamptz");
static const forget_sql by_id = FORGET_SQL("erase", "m.key_index = $1", "false");
static const forget_sql by_record = FORGET_SQL("erase", "m.record_hash = $1", "p.record_hash = $1");

/* Rows of a report and of its record come in one transaction of the service. It waits meanwhile, so
 * that no record comes to a report that goes. */
static r1_status forget_once(const med_records *m, const char *sql, const char *const param[3],
                             r1_rows **rows, r1_err *err)
{
    static const char *const before[] = {"BEGIN", "SET LOCAL lock_timeout = '500ms'",
                                         "LOCK TABLE r1.med_report IN SHARE ROW EXCLUSIVE MODE"};
    r1_status st = R1_OK;
    for (size_t i = 0; i < R1_COUNT(before) && st == R1_OK; i++)
        st = r1_store_query(m->store, before[i], 0, NULL, NULL, err);
    if (st == R1_OK) st = r1_store_query(m->store, sql, 3, param, rows, err);
    if (st == R1_OK) st = r1_store_query(m->store, "COMMIT", 0, NULL, NULL, err);
    if (st != R1_OK) r1_store_query(m->store, "ROLLBACK", 0, NULL, NULL, NULL);
    return st;
}

static r1_status forget_batch(const med_records *m, const char *sql, const char *const param[3],
                              r1_rows **rows, r1_err *err)
{
    for (int i = 1;; i++) {
        r1_status st = forget_once(m, sql, param, rows, err);
        if (st != R1_E_DB || !err->retriable || i == TRIES) return st;
        r1_rows_free(*rows);
        *rows = NULL;
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        r1_err_clear(err);
    }
}

static void forget_add(med_forgotten *out, const r1_rows *rows)
{
    out->records += (uint64_t)r1_rows_int(rows, 0, 0);
    out->reports += (uint64_t)r1_rows_int(rows, 0, 1);
    out->dead_letters += (uint64_t)r1_rows_int(rows, 0, 2);
}

static r1_status forget_count(const med_records *m, const char *sql, const char *value,
                              med_forgotten *out, r1_err *err)
{
    r1_rows *rows = NULL;
    R1_TRY(r1_store_query(m->store, sql, 1, &value, &rows, err));
    forget_add(out, rows);
    r1_rows_free(rows);
    return R1_OK;
}

static r1_status forget_all(const med_records *m, const forget_sql *sql, const char *value,
                            med_place_fn fn, void *ctx, med_forgotten *out, r1_err *err)
{
    const char *const param[] = {value, m->who, value};
    for (bool more = true; more;) {
        r1_rows *rows = NULL;
        if (r1_cli_stopped())
            R1_FAIL(err, R1_E_CANCELLED, "stopped: the same command goes on where it stood");
        r1_status st = forget_batch(m, sql->forget, param, &rows, err);
        if (st == R1_OK) {
            const char *places = r1_rows_text(rows, 0, 3);
            forget_add(out, rows);
            more = r1_rows_int(rows, 0, 0) || r1_rows_int(rows, 0, 1);
            if (fn && places) fn(ctx, places);
        }
        r1_rows_free(rows);
        R1_TRY(st);
    }
    return R1_OK;
}

/* That somebody asked is noted though nothing was there. */
static r1_status forget_none(const med_records *m, const char *what, const char *detail,
                             const med_forgotten *out, r1_err *err)
{
    if (out->records || out->reports) return R1_OK;
    return med_records_audit(m, what, "record", 0, detail, err);
}

r1_status med_records_retain(const med_records *m, int64_t days, bool dry, char *cutoff,
                             med_forgotten *out, r1_err *err)
{
    char number[24];
    const char *param = number;
    r1_rows *rows = NULL;
    *out = (med_forgotten){0};
    snprintf(number, sizeof number, "%lld", (long long)days);
    R1_TRY(r1_store_query(m->store,
                          "SELECT t, (SELECT count(*) FROM r1.med_record WHERE received_at < "
                          "t::timestamptz AND outcome <> 'reported' AND handled_at IS NULL) FROM "
                          "(SELECT to_char(date_trunc('day', now() AT TIME ZONE 'UTC') - "
                          "make_interval(days => $1::integer), 'YYYY-MM-DD\"T\"HH24:MI\"Z\"') AS "
                          "t) x",
                          1, &param, &rows, err));
    snprintf(cutoff, 32, "%s", r1_rows_text(rows, 0, 0));
    out->waiting = (uint64_t)r1_rows_int(rows, 0, 1);
    r1_rows_free(rows);
    if (dry) return forget_count(m, by_age.count, cutoff, out, err);
    R1_TRY(forget_all(m, &by_age, cutoff, NULL, NULL, out, err));
    return forget_none(m, "retain", cutoff, out, err);
}

r1_status med_records_erase(const med_records *m, med_find_by by, const char *index, bool dry,
                            med_place_fn fn, void *ctx, med_forgotten *out, r1_err *err)
{
    const forget_sql *sql = by == MED_FIND_RECORD ? &by_record : &by_id;
    *out = (med_forgotten){0};
    if (dry) return forget_count(m, sql->count, index, out, err);
    R1_TRY(forget_all(m, sql, index, fn, ctx, out, err));
    return forget_none(m, "erase", index, out, err);
}
