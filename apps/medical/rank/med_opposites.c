/* SPDX-License-Identifier: Apache-2.0 */
/* med_opposites.c - see med_opposites.h. */
#include "rank/med_opposites.h"

#include "med_data.h"
#include "r1_assert.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint32_t term, other;
} opposite_pair;

struct med_opposites {
    const med_kb *kb;
    const med_opposite_profile *more;
    uint32_t n_more;
    opposite_pair *pair;  /* both ways round, by term */
    uint32_t *pair_at;    /* [n_term + 1]: where a term's pairs begin */
    uint32_t *opposed_at; /* [n_term + 1]: where the diseases of a term begin */
    med_opposed *opposed; /* by term, then by disease; `alone` where the term is known */
    uint32_t *n_opposed;  /* [n_term] */
    uint8_t *known;       /* [n_term] */
    uint64_t *bit;        /* [n_term], zero between uses */
    uint32_t n_pair;
};

/* In `bit` beside those of ancestors, of which 63 have one. */
static const uint64_t is_opposite = (uint64_t)1 << 63;

/* ---- the table ------------------------------------------------------------------------------- */

/* "HP:0001250" at *s, before a tab or the end. */
static bool opposite_id(const char **s, const char *end, char id[12])
{
    size_t n = 0;
    while (*s + n < end && (*s)[n] != '\t') n++;
    bool good = n == 10 && memcmp(*s, "HP:", 3) == 0;
    for (size_t i = 3; good && i < n; i++) good = isdigit((unsigned char)(*s)[i]);
    if (!good) return false;
    memcpy(id, *s, n);
    id[n] = '\0';
    *s += n + (*s + n < end);
    return true;
}

static r1_status opposite_line(med_opposites *o, const char *name, uint32_t line, const char *s,
                               size_t len, r1_err *err)
{
    char one[12], other[12];
    const char *end = s + len, *at = s;
    if (memchr(s, '\0', len) || memchr(s, '\r', len) || !opposite_id(&at, end, one) ||
        !opposite_id(&at, end, other) || strcmp(one, other) == 0)
        R1_FAIL(err, R1_E_FORMAT,
                "%s:%u: expected two different ids HP:0000000 and a tab between, "
                "found \"%.*s\"",
                name, line, (int)(len < 60 ? len : 60), s);
    uint32_t a = med_kb_term(o->kb, one, strlen(one)), b = med_kb_term(o->kb, other, strlen(other));
    if (a == MED_NONE || b == MED_NONE || med_kb_is_a(o->kb, a, b) || med_kb_is_a(o->kb, b, a))
        return R1_OK;
    if (o->n_pair + 2 > 2 * MED_OPPOSITE_PAIRS_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s:%u: more than %d pairs, the most that are read", name, line,
                MED_OPPOSITE_PAIRS_MAX);
    o->pair[o->n_pair++] = (opposite_pair){a, b};
    o->pair[o->n_pair++] = (opposite_pair){b, a};
    return R1_OK;
}

static int opposite_order(const void *a, const void *b)
{
    const opposite_pair *x = a, *y = b;
    if (x->term != y->term) return x->term < y->term ? -1 : 1;
    return (x->other > y->other) - (x->other < y->other);
}

static r1_status opposite_table(med_opposites *o, const char *name, const char *text, size_t len,
                                r1_err *err)
{
    uint32_t line = 0, n = 0;
    for (size_t at = 0; at < len;) {
        const char *nl = memchr(text + at, '\n', len - at);
        size_t row = nl ? (size_t)(nl - text) - at : len - at;
        line++;
        if (row && text[at] != '#') R1_TRY(opposite_line(o, name, line, text + at, row, err));
        at += row + 1;
    }
    if (o->n_pair) qsort(o->pair, o->n_pair, sizeof *o->pair, opposite_order);
    for (uint32_t i = 0; i < o->n_pair; i++) /* each once */
        if (!n || opposite_order(&o->pair[n - 1], &o->pair[i]) != 0) o->pair[n++] = o->pair[i];
    o->n_pair = n;
    for (uint32_t i = 0; i < n; i++) o->pair_at[o->pair[i].term + 1]++;
    for (uint32_t t = 0; t < o->kb->n_term; t++) o->pair_at[t + 1] += o->pair_at[t];
    return R1_OK;
}

/* Sets (on) or clears the bits of a term's ancestors and of its opposites. */
static void opposite_bits(med_opposites *o, uint32_t term, bool on)
{
    const med_term *t = &o->kb->term[term];
    med_opposite_walk walk = {0};
    for (uint32_t a = 0; a < t->n_ancestor && a < 63; a++)
        o->bit[o->kb->ancestor[t->ancestor_at + a]] = on ? (uint64_t)1 << a : 0;
    for (uint32_t other; (other = med_opposites_next(o, term, &walk)) != MED_NONE;)
        o->bit[other] = on ? is_opposite : 0;
}

/* The bits of a term's ancestors, of which the caller has set some. */
static uint64_t opposite_above(const med_opposites *o, uint32_t term)
{
    const med_term *t = &o->kb->term[term];
    uint64_t bits = 0;
    for (uint32_t a = 0; a < t->n_ancestor; a++)
        bits |= o->bit[o->kb->ancestor[t->ancestor_at + a]];
    return bits;
}

static uint64_t opposite_alone(const med_opposites *o, const med_profile *profile, uint32_t n,
                               bool *has)
{
    uint64_t by_opposites = 0, by_others = 0;
    *has = false;
    for (uint32_t i = 0; i < n; i++) {
        if (!(profile[i].term & MED_PROFILE_DIRECT)) continue;
        uint64_t bits = opposite_above(o, MED_PROFILE_TERM(profile[i]));
        *has = *has || bits & is_opposite;
        *(bits & is_opposite ? &by_opposites : &by_others) |= bits;
    }
    return by_opposites & ~by_others & ~is_opposite;
}

uint64_t med_opposites_alone(med_opposites *o, uint32_t term, const med_profile *profile,
                             uint32_t n, bool *has)
{
    opposite_bits(o, term, true);
    uint64_t alone = opposite_alone(o, profile, n, has);
    opposite_bits(o, term, false);
    return alone;
}

static med_opposite_profile opposite_profile(const med_opposites *o, uint32_t d)
{
    const med_kb *kb = o->kb;
    if (d >= kb->n_disease) return o->more[d - kb->n_disease];
    return (med_opposite_profile){kb->profile + kb->disease[d].profile_at,
                                  kb->disease[d].n_profile};
}

/* Notes a disease behind those of a term; each once. */
static void opposite_note(med_opposites *o, uint32_t term, uint32_t d)
{
    med_opposed *x = o->opposed + o->opposed_at[term] + o->n_opposed[term];
    if (o->n_opposed[term] && x[-1].disease == d) return;
    x->disease = d;
    o->n_opposed[term]++;
}

/* For each term of a pair counts, or notes, the diseases that have its opposite: a profile holds
 * what is above its findings. */
static void opposite_each(med_opposites *o, bool note)
{
    for (uint32_t d = 0; d < o->kb->n_disease + o->n_more; d++) {
        const med_opposite_profile v = opposite_profile(o, d);
        for (uint32_t i = 0; i < v.n; i++) {
            uint32_t t = MED_PROFILE_TERM(v.profile[i]);
            for (uint32_t k = o->pair_at[t]; k < o->pair_at[t + 1]; k++)
                if (note)
                    opposite_note(o, o->pair[k].other, d);
                else
                    o->opposed_at[o->pair[k].other + 1]++;
        }
    }
}

static r1_status opposite_diseases(med_opposites *o, r1_err *err)
{
    opposite_each(o, false);
    for (uint32_t t = 0; t < o->kb->n_term; t++) o->opposed_at[t + 1] += o->opposed_at[t];
    o->opposed = calloc((size_t)o->opposed_at[o->kb->n_term] + 1, sizeof *o->opposed);
    if (!o->opposed) R1_FAIL(err, R1_E_NOMEM, "no memory for the diseases of opposite findings");
    opposite_each(o, true);
    return R1_OK;
}

/* ---- what others see ------------------------------------------------------------------------- */

r1_status med_opposites_read(med_opposites **out, const med_kb *kb,
                             const med_opposite_profile *more, uint32_t n_more, const char *name,
                             const char *text, size_t len, r1_err *err)
{
    med_opposites *o = calloc(1, sizeof *o);
    *out = NULL;
    if (o) {
        o->kb = kb;
        o->more = more;
        o->n_more = n_more;
        o->pair = calloc(2 * MED_OPPOSITE_PAIRS_MAX, sizeof *o->pair);
        o->pair_at = calloc((size_t)kb->n_term + 1, sizeof *o->pair_at);
        o->opposed_at = calloc((size_t)kb->n_term + 1, sizeof *o->opposed_at);
        o->n_opposed = calloc((size_t)kb->n_term + 1, sizeof *o->n_opposed);
        o->known = calloc((size_t)kb->n_term + 1, sizeof *o->known);
        o->bit = calloc((size_t)kb->n_term + 1, sizeof *o->bit);
    }
    r1_status st = R1_OK;
    if (!o || !o->pair || !o->pair_at || !o->opposed_at || !o->n_opposed || !o->known || !o->bit)
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for opposite findings");
    if (st == R1_OK) st = opposite_table(o, name, text, len, err);
    if (st == R1_OK) st = opposite_diseases(o, err);
    if (st != R1_OK) {
        med_opposites_free(o);
        return st;
    }
    *out = o;
    return R1_OK;
}

r1_status med_opposites_new(med_opposites **out, const med_kb *kb, const med_opposite_profile *more,
                            uint32_t n_more, r1_err *err)
{
    return med_opposites_read(out, kb, more, n_more, "opposites.tsv",
                              (const char *)med_data_opposites, sizeof med_data_opposites, err);
}

void med_opposites_free(med_opposites *o)
{
    if (!o) return;
    free(o->pair);
    free(o->pair_at);
    free(o->opposed_at);
    free(o->opposed);
    free(o->n_opposed);
    free(o->known);
    free(o->bit);
    free(o);
}

uint32_t med_opposites_next(const med_opposites *o, uint32_t term, med_opposite_walk *walk)
{
    const med_kb *kb = o->kb;
    const med_term *t = &kb->term[term];
    for (; walk->ancestor < t->n_ancestor; walk->ancestor++, walk->at = 0) {
        uint32_t a = kb->ancestor[t->ancestor_at + walk->ancestor];
        while (o->pair_at[a] + walk->at < o->pair_at[a + 1]) {
            uint32_t other = o->pair[o->pair_at[a] + walk->at++].other;
            if (!med_kb_is_a(kb, term, other) && !med_kb_is_a(kb, other, term)) return other;
        }
    }
    return MED_NONE;
}

const med_opposed *med_opposites_diseases(med_opposites *o, uint32_t term, uint32_t *n)
{
    med_opposed *x = o->opposed + o->opposed_at[term];
    *n = o->n_opposed[term];
    if (!*n || o->known[term]) return x;
    opposite_bits(o, term, true);
    for (uint32_t i = 0; i < *n; i++) {
        const med_opposite_profile v = opposite_profile(o, x[i].disease);
        bool has;
        x[i].alone = opposite_alone(o, v.profile, v.n, &has);
    }
    opposite_bits(o, term, false);
    o->known[term] = 1;
    return x;
}

uint32_t med_opposites_pairs(const med_opposites *o) { return o->n_pair / 2; }
