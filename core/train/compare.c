/* SPDX-License-Identifier: Apache-2.0 */
/* compare.c - two scorings of the same samples: a metric of both, the paired bootstrap of its
 * difference, divergence, agreement.
 *
 * A draw gives each unit (a sample alone, a cluster, a rank group) a number of times that it
 * counts. Clusters and lone samples are drawn apart, so that the share of the rare class, which
 * comes in clusters, stays as it is. */
#include "r1_train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = 1000 };

typedef struct {
    const r1_compare_opts *o;
    uint32_t *unit; /* [n]: of sample i; clusters first, then lone samples */
    size_t n_cluster, n_unit;
    uint32_t *order[2];    /* samples from the highest score on */
    uint32_t *times;       /* [n_unit] */
    double *diff, *hit[2]; /* [n_draw]; rank: [n_unit] */
} work;

static void work_free(work *w)
{
    free(w->unit);
    free(w->order[0]);
    free(w->order[1]);
    free(w->times);
    free(w->diff);
    free(w->hit[0]);
    free(w->hit[1]);
}

typedef struct {
    uint64_t key; /* rises as the score falls; a cluster's number */
    uint32_t index;
} keyed;

static int compare_by_key(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Descending order of floats as ascending order of numbers. */
static uint64_t compare_falling(float score)
{
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    return bits >> 31 ? bits : ~bits & 0x7fffffffu;
}

/* Numbers for units: equal groups get one number. */
static void number_units(work *w, keyed *k)
{
    size_t n = 0;
    for (uint32_t i = 0; i < w->o->n; i++)
        if (w->o->group && w->o->group[i]) k[n++] = (keyed){w->o->group[i], i};
    qsort(k, n, sizeof *k, compare_by_key);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || k[i].key != k[i - 1].key) w->n_unit++;
        w->unit[k[i].index] = (uint32_t)w->n_unit - 1;
    }
    w->n_cluster = w->n_unit;
    for (uint32_t i = 0; i < w->o->n; i++)
        if (!w->o->group || !w->o->group[i]) w->unit[i] = (uint32_t)w->n_unit++;
}

static r1_status work_new(work *w, const r1_compare_opts *o, r1_err *err)
{
    size_t n = o->n + 1;
    keyed *k = calloc(n, sizeof *k);
    *w = (work){.o = o,
                .unit = calloc(n, sizeof *w->unit),
                .order = {calloc(n, sizeof *w->order[0]), calloc(n, sizeof *w->order[1])},
                .times = calloc(n, sizeof *w->times),
                .diff = calloc(o->n_draw ? o->n_draw : DRAWS, sizeof *w->diff),
                .hit = {calloc(n, sizeof *w->hit[0]), calloc(n, sizeof *w->hit[1])}};
    if (!k || !w->unit || !w->order[0] || !w->order[1] || !w->times || !w->diff || !w->hit[0] ||
        !w->hit[1]) {
        free(k);
        work_free(w);
        R1_FAIL(err, R1_E_NOMEM, "comparison: no memory for %zu samples", o->n);
    }
    number_units(w, k);
    for (int s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < o->n; i++)
            k[i] = (keyed){compare_falling((s ? o->second : o->first)[i]), i};
        qsort(k, o->n, sizeof *k, compare_by_key);
        for (size_t i = 0; i < o->n; i++) w->order[s][i] = k[i].index;
    }
    free(k);
    return R1_OK;
}

/* ---- metrics of a draw ----------------------------------------------------------------------- */

/* Samples count as often as their unit was drawn; equal scores are one threshold. */
static double average_precision(const work *w, int s)
{
    const float *score = s ? w->o->second : w->o->first;
    double hit = 0, seen = 0, area = 0;
    for (size_t i = 0, j; i < w->o->n; i = j) {
        double gain = 0;
        for (j = i; j < w->o->n && score[w->order[s][j]] == score[w->order[s][i]]; j++) {
            uint32_t at = w->order[s][j], times = w->times[w->unit[at]];
            gain += w->o->label[at] > 0.5f ? times : 0;
            seen += times;
        }
        hit += gain;
        if (gain > 0) area += gain * hit / seen;
    }
    return hit > 0 ? area / hit : NAN;
}

static double share_of_hits(const work *w, int s)
{
    double hit = 0, all = 0;
    for (size_t u = 0; u < w->n_unit; u++) hit += w->times[u] * w->hit[s][u], all += w->times[u];
    return hit / all;
}

static double compare_metric(const work *w, int s)
{
    return w->o->rank ? share_of_hits(w, s) : average_precision(w, s);
}

static void compare_draw(work *w, r1_rng *rng)
{
    size_t lone = w->n_unit - w->n_cluster;
    memset(w->times, 0, w->n_unit * sizeof *w->times);
    for (size_t i = 0; i < w->n_cluster; i++) w->times[r1_rng_below(rng, w->n_cluster)]++;
    for (size_t i = 0; i < lone; i++) w->times[w->n_cluster + r1_rng_below(rng, lone)]++;
}

/* ---- one scoring against the other ----------------------------------------------------------- */

static double compare_clamped(double p)
{
    return p < 1e-12 ? 1e-12 : p > 1 - 1e-12 ? 1 - 1e-12 : p;
}

static void compare_binary(const r1_compare_opts *o, r1_comparison *out)
{
    for (size_t i = 0; i < o->n; i++) {
        double p = compare_clamped(1 / (1 + exp(-(double)o->first[i]))),
               q = compare_clamped(1 / (1 + exp(-(double)o->second[i])));
        out->kl += p * log(p / q) + (1 - p) * log((1 - p) / (1 - q));
        out->agree += (o->first[i] > 0) == (o->second[i] > 0);
    }
    out->kl /= (double)o->n;
    out->agree /= (double)o->n;
}

/* The first of the highest scores in from..to; log of the sum of exponentials. */
static size_t top_of(const float *score, size_t from, size_t to, double *log_sum)
{
    size_t top = from;
    double sum = 0;
    for (size_t i = from; i < to; i++)
        if (score[i] > score[top]) top = i;
    for (size_t i = from; i < to; i++) sum += exp((double)score[i] - (double)score[top]);
    *log_sum = (double)score[top] + log(sum);
    return top;
}

static bool label_on_top(const float *score, const float *label, size_t from, size_t to, size_t top)
{
    for (size_t i = from; i < to; i++)
        if (i != top && score[i] >= score[top]) return false;
    return label[top] > 0.5f;
}

static void compare_groups(work *w, r1_comparison *out)
{
    const r1_compare_opts *o = w->o;
    for (size_t i = 0, to; i < o->n; i = to) {
        double a, b;
        for (to = i + 1; to < o->n && w->unit[to] == w->unit[i];) to++;
        size_t first = top_of(o->first, i, to, &a), second = top_of(o->second, i, to, &b);
        w->hit[0][w->unit[i]] = label_on_top(o->first, o->label, i, to, first);
        w->hit[1][w->unit[i]] = label_on_top(o->second, o->label, i, to, second);
        out->agree += first == second;
        for (size_t k = i; k < to; k++)
            out->kl += exp(o->first[k] - a) * ((double)o->first[k] - a - (double)o->second[k] + b);
    }
    out->kl /= (double)w->n_unit;
    out->agree /= (double)w->n_unit;
}

static int compare_ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

r1_status r1_compare(const r1_compare_opts *o, r1_comparison *out, r1_err *err)
{
    work w;
    r1_rng rng;
    uint32_t n_draw = o->n_draw ? o->n_draw : DRAWS;
    *out = (r1_comparison){0};
    if (!o->n || o->n > UINT32_MAX / 2)
        R1_FAIL(err, R1_E_INVAL, "comparison: %zu samples, expected 1 to %u", o->n, UINT32_MAX / 2);
    for (size_t i = 0; i < o->n; i++)
        if (!isfinite(o->first[i]) || !isfinite(o->second[i]))
            R1_FAIL(err, R1_E_INVAL, "comparison: sample %zu has the scores %g and %g", i,
                    (double)o->first[i], (double)o->second[i]);
    R1_TRY(work_new(&w, o, err));
    if (o->rank)
        compare_groups(&w, out);
    else
        compare_binary(o, out);
    for (size_t u = 0; u < w.n_unit; u++) w.times[u] = 1;
    out->first = compare_metric(&w, 0);
    out->second = compare_metric(&w, 1);
    r1_rng_seed(&rng, o->seed);
    for (uint32_t i = 0; i < n_draw; i++) {
        compare_draw(&w, &rng);
        w.diff[i] = compare_metric(&w, 1) - compare_metric(&w, 0);
        if (isnan(w.diff[i])) w.diff[i] = 0; /* no positive was drawn: neither is better */
    }
    qsort(w.diff, n_draw, sizeof *w.diff, compare_ascending);
    out->low = w.diff[n_draw / 40];
    out->high = w.diff[n_draw - 1 - n_draw / 40];
    work_free(&w);
    return R1_OK;
}
