/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_rank.c - properties of the ranking: order of findings does not matter, a finding that
 * a disease has never lowers its likelihood ratio, a full textbook profile finds its disease,
 * probabilities add up. Denials: what counts, what does not, and what they may do. */
#include "ontology/med_sources.h"
#include "rank/med_rank.h"
#include "support/r1_test.h"

#include <math.h>
#include <string.h>

static r1_err err;
static med_kb *kb;
static med_ranker *r;

static void med_rank_ready(void)
{
    if (r) return;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_ranker_new(&r, kb, &err), &err);
}

static uint32_t med_rank_direct(const med_disease *d, uint32_t *term)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->n_profile; i++)
        if (kb->profile[d->profile_at + i].term & MED_PROFILE_DIRECT)
            term[n++] = MED_PROFILE_TERM(kb->profile[d->profile_at + i]);
    return n;
}

static float lr_of(const uint32_t *term, uint32_t n, uint32_t disease)
{
    med_match m[MED_QUERY_MAX];
    float none[1], sum = 0;
    med_case c = {.observed = term, .n_observed = n, .age_years = NAN};
    med_case_open(r, &c);
    med_explain(r, disease, m, none);
    for (uint32_t i = 0; i < n; i++) sum += m[i].log_lr;
    return sum;
}

static void test_full_profiles(void)
{
    uint32_t right = 0, term[MED_QUERY_MAX], n;
    med_candidate list[10];
    med_rank_ready();
    for (uint32_t d = 0; d < kb->n_disease; d++) {
        med_case c = {.observed = term,
                      .n_observed = med_rank_direct(&kb->disease[d], term),
                      .age_years = NAN};
        med_case_open(r, &c);
        R1_ASSERT_OK(med_rank(r, list, 10, &n, &err), &err);
        right += n && list[0].disease == d;
    }
    CU_ASSERT(right + 2 >= kb->n_disease);
}

static void test_order_does_not_matter(void)
{
    uint32_t term[MED_QUERY_MAX], n, m;
    med_candidate a[50], b[50];
    r1_rng rng;
    med_rank_ready();
    r1_rng_seed(&rng, r1_test_seed());
    for (int round = 0; round < 100; round++) {
        uint32_t k = 2 + (uint32_t)r1_rng_below(&rng, 9);
        for (uint32_t i = 0; i < k; i++) term[i] = (uint32_t)r1_rng_below(&rng, kb->n_term);
        med_case c = {.observed = term, .n_observed = k, .age_years = NAN};
        med_case_open(r, &c);
        R1_ASSERT_OK(med_rank(r, a, 50, &n, &err), &err);
        for (uint32_t i = k - 1; i > 0; i--) {
            uint32_t j = (uint32_t)r1_rng_below(&rng, i + 1), t = term[i];
            term[i] = term[j];
            term[j] = t;
        }
        med_case_open(r, &c);
        R1_ASSERT_OK(med_rank(r, b, 50, &m, &err), &err);
        CU_ASSERT_EQUAL(n, m);
        CU_ASSERT_EQUAL(memcmp(a, b, n * sizeof *a), 0);
    }
}

static void test_matching_finding_helps(void)
{
    uint32_t term[MED_QUERY_MAX];
    med_rank_ready();
    for (uint32_t d = 0; d < kb->n_disease; d++) {
        uint32_t n = med_rank_direct(&kb->disease[d], term);
        for (uint32_t k = 1; k < n; k++) {
            const med_profile *p = kb->profile + kb->disease[d].profile_at;
            float freq = 0;
            for (uint32_t i = 0; i < kb->disease[d].n_profile; i++)
                if (MED_PROFILE_TERM(p[i]) == term[k]) freq = p[i].freq;
            if (freq * expf(kb->term[term[k]].ic) < 1) continue; /* rarer there than elsewhere */
            CU_ASSERT(lr_of(term, k + 1, d) >= lr_of(term, k, d));
        }
    }
}

static void test_med_rank_edges(void)
{
    uint32_t n = 7;
    med_candidate list[3];
    med_rank_ready();
    med_case c = {.age_years = NAN};
    med_case_open(r, &c);
    R1_ASSERT_OK(med_rank(r, list, 3, &n, &err), &err);
    CU_ASSERT_EQUAL(n, 0);
    uint32_t wild = UINT32_MAX - 5;
    c.observed = &wild;
    c.n_observed = 1;
    med_case_open(r, &c);
    R1_ASSERT_OK(med_rank(r, list, 3, &n, &err), &err);
    CU_ASSERT_EQUAL(n, 0);
    med_ranker_free(r);
    med_kb_free(kb);
    r = NULL;
    kb = NULL;
}

static void ask_without_a_case(void *ctx)
{
    med_match match[1];
    med_explain(ctx, 0, match, NULL);
}

/* One softmax, then each disease by its own denials: what is lost goes to "none of these". */
static void test_posterior(void)
{
    med_candidate list[3] = {{.disease = 0, .logit = 1},
                             {.disease = 1, .logit = 2, .denied = -1.5f},
                             {.disease = 2, .logit = -80, .denied = -1000}};
    double sum = 1 + exp(1) + exp(2);
    float none = med_posterior(list, 3);
    CU_ASSERT(list[0].disease == 0 && list[1].disease == 1 && list[2].disease == 2);
    CU_ASSERT(fabs((double)list[0].posterior - exp(1) / sum) < 1e-6);
    CU_ASSERT(fabs((double)list[1].posterior - exp(2 - 1.5) / sum) < 1e-6);
    CU_ASSERT(list[1].logit == 0.5f && list[2].logit == -1080 && list[2].posterior == 0);
    CU_ASSERT(fabsf(none + list[0].posterior + list[1].posterior - 1) < 1e-6f);
}

/* What a case's denials take from a disease, each and in all. */
static float denied_of(const med_case *c, uint32_t disease, float *each)
{
    med_match m[MED_QUERY_MAX];
    med_candidate one = {.disease = disease};
    double sum = 0;
    med_case_open(r, c);
    med_rescore(r, &one, 1);
    med_explain(r, disease, m, each);
    for (uint32_t i = 0; i < c->n_excluded; i++) {
        CU_ASSERT(each[i] <= 0);
        sum += (double)each[i];
    }
    CU_ASSERT(fabs(sum - (double)one.denied) < 1e-4);
    return one.denied;
}

static bool holds_below(uint32_t disease, uint32_t term)
{
    const med_disease *d = &kb->disease[disease];
    for (uint32_t i = 0; i < d->n_profile; i++)
        if (MED_PROFILE_TERM(kb->profile[d->profile_at + i]) == term) return true;
    return false;
}

/* Every disease, random denials: one more never raises, what the disease does not have takes
 * nothing, a denial below an observed finding and one above it are told apart. */
static void test_denials(void)
{
    enum { MAX = 12 };
    uint32_t term[MAX], seen[1];
    float each[MAX], sum, last;
    r1_rng rng;
    med_rank_ready();
    r1_rng_seed(&rng, r1_test_seed());
    for (int round = 0; round < 2000; round++) {
        uint32_t d = (uint32_t)r1_rng_below(&rng, kb->n_disease);
        const med_profile *p = kb->profile + kb->disease[d].profile_at;
        med_case c = {.observed = seen, .n_observed = 1, .excluded = term, .age_years = NAN};
        seen[0] = (uint32_t)r1_rng_below(&rng, kb->n_term);
        for (last = 0; c.n_excluded < MAX; last = sum) {
            uint32_t at = (uint32_t)r1_rng_below(&rng, kb->disease[d].n_profile);
            term[c.n_excluded++] = r1_rng_below(&rng, 3) ? MED_PROFILE_TERM(p[at])
                                                         : (uint32_t)r1_rng_below(&rng, kb->n_term);
            uint32_t t = term[c.n_excluded - 1];
            sum = denied_of(&c, d, each);
            CU_ASSERT(sum <= last);
            if (!holds_below(d, t) || med_kb_is_a(kb, seen[0], t)) CU_ASSERT_EQUAL(sum, last);
        }
    }
}

/* Denied a parent: so are its children, and no child more takes anything. Denied a child: its
 * parent is not. A frequency that is no higher than elsewhere takes nothing. */
static void test_denied_families(void)
{
    uint32_t n_pair = 0;
    float each[2];
    med_rank_ready();
    for (uint32_t d = 0; d < kb->n_disease; d++) {
        const med_disease *x = &kb->disease[d];
        for (uint32_t i = 0; i < x->n_profile; i++) {
            uint32_t child = MED_PROFILE_TERM(kb->profile[x->profile_at + i]);
            if (!kb->term[child].n_parent) continue;
            uint32_t up = kb->parent[kb->term[child].parent_at], both[2] = {child, up};
            med_case c = {.excluded = both, .n_excluded = 1, .age_years = NAN};
            float one = denied_of(&c, d, each);
            c.n_excluded = 2;
            float all = denied_of(&c, d, each);
            c.excluded = &up;
            c.n_excluded = 1;
            CU_ASSERT_EQUAL(denied_of(&c, d, each), all);
            CU_ASSERT(all <= one);
            n_pair += all < one && one < 0;
            c.observed = &up;
            c.n_observed = 1;
            CU_ASSERT_EQUAL(denied_of(&c, d, each), 0);
            c.excluded = &child;
            CU_ASSERT_EQUAL(denied_of(&c, d, each), one);
        }
    }
    CU_ASSERT(n_pair > 50);
}

/* A ranker answers under an open case alone; a closed one leaves no mark behind. */
static void test_med_rank_open_case(void)
{
    uint32_t term = 0;
    med_rank_ready();
    med_case c = {.observed = &term, .n_observed = 1, .age_years = NAN, .skip = {.pmid = 1}};
    med_case_open(r, &c);
    CU_ASSERT_EQUAL(med_case_of(r)->n_observed, 1);
    med_case_close(r);
    CU_ASSERT(r1_test_breaks(ask_without_a_case, r, "no case is open"));
}

R1_TEST_MAIN("medical rank", {"full profiles", test_full_profiles},
             {"order", test_order_does_not_matter}, {"a match helps", test_matching_finding_helps},
             {"posterior", test_posterior}, {"denials", test_denials},
             {"denied families", test_denied_families}, {"open case", test_med_rank_open_case},
             {"edges", test_med_rank_edges})
