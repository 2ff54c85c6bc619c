/* SPDX-License-Identifier: Apache-2.0 */
/* med_write.h - a report's rows into PostgreSQL: report, findings and candidates in one
 * transaction. No text of the record is sent. Writing the same record with the same knowledge
 * base again changes nothing (*written false).
 *
 * Owns: nothing between calls; borrows the report. record and len are hashed, to name the record.
 * Threads: one per call. Errors: R1_E_DB and those of r1_store_open. */
#ifndef MED_WRITE_H
#define MED_WRITE_H

#include "report/med_report.h"

r1_status med_write_report(const char *conninfo, const med_report *report, const char *record,
                           size_t len, bool *written, r1_err *err);

#endif
