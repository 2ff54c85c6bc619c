/* SPDX-License-Identifier: Apache-2.0 */
/* med_report.c - gathers findings, candidates and what would change without a finding into the
 * report's JSON. */
#include "report/med_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char med_report_banner[] =
    "For clinical decision support by qualified professionals; not a diagnosis.";
/* WEIGHED: candidates of the list that is judged again without each anchor. */
enum { LIST = MED_RERANK_MAX, WEIGHED = 16 };

/* What a finding of the past or of an uncertain writer weighs against one that is stated. */
static const float certainty_historical = 0.7f;

typedef struct {
    const med_kb *kb;
    med_notes notes;
    med_finding *present, *absent;
    uint32_t n_present, n_absent;
    uint32_t *observed, *excluded;
    med_anchor *anchor; /* [n_present] */
    const med_judge *judge;
    med_case query;
    med_candidate list[LIST];
    double trace[LIST][MED_N_ITEM + 1];
    uint32_t n_list;
    float none;
} work;

static const char *id_of(const work *w, uint32_t t) { return med_str(w->kb, w->kb->term[t].id); }
static const char *name_of(const work *w, uint32_t t)
{
    return med_str(w->kb, w->kb->term[t].name);
}

/* The list of a query whose findings are those anchors; scores of the likelihood stand in it
 * already. */
static r1_status judge_list(const med_judge *j, const med_case *c, const med_anchor *anchor,
                            med_candidate *list, uint32_t *n, float *none, double *trace,
                            r1_err *err)
{
    if (j->x) return med_rerank(j->x, j->ranker, anchor, c->n_observed, list, n, none, trace, err);
    for (uint32_t i = 0; i < *n; i++) list[i].logit = list[i].score;
    *none = med_posterior(list, *n, med_posterior_scale, med_posterior_none);
    return R1_OK;
}

static json_t *report_quote(const work *w, const med_mention *m)
{
    const med_sentence *s = &w->notes.sentence[m->sentence];
    json_t *q =
        json_pack("{s:i,s:i,s:s%,s:s%,s:i,s:s}", "start", (int)m->start, "end", (int)m->end, "text",
                  w->notes.text + m->start, (size_t)(m->end - m->start), "sentence",
                  w->notes.text + s->start, (size_t)(s->end - s->start), "sentence_start",
                  (int)s->start, "section", med_section_name[w->notes.section[s->section].name]);
    json_object_set_new(q, "status", json_string(med_status_name[m->status]));
    if (m->cue_end > m->cue_start)
        json_object_set_new(q, "cue",
                            json_stringn(w->notes.text + m->cue_start, m->cue_end - m->cue_start));
    if (m->lab)
        json_object_set_new(q, "laboratory",
                            json_pack("{s:f,s:f,s:f}", "value", (double)m->value, "low",
                                      (double)m->low, "high", (double)m->high));
    return q;
}

static json_t *report_findings_of(const work *w, const med_finding *f, uint32_t n)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < n; i++) {
        json_t *o = json_pack("{s:s,s:s,s:f,s:i}", "id", id_of(w, f[i].term), "name",
                              name_of(w, f[i].term), "information",
                              (double)w->kb->term[f[i].term].ic, "mentions", (int)f[i].n_mention);
        json_object_set_new(o, "evidence", report_quote(w, &w->notes.mention[f[i].first_mention]));
        json_array_append_new(all, o);
    }
    return all;
}

static json_t *report_others(const work *w)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < w->notes.n_mention; i++) {
        const med_mention *m = &w->notes.mention[i];
        if (m->status == MED_PRESENT || m->status == MED_HISTORICAL || m->status == MED_ABSENT)
            continue;
        json_t *o = json_pack("{s:s,s:s}", "id", id_of(w, m->term), "name", name_of(w, m->term));
        json_object_set_new(o, "evidence", report_quote(w, m));
        json_array_append_new(all, o);
    }
    return all;
}

/* The query without finding i (MED_NONE: with all), judged again over the first candidates. */
static r1_status judge_without(work *w, uint32_t i, uint32_t *rest, med_anchor *anchor,
                               med_candidate *list, float *p, const char **first, r1_err *err)
{
    uint32_t n = w->n_list < WEIGHED ? w->n_list : WEIGHED, k = 0;
    float none;
    *p = 0;
    for (uint32_t j = 0; j < w->n_present; j++) {
        if (j == i) continue;
        anchor[k] = w->anchor[j];
        rest[k++] = w->observed[j];
    }
    med_case c = w->query;
    c.observed = rest;
    c.n_observed = k;
    med_anchors_plan(w->kb, anchor, k, w->judge->pin);
    memcpy(list, w->list, n * sizeof *list);
    med_case_open(w->judge->ranker, &c);
    med_rescore(w->judge->ranker, list, n);
    R1_TRY(judge_list(w->judge, &c, anchor, list, &n, &none, NULL, err));
    for (uint32_t j = 0; j < n; j++)
        if (list[j].disease == w->list[0].disease) *p = list[j].posterior;
    *first = n ? med_str(w->kb, w->kb->disease[list[0].disease].name) : "";
    return R1_OK;
}

/* What was pinned, with its weight, and what the first place's probability becomes without it. */
static r1_status tell_anchors(work *w, json_t *findings, r1_err *err)
{
    static _Thread_local med_candidate list[LIST];
    uint32_t *rest = malloc((w->n_present + 1u) * sizeof *rest);
    med_anchor *anchor = malloc((w->n_present + 1u) * sizeof *anchor);
    r1_status st = rest && anchor
                       ? R1_OK
                       : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for a report");
    float p, with_all = 0;
    const char *first;
    if (st == R1_OK && w->n_list)
        st = judge_without(w, MED_NONE, rest, anchor, list, &with_all, &first, err);
    for (uint32_t i = 0; i < w->n_present && st == R1_OK && w->n_list; i++) {
        json_t *o = json_array_get(findings, i);
        json_object_set_new(o, "weight", json_real((double)w->anchor[i].weight));
        json_object_set_new(o, "pinned", json_boolean(w->anchor[i].pinned));
        if (!w->anchor[i].pinned) continue;
        st = judge_without(w, i, rest, anchor, list, &p, &first, err);
        if (st == R1_OK)
            json_object_set_new(o, "without",
                                json_pack("{s:f,s:f,s:s}", "first_probability", (double)p, "change",
                                          (double)(p - with_all), "first", first));
    }
    free(rest);
    free(anchor);
    return st;
}

static json_t *missing_of(const work *w, const med_disease *d)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < d->n_profile && json_array_size(all) < 6; i++) {
        const med_profile *p = &w->kb->profile[d->profile_at + i];
        uint32_t t = MED_PROFILE_TERM(*p);
        bool found = !(p->term & MED_PROFILE_DIRECT) || p->freq < 0.5f;
        for (uint32_t q = 0; q < w->n_present && !found; q++)
            found = med_kb_is_a(w->kb, w->observed[q], t) || med_kb_is_a(w->kb, t, w->observed[q]);
        if (!found)
            json_array_append_new(all, json_pack("{s:s,s:s,s:f}", "id", id_of(w, t), "name",
                                                 name_of(w, t), "frequency", (double)p->freq));
    }
    return all;
}

/* What each evidence step added to the candidate's calibrated logit; the numbers add up to it. */
static json_t *report_steps_of(const work *w, uint32_t place)
{
    json_t *all = json_array();
    for (int k = 0; w->judge->x && k <= MED_N_ITEM; k++)
        json_array_append_new(all,
                              json_pack("{s:s,s:f}", "step", k ? MED_ITEM_NAME[k - 1] : "prior",
                                        "logit", w->trace[place - 1][k]));
    return all;
}

static json_t *candidate_json(const work *w, const med_candidate *c, uint32_t place,
                              med_match *match, float *against)
{
    static const char *const kind[] = {"none", "broad", "related", "exact"};
    const med_disease *d = &w->kb->disease[c->disease];
    json_t *o = json_pack("{s:i,s:s,s:s,s:f,s:f}", "rank", (int)place, "id", med_str(w->kb, d->id),
                          "name", med_str(w->kb, d->name), "probability", (double)c->posterior,
                          "score", (double)c->score);
    json_t *ids = json_array(), *genes = json_array(), *contrib = json_array(), *no = json_array();
    for (uint32_t i = 0; i < d->n_alias; i++)
        json_array_append_new(ids, json_string(med_str(w->kb, w->kb->list[d->alias_at + i])));
    for (uint32_t i = 0; i < d->n_gene; i++)
        json_array_append_new(genes, json_string(med_str(w->kb, w->kb->list[d->gene_at + i])));
    med_explain(w->judge->ranker, c->disease, match, against);
    for (uint32_t i = 0; i < w->n_present; i++) {
        const med_match *m = &match[i];
        json_t *x = json_pack("{s:s,s:s,s:s,s:f,s:f}", "id", id_of(w, m->term), "name",
                              name_of(w, m->term), "match", kind[m->kind], "log_lr",
                              (double)m->log_lr, "frequency", (double)m->freq);
        if (m->matched != MED_NONE)
            json_object_set_new(x, "matched", json_string(name_of(w, m->matched)));
        if (m->kind == MED_MATCH_NONE || m->kind == MED_MATCH_BROAD)
            json_array_append_new(no, json_string(name_of(w, m->term)));
        json_array_append_new(contrib, x);
    }
    for (uint32_t i = 0; i < w->n_absent; i++)
        if (against[i] < 0)
            json_array_append_new(contrib,
                                  json_pack("{s:s,s:s,s:s,s:f}", "id", id_of(w, w->excluded[i]),
                                            "name", name_of(w, w->excluded[i]), "match", "excluded",
                                            "log_lr", (double)against[i]));
    json_object_set_new(o, "ids", ids);
    json_object_set_new(o, "genes", genes);
    json_object_set_new(o, "contributions", contrib);
    json_object_set_new(o, "evidence_steps", report_steps_of(w, place));
    json_object_set_new(o, "unexplained", no);
    json_object_set_new(o, "typical_not_reported", missing_of(w, d));
    return o;
}

static json_t *sources_of(const med_kb *kb)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < kb->n_source; i++)
        json_array_append_new(all, json_pack("{s:s,s:s,s:s,s:s}", "name",
                                             med_str(kb, kb->source[i].name), "version",
                                             med_str(kb, kb->source[i].version), "licence",
                                             med_str(kb, kb->source[i].licence), "address",
                                             med_str(kb, kb->source[i].url)));
    return all;
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

static r1_status report_gather(work *w, r1_err *err)
{
    size_t n = w->notes.n_mention + 1u;
    w->present = calloc(n, sizeof *w->present);
    w->absent = calloc(n, sizeof *w->absent);
    w->observed = calloc(n, sizeof *w->observed);
    w->excluded = calloc(n, sizeof *w->excluded);
    w->anchor = calloc(n, sizeof *w->anchor);
    if (!w->present || !w->absent || !w->observed || !w->excluded || !w->anchor)
        R1_FAIL(err, R1_E_NOMEM, "no memory for a report");
    w->n_present = med_notes_findings(&w->notes, MED_PRESENT, w->present);
    w->n_absent = drop_observed(w, med_notes_findings(&w->notes, MED_ABSENT, w->absent));
    if (w->n_present > MED_FINDINGS_MAX) w->n_present = MED_FINDINGS_MAX;
    for (uint32_t i = 0; i < w->n_present; i++) {
        const med_mention *m = &w->notes.mention[w->present[i].first_mention];
        w->observed[i] = w->present[i].term;
        w->anchor[i] =
            (med_anchor){.term = w->present[i].term,
                         .source = w->present[i].first_mention,
                         .certainty = m->status == MED_HISTORICAL ? certainty_historical : 1};
    }
    med_anchors_plan(w->kb, w->anchor, w->n_present, w->judge->pin);
    for (uint32_t i = 0; i < w->n_absent; i++) w->excluded[i] = w->absent[i].term;
    w->query = (med_case){.observed = w->observed,
                          .n_observed = w->n_present,
                          .excluded = w->excluded,
                          .n_excluded = w->n_absent,
                          .sex = w->notes.sex,
                          .age_years = w->notes.age_years};
    return R1_OK;
}

static r1_status report_assemble(work *w, const char *title, json_t **out, r1_err *err)
{
    static const char *const sex[] = {"unknown", "female", "male"};
    json_t *findings = report_findings_of(w, w->present, w->n_present), *list = json_array();
    r1_status st = tell_anchors(w, findings, err);
    med_case_open(w->judge->ranker, &w->query); /* again, for the candidates */
    med_match *match = calloc(w->n_present + 1u, sizeof *match);
    float *against = calloc(w->n_absent + 1u, sizeof *against);
    if (st == R1_OK && (!match || !against))
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for a report");
    for (uint32_t i = 0; i < w->n_list && i < MED_REPORT_CANDIDATES && st == R1_OK; i++)
        json_array_append_new(list, candidate_json(w, &w->list[i], i + 1, match, against));
    free(match);
    free(against);
    bool confident = w->n_list && w->list[0].posterior > w->none && w->list[0].posterior >= 0.3f;
    char sum[20];
    snprintf(sum, sizeof sum, "%016llx", (unsigned long long)w->kb->checksum);
    json_t *o =
        json_pack("{s:s,s:s,s:s,s:s,s:i,s:i,s:b,s:f,s:s}", "format", "r1-medical-report/1", "title",
                  title, "banner", med_report_banner, "sex", sex[w->notes.sex], "words",
                  (int)w->notes.n_word, "sentences", (int)w->notes.n_sentence, "confident",
                  (int)confident, "none_of_these", (double)w->none, "knowledge_base", sum);
    if (!isnan(w->notes.age_years))
        json_object_set_new(o, "age_years", json_real((double)w->notes.age_years));
    json_object_set_new(o, "ranked_by", json_string(w->judge->x ? w->judge->model : "likelihood"));
    json_object_set_new(o, "observed", findings);
    json_object_set_new(o, "excluded", report_findings_of(w, w->absent, w->n_absent));
    json_object_set_new(o, "other_mentions", report_others(w));
    json_object_set_new(o, "candidates", list);
    json_object_set_new(o, "sources", sources_of(w->kb));
    if (st != R1_OK) {
        json_decref(o);
        return st;
    }
    *out = o;
    return R1_OK;
}

r1_status med_report_make(const med_kb *kb, const med_lexicon *lex, const med_judge *judge,
                          const char *title, const char *text, size_t len, json_t **out,
                          med_report_timing *timing, r1_err *err)
{
    work *w = calloc(1, sizeof *w);
    if (!w) R1_FAIL(err, R1_E_NOMEM, "no memory for a report");
    w->kb = kb;
    w->judge = judge;
    int64_t t0 = r1_mono_us();
    r1_status st = med_notes_read(&w->notes, lex, kb, title, text, len, err);
    int64_t t1 = r1_mono_us();
    if (st == R1_OK) st = report_gather(w, err);
    if (st == R1_OK) {
        med_case_open(judge->ranker, &w->query);
        st = med_rank(judge->ranker, w->list, LIST, &w->n_list, err);
    }
    if (st == R1_OK)
        st = judge_list(judge, &w->query, w->anchor, w->list, &w->n_list, &w->none, w->trace[0],
                        err);
    if (st == R1_OK) st = report_assemble(w, title, out, err);
    if (timing)
        *timing =
            (med_report_timing){(double)(t1 - t0) / 1e3, (double)(r1_mono_us() - t1) / 1e3, 0};
    med_case_close(judge->ranker);
    med_notes_free(&w->notes);
    void *all[] = {w->present, w->absent, w->observed, w->excluded, w->anchor, w};
    for (size_t i = 0; i < R1_COUNT(all); i++) free(all[i]);
    return st;
}
