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

r1_status med_write_report(const char *conninfo, const med_report *report, const char *record,
                           size_t len, bool *written, r1_err *err)
{
    r1_store *store = NULL;
    r1_rows *rows = NULL;
    char hash[20];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)r1_hash64(record, len, 1));
    json_t *rows_only = NULL; /* the patient's words stay out of it: statements end in logs */
    R1_TRY(med_report_json(report, false, &rows_only, err));
    char *json = json_dumps(rows_only, JSON_COMPACT);
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
