/* SPDX-License-Identifier: Apache-2.0 */
/* med_growth.c - see med_growth.h. */
#include "notes/med_growth.h"

#include "notes/med_rows.h"

#include "r1_assert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROWTH_ROWS_MAX = 1000 };

static const double adult_months = 240;

typedef struct {
    double month, l, m, s;
} growth_row;

/* The rows of a measure and sex stand together, their ages ascend. */
typedef struct {
    uint32_t first, n;
} growth_curve;

struct med_growth {
    growth_row row[GROWTH_ROWS_MAX];
    growth_curve curve[MED_GROWTH_COUNT][2]; /* female, male */
    uint32_t n_row;
};

static r1_status growth_line(med_growth *g, const char *name, uint32_t line, const char *text,
                             size_t len, r1_err *err)
{
    char buf[160], what[16], sex[16], more;
    growth_row x;
    int shown = (int)(len < 60 ? len : 60);
    bool fits = len < sizeof buf && g->n_row < GROWTH_ROWS_MAX;
    memcpy(buf, text, fits ? len : 0);
    buf[fits ? len : 0] = '\0';
    int n =
        sscanf(buf, "%15s %15s %lf %lf %lf %lf %c", what, sex, &x.month, &x.l, &x.m, &x.s, &more);
    uint32_t table = MED_GROWTH_NONE + 1;
    while (n == 6 && table < MED_GROWTH_COUNT && strcmp(what, med_growth_name[table]) != 0) table++;
    bool male = n == 6 && strcmp(sex, "male") == 0;
    if (n != 6 || table == MED_GROWTH_COUNT || !(male || strcmp(sex, "female") == 0) ||
        !(x.month >= 0 && x.m > 0 && x.s > 0 && isfinite(x.l)))
        R1_FAIL(err, R1_E_FORMAT,
                "%s:%u: expected a measure, a sex, months, L, M and S (at most %d lines), found "
                "\"%.*s\"",
                name, line, GROWTH_ROWS_MAX, shown, text);
    growth_curve *c = &g->curve[table][male];
    bool last = c->n && c->first + c->n == g->n_row;
    if ((c->n && !last) || (last && g->row[g->n_row - 1].month >= x.month))
        R1_FAIL(err, R1_E_FORMAT,
                "%s:%u: expected lines of one measure and sex together, ages ascending, found "
                "\"%.*s\"",
                name, line, shown, text);
    if (!c->n) c->first = g->n_row;
    c->n++;
    g->row[g->n_row++] = x;
    return R1_OK;
}

typedef struct {
    med_growth *g;
    const char *name;
} growth_reader;

static r1_status growth_row_read(void *reader, uint32_t line, const char *s, size_t len,
                                 r1_err *err)
{
    growth_reader *r = reader;
    return growth_line(r->g, r->name, line, s, len, err);
}

r1_status med_growth_new(med_growth **out, const char *name, const char *text, size_t len,
                         r1_err *err)
{
    med_growth *g = calloc(1, sizeof *g);
    if (!g) R1_FAIL(err, R1_E_NOMEM, "no memory for the tables of growth");
    growth_reader r = {g, name};
    r1_status st = med_rows_read(name, text, len, growth_row_read, &r, err);
    if (st != R1_OK) {
        med_growth_free(g);
        return st;
    }
    *out = g;
    return R1_OK;
}

void med_growth_free(med_growth *g) { free(g); }

double med_growth_z(const med_growth *g, med_growth_table table, med_sex sex, double years,
                    double value, bool *beyond)
{
    R1_ASSERT(table > MED_GROWTH_NONE && table < MED_GROWTH_COUNT, "growth table %d", (int)table);
    *beyond = false;
    if (sex == MED_SEX_UNKNOWN || !(value > 0)) return NAN;
    const growth_curve *c = &g->curve[table][sex == MED_SEX_MALE];
    const growth_row *row = &g->row[c->first];
    double month = years * 12;
    if (!c->n || month < row[0].month) return NAN;
    uint32_t k = 0;
    while (k + 1 < c->n && row[k + 1].month <= month) k++;
    growth_row x = row[k];
    if (k + 1 < c->n) {
        double w = (month - row[k].month) / (row[k + 1].month - row[k].month);
        x.l += w * (row[k + 1].l - x.l);
        x.m += w * (row[k + 1].m - x.m);
        x.s += w * (row[k + 1].s - x.s);
    } else {
        *beyond = x.month < adult_months;
    }
    return fabs(x.l) < 1e-6 ? log(value / x.m) / x.s : (pow(value / x.m, x.l) - 1) / (x.l * x.s);
}
