/* SPDX-License-Identifier: Apache-2.0 */
/* med_report_work.h - one call's workspace, and what the files that fill a report share. Lists of
 * the report lie in its arena, those of the call in scratch.
 *
 * Threads: one per workspace. */
#ifndef MED_REPORT_WORK_H
#define MED_REPORT_WORK_H

#include "notes/med_notes.h"
#include "rank/med_families.h"
#include "rank/med_rerank.h"
#include "report/med_labels.h"
#include "report/med_report_rows.h"
#include "report/med_systems.h"

/* WEIGHED: candidates over which the information of a question is expected. */
enum { MED_REPORT_LIST = MED_RERANK_MAX, MED_REPORT_WEIGHED = 16 };

/* What the record says of a term. */
enum { MED_REPORT_MARK_OBSERVED = 1, MED_REPORT_MARK_ABOVE = 2, MED_REPORT_MARK_DENIED = 4 };

typedef struct {
    const med_kb *kb;
    med_ranker *ranker;
    med_reranker *x; /* NULL: the likelihood alone */
    bool pin;
    med_report *report;
    r1_arena *scratch;
    const med_notes *notes;
    const med_labels *labels;
    med_systems systems;
    med_finding *present, *absent; /* [notes.n_mention + 1] */
    bool *ranked;                  /* [n_present]: the ranking takes it */
    uint32_t n_present, n_absent, n_ranked;
    uint32_t *observed, *excluded; /* terms: [n_ranked + 1], [n_absent + 1] */
    med_anchor *anchor;            /* [n_ranked] */
    uint32_t *rest;                /* [n_ranked + 1]: terms without one finding, or with one more */
    med_anchor *rest_anchor;       /* [n_ranked + 1] */
    med_match *match;              /* [n_ranked] */
    float *against;                /* [n_absent + 1] */
    bool *explained;               /* [n_ranked]: by a listed candidate */
    uint8_t *mark;                 /* [n_term]: MED_REPORT_MARK_* */
    med_case query;
    med_candidate all[MED_REPORT_LIST];         /* as they were judged */
    med_candidate list[MED_REPORT_LIST];        /* those of one family joined */
    uint32_t place[MED_REPORT_LIST];            /* of each of list in all */
    double trace[MED_REPORT_LIST][MED_N_TRACE]; /* of each of all */
    uint32_t n_all, n_list;
    float none;
} med_report_work;

/* A list of count elements, zeroed; never NULL for a count of 0. Returns from its function where
 * there is no memory. */
#define MED_REPORT_LIST_OF(arena, to, count, err)                                                  \
    do {                                                                                           \
        (to) = r1_arena_alloc((arena), (size_t)(count) + 1, sizeof *(to));                         \
        if (!(to)) R1_FAIL((err), R1_E_NOMEM, "no memory for a report");                           \
    } while (0)

const char *med_report_id(const med_report_work *w, uint32_t term);
/* In the report's language where a label is known. */
const char *med_report_name(const med_report_work *w, uint32_t term);
const char *med_report_disease(const med_report_work *w, uint32_t disease);
/* A sentence of ours, in the report's arena. */
r1_status med_report_say(med_report_work *w, const char **out, r1_err *err, const char *fmt, ...)
    R1_PRINTF(4, 5);
/* The first names of a list, with the language's comma; each of at most 120 bytes, cut at a
 * character. */
r1_status med_report_join(med_report_work *w, const char *const *name, uint32_t n, const char **out,
                          r1_err *err);
/* An age in words: "17 years", "4 months". */
r1_status med_report_age(med_report_work *w, double years, const char **out, r1_err *err);
r1_status med_report_quote_of(med_report_work *w, const med_mention *m, med_report_quote *q,
                              r1_err *err);
/* Whether a row of annotations speaks of a patient of this sex. */
bool med_report_row_speaks(const med_report_work *w, const med_row *row);
/* In how many of how many published patients of the patient's sex the disease showed the finding; m
 * 0: no row counts any. *stated: whether a row names a frequency at all. */
void med_report_counts(const med_report_work *w, uint32_t disease, uint32_t term, uint32_t *n,
                       uint32_t *m, bool *stated);
/* How often a disease shows a finding or a special form of it in such a patient; 0: its profile
 * lacks it. */
float med_report_frequency(const med_report_work *w, uint32_t disease, uint32_t term);
/* Whether a finding of the disease can be expected at the patient's age: its rows say when it
 * begins. */
bool med_report_due(const med_report_work *w, uint32_t disease, uint32_t term);

#endif
