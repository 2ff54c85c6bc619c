/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_report.c - the sample record through everything: the right disease first, every
 * finding with its own words, views that hold what the JSON holds, escaped. */
#include "ontology/med_sources.h"
#include "ontology/med_xml.h"
#include "report/med_report.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

static r1_err err;

/* At most a quarter of the ring is pinned, each with what would change without it; steps add up
 * to a candidate's logit. */
static void check_anchors(const json_t *rep, bool with_r1)
{
    size_t i, pinned = 0;
    json_t *o;
    json_array_foreach(json_object_get(rep, "observed"), i, o)
    {
        bool is = json_is_true(json_object_get(o, "pinned"));
        pinned += is;
        CU_ASSERT_EQUAL(is, json_object_get(o, "without") != NULL);
    }
    CU_ASSERT(pinned > 0 && pinned <= MED_PINNED_MAX);
    json_t *first = json_array_get(json_object_get(rep, "candidates"), 0);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(first, "evidence_steps")),
                    with_r1 ? MED_N_ITEM + 1 : 0);
}

static void med_report_sample(bool with_r1)
{
    med_kb *kb = NULL;
    med_lexicon *lex = NULL;
    med_ranker *r = NULL;
    r1_model *model = NULL;
    med_reranker *x = NULL;
    char *text;
    size_t len, i;
    json_t *rep = NULL, *o;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&lex, kb, &err), &err);
    R1_ASSERT_OK(med_ranker_new(&r, kb, &err), &err);
    R1_ASSERT_OK(r1_file_read(r1_test_source("apps/medical/samples/record.txt"), 1u << 20, &text,
                              &len, &err),
                 &err);
    R1_ASSERT_OK(r1_model_open(&model, r1_test_source("models/medical-b.gguf"), &err), &err);
    R1_ASSERT_OK(med_reranker_new(&x, model, R1_PRECISION_F32, &err), &err);
    med_judge judge = {r, with_r1 ? x : NULL, "medical-b", true};
    R1_ASSERT_OK(med_report_make(kb, lex, &judge, "<sample>", text, len, &rep, NULL, &err), &err);
    check_anchors(rep, with_r1);
    json_t *first = json_array_get(json_object_get(rep, "candidates"), 0);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(first, "id")), "OMIM:154700");
    CU_ASSERT(json_is_true(json_object_get(rep, "confident")));
    CU_ASSERT(json_array_size(json_object_get(rep, "excluded")) >= 10);
    char *html = med_report_html(rep), *plain = med_report_text(rep);
    CU_ASSERT_PTR_NOT_NULL(strstr(html, "&lt;sample&gt;"));
    CU_ASSERT_PTR_NULL(strstr(html, "<sample>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(html, med_report_banner));
    json_array_foreach(json_object_get(rep, "observed"), i, o)
    {
        const char *name = json_string_value(json_object_get(o, "name"));
        json_t *e = json_object_get(o, "evidence");
        size_t at = (size_t)json_integer_value(json_object_get(e, "start"));
        const char *words = json_string_value(json_object_get(e, "text"));
        CU_ASSERT_EQUAL(memcmp(text + at, words, strlen(words)), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(html, name));
        CU_ASSERT_PTR_NOT_NULL(strstr(plain, name));
    }
    char pdf[4200];
    snprintf(pdf, sizeof pdf, "%s/r.pdf", r1_test_tmpdir());
    R1_ASSERT_OK(med_report_pdf(rep, pdf, &err), &err);
    char *bytes;
    size_t n;
    R1_ASSERT_OK(r1_file_read(pdf, 1u << 24, &bytes, &n, &err), &err);
    CU_ASSERT(n > 1000 && memcmp(bytes, "%PDF", 4) == 0);
    free(bytes);
    free(html);
    free(plain);
    free(text);
    json_decref(rep);
    med_reranker_free(x);
    r1_model_free(model);
    med_ranker_free(r);
    med_lexicon_free(lex);
    med_kb_free(kb);
}

static void test_sample(void) { med_report_sample(true); }
static void test_without_r1(void) { med_report_sample(false); }

R1_TEST_MAIN("medical report", {"sample record", test_sample}, {"without R1", test_without_r1})
