/* SPDX-License-Identifier: Apache-2.0 */
/* med_growth.h - z-scores of height, weight, head circumference and body mass index by age and sex,
 * by the LMS method (Cole and Green 1992) over the tables of data/growth.tsv, whose head says where
 * they come from.
 *
 * Owns:    its table.
 * Threads: read-only after med_growth_new.
 * Errors:  a line that does not fit: R1_E_FORMAT with file, line, expected, found. */
#ifndef MED_GROWTH_H
#define MED_GROWTH_H

#include "notes/med_measures.h"

typedef struct med_growth med_growth;
/* name: of the file, for errors. text need not outlive the call. */
r1_status med_growth_new(med_growth **out, const char *name, const char *text, size_t len,
                         r1_err *err);
void med_growth_free(med_growth *g); /* NULL is fine */

/* The z-score of a value in cm, kg or kg/m2. years is finite. Beyond the last age of the table the
 * last one counts; *beyond says so: heads and children grow on, so that a low z-score stays low and
 * a high one says nothing, up to 20 years. NaN: no table for that sex, or before its first age. */
double med_growth_z(const med_growth *g, med_growth_table table, med_sex sex, double years,
                    double value, bool *beyond);

#endif
