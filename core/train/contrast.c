/* SPDX-License-Identifier: Apache-2.0 */
/* contrast.c - pairwise ranking and InfoNCE within one group. */
#include "train/contrast.h"

#include <math.h>

static double contrast_softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }

static double contrast_ranking(const double *s, const bool *right, size_t n, double scale,
                               double *grad)
{
    double loss = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; right[i] && j < n; j++) {
            if (right[j]) continue;
            double wrong_by = s[j] - s[i], slope = scale / (1 + exp(-wrong_by));
            loss += contrast_softplus(wrong_by) * scale;
            if (grad) grad[i] -= slope, grad[j] += slope;
        }
    return loss;
}

/* One right trace against all wrong ones. */
static double against_wrong(const double *s, const bool *right, size_t n, size_t i, double t,
                            double scale, double *grad)
{
    double top = s[i], sum = 0;
    for (size_t j = 0; j < n; j++) top = right[j] ? top : fmax(top, s[j]);
    for (size_t j = 0; j < n; j++) sum += j == i || !right[j] ? exp((s[j] - top) / t) : 0;
    for (size_t j = 0; grad && j < n; j++)
        if (j == i || !right[j]) grad[j] += scale / t * (exp((s[j] - top) / t) / sum - (j == i));
    return scale * (log(sum) - (s[i] - top) / t);
}

double r1_contrast_loss(const double *score, const bool *right, size_t n, double contrast,
                        double temperature, double scale, double *grad)
{
    size_t n_right = 0;
    for (size_t i = 0; i < n; i++) n_right += right[i];
    if (n_right == 0 || n_right == n) return 0;
    double loss =
        contrast_ranking(score, right, n, scale / (double)(n_right * (n - n_right)), grad);
    for (size_t i = 0; contrast > 0 && i < n; i++)
        if (right[i])
            loss += against_wrong(score, right, n, i, temperature,
                                  scale * contrast / (double)n_right, grad);
    return scale > 0 ? loss / scale : 0;
}
