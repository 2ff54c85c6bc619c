/* SPDX-License-Identifier: Apache-2.0 */
/* med_recognise.h - the findings that the tokens of a unit name: windows of words against the
 * names of the lexicon, the longest first, across coordination ("short fingers and toes").
 *
 * Owns:    what it found, until the next call. Borrows the lexicon.
 * Threads: one per recogniser.
 * Limits:  MED_HITS_MAX possible findings of a unit; what is beyond is counted. */
#ifndef MED_RECOGNISE_H
#define MED_RECOGNISE_H

#include "notes/med_tokens.h"

enum { MED_HITS_MAX = 8192 };

typedef struct {
    uint32_t term;
    uint32_t first, last; /* tokens */
    uint32_t normal;      /* token that says "normal": the finding is denied; MED_NONE */
} med_found;

typedef struct med_recogniser med_recogniser;
r1_status med_recogniser_new(med_recogniser **out, const med_lexicon *lex, r1_err *err);
void med_recogniser_free(med_recogniser *r); /* NULL is fine */

/* Returns the number of findings in n tokens, at most MED_SENTENCE_TOKENS; *found: sorted by their
 * tokens; *own [n]: the tokens that are their words. Adds to *n_unread. */
uint32_t med_recognise(med_recogniser *r, const char *text, const med_token *t, uint32_t n,
                       const med_found **found, const bool **own, uint32_t *n_unread);

#endif
