/* SPDX-License-Identifier: Apache-2.0 */
/* med_report.h - from a record to a report, and the report in four formats.
 *
 * med_report_make builds the report once, as a struct. One walker (med_sink.h) tells it to a sink;
 * there is a sink for each of JSON, HTML, PDF and plain text. A struct holds strings as they came
 * from outside: the sinks alone make them harmless (med_put.h).
 *
 * Owns:    a med_report owns its lists and the sentences that it makes. The knowledge base, the
 *          text of the notes, the record's strings and labels and the judge's model name must
 *          outlive it. The notes need not.
 * Threads: one per call; a finished report is read-only.
 * Privacy: the report quotes the record's sentences: treat it like the record itself. */
#ifndef MED_REPORT_H
#define MED_REPORT_H

#include "genes/med_genes.h"
#include "notes/med_notes.h"
#include "rank/med_rerank.h"
#include "report/med_labels.h"
#include "report/med_report_rows.h"

#include <jansson.h>

/* The first candidate is called confident from this probability on, if its own logit, denials
 * included, is also above that of "none of these". What denials took from other candidates does not
 * count there, though "none of these" is printed with it. */
#define MED_CONFIDENT_MIN 0.3f

/* What ranks: x NULL means the likelihood alone; pin false: no finding is an anchor. */
typedef struct {
    med_ranker *ranker;
    med_reranker *x;
    const char *model; /* its name and precision, for the report */
    bool pin;
} med_judge;

/* What is reported on, and how. */
typedef struct {
    const char *title; /* names it: "sample.txt" */
    const med_notes *notes;
    med_report_names reading; /* sentences about how its file was read */
    med_words_language language;
    const char *date;           /* the report's day, 2026-11-30; NULL: none is shown */
    const char *program;        /* name and version of who makes the report */
    const med_labels *labels;   /* names of findings in that language; NULL: none */
    const med_genes *genes;     /* of the patient; NULL: not known */
    const med_signing *signing; /* of the review that the findings come from; NULL: none */
} med_report_record;

r1_status med_report_make(const med_kb *kb, const med_judge *judge, const med_report_record *record,
                          med_report **out, r1_err *err);
void med_report_free(med_report *r); /* NULL is fine */

/* A new reference. words false: without the record's own words (title, sentences, cues). */
r1_status med_report_json(const med_report *r, bool words, json_t **out, r1_err *err);
/* Both return malloc'ed UTF-8; the page is self-contained and prints well. */
r1_status med_report_html(const med_report *r, char **out, r1_err *err);
r1_status med_report_text(const med_report *r, char **out, r1_err *err);
/* A4 pages: a summary of two at most, then the annex with everything. R1_E_INVAL where no font is
 * installed that has the language's characters. malloc'ed bytes. */
r1_status med_report_pdf_bytes(const med_report *r, char **out, size_t *len, r1_err *err);
/* The same in a file. On failure what stood at path stays. */
r1_status med_report_pdf(const med_report *r, const char *path, r1_err *err);

#endif
