/* SPDX-License-Identifier: Apache-2.0 */
/* med_columns.c - two or more columns of prose that stand side by side in lines of text, as
 * pdftotext -layout and old printers set them. A gutter is a column of blanks with prose on both
 * sides: most lines beside it begin at one place, and some go on in small letters. Its lines are
 * set anew, column after column. A table has no such lines, and stays as it is. */
#include "documents/med_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GAPS_MAX = 12,
    GUTTER = 2,      /* blanks between two columns, at least */
    TABLE_GAP = 3,   /* blanks that part the cells of a table */
    RIGHT_FROM = 16, /* no right column begins before it */
    LINES_MIN = 4,   /* lines of each column */
    REGION_MAX = 400,
    DEPTH_MAX = 3,
    COLUMNS_MAX = 1024, /* no gutter is looked for behind */
    WHERE_BYTES = 160
};

typedef struct {
    uint32_t from, to; /* columns, in characters; text stands before and behind */
    uint32_t at;       /* byte at which the text behind begins */
    uint32_t end;      /* byte at which the text before ends */
} column_gap;

typedef struct {
    uint32_t start, end;   /* bytes, without what ends the line */
    uint32_t first, width; /* columns: of its first text, behind its last; 0: it is blank */
    uint32_t body;         /* byte of its first text */
    uint32_t n_gap;
    column_gap gap[GAPS_MAX];
    bool page; /* a page ends before it */
} column_line;

typedef struct {
    const char *s;
    column_line *line;
    uint32_t n, cap;
    uint32_t tried[COLUMNS_MAX]; /* of each column: the line to which it is known to be no gutter */
} columns;

/* ---- lines ----------------------------------------------------------------------------------- */

static void column_scan(const char *s, column_line *l)
{
    uint32_t col = 0, blank = 0, blank_at = 0, i = l->start;
    bool text = false;
    while (i < l->end) {
        med_char x = med_char_at(s, i, l->end);
        bool is_blank = x.kind == MED_CHAR_BLANK;
        if (!is_blank) {
            if (!text) l->first = col, l->body = i;
            if (text && blank >= GUTTER && l->n_gap < GAPS_MAX)
                l->gap[l->n_gap++] = (column_gap){col - blank, col, i, blank_at};
            text = true;
            blank = 0;
            l->width = col + 1;
        } else {
            if (!blank) blank_at = i;
            blank++;
        }
        /* a tab leads to the next eighth column */
        uint32_t step = x.kind == MED_CHAR_NOTHING ? 0 : s[i] == '\t' ? 8 - col % 8 : 1;
        if (is_blank && step > 1) blank += step - 1;
        col += step;
        i += x.len;
    }
}

static bool columns_lines(columns *c, size_t len)
{
    bool page = false;
    for (uint32_t from = 0; from <= len;) {
        uint32_t to = from;
        while (to < len && c->s[to] != '\n' && c->s[to] != '\f') to++;
        if (c->n == c->cap) {
            uint32_t cap = c->cap ? c->cap * 2 : 256;
            column_line *grown = r1_realloc_array(c->line, cap, sizeof *grown);
            if (!grown) return false;
            c->line = grown;
            c->cap = cap;
        }
        column_line *l = &c->line[c->n++];
        *l = (column_line){.start = from, .end = to, .page = page};
        column_scan(c->s, l);
        page = to < len && c->s[to] == '\f';
        from = to + 1;
    }
    return true;
}

/* ---- sides of a gutter ----------------------------------------------------------------------- */

/* The text of a line on both sides of column at; equal bytes: none. */
typedef struct {
    uint32_t left, left_end, right, right_end;
    bool fits;   /* no text stands in the gutter */
    bool starts; /* the right side begins at its edge */
} column_sides;

static column_sides sides_of(const column_line *l, uint32_t at)
{
    column_sides x = {.fits = true};
    if (!l->width) return x;
    if (l->width + GUTTER <= at) {
        x.left = l->body;
        x.left_end = l->end;
        return x;
    }
    if (l->first >= at) {
        x.right = l->body;
        x.right_end = l->end;
        x.starts = l->first == at;
        return x;
    }
    for (uint32_t i = 0; i < l->n_gap; i++) {
        if (l->gap[i].from + GUTTER > at || l->gap[i].to < at) continue;
        x.left = l->body;
        x.left_end = l->gap[i].end;
        x.right = l->gap[i].at;
        x.right_end = l->end;
        x.starts = l->gap[i].to == at;
        return x;
    }
    x.fits = false;
    return x;
}

typedef struct {
    uint32_t lines, words, small, bullets, cells;
} side_count;

static void side_add(side_count *k, const char *s, uint32_t from, uint32_t to)
{
    uint32_t blank = 0, words = 0;
    bool cell = false;
    if (from == to) return;
    for (uint32_t i = from; i < to; i++) {
        bool is_blank = s[i] == ' ' || s[i] == '\t';
        cell |= !is_blank && blank >= TABLE_GAP;
        words += !is_blank && (blank || i == from);
        blank = is_blank ? blank + 1 : 0;
    }
    k->lines++;
    k->words += words;
    k->cells += cell;
    k->small += s[from] >= 'a' && s[from] <= 'z';
    k->bullets += (s[from] == '-' || s[from] == '*' || (unsigned char)s[from] == 0xe2) && words > 1;
}

static bool side_is_prose(const side_count *k)
{
    return k->lines >= LINES_MIN && k->words >= 3 * k->lines && k->cells * 4 <= k->lines;
}

static bool side_is_list(const side_count *k)
{
    return k->lines >= LINES_MIN && k->bullets * 5 >= k->lines * 3 && k->cells * 4 <= k->lines;
}

/* ---- regions --------------------------------------------------------------------------------- */

/* Lines [from, to) with a gutter before column at; to 0: none. */
typedef struct {
    uint32_t from, to, at;
} column_region;

/* The lines around line i that leave the gutter blank. */
static column_region region_around(const columns *c, uint32_t i, uint32_t floor, uint32_t at)
{
    column_region r = {i, i, at};
    uint32_t last = i;
    while (r.to < c->n && r.to < i + REGION_MAX && sides_of(&c->line[r.to], at).fits &&
           (r.to == i || !c->line[r.to].page))
        r.to++;
    while (r.from > floor && i - r.from < REGION_MAX && !c->line[r.from].page &&
           c->line[r.from - 1].width && sides_of(&c->line[r.from - 1], at).fits)
        r.from--;
    for (uint32_t k = i; k < r.to; k++) {
        column_sides x = sides_of(&c->line[k], at);
        if (x.right != x.right_end) last = k;
    }
    uint32_t end = last + 1;
    while (end < r.to && c->line[end].width) end++; /* the left column may be longer */
    r.to = end;
    return r;
}

static bool region_is_prose(const columns *c, const column_region *r)
{
    side_count left = {0}, right = {0};
    uint32_t starts = 0;
    for (uint32_t i = r->from; i < r->to; i++) {
        column_sides x = sides_of(&c->line[i], r->at);
        side_add(&left, c->s, x.left, x.left_end);
        side_add(&right, c->s, x.right, x.right_end);
        starts += x.starts;
    }
    if (2 * starts < right.lines) return false;
    if (side_is_list(&left) && side_is_list(&right)) return true;
    if (!side_is_prose(&left) || !side_is_prose(&right)) return false;
    return 5 * left.small >= left.lines && 5 * right.small >= right.lines;
}

static column_region region_at(columns *c, uint32_t i, uint32_t floor)
{
    const column_line *l = &c->line[i];
    column_region r = {0};
    for (uint32_t k = 0; k <= l->n_gap; k++) {
        uint32_t at = k < l->n_gap ? l->gap[k].to : l->first;
        if (!l->width || at < RIGHT_FROM || at >= COLUMNS_MAX || i < c->tried[at]) continue;
        r = region_around(c, i, floor, at);
        if (region_is_prose(c, &r)) return r;
        c->tried[at] = r.to;
    }
    return (column_region){0};
}

/* ---- setting anew ---------------------------------------------------------------------------- */

/* One side of a region, a line for each of its lines. A single line that the side lacks is none:
 * the columns' lines may stand at different heights. */
static void side_put(const columns *c, const column_region *r, bool right, med_prose *out)
{
    uint32_t missing = 0;
    for (uint32_t i = r->from; i < r->to; i++) {
        const column_line *l = &c->line[i];
        column_sides x = sides_of(l, r->at);
        uint32_t from = right ? x.right : x.left, to = right ? x.right_end : x.left_end;
        missing = from == to ? missing + 1 : 0;
        if (from == to && l->width && missing != 2) continue;
        med_prose_add(out, c->s + from, to - from);
        med_prose_add(out, "\n", 1);
    }
}

typedef struct {
    char where[WHERE_BYTES];
    uint32_t n;
} columns_told;

static void columns_tell(columns_told *told, const column_region *r)
{
    size_t at = strlen(told->where);
    if (at + 40 < sizeof told->where)
        snprintf(told->where + at, sizeof told->where - at, "%s%u to %u", told->n ? ", " : "",
                 r->from + 1, r->to);
    told->n++;
}

static r1_status columns_set(const char *s, size_t len, med_prose *out, columns_told *told,
                             uint32_t depth);

static r1_status region_put(const columns *c, const column_region *r, med_prose *out,
                            columns_told *told, uint32_t depth)
{
    columns_told inner = {.n = 0};
    for (int right = 0; right < 2; right++) {
        med_prose side = {0};
        side_put(c, r, right, &side);
        r1_status st = side.status;
        if (st == R1_OK && side.n) st = columns_set(side.s, side.n, out, &inner, depth + 1);
        free(side.s);
        if (st != R1_OK) return st;
    }
    columns_tell(told, r);
    return R1_OK;
}

static r1_status columns_set(const char *s, size_t len, med_prose *out, columns_told *told,
                             uint32_t depth)
{
    columns *c = calloc(1, sizeof *c);
    if (!c) return R1_E_NOMEM;
    c->s = s;
    r1_status st = columns_lines(c, len) ? R1_OK : R1_E_NOMEM;
    uint32_t floor = 0;
    for (uint32_t i = 0; i < c->n && st == R1_OK;) {
        column_region r = {0};
        if (depth < DEPTH_MAX) r = region_at(c, i, floor);
        if (!r.to) {
            i++;
            continue;
        }
        uint32_t from = c->line[floor].start, to = c->line[r.from].start;
        med_prose_add(out, s + from, to - from);
        st = region_put(c, &r, out, told, depth);
        floor = i = r.to;
    }
    if (st == R1_OK && floor < c->n)
        med_prose_add(out, s + c->line[floor].start, len - c->line[floor].start);
    if (st == R1_OK) st = out->status;
    free(c->line);
    free(c);
    return st;
}

r1_status med_columns_part(med_document *d, const char *what, r1_err *err)
{
    med_prose out = {0};
    columns_told told = {.n = 0};
    r1_status st = columns_set(d->text, d->len, &out, &told, 0);
    med_prose_add(&out, "", 0);
    if (st != R1_OK || out.status != R1_OK || !told.n) {
        free(out.s);
        if (st == R1_E_NOMEM) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for its columns", what);
        return R1_OK;
    }
    med_document_note(d,
                      "Lines %s stand in columns side by side, which were read one after the "
                      "other: places count bytes of the text in that order.",
                      told.where);
    free(d->text);
    d->text = out.s;
    d->len = out.n;
    return R1_OK;
}
