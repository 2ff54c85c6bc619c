/* SPDX-License-Identifier: Apache-2.0 */
/* med_relatives.c - see med_relatives.h. */
#include "notes/med_relatives.h"

#include <string.h>

enum { FIRST_TOKENS = 16, REFER_TOKENS = 3, CUE_TOKENS = 24 };

static uint16_t relatives_word(const med_cues *c, const char *text, const med_token *t)
{
    char w[MED_WORD_BYTES];
    return t->punct ? 0 : med_cues_word(c, w, med_token_text(text, t, w));
}

static bool relatives_is(const char *text, const med_token *t, const char *word)
{
    char w[MED_WORD_BYTES];
    size_t n = med_token_text(text, t, w);
    return strlen(word) == n && memcmp(w, word, n) == 0;
}

static med_sex relatives_pronoun(const char *text, const med_token *t)
{
    return relatives_is(text, t, "she")  ? MED_SEX_FEMALE
           : relatives_is(text, t, "he") ? MED_SEX_MALE
                                         : MED_SEX_UNKNOWN;
}

/* "She reports", "he denies", "they are worried": who tells is not who has it. */
static bool relatives_tell(const med_cues *c, const char *text, const med_token *t, uint32_t n,
                           uint32_t at)
{
    for (uint32_t i = at + 1; i < n && i <= at + 3; i++) {
        uint16_t w = relatives_word(c, text, &t[i]);
        if (t[i].punct) return false;
        if (med_cues_is(c, "report", w) || med_cues_is(c, "deny", w) || med_cues_is(c, "ask", w) ||
            med_cues_is(c, "notice", w) || relatives_is(text, &t[i], "worried") ||
            relatives_is(text, &t[i], "concerned"))
            return true;
    }
    return false;
}

bool med_relatives_go_on(const med_relatives *r, const med_cues *c, const char *text,
                         const med_token *t, uint32_t n, med_sex patient, uint32_t *at)
{
    med_sex own = r->patient ? r->patient : patient;
    if (!r->cue.end) return false;
    for (uint32_t i = 0; i < n && i < REFER_TOKENS; i++) {
        med_sex sex = relatives_pronoun(text, &t[i]);
        bool alone = sex && sex == r->sex && own && own != sex && !r->several;
        bool each = r->several && !sex && med_cues_is(c, "each", relatives_word(c, text, &t[i])) &&
                    (i == 0 || (i == 1 && relatives_is(text, &t[0], "the")));
        *at = i;
        if (alone || each) return !relatives_tell(c, text, t, n, i);
        if (sex) return false;
    }
    return false;
}

bool med_relatives_named(const med_cues *c, const char *text, const med_token *t, uint32_t n)
{
    for (uint32_t i = 0; i < n && i < FIRST_TOKENS; i++)
        if (med_cues_is(c, "rel", relatives_word(c, text, &t[i]))) return true;
    return false;
}

void med_relatives_take(med_relatives *r, const med_cues *c, const char *text, const med_scope *s,
                        uint32_t section)
{
    const med_scope_cue *cue = &s->relative;
    med_token t[CUE_TOKENS];
    uint32_t next, named = 0;
    *r = (med_relatives){.section = section};
    if (!cue->end) return;
    uint32_t n =
        med_tokenize(NULL, text, cue->start, cue->end, (med_token_rules){0}, t, CUE_TOKENS, &next);
    for (uint32_t i = 0; i < n; i++) {
        uint16_t w = relatives_word(c, text, &t[i]);
        bool woman = med_cues_is(c, "woman", w), man = med_cues_is(c, "man", w);
        r->several |= med_cues_is(c, "several", w);
        named += woman || man;
        if (woman || man) r->sex = woman ? MED_SEX_FEMALE : MED_SEX_MALE;
    }
    r->several |= named > 1;
    if (named || r->several) r->cue = *cue;
    uint32_t before = cue->start < 4 ? 0 : cue->start - 4;
    if (cue->start >= 4) {
        r->patient = strncasecmp(text + before, "his ", 4) == 0   ? MED_SEX_MALE
                     : strncasecmp(text + before, "her ", 4) == 0 ? MED_SEX_FEMALE
                                                                  : MED_SEX_UNKNOWN;
    }
}
