/* SPDX-License-Identifier: Apache-2.0 */
/* med_figure.c - see med_figure.h. */
#include "report/med_figure.h"

#include <math.h>
#include <stdlib.h>

/* The places of med_systems.h are those of a box of 480: the body stands in the middle of this. */
static const double figure_shift = 130, figure_left = 268, figure_right = 472;
static const double figure_step = 21, figure_top = 12, figure_bottom = 230;

const med_figure_line med_figure_body[] = {
    {38, 1, {{370, 28}}},                                                /* head */
    {15, 2, {{370, 40}, {370, 62}}},                                     /* neck */
    {24, 5, {{349, 75}, {391, 75}, {385, 116}, {387, 141}, {353, 141}}}, /* trunk */
    {24, 3, {{353, 141}, {355, 116}, {349, 75}}},
    {34, 2, {{370, 80}, {370, 136}}},
    {13, 3, {{344, 72}, {325, 112}, {316, 148}}}, /* arms */
    {13, 3, {{396, 72}, {415, 112}, {424, 148}}},
    {18, 3, {{357, 148}, {354, 190}, {352, 230}}}, /* legs */
    {18, 3, {{383, 148}, {386, 190}, {388, 230}}},
};
const uint32_t med_figure_n_body = R1_COUNT(med_figure_body);

bool med_figure_is_elsewhere(const med_report_system *s)
{
    return s->place >= med_system_n_place || med_system_places[s->place].side == '-';
}

/* Left before right, then from the head downwards. */
static int figure_order(const void *a, const void *b)
{
    const med_figure_label *x = a, *y = b;
    if (x->right != y->right) return x->right ? 1 : -1;
    if (x->y != y->y) return x->y > y->y ? 1 : -1;
    return (x->system > y->system) - (x->system < y->system);
}

/* The labels of one side, each as near to its point as the one above leaves room. */
static void figure_spread(med_figure_label *l, uint32_t n)
{
    double over, at = figure_top;
    for (uint32_t i = 0; i < n; i++) {
        l[i].label_y = fmax(at, l[i].y);
        at = l[i].label_y + figure_step;
    }
    over = n ? l[n - 1].label_y - figure_bottom : 0;
    for (uint32_t i = n; i-- > 0 && over > 0;) {
        l[i].label_y -= over;
        over = i ? figure_step - (l[i].label_y - l[i - 1].label_y) : 0;
    }
}

uint32_t med_figure_labels(const med_report *r, med_figure_label out[MED_SYSTEMS_MAX])
{
    uint32_t n = 0, n_left = 0;
    for (uint32_t i = 0; i < r->n_system && n < MED_SYSTEMS_MAX; i++) {
        const med_report_system *s = &r->system[i];
        if (med_figure_is_elsewhere(s)) continue;
        const med_system_place *p = &med_system_places[s->place];
        bool right = p->side == 'R';
        n_left += !right;
        out[n++] = (med_figure_label){
            .system = s,
            .x = p->x + figure_shift,
            .y = p->y,
            .radius = s->n_observed ? fmin(8, 2.5 + sqrt((double)s->n_observed)) : 3,
            .label_x = right ? figure_right : figure_left,
            .right = right};
    }
    qsort(out, n, sizeof *out, figure_order);
    figure_spread(out, n_left);
    figure_spread(out + n_left, n - n_left);
    return n;
}
