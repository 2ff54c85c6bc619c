/* SPDX-License-Identifier: Apache-2.0 */
/* med_status.c - whose finding it is and whether it is there, by cues before and after it, in the
 * manner of NegEx (Chapman et al. 2001) and ConText (Harkema et al. 2009). Owns the list of cues.
 *
 * A comma does not end a scope ("no fever, chills, or cough"); a contrast does ("no chest pain but
 * has fever"). A cue inside the finding's own words does not count ("absence of speech"). */
#include "notes/med_notes.h"

#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CUE_WORDS = 5, SCOPE = 24 };
/* NEAR is FORWARD up to the next comma or conjunction: "absent speech and seizures" denies no
 * seizures. */
typedef enum { FORWARD, BACKWARD, PSEUDO, END, NEAR } direction;

typedef struct {
    const char *words; /* lower case, blanks between; punctuation is a word */
    uint8_t direction, status;
} cue;

#define N MED_ABSENT
#define U MED_UNCERTAIN
#define H MED_HYPOTHETICAL
#define P MED_HISTORICAL
#define F MED_FAMILY
/* Longer cues first where one begins another. */
static const cue cues[] = {
    {"no increase", PSEUDO, N},
    {"no change", PSEUDO, N},
    {"no significant change", PSEUDO, N},
    {"not only", PSEUDO, N},
    {"no further", PSEUDO, N},
    {"no doubt", PSEUDO, N},
    {"gram negative", PSEUDO, N},
    {"not certain", PSEUDO, N},
    {"not necessarily", PSEUDO, N},
    {"without difficulty", PSEUDO, N},
    {"no longer than", PSEUDO, N},
    {"no definite change", PSEUDO, N},
    {"not cause", PSEUDO, N},
    {"no family history", PSEUDO, F},
    {"no evidence of", FORWARD, N},
    {"no evidence for", FORWARD, N},
    {"no signs of", FORWARD, N},
    {"no sign of", FORWARD, N},
    {"no history of", FORWARD, N},
    {"no complaints of", FORWARD, N},
    {"no further evidence of", FORWARD, N},
    {"not have", FORWARD, N},
    {"not had", FORWARD, N},
    {"not show", FORWARD, N},
    {"not reveal", FORWARD, N},
    {"not develop", FORWARD, N},
    {"not demonstrate", FORWARD, N},
    {"not associated with", FORWARD, N},
    {"did not", FORWARD, N},
    {"does not", FORWARD, N},
    {"do not", FORWARD, N},
    {"has not", FORWARD, N},
    {"was not", FORWARD, N},
    {"were not", FORWARD, N},
    {"is not", FORWARD, N},
    {"are not", FORWARD, N},
    {"never had", FORWARD, N},
    {"never", FORWARD, N},
    {"no", FORWARD, N},
    {"denies", FORWARD, N},
    {"denied", FORWARD, N},
    {"deny", FORWARD, N},
    {"denying", FORWARD, N},
    {"without", FORWARD, N},
    {"negative for", FORWARD, N},
    {"free of", FORWARD, N},
    {"absence of", FORWARD, N},
    {"absent", NEAR, N},
    {"lack of", FORWARD, N},
    {"lacks", FORWARD, N},
    {"lacked", FORWARD, N},
    {"neither", FORWARD, N},
    {"nor", FORWARD, N},
    {"rules out", FORWARD, N},
    {"ruled out", FORWARD, N},
    {"excluded", FORWARD, N},
    {"resolution of", FORWARD, N},
    {"fails to reveal", FORWARD, N},
    {"rather than", FORWARD, N},
    {"unremarkable for", FORWARD, N},
    {"instead of", FORWARD, N},
    {"not", FORWARD, N},
    {"excludes", FORWARD, N},
    {"exclude", FORWARD, N},
    {"excluding", FORWARD, N},
    {"speaks against", FORWARD, N},
    {"argues against", FORWARD, N},
    {"evidence against", FORWARD, N},
    {"nobody", FORWARD, N},
    {"no one", FORWARD, N},
    {"none of", FORWARD, N},
    {"failed to reveal", FORWARD, N},
    {"failed to show", FORWARD, N},
    {"negative", NEAR, N},
    {"non", NEAR, N},
    {": none", BACKWARD, N},
    {": no", BACKWARD, N},
    {": negative", BACKWARD, N},
    {": absent", BACKWARD, N},
    {": denied", BACKWARD, N},
    {": nil", BACKWARD, N},
    {"was ruled out", BACKWARD, N},
    {"were ruled out", BACKWARD, N},
    {"has been ruled out", BACKWARD, N},
    {"have been ruled out", BACKWARD, N},
    {"is ruled out", BACKWARD, N},
    {"was excluded", BACKWARD, N},
    {"were excluded", BACKWARD, N},
    {"was absent", BACKWARD, N},
    {"were absent", BACKWARD, N},
    {"is absent", BACKWARD, N},
    {"are absent", BACKWARD, N},
    {"absent", BACKWARD, N},
    {"was negative", BACKWARD, N},
    {"were negative", BACKWARD, N},
    {"is negative", BACKWARD, N},
    {"not present", BACKWARD, N},
    {"never seen", BACKWARD, N},
    {"never present", BACKWARD, N},
    {"never noted", BACKWARD, N},
    {"never noticed", BACKWARD, N},
    {"never observed", BACKWARD, N},
    {"never occurred", BACKWARD, N},
    {"was looked for", BACKWARD, H},
    {"were looked for", BACKWARD, H},
    {"not seen", BACKWARD, N},
    {"not observed", BACKWARD, N},
    {"not noted", BACKWARD, N},
    {"not found", BACKWARD, N},
    {"not detected", BACKWARD, N},
    {"not evident", BACKWARD, N},
    {"not reported", BACKWARD, N},
    {"was not", BACKWARD, N},
    {"were not", BACKWARD, N},
    {"is not", BACKWARD, N},
    {"are not", BACKWARD, N},
    {"was denied", BACKWARD, N},
    {"were denied", BACKWARD, N},
    {"has resolved", BACKWARD, P},
    {"resolved", BACKWARD, P},
    {"cannot be excluded", BACKWARD, U},
    {"can not be excluded", BACKWARD, U},
    {"not excluded", BACKWARD, U},
    {"not ruled out", BACKWARD, U},
    {"did not rule out", BACKWARD, U},
    {"is questionable", BACKWARD, U},
    {"was questionable", BACKWARD, U},
    {"questionable", BACKWARD, U},
    {"is suspected", BACKWARD, U},
    {"was suspected", BACKWARD, U},
    {"were suspected", BACKWARD, U},
    {"is possible", BACKWARD, U},
    {"is unlikely", BACKWARD, U},
    {"unlikely", BACKWARD, U},
    {"?", BACKWARD, U},
    {"possible", FORWARD, U},
    {"possibly", FORWARD, U},
    {"probable", FORWARD, U},
    {"probably", FORWARD, U},
    {"suspected", FORWARD, U},
    {"suspicion of", FORWARD, U},
    {"suspicious for", FORWARD, U},
    {"may have", FORWARD, U},
    {"may represent", FORWARD, U},
    {"may be", FORWARD, U},
    {"might be", FORWARD, U},
    {"might have", FORWARD, U},
    {"questionable", FORWARD, U},
    {"equivocal", FORWARD, U},
    {"concern for", FORWARD, U},
    {"concerning for", FORWARD, U},
    {"cannot exclude", FORWARD, U},
    {"suggestive of", FORWARD, U},
    {"worrisome for", FORWARD, U},
    {"unclear whether", FORWARD, U},
    {"question of", FORWARD, U},
    {"could be", FORWARD, U},
    {"differential diagnosis includes", FORWARD, U},
    {"if", FORWARD, H},
    {"in case of", FORWARD, H},
    {"should", FORWARD, H},
    {"return for", FORWARD, H},
    {"risk of", FORWARD, H},
    {"risk for", FORWARD, H},
    {"risks of", FORWARD, H},
    {"at risk", FORWARD, H},
    {"rule out", FORWARD, H},
    {"r / o", FORWARD, H},
    {"to exclude", FORWARD, H},
    {"evaluate for", FORWARD, H},
    {"evaluation for", FORWARD, H},
    {"screen for", FORWARD, H},
    {"screening for", FORWARD, H},
    {"monitor for", FORWARD, H},
    {"surveillance for", FORWARD, H},
    {"watch for", FORWARD, H},
    {"look for", FORWARD, H},
    {"prophylaxis for", FORWARD, H},
    {"to prevent", FORWARD, H},
    {"prevention of", FORWARD, H},
    {"test for", FORWARD, H},
    {"tested for", FORWARD, H},
    {"history of", FORWARD, P},
    {"h / o", FORWARD, P},
    {"previous", FORWARD, P},
    {"previously had", FORWARD, P},
    {"past history of", FORWARD, P},
    {"former", FORWARD, P},
    {"family history of", FORWARD, F},
    {"family history is positive for", FORWARD, F},
    {"mother", FORWARD, F},
    {"father", FORWARD, F},
    {"brother", FORWARD, F},
    {"brothers", FORWARD, F},
    {"sister", FORWARD, F},
    {"sisters", FORWARD, F},
    {"sibling", FORWARD, F},
    {"siblings", FORWARD, F},
    {"uncle", FORWARD, F},
    {"aunt", FORWARD, F},
    {"cousin", FORWARD, F},
    {"cousins", FORWARD, F},
    {"grandmother", FORWARD, F},
    {"grandfather", FORWARD, F},
    {"grandparents", FORWARD, F},
    {"nephew", FORWARD, F},
    {"niece", FORWARD, F},
    {"relatives", FORWARD, F},
    {"in his mother", BACKWARD, F},
    {"in her mother", BACKWARD, F},
    {"in his father", BACKWARD, F},
    {"in her father", BACKWARD, F},
    {"in a cousin", BACKWARD, F},
    {"in his brother", BACKWARD, F},
    {"in her brother", BACKWARD, F},
    {"in his sister", BACKWARD, F},
    {"in her sister", BACKWARD, F},
    {"in the family", BACKWARD, F},
    {"in the mother", BACKWARD, F},
    {"in the father", BACKWARD, F},
    /* of the ends, those marked F leave it open whose finding it is ("her brother has...") */
    {"but", END, 0},
    {"however", END, 0},
    {"although", END, 0},
    {"though", END, 0},
    {"except", END, 0},
    {"apart from", END, 0},
    {"aside from", END, 0},
    {"other than", END, 0},
    {"yet", END, 0},
    {"while", END, 0},
    {"whereas", END, 0},
    {"secondary to", END, 0},
    {"because", END, 0},
    {"due to", END, 0},
    {";", END, 0},
    {"who", END, 0},
    {"he", END, 0},
    {"she", END, 0},
    {"they", END, 0},
    {"the patient", END, 0},
    {"has", END, F},
    {"had", END, F},
    {"showed", END, F},
    {"shows", END, F},
    {"revealed", END, F},
    {"reveals", END, F},
    {"developed", END, F},
    {"presented", END, F},
    {"demonstrated", END, F},
    {".", END, 0},
    {"started", END, F},
    {"presenting", END, F},
    {"our patient", END, 0},
    {"the proband", END, 0},
    {"noted to have", END, F},
};
#undef N
#undef U
#undef H
#undef P
#undef F

static bool token_is(const char *text, const med_token *t, const char *w, size_t len)
{
    return t->end - t->start == len && strncasecmp(text + t->start, w, len) == 0;
}

/* The number of tokens that the cue covers at position i, 0 if it does not stand there. */
static uint32_t cue_at(const char *text, const med_token *t, uint32_t n, uint32_t i, const cue *c)
{
    const char *w = c->words;
    uint32_t k = 0;
    while (*w) {
        size_t len = strcspn(w, " ");
        if (i + k >= n || !token_is(text, &t[i + k], w, len)) return 0;
        k++;
        w += len + (w[len] == ' ');
    }
    return k;
}

typedef struct {
    const cue *c;
    uint32_t at, n;
} found;

/* The longest cue at position i; of equal length the first. dir: any of the given bits. */
static found best_cue(const char *text, const med_token *t, uint32_t n, uint32_t i, uint32_t dirs)
{
    found f = {NULL, i, 0};
    for (size_t k = 0; k < R1_COUNT(cues); k++) {
        if (!(dirs >> cues[k].direction & 1)) continue;
        if ((text[t[i].start] | 32) != (cues[k].words[0] | 32)) continue;
        uint32_t len = cue_at(text, t, n, i, &cues[k]);
        if (len > f.n) f = (found){&cues[k], i, len};
    }
    return f;
}

static bool status_within(uint32_t at, uint32_t n, const uint32_t *used, uint32_t n_used)
{
    for (uint32_t i = 0; i < n_used; i++)
        if (used[i] >= at && used[i] < at + n) return true;
    return false;
}

/* A cue of higher rank takes the place of one of lower rank. Negation ranks highest. */
static int rank_of(med_status s)
{
    static const int rank[MED_STATUS_COUNT] = {
        [MED_PRESENT] = 0,      [MED_HISTORICAL] = 1, [MED_UNCERTAIN] = 2,
        [MED_HYPOTHETICAL] = 3, [MED_FAMILY] = 4,     [MED_ABSENT] = 5};
    R1_ASSERT(s < MED_STATUS_COUNT, "status %d", (int)s);
    return rank[s];
}

static void status_apply(med_mention *m, const med_token *t, found f)
{
    if (rank_of((med_status)f.c->status) <= rank_of(m->status)) return;
    m->status = (med_status)f.c->status;
    m->cue_start = t[f.at].start;
    m->cue_end = t[f.at + f.n - 1].end;
    R1_ASSERT(m->cue_start < m->cue_end, "cue: bytes %u to %u", m->cue_start, m->cue_end);
}

static uint32_t keep_family(found *live, uint32_t n, bool family_stays)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < n && family_stays; i++)
        if (live[i].c->status == MED_FAMILY) live[k++] = live[i];
    return k;
}

/* "No polydactyly, slight sandal gap": a comma before a word of degree or number begins what is
 * there. */
static bool status_turns(const char *text, const med_token *t, uint32_t n, uint32_t i)
{
    static const char *const words[] = {
        "slight",    "slightly", "mild", "mildly", "moderate", "marked", "markedly", "partial",
        "deep",      "severe",   "very", "one",    "two",      "some",   "small",    "large",
        "prominent", "minimal",  "left", "right",  "positive", "with"};
    if (i + 1 >= n || !t[i].punct || text[t[i].start] != ',') return false;
    for (size_t k = 0; k < R1_COUNT(words); k++)
        if (token_is(text, &t[i + 1], words[k], strlen(words[k]))) return true;
    return false;
}

static uint32_t drop_near(found *live, uint32_t n)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++)
        if (live[i].c->direction != NEAR) live[k++] = live[i];
    return k;
}

static uint32_t drop_denials(found *live, uint32_t n)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++)
        if (live[i].c->status != MED_ABSENT) live[k++] = live[i];
    return k;
}

static void look_back(const char *text, const med_token *t, uint32_t n, const uint32_t *used,
                      uint32_t n_used, med_mention *m)
{
    uint32_t first = used[0], floor = first > SCOPE ? first - SCOPE : 0, i = floor;
    found live[8];
    uint32_t n_live = 0;
    while (i < first) {
        found f = best_cue(text, t, n, i, 1u << FORWARD | 1u << NEAR | 1u << PSEUDO | 1u << END);
        if (!f.c) {
            if (t[i].conj) n_live = drop_near(live, n_live);
            if (status_turns(text, t, n, i)) n_live = drop_denials(live, n_live);
            i++;
            continue;
        }
        bool inside = status_within(f.at, f.n, used, n_used);
        if (f.c->direction == END) n_live = keep_family(live, n_live, f.c->status == MED_FAMILY);
        if ((f.c->direction == FORWARD || f.c->direction == NEAR) && !inside &&
            n_live < R1_COUNT(live))
            live[n_live++] = f;
        i += f.n;
    }
    for (uint32_t k = 0; k < n_live; k++) status_apply(m, t, live[k]);
}

static void look_on(const char *text, const med_token *t, uint32_t n, const uint32_t *used,
                    uint32_t n_used, med_mention *m)
{
    uint32_t last = used[n_used - 1], stop = last + 9 < n ? last + 9 : n;
    for (uint32_t i = last + 1; i < stop;) {
        found f = best_cue(text, t, n, i, 1u << BACKWARD | 1u << PSEUDO | 1u << END);
        if (!f.c) {
            if (t[i].punct && text[t[i].start] == ',') break;
            i++;
            continue;
        }
        if (f.c->direction == END) break;
        if (f.c->direction == BACKWARD) status_apply(m, t, f);
        i += f.n;
    }
}

void med_find_status(const med_notes *n, const med_token *t, uint32_t n_token, const uint32_t *used,
                     uint32_t n_used, med_mention *m)
{
    R1_ASSERT(m->sentence < n->n_sentence && n_used > 0, "mention: sentence %u of %u, %u words",
              m->sentence, n->n_sentence, n_used);
    R1_ASSERT(used[0] <= used[n_used - 1] && used[n_used - 1] < n_token,
              "mention: words %u to %u of %u", used[0], used[n_used - 1], n_token);
    uint32_t section = n->section[n->sentence[m->sentence].section].name;
    m->status = MED_PRESENT;
    m->cue_start = m->cue_end = m->start;
    look_back(n->text, t, n_token, used, n_used, m);
    look_on(n->text, t, n_token, used, n_used, m);
    if (m->status == MED_PRESENT && section == MED_SECTION_FAMILY) m->status = MED_FAMILY;
    if (m->status == MED_PRESENT && section == MED_SECTION_PLAN) m->status = MED_HYPOTHETICAL;
}

/* ---- the person ------------------------------------------------------------------------------ */

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
