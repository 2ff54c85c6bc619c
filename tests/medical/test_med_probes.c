/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_probes.c - no denial raises a disease: generated patients through the shipped model and
 * through the likelihood, over the demonstration ontology and, where it is there, over the whole of
 * HPO. Judges with a planted fault of each kind must be found out. */
#include "ontology/med_sources.h"
#include "probes/med_probes.h"
#include "rank/med_rerank.h"
#include "support/r1_test.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

/* What a planted judge does with the true answer. */
typedef enum { TRUE_ANSWER, SIGN, SOFTMAX, FIRST_TWO, CANDIDATES, SHIFT } fault;

typedef struct {
    med_ranker *ranker;
    med_reranker *x;
    fault fault;
} judge;

static r1_err err;

static void plant(fault f, const med_case *c, med_candidate *list, uint32_t *n)
{
    double sum = 1;
    for (uint32_t i = 0; i < *n; i++) sum += exp((double)list[i].logit);
    for (uint32_t i = 0; i < *n; i++) {
        double p = (double)list[i].posterior;
        if (f == SIGN) p *= exp(-2 * (double)list[i].denied);
        if (f == SOFTMAX) p = exp((double)list[i].logit) / sum;
        if (f == SHIFT && c->n_excluded % 2) p *= 0.9;
        list[i].posterior = (float)p;
    }
    if (f == CANDIDATES && c->n_excluded % 2 && *n > 1) --*n;
}

static r1_status med_probes_judge(void *ctx, const med_case *c, med_candidate *list, uint32_t *n,
                                  r1_err *e)
{
    const judge *j = ctx;
    med_case asked = *c;
    float none;
    if (j->fault == FIRST_TWO && asked.n_excluded > 2) asked.n_excluded = 2;
    R1_TRY(med_rerank_case(j->x, j->ranker, &asked, true, list, n, &none, e));
    plant(j->fault, &asked, list, n);
    return R1_OK;
}

static med_probes_result probe_with(const med_kb *kb, bool with_r1, fault f, uint32_t n)
{
    judge j = {.fault = f};
    r1_model *model = NULL;
    med_probes_result res;
    med_probes_opts o = {.n_probe = n, .seed = r1_test_seed()};
    R1_ASSERT_OK(med_ranker_new(&j.ranker, kb, &err), &err);
    if (with_r1) {
        R1_ASSERT_OK(r1_model_open(&model, r1_test_source("models/medical-b.gguf"), &err), &err);
        R1_ASSERT_OK(med_reranker_new(&j.x, model, R1_PRECISION_AUTO, &err), &err);
    }
    R1_ASSERT_OK(med_probes(kb, med_probes_judge, &j, &o, &res, &err), &err);
    med_reranker_free(j.x);
    r1_model_free(model);
    med_ranker_free(j.ranker);
    return res;
}

static med_probes_result probe_demonstration(bool with_r1, fault f, uint32_t n)
{
    med_kb *kb = NULL;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    med_probes_result res = probe_with(kb, with_r1, f, n);
    med_kb_free(kb);
    return res;
}

static void holds(const med_probes_result *res, uint32_t n, const char *what)
{
    printf("%s: %u probes, %u typical denials, %u violations, largest rise %g, mean %.3f to %.3f\n",
           what, res->n_probe, res->n_typical, med_probes_violations(res), res->largest_rise,
           res->before, res->after);
    CU_ASSERT_EQUAL(res->n_probe, n);
    CU_ASSERT_EQUAL(med_probes_violations(res), 0);
    CU_ASSERT_EQUAL(res->largest_rise, 0);
    CU_ASSERT(res->n_typical >= n / 2 && res->n_unrelated >= n / 2 && res->n_listed >= n / 2);
    CU_ASSERT(res->n_compared > n && res->after < res->before);
}

static void test_shipped_model(void)
{
    med_probes_result res = probe_demonstration(true, TRUE_ANSWER, 400);
    holds(&res, 400, "shipped model");
}

static void test_likelihood_alone(void)
{
    med_probes_result res = probe_demonstration(false, TRUE_ANSWER, 2000);
    holds(&res, 2000, "likelihood");
}

/* Ten thousand over the same are recorded: lab/results, run probes. */
static void test_whole_hpo(void)
{
    const char *folder = r1_test_source("../shared/data/medical");
    med_kb *kb = NULL;
    if (access(folder, R_OK) != 0) {
        printf("no %s: passed over\n", folder);
        return;
    }
    R1_ASSERT_OK(med_sources_open(&kb, folder, &err), &err);
    med_probes_result res = probe_with(kb, true, TRUE_ANSWER, 40);
    holds(&res, 40, "shipped model, whole HPO");
    med_kb_free(kb);
}

/* Each planted fault is found, as what it is. */
static void test_planted_faults(void)
{
    med_probes_result res = probe_demonstration(false, SIGN, 300);
    CU_ASSERT(res.n_raised > 300 && res.n_kept > 300 && res.largest_rise > 0);
    res = probe_demonstration(false, SOFTMAX, 300);
    CU_ASSERT(res.n_raised > 0 && res.largest_rise > 0 && res.n_lost == 0);
    res = probe_demonstration(false, FIRST_TWO, 300);
    CU_ASSERT(res.n_ordered > 0 && res.n_kept > 0 && res.n_raised == 0);
    res = probe_demonstration(false, CANDIDATES, 300);
    CU_ASSERT(res.n_lost > 0);
    res = probe_demonstration(false, SHIFT, 300);
    CU_ASSERT(res.n_moved > 0 && res.n_raised > 0);
}

R1_TEST_MAIN("denials", {"shipped model", test_shipped_model},
             {"likelihood alone", test_likelihood_alone}, {"whole HPO", test_whole_hpo},
             {"planted faults", test_planted_faults})
