/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verdict.c - see verdict.h. */
#include "score/verdict.h"

#include <math.h>
#include <stdio.h>

bool fraud_verdict_counts(const fraud_result *r, char text[FRAUD_VERDICT_BYTES])
{
    bool finite = isfinite(r->logit) && isfinite((float)r->logit) && isfinite(r->prior_logit);
    for (size_t i = 0; i < r->n_item; i++) finite = finite && isfinite(r->item[i].delta);
    *text = 0;
    if (finite && r->amount_max > 0) {
        snprintf(text, FRAUD_VERDICT_BYTES,
                 "amount is far outside of what the model was trained on: expected at most %.3g of "
                 "the currency's unit",
                 r->amount_max);
        return false;
    }
    if (finite && r->probability >= 0 && r->probability <= 1) return true;
    snprintf(text, FRAUD_VERDICT_BYTES,
             "score is not finite: expected numbers, found logit %g and probability %g", r->logit,
             r->probability);
    return false;
}
