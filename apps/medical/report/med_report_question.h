/* SPDX-License-Identifier: Apache-2.0 */
/* med_report_question.h - what to ask next.
 *
 * The information of a finding is what its answer is expected to tell of which disease it is, in
 * bits: the mutual information of the answer and the disease, over the first MED_REPORT_WEIGHED
 * candidates with their probabilities and "none of them" with the rest. How often a disease shows
 * the finding comes from its profile, how often all others do from all profiles.
 *
 * What a question would change is not computed by Bayes but judged: the record with the finding
 * added is ranked again over all candidates, and a denial lowers by the ranking's own rule. So a
 * denial is never shown to raise anything.
 *
 * Threads: one per workspace. */
#ifndef MED_REPORT_QUESTION_H
#define MED_REPORT_QUESTION_H

#include "report/med_report_work.h"

/* Bits, >= 0. The list of w must be ranked. */
double med_report_information(const med_report_work *w, uint32_t term);
/* Whether the record leaves a finding open, and such a patient can be asked for it. */
bool med_report_open(const med_report_work *w, uint32_t term);
/* Judges the findings w->rest (with planned anchors) over all candidates of w. list has room for
 * MED_REPORT_LIST; it comes out in its new order, families joined. */
r1_status med_report_judge(med_report_work *w, uint32_t n_rest, med_candidate *list, uint32_t *n,
                           r1_err *err);
/* Fills the report's questions. */
r1_status med_report_questions(med_report_work *w, r1_err *err);

#endif
