/* SPDX-License-Identifier: Apache-2.0 */
/* med_sink.c - the walker, and the nesting that it and the sinks are held to. */
#include "report/med_sink.h"

#include "r1_assert.h"

/* The list whose row a list belongs to; MED_LIST_COUNT: the report itself. */
static const med_list sink_parent[MED_LIST_COUNT] = {
    [MED_LIST_CANDIDATES] = MED_LIST_COUNT, [MED_LIST_CONTRIBUTIONS] = MED_LIST_CANDIDATES,
    [MED_LIST_STEPS] = MED_LIST_CANDIDATES, [MED_LIST_TYPICAL] = MED_LIST_CANDIDATES,
    [MED_LIST_GENES] = MED_LIST_COUNT,      [MED_LIST_OBSERVED] = MED_LIST_COUNT,
    [MED_LIST_EXCLUDED] = MED_LIST_COUNT,   [MED_LIST_OTHERS] = MED_LIST_COUNT,
    [MED_LIST_SOURCES] = MED_LIST_COUNT,
};

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

void med_sink_open(med_sink *s, med_list list, size_t n)
{
    R1_ASSERT(s->begun && !s->ended, "sink %s: list %d outside of the report", s->ops->name,
              (int)list);
    R1_ASSERT(list < MED_LIST_COUNT && sink_parent[list] == sink_inner(s),
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

static void walk_candidates(med_sink *s, const med_report *r)
{
    med_sink_open(s, MED_LIST_CANDIDATES, r->n_candidate);
    for (uint32_t i = 0; i < r->n_candidate; i++) {
        const med_report_candidate *c = &r->candidate[i];
        med_sink_row(s, MED_LIST_CANDIDATES, c);
        walk_plain(s, MED_LIST_CONTRIBUTIONS, c->contribution, c->n_contribution,
                   sizeof *c->contribution);
        walk_plain(s, MED_LIST_STEPS, c->step, c->n_step, sizeof *c->step);
        walk_plain(s, MED_LIST_TYPICAL, c->typical, c->n_typical, sizeof *c->typical);
        med_sink_row_end(s, MED_LIST_CANDIDATES, c);
    }
    med_sink_close(s, MED_LIST_CANDIDATES);
}

void med_sink_walk(med_sink *s)
{
    const med_report *r = s->report;
    const size_t finding = sizeof(med_report_finding);
    med_sink_head(s);
    walk_candidates(s, r);
    if (r->with_genes) walk_plain(s, MED_LIST_GENES, r->gene, r->n_gene, sizeof *r->gene);
    walk_plain(s, MED_LIST_OBSERVED, r->observed.row, r->observed.n, finding);
    walk_plain(s, MED_LIST_EXCLUDED, r->excluded.row, r->excluded.n, finding);
    walk_plain(s, MED_LIST_OTHERS, r->others.row, r->others.n, finding);
    walk_plain(s, MED_LIST_SOURCES, r->source, r->n_source, sizeof *r->source);
    med_sink_end(s);
}
