/* SPDX-License-Identifier: GPL-3.0-or-later */
/* metrics.c - each figure as it is defined, over a sorted copy. */
#include "eval/metrics.h"

#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int metrics_by_score(const void *a, const void *b)
{
    const fraud_scored *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

/* Highest score first; NULL where n is 0 or memory is short. */
static fraud_scored *metrics_sorted(const fraud_scored *x, size_t n)
{
    fraud_scored *s = n ? malloc(n * sizeof *s) : NULL;
    if (!s) return NULL;
    memcpy(s, x, n * sizeof *s);
    qsort(s, n, sizeof *s, metrics_by_score);
    return s;
}

static size_t count_label(const fraud_scored *x, size_t n)
{
    size_t p = 0;
    for (size_t i = 0; i < n; i++) p += x[i].label;
    R1_ASSERT(p <= n, "figures: %zu frauds among %zu payments", p, n);
    return p;
}

double fraud_auc(const fraud_scored *x, size_t n)
{
    size_t p = count_label(x, n), good = n - p;
    fraud_scored *s = metrics_sorted(x, n);
    double area = 0, above = 0;
    for (size_t a = 0, b; s && a < n; a = b) {
        size_t pos = 0;
        for (b = a; b < n && s[b].score == s[a].score; b++) pos += s[b].label;
        double neg = (double)(b - a - pos);
        area += neg * (above + (double)pos / 2);
        above += (double)pos;
    }
    free(s);
    return p && good ? area / ((double)p * (double)good) : NAN;
}

double fraud_ap(const fraud_scored *x, size_t n)
{
    size_t p = count_label(x, n), hit = 0;
    fraud_scored *s = metrics_sorted(x, n);
    double sum = 0;
    for (size_t a = 0, b; s && a < n; a = b) {
        size_t pos = 0;
        for (b = a; b < n && s[b].score == s[a].score; b++) pos += s[b].label;
        hit += pos;
        sum += (double)pos * (double)hit / (double)b;
    }
    free(s);
    return p ? sum / (double)p : NAN;
}

double fraud_ece(const fraud_scored *x, size_t n)
{
    fraud_scored *s = metrics_sorted(x, n);
    double sum = 0;
    for (size_t k = 0; s && k < FRAUD_ECE_BINS; k++) {
        size_t a = n * k / FRAUD_ECE_BINS, b = n * (k + 1) / FRAUD_ECE_BINS;
        double prob = 0, label = 0;
        for (size_t i = a; i < b; i++) prob += s[i].prob, label += s[i].label;
        sum += fabs(prob - label);
    }
    free(s);
    return n ? sum / (double)n : NAN;
}

/* Lowers the threshold score by score while the alerts counted stay within the allowance. */
static double threshold_within(const fraud_scored *x, size_t n, double allowed, bool good_only)
{
    fraud_scored *s = metrics_sorted(x, n);
    double threshold = INFINITY, counted = 0;
    for (size_t a = 0, b; s && a < n; a = b) {
        for (b = a; b < n && s[b].score == s[a].score; b++) counted += good_only ? !s[b].label : 1;
        if (counted > allowed) break;
        threshold = s[a].score;
    }
    free(s);
    return threshold;
}

double fraud_threshold_fpr(const fraud_scored *x, size_t n, double fpr)
{
    return threshold_within(x, n, fpr * (double)(n - count_label(x, n)), true);
}

double fraud_threshold_rate(const fraud_scored *x, size_t n, double rate)
{
    return threshold_within(x, n, rate * (double)n, false);
}

double fraud_recall(const fraud_scored *x, size_t n, double threshold, unsigned typology)
{
    size_t p = 0, hit = 0;
    for (size_t i = 0; i < n; i++) {
        if (!x[i].label || (typology && x[i].typology != typology)) continue;
        p++;
        hit += x[i].score >= threshold;
    }
    return p ? (double)hit / (double)p : NAN;
}

double fraud_f1(const fraud_scored *x, size_t n, double threshold)
{
    size_t p = count_label(x, n), hit = 0, alert = 0;
    for (size_t i = 0; i < n; i++) {
        if (x[i].score < threshold) continue;
        alert++;
        hit += x[i].label;
    }
    return p + alert ? 2.0 * (double)hit / (double)(p + alert) : NAN;
}

/* ---- cards ----------------------------------------------------------------------------------- */

static int by_day_card(const void *a, const void *b)
{
    const fraud_scored *x = a, *y = b;
    if (x->day != y->day) return x->day < y->day ? -1 : 1;
    return (x->card > y->card) - (x->card < y->card);
}

/* One row per card and day: its highest score, and whether any of its payments was fraudulent. */
static size_t per_card(fraud_scored *s, size_t n)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (m && s[m - 1].day == s[i].day && s[m - 1].card == s[i].card) {
            if (s[i].score > s[m - 1].score) s[m - 1].score = s[i].score;
            s[m - 1].label |= s[i].label;
        } else {
            s[m++] = s[i];
        }
    }
    R1_ASSERT(m <= n, "figures: %zu cards and days of %zu payments", m, n);
    return m;
}

static bool caught_before(const int32_t *caught, size_t n, int32_t card)
{
    for (size_t i = 0; i < n; i++)
        if (caught[i] == card) return true;
    return false;
}

double fraud_card_precision(const fraud_scored *x, size_t n, size_t top)
{
    fraud_scored *s = metrics_sorted(x, n);
    int32_t *caught = malloc((n + 1) * sizeof *caught);
    if (!s || !caught) {
        free(s);
        free(caught);
        return NAN;
    }
    qsort(s, n, sizeof *s, by_day_card);
    size_t m = per_card(s, n), n_caught = 0, days = 0;
    double sum = 0;
    for (size_t a = 0, b; a < m; a = b) {
        for (b = a; b < m && s[b].day == s[a].day;) b++;
        qsort(s + a, b - a, sizeof *s, metrics_by_score);
        size_t seen = 0, hit = 0;
        for (size_t i = a; i < b && seen < top; i++) {
            if (caught_before(caught, n_caught, s[i].card)) continue;
            seen++;
            if (!s[i].label) continue;
            hit++;
            caught[n_caught++] = s[i].card;
        }
        sum += (double)hit / (double)top;
        days++;
    }
    free(s);
    free(caught);
    return days ? sum / (double)days : NAN;
}

/* ---- rings ----------------------------------------------------------------------------------- */

typedef struct {
    size_t at; /* place in time */
    const fraud_scored *x;
} ring_row;

static int by_ring(const void *a, const void *b)
{
    const ring_row *x = a, *y = b;
    if (x->x->ring != y->x->ring) return x->x->ring < y->x->ring ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static void add_unique(int32_t *list, size_t *n, int32_t id)
{
    for (size_t i = 0; i < *n; i++)
        if (list[i] == id) return;
    list[(*n)++] = id;
}

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct {
    size_t early, early_hit;
    double before;
    bool any, half;
} ring_sum;

static ring_sum metrics_one_ring(const ring_row *row, size_t n, double threshold, int32_t *all,
                                 int32_t *hit)
{
    ring_sum r = {0};
    size_t n_all = 0, n_hit = 0;
    double total = 0, before = 0;
    for (size_t i = 0; i < n; i++) {
        const fraud_scored *x = row[i].x;
        bool alert = x->score >= threshold;
        if (!r.any && !alert) before += (double)x->amount;
        r.any |= alert;
        total += (double)x->amount;
        if (i < FRAUD_RING_EARLY) r.early++, r.early_hit += alert;
        add_unique(all, &n_all, x->from), add_unique(all, &n_all, x->to);
        if (alert) add_unique(hit, &n_hit, x->from), add_unique(hit, &n_hit, x->to);
    }
    r.half = 2 * n_hit >= n_all;
    r.before = total > 0 ? before / total : 1;
    return r;
}

/* row: the payments of rings, ring by ring in the order of time. ids: room for the accounts of one
 * ring, twice. before: each ring's share moved before its first alert. */
static void sum_rings(const ring_row *row, size_t n, double threshold, int32_t *ids, double *before,
                      fraud_ring_figures *out)
{
    size_t early = 0, early_hit = 0, any = 0, half = 0;
    for (size_t a = 0, b; a < n; a = b) {
        for (b = a; b < n && row[b].x->ring == row[a].x->ring;) b++;
        ring_sum r = metrics_one_ring(row + a, b - a, threshold, ids, ids + 2 * n);
        early += r.early, early_hit += r.early_hit, any += r.any, half += r.half;
        before[out->n++] = r.before;
    }
    R1_ASSERT(out->n <= n && early_hit <= early && any <= out->n && half <= out->n,
              "rings: %zu of %zu payments, %zu with an alert", out->n, n, any);
    if (!out->n) return;
    qsort(before, out->n, sizeof *before, by_double);
    out->any = (double)any / (double)out->n;
    out->half = (double)half / (double)out->n;
    out->early3 = (double)early_hit / (double)early;
    out->value_before =
        out->n % 2 ? before[out->n / 2] : (before[out->n / 2 - 1] + before[out->n / 2]) / 2;
}

r1_status fraud_rings(const fraud_scored *x, size_t n, double threshold, fraud_ring_figures *out,
                      r1_err *err)
{
    typedef struct {
        ring_row row;
        double before;
        int32_t ids[4];
    } per_payment; /* one workspace: rows, then shares, then accounts */
    *out = (fraud_ring_figures){NAN, NAN, NAN, NAN, 0};
    ring_row *row = r1_realloc_array(NULL, n + 1, sizeof(per_payment));
    if (!row) R1_FAIL(err, R1_E_NOMEM, "no memory for the rings of %zu payments", n);
    double *before = (double *)(row + n + 1);
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if (x[i].label && x[i].ring >= 0) row[m++] = (ring_row){i, &x[i]};
    qsort(row, m, sizeof *row, by_ring);
    sum_rings(row, m, threshold, (int32_t *)(before + n + 1), before, out);
    free(row);
    return R1_OK;
}
