/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_language.c - records in other languages than English are refused by name, foreign
 * sentences of an English one are left out and told, and English with foreign names is read. */
#include "documents/med_document.h"
#include "support/r1_test.h"

#include <stdlib.h>
#include <string.h>

static r1_err err;

static void test_refused(void)
{
    static const struct {
        const char *text, *language;
    } table[] = {
        {"Der Patient ist ein 4-j\u00e4hriger Junge mit Krampfanf\u00e4llen. Keine Ataxie.",
         "German"},
        {"Krampfanf\u00e4lle seit dem 2. Lebensjahr, keine Ataxie.", "German"},
        {"- Krampfanf\u00e4lle\n- Mikrozephalie\n- Sehst\u00f6rung\n- Schwerh\u00f6rigkeit\n",
         "German"},
        {"Anamnese: Epilepsie. Befund: Ataxie, Nystagmus. Keine Ptosis.", "German"},
        {"Department of Genetics\nUniversity Hospital\nDate: 12/03/2024   MRN: 12345\nDiagnosis: "
         "epilepsy\n\nDie Patientin zeigt eine Mikrozephalie. Sie hat keine Anf\u00e4lle. Die "
         "Mutter "
         "ist gesund.",
         "German"},
        {"Paciente var\u00f3n de 4 a\u00f1os con crisis epil\u00e9pticas. No tiene ataxia.",
         "Spanish"},
        {"Paciente varon de 4 anos con crisis epilepticas. No tiene ataxia. Madre con migrana.",
         "Spanish"},
        {"Convulsiones desde los dos a\u00f1os, sin ataxia. Retraso psicomotor.", "Spanish"},
        {"Clinical summary\nPatient: 4 years, male.\nNi\u00f1o de 4 a\u00f1os que presenta "
         "convulsiones y "
         "retraso del desarrollo. No hay ataxia. La madre tiene migra\u00f1a.",
         "Spanish"},
        {"Gar\u00e7on de 4 ans qui pr\u00e9sente une \u00e9pilepsie. Pas d'ataxie.", "French"},
        {"\u00c9pilepsie, ataxie, microc\u00e9phalie. Absence de surdit\u00e9. Retard de langage.",
         "French"},
        {"Il paziente \u00e8 un bambino di 4 anni con crisi epilettiche. Non ha atassia.",
         "Italian"},
        {"O menino de 4 anos apresenta crises e n\u00e3o tem ataxia.", "Portuguese"},
        {"De pati\u00ebnt is een jongen van 4 jaar met epilepsie. Geen ataxie.", "Dutch"},
    };
    for (size_t i = 0; i < R1_COUNT(table); i++) {
        med_document d;
        const char *s = table[i].text;
        r1_status st = med_document_read(&d, "record", s, strlen(s), &err);
        if (st != R1_E_FORMAT || !strstr(err.msg, table[i].language)) fprintf(stderr, "%s\n", s);
        CU_ASSERT_EQUAL(st, R1_E_FORMAT);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, table[i].language));
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "translate it"));
        med_document_free(&d);
    }
}

/* A foreign sentence between English ones: it is not read, and its line is told. */
static void test_mixed(void)
{
    static const struct {
        const char *text, *note, *gone, *kept;
    } table[] = {
        {"The patient is a boy with seizures. He has no ataxia and he walks well.\nDie Mutter hat "
         "eine Epilepsie und keine Ataxie.\nHe has ptosis, and the tone is low.\n",
         "German were not read: 1, in line 2.", "Mutter", "He has ptosis"},
        {"The boy was seen with his mother. She says that he has ataxia. La madre dice que el "
         "ni\u00f1o tiene convulsiones desde hace dos a\u00f1os. He walks well and there is no "
         "tremor.",
         "Spanish were not read: 1, in line 1.", "convulsiones", "no tremor"},
        {"The girl has seizures, and she was seen by us.\n\nLa m\u00e8re a des migraines depuis "
         "l'enfance "
         "et le p\u00e8re est en bonne sant\u00e9. Pas de surdit\u00e9.\n\nShe has no ataxia, and "
         "her gait is "
         "normal. The hearing was tested and it is normal.\n",
         "French were not read: 2, in line 3, 3.", "surdit", "no ataxia"},
    };
    for (size_t i = 0; i < R1_COUNT(table); i++) {
        med_document d;
        const char *s = table[i].text;
        bool told = false;
        R1_ASSERT_OK(med_document_read(&d, "record", s, strlen(s), &err), &err);
        for (uint32_t k = 0; k < d.n_note; k++) told |= strstr(d.note[k], table[i].note) != NULL;
        if (!told) fprintf(stderr, "%s: %s\n", s, d.n_note ? d.note[0] : "no note");
        CU_ASSERT(told);
        CU_ASSERT_EQUAL(d.len, strlen(s));
        CU_ASSERT_PTR_NULL(strstr(d.text, table[i].gone));
        CU_ASSERT_PTR_NOT_NULL_FATAL(strstr(d.text, table[i].kept));
        CU_ASSERT_EQUAL(strstr(d.text, table[i].kept) - d.text, strstr(s, table[i].kept) - s);
        med_document_free(&d);
    }
}

static void test_english(void)
{
    static const char *const texts[] = {
        "Cornelia de Lange syndrome, van der Woude syndrome.",
        "M\u00e9ni\u00e8re disease, Sj\u00f6gren syndrome.",
        "Dr. von der Heide, La Paz, de la Cruz saw the patient. Ataxia.",
        "Caf\u00e9-au-lait spots, na\u00efve, Guillain-Barr\u00e9.",
        "G2 P1 para 2. Con: none. El Paso. Seizures, ataxia.",
        "No ataxia, no tremor, no ptosis, no fever, no rash, no cough.",
        "Na 140, K 4, ALT 30. EEG normal. MRI brain normal. ECG normal.",
        "Charcot-Marie-Tooth disease, Legg-Calv\u00e9-Perthes disease, cri du chat.",
        "Seizures\nAtaxia\nPtosis\nNystagmus\nScoliosis\n"};
    for (size_t i = 0; i < R1_COUNT(texts); i++) {
        med_document d;
        R1_ASSERT_OK(med_document_read(&d, "record", texts[i], strlen(texts[i]), &err), &err);
        CU_ASSERT_EQUAL(d.n_note, 0);
        CU_ASSERT_STRING_EQUAL(d.text, texts[i]);
        med_document_free(&d);
    }
}

R1_TEST_MAIN("language", {"refused", test_refused}, {"mixed", test_mixed},
             {"English", test_english})
