/* SPDX-License-Identifier: Apache-2.0 */
/* med_report.c - builds the report's struct: findings by body system, anchors and what would change
 * without one, contradictions. Candidates, questions and summary have files of their own. Nothing
 * is escaped here. */
#include "report/med_report.h"

#include "r1_assert.h"
#include "report/med_report_candidate.h"
#include "report/med_report_gene.h"
#include "report/med_report_question.h"
#include "report/med_report_summary.h"
#include "report/med_report_work.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than the 200,000 findings of a record and their candidates need. */
static const size_t report_bytes_max = (size_t)1 << 30;

static const char *const report_sex[] = {
    [MED_SEX_UNKNOWN] = "unknown", [MED_SEX_FEMALE] = "female", [MED_SEX_MALE] = "male"};

/* ---- body systems ---------------------------------------------------------------------------- */

/* A finding and its body system, to be sorted: systems in the knowledge base's order, those of none
 * last, and within one as they stood. */
typedef struct {
    uint32_t system, at;
} system_place;

static int system_order(const void *a, const void *b)
{
    const system_place *x = a, *y = b;
    if (x->system != y->system) return x->system > y->system ? 1 : -1;
    return (x->at > y->at) - (x->at < y->at);
}

static r1_status report_systems(med_report_work *w, r1_err *err)
{
    const med_kb *kb = w->kb;
    med_report_system *row;
    uint32_t *observed, *excluded, n = 0;
    MED_REPORT_LIST_OF(w->scratch, observed, kb->n_term, err);
    MED_REPORT_LIST_OF(w->scratch, excluded, kb->n_term, err);
    for (uint32_t i = 0; i < w->n_present + w->n_absent; i++) {
        bool seen = i < w->n_present;
        uint32_t term = seen ? w->present[i].term : w->absent[i - w->n_present].term;
        uint32_t system = med_systems_of(&w->systems, term);
        if (system == MED_NONE) continue;
        n += !observed[system] && !excluded[system];
        ++*(seen ? &observed[system] : &excluded[system]);
    }
    MED_REPORT_LIST_OF(w->report->arena, row, n, err);
    w->report->system = row;
    for (uint32_t t = 0; t < kb->n_term && w->report->n_system < n; t++) {
        if (!observed[t] && !excluded[t]) continue;
        uint32_t place = med_systems_place(&w->systems, t);
        row[w->report->n_system++] = (med_report_system){
            .id = med_report_id(w, t),
            .name = med_report_name(w, t),
            .label = place == MED_NONE ? med_report_name(w, t)
                                       : med_system_places[place].name[w->report->language],
            .place = place,
            .n_observed = observed[t],
            .n_excluded = excluded[t]};
    }
    return R1_OK;
}

static const med_report_system *report_system_of(const med_report_work *w, uint32_t term)
{
    uint32_t system = med_systems_of(&w->systems, term);
    for (uint32_t i = 0; system != MED_NONE && i < w->report->n_system; i++)
        if (strcmp(w->report->system[i].id, med_report_id(w, system)) == 0)
            return &w->report->system[i];
    return NULL;
}

/* ---- findings -------------------------------------------------------------------------------- */

/* anchor: of the ranked ones, NULL: none. */
static r1_status report_findings_of(med_report_work *w, const med_finding *f, uint32_t n,
                                    bool observed, const med_report_anchor *anchor,
                                    med_report_findings *out, r1_err *err)
{
    med_report_finding *row;
    system_place *order;
    uint32_t *place, n_ranked = 0;
    MED_REPORT_LIST_OF(w->report->arena, row, n, err);
    MED_REPORT_LIST_OF(w->scratch, order, n, err);
    MED_REPORT_LIST_OF(w->scratch, place, n, err);
    for (uint32_t i = 0; i < n; i++) {
        order[i] = (system_place){med_systems_of(&w->systems, f[i].term), i};
        place[i] = observed && w->ranked[i] ? n_ranked++ : MED_NONE;
    }
    qsort(order, n, sizeof *order, system_order);
    for (uint32_t i = 0; i < n; i++) {
        const med_finding *x = &f[order[i].at];
        uint32_t at = place[order[i].at];
        R1_ASSERT(x->first_mention < w->notes->n_mention, "finding: mention %u of %u",
                  x->first_mention, w->notes->n_mention);
        row[i] = (med_report_finding){.id = med_report_id(w, x->term),
                                      .name = med_report_name(w, x->term),
                                      .information = (double)w->kb->term[x->term].ic,
                                      .mentions = x->n_mention,
                                      .anchor = anchor && at != MED_NONE ? &anchor[at] : NULL,
                                      .system = report_system_of(w, x->term),
                                      .unranked = observed && at == MED_NONE};
        R1_TRY(med_report_quote_of(w, &w->notes->mention[x->first_mention], &row[i].quote, err));
    }
    *out = (med_report_findings){row, n};
    return R1_OK;
}

static bool mentioned_otherwise(const med_mention *m)
{
    return m->status != MED_PRESENT && m->status != MED_HISTORICAL && m->status != MED_ABSENT;
}

static r1_status report_others(med_report_work *w, r1_err *err)
{
    med_report_finding *row;
    uint32_t n = 0, k = 0;
    for (uint32_t i = 0; i < w->notes->n_mention; i++)
        n += mentioned_otherwise(&w->notes->mention[i]);
    MED_REPORT_LIST_OF(w->report->arena, row, n, err);
    for (uint32_t i = 0; i < w->notes->n_mention; i++) {
        const med_mention *m = &w->notes->mention[i];
        if (!mentioned_otherwise(m)) continue;
        row[k] = (med_report_finding){.id = med_report_id(w, m->term),
                                      .name = med_report_name(w, m->term),
                                      .information = NAN,
                                      .system = report_system_of(w, m->term),
                                      .mentions = MED_NONE};
        R1_TRY(med_report_quote_of(w, m, &row[k++].quote, err));
    }
    R1_ASSERT(k == n, "other mentions: filled %u of %u", k, n);
    w->report->others = (med_report_findings){row, n};
    return R1_OK;
}

/* ---- anchors --------------------------------------------------------------------------------- */

/* The query without finding i, judged again over all candidates. */
static r1_status judge_without(med_report_work *w, uint32_t i, float *p, const char **first,
                               r1_err *err)
{
    static _Thread_local med_candidate list[MED_REPORT_LIST];
    uint32_t n, k = 0;
    *p = 0;
    for (uint32_t j = 0; j < w->n_ranked; j++) {
        if (j == i) continue;
        w->rest_anchor[k] = w->anchor[j];
        w->rest[k++] = w->observed[j];
    }
    R1_ASSERT(k + 1 == w->n_ranked, "without finding %u: %u of %u are left", i, k, w->n_ranked);
    R1_TRY(med_report_judge(w, k, list, &n, err));
    for (uint32_t j = 0; j < n; j++)
        if (med_families_same(w->kb, list[j].disease, w->list[0].disease)) *p = list[j].posterior;
    *first = n ? med_report_disease(w, list[0].disease) : "";
    return R1_OK;
}

/* What was pinned, with its weight, and what the first place's probability becomes without it.
 * *out stays NULL where there is no candidate. */
static r1_status report_anchors(med_report_work *w, const med_report_anchor **out, r1_err *err)
{
    med_report_anchor *row;
    float p;
    const char *first;
    *out = NULL;
    if (!w->n_list) return R1_OK;
    MED_REPORT_LIST_OF(w->report->arena, row, w->n_ranked, err);
    for (uint32_t i = 0; i < w->n_ranked; i++) {
        row[i].weight = (double)w->anchor[i].weight;
        row[i].pinned = w->anchor[i].pinned;
        if (!row[i].pinned) continue;
        med_report_without *without;
        MED_REPORT_LIST_OF(w->report->arena, without, 1, err);
        R1_TRY(judge_without(w, i, &p, &first, err));
        *without = (med_report_without){(double)p, (double)(p - w->list[0].posterior), first};
        row[i].without = without;
    }
    *out = row;
    return R1_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static r1_status report_sources(med_report_work *w, r1_err *err)
{
    const med_kb *kb = w->kb;
    med_report_source *row;
    MED_REPORT_LIST_OF(w->report->arena, row, kb->n_source, err);
    for (uint32_t i = 0; i < kb->n_source; i++) {
        const med_source *x = &kb->source[i];
        const med_source_loss loss = kb->loss ? kb->loss[i] : (med_source_loss){0};
        row[i] = (med_report_source){.name = med_str(kb, x->name),
                                     .version = med_str(kb, x->version),
                                     .licence = med_str(kb, x->licence),
                                     .address = med_str(kb, x->url),
                                     .loss = "",
                                     .n_refused = loss.n_refused,
                                     .n_unknown = loss.n_unknown};
        if (loss.n_refused || loss.n_unknown)
            R1_TRY(med_report_say(w, &row[i].loss, err, MED_SAY(w->report->language, LEFT_OUT_F),
                                  loss.n_refused, loss.n_unknown));
    }
    w->report->source = row;
    w->report->n_source = kb->n_source;
    return R1_OK;
}

static bool contradiction_is_exact(const med_report_contradiction *x)
{
    return strcmp(x->id, x->denied_id) == 0;
}

/* Those that deny the very finding come first, each kind in the record's order. */
static void contradictions_sort(med_report_contradiction *row, uint32_t n)
{
    uint32_t first = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!contradiction_is_exact(&row[i])) continue;
        med_report_contradiction x = row[i];
        memmove(&row[first + 1], &row[first], (i - first) * sizeof *row);
        row[first++] = x;
    }
}

/* What was denied in one place and found in another, or found in a special form, is not excluded:
 * it becomes a contradiction. Returns how many stay. */
static r1_status drop_observed(med_report_work *w, uint32_t n, r1_err *err)
{
    med_report_contradiction *row;
    MED_REPORT_LIST_OF(w->report->arena, row, n, err);
    w->report->contradiction = row;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = 0, denied = w->absent[i].term;
        while (j < w->n_present && !med_kb_is_a(w->kb, w->present[j].term, denied)) j++;
        if (j == w->n_present) {
            w->absent[w->n_absent++] = w->absent[i];
            continue;
        }
        const med_mention *m = w->notes->mention;
        uint32_t term = w->present[j].term;
        med_report_contradiction *x = &row[w->report->n_contradiction++];
        *x = (med_report_contradiction){.id = med_report_id(w, term),
                                        .name = med_report_name(w, term),
                                        .denied_id = med_report_id(w, denied),
                                        .denied_name = med_report_name(w, denied)};
        R1_TRY(med_report_quote_of(w, &m[w->present[j].first_mention], &x->quote, err));
        R1_TRY(med_report_quote_of(w, &m[w->absent[i].first_mention], &x->denied, err));
    }
    contradictions_sort(row, w->report->n_contradiction);
    return R1_OK;
}

typedef struct {
    float ic;
    uint32_t at;
} ranked_order;

static int by_information(const void *a, const void *b)
{
    const ranked_order *x = a, *y = b;
    if (x->ic != y->ic) return x->ic > y->ic ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Which findings are ranked: all, or the most informative ones, in the record's order. */
static r1_status report_choose(med_report_work *w, r1_err *err)
{
    ranked_order *order;
    MED_REPORT_LIST_OF(w->scratch, order, w->n_present, err);
    MED_REPORT_LIST_OF(w->scratch, w->ranked, w->n_present, err);
    for (uint32_t i = 0; i < w->n_present; i++)
        order[i] = (ranked_order){w->kb->term[w->present[i].term].ic, i};
    qsort(order, w->n_present, sizeof *order, by_information);
    w->n_ranked = w->n_present < MED_FINDINGS_MAX ? w->n_present : MED_FINDINGS_MAX;
    for (uint32_t i = 0; i < w->n_ranked; i++) w->ranked[order[i].at] = true;
    w->report->unranked = w->n_present - w->n_ranked;
    return R1_OK;
}

static r1_status report_mark(med_report_work *w, r1_err *err)
{
    MED_REPORT_LIST_OF(w->scratch, w->mark, w->kb->n_term, err);
    for (uint32_t i = 0; i < w->n_present; i++) {
        const med_term *t = &w->kb->term[w->present[i].term];
        w->mark[w->present[i].term] |= MED_REPORT_MARK_OBSERVED;
        for (uint32_t a = 0; a < t->n_ancestor; a++)
            w->mark[w->kb->ancestor[t->ancestor_at + a]] |= MED_REPORT_MARK_ABOVE;
    }
    for (uint32_t i = 0; i < w->n_absent; i++) w->mark[w->absent[i].term] |= MED_REPORT_MARK_DENIED;
    return R1_OK;
}

static void gather_anchors(med_report_work *w)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < w->n_present; i++) {
        const med_mention *m = &w->notes->mention[w->present[i].first_mention];
        if (!w->ranked[i]) continue;
        w->observed[k] = w->present[i].term;
        w->anchor[k++] =
            (med_anchor){.term = w->present[i].term,
                         .source = w->present[i].first_mention,
                         .certainty = m->status == MED_HISTORICAL ? MED_CERTAINTY_HISTORICAL : 1};
    }
    R1_ASSERT(k == w->n_ranked, "%u findings are ranked, expected %u", k, w->n_ranked);
    med_anchors_plan(w->kb, w->anchor, w->n_ranked, w->pin);
}

static r1_status report_gather(med_report_work *w, r1_err *err)
{
    size_t n = w->notes->n_mention;
    r1_arena *a = w->scratch;
    MED_REPORT_LIST_OF(a, w->present, n, err);
    MED_REPORT_LIST_OF(a, w->absent, n, err);
    w->n_present = med_notes_findings(w->notes, MED_PRESENT, w->present);
    R1_TRY(drop_observed(w, med_notes_findings(w->notes, MED_ABSENT, w->absent), err));
    R1_ASSERT(w->n_present <= n && w->n_absent <= n, "findings: %u and %u of %zu mentions",
              w->n_present, w->n_absent, n);
    R1_TRY(report_choose(w, err));
    R1_TRY(report_mark(w, err));
    MED_REPORT_LIST_OF(a, w->observed, w->n_ranked, err);
    MED_REPORT_LIST_OF(a, w->excluded, w->n_absent, err);
    MED_REPORT_LIST_OF(a, w->anchor, w->n_ranked, err);
    MED_REPORT_LIST_OF(a, w->rest, w->n_ranked + 1, err);
    MED_REPORT_LIST_OF(a, w->rest_anchor, w->n_ranked + 1, err);
    MED_REPORT_LIST_OF(a, w->match, w->n_ranked, err);
    MED_REPORT_LIST_OF(a, w->explained, w->n_ranked, err);
    MED_REPORT_LIST_OF(a, w->against, w->n_absent, err);
    gather_anchors(w);
    for (uint32_t i = 0; i < w->n_absent; i++) w->excluded[i] = w->absent[i].term;
    w->query = (med_case){.observed = w->observed,
                          .n_observed = w->n_ranked,
                          .excluded = w->excluded,
                          .n_excluded = w->n_absent,
                          .sex = w->notes->sex,
                          .age_years = w->notes->age_years};
    return R1_OK;
}

static r1_status report_rank(med_report_work *w, r1_err *err)
{
    med_case_open(w->ranker, &w->query);
    w->report->unranked += med_case_left_out(w->ranker);
    R1_TRY(med_rank(w->ranker, w->all, MED_REPORT_LIST, &w->n_all, err));
    if (w->x)
        R1_TRY(med_rerank(w->x, w->ranker, w->anchor, w->n_ranked, w->all, &w->n_all, &w->none,
                          w->trace[0], err));
    else
        w->none = med_posterior_likelihood(w->all, w->n_all);
    w->n_list = med_families_join(w->kb, w->all, w->n_all, w->list, w->place);
    return R1_OK;
}

static r1_status report_reading(med_report_work *w, const med_report_names *from, r1_err *err)
{
    const char **s;
    MED_REPORT_LIST_OF(w->report->arena, s, from->n, err);
    for (uint32_t i = 0; i < from->n; i++) s[i] = from->s[i];
    w->report->reading = (med_report_names){s, from->n};
    return R1_OK;
}

static r1_status report_signing(med_report_work *w, const med_signing *x, r1_err *err)
{
    med_report_signing *out;
    const char **s;
    if (!x || !x->review) return R1_OK;
    MED_REPORT_LIST_OF(w->report->arena, out, 1, err);
    MED_REPORT_LIST_OF(w->report->arena, s, x->n, err);
    for (uint32_t i = 0; i < x->n; i++)
        R1_TRY(med_report_say(w, &s[i], err, MED_SAY(w->report->language, SIGNED_F),
                              x->signature[i].by, x->signature[i].at));
    *out = (med_report_signing){.review = x->review, .hash = x->hash, .by = {s, x->n}, .stated = x};
    w->report->signing = out;
    return R1_OK;
}

static r1_status report_head(med_report_work *w, const med_judge *judge,
                             const med_report_record *record, r1_err *err)
{
    med_report *r = w->report;
    float first = w->n_list ? w->list[0].posterior : 0;
    r->title = record->title;
    r->date = record->date;
    r->program = record->program ? record->program : "r1-medical";
    R1_TRY(report_reading(w, &record->reading, err));
    R1_TRY(report_signing(w, record->signing, err));
    r->sex = report_sex[w->notes->sex];
    const char *born = w->notes->born;
    if (*born && !(r->born = r1_arena_strdup(r->arena, born, strlen(born))))
        R1_FAIL(err, R1_E_NOMEM, "no memory for a report");
    r->words = w->notes->n_word;
    r->sentences = w->notes->n_sentence;
    r->listed = w->notes->listed;
    r->diseases = w->kb->n_profiled;
    r->not_read = w->notes->n_unread;
    r->cut = w->notes->n_cut;
    r->confident = w->n_list && w->list[0].logit > 0 && first >= MED_CONFIDENT_MIN;
    r->none_of_these = (double)w->none;
    r->age_years = (double)w->notes->age_years;
    r->ranked_by = w->x ? judge->model : MED_SAY(r->language, LIKELIHOOD);
    snprintf(r->knowledge_base, sizeof r->knowledge_base, "%016llx",
             (unsigned long long)w->kb->checksum);
    return R1_OK;
}

static r1_status report_assemble(med_report_work *w, r1_err *err)
{
    med_report *r = w->report;
    const med_report_anchor *anchor;
    R1_ASSERT(w->n_list <= MED_REPORT_LIST, "%u candidates of at most %d", w->n_list,
              (int)MED_REPORT_LIST);
    R1_TRY(report_anchors(w, &anchor, err));
    R1_TRY(report_systems(w, err));
    R1_TRY(report_findings_of(w, w->present, w->n_present, true, anchor, &r->observed, err));
    R1_TRY(report_findings_of(w, w->absent, w->n_absent, false, NULL, &r->excluded, err));
    R1_TRY(report_others(w, err));
    R1_TRY(med_report_candidates(w, err));
    R1_TRY(med_report_unexplained_of(w, err));
    R1_TRY(med_report_questions(w, err));
    R1_TRY(report_sources(w, err));
    return med_report_summarise(w, err);
}

static r1_status report_fill(med_report_work *w, const med_judge *judge,
                             const med_report_record *record, r1_err *err)
{
    r1_status st = report_gather(w, err);
    if (st == R1_OK) st = report_rank(w, err);
    if (st == R1_OK) st = report_head(w, judge, record, err);
    if (st == R1_OK) st = report_assemble(w, err);
    if (st == R1_OK) st = med_report_genes_of(w, record->genes, err);
    med_case_close(w->ranker); /* its arrays are this call's */
    return st;
}

r1_status med_report_make(const med_kb *kb, const med_judge *judge, const med_report_record *record,
                          med_report **out, r1_err *err)
{
    r1_status st = R1_E_NOMEM;
    med_report *r = calloc(1, sizeof *r);
    med_report_work *w = calloc(1, sizeof *w);
    if (!r || !w) {
        r1_err_set(err, st, __FILE__, __LINE__, "no memory for a report");
        goto done;
    }
    w->kb = kb;
    w->ranker = judge->ranker;
    w->x = judge->x;
    w->pin = judge->pin;
    w->notes = record->notes;
    w->labels = record->labels;
    w->report = r;
    r->language = record->language;
    med_systems_open(&w->systems, kb);
    if ((st = r1_arena_new(&r->arena, report_bytes_max, err)) != R1_OK) goto done;
    if ((st = r1_arena_new(&w->scratch, report_bytes_max, err)) != R1_OK) goto done;
    st = report_fill(w, judge, record, err);
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
