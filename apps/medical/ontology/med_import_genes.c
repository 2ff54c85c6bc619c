/* SPDX-License-Identifier: Apache-2.0 */
/* med_import_genes.c - HPO's files of genes: genes_to_disease.txt and genes_to_phenotype.txt, of
 * which the gene's symbol and the disease are taken. Columns go by their names; the older file
 * names them in a comment. */
#include "ontology/med_import.h"
#include "ontology/med_slurp.h"

#include <stdio.h>
#include <string.h>

enum { GENE_COLUMNS = 16 };

typedef struct {
    size_t symbol, disease;
} gene_columns;

static void genes_head(gene_columns *c, const char *s, size_t len)
{
    static const char *const symbols[] = {"gene_symbol", "entrez-gene-symbol"},
                             *const diseases[] = {"disease_id", "disease-ID for link"};
    med_field f[GENE_COLUMNS];
    const char *old = memmem(s, len, "Format: ", 8);
    char line[512];
    size_t n = 0;
    if (old) len -= (size_t)(old + 8 - s), s = old + 8;
    while (len && n + 1 < sizeof line) { /* "<tab>" in the older one's comment */
        bool tab = len >= 5 && memcmp(s, "<tab>", 5) == 0;
        line[n++] = tab ? '\t' : *s;
        s += tab ? 5 : 1, len -= tab ? 5 : 1;
    }
    n = med_split(line, n, '\t', f, GENE_COLUMNS);
    for (size_t i = 0; i < n && i < GENE_COLUMNS; i++)
        for (size_t k = 0; k < 2; k++) {
            if (f[i].len == strlen(symbols[k]) && memcmp(f[i].s, symbols[k], f[i].len) == 0)
                c->symbol = i;
            if (f[i].len == strlen(diseases[k]) && memcmp(f[i].s, diseases[k], f[i].len) == 0)
                c->disease = i;
        }
}

r1_status med_import_genes(med_builder *b, const char *what, const char *data, size_t len,
                           r1_err *err)
{
    static const char licence[] =
        "HPO licence: free use with citation and version (https://hpo.jax.org/app/license)";
    gene_columns c = {GENE_COLUMNS, GENE_COLUMNS};
    med_lines lines = {.at = data, .end = data + len};
    const char *s;
    size_t n;
    uint16_t source;
    char columns[32];
    R1_TRY(med_builder_input(b, what, err));
    while (med_lines_next(&lines, &s, &n)) {
        med_field f[GENE_COLUMNS];
        uint32_t disease;
        if (n == 0) continue;
        med_builder_line(b, lines.number);
        if (lines.number == 1) genes_head(&c, s, n);
        if (lines.number == 1 && (c.symbol == GENE_COLUMNS || c.disease == GENE_COLUMNS))
            R1_FAIL(err, R1_E_FORMAT, "%s:1: expected columns of the gene's symbol and the disease",
                    what);
        if (lines.number == 1 || *s == '#') continue;
        size_t found = med_split(s, n, '\t', f, GENE_COLUMNS);
        if (found <= c.symbol || found <= c.disease) {
            snprintf(columns, sizeof columns, "%zu", found);
            med_builder_refuse(b, "columns", MED_TEXT(columns), "as many as its first line has");
            continue;
        }
        if (f[c.disease].len > MED_ID_MAX) {
            med_builder_refuse(b, "disease_id", (med_text){f[c.disease].s, f[c.disease].len},
                               "an id of at most 127 bytes");
            continue;
        }
        if (f[c.symbol].len <= 1 || f[c.disease].len <= 1) continue; /* "-" */
        R1_TRY(med_builder_disease(b, (med_text){f[c.disease].s, f[c.disease].len},
                                   (med_text){"", 0}, &disease, err));
        R1_TRY(med_builder_gene(b, disease, (med_text){f[c.symbol].s, f[c.symbol].len}, err));
    }
    return med_builder_source(b, "Genes of diseases (HPO)", MED_VERSION_NONE, licence,
                              "https://hpo.jax.org", &source, err);
}
