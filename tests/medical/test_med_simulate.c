/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_simulate.c - simulated patients: what holds of every one, that the same seed gives
 * the same, and that findings come as often as the annotations say (told exactly or as a parent,
 * so counted over closures). */
#include "ontology/med_sources.h"
#include "support/r1_test.h"
#include "train/med_simulate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_err err;
static med_kb *kb;

static void med_simulate_ready(void)
{
    if (!kb) R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
}

static uint32_t med_simulate_times(const uint32_t *term, uint32_t n, uint32_t t)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++) k += term[i] == t;
    return k;
}

static void test_properties(void)
{
    med_simulate_ready();
    r1_rng rng, again;
    r1_rng_seed(&rng, r1_test_seed());
    r1_rng_seed(&again, r1_test_seed());
    uint8_t *avoid = calloc(kb->n_disease, 1);
    for (uint32_t i = 0; i < kb->n_disease; i++) avoid[i] = i % 3 == 0;
    for (int round = 0; round < 3000; round++) {
        med_patient p, q;
        memset(&p, 0, sizeof p);
        memset(&q, 0, sizeof q);
        CU_ASSERT_FATAL(med_simulate(kb, avoid, &rng, &p));
        CU_ASSERT_FATAL(med_simulate(kb, avoid, &again, &q));
        CU_ASSERT(p.disease == q.disease && p.n_observed == q.n_observed &&
                  p.n_excluded == q.n_excluded);
        CU_ASSERT_EQUAL(memcmp(p.observed, q.observed, p.n_observed * sizeof *p.observed), 0);
        CU_ASSERT(p.disease < kb->n_disease && !avoid[p.disease] &&
                  kb->disease[p.disease].n_profile);
        CU_ASSERT(p.n_observed >= 2 && p.n_observed <= MED_SIMULATED_FINDINGS);
        CU_ASSERT(p.n_excluded <= MED_SIMULATED_EXCLUDED);
        for (uint32_t i = 0; i < p.n_observed; i++) {
            CU_ASSERT(p.observed[i] < kb->n_term &&
                      kb->term[p.observed[i]].flags & MED_TERM_PHENOTYPE);
            CU_ASSERT_EQUAL(med_simulate_times(p.observed, p.n_observed, p.observed[i]), 1);
            CU_ASSERT_EQUAL(med_simulate_times(p.excluded, p.n_excluded, p.observed[i]), 0);
        }
        med_case c = med_patient_query(&p);
        CU_ASSERT(c.n_observed == p.n_observed && isnan(c.age_years) && !c.skip.pmid);
    }
    memset(avoid, 1, kb->n_disease);
    med_patient none;
    CU_ASSERT(!med_simulate(kb, avoid, &rng, &none));
    free(avoid);
}

/* Of one disease's patients: the frequent findings are told more often than the rare ones, and
 * most of what is told is the disease's own. */
static void test_frequencies(void)
{
    enum { ROUNDS = 4000 };
    med_simulate_ready();
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed() + 1);
    uint8_t *avoid = malloc(kb->n_disease);
    double often = 0, rare = 0, n_often = 0, n_rare = 0, own = 0, told = 0;
    memset(avoid, 1, kb->n_disease);
    uint32_t at = 0;
    while (at < kb->n_disease && kb->disease[at].n_profile < 8) at++;
    CU_ASSERT_FATAL(at < kb->n_disease);
    avoid[at] = 0;
    const med_disease *d = &kb->disease[at];
    for (int round = 0; round < ROUNDS; round++) {
        med_patient p;
        CU_ASSERT_FATAL(med_simulate(kb, avoid, &rng, &p));
        for (uint32_t k = 0; k < d->n_profile; k++) {
            const med_profile *f = &kb->profile[d->profile_at + k];
            uint32_t hit = med_simulate_times(p.observed, p.n_observed, MED_PROFILE_TERM(*f));
            own += hit;
            if (!(f->term & MED_PROFILE_DIRECT)) continue;
            *(f->freq >= 0.5f ? &often : &rare) += hit;
            *(f->freq >= 0.5f ? &n_often : &n_rare) += 1;
        }
        told += p.n_observed;
    }
    printf("%s: a frequent finding in %.3f of patients, a rarer one in %.3f; own %.3f of what is "
           "told\n",
           med_str(kb, d->name), often / n_often, rare / n_rare, own / told);
    CU_ASSERT(n_often > 0);
    if (n_rare > 0) CU_ASSERT(often / n_often > rare / n_rare);
    CU_ASSERT(own / told > 0.75 && own / told < 0.99);
    free(avoid);
    med_kb_free(kb);
}

R1_TEST_MAIN("simulated patients", {"properties", test_properties},
             {"frequencies", test_frequencies})
