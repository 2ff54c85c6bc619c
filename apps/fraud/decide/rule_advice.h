/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rule_advice.h - what someone may have meant who writes rules as other languages, or a word
 * processor, write them.
 *
 * Threads: pure functions. Errors: none. */
#ifndef FRAUD_RULE_ADVICE_H
#define FRAUD_RULE_ADVICE_H

#include "r1_base.h"

/* "; write == for equal", by what stands at the place of a fault in a line; "" where nothing is
 * known. text: whether a text was expected there. Returns out. */
const char *rule_advice(const char *at, bool text, char *out, size_t size);

#endif
