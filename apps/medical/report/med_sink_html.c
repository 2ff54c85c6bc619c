/* SPDX-License-Identifier: Apache-2.0 */
/* med_sink_html.c - the report as one self-contained HTML page that prints well. The markup is
 * this file's templates; med_put escapes every string that goes into them. No outside string
 * stands in an attribute: an address is ours but for its digits. The page has no script. */
#include "print/med_put.h"
#include "report/med_figure.h"
#include "report/med_sink.h"
#include "report/med_sink_say.h"

#include "r1_assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char html_style[] =
    "body{font:15px/1.5 system-ui,'Noto Sans CJK SC','Droid Sans Fallback',sans-serif;"
    "color:#1b2733;max-width:62rem;margin:1.5rem auto;padding:0 1.2rem}"
    "h1{font-size:1.6rem;margin:0 0 .4rem}"
    "h2{font-size:1.15rem;margin:1.8rem 0 .6rem;border-bottom:2px solid #0b6e75;"
    "padding-bottom:.2rem;break-after:avoid}"
    "h3{font-size:.95rem;margin:.9rem 0 .2rem;color:#0b6e75;break-after:avoid}"
    ".annex{margin-top:3rem;background:#eef4f5;padding:.3rem .6rem;font-size:1.3rem}"
    ".scope{background:#fbe3e0;border-left:4px solid #b3261e;padding:.5rem .8rem;margin:0 0 1rem}"
    ".banner{background:#fff4d6;border-left:4px solid #c98a00;padding:.5rem .8rem;margin:.6rem 0}"
    ".meta{color:#51616f;margin:.2rem 0}"
    ".card{border:1px solid #d5dee6;border-radius:8px;padding:.6rem 1rem;margin:.7rem 0}"
    "summary{cursor:pointer;font-size:1.05rem}"
    ".p{float:right;font-weight:700;color:#0b6e75}"
    ".bar{display:block;background:#e5ecf1;height:8px;border-radius:4px;min-width:7rem}"
    ".bar i{display:block;height:8px;border-radius:4px;background:#0b6e75}"
    ".lr{position:relative;display:inline-block;width:9rem;height:10px;background:#f1f5f7;"
    "border-left:0}"
    ".lr i{position:absolute;top:0;height:10px}"
    ".lr .f{left:50%;background:#1c5fa8}.lr .a{right:50%;background:#b3261e}"
    ".lr .z{left:50%;width:1px;background:#51616f;top:-2px;height:14px}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #e5ecf1;"
    "vertical-align:top}"
    "th{color:#51616f;font-weight:600}.n{text-align:right;white-space:nowrap}"
    ".sys{background:#f3f7f8;font-weight:600;color:#0b6e75}"
    ".for{color:#1c5fa8}.against{color:#b3261e}.id{color:#51616f;font-size:.85em}"
    "mark{background:#cdeff0}a{color:#0b6e75}"
    ".pin{background:#0b6e75;color:#fff;border-radius:3px;padding:0 .35rem;font-size:.75em}"
    "svg{width:100%;max-width:46rem;height:auto;display:block;margin:0 auto}"
    "@media print{html{font-size:12px}body{margin:0;max-width:none;font-size:11px}"
    "tr{break-inside:avoid}.card{break-inside:auto}}";

typedef struct {
    med_sink sink;
    FILE *f;
    med_words_language l;
    const med_report_system *system; /* of the findings in hand */
    bool of_system;                  /* one was told */
    const char *part;                /* of the contributions in hand; NULL: none yet */
    double sum;
} html_sink;

/* ---- small parts ----------------------------------------------------------------------------- */

static void html_cell(html_sink *s, const char *name)
{
    med_put(s->f, MED_HTML, "<th>%s</th>", name);
}

/* A finding's id, with its page at the HPO where it is a number of it. */
static void html_id(html_sink *s, const char *id)
{
    bool hpo = strncmp(id, "HP:", 3) == 0 && strlen(id) == 10 && strspn(id + 3, "0123456789") == 7;
    if (hpo)
        fprintf(s->f, " <a class=id href=\"https://hpo.jax.org/browse/term/%s\">%s</a>", id, id);
    else
        med_put(s->f, MED_HTML, " <span class=id>%s</span>", id);
}

static void html_ratio(html_sink *s, double log_lr)
{
    fprintf(s->f,
            "<td><span class=lr><i class=%s style=\"width:%.1f%%\"></i><i class=z></i></span></td>"
            "<td class=%s>",
            log_lr < 0 ? "a" : "f", 50 * med_say_bar(log_lr), log_lr < 0 ? "against" : "for");
    med_say_ratio(s->f, MED_HTML, s->l, log_lr);
    fputs("</td>", s->f);
}

/* The sentence with the finding's own words marked. */
static void html_quote(FILE *f, const med_report_quote *q)
{
    size_t a = q->start - q->sentence_start, b = a + q->text.len, n = q->sentence.len;
    const char *s = q->sentence.s;
    if (q->added) return;
    R1_ASSERT(a <= b && b <= n, "bytes %zu to %zu marked in a sentence of %zu", a, b, n);
    med_put(f, MED_HTML, "%.*s<mark>%.*s</mark>%.*s", (int)a, s, (int)(b - a), s + a, (int)(n - b),
            s + b);
}

/* ---- head ------------------------------------------------------------------------------------ */

static void html_row_of(html_sink *s, const char *what)
{
    med_put(s->f, MED_HTML, "<tr><th>%s</th><td>", what);
}

static void html_head(med_sink *base)
{
    html_sink *s = (html_sink *)base;
    const med_report *r = base->report;
    const med_words_language l = s->l;
    fprintf(s->f, "<!DOCTYPE html><html lang=\"%s\"><head><meta charset=\"utf-8\"><title>",
            l == MED_WORDS_ZH ? "zh" : "en");
    med_put(s->f, MED_HTML, "%s</title><style>", MED_SAY(l, TITLE));
    fputs(html_style, s->f);
    fputs("</style></head><body>", s->f);
    if (r->scope) med_put(s->f, MED_HTML, "<p class=scope>%s</p>", r->scope);
    med_put(s->f, MED_HTML, "<h1>%s</h1><table>", MED_SAY(l, TITLE));
    html_row_of(s, MED_SAY(l, PATIENT));
    med_say_patient(s->f, MED_HTML, r);
    fputs("</td></tr>", s->f);
    html_row_of(s, MED_SAY(l, RECORD));
    med_put(s->f, MED_HTML, "%s%s", r->title, MED_SAY(l, LIST_COMMA));
    med_say_input(s->f, MED_HTML, r);
    fputs("</td></tr>", s->f);
    if (r->signing) {
        html_row_of(s, MED_SAY(l, SIGNED));
        med_say_signing(s->f, MED_HTML, r);
        fputs("</td></tr>", s->f);
    }
    if (r->date) {
        html_row_of(s, MED_SAY(l, DATE));
        med_put(s->f, MED_HTML, "%s</td></tr>", r->date);
    }
    html_row_of(s, MED_SAY(l, VERSIONS));
    med_say_versions(s->f, MED_HTML, r);
    med_put(s->f, MED_HTML, "</td></tr></table><p class=banner>%s</p>", MED_SAY(l, BANNER));
}

/* ---- the figure ------------------------------------------------------------------------------ */

static void html_body(html_sink *s)
{
    fprintf(s->f, "<svg viewBox=\"0 0 %d %d\" role=img>", MED_FIGURE_WIDTH, MED_FIGURE_HEIGHT);
    for (uint32_t i = 0; i < med_figure_n_body; i++) {
        const med_figure_line *b = &med_figure_body[i];
        fputs("<polyline points=\"", s->f);
        for (uint32_t k = 0; k < b->n; k++)
            fprintf(s->f, "%s%.0f,%.0f", k ? " " : "", b->at[k].x, b->at[k].y);
        if (b->n == 1) fprintf(s->f, " %.0f,%.0f", b->at[0].x, b->at[0].y);
        fprintf(s->f,
                "\" fill=none stroke=\"#d3dfe4\" stroke-width=\"%.0f\" stroke-linecap=round "
                "stroke-linejoin=round></polyline>",
                b->width);
    }
}

static void html_label(html_sink *s, const med_figure_label *x)
{
    fprintf(s->f,
            "<polyline points=\"%.1f,%.1f %.1f,%.1f\" fill=none stroke=\"#7b8a96\" "
            "stroke-width=\"0.7\"></polyline>",
            x->x, x->y, x->label_x + (x->right ? -4 : 4), x->label_y);
    fprintf(s->f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\" stroke=\"#0b6e75\">",
            x->x, x->y, x->radius, x->system->n_observed ? "#0b6e75" : "#ffffff");
    fprintf(s->f,
            "</circle><text x=\"%.1f\" y=\"%.1f\" font-size=\"12\" fill=\"%s\" text-anchor=%s>",
            x->label_x, x->label_y + 4, x->system->n_observed ? "#1b2733" : "#51616f",
            x->right ? "start" : "end");
    med_say_system(s->f, MED_HTML, s->l, x->system);
    fputs("</text>", s->f);
}

/* The body with its systems, and those without one place below it. */
static void html_figure(html_sink *s)
{
    const med_report *r = s->sink.report;
    med_figure_label label[MED_SYSTEMS_MAX];
    uint32_t n = med_figure_labels(r, label), told = 0;
    html_body(s);
    for (uint32_t i = 0; i < n; i++) html_label(s, &label[i]);
    fputs("</svg>", s->f);
    for (uint32_t i = 0; i < r->n_system; i++) {
        if (!med_figure_is_elsewhere(&r->system[i])) continue;
        if (!told) med_put(s->f, MED_HTML, "<p class=meta>%s ", MED_SAY(s->l, ELSEWHERE));
        if (told++) fputs(" · ", s->f);
        med_say_system(s->f, MED_HTML, s->l, &r->system[i]);
    }
    if (told) fputs("</p>", s->f);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void html_open_table(html_sink *s, med_list list)
{
    const med_words_language l = s->l;
    fputs("<table><tr>", s->f);
    switch (list) {
    case MED_LIST_DIFFERENTIAL:
        html_cell(s, "");
        html_cell(s, MED_SAY(l, DISEASE));
        html_cell(s, MED_SAY(l, PROBABILITY));
        html_cell(s, "");
        html_cell(s, MED_SAY(l, EXPLAINS));
        break;
    case MED_LIST_QUESTIONS:
    case MED_LIST_PINS: break;
    default:
        html_cell(s, MED_SAY(l, FINDING));
        html_cell(s, MED_SAY(l, QUOTE));
        html_cell(s, MED_SAY(l, STATUS));
    }
    fputs("</tr>", s->f);
}

static bool html_is_table(med_list list)
{
    return list == MED_LIST_DIFFERENTIAL || list == MED_LIST_QUESTIONS || list == MED_LIST_PINS ||
           list == MED_LIST_OBSERVED || list == MED_LIST_EXCLUDED || list == MED_LIST_OTHERS ||
           list == MED_LIST_CONTRADICTIONS;
}

static bool html_is_of_candidate(med_list list)
{
    return list == MED_LIST_CONTRIBUTIONS || list == MED_LIST_TYPICAL || list == MED_LIST_AGAINST ||
           list == MED_LIST_STEPS;
}

static void html_open(med_sink *base, med_list list, size_t n)
{
    html_sink *s = (html_sink *)base;
    const char *heading = med_say_heading(base->report, (int)list);
    s->of_system = false;
    s->part = NULL;
    s->sum = 0;
    if (list == MED_LIST_NOTICES) return;
    if (html_is_of_candidate(list)) {
        if (n && heading) med_put(s->f, MED_HTML, "<h3>%s</h3>", heading);
        if (n && (list == MED_LIST_TYPICAL || list == MED_LIST_AGAINST)) fputs("<ul>", s->f);
        if (n && list == MED_LIST_STEPS) fputs("<table>", s->f);
        return;
    }
    med_put(s->f, MED_HTML, "<h2>%s</h2>", heading);
    if (list == MED_LIST_EXCLUDED && n)
        med_put(s->f, MED_HTML, "<p class=meta>%s</p>", MED_SAY(s->l, DENIED_NOTE));
    if (list == MED_LIST_CANDIDATES && n)
        med_put(s->f, MED_HTML, "<p class=meta>%s</p>", MED_SAY(s->l, RATIO_NOTE));
    if (list == MED_LIST_SYSTEMS && n) {
        html_figure(s);
        return;
    }
    if (!n && list != MED_LIST_READING)
        med_put(s->f, MED_HTML, "<p>%s</p>", med_say_no_rows(base->report, (int)list));
    else if (html_is_table(list))
        html_open_table(s, list);
    else if (list != MED_LIST_CANDIDATES)
        fputs("<ul>", s->f);
}

static void html_differential(html_sink *s, const med_report_candidate *c)
{
    med_put(s->f, MED_HTML, "<tr><td class=n>%u</td><td><b>%s</b> <span class=id>%s", c->rank,
            c->name, c->id);
    if (c->genes.n) fputs(" · ", s->f);
    med_say_names(s->f, MED_HTML, s->l, &c->genes);
    fputs("</span>", s->f);
    for (uint32_t i = 0; i < c->caution.n; i++)
        med_put(s->f, MED_HTML, "<br><span class=against>%s: %s</span>", MED_SAY(s->l, CAUTION),
                c->caution.s[i]);
    med_put(s->f, MED_HTML,
            "</td><td><span class=bar><i style=\"width:%.1f%%\"></i></span></td>"
            "<td class=n>%.1f %%</td><td class=n>",
            100 * c->probability, 100 * c->probability);
    med_put(s->f, MED_HTML, MED_SAY(s->l, OF_F), c->n_explained, c->n_weighed);
    fputs("</td></tr>", s->f);
}

static void html_question(html_sink *s, const med_report_question *q)
{
    med_put(s->f, MED_HTML, "<tr><td><b>%s</b>", q->name);
    html_id(s, q->id);
    fputs("</td><td>", s->f);
    med_put(s->f, MED_HTML, MED_SAY(s->l, QUESTION_F), q->disease, q->disease_id, 100 * q->now,
            100 * q->present, 100 * q->none);
    fputs("</td></tr>", s->f);
}

static void html_contradiction(html_sink *s, const med_report_contradiction *x)
{
    const med_report_quote *q[] = {&x->quote, &x->denied};
    for (int i = 0; i < 2; i++) {
        fputs("<tr><td>", s->f);
        if (i == 0) {
            med_put(s->f, MED_HTML, "<b>%s</b>", x->name);
            html_id(s, x->id);
        } else {
            med_put(s->f, MED_HTML, MED_SAY(s->l, AND_DENIED_F), x->denied_name);
            html_id(s, x->denied_id);
        }
        fputs("</td><td>", s->f);
        html_quote(s->f, q[i]);
        fputs("</td><td>", s->f);
        med_say_place(s->f, MED_HTML, s->l, q[i]);
        fputs("</td></tr>", s->f);
    }
}

static void html_fact(html_sink *s, const char *what, const med_report_names *names)
{
    if (!names->n) return;
    med_put(s->f, MED_HTML, "%s: <b>", what);
    med_say_names(s->f, MED_HTML, s->l, names);
    fputs("</b>. ", s->f);
}

static void html_candidate(html_sink *s, const med_report_candidate *c)
{
    med_put(s->f, MED_HTML,
            c->rank <= MED_REPORT_DETAILED
                ? "<details class=card open><summary><b>%u. %s</b> <span class=p>%.1f %%</span>"
                  "</summary><p class=meta>"
                : "<details class=card><summary><b>%u. %s</b> <span class=p>%.1f %%</span>"
                  "</summary><p class=meta>",
            c->rank, c->name, 100 * c->probability);
    html_fact(s, MED_SAY(s->l, TOGETHER), &c->together_first);
    html_fact(s, MED_SAY(s->l, GENES), &c->genes);
    html_fact(s, MED_SAY(s->l, INHERITANCE), &c->inheritance);
    html_fact(s, MED_SAY(s->l, ONSET), &c->onset);
    if (!isnan(c->prevalence)) {
        med_put(s->f, MED_HTML, "%s: <b>", MED_SAY(s->l, PREVALENCE));
        med_put(s->f, MED_HTML, MED_SAY(s->l, PREVALENCE_F), 1 / c->prevalence);
        fputs("</b>. ", s->f);
    }
    med_put(s->f, MED_HTML, "%s: ", MED_SAY(s->l, LINKS));
    if (!c->n_link) med_put(s->f, MED_HTML, "%s", c->id);
    for (uint32_t i = 0; i < c->n_link; i++)
        med_put(s->f, MED_HTML, "%s<a href=\"%s\">%s</a>", i ? MED_SAY(s->l, LIST_COMMA) : "",
                c->link[i].address, c->link[i].label);
    fputs(". ", s->f);
    html_fact(s, MED_SAY(s->l, ORIGIN), &c->origin);
    html_fact(s, MED_SAY(s->l, MISSING), &c->missing);
    fputs("</p>", s->f);
    for (uint32_t i = 0; i < c->caution.n; i++)
        med_put(s->f, MED_HTML, "<p class=banner>%s: %s</p>", MED_SAY(s->l, CAUTION),
                c->caution.s[i]);
}

/* Each part has a table of its own. */
static void html_contribution(html_sink *s, const med_report_contribution *x)
{
    const char *part = med_say_part(s->l, x);
    if (part != s->part) {
        if (s->part) fputs("</table>", s->f);
        med_put(s->f, MED_HTML, "<h3>%s</h3><table>", part);
        s->part = part;
    }
    med_put(s->f, MED_HTML, "<tr><td>%s", x->name);
    html_id(s, x->id);
    fputs("</td><td>", s->f);
    med_say_match(s->f, MED_HTML, s->l, x);
    fputs("</td>", s->f);
    html_ratio(s, x->log_lr);
    fputs("</tr>", s->f);
}

static void html_typical(html_sink *s, const med_report_typical *x, bool against)
{
    med_put(s->f, MED_HTML, "<li>%s", x->name);
    html_id(s, x->id);
    med_put(s->f, MED_HTML, "%s", MED_SAY(s->l, LIST_COMMA));
    med_say_frequency(s->f, MED_HTML, s->l, x->n, x->m, x->frequency);
    if (against) {
        med_put(s->f, MED_HTML, "%s", MED_SAY(s->l, LIST_COMMA));
        med_put(s->f, MED_HTML, MED_SAY(s->l, TIMES_F), x->denied);
    }
    fputs("</li>", s->f);
}

static void html_step(html_sink *s, const char *what, double logit)
{
    med_put(s->f, MED_HTML, "<tr><td>%s</td><td class=n>%+.2f</td></tr>", what, logit);
}

static void html_finding(html_sink *s, const med_report_finding *o)
{
    if (!s->of_system || s->system != o->system)
        med_put(s->f, MED_HTML, "<tr><td class=sys colspan=3>%s</td></tr>",
                o->system ? o->system->label : MED_SAY(s->l, OTHER_SYSTEM));
    s->of_system = true;
    s->system = o->system;
    med_put(s->f, MED_HTML, "<tr><td>%s", o->name);
    html_id(s, o->id);
    if (o->anchor && o->anchor->pinned)
        med_put(s->f, MED_HTML, " <span class=pin>%s</span>", MED_SAY(s->l, PINNED));
    if (o->unranked)
        med_put(s->f, MED_HTML, " <span class=id>%s</span>", MED_SAY(s->l, NOT_RANKED));
    fputs("</td><td>", s->f);
    html_quote(s->f, &o->quote);
    fputs("</td><td>", s->f);
    med_say_place(s->f, MED_HTML, s->l, &o->quote);
    if (o->mentions != MED_NONE && o->mentions > 1) {
        med_put(s->f, MED_HTML, "%s", MED_SAY(s->l, LIST_COMMA));
        med_put(s->f, MED_HTML, MED_SAY(s->l, MENTIONS_F), o->mentions);
    }
    fputs("</td></tr>", s->f);
}

static void html_pin(html_sink *s, const med_report_finding *o)
{
    med_put(s->f, MED_HTML, "<tr><td>%s", o->name);
    html_id(s, o->id);
    fputs("</td><td>", s->f);
    med_put(s->f, MED_HTML, MED_SAY(s->l, WITHOUT_F), o->anchor->weight,
            100 * o->anchor->without->change, o->anchor->without->first);
    fputs("</td></tr>", s->f);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void html_plain_row(html_sink *s, med_list list, const void *row)
{
    fputs("<li>", s->f);
    if (list == MED_LIST_UNEXPLAINED) {
        const med_report_unexplained *x = row;
        med_put(s->f, MED_HTML, "%s", x->name);
        html_id(s, x->id);
    } else if (list == MED_LIST_GENES) {
        med_put(s->f, MED_HTML, "%s", ((const med_report_gene *)row)->text);
    } else if (list == MED_LIST_SOURCES) {
        const med_report_source *x = row;
        med_put(s->f, MED_HTML, MED_SAY(s->l, SOURCE_F), x->name, x->version, x->licence,
                x->address, x->loss);
    } else {
        med_put(s->f, MED_HTML, "%s", (const char *)row);
    }
    fputs("</li>", s->f);
}

static void html_row(med_sink *base, med_list list, const void *row)
{
    html_sink *s = (html_sink *)base;
    switch (list) {
    case MED_LIST_NOTICES:
        med_put(s->f, MED_HTML, "<p class=banner>%s</p>", (const char *)row);
        break;
    case MED_LIST_SUMMARY:
    case MED_LIST_READING:
    case MED_LIST_GENES:
    case MED_LIST_UNEXPLAINED:
    case MED_LIST_SOURCES: html_plain_row(s, list, row); break;
    case MED_LIST_DIFFERENTIAL: html_differential(s, row); break;
    case MED_LIST_QUESTIONS: html_question(s, row); break;
    case MED_LIST_CONTRADICTIONS: html_contradiction(s, row); break;
    case MED_LIST_CANDIDATES: html_candidate(s, row); break;
    case MED_LIST_CONTRIBUTIONS: html_contribution(s, row); break;
    case MED_LIST_TYPICAL:
    case MED_LIST_AGAINST: html_typical(s, row, list == MED_LIST_AGAINST); break;
    case MED_LIST_STEPS: {
        const med_report_step *x = row;
        s->sum += x->logit;
        html_step(s, med_words_of(s->l, x->step), x->logit);
        break;
    }
    case MED_LIST_OBSERVED:
    case MED_LIST_EXCLUDED:
    case MED_LIST_OTHERS: html_finding(s, row); break;
    case MED_LIST_PINS: html_pin(s, row); break;
    default: break;
    }
}

static void html_row_end(med_sink *base, med_list list, const void *row)
{
    (void)row;
    if (list == MED_LIST_CANDIDATES) fputs("</details>", ((html_sink *)base)->f);
}

static void html_close(med_sink *base, med_list list)
{
    html_sink *s = (html_sink *)base;
    const med_report *r = base->report;
    bool rows = base->open[base->depth - 1].n > 0;
    if (list == MED_LIST_READING) {
        fputs("<li>", s->f);
        med_say_read(s->f, MED_HTML, r);
        fputs("</li>", s->f);
    }
    if (list == MED_LIST_STEPS && rows) html_step(s, MED_SAY(s->l, STEP_SUM), s->sum);
    if (list == MED_LIST_CONTRIBUTIONS ? s->part != NULL
                                       : rows && (html_is_table(list) || list == MED_LIST_STEPS))
        fputs("</table>", s->f);
    if (list == MED_LIST_READING ||
        (rows &&
         (list == MED_LIST_SUMMARY || list == MED_LIST_TYPICAL || list == MED_LIST_AGAINST ||
          list == MED_LIST_UNEXPLAINED || list == MED_LIST_GENES || list == MED_LIST_SOURCES)))
        fputs("</ul>", s->f);
    if (list != MED_LIST_DIFFERENTIAL) return;
    fputs("<p>", s->f);
    med_put(s->f, MED_HTML, MED_SAY(s->l, NONE_F), 100 * r->none_of_these);
    fputs("</p>", s->f);
}

static void html_annex(med_sink *base)
{
    html_sink *s = (html_sink *)base;
    med_put(s->f, MED_HTML, "<p class=annex>%s</p>", MED_SAY(s->l, ANNEX));
}

static void html_end(med_sink *base) { fputs("</body></html>\n", ((html_sink *)base)->f); }

r1_status med_report_html(const med_report *r, char **out, r1_err *err)
{
    static const med_sink_ops ops = {.name = "html",
                                     .head = html_head,
                                     .annex = html_annex,
                                     .open = html_open,
                                     .row = html_row,
                                     .row_end = html_row_end,
                                     .close = html_close,
                                     .end = html_end};
    size_t n = 0;
    *out = NULL;
    html_sink s = {
        .sink = {.ops = &ops, .report = r}, .f = open_memstream(out, &n), .l = r->language};
    if (!s.f) R1_FAIL(err, R1_E_NOMEM, "no memory for the report's page");
    med_sink_walk(&s.sink);
    bool failed = ferror(s.f) != 0;
    if (fclose(s.f) == 0 && !failed) return R1_OK;
    free(*out);
    *out = NULL;
    R1_FAIL(err, R1_E_NOMEM, "no memory for the report's page");
}
