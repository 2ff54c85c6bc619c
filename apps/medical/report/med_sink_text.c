/* SPDX-License-Identifier: Apache-2.0 */
/* med_sink_text.c - the report as plain text for a terminal: no byte of a record or an ontology
 * reaches it that a terminal would obey. */
#include "print/med_put.h"
#include "report/med_sink.h"
#include "report/med_sink_say.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    med_sink sink;
    FILE *f;
    med_words_language l;
    bool detailed;                   /* of the candidate in hand, its findings are shown */
    const med_report_system *system; /* of the findings in hand */
    bool of_system;                  /* one was told */
    double sum;                      /* of the steps in hand */
} text_sink;

/* ---- head ------------------------------------------------------------------------------------ */

static void text_head(med_sink *base)
{
    text_sink *s = (text_sink *)base;
    const med_report *r = base->report;
    const med_words_language l = s->l;
    if (r->scope) med_put(s->f, MED_TEXT_LINE, "%s\n", r->scope);
    med_put(s->f, MED_TEXT_LINE, "%s: %s\n%s\n", MED_SAY(l, TITLE), r->title, MED_SAY(l, BANNER));
    med_put(s->f, MED_TEXT_LINE, "%s: ", MED_SAY(l, PATIENT));
    med_say_patient(s->f, MED_TEXT_LINE, r);
    if (r->date) med_put(s->f, MED_TEXT_LINE, "\n%s: %s", MED_SAY(l, DATE), r->date);
    med_put(s->f, MED_TEXT_LINE, "\n%s: ", MED_SAY(l, RECORD));
    med_say_input(s->f, MED_TEXT_LINE, r);
    if (r->signing) {
        med_put(s->f, MED_TEXT_LINE, "\n%s: ", MED_SAY(l, SIGNED));
        med_say_signing(s->f, MED_TEXT_LINE, r);
    }
    med_put(s->f, MED_TEXT_LINE, "\n%s: ", MED_SAY(l, VERSIONS));
    med_say_versions(s->f, MED_TEXT_LINE, r);
    fputc('\n', s->f);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void text_open(med_sink *base, med_list list, size_t n)
{
    text_sink *s = (text_sink *)base;
    const char *heading = med_say_heading(base->report, (int)list);
    s->of_system = false;
    s->sum = 0;
    switch (list) {
    case MED_LIST_TYPICAL:
    case MED_LIST_AGAINST:
    case MED_LIST_STEPS:
        if (s->detailed && n) med_put(s->f, MED_TEXT_LINE, "      %s\n", heading);
        break;
    case MED_LIST_NOTICES:
    case MED_LIST_CONTRIBUTIONS: break;
    case MED_LIST_OBSERVED:
    case MED_LIST_EXCLUDED:
    case MED_LIST_OTHERS:
        med_put(s->f, MED_TEXT_LINE, "\n%s (%zu)\n", heading, n);
        if (list == MED_LIST_EXCLUDED && n)
            med_put(s->f, MED_TEXT_LINE, "  %s\n", MED_SAY(s->l, DENIED_NOTE));
        break;
    default:
        med_put(s->f, MED_TEXT_LINE, "\n%s\n", heading);
        if (!n && list != MED_LIST_READING)
            med_put(s->f, MED_TEXT_LINE, "  %s\n", med_say_no_rows(base->report, (int)list));
    }
}

static void text_differential(text_sink *s, const med_report_candidate *c)
{
    med_put(s->f, MED_TEXT_LINE, "  %2u. %5.1f %%  %s (%s)   %s ", c->rank, 100 * c->probability,
            c->name, c->id, MED_SAY(s->l, EXPLAINS));
    med_put(s->f, MED_TEXT_LINE, MED_SAY(s->l, OF_F), c->n_explained, c->n_weighed);
    fputc('\n', s->f);
    for (uint32_t i = 0; i < c->caution.n; i++)
        med_put(s->f, MED_TEXT_LINE, "                %s: %s\n", MED_SAY(s->l, CAUTION),
                c->caution.s[i]);
}

/* A line "      Genes: FBN1", left out where there is nothing. */
static void text_fact(text_sink *s, const char *what, const med_report_names *names)
{
    if (!names->n) return;
    med_put(s->f, MED_TEXT_LINE, "      %s: ", what);
    med_say_names(s->f, MED_TEXT_LINE, s->l, names);
    fputc('\n', s->f);
}

static void text_candidate(text_sink *s, const med_report_candidate *c)
{
    s->detailed = c->rank <= MED_REPORT_DETAILED;
    if (!s->detailed) return;
    med_put(s->f, MED_TEXT_LINE, "  %2u. %5.1f %%  %s (%s)\n", c->rank, 100 * c->probability,
            c->name, c->id);
    text_fact(s, MED_SAY(s->l, TOGETHER), &c->together_first);
    text_fact(s, MED_SAY(s->l, GENES), &c->genes);
    text_fact(s, MED_SAY(s->l, INHERITANCE), &c->inheritance);
    text_fact(s, MED_SAY(s->l, ONSET), &c->onset);
    if (!isnan(c->prevalence)) {
        med_put(s->f, MED_TEXT_LINE, "      %s: ", MED_SAY(s->l, PREVALENCE));
        med_put(s->f, MED_TEXT_LINE, MED_SAY(s->l, PREVALENCE_F), 1 / c->prevalence);
        fputc('\n', s->f);
    }
    for (uint32_t i = 0; i < c->n_link; i++)
        med_put(s->f, MED_TEXT_LINE, "      %s: %s\n", c->link[i].label, c->link[i].address);
    text_fact(s, MED_SAY(s->l, ORIGIN), &c->origin);
    text_fact(s, MED_SAY(s->l, MISSING), &c->missing);
}

static void text_contribution(text_sink *s, const med_report_contribution *x)
{
    if (!s->detailed) return;
    med_put(s->f, MED_TEXT_LINE, "        %s ", MED_SAY(s->l, RATIO));
    med_say_ratio(s->f, MED_TEXT_LINE, s->l, x->log_lr);
    med_put(s->f, MED_TEXT_LINE, "  %s (", x->name);
    med_say_match(s->f, MED_TEXT_LINE, s->l, x);
    fputs(")\n", s->f);
}

static void text_typical(text_sink *s, const med_report_typical *x, bool against)
{
    if (!s->detailed) return;
    med_put(s->f, MED_TEXT_LINE, "        %s (", x->name);
    med_say_frequency(s->f, MED_TEXT_LINE, s->l, x->n, x->m, x->frequency);
    if (against) {
        med_put(s->f, MED_TEXT_LINE, "%s", MED_SAY(s->l, LIST_COMMA));
        med_put(s->f, MED_TEXT_LINE, MED_SAY(s->l, TIMES_F), x->denied);
    }
    fputs(")\n", s->f);
}

static void text_step(text_sink *s, const med_report_step *x)
{
    s->sum += x->logit;
    if (s->detailed)
        med_put(s->f, MED_TEXT_LINE, "        %+6.2f  %s\n", x->logit, med_words_of(s->l, x->step));
}

static void text_quote(text_sink *s, const med_report_quote *q)
{
    fputs("      ", s->f);
    if (!q->added) med_put(s->f, MED_TEXT_LINE, "\"%.*s\" ", (int)q->sentence.len, q->sentence.s);
    fputc('(', s->f);
    med_say_place(s->f, MED_TEXT_LINE, s->l, q);
    fputs(")\n", s->f);
}

static void text_finding(text_sink *s, const med_report_finding *o)
{
    if (!s->of_system || s->system != o->system)
        med_put(s->f, MED_TEXT_LINE, "  [%s]\n",
                o->system ? o->system->label : MED_SAY(s->l, OTHER_SYSTEM));
    s->of_system = true;
    s->system = o->system;
    med_put(s->f, MED_TEXT_LINE, "    %s %s", o->id, o->name);
    if (o->anchor && o->anchor->pinned)
        med_put(s->f, MED_TEXT_LINE, "  [%s]", MED_SAY(s->l, PINNED));
    if (o->unranked) med_put(s->f, MED_TEXT_LINE, "  [%s]", MED_SAY(s->l, NOT_RANKED));
    fputc('\n', s->f);
    text_quote(s, &o->quote);
}

static void text_pin(text_sink *s, const med_report_finding *o)
{
    med_put(s->f, MED_TEXT_LINE, "  %s: ", o->name);
    med_put(s->f, MED_TEXT_LINE, MED_SAY(s->l, WITHOUT_F), o->anchor->weight,
            100 * o->anchor->without->change, o->anchor->without->first);
    fputc('\n', s->f);
}

static void text_question(text_sink *s, const med_report_question *q)
{
    med_put(s->f, MED_TEXT_LINE, "  %s (%s)\n      ", q->name, q->id);
    med_put(s->f, MED_TEXT_LINE, MED_SAY(s->l, QUESTION_F), q->disease, q->disease_id, 100 * q->now,
            100 * q->present, 100 * q->none);
    fputc('\n', s->f);
}

static void text_contradiction(text_sink *s, const med_report_contradiction *x)
{
    med_put(s->f, MED_TEXT_LINE, "  %s (%s)%s", x->name, x->id, MED_SAY(s->l, LIST_COMMA));
    med_put(s->f, MED_TEXT_LINE, MED_SAY(s->l, AND_DENIED_F), x->denied_name);
    fputc('\n', s->f);
    text_quote(s, &x->quote);
    text_quote(s, &x->denied);
}

static void text_row(med_sink *base, med_list list, const void *row)
{
    text_sink *s = (text_sink *)base;
    switch (list) {
    case MED_LIST_NOTICES:
    case MED_LIST_SUMMARY:
    case MED_LIST_READING: med_put(s->f, MED_TEXT_LINE, "  %s\n", (const char *)row); break;
    case MED_LIST_SYSTEMS:
        fputs("  ", s->f);
        med_say_system(s->f, MED_TEXT_LINE, s->l, row);
        fputc('\n', s->f);
        break;
    case MED_LIST_DIFFERENTIAL: text_differential(s, row); break;
    case MED_LIST_QUESTIONS: text_question(s, row); break;
    case MED_LIST_CONTRADICTIONS: text_contradiction(s, row); break;
    case MED_LIST_GENES:
        med_put(s->f, MED_TEXT_LINE, "  %s\n", ((const med_report_gene *)row)->text);
        break;
    case MED_LIST_UNEXPLAINED: {
        const med_report_unexplained *x = row;
        med_put(s->f, MED_TEXT_LINE, "  %s %s\n", x->id, x->name);
        break;
    }
    case MED_LIST_CANDIDATES: text_candidate(s, row); break;
    case MED_LIST_CONTRIBUTIONS: text_contribution(s, row); break;
    case MED_LIST_TYPICAL:
    case MED_LIST_AGAINST: text_typical(s, row, list == MED_LIST_AGAINST); break;
    case MED_LIST_STEPS: text_step(s, row); break;
    case MED_LIST_OBSERVED:
    case MED_LIST_EXCLUDED:
    case MED_LIST_OTHERS: text_finding(s, row); break;
    case MED_LIST_PINS: text_pin(s, row); break;
    case MED_LIST_SOURCES: {
        const med_report_source *x = row;
        fputs("  ", s->f);
        med_put(s->f, MED_TEXT_LINE, MED_SAY(s->l, SOURCE_F), x->name, x->version, x->licence,
                x->address, x->loss);
        fputc('\n', s->f);
        break;
    }
    default: break;
    }
}

static void text_close(med_sink *base, med_list list)
{
    text_sink *s = (text_sink *)base;
    const med_report *r = base->report;
    if (list == MED_LIST_DIFFERENTIAL) {
        fputs("  ", s->f);
        med_put(s->f, MED_TEXT_LINE, MED_SAY(s->l, NONE_F), 100 * r->none_of_these);
        fputc('\n', s->f);
    }
    if (list == MED_LIST_STEPS && s->detailed && base->open[base->depth - 1].n)
        med_put(s->f, MED_TEXT_LINE, "        %+6.2f  %s\n", s->sum, MED_SAY(s->l, STEP_SUM));
    if (list == MED_LIST_READING) {
        fputs("  ", s->f);
        med_say_read(s->f, MED_TEXT_LINE, r);
        fputc('\n', s->f);
    }
}

r1_status med_report_text(const med_report *r, char **out, r1_err *err)
{
    static const med_sink_ops ops = {
        .name = "text", .head = text_head, .open = text_open, .row = text_row, .close = text_close};
    size_t n = 0;
    *out = NULL;
    text_sink s = {
        .sink = {.ops = &ops, .report = r}, .f = open_memstream(out, &n), .l = r->language};
    if (!s.f) R1_FAIL(err, R1_E_NOMEM, "no memory for the report's text");
    med_sink_walk(&s.sink);
    bool failed = ferror(s.f) != 0;
    if (fclose(s.f) == 0 && !failed) return R1_OK;
    free(*out);
    *out = NULL;
    R1_FAIL(err, R1_E_NOMEM, "no memory for the report's text");
}
