/* SPDX-License-Identifier: Apache-2.0 */
/* med_report_question.c - see med_report_question.h. */
#include "report/med_report_question.h"

#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* TRIED: findings whose information is computed; those of the first candidates, in their order.
 * JUDGED: of those, which are judged. */
enum { TRIED_MAX = 4096, JUDGED = 8 };
/* A question is worth asking where some candidate's probability rises by so much. */
static const double worth = 0.01;
/* A disease shows what it is not known for at least so often, and nothing always. */
static const double seldom = 0.01, mostly = 0.98;
/* What fewer patients of a disease show is not asked for because of it. */
static const float asked_freq_min = 0.2f;

static double bounded(double p) { return fmin(mostly, fmax(seldom, p)); }

static double entropy_part(double p) { return p > 0 ? -p * log2(p) : 0; }

double med_report_information(const med_report_work *w, uint32_t term)
{
    uint32_t n = w->n_list < MED_REPORT_WEIGHED ? w->n_list : MED_REPORT_WEIGHED;
    double other = 1, all = 0, answers = 0, p_other = bounded(exp(-(double)w->kb->term[term].ic));
    for (uint32_t i = 0; i <= n; i++) {
        double p = i < n ? (double)w->list[i].posterior : fmax(0, other), yes = p_other;
        if (i < n) yes = bounded((double)med_report_frequency(w, w->list[i].disease, term));
        other -= p;
        all += p * yes;
        answers += p * (entropy_part(yes) + entropy_part(1 - yes));
    }
    return fmax(0, entropy_part(all) + entropy_part(1 - all) - answers);
}

bool med_report_open(const med_report_work *w, uint32_t term)
{
    const uint8_t closing = MED_REPORT_MARK_OBSERVED | MED_REPORT_MARK_DENIED;
    const med_term *t = &w->kb->term[term];
    if (w->mark[term] & MED_REPORT_MARK_ABOVE) return false;
    for (uint32_t i = 0; i < t->n_ancestor; i++)
        if (w->mark[w->kb->ancestor[t->ancestor_at + i]] & closing) return false;
    return med_systems_asked(&w->systems, term, w->notes->sex, w->notes->age_years);
}

r1_status med_report_judge(med_report_work *w, uint32_t n_rest, med_candidate *list, uint32_t *n,
                           r1_err *err)
{
    static _Thread_local med_candidate all[MED_REPORT_LIST];
    uint32_t n_all = w->n_all;
    float none;
    med_case c = w->query;
    c.observed = w->rest;
    c.n_observed = n_rest;
    med_anchors_plan(w->kb, w->rest_anchor, n_rest, w->pin);
    memcpy(all, w->all, n_all * sizeof *all);
    med_case_open(w->ranker, &c);
    med_rescore(w->ranker, all, n_all);
    if (w->x)
        R1_TRY(med_rerank(w->x, w->ranker, w->rest_anchor, n_rest, all, &n_all, &none, NULL, err));
    else
        med_posterior_likelihood(all, n_all);
    *n = med_families_join(w->kb, all, n_all, list, NULL);
    return R1_OK;
}

/* ---- which questions ------------------------------------------------------------------------- */

typedef struct {
    uint32_t term;
    double information;
} asked;

static int asked_order(const void *a, const void *b)
{
    const asked *x = a, *y = b;
    if (x->information != y->information) return x->information > y->information ? -1 : 1;
    return (x->term > y->term) - (x->term < y->term);
}

/* The open findings of the first candidates, each once. */
static uint32_t question_terms(const med_report_work *w, asked *to, uint8_t *seen)
{
    uint32_t n = 0,
             n_disease = w->n_list < MED_REPORT_CANDIDATES ? w->n_list : MED_REPORT_CANDIDATES;
    for (uint32_t k = 0; k < n_disease; k++) {
        uint32_t n_profile, disease = w->list[k].disease;
        const med_profile *profile = med_case_profile(w->ranker, disease, &n_profile);
        for (uint32_t i = 0; i < n_profile && n < TRIED_MAX; i++) {
            const med_profile *p = &profile[i];
            uint32_t t = MED_PROFILE_TERM(*p);
            if (!(p->term & MED_PROFILE_DIRECT) || p->freq < asked_freq_min || seen[t]) continue;
            if (!med_report_due(w, disease, t)) continue;
            seen[t] = 1;
            if (med_report_open(w, t)) to[n++] = (asked){t, med_report_information(w, t)};
        }
    }
    return n;
}

/* Whether a question asks the same as one before it. */
static bool question_again(const med_report_work *w, const asked *list, const uint32_t *taken,
                           uint32_t n, uint32_t term)
{
    for (uint32_t i = 0; i < n; i++)
        if (med_kb_is_a(w->kb, term, list[taken[i]].term) ||
            med_kb_is_a(w->kb, list[taken[i]].term, term))
            return true;
    return false;
}

static float posterior_of(const med_kb *kb, const med_candidate *list, uint32_t n, uint32_t disease)
{
    for (uint32_t i = 0; i < n; i++)
        if (med_families_same(kb, list[i].disease, disease)) return list[i].posterior;
    return 0;
}

/* Judges the record with the finding: which of the first candidates rises most, and to where; where
 * none rises, the first one. */
static r1_status question_fill(med_report_work *w, const asked *a, med_report_question *q,
                               r1_err *err)
{
    static _Thread_local med_candidate list[MED_REPORT_LIST];
    uint32_t n, best = 0;
    memcpy(w->rest, w->observed, w->n_ranked * sizeof *w->rest);
    memcpy(w->rest_anchor, w->anchor, w->n_ranked * sizeof *w->rest_anchor);
    uint32_t at = w->n_ranked < MED_FINDINGS_MAX ? w->n_ranked : MED_FINDINGS_MAX - 1;
    w->rest[at] = a->term;
    w->rest_anchor[at] = (med_anchor){.term = a->term, .source = MED_NONE, .certainty = 1};
    R1_TRY(med_report_judge(w, at + 1, list, &n, err));
    med_case_open(w->ranker, &w->query);
    float most = -1;
    for (uint32_t i = 0; i < w->n_list && i < MED_REPORT_CANDIDATES; i++) {
        float rise = posterior_of(w->kb, list, n, w->list[i].disease) - w->list[i].posterior;
        if (rise <= most) continue;
        most = rise;
        best = i;
    }
    if (most <= 0) best = 0;
    uint32_t d = w->list[best].disease;
    double factor = exp((double)med_denied_more(w->ranker, d, a->term));
    R1_ASSERT(factor <= 1, "a denial of term %u multiplies by %g", a->term, factor);
    *q = (med_report_question){.id = med_report_id(w, a->term),
                               .name = med_report_name(w, a->term),
                               .information = a->information,
                               .disease = med_report_disease(w, d),
                               .disease_id = med_str(w->kb, w->kb->disease[d].id),
                               .frequency = (double)med_report_frequency(w, d, a->term),
                               .now = (double)w->list[best].posterior,
                               .present = (double)posterior_of(w->kb, list, n, d),
                               .none = (double)w->list[best].posterior * factor};
    return R1_OK;
}

/* Keeps the questions that let some candidate rise. Returns how many. */
static uint32_t questions_worth(med_report_question *row, uint32_t n)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++)
        if (row[i].present >= row[i].now + worth) row[k++] = row[i];
    return k < MED_REPORT_QUESTIONS ? k : MED_REPORT_QUESTIONS;
}

r1_status med_report_questions(med_report_work *w, r1_err *err)
{
    asked *list;
    uint8_t *seen;
    uint32_t taken[JUDGED], n_taken = 0;
    med_report_question *row;
    MED_REPORT_LIST_OF(w->scratch, list, TRIED_MAX, err);
    MED_REPORT_LIST_OF(w->scratch, seen, w->kb->n_term, err);
    MED_REPORT_LIST_OF(w->report->arena, row, JUDGED, err);
    uint32_t n = question_terms(w, list, seen);
    qsort(list, n, sizeof *list, asked_order);
    for (uint32_t i = 0; i < n && n_taken < JUDGED; i++) {
        if (question_again(w, list, taken, n_taken, list[i].term)) continue;
        R1_TRY(question_fill(w, &list[i], &row[n_taken], err));
        taken[n_taken++] = i;
    }
    w->report->question = row;
    w->report->n_question = questions_worth(row, n_taken);
    return R1_OK;
}
