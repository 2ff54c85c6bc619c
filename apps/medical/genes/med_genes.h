/* SPDX-License-Identifier: Apache-2.0 */
/* med_genes.h - the genes in which a patient has variants: symbols, one to a line, or a VCF that
 * SnpEff (ANN) or VEP (CSQ) annotated. And what a hit gene says of a disease.
 *
 *   symbols   "FBN1", or "FBN1<TAB>1" with the number of alleles, 1 or 2; # begins a comment
 *   VCF       of one sample, or of none. A variant counts where its FILTER is PASS or '.', its
 *             impact HIGH or MODERATE, and its frequency in a population at most one in a
 *             hundred, where CSQ tells one. A homozygous one has two alleles, two heterozygous
 *             ones too
 *
 * The likelihood ratio of a disease, as LIRICAL counts (Robinson et al. 2020):
 *
 *     LR(k) = exp(l0 - ld) (ld / l0)^k,   k = the alleles of its gene, at most ld
 *
 *   ld   alleles that the disease needs: 2 where it is recessive, or X-linked recessive in another
 *        than a male; else 1
 *   l0   MED_GENE_BACKGROUND, what a gene has of such alleles in anybody
 *
 * A gene that is not hit says nothing: a list may be one of a panel. So no ratio is below 1.
 *
 * Owns:    its strings. Threads: any, one per call.
 * Limits:  MED_INPUT_BYTES_MAX unpacked (.gz, .zst), MED_GENES_MAX genes.
 * Errors:  R1_E_FORMAT: file, line, expected, found. */
#ifndef MED_GENES_H
#define MED_GENES_H

#include "genes/med_gene_hits.h"
#include "rank/med_rank.h"

#define MED_GENE_BACKGROUND 0.1
/* Adds a note where the knowledge base knows no gene at all, or some of the list at no disease. */
void med_genes_check(med_genes *g, const med_kb *kb);
r1_status med_genes_load(med_genes *out, const char *path, r1_err *err);
/* The same of bytes; what names them in errors. */
r1_status med_genes_read(med_genes *out, const char *what, const char *bytes, size_t len,
                         r1_err *err);
/* inheritance: MED_INHERIT_*. */
double med_gene_ratio(uint32_t inheritance, med_sex sex, uint32_t alleles);
/* The gene of the disease that says most; NULL and a ratio of 1: none is hit. */
const med_gene_hit *med_genes_of(const med_genes *g, const med_kb *kb, uint32_t disease,
                                 med_sex sex, double *ratio);

typedef struct {
    med_candidate c;        /* posterior: with the genes */
    uint32_t before;        /* its place without them, from 1; 0: it was not among the candidates */
    float posterior_before; /* NaN there */
    const med_gene_hit *hit; /* NULL: its ratio is 1 */
    double ratio;
} med_gene_candidate;
/* The candidates with their ratios, best first. list[0..n) is the ranking without genes, none its
 * probability of none of these. wide[0..n_wide) is the longer list of the likelihood: each of its
 * diseases that is hit and lacks in the list enters with the least posterior of the list, which is
 * no less than its own would be. Returns the count, at most max; *none_with gets none of these. */
uint32_t med_genes_rank(const med_genes *g, const med_kb *kb, med_sex sex,
                        const med_candidate *list, uint32_t n, float none,
                        const med_candidate *wide, uint32_t n_wide, med_gene_candidate *out,
                        uint32_t max, float *none_with);

#endif
