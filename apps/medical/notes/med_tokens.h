/* SPDX-License-Identifier: Apache-2.0 */
/* med_tokens.h - the words and marks of a stretch of a record.
 *
 * Signs of one meaning become one mark, whatever their code point: dashes and minus signs, full
 * stops and ellipses, quotes, blanks of any width. Soft hyphens and signs without width stand
 * within words. A word that is divided at the end of a line is one word, where the lexicon knows
 * it as one. Tags of HTML and control words of RTF are passed over.
 *
 * Threads: one per call. Units: bytes of the text. */
#ifndef MED_TOKENS_H
#define MED_TOKENS_H

#include "notes/med_chars.h"
#include "notes/med_lexicon.h"

enum {
    MED_WORD_BYTES = 64, /* of a word as cues see it, with its NUL */
    MED_SENTENCE_BYTES = 4000,
    MED_SENTENCE_TOKENS = MED_SENTENCE_BYTES + 8 /* no token is less than a byte */
};

typedef struct {
    uint32_t start, end;
    int32_t word;     /* number in the lexicon, or MED_WORD_* */
    uint8_t flags;    /* of a word: MED_WORD_LIGHT... */
    bool punct, conj; /* conj: this is "and", "or", a comma or a slash */
    bool normal;      /* "normal", "intact"...: with an organ it denies the organ's abnormality */
    bool plain;       /* a word of ASCII letters and digits that stand together */
    char mark;        /* MED_MARK_WORD, or which mark; CELL is '|' */
} med_token;

/* How the stretch is to be read. */
typedef struct {
    bool row;       /* tabs divide cells */
    uint8_t wide;   /* of a row: so many blanks do too; 0: none */
    char separator; /* of CSV, ',' or ';'; 0: none */
    bool markup;    /* there are tags or control words */
    bool sign;      /* a + or - that comes first is a box */
} med_token_rules;

/* Reads text[start, end) into t, at most max tokens; *next: where the rest begins, end where
 * nothing is left. lex NULL: words get MED_WORD_UNKNOWN. Returns their number. */
uint32_t med_tokenize(const med_lexicon *lex, const char *text, uint32_t start, uint32_t end,
                      med_token_rules rules, med_token *t, uint32_t max, uint32_t *next);
/* The word in lower case, without what has no width; a mark as itself. Returns its length, 0
 * where the word is longer than a cue may be. */
size_t med_token_text(const char *text, const med_token *t, char out[MED_WORD_BYTES]);
/* The bytes of markup that begin at text[at], 0 for none. *breaks: a new line begins there. */
uint32_t med_markup_len(const char *text, uint32_t at, uint32_t end, bool *breaks);

#endif
