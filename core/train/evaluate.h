/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate.h - scores of a data set, their figures, and the calibration fitted to them. */
#ifndef R1_EVALUATE_H
#define R1_EVALUATE_H

#include "base/thread_pool.h"
#include "r1_train.h"
#include "train/data.h"

typedef struct {
    void *block; /* owned: what the buffers below lie in */
    size_t n, cap;
    uint32_t n_head, n_output;
    float *logit, *label, *weight; /* [n][n_output], [n][n_head], [n] */
    uint64_t *group, *id;
} r1_scores;

r1_status r1_scores_new(r1_scores *s, const r1_model *m, size_t n, r1_err *err);
void r1_scores_free(r1_scores *s);
/* Appends to s, in the data's order. threads NULL: the caller alone; the bits are the same. */
r1_status r1_score_data(const r1_model *m, const r1_data *d, const r1_eval_opts *o,
                        r1_thread_pool *threads, r1_scores *s, r1_err *err);
r1_status r1_figures_of(const r1_model *m, const r1_scores *s, uint32_t head, r1_eval *r,
                        r1_err *err);
/* Scale and bias of one output against a 0/1 label (Platt 1999); 1 and 0 where the fit runs
 * away. */
r1_calibration r1_calibration_fit(const r1_scores *s, uint32_t head, uint32_t output);
/* s: logits of the uncalibrated model. isotonic: binary heads also get the monotone map. */
r1_status r1_calibrate(r1_model *m, const r1_scores *s, bool isotonic, r1_err *err);
/* Calibration error of a binary head where each half of the samples is judged by the calibration
 * of the other; leaves the model uncalibrated. */
r1_status r1_crossed_ece(r1_model *m, const r1_scores *s, uint32_t head, bool isotonic, double *ece,
                         r1_err *err);

#endif
