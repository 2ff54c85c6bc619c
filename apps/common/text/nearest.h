/* SPDX-License-Identifier: Apache-2.0 */
/* nearest.h - the known word that someone may have meant, for messages: "did you mean".
 *
 * Owns:    nothing; the words stay the caller's.
 * Threads: pure functions. Errors: none. */
#ifndef R1_NEAREST_H
#define R1_NEAREST_H

#include "r1_base.h"

/* Letters to insert, delete or change (Levenshtein); a large number where a text has more than 60
 * bytes. */
size_t r1_edit_distance(const char *a, const char *b);

/* The nearest of the words that were offered so far: at most a third of its letters differ. */
typedef struct {
    const char *found; /* what was read */
    const char *best;  /* NULL: none is near */
    size_t distance;
} r1_nearest;
void r1_nearest_offer(r1_nearest *n, const char *word);
/* `; did you mean "best"?`, or "". Returns text. */
const char *r1_nearest_text(const r1_nearest *n, char *text, size_t size);

#endif
