/* SPDX-License-Identifier: Apache-2.0 */
/* med_words.c - see med_words.h. */
#include "report/med_words.h"

#include "r1_assert.h"

#include <stddef.h>
#include <string.h>

static const char *const words_chinese[MED_WORD_COUNT] = {
#define MED_WORDS_ROW(id, en, zh) [MED_WORD_##id] = zh,
    MED_WORDS(MED_WORDS_ROW)
#undef MED_WORDS_ROW
};

const char *med_words_in(med_words_language language, med_word word, const char *english)
{
    R1_ASSERT(language < MED_WORDS_LANGUAGES && word < MED_WORD_COUNT, "word %d in language %d",
              (int)word, (int)language);
    return language == MED_WORDS_ZH ? words_chinese[word] : english;
}

/* Names that other rooms give, and the words for them. */
#define WORDS_NAMED(name, id)                                                                      \
    {                                                                                              \
        (name), MED_WORD_##id, med_english_##id                                                    \
    }
static const struct {
    const char *name;
    med_word word;
    const char *english;
} words_named[] = {
    WORDS_NAMED("female", FEMALE),
    WORDS_NAMED("male", MALE),
    WORDS_NAMED("unknown", SEX_UNKNOWN),
    WORDS_NAMED("present", PRESENT),
    WORDS_NAMED("absent", ABSENT),
    WORDS_NAMED("family", FAMILY),
    WORDS_NAMED("historical", HISTORICAL),
    WORDS_NAMED("hypothetical", HYPOTHETICAL),
    WORDS_NAMED("uncertain", UNCERTAIN),
    WORDS_NAMED("(start)", SECTION_START),
    WORDS_NAMED("Other", SECTION_OTHER),
    WORDS_NAMED("History of present illness", SECTION_PRESENT),
    WORDS_NAMED("Past medical history", SECTION_PAST),
    WORDS_NAMED("Family history", SECTION_FAMILY),
    WORDS_NAMED("Physical examination", SECTION_EXAMINATION),
    WORDS_NAMED("Laboratory", SECTION_LABORATORY),
    WORDS_NAMED("Imaging", SECTION_IMAGING),
    WORDS_NAMED("Assessment", SECTION_ASSESSMENT),
    WORDS_NAMED("Plan", SECTION_PLAN),
    WORDS_NAMED("Medications", SECTION_MEDICATIONS),
    WORDS_NAMED("Social history", SECTION_SOCIAL),
    WORDS_NAMED("prior", STEP_PRIOR),
    WORDS_NAMED("fit", STEP_FIT),
    WORDS_NAMED("findings", STEP_FINDINGS),
    WORDS_NAMED("match", STEP_MATCH),
    WORDS_NAMED("typical", STEP_TYPICAL),
    WORDS_NAMED("against", STEP_AGAINST),
    WORDS_NAMED("denied", STEP_DENIED),
};

const char *med_words_of(med_words_language language, const char *name)
{
    for (size_t i = 0; name && i < sizeof words_named / sizeof *words_named; i++)
        if (strcmp(words_named[i].name, name) == 0)
            return med_words_in(language, words_named[i].word, words_named[i].english);
    return name;
}
