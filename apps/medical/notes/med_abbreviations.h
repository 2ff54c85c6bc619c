/* SPDX-License-Identifier: Apache-2.0 */
/* med_abbreviations.h - abbreviations with more than one meaning, read from a file
 * (data/abbreviations.tsv, whose head describes its form), and which of their readings the words
 * near them speak for; what a record introduces itself, "atrial septal defect (ASD)".
 *
 * Owns:    its tables.
 * Threads: read-only after med_abbreviations_new.
 * Errors:  a line that does not fit: R1_E_FORMAT with file, line, expected, found. */
#ifndef MED_ABBREVIATIONS_H
#define MED_ABBREVIATIONS_H

#include "ontology/med_kb.h"

enum { MED_ABBREVIATION_BYTES = 8 };

typedef struct med_abbreviations med_abbreviations;
/* name: of the file, for errors. text need not outlive the call. */
r1_status med_abbreviations_new(med_abbreviations **out, const char *name, const char *text,
                                size_t len, r1_err *err);
void med_abbreviations_free(med_abbreviations *a); /* NULL is fine */
uint32_t med_abbreviations_count(const med_abbreviations *a);

/* One meaning. id NULL: it is no finding. */
typedef struct {
    const char *id, *full;
} med_reading;

/* The first reading of an abbreviation as it is written, and how many; MED_NONE for none. */
uint32_t med_abbreviations_find(const med_abbreviations *a, const char *s, size_t len, uint32_t *n);
med_reading med_abbreviations_reading(const med_abbreviations *a, uint32_t i);
/* Which of n readings from first on holds for the abbreviation text[start, end) of a record of len
 * bytes. */
uint32_t med_abbreviations_choose(const med_abbreviations *a, uint32_t first, uint32_t n,
                                  const char *text, size_t len, uint32_t start, uint32_t end);

/* Letters that can be an abbreviation: two to seven capitals and digits, of which two capitals; a
 * small s behind them is left out. Returns their number, 0 for none. */
size_t med_abbreviation_letters(const char *s, size_t len);
/* Where in text[from, to) the words begin that the letters stand for, after Schwartz and Hearst
 * (2003); MED_NONE where they do not fit. */
uint32_t med_abbreviation_full(const char *letters, size_t n, const char *text, uint32_t from,
                               uint32_t to);

#endif
