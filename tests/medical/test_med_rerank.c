/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_rerank.c - R1 over a list: working memory holds what the plan says (random findings
 * through both), scores by way of the memory equal those from plain events bit for bit, the
 * trace adds up, probabilities add up, other models are refused. */
#include "ontology/med_sources.h"
#include "rank/med_rerank.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_err err;
static med_kb *kb;
static med_ranker *ranker;
static r1_model *model;
static r1_rng rng;

static void med_rerank_ready(void)
{
    char *json;
    if (model) return;
    r1_rng_seed(&rng, r1_test_seed());
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_ranker_new(&ranker, kb, &err), &err);
    R1_ASSERT_OK(med_description("rank", &json, &err), &err);
    R1_ASSERT_OK(r1_model_new(&model, json, 7, &err), &err);
    free(json);
}

static uint32_t random_terms(uint32_t *term, uint32_t max)
{
    uint32_t n = 1 + (uint32_t)r1_rng_below(&rng, max);
    for (uint32_t i = 0; i < n; i++) {
        do term[i] = (uint32_t)r1_rng_below(&rng, kb->n_term);
        while (!(kb->term[term[i]].flags & MED_TERM_PHENOTYPE));
    }
    return n;
}

static void test_memory_follows_plan(void)
{
    enum { MAX = 80 };
    r1_memory *mem = NULL;
    uint32_t term[MAX];
    med_anchor a[MAX];
    uint64_t handle[MAX], ticket;
    med_rerank_ready();
    r1_memory_opts o = {.bytes_max = 1u << 20, .quota = MED_RING, .n_entity_max = 4};
    R1_ASSERT_OK(r1_memory_new(&mem, model, &o, &err), &err);
    for (int round = 0; round < 200; round++) {
        med_case c = {.observed = term, .n_observed = random_terms(term, MAX), .age_years = NAN};
        uint32_t n = med_case_anchors(kb, &c, a, MAX), held = 0, pinned = 0;
        for (uint32_t i = 0; i < n; i++) a[i].certainty = (float)r1_rng_unit(&rng);
        med_anchors_plan(kb, a, n, round % 3 != 0);
        R1_ASSERT_OK(r1_memory_begin(mem, &ticket, &err), &err);
        R1_ASSERT_OK(med_anchors_append(mem, ticket, 9, a, n, handle, &err), &err);
        for (uint32_t i = 0; i < n; i++) {
            CU_ASSERT_EQUAL(handle[i] != 0, a[i].held);
            CU_ASSERT(!a[i].pinned || a[i].held);
            held += a[i].held;
            pinned += a[i].pinned;
        }
        CU_ASSERT_EQUAL(held, n < MED_RING ? n : MED_RING);
        CU_ASSERT(pinned <= MED_PINNED_MAX && (round % 3 != 0 || pinned == 0));
        r1_memory_cancel(mem, ticket);
        r1_memory_forget(mem, 9);
    }
    r1_memory_free(mem);
}

/* The list by med_rerank, and the same samples with their findings as plain events, as training
 * reads them. */
static void test_equals_training(void)
{
    enum { MAX = 40 };
    static med_candidate list[MED_RERANK_MAX], plain[MED_RERANK_MAX];
    static med_anchor a[MAX];
    static double trace[MED_RERANK_MAX][MED_N_TRACE];
    uint32_t term[MAX], no[1] = {3};
    uint64_t ref[MAX];
    r1_event event[MAX];
    r1_sample sample[MED_RERANK_MAX];
    med_reranker *x = NULL;
    med_samples *s = NULL;
    r1_session *session = NULL;
    r1_session_opts so = {.n_sample_max = 17};
    med_rerank_ready();
    R1_ASSERT_OK(med_reranker_new(&x, model, R1_PRECISION_F32, &err), &err);
    R1_ASSERT_OK(med_samples_new(&s, &err), &err);
    R1_ASSERT_OK(r1_session_new(&session, model, &so, &err), &err);
    for (int round = 0; round < 30; round++) {
        med_case c = {.observed = term,
                      .n_observed = random_terms(term, MAX),
                      .excluded = no,
                      .n_excluded = 1};
        uint32_t n, n_anchor = med_case_anchors(kb, &c, a, MAX), m;
        float none;
        double sum = 0;
        c.age_years = NAN;
        med_case_open(ranker, &c);
        R1_ASSERT_OK(med_rank(ranker, list, MED_RERANK_MAX, &n, &err), &err);
        if (n == 0) continue;
        memcpy(plain, list, sizeof plain);
        m = n;
        med_anchors_plan(kb, a, n_anchor, true);
        R1_ASSERT_OK(med_rerank(x, ranker, a, n_anchor, list, &n, &none, trace[0], &err), &err);
        CU_ASSERT_EQUAL(n, m);
        for (uint32_t i = 0; i < n_anchor; i++)
            ref[i] = i, event[i] = (r1_event){a[i].num, &a[i].system};
        R1_ASSERT_OK(med_samples_fill(s, ranker, plain, m, a, ref, &err), &err);
        for (uint32_t i = 0; i < m; i++) sample[i] = (r1_sample){.item = med_samples_item(s, i)};
        r1_batch b = {.sample = sample, .n_sample = m, .event = event, .n_event = n_anchor};
        r1_result res;
        R1_ASSERT_OK(r1_session_run(session, &b, &res, &err), &err);
        for (uint32_t i = 0; i < n; i++) {
            double logit = 0;
            for (uint32_t k = 0; k < m; k++)
                if (plain[k].disease == list[i].disease)
                    CU_ASSERT_EQUAL(res.logit[k] + list[i].denied, list[i].logit);
            CU_ASSERT_EQUAL((float)trace[i][MED_TRACE_DENIED], list[i].denied);
            for (int k = 0; k < MED_N_TRACE; k++) logit += trace[i][k];
            CU_ASSERT(fabs(logit - (double)list[i].logit) < 1e-5);
            CU_ASSERT(i == 0 || list[i].logit <= list[i - 1].logit);
            sum += (double)list[i].posterior;
        }
        CU_ASSERT(fabs(sum + (double)none - 1) < 1e-5);
    }
    r1_session_free(session);
    med_samples_free(s);
    med_reranker_free(x);
}

static void test_med_rerank_edges(void)
{
    med_candidate list[1];
    med_reranker *x = NULL;
    r1_model *other = NULL;
    uint32_t n = 0;
    float none = 0;
    med_case c = {.age_years = NAN};
    med_rerank_ready();
    R1_ASSERT_OK(med_reranker_new(&x, model, R1_PRECISION_F32, &err), &err);
    med_case_open(ranker, &c);
    R1_ASSERT_OK(med_rerank(x, ranker, NULL, 0, list, &n, &none, NULL, &err), &err);
    CU_ASSERT(n == 0 && none == 1);
    med_reranker_free(x);
    R1_ASSERT_OK(r1_model_open(&other, r1_test_source("models/fraud-s.gguf"), &err), &err);
    CU_ASSERT_NOT_EQUAL(med_reranker_new(&x, other, R1_PRECISION_F32, &err), R1_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "schema"));
    r1_model_free(other);
    R1_ASSERT_OK(r1_model_open(&other, r1_test_source("models/medical-b.gguf"), &err), &err);
    R1_ASSERT_OK(med_reranker_new(&x, other, R1_PRECISION_F32, &err), &err);
    med_reranker_free(x);
    r1_model_free(other);
    r1_model_free(model);
    med_ranker_free(ranker);
    med_kb_free(kb);
}

R1_TEST_MAIN("medical re-ranking", {"memory follows the plan", test_memory_follows_plan},
             {"equals training", test_equals_training}, {"edges", test_med_rerank_edges})
