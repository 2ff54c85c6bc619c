/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verdict.h - whether a score may decide. A score that is no number compares as smaller than every
 * threshold, so it would let everything pass. An amount far outside of what training saw is encoded
 * as the largest that it saw, so the score says nothing of it.
 *
 * Threads: pure function. Errors: the words of the fault. */
#ifndef FRAUD_VERDICT_H
#define FRAUD_VERDICT_H

#include "score/result.h"

enum { FRAUD_VERDICT_BYTES = 160 };

/* true: the score counts. Else text says what was expected and found. */
bool fraud_verdict_counts(const fraud_result *result, char text[FRAUD_VERDICT_BYTES]);

#endif
