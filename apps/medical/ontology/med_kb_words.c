/* SPDX-License-Identifier: Apache-2.0 */
/* med_kb_words.c - words of HPO, Orphanet and our own files for onset and inheritance. */
#include "ontology/med_kb_build.h"

#include <string.h>

static bool word_in(const char *s, size_t len, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= len; i++) {
        size_t j = 0;
        while (j < n && (s[i + j] | 32) == (word[j] | 32)) j++;
        if (j == n) return true;
    }
    return false;
}

typedef struct {
    const char *word;
    uint32_t mask;
} mask_word;

static uint32_t mask_of(const mask_word *w, size_t n, const char *s, size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (word_in(s, len, w[i].word)) return w[i].mask;
    return 0;
}

uint32_t med_onset_mask(const char *s, size_t len)
{
    static const mask_word w[] = {{"HP:0030674", MED_ONSET_ANTENATAL},
                                  {"HP:0011460", MED_ONSET_ANTENATAL},
                                  {"HP:0011461", MED_ONSET_ANTENATAL},
                                  {"HP:0034197", MED_ONSET_ANTENATAL},
                                  {"HP:0034198", MED_ONSET_ANTENATAL},
                                  {"HP:0034199", MED_ONSET_ANTENATAL},
                                  {"HP:0003577", MED_ONSET_NEONATAL},
                                  {"HP:0003623", MED_ONSET_NEONATAL},
                                  {"HP:0003593", MED_ONSET_INFANCY},
                                  {"HP:0011463", MED_ONSET_CHILD},
                                  {"HP:0003621", MED_ONSET_TEEN},
                                  {"HP:0003581", MED_ONSET_ADULT},
                                  {"HP:0011462", MED_ONSET_ADULT},
                                  {"HP:0003596", MED_ONSET_ADULT},
                                  {"HP:00257", MED_ONSET_ADULT},
                                  {"HP:0003584", MED_ONSET_LATE},
                                  {"antenatal", MED_ONSET_ANTENATAL},
                                  {"neonat", MED_ONSET_NEONATAL},
                                  {"congenital", MED_ONSET_NEONATAL},
                                  {"infan", MED_ONSET_INFANCY},
                                  {"child", MED_ONSET_CHILD},
                                  {"adolescent", MED_ONSET_TEEN},
                                  {"juvenile", MED_ONSET_TEEN},
                                  {"elderly", MED_ONSET_LATE},
                                  {"late", MED_ONSET_LATE},
                                  {"adult", MED_ONSET_ADULT},
                                  {"all ages", 127}};
    return mask_of(w, R1_COUNT(w), s, len);
}

uint32_t med_inheritance_mask(const char *s, size_t len)
{
    static const mask_word w[] = {{"HP:0000006", MED_INHERIT_AD},
                                  {"HP:0000007", MED_INHERIT_AR},
                                  {"HP:0001423", MED_INHERIT_XLD},
                                  {"HP:0001419", MED_INHERIT_XLR},
                                  {"HP:0001417", MED_INHERIT_XLD | MED_INHERIT_XLR},
                                  {"HP:0001427", MED_INHERIT_MT},
                                  {"HP:0001450", MED_INHERIT_Y},
                                  {"HP:0003745", MED_INHERIT_SPORADIC},
                                  {"HP:0001426", MED_INHERIT_MULTI},
                                  {"HP:0010982", MED_INHERIT_MULTI},
                                  {"autosomal dominant", MED_INHERIT_AD},
                                  {"autosomal recessive", MED_INHERIT_AR},
                                  {"x-linked dominant", MED_INHERIT_XLD},
                                  {"x-linked recessive", MED_INHERIT_XLR},
                                  {"x-linked", MED_INHERIT_XLD | MED_INHERIT_XLR},
                                  {"mitochondrial", MED_INHERIT_MT},
                                  {"y-linked", MED_INHERIT_Y},
                                  {"multigenic", MED_INHERIT_MULTI},
                                  {"multifactorial", MED_INHERIT_MULTI},
                                  {"sporadic", MED_INHERIT_SPORADIC}};
    return mask_of(w, R1_COUNT(w), s, len);
}
