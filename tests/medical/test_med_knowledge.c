/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_knowledge.c - what the sources say reaches the ranking and the report: a row of men does
 * not count in a woman, nobody is asked for what begins later, several entries of one disease are
 * one candidate that names the others, facts name their source, and rows that are not used are
 * told. */
#include "documents/med_document.h"
#include "eval/med_cases.h"
#include "ontology/med_import.h"
#include "ontology/med_sources.h"
#include "rank/med_families.h"
#include "report/med_report.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_err err;

static const char obo[] = "format-version: 1.2\n[Term]\nid: HP:0000118\nname: Root\n"
                          "[Term]\nid: HP:1\nname: Zebra sign\nis_a: HP:0000118\n"
                          "[Term]\nid: HP:2\nname: Spotted tail\nis_a: HP:0000118\n"
                          "[Term]\nid: HP:3\nname: Striped tail\nis_a: HP:0000118\n"
                          "[Term]\nid: HP:4\nname: Golden ear\nis_a: HP:0000118\n"
                          "[Term]\nid: HP:5\nname: Round nose\nis_a: HP:0000118\n";
#define ROW(disease, name, hpo, onset, freq, sex)                                                  \
    disease "\t" name "\t\t" hpo "\tPMID:7\tPCS\t" onset "\t" freq "\t" sex "\t\tP\tx\n"
/* clang-format off */
static const char hpoa[] =
    "#version: t\ndatabase_id\tdisease_name\tqualifier\thpo_id\treference\tevidence\tonset\t"
    "frequency\tsex\tmodifier\taspect\tbiocuration\n"
    ROW("OMIM:1", "Kind 1", "HP:1", "", "9/10", "")
    ROW("OMIM:1", "Kind 1", "HP:5", "", "9/10", "")
    ROW("OMIM:1", "Kind 1", "HP:2", "", "4/4", "MALE")
    ROW("OMIM:1", "Kind 1", "HP:3", "HP:0003581", "9/10", "")
    ROW("OMIM:2", "Kind 2", "HP:1", "", "8/10", "")
    ROW("OMIM:2", "Kind 2", "HP:4", "", "6/10", "")
    ROW("ORPHA:5", "Kind", "HP:1", "", "7/10", "")
    ROW("OMIM:3", "Other", "HP:4", "", "9/10", "")
    ROW("OMIM:3", "Other", "HP:4", "", "03-Jul", "")
    ROW("OMIM:3", "Other", "HP:1", "", "0/9", "")
    ROW("OMIM:3", "Other", "HP:5", "", "0/2", "")
    "OMIM:1\tKind 1\tNOT\tHP:4\tPMID:7\tPCS\t\t\t\t\tP\tx\n";
/* clang-format on */
static const char sssom[] = "subject_id\tpredicate_id\tobject_id\n"
                            "MONDO:1\tskos:exactMatch\tOMIM:1\nMONDO:2\tskos:exactMatch\tOMIM:2\n"
                            "MONDO:9\tskos:exactMatch\tOrphanet:5\n"
                            "MONDO:3\tskos:exactMatch\tOMIM:3\n"
                            "MONDO:3\tskos:exactMatch\tOrphanet:8\n";
static const char edges[] = "subject\tpredicate\tobject\nMONDO:1\tbiolink:subclass_of\tMONDO:9\n"
                            "MONDO:2\tbiolink:subclass_of\tMONDO:9\n"
                            "MONDO:3\tbiolink:subclass_of\tMONDO:9\n";
/* Facts of the entry that stands for the family, and of the one that is equal to OMIM:3. */
static const char orpha[] =
    "<JDBOR date=\"d\"><Disorder><OrphaCode>5</OrphaCode><Name>Kind</Name><PrevalenceList>"
    "<Prevalence><PrevalenceType><Name>Annual incidence</Name></PrevalenceType><PrevalenceClass>"
    "<Name>&gt;1 / 1000</Name></PrevalenceClass><PrevalenceGeographic><Name>Worldwide</Name>"
    "</PrevalenceGeographic></Prevalence>"
    "<Prevalence><PrevalenceType><Name>Point prevalence</Name></PrevalenceType><PrevalenceClass>"
    "<Name>1-5 / 10 000</Name></PrevalenceClass><PrevalenceGeographic><Name>Malta</Name>"
    "</PrevalenceGeographic></Prevalence>"
    "<Prevalence><PrevalenceType><Name>Point prevalence</Name></PrevalenceType><PrevalenceClass>"
    "<Name>1-9 / 100 000</Name></PrevalenceClass><PrevalenceGeographic><Name>Worldwide</Name>"
    "</PrevalenceGeographic></Prevalence></PrevalenceList></Disorder>"
    "<Disorder><OrphaCode>8</OrphaCode><Name>Other</Name><HPODisorderAssociation><HPO>"
    "<HPOId>HP:4</HPOId></HPO><HPOFrequency><Name>Frequent (79-30%)</Name></HPOFrequency>"
    "</HPODisorderAssociation><AverageAgeOfOnset><Name>Childhood</Name></AverageAgeOfOnset>"
    "<TypeOfInheritance><Name>Autosomal dominant</Name></TypeOfInheritance></Disorder></JDBOR>";

typedef struct {
    med_kb *kb;
    med_lexicon *lex;
    med_ranker *ranker;
} knowledge;

static void knowledge_open(knowledge *k)
{
    static const struct {
        const char *name, *text;
    } file[] = {{"t.obo", obo},
                {"t.hpoa", hpoa},
                {"t.sssom.tsv", sssom},
                {"t.edges.tsv", edges},
                {"t.xml", orpha}};
    char path[R1_COUNT(file)][4200];
    const char *list[R1_COUNT(file)];
    *k = (knowledge){0};
    for (size_t i = 0; i < R1_COUNT(file); i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", r1_test_tmpdir(), file[i].name);
        R1_ASSERT_OK(r1_file_write(path[i], file[i].text, strlen(file[i].text), &err), &err);
        list[i] = path[i];
    }
    R1_ASSERT_OK(med_sources_build(list, R1_COUNT(file), &k->kb, NULL, &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&k->lex, k->kb, &err), &err);
    R1_ASSERT_OK(med_ranker_new(&k->ranker, k->kb, &err), &err);
}

static void knowledge_close(knowledge *k)
{
    med_ranker_free(k->ranker);
    med_lexicon_free(k->lex);
    med_kb_free(k->kb);
}

/* The text must outlive the report. */
static med_report *knowledge_report(const knowledge *k, const char *text)
{
    med_notes notes;
    med_report *r = NULL;
    const med_judge judge = {k->ranker, NULL, NULL, true};
    R1_ASSERT_OK(med_notes_read(&notes, k->lex, k->kb, "record", text, strlen(text), &err), &err);
    const med_report_record record = {
        .title = "t", .notes = &notes, .language = MED_WORDS_EN, .date = "2026-11-30"};
    R1_ASSERT_OK(med_report_make(k->kb, &judge, &record, &r, &err), &err);
    med_notes_free(&notes);
    return r;
}

static uint32_t disease_of(const knowledge *k, const char *id)
{
    return med_kb_disease(k->kb, id, strlen(id));
}

static bool report_asks(const med_report *r, const char *name)
{
    for (uint32_t i = 0; i < r->n_question; i++)
        if (strcmp(r->question[i].name, name) == 0) return true;
    for (uint32_t i = 0; i < r->n_candidate; i++) {
        const med_report_candidate *c = &r->candidate[i];
        for (uint32_t t = 0; t < c->n_typical; t++)
            if (strcmp(c->typical[t].name, name) == 0) return true;
        for (uint32_t t = 0; t < c->n_against; t++)
            if (strcmp(c->against[t].name, name) == 0) return true;
    }
    return false;
}

/* What only men showed is not asked of a girl; what begins with adults not of a child. */
static void test_asked(void)
{
    static const struct {
        const char *text;
        bool spotted, striped;
    } rows[] = {{"A 30-year-old man with round nose.", true, true},
                {"A 30-year-old woman with round nose.", false, true},
                {"A 3-year-old boy with round nose.", true, false},
                {"Round nose.", true, true}};
    knowledge k;
    knowledge_open(&k);
    for (size_t i = 0; i < R1_COUNT(rows); i++) {
        med_report *r = knowledge_report(&k, rows[i].text);
        CU_ASSERT_EQUAL(report_asks(r, "Spotted tail"), rows[i].spotted);
        CU_ASSERT_EQUAL(report_asks(r, "Striped tail"), rows[i].striped);
        med_report_free(r);
    }
    knowledge_close(&k);
}

static float log_lr_of(const knowledge *k, med_sex sex, med_leave_out skip, uint32_t *n)
{
    uint32_t seen = med_kb_term(k->kb, "HP:2", 4), one = disease_of(k, "OMIM:1");
    med_match m;
    med_case c = {.observed = &seen, .n_observed = 1, .sex = sex, .age_years = NAN, .skip = skip};
    med_case_open(k->ranker, &c);
    med_explain_list(k->ranker, &(med_candidate){.disease = one}, 1, &m);
    med_case_profile(k->ranker, one, n);
    med_case_close(k->ranker);
    return m.log_lr;
}

/* The finding of men alone speaks for the disease in a man, and where the sex is not known; in a
 * woman the disease lacks it. So it is where a publication is left out. */
static void test_sex_in_ranking(void)
{
    const med_leave_out all = {0}, another = {.pmid = 8};
    knowledge k;
    uint32_t n, n_girl;
    knowledge_open(&k);
    float male = log_lr_of(&k, MED_SEX_MALE, all, &n);
    float girl = log_lr_of(&k, MED_SEX_FEMALE, all, &n_girl);
    CU_ASSERT(male > girl && n == n_girl + 1);
    CU_ASSERT_EQUAL(log_lr_of(&k, MED_SEX_UNKNOWN, all, &n), male);
    CU_ASSERT_EQUAL(log_lr_of(&k, MED_SEX_FEMALE, another, &n), girl);
    CU_ASSERT_EQUAL(log_lr_of(&k, MED_SEX_MALE, (med_leave_out){.pmid = 7}, &n), girl);
    CU_ASSERT_EQUAL(n, 0);
    knowledge_close(&k);
}

static bool names_have(const med_report_names *n, const char *what)
{
    for (uint32_t i = 0; i < n->n; i++)
        if (strcmp(n->s[i], what) == 0) return true;
    return false;
}

/* Orphanet's entry and the two that OMIM numbers are one candidate with all their probability. An
 * OMIM disease with an entry of its own in Orphanet stays apart. */
static void test_families(void)
{
    knowledge k;
    knowledge_open(&k);
    CU_ASSERT_EQUAL(k.kb->n_disease, 4);
    CU_ASSERT(med_families_same(k.kb, disease_of(&k, "OMIM:1"), disease_of(&k, "OMIM:2")));
    CU_ASSERT(med_families_same(k.kb, disease_of(&k, "OMIM:1"), disease_of(&k, "Orphanet:5")));
    CU_ASSERT(!med_families_same(k.kb, disease_of(&k, "OMIM:1"), disease_of(&k, "OMIM:3")));
    CU_ASSERT_EQUAL(disease_of(&k, "ORPHA:8"), disease_of(&k, "MIM:3"));
    uint32_t seen = med_kb_term(k.kb, "HP:1", 4), n, from[8];
    med_candidate list[8], joined[8];
    med_case c = {.observed = &seen, .n_observed = 1, .age_years = NAN};
    med_case_open(k.ranker, &c);
    R1_ASSERT_OK(med_rank(k.ranker, list, 8, &n, &err), &err);
    med_posterior_likelihood(list, n);
    med_case_close(k.ranker);
    CU_ASSERT_EQUAL_FATAL(n, 4);
    CU_ASSERT_EQUAL_FATAL(med_families_join(k.kb, list, n, joined, from), 2);
    float sum = 0;
    for (uint32_t i = 0; i < n; i++)
        if (med_families_same(k.kb, list[i].disease, list[0].disease)) sum += list[i].posterior;
    CU_ASSERT(fabsf(joined[0].posterior - sum) < 1e-6f && from[0] == 0);
    CU_ASSERT_EQUAL(joined[0].disease, list[0].disease);
    med_report *r = knowledge_report(&k, "Zebra sign.");
    CU_ASSERT_EQUAL_FATAL(r->n_candidate, 2);
    CU_ASSERT_EQUAL_FATAL(r->candidate[0].together.n, 2);
    CU_ASSERT_EQUAL(r->candidate[1].together.n, 0);
    CU_ASSERT(names_have(&r->candidate[0].ids, "ORPHA:5"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(r->summary.s[2]);
    CU_ASSERT_EQUAL(
        strncmp(r->summary.s[2], "It stands for 3 entries that are one disease, also: ", 52), 0);
    CU_ASSERT(fabs(r->candidate[0].probability - (double)sum) < 1e-6);
    med_report_free(r);
    knowledge_close(&k);
}

/* Without a map of Mondo the names say so, where a gene is shared or the name is the same. */
static void test_families_by_name(void)
{
    static const char rows[] =
        "database_id\tdisease_name\thpo_id\taspect\nOMIM:1\tFoo syndrome 1\tHP:1\tP\n"
        "OMIM:2\tFOO syndrome, type II\tHP:1\tP\nORPHA:3\tFoo syndrome\tHP:1\tP\n"
        "OMIM:4\tFoo syndrome 4\tHP:1\tP\nOMIM:5\tBar disease\tHP:1\tP\n"
        "ORPHA:6\tBar  Disease\tHP:1\tP\nOMIM:7\tBar disease 2\tHP:1\tP\n";
    static const char genes[] = "gene_symbol\tdisease_id\nAAA\tOMIM:1\nAAA\tORPHA:3\n"
                                "BBB\tOMIM:2\nBBB\tOrphanet:3\nCCC\tOMIM:4\n";
    static const struct {
        const char *a, *b;
        bool same;
    } pair[] = {{"OMIM:1", "ORPHA:3", true},  {"OMIM:2", "ORPHA:3", true},
                {"OMIM:4", "ORPHA:3", false}, {"OMIM:5", "ORPHA:6", true},
                {"OMIM:7", "ORPHA:6", false}, {"OMIM:1", "OMIM:5", false}};
    char path[3][4200];
    const char *text[] = {obo, rows, genes}, *list[3];
    med_kb *kb = NULL;
    for (size_t i = 0; i < 3; i++) {
        snprintf(path[i], sizeof path[i], "%s/name.%zu", r1_test_tmpdir(), i);
        R1_ASSERT_OK(r1_file_write(path[i], text[i], strlen(text[i]), &err), &err);
        list[i] = path[i];
    }
    R1_ASSERT_OK(med_sources_build(list, 3, &kb, NULL, &err), &err);
    const knowledge k = {.kb = kb};
    for (size_t i = 0; i < R1_COUNT(pair); i++)
        CU_ASSERT_EQUAL(med_families_same(kb, disease_of(&k, pair[i].a), disease_of(&k, pair[i].b)),
                        pair[i].same);
    med_kb_free(kb);
}

/* Prevalence is the world's point prevalence, not an incidence and not the highest of a region. A
 * member of a family takes it from the entry that stands for it. Each fact names its source, and a
 * source names the rows that are not used. */
static void test_knowledge_facts(void)
{
    knowledge k;
    knowledge_open(&k);
    med_report *r = knowledge_report(&k, "Zebra sign and golden ear.");
    for (uint32_t i = 0; i < r->n_candidate; i++) {
        const med_report_candidate *c = &r->candidate[i];
        bool other = strcmp(c->name, "Other") == 0;
        CU_ASSERT(other ? isnan(c->prevalence) : fabs(c->prevalence - 5e-5) < 1e-9);
        CU_ASSERT_EQUAL(names_have(&c->origin, "Prevalence: Orphanet (Orphadata)"), !other);
        CU_ASSERT_EQUAL(names_have(&c->origin, "Onset: Orphanet (Orphadata)"), other);
        CU_ASSERT_EQUAL(names_have(&c->origin, "Inheritance: Orphanet (Orphadata)"), other);
    }
    CU_ASSERT_EQUAL_FATAL(r->n_source, 4);
    CU_ASSERT_EQUAL(r->source[1].n_refused, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(r->source[1].loss, "1 rows that cannot be read"));
    CU_ASSERT_STRING_EQUAL(r->source[0].loss, "");
    char *text = NULL;
    R1_ASSERT_OK(med_report_text(r, &text, &err), &err);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Left out: 1 rows that cannot be read"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Counted as one with: "));
    free(text);
    med_report_free(r);
    knowledge_close(&k);
}

/* What the sources say that patients do not show is told where the record reports it: a row with
 * NOT, and none of enough patients. */
static void test_not_rows(void)
{
    static const char *const said[] = {
        "Its sources say that patients with it do not show: Golden ear.",
        "Its sources say that patients with it do not show: Zebra sign."};
    knowledge k;
    knowledge_open(&k);
    med_report *r = knowledge_report(&k, "Round nose, golden ear and zebra sign.");
    uint32_t told = 0;
    for (uint32_t i = 0; i < r->n_candidate; i++) {
        const med_report_candidate *c = &r->candidate[i];
        const char *expected = strcmp(c->id, "OMIM:1") == 0   ? said[0]
                               : strcmp(c->id, "OMIM:3") == 0 ? said[1]
                                                              : NULL;
        if (!expected) continue;
        CU_ASSERT_EQUAL_FATAL(c->caution.n, 1);
        CU_ASSERT_STRING_EQUAL(c->caution.s[0], expected);
        told++;
    }
    CU_ASSERT_EQUAL(told, 2);
    med_report_free(r);
    knowledge_close(&k);
}

/* An id in a text that is not taken as it stands is told once, with what to take. */
static void test_ids_in_text(void)
{
    static const char terms[] =
        "format-version: 1.2\n[Term]\nid: HP:0000118\nname: Root\n"
        "[Term]\nid: HP:0000001\nname: Zebra sign\nalt_id: HP:0000009\nis_a: HP:0000118\n"
        "[Term]\nid: HP:0000003\nname: obsolete Sign\nis_obsolete: true\nconsider: HP:0000001\n";
    static const char text[] = "She has HP:0000009, and HP:0000009 again. HP:0000003 was seen, and "
                               "so was HP:0007777. HP:0000001 is as it was. OHP:0008888 is none.";
    static const char *const told[] = {
        "HP:0000009 was taken as HP:0000001 (Zebra sign), which has replaced it.",
        "HP:0000003 (obsolete Sign): an obsolete id that no other one replaces, left out; consider "
        "HP:0000001 Zebra sign.",
        "HP:0007777: not in the knowledge base, left out."};
    med_builder *b = NULL;
    med_kb *kb = NULL;
    med_lexicon *lex = NULL;
    med_document d = {.age_years = NAN};
    med_notes notes;
    R1_ASSERT_OK(med_builder_new(&b, &err), &err);
    R1_ASSERT_OK(med_import_obo(b, "t", terms, sizeof terms - 1, &err), &err);
    R1_ASSERT_OK(med_builder_finish(b, "t", &kb, NULL, &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&lex, kb, &err), &err);
    R1_ASSERT_OK(med_document_read(&d, "t", text, sizeof text - 1, &err), &err);
    R1_ASSERT_OK(med_document_notes(&d, lex, kb, "t", &notes, &err), &err);
    CU_ASSERT_EQUAL_FATAL(d.n_note, R1_COUNT(told));
    for (size_t i = 0; i < R1_COUNT(told); i++) CU_ASSERT_STRING_EQUAL(d.note[i], told[i]);
    med_notes_free(&notes);
    med_document_free(&d);
    med_lexicon_free(lex);
    med_kb_free(kb);
    med_builder_free(b);
}

/* A case may name its disease by any id of what was merged. */
static void test_gold_ids(void)
{
    static const char *const gold[] = {"OMIM:3", "MIM:3", "ORPHA:8", "Orphanet:8"};
    knowledge k;
    char path[4200], text[1024];
    med_cases cases;
    knowledge_open(&k);
    size_t n = (size_t)snprintf(text, sizeof text, "case_id\tgold\tlabel\tsex\tage\tobs\texcl\n");
    for (size_t i = 0; i < R1_COUNT(gold); i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "c%zu\t%s\tOther\t\t\tHP:4\t\n", i,
                              gold[i]);
    snprintf(path, sizeof path, "%s/cases.tsv", r1_test_tmpdir());
    R1_ASSERT_OK(r1_file_write(path, text, n, &err), &err);
    R1_ASSERT_OK(med_cases_load(&cases, path, k.kb, 0, &err), &err);
    CU_ASSERT_EQUAL_FATAL(cases.n, R1_COUNT(gold));
    for (uint32_t i = 0; i < cases.n; i++)
        CU_ASSERT_EQUAL(cases.row[i].gold_disease, disease_of(&k, "OMIM:3"));
    med_cases_free(&cases);
    knowledge_close(&k);
}

R1_TEST_MAIN("medical knowledge", {"asked by sex and age", test_asked},
             {"sex in the ranking", test_sex_in_ranking}, {"families", test_families},
             {"families by name", test_families_by_name},
             {"facts and sources", test_knowledge_facts}, {"rows with NOT", test_not_rows},
             {"ids in a text", test_ids_in_text}, {"ids of cases", test_gold_ids})
