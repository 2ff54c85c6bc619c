/* SPDX-License-Identifier: Apache-2.0 */
/* cli_items.c - what r1 train and r1 eval read and print alike: names of items that become bits,
 * costs and doors, switches, and figures. */
#include "cli_r1.h"
#include "r1_session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

r1_status cli_split(cli_list *l, const char *text, r1_err *err)
{
    memset(l, 0, sizeof *l);
    if (!text) return R1_OK;
    size_t len = strlen(text) + 1;
    l->copy = malloc(len);
    if (!l->copy) R1_FAIL(err, R1_E_NOMEM, "out of memory");
    memcpy(l->copy, text, len);
    for (char *p = l->copy; p;) {
        char *comma = strchr(p, ',');
        if (comma) *comma++ = 0;
        if (l->n == CLI_PATHS_MAX)
            R1_FAIL(err, R1_E_INVAL, "more than %d names in \"%.60s...\"", CLI_PATHS_MAX, text);
        l->item[l->n++] = p;
        p = comma;
    }
    return R1_OK;
}

r1_status cli_items(const r1_model *m, const char *option, const char *names, uint32_t *mask,
                    r1_err *err)
{
    cli_list l;
    *mask = 0;
    r1_status st = cli_split(&l, names, err);
    for (size_t i = 0; st == R1_OK && i < l.n; i++) {
        int k = r1_model_item(m, l.item[i]);
        if (k < 0)
            st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                            "%s %s: the model has no such item", option, l.item[i]);
        else
            *mask |= 1u << k;
    }
    free(l.copy);
    return st;
}

/* ---- "item=value,item=value" ----------------------------------------------------------------- */

static r1_status set_item_value(cli_rules *s, const r1_model *m, char *pair, bool cost, r1_err *err)
{
    const char *option = cost ? "--cost" : "--needs";
    char *value = strchr(pair, '='), *end;
    if (!value)
        R1_FAIL(err, R1_E_INVAL, "%s %s: expected ITEM=%s", option, pair,
                cost ? "NUMBER" : "ITEM+ITEM");
    *value++ = 0;
    int k = r1_model_item(m, pair);
    if (k < 0) R1_FAIL(err, R1_E_INVAL, "%s %s: the shards have no such item", option, pair);
    if (!cost) {
        for (char *plus = value; (plus = strchr(plus, '+'));) *plus = ',';
        return cli_items(m, option, value, &s->door[k], err);
    }
    s->cost[k] = strtod(value, &end);
    if (end == value || *end || !(s->cost[k] >= 0) || !isfinite(s->cost[k]))
        R1_FAIL(err, R1_E_INVAL, "--cost %s=%s: expected a number, 0 or more", pair, value);
    return R1_OK;
}

static r1_status set_item_values(cli_rules *s, const r1_model *m, const char *text, bool cost,
                                 r1_err *err)
{
    cli_list l;
    r1_status st = cli_split(&l, text, err);
    for (size_t i = 0; st == R1_OK && i < l.n; i++)
        st = set_item_value(s, m, l.copy + (l.item[i] - l.copy), cost, err);
    free(l.copy);
    return st;
}

r1_status cli_read_rules(cli_rules *s, const r1_model *m, const r1_options *o, r1_err *err)
{
    R1_TRY(set_item_values(s, m, r1_options_str(o, "cost"), true, err));
    R1_TRY(set_item_values(s, m, r1_options_str(o, "needs"), false, err));
    return cli_items(m, "--given", r1_options_str(o, "given"), &s->given, err);
}

/* ---- switches and figures -------------------------------------------------------------------- */

uint32_t cli_run_flags(const r1_options *o)
{
    return (r1_options_bool(o, "no-length") ? R1_RUN_NO_LENGTH : 0u) |
           (r1_options_bool(o, "no-context") ? R1_RUN_NO_CONTEXT : 0u);
}

double cli_beta(const r1_options *o)
{
    double beta = r1_options_has(o, "beta") ? r1_options_float(o, "beta") : 0;
    return r1_options_has(o, "beta") && beta == 0 ? -1 : beta;
}

void cli_add_eval(r1_figures *f, const r1_eval *v)
{
    r1_figures_add(f, "n", (double)v->n);
    r1_figures_add(f, "positives", (double)v->n_positive);
    r1_figures_add(f, "loss", v->loss);
    if (!isnan(v->auc)) {
        r1_figures_add(f, "auc", v->auc);
        r1_figures_add(f, "ap", v->ap);
        r1_figures_add(f, "ece", v->ece);
    }
    if (!isnan(v->top1)) {
        r1_figures_add(f, "top1", v->top1);
        r1_figures_add(f, "mrr", v->mrr);
    }
}

void cli_retrieval(r1_figures *f, const r1_model *m, const char *what, const r1_retrieval *p,
                   double value)
{
    char name[160];
    snprintf(name, sizeof name, "recall1%s_%.60s_%.60s", what, r1_model_item_name(m, p->a),
             r1_model_item_name(m, p->b));
    r1_figures_add(f, name, value);
}

void cli_add_policy(r1_figures *f, const r1_policy_eval *e)
{
    r1_figures_add(f, "n", (double)e->n);
    r1_figures_add(f, "reward", e->reward);
    r1_figures_add(f, "right", e->right);
    r1_figures_add(f, "cost", e->cost);
    r1_figures_add(f, "asks", e->n_ask);
}
