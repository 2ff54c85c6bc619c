/* SPDX-License-Identifier: GPL-3.0-or-later */
/* account_numbers.h - the accounts of a data set by name: each new name gets the next number.
 *
 * A name is known by its hash of 64 bits: among a hundred million names two have one number with a
 * probability of about one in four thousand.
 * Owns:    all that it holds. Threads: one. Errors: none; -1 where memory is short. */
#ifndef FRAUD_ACCOUNT_NUMBERS_H
#define FRAUD_ACCOUNT_NUMBERS_H

#include "r1_base.h"

typedef struct account_numbers account_numbers;
account_numbers *account_numbers_new(void); /* NULL: no memory */
void account_numbers_free(account_numbers *a);
/* Of the name that these two texts make; either may be "". */
int32_t account_number(account_numbers *a, const char *bank, const char *name);
/* -1: the name has no number. */
int32_t account_number_known(const account_numbers *a, const char *bank, const char *name);

#endif
