/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_report.c - the sample record through everything: the right disease first, every finding with its own words,
 * views that hold what the JSON holds, escaped. */
#include "med_report.h"
#include "med_xml.h"
#include "r1_test.h"

#include <stdlib.h>
#include <string.h>

static r1_err err;

static void test_sample(void)
{
    med_kb *kb = NULL;
    med_lexicon *lex = NULL;
    med_ranker *r = NULL;
    char *text;
    size_t len, i;
    json_t *rep = NULL, *o;
    R1_ASSERT_OK(med_kb_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&lex, kb, &err), &err);
    R1_ASSERT_OK(med_ranker_new(&r, kb, &err), &err);
    R1_ASSERT_OK(r1_file_read(r1_test_source("apps/medical/samples/record.txt"), 1u << 20, &text, &len, &err), &err);
    R1_ASSERT_OK(med_report_make(kb, lex, r, "<sample>", text, len, &rep, NULL, &err), &err);
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
    med_ranker_free(r);
    med_lexicon_free(lex);
    med_kb_free(kb);
}

R1_TEST_MAIN("medical report", {"sample record", test_sample})
