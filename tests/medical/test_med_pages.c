/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_pages.c - what holds for every report as a reader sees it: both languages say the same,
 * each finding is listed once, the same input gives the same bytes, no question asks what is known
 * or what such a patient cannot have, no denial raises a disease, all findings are listed however
 * many there are. Knowledge bases are written here, one row per thing that is looked at. */
#include "ontology/med_sources.h"
#include "report/med_report.h"
#include "report/med_report_summary.h"
#include "report/med_systems.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_err err;

static const char pages_xml[] =
    "<r1-ontology version=\"1\" title=\"Small\" licence=\"none\"><findings>"
    "<finding id=\"R1:0\" name=\"Phenotypic abnormality\" root=\"true\"/>"
    "<finding id=\"R1:10\" name=\"Genitourinary\"><is-a finding=\"R1:0\"/>"
    "<xref id=\"HP:0000119\"/></finding>"
    "<finding id=\"R1:11\" name=\"Birth things\"><is-a finding=\"R1:0\"/>"
    "<xref id=\"HP:0001197\"/></finding>"
    "<finding id=\"R1:12\" name=\"Skin things\"><is-a finding=\"R1:0\"/></finding>"
    "<finding id=\"R1:1\" name=\"Zebra sign\"><is-a finding=\"R1:12\"/></finding>"
    "<finding id=\"R1:2\" name=\"Cryptorchidism\"><is-a finding=\"R1:10\"/>"
    "<xref id=\"HP:0000028\"/></finding>"
    "<finding id=\"R1:3\" name=\"Polyhydramnios\"><is-a finding=\"R1:11\"/></finding>"
    "<finding id=\"R1:4\" name=\"Spotted tail\"><is-a finding=\"R1:12\"/></finding>"
    "<finding id=\"R1:5\" name=\"Striped tail\"><is-a finding=\"R1:12\"/></finding>"
    "<finding id=\"R1:6\" name=\"Striped tail tip\"><is-a finding=\"R1:5\"/></finding>"
    "</findings><diseases>"
    "<disease id=\"OMIM:1\" name=\"Early\" inheritance=\"X-linked recessive\" onset=\"neonatal\" "
    "prevalence=\"1e-4\"><gene>AAA</gene><has finding=\"R1:1\" frequency=\"0.9\"/>"
    "<has finding=\"R1:2\" frequency=\"0.9\"/><has finding=\"R1:3\" frequency=\"0.9\"/></disease>"
    "<disease id=\"OMIM:2\" name=\"Late\" inheritance=\"autosomal dominant\" onset=\"adult\">"
    "<has finding=\"R1:1\" frequency=\"0.7\"/><has finding=\"R1:4\" frequency=\"0.9\"/></disease>"
    "<disease id=\"ORPHA:3\" name=\"Other\"><has finding=\"R1:6\" frequency=\"0.9\"/></disease>"
    "</diseases></r1-ontology>";

typedef struct {
    med_kb *kb;
    med_lexicon *lex;
    med_ranker *ranker;
} pages_tools;

static void pages_open(pages_tools *t, const char *source)
{
    *t = (pages_tools){0};
    R1_ASSERT_OK(med_sources_open(&t->kb, source, &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&t->lex, t->kb, &err), &err);
    R1_ASSERT_OK(med_ranker_new(&t->ranker, t->kb, &err), &err);
}

static void pages_small(pages_tools *t)
{
    const char *path = r1_test_in_tmp("small.xml");
    R1_ASSERT_OK(r1_file_write(path, pages_xml, sizeof pages_xml - 1, &err), &err);
    pages_open(t, path);
}

static void pages_close(pages_tools *t)
{
    med_ranker_free(t->ranker);
    med_lexicon_free(t->lex);
    med_kb_free(t->kb);
}

/* The text must outlive the report. */
static med_report *pages_report(const pages_tools *t, const char *text, med_words_language l,
                                const med_labels *labels)
{
    med_notes notes;
    med_report *r = NULL;
    const med_judge judge = {t->ranker, NULL, NULL, true};
    R1_ASSERT_OK(med_notes_read(&notes, t->lex, t->kb, "record", text, strlen(text), &err), &err);
    const med_report_record record = {.title = "record.txt",
                                      .notes = &notes,
                                      .language = l,
                                      .date = "2026-11-30",
                                      .program = "r1-medical test",
                                      .labels = labels};
    R1_ASSERT_OK(med_report_make(t->kb, &judge, &record, &r, &err), &err);
    med_notes_free(&notes);
    return r;
}

/* ---- words ----------------------------------------------------------------------------------- */

/* The next conversion of a template: its bytes; NULL: no more. */
static const char *conversion(const char *s, size_t *n)
{
    for (s = strchr(s, '%'); s; s = strchr(s + *n, '%')) {
        *n = 1 + strcspn(s + 1, "sdfu%") + 1;
        if (s[*n - 1] != '%') return s;
    }
    return NULL;
}

static void test_words(void)
{
#define PAGES_WORD(id, en, zh) {#id, en, zh},
    static const struct {
        const char *id, *en, *zh;
    } words[] = {MED_WORDS(PAGES_WORD)};
    CU_ASSERT_EQUAL(R1_COUNT(words), MED_WORD_COUNT);
    for (size_t i = 0; i < R1_COUNT(words); i++) {
        const char *a = words[i].en, *b = words[i].zh;
        size_t n = 0, m = 0;
        bool same = true;
        while (same && a) {
            a = conversion(a, &n);
            b = conversion(b, &m);
            same = (!a && !b) || (a && b && n == m && memcmp(a, b, n) == 0);
            if (a) a += n, b += same ? m : 0;
        }
        if (!same)
            printf("%s: \"%s\" and \"%s\" take other arguments\n", words[i].id, words[i].en,
                   words[i].zh);
        CU_ASSERT(same && !strpbrk(words[i].en, "<>&") && !strpbrk(words[i].zh, "<>&"));
    }
    CU_ASSERT_STRING_EQUAL(med_words_of(MED_WORDS_EN, "absent"), "denied");
    CU_ASSERT_STRING_EQUAL(med_words_of(MED_WORDS_ZH, "a new status"), "a new status");
}

/* ---- whom something can be asked of ---------------------------------------------------------- */

static bool pages_asks(const med_report *r, const char *name)
{
    for (uint32_t i = 0; i < r->n_question; i++)
        if (strcmp(r->question[i].name, name) == 0) return true;
    for (uint32_t i = 0; i < r->n_candidate; i++) {
        const med_report_candidate *c = &r->candidate[i];
        for (uint32_t k = 0; k < c->n_typical; k++)
            if (strcmp(c->typical[k].name, name) == 0) return true;
        for (uint32_t k = 0; k < c->n_against; k++)
            if (strcmp(c->against[k].name, name) == 0) return true;
    }
    return false;
}

/* How many cautions stand beside a disease. */
static uint32_t pages_cautions(const med_report *r, const char *disease)
{
    for (uint32_t i = 0; i < r->n_candidate; i++)
        if (strcmp(r->candidate[i].name, disease) == 0) return r->candidate[i].caution.n;
    return MED_NONE;
}

static void test_sex_and_age(void)
{
    static const struct {
        const char *text;
        bool testis, birth;
        uint32_t early, late; /* cautions beside the two diseases */
    } rows[] = {{"A 1-year-old boy with zebra sign.", true, true, 0, 1},
                {"A 1-year-old girl with zebra sign.", false, true, 1, 1},
                {"A 60-year-old man with zebra sign.", true, false, 1, 0},
                {"A 60-year-old woman with zebra sign.", false, false, 2, 0},
                {"Zebra sign.", true, true, 0, 0}};
    pages_tools t;
    pages_small(&t);
    for (size_t i = 0; i < R1_COUNT(rows); i++) {
        med_report *r = pages_report(&t, rows[i].text, MED_WORDS_EN, NULL);
        if (pages_asks(r, "Cryptorchidism") != rows[i].testis) printf("%s\n", rows[i].text);
        CU_ASSERT_EQUAL(pages_asks(r, "Cryptorchidism"), rows[i].testis);
        CU_ASSERT_EQUAL(pages_asks(r, "Polyhydramnios"), rows[i].birth);
        CU_ASSERT_EQUAL(pages_cautions(r, "Early"), rows[i].early);
        CU_ASSERT_EQUAL(pages_cautions(r, "Late"), rows[i].late);
        CU_ASSERT_EQUAL(r->notice.n, i == 4 ? 2 : 0); /* neither sex nor age is said */
        med_report_free(r);
    }
    med_report *r = pages_report(&t, "A 3-year-old girl with cryptorchidism.", MED_WORDS_EN, NULL);
    CU_ASSERT_EQUAL(r->notice.n, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(r->notice.s[0], "contradict"));
    med_report_free(r);
    pages_close(&t);
}

/* ---- contradictions, unknown things ---------------------------------------------------------- */

static void test_contradictions(void)
{
    static const char text[] = "A boy with a striped tail tip. He has a zebra sign.\n"
                               "No striped tail. No zebra sign. No spotted tail.\n";
    pages_tools t;
    pages_small(&t);
    med_report *r = pages_report(&t, text, MED_WORDS_EN, NULL);
    CU_ASSERT_EQUAL_FATAL(r->n_contradiction, 2);
    CU_ASSERT_STRING_EQUAL(r->contradiction[0].name, "Zebra sign"); /* the very finding first */
    CU_ASSERT_STRING_EQUAL(r->contradiction[1].denied_name, "Striped tail");
    const med_report_quote *q = &r->contradiction[0].denied;
    CU_ASSERT(q->sentence.len == 14 && memcmp(q->sentence.s, "No zebra sign.", 14) == 0);
    CU_ASSERT_EQUAL(r->excluded.n, 1);
    CU_ASSERT_EQUAL(r->observed.n, 2);
    med_report_free(r);
    pages_close(&t);
}

static void test_facts(void)
{
    pages_tools t;
    pages_small(&t);
    med_report *r =
        pages_report(&t, "A boy with zebra sign and striped tail tip.", MED_WORDS_EN, NULL);
    CU_ASSERT_EQUAL_FATAL(r->n_candidate, 3);
    for (uint32_t i = 0; i < 3; i++) {
        const med_report_candidate *c = &r->candidate[i];
        bool early = strcmp(c->name, "Early") == 0, other = strcmp(c->name, "Other") == 0;
        CU_ASSERT_EQUAL(c->genes.n, early);
        CU_ASSERT_EQUAL(c->n_link, 2);
        CU_ASSERT_STRING_EQUAL(c->link[0].address, other
                                                       ? "https://www.orpha.net/en/disease/detail/3"
                                                   : early ? "https://omim.org/entry/1"
                                                           : "https://omim.org/entry/2");
        /* Of genes, inheritance, onset, prevalence, OMIM, Orphanet and GARD. */
        CU_ASSERT_EQUAL(c->missing.n, early ? 2 : other ? 6 : 4);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(r->scope);
    CU_ASSERT_PTR_NOT_NULL(strstr(r->scope, "3 diseases"));
    med_report_free(r);
    pages_close(&t);
}

static void test_no_diseases(void)
{
    static const char xml[] = "<r1-ontology version=\"1\" title=\"t\" licence=\"l\"><findings>"
                              "<finding id=\"R1:0\" name=\"Root\" root=\"true\"/></findings>"
                              "<diseases></diseases></r1-ontology>";
    const char *path = r1_test_in_tmp("none.xml");
    med_kb *kb = NULL;
    med_ranker *ranker = NULL;
    R1_ASSERT_OK(r1_file_write(path, xml, sizeof xml - 1, &err), &err);
    R1_ASSERT_OK(med_sources_open(&kb, path, &err), &err);
    CU_ASSERT_EQUAL(med_ranker_new(&ranker, kb, &err), R1_E_INVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "no diseases"));
    med_kb_free(kb);
}

/* ---- any record ------------------------------------------------------------------------------ */

static uint64_t pages_state;
static uint32_t pages_draw(uint32_t below)
{
    pages_state = r1_hash64(&pages_state, sizeof pages_state, 11);
    return (uint32_t)(pages_state % below);
}

/* Sentences with findings of the knowledge base, a third of them denied. */
static char *pages_random(const med_kb *kb)
{
    static const char *const who[] = {"A 4-year-old girl.", "A 61-year-old man.", "The patient."};
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    fprintf(f, "%s\n", who[pages_draw(3)]);
    for (uint32_t n = 1 + pages_draw(30); n; n--)
        fprintf(f, "%s %s.\n", pages_draw(3) ? "There is" : "There is no",
                med_str(kb, kb->term[pages_draw(kb->n_term)].name));
    fclose(f);
    return text;
}

static size_t pages_count(const char *in, const char *from, const char *to, const char *what)
{
    size_t n = 0;
    const char *a = strstr(in, from), *b = a ? strstr(a + 1, to) : NULL;
    if (!a || !b) return SIZE_MAX;
    for (a = strstr(a, what); a && a < b; a = strstr(a + 1, what)) n++;
    return n;
}

/* Each finding stands once in its section. */
static void check_listed_once(const med_report *r)
{
    char *html = NULL, *plain = NULL, id[64];
    R1_ASSERT_OK(med_report_html(r, &html, &err), &err);
    R1_ASSERT_OK(med_report_text(r, &plain, &err), &err);
    for (uint32_t i = 0; i < r->observed.n + r->excluded.n; i++) {
        bool seen = i < r->observed.n;
        const med_report_finding *f =
            seen ? &r->observed.row[i] : &r->excluded.row[i - r->observed.n];
        const char *from = seen ? "<h2>Observed" : "<h2>Excluded";
        const char *to = seen ? "<h2>Excluded" : "<h2>Mentioned";
        snprintf(id, sizeof id, "<span class=id>%s<", f->id);
        CU_ASSERT_EQUAL(pages_count(html, from, to, id), 1);
        snprintf(id, sizeof id, "    %s ", f->id);
        CU_ASSERT_EQUAL(pages_count(plain, from + 4, to + 4, id), 1);
    }
    free(html);
    free(plain);
}

/* No question asks what the record says, and no answer "denied" raises anything. */
static void check_questions(const med_report *r)
{
    for (uint32_t i = 0; i < r->n_question; i++) {
        const med_report_question *q = &r->question[i];
        CU_ASSERT(q->none <= q->now && q->information >= 0 && isfinite(q->information));
        for (uint32_t k = 0; k < r->observed.n; k++)
            CU_ASSERT(strcmp(r->observed.row[k].id, q->id) != 0);
        for (uint32_t k = 0; k < r->excluded.n; k++)
            CU_ASSERT(strcmp(r->excluded.row[k].id, q->id) != 0);
    }
    for (uint32_t i = 0; i < r->n_candidate; i++) {
        const med_report_candidate *c = &r->candidate[i];
        for (uint32_t k = 0; k < c->n_typical; k++) CU_ASSERT(c->typical[k].denied <= 1);
        for (uint32_t k = 1; k < c->n_typical; k++)
            CU_ASSERT(c->typical[k - 1].information >= c->typical[k].information);
        CU_ASSERT(c->n_explained + c->unexplained.n == c->n_weighed);
    }
}

/* What a question says of "denied" is what the report says once it is denied. */
static void check_denied(const pages_tools *t, const med_report *r, const char *text)
{
    char *more = NULL;
    size_t len = 0;
    if (!r->n_question) return;
    const med_report_question *q = &r->question[0];
    FILE *f = open_memstream(&more, &len);
    fprintf(f, "%sThere is no %s.\n", text, q->name);
    fclose(f);
    med_report *then = pages_report(t, more, MED_WORDS_EN, NULL);
    for (uint32_t i = 0; i < then->n_candidate; i++) {
        const med_report_candidate *c = &then->candidate[i];
        for (uint32_t k = 0; k < r->n_candidate; k++)
            CU_ASSERT(strcmp(c->id, r->candidate[k].id) != 0 ||
                      c->probability <= r->candidate[k].probability + 1e-6);
        if (strcmp(c->id, q->disease_id) == 0) CU_ASSERT(fabs(c->probability - q->none) < 1e-5);
    }
    med_report_free(then);
    free(more);
}

static void check_same_bytes(const med_report *r, const med_report *again, size_t number)
{
    char name[2][40], *html[2];
    const med_report *both[] = {r, again};
    for (size_t i = 0; i < 2; i++) {
        snprintf(name[i], sizeof name[i], "same-%zu-%zu.pdf", number, i);
        R1_ASSERT_OK(med_report_html(both[i], &html[i], &err), &err);
        R1_ASSERT_OK(med_report_pdf(both[i], r1_test_in_tmp(name[i]), &err), &err);
    }
    CU_ASSERT_STRING_EQUAL(html[0], html[1]);
    CU_ASSERT(r1_test_same_files(r1_test_in_tmp(name[0]), r1_test_in_tmp(name[1])));
    free(html[0]);
    free(html[1]);
}

static void test_any_record(void)
{
    enum { RECORDS = 40, PRINTED = 4 };
    pages_tools t;
    pages_state = r1_test_seed();
    pages_open(&t, r1_test_source("ontology/r1med.xml"));
    for (size_t i = 0; i < RECORDS; i++) {
        char *text = pages_random(t.kb);
        med_report *r = pages_report(&t, text, MED_WORDS_EN, NULL);
        check_listed_once(r);
        check_questions(r);
        check_denied(&t, r, text);
        if (i < PRINTED) {
            med_report *again = pages_report(&t, text, MED_WORDS_EN, NULL);
            check_same_bytes(r, again, i);
            med_report_free(again);
        }
        med_report_free(r);
        free(text);
    }
    pages_close(&t);
}

/* ---- many findings --------------------------------------------------------------------------- */

enum { MANY = 10000 };

static void many_source(const char *path)
{
    FILE *f = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs("<r1-ontology version=\"1\" title=\"Many\" licence=\"l\"><findings>"
          "<finding id=\"R1:0\" name=\"Root\" root=\"true\"/>",
          f);
    for (int i = 1; i <= MANY; i++)
        fprintf(f, "<finding id=\"R1:%d\" name=\"Sign %d\"><is-a finding=\"R1:0\"/></finding>", i,
                i);
    fputs("</findings><diseases>", f);
    for (int d = 0; d < 4; d++) {
        fprintf(f, "<disease id=\"OMIM:%d\" name=\"D%d\">", d + 1, d);
        for (int i = 1; i <= 40; i++)
            fprintf(f, "<has finding=\"R1:%d\" frequency=\"0.5\"/>", d * 40 + i);
        fputs("</disease>", f);
    }
    fputs("</diseases></r1-ontology>\n", f);
    fclose(f);
}

/* A record as a list gives it: one sentence for each finding. */
static void many_notes(const med_kb *kb, med_notes *n, char *text)
{
    *n = (med_notes){.text = text, .age_years = NAN};
    n->sentence = calloc(MANY, sizeof *n->sentence);
    n->mention = calloc(MANY, sizeof *n->mention);
    n->section = calloc(1, sizeof *n->section);
    n->n_section = 1;
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t at = i * 10, term = MED_NONE;
        char id[16];
        snprintf(id, sizeof id, "R1:%u", i + 1);
        term = med_kb_term(kb, id, strlen(id));
        CU_ASSERT_NOT_EQUAL_FATAL(term, MED_NONE);
        snprintf(text + at, 11, "s%08u\n", i + 1);
        n->sentence[i] = (med_sentence){.start = at, .end = at + 9};
        n->mention[i] = (med_mention){.term = term, .start = at, .end = at + 9, .sentence = i};
    }
    n->n_sentence = n->n_mention = MANY;
    n->len = (size_t)MANY * 10;
}

static void test_many(void)
{
    pages_tools t;
    med_notes notes;
    med_report *r = NULL;
    char *text = calloc(MANY + 1, 10), *plain = NULL;
    const char *path = r1_test_in_tmp("many.xml");
    many_source(path);
    pages_open(&t, path);
    many_notes(t.kb, &notes, text);
    const med_judge judge = {t.ranker, NULL, NULL, true};
    const med_report_record record = {.title = "many", .notes = &notes};
    R1_ASSERT_OK(med_report_make(t.kb, &judge, &record, &r, &err), &err);
    CU_ASSERT_EQUAL(r->observed.n, MANY);
    CU_ASSERT(r->unranked >= MANY - MED_FINDINGS_MAX);
    R1_ASSERT_OK(med_report_text(r, &plain, &err), &err);
    CU_ASSERT_EQUAL(pages_count(plain, "Observed", "Excluded", "\n    R1:"), MANY);
    CU_ASSERT_PTR_NOT_NULL(strstr(plain, "left out of the ranking"));
    R1_ASSERT_OK(med_report_pdf(r, r1_test_in_tmp("many.pdf"), &err), &err);
    free(plain);
    med_report_free(r);
    free(text);
    free(notes.sentence);
    free(notes.mention);
    free(notes.section);
    pages_close(&t);
}

/* ---- Chinese --------------------------------------------------------------------------------- */

static void test_chinese(void)
{
    static const char babelon[] = "source_language\tsubject_id\tpredicate_id\ttranslation_value\n"
                                  "en\tR1:1\trdfs:label\t斑马征\nen\tR1:999\trdfs:label\t无\n";
    const char *path = r1_test_in_tmp("zh.tsv"), *bad = r1_test_in_tmp("bad.tsv");
    pages_tools t;
    med_labels *labels = NULL;
    char *plain = NULL, *html = NULL;
    pages_small(&t);
    R1_ASSERT_OK(r1_file_write(path, babelon, sizeof babelon - 1, &err), &err);
    R1_ASSERT_OK(med_labels_open(&labels, t.kb, path, &err), &err);
    med_report *r =
        pages_report(&t, "A boy with zebra sign. No spotted tail.", MED_WORDS_ZH, labels);
    R1_ASSERT_OK(med_report_text(r, &plain, &err), &err);
    R1_ASSERT_OK(med_report_html(r, &html, &err), &err);
    CU_ASSERT_STRING_EQUAL(r->observed.row[0].name, "斑马征");
    CU_ASSERT_STRING_EQUAL(r->excluded.row[0].name, "Spotted tail");
    CU_ASSERT_PTR_NOT_NULL(strstr(plain, "摘要"));
    CU_ASSERT_PTR_NULL(strstr(plain, "Summary"));
    CU_ASSERT_PTR_NOT_NULL(strstr(html, "<html lang=\"zh\">"));
    r1_status st = med_report_pdf(r, r1_test_in_tmp("zh.pdf"), &err);
    CU_ASSERT(st == R1_OK || (st == R1_E_INVAL && strstr(err.msg, "fonts-noto-cjk")));
    free(plain);
    free(html);
    med_report_free(r);
    med_labels_free(labels);
    R1_ASSERT_OK(r1_file_write(bad, "R1:1\n", 5, &err), &err);
    CU_ASSERT_EQUAL(med_labels_open(&labels, t.kb, bad, &err), R1_E_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "bad.tsv:1"));
    pages_close(&t);
}

R1_TEST_MAIN("medical pages", {"words", test_words}, {"sex and age", test_sex_and_age},
             {"contradictions", test_contradictions}, {"facts", test_facts},
             {"no diseases", test_no_diseases}, {"any record", test_any_record},
             {"many findings", test_many}, {"Chinese", test_chinese})
