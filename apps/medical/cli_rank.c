/* SPDX-License-Identifier: Apache-2.0 */
/* cli_rank.c - rank, eval rank: from findings to diseases. */
#include "cli_medical.h"
#include "eval/med_eval_rank.h"
#include "print/med_put.h"
#include "report/med_report_summary.h"
#include "train/med_train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The models of the folds, or one model in the place of all (model[0]); with --int8 in 8-bit
 * integers, and each of them a second time in f32. */
typedef struct {
    r1_model *model[MED_FOLDS];
    med_reranker *fold[MED_FOLDS], *f32[MED_FOLDS];
} judges;

static r1_status open_judge(const r1_cli_call *call, judges *j, int f, const char *path,
                            r1_err *err)
{
    bool int8 = r1_options_bool(call->opts, "int8");
    R1_TRY(r1_model_open(&j->model[f], path, err));
    r1_status st = med_reranker_new(&j->fold[f], j->model[f],
                                    int8 ? R1_PRECISION_INT8 : cli_precision(call), err);
    if (st == R1_OK && int8) st = med_reranker_new(&j->f32[f], j->model[f], R1_PRECISION_F32, err);
    if (st != R1_OK) r1_err_prefix(err, "%s: ", path);
    return st;
}

static r1_status open_judges(const r1_cli_call *call, judges *j, r1_err *err)
{
    char dir[4096], path[4200];
    const char *folds = r1_options_str(call->opts, "folds");
    if (!r1_options_bool(call->opts, "r1")) return R1_OK;
    if (r1_options_has(call->opts, "model")) {
        R1_TRY(open_judge(call, j, 0, r1_options_str(call->opts, "model"), err));
        for (int f = 1; f < MED_FOLDS; f++) j->fold[f] = j->fold[0], j->f32[f] = j->f32[0];
        return R1_OK;
    }
    if (!folds) {
        R1_TRY(r1_cli_shipped("models/medical-b-folds", dir, err));
        folds = dir;
    }
    for (int f = 0; f < MED_FOLDS; f++) {
        med_fold_path(folds, f, path, sizeof path);
        R1_TRY(open_judge(call, j, f, path, err));
    }
    return R1_OK;
}

static void close_judges(judges *j)
{
    for (int f = 0; f < MED_FOLDS && j->model[f]; f++) {
        med_reranker_free(j->fold[f]);
        med_reranker_free(j->f32[f]);
        r1_model_free(j->model[f]);
    }
}

static void rank_print_figures(const r1_cli_call *call, const med_eval_rank_result *res)
{
    const r1_options *o = call->opts;
    r1_figures *f = r1_figures_new("r1-medical eval rank");
    r1_figures_note(f, "data", r1_options_str(o, "cases"));
    r1_figures_note(f, "ranking",
                    !r1_options_bool(o, "r1")    ? "likelihood, without R1"
                    : r1_options_has(o, "model") ? "R1, one model for all cases"
                                                 : "R1, out of fold by disease");
    r1_figures_add(f, "n", res->n);
    r1_figures_add(f, "n_covered", res->n_covered);
    r1_figures_add(f, "top1", res->top1);
    r1_figures_add(f, "top3", res->top3);
    r1_figures_add(f, "top5", res->top5);
    r1_figures_add(f, "top10", res->top10);
    r1_figures_add(f, "top1_covered", res->top1_covered);
    r1_figures_add(f, "top3_covered", res->top3_covered);
    r1_figures_add(f, "top10_covered", res->top10_covered);
    r1_figures_add(f, "mrr", res->mrr);
    r1_figures_add(f, "ece", res->ece);
    r1_figures_add(f, "ms_per_case", res->ms_per_case);
    if (r1_options_bool(o, "int8") && r1_options_bool(o, "r1")) {
        const r1_comparison *c = &res->int8;
        r1_figures_add(f, "top1_f32", res->top1_f32);
        r1_figures_add(f, "int8_change", (c->second - c->first) / res->top1_f32);
        r1_figures_add(f, "int8_change_low", c->low / res->top1_f32);
        r1_figures_add(f, "int8_change_high", c->high / res->top1_f32);
        r1_figures_add(f, "int8_kl", c->kl);
        r1_figures_add(f, "int8_agree", c->agree);
    }
    r1_figures_print(f, r1_options_bool(o, "json"), stdout);
    r1_figures_free(f);
}

int cli_eval_rank_command(r1_cli_call *call)
{
    const r1_options *o = call->opts;
    med_kb *kb = NULL;
    med_ranker *r = NULL;
    med_cases cases = {0};
    judges j = {0};
    med_eval_rank_opts opts = {.leave_publication_out = r1_options_bool(o, "leave-publication-out"),
                               .sole = strcmp(r1_options_str(o, "leave-out-rule"), "sole") == 0,
                               .pin = r1_options_bool(o, "anchors"),
                               .progress = true};
    med_eval_rank_result res;
    r1_status st = R1_OK;
    if (!r1_options_has(o, "cases"))
        st = r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__, "--cases is needed");
    if (st == R1_OK) st = cli_open_kb(call, &kb, &call->err);
    if (st == R1_OK)
        st = med_cases_load(&cases, r1_options_str(o, "cases"), kb,
                            (uint32_t)r1_options_int(o, "max-per-disease"), &call->err);
    if (st == R1_OK) st = med_ranker_new(&r, kb, &call->err);
    if (st == R1_OK) st = open_judges(call, &j, &call->err);
    if (r) med_ranker_use_memory(r, r1_options_bool(o, "memory"));
    if (j.fold[0]) opts.fold = j.fold;
    if (j.f32[0]) opts.f32 = j.f32;
    if (st == R1_OK) st = med_eval_rank(r, &cases, &opts, &res, &call->err);
    if (st == R1_OK) rank_print_figures(call, &res);
    close_judges(&j);
    med_ranker_free(r);
    med_cases_free(&cases);
    med_kb_free(kb);
    return st == R1_OK ? R1_EXIT_OK : r1_cli_exit(st);
}

/* clang-format off */
const r1_option cli_eval_rank_rows[] = {
    {.name = "cases", .type = R1_OPT_PATH,
     .help = "table of cases: id, gold, label, sex, age, observed, excluded"},
    CLI_KB_OPTION,
    {.name = "leave-publication-out", .type = R1_OPT_BOOL, .def = "false",
     .help = "drop what the knowledge base took from the case's own publication"},
    {.name = "max-per-disease", .type = R1_OPT_INT, .def = "0", .max = 1e6, .unit = "cases",
     .help = "the first N cases of each disease; 0: all"},
    {.name = "leave-out-rule", .type = R1_OPT_ENUM, .def = "sole", .choices = "sole|any",
     .help = "rows that go: those that cite nothing but the case's publication, or all that cite "
             "it beside others too"},
    {.name = "memory", .type = R1_OPT_BOOL, .def = "true",
     .help = "candidates from long-term memory beside the likelihood's"},
    CLI_R1_OPTIONS,
    {.name = "folds", .type = R1_OPT_PATH,
     .help = "folder of the models by fold; each case is judged by the one that did not see its "
             "disease (default: the shipped ones; with --model, that model judges all)"},
    {.name = "int8", .type = R1_OPT_BOOL, .def = "false",
     .help = "--precision int8, and what that changes beside f32"},
    CLI_JSON_OPTION,
};
/* clang-format on */
const size_t cli_eval_rank_n_row = R1_COUNT(cli_eval_rank_rows);

enum { SHOWN = 20, EXCLUDED_MAX = 128 };

static bool terms_hold(const uint32_t *term, uint32_t n, uint32_t t)
{
    for (uint32_t i = 0; i < n; i++)
        if (term[i] == t) return true;
    return false;
}

/* The findings that one option names: "HP:1,HP:2". */
typedef struct {
    const char *option, *list;
    uint32_t *term, max, n;
} named_terms;

/* Reads the list. An unknown id, a finding that the other option (NULL: none) names too, and more
 * findings than max are errors; a finding that is named again counts once and is told. */
static r1_status terms_of(const med_kb *kb, named_terms *to, const named_terms *other, r1_err *err)
{
    const char *list = to->list;
    uint32_t over = 0;
    to->n = 0;
    while (list && *list) {
        size_t len = strcspn(list, ",;");
        uint32_t t = med_kb_term(kb, list, len);
        if (t == MED_NONE)
            R1_FAIL(err, R1_E_INVAL, "%.*s is not a finding of this knowledge base",
                    (int)(len < 60 ? len : 60), list);
        if (other && terms_hold(other->term, other->n, t))
            R1_FAIL(err, R1_E_INVAL, "%.*s stands in --%s and in --%s, expected in one of them",
                    (int)len, list, other->option, to->option);
        if (terms_hold(to->term, to->n, t))
            med_put(stderr, MED_TEXT_LINE, "--%s names %.*s more than once; it counts once\n",
                    to->option, (int)len, list);
        else if (to->n < to->max)
            to->term[to->n++] = t;
        else
            over++;
        list += len + (list[len] != '\0');
    }
    if (over)
        R1_FAIL(err, R1_E_INVAL, "--%s names %u findings, expected at most %u", to->option,
                to->n + over, to->max);
    return R1_OK;
}

static r1_status cli_rank_rank_case(const r1_cli_call *call, const med_kb *kb, const med_case *c,
                                    r1_err *err)
{
    static med_candidate list[MED_RERANK_MAX];
    med_ranker *r = NULL;
    cli_r1 r1 = {0};
    uint32_t n = 0;
    float none = 1;
    r1_status st = med_ranker_new(&r, kb, err);
    if (st == R1_OK && kb->n_profiled < MED_FEW_DISEASES) {
        med_put(stderr, MED_TEXT_LINE, MED_SAY(MED_WORDS_EN, FEW_F), kb->n_profiled,
                kb->n_source ? med_str(kb, kb->source[0].name) : "");
        fputc('\n', stderr);
    }
    if (st == R1_OK) st = cli_open_r1(call, &r1, err);
    if (st == R1_OK)
        st = med_rerank_case(r1.reranker, r, c, r1_options_bool(call->opts, "anchors"), list, &n,
                             &none, err);
    for (uint32_t i = 0; i < n && i < SHOWN && st == R1_OK; i++)
        med_put(stdout, MED_TABLE, "%u\t%.4f\t%s\t%s\n", i + 1, (double)list[i].posterior,
                med_str(kb, kb->disease[list[i].disease].id),
                med_str(kb, kb->disease[list[i].disease].name));
    if (st == R1_OK) printf("-\t%.4f\t\tnone of these\n", (double)none);
    cli_close_r1(&r1);
    med_ranker_free(r);
    return st;
}

/* A denial of what is observed in a special form counts for nothing; that is told. */
static void tell_contradicted(const med_kb *kb, const med_case *c)
{
    for (uint32_t i = 0; i < c->n_excluded; i++)
        for (uint32_t k = 0; k < c->n_observed; k++)
            if (med_kb_is_a(kb, c->observed[k], c->excluded[i])) {
                med_put(stderr, MED_TEXT_LINE, "--excluded %s does not count: %s is a form of it\n",
                        med_str(kb, kb->term[c->excluded[i]].id),
                        med_str(kb, kb->term[c->observed[k]].id));
                break;
            }
}

int cli_rank_command(r1_cli_call *call)
{
    uint32_t there[MED_QUERY_MAX], absent[EXCLUDED_MAX];
    named_terms yes = {"observed", r1_options_str(call->opts, "observed"), there, MED_QUERY_MAX, 0};
    named_terms no = {"excluded", r1_options_str(call->opts, "excluded"), absent, EXCLUDED_MAX, 0};
    med_kb *kb = NULL;
    r1_status st = cli_open_kb(call, &kb, &call->err);
    if (st == R1_OK) st = terms_of(kb, &yes, NULL, &call->err);
    if (st == R1_OK) st = terms_of(kb, &no, &yes, &call->err);
    if (st == R1_OK && yes.n == 0)
        st = r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__, "--observed is needed");
    med_case c = {.observed = there,
                  .n_observed = yes.n,
                  .excluded = absent,
                  .n_excluded = no.n,
                  .age_years = NAN};
    if (st == R1_OK) tell_contradicted(kb, &c);
    if (st == R1_OK) st = cli_rank_rank_case(call, kb, &c, &call->err);
    med_kb_free(kb);
    return st == R1_OK ? R1_EXIT_OK : r1_cli_exit(st);
}

/* clang-format off */
const r1_option cli_rank_rows[] = {
    {.name = "observed", .type = R1_OPT_STRING,
     .help = "findings that are there, separated by commas"},
    {.name = "excluded", .type = R1_OPT_STRING,
     .help = "findings that were looked for and are not there"},
    CLI_KB_OPTION,
    CLI_R1_OPTIONS,
};
/* clang-format on */
const size_t cli_rank_n_row = R1_COUNT(cli_rank_rows);
