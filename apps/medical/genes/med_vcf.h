/* SPDX-License-Identifier: Apache-2.0 */
/* med_vcf.h - the columns of a VCF that say which genes are hit; see med_genes.h. Private to this
 * room. */
#ifndef MED_VCF_H
#define MED_VCF_H

#include "genes/med_gene_hits.h"

/* A frequency in a population above this one is too common for a rare disease. */
#define MED_GENE_COMMON 0.01

r1_status med_vcf_read(med_genes *g, const char *what, const char *bytes, size_t len, r1_err *err);

#endif
