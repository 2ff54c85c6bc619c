/* SPDX-License-Identifier: Apache-2.0 */
/* med_report.h - from a record to a report, and the report in four formats.
 *
 * med_report_make builds the report once, as a struct. One walker (med_sink.h) tells it to a sink;
 * there is a sink for each of JSON, HTML, PDF and plain text. A struct holds strings as they came
 * from outside: the sinks alone make them harmless (med_put.h).
 *
 * Owns:    a med_report owns its lists and none of its strings. The knowledge base, the text of the
 *          notes, the record's strings and the judge's model name must outlive it. The notes need
 *          not.
 * Threads: one per call; a finished report is read-only.
 * Privacy: the report quotes the record's sentences: treat it like the record itself. */
#ifndef MED_REPORT_H
#define MED_REPORT_H

#include "genes/med_genes.h"
#include "notes/med_notes.h"
#include "rank/med_rerank.h"

#include <jansson.h>

/* The first candidate is called confident from this probability on, if its own logit, denials
 * included, is also above that of "none of these". What denials took from other candidates does not
 * count there, though "none of these" is printed with it. */
#define MED_CONFIDENT_MIN 0.3f

enum {
    MED_REPORT_CANDIDATES = 10, /* candidates in the report */
    MED_REPORT_DETAILED = 3,    /* candidates whose findings PDF and plain text list */
    MED_REPORT_GENES = 10,      /* candidates of the ranking with genes */
    MED_REPORT_TYPICAL = 6      /* findings of a disease that the record does not mention */
};

typedef struct {
    const char *s; /* bytes of an outside source: any bytes, NULL where there is nothing */
    size_t len;
} med_span;

typedef struct {
    double value, low, high; /* what was measured; the range */
} med_report_lab;

/* Where a finding stands in the record. Offsets count bytes of the record. */
typedef struct {
    uint32_t start, end, sentence_start;
    med_span text, sentence, cue; /* text lies within sentence; cue: what decided the status */
    const char *section, *status;
    const med_report_lab *lab; /* NULL: not a laboratory value */
} med_report_quote;

/* What the report says without one finding. */
typedef struct {
    double probability, change; /* of the candidate that is first with all findings */
    const char *first;          /* name of the disease that is first then */
} med_report_without;

typedef struct {
    double weight;
    bool pinned;
    const med_report_without *without; /* NULL unless pinned */
} med_report_anchor;

typedef struct {
    const char *id, *name;
    double information; /* NaN: not told, as in the list of other mentions */
    uint32_t mentions;  /* MED_NONE: not told */
    med_report_quote quote;
    const med_report_anchor *anchor; /* NULL: weighs nothing, because it was not observed */
} med_report_finding;

/* What one finding says about one candidate. */
typedef struct {
    const char *id, *name, *match;
    double log_lr, frequency; /* frequency NaN: an excluded finding */
    const char *matched;      /* the disease's own finding, or NULL */
} med_report_contribution;

typedef struct {
    const char *step;
    double logit;
} med_report_step;

typedef struct {
    const char *id, *name;
    double frequency;
} med_report_typical;

typedef struct {
    const char *const *s;
    uint32_t n;
} med_report_names;

typedef struct {
    uint32_t rank; /* from 1 */
    const char *id, *name;
    double probability, score;
    med_report_names ids, genes, unexplained;
    const med_report_contribution *contribution;
    const med_report_step *step; /* empty without R1 */
    const med_report_typical *typical;
    uint32_t n_contribution, n_step, n_typical;
} med_report_candidate;

/* A candidate once more, where the patient's genes are known: beside the ranking, and not in it. */
typedef struct {
    uint32_t rank, before; /* with genes and without, from 1; MED_NONE: not among the candidates */
    const char *id, *name;
    const char *gene;        /* that is hit; NULL: none, and the ratio is 1 */
    const char *inheritance; /* "AD, AR"; "" where it is not known */
    uint32_t alleles;
    double ratio;                           /* likelihood ratio of the gene, med_genes.h */
    double probability, probability_before; /* the second one NaN where `before` is none */
} med_report_gene;

typedef struct {
    const char *name, *version, *licence, *address;
} med_report_source;

typedef struct {
    const med_report_finding *row;
    uint32_t n;
} med_report_findings;

typedef struct med_report {
    const char *title, *sex, *ranked_by;
    med_report_names reading; /* what was converted or left out when the record was read */
    char knowledge_base[20];  /* its checksum in hexadecimal */
    uint32_t words, sentences;
    uint32_t not_read; /* possible findings that the bounds of reading left out, med_notes.h */
    uint32_t cut;      /* sentences that were read in parts */
    uint32_t unranked; /* observed findings that the ranking had no room for, MED_QUERY_MAX */
    bool confident;
    double none_of_these, age_years; /* age NaN: not said */
    med_report_findings observed, excluded, others;
    const med_report_candidate *candidate;
    const med_report_source *source;
    uint32_t n_candidate, n_source;
    bool with_genes; /* gene[] and none_with_genes were asked for */
    const med_report_gene *gene;
    uint32_t n_gene;
    double none_with_genes; /* NaN: not asked for */
    r1_arena *arena;        /* all lists */
} med_report;

/* What ranks: x NULL means the likelihood alone; pin false: no finding is an anchor. */
typedef struct {
    med_ranker *ranker;
    med_reranker *x;
    const char *model; /* its name and precision, for the report */
    bool pin;
} med_judge;

/* What is reported on. title names it ("sample.txt"). */
typedef struct {
    const char *title;
    const med_notes *notes;
    med_report_names reading; /* sentences about how its file was read */
    const med_genes *genes;   /* NULL: not known */
} med_report_record;

r1_status med_report_make(const med_kb *kb, const med_judge *judge, const med_report_record *record,
                          med_report **out, r1_err *err);
void med_report_free(med_report *r); /* NULL is fine */

/* A new reference. words false: without the record's own words (title, sentences, cues). */
r1_status med_report_json(const med_report *r, bool words, json_t **out, r1_err *err);
/* Both return malloc'ed UTF-8; the page is self-contained and prints well. */
r1_status med_report_html(const med_report *r, char **out, r1_err *err);
r1_status med_report_text(const med_report *r, char **out, r1_err *err);
/* A4 pages; malloc'ed bytes. */
r1_status med_report_pdf_bytes(const med_report *r, char **out, size_t *len, r1_err *err);
/* The same in a file. On failure what stood at path stays. */
r1_status med_report_pdf(const med_report *r, const char *path, r1_err *err);

#endif
