/* SPDX-License-Identifier: Apache-2.0 */
/* med_genes.c - see med_genes.h: symbols, ratios, the list with genes. med_vcf.c reads VCF. */
#include "genes/med_genes.h"

#include "genes/med_vcf.h"
#include "ontology/med_slurp.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- symbols ---- */

static r1_status genes_line(med_genes *g, const char *what, int64_t number, const char *s,
                            size_t len, r1_err *err)
{
    size_t n = 0;
    while (n < len && s[n] != '\t') n++;
    size_t end = n;
    while (end && s[end - 1] == ' ') end--;
    bool counted = n < len;
    char how = counted && n + 2 == len ? s[n + 1] : '\0';
    if (!med_gene_symbol(s, end) || (counted && how != '1' && how != '2'))
        R1_FAIL(err, R1_E_FORMAT,
                "%s:%lld: expected a gene's symbol, perhaps a tab and the number of alleles, 1 or "
                "2, found \"%.*s\"",
                what, (long long)number, (int)(len < 60 ? len : 60), s);
    return med_genes_add(g, s, end, how == '2' ? 2 : 1, err);
}

static r1_status genes_symbols(med_genes *g, const char *what, const char *bytes, size_t len,
                               r1_err *err)
{
    med_lines lines = {.at = bytes, .end = bytes + len};
    const char *s;
    size_t n;
    while (med_lines_next(&lines, &s, &n)) {
        while (n && isspace((unsigned char)s[n - 1])) n--;
        while (n && *s == ' ') s++, n--;
        if (n && *s != '#') R1_TRY(genes_line(g, what, lines.number, s, n, err));
    }
    return R1_OK;
}

r1_status med_genes_read(med_genes *out, const char *what, const char *bytes, size_t len,
                         r1_err *err)
{
    static const char vcf[] = "##fileformat=VCF";
    *out = (med_genes){0};
    bool is = len >= sizeof vcf - 1 && memcmp(bytes, vcf, sizeof vcf - 1) == 0;
    r1_status st =
        is ? med_vcf_read(out, what, bytes, len, err) : genes_symbols(out, what, bytes, len, err);
    if (st == R1_OK) st = med_genes_merge(out, what, err);
    if (st == R1_OK)
        med_genes_note(out,
                       "Genes: %u are hit. A candidate's odds are multiplied by a likelihood ratio "
                       "of its gene: %.1f for a dominant disease; of a recessive one %.1f with one "
                       "allele, %.1f with two. The ranking without genes stays as it is.",
                       out->n, med_gene_ratio(MED_INHERIT_AD, MED_SEX_UNKNOWN, 1),
                       med_gene_ratio(MED_INHERIT_AR, MED_SEX_UNKNOWN, 1),
                       med_gene_ratio(MED_INHERIT_AR, MED_SEX_UNKNOWN, 2));
    if (st != R1_OK) med_genes_free(out);
    return st;
}

r1_status med_genes_load(med_genes *out, const char *path, r1_err *err)
{
    char *bytes = NULL;
    size_t len = 0;
    *out = (med_genes){0};
    R1_TRY(med_slurp(path, MED_INPUT_BYTES_MAX, &bytes, &len, err));
    r1_status st = med_genes_read(out, path, bytes, len, err);
    free(bytes);
    return st;
}

/* How many of the genes are those of some disease; *n_known: genes that the diseases name. */
static uint32_t genes_met(const med_genes *g, const med_kb *kb, bool *met, size_t *n_known)
{
    uint32_t n = 0;
    *n_known = 0;
    for (uint32_t d = 0; d < kb->n_disease; d++) {
        const med_disease *of = &kb->disease[d];
        *n_known += of->n_gene;
        for (uint32_t i = 0; i < of->n_gene; i++) {
            const med_gene_hit *h = med_genes_find(g, med_str(kb, kb->list[of->gene_at + i]));
            if (!h || met[h - g->hit]) continue;
            met[h - g->hit] = true;
            n++;
        }
    }
    return n;
}

void med_genes_check(med_genes *g, const med_kb *kb)
{
    size_t n_known;
    bool *met = calloc((size_t)g->n + 1, sizeof *met);
    if (!met) return;
    uint32_t n = genes_met(g, kb, met, &n_known), first = 0;
    while (first < g->n && met[first]) first++;
    if (n_known == 0)
        med_genes_note(g, "The knowledge base names no gene of any disease: the list of genes "
                          "changes nothing. `ontology import` takes a file of genes.");
    else if (n < g->n)
        med_genes_note(g,
                       "Genes that no disease of the knowledge base names: %u of %u, the first is "
                       "%s.",
                       g->n - n, g->n, g->hit[first].symbol);
    free(met);
}

/* ---- ratios ---- */

static double ratio_of(double needed, uint32_t alleles)
{
    double k = alleles < needed ? alleles : needed;
    double lr = exp(MED_GENE_BACKGROUND - needed) * pow(needed / MED_GENE_BACKGROUND, k);
    return alleles && lr > 1 ? lr : 1;
}

double med_gene_ratio(uint32_t inheritance, med_sex sex, uint32_t alleles)
{
    const uint32_t recessive = MED_INHERIT_AR | (sex == MED_SEX_MALE ? 0 : MED_INHERIT_XLR);
    double one = 1, two = 1;
    if (inheritance & recessive) two = ratio_of(2, alleles);
    if (!(inheritance & recessive) || (inheritance & ~recessive)) one = ratio_of(1, alleles);
    return one > two ? one : two;
}

const med_gene_hit *med_genes_of(const med_genes *g, const med_kb *kb, uint32_t disease,
                                 med_sex sex, double *ratio)
{
    const med_disease *d = &kb->disease[disease];
    const med_gene_hit *best = NULL;
    *ratio = 1;
    for (uint32_t i = 0; i < d->n_gene; i++) {
        const med_gene_hit *h = med_genes_find(g, med_str(kb, kb->list[d->gene_at + i]));
        double lr = h ? med_gene_ratio(d->inheritance, sex, h->alleles) : 1;
        if (h && (!best || lr > *ratio)) best = h, *ratio = lr;
    }
    return best;
}

static int genes_by_posterior(const void *a, const void *b)
{
    const med_gene_candidate *x = a, *y = b;
    if (x->c.posterior != y->c.posterior) return x->c.posterior > y->c.posterior ? -1 : 1;
    if (x->c.score != y->c.score) return x->c.score > y->c.score ? -1 : 1;
    return (x->c.disease > y->c.disease) - (x->c.disease < y->c.disease);
}

static bool list_holds(const med_candidate *list, uint32_t n, uint32_t disease)
{
    for (uint32_t i = 0; i < n; i++)
        if (list[i].disease == disease) return true;
    return false;
}

uint32_t med_genes_rank(const med_genes *g, const med_kb *kb, med_sex sex,
                        const med_candidate *list, uint32_t n, float none,
                        const med_candidate *wide, uint32_t n_wide, med_gene_candidate *out,
                        uint32_t max, float *none_with)
{
    uint32_t k = 0;
    float least = 1;
    double sum = (double)none;
    for (uint32_t i = 0; i < n && k < max; i++, k++) {
        out[k] = (med_gene_candidate){
            .c = list[i], .before = i + 1, .posterior_before = list[i].posterior};
        if (list[i].posterior < least) least = list[i].posterior;
    }
    for (uint32_t i = 0; i < n_wide && k < max && n; i++) {
        double ratio;
        if (list_holds(list, n, wide[i].disease)) continue;
        if (!med_genes_of(g, kb, wide[i].disease, sex, &ratio)) continue;
        out[k] = (med_gene_candidate){.c = wide[i], .posterior_before = NAN};
        out[k++].c.posterior = least;
    }
    for (uint32_t i = 0; i < k; i++) {
        out[i].hit = med_genes_of(g, kb, out[i].c.disease, sex, &out[i].ratio);
        out[i].c.posterior = (float)((double)out[i].c.posterior * out[i].ratio);
        sum += (double)out[i].c.posterior;
    }
    for (uint32_t i = 0; i < k && sum > 0; i++)
        out[i].c.posterior = (float)((double)out[i].c.posterior / sum);
    *none_with = sum > 0 ? (float)((double)none / sum) : 1;
    if (k) qsort(out, k, sizeof *out, genes_by_posterior);
    return k;
}
