/* SPDX-License-Identifier: Apache-2.0 */
/* med_families.c - see med_families.h. Lists are short, so members are looked for one by one. */
#include "rank/med_families.h"

bool med_families_same(const med_kb *kb, uint32_t a, uint32_t b)
{
    return med_kb_family(kb, a) == med_kb_family(kb, b);
}

/* Moves the last entry up to its place. */
static void families_sift(med_candidate *out, uint32_t *from, uint32_t at)
{
    for (; at > 0 && out[at - 1].posterior < out[at].posterior; at--) {
        med_candidate x = out[at];
        out[at] = out[at - 1];
        out[at - 1] = x;
        if (!from) continue;
        uint32_t place = from[at];
        from[at] = from[at - 1];
        from[at - 1] = place;
    }
}

uint32_t med_families_join(const med_kb *kb, const med_candidate *list, uint32_t n,
                           med_candidate *out, uint32_t *from)
{
    uint32_t m = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = 0;
        while (k < m && !med_families_same(kb, out[k].disease, list[i].disease)) k++;
        if (k < m) {
            out[k].posterior += list[i].posterior;
        } else {
            out[m] = list[i];
            if (from) from[m] = i;
            k = m++;
        }
        families_sift(out, from, k);
    }
    return m;
}
