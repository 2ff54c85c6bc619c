/* SPDX-License-Identifier: Apache-2.0 */
/* med_sink_text.c - the report as plain text for a terminal: no byte of a record or an ontology
 * reaches it that a terminal would obey. */
#include "print/med_put.h"
#include "report/med_sink.h"
#include "report/med_words.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    med_sink sink;
    FILE *f;
    bool detailed; /* of the candidate in hand, its findings are shown */
} text_sink;

static void text_head(med_sink *base)
{
    FILE *f = ((text_sink *)base)->f;
    const med_report *r = base->report;
    med_put(f, MED_TEXT_LINE, MED_WORDS_TEXT_TITLE_F MED_WORDS_BANNER "\n", r->title);
    med_put(f, MED_TEXT_LINE, MED_WORDS_SEX_F, r->sex);
    if (!isnan(r->age_years)) med_put(f, MED_TEXT_LINE, MED_WORDS_AGE_F, r->age_years);
    med_put(f, MED_TEXT_LINE, MED_WORDS_INPUT_F "\n", r->words, r->knowledge_base, r->ranked_by);
    if (r->not_read || r->cut)
        med_put(f, MED_TEXT_LINE, MED_WORDS_NOT_READ_F "\n", r->not_read, r->cut);
    if (r->unranked)
        med_put(f, MED_TEXT_LINE, MED_WORDS_UNRANKED_F "\n", r->unranked, MED_QUERY_MAX);
    for (uint32_t i = 0; i < r->reading.n; i++) med_put(f, MED_TEXT_LINE, "%s\n", r->reading.s[i]);
}

static void text_open(med_sink *base, med_list list, size_t n)
{
    FILE *f = ((text_sink *)base)->f;
    const char *candidates =
        base->report->confident ? MED_WORDS_CAPS_CANDIDATES : MED_WORDS_CAPS_NOT;
    switch (list) {
    case MED_LIST_CANDIDATES: med_put(f, MED_TEXT_LINE, "\n%s\n", candidates); break;
    case MED_LIST_GENES:
        med_put(f, MED_TEXT_LINE, "\n" MED_WORDS_GENES "\n  " MED_WORDS_GENES_ABOUT "\n");
        break;
    case MED_LIST_OBSERVED:
        med_put(f, MED_TEXT_LINE, "\n" MED_WORDS_CAPS_OBSERVED_F "\n", n);
        break;
    case MED_LIST_EXCLUDED:
        med_put(f, MED_TEXT_LINE, "\n" MED_WORDS_CAPS_EXCLUDED_F "\n", n);
        if (n) med_put(f, MED_TEXT_LINE, "  %s\n", MED_WORDS_DENIED);
        break;
    case MED_LIST_OTHERS: med_put(f, MED_TEXT_LINE, "\n" MED_WORDS_CAPS_OTHERS_F "\n", n); break;
    case MED_LIST_SOURCES: med_put(f, MED_TEXT_LINE, "\n" MED_WORDS_CAPS_SOURCES "\n"); break;
    default: break;
    }
}

static void text_candidate(text_sink *s, const med_report_candidate *c)
{
    s->detailed = c->rank <= MED_REPORT_DETAILED;
    med_put(s->f, MED_TEXT_LINE, "  %2u. %5.1f %%  %s (%s)\n", c->rank, 100 * c->probability,
            c->name, c->id);
}

static void text_finding(FILE *f, const med_report_finding *o)
{
    const med_report_quote *q = &o->quote;
    med_put(f, MED_TEXT_LINE, "  %s %s%s\n      \"%.*s\" (%s, bytes %u-%u, %s)\n", o->id, o->name,
            o->anchor && o->anchor->pinned ? MED_WORDS_TEXT_PINNED : "", (int)q->sentence.len,
            q->sentence.s, q->section, q->start, q->end, q->status);
    if (o->anchor && o->anchor->without)
        med_put(f, MED_TEXT_LINE, "      " MED_WORDS_TEXT_ANCHOR_F "\n", o->anchor->weight,
                100 * o->anchor->without->change);
}

static void text_gene(FILE *f, const med_report_gene *g)
{
    med_put(f, MED_TEXT_LINE, "  %2u. %5.1f %%  %s (%s)\n        ", g->rank, 100 * g->probability,
            g->name, g->id);
    if (g->gene)
        med_put(f, MED_TEXT_LINE, MED_WORDS_GENE_F "\n", g->gene, g->alleles, g->inheritance,
                g->ratio);
    else
        med_put(f, MED_TEXT_LINE, MED_WORDS_NO_GENE "\n");
}

static void text_row(med_sink *base, med_list list, const void *row)
{
    text_sink *s = (text_sink *)base;
    switch (list) {
    case MED_LIST_CANDIDATES: text_candidate(s, row); break;
    case MED_LIST_GENES: text_gene(s->f, row); break;
    case MED_LIST_CONTRIBUTIONS: {
        const med_report_contribution *x = row;
        if (s->detailed)
            med_put(s->f, MED_TEXT_LINE, "        %+6.2f  %s (%s)\n", x->log_lr, x->name, x->match);
        break;
    }
    case MED_LIST_OBSERVED:
    case MED_LIST_EXCLUDED:
    case MED_LIST_OTHERS: text_finding(s->f, row); break;
    case MED_LIST_SOURCES: {
        const med_report_source *x = row;
        med_put(s->f, MED_TEXT_LINE, "  " MED_WORDS_SOURCE_F "\n", x->name, x->version, x->licence);
        break;
    }
    default: break;
    }
}

static void text_close(med_sink *base, med_list list)
{
    if (list == MED_LIST_CANDIDATES)
        med_put(((text_sink *)base)->f, MED_TEXT_LINE, "  " MED_WORDS_NONE_F "\n",
                100 * base->report->none_of_these);
}

r1_status med_report_text(const med_report *r, char **out, r1_err *err)
{
    static const med_sink_ops ops = {
        .name = "text", .head = text_head, .open = text_open, .row = text_row, .close = text_close};
    size_t n = 0;
    *out = NULL;
    text_sink s = {.sink = {.ops = &ops, .report = r}, .f = open_memstream(out, &n)};
    if (!s.f) R1_FAIL(err, R1_E_NOMEM, "no memory for the report's text");
    med_sink_walk(&s.sink);
    bool failed = ferror(s.f) != 0;
    if (fclose(s.f) == 0 && !failed) return R1_OK;
    free(*out);
    *out = NULL;
    R1_FAIL(err, R1_E_NOMEM, "no memory for the report's text");
}
