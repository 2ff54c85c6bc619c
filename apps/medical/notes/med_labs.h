/* SPDX-License-Identifier: Apache-2.0 */
/* med_labs.h - findings that measured values say: "CK 5400 U/L" is an elevated creatine kinase,
 * "height < 0.4th centile" a short stature.
 *
 *   name ──▶ words that may stand between ──▶ value ──▶ unit ──▶ flags, printed range
 *
 * What decides, the first that is there: the range that the record prints, the laboratory's flag or
 * the writer's word, the range for age and sex of data/measures.tsv. A value whose unit, specimen
 * or reading is not understood says nothing.
 *
 * Threads: one per reader; the tables are shared and read-only. */
#ifndef MED_LABS_H
#define MED_LABS_H

#include "notes/med_growth.h"
#include "notes/med_quantity.h"

enum { MED_MEASURED_MAX = 1000 }; /* findings of one unit; what is beyond is counted */

typedef struct {
    uint32_t term;
    uint32_t start, end;    /* bytes of the record, within the unit */
    float value, low, high; /* in the value's unit; not finite where there is no bound */
} med_measured;

typedef struct med_labs med_labs;
r1_status med_labs_new(med_labs **out, r1_err *err);
void med_labs_free(med_labs *l); /* NULL is fine */
/* The measures that ship (notes/data), NULL where their file does not fit. */
const med_measures *med_labs_measures(void);

/* The findings of a unit, sorted by start; *found holds until the next call. n->sex and
 * n->age_years must be read before. Adds to n->n_unread. */
uint32_t med_labs_read(med_labs *l, med_notes *n, const med_kb *kb, uint32_t sentence,
                       const med_measured **found);

#endif
