/* SPDX-License-Identifier: Apache-2.0 */
/* med_sink_html.c - the report as one self-contained HTML page that prints well. The markup is
 * this file's templates; med_put escapes every string that goes into them. No outside string
 * stands in an attribute, and the page has no script and no address. */
#include "print/med_put.h"
#include "report/med_sink.h"
#include "report/med_words.h"

#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>

static const char html_style[] =
    "body{font:15px/1.5 system-ui,sans-serif;color:#1b2733;max-width:60rem;margin:2rem "
    "auto;padding:0 1.2rem}"
    "h1{font-size:1.6rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .6rem;border-bottom:2px solid "
    "#0b6e75;padding-bottom:.2rem}"
    ".banner{background:#fff4d6;border-left:4px solid #c98a00;padding:.5rem .8rem;margin:1rem "
    "0}.meta{color:#5a6b7b}"
    ".card{border:1px solid #d5dee6;border-radius:8px;padding:.8rem 1rem;margin:.7rem "
    "0;break-inside:avoid}"
    ".p{float:right;font-weight:700;color:#0b6e75;font-size:1.1rem}.bar{background:#e5ecf1;height:"
    "6px;border-radius:"
    "3px;margin:.4rem 0}"
    ".bar "
    "i{display:block;height:6px;border-radius:3px;background:#0b6e75}table{border-collapse:"
    "collapse;width:100%}"
    "td,th{text-align:left;padding:.25rem .5rem;border-bottom:1px solid "
    "#e5ecf1;vertical-align:top}th{color:#5a6b7b;font-weight:600}"
    ".for{color:#1c5fa8}.against{color:#b3261e}.id{color:#5a6b7b;font-size:.85em}mark{background:#"
    "cdeff0}.pin{"
    "background:#0b6e75;"
    "color:#fff;border-radius:3px;padding:0 .35rem;font-size:.75em}@media "
    "print{body{margin:0;max-width:none;font-size:11px}}";

typedef struct {
    med_sink sink;
    FILE *f;
    size_t left; /* rows of the list in hand that follow */
} html_sink;

static void html_head(med_sink *base)
{
    FILE *f = ((html_sink *)base)->f;
    const med_report *r = base->report;
    fputs("<!DOCTYPE html><html lang=\"en\"><head><meta "
          "charset=\"utf-8\"><title>" MED_WORDS_HTML_TITLE "</title><style>",
          f);
    fputs(html_style, f);
    med_put(f, MED_HTML, "</style></head><body><h1>%s</h1><p class=meta>" MED_WORDS_SEX_F, r->title,
            r->sex);
    if (!isnan(r->age_years)) med_put(f, MED_HTML, MED_WORDS_AGE_F, r->age_years);
    med_put(f, MED_HTML, MED_WORDS_INPUT_F "</p><p class=banner>" MED_WORDS_BANNER "</p>", r->words,
            r->knowledge_base, r->ranked_by);
    if (r->not_read || r->cut)
        med_put(f, MED_HTML, "<p class=banner>" MED_WORDS_NOT_READ_F "</p>", r->not_read, r->cut);
    if (r->unranked)
        med_put(f, MED_HTML, "<p class=banner>" MED_WORDS_UNRANKED_F "</p>", r->unranked,
                MED_QUERY_MAX);
    for (uint32_t i = 0; i < r->reading.n; i++)
        med_put(f, MED_HTML, "<p class=banner>%s</p>", r->reading.s[i]);
}

/* note: under the heading, NULL: none. */
static void html_open_findings(FILE *f, const char *heading, const char *note)
{
    med_put(f, MED_HTML, "<h2>%s</h2>", heading);
    if (note) med_put(f, MED_HTML, "<p class=meta>%s</p>", note);
    med_put(f, MED_HTML,
            "<table><tr><th>" MED_WORDS_COLUMN_FINDING "</th><th>" MED_WORDS_COLUMN_QUOTE
            "</th><th>" MED_WORDS_COLUMN_STATUS "</th><th>" MED_WORDS_COLUMN_WITHOUT "</th></tr>");
}

static void html_open(med_sink *base, med_list list, size_t n)
{
    html_sink *s = (html_sink *)base;
    s->left = n;
    switch (list) {
    case MED_LIST_CANDIDATES:
        med_put(s->f, MED_HTML, "<h2>%s</h2>",
                base->report->confident ? MED_WORDS_CANDIDATES : MED_WORDS_NOT_CONFIDENT);
        break;
    case MED_LIST_CONTRIBUTIONS: fputs("<table>", s->f); break;
    case MED_LIST_TYPICAL:
        if (n) fputs("<p class=meta>" MED_WORDS_TYPICAL, s->f);
        break;
    case MED_LIST_GENES:
        fputs("<h2>" MED_WORDS_GENES "</h2><p>" MED_WORDS_GENES_ABOUT "</p><table>", s->f);
        break;
    case MED_LIST_OBSERVED: html_open_findings(s->f, MED_WORDS_OBSERVED, NULL); break;
    case MED_LIST_EXCLUDED:
        html_open_findings(s->f, MED_WORDS_EXCLUDED, n ? MED_WORDS_DENIED : NULL);
        break;
    case MED_LIST_OTHERS: html_open_findings(s->f, MED_WORDS_OTHERS, NULL); break;
    case MED_LIST_SOURCES: fputs("<h2>" MED_WORDS_SOURCES "</h2><ul>", s->f); break;
    default: break;
    }
}

static void html_candidate(FILE *f, const med_report_candidate *c)
{
    med_put(f, MED_HTML,
            "<div class=card><span class=p>%.1f %%</span><b>%u. %s</b> <span class=id>%s",
            100 * c->probability, c->rank, c->name, c->id);
    for (uint32_t i = 0; i < c->genes.n; i++) med_put(f, MED_HTML, " %s", c->genes.s[i]);
    med_put(f, MED_HTML, "</span><div class=bar><i style=\"width:%.1f%%\"></i></div>",
            100 * c->probability);
}

static void html_contribution(FILE *f, const med_report_contribution *x)
{
    med_put(f, MED_HTML, "<tr><td>%s</td><td>%s", x->name, x->match);
    if (x->matched && x->matched[0]) med_put(f, MED_HTML, MED_WORDS_MATCHED_F, x->matched);
    fputs(x->log_lr >= 0 ? "</td><td class=for>" : "</td><td class=against>", f);
    med_put(f, MED_HTML, "%+.2f</td></tr>", x->log_lr);
}

/* The sentence with the finding's own words marked. */
static void html_quote(FILE *f, const med_report_quote *q)
{
    size_t a = q->start - q->sentence_start, b = a + q->text.len, n = q->sentence.len;
    const char *s = q->sentence.s;
    R1_ASSERT(a <= b && b <= n, "bytes %zu to %zu marked in a sentence of %zu", a, b, n);
    med_put(f, MED_HTML, "%.*s<mark>%.*s</mark>%.*s", (int)a, s, (int)(b - a), s + a, (int)(n - b),
            s + b);
}

static void html_finding(FILE *f, const med_report_finding *o)
{
    med_put(f, MED_HTML, "<tr><td>%s <span class=id>%s</span>", o->name, o->id);
    if (o->anchor && o->anchor->pinned)
        med_put(f, MED_HTML, " <span class=pin>" MED_WORDS_HTML_ANCHOR_F "</span>",
                o->anchor->weight);
    fputs("</td><td>", f);
    html_quote(f, &o->quote);
    med_put(f, MED_HTML, "</td><td>%s, %s</td><td>", o->quote.section, o->quote.status);
    if (o->anchor && o->anchor->without)
        med_put(f, MED_HTML, MED_WORDS_WITHOUT_F, 100 * o->anchor->without->change);
    fputs("</td></tr>", f);
}

static void html_gene(FILE *f, const med_report_gene *g)
{
    med_put(f, MED_HTML, "<tr><td>%u. %s <span class=id>%s</span></td><td>%.1f %%</td><td>",
            g->rank, g->name, g->id, 100 * g->probability);
    if (g->gene)
        med_put(f, MED_HTML, MED_WORDS_GENE_F, g->gene, g->alleles, g->inheritance, g->ratio);
    else
        fputs(MED_WORDS_NO_GENE, f);
    fputs("</td></tr>", f);
}

static void html_row(med_sink *base, med_list list, const void *row)
{
    html_sink *s = (html_sink *)base;
    s->left--;
    switch (list) {
    case MED_LIST_CANDIDATES: html_candidate(s->f, row); break;
    case MED_LIST_GENES: html_gene(s->f, row); break;
    case MED_LIST_CONTRIBUTIONS: html_contribution(s->f, row); break;
    case MED_LIST_TYPICAL: {
        const med_report_typical *x = row;
        med_put(s->f, MED_HTML, "%s" MED_WORDS_FREQUENCY_F "%s", x->name, 100 * x->frequency,
                s->left ? ", " : "");
        break;
    }
    case MED_LIST_OBSERVED:
    case MED_LIST_EXCLUDED:
    case MED_LIST_OTHERS: html_finding(s->f, row); break;
    case MED_LIST_SOURCES: {
        const med_report_source *x = row;
        med_put(s->f, MED_HTML, "<li>" MED_WORDS_SOURCE_F "</li>", x->name, x->version, x->licence);
        break;
    }
    default: break;
    }
}

static void html_row_end(med_sink *base, med_list list, const void *row)
{
    (void)row;
    if (list == MED_LIST_CANDIDATES) fputs("</div>", ((html_sink *)base)->f);
}

static void html_close(med_sink *base, med_list list)
{
    FILE *f = ((html_sink *)base)->f;
    switch (list) {
    case MED_LIST_CANDIDATES:
        med_put(f, MED_HTML, "<p>" MED_WORDS_NONE_F "</p>", 100 * base->report->none_of_these);
        break;
    case MED_LIST_TYPICAL:
        if (base->open[base->depth - 1].n) fputs("</p>", f);
        break;
    case MED_LIST_SOURCES: fputs("</ul>", f); break;
    case MED_LIST_STEPS: break;
    default: fputs("</table>", f);
    }
}

static void html_end(med_sink *base) { fputs("</body></html>\n", ((html_sink *)base)->f); }

r1_status med_report_html(const med_report *r, char **out, r1_err *err)
{
    static const med_sink_ops ops = {.name = "html",
                                     .head = html_head,
                                     .open = html_open,
                                     .row = html_row,
                                     .row_end = html_row_end,
                                     .close = html_close,
                                     .end = html_end};
    size_t n = 0;
    *out = NULL;
    html_sink s = {.sink = {.ops = &ops, .report = r}, .f = open_memstream(out, &n)};
    if (!s.f) R1_FAIL(err, R1_E_NOMEM, "no memory for the report's page");
    med_sink_walk(&s.sink);
    bool failed = ferror(s.f) != 0;
    if (fclose(s.f) == 0 && !failed) return R1_OK;
    free(*out);
    *out = NULL;
    R1_FAIL(err, R1_E_NOMEM, "no memory for the report's page");
}
