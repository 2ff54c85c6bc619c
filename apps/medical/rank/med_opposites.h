/* SPDX-License-Identifier: Apache-2.0 */
/* med_opposites.h - findings that are opposite ends of one measure: tall and short stature, raised
 * and lowered potassium. Both have a common ancestor, which made one support a disease that has the
 * other. The pairs stand in data/opposites.tsv; make_opposites.py derives them.
 *
 * A finding's opposites are those of the finding and of all above it. One that is above or below
 * the finding itself is none. A disease that has an opposite has what both have in common by that
 * alone, unless another finding of it lies below: then that one supports it.
 *
 * Owns:    the pairs that the knowledge base knows, and for each finding of a pair the diseases
 *          that have an opposite. Borrows the knowledge base.
 * Threads: one; what is asked of a finding is worked out once. Nothing is allocated after
 *          med_opposites_new.
 * Errors:  R1_E_FORMAT with the line for a table that is no list of pairs, R1_E_NOMEM. */
#ifndef MED_OPPOSITES_H
#define MED_OPPOSITES_H

#include "ontology/med_kb.h"

enum { MED_OPPOSITE_PAIRS_MAX = 20000 };

typedef struct med_opposites med_opposites;

/* What a disease shows in some patients alone. */
typedef struct {
    const med_profile *profile;
    uint32_t n;
} med_opposite_profile;
/* The pairs that are part of the library. more: further profiles, which get the numbers behind
 * those of the diseases; they must live as long. */
r1_status med_opposites_new(med_opposites **out, const med_kb *kb, const med_opposite_profile *more,
                            uint32_t n_more, r1_err *err);
/* Those of a table: two ids of HPO with a tab between, and names that are not read. name: of the
 * table, for errors. Pairs of which the knowledge base lacks a term are left out. */
r1_status med_opposites_read(med_opposites **out, const med_kb *kb,
                             const med_opposite_profile *more, uint32_t n_more, const char *name,
                             const char *text, size_t len, r1_err *err);
void med_opposites_free(med_opposites *o); /* NULL is fine */

/* Walks the opposites of a term; start with {0}. MED_NONE at the end. One may come twice. */
typedef struct {
    uint32_t ancestor, at;
} med_opposite_walk;
uint32_t med_opposites_next(const med_opposites *o, uint32_t term, med_opposite_walk *walk);
/* A disease, or a further profile, that has an opposite of a finding. alone: of the finding's
 * ancestors (in their order, the first 63), those that it has by opposites alone. */
typedef struct {
    uint32_t disease;
    uint64_t alone;
} med_opposed;
/* The diseases, rising, that have an opposite of a term; *n is 0 for a term that stands in no pair,
 * though one above it may. */
const med_opposed *med_opposites_diseases(med_opposites *o, uint32_t term, uint32_t *n);
/* The same for one profile; *has: an opposite is in it. */
uint64_t med_opposites_alone(med_opposites *o, uint32_t term, const med_profile *profile,
                             uint32_t n, bool *has);
uint32_t med_opposites_pairs(const med_opposites *o); /* that the knowledge base knows */

#endif
