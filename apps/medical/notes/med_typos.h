/* SPDX-License-Identifier: Apache-2.0 */
/* med_typos.h - the word of a name that a mistyped word is meant to be: at one edit (a letter too
 * many, missing, another one, two exchanged), in long words at two. A word that is nearest to two
 * names, and one that is an ordinary word of the language (data/ordinary.txt), is left alone.
 *
 * Words lie in a table under each of their forms that lack one letter, after Garbe's SymSpell.
 *
 * Owns:    its tables.
 * Threads: read-only after the last med_typos_add. */
#ifndef MED_TYPOS_H
#define MED_TYPOS_H

#include "ontology/med_kb.h"

enum { MED_TYPO_SHORTEST = 7, MED_TYPO_LONGEST = 32 };

typedef struct med_typos med_typos;
/* ordinary: words that are never mistyped ones, one a line. max: words that will be added. */
r1_status med_typos_new(med_typos **out, const char *ordinary, size_t len, size_t max, r1_err *err);
void med_typos_free(med_typos *t); /* NULL is fine */
/* A word in one spelling (med_forms.h), at most once, and its number. Words that are too short or
 * too long are passed over. */
r1_status med_typos_add(med_typos *t, const char *s, size_t n, uint32_t number, r1_err *err);
/* The number of the word that s is meant to be, MED_NONE for none. */
uint32_t med_typos_find(const med_typos *t, const char *s, size_t n);

#endif
