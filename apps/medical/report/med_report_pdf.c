/* SPDX-License-Identifier: Apache-2.0 */
/* med_report_pdf.c - the report as A4 pages: paragraphs set by pango, one after the other, with a footer on each page. */
#include "med_report.h"

#include <cairo-pdf.h>
#include <pango/pangocairo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    cairo_t *cr;
    PangoLayout *layout;
    double y;
    int page;
} sheet;

static const double page_w = 595, page_h = 842, margin = 48;

static const char *str(const json_t *o, const char *k)
{
    const char *s = json_string_value(json_object_get(o, k));
    return s ? s : "";
}
static double num(const json_t *o, const char *k) { return json_number_value(json_object_get(o, k)); }

static void footer(sheet *s)
{
    char text[160];
    snprintf(text, sizeof text, "%s   Page %d", med_report_banner, ++s->page);
    pango_layout_set_text(s->layout, text, -1);
    PangoFontDescription *d = pango_font_description_from_string("Sans 7");
    pango_layout_set_font_description(s->layout, d);
    pango_font_description_free(d);
    cairo_set_source_rgb(s->cr, .4, .4, .4);
    cairo_move_to(s->cr, margin, page_h - margin + 12);
    pango_cairo_show_layout(s->cr, s->layout);
}

/* One paragraph; a new page where it does not fit. indent in points. */
static void put(sheet *s, const char *font, double indent, double gap, double r, double g, double b, const char *text)
{
    PangoFontDescription *d = pango_font_description_from_string(font);
    pango_layout_set_font_description(s->layout, d);
    pango_font_description_free(d);
    pango_layout_set_width(s->layout, (int)((page_w - 2 * margin - indent) * PANGO_SCALE));
    pango_layout_set_text(s->layout, text, -1);
    int h = 0;
    pango_layout_get_pixel_size(s->layout, NULL, &h);
    if (s->y + gap + h > page_h - margin) {
        char *again = strdup(text);
        footer(s);
        cairo_show_page(s->cr);
        s->y = margin;
        if (again) put(s, font, indent, 0, r, g, b, again);
        free(again);
        return;
    }
    s->y += gap;
    cairo_set_source_rgb(s->cr, r, g, b);
    cairo_move_to(s->cr, margin + indent, s->y);
    pango_cairo_show_layout(s->cr, s->layout);
    s->y += h;
}

static void put_findings(sheet *s, const char *head, const json_t *list)
{
    size_t i;
    json_t *o;
    char line[2048];
    put(s, "Sans Bold 12", 0, 14, .04, .43, .46, head);
    json_array_foreach(list, i, o)
    {
        const json_t *e = json_object_get(o, "evidence"), *w = json_object_get(o, "without");
        int n = snprintf(line, sizeof line, "%s (%s)%s", str(o, "name"), str(o, "id"),
                         json_is_true(json_object_get(o, "pinned")) ? ", anchor" : "");
        if (w && n > 0 && n < (int)sizeof line)
            snprintf(line + n, sizeof line - (size_t)n, "; without it %+.1f points", 100 * num(w, "change"));
        put(s, "Sans Bold 9", 0, 4, .1, .15, .2, line);
        snprintf(line, sizeof line, "“%.1500s” %s, %s", str(e, "sentence"), str(e, "section"), str(e, "status"));
        for (char *p = line; *p; p++)
            if (*p == '\n' || *p == '\r') *p = ' ';
        if (g_utf8_validate(line, -1, NULL)) put(s, "Sans 8", 10, 1, .3, .35, .4, line);
    }
}

static void put_candidates(sheet *s, const json_t *r)
{
    size_t i, j;
    json_t *c, *x;
    char line[1024];
    put(s, "Sans Bold 12", 0, 14, .04, .43, .46,
        json_is_true(json_object_get(r, "confident")) ? "Candidates" : "No confident candidate; the nearest are");
    json_array_foreach(json_object_get(r, "candidates"), i, c)
    {
        snprintf(line, sizeof line, "%d.  %s (%s)   %.1f %%", (int)num(c, "rank"), str(c, "name"), str(c, "id"),
                 100 * num(c, "probability"));
        put(s, "Sans Bold 10", 0, 7, .1, .15, .2, line);
        if (i >= 3) continue;
        json_array_foreach(json_object_get(c, "contributions"), j, x)
        {
            double lr = num(x, "log_lr");
            snprintf(line, sizeof line, "%+.2f   %s (%s)", lr, str(x, "name"), str(x, "match"));
            put(s, "Sans 8", 12, 1, lr < 0 ? .7 : .1, lr < 0 ? .15 : .35, lr < 0 ? .12 : .65, line);
        }
    }
    snprintf(line, sizeof line, "None of these: %.1f %%", 100 * num(r, "none_of_these"));
    put(s, "Sans 9", 0, 6, .1, .15, .2, line);
}

r1_status med_report_pdf(const json_t *r, const char *path, r1_err *err)
{
    cairo_surface_t *surface = cairo_pdf_surface_create(path, page_w, page_h);
    sheet s = {.cr = cairo_create(surface), .y = margin};
    s.layout = pango_cairo_create_layout(s.cr);
    size_t i;
    json_t *c;
    char line[1024];
    put(&s, "Sans Bold 17", 0, 0, .1, .15, .2, str(r, "title"));
    snprintf(line, sizeof line, "R1 medical report. Sex %s, %d words read, knowledge base %s", str(r, "sex"),
             (int)num(r, "words"), str(r, "knowledge_base"));
    put(&s, "Sans 9", 0, 2, .35, .42, .48, line);
    put(&s, "Sans Bold 9", 0, 6, .6, .4, 0, str(r, "banner"));
    put_candidates(&s, r);
    put_findings(&s, "Observed findings", json_object_get(r, "observed"));
    put_findings(&s, "Excluded findings", json_object_get(r, "excluded"));
    put_findings(&s, "Mentioned otherwise", json_object_get(r, "other_mentions"));
    put(&s, "Sans Bold 12", 0, 14, .04, .43, .46, "Sources");
    json_array_foreach(json_object_get(r, "sources"), i, c)
    {
        snprintf(line, sizeof line, "%s, %s. %s", str(c, "name"), str(c, "version"), str(c, "licence"));
        put(&s, "Sans 8", 0, 3, .3, .35, .4, line);
    }
    footer(&s);
    g_object_unref(s.layout);
    cairo_destroy(s.cr);
    cairo_surface_finish(surface);
    cairo_status_t st = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    if (st != CAIRO_STATUS_SUCCESS) R1_FAIL(err, R1_E_IO, "%s: %s", path, cairo_status_to_string(st));
    return R1_OK;
}
