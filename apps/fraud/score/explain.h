/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain.h - the model's evidence trace in words. The difference that an item makes goes in equal
 * parts to the facts that belong to it and that the rules count the same way. An item without such
 * a fact has words of its own ("sender_profile", unusual.h).
 *
 * Owns: nothing. Threads: any, the function is pure. Errors: none. */
#ifndef FRAUD_EXPLAIN_H
#define FRAUD_EXPLAIN_H

#include "score/rules.h"
#include "score/scorer.h"
#include "score/unusual.h"

/* Fills the reasons of the model's result r by its items' differences. */
void fraud_explain(const fraud_explained *x, fraud_result *r);

#endif
