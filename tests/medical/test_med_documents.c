/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_documents.c - the same findings in every format that a record may come in are read
 * alike: a seizure that is denied, ectopia lentis that is there. What is no record is refused with
 * the words that tell what to do. */
#include "documents/med_document.h"
#include "ontology/med_sources.h"
#include "support/r1_test.h"

#include <archive.h>
#include <archive_entry.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_err err;
static med_kb *kb;
static med_lexicon *lex;

static void documents_open(void)
{
    if (kb) return;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&lex, kb, &err), &err);
}

static int status_of(const med_notes *n, const char *name)
{
    for (uint32_t i = 0; i < n->n_mention; i++)
        if (strcmp(med_str(kb, kb->term[n->mention[i].term].name), name) == 0)
            return (int)n->mention[i].status;
    return -1;
}

static bool noted(const med_document *d, const char *words)
{
    for (uint32_t i = 0; i < d->n_note; i++)
        if (strstr(d->note[i], words)) return true;
    return false;
}

/* Both findings, as they are in all documents here. */
static void check_letter(med_document *d, const char *what)
{
    med_notes n;
    R1_ASSERT_OK(med_document_notes(d, lex, kb, what, &n, &err), &err);
    if (status_of(&n, "Seizure") != MED_ABSENT || status_of(&n, "Ectopia lentis") != MED_PRESENT)
        fprintf(stderr, "%s: %s\n", what, d->text);
    CU_ASSERT_EQUAL(status_of(&n, "Seizure"), MED_ABSENT);
    CU_ASSERT_EQUAL(status_of(&n, "Ectopia lentis"), MED_PRESENT);
    med_notes_free(&n);
}

static void check_bytes(const char *what, med_document_kind kind, const char *s, size_t len)
{
    med_document d;
    documents_open();
    R1_ASSERT_OK(med_document_read(&d, what, s, len, &err), &err);
    CU_ASSERT_EQUAL(d.kind, kind);
    check_letter(&d, what);
    med_document_free(&d);
}

#define LETTER "There are no seizures. Ectopia lentis was found."

static const char packet[] =
    "{\"id\": \"c\", \"subject\": {\"id\": \"p\", \"sex\": \"FEMALE\", \"timeAtLastEncounter\": "
    "{\"age\": {\"iso8601duration\": \"P12Y6M\"}}}, \"phenotypicFeatures\": [{\"type\": {\"id\": "
    "\"HP:0001250\", \"label\": \"Seizure\"}, \"excluded\": true}, {\"type\": {\"id\": "
    "\"HP:0001083\", \"label\": \"Arm span\"}}, {\"type\": {\"id\": \"HP:9999999\"}}], "
    "\"diseases\": [{}], \"metaData\": {}}";
static const char packet_v1[] =
    "{\"subject\": {\"sex\": \"MALE\", \"ageAtCollection\": {\"age\": \"P3Y\"}}, "
    "\"phenotypicFeatures\": [{\"type\": {\"id\": \"HP:0001250\"}, \"negated\": true}, "
    "{\"type\": {\"id\": \"HP:0001083\"}}]}";
static const char packet_yaml[] = "---\nsubject:\n  sex: FEMALE\n  timeAtLastEncounter:\n    age:\n"
                                  "      iso8601duration: P12Y6M\nphenotypic_features:\n"
                                  "- type: {id: HP:0001250, label: Seizure}\n  excluded: true\n"
                                  "- type:\n    id: HP:0001083\n";
static const char bundle[] =
    "{\"resourceType\": \"Bundle\", \"entry\": [{\"resource\": {\"resourceType\": \"Patient\", "
    "\"id\": \"p\", \"gender\": \"female\", \"birthDate\": \"2008-01-01\"}}, {\"resource\": "
    "{\"resourceType\": \"Observation\", \"code\": {\"coding\": [{\"code\": \"HP:0001250\"}]}, "
    "\"effectiveDateTime\": \"2020-07-01\", \"interpretation\": [{\"coding\": [{\"code\": "
    "\"NEG\"}]}]}}, {\"resource\": {\"resourceType\": \"Condition\", \"code\": {\"coding\": "
    "[{\"code\": \"HP:0001083\"}]}}}, {\"resource\": {\"resourceType\": \"Observation\", "
    "\"status\": \"entered-in-error\", \"code\": {\"coding\": [{\"code\": \"HP:0001250\"}]}}}, "
    "{\"resource\": {\"resourceType\": \"Procedure\"}}]}";
static const char html[] =
    "<!doctype html><html><head><title>Seizures</title><style>p{}</style></head><body><p>There are "
    "<b>no</b>\nseizures.</p><script>\"no ectopia lentis\"</script><ul><li>Ectopia "
    "lentis</li></ul></body></html>";
static const char rtf[] =
    "{\\rtf1\\ansi\\ansicpg1252{\\fonttbl{\\f0 Seizures;}}{\\*\\generator none}{\\header Seizures}"
    "\\pard There are \\b no\\b0  s\\'65izures.\\par Ectopi\\u97? lentis was found.\\par}";
static const char pdf[] =
    "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids "
    "[3 0 R] /Count 1 >>\nendobj\n3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
    "/Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>\nendobj\n4 0 obj\n<< /Length 80 "
    ">>\nstream\nBT /F1 12 Tf 72 720 Td (" LETTER ") Tj ET   \nendstream\nendobj\n5 0 obj\n<< "
    "/Type /Font /Subtype /Type1 /BaseFont /Helvetica >>\nendobj\ntrailer << /Root 1 0 R >>\n"
    "%%EOF\n";

static void test_prose(void)
{
    char wide[2 * sizeof LETTER + 2] = "\xff\xfe";
    for (size_t i = 0; i < sizeof LETTER - 1; i++) wide[2 + 2 * i] = LETTER[i];
    check_bytes("text", MED_DOCUMENT_TEXT, LETTER, sizeof LETTER - 1);
    check_bytes("mark", MED_DOCUMENT_TEXT, "\xef\xbb\xbf" LETTER, sizeof LETTER + 2);
    check_bytes("utf-16", MED_DOCUMENT_TEXT, wide, 2 * sizeof LETTER);
    check_bytes("utf-16 without mark", MED_DOCUMENT_TEXT, wide + 2, 2 * sizeof LETTER - 2);
    check_bytes("windows-1252", MED_DOCUMENT_TEXT, LETTER " Caf\xe9.", sizeof LETTER + 5);
    check_bytes("html", MED_DOCUMENT_HTML, html, sizeof html - 1);
    check_bytes("rtf", MED_DOCUMENT_RTF, rtf, sizeof rtf - 1);
    check_bytes("pdf", MED_DOCUMENT_PDF, pdf, sizeof pdf - 1);
}

static size_t package(const char *name, const char *xml, char *out, size_t cap)
{
    size_t used = 0;
    struct archive *a = archive_write_new();
    struct archive_entry *e = archive_entry_new();
    archive_write_set_format_zip(a);
    archive_write_open_memory(a, out, cap, &used);
    archive_entry_set_pathname(e, name);
    archive_entry_set_size(e, (la_int64_t)strlen(xml));
    archive_entry_set_filetype(e, AE_IFREG);
    archive_write_header(a, e);
    archive_write_data(a, xml, strlen(xml));
    archive_entry_free(e);
    archive_write_close(a);
    archive_write_free(a);
    return used;
}

static void test_packages(void)
{
    static char zip[8192];
    size_t n = package("word/document.xml",
                       "<w:document xmlns:w='w'><w:body><w:p><w:r><w:t>There are </w:t></w:r>"
                       "<w:del><w:r><w:delText>many</w:delText></w:r></w:del><w:r><w:t>no</w:t>"
                       "</w:r><w:r><w:t xml:space='preserve'> seizures.</w:t></w:r></w:p><w:p>"
                       "<w:pPr><w:numPr/></w:pPr><w:r><w:t>Ectopia lentis</w:t></w:r></w:p>"
                       "</w:body></w:document>",
                       zip, sizeof zip);
    check_bytes("docx", MED_DOCUMENT_DOCX, zip, n);
    n = package("content.xml",
                "<o:document xmlns:o='o' xmlns:text='t'><text:tracked-changes><text:p>seizures"
                "</text:p></text:tracked-changes><text:p>There are <text:span>no</text:span> "
                "seizures.</text:p><text:list><text:list-item><text:p>Ectopia<text:s/>lentis"
                "</text:p></text:list-item></text:list></o:document>",
                zip, sizeof zip);
    check_bytes("odt", MED_DOCUMENT_ODT, zip, n);
}

/* What is crossed out is not read, and counted; what is inserted is read. */
static void check_struck(const char *what, const char *s, size_t len, const char *count)
{
    med_document d;
    documents_open();
    R1_ASSERT_OK(med_document_read(&d, what, s, len, &err), &err);
    check_letter(&d, what);
    if (strstr(d.text, "Scoliosis") || !noted(&d, count)) fprintf(stderr, "%s: %s\n", what, d.text);
    CU_ASSERT_PTR_NULL(strstr(d.text, "Scoliosis"));
    CU_ASSERT(noted(&d, count));
    med_document_free(&d);
}
#define STRUCK(what, s, count) check_struck(what, s, sizeof(s) - 1, count " stretches of text")

static void test_struck(void)
{
    static char zip[8192];
    STRUCK("s", "<p>There are no seizures. <s>Scoliosis.</s> <ins>Ectopia lentis.</ins></p>", "1");
    STRUCK("del", "<p>There are no <del>Scoliosis and </del>seizures. Ectopia lentis.</p>", "1");
    STRUCK("style",
           "<p>There are no seizures. <span style=\"text-decoration: line-through\">Scoliosis"
           "</span><strike>Scoliosis</strike> Ectopia lentis.</p>",
           "2");
    STRUCK("plain", "There are no seizures. <s>Scoliosis.</s> Ectopia lentis.", "1");
    STRUCK("markdown", "There are no ~~Scoliosis or~~ seizures. Ectopia lentis.", "1");
    STRUCK("strokes",
           "There are no seizures. S\xcc\xb6"
           "c\xcc\xb6 Ectopia lentis.",
           "1");
    STRUCK("rtf",
           "{\\rtf1 There are no seizures. {\\strike Scoliosis.} \\strike Scoliosis.\\strike0  "
           "Ectopia lentis. {\\deleted Scoliosis}}",
           "3");
    STRUCK("rtf off", "{\\rtf1 {\\strike Scoliosis \\plain no seizures.} Ectopia lentis.}", "1");
    size_t n = package(
        "word/document.xml",
        "<w:document xmlns:w='w'><w:body><w:p><w:r><w:t>There are no seizures.</w:t></w:r><w:r>"
        "<w:rPr><w:strike/></w:rPr><w:t>Scoliosis.</w:t></w:r><w:r><w:rPr><w:dstrike w:val='true'/>"
        "</w:rPr><w:t>Scoliosis.</w:t></w:r><w:ins><w:r><w:rPr><w:strike w:val='0'/></w:rPr><w:t> "
        "Ectopia lentis.</w:t></w:r></w:ins></w:p></w:body></w:document>",
        zip, sizeof zip);
    check_struck("docx", zip, n, "2 stretches of text");
    n = package(
        "content.xml",
        "<o:document xmlns:o='o' xmlns:text='t' xmlns:style='s'><o:automatic-styles><style:style "
        "style:name='T1'><style:text-properties style:text-line-through-style='solid'/>"
        "</style:style><style:style style:name='T2'><style:text-properties "
        "style:text-line-through-style='none'/></style:style></o:automatic-styles><text:p>There "
        "are no seizures. <text:span text:style-name='T1'>Scoliosis.</text:span><text:span "
        "text:style-name='T2'> Ectopia lentis.</text:span></text:p></o:document>",
        zip, sizeof zip);
    check_struck("odt", zip, n, "1 stretches of text");
}

static void check_person(const char *what, const char *s, med_sex sex, float age)
{
    med_document d;
    med_notes n;
    documents_open();
    R1_ASSERT_OK(med_document_read(&d, what, s, strlen(s), &err), &err);
    R1_ASSERT_OK(med_document_notes(&d, lex, kb, what, &n, &err), &err);
    CU_ASSERT_EQUAL(n.sex, sex);
    CU_ASSERT_DOUBLE_EQUAL((double)n.age_years, (double)age, .01);
    med_notes_free(&n);
    med_document_free(&d);
}

static void test_lists(void)
{
    static const char terms[] =
        "# of the clinic\n- HP:0001250 Seizure\n+HP:0001083 Ectopia lentis\n";
    static const char one_line[] = "HP_0001083, not HP:0001250; hp:0002650\n";
    static const char words[] = "HP:0001250\tSeizure\tabsent\nHP:0001083 (present)\n";
    static const char named[] = "HP:0001083\nunheard of\n!HP:0001250\nHP:0000118\n";
    static const char table[] = "start\tend\tid\tname\tstatus\n0\t1\tHP:0001250\tSeizure\tabsent\n"
                                "2\t3\tHP:0001083\t\tpresent\n";
    static const char findings[] = "[{\"id\": \"HP:0001250\", \"status\": \"absent\"}, {\"id\": "
                                   "\"HP:0001083\", \"name\": \"x\", \"status\": \"present\"}]";
    check_bytes("phenopacket", MED_DOCUMENT_PHENOPACKET, packet, sizeof packet - 1);
    check_bytes("phenopacket 1", MED_DOCUMENT_PHENOPACKET, packet_v1, sizeof packet_v1 - 1);
    check_bytes("yaml", MED_DOCUMENT_PHENOPACKET, packet_yaml, sizeof packet_yaml - 1);
    check_bytes("bundle", MED_DOCUMENT_FHIR, bundle, sizeof bundle - 1);
    check_bytes("terms", MED_DOCUMENT_TERMS, terms, sizeof terms - 1);
    check_bytes("one line", MED_DOCUMENT_TERMS, one_line, sizeof one_line - 1);
    check_bytes("words", MED_DOCUMENT_TERMS, words, sizeof words - 1);
    check_bytes("a name", MED_DOCUMENT_TERMS, named, sizeof named - 1);
    check_bytes("table", MED_DOCUMENT_FINDINGS, table, sizeof table - 1);
    check_bytes("findings", MED_DOCUMENT_FINDINGS, findings, sizeof findings - 1);
    check_person("phenopacket", packet, MED_SEX_FEMALE, 12.5f);
    check_person("phenopacket 1", packet_v1, MED_SEX_MALE, 3);
    check_person("yaml", packet_yaml, MED_SEX_FEMALE, 12.5f);
    check_person("bundle", bundle, MED_SEX_FEMALE, 12.5f);
}

static void test_notes(void)
{
    med_document d;
    documents_open();
    R1_ASSERT_OK(med_document_read(&d, "p", packet, sizeof packet - 1, &err), &err);
    check_letter(&d, "p");
    CU_ASSERT(noted(&d, "HP:9999999: not in the knowledge base"));
    CU_ASSERT(noted(&d, "the file calls it Arm span"));
    CU_ASSERT(noted(&d, "diseases stated in the file are not used"));
    med_document_free(&d);
    R1_ASSERT_OK(med_document_read(&d, "b", bundle, sizeof bundle - 1, &err), &err);
    CU_ASSERT(noted(&d, "1 Procedure"));
    CU_ASSERT(noted(&d, "1 resources entered in error"));
    med_document_free(&d);
    R1_ASSERT_OK(med_document_read(&d, "r", rtf, sizeof rtf - 1, &err), &err);
    CU_ASSERT(noted(&d, "1 headers, footers or footnotes"));
    CU_ASSERT_PTR_NULL(strstr(d.text, "none"));
    med_document_free(&d);
}

/* One resource of FHIR beside a patient "p": which status its finding gets, -1: none, and a word of
 * the notes that say why, "": nothing needs to be said. */
#define SEIZURE "\"code\": {\"coding\": [{\"code\": \"HP:0001250\", \"display\": \"Seizure\"}]}"
#define TALL    "\"code\": {\"coding\": [{\"code\": \"HP:0000098\", \"display\": \"Tall\"}]}"
#define HIGH_CK                                                                                    \
    "\"code\": {\"coding\": [{\"code\": \"HP:0001250\", \"display\": \"Increased seizures\"}]}"
#define CODED(x)   "\"valueCodeableConcept\": {\"coding\": [{" x "}]}"
#define MEANS(x)   "\"interpretation\": [{\"coding\": [{\"code\": \"" x "\"}]}]"
#define NUMBER(v)  "\"valueQuantity\": {\"value\": " v ", \"unit\": \"U/L\"}, " RANGE
#define RANGE      "\"referenceRange\": [{\"low\": {\"value\": 2}, \"high\": {\"value\": 9}}]"
#define SUBJECT(x) "\"subject\": {\"reference\": \"" x "\"}"
static const struct {
    const char *type, *body;
    int status;
    const char *note;
} fhir_cases[] = {
    {"Observation", SEIZURE, MED_PRESENT, ""},
    {"Observation", SEIZURE ", \"valueBoolean\": true", MED_PRESENT, ""},
    {"Observation", SEIZURE ", \"valueBoolean\": false", MED_ABSENT, ""},
    {"Observation", SEIZURE ", \"valueString\": \"no\"", MED_ABSENT, ""},
    {"Observation", SEIZURE ", \"valueString\": \" Absent. \"", MED_ABSENT, ""},
    {"Observation", SEIZURE ", \"valueString\": \"NEGATIVE\"", MED_ABSENT, ""},
    {"Observation", SEIZURE ", \"valueString\": \"Yes\"", MED_PRESENT, ""},
    {"Observation", SEIZURE ", \"valueString\": \"since Monday\"", MED_UNCERTAIN, "neither yes"},
    {"Observation", SEIZURE ", " CODED("\"code\": \"2667000\""), MED_ABSENT, ""},
    {"Observation", SEIZURE ", " CODED("\"code\": \"LA6577-6\""), MED_ABSENT, ""},
    {"Observation", SEIZURE ", " CODED("\"code\": \"LA6576-8\""), MED_PRESENT, ""},
    {"Observation", SEIZURE ", " CODED("\"display\": \"Absent (qualifier value)\""), MED_ABSENT,
     ""},
    {"Observation", SEIZURE ", \"valueCodeableConcept\": {\"text\": \"Negative\"}", MED_ABSENT, ""},
    {"Observation", SEIZURE ", " CODED("\"code\": \"261665006\""), MED_UNCERTAIN, ""},
    {"Observation", SEIZURE ", " CODED("\"code\": \"12345\""), MED_UNCERTAIN, "neither yes"},
    {"Observation", SEIZURE ", " MEANS("NEG"), MED_ABSENT, ""},
    {"Observation", SEIZURE ", " MEANS("POS"), MED_PRESENT, ""},
    {"Observation", SEIZURE ", " MEANS("POS") ", \"valueBoolean\": false", MED_UNCERTAIN, "differ"},
    {"Observation", SEIZURE ", " MEANS("XYZ"), MED_UNCERTAIN, "neither yes"},
    {"Observation", SEIZURE ", \"dataAbsentReason\": {\"text\": \"asleep\"}", MED_UNCERTAIN,
     "why there is no value"},
    {"Observation", SEIZURE ", \"status\": \"entered-in-error\"", -1, "1 resources entered in"},
    {"Observation", SEIZURE ", \"status\": \"cancelled\"", -1, "1 resources entered in error or c"},
    {"Observation", SEIZURE ", \"status\": \"registered\"", -1, "no result yet"},
    {"Observation", SEIZURE ", \"status\": \"unknown\"", MED_UNCERTAIN, "status of its resource"},
    {"Observation", SEIZURE ", \"status\": \"final\"", MED_PRESENT, ""},
    {"Observation", SEIZURE ", \"modifierExtension\": [{\"url\": \"x\"}]", MED_UNCERTAIN,
     "may change its meaning"},
    {"Observation", SEIZURE ", " NUMBER("5"), MED_ABSENT, ""},
    {"Observation", SEIZURE ", " NUMBER("50"), MED_UNCERTAIN, "above or below"},
    {"Observation", HIGH_CK ", " NUMBER("50"), MED_PRESENT, ""},
    {"Observation", HIGH_CK ", " NUMBER("1"), MED_ABSENT, ""},
    {"Observation", HIGH_CK ", " MEANS("HH"), MED_PRESENT, ""},
    {"Observation", HIGH_CK ", " MEANS("A") ", " NUMBER("50"), MED_PRESENT, ""},
    {"Observation", HIGH_CK ", \"valueQuantity\": {\"value\": 9, \"comparator\": \">\"}, " RANGE,
     MED_PRESENT, ""},
    {"Observation", HIGH_CK ", \"valueQuantity\": {\"value\": 5, \"comparator\": \">\"}, " RANGE,
     MED_UNCERTAIN, "no reference range that tells"},
    {"Observation", HIGH_CK ", \"valueInteger\": 50", MED_UNCERTAIN, "no reference range"},
    {"Observation", SEIZURE ", \"valueDateTime\": \"2020\"", MED_UNCERTAIN, "neither yes"},
    {"Observation", SEIZURE ", " SUBJECT("Patient/p"), MED_PRESENT, ""},
    {"Observation", SEIZURE ", " SUBJECT("http://h/fhir/Patient/p/_history/3"), MED_PRESENT, ""},
    {"Observation", SEIZURE ", " SUBJECT("Patient/q"), -1, "1 resources of another patient"},
    {"Observation", SEIZURE ", " SUBJECT("https://h/Patient/q"), -1, "of another patient"},
    {"Observation", SEIZURE ", " SUBJECT("Group/g"), -1, "of another patient"},
    {"Observation", SEIZURE ", " SUBJECT("urn:uuid:7"), -1, "of another patient"},
    {"Observation", SEIZURE ", \"focus\": [{\"reference\": \"RelatedPerson/m\"}]", -1, "(focus)"},
    {"Observation",
     "\"code\": {\"text\": \"panel\"}, \"component\": [{" SEIZURE ", \"valueBoolean\": false}, "
     "{\"code\": {\"text\": \"x\"}}]",
     MED_ABSENT, "1 components"},
    {"Observation", TALL ", \"component\": [{" SEIZURE ", \"valueString\": \"absent\"}]",
     MED_ABSENT, ""},
    {"DiagnosticReport",
     "\"contained\": [{\"resourceType\": \"Observation\", " SEIZURE ", \"valueBoolean\": false}]",
     MED_ABSENT, "1 DiagnosticReport"},
    {"DiagnosticReport",
     "\"contained\": [{\"resourceType\": \"Observation\", " SEIZURE ", " SUBJECT("Patient/q") "}]",
     -1, "of another patient"},
    {"Condition", SEIZURE, MED_PRESENT, ""},
    {"Condition", SEIZURE ", \"verificationStatus\": {\"coding\": [{\"code\": \"refuted\"}]}",
     MED_ABSENT, ""},
    {"Condition", SEIZURE ", \"verificationStatus\": \"refuted\"", MED_ABSENT, ""},
    {"Condition", SEIZURE ", \"verificationStatus\": {\"coding\": [{\"code\": \"unconfirmed\"}]}",
     MED_UNCERTAIN, ""},
    {"Condition", SEIZURE ", \"verificationStatus\": {\"coding\": [{\"code\": \"differential\"}]}",
     MED_UNCERTAIN, ""},
    {"Condition",
     SEIZURE ", \"verificationStatus\": {\"coding\": [{\"code\": \"entered-in-error\"}]}", -1,
     "entered in error"},
    {"Condition", SEIZURE ", \"verificationStatus\": {\"coding\": [{\"code\": \"maybe\"}]}",
     MED_UNCERTAIN, "none of FHIR R4"},
    {"Condition", SEIZURE ", \"clinicalStatus\": {\"coding\": [{\"code\": \"resolved\"}]}",
     MED_HISTORICAL, ""},
    {"Condition", SEIZURE ", \"clinicalStatus\": {\"coding\": [{\"code\": \"inactive\"}]}",
     MED_HISTORICAL, ""},
    {"Condition", SEIZURE ", \"abatementDateTime\": \"2019\"", MED_HISTORICAL, ""},
    {"FamilyMemberHistory", "\"condition\": [{" SEIZURE "}]", MED_FAMILY, ""},
    {"FamilyMemberHistory", "\"condition\": [{" SEIZURE "}], \"status\": \"entered-in-error\"", -1,
     "entered in error"},
    {"Procedure", SEIZURE, -1, "1 Procedure"},
};

static void check_fhir(size_t i)
{
    char text[2000];
    med_document d;
    int n =
        snprintf(text, sizeof text,
                 "{\"resourceType\": \"Bundle\", \"entry\": [{\"resource\": {\"resourceType\": "
                 "\"Patient\", \"id\": \"p\"}}, {\"resource\": {\"resourceType\": \"%s\", %s}}, "
                 "{\"resource\": {\"resourceType\": \"Observation\", " TALL "}}]}",
                 fhir_cases[i].type, fhir_cases[i].body);
    int status = -1;
    R1_ASSERT_OK(med_document_read(&d, "case", text, (size_t)n, &err), &err);
    for (uint32_t k = 0; k < d.n_stated; k++)
        if (strcmp(d.stated[k].id, "HP:0001250") == 0) status = (int)d.stated[k].status;
    bool said = *fhir_cases[i].note ? noted(&d, fhir_cases[i].note) : d.n_note == 1;
    if (status != fhir_cases[i].status || !said)
        fprintf(stderr, "%s: status %d, expected %d, note \"%s\", expected \"%s\"\n", text, status,
                fhir_cases[i].status, d.n_note ? d.note[0] : "", fhir_cases[i].note);
    CU_ASSERT_EQUAL(status, fhir_cases[i].status);
    CU_ASSERT(said);
    med_document_free(&d);
}

static void test_fhir(void)
{
    for (size_t i = 0; i < R1_COUNT(fhir_cases); i++) check_fhir(i);
}

/* Packets of more persons than one, and what a packet says beside its findings. */
static void test_packets_of_several(void)
{
    static const char family[] =
        "{\"id\": \"f\", \"proband\": {\"subject\": {\"id\": \"p\", \"sex\": \"FEMALE\", "
        "\"timeAtLastEncounter\": {\"age\": {\"iso8601duration\": \"P12Y6M\"}}}, "
        "\"phenotypicFeatures\": [{\"type\": {\"id\": \"HP:0001250\"}, \"excluded\": true}, "
        "{\"type\": {\"id\": \"HP:0001083\"}, \"onset\": {\"age\": {\"iso8601duration\": "
        "\"P3Y\"}}}]}, \"relatives\": [{\"phenotypicFeatures\": [{\"type\": {\"id\": "
        "\"HP:0001250\"}}]}], \"metaData\": {}}";
    static const char cohort_yaml[] =
        "id: c\nmembers:\n- subject: {sex: FEMALE, timeAtLastEncounter: {age: {iso8601duration: "
        "P12Y6M}}}\n  phenotypicFeatures:\n  - type: {id: HP:0001250}\n    excluded: true\n  - "
        "type: {id: HP:0001083}\n  biosamples:\n  - {id: s}\n";
    med_document d;
    check_bytes("family", MED_DOCUMENT_PHENOPACKET, family, sizeof family - 1);
    check_bytes("cohort of one", MED_DOCUMENT_PHENOPACKET, cohort_yaml, sizeof cohort_yaml - 1);
    check_person("family", family, MED_SEX_FEMALE, 12.5f);
    check_person("cohort of one", cohort_yaml, MED_SEX_FEMALE, 12.5f);
    R1_ASSERT_OK(med_document_read(&d, "f", family, sizeof family - 1, &err), &err);
    CU_ASSERT(noted(&d, "1 relatives"));
    CU_ASSERT(noted(&d, "The onset of 1 findings"));
    CU_ASSERT_EQUAL(d.n_stated, 2);
    med_document_free(&d);
    R1_ASSERT_OK(med_document_read(&d, "c", cohort_yaml, sizeof cohort_yaml - 1, &err), &err);
    CU_ASSERT(noted(&d, "samples, and what they show"));
    med_document_free(&d);
}

static void refused(const char *what, const char *s, size_t len, const char *words)
{
    med_document d;
    r1_err why = {0};
    CU_ASSERT_EQUAL(med_document_read(&d, what, s, len, &why), R1_E_FORMAT);
    if (!strstr(why.msg, words)) fprintf(stderr, "%s: \"%s\", not %s\n", what, why.msg, words);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.msg, words));
    CU_ASSERT_PTR_NULL(d.text);
    med_document_free(&d);
}
#define REFUSED(what, s, words) refused(what, s, sizeof(s) - 1, words)

static void test_refused(void)
{
    static const char german[] = "Der Patient hat keine Anf\xc3\xa4lle und zeigt eine Ataxie. Die "
                                 "Mutter ist gesund, der Vater ist nicht untersucht.";
    static const char two[] = "{\"resourceType\": \"Bundle\", \"entry\": [{\"resource\": "
                              "{\"resourceType\": \"Patient\"}}, {\"resource\": {\"resourceType\": "
                              "\"Patient\"}}]}";
    static const char named[] =
        "{\"resourceType\": \"Bundle\", \"entry\": [{\"resource\": "
        "{\"resourceType\": \"Observation\", " SEIZURE
        ", " SUBJECT("Patient/a") "}}, {\"resource\": {\"resourceType\": "
                                  "\"Observation\", " SEIZURE ", " SUBJECT("Patient/b") "}}]}";
    static const char alias[] = "phenotypicFeatures: &a\n- *a\n";
    REFUSED("png", "\x89PNG\r\n\x1a\n", "OCR");
    REFUSED("word", "\xd0\xcf\x11\xe0\xa1\xb1", "DOCX");
    REFUSED("gzip", "\x1f\x8b\x08", "unpack");
    REFUSED("hl7", "MSH|^~\\&|A", "HL7");
    REFUSED("xml", "<?xml version='1.0'?><ClinicalDocument/>", "CDA");
    REFUSED("json", "{\"patient\": 1}", "found \"patient\"");
    REFUSED("cut json", "{\"phenotypicFeatures\": [", "JSON that cannot be read");
    REFUSED("cut rtf", "{\\rtf1 no seizures", "cut off");
    REFUSED("nul", "no\0seizures", "NUL byte at 2");
    REFUSED("zip", "PK\3\4 no package", "");
    REFUSED("german", german, "German");
    REFUSED("portuguese",
            "O paciente apresenta ataxia. A m\xc3\xa3"
            "e do paciente foi examinada com os exames "
            "da cl\xc3\xadnica por uma equipe.",
            "Portuguese");
    REFUSED("cyrillic",
            "\xd0\xa3 \xd0\xbf\xd0\xb0\xd1\x86\xd0\xb8\xd0\xb5\xd0\xbd\xd1\x82\xd0\xb0 "
            "\xd0\xbd\xd0\xb5\xd1\x82 \xd1\x81\xd1\x83\xd0\xb4\xd0\xbe\xd1\x80\xd0\xbe\xd0\xb3 "
            "\xd0\xb8 \xd0\xb0\xd1\x82\xd0\xb0\xd0\xba\xd1\x81\xd0\xb8\xd0\xb8",
            "Cyrillic");
    REFUSED("two patients", two, "several patients");
    REFUSED("two subjects", named, "speak of several patients");
    REFUSED("void",
            "{\"resourceType\": \"Observation\", \"status\": \"entered-in-error\", " SEIZURE "}",
            "1 taken back");
    REFUSED("packets", "[{\"phenotypicFeatures\": []}, {}]", "a list of 2 phenopackets");
    REFUSED("resources", "[{\"resourceType\": \"Patient\"}]", "a list of 1 resources of FHIR");
    REFUSED("alias", alias, "aliases");
    REFUSED("status", "id\tstatus\nHP:0001250\tmaybe\n", "another text");
    REFUSED("empty pdf", "%PDF-1.4\n%%EOF\n", "pdftotext");
    REFUSED("cohort", "{\"members\": [{}, {}], \"metaData\": {}}", "cohort");
}

/* What looks like a format at first and is a letter. */
static void test_prose_kept(void)
{
    static const char *const letters[] = {
        "[x] ectopia lentis\n[ ] seizures\n",
        "{Seizures: none}\nEctopia lentis.",
        "< 5 % of this. Ectopia lentis.",
        "HP:0001083 was discussed; ectopia lentis was found.",
        "PK of the drug was normal. Ectopia lentis.",
        "No ataxia\nNo tremor\nNo fever\nNo cough\nNo rash\nNo vertigo\nEctopia lentis\n",
        "Er is de vader. The mother has ectopia lentis and the child is well."};
    med_document d;
    for (size_t i = 0; i < R1_COUNT(letters); i++) {
        R1_ASSERT_OK(med_document_read(&d, "letter", letters[i], strlen(letters[i]), &err), &err);
        CU_ASSERT_EQUAL(d.kind, MED_DOCUMENT_TEXT);
        CU_ASSERT_STRING_EQUAL(d.text, letters[i]);
        med_document_free(&d);
    }
}

/* More findings and deeper nesting than are read. */
static void test_bounds(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    for (int i = 0; i <= MED_DOCUMENT_FINDINGS_MAX; i++) fprintf(f, "HP:%07d\n", i);
    fclose(f);
    refused("many", text, len, "more than 10000 findings");
    free(text);
    f = open_memstream(&text, &len);
    fputs("{\\rtf1 ", f);
    for (int i = 0; i < 400; i++) fputc('{', f);
    fclose(f);
    refused("deep rtf", text, len, "nested deeper");
    free(text);
    f = open_memstream(&text, &len);
    fputs("phenotypicFeatures: ", f);
    for (int i = 0; i < 100; i++) fputc('[', f);
    fclose(f);
    refused("deep yaml", text, len, "nested deeper");
    free(text);
    f = open_memstream(&text, &len);
    for (int i = 0; i < 100000; i++) fputs("<div>", f);
    fputs("ectopia lentis", f);
    fclose(f);
    med_document d;
    r1_status st = med_document_read(&d, "deep html", text, len, &err);
    CU_ASSERT(st == R1_OK || st == R1_E_FORMAT);
    med_document_free(&d);
    free(text);
}

/* A list that the caller knows to be one: names, ids, signs, age and sex. What is no finding is
 * told, and the rest is taken. */
static void test_named_lists(void)
{
    static const char list[] =
        "# a patient\nAge: 3 y 6 m\nsex : F\n+ ectopia LENTIS\n- Seizures\nHP:0001166\n"
        "? Tall stature\nHP:9999999\nPurple nonsense\nPectus excavatum\tabsent\n";
    static const struct {
        const char *text;
        float years;
    } ages[] = {{"2.5", 2.5f},      {"30 years", 30}, {"6 mo", .5f},  {"P3Y6M", 3.5f},
                {"2 y, 6 m", 2.5f}, {"about 3", NAN}, {"3 4 y", NAN}, {"400 y", NAN}};
    med_document d;
    med_notes n;
    documents_open();
    R1_ASSERT_OK(med_document_read(&d, "list", list, sizeof list - 1, &err), &err);
    R1_ASSERT_OK(med_document_as_list(&d, "list", &err), &err);
    CU_ASSERT_DOUBLE_EQUAL(d.age_years, 3.5, 1e-6);
    CU_ASSERT_EQUAL(d.sex, MED_SEX_FEMALE);
    check_letter(&d, "list");
    R1_ASSERT_OK(med_document_notes(&d, lex, kb, "list", &n, &err), &err);
    CU_ASSERT_EQUAL(status_of(&n, "Arachnodactyly"), MED_PRESENT);
    CU_ASSERT_EQUAL(status_of(&n, "Pectus excavatum"), MED_ABSENT);
    CU_ASSERT_EQUAL(status_of(&n, "Tall stature"), MED_UNCERTAIN);
    CU_ASSERT_EQUAL(n.n_mention, 5);
    CU_ASSERT(noted(&d, "HP:9999999") && noted(&d, "Purple nonsense"));
    med_notes_free(&n);
    med_document_free(&d);
    for (size_t i = 0; i < R1_COUNT(ages); i++) {
        char text[80];
        int len = snprintf(text, sizeof text, "age: %s\nHP:0001166\n", ages[i].text);
        R1_ASSERT_OK(med_document_read(&d, "age", text, (size_t)len, &err), &err);
        CU_ASSERT(d.listed);
        if (isnan(ages[i].years)) {
            CU_ASSERT(isnan(d.age_years) && noted(&d, ages[i].text));
        } else {
            CU_ASSERT_DOUBLE_EQUAL(d.age_years, ages[i].years, 1e-6);
        }
        med_document_free(&d);
    }
}

/* A feature without an id, with a name and without one. */
static void test_no_id(void)
{
    static const char text[] =
        "{\"subject\": {}, \"metaData\": {}, \"phenotypicFeatures\": [{\"type\": {\"id\": \"\"}}, "
        "{\"type\": {\"id\": \"\", \"label\": \"Ectopia lentis\"}}]}";
    med_document d;
    med_notes n;
    documents_open();
    R1_ASSERT_OK(med_document_read(&d, "packet", text, sizeof text - 1, &err), &err);
    R1_ASSERT_OK(med_document_notes(&d, lex, kb, "packet", &n, &err), &err);
    CU_ASSERT_EQUAL(n.n_mention, 1);
    CU_ASSERT_EQUAL(status_of(&n, "Ectopia lentis"), MED_PRESENT);
    CU_ASSERT(noted(&d, "without id and name"));
    med_notes_free(&n);
    med_document_free(&d);
}

/* Options: a name may hold commas. */
static void test_stated_options(void)
{
    med_names *names = NULL;
    med_document d = {.age_years = NAN};
    documents_open();
    R1_ASSERT_OK(med_names_new(&names, kb, &err), &err);
    R1_ASSERT_OK(med_document_state(&d, "--observed", "HP:0001083, seizure ;Purple, Tall stature",
                                    MED_PRESENT, names, kb, &err),
                 &err);
    CU_ASSERT_EQUAL_FATAL(d.n_stated, 4);
    CU_ASSERT_STRING_EQUAL(d.stated[0].id, "HP:0001083");
    CU_ASSERT_STRING_EQUAL(d.stated[1].label, "seizure");
    CU_ASSERT_STRING_EQUAL(d.stated[2].label, "Purple");
    CU_ASSERT_STRING_EQUAL(d.stated[3].label, "Tall stature");
    med_document_free(&d);
    med_names_free(names);
}

R1_TEST_MAIN("documents", {"prose in every format", test_prose},
             {"lists of names", test_named_lists}, {"findings of an option", test_stated_options},
             {"a finding without id", test_no_id}, {"packages of word processors", test_packages},
             {"text that is crossed out", test_struck}, {"lists of findings", test_lists},
             {"what was left out is noted", test_notes}, {"resources of FHIR", test_fhir},
             {"packets of several", test_packets_of_several}, {"no records", test_refused},
             {"letters that look otherwise", test_prose_kept}, {"bounds", test_bounds})
