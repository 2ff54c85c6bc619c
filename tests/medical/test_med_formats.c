/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_formats.c - one small ontology in each format and style in which it is published or
 * written again: each gives the same findings, names, ids and obsolete terms. What Mondo says is
 * the same out of SSSOM, OBO and JSON. A DOCTYPE is accepted where its entities are plain text. */
#include "ontology/med_import.h"
#include "ontology/med_sources.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

static r1_err err;

typedef r1_status (*import_call)(med_builder *b, const char *what, const char *data, size_t len,
                                 r1_err *err);

static r1_status built_from(import_call import, const char *text, med_kb **kb)
{
    med_builder *b = NULL;
    r1_status st = med_builder_new(&b, &err);
    *kb = NULL;
    if (st == R1_OK) st = import(b, "t", text, strlen(text), &err);
    if (st == R1_OK) st = med_builder_finish(b, "t", kb, NULL, &err);
    med_builder_free(b);
    return st;
}

static const char in_obo[] =
    "format-version: 1.2\ndata-version: v\n[Term]\nid: HP:0000118\nname: Root\n[Term]\nid: HP:1\n"
    "name: A\nalt_id: HP:9\ndef: \"text\" []\nsynonym: \"Alpha\" EXACT []\nsynonym: \"Al\" NARROW "
    "[]\nis_a: HP:0000118\n[Term]\nid: HP:2\nname: B\nis_a: HP:1\n[Term]\nid: HP:3\nname: obsolete "
    "C\nis_obsolete: true\nreplaced_by: HP:2\n[Term]\nid: HP:4\nname: obsolete D\nis_obsolete: "
    "true\nconsider: HP:2\nconsider: HP:1\n";

#define NAMESPACES                                                                                 \
    "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" "                                   \
    "xmlns:rdfs=\"http://www.w3.org/2000/01/rdf-schema#\" "                                        \
    "xmlns:owl=\"http://www.w3.org/2002/07/owl#\" xmlns:obo=\"http://purl.obolibrary.org/obo/\" "  \
    "xmlns:oio=\"http://www.geneontology.org/formats/oboInOwl#\""
#define OBO_IRI "http://purl.obolibrary.org/obo/"

/* As it is published. */
static const char in_owl[] =
    "<rdf:RDF " NAMESPACES "><owl:Class rdf:about=\"" OBO_IRI "HP_0000118\"><rdfs:label>Root"
    "</rdfs:label></owl:Class><owl:Class rdf:about=\"" OBO_IRI "HP_1\"><rdfs:subClassOf "
    "rdf:resource=\"" OBO_IRI "HP_0000118\"/><rdfs:label>A</rdfs:label><obo:IAO_0000115>text"
    "</obo:IAO_0000115><oio:hasExactSynonym>Alpha</oio:hasExactSynonym><oio:hasNarrowSynonym>Al"
    "</oio:hasNarrowSynonym><oio:hasAlternativeId>HP:9</oio:hasAlternativeId></owl:Class>"
    "<owl:Class rdf:about=\"" OBO_IRI "HP_2\"><rdfs:subClassOf rdf:resource=\"" OBO_IRI
    "HP_1\"/><rdfs:label>B</rdfs:label></owl:Class><owl:Class rdf:about=\"" OBO_IRI "HP_3\">"
    "<owl:deprecated>true</owl:deprecated><rdfs:label>obsolete C</rdfs:label>"
    "<obo:IAO_0100001 rdf:resource=\"" OBO_IRI "HP_2\"/></owl:Class><owl:Class rdf:about=\"" OBO_IRI
    "HP_4\"><owl:deprecated>true</owl:deprecated><rdfs:label>obsolete D</rdfs:label>"
    "<oio:consider rdf:resource=\"" OBO_IRI "HP_2\"/><oio:consider>HP:1</oio:consider></owl:Class>"
    "</rdf:RDF>";

/* As an editor writes it again: entities of a DOCTYPE, other prefixes, descriptions in the place of
 * classes and in several pieces, labels in several languages, nested classes. */
static const char in_other_owl[] =
    "<?xml version=\"1.0\"?>\n<!-- written again -->\n<!DOCTYPE r:RDF [\n"
    "  <!ENTITY obo \"http://purl.obolibrary.org/obo/\" >\n"
    "  <!ENTITY owl 'http://www.w3.org/2002/07/owl#'>\n  <!-- a comment -->\n]>\n"
    "<r:RDF xmlns:r=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" "
    "xmlns:s=\"http://www.w3.org/2000/01/rdf-schema#\" xmlns:o=\"&owl;\" xmlns:b=\"&obo;\" "
    "xmlns:x=\"http://www.geneontology.org/formats/oboInOwl#\">"
    "<r:Description r:about=\"&obo;HP_0000118\"><r:type r:resource=\"&owl;Class\"/>"
    "<s:label xml:lang=\"de\">Wurzel</s:label><s:label xml:lang=\"en\">Root</s:label>"
    "<s:label>Not this</s:label></r:Description>"
    "<o:Class r:about=\"&obo;HP_1\"><s:subClassOf><o:Class r:about=\"&obo;HP_0000118\"/>"
    "</s:subClassOf><s:label xml:lang=\"en-GB\">A</s:label><s:label xml:lang=\"zh\">\xe7\x94\xb2"
    "</s:label><b:IAO_0000115 xml:lang=\"en\">text</b:IAO_0000115>"
    "<b:IAO_0000115 xml:lang=\"fr\">texte</b:IAO_0000115><x:hasNarrowSynonym>Al"
    "</x:hasNarrowSynonym></o:Class>"
    "<r:Description r:about=\"&obo;HP_1\"><x:hasExactSynonym xml:lang=\"de\">Alpha-Zeichen"
    "</x:hasExactSynonym><x:hasExactSynonym>Alpha</x:hasExactSynonym>"
    "<x:hasAlternativeId>HP:9</x:hasAlternativeId></r:Description>"
    "<r:Description r:ID=\"HP_2\"><r:type r:resource=\"&owl;Class\"/>"
    "<s:subClassOf r:resource=\"&obo;HP_1\"/><s:label>B</s:label></r:Description>"
    "<r:Description r:about=\"&obo;HP_3\"><o:deprecated>1</o:deprecated></r:Description>"
    "<o:Class r:about=\"&obo;HP_3\"><s:label>obsolete C</s:label><o:deprecated>true</o:deprecated>"
    "<b:IAO_0100001>HP:2</b:IAO_0100001></o:Class>"
    "<o:Class r:about=\"&obo;HP_4\"><o:deprecated>true</o:deprecated><s:label>obsolete D</s:label>"
    "<x:consider>&obo;HP_2</x:consider><x:consider r:resource=\"&obo;HP_1\"/></o:Class></r:RDF>";

/* clang-format off */
#define PROPERTY(pred, val) "{\"pred\":\"" pred "\",\"val\":\"" val "\"}"
#define PROPERTIES(...) "\"basicPropertyValues\":[" __VA_ARGS__ "]"
#define NODE(id, label, meta) \
    "{\"id\":\"" OBO_IRI id "\",\"lbl\":\"" label "\",\"type\":\"CLASS\",\"meta\":{" meta "}}"
#define IS_A(child, parent) \
    "{\"sub\":\"" OBO_IRI child "\",\"pred\":\"is_a\",\"obj\":\"" OBO_IRI parent "\"}"
#define OBOINOWL "http://www.geneontology.org/formats/oboInOwl#"
static const char in_json[] =
    "{\"graphs\":[{\"id\":\"x\",\"meta\":{\"version\":\"v\"},\"nodes\":["
    NODE("HP_0000118", "Root", "") ","
    NODE("HP_1", "A", "\"definition\":{\"val\":\"text\"},\"synonyms\":["
         "{\"pred\":\"hasExactSynonym\",\"val\":\"Alpha\"},"
         "{\"pred\":\"hasNarrowSynonym\",\"val\":\"Al\"},"
         "{\"pred\":\"hasExactSynonym\",\"val\":\"Gone\",\"synonymType\":\"" OBO_IRI
         "hp#obsolete_synonym\"}],"
         PROPERTIES(PROPERTY(OBOINOWL "hasAlternativeId", "HP:9"))) ","
    NODE("HP_2", "B", "") ","
    NODE("HP_3", "obsolete C", "\"deprecated\":true,"
         PROPERTIES(PROPERTY(OBO_IRI "IAO_0100001", OBO_IRI "HP_2"))) ","
    NODE("HP_4", "obsolete D", "\"deprecated\":true,"
         PROPERTIES(PROPERTY(OBOINOWL "consider", "HP:2") ","
                    PROPERTY(OBOINOWL "consider", "HP:1"))) ","
    "{\"id\":\"" OBO_IRI "hp#property\",\"lbl\":\"is\",\"type\":\"PROPERTY\"}],\"edges\":["
    IS_A("HP_1", "HP_0000118") "," IS_A("HP_2", "HP_1") ","
    "{\"sub\":\"" OBO_IRI "HP_2\",\"pred\":\"part_of\",\"obj\":\"" OBO_IRI "HP_0000118\"}]}]}";
/* clang-format on */

static const char *name_of(const med_kb *kb, uint32_t text) { return med_str(kb, text); }

/* All that a format can say, but the name of its source. */
static void check_same_findings(const med_kb *a, const med_kb *b)
{
    CU_ASSERT_EQUAL_FATAL(a->n_term, b->n_term);
    CU_ASSERT_EQUAL_FATAL(a->n_synonym, b->n_synonym);
    CU_ASSERT_EQUAL_FATAL(a->n_term_id, b->n_term_id);
    CU_ASSERT_EQUAL_FATAL(a->n_obsolete, b->n_obsolete);
    for (uint32_t i = 0; i < a->n_term; i++) {
        const med_term *x = &a->term[i], *y = &b->term[i];
        CU_ASSERT_STRING_EQUAL(name_of(a, x->id), name_of(b, y->id));
        CU_ASSERT_STRING_EQUAL(name_of(a, x->name), name_of(b, y->name));
        CU_ASSERT_STRING_EQUAL(name_of(a, x->definition), name_of(b, y->definition));
        CU_ASSERT_EQUAL(x->n_ancestor, y->n_ancestor);
        CU_ASSERT_EQUAL(x->n_parent, y->n_parent);
        CU_ASSERT_EQUAL(x->flags, y->flags);
    }
    for (uint32_t i = 0; i < a->n_synonym; i++) {
        CU_ASSERT_STRING_EQUAL(name_of(a, a->synonym[i].text), name_of(b, b->synonym[i].text));
        CU_ASSERT_EQUAL(a->synonym[i].kind, b->synonym[i].kind);
    }
    for (uint32_t i = 0; i < a->n_term_id; i++) {
        CU_ASSERT_STRING_EQUAL(name_of(a, a->term_id[i].text), name_of(b, b->term_id[i].text));
        CU_ASSERT_EQUAL(a->term_id[i].index, b->term_id[i].index);
    }
    for (uint32_t i = 0; i < a->n_obsolete; i++) {
        const med_obsolete *x = &a->obsolete[i], *y = &b->obsolete[i];
        CU_ASSERT_STRING_EQUAL(name_of(a, x->id), name_of(b, y->id));
        CU_ASSERT_STRING_EQUAL(name_of(a, x->name), name_of(b, y->name));
        CU_ASSERT_EQUAL_FATAL(x->n_consider, y->n_consider);
        for (uint32_t k = 0; k < x->n_consider; k++)
            CU_ASSERT_STRING_EQUAL(name_of(a, a->list[x->consider_at + k]),
                                   name_of(b, b->list[y->consider_at + k]));
    }
}

static void test_same_ontology(void)
{
    static const struct {
        import_call import;
        const char *text;
    } other[] = {
        {med_import_owl, in_owl}, {med_import_owl, in_other_owl}, {med_import_graph, in_json}};
    med_kb *a = NULL, *b = NULL;
    R1_ASSERT_OK(built_from(med_import_obo, in_obo, &a), &err);
    CU_ASSERT_EQUAL(a->n_term, 3);
    CU_ASSERT_EQUAL(a->n_obsolete, 2);
    CU_ASSERT_EQUAL(med_kb_term(a, "HP:3", 4), med_kb_term(a, "HP:2", 4));
    for (size_t i = 0; i < R1_COUNT(other); i++) {
        R1_ASSERT_OK(built_from(other[i].import, other[i].text, &b), &err);
        check_same_findings(a, b);
        med_kb_free(b);
    }
    med_kb_free(a);
}

/* Two formats of one ontology in one folder: nothing stands twice. */
static void test_together(void)
{
    med_builder *b = NULL;
    med_kb *one = NULL, *all = NULL;
    R1_ASSERT_OK(built_from(med_import_obo, in_obo, &one), &err);
    R1_ASSERT_OK(med_builder_new(&b, &err), &err);
    R1_ASSERT_OK(med_import_obo(b, "t.obo", in_obo, sizeof in_obo - 1, &err), &err);
    R1_ASSERT_OK(med_import_graph(b, "t.json", in_json, sizeof in_json - 1, &err), &err);
    R1_ASSERT_OK(med_builder_finish(b, "t", &all, NULL, &err), &err);
    check_same_findings(one, all);
    med_builder_free(b);
    med_kb_free(one);
    med_kb_free(all);
}

/* A DOCTYPE that declares anything but plain text is refused, by whatever way it tries. */
static void test_doctypes(void)
{
#define AROUND "<r:RDF xmlns:r=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"></r:RDF>"
    static const char *const bad[] = {
        "<!DOCTYPE r:RDF SYSTEM \"file:///etc/passwd\">" AROUND,
        "<!DOCTYPE r:RDF PUBLIC \"a\" \"http://127.0.0.1/x\">" AROUND,
        "<!DOCTYPE r:RDF [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>" AROUND,
        "<!DOCTYPE r:RDF [<!ENTITY a \"x\"><!ENTITY b \"&a;&a;\">]>" AROUND,
        "<!DOCTYPE r:RDF [<!ENTITY a \"&#38;b;\"><!ENTITY b \"x\">]>" AROUND,
        "<!DOCTYPE r:RDF [<!ENTITY % p \"x\">]>" AROUND,
        "<!DOCTYPE r:RDF [<!ENTITY % p SYSTEM \"file:///etc/passwd\"> %p;]>" AROUND,
        "<!DOCTYPE r:RDF [<!ELEMENT a ANY>]>" AROUND,
        "<!DOCTYPE r:RDF [<!ATTLIST a b CDATA \"x\">]>" AROUND,
        "<!DOCTYPE r:RDF [<!ENTITY a \"<b/>\">]>" AROUND,
        "<!DOCTYPE r:RDF [<!ENTITY a \"x\"" AROUND,
        "<!DOCTYPE r:RDF [<!ENTITY a \"x\">" AROUND,
        "<!DOCTYPE>" AROUND};
    med_kb *kb;
    for (size_t i = 0; i < R1_COUNT(bad); i++)
        CU_ASSERT_EQUAL(built_from(med_import_owl, bad[i], &kb), R1_E_FORMAT);
    static char many[4096];
    size_t n = (size_t)snprintf(many, sizeof many, "<!DOCTYPE r:RDF [");
    for (int i = 0; i < 65; i++)
        n += (size_t)snprintf(many + n, sizeof many - n, "<!ENTITY e%d \"x\">", i);
    snprintf(many + n, sizeof many - n, "]>" AROUND);
    CU_ASSERT_EQUAL(built_from(med_import_owl, many, &kb), R1_E_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "DOCTYPE"));
    /* Our own format has no use for one. */
    CU_ASSERT_EQUAL(built_from(med_import_own,
                               "<!DOCTYPE r1-ontology [<!ENTITY a \"x\">]><r1-ontology "
                               "version=\"1\"><finding id=\"R1:1\" name=\"a\"/></r1-ontology>",
                               &kb),
                    R1_E_FORMAT);
}

static void test_bad_graphs(void)
{
    static const struct {
        const char *text, *said;
    } bad[] = {{"", "not JSON"},
               {"{\"graphs\":", "not JSON"},
               {"[]", "`graphs` is missing"},
               {"{\"graphs\":{}}", "`graphs` is missing"},
               {"{\"graphs\":[{\"nodes\":[1,{},{\"id\":7}]}]}", "without a single class"},
               {"{\"graphs\":[{\"nodes\":\"x\",\"edges\":3}]}", "without a single class"}};
    med_kb *kb;
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        CU_ASSERT_EQUAL(built_from(med_import_graph, bad[i].text, &kb), R1_E_FORMAT);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, bad[i].said));
    }
}

/* ---- Mondo ----------------------------------------------------------------------------------- */

static const char mondo_sssom[] = "subject_id\tpredicate_id\tobject_id\nMONDO:1\tskos:exactMatch\t"
                                  "OMIM:7\nMONDO:1\tskos:exactMatch\tOrphanet:8\n"
                                  "MONDO:2\tskos:exactMatch\tOrphanet:9\n";
static const char mondo_obo[] =
    "format-version: 1.2\n[Term]\nid: MONDO:1\nname: seven\nxref: OMIM:7 "
    "{source=\"MONDO:equivalentTo\"}\nproperty_value: skos:exactMatch Orphanet:8\nxref: OMIM:99 "
    "{source=\"MONDO:relatedTo\"}\nis_a: MONDO:2 ! nine\n[Term]\nid: MONDO:2\nname: nine\n"
    "property_value: exactMatch http://www.orpha.net/ORDO/Orphanet_9\n";
/* clang-format off */
#define SKOS "http://www.w3.org/2004/02/skos/core#"
static const char mondo_json[] =
    "{\"graphs\":[{\"nodes\":["
    NODE("MONDO_1", "seven",
         PROPERTIES(PROPERTY(SKOS "exactMatch", "https://omim.org/entry/7") ","
                    PROPERTY(SKOS "exactMatch", "http://www.orpha.net/ORDO/Orphanet_8") ","
                    PROPERTY(SKOS "closeMatch", "https://omim.org/entry/99"))) ","
    NODE("MONDO_2", "nine", PROPERTIES(PROPERTY(SKOS "exactMatch", "Orphanet:9")))
    "],\"edges\":[" IS_A("MONDO_1", "MONDO_2") "]}]}";
/* clang-format on */
static const char mondo_rows[] =
    "database_id\tdisease_name\tqualifier\thpo_id\treference\tevidence\tonset\tfrequency\tsex\t"
    "modifier\taspect\tbiocuration\nOMIM:7\tSeven\t\tHP:1\t\t\t\t\t\t\tP\t\n"
    "ORPHA:8\tEight\t\tHP:2\t\t\t\t\t\t\tP\t\nORPHA:9\tNine\t\tHP:1\t\t\t\t\t\t\tP\t\n"
    "OMIM:99\tOther\t\tHP:1\t\t\t\t\t\t\tP\t\n";

static void test_mondo_formats(void)
{
    static const struct {
        import_call import;
        const char *text;
    } form[] = {{med_import_sssom, mondo_sssom},
                {med_import_obo, mondo_obo},
                {med_import_graph, mondo_json}};
    for (size_t i = 0; i < R1_COUNT(form); i++) {
        med_builder *b = NULL;
        med_kb *kb = NULL;
        R1_ASSERT_OK(med_builder_new(&b, &err), &err);
        R1_ASSERT_OK(med_import_obo(b, "t.obo", in_obo, sizeof in_obo - 1, &err), &err);
        R1_ASSERT_OK(form[i].import(b, "m", form[i].text, strlen(form[i].text), &err), &err);
        R1_ASSERT_OK(med_import_hpoa(b, "t.hpoa", mondo_rows, sizeof mondo_rows - 1, &err), &err);
        R1_ASSERT_OK(med_builder_finish(b, "t", &kb, NULL, &err), &err);
        CU_ASSERT_EQUAL(kb->n_disease, 3);
        CU_ASSERT_EQUAL(kb->n_term, 3);
        CU_ASSERT_EQUAL(med_kb_disease(kb, "ORPHA:8", 7), med_kb_disease(kb, "OMIM:7", 6));
        CU_ASSERT_NOT_EQUAL(med_kb_disease(kb, "OMIM:99", 7), med_kb_disease(kb, "OMIM:7", 6));
        CU_ASSERT_EQUAL(kb->disease[med_kb_disease(kb, "OMIM:7", 6)].n_row, 2);
        med_kb_free(kb);
        med_builder_free(b);
    }
}

/* The kind of a file is told by its content. */
static void test_told_by_content(void)
{
    static const struct {
        const char *name, *text;
    } file[] = {{"a", in_json},
                {"b", in_other_owl},
                {"c", "\xef\xbb\xbf"
                      "# rdf: http://www.w3.org/1999/02/22-rdf-syntax-ns#\n"
                      "predicate_id\tobject_id\tsubject_id\nskos:exactMatch\tOMIM:7\tMONDO:1\n"}};
    char path[R1_COUNT(file)][4200];
    const char *list[R1_COUNT(file)];
    med_kb *kb = NULL;
    for (size_t i = 0; i < R1_COUNT(file); i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", r1_test_tmpdir(), file[i].name);
        R1_ASSERT_OK(r1_file_write(path[i], file[i].text, strlen(file[i].text), &err), &err);
        list[i] = path[i];
    }
    R1_ASSERT_OK(med_sources_build(list, R1_COUNT(file), &kb, NULL, &err), &err);
    CU_ASSERT_EQUAL(kb->n_term, 3);
    CU_ASSERT_EQUAL(kb->n_source, 3);
    med_kb_free(kb);
}

R1_TEST_MAIN("medical formats", {"same ontology", test_same_ontology},
             {"formats together", test_together}, {"document types", test_doctypes},
             {"bad graphs", test_bad_graphs}, {"formats of Mondo", test_mondo_formats},
             {"told by content", test_told_by_content})
