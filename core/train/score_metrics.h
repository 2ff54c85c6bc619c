/* SPDX-License-Identifier: Apache-2.0 */
/* score_metrics.h - the figures that r1_train.h does not export. Threads: pure functions. */
#ifndef R1_METRICS_H
#define R1_METRICS_H

#include "r1_train.h"

/* Expected calibration error over 15 bins of equally many scores, each score by its weight;
 * weight NULL: 1. */
double r1_metric_ece(const float *logit, const float *label, const float *weight, size_t n);
/* Over runs of equal group: share with a best-labelled sample strictly on top, and the mean
 * reciprocal place. */
void r1_metric_rank(const float *score, const float *label, const uint64_t *group, size_t n,
                    double *top1, double *mrr);

#endif
