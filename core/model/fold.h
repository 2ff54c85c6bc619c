/* SPDX-License-Identifier: Apache-2.0 */
/* fold.h - the same model with its common space folded away, for inference.
 *
 * Every item ends in a linear map to the common space, t = W h + b (d_align wide). What reads t
 * begins with RMSNorm and a linear map: A (t / rms(t) * g). Up to a factor of the row, both
 * together are one map of h:
 *
 *     A (t * g) = (A diag(g) W) h + A diag(g) b
 *     rms(t)^2  = |R [h; 1]|^2 / d_align,   R'R = [W b]'[W b]   (Cholesky)
 *
 * So one product with h (64 wide in fraud-s) gives what two with 512 columns gave. The two are
 * equal in exact arithmetic; in f32 the last bits differ from the plan that training runs.
 *
 * Models with more than one memory item are not folded, nor are those where it would cost more
 * (wide hidden layers). */
#ifndef R1_FOLD_H
#define R1_FOLD_H

#include "model/model.h"

/* The folded plan where it is less work than m's own (*pays; else net is left empty). */
r1_status r1_fold_net(r1_net *net, const r1_model *m, bool *pays, r1_err *err);
/* *out is NULL where folding does not pay. It shares m's description and tokenizers, so m must
 * outlive it. */
r1_status r1_fold_new(r1_model **out, const r1_model *m, r1_err *err);
void r1_fold_free(r1_model *folded); /* NULL is fine */

#endif
