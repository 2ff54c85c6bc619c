/* SPDX-License-Identifier: Apache-2.0 */
/* med_report_summary.c - see med_report_summary.h. */
#include "report/med_report_summary.h"

#include "notes/med_labs.h"

#include "r1_assert.h"

#include <math.h>
#include <string.h>

/* NAMED: findings that a sentence names; NOTICES_OWN: notices that name no finding. */
enum { NAMED = 3, NOTICES_OWN = 5, SENTENCES = 13 };

/* ---- notices --------------------------------------------------------------------------------- */

static r1_status summary_scope(med_report_work *w, r1_err *err)
{
    const med_kb *kb = w->kb;
    if (kb->n_profiled >= MED_FEW_DISEASES) return R1_OK;
    return med_report_say(w, &w->report->scope, err, MED_SAY(w->report->language, FEW_F),
                          kb->n_profiled, kb->n_source ? med_str(kb, kb->source[0].name) : "");
}

static r1_status summary_sex(med_report_work *w, const char **s, uint32_t *n, r1_err *err)
{
    const med_report *r = w->report;
    for (uint32_t i = 0; i < w->n_present; i++) {
        uint32_t t = w->present[i].term;
        if (!med_systems_other_sex(&w->systems, t, w->notes->sex)) continue;
        R1_TRY(med_report_say(w, &s[(*n)++], err, MED_SAY(r->language, SEX_FINDING_F),
                              med_report_name(w, t), med_words_of(r->language, r->sex)));
    }
    return R1_OK;
}

static bool summary_reported(const med_report_work *w, const char *id, uint32_t *term)
{
    *term = *id ? med_kb_term(w->kb, id, strlen(id)) : MED_NONE;
    return *term != MED_NONE && w->mark[*term] & (MED_REPORT_MARK_OBSERVED | MED_REPORT_MARK_ABOVE);
}

/* Whether a measure before the i-th has the same two findings. */
static bool summary_again(const med_measures *m, uint32_t i)
{
    const med_measure *x = med_measures_at(m, i);
    for (uint32_t k = 0; k < i; k++) {
        const med_measure *y = med_measures_at(m, k);
        if (strcmp(x->below, y->below) == 0 && strcmp(x->above, y->above) == 0) return true;
    }
    return false;
}

/* What is both too low and too high. */
static r1_status summary_opposites(med_report_work *w, const med_measures *m, const char **s,
                                   uint32_t *n, r1_err *err)
{
    for (uint32_t i = 0; m && i < med_measures_count(m); i++) {
        const med_measure *x = med_measures_at(m, i);
        uint32_t low, high;
        if (!summary_reported(w, x->below, &low) || !summary_reported(w, x->above, &high)) continue;
        if (summary_again(m, i)) continue;
        R1_TRY(med_report_say(w, &s[(*n)++], err, MED_SAY(w->report->language, OPPOSITE_F),
                              med_report_name(w, low), med_report_name(w, high)));
    }
    return R1_OK;
}

static r1_status summary_notices(med_report_work *w, r1_err *err)
{
    med_report *r = w->report;
    med_words_language l = r->language;
    const char **s;
    uint32_t n = 0;
    const med_measures *m = med_labs_measures();
    size_t max = (size_t)NOTICES_OWN + w->n_present + (m ? med_measures_count(m) : 0);
    MED_REPORT_LIST_OF(r->arena, s, max, err);
    if (r->not_read || r->cut)
        R1_TRY(med_report_say(w, &s[n++], err, MED_SAY(l, NOT_READ_F), r->not_read, r->cut));
    if (r->unranked)
        R1_TRY(med_report_say(w, &s[n++], err, MED_SAY(l, UNRANKED_F), r->unranked, MED_QUERY_MAX));
    if (w->notes->sex == MED_SEX_UNKNOWN) s[n++] = MED_SAY(l, NO_SEX);
    if (isnan(r->age_years)) s[n++] = MED_SAY(l, NO_AGE);
    if (l != MED_WORDS_EN && r->n_candidate) s[n++] = MED_SAY(l, DISEASE_NAMES);
    R1_TRY(summary_sex(w, s, &n, err));
    R1_TRY(summary_opposites(w, m, s, &n, err));
    r->notice = (med_report_names){s, n};
    return R1_OK;
}

/* ---- sentences ------------------------------------------------------------------------------- */

/* The names of the first candidate's contributions that speak for it (or, denied, against it). */
static uint32_t summary_named(const med_report_candidate *c, bool denied, const char *name[NAMED])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n_contribution && n < NAMED; i++) {
        const med_report_contribution *x = &c->contribution[i];
        bool is = strcmp(x->match, "excluded") == 0;
        bool fits = strcmp(x->match, "exact") == 0 || strcmp(x->match, "related") == 0;
        if (denied ? is : fits && x->log_lr > 0) name[n++] = x->name;
    }
    return n;
}

static r1_status summary_first(med_report_work *w, const char **s, uint32_t *n, r1_err *err)
{
    const med_report *r = w->report;
    const med_report_candidate *c = &r->candidate[0];
    const char *name[NAMED], *joined;
    double percent = 100 * c->probability;
    if (r->confident)
        R1_TRY(med_report_say(w, &s[(*n)++], err, MED_SAY(r->language, FIRST_F), c->name, percent,
                              c->n_explained, c->n_weighed));
    else
        R1_TRY(med_report_say(w, &s[(*n)++], err, MED_SAY(r->language, NEAREST_F), c->name, percent,
                              c->n_explained, c->n_weighed));
    uint32_t k = c->together.n < NAMED ? c->together.n : NAMED;
    R1_TRY(med_report_join(w, c->together.s, k, &joined, err));
    if (k)
        R1_TRY(med_report_say(w, &s[(*n)++], err, MED_SAY(r->language, TOGETHER_F),
                              c->together.n + 1, joined));
    k = summary_named(c, false, name);
    R1_TRY(med_report_join(w, name, k, &joined, err));
    if (k) R1_TRY(med_report_say(w, &s[(*n)++], err, MED_SAY(r->language, TELLING_F), joined));
    k = c->unexplained.n < NAMED ? c->unexplained.n : NAMED;
    R1_TRY(med_report_join(w, c->unexplained.s, k, &joined, err));
    if (k) R1_TRY(med_report_say(w, &s[(*n)++], err, MED_SAY(r->language, AGAINST_F), joined));
    k = summary_named(c, true, name);
    R1_TRY(med_report_join(w, name, k, &joined, err));
    if (k) R1_TRY(med_report_say(w, &s[(*n)++], err, MED_SAY(r->language, DENIED_F), joined));
    for (uint32_t i = 0; i < c->caution.n; i++) s[(*n)++] = c->caution.s[i];
    return med_report_say(w, &s[(*n)++], err, MED_SAY(r->language, NONE_OF_THESE_F),
                          100 * r->none_of_these);
}

static r1_status summary_sentences(med_report_work *w, r1_err *err)
{
    med_report *r = w->report;
    const char **s;
    uint32_t n = 0;
    MED_REPORT_LIST_OF(r->arena, s, SENTENCES, err);
    R1_TRY(med_report_say(w, &s[n++], err, MED_SAY(r->language, COUNTS_F), r->observed.n,
                          r->excluded.n, r->n_system));
    if (r->n_candidate)
        R1_TRY(summary_first(w, s, &n, err));
    else
        s[n++] = MED_SAY(r->language, NO_RANKING);
    if (r->n_question) {
        const med_report_question *q = &r->question[0];
        R1_TRY(med_report_say(w, &s[n++], err, MED_SAY(r->language, NEXT_F), q->name, q->disease,
                              100 * q->now, 100 * q->present, 100 * q->none));
    }
    if (r->n_contradiction)
        R1_TRY(med_report_say(w, &s[n++], err, MED_SAY(r->language, CONTRADICTED_F),
                              r->n_contradiction));
    R1_ASSERT(n <= SENTENCES, "%u sentences of at most %d", n, (int)SENTENCES);
    r->summary = (med_report_names){s, n};
    return R1_OK;
}

r1_status med_report_summarise(med_report_work *w, r1_err *err)
{
    R1_TRY(summary_scope(w, err));
    R1_TRY(summary_notices(w, err));
    return summary_sentences(w, err);
}
