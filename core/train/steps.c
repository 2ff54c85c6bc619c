/* SPDX-License-Identifier: Apache-2.0 */
/* steps.c - see steps.h. */
#include "train/steps.h"

#include "cpu/cpu_ops.h"

#include <math.h>

enum { WIDTHS = 20, VALUES_MAX = 1 << 16 };
static const float narrower = 0.9f; /* from one width to the next: .9^19 = .135 */

R1_CLONES static float row_error(const float *x, int32_t n, float step, float limit)
{
    float inverse = 1 / step, sum = 0;
    for (int32_t c = 0; c < n; c++) {
        float v = x[c] * inverse;
        v = v > limit ? limit : v < -limit ? -limit : v;
        float e = x[c] - step * ((v + 12582912.0f) - 12582912.0f); /* 1.5 * 2^23: rounds to whole numbers */
        sum += e * e;
    }
    return sum;
}

float r1_step_fit(const r1_view *x, int32_t limit)
{
    int64_t every = x->rows * x->cols / VALUES_MAX + 1;
    float most = 0, best = 0;
    double least = INFINITY;
    for (int64_t r = 0; r < x->rows; r += every)
        for (int32_t c = 0; c < x->cols; c++) most = fmaxf(most, fabsf(r1_row(x, r)[c]));
    float step = most / (float)limit;
    for (int i = 0; i < WIDTHS && step > 1e-20f && isfinite(step); i++, step *= narrower) {
        double sum = 0;
        for (int64_t r = 0; r < x->rows; r += every) sum += row_error(r1_row(x, r), x->cols, step, (float)limit);
        if (sum < least) least = sum, best = step;
    }
    return best;
}

static void fit_weight(r1_model *m, const r1_exec *e, const r1_call *c, float *step)
{
    r1_view w = r1_operand_view(&m->net.plan, &c->v[0], e->sym, (char *)r1_model_weight(m, c->v[0].t));
    for (int64_t r = 0; r < w.rows; r++) {
        r1_view row = {r1_row(&w, r), 1, w.cols, R1_F32, w.ld};
        float best = r1_step_fit(&row, c->i[0]);
        if (best > 0) step[r] = best;
    }
}

void r1_steps_fit(r1_model *m, const r1_exec *e)
{
    const r1_plan *p = &m->net.plan;
    for (uint32_t i = 0; i < p->n_call; i++) {
        const r1_call *c = &p->call[i];
        if (c->op != R1_OP_LSQ) continue;
        float *step = r1_model_weight(m, c->v[1].t);
        if (p->tensor[c->v[0].t].space == R1_SPACE_WEIGHT) {
            fit_weight(m, e, c, step);
            continue;
        }
        r1_view x = r1_operand_view(p, &c->v[0], e->sym, r1_exec_ptr(e, c->v[0].t));
        float best = r1_step_fit(&x, c->i[0]);
        if (best > 0) *step = best;
    }
}
