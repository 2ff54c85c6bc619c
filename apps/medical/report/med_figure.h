/* SPDX-License-Identifier: Apache-2.0 */
/* med_figure.h - the body and its systems as lines, points and labels, for any medium to draw.
 * Units are those of a box of MED_FIGURE_WIDTH by MED_FIGURE_HEIGHT, y downwards. */
#ifndef MED_FIGURE_H
#define MED_FIGURE_H

#include "report/med_report_rows.h"
#include "report/med_systems.h"

enum { MED_FIGURE_WIDTH = 740, MED_FIGURE_HEIGHT = 240, MED_FIGURE_POINTS = 5 };

/* A line with round ends and joins; one point is a dot. */
typedef struct {
    double width;
    uint32_t n;
    struct {
        double x, y;
    } at[MED_FIGURE_POINTS];
} med_figure_line;
extern const med_figure_line med_figure_body[];
extern const uint32_t med_figure_n_body;

/* A system with its point on the body and where its label begins (right) or ends (left). */
typedef struct {
    const med_report_system *system;
    double x, y, radius, label_x, label_y; /* label_y: of the text's middle */
    bool right;
} med_figure_label;

/* Labels do not overlap, on each side in the order of their points. Returns how many there are. */
uint32_t med_figure_labels(const med_report *r, med_figure_label out[MED_SYSTEMS_MAX]);
/* Whether a system stands beside the body, not on it. */
bool med_figure_is_elsewhere(const med_report_system *s);

#endif
