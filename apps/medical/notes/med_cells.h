/* SPDX-License-Identifier: Apache-2.0 */
/* med_cells.h - whether a line is a row of a table, or prose in which blanks are wider than they
 * need be: justified text, tabs between words, text that was copied from a page.
 *
 *   row     "Seizures      no", "| ataxia | yes |", "tremor ..... no", a tab between two cells
 *   prose   "no  history   of seizures", "there was no<tab>hydrocephalus", "He has cleft   palate."
 *
 * A function word that a wide blank would leave at the border of a cell, a comma before it and a
 * sentence around it speak for prose.
 *
 * Threads: any. Units: bytes of the text. */
#ifndef MED_CELLS_H
#define MED_CELLS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    bool row;
    uint8_t wide; /* of a row: blanks that part two cells; 0: tabs and bars alone do */
} med_cells;

/* Of the line s[from, to), without indentation and what ends it. */
med_cells med_cells_of(const char *s, uint32_t from, uint32_t to);

typedef struct {
    uint32_t start, end; /* bytes */
} med_cell;
/* The cells of a row that blanks of that width part, at most max; returns how many. */
uint32_t med_cells_split(const char *s, uint32_t from, uint32_t to, uint8_t wide, med_cell *cell,
                         uint32_t max);

#endif
