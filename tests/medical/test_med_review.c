/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_review.c - a file of findings: what is written is read back the same, whatever it holds;
 * what a person changes changes the reading and nothing else; what does not fit the format is
 * refused with its place. */
#include "documents/med_review.h"
#include "ontology/med_sources.h"
#include "report/med_interchange.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_err err;
static med_kb *kb;
static med_lexicon *lex;

static void review_open(void)
{
    if (kb) return;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&lex, kb, &err), &err);
}

/* ---- round trip ---- */

/* Up to `most` characters, each of one to four bytes, none of them NUL. */
static char *any_text(r1_rng *r, uint32_t least, uint32_t most)
{
    static const char *const piece[] = {
        "a",   "Z",   " ", "\n", "\"", "\\", "\t", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\xa7\xac",
        "<b>", "\x01"};
    uint32_t n = least + (uint32_t)r1_rng_below(r, most - least + 1);
    char *s = calloc(1, (size_t)n * 4 + 1);
    for (uint32_t i = 0; i < n; i++) strncat(s, piece[r1_rng_below(r, R1_COUNT(piece))], 4);
    return s;
}

static void any_quote(r1_rng *r, med_quote *q)
{
    q->sentence = any_text(r, 1, 40);
    uint32_t len = (uint32_t)strlen(q->sentence);
    do q->from = (uint32_t)r1_rng_below(r, len);
    while ((q->sentence[q->from] & 0xc0) == 0x80);
    do q->to = q->from + 1 + (uint32_t)r1_rng_below(r, len - q->from);
    while ((q->sentence[q->to] & 0xc0) == 0x80);
    q->start = (uint32_t)r1_rng_below(r, 1000000);
    q->mentions = 1 + (uint32_t)r1_rng_below(r, 9);
    q->section = (uint8_t)r1_rng_below(r, MED_SECTION_COUNT);
    if (r1_rng_below(r, 2)) q->cue = any_text(r, 0, 10);
    q->lab = r1_rng_below(r, 2);
    if (!q->lab) return;
    q->value = (float)r1_rng_normal(r);
    q->low = r1_rng_below(r, 2) ? -INFINITY : (float)r1_rng_normal(r);
    q->high = r1_rng_below(r, 2) ? INFINITY : (float)r1_rng_normal(r);
}

static void any_review(r1_rng *r, med_review *v)
{
    *v = (med_review){.sex = (med_sex)r1_rng_below(r, 3), .age_years = NAN};
    if (r1_rng_below(r, 2)) v->age_years = r1_rng_unit(r) * 100;
    if (r1_rng_below(r, 2)) v->record = any_text(r, 0, 20);
    if (r1_rng_below(r, 2)) v->knowledge_base = any_text(r, 0, 12);
    v->not_read = (uint32_t)r1_rng_u64(r);
    v->cut = (uint32_t)r1_rng_below(r, 3);
    v->n_note = (uint32_t)r1_rng_below(r, 4);
    for (uint32_t i = 0; i < v->n_note; i++) v->note[i] = any_text(r, 0, 20);
    if (r1_rng_below(r, 2)) {
        v->signing.review = 1 + (uint32_t)r1_rng_below(r, 1000);
        memset(v->signing.hash, "0123456789abcdef"[r1_rng_below(r, 16)], 64);
        v->signing.n = (uint32_t)r1_rng_below(r, MED_SIGNERS_MAX + 1);
    }
    for (uint32_t i = 0; i < v->signing.n; i++) {
        snprintf(v->signing.signature[i].by, MED_SIGNER_BYTES, "n\xc3\xa9%u", i);
        snprintf(v->signing.signature[i].at, MED_SIGNED_AT_BYTES, "2026-11-30T09:15:0%uZ", i);
    }
    v->n = (uint32_t)r1_rng_below(r, 12);
    v->finding = calloc(v->n + 1, sizeof *v->finding);
    for (uint32_t i = 0; i < v->n; i++) {
        med_review_finding *f = &v->finding[i];
        do f->status = (med_status)r1_rng_below(r, MED_STATUS_COUNT);
        while (f->status == MED_FAMILY);
        f->id = any_text(r, 1, 20);
        if (r1_rng_below(r, 2)) f->name = any_text(r, 0, 20);
        f->relative = r1_rng_below(r, 2);
        f->review = (med_review_state)r1_rng_below(r, MED_REVIEW_STATES);
        if (r1_rng_below(r, 3)) any_quote(r, &f->quote);
    }
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_quote(const med_quote *a, const med_quote *b)
{
    bool lab = a->lab == b->lab &&
               (!a->lab || (a->value == b->value && a->low == b->low && a->high == b->high));
    return same_text(a->sentence, b->sentence) && same_text(a->cue, b->cue) && a->from == b->from &&
           a->to == b->to && a->start == b->start && a->mentions == b->mentions &&
           a->section == b->section && lab;
}

static bool same_review(const med_review *a, const med_review *b)
{
    bool same =
        same_text(a->record, b->record) && same_text(a->knowledge_base, b->knowledge_base) &&
        a->sex == b->sex && a->not_read == b->not_read && a->cut == b->cut && a->n == b->n &&
        a->n_note == b->n_note && memcmp(&a->signing, &b->signing, sizeof a->signing) == 0 &&
        (isnan(a->age_years) ? isnan(b->age_years) : fabs(a->age_years - b->age_years) < 1e-6);
    for (uint32_t i = 0; same && i < a->n_note; i++) same = same_text(a->note[i], b->note[i]);
    for (uint32_t i = 0; same && i < a->n; i++) {
        const med_review_finding *x = &a->finding[i], *y = &b->finding[i];
        same = same_text(x->id, y->id) && same_text(x->name, y->name) && x->status == y->status &&
               x->relative == y->relative && x->review == y->review &&
               same_quote(&x->quote, &y->quote);
    }
    return same;
}

static void test_round_trip(void)
{
    r1_rng r;
    r1_rng_seed(&r, r1_test_seed());
    for (int round = 0; round < 300; round++) {
        med_review one, two;
        char *text[2];
        any_review(&r, &one);
        R1_ASSERT_OK(med_review_write(&one, &text[0], &err), &err);
        json_t *tree = json_loads(text[0], 0, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(tree);
        R1_ASSERT_OK(med_review_read(&two, "file", tree, &err), &err);
        CU_ASSERT(same_review(&one, &two));
        R1_ASSERT_OK(med_review_write(&two, &text[1], &err), &err);
        CU_ASSERT_STRING_EQUAL(text[0], text[1]);
        json_decref(tree);
        med_review_free(&one);
        med_review_free(&two);
        free(text[0]);
        free(text[1]);
    }
}

/* ---- a record and its review give one report ---- */

static const char letter[] = "A 14-year-old girl was seen. Ectopia lentis was found, and tall "
                             "stature. There is no cleft palate. Arachnodactyly. She had a "
                             "seizure in the past. Her mother has scoliosis. Arachnodactyly was "
                             "seen again.";

static json_t *reviewed_of(const char *record)
{
    med_document d;
    med_notes n;
    med_review v;
    char *text;
    review_open();
    R1_ASSERT_OK(med_document_read(&d, "letter", record, strlen(record), &err), &err);
    R1_ASSERT_OK(med_document_notes(&d, lex, kb, "letter", &n, &err), &err);
    R1_ASSERT_OK(med_review_make(&v, kb, &n, &d, "letter", &err), &err);
    R1_ASSERT_OK(med_review_write(&v, &text, &err), &err);
    json_t *tree = json_loads(text, 0, NULL);
    free(text);
    med_review_free(&v);
    med_notes_free(&n);
    med_document_free(&d);
    return tree;
}

static json_t *reviewed(void) { return reviewed_of(letter); }

/* The report of a file's bytes without what names places of its text, and without notes. */
static json_t *report_of(const char *bytes)
{
    med_document d;
    med_notes n;
    med_ranker *ranker = NULL;
    med_report *report = NULL;
    json_t *out = NULL;
    review_open();
    R1_ASSERT_OK(med_document_read(&d, "file", bytes, strlen(bytes), &err), &err);
    R1_ASSERT_OK(med_document_notes(&d, lex, kb, "file", &n, &err), &err);
    R1_ASSERT_OK(med_ranker_new(&ranker, kb, &err), &err);
    const med_judge judge = {ranker, NULL, NULL, true};
    const med_report_record record = {.title = d.title ? d.title : "letter", .notes = &n};
    R1_ASSERT_OK(med_report_make(kb, &judge, &record, &report, &err), &err);
    R1_ASSERT_OK(med_report_json(report, true, &out, &err), &err);
    static const char *const lists[] = {"observed", "excluded", "other_mentions"};
    for (size_t i = 0; i < R1_COUNT(lists); i++) {
        size_t k;
        json_t *f;
        json_array_foreach(json_object_get(out, lists[i]), k, f)
        {
            json_t *e = json_object_get(f, "evidence");
            json_object_del(e, "start");
            json_object_del(e, "end");
            json_object_del(e, "sentence_start");
        }
    }
    json_object_del(out, "words");
    json_object_del(out, "sentences");
    json_object_del(out, "listed");
    med_report_free(report);
    med_ranker_free(ranker);
    med_notes_free(&n);
    med_document_free(&d);
    return out;
}

static json_t *report_of_tree(const json_t *tree)
{
    char *text = json_dumps(tree, 0);
    json_t *out = report_of(text);
    free(text);
    return out;
}

static void test_same_report(void)
{
    json_t *tree = reviewed(), *direct = report_of(letter), *after = report_of_tree(tree);
    char *a = json_dumps(direct, JSON_SORT_KEYS | JSON_INDENT(1)),
         *b = json_dumps(after, JSON_SORT_KEYS | JSON_INDENT(1));
    CU_ASSERT_STRING_EQUAL(a, b);
    free(a);
    free(b);
    json_decref(tree);
    json_decref(direct);
    json_decref(after);
}

static json_t *finding_named(json_t *tree, const char *name)
{
    size_t i;
    json_t *f;
    json_array_foreach(json_object_get(tree, "findings"), i,
                       f) if (strcmp(json_string_value(json_object_get(f, "name")), name) ==
                              0) return f;
    CU_FAIL_FATAL("no such finding in the review");
    return NULL;
}

static bool lists(const json_t *report, const char *list, const char *name)
{
    size_t i;
    json_t *f;
    json_array_foreach(json_object_get(report, list), i,
                       f) if (strcmp(json_string_value(json_object_get(f, "name")), name) ==
                              0) return true;
    return false;
}

/* What relatives do not have is absent of a relative, however it is said. */
static void test_family_denied(void)
{
    static const struct {
        const char *record, *name, *status;
    } rows[] = {{"No family history of scoliosis.", "Scoliosis", "absent"},
                {"Family history is negative for scoliosis.", "Scoliosis", "absent"},
                {"FHx -ve for scoliosis.", "Scoliosis", "absent"},
                {"Neither parent has scoliosis.", "Scoliosis", "absent"},
                {"No one in the family has scoliosis.", "Scoliosis", "absent"},
                {"Her sister never had scoliosis.", "Scoliosis", "absent"},
                {"FAMILY HISTORY\nNegative for scoliosis.", "Scoliosis", "absent"},
                {"FH: no scoliosis.", "Scoliosis", "absent"},
                {"Her sister has scoliosis.", "Scoliosis", "present"},
                {"FH: scoliosis.", "Scoliosis", "present"}};
    for (size_t i = 0; i < R1_COUNT(rows); i++) {
        json_t *tree = reviewed_of(rows[i].record), *f = finding_named(tree, rows[i].name);
        CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(f, "person")), "relative");
        CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(f, "status")), rows[i].status);
        json_decref(tree);
    }
}

static void test_changes(void)
{
    json_t *tree = reviewed();
    json_object_set_new(finding_named(tree, "Tall stature"), "review", json_string("rejected"));
    json_object_set_new(finding_named(tree, "Ectopia lentis"), "status", json_string("absent"));
    json_object_set_new(finding_named(tree, "Scoliosis"), "person", json_string("patient"));
    json_object_set_new(finding_named(tree, "Arachnodactyly"), "person", json_string("relative"));
    uint32_t t = med_kb_term(kb, "HP:0000768", 10); /* pectus carinatum */
    CU_ASSERT_NOT_EQUAL_FATAL(t, MED_NONE);
    json_array_append_new(
        json_object_get(tree, "findings"),
        json_pack("{s:s, s:s, s:s}", "id", "HP:0000768", "status", "present", "review", "added"));
    json_object_set_new(tree, "sex", json_string("male"));
    json_object_set_new(tree, "age_years", json_real(2));
    json_t *r = report_of_tree(tree);
    CU_ASSERT(!lists(r, "observed", "Tall stature") && !lists(r, "excluded", "Tall stature"));
    CU_ASSERT(lists(r, "excluded", "Ectopia lentis"));
    CU_ASSERT(lists(r, "observed", "Scoliosis"));
    CU_ASSERT(lists(r, "other_mentions", "Arachnodactyly"));
    CU_ASSERT(!lists(r, "observed", "Arachnodactyly"));
    CU_ASSERT(lists(r, "observed", med_str(kb, kb->term[t].name)));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(r, "sex")), "male");
    CU_ASSERT_DOUBLE_EQUAL(json_number_value(json_object_get(r, "age_years")), 2, 1e-6);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(r, "title")), "letter");
    json_decref(r);
    json_decref(tree);
}

/* A report of a review, which the caller frees, and what it stands on. */
typedef struct {
    med_document d;
    med_notes n;
    med_ranker *ranker;
    med_report *report;
} made;

static void make_of_tree(const json_t *tree, made *m)
{
    char *bytes = json_dumps(tree, 0);
    *m = (made){0};
    R1_ASSERT_OK(med_document_read(&m->d, "file", bytes, strlen(bytes), &err), &err);
    R1_ASSERT_OK(med_document_notes(&m->d, lex, kb, "file", &m->n, &err), &err);
    R1_ASSERT_OK(med_ranker_new(&m->ranker, kb, &err), &err);
    const med_judge judge = {m->ranker, NULL, NULL, true};
    const med_report_record record = {.title = "letter", .notes = &m->n, .signing = &m->d.signing};
    R1_ASSERT_OK(med_report_make(kb, &judge, &record, &m->report, &err), &err);
    free(bytes);
}

static void made_free(made *m)
{
    med_report_free(m->report);
    med_ranker_free(m->ranker);
    med_notes_free(&m->n);
    med_document_free(&m->d);
}

static bool has(const char *text, const char *part) { return strstr(text, part) != NULL; }

/* What a person added is no quotation, is a person's evidence, and stays added when it is gone
 * through again; what was read keeps its sentence. */
static void test_added(void)
{
    json_t *tree = reviewed_of("Ectopia lentis was found."), *packet = NULL, *bundle = NULL;
    char *text = NULL, *page = NULL, *table = NULL;
    made m;
    med_review again;
    json_array_append_new(
        json_object_get(tree, "findings"),
        json_pack("{s:s, s:s, s:s}", "id", "HP:0002650", "status", "present", "review", "added"));
    make_of_tree(tree, &m);
    R1_ASSERT_OK(med_report_text(m.report, &text, &err), &err);
    R1_ASSERT_OK(med_report_html(m.report, &page, &err), &err);
    R1_ASSERT_OK(med_report_table(m.report, &table, &err), &err);
    R1_ASSERT_OK(med_report_phenopacket(m.report, "2026-11-30", &packet, &err), &err);
    R1_ASSERT_OK(med_report_fhir(m.report, "2026-11-30", &bundle, &err), &err);
    char *p = json_dumps(packet, 0), *b = json_dumps(bundle, 0);
    const char *const all[] = {text, page, table, p, b};
    for (size_t i = 0; i < R1_COUNT(all); i++) {
        CU_ASSERT(has(all[i], "added by the reviewer"));
        CU_ASSERT(has(all[i], "lentis") && !has(all[i], "): present"));
    }
    CU_ASSERT(!has(text, "another heading") && !has(page, "another heading"));
    CU_ASSERT(has(p, "ECO:0000352") && has(p, "ECO:0000501"));
    /* no text was read, and no line says that one was */
    CU_ASSERT(has(text, "listed findings: 2, no text was read"));
    CU_ASSERT(!has(text, "words read") && !has(text, "whole text"));
    CU_ASSERT(!has(page, "words read") && !has(page, "whole text"));
    R1_ASSERT_OK(med_review_make(&again, kb, &m.n, &m.d, "letter", &err), &err);
    CU_ASSERT_EQUAL_FATAL(again.n, 2);
    CU_ASSERT(again.finding[0].review == MED_REVIEW_OPEN && again.finding[0].quote.sentence);
    CU_ASSERT(again.finding[1].review == MED_REVIEW_ADDED && !again.finding[1].quote.sentence);
    med_review_free(&again);
    made_free(&m);
    free(text), free(page), free(table), free(p), free(b);
    json_decref(packet);
    json_decref(bundle);
    json_decref(tree);
}

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A signed review: who signed it, when, its number and hash stand in each form. A review that
 * nobody signed is preliminary. */
static void test_signed(void)
{
    json_t *tree = reviewed_of("Ectopia lentis was found."), *packet = NULL, *bundle = NULL;
    made m;
    json_object_set_new(tree, "review", json_integer(12));
    json_object_set_new(tree, "hash", json_string(HASH));
    for (int n = 0; n < 2; n++) {
        char *text = NULL, *page = NULL;
        if (n)
            json_object_set_new(tree, "signed",
                                json_pack("[{s:s, s:s}, {s:s, s:s}]", "by", "anna", "at",
                                          "2026-11-30T09:15:00Z", "by", "ben <b>", "at",
                                          "2026-11-30T09:16:01.25+00:00"));
        make_of_tree(tree, &m);
        R1_ASSERT_OK(med_report_text(m.report, &text, &err), &err);
        R1_ASSERT_OK(med_report_html(m.report, &page, &err), &err);
        R1_ASSERT_OK(med_report_phenopacket(m.report, "2026-11-30", &packet, &err), &err);
        R1_ASSERT_OK(med_report_fhir(m.report, "2026-11-30", &bundle, &err), &err);
        char *p = json_dumps(packet, 0), *b = json_dumps(bundle, 0);
        CU_ASSERT(has(text, "review 12, SHA-256 " HASH) && has(page, "review 12, SHA-256 " HASH));
        CU_ASSERT(has(b, "review 12, SHA-256 " HASH));
        CU_ASSERT_EQUAL(has(text, "anna at 2026-11-30T09:15:00Z, ben <b> at"), n);
        CU_ASSERT_EQUAL(has(page, "ben &lt;b&gt; at 2026-11-30T09:16:01.25+00:00"), n);
        CU_ASSERT_EQUAL(has(text, "not signed"), !n);
        CU_ASSERT_EQUAL(has(p, "\"submittedBy\": \"anna, ben <b>\""), n);
        CU_ASSERT_EQUAL(has(p, "signed review 12, SHA-256 " HASH), n);
        CU_ASSERT_EQUAL(has(b, "\"final\""), n);
        CU_ASSERT_EQUAL(has(b, "\"preliminary\""), !n);
        CU_ASSERT_EQUAL(has(b, "attester") && has(b, "\"when\": \"2026-11-30T09:15:00Z\""), n);
        free(text), free(page), free(p), free(b);
        json_decref(packet);
        json_decref(bundle);
        made_free(&m);
    }
    json_decref(tree);
}

/* ---- what does not fit ---- */

#define HEAD    "{\"format\": \"r1-findings\", \"version\": 1, \"findings\": ["
#define FINDING "{\"id\": \"HP:0001083\", \"status\": \"present\", \"review\": \"open\""

#define SIGNED HEAD "], \"review\": 1, \"hash\": \"" HASH "\", \"signed\": ["

static void test_strict(void)
{
    static const struct {
        const char *text, *what, *found;
    } bad[] = {
        {"{\"format\": \"r2\", \"version\": 1, \"findings\": []}", "r1-findings", "another"},
        {"{\"format\": \"r1-findings\", \"version\": 2, \"findings\": []}", "1 to 1", "found 2"},
        {"{\"format\": \"r1-findings\", \"findings\": []}", "version", "found 0"},
        {"{\"format\": \"r1-findings\", \"version\": 1, \"findings\": {}}", "a list", "an object"},
        {"{\"format\": \"r1-findings\", \"version\": 1, \"findings\": [], \"agee\": 3}", "agee",
         "not known"},
        {"{\"format\": \"r1-findings\", \"version\": 1, \"findings\": [], \"sex\": \"girl\"}",
         "unknown, female, male", "another text"},
        {"{\"format\": \"r1-findings\", \"version\": 1, \"findings\": [], \"age_years\": 151}",
         "0 to 150", "151"},
        {"{\"format\": \"r1-findings\", \"version\": 1, \"findings\": [], \"age_years\": \"3\"}",
         "a number or null", "a text"},
        {HEAD "3]}", "finding 1", "a number"},
        {HEAD FINDING "}, {}]}", "finding 2", "\"id\""},
        {HEAD FINDING ", \"stats\": 1}]}", "stats", "not known"},
        {HEAD "{\"id\": \"HP:0001083\", \"status\": \"family\", \"review\": \"open\"}]}",
         "present, absent, historical", "another text"},
        {HEAD "{\"id\": \"HP:0001083\", \"status\": \"present\"}]}", "open, accepted", "nothing"},
        {HEAD FINDING ", \"person\": \"mother\"}]}", "patient, relative", "another text"},
        {HEAD FINDING ", \"evidence\": {}}]}", "finding 1", "sentence"},
        {HEAD FINDING ", \"evidence\": {\"sentence\": \"abc\", \"from\": 3}}]}", "0 to 2",
         "found 3"},
        {HEAD FINDING ", \"evidence\": {\"sentence\": \"abc\", \"from\": 1, \"to\": 1}}]}",
         "2 to 3", "found 1"},
        {HEAD FINDING ", \"evidence\": {\"sentence\": \"\xc3\xa9\", \"from\": 1}}]}", "cut",
         "character"},
        {HEAD FINDING ", \"evidence\": {\"sentence\": \"a\", \"measured\": {}}}]}", "measured",
         "value"},
        {HEAD FINDING ", \"evidence\": {\"sentence\": \"a\", \"section\": \"x\"}}]}", "section",
         "another text"},
        {HEAD FINDING ", \"name\": \"a\\u0000b\"}]}", "name", "NUL"},
        {HEAD "], \"review\": 0, \"hash\": \"" HASH "\"}", "review", "found 0"},
        {HEAD "], \"review\": 1}", "both or none", "found one"},
        {HEAD "], \"hash\": \"" HASH "\"}", "both or none", "found one"},
        {HEAD "], \"review\": 1, \"hash\": \"ABC\"}", "64 digits", "another text"},
        {HEAD "], \"signed\": [{\"by\": \"a\", \"at\": \"2026-11-30T09:15:00Z\"}]}",
         "of what was signed", "none"},
        {SIGNED "{\"at\": \"2026-11-30T09:15:00Z\"}]}", "a name", "nothing"},
        {SIGNED "{\"by\": \"a\\nb\", \"at\": \"2026-11-30T09:15:00Z\"}]}", "a name",
         "another text"},
        {SIGNED "{\"by\": \"a\", \"at\": \"2026-02-30T09:15:00Z\"}]}", "an instant",
         "another text"},
        {SIGNED "{\"by\": \"a\", \"at\": \"2026-11-30\"}]}", "an instant", "another text"},
        {SIGNED "{\"by\": \"a\", \"at\": \"2026-11-30T09:15:00+0:000\"}]}", "an instant",
         "another text"},
        {SIGNED "{}, {}, {}, {}, {}, {}, {}, {}, {}]}", "at most 8", "of 9"},
    };
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        med_document d;
        err = (r1_err){0};
        r1_status st = med_document_read(&d, "f.json", bad[i].text, strlen(bad[i].text), &err);
        if (st != R1_E_FORMAT || !strstr(err.msg, bad[i].what) || !strstr(err.msg, bad[i].found) ||
            strncmp(err.msg, "f.json", 6) != 0)
            printf("%s: \"%s\" and \"%s\" in: %s\n", bad[i].text, bad[i].what, bad[i].found,
                   err.msg);
        CU_ASSERT_EQUAL(st, R1_E_FORMAT);
        CU_ASSERT(strncmp(err.msg, "f.json", 6) == 0 && strstr(err.msg, bad[i].what) &&
                  strstr(err.msg, bad[i].found));
        med_document_free(&d);
    }
}

static void test_bound(void)
{
    med_document d;
    size_t n = 0, cap = (size_t)(MED_DOCUMENT_FINDINGS_MAX + 2) * (sizeof FINDING + 4) + 200;
    char *text = malloc(cap);
    n += (size_t)snprintf(text, cap, HEAD);
    for (int i = 0; i <= MED_DOCUMENT_FINDINGS_MAX; i++)
        n += (size_t)snprintf(text + n, cap - n, "%s" FINDING "}", i ? "," : "");
    n += (size_t)snprintf(text + n, cap - n, "]}");
    CU_ASSERT_EQUAL(med_document_read(&d, "f.json", text, n, &err), R1_E_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "10001, expected at most 10000"));
    free(text);
}

/* ---- the schema ---- */

/* Every member that a full review has, and no other, stands in the schema, down to the leaves. */
static void same_members(const json_t *schema, const json_t *o)
{
    const json_t *known = json_object_get(schema, "properties");
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)known, key, v)
    {
        const json_t *of = json_object_get(o, key);
        if (!of) printf("the schema has %s\n", key);
        CU_ASSERT_PTR_NOT_NULL(of);
        if (json_is_object(of)) same_members(v, of);
        if (json_is_object(json_array_get(of, 0)))
            same_members(json_object_get(v, "items"), json_array_get(of, 0));
    }
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        if (!json_object_get(known, key)) printf("the file has %s\n", key);
        CU_ASSERT_PTR_NOT_NULL(json_object_get(known, key));
    }
}

static void same_words(const json_t *schema, const char *const *word, size_t n, const char *without)
{
    const json_t *list = json_object_get(schema, "enum");
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (!without || strcmp(word[i], without) != 0) {
            const char *s = json_string_value(json_array_get(list, k++));
            CU_ASSERT_PTR_NOT_NULL_FATAL(s);
            CU_ASSERT_STRING_EQUAL(s, word[i]);
        }
    CU_ASSERT_EQUAL(json_array_size(list), k);
}

static void test_schema(void)
{
    json_t *schema =
        json_load_file(r1_test_source("schemas/messages/findings.schema.json"), 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(schema);
    med_review_finding f = {
        .id = strdup("HP:1"),
        .name = strdup("a"),
        .quote = {
            .sentence = strdup("a"), .cue = strdup("no"), .to = 1, .mentions = 1, .lab = true}};
    med_review v = {.record = strdup("r"),
                    .knowledge_base = strdup("k"),
                    .age_years = 1,
                    .signing = {.review = 1, .hash = HASH},
                    .finding = calloc(1, sizeof f),
                    .n = 1};
    v.finding[0] = f;
    char *text;
    R1_ASSERT_OK(med_review_write(&v, &text, &err), &err);
    json_t *o = json_loads(text, 0, NULL);
    same_members(schema, o);
    const json_t *members = json_object_get(
        json_object_get(json_object_get(json_object_get(schema, "properties"), "findings"),
                        "items"),
        "properties");
    same_words(json_object_get(members, "status"), med_status_name, MED_STATUS_COUNT, "family");
    same_words(json_object_get(members, "review"), med_review_name, MED_REVIEW_STATES, NULL);
    same_words(json_object_get(json_object_get(json_object_get(members, "evidence"), "properties"),
                               "section"),
               med_section_name, MED_SECTION_COUNT, NULL);
    json_decref(o);
    json_decref(schema);
    free(text);
    med_review_free(&v);
}

R1_TEST_MAIN("review", {"round trip", test_round_trip}, {"the same report", test_same_report},
             {"denied in the family", test_family_denied}, {"added", test_added},
             {"signed", test_signed}, {"what a person changes", test_changes},
             {"what does not fit", test_strict}, {"bound", test_bound}, {"schema", test_schema})
