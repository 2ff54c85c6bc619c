/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_names.c - every name of the knowledge base is found, by itself and by the beginnings of
 * its words, and so is what a plain walk over all names finds. */
#include "ontology/med_names.h"
#include "ontology/med_sources.h"
#include "support/r1_test.h"

#include <ctype.h>
#include <string.h>

static r1_err err;
static med_kb *kb;
static med_names *names;

static void names_open(void)
{
    if (kb) return;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_names_new(&names, kb, &err), &err);
}

static void test_names_found(void)
{
    names_open();
    for (uint32_t t = 0; t < kb->n_term; t++) {
        const char *s = med_str(kb, kb->term[t].name);
        char loud[1200];
        bool several;
        if (!(kb->term[t].flags & MED_TERM_PHENOTYPE)) continue;
        size_t n = (size_t)snprintf(loud, sizeof loud, "  %s. ", s);
        for (size_t i = 0; i < n; i++) loud[i] = (char)toupper((unsigned char)loud[i]);
        CU_ASSERT_EQUAL(med_names_find(names, loud, n, &several), t);
        CU_ASSERT_FALSE(several);
    }
    CU_ASSERT_EQUAL(med_names_find(names, "no such finding", 15, NULL), MED_NONE);
    CU_ASSERT_EQUAL(med_names_find(names, "", 0, NULL), MED_NONE);
}

static void test_names_search(void)
{
    med_name_hit hit[MED_HITS_SHOWN_MAX + 10];
    names_open();
    for (uint32_t t = 0; t < kb->n_term; t++) {
        const char *s = med_str(kb, kb->term[t].name);
        if (!(kb->term[t].flags & MED_TERM_PHENOTYPE)) continue;
        uint32_t n = med_names_search(names, s, strlen(s), hit, 1);
        CU_ASSERT(n == 1 && hit[0].term == t && hit[0].label);
    }
    uint32_t n = med_names_search(names, "ect len", 7, hit, 5);
    CU_ASSERT(n >= 1 && strcmp(hit[0].text, "Ectopia lentis") == 0);
    n = med_names_search(names, "len ect", 7, hit, 5);
    CU_ASSERT(n >= 1 && strcmp(hit[0].text, "Ectopia lentis") == 0);
    n = med_names_search(names, "a", 1, hit, R1_COUNT(hit));
    CU_ASSERT(n > 1 && n <= MED_HITS_SHOWN_MAX);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < i; k++) CU_ASSERT_NOT_EQUAL(hit[i].term, hit[k].term);
    CU_ASSERT_EQUAL(med_names_search(names, "", 0, hit, 5), 0);
    CU_ASSERT_EQUAL(med_names_search(names, "\xff\xfe(", 3, hit, 5), 0);
    CU_ASSERT_EQUAL(med_names_search(names, "HP:0001083", 10, hit, 5), 1);
    CU_ASSERT_STRING_EQUAL(hit[0].text, "Ectopia lentis");
}

R1_TEST_MAIN("names", {"every name is found", test_names_found},
             {"search by words", test_names_search})
