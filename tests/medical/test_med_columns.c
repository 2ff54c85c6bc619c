/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_columns.c - prose in columns side by side, as text and as a PDF, is read column after
 * column; a table and a text of one column stay as they are. */
#include "documents/med_document.h"
#include "medical/read_lines.h"
#include "ontology/med_sources.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

static r1_err err;
static med_kb *kb;
static med_lexicon *lex;

static const char *const left[] = {
    "Thank you for referring this girl",    "who is four years old. She has had",
    "seizures for two years, and there is", "no history of ptosis or tremor in",
    "the patient. The lens was seen, and",  "ectopia lentis was found. She walks",
    "without help. Her mother is well and", "her father is healthy. She has no"};
static const char *const right[] = {
    "ataxia and no hypotonia. Her spine",   "shows scoliosis of thirty degrees,",
    "and the palate is high. Her liver is", "not enlarged. There was no kyphosis",
    "of the spine. Her growth is normal,",  "and we will see her again in a year",
    "together with our colleagues, when",   "the results of all tests are known."};
enum { LINES = R1_COUNT(left) };

static void columns_open(void)
{
    if (kb) return;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_lexicon_new(&lex, kb, &err), &err);
}

static bool columns_said(const med_document *d)
{
    for (uint32_t i = 0; i < d->n_note; i++)
        if (strstr(d->note[i], "columns side by side")) return true;
    return false;
}

static void check_columns(const char *what, const char *s, size_t len)
{
    static const struct {
        const char *name, *status;
    } wanted[] = {{"Seizure", "present"},        {"Ptosis", "absent"}, {"Tremor", "absent"},
                  {"Ectopia lentis", "present"}, {"Ataxia", "absent"}, {"Hypotonia", "absent"},
                  {"Scoliosis", "present"}};
    med_document d;
    med_notes n;
    columns_open();
    R1_ASSERT_OK(med_document_read(&d, what, s, len, &err), &err);
    R1_ASSERT_OK(med_document_notes(&d, lex, kb, what, &n, &err), &err);
    CU_ASSERT(columns_said(&d));
    for (size_t i = 0; i < R1_COUNT(wanted); i++) {
        uint32_t term = term_named(kb, wanted[i].name, strlen(wanted[i].name));
        bool good = read_as(&n, term, wanted[i].status, strlen(wanted[i].status));
        if (!good) fprintf(stderr, "%s: %s\n%s\n", what, wanted[i].name, d.text);
        CU_ASSERT(good);
    }
    med_notes_free(&n);
    med_document_free(&d);
}

/* gap: blanks between the widest left line and the right column; apart: lines stand at different
 * heights; around: lines over and under the columns. */
static void check_text(uint32_t gap, bool apart, bool around, const char *end)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (around)
        fprintf(f, "Letter of a clinic of genetics to all who see this patient%s%s", end, end);
    for (int i = 0; i < LINES; i++) {
        if (apart)
            fprintf(f, "%s%s%*s%s%s", left[i], end, (int)(36 + gap), "", right[i], end);
        else
            fprintf(f, "%-*s%s%s", (int)(36 + gap), left[i], right[i], end);
    }
    if (around)
        fprintf(f, "%sKind regards from all of us in this clinic of the hospital.%s", end, end);
    fclose(f);
    check_columns("text", text, len);
    free(text);
}

static void test_text(void)
{
    for (uint32_t gap = 2; gap < 12; gap += 3)
        for (int k = 0; k < 8; k++) check_text(gap, k & 1, k & 2, k & 4 ? "\r\n" : "\n");
}

static void put_stream(FILE *f, int x, int y, const char *const *line)
{
    fprintf(f, "BT /F1 10 Tf %d %d Td ", x, y);
    for (int i = 0; i < LINES; i++) fprintf(f, "(%s) Tj 0 -14 Td ", line[i]);
    fputs("ET\n", f);
}

/* Two pages, each with both columns; the right one a little lower. */
static void test_pdf(void)
{
    char *text = NULL, *stream = NULL;
    size_t len = 0, n = 0;
    FILE *f = open_memstream(&stream, &n);
    put_stream(f, 60, 720, left);
    put_stream(f, 330, 720, right);
    fclose(f);
    f = open_memstream(&text, &len);
    fprintf(f,
            "%%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type "
            "/Pages /Kids [3 0 R 3 0 R] /Count 2 >>\nendobj\n3 0 obj\n<< /Type /Page /Parent 2 0 "
            "R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>\n"
            "endobj\n4 0 obj\n<< /Length %zu >>\nstream\n%s\nendstream\nendobj\n5 0 obj\n<< "
            "/Type /Font /Subtype /Type1 /BaseFont /Helvetica >>\nendobj\ntrailer << /Root 1 0 R "
            ">>\n%%%%EOF\n",
            n, stream);
    fclose(f);
    check_columns("pdf", text, len);
    free(text);
    free(stream);
}

/* What is no prose in columns. */
static void test_kept(void)
{
    static const char *const texts[] = {
        "Seizures          no\nPtosis            yes\nAtaxia            no\nTremor            no\n"
        "Scoliosis         yes\n",
        "Eyes              No ptosis was seen, and no cataract\n"
        "Heart             A murmur was heard at the left side\n"
        "Spine             Scoliosis of thirty degrees was seen\n"
        "Tone              Hypotonia, which is worse than before\n"
        "Gait              Ataxia of gait, she needs some help\n",
        "Sodium      140    mmol/l    135 - 145\nPotassium   4.1    mmol/l    3.5 - 5.0\n"
        "Creatinine  60     umol/l    45 - 80\nUrea        5      mmol/l    2.5 - 7.8\n"
        "Bilirubin   8      umol/l    0 - 21\n",
        "There is no   history of seizures and\nno   ataxia was seen in the patient. He\nhas   "
        "scoliosis, and his sister is well.\nThere   are no other findings in this\npatient   who "
        "is seen in our clinic again.\n",
        "                    Indented text that goes on\n                    for some lines and is "
        "one\n                    column alone, as letters\n                    have it.\n"};
    columns_open();
    for (size_t i = 0; i < R1_COUNT(texts); i++) {
        med_document d;
        R1_ASSERT_OK(med_document_read(&d, "kept", texts[i], strlen(texts[i]), &err), &err);
        CU_ASSERT(!columns_said(&d));
        CU_ASSERT_STRING_EQUAL(d.text, texts[i]);
        med_document_free(&d);
    }
}

/* Any blanks between any words end, and lose no word. */
static void test_random(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int round = 0; round < 300; round++) {
        char *text = NULL;
        size_t len = 0, words = 0, read = 0;
        med_document d;
        FILE *f = open_memstream(&text, &len);
        for (int i = 0; i < 400; i++) {
            fputs(i % 3 ? "the" : "ataxia", f);
            words++;
            uint64_t blanks = r1_rng_below(&rng, 9);
            if (blanks == 8)
                fputs(r1_rng_below(&rng, 4) ? "\n" : "\n\f", f);
            else
                fprintf(f, "%*s", (int)(blanks < 5 ? 1 : blanks * 3), "");
        }
        fclose(f);
        R1_ASSERT_OK(med_document_read(&d, "random", text, len, &err), &err);
        for (const char *s = d.text; *s; s += strcspn(s, " \n\f")) {
            s += strspn(s, " \n\f");
            read += *s != '\0';
        }
        CU_ASSERT_EQUAL(read, words);
        med_document_free(&d);
        free(text);
    }
}

R1_TEST_MAIN("columns", {"text", test_text}, {"pdf", test_pdf}, {"kept", test_kept},
             {"random", test_random})
