/* SPDX-License-Identifier: Apache-2.0 */
/* med_lexicon.h - the names of the findings as sets of normalised words. A name is found by a hash
 * that does not depend on the order of its words. A word is normalised in four steps:
 *
 *   fold     Unicode case folding; marks are stripped
 *   family   one word stands for its synonyms (renal, kidney)
 *   stem     Porter's English stemmer
 *   ending   what tells adjective from noun is cut off (microcephaly, microcephalic)
 *
 * Owns:    its tables. Borrows the knowledge base.
 * Threads: read-only after med_lexicon_new. */
#ifndef MED_LEXICON_H
#define MED_LEXICON_H

#include "ontology/med_kb.h"

/* The words that say what a finding's status is, and the headings that have a meaning. */
struct med_cues;
struct med_headings;

enum { MED_PATTERN_WORDS = 10, MED_WORD_STOP = -2, MED_WORD_UNKNOWN = -1 };

typedef struct {
    uint64_t hash;  /* sum of mixed word numbers: the order does not count */
    uint64_t order; /* med_lexicon_next over the words: the order counts */
    uint32_t term;
    uint8_t n_word, kind; /* kind: MED_SYN_* */
    uint8_t caps;         /* an abbreviation: its letters must stand as they are */
    uint8_t joined;       /* the name holds a comma, "and", "or" or a slash */
    uint32_t text;        /* string in the knowledge base */
} med_pattern;

typedef struct med_lexicon med_lexicon;
r1_status med_lexicon_new(med_lexicon **out, const med_kb *kb, r1_err *err);
void med_lexicon_free(med_lexicon *x); /* NULL is fine */
/* Those that ship (notes/data), which the lexicon owns. */
const struct med_cues *med_lexicon_cues(const med_lexicon *x);
const struct med_headings *med_lexicon_headings(const med_lexicon *x);

/* The number of a word of a text, MED_WORD_STOP or MED_WORD_UNKNOWN. *light: a degree or side
 * that a name may lack. */
int32_t med_lexicon_word(const med_lexicon *x, const char *s, size_t len, bool *light);
/* Lower case without marks, with its NUL; 0 when the word does not fit into max bytes or is not
 * UTF-8. */
size_t med_lexicon_fold(const char *s, size_t len, char *out, size_t max);
uint64_t med_lexicon_mix(int32_t word);
static inline uint64_t med_lexicon_next(uint64_t order, uint64_t mixed)
{
    return (order * 31 + mixed) * 0x9e3779b97f4a7c15u;
}
/* The best pattern of that hash and length, NULL if none. text: the words as they stand, for
 * abbreviations. */
const med_pattern *med_lexicon_find(const med_lexicon *x, uint64_t hash, uint32_t n_word,
                                    const char *text, size_t len);

#endif
