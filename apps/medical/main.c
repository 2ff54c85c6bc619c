/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - r1-medical: puts the commands of its groups into one table and runs the one that was
 * asked for. */
#include "cli_medical.h"
#include "ontology/med_sources.h"
#include "r1_backend.h"
#include "store/store_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

r1_status cli_open_kb(const r1_cli_call *call, med_kb **kb, r1_err *err)
{
    char path[4096];
    const char *given = r1_options_str(call->opts, "kb");
    if (!given) {
        R1_TRY(r1_cli_shipped("ontology/r1med.xml", path, err));
        given = path;
    }
    return med_sources_open(kb, given, err);
}

r1_precision cli_precision(const r1_cli_call *call)
{
    r1_precision choice = r1_cli_precision(r1_options_str(call->opts, "precision"));
    const r1_backend *be = r1_backend_find(NULL, NULL); /* none: the session says so */
    if (choice != R1_PRECISION_AUTO) return choice;
    return be && be->pack_int8 ? R1_PRECISION_INT8 : R1_PRECISION_F32;
}

r1_status cli_open_r1(const r1_cli_call *call, cli_r1 *r1, r1_err *err)
{
    char path[4096];
    const char *given = r1_options_str(call->opts, "model");
    memset(r1, 0, sizeof *r1);
    if (!r1_options_bool(call->opts, "r1")) return R1_OK;
    if (!given) {
        R1_TRY(r1_cli_shipped("models/medical-b.gguf", path, err));
        given = path;
    }
    R1_TRY(r1_model_open(&r1->model, given, err));
    r1_precision precision = cli_precision(call);
    snprintf(r1->judge, sizeof r1->judge, "%s%s", r1_model_name(r1->model),
             precision == R1_PRECISION_INT8 ? " in 8-bit integers" : "");
    r1_status st = med_reranker_new(&r1->reranker, r1->model, precision, err);
    if (st != R1_OK) {
        r1_err_prefix(err, "%s: ", given);
        cli_close_r1(r1);
    }
    return st;
}

void cli_close_r1(cli_r1 *r1)
{
    med_reranker_free(r1->reranker);
    r1_model_free(r1->model);
    memset(r1, 0, sizeof *r1);
}

static size_t main_take(r1_command *to, size_t at, const r1_command *from, size_t n)
{
    memcpy(to + at, from, n * sizeof *from);
    return at + n;
}

int main(int argc, char **argv)
{
    static r1_command all[32];
    size_t n = main_take(all, 0, cli_ontology_commands, cli_ontology_n);
    n = main_take(all, n, cli_notes_commands, cli_notes_n);
    n = main_take(all, n, cli_report_commands, cli_report_n);
    n = main_take(all, n, cli_rank_commands, cli_rank_n);
    n = main_take(all, n, cli_train_commands, cli_train_n);
    all[n++] = (r1_command){R1_STORE_COMMAND("r1-medical")};
    const r1_program program = {
        "r1-medical", "finds, weighs and reports what a clinical record says about rare diseases",
        all, n};
    return r1_cli_main(&program, argc, argv);
}
