/* SPDX-License-Identifier: Apache-2.0 */
/* financial_report.h - generated annual reports as tokens, with questions whose answers are
 * known: key-data extraction.
 *
 * A report is a row of sections. A section's head names its kind, whose figures it states (the
 * group's, a segment's, a peer's, pro forma, an outlook) and their unit; its figures name
 * neither. Between figures stand filler words:
 *
 *     section     = kind scope unit { filler | figure | decoy } "."
 *     figure      = metric span year value [year value]
 *                 | metric span year value "restated" value
 *     decoy       = metric span year | value
 *     question    = scope metric span year "?"
 *
 * A figure with two years is a row of a table: this year and the year before. A restated value
 * holds from there on. A decoy stands in prose and is no figure. The question stands behind the
 * last section.
 *
 * The unit belongs to a scope and a statement (income, balance sheet, cash flow: four metrics
 * each), so all sections of both agree. A figure may be stated in several sections. About a
 * third of the sections are noisy, each at a level of its own: labels are smudged, values
 * smudged or misread as a number that looks alike. Heads are always legible.
 *
 * What is asked can be answered from the text alone: of the legible mentions since the last
 * restatement most are right. Only the group and its segments are asked about; the others state
 * the same metrics and periods to distract.
 *
 * Length grows by sections, by their tables, by years of history, segments and peers.
 *
 * Owns: report_open's memory, used again by every report_write. Threads: one. Errors:
 * report_open says false where memory lacks. */
#ifndef R1_FINANCIAL_REPORT_H
#define R1_FINANCIAL_REPORT_H

#include "r1_base.h"

#include <stdio.h>

enum {
    REPORT_VALUES = 64, /* numbers from REPORT_LOWEST on */
    REPORT_LOWEST = 10,
    REPORT_UNITS = 4,
    REPORT_STATEMENTS = 3,
    REPORT_METRICS = 12, /* four of each statement, in its order */
    REPORT_SPANS = 5,    /* the year, its quarters */
    REPORT_YEARS = 24,
    REPORT_SEGMENTS = 8,
    REPORT_PEERS = 4,
    REPORT_SCOPES = 1 + REPORT_SEGMENTS + REPORT_PEERS + 2,
    REPORT_KINDS = 9,
    REPORT_FILLERS = 160,
    REPORT_TOKENS_MAX = 16384,
    REPORT_QUESTIONS_MAX = 128,
    REPORT_QUESTION = 5 /* tokens of one */
};

/* Tokens: each kind has a range. */
enum {
    REPORT_VALUE = 0,
    REPORT_UNIT = REPORT_VALUE + REPORT_VALUES,
    REPORT_METRIC = REPORT_UNIT + REPORT_UNITS,
    REPORT_SPAN = REPORT_METRIC + REPORT_METRICS,
    REPORT_YEAR = REPORT_SPAN + REPORT_SPANS,
    REPORT_SCOPE = REPORT_YEAR + REPORT_YEARS, /* the group, segments, peers, pro forma, outlook */
    REPORT_KIND = REPORT_SCOPE + REPORT_SCOPES,
    REPORT_STOP = REPORT_KIND + REPORT_KINDS,
    REPORT_RESTATED,
    REPORT_SMUDGE,
    REPORT_ASK,
    REPORT_FILLER,
    REPORT_TOKENS = REPORT_FILLER + REPORT_FILLERS
};

/* What makes a question hard. */
enum {
    REPORT_IS_RESTATED = 1,
    REPORT_IS_NOISY =
        2, /* all mentions are in noisy sections, and at least one of them is misread */
    REPORT_IS_DISTRACTED = 4 /* at least two others state the same metric and period */
};

typedef struct {
    int32_t scope, metric, span, year; /* from 0 */
    int32_t value, unit;               /* the answer, from 0 */
    int32_t at;                        /* its last token */
    uint32_t hard;                     /* REPORT_IS_... */
} report_question;

typedef struct report_fact report_fact;
typedef struct {
    int32_t n_token, n_section, n_question;
    int32_t token[REPORT_TOKENS_MAX];
    int32_t section[REPORT_TOKENS_MAX]; /* number of the section; -1: a question */
    report_question question[REPORT_QUESTIONS_MAX];
    report_fact *fact; /* by scope, metric, span and year */
    int32_t *order;    /* what is stated, then what may be asked */
} report;

bool report_open(report *r);
void report_close(report *r);
/* A report of exactly n_token tokens (at least 40 beside the questions, at most
 * REPORT_TOKENS_MAX), its questions among them. As many of n_question are asked as it has
 * figures for: a quarter each that are restated, noisy, distracted, and any, as far as there are
 * such. prose: filler words as a multiple of the usual number; 0: hardly any. */
void report_write(report *r, r1_rng *rng, int32_t n_token, int32_t n_question, double prose);
void report_print(const report *r, FILE *to);
/* Numbers that a misread value may be taken for; returns how many, at most 8. */
int32_t report_lookalikes(int32_t value, int32_t *other);

#endif
