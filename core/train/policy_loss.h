/* SPDX-License-Identifier: Apache-2.0 */
/* policy_loss.h - advantages within groups, and the loss of a policy over its own decisions.
 *
 * GRPO (Shao et al. 2024, DeepSeekMath) takes A = (r - mean) / deviation over the traces of one
 * case, and averages each trace's decisions. Dr. GRPO (Liu et al. 2025) takes A = r - mean, and a
 * trace counts by its decisions over a constant. So neither a case's spread nor a trace's length
 * changes its weight. Both have the clipped ratio of PPO (Schulman et al. 2017). Both estimate the
 * divergence from a reference by e^d - d - 1, where d = log ref - log pi.
 *
 * Threads: pure functions. */
#ifndef R1_POLICY_LOSS_H
#define R1_POLICY_LOSS_H

#include "r1_reinforce.h"
#include "train/evidence.h"

typedef struct {
    size_t row;         /* of the logits */
    uint64_t permitted; /* actions that the softmax is over */
    uint32_t action, trace;
    double old_log, ref_log; /* log probability when it was taken; under the reference */
    double advantage, weight;
} r1_decision;

typedef struct {
    /* sums over decisions; clipped: of those whose ratio's gradient was cut */
    double entropy, kl, clipped;
} r1_policy_stats;

typedef struct {
    double clip, kl;
    double entropy; /* weight of the policy's own, which keeps it trying (Williams and Peng 1991) */
} r1_policy_terms;

/* reward, advantage: [n_group * size], the traces of a case side by side. */
void r1_advantages(r1_policy_variant variant, const double *reward, size_t n_group, size_t size,
                   double *advantage);
/* What a decision of a trace with `length` decisions weighs in a batch of n_trace. */
double r1_decision_weight(r1_policy_variant variant, size_t n_trace, uint32_t length,
                          uint32_t length_max);
/* Log probabilities over the permitted actions; -INFINITY elsewhere. */
void r1_policy_log(const float *logits, uint32_t n_action, uint64_t permitted, double *log_prob);
/* The loss is
 *
 *     -sum of weight * (min(ratio * A, clipped ratio * A) - kl * (e^d - d - 1) + entropy * H)
 *
 * Its gradient is added to grad (NULL: the loss alone). Row r of logits begins at r * stride and
 * is n_action wide; grad's rows lie alike. stats (NULL) are added to. */
double r1_policy_loss(const r1_policy_terms *terms, const r1_decision *d, size_t n,
                      const float *logits, size_t stride, uint32_t n_action, float *grad,
                      r1_policy_stats *stats);

#endif
