/* SPDX-License-Identifier: Apache-2.0 */
/* med_sink_pdf.c - the report as A4 pages: a summary of two pages at most, then the annex. What the
 * summary has no room for is counted, and stands in the annex in any case. */
#include "print/med_put.h"
#include "report/med_figure.h"
#include "report/med_sheet.h"
#include "report/med_sink.h"
#include "report/med_sink_say.h"

#include "r1_assert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* BARS: findings that the summary shows as bars, of the first candidate and of the next ones.
 * BRIEF: rows of a list of which the summary shows the first alone. */
enum { BARS_FIRST = 12, BARS_NEXT = 5, BRIEF = 4, SUMMARY_PAGES = 2 };

/* How each kind of paragraph looks. indent and gap in points. */
typedef enum {
    LOOK_TITLE,
    LOOK_SCOPE,
    LOOK_INPUT,
    LOOK_BANNER,
    LOOK_HEADING,
    LOOK_PART,
    LOOK_CANDIDATE,
    LOOK_NONE,
    LOOK_LINE,
    LOOK_BULLET, /* a line with a dot before it */
    LOOK_CAUTION,
    LOOK_SYSTEM,
    LOOK_FINDING,
    LOOK_QUOTE,
    LOOK_SOURCE,
    LOOK_COUNT
} look;
static const struct {
    med_style style;
    double indent, gap;
    med_colour colour;
} looks[LOOK_COUNT] = {
    [LOOK_TITLE] = {MED_STYLE_TITLE, 0, 0, {.1, .15, .2}},
    [LOOK_SCOPE] = {MED_STYLE_FINDING, 0, 0, {.7, .15, .12}},
    [LOOK_INPUT] = {MED_STYLE_TEXT, 0, 2, {.3, .36, .42}},
    [LOOK_BANNER] = {MED_STYLE_FINDING, 0, 4, {.6, .4, 0}},
    [LOOK_HEADING] = {MED_STYLE_HEAD, 0, 11, {.04, .43, .46}},
    [LOOK_PART] = {MED_STYLE_FINDING, 10, 4, {.04, .43, .46}},
    [LOOK_CANDIDATE] = {MED_STYLE_NAME, 0, 8, {.1, .15, .2}},
    [LOOK_NONE] = {MED_STYLE_TEXT, 0, 4, {.1, .15, .2}},
    [LOOK_LINE] = {MED_STYLE_TEXT, 10, 2, {.1, .15, .2}},
    [LOOK_BULLET] = {MED_STYLE_TEXT, 20, 2, {.1, .15, .2}},
    [LOOK_CAUTION] = {MED_STYLE_SMALL, 22, 1, {.7, .15, .12}},
    [LOOK_SYSTEM] = {MED_STYLE_FINDING, 0, 7, {.04, .43, .46}},
    [LOOK_FINDING] = {MED_STYLE_FINDING, 10, 3, {.1, .15, .2}},
    [LOOK_QUOTE] = {MED_STYLE_SMALL, 20, 1, {.3, .35, .4}},
    [LOOK_SOURCE] = {MED_STYLE_SMALL, 0, 3, {.3, .35, .4}},
};
static const med_colour ink = {.1, .15, .2}, teal = {.04, .43, .46}, blue = {.11, .37, .66},
                        red = {.7, .15, .12}, pale = {.9, .93, .95}, grey = {.45, .52, .58};

typedef struct {
    med_sink sink;
    med_sheet *page;
    med_words_language l;
    FILE *line; /* the paragraph that is being written, from its start */
    char *text; /* line's buffer, NUL-terminated once pdf_text has flushed it */
    size_t bytes;
    bool annex;
    uint32_t left_out;  /* things that the summary had no room for */
    uint32_t skipped;   /* rows beyond BRIEF that it does not tell */
    uint32_t row, rows; /* of the list in hand */
    const med_report_system *system;
    bool of_system;
    const char *part; /* of the contributions in hand; NULL: none yet */
    bool detailed;    /* the candidate in hand is told in full */
    double sum;
} pdf_sink;

/* ---- paragraphs ------------------------------------------------------------------------------ */

/* What was written since the last one. */
static const char *pdf_text(pdf_sink *s)
{
    fputc('\0', s->line);
    bool good = fflush(s->line) == 0 && s->text;
    rewind(s->line);
    return good ? s->text : "";
}

/* Room for h points; a new page where there is none. False: the summary is full. */
static bool pdf_room(pdf_sink *s, double h)
{
    static const double last_line = 14;
    if (s->annex) {
        if (!med_sheet_fits(s->page, h, 0)) med_sheet_next_page(s->page);
        return true;
    }
    bool last = med_sheet_page(s->page) == SUMMARY_PAGES;
    if (s->left_out) { /* nothing follows what was left out, or it would stand under other words */
        s->left_out++;
        return false;
    }
    if (med_sheet_fits(s->page, h, last ? last_line : 0)) return true;
    if (last) {
        s->left_out++;
        return false;
    }
    med_sheet_next_page(s->page);
    return true;
}

static void pdf_put(pdf_sink *s, look k, const char *text, double follows)
{
    double x = med_sheet_left + looks[k].indent, width = med_sheet_right - x;
    double h = med_sheet_height(s->page, looks[k].style, width, text);
    if (!pdf_room(s, looks[k].gap + h + follows)) return;
    med_sheet_move(s->page, looks[k].gap);
    med_sheet_text(s->page, looks[k].style, looks[k].colour, x, med_sheet_y(s->page), width, false,
                   text);
    if (k == LOOK_BULLET)
        med_sheet_dot(s->page, looks[k].colour, x - 7, med_sheet_y(s->page) + 6, 1.2, true);
    med_sheet_move(s->page, h);
}

static void pdf_show(pdf_sink *s, look k) { pdf_put(s, k, pdf_text(s), 0); }

/* A heading stays with what follows it. */
static void pdf_heading(pdf_sink *s, look k, const char *words) { pdf_put(s, k, words, 40); }

/* ---- head ------------------------------------------------------------------------------------ */

static void pdf_head(med_sink *base)
{
    pdf_sink *s = (pdf_sink *)base;
    const med_report *r = base->report;
    if (r->scope) {
        med_put(s->line, MED_TEXT_LINE, "%s", r->scope);
        pdf_show(s, LOOK_SCOPE);
        med_sheet_move(s->page, 4);
    }
    pdf_put(s, LOOK_TITLE, MED_SAY(s->l, TITLE), 0);
    med_put(s->line, MED_TEXT_LINE, "%s: ", MED_SAY(s->l, PATIENT));
    med_say_patient(s->line, MED_TEXT_LINE, r);
    if (r->date) med_put(s->line, MED_TEXT_LINE, "    %s: %s", MED_SAY(s->l, DATE), r->date);
    pdf_show(s, LOOK_INPUT);
    med_put(s->line, MED_TEXT_LINE, "%s: %s%s", MED_SAY(s->l, RECORD), r->title,
            MED_SAY(s->l, LIST_COMMA));
    med_say_input(s->line, MED_TEXT_LINE, r);
    pdf_show(s, LOOK_INPUT);
    if (r->signing) {
        med_put(s->line, MED_TEXT_LINE, "%s: ", MED_SAY(s->l, SIGNED));
        med_say_signing(s->line, MED_TEXT_LINE, r);
        pdf_show(s, LOOK_INPUT);
    }
    med_put(s->line, MED_TEXT_LINE, "%s: ", MED_SAY(s->l, VERSIONS));
    med_say_versions(s->line, MED_TEXT_LINE, r);
    pdf_show(s, LOOK_INPUT);
    pdf_put(s, LOOK_BANNER, MED_SAY(s->l, BANNER), 0);
}

/* ---- the figure ------------------------------------------------------------------------------ */

static void pdf_body(pdf_sink *s, double x, double y, double scale)
{
    static const med_colour body = {.83, .87, .9};
    for (uint32_t i = 0; i < med_figure_n_body; i++) {
        const med_figure_line *b = &med_figure_body[i];
        for (uint32_t k = 0; k + 1 < b->n || k == 0; k++) {
            uint32_t to = k + 1 < b->n ? k + 1 : k;
            med_sheet_line(s->page, body, b->width * scale, x + b->at[k].x * scale,
                           y + b->at[k].y * scale, x + b->at[to].x * scale,
                           y + b->at[to].y * scale);
        }
    }
}

static void pdf_label(pdf_sink *s, const med_figure_label *l, double x, double y, double scale)
{
    double label_x = x + l->label_x * scale, label_y = y + l->label_y * scale, wide = 180;
    med_sheet_line(s->page, grey, .5, x + l->x * scale, y + l->y * scale,
                   label_x + (l->right ? -3 : 3), label_y);
    med_sheet_dot(s->page, teal, x + l->x * scale, y + l->y * scale, l->radius * scale,
                  l->system->n_observed > 0);
    med_say_system(s->line, MED_TEXT_LINE, s->l, l->system);
    med_sheet_text(s->page, MED_STYLE_SMALL, l->system->n_observed ? ink : grey,
                   l->right ? label_x : label_x - wide, label_y - 5, wide, !l->right, pdf_text(s));
}

static void pdf_figure(pdf_sink *s)
{
    const med_report *r = s->sink.report;
    const double scale = (med_sheet_right - med_sheet_left) / MED_FIGURE_WIDTH;
    const double h = MED_FIGURE_HEIGHT * scale + 6;
    med_figure_label label[MED_SYSTEMS_MAX];
    uint32_t n = med_figure_labels(r, label), told = 0;
    if (!pdf_room(s, h)) return;
    double y = med_sheet_y(s->page) + 2;
    pdf_body(s, med_sheet_left, y, scale);
    for (uint32_t i = 0; i < n; i++) pdf_label(s, &label[i], med_sheet_left, y, scale);
    med_sheet_move(s->page, h);
    for (uint32_t i = 0; i < r->n_system; i++) {
        if (!med_figure_is_elsewhere(&r->system[i])) continue;
        med_put(s->line, MED_TEXT_LINE, "%s ", told++ ? " ·" : MED_SAY(s->l, ELSEWHERE));
        med_say_system(s->line, MED_TEXT_LINE, s->l, &r->system[i]);
    }
    if (told) pdf_show(s, LOOK_QUOTE);
}

/* ---- bars ------------------------------------------------------------------------------------ */

/* A finding, how it fits, its ratio as a bar around a middle line, and as a number. */
static void pdf_contribution(pdf_sink *s, const med_report_contribution *x, bool brief)
{
    const double name_x = med_sheet_left + 10, name_w = brief ? 320 : 330, middle = 448, half = 48;
    const double number_x = 503;
    const med_colour c = x->log_lr < 0 ? red : blue;
    med_put(s->line, MED_TEXT_LINE, "%s (", x->name);
    med_say_match(s->line, MED_TEXT_LINE, s->l, x);
    fputc(')', s->line);
    const char *text = pdf_text(s);
    double h = med_sheet_height(s->page, MED_STYLE_SMALL, name_w, text);
    if (!pdf_room(s, h + 2)) return;
    double y = med_sheet_y(s->page) + 2, w = half * med_say_bar(x->log_lr);
    med_sheet_text(s->page, MED_STYLE_SMALL, ink, name_x, y, name_w, false, text);
    med_sheet_box(s->page, pale, middle - half, y + 2, 2 * half, 5);
    med_sheet_box(s->page, c, x->log_lr < 0 ? middle - w : middle, y + 2, w, 5);
    med_sheet_line(s->page, grey, .6, middle, y, middle, y + 9);
    med_say_ratio(s->line, MED_TEXT_LINE, s->l, x->log_lr);
    med_sheet_text(s->page, MED_STYLE_SMALL, c, number_x, y, med_sheet_right - number_x, true,
                   pdf_text(s));
    med_sheet_move(s->page, h + 2);
}

/* The indices of a candidate's most telling findings, in the order in which they stand; denied ones
 * take part. */
static uint32_t pdf_telling(const med_report_candidate *c, uint32_t max, uint32_t *at)
{
    uint32_t n = 0;
    double least = INFINITY;
    while (n < max && n < c->n_contribution) {
        double next = -1;
        uint32_t same = 0;
        for (uint32_t i = 0; i < c->n_contribution; i++) {
            double v = fabs(c->contribution[i].log_lr);
            if (v < least && v > next) next = v;
        }
        if (next < 0) break;
        for (uint32_t i = 0; i < c->n_contribution; i++)
            same += fabs(c->contribution[i].log_lr) >= next;
        least = next;
        n = same;
    }
    n = 0;
    for (uint32_t i = 0; i < c->n_contribution && n < max; i++)
        if (fabs(c->contribution[i].log_lr) >= least) at[n++] = i;
    return n;
}

static void pdf_bars(pdf_sink *s, const med_report_candidate *c, uint32_t max)
{
    uint32_t at[BARS_FIRST];
    if (!c->n_contribution) return;
    med_put(s->line, MED_TEXT_LINE, "%u. %s%s%.1f %%", c->rank, c->name, MED_SAY(s->l, LIST_COMMA),
            100 * c->probability);
    pdf_heading(s, LOOK_CANDIDATE, pdf_text(s));
    R1_ASSERT(max <= R1_COUNT(at), "%u bars", max);
    uint32_t n = pdf_telling(c, max, at);
    for (uint32_t i = 0; i < n; i++) pdf_contribution(s, &c->contribution[at[i]], true);
    if (!c->n_against) return;
    med_put(s->line, MED_TEXT_LINE, "%s: ", MED_SAY(s->l, SPEAK_AGAINST));
    for (uint32_t i = 0; i < c->n_against; i++)
        med_put(s->line, MED_TEXT_LINE, "%s%s", i ? MED_SAY(s->l, LIST_COMMA) : "",
                c->against[i].name);
    pdf_show(s, LOOK_LINE);
}

/* ---- the summary's rows ---------------------------------------------------------------------- */

static void pdf_differential(pdf_sink *s, const med_report_candidate *c)
{
    const double name_x = med_sheet_left + 22, name_w = 280, bar_x = 362, bar_w = 90;
    med_put(s->line, MED_TEXT_LINE, "%s (%s%s", c->name, c->id, c->genes.n ? "; " : "");
    med_say_names(s->line, MED_TEXT_LINE, s->l, &c->genes);
    fputc(')', s->line);
    const char *text = pdf_text(s);
    double h = med_sheet_height(s->page, MED_STYLE_TEXT, name_w, text);
    if (!pdf_room(s, h + 3)) return;
    double y = med_sheet_y(s->page) + 3;
    med_sheet_text(s->page, MED_STYLE_TEXT, ink, name_x, y, name_w, false, text);
    med_put(s->line, MED_TEXT_LINE, "%u", c->rank);
    med_sheet_text(s->page, MED_STYLE_TEXT, ink, med_sheet_left, y, 16, true, pdf_text(s));
    med_sheet_box(s->page, pale, bar_x, y + 3, bar_w, 6);
    med_sheet_box(s->page, teal, bar_x, y + 3, bar_w * fmin(1, fmax(0, c->probability)), 6);
    med_put(s->line, MED_TEXT_LINE, "%.1f %%", 100 * c->probability);
    med_sheet_text(s->page, MED_STYLE_TEXT, ink, bar_x + bar_w, y, 44, true, pdf_text(s));
    med_put(s->line, MED_TEXT_LINE, MED_SAY(s->l, OF_F), c->n_explained, c->n_weighed);
    med_sheet_text(s->page, MED_STYLE_TEXT, grey, bar_x + bar_w + 44, y, 51, true, pdf_text(s));
    med_sheet_move(s->page, h + 3);
    for (uint32_t i = 0; i < c->caution.n; i++) {
        med_put(s->line, MED_TEXT_LINE, "%s: %s", MED_SAY(s->l, CAUTION), c->caution.s[i]);
        pdf_show(s, LOOK_CAUTION);
    }
}

static void pdf_question(pdf_sink *s, const med_report_question *q)
{
    med_put(s->line, MED_TEXT_LINE, "%s (%s)", q->name, q->id);
    pdf_show(s, LOOK_FINDING);
    med_put(s->line, MED_TEXT_LINE, MED_SAY(s->l, QUESTION_F), q->disease, q->disease_id,
            100 * q->now, 100 * q->present, 100 * q->none);
    pdf_show(s, LOOK_QUOTE);
}

static void pdf_quote(pdf_sink *s, const med_report_quote *q)
{
    if (!q->added) med_put(s->line, MED_TEXT_LINE, "“%.*s” ", (int)q->sentence.len, q->sentence.s);
    med_say_place(s->line, MED_TEXT_LINE, s->l, q);
    pdf_show(s, LOOK_QUOTE);
}

static void pdf_contradiction(pdf_sink *s, const med_report_contradiction *x)
{
    if (!s->annex && s->row > BRIEF) {
        s->skipped++;
        return;
    }
    med_put(s->line, MED_TEXT_LINE, "%s (%s)%s", x->name, x->id, MED_SAY(s->l, LIST_COMMA));
    med_put(s->line, MED_TEXT_LINE, MED_SAY(s->l, AND_DENIED_F), x->denied_name);
    pdf_show(s, LOOK_FINDING);
    pdf_quote(s, &x->quote);
    pdf_quote(s, &x->denied);
}

/* ---- the annex's rows ------------------------------------------------------------------------ */

static void pdf_fact(pdf_sink *s, const char *what, const med_report_names *names)
{
    if (!names->n) return;
    med_put(s->line, MED_TEXT_LINE, "%s: ", what);
    med_say_names(s->line, MED_TEXT_LINE, s->l, names);
    fputs(". ", s->line);
}

/* A line that leads to its address. */
static void pdf_link(pdf_sink *s, const med_report_link *l)
{
    const double x = med_sheet_left + looks[LOOK_QUOTE].indent;
    med_put(s->line, MED_TEXT_LINE, "%s: %s", l->label, l->address);
    pdf_show(s, LOOK_QUOTE);
    double h = med_sheet_height(s->page, looks[LOOK_QUOTE].style, med_sheet_right - x, l->address);
    med_sheet_link(s->page, x, med_sheet_y(s->page) - h, med_sheet_right - x, h, l->address);
}

/* Beyond the first candidates names alone are told, which HTML and JSON tell in full. */
static void pdf_in_brief(pdf_sink *s, const med_report_candidate *c)
{
    uint32_t n = 0;
    med_put(s->line, MED_TEXT_LINE, "%s: ", MED_SAY(s->l, MATCHED));
    for (uint32_t i = 0; i < c->n_contribution && med_say_is_matched(&c->contribution[i]); i++)
        med_put(s->line, MED_TEXT_LINE, "%s%s", n++ ? MED_SAY(s->l, LIST_COMMA) : "",
                c->contribution[i].name);
    if (!n) med_put(s->line, MED_TEXT_LINE, "%s", MED_SAY(s->l, NO_ROWS));
    pdf_show(s, LOOK_QUOTE);
    if (!c->unexplained.n) return;
    med_put(s->line, MED_TEXT_LINE, "%s: ", MED_SAY(s->l, NOT_EXPLAINED));
    med_say_names(s->line, MED_TEXT_LINE, s->l, &c->unexplained);
    pdf_show(s, LOOK_QUOTE);
}

static void pdf_candidate(pdf_sink *s, const med_report_candidate *c)
{
    s->detailed = c->rank <= MED_REPORT_DETAILED;
    med_put(s->line, MED_TEXT_LINE, "%u.  %s (%s)   %.1f %%", c->rank, c->name, c->id,
            100 * c->probability);
    pdf_heading(s, LOOK_CANDIDATE, pdf_text(s));
    pdf_fact(s, MED_SAY(s->l, TOGETHER), &c->together_first);
    pdf_fact(s, MED_SAY(s->l, GENES), &c->genes);
    pdf_fact(s, MED_SAY(s->l, INHERITANCE), &c->inheritance);
    pdf_fact(s, MED_SAY(s->l, ONSET), &c->onset);
    if (!isnan(c->prevalence)) {
        med_put(s->line, MED_TEXT_LINE, "%s: ", MED_SAY(s->l, PREVALENCE));
        med_put(s->line, MED_TEXT_LINE, MED_SAY(s->l, PREVALENCE_F), 1 / c->prevalence);
        fputs(". ", s->line);
    }
    pdf_fact(s, MED_SAY(s->l, ORIGIN), &c->origin);
    pdf_fact(s, MED_SAY(s->l, MISSING), &c->missing);
    pdf_show(s, LOOK_LINE);
    for (uint32_t i = 0; i < c->n_link; i++) pdf_link(s, &c->link[i]);
    for (uint32_t i = 0; i < c->caution.n; i++) {
        med_put(s->line, MED_TEXT_LINE, "%s: %s", MED_SAY(s->l, CAUTION), c->caution.s[i]);
        pdf_show(s, LOOK_CAUTION);
    }
    if (!s->detailed) pdf_in_brief(s, c);
}

static void pdf_part(pdf_sink *s, const med_report_contribution *x)
{
    const char *part = med_say_part(s->l, x);
    if (!s->detailed) return;
    if (part != s->part) pdf_heading(s, LOOK_PART, part);
    s->part = part;
    pdf_contribution(s, x, false);
}

static void pdf_typical(pdf_sink *s, const med_report_typical *x, bool against)
{
    med_put(s->line, MED_TEXT_LINE, "%s (%s)%s", x->name, x->id, MED_SAY(s->l, LIST_COMMA));
    med_say_frequency(s->line, MED_TEXT_LINE, s->l, x->n, x->m, x->frequency);
    if (against) {
        med_put(s->line, MED_TEXT_LINE, "%s", MED_SAY(s->l, LIST_COMMA));
        med_put(s->line, MED_TEXT_LINE, MED_SAY(s->l, TIMES_F), x->denied);
    }
    pdf_show(s, LOOK_QUOTE);
}

static void pdf_step(pdf_sink *s, const char *what, double logit)
{
    med_put(s->line, MED_TEXT_LINE, "%+.2f   %s", logit, what);
    pdf_show(s, LOOK_QUOTE);
}

static void pdf_finding(pdf_sink *s, const med_report_finding *o)
{
    if (!s->of_system || s->system != o->system) {
        med_put(s->line, MED_TEXT_LINE, "%s",
                o->system ? o->system->label : MED_SAY(s->l, OTHER_SYSTEM));
        pdf_heading(s, LOOK_SYSTEM, pdf_text(s));
    }
    s->of_system = true;
    s->system = o->system;
    med_put(s->line, MED_TEXT_LINE, "%s (%s)", o->name, o->id);
    if (o->anchor && o->anchor->pinned)
        med_put(s->line, MED_TEXT_LINE, "  [%s]", MED_SAY(s->l, PINNED));
    if (o->unranked) med_put(s->line, MED_TEXT_LINE, "  [%s]", MED_SAY(s->l, NOT_RANKED));
    pdf_put(s, LOOK_FINDING, pdf_text(s), 22);
    pdf_quote(s, &o->quote);
}

static void pdf_pin(pdf_sink *s, const med_report_finding *o)
{
    med_put(s->line, MED_TEXT_LINE, "%s: ", o->name);
    med_put(s->line, MED_TEXT_LINE, MED_SAY(s->l, WITHOUT_F), o->anchor->weight,
            100 * o->anchor->without->change, o->anchor->without->first);
    pdf_show(s, LOOK_LINE);
}

/* ---- the sink -------------------------------------------------------------------------------- */

static void pdf_open(med_sink *base, med_list list, size_t n)
{
    pdf_sink *s = (pdf_sink *)base;
    const char *heading = med_say_heading(base->report, (int)list);
    bool inner = list == MED_LIST_TYPICAL || list == MED_LIST_AGAINST || list == MED_LIST_STEPS;
    bool passed_over = inner && (!n || (list == MED_LIST_STEPS && !s->detailed));
    s->of_system = false;
    s->part = NULL;
    s->sum = 0;
    s->row = 0;
    s->rows = (uint32_t)n;
    if (!heading || passed_over) return;
    pdf_heading(s, inner ? LOOK_PART : LOOK_HEADING, heading);
    if (list == MED_LIST_EXCLUDED && n) pdf_put(s, LOOK_SOURCE, MED_SAY(s->l, DENIED_NOTE), 20);
    if (list == MED_LIST_CANDIDATES && n) pdf_put(s, LOOK_SOURCE, MED_SAY(s->l, RATIO_NOTE), 20);
    if (!n && list != MED_LIST_READING)
        pdf_put(s, LOOK_LINE, med_say_no_rows(base->report, (int)list), 0);
    if (list == MED_LIST_SYSTEMS && n) pdf_figure(s);
}

static void pdf_sentence(pdf_sink *s, look k, const char *sentence)
{
    med_put(s->line, MED_TEXT_LINE, "%s", sentence);
    pdf_show(s, k);
}

static void pdf_notice(pdf_sink *s, const char *sentence)
{
    if (s->annex || s->row <= BRIEF)
        pdf_sentence(s, LOOK_BANNER, sentence);
    else
        s->skipped++;
}

static void pdf_source(pdf_sink *s, const med_report_source *x)
{
    med_put(s->line, MED_TEXT_LINE, MED_SAY(s->l, SOURCE_F), x->name, x->version, x->licence,
            x->address, x->loss);
    pdf_show(s, LOOK_SOURCE);
}

/* Findings that nothing explains become one paragraph. */
static void pdf_unexplained(pdf_sink *s, const med_report_unexplained *x)
{
    med_put(s->line, MED_TEXT_LINE, "%s%s (%s)", s->row > 1 ? MED_SAY(s->l, LIST_COMMA) : "",
            x->name, x->id);
}

static void pdf_row(med_sink *base, med_list list, const void *row)
{
    pdf_sink *s = (pdf_sink *)base;
    s->row++;
    switch (list) {
    case MED_LIST_NOTICES: pdf_notice(s, row); break;
    case MED_LIST_SUMMARY:
    case MED_LIST_READING: pdf_sentence(s, LOOK_BULLET, row); break;
    case MED_LIST_GENES: pdf_sentence(s, LOOK_BULLET, ((const med_report_gene *)row)->text); break;
    case MED_LIST_DIFFERENTIAL: pdf_differential(s, row); break;
    case MED_LIST_QUESTIONS: pdf_question(s, row); break;
    case MED_LIST_CONTRADICTIONS: pdf_contradiction(s, row); break;
    case MED_LIST_UNEXPLAINED: pdf_unexplained(s, row); break;
    case MED_LIST_CANDIDATES: pdf_candidate(s, row); break;
    case MED_LIST_CONTRIBUTIONS: pdf_part(s, row); break;
    case MED_LIST_TYPICAL:
    case MED_LIST_AGAINST: pdf_typical(s, row, list == MED_LIST_AGAINST); break;
    case MED_LIST_STEPS: {
        const med_report_step *x = row;
        s->sum += x->logit;
        if (s->detailed) pdf_step(s, med_words_of(s->l, x->step), x->logit);
        break;
    }
    case MED_LIST_OBSERVED:
    case MED_LIST_EXCLUDED:
    case MED_LIST_OTHERS: pdf_finding(s, row); break;
    case MED_LIST_PINS: pdf_pin(s, row); break;
    case MED_LIST_SOURCES: pdf_source(s, row); break;
    default: break;
    }
}

static void pdf_close(med_sink *base, med_list list)
{
    pdf_sink *s = (pdf_sink *)base;
    const med_report *r = base->report;
    if (list == MED_LIST_UNEXPLAINED && s->rows) pdf_show(s, LOOK_LINE);
    if (list == MED_LIST_STEPS && s->rows && s->detailed)
        pdf_step(s, MED_SAY(s->l, STEP_SUM), s->sum);
    if (list == MED_LIST_READING) {
        med_say_read(s->line, MED_TEXT_LINE, r);
        pdf_show(s, LOOK_BULLET);
    }
    if (list != MED_LIST_DIFFERENTIAL) return;
    med_put(s->line, MED_TEXT_LINE, MED_SAY(s->l, NONE_F), 100 * r->none_of_these);
    pdf_show(s, LOOK_NONE);
}

/* The lists of which the summary could not tell all, in full. */
static void pdf_again(pdf_sink *s, const med_report *r)
{
    for (uint32_t i = 0; i < r->notice.n; i++) pdf_notice(s, r->notice.s[i]);
    pdf_heading(s, LOOK_HEADING, MED_SAY(s->l, QUESTIONS));
    for (uint32_t i = 0; i < r->n_question; i++) pdf_question(s, &r->question[i]);
    pdf_heading(s, LOOK_HEADING, MED_SAY(s->l, CONTRADICTIONS));
    for (uint32_t i = 0; i < r->n_contradiction; i++) pdf_contradiction(s, &r->contradiction[i]);
    pdf_heading(s, LOOK_HEADING, MED_SAY(s->l, UNEXPLAINED));
    for (s->row = 1; s->row <= r->n_unexplained; s->row++)
        pdf_unexplained(s, &r->unexplained[s->row - 1]);
    pdf_show(s, LOOK_LINE);
}

static void pdf_more(pdf_sink *s, uint32_t n)
{
    if (!n) return;
    med_put(s->line, MED_TEXT_LINE, MED_SAY(s->l, MORE_F), n);
    med_sheet_text(s->page, MED_STYLE_SMALL, grey, med_sheet_left, med_sheet_y(s->page) + 2,
                   med_sheet_right - med_sheet_left, false, pdf_text(s));
}

/* The bars stand at the summary's end, where they may be cut short: the annex has them all. */
static void pdf_annex(med_sink *base)
{
    pdf_sink *s = (pdf_sink *)base;
    const med_report *r = base->report;
    bool again = s->left_out || s->skipped;
    if (r->n_candidate) {
        pdf_heading(s, LOOK_HEADING, MED_SAY(s->l, RATIO));
        pdf_put(s, LOOK_SOURCE, MED_SAY(s->l, RATIO_NOTE), 20);
    }
    for (uint32_t i = 0; i < r->n_candidate && i < MED_REPORT_DETAILED; i++)
        pdf_bars(s, &r->candidate[i], i ? BARS_NEXT : BARS_FIRST);
    pdf_more(s, s->left_out + s->skipped);
    R1_ASSERT(med_sheet_page(s->page) <= SUMMARY_PAGES, "a summary of %d pages",
              med_sheet_page(s->page));
    med_sheet_next_page(s->page);
    s->annex = true;
    pdf_put(s, LOOK_TITLE, MED_SAY(s->l, ANNEX), 0);
    if (again) pdf_again(s, r);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* The lines at the foot of each page, from s->line; malloc'ed. */
static char *pdf_footer(pdf_sink *s, bool versions)
{
    const med_report *r = s->sink.report;
    if (versions) {
        med_say_versions(s->line, MED_TEXT_LINE, r);
    } else {
        med_put(s->line, MED_TEXT_LINE, "%s: %.*s%s", MED_SAY(s->l, PATIENT),
                (int)strnlen(r->title, 60), r->title, MED_SAY(s->l, LIST_COMMA));
        med_say_patient(s->line, MED_TEXT_LINE, r);
        if (r->date) med_put(s->line, MED_TEXT_LINE, "%s%s", MED_SAY(s->l, LIST_COMMA), r->date);
    }
    return strdup(pdf_text(s));
}

static r1_status pdf_pages(pdf_sink *s, char **whole, size_t *n, r1_err *err)
{
    const med_sink fresh = s->sink;
    char *footer[2] = {pdf_footer(s, false), pdf_footer(s, true)};
    const med_sheet_opts opts = {
        .language = s->l,
        .title = MED_SAY(s->l, TITLE),
        .date = s->sink.report->date,
        .footer = {footer[0] ? footer[0] : "", footer[1] ? footer[1] : ""}};
    r1_status st = med_sheet_new(&s->page, &opts, err);
    for (int dry = 1; dry >= 0 && st == R1_OK; dry--) {
        s->sink = fresh;
        s->annex = false;
        s->left_out = s->skipped = 0;
        med_sheet_begin(s->page, dry != 0);
        med_sink_walk(&s->sink);
        med_sheet_end(s->page);
    }
    if (st == R1_OK && ferror(s->line))
        st = r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "no memory for the report's pages");
    if (st == R1_OK) st = med_sheet_finish(s->page, whole, n, err);
    med_sheet_free(s->page);
    free(footer[0]);
    free(footer[1]);
    return st;
}

r1_status med_report_pdf_bytes(const med_report *r, char **out, size_t *len, r1_err *err)
{
    static const med_sink_ops ops = {.name = "pdf",
                                     .head = pdf_head,
                                     .annex = pdf_annex,
                                     .open = pdf_open,
                                     .row = pdf_row,
                                     .close = pdf_close};
    pdf_sink s = {.sink = {.ops = &ops, .report = r}, .l = r->language};
    s.line = open_memstream(&s.text, &s.bytes);
    if (!s.line) R1_FAIL(err, R1_E_NOMEM, "no memory for a PDF");
    *out = NULL;
    r1_status st = pdf_pages(&s, out, len, err);
    fclose(s.line);
    free(s.text);
    return st;
}

r1_status med_report_pdf(const med_report *r, const char *path, r1_err *err)
{
    char *whole = NULL;
    size_t n = 0;
    r1_status st = med_report_pdf_bytes(r, &whole, &n, err);
    if (st == R1_OK) st = r1_file_write(path, whole, n, err);
    free(whole);
    return st;
}
