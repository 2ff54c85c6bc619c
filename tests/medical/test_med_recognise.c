/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_recognise.c - which findings words name: small records with their right reading over a
 * cut of the HPO (tests/medical/lines/findings.tsv), readings of abbreviations, the scorer of
 * corpora, and the files of words: each of their faults is named with its line. */
#include "eval/med_eval_annotate.h"
#include "medical/read_lines.h"
#include "notes/med_abbreviations.h"
#include "notes/med_forms.h"
#include "notes/med_typos.h"
#include "ontology/med_sources.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static r1_err err;
static med_kb *kb;
static med_lexicon *lex;

/* Lines "ID, tab, name" as an ontology; the first name of an id is the finding's. */
static void put_findings(FILE *f, char *data)
{
    const char *last = "";
    fputs("<r1-ontology version=\"1\"><findings><finding id=\"R1:0\" name=\"root\" root=\"true\">",
          f);
    for (char *s = strchr(data, '\n') + 1, *nl; (nl = strchr(s, '\n')) != NULL; s = nl + 1) {
        char *tab = strchr(s, '\t');
        *nl = *tab = '\0';
        if (strcmp(s, last) == 0)
            fprintf(f, "<synonym>%s</synonym>", tab + 1);
        else
            fprintf(f, "%s</finding><finding id=\"%s\" name=\"%s\">",
                    *last ? "<is-a finding=\"R1:0\"/>" : "", s, tab + 1);
        last = s;
    }
    fputs("<is-a finding=\"R1:0\"/></finding></findings></r1-ontology>", f);
}

static void recognise_ready(void)
{
    char *data = NULL, *xml = NULL;
    size_t len = 0;
    R1_ASSERT_OK(r1_file_read(r1_test_source("tests/medical/lines/findings.tsv"), 1u << 20, &data,
                              &len, &err),
                 &err);
    FILE *f = open_memstream(&xml, &len);
    put_findings(f, data);
    fclose(f);
    const char *path = r1_test_in_tmp("findings.xml");
    R1_ASSERT_OK(r1_file_write(path, xml, len, &err), &err);
    R1_ASSERT_OK(med_sources_open(&kb, path, &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&lex, kb, &err), &err);
    free(xml);
    free(data);
}

static void recognise_done(void)
{
    med_lexicon_free(lex);
    med_kb_free(kb);
}

/* Of all lines 92 of 100 are read rightly, and of no file less than 80. */
static void test_recognition_lines(void)
{
    static const char *const files[] = {"abbreviations_spelling", "held_recognition",
                                        "fifth_recognition", "sixth_past", "seventh_recognition"};
    uint32_t all = 0, all_good = 0;
    for (size_t i = 0; i < R1_COUNT(files); i++) {
        uint32_t n = 0, good = 0;
        read_lines(kb, lex, files[i], &n, &good);
        fprintf(stderr, "%s: %u of %u lines\n", files[i], good, n);
        CU_ASSERT(n > 20 && good * 100 >= n * 80);
        all += n;
        all_good += good;
    }
    CU_ASSERT(all_good * 100 >= all * 92);
}

/* Labels and headings of organs, what makes a finding more precise, stacked adjectives and what
 * says that something is normal: over findings that lie below each other. */
static void test_label_lines(void)
{
    static const char xml[] =
        "<r1-ontology version=\"1\"><findings><finding id=\"R1:0\" name=\"root\" root=\"true\"/>"
        "<finding id=\"HP:0000969\" name=\"Edema\"><is-a finding=\"R1:0\"/></finding>"
        "<finding id=\"HP:0010741\" name=\"Pedal edema\"><synonym>Edema of the foot</synonym>"
        "<is-a finding=\"HP:0000969\"/></finding>"
        "<finding id=\"HP:0000282\" name=\"Facial edema\"><is-a finding=\"HP:0000969\"/></finding>"
        "<finding id=\"HP:0000369\" name=\"Low-set ears\"><is-a finding=\"R1:0\"/></finding>"
        "<finding id=\"HP:0000378\" name=\"Cupped ear\"><is-a finding=\"R1:0\"/></finding>"
        "<finding id=\"HP:0000465\" name=\"Webbed neck\"><is-a finding=\"R1:0\"/></finding>"
        "<finding id=\"HP:0000175\" name=\"Cleft palate\"><is-a finding=\"R1:0\"/></finding>"
        "<finding id=\"HP:0000343\" name=\"Long philtrum\"><is-a finding=\"R1:0\"/></finding>"
        "<finding id=\"HP:0000319\" name=\"Smooth philtrum\"><synonym>Flat philtrum</synonym>"
        "<is-a finding=\"R1:0\"/></finding>"
        "<finding id=\"HP:0001357\" name=\"Flat head\"><is-a finding=\"R1:0\"/></finding>"
        "<finding id=\"HP:0000492\" name=\"Abnormal eyelid morphology\"><is-a finding=\"R1:0\"/>"
        "</finding><finding id=\"HP:0000499\" name=\"Abnormal eyelash morphology\">"
        "<is-a finding=\"R1:0\"/></finding>"
        "<finding id=\"HP:0000028\" name=\"Cryptorchidism\"><synonym>Undescended testes</synonym>"
        "<is-a finding=\"R1:0\"/></finding>"
        "<finding id=\"HP:0008689\" name=\"Bilateral cryptorchidism\">"
        "<is-a finding=\"HP:0000028\"/></finding>"
        "<finding id=\"HP:0001256\" name=\"Intellectual disability, mild\"><synonym>Mild "
        "intellectual "
        "disability</synonym><is-a finding=\"R1:0\"/></finding>"
        "<finding id=\"HP:0010864\" name=\"Intellectual disability, severe\"><synonym>Severe "
        "intellectual disability</synonym><is-a finding=\"R1:0\"/></finding>"
        "<finding id=\"HP:0011003\" name=\"High myopia\"><is-a finding=\"R1:0\"/></finding>"
        "<finding id=\"HP:0000077\" name=\"Abnormality of the kidney\"><is-a finding=\"R1:0\"/>"
        "</finding>"
        "<finding id=\"HP:0001263\" name=\"Global developmental delay\"><is-a finding=\"R1:0\"/>"
        "</finding></findings></r1-ontology>";
    const char *path = r1_test_in_tmp("labels.xml");
    med_kb *small = NULL;
    med_lexicon *words = NULL;
    uint32_t n = 0, good = 0;
    R1_ASSERT_OK(r1_file_write(path, xml, sizeof xml - 1, &err), &err);
    R1_ASSERT_OK(med_sources_open(&small, path, &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&words, small, &err), &err);
    read_lines(small, words, "labels", &n, &good);
    CU_ASSERT(n > 20 && good == n);
    const char *s = "Global developmental delay (GDD).";
    med_notes notes;
    R1_ASSERT_OK(med_notes_read(&notes, words, small, "again", s, strlen(s), &err), &err);
    CU_ASSERT(notes.n_mention == 1); /* what stands in the brackets says the same again */
    med_notes_free(&notes);
    med_lexicon_free(words);
    med_kb_free(small);
}

/* The reading that an abbreviation did not get is named. */
static void test_other_reading(void)
{
    static const struct {
        const char *text, *finding, *other;
    } table[] = {{"Echo: VSD and ASD.", "Atrial septal defect", "autism spectrum disorder"},
                 {"ASD and ADHD, special school.", "Autistic behavior", "atrial septal defect"},
                 {"An atrial septal defect (ASD) was seen. ADHD. At school: ASD.",
                  "Atrial septal defect", NULL},
                 {"He has GDD.", "Global developmental delay", NULL}};
    for (size_t i = 0; i < R1_COUNT(table); i++) {
        med_notes n;
        const char *s = table[i].text;
        uint32_t term = term_named(kb, table[i].finding, strlen(table[i].finding)), at = 0;
        R1_ASSERT_OK(med_notes_read(&n, lex, kb, "other", s, strlen(s), &err), &err);
        for (uint32_t k = 0; k < n.n_mention; k++)
            if (n.mention[k].term == term) at = k + 1;
        CU_ASSERT_FATAL(at > 0);
        const char *other = n.mention[at - 1].other;
        bool same = table[i].other ? other && strcmp(other, table[i].other) == 0 : !other;
        if (!same) fprintf(stderr, "\"%s\": other \"%s\"\n", s, other ? other : "");
        CU_ASSERT(same);
        med_notes_free(&n);
    }
}

/* ---- the scorer ------------------------------------------------------------------------------ */

static void put_corpus(const char *folder, const char *name, const char *text)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", r1_test_in_tmp("corpus"), folder);
    mkdir(r1_test_in_tmp("corpus"), 0700);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/%s/%s", r1_test_in_tmp("corpus"), folder, name);
    R1_ASSERT_OK(r1_file_write(path, text, strlen(text), &err), &err);
}

/* Three mentions over two gold spans, the first of which holds two: two are right. */
static void test_one_span_one_mention(void)
{
    med_eval_annotate_result r;
    put_corpus("corpus", "a", "Seizures and more seizures. Later seizures.");
    put_corpus("ann", "a",
               "0\t26\tSeizures and more seizures\tHP:0001250\n"
               "34\t42\tseizures\tHP:0001250\n");
    R1_ASSERT_OK(med_eval_annotate("id68", r1_test_in_tmp("corpus"), kb, lex, false, &r, &err),
                 &err);
    CU_ASSERT_EQUAL(r.predicted, 3);
    CU_ASSERT_EQUAL(r.gold, 2);
    CU_ASSERT_DOUBLE_EQUAL(r.precision, 2. / 3, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(r.recall, 1, 1e-9);
}

/* ---- the files of words ---------------------------------------------------------------------- */

static void test_forms_file_faults(void)
{
    static const struct {
        const char *text, *says;
    } table[] = {
        {"stop\tthe|a\nstops\tan\n", "w.tsv:2: expected a kind and words, a tab between"},
        {"stop the\n", "w.tsv:1: expected a kind and words"},
        {"stop\tthe\tan\n", "w.tsv:1: expected no second tab"},
        {"same\tkidney|renal\n", "w.tsv:1: expected a second tab"},
        {"same\t\trenal\n", "w.tsv:1: expected a word before the second tab"},
        {"light\tvery much\n", "w.tsv:1: expected a word, found \"very much\""},
        {"stop\tthe||a\n", "w.tsv:1: expected a word"},
        {"same\ta1\tb1\nsame\ta2\tb1\n", "w.tsv:2: expected a word that no line yet gives another"},
        {"stop\tthe\nwithin\tae\te\n", "w.tsv:2: expected spelling before words"},
        {"within\ta\te\n", "w.tsv:1: expected letters and letters"},
        {"name\tHP:1\t|x\n", "w.tsv:1: expected a word"},
        {"vague\tall||fall\n", "w.tsv:1: expected a name"},
        {"stop\tthe\r\n", "w.tsv:1: expected a line that ends with a line feed alone"},
        {"organ\tHP:1\trenal\ntrouble\tdefect\n", "w.tsv:1: expected words of trouble before"},
        {"also\tvery lower limb\tleg\n", "w.tsv:1: expected one word or two"},
    };
    for (size_t i = 0; i < R1_COUNT(table); i++) {
        med_forms *w = NULL;
        const char *s = table[i].text;
        CU_ASSERT_EQUAL(med_forms_new(&w, "w.tsv", s, strlen(s), &err), R1_E_FORMAT);
        if (!strstr(err.msg, table[i].says)) fprintf(stderr, "%zu: %s\n", i, err.msg);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, table[i].says));
    }
}

static void test_abbreviation_file_faults(void)
{
    static const struct {
        const char *text, *says;
    } table[] = {
        {"ASD\tHP:1\tx\tdefault\n", "a.tsv:1: expected five columns, tabs between"},
        {"# a\nASD\t\tx\tdefault\t-\n", "a.tsv:2: expected no empty column"},
        {"Asd\tHP:1\tx\tdefault\t-\n", "a.tsv:1: expected an abbreviation in capitals"},
        {"ASD\tHP:1\tx\tpreset\t-\n", "a.tsv:1: expected default or context, found \"preset\""},
        {"ASD\tHP:1\tx\tdefault\techo||vsd\n", "a.tsv:1: expected a word"},
        {"ASD\tHP:1\tx\tdefault\t-\nASD\tHP:2\ty\tdefault\t-\n",
         "a.tsv:2: expected one default reading, found \"y\""},
        {"ASD\tHP:1\tx\tdefault\t-\nMR\tHP:2\ty\tdefault\t-\nASD\tHP:3\tz\tcontext\t-\n",
         "a.tsv:3: expected the readings of an abbreviation together"},
        {"ASD\tHP:1\tx\tcontext\t-\nASD\tHP:2\ty\tcontext\t-\nASD\tHP:1\tx\tcontext\techo\n",
         "a.tsv:3: expected the lines of a reading together"},
    };
    for (size_t i = 0; i < R1_COUNT(table); i++) {
        med_abbreviations *a = NULL;
        const char *s = table[i].text;
        CU_ASSERT_EQUAL(med_abbreviations_new(&a, "a.tsv", s, strlen(s), &err), R1_E_FORMAT);
        if (!strstr(err.msg, table[i].says)) fprintf(stderr, "%zu: %s\n", i, err.msg);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, table[i].says));
    }
    CU_ASSERT(med_abbreviations_count(med_lexicon_abbreviations(lex)) > 30);
}

/* ---- mistyped words -------------------------------------------------------------------------- */

/* Each single edit of a word leads back to it; an ordinary word and two edits do not. */
static void test_mistyped(void)
{
    static const char *const words[] = {"microcephaly", "nystagmus", "hypertonia", "dysphagia"};
    med_typos *t = NULL;
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    R1_ASSERT_OK(med_typos_new(&t, "# ordinary\ndysphasia\n", 21, R1_COUNT(words), &err), &err);
    for (uint32_t i = 0; i < R1_COUNT(words); i++)
        R1_ASSERT_OK(med_typos_add(t, words[i], strlen(words[i]), i, &err), &err);
    for (int round = 0; round < 2000; round++) {
        uint32_t i = (uint32_t)r1_rng_below(&rng, R1_COUNT(words));
        char s[32];
        size_t n = strlen(words[i]), at = 1 + r1_rng_below(&rng, n - 2);
        memcpy(s, words[i], n + 1);
        switch (r1_rng_below(&rng, 4)) {
        case 0: memmove(s + at, s + at + 1, n - at); break;
        case 1: s[at] = 'q'; break;
        case 2:
            memmove(s + at + 1, s + at, n - at + 1);
            s[at] = 'q';
            break;
        default: s[at] = words[i][at + 1]; s[at + 1] = words[i][at];
        }
        CU_ASSERT(strcmp(s, words[i]) == 0 || med_typos_find(t, s, strlen(s)) == i);
    }
    CU_ASSERT_EQUAL(med_typos_find(t, "dysphasia", 9), MED_NONE);
    CU_ASSERT_EQUAL(med_typos_find(t, "nystgm", 6), MED_NONE);
    CU_ASSERT_EQUAL(med_typos_find(t, "hypotonia", 9), MED_NONE); /* two edits */
    med_typos_free(t);
}

R1_TEST_MAIN("medical recognition", {"ready", recognise_ready}, {"lines", test_recognition_lines},
             {"label lines", test_label_lines}, {"other reading", test_other_reading},
             {"one span, one mention", test_one_span_one_mention},
             {"words file faults", test_forms_file_faults},
             {"abbreviations file faults", test_abbreviation_file_faults},
             {"mistyped words", test_mistyped}, {"done", recognise_done})
