/* SPDX-License-Identifier: Apache-2.0 */
/* med_person.c - the patient's age and sex, as the record tells them. What is told of somebody else
 * ("his mother, a 34-year-old woman") counts for nothing, and what nobody tells stays unknown.
 *
 * Each statement has a weight: a field of a form weighs more than a noun, a noun more than a
 * pronoun. The heaviest decides, the first of equal ones. */
#include "notes/med_person_parts.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- tokens ---------------------------------------------------------------------------------- */

bool person_is(const person *p, uint32_t i, const char *word)
{
    return i < p->n && strcmp(p->t[i].word, word) == 0;
}

bool person_in(const person *p, uint32_t i, const char *words)
{
    if (i >= p->n || !p->t[i].word[0]) return false;
    return strstr(words, p->t[i].key) != NULL;
}

bool person_mark(const person *p, uint32_t i, const char *marks)
{
    return i < p->n && p->t[i].mark && strchr(marks, p->t[i].mark);
}

static bool person_number(const person *p, uint32_t i) { return i < p->n && !isnan(p->t[i].value); }

static double number_word(const char *w)
{
    static const char *const ones[] = {"zero",    "one",     "two",       "three",    "four",
                                       "five",    "six",     "seven",     "eight",    "nine",
                                       "ten",     "eleven",  "twelve",    "thirteen", "fourteen",
                                       "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
    static const char *const tens[] = {"twenty", "thirty",  "forty",  "fifty",
                                       "sixty",  "seventy", "eighty", "ninety"};
    if (!strchr("zotfsen", w[0])) return NAN; /* as none of them begins */
    for (size_t i = 0; i < R1_COUNT(ones); i++)
        if (strcmp(w, ones[i]) == 0) return (double)i;
    for (size_t i = 0; i < R1_COUNT(tens); i++)
        if (strcmp(w, tens[i]) == 0) return (double)(20 + 10 * i);
    return NAN;
}

/* "11.08.1979", "08.1979": the dots of a date are no decimal points. */
static bool person_dotted_date(const char *s, const char *end)
{
    const char *last = s;
    int dots = 0;
    for (; s < end && (isdigit((unsigned char)*s) || *s == '.'); s++)
        if (*s == '.' && s + 1 < end && isdigit((unsigned char)s[1])) dots++, last = s + 1;
    bool year = s - last >= 4 && (memcmp(last, "19", 2) == 0 || memcmp(last, "20", 2) == 0);
    return dots == 2 || (dots == 1 && year);
}

static size_t person_take_number(const char *s, const char *end, person_token *t)
{
    char text[24];
    size_t n = 0;
    bool date = person_dotted_date(s, end);
    while (s + n < end && n < sizeof text - 1 &&
           (isdigit((unsigned char)s[n]) || (!date && (s[n] == '.' || s[n] == ',') &&
                                             s + n + 1 < end && isdigit((unsigned char)s[n + 1]))))
        text[n] = s[n] == ',' ? '.' : s[n], n++;
    text[n] = '\0';
    t->value = strtod(text, NULL);
    return n;
}

static size_t person_take(const char *s, const char *end, person_token *t)
{
    static const struct {
        const char *sign;
        double value;
    } parts[] = {{"\xc2\xbd", .5}, {"\xc2\xbc", .25}, {"\xc2\xbe", .75}};
    size_t n = 0;
    *t = (person_token){.value = NAN, .capital = isupper((unsigned char)*s)};
    if (isdigit((unsigned char)*s)) return person_take_number(s, end, t);
    bool venus = end - s >= 3 && memcmp(s, "\xe2\x99\x80", 3) == 0;
    if (venus || (end - s >= 3 && memcmp(s, "\xe2\x99\x82", 3) == 0)) {
        memcpy(t->word, venus ? "f" : "m", 2);
        memcpy(t->key, venus ? " f " : " m ", 4);
        t->capital = true;
        return 3;
    }
    for (size_t i = 0; i < R1_COUNT(parts); i++)
        if (end - s >= 2 && memcmp(s, parts[i].sign, 2) == 0) {
            t->value = parts[i].value;
            return 2;
        }
    while (s + n < end && isalpha((unsigned char)s[n])) n++;
    if (n == 0) {
        t->mark = *s;
        return 1;
    }
    size_t kept = n < PERSON_WORD - 1 ? n : PERSON_WORD - 1;
    for (size_t i = 0; i < kept; i++) t->word[i] = (char)tolower((unsigned char)s[i]);
    t->key[0] = t->key[kept + 1] = ' ';
    memcpy(t->key + 1, t->word, kept);
    t->value = number_word(t->word);
    return n;
}

static void person_read(person *p, const char *s, const char *end)
{
    bool blank = true;
    p->n = 0;
    while (s < end && p->n < PERSON_TOKENS) {
        if (strchr(" \t\r\n", *s)) {
            if (*s == '\t' && p->n) p->t[p->n++] = (person_token){.value = NAN, .mark = '|'};
            blank = true;
            s++;
            continue;
        }
        if ((unsigned char)*s >= 128) {
            med_char x = med_char_at(s, 0, (uint32_t)(end - s));
            bool gap = x.kind == MED_CHAR_BLANK, dash = x.kind == MED_CHAR_MARK && x.mark == '-';
            if (gap || dash || x.kind == MED_CHAR_NOTHING) {
                if (dash)
                    p->t[p->n++] = (person_token){.value = NAN, .mark = '-', .joined = !blank};
                blank = gap || (blank && !dash);
                s += x.len;
                continue;
            }
        }
        person_token *t = &p->t[p->n++];
        s += person_take(s, end, t);
        t->joined = !blank;
        blank = false;
    }
}

/* ---- numbers and durations ------------------------------------------------------------------- */

/* "hundred" and the "and" behind it, divided by blanks or hyphens; *k: behind them. */
static bool person_hundred(const person *p, uint32_t *k)
{
    uint32_t i = *k + person_mark(p, *k, "-");
    if (!person_is(p, i, "hundred")) return false;
    *k = ++i;
    i += person_mark(p, i, "-");
    if (!person_is(p, i, "and")) return true;
    i++;
    i += person_mark(p, i, "-");
    if (person_number(p, i)) *k = i;
    return true;
}

/* 4, 2.5, 2 1/2, 2 and a half, thirty-four, 14 9/12, 7;6. *next: behind it. NaN: none. */
static double person_quantity(const person *p, uint32_t i, uint32_t *next)
{
    if (!person_number(p, i)) return NAN;
    double v = p->t[i].value;
    uint32_t k = i + 1;
    if (p->t[i].word[0] && v < 10 && person_hundred(p, &k)) v *= 100;
    if (p->t[i].word[0] && v >= 100 && person_number(p, k) && p->t[k].word[0]) v += p->t[k++].value;
    uint32_t ones = k + person_mark(p, k, "-");
    if (p->t[i].word[0] && v >= 20 && person_number(p, ones) && p->t[ones].word[0] &&
        p->t[ones].value < 10 && p->t[ones].value > 0)
        v += p->t[ones].value, k = ones + 1;
    if (person_number(p, k) && p->t[k].joined && p->t[k].value < 1 && !p->t[k].word[0])
        v += p->t[k++].value; /* 2½ */
    else if (person_number(p, k) && person_mark(p, k + 1, "/") && person_number(p, k + 2) &&
             p->t[k + 2].value > p->t[k].value)
        v += p->t[k].value / p->t[k + 2].value, k += 3;
    else if (person_mark(p, k, ";") && p->t[k].joined && person_number(p, k + 1) &&
             p->t[k + 1].joined && p->t[k + 1].value < 12)
        v += p->t[k + 1].value / 12, k += 2;
    else if (person_is(p, k, "and") && person_is(p, k + 1, "a") && person_is(p, k + 2, "half"))
        v += .5, k += 3;
    else if (person_is(p, k, "and") && person_is(p, k + 1, "a") && person_is(p, k + 2, "quarter"))
        v += .25, k += 3;
    else if (person_mark(p, k, "-") && person_is(p, k + 1, "and") && person_mark(p, k + 2, "-") &&
             person_is(p, k + 3, "a") && person_mark(p, k + 4, "-") && person_is(p, k + 5, "half"))
        v += .5, k += 6;
    *next = k;
    return v;
}

/* The years of a unit; 0: the word is none. */
static double person_unit(const person *p, uint32_t i)
{
    if (person_in(p, i, " year years yr yrs y yo ")) return 1;
    if (person_in(p, i, " month months mo mos mth mths m mon ")) return 1.0 / 12;
    if (person_in(p, i, " week weeks wk wks w ")) return 7 / 365.25;
    if (person_in(p, i, " day days d ")) return 1 / 365.25;
    return 0;
}

/* 6/12 are months, 3/52 weeks, 4/7 days: a British hand. */
static double person_fraction(const person *p, uint32_t i, uint32_t *next)
{
    if (!person_number(p, i) || !person_mark(p, i + 1, "/") || !person_number(p, i + 2)) return NAN;
    double of = p->t[i + 2].value, v = p->t[i].value;
    *next = i + 3;
    return of == 12 ? v / 12 : of == 52 ? v * 7 / 365.25 : of == 7 ? v / 365.25 : NAN;
}

/* A quantity and its unit, and a smaller one behind it: 3 y 6 m, 3 years and 6 months. */
static double person_duration(const person *p, uint32_t i, uint32_t *next)
{
    uint32_t k = i, more;
    double v = person_quantity(p, i, &k), unit;
    if (isnan(v)) return NAN;
    if (person_mark(p, k, "-")) k++;
    if ((unit = person_unit(p, k)) == 0) return NAN;
    v *= unit;
    *next = ++k;
    if (person_mark(p, k, ",") || person_is(p, k, "and")) k++;
    double rest = person_quantity(p, k, &more);
    if (isnan(rest)) return v;
    if (person_mark(p, more, "-")) more++;
    double small = person_unit(p, more);
    if (small == 0 || small >= unit) return v;
    *next = more + 1;
    return v + rest * small;
}

/* ---- whose ----------------------------------------------------------------------------------- */

static const char kin[] = " mother father mom mum mama dad parent parents brother brothers sister "
                          "sisters sibling siblings uncle aunt cousin grandmother grandfather "
                          "grandparent wife husband partner niece nephew twin stepmother donor "
                          "fetus foetus ";
static const char female[] = " girl woman lady female daughter schoolgirl ";
static const char male[] = " boy man gentleman male son schoolboy ";

/* Whether token i stands in what is said of a relative: "his mother is a ...", "the mother, a ...",
 * "a ... old brother". */
static bool person_of_other(const person *p, uint32_t from, uint32_t to)
{
    for (uint32_t k = from; k-- > 0 && from - k <= 10;) {
        if (person_in(p, k, kin)) return true;
        if (!person_in(p, k, " is was a an the aged now then who old healthy ") &&
            !person_mark(p, k, ",(-") && !person_number(p, k) && person_unit(p, k) == 0)
            break;
    }
    for (uint32_t k = to, words = 0; k < p->n && words < 5; k++) {
        if (person_in(p, k, kin)) return true;
        if (person_in(p, k, female) || person_in(p, k, male)) break;
        if (person_mark(p, k, ",.;:(")) break;
        if (person_in(p, k, " with who presented was is has had and presents brought here seen "))
            break;
        words += p->t[k].word[0] != '\0';
    }
    return false;
}

static const char children[] = " daughter son daughters sons child baby infant boy girl born ";

/* Whether what stands at i is a parent's or a child's of the patient: "the daughter of a 45-year-
 * man", "his 9-year-old daughter". to: behind the age or noun. */
static bool person_of_parent(const person *p, uint32_t i, uint32_t to)
{
    for (uint32_t k = i; k-- > 1 && i - k <= 8;) {
        if (person_in(p, k, " of to "))
            return person_in(p, k + 1, " a an the ") && person_in(p, k - 1, children);
        if (!person_in(p, k, " a an the year years month months old healthy young ") &&
            !person_mark(p, k, "-") && !person_number(p, k))
            break;
    }
    while (person_mark(p, to, "-")) to++;
    return i && person_is(p, i - 1, "his") && person_in(p, to, " daughter son ");
}

void person_set_sex(person *p, med_sex sex, int weight)
{
    if (weight <= p->sex_weight) return;
    p->sex = sex;
    p->sex_weight = weight;
}

static void person_set_age(person *p, double years, int weight)
{
    if (weight <= p->age_weight || !(years < 120)) return;
    p->age = years;
    p->age_weight = weight;
}

/* A noun or letter of a sex within the next words: "old white male infant", "y/o F". */
static void person_sex_after(person *p, uint32_t i)
{
    for (uint32_t k = i, words = 0; k < p->n && words < 4; k++) {
        if (person_in(p, k, female)) person_set_sex(p, MED_SEX_FEMALE, STATED);
        if (person_in(p, k, male)) person_set_sex(p, MED_SEX_MALE, STATED);
        if (k == i && person_is(p, k, "f")) person_set_sex(p, MED_SEX_FEMALE, STATED);
        if (k == i && person_is(p, k, "m")) person_set_sex(p, MED_SEX_MALE, STATED);
        if (person_mark(p, k, ",.;:(|") || person_in(p, k, " with who presented whose ")) break;
        words += p->t[k].word[0] != '\0';
    }
}

/* ---- statements ------------------------------------------------------------------------------ */

enum { SHORT_REACH = 8, BOXES_REACH = 12 /* tokens */ };

/* "old", "y/o", "y.o.", "yo" or nothing but the letter of a sex behind a duration; returns where it
 * ends, 0: the duration is no age. */
static uint32_t person_old(const person *p, uint32_t next)
{
    uint32_t k = next;
    bool years = person_in(p, k - 1, " y yo ");
    if (person_is(p, k - 1, "yo")) return k;
    if (years && person_mark(p, k, "/.") && person_is(p, k + 1, "o"))
        return k + 2 + person_mark(p, k + 2, ".");
    if (person_mark(p, k, "-")) k++;
    if (person_is(p, k, "old")) return k + 1;
    if (person_in(p, k, " f m female male girl boy man woman ")) return k;
    return 0;
}

/* An age behind "age" or "aged": with a unit, as a fraction, or in years. */
static double person_age_value(const person *p, uint32_t i, uint32_t *next)
{
    double v = person_fraction(p, i, next);
    if (isnan(v)) v = person_duration(p, i, next);
    if (isnan(v)) v = person_quantity(p, i, next);
    return v;
}

/* "Her late father choked to death aged 40": a relative and a death stand before token i. */
static bool person_of_dead(const person *p, uint32_t i)
{
    bool other = false, died = false;
    for (uint32_t k = 0; k < i; k++) {
        other |= person_in(p, k, kin);
        died |= person_in(p, k, " died death dead killed deceased passed dying ");
    }
    return other && died;
}

static const char visits[] = " seen reviewed review visit clinic date examined assessed ";

/* "aged 34", "Age: 4 years", "Age (years): 4", "age at examination 4 y". "Age at onset" is none. */
static void person_find_aged(person *p, uint32_t i)
{
    uint32_t k = i + 1, next;
    bool field = false;
    if (person_is(p, k, "at")) {
        if (!person_in(p, k + 1,
                       " examination exam evaluation assessment visit review referral "
                       "last investigation "))
            return;
        for (k += 2;
             person_in(p, k, " visit examination follow up evaluation ") || person_mark(p, k, "-");)
            k++;
    }
    if (person_is(p, i, "age") && i &&
        person_in(p, i - 1,
                  " gestational bone mental since "
                  "maternal paternal from until by "))
        return;
    if (person_is(p, i, "age") && i && person_in(p, i - 1, " at the ")) return;
    if (person_mark(p, k, "(") && person_unit(p, k + 1) > 0 && person_mark(p, k + 2, ")")) {
        double v = person_quantity(p, k + 3 + person_mark(p, k + 3, ":|=-"), &next);
        if (!isnan(v)) person_set_age(p, v * person_unit(p, k + 1), FIELD);
        return;
    }
    if (person_in(p, k, " now today currently ") && person_mark(p, k + 1, ":")) k++;
    while (person_mark(p, k, ":|=-?") || (person_is(p, k, "a") && person_mark(p, k + 1, ":")))
        field = true, k++;
    double v = person_age_value(p, k, &next);
    if (isnan(v) || person_of_other(p, i, next) || person_of_dead(p, i)) return;
    /* "Seen 14/05/2019 (age 3)": of several visits the last one counts */
    bool dated = !field && person_mark(p, i - 1, "(") && person_in(p, 0, visits);
    if (dated && p->age_dated && v > p->age) p->age_weight = 0;
    p->age_dated |= dated && p->age_weight < STATED;
    person_set_age(p, v, field ? FIELD : STATED);
}

/* "35M with ...": the letter is no month. */
static bool person_find_letter(person *p, uint32_t i)
{
    uint32_t k = i + 1;
    if (k >= p->n || !p->t[k].joined || !p->t[k].capital || !person_in(p, k, " f m ")) return false;
    bool goes_on = person_mark(p, k + 1, "-/") ||
                   (person_mark(p, k + 1, ".") && k + 2 < p->n && p->t[k + 2].joined);
    if (p->t[i].value < 1 || person_is(p, k + 1, "old") || goes_on) return false;
    bool dash = i && person_mark(p, i - 1, "-") && !p->t[i].joined; /* "NEW PATIENT - 31F" */
    if (i && !dash && !person_mark(p, i - 1, ".,:;(") &&
        !person_in(p, i - 1, " a an pt patient this "))
        return false;
    person_set_age(p, p->t[i].value, STATED);
    person_set_sex(p, person_is(p, k, "f") ? MED_SEX_FEMALE : MED_SEX_MALE, STATED);
    return true;
}

/* "Patient: male, 17 yrs", "RE: Amelia, 3 years": an age that stands alone behind a comma, after a
 * noun of a sex or the name that a letter is about. */
static bool person_after_name(const person *p, uint32_t i)
{
    /* "Liam (9 mths) has been unwell" */
    if (i == 2 && person_mark(p, 1, "(") && p->t[0].capital && !person_in(p, 0, kin)) return true;
    if (i == 1 && person_is(p, 0, "patient")) return true;
    if (i < 2 || !person_mark(p, i - 1, ",")) return false;
    bool article = person_in(p, 0, " the this our a ");
    if (i == 2u + article && person_in(p, article, " male female man woman boy girl lady "))
        return true;
    bool about = person_in(p, 0, " re patient regarding child baby name pt infant ") &&
                 person_mark(p, 1, ":");
    return about && i <= 8;
}

/* Where the name that ends before token i begins; i: there is none. */
static uint32_t person_name_start(const person *p, uint32_t i)
{
    uint32_t k = i;
    while (k && i - k < 4 &&
           ((p->t[k - 1].capital && p->t[k - 1].word[0]) ||
            (person_mark(p, k - 1, ".") && k > 1 && p->t[k - 2].capital)))
        k--;
    return k;
}

/* A title, a child or who a letter is about before the name that begins at k. */
static bool person_is_named(const person *p, uint32_t k)
{
    if (person_in(p, k, " mr mrs ms miss master ")) return true;
    while (k && person_mark(p, k - 1, ".:,(")) k--;
    return k && person_in(p, k - 1, " son daughter boy girl mr mrs ms miss master re patient ");
}

/* "Mr Collins (52)", "your son Jakob (4 9/12)", "Ms R, 24, was brought": an age behind a name. */
static bool person_beside_name(const person *p, uint32_t i, uint32_t next)
{
    bool brackets = i && person_mark(p, i - 1, "(") && person_mark(p, next, ")");
    if (!brackets && !(i && person_mark(p, i - 1, ",") && person_mark(p, next, ",)"))) return false;
    uint32_t name = person_name_start(p, i - 1);
    if (name == i - 1 || !person_is_named(p, name) || person_of_other(p, i, next)) return false;
    for (uint32_t k = 0; k < name; k++)
        if (person_in(p, k, kin) || person_in(p, k, " dr dear his her their ")) return false;
    return true;
}

/* "She is 8 and", "my daughter Ella is now 8": who is of that age; years where no unit stands. */
static bool person_is_years(const person *p, uint32_t i, uint32_t next)
{
    uint32_t k = i;
    bool ends = next >= p->n || person_mark(p, next, ".,;") || person_is(p, next, "and");
    while (k && person_in(p, k - 1, " now currently just nearly almost ")) k--;
    if (!k || !person_is(p, k - 1, "is") || !ends || p->t[i].value < 1) return false;
    uint32_t name = person_name_start(p, k - 1);
    if (person_in(p, k - 2, " he she who ")) return k == 2 || person_is(p, k - 2, "who");
    if (name && person_in(p, name - 1, " son daughter boy girl patient ")) return true;
    return k >= 2 && person_in(p, k - 2, " son daughter boy girl patient ");
}

/* Whether a noun of a sex stands before token `to`, and no relative and no other child. */
static bool person_noun_before(const person *p, uint32_t to)
{
    bool noun = false;
    for (uint32_t k = 0; k < to; k++) {
        if (person_in(p, k, kin) || person_in(p, k, " previous first another other last ") ||
            person_mark(p, k, ".;"))
            return false;
        noun |= person_in(p, k, female) || person_in(p, k, male);
    }
    return noun;
}

static void person_find_age(person *p, uint32_t i)
{
    uint32_t next = i;
    if (person_find_letter(p, i)) return;
    double years = person_quantity(p, i, &next);
    bool whole = years >= 1 && years <= 110 && !person_of_other(p, i, next);
    if (whole && (person_beside_name(p, i, next) || person_is_years(p, i, next)))
        person_set_age(p, years, WEAK + 1);
    double v = person_fraction(p, i, &next);
    if (isnan(v) || !person_is(p, next, "old")) v = person_duration(p, i, &next);
    if (isnan(v)) return;
    uint32_t old = person_is(p, next, "old") ? next + 1 : person_old(p, next);
    if (old) {
        if (person_of_other(p, i, old) || person_of_parent(p, i, old)) return;
        person_set_age(p, v, STATED);
        person_sex_after(p, old);
        return;
    }
    bool of_age = person_is(p, next, "of") && person_is(p, next + 1, "age");
    bool now = i && person_in(p, i - 1, " is now currently ");
    if (of_age && now && !person_of_other(p, i, next + 2)) person_set_age(p, v, STATED);
    if (now && person_mark(p, next, ".,;") && !person_of_other(p, i, next))
        person_set_age(p, v, STATED);
    if (person_after_name(p, i) && (next == p->n || person_mark(p, next, ".,;()")))
        person_set_age(p, v, STATED);
    if (person_beside_name(p, i, next)) person_set_age(p, v, STATED);
    /* "now, at 14 years 1 month:", "a girl I saw - 15 months, ..." */
    bool at = i && person_is(p, i - 1, "at");
    if (at && i > 1 && person_is(p, i - 2 - person_mark(p, i - 2, ","), "now"))
        person_set_age(p, v, STATED);
    bool dash = i && person_mark(p, i - 1, "-") && !p->t[i].joined;
    if (dash && person_mark(p, next, ",") && person_noun_before(p, i - 1))
        person_set_age(p, v, WEAK + 1);
    if (at && i > 1 && person_is(p, i - 2, "died") && person_noun_before(p, i - 2))
        person_set_age(p, v, WEAK);
    /* "At 3 years he has ...": the age of what is told, where nothing else is said. */
    uint32_t subject = next + (of_age ? 2 : 0);
    if (person_mark(p, subject, ",")) subject++;
    if (i == 1 && person_is(p, 0, "at") && person_in(p, subject, " he she ") &&
        person_in(p, subject + 1, " has is "))
        person_set_age(p, v, WEAK);
}

/* "Sex: M", "Gender | female", "Sex F". */
static void person_find_sex_field(person *p, uint32_t i)
{
    uint32_t k = i + 1;
    while (person_mark(p, k, ":|=-")) k++;
    /* "[ ] M  [x] F": the box that is ticked stands before its word */
    for (uint32_t j = k; j + 3 < p->n && j < k + BOXES_REACH; j++)
        if (person_mark(p, j, "[(") && person_is(p, j + 1, "x") && person_mark(p, j + 2, "])"))
            k = j + 3;
    /* "M / F (circled F)": what is said of both */
    if (person_in(p, k, " f m male female ") && person_mark(p, k + 1, "/") &&
        person_in(p, k + 2, " f m male female ")) {
        uint32_t j = k + 3;
        while (j < p->n && j < k + BOXES_REACH &&
               !person_in(p, j, " circled ticked underlined selected marked "))
            j++;
        k = j + 1 < p->n && j < k + BOXES_REACH ? j + 1 + person_mark(p, j + 1, ":") : p->n;
    }
    if (person_in(p, k, " f female girl woman w ")) person_set_sex(p, MED_SEX_FEMALE, FIELD);
    if (person_in(p, k, " m male boy man ")) person_set_sex(p, MED_SEX_MALE, FIELD);
}

static void person_find_noun(person *p, uint32_t i)
{
    bool f = person_in(p, i, female), m = person_in(p, i, male);
    if ((!f && !m) || person_of_other(p, i, i + 1)) return;
    bool child = person_in(p, i, " son daughter "), brought = false;
    for (uint32_t k = 0; k < i; k++) brought |= person_in(p, k, " brought brings bringing ");
    if (person_of_parent(p, i, i + 1)) return;
    for (uint32_t k = i; child && !brought && k-- > 0 && i - k <= 6;) {
        if (person_is(p, k, "his")) return; /* a man's child is a relative */
        for (uint32_t j = 1; j < k && person_is(p, k, "her"); j++)
            if (person_in(p, j, " mrs ms miss woman lady ") &&
                person_in(p, j - 1, " saw see seeing met reviewed reviewing examined assessed "))
                return; /* and so is a woman's who was seen herself */
        if (!person_number(p, k) && !person_mark(p, k, "-") && !person_unit(p, k) &&
            !person_in(p, k, " old eldest older younger young "))
            break;
    }
    person_set_sex(p, f ? MED_SEX_FEMALE : MED_SEX_MALE, child && !brought ? WEAK : WEAK + 1);
}

/* "A boy of nine years", "a girl of eleven with ...": an age behind a noun of a person. */
static void person_find_of_age(person *p, uint32_t i)
{
    static const char whose[] =
        " boy girl man woman child lady gentleman male female patient infant "
        "baby youth ";
    uint32_t next = 0;
    if (!person_in(p, i, whose) || !person_is(p, i + 1, "of") || person_of_other(p, i, i + 2))
        return;
    double v = person_duration(p, i + 2, &next);
    bool gestation = person_in(p, next, " gestation gestational pregnancy ");
    if (!isnan(v) && !gestation && !(person_in(p, next - 1, " weeks week wk wks ") && v > .4)) {
        person_set_age(p, v, STATED);
        return;
    }
    v = person_quantity(p, i + 2, &next);
    bool ends = next >= p->n || person_mark(p, next, ".,;:)") ||
                person_in(p, next, " with who has had was presenting presented and is ");
    if (isnan(v) || !ends || v < 1) return;
    person_set_age(p, v, STATED);
}

/* "In her forties", "in his early 60s": a range, from which no age is made. */
static void person_find_decade(person *p, uint32_t i)
{
    static const char *const tens[] = {"twenties", "thirties",  "forties",  "fifties",
                                       "sixties",  "seventies", "eighties", "nineties"};
    uint32_t k = i + 2 + person_in(p, i + 2, " early mid late ");
    double low = NAN;
    if (!person_is(p, i, "in") || !person_in(p, i + 1, " his her their ")) return;
    if (person_mark(p, k, "-")) k++;
    for (size_t d = 0; d < R1_COUNT(tens); d++)
        if (person_is(p, k, tens[d])) low = (double)(20 + 10 * d);
    if (person_number(p, k) && !p->t[k].word[0] && (person_is(p, k + 1, "s")) &&
        fmod(p->t[k].value, 10) == 0)
        low = p->t[k].value;
    bool died = false;
    for (uint32_t j = 0; j < i; j++)
        died |= person_in(p, j, kin) || person_in(p, j, " onset began started since died ");
    if (isnan(low) || died || !isnan(p->low)) return;
    p->low = low;
    p->high = low + 9;
}

/* A capital letter of a sex that stands alone; MED_SEX_UNKNOWN: none. */
static med_sex person_letter(const person *p, uint32_t i)
{
    if (i >= p->n || !p->t[i].capital || !person_in(p, i, " f m ")) return MED_SEX_UNKNOWN;
    return person_is(p, i, "f") ? MED_SEX_FEMALE : MED_SEX_MALE;
}

/* "M/29 with ...", "F 29", "29/F", "Age/Sex: 29/F", "Age: 29 y, F". */
static void person_find_short(person *p)
{
    for (uint32_t i = 0; i < p->n && i < SHORT_REACH; i++) {
        uint32_t k = i;
        med_sex sex = person_letter(p, i);
        if (sex && i == 0 && p->n > 1) {
            k += 1 + person_mark(p, 1, "/,");
            bool ends = k + 1 >= p->n || person_mark(p, k + 1, ",.;:") ||
                        person_in(p, k + 1, " with has who y yr yrs years presents presented ");
            if (!person_number(p, k) || p->t[k].word[0] || !ends) continue;
            person_set_age(p, p->t[k].value, STATED);
            person_set_sex(p, sex, STATED);
            return;
        }
        if (!person_number(p, i) || p->t[i].word[0]) continue;
        double unit = person_unit(p, i + 1);
        k = i + 1 + (unit > 0);
        bool alone = i == 0 || person_mark(p, i - 1, ":|") ||
                     (i == 1 && person_in(p, 0, " patient pt ")) ||
                     (person_mark(p, i - 1, ",") && person_mark(p, k, "/"));
        if (!alone || !person_mark(p, k, "/,") || (unit == 0 && person_mark(p, k, ","))) continue;
        sex = person_letter(p, k + 1);
        if (!sex || (k + 2 < p->n && !person_mark(p, k + 2, ",.;:|"))) continue;
        person_set_age(p, p->t[i].value * (unit > 0 ? unit : 1), STATED);
        person_set_sex(p, sex, STATED);
        return;
    }
}

/* "A newborn girl", "This neonate": at the start of what is said. */
static void person_find_newborn(person *p)
{
    uint32_t i = person_in(p, 0, " a an the this term preterm ");
    if (i && person_in(p, i, " term preterm female male ")) i++;
    if (person_in(p, i, " newborn neonate ") && !person_of_other(p, i, i + 1)) {
        person_set_age(p, 0, STATED);
        person_sex_after(p, i + 1);
    }
}

/* ---- dates ----------------------------------------------------------------------------------- */

static int person_month(const person *p, uint32_t i)
{
    static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    if (i >= p->n || strlen(p->t[i].word) < 3) return 0;
    for (int m = 0; m < 12; m++)
        if (strncmp(p->t[i].word, months + (size_t)m * 3, 3) == 0) return m + 1;
    return 0;
}

/* 2021-09-02, 02/09/2021 (the day first, unless that cannot be), 2 September 2021, September 2,
 * 2021. */
static person_day person_date(const person *p, uint32_t i)
{
    double y = NAN, m = NAN, d = 1;
    bool sure = true;
    if (person_number(p, i) && person_mark(p, i + 1, "-/.") && person_number(p, i + 2) &&
        person_mark(p, i + 3, "-/.") && person_number(p, i + 4)) {
        bool year_first = p->t[i].value > 31;
        y = p->t[year_first ? i : i + 4].value;
        m = p->t[i + 2].value;
        d = p->t[year_first ? i + 4 : i].value;
        sure = year_first || d > 12 || m > 12 || d == m;
        if (m > 12) y = year_first ? NAN : y, m = p->t[i].value, d = p->t[i + 2].value;
    } else if (person_number(p, i) && person_month(p, i + 1 + person_mark(p, i + 1, "-/."))) {
        uint32_t k = i + 1 + person_mark(p, i + 1, "-/.");
        d = p->t[i].value;
        m = person_month(p, k);
        k += 1 + person_mark(p, k + 1, "-/.,");
        if (person_number(p, k)) y = p->t[k].value;
    } else if (person_month(p, i) && person_number(p, i + 1)) {
        uint32_t k = i + 2 + person_mark(p, i + 2, ",");
        m = person_month(p, i);
        d = p->t[i + 1].value;
        if (person_number(p, k)) y = p->t[k].value;
    }
    bool is = y >= 1880 && y <= 2200 && m >= 1 && m <= 12 && d >= 1 && d <= 31;
    return (person_day){is ? y : NAN, m, d, sure};
}

/* NaN: no date. */
static double person_years(person_day t)
{
    return t.year + (t.month - 1) / 12 + (t.day - 1) / 365.25;
}

static void person_find_date(person *p, uint32_t i)
{
    uint32_t k = i + 1;
    bool birth = person_is(p, i, "dob") || person_is(p, i, "born") || person_is(p, i, "birth");
    if (!birth && !person_in(p, i,
                             " seen date dated visit examined clinic today reviewed "
                             "appointment admission "))
        return;
    while (person_mark(p, k, ":|=-") ||
           person_in(p, k, " on of in date the form report letter clinic visit examination "))
        k++;
    person_day date = person_date(p, k);
    if (isnan(date.year)) return;
    if (birth && isnan(p->born.year)) p->born = date;
    if (!birth && isnan(p->seen)) p->seen = person_years(date);
}

/* ---- the record ------------------------------------------------------------------------------ */

static void person_sentence(person *p)
{
    person_find_newborn(p);
    bool other = person_goes_on(p);
    person_find_short(p);
    for (uint32_t i = 0; i < p->n; i++) {
        if (person_number(p, i) && !other) person_find_age(p, i);
        if (person_is(p, i, "aged") || person_is(p, i, "age")) person_find_aged(p, i);
        if (person_in(p, i, " sex gender ")) person_find_sex_field(p, i);
        person_find_of_age(p, i);
        person_find_decade(p, i);
        person_find_noun(p, i);
        person_find_date(p, i);
    }
    person_find_pronouns(p);
}

static void person_tell_born(med_notes *n, person_day born)
{
    if (isnan(born.year)) return;
    unsigned year = (unsigned)born.year % 10000, month = (unsigned)born.month % 100;
    if (born.sure)
        snprintf(n->born, sizeof n->born, "%04u-%02u-%02u", year, month, (unsigned)born.day % 100);
    else
        snprintf(n->born, sizeof n->born, "%04u", year);
}

void med_find_person(med_notes *n)
{
    person p = {.born = {.year = NAN}, .seen = NAN, .low = NAN};
    uint32_t max = n->n_sentence < PERSON_SENTENCES ? n->n_sentence : PERSON_SENTENCES;
    for (uint32_t i = 0; i < max; i++) {
        const med_sentence *x = &n->sentence[i];
        if (n->section[x->section].name == MED_SECTION_FAMILY) continue;
        person_read(&p, n->text + x->start, n->text + x->end);
        person_sentence(&p);
    }
    double born = person_years(p.born);
    if (!isnan(born) && p.seen >= born) person_set_age(&p, p.seen - born, WEAK + 1);
    person_tell_born(n, p.born);
    if (!p.sex_weight && p.he != p.she) p.sex = p.he > p.she ? MED_SEX_MALE : MED_SEX_FEMALE;
    if (p.age_weight) n->age_years = (float)p.age;
    n->sex = p.sex;
    n->age_low = !p.age_weight && !isnan(p.low) ? (float)p.low : NAN;
    n->age_high = (float)p.high;
}
