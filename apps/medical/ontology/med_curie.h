/* SPDX-License-Identifier: Apache-2.0 */
/* med_curie.h - ids of ontology classes out of addresses, as OWL and OBO graphs write them:
 * ".../obo/HP_0000002" and "...#HP_0000002" become "HP:0000002". A short form stays as it is.
 *
 * Threads: any. */
#ifndef MED_CURIE_H
#define MED_CURIE_H

#include "ontology/med_kb_build.h"

/* In out[MED_ID_MAX + 1]; *len 0 for NULL and for addresses of another shape. R1_E_FORMAT where it
 * is too long. */
r1_status med_curie(const med_builder *b, const char *iri, char *out, size_t *len, r1_err *err);

#endif
