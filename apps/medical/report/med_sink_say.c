/* SPDX-License-Identifier: Apache-2.0 */
/* med_sink_say.c - see med_sink_say.h. */
#include "report/med_sink_say.h"

#include "report/med_sink.h"

#include <math.h>
#include <string.h>

void med_say_patient(FILE *f, med_medium m, const med_report *r)
{
    med_words_language l = r->language;
    med_put(f, m, "%s%s", med_words_of(l, r->sex), MED_SAY(l, LIST_COMMA));
    if (isnan(r->age_years))
        med_put(f, m, "%s", MED_SAY(l, AGE_UNKNOWN));
    else if (r->age_years >= 2)
        med_put(f, m, MED_SAY(l, YEARS_F), floor(r->age_years + 1e-4));
    else if (r->age_years * 12 >= 2)
        med_put(f, m, MED_SAY(l, MONTHS_F), floor(r->age_years * 12 + 1e-3));
    else
        med_put(f, m, MED_SAY(l, DAYS_F), round(r->age_years * 365.25));
    if (r->born) {
        med_put(f, m, "%s", MED_SAY(l, LIST_COMMA));
        med_put(f, m, MED_SAY(l, BORN_F), r->born);
    }
}

void med_say_versions(FILE *f, med_medium m, const med_report *r)
{
    med_put(f, m, MED_SAY(r->language, INPUT_F), r->program, r->ranked_by, r->knowledge_base,
            r->diseases);
}

void med_say_input(FILE *f, med_medium m, const med_report *r)
{
    if (r->listed)
        med_put(f, m, MED_SAY(r->language, LISTED_F), r->sentences);
    else
        med_put(f, m, MED_SAY(r->language, READ_F), r->words, r->sentences);
}

void med_say_signing(FILE *f, med_medium m, const med_report *r)
{
    const med_report_signing *x = r->signing;
    med_words_language l = r->language;
    if (!x->by.n) med_put(f, m, "%s", MED_SAY(l, NOT_SIGNED));
    med_say_names(f, m, l, &x->by);
    med_put(f, m, "%s", MED_SAY(l, LIST_COMMA));
    med_put(f, m, MED_SAY(l, REVIEW_F), x->review, x->hash);
}

void med_say_place(FILE *f, med_medium m, med_words_language l, const med_report_quote *q)
{
    med_put(f, m, "%s%s%s", q->added ? MED_SAY(l, ADDED_BY_REVIEWER) : med_words_of(l, q->section),
            MED_SAY(l, LIST_COMMA), med_words_of(l, q->status));
}

void med_say_read(FILE *f, med_medium m, const med_report *r)
{
    if (r->listed)
        med_put(f, m, "%s", MED_SAY(r->language, NO_TEXT));
    else if (r->not_read || r->cut)
        med_put(f, m, MED_SAY(r->language, NOT_READ_F), r->not_read, r->cut);
    else
        med_put(f, m, "%s", MED_SAY(r->language, ALL_READ));
}

void med_say_frequency(FILE *f, med_medium m, med_words_language l, uint32_t n, uint32_t of,
                       double frequency)
{
    if (of == 1)
        med_put(f, m, "%s", MED_SAY(l, SINGLE_CASE));
    else if (of)
        med_put(f, m, MED_SAY(l, PATIENTS_F), n, of);
    else if (isnan(frequency))
        med_put(f, m, "%s", MED_SAY(l, FREQUENCY_UNKNOWN));
    else
        med_put(f, m, MED_SAY(l, PERCENT_F), 100 * frequency);
}

bool med_say_is_matched(const med_report_contribution *x)
{
    return strcmp(x->match, "exact") == 0 || strcmp(x->match, "related") == 0;
}

const char *med_say_part(med_words_language l, const med_report_contribution *x)
{
    if (med_say_is_matched(x)) return MED_SAY(l, MATCHED);
    return strcmp(x->match, "broad") == 0 ? MED_SAY(l, IN_GENERAL) : MED_SAY(l, UNMATCHED);
}

void med_say_match(FILE *f, med_medium m, med_words_language l, const med_report_contribution *x)
{
    const char *own = x->matched ? x->matched : "";
    if (strcmp(x->match, "none") == 0) {
        med_put(f, m, "%s", MED_SAY(l, MATCH_NONE));
        return;
    }
    if (strcmp(x->match, "excluded") == 0) {
        med_put(f, m, "%s", MED_SAY(l, MATCH_EXCLUDED));
        return;
    }
    if (strcmp(x->match, "opposite") == 0) {
        med_put(f, m, MED_SAY(l, MATCH_OPPOSITE_F), own);
        return;
    }
    if (strcmp(x->match, "exact") == 0)
        med_put(f, m, "%s", MED_SAY(l, MATCH_EXACT));
    else if (strcmp(x->match, "related") == 0)
        med_put(f, m, MED_SAY(l, MATCH_RELATED_F), own);
    else if (strcmp(x->match, "broad") == 0)
        med_put(f, m, MED_SAY(l, MATCH_BROAD_F), own);
    else
        med_put(f, m, "%s %s", x->match, own);
    if (!med_say_is_matched(x)) return;
    med_put(f, m, "%s", MED_SAY(l, LIST_COMMA));
    med_say_frequency(f, m, l, x->n, x->m, x->frequency);
}

void med_say_ratio(FILE *f, med_medium m, med_words_language l, double log_lr)
{
    double ratio = exp(fabs(log_lr));
    if (log_lr < 0 && ratio < 2)
        med_put(f, m, MED_SAY(l, RATIO_FINE_F), 1 / ratio);
    else if (log_lr < 0)
        med_put(f, m, MED_SAY(l, RATIO_SMALL_F), ratio);
    else if (ratio < 10)
        med_put(f, m, MED_SAY(l, RATIO_F), ratio);
    else
        med_put(f, m, MED_SAY(l, RATIO_LARGE_F), ratio);
}

double med_say_bar(double log_lr) { return fmin(1, fabs(log_lr) / log(1000)); }

void med_say_names(FILE *f, med_medium m, med_words_language l, const med_report_names *names)
{
    for (uint32_t i = 0; i < names->n; i++)
        med_put(f, m, "%s%s", i ? MED_SAY(l, LIST_COMMA) : "", names->s[i]);
}

void med_say_system(FILE *f, med_medium m, med_words_language l, const med_report_system *s)
{
    if (s->n_observed && s->n_excluded)
        med_put(f, m, MED_SAY(l, FIGURE_BOTH_F), s->label, s->n_observed, s->n_excluded);
    else if (s->n_observed)
        med_put(f, m, MED_SAY(l, FIGURE_F), s->label, s->n_observed);
    else
        med_put(f, m, MED_SAY(l, FIGURE_DENIED_F), s->label, s->n_excluded);
}

const char *med_say_no_rows(const med_report *r, int list)
{
    return list == MED_LIST_QUESTIONS && r->n_candidate ? MED_SAY(r->language, NO_QUESTION)
                                                        : MED_SAY(r->language, NO_ROWS);
}

const char *med_say_heading(const med_report *r, int list)
{
    med_words_language l = r->language;
    switch ((med_list)list) {
    case MED_LIST_SUMMARY: return MED_SAY(l, SUMMARY);
    case MED_LIST_SYSTEMS: return MED_SAY(l, SYSTEMS);
    case MED_LIST_DIFFERENTIAL:
        return r->confident || !r->n_candidate ? MED_SAY(l, DIFFERENTIAL)
                                               : MED_SAY(l, NOT_CONFIDENT);
    case MED_LIST_QUESTIONS: return MED_SAY(l, QUESTIONS);
    case MED_LIST_CONTRADICTIONS: return MED_SAY(l, CONTRADICTIONS);
    case MED_LIST_UNEXPLAINED: return MED_SAY(l, UNEXPLAINED);
    case MED_LIST_CANDIDATES: return MED_SAY(l, EVIDENCE);
    case MED_LIST_TYPICAL: return MED_SAY(l, TYPICAL);
    case MED_LIST_AGAINST: return MED_SAY(l, SPEAK_AGAINST);
    case MED_LIST_STEPS: return MED_SAY(l, TRACE);
    case MED_LIST_OBSERVED: return MED_SAY(l, OBSERVED);
    case MED_LIST_EXCLUDED: return MED_SAY(l, EXCLUDED);
    case MED_LIST_OTHERS: return MED_SAY(l, OTHERS);
    case MED_LIST_GENES: return MED_SAY(l, GENE_LIST);
    case MED_LIST_PINS: return MED_SAY(l, PINS);
    case MED_LIST_READING: return MED_SAY(l, READING);
    case MED_LIST_SOURCES: return MED_SAY(l, SOURCES);
    default: return NULL;
    }
}
