/* SPDX-License-Identifier: Apache-2.0 */
/* med_write.c - see med_write.h. One statement with the report as a parameter: the database
 * takes it apart, so that there is one round trip and one transaction whatever the number of
 * rows. */
#include "write/med_write.h"

#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

static const char insert_sql[] =
    "WITH r AS (INSERT INTO r1.med_report (record_hash, knowledge_base, confident, none_of_these) "
    "SELECT $1, j->>'knowledge_base', (j->>'confident')::boolean, (j->>'none_of_these')::float8 "
    "FROM (SELECT $2::jsonb "
    "AS j) x "
    "ON CONFLICT DO NOTHING RETURNING id), "
    "f AS (INSERT INTO r1.med_finding SELECT r.id, row_number() OVER (), o->>'id', o->>'name', "
    "o->'evidence'->>'status', "
    "(o->'evidence'->>'start')::int, (o->'evidence'->>'end')::int, "
    "coalesce((o->>'pinned')::boolean, false) "
    "FROM r, jsonb_array_elements(($2::jsonb->'observed') || ($2::jsonb->'excluded') || "
    "($2::jsonb->'other_mentions')) "
    "o), "
    "c AS (INSERT INTO r1.med_candidate SELECT r.id, (o->>'rank')::int, o->>'id', o->>'name', "
    "(o->>'probability')::float8, "
    "(o->>'score')::float8 FROM r, jsonb_array_elements($2::jsonb->'candidates') o) "
    "SELECT id FROM r";

/* The patient's words stay out of what is sent: statements end in logs. */
static json_t *without_words(const json_t *report)
{
    static const char *const lists[] = {"observed", "excluded", "other_mentions"};
    json_t *copy = json_deep_copy(report), *o;
    size_t i;
    for (size_t k = 0; copy && k < R1_COUNT(lists); k++)
        json_array_foreach(json_object_get(copy, lists[k]), i, o)
        {
            json_t *e = json_object_get(o, "evidence");
            json_object_del(e, "sentence");
            json_object_del(e, "text");
            json_object_del(e, "cue");
        }
    if (copy) json_object_del(copy, "title");
    return copy;
}

r1_status med_write_report(const char *conninfo, const json_t *report, const char *record,
                           size_t len, bool *written, r1_err *err)
{
    r1_store *store = NULL;
    r1_rows *rows = NULL;
    char hash[20];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)r1_hash64(record, len, 1));
    json_t *rows_only = without_words(report);
    char *json = rows_only ? json_dumps(rows_only, JSON_COMPACT) : NULL;
    json_decref(rows_only);
    if (!json) R1_FAIL(err, R1_E_NOMEM, "no memory for a report's rows");
    const char *param[] = {hash, json};
    r1_status st = r1_store_open(&store, conninfo, "r1-medical", err);
    if (st == R1_OK) st = r1_store_query(store, insert_sql, 2, param, &rows, err);
    if (st == R1_OK) *written = r1_rows_count(rows) > 0;
    r1_rows_free(rows);
    r1_store_close(store);
    free(json);
    return st;
}
