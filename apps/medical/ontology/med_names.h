/* SPDX-License-Identifier: Apache-2.0 */
/* med_names.h - the findings of a knowledge base by name: a whole name or synonym, and a search by
 * the beginnings of words. Case, marks on letters and punctuation do not count.
 *
 * Owns:    the index. Borrows the knowledge base.
 * Threads: read-only once it is made, so any number.
 * Errors:  R1_E_NOMEM. */
#ifndef MED_NAMES_H
#define MED_NAMES_H

#include "ontology/med_kb.h"

enum { MED_QUERY_WORDS_MAX = 12, MED_QUERY_BYTES_MAX = 200, MED_HITS_SHOWN_MAX = 50 };

typedef struct med_names med_names;
r1_status med_names_new(med_names **out, const med_kb *kb, r1_err *err);
void med_names_free(med_names *n); /* NULL is fine */

/* The finding of that name, a label before a synonym; MED_NONE where there is none, and where the
 * name is that of several findings (*several, NULL accepted). */
uint32_t med_names_find(const med_names *n, const char *name, size_t len, bool *several);

typedef struct {
    uint32_t term;
    const char *text; /* the name or synonym that fits, as the knowledge base has it */
    bool label;       /* it is the term's name */
} med_name_hit;
/* Findings of which a name has, for each word of the query, a word that begins with it; or the one
 * of an id. Each once. Equal to the query first, then those that begin with it; labels before
 * synonyms, short names before long ones, then by the alphabet. Words beyond MED_QUERY_WORDS_MAX
 * and bytes beyond MED_QUERY_BYTES_MAX do not count. Returns their number, at most max and
 * MED_HITS_SHOWN_MAX. */
uint32_t med_names_search(const med_names *n, const char *query, size_t len, med_name_hit *out,
                          uint32_t max);

#endif
