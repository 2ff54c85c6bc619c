/* SPDX-License-Identifier: Apache-2.0 */
/* med_cases.h - published cases in a table: case_id, gold_id, gold_label, sex, age, observed,
 * excluded (tab-separated, findings separated by ';'). Shared by evaluation and training.
 *
 * Owns: everything; terms are resolved against one knowledge base, unknown ones dropped and
 * counted. */
#ifndef MED_CASES_H
#define MED_CASES_H

#include "rank/med_rank.h"

typedef struct {
    char id[96], gold[48];
    uint32_t gold_disease; /* MED_NONE: the knowledge base does not know it */
    uint32_t pmid;         /* from the id, 0 where it has none */
    uint32_t observed_at, n_observed, excluded_at, n_excluded; /* in med_cases.term */
    med_sex sex;
    float age_years;
    /* 0..MED_FOLDS-1, by gold disease: the same for every case of a disease, everywhere */
    int fold;
} med_case_row;

enum { MED_FOLDS = 5 };
typedef struct {
    med_case_row *row;
    uint32_t n, cap;
    uint32_t *term;
    uint32_t n_term, cap_term;
    uint32_t n_unknown_term;
} med_cases;

r1_status med_cases_load(med_cases *out, const char *path, const med_kb *kb,
                         uint32_t max_per_disease, r1_err *err);
void med_cases_free(med_cases *c);
/* The query of a row; borrows from cases. */
med_case med_cases_query(const med_cases *c, const med_case_row *row, bool leave_publication_out);
int med_fold_of(const char *gold_id);
/* ISO 8601 durations (P3Y2M) in years; NaN for anything else. */
float med_age_years(const char *s, size_t len);

#endif
