/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_person.c - the patient's age and sex in small records (tests/medical/lines/person.tsv):
 * record, years within .3 or nothing where they must stay unknown, sex. */
#include "medical/read_lines.h"
#include "notes/med_notes.h"
#include "ontology/med_sources.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_err err;
static med_kb *kb;
static med_lexicon *lex;

static void person_open(void)
{
    if (kb) return;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&lex, kb, &err), &err);
}

/* A record, the years, the sex. */
static void check_person(char *line)
{
    static const char *const sexes[] = {
        [MED_SEX_UNKNOWN] = "unknown", [MED_SEX_FEMALE] = "female", [MED_SEX_MALE] = "male"};
    char *years = strchr(line, '\t'), *sex;
    CU_ASSERT_PTR_NOT_NULL_FATAL(years);
    *years++ = '\0';
    sex = strchr(years, '\t');
    CU_ASSERT_PTR_NOT_NULL_FATAL(sex);
    *sex++ = '\0';
    line[unescaped(line, strlen(line), line)] = '\0';
    med_notes n;
    R1_ASSERT_OK(med_notes_read(&n, lex, kb, "line", line, strlen(line), &err), &err);
    bool age = *years ? fabs((double)n.age_years - strtod(years, NULL)) <= .3 : isnan(n.age_years);
    if (!age || strcmp(sexes[n.sex], sex) != 0)
        fprintf(stderr, "\"%s\": expected %s %s, found %.2f %s\n", line, years, sex,
                (double)n.age_years, sexes[n.sex]);
    CU_ASSERT(age);
    CU_ASSERT_STRING_EQUAL(sexes[n.sex], sex);
    med_notes_free(&n);
}

static void check_file(const char *name)
{
    char *text, path[100];
    size_t len;
    int rows = 0;
    snprintf(path, sizeof path, "tests/medical/lines/%s.tsv", name);
    R1_ASSERT_OK(r1_file_read(r1_test_source(path), 1u << 20, &text, &len, &err), &err);
    for (char *s = text, *next; *s; s = next, rows++) {
        next = strchr(s, '\n');
        if (next)
            *next++ = '\0';
        else
            next = s + strlen(s);
        if (rows) check_person(s);
    }
    CU_ASSERT(rows > 20);
    free(text);
}

static void test_lines(void)
{
    person_open();
    check_file("person");
    check_file("sixth_people");
    check_file("seventh_people");
}

/* A decade of life is a range, and no age. */
static void test_decades(void)
{
    static const struct {
        const char *text;
        float low;
    } rows[] = {{"She is in her forties and has ptosis.", 40},
                {"A man in his late 60s with ptosis.", 60},
                {"A woman of 45, in her forties, with ptosis.", NAN},
                {"Her mother is in her forties. Ptosis.", NAN},
                {"Ptosis.", NAN}};
    person_open();
    for (size_t i = 0; i < R1_COUNT(rows); i++) {
        med_notes n;
        const char *text = rows[i].text;
        R1_ASSERT_OK(med_notes_read(&n, lex, kb, "line", text, strlen(text), &err), &err);
        bool none = isnan(rows[i].low);
        CU_ASSERT(none ? isnan(n.age_low) : n.age_low == rows[i].low && isnan(n.age_years));
        CU_ASSERT(none || n.age_high == rows[i].low + 9);
        med_notes_free(&n);
    }
}

/* Every way to write an age, for every number of it, alone and beside a relative's. */
static void test_ages(void)
{
    static const char *const forms[] = {
        "A %d-year-old girl has ptosis.",      "This is a %d yo girl with ptosis.",
        "A girl, aged %d, has ptosis.",        "A girl of the clinic. Age: %d years. Ptosis.",
        "Age (years): %d\nSex: F\nPtosis",     "Sex: female\tAge: %d\nPtosis",
        "She is %d years old and has ptosis.", "%dF with ptosis."};
    static const char *const others[] = {"", "Her mother, a 41-year-old woman, has ptosis. ",
                                         "Her 43-year-old father is healthy. "};
    char text[200], form[120];
    med_notes n;
    person_open();
    for (size_t o = 0; o < R1_COUNT(others); o++)
        for (size_t f = 0; f < R1_COUNT(forms); f++)
            for (int years = 1; years < 100; years++) {
                snprintf(text, sizeof text, "%s", others[o]);
                const char *hole = strstr(forms[f], "%d");
                snprintf(form, sizeof form, "%.*s%d%s", (int)(hole - forms[f]), forms[f], years,
                         hole + 2);
                strncat(text, form, sizeof text - strlen(text) - 1);
                R1_ASSERT_OK(med_notes_read(&n, lex, kb, "a", text, strlen(text), &err), &err);
                if ((int)lround((double)n.age_years) != years || n.sex != MED_SEX_FEMALE)
                    fprintf(stderr, "%s: %.1f\n", text, (double)n.age_years);
                CU_ASSERT_EQUAL((int)lround((double)n.age_years), years);
                CU_ASSERT_EQUAL(n.sex, MED_SEX_FEMALE);
                med_notes_free(&n);
            }
}

/* The date of birth: whole where day and month are sure, the year alone where they are not. */
static void test_born(void)
{
    static const struct {
        const char *text, *born;
    } rows[] = {{"DOB: 2009-03-17. A boy.", "2009-03-17"},
                {"Date of birth: 17/03/2009. A boy.", "2009-03-17"},
                {"DOB 03/17/2009. A boy.", "2009-03-17"},
                {"Born on 4 March 2009. A boy.", "2009-03-04"},
                {"DOB: 04/03/2009. A boy.", "2009"},
                {"DOB: 05/05/2009. A boy.", "2009-05-05"},
                {"Seen on 17/03/2009. A boy.", ""},
                {"A boy of 4 years.", ""}};
    person_open();
    for (size_t i = 0; i < R1_COUNT(rows); i++) {
        med_notes n;
        const char *text = rows[i].text;
        R1_ASSERT_OK(med_notes_read(&n, lex, kb, "line", text, strlen(text), &err), &err);
        if (strcmp(n.born, rows[i].born) != 0) printf("%s: \"%s\"\n", text, n.born);
        CU_ASSERT_STRING_EQUAL(n.born, rows[i].born);
        med_notes_free(&n);
    }
}

R1_TEST_MAIN("person", {"born", test_born}, {"lines", test_lines}, {"decades", test_decades},
             {"ages", test_ages})
