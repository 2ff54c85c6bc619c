/* SPDX-License-Identifier: Apache-2.0 */
/* med_report.c - builds the report's struct: findings and candidates, what each finding says of
 * each candidate, and what would change without an anchor. Nothing is escaped here. */
#include "report/med_report.h"

#include "print/med_put.h"
#include "r1_assert.h"
#include "report/med_words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* WEIGHED: candidates of the list that is judged again without each anchor. */
enum { LIST = MED_RERANK_MAX, WEIGHED = 16 };

/* A profile's finding is typical from this frequency on. */
static const float typical_freq_min = 0.5f;
/* More than the 200,000 findings of a record and their candidates need. */
static const size_t report_bytes_max = (size_t)1 << 30;

static const char *const report_sex[] = {
    [MED_SEX_UNKNOWN] = "unknown", [MED_SEX_FEMALE] = "female", [MED_SEX_MALE] = "male"};
static const char *const report_match[] = {[MED_MATCH_NONE] = "none",
                                           [MED_MATCH_BROAD] = "broad",
                                           [MED_MATCH_SPECIFIC] = "related",
                                           [MED_MATCH_EXACT] = "exact"};
static const char report_match_excluded[] = "excluded";

/* One call's workspace. Its lists live in scratch, those of the report in the report's arena. */
typedef struct {
    const med_kb *kb;
    const med_judge *judge;
    med_report *report;
    r1_arena *scratch;
    const med_notes *notes;
    med_finding *present, *absent; /* [notes.n_mention + 1] */
    uint32_t n_present, n_absent;
    uint32_t *observed, *excluded; /* their terms */
    med_anchor *anchor;            /* [n_present] */
    uint32_t *rest;                /* [n_present]: terms without one finding */
    med_anchor *rest_anchor;       /* [n_present] */
    med_match *match;              /* [n_present] */
    float *against;                /* [n_absent] */
    med_case query;
    med_candidate list[LIST];
    double trace[LIST][MED_N_TRACE];
    uint32_t n_list;
    float none;
} work;

static const char *id_of(const work *w, uint32_t t) { return med_str(w->kb, w->kb->term[t].id); }
static const char *name_of(const work *w, uint32_t t)
{
    return med_str(w->kb, w->kb->term[t].name);
}

/* A list of count elements, zeroed; never NULL for a count of 0. Returns from its function where
 * there is no memory. */
#define REPORT_LIST(arena, to, count, err)                                                         \
    do {                                                                                           \
        (to) = r1_arena_alloc((arena), (size_t)(count) + 1, sizeof *(to));                         \
        if (!(to)) R1_FAIL((err), R1_E_NOMEM, "no memory for a report");                           \
    } while (0)

/* ---- ranking --------------------------------------------------------------------------------- */

/* The list of a query whose findings are those anchors; scores of the likelihood stand in it
 * already. */
static r1_status judge_list(const med_judge *j, const med_case *c, const med_anchor *anchor,
                            med_candidate *list, uint32_t *n, float *none, double *trace,
                            r1_err *err)
{
    if (j->x) return med_rerank(j->x, j->ranker, anchor, c->n_observed, list, n, none, trace, err);
    *none = med_posterior_likelihood(list, *n);
    return R1_OK;
}

/* ---- findings -------------------------------------------------------------------------------- */

static r1_status report_quote(work *w, const med_mention *m, med_report_quote *q, r1_err *err)
{
    const med_notes *n = w->notes;
    R1_ASSERT(m->sentence < n->n_sentence, "mention: sentence %u of %u", m->sentence,
              n->n_sentence);
    const med_sentence *s = &n->sentence[m->sentence];
    R1_ASSERT(s->start <= m->start && m->start <= m->end && m->end <= s->end && s->end <= n->len,
              "mention: bytes %u to %u, sentence %u to %u, record %zu", m->start, m->end, s->start,
              s->end, n->len);
    R1_ASSERT(m->cue_start <= m->cue_end && m->cue_end <= n->len, "cue: bytes %u to %u of %zu",
              m->cue_start, m->cue_end, n->len);
    R1_ASSERT(s->section < n->n_section, "sentence: section %u of %u", s->section, n->n_section);
    R1_ASSERT(m->status < MED_STATUS_COUNT, "mention: status %d", (int)m->status);
    *q = (med_report_quote){.start = m->start,
                            .end = m->end,
                            .sentence_start = s->start,
                            .text = {n->text + m->start, m->end - m->start},
                            .sentence = {n->text + s->start, s->end - s->start},
                            .section = med_section_name[n->section[s->section].name],
                            .status = med_status_name[m->status]};
    if (m->cue_end > m->cue_start)
        q->cue = (med_span){n->text + m->cue_start, m->cue_end - m->cue_start};
    if (!m->lab) return R1_OK;
    med_report_lab *lab;
    REPORT_LIST(w->report->arena, lab, 1, err);
    *lab = (med_report_lab){(double)m->value, (double)m->low, (double)m->high};
    q->lab = lab;
    return R1_OK;
}

static r1_status report_findings_of(work *w, const med_finding *f, uint32_t n,
                                    const med_report_anchor *anchor, med_report_findings *out,
                                    r1_err *err)
{
    med_report_finding *row;
    REPORT_LIST(w->report->arena, row, n, err);
    for (uint32_t i = 0; i < n; i++) {
        R1_ASSERT(f[i].first_mention < w->notes->n_mention, "finding: mention %u of %u",
                  f[i].first_mention, w->notes->n_mention);
        row[i] = (med_report_finding){.id = id_of(w, f[i].term),
                                      .name = name_of(w, f[i].term),
                                      .information = (double)w->kb->term[f[i].term].ic,
                                      .mentions = f[i].n_mention,
                                      .anchor = anchor ? &anchor[i] : NULL};
        R1_TRY(report_quote(w, &w->notes->mention[f[i].first_mention], &row[i].quote, err));
    }
    *out = (med_report_findings){row, n};
    return R1_OK;
}

static bool mentioned_otherwise(const med_mention *m)
{
    return m->status != MED_PRESENT && m->status != MED_HISTORICAL && m->status != MED_ABSENT;
}

static r1_status report_others(work *w, r1_err *err)
{
    med_report_finding *row;
    uint32_t n = 0, k = 0;
    for (uint32_t i = 0; i < w->notes->n_mention; i++)
        n += mentioned_otherwise(&w->notes->mention[i]);
    REPORT_LIST(w->report->arena, row, n, err);
    for (uint32_t i = 0; i < w->notes->n_mention; i++) {
        const med_mention *m = &w->notes->mention[i];
        if (!mentioned_otherwise(m)) continue;
        row[k] = (med_report_finding){.id = id_of(w, m->term),
                                      .name = name_of(w, m->term),
                                      .information = NAN,
                                      .mentions = MED_NONE};
        R1_TRY(report_quote(w, m, &row[k++].quote, err));
    }
    R1_ASSERT(k == n, "other mentions: filled %u of %u", k, n);
    w->report->others = (med_report_findings){row, n};
    return R1_OK;
}

/* ---- anchors --------------------------------------------------------------------------------- */

/* The query without finding i (MED_NONE: with all), judged again over the first candidates. */
static r1_status judge_without(work *w, uint32_t i, float *p, const char **first, r1_err *err)
{
    static _Thread_local med_candidate list[LIST];
    uint32_t n = w->n_list < WEIGHED ? w->n_list : WEIGHED, k = 0;
    float none;
    *p = 0;
    for (uint32_t j = 0; j < w->n_present; j++) {
        if (j == i) continue;
        w->rest_anchor[k] = w->anchor[j];
        w->rest[k++] = w->observed[j];
    }
    med_case c = w->query;
    c.observed = w->rest;
    c.n_observed = k;
    R1_ASSERT(k == w->n_present - (i != MED_NONE), "without finding %u: %u of %u are left", i, k,
              w->n_present);
    med_anchors_plan(w->kb, w->rest_anchor, k, w->judge->pin);
    memcpy(list, w->list, n * sizeof *list);
    med_case_open(w->judge->ranker, &c);
    med_rescore(w->judge->ranker, list, n);
    R1_TRY(judge_list(w->judge, &c, w->rest_anchor, list, &n, &none, NULL, err));
    for (uint32_t j = 0; j < n; j++)
        if (list[j].disease == w->list[0].disease) *p = list[j].posterior;
    *first = n ? med_str(w->kb, w->kb->disease[list[0].disease].name) : "";
    return R1_OK;
}

/* What was pinned, with its weight, and what the first place's probability becomes without it.
 * *out stays NULL where there is no candidate. */
static r1_status report_anchors(work *w, const med_report_anchor **out, r1_err *err)
{
    med_report_anchor *row;
    float p, with_all;
    const char *first;
    *out = NULL;
    if (!w->n_list) return R1_OK;
    REPORT_LIST(w->report->arena, row, w->n_present, err);
    R1_TRY(judge_without(w, MED_NONE, &with_all, &first, err));
    for (uint32_t i = 0; i < w->n_present; i++) {
        row[i].weight = (double)w->anchor[i].weight;
        row[i].pinned = w->anchor[i].pinned;
        if (!row[i].pinned) continue;
        med_report_without *without;
        REPORT_LIST(w->report->arena, without, 1, err);
        R1_TRY(judge_without(w, i, &p, &first, err));
        *without = (med_report_without){(double)p, (double)(p - with_all), first};
        row[i].without = without;
    }
    *out = row;
    return R1_OK;
}

/* ---- candidates ------------------------------------------------------------------------------ */

/* What a disease usually shows and the record neither reports nor denies. */
static r1_status candidate_typical(work *w, const med_disease *d, med_report_candidate *c,
                                   r1_err *err)
{
    med_report_typical *row;
    uint32_t n = 0;
    REPORT_LIST(w->report->arena, row, MED_REPORT_TYPICAL, err);
    for (uint32_t i = 0; i < d->n_profile && n < MED_REPORT_TYPICAL; i++) {
        const med_profile *p = &w->kb->profile[d->profile_at + i];
        uint32_t t = MED_PROFILE_TERM(*p);
        bool found = !(p->term & MED_PROFILE_DIRECT) || p->freq < typical_freq_min;
        for (uint32_t q = 0; q < w->n_present && !found; q++)
            found = med_kb_is_a(w->kb, w->observed[q], t) || med_kb_is_a(w->kb, t, w->observed[q]);
        for (uint32_t q = 0; q < w->n_absent && !found; q++)
            found = med_kb_is_a(w->kb, t, w->excluded[q]);
        if (!found) row[n++] = (med_report_typical){id_of(w, t), name_of(w, t), (double)p->freq};
    }
    c->typical = row;
    c->n_typical = n;
    return R1_OK;
}

static const char *report_step_name(int k)
{
    if (k == MED_TRACE_PRIOR) return "prior";
    return k == MED_TRACE_DENIED ? "denied" : MED_ITEM_NAME[k - MED_TRACE_ITEM];
}

/* What each evidence step added to the candidate's calibrated logit, and what the denials took; the
 * numbers add up to it. */
static r1_status candidate_steps(work *w, uint32_t place, med_report_candidate *c, r1_err *err)
{
    med_report_step *row;
    if (!w->judge->x) return R1_OK;
    REPORT_LIST(w->report->arena, row, MED_N_TRACE, err);
    for (int k = 0; k < MED_N_TRACE; k++)
        row[k] = (med_report_step){report_step_name(k), w->trace[place - 1][k]};
    c->step = row;
    c->n_step = MED_N_TRACE;
    return R1_OK;
}

/* Observed findings in the order of the record, then those excluded ones that speak against. */
static r1_status candidate_contributions(work *w, const med_candidate *from,
                                         med_report_candidate *c, r1_err *err)
{
    med_report_contribution *row;
    const char **unexplained;
    REPORT_LIST(w->report->arena, row, (size_t)w->n_present + w->n_absent, err);
    REPORT_LIST(w->report->arena, unexplained, w->n_present, err);
    med_explain(w->judge->ranker, from->disease, w->match, w->against);
    c->unexplained.s = unexplained;
    for (uint32_t i = 0; i < w->n_present; i++) {
        const med_match *m = &w->match[i];
        R1_ASSERT(m->kind < R1_COUNT(report_match), "match %u: kind %d", i, (int)m->kind);
        row[c->n_contribution++] = (med_report_contribution){
            .id = id_of(w, m->term),
            .name = name_of(w, m->term),
            .match = report_match[m->kind],
            .log_lr = (double)m->log_lr,
            .frequency = (double)m->freq,
            .matched = m->matched != MED_NONE ? name_of(w, m->matched) : NULL};
        if (m->kind == MED_MATCH_NONE || m->kind == MED_MATCH_BROAD)
            unexplained[c->unexplained.n++] = name_of(w, m->term);
    }
    for (uint32_t i = 0; i < w->n_absent; i++)
        if (w->against[i] < 0)
            row[c->n_contribution++] = (med_report_contribution){.id = id_of(w, w->excluded[i]),
                                                                 .name = name_of(w, w->excluded[i]),
                                                                 .match = report_match_excluded,
                                                                 .log_lr = (double)w->against[i],
                                                                 .frequency = NAN};
    c->contribution = row;
    return R1_OK;
}

static r1_status candidate_names(work *w, uint32_t at, uint32_t n, med_report_names *out,
                                 r1_err *err)
{
    const char **s;
    R1_ASSERT(at <= w->kb->n_list && n <= w->kb->n_list - at, "names %u + %u of %u", at, n,
              w->kb->n_list);
    REPORT_LIST(w->report->arena, s, n, err);
    for (uint32_t i = 0; i < n; i++) s[i] = med_str(w->kb, w->kb->list[at + i]);
    *out = (med_report_names){s, n};
    return R1_OK;
}

static r1_status report_candidate(work *w, uint32_t place, med_report_candidate *c, r1_err *err)
{
    const med_candidate *from = &w->list[place - 1];
    R1_ASSERT(from->disease < w->kb->n_disease, "candidate %u: disease %u of %u", place,
              from->disease, w->kb->n_disease);
    const med_disease *d = &w->kb->disease[from->disease];
    *c = (med_report_candidate){.rank = place,
                                .id = med_str(w->kb, d->id),
                                .name = med_str(w->kb, d->name),
                                .probability = (double)from->posterior,
                                .score = (double)from->score};
    R1_TRY(candidate_names(w, d->alias_at, d->n_alias, &c->ids, err));
    R1_TRY(candidate_names(w, d->gene_at, d->n_gene, &c->genes, err));
    R1_TRY(candidate_contributions(w, from, c, err));
    R1_TRY(candidate_steps(w, place, c, err));
    return candidate_typical(w, d, c, err);
}

static r1_status report_candidates(work *w, r1_err *err)
{
    med_report_candidate *row;
    uint32_t n = w->n_list < MED_REPORT_CANDIDATES ? w->n_list : MED_REPORT_CANDIDATES;
    REPORT_LIST(w->report->arena, row, n, err);
    med_case_open(w->judge->ranker, &w->query); /* again: anchors opened cases of their own */
    for (uint32_t i = 0; i < n; i++) R1_TRY(report_candidate(w, i + 1, &row[i], err));
    w->report->candidate = row;
    w->report->n_candidate = n;
    return R1_OK;
}

/* ---- genes ----------------------------------------------------------------------------------- */

/* "AD, AR" */
static r1_status gene_inheritance(work *w, uint32_t mask, const char **out, r1_err *err)
{
    static const char *const words[] = {"AD", "AR", "XLD", "XLR", "MT", "Y", "multi", "sporadic"};
    enum { BYTES = 64 };
    char *s;
    size_t n = 0;
    REPORT_LIST(w->report->arena, s, BYTES, err);
    for (size_t i = 0; i < R1_COUNT(words); i++)
        if (mask >> i & 1) n += (size_t)snprintf(s + n, BYTES - n, "%s%s", n ? ", " : "", words[i]);
    *out = s;
    return R1_OK;
}

static r1_status report_gene(work *w, uint32_t place, const med_gene_candidate *c,
                             med_report_gene *row, r1_err *err)
{
    const med_disease *d = &w->kb->disease[c->c.disease];
    *row = (med_report_gene){.rank = place,
                             .before = c->before ? c->before : MED_NONE,
                             .id = med_str(w->kb, d->id),
                             .name = med_str(w->kb, d->name),
                             .alleles = c->hit ? c->hit->alleles : 0,
                             .ratio = c->ratio,
                             .probability = (double)c->c.posterior,
                             .probability_before = (double)c->posterior_before};
    for (uint32_t i = 0; c->hit && i < d->n_gene;
         i++) { /* the symbol as the knowledge base has it */
        const char *s = med_str(w->kb, w->kb->list[d->gene_at + i]);
        if (strcasecmp(s, c->hit->symbol) == 0) row->gene = s;
    }
    return gene_inheritance(w, d->inheritance, &row->inheritance, err);
}

static r1_status report_genes(work *w, const med_genes *genes, r1_err *err)
{
    static _Thread_local med_candidate wide[MED_CANDIDATES_MAX];
    static _Thread_local med_gene_candidate all[MED_CANDIDATES_MAX];
    med_report *r = w->report;
    med_report_gene *row;
    uint32_t n_wide = 0;
    float none = 1;
    r->none_with_genes = NAN;
    if (!genes) return R1_OK;
    med_case_open(w->judge->ranker, &w->query);
    R1_TRY(med_rank(w->judge->ranker, wide, MED_CANDIDATES_MAX, &n_wide, err));
    uint32_t n = med_genes_rank(genes, w->kb, w->notes->sex, w->list, w->n_list, w->none, wide,
                                n_wide, all, MED_CANDIDATES_MAX, &none);
    if (n > MED_REPORT_GENES) n = MED_REPORT_GENES;
    REPORT_LIST(r->arena, row, n, err);
    for (uint32_t i = 0; i < n; i++) R1_TRY(report_gene(w, i + 1, &all[i], &row[i], err));
    r->with_genes = true;
    r->gene = row;
    r->n_gene = n;
    r->none_with_genes = (double)none;
    return R1_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static r1_status report_sources(work *w, r1_err *err)
{
    const med_kb *kb = w->kb;
    med_report_source *row;
    REPORT_LIST(w->report->arena, row, kb->n_source, err);
    for (uint32_t i = 0; i < kb->n_source; i++)
        row[i] =
            (med_report_source){med_str(kb, kb->source[i].name), med_str(kb, kb->source[i].version),
                                med_str(kb, kb->source[i].licence), med_str(kb, kb->source[i].url)};
    w->report->source = row;
    w->report->n_source = kb->n_source;
    return R1_OK;
}

/* What was denied in one place and found in another, or found in a special form, is not
 * excluded. */
static uint32_t drop_observed(work *w, uint32_t n)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++) {
        bool found = false;
        for (uint32_t j = 0; j < w->n_present && !found; j++)
            found = med_kb_is_a(w->kb, w->present[j].term, w->absent[i].term);
        if (!found) w->absent[k++] = w->absent[i];
    }
    return k;
}

static void gather_anchors(work *w)
{
    for (uint32_t i = 0; i < w->n_present; i++) {
        const med_mention *m = &w->notes->mention[w->present[i].first_mention];
        w->observed[i] = w->present[i].term;
        w->anchor[i] =
            (med_anchor){.term = w->present[i].term,
                         .source = w->present[i].first_mention,
                         .certainty = m->status == MED_HISTORICAL ? MED_CERTAINTY_HISTORICAL : 1};
    }
    med_anchors_plan(w->kb, w->anchor, w->n_present, w->judge->pin);
}

static r1_status report_gather(work *w, r1_err *err)
{
    size_t n = w->notes->n_mention;
    r1_arena *a = w->scratch;
    REPORT_LIST(a, w->present, n, err);
    REPORT_LIST(a, w->absent, n, err);
    w->n_present = med_notes_findings(w->notes, MED_PRESENT, w->present);
    w->n_absent = drop_observed(w, med_notes_findings(w->notes, MED_ABSENT, w->absent));
    R1_ASSERT(w->n_present <= n && w->n_absent <= n, "findings: %u and %u of %zu mentions",
              w->n_present, w->n_absent, n);
    if (w->n_present > MED_FINDINGS_MAX) {
        w->report->unranked = w->n_present - MED_FINDINGS_MAX;
        w->n_present = MED_FINDINGS_MAX;
    }
    REPORT_LIST(a, w->observed, w->n_present, err);
    REPORT_LIST(a, w->excluded, w->n_absent, err);
    REPORT_LIST(a, w->anchor, w->n_present, err);
    REPORT_LIST(a, w->rest, w->n_present, err);
    REPORT_LIST(a, w->rest_anchor, w->n_present, err);
    REPORT_LIST(a, w->match, w->n_present, err);
    REPORT_LIST(a, w->against, w->n_absent, err);
    gather_anchors(w);
    for (uint32_t i = 0; i < w->n_absent; i++) w->excluded[i] = w->absent[i].term;
    w->query = (med_case){.observed = w->observed,
                          .n_observed = w->n_present,
                          .excluded = w->excluded,
                          .n_excluded = w->n_absent,
                          .sex = w->notes->sex,
                          .age_years = w->notes->age_years};
    return R1_OK;
}

static r1_status report_rank(work *w, r1_err *err)
{
    med_case_open(w->judge->ranker, &w->query);
    w->report->unranked += med_case_left_out(w->judge->ranker);
    R1_TRY(med_rank(w->judge->ranker, w->list, LIST, &w->n_list, err));
    return judge_list(w->judge, &w->query, w->anchor, w->list, &w->n_list, &w->none, w->trace[0],
                      err);
}

static r1_status report_reading(work *w, const med_report_names *from, r1_err *err)
{
    const char **s;
    REPORT_LIST(w->report->arena, s, from->n, err);
    for (uint32_t i = 0; i < from->n; i++) s[i] = from->s[i];
    w->report->reading = (med_report_names){s, from->n};
    return R1_OK;
}

static r1_status report_assemble(work *w, const med_report_record *record, r1_err *err)
{
    med_report *r = w->report;
    const med_report_anchor *anchor;
    R1_ASSERT(w->n_list <= LIST, "%u candidates of at most %d", w->n_list, (int)LIST);
    float first = w->n_list ? w->list[0].posterior : 0;
    r->title = record->title;
    R1_TRY(report_reading(w, &record->reading, err));
    r->sex = report_sex[w->notes->sex];
    r->words = w->notes->n_word;
    r->sentences = w->notes->n_sentence;
    r->not_read = w->notes->n_unread;
    r->cut = w->notes->n_cut;
    r->confident = w->n_list && w->list[0].logit > 0 && first >= MED_CONFIDENT_MIN;
    r->none_of_these = (double)w->none;
    r->age_years = (double)w->notes->age_years;
    r->ranked_by = w->judge->x ? w->judge->model : MED_WORDS_LIKELIHOOD;
    snprintf(r->knowledge_base, sizeof r->knowledge_base, "%016llx",
             (unsigned long long)w->kb->checksum);
    R1_TRY(report_anchors(w, &anchor, err));
    R1_TRY(report_findings_of(w, w->present, w->n_present, anchor, &r->observed, err));
    R1_TRY(report_findings_of(w, w->absent, w->n_absent, NULL, &r->excluded, err));
    R1_TRY(report_others(w, err));
    R1_TRY(report_candidates(w, err));
    R1_TRY(report_genes(w, record->genes, err));
    return report_sources(w, err);
}

static r1_status report_fill(work *w, const med_report_record *record, r1_err *err)
{
    r1_status st = report_gather(w, err);
    if (st == R1_OK) st = report_rank(w, err);
    if (st == R1_OK) st = report_assemble(w, record, err);
    med_case_close(w->judge->ranker); /* its arrays are this call's */
    return st;
}

r1_status med_report_make(const med_kb *kb, const med_judge *judge, const med_report_record *record,
                          med_report **out, r1_err *err)
{
    r1_status st = R1_E_NOMEM;
    med_report *r = calloc(1, sizeof *r);
    work *w = calloc(1, sizeof *w);
    if (!r || !w) {
        r1_err_set(err, st, __FILE__, __LINE__, "no memory for a report");
        goto done;
    }
    w->kb = kb;
    w->judge = judge;
    w->notes = record->notes;
    w->report = r;
    if ((st = r1_arena_new(&r->arena, report_bytes_max, err)) != R1_OK) goto done;
    if ((st = r1_arena_new(&w->scratch, report_bytes_max, err)) != R1_OK) goto done;
    st = report_fill(w, record, err);
done:
    if (w) r1_arena_free(w->scratch);
    free(w);
    if (st == R1_OK)
        *out = r;
    else
        med_report_free(r);
    return st;
}

void med_report_free(med_report *r)
{
    if (!r) return;
    r1_arena_free(r->arena);
    free(r);
}
