/* SPDX-License-Identifier: Apache-2.0 */
/* cli_train.c - train: R1 as a re-ranker on published cases. */
#include "cli_medical.h"
#include "files/outputs.h"
#include "ontology/med_sources.h"
#include "train/med_train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KB_MAX = 4 };

static r1_status open_kbs(const char *list, med_kb **kb, size_t *n, r1_err *err)
{
    while (list && *list) {
        char path[4096];
        size_t len = strcspn(list, ",");
        if (*n == KB_MAX || len >= sizeof path)
            R1_FAIL(err, R1_E_INVAL, "--kb: at most %d knowledge bases", KB_MAX);
        snprintf(path, sizeof path, "%.*s", (int)len, list);
        R1_TRY(med_sources_open(&kb[*n], path, err));
        ++*n;
        list += len + (list[len] != '\0');
    }
    if (*n == 0) R1_FAIL(err, R1_E_INVAL, "--kb is needed");
    return R1_OK;
}

/* "size,orphanet" to bits. */
static r1_status features_of(const char *list, uint32_t *bits, r1_err *err)
{
    while (list && *list) {
        size_t len = strcspn(list, ",");
        int f = 0;
        while (f < MED_F_COUNT &&
               (strlen(med_feature_name[f]) != len || strncmp(med_feature_name[f], list, len) != 0))
            f++;
        if (f == MED_F_COUNT)
            R1_FAIL(err, R1_E_INVAL, "--hide: no feature \"%.*s\"", (int)(len < 40 ? len : 40),
                    list);
        *bits |= 1u << f;
        list += len + (list[len] != '\0');
    }
    return R1_OK;
}

/* Models are neither cases nor models to start from. A knowledge base is looked at as the list
 * names it. */
static r1_status train_check_files(const med_train_opts *t, const char *kb, r1_err *err)
{
    char path[4096], init[4096];
    const r1_named_file all = {"--out", t->shards_only ? NULL : t->out, R1_OUTPUT_REPLACED};
    const r1_named_file in[] = {{"--cases", t->cases, 0}, {"--kb", kb, 0}, {"--init", t->init, 0}};
    R1_TRY(r1_outputs_check(&all, 1, in, R1_COUNT(in), err));
    for (int f = 0; f < MED_FOLDS && !t->shards_only; f++) {
        med_fold_path(t->folds, f, path, sizeof path);
        med_fold_path(t->init_folds ? t->init_folds : "", f, init, sizeof init);
        const r1_named_file fold = {"--folds", path, R1_OUTPUT_BELOW};
        const r1_named_file from = {"--init-folds", t->init_folds ? init : NULL, 0};
        R1_TRY(r1_outputs_check(&fold, 1, in, R1_COUNT(in), err));
        R1_TRY(r1_outputs_check(&fold, 1, &from, 1, err));
        R1_TRY(r1_outputs_spare(&all, 1, "--init-folds", &from.path, 1, err));
        R1_TRY(r1_outputs_spare(&all, 1, "--folds", &fold.path, 1, err));
    }
    return R1_OK;
}

int cli_train_command(r1_cli_call *call)
{
    const r1_options *o = call->opts;
    med_kb *kb[KB_MAX] = {0};
    size_t n = 0;
    med_train_report rep;
    med_train_opts t = {.cases = r1_options_str(o, "cases"),
                        .out = r1_options_str(o, "out"),
                        .folds = r1_options_str(o, "folds"),
                        .work = r1_options_str(o, "work"),
                        .max_per_disease = (uint32_t)r1_options_int(o, "max-per-disease"),
                        .n_copy = (uint32_t)r1_options_int(o, "copies"),
                        .n_epoch = (uint32_t)r1_options_int(o, "epochs"),
                        .n_batch = (uint32_t)r1_options_int(o, "batch"),
                        .n_slice = (uint32_t)r1_options_int(o, "slices"),
                        .n_thread = (uint32_t)r1_options_int(o, "threads"),
                        .lr = r1_options_float(o, "lr"),
                        .weight_decay = r1_options_float(o, "weight-decay"),
                        .mean_decay = r1_options_float(o, "mean-decay"),
                        .n_simulated = (uint32_t)r1_options_int(o, "simulate"),
                        .init = r1_options_str(o, "init"),
                        .init_folds = r1_options_str(o, "init-folds"),
                        .int8 = r1_options_bool(o, "int8"),
                        .seed = (uint64_t)r1_options_int(o, "seed"),
                        .calibrate_only = r1_options_bool(o, "calibrate-only"),
                        .shards_only = r1_options_bool(o, "shards-only"),
                        .progress = true};
    r1_status st =
        t.cases ? R1_OK
                : r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__, "--cases is needed");
    if (st == R1_OK && t.init_folds && !t.init)
        st = r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__, "--init-folds needs --init");
    if (st == R1_OK && t.n_simulated && !t.shards_only)
        st = r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__,
                        "--simulate goes with --shards-only");
    if (st == R1_OK) st = features_of(r1_options_str(o, "hide"), &t.features_off, &call->err);
    if (st == R1_OK) st = train_check_files(&t, r1_options_str(o, "kb"), &call->err);
    if (st == R1_OK) st = open_kbs(r1_options_str(o, "kb"), kb, &n, &call->err);
    if (st == R1_OK) st = med_train(&t, (const med_kb *const *)kb, n, &rep, &call->err);
    if (st == R1_OK && t.shards_only)
        printf("%u lists, %u candidates; wrote %s/fold-0..%d.r1s\n", rep.n_group, rep.n_sample,
               t.work, MED_FOLDS - 1);
    else if (st == R1_OK)
        printf("%u lists, %u candidates; out-of-fold loss %.4f, calibration %.3f x %+.3f\nwrote %s "
               "and "
               "%s/fold-0..%d.gguf\n",
               rep.n_group, rep.n_sample, rep.loss, (double)rep.calibration.scale,
               (double)rep.calibration.bias, t.out, t.folds, MED_FOLDS - 1);
    for (size_t i = 0; i < n; i++) med_kb_free(kb[i]);
    return st == R1_OK ? R1_EXIT_OK : r1_cli_exit(st);
}

/* clang-format off */
const r1_option cli_train_rows[] = {
    {.name = "cases", .type = R1_OPT_PATH, .help = "published cases, as for eval rank"},
    {.name = "kb", .type = R1_OPT_STRING,
     .help = "knowledge bases to rank them on, separated by commas"},
    {.name = "out", .type = R1_OPT_PATH, .def = "medical-b.gguf",
     .help = "model fitted on all cases"},
    {.name = "folds", .type = R1_OPT_PATH, .def = "medical-b-folds",
     .help = "folder for the models fitted without one fifth of the diseases each"},
    {.name = "work", .type = R1_OPT_PATH, .def = "run/medical-train", .help = "folder for shards"},
    {.name = "max-per-disease", .type = R1_OPT_INT, .def = "10", .max = 1e6, .unit = "cases",
     .help = "the first N cases of a disease; 0: all"},
    {.name = "copies", .type = R1_OPT_INT, .def = "1", .max = 20,
     .help = "of each case with a third of its findings taken away"},
    {.name = "epochs", .type = R1_OPT_INT, .def = "4", .min = 1, .max = 100,
     .help = "passes over the lists"},
    {.name = "batch", .type = R1_OPT_INT, .def = "960", .min = 64, .max = 16384,
     .unit = "candidates", .help = "a step"},
    R1_CLI_SLICES("4"),
    R1_CLI_THREADS,
    R1_CLI_DEVICE(NULL),
    {.name = "lr", .type = R1_OPT_FLOAT, .def = R1_TEXT_OF(MED_DEFAULT_LR), .min = 1e-6, .max = 0.1,
     .help = "greatest learning rate"},
    {.name = "weight-decay", .type = R1_OPT_FLOAT, .def = "0.05", .max = 1, .help = "of AdamW"},
    {.name = "mean-decay", .type = R1_OPT_FLOAT, .def = "0", .max = 0.9999,
     .help = "keep a running mean of the weights with this decay; 0: none"},
    {.name = "init", .type = R1_OPT_PATH,
     .help = "start from this model instead of random weights"},
    {.name = "init-folds", .type = R1_OPT_PATH,
     .help = "those of the folds start from the models in this folder; default: from --init too, "
             "which must not have seen the cases"},
    {.name = "int8", .type = R1_OPT_BOOL, .def = "false",
     .help = "for 8-bit integers: linear layers round to learned steps; starts well from trained "
             "models (--init, --init-folds)"},
    {.name = "simulate", .type = R1_OPT_INT, .def = "0", .max = 1e6, .unit = "patients",
     .help = "with --shards-only: of each knowledge base, out of its annotations, to "
             "simulated.r1s and, as pairs for the evidence policy, simulated-pairs.r1s"},
    {.name = "seed", .type = R1_OPT_INT, .def = "1", .max = 1e9,
     .help = "of copies, weights and order"},
    {.name = "calibrate-only", .type = R1_OPT_BOOL, .def = "false",
     .help = "the models of --out and --folds are there: fit their calibration anew"},
    {.name = "shards-only", .type = R1_OPT_BOOL, .def = "false",
     .help = "write one shard for each fifth of the diseases to --work, for r1 train, and end "
             "there"},
    {.name = "hide", .type = R1_OPT_STRING, .help = "features that R1 does not see, for studies"},
};
/* clang-format on */
const size_t cli_train_n_row = R1_COUNT(cli_train_rows);
