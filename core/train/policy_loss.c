/* SPDX-License-Identifier: Apache-2.0 */
/* policy_loss.c - in double throughout; the gradient goes through the logits of permitted
 * actions alone. */
#include "train/policy_loss.h"

#include <math.h>

void r1_advantages(r1_policy_variant variant, const double *reward, size_t n_group, size_t size,
                   double *advantage)
{
    for (size_t g = 0; g < n_group; g++) {
        const double *r = reward + g * size;
        double *a = advantage + g * size, mean = 0, square = 0;
        for (size_t i = 0; i < size; i++) mean += r[i] / (double)size;
        for (size_t i = 0; i < size; i++) square += (r[i] - mean) * (r[i] - mean) / (double)size;
        /* a group whose traces all earned the same teaches nothing; the floor keeps rounding
         * from becoming a lesson */
        double scale = variant == R1_POLICY_GRPO ? 1 / (sqrt(square) + 1e-4) : 1;
        for (size_t i = 0; i < size; i++) a[i] = (r[i] - mean) * scale;
    }
}

double r1_decision_weight(r1_policy_variant variant, size_t n_trace, uint32_t length,
                          uint32_t length_max)
{
    return 1 / ((double)n_trace * (variant == R1_POLICY_GRPO ? length : length_max));
}

void r1_policy_log(const float *logits, uint32_t n_action, uint64_t permitted, double *log_prob)
{
    double top = -INFINITY, sum = 0;
    for (uint32_t a = 0; a < n_action; a++)
        if (permitted >> a & 1) top = fmax(top, (double)logits[a]);
    for (uint32_t a = 0; a < n_action; a++)
        if (permitted >> a & 1) sum += exp((double)logits[a] - top);
    for (uint32_t a = 0; a < n_action; a++)
        log_prob[a] = permitted >> a & 1 ? (double)logits[a] - top - log(sum) : -INFINITY;
}

/* Loss of one decision but its entropy, and its derivative by the log probability of the action
 * taken. */
static double policy_loss_one(const r1_policy_terms *terms, const r1_decision *d, double log_prob,
                              double *slope, r1_policy_stats *stats)
{
    double ratio = exp(log_prob - d->old_log), far = d->ref_log - log_prob,
           apart = exp(far) - far - 1;
    double bound = fmin(fmax(ratio, 1 - terms->clip), 1 + terms->clip), gain = ratio * d->advantage;
    bool cut = bound * d->advantage < gain;
    *slope = -d->weight * ((cut ? 0 : gain) - terms->kl * (1 - exp(far)));
    if (stats) {
        stats->kl += apart;
        stats->clipped += cut;
    }
    return -d->weight * (fmin(gain, bound * d->advantage) - terms->kl * apart);
}

static double entropy_of(const double *log_prob, uint32_t n_action)
{
    double h = 0;
    for (uint32_t a = 0; a < n_action; a++)
        if (log_prob[a] > -INFINITY) h -= exp(log_prob[a]) * log_prob[a];
    return h;
}

double r1_policy_loss(const r1_policy_terms *terms, const r1_decision *d, size_t n,
                      const float *logits, size_t stride, uint32_t n_action, float *grad,
                      r1_policy_stats *stats)
{
    double loss = 0, log_prob[R1_ACTIONS_MAX], slope;
    for (size_t i = 0; i < n; i++) {
        r1_policy_log(logits + d[i].row * stride, n_action, d[i].permitted, log_prob);
        double h = entropy_of(log_prob, n_action), pull = d[i].weight * terms->entropy;
        loss += policy_loss_one(terms, &d[i], log_prob[d[i].action], &slope, stats) - pull * h;
        if (stats) stats->entropy += h;
        for (uint32_t a = 0; grad && a < n_action; a++) {
            if (!(d[i].permitted >> a & 1)) continue;
            double p = exp(log_prob[a]);
            grad[d[i].row * stride + a] +=
                (float)(slope * ((a == d[i].action) - p) + pull * p * (log_prob[a] + h));
        }
    }
    return loss;
}
