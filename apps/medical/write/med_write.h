/* SPDX-License-Identifier: Apache-2.0 */
/* med_write.h - a report's rows into PostgreSQL: report, findings and candidates in one
 * transaction. No text of the record is sent. Writing the same record with the same knowledge
 * base again changes nothing (*written false).
 *
 * Owns: nothing between calls; borrows the report. The blind index of record and len, the bytes
 * that were read, names the record.
 * Threads: one per call. Errors: R1_E_DB, those of r1_store_open and of med_known_keys. */
#ifndef MED_WRITE_H
#define MED_WRITE_H

#include "privacy/med_seal.h"
#include "report/med_report.h"

r1_status med_write_report(const char *conninfo, const med_keys *keys, const med_report *report,
                           const char *record, size_t len, bool *written, r1_err *err);

/* The report as the parameter `rows` of MED_WRITE_ROWS, malloc'ed. */
r1_status med_write_rows(const med_report *report, char **rows, r1_err *err);

/* The beginning of a statement: r (id, fresh) is the report's row; its findings and candidates are
 * written where it is fresh. One statement with the report as a parameter: the database takes it
 * apart, so that there is one round trip whatever the number of rows. hash, rows: the parameters,
 * as "$1" and "$2::jsonb". conflict: what follows a row that is there, and RETURNING. */
#define MED_WRITE_ROWS(hash, rows, conflict)                                                       \
    "WITH r AS (INSERT INTO r1.med_report (record_hash, knowledge_base, confident, "               \
    "none_of_these) SELECT " hash ", j->>'knowledge_base', (j->>'confident')::boolean, "           \
    "(j->>'none_of_these')::float8 FROM (SELECT " rows " AS j) x ON CONFLICT " conflict            \
    "), f AS (INSERT INTO r1.med_finding SELECT r.id, row_number() OVER (), o->>'id', "            \
    "o->>'name', o->'evidence'->>'status', (o->'evidence'->>'start')::int, "                       \
    "(o->'evidence'->>'end')::int, coalesce((o->>'pinned')::boolean, false) FROM r, "              \
    "jsonb_array_elements((" rows "->'observed') || (" rows "->'excluded') || "                    \
    "(" rows "->'other_mentions')) o WHERE r.fresh), c AS (INSERT INTO r1.med_candidate "          \
    "SELECT r.id, (o->>'rank')::int, o->>'id', o->>'name', (o->>'probability')::float8, "          \
    "(o->>'score')::float8 FROM r, jsonb_array_elements(" rows "->'candidates') o "                \
    "WHERE r.fresh) "

#endif
