/* SPDX-License-Identifier: Apache-2.0 */
/* med_report_pdf.c - the report as A4 pages: paragraphs one after the other, with a footer on
 * each page.
 *
 * Latin text, which is nearly all of it, is broken into lines here and drawn as glyphs of one
 * font per style; what needs shaping or another font goes through pango, which takes several
 * times as long for the same paragraph. */
#include "report/med_report.h"

#include <cairo-pdf.h>
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
typedef enum {
    STYLE_TITLE,
    STYLE_HEAD,
    STYLE_NAME,
    STYLE_FINDING,
    STYLE_TEXT,
    STYLE_SMALL,
    STYLE_FOOT,
    STYLE_COUNT
} style;
static const struct {
    bool bold;
    double size; /* points */
} styles[STYLE_COUNT] = {{true, 17}, {true, 12}, {true, 10}, {true, 9},
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

typedef struct {
    cairo_t *cr;
    PangoLayout *layout; /* made when the first paragraph needs it */
    font font[STYLE_COUNT];
    double y;
    int page;
    /* the paragraph in hand */
    cairo_glyph_t glyph[GLYPHS_MAX];
    int n_glyph, n_line;
    uint32_t line_end[GLYPHS_MAX / 8];
} sheet;

static const double page_w = 595, page_h = 842, margin = 48;

static const char *report_pdf_str(const json_t *o, const char *k)
{
    const char *s = json_string_value(json_object_get(o, k));
    return s ? s : "";
}
static double report_pdf_num(const json_t *o, const char *k)
{
    return json_number_value(json_object_get(o, k));
}

/* ---- fonts ----------------------------------------------------------------------------------- */

static font *font_of(sheet *s, style st)
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
static int report_pdf_slot_of(gunichar c)
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

/* Glyphs and line ends of a paragraph, greedily broken at blanks; positions are those within the
 * lines. False where it is not plain Latin text that fits the tables. */
static bool set_plain(sheet *s, font *f, const char *text, double width)
{
    double x = 0;
    int blank = -1; /* the last glyph after which a line may end */
    s->n_glyph = s->n_line = 0;
    int start = 0;
    for (const char *p = text, *next; *p; p = next) {
        next = g_utf8_next_char(p);
        int slot = report_pdf_slot_of(g_utf8_get_char(p));
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
    return true;
}

static void draw_plain(sheet *s, const font *f, double left)
{
    cairo_set_scaled_font(s->cr, f->scaled);
    for (int l = 0, from = 0; l < s->n_line; l++) {
        int to = (int)s->line_end[l];
        double y = s->y + f->ascent + l * f->height;
        for (int k = from; k < to; k++) s->glyph[k].x += left, s->glyph[k].y = y;
        cairo_show_glyphs(s->cr, s->glyph + from, to - from);
        from = to;
    }
}

static double set_shaped(sheet *s, style st, const char *text, double width)
{
    int h = 0;
    if (!s->layout) s->layout = pango_cairo_create_layout(s->cr);
    PangoFontDescription *d = pango_font_description_new();
    pango_font_description_set_family_static(d, "Sans");
    pango_font_description_set_weight(d, styles[st].bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    pango_font_description_set_absolute_size(d, styles[st].size * PANGO_SCALE);
    pango_layout_set_font_description(s->layout, d);
    pango_font_description_free(d);
    pango_layout_set_width(s->layout, (int)(width * PANGO_SCALE));
    pango_layout_set_text(s->layout, text, -1);
    pango_layout_get_pixel_size(s->layout, NULL, &h);
    return h;
}

static void report_pdf_footer(sheet *s)
{
    char text[160];
    font *f = font_of(s, STYLE_FOOT);
    double y = s->y;
    snprintf(text, sizeof text, "%s   Page %d", med_report_banner, ++s->page);
    cairo_set_source_rgb(s->cr, .4, .4, .4);
    s->y = page_h - margin + 12;
    if (set_plain(s, f, text, page_w - 2 * margin)) draw_plain(s, f, margin);
    s->y = y;
}

/* One paragraph; a new page where it does not fit. indent and gap in points. */
static void report_pdf_put(sheet *s, style st, double indent, double gap, double r, double g,
                           double b, const char *text)
{
    font *f = font_of(s, st);
    double width = page_w - 2 * margin - indent;
    bool plain = set_plain(s, f, text, width);
    double h = plain ? s->n_line * f->height : set_shaped(s, st, text, width);
    if (s->y + gap + h > page_h - margin) {
        report_pdf_footer(s);
        cairo_show_page(s->cr);
        s->y = margin;
        gap = 0;
        if (plain) set_plain(s, f, text, width);
    }
    s->y += gap;
    cairo_set_source_rgb(s->cr, r, g, b);
    if (plain) {
        draw_plain(s, f, margin + indent);
    } else {
        cairo_move_to(s->cr, margin + indent, s->y);
        pango_cairo_show_layout(s->cr, s->layout);
    }
    s->y += h;
}

static void put_findings(sheet *s, const char *head, const json_t *list)
{
    size_t i;
    json_t *o;
    char line[2048];
    report_pdf_put(s, STYLE_HEAD, 0, 14, .04, .43, .46, head);
    json_array_foreach(list, i, o)
    {
        const json_t *e = json_object_get(o, "evidence"), *w = json_object_get(o, "without");
        int n = snprintf(line, sizeof line, "%s (%s)", report_pdf_str(o, "name"),
                         report_pdf_str(o, "id"));
        if (w && n > 0 && n < (int)sizeof line)
            snprintf(line + n, sizeof line - (size_t)n,
                     ", anchor of weight %.1f; without it %+.1f points",
                     report_pdf_num(o, "weight"), 100 * report_pdf_num(w, "change"));
        report_pdf_put(s, STYLE_FINDING, 0, 4, .1, .15, .2, line);
        snprintf(line, sizeof line, "“%.1500s” %s, %s", report_pdf_str(e, "sentence"),
                 report_pdf_str(e, "section"), report_pdf_str(e, "status"));
        for (char *p = line; *p; p++)
            if (*p == '\n' || *p == '\r') *p = ' ';
        if (g_utf8_validate(line, -1, NULL))
            report_pdf_put(s, STYLE_SMALL, 10, 1, .3, .35, .4, line);
    }
}

static void put_candidates(sheet *s, const json_t *r)
{
    size_t i, j;
    json_t *c, *x;
    char line[1024];
    report_pdf_put(s, STYLE_HEAD, 0, 14, .04, .43, .46,
                   json_is_true(json_object_get(r, "confident"))
                       ? "Candidates"
                       : "No confident candidate; the nearest are");
    json_array_foreach(json_object_get(r, "candidates"), i, c)
    {
        snprintf(line, sizeof line, "%d.  %s (%s)   %.1f %%", (int)report_pdf_num(c, "rank"),
                 report_pdf_str(c, "name"), report_pdf_str(c, "id"),
                 100 * report_pdf_num(c, "probability"));
        report_pdf_put(s, STYLE_NAME, 0, 7, .1, .15, .2, line);
        if (i >= 3) continue;
        json_array_foreach(json_object_get(c, "contributions"), j, x)
        {
            double lr = report_pdf_num(x, "log_lr");
            snprintf(line, sizeof line, "%+.2f   %s (%s)", lr, report_pdf_str(x, "name"),
                     report_pdf_str(x, "match"));
            report_pdf_put(s, STYLE_SMALL, 12, 1, lr < 0 ? .7 : .1, lr < 0 ? .15 : .35,
                           lr < 0 ? .12 : .65, line);
        }
    }
    snprintf(line, sizeof line, "None of these: %.1f %%", 100 * report_pdf_num(r, "none_of_these"));
    report_pdf_put(s, STYLE_TEXT, 0, 6, .1, .15, .2, line);
}

r1_status med_report_pdf(const json_t *r, const char *path, r1_err *err)
{
    cairo_surface_t *surface = cairo_pdf_surface_create(path, page_w, page_h);
    sheet *s = calloc(1, sizeof *s);
    if (!s) {
        cairo_surface_destroy(surface);
        R1_FAIL(err, R1_E_NOMEM, "no memory for %s", path);
    }
    s->cr = cairo_create(surface);
    s->y = margin;
    size_t i;
    json_t *c;
    char line[1024];
    report_pdf_put(s, STYLE_TITLE, 0, 0, .1, .15, .2, report_pdf_str(r, "title"));
    snprintf(line, sizeof line,
             "R1 medical report. Sex %s, %d words read, knowledge base %s, ranked by %s",
             report_pdf_str(r, "sex"), (int)report_pdf_num(r, "words"),
             report_pdf_str(r, "knowledge_base"), report_pdf_str(r, "ranked_by"));
    report_pdf_put(s, STYLE_TEXT, 0, 2, .35, .42, .48, line);
    report_pdf_put(s, STYLE_FINDING, 0, 6, .6, .4, 0, report_pdf_str(r, "banner"));
    put_candidates(s, r);
    put_findings(s, "Observed findings", json_object_get(r, "observed"));
    put_findings(s, "Excluded findings", json_object_get(r, "excluded"));
    put_findings(s, "Mentioned otherwise", json_object_get(r, "other_mentions"));
    report_pdf_put(s, STYLE_HEAD, 0, 14, .04, .43, .46, "Sources");
    json_array_foreach(json_object_get(r, "sources"), i, c)
    {
        snprintf(line, sizeof line, "%s, %s. %s", report_pdf_str(c, "name"),
                 report_pdf_str(c, "version"), report_pdf_str(c, "licence"));
        report_pdf_put(s, STYLE_SMALL, 0, 3, .3, .35, .4, line);
    }
    report_pdf_footer(s);
    if (s->layout) g_object_unref(s->layout);
    for (i = 0; i < STYLE_COUNT; i++)
        if (s->font[i].scaled) cairo_scaled_font_destroy(s->font[i].scaled);
    cairo_destroy(s->cr);
    free(s);
    cairo_surface_finish(surface);
    cairo_status_t st = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    if (st != CAIRO_STATUS_SUCCESS)
        R1_FAIL(err, R1_E_IO, "%s: %s", path, cairo_status_to_string(st));
    return R1_OK;
}
