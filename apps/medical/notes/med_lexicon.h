/* SPDX-License-Identifier: Apache-2.0 */
/* med_lexicon.h - the names of the findings as sequences of normalised words. Names are found by a
 * hash that does not depend on the order of their words; which order it is, is told. A word is
 * normalised in five steps, the middle ones by data/words.tsv:
 *
 *   fold     Unicode case folding; marks are stripped
 *   spell    British and American spelling, Latin plurals
 *   family   one word stands for its synonyms (renal, kidney)
 *   stem     Porter's English stemmer
 *   ending   what tells adjective from noun is cut off (microcephaly, microcephalic)
 *
 * A name whose parts are also written apart or together ("up-slanting", "upslanting") is there in
 * both forms.
 *
 * Owns:    its tables. Borrows the knowledge base.
 * Threads: read-only after med_lexicon_new. Each thread remembers words that it met. */
#ifndef MED_LEXICON_H
#define MED_LEXICON_H

#include "ontology/med_kb.h"

/* The words that say what a finding's status is, the headings that have a meaning, and the
 * abbreviations that have several. */
struct med_cues;
struct med_headings;
struct med_abbreviations;

enum { MED_PATTERN_WORDS = 10, MED_WORD_STOP = -2, MED_WORD_UNKNOWN = -1 };
/* What else is known of a word. */
enum {
    MED_WORD_LIGHT = 1,   /* a degree or side that a name may lack */
    MED_WORD_BAR = 2,     /* no finding reaches over it */
    MED_WORD_PLACE = 4,   /* what follows belongs to what comes first */
    MED_WORD_GUESSED = 8, /* it is mistyped */
    MED_WORD_DENIAL = 16, /* "no", "not", "never", "cannot" */
    MED_WORD_APART = 32,  /* it makes no finding near it more precise */
    MED_WORD_BROAD = 64,  /* it ends the name of many findings together: "anomalies" */
    MED_WORD_OFFICE = 128 /* what is called after a finding, and no finding: "clinic" */
};

typedef struct {
    uint64_t hash;        /* sum of mixed word numbers: the order does not count */
    const char *text;     /* the name */
    uint32_t term;        /* MED_NONE: it is no finding */
    uint32_t at;          /* of its words among all names' words */
    uint32_t surface;     /* of one word: how it is written */
    uint8_t n_word, kind; /* kind: MED_SYN_* */
    bool caps;            /* an abbreviation: its letters must stand as they are */
    uint8_t joined;       /* the name holds 1: a comma, 2: "and", "or" or a slash */
    bool ordered;         /* it means another thing in another order */
    bool tight;           /* its words must stand side by side */
    bool denies;          /* it begins with "no" */
    bool normal;          /* it says that the finding is not there: "intact palate" */
    bool exact;           /* its one word counts only as it stands */
    bool given;           /* its one word is also the name of a person */
} med_pattern;

typedef struct med_lexicon med_lexicon;
r1_status med_lexicon_new(med_lexicon **out, const med_kb *kb, r1_err *err);
void med_lexicon_free(med_lexicon *x); /* NULL is fine */
/* Those that ship (notes/data), which the lexicon owns. */
const struct med_cues *med_lexicon_cues(const med_lexicon *x);
const struct med_headings *med_lexicon_headings(const med_lexicon *x);
const struct med_abbreviations *med_lexicon_abbreviations(const med_lexicon *x);

/* The number of a word of a text, MED_WORD_STOP or MED_WORD_UNKNOWN. *flags: MED_WORD_LIGHT... */
int32_t med_lexicon_word(const med_lexicon *x, const char *s, size_t len, uint8_t *flags);
/* Lower case without marks, with its NUL; 0 when the word does not fit into max bytes or is not
 * UTF-8. */
size_t med_lexicon_fold(const char *s, size_t len, char *out, size_t max);
uint64_t med_lexicon_mix(int32_t word);
/* The words of a finding's own name, as numbers; *n: how many, 0 for none. */
const uint32_t *med_lexicon_name(const med_lexicon *x, uint32_t term, uint32_t *n);
/* The words that a word also counts as where they make a finding more precise; at most
 * MED_WIDER_WORDS into out. Returns how many. i: the first, second... reading. */
enum { MED_WIDER_WORDS = 2 };
uint32_t med_lexicon_wider(const med_lexicon *x, int32_t word, uint32_t i,
                           int32_t out[MED_WIDER_WORDS]);
/* Whether finding b is below a. */
bool med_lexicon_below(const med_lexicon *x, uint32_t b, uint32_t a);
/* Whether a word names no finding where that other word stands beside it; both in lower case. */
bool med_lexicon_unless(const med_lexicon *x, const char *s, size_t n, const char *beside,
                        size_t m);
/* Whether a finding lasts: who had it still has it, unless the text says otherwise. */
bool med_lexicon_lasts(const med_lexicon *x, uint32_t term);
/* The finding of that id, MED_NONE for none. */
uint32_t med_lexicon_id(const med_lexicon *x, const char *id, size_t len);

/* Words of a text that may be a name. */
typedef struct {
    uint64_t hash;       /* sum of med_lexicon_mix */
    const int32_t *word; /* [n] as they stand */
    uint32_t n;
    const char *text; /* the bytes that they span, for abbreviations and single words */
    size_t len;
    bool guessed; /* one of them is mistyped */
} med_met;
typedef enum {
    MED_ORDER_SAME,
    MED_ORDER_TURNED, /* the end of the name comes first: "ears, low-set" */
    MED_ORDER_OTHER
} med_order;
/* The best pattern of those words, NULL if none; *order: of the words beside the pattern's. */
const med_pattern *med_lexicon_find(const med_lexicon *x, const med_met *met, med_order *order);

#endif
