/* SPDX-License-Identifier: Apache-2.0 */
/* med_gene_hits.h - a list of genes that are hit, as its readers fill it; see med_genes.h.
 *
 * Owns: its strings. Threads: one. Errors: R1_E_NOMEM; R1_E_FORMAT past MED_GENES_MAX. */
#ifndef MED_GENE_HITS_H
#define MED_GENE_HITS_H

#include "r1_base.h"

enum { MED_GENES_MAX = 100000, MED_GENE_BYTES = 32, MED_GENE_NOTES_MAX = 8 };

typedef struct {
    char symbol[MED_GENE_BYTES];
    uint32_t alleles, variants;
} med_gene_hit;

typedef struct {
    med_gene_hit *hit; /* sorted by symbol, case apart */
    uint32_t n, cap;
    char *note[MED_GENE_NOTES_MAX]; /* sentences: what counted, what did not, the rule */
    uint32_t n_note;
} med_genes;

void med_genes_free(med_genes *g);
/* NULL: not hit. */
const med_gene_hit *med_genes_find(const med_genes *g, const char *symbol);

void med_genes_note(med_genes *g, const char *format, ...) R1_PRINTF(2, 3);
/* symbol: one that med_gene_symbol takes. */
r1_status med_genes_add(med_genes *g, const char *symbol, size_t len, uint32_t alleles,
                        r1_err *err);
bool med_gene_symbol(const char *s, size_t len);
/* Each gene once, its alleles added up, and sorted. */
r1_status med_genes_merge(med_genes *g, const char *what, r1_err *err);

#endif
