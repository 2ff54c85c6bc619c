/* SPDX-License-Identifier: Apache-2.0 */
/* med_report.h - from a record to a report. JSON is the source; text, HTML and PDF are views
 * that read only the JSON.
 *
 * Owns: nothing between calls; what is returned is the caller's. cairo and pango stay in
 * med_report_pdf.c. Threads: one per call. The report holds the record's sentences: treat it
 * like the record itself. */
#ifndef MED_REPORT_H
#define MED_REPORT_H

#include "notes/med_notes.h"
#include "rank/med_rerank.h"

#include <jansson.h>

enum { MED_REPORT_CANDIDATES = 10 };
extern const char med_report_banner[];

typedef struct {
    double read_ms, rank_ms, render_ms;
} med_report_timing;

/* What ranks: x NULL means the likelihood alone; pin false: no finding is an anchor. */
typedef struct {
    med_ranker *ranker;
    med_reranker *x;
    const char *model; /* its name and precision, for the report */
    bool pin;
} med_judge;

/* title names the record in the report ("sample.txt"). *out is a new reference. */
r1_status med_report_make(const med_kb *kb, const med_lexicon *lex, const med_judge *judge,
                          const char *title, const char *text, size_t len, json_t **out,
                          med_report_timing *timing, r1_err *err);
/* Each returns malloc'ed text. */
char *med_report_text(const json_t *report);
char *med_report_html(const json_t *report);
r1_status med_report_pdf(const json_t *report, const char *path, r1_err *err);

#endif
