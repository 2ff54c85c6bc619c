/* SPDX-License-Identifier: Apache-2.0 */
/* med_tables.c - see med_blocks_parts.h. Rows of cells, and what the heads of their columns say. */
#include "notes/med_blocks_parts.h"

#include <string.h>

/* The cells of a row of bars, tabs or CSV; at most max. */
static uint32_t tables_row_cells(const blocks *b, const block_line *l, med_cell *cell, uint32_t max)
{
    const char *s = b->n->text;
    uint32_t n = 0, at = l->body, end = l->end;
    bool bars = memchr(s + at, '|', end - at) != NULL;
    char border = l->separator ? l->separator : bars ? '|' : '\t';
    if (bars && s[at] == '|') at++;
    for (uint32_t i = at; i <= end && n < max; i++) {
        if (i < end && s[i] != border) continue;
        uint32_t from = at, to = i;
        while (from < to && blocks_blank(s[from])) from++;
        while (to > from && blocks_blank(s[to - 1])) to--;
        cell[n++] = (med_cell){from, to};
        at = i + 1;
    }
    return n;
}

/* What the head of a column answers; false: it is no answer. */
static bool tables_column_says(const blocks *b, med_cell c, med_status *says)
{
    *says = MED_UNCERTAIN;
    if (c.end == c.start + 1 && b->n->text[c.start] == '?') return true;
    if (!blocks_is_answer(b, c.start, c.end)) return false;
    *says = blocks_begins_with(b, c.start, c.end, "no")    ? MED_ABSENT
            : blocks_begins_with(b, c.start, c.end, "yes") ? MED_PRESENT
                                                           : MED_UNCERTAIN;
    return true;
}

static bool tables_ticked(const blocks *b, med_cell c)
{
    const char *s = b->n->text;
    if (c.start == c.end) return false;
    med_char x = med_char_at(s, c.start, c.end);
    if (x.len != c.end - c.start) return false;
    return x.mark == MED_MARK_ON || strchr("xX1+*", s[c.start]) != NULL;
}

static bool tables_of_relative(const blocks *b, med_cell c)
{
    med_token t[LOOK_TOKENS];
    uint32_t n = blocks_look(b, c.start, c.end, t);
    for (uint32_t i = 0; i < n; i++)
        if (med_cues_is(b->cues, "rel", blocks_word(b, &t[i]))) return true;
    return false;
}

/* What a cell below a person says; false: it is no answer. */
static bool tables_cell_says(const blocks *b, med_cell c, med_status *says)
{
    if (tables_column_says(b, c, says)) return true;
    bool minus = c.end > c.start && c.end - c.start == dash_sign(b->n->text, c.start, c.end);
    *says = minus ? MED_ABSENT : MED_PRESENT;
    return minus || tables_ticked(b, c);
}

/* A row below a row of persons ("Finding | Mother | Patient"): the patient's cell counts. Where it
 * is empty, or the table has none, what a relative has is of the family. */
static void tables_persons(blocks *b, uint32_t i, med_sentence *unit)
{
    med_cell head[COLUMNS_MAX], cell[COLUMNS_MAX];
    uint32_t top = b->table, relatives = 0;
    med_status says;
    if (top == i) return;
    uint32_t n_head = tables_row_cells(b, &b->line[top], head, COLUMNS_MAX);
    uint32_t n = tables_row_cells(b, &b->line[i], cell, COLUMNS_MAX);
    for (uint32_t k = 1; k < n_head && k < n; k++) {
        if (!tables_of_relative(b, head[k])) continue;
        relatives++;
        if (!tables_cell_says(b, cell[k], &says) || says == MED_ABSENT) continue;
        unit->answer = MED_FAMILY;
        unit->answer_start = head[k].start;
        unit->answer_end = head[k].end;
    }
    for (uint32_t k = 1; relatives && k < n_head && k < n; k++) {
        bool patient = head[k].end > head[k].start && !tables_of_relative(b, head[k]) &&
                       blocks_begins_with(b, head[k].start, head[k].end, "index");
        if (!patient || !tables_cell_says(b, cell[k], &says)) continue;
        unit->answer = says;
        unit->answer_start = cell[k].start;
        unit->answer_end = cell[k].end;
    }
}

/* The same where blanks part the cells: a tick belongs to the answer over it. */
static void tables_ticks_aligned(const blocks *b, uint32_t i, med_sentence *unit)
{
    med_cell head[COLUMNS_MAX], cell[COLUMNS_MAX];
    const block_line *top = &b->line[b->table], *l = &b->line[i];
    uint32_t n_head =
        med_cells_split(b->n->text, top->body, top->end, top->wide, head, COLUMNS_MAX);
    uint32_t n = med_cells_split(b->n->text, l->body, l->end, l->wide, cell, COLUMNS_MAX);
    uint32_t ticks = 0, answers = 0;
    for (uint32_t k = 1; k < n_head; k++) {
        med_status says;
        if (!tables_column_says(b, head[k], &says)) continue;
        answers++;
        uint32_t from = head[k].start - top->start, to = head[k].end - top->start + ALIGN_REACH;
        for (uint32_t j = 1; j < n; j++) {
            uint32_t at = cell[j].start - l->start + ALIGN_REACH;
            if (at < from || at - ALIGN_REACH > to - 1 || !tables_ticked(b, cell[j])) continue;
            ticks++;
            unit->answer = says;
            unit->answer_start = head[k].start;
            unit->answer_end = head[k].end;
        }
    }
    if (answers < 2 || ticks != 1) unit->answer_start = unit->answer_end = 0;
}

/* A row below a row of answers ("Finding | Yes | No") that is ticked in one column. */
static void tables_ticks(blocks *b, uint32_t i, med_sentence *unit)
{
    med_cell head[COLUMNS_MAX], cell[COLUMNS_MAX];
    uint32_t top = b->table, ticks = 0, answers = 0;
    if (top == i) return;
    if (b->line[top].wide && b->line[i].wide) {
        tables_ticks_aligned(b, i, unit);
        return;
    }
    uint32_t n_head = tables_row_cells(b, &b->line[top], head, COLUMNS_MAX);
    uint32_t n = tables_row_cells(b, &b->line[i], cell, COLUMNS_MAX);
    for (uint32_t k = 1; k < n_head; k++) {
        med_status says;
        if (!tables_column_says(b, head[k], &says)) continue;
        answers++;
        if (k >= n || !tables_ticked(b, cell[k])) continue;
        ticks++;
        unit->answer = says;
        unit->answer_start = head[k].start;
        unit->answer_end = head[k].end;
    }
    if (answers < 2 || ticks != 1) unit->answer_start = unit->answer_end = 0;
}

void tables_answer(blocks *b, uint32_t i, med_sentence *unit)
{
    tables_ticks(b, i, unit);
    tables_persons(b, i, unit);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Whether one wide blank stands within the name of a finding: "cleft   palate". */
static bool tables_within_name(const blocks *b, const block_line *l)
{
    med_token t[NAMES_TOKENS];
    const med_found *found;
    const bool *own;
    uint32_t next, unread = 0, wide = 0, at = 0;
    uint32_t n = med_tokenize(b->lex, b->n->text, l->body, l->end, (med_token_rules){0}, t,
                              NAMES_TOKENS, &next);
    for (uint32_t i = 1; i < n; i++)
        if (t[i].start >= t[i - 1].end + l->wide) wide++, at = i;
    if (wide != 1 || !l->wide || blocks_is_answer(b, t[at].start, l->end)) return false;
    uint32_t n_found = med_recognise(b->recogniser, b->n->text, t, n, &found, &own, &unread);
    for (uint32_t i = 0; i < n_found; i++)
        if (found[i].first < at && at <= found[i].last && found[i].normal == MED_NONE &&
            found[i].last - found[i].first < 4)
            return true;
    return false;
}

/* Which lines are rows of cells. A known heading with a colon before them is none. */
void tables_find_rows(blocks *b)
{
    for (uint32_t i = 0; i < b->n_line; i++) {
        block_line *l = &b->line[i];
        if (l->kind != LINE_TEXT) continue;
        uint32_t from = l->body,
                 max = l->end < from + HEADING_BYTES ? l->end : from + HEADING_BYTES;
        const char *colon = max > from ? memchr(b->n->text + from, ':', max - from) : NULL;
        uint32_t at = colon ? (uint32_t)(colon - b->n->text) : from;
        if (at > from && blocks_known(b, from, at)) from = at + 1;
        while (from < l->end && blocks_blank(b->n->text[from])) from++;
        med_cells c = from < l->end ? med_cells_of(b->n->text, from, l->end) : (med_cells){0};
        l->row = c.row;
        l->wide = c.wide;
        if (l->row && l->wide && tables_within_name(b, l)) l->row = false;
    }
}
