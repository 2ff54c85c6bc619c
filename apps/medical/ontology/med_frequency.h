/* SPDX-License-Identifier: Apache-2.0 */
/* med_frequency.h - how often patients of a disease show a finding, as people write it:
 *
 *   3/7   3 / 7   3 of 7                  of those that were looked at
 *   45 %   45,5%   10-20 %   <5 %         a range stands for its middle
 *   Frequent   HP:0040282                 the words of HPO and Orphanet, and HPO's ids
 *   "", "-", n/a, unknown                 nothing is said
 *
 * Whatever else stands there is refused, and so is what a spreadsheet made of 3/7 (03-Jul), more
 * patients than were looked at (12/7), and a number without its unit (0.5).
 *
 * Threads: any. */
#ifndef MED_FREQUENCY_H
#define MED_FREQUENCY_H

#include "r1_base.h"

typedef struct {
    float freq;    /* 0 to 1; negative: nothing is said */
    uint32_t n, m; /* n of m patients; m 0: not counted */
} med_frequency;

/* NULL where it is read, else what was expected. out is set in either case. */
const char *med_frequency_read(const char *s, size_t len, med_frequency *out);

#endif
