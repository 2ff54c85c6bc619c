/* SPDX-License-Identifier: Apache-2.0 */
/* med_probes.c - see med_probes.h. What a disease has, and how often others do, is read from the
 * profiles here and not asked of the ranker that is probed. */
#include "probes/med_probes.h"

#include "cli/r1_cli.h"
#include "train/med_simulate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TYPICAL_MAX = 5, DENIED_MAX = MED_SIMULATED_EXCLUDED + TYPICAL_MAX + 1, DRAWS = 200 };
static const double parent_instead = 0.25;
static const float point = 0.01f;

typedef struct {
    med_candidate list[MED_PROBE_LIST];
    uint32_t n;
} answer;

typedef struct {
    const med_kb *kb;
    med_probe_judge judge;
    void *ctx;
    float *background; /* [n_term] mean frequency in all profiles */
    r1_rng rng;
    med_patient patient;
    uint32_t denied[2 * DENIED_MAX], n_denied; /* room to say each twice */
    answer last, next;
    med_probes_result *out;
} prober;

/* ---- what a disease has ---------------------------------------------------------------------- */

static bool probe_has(const med_kb *kb, uint32_t disease, uint32_t term)
{
    const med_disease *d = &kb->disease[disease];
    for (uint32_t i = 0; i < d->n_profile; i++)
        if (MED_PROFILE_TERM(kb->profile[d->profile_at + i]) == term) return true;
    return false;
}

static bool probe_is_denied(const prober *p, uint32_t term)
{
    for (uint32_t i = 0; i < p->n_denied; i++)
        if (med_kb_is_a(p->kb, term, p->denied[i])) return true;
    return false;
}

/* Whether the patient has the finding, or a special form of it. */
static bool probe_is_observed(const prober *p, uint32_t term)
{
    for (uint32_t i = 0; i < p->patient.n_observed; i++)
        if (med_kb_is_a(p->kb, p->patient.observed[i], term)) return true;
    return false;
}

/* A typical finding of the patient's disease that nothing denies yet, or a parent of one;
 * MED_NONE: none was met. */
static uint32_t draw_typical(prober *p)
{
    const med_kb *kb = p->kb;
    const med_disease *d = &kb->disease[p->patient.disease];
    for (int i = 0; i < DRAWS; i++) {
        const med_profile *x = &kb->profile[d->profile_at + r1_rng_below(&p->rng, d->n_profile)];
        uint32_t t = MED_PROFILE_TERM(*x), deny = t;
        const med_term *term = &kb->term[t];
        if (!(x->term & MED_PROFILE_DIRECT) || x->freq < MED_PROBE_TYPICAL ||
            x->freq < p->background[t] + 0.1f || probe_is_denied(p, t) || probe_is_observed(p, t))
            continue;
        if (term->n_parent && r1_rng_unit(&p->rng) < parent_instead)
            deny = kb->parent[term->parent_at + r1_rng_below(&p->rng, term->n_parent)];
        if (!probe_is_observed(p, deny)) return deny;
    }
    return MED_NONE;
}

static uint32_t draw_unrelated(prober *p)
{
    for (int i = 0; i < DRAWS; i++) {
        uint32_t t = (uint32_t)r1_rng_below(&p->rng, p->kb->n_term);
        if (p->kb->term[t].flags & MED_TERM_PHENOTYPE && !probe_is_denied(p, t) &&
            !probe_is_observed(p, t) && !probe_has(p->kb, p->patient.disease, t))
            return t;
    }
    return MED_NONE;
}

/* ---- asking and comparing -------------------------------------------------------------------- */

static r1_status probe_ask(prober *p, answer *to, r1_err *err)
{
    med_case c = med_patient_query(&p->patient);
    c.excluded = p->denied;
    c.n_excluded = p->n_denied;
    return p->judge(p->ctx, &c, to->list, &to->n, err);
}

static const med_candidate *probe_find(const answer *a, uint32_t disease)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (a->list[i].disease == disease) return &a->list[i];
    return NULL;
}

/* term was denied between last and next. */
static void probe_compare(prober *p, uint32_t term)
{
    med_probes_result *out = p->out;
    out->n_lost += p->last.n != p->next.n;
    for (uint32_t i = 0; i < p->next.n; i++) {
        const med_candidate *now = &p->next.list[i], *was = probe_find(&p->last, now->disease);
        if (!was) {
            out->n_lost++;
            continue;
        }
        float rise = now->posterior - was->posterior;
        out->n_compared++;
        out->n_raised += !(rise <= 0);
        out->largest_rise = fmax(out->largest_rise, (double)rise);
        if (probe_has(p->kb, now->disease, term)) continue;
        out->n_moved += !(fabsf(rise) <= point);
        out->largest_move = fmax(out->largest_move, (double)fabsf(rise));
    }
}

static r1_status probe_deny(prober *p, uint32_t term, r1_err *err)
{
    p->denied[p->n_denied++] = term;
    R1_TRY(probe_ask(p, &p->next, err));
    probe_compare(p, term);
    return R1_OK;
}

static r1_status probe_typical(prober *p, r1_err *err)
{
    uint32_t want = 1 + (uint32_t)r1_rng_below(&p->rng, TYPICAL_MAX), term;
    const med_candidate *first = probe_find(&p->last, p->patient.disease), *now;
    double before = first ? (double)first->posterior : 0;
    p->out->n_listed += first != NULL;
    p->out->before += before;
    for (uint32_t i = 0; i < want && (term = draw_typical(p)) != MED_NONE; i++) {
        R1_TRY(probe_deny(p, term, err));
        p->out->n_typical++;
        now = probe_find(&p->next, p->patient.disease);
        const med_candidate *was = probe_find(&p->last, p->patient.disease);
        p->out->n_kept += now && was && was->posterior > 0 && !(now->posterior < was->posterior);
        p->last = p->next;
    }
    now = probe_find(&p->last, p->patient.disease);
    p->out->after += now ? (double)now->posterior : 0;
    return R1_OK;
}

static r1_status probe_unrelated(prober *p, r1_err *err)
{
    uint32_t term = draw_unrelated(p);
    if (term == MED_NONE) return R1_OK;
    R1_TRY(probe_deny(p, term, err));
    p->out->n_unrelated++;
    p->last = p->next;
    return R1_OK;
}

/* All denials in another order, each of them a second time by half a chance. */
static r1_status probe_order(prober *p, r1_err *err)
{
    for (uint32_t i = 0, n = p->n_denied; i < n; i++)
        if (r1_rng_unit(&p->rng) < 0.5) p->denied[p->n_denied++] = p->denied[i];
    for (uint32_t i = p->n_denied; i > 1; i--) {
        uint32_t j = (uint32_t)r1_rng_below(&p->rng, i), t = p->denied[i - 1];
        p->denied[i - 1] = p->denied[j];
        p->denied[j] = t;
    }
    R1_TRY(probe_ask(p, &p->next, err));
    bool same = p->next.n == p->last.n;
    for (uint32_t i = 0; i < p->next.n && same; i++)
        same = p->next.list[i].disease == p->last.list[i].disease &&
               p->next.list[i].logit == p->last.list[i].logit &&
               p->next.list[i].posterior == p->last.list[i].posterior;
    p->out->n_ordered += !same;
    return R1_OK;
}

/* ---- the probes ------------------------------------------------------------------------------ */

static r1_status probe_one(prober *p, r1_err *err)
{
    if (!med_simulate(p->kb, NULL, &p->rng, &p->patient))
        R1_FAIL(err, R1_E_INVAL, "no disease of this knowledge base has two findings");
    p->n_denied = p->patient.n_excluded;
    memcpy(p->denied, p->patient.excluded, p->n_denied * sizeof *p->denied);
    R1_TRY(probe_ask(p, &p->last, err));
    R1_TRY(probe_typical(p, err));
    R1_TRY(probe_unrelated(p, err));
    R1_TRY(probe_order(p, err));
    p->out->n_probe++;
    return R1_OK;
}

static r1_status probe_all(prober *p, const med_probes_opts *opts, r1_err *err)
{
    r1_progress bar;
    r1_progress_begin(&bar, "probing denials", opts->n_probe);
    for (uint32_t i = 0; i < opts->n_probe; i++) {
        R1_TRY(probe_one(p, err));
        if (opts->progress && i % 64 == 0) r1_progress_update(&bar, i, "");
        if (r1_cli_stopped()) R1_FAIL(err, R1_E_CANCELLED, "stopped after %u probes", i + 1);
    }
    if (opts->progress) r1_progress_end(&bar, opts->n_probe, "");
    if (p->out->n_listed) p->out->before /= p->out->n_listed, p->out->after /= p->out->n_listed;
    return R1_OK;
}

uint32_t med_probes_violations(const med_probes_result *res)
{
    return res->n_raised + res->n_kept + res->n_moved + res->n_ordered + res->n_lost;
}

r1_status med_probes(const med_kb *kb, med_probe_judge judge, void *ctx,
                     const med_probes_opts *opts, med_probes_result *out, r1_err *err)
{
    memset(out, 0, sizeof *out);
    prober *p = calloc(1, sizeof *p);
    float *background = calloc(kb->n_term + 1u, sizeof *background);
    r1_status st = R1_E_NOMEM;
    if (p && background) {
        *p = (prober){.kb = kb, .judge = judge, .ctx = ctx, .background = background, .out = out};
        for (uint32_t i = 0; i < kb->n_profile; i++)
            background[MED_PROFILE_TERM(kb->profile[i])] +=
                kb->profile[i].freq / (float)kb->n_profiled;
        r1_rng_seed(&p->rng, opts->seed);
        st = probe_all(p, opts, err);
    } else {
        r1_err_set(err, st, __FILE__, __LINE__, "no memory for probes of %u findings", kb->n_term);
    }
    free(background);
    free(p);
    return st;
}
