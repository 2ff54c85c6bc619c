/* SPDX-License-Identifier: Apache-2.0 */
/* med_records_find.c - look-ups, see med_records.h. */
#include "records/med_records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A report that was written by the command alone has no record of the topic. */
#define FIND_SQL(condition)                                                                        \
    "SELECT r.cluster_id, r.topic, r.partition, r.kafka_offset, coalesce(r.outcome, 'reported'), " \
    "coalesce(r.reason, ''), to_char(coalesce(r.received_at, p.created_at) AT TIME ZONE 'UTC', "   \
    "'YYYY-MM-DD HH24:MI'), p.id, c.disease, c.name, round(c.probability::numeric, 3), "           \
    "s.seal_key, encode(s.sealed, 'hex') FROM r1.med_record r FULL JOIN r1.med_report p ON "       \
    "p.id = r.report_id LEFT JOIN r1.med_candidate c ON c.report_id = p.id AND c.rank = 1 "        \
    "LEFT JOIN r1.med_sealed s ON s.cluster_id = r.cluster_id AND s.topic = r.topic AND "          \
    "s.partition = r.partition AND s.kafka_offset = r.kafka_offset AND s.kind = '" MED_SEALED_ID   \
    "' WHERE " condition " ORDER BY coalesce(r.received_at, p.created_at), r.topic, r.partition, " \
    "r.kafka_offset LIMIT 1001"
_Static_assert(MED_RECORDS_SHOWN_MAX == 1000, "FIND_SQL");
static const char *const find_sql[] = {
    [MED_FIND_INDEX] = FIND_SQL("r.key_index = $1"),
    [MED_FIND_RECORD] = FIND_SQL("p.record_hash = $1"),
    [MED_FIND_WAITING] = FIND_SQL("r.outcome <> 'reported' AND r.handled_at IS NULL"),
};

static void stored_row(const med_records *m, const r1_rows *rows, size_t i, med_stored_fn fn,
                       void *ctx)
{
    const char *t[13];
    char *id = NULL;
    size_t len = 0;
    r1_err why = {0};
    for (size_t k = 0; k < R1_COUNT(t); k++) t[k] = r1_rows_text(rows, i, k);
    if (t[12]) {
        const med_place place = {t[0], t[1], (int32_t)r1_rows_int(rows, i, 2),
                                 r1_rows_int(rows, i, 3)};
        med_unseal(m->keys, t[11], &place, MED_SEALED_ID, t[12], &id, &len, &why);
    }
    const med_stored row = {t[1], t[2], t[3], t[4],  t[5], t[6],
                            t[7], t[8], t[9], t[10], id,   t[12] && !id ? why.msg : NULL};
    fn(ctx, &row);
    med_seal_forget(id, len);
}

r1_status med_records_find(const med_records *m, med_find_by by, const char *index,
                           med_stored_fn fn, void *ctx, bool *more, r1_err *err)
{
    r1_rows *rows = NULL;
    R1_TRY(r1_store_query(m->store, find_sql[by], by != MED_FIND_WAITING, &index, &rows, err));
    size_t n = r1_rows_count(rows);
    *more = n > MED_RECORDS_SHOWN_MAX;
    if (*more) n = MED_RECORDS_SHOWN_MAX;
    r1_status st =
        med_records_audit(m, "find", "id", n, by == MED_FIND_WAITING ? "waiting" : index, err);
    for (size_t i = 0; i < n && st == R1_OK; i++) stored_row(m, rows, i, fn, ctx);
    r1_rows_free(rows);
    return st;
}

/* ---- one record ---- */

static r1_status show_place(const char *place, char topic[256], char number[2][24], r1_err *err)
{
    const char *last = strrchr(place, '/'), *middle = last;
    while (middle && middle > place && *--middle != '/') {
    }
    if (last && middle > place && middle - place < 256 && last - middle <= 12 && last[1] &&
        strlen(last + 1) < 20 && strspn(middle + 1, "0123456789") == (size_t)(last - middle - 1) &&
        last - middle > 1 && strspn(last + 1, "0123456789") == strlen(last + 1)) {
        snprintf(topic, 256, "%.*s", (int)(middle - place), place);
        snprintf(number[0], 24, "%.*s", (int)(last - middle - 1), middle + 1);
        snprintf(number[1], 24, "%s", last + 1);
        return R1_OK;
    }
    R1_FAIL(err, R1_E_INVAL, "expected TOPIC/PARTITION/OFFSET, found \"%.60s\"", place);
}

static r1_status show_open(const med_records *m, const r1_rows *rows, med_opened *out, r1_err *err)
{
    for (size_t i = 0; i < r1_rows_count(rows); i++) {
        const char *kind = r1_rows_text(rows, i, 7);
        if (!kind) continue; /* nothing of it is kept */
        bool text = strcmp(kind, MED_SEALED_TEXT) == 0;
        const med_place place = {r1_rows_text(rows, i, 0), r1_rows_text(rows, i, 1),
                                 (int32_t)r1_rows_int(rows, i, 2), r1_rows_int(rows, i, 3)};
        R1_TRY(med_unseal(m->keys, r1_rows_text(rows, i, 8), &place, kind, r1_rows_text(rows, i, 9),
                          text ? &out->text : &out->id, text ? &out->text_len : &out->id_len, err));
    }
    snprintf(out->outcome, sizeof out->outcome, "%s", r1_rows_text(rows, 0, 4));
    snprintf(out->reason, sizeof out->reason, "%s", r1_rows_text(rows, 0, 5));
    snprintf(out->received, sizeof out->received, "%s", r1_rows_text(rows, 0, 6));
    return R1_OK;
}

static r1_status show_rows(const med_records *m, const r1_rows *rows, const char *place,
                           med_opened *out, r1_err *err)
{
    size_t n = r1_rows_count(rows);
    if (!n) R1_FAIL(err, R1_E_NOT_FOUND, "%.200s: no stored record has this place", place);
    for (size_t i = 1; i < n; i++)
        if (strcmp(r1_rows_text(rows, i, 0), r1_rows_text(rows, 0, 0)) != 0)
            R1_FAIL(err, R1_E_INVAL,
                    "%.60s: the clusters \"%.60s\" and \"%.60s\" have such a place: expected "
                    "--cluster",
                    place, r1_rows_text(rows, 0, 0), r1_rows_text(rows, i, 0));
    R1_TRY(show_open(m, rows, out, err));
    return med_records_audit(m, "show", out->text ? MED_SEALED_TEXT : MED_SEALED_ID, 1, place, err);
}

r1_status med_records_show(const med_records *m, const char *place, const char *cluster,
                           med_opened *out, r1_err *err)
{
    char topic[256], number[2][24];
    r1_rows *rows = NULL;
    *out = (med_opened){0};
    R1_TRY(show_place(place, topic, number, err));
    const char *param[] = {topic, number[0], number[1], cluster};
    R1_TRY(r1_store_query(m->store,
                          "SELECT r.cluster_id, r.topic, r.partition, r.kafka_offset, r.outcome, "
                          "r.reason, to_char(r.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD "
                          "HH24:MI'), s.kind, s.seal_key, encode(s.sealed, 'hex') FROM "
                          "r1.med_record r LEFT JOIN r1.med_sealed s USING (cluster_id, topic, "
                          "partition, kafka_offset) WHERE r.topic = $1 AND r.partition = "
                          "$2::integer AND r.kafka_offset = $3::bigint AND ($4::text IS NULL OR "
                          "r.cluster_id = $4) ORDER BY r.cluster_id, s.kind",
                          R1_COUNT(param), param, &rows, err));
    r1_err again;
    r1_status st = show_rows(m, rows, place, out, err);
    r1_rows_free(rows);
    if (st == R1_E_FORMAT || st == R1_E_NOT_FOUND)
        med_records_audit(m, "refused", "show", 0, place, &again);
    return st;
}

void med_opened_free(med_opened *o)
{
    med_seal_forget(o->id, o->id_len);
    med_seal_forget(o->text, o->text_len);
    *o = (med_opened){0};
}
