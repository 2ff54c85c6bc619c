/* SPDX-License-Identifier: Apache-2.0 */
/* med_families.h - candidates that a reader takes for one disease as one candidate: Orphanet's
 * entry and those that OMIM numbers by gene (med_kb_family). The one that fits best stands for all,
 * with the sum of their probabilities. Figures of ranking are counted without this: they know which
 * of them was right.
 *
 * Threads: any. */
#ifndef MED_FAMILIES_H
#define MED_FAMILIES_H

#include "rank/med_rank.h"

/* list: judged by med_posterior, n entries. out and from have room for n: joined candidates in
 * falling probability, equal ones as they stood, and where each stood in list (NULL: not asked).
 * Returns their number. */
uint32_t med_families_join(const med_kb *kb, const med_candidate *list, uint32_t n,
                           med_candidate *out, uint32_t *from);
/* Whether two diseases are one to a reader. */
bool med_families_same(const med_kb *kb, uint32_t a, uint32_t b);

#endif
