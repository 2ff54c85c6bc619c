/* SPDX-License-Identifier: Apache-2.0 */
/* med_namespace.h - whose an id is, by what stands before its colon, as other programs name it.
 *
 * Threads: constants. */
#ifndef MED_NAMESPACE_H
#define MED_NAMESPACE_H

#include <stddef.h>

typedef struct {
    const char *prefix; /* of ids, "HP" */
    const char *system; /* FHIR's name of the code system; NULL: none is registered */
    const char *resource, *name, *url, *iri; /* of a phenopacket's Resource */
    const char *source; /* how the name of the source begins that a knowledge base has of it */
} med_namespace;

/* The namespace of "HP:0001250"; NULL: none that is known here. */
const med_namespace *med_namespace_of(const char *id);
/* The one whose FHIR system this is; NULL: none. */
const med_namespace *med_namespace_of_system(const char *system);
/* All, by number; NULL behind the last one. */
const med_namespace *med_namespace_at(size_t i);

#endif
