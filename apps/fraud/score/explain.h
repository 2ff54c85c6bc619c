/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain.h - the model's evidence trace in words. The difference that an item makes goes in equal
 * parts to the facts that belong to it. An item without a fact has words of its own
 * ("sender_profile").
 *
 * Owns: nothing. Threads: any, the function is pure. Errors: none. */
#ifndef FRAUD_EXPLAIN_H
#define FRAUD_EXPLAIN_H

#include "score/rules.h"
#include "score/scorer.h"

/* r holds the rules' facts and findings and becomes the model's result. */
void fraud_explain(const fraud_facts *f, const fraud_scoring *x, fraud_result *r);

#endif
