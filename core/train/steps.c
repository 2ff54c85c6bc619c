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
        float e = x[c] - step * ((v + 12582912.0f) -
                                 12582912.0f); /* 1.5 * 2^23: rounds to whole numbers */
        sum += e * e;
    }
    return sum;
}

static double error_of(const r1_view *x, uint32_t n, int64_t every, float step, int32_t limit)
{
    double sum = 0;
    for (uint32_t k = 0; k < n; k++)
        for (int64_t r = 0; r < x[k].rows; r += every)
            sum += row_error(r1_row(&x[k], r), x[k].cols, step, (float)limit);
    return sum;
}

float r1_step_fit(const r1_view *x, uint32_t n, int32_t limit)
{
    int64_t values = 0;
    float most = 0, best = 0;
    double least = INFINITY;
    for (uint32_t k = 0; k < n; k++) values += x[k].rows * x[k].cols;
    int64_t every = values / VALUES_MAX + 1;
    for (uint32_t k = 0; k < n; k++)
        for (int64_t r = 0; r < x[k].rows; r += every)
            for (int32_t c = 0; c < x[k].cols; c++) most = fmaxf(most, fabsf(r1_row(&x[k], r)[c]));
    float step = most / (float)limit;
    for (int i = 0; i < WIDTHS && step > 1e-20f && isfinite(step); i++, step *= narrower) {
        double sum = error_of(x, n, every, step, limit);
        if (sum < least) least = sum, best = step;
    }
    return best;
}

static void fit_weight(r1_model *m, const r1_exec *e, const r1_call *c, float *step)
{
    r1_view w = r1_operand_view(&m->net.plan, &c->v[R1_LSQ_X], e->sym,
                                (char *)r1_model_weight(m, c->v[R1_LSQ_X].t));
    for (int64_t r = 0; r < w.rows; r++) {
        r1_view row = {r1_row(&w, r), 1, w.cols, R1_F32, w.ld};
        float best = r1_step_fit(&row, 1, c->i[R1_LSQ_LIMIT]);
        if (best > 0) step[r] = best;
    }
}

void r1_steps_fit(r1_model *m, const r1_exec *const *e, uint32_t n_e)
{
    const r1_plan *p = &m->net.plan;
    for (uint32_t i = 0; i < p->n_call; i++) {
        const r1_call *c = &p->call[i];
        if (c->op != R1_OP_LSQ) continue;
        float *step = r1_model_weight(m, c->v[R1_LSQ_STEP].t);
        if (p->tensor[c->v[R1_LSQ_X].t].space == R1_SPACE_WEIGHT) {
            fit_weight(m, e[0], c, step);
            continue;
        }
        r1_view x[R1_STEP_VIEWS_MAX];
        for (uint32_t k = 0; k < n_e; k++)
            x[k] =
                r1_operand_view(p, &c->v[R1_LSQ_X], e[k]->sym, r1_exec_ptr(e[k], c->v[R1_LSQ_X].t));
        float best = r1_step_fit(x, n_e, c->i[R1_LSQ_LIMIT]);
        if (best > 0) *step = best;
    }
}
