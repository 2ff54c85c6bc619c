/* SPDX-License-Identifier: Apache-2.0 */
/* med_relatives.h - a relative of whom the sentence before spoke, and whether the next one goes on
 * about them.
 *
 *   "His mother has migraine. She had glaucoma."       the mother's: the patient is no woman
 *   "She has two brothers. One has seizures."          a brother's
 *   "His father is well. He had cataracts at 40."      not sure whose: it stays the patient's
 *   "His mother is well. She reports seizures."        the patient's: she tells of them
 *
 * Threads: one per state. */
#ifndef MED_RELATIVES_H
#define MED_RELATIVES_H

#include "notes/med_scope.h"
#include "rank/med_rank.h"

typedef struct {
    med_scope_cue cue; /* the words that named them; end 0: the sentence spoke of none */
    med_sex sex;       /* of one of them; unknown where the word does not say it */
    bool several;
    med_sex patient; /* as "his" and "her" before the relative say it */
    uint32_t section;
} med_relatives;

/* Whether a unit of n tokens goes on about them. *at: the token that refers to them.
 * patient: as the record says it. */
bool med_relatives_go_on(const med_relatives *r, const med_cues *c, const char *text,
                         const med_token *t, uint32_t n, med_sex patient, uint32_t *at);
/* Whether one of the first tokens is a relative. */
bool med_relatives_named(const med_cues *c, const char *text, const med_token *t, uint32_t n);
/* Takes what a unit that was read leaves behind: the relative of whom *s spoke last. */
void med_relatives_take(med_relatives *r, const med_cues *c, const char *text, const med_scope *s,
                        uint32_t section);

#endif
