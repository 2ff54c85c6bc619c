/* SPDX-License-Identifier: Apache-2.0 */
#include "train/med_simulate.h"

#include <math.h>

enum { TRIES = 1000 };
static const double
    broader = 0.25,
    foreign = 0.15; /* of a finding: told as its parent; followed by one that belongs elsewhere */

static uint32_t simulate_below(r1_rng *rng, uint32_t n) { return (uint32_t)r1_rng_below(rng, n); }

static bool simulate_holds(const uint32_t *term, uint32_t n, uint32_t t)
{
    for (uint32_t i = 0; i < n; i++)
        if (term[i] == t) return true;
    return false;
}

/* A finding that was annotated to the disease itself, by chance of its frequency; MED_NONE: none
 * was drawn. */
static uint32_t draw_finding(const med_kb *kb, const med_disease *d, r1_rng *rng)
{
    for (int i = 0; i < TRIES && d->n_profile; i++) {
        const med_profile *p = &kb->profile[d->profile_at + simulate_below(rng, d->n_profile)];
        uint32_t t = MED_PROFILE_TERM(*p);
        if (!(p->term & MED_PROFILE_DIRECT) || !(kb->term[t].flags & MED_TERM_PHENOTYPE)) continue;
        if (r1_rng_unit(rng) < (double)p->freq) return t;
    }
    return MED_NONE;
}

static uint32_t less_exact(const med_kb *kb, uint32_t t, r1_rng *rng)
{
    const med_term *x = &kb->term[t];
    if (!x->n_parent || r1_rng_unit(rng) >= broader) return t;
    uint32_t up = kb->parent[x->parent_at + simulate_below(rng, x->n_parent)];
    return kb->term[up].flags & MED_TERM_PHENOTYPE && kb->term[up].n_parent ? up : t;
}

static uint32_t draw_foreign(const med_kb *kb, r1_rng *rng)
{
    return draw_finding(kb, &kb->disease[simulate_below(rng, kb->n_disease)], rng);
}

static void simulate_add(uint32_t *to, uint32_t *n, uint32_t max, uint32_t t)
{
    if (t != MED_NONE && *n < max && !simulate_holds(to, *n, t)) to[(*n)++] = t;
}

static void draw_patient(const med_kb *kb, const med_disease *d, r1_rng *rng, med_patient *p)
{
    uint32_t want = 2 + simulate_below(rng, MED_SIMULATED_FINDINGS - 1),
             absent = simulate_below(rng, MED_SIMULATED_EXCLUDED + 1);
    p->n_observed = p->n_excluded = 0;
    for (uint32_t i = 0; i < want; i++) {
        uint32_t t = draw_finding(kb, d, rng);
        if (t == MED_NONE) return;
        simulate_add(p->observed, &p->n_observed, MED_SIMULATED_FINDINGS, less_exact(kb, t, rng));
        if (r1_rng_unit(rng) < foreign)
            simulate_add(p->observed, &p->n_observed, MED_SIMULATED_FINDINGS,
                         draw_foreign(kb, rng));
    }
    for (uint32_t i = 0; i < absent; i++) {
        uint32_t t = draw_foreign(kb, rng);
        if (t != MED_NONE && !simulate_holds(p->observed, p->n_observed, t))
            simulate_add(p->excluded, &p->n_excluded, MED_SIMULATED_EXCLUDED, t);
    }
}

bool med_simulate(const med_kb *kb, const uint8_t *avoid, r1_rng *rng, med_patient *out)
{
    for (int i = 0; i < TRIES && kb->n_disease; i++) {
        out->disease = simulate_below(rng, kb->n_disease);
        if (!kb->disease[out->disease].n_profile || (avoid && avoid[out->disease])) continue;
        draw_patient(kb, &kb->disease[out->disease], rng, out);
        if (out->n_observed >= 2) return true;
    }
    return false;
}

med_case med_patient_query(const med_patient *p)
{
    return (med_case){.observed = p->observed,
                      .n_observed = p->n_observed,
                      .excluded = p->excluded,
                      .n_excluded = p->n_excluded,
                      .age_years = NAN};
}
