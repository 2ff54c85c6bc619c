/* SPDX-License-Identifier: Apache-2.0 */
/* med_interchange.h - a report in the forms that other programs read.
 *
 *   phenopacket   GA4GH Phenopacket 2.0 in JSON: sex, age, observed and excluded findings
 *   FHIR          R4 Bundle of the kind collection: Patient, an Observation for each finding, a
 *                 Condition for each candidate (differential), DiagnosticReport, Provenance
 *   TSV           a row for each finding, for spreadsheets
 *
 * What relatives have and what is uncertain or hypothetical stands in neither of the first two. Ids
 * of FHIR's resources follow from the report's content, so the same input gives the same bytes.
 *
 * Owns:    results are the caller's. Threads: any; the report is read only. Errors: R1_E_NOMEM. */
#ifndef MED_INTERCHANGE_H
#define MED_INTERCHANGE_H

#include "report/med_report.h"

/* Both return a new reference. date: when the files say that they were made, an instant
 * "2026-11-30T09:15:00Z", or "2026-11-30" where the day alone is known. */
r1_status med_report_phenopacket(const med_report *r, const char *date, json_t **out, r1_err *err);
r1_status med_report_fhir(const med_report *r, const char *date, json_t **out, r1_err *err);
/* malloc'ed UTF-8: id, name, status, mentions, section, sentence. */
r1_status med_report_table(const med_report *r, char **out, r1_err *err);

#endif
