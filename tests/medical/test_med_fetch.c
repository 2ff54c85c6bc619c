/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_fetch.c - fetching by a table of addresses: each file with date, length, sha256 and
 * licence in the manifest. A page that is no source, and a file that is not there, cost that file,
 * or the fetch where it is needed. What lay there before stays, and a file that was changed later
 * is told. Addresses are files of this machine. */
#include "ontology/med_fetch.h"
#include "ontology/med_kb_build.h"
#include "ontology/med_sources.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

static r1_err err;
static char origin[4200], folder[4300];

#define LICENCE "some licence"

static void put(const char *dir, const char *name, const char *text)
{
    char path[4400];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    R1_ASSERT_OK(r1_file_write(path, text, strlen(text), &err), &err);
}

static char *text_of(const char *dir, const char *name)
{
    char path[4400], *data = NULL;
    size_t len = 0;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return r1_file_read(path, 1u << 20, &data, &len, NULL) == R1_OK ? data : NULL;
}

static const char obo[] = "format-version: 1.2\ndata-version: one\n[Term]\nid: HP:0000118\nname: "
                          "Root\n[Term]\nid: HP:1\nname: A\nis_a: HP:0000118\n";
static const char hpoa[] =
    "database_id\tdisease_name\tqualifier\thpo_id\treference\tevidence\tonset\tfrequency\tsex\t"
    "modifier\taspect\tbiocuration\nOMIM:1\tOne\t\tHP:1\t\t\t\t\t\t\tP\t\n";

/* A table of rows "file need name-at-the-origin". */
static r1_status fetch_rows_of(const char *const (*row)[3], size_t n, med_fetched *got)
{
    char table[8192];
    size_t at =
        (size_t)snprintf(table, sizeof table, "# a comment\nfile\tneed\taddress\tlicence\n");
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(table + at, sizeof table - at, "%s\t%s\tfile://%s/%s\t" LICENCE "\n",
                               row[i][0], row[i][1], origin, row[i][2]);
    put(origin, "table.tsv", table);
    snprintf(table, sizeof table, "%s/table.tsv", origin);
    return med_fetch_table(table, folder, got, &err);
}

static void fetch_ready(const char *name)
{
    snprintf(origin, sizeof origin, "%s/%s.from", r1_test_tmpdir(), name);
    snprintf(folder, sizeof folder, "%s/%s.to", r1_test_tmpdir(), name);
    R1_ASSERT_OK(r1_mkdirs(origin, &err), &err);
    put(origin, "a.obo", obo);
    put(origin, "a.hpoa", hpoa);
    put(origin, "a.genes", "gene_symbol\tdisease_id\nAAA\tOMIM:1\n");
    put(origin, "page.html", "<html>404 Not Found</html>");
}

static void test_fetch_files(void)
{
    static const char *const rows[][3] = {{"hp.obo", "needed", "a.obo"},
                                          {"phenotype.hpoa", "needed", "a.hpoa"},
                                          {"genes_to_disease.txt", "optional", "a.genes"},
                                          {"mondo.obo", "optional", "page.html"},
                                          {"en_product4.xml", "optional", "nothing.xml"}};
    static med_fetched got;
    char problem[MED_FETCH_LINE_BYTES], hex[65], *manifest, expected[4600];
    uint8_t d[32];
    fetch_ready("files");
    R1_ASSERT_OK(fetch_rows_of(rows, R1_COUNT(rows), &got), &err);
    CU_ASSERT_EQUAL_FATAL(got.n_file, 3);
    CU_ASSERT_EQUAL_FATAL(got.n_failed, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(got.failed[0], "mondo.obo: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(got.failed[0], "what came is none of"));
    CU_ASSERT_PTR_NOT_NULL(strstr(got.failed[1], "en_product4.xml: "));
    CU_ASSERT_PTR_NULL(text_of(folder, "mondo.obo"));
    CU_ASSERT_PTR_NULL(text_of(folder, ".mondo.obo.part"));
    char *copied = text_of(folder, "hp.obo");
    CU_ASSERT_PTR_NOT_NULL_FATAL(copied);
    CU_ASSERT_STRING_EQUAL(copied, obo);
    free(copied);
    CU_ASSERT_PTR_NOT_NULL_FATAL(manifest = text_of(folder, MED_MANIFEST_NAME));
    CU_ASSERT(med_sha256(obo, sizeof obo - 1, d));
    for (size_t i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", d[i]);
    snprintf(expected, sizeof expected, "hp.obo\tfile://%s/a.obo\t", origin);
    CU_ASSERT_PTR_NOT_NULL(strstr(manifest, expected));
    snprintf(expected, sizeof expected, "Z\t%zu\t%s\t" LICENCE "\n", sizeof obo - 1, hex);
    CU_ASSERT_PTR_NOT_NULL(strstr(manifest, expected));
    free(manifest);
    R1_ASSERT_OK(med_manifest_check(folder, problem, &err), &err);
    CU_ASSERT_STRING_EQUAL(problem, "");
    /* What was fetched makes a knowledge base. */
    med_kb *kb = NULL;
    R1_ASSERT_OK(med_sources_open(&kb, folder, &err), &err);
    CU_ASSERT_EQUAL(kb->n_profiled, 1);
    CU_ASSERT_EQUAL_FATAL(kb->n_source, 3);
    for (uint32_t i = 0; i < kb->n_source; i++) { /* what states no version has the day it came */
        const char *version = med_str(kb, kb->source[i].version);
        bool own = strcmp(version, "one") == 0;
        CU_ASSERT(own || (strncmp(version, "fetched 2", 9) == 0 && strlen(version) == 18));
    }
    med_kb_free(kb);
    put(folder, "hp.obo", "format-version: 1.2\n");
    R1_ASSERT_OK(med_manifest_check(folder, problem, &err), &err);
    CU_ASSERT_PTR_NOT_NULL(strstr(problem, "hp.obo is not the file that was fetched"));
}

/* A needed file that fails ends the fetch; what was there before stays, with its manifest. */
static void test_fetch_fails(void)
{
    static const char *const good[][3] = {{"hp.obo", "needed", "a.obo"}};
    static const char *const page[][3] = {{"hp.obo", "needed", "page.html"}};
    static const char *const gone[][3] = {{"hp.obo", "needed", "nothing"}};
    static med_fetched got;
    char problem[MED_FETCH_LINE_BYTES];
    fetch_ready("fails");
    R1_ASSERT_OK(fetch_rows_of(good, 1, &got), &err);
    CU_ASSERT_EQUAL(fetch_rows_of(page, 1, &got), R1_E_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "hp.obo: "));
    CU_ASSERT_EQUAL(fetch_rows_of(gone, 1, &got), R1_E_IO);
    R1_ASSERT_OK(med_manifest_check(folder, problem, &err), &err);
    CU_ASSERT_STRING_EQUAL(problem, "");
    char *stays = text_of(folder, "hp.obo");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stays);
    CU_ASSERT_STRING_EQUAL(stays, obo);
    free(stays);
}

/* A table that could write elsewhere, or by another protocol, is refused before anything is run. */
static void test_fetch_tables(void)
{
    static const struct {
        const char *row, *said;
    } bad[] = {{"../x\tneeded\tfile:///x\tl", "plain name"},
               {".bashrc\tneeded\tfile:///x\tl", "plain name"},
               {"\tneeded\tfile:///x\tl", "plain name"},
               {"hp.obo\tperhaps\tfile:///x\tl", "needed or optional"},
               {"hp.obo\tneeded\t--output\tl", "http, https or file"},
               {"hp.obo\tneeded\tftp://x/y\tl", "http, https or file"},
               {"hp.obo\tneeded", "2 columns"},
               {"", "without a row"}};
    static med_fetched got;
    char table[4300];
    fetch_ready("tables");
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        char text[256];
        snprintf(text, sizeof text, "file\tneed\taddress\tlicence\n%s\n", bad[i].row);
        put(origin, "bad.tsv", text);
        snprintf(table, sizeof table, "%s/bad.tsv", origin);
        CU_ASSERT_EQUAL(med_fetch_table(table, folder, &got, &err), R1_E_FORMAT);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, bad[i].said));
    }
    /* The table that ships can be read: its first row is asked for, from nowhere. */
    char *ships = text_of(r1_test_source("ontology"), "sources.tsv");
    CU_ASSERT_PTR_NOT_NULL_FATAL(ships);
    CU_ASSERT_PTR_NOT_NULL(strstr(ships, "\nhp.json\tneeded\thttps://"));
    free(ships);
}

/* Manifests of a stranger. */
static void test_bad_manifests(void)
{
    static const char *const bad[] = {"file\n", "a\tb\tc\td\te\tf\n../x\tb\tc\td\te\tf\n",
                                      "a\tb\tc\td\te\tf\n.x\tb\tc\td\te\tf\n"};
    char problem[MED_FETCH_LINE_BYTES];
    fetch_ready("manifests");
    R1_ASSERT_OK(med_manifest_check(origin, problem, &err), &err);
    CU_ASSERT_STRING_EQUAL(problem, "");
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        put(origin, MED_MANIFEST_NAME, bad[i]);
        CU_ASSERT_EQUAL(med_manifest_check(origin, problem, &err), R1_E_FORMAT);
    }
    put(origin, MED_MANIFEST_NAME, "a\tb\tc\td\te\tf\ngone\tb\tc\td\te\tf\n");
    R1_ASSERT_OK(med_manifest_check(origin, problem, &err), &err);
    CU_ASSERT_STRING_EQUAL(problem, "gone cannot be read");
}

/* Of the HPO in several formats one stands. */
static void test_one_hpo(void)
{
    char *path[8];
    fetch_ready("one");
    put(origin, "hp.obo", obo);
    put(origin, "hp.owl", "x");
    size_t n = med_sources_list(origin, path, 8);
    CU_ASSERT_EQUAL_FATAL(n, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(path[0], "hp.obo"));
    free(path[0]);
    put(origin, "hp.json", "{\"graphs\":[]}");
    CU_ASSERT_EQUAL_FATAL(med_sources_list(origin, path, 8), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(path[0], "hp.json"));
    free(path[0]);
}

R1_TEST_MAIN("medical fetch", {"files", test_fetch_files}, {"failures", test_fetch_fails},
             {"tables", test_fetch_tables}, {"bad manifests", test_bad_manifests},
             {"one HPO", test_one_hpo})
