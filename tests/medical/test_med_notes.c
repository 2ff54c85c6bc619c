/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_notes.c - status of findings in sentences of the kinds that NegEx (Chapman et al.
 * 2001), ConText and the open issues of their users describe; recognition of variants and
 * coordination; laboratory values; bad records. */
#include "notes/med_notes.h"
#include "ontology/med_sources.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_err err;
static med_kb *kb;
static med_lexicon *lex;

static void med_notes_ready(void)
{
    if (kb) return;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&lex, kb, &err), &err);
}

/* The status of the finding of that name in the text; -1 where it is not recognised. */
static int status_of(const char *text, const char *name)
{
    med_notes n;
    int status = -1;
    med_notes_ready();
    R1_ASSERT_OK(med_notes_read(&n, lex, kb, "test", text, strlen(text), &err), &err);
    for (uint32_t i = 0; i < n.n_mention && status < 0; i++)
        if (strcmp(med_str(kb, kb->term[n.mention[i].term].name), name) == 0)
            status = (int)n.mention[i].status;
    med_notes_free(&n);
    return status;
}

static void test_status(void)
{
    static const struct {
        const char *text, *finding;
        int status;
    } table[] = {
        {"The patient has seizures.", "Seizure", MED_PRESENT},
        {"Hematuria was never seen.", "Hematuria", MED_ABSENT},
        {"The wall is thin, which excludes dilated cardiomyopathy.", "Dilated cardiomyopathy",
         MED_ABSENT},
        {"Micrognathia is questionable.", "Micrognathia", MED_UNCERTAIN},
        {"No polydactyly, slight syndactyly of the toes.", "Syndactyly", MED_PRESENT},
        {"No polydactyly, syndactyly or clinodactyly.", "Syndactyly", MED_ABSENT},
        {"He has absent smile, seizures and ataxia.", "Ataxia", MED_PRESENT},
        {"Broad thumbs were looked for.", "Broad thumb", MED_HYPOTHETICAL},
        {"Normal eyes.", "Abnormality of the eye", MED_ABSENT},
        {"Eyes: normal ears.", "Abnormality of the ear", MED_ABSENT},
        {"The patient denies headache.", "Headache", MED_ABSENT},
        {"No seizures, vomiting, or fever.", "Fever", MED_ABSENT},
        {"No headache but has fever.", "Fever", MED_PRESENT},
        {"No headache but has fever.", "Headache", MED_ABSENT},
        {"Fever: none", "Fever", MED_ABSENT},
        {"Jaundice: No", "Jaundice", MED_ABSENT},
        {"Seizures were ruled out.", "Seizure", MED_ABSENT},
        {"There is no evidence of scoliosis.", "Scoliosis", MED_ABSENT},
        {"There was no increase in vomiting.", "Vomiting", MED_PRESENT},
        {"Not only seizures but also ataxia.", "Seizure", MED_PRESENT},
        {"Examination without ataxia or tremor, however scoliosis.", "Scoliosis", MED_PRESENT},
        {"Absent tendon reflexes.", "Areflexia", MED_PRESENT},
        {"Her brother has cataract.", "Cataract", MED_FAMILY},
        {"Family history:\nMigraine in two generations.", "Migraine", MED_FAMILY},
        {"History of pneumothorax.", "Pneumothorax", MED_HISTORICAL},
        {"Return for chest pain or vomiting.", "Vomiting", MED_HYPOTHETICAL},
        {"Possible cataract on the left.", "Cataract", MED_UNCERTAIN},
        {"Glaucoma cannot be excluded.", "Glaucoma", MED_UNCERTAIN},
        {"Neither cleft palate nor craniosynostosis.", "Craniosynostosis", MED_ABSENT},
    };
    for (size_t i = 0; i < R1_COUNT(table); i++) {
        int got = status_of(table[i].text, table[i].finding);
        if (got != table[i].status)
            fprintf(stderr, "case %zu: \"%s\" %s: got %d, expected %d\n", i, table[i].text,
                    table[i].finding, got, table[i].status);
        CU_ASSERT_EQUAL(got, table[i].status);
    }
}

static void test_recognition(void)
{
    CU_ASSERT_EQUAL(status_of("Short fingers and toes.", "Brachydactyly"), MED_PRESENT);
    CU_ASSERT_EQUAL(status_of("Short fingers and toes.", "Short toe"), MED_PRESENT);
    CU_ASSERT_EQUAL(status_of("A microcephalic child.", "Microcephaly"), MED_PRESENT);
    CU_ASSERT_EQUAL(status_of("Subluxation of the lens was seen.", "Ectopia lentis"), MED_PRESENT);
    CU_ASSERT_EQUAL(status_of("Marked hypotonia.", "Hypotonia"), MED_PRESENT);
    CU_ASSERT_EQUAL(status_of("He had a VSD.", "Ventricular septal defect"), MED_PRESENT);
    CU_ASSERT_EQUAL(status_of("We asd him.", "Atrial septal defect"), -1);
    CU_ASSERT_EQUAL(status_of("Kidney cysts.", "Renal cyst"), MED_PRESENT);
}

static void test_labs(void)
{
    CU_ASSERT_EQUAL(status_of("Hemoglobin was 7.2 g/dL.", "Anemia"), MED_PRESENT);
    CU_ASSERT_EQUAL(status_of("Hemoglobin was 13.2 g/dL.", "Anemia"), -1);
    CU_ASSERT_EQUAL(status_of("Platelets 23,000 /uL", "Thrombocytopenia"), MED_PRESENT);
    CU_ASSERT_EQUAL(status_of("Sodium 128 mmol/L", "Hyponatremia"), MED_PRESENT);
    CU_ASSERT_EQUAL(status_of("CK 5400 U/L", "Elevated circulating creatine kinase concentration"),
                    MED_PRESENT);
    CU_ASSERT_EQUAL(status_of("Hemoglobin was 7.2 of something.", "Anemia"), -1);
}

static void test_person(void)
{
    med_notes n;
    static const char text[] =
        "A 4-year-old girl. Family history:\nHer brother is a 40-year-old man.";
    med_notes_ready();
    R1_ASSERT_OK(med_notes_read(&n, lex, kb, "test", text, sizeof text - 1, &err), &err);
    CU_ASSERT_EQUAL(n.sex, MED_SEX_FEMALE);
    CU_ASSERT(fabsf(n.age_years - 4) < .01f);
    med_notes_free(&n);
}

static void test_med_notes_bad_records(void)
{
    med_notes n;
    med_notes_ready();
    CU_ASSERT_EQUAL(med_notes_read(&n, lex, kb, "r", "", 0, &err), R1_E_FORMAT);
    CU_ASSERT_EQUAL(med_notes_read(&n, lex, kb, "r", " \n ", 3, &err), R1_E_FORMAT);
    CU_ASSERT_EQUAL(med_notes_read(&n, lex, kb, "r", "\x89PNG\r\n\x1a\n\0\0", 10, &err),
                    R1_E_FORMAT);
    CU_ASSERT_EQUAL(med_notes_read(&n, lex, kb, "r", "a\0b", 3, &err), R1_E_FORMAT);
    size_t big = (size_t)10 << 20;
    char *text = malloc(big);
    memset(text, 'a', big);
    CU_ASSERT_EQUAL(med_notes_read(&n, lex, kb, "r", text, big, &err), R1_E_FORMAT);
    for (size_t i = 0; i + 9 < big / 8; i += 9) memcpy(text + i, "seizures ", 9);
    R1_ASSERT_OK(med_notes_read(&n, lex, kb, "r", text, big / 8, &err), &err);
    med_notes_free(&n);
    free(text);
}

/* A mention outside of its sentence, in no sentence, and with a cue beyond the record. */
static void break_mention(void *ctx)
{
    med_notes n;
    const med_mention *m = ctx;
    R1_ASSERT_OK(med_notes_read(&n, lex, kb, "test", "She has seizures. No ataxia.", 28, &err),
                 &err);
    med_mention_add(&n, m, NULL);
    med_notes_free(&n);
}

static void test_spans_are_held(void)
{
    med_mention outside = {.sentence = 1, .start = 2, .end = 5},
                nowhere = {.sentence = 2, .start = 19, .end = 22},
                beyond = {.sentence = 1, .start = 19, .end = 22, .cue_start = 20, .cue_end = 99};
    med_notes_ready();
    CU_ASSERT(r1_test_breaks(break_mention, &outside, "in a sentence from"));
    CU_ASSERT(r1_test_breaks(break_mention, &nowhere, "sentence 2 of 2"));
    CU_ASSERT(r1_test_breaks(break_mention, &beyond, "cue: bytes 20 to 99 of 28"));
}

/* Names that each have a shorter form too, and the shorthand: as many as the table of names had
 * slots. A search for a name that is not there did not end. */
static void test_full_lexicon(void)
{
    med_kb *full = NULL;
    med_lexicon *x = NULL;
    med_notes n;
    char *xml = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&xml, &len);
    fputs("<r1-ontology version=\"1\"><findings>"
          "<finding id=\"R1:1\" name=\"r\" root=\"true\"/>",
          f);
    for (int i = 0; i < 511; i++) {
        char id[32];
        snprintf(id, sizeof id, "R1:x%d", i);
        if (i < 2) snprintf(id, sizeof id, "%s", i ? "HP:0001324" : "HP:0000729");
        fprintf(f,
                "<finding id=\"%s\" name=\"Abnormal q%d morphology\">"
                "<is-a finding=\"R1:1\"/></finding>",
                id, i);
    }
    fputs("</findings></r1-ontology>", f);
    fclose(f);
    const char *path = r1_test_in_tmp("full.xml");
    R1_ASSERT_OK(r1_file_write(path, xml, len, &err), &err);
    R1_ASSERT_OK(med_sources_open(&full, path, &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&x, full, &err), &err);
    R1_ASSERT_OK(med_notes_read(&n, x, full, "r", "Abnormal q17. Morphology of q9.", 31, &err),
                 &err);
    CU_ASSERT_EQUAL(n.n_mention, 1);
    med_notes_free(&n);
    med_lexicon_free(x);
    med_kb_free(full);
    free(xml);
}

static void test_end(void)
{
    med_lexicon_free(lex);
    med_kb_free(kb);
}

R1_TEST_MAIN("medical notes", {"status", test_status}, {"recognition", test_recognition},
             {"laboratory", test_labs}, {"person", test_person},
             {"bad records", test_med_notes_bad_records}, {"spans are held", test_spans_are_held},
             {"full lexicon", test_full_lexicon}, {"end", test_end})
