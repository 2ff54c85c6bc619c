/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_interchange.c - what is written for other programs is read back: the same findings with
 * the same status, the same sex and age. tests/medical/check_schemas.py holds both forms to their
 * official definitions. */
#include "documents/med_document.h"
#include "ontology/med_sources.h"
#include "report/med_interchange.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_err err;
static med_kb *kb;
static med_lexicon *lex;
static med_ranker *ranker;
static med_notes notes;
static med_report *report;

static void make_report(const char *text)
{
    if (!kb) {
        R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
        R1_ASSERT_OK(med_lexicon_new(&lex, kb, &err), &err);
        R1_ASSERT_OK(med_ranker_new(&ranker, kb, &err), &err);
    }
    const med_judge judge = {ranker, NULL, NULL, true};
    const med_report_record record = {.title = "a \"record\" <x>", .notes = &notes};
    R1_ASSERT_OK(med_notes_read(&notes, lex, kb, "r", text, strlen(text), &err), &err);
    R1_ASSERT_OK(med_report_make(kb, &judge, &record, &report, &err), &err);
}

static void drop_report(void)
{
    med_report_free(report);
    med_notes_free(&notes);
}

static int64_t count(const med_notes *n, const char *id, bool absent)
{
    int64_t found = 0;
    for (uint32_t i = 0; i < n->n_mention; i++)
        found += strcmp(med_str(kb, kb->term[n->mention[i].term].id), id) == 0 &&
                 (n->mention[i].status == MED_ABSENT) == absent;
    return found;
}

/* The written tree as a document: its findings are the report's, each once. */
static void check_read_back(json_t *tree, med_document_kind kind)
{
    med_document d;
    med_notes again;
    char *text = json_dumps(tree, JSON_INDENT(1));
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    R1_ASSERT_OK(med_document_read(&d, "written", text, strlen(text), &err), &err);
    CU_ASSERT_EQUAL(d.kind, kind);
    R1_ASSERT_OK(med_document_notes(&d, lex, kb, "written", &again, &err), &err);
    CU_ASSERT_EQUAL(again.n_mention, report->observed.n + report->excluded.n);
    for (uint32_t i = 0; i < report->observed.n; i++)
        CU_ASSERT_EQUAL(count(&again, report->observed.row[i].id, false), 1);
    for (uint32_t i = 0; i < report->excluded.n; i++)
        CU_ASSERT_EQUAL(count(&again, report->excluded.row[i].id, true), 1);
    CU_ASSERT_EQUAL(again.sex, notes.sex);
    if (kind == MED_DOCUMENT_FHIR || strlen(notes.born) == 10) /* a packet has whole days alone */
        CU_ASSERT_STRING_EQUAL(again.born, notes.born);
    if (kind == MED_DOCUMENT_PHENOPACKET) {
        CU_ASSERT_EQUAL(isnan(again.age_years), isnan(notes.age_years));
        if (!isnan(notes.age_years))
            CU_ASSERT_DOUBLE_EQUAL((double)again.age_years, (double)notes.age_years, 1 / 24.0);
    }
    med_notes_free(&again);
    med_document_free(&d);
    free(text);
}

static void check_record(const char *text)
{
    json_t *packet = NULL, *bundle = NULL, *twin = NULL;
    make_report(text);
    R1_ASSERT_OK(med_report_phenopacket(report, "2026-11-30", &packet, &err), &err);
    R1_ASSERT_OK(med_report_fhir(report, "2026-11-30", &bundle, &err), &err);
    R1_ASSERT_OK(med_report_fhir(report, "2026-11-30", &twin, &err), &err);
    CU_ASSERT(json_equal(bundle, twin));
    check_read_back(packet, MED_DOCUMENT_PHENOPACKET);
    check_read_back(bundle, MED_DOCUMENT_FHIR);
    json_decref(packet);
    json_decref(bundle);
    json_decref(twin);
    drop_report();
}

static void test_read_back(void)
{
    check_record("A 12-year-old girl with ectopia lentis and scoliosis. She has no seizures.");
    check_record("A boy aged 5 months with hypotonia.");
    check_record("DOB: 17/03/2009. A girl with scoliosis.");
    check_record("DOB: 03/04/2009. A girl with scoliosis.");
    check_record("Ptosis was seen. There is no ataxia. The mother has seizures.");
}

/* References of a bundle lead to its own resources, whose ids differ. */
static void test_references(void)
{
    json_t *bundle = NULL, *e, *x;
    size_t i, k;
    make_report("A man with ectopia lentis, scoliosis and no seizures.");
    R1_ASSERT_OK(med_report_fhir(report, "2026-11-30", &bundle, &err), &err);
    json_t *entry = json_object_get(bundle, "entry"), *ids = json_object();
    json_array_foreach(entry, i, e)
    {
        const char *url = json_string_value(json_object_get(e, "fullUrl"));
        CU_ASSERT_EQUAL(strlen(url), 45);
        CU_ASSERT_PTR_NULL(json_object_get(ids, url));
        json_object_set_new(ids, url, json_true());
    }
    json_array_foreach(entry, i, e)
    {
        json_t *r = json_object_get(e, "resource");
        const char *of =
            json_string_value(json_object_get(json_object_get(r, "subject"), "reference"));
        if (of) CU_ASSERT_PTR_NOT_NULL(json_object_get(ids, of));
        json_array_foreach(json_object_get(r, "result"), k, x) CU_ASSERT_PTR_NOT_NULL(
            json_object_get(ids, json_string_value(json_object_get(x, "reference"))));
    }
    json_decref(ids);
    json_decref(bundle);
    drop_report();
}

static json_t *resource_of(json_t *bundle, const char *type)
{
    json_t *e;
    size_t i;
    json_array_foreach(json_object_get(bundle, "entry"), i, e)
    {
        json_t *r = json_object_get(e, "resource");
        if (strcmp(json_string_value(json_object_get(r, "resourceType")), type) == 0) return r;
    }
    CU_FAIL_FATAL("no such resource");
    return NULL;
}

static bool tells(const json_t *o, const char *part)
{
    char *text = json_dumps(o, 0);
    bool found = text && strstr(text, part);
    free(text);
    return found;
}

/* Ids of the demonstration ontology are its own, and not HPO's. */
static void test_namespaces(void)
{
    json_t *packet = NULL, *bundle = NULL, *x;
    size_t i;
    make_report("A man with ectopia lentis, scoliosis and no seizures.");
    R1_ASSERT_OK(med_report_phenopacket(report, "2026-11-30", &packet, &err), &err);
    R1_ASSERT_OK(med_report_fhir(report, "2026-11-30", &bundle, &err), &err);
    json_t *list = json_object_get(json_object_get(packet, "metaData"), "resources");
    CU_ASSERT_EQUAL_FATAL(json_array_size(list), 2);
    const char *const prefix[] = {"R1", "ECO"};
    json_array_foreach(list, i, x)
        CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(x, "namespacePrefix")), prefix[i]);
    CU_ASSERT(tells(list, "1.0.0 (2026-11)"));
    json_t *o = resource_of(bundle, "Observation");
    CU_ASSERT(tells(o, "R1:0") && tells(o, "https://r1.example/ns/med"));
    CU_ASSERT(!tells(bundle, "human-phenotype-ontology"));
    json_decref(packet);
    json_decref(bundle);
    drop_report();
}

/* An instant stands as it is; of a day no time of day is made up. */
static void test_time(void)
{
    static const char instant[] = "2026-11-30T09:15:07Z";
    json_t *packet = NULL, *bundle = NULL;
    make_report("A man with scoliosis.");
    R1_ASSERT_OK(med_report_phenopacket(report, instant, &packet, &err), &err);
    R1_ASSERT_OK(med_report_fhir(report, instant, &bundle, &err), &err);
    CU_ASSERT(tells(json_object_get(packet, "metaData"), instant));
    CU_ASSERT_STRING_EQUAL(
        json_string_value(json_object_get(resource_of(bundle, "Provenance"), "recorded")), instant);
    json_decref(packet);
    json_decref(bundle);
    R1_ASSERT_OK(med_report_fhir(report, "2026-11-30", &bundle, &err), &err);
    json_t *p = resource_of(bundle, "Provenance");
    CU_ASSERT(!tells(bundle, "00:00:00") && tells(p, "data-absent-reason"));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(p, "occurredDateTime")), "2026-11-30");
    CU_ASSERT_STRING_EQUAL(
        json_string_value(json_object_get(resource_of(bundle, "DiagnosticReport"), "status")),
        "preliminary");
    json_decref(bundle);
    drop_report();
}

/* Nothing found: both forms are still there, without empty lists where FHIR has none. */
static void test_nothing(void)
{
    json_t *bundle = NULL, *e;
    size_t i;
    char *table = NULL;
    make_report("She sleeps well.");
    R1_ASSERT_OK(med_report_fhir(report, "2026-11-30", &bundle, &err), &err);
    json_array_foreach(json_object_get(bundle, "entry"), i, e)
        CU_ASSERT_PTR_NULL(json_object_get(json_object_get(e, "resource"), "result"));
    R1_ASSERT_OK(med_report_table(report, &table, &err), &err);
    CU_ASSERT_STRING_EQUAL(table, "id\tname\tstatus\tsection\tsentence\n");
    free(table);
    json_decref(bundle);
    drop_report();
}

R1_TEST_MAIN("interchange", {"read back", test_read_back}, {"references", test_references},
             {"namespaces", test_namespaces}, {"time", test_time}, {"nothing found", test_nothing})
