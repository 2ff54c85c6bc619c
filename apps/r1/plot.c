/* SPDX-License-Identifier: Apache-2.0 */
/* plot.c - a metrics file as a picture: each event's loss or reward over the steps, one line a
 * curve, in SVG written by hand. */
#include "cli_r1.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CURVES = 4,
    POINTS_MAX = 1 << 16,
    LINE_MAX_BYTES = 4096,
    WIDE = 720,
    HIGH = 400,
    LEFT = 70,
    RIGHT = 20,
    TOP = 30,
    BOTTOM = 50
};

/* Which figure of which event makes a curve. */
static const struct {
    const char *event, *figure, *colour;
} kinds[CURVES] = {{"train", "loss", "#8fb3d9"},
                   {"valid", "loss", "#1f5fa8"},
                   {"train", "reward", "#e6b37a"},
                   {"valid", "reward", "#b3541e"}};

typedef struct {
    double (*at)[2]; /* step, value */
    size_t n;
} curve;

typedef struct {
    curve c[CURVES];
    double x_max, low, high;
} picture;

static void add_point(picture *p, size_t k, double step, double value)
{
    curve *c = &p->c[k];
    if (c->n == POINTS_MAX || !isfinite(value) || !isfinite(step)) return;
    double(*grown)[2] = r1_realloc_array(c->at, c->n + 1, sizeof *grown);
    if (!grown) return;
    c->at = grown;
    c->at[c->n][0] = step;
    c->at[c->n++][1] = value;
    p->x_max = fmax(p->x_max, step);
    p->low = fmin(p->low, value);
    p->high = fmax(p->high, value);
}

static r1_status plot_read_line(picture *p, const char *line, size_t number, r1_err *err)
{
    json_error_t where;
    json_t *row = json_loads(line, JSON_REJECT_DUPLICATES, &where);
    const char *event = json_string_value(json_object_get(row, "event"));
    const json_t *step = json_object_get(row, "step");
    bool good = event && json_is_number(step);
    for (size_t k = 0; good && k < CURVES; k++) {
        const json_t *v = json_object_get(row, kinds[k].figure);
        if (strcmp(event, kinds[k].event) == 0 && json_is_number(v))
            add_point(p, k, json_number_value(step), json_number_value(v));
    }
    json_decref(row);
    if (good) return R1_OK;
    R1_FAIL(err, R1_E_FORMAT, "line %zu: expected a JSON object with \"event\" and \"step\"%s%s",
            number, row ? "" : ", found: ", row ? "" : where.text);
}

static r1_status read_metrics(picture *p, const char *path, r1_err *err)
{
    char line[LINE_MAX_BYTES];
    FILE *f = fopen(path, "re");
    if (!f) R1_FAIL(err, R1_E_IO, "plot: %s cannot be read", path);
    r1_status st = R1_OK;
    for (size_t n = 1; st == R1_OK && fgets(line, sizeof line, f); n++)
        if (line[0] != '\n') st = plot_read_line(p, line, n, err);
    fclose(f);
    if (st != R1_OK) r1_err_prefix(err, "plot: %s: ", path);
    return st;
}

static double x_of(const picture *p, double step)
{
    return LEFT + (WIDE - LEFT - RIGHT) * step / p->x_max;
}
static double y_of(const picture *p, double v)
{
    return HIGH - BOTTOM - (HIGH - TOP - BOTTOM) * (v - p->low) / (p->high - p->low);
}

static void draw_axes(const picture *p, FILE *f)
{
    fprintf(f, "<path d=\"M%d %d V%d H%d\" fill=\"none\" stroke=\"#444\"/>\n", LEFT, TOP,
            HIGH - BOTTOM, WIDE - RIGHT);
    for (int i = 0; i <= 4; i++) {
        double step = p->x_max * i / 4, v = p->low + (p->high - p->low) * i / 4;
        fprintf(f, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n", x_of(p, step),
                HIGH - BOTTOM + 18, step);
        fprintf(f, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n", LEFT - 8,
                y_of(p, v) + 4, v);
        fprintf(f, "<path d=\"M%d %.1f H%d\" stroke=\"#ddd\"/>\n", LEFT, y_of(p, v), WIDE - RIGHT);
    }
    fprintf(f, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">step</text>\n",
            (LEFT + WIDE - RIGHT) / 2, HIGH - 10);
}

static void draw_curves(const picture *p, FILE *f)
{
    for (size_t k = 0, row = 0; k < CURVES; k++) {
        const curve *c = &p->c[k];
        if (c->n == 0) continue;
        fprintf(f, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.6\" points=\"",
                kinds[k].colour);
        for (size_t i = 0; i < c->n; i++)
            fprintf(f, "%.1f,%.1f ", x_of(p, c->at[i][0]), y_of(p, c->at[i][1]));
        fprintf(f, "\"/>\n<text x=\"%d\" y=\"%zu\" fill=\"%s\">%s %s</text>\n", WIDE - 150,
                TOP + 16 * row++, kinds[k].colour, kinds[k].event, kinds[k].figure);
    }
}

static r1_status write_picture(const picture *p, const char *svg, r1_err *err)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (!f) R1_FAIL(err, R1_E_NOMEM, "plot: out of memory");
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
            "font-family=\"sans-serif\" font-size=\"12\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            WIDE, HIGH);
    draw_axes(p, f);
    draw_curves(p, f);
    fprintf(f, "</svg>\n");
    r1_status st = fclose(f) == 0
                       ? r1_file_write(svg, text, len, err)
                       : r1_err_set(err, R1_E_NOMEM, __FILE__, __LINE__, "plot: out of memory");
    free(text);
    return st;
}

r1_status cli_plot(const char *metrics, const char *svg, r1_err *err)
{
    picture p = {.x_max = 1, .low = INFINITY, .high = -INFINITY};
    r1_status st = read_metrics(&p, metrics, err);
    if (!(p.low <= p.high)) p.low = 0, p.high = 1;
    if (p.high - p.low < 1e-9) p.high = p.low + 1;
    if (st == R1_OK) st = write_picture(&p, svg, err);
    for (size_t k = 0; k < CURVES; k++) free(p.c[k].at);
    return st;
}
