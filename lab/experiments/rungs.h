/* SPDX-License-Identifier: Apache-2.0 */
/* rungs.h - the ladder's arms over any application's description: V1 (one text), V2 (its items,
 * plain cross-modal attention), R1 (CAWA and memory), and what lies between. The width of the
 * feed-forward part makes the arms' parameters equal to R1's. */
#ifndef R1_EXPERIMENT_RUNGS_H
#define R1_EXPERIMENT_RUNGS_H

#include "r1_model.h"

#include <stdio.h>

enum { RUNG_TEXT, RUNG_ITEMS, RUNG_MEMORY, RUNG_KINDS }; /* of shards: what a sample brings */

typedef struct {
    const char *name;
    int kind;
    bool cawa;
} rung;
enum { RUNGS = 5 };
extern const rung rungs[RUNGS]; /* v1, v2, v2_memory, v2_cawa, r1 */

/* The application's description (JSON) with what the arm has, its feed-forward part d_ff wide:
 * without items of kind memory where the arm has none, with the one item `text` (JSON) in the
 * place of all at V1. free() it; these give up the program on errors. */
char *rung_describe(const char *whole, const char *text, int kind, bool cawa, int d_ff);
/* The same with as many parameters as R1 has at the description's own width. */
char *rung_equal(const char *whole, const char *text, const rung *r);
r1_model_info rung_info(const char *description);
/* The table of finished runs, to add a row to; its header where it is empty. Gives up the
 * program where it cannot be written. */
FILE *rung_table(const char *table, const char *header);

#endif
