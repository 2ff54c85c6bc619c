/* SPDX-License-Identifier: Apache-2.0 */
/* med_deidentify.h - a record's text without what names its patient: the eighteen identifiers of
 * HIPAA's Safe Harbor, as far as a text holds them.
 *
 *     find     the patterns of data/identifiers.tsv, in their order
 *     spread   words of a name are names wherever they stand, but in an eponym ("Fabry disease")
 *     guess    a word with a capital letter, which begins no sentence, is in no vocabulary and lies
 *              in no finding, is a name
 *     write    [KIND] in their place; a date keeps its form and is shifted, or leaves its year
 *              alone; an age over 89 becomes 90
 *     check    the text that is left is read again: its findings must be the same
 *
 * No list of persons' names is used: names are found by where they stand, and by what is no word.
 *
 * Owns:    the words and patterns; a med_deidentified its text and spans.
 * Threads: read-only after med_deidentifier_new; one text per call.
 * Units:   bytes of the text that was given.
 * Errors:  R1_E_FORMAT, R1_E_NOMEM. It finds what it finds: whoever hands a text on reads it. */
#ifndef MED_DEIDENTIFY_H
#define MED_DEIDENTIFY_H

#include "deidentify/med_identifiers.h"
#include "notes/med_notes.h"
#include "privacy/med_seal.h"

typedef struct med_deidentifier med_deidentifier;
/* Borrows both, which must outlive it. */
r1_status med_deidentifier_new(med_deidentifier **out, const med_lexicon *lex, const med_kb *kb,
                               r1_err *err);
void med_deidentifier_free(med_deidentifier *d); /* NULL is fine */

typedef struct {
    const med_keys *keys; /* with patient: dates are shifted; NULL: of each its year is left */
    const char *patient;  /* an id; the same id shifts by the same days */
    bool month_first;     /* what 03/04/2019 means where the text does not tell */
    int year;             /* this one, for dates whose year has two digits */
} med_deidentify_opts;

typedef struct {
    char *text;
    size_t len;
    struct med_deidentified_span {
        uint32_t start, end;
        med_identifier_kind kind;
    } * span;
    uint32_t n_span, n_of[MED_IDENTIFIER_COUNT];
    uint32_t n_before, n_after; /* findings that are read */
    uint32_t n_changed;         /* of them without one of the same term and status in the other */
} med_deidentified;
/* Free *out after a failure too. */
r1_status med_deidentify(med_deidentified *out, const med_deidentifier *d,
                         const med_deidentify_opts *opts, const char *text, size_t len,
                         r1_err *err);
void med_deidentified_free(med_deidentified *x);

#endif
