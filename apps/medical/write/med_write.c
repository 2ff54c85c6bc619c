/* SPDX-License-Identifier: Apache-2.0 */
/* med_write.c - see med_write.h. */
#include "write/med_write.h"

#include "privacy/med_known_keys.h"

#include <stdio.h>
#include <stdlib.h>

static const char insert_sql[] =
    MED_WRITE_ROWS("$1", "$2::jsonb", "DO NOTHING RETURNING id, true AS fresh") "SELECT id FROM r";

r1_status med_write_rows(const med_report *report, char **rows, r1_err *err)
{
    json_t *rows_only = NULL; /* the patient's words stay out of it: statements end in logs */
    R1_TRY(med_report_json(report, false, &rows_only, err));
    *rows = json_dumps(rows_only, JSON_COMPACT);
    json_decref(rows_only);
    if (!*rows) R1_FAIL(err, R1_E_NOMEM, "no memory for a report's rows");
    return R1_OK;
}

r1_status med_write_report(const char *conninfo, const med_keys *keys, const med_report *report,
                           const char *record, size_t len, bool *written, r1_err *err)
{
    r1_store *store = NULL;
    r1_rows *rows = NULL;
    char index[MED_INDEX_BYTES], *json = NULL;
    R1_TRY(med_write_rows(report, &json, err));
    med_index_of_record(keys, record, len, index);
    const char *param[] = {index, json};
    r1_status st = r1_store_open(&store, conninfo, "r1-medical", err);
    if (st == R1_OK) st = med_known_keys(store, keys, MED_KNOWN_WRITE, NULL, 0, err);
    if (st == R1_OK) st = r1_store_query(store, insert_sql, 2, param, &rows, err);
    if (st == R1_OK) *written = r1_rows_count(rows) > 0;
    r1_rows_free(rows);
    r1_store_close(store);
    free(json);
    return st;
}
