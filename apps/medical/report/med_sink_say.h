/* SPDX-License-Identifier: Apache-2.0 */
/* med_sink_say.h - parts of rows that sinks for people write alike, escaped for the medium. */
#ifndef MED_SINK_SAY_H
#define MED_SINK_SAY_H

#include "print/med_put.h"
#include "report/med_report_rows.h"

#include <stdio.h>

/* "male, 17 years, born 2009-03-17" */
void med_say_patient(FILE *f, med_medium m, const med_report *r);
/* Program, what ranked, knowledge base. */
void med_say_versions(FILE *f, med_medium m, const med_report *r);
/* How many words and sentences were read, or how many findings were listed. */
void med_say_input(FILE *f, med_medium m, const med_report *r);
/* Who signed which review. The report must be of one. */
void med_say_signing(FILE *f, med_medium m, const med_report *r);
/* Section and status of a finding; of one that a person added, that it was added. */
void med_say_place(FILE *f, med_medium m, med_words_language l, const med_report_quote *q);
/* Whether the whole text was read, how much was not, or that there was none. */
void med_say_read(FILE *f, med_medium m, const med_report *r);
/* "45 of 50 patients", "single case", "80 % of patients", "frequency not stated". */
void med_say_frequency(FILE *f, med_medium m, med_words_language l, uint32_t n, uint32_t of,
                       double frequency);
/* How a finding and a disease fit, with the disease's own finding and its frequency. */
void med_say_match(FILE *f, med_medium m, med_words_language l, const med_report_contribution *x);
/* A likelihood ratio: "37", "2.4", "1/16". */
void med_say_ratio(FILE *f, med_medium m, med_words_language l, double log_lr);
/* The names with the language's comma between. */
void med_say_names(FILE *f, med_medium m, med_words_language l, const med_report_names *names);
/* The label of a system in the figure: its name and its counts. */
void med_say_system(FILE *f, med_medium m, med_words_language l, const med_report_system *s);
/* Whether a contribution's finding is matched by the disease; an excluded one never is. */
bool med_say_is_matched(const med_report_contribution *x);
/* The heading of the part of a candidate's contributions that one belongs to; contributions come
 * part by part, and one part has one string. */
const char *med_say_part(med_words_language l, const med_report_contribution *x);
/* How far its bar goes, 0 to 1: a factor of a thousand fills it. */
double med_say_bar(double log_lr);
/* The heading of a list, NULL for one that has none of its own. */
const char *med_say_heading(const med_report *r, int list);
/* What stands in the place of a list's rows where there are none. */
const char *med_say_no_rows(const med_report *r, int list);

#endif
