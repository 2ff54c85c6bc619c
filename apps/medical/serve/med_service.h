/* SPDX-License-Identifier: Apache-2.0 */
/* med_service.h - one way from a record's bytes to its findings and its report, for the port and
 * for the stream, over a knowledge base that can be swapped while it runs.
 *
 *     reload: a knowledge base, its lexicon and its judges are built beside the ones in use
 *             ──▶ one pointer changes ──▶ the old ones go with the last lease on them
 *
 * Owns:    the model, the knowledge base in use, and those that are still leased.
 * Threads: any, but for new and free. A lease is one thread's. Reloads go one after the other.
 * Limits:  med_service_opts.judges records are ranked at a time; others wait for a judge.
 * Errors:  R1_E_AGAIN: no judge came free in time. A reload that fails changes nothing. */
#ifndef MED_SERVICE_H
#define MED_SERVICE_H

#include "documents/med_review.h"
#include "report/med_report.h"

enum { MED_JUDGES_MAX = 64 };

typedef struct {
    const char *kb;    /* what med_sources_open takes */
    const char *model; /* a file; NULL: the likelihood alone */
    r1_precision precision;
    bool pin;
    unsigned judges; /* 1..MED_JUDGES_MAX */
} med_service_opts;

typedef struct med_service med_service;
/* The texts of opts must outlive the service. */
r1_status med_service_new(med_service **out, const med_service_opts *opts, r1_err *err);
void med_service_free(med_service *s); /* NULL is fine; no lease may be out */
/* Reads the knowledge base anew and swaps it in. */
r1_status med_service_reload(med_service *s, r1_err *err);

typedef struct {
    struct med_knowledge *of;
    const med_kb *kb;
    const med_lexicon *lex;
    const med_names *names;
    med_judge judge;     /* ranker NULL: a lease without one */
    const char *program; /* name and version, for reports */
    unsigned place;
} med_lease;
/* The knowledge base in use without a judge; never waits. */
void med_service_look(med_service *s, med_lease *out);
/* With a judge, for which it waits at most wait_ms. */
r1_status med_service_lease(med_service *s, int wait_ms, med_lease *out, r1_err *err);
void med_service_return(med_service *s, med_lease *l);

typedef struct {
    uint64_t swaps, failed_swaps;
    uint32_t n_term, n_disease, n_profiled;
    unsigned judges, busy;
    int64_t since_us; /* of the epoch: when the knowledge base in use came */
    char checksum[20];
} med_service_stats;
void med_service_stats_read(med_service *s, med_service_stats *out);

/* A record on its way. Zero is empty; free it after a failure too. */
typedef struct {
    med_document document;
    med_notes notes;
    med_review review; /* empty where the document is one itself */
    med_report *report;
    char date[16]; /* of the report: today in UTC */
    char made[24]; /* the instant, 2026-11-30T09:15:00Z */
} med_work;
/* What the caller knows of the patient beside the record; it goes before what the record says. */
typedef struct {
    const med_genes *genes; /* NULL: not known */
    med_sex sex;
    float age_years; /* NaN: not known */
    bool listed;     /* the bytes are a list of findings, named or by id */
} med_given;
/* Bytes of a file of any kind that med_document.h knows, read, ranked and as a review. title names
 * the record where the file does not. R1_E_FORMAT: the bytes are at fault. The lease must live as
 * long as the report. */
r1_status med_work_do(med_work *w, const med_lease *l, const char *title, const char *bytes,
                      size_t len, r1_err *err);
/* The same with what is given; its genes must live as long as the report. */
r1_status med_work_with(med_work *w, const med_lease *l, const char *title, const char *bytes,
                        size_t len, const med_given *given, r1_err *err);
void med_work_free(med_work *w);

#endif
