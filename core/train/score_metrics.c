/* SPDX-License-Identifier: Apache-2.0 */
/* score_metrics.c - figures over scores: area under ROC and precision-recall with ties handled
 * exactly, calibration error, place of the best in a rank group. */
#include "train/score_metrics.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    float score, label, weight;
} pair;

static int score_metrics_descending(const void *a, const void *b)
{
    float x = ((const pair *)a)->score, y = ((const pair *)b)->score;
    return (x < y) - (x > y);
}

static pair *score_metrics_sorted(const float *score, const float *label, size_t n)
{
    pair *p = r1_realloc_array(NULL, n ? n : 1, sizeof *p);
    if (!p) return NULL;
    for (size_t i = 0; i < n; i++) p[i] = (pair){score[i], label[i], 1};
    qsort(p, n, sizeof *p, score_metrics_descending);
    return p;
}

/* Walks blocks of equal scores. */
static void score_metrics_areas(const pair *p, size_t n, double *auc, double *ap)
{
    double pos = 0, neg = 0, above_pos = 0, area = 0, precision = 0;
    for (size_t i = 0; i < n; i++) p[i].label > 0.5f ? pos++ : neg++;
    double seen = 0;
    for (size_t i = 0, j; i < n; i = j) {
        double block_pos = 0;
        for (j = i; j < n && p[j].score == p[i].score; j++) block_pos += p[j].label > 0.5f;
        double block_neg = (double)(j - i) - block_pos;
        area += block_neg * (above_pos + block_pos / 2);
        above_pos += block_pos;
        seen += (double)(j - i);
        precision += block_pos * above_pos / seen;
    }
    *auc = pos > 0 && neg > 0 ? area / (pos * neg) : NAN;
    *ap = pos > 0 && neg > 0 ? precision / pos : NAN;
}

static double one_area(const float *score, const float *label, size_t n, bool want_ap)
{
    double auc = NAN, ap = NAN;
    pair *p = score_metrics_sorted(score, label, n);
    if (p) score_metrics_areas(p, n, &auc, &ap);
    free(p);
    return want_ap ? ap : auc;
}

double r1_metric_auc(const float *score, const float *label, size_t n)
{
    return one_area(score, label, n, false);
}
double r1_metric_ap(const float *score, const float *label, size_t n)
{
    return one_area(score, label, n, true);
}

double r1_metric_ece(const float *logit, const float *label, const float *weight, size_t n)
{
    enum { BINS = 15 };
    pair *p = r1_realloc_array(NULL, n ? n : 1, sizeof *p);
    double sum = 0, all = 0;
    if (!p || n == 0) {
        free(p);
        return NAN;
    }
    for (size_t i = 0; i < n; i++) p[i] = (pair){logit[i], label[i], weight ? weight[i] : 1};
    qsort(p, n, sizeof *p, score_metrics_descending);
    for (size_t b = 0; b < BINS; b++) {
        double excess = 0;
        for (size_t i = n * b / BINS; i < n * (b + 1) / BINS; i++) {
            excess +=
                (double)p[i].weight * (1 / (1 + exp(-(double)p[i].score)) - (p[i].label > 0.5f));
            all += (double)p[i].weight;
        }
        sum += fabs(excess);
    }
    free(p);
    return sum / all;
}

void r1_metric_rank(const float *score, const float *label, const uint64_t *group, size_t n,
                    double *top1, double *mrr)
{
    double first = 0, reciprocal = 0, groups = 0;
    for (size_t i = 0, j; i < n; i = j) {
        float best = 0;
        for (j = i; j < n && (j == i || (group[j] && group[j] == group[i])); j++)
            best = fmaxf(best, label[j]);
        if (!(best > 0)) continue;
        float score_best = -INFINITY;
        for (size_t k = i; k < j; k++)
            if (label[k] == best && score[k] > score_best) score_best = score[k];
        double place = 1;
        for (size_t k = i; k < j; k++) place += label[k] < best && score[k] >= score_best;
        groups++;
        first += place == 1;
        reciprocal += 1 / place;
    }
    *top1 = groups > 0 ? first / groups : NAN;
    *mrr = groups > 0 ? reciprocal / groups : NAN;
}
