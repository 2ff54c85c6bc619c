/* SPDX-License-Identifier: Apache-2.0 */
/* med_namespace.c - see med_namespace.h. */
#include "ontology/med_namespace.h"

#include "r1_base.h"

#include <string.h>

/* Our own namespace is that of ontology/r1med.xsd. */
static const med_namespace namespaces[] = {
    {"HP", "http://human-phenotype-ontology.org", "hp", "Human Phenotype Ontology",
     "http://purl.obolibrary.org/obo/hp.owl", "http://purl.obolibrary.org/obo/HP_",
     "Human Phenotype Ontology"},
    {"R1", "https://r1.example/ns/med", "r1", "R1 demonstration ontology",
     "https://r1.example/ns/med", "https://r1.example/ns/med#R1_", "R1 demonstration ontology"},
    {"ECO", NULL, "eco", "Evidence and Conclusion Ontology",
     "http://purl.obolibrary.org/obo/eco.owl", "http://purl.obolibrary.org/obo/ECO_", NULL},
};

const med_namespace *med_namespace_at(size_t i)
{
    return i < R1_COUNT(namespaces) ? &namespaces[i] : NULL;
}

const med_namespace *med_namespace_of(const char *id)
{
    size_t n = strcspn(id, ":");
    for (size_t i = 0; id[n] && i < R1_COUNT(namespaces); i++)
        if (strlen(namespaces[i].prefix) == n && memcmp(namespaces[i].prefix, id, n) == 0)
            return &namespaces[i];
    return NULL;
}

const med_namespace *med_namespace_of_system(const char *system)
{
    for (size_t i = 0; i < R1_COUNT(namespaces); i++)
        if (namespaces[i].system && strcmp(namespaces[i].system, system) == 0)
            return &namespaces[i];
    return NULL;
}
