/* SPDX-License-Identifier: Apache-2.0 */
/* med_sink_pdf.c - the report as A4 pages: paragraphs one after the other, with a footer on
 * each page.
 *
 * Latin text, which is nearly all of it, is broken into lines here and drawn as glyphs of one
 * font per style; what needs shaping or another font goes through pango, which takes several
 * times as long for the same paragraph. */
#include "print/med_put.h"
#include "report/med_sink.h"
#include "report/med_words.h"

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

/* The page in hand and the paragraph in hand. y counts points from the page's upper edge. */
typedef struct {
    cairo_t *cr;
    PangoLayout *layout; /* made when the first paragraph needs it */
    font font[STYLE_COUNT];
    double y;
    int page;
    /* the paragraph in hand */
    cairo_glyph_t glyph[GLYPHS_MAX];
    int n_glyph, n_line;
    uint32_t line_end[GLYPHS_MAX / 8]; /* glyph after the last of each line, ascending */
} sheet;

static const double page_w = 595, page_h = 842, margin = 48;

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

/* Glyphs and line ends of a paragraph, greedily broken at blanks. Positions are those within the
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
    R1_ASSERT(s->n_glyph <= GLYPHS_MAX && s->n_line <= (int)R1_COUNT(s->line_end),
              "paragraph: %d glyphs in %d lines", s->n_glyph, s->n_line);
    return true;
}

static void draw_plain(sheet *s, const font *f, double left)
{
    cairo_set_scaled_font(s->cr, f->scaled);
    for (int l = 0, from = 0; l < s->n_line; l++) {
        int to = (int)s->line_end[l];
        R1_ASSERT(from <= to && to <= s->n_glyph, "line %d: glyphs %d to %d of %d", l, from, to,
                  s->n_glyph);
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
    snprintf(text, sizeof text, MED_WORDS_BANNER MED_WORDS_PAGE_F, ++s->page);
    cairo_set_source_rgb(s->cr, .4, .4, .4);
    s->y = page_h - margin + 12;
    if (set_plain(s, f, text, page_w - 2 * margin)) draw_plain(s, f, margin);
    s->y = y;
}

/* How each kind of paragraph looks. indent and gap in points. */
typedef enum {
    LOOK_TITLE,
    LOOK_INPUT,
    LOOK_BANNER,
    LOOK_HEADING,
    LOOK_CANDIDATE,
    LOOK_FOR,
    LOOK_AGAINST,
    LOOK_NONE,
    LOOK_FINDING,
    LOOK_QUOTE,
    LOOK_SOURCE,
    LOOK_COUNT
} look;
static const struct {
    style style;
    double indent, gap, r, g, b;
} looks[LOOK_COUNT] = {
    [LOOK_TITLE] = {STYLE_TITLE, 0, 0, .1, .15, .2},
    [LOOK_INPUT] = {STYLE_TEXT, 0, 2, .35, .42, .48},
    [LOOK_BANNER] = {STYLE_FINDING, 0, 6, .6, .4, 0},
    [LOOK_HEADING] = {STYLE_HEAD, 0, 14, .04, .43, .46},
    [LOOK_CANDIDATE] = {STYLE_NAME, 0, 7, .1, .15, .2},
    [LOOK_FOR] = {STYLE_SMALL, 12, 1, .1, .35, .65},
    [LOOK_AGAINST] = {STYLE_SMALL, 12, 1, .7, .15, .12},
    [LOOK_NONE] = {STYLE_TEXT, 0, 6, .1, .15, .2},
    [LOOK_FINDING] = {STYLE_FINDING, 0, 4, .1, .15, .2},
    [LOOK_QUOTE] = {STYLE_SMALL, 10, 1, .3, .35, .4},
    [LOOK_SOURCE] = {STYLE_SMALL, 0, 3, .3, .35, .4},
};

/* One paragraph of UTF-8; a new page where it does not fit. */
static void report_pdf_put(sheet *s, look k, const char *text)
{
    R1_DEEP_ASSERT(g_utf8_validate(text, -1, NULL), "paragraph \"%.40s\" is not UTF-8", text);
    style st = looks[k].style;
    double gap = looks[k].gap, left = margin + looks[k].indent;
    double width = page_w - margin - left;
    font *f = font_of(s, st);
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
    cairo_set_source_rgb(s->cr, looks[k].r, looks[k].g, looks[k].b);
    if (plain) {
        draw_plain(s, f, left);
    } else {
        cairo_move_to(s->cr, left, s->y);
        pango_cairo_show_layout(s->cr, s->layout);
    }
    s->y += h;
}

/* ---- the sink -------------------------------------------------------------------------------- */

typedef struct {
    med_sink sink;
    sheet page;
    FILE *line; /* the paragraph that is being written, from its start */
    char *text; /* line's buffer, NUL-terminated once pdf_show has flushed it */
    size_t bytes;
    bool detailed; /* of the candidate in hand, its findings are shown */
} pdf_sink;

/* What was written since the last paragraph becomes one. */
static void pdf_show(pdf_sink *s, look k)
{
    fputc('\0', s->line);
    if (fflush(s->line) == 0 && s->text) report_pdf_put(&s->page, k, s->text);
    rewind(s->line);
}

static void pdf_heading(pdf_sink *s, const char *words)
{
    fputs(words, s->line);
    pdf_show(s, LOOK_HEADING);
}

static void pdf_head(med_sink *base)
{
    pdf_sink *s = (pdf_sink *)base;
    const med_report *r = base->report;
    med_put(s->line, MED_TEXT_LINE, "%s", r->title);
    pdf_show(s, LOOK_TITLE);
    med_put(s->line, MED_TEXT_LINE, MED_WORDS_PDF_INPUT MED_WORDS_SEX_F, r->sex);
    if (!isnan(r->age_years)) med_put(s->line, MED_TEXT_LINE, MED_WORDS_AGE_F, r->age_years);
    med_put(s->line, MED_TEXT_LINE, MED_WORDS_INPUT_F, r->words, r->knowledge_base, r->ranked_by);
    pdf_show(s, LOOK_INPUT);
    fputs(MED_WORDS_BANNER, s->line);
    pdf_show(s, LOOK_BANNER);
    if (r->not_read || r->cut) {
        med_put(s->line, MED_TEXT_LINE, MED_WORDS_NOT_READ_F, r->not_read, r->cut);
        pdf_show(s, LOOK_BANNER);
    }
    if (r->unranked) {
        med_put(s->line, MED_TEXT_LINE, MED_WORDS_UNRANKED_F, r->unranked, MED_QUERY_MAX);
        pdf_show(s, LOOK_BANNER);
    }
    for (uint32_t i = 0; i < r->reading.n; i++) {
        med_put(s->line, MED_TEXT_LINE, "%s", r->reading.s[i]);
        pdf_show(s, LOOK_BANNER);
    }
}

static void pdf_open(med_sink *base, med_list list, size_t n)
{
    pdf_sink *s = (pdf_sink *)base;
    switch (list) {
    case MED_LIST_CANDIDATES:
        pdf_heading(s, base->report->confident ? MED_WORDS_CANDIDATES : MED_WORDS_NOT_CONFIDENT);
        break;
    case MED_LIST_GENES:
        pdf_heading(s, MED_WORDS_GENES);
        fputs(MED_WORDS_GENES_ABOUT, s->line);
        pdf_show(s, LOOK_SOURCE);
        break;
    case MED_LIST_OBSERVED: pdf_heading(s, MED_WORDS_OBSERVED); break;
    case MED_LIST_EXCLUDED:
        pdf_heading(s, MED_WORDS_EXCLUDED);
        if (!n) break;
        fputs(MED_WORDS_DENIED, s->line);
        pdf_show(s, LOOK_SOURCE);
        break;
    case MED_LIST_OTHERS: pdf_heading(s, MED_WORDS_OTHERS); break;
    case MED_LIST_SOURCES: pdf_heading(s, MED_WORDS_SOURCES); break;
    default: break;
    }
}

static void pdf_candidate(pdf_sink *s, const med_report_candidate *c)
{
    s->detailed = c->rank <= MED_REPORT_DETAILED;
    med_put(s->line, MED_TEXT_LINE, "%u.  %s (%s)   %.1f %%", c->rank, c->name, c->id,
            100 * c->probability);
    pdf_show(s, LOOK_CANDIDATE);
}

static void pdf_contribution(pdf_sink *s, const med_report_contribution *x)
{
    if (!s->detailed) return;
    med_put(s->line, MED_TEXT_LINE, "%+.2f   %s (%s)", x->log_lr, x->name, x->match);
    pdf_show(s, x->log_lr < 0 ? LOOK_AGAINST : LOOK_FOR);
}

static void pdf_finding(pdf_sink *s, const med_report_finding *o)
{
    const med_report_quote *q = &o->quote;
    med_put(s->line, MED_TEXT_LINE, "%s (%s)", o->name, o->id);
    if (o->anchor && o->anchor->without)
        med_put(s->line, MED_TEXT_LINE, MED_WORDS_PDF_ANCHOR_F, o->anchor->weight,
                100 * o->anchor->without->change);
    pdf_show(s, LOOK_FINDING);
    med_put(s->line, MED_TEXT_LINE, "“%.*s” %s, %s", (int)q->sentence.len, q->sentence.s,
            q->section, q->status);
    pdf_show(s, LOOK_QUOTE);
}

static void pdf_gene(pdf_sink *s, const med_report_gene *g)
{
    med_put(s->line, MED_TEXT_LINE, "%u.  %s (%s)   %.1f %%", g->rank, g->name, g->id,
            100 * g->probability);
    pdf_show(s, LOOK_CANDIDATE);
    if (g->gene)
        med_put(s->line, MED_TEXT_LINE, MED_WORDS_GENE_F, g->gene, g->alleles, g->inheritance,
                g->ratio);
    else
        fputs(MED_WORDS_NO_GENE, s->line);
    pdf_show(s, LOOK_SOURCE);
}

static void pdf_row(med_sink *base, med_list list, const void *row)
{
    pdf_sink *s = (pdf_sink *)base;
    switch (list) {
    case MED_LIST_CANDIDATES: pdf_candidate(s, row); break;
    case MED_LIST_GENES: pdf_gene(s, row); break;
    case MED_LIST_CONTRIBUTIONS: pdf_contribution(s, row); break;
    case MED_LIST_OBSERVED:
    case MED_LIST_EXCLUDED:
    case MED_LIST_OTHERS: pdf_finding(s, row); break;
    case MED_LIST_SOURCES: {
        const med_report_source *x = row;
        med_put(s->line, MED_TEXT_LINE, MED_WORDS_SOURCE_F, x->name, x->version, x->licence);
        pdf_show(s, LOOK_SOURCE);
        break;
    }
    default: break;
    }
}

static void pdf_close(med_sink *base, med_list list)
{
    pdf_sink *s = (pdf_sink *)base;
    if (list != MED_LIST_CANDIDATES) return;
    med_put(s->line, MED_TEXT_LINE, MED_WORDS_NONE_F, 100 * base->report->none_of_these);
    pdf_show(s, LOOK_NONE);
}

static void pdf_end(med_sink *base) { report_pdf_footer(&((pdf_sink *)base)->page); }

static void pdf_free(pdf_sink *s)
{
    if (s->line) fclose(s->line);
    free(s->text);
    if (s->page.layout) g_object_unref(s->page.layout);
    for (size_t i = 0; i < STYLE_COUNT; i++)
        if (s->page.font[i].scaled) cairo_scaled_font_destroy(s->page.font[i].scaled);
    cairo_destroy(s->page.cr);
    free(s);
}

/* The file is written when it is whole. */
static cairo_status_t pdf_keep(void *to, const unsigned char *data, unsigned n)
{
    return fwrite(data, 1, n, to) == n ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_NO_MEMORY;
}

r1_status med_report_pdf_bytes(const med_report *r, char **out, size_t *len, r1_err *err)
{
    static const med_sink_ops ops = {.name = "pdf",
                                     .head = pdf_head,
                                     .open = pdf_open,
                                     .row = pdf_row,
                                     .close = pdf_close,
                                     .end = pdf_end};
    pdf_sink *s = calloc(1, sizeof *s);
    if (!s) R1_FAIL(err, R1_E_NOMEM, "no memory for a PDF");
    char *whole = NULL;
    size_t n = 0;
    FILE *file = open_memstream(&whole, &n);
    if (!file) {
        free(s);
        R1_FAIL(err, R1_E_NOMEM, "no memory for a PDF");
    }
    cairo_surface_t *surface = cairo_pdf_surface_create_for_stream(pdf_keep, file, page_w, page_h);
    s->sink = (med_sink){.ops = &ops, .report = r};
    s->page.cr = cairo_create(surface);
    s->page.y = margin;
    s->line = open_memstream(&s->text, &s->bytes);
    bool failed = !s->line;
    if (!failed) med_sink_walk(&s->sink);
    failed = failed || ferror(s->line);
    pdf_free(s);
    cairo_surface_finish(surface);
    cairo_status_t st = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    failed = fclose(file) != 0 || failed;
    if (failed || st != CAIRO_STATUS_SUCCESS) {
        free(whole);
        R1_FAIL(err, R1_E_NOMEM, "a PDF: %s", failed ? "no memory" : cairo_status_to_string(st));
    }
    *out = whole;
    *len = n;
    return R1_OK;
}

r1_status med_report_pdf(const med_report *r, const char *path, r1_err *err)
{
    char *whole = NULL;
    size_t n = 0;
    R1_TRY(med_report_pdf_bytes(r, &whole, &n, err));
    r1_status st = r1_file_write(path, whole, n, err);
    free(whole);
    return st;
}
