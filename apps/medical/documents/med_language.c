/* SPDX-License-Identifier: Apache-2.0 */
/* med_language.c - in which language a text is written, sentence by sentence: by small words, words
 * of every record, endings and letters. The reader knows English alone: a finding of another
 * language would be missed, and its denials too. A text that is mostly foreign is refused. Foreign
 * sentences of an English text become blanks, and a note says which lines they were. */
#include "documents/med_parts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

enum {
    LANGUAGE_WORDS_MIN = 12,
    LANGUAGE_WORD_BYTES = 16,
    LIST_BYTES = 640,
    LANGUAGE_KINDS_MIN = 4,
    SENTENCE_WORDS_MIN = 5, /* below, a sentence is as the one before it */
    SENTENCE_SIGNS_MIN = 3,
    SHORT_SIGNS_MIN = 3, /* of a text without any English */
    WHERE_BYTES = 120
};

/* The most usual small words, and words of records that English lacks. English shares some with
 * others: "no" is Portuguese too. */
static const struct {
    const char *language, *words;
} languages[] = {
    {"English", " the of and with was is are has had he she his her this that from for not were "
                "been which at by on as it be or an to no do per in a there have without after "
                "before but normal history patient old years seen all who when than into any other "
                "did does also none noted found both if will would can you we my our your i "},
    {"German",
     " der die das und mit ist nicht ein eine von den dem des bei wurde keine kein im zu "
     "auf sich auch seit nach zeigt bestehen keinen keiner ohne oder aber einer einem "
     "eines einen wir sie es er hat haben wird sind war zum zur vom am als wegen sowie "
     "sein seine ihre unter \xc3\xbc"
     "ber f\xc3\xbcr jahre jahren jahr kind mutter vater "
     "bruder schwester patientin befund verdacht alter geburt familie lebensjahr monate "
     "entwicklung unauff\xc3\xa4llig auff\xc3\xa4llig beidseits besteht geehrte herr frau "
     "liegt liegen vor "},
    {"French", " le la les des est une et du avec pas dans pour sur au aux qui il elle ne sans "
               "depuis chez ans sont cette ce un en par son ses sa nous vous mais ou \xc3\xa0 de "
               "aucun aucune fille gar\xc3\xa7on m\xc3\xa8re p\xc3\xa8re fr\xc3\xa8re soeur enfant "
               "retard examen pr\xc3\xa9sente ant\xc3\xa9"
               "c\xc3\xa9"
               "dents naissance mois avait "
               "surdit\xc3\xa9 taille poids faiblesse douleur fi\xc3\xa8vre crises age\xc3\xa9 "
               "\xc3\xa2g\xc3\xa9 \xc3\xa2g\xc3\xa9"
               "e "},
    {"Spanish", " el los las del con que una por es se sin para como desde presenta y al su fue "
                "paciente la de en un no tiene ni muy pero sus han ha a\xc3\xb1os ni\xc3\xb1o "
                "ni\xc3\xb1"
                "a madre padre hermano hermana convulsiones retraso antecedentes edad "
                "meses talla peso baja debilidad fiebre dolor sordera exploraci\xc3\xb3n hijo hija "
                "nacimiento crisis familiares var\xc3\xb3n mujer refiere niega "},
    {"Italian", " il di che con della del non una per si nel gli dei delle alla sono e anni "
                "paziente da al la le un ha \xc3\xa8 senza bambino bambina madre padre fratello "
                "sorella mesi ritardo crisi nascita et\xc3\xa0 "},
    {"Portuguese", " o os as do da com que uma por em ao sem para foi apresenta paciente dos das "
                   "no na um de se n\xc3\xa3o anos m\xc3\xa3"
                   "e pai irm\xc3\xa3o menino menina meses "
                   "crises atraso "},
    {"Dutch", " de het een van met niet en zijn bij werd geen op voor is aan ook sinds was heeft "
              "jaar moeder vader broer zus kind hij zij patient pati\xc3\xabnt maanden "},
    {"Polish", " i w z nie na do jest pacjent oraz od przez bez pacjentka "},
    {"Turkish", " ve bir bu ile olan hasta yok var olarak "},
};
/* Letters and endings that speak for a language, by its place above. English has them in names
 * alone. */
static const struct {
    uint8_t language;
    const char *sign;
} letters[] = {{1, "\xc3\xa4"}, {1, "\xc3\xb6"}, {1, "\xc3\xbc"}, {1, "\xc3\x9f"}, {2, "\xc3\xa9"},
               {2, "\xc3\xa8"}, {2, "\xc3\xaa"}, {2, "\xc3\xa7"}, {3, "\xc3\xb1"}, {3, "\xc3\xb3"},
               {3, "\xc3\xad"}, {3, "\xc3\xa1"}, {5, "\xc3\xa3"}, {5, "\xc3\xb5"}},
  endings[] = {{1, "ung"},         {1, "ungen"},      {1, "keit"},  {1, "heit"},
               {1, "lich"},        {1, "liche"},      {1, "isch"},  {1, "ie"},
               {2, "ie"},          {2, "it\xc3\xa9"}, {2, "ement"}, {2, "ique"},
               {3, "ci\xc3\xb3n"}, {3, "ciones"},     {3, "dad"},   {3, "miento"}};
enum { LETTERS_KIND = LIST_BYTES - 2, ENDINGS_KIND = LIST_BYTES - 40 };
static const struct {
    uint32_t from, to;
    const char *language;
} scripts[] = {{0x0370, 0x03ff, "Greek"},    {0x0400, 0x052f, "Russian or another Cyrillic script"},
               {0x0590, 0x05ff, "Hebrew"},   {0x0600, 0x06ff, "Arabic or Persian"},
               {0x0900, 0x097f, "Hindi"},    {0x0e00, 0x0e7f, "Thai"},
               {0x3040, 0x30ff, "Japanese"}, {0x4e00, 0x9fff, "Chinese or Japanese"},
               {0xac00, 0xd7af, "Korean"}};

typedef struct {
    bool seen[R1_COUNT(languages)][LIST_BYTES]; /* which signs, words by their places in the list */
    uint32_t kinds[R1_COUNT(languages)];        /* different signs of it */
    uint32_t word[R1_COUNT(languages)], script[R1_COUNT(scripts)];
    uint32_t n_word, n_letter;
} language_count;

/* Sentences one after the other. best: of what language; foreign: surely so. */
typedef struct {
    size_t start, end;
    uint32_t n_word, best, signs, english;
    bool foreign;
} language_sentence;

static void language_sign(language_count *c, size_t k, size_t kind)
{
    bool *seen = &c->seen[k][kind];
    c->word[k]++;
    c->kinds[k] += !*seen;
    *seen = true;
}

static bool language_ends(const char *s, size_t len, const char *ending)
{
    size_t n = strlen(ending);
    return len >= n + 3 && s[len - 1] == ending[n - 1] && memcmp(s + len - n, ending, n) == 0;
}

/* Words and names with such letters that English records have too. */
static bool language_loan(const char *s, size_t len)
{
    static const char *const loans[] = {"caf\xc3\xa9",
                                        "barr\xc3\xa9",
                                        "m\xc3\xa9ni\xc3\xa8re",
                                        "sj\xc3\xb6gren",
                                        "calv\xc3\xa9",
                                        "beh\xc3\xa7"
                                        "et",
                                        "ch\xc3\xa9"
                                        "diak",
                                        "wernick\xc3\xa9",
                                        "m\xc3\xbcller",
                                        "m\xc3\xb6"
                                        "bius",
                                        "waldenstr\xc3\xb6m",
                                        "r\xc3\xa9sum\xc3\xa9"};
    for (size_t i = 0; i < R1_COUNT(loans); i++)
        if (len == strlen(loans[i]) && strncasecmp(s, loans[i], len) == 0) return true;
    return false;
}

/* Letters of `letters` lie outside of ASCII. */
static bool language_has_signs(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] >= 0x80) return true;
    return false;
}

static void language_word(language_count *c, const char *s, size_t len)
{
    char key[LANGUAGE_WORD_BYTES + 3] = " ";
    bool counted[R1_COUNT(languages)] = {0};
    c->n_word++;
    bool signs = language_has_signs(s, len) && !language_loan(s, len);
    for (size_t i = 0; i < R1_COUNT(letters) && signs; i++) {
        if (counted[letters[i].language] || !memmem(s, len, letters[i].sign, 2)) continue;
        counted[letters[i].language] = true;
        language_sign(c, letters[i].language, LETTERS_KIND);
    }
    for (size_t i = 0; i < R1_COUNT(endings); i++) {
        if (counted[endings[i].language] || !language_ends(s, len, endings[i].sign)) continue;
        counted[endings[i].language] = true;
        language_sign(c, endings[i].language, ENDINGS_KIND + i);
    }
    if (len == 0 || len > LANGUAGE_WORD_BYTES) return;
    for (size_t i = 0; i < len; i++) key[i + 1] = (char)tolower((unsigned char)s[i]);
    key[len + 1] = ' ';
    key[len + 2] = '\0';
    for (size_t k = 0; k < R1_COUNT(languages); k++) {
        const char *at = counted[k] ? NULL : strstr(languages[k].words, key);
        if (at) language_sign(c, k, (size_t)(at - languages[k].words));
    }
}

static void language_words(language_count *c, const char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = 0;
        while (i + n < len && ((unsigned char)s[i + n] >= 0x80 || isalpha((unsigned char)s[i + n])))
            n++;
        if (n) language_word(c, s + i, n);
        i += n ? n : 1;
    }
}

static size_t language_best(const language_count *c)
{
    size_t best = 0;
    for (size_t k = 1; k < R1_COUNT(languages); k++)
        if (c->word[k] > c->word[best]) best = k;
    return best;
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

/* ---- sentences ------------------------------------------------------------------------------- */

static size_t language_sentence_end(const char *s, size_t at, size_t len)
{
    while (at < len) {
        char c = s[at++];
        if (c == '\n' && at < len && (s[at] == '\n' || s[at] == '\r')) break;
        if ((c == '.' || c == '!' || c == '?') && (at == len || isspace((unsigned char)s[at])))
            break;
    }
    return at;
}

/* Whether a sentence is of another language than English for sure. */
static void language_judge(language_sentence *x, const language_count *c)
{
    size_t best = language_best(c);
    x->n_word = c->n_word;
    x->best = (uint32_t)best;
    x->signs = c->word[best];
    x->english = c->word[0];
    x->foreign = best && c->n_word >= SENTENCE_WORDS_MIN && c->word[best] >= SENTENCE_SIGNS_MIN &&
                 c->kinds[best] >= SENTENCE_SIGNS_MIN && c->word[best] > 2 * c->word[0] + 1;
}

static r1_status language_sentences(const med_document *d, const char *what,
                                    language_sentence **out, size_t *n, r1_err *err)
{
    size_t cap = 0;
    for (size_t i = 0; i < d->len;) {
        size_t end = language_sentence_end(d->text, i, d->len);
        if (*n == cap) {
            cap = cap ? cap * 2 : 64;
            language_sentence *grown = r1_realloc_array(*out, cap, sizeof *grown);
            if (!grown) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for its sentences", what);
            *out = grown;
        }
        language_count c = {0};
        language_words(&c, d->text + i, end - i);
        language_sentence *x = &(*out)[(*n)++];
        *x = (language_sentence){.start = i, .end = end};
        language_judge(x, &c);
        i = end;
    }
    return R1_OK;
}

/* A short sentence without English between foreign ones is of their language. */
static void language_join(language_sentence *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool short_one = !x[i].foreign && x[i].english == 0 && x[i].n_word < SENTENCE_WORDS_MIN + 3;
        bool before = i && x[i - 1].foreign, behind = i + 1 < n && x[i + 1].foreign;
        if (!short_one || !before || (!behind && !x[i].signs)) continue;
        x[i].foreign = true;
        x[i].best = x[i - 1].best;
    }
}

/* Blanks foreign sentences; says which lines they were. */
static void language_leave_out(med_document *d, const language_sentence *x, size_t n)
{
    char where[WHERE_BYTES] = "";
    uint32_t line = 1, of = 0, n_out = 0;
    size_t at = 0, used = 0;
    for (size_t i = 0; i < n; i++) {
        if (!x[i].foreign) continue;
        while (at < x[i].start) line += d->text[at++] == '\n';
        while (at < x[i].end && isspace((unsigned char)d->text[at])) line += d->text[at++] == '\n';
        uint32_t first = line;
        for (; at < x[i].end; at++) {
            line += d->text[at] == '\n';
            if (d->text[at] != '\n' && d->text[at] != '\r') d->text[at] = ' ';
        }
        if (used + 16 < sizeof where)
            used += (size_t)snprintf(where + used, sizeof where - used, "%s%u", n_out ? ", " : "",
                                     first);
        of = x[i].best;
        n_out++;
    }
    med_document_note(d, "Sentences that seem to be %s were not read: %u, in line %s%s.",
                      languages[of].language, n_out, where,
                      used + 16 < sizeof where ? "" : " and below");
}

static r1_status language_scripts(const language_count *c, const char *what, r1_err *err)
{
    for (size_t k = 0; k < R1_COUNT(scripts); k++)
        if (c->script[k] >= 20 && c->script[k] * 4 > c->n_letter)
            R1_FAIL(err, R1_E_FORMAT,
                    "%s: %u of %u letters are %s; records are read in English: translate it, or "
                    "give the findings as HPO ids",
                    what, c->script[k], c->n_letter, scripts[k].language);
    return R1_OK;
}

/* The whole text by its sentences; *done: nothing more is to be said. */
static r1_status language_mixed(med_document *d, const char *what, language_sentence *x, size_t n,
                                bool *done, r1_err *err)
{
    uint32_t foreign = 0, english = 0, best = 0;
    language_join(x, n);
    for (size_t i = 0; i < n; i++) {
        foreign += x[i].foreign ? x[i].n_word : 0;
        english += x[i].foreign || x[i].english < 2 ? 0 : x[i].n_word;
        if (x[i].foreign) best = x[i].best;
    }
    if (!foreign) return R1_OK;
    if (foreign >= english)
        R1_FAIL(err, R1_E_FORMAT,
                "%s: the text seems to be %s (%u words beside %u English ones); records are read "
                "in English: translate it, or give the findings as HPO ids",
                what, languages[best].language, foreign, english);
    language_leave_out(d, x, n);
    *done = true;
    return R1_OK;
}

r1_status med_language_check(med_document *d, const char *what, r1_err *err)
{
    language_count c = {0};
    language_sentence *x = NULL;
    size_t n = 0;
    bool done = false;
    language_words(&c, d->text, d->len);
    language_letters(&c, d->text, d->len);
    R1_TRY(language_scripts(&c, what, err));
    r1_status st = language_sentences(d, what, &x, &n, err);
    if (st == R1_OK) st = language_mixed(d, what, x, n, &done, err);
    free(x);
    if (st != R1_OK || done) return st;
    size_t best = language_best(&c);
    bool alone = c.word[0] == 0 && best && c.word[best] >= SHORT_SIGNS_MIN && c.kinds[best] > 1 &&
                 c.word[best] * 5 >= 2 * c.n_word;
    bool many = best && c.word[best] >= 5 && c.kinds[best] >= LANGUAGE_KINDS_MIN &&
                c.n_word >= LANGUAGE_WORDS_MIN;
    if (alone || (many && c.word[best] > 2 * c.word[0] + 2))
        R1_FAIL(
            err, R1_E_FORMAT,
            "%s: the text seems to be %s (%u of %u words, %u English ones); records are read in "
            "English: translate it, or give the findings as HPO ids",
            what, languages[best].language, c.word[best], c.n_word, c.word[0]);
    if (many)
        med_document_note(d, "Parts of the text may be %s, which is not read.",
                          languages[best].language);
    return R1_OK;
}
