/* SPDX-License-Identifier: Apache-2.0 */
/* med_sink.h - one walker tells a report to a sink; a format is a sink.
 *
 *     head                                  the report's own fields, the banner
 *     open(NOTICES) row... close            what must be known first
 *     SUMMARY, SYSTEMS, DIFFERENTIAL        the candidates in brief
 *     QUESTIONS, CONTRADICTIONS, UNEXPLAINED
 *     annex                                 what follows is the evidence in full
 *     open(CANDIDATES)                      a section begins; n rows follow
 *       row(candidate)                      one row; the lists that belong to it follow
 *         open(CONTRIBUTIONS) row... close
 *         TYPICAL, AGAINST, STEPS
 *       row_end(candidate)
 *     close(CANDIDATES)
 *     OBSERVED, EXCLUDED, OTHERS, PINS, READING, SOURCES
 *     end
 *
 * The walker decides what is told and in which order. A sink decides how it looks, may pass over
 * rows, and escapes every string (med_put.h). The calls go through med_sink_*, which hold the
 * nesting: a list stands in the list it belongs to, has as many rows as it was opened with, and is
 * closed before its parent. A sink that breaks this is a fault of ours and aborts. */
#ifndef MED_SINK_H
#define MED_SINK_H

#include "report/med_report.h"

typedef enum {
    MED_LIST_NOTICES,        /* rows: const char *, a sentence */
    MED_LIST_SUMMARY,        /* const char *, a sentence */
    MED_LIST_SYSTEMS,        /* med_report_system */
    MED_LIST_DIFFERENTIAL,   /* med_report_candidate */
    MED_LIST_QUESTIONS,      /* med_report_question */
    MED_LIST_CONTRADICTIONS, /* med_report_contradiction */
    MED_LIST_UNEXPLAINED,    /* med_report_unexplained */
    MED_LIST_CANDIDATES,     /* med_report_candidate */
    MED_LIST_CONTRIBUTIONS,  /* med_report_contribution, of a candidate */
    MED_LIST_TYPICAL,        /* med_report_typical, of a candidate */
    MED_LIST_AGAINST,        /* med_report_typical, of a candidate */
    MED_LIST_STEPS,          /* med_report_step, of a candidate */
    MED_LIST_OBSERVED,       /* med_report_finding */
    MED_LIST_EXCLUDED,       /* med_report_finding */
    MED_LIST_OTHERS,         /* med_report_finding */
    MED_LIST_PINS,           /* med_report_finding: those observed ones that are pinned */
    MED_LIST_READING,        /* const char *, a sentence */
    MED_LIST_SOURCES,        /* med_report_source */
    MED_LIST_COUNT
} med_list;

typedef struct med_sink med_sink;
typedef struct {
    const char *name;
    void (*head)(med_sink *s);
    void (*annex)(med_sink *s); /* NULL: no difference is made */
    void (*open)(med_sink *s, med_list list, size_t n);
    void (*row)(med_sink *s, med_list list, const void *row);
    void (*row_end)(med_sink *s, med_list list, const void *row);
    void (*close)(med_sink *s, med_list list);
    void (*end)(med_sink *s);
} med_sink_ops;

enum { MED_SINK_DEPTH = 2 };

/* The first member of every sink. ops and report are the sink's to set; the rest is zero. */
struct med_sink {
    const med_sink_ops *ops;
    const med_report *report;
    struct {
        med_list list;
        size_t n, done; /* rows that were promised, rows that have ended */
        bool in_row;
    } open[MED_SINK_DEPTH];
    uint32_t depth;
    bool begun, ended;
};

/* Tells the whole report to the sink. */
void med_sink_walk(med_sink *s);

/* The single calls, for the walker and for tests of the nesting. */
void med_sink_head(med_sink *s);
void med_sink_annex(med_sink *s);
void med_sink_open(med_sink *s, med_list list, size_t n);
void med_sink_row(med_sink *s, med_list list, const void *row);
void med_sink_row_end(med_sink *s, med_list list, const void *row);
void med_sink_close(med_sink *s, med_list list);
void med_sink_end(med_sink *s);

#endif
