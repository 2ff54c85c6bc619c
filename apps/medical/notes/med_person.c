/* SPDX-License-Identifier: Apache-2.0 */
/* med_person.c - the patient's age and sex, as the record tells them. */
#include "notes/med_record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *word_before(const char *from, const char *at)
{
    while (at > from && (at[-1] == ' ' || at[-1] == '-')) at--;
    while (at > from && ((at[-1] | 32) >= 'a') && ((at[-1] | 32) <= 'z')) at--;
    return at;
}

/* "4-year-old", "aged 4 years", "6 months old": the number before the unit. */
static void find_age(med_notes *n, const char *s, const char *end)
{
    static const struct {
        const char *unit;
        float years;
    } units[] = {{"year", 1}, {"month", 1 / 12.0f}, {"week", 7 / 365.25f}, {"day", 1 / 365.25f}};
    for (const char *old = s;
         isnan(n->age_years) && (old = memmem(old, (size_t)(end - old), "old", 3)) != NULL;
         old += 3) {
        const char *unit = word_before(s, old);
        const char *p = unit;
        while (p > s && (p[-1] == ' ' || p[-1] == '-')) p--;
        while (p > s && p[-1] >= '0' && p[-1] <= '9') p--;
        if (p >= unit || *p < '0' || *p > '9') continue;
        for (size_t i = 0; i < R1_COUNT(units); i++)
            if (strncasecmp(unit, units[i].unit, strlen(units[i].unit)) == 0) {
                double v = strtod(p, NULL) * (double)units[i].years;
                if (v < 120) n->age_years = (float)v;
            }
    }
}

static bool has_word(const char *s, const char *end, const char *w)
{
    size_t len = strlen(w);
    for (const char *p = s; p + len <= end; p++) {
        bool left = p == s || !((p[-1] | 32) >= 'a' && (p[-1] | 32) <= 'z');
        bool right = p + len == end || !((p[len] | 32) >= 'a' && (p[len] | 32) <= 'z');
        if (left && right && strncasecmp(p, w, len) == 0) return true;
    }
    return false;
}

/* The first sentence that says it; only outside the family history. */
void med_find_person(med_notes *n)
{
    static const char *const female[] = {"girl", "woman", "female", "she", "her", "daughter"};
    static const char *const male[] = {"boy", "man", "male", "he", "his", "son"};
    uint32_t max = n->n_sentence < 40 ? n->n_sentence : 40;
    for (uint32_t i = 0; i < max; i++) {
        const med_sentence *x = &n->sentence[i];
        if (n->section[x->section].name == MED_SECTION_FAMILY) continue;
        const char *s = n->text + x->start, *end = n->text + x->end;
        for (size_t k = 0; k < R1_COUNT(female) && n->sex == MED_SEX_UNKNOWN; k++) {
            bool f = has_word(s, end, female[k]), m = has_word(s, end, male[k]);
            if (f != m) n->sex = f ? MED_SEX_FEMALE : MED_SEX_MALE;
        }
        if (isnan(n->age_years)) find_age(n, s, end);
    }
}
