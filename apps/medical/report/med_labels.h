/* SPDX-License-Identifier: Apache-2.0 */
/* med_labels.h - names of findings in another language, from a table of the HPO's translations
 * (babelon: columns subject_id and translation_value) or a table of two columns, id and name.
 *
 * Owns:    the table. Strings that are handed out live as long as it.
 * Threads: read-only once it is open, so any number.
 * Errors:  R1_E_FORMAT with file and line; a file without one finding of the knowledge base. */
#ifndef MED_LABELS_H
#define MED_LABELS_H

#include "ontology/med_kb.h"

enum { MED_LABELS_BYTES_MAX = 64 << 20 };

typedef struct med_labels med_labels;
r1_status med_labels_open(med_labels **out, const med_kb *kb, const char *path, r1_err *err);
void med_labels_free(med_labels *l); /* NULL is fine */
/* NULL: the table has none. l may be NULL. */
const char *med_labels_of(const med_labels *l, uint32_t term);

#endif
