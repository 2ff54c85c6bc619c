/* SPDX-License-Identifier: Apache-2.0 */
/* med_sheet.c - see med_sheet.h. */
#include "report/med_sheet.h"

#include "r1_assert.h"

#include <cairo-pdf.h>
#include <math.h>
#include <pango/pangocairo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LATIN_END = 0x250,
    PUNCT_START = 0x2010,
    PUNCT_END = 0x2027,
    GLYPHS = LATIN_END + PUNCT_END - PUNCT_START
};
enum { GLYPHS_MAX = 4096 };
static const struct {
    bool bold;
    double size; /* points */
} styles[MED_STYLE_COUNT] = {{true, 17}, {true, 12}, {true, 10}, {true, 9},
                             {false, 9}, {false, 8}, {false, 7}};

typedef struct {
    cairo_scaled_font_t *scaled;
    double ascent, height;
    struct {
        unsigned long index;
        double advance;
        bool known;
    } glyph[GLYPHS];
} font;

struct med_sheet {
    med_sheet_opts opts;
    cairo_surface_t *surface;
    cairo_t *cr;
    FILE *file; /* what cairo writes, into whole */
    char *whole;
    size_t bytes;
    PangoLayout *layout; /* made when the first paragraph needs it */
    font font[MED_STYLE_COUNT];
    double y;
    int page, pages; /* from 1; pages 0: not known yet */
    bool dry;
    /* the paragraph in hand */
    cairo_glyph_t glyph[GLYPHS_MAX];
    int n_glyph, n_line;
    uint32_t line_end[GLYPHS_MAX / 8]; /* glyph after the last of each line, ascending */
};

static const double page_w = 595, page_h = 842, margin = 48, foot = 62;
const double med_sheet_left = 48, med_sheet_right = 547;
static const char chinese_sample[] = "\xe6\x82\xa3\xe8\x80\x85"; /* "patient" */

/* ---- fonts ----------------------------------------------------------------------------------- */

static font *font_of(med_sheet *s, med_style st)
{
    font *f = &s->font[st];
    if (f->scaled) return f;
    cairo_font_extents_t e;
    cairo_select_font_face(s->cr, "Sans", CAIRO_FONT_SLANT_NORMAL,
                           styles[st].bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(s->cr, styles[st].size);
    f->scaled = cairo_scaled_font_reference(cairo_get_scaled_font(s->cr));
    cairo_scaled_font_extents(f->scaled, &e);
    f->ascent = e.ascent;
    f->height = e.height;
    return f;
}

/* Where a code point stands in the table of glyphs; -1: not one of ours. */
static int sheet_slot_of(gunichar c)
{
    if (c < LATIN_END) return c < 32 ? -1 : (int)c;
    return c >= PUNCT_START && c < PUNCT_END ? (int)(c - PUNCT_START) + LATIN_END : -1;
}

/* False where the font has no such glyph. */
static bool glyph_of(font *f, const char *at, int bytes, int slot)
{
    if (!f->glyph[slot].known) {
        cairo_glyph_t one, *g = &one;
        int n = 1;
        cairo_text_extents_t e;
        if (cairo_scaled_font_text_to_glyphs(f->scaled, 0, 0, at, bytes, &g, &n, NULL, NULL,
                                             NULL) == CAIRO_STATUS_SUCCESS &&
            n == 1) {
            cairo_scaled_font_glyph_extents(f->scaled, g, 1, &e);
            f->glyph[slot].index = g->index;
            f->glyph[slot].advance = e.x_advance;
        }
        if (g != &one) cairo_glyph_free(g);
        f->glyph[slot].known = true;
    }
    return f->glyph[slot].index != 0;
}

/* ---- paragraphs ------------------------------------------------------------------------------ */

/* Glyphs and line ends of a paragraph, greedily broken at blanks. Positions are those within the
 * lines. False where it is not plain Latin text that fits the tables. */
static bool set_plain(med_sheet *s, font *f, const char *text, double width)
{
    double x = 0;
    int blank = -1; /* the last glyph after which a line may end */
    s->n_glyph = s->n_line = 0;
    int start = 0;
    for (const char *p = text, *next; *p; p = next) {
        next = g_utf8_next_char(p);
        int slot = sheet_slot_of(g_utf8_get_char(p));
        if (slot < 0 || s->n_glyph == GLYPHS_MAX || s->n_line + 2 >= (int)R1_COUNT(s->line_end))
            return false;
        if (!glyph_of(f, p, (int)(next - p), slot)) return false;
        int i = s->n_glyph++;
        s->glyph[i] = (cairo_glyph_t){f->glyph[slot].index, x, 0};
        x += f->glyph[slot].advance;
        if (*p == ' ') blank = i;
        if (x <= width || *p == ' ') continue;
        int cut = blank > start ? blank + 1 : i > start ? i : i + 1;
        s->line_end[s->n_line++] = (uint32_t)cut;
        double back = cut < s->n_glyph ? s->glyph[cut].x : x;
        for (int k = cut; k < s->n_glyph; k++) s->glyph[k].x -= back;
        x -= back;
        start = cut;
        blank = -1;
    }
    s->line_end[s->n_line++] = (uint32_t)s->n_glyph;
    R1_ASSERT(s->n_glyph <= GLYPHS_MAX && s->n_line <= (int)R1_COUNT(s->line_end),
              "paragraph: %d glyphs in %d lines", s->n_glyph, s->n_line);
    return true;
}

static void draw_plain(med_sheet *s, const font *f, double left, double top, double right)
{
    cairo_set_scaled_font(s->cr, f->scaled);
    for (int l = 0, from = 0; l < s->n_line; l++) {
        int to = (int)s->line_end[l];
        R1_ASSERT(from <= to && to <= s->n_glyph, "line %d: glyphs %d to %d of %d", l, from, to,
                  s->n_glyph);
        double y = top + f->ascent + l * f->height, x = left;
        if (right > 0 && to > from) {
            cairo_text_extents_t e;
            cairo_scaled_font_glyph_extents(f->scaled, s->glyph + from, to - from, &e);
            x = right - e.x_advance;
        }
        for (int k = from; k < to; k++) s->glyph[k].x += x, s->glyph[k].y = y;
        cairo_show_glyphs(s->cr, s->glyph + from, to - from);
        from = to;
    }
}

/* Advances are those of the page, not of a screen's pixels. */
static PangoLayout *sheet_layout(med_sheet *s)
{
    PangoLayout *layout = pango_cairo_create_layout(s->cr);
    cairo_font_options_t *exact = cairo_font_options_create();
    cairo_font_options_set_hint_metrics(exact, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_hint_style(exact, CAIRO_HINT_STYLE_NONE);
    pango_cairo_context_set_font_options(pango_layout_get_context(layout), exact);
    pango_layout_context_changed(layout);
    cairo_font_options_destroy(exact);
    return layout;
}

static double set_shaped(med_sheet *s, med_style st, const char *text, double width, bool right)
{
    int h = 0;
    if (!s->layout) s->layout = sheet_layout(s);
    PangoFontDescription *d = pango_font_description_new();
    pango_font_description_set_family_static(d, "Sans");
    pango_font_description_set_weight(d, styles[st].bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    pango_font_description_set_absolute_size(d, styles[st].size * PANGO_SCALE);
    pango_layout_set_font_description(s->layout, d);
    pango_font_description_free(d);
    pango_layout_set_width(s->layout, (int)(width * PANGO_SCALE));
    pango_layout_set_alignment(s->layout, right ? PANGO_ALIGN_RIGHT : PANGO_ALIGN_LEFT);
    pango_layout_set_wrap(s->layout, PANGO_WRAP_WORD_CHAR);
    pango_layout_set_text(s->layout, text, -1);
    pango_layout_get_pixel_size(s->layout, NULL, &h);
    return h;
}

/* ---- drawing --------------------------------------------------------------------------------- */

double med_sheet_height(med_sheet *s, med_style st, double width, const char *text)
{
    font *f = font_of(s, st);
    if (set_plain(s, f, text, width)) return s->n_line * f->height;
    return set_shaped(s, st, text, width, false);
}

static void sheet_colour(med_sheet *s, med_colour c) { cairo_set_source_rgb(s->cr, c.r, c.g, c.b); }

double med_sheet_text(med_sheet *s, med_style st, med_colour c, double x, double y, double width,
                      bool right, const char *text)
{
    R1_DEEP_ASSERT(g_utf8_validate(text, -1, NULL), "paragraph \"%.40s\" is not UTF-8", text);
    font *f = font_of(s, st);
    bool plain = set_plain(s, f, text, width);
    double h = plain ? s->n_line * f->height : set_shaped(s, st, text, width, right);
    if (s->dry) return h;
    sheet_colour(s, c);
    if (plain) {
        draw_plain(s, f, x, y, right ? x + width : 0);
    } else {
        cairo_move_to(s->cr, x, y);
        pango_cairo_show_layout(s->cr, s->layout);
    }
    return h;
}

void med_sheet_box(med_sheet *s, med_colour c, double x, double y, double w, double h)
{
    if (s->dry) return;
    sheet_colour(s, c);
    cairo_rectangle(s->cr, x, y, w, h);
    cairo_fill(s->cr);
}

void med_sheet_line(med_sheet *s, med_colour c, double width, double x0, double y0, double x1,
                    double y1)
{
    if (s->dry) return;
    sheet_colour(s, c);
    cairo_set_line_cap(s->cr, CAIRO_LINE_CAP_ROUND);
    cairo_set_line_width(s->cr, width);
    cairo_move_to(s->cr, x0, y0);
    cairo_line_to(s->cr, x1, y1);
    cairo_stroke(s->cr);
}

void med_sheet_dot(med_sheet *s, med_colour c, double x, double y, double radius, bool filled)
{
    if (s->dry) return;
    cairo_new_path(s->cr); /* text leaves a point, from which an arc would draw a line */
    cairo_arc(s->cr, x, y, radius, 0, 6.283185307179586);
    if (!filled) cairo_set_source_rgb(s->cr, 1, 1, 1);
    if (filled) sheet_colour(s, c);
    cairo_fill_preserve(s->cr);
    sheet_colour(s, c);
    cairo_set_line_width(s->cr, .8);
    cairo_stroke(s->cr);
}

/* ---- pages ----------------------------------------------------------------------------------- */

double med_sheet_y(const med_sheet *s) { return s->y; }
void med_sheet_move(med_sheet *s, double dy) { s->y += dy; }
int med_sheet_page(const med_sheet *s) { return s->page; }

bool med_sheet_fits(const med_sheet *s, double h, double keep)
{
    return s->y + h + keep <= page_h - foot;
}

static void sheet_footer(med_sheet *s)
{
    static const med_colour grey = {.35, .4, .45}, pale = {.8, .84, .87};
    char text[80];
    double y = page_h - foot + 10, width = page_w - 2 * margin;
    med_sheet_line(s, pale, .6, margin, y - 4, page_w - margin, y - 4);
    for (int i = 0; i < 2; i++)
        med_sheet_text(s, MED_STYLE_FOOT, grey, margin, y + i * 10, width, false,
                       s->opts.footer[i]);
    snprintf(text, sizeof text, MED_SAY(s->opts.language, PAGE_F), s->page, s->pages);
    med_sheet_text(s, MED_STYLE_FOOT, grey, margin, y + 20, width, true, text);
    med_sheet_text(s, MED_STYLE_FOOT, grey, margin, y + 20, width - 80, false,
                   MED_SAY(s->opts.language, BANNER));
}

void med_sheet_next_page(med_sheet *s)
{
    sheet_footer(s);
    if (!s->dry) cairo_show_page(s->cr);
    s->y = margin;
    s->page++;
}

void med_sheet_begin(med_sheet *s, bool dry)
{
    s->dry = dry;
    s->page = 1;
    s->y = margin;
}

void med_sheet_end(med_sheet *s)
{
    sheet_footer(s);
    R1_ASSERT(s->dry || s->page == s->pages, "%d pages were counted, and %d drawn", s->pages,
              s->page);
    s->pages = s->page;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* The file is written when it is whole. */
static cairo_status_t sheet_keep(void *to, const unsigned char *data, unsigned n)
{
    return fwrite(data, 1, n, to) == n ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_NO_MEMORY;
}

/* Cairo would name the hour at which it ran. */
static void sheet_metadata(med_sheet *s)
{
    char created[32];
    snprintf(created, sizeof created, "%.10sT00:00:00Z",
             s->opts.date ? s->opts.date : "2000-01-01");
    cairo_pdf_surface_set_metadata(s->surface, CAIRO_PDF_METADATA_CREATE_DATE, created);
    cairo_pdf_surface_set_metadata(s->surface, CAIRO_PDF_METADATA_TITLE, s->opts.title);
}

static r1_status sheet_fonts(med_sheet *s, r1_err *err)
{
    if (s->opts.language != MED_WORDS_ZH) return R1_OK;
    set_shaped(s, MED_STYLE_TEXT, chinese_sample, page_w, false);
    if (pango_layout_get_unknown_glyphs_count(s->layout) == 0) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "no font with Chinese characters is installed, which a PDF in Chinese needs: install "
            "one (on Debian or Ubuntu: apt-get install fonts-noto-cjk), or leave pdf out of "
            "--format");
}

r1_status med_sheet_new(med_sheet **out, const med_sheet_opts *opts, r1_err *err)
{
    med_sheet *s = calloc(1, sizeof *s);
    if (s) s->file = open_memstream(&s->whole, &s->bytes);
    if (!s || !s->file) {
        free(s);
        R1_FAIL(err, R1_E_NOMEM, "no memory for the pages of a report");
    }
    s->opts = *opts;
    s->surface = cairo_pdf_surface_create_for_stream(sheet_keep, s->file, page_w, page_h);
    s->cr = cairo_create(s->surface);
    sheet_metadata(s);
    r1_status st = sheet_fonts(s, err);
    if (st == R1_OK)
        *out = s;
    else
        med_sheet_free(s);
    return st;
}

static void sheet_close(med_sheet *s)
{
    if (s->layout) g_object_unref(s->layout);
    for (size_t i = 0; i < MED_STYLE_COUNT; i++)
        if (s->font[i].scaled) cairo_scaled_font_destroy(s->font[i].scaled);
    if (s->cr) cairo_destroy(s->cr);
    memset(s->font, 0, sizeof s->font);
    s->layout = NULL;
    s->cr = NULL;
}

r1_status med_sheet_finish(med_sheet *s, char **bytes, size_t *n, r1_err *err)
{
    sheet_close(s);
    cairo_surface_finish(s->surface);
    cairo_status_t st = cairo_surface_status(s->surface);
    bool failed = fclose(s->file) != 0;
    s->file = NULL;
    if (failed || st != CAIRO_STATUS_SUCCESS)
        R1_FAIL(err, R1_E_NOMEM, "the pages of a report: %s",
                failed ? "no memory" : cairo_status_to_string(st));
    *bytes = s->whole;
    *n = s->bytes;
    s->whole = NULL;
    return R1_OK;
}

void med_sheet_free(med_sheet *s)
{
    if (!s) return;
    sheet_close(s);
    cairo_surface_destroy(s->surface);
    if (s->file) fclose(s->file);
    free(s->whole);
    free(s);
}
