/* SPDX-License-Identifier: Apache-2.0 */
/* med_report.c - gathers findings, candidates and what would change without a finding into the report's JSON. */
#include "med_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char med_report_banner[] = "For clinical decision support by qualified professionals; not a diagnosis.";
enum { SHOWN_ANCHORS = 24, LIST = 50 };

typedef struct {
    const med_kb *kb;
    med_notes notes;
    med_finding *present, *absent;
    uint32_t n_present, n_absent;
    uint32_t *observed, *excluded;
    med_case query;
    med_candidate list[LIST];
    uint32_t n_list;
    float none;
} work;

static const char *id_of(const work *w, uint32_t t) { return med_str(w->kb, w->kb->term[t].id); }
static const char *name_of(const work *w, uint32_t t) { return med_str(w->kb, w->kb->term[t].name); }

static r1_status rank(med_ranker *r, const med_case *c, med_candidate *list, uint32_t *n, float *none, r1_err *err)
{
    R1_TRY(med_rank(r, c, list, LIST, n, err));
    for (uint32_t i = 0; i < *n; i++) list[i].logit = list[i].score;
    *none = med_posterior(list, *n, med_posterior_scale, med_posterior_none);
    return R1_OK;
}

static json_t *quote(const work *w, const med_mention *m)
{
    const med_sentence *s = &w->notes.sentence[m->sentence];
    json_t *q = json_pack("{s:i,s:i,s:s%,s:s%,s:i,s:s}", "start", (int)m->start, "end", (int)m->end, "text",
                          w->notes.text + m->start, (size_t)(m->end - m->start), "sentence", w->notes.text + s->start,
                          (size_t)(s->end - s->start), "sentence_start", (int)s->start, "section",
                          med_section_name[w->notes.section[s->section].name]);
    json_object_set_new(q, "status", json_string(med_status_name[m->status]));
    if (m->cue_end > m->cue_start)
        json_object_set_new(q, "cue", json_stringn(w->notes.text + m->cue_start, m->cue_end - m->cue_start));
    if (m->lab)
        json_object_set_new(
            q, "laboratory",
            json_pack("{s:f,s:f,s:f}", "value", (double)m->value, "low", (double)m->low, "high", (double)m->high));
    return q;
}

static json_t *findings_of(const work *w, const med_finding *f, uint32_t n)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < n; i++) {
        json_t *o = json_pack("{s:s,s:s,s:f,s:i}", "id", id_of(w, f[i].term), "name", name_of(w, f[i].term),
                              "information", (double)w->kb->term[f[i].term].ic, "mentions", (int)f[i].n_mention);
        json_object_set_new(o, "evidence", quote(w, &w->notes.mention[f[i].first_mention]));
        json_array_append_new(all, o);
    }
    return all;
}

static json_t *others(const work *w)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < w->notes.n_mention; i++) {
        const med_mention *m = &w->notes.mention[i];
        if (m->status == MED_PRESENT || m->status == MED_HISTORICAL || m->status == MED_ABSENT) continue;
        json_t *o = json_pack("{s:s,s:s}", "id", id_of(w, m->term), "name", name_of(w, m->term));
        json_object_set_new(o, "evidence", quote(w, m));
        json_array_append_new(all, o);
    }
    return all;
}

/* What the first place's probability becomes when one pinned finding is taken away. */
static r1_status without_each(med_ranker *r, work *w, json_t *findings, r1_err *err)
{
    static _Thread_local med_candidate list[LIST];
    uint32_t shown = w->n_present < SHOWN_ANCHORS ? w->n_present : SHOWN_ANCHORS;
    uint32_t *rest = malloc((w->n_present + 1u) * sizeof *rest);
    if (!rest) R1_FAIL(err, R1_E_NOMEM, "no memory for a report");
    for (uint32_t i = 0; i < shown && w->n_list; i++) {
        uint32_t n = w->n_list, k = 0;
        float p = 0;
        for (uint32_t j = 0; j < w->n_present; j++)
            if (j != i) rest[k++] = w->observed[j];
        med_case c = w->query;
        c.observed = rest;
        c.n_observed = k;
        memcpy(list, w->list, n * sizeof *list);
        med_rescore(r, &c, list, n);
        for (uint32_t j = 0; j < n; j++) list[j].logit = list[j].score;
        med_posterior(list, n, med_posterior_scale, med_posterior_none);
        for (uint32_t j = 0; j < n; j++)
            if (list[j].disease == w->list[0].disease) p = list[j].posterior;
        json_t *o = json_array_get(findings, i);
        json_object_set_new(o, "pinned", json_true());
        json_object_set_new(o, "without",
                            json_pack("{s:f,s:f,s:s}", "first_probability", (double)p, "change",
                                      (double)(p - w->list[0].posterior), "first",
                                      n ? med_str(w->kb, w->kb->disease[list[0].disease].name) : ""));
    }
    free(rest);
    return R1_OK;
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
            json_array_append_new(all, json_pack("{s:s,s:s,s:f}", "id", id_of(w, t), "name", name_of(w, t), "frequency",
                                                 (double)p->freq));
    }
    return all;
}

static json_t *candidate_json(med_ranker *r, const work *w, const med_candidate *c, uint32_t place, med_match *match,
                              float *against)
{
    static const char *const kind[] = {"none", "broad", "related", "exact"};
    const med_disease *d = &w->kb->disease[c->disease];
    json_t *o = json_pack("{s:i,s:s,s:s,s:f,s:f}", "rank", (int)place, "id", med_str(w->kb, d->id), "name",
                          med_str(w->kb, d->name), "probability", (double)c->posterior, "score", (double)c->score);
    json_t *ids = json_array(), *genes = json_array(), *contrib = json_array(), *no = json_array();
    for (uint32_t i = 0; i < d->n_alias; i++)
        json_array_append_new(ids, json_string(med_str(w->kb, w->kb->list[d->alias_at + i])));
    for (uint32_t i = 0; i < d->n_gene; i++)
        json_array_append_new(genes, json_string(med_str(w->kb, w->kb->list[d->gene_at + i])));
    med_explain(r, &w->query, c->disease, match, against);
    for (uint32_t i = 0; i < w->n_present; i++) {
        const med_match *m = &match[i];
        json_t *x = json_pack("{s:s,s:s,s:s,s:f,s:f}", "id", id_of(w, m->term), "name", name_of(w, m->term), "match",
                              kind[m->kind], "log_lr", (double)m->log_lr, "frequency", (double)m->freq);
        if (m->matched != MED_NONE) json_object_set_new(x, "matched", json_string(name_of(w, m->matched)));
        if (m->kind == MED_MATCH_NONE || m->kind == MED_MATCH_BROAD)
            json_array_append_new(no, json_string(name_of(w, m->term)));
        json_array_append_new(contrib, x);
    }
    for (uint32_t i = 0; i < w->n_absent; i++)
        if (against[i] < 0)
            json_array_append_new(contrib, json_pack("{s:s,s:s,s:s,s:f}", "id", id_of(w, w->excluded[i]), "name",
                                                     name_of(w, w->excluded[i]), "match", "excluded", "log_lr",
                                                     (double)against[i]));
    json_object_set_new(o, "ids", ids);
    json_object_set_new(o, "genes", genes);
    json_object_set_new(o, "contributions", contrib);
    json_object_set_new(o, "unexplained", no);
    json_object_set_new(o, "typical_not_reported", missing_of(w, d));
    return o;
}

static json_t *sources_of(const med_kb *kb)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < kb->n_source; i++)
        json_array_append_new(all,
                              json_pack("{s:s,s:s,s:s,s:s}", "name", med_str(kb, kb->source[i].name), "version",
                                        med_str(kb, kb->source[i].version), "licence",
                                        med_str(kb, kb->source[i].licence), "address", med_str(kb, kb->source[i].url)));
    return all;
}

static r1_status gather(work *w, r1_err *err)
{
    size_t n = w->notes.n_mention + 1u;
    w->present = calloc(n, sizeof *w->present);
    w->absent = calloc(n, sizeof *w->absent);
    w->observed = calloc(n, sizeof *w->observed);
    w->excluded = calloc(n, sizeof *w->excluded);
    if (!w->present || !w->absent || !w->observed || !w->excluded) R1_FAIL(err, R1_E_NOMEM, "no memory for a report");
    w->n_present = med_notes_findings(&w->notes, MED_PRESENT, w->present);
    w->n_absent = med_notes_findings(&w->notes, MED_ABSENT, w->absent);
    for (uint32_t i = 0; i < w->n_present; i++) w->observed[i] = w->present[i].term;
    for (uint32_t i = 0; i < w->n_absent; i++) w->excluded[i] = w->absent[i].term;
    w->query = (med_case){.observed = w->observed,
                          .n_observed = w->n_present,
                          .excluded = w->excluded,
                          .n_excluded = w->n_absent,
                          .sex = w->notes.sex,
                          .age_years = w->notes.age_years};
    return R1_OK;
}

static r1_status assemble(med_ranker *r, work *w, const char *title, json_t **out, r1_err *err)
{
    static const char *const sex[] = {"unknown", "female", "male"};
    json_t *findings = findings_of(w, w->present, w->n_present), *list = json_array();
    r1_status st = without_each(r, w, findings, err);
    med_match *match = calloc(w->n_present + 1u, sizeof *match);
    float *against = calloc(w->n_absent + 1u, sizeof *against);
    if (st == R1_OK && (!match || !against))
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for a report");
    for (uint32_t i = 0; i < w->n_list && i < MED_REPORT_CANDIDATES && st == R1_OK; i++)
        json_array_append_new(list, candidate_json(r, w, &w->list[i], i + 1, match, against));
    free(match);
    free(against);
    bool confident = w->n_list && w->list[0].posterior > w->none && w->list[0].posterior >= 0.3f;
    char sum[20];
    snprintf(sum, sizeof sum, "%016llx", (unsigned long long)w->kb->checksum);
    json_t *o = json_pack("{s:s,s:s,s:s,s:s,s:i,s:i,s:b,s:f,s:s}", "format", "r1-medical-report/1", "title", title,
                          "banner", med_report_banner, "sex", sex[w->notes.sex], "words", (int)w->notes.n_word,
                          "sentences", (int)w->notes.n_sentence, "confident", (int)confident, "none_of_these",
                          (double)w->none, "knowledge_base", sum);
    if (!isnan(w->notes.age_years)) json_object_set_new(o, "age_years", json_real((double)w->notes.age_years));
    json_object_set_new(o, "observed", findings);
    json_object_set_new(o, "excluded", findings_of(w, w->absent, w->n_absent));
    json_object_set_new(o, "other_mentions", others(w));
    json_object_set_new(o, "candidates", list);
    json_object_set_new(o, "sources", sources_of(w->kb));
    if (st != R1_OK) {
        json_decref(o);
        return st;
    }
    *out = o;
    return R1_OK;
}

r1_status med_report_make(const med_kb *kb, const med_lexicon *lex, med_ranker *r, const char *title, const char *text,
                          size_t len, json_t **out, med_report_timing *timing, r1_err *err)
{
    work *w = calloc(1, sizeof *w);
    if (!w) R1_FAIL(err, R1_E_NOMEM, "no memory for a report");
    w->kb = kb;
    int64_t t0 = r1_mono_us();
    r1_status st = med_notes_read(&w->notes, lex, kb, title, text, len, err);
    int64_t t1 = r1_mono_us();
    if (st == R1_OK) st = gather(w, err);
    if (st == R1_OK) st = rank(r, &w->query, w->list, &w->n_list, &w->none, err);
    if (st == R1_OK) st = assemble(r, w, title, out, err);
    if (timing) *timing = (med_report_timing){(double)(t1 - t0) / 1e3, (double)(r1_mono_us() - t1) / 1e3, 0};
    med_notes_free(&w->notes);
    void *all[] = {w->present, w->absent, w->observed, w->excluded, w};
    for (size_t i = 0; i < R1_COUNT(all); i++) free(all[i]);
    return st;
}
