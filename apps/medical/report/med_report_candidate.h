/* SPDX-License-Identifier: Apache-2.0 */
/* med_report_candidate.h - the report's candidates: what each finding says of them, what is typical
 * and not reported, what would speak against them, what is known of the disease. */
#ifndef MED_REPORT_CANDIDATE_H
#define MED_REPORT_CANDIDATE_H

#include "report/med_report_work.h"

/* Fills the report's candidates; the list of w must be ranked. */
r1_status med_report_candidates(med_report_work *w, r1_err *err);
/* Fills the report's findings that no listed candidate explains. The candidates must be there. */
r1_status med_report_unexplained_of(med_report_work *w, r1_err *err);

#endif
