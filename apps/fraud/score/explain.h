/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain.h - the model's evidence trace in words: each item's difference goes in equal parts to
 * the facts that belong to the item, or to the item's own words ("sender_profile") where no fact
 * stands out. Pure. */
#ifndef FRAUD_EXPLAIN_H
#define FRAUD_EXPLAIN_H

#include "score/rules.h"
#include "score/scorer.h"

/* r holds the rules' facts and findings and becomes the model's result. */
void fraud_explain(const fraud_facts *f, const fraud_scoring *x, fraud_result *r);

#endif
