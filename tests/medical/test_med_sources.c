/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_sources.c - what is asked of files from outside: one bad row costs that row and is told
 * with its field and value, ids and frequencies are read as people write them, and what a row says
 * of sex and onset reaches the knowledge base. */
#include "ontology/med_disease_id.h"
#include "ontology/med_frequency.h"
#include "ontology/med_import.h"
#include "ontology/med_sources.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_err err;
static med_build_stats stats;

typedef r1_status (*import_call)(med_builder *b, const char *what, const char *data, size_t len,
                                 r1_err *err);

/* One input of a knowledge base. */
typedef struct {
    import_call import;
    const char *what, *text;
} given;

static med_kb *built_of(const given *g, size_t n)
{
    med_builder *b = NULL;
    med_kb *kb = NULL;
    R1_ASSERT_OK(med_builder_new(&b, &err), &err);
    for (size_t i = 0; i < n; i++)
        R1_ASSERT_OK(g[i].import(b, g[i].what, g[i].text, strlen(g[i].text), &err), &err);
    R1_ASSERT_OK(med_builder_finish(b, "t", &kb, &stats, &err), &err);
    med_builder_free(b);
    return kb;
}

#define OBO                                                                                        \
    "format-version: 1.2\n[Term]\nid: HP:0000118\nname: Root\n[Term]\nid: HP:1\nname: A\n"         \
    "alt_id: HP:9\nis_a: HP:0000118\n[Term]\nid: HP:2\nname: B\nis_a: HP:0000118\n"                \
    "[Term]\nid: HP:4\nname: gone\nis_obsolete: true\nconsider: HP:2\nconsider: HP:1\n"
#define HPOA_HEAD                                                                                  \
    "#version: t\ndatabase_id\tdisease_name\tqualifier\thpo_id\treference\tevidence\tonset\t"      \
    "frequency\tsex\tmodifier\taspect\tbiocuration\n"
#define ROW(disease, not, hpo, onset, freq, sex, aspect)                                           \
    disease "\tName\t" not "\t" hpo "\tPMID:7\tPCS\t" onset "\t" freq "\t" sex "\t\t" aspect "\tx" \
                           "\n"

static void test_frequencies(void)
{
    static const struct {
        const char *text;
        float freq;
        uint32_t n, m;
    } good[] = {{"3/7", 3.0f / 7, 3, 7},
                {"3 / 7", 3.0f / 7, 3, 7},
                {" 3 of 7 ", 3.0f / 7, 3, 7},
                {"3 out of 7 patients", 3.0f / 7, 3, 7},
                {"3\xe2\x81\x84"
                 "7",
                 3.0f / 7, 3, 7},
                {"0/5", 0, 0, 5},
                {"0/0", -1, 0, 0},
                {"45%", .45f, 0, 0},
                {"45 %", .45f, 0, 0},
                {"45\xc2\xa0%", .45f, 0, 0},
                {"45,5%", .455f, 0, 0},
                {"10-20 %", .15f, 0, 0},
                {"10\xe2\x80\x93"
                 "20%",
                 .15f, 0, 0},
                {"10 % to 20 %", .15f, 0, 0},
                {"<5 %", .025f, 0, 0},
                {">= 90%", .95f, 0, 0},
                {"100%", 1, 0, 0},
                {"Frequent", .55f, 0, 0},
                {"VERY FREQUENT", .9f, 0, 0},
                {"Very frequent (99-80%)", .9f, 0, 0},
                {"HP:0040282", .55f, 0, 0},
                {"hp_0040285", 0, 0, 0},
                {"HP:0040283 (Occasional)", .17f, 0, 0},
                {"", -1, 0, 0},
                {"n/a", -1, 0, 0}};
    for (size_t i = 0; i < R1_COUNT(good); i++) {
        med_frequency f;
        const char *expected = med_frequency_read(good[i].text, strlen(good[i].text), &f);
        if (expected) printf("\"%s\": expected %s\n", good[i].text, expected);
        CU_ASSERT(!expected && fabsf(f.freq - good[i].freq) < 1e-6f && f.n == good[i].n &&
                  f.m == good[i].m);
    }
    static const struct {
        const char *text, *expected;
    } bad[] = {{"03-Jul", "spreadsheet"},
               {"Jul-03", "spreadsheet"},
               {"3. Jul", "spreadsheet"},
               {"3-Mar-2023", "spreadsheet"},
               {"2023-07-03", "spreadsheet"},
               {"03/07/2023", "spreadsheet"},
               {"03. Okt", "spreadsheet"},
               {"12/7", "n not above m"},
               {"3/0", "n not above m"},
               {"120 %", "at most 100"},
               {"20-10 %", "at most 100"},
               {"0.5", "its sign"},
               {"7", "its sign"},
               {"10-20", "a percentage"},
               {"HP:0040289", "id"},
               {"HP:00402811", "id"},
               {"common", "word"},
               {"3.5/7", "n/m"},
               {"-3/7", "n/m"},
               {"3/7/", "n/m"},
               {"45%%", "n/m"},
               {"3/7 x", "n/m"},
               {"99999999999/7", "n/m"},
               {"nan", "n/m"},
               {"1e3%", "n/m"},
               {"0x10%", "n/m"}};
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        med_frequency f;
        const char *expected = med_frequency_read(bad[i].text, strlen(bad[i].text), &f);
        if (!expected || !strstr(expected, bad[i].expected))
            printf("\"%s\": %s\n", bad[i].text, expected ? expected : "is read");
        CU_ASSERT(expected && strstr(expected, bad[i].expected) && f.freq < 0);
    }
}

static void test_disease_ids(void)
{
    static const char *const same[][2] = {
        {"OMIM:147920", "OMIM:147920"},
        {"MIM:147920", "OMIM:147920"},
        {"omim:147920", "OMIM:147920"},
        {" MIM #147920", "MIM #147920"}, /* no form that is known: as it stands */
        {"MIM#147920", "OMIM:147920"},
        {"https://omim.org/entry/147920", "OMIM:147920"},
        {"ORPHA:2322", "ORPHA:2322"},
        {"Orphanet:2322", "ORPHA:2322"},
        {"Orphanet_2322", "ORPHA:2322"},
        {"ORPHA2322", "ORPHA:2322"},
        {"http://www.orpha.net/ORDO/Orphanet_2322\r", "ORPHA:2322"},
        {"http://purl.obolibrary.org/obo/MONDO_0016512", "MONDO:0016512"},
        {"OMIM:x", "OMIM:x"},
        {"R1:D1", "R1:D1"},
        {"", ""}};
    char out[MED_DISEASE_ID_BYTES];
    for (size_t i = 0; i < R1_COUNT(same); i++) {
        size_t n = med_disease_id(same[i][0], strlen(same[i][0]), out, sizeof out);
        CU_ASSERT_STRING_EQUAL(out, same[i][1]);
        CU_ASSERT_EQUAL(n, strlen(same[i][1]));
    }
    CU_ASSERT_EQUAL(med_disease_id("ORPHA:2322", 10, out, 10), 0);
}

/* Rows of one disease by four writings of its id are one disease, found by any of them. */
static void test_one_disease(void)
{
    /* clang-format off */
    static const given g[] = {
        {med_import_obo, "t.obo", OBO},
        {med_import_hpoa, "t.hpoa",
         HPOA_HEAD
         ROW("ORPHA:5", "", "HP:1", "", "", "", "P")
         ROW("Orphanet:5", "", "HP:2", "", "", "", "P")},
        {med_import_genes, "g.txt", "gene_symbol\tdisease_id\nAAA\tOrphanet:5\n"}};
    /* clang-format on */
    med_kb *kb = built_of(g, R1_COUNT(g));
    CU_ASSERT_EQUAL(kb->n_disease, 1);
    CU_ASSERT_EQUAL(kb->disease[0].n_row, 2);
    CU_ASSERT_EQUAL(kb->disease[0].n_gene, 1);
    CU_ASSERT_EQUAL(med_kb_disease(kb, "Orphanet:5", 10), 0);
    CU_ASSERT_EQUAL(med_kb_disease(kb, "orpha:5", 7), 0);
    med_kb_free(kb);
}

/* Each bad row of a file is told, and none of the others is lost. */
static void test_bad_rows(void)
{
    /* clang-format off */
    static const given g[] = {
        {med_import_obo, "t.obo", OBO},
        {med_import_hpoa, "t.hpoa",
         HPOA_HEAD
         ROW("OMIM:1", "", "HP:1", "", "45 %", "", "P")
         ROW("OMIM:1", "", "HP:2", "", "03-Jul", "", "P")
         ROW("OMIM:1", "", "HP:2", "", "12/7", "", "P")
         "OMIM:1\tshort\n"
         ROW( "nothing", "", "HP:2", "", "", "", "P")
         ROW("OMIM:1", "", "HP", "", "", "", "P")
         ROW("OMIM:1", "MAYBE", "HP:2", "", "", "", "P")
         ROW("OMIM:1", "", "HP:2", "", "", "both", "P")
         ROW("OMIM:1", "", "HP:2", "", "", "", "X")
         ROW("OMIM:1", "", "HP:77", "", "", "", "P")
         ROW("OMIM:1", "", "HP:4", "", "", "", "P")
         ROW("OMIM:1", "", "HP:9", "HP:77", "", "", "P")
         ROW("OMIM:1", "NOT", "HP:2", "", "", "", "P")}};
    /* clang-format on */
    static const char *const told[] = {
        "t.hpoa:4: frequency \"03-Jul\", expected n/m or a percentage: a spreadsheet made a date "
        "of "
        "this",
        "t.hpoa:5: frequency \"12/7\", expected n/m with n not above m",
        "t.hpoa:6: columns \"2\", expected 12 columns, as its head has",
        "t.hpoa:7: database_id \"nothing\", expected an id such as OMIM:147920 or ORPHA:2322",
        "t.hpoa:8: hpo_id \"HP\", expected an id such as HP:0001250",
        "t.hpoa:9: qualifier \"MAYBE\", expected NOT or nothing",
        "t.hpoa:10: sex \"both\", expected MALE, FEMALE or nothing",
        "t.hpoa:11: aspect \"X\", expected P, I, C, M or H"};
    med_kb *kb = built_of(g, R1_COUNT(g));
    CU_ASSERT_EQUAL_FATAL(stats.refused.n, R1_COUNT(told));
    for (size_t i = 0; i < R1_COUNT(told); i++)
        CU_ASSERT_STRING_EQUAL(stats.refused.line[i], told[i]);
    CU_ASSERT_EQUAL_FATAL(stats.unknown.n, 2);
    CU_ASSERT_STRING_EQUAL(stats.unknown.line[0],
                           "t.hpoa:12: hpo_id \"HP:77\", expected a finding of the ontology");
    CU_ASSERT_STRING_EQUAL(stats.unknown.line[1],
                           "t.hpoa:13: hpo_id \"HP:4\", expected a finding of the ontology; it is "
                           "obsolete, consider HP:2, HP:1");
    CU_ASSERT_EQUAL_FATAL(stats.moved.n, 1);
    CU_ASSERT_STRING_EQUAL(stats.moved.line[0], "t.hpoa:14: hpo_id \"HP:9\" is HP:1 now");
    CU_ASSERT_EQUAL_FATAL(stats.ignored.n, 1);
    CU_ASSERT_STRING_EQUAL(stats.ignored.line[0],
                           "t.hpoa:14: onset \"HP:77\", expected an HPO id of onset");
    CU_ASSERT_EQUAL(kb->n_row, 3);
    CU_ASSERT_EQUAL(kb->row[kb->n_row - 1].flags, MED_ROW_NEGATED);
    CU_ASSERT_PTR_NOT_NULL_FATAL(kb->loss);
    CU_ASSERT_EQUAL(kb->loss[1].n_refused, R1_COUNT(told));
    CU_ASSERT_EQUAL(kb->loss[1].n_unknown, 2);
    CU_ASSERT_EQUAL(kb->loss[0].n_refused, 0);
    med_kb_free(kb);
}

/* Columns go by their names: another order, others between them, and the older names. */
static void test_columns_by_name(void)
{
    static const char hpoa[] = "#Aspect\tnew\tHPO_ID\tDatabaseID\tFrequency\n"
                               "P\tx\tHP:1\tMIM:1\t1/2\nP\tx\tHP:2\tOMIM:2\t\n";
    static const char sssom[] = "# mapping_set_version: v9\nobject_label\tobject_id\tpredicate_id\t"
                                "author\tsubject_id\n"
                                "x\tMIM:1\tskos:exactMatch\ty\tMONDO:1\n"
                                "x\tMONDO:1\tskos:exactMatch\ty\tOrphanet:7\n"
                                "x\tMIM:2\tskos:broadMatch\ty\tMONDO:1\n"
                                "x\tOMIM:2\n";
    static const char orpha[] =
        "<JDBOR date=\"d\"><Disorder><OrphaCode>7</OrphaCode><Name>Seven</Name>"
        "<HPODisorderAssociationList><HPODisorderAssociation><HPO><HPOId>HP:2</HPOId></HPO>"
        "<HPOFrequency><Name>Frequent (79-30%)</Name></HPOFrequency></HPODisorderAssociation>"
        "</HPODisorderAssociationList></Disorder></JDBOR>";
    static const given g[] = {{med_import_obo, "t.obo", OBO},
                              {med_import_sssom, "m.tsv", sssom},
                              {med_import_hpoa, "t.hpoa", hpoa},
                              {med_import_orpha, "o.xml", orpha}};
    med_kb *kb = built_of(g, R1_COUNT(g));
    uint32_t one = med_kb_disease(kb, "OMIM:1", 6);
    CU_ASSERT_EQUAL(kb->n_disease, 2);
    CU_ASSERT_EQUAL_FATAL(med_kb_disease(kb, "ORPHA:7", 7), one);
    CU_ASSERT_EQUAL(kb->disease[one].n_row, 2);
    CU_ASSERT_EQUAL(kb->row[kb->disease[one].row_at].m, 2);
    CU_ASSERT_STRING_EQUAL(med_str(kb, kb->source[1].version), "v9");
    CU_ASSERT_EQUAL(stats.refused.n, 1);
    CU_ASSERT_STRING_EQUAL(stats.refused.line[0],
                           "m.tsv:6: columns \"2\", expected 5 columns, as its head has");
    med_kb_free(kb);
    med_builder *b = NULL;
    R1_ASSERT_OK(med_builder_new(&b, &err), &err);
    static const char none[] = "subject_id\tobject_id\nMONDO:1\tOMIM:1\n";
    CU_ASSERT_EQUAL(med_import_sssom(b, "m.tsv", none, sizeof none - 1, &err), R1_E_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "m.tsv:1: the column predicate_id is missing"));
    med_builder_free(b);
}

/* Bad values in XML cost their element alone. */
static void test_bad_elements(void)
{
    static const char orpha[] =
        "<JDBOR date=\"d\"><Disorder>\n<OrphaCode>7x</OrphaCode><Name>Lost</Name></Disorder>\n"
        "<Disorder><OrphaCode>8</OrphaCode><Name>Eight</Name><HPODisorderAssociation><HPO>"
        "<HPOId>HP:1</HPOId></HPO>\n<HPOFrequency><Name>Seldom</Name></HPOFrequency>\n"
        "</HPODisorderAssociation><HPODisorderAssociation><HPO><HPOId>HP:2</HPOId></HPO>"
        "<HPOFrequency><Name>Obligate (100%)</Name></HPOFrequency></HPODisorderAssociation>"
        "</Disorder></JDBOR>";
    static const char own[] = "<r1-ontology version=\"1\"><finding id=\"R1:1\" name=\"a\"/>\n"
                              "<disease id=\"R1:D\" name=\"D\"><has finding=\"R1:1\" "
                              "frequency=\"often\"/>\n<has finding=\"R1:1\" frequency=\"0.5\"/>"
                              "</disease></r1-ontology>";
    static const given g[] = {{med_import_obo, "t.obo", OBO},
                              {med_import_orpha, "o.xml", orpha},
                              {med_import_own, "own.xml", own}};
    med_kb *kb = built_of(g, R1_COUNT(g));
    CU_ASSERT_EQUAL_FATAL(stats.refused.n, 3);
    CU_ASSERT_STRING_EQUAL(stats.refused.line[0], "o.xml:2: OrphaCode \"7x\", expected digits");
    CU_ASSERT_PTR_NOT_NULL(strstr(stats.refused.line[1], "HPOFrequency \"Seldom\", expected n/m"));
    CU_ASSERT_STRING_EQUAL(stats.refused.line[2],
                           "own.xml:2: frequency \"often\", expected 0 to 1");
    CU_ASSERT_EQUAL(med_kb_disease(kb, "ORPHA:7", 7), MED_NONE);
    CU_ASSERT_EQUAL(kb->disease[med_kb_disease(kb, "ORPHA:8", 7)].n_row, 1);
    CU_ASSERT_EQUAL(kb->disease[med_kb_disease(kb, "R1:D", 4)].n_row, 1);
    med_kb_free(kb);
}

/* An is-a link to nothing, to an obsolete term or to itself is told with both ids. */
static void test_orphans(void)
{
    static const given g[] = {{med_import_obo, "t.obo",
                               OBO "is_a: HP:1\n[Term]\nid: HP:5\nname: C\nis_a: HP:77\n"
                                   "is_a: HP:4\nis_a: HP:5\nis_a: HP:1\n"}};
    static const char *const told[] = {"HP:5 is-a HP:77, which is not defined",
                                       "HP:5 is-a HP:4, which is obsolete",
                                       "HP:5 is-a HP:5, which is itself"};
    med_kb *kb = built_of(g, 1);
    CU_ASSERT_EQUAL_FATAL(stats.orphan.n, R1_COUNT(told));
    CU_ASSERT_EQUAL(stats.n_orphan, R1_COUNT(told));
    for (size_t i = 0; i < R1_COUNT(told); i++)
        CU_ASSERT_STRING_EQUAL(stats.orphan.line[i], told[i]);
    CU_ASSERT_EQUAL(kb->term[med_kb_term(kb, "HP:5", 4)].n_parent, 1);
    med_kb_free(kb);
}

/* Sex and onset of a row stay with it. A row's onset stands for the disease's only where nothing
 * else says when it begins. */
static void test_sex_and_onset(void)
{
    /* clang-format off */
    static const given g[] = {{med_import_obo, "t.obo", OBO},
                              {med_import_hpoa, "t.hpoa",
                               HPOA_HEAD
         ROW("OMIM:1", "", "HP:1", "HP:0003581", "4/4", "MALE", "P")
         ROW("OMIM:1", "", "HP:2", "", "", "f", "P")
         ROW("OMIM:2", "", "HP:1", "HP:0003581", "", "", "P")
         ROW("OMIM:2", "", "HP:0003577", "", "", "", "C")}};
    /* clang-format on */
    med_kb *kb = built_of(g, R1_COUNT(g));
    const med_disease *one = &kb->disease[med_kb_disease(kb, "OMIM:1", 6)],
                      *two = &kb->disease[med_kb_disease(kb, "OMIM:2", 6)];
    const med_row *row = kb->row + one->row_at;
    CU_ASSERT_EQUAL(row[0].flags & 0xff, MED_ROW_MALE);
    CU_ASSERT_EQUAL(MED_ROW_ONSET(row[0]), MED_ONSET_ADULT);
    CU_ASSERT_EQUAL(row[1].flags, MED_ROW_FEMALE);
    CU_ASSERT_EQUAL(one->onset, MED_ONSET_ADULT);
    CU_ASSERT_EQUAL(two->onset, MED_ONSET_NEONATAL);
    float work[8] = {0};
    med_profile p[8];
    med_leave_out girl = {.flags = MED_ROW_MALE};
    uint32_t n = med_profile_make(kb, row, one->n_row, girl, work, p, 8);
    CU_ASSERT_EQUAL(n, 2); /* B and the root */
    CU_ASSERT_EQUAL(med_profile_make(kb, row, one->n_row, (med_leave_out){0}, work, p, 8), 3);
    CU_ASSERT_EQUAL(med_onset_from(two->onset), 0);
    med_kb_free(kb);
}

R1_TEST_MAIN("medical sources", {"frequencies", test_frequencies},
             {"ids of diseases", test_disease_ids}, {"one disease", test_one_disease},
             {"bad rows", test_bad_rows}, {"columns by name", test_columns_by_name},
             {"bad elements", test_bad_elements}, {"orphans", test_orphans},
             {"sex and onset", test_sex_and_onset})
