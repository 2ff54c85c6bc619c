/* SPDX-License-Identifier: Apache-2.0 */
/* cli_probes.c - eval probes: what must hold for every patient, asked of generated ones. */
#include "cli_medical.h"
#include "probes/med_probes.h"

#include <stdio.h>

/* What judges: R1, or the likelihood alone where x is NULL. */
typedef struct {
    med_ranker *ranker;
    med_reranker *x;
    bool pin;
} probed;

static r1_status probed_judge(void *ctx, const med_case *c, med_candidate *list, uint32_t *n,
                              r1_err *err)
{
    const probed *p = ctx;
    float none;
    return med_rerank_case(p->x, p->ranker, c, p->pin, list, n, &none, err);
}

static void probes_print_figures(const r1_cli_call *call, const med_probes_result *res,
                                 const char *judge)
{
    const r1_options *o = call->opts;
    r1_figures *f = r1_figures_new("r1-medical eval probes");
    r1_figures_note(f, "ranking", judge);
    r1_figures_add(f, "probes", res->n_probe);
    r1_figures_add(f, "violations", med_probes_violations(res));
    r1_figures_add(f, "largest_rise", res->largest_rise);
    r1_figures_add(f, "largest_move", res->largest_move);
    r1_figures_add(f, "listed", res->n_listed);
    r1_figures_add(f, "typical_denials", res->n_typical);
    r1_figures_add(f, "unrelated_denials", res->n_unrelated);
    r1_figures_add(f, "compared", (double)res->n_compared);
    r1_figures_add(f, "raised", res->n_raised);
    r1_figures_add(f, "kept", res->n_kept);
    r1_figures_add(f, "moved", res->n_moved);
    r1_figures_add(f, "ordered", res->n_ordered);
    r1_figures_add(f, "lost", res->n_lost);
    r1_figures_add(f, "before", res->before);
    r1_figures_add(f, "after", res->after);
    r1_figures_print(f, r1_options_bool(o, "json"), stdout);
    r1_figures_free(f);
}

int cli_eval_probes_command(r1_cli_call *call)
{
    const r1_options *o = call->opts;
    med_kb *kb = NULL;
    cli_r1 r1 = {0};
    probed p = {.pin = r1_options_bool(o, "anchors")};
    med_probes_opts opts = {.n_probe = (uint32_t)r1_options_int(o, "probes"),
                            .seed = (uint64_t)r1_options_int(o, "seed"),
                            .progress = true};
    med_probes_result res = {0};
    r1_status st = cli_open_kb(call, &kb, &call->err);
    if (st == R1_OK) st = med_ranker_new(&p.ranker, kb, &call->err);
    if (st == R1_OK) st = cli_open_r1(call, &r1, &call->err);
    p.x = r1.reranker;
    if (st == R1_OK) st = med_probes(kb, probed_judge, &p, &opts, &res, &call->err);
    if (st == R1_OK) probes_print_figures(call, &res, r1.reranker ? r1.judge : "likelihood");
    cli_close_r1(&r1);
    med_ranker_free(p.ranker);
    med_kb_free(kb);
    if (st != R1_OK) return r1_cli_exit(st);
    return med_probes_violations(&res) ? R1_EXIT_CHECK : R1_EXIT_OK;
}

/* clang-format off */
const r1_option cli_eval_probes_rows[] = {
    {.name = "probes", .type = R1_OPT_INT, .def = "10000", .min = 1, .max = 1e7,
     .unit = "patients", .help = "how many patients are generated"},
    {.name = "seed", .type = R1_OPT_INT, .def = "1", .max = 1e9, .help = "of their generator"},
    CLI_KB_OPTION,
    CLI_R1_OPTIONS,
    CLI_JSON_OPTION,
};
/* clang-format on */
const size_t cli_eval_probes_n_row = R1_COUNT(cli_eval_probes_rows);
