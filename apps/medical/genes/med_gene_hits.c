/* SPDX-License-Identifier: Apache-2.0 */
/* med_gene_hits.c - see med_gene_hits.h. */
#include "genes/med_gene_hits.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void med_genes_note(med_genes *g, const char *format, ...)
{
    va_list args;
    char *s = NULL;
    va_start(args, format);
    if (g->n_note < MED_GENE_NOTES_MAX && vasprintf(&s, format, args) >= 0)
        g->note[g->n_note++] = s;
    va_end(args);
}

r1_status med_genes_add(med_genes *g, const char *symbol, size_t len, uint32_t alleles, r1_err *err)
{
    if (g->n == g->cap) {
        uint32_t cap = g->cap ? g->cap * 2 : 256;
        med_gene_hit *grown = r1_realloc_array(g->hit, cap, sizeof *grown);
        if (!grown) R1_FAIL(err, R1_E_NOMEM, "no memory for a list of genes");
        g->hit = grown;
        g->cap = cap;
    }
    med_gene_hit *h = &g->hit[g->n++];
    *h = (med_gene_hit){.alleles = alleles, .variants = 1};
    memcpy(h->symbol, symbol, len);
    return R1_OK;
}

bool med_gene_symbol(const char *s, size_t len)
{
    if (len == 0 || len >= MED_GENE_BYTES || !isalnum((unsigned char)*s)) return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)s[i]) && !strchr("-_.@", s[i])) return false;
    return true;
}

static int genes_order(const void *a, const void *b)
{
    return strcasecmp(((const med_gene_hit *)a)->symbol, ((const med_gene_hit *)b)->symbol);
}

r1_status med_genes_merge(med_genes *g, const char *what, r1_err *err)
{
    uint32_t n = 0;
    if (g->n) qsort(g->hit, g->n, sizeof *g->hit, genes_order);
    for (uint32_t i = 0; i < g->n; i++) {
        if (n && genes_order(&g->hit[n - 1], &g->hit[i]) == 0) {
            g->hit[n - 1].alleles += g->hit[i].alleles;
            g->hit[n - 1].variants++;
        } else {
            g->hit[n++] = g->hit[i];
        }
    }
    g->n = n;
    if (n > MED_GENES_MAX)
        R1_FAIL(err, R1_E_FORMAT, "%s: %u genes, expected at most %d", what, n, MED_GENES_MAX);
    return R1_OK;
}

void med_genes_free(med_genes *g)
{
    for (uint32_t i = 0; i < g->n_note; i++) free(g->note[i]);
    free(g->hit);
    *g = (med_genes){0};
}

const med_gene_hit *med_genes_find(const med_genes *g, const char *symbol)
{
    med_gene_hit key = {0};
    size_t n = strlen(symbol);
    if (n >= sizeof key.symbol || !g->n) return NULL;
    memcpy(key.symbol, symbol, n);
    return bsearch(&key, g->hit, g->n, sizeof key, genes_order);
}
