/* SPDX-License-Identifier: Apache-2.0 */
/* cli_rank.c - rank, eval rank: from findings to diseases. */
#include "cli_medical.h"
#include "eval/med_eval_rank.h"
#include "genes/med_genes.h"
#include "print/med_put.h"
#include "rank/med_families.h"
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

enum { SHOWN = 20 };

/* A file or two options of findings on their way to a list of diseases. */
typedef struct {
    r1_cli_call *call;
    med_kb *kb;
    med_names *names;
    med_ranker *ranker;
    cli_r1 r1;
    med_document document;
    med_notes notes;
    med_genes genes;
    med_finding *present, *absent; /* [notes.n_mention] */
    uint32_t *observed, *excluded;
    uint32_t n_present, n_absent;
} rank_job;

/* A finding in both options is a slip of the caller, and no two readings of one record. */
static r1_status rank_check_options(const rank_job *j, uint32_t n_observed, r1_err *err)
{
    const med_stated *s = j->document.stated;
    for (uint32_t i = n_observed; i < j->document.n_stated; i++)
        for (uint32_t k = 0; k < n_observed; k++)
            if (strcmp(s[i].id, s[k].id) == 0 && (*s[i].id || strcmp(s[i].label, s[k].label) == 0))
                R1_FAIL(err, R1_E_INVAL,
                        "%s stands in --observed and in --excluded, expected in one of them",
                        *s[i].id ? s[i].id : s[i].label);
    return R1_OK;
}

static r1_status rank_read(rank_job *j, r1_err *err)
{
    const r1_options *o = j->call->opts;
    const char *yes = r1_options_str(o, "observed"), *no = r1_options_str(o, "excluded");
    const char *file = j->call->n_rest ? j->call->rest[0] : NULL;
    med_document *d = &j->document;
    if (!file && !yes) R1_FAIL(err, R1_E_INVAL, "--observed or a file of findings is needed");
    if (file && (yes || no))
        R1_FAIL(err, R1_E_INVAL, "a file and --%s: expected findings in one of them",
                yes ? "observed" : "excluded");
    if (file) {
        R1_TRY(cli_read_document(file, d, err));
        return med_document_as_list(d, file, err);
    }
    *d = (med_document){.kind = MED_DOCUMENT_TERMS, .age_years = NAN};
    R1_TRY(med_names_new(&j->names, j->kb, err));
    R1_TRY(med_document_state(d, "--observed", yes, MED_PRESENT, j->names, j->kb, err));
    uint32_t n = d->n_stated;
    if (no) R1_TRY(med_document_state(d, "--excluded", no, MED_ABSENT, j->names, j->kb, err));
    return rank_check_options(j, n, err);
}

/* Beyond what R1 takes the least informative findings go. */
static int rank_by_information(const void *a, const void *b, void *kb)
{
    const med_finding *x = a, *y = b;
    const med_term *term = ((const med_kb *)kb)->term;
    if (term[x->term].ic != term[y->term].ic) return term[x->term].ic > term[y->term].ic ? -1 : 1;
    return (x->first_mention > y->first_mention) - (x->first_mention < y->first_mention);
}

static r1_status rank_gather(rank_job *j, r1_err *err)
{
    size_t n = (size_t)j->notes.n_mention + 1;
    j->present = calloc(n, sizeof *j->present);
    j->absent = calloc(n, sizeof *j->absent);
    j->observed = calloc(n, sizeof *j->observed);
    j->excluded = calloc(n, sizeof *j->excluded);
    if (!j->present || !j->absent || !j->observed || !j->excluded)
        R1_FAIL(err, R1_E_NOMEM, "no memory for a list of findings");
    j->n_present = med_notes_findings(&j->notes, MED_PRESENT, j->present);
    j->n_absent = med_notes_findings(&j->notes, MED_ABSENT, j->absent);
    if (j->n_present == 0)
        R1_FAIL(err, R1_E_INVAL, "no finding is observed: expected one at least");
    if (j->n_present > MED_FINDINGS_MAX) {
        qsort_r(j->present, j->n_present, sizeof *j->present, rank_by_information, j->kb);
        med_document_note(&j->document, "%u of %u findings are ranked, the most informative ones.",
                          MED_FINDINGS_MAX, j->n_present);
        j->n_present = MED_FINDINGS_MAX;
    }
    for (uint32_t i = 0; i < j->n_present; i++) j->observed[i] = j->present[i].term;
    return R1_OK;
}

static const char *rank_name(const rank_job *j, uint32_t term)
{
    return med_str(j->kb, j->kb->term[term].name);
}

/* A denial of what is observed, itself or in a special form, counts for nothing; that is told. So
 * is what stands more than once, and what is not the patient's or not sure. */
static void rank_tell(rank_job *j)
{
    med_document *d = &j->document;
    uint32_t n = 0, other = 0;
    for (uint32_t i = 0; i < j->n_absent; i++) {
        uint32_t t = j->absent[i].term, k = 0;
        while (k < j->n_present && !med_kb_is_a(j->kb, j->observed[k], t)) k++;
        if (k == j->n_present)
            j->excluded[n++] = t;
        else
            med_document_note(d, "The excluded %.80s does not count: %.80s is %s.", rank_name(j, t),
                              rank_name(j, j->observed[k]),
                              t == j->observed[k] ? "observed too" : "a form of it");
    }
    j->n_absent = n;
    for (uint32_t i = 0; d->kind == MED_DOCUMENT_TERMS && i < j->n_present; i++)
        if (j->present[i].n_mention > 1)
            med_document_note(d, "%.80s stands more than once; it counts once.",
                              rank_name(j, j->observed[i]));
    for (uint32_t i = 0; i < j->notes.n_mention; i++)
        other += j->notes.mention[i].status != MED_PRESENT &&
                 j->notes.mention[i].status != MED_HISTORICAL &&
                 j->notes.mention[i].status != MED_ABSENT;
    if (other)
        med_document_note(
            d, "%u findings of relatives, or uncertain or hypothetical, do not count.", other);
}

static r1_status rank_judge(const rank_job *j, const med_case *c, med_candidate *list, uint32_t *n,
                            float *none, r1_err *err)
{
    static med_anchor anchor[MED_FINDINGS_MAX];
    med_case_open(j->ranker, c);
    R1_TRY(med_rank(j->ranker, list, MED_RERANK_MAX, n, err));
    if (!j->r1.reranker) {
        *none = med_posterior_likelihood(list, *n);
        return R1_OK;
    }
    uint32_t n_anchor = med_case_anchors(j->kb, c, anchor, MED_FINDINGS_MAX);
    for (uint32_t i = 0; i < n_anchor; i++)
        if (j->notes.mention[j->present[i].first_mention].status == MED_HISTORICAL)
            anchor[i].certainty = MED_CERTAINTY_HISTORICAL;
    med_anchors_plan(j->kb, anchor, n_anchor, r1_options_bool(j->call->opts, "anchors"));
    return med_rerank(j->r1.reranker, j->ranker, anchor, n_anchor, list, n, none, NULL, err);
}

/* The ranking with genes, and in each row what it was without: the two are never one. */
static r1_status rank_print_genes(rank_job *j, const med_candidate *list, uint32_t n, float none,
                                  r1_err *err)
{
    static med_candidate wide[MED_CANDIDATES_MAX];
    static med_gene_candidate all[MED_CANDIDATES_MAX];
    uint32_t n_wide = 0;
    float with = 1;
    R1_TRY(med_rank(j->ranker, wide, MED_CANDIDATES_MAX, &n_wide, err));
    n = med_genes_rank(&j->genes, j->kb, j->notes.sex, list, n, none, wide, n_wide, all,
                       MED_CANDIDATES_MAX, &with);
    printf("rank\tprobability\tid\tname\tgene\talleles\tlikelihood_ratio\trank_without\t"
           "probability_without\n");
    for (uint32_t i = 0; i < n && i < SHOWN; i++) {
        const med_disease *d = &j->kb->disease[all[i].c.disease];
        med_put(stdout, MED_TABLE, "%u\t%.4f\t%s\t%s\t%s\t%u\t%.2f\t", i + 1,
                (double)all[i].c.posterior, med_str(j->kb, d->id), med_str(j->kb, d->name),
                all[i].hit ? all[i].hit->symbol : "", all[i].hit ? all[i].hit->alleles : 0,
                all[i].ratio);
        if (all[i].before)
            printf("%u\t%.4f\n", all[i].before, (double)all[i].posterior_before);
        else
            printf("\t\n");
    }
    printf("-\t%.4f\t\tnone of these\t\t\t\t-\t%.4f\n", (double)with, (double)none);
    return R1_OK;
}

/* Rank, probability, id, name; behind them the ids of the entries that are counted with it, where
 * there are any. */
static void rank_print_row(const med_kb *kb, uint32_t rank, const med_candidate *c)
{
    const med_disease *d = &kb->disease[c->disease];
    med_put(stdout, MED_TABLE, "%u\t%.4f\t%s\t%s", rank, (double)c->posterior, med_str(kb, d->id),
            med_str(kb, d->name));
    uint32_t n = 0;
    for (uint32_t i = 0; kb->family && i < kb->n_disease; i++)
        if (i != c->disease && med_families_same(kb, i, c->disease))
            med_put(stdout, MED_TABLE, n++ ? ",%s" : "\twith %s", med_str(kb, kb->disease[i].id));
    fputc('\n', stdout);
}

static r1_status rank_print(rank_job *j, r1_err *err)
{
    static med_candidate judged[MED_RERANK_MAX], list[MED_RERANK_MAX];
    const med_kb *kb = j->kb;
    uint32_t n = 0;
    float none = 1;
    const med_case c = {.observed = j->observed,
                        .n_observed = j->n_present,
                        .excluded = j->excluded,
                        .n_excluded = j->n_absent,
                        .sex = j->notes.sex,
                        .age_years = j->notes.age_years};
    if (kb->n_profiled < MED_FEW_DISEASES) {
        fputs("# ", stdout);
        med_put(stdout, MED_TEXT_LINE, MED_SAY(MED_WORDS_EN, FEW_F), kb->n_profiled,
                kb->n_source ? med_str(kb, kb->source[0].name) : "");
        fputc('\n', stdout);
    }
    R1_TRY(rank_judge(j, &c, judged, &n, &none, err));
    if (med_case_left_out(j->ranker))
        med_document_note(&j->document, "%u informative findings found no room in the likelihood.",
                          med_case_left_out(j->ranker));
    if (r1_options_has(j->call->opts, "genes")) return rank_print_genes(j, judged, n, none, err);
    n = med_families_join(kb, judged, n, list, NULL);
    for (uint32_t i = 0; i < n && i < SHOWN; i++) rank_print_row(kb, i + 1, &list[i]);
    printf("-\t%.4f\t\tnone of these\n", (double)none);
    return R1_OK;
}

static r1_status rank_run(rank_job *j, r1_err *err)
{
    const char *what = j->call->n_rest ? j->call->rest[0] : "--observed";
    R1_TRY(cli_open_kb(j->call, &j->kb, err));
    R1_TRY(rank_read(j, err));
    R1_TRY(med_document_notes(&j->document, NULL, j->kb, what, &j->notes, err));
    cli_state_person(j->call->opts, &j->document, &j->notes);
    R1_TRY(rank_gather(j, err));
    rank_tell(j);
    if (r1_options_has(j->call->opts, "genes")) {
        R1_TRY(med_genes_load(&j->genes, r1_options_str(j->call->opts, "genes"), err));
        med_genes_check(&j->genes, j->kb);
    }
    for (uint32_t i = 0; i < j->genes.n_note; i++)
        med_document_note(&j->document, "%s", j->genes.note[i]);
    R1_TRY(med_ranker_new(&j->ranker, j->kb, err));
    R1_TRY(cli_open_r1(j->call, &j->r1, err));
    return rank_print(j, err);
}

int cli_rank_command(r1_cli_call *call)
{
    rank_job j = {.call = call, .document = {.age_years = NAN}};
    r1_status st = rank_run(&j, &call->err);
    for (uint32_t i = 0; i < j.document.n_note; i++)
        med_put(stderr, MED_TEXT_LINE, "note: %s\n", j.document.note[i]);
    cli_close_r1(&j.r1);
    med_ranker_free(j.ranker);
    med_names_free(j.names);
    med_genes_free(&j.genes);
    med_notes_free(&j.notes);
    med_document_free(&j.document);
    free(j.present);
    free(j.absent);
    free(j.observed);
    free(j.excluded);
    med_kb_free(j.kb);
    return st == R1_OK ? R1_EXIT_OK : r1_cli_exit(st);
}

/* clang-format off */
const r1_option cli_rank_rows[] = {
    {.name = "observed", .type = R1_OPT_STRING,
     .help = "findings that are there, ids or names, separated by commas or semicolons"},
    {.name = "excluded", .type = R1_OPT_STRING,
     .help = "findings that were looked for and are not there"},
    CLI_PERSON_OPTIONS,
    CLI_GENES_OPTION,
    CLI_KB_OPTION,
    CLI_R1_OPTIONS,
};
/* clang-format on */
const size_t cli_rank_n_row = R1_COUNT(cli_rank_rows);
