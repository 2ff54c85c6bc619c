/* SPDX-License-Identifier: Apache-2.0 */
/* fold.h - the same model with its common space folded away, for inference.
 *
 * Every item ends in a linear map to the common space t = W h + b (d_align wide), and what reads
 * t begins with RMSNorm and a linear map: A (t / rms(t) * g). Both are one map of h up to a
 * factor of the row:
 *
 *     A (t * g) = (A diag(g) W) h + A diag(g) b          rms(t)^2 = |R [h; 1]|^2 / d_align,  R'R = [W b]'[W b]  (Cholesky)
 *
 * so one product with h (64 wide in fraud-s) gives what two with 512 columns gave. Equal in
 * exact arithmetic; in f32 the last bits differ from the plan that training runs. Not folded:
 * models with more than one memory item, and those where it would cost more (wide hidden
 * layers). */
#ifndef R1_FOLD_H
#define R1_FOLD_H

#include "model/model.h"

/* The folded plan where it is less work than m's own (*pays; else net is left empty). */
r1_status r1_fold_net(r1_net *net, const r1_model *m, bool *pays, r1_err *err);
/* *out is NULL where folding does not pay. Shares m's description and tokenizers: m must outlive it. */
r1_status r1_fold_new(r1_model **out, const r1_model *m, r1_err *err);
void r1_fold_free(r1_model *folded); /* NULL is fine */

#endif
