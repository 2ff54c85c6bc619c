/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_genes.c - any bytes as a file of genes or a VCF: refused with a reason, or genes that are
 * found again, each with an allele at least. */
#include "fuzz/fuzz.h"
#include "genes/med_genes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    med_genes g;
    r1_err err = {0};
    char *copy = fuzz_copy(data, size);
    if (med_genes_read(&g, "fuzz", copy, size, &err) != R1_OK) fuzz_refused(&err);
    for (uint32_t i = 0; i < g.n; i++)
        if (!g.hit[i].alleles || med_genes_find(&g, g.hit[i].symbol) != &g.hit[i]) abort();
    med_genes_free(&g);
    free(copy);
    return 0;
}
