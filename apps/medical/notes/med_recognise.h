/* SPDX-License-Identifier: Apache-2.0 */
/* med_recognise.h - the findings that the tokens of a unit name: windows of words against the
 * names of the lexicon, the longest first; across coordination ("short fingers and toes", "micro-
 * and retrognathia"); behind the label of an organ ("ears: low-set") or under its heading; with
 * what stands beside a finding and makes it more precise ("edema of the left foot"); ids that are
 * written in the text; abbreviations by what stands near them and by their own introduction.
 *
 * Owns:    what it found, until the next call. Borrows the lexicon.
 * Threads: one per recogniser.
 * Limits:  MED_HITS_MAX possible findings of a unit, MED_INTRODUCED_MAX abbreviations that a
 *          record introduces; what is beyond is counted. */
#ifndef MED_RECOGNISE_H
#define MED_RECOGNISE_H

#include "notes/med_tokens.h"

enum { MED_HITS_MAX = 8192, MED_INTRODUCED_MAX = 500 };

typedef struct {
    uint32_t term;
    uint32_t first, last; /* tokens */
    uint32_t normal;      /* token that says "normal": the finding is denied; MED_NONE */
    const char *other;    /* of an abbreviation: what else it may mean; NULL */
} med_found;

typedef struct med_recogniser med_recogniser;
r1_status med_recogniser_new(med_recogniser **out, const med_lexicon *lex, r1_err *err);
void med_recogniser_free(med_recogniser *r); /* NULL is fine */

/* The record that the units to come are of; text must outlive them. Adds to *n_unread. */
void med_recogniser_record(med_recogniser *r, const char *text, size_t len, uint32_t *n_unread);

/* The bytes of the heading that the units to come stand under; equal: none. "EARS" above "low set"
 * completes it. */
void med_recogniser_heading(med_recogniser *r, uint32_t start, uint32_t end);

/* Returns the number of findings in n tokens, at most MED_SENTENCE_TOKENS; *found: sorted by their
 * tokens; *own [n]: the tokens that are their words. Adds to *n_unread. */
uint32_t med_recognise(med_recogniser *r, const char *text, const med_token *t, uint32_t n,
                       const med_found **found, const bool **own, uint32_t *n_unread);

#endif
