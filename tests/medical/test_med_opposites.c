/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_opposites.c - a finding that is the opposite of what a disease has supports it by
 * nothing: asked of every pair of the table and every disease that has one side of it, for
 * patients of each sex, against the profiles themselves. Tables that are none are refused. */
#include "ontology/med_sources.h"
#include "rank/med_opposites.h"
#include "rank/med_rank.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_err err;
static med_kb *kb;
static med_ranker *ranker;
static med_opposites *opposites;

static void opposites_ready(void)
{
    if (opposites) return;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_ranker_new(&ranker, kb, &err), &err);
    R1_ASSERT_OK(med_opposites_new(&opposites, kb, NULL, 0, &err), &err);
}

static bool below_opposite(uint32_t term, uint32_t finding)
{
    med_opposite_walk walk = {0};
    for (uint32_t other; (other = med_opposites_next(opposites, finding, &walk)) != MED_NONE;)
        if (med_kb_is_a(kb, term, other)) return true;
    return false;
}

/* Whether the disease, as it stands for the open case, has a finding that is below no opposite of
 * this one and has more than half of its information in common; *opposite: whether it has one. */
static bool supported(uint32_t disease, uint32_t finding, bool *opposite)
{
    uint32_t n;
    const med_profile *p = med_case_profile(ranker, disease, &n);
    const med_term *t = &kb->term[finding];
    bool own = false;
    *opposite = false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t term = MED_PROFILE_TERM(p[i]);
        if (!(p[i].term & MED_PROFILE_DIRECT)) continue;
        bool against = below_opposite(term, finding);
        *opposite |= against;
        for (uint32_t a = 0; a < t->n_ancestor && !against; a++) {
            uint32_t above = kb->ancestor[t->ancestor_at + a];
            own |= kb->term[above].ic > .5f * t->ic && med_kb_is_a(kb, term, above);
        }
    }
    return own;
}

static uint32_t check_pair(uint32_t term, med_sex sex)
{
    uint32_t told = 0;
    const med_case c = {.observed = &term, .n_observed = 1, .sex = sex, .age_years = NAN};
    med_case_open(ranker, &c);
    for (uint32_t d = 0; d < kb->n_disease; d++) {
        med_match m;
        float none[1];
        bool opposite, own = supported(d, term, &opposite);
        if (!opposite) continue;
        med_explain(ranker, d, &m, none);
        CU_ASSERT_EQUAL(m.kind != MED_MATCH_NONE, own);
        if (own) continue;
        CU_ASSERT_EQUAL(m.matched, MED_NONE);
        CU_ASSERT_NOT_EQUAL(m.opposite, MED_NONE);
        CU_ASSERT(m.log_lr < 0);
        told++;
    }
    return told;
}

static void test_opposite_supports_nothing(void)
{
    uint32_t told = 0;
    opposites_ready();
    CU_ASSERT(med_opposites_pairs(opposites) > 5);
    for (uint32_t t = 0; t < kb->n_term; t++) {
        med_opposite_walk walk = {0};
        if (!(kb->term[t].flags & MED_TERM_PHENOTYPE) || kb->term[t].ic < .25f ||
            med_opposites_next(opposites, t, &walk) == MED_NONE)
            continue;
        for (int sex = 0; sex <= MED_SEX_MALE; sex++) told += check_pair(t, (med_sex)sex);
    }
    CU_ASSERT(told > 100);
}

static uint32_t term_of(const char *id) { return med_kb_term(kb, id, strlen(id)); }

/* Marfan syndrome has tall stature: short stature, and what is below it, speak against it. The
 * disease comes before others by tall stature, and not by the opposite. */
static void test_opposite_known(void)
{
    opposites_ready();
    uint32_t marfan = med_kb_disease(kb, "OMIM:154700", strlen("OMIM:154700"));
    uint32_t term[] = {term_of("HP:0004322"), term_of("HP:0001083")};
    med_match m[2];
    float none[1];
    const med_case c = {.observed = term, .n_observed = 2, .age_years = NAN};
    CU_ASSERT_NOT_EQUAL_FATAL(marfan, MED_NONE);
    med_case_open(ranker, &c);
    med_explain(ranker, marfan, m, none);
    CU_ASSERT_EQUAL(m[0].kind, MED_MATCH_NONE);
    CU_ASSERT(m[0].opposite != MED_NONE && med_kb_is_a(kb, m[0].opposite, term_of("HP:0000098")));
    CU_ASSERT_EQUAL(m[1].kind, MED_MATCH_EXACT);
    CU_ASSERT_EQUAL(m[1].opposite, MED_NONE);
}

static void test_opposite_tables(void)
{
    static const struct {
        const char *text, *words;
    } bad[] = {{"HP:0000098\n", ":1: expected two different ids"},
               {"# x\nHP:0000098\tHP:000432\n", ":2: expected"},
               {"HP:0000098\tHP:0000098\n", ":1: expected two different"},
               {"HP:0000098 HP:0004322\n", ":1: expected"},
               {"HP:0000098\tHP:0004322\r\n", ":1: expected"},
               {"MP:0000098\tHP:0004322\n", ":1: expected"}};
    static const char good[] = "#\n\nHP:0000098\tHP:0004322\tTall\tShort\nHP:0004322\tHP:0000098\n"
                               "HP:9999999\tHP:0000098\nHP:0000118\tHP:0000098";
    med_opposites *o;
    opposites_ready();
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        r1_err why = {0};
        CU_ASSERT_EQUAL(
            med_opposites_read(&o, kb, NULL, 0, "t", bad[i].text, strlen(bad[i].text), &why),
            R1_E_FORMAT);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.msg, bad[i].words));
        CU_ASSERT_PTR_NULL(o);
    }
    R1_ASSERT_OK(med_opposites_read(&o, kb, NULL, 0, "t", good, sizeof good - 1, &err), &err);
    CU_ASSERT_EQUAL(med_opposites_pairs(o), 1); /* one, however often and with unknown ones */
    med_opposites_free(o);
}

static void test_opposites_over(void)
{
    med_opposites_free(opposites);
    med_ranker_free(ranker);
    med_kb_free(kb);
}

R1_TEST_MAIN("medical opposites", {"an opposite supports nothing", test_opposite_supports_nothing},
             {"Marfan syndrome", test_opposite_known}, {"tables", test_opposite_tables},
             {"over", test_opposites_over})
