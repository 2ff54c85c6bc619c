/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_port.c - the routes are those of the OpenAPI file, with the same login; Accept is read
 * as RFC 9110 says; a knowledge base lives as long as the last lease on it. */
#include "ontology/med_sources.h"
#include "serve/med_port.h"
#include "support/r1_test.h"

#include <ctype.h>
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

R1_TEST_MAIN("medical port", {"routes and their file", test_api}, {"accept", test_accept},
             {"leases", test_leases})
