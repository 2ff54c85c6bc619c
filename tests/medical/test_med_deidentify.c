/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_deidentify.c - lines of each kind of identifier and of what only looks like one; dates
 * beside the C library's calendar; and for every letter of tests/medical/letters the same findings
 * before and after, with dates shifted by several patients' numbers. */
#include "deidentify/med_dates.h"
#include "deidentify/med_deidentify.h"
#include "ontology/med_sources.h"
#include "support/r1_test.h"
#include "text/r1_utf8.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static r1_err err;
static med_kb *kb;
static med_lexicon *lex;
static med_deidentifier *deid;
static med_keys *keys;

static void deidentify_tools(void)
{
    char name[MED_KEY_NAME_BYTES];
    if (kb) return;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&lex, kb, &err), &err);
    R1_ASSERT_OK(med_deidentifier_new(&deid, lex, kb, &err), &err);
    R1_ASSERT_OK(med_keys_add(r1_test_in_tmp("keys"), "t", name, &err), &err);
    R1_ASSERT_OK(med_keys_open(&keys, r1_test_in_tmp("keys"), &err), &err);
}

static void deidentify_end(void)
{
    med_keys_free(keys);
    med_deidentifier_free(deid);
    med_lexicon_free(lex);
    med_kb_free(kb);
}

/* Without a patient: of a date the year is left. */
static void becomes(const char *text, const char *expected)
{
    med_deidentified out;
    const med_deidentify_opts o = {.year = 2026};
    R1_ASSERT_OK(med_deidentify(&out, deid, &o, text, strlen(text), &err), &err);
    if (strcmp(out.text, expected) != 0)
        printf("\n  of       %s\n  expected %s\n  found    %s\n", text, expected, out.text);
    CU_ASSERT_STRING_EQUAL(out.text, expected);
    med_deidentified_free(&out);
}

/* Forms that letters take outside of templates: small letters, words, several countries. */
static void test_other_forms(void)
{
    static const char *const line[][2] = {
        {"Mr brennan came with his wife.", "Mr [NAME] came with his wife."},
        {"we saw mrs o'farrell-kinsella again", "we saw mrs [NAME] again"},
        {"Dr ap rhys agreed.", "Dr [NAME] agreed."},
        {"His father diego de la cruz has ataxia.", "His father [NAME] has ataxia."},
        {"Sister niamh is well.", "Sister [NAME] is well."},
        {"name: oluwaseun adeyemi", "name: [NAME]"},
        {"Dr. J.-P. Dubois came; later Dubois agreed.", "Dr. [NAME] came; later [NAME] agreed."},
        {"The child's name is Mia-Sophie; mia-sophie walks.", "The child's name is [NAME]; "
                                                              "[NAME]-[NAME] walks."},
        {"Dr Skellenko came. It was agreed with skellenko.", "Dr [NAME] came. It was agreed with "
                                                             "[NAME]."},
        {"seen with mum, karen miller, and well", "seen with mum, [NAME], and well"},
        {"patient: john smith, born 3.4.1981", "patient: [NAME], born 1981"},
        {"lives with his wife anna, who is well", "lives with his wife [NAME], who is well"},
        {"the boy, tom, walks", "the boy, [NAME], walks"},
        {"I saw mary dot jones again", "I saw [NAME] again"},
        {"Since early spring 2023 she falls.", "Since 2023 she falls."},
        {"pt initials JTK", "pt initials [NAME]"},
        {"tel 555.123.4567 x12", "tel [PHONE]"},
        {"Phone (555) 123-4567 ext. 89", "Phone [PHONE]"},
        {"on 04 91 12 34 56 at night", "on [PHONE] at night"},
        {"mail anna.smith at example dot org", "mail [EMAIL]"},
        {"mail: john_doe (at) hospital.example.com", "mail: [EMAIL]"},
        {"from 2001:db8:85a3::8a2e:370:7334", "from [IP]"},
        {"Sent to M5V 3L9 there.", "Sent to [PLACE] there."},
        {"insurance id XJ 442 998 1", "insurance id [PLAN]"},
        {"pacemaker s/n PJN 442211 H", "pacemaker s/n [DEVICE]"},
        {"car plate B-MW 1234", "car plate [VEHICLE]"},
        {"IBAN DE44 5001 0517 5407 3249 31", "IBAN [ACCOUNT]"},
        {"seen on the third of May 2019", "seen on the 2019"},
        {"born thirty-first of January 1999", "born 1999"},
        {"Printed: 03MAY2019 11:02", "Printed: 2019 11:02"},
        /* none of them */
        {"Her mother reports seizures. The brother walks.", "Her mother reports seizures. The "
                                                            "brother walks."},
        {"Her mother who has ataxia was there.", "Her mother who has ataxia was there."},
        {"sister pregnant is at risk", "sister pregnant is at risk"},
        {"his mother, feeling unwell, left", "his mother, feeling unwell, left"},
        {"his brother, unaffected, and a cousin", "his brother, unaffected, and a cousin"},
        {"patient: ataxia, tremor", "patient: ataxia, tremor"},
        {"red dot on the left retina", "red dot on the left retina"},
        {"She has spring catarrh.", "She has spring catarrh."},
        {"mr angiogram normal, dr visit was short", "mr angiogram normal, dr visit was short"},
        {"The ratio 10::1 was used.", "The ratio 10::1 was used."},
        {"The third May not matter.", "The third May not matter."},
        {"MR spectroscopy showed lactate.", "MR spectroscopy showed lactate."},
    };
    deidentify_tools();
    for (size_t i = 0; i < R1_COUNT(line); i++) becomes(line[i][0], line[i][1]);
}

static void test_identifiers(void)
{
    static const char *const line[][2] = {
        {"Mr Fabry was here.", "Mr [NAME] was here."},
        {"MRS SKELLEZ WAS SEEN BY DR OJUWA.", "MRS [NAME] WAS SEEN BY DR [NAME]."},
        {"We met Prof. Dr. van der Holsson again.", "We met Prof. Dr. [NAME] again."},
        {"Name: HOLSSON, Ekkuwa\tDOB: 14.03.2011", "Name: [NAME]\tDOB: 2011"},
        {"Fabry attended with his aunt, Skellika.", "[NAME] attended with his aunt, [NAME]."},
        {"It was O'Skellez who saw it.", "It was [NAME] who saw it."},
        {"The nurse (P. J. Skellez) agreed.", "The nurse ([NAME]) agreed."},
        {"Mrs Skellez came. Later Skellez left.", "Mrs [NAME] came. Later [NAME] left."},
        {"She lives in Skellbridge now.", "She lives in [PLACE] now."},
        {"Lives at 12a Skell Holme Road, SK1 9ZZ.", "Lives at [PLACE], [PLACE]."},
        {"Seen in Skellbury General Hospital.", "Seen in [PLACE]."},
        {"Tel: 01632 960 417, fax no. 01632 960418", "Tel: [PHONE], fax no. [FAX]"},
        {"Call +44 7700 900 417 or (555) 555-0142.", "Call [PHONE] or [PHONE]."},
        {"a.b+c@mail.example.org, https://e.org/x?y=1.", "[EMAIL], [URL]."},
        {"From 192.0.2.17 and fe80:0:0:0:1:2:3:4.", "From [IP] and [IP]."},
        {"SSN 123-45-6789; NHS No: 943 476 5919", "SSN [SSN]; NHS No: [MRN]"},
        {"Hospital number H-204/8817, Unit no. 77-12-90", "Hospital number [MRN], Unit no. [MRN]"},
        {"Policy no. ABX123456, member ID: X99887766", "Policy no. [PLAN], member ID: [PLAN]"},
        {"IBAN GB82 WEST 1234 5698 7654 32.", "IBAN [ACCOUNT]."},
        {"Passport 533401372; GMC number 7012345", "Passport [LICENCE]; GMC number [LICENCE]"},
        {"Number plate AB51 DVL. VIN: 1HGBH41JXMN109186", "Number plate [VEHICLE]. VIN: [VEHICLE]"},
        {"Pacemaker serial no. is PM-771203.", "Pacemaker serial no. is [DEVICE]."},
        {"Fingerprint ID: FP889901", "Fingerprint ID: [BIOMETRIC]"},
        {"Sample no. D19-004417 and 884120017.", "Sample no. [ID] and [ID]."},
        {"A woman aged 97 years and a 93-year-old.", "A woman aged 90 years and a 90-year-old."},
        {"He is ninety-four years old.", "He is ninety years old."},
        {"Born on 3rd May 1921, seen 04/05/2019.", "Born on 1929, seen 2019."},
        {"It began in March and went by 12 April.", "It began in [DATE] and went by [DATE]."},
    };
    deidentify_tools();
    for (size_t i = 0; i < R1_COUNT(line); i++) becomes(line[i][0], line[i][1]);
}

static void test_no_identifiers(void)
{
    static const char *const line[] = {
        "Marfan syndrome, Fabry disease and Kayser-Fleischer rings are absent.",
        "Gowers' sign is negative. There was no Babinski sign.",
        "Ehlers-Danlos syndrome runs in the family.",
        "HP:0001250, OMIM:301500, ORPHA:558 and MONDO:0007947 were noted.",
        "GLA c.427G>A (NM_000169.3), p.(Ala143Thr), chrX:101398467, rs104894845.",
        "Creatinine 71 umol/L, platelets 243 x 10^9/L, BP 120/80, glucose 5.1.",
        "Height 112.4 cm (25th centile), weight 19.6 kg, at 3/7 and 14/52.",
        "She takes Keppra 250 mg and Vimpat. He is 89 years old.",
        "Seizures began at 9 months. It may be March fracture.",
        "The family comes from Portugal; she speaks Portuguese.",
        "The patient is a 4-year-old girl. She was seen on Tuesday in the clinic.",
        "PROTEINURIA IN A MATERNAL UNCLE WHO DIED OF KIDNEY FAILURE.",
        "Mother: healthy. Father: Seizures. Plan: MRI. Sister: Seizures.",
    };
    deidentify_tools();
    for (size_t i = 0; i < R1_COUNT(line); i++) becomes(line[i], line[i]);
}

/* ---- dates ---- */

static time_t day_of(int y, int m, int d)
{
    struct tm tm = {.tm_year = y - 1900, .tm_mon = m - 1, .tm_mday = d};
    return timegm(&tm);
}

static void test_calendar(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int i = 0; i < 20000; i++) {
        int days = (int)r1_rng_below(&rng, 2000) - 1000;
        med_date d = {.year = 1900 + (int)r1_rng_below(&rng, 200),
                      .month = 1 + (int)r1_rng_below(&rng, 12),
                      .day = 1 + (int)r1_rng_below(&rng, 28)};
        med_date to = med_date_shift(d, days);
        time_t want = day_of(d.year, d.month, d.day) + (time_t)days * 86400;
        CU_ASSERT_EQUAL_FATAL(day_of(to.year, to.month, to.day), want);
    }
}

/* All dates of a patient move by the same days, whole weeks; another patient's by others. */
static void test_shift(void)
{
    static const char text[] =
        "On 03.04.2019, 3rd of April 2019, Apr 3, 2019, 2019-04-03, 3-APR-19, "
        "03/04/19 and 13/04/2019; in April 2019.";
    med_deidentified out;
    unsigned differ = 0;
    char first[512] = "";
    deidentify_tools();
    for (int i = 0; i < 12; i++) {
        char patient[16], month[16], want[400];
        snprintf(patient, sizeof patient, "MRN-%d", i);
        const med_deidentify_opts o = {.keys = keys, .patient = patient, .year = 2026};
        R1_ASSERT_OK(med_deidentify(&out, deid, &o, text, strlen(text), &err), &err);
        int d, m, y;
        CU_ASSERT_EQUAL_FATAL(sscanf(out.text, "On %d.%d.%d", &d, &m, &y), 3);
        int64_t moved = (day_of(y, m, d) - day_of(2019, 4, 3)) / 86400;
        CU_ASSERT(moved != 0 && moved % 7 == 0 && llabs(moved) <= 364);
        struct tm tm = {.tm_mon = m - 1};
        strftime(month, sizeof month, "%B", &tm);
        snprintf(want, sizeof want, "%04d-%02d-%02d", y, m, d);
        CU_ASSERT_PTR_NOT_NULL(strstr(out.text, want));
        snprintf(want, sizeof want, "%s of %s %d",
                 d == 1 || d == 21 || d == 31 ? (d == 1    ? "1st"
                                                 : d == 21 ? "21st"
                                                           : "31st")
                 : d == 2 || d == 22          ? (d == 2 ? "2nd" : "22nd")
                 : d == 3 || d == 23          ? (d == 3 ? "3rd" : "23rd")
                                              : "",
                 month, y);
        if (*want != ' ') CU_ASSERT_PTR_NOT_NULL(strstr(out.text, want));
        snprintf(want, sizeof want, "%02d/%02d/%02d and", d, m, y % 100);
        CU_ASSERT_PTR_NOT_NULL(strstr(out.text, want));
        if (!*first) snprintf(first, sizeof first, "%s", out.text);
        differ += strcmp(first, out.text) != 0;
        med_deidentified_free(&out);
    }
    CU_ASSERT(differ > 5);
}

/* ---- whole letters ---- */

static void letter_same(const char *path)
{
    char *text, patient[8];
    size_t len;
    R1_ASSERT_OK(r1_file_read(path, 1 << 20, &text, &len, &err), &err);
    for (int i = 0; i < 3; i++) {
        med_deidentified out;
        snprintf(patient, sizeof patient, "P%d", i);
        const med_deidentify_opts o = {
            .keys = i ? keys : NULL, .patient = i ? patient : NULL, .year = 2026};
        R1_ASSERT_OK(med_deidentify(&out, deid, &o, text, len, &err), &err);
        if (out.n_changed) printf("%s: %u findings differ\n", path, out.n_changed);
        CU_ASSERT_EQUAL(out.n_changed, 0);
        CU_ASSERT(out.n_before > 0);
        CU_ASSERT_EQUAL(out.n_of[MED_IDENTIFIER_NAME], 0); /* the letters name nobody */
        med_deidentified_free(&out);
    }
    free(text);
}

static void test_letters(void)
{
    const char *folder = r1_test_source("tests/medical/letters");
    DIR *d = opendir(folder);
    unsigned n = 0;
    deidentify_tools();
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    for (struct dirent *e; (e = readdir(d));) {
        char path[4200];
        if (!strstr(e->d_name, ".txt")) continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        letter_same(path);
        n++;
    }
    closedir(d);
    CU_ASSERT(n >= 30);
}

/* Fragments in any order, and long runs of one: the text that is left is UTF-8, and what stands
 * between identifiers stays. */
static void test_any_text(void)
{
    static const char *const part[] = {"Mr ",
                                       "Fabry ",
                                       "A",
                                       "\xc5\x81",
                                       "1-",
                                       ".",
                                       "\n",
                                       " 12/",
                                       "03/",
                                       "2019 ",
                                       "the 3rd ",
                                       "http://",
                                       "@",
                                       "x.org ",
                                       "Tel: ",
                                       "0161 4",
                                       "96 0111 ",
                                       "(",
                                       "seizures ",
                                       "no ",
                                       "May ",
                                       "\xe2\x80\x99s ",
                                       "aged 9",
                                       "5 years ",
                                       "St ",
                                       "Hospital ",
                                       "\t",
                                       "MRN ",
                                       "'",
                                       "-",
                                       "\xf0\x9f\x98\x80"};
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    deidentify_tools();
    for (int i = 0; i < 400; i++) {
        char text[4096] = "seizures ";
        size_t at = strlen(text), n = r1_rng_below(&rng, 60), run = r1_rng_below(&rng, 8) ? 1 : 40;
        for (size_t k = 0; k < n; k++) {
            const char *s = part[r1_rng_below(&rng, R1_COUNT(part))];
            for (size_t j = 0; j < run && at + strlen(s) + 1 < sizeof text; j++)
                at += (size_t)snprintf(text + at, sizeof text - at, "%s", s);
        }
        med_deidentified out;
        const med_deidentify_opts o = {
            .keys = i % 2 ? keys : NULL, .patient = i % 2 ? "x" : NULL, .year = 2026};
        R1_ASSERT_OK(med_deidentify(&out, deid, &o, text, at, &err), &err);
        CU_ASSERT(r1_utf8_valid(out.text, out.len));
        for (uint32_t k = 0; k < out.n_span; k++)
            CU_ASSERT(out.span[k].start < out.span[k].end && out.span[k].end <= at &&
                      (k == 0 || out.span[k - 1].end <= out.span[k].start));
        if (!out.n_span) CU_ASSERT_STRING_EQUAL(out.text, text);
        med_deidentified_free(&out);
    }
}

/* The names of a letter go, and its findings stay. */
static void test_letter_with_names(void)
{
    static const char letter[] =
        "Re: Ekkuwa HOLSSON, DOB 14/03/2011\n\nDear Dr Skellez,\n\nEkkuwa attended on 12/05/2019 "
        "with Mr Fabry. She has seizures and hypotonia, and Ekkuwa denies ataxia. Fabry disease "
        "was excluded. There is no cleft palate.\n\nYours sincerely,\n\nOjika Plandoff\n";
    static const char *const gone[] = {"Ekkuwa",   "HOLSSON",    "Skellez", "Ojika",
                                       "Plandoff", "14/03/2011", "Mr Fabry"};
    med_deidentified out;
    const med_deidentify_opts o = {.keys = keys, .patient = "x", .year = 2026};
    deidentify_tools();
    R1_ASSERT_OK(med_deidentify(&out, deid, &o, letter, strlen(letter), &err), &err);
    for (size_t i = 0; i < R1_COUNT(gone); i++) CU_ASSERT_PTR_NULL(strstr(out.text, gone[i]));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.text, "Fabry disease was excluded"));
    CU_ASSERT_EQUAL(out.n_changed, 0);
    CU_ASSERT(out.n_before >= 4);
    med_deidentified_free(&out);
    deidentify_end();
}

R1_TEST_MAIN("med_deidentify", {"identifiers", test_identifiers}, {"other forms", test_other_forms},
             {"no identifiers", test_no_identifiers}, {"calendar", test_calendar},
             {"shifted dates", test_shift}, {"any text", test_any_text}, {"letters", test_letters},
             {"a letter with names", test_letter_with_names})
