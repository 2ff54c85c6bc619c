/* SPDX-License-Identifier: Apache-2.0 */
/* med_report_summary.h - what a reader must know first, and the report in a few sentences. */
#ifndef MED_REPORT_SUMMARY_H
#define MED_REPORT_SUMMARY_H

#include "report/med_report_work.h"

/* A knowledge base with fewer diseases names them in the report's first line. */
#define MED_FEW_DISEASES 1000

/* The scope, the notices and the sentences of the summary. All else of the report must be there. */
r1_status med_report_summarise(med_report_work *w, r1_err *err);

#endif
