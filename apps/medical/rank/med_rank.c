/* SPDX-License-Identifier: Apache-2.0 */
/* med_rank.c - see med_rank.h. The findings' ancestors become bit masks per term; one pass over
 * every profile then yields one-way information, likelihood ratio and overlap; the best go
 * through a second, dearer pass. */
#include "rank/med_rank.h"

#include "r1_assert.h"
#include "rank/med_opposites.h"
#include "rank/med_retrieve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* SPARE: profile entries that can be rebuilt for one case. */
/* LOST_MAX: terms beyond it are not taken from a disease; OPPOSED_MAX: so of findings. */
enum { SHORT_LIST = 400, MEMORY_LIST = 100, SPARE = 1 << 18, LOST_MAX = 1024, OPPOSED_MAX = 256 };
#define LR_FLOOR 0.06f /* likelihood ratio of a finding that the disease does not have at all */
#define IC_MIN   0.25f /* ancestors that nearly every disease has say nothing */

const char *const med_feature_name[MED_F_COUNT] = {"score",
                                                   "oneway",
                                                   "lr",
                                                   "coverage",
                                                   "simgic",
                                                   "size",
                                                   "rank",
                                                   "gap",
                                                   "exact",
                                                   "broader",
                                                   "unexplained",
                                                   "best_ic",
                                                   "worst_ic",
                                                   "mean_ic",
                                                   "lr_max",
                                                   "lr_min",
                                                   "freq_mean",
                                                   "missing",
                                                   "missing_top",
                                                   "sex",
                                                   "onset",
                                                   "memory",
                                                   "inherited_profile",
                                                   "orphanet"};

const med_weights med_weights_default = {.oneway = 1.0f,
                                         .lr = 0.6f,
                                         .coverage = 0.3f,
                                         .simgic = 0.5f,
                                         .size = 0.04f,
                                         .onset = 0.0f,
                                         .sex = 0.05f,
                                         .orphanet = 0.3f,
                                         .denied = 0.15f};
/* Of the likelihood alone. Chosen on the development cases (HPO 2025-01, own publication left out):
 * expected calibration error 0.04. */
static const float posterior_scale = 6.0f, posterior_none = 1.0f;

/* One disease as it stands for this case: its profile, or one without the case's own
 * publication. */
typedef struct {
    const med_profile *profile;
    uint32_t n;
    float ic_sum;
} view;

/* What a disease is in a patient of a known sex: without the rows of the other one. */
typedef struct {
    view female, male;
} sexed_view;

/* A finding of the open case, or one above it, that stands in pairs of opposites. */
typedef struct {
    uint32_t q, term, n;
    const med_opposed *x; /* the n profiles that have an opposite */
} opposed_term;

struct med_ranker {
    const med_kb *kb;
    med_weights w;
    void *workspace;    /* all arrays below lie in it */
    uint64_t *mask;     /* [n_term]: bit q set: an ancestor of finding q (or it) */
    float *work;        /* [n_term], zero between uses */
    med_profile *spare; /* [SPARE] profiles rebuilt without a publication */
    view *view;         /* [n_disease], of touched ones */
    float *background;  /* [n_term] mean frequency in all profiles */
    uint32_t *denied;   /* [n_term]: 1 + the place in the case of its first denial, 0: none */
    uint32_t *denial;   /* [n_term]: the n_denied terms that count as denied */
    float *first;       /* [n_disease] score of the first pass */
    float *memory;      /* [n_disease] similarity from long-term memory, -1 where not retrieved */
    uint32_t *order;    /* [n_disease] */
    uint8_t *touched;   /* [n_disease]: 1: rebuilt for the open case */
    uint8_t *group;     /* [n_disease]: 1: an entry of Orphanet alone */
    uint32_t *of_sex;   /* [n_disease]: 1 + place in `sexed`, 0: its rows speak of both sexes */
    sexed_view *sexed;  /* diseases with rows of one sex alone; their profiles lie in sex_profile */
    med_profile *sex_profile;
    uint32_t n_spare;
    med_opposites *opposites;
    med_opposite_profile *by_sex; /* two of each of `sexed`: female, male */
    /* By bits of the open case's findings: those that have an opposite in the profile, and what a
     * disease has by opposites alone, zero between uses. */
    uint64_t *opposed; /* [n_disease + 2 n_sexed] */
    uint64_t *lost;    /* [n_term] */
    uint32_t n_sexed;
    opposed_term opposed_by[OPPOSED_MAX];
    uint32_t n_opposed_by;
    med_retrieval *retrieval;
    bool use_memory;
    /* the open case and its findings in falling information */
    bool is_open;
    med_case open;
    uint32_t term[MED_QUERY_MAX], n_term, n_left_out, n_denied;
    float weight[MED_QUERY_MAX], ic[MED_QUERY_MAX], ic_total, closure_ic;
};

/* Gives each array its place; places are 64-byte aligned. Returns the bytes of all. With a NULL
 * workspace it counts alone. */
static size_t ranker_carve(med_ranker *r, size_t n_term, size_t n_disease)
{
    const struct {
        void *place;
        size_t count, size;
    } array[] = {
        {&r->mask, n_term, sizeof *r->mask},        {&r->work, n_term, sizeof *r->work},
        {&r->spare, SPARE, sizeof *r->spare},       {&r->view, n_disease, sizeof *r->view},
        {&r->first, n_disease, sizeof *r->first},   {&r->memory, n_disease, sizeof *r->memory},
        {&r->order, n_disease, sizeof *r->order},   {&r->touched, n_disease, sizeof *r->touched},
        {&r->group, n_disease, sizeof *r->group},   {&r->background, n_term, sizeof *r->background},
        {&r->denied, n_term, sizeof *r->denied},    {&r->denial, n_term, sizeof *r->denial},
        {&r->of_sex, n_disease, sizeof *r->of_sex}, {&r->lost, n_term, sizeof *r->lost},
    };
    size_t bytes = 0;
    for (size_t i = 0; i < R1_COUNT(array); i++) {
        void *at = r->workspace ? (char *)r->workspace + bytes : NULL;
        memcpy(array[i].place, &at, sizeof at);
        bytes += (array[i].count * array[i].size + 63) & ~(size_t)63;
    }
    return bytes;
}

/* ---- sex ------------------------------------------------------------------------------------- */

static uint16_t flags_of_disease(const med_kb *kb, uint32_t d)
{
    uint16_t flags = 0;
    for (uint32_t i = 0; i < kb->disease[d].n_row; i++)
        flags |= kb->row[kb->disease[d].row_at + i].flags;
    return flags;
}

/* The rows that do not speak of such a patient. */
static uint16_t flags_of_other(med_sex sex)
{
    return sex == MED_SEX_FEMALE ? MED_ROW_MALE : sex == MED_SEX_MALE ? MED_ROW_FEMALE : 0;
}

/* The disease's profile in such a patient; one has room for n_term entries. */
static uint32_t sexed_profile(med_ranker *r, uint32_t d, med_sex sex, med_profile *one)
{
    const med_disease *x = &r->kb->disease[d];
    const med_leave_out skip = {.flags = flags_of_other(sex)};
    return med_profile_make(r->kb, r->kb->row + x->row_at, x->n_row, skip, r->work, one,
                            r->kb->n_term);
}

static view sexed_make(med_ranker *r, uint32_t d, med_sex sex, med_profile *one, size_t *at)
{
    view v = {r->sex_profile + *at, sexed_profile(r, d, sex, one), 0};
    memcpy(r->sex_profile + *at, one, v.n * sizeof *one);
    *at += v.n;
    for (uint32_t i = 0; i < v.n; i++) v.ic_sum += r->kb->term[MED_PROFILE_TERM(one[i])].ic;
    return v;
}

/* The profiles by sex, once for all cases. */
static r1_status ranker_sexes(med_ranker *r, r1_err *err)
{
    const med_kb *kb = r->kb;
    uint32_t n = 0;
    size_t entries = 0, at = 0;
    med_profile *one = calloc(kb->n_term + 1u, sizeof *one);
    for (uint32_t d = 0; one && d < kb->n_disease; d++) {
        if (!(flags_of_disease(kb, d) & (MED_ROW_MALE | MED_ROW_FEMALE))) continue;
        r->of_sex[d] = ++n;
        entries += sexed_profile(r, d, MED_SEX_FEMALE, one);
        entries += sexed_profile(r, d, MED_SEX_MALE, one);
    }
    r->n_sexed = n;
    r->sexed = calloc(n + 1u, sizeof *r->sexed);
    r->sex_profile = calloc(entries + 1, sizeof *r->sex_profile);
    bool room = one && r->sexed && r->sex_profile;
    for (uint32_t d = 0; room && d < kb->n_disease; d++) {
        if (!r->of_sex[d]) continue;
        sexed_view *s = &r->sexed[r->of_sex[d] - 1];
        s->female = sexed_make(r, d, MED_SEX_FEMALE, one, &at);
        s->male = sexed_make(r, d, MED_SEX_MALE, one, &at);
    }
    free(one);
    if (!room) R1_FAIL(err, R1_E_NOMEM, "no memory for the profiles of %u diseases by sex", n);
    R1_ASSERT(at == entries, "profiles by sex: %zu entries of %zu", at, entries);
    return R1_OK;
}

static r1_status ranker_opposites(med_ranker *r, r1_err *err)
{
    size_t n = 2 * (size_t)r->n_sexed;
    r->by_sex = calloc(n + 1, sizeof *r->by_sex);
    r->opposed = calloc(r->kb->n_disease + n + 1, sizeof *r->opposed);
    if (!r->by_sex || !r->opposed)
        R1_FAIL(err, R1_E_NOMEM, "no memory for the opposites of findings");
    for (uint32_t i = 0; i < r->n_sexed; i++) {
        r->by_sex[2 * i] = (med_opposite_profile){r->sexed[i].female.profile, r->sexed[i].female.n};
        r->by_sex[2 * i + 1] = (med_opposite_profile){r->sexed[i].male.profile, r->sexed[i].male.n};
    }
    return med_opposites_new(&r->opposites, r->kb, r->by_sex, (uint32_t)n, err);
}

r1_status med_ranker_new(med_ranker **out, const med_kb *kb, r1_err *err)
{
    if (kb->n_profiled == 0)
        R1_FAIL(
            err, R1_E_INVAL,
            "the knowledge base has no diseases with findings, so nothing can be ranked: it "
            "needs phenotype.hpoa or Orphadata beside the ontology (r1-medical ontology fetch)");
    med_ranker *r = calloc(1, sizeof *r);
    size_t n_term = kb->n_term + 1u, n_disease = kb->n_disease + 1u;
    if (r) r->workspace = calloc(1, ranker_carve(r, n_term, n_disease));
    if (!r || !r->workspace) {
        med_ranker_free(r);
        R1_FAIL(err, R1_E_NOMEM, "no memory for a ranker of %u diseases", kb->n_disease);
    }
    ranker_carve(r, n_term, n_disease);
    r->kb = kb;
    r->w = med_weights_default;
    r->use_memory = true;
    r1_status st = ranker_sexes(r, err);
    if (st == R1_OK) st = ranker_opposites(r, err);
    if (st == R1_OK) st = med_retrieval_new(&r->retrieval, kb, err);
    if (st != R1_OK) {
        med_ranker_free(r);
        return st;
    }
    for (uint32_t d = 0; d < kb->n_disease; d++)
        r->group[d] = strncmp(med_str(kb, kb->disease[d].id), "ORPHA:", 6) == 0;
    for (uint32_t i = 0; i < kb->n_profile; i++)
        r->background[MED_PROFILE_TERM(kb->profile[i])] +=
            kb->profile[i].freq / (float)kb->n_profiled;
    *out = r;
    return R1_OK;
}

void med_ranker_free(med_ranker *r)
{
    if (!r) return;
    med_retrieval_free(r->retrieval);
    med_opposites_free(r->opposites);
    free(r->by_sex);
    free(r->opposed);
    free(r->sexed);
    free(r->sex_profile);
    free(r->workspace);
    free(r);
}

const med_kb *med_ranker_kb(const med_ranker *r) { return r->kb; }
void med_ranker_weights(med_ranker *r, const med_weights *w) { r->w = *w; }
void med_ranker_use_memory(med_ranker *r, bool on) { r->use_memory = on; }

/* ---- the query ------------------------------------------------------------------------------- */

static bool rank_present(const uint32_t *v, uint32_t n, uint32_t x)
{
    for (uint32_t i = 0; i < n; i++)
        if (v[i] == x) return true;
    return false;
}

/* Takes the findings in falling information (then by number), so that their order in the case
 * does not matter. */
static void take_findings(med_ranker *r, const med_case *c)
{
    r->n_term = r->n_left_out = 0;
    for (uint32_t i = 0; i < c->n_observed; i++) {
        uint32_t t = c->observed[i];
        float w = c->weight ? c->weight[i] : 1;
        if (t >= r->kb->n_term || !(r->kb->term[t].flags & MED_TERM_PHENOTYPE) ||
            rank_present(r->term, r->n_term, t) || r->kb->term[t].ic < IC_MIN)
            continue;
        float ic = r->kb->term[t].ic;
        r->n_left_out += r->n_term == MED_QUERY_MAX;
        uint32_t at = r->n_term < MED_QUERY_MAX ? r->n_term++ : MED_QUERY_MAX;
        while (at > 0 && (r->ic[at - 1] < ic || (r->ic[at - 1] == ic && r->term[at - 1] > t))) {
            if (at < MED_QUERY_MAX) {
                r->term[at] = r->term[at - 1];
                r->ic[at] = r->ic[at - 1];
                r->weight[at] = r->weight[at - 1];
            }
            at--;
        }
        if (at < MED_QUERY_MAX) {
            r->term[at] = t;
            r->ic[at] = ic;
            r->weight[at] = w;
        }
    }
}

/* Marks what the case denies. A denial of an observed finding, or of one above it, is none. */
static void rank_mark_denied(med_ranker *r, const med_case *c)
{
    for (uint32_t i = 0; i < c->n_excluded; i++) {
        uint32_t t = c->excluded[i];
        bool found = t >= r->kb->n_term || r->denied[t];
        for (uint32_t k = 0; k < c->n_observed && !found; k++)
            found = c->observed[k] < r->kb->n_term && med_kb_is_a(r->kb, c->observed[k], t);
        if (found) continue;
        r->denied[t] = i + 1;
        r->denial[r->n_denied++] = t;
    }
}

/* Sets the findings' bits at their ancestors and sums their information. */
static void rank_mark(med_ranker *r)
{
    r->ic_total = r->closure_ic = 0;
    for (uint32_t q = 0; q < r->n_term; q++) {
        const med_term *t = &r->kb->term[r->term[q]];
        r->ic_total += r->weight[q] * r->ic[q];
        for (uint32_t a = 0; a < t->n_ancestor; a++) {
            uint32_t at = r->kb->ancestor[t->ancestor_at + a];
            if (r->kb->term[at].ic < IC_MIN) continue;
            if (!r->mask[at]) r->closure_ic += r->kb->term[at].ic;
            r->mask[at] |= (uint64_t)1 << q;
        }
    }
    if (r->ic_total <= 0) r->ic_total = 1;
}

/* Marks the profiles that have an opposite of a finding, once for all passes over them. */
static void rank_mark_opposed(med_ranker *r)
{
    r->n_opposed_by = 0;
    for (uint32_t q = 0; q < r->n_term; q++) {
        const med_term *t = &r->kb->term[r->term[q]];
        for (uint32_t a = 0; a < t->n_ancestor && r->n_opposed_by < OPPOSED_MAX; a++) {
            opposed_term by = {.q = q, .term = r->kb->ancestor[t->ancestor_at + a]};
            by.x = med_opposites_diseases(r->opposites, by.term, &by.n);
            for (uint32_t i = 0; i < by.n; i++) r->opposed[by.x[i].disease] |= (uint64_t)1 << q;
            if (by.n) r->opposed_by[r->n_opposed_by++] = by;
        }
    }
}

static void rank_unmark(med_ranker *r)
{
    for (uint32_t q = 0; q < r->n_term; q++) {
        const med_term *t = &r->kb->term[r->term[q]];
        for (uint32_t a = 0; a < t->n_ancestor; a++)
            r->mask[r->kb->ancestor[t->ancestor_at + a]] = 0;
    }
    if (r->n_opposed_by)
        memset(r->opposed, 0, (r->kb->n_disease + 2u * r->n_sexed) * sizeof *r->opposed);
    r->n_opposed_by = 0;
}

/* Diseases with rows of the case's own publication get a profile without them. */
static void leave_out(med_ranker *r, med_leave_out skip, med_sex sex)
{
    const med_kb *kb = r->kb;
    med_leave_out both = skip;
    both.flags = flags_of_other(sex);
    r->n_spare = 0;
    if (!skip.pmid) return;
    for (uint32_t d = 0; d < kb->n_disease; d++) {
        const med_disease *x = &kb->disease[d];
        bool cites = false;
        for (uint32_t i = 0; i < x->n_row && !cites; i++) {
            const med_row *row = &kb->row[x->row_at + i];
            cites = row->n_pmid && med_row_left_out(kb, row, skip);
        }
        if (!cites) continue;
        uint32_t room = SPARE - r->n_spare;
        r->touched[d] = 1;
        med_profile *p = r->spare + r->n_spare;
        uint32_t n = room >= x->n_profile ? med_profile_make(kb, kb->row + x->row_at, x->n_row,
                                                             both, r->work, p, room)
                                          : 0;
        view v = {p, n, 0};
        for (uint32_t i = 0; i < n; i++) v.ic_sum += kb->term[MED_PROFILE_TERM(p[i])].ic;
        r->view[d] = v;
        r->n_spare += n;
        R1_ASSERT(r->n_spare <= SPARE, "disease %u: %u rebuilt entries", d, r->n_spare);
    }
}

/* Between two cases nothing of the first is left: no bit at a term, no rebuilt profile. */
static bool rank_is_clean(const med_ranker *r)
{
    for (uint32_t t = 0; t < r->kb->n_term; t++)
        if (r->mask[t] || r->lost[t] || r->work[t] != 0 || r->denied[t]) return false;
    for (uint32_t d = 0; d < r->kb->n_disease; d++)
        if (r->touched[d] || r->opposed[d]) return false;
    return true;
}

void med_case_close(med_ranker *r)
{
    if (!r->is_open) return;
    rank_unmark(r);
    while (r->n_denied) r->denied[r->denial[--r->n_denied]] = 0;
    if (r->open.skip.pmid) memset(r->touched, 0, r->kb->n_disease);
    r->is_open = false;
    R1_DEEP_ASSERT(rank_is_clean(r), "%u findings are closed and leave marks", r->n_term);
}

void med_case_open(med_ranker *r, const med_case *c)
{
    med_case_close(r);
    take_findings(r, c);
    R1_ASSERT(r->n_term <= MED_QUERY_MAX, "%u findings", r->n_term);
    rank_mark(r);
    rank_mark_opposed(r);
    rank_mark_denied(r, c);
    leave_out(r, c->skip, c->sex);
    r->open = *c;
    r->is_open = true;
}

uint32_t med_case_left_out(const med_ranker *r)
{
    R1_ASSERT(r->is_open, "no case is open: %u findings of an earlier one", r->n_term);
    return r->n_left_out;
}

const med_case *med_case_of(const med_ranker *r)
{
    R1_ASSERT(r->is_open, "no case is open: %u findings of an earlier one", r->n_term);
    return &r->open;
}

static view view_of(const med_ranker *r, uint32_t d)
{
    if (r->touched[d]) return r->view[d];
    if (r->of_sex[d] && r->open.sex == MED_SEX_FEMALE) return r->sexed[r->of_sex[d] - 1].female;
    if (r->of_sex[d] && r->open.sex == MED_SEX_MALE) return r->sexed[r->of_sex[d] - 1].male;
    const med_disease *x = &r->kb->disease[d];
    return (view){r->kb->profile + x->profile_at, x->n_profile, x->profile_ic};
}

/* ---- the two passes -------------------------------------------------------------------------- */

typedef struct {
    float ic[MED_QUERY_MAX], freq[MED_QUERY_MAX];
    uint32_t term[MED_QUERY_MAX];
    float overlap;
} fit;

/* The disease's own term that is an opposite of a finding, or below one: the most frequent;
 * MED_NONE. */
static uint32_t opposite_in(const med_ranker *r, view v, uint32_t term)
{
    med_opposite_walk walk = {0};
    uint32_t best = MED_NONE;
    float freq = -1;
    for (uint32_t other; (other = med_opposites_next(r->opposites, term, &walk)) != MED_NONE;)
        for (uint32_t i = 0; i < v.n; i++) {
            bool own = v.profile[i].term & MED_PROFILE_DIRECT;
            uint32_t t = MED_PROFILE_TERM(v.profile[i]);
            if (!own || v.profile[i].freq <= freq || !med_kb_is_a(r->kb, t, other)) continue;
            freq = v.profile[i].freq;
            best = t;
        }
    return best;
}

/* Terms whose bits in `lost` are set. */
typedef struct {
    uint32_t term[LOST_MAX], n;
    uint64_t opposed; /* bits of the findings that have an opposite in the disease */
} lost_terms;

/* Sets the finding's bit at what the disease has by an opposite of the term alone. */
static void lost_of_term(const med_ranker *r, uint32_t q, uint32_t term, uint64_t alone,
                         lost_terms *l)
{
    const uint32_t *ancestor = r->kb->ancestor + r->kb->term[term].ancestor_at;
    for (uint64_t m = alone; m; m &= m - 1) {
        uint32_t t = ancestor[__builtin_ctzll(m)];
        if (!(r->mask[t] & (uint64_t)1 << q) || (!r->lost[t] && l->n == LOST_MAX)) continue;
        if (!r->lost[t]) l->term[l->n++] = t;
        r->lost[t] |= (uint64_t)1 << q;
    }
}

/* The number of the profile that a disease has in the open case's patient. */
static uint32_t view_number(const med_ranker *r, uint32_t d)
{
    bool sexed = r->of_sex[d] && r->open.sex != MED_SEX_UNKNOWN && !r->touched[d];
    uint32_t male = r->open.sex == MED_SEX_MALE;
    return sexed ? r->kb->n_disease + 2 * (r->of_sex[d] - 1) + male : d;
}

static const med_opposed *opposed_find(const opposed_term *by, uint32_t number)
{
    const med_opposed *x = by->x;
    for (uint32_t n = by->n; n > 1; n -= n / 2) /* x[0, n) holds it, or none does */
        if (x[n / 2].disease <= number) x += n / 2;
    return x->disease == number ? x : NULL;
}

/* What of its common ground with the findings a disease has by their opposites alone. A profile
 * that was rebuilt for the case is looked at anew. */
static void lost_mark(const med_ranker *r, uint32_t d, view v, lost_terms *l)
{
    uint32_t number = view_number(r, d);
    uint64_t opposed = r->opposed[number];
    l->n = 0;
    l->opposed = 0;
    for (uint32_t i = 0; opposed && i < r->n_opposed_by; i++) {
        const opposed_term *by = &r->opposed_by[i];
        if (!(opposed >> by->q & 1)) continue;
        const med_opposed *x = opposed_find(by, number);
        bool has = true;
        if (!x) continue;
        uint64_t alone = x->alone;
        if (r->touched[d])
            alone = med_opposites_alone(r->opposites, by->term, v.profile, v.n, &has);
        l->opposed |= (uint64_t)has << by->q;
        lost_of_term(r, by->q, by->term, alone, l);
    }
}

static void lost_clear(const med_ranker *r, const lost_terms *l)
{
    for (uint32_t i = 0; i < l->n; i++) r->lost[l->term[i]] = 0;
}

/* A finding with an opposite in the disease is not supported either by what it has in common with
 * the disease's other findings in general, such as "Abnormality of the skeletal system". */
static void fit_opposed(const med_ranker *r, uint64_t opposed, fit *f)
{
    for (uint64_t m = opposed; m; m &= m - 1) {
        int q = __builtin_ctzll(m);
        if (f->ic[q] > 0.5f * r->ic[q]) continue;
        f->ic[q] = f->freq[q] = 0;
        f->term[q] = MED_NONE;
    }
}

/* A finding that is the opposite of what the disease has matches nothing that the disease has by
 * that alone. */
static void fit_disease(const med_ranker *r, view v, const lost_terms *lost, fit *f)
{
    const med_term *term = r->kb->term;
    for (uint32_t q = 0; q < r->n_term; q++) f->ic[q] = f->freq[q] = 0, f->term[q] = MED_NONE;
    f->overlap = 0;
    for (uint32_t i = 0; i < v.n; i++) {
        uint32_t t = MED_PROFILE_TERM(v.profile[i]);
        uint64_t m = r->mask[t];
        if (!m || !(m &= ~r->lost[t])) continue;
        float ic = term[t].ic;
        f->overlap += ic;
        for (; m; m &= m - 1) {
            int q = __builtin_ctzll(m);
            if (ic > f->ic[q] || (ic == f->ic[q] && v.profile[i].freq > f->freq[q])) {
                f->ic[q] = ic;
                f->freq[q] = v.profile[i].freq;
                f->term[q] = t;
            }
        }
    }
    fit_opposed(r, lost->opposed, f);
}

/* log of P(finding | disease) / P(finding): the disease has the matched term so often, and
 * within it the finding is as frequent as elsewhere; LR_FLOOR for what it has by chance. */
static float log_lr(float ic, float freq)
{
    return logf(LR_FLOOR + (ic > 0 ? freq * expf(ic) : 0));
}

typedef struct {
    float oneway, lr, simgic;
} sums;

static sums add_up(const med_ranker *r, view v, const fit *f)
{
    sums s = {0};
    for (uint32_t q = 0; q < r->n_term; q++) {
        s.oneway += r->weight[q] * f->ic[q];
        s.lr += r->weight[q] * log_lr(f->ic[q], f->freq[q]);
    }
    s.oneway /= r->ic_total;
    s.lr /= r->ic_total;
    float joined = v.ic_sum + r->closure_ic - f->overlap;
    s.simgic = joined > 0 ? f->overlap / joined : 0;
    return s;
}

static float log_size(view v) { return logf(1.0f + (float)v.n); }

/* Orphanet's entries without an OMIM equivalent are mostly groups, whose subtypes stand beside
 * them: the more specific diagnosis is to be preferred where both fit equally. */
static float rank_orphanet(const med_ranker *r, uint32_t d) { return r->group[d]; }

static void first_pass(med_ranker *r)
{
    fit f;
    lost_terms lost;
    for (uint32_t d = 0; d < r->kb->n_disease; d++) {
        view v = view_of(r, d);
        r->first[d] = -1e9f;
        if (v.n == 0) continue;
        lost_mark(r, d, v, &lost);
        fit_disease(r, v, &lost, &f);
        lost_clear(r, &lost);
        sums s = add_up(r, v, &f);
        r->first[d] = r->w.oneway * s.oneway + r->w.lr * s.lr + r->w.simgic * s.simgic -
                      r->w.size * log_size(v) - r->w.orphanet * rank_orphanet(r, d);
    }
}

/* Share of what the disease should show that was found, and what weighs most among the rest. The
 * caller has marked what is lost. */
static float rank_coverage(const med_ranker *r, view v, float *missing, float *top)
{
    const med_kb *kb = r->kb;
    float have = 0, all = 0;
    *missing = *top = 0;
    for (uint32_t i = 0; i < v.n; i++) {
        if (!(v.profile[i].term & MED_PROFILE_DIRECT)) continue;
        const med_term *t = &kb->term[MED_PROFILE_TERM(v.profile[i])];
        float best = 0;
        for (uint32_t a = 0; a < t->n_ancestor; a++) {
            uint32_t at = kb->ancestor[t->ancestor_at + a];
            if (r->mask[at] & ~r->lost[at] && kb->term[at].ic > best) best = kb->term[at].ic;
        }
        float w = v.profile[i].freq, lost = w * (t->ic - best);
        have += w * best;
        all += w * t->ic;
        *missing += lost;
        if (lost > *top) *top = lost;
    }
    return all > 0 ? have / all : 0;
}

/* 1 + the place in the case of the first denial that covers a finding, 0: none does. */
static uint32_t denied_by(const med_ranker *r, uint32_t term)
{
    const med_term *t = &r->kb->term[term];
    uint32_t first = 0;
    for (uint32_t a = 0; a < t->n_ancestor; a++) {
        uint32_t by = r->denied[r->kb->ancestor[t->ancestor_at + a]];
        if (by && (!first || by < first)) first = by;
    }
    return first;
}

/* log of P(denied | disease) / P(denied), where it speaks against the disease. */
static float denied_lr(float freq, float background)
{
    float lr = logf((1 - MED_DENIED_SURE * freq) / (1 - MED_DENIED_SURE * background));
    return fminf(lr, 0);
}

/* What the disease pays for the denials, in all; each also at its place (NULL: not asked). The sum
 * runs in the profile's order, so it is the same for any order of the denials, and one more of
 * them never raises it. */
static float rank_denied(const med_ranker *r, view v, float *each)
{
    float sum = 0;
    for (uint32_t i = 0; i < v.n && r->n_denied; i++) {
        if (!(v.profile[i].term & MED_PROFILE_DIRECT)) continue;
        uint32_t t = MED_PROFILE_TERM(v.profile[i]), by = denied_by(r, t);
        if (!by) continue;
        float lr = r->w.denied * denied_lr(v.profile[i].freq, r->background[t]);
        sum += lr;
        if (each) each[by - 1] += lr;
    }
    return sum;
}

float med_denied_more(const med_ranker *r, uint32_t disease, uint32_t term)
{
    const med_case *c = med_case_of(r);
    view v = view_of(r, disease);
    float sum = 0;
    for (uint32_t i = 0; i < c->n_observed; i++)
        if (c->observed[i] < r->kb->n_term && med_kb_is_a(r->kb, c->observed[i], term)) return 0;
    for (uint32_t i = 0; i < v.n; i++) {
        uint32_t t = MED_PROFILE_TERM(v.profile[i]);
        if (!(v.profile[i].term & MED_PROFILE_DIRECT) || !med_kb_is_a(r->kb, t, term)) continue;
        if (denied_by(r, t)) continue;
        sum += r->w.denied * denied_lr(v.profile[i].freq, r->background[t]);
    }
    return sum;
}

static float sex_misfit(const med_disease *d, med_sex sex)
{
    bool xlr_only =
        d->inheritance && !(d->inheritance & ~(uint32_t)(MED_INHERIT_XLR | MED_INHERIT_Y));
    return xlr_only && sex == MED_SEX_FEMALE ? 1.0f : 0.0f;
}

/* How many years the patient is younger than the youngest stated onset, as log. */
static float onset_misfit(const med_disease *d, float age)
{
    if (!d->onset || isnan(age)) return 0;
    float gap = med_onset_from(d->onset) - age;
    return gap > 0 ? log1pf(gap) : 0;
}

static void rank_features(const med_ranker *r, const med_case *c, uint32_t d, med_candidate *out)
{
    view v = view_of(r, d);
    fit f;
    lost_terms lost;
    lost_mark(r, d, v, &lost);
    fit_disease(r, v, &lost, &f);
    sums s = add_up(r, v, &f);
    float *x = out->feature, missing, top;
    memset(out, 0, sizeof *out);
    out->disease = d;
    x[MED_F_ONEWAY] = s.oneway;
    x[MED_F_LR] = s.lr;
    x[MED_F_SIMGIC] = s.simgic;
    x[MED_F_SIZE] = log_size(v);
    x[MED_F_COVERAGE] = rank_coverage(r, v, &missing, &top);
    lost_clear(r, &lost);
    x[MED_F_MISSING] = log1pf(missing);
    x[MED_F_MISSING_TOP] = top;
    x[MED_F_WORST_IC] = x[MED_F_LR_MIN] = 1e9f;
    float n = r->n_term ? (float)r->n_term : 1;
    for (uint32_t q = 0; q < r->n_term; q++) {
        float lr = log_lr(f.ic[q], f.freq[q]);
        x[MED_F_EXACT] += f.term[q] == r->term[q] ? 1 / n : 0;
        x[MED_F_BROADER] += f.term[q] != r->term[q] && f.ic[q] > 0.5f * r->ic[q] ? 1 / n : 0;
        x[MED_F_UNEXPLAINED] += f.ic[q] <= 0.5f * r->ic[q] ? 1 / n : 0;
        x[MED_F_MEAN_IC] += f.ic[q] / n;
        x[MED_F_FREQ_MEAN] += f.freq[q] / n;
        if (f.ic[q] > x[MED_F_BEST_IC]) x[MED_F_BEST_IC] = f.ic[q];
        if (f.ic[q] < x[MED_F_WORST_IC]) x[MED_F_WORST_IC] = f.ic[q];
        if (lr > x[MED_F_LR_MAX]) x[MED_F_LR_MAX] = lr;
        if (lr < x[MED_F_LR_MIN]) x[MED_F_LR_MIN] = lr;
    }
    out->denied = rank_denied(r, v, NULL);
    const med_disease *dis = &r->kb->disease[d];
    x[MED_F_SEX] = sex_misfit(dis, c->sex);
    x[MED_F_ONSET] = onset_misfit(dis, c->age_years);
    x[MED_F_MEMORY] = r->memory[d];
    x[MED_F_ORPHANET] = rank_orphanet(r, d);
    x[MED_F_INHERITED] = (dis->flags & MED_DISEASE_INHERITED_PROFILE) ? 1.0f : 0.0f;
    out->score = r->w.oneway * s.oneway + r->w.lr * s.lr + r->w.simgic * s.simgic +
                 r->w.coverage * x[MED_F_COVERAGE] - r->w.size * x[MED_F_SIZE] -
                 r->w.onset * x[MED_F_ONSET] - r->w.sex * x[MED_F_SEX] -
                 r->w.orphanet * x[MED_F_ORPHANET] - 0.002f * x[MED_F_INHERITED];
    x[MED_F_SCORE] = out->score;
}

static int rank_by_score(const void *a, const void *b)
{
    const med_candidate *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x->disease > y->disease) - (x->disease < y->disease);
}

/* The best SHORT_LIST of the first pass by a small heap over (score, -number); then those that
 * memory remembers. */
static uint32_t short_list(med_ranker *r, uint32_t max)
{
    uint32_t n = 0, *h = r->order;
#define LESS(a, b) (r->first[a] < r->first[b] || (r->first[a] == r->first[b] && (a) > (b)))
    for (uint32_t d = 0; d < r->kb->n_disease; d++) {
        if (r->first[d] <= -1e8f || (n == max && LESS(d, h[0]))) continue;
        uint32_t at = n == max ? 0 : n++;
        h[at] = d;
        for (uint32_t up; at && n <= max && LESS(h[at], h[up = (at - 1) / 2]); at = up) {
            uint32_t t = h[at];
            h[at] = h[up];
            h[up] = t;
        }
        for (uint32_t kid; (kid = 2 * at + 1) < n; at = kid) {
            if (kid + 1 < n && LESS(h[kid + 1], h[kid])) kid++;
            if (!LESS(h[kid], h[at])) break;
            uint32_t t = h[at];
            h[at] = h[kid];
            h[kid] = t;
        }
    }
#undef LESS
    return n;
}

/* What long-term memory holds of a disease may rest on the case's own publication: those are
 * measured again without. */
static r1_status rank_recall(med_ranker *r, r1_err *err)
{
    float query[MED_KEY], key[MED_KEY];
    for (uint32_t d = 0; d < r->kb->n_disease; d++) r->memory[d] = -1;
    if (!r->use_memory) return R1_OK;
    med_retrieval_query(r->retrieval, r->term, r->n_term, query);
    R1_TRY(med_retrieve(r->retrieval, query, MEMORY_LIST, r->memory, err));
    for (uint32_t d = 0; d < r->kb->n_disease; d++) {
        if (!r->touched[d] || r->memory[d] < 0) continue;
        med_retrieval_key(r->kb, r->view[d].profile, r->view[d].n, key);
        r->memory[d] = med_retrieval_dot(query, key);
    }
    return R1_OK;
}

/* Whether a list is in the order that rank_by_score gives. */
static bool rank_is_sorted(const med_candidate *list, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (rank_by_score(&list[i - 1], &list[i]) > 0) return false;
    return true;
}

r1_status med_rank(med_ranker *r, med_candidate *out, uint32_t max, uint32_t *n, r1_err *err)
{
    static _Thread_local med_candidate all[MED_CANDIDATES_MAX];
    const med_case *c = med_case_of(r);
    if (max > MED_CANDIDATES_MAX) max = MED_CANDIDATES_MAX;
    *n = 0;
    if (r->n_term == 0) return R1_OK;
    first_pass(r);
    r1_status st = rank_recall(r, err);
    uint32_t n_all = short_list(r, SHORT_LIST);
    for (uint32_t i = 0; i < n_all; i++) {
        rank_features(r, c, r->order[i], &all[i]);
        r->first[r->order[i]] = -1e9f; /* taken */
    }
    for (uint32_t d = 0; d < r->kb->n_disease && n_all < MED_CANDIDATES_MAX; d++)
        if (r->memory[d] >= 0 && r->first[d] > -1e8f) rank_features(r, c, d, &all[n_all++]);
    R1_ASSERT(n_all <= MED_CANDIDATES_MAX, "%u candidates", n_all);
    qsort(all, n_all, sizeof *all, rank_by_score);
    for (uint32_t i = 0; i < n_all; i++) {
        all[i].feature[MED_F_RANK] = logf(1.0f + (float)i);
        all[i].feature[MED_F_GAP] = all[0].score - all[i].score;
    }
    *n = n_all < max ? n_all : max;
    memcpy(out, all, *n * sizeof *out);
    return st;
}

void med_rescore(med_ranker *r, med_candidate *list, uint32_t n)
{
    const med_case *c = med_case_of(r);
    for (uint32_t i = 0; i < n; i++) rank_features(r, c, list[i].disease, &list[i]);
    qsort(list, n, sizeof *list, rank_by_score);
    R1_DEEP_ASSERT(rank_is_sorted(list, n), "%u candidates", n);
}

/* The findings of the open case under one view. */
static void match_view(const med_ranker *r, const med_case *c, uint32_t d, med_match *match)
{
    fit f;
    view v = view_of(r, d);
    lost_terms lost;
    lost_mark(r, d, v, &lost);
    fit_disease(r, v, &lost, &f);
    lost_clear(r, &lost);
    for (uint32_t i = 0; i < c->n_observed; i++) {
        match[i] = (med_match){.term = c->observed[i], .matched = MED_NONE, .opposite = MED_NONE};
        for (uint32_t q = 0; q < r->n_term; q++) {
            if (r->term[q] != c->observed[i]) continue;
            match[i] = (med_match){r->term[q],
                                   f.term[q],
                                   MED_NONE,
                                   MED_MATCH_NONE,
                                   f.ic[q],
                                   f.freq[q],
                                   log_lr(f.ic[q], f.freq[q])};
            if (f.term[q] == MED_NONE) break;
            bool exact = f.term[q] == r->term[q];
            match[i].kind = exact                       ? MED_MATCH_EXACT
                            : f.ic[q] > 0.5f * r->ic[q] ? MED_MATCH_SPECIFIC
                                                        : MED_MATCH_BROAD;
        }
    }
}

void med_explain_list(med_ranker *r, const med_candidate *list, uint32_t n, med_match *match)
{
    const med_case *c = med_case_of(r);
    for (uint32_t k = 0; k < n; k++)
        match_view(r, c, list[k].disease, match + (size_t)k * c->n_observed);
}

void med_explain(med_ranker *r, uint32_t disease, med_match *match, float *excluded)
{
    const med_case *c = med_case_of(r);
    view v = view_of(r, disease);
    match_view(r, c, disease, match);
    for (uint32_t i = 0; i < c->n_observed; i++)
        if (match[i].kind == MED_MATCH_NONE && match[i].term < r->kb->n_term &&
            r->opposed[view_number(r, disease)])
            match[i].opposite = opposite_in(r, v, match[i].term);
    for (uint32_t i = 0; i < c->n_excluded; i++) excluded[i] = 0;
    rank_denied(r, v, excluded);
}

const med_profile *med_case_profile(const med_ranker *r, uint32_t disease, uint32_t *n)
{
    med_case_of(r);
    R1_ASSERT(disease < r->kb->n_disease, "disease %u of %u", disease, r->kb->n_disease);
    view v = view_of(r, disease);
    *n = v.n;
    return v.profile;
}

bool med_covered(med_ranker *r, uint32_t disease)
{
    med_case_of(r);
    return disease < r->kb->n_disease && view_of(r, disease).n > 0;
}

static int rank_by_logit(const void *a, const void *b)
{
    const med_candidate *x = a, *y = b;
    if (x->logit != y->logit) return x->logit > y->logit ? -1 : 1;
    return rank_by_score(a, b);
}

float med_posterior(med_candidate *list, uint32_t n)
{
    double top = 0, sum, named = 0;
    for (uint32_t i = 0; i < n; i++) top = fmax(top, (double)list[i].logit);
    sum = exp(-top);
    for (uint32_t i = 0; i < n; i++) sum += exp((double)list[i].logit - top);
    for (uint32_t i = 0; i < n; i++) {
        R1_ASSERT(!(list[i].denied > 0), "candidate %u: denials of %g", i, (double)list[i].denied);
        double p = exp((double)list[i].logit - top) / sum * exp((double)list[i].denied);
        list[i].posterior = (float)p;
        list[i].logit += list[i].denied;
        named += p;
    }
    qsort(list, n, sizeof *list, rank_by_logit);
    return (float)fmax(0, 1 - named);
}

float med_posterior_likelihood(med_candidate *list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        list[i].logit = posterior_scale * (list[i].score - posterior_none);
    return med_posterior(list, n);
}
