/* SPDX-License-Identifier: Apache-2.0 */
/* med_sheet.h - A4 pages of a PDF: text, bars and dots, a footer on each page.
 *
 * Latin text, which is nearly all of an English report, is broken into lines here and drawn as
 * glyphs of one font per style; what needs shaping or another font goes through pango, which takes
 * several times as long for the same paragraph.
 *
 * Pages are made twice: a dry pass counts them and draws nothing, so that each page can name their
 * number.
 *
 * Units: points from the page's upper left corner.
 * Owns:    its surface and fonts.
 * Threads: one per sheet.
 * Errors:  no memory, and no font with the language's characters, are those of _new and _finish. */
#ifndef MED_SHEET_H
#define MED_SHEET_H

#include "r1_base.h"
#include "report/med_words.h"

typedef enum {
    MED_STYLE_TITLE,
    MED_STYLE_HEAD,
    MED_STYLE_NAME,
    MED_STYLE_FINDING,
    MED_STYLE_TEXT,
    MED_STYLE_SMALL,
    MED_STYLE_FOOT,
    MED_STYLE_COUNT
} med_style;

typedef struct {
    double r, g, b;
} med_colour;

typedef struct med_sheet med_sheet;

typedef struct {
    med_words_language language;
    const char *title, *date; /* of the file's metadata; date 2026-11-30 or NULL */
    const char *footer[2];    /* lines at the foot of each page; borrowed */
} med_sheet_opts;

extern const double med_sheet_left, med_sheet_right;

r1_status med_sheet_new(med_sheet **out, const med_sheet_opts *opts, r1_err *err);
void med_sheet_free(med_sheet *s); /* NULL is fine */
/* Begins the pages: first dry, then, with the same calls, in earnest. */
void med_sheet_begin(med_sheet *s, bool dry);
/* Ends the last page. After the dry pass it gives the count to the next one. */
void med_sheet_end(med_sheet *s);
/* The file; malloc'ed. */
r1_status med_sheet_finish(med_sheet *s, char **bytes, size_t *n, r1_err *err);

/* Where the next thing stands, and moving it. */
double med_sheet_y(const med_sheet *s);
void med_sheet_move(med_sheet *s, double dy);
int med_sheet_page(const med_sheet *s); /* from 1 */
/* Whether h points are left on this page, with `keep` of them below it. */
bool med_sheet_fits(const med_sheet *s, double h, double keep);
void med_sheet_next_page(med_sheet *s);

/* The height of a paragraph of UTF-8 in lines of that width. */
double med_sheet_height(med_sheet *s, med_style st, double width, const char *text);
/* Draws it with its upper left corner there; right: lines end at x + width. Returns its height. */
double med_sheet_text(med_sheet *s, med_style st, med_colour c, double x, double y, double width,
                      bool right, const char *text);
void med_sheet_box(med_sheet *s, med_colour c, double x, double y, double w, double h);
void med_sheet_line(med_sheet *s, med_colour c, double width, double x0, double y0, double x1,
                    double y1);
void med_sheet_dot(med_sheet *s, med_colour c, double x, double y, double radius, bool filled);

#endif
