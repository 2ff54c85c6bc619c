/* SPDX-License-Identifier: Apache-2.0 */
/* med_report_candidate.c - see med_report_candidate.h. */
#include "report/med_report_candidate.h"

#include "ontology/med_kb_build.h"
#include "r1_assert.h"
#include "report/med_report_question.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A profile's finding is typical from this frequency on. */
static const float typical_freq_min = 0.5f;
/* None of so many patients is worth a word. */
static const uint32_t denied_patients_min = 5;
/* What a denial would hardly change is not told. */
static const float against_min = -0.005f;

static const char *const candidate_match[] = {[MED_MATCH_NONE] = "none",
                                              [MED_MATCH_BROAD] = "broad",
                                              [MED_MATCH_SPECIFIC] = "related",
                                              [MED_MATCH_EXACT] = "exact"};
static const char match_excluded[] = "excluded", match_opposite[] = "opposite";

/* ---- what the findings say ------------------------------------------------------------------- */

static int contribution_part(const med_report_contribution *x)
{
    if (x->match == match_excluded) return 3;
    if (x->match == candidate_match[MED_MATCH_NONE] || x->match == match_opposite) return 2;
    return x->match == candidate_match[MED_MATCH_BROAD];
}

/* Matched ones, those that match in general, the rest, excluded ones; each falling by ratio, the
 * excluded ones rising. */
static int contribution_order(const void *a, const void *b)
{
    const med_report_contribution *x = a, *y = b;
    int px = contribution_part(x), py = contribution_part(y);
    if (px != py) return px - py;
    if (x->log_lr != y->log_lr) return (x->log_lr > y->log_lr) != (px == 3) ? -1 : 1;
    return strcmp(x->id, y->id);
}

/* Whether the ranking weighed an observed finding at all: it may be too common, or beyond the
 * bound. */
static bool match_is_weighed(const med_match *m) { return m->ic > 0 || m->log_lr != 0; }

typedef struct {
    const char *name;
    float ic;
} unexplained_name;

static int unexplained_name_order(const void *a, const void *b)
{
    const unexplained_name *x = a, *y = b;
    if (x->ic != y->ic) return x->ic > y->ic ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Whether the sources give a number for a finding of a disease, or for one below it. */
static bool frequency_stated(const med_report_work *w, const med_disease *d, uint32_t term)
{
    const med_kb *kb = w->kb;
    for (uint32_t i = 0; i < d->n_row; i++) {
        const med_row *row = &kb->row[d->row_at + i];
        bool negated = row->flags & MED_ROW_NEGATED && !row->m;
        if (!negated && med_report_row_speaks(w, row) && (row->m || row->freq >= 0) &&
            med_kb_is_a(kb, row->term, term))
            return true;
    }
    return false;
}

static void candidate_observed(med_report_work *w, uint32_t disease, med_report_candidate *c,
                               med_report_contribution *row, unexplained_name *unexplained)
{
    const med_disease *d = &w->kb->disease[disease];
    for (uint32_t i = 0; i < w->n_ranked; i++) {
        const med_match *m = &w->match[i];
        R1_ASSERT(m->kind < R1_COUNT(candidate_match), "match %u: kind %d", i, (int)m->kind);
        if (!match_is_weighed(m)) continue;
        med_report_contribution *x = &row[c->n_contribution++];
        bool explained = m->kind == MED_MATCH_EXACT || m->kind == MED_MATCH_SPECIFIC, stated;
        *x = (med_report_contribution){.id = med_report_id(w, m->term),
                                       .name = med_report_name(w, m->term),
                                       .match = candidate_match[m->kind],
                                       .log_lr = (double)m->log_lr,
                                       .frequency = (double)m->freq};
        if (m->matched != MED_NONE) {
            x->matched = med_report_name(w, m->matched);
            med_report_counts(w, disease, m->matched, &x->n, &x->m, &stated);
            if (d->n_row && !frequency_stated(w, d, m->matched)) x->frequency = NAN;
        }
        if (m->opposite != MED_NONE) {
            x->match = match_opposite;
            x->matched = med_report_name(w, m->opposite);
            med_report_counts(w, disease, m->opposite, &x->n, &x->m, &stated);
        }
        c->n_weighed++;
        c->n_explained += explained;
        w->explained[i] |= explained;
        if (!explained)
            unexplained[c->unexplained.n++] = (unexplained_name){x->name, w->kb->term[m->term].ic};
    }
    qsort(unexplained, c->unexplained.n, sizeof *unexplained, unexplained_name_order);
}

static r1_status candidate_contributions(med_report_work *w, const med_candidate *from,
                                         med_report_candidate *c, r1_err *err)
{
    med_report_contribution *row;
    unexplained_name *unexplained;
    const char **name;
    MED_REPORT_LIST_OF(w->report->arena, row, (size_t)w->n_ranked + w->n_absent, err);
    MED_REPORT_LIST_OF(w->report->arena, name, w->n_ranked, err);
    MED_REPORT_LIST_OF(w->scratch, unexplained, w->n_ranked, err);
    med_explain(w->ranker, from->disease, w->match, w->against);
    candidate_observed(w, from->disease, c, row, unexplained);
    for (uint32_t i = 0; i < c->unexplained.n; i++) name[i] = unexplained[i].name;
    c->unexplained.s = name;
    for (uint32_t i = 0; i < w->n_absent; i++)
        if (w->against[i] < 0)
            row[c->n_contribution++] =
                (med_report_contribution){.id = med_report_id(w, w->excluded[i]),
                                          .name = med_report_name(w, w->excluded[i]),
                                          .match = match_excluded,
                                          .log_lr = (double)w->against[i],
                                          .frequency = NAN};
    qsort(row, c->n_contribution, sizeof *row, contribution_order);
    c->contribution = row;
    return R1_OK;
}

static const char *step_name(int k)
{
    if (k == MED_TRACE_PRIOR) return "prior";
    return k == MED_TRACE_DENIED ? "denied" : MED_ITEM_NAME[k - MED_TRACE_ITEM];
}

/* What each evidence step added to the candidate's calibrated logit, and what the denials took; the
 * numbers add up to it. */
static r1_status candidate_steps(med_report_work *w, uint32_t place, med_report_candidate *c,
                                 r1_err *err)
{
    med_report_step *row;
    if (!w->x) return R1_OK;
    MED_REPORT_LIST_OF(w->report->arena, row, MED_N_TRACE, err);
    for (int k = 0; k < MED_N_TRACE; k++)
        row[k] = (med_report_step){step_name(k), w->trace[w->place[place - 1]][k]};
    c->step = row;
    c->n_step = MED_N_TRACE;
    return R1_OK;
}

/* ---- what is not reported -------------------------------------------------------------------- */

/* What the sources name no frequency for may be rare: it comes behind. */
static int typical_by_information(const void *a, const void *b)
{
    const med_report_typical *x = a, *y = b;
    if (isnan(x->frequency) != isnan(y->frequency)) return isnan(x->frequency) ? 1 : -1;
    if (x->information != y->information) return x->information > y->information ? -1 : 1;
    return strcmp(x->id, y->id);
}

static int typical_by_denied(const void *a, const void *b)
{
    const med_report_typical *x = a, *y = b;
    if (x->denied != y->denied) return x->denied < y->denied ? -1 : 1;
    return strcmp(x->id, y->id);
}

/* The typical findings that the record leaves open. */
static uint32_t candidate_open(const med_report_work *w, uint32_t disease, med_report_typical *row)
{
    const med_disease *d = &w->kb->disease[disease];
    uint32_t n = 0, n_profile;
    const med_profile *profile = med_case_profile(w->ranker, disease, &n_profile);
    for (uint32_t i = 0; i < n_profile; i++) {
        const med_profile *p = &profile[i];
        uint32_t t = MED_PROFILE_TERM(*p);
        bool stated;
        if (!(p->term & MED_PROFILE_DIRECT) || p->freq < typical_freq_min) continue;
        if (!med_report_open(w, t) || !med_report_due(w, disease, t)) continue;
        med_report_typical *x = &row[n++];
        *x = (med_report_typical){
            .id = med_report_id(w, t),
            .name = med_report_name(w, t),
            .frequency = (double)p->freq,
            .information = med_report_information(w, t),
            .denied = exp((double)fminf(0, med_denied_more(w->ranker, disease, t)))};
        med_report_counts(w, disease, t, &x->n, &x->m, &stated);
        if (!stated && d->n_row) x->frequency = NAN;
    }
    return n;
}

static r1_status candidate_typical(med_report_work *w, uint32_t disease, med_report_candidate *c,
                                   r1_err *err)
{
    const med_disease *d = &w->kb->disease[disease];
    med_report_typical *row, *typical, *against;
    MED_REPORT_LIST_OF(w->scratch, row, d->n_profile, err);
    MED_REPORT_LIST_OF(w->report->arena, typical, MED_REPORT_TYPICAL, err);
    MED_REPORT_LIST_OF(w->report->arena, against, MED_REPORT_AGAINST, err);
    uint32_t n = candidate_open(w, disease, row);
    qsort(row, n, sizeof *row, typical_by_information);
    for (uint32_t i = 0; i < n && i < MED_REPORT_TYPICAL; i++) typical[c->n_typical++] = row[i];
    qsort(row, n, sizeof *row, typical_by_denied);
    for (uint32_t i = 0; i < n && c->n_against < MED_REPORT_AGAINST; i++)
        if (log(row[i].denied) < (double)against_min && !isnan(row[i].frequency))
            against[c->n_against++] = row[i];
    c->typical = typical;
    c->against = against;
    return R1_OK;
}

/* ---- what is known of the disease ------------------------------------------------------------ */

static r1_status candidate_names(med_report_work *w, uint32_t at, uint32_t n, med_report_names *out,
                                 r1_err *err)
{
    const char **s;
    R1_ASSERT(at <= w->kb->n_list && n <= w->kb->n_list - at, "names %u + %u of %u", at, n,
              w->kb->n_list);
    MED_REPORT_LIST_OF(w->report->arena, s, n, err);
    for (uint32_t i = 0; i < n; i++) s[i] = med_str(w->kb, w->kb->list[at + i]);
    *out = (med_report_names){s, n};
    return R1_OK;
}

/* All ids of the disease, and that of the entry that stands for its family. */
static r1_status candidate_ids(med_report_work *w, uint32_t disease, med_report_names *out,
                               r1_err *err)
{
    const med_disease *d = &w->kb->disease[disease];
    const char **s;
    uint32_t head = med_kb_family(w->kb, disease);
    MED_REPORT_LIST_OF(w->report->arena, s, (size_t)d->n_alias + 1, err);
    for (uint32_t i = 0; i < d->n_alias; i++) s[i] = med_str(w->kb, w->kb->list[d->alias_at + i]);
    s[d->n_alias] = med_str(w->kb, w->kb->disease[head].id);
    *out = (med_report_names){s, d->n_alias + (head != disease)};
    return R1_OK;
}

/* The words of a bit set, one for each bit from the lowest on. */
static r1_status candidate_bits(med_report_work *w, uint32_t bits, const med_word *word,
                                const char *const *english, uint32_t n, med_report_names *out,
                                r1_err *err)
{
    const char **s;
    MED_REPORT_LIST_OF(w->report->arena, s, n, err);
    out->s = s;
    for (uint32_t i = 0; i < n; i++)
        if (bits >> i & 1) s[out->n++] = med_words_in(w->report->language, word[i], english[i]);
    return R1_OK;
}

#define CANDIDATE_WORDS(X, n)                                                                      \
    static const med_word n##_word[] = {X(CANDIDATE_NUMBER)};                                      \
    static const char *const n##_english[] = {X(CANDIDATE_ENGLISH)};
#define CANDIDATE_NUMBER(id)  MED_WORD_##id,
#define CANDIDATE_ENGLISH(id) med_english_##id,
/* In the order of the bits of med_kb.h. */
#define CANDIDATE_ONSETS(X)                                                                        \
    X(ANTENATAL) X(NEONATAL) X(INFANCY) X(CHILDHOOD) X(TEENS) X(ADULT) X(LATE)
#define CANDIDATE_MODES(X)                                                                         \
    X(AD) X(AR) X(XLD) X(XLR) X(MITOCHONDRIAL) X(YLINKED) X(MULTIFACTORIAL) X(SPORADIC)
CANDIDATE_WORDS(CANDIDATE_ONSETS, onset)
CANDIDATE_WORDS(CANDIDATE_MODES, mode)

/* Sources whose ids have addresses of the form prefix and number. */
static const struct {
    const char *prefix, *label, *before, *behind;
} candidate_sites[] = {
    {"OMIM:", "OMIM", "https://omim.org/entry/", ""},
    {"ORPHA:", "Orphanet", "https://www.orpha.net/en/disease/detail/", ""},
    {"GARD:", "GARD", "https://rarediseases.info.nih.gov/diseases/", "/"},
    {"MONDO:", "Mondo", "https://monarchinitiative.org/MONDO:", ""},
};

/* The number behind a prefix; NULL: the id is of another source, or no number. */
static const char *site_number(const char *id, const char *prefix)
{
    size_t n = strlen(prefix);
    if (strncmp(id, prefix, n) != 0) return NULL;
    const char *s = id + n;
    size_t digits = strspn(s, "0123456789");
    return digits && digits < 12 && !s[digits] ? s : NULL;
}

static r1_status candidate_links(med_report_work *w, med_report_candidate *c, bool *has,
                                 r1_err *err)
{
    med_report_link *row;
    MED_REPORT_LIST_OF(w->report->arena, row, (size_t)c->ids.n + 1, err);
    for (uint32_t i = 0; i < c->ids.n; i++)
        for (size_t k = 0; k < R1_COUNT(candidate_sites); k++) {
            const char *number = site_number(c->ids.s[i], candidate_sites[k].prefix);
            if (!number) continue;
            med_report_link *x = &row[c->n_link++];
            has[k] = true;
            R1_TRY(med_report_say(w, &x->label, err, "%s %s", candidate_sites[k].label, number));
            R1_TRY(med_report_say(w, &x->address, err, "%s%s%s", candidate_sites[k].before, number,
                                  candidate_sites[k].behind));
        }
    for (uint32_t i = 0; i < c->ids.n; i++) {
        if (!site_number(c->ids.s[i], "OMIM:") && !site_number(c->ids.s[i], "ORPHA:")) continue;
        med_report_link *x = &row[c->n_link++];
        x->label = "HPO";
        R1_TRY(med_report_say(w, &x->address, err, "https://hpo.jax.org/browse/disease/%s",
                              c->ids.s[i]));
        break;
    }
    c->link = row;
    return R1_OK;
}

/* Which of the things that a reader looks for the knowledge base lacks. */
static r1_status candidate_missing(med_report_work *w, med_report_candidate *c, const bool *has,
                                   r1_err *err)
{
    const char **s;
    med_words_language l = w->report->language;
    MED_REPORT_LIST_OF(w->report->arena, s, 4 + R1_COUNT(candidate_sites), err);
    uint32_t n = 0;
    if (!c->genes.n) s[n++] = MED_SAY(l, GENES);
    if (!c->inheritance.n) s[n++] = MED_SAY(l, INHERITANCE);
    if (!c->onset.n) s[n++] = MED_SAY(l, ONSET);
    if (isnan(c->prevalence)) s[n++] = MED_SAY(l, PREVALENCE);
    for (size_t k = 0; k + 1 < R1_COUNT(candidate_sites); k++) /* Mondo is told where it is there */
        if (!has[k]) s[n++] = candidate_sites[k].label;
    c->missing = (med_report_names){s, n};
    return R1_OK;
}

/* The other entries of the disease's family, as "OMIM:300867 Kabuki syndrome 2 (KDM6A)". */
static r1_status candidate_together(med_report_work *w, uint32_t disease, med_report_candidate *c,
                                    r1_err *err)
{
    const med_kb *kb = w->kb;
    const char **s, **first, *genes;
    uint32_t n = 0;
    for (uint32_t d = 0; kb->family && d < kb->n_disease; d++)
        n += d != disease && med_families_same(kb, d, disease);
    MED_REPORT_LIST_OF(w->report->arena, s, n, err);
    c->together.s = s;
    for (uint32_t d = 0; c->together.n < n && d < kb->n_disease; d++) {
        const med_disease *x = &kb->disease[d];
        med_report_names names;
        if (d == disease || !med_families_same(kb, d, disease)) continue;
        R1_TRY(candidate_names(w, x->gene_at, x->n_gene, &names, err));
        R1_TRY(med_report_join(w, names.s, names.n, &genes, err));
        R1_TRY(med_report_say(w, &s[c->together.n++], err, names.n ? "%s %s (%s)" : "%s %s",
                              med_str(kb, x->id), med_str(kb, x->name), genes));
    }
    c->together_first = c->together;
    if (n <= MED_REPORT_TOGETHER) return R1_OK;
    MED_REPORT_LIST_OF(w->report->arena, first, MED_REPORT_TOGETHER + 1, err);
    memcpy(first, s, MED_REPORT_TOGETHER * sizeof *first);
    c->together_first = (med_report_names){first, MED_REPORT_TOGETHER + 1};
    return med_report_say(w, &first[MED_REPORT_TOGETHER], err, MED_SAY(w->report->language, MORE_F),
                          n - MED_REPORT_TOGETHER);
}

/* The disease that a fact is taken from: itself, or the entry that stands for its family where it
 * says nothing. */
static uint32_t fact_of(const med_kb *kb, uint32_t disease, uint32_t kind)
{
    const med_disease *d = &kb->disease[disease];
    bool own = kind == MED_FACT_ONSET         ? d->onset != 0
               : kind == MED_FACT_INHERITANCE ? d->inheritance != 0
                                              : d->prevalence > 0;
    return own ? disease : med_kb_family(kb, disease);
}

/* The names of the sources that state a fact. */
static uint32_t fact_sources(const med_kb *kb, uint32_t disease, uint32_t kind, const char **name)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < kb->n_fact && n < MED_SOURCES_MAX; i++)
        if (kb->fact[i].disease == disease && kb->fact[i].kind == kind)
            name[n++] = med_str(kb, kb->source[kb->fact[i].source].name);
    return n;
}

/* "Onset: Orphanet (Orphadata)", where the knowledge base has several sources. */
static r1_status candidate_origin(med_report_work *w, uint32_t disease, med_report_candidate *c,
                                  r1_err *err)
{
    const med_kb *kb = w->kb;
    const med_words_language l = w->report->language;
    const char *what[] = {[MED_FACT_ONSET] = MED_SAY(l, ONSET),
                          [MED_FACT_INHERITANCE] = MED_SAY(l, INHERITANCE),
                          [MED_FACT_PREVALENCE] = MED_SAY(l, PREVALENCE)};
    const char **s, *name[MED_SOURCES_MAX], *joined;
    MED_REPORT_LIST_OF(w->report->arena, s, R1_COUNT(what), err);
    c->origin.s = s;
    for (uint32_t kind = 0; kb->n_source > 1 && kind < R1_COUNT(what); kind++) {
        uint32_t n = fact_sources(kb, fact_of(kb, disease, kind), kind, name);
        if (!n) continue;
        R1_TRY(med_report_join(w, name, n, &joined, err));
        R1_TRY(med_report_say(w, &s[c->origin.n++], err, "%s: %s", what[kind], joined));
    }
    return R1_OK;
}

static r1_status candidate_facts(med_report_work *w, uint32_t disease, med_report_candidate *c,
                                 r1_err *err)
{
    const med_disease *d = &w->kb->disease[disease];
    bool has[R1_COUNT(candidate_sites)] = {false};
    const med_kb *kb = w->kb;
    float prevalence = kb->disease[fact_of(kb, disease, MED_FACT_PREVALENCE)].prevalence;
    uint32_t onset = kb->disease[fact_of(kb, disease, MED_FACT_ONSET)].onset,
             inheritance = kb->disease[fact_of(kb, disease, MED_FACT_INHERITANCE)].inheritance;
    c->prevalence = prevalence > 0 ? (double)prevalence : NAN;
    R1_TRY(candidate_ids(w, disease, &c->ids, err));
    R1_TRY(candidate_names(w, d->gene_at, d->n_gene, &c->genes, err));
    R1_TRY(candidate_bits(w, inheritance, mode_word, mode_english, R1_COUNT(mode_word),
                          &c->inheritance, err));
    R1_TRY(
        candidate_bits(w, onset, onset_word, onset_english, R1_COUNT(onset_word), &c->onset, err));
    R1_TRY(candidate_together(w, disease, c, err));
    R1_TRY(candidate_origin(w, disease, c, err));
    R1_TRY(candidate_links(w, c, has, err));
    return candidate_missing(w, c, has, err);
}

/* ---- sex and age ----------------------------------------------------------------------------- */

/* The years at which each class of onset begins and ends. */
static const struct {
    double from, to;
} onset_years[] = {{-1, 0}, {0, .08}, {.08, 1}, {1, 10}, {10, 16}, {16, 60}, {60, 200}};
/* A patient of so many years needs a word where the disease begins in infancy at the latest; so
 * does one who is so much younger than its first known onset. */
static const double grown_years = 16, early_years = 2;

static r1_status caution_of_age(med_report_work *w, const med_disease *d, const char **s,
                                uint32_t *n, r1_err *err)
{
    double age = (double)w->notes->age_years;
    uint32_t bits = d->onset & ((1u << R1_COUNT(onset_years)) - 1);
    const char *years;
    if (!bits || isnan(age)) return R1_OK;
    int first = __builtin_ctz(bits), last = 31 - __builtin_clz(bits);
    med_words_language l = w->report->language;
    R1_TRY(med_report_age(w, age, &years, err));
    if (onset_years[last].to <= 1 && age > grown_years)
        return med_report_say(w, &s[(*n)++], err, MED_SAY(l, CAUTION_EARLY_F),
                              med_words_in(l, onset_word[last], onset_english[last]), years);
    if (age + early_years < onset_years[first].from)
        return med_report_say(w, &s[(*n)++], err, MED_SAY(l, CAUTION_LATE_F),
                              med_words_in(l, onset_word[first], onset_english[first]), years);
    return R1_OK;
}

/* Whether a row says that patients do not show a finding: NOT, or none of a number of them. */
static bool row_denies(const med_report_work *w, const med_row *row)
{
    bool enough = !row->m || row->m >= denied_patients_min;
    return row->flags & MED_ROW_NEGATED && enough && med_report_row_speaks(w, row);
}

/* Whether the disease's rows deny a finding of the record, or one above it, and none has it. */
static bool caution_denies(const med_report_work *w, const med_disease *d, uint32_t term)
{
    bool denied = false;
    for (uint32_t i = 0; i < d->n_row; i++) {
        const med_row *row = &w->kb->row[d->row_at + i];
        bool related = med_kb_is_a(w->kb, term, row->term) || med_kb_is_a(w->kb, row->term, term);
        if (related && !(row->flags & MED_ROW_NEGATED)) return false;
        denied |= row_denies(w, row) && med_kb_is_a(w->kb, term, row->term);
    }
    return denied;
}

static r1_status caution_of_not(med_report_work *w, const med_disease *d, const char **s,
                                uint32_t *n, r1_err *err)
{
    const char **name, *joined;
    uint32_t k = 0;
    MED_REPORT_LIST_OF(w->scratch, name, w->n_ranked, err);
    for (uint32_t i = 0; i < w->n_ranked; i++)
        if (caution_denies(w, d, w->observed[i])) name[k++] = med_report_name(w, w->observed[i]);
    if (!k) return R1_OK;
    R1_TRY(med_report_join(w, name, k, &joined, err));
    return med_report_say(w, &s[(*n)++], err, MED_SAY(w->report->language, CAUTION_NOT_F), joined);
}

static r1_status candidate_caution(med_report_work *w, const med_disease *d,
                                   med_report_candidate *c, r1_err *err)
{
    const char **s;
    uint32_t n = 0;
    bool of_men =
        d->inheritance && !(d->inheritance & ~(uint32_t)(MED_INHERIT_XLR | MED_INHERIT_Y));
    MED_REPORT_LIST_OF(w->report->arena, s, 3, err);
    if (of_men && w->notes->sex == MED_SEX_FEMALE)
        s[n++] = MED_SAY(w->report->language, CAUTION_GIRL);
    R1_TRY(caution_of_age(w, d, s, &n, err));
    R1_TRY(caution_of_not(w, d, s, &n, err));
    c->caution = (med_report_names){s, n};
    return R1_OK;
}

/* ---- all ------------------------------------------------------------------------------------- */

static r1_status report_candidate(med_report_work *w, uint32_t place, med_report_candidate *c,
                                  r1_err *err)
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
    R1_TRY(candidate_facts(w, from->disease, c, err));
    R1_TRY(candidate_contributions(w, from, c, err));
    R1_TRY(candidate_steps(w, place, c, err));
    R1_TRY(candidate_caution(w, d, c, err));
    return candidate_typical(w, from->disease, c, err);
}

r1_status med_report_candidates(med_report_work *w, r1_err *err)
{
    med_report_candidate *row;
    uint32_t n = w->n_list < MED_REPORT_CANDIDATES ? w->n_list : MED_REPORT_CANDIDATES;
    MED_REPORT_LIST_OF(w->report->arena, row, n, err);
    med_case_open(w->ranker, &w->query); /* again: anchors opened cases of their own */
    for (uint32_t i = 0; i < n; i++) R1_TRY(report_candidate(w, i + 1, &row[i], err));
    w->report->candidate = row;
    w->report->n_candidate = n;
    return R1_OK;
}

static int unexplained_order(const void *a, const void *b)
{
    const med_report_unexplained *x = a, *y = b;
    if (x->information != y->information) return x->information > y->information ? -1 : 1;
    return strcmp(x->id, y->id);
}

r1_status med_report_unexplained_of(med_report_work *w, r1_err *err)
{
    med_report_unexplained *row;
    uint32_t n = 0;
    MED_REPORT_LIST_OF(w->report->arena, row, w->n_ranked, err);
    for (uint32_t i = 0; i < w->n_ranked && w->report->n_candidate; i++)
        if (!w->explained[i] && match_is_weighed(&w->match[i]))
            row[n++] = (med_report_unexplained){med_report_id(w, w->observed[i]),
                                                med_report_name(w, w->observed[i]),
                                                (double)w->kb->term[w->observed[i]].ic};
    qsort(row, n, sizeof *row, unexplained_order);
    w->report->unexplained = row;
    w->report->n_unexplained = n;
    return R1_OK;
}
