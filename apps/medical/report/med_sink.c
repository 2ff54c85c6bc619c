/* SPDX-License-Identifier: Apache-2.0 */
/* med_sink.c - the walker, and the nesting that it and the sinks are held to. */
#include "report/med_sink.h"

#include "r1_assert.h"

/* The list whose row a list belongs to; MED_LIST_COUNT: the report itself. */
static med_list sink_parent(med_list list)
{
    switch (list) {
    case MED_LIST_CONTRIBUTIONS:
    case MED_LIST_TYPICAL:
    case MED_LIST_AGAINST:
    case MED_LIST_STEPS: return MED_LIST_CANDIDATES;
    default: return MED_LIST_COUNT;
    }
}

/* The list that is open and innermost; MED_LIST_COUNT: none. */
static med_list sink_inner(const med_sink *s)
{
    return s->depth ? s->open[s->depth - 1].list : MED_LIST_COUNT;
}

void med_sink_head(med_sink *s)
{
    R1_ASSERT(!s->begun, "sink %s: a second head", s->ops->name);
    s->begun = true;
    s->ops->head(s);
}

void med_sink_annex(med_sink *s)
{
    R1_ASSERT(s->begun && !s->ended && s->depth == 0, "sink %s: an annex inside of list %d",
              s->ops->name, (int)sink_inner(s));
    if (s->ops->annex) s->ops->annex(s);
}

void med_sink_open(med_sink *s, med_list list, size_t n)
{
    R1_ASSERT(s->begun && !s->ended, "sink %s: list %d outside of the report", s->ops->name,
              (int)list);
    R1_ASSERT(list < MED_LIST_COUNT && sink_parent(list) == sink_inner(s),
              "sink %s: list %d opened in list %d", s->ops->name, (int)list, (int)sink_inner(s));
    R1_ASSERT(s->depth == 0 || s->open[s->depth - 1].in_row, "sink %s: list %d between two rows",
              s->ops->name, (int)list);
    R1_ASSERT(s->depth < MED_SINK_DEPTH, "sink %s: depth %u", s->ops->name, s->depth);
    s->open[s->depth].list = list;
    s->open[s->depth].n = n;
    s->open[s->depth].done = 0;
    s->open[s->depth].in_row = false;
    s->depth++;
    s->ops->open(s, list, n);
}

void med_sink_row(med_sink *s, med_list list, const void *row)
{
    R1_ASSERT(sink_inner(s) == list, "sink %s: a row of list %d in list %d", s->ops->name,
              (int)list, (int)sink_inner(s));
    R1_ASSERT(!s->open[s->depth - 1].in_row, "sink %s: list %d: a row in a row", s->ops->name,
              (int)list);
    s->open[s->depth - 1].in_row = true;
    s->ops->row(s, list, row);
}

void med_sink_row_end(med_sink *s, med_list list, const void *row)
{
    R1_ASSERT(sink_inner(s) == list && s->open[s->depth - 1].in_row,
              "sink %s: the end of a row of list %d in list %d", s->ops->name, (int)list,
              (int)sink_inner(s));
    s->open[s->depth - 1].in_row = false;
    s->open[s->depth - 1].done++;
    if (s->ops->row_end) s->ops->row_end(s, list, row);
}

void med_sink_close(med_sink *s, med_list list)
{
    R1_ASSERT(sink_inner(s) == list && !s->open[s->depth - 1].in_row,
              "sink %s: list %d closed in list %d", s->ops->name, (int)list, (int)sink_inner(s));
    R1_ASSERT(s->open[s->depth - 1].done == s->open[s->depth - 1].n,
              "sink %s: list %d: %zu rows of %zu", s->ops->name, (int)list,
              s->open[s->depth - 1].done, s->open[s->depth - 1].n);
    s->ops->close(s, list);
    s->depth--;
}

void med_sink_end(med_sink *s)
{
    R1_ASSERT(s->begun && !s->ended, "sink %s: an end without a head", s->ops->name);
    R1_ASSERT(s->depth == 0, "sink %s: list %d is open at the end", s->ops->name,
              (int)sink_inner(s));
    s->ended = true;
    if (s->ops->end) s->ops->end(s);
}

/* ---- the walk -------------------------------------------------------------------------------- */

/* A list whose rows hold no lists. */
static void walk_plain(med_sink *s, med_list list, const void *rows, size_t n, size_t size)
{
    med_sink_open(s, list, n);
    for (size_t i = 0; i < n; i++) {
        const void *row = (const char *)rows + i * size;
        med_sink_row(s, list, row);
        med_sink_row_end(s, list, row);
    }
    med_sink_close(s, list);
}

static void walk_names(med_sink *s, med_list list, const med_report_names *names)
{
    med_sink_open(s, list, names->n);
    for (uint32_t i = 0; i < names->n; i++) {
        med_sink_row(s, list, names->s[i]);
        med_sink_row_end(s, list, names->s[i]);
    }
    med_sink_close(s, list);
}

static void walk_candidates(med_sink *s, const med_report *r)
{
    med_sink_open(s, MED_LIST_CANDIDATES, r->n_candidate);
    for (uint32_t i = 0; i < r->n_candidate; i++) {
        const med_report_candidate *c = &r->candidate[i];
        med_sink_row(s, MED_LIST_CANDIDATES, c);
        walk_plain(s, MED_LIST_CONTRIBUTIONS, c->contribution, c->n_contribution,
                   sizeof *c->contribution);
        walk_plain(s, MED_LIST_TYPICAL, c->typical, c->n_typical, sizeof *c->typical);
        walk_plain(s, MED_LIST_AGAINST, c->against, c->n_against, sizeof *c->against);
        walk_plain(s, MED_LIST_STEPS, c->step, c->n_step, sizeof *c->step);
        med_sink_row_end(s, MED_LIST_CANDIDATES, c);
    }
    med_sink_close(s, MED_LIST_CANDIDATES);
}

static bool walk_is_pin(const med_report_finding *f) { return f->anchor && f->anchor->without; }

static void walk_pins(med_sink *s, const med_report_findings *observed)
{
    size_t n = 0;
    for (uint32_t i = 0; i < observed->n; i++) n += walk_is_pin(&observed->row[i]);
    med_sink_open(s, MED_LIST_PINS, n);
    for (uint32_t i = 0; i < observed->n; i++) {
        if (!walk_is_pin(&observed->row[i])) continue;
        med_sink_row(s, MED_LIST_PINS, &observed->row[i]);
        med_sink_row_end(s, MED_LIST_PINS, &observed->row[i]);
    }
    med_sink_close(s, MED_LIST_PINS);
}

static void walk_summary(med_sink *s, const med_report *r)
{
    walk_names(s, MED_LIST_NOTICES, &r->notice);
    walk_names(s, MED_LIST_SUMMARY, &r->summary);
    walk_plain(s, MED_LIST_SYSTEMS, r->system, r->n_system, sizeof *r->system);
    walk_plain(s, MED_LIST_DIFFERENTIAL, r->candidate, r->n_candidate, sizeof *r->candidate);
    walk_plain(s, MED_LIST_QUESTIONS, r->question, r->n_question, sizeof *r->question);
    walk_plain(s, MED_LIST_CONTRADICTIONS, r->contradiction, r->n_contradiction,
               sizeof *r->contradiction);
    walk_plain(s, MED_LIST_UNEXPLAINED, r->unexplained, r->n_unexplained, sizeof *r->unexplained);
}

void med_sink_walk(med_sink *s)
{
    const med_report *r = s->report;
    const size_t finding = sizeof(med_report_finding);
    med_sink_head(s);
    walk_summary(s, r);
    med_sink_annex(s);
    walk_candidates(s, r);
    walk_plain(s, MED_LIST_OBSERVED, r->observed.row, r->observed.n, finding);
    walk_plain(s, MED_LIST_EXCLUDED, r->excluded.row, r->excluded.n, finding);
    walk_plain(s, MED_LIST_OTHERS, r->others.row, r->others.n, finding);
    walk_pins(s, &r->observed);
    walk_names(s, MED_LIST_READING, &r->reading);
    walk_plain(s, MED_LIST_SOURCES, r->source, r->n_source, sizeof *r->source);
    med_sink_end(s);
}
