/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem */
/* test_med_kb.c - knowledge base: our ontology fits its schema, importers read small and real
 * files, a repeated definition and a string that is too long are told, a saved file reads back to
 * the same bytes, and damaged or hostile input is refused with a message. */
#include "ontology/med_fetch.h"
#include "ontology/med_import.h"
#include "ontology/med_kb_layout.h"
#include "ontology/med_sources.h"
#include "ontology/med_xml.h"
#include "r1_shard.h"
#include "support/r1_test.h"
#include "text/r1_utf8.h"
#include "train/med_text_shard.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static r1_err err;

typedef r1_status (*import_call)(med_builder *b, const char *what, const char *data, size_t len,
                                 r1_err *err);

static void test_schema(void)
{
    char *xml, *xsd;
    size_t n, m;
    R1_ASSERT_OK(r1_file_read(r1_test_source("ontology/r1med.xml"), 1u << 24, &xml, &n, &err),
                 &err);
    R1_ASSERT_OK(r1_file_read(r1_test_source("ontology/r1med.xsd"), 1u << 20, &xsd, &m, &err),
                 &err);
    R1_ASSERT_OK(med_xml_validate("r1med.xml", xml, n, xsd, m, &err), &err);
    char *at = strstr(xml, "<finding id=");
    memcpy(at, "<findinh id=", 12);
    CU_ASSERT_EQUAL(med_xml_validate("changed", xml, n, xsd, m, &err), R1_E_FORMAT);
    free(xml);
    free(xsd);
}

static void test_med_kb_round_trip(void)
{
    med_kb *a = NULL, *b = NULL;
    char path[4200];
    R1_ASSERT_OK(med_sources_open(&a, r1_test_source("ontology/r1med.xml"), &err), &err);
    CU_ASSERT(a->n_term >= 150 && a->n_profiled >= 40);
    snprintf(path, sizeof path, "%s/kb.r1kb", r1_test_tmpdir());
    R1_ASSERT_OK(med_kb_save(a, path, &err), &err);
    R1_ASSERT_OK(med_sources_open(&b, path, &err), &err);
    CU_ASSERT_EQUAL(a->bytes, b->bytes);
    CU_ASSERT_EQUAL(memcmp(a->block, b->block, a->bytes), 0);
    CU_ASSERT_NOT_EQUAL(med_kb_term(b, "HP:0001166", 10), MED_NONE);
    CU_ASSERT_NOT_EQUAL(med_kb_disease(b, "OMIM:154700", 11), MED_NONE);
    /* every single truncation class and bit flips are refused */
    char bad[4300];
    snprintf(bad, sizeof bad, "%s.bad", path);
    for (size_t cut = 0; cut < b->bytes; cut += b->bytes / 23 + 1) {
        med_kb *c = NULL;
        R1_ASSERT_OK(r1_file_write(bad, b->block, cut, &err), &err);
        CU_ASSERT_EQUAL(med_sources_open(&c, bad, &err), R1_E_FORMAT);
    }
    char *copy = malloc(b->bytes);
    memcpy(copy, b->block, b->bytes);
    copy[b->bytes / 2] ^= 1;
    R1_ASSERT_OK(r1_file_write(bad, copy, b->bytes, &err), &err);
    med_kb *c = NULL;
    CU_ASSERT_EQUAL(med_sources_open(&c, bad, &err), R1_E_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "checksum"));
    free(copy);
    CU_ASSERT_EQUAL(med_sources_open(&c, "/nonexistent/kb.r1kb", &err), R1_E_IO);
    med_kb_free(a);
    med_kb_free(b);
}

/* What is no file of bytes is refused at once, and says what it is. */
static void test_no_files(void)
{
    static const char *const words[] = {"found an empty file", "found a folder", "found a pipe"};
    for (int i = 0; i < 3; i++) {
        const char *path = r1_test_in_tmp(words[i] + strlen("found a"));
        med_kb *kb = NULL;
        r1_err why = {0};
        remove(path);
        int made = i == 0   ? close(open(path, O_WRONLY | O_CREAT, 0600))
                   : i == 1 ? mkdir(path, 0700)
                            : mkfifo(path, 0600);
        CU_ASSERT_EQUAL_FATAL(made, 0);
        CU_ASSERT_EQUAL(med_kb_open_file(&kb, path, &why), R1_E_FORMAT);
        if (!strstr(why.msg, words[i])) printf("%s, not %s\n", why.msg, words[i]);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.msg, words[i]));
        remove(path);
    }
}

/* Each flipped bit of the header and of the table behind it, and one in a hundred of the rest. */
static void test_flipped_bits(void)
{
    enum { HEAD = 64 + 17 * 32 };
    med_kb *kb = NULL, *c = NULL;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    for (size_t bit = 0; bit < kb->bytes * 8; bit += bit < HEAD * 8 ? 1 : 7919) {
        char *copy = malloc(kb->bytes);
        memcpy(copy, kb->block, kb->bytes);
        copy[bit / 8] ^= (char)(1 << bit % 8);
        r1_status st = med_kb_from_block(&c, copy, kb->bytes, "flipped", &err);
        if (st != R1_E_FORMAT) printf("bit %zu of byte %zu is taken\n", bit % 8, bit / 8);
        CU_ASSERT_EQUAL(st, R1_E_FORMAT);
        if (st == R1_OK)
            med_kb_free(c);
        else
            free(copy);
    }
    med_kb_free(kb);
}

/* A file that was made before some of the sections were there is read without them. */
static void test_older_files(void)
{
    static const uint32_t sections[] = {SEC_OBSOLETE, SEC_LOSS, SEC_COUNT};
    med_kb *kb = NULL, *old = NULL;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    CU_ASSERT(kb->n_fact > 0 && kb->loss && kb->family);
    for (size_t i = 0; i < R1_COUNT(sections); i++) {
        char *copy = malloc(kb->bytes);
        med_kb_header h;
        memcpy(copy, kb->block, kb->bytes);
        memcpy(&h, copy, sizeof h);
        h.n_section = sections[i];
        h.checksum = r1_hash64(copy + sizeof h, kb->bytes - sizeof h, MED_KB_VERSION);
        memcpy(copy, &h, sizeof h);
        R1_ASSERT_OK(med_kb_from_block(&old, copy, kb->bytes, "old", &err), &err);
        bool whole = sections[i] == SEC_COUNT;
        CU_ASSERT_EQUAL(old->n_fact > 0, whole);
        CU_ASSERT_EQUAL(old->loss != NULL, whole);
        CU_ASSERT_EQUAL(med_kb_family(old, 0), 0);
        CU_ASSERT_EQUAL(old->n_disease, kb->n_disease);
        med_kb_free(old);
    }
    med_kb_free(kb);
}

static r1_status parse_own(const char *text, size_t len)
{
    med_builder *b = NULL;
    r1_status st = med_builder_new(&b, &err);
    if (st == R1_OK) st = med_import_own(b, "test.xml", text, len, &err);
    med_builder_free(b);
    return st;
}

static void test_hostile_xml(void)
{
    static const char *const bad[] = {
        "<!DOCTYPE r1-ontology [<!ENTITY a \"b\">]><r1-ontology version=\"1\">&a;</r1-ontology>",
        "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><x/>",
        "<r1-ontology version=\"1\">&undefined;</r1-ontology>",
        "<r1-ontology version=\"1\"><findings></r1-ontology>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><r1-ontology version=\"\xff\xfe\"/>",
        "<?xml version=\"1.0\" encoding=\"klingon\"?><r1-ontology/>",
        "<other/>",
        "",
        "not xml",
        "<r1-ontology/>"};
    for (size_t i = 0; i < R1_COUNT(bad); i++)
        CU_ASSERT_EQUAL(parse_own(bad[i], strlen(bad[i])), R1_E_FORMAT);
    CU_ASSERT_EQUAL(parse_own(bad[0], strlen(bad[0])), R1_E_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "DOCTYPE"));
    size_t n = 3u * 1000000u;
    char *deep = malloc(n);
    for (size_t i = 0; i < n; i += 3) memcpy(deep + i, "<a>", 3);
    memcpy(deep, "<r1-ontology version=\"1\">", 25);
    memset(deep + 25, ' ', 2);
    CU_ASSERT_EQUAL(parse_own(deep, n), R1_E_FORMAT);
    free(deep);
}

static void test_small_formats(void)
{
    static const char obo[] =
        "format-version: 1.2\ndata-version: t1\n\n[Term]\nid: "
        "HP:0000118\nname: Root\n\n[Term]\nid: HP:1\n"
        "name: A\nalt_id: HP:9\nsynonym: \"Alpha \\\"x\\\"\" EXACT []\nis_a: "
        "HP:0000118 ! Root\n\n[Term]\nid: HP:2\n"
        "name: B\nis_a: HP:1\n\n[Term]\nid: HP:3\nname: old\nis_obsolete: "
        "true\nreplaced_by: HP:2\n\n[Term]\nid: HP:4\nname: gone\nis_obsolete: "
        "true\nconsider: HP:2\nconsider: HP:1\n";
    static const char hpoa[] =
        "#version: "
        "t2\ndatabase_id\tdisease_name\tqualifier\thpo_"
        "id\treference\tevidence\tonset\tfrequency\tsex\tmodifier\taspect\tbiocuration\n"
        "OMIM:1\tOne\t\tHP:2\tPMID:7\tPCS\t\t1/"
        "2\t\t\tP\tx\nOMIM:1\tOne\t\tHP:3\tPMID:8;PMID:7\tPCS\t\t\t\t\tP\tx\n"
        "OMIM:2\tTwo\tNOT\tHP:9\tPMID:8\tPCS\t\t\t\t\tP\tx\nOMIM:2\tTwo\t\tHP:1\tPMID:8\tPCS\t\t45."
        "5%\t\t\tP\tx\n";
    med_builder *b = NULL;
    med_kb *kb = NULL;
    R1_ASSERT_OK(med_builder_new(&b, &err), &err);
    R1_ASSERT_OK(med_import_obo(b, "t.obo", obo, sizeof obo - 1, &err), &err);
    R1_ASSERT_OK(med_import_hpoa(b, "t.hpoa", hpoa, sizeof hpoa - 1, &err), &err);
    R1_ASSERT_OK(med_builder_finish(b, "t", &kb, NULL, &err), &err);
    uint32_t t2 = med_kb_term(kb, "HP:2", 4), t1 = med_kb_term(kb, "HP:9", 4);
    CU_ASSERT_EQUAL(med_kb_term(kb, "HP:3", 4), t2); /* replaced */
    CU_ASSERT_EQUAL(med_kb_term(kb, "HP:1", 4), t1); /* alternative */
    const med_obsolete *gone = med_kb_obsolete(kb, "HP:4", 4);
    CU_ASSERT_PTR_NOT_NULL_FATAL(gone);
    CU_ASSERT_EQUAL(gone->n_consider, 2);
    CU_ASSERT_STRING_EQUAL(med_str(kb, kb->list[gone->consider_at]), "HP:1");
    CU_ASSERT_STRING_EQUAL(med_str(kb, kb->list[gone->consider_at + 1]), "HP:2");
    CU_ASSERT_PTR_NULL(med_kb_obsolete(kb, "HP:2", 4));
    CU_ASSERT_PTR_NULL(med_kb_obsolete(kb, "HP:44", 5));
    CU_ASSERT(med_kb_is_a(kb, t2, t1) && !med_kb_is_a(kb, t1, t2));
    const med_disease *d = &kb->disease[med_kb_disease(kb, "OMIM:1", 6)];
    CU_ASSERT_EQUAL(d->n_row, 2);
    float work[8] = {0};
    med_profile p[8];
    CU_ASSERT_EQUAL(
        med_profile_make(kb, kb->row + d->row_at, d->n_row, (med_leave_out){0}, work, p, 8), 3);
    CU_ASSERT_EQUAL(
        med_profile_make(kb, kb->row + d->row_at, d->n_row, (med_leave_out){.pmid = 7}, work, p, 8),
        0);
    CU_ASSERT_EQUAL(med_profile_make(kb, kb->row + d->row_at, d->n_row,
                                     (med_leave_out){.pmid = 7, .sole = true}, work, p, 8),
                    3);
    med_kb_free(kb);
    med_builder_free(b);
    R1_ASSERT_OK(med_builder_new(&b, &err), &err);
    CU_ASSERT_EQUAL(med_import_hpoa(b, "t.hpoa", "#v\nOMIM:1\tshort\n", 16, &err), R1_E_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "not one row"));
    CU_ASSERT_EQUAL(med_import_obo(b, "t.obo", "[Term]\nid: X:1\n", 15, &err), R1_E_FORMAT);
    med_builder_free(b);
}

static void test_cycle(void)
{
    static const char obo[] = "format-version: 1.2\n[Term]\nid: HP:1\nname: a\nis_a: "
                              "HP:2\n\n[Term]\nid: HP:2\nname: b\nis_a: HP:1\n";
    med_builder *b = NULL;
    med_kb *kb = NULL;
    R1_ASSERT_OK(med_builder_new(&b, &err), &err);
    R1_ASSERT_OK(med_import_obo(b, "t", obo, sizeof obo - 1, &err), &err);
    CU_ASSERT_EQUAL(med_builder_finish(b, "t", &kb, NULL, &err), R1_E_FORMAT);
    med_builder_free(b);
}

#define OWN_HEAD "<r1-ontology version=\"1\" title=\"t\" licence=\"l\">"

/* Imports each text in turn and makes a knowledge base of all. */
static r1_status built(import_call import, const char *const *text, size_t n, med_kb **kb,
                       med_build_stats *stats)
{
    med_builder *b = NULL;
    r1_status st = med_builder_new(&b, &err);
    for (size_t i = 0; i < n && st == R1_OK; i++)
        st = import(b, "t", text[i], strlen(text[i]), &err);
    *kb = NULL;
    if (st == R1_OK) st = med_builder_finish(b, "t", kb, stats, &err);
    med_builder_free(b);
    return st;
}

/* One source that defines a thing twice is told with both lines; two sources may define it. */
static void test_repeated(void)
{
    static const char *const own[] = {
        OWN_HEAD "\n<finding id=\"R1:4\" name=\"First\"/>\n<finding id=\"R1:4\" name=\"Second\">\n"
                 "</finding>\n<disease id=\"R1:D\" name=\"One\"/>\n"
                 "<disease id=\"R1:D\" name=\"Two\"/></r1-ontology>"};
    static const char *const obo[] = {
        "format-version: 1.2\n[Term]\nid: R1:4\nname: a\n[Term]\nid: R1:4\nname: b\n"};
    static const char *const owl[] = {"<RDF>\n<Class about=\"/R1_4\"><label>a</label></Class>\n"
                                      "<Class about=\"/R1_4\"><label>b</label></Class></RDF>"};
    static const char *const two[] = {OWN_HEAD "<finding id=\"R1:4\" name=\"a\"/></r1-ontology>",
                                      OWN_HEAD "<finding id=\"R1:4\" name=\"a\"/></r1-ontology>"};
    static med_build_stats s;
    med_kb *kb;
    R1_ASSERT_OK(built(med_import_own, own, 1, &kb, &s), &err);
    med_kb_free(kb);
    CU_ASSERT_EQUAL(s.repeated.n, 2);
    CU_ASSERT_STRING_EQUAL(s.repeated.line[0],
                           "t:3: the finding R1:4 is defined again, first on line 2");
    CU_ASSERT_STRING_EQUAL(s.repeated.line[1],
                           "t:6: the disease R1:D is defined again, first on line 5");
    R1_ASSERT_OK(built(med_import_obo, obo, 1, &kb, &s), &err);
    med_kb_free(kb);
    CU_ASSERT_EQUAL(s.repeated.n, 1);
    CU_ASSERT_STRING_EQUAL(s.repeated.line[0],
                           "t:5: the finding R1:4 is defined again, first on line 2");
    R1_ASSERT_OK(built(med_import_owl, owl, 1, &kb, &s), &err);
    med_kb_free(kb);
    CU_ASSERT_EQUAL(s.repeated.n, 1);
    R1_ASSERT_OK(built(med_import_own, two, 2, &kb, &s), &err);
    med_kb_free(kb);
    CU_ASSERT_EQUAL(s.repeated.n, 0);
}

/* A text in which %s stands for a long string. */
static void filled(char *out, size_t cap, const char *form, const char *text)
{
    const char *at = strstr(form, "%s");
    CU_ASSERT_FATAL((size_t)snprintf(out, cap, "%.*s%s%s", (int)(at - form), form, text, at + 2) <
                    cap);
}

/* Ids of MED_ID_MAX bytes are read, longer ones are refused with the line. */
static void test_long_ids(void)
{
    static const struct {
        import_call import;
        const char *form;
    } source[] = {
        {med_import_own, OWN_HEAD "\n<finding id=\"%s\" name=\"a\"/></r1-ontology>"},
        {med_import_own,
         OWN_HEAD "\n<finding id=\"R1:1\" name=\"a\"><xref id=\"%s\"/></finding></r1-ontology>"},
        {med_import_own,
         OWN_HEAD "\n<finding id=\"R1:1\" name=\"a\"><is-a finding=\"%s\"/></finding>"
                  "</r1-ontology>"},
        {med_import_own,
         OWN_HEAD "\n<finding id=\"R1:1\" name=\"a\"/><disease id=\"%s\"/></r1-ontology>"},
        {med_import_obo, "format-version: 1.2\n[Term]\nid: HP:1\nname: a\nalt_id: %s\n"},
        {med_import_obo, "format-version: 1.2\n[Term]\nid: %s\nname: a\n"},
        {med_import_obo, "format-version: 1.2\n[Term]\nid: HP:1\nname: a\nreplaced_by: %s\n"},
        {med_import_owl, "<RDF>\n<Class about=\"/HP_1\"/><Class about=\"/%s_1\"/></RDF>"}};
    char id[MED_ID_MAX + 2], text[512];
    med_kb *kb;
    for (size_t i = 0; i < R1_COUNT(source); i++) {
        const char *one = text;
        size_t fits = MED_ID_MAX - (source[i].import == med_import_owl ? 2 : 0);
        memset(id, 'x', sizeof id);
        id[fits] = '\0';
        filled(text, sizeof text, source[i].form, id);
        R1_ASSERT_OK(built(source[i].import, &one, 1, &kb, NULL), &err);
        med_kb_free(kb);
        id[fits] = 'y';
        id[fits + 1] = '\0';
        filled(text, sizeof text, source[i].form, id);
        CU_ASSERT_EQUAL(built(source[i].import, &one, 1, &kb, NULL), R1_E_FORMAT);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "an id of 128 bytes, expected at most 127: xxx"));
        CU_ASSERT(strncmp(err.msg, "t:", 2) == 0 && err.msg[2] > '1' && err.msg[2] <= '5');
    }
}

/* A name that is too long ends at a character's border, is counted and told. */
static void test_long_names(void)
{
    static const struct {
        import_call import;
        const char *form;
    } source[] = {{med_import_own, OWN_HEAD "<finding id=\"HP:1\" name=\"a%s\"/></r1-ontology>"},
                  {med_import_obo, "format-version: 1.2\n[Term]\nid: HP:1\nname: a%s\n"},
                  {med_import_owl, "<RDF><Class about=\"/HP_1\"><label>a%s</label></Class></RDF>"}};
    static char name[3 * MED_NAME_MAX + 1], text[sizeof name + 512];
    static med_build_stats s;
    med_kb *kb;
    for (size_t i = 0; i < MED_NAME_MAX; i++) memcpy(name + 3 * i, "\xe2\x82\xac", 4);
    for (size_t i = 0; i < R1_COUNT(source); i++) {
        const char *one = text;
        filled(text, sizeof text, source[i].form, name);
        R1_ASSERT_OK(built(source[i].import, &one, 1, &kb, &s), &err);
        const char *got = med_str(kb, kb->term[0].name);
        CU_ASSERT_EQUAL(strlen(got), 1 + 3 * ((MED_NAME_MAX - 1) / 3));
        CU_ASSERT(r1_utf8_valid(got, strlen(got)));
        CU_ASSERT_EQUAL(s.cut.n, 1);
        CU_ASSERT_PTR_NOT_NULL(strstr(s.cut.line[0], "the name is cut after 1021 bytes: a"));
        CU_ASSERT(r1_utf8_valid(s.cut.line[0], strlen(s.cut.line[0])));
        med_kb_free(kb);
    }
}

/* Definitions, versions and titles are cut in the same way. */
static void test_long_texts(void)
{
    static char version[MED_DEFINITION_MAX + 2], text[3 * sizeof version];
    static med_build_stats s;
    const char *one = text;
    med_kb *kb;
    memset(version, 'v', sizeof version - 1);
    int n = snprintf(text, sizeof text, "format-version: 1\ndata-version: %s\n[Term]\nid: HP:1\n",
                     version);
    snprintf(text + n, sizeof text - (size_t)n, "name: a\ndef: \"%s\"\n", version);
    R1_ASSERT_OK(built(med_import_obo, &one, 1, &kb, &s), &err);
    CU_ASSERT_EQUAL(s.cut.n, 2);
    CU_ASSERT_EQUAL(strlen(med_str(kb, kb->source[0].version)), MED_SOURCE_MAX);
    CU_ASSERT_EQUAL(strlen(med_str(kb, kb->term[0].definition)), MED_DEFINITION_MAX);
    med_kb_free(kb);
    snprintf(text, sizeof text,
             "<r1-ontology version=\"1\" title=\"%s\" licence=\"%s\">"
             "<finding id=\"R1:1\" name=\"a\"/></r1-ontology>",
             version, version);
    R1_ASSERT_OK(built(med_import_own, &one, 1, &kb, &s), &err);
    CU_ASSERT_EQUAL(s.cut.n, 2);
    CU_ASSERT_EQUAL(strlen(med_str(kb, kb->source[0].licence)), MED_SOURCE_MAX);
    med_kb_free(kb);
}

static void test_sha256(void) /* FIPS 180-4 examples */
{
    static const uint8_t abc[4] = {0xba, 0x78, 0x16, 0xbf}, empty[4] = {0xe3, 0xb0, 0xc4, 0x42};
    uint8_t d[32];
    CU_ASSERT(med_sha256("abc", 3, d));
    CU_ASSERT_EQUAL(memcmp(d, abc, 4), 0);
    CU_ASSERT(med_sha256("", 0, d));
    CU_ASSERT_EQUAL(memcmp(d, empty, 4), 0);
}

static void test_real_files(void)
{
    const char *owl = r1_test_shared("data/medical/hp.owl.zst"),
               *hpoa = r1_test_shared("data/medical/phenotype.hpoa.gz"),
               *p4 = r1_test_shared("data/medical/orphadata/en_product4.xml.zst");
    if (!owl || !hpoa || !p4) return;
    const char *list[] = {owl, hpoa, p4};
    med_kb *kb = NULL;
    med_build_stats s;
    R1_ASSERT_OK(med_sources_build(list, 3, &kb, &s, &err), &err);
    CU_ASSERT(s.n_term > 18000 && s.n_profiled > 12000);
    CU_ASSERT_STRING_EQUAL(med_str(kb, kb->term[med_kb_term(kb, "HP:0001166", 10)].name),
                           "Arachnodactyly");
    med_kb_free(kb);
}

/* Every finding stands in one of the two shards, once, with its own name, the definition where
 * it has one, and each parent's name. */
static void test_text_shards(void)
{
    static const char *const part[] = {"train", "valid"};
    med_kb *kb = NULL;
    med_text_report rep;
    char dir[4200], path[4300];
    snprintf(dir, sizeof dir, "%s/terms", r1_test_tmpdir());
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_text_shards(kb, dir, &rep, &err), &err);
    uint8_t *seen = calloc(kb->n_term, 1);
    CU_ASSERT(rep.n_train + rep.n_valid == kb->n_term && rep.n_valid > 0 &&
              rep.n_valid < rep.n_train);
    for (int k = 0; k < 2; k++) {
        r1_shard *shard;
        snprintf(path, sizeof path, "%s/%s.r1s", dir, part[k]);
        R1_ASSERT_OK(r1_shard_open(&shard, path, &err), &err);
        CU_ASSERT_EQUAL(r1_shard_n_sample(shard), k ? rep.n_valid : rep.n_train);
        for (size_t i = 0; i < r1_shard_n_sample(shard); i++) {
            r1_item item[4];
            r1_sample x;
            R1_ASSERT_OK(r1_shard_get(shard, i, item, &x, &err), &err);
            const med_term *t = &kb->term[x.id];
            const char *name = med_str(kb, t->name), *definition = med_str(kb, t->definition);
            CU_ASSERT_EQUAL(seen[x.id]++, 0);
            CU_ASSERT(item[0].text_bytes == strlen(name) &&
                      memcmp(item[0].text, name, strlen(name)) == 0);
            CU_ASSERT_EQUAL(item[2].present, *definition != 0);
            if (item[2].present)
                CU_ASSERT_EQUAL(memcmp(item[2].text, definition, strlen(definition)), 0);
            CU_ASSERT_EQUAL(item[3].present, t->n_parent > 0);
            for (uint32_t p = 0; p < t->n_parent; p++) {
                const char *parent = med_str(kb, kb->term[kb->parent[t->parent_at + p]].name);
                CU_ASSERT_PTR_NOT_NULL(
                    memmem(item[3].text, item[3].text_bytes, parent, strlen(parent)));
            }
        }
        r1_shard_close(shard);
    }
    free(seen);
    CU_ASSERT_EQUAL(med_text_shards(kb, "/proc/none", &rep, &err), R1_E_IO);
    med_kb_free(kb);
}

static void finish_again(void *ctx)
{
    med_kb *kb = NULL;
    med_builder_finish(ctx, "again", &kb, NULL, NULL);
}

/* A builder renumbers its links when it finishes, so a second time is a fault of the caller. */
static void test_med_kb_finish_once(void)
{
    med_builder *b = NULL;
    med_kb *kb = NULL;
    R1_ASSERT_OK(med_builder_new(&b, &err), &err);
    R1_ASSERT_OK(med_builder_term(b, MED_TEXT("HP:1"), MED_TEXT("a"), MED_TEXT(""), false, &err),
                 &err);
    R1_ASSERT_OK(med_builder_finish(b, "once", &kb, NULL, &err), &err);
    CU_ASSERT(r1_test_breaks(finish_again, b, "makes one knowledge base"));
    med_kb_free(kb);
    med_builder_free(b);
}

R1_TEST_MAIN("medical knowledge base", {"schema", test_schema},
             {"round trip", test_med_kb_round_trip}, {"flipped bits", test_flipped_bits},
             {"no files", test_no_files}, {"older files", test_older_files},
             {"hostile xml", test_hostile_xml}, {"small formats", test_small_formats},
             {"cycle", test_cycle}, {"repeated definitions", test_repeated},
             {"long ids", test_long_ids}, {"long names", test_long_names},
             {"long texts", test_long_texts}, {"sha256", test_sha256},
             {"finish once", test_med_kb_finish_once}, {"real files", test_real_files},
             {"texts as shards", test_text_shards})
