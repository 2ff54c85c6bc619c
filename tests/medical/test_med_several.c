/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_several.c - a record of several patients is said to be one, without their names; one of
 * a patient and relatives is not. */
#include "documents/med_document.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

static r1_err err;

static const char *several_note(const med_document *d)
{
    for (uint32_t i = 0; i < d->n_note; i++)
        if (strstr(d->note[i], "several patients")) return d->note[i];
    return NULL;
}

static void test_several(void)
{
    static const struct {
        const char *text, *says;
    } table[] = {
        {"DOB: 01/02/2010\nSeizures.\n\nDOB: 03/04/2011\nAtaxia.\n",
         "2 dates of birth, in lines 1 and 4"},
        {"Date of birth: 2 March 2010. Seizures.\nD.O.B. 5 May 2012. Ataxia.\n",
         "2 dates of birth"},
        {"MRN: 123456\nSeizures.\nMRN 654321\nAtaxia.\n", "2 record numbers, in lines 1 and 3"},
        {"Hospital number A123456\nSeizures\n\fHospital number B778899\nAtaxia\n",
         "2 record numbers"},
        {"Patient name: Anna Doe\nSeizures.\nPatient name: John Smith\nAtaxia.\n",
         "2 names, in lines 1 and 3"},
        {"Re: Anna DOE\nSeizures.\n\nRe: Peter Roe\nAtaxia.\n", "2 names"},
        {"Twin A: seizures.\nTwin B: ataxia.\n", "2 parts, in lines 1 and 2"},
        {"TWIN 1\nSeizures\nTWIN 2\nAtaxia\n", "2 parts"},
        {"Patient 1 - seizures\nPatient 2 - ataxia\n", "2 parts"},
        {"Case 1. A girl with seizures.\n\nCase 2. A boy with ataxia.\n", "2 parts"},
    };
    for (size_t i = 0; i < R1_COUNT(table); i++) {
        med_document d;
        const char *s = table[i].text;
        R1_ASSERT_OK(med_document_read(&d, "record", s, strlen(s), &err), &err);
        const char *note = several_note(&d);
        if (!note || !strstr(note, table[i].says))
            fprintf(stderr, "%s: %s\n", s, note ? note : "-");
        CU_ASSERT(note && strstr(note, table[i].says) != NULL);
        r1_status st = med_document_one_patient(&d, "record", ", or not", &err);
        CU_ASSERT_EQUAL(st, R1_E_FORMAT);
        CU_ASSERT(strstr(err.msg, table[i].says) && strstr(err.msg, "for each, or not"));
        CU_ASSERT(!note ||
                  (!strstr(note, "Doe") && !strstr(note, "1234") && !strstr(note, "2010")));
        med_document_free(&d);
    }
}

static void test_one(void)
{
    static const char *const texts[] = {
        "DOB: 01/02/2010\nSeizures.\n\nDate of birth: 1 Feb 2010. Ataxia.\n",
        "DOB: 2010-02-01\nSeizures.\nMother's DOB: 03/04/1980\n",
        "Name: Anna Doe\nRe: DOE, Anna\nPatient name: Miss A. Doe\nSeizures.\n",
        "MRN: 123456\nSeizures.\nMRN: 123456\nAtaxia.\n",
        "Name: Anna Doe\nGP name: Peter Roe\nDrug name: Sodium Valproate\n",
        "She is twin A. Twin B is well. Seizures.\n",
        "The patient 1 year ago had seizures.\nPatient 2 years old.\n",
        "DOB 01/02/2010, seen 03/04/2015. Seizures.\n",
        "Mother: DOB 01/02/1980. Father: DOB 03/04/1979. Seizures in the child.\n",
        "Re: seizures\nRe: ataxia\n"};
    for (size_t i = 0; i < R1_COUNT(texts); i++) {
        med_document d;
        R1_ASSERT_OK(med_document_read(&d, "record", texts[i], strlen(texts[i]), &err), &err);
        if (several_note(&d)) fprintf(stderr, "%s: %s\n", texts[i], several_note(&d));
        CU_ASSERT_PTR_NULL(several_note(&d));
        R1_ASSERT_OK(med_document_one_patient(&d, "record", "", &err), &err);
        med_document_free(&d);
    }
}

R1_TEST_MAIN("several patients", {"several", test_several}, {"one", test_one})
