/* SPDX-License-Identifier: Apache-2.0 */
/* med_report_gene.h - the candidates once more, where the patient's genes are known: a list of its
 * own beside the ranking, which stays as it is. Private to this room. */
#ifndef MED_REPORT_GENE_H
#define MED_REPORT_GENE_H

#include "genes/med_genes.h"
#include "report/med_report_work.h"

/* genes NULL: not known, and the report has no such list. */
r1_status med_report_genes_of(med_report_work *w, const med_genes *genes, r1_err *err);

#endif
