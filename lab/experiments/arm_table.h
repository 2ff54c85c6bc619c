/* SPDX-License-Identifier: Apache-2.0 */
/* arm_table.h - a table of finished runs, "arm,seed,..." a row, and the arms and seeds that a
 * command line names: what is in the table is not run again. */
#ifndef R1_EXPERIMENT_ARM_TABLE_H
#define R1_EXPERIMENT_ARM_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* "11" or "11-15"; false: neither. */
bool arm_seeds(const char *text, uint64_t *first, uint64_t *last);
/* `name` is in the list "a,b"; every name is in NULL. */
bool arm_named(const char *list, const char *name);
/* third: where not NULL, what the third column must hold too. A table that is not there has no
 * rows. */
bool arm_finished(const char *table, const char *arm, uint64_t seed, const double *third);

#endif
