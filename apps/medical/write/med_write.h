/* SPDX-License-Identifier: Apache-2.0 */
/* med_write.h - a report's rows into PostgreSQL: report, findings, candidates in one
 * transaction; no text of the record. Writing the same record with the same knowledge base again
 * changes nothing (*written false). */
#ifndef MED_WRITE_H
#define MED_WRITE_H

#include "r1_base.h"

#include <jansson.h>

r1_status med_write_report(const char *conninfo, const json_t *report, const char *record,
                           size_t len, bool *written, r1_err *err);

#endif
