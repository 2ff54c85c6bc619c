/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_port.c - the routes are those of the OpenAPI file, with the same login; Accept is read
 * as RFC 9110 says; a knowledge base lives as long as the last lease on it. */
#include "ontology/med_sources.h"
#include "serve/med_asked.h"
#include "serve/med_port.h"
#include "support/r1_test.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_err err;

static const json_t *operation_of(const json_t *api, const r1_http_route *route)
{
    char method[8] = "";
    for (size_t i = 0; route->method[i] && i + 1 < sizeof method; i++)
        method[i] = (char)tolower((unsigned char)route->method[i]);
    return json_object_get(json_object_get(json_object_get(api, "paths"), route->path), method);
}

static void test_api(void)
{
    json_t *api = json_load_file(r1_test_source("schemas/http/r1-medical.openapi.json"), 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(api);
    const r1_http_route *route;
    const char *path, *method;
    json_t *methods, *operation;
    size_t n = 0, told = 0;
    med_audience whom;
    for (; (route = med_port_route(n, &whom)); n++) {
        const json_t *o = operation_of(api, route), *security = json_object_get(o, "security");
        if (!o) printf("the file lacks %s %s\n", route->method, route->path);
        CU_ASSERT_PTR_NOT_NULL_FATAL(o);
        bool open = json_is_array(security) && json_array_size(security) == 0;
        CU_ASSERT_EQUAL(open, whom == MED_FOR_ALL);
        const json_t *answers = json_object_get(o, "responses");
        CU_ASSERT_PTR_NOT_NULL(json_object_get(answers, "200"));
        CU_ASSERT_EQUAL(json_object_get(answers, "401") != NULL, whom != MED_FOR_ALL);
        CU_ASSERT_EQUAL(json_object_get(answers, "413") != NULL, route->body_max > 0);
        CU_ASSERT_EQUAL(json_object_get(o, "requestBody") != NULL, route->body_max > 0);
        bool any =
            json_object_get(json_object_get(json_object_get(o, "requestBody"), "content"), "*/*");
        if (route->body_max) CU_ASSERT_EQUAL(any, route->any_type);
    }
    json_object_foreach(json_object_get(api, "paths"), path, methods)
        json_object_foreach(methods, method, operation) told++;
    CU_ASSERT_EQUAL(told, n);
    CU_ASSERT(n <= R1_HTTP_ROUTES_MAX);
    json_decref(api);
}

static void test_accept(void)
{
    static const char *const type[] = {"application/json", "text/html", "application/pdf"};
    static const struct {
        const char *accept;
        int expected;
    } cases[] = {{NULL, 0},
                 {"", 0},
                 {"*/*", 0},
                 {"text/html", 1},
                 {"TEXT/HTML", 1},
                 {"text/*", 1},
                 {"application/*", 0},
                 {"application/pdf, text/html", 2},
                 {"application/pdf;q=0.5, text/html;q=0.9", 1},
                 {"text/html ; q=0.1 , application/pdf;q=0.2", 2},
                 {"text/html;q=0, */*;q=0.1", 0},
                 {"image/png", -1},
                 {"text/html;q=0", -1},
                 {"text/htmlx", -1},
                 {",,;", -1},
                 {"text/html;level=1;q=0.4, application/json;q=0.3", 1}};
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        int got = med_accept(cases[i].accept, type, R1_COUNT(type));
        if (got != cases[i].expected) printf("Accept: %s: %d\n", cases[i].accept, got);
        CU_ASSERT_EQUAL(got, cases[i].expected);
    }
}

static void test_leases(void)
{
    const med_service_opts o = {
        .kb = r1_test_source("ontology/r1med.xml"), .pin = true, .judges = 1};
    static const char letter[] = "Ectopia lentis.";
    med_service *s = NULL;
    med_lease a, b;
    med_work w;
    med_service_stats st;
    R1_ASSERT_OK(med_service_new(&s, &o, &err), &err);
    R1_ASSERT_OK(med_service_lease(s, 0, &a, &err), &err);
    CU_ASSERT_EQUAL(med_service_lease(s, 20, &b, &err), R1_E_AGAIN);
    med_service_look(s, &b); /* without a judge nobody waits */
    CU_ASSERT(b.kb == a.kb && !b.judge.ranker);
    R1_ASSERT_OK(med_service_reload(s, &err), &err);
    R1_ASSERT_OK(med_work_do(&w, &a, "letter", letter, sizeof letter - 1, &err), &err);
    CU_ASSERT(w.report->n_candidate > 0 && w.review.n == 1);
    med_work_free(&w);
    med_service_return(s, &b);
    R1_ASSERT_OK(med_service_lease(s, 0, &b, &err), &err); /* the new one's judge is free */
    CU_ASSERT(b.kb != a.kb);
    CU_ASSERT_EQUAL(med_work_do(&w, &b, "letter", "\x89PNG", 4, &err), R1_E_FORMAT);
    med_work_free(&w);
    med_service_return(s, &a);
    med_service_return(s, &b);
    med_service_stats_read(s, &st);
    CU_ASSERT(st.swaps == 1 && st.failed_swaps == 0 && st.busy == 0);
    med_service_free(s);
}

/* Each fault of a body of /v1/report by the member and the words. */
static void test_asked_faults(void)
{
    static const struct {
        const char *body, *words;
    } bad[] = {
        {"", "found an empty body"},
        {"{", "line 1, column 1: expected JSON"},
        {"{\"record\": \"a\",}", "expected JSON"},
        {"[]", "the body: expected an object, found an array"},
        {"1e999", "expected JSON"},
        {"{}", "found 0 of them"},
        {"{\"record\": \"a\", \"observed\": [\"b\"]}", "found 2 of them"},
        {"{\"record\": \"a\", \"gene\": []}", "\"gene\": expected one of record"},
        {"{\"record\": 7}", "\"record\": expected a string, found a whole number"},
        {"{\"record\": \" \\n\"}", "\"record\": expected a text, found a blank one"},
        {"{\"record\": \"a\", \"record\": \"b\"}", "expected JSON"},
        {"{\"record\": \"a\\u0000\"}", "expected JSON"},
        {"{\"findings\": []}", "\"findings\": expected an object, found an array"},
        {"{\"observed\": \"HP:0001083\"}", "\"observed\": expected a list of strings"},
        {"{\"observed\": [1]}", "\"observed\"[0]: expected a string, found a whole number"},
        {"{\"observed\": [\"a\", \" \"]}", "\"observed\"[1]: expected one line"},
        {"{\"observed\": [\"a\\nb\"]}", "\"observed\"[0]: expected one line"},
        {"{\"observed\": []}", "found none"},
        {"{\"excluded\": {}}", "\"excluded\": expected a list of strings, found an object"},
        {"{\"record\": \"a\", \"genes\": \"FBN1\"}", "\"genes\": expected a list"},
        {"{\"record\": \"a\", \"genes\": []}", "\"genes\": expected at least one symbol"},
        {"{\"record\": \"a\", \"genes\": [\"no gene!\"]}", "\"genes\""},
        {"{\"record\": \"a\", \"vcf\": \"FBN1\"}", "\"vcf\": expected a text that begins with ##"},
        {"{\"record\": \"a\", \"vcf\": [\"\"]}", "\"vcf\": expected a string"},
        {"{\"record\": \"a\", \"vcf\": \"\", \"genes\": []}", "\"genes\" and \"vcf\", found both"},
        {"{\"record\": \"a\", \"sex\": \"F\"}",
         "\"sex\": expected \"female\" or \"male\", found F"},
        {"{\"record\": \"a\", \"sex\": 1}", "\"sex\": expected"},
        {"{\"record\": \"a\", \"age\": \"3\"}",
         "\"age\": expected years from 0 to 130, found a str"},
        {"{\"record\": \"a\", \"age\": 1e300}", "\"age\": expected years from 0 to 130"},
        {"{\"record\": \"a\", \"age\": -1}", "\"age\": expected years"},
        {"{\"record\": \"a\", \"age\": null}", "\"age\": expected years from 0 to 130, found null"},
    };
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        med_asked a;
        r1_err why = {0};
        CU_ASSERT_EQUAL(med_asked_read(&a, bad[i].body, strlen(bad[i].body), &why), R1_E_FORMAT);
        if (!strstr(why.msg, bad[i].words))
            printf("%s: \"%s\", not \"%s\"\n", bad[i].body, why.msg, bad[i].words);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.msg, bad[i].words));
        med_asked_free(&a);
    }
}

static void test_asked(void)
{
    static const char body[] = "{\"observed\": [\"HP:0001083\", \"Cleft palate\"], \"excluded\": "
                               "[\"Seizure\"], \"genes\": [\"FBN1\\t1\"], \"sex\": \"male\", "
                               "\"age\": 2.5}";
    static const char file[] = "{\"findings\": {\"format\": \"x\"}}";
    med_asked a;
    R1_ASSERT_OK(med_asked_read(&a, body, sizeof body - 1, &err), &err);
    CU_ASSERT_STRING_EQUAL(a.record, "+ HP:0001083\n+ Cleft palate\n- Seizure\n");
    CU_ASSERT(a.listed && a.has_genes && a.genes.n == 1 && a.sex == MED_SEX_MALE);
    CU_ASSERT_EQUAL(a.age_years, 2.5f);
    med_asked_free(&a);
    R1_ASSERT_OK(med_asked_read(&a, file, sizeof file - 1, &err), &err);
    CU_ASSERT_STRING_EQUAL(a.record, "{\"format\":\"x\"}");
    CU_ASSERT(!a.listed && !a.has_genes && a.sex == MED_SEX_UNKNOWN && isnan(a.age_years));
    med_asked_free(&a);
}

R1_TEST_MAIN("medical port", {"what is asked", test_asked}, {"faults of it", test_asked_faults},
             {"routes and their file", test_api}, {"accept", test_accept}, {"leases", test_leases})
