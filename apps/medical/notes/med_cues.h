/* SPDX-License-Identifier: Apache-2.0 */
/* med_cues.h - the words that decide a finding's status, read from a file (data/cues.tsv, whose
 * head describes its form).
 *
 * Owns:    its tables.
 * Threads: read-only after med_cues_new.
 * Errors:  a line that does not fit: R1_E_FORMAT with file, line, expected, found. */
#ifndef MED_CUES_H
#define MED_CUES_H

#include "ontology/med_kb.h"

typedef enum {
    MED_CUE_FORWARD,
    MED_CUE_NEAR,
    MED_CUE_BACK,
    MED_CUE_LIST,
    MED_CUE_ITEM,
    MED_CUE_LABEL,
    MED_CUE_BOTH,
    MED_CUE_DOUBT, /* what is denied before it in the sentence */
    MED_CUE_END,
    MED_CUE_PSEUDO,
    MED_CUE_DIRECTION_COUNT
} med_cue_direction;

/* What a cue says. Of MED_CUE_END: what it ends. */
typedef enum {
    MED_SAYS_NOTHING,
    MED_SAYS_ABSENT,
    MED_SAYS_PRESENT,
    MED_SAYS_UNCERTAIN,
    MED_SAYS_HYPOTHETICAL,
    MED_SAYS_HISTORICAL,
    MED_SAYS_FAMILY,
    MED_SAYS_PATIENT,
    MED_SAYS_PRONOUN,
    MED_SAYS_ASSERTED,
    MED_SAYS_DOUBLE,
    MED_ENDS_ALL,
    MED_ENDS_STATUS,
    MED_ENDS_PERSON,
    MED_ENDS_DENIAL,
    MED_SAYS_COUNT
} med_cue_class;

typedef struct {
    uint8_t direction, says; /* MED_CUE_*, med_cue_class */
    uint8_t n_element;
    bool starts, stops; /* ^ and $ */
    uint32_t element;   /* the first of its elements */
} med_cue;

typedef struct med_cues med_cues;
/* name: of the file, for errors. text need not outlive the call. */
r1_status med_cues_new(med_cues **out, const char *name, const char *text, size_t len, r1_err *err);
void med_cues_free(med_cues *c); /* NULL is fine */
uint32_t med_cues_count(const med_cues *c);

/* The number of a word or mark among those that cues use, 0 for all others. */
uint16_t med_cues_word(const med_cues *c, const char *word, size_t len);
/* Whether a word is of the class of that name ("degree"); a class that is missing has none. */
bool med_cues_is(const med_cues *c, const char *cls, uint16_t word);

/* The tokens as cues see them. MED_CUE_OWN: a word of a finding, which no cue reaches over. */
enum { MED_CUE_OWN = UINT16_MAX };
typedef struct {
    const uint16_t *word; /* [n] med_cues_word or MED_CUE_OWN */
    const bool *mark;     /* [n] */
    uint32_t n;
} med_cue_text;
/* The longest cue at token i; of equal ones one with ^ or $, then the first line. Returns its
 * number and sets *len, or MED_NONE. */
uint32_t med_cues_match(const med_cues *c, const med_cue_text *t, uint32_t i, uint32_t *len);
const med_cue *med_cues_at(const med_cues *c, uint32_t cue);

#endif
