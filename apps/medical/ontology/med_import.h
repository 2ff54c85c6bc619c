/* SPDX-License-Identifier: Apache-2.0 */
/* med_import.h - one function per outside format, each from memory into a builder. `what` names
 * the input in errors. All are bounded by their input's length and by the builder's limits, and
 * change nothing but the builder.
 *
 *   OBO 1.4         hp.obo                         med_import_obo.c
 *   OBO graphs      hp.json, mondo.json            med_import_graph.c
 *   RDF/XML (OWL)   hp.owl as published            med_import_owl.c
 *   our own XML     ontology/, schema r1med.xsd     med_import_own.c
 *   Orphadata XML   products 1, 4, 6, 9 (told by their elements)   med_import_orpha.c
 *   HPOA            phenotype.hpoa                 med_import_hpoa.c
 *   SSSOM           Mondo's exact matches          med_import_mondo.c
 *   KGX edges       Mondo's subclass edges         med_import_mondo.c
 *   genes           genes_to_disease.txt and _phenotype.txt of HPO     med_import_genes.c */
#ifndef MED_IMPORT_H
#define MED_IMPORT_H

#include "ontology/med_kb_build.h"

r1_status med_import_obo(med_builder *b, const char *what, const char *data, size_t len,
                         r1_err *err);
r1_status med_import_graph(med_builder *b, const char *what, const char *data, size_t len,
                           r1_err *err);
r1_status med_import_owl(med_builder *b, const char *what, const char *data, size_t len,
                         r1_err *err);
r1_status med_import_own(med_builder *b, const char *what, const char *data, size_t len,
                         r1_err *err);
r1_status med_import_orpha(med_builder *b, const char *what, const char *data, size_t len,
                           r1_err *err);
r1_status med_import_hpoa(med_builder *b, const char *what, const char *data, size_t len,
                          r1_err *err);
r1_status med_import_sssom(med_builder *b, const char *what, const char *data, size_t len,
                           r1_err *err);
r1_status med_import_edges(med_builder *b, const char *what, const char *data, size_t len,
                           r1_err *err);
r1_status med_import_genes(med_builder *b, const char *what, const char *data, size_t len,
                           r1_err *err);

/* An exact match of a Mondo class: taken where the other side is OMIM's or Orphanet's, as an id or
 * an address. */
r1_status med_import_match(med_builder *b, med_text other, med_text label, med_text mondo,
                           r1_err *err);

#endif
