/* SPDX-License-Identifier: Apache-2.0 */
/* med_report_gene.c - see med_report_gene.h. */
#include "report/med_report_gene.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { INHERITANCE_BYTES = 64 };

/* "AD, AR", as geneticists write it in any language */
static void gene_inheritance(uint32_t mask, char out[INHERITANCE_BYTES])
{
    static const char *const words[] = {"AD", "AR", "XLD", "XLR", "MT", "YL", "MU", "SP"};
    size_t n = 0;
    snprintf(out, INHERITANCE_BYTES, "?");
    for (size_t i = 0; i < R1_COUNT(words); i++)
        if (mask >> i & 1)
            n += (size_t)snprintf(out + n, INHERITANCE_BYTES - n, "%s%s", n ? ", " : "", words[i]);
}

static r1_status gene_say(med_report_work *w, const char *inheritance, med_report_gene *g,
                          r1_err *err)
{
    const char *what, *was;
    med_words_language l = w->report->language;
    if (g->gene)
        R1_TRY(med_report_say(w, &what, err, MED_SAY(l, GENE_HIT_F), g->gene, g->alleles,
                              inheritance, g->ratio));
    else
        what = MED_SAY(l, GENE_NONE);
    if (g->before != MED_NONE)
        R1_TRY(med_report_say(w, &was, err, MED_SAY(l, GENE_BEFORE_F), g->before,
                              100 * g->probability_before));
    else
        was = MED_SAY(l, GENE_NEW);
    return med_report_say(w, &g->text, err, MED_SAY(l, GENE_ROW_F), g->rank, g->name, g->id,
                          100 * g->probability, what, was);
}

static r1_status gene_row(med_report_work *w, uint32_t place, const med_gene_candidate *c,
                          med_report_gene *row, r1_err *err)
{
    char inheritance[INHERITANCE_BYTES];
    const med_disease *d = &w->kb->disease[c->c.disease];
    *row = (med_report_gene){.rank = place,
                             .before = c->before ? c->before : MED_NONE,
                             .id = med_str(w->kb, d->id),
                             .name = med_report_disease(w, c->c.disease),
                             .alleles = c->hit ? c->hit->alleles : 0,
                             .ratio = c->ratio,
                             .probability = (double)c->c.posterior,
                             .probability_before = (double)c->posterior_before};
    for (uint32_t i = 0; c->hit && i < d->n_gene; i++) { /* the symbol as the sources have it */
        const char *s = med_str(w->kb, w->kb->list[d->gene_at + i]);
        if (strcasecmp(s, c->hit->symbol) == 0) row->gene = s;
    }
    gene_inheritance(d->inheritance, inheritance);
    row->inheritance = r1_arena_strdup(w->report->arena, inheritance, strlen(inheritance));
    if (!row->inheritance) R1_FAIL(err, R1_E_NOMEM, "no memory for a report");
    return gene_say(w, inheritance, row, err);
}

r1_status med_report_genes_of(med_report_work *w, const med_genes *genes, r1_err *err)
{
    static _Thread_local med_candidate wide[MED_CANDIDATES_MAX];
    static _Thread_local med_gene_candidate all[MED_CANDIDATES_MAX];
    med_report *r = w->report;
    med_report_gene *row;
    uint32_t n_wide = 0;
    float none = 1;
    r->none_with_genes = NAN;
    if (!genes) return R1_OK;
    med_case_open(w->ranker, &w->query);
    R1_TRY(med_rank(w->ranker, wide, MED_CANDIDATES_MAX, &n_wide, err));
    uint32_t n = med_genes_rank(genes, w->kb, w->notes->sex, w->all, w->n_all, w->none, wide,
                                n_wide, all, MED_CANDIDATES_MAX, &none);
    if (n > MED_REPORT_GENES) n = MED_REPORT_GENES;
    MED_REPORT_LIST_OF(r->arena, row, n, err);
    for (uint32_t i = 0; i < n; i++) R1_TRY(gene_row(w, i + 1, &all[i], &row[i], err));
    r->with_genes = true;
    r->gene = row;
    r->n_gene = n;
    r->none_with_genes = (double)none;
    return R1_OK;
}
