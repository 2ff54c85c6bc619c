/* SPDX-License-Identifier: Apache-2.0 */
/* med_language.c - in which language a text is written, by its function words and its letters.
 * The reader knows English alone: a finding of another language would be missed, and its denials
 * too. */
#include "documents/med_parts.h"

#include <ctype.h>
#include <string.h>
#include <utf8proc.h>

enum {
    LANGUAGE_WORDS_MIN = 12,
    LANGUAGE_WORD_BYTES = 12,
    LIST_BYTES = 200,
    LANGUAGE_KINDS_MIN = 4
};

/* The most usual small words. English shares some with others: "no" is Portuguese too. */
static const struct {
    const char *language, *words;
} languages[] = {
    {"English", " the of and with was is are has had he she his her this that from for not were "
                "been which at by on as it be or an to no do per in a "},
    {"German", " der die das und mit ist nicht ein eine von den dem des bei wurde keine kein im zu "
               "auf sich auch seit nach zeigt bestehen "},
    {"French", " le la les des est une et du avec pas dans pour sur au aux qui il elle ne sans "
               "depuis chez ans sont "},
    {"Spanish", " el los las del con que una por es se sin para como desde presenta y al su fue "
                "paciente "},
    {"Italian", " il di che con della del non una per si nel gli dei delle alla sono e anni "
                "paziente "},
    {"Portuguese", " o os as do da com que uma por em ao sem para foi apresenta paciente dos das "
                   "no na "},
    {"Dutch", " de het een van met niet en zijn bij werd geen op voor is aan ook sinds "},
    {"Polish", " i w z nie na do jest pacjent oraz od przez bez pacjentka "},
    {"Turkish", " ve bir bu ile olan hasta yok var olarak "},
};
static const struct {
    uint32_t from, to;
    const char *language;
} scripts[] = {{0x0370, 0x03ff, "Greek"},    {0x0400, 0x052f, "Russian or another Cyrillic script"},
               {0x0590, 0x05ff, "Hebrew"},   {0x0600, 0x06ff, "Arabic or Persian"},
               {0x0900, 0x097f, "Hindi"},    {0x0e00, 0x0e7f, "Thai"},
               {0x3040, 0x30ff, "Japanese"}, {0x4e00, 0x9fff, "Chinese or Japanese"},
               {0xac00, 0xd7af, "Korean"}};

typedef struct {
    bool seen[R1_COUNT(languages)][LIST_BYTES]; /* which words of a list, by their places in it */
    uint32_t kinds[R1_COUNT(languages)];        /* different words of it */
    uint32_t word[R1_COUNT(languages)], script[R1_COUNT(scripts)];
    uint32_t n_word, n_letter;
} language_count;

static void language_word(language_count *c, const char *s, size_t len)
{
    char key[LANGUAGE_WORD_BYTES + 3] = " ";
    c->n_word++;
    if (len == 0 || len > LANGUAGE_WORD_BYTES) return;
    for (size_t i = 0; i < len; i++) key[i + 1] = (char)tolower((unsigned char)s[i]);
    key[len + 1] = ' ';
    key[len + 2] = '\0';
    for (size_t k = 0; k < R1_COUNT(languages); k++) {
        const char *at = strstr(languages[k].words, key);
        if (!at) continue;
        bool *seen = &c->seen[k][at - languages[k].words];
        c->word[k]++;
        c->kinds[k] += !*seen;
        *seen = true;
    }
}

static void language_letters(language_count *c, const char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t u;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)s + i, (utf8proc_ssize_t)(len - i), &u);
        if (n <= 0) return;
        i += (size_t)n;
        if (u < 0x80 ? !isalpha(u) : utf8proc_category(u) > UTF8PROC_CATEGORY_LO) continue;
        c->n_letter++;
        for (size_t k = 0; k < R1_COUNT(scripts); k++)
            c->script[k] += (uint32_t)u >= scripts[k].from && (uint32_t)u <= scripts[k].to;
    }
}

r1_status med_language_check(med_document *d, const char *what, r1_err *err)
{
    language_count c = {0};
    size_t best = 0;
    for (size_t i = 0; i < d->len;) {
        size_t n = 0;
        while (i + n < d->len && ((unsigned char)d->text[i + n] >= 0x80 ||
                                  isalpha((unsigned char)d->text[i + n]) || d->text[i + n] == '\''))
            n++;
        if (n) language_word(&c, d->text + i, n);
        i += n ? n : 1;
    }
    language_letters(&c, d->text, d->len);
    for (size_t k = 0; k < R1_COUNT(scripts); k++)
        if (c.script[k] >= 20 && c.script[k] * 4 > c.n_letter)
            R1_FAIL(err, R1_E_FORMAT,
                    "%s: %u of %u letters are %s; records are read in English: translate it, or "
                    "give the findings as HPO ids",
                    what, c.script[k], c.n_letter, scripts[k].language);
    for (size_t k = 1; k < R1_COUNT(languages); k++)
        if (c.word[k] > c.word[best]) best = k;
    if (best == 0 || c.word[best] < 5 || c.kinds[best] < LANGUAGE_KINDS_MIN ||
        c.n_word < LANGUAGE_WORDS_MIN)
        return R1_OK;
    if (c.word[best] > 2 * c.word[0] + 2)
        R1_FAIL(
            err, R1_E_FORMAT,
            "%s: the text seems to be %s (%u of %u words, %u English ones); records are read in "
            "English: translate it, or give the findings as HPO ids",
            what, languages[best].language, c.word[best], c.n_word, c.word[0]);
    med_document_note(d, "Parts of the text may be %s, which is not read.",
                      languages[best].language);
    return R1_OK;
}
