/* SPDX-License-Identifier: Apache-2.0 */
/* med_report_rows.h - the report as a struct: its head and the rows of its lists. Strings are as
 * they came from outside or, where a comment says "sentence", wording of ours in the report's
 * language with names from outside in it: the sinks alone make both harmless. */
#ifndef MED_REPORT_ROWS_H
#define MED_REPORT_ROWS_H

#include "notes/med_signing.h"
#include "r1_base.h"
#include "report/med_words.h"

enum {
    MED_REPORT_CANDIDATES = 10, /* candidates in the report */
    MED_REPORT_GENES = 10,      /* candidates of the list with genes */
    MED_REPORT_DETAILED = 3,    /* candidates whose findings plain text lists, and a PDF's summary
                                 * shows as bars */
    MED_REPORT_TYPICAL = 6,     /* findings of a disease that the record does not mention */
    MED_REPORT_AGAINST = 3,     /* of those, what would speak most against it */
    MED_REPORT_QUESTIONS = 3,   /* what to ask next */
    MED_REPORT_TOGETHER = 8     /* entries that are counted with a candidate and named */
};

typedef struct {
    const char *s; /* bytes of an outside source: any bytes, NULL where there is nothing */
    size_t len;
} med_span;

typedef struct {
    const char *const *s;
    uint32_t n;
} med_report_names;

typedef struct {
    double value, low, high; /* what was measured; the range */
} med_report_lab;

/* Where a finding stands in the record. Offsets count bytes of the record. */
typedef struct {
    uint32_t start, end, sentence_start;
    med_span text, sentence, cue; /* text lies within sentence; cue: what decided the status */
    const char *section, *status;
    bool added; /* by a person in review: no words of the record, and section is NULL */
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

/* A body system: a finding right below "Phenotypic abnormality". */
typedef struct {
    const char *id, *name;
    const char *label; /* of ours, in the report's language; the name where we have none */
    uint32_t place;    /* row of med_systems.h, which says where it is drawn; MED_NONE */
    uint32_t n_observed, n_excluded;
} med_report_system;

typedef struct {
    const char *id, *name;
    double information; /* NaN: not told, as in the list of other mentions */
    uint32_t mentions;  /* MED_NONE: not told */
    med_report_quote quote;
    const med_report_anchor *anchor; /* NULL: weighs nothing: not observed, or beyond the bound */
    const med_report_system *system; /* NULL: of none */
    bool unranked;                   /* observed, but beyond what the ranking takes */
} med_report_finding;

/* What one finding says about one candidate. */
typedef struct {
    const char *id, *name, *match;
    double log_lr, frequency; /* frequency NaN: an excluded finding */
    const char *matched;      /* the disease's own finding, also an opposite one, or NULL */
    uint32_t n, m;            /* that one was seen in n of m patients; m 0: not counted */
} med_report_contribution;

typedef struct {
    const char *step;
    double logit;
} med_report_step;

/* A finding of the disease that the record neither reports nor denies. */
typedef struct {
    const char *id, *name;
    double frequency;   /* NaN: the sources name none */
    uint32_t n, m;      /* seen in n of m published patients; m 0: not counted */
    double information; /* bits that its answer is expected to give over all candidates */
    double denied;      /* what the candidate's probability is multiplied by if it is denied */
} med_report_typical;

typedef struct {
    const char *label, *address; /* both of ours and digits */
} med_report_link;

typedef struct {
    uint32_t rank; /* from 1 */
    const char *id, *name;
    double probability, score;
    uint32_t n_explained, n_weighed; /* findings that it has or nearly has, of those weighed */
    double prevalence;               /* per person, NaN: not known */
    med_report_names ids, genes, unexplained;
    med_report_names inheritance, onset; /* words of ours */
    med_report_names together;           /* entries that are counted with it: id, name, genes */
    med_report_names together_first;     /* the first of them, and how many more */
    med_report_names origin;             /* which source states which of these facts */
    med_report_names missing;            /* what the knowledge base lacks of it, words of ours */
    med_report_names caution;            /* sentences: sex and age that do not fit */
    const med_report_contribution
        *contribution;                 /* matched, in general, none, excluded; each falling */
    const med_report_step *step;       /* empty without R1 */
    const med_report_typical *typical; /* with a frequency first; falling information */
    const med_report_typical *against; /* the more it would take, the earlier */
    const med_report_link *link;
    uint32_t n_contribution, n_step, n_typical, n_against, n_link;
} med_report_candidate;

/* What to ask next, and the candidate whose probability it moves most. */
typedef struct {
    const char *id, *name;
    double information; /* expected, in bits */
    const char *disease, *disease_id;
    double frequency;          /* in that disease */
    double now, present, none; /* its probability: now, if present, if denied */
} med_report_question;

/* A finding that the record reports in one place and denies in another. */
typedef struct {
    const char *id, *name, *denied_id, *denied_name;
    med_report_quote quote, denied;
} med_report_contradiction;

/* A finding that no listed candidate explains. */
typedef struct {
    const char *id, *name;
    double information;
} med_report_unexplained;

/* A candidate where the patient's genes are known: beside the ranking, and not in it. */
typedef struct {
    uint32_t rank, before; /* with genes and without, from 1; MED_NONE: not among the candidates */
    const char *id, *name;
    const char *gene;        /* that is hit; NULL: none, and the ratio is 1 */
    const char *inheritance; /* "AD, AR"; "?" where it is not known */
    uint32_t alleles;
    double ratio;                           /* likelihood ratio of the gene, med_genes.h */
    double probability, probability_before; /* the second one NaN where `before` is none */
    const char *text;                       /* all of it, as a sentence */
} med_report_gene;

typedef struct {
    const char *name, *version, *licence, *address;
    const char *loss;              /* sentence: which of its rows are not used; "" */
    uint32_t n_refused, n_unknown; /* those rows */
} med_report_source;

/* The kept review that the findings come from. */
typedef struct {
    uint32_t review;           /* its number */
    const char *hash;          /* SHA-256 in hexadecimal */
    med_report_names by;       /* sentences: who signed it, and when; none: it is not signed */
    const med_signing *stated; /* the same as it was stated */
} med_report_signing;

typedef struct {
    const med_report_finding *row;
    uint32_t n;
} med_report_findings;

typedef struct med_report {
    med_words_language language;
    const char *title, *sex, *ranked_by, *program; /* program: name and version */
    const char *date;                              /* 2026-11-30: the report's; NULL: none */
    const char *born;                  /* 2009-03-17, as the record says; NULL: not said */
    const med_report_signing *signing; /* NULL: of no kept review */
    const char *scope;                 /* sentence: the knowledge base has few diseases; or NULL */
    med_report_names notice;           /* sentences: what a reader must know before anything else */
    med_report_names summary;          /* sentences */
    med_report_names reading;          /* what was converted or left out when the record was read */
    char knowledge_base[20];           /* its checksum in hexadecimal */
    uint32_t words, sentences, diseases;
    bool listed;       /* no text was read: sentences counts findings, one each */
    uint32_t not_read; /* possible findings that the bounds of reading left out, med_notes.h */
    uint32_t cut;      /* sentences that were read in parts */
    uint32_t unranked; /* observed findings that the ranking had no room for, MED_QUERY_MAX */
    bool confident;
    double none_of_these, age_years;        /* age NaN: not said */
    med_report_findings observed, excluded; /* by body system, then in the record's order */
    med_report_findings others;
    const med_report_system *system; /* those with findings, in the knowledge base's order */
    const med_report_question *question;
    const med_report_contradiction *contradiction;
    const med_report_unexplained *unexplained;
    const med_report_candidate *candidate;
    const med_report_source *source;
    uint32_t n_candidate, n_source, n_system, n_question, n_contradiction, n_unexplained;
    bool with_genes; /* gene[] and none_with_genes were asked for */
    const med_report_gene *gene;
    uint32_t n_gene;
    double none_with_genes; /* NaN: not asked for */
    r1_arena *arena;        /* all lists */
} med_report;

#endif
