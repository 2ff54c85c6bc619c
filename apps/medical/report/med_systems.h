/* SPDX-License-Identifier: Apache-2.0 */
/* med_systems.h - body systems: the findings right below "Phenotypic abnormality", their names in
 * plain words and where they are drawn on a body; and whom a finding can be asked of.
 *
 * Owns:    nothing; borrows the knowledge base.
 * Threads: read-only once opened, so any number. */
#ifndef MED_SYSTEMS_H
#define MED_SYSTEMS_H

#include "ontology/med_kb.h"
#include "rank/med_rank.h"
#include "report/med_words.h"

enum { MED_SYSTEMS_MAX = 40, MED_ASKED_MAX = 16 };

/* A place on the body of med_figure.h, in its units; side 'L' or 'R': where its label stands; '-':
 * the system has no one place. */
typedef struct {
    const char *id;
    char side;
    double x, y;
    const char *name[MED_WORDS_LANGUAGES];
} med_system_place;
extern const med_system_place med_system_places[];
extern const uint32_t med_system_n_place;

/* Terms of the knowledge base, MED_NONE where it lacks one. */
typedef struct {
    const med_kb *kb;
    uint32_t system[MED_SYSTEMS_MAX]; /* of each place */
    uint32_t asked[MED_ASKED_MAX];
} med_systems;

void med_systems_open(med_systems *s, const med_kb *kb);
/* The body system of a finding; of several, that of fewest diseases. MED_NONE: none. */
uint32_t med_systems_of(const med_systems *s, uint32_t term);
/* The place of a system (a term), MED_NONE where it is not in the table. */
uint32_t med_systems_place(const med_systems *s, uint32_t system);
/* Whether a finding can be asked of such a patient: no organ of the other sex, and nothing of
 * pregnancy and birth beyond infancy. What is not known (MED_SEX_UNKNOWN, NaN) excludes nothing. */
bool med_systems_asked(const med_systems *s, uint32_t term, med_sex sex, float age_years);
/* Whether a finding can be only of the other sex. */
bool med_systems_other_sex(const med_systems *s, uint32_t term, med_sex sex);

#endif
