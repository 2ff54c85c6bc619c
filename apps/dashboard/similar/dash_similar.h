/* SPDX-License-Identifier: Apache-2.0 */
/* dash_similar.h - past cases with an outcome, in long-term memory, and those that are most like
 * another one. A case is a vector of r1.case_features: five numbers, its ring, and the reasons of
 * its alerts, hashed into DASH_SIMILAR_WIDTH numbers, of length 1. Likeness is the inner product.
 *
 * Owns:    the memory, in this process alone; it is filled anew at each start.
 * Threads: one loads; any number ask meanwhile, with a store each.
 * Errors:  of the store and of the memory. */
#ifndef DASH_SIMILAR_H
#define DASH_SIMILAR_H

#include "store/store.h"

enum { DASH_SIMILAR_WIDTH = 64, DASH_SIMILAR_MAX = 8, DASH_SIMILAR_LOAD = 500 };

typedef struct dash_similar dash_similar;
r1_status dash_similar_new(dash_similar **out, r1_err *err);
void dash_similar_free(dash_similar *s); /* NULL is fine */

/* Takes in at most DASH_SIMILAR_LOAD cases that were closed since the last call; *more: there may
 * be others. */
r1_status dash_similar_load(dash_similar *s, r1_store *store, bool *more, r1_err *err);
/* *text: malloc'ed JSON {"held", "cases": [{"id", "outcome", "likeness", "alike": [names]}]}, the
 * most alike first, at most DASH_SIMILAR_MAX. NULL: there is no such case. Inside a transaction. */
r1_status dash_similar_find(dash_similar *s, r1_store *store, const char *id, char **text,
                            r1_err *err);

#endif
