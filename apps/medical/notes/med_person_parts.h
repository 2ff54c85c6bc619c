/* SPDX-License-Identifier: Apache-2.0 */
/* med_person_parts.h - what the readers of age and sex share: the words of a sentence and what was
 * found so far. Private to med_person.c and med_person_sex.c. */
#ifndef MED_PERSON_PARTS_H
#define MED_PERSON_PARTS_H

#include "notes/med_record.h"

enum { PERSON_TOKENS = 400, PERSON_SENTENCES = 200, PERSON_WORD = 24 };
enum { WEAK = 1, STATED = 3, FIELD = 4 };

typedef struct {
    char word[PERSON_WORD];    /* in lower case; "" for a number or a mark */
    char key[PERSON_WORD + 2]; /* the word between blanks, as lists have it */
    double value;              /* NaN: no number */
    char mark;
    bool joined;  /* no blank before it */
    bool capital; /* its first letter was one */
} person_token;

typedef struct {
    double year, month, day; /* year NaN: no date */
    bool sure;               /* day and month are not interchangeable */
} person_day;

typedef enum { WHO_NOBODY, WHO_PATIENT, WHO_WOMAN, WHO_MAN, WHO_KIN, WHO_OFFICE } person_who;

typedef struct {
    person_token t[PERSON_TOKENS];
    uint32_t n;
    int age_weight, sex_weight;
    double age;
    bool age_dated; /* it is that of a dated visit */
    med_sex sex;
    uint32_t he, she; /* the patient's pronouns */
    person_who spoke; /* of whom the sentence before spoke last */
    med_sex own;      /* of the patient, as "her" or "his" before that relative says it */
    uint32_t since;   /* sentences since they were named */
    double low, high; /* years that a decade of life leaves open; NaN: none is said */
    person_day born;
    double seen; /* a date in years; NaN: none */
} person;

/* Token i is that word, is among words (" a b ", blanks around each), is one of those marks. */
bool person_is(const person *p, uint32_t i, const char *word);
bool person_in(const person *p, uint32_t i, const char *words);
bool person_mark(const person *p, uint32_t i, const char *marks);
/* Heavier statements stand, the first of equal ones. */
void person_set_sex(person *p, med_sex sex, int weight);
/* Titles and pronouns of a sentence. Those of relatives and of who writes, refers or treats count
 * for nothing. */
void person_find_pronouns(person *p);
/* Whether the sentence begins with the pronoun of a relative of whom the one before spoke. */
bool person_goes_on(const person *p);

#endif
