/* SPDX-License-Identifier: GPL-3.0-or-later */
/* words.h - the words that other systems use for what a payment has: kinds, roles, countries.
 *
 * Threads: pure functions. Errors: a result that says that the word is unknown. */
#ifndef FRAUD_WORDS_H
#define FRAUD_WORDS_H

#include "payment/payment.h"

/* A word without regard to case, with _ for blanks and hyphens; FRAUD_N_KIND: unknown. Only words
 * that mean one of the kinds in every system are known; "debit" is none of them. */
fraud_kind fraud_kind_of(const char *word);
/* FRAUD_N_ROLE: unknown. */
fraud_role fraud_role_of(const char *word);
/* ISO 3166-1 alpha-2 or alpha-3 in any case to alpha-2; NULL: no such code. */
const char *fraud_country_of(const char *word);

#endif
