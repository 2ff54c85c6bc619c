/* SPDX-License-Identifier: Apache-2.0 */
/* batch_cost.c - see batch_cost.h. Each batch counts by its relative error, so that small ones,
 * whose deadlines are the tight ones, count as much as large ones. The first coefficients stay
 * in as one weak measurement each. */
#include "infer/batch_cost.h"

#include "r1_assert.h"

#include <math.h>
#include <string.h>

static const double forget = 0.995, margin_rate = 0.02, margin_max = 1;

void r1_batch_cost_init(r1_batch_cost *c, const double us[R1_COST_TERMS])
{
    memset(c, 0, sizeof *c);
    memcpy(c->us, us, sizeof c->us);
    for (int i = 0; i < R1_COST_TERMS; i++) {
        double scale = 1e-6 / (us[i] * us[i] + 1e-6);
        c->moment[i][i] = scale;
        c->answer[i] = scale * us[i];
    }
}

static double batch_cost_plain(const r1_batch_cost *c, double n, double units)
{
    return c->us[0] + c->us[1] * n + c->us[2] * units;
}

double r1_batch_cost_at(const r1_batch_cost *c, double n, double units)
{
    return batch_cost_plain(c, n, units) * (1 + c->margin);
}

/* Gauss elimination over the terms of `use`; the others are 0. The matrix is positive definite:
 * a sum of squares. */
static void batch_cost_solve(const r1_batch_cost *c, const bool *use, double *x)
{
    double a[R1_COST_TERMS][R1_COST_TERMS + 1];
    for (int i = 0; i < R1_COST_TERMS; i++) {
        for (int j = 0; j < R1_COST_TERMS; j++)
            a[i][j] = use[i] && use[j] ? c->moment[i][j] : i == j;
        a[i][R1_COST_TERMS] = use[i] ? c->answer[i] : 0;
    }
    for (int i = 0; i < R1_COST_TERMS; i++)
        for (int k = i + 1; k < R1_COST_TERMS; k++) {
            double f = a[k][i] / a[i][i];
            for (int j = i; j <= R1_COST_TERMS; j++) a[k][j] -= f * a[i][j];
        }
    for (int i = R1_COST_TERMS; i-- > 0;) {
        x[i] = a[i][R1_COST_TERMS];
        for (int j = i + 1; j < R1_COST_TERMS; j++) x[i] -= a[i][j] * x[j];
        x[i] /= a[i][i];
    }
}

/* The most negative term leaves until none is left. */
static void batch_cost_fit(r1_batch_cost *c)
{
    bool use[R1_COST_TERMS] = {true, true, true};
    for (;;) {
        double x[R1_COST_TERMS];
        int worst = -1;
        batch_cost_solve(c, use, x);
        for (int i = 0; i < R1_COST_TERMS; i++) {
            if (!isfinite(x[i])) return;
            if (x[i] < 0 && (worst < 0 || x[i] < x[worst])) worst = i;
        }
        if (worst < 0) {
            R1_ASSERT(x[0] >= 0 && x[1] >= 0 && x[2] >= 0, "batcher: costs of %g, %g and %g us",
                      x[0], x[1], x[2]);
            memcpy(c->us, x, sizeof c->us);
            return;
        }
        use[worst] = false;
    }
}

void r1_batch_cost_learn(r1_batch_cost *c, double n, double units, double took_us)
{
    if (!(took_us >= 1)) took_us = 1;
    double error = fabs(took_us / (batch_cost_plain(c, n, units) + 1e-9) - 1);
    double margin = 2 * fmin(error, margin_max) * margin_rate + c->margin * (1 - margin_rate);
    c->margin = fmin(margin, margin_max);
    const double x[R1_COST_TERMS] = {1 / took_us, n / took_us, units / took_us};
    for (int i = 0; i < R1_COST_TERMS; i++) {
        for (int j = 0; j < R1_COST_TERMS; j++)
            c->moment[i][j] = forget * c->moment[i][j] + x[i] * x[j];
        c->answer[i] = forget * c->answer[i] + x[i];
    }
    R1_ASSERT(c->margin >= 0 && c->margin <= margin_max, "batcher: margin %g of %g", c->margin,
              margin_max);
    batch_cost_fit(c);
}
