/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_measures.c - measured values: numbers in all their forms, growth against published
 * z-scores, one value in many layouts and units, what a mention keeps of it, and the files: each of
 * their faults is named with its line. */
#include "notes/med_growth.h"
#include "notes/med_measures.h"
#include "notes/med_notes.h"
#include "notes/med_quantity.h"
#include "ontology/med_sources.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_err err;
static med_kb *kb;
static med_lexicon *lex;

static const char *const terms[][2] = {
    {"HP:0002901", "Hypocalcemia"},     {"HP:0003072", "Hypercalcemia"},
    {"HP:0001873", "Thrombocytopenia"}, {"HP:0003236", "Elevated creatine kinase"},
    {"HP:0001903", "Anemia"},           {"HP:0004322", "Short stature"},
    {"HP:0000252", "Microcephaly"}};

static void measures_ready(void)
{
    char *xml = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&xml, &len);
    fputs("<r1-ontology version=\"1\"><findings><finding id=\"R1:0\" name=\"root\" root=\"true\"/>",
          f);
    for (size_t i = 0; i < R1_COUNT(terms); i++)
        fprintf(f, "<finding id=\"%s\" name=\"%s\"><is-a finding=\"R1:0\"/></finding>", terms[i][0],
                terms[i][1]);
    fputs("</findings></r1-ontology>", f);
    fclose(f);
    const char *path = r1_test_in_tmp("measures.xml");
    R1_ASSERT_OK(r1_file_write(path, xml, len, &err), &err);
    R1_ASSERT_OK(med_sources_open(&kb, path, &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&lex, kb, &err), &err);
    free(xml);
}

static void measures_done(void)
{
    med_lexicon_free(lex);
    med_kb_free(kb);
}

/* The status of the finding of that id, -1 where it is not reported; *out: its mention. */
static int measured_status(const char *text, const char *id, med_mention *out)
{
    med_notes n;
    int status = -1;
    R1_ASSERT_OK(med_notes_read(&n, lex, kb, "text", text, strlen(text), &err), &err);
    uint32_t term = med_kb_term(kb, id, strlen(id));
    for (uint32_t i = 0; i < n.n_mention; i++) {
        if (n.mention[i].term != term) continue;
        status = (int)n.mention[i].status;
        if (out) *out = n.mention[i];
    }
    med_notes_free(&n);
    return status;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void test_numbers(void)
{
    static const struct {
        const char *text;
        double value, other; /* 0: none */
        uint32_t len;
    } table[] = {
        {"5400 U/L", 5400, 0, 4},    {"5,400 U/L", 5400, 5.4, 5},
        {"5.400 U/L", 5.4, 5400, 5}, {"5 400 U/L", 5400, 5.4, 5},
        {"5'400", 5400, 0, 5},       {"9,8 mg/dL", 9.8, 0, 3},
        {"9.8.", 9.8, 0, 3},         {".4", .4, 0, 2},
        {"0,375", .375, 0, 5},       {"1.234,5", 1234.5, 0, 7},
        {"1,234.5", 1234.5, 0, 7},   {"1,234,567", 1234567, 0, 9},
        {"12, 13", 12, 0, 2},        {"1234 567", 1234, 0, 4},
        {"0.04", .04, 0, 4},
    };
    med_number n;
    for (size_t i = 0; i < R1_COUNT(table); i++) {
        bool good = med_number_at(table[i].text, 0, &n) && n.value == table[i].value &&
                    n.len == table[i].len &&
                    (table[i].other == 0 ? isnan(n.other) : n.other == table[i].other);
        if (!good)
            fprintf(stderr, "%s: %g, %g, %u characters\n", table[i].text, n.value, n.other, n.len);
        CU_ASSERT(good);
    }
    CU_ASSERT(!med_number_at("12.03.2020", 0, &n));
    CU_ASSERT(!med_number_at("x", 0, &n));
    CU_ASSERT(!med_number_at("1234567890123456", 0, &n));
    CU_ASSERT(med_number_at("5,400,1", ',', &n) && n.value == 5);
}

/* ---- one value in many forms ----------------------------------------------------------------- */

/* A calcium of v mmol/L, as people write it; "@" is the number in the unit of the row. */
static const struct {
    const char *form;
    double factor;
    int decimals;
} calcium_forms[] = {
    {"Calcium @ mmol/L", 1, 2},
    {"Serum calcium was @ mmol/l.", 1, 2},
    {"Ca @ mg/dL", 4.008, 1},
    {"Ca: @", 1, 2},
    {"Calcium (mmol/L): @", 1, 2},
    {"Calcium (total) @ mmol/L", 1, 2},
    {"Total calcium of @ mmol/L today", 1, 2},
    {"Test\tResult\tUnit\nCalcium\t@\tmmol/L", 1, 2},
    {"Calcium | @ | mmol/L | 2.1-2.65", 1, 2},
    {"| Date | Calcium (mmol/L) |\n|---|---|\n| 2020-01-02 | @ |", 1, 2},
    {"Date,Calcium,Sodium\n2020-01-02,@,140\n2020-02-02,@,141", 1, 2},
    {"<table><tr><td>Calcium</td><td>@</td><td>mmol/L</td></tr></table>", 1, 2},
    {"Na 140, Ca @, K 4.1", 1, 2},
    {"Calcium @ (2.10-2.65)", 1, 2},
    {"Calcium @ mmol/L (ref 2.10 to 2.65 mmol/L)", 1, 2},
    {"calcium @ mEq/L", 2, 2},
    {"Calcium\xc2\xa0=\xc2\xa0@\xc2\xa0mmol/L", 1, 2},
};

/* Replaces each @ of a form by the number; comma: a decimal comma. */
static void write_form(FILE *f, const char *form, double v, int decimals, bool comma)
{
    char number[40];
    snprintf(number, sizeof number, "%.*f", decimals, v);
    char *point = strchr(number, '.');
    if (comma && point) *point = ',';
    for (; *form; form++) {
        if (*form == '@')
            fputs(number, f);
        else
            fputc(*form, f);
    }
}

static void test_forms(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int round = 0; round < 600; round++) {
        size_t k = (size_t)round % R1_COUNT(calcium_forms);
        const char *form = calcium_forms[k].form;
        uint64_t side = r1_rng_below(&rng, 3);
        double share = (double)r1_rng_below(&rng, 1000) / 1000;
        double v = side == 0 ? 1.2 + .8 * share : side == 1 ? 2.15 + .4 * share : 2.75 + 1 * share;
        bool comma = r1_rng_below(&rng, 2) && !strstr(form, ",@,");
        char *text = NULL;
        size_t len = 0;
        FILE *f = open_memstream(&text, &len);
        write_form(f, form, v * calcium_forms[k].factor, calcium_forms[k].decimals, comma);
        fclose(f);
        bool low = measured_status(text, "HP:0002901", NULL) == MED_PRESENT;
        bool high = measured_status(text, "HP:0003072", NULL) == MED_PRESENT;
        bool good = low == (side == 0) && high == (side == 2);
        if (!good) fprintf(stderr, "%d %d: %s\n", low, high, text);
        CU_ASSERT(good);
        free(text);
    }
}

static void test_kept(void)
{
    med_mention m;
    const char *text = "No fever. CK 5,400 U/L (normal <200) today.";
    CU_ASSERT_EQUAL_FATAL(measured_status(text, "HP:0003236", &m), MED_PRESENT);
    CU_ASSERT(m.lab && m.value == 5400 && m.high == 200 && !isfinite(m.low));
    CU_ASSERT(memcmp(text + m.start, "CK 5,400 U/L (normal <200)", m.end - m.start) == 0);
    CU_ASSERT_EQUAL(m.cue_start, m.cue_end);
    text = "His mother had a calcium of 1.5 mmol/L.";
    CU_ASSERT_EQUAL_FATAL(measured_status(text, "HP:0002901", &m), MED_FAMILY);
    CU_ASSERT(memcmp(text + m.cue_start, "mother", m.cue_end - m.cue_start) == 0);
    CU_ASSERT_EQUAL_FATAL(measured_status("Platelets 23 x10^9/L", "HP:0001873", &m), MED_PRESENT);
    CU_ASSERT(m.value == 23 && m.low == 150 && m.high == 450);
}

/* More values than are kept: the rest is counted. */
static void test_many(void)
{
    char *text = NULL;
    size_t len = 0;
    med_notes n;
    FILE *f = open_memstream(&text, &len);
    for (int i = 0; i < 20000; i++) fputs("Ca 1.2, ", f);
    fclose(f);
    R1_ASSERT_OK(med_notes_read(&n, lex, kb, "many", text, len, &err), &err);
    CU_ASSERT(n.n_mention > 10 && n.n_mention < 20000);
    CU_ASSERT(n.n_cut > 0);
    med_notes_free(&n);
    free(text);
}

/* ---- growth ---------------------------------------------------------------------------------- */

static void test_growth(void)
{
    char *data = NULL;
    size_t len = 0;
    med_growth *g = NULL;
    bool beyond;
    const char *path = r1_test_source("apps/medical/notes/data/growth.tsv");
    R1_ASSERT_OK(r1_file_read(path, 1u << 20, &data, &len, &err), &err);
    R1_ASSERT_OK(med_growth_new(&g, "growth.tsv", data, len, &err), &err);
    /* medians and third centiles as the CDC prints them */
    static const struct {
        med_growth_table table;
        med_sex sex;
        double months, value, z;
    } table[] = {{MED_GROWTH_HEIGHT, MED_SEX_MALE, 24, 86.4522, 0},
                 {MED_GROWTH_HEIGHT, MED_SEX_MALE, 24, 79.91084, -1.88079},
                 {MED_GROWTH_HEIGHT, MED_SEX_FEMALE, 240, 163.3383, 0},
                 {MED_GROWTH_WEIGHT, MED_SEX_MALE, 0, 3.530203, 0},
                 {MED_GROWTH_WEIGHT, MED_SEX_MALE, 0, 2.355451, -1.88079},
                 {MED_GROWTH_OFC, MED_SEX_MALE, 0, 35.81367, 0},
                 {MED_GROWTH_BMI, MED_SEX_MALE, 24, 14.52095, -1.88079}};
    for (size_t i = 0; i < R1_COUNT(table); i++) {
        double z = med_growth_z(g, table[i].table, table[i].sex, table[i].months / 12,
                                table[i].value, &beyond);
        if (!(fabs(z - table[i].z) < .01)) fprintf(stderr, "%zu: %g\n", i, z);
        CU_ASSERT(fabs(z - table[i].z) < .01 && !beyond);
    }
    CU_ASSERT(isnan(med_growth_z(g, MED_GROWTH_HEIGHT, MED_SEX_UNKNOWN, 4, 100, &beyond)));
    CU_ASSERT(isnan(med_growth_z(g, MED_GROWTH_BMI, MED_SEX_MALE, 1, 16, &beyond)));
    CU_ASSERT(isfinite(med_growth_z(g, MED_GROWTH_OFC, MED_SEX_MALE, 9, 46, &beyond)) && beyond);
    med_growth_free(g);
    free(data);
}

/* ---- the files ------------------------------------------------------------------------------- */

#define HEAD "spell\tg/l\tg/l\nmeasure\tX\tblood\tHP:0000001\t-\n"

static void test_measure_file_faults(void)
{
    static const struct {
        const char *text, *says;
    } table[] = {
        {"words\tlinks\tis\n", "m.tsv:1: expected a role, found \"links\""},
        {"words\tlink\tis||was\n", "m.tsv:1: expected a word"},
        {"# a\n\nspecimen\tany\tx\n", "m.tsv:3: expected blood, csf, urine or other"},
        {"specimen\tcsf\tx\nspecimen\turine\tx\n", "m.tsv:2: expected a word that no specimen"},
        {"unit\tg/l\t1\t1..2\n", "m.tsv:1: expected a measure above"},
        {"measure\tX\tblod\t-\t-\n", "m.tsv:1: expected a specimen or any, found \"blod\""},
        {"measure\tX\tblood\tHP:123\t-\n", "m.tsv:1: expected HP: with seven digits"},
        {"measure\tX\tblood\t-\n", "m.tsv:1: expected the fields of this kind"},
        {"mesure\tX\tblood\t-\t-\n", "m.tsv:1: expected words, specimen, spell"},
        {HEAD "unit\tg/dl\t1\t1..2\n", "m.tsv:3: expected a unit that a line of spell has"},
        {HEAD "unit\tg/l\t2\t1..2\n", "m.tsv:3: expected a factor above 0, of the first unit 1"},
        {HEAD "unit\tg/l\t1\t2..1\n", "m.tsv:3: expected LOW..HIGH, the lower first"},
        {HEAD "unit\tg/l\t1\t1-2\n", "m.tsv:3: expected LOW..HIGH"},
        {HEAD "unit\tg/l\t1\t1..2\tlength\n", "m.tsv:3: expected bmi, height, ofc or weight"},
        {HEAD "range\tboth\t..\t1..2\n", "m.tsv:3: expected any, female or male"},
        {HEAD "range\tany\t..\t1..2\tg/l\n", "m.tsv:3: expected a unit of the measure"},
        {HEAD "unit\tg/l\t1\t1..2\n",
         "m.tsv:2: expected a unit and a range below the measure, found 1 and 0"},
        {HEAD "band\t1..x\tHP:0000001\n", "m.tsv:3: expected LOW..HIGH"},
    };
    for (size_t i = 0; i < R1_COUNT(table); i++) {
        med_measures *m = NULL;
        const char *s = table[i].text;
        CU_ASSERT_EQUAL(med_measures_new(&m, "m.tsv", s, strlen(s), &err), R1_E_FORMAT);
        if (!strstr(err.msg, table[i].says)) fprintf(stderr, "%zu: %s\n", i, err.msg);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, table[i].says));
    }
}

static void test_growth_file_faults(void)
{
    static const struct {
        const char *text, *says;
    } table[] = {
        {"ofc\tmale\t0\t1\t35\n", "g.tsv:1: expected a measure, a sex, months, L, M and S"},
        {"# a\nhead\tmale\t0\t1\t35\t.1\n", "g.tsv:2: expected a measure"},
        {"ofc\tboy\t0\t1\t35\t.1\n", "g.tsv:1: expected a measure, a sex"},
        {"ofc\tmale\t0\t1\t-35\t.1\n", "g.tsv:1: expected a measure"},
        {"ofc\tmale\t2\t1\t35\t.1\nofc\tmale\t1\t1\t35\t.1\n", "g.tsv:2: expected lines of one"},
        {"ofc\tmale\t0\t1\t35\t.1\nbmi\tmale\t0\t1\t16\t.1\nofc\tmale\t1\t1\t35\t.1\n",
         "g.tsv:3: expected lines of one measure and sex together"},
    };
    for (size_t i = 0; i < R1_COUNT(table); i++) {
        med_growth *g = NULL;
        const char *s = table[i].text;
        CU_ASSERT_EQUAL(med_growth_new(&g, "g.tsv", s, strlen(s), &err), R1_E_FORMAT);
        if (!strstr(err.msg, table[i].says)) fprintf(stderr, "%zu: %s\n", i, err.msg);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, table[i].says));
    }
}

/* Each measure of the file that ships has a unit, and a range that says something. */
static void test_shipped_file(void)
{
    char *data = NULL;
    size_t len = 0;
    med_measures *m = NULL;
    const char *path = r1_test_source("apps/medical/notes/data/measures.tsv");
    R1_ASSERT_OK(r1_file_read(path, 1u << 20, &data, &len, &err), &err);
    R1_ASSERT_OK(med_measures_new(&m, "measures.tsv", data, len, &err), &err);
    CU_ASSERT(med_measures_count(m) > 70);
    for (uint32_t i = 0; i < med_measures_count(m); i++) {
        const med_measure *x = med_measures_at(m, i);
        CU_ASSERT(x->n_unit > 0 && x->n_range > 0);
        for (uint32_t k = 0; k < x->n_range; k++) {
            const med_measure_range *g = med_measures_range(m, x->range + k);
            CU_ASSERT(isfinite(g->low) || isfinite(g->high));
            CU_ASSERT(!isfinite(g->low) || x->below[0] || isfinite(g->high));
        }
    }
    med_measures_free(m);
    free(data);
}

R1_TEST_MAIN("medical measures", {"ready", measures_ready}, {"numbers", test_numbers},
             {"forms", test_forms}, {"kept", test_kept}, {"many", test_many},
             {"growth", test_growth}, {"measure file faults", test_measure_file_faults},
             {"growth file faults", test_growth_file_faults}, {"shipped file", test_shipped_file},
             {"done", measures_done})
